package webexsim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"patchbay/internal/webexsim"
)

// TestPagingLosesNothing follows every list at several page sizes. The size of the
// organization makes some of the lists end exactly at the end of a page.
func TestPagingLosesNothing(t *testing.T) {
	t.Parallel()
	const people = 105
	for _, size := range []int{3, 5, 100} {
		c := start(t, webexsim.Options{People: people, PageSize: size, CheckContract: true})
		queues, plain := 0, 0
		agents := map[string]bool{}
		for _, q := range c.sim.Queues() {
			queues++
			if !q.Assist {
				plain++
				for _, a := range q.Agents {
					agents[a.PersonID] = true
				}
			}
		}
		berlin, berliners := c.person(greta).LocationID, 0
		for _, p := range c.sim.People(people) {
			if p.LocationID == berlin {
				berliners++
			}
		}
		for _, list := range []struct {
			path, name, key string
			want            int // 0 = only no repetitions
		}{
			{"/people", "items", "id", people},
			{"/people?callingData=true&max=7", "items", "id", people},
			{"/people?callingData=true&locationId=" + berlin, "items", "id", berliners},
			{"/people?displayName=Greta", "items", "id", 0},
			{"/locations", "items", "id", 10},
			{"/telephony/config/locations", "locations", "id", 10},
			{"/telephony/config/queues", "queues", "id", plain},
			{"/telephony/config/queues?hasCxEssentials=true", "queues", "id", queues - plain},
			{"/telephony/config/queues/agents", "agents", "id", len(agents)},
			{"/telephony/config/queues/agents?order=lname-asc&max=3", "agents", "id", len(agents)},
			{"/devices", "items", "id", 0},
			{"/telephony/config/numbers?numberType=NUMBER", "phoneNumbers", "phoneNumber", 0},
			{"/telephony/config/numbers?available=true", "phoneNumbers", "phoneNumber", 40},
		} {
			items, _ := c.all(list.path, list.name)
			seen := map[string]bool{}
			for _, item := range items {
				key, _ := item[list.key].(string)
				if key == "" || seen[key] {
					t.Fatalf("page size %d, %s: %q is repeated or missing", size, list.path, key)
				}
				seen[key] = true
			}
			if len(items) == 0 || list.want > 0 && len(items) != list.want {
				t.Errorf("page size %d, %s: %d items, want %d", size, list.path, len(items), list.want)
			}
		}
		if v := c.sim.Violations(); len(v) > 0 {
			t.Errorf("violations: %q", v)
		}
	}
}

func TestPagesHaveTheirWarts(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{People: 60})
	if items, pages := c.all("/people", "items"); len(items) != 60 || pages != 13 {
		t.Errorf("%d people on %d pages, want 60 on 13: twelve and an empty one", len(items), pages)
	}
	first := c.do("GET", "/people", "")
	second := c.send("GET", strings.TrimPrefix(strings.Split(first.Header.Get("Link"), ">")[0], "<"), "")
	if !strings.Contains(string(second.body), `"items":[]`) || second.Header.Get("Link") == "" {
		t.Errorf("the second page should be empty and have a next: %s %s", second.body, second.Header.Get("Link"))
	}
	// Ten locations fill two pages of five, and the second does not know that it is the last.
	if items, pages := c.all("/telephony/config/locations", "locations"); len(items) != 10 || pages != 3 {
		t.Errorf("%d locations on %d pages, want 10 on 3", len(items), pages)
	}
	many, _ := c.all("/people?max=100000&callingData=true", "items")
	if len(many) != 60 {
		t.Errorf("a max above the cap: %d people", len(many))
	}
	for path, want := range map[string]int{"/people?max=0": 400, "/people?max=x": 400, "/people?after=x": 400, "/telephony/config/queues?start=-1": 400} {
		if r := c.do("GET", path, ""); r.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", path, r.StatusCode, want)
		}
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{People: 1203, CheckContract: true})
	group := func(name string) map[string]any {
		list := c.get(`/groups?filter=displayName+eq+%22` + strings.ReplaceAll(name, " ", "+") + "%22")["groups"].([]any)
		if len(list) != 1 {
			t.Fatalf("group %s: %v", name, list)
		}
		return list[0].(map[string]any)
	}
	everybody := group("Everybody")["id"].(string)
	seen := map[string]bool{}
	for from := 1; ; from += 500 {
		v := c.get(fmt.Sprintf("/groups/%s/members?startIndex=%d&count=10000", everybody, from))
		members := v["members"].([]any)
		if len(members) > 500 || v["memberSize"] != 1203.0 {
			t.Fatalf("%d members on a page of %v", len(members), v["memberSize"])
		}
		for _, m := range members {
			seen[m.(map[string]any)["id"].(string)] = true
		}
		if len(members) == 0 {
			break
		}
	}
	if len(seen) != 1203 {
		t.Errorf("%d members, want 1203", len(seen))
	}
	desk := c.get("/groups/" + group("Portal Helpdesk")["id"].(string) + "/members")["members"].([]any)
	kinds := map[any]int{}
	for _, m := range desk {
		kinds[m.(map[string]any)["type"]]++
	}
	if kinds["user"] != 2 || kinds["group"] != 1 {
		t.Errorf("members of Portal Helpdesk: %v", desk)
	}
	if total := c.get("/groups?includeMembers=true&count=100")["totalResults"]; total != 5.0 {
		t.Errorf("%v groups", total)
	}
	if r := c.do("GET", "/groups?filter=name+co+x", ""); r.StatusCode != 400 {
		t.Errorf("an unknown filter: %d", r.StatusCode)
	}
	user := c.get("/identity/scim/" + c.sim.OrgUUID() + `/v2/Users?filter=userName+eq+%22ben.fischer%40patchbay.example%22&returnGroups=true`)["Resources"].([]any)
	if len(user) != 1 || user[0].(map[string]any)["id"] != c.person("ben.fischer@patchbay.example").UUID || len(user[0].(map[string]any)["groups"].([]any)) != 2 {
		t.Errorf("SCIM: %v", user)
	}
}

// TestIdsOfOnePersonDiffer shows what makes comparing ids as texts fail.
func TestIdsOfOnePersonDiffer(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{})
	p := c.person(greta)
	agents, _ := c.all("/telephony/config/queues/agents?name=Greta", "agents")
	owner := dig(c.get("/telephony/config/people/" + p.ID + "/devices")["devices"].([]any)[0].(map[string]any), "owner.id")
	if len(agents) != 1 || agents[0]["id"] == p.ID || owner == p.ID || owner == agents[0]["id"] {
		t.Errorf("People %s, agents %v, owner of a device %v", p.ID, agents, owner)
	}
	// What an answer has shown can be asked for.
	if got := c.get("/people/" + agents[0]["id"].(string))["id"]; got != p.ID {
		t.Errorf("the agent's id finds %v", got)
	}
}

func TestCapsAndOrder(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{People: 2000, PageSize: 10_000})
	berlin := c.person(greta).LocationID
	for path, want := range map[string]int{
		"/people?max=5000":                 1000,
		"/people":                          100,
		"/people?callingData=true&max=500": 100,
		"/people?callingData=true&max=500&locationId=" + berlin:      50,
		"/telephony/config/numbers?ownerType=PEOPLE&max=5000":        2000,
		"/telephony/config/queues/agents?hasCxEssentials=true&max=1": 1,
	} {
		r := c.get(path)
		for _, list := range []string{"items", "phoneNumbers", "agents"} {
			if items, has := r[list].([]any); has && len(items) != want && (want != 2000 || len(items) < 1800) {
				t.Errorf("GET %s: %d items, want %d", path, len(items), want)
			}
		}
	}
	ids := strings.Repeat(c.person(greta).ID+",", 85)
	if r := c.do("GET", "/people?id="+strings.TrimSuffix(ids, ","), ""); r.StatusCode != 200 {
		t.Errorf("85 ids: %d", r.StatusCode)
	}
	if r := c.do("GET", "/people?id="+ids+c.person(ana).ID, ""); r.StatusCode != 400 {
		t.Errorf("86 ids: %d, want 400", r.StatusCode)
	}
	// No order is promised, so none is there to be relied upon.
	var names []string
	for _, q := range c.get("/telephony/config/queues")["queues"].([]any) {
		names = append(names, q.(map[string]any)["name"].(string))
	}
	if slices.IsSorted(names) || names[0] == c.sim.Queues()[0].Name {
		t.Errorf("queues come in an order: %q", names)
	}
}
