package portal_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/redisdb/redistest"
	"patchbay/internal/webexsim"
)

const (
	forwardingAPI = "/api/me/settings/callForwarding"
	dndAPI        = "/api/me/settings/doNotDisturb"
	waitingAPI    = "/api/me/settings/callWaiting"
	interceptAPI  = "/api/me/settings/intercept"
)

func (w *world) queueAPI(t *testing.T, name string) string {
	t.Helper()
	return "/api/me/queues/" + url.PathEscape(w.queue(t, name).ID)
}

// happened checks that Webex has now what greta's writes ask for.
func (w *world) happened(t *testing.T) {
	t.Helper()
	joined, _ := w.sim.QueueJoined("Service Berlin", greta)
	got := []any{
		value(w.setting(t, greta, "callForwarding"), "callForwarding.always.enabled"), value(w.setting(t, greta, "doNotDisturb"), "enabled"),
		value(w.setting(t, greta, "callWaiting"), "enabled"), value(w.setting(t, greta, "intercept"), "enabled"), joined,
	}
	if diff := cmp.Diff([]any{true, true, false, true, false}, got); diff != "" {
		t.Errorf("forwarding, do not disturb, call waiting, intercept, joined (-want +got):\n%s", diff)
	}
}

func TestAWriteThatTookEffectWithoutAnAnswerIsDone(t *testing.T) {
	t.Parallel()
	tests := map[string]webexsim.Fault{
		"the connection closes": {Kind: webexsim.FaultApplyFail},
		"500":                   {Kind: webexsim.FaultApplyFail, Status: 500},
		"502":                   {Kind: webexsim.FaultApplyFail, Status: 502},
		"503":                   {Kind: webexsim.FaultApplyFail, Status: 503},
		"504, late":             {Kind: webexsim.FaultApplyFail, Status: 504, Delay: 500 * time.Millisecond},
		"nothing comes back":    {Kind: webexsim.FaultApplyAndHang},
	}
	for name, trouble := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, setup{})
			b := w.signIn(t, greta)
			b.view("/queues")
			trouble.Method = http.MethodPut
			w.sim.SetFault(trouble)
			w.sim.ClearRequests()
			writes := w.writes(t)
			for path, a := range atOnce(slices.Sorted(maps.Keys(writes)), func(path string) answer { return b.put(path, writes[path]) }) {
				if a.status != http.StatusOK || a.header.Get("Audit-Id") == "" {
					t.Errorf("PUT %s: %d\n%s", path, a.status, a.body)
				}
				state := a.object(t)
				wanted := map[string]any{
					forwardingAPI: value(state, "callForwarding.always.enabled"), dndAPI: state["enabled"], interceptAPI: state["enabled"],
				}
				if v, ok := wanted[path]; ok && v != true {
					t.Errorf("PUT %s does not answer the state there is: %s", path, a.body)
				}
			}
			w.happened(t)
			if got := b.outcomes(t); !slices.Equal(got, slices.Repeat([]string{"done"}, len(writes))) {
				t.Errorf("the history says %v", got)
			}
			for _, template := range []string{pathForwarding, pathDND, pathWaiting, pathIntercept, pathJoin} {
				if n := len(w.sent(http.MethodPut, template)); n != 1 {
					t.Errorf("PUT %s was sent %d times", template, n)
				}
			}
		})
	}
}

func TestAnAnswerThatStaysUnknownIsSettledLater(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, greta)
	b.get(dndAPI)
	// The reading that settles fails, the reading before the write does not.
	go func() {
		for len(w.sent(http.MethodPut, pathDND)) == 0 {
			time.Sleep(time.Millisecond)
		}
		w.sim.SetFault(webexsim.Fault{ID: "read", Method: http.MethodGet, Path: pathDND, Kind: webexsim.FaultStatus, Status: 500})
	}()
	w.sim.SetFault(webexsim.Fault{ID: "write", Method: http.MethodPut, Path: pathDND, Kind: webexsim.FaultApplyFail, Status: 502, Delay: 300 * time.Millisecond})
	w.sim.ClearRequests()
	a := b.put(dndAPI, `{"enabled":true}`)
	checkProblem(t, "PUT", a, http.StatusGatewayTimeout)
	if !strings.Contains(a.body, "We do not know yet") {
		t.Errorf("the answer claims to know: %s", a.body)
	}
	if got := b.outcomes(t); !slices.Equal(got, []string{"pending"}) {
		t.Errorf("the history says %v", got)
	}
	w.sim.ClearFaults()
	w.replicas[0].clock.pass(2 * time.Minute)
	if err := w.replicas[0].Settings.SettlePending(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.outcomes(t); !slices.Equal(got, []string{"done"}) {
		t.Errorf("the history says %v after the settling", got)
	}
	if n := len(w.sent(http.MethodPut, pathDND)); n != 1 {
		t.Errorf("the write was sent %d times", n)
	}
}

func TestOnlyWhatChangesIsSent(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	tests := map[string]struct {
		who, path, template, body, want string
	}{
		"do not disturb, with what Webex demands": {greta, dndAPI, pathDND, `{"enabled":true}`, `{"enabled":true,"webexGoOverrideEnabled":false}`},
		"call waiting": {greta, waitingAPI, pathWaiting, `{"enabled":false}`, `{"enabled":false}`},
		"forwarding when busy alone": {greta, forwardingAPI, pathForwarding,
			`{"callForwarding":{"always":{"enabled":false},"busy":{"enabled":true,"destination":"1001"}}}`,
			`{"callForwarding":{"busy":{"enabled":true,"destination":"1001"}}}`},
		"a value beside the one that Webex demands": {ben, forwardingAPI, pathForwarding,
			`{"callForwarding":{"always":{"ringReminderEnabled":true}}}`,
			`{"callForwarding":{"always":{"enabled":false,"ringReminderEnabled":true}}}`},
		"the rings": {maria, forwardingAPI, pathForwarding,
			`{"callForwarding":{"noAnswer":{"numberOfRings":7}}}`, `{"callForwarding":{"noAnswer":{"numberOfRings":7}}}`},
		"the phone being unreachable": {ana, forwardingAPI, pathForwarding,
			`{"businessContinuity":{"enabled":true,"destination":"2001"}}`, `{"businessContinuity":{"enabled":true,"destination":"2001"}}`},
		"intercept, deep inside": {maria, interceptAPI, pathIntercept,
			`{"incoming":{"announcements":{"newNumber":{"enabled":true,"destination":"1001"}}}}`,
			`{"incoming":{"announcements":{"newNumber":{"enabled":true,"destination":"1001"}}}}`},
		"taking a destination away": {tom, forwardingAPI, pathForwarding,
			`{"callForwarding":{"always":{"enabled":false,"destination":null}}}`,
			`{"callForwarding":{"always":{"enabled":false,"destination":""}}}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := w.signIn(t, tt.who)
			w.sim.ClearRequests()
			a := b.put(tt.path, tt.body).wants(t, http.StatusOK)
			sent := w.sent(http.MethodPut, tt.template)
			if len(sent) != 1 || sent[0].Body != tt.want {
				t.Fatalf("sent %+v, want the body %s", sent, tt.want)
			}
			fresh := b.get(tt.path).wants(t, http.StatusOK)
			if diff := cmp.Diff(fresh.object(t), a.object(t)); diff != "" || fresh.header.Get("ETag") != a.header.Get("ETag") {
				t.Errorf("the answer is not the state there is (-there +answered), ETag %s and %s:\n%s", fresh.header.Get("ETag"), a.header.Get("ETag"), diff)
			}
			w.sim.ClearRequests()
			again := b.put(tt.path, tt.body).wants(t, http.StatusOK)
			if n := len(w.sent(http.MethodPut, tt.template)); n != 0 || again.header.Get("Audit-Id") != "" {
				t.Errorf("the same wish again was sent %d times, and recorded as %q", n, again.header.Get("Audit-Id"))
			}
			history := b.history(t)
			id := a.header.Get("Audit-Id")
			if id == "" || len(history) == 0 || history[0]["id"] != id || history[0]["outcome"] != "done" {
				t.Errorf("Audit-Id %q is not the newest of %v", id, history)
			}
		})
	}
}

func TestNumbersAsPeopleTypeThem(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	tests := map[string]struct{ who, typed, want string }{
		"national, in Germany":         {greta, "(030) 901820-55", "+493090182055"},
		"international with 00":        {greta, "0044 20 7946 0958", "+442079460958"},
		"with the trunk zero":          {greta, "+49 (0)30 9018 2056", "+493090182056"},
		"an extension":                 {greta, "10 01", "1001"},
		"a feature code":               {greta, "*55", "*55"},
		"national, in London":          {tom, "020 7946 0000", "+442079460000"},
		"ten digits, in California":    {zoe, "415-555-0132", "+14155550132"},
		"national, in Madrid":          {ana, "912 345 678", "+34912345678"},
		"with no-break spaces":         {greta, "+49\u00a030\u202f90182057", "+493090182057"},
		"in California, with country":  {zoe, "+1 (415) 555-0133", "+14155550133"},
		"in California, with a one":    {zoe, "1 415 555 0134", "+14155550134"},
		"the number that is there now": {tom, "+44 20 7946 0958", "+442079460958"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := w.signIn(t, tt.who)
			b.put(forwardingAPI, fmt.Sprintf(`{"callForwarding":{"busy":{"enabled":true,"destination":%q}}}`, tt.typed)).wants(t, http.StatusOK)
			sent := w.sent(http.MethodPut, pathForwarding)
			if got := sent[len(sent)-1].Body; !strings.Contains(got, `"destination":"`+tt.want+`"`) {
				t.Errorf("sent %s, want %s", got, tt.want)
			}
		})
	}
}

func TestWhatCannotBeAcceptedIsNamed(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, greta)
	own, _ := w.sim.Person(greta)
	const always = "callForwarding.always."
	tests := map[string]struct {
		path, body string
		fields     []string
	}{
		"a field that nobody knows":           {dndAPI, `{"enabled":true,"volume":3}`, []string{"volume"}},
		"a field that nobody knows, inside":   {forwardingAPI, `{"callForwarding":{"always":{"colour":"red"}}}`, []string{always + "colour"}},
		"a field that is only read":           {forwardingAPI, `{"callForwarding":{"noAnswer":{"systemMaxNumberOfRings":9}}}`, []string{"callForwarding.noAnswer.systemMaxNumberOfRings"}},
		"a word for a yes or no":              {dndAPI, `{"enabled":"yes"}`, []string{"enabled"}},
		"a null for a yes or no":              {dndAPI, `{"enabled":null}`, []string{"enabled"}},
		"a number for a text":                 {forwardingAPI, `{"callForwarding":{"busy":{"enabled":true,"destination":1001}}}`, []string{"callForwarding.busy.destination"}},
		"an object for a value":               {dndAPI, `{"enabled":{"a":1}}`, []string{"enabled.a"}},
		"a value for an object":               {forwardingAPI, `{"callForwarding":true}`, []string{"callForwarding"}},
		"a list for an object":                {forwardingAPI, `{"callForwarding":{"always":[]}}`, []string{"callForwarding.always"}},
		"too few rings":                       {forwardingAPI, `{"callForwarding":{"noAnswer":{"numberOfRings":1}}}`, []string{"callForwarding.noAnswer.numberOfRings"}},
		"too many rings":                      {forwardingAPI, `{"callForwarding":{"noAnswer":{"numberOfRings":21}}}`, []string{"callForwarding.noAnswer.numberOfRings"}},
		"half a ring":                         {forwardingAPI, `{"callForwarding":{"noAnswer":{"numberOfRings":2.5}}}`, []string{"callForwarding.noAnswer.numberOfRings"}},
		"a choice that there is not":          {interceptAPI, `{"incoming":{"type":"SOME"}}`, []string{"incoming.type"}},
		"on without a destination":            {forwardingAPI, `{"callForwarding":{"always":{"enabled":true}}}`, []string{always + "destination"}},
		"on with an empty destination":        {forwardingAPI, `{"callForwarding":{"always":{"enabled":true,"destination":""}}}`, []string{always + "destination"}},
		"on with no destination (null)":       {forwardingAPI, `{"businessContinuity":{"enabled":true,"destination":null}}`, []string{"businessContinuity.destination"}},
		"intercept to nowhere":                {interceptAPI, `{"incoming":{"announcements":{"zeroTransfer":{"enabled":true}}}}`, []string{"incoming.announcements.zeroTransfer.destination"}},
		"intercept's outgoing calls nowhere":  {interceptAPI, `{"outgoing":{"transferEnabled":true}}`, []string{"outgoing.destination"}},
		"a recording that there is not":       {interceptAPI, `{"incoming":{"announcements":{"greeting":"CUSTOM"}}}`, []string{"incoming.announcements.greeting"}},
		"the person's own number":             {forwardingAPI, `{"callForwarding":{"always":{"enabled":true,"destination":"` + own.PhoneNumber + `"}}}`, []string{always + "destination"}},
		"the person's own extension":          {forwardingAPI, `{"callForwarding":{"always":{"enabled":true,"destination":"` + own.Extension + `"}}}`, []string{always + "destination"}},
		"an emergency number":                 {forwardingAPI, `{"callForwarding":{"always":{"enabled":true,"destination":"112"}}}`, []string{always + "destination"}},
		"a number that is too short":          {forwardingAPI, `{"callForwarding":{"always":{"enabled":true,"destination":"+49 12"}}}`, []string{always + "destination"}},
		"a number that is too long":           {forwardingAPI, `{"callForwarding":{"always":{"enabled":true,"destination":"+49 30 12345678901234567890"}}}`, []string{always + "destination"}},
		"letters":                             {forwardingAPI, `{"callForwarding":{"always":{"enabled":true,"destination":"mother"}}}`, []string{always + "destination"}},
		"several at once":                     {forwardingAPI, `{"a":1,"callForwarding":{"always":{"enabled":1},"noAnswer":{"numberOfRings":99}}}`, []string{"a", always + "enabled", "callForwarding.noAnswer.numberOfRings"}},
		"a queue, and something beside":       {w.queueAPI(t, "Sales Hotline"), `{"joined":false,"why":"lunch"}`, []string{"why"}},
		"a queue, and nothing":                {w.queueAPI(t, "Sales Hotline"), `{}`, []string{"joined"}},
		"a queue, and neither in nor out":     {w.queueAPI(t, "Sales Hotline"), `{"joined":"yes"}`, []string{"joined"}},
		"intercept: an emergency number as 0": {interceptAPI, `{"incoming":{"announcements":{"zeroTransfer":{"enabled":true,"destination":"110"}}}}`, []string{"incoming.announcements.zeroTransfer.destination"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w.sim.ClearRequests()
			a := b.put(tt.path, tt.body)
			checkProblem(t, tt.body, a, http.StatusUnprocessableEntity)
			var fields []string
			list, _ := a.object(t)["errors"].([]any)
			for _, one := range list {
				entry := one.(map[string]any)
				fields = append(fields, fmt.Sprint(entry["field"]))
				if detail, _ := entry["detail"].(string); len(detail) < 8 {
					t.Errorf("the field %v is not explained: %q", entry["field"], detail)
				}
			}
			slices.Sort(fields)
			if diff := cmp.Diff(tt.fields, fields); diff != "" {
				t.Errorf("the fields (-want +got):\n%s\n%s", diff, a.body)
			}
			for _, r := range w.sim.Requests() {
				if r.Method == http.MethodPut {
					t.Errorf("it was sent all the same: %s", r.Body)
				}
			}
		})
	}
	if got := b.outcomes(t); len(got) != 0 {
		t.Errorf("changes that were never tried are in the history: %v", got)
	}
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, greta)
	first := b.get(dndAPI).wants(t, http.StatusOK)
	etag := first.header.Get("ETag")
	if !strings.HasPrefix(etag, `"`) {
		t.Fatalf("the ETag is %q", etag)
	}
	if a := b.json(http.MethodGet, dndAPI, "", "If-None-Match", etag); a.status != http.StatusNotModified || a.body != "" {
		t.Errorf("a state that is known was answered with %d %q", a.status, a.body)
	}
	b.put(dndAPI, `{"enabled":true}`, "If-Match", etag).wants(t, http.StatusOK)
	w.sim.ClearRequests()
	a := b.put(dndAPI, `{"ringSplashEnabled":true}`, "If-Match", etag)
	checkProblem(t, "an old ETag", a, http.StatusPreconditionFailed)
	answered := a.object(t)
	if value(answered, "present.enabled") != true || value(answered, "wanted.ringSplashEnabled") != true {
		t.Errorf("the answer does not hold both states: %s", a.body)
	}
	if n := len(w.sent(http.MethodPut, pathDND)); n != 0 {
		t.Errorf("it was sent %d times", n)
	}
	b.put(dndAPI, `{"ringSplashEnabled":true}`, "If-Match", a.header.Get("ETag")).wants(t, http.StatusOK)
	b.put(dndAPI, `{"ringSplashEnabled":false}`, "If-Match", "*").wants(t, http.StatusOK)
	if err := w.sim.SetSetting(greta, "doNotDisturb", `{"enabled":false}`); err != nil {
		t.Fatal(err)
	}
	etag = b.get(dndAPI).header.Get("ETag")
	b.put(dndAPI, `{"enabled":true}`, "If-Match", `"other", `+etag).wants(t, http.StatusOK)
}

func TestTwoReplicasChangeOneSettingAtOnce(t *testing.T) {
	t.Parallel()
	address, _ := redistest.Start(t)
	w := start(t, setup{redis: address, replicas: 2, sim: webexsim.Options{Latency: 50 * time.Millisecond}})
	b := w.signIn(t, greta)
	bodies := []string{
		`{"callForwarding":{"busy":{"enabled":true,"destination":"1001"}}}`,
		`{"callForwarding":{"noAnswer":{"enabled":true,"destination":"1002"}}}`,
		`{"businessContinuity":{"enabled":true,"destination":"1003"}}`,
		`{"callForwarding":{"always":{"ringReminderEnabled":true}}}`,
		`{"callForwarding":{"noAnswer":{"numberOfRings":9}}}`,
		`{"callForwarding":{"busy":{"destinationVoicemailEnabled":true}}}`,
	}
	w.sim.ClearRequests()
	var wg sync.WaitGroup
	for i, body := range bodies {
		wg.Go(func() {
			if a := b.at(w.replicas[i%2]).put(forwardingAPI, body); a.status != http.StatusOK {
				t.Errorf("%s: %d\n%s", body, a.status, a.body)
			}
		})
	}
	wg.Wait()
	state := w.setting(t, greta, "callForwarding")
	for path, want := range map[string]any{
		"callForwarding.busy.destination": "1001", "callForwarding.noAnswer.destination": "1002", "businessContinuity.destination": "1003",
		"callForwarding.always.ringReminderEnabled": true, "callForwarding.noAnswer.numberOfRings": 9.0, "callForwarding.busy.destinationVoicemailEnabled": true,
		"callForwarding.always.enabled": false,
	} {
		if got := value(state, path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	// One after another: every write directly follows the reading that it was made from.
	last := ""
	for _, r := range w.sim.Requests() {
		if r.Template != pathForwarding {
			continue
		}
		if r.Method == last {
			t.Errorf("two requests %s in a row: the changes were not made one after another", r.Method)
		}
		last = r.Method
	}
	if got := b.outcomes(t); !slices.Equal(got, slices.Repeat([]string{"done"}, len(bodies))) {
		t.Errorf("the history says %v", got)
	}
}

func TestTheOrganizationsPolicyIsHonoured(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, hana)
	for _, path := range []string{forwardingAPI, waitingAPI} {
		b.get(path).wants(t, http.StatusOK)
	}
	for path, body := range map[string]string{forwardingAPI: `{"callForwarding":{"always":{"enabled":true,"destination":"6001"}}}`, waitingAPI: `{"enabled":false}`} {
		a := b.put(path, body)
		checkProblem(t, path, a, http.StatusForbidden)
		if !strings.Contains(a.body, "organisation manages") {
			t.Errorf("it is not said who decides: %s", a.body)
		}
	}
	if a := b.submit("/calls/callWaiting?page=calls", "_card", "callWaiting", "_fields", "enabled"); a.status != http.StatusForbidden {
		t.Errorf("the form: %d\n%s", a.status, a.body)
	}
	b.put(dndAPI, `{"enabled":true}`).wants(t, http.StatusOK)
	for _, template := range []string{pathForwarding, pathWaiting} {
		if n := len(w.sent(http.MethodPut, template)); n != 0 {
			t.Errorf("PUT %s was sent %d times", template, n)
		}
	}
	access := map[string]any{}
	for _, entry := range b.list(t, "/api/me/settings") {
		access[fmt.Sprint(entry["name"])] = entry["access"]
	}
	want := map[string]any{"callForwarding": "read", "doNotDisturb": "write", "callWaiting": "read", "intercept": "write", "voicemail": "read"}
	if diff := cmp.Diff(want, access); diff != "" {
		t.Errorf("access (-want +got):\n%s", diff)
	}
	for _, card := range []string{"always", "busy", "noAnswer", "unreachable", "callWaiting"} {
		if a := b.partial("/cards/" + card); strings.Contains(a.body, "<input") || !strings.Contains(a.body, "organisation manages") {
			t.Errorf("the card %s is not locked: %s", card, a.body)
		}
	}
	if got := b.outcomes(t); len(got) != 1 {
		t.Errorf("the history holds what was never tried: %v", got)
	}
}

// list reads an answer that is a list of objects.
func (b *browser) list(t *testing.T, path string) (list []map[string]any) {
	t.Helper()
	a := b.get(path).wants(t, http.StatusOK)
	if !strings.HasPrefix(a.body, "[") {
		t.Fatalf("%s is no list: %s", path, a.body)
	}
	a.body = `{"list":` + a.body + `}`
	for _, one := range a.object(t)["list"].([]any) {
		list = append(list, one.(map[string]any))
	}
	return list
}

func TestAnAdministratorWithoutCalling(t *testing.T) {
	t.Parallel()
	for _, code := range []int{http.StatusNotFound, http.StatusForbidden} {
		t.Run(fmt.Sprint("Webex says ", code), func(t *testing.T) {
			t.Parallel()
			w := start(t, setup{sim: webexsim.Options{Variant: webexsim.Variant{UnlicensedStatus: code}}})
			b := w.signIn(t, omar)
			if a := b.get("/"); a.at != "/health" {
				t.Errorf("Home of somebody without a phone is %s", a.at)
			}
			_, cards := b.view("/calls")
			if a := cards["/cards/rightNow?page=calls"]; !strings.Contains(a.body, "no calling service") {
				t.Errorf("it is not said that there is no calling service: %s", a.body)
			}
			for _, card := range everyCard {
				cards["/cards/"+card] = b.partial("/cards/" + card)
			}
			for path, a := range cards {
				name, _, _ := strings.Cut(strings.TrimPrefix(path, "/cards/"), "?")
				if fails(a, name) {
					t.Errorf("%s is in trouble: %s", path, a.body)
				}
			}
			for _, path := range []string{forwardingAPI, dndAPI, waitingAPI, interceptAPI} {
				checkProblem(t, "GET "+path, b.get(path), http.StatusNotFound)
				checkProblem(t, "PUT "+path, b.put(path, `{}`), http.StatusNotFound)
			}
			if list := b.list(t, "/api/me/queues"); len(list) != 0 {
				t.Errorf("queues: %v", list)
			}
			if list := b.list(t, "/api/me/devices"); len(list) != 0 {
				t.Errorf("devices: %v", list)
			}
			b.get("/api/me").wants(t, http.StatusOK)
			b.get("/health").wants(t, http.StatusOK)
		})
	}
}

func TestQueues(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, greta)
	for _, path := range []string{w.queueAPI(t, "Support Tokyo"), w.queueAPI(t, "Priority Care"), "/api/me/queues/nonsense", "/api/me/queues/a.joined", "/api/me/queues/.."} {
		if a := b.put(path, `{"joined":true}`); a.status != http.StatusNotFound {
			t.Errorf("PUT %s: %d, want 404", path, a.status)
		}
	}
	checkProblem(t, "a queue that agents may not join", b.put(w.queueAPI(t, "Switchboard"), `{"joined":true}`), http.StatusForbidden)
	if a := b.submit("/queues/"+url.PathEscape(w.queue(t, "Switchboard").ID)+"?page=queues", "joined", "true"); a.status != http.StatusForbidden {
		t.Errorf("the form for it: %d", a.status)
	}
	if n := len(w.sent(http.MethodPut, pathJoin)); n != 0 {
		t.Errorf("%d writes were sent", n)
	}
	queues := map[string][]any{}
	for _, q := range b.list(t, "/api/me/queues") {
		queues[fmt.Sprint(q["name"])] = []any{q["joined"], q["canJoin"], q["locationName"]}
	}
	want := map[string][]any{"Sales Hotline": {true, true, "Berlin"}, "Service Berlin": {true, true, "Berlin"}, "Switchboard": {false, false, "Berlin"}}
	if diff := cmp.Diff(want, queues); diff != "" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
	w.sim.ClearRequests()
	a := b.put(w.queueAPI(t, "Service Berlin"), `{"joined":false}`, "If-Match", `"whatever"`).wants(t, http.StatusOK)
	if got := a.object(t); got["joined"] != false || got["name"] != "Service Berlin" || got["canJoin"] != true || got["locationName"] != "Berlin" {
		t.Errorf("the answer is not the queue: %s", a.body)
	}
	sent := w.sent(http.MethodPut, pathJoin)
	if want := `{"settings":[{"queueId":"` + w.queue(t, "Service Berlin").ID + `","joinEnabled":false}]}`; len(sent) != 1 || sent[0].Body != want {
		t.Errorf("sent %v, want %s", sent, want)
	}
	w.sim.ClearRequests()
	b.put(w.queueAPI(t, "Service Berlin"), `{"joined":false}`).wants(t, http.StatusOK)
	if n := len(w.sent(http.MethodPut, pathJoin)); n != 0 {
		t.Error("leaving what was left was sent")
	}
	undone := b.json(http.MethodPost, "/api/history/"+a.header.Get("Audit-Id")+"/undo", "").wants(t, http.StatusOK)
	if joined, _ := w.sim.QueueJoined("Service Berlin", greta); !joined {
		t.Errorf("the undo did not join again: %s", undone.body)
	}
}

func TestAllQueuesAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, ana)
	joined := func() [2]bool {
		plain, _ := w.sim.QueueJoined("Ventas Madrid", ana)
		assist, _ := w.sim.QueueJoined("Priority Care", ana)
		return [2]bool{plain, assist}
	}
	for _, step := range []struct {
		wish string
		want [2]bool
		puts int
	}{{"true", [2]bool{true, true}, 1}, {"false", [2]bool{}, 2}, {"false", [2]bool{}, 0}, {"true", [2]bool{true, true}, 2}} {
		w.sim.ClearRequests()
		a := b.submit("/queues?page=queues", "joined", step.wish, "_card", "queues", "anyway", "true").wants(t, http.StatusOK)
		if got := joined(); got != step.want {
			t.Errorf("joined=%s: %v, want %v\n%s", step.wish, got, step.want, a.body)
		}
		if n := len(w.sent(http.MethodPut, pathJoin)); n != step.puts {
			t.Errorf("joined=%s: %d writes, want %d", step.wish, n, step.puts)
		}
	}
	if got := b.outcomes(t); !slices.Equal(got, slices.Repeat([]string{"done"}, 5)) {
		t.Errorf("the history says %v", got)
	}
}

func TestWhenOnlyOneKindOfQueuesCanBeLeft(t *testing.T) {
	t.Parallel()
	w := start(t, setup{sim: webexsim.Options{Latency: 100 * time.Millisecond}})
	b := w.signIn(t, ana)
	b.submit("/queues?page=queues", "joined", "true", "_card", "queues").wants(t, http.StatusOK)
	w.sim.ClearRequests()
	go func() { // the first of two writes succeeds
		for {
			if sent := w.sent(http.MethodPut, pathJoin); len(sent) > 0 && sent[0].Status != 0 {
				w.sim.SetFault(webexsim.Fault{Method: http.MethodPut, Path: pathJoin, Kind: webexsim.FaultStatus, Status: 400})
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	a := b.submit("/queues?page=queues", "joined", "false", "_card", "queues", "anyway", "true")
	if a.status != http.StatusConflict {
		t.Errorf("half of it failed: %d", a.status)
	}
	for name, want := range map[string]bool{"Ventas Madrid": false, "Priority Care": true} {
		if joined, _ := w.sim.QueueJoined(name, ana); joined != want {
			t.Errorf("%s: joined %t, want %t", name, joined, want)
		}
		_, row, found := strings.Cut(a.body, name)
		row, _, _ = strings.Cut(row, "</li>")
		if shown := strings.Contains(row, "checked"); !found || shown != want {
			t.Errorf("%s is shown as joined=%t, want %t\n%s", name, shown, want, row)
		}
	}
	if got := b.outcomes(t); !slices.Equal(got, []string{"refused", "done", "done"}) {
		t.Errorf("the history says %v", got)
	}
}

func TestTheLastAgentIsWarned(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, sam)
	b.view("/queues")
	path := "/queues/" + url.PathEscape(w.queue(t, "Night Desk").ID) + "?page=queues"
	for what, leave := range map[string]func() answer{
		"the row":   func() answer { return b.submit(path, "joined", "false", "_card", "queues") },
		"leave all": func() answer { return b.submit("/queues?page=queues", "joined", "false", "_card", "queues") },
	} {
		a := leave()
		if a.status != http.StatusConflict || !strings.Contains(a.body, "Night Desk") || !strings.Contains(a.body, `name="anyway"`) {
			t.Errorf("%s: %d, want a warning\n%s", what, a.status, a.body)
		}
	}
	if joined, _ := w.sim.QueueJoined("Night Desk", sam); !joined {
		t.Fatal("the queue was left without an answer to the warning")
	}
	a := b.submit(path, "joined", "false", "_card", "queues", "anyway", "true").wants(t, http.StatusOK)
	if joined, _ := w.sim.QueueJoined("Night Desk", sam); joined || !strings.Contains(a.body, "Undo") {
		t.Errorf("joined %t after leaving anyway\n%s", joined, a.body)
	}
}

func TestUndo(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, greta)
	undo := func(id string) answer { return b.json(http.MethodPost, "/api/history/"+id+"/undo", "") }
	put := func(path, body string) string {
		t.Helper()
		return b.put(path, body).wants(t, http.StatusOK).header.Get("Audit-Id")
	}
	always := func() []any {
		v := w.setting(t, greta, "callForwarding")
		return []any{value(v, "callForwarding.always.enabled"), value(v, "callForwarding.always.destination")}
	}

	before := always()
	change := put(forwardingAPI, `{"callForwarding":{"always":{"enabled":true,"destination":"1001"}}}`)
	a := undo(change).wants(t, http.StatusOK)
	if diff := cmp.Diff(before, always()); diff != "" {
		t.Errorf("the undo did not put back what was there (-want +got):\n%s", diff)
	}
	if a.header.Get("Audit-Id") == "" || a.header.Get("ETag") == "" || value(a.object(t), "callForwarding.always.enabled") != false {
		t.Errorf("the answer is not like that of a PUT: %v\n%s", a.header, a.body)
	}
	history := b.history(t)
	if history[0]["undoes"] != change || history[1]["undoneBy"] != a.header.Get("Audit-Id") || history[1]["undoable"] != false || history[0]["undoable"] != true {
		t.Errorf("the history does not connect the two: %v", history[:2])
	}
	if got := undo(change); got.status != http.StatusConflict {
		t.Errorf("the second undo: %d, want 409\n%s", got.status, got.body)
	}
	undo(a.header.Get("Audit-Id")).wants(t, http.StatusOK)
	if got := always(); got[0] != true || got[1] != "1001" {
		t.Errorf("undoing the undo gave %v", got)
	}

	moved := put(dndAPI, `{"enabled":true}`)
	if err := w.sim.SetSetting(greta, "doNotDisturb", `{"enabled":false}`); err != nil {
		t.Fatal(err)
	}
	w.sim.ClearRequests()
	got := undo(moved)
	checkProblem(t, "undoing what moved", got, http.StatusPreconditionFailed)
	if both := got.object(t); value(both, "present.enabled") != false || value(both, "wanted.enabled") != false {
		t.Errorf("the answer does not hold both states: %s", got.body)
	}
	if n := len(w.sent(http.MethodPut, pathDND)); n != 0 {
		t.Errorf("it was sent %d times", n)
	}

	untouched := put(waitingAPI, `{"enabled":false}`)
	if got := w.signIn(t, ben).json(http.MethodPost, "/api/history/"+untouched+"/undo", ""); got.status != http.StatusNotFound {
		t.Errorf("somebody else's change: %d, want 404", got.status)
	}
	for _, id := range []string{"nonsense", "1-1", "99999999999999999999-0"} {
		if got := undo(id); got.status != http.StatusNotFound {
			t.Errorf("undoing %s: %d, want 404", id, got.status)
		}
	}
	w.replicas[0].clock.pass(11 * time.Hour) // within the session
	undo(untouched)
}

func TestAReasonIsRecorded(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, greta)
	a := b.put(dndAPI+"?reason="+url.QueryEscape("Kundentermin, bitte nicht stören"), `{"enabled":true}`).wants(t, http.StatusOK)
	got := b.history(t)[0]
	if got["reason"] != "Kundentermin, bitte nicht stören" || got["id"] != a.header.Get("Audit-Id") || got["setting"] != "doNotDisturb" ||
		value(got, "before.enabled") != false || value(got, "after.enabled") != true || value(got, "actor.name") != "Greta Holm" || got["undoable"] != true {
		t.Errorf("recorded %v", got)
	}
	checkProblem(t, "a reason that is too long", b.put(dndAPI+"?reason="+strings.Repeat("x", 501), `{"enabled":false}`), http.StatusBadRequest)
	checkProblem(t, "an end, which is not offered yet", b.put(dndAPI+"?until=2030-01-01T00:00:00Z", `{"enabled":false}`), http.StatusBadRequest)
	if value(w.setting(t, greta, "doNotDisturb"), "enabled") != true {
		t.Error("a change was made all the same")
	}
	checkProblem(t, "a page of the history that there is not", b.get("/api/me/history?cursor=x"), http.StatusBadRequest)
}
