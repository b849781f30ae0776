package portal_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/internal/access"
	"patchbay/internal/webexsim"
)

// A role that is revoked while a change waits for Webex does not carry it out.
func TestARevokedRoleEndsWhatHasNotBegun(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	r := w.replicas[0]
	w.lead(t, ben, "Service Berlin")
	w.help(t, maria)
	lead, helper, admin := w.signIn(t, ben), w.signIn(t, maria), w.signIn(t, ines)
	q := w.queue(t, "Service Berlin")
	i := slices.IndexFunc(q.Agents, func(a webexsim.AgentInfo) bool { return a.Email == greta })
	agent, joined := q.Agents[i].PersonID, q.Agents[i].Joined
	agentAPI := "/api/queues/" + url.PathEscape(q.ID) + "/agents/" + url.PathEscape(agent)
	helperAPI := w.person("/api", greta) + "/settings/callWaiting"
	lead.get(strings.TrimSuffix(agentAPI, "/"+url.PathEscape(agent))).wants(t, http.StatusOK)
	waiting := w.setting(t, greta, "callWaiting")["enabled"] == true

	const pathAgent = "/telephony/config/queues/agents/{id}"
	w.sim.SetFault(webexsim.Fault{ID: "queue", Method: http.MethodGet, Path: pathAgent, Kind: webexsim.FaultDelay, Delay: 4 * time.Second})
	w.sim.SetFault(webexsim.Fault{ID: "waiting", Method: http.MethodGet, Path: pathWaiting, Kind: webexsim.FaultDelay, Delay: 4 * time.Second})
	w.sim.ClearRequests()
	answers := make(chan answer, 2)
	go func() { answers <- lead.put(agentAPI, fmt.Sprintf(`{"joined":%t}`, !joined)) }()
	go func() { answers <- helper.put(helperAPI, fmt.Sprintf(`{"enabled":%t}`, !waiting)) }()
	eventually(t, "both to wait for Webex", func() bool {
		return len(w.sent(http.MethodGet, pathAgent)) > 0 && len(w.sent(http.MethodGet, pathWaiting)) > 0
	})
	for _, g := range admin.grants("") {
		admin.json(http.MethodDelete, "/api/grants/"+g["id"].(string), "").wants(t, http.StatusNoContent)
	}
	r.clock.pass(2 * time.Second)
	for range 2 {
		if a := <-answers; a.status != http.StatusForbidden && a.status != http.StatusNotFound {
			t.Errorf("the change was answered with %d %s", a.status, a.body)
		}
	}
	w.sim.ClearFaults()
	if now, _ := w.sim.QueueJoined("Service Berlin", greta); now != joined {
		t.Error("who is no lead any more has switched an agent")
	}
	if now := w.setting(t, greta, "callWaiting")["enabled"] == true; now != waiting {
		t.Error("who is no helper any more has changed a setting")
	}
	if list := admin.searched(t, "subject", greta, "outcome", "done"); slices.ContainsFunc(list, func(e entry) bool { return e.Setting == "queues" || e.Setting == "callWaiting" }) {
		t.Errorf("the log has %v", linesOf(list))
	}
}

// setPolicy sets the policy, and every replica knows it.
func (w *world) setPolicy(t *testing.T, policy string) {
	t.Helper()
	w.signIn(t, ines).put("/api/policy", policy).wants(t, http.StatusOK)
	for _, r := range w.replicas {
		r.clock.pass(2 * time.Second)
	}
}

// The policy of queues holds on the board, for agents and in undo.
func TestThePolicyOfQueuesHoldsOnTheBoard(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.lead(t, ben, "Service Berlin")
	admin, lead := w.signIn(t, ines), w.signIn(t, ben)
	q := w.queue(t, "Service Berlin")
	board := "/api/queues/" + url.PathEscape(q.ID) + "/agents"
	agent := board + "/" + url.PathEscape(q.Agents[0].PersonID)
	record := admin.put(agent, fmt.Sprintf(`{"joined":%t}`, !q.Agents[0].Joined)).wants(t, http.StatusOK).header.Get("Audit-Id")

	w.setPolicy(t, `{"default":{"queues":{"administrator":"read"}}}`)
	admin.get(board).wants(t, http.StatusOK)
	checkProblem(t, "a switch", admin.put(agent, `{"joined":true}`), http.StatusForbidden)
	checkProblem(t, "an addition", admin.json(http.MethodPost, board+"/"+url.PathEscape(w.sim.MustPerson(tom).ID), ""), http.StatusForbidden)
	checkProblem(t, "a removal", admin.json(http.MethodDelete, agent, ""), http.StatusForbidden)
	checkProblem(t, "an undo", admin.json(http.MethodPost, "/api/history/"+record+"/undo", ""), http.StatusForbidden)
	lead.put(agent, fmt.Sprintf(`{"joined":%t}`, q.Agents[0].Joined)).wants(t, http.StatusOK) // of leads it says nothing

	w.setPolicy(t, `{"default":{"queues":{"administrator":"hidden"}}}`)
	checkProblem(t, "a hidden queue", admin.get(board), http.StatusNotFound)
	if list := admin.get("/api/queues").wants(t, http.StatusOK).body; strings.Contains(list, "Service Berlin") {
		t.Errorf("hidden queues are listed: %s", list)
	}
}

// What the policy hides is told by no history and no log, only that something changed.
func TestHistoryDoesNotTellWhatIsHidden(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.known(t)
	w.grant(t, raj, access.Auditor, access.Scope{Organization: true})
	admin, own, auditor := w.signIn(t, ines), w.signIn(t, greta), w.signIn(t, raj)
	const secret = "+4930999999"
	admin.put(w.person("/api", greta)+"/settings/callForwarding?reason=ticket+9", `{"callForwarding":{"always":{"enabled":true,"destination":"`+secret+`"}}}`).wants(t, http.StatusOK)
	w.setPolicy(t, `{"default":{"callForwarding":{"user":"hidden","auditor":"hidden"}}}`)
	for _, reader := range []struct {
		who   *browser
		paths []string
	}{
		{own, []string{"/api/me/history", "/history?js=0", "/cards/history?page=history", "/"}},
		{auditor, []string{"/api/log", "/log", "/log/export?format=csv", "/log/export?format=jsonl", w.person("/api", greta) + "/history", w.person("", greta) + "/history?js=0"}},
	} {
		for _, path := range reader.paths {
			a := reader.who.get(path).wants(t, http.StatusOK)
			if strings.Contains(a.body, "999999") || strings.Contains(a.body, "30 99") || strings.Contains(a.body, "turned on") {
				t.Errorf("%s tells what is hidden:\n%s", path, a.body)
			}
			if told := path != "/" && !strings.HasPrefix(path, "/cards"); told && (!strings.Contains(a.body, "Ines Keller") && !strings.Contains(a.body, "by you") || !strings.Contains(a.body, "ticket 9")) {
				t.Errorf("%s does not tell who it was:\n%s", path, a.body)
			}
		}
	}
	if a := admin.get("/api/log").wants(t, http.StatusOK); !strings.Contains(a.body, secret) {
		t.Error("the log does not tell the administrator, from whom nothing is hidden")
	}

	// Queues are hidden with their minimum and who was added, phones with their names.
	queue := w.queue(t, "Service Berlin").ID
	admin.put("/api/queues/"+url.PathEscape(queue)+"/minimum", `{"minimum":3}`).wants(t, http.StatusOK)
	admin.json(http.MethodPost, "/api/queues/"+url.PathEscape(queue)+"/agents/"+url.PathEscape(w.sim.MustPerson(tom).ID), "").wants(t, http.StatusOK)
	if a := auditor.get("/log").wants(t, http.StatusOK); strings.Count(a.body, "Service Berlin") < 2 {
		t.Errorf("the auditor does not read of the queue:\n%s", a.body)
	}
	w.setPolicy(t, `{"locations":{"`+w.sim.MustPerson(greta).LocationID+`":{"queues":{"auditor":"hidden"}}}}`)
	for _, path := range []string{"/log", "/api/log", "/log/export?format=csv"} {
		if a := auditor.get(path).wants(t, http.StatusOK); strings.Contains(a.body, "Service Berlin") || strings.Contains(a.body, queue) {
			t.Errorf("%s names the hidden queue:\n%s", path, a.body)
		}
	}
}

// Of what a call does nothing is said to those from whom a part of it is hidden: it
// would be false.
func TestNothingFalseIsSaidOfCalls(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.help(t, ben)
	helper, own := w.signIn(t, ben), w.signIn(t, greta)
	person := w.person("", greta)
	const said = "When the line is"
	if a := helper.get(person + "?js=0"); !strings.Contains(a.body, said) {
		t.Fatalf("the helper does not see what calls do:\n%s", a.body)
	}
	for _, part := range []string{"voicemail", "doNotDisturb", "intercept", "phones"} {
		w.setPolicy(t, `{"default":{"`+part+`":{"helpdesk":"hidden"}}}`)
		a := helper.get(person+"?js=0").wants(t, http.StatusOK)
		if strings.Contains(a.body, said) || !strings.Contains(a.body, "What happens to calls is not yours to see here.") {
			t.Errorf("without %s the helper is told:\n%s", part, a.body)
		}
		if a := own.get("/?js=0").wants(t, http.StatusOK); !strings.Contains(a.body, "If you are") {
			t.Errorf("she does not see what her own calls do:\n%s", a.body)
		}
	}
}

// Who sees the portal as somebody else changes nothing, by no door.
func TestAPreviewChangesNothingAnywhere(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.known(t)
	b := w.signIn(t, ines)
	own := w.signIn(t, greta)
	person := w.person("", greta)
	before := b.get("/api/policy").body
	b.sendForm(person+"/preview", "preview", "true")
	for _, r := range []request{
		{method: http.MethodPut, path: "/api" + person + "/settings/doNotDisturb", body: `{"enabled":true}`},
		{method: http.MethodPut, path: "/api/me/settings/doNotDisturb", body: `{"enabled":true}`},
		{method: http.MethodPut, path: "/api/policy", body: `{"contact":"me"}`},
		{method: http.MethodPost, path: "/api/grants", body: `{"to":{"person":"` + maria + `"},"role":"helpdesk","scope":{"organization":true}}`},
	} {
		r.header = http.Header{"Content-Type": {"application/json"}}
		a := b.send(r)
		if checkProblem(t, r.method+" "+r.path, a, http.StatusConflict); !strings.Contains(a.body, "You see the portal as Greta Holm sees it") {
			t.Errorf("%s says %s", r.path, a.body)
		}
	}
	if a := b.sendForm("/calls/doNotDisturb", "_card", "doNotDisturb", "_fields", "enabled", "enabled", "true"); a.status != http.StatusConflict || !strings.Contains(a.body, `href="`+person+`"`) {
		t.Errorf("one's own form in a preview: %d, without the way to the preview:\n%s", a.status, a.body)
	}
	if a := b.sendForm("/preferences", "theme", "dark"); a.status != http.StatusOK {
		t.Errorf("preferences in a preview: %d", a.status)
	}
	if a := b.sendForm("/sessions/end?person=" + greta); a.status != http.StatusConflict {
		t.Errorf("ending sessions in a preview: %d", a.status)
	}
	own.get("/api/me").wants(t, http.StatusOK)
	if after := b.get("/api/policy").body; after != before {
		t.Errorf("the policy is %s", after)
	}
	b.sendForm(person+"/stop", "preview", "true")
	b.put("/api/me/settings/doNotDisturb", `{"enabled":true}`).wants(t, http.StatusOK)
	b.sendForm(person+"/preview", "preview", "true")
	b.sendForm("/logout")
	b.get("/api/me").wants(t, http.StatusUnauthorized)
}

// Those with a small scope do not learn who else there is.
func TestASmallScopeNamesNobodyElse(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	w.grant(t, maria, access.Auditor, w.at(t, greta)) // Berlin; Tom is in London
	auditor, admin := w.signIn(t, maria), w.signIn(t, ines)
	id := w.sim.MustPerson(tom).ID
	for path, status := range map[string]int{
		"/log?person=" + url.QueryEscape(id): http.StatusOK, "/access?q=" + url.QueryEscape(tom): http.StatusOK, "/access?to=" + url.QueryEscape(id): http.StatusNotFound, "/api/directory": http.StatusOK,
	} {
		a := auditor.get(path).wants(t, status)
		if strings.Contains(a.body, "Tom Baker") || strings.Contains(a.body, "London") {
			t.Errorf("%s tells:\n%s", path, a.body)
		}
		if a := admin.get(path).wants(t, http.StatusOK); !strings.Contains(a.body, "Tom Baker") && !strings.Contains(a.body, "London") {
			t.Errorf("%s does not tell the administrator:\n%s", path, a.body)
		}
	}
	desk, _ := w.sim.Group("Portal Helpdesk")
	w.grant(t, zoe, access.Auditor, access.Scope{Groups: []string{desk.ID}})
	ofGroup := w.signIn(t, zoe)
	for deadline := time.Now().Add(time.Minute); !strings.Contains(ofGroup.get("/access?q=ben+fischer").wants(t, http.StatusOK).body, ben); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the auditor of a group does not find who is in it")
		}
	}
	if a := ofGroup.get("/access?q=tom+baker").wants(t, http.StatusOK); strings.Contains(a.body, tom) {
		t.Errorf("the auditor of a group finds others:\n%s", a.body)
	}
	if places := auditor.get("/api/directory").wants(t, http.StatusOK).body; !strings.Contains(places, "Berlin") {
		t.Errorf("the auditor's own place is missing: %s", places)
	}
}
