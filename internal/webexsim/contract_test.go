package webexsim_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"patchbay/internal/contract"
	"patchbay/internal/webexsim"
)

// bodies are valid bodies of the writes, so that the loop below reaches their success.
var bodies = map[string]string{
	"PUT /people/{personId}/features/callForwarding":                        `{"callForwarding":{"always":{"enabled":true,"destination":"+442079460958"}}}`,
	"PUT /people/{personId}/features/callWaiting":                           `{"enabled":false}`,
	"PUT /people/{personId}/features/doNotDisturb":                          `{"enabled":true,"webexGoOverrideEnabled":false}`,
	"PUT /people/{personId}/features/intercept":                             `{"enabled":true}`,
	"PUT /people/{personId}/features/voicemail":                             `{"notifications":{"enabled":false},"transferToNumber":{"enabled":false}}`,
	"PUT /telephony/config/people/{personId}/settings/permissions":          `{"callWaiting":"NO_ACCESS"}`,
	"PUT /telephony/config/locations/{locationId}/queues/{queueId}":         `{"allowAgentJoinEnabled":true}`,
	"PUT /telephony/config/queues/agents/{id}/settings":                     `{"settings":[]}`,
	"PUT /telephony/config/locations/{locationId}/huntGroups/{huntGroupId}": `{"enabled":true}`,
}

// TestEveryOperationKeepsTheContract calls everything that is served: with success,
// without a token, without a scope, and with an id that does not exist.
func TestEveryOperationKeepsTheContract(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{CheckContract: true})
	noScopes := start(t, webexsim.Options{Scopes: []string{"spark:none"}})
	noScopes.token = noScopes.sim.ServiceAppAccessToken()

	queue, _ := c.sim.Queue("Sales Hotline")
	hunt := c.get("/telephony/config/huntGroups?name=Reception+Berlin")["huntGroups"].([]any)[0].(map[string]any)["id"].(string) // where the queue is, too
	phones := c.get("/devices?personId=" + c.person(greta).ID)["items"].([]any)
	phone := func(n int, key string) string { return phones[n].(map[string]any)[key].(string) }
	right := maps.Clone(bodies)
	right["POST /devices/activationCode"] = fmt.Sprintf(`{"personId":%q,"model":"DMS Cisco 9851"}`, c.person(greta).ID)
	right["PUT /telephony/config/devices/{deviceId}/members"] = fmt.Sprintf(`{"members":[{"id":%q,"port":1,"primaryOwner":true,"lineType":"PRIMARY","lineWeight":1,"hotlineEnabled":false,
		"hotlineDestination":"","allowCallDeclineEnabled":true}]}`, c.person(greta).ID)
	group := c.get("/groups")["groups"].([]any)[0].(map[string]any)["id"].(string)
	orgID := c.sim.OrgID()
	bare := c.get("/people/" + c.person(greta).ID)["id"].(string)
	ids := map[string]string{
		"{personId}": bare, "{id}": bare, "{locationId}": queue.LocationID, "{queueId}": queue.ID, "{huntGroupId}": hunt, "{groupId}": group, "{orgId}": orgID,
	}
	queries := map[string]string{
		"/telephony/config/queues/agents/{id}":            "?max=50&start=0",
		"/identity/scim/{orgId}/v2/Users":                 `?filter=userName+eq+%22` + greta + `%22&returnGroups=true`,
		"/people":                                         "?callingData=true",
		"/telephony/config/queues/agents/availableAgents": "?locationId=" + queue.LocationID,
	}
	served := 0
	for _, op := range webexsim.Operations() {
		if len(op.Scopes) == 0 {
			continue // the sign-in has tests of its own
		}
		served++
		fill := func(with func(placeholder string) string) string {
			path := op.Path
			for name := range ids {
				path = strings.ReplaceAll(path, name, with(name))
			}
			return path + queries[op.Path]
		}
		name, body := op.Method+" "+op.Path, right[op.Method+" "+op.Path]
		switch { // the calling view has another id for a phone, and one that is deleted is not there for others
		case strings.HasPrefix(op.Path, "/telephony/"):
			ids["{deviceId}"] = phone(0, "callingDeviceId")
		case op.Method == "DELETE":
			ids["{deviceId}"] = phone(1, "id")
		default:
			ids["{deviceId}"] = phone(0, "id")
		}
		real := fill(func(p string) string {
			if p == "{orgId}" && strings.HasPrefix(op.Path, "/identity/") {
				return c.sim.OrgUUID()
			}
			return ids[p]
		})
		want := 200
		if op.Method != "GET" && op.Path != "/devices/activationCode" {
			want = 204
		}
		if r := c.do(op.Method, real, body); r.StatusCode != want {
			t.Errorf("%s: %d, want %d: %s", name, r.StatusCode, want, r.body)
		}
		if strings.Contains(op.Path, "{") {
			if r := c.do(op.Method, fill(func(string) string { return "Y2lzY29zcGFyazovL3VzL1BFT1BMRS9ub2JvZHk" }), body); r.StatusCode != 404 && r.StatusCode != 403 {
				t.Errorf("%s of nothing: %d, want 404: %s", name, r.StatusCode, r.body)
			}
		}
		if r := noScopes.do(op.Method, real, body); r.StatusCode != 403 {
			t.Errorf("%s without a scope: %d, want 403", name, r.StatusCode)
		}
		for _, token := range []string{"", "nonsense"} {
			stranger := *c
			stranger.token = token
			if r := stranger.do(op.Method, real, body); r.StatusCode != 401 || !strings.Contains(string(r.body), "trackingId") {
				t.Errorf("%s with the token %q: %d, want 401: %s", name, token, r.StatusCode, r.body)
			}
		}
	}
	if served < 35 {
		t.Errorf("%d operations are served", served)
	}
	if v := c.sim.Violations(); len(v) > 0 {
		t.Errorf("right requests break the contract: %q", v)
	}
}

// TestScopesAreThoseOfTheContract compares the table with x-webex-scopes.
func TestScopesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	doc, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	for _, op := range doc.Operations() {
		slices.Sort(op.Scopes)
		want[op.Method+" "+op.Path] = op.Scopes
	}
	for _, op := range webexsim.Operations() {
		got := slices.Sorted(slices.Values(slices.Concat(op.Scopes, op.Also)))
		contractual, known := want[op.Method+" "+op.Path]
		if !known {
			t.Errorf("%s %s is not in the contract", op.Method, op.Path)
			continue
		}
		if op.Path != "/userinfo" && !slices.Equal(got, contractual) {
			t.Errorf("%s %s: scopes %q, the contract has %q", op.Method, op.Path, got, contractual)
		}
	}
}
