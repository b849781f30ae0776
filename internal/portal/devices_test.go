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
	"github.com/google/go-cmp/cmp"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/redisdb/redistest"
	"patchbay/internal/selfservice"
	"patchbay/internal/webexsim"
)

const (
	pathCode       = "/devices/activationCode"
	pathDevice     = "/devices/{deviceId}"
	pathMembers    = "/telephony/config/devices/{deviceId}/members"
	pathApply      = "/telephony/config/devices/{deviceId}/actions/applyChanges/invoke"
	deskPhone      = `{"model":"DMS Cisco 9851"}`
	nils           = "nils.dahl@patchbay.example"
	lena           = "lena.braun@patchbay.example"
	anyOldDeviceID = "Y2lzY29zcGFyazovL3VybjpURUFNOnVzLWVhc3QtMV9pbnQxMy9ERVZJQ0UvMDAwMDAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDAw"
)

// admin is ines as the services see her.
func (w *world) admin(t *testing.T) access.Caller {
	t.Helper()
	p := w.sim.MustPerson(ines)
	c, err := w.replicas[0].Settings.Access.Caller(t.Context(), p.ID, p.DisplayName, ines)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// give grants a role in the name of ines.
func (w *world) give(t *testing.T, who string, role access.Role, scope access.Scope) {
	t.Helper()
	r := w.replicas[0]
	if err := r.Directory.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	wish := access.Grant{To: access.Grantee{Person: who}, Role: role, Scope: scope, Reason: "test"}
	if _, err := r.Settings.Access.Create(t.Context(), w.admin(t), wish); err != nil {
		t.Fatal(err)
	}
	r.clock.pass(2 * time.Second) // until every replica knows it
}

func (w *world) location(who string) access.Scope {
	return access.Scope{Locations: []string{w.sim.MustPerson(who).LocationID}}
}

// of is the API's or the pages' address of what belongs to somebody.
func (w *world) of(prefix, who, rest string) string {
	return prefix + "/people/" + url.PathEscape(w.sim.MustPerson(who).ID) + rest
}

// phones are the devices of somebody, as an administrator reads them.
func (w *world) phones(t *testing.T, b *browser, who string) []map[string]any {
	t.Helper()
	return b.list(t, w.of("/api", who, "/devices"))
}

// phone is the address of somebody's first phone.
func (w *world) phone(t *testing.T, b *browser, prefix, who string) string {
	t.Helper()
	path := "/devices/"
	if prefix == "" {
		path = "/phones/"
	}
	return w.of(prefix, who, path+url.PathEscape(w.phones(t, b, who)[0]["id"].(string)))
}

// log searches the log as ines.
func (w *world) log(t *testing.T, setting string) []audit.Entry {
	t.Helper()
	page, err := w.replicas[0].Settings.SearchLog(t.Context(), w.admin(t), selfservice.LogQuery{Filter: audit.Filter{Setting: setting}}, "", 50)
	records := page.Records
	if err != nil {
		t.Fatal(err)
	}
	var list []audit.Entry
	for _, r := range records {
		list = append(list, r.Entry)
	}
	return list
}

// phoneActs does everything that can be done to a phone, and gives the statuses:
// code, read labels, write labels, restart, remove.
func (w *world) phoneActs(b *browser, who, phone string) [5]int {
	return [5]int{
		b.json(http.MethodPost, w.of("/api", who, "/devices/activation-code"), deskPhone).status, b.get(phone + "/lines").status,
		b.put(phone+"/lines", `[{"port":1,"label":"Front desk"}]`).status, b.json(http.MethodPost, phone+"/apply", "").status,
		b.json(http.MethodDelete, phone, "").status,
	}
}

func TestWhoManagesPhones(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	boss := w.signIn(t, omar)
	phone := w.phone(t, boss, "/api", greta)
	w.give(t, ben, access.Helpdesk, w.location(greta))
	w.give(t, tom, access.Helpdesk, w.location(tom))
	w.give(t, ana, access.Lead, access.Scope{Organization: true})
	w.give(t, hana, access.Auditor, access.Scope{Organization: true})
	tests := map[string]struct {
		who, subject string
		want         [5]int
	}{
		"a user for somebody else":         {maria, greta, [5]int{403, 403, 403, 403, 403}},
		"a user for themselves":            {greta, greta, [5]int{403, 403, 403, 403, 403}},
		"a lead":                           {ana, greta, [5]int{403, 403, 403, 403, 403}},
		"an auditor":                       {hana, greta, [5]int{403, 200, 403, 403, 403}},
		"helpdesk of another location":     {tom, greta, [5]int{404, 404, 404, 404, 404}},
		"helpdesk for themselves":          {ben, ben, [5]int{403, 200, 403, 403, 403}},
		"an administrator for themselves":  {ines, ines, [5]int{403, 200, 403, 403, 403}},
		"helpdesk, and it is their people": {ben, maria, [5]int{201, 200, 200, 204, 204}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { // one after the other: they share a log
			own := phone
			if test.subject != greta {
				own = w.phone(t, boss, "/api", test.subject)
			}
			before := len(w.log(t, "refused"))
			if got := w.phoneActs(w.signIn(t, test.who), test.subject, own); got != test.want {
				t.Errorf("code, read, label, restart, remove: %v, want %v", got, test.want)
			}
			refused := 0
			for _, status := range test.want {
				if status >= 400 {
					refused++
				}
			}
			if got := len(w.log(t, "refused")) - before; got != refused {
				t.Errorf("%d refusals are in the log, want %d", got, refused)
			}
		})
	}
	if n := len(w.phones(t, boss, greta)); n != 2 {
		t.Errorf("greta has %d phones", n)
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		for _, template := range []string{pathCode, pathDevice, pathMembers, pathApply} {
			if n := len(w.sent(method, template)); n > 1 {
				t.Errorf("%s %s was sent %d times: once is allowed", method, template, n)
			}
		}
	}
	for _, e := range w.log(t, "devices") {
		if e.Actor.Name != "Ben Fischer" || e.Role != "helpdesk" || e.Subject.Name != "Maria Rossi" || e.Outcome != audit.Done || e.Object.Kind != "device" || e.Object.Name == "" {
			t.Errorf("the log has %+v", e)
		}
	}
	if n := len(w.log(t, "devices")); n != 4 {
		t.Errorf("the log has %d entries", n)
	}
}

func TestThePolicyLocksPhones(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	boss := w.signIn(t, omar)
	w.give(t, ben, access.Helpdesk, w.location(greta))
	phone, page := w.phone(t, boss, "/api", greta), w.of("", greta, "/phones")
	policy := access.Policy{Default: access.SettingLevels{"phones": {access.Helpdesk: access.Read}}, Contact: "the phone team"}
	if _, _, err := w.replicas[0].Settings.Access.SetPolicy(t.Context(), w.admin(t), &policy, access.PolicyOptions{Options: access.Options{Reason: "test"}}); err != nil {
		t.Fatal(err)
	}
	w.replicas[0].clock.pass(2 * time.Second)
	b := w.signIn(t, ben)
	if got, want := w.phoneActs(b, greta, phone), [5]int{403, 200, 403, 403, 403}; got != want {
		t.Errorf("%v, want %v", got, want)
	}
	a := b.json(http.MethodDelete, phone, "")
	checkProblem(t, "DELETE", a, http.StatusForbidden)
	b.get(page)
	list := b.partial(w.of("", greta, "/cards/devices?page=phones"))
	for what, body := range map[string]string{"the API": a.body, "the page": list.body} {
		if !strings.Contains(body, "the phone team") {
			t.Errorf("%s does not say whom to ask: %s", what, body)
		}
	}
	if strings.Contains(list.body, "/remove") || strings.Contains(b.get(page).body, "card-newPhone") {
		t.Error("the page offers what is forbidden")
	}
}

func TestAPhoneOfSomebodyElseIsNotThere(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, omar)
	of := func(who string) string { return url.PathEscape(w.phones(t, b, who)[0]["id"].(string)) }
	b.get(w.of("", greta, "/phones"))
	for name, id := range map[string]string{"another person's": of(tom), "nobody's": anyOldDeviceID, "no id": "x"} {
		before := len(w.log(t, "refused"))
		phone := w.of("/api", greta, "/devices/"+id)
		for _, a := range []answer{
			b.get(phone + "/lines"), b.put(phone+"/lines", `[]`), b.json(http.MethodPost, phone+"/apply", ""), b.json(http.MethodDelete, phone, ""),
		} {
			checkProblem(t, name, a, http.StatusNotFound)
		}
		page := w.of("", greta, "/phones/"+id)
		b.get(page).wants(t, http.StatusNotFound)
		b.get(page+"/remove").wants(t, http.StatusNotFound)
		b.submit(page+"/remove").wants(t, http.StatusNotFound)
		b.submit(page+"/restart").wants(t, http.StatusNotFound)
		b.submit(page, "_fields", "lines.x.label").wants(t, http.StatusNotFound)
		want := 9
		if name == "no id" { // nothing that somebody could have
			want = 0
		}
		if n := len(w.log(t, "refused")) - before; n != want {
			t.Errorf("%s: %d refusals are in the log, want %d", name, n, want)
		}
	}
	// Nils has a line on the phone of Ines: it is seen with him, and managed with her.
	shared := ""
	for _, d := range w.phones(t, b, nils) {
		if d["shared"] == true {
			shared = w.of("/api", nils, "/devices/"+url.PathEscape(d["id"].(string)))
		}
	}
	a := b.json(http.MethodDelete, shared, "")
	checkProblem(t, "a shared phone", a, http.StatusConflict)
	if !strings.Contains(a.body, "Ines Keller") {
		t.Errorf("it is not said whose it is: %s", a.body)
	}
	b.get(w.of("", nils, "/phones"))
	if card := b.partial(w.of("", nils, "/cards/devices?page=phones")); !strings.Contains(html.UnescapeString(card.body), "belongs to Ines Keller") {
		t.Errorf("the card does not say whose it is: %s", card.body)
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		for _, template := range []string{pathDevice, pathMembers, pathApply} {
			if len(w.sent(method, template)) > 0 {
				t.Errorf("%s %s was sent", method, template)
			}
		}
	}
}

func TestLabelsOfLines(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, omar)
	lines := w.phone(t, b, "/api", ines) + "/lines"
	before := b.list(t, lines)
	if len(before) != 2 || before[0]["name"] != "Ines Keller" || before[1]["name"] != "Nils Dahl" || before[1]["port"] != 2.0 {
		t.Fatalf("the lines are %v", before)
	}
	etag := b.get(lines).header.Get("ETag")
	a := b.put(lines, `[{"port":2,"label":"  Purchasing "}]`, "If-Match", etag).wants(t, http.StatusOK)
	after := b.list(t, lines)
	want := slices.Clone(before)
	want[1] = map[string]any{}
	for k, v := range before[1] {
		want[1][k] = v
	}
	want[1]["label"] = "Purchasing"
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("the lines (-want +got):\n%s", diff)
	}
	// Everybody's other fields go back as they were.
	sent := w.sent(http.MethodPut, pathMembers)
	if len(sent) != 1 || !strings.Contains(sent[0].Body, `"allowCallDeclineEnabled":true`) || strings.Count(sent[0].Body, `"lineType"`) != 2 {
		t.Errorf("what was sent: %+v", sent)
	}
	b.put(lines, `[{"port":1,"label":"x"}]`, "If-Match", etag).wants(t, http.StatusPreconditionFailed)
	w.sim.ClearRequests()
	b.put(lines, `[{"port":2,"label":"Purchasing"}]`).wants(t, http.StatusOK)
	if n := len(w.sent(http.MethodPut, pathMembers)); n != 0 {
		t.Error("nothing new was sent")
	}
	for body, status := range map[string]int{
		`[{"port":1,"label":"` + strings.Repeat("ü", 63) + `"}]`: 200, `[{"port":1,"label":"` + strings.Repeat("ü", 64) + `"}]`: 422,
		`[{"port":1,"label":"two\nlines"}]`: 422, `[{"port":1,"label":7}]`: 422, `[{"port":1}]`: 422, `[{"port":9,"label":"x"}]`: 422,
		`[{"port":1,"label":"x"},{"port":1,"label":"y"}]`: 422, `[{"port":1,"label":"x","name":"y"}]`: 422, `[7]`: 422, `{}`: 400, `[`: 400, `[],"x":[]`: 400,
	} {
		if a := b.put(lines, body); a.status != status {
			t.Errorf("%s: %d, want %d: %s", body, a.status, status, a.body)
		} else if status == 422 && !strings.Contains(a.body, `"field":"lines`) {
			t.Errorf("%s: the field is not named: %s", body, a.body)
		}
	}
	if n := len(w.log(t, "devices")); n != 2 {
		t.Errorf("the log has %d entries, want 2", n)
	}
	undo := "/api/history/" + a.header.Get("Audit-Id") + "/undo"
	w.signIn(t, maria).json(http.MethodPost, undo, "").wants(t, http.StatusNotFound)
	w.signIn(t, ines).json(http.MethodPost, undo, "").wants(t, http.StatusForbidden) // her own phone
	b.json(http.MethodPost, undo, "").wants(t, http.StatusOK)
	if got := b.list(t, lines)[1]["label"]; got != "" {
		t.Errorf("after the undo the label is %q", got)
	}
	b.json(http.MethodPost, undo, "").wants(t, http.StatusConflict)
	e := w.log(t, "devices")[2]
	if e.Undoes != "" || e.UndoneBy == "" || e.Object.Name == "" || !strings.Contains(string(e.After), `"name":"Nils Dahl"`) {
		t.Errorf("the log has %+v", e)
	}
}

func TestAnUndoOfALabelThatWasChangedSince(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, omar)
	lines := w.phone(t, b, "/api", greta) + "/lines"
	first := b.put(lines, `[{"port":1,"label":"One"}]`).header.Get("Audit-Id")
	b.put(lines, `[{"port":1,"label":"Two"}]`).wants(t, http.StatusOK)
	b.json(http.MethodPost, "/api/history/"+first+"/undo", "").wants(t, http.StatusPreconditionFailed)
	if got := b.list(t, lines)[0]["label"]; got != "Two" {
		t.Errorf("the label is %q", got)
	}
	b.json(http.MethodDelete, strings.TrimSuffix(lines, "/lines"), "").wants(t, http.StatusNoContent)
	b.json(http.MethodPost, "/api/history/"+first+"/undo", "").wants(t, http.StatusNotFound) // the phone is gone
}

var shownCode = regexp.MustCompile(`<code id="card-newPhone-code">([0-9 ]+)</code>`)

func TestACodeIsShownOnceAndKeptNowhere(t *testing.T) {
	t.Parallel()
	address, _ := redistest.Start(t)
	w := start(t, setup{redis: address})
	dump := dumper(t, address)
	b := w.signIn(t, omar)
	page := w.of("", lena, "/phones")
	form := func() filled {
		b.get(page)
		return b.partial(w.of("", lena, "/cards/newPhone?page=phones")).form(t, w.of("", lena, "/activation-code"), "DMS Cisco 9851")
	}
	var codes []string
	var answers []answer
	for _, htmx := range []bool{true, false} {
		a := b.post(form().with("model", "DMS Cisco 9851"), htmx).wants(t, http.StatusOK)
		m := shownCode.FindStringSubmatch(a.body)
		if m == nil || !regexp.MustCompile(`^(\d{4} ){3}\d{4}$`).MatchString(m[1]) {
			t.Fatalf("no code in groups in the answer:\n%s", a.body)
		}
		if !strings.Contains(a.body, `role="img" aria-label="The activation code as a QR code"`) || !strings.Contains(a.body, `class="dark" d="M`) {
			t.Error("no QR code in the answer")
		}
		if !strings.Contains(a.body, "It can be used until ") || !strings.Contains(a.body, "time).") {
			t.Error("the answer does not say how long the code can be used")
		}
		if htmx == strings.Contains(a.body, "<html") {
			t.Errorf("htmx=%v got a page or a card of the wrong kind", htmx)
		}
		codes, answers = append(codes, strings.ReplaceAll(m[1], " ", "")), append(answers, a)
	}
	a := b.json(http.MethodPost, w.of("/api", lena, "/devices/activation-code"), deskPhone).wants(t, http.StatusCreated)
	v := a.object(t)
	codes, answers = append(codes, v["code"].(string)), append(answers, a)
	if end, err := time.Parse(time.RFC3339, v["expiresAt"].(string)); err != nil || time.Until(end) < time.Hour || a.header.Get("Audit-Id") == "" {
		t.Errorf("the answer is %v, %v", v, a.header)
	}
	for _, a := range answers {
		if got := a.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control is %q", got)
		}
	}
	entries := w.log(t, "devices")
	told, err := json.Marshal(entries)
	if err != nil || len(entries) != 3 {
		t.Fatal(len(entries), err)
	}
	if e := entries[0]; string(e.After) != `{"activationCode":"made","model":"DMS Cisco 9851"}` || e.Subject.Name != "Lena Braun" || e.Outcome != audit.Done {
		t.Errorf("the log has %+v", e)
	}
	later := []string{page, w.of("", lena, "/history"), w.of("", lena, "/cards/devices?page=phones"), w.of("", lena, "/cards/newPhone?page=phones"), w.of("/api", lena, "/history"), w.of("/api", lena, "/devices"), "/"}
	places := map[string]string{"the log of the portal": w.replicas[0].log.String(), "Redis": dump(), "the log of changes": string(told)}
	for _, path := range later {
		places[path] = b.get(path).body + b.partial(path).body
	}
	for _, code := range codes {
		for place, content := range places {
			if strings.Contains(strings.ReplaceAll(content, " ", ""), code) {
				t.Errorf("%s holds the code", place)
			}
		}
	}
	if !strings.Contains(places[w.of("", lena, "/history")], "Activation code made: Cisco 9851") || !strings.Contains(places[w.of("", lena, "/history")], "it ends by itself") {
		t.Errorf("the history does not tell: %s", places[w.of("", lena, "/history")])
	}
}

func TestACodeNeedsAModelThatHasCodes(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, omar)
	code := w.of("/api", lena, "/devices/activation-code")
	for body, status := range map[string]int{
		`{"model":"DMS Cisco DBS110"}`: 422, `{"model":"nonsense"}`: 422, `{"model":7}`: 422, `{"other":1}`: 422, `{`: 400, `{}`: 201,
	} {
		b.json(http.MethodPost, code, body).wants(t, status)
	}
	b.get(w.of("", lena, "/phones"))
	a := b.submit(w.of("", lena, "/activation-code"), "model", "").wants(t, http.StatusUnprocessableEntity)
	if !strings.Contains(a.body, "Choose the model") || !strings.Contains(a.body, `aria-invalid="true"`) {
		t.Errorf("the form does not say what is wrong: %s", a.body)
	}
	if n := len(w.sent(http.MethodPost, pathCode)); n != 1 {
		t.Errorf("%d codes were asked for", n)
	}
	for range 4 {
		b.json(http.MethodPost, code, deskPhone).wants(t, http.StatusCreated)
	}
	a = b.json(http.MethodPost, code, deskPhone)
	checkProblem(t, "a sixth", a, http.StatusConflict)
	if !strings.Contains(a.body, "as many phones as Webex allows") {
		t.Errorf("not said why: %s", a.body)
	}
}

func TestPhonesAreRestartedAndRemovedAfterAReview(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, omar)
	phone := w.phone(t, b, "", greta)
	b.get(w.of("", greta, "/phones"))
	review := b.get(phone+"/restart").wants(t, http.StatusOK)
	if !strings.Contains(review.body, "calls on it end") || len(w.sent(http.MethodPost, pathApply)) != 0 {
		t.Errorf("the review: %s", review.body)
	}
	done := b.post(review.form(t, phone+"/restart", "Restart phone"), false).wants(t, http.StatusOK)
	if done.at != w.of("", greta, "/phones") || !strings.Contains(done.body, "is restarting") || len(w.sent(http.MethodPost, pathApply)) != 1 {
		t.Errorf("restarting ended at %s", done.at)
	}
	review = b.get(phone+"/remove").wants(t, http.StatusOK)
	if !strings.Contains(review.body, "Remove Cisco Desk Phone 9851") || !strings.Contains(review.body, "cannot be undone") || len(w.sent(http.MethodDelete, pathDevice)) != 0 {
		t.Errorf("the review: %s", review.body)
	}
	done = b.post(review.form(t, phone+"/remove", "Remove phone"), false).wants(t, http.StatusOK)
	if done.at != w.of("", greta, "/phones") || !strings.Contains(done.body, "was removed") {
		t.Errorf("removing ended at %s", done.at)
	}
	if list := w.phones(t, b, greta); len(list) != 1 {
		t.Errorf("greta has %v", list)
	}
	history := b.get(w.of("", greta, "/history")).body
	for _, words := range []string{"Cisco Desk Phone 9851 (", "): removed", "): restarted", "set up again with a new activation code", "A restart cannot be undone"} {
		if !strings.Contains(history, words) {
			t.Errorf("the history does not say %q", words)
		}
	}
}

func TestLabelsAreSavedByTheForm(t *testing.T) {
	t.Parallel()
	for _, htmx := range []bool{true, false} {
		t.Run(fmt.Sprintf("JavaScript: %v", htmx), func(t *testing.T) {
			t.Parallel()
			w := start(t, setup{})
			b := w.signIn(t, omar)
			phone := w.phone(t, b, "", greta)
			shell := b.get(phone).wants(t, http.StatusOK)
			card := html.UnescapeString(regexp.MustCompile(`hx-get="([^"]+)" hx-trigger="load, `).FindStringSubmatch(shell.body)[1])
			f := b.partial(card).wants(t, http.StatusOK).form(t, phone, "Save")
			path := f.values.Get("_fields")
			a := b.post(f.with(path, strings.Repeat("x", 64)), htmx).wants(t, http.StatusUnprocessableEntity)
			if !strings.Contains(a.body, "at most 63 characters") || !strings.Contains(a.body, strings.Repeat("x", 64)) {
				t.Errorf("what was typed is lost, or not said why: %s", a.body)
			}
			if htmx == strings.Contains(a.body, "<html") {
				t.Error("a page or a card of the wrong kind")
			}
			a = b.post(f.with(path, "Front desk"), htmx).wants(t, http.StatusOK)
			if !strings.Contains(a.body, "Saved") {
				t.Errorf("not said that it is saved: %s", a.body)
			}
			lines := strings.Replace(strings.Replace(phone, "/people/", "/api/people/", 1), "/phones/", "/devices/", 1) + "/lines"
			if got := b.list(t, lines)[0]["label"]; got != "Front desk" {
				t.Errorf("the label is %q", got)
			}
			undone := b.post(a.form(t, w.of("", greta, "/history/"), "Undo"), htmx).wants(t, http.StatusOK)
			if got := b.list(t, lines)[0]["label"]; got != "" {
				t.Errorf("after the undo the label is %q: %s", got, undone.body)
			}
			if htmx && (!strings.Contains(undone.body, "Undone") || !strings.Contains(undone.body, `id="card-lines"`)) {
				t.Errorf("the undo answers %s", undone.body)
			}
		})
	}
}

// What was done without an answer is done: reading tells.
func TestADeedAtAPhoneWithoutAnAnswerIsSettled(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, omar)
	phone, code := w.phone(t, b, "/api", greta), w.of("/api", greta, "/devices/activation-code")
	w.sim.SetFault(webexsim.Fault{Kind: webexsim.FaultApplyFail, Status: 502, Method: http.MethodPut})
	b.put(phone+"/lines", `[{"port":1,"label":"Front desk"}]`).wants(t, http.StatusOK)
	w.sim.ClearFaults()

	for _, method := range []string{http.MethodPost, http.MethodDelete} {
		w.sim.SetFault(webexsim.Fault{ID: method, Kind: webexsim.FaultApplyFail, Status: 502, Method: method})
	}
	// A code that nobody has seen is of no use, and its record says that it was made.
	a := b.json(http.MethodPost, code, deskPhone)
	checkProblem(t, "the code", a, http.StatusGatewayTimeout)
	if !strings.Contains(a.body, "nobody has seen it") {
		t.Errorf("it is not said what became of the code: %s", a.body)
	}
	// Nothing tells about a restart.
	checkProblem(t, "the restart", b.json(http.MethodPost, phone+"/apply", ""), http.StatusGatewayTimeout)
	b.json(http.MethodDelete, phone, "").wants(t, http.StatusNoContent)
	w.sim.ClearFaults()
	outcomes := func() (list []audit.Outcome) {
		for _, e := range w.log(t, "devices") {
			list = append(list, e.Outcome)
		}
		return list
	}
	if got, want := outcomes(), []audit.Outcome{audit.Done, audit.Pending, audit.Done, audit.Done}; !slices.Equal(got, want) {
		t.Errorf("removal, restart, code, labels: %v, want %v", got, want)
	}

	// A removal whose reading fails too is settled later.
	second := w.phone(t, b, "/api", maria)
	w.sim.SetFault(webexsim.Fault{ID: "write", Method: http.MethodDelete, Kind: webexsim.FaultApplyFail, Status: 502, Delay: 300 * time.Millisecond})
	go func() {
		for len(w.sent(http.MethodDelete, pathDevice)) < 2 {
			time.Sleep(time.Millisecond)
		}
		w.sim.SetFault(webexsim.Fault{ID: "read", Method: http.MethodGet, Path: pathDevices, Kind: webexsim.FaultStatus, Status: 500})
	}()
	checkProblem(t, "the removal", b.json(http.MethodDelete, second, ""), http.StatusGatewayTimeout)
	w.sim.ClearFaults()
	w.replicas[0].clock.pass(2 * time.Minute)
	if err := w.replicas[0].Settings.SettlePending(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := outcomes(), []audit.Outcome{audit.Done, audit.Done, audit.Unknown, audit.Done, audit.Done}; !slices.Equal(got, want) {
		t.Errorf("later: %v, want %v", got, want)
	}
}

func TestWebexRefusesWhatIsDoneToPhones(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, omar)
	phone, page := w.phone(t, b, "/api", greta), w.phone(t, b, "", greta)
	b.get(w.of("", greta, "/phones"))
	for _, trouble := range [][2]int{{400, 409}, {403, 403}, {404, 404}, {409, 409}, {500, 502}} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
			f := status(trouble[0], 0)
			f.ID, f.Method, f.Body = method, method, `{"message":"`+canary+`"}`
			w.sim.SetFault(f)
		}
		want := trouble[1]
		for what, a := range map[string]answer{
			"labels":  b.put(phone+"/lines", `[{"port":1,"label":"Front desk"}]`),
			"removal": b.json(http.MethodDelete, phone, ""),
		} {
			checkProblem(t, fmt.Sprint(what, ", ", trouble), a, want)
		}
		unknown := want // whether a code was made or a phone restarted cannot be read
		if trouble[0] == 500 {
			unknown = 504
		}
		checkProblem(t, fmt.Sprint("code, ", trouble), b.json(http.MethodPost, w.of("/api", greta, "/devices/activation-code"), deskPhone), unknown)
		checkProblem(t, fmt.Sprint("restart, ", trouble), b.json(http.MethodPost, phone+"/apply", ""), unknown)
		review := b.post(b.get(page+"/remove").form(t, page+"/remove", "Remove phone"), false).wants(t, want)
		if !strings.Contains(review.body, "Remove Cisco Desk Phone 9851") || strings.Contains(review.body, canary) {
			t.Errorf("%v: the page after the refusal: %s", trouble, review.body)
		}
		form := b.submit(w.of("", greta, "/activation-code"), "model", "DMS Cisco 9851").wants(t, unknown)
		if !strings.Contains(form.body, "No activation code was made") && unknown != 504 || shownCode.MatchString(form.body) || strings.Contains(form.body, canary) {
			t.Errorf("%v: the card after the refusal: %s", trouble, form.body)
		}
		w.sim.ClearFaults()
	}
	if n := len(w.phones(t, b, greta)); n != 2 {
		t.Errorf("greta has %d phones", n)
	}
	if got := b.list(t, phone+"/lines")[0]["label"]; got != "" {
		t.Errorf("the label is %q", got)
	}
}

// A device with RoomOS has no lines and can be removed.
func TestADeviceWithRoomOS(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, omar)
	list := w.phones(t, b, zoe)
	i := slices.IndexFunc(list, func(d map[string]any) bool { return d["type"] == "roomdesk" })
	room := w.of("/api", zoe, "/devices/"+url.PathEscape(list[i]["id"].(string)))
	checkProblem(t, "lines", b.get(room+"/lines"), http.StatusNotFound)
	checkProblem(t, "restart", b.json(http.MethodPost, room+"/apply", ""), http.StatusConflict)
	b.get(w.of("", zoe, "/phones"))
	card := b.partial(w.of("", zoe, "/cards/devices?page=phones")).body
	if strings.Count(card, "/remove\"") != 2 || strings.Count(card, "/restart\"") != 1 {
		t.Errorf("the card offers: %s", card)
	}
	b.json(http.MethodDelete, room, "").wants(t, http.StatusNoContent)
}

// One's own page of phones is as it was.
func TestOwnPhonesAreNotManaged(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, ines)
	page, cards := b.view("/phones")
	own := page.body
	for _, a := range cards {
		own += a.body
	}
	if !strings.Contains(own, "My phones") || strings.Contains(own, "card-newPhone") || strings.Contains(own, "/remove") {
		t.Errorf("the page of one's own phones: %s", own)
	}
}

func TestAnswersAboutPhonesFitTheirDescription(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	doc := w.replicas[0].browser(t).description(t)
	doc.Servers = nil
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	b := w.signIn(t, omar)
	phone, code := w.phone(t, b, "/api", greta), w.of("/api", greta, "/devices/activation-code")
	other := w.of("/api", greta, "/devices/"+anyOldDeviceID)
	hold := func(wrong bool) *browser {
		held, client := *b, *b.client
		client.Transport = &checked{t: t, router: router, next: b.client.Transport, seen: &seen{}, wrong: wrong}
		held.client = &client
		return &held
	}
	good, bad := hold(false), hold(true)
	good.json(http.MethodPost, code, deskPhone).wants(t, http.StatusCreated)
	good.json(http.MethodPost, code, `{}`).wants(t, http.StatusCreated)
	bad.json(http.MethodPost, code, `{"model":7}`).wants(t, http.StatusUnprocessableEntity)
	bad.json(http.MethodPost, code, `{`).wants(t, http.StatusBadRequest)
	good.get(phone+"/lines").wants(t, http.StatusOK)
	good.put(phone+"/lines?reason=because", `[{"port":1,"label":"Front desk"}]`).wants(t, http.StatusOK)
	good.put(phone+"/lines", `[{"port":1,"label":"x"}]`, "If-Match", `"other"`).wants(t, http.StatusPreconditionFailed)
	bad.put(phone+"/lines", `{}`).wants(t, http.StatusBadRequest)
	bad.put(phone+"/lines", `[7]`).wants(t, http.StatusUnprocessableEntity)
	good.get(other+"/lines").wants(t, http.StatusNotFound)
	good.json(http.MethodPost, phone+"/apply", "").wants(t, http.StatusNoContent)
	good.json(http.MethodDelete, other, "").wants(t, http.StatusNotFound)
	good.json(http.MethodDelete, phone, "").wants(t, http.StatusNoContent)
}
