package portal_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"patchbay/internal/access"
	"patchbay/internal/audit"
)

// spellings are the ways in which Webex, or an attacker, writes the id of a person.
func (w *world) spellings(who string) map[string]string {
	p := w.sim.MustPerson(who)
	us := base64.RawStdEncoding.EncodeToString([]byte("ciscospark://us/PEOPLE/" + p.UUID))
	return map[string]string{
		"as People writes it": p.ID, "padded": p.ID + "==", "the UUID": p.UUID, "the UUID in capitals": strings.ToUpper(p.UUID), "with the cluster of agents": us,
	}
}

// TestOutOfScopeByAnyID: whoever holds a role reaches nobody and nothing outside of
// its scope, however an id is written and wherever it stands, and every attempt is
// in the log.
func TestOutOfScopeByAnyID(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	players := w.cast(t)
	victim := w.sim.MustPerson(ana)
	ventas := w.queue(t, "Ventas Madrid")
	owner := w.signIn(t, ana)
	record := owner.put(dndAPI, `{"enabled":true}`).wants(t, http.StatusOK).header.Get("Audit-Id")
	session := ""
	for _, s := range owner.get("/api/sessions").wants(t, http.StatusOK).list(t) {
		session, _ = s.(map[string]any)["id"].(string)
	}
	grant, err := w.replicas[0].Settings.Access.Lend(t.Context(), w.caller(t, ana), tom, w.replicas[0].clock.Now().AddDate(0, 0, 1), "")
	if err != nil || session == "" {
		t.Fatalf("prepare: %v, session %q", err, session)
	}
	before := w.setting(t, ana, "callForwarding")
	for _, p := range players {
		if p.who == "" || p.scope.Organization {
			continue
		}
		b := w.signIn(t, p.who).once()
		for spelling, id := range w.spellings(ana) {
			id = url.PathEscape(id)
			for _, r := range []request{
				{method: "GET", path: "/people/" + id}, {method: "GET", path: "/people/" + id + "/calls"}, {method: "GET", path: "/people/" + id + "/history"},
				{method: "GET", path: "/people/" + id + "/cards/rightNow?page=home"}, {method: "GET", path: "/people/" + id + "/start"},
				{method: "POST", path: "/people/" + id + "/start"}, {method: "POST", path: "/people/" + id + "/calls/callForwarding"}, {method: "POST", path: "/people/" + id + "/queues"},
				{method: "GET", path: "/api/people/" + id}, {method: "GET", path: "/api/people/" + id + "/settings"}, {method: "GET", path: "/api/people/" + id + "/settings/callForwarding"},
				{method: "PUT", path: "/api/people/" + id + "/settings/callForwarding", body: `{"callForwarding":{"always":{"enabled":true,"destination":"1000"}}}`},
				{method: "GET", path: "/api/people/" + id + "/queues"}, {method: "PUT", path: "/api/people/" + id + "/queues/" + url.PathEscape(ventas.ID), body: `{"joined":true}`},
				{method: "GET", path: "/api/people/" + id + "/devices"}, {method: "POST", path: "/api/people/" + id + "/devices/activation-code", body: `{}`},
				{method: "GET", path: "/api/people/" + id + "/history"},
				{method: "GET", path: "/api/sessions?person=" + id}, {method: "DELETE", path: "/api/sessions/" + url.PathEscape(session) + "?person=" + id},
			} {
				w.mustBeRefused(t, b, p.name+", "+spelling, r)
			}
		}
		for _, r := range []request{
			{method: "POST", path: "/api/history/" + record + "/undo"}, {method: "DELETE", path: "/api/grants/" + grant.Grant.ID},
			{method: "PATCH", path: "/api/grants/" + grant.Grant.ID, body: `{"until":null}`},
			{method: "GET", path: "/board/" + url.PathEscape(ventas.ID)}, {method: "GET", path: "/api/queues/" + url.PathEscape(ventas.ID) + "/agents"},
			{method: "PUT", path: "/api/queues/" + url.PathEscape(ventas.ID) + "/agents/" + url.PathEscape(victim.ID), body: `{"joined":true}`},
			{method: "POST", path: "/api/queues/" + url.PathEscape(ventas.ID) + "/agents/" + url.PathEscape(victim.ID)},
			{method: "DELETE", path: "/api/queues/" + url.PathEscape(ventas.ID) + "/agents/" + url.PathEscape(victim.ID)},
			{method: "PUT", path: "/api/queues/" + url.PathEscape(ventas.ID) + "/minimum", body: `{"minimum":1}`},
		} {
			w.mustBeRefused(t, b, p.name, r)
		}
		// Where nobody looks for an id, one changes nothing.
		for name, value := range map[string]string{"X-Person-Id": victim.ID, "X-Forwarded-User": ana, "X-Original-URL": "/people/" + victim.ID, "X-Rewrite-URL": "/api/people/" + victim.ID} {
			a := b.json(http.MethodGet, "/api/me", "", name, value).wants(t, http.StatusOK)
			if strings.Contains(a.body, victim.ID) || strings.Contains(a.body, ana) {
				t.Errorf("%s reads somebody else with the header %s", p.name, name)
			}
		}
		for _, query := range []string{"?person=", "?personId=", "?id=", "?subject="} {
			if a := b.get("/api/me" + query + url.QueryEscape(victim.ID)); strings.Contains(a.body, victim.ID) {
				t.Errorf("%s reads somebody else with %s", p.name, query)
			}
		}
		b.put("/api/me/settings/doNotDisturb", fmt.Sprintf(`{"personId":%q,"enabled":true}`, victim.ID)).wants(t, http.StatusUnprocessableEntity)
		if a := b.get("/api/log?subject=" + url.QueryEscape(victim.ID)); a.status == http.StatusOK && strings.Contains(a.body, victim.ID) {
			t.Errorf("%s reads the log about somebody outside:\n%s", p.name, a.body)
		}
	}
	if fmt.Sprint(before) != fmt.Sprint(w.setting(t, ana, "callForwarding")) {
		t.Error("call forwarding was changed")
	}
	if _, ok := w.caller(t, tom).MayOn("people.read", victimTarget(victim.ID)); !ok {
		t.Error("what was lent was taken away")
	}
	owner.get("/api/me").wants(t, http.StatusOK)
	if found, _, err := w.replicas[0].Audit.Search(t.Context(), audit.Filter{Setting: "refused", Subject: victim.ID}, "", 10); err != nil || len(found) == 0 {
		t.Errorf("the attempts are not found by the person they were on: %v", err)
	}
}

// mustBeRefused sends a request that must be answered with 403 or 404 and must be in
// the log.
func (w *world) mustBeRefused(t *testing.T, b *browser, who string, r request) {
	t.Helper()
	r.header = http.Header{"Content-Type": {"application/json"}}
	if !strings.HasPrefix(r.path, "/api/") {
		r.header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"}}
	}
	a := b.send(r)
	if a.status != http.StatusForbidden && a.status != http.StatusNotFound {
		t.Errorf("%s: %s %s: %d\n%.300s", who, r.method, r.path, a.status, a.body)
		return
	}
	if !w.isLogged(t, a.header.Get("X-Request-Id")) {
		t.Errorf("%s: %s %s: %d, and nothing in the log", who, r.method, r.path, a.status)
	}
}

func victimTarget(personID string) access.Target { return access.Target{Person: personID} }

// list reads an answer as a JSON list.
func (a answer) list(t testing.TB) []any {
	t.Helper()
	var v []any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("the answer %d is no JSON list: %v\n%s", a.status, err, a.body)
	}
	return v
}
