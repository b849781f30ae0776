package access

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/webex"
)

// Level is what somebody may do to a setting.
type Level string

// The levels, the strictest first.
const (
	Hidden Level = "hidden"
	Read   Level = "read"
	Write  Level = "write"
)

// Levels lists them, the strictest first.
func Levels() []Level { return []Level{Hidden, Read, Write} }

func (l Level) rank() int { return slices.Index(Levels(), l) }

func stricter(a, b Level) Level {
	if b.rank() < a.rank() {
		return b
	}
	return a
}

// PolicyRoles lists the roles for which a policy can say something. A colleague
// does what the person could do who asked them; the other roles reach no settings.
func PolicyRoles() []Role { return []Role{User, Helpdesk, Auditor, Administrator} }

// SettingLevels are levels by setting and role. What is not named is Write: as far as
// the role and Webex allow.
type SettingLevels map[string]map[Role]Level

// Policy is what the portal itself forbids. It is always as strict as Webex's own
// feature access or stricter: that is asked besides.
type Policy struct {
	Default   SettingLevels            `json:"default"`
	Locations map[string]SettingLevels `json:"locations"` // by location id; what is named here replaces the default
	// ReasonRequired lists the roles that must say why they change something for
	// somebody else.
	ReasonRequired []Role `json:"reasonRequired"`
	// Contact is whom to ask when something is locked: "IT Service Desk, ext. 1000".
	Contact string `json:"contact"`

	places map[string]SettingLevels // Locations by one spelling of the id; nil until normal
}

// Level is what the policy leaves to a role.
func (p *Policy) Level(locationID, setting string, r Role) Level {
	if p == nil {
		return Write
	}
	if r == Colleague {
		r = User
	}
	places := p.places
	if places == nil {
		places = p.normal().places
	}
	if len(places) > 0 && locationID != "" {
		if l := places[canonical(locationID)][setting][r]; l != "" {
			return l
		}
	}
	if l := p.Default[setting][r]; l != "" {
		return l
	}
	return Write
}

// NeedsReason reports whether the role must say why.
func (p *Policy) NeedsReason(r Role) bool { return p != nil && slices.Contains(p.ReasonRequired, r) }

// ETag names a state of the policy: equal policies have equal tags.
func (p *Policy) ETag() string {
	return etag(p.normal().json())
}

func etag(text []byte) string {
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

func (p *Policy) json() []byte {
	text, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("a policy cannot be encoded: %v", err)) // maps of strings only
	}
	return text
}

// normal is the policy without what says nothing.
func (p *Policy) normal() *Policy {
	n := &Policy{Default: SettingLevels{}, Locations: map[string]SettingLevels{}, ReasonRequired: []Role{}, places: map[string]SettingLevels{}}
	if p == nil {
		return n
	}
	n.Default = p.Default.normal(true)
	for id, levels := range p.Locations {
		// A location may loosen the organization's default, so "write" says something here.
		if l := levels.normal(false); len(l) > 0 {
			n.Locations[id], n.places[canonical(id)] = l, l
		}
	}
	n.ReasonRequired = append(n.ReasonRequired, p.ReasonRequired...)
	slices.Sort(n.ReasonRequired)
	n.ReasonRequired = slices.Compact(n.ReasonRequired)
	n.Contact = p.Contact
	return n
}

func (s SettingLevels) normal(dropWrite bool) SettingLevels {
	n := SettingLevels{}
	for setting, roles := range s {
		kept := maps.Clone(roles)
		maps.DeleteFunc(kept, func(_ Role, l Level) bool { return l == "" || dropWrite && l == Write })
		if len(kept) > 0 {
			n[setting] = kept
		}
	}
	return n
}

// The bounds of a policy's parts.
const (
	maxContact         = 200
	maxPolicyLocations = 1000
)

// check finds what is wrong with a policy for these settings.
func (p *Policy) check(settings []string) []problem.Field {
	faults := p.Default.check("default", settings)
	if len(p.Locations) > maxPolicyLocations {
		faults = append(faults, problem.Field{Name: "locations", Detail: i18n.NewText("policy.locations", "Max", maxPolicyLocations)})
		return faults
	}
	seen := map[string]bool{} // one location can be written in several ways
	for _, id := range slices.Sorted(maps.Keys(p.Locations)) {
		if _, err := webex.UUID(id); err != nil || seen[canonical(id)] {
			faults = append(faults, problem.Field{Name: "locations." + id, Detail: i18n.NewText("policy.location")})
		}
		seen[canonical(id)] = true
		faults = append(faults, p.Locations[id].check("locations."+id, settings)...)
	}
	for _, r := range p.ReasonRequired {
		if !slices.Contains(Roles(), r) || r == User {
			faults = append(faults, problem.Field{Name: "reasonRequired", Detail: i18n.NewText("policy.role", "Role", string(r))})
		}
	}
	if utf8.RuneCountInString(p.Contact) > maxContact || !utf8.ValidString(p.Contact) || strings.ContainsFunc(p.Contact, unicode.IsControl) {
		faults = append(faults, problem.Field{Name: "contact", Detail: i18n.NewText("policy.contact", "Max", maxContact)})
	}
	return faults
}

func (s SettingLevels) check(path string, settings []string) []problem.Field {
	var faults []problem.Field
	for _, setting := range slices.Sorted(maps.Keys(s)) {
		if !slices.Contains(settings, setting) {
			faults = append(faults, problem.Field{Name: path + "." + setting, Detail: i18n.NewText("policy.setting")})
			continue
		}
		for _, r := range slices.Sorted(maps.Keys(s[setting])) {
			name := path + "." + setting + "." + string(r)
			switch l := s[setting][r]; {
			case !slices.Contains(PolicyRoles(), r):
				faults = append(faults, problem.Field{Name: name, Detail: i18n.NewText("policy.role", "Role", string(r))})
			case l.rank() < 0:
				faults = append(faults, problem.Field{Name: name, Detail: i18n.NewText("policy.level")})
			}
		}
	}
	return faults
}
