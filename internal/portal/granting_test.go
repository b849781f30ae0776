package portal_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/routers/gorillamux"

	"patchbay/internal/redisdb/redistest"
)

// known waits until the first replica's directory has the people, and gives the id
// of one of them.
func (r *replica) known(t *testing.T, email string) string {
	t.Helper()
	until := time.Now().Add(20 * time.Second)
	for {
		if p, ok := r.Directory.ByEmail(email); ok {
			return p.ID
		}
		if time.Now().After(until) {
			t.Fatalf("the directory does not know %s", email)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// place is the id of a location.
func (r *replica) place(t *testing.T, name string) string {
	t.Helper()
	for _, l := range r.Directory.Locations() {
		if l.Name == name {
			return l.ID
		}
	}
	t.Fatalf("there is no location %s", name)
	return ""
}

// grant grants by the API and gives the grant's id.
func (b *browser) grant(to, role, scope string) string {
	b.t.Helper()
	a := b.json(http.MethodPost, "/api/grants", fmt.Sprintf(`{"to":{"person":%q},"role":%q,"scope":%s,"reason":"test"}`, to, role, scope)).wants(b.t, http.StatusCreated)
	if a.header.Get("Audit-Id") == "" {
		b.t.Error("a grant without a record")
	}
	var g struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &g); err != nil {
		b.t.Fatal(err)
	}
	return g.ID
}

func (b *browser) grants(query string) (list []map[string]any) {
	b.t.Helper()
	if err := json.Unmarshal([]byte(b.get("/api/grants"+query).wants(b.t, http.StatusOK).body), &list); err != nil {
		b.t.Fatal(err)
	}
	return list
}

// sendForm sends a form as a browser without JavaScript does, and follows.
func (b *browser) sendForm(path string, pairs ...string) answer {
	b.t.Helper()
	return b.send(request{method: http.MethodPost, path: path, body: form(pairs...), header: http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"},
	}})
}

// eventually waits for something that replicas take over from each other, for as
// long as what was revoked may still count.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	until := time.Now().Add(5 * time.Second)
	for !check() {
		if time.Now().After(until) {
			t.Errorf("%s: not within 5 s", what)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// described is the browser as one whose requests and answers must fit the API's
// description; for what goes well.
func (b *browser) described(t *testing.T) *browser {
	t.Helper()
	doc := b.description(t)
	doc.Servers = nil
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	other, client := *b, *b.client
	client.Transport = &checked{t: t, router: router, next: b.client.Transport, seen: &seen{}}
	other.client = &client
	return &other
}

func TestGrantsCountInLiveSessionsOnEveryReplica(t *testing.T) {
	t.Parallel()
	address, _ := redistest.Start(t)
	w := start(t, setup{redis: address, replicas: 3})
	for _, r := range w.replicas {
		r.known(t, greta)
	}
	gretaAPI := "/api/people/" + url.PathEscape(w.replicas[0].known(t, greta)) + "/settings/doNotDisturb"
	admin, helper := w.signIn(t, ines), w.signIn(t, maria)
	everywhere := func(status int) func() bool {
		return func() bool {
			return !slices.ContainsFunc(w.replicas, func(r *replica) bool { return helper.at(r).get(gretaAPI).status != status })
		}
	}
	const none = http.StatusForbidden // who may read nobody is told so; see the scope's own tests for 404
	if !everywhere(none)() {
		t.Fatal("somebody reads another's settings without a grant")
	}
	berlin := fmt.Sprintf(`{"locations":[%q]}`, w.replicas[0].place(t, "Berlin"))
	id := admin.at(w.replicas[1]).grant(maria, "helpdesk", berlin)
	eventually(t, "the grant", everywhere(http.StatusOK))
	a := admin.at(w.replicas[2]).json(http.MethodDelete, "/api/grants/"+id+"?reason=over", "").wants(t, http.StatusNoContent)
	eventually(t, "the end of the grant", everywhere(none))
	admin.json(http.MethodPost, "/api/history/"+a.header.Get("Audit-Id")+"/undo", "").wants(t, http.StatusOK)
	eventually(t, "the grant after the undo", everywhere(http.StatusOK))

	// One that ends by itself.
	admin.json(http.MethodPatch, "/api/grants/"+id, fmt.Sprintf(`{"until":%q,"reason":"soon"}`, time.Now().Add(1500*time.Millisecond).Format(time.RFC3339Nano))).wants(t, http.StatusOK)
	eventually(t, "the end by itself", everywhere(none))
}

func TestGrantsByTheAPI(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	r := w.replicas[0]
	benID, gretaID, anaID := r.known(t, ben), r.known(t, greta), r.known(t, ana)
	berlin, madrid := r.place(t, "Berlin"), r.place(t, "Madrid")
	admin, user := w.signIn(t, ines), w.signIn(t, maria)
	until := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second)

	body := fmt.Sprintf(`{"to":{"person":%q},"role":"helpdesk","scope":{"locations":[%q]},"until":%q,"reason":"ticket 1"}`, ben, berlin, until.Format(time.RFC3339))
	exact := admin.described(t)
	a := exact.json(http.MethodPost, "/api/grants", body).wants(t, http.StatusCreated)
	got := a.object(t)
	if value(got, "to.person") != benID || value(got, "to.name") != "Ben Fischer" || got["role"] != "helpdesk" || got["until"] != until.Format(time.RFC3339) ||
		got["reason"] != "ticket 1" || value(got, "by.name") != "Ines Keller" || got["at"] == nil || value(got, "to.group") != nil {
		t.Errorf("the grant is %s", a.body)
	}
	queue := w.queue(t, "Sales Hotline").ID // in Berlin, where Ben is a helper and no lead
	admin.grant(ana, "lead", fmt.Sprintf(`{"queues":[%q]}`, queue))
	admin.grant(tom, "administrator", fmt.Sprintf(`{"locations":[%q]}`, madrid))
	lists := map[string]int{
		"": 3, "?to=" + url.QueryEscape(ben): 1, "?to=" + url.QueryEscape(benID): 1, "?to=" + url.QueryEscape(anaID): 1, "?on=" + url.QueryEscape(gretaID): 1,
		"?on=" + url.QueryEscape(ana): 1, "?on=" + url.QueryEscape(queue): 1, "?on=nothing": 0, "?to=nobody": 0,
	}
	for query, want := range lists {
		if list := exact.grants(query); len(list) != want {
			t.Errorf("%q: %d grants, want %d", query, len(list), want)
		}
		if list := user.grants(query); len(list) != 0 {
			t.Errorf("a user sees %q: %v", query, list)
		}
	}
	if list := w.signIn(t, ben).grants(""); len(list) != 1 {
		t.Errorf("who holds one sees %v", list)
	}

	bad := map[string]struct {
		body   string
		status int
		field  string
	}{
		"an unknown field":            {`{"to":{"person":"` + ben + `"},"role":"helpdesk","scope":{"organization":true},"foo":1}`, 422, "foo"},
		"an unknown field in a scope": {`{"to":{"person":"` + ben + `"},"role":"helpdesk","scope":{"planets":["x"]}}`, 422, "planets"},
		"a number as a role":          {`{"to":{"person":"` + ben + `"},"role":1,"scope":{"organization":true}}`, 422, "role"},
		"no time":                     {`{"to":{"person":"` + ben + `"},"role":"helpdesk","scope":{"organization":true},"until":"soon"}`, 422, "until"},
		"the past":                    {`{"to":{"person":"` + ben + `"},"role":"helpdesk","scope":{"organization":true},"until":"2020-01-01T00:00:00Z"}`, 422, "until"},
		"a stranger":                  {`{"to":{"person":"nobody@patchbay.example"},"role":"helpdesk","scope":{"organization":true}}`, 422, "to.person"},
		"nobody":                      {`{"role":"helpdesk","scope":{"organization":true}}`, 422, "to"},
		"no scope":                    {`{"to":{"person":"` + ben + `"},"role":"helpdesk"}`, 422, "scope"},
		"a role of everybody":         {`{"to":{"person":"` + ben + `"},"role":"user","scope":{"organization":true}}`, 422, "role"},
		"no JSON":                     {`{`, 400, ""},
		"a list":                      {`[]`, 400, ""},
	}
	for name, tt := range bad {
		a := admin.json(http.MethodPost, "/api/grants", tt.body)
		checkProblem(t, name, a, tt.status)
		if tt.field != "" && !strings.Contains(a.body, fmt.Sprintf(`"field":%q`, tt.field)) {
			t.Errorf("%s: no fault at %s: %s", name, tt.field, a.body)
		}
	}
	checkProblem(t, "a user grants", user.json(http.MethodPost, "/api/grants", body), http.StatusForbidden)
	delegate := w.signIn(t, tom)
	checkProblem(t, "more than they hold", delegate.json(http.MethodPost, "/api/grants", body), http.StatusForbidden)
	checkProblem(t, "to themselves", delegate.json(http.MethodPost, "/api/grants", fmt.Sprintf(`{"to":{"person":%q},"role":"helpdesk","scope":{"locations":[%q]}}`, tom, madrid)), http.StatusForbidden)
	delegate.grant(greta, "helpdesk", fmt.Sprintf(`{"locations":[%q]}`, madrid))

	id := got["id"].(string)
	checkProblem(t, "an end that is none", admin.json(http.MethodPatch, "/api/grants/"+id, `{"until":"soon"}`), http.StatusUnprocessableEntity)
	checkProblem(t, "no end at all", admin.json(http.MethodPatch, "/api/grants/"+id, `{"reason":"x"}`), http.StatusUnprocessableEntity)
	checkProblem(t, "somebody else extends", user.json(http.MethodPatch, "/api/grants/"+id, `{"until":null}`), http.StatusNotFound)
	forGood := exact.json(http.MethodPatch, "/api/grants/"+id, `{"until":null,"reason":"stays"}`).wants(t, http.StatusOK)
	if _, has := forGood.object(t)["until"]; has || forGood.header.Get("Audit-Id") == "" {
		t.Errorf("for good: %s", forGood.body)
	}
	if again := admin.json(http.MethodPatch, "/api/grants/"+id, `{"until":null}`).wants(t, http.StatusOK); again.header.Get("Audit-Id") != "" {
		t.Error("nothing was changed, and it was recorded")
	}
	checkProblem(t, "somebody else revokes", user.json(http.MethodDelete, "/api/grants/"+id, ""), http.StatusNotFound)
	checkProblem(t, "an administrator of another place revokes", delegate.json(http.MethodDelete, "/api/grants/"+id, ""), http.StatusNotFound)
	w.signIn(t, ben).described(t).json(http.MethodDelete, "/api/grants/"+id, "").wants(t, http.StatusNoContent) // gives it up
	checkProblem(t, "it is gone", admin.json(http.MethodDelete, "/api/grants/"+id, ""), http.StatusNotFound)
}

func TestPolicyByTheAPI(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	r := w.replicas[0]
	gretaID := url.PathEscape(r.known(t, greta))
	berlin, madrid := r.place(t, "Berlin"), r.place(t, "Madrid")
	admin, user, helper := w.signIn(t, ines), w.signIn(t, greta), w.signIn(t, maria)
	admin.grant(maria, "helpdesk", `{"organization":true}`)
	exact := admin.described(t)
	before := exact.get("/api/policy").wants(t, http.StatusOK)
	tag := before.header.Get("ETag")
	wish := fmt.Sprintf(`{"default":{"doNotDisturb":{"user":"read","helpdesk":"hidden"},"callWaiting":{"user":"hidden"},"phones":{"user":"hidden"}},
		"locations":{%q:{"doNotDisturb":{"user":"write"}}},"reasonRequired":["helpdesk"],"contact":"IT Service Desk, ext. 1000"}`, madrid)
	a := exact.put("/api/policy?reason=audit", wish, "If-Match", tag).wants(t, http.StatusOK)
	record := a.header.Get("Audit-Id")
	if record == "" || a.header.Get("ETag") == tag {
		t.Errorf("the record is %q, the tag %s", record, a.header.Get("ETag"))
	}
	stale := admin.put("/api/policy", `{"contact":"me"}`, "If-Match", tag)
	checkProblem(t, "from a state before", stale, http.StatusPreconditionFailed)
	if value(stale.object(t), "present.contact") != "IT Service Desk, ext. 1000" || value(stale.object(t), "wanted.contact") != "me" {
		t.Errorf("both states: %s", stale.body)
	}
	for name, body := range map[string]string{
		"an unknown field": `{"volume":1}`, "an unknown setting": `{"default":{"volume":{"user":"read"}}}`, "an unknown level": `{"default":{"queues":{"user":"open"}}}`,
		"an unknown role": `{"default":{"queues":{"king":"read"}}}`, "a list": `{"default":[]}`,
	} {
		checkProblem(t, name, admin.put("/api/policy", body), http.StatusUnprocessableEntity)
	}
	checkProblem(t, "a user reads the policy", user.get("/api/policy"), http.StatusForbidden)
	checkProblem(t, "a user writes the policy", user.put("/api/policy", `{}`), http.StatusForbidden)
	checkProblem(t, "a helper writes the policy", helper.put("/api/policy", `{}`), http.StatusForbidden)

	time.Sleep(1100 * time.Millisecond)
	read := user.get(dndAPI).wants(t, http.StatusOK)
	checkProblem(t, "a write of what is only read", user.put(dndAPI, `{"enabled":true}`), http.StatusForbidden)
	if a := user.put(dndAPI, `{"enabled":true}`); !strings.Contains(a.body, "IT Service Desk, ext. 1000") {
		t.Errorf("it does not say whom to ask: %s", a.body)
	}
	checkProblem(t, "what is hidden", user.get(waitingAPI), http.StatusNotFound)
	checkProblem(t, "a write of what is hidden", user.put(waitingAPI, `{"enabled":true}`), http.StatusNotFound)
	checkProblem(t, "hidden phones", user.get("/api/me/devices"), http.StatusNotFound)
	if list := user.get("/api/me/settings").body; strings.Contains(list, "callWaiting") || !strings.Contains(list, `"name":"doNotDisturb","title":"Do not disturb","group":"calls","access":"read"`) {
		t.Errorf("the list of settings: %s", list)
	}
	w.signIn(t, ana).put(dndAPI, `{"enabled":true}`).wants(t, http.StatusOK) // Madrid is as before
	checkProblem(t, "what is hidden from helpers", helper.get("/api/people/"+gretaID+"/settings/doNotDisturb"), http.StatusNotFound)
	path := "/api/people/" + gretaID + "/settings/callWaiting"
	checkProblem(t, "a helper without a reason", helper.put(path, `{"enabled":false}`), http.StatusUnprocessableEntity)
	helper.put(path+"?reason=ticket+1", `{"enabled":false}`).wants(t, http.StatusOK)

	page, cards := user.view("/calls")
	all := page.body
	for _, c := range cards {
		all += c.body
	}
	if strings.Contains(all, `data-card="callWaiting"`) || !strings.Contains(all, `data-card="doNotDisturb"`) || !strings.Contains(all, "IT Service Desk, ext. 1000") {
		t.Error("the page Calls does not follow the policy")
	}
	if strings.Contains(page.body, `href="/phones"`) {
		t.Error("the way to the phones is there")
	}
	if strings.Contains(read.body, "error") || berlin == "" {
		t.Error(read.body)
	}
	admin.json(http.MethodPost, "/api/history/"+record+"/undo", "").wants(t, http.StatusOK)
	time.Sleep(1100 * time.Millisecond)
	user.put(dndAPI, `{"enabled":true}`).wants(t, http.StatusOK)
}

// field finds the value of a hidden field in a page.
func fieldOf(t *testing.T, body, name string) string {
	t.Helper()
	m := regexp.MustCompile(`name="` + regexp.QuoteMeta(name) + `" value="([^"]*)"`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("the page has no %s:\n%s", name, body)
	}
	return html.UnescapeString(m[1])
}

func TestGrantingStepByStepWithoutJavaScript(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	r := w.replicas[0]
	mariaID, berlin, madrid := r.known(t, maria), r.place(t, "Berlin"), r.place(t, "Madrid")
	b := w.signIn(t, ines)
	says := func(what string, a answer, status int, want ...string) answer {
		t.Helper()
		if a.status != status {
			t.Errorf("%s: %d", what, a.status)
		}
		for _, text := range want {
			if !strings.Contains(a.body, text) {
				t.Errorf("%s: no %q in\n%s", what, text, a.body)
			}
		}
		return a
	}
	first := says("the first step", b.get("/access/grant?find=maria"), 200, "1. Who gets the role?", "Maria Rossi")
	tag := fieldOf(t, first.body, "_for")
	step := func(pairs ...string) answer {
		return b.sendForm("/access/grant", append([]string{"_for", tag}, pairs...)...)
	}
	says("nobody chosen", step("step", "role"), 422, "Choose a person or a group.", "<title>Error: ")
	says("the role", step("to", mariaID), 200, "2. Which role?", "Helpdesk", "Maria Rossi")
	says("no role", step("person", mariaID, "step", "where"), 422, "Choose a role.")
	says("where", step("person", mariaID, "role", "helpdesk", "step", "where"), 200, "3. Where does it hold?", "Berlin", "Groups")
	says("another kind", step("person", mariaID, "role", "helpdesk", "kind", "locations", "in", berlin, "tab", "people"), 200, "Find a person")
	says("nowhere", step("person", mariaID, "role", "helpdesk", "kind", "locations", "step", "when"), 422, "tick at least one")
	says("when", step("person", mariaID, "role", "helpdesk", "kind", "locations", "in", berlin, "in", madrid, "step", "when"), 200, "4. Until when, and why?", "Berlin and Madrid")
	chosen := []string{"person", mariaID, "role", "helpdesk", "kind", "locations", "in", berlin}
	says("a shortcut", step(append(chosen, "quick", "week")...), 200, "T18:00")
	says("the past", step(append(chosen, "until", "2020-01-01T10:00", "reason", "ticket 7", "step", "review")...), 422, "This time has passed already", "ticket 7", "2020-01-01T10:00")
	says("no time", step(append(chosen, "until", "soon", "step", "review")...), 422, "This is no date and time.")
	end := time.Now().Add(72 * time.Hour).Format("2006-01-02T15:04")
	review := says("review", step(append(chosen, "until", end, "reason", "ticket 7", "step", "review")...), 200, "Maria Rossi is Helpdesk for Berlin until", "Make Maria Rossi Helpdesk", "Nothing has been granted yet.")
	if len(b.grants("")) != 0 {
		t.Error("it was granted before the last step")
	}
	if fieldOf(t, review.body, "until") != end {
		t.Error("the end was not kept")
	}
	done := says("the grant", step(append(chosen, "until", end, "reason", "ticket 7", "step", "apply")...), 200, "Maria Rossi is Helpdesk for Berlin until", "Ends soon", "ticket 7", "Undo")
	if done.at != "/access" {
		t.Errorf("it ended at %s", done.at)
	}
	says("of a person", b.get("/access?to="+url.QueryEscape(mariaID)), 200, "What Maria Rossi may do", "Maria Rossi is Helpdesk")
	says("to a person", b.get("/access?on="+url.QueryEscape(r.known(t, greta))), 200, "Who may do what for Greta Holm", "Change their settings and queues", "PORTAL_ADMINS")
	says("nobody", b.get("/access?on=nobody"), 404)

	id := b.grants("")[0]["id"].(string)
	says("extend", b.get("/access/"+id+"/extend"), 200, "Set this end")
	says("extend to the past", b.sendForm("/access/"+id+"/extend", "_for", tag, "until", "2020-01-01T10:00"), 422, "This time has passed already")
	says("extend for good", b.sendForm("/access/"+id+"/extend", "_for", tag, "until", ""), 200, "Maria Rossi is Helpdesk for Berlin.")
	says("revoke", b.get("/access/"+id+"/revoke"), 200, "Revoke Helpdesk from Maria Rossi", "Change their settings and queues")
	gone := says("revoked", b.sendForm("/access/"+id+"/revoke", "_for", tag, "reason", "left"), 200, "Maria Rossi is no longer Helpdesk")
	if len(b.grants("")) != 0 {
		t.Error("it is still granted")
	}
	undo := regexp.MustCompile(`action="(/access/undo/[^"]+)"`).FindStringSubmatch(gone.body)
	if undo == nil {
		t.Fatal("there is no Undo")
	}
	says("undone", b.sendForm(undo[1], "_for", tag), 200, "Maria Rossi is Helpdesk for Berlin.")
	says("a form of somebody else", b.sendForm("/access/"+id+"/revoke", "_for", "other"), 412)
}

func TestPolicyAndPreviewWithoutJavaScript(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	r := w.replicas[0]
	gretaID := r.known(t, greta)
	b := w.signIn(t, ines)
	page := b.get("/policy?preview=greta").wants(t, http.StatusOK)
	tag, etag := fieldOf(t, page.body, "_for"), fieldOf(t, page.body, "_etag")
	send := func(step string, pairs ...string) answer {
		return b.sendForm("/policy", append([]string{"_for", tag, "_etag", etag, "location", "", "step", step}, pairs...)...)
	}
	change := []string{"level:doNotDisturb:user", "read", "level:callWaiting:user", "hidden", "level:phones:user", "hidden", "contact", "IT, ext. 1000", "reasonRequired", "helpdesk"}
	if a := send("review"); !strings.Contains(a.body, "Nothing to save") && a.at != "/policy" {
		t.Errorf("nothing changed: %d %s", a.status, a.body)
	}
	if a := send("review", "contact", strings.Repeat("x", 300)); a.status != 422 || !strings.Contains(a.body, "At most 200 characters") {
		t.Errorf("a contact without end: %d", a.status)
	}
	review := send("review", change...).wants(t, 200)
	for _, want := range []string{"Call waiting for Everybody", "Changeable", "Hidden", "IT, ext. 1000", "This concerns", "required"} {
		if !strings.Contains(review.body, want) {
			t.Errorf("the review does not say %q", want)
		}
	}
	done := send("apply", append(change, "why", "audit")...).wants(t, 200)
	if !strings.Contains(done.body, "The policy was changed.") || !strings.Contains(done.body, "/policy/undo/") {
		t.Errorf("after the change: %s", done.body)
	}
	if stale := send("apply", "contact", "me"); stale.status != http.StatusPreconditionFailed || !strings.Contains(stale.body, "Somebody changed the policy") {
		t.Errorf("from a state before: %d", stale.status)
	}

	person := "/people/" + url.PathEscape(gretaID)
	home := b.sendForm(person+"/preview", "preview", "true")
	if home.at != person || !strings.Contains(home.body, "You see the portal as Greta Holm sees it") {
		t.Fatalf("the preview is at %s: %d", home.at, home.status)
	}
	if strings.Contains(home.body, person+"/phones") || strings.Contains(home.body, `href="/access"`) {
		t.Error("the navigation shows more than she sees")
	}
	calls := b.get(person+"/calls?js=0").wants(t, 200)
	if strings.Contains(calls.body, `data-card="callWaiting"`) || !strings.Contains(calls.body, "IT, ext. 1000") {
		t.Error("the page Calls shows something else than she sees")
	}
	for path, pairs := range map[string][]string{
		"/calls/doNotDisturb": {"_card", "doNotDisturb", "_fields", "enabled", "enabled", "true"}, "/calls/callForwarding": {"_card", "always"}, "/queues": {"joined", "false"},
	} {
		if a := b.sendForm(person+path, pairs...); a.status != http.StatusConflict {
			t.Errorf("%s in a preview: %d", path, a.status)
		}
	}
	if w.setting(t, greta, "doNotDisturb")["enabled"] != false {
		t.Error("something was written in a preview")
	}
	if end := b.sendForm(person+"/stop", "preview", "true"); end.at != "/policy" {
		t.Errorf("it ended at %s", end.at)
	}
	log := b.get("/log").wants(t, 200).body
	if strings.Contains(log, ": refused<") || !strings.Contains(log, "Looked at the portal as Greta Holm sees it") {
		t.Errorf("the log tells the preview as %s", log)
	}
	helper := w.signIn(t, maria)
	b.grant(maria, "helpdesk", `{"organization":true}`)
	time.Sleep(1100 * time.Millisecond)
	if a := helper.sendForm(person+"/preview", "preview", "true"); a.status != http.StatusForbidden {
		t.Errorf("a helper sees a preview: %d", a.status)
	}
}
