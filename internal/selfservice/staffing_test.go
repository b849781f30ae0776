package selfservice_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
	"patchbay/internal/webexsim"
)

// the queue of the stories whose agents have weights.
const weighted = "Accounts Payable Questions and Supplier Master Data (EMEA)"

var none selfservice.WriteOptions

// others are the agents of a queue without one of them.
func (w *world) others(queue, who string) []webexsim.AgentInfo {
	return slices.DeleteFunc(w.queue(queue).Agents, func(a webexsim.AgentInfo) bool { return a.Email == who })
}

// agent is one of a queue's agents.
func (w *world) agent(queue, who string) (webexsim.AgentInfo, bool) {
	agents := w.queue(queue).Agents
	i := slices.IndexFunc(agents, func(a webexsim.AgentInfo) bool { return a.Email == who })
	if i < 0 {
		return webexsim.AgentInfo{}, false
	}
	return agents[i], true
}

// code is what kind of problem an error is.
func code(err error) problem.Code {
	var p *problem.Error
	if !errors.As(err, &p) {
		return 0
	}
	return p.Code
}

func key(err error) string {
	var p *problem.Error
	if !errors.As(err, &p) {
		return fmt.Sprint(err)
	}
	if len(p.Fields) > 0 {
		return p.Fields[0].Detail.Key
	}
	return p.Public.Key
}

func TestStaffingLeavesTheOthersAsTheyAre(t *testing.T) {
	t.Parallel()
	w := start(t, webexsim.Options{})
	for name, tt := range map[string]struct {
		queue string
		want  webexsim.AgentInfo // of who is added
	}{
		"a plain queue":                {"Service Berlin", webexsim.AgentInfo{Joined: true}},
		"a queue with weights":         {weighted, webexsim.AgentInfo{Joined: true, Weight: "0"}},
		"where agents may not join":    {"Switchboard", webexsim.AgentInfo{Joined: true}},
		"a queue with Customer Assist": {"Priority Care", webexsim.AgentInfo{Joined: true, Skill: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			who := maria
			if tt.queue == "Priority Care" {
				who = w.assistant(t, tt.queue)
			}
			before := w.queue(tt.queue).Agents
			added, err := w.Settings.AddAgent(t.Context(), w.admin(), w.queue(tt.queue).ID, who, true, none)
			if err != nil || added.RecordID == "" {
				t.Fatalf("added: %+v, %v", added.RecordID, err)
			}
			tt.want.PersonID, tt.want.Email = w.id(who), who
			if diff := cmp.Diff(append(slices.Clone(before), tt.want), w.queue(tt.queue).Agents); diff != "" {
				t.Errorf("after adding (-want +got):\n%s", diff)
			}
			again, err := w.Settings.AddAgent(t.Context(), w.admin(), w.queue(tt.queue).ID, who, true, none)
			if err != nil || again.RecordID != "" {
				t.Errorf("added again: %q, %v", again.RecordID, err)
			}
			removed, err := w.Settings.RemoveAgent(t.Context(), w.admin(), w.queue(tt.queue).ID, w.id(who), none)
			if err != nil || removed.RecordID == "" {
				t.Fatalf("removed: %v", err)
			}
			if diff := cmp.Diff(before, w.queue(tt.queue).Agents); diff != "" {
				t.Errorf("after removing (-want +got):\n%s", diff)
			}
		})
	}
	// What Webex demands with the list goes back as it was read.
	for _, body := range w.writes(pathQueue) {
		if !strings.Contains(body, `"welcomeMessage":{"`) || strings.Contains(body, "isTransferNumberSet") {
			t.Errorf("the queue's settings: %s", body)
		}
	}
}

// assistant finds somebody with the licence of Customer Assist who is not in the queue.
func (w *world) assistant(t *testing.T, queue string) string {
	t.Helper()
	for _, q := range w.sim.Queues() {
		for _, a := range q.Agents {
			if _, in := w.agent(queue, a.Email); q.Assist && !in {
				return a.Email
			}
		}
	}
	t.Fatal("nobody else has the licence")
	return ""
}

func TestUndoOfStaffing(t *testing.T) {
	t.Parallel()
	w := start(t, webexsim.Options{})
	queue := w.queue("Priority Care")
	before, _ := w.agent("Priority Care", ana)
	if !before.Joined || before.Skill == 0 {
		t.Fatalf("%+v shows too little", before)
	}
	removed, err := w.Settings.RemoveAgent(t.Context(), w.admin(), queue.ID, w.id(ana), none)
	if err != nil {
		t.Fatal(err)
	}
	if board, err := w.Settings.Board(t.Context(), w.admin(), queue.ID, time.Hour); err != nil || len(board.Agents) != len(queue.Agents)-1 {
		t.Errorf("the board shows %d agents, %v", len(board.Agents), err)
	}
	undone, err := w.Settings.Undo(t.Context(), w.admin(), selfservice.Subject{}, removed.RecordID, none)
	if err != nil {
		t.Fatal(err)
	}
	if now, _ := w.agent("Priority Care", ana); now != before {
		t.Errorf("%+v came back, it was %+v", now, before)
	}
	if board, err := w.Settings.Board(t.Context(), w.admin(), queue.ID, time.Hour); err != nil || len(board.Agents) != len(queue.Agents) {
		t.Errorf("after the undo the board shows %d agents, %v", len(board.Agents), err)
	}
	// The undo itself is undone, and then somebody else has changed it again.
	if _, err := w.Settings.Undo(t.Context(), w.admin(), selfservice.Subject{}, undone.RecordID, none); err != nil {
		t.Errorf("the undo of the undo: %v", err)
	}
	if _, in := w.agent("Priority Care", ana); in {
		t.Error("the undo of the undo did not remove her")
	}
	added, err := w.Settings.AddAgent(t.Context(), w.admin(), queue.ID, ana, false, none)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.sim.SetQueueJoined("Priority Care", ana, true); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Settings.Undo(t.Context(), w.caller(ben, access.Lead, access.Scope{Queues: []string{w.queue("Sales Hotline").ID}}), selfservice.Subject{}, added.RecordID, none); code(err) != problem.NotFound {
		t.Errorf("the lead of another queue undid it: %v", err)
	}

	// The weight comes back, too.
	sole := w.queue(weighted)
	one := slices.IndexFunc(sole.Agents, func(a webexsim.AgentInfo) bool { return a.Email == tom })
	if _, err := w.Settings.RemoveAgent(t.Context(), w.admin(), sole.ID, w.id(tom), none); key(err) != "board.weight" {
		t.Errorf("somebody with a weight of %q was removed: %v", sole.Agents[one].Weight, err)
	}
	light, err := w.Settings.AddAgent(t.Context(), w.admin(), sole.ID, maria, false, none)
	if err != nil {
		t.Fatal(err)
	}
	gone, err := w.Settings.RemoveAgent(t.Context(), w.admin(), sole.ID, w.id(maria), none)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Settings.Undo(t.Context(), w.admin(), selfservice.Subject{}, gone.RecordID, none); err != nil {
		t.Fatal(err)
	}
	if now, in := w.agent(weighted, maria); !in || now.Weight != "0" || now.Joined {
		t.Errorf("after the undo: %+v", now)
	}
	if _, err := w.Settings.Undo(t.Context(), w.admin(), selfservice.Subject{}, light.RecordID, none); err != nil {
		t.Errorf("the undo of adding: %v", err)
	}
	if diff := cmp.Diff(sole.Agents, w.queue(weighted).Agents); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
}

func TestWhoCannotBeAdded(t *testing.T) {
	t.Parallel()
	w := start(t, webexsim.Options{People: 150})
	for i, n := 0, 50-len(w.queue("Switchboard").Agents); i < n; { // as many as ring at once
		for _, p := range w.sim.People(150) {
			if _, in := w.agent("Switchboard", p.Email); p.Calling && !in && i < n && p.Email != maria {
				if _, err := w.Settings.AddAgent(t.Context(), w.admin(), w.queue("Switchboard").ID, p.ID, false, none); err != nil {
					t.Fatal(err)
				}
				i++
			}
		}
	}
	lead := w.caller(ben, access.Lead, access.Scope{Queues: []string{w.queue("Service Berlin").ID}})
	auditor := w.caller(lena, access.Auditor, access.Scope{Organization: true})
	tests := map[string]struct {
		by         access.Caller
		queue, who string
		code       problem.Code
		key        string
	}{
		"somebody without Calling":          {w.admin(), "Service Berlin", noah, problem.Invalid, "board.noPerson"},
		"nobody":                            {w.admin(), "Service Berlin", "", problem.Invalid, "board.noPerson"},
		"an address that there is not":      {w.admin(), "Service Berlin", "x@patchbay.example", problem.Invalid, "board.noPerson"},
		"one more than ring at once":        {w.admin(), "Switchboard", maria, problem.Conflict, "board.full"},
		"no licence for Customer Assist":    {w.admin(), "Priority Care", greta, problem.Conflict, "board.assist"},
		"by the lead of another queue":      {lead, "Sales Hotline", maria, problem.NotFound, "queues.notFound"},
		"by somebody who only reads":        {auditor, "Service Berlin", maria, problem.Forbidden, "web.forbidden"},
		"by a user":                         {access.NewCaller(w.id(greta), "Greta Holm"), "Service Berlin", maria, problem.NotFound, "queues.notFound"},
		"to a queue that there is not":      {w.admin(), "", maria, problem.NotFound, "queues.notFound"},
		"by a lead of the same queue's id ": {w.caller(ben, access.Lead, access.Scope{HuntGroups: []string{w.queue("Service Berlin").ID}}), "Service Berlin", maria, problem.NotFound, "queues.notFound"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			id := "nowhere"
			if tt.queue != "" {
				id = w.queue(tt.queue).ID
			}
			before := w.sim.Queues()
			_, err := w.Settings.AddAgent(t.Context(), tt.by, id, tt.who, true, none)
			if code(err) != tt.code || key(err) != tt.key {
				t.Errorf("%v, want code %v and %s", err, tt.code, tt.key)
			}
			if diff := cmp.Diff(before, w.sim.Queues()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Adding and removing replaces the whole list: what happens at the same time must not
// be lost.
func TestNothingIsLostWhenManyChangeOneQueue(t *testing.T) {
	t.Parallel()
	w := start(t, webexsim.Options{})
	const name = "Sales Hotline"
	queue := w.queue(name)
	added := []string{maria, lena}
	removed := []string{queue.Agents[0].Email, queue.Agents[1].Email}
	want := map[string]bool{}
	var switched []webexsim.AgentInfo
	for _, a := range queue.Agents[2:] {
		want[a.Email] = !a.Joined
		switched = append(switched, a)
	}
	for _, who := range added {
		want[who] = true
	}
	var wg sync.WaitGroup
	try := func(what string, do func() error) {
		wg.Go(func() {
			if err := do(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
	for _, who := range added {
		try("add", func() error {
			_, err := w.Settings.AddAgent(t.Context(), w.admin(), queue.ID, who, true, none)
			return err
		})
	}
	for _, who := range removed {
		try("remove", func() error {
			_, err := w.Settings.RemoveAgent(t.Context(), w.admin(), queue.ID, w.id(who), none)
			return err
		})
	}
	for _, a := range switched {
		try("switch", func() error {
			list, err := w.Settings.SwitchAgents(t.Context(), w.admin(), queue.ID, []string{a.PersonID}, !a.Joined, none)
			if err != nil {
				return err
			}
			return list[0].Err
		})
	}
	wg.Wait()
	got := map[string]bool{}
	for _, a := range w.queue(name).Agents {
		got[a.Email] = a.Joined
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("who has joined (-want +got):\n%s", diff)
	}
}

// A switch that Webex carries out slowly is not undone by a list that was read before.
func TestAListIsNotReplacedWhileSomebodyIsSwitched(t *testing.T) {
	t.Parallel()
	w := start(t, webexsim.Options{})
	queue := w.queue("Service Berlin")
	w.sim.SetFault(webexsim.Fault{Method: http.MethodPut, Path: "/telephony/config/queues/agents/{id}/settings", Kind: webexsim.FaultDelay, Delay: 400 * time.Millisecond})
	done := make(chan error, 1)
	go func() {
		list, err := w.Settings.SwitchAgents(t.Context(), w.admin(), queue.ID, []string{w.id(greta)}, false, none)
		if err == nil {
			err = list[0].Err
		}
		done <- err
	}()
	for until := time.Now().Add(10 * time.Second); len(w.writes("/telephony/config/queues/agents/{id}/settings")) == 0 && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
	}
	if _, err := w.Settings.AddAgent(t.Context(), w.admin(), queue.ID, maria, false, none); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if now, _ := w.agent("Service Berlin", greta); now.Joined {
		t.Error("the switch was undone by the list of agents")
	}
	if _, in := w.agent("Service Berlin", maria); !in {
		t.Error("nobody was added")
	}
}

func TestControlHubWritesAtTheSameMoment(t *testing.T) {
	t.Parallel()
	w := start(t, webexsim.Options{})
	queue := w.queue("Service Berlin")
	w.sim.SetFault(webexsim.Fault{Method: http.MethodPut, Path: pathQueue, Kind: webexsim.FaultDelay, Delay: time.Second})
	go func() {
		for {
			if _, in := w.sim.QueueJoined("Service Berlin", maria); in {
				_ = w.sim.RemoveAgent("Service Berlin", maria) // it was just seen there
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	added, err := w.Settings.AddAgent(t.Context(), w.admin(), queue.ID, maria, true, none)
	if code(err) != problem.Conflict || key(err) != "board.overwritten" {
		t.Errorf("added: %v", err)
	}
	page, err := w.Settings.SearchLog(t.Context(), w.admin(), selfservice.LogQuery{Filter: audit.Filter{Setting: selfservice.AgentsName}}, "", 5)
	if err != nil || len(page.Records) != 1 || page.Records[0].ID != added.RecordID || page.Records[0].Outcome != audit.Failed {
		t.Errorf("the log has %+v, %v", page.Records, err)
	}
}

func TestStaffingOfHuntGroups(t *testing.T) {
	t.Parallel()
	w := start(t, webexsim.Options{})
	reception, support := w.huntGroup("Reception Berlin"), w.huntGroup("IT Support Berlin")
	lead := w.caller(ben, access.Lead, access.Scope{HuntGroups: []string{reception.ID, support.ID}})
	added, err := w.Settings.AddAgent(t.Context(), lead, reception.ID, maria, true, none)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append(slices.Clone(reception.Members), webexsim.HuntGroupMember{PersonID: w.id(maria), Email: maria}), w.huntGroup(reception.ID).Members); diff != "" {
		t.Errorf("after adding (-want +got):\n%s", diff)
	}
	var sent struct{ Agents []map[string]any }
	if err := json.Unmarshal([]byte(w.writes(pathHuntGroup)[0]), &sent); err != nil || sent.Agents[0]["joinEnabled"] != nil {
		t.Errorf("sent %v, %v: a hunt group knows no joining", sent, err)
	}
	if _, err := w.Settings.Undo(t.Context(), lead, selfservice.Subject{}, added.RecordID, none); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(reception.Members, w.huntGroup(reception.ID).Members); diff != "" {
		t.Errorf("after the undo (-want +got):\n%s", diff)
	}
	if _, err := w.Settings.SwitchAgents(t.Context(), lead, reception.ID, []string{w.id(greta)}, false, none); key(err) != "board.huntGroup" {
		t.Errorf("somebody left a hunt group: %v", err)
	}
	if _, err := w.Settings.RemoveAgent(t.Context(), lead, support.ID, w.id(greta), none); key(err) != "board.weight" {
		t.Errorf("somebody with a weight was removed: %v", err)
	}
	if _, err := w.Settings.RemoveAgent(t.Context(), lead, reception.ID, w.id(maria), none); code(err) != problem.NotFound {
		t.Errorf("who is not there was removed: %v", err)
	}
	if _, err := w.Settings.RemoveAgent(t.Context(), lead, reception.ID, w.id(greta), none); err != nil {
		t.Error(err)
	}
	board, err := w.Settings.Board(t.Context(), lead, reception.ID, 0)
	if err != nil || board.MaySwitch || !board.MayStaff || board.Joined() != len(reception.Members)-1 {
		t.Errorf("the board of a hunt group: %+v, %v", board, err)
	}
}

func minimum(n int) selfservice.Document {
	return selfservice.Document{"minimum": json.Number(strconv.Itoa(n))}
}

func TestMinimumCover(t *testing.T) {
	t.Parallel()
	w := start(t, webexsim.Options{})
	queue := w.queue("Service Berlin")
	lead := w.caller(ben, access.Lead, access.Scope{Queues: []string{queue.ID}})
	set, err := w.Settings.SetMinimum(t.Context(), lead, queue.ID, minimum(4), selfservice.WriteOptions{Reason: "holidays"})
	if err != nil || set.RecordID == "" {
		t.Fatal(err)
	}
	if again, err := w.Settings.SetMinimum(t.Context(), lead, queue.ID, minimum(4), none); err != nil || again.RecordID != "" {
		t.Errorf("the same again: %q, %v", again.RecordID, err)
	}
	board, err := w.Settings.Board(t.Context(), lead, queue.ID, 0)
	if err != nil || board.Minimum != 4 {
		t.Errorf("%+v, %v", board, err)
	}
	if got := board.Without([]string{w.id(greta)}); got.Reachable() != board.Reachable()-1 || board.Joined() != got.Joined()+1 {
		t.Errorf("without Greta %d of %d can take calls", got.Reachable(), board.Reachable())
	}
	for _, n := range []int{-1, 1001} {
		if _, err := w.Settings.SetMinimum(t.Context(), lead, queue.ID, minimum(n), none); code(err) != problem.Invalid {
			t.Errorf("%d was taken: %v", n, err)
		}
	}
	if _, err := w.Settings.SetMinimum(t.Context(), lead, w.queue("Sales Hotline").ID, minimum(1), none); code(err) != problem.NotFound {
		t.Errorf("of another queue: %v", err)
	}
	if _, err := w.Settings.SetMinimum(t.Context(), w.caller(lena, access.Auditor, access.Scope{Organization: true}), queue.ID, minimum(1), none); code(err) != problem.Forbidden {
		t.Errorf("by an auditor: %v", err)
	}
	if _, err := w.Settings.Undo(t.Context(), lead, selfservice.Subject{}, set.RecordID, none); err != nil {
		t.Error(err)
	}
	if got := w.Settings.Minima(t.Context(), []selfservice.Queue{board.Queue})[board.ID]; got != 0 {
		t.Errorf("after the undo the minimum is %d", got)
	}
}

func TestWhetherAgentsAreAway(t *testing.T) {
	t.Parallel()
	w := start(t, webexsim.Options{})
	queue := w.queue("Service Berlin")
	if err := w.sim.SetSetting(greta, "doNotDisturb", `{"enabled":true}`); err != nil {
		t.Fatal(err)
	}
	other := w.others("Service Berlin", greta)[0]
	if err := w.sim.SetSetting(other.Email, "callForwarding", `{"callForwarding":{"always":{"enabled":true,"destination":"1000"}}}`); err != nil {
		t.Fatal(err)
	}
	board, err := w.Settings.Board(t.Context(), w.admin(), queue.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if a, _ := board.Agent(w.id(greta)); a.Away != selfservice.AwayUnknown {
		t.Errorf("nobody has looked, and she is %q", a.Away)
	}
	w.sim.ClearRequests()
	if err := w.Settings.RefreshBoards(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(w.sim.Requests()); n != 2*len(queue.Agents) {
		t.Errorf("%d calls for %d agents", n, len(queue.Agents))
	}
	board, err = w.Settings.Board(t.Context(), w.admin(), queue.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]selfservice.Away{greta: selfservice.Disturbed, other.Email: selfservice.Forwarded, w.queue("Service Berlin").Agents[2].Email: selfservice.Here} {
		if a, _ := board.Agent(w.id(who)); who != other.Email && a.Away != want && a.Away != selfservice.Forwarded || a.AwayAt.IsZero() {
			t.Errorf("%s is %q, want %q", who, a.Away, want)
		}
	}
	w.sim.ClearRequests()
	if err := w.Settings.RefreshBoards(t.Context()); err != nil || len(w.sim.Requests()) != 0 {
		t.Errorf("read again at once: %v, %d calls", err, len(w.sim.Requests()))
	}
}
