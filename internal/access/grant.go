package access

import (
	"slices"
	"time"
)

// Grant gives a role to a person or to a group, within a scope.
type Grant struct {
	ID     string    `json:"id"`
	To     Grantee   `json:"to"`
	Role   Role      `json:"role"`
	Scope  Scope     `json:"scope"`
	Until  time.Time `json:"until,omitzero"` // zero: for good
	Reason string    `json:"reason"`
	By     Grantor   `json:"by"`
	At     time.Time `json:"at"`
}

// Grantee is to whom a role is granted: a person or a Webex group, by Webex's id.
// The name is kept as it was then.
type Grantee struct {
	Person string `json:"person,omitempty"`
	Group  string `json:"group,omitempty"`
	Name   string `json:"name,omitempty"`
}

// Grantor is who granted it.
type Grantor struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Expired reports whether the grant has ended.
func (g Grant) Expired(now time.Time) bool { return !g.Until.IsZero() && !now.Before(g.Until) }

func (g Grant) holding() Holding {
	return Holding{Role: g.Role, Scope: g.Scope, Grant: g.ID, Group: g.To.Group, Until: g.Until}
}

// reaches reports whether the grant gives its role to the person.
func (g Grant) reaches(personID string, groups Groups) bool {
	if g.To.Group != "" {
		return groups.InGroup(g.To.Group, personID)
	}
	return contains([]string{g.To.Person}, personID)
}

// concerns reports whether the grant lets its holder see the target. Nobody has a
// role over themselves.
func (g Grant) concerns(t Target) bool {
	read := ReadPeople
	if t.Person == "" {
		read = ReadQueues
	}
	return g.holding().has(read) && g.Scope.covers(t) && !contains([]string{g.To.Person}, t.Person)
}

// mayGive reports whether somebody with these holdings may give the role within the
// scope until then: they must hold every permission of it there, and the right to
// grant, for at least as long.
func mayGive(c Caller, r Role, s Scope, until time.Time) bool {
	gives := func(p Permission) bool {
		return slices.ContainsFunc(c.Holdings, func(h Holding) bool {
			return h.Role != User && slices.Contains(bundles[h.Role], p) && s.within(h.Scope) && lastsUntil(h.Until, until)
		})
	}
	for _, p := range append(Bundle(r), GrantAccess) {
		if !gives(p) {
			return false
		}
	}
	return true
}

// lastsUntil reports whether what ends at end (zero: never) is still there at until.
func lastsUntil(end, until time.Time) bool {
	return end.IsZero() || !until.IsZero() && !until.After(end)
}
