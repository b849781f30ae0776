// Package access says who may do what. Everything that is not allowed here is
// forbidden.
package access

import "slices"

// Permission is something a person may do. Every route declares one.
type Permission string

// The permissions.
const (
	// Anyone needs no sign-in: the login pages, static files, health probes.
	Anyone Permission = "anyone"
	// SignedIn is enough for what concerns nobody's settings: signing out.
	SignedIn Permission = "signed-in"
	// ReadOwn lets people read their own settings, queues, phones and history.
	ReadOwn Permission = "own.read"
	// ChangeOwn lets people change their own settings and queues.
	ChangeOwn Permission = "own.change"
	// Operate lets operators see the health of the portal.
	Operate Permission = "portal.operate"
)

// Role is a bundle of permissions.
type Role string

// The roles.
const (
	User          Role = "user"
	Administrator Role = "administrator"
)

var bundles = map[Role][]Permission{
	User:          {SignedIn, ReadOwn, ChangeOwn},
	Administrator: {Operate},
}

// Caller is somebody who asks for something.
type Caller struct {
	PersonID string // Webex's id
	Name     string
	Roles    []Role // none: nobody is signed in
}

// NewCaller is a signed-in person; administrators are users too.
func NewCaller(personID, name string, administrator bool) Caller {
	c := Caller{PersonID: personID, Name: name, Roles: []Role{User}}
	if administrator {
		c.Roles = append(c.Roles, Administrator)
	}
	return c
}

// May reports whether the caller has the permission.
func (c Caller) May(p Permission) bool {
	if p == Anyone {
		return true
	}
	return slices.ContainsFunc(c.Roles, func(r Role) bool { return slices.Contains(bundles[r], p) })
}

// Permissions lists what the caller may do, sorted.
func (c Caller) Permissions() []Permission {
	var list []Permission
	for _, r := range c.Roles {
		list = append(list, bundles[r]...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
