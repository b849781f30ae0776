package webexsim_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"patchbay/internal/webexsim"
)

const (
	forwarding = "/features/callForwarding"
	zoe        = "zoe.chen@patchbay.example"
)

// dig reads a dotted path.
func dig(v map[string]any, path string) any {
	var x any = v
	for _, key := range strings.Split(path, ".") {
		m, isObject := x.(map[string]any)
		if !isObject {
			return nil
		}
		x = m[key]
	}
	return x
}

func TestAWriteIsRead(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{CheckContract: true})
	path := "/people/" + c.person(greta).ID
	always := func() map[string]any { return dig(c.get(path+forwarding), "callForwarding.always").(map[string]any) }

	before := c.get(path + forwarding)
	c.put(path+forwarding, `{"callForwarding":{"always":{"enabled":true,"destination":"+442079460958"}}}`, 204)
	if got := always(); got["enabled"] != true || got["destination"] != "+442079460958" || got["ringReminderEnabled"] != false {
		t.Errorf("after a write: %v", got)
	}
	c.put(path+forwarding, `{"callForwarding":{"noAnswer":{"numberOfRings":7}}}`, 204)
	after := c.get(path + forwarding)
	if dig(after, "callForwarding.always.destination") != "+442079460958" || dig(after, "callForwarding.noAnswer.numberOfRings") != 7.0 {
		t.Errorf("what was left out did not stay: %v", after)
	}
	c.put(path+forwarding, `{"callForwarding":{"always":{"enabled":false}}}`, 204)
	if got := always(); got["destination"] != "+442079460958" {
		t.Errorf("switching off forgets the destination: %v", got)
	}
	c.put(path+forwarding, `{"callForwarding":{"always":{"enabled":false,"destination":""}}}`, 204)
	if _, there := always()["destination"]; there {
		t.Error("a cleared destination is not absent")
	}
	c.put(path+forwarding, `{"callForwarding":{"noAnswer":{"numberOfRings":3}}}`, 204)
	if diff := cmp.Diff(before, c.get(path+forwarding)); diff != "" {
		t.Errorf("not as before: %s", diff)
	}
	// Nobody else's changed, and the reset puts it back.
	c.put(path+"/features/doNotDisturb", `{"enabled":true,"webexGoOverrideEnabled":true}`, 204)
	if c.get("/people/" + c.person(ana).ID + "/features/doNotDisturb")["enabled"] != false {
		t.Error("somebody else's setting changed")
	}
	c.sim.Reset()
	if c.get(path + "/features/doNotDisturb")["enabled"] != false {
		t.Error("the reset left a change")
	}
	if v := c.sim.Violations(); len(v) > 0 {
		t.Errorf("violations: %q", v)
	}
}

func TestAWriteIsRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ setting, body string }{
		"forwarding on without a destination":     {"callForwarding", `{"callForwarding":{"always":{"enabled":true}}}`},
		"forwarding on with an empty destination": {"callForwarding", `{"callForwarding":{"busy":{"enabled":true,"destination":""}}}`},
		"offline forwarding without destination":  {"callForwarding", `{"businessContinuity":{"enabled":true}}`},
		"a destination with spaces":               {"callForwarding", `{"callForwarding":{"always":{"enabled":true,"destination":"+49 30 23125 000"}}}`},
		"a name as the destination":               {"callForwarding", `{"callForwarding":{"always":{"enabled":false,"destination":"Ben"}}}`},
		"one ring":                                {"callForwarding", `{"callForwarding":{"noAnswer":{"numberOfRings":1}}}`},
		"21 rings":                                {"callForwarding", `{"callForwarding":{"noAnswer":{"numberOfRings":21}}}`},
		"rings as text":                           {"callForwarding", `{"callForwarding":{"noAnswer":{"numberOfRings":"3"}}}`},
		"half a ring":                             {"callForwarding", `{"callForwarding":{"noAnswer":{"numberOfRings":2.5}}}`},
		"a read-only field":                       {"callForwarding", `{"callForwarding":{"noAnswer":{"systemMaxNumberOfRings":20}}}`},
		"always without enabled":                  {"callForwarding", `{"callForwarding":{"always":{"destination":"1001"}}}`},
		"an unknown field":                        {"callForwarding", `{"callForwarding":{"sometimes":{"enabled":true}}}`},
		"null":                                    {"callForwarding", `{"callForwarding":null}`},
		"no JSON":                                 {"callForwarding", `{"callForwarding"`},
		"a list":                                  {"callForwarding", `[]`},
		"two documents":                           {"callWaiting", `{"enabled":true}{"enabled":false}`},
		"call waiting without enabled":            {"callWaiting", `{}`},
		"a word for a switch":                     {"callWaiting", `{"enabled":"true"}`},
		"do not disturb without Webex Go":         {"doNotDisturb", `{"enabled":true}`},
		"the greeting's file name":                {"intercept", `{"incoming":{"announcements":{"filename":"a.wav"}}}`},
		"an unknown word":                         {"intercept", `{"incoming":{"type":"SOMETIMES"}}`},
		"a new number that leads nowhere":         {"intercept", `{"incoming":{"announcements":{"newNumber":{"enabled":true}}}}`},
		"a transfer that leads nowhere":           {"intercept", `{"outgoing":{"transferEnabled":true}}`},
		"voicemail without notifications":         {"voicemail", `{"enabled":true,"transferToNumber":{"enabled":false}}`},
		"voicemail without transferToNumber":      {"voicemail", `{"enabled":true,"notifications":{"enabled":false}}`},
		"voicemail with what only a GET has":      {"voicemail", `{"notifications":{},"transferToNumber":{},"voiceMessageForwardingEnabled":true}`},
	}
	c := start(t, webexsim.Options{})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := *c
			c.t = t
			path := "/people/" + c.person(greta).ID + "/features/" + test.setting
			before := c.get(path)
			r := c.put(path, test.body, 400)
			if !strings.Contains(string(r.body), "message") {
				t.Errorf("no message: %s", r.body)
			}
			if diff := cmp.Diff(before, c.get(path)); diff != "" {
				t.Errorf("a refused write changed something: %s", diff)
			}
		})
	}
	r := c.do("PUT", "/people/"+c.person(greta).ID+"/features/callWaiting", "")
	if r.StatusCode != 400 {
		t.Errorf("a PUT without a type: %d, want 400", r.StatusCode)
	}
}

// TestForwardingAgainstAModel writes at random and compares every GET with a model
// that knows only: what is sent replaces, "" removes, a refusal changes nothing.
func TestForwardingAgainstAModel(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{})
	path := "/people/" + c.person(greta).ID + forwarding
	rapid.Check(t, func(rt *rapid.T) {
		c.sim.Reset()
		model := map[string]any{}
		for name, v := range c.get(path)["callForwarding"].(map[string]any) {
			for key, x := range v.(map[string]any) {
				model[name+"."+key] = x
			}
		}
		for range rapid.IntRange(1, 8).Draw(rt, "writes") {
			name := rapid.SampledFrom([]string{"always", "busy", "noAnswer"}).Draw(rt, "kind")
			sent := map[string]any{"enabled": rapid.Bool().Draw(rt, "enabled")}
			if rapid.Bool().Draw(rt, "with destination") {
				sent["destination"] = rapid.SampledFrom([]string{"", "1001", "+442079460958", "not a number"}).Draw(rt, "destination")
			}
			if name == "noAnswer" && rapid.Bool().Draw(rt, "with rings") {
				sent["numberOfRings"] = float64(rapid.IntRange(0, 25).Draw(rt, "rings"))
			}
			next := maps.Clone(model)
			for key, x := range sent {
				next[name+"."+key] = x
			}
			if next[name+".destination"] == "" {
				delete(next, name+".destination")
			}
			destination, _ := next[name+".destination"].(string)
			rings := next["noAnswer.numberOfRings"].(float64)
			right := destination != "not a number" && (destination != "" || next[name+".enabled"] == false) && rings >= 2 && rings <= 20
			b, _ := json.Marshal(map[string]any{"callForwarding": map[string]any{name: sent}})
			if r := c.do("PUT", path, string(b)); right != (r.StatusCode == 204) {
				rt.Fatalf("PUT %s: %d, want success: %t", b, r.StatusCode, right)
			}
			if right {
				model = next
			}
			got := map[string]any{}
			for name, v := range c.get(path)["callForwarding"].(map[string]any) {
				for key, x := range v.(map[string]any) {
					got[name+"."+key] = x
				}
			}
			if diff := cmp.Diff(model, got); diff != "" {
				rt.Fatalf("after %s: %s", b, diff)
			}
		}
	})
}

func TestNumbersOfOldLocationsHaveTenDigits(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{})
	p := c.person(zoe)
	if got := dig(c.get("/people/"+p.ID+"/features/intercept"), "incoming.announcements.newNumber.destination"); got != "4085550142" {
		t.Errorf("destination %v, want ten digits", got)
	}
	numbers := func(query string) any {
		return c.get("/people/" + p.ID + "/features/numbers" + query)["phoneNumbers"].([]any)[0].(map[string]any)["directNumber"]
	}
	if got := numbers(""); got != p.PhoneNumber[2:] {
		t.Errorf("number %v, want ten digits of %s", got, p.PhoneNumber)
	}
	if got := numbers("?preferE164Format=true"); got != p.PhoneNumber {
		t.Errorf("number %v, want %s", got, p.PhoneNumber)
	}
	list, _ := c.all("/telephony/config/numbers?ownerId="+p.ID, "phoneNumbers")
	if len(list) != 1 || list[0]["phoneNumber"] != p.PhoneNumber {
		t.Errorf("numbers of the organization: %v, want E.164", list)
	}
}

func TestAPersonWithoutCalling(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{})
	p := c.person(noah)
	v := c.get("/people/" + p.ID + "?callingData=true")
	for _, key := range []string{"locationId", "extension", "phoneNumbers"} {
		if _, there := v[key]; there {
			t.Errorf("%s: %v", key, v[key])
		}
	}
	// A scope that is missing may also look like nothing.
	poor := start(t, webexsim.Options{Scopes: []string{"spark-admin:people_read"}, Variant: webexsim.Variant{UnauthorizedNotFound: true}})
	if r := poor.do("GET", "/telephony/config/queues", ""); r.StatusCode != 404 {
		t.Errorf("without a scope: %d, want 404", r.StatusCode)
	}
	paths := []string{"/people/" + p.ID + forwarding, "/people/" + p.ID + "/features/numbers", "/telephony/config/people/" + p.ID + "/devices", "/telephony/config/people/" + p.ID + "/services"}
	for _, want := range []int{404, 403} {
		c.sim.SetVariant(webexsim.Variant{UnlicensedStatus: want})
		for _, path := range paths {
			if r := c.do("GET", path, ""); r.StatusCode != want {
				t.Errorf("GET %s: %d, want %d", path, r.StatusCode, want)
			}
		}
	}
}

func TestPeopleShowWhatWebexShowsWhere(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{})
	p := c.person(greta)
	list := c.get("/people?email=" + url.QueryEscape("GRETA.HOLM@patchbay.example") + "&callingData=true")["items"].([]any)
	if len(list) != 1 {
		t.Fatalf("by e-mail: %v", list)
	}
	listed := list[0].(map[string]any)
	if listed["id"] != p.ID || listed["locationId"] != p.LocationID || listed["licenses"] != nil || listed["roles"] != nil {
		t.Errorf("in a list: %v", listed)
	}
	single := c.get("/people/" + p.ID)
	if single["locationId"] != nil || single["extension"] != nil || len(single["licenses"].([]any)) < 2 {
		t.Errorf("alone, without callingData: %v", single)
	}
	if admin := c.get("/people/" + c.person("ines.keller@patchbay.example").ID); len(admin["roles"].([]any)) != 1 {
		t.Errorf("an administrator: %v", admin["roles"])
	}
	if found := c.get("/people?email=stranger%40elsewhere.example")["items"].([]any); len(found) != 0 {
		t.Errorf("somebody of another organization is found: %v", found)
	}
	ids := c.get("/people?id=" + p.ID + "," + newSim(t, webexsim.Options{Seed: 44}).MustPerson(greta).ID)
	if len(ids["items"].([]any)) != 1 || len(ids["notFoundIds"].([]any)) != 1 {
		t.Errorf("by id: %v", ids)
	}
	if me := c.get("/people/me"); me["type"] != "appuser" {
		t.Errorf("the service app is %v", me)
	}
	if err := c.sim.DeletePerson(greta); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/people/" + p.ID, "/people/" + p.ID + forwarding} {
		if r := c.do("GET", path, ""); r.StatusCode != 404 {
			t.Errorf("GET %s after the deletion: %d", path, r.StatusCode)
		}
	}
}

func TestAPersonsOwnTokenReachesOnlyTheirOwn(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{})
	own := *c
	var err error
	if own.token, err = c.sim.UserAccessToken(greta, "spark:people_read"); err != nil {
		t.Fatal(err)
	}
	if got := own.get("/people/me")["id"]; got != c.person(greta).ID {
		t.Errorf("me is %v", got)
	}
	for path, want := range map[string]int{
		"/people/" + c.person(greta).ID + forwarding: 200,
		"/people/" + c.person(ana).ID + forwarding:   404,
		"/people/" + c.person(ana).ID:                404,
		"/people":                                    400,
		"/telephony/config/queues":                   403,
		"/groups":                                    403,
	} {
		if r := own.do("GET", path, ""); r.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", path, r.StatusCode, want)
		}
	}
}

func TestQueues(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{CheckContract: true})
	sales, _ := c.sim.Queue("Sales Hotline")
	board, _ := c.sim.Queue("Switchboard")
	care, _ := c.sim.Queue("Priority Care")
	ventas, _ := c.sim.Queue("Ventas Madrid")
	detail := func(q webexsim.QueueInfo, query string) string {
		return "/telephony/config/locations/" + q.LocationID + "/queues/" + q.ID + query
	}
	agent := func(who, query string) string {
		return "/telephony/config/queues/agents/" + c.person(who).ID + query
	}
	joined := func(who, query string) map[string]bool {
		got := map[string]bool{}
		for _, q := range c.get(agent(who, "?max=50&start=0"+query))["queues"].([]any) {
			q := q.(map[string]any)
			got[q["name"].(string)] = q["joinEnabled"].(bool)
		}
		return got
	}
	settings := func(q webexsim.QueueInfo, join bool) string {
		return fmt.Sprintf(`{"settings":[{"queueId":%q,"joinEnabled":%t}]}`, q.ID, join)
	}

	// Plain and Customer Assist are two worlds.
	plain, _ := c.all("/telephony/config/queues", "queues")
	assist, _ := c.all("/telephony/config/queues?hasCxEssentials=true", "queues")
	if len(plain)+len(assist) != len(c.sim.Queues()) || len(assist) < 2 {
		t.Errorf("%d plain and %d assist queues of %d", len(plain), len(assist), len(c.sim.Queues()))
	}
	for path, want := range map[string]int{
		detail(sales, ""): 200, detail(sales, "?hasCxEssentials=true"): 404, detail(care, ""): 404, detail(care, "?hasCxEssentials=true"): 200,
		detail(webexsim.QueueInfo{ID: sales.ID, LocationID: ventas.LocationID}, ""): 404,
		agent(greta, "?max=50&start=0"):                                             200,
		agent(greta, "?max=50&start=0&hasCxEssentials=true"):                        404,
		agent("maria.rossi@patchbay.example", "?max=50&start=0"):                    404,
		agent(noah, "?max=50&start=0"):                                              404,
		agent(greta, "?max=50"):                                                     400,
	} {
		if r := c.do("GET", path, ""); r.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", path, r.StatusCode, want)
		}
	}
	if diff := cmp.Diff(map[string]bool{"Sales Hotline": true, "Service Berlin": true, "Switchboard": false}, joined(greta, "")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]bool{"Priority Care": true}, joined(ana, "&hasCxEssentials=true")); diff != "" {
		t.Error(diff)
	}
	if got := c.get(detail(board, ""))["allowAgentJoinEnabled"]; got != false {
		t.Errorf("agents of Switchboard may join: %v", got)
	}

	// Joining names one queue and leaves the others, and other people, alone.
	others := func() map[string]bool {
		got := map[string]bool{}
		for _, q := range c.sim.Queues() {
			for _, a := range q.Agents {
				got[q.Name+" "+a.Email] = a.Joined
			}
		}
		delete(got, "Sales Hotline "+greta)
		return got
	}
	before := others()
	c.put(agent(greta, "/settings"), settings(sales, false), 204)
	if is, _ := c.sim.QueueJoined(sales.ID, greta); is || joined(greta, "")["Sales Hotline"] {
		t.Error("leaving had no effect")
	}
	if diff := cmp.Diff(before, others()); diff != "" {
		t.Errorf("leaving one queue changed others: %s", diff)
	}
	for name, body := range map[string]string{
		"a queue one is no agent of":    settings(ventas, true),
		"a queue that does not exist":   `{"settings":[{"queueId":"Y2lzY29zcGFyazovL3VzL0NBTExfUVVFVUUvbm9uZQ","joinEnabled":true}]}`,
		"a Customer Assist queue":       settings(care, true),
		"one right and one wrong queue": fmt.Sprintf(`{"settings":[{"queueId":%q,"joinEnabled":true},{"queueId":%q,"joinEnabled":true}]}`, sales.ID, ventas.ID),
	} {
		if r := c.do("PUT", agent(greta, "/settings"), body); r.StatusCode != 400 && r.StatusCode != 404 {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
	}
	if is, _ := c.sim.QueueJoined(sales.ID, greta); is {
		t.Error("a refused write was applied in part")
	}
	c.put(agent(ana, "/settings"), settings(care, false), 404)
	c.put(agent(ana, "/settings?hasCxEssentials=true"), settings(care, false), 204)
	c.put(agent("maria.rossi@patchbay.example", "/settings"), settings(sales, true), 404)

	// Who is joined: the filter, and the counts over all queues.
	in, _ := c.all("/telephony/config/queues/agents?queueId="+sales.ID+"&joinEnabled=true", "agents")
	out, _ := c.all("/telephony/config/queues/agents?queueId="+sales.ID+"&joinEnabled=false", "agents")
	if len(in)+len(out) != len(sales.Agents) || !slices.ContainsFunc(out, func(a map[string]any) bool {
		return a["lastName"] == "Holm" && a["joinCount"] == 1.0 && a["unjoinCount"] == 2.0
	}) {
		t.Errorf("joined %v, not joined %v", in, out)
	}

	// Whoever writes the list of agents replaces it.
	c.put(detail(sales, ""), fmt.Sprintf(`{"agents":[{"id":%q,"joinEnabled":true}]}`, c.person(ana).ID), 204)
	now, _ := c.sim.Queue("Sales Hotline")
	if diff := cmp.Diff([]webexsim.AgentInfo{{PersonID: c.person(ana).ID, Email: ana, Joined: true}}, now.Agents); diff != "" {
		t.Error(diff)
	}
	if _, is := joined(greta, "")["Sales Hotline"]; is {
		t.Error("Greta is still an agent")
	}
	c.put(detail(sales, ""), fmt.Sprintf(`{"agents":[{"id":%q}]}`, c.person(noah).ID), 400)
	c.put(detail(sales, ""), `{"id":"x"}`, 400)
	c.put(detail(sales, ""), `{"allowAgentJoinEnabled":false,"queueSettings":{"queueSize":9,"overflow":{"action":"PERFORM_BUSY_TREATMENT","greeting":"DEFAULT"}}}`, 204)
	if v := c.get(detail(sales, "")); v["allowAgentJoinEnabled"] != false || dig(v, "queueSettings.queueSize") != 9.0 || dig(v, "queueSettings.callOfferToneEnabled") != true {
		t.Errorf("after a change: %v", v)
	}

	c.sim.SetVariant(webexsim.Variant{EmptyAgent: true})
	if got := joined("maria.rossi@patchbay.example", ""); len(got) != 0 {
		t.Errorf("queues of nobody: %v", got)
	}
}

func TestFeatureAccess(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{CheckContract: true})
	// effective is what a client that understands the answer shows.
	effective := func(who, feature string) any {
		v := c.get("/telephony/config/people/" + c.person(who).ID + "/settings/permissions")
		if v["userOrgSettingsPermissionEnabled"] == true {
			return dig(v, "userOrgSettingsPermissions."+feature)
		}
		return dig(v, "userSettingsPermissions."+feature)
	}
	const hana, raj = "hana.sato@patchbay.example", "raj.patel@patchbay.example"
	for _, want := range []struct{ who, feature, access string }{
		{hana, "callForwarding", "NO_ACCESS"}, {hana, "callWaiting", "NO_ACCESS"}, {hana, "voicemail", "FULL_ACCESS"},
		{raj, "callForwarding", "FULL_ACCESS"}, {raj, "bargeIn", "NO_ACCESS"}, {greta, "callForwarding", "FULL_ACCESS"},
	} {
		if got := effective(want.who, want.feature); got != want.access {
			t.Errorf("%s of %s: %v, want %s", want.feature, want.who, got, want.access)
		}
	}
	if got := c.get("/telephony/config/people/settings/permissions")["bargeIn"]; got != "NO_ACCESS" {
		t.Errorf("the default of bargeIn: %v", got)
	}
	if err := c.sim.SetFeatureAccess("", "voicemail", false); err != nil {
		t.Fatal(err)
	}
	if effective(greta, "voicemail") != "NO_ACCESS" || effective(hana, "voicemail") != "FULL_ACCESS" {
		t.Error("a changed default should reach those without access of their own, and only them")
	}
	if err := c.sim.SetFeatureAccess(greta, "voicemail", true); err != nil || effective(greta, "voicemail") != "FULL_ACCESS" {
		t.Errorf("own access does not win: %v", err)
	}
	c.put("/telephony/config/people/"+c.person(raj).ID+"/settings/permissions", `{"callForwarding":"NO_ACCESS"}`, 204)
	if effective(raj, "callForwarding") != "NO_ACCESS" {
		t.Error("a written access is not read")
	}
	c.put("/telephony/config/people/"+c.person(raj).ID+"/settings/permissions", `{"callForwarding":"SOME"}`, 400)
	// The service app may write all the same: that the portal refrains is its own doing.
	c.put("/people/"+c.person(hana).ID+"/features/callWaiting", `{"enabled":false}`, 204)
}

// TestManyAtOnce has the agents of a queue join and leave at the same time: each
// change names one agent, so none is lost.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{People: 3000})
	queue := slices.MaxFunc(c.sim.Queues(), func(a, b webexsim.QueueInfo) int {
		return len(a.Agents) - len(b.Agents)
	})
	query := ""
	if queue.Assist {
		query = "?hasCxEssentials=true"
	}
	var group sync.WaitGroup
	for _, a := range queue.Agents {
		group.Go(func() {
			body := fmt.Sprintf(`{"settings":[{"queueId":%q,"joinEnabled":%t}]}`, queue.ID, !a.Joined)
			if r := c.do("PUT", "/telephony/config/queues/agents/"+a.PersonID+"/settings"+query, body); r.StatusCode != 204 {
				t.Errorf("%s: %d %s", a.Email, r.StatusCode, r.body)
			}
			c.do("GET", "/people/"+a.PersonID+forwarding, "")
			if _, err := c.sim.Setting(a.Email, "callForwarding"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if len(queue.Agents) < 5 {
		t.Fatalf("%d agents are too few to show anything", len(queue.Agents))
	}
	for _, a := range queue.Agents {
		if joined, _ := c.sim.QueueJoined(queue.ID, a.PersonID); joined == a.Joined {
			t.Errorf("the change of %s is lost", a.Email)
		}
	}
}
