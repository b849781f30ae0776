// Package access says who may do what for whom: roles, which are bundles of
// permissions, granted to people and groups within a scope; and the portal's own
// policy of what each role may see and change. Everything that is not allowed
// here is forbidden.
package access

import (
	"slices"
	"time"

	"patchbay/internal/webex"
)

// Permission is something a person may do. Every route declares one.
type Permission string

// The permissions. Those of people, phones, queues and places hold for what is in
// the scope of the grant they come from.
const (
	// Anyone needs no sign-in: the login pages, static files, health probes.
	Anyone Permission = "anyone"
	// SignedIn is enough for what concerns nobody's settings: signing out, one's own sessions.
	SignedIn Permission = "signed-in"
	// ReadOwn lets people read their own settings, queues, phones and history.
	ReadOwn Permission = "own.read"
	// ChangeOwn lets people change their own settings and queues, and lend them to a colleague.
	ChangeOwn Permission = "own.change"
	// ReadPeople lets people find others, and read their settings, queues, phones and history.
	ReadPeople Permission = "people.read"
	// ChangePeople lets people change the settings and queues of others.
	ChangePeople Permission = "people.change"
	// ManagePhones lets people make activation codes, label lines and remove phones.
	ManagePhones Permission = "phones.manage"
	// ReadQueues lets people see queues and hunt groups with their agents.
	ReadQueues Permission = "queues.read"
	// SwitchAgents lets people join agents to a queue and let them leave it.
	SwitchAgents Permission = "queues.switch"
	// StaffQueues lets people add agents to queues and hunt groups, and remove them.
	StaffQueues Permission = "queues.staff"
	// ManagePlaces lets people change schedules, holidays and opening hours of locations.
	ManagePlaces Permission = "places.manage"
	// ReadLog lets people search and export the log.
	ReadLog Permission = "log.read"
	// ReadAccess lets people see who holds which role.
	ReadAccess Permission = "access.read"
	// GrantAccess lets people grant and revoke what they hold themselves.
	GrantAccess Permission = "access.grant"
	// ReadPolicy lets people see the portal's policy.
	ReadPolicy Permission = "policy.read"
	// ChangePolicy lets people change the portal's policy, and see the portal as somebody else.
	ChangePolicy Permission = "policy.change"
	// ManageSessions lets people see and end the sessions of others.
	ManageSessions Permission = "sessions.manage"
	// Operate lets operators see the health of the portal.
	Operate Permission = "portal.operate"
)

// Permissions lists all that a role can hold, in the order in which people read them.
func Permissions() []Permission {
	return []Permission{
		SignedIn, ReadOwn, ChangeOwn, ReadPeople, ChangePeople, ManagePhones, ReadQueues, SwitchAgents, StaffQueues, ManagePlaces,
		ReadLog, ReadAccess, GrantAccess, ReadPolicy, ChangePolicy, ManageSessions, Operate,
	}
}

// whole are the permissions that concern the organization as a whole: a smaller
// scope does not give them.
var whole = []Permission{ReadPolicy, ChangePolicy, ManageSessions, Operate}

// OfTheWhole reports whether a permission concerns the organization as a whole, so
// that a grant for less does not give it.
func OfTheWhole(p Permission) bool { return slices.Contains(whole, p) }

// Role is a bundle of permissions.
type Role string

// The roles.
const (
	// User is everybody who signs in, for themselves.
	User Role = "user"
	// Colleague is somebody to whom a person has lent their forwarding and queues.
	Colleague Role = "colleague"
	// Lead looks after chosen queues and hunt groups.
	Lead Role = "lead"
	// Helpdesk acts for the people of chosen locations or groups.
	Helpdesk Role = "helpdesk"
	// OfficeManager looks after chosen locations.
	OfficeManager Role = "officeManager"
	// Auditor reads everything and changes nothing.
	Auditor Role = "auditor"
	// Administrator may do everything in their scope.
	Administrator Role = "administrator"
)

// Roles lists all roles, the least powerful first.
func Roles() []Role {
	return []Role{User, Colleague, Lead, Helpdesk, OfficeManager, Auditor, Administrator}
}

// Granted lists the roles that are granted; the others come by themselves, or are lent.
func Granted() []Role { return []Role{Lead, Helpdesk, OfficeManager, Auditor, Administrator} }

// bundles says what each role may do. The permissions about oneself come with User
// alone, and reach nobody else.
var bundles = map[Role][]Permission{
	User:          {SignedIn, ReadOwn, ChangeOwn},
	Colleague:     {ReadPeople, ChangePeople},
	Lead:          {ReadQueues, SwitchAgents, StaffQueues},
	Helpdesk:      {ReadPeople, ChangePeople, ManagePhones},
	OfficeManager: {ManagePlaces},
	Auditor:       {ReadPeople, ReadQueues, ReadLog, ReadAccess, ReadPolicy, Operate},
	Administrator: {
		ReadPeople, ChangePeople, ManagePhones, ReadQueues, SwitchAgents, StaffQueues, ManagePlaces,
		ReadLog, ReadAccess, GrantAccess, ReadPolicy, ChangePolicy, ManageSessions, Operate,
	},
}

// Bundle lists what a role may do.
func Bundle(r Role) []Permission { return slices.Clone(bundles[r]) }

// Queues is the name of the queues and hunt groups in a policy: those that a person is
// an agent of, and those that a board shows.
const Queues = "queues"

// lent are the settings that a colleague gets to see and change: "my forwarding and
// my queues".
var lent = []string{"callForwarding", Queues}

// Holding is a role that somebody holds now.
type Holding struct {
	Role  Role
	Scope Scope
	Grant string    // the id of the grant; "" for what everybody has, and for PORTAL_ADMINS
	Group string    // the id of the group through which it is held; "" directly
	Until time.Time // zero: for good
}

func (h Holding) has(p Permission) bool {
	return slices.Contains(bundles[h.Role], p) && (h.Scope.Organization || !slices.Contains(whole, p))
}

// Target is somebody or something that a permission is wanted on.
type Target struct {
	Person   string   // Webex's id of a person; "" for what is no person
	Location string   // where the person, the queue or the hunt group is
	Groups   []string // the groups that the person is in
	Queue    string   // Webex's id of a queue
	Hunt     string   // Webex's id of a hunt group
}

// Caller is somebody who asks for something. It is made for one request, of one
// state of grants and policy.
type Caller struct {
	PersonID string // Webex's id; "" is nobody
	Name     string
	Holdings []Holding
	Policy   *Policy // nil: nothing is restricted
}

// NewCaller is a signed-in person who holds nothing but what everybody has.
func NewCaller(personID, name string) Caller {
	return Caller{PersonID: personID, Name: name, Holdings: []Holding{{Role: User}}}
}

// With is the caller with one more role.
func (c Caller) With(h Holding) Caller {
	c.Holdings = append(slices.Clone(c.Holdings), h)
	return c
}

// May reports whether the caller has the permission on anything at all.
func (c Caller) May(p Permission) bool {
	return p == Anyone || slices.ContainsFunc(c.Holdings, func(h Holding) bool { return h.has(p) })
}

// MayEverywhere reports whether the caller has the permission on the whole
// organization.
func (c Caller) MayEverywhere(p Permission) bool {
	return slices.ContainsFunc(c.Holdings, func(h Holding) bool { return h.has(p) && h.Scope.Organization })
}

// MayOn reports whether the caller has the permission on the target, and as which
// role: the most powerful that gives it. Nobody has a permission over people on
// themselves: for them it is ReadOwn and ChangeOwn. On queues and hunt groups the
// policy is asked too; of people it speaks by setting, which is Level.
func (c Caller) MayOn(p Permission, t Target) (Role, bool) {
	best := -1
	self := c.Is(t.Person)
	for _, h := range c.Holdings {
		if !h.has(p) {
			continue
		}
		reaches := h.Scope.covers(t) && !self
		if h.Role == User {
			reaches = self
		}
		if reaches && c.policyLeaves(p, t, h.Role) {
			best = max(best, slices.Index(Roles(), h.Role))
		}
	}
	if best < 0 {
		return "", false
	}
	return Roles()[best], true
}

// policyLeaves reports whether the policy lets a role do this to a queue.
func (c Caller) policyLeaves(p Permission, t Target, r Role) bool {
	switch {
	case t.Queue == "" && t.Hunt == "":
		return true
	case p == ReadQueues:
		return c.Policy.Level(t.Location, Queues, r) != Hidden
	case p == SwitchAgents, p == StaffQueues:
		return c.Policy.Level(t.Location, Queues, r) == Write
	}
	return true
}

// Is reports whether the caller is this person.
func (c Caller) Is(personID string) bool { return webex.SameID(c.PersonID, personID) }

// Permissions lists what the caller may do somewhere, sorted.
func (c Caller) Permissions() []Permission {
	var list []Permission
	for _, p := range Permissions() {
		if c.May(p) {
			list = append(list, p)
		}
	}
	slices.Sort(list)
	return list
}

// Roles lists the caller's roles, the least powerful first.
func (c Caller) Roles() []Role {
	return slices.DeleteFunc(Roles(), func(r Role) bool {
		return !slices.ContainsFunc(c.Holdings, func(h Holding) bool { return h.Role == r })
	})
}

// Level says what the caller may do to a part of a person's portal (a setting by
// its name, "queues", "phones"), and as which role: of all roles that reach the
// person, the one to which the policy leaves the most.
func (c Caller) Level(t Target, part string) (Level, Role) {
	level, as := Hidden, Role("")
	self := c.Is(t.Person)
	for _, h := range c.Holdings {
		read, change := ReadPeople, ChangePeople
		switch {
		case h.Role == User && self:
			read, change = ReadOwn, ChangeOwn
		case h.Role == User || self || !h.Scope.covers(t):
			continue
		}
		var l Level
		switch {
		case h.Role == Colleague && !slices.Contains(lent, part):
			continue
		case h.has(change):
			l = Write
		case h.has(read):
			l = Read
		default:
			continue
		}
		l = stricter(l, c.Policy.Level(t.Location, part, h.Role))
		if as == "" || l.rank() > level.rank() || l == level && slices.Index(Roles(), h.Role) > slices.Index(Roles(), as) {
			level, as = l, h.Role
		}
	}
	return level, as
}
