package webexsim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/webexsim"
)

// staff is a list of agents for a PUT: n people with Calling, with weights that add up to sum.
func (c *client) staff(n, sum int) string {
	c.t.Helper()
	var agents []map[string]any
	for _, p := range c.sim.People(3 * n) {
		if p.Calling && len(agents) < n {
			agents = append(agents, map[string]any{"id": p.ID, "weight": fmt.Sprint(sum / n)})
		}
	}
	if len(agents) < n {
		c.t.Fatalf("%d people are too few", len(agents))
	}
	agents[0]["weight"] = fmt.Sprint(sum - sum/n*(n-1))
	b, _ := json.Marshal(map[string]any{"agents": agents})
	return string(b)
}

func TestAStaffingIsRefused(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{People: 1500})
	const settings = `"queueSize":9,"overflow":{"action":"PERFORM_BUSY_TREATMENT","greeting":"DEFAULT"}`
	one := fmt.Sprintf(`{"id":%q}`, c.person(greta).ID)
	tests := map[string]struct {
		target string // name of a queue or a hunt group
		body   string
		want   int
	}{
		"50 agents at once":                       {"Switchboard", c.staff(50, 100), 204},
		"51 agents at once":                       {"Switchboard", c.staff(51, 100), 400},
		"51 agents, another policy with it":       {"Switchboard", strings.Replace(c.staff(51, 100), "{", `{"callPolicies":{"policy":"REGULAR","routingType":"PRIORITY_BASED"},`, 1), 204},
		"100 with weights":                        {"IT Support Berlin", c.staff(100, 100), 204},
		"101 with weights":                        {"IT Support Berlin", c.staff(101, 100), 400},
		"1000 one after the other":                {"Reception Berlin", c.staff(1000, 100), 204},
		"1001 one after the other":                {"Reception Berlin", c.staff(1001, 100), 400},
		"weights of 99":                           {"IT Support Berlin", c.staff(3, 99), 400},
		"weights of 100":                          {"IT Support Berlin", c.staff(3, 100), 204},
		"no weights":                              {"IT Support Berlin", `{"agents":[` + one + `]}`, 400},
		"nobody with weights":                     {"IT Support Berlin", `{"agents":[]}`, 204},
		"a weight as a number":                    {"IT Support Berlin", strings.Replace(`{"agents":[`+one+`]}`, "}", `,"weight":100}`, 1), 400},
		"somebody twice":                          {"Reception Berlin", `{"agents":[` + one + `,` + one + `]}`, 400},
		"somebody without Calling":                {"Reception Berlin", fmt.Sprintf(`{"agents":[{"id":%q}]}`, c.person(noah).ID), 400},
		"null instead of agents":                  {"Reception Berlin", `{"agents":null}`, 400},
		"the name of a member":                    {"Reception Berlin", strings.Replace(`{"agents":[`+one+`]}`, "}", `,"firstName":"Greta"}`, 1), 400},
		"a member of a hunt group who joins":      {"Reception Berlin", strings.Replace(`{"agents":[`+one+`]}`, "}", `,"joinEnabled":true}`, 1), 400},
		"the hunt group's id":                     {"Reception Berlin", `{"id":"x"}`, 400},
		"without the licence for Customer Assist": {"Priority Care", `{"agents":[` + one + `]}`, 400},
		"the agent's number":                      {"Sales Hotline", strings.Replace(`{"agents":[`+one+`]}`, "}", `,"extension":"1000"}`, 1), 400},
		"settings":                                {"Sales Hotline", `{"queueSettings":{` + settings + `}}`, 204},
		"settings that only a reading has":        {"Sales Hotline", `{"queueSettings":{` + strings.Replace(settings, `"action"`, `"isTransferNumberSet":false,"action"`, 1) + `}}`, 400},
		"announcement files in the old form":      {"Sales Hotline", `{"queueSettings":{` + strings.Replace(settings, `"action"`, `"audioFiles":[],"action"`, 1) + `}}`, 400},
		"settings without the overflow":           {"Sales Hotline", `{"queueSettings":{"queueSize":9}}`, 400},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, webexsim.Options{People: 1500})
			path := ""
			if q, known := c.sim.Queue(test.target); known {
				path = "/telephony/config/locations/" + q.LocationID + "/queues/" + q.ID
			} else {
				h, _ := c.sim.HuntGroup(test.target)
				path = "/telephony/config/locations/" + h.LocationID + "/huntGroups/" + h.ID
			}
			before := [2]any{c.sim.Queues(), c.sim.HuntGroups()}
			c.put(path, test.body, test.want)
			if after := [2]any{c.sim.Queues(), c.sim.HuntGroups()}; test.want == 400 && !cmp.Equal(before, after) {
				t.Errorf("a refused write changed something: %s", cmp.Diff(before, after))
			}
		})
	}
}

func TestHuntGroups(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{CheckContract: true})
	reception, _ := c.sim.HuntGroup("Reception Berlin")
	support, _ := c.sim.HuntGroup("IT Support Berlin")
	path := "/telephony/config/locations/" + reception.LocationID + "/huntGroups/" + reception.ID
	list, _ := c.all("/telephony/config/huntGroups", "huntGroups")
	inBerlin, _ := c.all("/telephony/config/huntGroups?locationId="+reception.LocationID, "huntGroups")
	if len(list) != len(c.sim.HuntGroups()) || len(inBerlin) != 2 {
		t.Errorf("%d hunt groups, %d in Berlin", len(list), len(inBerlin))
	}
	numbers, _ := c.all("/telephony/config/numbers?ownerType=HUNT_GROUP", "phoneNumbers")
	if len(numbers) != len(list) || dig(numbers[0], "owner.type") != "HUNT_GROUP" {
		t.Errorf("numbers: %v", numbers)
	}
	if support.Policy != "WEIGHTED" || len(support.Members) < 3 || support.Members[0].Weight == "" {
		t.Errorf("%+v", support)
	}
	c.put(path, fmt.Sprintf(`{"agents":[{"id":%q}]}`, c.person(ana).ID), 204)
	now, _ := c.sim.HuntGroup(reception.ID)
	if diff := cmp.Diff([]webexsim.HuntGroupMember{{PersonID: c.person(ana).ID, Email: ana}}, now.Members); diff != "" {
		t.Error(diff)
	}
	elsewhere := "/telephony/config/locations/" + c.person(ana).LocationID + "/huntGroups/" + reception.ID
	if r := c.do("GET", elsewhere, ""); r.StatusCode != 404 {
		t.Errorf("at another location: %d", r.StatusCode)
	}
	if err := c.sim.DeletePerson(ana); err != nil {
		t.Fatal(err)
	}
	if now, _ := c.sim.HuntGroup("Reception Berlin"); len(now.Members) != 0 {
		t.Errorf("after the deletion: %+v", now.Members)
	}
}

func TestWhoMayBeAnAgent(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{CheckContract: true})
	const list = "/telephony/config/queues/agents/availableAgents?locationId="
	all, _ := c.all(list+c.person(greta).LocationID, "agents")
	calling := 0
	for _, p := range c.sim.People(1000) {
		if p.Calling {
			calling++
		}
	}
	if len(all) != calling {
		t.Errorf("%d of %d people: the location is not a filter", len(all), calling)
	}
	found, _ := c.all(list+c.person(greta).LocationID+"&name=ana+l%C3%B3p", "agents")
	if len(found) != 1 || found[0]["email"] != ana || found[0]["hasCxEssentials"] != true {
		t.Errorf("by name: %v", found)
	}
}

func TestTeams(t *testing.T) {
	t.Parallel()
	sim := newSim(t, webexsim.Options{Teams: 20})
	seen := map[string]bool{}
	for n := range 20 {
		q, known := sim.Queue(fmt.Sprintf("Team %02d", n+1))
		if !known || q.Assist || !q.AllowJoin || len(q.Agents) != 10 {
			t.Fatalf("%+v", q)
		}
		for _, a := range q.Agents {
			seen[a.Email] = true
		}
	}
	if len(seen) != 200 {
		t.Errorf("%d agents", len(seen))
	}
}

func TestTheMembersOfAGroupChange(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{CheckContract: true})
	const leads = "Sales Leads"
	g, known := c.sim.Group(leads)
	if !known || len(g.Members) != 3 {
		t.Fatalf("%+v", g)
	}
	shown := func() (names []any) {
		for _, m := range c.get("/groups/" + g.ID + "/members")["members"].([]any) {
			names = append(names, m.(map[string]any)["displayName"])
		}
		return names
	}
	steps := []struct {
		who    string
		member bool
		want   string
	}{
		{greta, false, "[Ana López Mei Wang]"},
		{greta, false, "[Ana López Mei Wang]"},
		{zoe, true, "[Ana López Mei Wang Zoe Chen]"},
		{zoe, true, "[Ana López Mei Wang Zoe Chen]"},
	}
	for _, step := range steps {
		if err := c.sim.SetGroupMember(g.ID, step.who, step.member); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(shown()); got != step.want {
			t.Errorf("%s is a member, %t: %s, want %s", step.who, step.member, got, step.want)
		}
	}
	for _, err := range []error{c.sim.SetGroupMember("Nobody's", greta, true), c.sim.SetGroupMember(leads, "nobody@patchbay.example", true)} {
		if err == nil {
			t.Error("no error")
		}
	}
	c.sim.Reset()
	if g, _ := c.sim.Group(leads); len(g.Members) != 3 {
		t.Errorf("after a reset: %+v", g)
	}
}
