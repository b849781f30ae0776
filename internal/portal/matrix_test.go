package portal_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/selfservice"
	"patchbay/internal/web"
)

// update rewrites docs/permissions.md instead of comparing it.
var update = flag.Bool("update", false, "write docs/permissions.md anew")

// player is somebody of the matrix: a role in a scope, and who holds it.
type player struct {
	name  string // heads a column of the docs
	who   string // "" is nobody
	role  access.Role
	scope access.Scope
}

// reach is what of a route's target a player may reach.
type reach struct{ inside, outside bool }

// cast grants the roles of the matrix. Inside of all scopes are Greta, who is in
// Berlin, and the queue Sales Hotline; outside are Ana and Ventas Madrid.
func (w *world) cast(t *testing.T) []player {
	berlin := w.sim.MustPerson(greta).LocationID
	hotline, reception := w.queue(t, "Sales Hotline"), ""
	if h, ok := w.sim.HuntGroup("Reception Berlin"); ok {
		reception = h.ID
	}
	parts := []player{
		{name: "nobody"},
		{name: "user", who: maria, role: access.User},
		{name: "colleague of one person", who: "nils.dahl@patchbay.example", role: access.Colleague},
		{name: "lead of one queue", who: "mei.wang@patchbay.example", role: access.Lead, scope: access.Scope{Queues: []string{hotline.ID}, HuntGroups: []string{reception}}},
		{name: "helpdesk of a location", who: ben, role: access.Helpdesk, scope: access.Scope{Locations: []string{berlin}}},
		{name: "office manager of a location", who: "paul.weber@patchbay.example", role: access.OfficeManager, scope: access.Scope{Locations: []string{berlin}}},
		{name: "auditor", who: raj, role: access.Auditor, scope: access.Scope{Organization: true}},
		{name: "auditor of a location", who: "lena.braun@patchbay.example", role: access.Auditor, scope: access.Scope{Locations: []string{berlin}}},
		{name: "administrator of a location", who: sam, role: access.Administrator, scope: access.Scope{Locations: []string{berlin}}},
		{name: "administrator", who: ines, role: access.Administrator, scope: access.Scope{Organization: true}},
	}
	settings := w.replicas[0].Settings
	admin := w.caller(t, ines)
	for _, p := range parts {
		var err error
		switch {
		case p.role == access.Colleague:
			_, err = settings.Access.Lend(t.Context(), w.caller(t, greta), p.who, time.Now().Add(time.Hour), "")
		case p.role != access.User && p.who != "" && p.who != ines:
			_, err = settings.Access.Create(t.Context(), admin, access.Grant{To: access.Grantee{Person: p.who}, Role: p.role, Scope: p.scope, Reason: "matrix"})
		}
		if err != nil {
			t.Fatalf("grant %s: %v", p.name, err)
		}
	}
	return parts
}

// expected is what a role's bundle and scope say, worked out from the declared
// permission alone: not with the code that decides.
func expected(p player, r web.Route) reach {
	if isGrant(r.Pattern) && r.Method != http.MethodGet && p.who != "" {
		r.Needs = access.GrantAccess // the route is open to all who see the grant; whoever changes it must hold as much
	}
	has := func(role access.Role) bool { return slices.Contains(access.Bundle(role), r.Needs) }
	everywhere := []access.Permission{access.ReadPolicy, access.ChangePolicy, access.ManageSessions, access.Operate}
	switch {
	case r.Needs == access.Anyone:
		return reach{true, true}
	case p.who == "" || r.Needs == "":
		return reach{}
	case isOwn(r.Pattern):
		return reach{inside: true}
	case has(access.User):
		return reach{true, true} // about oneself: there is no outside
	case p.role == access.Colleague && (strings.Contains(r.Pattern, "/devices") || strings.HasSuffix(r.Pattern, "/phones")):
		return reach{} // phones are not lent
	case !has(p.role):
		return reach{}
	case p.scope.Organization:
		return reach{true, true}
	case slices.Contains(everywhere, r.Needs), r.Pattern == "/log/verify": // the chain is of the whole log
		return reach{}
	}
	return reach{inside: true, outside: !concernsSomebody(r.Pattern)}
}

// concernsSomebody reports whether the path names whom or what a permission is
// wanted on.
func concernsSomebody(pattern string) bool {
	return strings.Contains(pattern, "{person}") || strings.Contains(pattern, "{grant}") || isBoard(pattern)
}

// isGrant reports whether a route is about a grant of a role; what people lend is
// their own.
func isGrant(pattern string) bool {
	return strings.Contains(pattern, "{grant}") && !strings.Contains(pattern, "lend")
}

// isOwn reports whether a route names something that is one's own or somebody else's:
// a lending or a session. A form for a session that is gone says so, whose it ever was.
func isOwn(pattern string) bool {
	return strings.Contains(pattern, "{grant}") && strings.Contains(pattern, "lend") || pattern == "/api/sessions/{session}"
}

// own makes a lending and a session of somebody, for a route that ends one.
func (w *world) own(t *testing.T, pattern, who string) (grant, sessionID string) {
	if !isOwn(pattern) {
		return "NOSUCHGRANT", "NOSUCHSESSION"
	}
	b := w.signIn(t, who)
	var sessions []struct {
		ID      string
		Current bool
	}
	if err := json.Unmarshal([]byte(b.get("/api/sessions").wants(t, http.StatusOK).body), &sessions); err != nil {
		t.Fatal(err)
	}
	for _, one := range sessions {
		if one.Current {
			sessionID = one.ID
		}
	}
	var lendings struct{ Lent []struct{ ID string } }
	if err := json.Unmarshal([]byte(b.get("/api/me/lendings").wants(t, http.StatusOK).body), &lendings); err != nil {
		t.Fatal(err)
	}
	if len(lendings.Lent) > 0 {
		return lendings.Lent[0].ID, sessionID
	}
	made, err := w.replicas[0].Settings.Access.Lend(t.Context(), w.caller(t, who), zoe, time.Now().Add(time.Hour), "")
	if err != nil {
		t.Fatal(err)
	}
	return made.Grant.ID, sessionID
}

func isBoard(pattern string) bool {
	return strings.Contains(pattern, "{queue}") && (strings.HasPrefix(pattern, "/board") || strings.HasPrefix(pattern, "/api/queues"))
}

// freshGrant makes a grant for routes that are about one, in the location of the
// person: some of them take it away.
func (w *world) freshGrant(t *testing.T, person string) string {
	made, err := w.replicas[0].Settings.Access.Create(t.Context(), w.caller(t, ines), access.Grant{
		To: access.Grantee{Person: tom}, Role: access.Helpdesk, Scope: access.Scope{Locations: []string{w.sim.MustPerson(person).LocationID}},
		Until: time.Now().Add(time.Hour), // another than that of the last one: the same is not granted twice
	})
	if err != nil {
		t.Fatal(err)
	}
	return made.Grant.ID
}

// fill puts a person and a queue into a pattern; what else it names is not there.
func (w *world) fill(t *testing.T, pattern, person, queue, owner string) string {
	q := w.queue(t, queue)
	agent := w.sim.MustPerson(person).ID
	if strings.Contains(pattern, "{agent}") { // whom an earlier player may have removed
		if _, err := w.replicas[0].Settings.AddAgent(t.Context(), w.caller(t, ines), q.ID, agent, true, selfservice.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	grant, session := w.own(t, pattern, owner)
	if isGrant(pattern) {
		grant = w.freshGrant(t, person)
	}
	return strings.NewReplacer("{person}", agent, "{agent}", agent, "{queue}", url.PathEscape(q.ID), "{card}", "quick", "{setting}", "callForwarding",
		"{record}", "1-1", "{grant}", grant, "{session}", session, "{device}", "NOSUCHDEVICE",
		"/static/*", "/static/nothing.css", "/api/*", "/api/nothing").Replace(pattern)
}

// refused reports whether an answer says no: to those who are not signed in, by 403,
// or by a 404 that the log knows to be a refusal.
func (w *world) refused(t *testing.T, a answer) bool {
	switch {
	case a.status == http.StatusUnauthorized || a.status == http.StatusSeeOther && strings.HasPrefix(a.header.Get("Location"), "/login"):
		return true
	case a.status == http.StatusForbidden || a.status == http.StatusNotFound:
		return w.isLogged(t, a.header.Get("X-Request-Id"))
	}
	return false
}

// isLogged reports whether the log has a refusal of this request.
func (w *world) isLogged(t *testing.T, requestID string) bool {
	t.Helper()
	entries, _, err := w.replicas[0].Audit.Search(t.Context(), audit.Filter{Setting: "refused"}, "", 5)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(entries, func(e audit.Entry) bool { return e.RequestID == requestID })
}

// TestMatrix walks every route as every role, inside and outside its scope, and
// prints what it found into the docs.
func TestMatrix(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	parts := w.cast(t)
	browsers := map[string]*browser{}
	for _, p := range parts {
		browsers[p.name] = w.replicas[0].browser(t).once()
		if p.who != "" {
			browsers[p.name] = w.signIn(t, p.who).once()
		}
	}
	var found bytes.Buffer
	known := 0
	for _, r := range w.replicas[0].Routes {
		if r.Needs == "" {
			t.Errorf("%s %s declares no permission", r.Method, r.Pattern)
			continue
		}
		if !slices.Contains(append(access.Permissions(), access.Anyone), r.Needs) {
			t.Errorf("%s %s wants the unknown permission %q", r.Method, r.Pattern, r.Needs)
		}
		known++
		fmt.Fprintf(&found, "| `%s %s` | %s |", r.Method, r.Pattern, r.Needs)
		for _, p := range parts {
			want, got := expected(p, r), reach{}
			for _, side := range []struct {
				person, queue, owner string
				got                  *bool
			}{{greta, "Sales Hotline", cmp.Or(p.who, ana), &got.inside}, {ana, "Ventas Madrid", ana, &got.outside}} {
				if r.Pattern == "/logout" || strings.HasPrefix(r.Pattern, "/static/") || p.who == "" && strings.HasPrefix(r.Pattern, "/auth") {
					*side.got = true // signing out here would end the test; sign-in is tested elsewhere
					continue
				}
				ask := request{method: r.Method, path: w.fill(t, r.Pattern, side.person, side.queue, side.owner)}
				if r.Method == http.MethodPatch { // the only one that looks at its body first
					ask.body, ask.header = `{"until":"2035-01-01T00:00:00Z"}`, http.Header{"Content-Type": {"application/json"}}
				}
				a := browsers[p.name].send(ask)
				*side.got = !w.refused(t, a)
				if a.status >= http.StatusInternalServerError {
					t.Errorf("%s %s by %s: %d\n%s", r.Method, r.Pattern, p.name, a.status, a.body)
				}
			}
			if got != want {
				t.Errorf("%s %s (%s) by %s: reaches inside %v, outside %v; want %v, %v", r.Method, r.Pattern, r.Needs, p.name, got.inside, got.outside, want.inside, want.outside)
			}
			fmt.Fprintf(&found, " %s |", map[reach]string{{}: "–", {inside: true}: "in scope", {true, true}: "yes", {false, true}: "wrong"}[got])
		}
		found.WriteByte('\n')
	}
	if known < 80 {
		t.Errorf("only %d routes were walked", known)
	}
	page := permissionsPage(parts, found.String())
	const file = "../../docs/permissions.md"
	if *update {
		if err := os.WriteFile(file, page, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if written, err := os.ReadFile(file); err != nil || !bytes.Equal(written, page) {
		t.Errorf("docs/permissions.md is not what was found: go test ./internal/portal -run TestMatrix -update (%v)", err)
	}
}

// meanings says what the permissions are for, as access.go does for those who read
// code.
var meanings = map[access.Permission]string{
	access.SignedIn: "what concerns nobody's settings: signing out, one's own sessions", access.ReadOwn: "read one's own settings, queues, phones and history",
	access.ChangeOwn: "change one's own settings and queues; lend them to a colleague", access.ReadPeople: "find people, and read their settings, queues, phones and history",
	access.ChangePeople: "change the settings and queues of others", access.ManagePhones: "activation codes, line labels and removal of the phones of others",
	access.ReadQueues: "see queues and hunt groups with their agents", access.SwitchAgents: "join agents to queues and let them leave; set the minimum cover",
	access.StaffQueues: "add agents to queues and hunt groups, and remove them", access.ManagePlaces: "schedules, holidays and opening hours of locations",
	access.ReadLog: "search and export the log", access.ReadAccess: "see who holds which role", access.GrantAccess: "grant and revoke what one holds oneself",
	access.ReadPolicy: "see the portal's policy", access.ChangePolicy: "change the policy; see the portal as somebody else", access.ManageSessions: "see and end the sessions of others",
	access.Operate: "see the health of the portal",
}

func permissionsPage(parts []player, routes string) []byte {
	var b bytes.Buffer
	b.WriteString(`# Roles and permissions

This page is made by a test that tries every route as every role (` + "`go test ./internal/portal -run TestMatrix -update`" + `); it fails when a route
declares no permission, or lets somebody through that it should not. How roles are granted: [operations.md](operations.md).

A role is a bundle of permissions, granted to a person or to a Webex group, within a scope: the organization, locations, groups, queues and hunt
groups, or single people. "in scope" means: only for the people and queues of that scope; of lendings and sessions, for one's own. Nobody has a role over themselves: one's own
pages are as for everybody. What a role may do to a single setting is limited further by Webex's own feature access and by the portal's policy.

| permission | for |`)
	for _, r := range access.Roles() {
		fmt.Fprintf(&b, " %s |", r)
	}
	b.WriteString("\n| --- | --- |" + strings.Repeat(" --- |", len(access.Roles())) + "\n")
	for _, p := range access.Permissions() {
		fmt.Fprintf(&b, "| %s | %s |", p, meanings[p])
		for _, r := range access.Roles() {
			fmt.Fprintf(&b, " %s |", map[bool]string{true: "yes", false: "–"}[slices.Contains(access.Bundle(r), p)])
		}
		b.WriteByte('\n')
	}
	b.WriteString(`
A colleague to whom somebody has lent "my forwarding and my queues" reaches these two settings of that person and nothing else. The permissions
policy.read, policy.change, sessions.manage and portal.operate concern the organization as a whole: a smaller scope does not give them.

## Every route

| route | needs |`)
	for _, p := range parts {
		fmt.Fprintf(&b, " %s |", p.name)
	}
	b.WriteString("\n| --- | --- |" + strings.Repeat(" --- |", len(parts)) + "\n")
	b.WriteString(routes)
	return b.Bytes()
}
