package access

import (
	"slices"

	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/webex"
)

// Scope is where a role holds. It is of one kind: the whole organization, or the
// locations, or the groups, or the queues and hunt groups, or the people named by
// Webex's ids.
type Scope struct {
	Organization bool     `json:"organization,omitempty"`
	Locations    []string `json:"locations,omitempty"`
	Groups       []string `json:"groups,omitempty"`
	Queues       []string `json:"queues,omitempty"`
	HuntGroups   []string `json:"huntGroups,omitempty"`
	People       []string `json:"people,omitempty"`
}

// Kind is the kind of a scope.
type Kind string

// The kinds.
const (
	OfOrganization Kind = "organization"
	OfLocations    Kind = "locations"
	OfGroups       Kind = "groups"
	OfQueues       Kind = "queues" // and hunt groups
	OfPeople       Kind = "people"
)

// Kinds lists the kinds of scope that a role may have, the usual one first.
func Kinds(r Role) []Kind {
	switch r {
	case Lead:
		return []Kind{OfQueues, OfLocations, OfOrganization}
	case Helpdesk:
		return []Kind{OfLocations, OfGroups, OfPeople, OfOrganization}
	case OfficeManager, Administrator:
		return []Kind{OfLocations, OfOrganization}
	case Auditor:
		return []Kind{OfOrganization, OfLocations, OfGroups, OfPeople}
	case Colleague:
		return []Kind{OfPeople}
	}
	return nil
}

// Kind is what kind of scope it is; "" for one that is empty or of several kinds.
func (s Scope) Kind() Kind {
	var found []Kind
	if s.Organization {
		found = append(found, OfOrganization)
	}
	for kind, ids := range map[Kind]int{OfLocations: len(s.Locations), OfGroups: len(s.Groups), OfQueues: len(s.Queues) + len(s.HuntGroups), OfPeople: len(s.People)} {
		if ids > 0 {
			found = append(found, kind)
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// covers reports whether the target is in the scope.
func (s Scope) covers(t Target) bool {
	person, queue := t.Person != "", t.Queue != "" || t.Hunt != ""
	switch {
	case s.Organization:
		return true
	case contains(s.Locations, t.Location):
		return true
	case person:
		return contains(s.People, t.Person) || slices.ContainsFunc(t.Groups, func(g string) bool { return contains(s.Groups, g) })
	case queue:
		return contains(s.Queues, t.Queue) || contains(s.HuntGroups, t.Hunt)
	}
	return false
}

// within reports whether everything in s is certainly in other too.
func (s Scope) within(other Scope) bool {
	if other.Organization {
		return true
	}
	all := func(ids, of []string) bool {
		return !slices.ContainsFunc(ids, func(id string) bool { return !contains(of, id) })
	}
	return !s.Organization && all(s.Locations, other.Locations) && all(s.Groups, other.Groups) && all(s.Queues, other.Queues) &&
		all(s.HuntGroups, other.HuntGroups) && all(s.People, other.People)
}

// contains compares ids however they are written.
func contains(ids []string, id string) bool {
	return id != "" && slices.ContainsFunc(ids, func(one string) bool { return webex.SameID(one, id) })
}

// check finds what is wrong with the scope of a role.
func (s Scope) check(r Role) []problem.Field {
	kind := s.Kind()
	if kind == "" {
		return []problem.Field{{Name: "scope", Detail: i18n.NewText("grant.scope.one")}}
	}
	if !slices.Contains(Kinds(r), kind) {
		return []problem.Field{{Name: "scope", Detail: i18n.NewText("grant.scope.kind", "Role", i18n.NewText("role."+string(r)))}}
	}
	var faults []problem.Field
	for name, ids := range map[string][]string{"locations": s.Locations, "groups": s.Groups, "queues": s.Queues, "huntGroups": s.HuntGroups, "people": s.People} {
		if len(ids) > maxInScope {
			faults = append(faults, problem.Field{Name: "scope." + name, Detail: i18n.NewText("grant.scope.many", "Max", maxInScope)})
		}
		for _, id := range ids {
			if _, err := webex.UUID(id); err != nil {
				faults = append(faults, problem.Field{Name: "scope." + name, Detail: i18n.NewText("grant.scope.id")})
				break
			}
		}
	}
	return faults
}

// maxInScope is how many things one scope may name: more is a group's work.
const maxInScope = 200
