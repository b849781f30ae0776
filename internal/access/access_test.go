package access_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"patchbay/internal/access"
)

// id is a made-up id of Webex's form.
func id(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// Who and what there is in the tests.
var (
	boss, ines, ben, greta, ana, tom = id(1), id(2), id(3), id(4), id(5), id(6)
	berlin, munich                   = id(101), id(102)
	desk, sales                      = id(201), id(202)
	hotline, service                 = id(301), id(302)
)

var everything = access.Scope{Organization: true}

func in(locations ...string) access.Scope { return access.Scope{Locations: locations} }

func holds(personID string, role access.Role, s access.Scope) access.Caller {
	return access.NewCaller(personID, "Somebody").With(access.Holding{Role: role, Scope: s, Grant: "g"})
}

func TestMay(t *testing.T) {
	t.Parallel()
	nobody, user, admin := access.Caller{}, access.NewCaller("1", "Greta"), holds("2", access.Administrator, everything)
	tests := map[access.Permission][3]bool{ // nobody, user, administrator
		access.Anyone:                {true, true, true},
		access.SignedIn:              {false, true, true},
		access.ReadOwn:               {false, true, true},
		access.ChangeOwn:             {false, true, true},
		access.Operate:               {false, false, true},
		"":                           {false, false, false},
		access.Permission("unknown"): {false, false, false},
	}
	for p, want := range tests {
		if got := [3]bool{nobody.May(p), user.May(p), admin.May(p)}; got != want {
			t.Errorf("%q: %v, want %v", p, got, want)
		}
	}
}

func TestMayOn(t *testing.T) {
	t.Parallel()
	person := access.Target{Person: greta, Location: berlin, Groups: []string{sales}}
	queue := access.Target{Queue: hotline, Location: berlin}
	hunt := access.Target{Hunt: service, Location: munich}
	tests := map[string]struct {
		caller access.Caller
		p      access.Permission
		on     access.Target
		role   access.Role // "" is no
	}{
		"a user reads themselves":                                  {access.NewCaller(greta, ""), access.ReadOwn, person, access.User},
		"a user reads nobody else":                                 {access.NewCaller(ben, ""), access.ReadOwn, person, ""},
		"the helpdesk of a location":                               {holds(ben, access.Helpdesk, in(berlin)), access.ChangePeople, person, access.Helpdesk},
		"the helpdesk of another location":                         {holds(ben, access.Helpdesk, in(munich)), access.ChangePeople, person, ""},
		"the helpdesk of several locations":                        {holds(ben, access.Helpdesk, in(munich, berlin)), access.ManagePhones, person, access.Helpdesk},
		"the helpdesk of a group":                                  {holds(ben, access.Helpdesk, access.Scope{Groups: []string{sales}}), access.ChangePeople, person, access.Helpdesk},
		"the helpdesk of another group":                            {holds(ben, access.Helpdesk, access.Scope{Groups: []string{desk}}), access.ChangePeople, person, ""},
		"the helpdesk of named people":                             {holds(ben, access.Helpdesk, access.Scope{People: []string{ana, greta}}), access.ChangePeople, person, access.Helpdesk},
		"a helper has nothing over themselves as a helper":         {holds(greta, access.Helpdesk, in(berlin)), access.ChangePeople, person, ""},
		"a helper of a location sees none of its queues":           {holds(ben, access.Helpdesk, in(berlin)), access.ReadQueues, queue, ""},
		"an auditor changes nothing":                               {holds(ben, access.Auditor, everything), access.ChangePeople, person, ""},
		"an auditor reads":                                         {holds(ben, access.Auditor, everything), access.ReadPeople, person, access.Auditor},
		"a lead of the queue":                                      {holds(ben, access.Lead, access.Scope{Queues: []string{hotline}}), access.StaffQueues, queue, access.Lead},
		"a lead of the queue by the location":                      {holds(ben, access.Lead, in(berlin)), access.SwitchAgents, queue, access.Lead},
		"a lead of a queue is none of a hunt group of the same id": {holds(ben, access.Lead, access.Scope{Queues: []string{service}}), access.ReadQueues, hunt, ""},
		"a lead of a hunt group":                                   {holds(ben, access.Lead, access.Scope{HuntGroups: []string{service}}), access.ReadQueues, hunt, access.Lead},
		"a lead does not read people":                              {holds(ben, access.Lead, everything), access.ReadPeople, person, ""},
		"the most powerful role that reaches counts": {
			holds(ben, access.Helpdesk, in(berlin)).With(access.Holding{Role: access.Administrator, Scope: in(munich)}).With(access.Holding{Role: access.Auditor, Scope: everything}),
			access.ReadPeople, person, access.Auditor,
		},
		"a scope of nothing reaches nothing":              {holds(ben, access.Helpdesk, access.Scope{}), access.ChangePeople, person, ""},
		"an empty id in a scope reaches nobody":           {holds(ben, access.Helpdesk, access.Scope{People: []string{""}, Locations: []string{""}}), access.ChangePeople, access.Target{Person: ana}, ""},
		"the policy is everybody's: not of a location":    {holds(ben, access.Administrator, in(berlin)), access.ChangePolicy, access.Target{Location: berlin}, ""},
		"sessions are everybody's: not of a location":     {holds(ben, access.Administrator, in(berlin)), access.ManageSessions, person, ""},
		"an administrator of a location grants there":     {holds(ben, access.Administrator, in(berlin)), access.GrantAccess, person, access.Administrator},
		"an administrator of a location grants only here": {holds(ben, access.Administrator, in(berlin)), access.GrantAccess, access.Target{Person: ana, Location: munich}, ""},
		"nobody":                 {access.Caller{}, access.ReadPeople, person, ""},
		"a colleague was lent":   {holds(ben, access.Colleague, access.Scope{People: []string{greta}}), access.ChangePeople, person, access.Colleague},
		"a role that is unknown": {holds(ben, "root", everything), access.ChangePeople, person, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			role, ok := tt.caller.MayOn(tt.p, tt.on)
			if role != tt.role || ok != (tt.role != "") {
				t.Errorf("got %q %v, want %q", role, ok, tt.role)
			}
		})
	}
}

func TestLevel(t *testing.T) {
	t.Parallel()
	policy := &access.Policy{
		Default: access.SettingLevels{
			"callForwarding": {access.User: access.Read, access.Helpdesk: access.Hidden},
			"doNotDisturb":   {access.User: access.Hidden},
			"queues":         {access.User: access.Read},
		},
		Locations: map[string]access.SettingLevels{munich: {"callForwarding": {access.User: access.Write}}},
	}
	here, there := access.Target{Person: greta, Location: berlin}, access.Target{Person: greta, Location: munich}
	tests := map[string]struct {
		caller access.Caller
		on     access.Target
		part   string
		level  access.Level
		role   access.Role
	}{
		"the default for people":                            {access.NewCaller(greta, ""), here, "callForwarding", access.Read, access.User},
		"a location loosens it":                             {access.NewCaller(greta, ""), there, "callForwarding", access.Write, access.User},
		"hidden":                                            {access.NewCaller(greta, ""), here, "doNotDisturb", access.Hidden, access.User},
		"what is not named is open":                         {access.NewCaller(greta, ""), here, "callWaiting", access.Write, access.User},
		"somebody else sees nothing":                        {access.NewCaller(ben, ""), here, "callWaiting", access.Hidden, ""},
		"hidden from the helpdesk":                          {holds(ben, access.Helpdesk, in(berlin)), here, "callForwarding", access.Hidden, access.Helpdesk},
		"the role to which most is left counts":             {holds(ben, access.Helpdesk, in(berlin)).With(access.Holding{Role: access.Auditor, Scope: everything}), here, "callForwarding", access.Read, access.Auditor},
		"an auditor never writes":                           {holds(ben, access.Auditor, everything), here, "callWaiting", access.Read, access.Auditor},
		"a colleague can do what the person could":          {holds(ben, access.Colleague, access.Scope{People: []string{greta}}), here, "callForwarding", access.Read, access.Colleague},
		"a colleague sees nothing but what was lent":        {holds(ben, access.Colleague, access.Scope{People: []string{greta}}), here, "callWaiting", access.Hidden, ""},
		"queues are lent too":                               {holds(ben, access.Colleague, access.Scope{People: []string{greta}}), here, "queues", access.Read, access.Colleague},
		"a role over others gives nothing over oneself":     {holds(greta, access.Administrator, everything), here, "doNotDisturb", access.Hidden, access.User},
		"a lead reaches no settings":                        {holds(ben, access.Lead, everything), here, "callWaiting", access.Hidden, ""},
		"an office manager reaches no settings of a person": {holds(ben, access.OfficeManager, in(berlin)), here, "callWaiting", access.Hidden, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.caller.Policy = policy
			if level, role := tt.caller.Level(tt.on, tt.part); level != tt.level || role != tt.role {
				t.Errorf("got %q as %q, want %q as %q", level, role, tt.level, tt.role)
			}
		})
	}
}

func TestRolesHoldNoMoreThanTheyShould(t *testing.T) {
	t.Parallel()
	for _, role := range access.Granted() {
		for _, p := range access.Bundle(role) {
			if p == access.ReadOwn || p == access.ChangeOwn || p == access.SignedIn {
				t.Errorf("%s gives %s, which everybody has for themselves", role, p)
			}
			if admin := holds("x", access.Administrator, everything); !admin.MayEverywhere(p) {
				t.Errorf("%s gives %s, which no administrator could grant", role, p)
			}
		}
		if len(access.Kinds(role)) == 0 {
			t.Errorf("%s has no scope", role)
		}
	}
	changing := []access.Permission{access.ChangePeople, access.ManagePhones, access.SwitchAgents, access.StaffQueues, access.ManagePlaces, access.GrantAccess, access.ChangePolicy, access.ManageSessions}
	for _, p := range changing {
		if holds("x", access.Auditor, everything).May(p) {
			t.Errorf("an auditor may %s", p)
		}
	}
}

func TestKindsOfScopes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		scope access.Scope
		kind  access.Kind
	}{
		"none":                   {access.Scope{}, ""},
		"the organization":       {everything, access.OfOrganization},
		"locations":              {in(berlin), access.OfLocations},
		"queues and hunt groups": {access.Scope{Queues: []string{hotline}, HuntGroups: []string{service}}, access.OfQueues},
		"hunt groups alone":      {access.Scope{HuntGroups: []string{service}}, access.OfQueues},
		"two kinds":              {access.Scope{Organization: true, Locations: []string{berlin}}, ""},
		"people and groups":      {access.Scope{People: []string{ana}, Groups: []string{sales}}, ""},
	}
	for name, tt := range tests {
		if got := tt.scope.Kind(); got != tt.kind {
			t.Errorf("%s: %q, want %q", name, got, tt.kind)
		}
	}
}

func TestEqualPoliciesHaveEqualTags(t *testing.T) {
	t.Parallel()
	var none *access.Policy
	plain := &access.Policy{Default: access.SettingLevels{"queues": {access.User: access.Read, access.Helpdesk: access.Write}}, ReasonRequired: []access.Role{access.Helpdesk, access.Auditor, access.Helpdesk}}
	same := &access.Policy{Default: access.SettingLevels{"queues": {access.User: access.Read}, "phones": {}}, Locations: map[string]access.SettingLevels{berlin: {}}, ReasonRequired: []access.Role{access.Auditor, access.Helpdesk}}
	if plain.ETag() != same.ETag() {
		t.Error("what says the same has another tag")
	}
	if none.ETag() != (&access.Policy{}).ETag() || none.ETag() == plain.ETag() {
		t.Error("no policy is not the empty one")
	}
	if none.NeedsReason(access.Helpdesk) || none.Level(berlin, "queues", access.User) != access.Write {
		t.Error("no policy forbids something")
	}
}

// Whatever is in a policy, reading it neither panics nor gives more than Write.
func FuzzPolicy(f *testing.F) {
	f.Add([]byte(`{"default":{"queues":{"user":"read"}},"locations":{"x":{"queues":{"user":"write"}}},"reasonRequired":["helpdesk"],"contact":"1000"}`), "queues", "user")
	f.Add([]byte(`{"default":null,"locations":{"":null}}`), "", "")
	f.Fuzz(func(t *testing.T, text []byte, setting, role string) {
		var p access.Policy
		if json.Unmarshal(text, &p) != nil {
			return
		}
		c := holds(ben, access.Role(role), everything)
		c.Policy = &p
		if level, _ := c.Level(access.Target{Person: greta, Location: berlin}, setting); level == access.Write && role != string(access.Helpdesk) && role != string(access.Administrator) && role != string(access.Colleague) {
			t.Errorf("%s gives %s", role, level)
		}
		again := p
		if again.ETag() != p.ETag() {
			t.Error("the tag is not the same twice")
		}
	})
}

// A grant that was read gives nothing that its role and scope do not.
func FuzzGrant(f *testing.F) {
	f.Add([]byte(`{"to":{"person":"x"},"role":"helpdesk","scope":{"organization":true},"until":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"role":"administrator","scope":{"locations":[""],"people":[null]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var g access.Grant
		if json.Unmarshal(text, &g) != nil {
			return
		}
		c := holds(ben, g.Role, g.Scope)
		if _, ok := c.MayOn(access.ChangePolicy, access.Target{}); ok && (!g.Scope.Organization || g.Role != access.Administrator) {
			t.Errorf("%s gives the policy", text)
		}
	})
}
