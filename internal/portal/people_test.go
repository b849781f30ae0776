package portal_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/webexsim"
)

// longSessions outlive what tests let pass.
var longSessions = map[string]string{"SESSION_IDLE": "300h", "SESSION_LIFETIME": "300h"}

// help makes somebody the helpdesk of Berlin.
func (w *world) help(t testing.TB, who string) {
	t.Helper()
	w.known(t)
	_, err := w.replicas[0].Settings.Access.Create(t.Context(), w.caller(t, ines), access.Grant{
		To: access.Grantee{Person: who}, Role: access.Helpdesk, Scope: access.Scope{Locations: []string{w.sim.MustPerson(greta).LocationID}}, Reason: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	w.replicas[0].clock.pass(2 * time.Second) // every replica has noticed by then
}

// known waits until the directory was read.
func (w *world) known(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); w.replicas[0].Directory.State().ReadAt.IsZero(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the directory was not read")
		}
	}
}

// found lists the names that a search of the API finds.
func (b *browser) found(t testing.TB, query string) (names []string) {
	t.Helper()
	items, _ := b.get("/api/people?query="+url.QueryEscape(query)).wants(t, http.StatusOK).object(t)["items"].([]any)
	for _, item := range items {
		name, _ := item.(map[string]any)["displayName"].(string)
		names = append(names, name)
	}
	return names
}

// personOf is the path of somebody's pages.
func (w *world) personOf(email string) string {
	return "/people/" + url.PathEscape(w.sim.MustPerson(email).ID)
}

func TestAHelperFindsThePeopleOfTheirScope(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.help(t, ben)
	b := w.signIn(t, ben)
	known, ok := w.replicas[0].Directory.ByEmail(greta)
	if !ok || len(known.MACs) == 0 {
		t.Fatal("the directory does not know Greta with a phone")
	}
	mac := known.MACs[0]
	tests := map[string]struct {
		query string
		want  []string
	}{
		"the beginning of a name":             {"gret", []string{"Greta Holm"}},
		"the whole address":                   {greta, []string{"Greta Holm"}},
		"an extension":                        {"1000", []string{"Greta Holm"}},
		"a MAC address with colons":           {mac[:2] + ":" + mac[2:4] + ":" + mac[4:6] + ":" + mac[6:8] + ":" + mac[8:10] + ":" + mac[10:], []string{"Greta Holm"}},
		"a part of a number":                  {"030 23125001", []string{"Greta Holm"}},
		"somebody of another location":        {"ana lop", nil},
		"the address of another location":     {ana, nil},
		"the extension of another location":   {"2000", nil},
		"the name of another location":        {"Madrid", nil},
		"oneself, whose pages are elsewhere":  {"ben fisch", nil},
		"nothing that anybody could be named": {"%%%", nil},
	}
	var requests []string
	for name, test := range tests {
		requests = append(requests, w.calls(func() {
			if got := b.found(t, test.query); !slices.Equal(got, test.want) {
				t.Errorf("%s: %q finds %q, want %q", name, test.query, got, test.want)
			}
			page := b.partial("/people?query="+url.QueryEscape(test.query)).wants(t, http.StatusOK).body
			if got := strings.Count(page, `class="person"`); got != len(test.want) {
				t.Errorf("%s: the page finds %d people for %q, want %d", name, got, test.query, len(test.want))
			}
		})...)
	}
	if len(requests) > 0 {
		t.Errorf("Webex was asked for a search:\n%s", strings.Join(requests, "\n"))
	}
	var berlin []string // but Ben himself
	for _, p := range w.sim.People(w.replicas[0].Directory.State().People) {
		if p.Location == "Berlin" && p.Email != ben {
			berlin = append(berlin, p.DisplayName)
		}
	}
	everybody := b.found(t, "")
	slices.Sort(berlin)
	slices.Sort(everybody)
	if !slices.Equal(everybody, berlin) {
		t.Errorf("without a text Ben finds %q, want all of Berlin: %q", everybody, berlin)
	}
	page := b.get("/people").wants(t, http.StatusOK).body
	if !strings.Contains(page, "You help: Berlin") || strings.Contains(page, "<select id=\"people-location\"") {
		t.Errorf("the page does not say whom Ben helps, or offers a choice of one location:\n%s", page)
	}
	checkProblem(t, "the search by whoever helps nobody", w.signIn(t, maria).get("/api/people?query=gret"), http.StatusForbidden)
}

// Before the directory has been read, nobody found would not be true.
func TestTheDirectoryThatIsNotReadYet(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.sim.SetFault(webexsim.Fault{Path: "/devices", Kind: webexsim.FaultStatus, Status: http.StatusServiceUnavailable})
	late := w.add(setup{credentials: w.sim.Credentials()})
	b := late.browser(t)
	b.signIn(ines)
	if a := b.get("/api/people?query=greta").wants(t, http.StatusServiceUnavailable); a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "being read for the first time") {
		t.Errorf("the search answers %v %s", a.header, a.body)
	}
	if page := b.get("/people?query=greta").wants(t, http.StatusOK); !strings.Contains(page.body, "could not be read yet") {
		t.Errorf("the page says\n%s", page.body)
	}
}

func TestPeopleComePageByPage(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.known(t)
	b := w.signIn(t, ines)
	seen := map[string]bool{}
	next := regexp.MustCompile(`href="(/people\?[^"]*cursor=[^"]+)"`)
	row := regexp.MustCompile(`class="person" href="([^"]+)"`)
	path, pages := "/people", 0
	for path != "" {
		a := b.get(path).wants(t, http.StatusOK)
		pages++
		for _, m := range row.FindAllStringSubmatch(a.body, -1) {
			if seen[m[1]] {
				t.Errorf("%s comes twice", m[1])
			}
			seen[m[1]] = true
		}
		path = ""
		if m := next.FindStringSubmatch(a.body); m != nil {
			path = html.UnescapeString(m[1])
		}
	}
	if want := w.replicas[0].Directory.State().People - 1; len(seen) != want || pages < 2 {
		t.Errorf("%d people on %d pages, want %d", len(seen), pages, want)
	}
	if more := b.partial("/people?cursor=nonsense").wants(t, http.StatusOK).body; strings.Contains(more, "<section") {
		t.Error("the next rows come with the heading of the first ones")
	}
}

func TestPeopleOutOfScopeAreNotThere(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.help(t, ben)
	b := w.signIn(t, ben)
	b.get("/api/people/"+w.sim.MustPerson(greta).ID).wants(t, http.StatusOK)
	for _, path := range []string{
		w.personOf(ana), w.personOf(ana) + "/calls", w.personOf(ana) + "/start", "/api" + w.personOf(ana), "/api" + w.personOf(ana) + "/settings/doNotDisturb",
		"/api" + w.personOf(ana) + "/history",
	} {
		a := b.get(path).wants(t, http.StatusNotFound)
		entries, _, err := w.replicas[0].Audit.Search(t.Context(), audit.Filter{Setting: "refused"}, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(entries, func(e audit.Entry) bool { return e.RequestID == a.header.Get("X-Request-Id") })
		if i < 0 || entries[i].Actor.Name != "Ben Fischer" || entries[i].Subject.Name != "Ana López" {
			t.Errorf("the refusal of %s does not stand in the log: %+v", path, entries)
		}
	}
}

func TestHelpingSomebody(t *testing.T) {
	t.Parallel()
	w := start(t, setup{env: longSessions})
	w.help(t, ben)
	if _, _, err := w.replicas[0].Settings.Access.SetPolicy(t.Context(), w.caller(t, ines), &access.Policy{ReasonRequired: []access.Role{access.Helpdesk}}, access.PolicyOptions{}); err != nil {
		t.Fatal(err)
	}
	w.replicas[0].clock.pass(2 * time.Second)
	b := w.signIn(t, ben)
	base := w.personOf(greta)
	if a := b.get(base + "/calls"); a.at != base+"/start" || strings.Contains(a.body, "band") {
		t.Fatalf("without a reason Ben came to %s, want the page that asks for one, without the band", a.at)
	}
	start := func(reason string) answer {
		return b.send(request{method: http.MethodPost, path: base + "/start", body: form("reason", reason, "next", base+"/calls"), header: formHeader()})
	}
	if a := start("").wants(t, http.StatusUnprocessableEntity); !strings.Contains(a.body, "Give a reason") {
		t.Errorf("nothing is said of the missing reason:\n%s", a.body)
	}
	page := start("ticket 48213").wants(t, http.StatusOK)
	if page.at != base+"/calls" || !strings.Contains(page.body, "You are changing settings for Greta Holm.") || !strings.Contains(page.body, "ticket 48213") {
		t.Fatalf("after the reason Ben is at %s:\n%s", page.at, page.body)
	}
	// Whatever is on these pages belongs to Greta, and does not say "you".
	for _, path := range []string{"", "/calls", "/queues", "/phones", "/history"} {
		texts := []string{b.get(base+path).wants(t, http.StatusOK).body}
		for _, u := range regexp.MustCompile(`hx-get="(/people/[^"]+/cards/[^"]+)"`).FindAllStringSubmatch(texts[0], -1) {
			texts = append(texts, b.partial(html.UnescapeString(u[1])).wants(t, http.StatusOK).body)
		}
		for _, text := range texts {
			_, main, found := strings.Cut(text, "<main")
			if !found {
				main = text
			}
			main, _, _ = strings.Cut(main, "</main>")
			for _, m := range regexp.MustCompile(`(?:href|action|hx-get|hx-post)="(/[^"]*)"`).FindAllStringSubmatch(main, -1) {
				if !strings.HasPrefix(m[1], "/people/") {
					t.Errorf("%s leads to %s", base+path, m[1])
				}
			}
			words := strings.ReplaceAll(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(main, " "), "· you", "") // who made a change
			if m := regexp.MustCompile(`(?i).{0,30}\b(you|your|my)\b.{0,30}`).FindString(words); m != "" {
				t.Errorf("%s says %q", base+path, m)
			}
		}
	}
	tag := regexp.MustCompile(`name="_for" value="([^"]+)"`).FindStringSubmatch(b.partial(base + "/cards/doNotDisturb").body)
	if tag == nil {
		t.Fatal("the card has no form")
	}
	dnd := func(on string) answer {
		return b.submit(base+"/calls/doNotDisturb?page=calls", "_card", "doNotDisturb", "_fields", "enabled", "_for", tag[1], "enabled", on)
	}
	dnd("true").wants(t, http.StatusOK)
	hers := w.signIn(t, greta)
	got := hers.history(t)
	i := slices.IndexFunc(got, func(r map[string]any) bool { return r["setting"] == "doNotDisturb" })
	if i < 0 || value(got[i], "actor.name") != "Ben Fischer" || got[i]["reason"] != "ticket 48213" || got[i]["undoable"] != true {
		t.Errorf("Greta's history says %v", got)
	}
	home := hers.get("/").body
	for _, want := range []string{"New for you", "Do not disturb: turned on", "by Ben Fischer", "ticket 48213"} {
		if !strings.Contains(home, want) {
			t.Errorf("Greta's Home does not say %q", want)
		}
	}
	// Half an hour without use ends it; a form that comes later is not carried out.
	w.replicas[0].clock.pass(31 * time.Minute)
	a := dnd("false").wants(t, http.StatusConflict)
	if !strings.Contains(a.body, "Your work for Greta Holm has ended") || a.header.Get("Hx-Reswap") != "none" {
		t.Errorf("a form that came too late is answered with\n%s", a.body)
	}
	a = b.send(request{method: http.MethodPost, path: base + "/calls/doNotDisturb", body: form("_card", "doNotDisturb", "_fields", "enabled", "_for", tag[1], "enabled", "false"), header: formHeader()})
	if a.status != http.StatusConflict || !strings.Contains(a.body, base+"/start") || !strings.Contains(a.body, "<h1") {
		t.Errorf("without JavaScript: %d\n%s", a.status, a.body)
	}
	if value(w.setting(t, greta, "doNotDisturb"), "enabled") != true {
		t.Error("it was carried out all the same")
	}
}

func formHeader() http.Header {
	return http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"}}
}

func TestNewsAreWhatOthersHaveChangedOfLate(t *testing.T) {
	t.Parallel()
	w := start(t, setup{env: longSessions})
	w.help(t, ben)
	b, hers := w.signIn(t, ben), w.signIn(t, greta)
	hers.put(dndAPI, `{"enabled":true}`).wants(t, http.StatusOK)
	b.get(w.personOf(greta)).wants(t, http.StatusOK)
	if home := hers.get("/").body; strings.Contains(home, "New for you") {
		t.Error("what she did herself, and that somebody has looked, is news")
	}
	id := b.put("/api"+w.personOf(greta)+"/settings/doNotDisturb", `{"enabled":false}`).wants(t, http.StatusOK).header.Get("Audit-Id")
	if home := hers.get("/").body; !strings.Contains(home, "New for you") {
		t.Error("what Ben did is no news")
	}
	hers.json(http.MethodPost, "/api/history/"+id+"/undo", "").wants(t, http.StatusOK)
	if home := hers.get("/").body; strings.Contains(home, "New for you") {
		t.Error("what she has undone is news")
	}
	b.put("/api"+w.personOf(greta)+"/settings/doNotDisturb", `{"enabled":false}`).wants(t, http.StatusOK)
	w.replicas[0].clock.pass(8 * 24 * time.Hour)
	if home := hers.get("/").body; strings.Contains(home, "New for you") {
		t.Error("what is older than a week is news")
	}
}

func TestLendingToAColleague(t *testing.T) {
	t.Parallel()
	w := start(t, setup{env: longSessions})
	w.known(t)
	hers, his := w.signIn(t, greta), w.signIn(t, tom)
	r := w.replicas[0]
	until := r.clock.Now().Add(3 * time.Hour).UTC().Truncate(time.Second)
	api := "/api" + w.personOf(greta)
	his.get(api+"/settings/callForwarding").wants(t, http.StatusForbidden)

	a := hers.json(http.MethodPost, "/api/me/lendings", `{"to":"`+tom+`","until":"`+until.Format(time.RFC3339)+`","reason":"holiday"}`).wants(t, http.StatusCreated)
	lending := a.object(t)
	if value(lending, "to.name") != "Tom Baker" || value(lending, "from.name") != "Greta Holm" || a.header.Get("Audit-Id") == "" {
		t.Errorf("the lending is %v", lending)
	}
	r.clock.pass(2 * time.Second)

	// The colleague reaches forwarding and queues of this one person, and nothing else.
	if got := his.found(t, ""); !slices.Equal(got, []string{"Greta Holm"}) {
		t.Errorf("Tom finds %q", got)
	}
	his.get(api+"/settings/callForwarding").wants(t, http.StatusOK)
	his.put(api+"/settings/callForwarding", `{"callForwarding":{"busy":{"enabled":true,"destination":"1001"}}}`).wants(t, http.StatusOK)
	his.put(api+"/queues/"+url.PathEscape(w.queue(t, "Sales Hotline").ID), `{"joined":false}`).wants(t, http.StatusOK)
	for _, name := range []string{"doNotDisturb", "callWaiting", "intercept", "voicemail"} {
		his.get(api+"/settings/"+name).wants(t, http.StatusNotFound)
	}
	his.put(api+"/settings/doNotDisturb", `{"enabled":true}`).wants(t, http.StatusNotFound)
	his.get(api+"/devices").wants(t, http.StatusNotFound)
	his.get("/api"+w.personOf(ben)+"/settings/callForwarding").wants(t, http.StatusNotFound)
	if home := his.get("/").body; !strings.Contains(home, "You may change forwarding and queues of Greta Holm") || !strings.Contains(home, w.personOf(greta)) {
		t.Error("Tom's Home does not say what was lent to him")
	}
	if home := hers.get("/").body; !strings.Contains(home, "Tom Baker may change your forwarding and queues") || !strings.Contains(home, "holiday") {
		t.Error("Greta's Home does not say what she has lent")
	}
	if got := his.get("/api/me/lendings").wants(t, http.StatusOK).body; !strings.Contains(got, `"borrowed":[{"id"`) {
		t.Errorf("Tom's lendings: %s", got)
	}

	// It ends by itself, everywhere.
	r.clock.pass(3 * time.Hour)
	his.get(api+"/settings/callForwarding").wants(t, http.StatusForbidden)
	if got := hers.get("/api/me/lendings").wants(t, http.StatusOK).body; !strings.Contains(got, `"lent":[]`) {
		t.Errorf("after its end: %s", got)
	}
}

func TestEndingALending(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.known(t)
	for name, who := range map[string]string{"by whoever has lent": greta, "by the colleague": tom} {
		_, err := w.replicas[0].Settings.Access.Lend(t.Context(), w.caller(t, greta), tom, w.replicas[0].clock.Now().Add(time.Hour), "")
		if err != nil {
			t.Fatal(err)
		}
		w.replicas[0].clock.pass(2 * time.Second)
		b := w.signIn(t, who)
		page := b.get("/lend").wants(t, http.StatusOK).body
		end := regexp.MustCompile(`action="(/lend/[^"]+/end[^"]*)"`).FindStringSubmatch(page)
		if end == nil {
			t.Fatalf("%s: there is no End now:\n%s", name, page)
		}
		path := html.UnescapeString(end[1])
		stranger := w.signIn(t, maria)
		stranger.submit(path, "_card", "lendings").wants(t, http.StatusNotFound)
		a := b.send(request{method: http.MethodPost, path: path, body: form("_card", "lendings"), header: formHeader()}).wants(t, http.StatusOK)
		if a.at != "/lend" || !strings.Contains(a.body, "Ended: ") || !strings.Contains(a.body, "You have lent nothing") {
			t.Errorf("%s: ended at %s\n%s", name, a.at, a.body)
		}
	}
}

func TestTheFormThatLends(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.known(t)
	b := w.signIn(t, greta)
	page := b.get("/lend").wants(t, http.StatusOK).body
	value := func(pattern, text string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("no %s in\n%s", pattern, text)
		}
		return html.UnescapeString(m[1])
	}
	tag, tomorrow := value(`name="_for" value="([^"]+)"`, page), value(`value="([^"]+T18:00)"`, page)
	send := func(pairs ...string) answer {
		return b.send(request{method: http.MethodPost, path: "/lend", body: form(append([]string{"_for", tag}, pairs...)...), header: formHeader()})
	}
	for name, test := range map[string]struct {
		pairs []string
		want  string
	}{
		"nobody":             {[]string{"colleague", "", "when", tomorrow}, "Say to whom"},
		"nobody of the name": {[]string{"colleague", "Zzyzx", "when", tomorrow}, "Nobody here has this name"},
		"oneself":            {[]string{"colleague", greta, "when", tomorrow}, "Nobody here has this name"},
		"no time":            {[]string{"colleague", tom, "when", "other", "until", ""}, "Choose a day and a time"},
		"a time gone by":     {[]string{"colleague", tom, "when", "other", "until", "2020-01-01T10:00"}, "This time has passed"},
		"too far":            {[]string{"colleague", tom, "when", "other", "until", "2090-01-01T10:00"}, "more than a year"},
	} {
		a := send(test.pairs...)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, test.want) || !strings.Contains(a.body, "There is a problem") {
			t.Errorf("%s: %d, without %q\n%s", name, a.status, test.want, a.body)
		}
	}
	// Several have such a name: the page asks which one, and what was typed stays.
	a := send("colleague", "berlin", "when", tomorrow, "reason", "holiday").wants(t, http.StatusUnprocessableEntity)
	if !strings.Contains(a.body, "Choose one of them below") || strings.Count(a.body, `name="person"`) < 2 || !strings.Contains(a.body, `value="holiday"`) {
		t.Errorf("several people: %s", a.body)
	}
	a = send("colleague", "tom bak", "when", tomorrow, "reason", "holiday").wants(t, http.StatusOK)
	if a.at != "/lend" || !strings.Contains(a.body, "Tom Baker may change your forwarding and queues until") || !strings.Contains(a.body, "Berlin time") || !strings.Contains(a.body, "Undo") {
		t.Errorf("at %s:\n%s", a.at, a.body)
	}
}

func TestSuggestionsTellNoMoreThanNames(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.known(t)
	b := w.signIn(t, maria)
	calls := w.calls(func() {
		for query, want := range map[string][2]string{
			"to": {"", "Tom Baker"}, "tom": {"Tom Baker", "tom.baker@"}, "TOM B": {"Tom Baker", "+44"}, "3000": {"", "Tom Baker"}, "+44207946": {"", "Tom Baker"},
			tom: {"Tom Baker", "tom.baker@"}, "noah": {"", "Noah Quinn"}, "maria ros": {"", "Maria Rossi"},
		} {
			got := b.partial("/lend/colleagues?colleague="+url.QueryEscape(query)).wants(t, http.StatusOK).body
			if want[0] != "" && !strings.Contains(got, want[0]) || strings.Contains(got, want[1]) {
				t.Errorf("%q suggests\n%s", query, got)
			}
			if n := strings.Count(got, `type="radio"`); n > 8 {
				t.Errorf("%q suggests %d people", query, n)
			}
		}
	})
	if len(calls) > 0 {
		t.Errorf("Webex was asked:\n%s", strings.Join(calls, "\n"))
	}
}

// peopleAnswers asks the API of others' settings, the directory and lendings for
// everything that it describes.
func (w *world) peopleAnswers(t *testing.T, hold func(b *browser, wrong bool) *browser) {
	t.Helper()
	w.known(t)
	admin, user := w.signIn(t, ines), w.signIn(t, maria)
	good, bad := hold(admin, false), hold(admin, true)
	api := "/api" + w.personOf(greta)
	for _, path := range []string{
		"/api/people", "/api/people?query=greta", "/api/directory", "/api/directory/groups", "/api/directory/groups?query=port", api, api + "/settings", api + "/settings/voicemail",
		api + "/queues", api + "/devices", api + "/history",
	} {
		good.get(path).wants(t, http.StatusOK)
		if !strings.Contains(path, "history") {
			hold(user, false).get(path).wants(t, http.StatusForbidden)
		}
	}
	good.get("/api/people/nobody").wants(t, http.StatusNotFound)
	for path, body := range w.writes(t) {
		path = strings.Replace(path, "/api/me", api, 1)
		if strings.Contains(path, "/settings/") {
			good.get(path).wants(t, http.StatusOK)
		}
		a := good.put(path+"?reason=because", body).wants(t, http.StatusOK)
		good.json(http.MethodPost, "/api/history/"+a.header.Get("Audit-Id")+"/undo", "").wants(t, http.StatusOK)
		bad.put(path, `{"nonsense":1}`).wants(t, http.StatusUnprocessableEntity)
	}
	good.json(http.MethodPost, "/api/directory/refresh", "").wants(t, http.StatusOK)
	hold(user, false).json(http.MethodPost, "/api/directory/refresh", "").wants(t, http.StatusForbidden)
	until := w.replicas[0].clock.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	lent := good.json(http.MethodPost, "/api/me/lendings", `{"to":"`+tom+`","until":"`+until+`"}`).wants(t, http.StatusCreated).object(t)
	good.get("/api/me/lendings").wants(t, http.StatusOK)
	id, _ := lent["id"].(string)
	good.json(http.MethodDelete, "/api/me/lendings/"+id+"?reason=over", "").wants(t, http.StatusOK)
	good.json(http.MethodDelete, "/api/me/lendings/"+id, "").wants(t, http.StatusNotFound)
	bad.json(http.MethodPost, "/api/me/lendings", `{"to":"`+tom+`","until":"tomorrow","who":1}`).wants(t, http.StatusUnprocessableEntity)
	bad.json(http.MethodPost, "/api/me/lendings", `{"to":"nobody@patchbay.example","until":"`+until+`"}`).wants(t, http.StatusUnprocessableEntity)
	bad.json(http.MethodPost, "/api/me/lendings", `{`).wants(t, http.StatusBadRequest)
}
