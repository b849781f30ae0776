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
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/redisdb/redistest"
	"patchbay/internal/webexsim"
)

const pathHuntGroup = "/telephony/config/locations/{locationId}/huntGroups/{huntGroupId}"

// lead makes somebody the lead of queues and hunt groups, named by name.
func (w *world) lead(t testing.TB, who string, names ...string) {
	t.Helper()
	w.known(t)
	scope := access.Scope{}
	for _, name := range names {
		if q, ok := w.sim.Queue(name); ok {
			scope.Queues = append(scope.Queues, q.ID)
		} else if h, ok := w.sim.HuntGroup(name); ok {
			scope.HuntGroups = append(scope.HuntGroups, h.ID)
		} else {
			t.Fatalf("there is no %q", name)
		}
	}
	if _, err := w.replicas[0].Settings.Access.Create(t.Context(), w.caller(t, ines), access.Grant{To: access.Grantee{Person: who}, Role: access.Lead, Scope: scope, Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	for _, r := range w.replicas {
		r.clock.pass(2 * time.Second) // every replica has noticed by then
	}
}

func (w *world) boardURL(t testing.TB, name string) string {
	t.Helper()
	return "/board/" + url.PathEscape(w.queue(t, name).ID)
}

func (w *world) agentAPI(t testing.TB, queue, who string) string {
	t.Helper()
	return "/api/queues/" + url.PathEscape(w.queue(t, queue).ID) + "/agents/" + url.PathEscape(w.sim.MustPerson(who).ID)
}

// boardCards finds the cards of a board that fetch themselves.
var boardCards = regexp.MustCompile(`hx-get="(/board[^"]*)" hx-trigger="load, `)

// viewBoard opens the board as a browser does: the page, the list if it is not in it,
// and then all cards at once.
func (b *browser) viewBoard(path string) map[string]answer {
	b.t.Helper()
	cards := map[string]answer{}
	next := b.get(path).wants(b.t, http.StatusOK)
	for range 3 {
		var urls []string
		for _, m := range boardCards.FindAllStringSubmatch(next.body, -1) {
			urls = append(urls, html.UnescapeString(m[1]))
		}
		if len(urls) == 1 && strings.HasPrefix(urls[0], "/board?") || len(urls) == 1 && urls[0] == "/board" {
			next = b.partial(urls[0]).wants(b.t, http.StatusOK)
			continue
		}
		for u, a := range b.all(urls) {
			cards[u] = a.wants(b.t, http.StatusOK)
		}
		return cards
	}
	b.t.Error("the board fetches itself again and again")
	return cards
}

func TestTheBoardOfTwentyQueuesAsksWebexForLittle(t *testing.T) {
	t.Parallel()
	w := start(t, setup{sim: webexsim.Options{Teams: 20}})
	var teams []string
	for n := range 20 {
		teams = append(teams, fmt.Sprintf("Team %02d", n+1))
	}
	w.lead(t, ben, teams...)
	b := w.signIn(t, ben)
	if cards := b.viewBoard("/board"); len(cards) != len(teams) {
		t.Fatalf("%d cards for %d queues", len(cards), len(teams))
	}
	w.replicas[0].clock.pass(time.Minute)
	var cards map[string]answer
	calls := w.calls(func() { cards = b.viewBoard("/board") })
	own := slices.DeleteFunc(slices.Clone(calls), func(c string) bool { return !strings.HasPrefix(c, "GET "+pathQueue) })
	away := slices.DeleteFunc(slices.Clone(calls), func(c string) bool { return !strings.Contains(c, pathForwarding) && !strings.Contains(c, pathDND) })
	// Whether 200 agents are away is read in the background meanwhile.
	if others := len(calls) - len(own) - len(away); len(own) > len(teams) || others > 0 {
		t.Errorf("the board took %d calls for queues and %d others, want %d at most:\n%s", len(own), others, len(teams), strings.Join(calls, "\n"))
	}
	agents := 0
	for _, a := range cards {
		agents += strings.Count(a.body, `role="switch"`)
	}
	if agents != 200 {
		t.Errorf("%d agents are on the board", agents)
	}
	t.Logf("a warm board of %d agents: %d calls, and %d in the background", agents, len(own), len(away))

	if err := w.replicas[0].Settings.RefreshBoards(t.Context()); err != nil {
		t.Fatal(err)
	}
	for u, a := range b.viewBoard("/board") {
		if strings.Contains(a.body, "not known yet") {
			t.Errorf("%s does not show what was read in the background", u)
		}
	}
}

func TestTheBoardShowsWhatIsInReach(t *testing.T) {
	t.Parallel()
	w := start(t, setup{sim: webexsim.Options{Teams: 30}})
	w.lead(t, ben, "Sales Hotline", "Night Desk", "Reception Berlin")
	b := w.signIn(t, ben)
	page := b.get("/board?js=0").wants(t, http.StatusOK)
	for name, want := range map[string]bool{"Sales Hotline": true, "Night Desk": true, "Reception Berlin": true, "Ventas Madrid": false, "IT Support Berlin": false} {
		if got := strings.Contains(page.body, name+"</a>"); got != want {
			t.Errorf("%s is on the board: %t, want %t", name, got, want)
		}
	}
	filtered := b.get("/board?q=desk").body
	if strings.Contains(filtered, "Sales Hotline</a>") || !strings.Contains(filtered, "Night Desk</a>") {
		t.Error("the filter does not choose by name")
	}
	place := b.get("/board?location=" + url.QueryEscape(w.queue(t, "Sales Hotline").LocationID)).body
	if !strings.Contains(place, "Sales Hotline</a>") || strings.Contains(place, "Night Desk</a>") {
		t.Error("the filter does not choose by place")
	}
	if none := b.get("/board?q=nothing").body; !strings.Contains(none, "No queue has this name") {
		t.Error("that nothing fits is not said")
	}
	// A board of many queues is paged.
	admin := w.signIn(t, ines)
	admin.get("/board?js=0").wants(t, http.StatusOK)
	seen := map[string]bool{}
	for n := 1; n <= 3; n++ {
		page := admin.get(fmt.Sprintf("/board?page=%d", n)).wants(t, http.StatusOK)
		titles := regexp.MustCompile(`<h2 id="board-[0-9a-f]+-title" tabindex="-1"><a href="([^"]+)"`).FindAllStringSubmatch(page.body, -1)
		for _, m := range titles {
			if seen[m[1]] {
				t.Errorf("a queue is on two pages: %s", m[1])
			}
			seen[m[1]] = true
		}
		if len(titles) > 20 {
			t.Errorf("page %d has %d queues", n, len(titles))
		}
	}
	if all := len(w.sim.Queues()) + len(w.sim.HuntGroups()); len(seen) != min(all, 60) {
		t.Errorf("%d of %d queues are on the board", len(seen), all)
	}
	w.signIn(t, maria).get("/board").wants(t, http.StatusForbidden)
}

// TestTwoLeadsSwitchAThousandTimes: two leads switch the agents of one queue at once,
// at two replicas, and no change is lost.
func TestTwoLeadsSwitchAThousandTimes(t *testing.T) {
	t.Parallel()
	const each = 500
	address, _ := redistest.Start(t)
	w := start(t, setup{redis: address, replicas: 2, sim: webexsim.Options{Teams: 1}})
	leads := []string{ben, maria}
	for _, who := range leads {
		w.lead(t, who, "Team 01")
	}
	agents := w.queue(t, "Team 01").Agents
	api := func(n int) string { return w.agentAPI(t, "Team 01", agents[n].Email) }
	paths := make([]string, len(agents))
	for n := range agents {
		paths[n] = api(n)
	}
	want := make([]bool, len(agents))
	changes := make([]int, len(leads)) // what each lead has really changed
	var mu sync.Mutex
	var ids []string
	began := time.Now()
	var wg sync.WaitGroup
	for i, who := range leads {
		b := w.signIn(t, who).at(w.replicas[i])
		wg.Go(func() {
			// Each lead has half of the agents to themselves, so that the end is known; a
			// lost change of either would show in the other's half, too.
			mine := []int{}
			for n := range agents {
				if n%len(leads) == i {
					mine = append(mine, n)
				}
			}
			now := map[int]bool{}
			for _, n := range mine {
				now[n] = agents[n].Joined
			}
			for turn := range each {
				n := mine[turn%len(mine)]
				now[n] = !now[n]
				a := b.put(paths[n], fmt.Sprintf(`{"joined":%t}`, now[n]))
				if a.status != http.StatusOK || a.header.Get("Audit-Id") == "" {
					t.Errorf("turn %d of %s: %d\n%s", turn, who, a.status, a.body)
					return
				}
				var said struct{ Joined bool }
				if err := json.Unmarshal([]byte(a.body), &said); err != nil || said.Joined != now[n] {
					t.Errorf("turn %d of %s is answered with %s", turn, who, a.body)
				}
				mu.Lock()
				ids = append(ids, a.header.Get("Audit-Id"))
				changes[i]++
				mu.Unlock()
			}
			mu.Lock()
			defer mu.Unlock()
			for n, joined := range now {
				want[n] = joined
			}
		})
	}
	wg.Wait()
	t.Logf("%v switches in %s", changes, time.Since(began).Round(time.Millisecond))
	got := make([]bool, len(agents))
	for n, a := range w.queue(t, "Team 01").Agents {
		got[n] = a.Joined
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("who has joined in the end (-want +got):\n%s", diff)
	}
	log := w.replicas[1].Audit
	logged := map[string]bool{}
	err := log.Each(t.Context(), audit.Filter{Setting: "queues"}, func(e audit.Entry) error {
		logged[e.ID] = e.Outcome == audit.Done && e.Role == string(access.Lead)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if !logged[id] {
			t.Errorf("record %s is missing, or not done", id)
		}
	}
	if len(logged) != len(leads)*each || len(ids) != len(leads)*each {
		t.Errorf("%d records of %d switches", len(logged), len(ids))
	}
	if v, err := log.Verify(t.Context()); err != nil || !v.Whole {
		t.Errorf("the chain of the log: %+v, %v", v, err)
	}
}

// Both leads switch the same agent to and fro: what is there in the end is what the
// last record says.
func TestTwoLeadsSwitchTheSameAgent(t *testing.T) {
	t.Parallel()
	address, _ := redistest.Start(t)
	w := start(t, setup{redis: address, replicas: 2})
	var wg sync.WaitGroup
	path := ""
	for i, who := range []string{ben, maria} {
		w.lead(t, who, "Service Berlin")
		path = w.agentAPI(t, "Service Berlin", greta)
		b := w.signIn(t, who).at(w.replicas[i])
		wg.Go(func() {
			for turn := range 20 {
				b.put(path, fmt.Sprintf(`{"joined":%t}`, turn%2 == i)).wants(t, http.StatusOK)
			}
		})
	}
	wg.Wait()
	entries, _, err := w.replicas[0].Audit.Search(t.Context(), audit.Filter{Setting: "queues"}, "", 100)
	if err != nil || len(entries) == 0 {
		t.Fatalf("%d records, %v", len(entries), err)
	}
	joined, _ := w.sim.QueueJoined("Service Berlin", greta)
	if last := string(entries[0].After); strings.Contains(last, `"joined":true`) != joined {
		t.Errorf("joined is %t, the last record says %s", joined, last)
	}
	for i, e := range entries[1:] { // each builds on the one before
		if strings.Contains(string(entries[i].Before), `"joined":true`) != strings.Contains(string(e.After), `"joined":true`) {
			t.Errorf("a record begins where the one before did not end: %s after %s", entries[i].Before, e.After)
		}
	}
}

func TestSwitchingOnTheBoard(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.lead(t, ben, "Service Berlin", "Night Desk")
	b := w.signIn(t, ben)
	board := w.boardURL(t, "Service Berlin")
	joined := func(who string) bool {
		j, _ := w.sim.QueueJoined("Service Berlin", who)
		return j
	}
	card := b.partial(board).wants(t, http.StatusOK)
	gretaID := w.sim.MustPerson(greta).ID
	row := card.form(t, board+"/agents/"+url.PathEscape(gretaID), `name="_fields"`)

	left := b.post(row.with("joined", "false"), true).wants(t, http.StatusOK)
	if joined(greta) || !strings.Contains(left.body, "Saved") {
		t.Errorf("she has not left:\n%s", left.body)
	}
	b.post(left.form(t, board+"/undo/", ""), true).wants(t, http.StatusOK)
	if !joined(greta) {
		t.Error("the undo did not join her again")
	}

	// Several, with the result for each.
	var ids, emails []string
	for _, a := range w.queue(t, "Service Berlin").Agents {
		if err := w.sim.SetQueueJoined("Service Berlin", a.Email, a.Email == greta); err != nil {
			t.Fatal(err)
		}
		if a.Email != greta && len(ids) < 2 {
			ids, emails = append(ids, a.PersonID), append(emails, a.Email)
		}
	}
	trouble := webexsim.Fault{ID: "one", Method: http.MethodPut, Kind: webexsim.FaultStatus, Status: 400, Path: "/telephony/config/queues/agents/" + ids[1] + "/settings"}
	w.sim.SetFault(trouble)
	some := b.submit(board+"/agents", "joined", "true", "agent", ids[0], "agent", ids[1], "agent", gretaID)
	w.sim.ClearFaults()
	if some.status != http.StatusOK || !strings.Contains(some.body, "1 agent has joined. 1 was so already. 1 was not changed:") {
		t.Errorf("some: %d\n%s", some.status, some.body)
	}
	if !joined(emails[0]) || joined(emails[1]) || strings.Count(some.body, `action="`+board+"/undo/") != 1 {
		t.Errorf("joined: %t and %t; %d can be undone", joined(emails[0]), joined(emails[1]), strings.Count(some.body, `action="`+board+"/undo/"))
	}
	all := b.submit(board+"/agents", "joined", "true", "all", "true").wants(t, http.StatusOK)
	for _, a := range w.queue(t, "Service Berlin").Agents {
		if !a.Joined {
			t.Errorf("%s has not joined:\n%s", a.Email, all.body)
		}
	}
	if none := b.submit(board+"/agents", "joined", "true"); none.status != http.StatusOK || !strings.Contains(none.body, "Nobody is ticked") {
		t.Errorf("nobody: %d", none.status)
	}

	// Below the minimum, and before the last one leaves, it asks.
	agents := len(w.queue(t, "Service Berlin").Agents)
	minimum := b.partial(board).form(t, board+"/minimum", `name="minimum"`)
	wrong := b.post(minimum.with("minimum", "many"), true).wants(t, http.StatusUnprocessableEntity)
	if !strings.Contains(wrong.body, `value="many"`) || !strings.Contains(wrong.body, "There is a problem") {
		t.Errorf("a wrong minimum:\n%s", wrong.body)
	}
	set := b.post(minimum.with("minimum", fmt.Sprint(agents)), true).wants(t, http.StatusOK)
	if !strings.Contains(set.body, fmt.Sprintf("%d of %d wanted can take calls", agents, agents)) {
		t.Errorf("the cover is not shown:\n%s", set.body)
	}
	asks := b.post(row.with("joined", "false"), true)
	if asks.status != http.StatusConflict || !joined(greta) || !strings.Contains(asks.body, fmt.Sprintf("%d of %d wanted would be left", agents-1, agents)) {
		t.Fatalf("it does not ask: %d\n%s", asks.status, asks.body)
	}
	anyway := b.post(asks.form(t, board+"/agents/", `name="anyway"`), true).wants(t, http.StatusOK)
	if joined(greta) || !strings.Contains(anyway.body, fmt.Sprintf("%d of %d wanted can take calls", agents-1, agents)) {
		t.Errorf("she did not leave anyway:\n%s", anyway.body)
	}
	night := w.boardURL(t, "Night Desk")
	last := b.submit(night+"/agents", "joined", "false", "all", "true")
	if still, _ := w.sim.QueueJoined("Night Desk", sam); last.status != http.StatusConflict || !still || !strings.Contains(last.body, "Nobody would be left in Night Desk") {
		t.Fatalf("the last one: %d, joined %t\n%s", last.status, still, last.body)
	}
	b.post(last.form(t, night+"/agents", `name="anyway"`), true).wants(t, http.StatusOK)
	if still, _ := w.sim.QueueJoined("Night Desk", sam); still {
		t.Error("the last one did not leave anyway")
	}
}

func TestStaffingOnTheBoard(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.lead(t, ben, "Service Berlin", "Reception Berlin")
	b := w.signIn(t, ben)
	board := w.boardURL(t, "Service Berlin")
	b.get(board+"?js=0").wants(t, http.StatusOK)
	in := func(who string) bool {
		_, agent := w.sim.QueueJoined("Service Berlin", who)
		return agent
	}
	calls := w.calls(func() {
		if found := b.partial(board + "/people?who=mari"); !strings.Contains(found.body, "Maria Rossi") || strings.Contains(found.body, "Greta") {
			t.Errorf("found:\n%s", found.body)
		}
		if one := b.partial(board + "/people?who=m"); strings.Contains(one.body, "<button") {
			t.Errorf("one letter finds somebody:\n%s", one.body)
		}
		if again := b.partial(board + "/people?who=greta"); strings.Contains(again.body, "Greta") {
			t.Errorf("an agent is offered again:\n%s", again.body)
		}
	})
	if len(calls) > 0 {
		t.Errorf("the search asked Webex:\n%s", strings.Join(calls, "\n"))
	}

	// Without JavaScript: a name gives a choice, an address is enough.
	add := b.get(board).form(t, board+"/add", `name="who"`)
	choice := b.post(add.with("who", "maria"), false).wants(t, http.StatusUnprocessableEntity)
	if in(maria) || !strings.Contains(choice.body, "Choose who is meant") || !strings.Contains(choice.body, "Maria Rossi") || !strings.Contains(choice.body, "<title>Error: ") {
		t.Errorf("a name:\n%s", choice.body)
	}
	chosen := b.post(add.with("who", "maria", "person", w.sim.MustPerson(maria).ID), false)
	if chosen.status != http.StatusOK || chosen.at != strings.ReplaceAll(board, "%3D", "=") && chosen.at != board || !in(maria) || !strings.Contains(chosen.body, "Maria Rossi was added to Service Berlin.") {
		t.Errorf("chosen: %d at %s, in: %t", chosen.status, chosen.at, in(maria))
	}
	b.post(chosen.form(t, board+"/undo/", ""), false).wants(t, http.StatusOK)
	if in(maria) {
		t.Error("the undo did not remove her")
	}
	b.post(add.with("who", strings.ToUpper(maria), "person", ""), false).wants(t, http.StatusOK)
	if joined, _ := w.sim.QueueJoined("Service Berlin", maria); !joined {
		t.Error("an address did not add her, or she has not joined at once")
	}
	for who, says := range map[string]string{"noah.quinn@patchbay.example": "Nobody with Webex Calling", "zzzz": "Nobody who could be added is called zzzz", "x": "at least two letters"} {
		if a := b.post(add.with("who", who, "person", ""), true); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, says) {
			t.Errorf("%q: %d, want %q:\n%s", who, a.status, says, a.body)
		}
	}

	remove := board + "/remove/" + url.PathEscape(w.sim.MustPerson(maria).ID)
	asks := b.get(remove).wants(t, http.StatusOK)
	if !strings.Contains(asks.body, "Remove Maria Rossi from Service Berlin?") || !in(maria) {
		t.Errorf("it does not ask:\n%s", asks.body)
	}
	gone := b.post(asks.form(t, remove, "Remove Maria Rossi"), false).wants(t, http.StatusOK)
	if in(maria) || !strings.Contains(gone.body, "Maria Rossi was removed from Service Berlin.") {
		t.Errorf("removed:\n%s", gone.body)
	}
	b.post(gone.form(t, board+"/undo/", ""), false).wants(t, http.StatusOK)
	if joined, agent := w.sim.QueueJoined("Service Berlin", maria); !joined || !agent {
		t.Errorf("after the undo: joined %t, agent %t", joined, agent)
	}

	// Nobody joins or leaves a hunt group.
	h, _ := w.sim.HuntGroup("Reception Berlin")
	hunt := b.partial("/board/"+url.PathEscape(h.ID)).wants(t, http.StatusOK)
	if strings.Contains(hunt.body, `role="switch"`) || strings.Contains(hunt.body, `name="join"`) || !strings.Contains(hunt.body, "/remove/") {
		t.Errorf("a hunt group:\n%s", hunt.body)
	}
	b.submit("/board/"+url.PathEscape(h.ID)+"/add", "person", w.sim.MustPerson(maria).ID).wants(t, http.StatusOK)
	if now, _ := w.sim.HuntGroup("Reception Berlin"); len(now.Members) != len(h.Members)+1 || len(w.sent(http.MethodPut, pathHuntGroup)) != 1 {
		t.Errorf("%d members", len(now.Members))
	}
}

func TestTheBoardAsksForAReason(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.lead(t, ben, "Service Berlin")
	if _, _, err := w.replicas[0].Settings.Access.SetPolicy(t.Context(), w.caller(t, ines), &access.Policy{ReasonRequired: []access.Role{access.Lead}}, access.PolicyOptions{}); err != nil {
		t.Fatal(err)
	}
	w.replicas[0].clock.pass(2 * time.Second)
	b := w.signIn(t, ben)
	board := w.boardURL(t, "Service Berlin")
	page := b.get(board+"?js=0").wants(t, http.StatusOK)
	if strings.Contains(page.body, `role="switch"`) || !strings.Contains(page.body, `name="reason"`) {
		t.Errorf("switches are offered before the reason is known:\n%s", page.body)
	}
	for _, below := range []string{"/agents/" + url.PathEscape(w.sim.MustPerson(greta).ID), "/minimum", "/add"} {
		a := b.submit(board+below, "joined", "false", "anyway", "true", "minimum", "1", "who", maria)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "Give a reason") {
			t.Errorf("%s without a reason: %d\n%s", below, a.status, a.body)
		}
	}
	with := b.get(board+"?reason=ticket+48213").wants(t, http.StatusOK)
	f := with.form(t, board+"/agents/"+url.PathEscape(w.sim.MustPerson(greta).ID), `name="_fields"`)
	b.post(f.with("joined", "false"), false).wants(t, http.StatusOK)
	entries, _, err := w.replicas[0].Audit.Search(t.Context(), audit.Filter{Setting: "queues"}, "", 1)
	if err != nil || len(entries) != 1 || entries[0].Reason != "ticket 48213" || entries[0].Outcome != audit.Done {
		t.Errorf("the record: %+v, %v", entries, err)
	}
}

func TestTheBoardMeetsTrouble(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.lead(t, ben, "Service Berlin")
	b := w.signIn(t, ben)
	board := w.boardURL(t, "Service Berlin")
	w.sim.SetFault(webexsim.Fault{Method: http.MethodGet, Path: pathQueue, Kind: webexsim.FaultStatus, Status: 500})
	failed := b.partial(board)
	if failed.status != http.StatusOK || !strings.Contains(failed.body, "Service Berlin could not be read.") || !strings.Contains(failed.body, "Try again") || strings.Contains(failed.body, canary) {
		t.Errorf("a card that cannot be read: %d\n%s", failed.status, failed.body)
	}
	w.sim.ClearFaults()
	row := b.partial(board).form(t, board+"/agents/"+url.PathEscape(w.sim.MustPerson(greta).ID), `name="_fields"`)
	w.sim.SetFault(webexsim.Fault{Method: http.MethodPut, Path: pathJoin, Kind: webexsim.FaultStatus, Status: 400})
	refused := b.post(row.with("joined", "false", "anyway", "true"), true)
	_, after, _ := strings.Cut(refused.body, "Greta Holm")
	if form, _, _ := strings.Cut(after, "</form>"); refused.status != http.StatusConflict || !strings.Contains(form, " checked") || !strings.Contains(refused.body, "Webex does not accept this change") {
		t.Errorf("a switch that Webex refuses: %d\n%s", refused.status, refused.body)
	}
}

// What a lead may not reach is not there, however it is named, and it is in the log.
func TestLeadsReachNothingElse(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.lead(t, ben, "Service Berlin", "Reception Berlin")
	b := w.signIn(t, ben).once()
	ventas, service := w.queue(t, "Ventas Madrid"), w.queue(t, "Service Berlin")
	support, _ := w.sim.HuntGroup("IT Support Berlin")
	strange := w.sim.MustPerson(ana)
	written := w.signIn(t, ines).put(w.agentAPI(t, "Ventas Madrid", ana), `{"joined":true}`).wants(t, http.StatusOK).header.Get("Audit-Id")
	before := [2]any{w.sim.Queues(), w.sim.HuntGroups()}
	var tries []request
	for _, id := range []string{ventas.ID, ventas.ID + "==", support.ID, "nonsense"} {
		q := "/board/" + url.PathEscape(id)
		tries = append(tries,
			request{method: "GET", path: q}, request{method: "GET", path: q + "?fresh=1"}, request{method: "GET", path: q + "/people?who=an"},
			request{method: "GET", path: q + "/remove/" + url.PathEscape(strange.ID)}, request{method: "POST", path: q + "/remove/" + url.PathEscape(strange.ID)},
			request{method: "POST", path: q + "/agents", body: form("agent", strange.ID, "joined", "false", "anyway", "true")},
			request{method: "POST", path: q + "/agents", body: form("all", "true", "joined", "true")},
			request{method: "POST", path: q + "/agents/" + url.PathEscape(strange.ID), body: form("joined", "false", "anyway", "true")},
			request{method: "POST", path: q + "/add", body: form("person", strange.ID)}, request{method: "POST", path: q + "/minimum", body: form("minimum", "0")},
			request{method: "POST", path: q + "/undo/" + written},
			request{method: "GET", path: "/api/queues/" + url.PathEscape(id) + "/agents"},
			request{method: "PUT", path: "/api/queues/" + url.PathEscape(id) + "/minimum", body: `{"minimum":3}`},
		)
	}
	own := "/board/" + url.PathEscape(service.ID)
	tries = append(tries,
		// The queue is the lead's, the agent or the record is not.
		request{method: "GET", path: own + "/remove/" + url.PathEscape(strange.ID)}, request{method: "POST", path: own + "/remove/" + url.PathEscape(strange.ID)},
		request{method: "POST", path: own + "/agents/" + url.PathEscape(strange.ID), body: form("joined", "true")},
		request{method: "POST", path: own + "/agents", body: form("agent", strange.ID, "joined", "true")},
		request{method: "POST", path: own + "/undo/" + written},
		request{method: "PUT", path: w.agentAPI(t, "Service Berlin", ana), body: `{"joined":true}`},
		request{method: "DELETE", path: w.agentAPI(t, "Service Berlin", ana)},
		request{method: "POST", path: "/api/history/" + written + "/undo"},
	)
	for _, try := range tries {
		w.mustBeRefused(t, b, "the lead", try)
	}
	// Elsewhere an id changes nothing.
	b.submit(own+"/minimum?queue="+url.QueryEscape(ventas.ID), "minimum", "1", "queue", ventas.ID, "_card", "board").wants(t, http.StatusOK)
	b.json(http.MethodPut, w.agentAPI(t, "Service Berlin", greta), `{"joined":true,"queue":"`+ventas.ID+`"}`).wants(t, http.StatusUnprocessableEntity)
	b.json(http.MethodGet, "/api/queues", "", "X-Queue-Id", ventas.ID)
	if a := b.get("/api/queues?queue=" + url.QueryEscape(ventas.ID)); strings.Contains(a.body, ventas.ID) {
		t.Error("a query shows another queue")
	}
	if diff := cmp.Diff(before, [2]any{w.sim.Queues(), w.sim.HuntGroups()}); diff != "" {
		t.Errorf("something was changed:\n%s", diff)
	}
	if a := w.signIn(t, ines).get("/api/queues"); !strings.Contains(a.body, ventas.ID) || strings.Count(a.body, `"minimum":1`) != 1 {
		t.Errorf("the minimum went elsewhere: %s", a.body)
	}
}

// boardAnswers asks everything of the API of queues; hold holds it against its
// description.
func (w *world) boardAnswers(t *testing.T, hold func(b *browser, wrong bool) *browser) {
	t.Helper()
	w.lead(t, maria, "Service Berlin", "Reception Berlin")
	lead := w.signIn(t, maria)
	c, b := hold(lead, false), hold(lead, true)
	h, _ := w.sim.HuntGroup("Reception Berlin")
	queues := c.get("/api/queues").wants(t, http.StatusOK).list(t)
	if len(queues) != 2 {
		t.Fatalf("%v", queues)
	}
	for _, one := range queues {
		if q := one.(map[string]any); q["kind"] == "huntGroup" && (q["agents"] != nil || q["joined"] != nil) {
			t.Errorf("counts that nobody has read: %v", q)
		}
	}
	agents := c.get("/api/queues/"+url.PathEscape(w.queue(t, "Service Berlin").ID)+"/agents").wants(t, http.StatusOK).list(t)
	if len(agents) != len(w.queue(t, "Service Berlin").Agents) {
		t.Errorf("%d agents", len(agents))
	}
	hunt := c.get("/api/queues/"+url.PathEscape(h.ID)+"/agents").wants(t, http.StatusOK).list(t)
	if one := hunt[0].(map[string]any); one["joined"] != nil {
		t.Errorf("a member of a hunt group: %v", one)
	}
	for _, one := range c.get("/api/queues").wants(t, http.StatusOK).list(t) {
		q := one.(map[string]any)
		if q["agents"] == nil || (q["joined"] == nil) != (q["kind"] == "huntGroup") {
			t.Errorf("the counts: %v", q)
		}
	}
	path := w.agentAPI(t, "Service Berlin", lena)
	if a := c.json(http.MethodPost, path, `{"joined":true}`).wants(t, http.StatusOK); a.header.Get("Audit-Id") == "" || a.object(t)["joined"] != true {
		t.Errorf("added: %s", a.body)
	}
	if a := c.json(http.MethodPost, path, "").wants(t, http.StatusOK); a.header.Get("Audit-Id") != "" || a.object(t)["joined"] != true {
		t.Errorf("added again: %s", a.body)
	}
	if a := c.json(http.MethodPut, path+"?reason=lunch", `{"joined":false}`).wants(t, http.StatusOK); a.object(t)["joined"] != false {
		t.Errorf("left: %s", a.body)
	}
	if a := c.json(http.MethodDelete, path, "").wants(t, http.StatusNoContent); a.header.Get("Audit-Id") == "" {
		t.Error("no record of the removal")
	}
	c.json(http.MethodDelete, path, "").wants(t, http.StatusNotFound)
	c.json(http.MethodPut, "/api/queues/"+url.PathEscape(h.ID)+"/agents/"+url.PathEscape(w.sim.MustPerson(greta).ID), `{"joined":false}`).wants(t, http.StatusConflict)
	minimum := "/api/queues/" + url.PathEscape(w.queue(t, "Service Berlin").ID) + "/minimum"
	if a := c.json(http.MethodPut, minimum, `{"minimum":3}`).wants(t, http.StatusOK); a.object(t)["minimum"] != 3.0 || a.header.Get("Audit-Id") == "" {
		t.Errorf("the minimum: %s", a.body)
	}
	for _, wrong := range []string{`{}`, `{"minimum":-1}`, `{"minimum":"3"}`, `{"minimum":2.5}`, `{"minimum":1,"queue":"x"}`} {
		b.json(http.MethodPut, minimum, wrong).wants(t, http.StatusUnprocessableEntity)
	}
	for _, wrong := range []string{`{}`, `{"joined":"yes"}`, `{"joined":true,"weight":"5"}`} {
		b.json(http.MethodPost, path, wrong).wants(t, http.StatusUnprocessableEntity)
	}
}
