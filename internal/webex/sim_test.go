package webex

import (
	"context"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/webexsim"
)

// simTokens are those of the simulator's own service app.
type simTokens struct{ token string }

func (s simTokens) AccessToken(context.Context) (string, error)      { return s.token, nil }
func (s simTokens) Rejected(context.Context, string) (string, error) { return s.token, nil }

func simulate(t *testing.T, o webexsim.Options) (*webexsim.Sim, *Client) {
	t.Helper()
	o.CheckContract = true
	sim, err := webexsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim.Handler())
	c := NewClient(Options{BaseURL: srv.URL + "/v1", Tokens: simTokens{sim.ServiceAppAccessToken()}})
	t.Cleanup(func() {
		c.Close()
		srv.Close()
		for _, v := range sim.Violations() {
			t.Errorf("against the contract: %s", v)
		}
	})
	return sim, c
}

const (
	greta = "greta.holm@patchbay.example" // agent of three queues, two phones
	ana   = "ana.lopez@patchbay.example"  // agent of a plain and of a Customer Assist queue
	hana  = "hana.sato@patchbay.example"  // may not change her call forwarding
	noah  = "noah.quinn@patchbay.example" // no Calling
)

func TestEveryMethodAgainstTheSimulator(t *testing.T) {
	t.Parallel()
	sim, c := simulate(t, webexsim.Options{})
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	people, err := c.FindPeopleByEmail(ctx, greta)
	must(err)
	info := sim.MustPerson(greta)
	if len(people) != 1 || !SameID(people[0].ID, info.ID) || !SameID(people[0].LocationID, info.LocationID) || people[0].DisplayName != info.DisplayName {
		t.Fatalf("%+v, want %+v", people, info)
	}
	who := people[0].ID
	p, err := c.GetPerson(ctx, who)
	must(err)
	if !SameID(p.ID, who) || p.LocationID == "" || len(p.Licenses) == 0 {
		t.Errorf("%+v", p)
	}
	if nobody, err := c.FindPeopleByEmail(ctx, "nobody@patchbay.example"); err != nil || len(nobody) != 0 {
		t.Errorf("%v %v", nobody, err)
	}
	me, err := c.GetMe(ctx)
	must(err)
	if me.ID == "" {
		t.Errorf("%+v", me)
	}
	all, err := collect(c.ListPeople(ctx, PeopleFilter{CallingData: true, Max: 10}))
	must(err)
	if len(all) < 20 || !slices.ContainsFunc(all, func(q Person) bool { return SameID(q.ID, who) }) {
		t.Errorf("%d people", len(all))
	}
	locations, err := c.ListLocations(ctx)
	must(err)
	if len(locations) < 5 {
		t.Errorf("%d locations", len(locations))
	}
	location, err := c.GetLocation(ctx, p.LocationID)
	must(err)
	if location.Name != info.Location || location.TimeZone != info.TimeZone {
		t.Errorf("%+v", location)
	}
	_, err = c.GetTelephonyLocation(ctx, p.LocationID)
	must(err)
	numbers, err := collect(c.ListNumbers(ctx, NumberFilter{OwnerID: who}))
	must(err)
	if len(numbers) == 0 || numbers[0].Owner == nil || !SameID(numbers[0].Owner.ID, who) {
		t.Errorf("%+v", numbers)
	}
	own, err := c.GetPersonNumbers(ctx, who)
	must(err)
	if len(own.PhoneNumbers) == 0 || own.PhoneNumbers[0].Extension != info.Extension {
		t.Errorf("%+v", own)
	}
	devices, err := c.ListDevices(ctx, who)
	must(err)
	calling, err := c.GetPersonDevices(ctx, who)
	must(err)
	if len(devices) < 2 || len(calling.Devices) < 2 || calling.Devices[0].Model == "" {
		t.Errorf("%+v %+v", devices, calling)
	}
	phones := 0
	for d, err := range c.ListAllDevices(ctx, DeviceFilter{Max: 3}) {
		must(err)
		if SameID(d.PersonID, who) {
			phones++
		}
	}
	if phones != len(devices) {
		t.Errorf("%d of her %d devices among all", phones, len(devices))
	}
	services, err := c.GetServices(ctx, who)
	must(err)
	if len(services) == 0 {
		t.Error("no services")
	}
	_, err = c.GetVoicemail(ctx, who)
	must(err)
	groups, err := c.ListGroups(ctx, GroupFilter{})
	must(err)
	if len(groups) == 0 {
		t.Fatal("no groups")
	}
	if same, err := c.ListGroups(ctx, GroupFilter{DisplayName: groups[0].DisplayName}); err != nil || len(same) != 1 || same[0].ID != groups[0].ID {
		t.Errorf("%v %v", same, err)
	}
	members, err := c.ListGroupMembers(ctx, groups[0].ID)
	must(err)
	if groups[0].MemberSize != nil && len(members) != int(*groups[0].MemberSize) {
		t.Errorf("%d members of %d", len(members), *groups[0].MemberSize)
	}
	organizations, err := c.ListOrganizations(ctx)
	must(err)
	if len(organizations) != 1 || !SameID(organizations[0].ID, sim.OrgID()) {
		t.Errorf("%+v", organizations)
	}
	end, err := c.GetTokenExpiry(ctx)
	must(err)
	if left := time.Until(end); left < 13*24*time.Hour || left > 14*24*time.Hour {
		t.Errorf("the token ends in %s", left)
	}

	yes, no := ptr(true), ptr(false)
	must(c.UpdateCallForwarding(ctx, who, CallForwardingUpdate{CallForwarding: &ForwardingRulesUpdate{
		Always: &ForwardAlways{Enabled: yes, Destination: ptr("+442079460958")}, NoAnswer: &ForwardNoAnswerUpdate{NumberOfRings: ptr(6)}}}))
	forwarding, err := c.GetCallForwarding(ctx, who)
	must(err)
	if f := forwarding.CallForwarding; !*f.Always.Enabled || *f.Always.Destination != "+442079460958" || *f.NoAnswer.NumberOfRings != 6 {
		t.Errorf("%+v", f)
	}
	must(c.UpdateDoNotDisturb(ctx, who, DoNotDisturbUpdate{Enabled: yes, WebexGoOverrideEnabled: no}))
	dnd, err := c.GetDoNotDisturb(ctx, who)
	must(err)
	if !*dnd.Enabled {
		t.Errorf("%+v", dnd)
	}
	waiting, err := c.GetCallWaiting(ctx, who)
	must(err)
	changed := !*waiting.Enabled
	must(c.UpdateCallWaiting(ctx, who, CallWaitingUpdate{Enabled: &changed}))
	waiting, err = c.GetCallWaiting(ctx, who)
	must(err)
	if *waiting.Enabled != changed {
		t.Errorf("%+v", waiting)
	}
	must(c.UpdateIntercept(ctx, who, InterceptUpdate{Enabled: yes, Outgoing: &InterceptOutgoing{Type: ptr("ALLOW_LOCAL_ONLY"), TransferEnabled: no}}))
	intercept, err := c.GetIntercept(ctx, who)
	must(err)
	if !*intercept.Enabled || *intercept.Outgoing.Type != "ALLOW_LOCAL_ONLY" {
		t.Errorf("%+v", intercept)
	}

	hers := sim.MustPerson(hana).ID
	access, err := c.GetFeatureAccess(ctx, hers)
	must(err)
	if access.Allows("callForwarding") || access.Allows("callWaiting") || !access.Allows("voicemail") {
		t.Errorf("%+v", access)
	}
	_, err = c.GetDefaultFeatureAccess(ctx)
	must(err)
	if _, err := c.GetCallForwarding(ctx, sim.MustPerson(noah).ID); !IsKind(err, KindNotFound) && !IsKind(err, KindForbidden) {
		t.Errorf("a person without Calling: %v", err)
	}
}

func TestQueuesAgainstTheSimulator(t *testing.T) {
	t.Parallel()
	sim, c := simulate(t, webexsim.Options{PageSize: 2})
	ctx := t.Context()
	listed := map[string]bool{}
	for _, assist := range []bool{false, true} {
		queues, err := c.ListQueues(ctx, assist)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range queues {
			listed[q.ID] = assist
			detail, err := c.GetQueue(ctx, q.LocationID, q.ID, assist)
			if err != nil || detail.Name != q.Name || detail.AllowAgentJoinEnabled == nil {
				t.Errorf("%+v %v", detail, err)
			}
			agents, err := c.ListQueueAgents(ctx, AgentFilter{QueueID: q.ID, CustomerAssist: assist})
			if err != nil || len(agents) != len(detail.Agents) {
				t.Errorf("%s: %d agents in the list, %d in the details, %v", q.Name, len(agents), len(detail.Agents), err)
			}
		}
	}
	want := map[string][]string{}
	for _, q := range sim.Queues() {
		assist, ok := listed[q.ID]
		if !ok || assist != q.Assist {
			t.Errorf("%s is not listed as what it is", q.Name)
		}
		for _, a := range q.Agents {
			want[a.Email] = append(want[a.Email], q.Name)
		}
	}
	if len(listed) != len(sim.Queues()) {
		t.Errorf("%d queues of %d", len(listed), len(sim.Queues()))
	}
	for _, email := range []string{greta, ana, noah} {
		queues, err := c.ListAgentQueues(ctx, sim.MustPerson(email).ID, AllQueues)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, q := range queues {
			got = append(got, q.Name)
			joined, agent := sim.QueueJoined(q.ID, email)
			if !agent || q.JoinEnabled == nil || *q.JoinEnabled != joined {
				t.Errorf("%s in %s: %+v", email, q.Name, q)
			}
			if err := c.UpdateQueueAgentSettings(ctx, sim.MustPerson(email).ID, q.CustomerAssist, []QueueAgentSetting{{QueueID: q.ID, JoinEnabled: !joined}}); err != nil {
				t.Errorf("%s in %s: %v", email, q.Name, err)
			}
			if now, _ := sim.QueueJoined(q.ID, email); now == joined {
				t.Errorf("%s in %s: nothing changed", email, q.Name)
			}
		}
		slices.Sort(got)
		slices.Sort(want[email])
		if diff := cmp.Diff(want[email], got); diff != "" {
			t.Errorf("%s: %s", email, diff)
		}
	}
}

// TestStaffingAgainstTheSimulator adds one agent and takes another away: of the
// others, and of the queue, everything stays.
func TestStaffingAgainstTheSimulator(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Sales Hotline", "Priority Care", "Accounts Payable Questions and Supplier Master Data (EMEA)"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim, c := simulate(t, webexsim.Options{PageSize: 7, Variant: webexsim.Variant{QueueSettingsRequired: true}})
			ctx := t.Context()
			q, _ := sim.Queue(name)
			before, err := c.GetQueue(ctx, q.LocationID, q.ID, q.Assist)
			if err != nil {
				t.Fatal(err)
			}
			var found AvailableAgent
			for a, err := range c.ListAvailableQueueAgents(ctx, AvailableAgentFilter{LocationID: q.LocationID}) {
				if err != nil {
					t.Fatal(err)
				}
				isAgent := slices.ContainsFunc(before.Agents, func(b QueueDetailAgent) bool { return SameID(a.ID, b.ID) })
				if !isAgent && (!q.Assist || *a.HasCxEssentials) {
					found = a
					break
				}
			}
			if found.Email == "" || found.DisplayName == "" || len(found.PhoneNumbers) == 0 {
				t.Fatalf("who is available: %+v", found)
			}
			var agents []QueueAgentUpdate
			for _, a := range before.Agents[1:] {
				agents = append(agents, a.Update())
			}
			agents = append(agents, QueueAgentUpdate{ID: found.ID, Weight: before.Agents[0].Weight, JoinEnabled: ptr(true)})
			if err := c.UpdateQueueAgents(ctx, q.LocationID, q.ID, before, agents); err != nil {
				t.Fatal(err)
			}
			after, err := c.GetQueue(ctx, q.LocationID, q.ID, q.Assist)
			if err != nil {
				t.Fatal(err)
			}
			kept := len(before.Agents) - 1
			if diff := cmp.Diff(before.Agents[1:], after.Agents[:kept]); diff != "" {
				t.Errorf("the others: %s", diff)
			}
			if last := after.Agents[kept]; len(after.Agents) != kept+1 || !SameID(last.ID, found.ID) || !*last.JoinEnabled || last.Weight != before.Agents[0].Weight {
				t.Errorf("%+v", after.Agents)
			}
			before.Agents, after.Agents = nil, nil
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the queue: %s", diff)
			}
			if err := c.UpdateQueueAgents(ctx, q.LocationID, q.ID, before, nil); err != nil {
				t.Errorf("the last one leaves: %v", err)
			}
			if now, _ := sim.Queue(name); len(now.Agents) != 0 {
				t.Errorf("%+v", now.Agents)
			}
			if err := c.UpdateQueueAgents(ctx, q.LocationID, q.ID, QueueDetail{}, nil); !IsKind(err, KindRefused) {
				t.Errorf("without the settings: %v", err)
			}
		})
	}
}

func TestHuntGroupsAgainstTheSimulator(t *testing.T) {
	t.Parallel()
	_, c := simulate(t, webexsim.Options{PageSize: 2})
	ctx := t.Context()
	list, err := c.ListHuntGroups(ctx)
	if err != nil || len(list) < 4 {
		t.Fatalf("%d hunt groups, %v", len(list), err)
	}
	for _, h := range list {
		before, err := c.GetHuntGroup(ctx, h.LocationID, h.ID)
		if err != nil || before.Name != h.Name || len(before.Agents) < 2 || before.CallPolicies == nil {
			t.Fatalf("%+v %v", before, err)
		}
		weighted := before.CallPolicies.Policy == "WEIGHTED"
		var agents []HuntGroupAgentUpdate
		for _, a := range before.Agents {
			agents = append(agents, a.Update())
		}
		slices.Reverse(agents)
		if err := c.UpdateHuntGroupAgents(ctx, h.LocationID, h.ID, agents); err != nil {
			t.Errorf("%s: %v", h.Name, err)
		}
		after, err := c.GetHuntGroup(ctx, h.LocationID, h.ID)
		slices.Reverse(after.Agents)
		if diff := cmp.Diff(before, after); diff != "" || err != nil {
			t.Errorf("%s: %v %s", h.Name, err, diff)
		}
		// One goes: with weights, the others must share what is left.
		err = c.UpdateHuntGroupAgents(ctx, h.LocationID, h.ID, agents[1:])
		if weighted != IsKind(err, KindRefused) || !weighted && err != nil {
			t.Errorf("%s, one less: %v", h.Name, err)
		}
	}
}

func TestFaultsOfTheSimulator(t *testing.T) {
	t.Parallel()
	tests := map[webexsim.FaultKind]struct {
		read, write Kind
		writeFails  bool
	}{
		webexsim.FaultHang:         {read: KindTimeout, write: KindTimeout, writeFails: true},
		webexsim.FaultClose:        {read: KindUnavailable, write: KindUnavailable, writeFails: true},
		webexsim.FaultHTML:         {read: KindBadGateway, write: KindBadGateway, writeFails: true},
		webexsim.FaultRedirect:     {read: KindBadGateway, write: KindBadGateway, writeFails: true},
		webexsim.FaultTruncate:     {read: KindBadGateway},
		webexsim.FaultInvalidJSON:  {read: KindBadGateway},
		webexsim.FaultWrongType:    {read: KindBadGateway},
		webexsim.FaultBare:         {read: KindBadGateway},
		webexsim.FaultEmpty:        {read: KindBadGateway},
		webexsim.FaultHuge:         {read: KindBadGateway},
		webexsim.FaultApplyAndHang: {read: KindTimeout, write: KindTimeout, writeFails: true},
	}
	for kind, tt := range tests {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			sim, c := simulate(t, webexsim.Options{})
			c.readTimeout, c.writeTimeout = time.Second, time.Second
			who := sim.MustPerson(greta).ID
			sim.SetFault(webexsim.Fault{Path: "/people/{personId}/features/callWaiting", Kind: kind})
			if _, err := c.GetCallWaiting(t.Context(), who); !IsKind(err, tt.read) {
				t.Errorf("read: %v", err)
			}
			err := c.UpdateCallWaiting(t.Context(), who, CallWaitingUpdate{Enabled: ptr(false)})
			if tt.writeFails && (!IsKind(err, tt.write) || !OutcomeUnknown(err)) {
				t.Errorf("write: %v", err)
			}
			if err != nil && !OutcomeUnknown(err) {
				t.Errorf("a write that may have happened: %v", err)
			}
			if _, err := c.GetDoNotDisturb(t.Context(), who); err != nil {
				t.Errorf("another setting: %v", err)
			}
		})
	}
}
