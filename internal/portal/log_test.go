package portal_test

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/google/go-cmp/cmp"

	"patchbay/internal/access"
	"patchbay/internal/redisdb/redistest"
	"patchbay/internal/selfservice"
	"patchbay/internal/webexsim"
)

// entry is a record as GET /api/log tells it.
type entry struct {
	ID, Role, Setting, Reason, Outcome, TrackingID, RequestID, Address, Undoes, UndoneBy string

	At            time.Time
	Actor         struct{ ID, Name string }
	Subject       *struct{ ID, Name string }
	Object        *struct{ Kind, ID, Name string }
	Before, After json.RawMessage
	Undoable      bool
}

// String is the entry in one line: who as what, for whom, what, how it ended.
func (e entry) String() string {
	who, subject, object := e.Actor.Name, "", ""
	if e.Role != "" {
		who += " as " + e.Role
	}
	if e.Subject != nil {
		subject = " for " + e.Subject.Name
	}
	if e.Setting == "refused" {
		object = " " + e.Object.ID
	}
	return fmt.Sprintf("%s%s: %s%s, %s", who, subject, e.Setting, object, e.Outcome)
}

// searched is the log as the API gives it for these criteria, all pages of it.
func (b *browser) searched(t testing.TB, pairs ...string) (list []entry) {
	t.Helper()
	for cursor := ""; ; {
		q := form(append(pairs, "cursor", cursor)...)
		var page struct {
			Items []entry
			Next  string
		}
		if err := json.Unmarshal([]byte(b.get("/api/log?"+q).wants(t, http.StatusOK).body), &page); err != nil {
			t.Fatal(err)
		}
		list = append(list, page.Items...)
		if cursor = page.Next; cursor == "" {
			return list
		}
	}
}

func linesOf(list []entry) (lines []string) {
	for _, e := range list {
		lines = append(lines, e.String())
	}
	return lines
}

// caller is what somebody may do, as the first replica has it.
func (w *world) caller(t testing.TB, email string) access.Caller {
	t.Helper()
	p := w.sim.MustPerson(email)
	c, err := w.replicas[0].Settings.Access.Caller(t.Context(), p.ID, p.DisplayName, email)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// grant gives somebody a role, as ines.
func (w *world) grant(t testing.TB, to string, role access.Role, scope access.Scope) access.Made {
	t.Helper()
	w.knows(t)
	made, err := w.replicas[0].Settings.Access.Create(t.Context(), w.caller(t, ines), access.Grant{To: access.Grantee{Person: to}, Role: role, Scope: scope, Reason: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// knows waits until every replica has read the organization.
func (w *world) knows(t testing.TB) {
	t.Helper()
	for _, r := range w.replicas {
		for deadline := time.Now().Add(20 * time.Second); r.Directory.State().People == 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the directory is still empty")
			}
		}
	}
}

func (w *world) at(t testing.TB, email string) access.Scope {
	t.Helper()
	w.knows(t)
	p, ok := w.replicas[0].Directory.ByEmail(email)
	if !ok {
		t.Fatalf("%s is not in the directory", email)
	}
	return access.Scope{Locations: []string{p.LocationID}}
}

// person is the path of somebody's pages or API.
func (w *world) person(prefix, email string) string {
	return prefix + "/people/" + url.PathEscape(w.sim.MustPerson(email).ID)
}

// TestTheLogTellsTheWholeStory goes through every door there is and finds each step in
// the log, by the API and on the page, and no secret.
func TestTheLogTellsTheWholeStory(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	admin := w.signIn(t, ines)
	grant := w.grant(t, ben, access.Helpdesk, w.at(t, greta))
	helper, own := w.signIn(t, ben), w.signIn(t, greta)
	w.replicas[0].browser(t).get("/authenticate?login_hint=noah.quinn@patchbay.example") // no calling user

	page := helper.get(w.person("", greta)+"/calls").wants(t, http.StatusOK)
	if !strings.Contains(page.body, "They will see it in their history") {
		t.Error("the helper is not told that they are seen")
	}
	f := helper.partial(w.person("", greta)+"/cards/doNotDisturb").form(t, w.person("", greta)+"/calls/doNotDisturb", `name="_fields" value="enabled"`)
	helper.post(f.with("enabled", "true"), true).wants(t, http.StatusOK)
	changed := helper.put(w.person("/api", greta)+"/settings/callWaiting?reason=ticket+48213", `{"enabled":false}`).wants(t, http.StatusOK).header.Get("Audit-Id")
	own.json(http.MethodPost, "/api/history/"+changed+"/undo", "").wants(t, http.StatusOK)
	refusal := status(400, 0)
	refusal.Method = http.MethodPut
	w.sim.SetFault(refusal)
	helper.put(w.person("/api", greta)+"/settings/callWaiting", `{"enabled":false}`).wants(t, http.StatusConflict)
	w.sim.ClearFaults()
	own.put(w.queueAPI(t, "Service Berlin"), `{"joined":false}`).wants(t, http.StatusOK)
	own.get("/log").wants(t, http.StatusForbidden)
	helper.get(w.person("/api", zoe)+"/settings").wants(t, http.StatusNotFound) // not in Berlin
	if _, _, err := w.replicas[0].Settings.Access.SetPolicy(t.Context(), w.caller(t, ines), &access.Policy{Contact: "ext. 1000"}, access.PolicyOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.replicas[0].Settings.SetMinimum(t.Context(), w.caller(t, ines), w.queue(t, "Sales Hotline").ID, selfservice.Document{"minimum": json.Number("2")}, selfservice.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.replicas[0].Settings.RemoveAgent(t.Context(), w.caller(t, ines), w.queue(t, "Sales Hotline").ID, w.sim.MustPerson(greta).ID, selfservice.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	admin.json(http.MethodPost, "/api/history/"+grant.RecordID+"/undo", "").wants(t, http.StatusOK)
	csvText := admin.get("/log/export?format=csv").wants(t, http.StatusOK).body
	endAll := admin.get("/sessions?person="+ben).form(t, "/sessions/end", "")
	admin.post(endAll, false).wants(t, http.StatusOK)

	want := []string{
		"Ines Keller as administrator for Ben Fischer: sessions, done",
		"Ines Keller as administrator: export, done",
		"Ines Keller as administrator for Ben Fischer: grants, done", // the undo
		"Ines Keller as administrator for Greta Holm: queueAgents, done",
		"Ines Keller as administrator: cover, done",
		"Ines Keller as administrator: policy, done",
		"Ben Fischer as helpdesk for Zoe Chen: refused GET /api/people/{person}/settings, refused",
		"Greta Holm as user: refused GET /log, refused",
		"Greta Holm as user for Greta Holm: queues, done",
		"Ben Fischer as helpdesk for Greta Holm: callWaiting, refused",
		"Greta Holm as user for Greta Holm: callWaiting, done", // the undo
		"Ben Fischer as helpdesk for Greta Holm: callWaiting, done",
		"Ben Fischer as helpdesk for Greta Holm: doNotDisturb, done",
		"Ben Fischer as helpdesk for Greta Holm: acting, done",
		": signIn, refused",
		"Greta Holm: signIn, done",
		"Ben Fischer: signIn, done",
		"Ines Keller as administrator for Ben Fischer: grants, done",
		"Ines Keller: signIn, done",
	}
	log := admin.searched(t)
	if diff := cmp.Diff(want, linesOf(log)); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	for _, e := range log {
		fromOutside := e.Setting != "policy" && e.Setting != "cover" && e.Setting != "queueAgents" && (e.Setting != "grants" || e.Undoes != "")
		if fromOutside && (e.RequestID == "" || e.Address != "127.0.0.1") {
			t.Errorf("%s does not say where it came from: request %q, address %q", e, e.RequestID, e.Address)
		}
		if e.ID == changed && e.Reason != "ticket 48213" {
			t.Errorf("the reason of %s is %q", e, e.Reason)
		}
		if e.Outcome == "refused" && e.Setting == "callWaiting" && !strings.HasPrefix(e.TrackingID, "PATCHBAY_") {
			t.Errorf("Webex's tracking id of %s is %q", e, e.TrackingID)
		}
	}

	body := admin.get("/log").wants(t, http.StatusOK).body
	for _, words := range []string{
		"Ended a session:", "Exported the change log: 17 entries", "Undo: Revoked Helpdesk for Berlin from Ben Fischer", "Removed Greta Holm from Sales Hotline",
		"Minimum cover of Sales Hotline: changed", "Changed the policy", "Tried to open /api/people/{person}/settings: refused", "Tried to open /log: refused",
		"Left Service Berlin", "Started to help Greta Holm", "Do not disturb: turned on", "Ben Fischer, Helpdesk, for Greta Holm", "reason: ticket 48213",
		"Was not let in: no calling user of the organisation", "Granted Helpdesk for Berlin to Ben Fischer", "somebody not known", "tracking id</dt><dd>PATCHBAY_", "ext. 1000",
	} {
		if !strings.Contains(body, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	history := own.get("/history").wants(t, http.StatusOK).body
	for _, words := range []string{"Ben Fischer opened your pages", "Ben Fischer, Helpdesk", "Undo: Call waiting: turned on", "Removed Greta Holm from Sales Hotline", "by-other"} {
		if !strings.Contains(history, words) {
			t.Errorf("the history does not say %q", words)
		}
	}
	if strings.Contains(history, "Signed in") {
		t.Error("the history has sign-ins")
	}

	token, err := w.replicas[0].Tokens.AccessToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cred := w.sim.Credentials()
	address, err := url.Parse(admin.url)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{token, cred.ClientSecret, cred.ServiceAppRefreshToken, cred.ServiceAppClientSecret, secretKey, canary}
	for _, c := range append(admin.client.Jar.Cookies(address), own.client.Jar.Cookies(address)...) {
		if c.Name == "portal_session" {
			secrets = append(secrets, c.Value)
		}
	}
	if len(secrets) != 8 {
		t.Errorf("%d secrets are looked for", len(secrets))
	}
	jsonl := admin.send(request{method: http.MethodGet, path: "/api/log", header: http.Header{"Accept": {"application/jsonl"}}}).wants(t, http.StatusOK).body
	for what, text := range map[string]string{"the page": body, "the CSV": csvText, "the JSON Lines": jsonl, "the history": history} {
		for i, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s has secret %d", what, i)
			}
		}
	}
}

func TestTheLogIsSearched(t *testing.T) {
	t.Parallel()
	w := start(t, setup{env: map[string]string{"SESSION_IDLE": "100h", "SESSION_LIFETIME": "100h"}})
	b, own := w.signIn(t, ines), w.signIn(t, greta)
	w.knows(t)
	own.put(dndAPI, `{"enabled":true}`).wants(t, http.StatusOK)
	b.put(w.person("/api", greta)+"/settings/callWaiting", `{"enabled":false}`).wants(t, http.StatusOK)
	b.put(dndAPI, `{"enabled":true}`).wants(t, http.StatusOK)
	own.get("/health").wants(t, http.StatusForbidden)
	noon := time.Now()
	w.replicas[0].clock.pass(48 * time.Hour)
	b.put(w.person("/api", tom)+"/settings/callWaiting", `{"enabled":false}`).wants(t, http.StatusOK)

	const (
		gretaIn, inesIn           = "Greta Holm: signIn, done", "Ines Keller: signIn, done"
		gretaDND, gretaRefused    = "Greta Holm as user for Greta Holm: doNotDisturb, done", "Greta Holm as user: refused GET /health, refused"
		forGreta, inesDND, forTom = "Ines Keller as administrator for Greta Holm: callWaiting, done", "Ines Keller as user for Ines Keller: doNotDisturb, done", "Ines Keller as administrator for Tom Baker: callWaiting, done"
	)
	tests := map[string]struct{ query, want []string }{
		"a person, in any role":         {[]string{"person", greta}, []string{gretaRefused, forGreta, gretaDND, gretaIn}},
		"a person by the name":          {[]string{"person", "greta holm"}, []string{gretaRefused, forGreta, gretaDND, gretaIn}},
		"a person by id":                {[]string{"person", w.sim.MustPerson(tom).ID}, []string{forTom}},
		"who did it":                    {[]string{"actor", greta}, []string{gretaRefused, gretaDND, gretaIn}},
		"whom it concerned":             {[]string{"subject", greta}, []string{forGreta, gretaDND}},
		"a person, done by another":     {[]string{"person", greta, "actor", ines}, []string{forGreta}},
		"a setting":                     {[]string{"setting", "doNotDisturb"}, []string{inesDND, gretaDND}},
		"a kind":                        {[]string{"setting", "refused"}, []string{gretaRefused}},
		"an outcome":                    {[]string{"outcome", "refused"}, []string{gretaRefused}},
		"a person and an outcome":       {[]string{"person", greta, "outcome", "done", "setting", "callWaiting"}, []string{forGreta}},
		"since a time":                  {[]string{"from", noon.Add(time.Hour).UTC().Format(time.RFC3339)}, []string{forTom}},
		"until a time":                  {[]string{"to", noon.Add(time.Hour).UTC().Format(time.RFC3339), "setting", "signIn"}, []string{gretaIn, inesIn}},
		"by day, with the whole of it":  {[]string{"from", noon.UTC().AddDate(0, 0, -1).Format("2006-01-02"), "to", noon.UTC().AddDate(0, 0, 1).Format("2006-01-02"), "setting", "signIn"}, []string{gretaIn, inesIn}},
		"nothing fits":                  {[]string{"actor", tom}, nil},
		"somebody who is not there now": {[]string{"actor", "7b1dcdaf-b490-4313-a9c4-98022a5b4d00"}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, linesOf(b.searched(t, tt.query...))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			page := b.get("/log?"+form(tt.query...)).wants(t, http.StatusOK)
			if n := strings.Count(page.body, `class="entry-details"`); n != len(tt.want) {
				t.Errorf("the page shows %d entries, want %d", n, len(tt.want))
			}
		})
	}
	faults := map[string]struct{ field, value, words string }{
		"nobody":              {"person", "Nemo Nobody", "Nobody in the organisation fits this"},
		"several":             {"actor", "a", "Several people fit this"},
		"no kind":             {"setting", "weather", "The log has nothing of this kind"},
		"no outcome":          {"outcome", "maybe", "There is no such outcome"},
		"no time":             {"from", "yesterday", "This is not a day or a time"},
		"the end comes first": {"to", "2000-01-01", "The end is before the beginning"},
	}
	for name, tt := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := "?" + form("from", "2020-01-01", tt.field, tt.value)
			if tt.field == "from" {
				q = "?" + form(tt.field, tt.value)
			}
			a := b.get("/api/log" + q)
			if checkProblem(t, name, a, http.StatusUnprocessableEntity); !strings.Contains(a.body, tt.words) {
				t.Errorf("the API does not say %q: %s", tt.words, a.body)
			}
			checkProblem(t, name, b.send(request{method: http.MethodGet, path: "/api/log" + q, header: http.Header{"Accept": {"text/csv"}}}), http.StatusUnprocessableEntity)
			page := b.get("/log"+q).wants(t, http.StatusUnprocessableEntity)
			if tt.field != "setting" && tt.field != "outcome" && !strings.Contains(page.body, tt.words) {
				t.Errorf("the page does not say %q", tt.words)
			}
		})
	}
	checkProblem(t, "a cursor that is none", b.get("/api/log?cursor=x"), http.StatusBadRequest)
	if a := b.get("/log?person=a"); !strings.Contains(a.body, "person=ana.lopez%40patchbay.example") {
		t.Error("people whose name fits are not offered")
	}
}

// logRow finds the entries on a page of the log, olderLink the next page.
var (
	logRow    = regexp.MustCompile(`<li id="log-([0-9-]+)-row"`)
	olderLink = regexp.MustCompile(`<a class="btn" href="([^"]+)">Older entries</a>`)
)

// TestThePagesOfTheLogMeet: pages of a search by person, which reads two lists, have
// everything once.
func TestThePagesOfTheLogMeet(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, ines)
	w.knows(t)
	for i := range 40 { // one list grows, then the other, then both
		on := fmt.Sprintf(`{"enabled":%t}`, i%2 == 0)
		switch {
		case i < 15:
			b.put(w.person("/api", greta)+"/settings/doNotDisturb", on).wants(t, http.StatusOK)
		case i < 30:
			b.put(w.person("/api", tom)+"/settings/doNotDisturb", on).wants(t, http.StatusOK)
		default:
			b.put(dndAPI, on).wants(t, http.StatusOK)
		}
	}
	var seen []string
	path := "/log?person=" + ines
	for path != "" {
		body := b.get(path).wants(t, http.StatusOK).body
		for _, m := range logRow.FindAllStringSubmatch(body, -1) {
			seen = append(seen, m[1])
		}
		path = ""
		if m := olderLink.FindStringSubmatch(body); m != nil {
			path = strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	var want []string
	for _, e := range b.searched(t) {
		want = append(want, e.ID)
	}
	if diff := cmp.Diff(want, seen); diff != "" || len(seen) != 40 {
		t.Errorf("%d entries on all pages (-want +got)\n%s", len(seen), diff)
	}
}

func TestAnAuditorOfALocationReadsOfItsPeopleOnly(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	admin, own := w.signIn(t, ines), w.signIn(t, greta)
	w.grant(t, maria, access.Auditor, w.at(t, tom)) // London
	for _, who := range []string{tom, zoe, greta} {
		admin.put(w.person("/api", who)+"/settings/callWaiting", `{"enabled":false}`).wants(t, http.StatusOK)
	}
	own.get("/health").wants(t, http.StatusForbidden)
	auditor := w.signIn(t, maria)
	want := []string{"Ines Keller as administrator for Tom Baker: callWaiting, done"}
	if diff := cmp.Diff(want, linesOf(auditor.searched(t))); diff != "" {
		t.Errorf("the auditor reads (-want +got)\n%s", diff)
	}
	if got := linesOf(auditor.searched(t, "person", ines)); !slices.Equal(got, want) {
		t.Errorf("of the administrator the auditor reads %v", got)
	}
	page := auditor.get("/log").wants(t, http.StatusOK).body
	if strings.Contains(page, "Zoe Chen") || !strings.Contains(page, "Tom Baker") || strings.Contains(page, "/log/verify") || strings.Contains(page, "/undo") {
		t.Errorf("the page of the auditor:\n%s", page)
	}
	exported := auditor.get("/log/export?format=jsonl").wants(t, http.StatusOK).body
	if strings.Count(exported, "\n") != 1 || !strings.Contains(exported, "Tom Baker") {
		t.Errorf("the auditor exports\n%s", exported)
	}
	checkProblem(t, "somebody else's name", auditor.get("/api/log?person=Zoe+Chen"), http.StatusUnprocessableEntity)
	auditor.send(request{method: http.MethodPost, path: "/log/verify"}).wants(t, http.StatusForbidden)

	// What the auditor may know but not change is refused, and the rest is not there.
	var ofTom, ofZoe string
	for _, e := range admin.searched(t, "setting", "callWaiting") {
		switch e.Subject.Name {
		case "Tom Baker":
			ofTom = e.ID
		case "Zoe Chen":
			ofZoe = e.ID
		}
	}
	for id, want := range map[string]int{ofTom: http.StatusForbidden, ofZoe: http.StatusNotFound} {
		auditor.submit("/log/"+id+"/undo").wants(t, want)
		checkProblem(t, "undo by the auditor", auditor.json(http.MethodPost, "/api/history/"+id+"/undo", ""), want)
	}
	refused := linesOf(admin.searched(t, "actor", maria, "setting", "refused"))
	if len(refused) != 5 { // the check of the chain, and four undos
		t.Errorf("of the auditor was refused:\n%s", strings.Join(refused, "\n"))
	}
}

func TestAnExportIsWholeHarmlessAndRecorded(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, ines)
	w.knows(t)
	reasons := map[string]string{
		"=HYPERLINK(1)": "'=HYPERLINK(1)", "-1+1": "'-1+1", "@SUM(1)": "'@SUM(1)", "+cmd": "'+cmd", "+1+cmd|' /C calc'!A0": "'+1+cmd|' /C calc'!A0",
		"x;=1+cmd|' /C calc'!A0": "x;'=1+cmd|' /C calc'!A0", "x; \"@SUM(1)": "x; \"'@SUM(1)", "two\n=lines": "two\n'=lines", "two\nlines\n\nmore": "two\nlines\n\nmore", "+49 30 23125000": "+49 30 23125000", "a \"quoted\", reason": "a \"quoted\", reason", "two\nlines": "two\nlines",
	}
	on := true
	for reason := range reasons {
		b.put(w.person("/api", greta)+"/settings/doNotDisturb?reason="+url.QueryEscape(reason), fmt.Sprintf(`{"enabled":%t}`, on)).wants(t, http.StatusOK)
		on = !on
	}
	before := b.searched(t, "subject", greta)
	for what, a := range map[string]answer{
		"the page": b.get("/log/export?format=csv&subject=" + greta),
		"the API":  b.send(request{method: http.MethodGet, path: "/api/log?subject=" + greta, header: http.Header{"Accept": {"text/csv"}}}),
	} {
		if got := a.header.Get("Content-Type"); got != "text/csv; charset=utf-8" || !strings.HasPrefix(a.header.Get("Content-Disposition"), `attachment; filename="patchbay-log-`) {
			t.Errorf("%s: %d, %v", what, a.status, a.header)
		}
		rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
		if err != nil || len(rows) != len(before)+1 {
			t.Fatalf("%s: %d rows, %v", what, len(rows), err)
		}
		column := func(name string) int { return slices.Index(rows[0], name) }
		for i, e := range before {
			row := rows[i+1]
			if row[column("id")] != e.ID || row[column("reason")] != reasons[e.Reason] || row[column("before")] != string(e.Before) || row[column("subjectId")] != e.Subject.ID {
				t.Errorf("%s: row %d is %q for %+v", what, i, row, e)
			}
			for _, cell := range row {
				if cell != "" && strings.Contains("=-@", cell[:1]) {
					t.Errorf("%s: a spreadsheet would run %q", what, cell)
				}
			}
		}
	}
	jsonl := b.send(request{method: http.MethodGet, path: "/api/log?subject=" + greta, header: http.Header{"Accept": {"application/jsonl, */*;q=0.1"}}}).wants(t, http.StatusOK)
	var lines []entry
	for scanner := bufio.NewScanner(strings.NewReader(jsonl.body)); scanner.Scan(); {
		var e entry
		if err := json.Unmarshal(scanner.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, e)
	}
	if diff := cmp.Diff(before, lines); diff != "" {
		t.Errorf("JSON Lines are not what the API tells (-want +got)\n%s", diff)
	}
	b.send(request{method: http.MethodHead, path: "/log/export?format=csv"})
	checkProblemPage(t, b.get("/log/export?format=pdf"), http.StatusBadRequest)
	records := b.searched(t, "setting", "export")
	if len(records) != 3 {
		t.Fatalf("the log has %d exports", len(records))
	}
	var after struct {
		Format  string
		Filter  map[string]string
		Entries int
	}
	if err := json.Unmarshal(records[0].After, &after); err != nil || after.Format != "application/jsonl" || after.Entries != len(before) || after.Filter["subject"] != w.sim.MustPerson(greta).ID {
		t.Errorf("the log has of the export: %s, %v", records[0].After, err)
	}
}

// checkProblemPage holds a page about a failure.
func checkProblemPage(t *testing.T, a answer, status int) {
	t.Helper()
	if a.status != status || !strings.Contains(a.body, "<h1") {
		t.Errorf("got %d, want a page with %d:\n%s", a.status, status, a.body)
	}
}

// TestTheLogFitsItsDescription holds what programs get against /api/openapi.json.
func TestTheLogFitsItsDescription(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.grant(t, ben, access.Helpdesk, w.at(t, greta))
	doc := w.replicas[0].browser(t).description(t)
	doc.Servers = nil
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	w.signIn(t, greta).get("/health").wants(t, http.StatusForbidden)
	answers := &seen{}
	hold := func(who string) *browser {
		b := w.signIn(t, who)
		other, client := *b, *b.client
		client.Transport = &checked{t: t, router: router, next: b.client.Transport, seen: answers}
		other.client = &client
		return &other
	}
	admin, user := hold(ines), hold(greta)
	admin.put(dndAPI, `{"enabled":true}`).wants(t, http.StatusOK)
	if got := admin.searched(t, "from", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)); len(got) != 6 {
		t.Errorf("the log has %d entries: %v", len(got), linesOf(got))
	}
	user.get("/api/log").wants(t, http.StatusForbidden)
	user.get("/api/sessions?person="+ines).wants(t, http.StatusForbidden)
	admin.get("/api/sessions?person=nobody").wants(t, http.StatusNotFound)
	theirs := admin.list(t, "/api/sessions?person="+greta)
	admin.json(http.MethodDelete, "/api/sessions/"+theirs[0]["id"].(string)+"?person="+greta, "").wants(t, http.StatusNoContent)
	admin.json(http.MethodDelete, "/api/sessions/"+theirs[0]["id"].(string)+"?person="+greta, "").wants(t, http.StatusNotFound)
	for _, want := range []string{"GET /api/log 200", "GET /api/sessions 200", "DELETE /api/sessions/{session} 204"} {
		if !slices.Contains(answers.list, want) {
			t.Errorf("there was no %s", want)
		}
	}
}

// undoForm is the form that undoes an entry on a page of the log.
func (b *browser) undoForm(t *testing.T, id string) filled {
	t.Helper()
	return b.get("/log").wants(t, http.StatusOK).form(t, "/log/"+id+"/undo", "")
}

func TestUndoFromTheLog(t *testing.T) {
	t.Parallel()
	for _, htmx := range []bool{false, true} {
		t.Run(fmt.Sprintf("htmx %t", htmx), func(t *testing.T) {
			t.Parallel()
			w := start(t, setup{})
			admin, own := w.signIn(t, ines), w.signIn(t, greta)
			w.knows(t)
			id := own.put(waitingAPI, `{"enabled":false}`).wants(t, http.StatusOK).header.Get("Audit-Id")
			a := admin.post(admin.undoForm(t, id), htmx).wants(t, http.StatusOK)
			if !strings.Contains(a.body, "Undone") || !strings.Contains(a.body, "Undo: Call waiting: turned on") {
				t.Errorf("the answer:\n%s", a.body)
			}
			if value(w.setting(t, greta, "callWaiting"), "enabled") != true {
				t.Error("nothing was undone")
			}

			// Since then somebody changed it again.
			id = own.put(dndAPI, `{"ringSplashEnabled":true}`).wants(t, http.StatusOK).header.Get("Audit-Id")
			if err := w.sim.SetSetting(greta, "doNotDisturb", `{"ringSplashEnabled":false}`); err != nil {
				t.Fatal(err)
			}
			a = admin.post(admin.undoForm(t, id), htmx).wants(t, http.StatusPreconditionFailed)
			if !strings.Contains(a.body, "This was changed again since then") || !strings.Contains(a.body, "Put it back all the same") {
				t.Fatalf("the difference is not shown:\n%s", a.body)
			}
			force := a.form(t, "/log/"+id+"/undo", "Put it back all the same")
			if err := w.sim.SetSetting(greta, "doNotDisturb", `{"enabled":true}`); err != nil { // and once more
				t.Fatal(err)
			}
			a = admin.post(force, htmx).wants(t, http.StatusPreconditionFailed)
			admin.post(a.form(t, "/log/"+id+"/undo", "Put it back all the same"), htmx).wants(t, http.StatusOK)
		})
	}
}

func TestUndoOfGrantsAndPolicy(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	admin, other := w.signIn(t, ines), w.signIn(t, greta)
	made := w.grant(t, ben, access.Helpdesk, w.at(t, greta))
	grants := w.replicas[0].Settings.Access

	// Who may not know of it is told that there is nothing, and the log knows.
	checkProblem(t, "an undo by nobody in particular", other.json(http.MethodPost, "/api/history/"+made.RecordID+"/undo", ""), http.StatusNotFound)
	if got := linesOf(admin.searched(t, "setting", "refused")); len(got) != 1 || got[0] != "Greta Holm as user: refused POST /api/history/{record}/undo, refused" {
		t.Errorf("the log has of the refusal: %v", got)
	}

	// The grant was extended since: first the difference, then over what was shown.
	until := time.Now().Add(48 * time.Hour)
	if _, err := grants.Extend(t.Context(), w.caller(t, ines), made.Grant.ID, until, ""); err != nil {
		t.Fatal(err)
	}
	a := admin.json(http.MethodPost, "/api/history/"+made.RecordID+"/undo", "")
	checkProblem(t, "an undo of a grant that moved", a, http.StatusPreconditionFailed)
	if p := a.object(t); value(p, "present.role") != "helpdesk" || p["wanted"] != nil && len(p["wanted"].(map[string]any)) != 0 || a.header.Get("ETag") == "" {
		t.Errorf("the answer has not both: %s", a.body)
	}
	page := admin.post(admin.undoForm(t, made.RecordID), true).wants(t, http.StatusPreconditionFailed)
	if !strings.Contains(page.body, "Helpdesk for Berlin, until") || !strings.Contains(page.body, "no such grant") {
		t.Errorf("the page shows no difference:\n%s", page.body)
	}
	checkProblem(t, "over another state", admin.json(http.MethodPost, "/api/history/"+made.RecordID+"/undo", "", "If-Match", `"other"`), http.StatusPreconditionFailed)
	undone := admin.post(page.form(t, "/log/"+made.RecordID+"/undo", "Put it back all the same"), false).wants(t, http.StatusOK)
	if !strings.Contains(undone.body, "Undone") || w.caller(t, ben).May(access.ChangePeople) {
		t.Error("the grant is still there")
	}

	// The button beside what was just granted leads to the difference too.
	moved := w.grant(t, zoe, access.Helpdesk, w.at(t, greta))
	if _, err := grants.Extend(t.Context(), w.caller(t, ines), moved.Grant.ID, until, ""); err != nil {
		t.Fatal(err)
	}
	page = admin.sendForm("/access/undo/"+moved.RecordID).wants(t, http.StatusPreconditionFailed)
	if !strings.Contains(page.body, "Helpdesk for Berlin, until") {
		t.Errorf("Access shows no difference:\n%s", page.body)
	}
	admin.post(page.form(t, "/log/"+moved.RecordID+"/undo", "Put it back all the same"), true).wants(t, http.StatusOK)
	if w.caller(t, zoe).May(access.ChangePeople) {
		t.Error("the grant of Zoe is still there")
	}

	// A revoked grant comes back; what was undone is not undone twice.
	again := w.grant(t, ben, access.Helpdesk, w.at(t, greta))
	revoked, err := grants.Revoke(t.Context(), w.caller(t, ines), again.Grant.ID, access.Options{})
	if err != nil {
		t.Fatal(err)
	}
	back := admin.json(http.MethodPost, "/api/history/"+revoked.RecordID+"/undo", "").wants(t, http.StatusOK)
	if back.object(t)["undone"] != revoked.RecordID || back.header.Get("Audit-Id") == "" || !w.caller(t, ben).May(access.ChangePeople) {
		t.Errorf("the grant is not back: %s", back.body)
	}
	checkProblem(t, "a second undo", admin.json(http.MethodPost, "/api/history/"+revoked.RecordID+"/undo", ""), http.StatusConflict)

	// The policy.
	set := func(p access.Policy) string {
		_, id, err := grants.SetPolicy(t.Context(), w.caller(t, ines), &p, access.PolicyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	hide := access.SettingLevels{"intercept": {access.Helpdesk: access.Hidden}}
	first := set(access.Policy{Default: hide})
	set(access.Policy{Default: hide, Contact: "ext. 1000", ReasonRequired: []access.Role{access.Helpdesk}})
	checkProblem(t, "an undo of the policy that moved", admin.json(http.MethodPost, "/api/history/"+first+"/undo", ""), http.StatusPreconditionFailed)
	page = admin.post(admin.undoForm(t, first), false).wants(t, http.StatusPreconditionFailed)
	for _, words := range []string{"Call intercept, Helpdesk: hidden", "Call intercept, Helpdesk: see and change", "Whom to ask: ext. 1000", "Must give a reason: Helpdesk"} {
		if !strings.Contains(page.body, words) {
			t.Errorf("the page does not say %q", words)
		}
	}
	admin.post(page.form(t, "/log/"+first+"/undo", "Put it back all the same"), false).wants(t, http.StatusOK)
	policy, err := grants.ReadThePolicy(t.Context(), w.caller(t, ines))
	if err != nil || policy.Contact != "" || len(policy.Default) != 0 {
		t.Errorf("the policy is %+v, %v", policy, err)
	}
}

// TestAnUndoAsksForTheReason: where the policy wants one, an undo for somebody else
// has one.
func TestAnUndoAsksForTheReason(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	admin, own := w.signIn(t, ines), w.signIn(t, greta)
	w.knows(t)
	if _, _, err := w.replicas[0].Settings.Access.SetPolicy(t.Context(), w.caller(t, ines), &access.Policy{ReasonRequired: []access.Role{access.Administrator}}, access.PolicyOptions{}); err != nil {
		t.Fatal(err)
	}
	id := own.put(dndAPI, `{"enabled":true}`).wants(t, http.StatusOK).header.Get("Audit-Id")
	for _, htmx := range []bool{true, false} {
		a := admin.post(admin.undoForm(t, id), htmx).wants(t, http.StatusUnprocessableEntity)
		f := a.form(t, "/log/"+id+"/undo", `name="reason"`)
		if !htmx {
			admin.post(f.with("reason", "ticket 7"), htmx).wants(t, http.StatusOK)
		}
	}
	if e := admin.searched(t, "subject", greta)[0]; e.Reason != "ticket 7" || e.Undoes != id {
		t.Errorf("the newest entry is %s for %q", e, e.Reason)
	}
}

func TestTheChainIsCheckedFromThePage(t *testing.T) {
	t.Parallel()
	address, _ := redistest.Start(t)
	w := start(t, setup{redis: address})
	b := w.signIn(t, ines)
	if page := b.get("/log"); !strings.Contains(page.body, "The log was not checked yet") || !strings.Contains(page.body, "Entries are kept for 400 days") {
		t.Errorf("before a check:\n%s", page.body)
	}
	check := func() answer { return b.post(b.get("/log").form(t, "/log/verify", ""), false).wants(t, http.StatusOK) }
	if page := check(); !strings.Contains(page.body, "it is whole, 1 entry.") {
		t.Errorf("after a check:\n%s", page.body)
	}
	r := w.replicas[0]
	b.put(dndAPI, `{"enabled":true}`).wants(t, http.StatusOK)
	ids := b.searched(t)
	if n, err := r.db.XDel(t.Context(), "patchbay:{log}:log", ids[1].ID).Result(); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	page := check()
	if !strings.Contains(page.body, "it is not whole") || !strings.Contains(page.body, "Tell whoever runs the portal") || strings.Contains(page.body, "it is whole") {
		t.Errorf("after an entry was taken out:\n%s", page.body)
	}
}

func TestSessionsAreSeenAndEnded(t *testing.T) {
	t.Parallel()
	address, _ := redistest.Start(t)
	w := start(t, setup{redis: address, replicas: 3})
	w.knows(t)
	const phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1"
	signIn := func(userAgent string) *browser {
		b := w.replicas[0].browser(t)
		b.send(request{method: http.MethodGet, path: "/authenticate?login_hint=" + url.QueryEscape(greta), header: http.Header{"User-Agent": {userAgent}}})
		return b
	}
	here, mobile, third := w.signIn(t, greta), signIn(phone), signIn("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0")
	other, admin := w.signIn(t, tom), w.signIn(t, ines)

	ids := map[string]string{}
	list := here.list(t, "/api/sessions")
	for _, s := range list {
		switch {
		case s["current"] == true:
			ids["here"] = s["id"].(string)
		case s["userAgent"] == phone:
			ids["mobile"] = s["id"].(string)
		default:
			ids["third"] = s["id"].(string)
		}
		if s["address"] != "127.0.0.1" || s["signedInAt"] == "" || s["seenAt"] == "" || s["endsAt"] == "" {
			t.Errorf("a session is told as %v", s)
		}
	}
	if len(list) != 3 || len(ids) != 3 {
		t.Fatalf("there are %d sessions: %v", len(list), ids)
	}
	page := here.get("/sessions").wants(t, http.StatusOK)
	for _, words := range []string{"Safari on iPhone", "Firefox on Windows", "This one", "from 127.0.0.1", "End all 2 others"} {
		if !strings.Contains(page.body, words) {
			t.Errorf("the page does not say %q", words)
		}
	}

	// Nobody ends what is not theirs.
	checkProblem(t, "another's session", other.json(http.MethodDelete, "/api/sessions/"+ids["mobile"], ""), http.StatusNotFound)
	checkProblem(t, "another's sessions", other.get("/api/sessions?person="+greta), http.StatusForbidden)
	checkProblem(t, "ending another's session", other.json(http.MethodDelete, "/api/sessions/"+ids["mobile"]+"?person="+greta, ""), http.StatusForbidden)
	checkProblemPage(t, other.get("/sessions?person="+greta), http.StatusForbidden)
	checkProblem(t, "sessions of nobody", admin.get("/api/sessions?person=nobody"), http.StatusNotFound)
	checkProblemPage(t, admin.get("/sessions?person=nobody"), http.StatusNotFound)
	mobile.get("/api/me").wants(t, http.StatusOK)

	// One is ended, and gone on every replica by the next request.
	here.json(http.MethodDelete, "/api/sessions/"+ids["mobile"], "").wants(t, http.StatusNoContent)
	for _, r := range w.replicas {
		mobile.at(r).get("/api/me").wants(t, http.StatusUnauthorized)
	}
	checkProblem(t, "a session that has ended", here.json(http.MethodDelete, "/api/sessions/"+ids["mobile"], ""), http.StatusNotFound)
	here.at(w.replicas[1]).post(here.get("/sessions").form(t, "/sessions/"+ids["third"]+"/end", ""), false).wants(t, http.StatusOK)
	for _, r := range w.replicas {
		third.at(r).get("/api/me").wants(t, http.StatusUnauthorized)
	}
	// The administrator ends the last.
	a := admin.at(w.replicas[2]).post(admin.get("/sessions?person="+greta).form(t, "/sessions/end", "End this session"), false).wants(t, http.StatusOK)
	if !strings.Contains(a.body, "1 session has been ended") || !strings.Contains(a.body, "There is no session at the moment") {
		t.Errorf("the answer to the administrator:\n%s", a.body)
	}
	for _, r := range w.replicas {
		here.at(r).get("/api/me").wants(t, http.StatusUnauthorized)
	}
	want := []string{
		"Ines Keller as administrator for Greta Holm: sessions, done", "Greta Holm as user for Greta Holm: sessions, done", "Greta Holm as user for Greta Holm: sessions, done",
	}
	if diff := cmp.Diff(want, linesOf(admin.searched(t, "setting", "sessions"))); diff != "" {
		t.Errorf("the log (-want +got)\n%s", diff)
	}
	if history := w.signIn(t, greta).get("/history").body; !strings.Contains(history, "Ended a session: Safari on iPhone") || !strings.Contains(history, "Ines Keller, Administrator") {
		t.Errorf("the history does not tell who ended what:\n%s", history)
	}
}

// TestTheLogTellsTheTruthAfterAKill kills the real program with a change under way:
// one that Webex has carried out and not answered, and one that it has not carried out.
func TestTheLogTellsTheTruthAfterAKill(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "portal")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "patchbay/cmd/portal").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	tests := map[string]struct {
		fault   webexsim.FaultKind
		outcome string
	}{
		"Webex has done it":     {webexsim.FaultApplyAndHang, "done"},
		"Webex has not done it": {webexsim.FaultHang, "failed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, _ := redistest.Start(t)
			w := start(t, setup{redis: address})
			kill := w.serve(t, program, address)
			b := w.replicas[0].browser(t)
			b.url = kill.url
			b.signIn(greta)
			w.sim.SetFault(webexsim.Fault{Method: http.MethodPut, Path: pathWaiting, Kind: tt.fault})
			done := make(chan struct{})
			go func() {
				defer close(done)
				req, err := http.NewRequestWithContext(context.Background(), http.MethodPut, kill.url+waitingAPI, strings.NewReader(`{"enabled":false}`))
				if err == nil {
					req.Header.Set("Content-Type", "application/json")
					if resp, err := b.client.Do(req); err == nil { // it breaks off
						_ = resp.Body.Close()
					}
				}
			}()
			reached := func() bool {
				return len(w.sent(http.MethodPut, pathWaiting)) > 0 && (tt.outcome != "done" || value(w.setting(t, greta, "callWaiting"), "enabled") == false)
			}
			for deadline := time.Now().Add(20 * time.Second); !reached(); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("Webex never got the change")
				}
			}
			if err := kill.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = kill.cmd.Wait() // it says that it was killed
			<-done
			w.sim.ClearFaults()

			// Another replica says what it knows: that nobody knows yet.
			own := w.signIn(t, greta)
			if got := own.outcomes(t); !slices.Equal(got, []string{"pending"}) {
				t.Fatalf("after the kill the history says %v", got)
			}
			if page := own.get("/history"); !strings.Contains(page.body, "Not known yet") || strings.Contains(page.body, "/undo") {
				t.Error("the page claims to know")
			}
			// A replica that starts later finds out. Its clock is ahead, instead of the
			// test waiting for so long.
			later := w.add(setup{redis: address})
			later.clock.pass(3 * time.Minute)
			if err := later.Settings.SettlePending(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := own.outcomes(t); !slices.Equal(got, []string{tt.outcome}) {
				t.Errorf("after somebody has looked the history says %v, want %s", got, tt.outcome)
			}
			if (value(w.setting(t, greta, "callWaiting"), "enabled") == false) != (tt.outcome == "done") {
				t.Error("the log and Webex do not agree")
			}
			if page := w.signIn(t, ines).post(w.signIn(t, ines).get("/log").form(t, "/log/verify", ""), false); !strings.Contains(page.body, "it is whole") {
				t.Error("the chain is broken after the kill")
			}
		})
	}
}

// served is a running `portal serve`.
type served struct {
	url string
	cmd *exec.Cmd
}

// serve runs the real program against the simulator until the test ends.
func (w *world) serve(t *testing.T, program, redis string) served {
	t.Helper()
	public, operators := listen(t), listen(t)
	s := served{url: "http://" + public.Addr().String(), cmd: exec.CommandContext(t.Context(), program, "serve")}
	cred := w.sim.Credentials()
	s.cmd.Env = []string{
		"CLIENT_ID=" + cred.ClientID, "CLIENT_SECRET=" + cred.ClientSecret, "SERVICE_APP_CLIENT_ID=" + cred.ServiceAppClientID,
		"SERVICE_APP_CLIENT_SECRET=" + cred.ServiceAppClientSecret, "SERVICE_APP_REFRESH_TOKEN=" + cred.ServiceAppRefreshToken,
		"PORTAL_URL=" + s.url, "PORTAL_ADDR=" + public.Addr().String(), "METRICS_ADDR=" + operators.Addr().String(), "PORTAL_SECRET_KEY=" + secretKey,
		"PORTAL_ADMINS=" + ines, "REDIS_URL=" + redis, "WEBEX_API_URL=" + w.sim.BaseURL, "WEBEX_RATE_LIMIT=60000",
	}
	s.cmd.Stderr = os.Stderr
	_, _ = public.Close(), operators.Close() // the program opens them itself
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // it may be dead already
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/healthz", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			return s
		}
		if time.Now().After(deadline) {
			t.Fatal("the program does not answer")
		}
	}
}
