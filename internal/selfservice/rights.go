package selfservice

import (
	"context"
	"sync"

	"patchbay/internal/access"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
)

// PhonesPart is the name of a person's phones in the portal's policy, beside the
// names of settings and "queues".
const PhonesPart = "phones"

// Parts lists what a policy can speak of: all settings, the queues and the phones.
func Parts() []string { return parts() }

var parts = sync.OnceValue(func() []string {
	var names []string
	for _, setting := range Catalogue() {
		names = append(names, setting.Name)
	}
	return append(names, queuesName, PhonesPart)
})

// Subject is the person whose settings are meant.
type Subject struct {
	ID, Name   string
	LocationID string   // decides the country in which numbers are read, and who may act
	Groups     []string // the Webex groups, of those that grants speak of
}

// Target is the subject as permissions see it.
func (sub Subject) Target() access.Target {
	return access.Target{Person: sub.ID, Location: sub.LocationID, Groups: sub.Groups}
}

// actor is a caller who was found to be allowed a change.
type actor struct {
	access.Caller
	role      access.Role // as which they make it
	self      bool        // for themselves
	overQueue bool        // as one who looks after the queue, not as its agent

	// again decides anew, for what the caller holds by now.
	again func(context.Context, access.Caller) error
}

// stillMay decides once more right before a change is begun: it may have waited for
// its turn, and for Webex, longer than a revoked grant may count.
func (s *Service) stillMay(ctx context.Context, by actor) error {
	now, err := s.Access.Again(ctx, by.Caller)
	if err != nil {
		return err
	}
	return by.again(ctx, now)
}

// checkReason refuses a change for somebody else that must have a reason and has none.
func (a actor) checkReason(reason string) error {
	if a.self || reason != "" || !a.Policy.NeedsReason(a.role) {
		return nil
	}
	return &problem.Error{Code: problem.Invalid, Public: i18n.NewText("setting.reason"), Fields: []problem.Field{{Name: "reason", Detail: i18n.NewText("check.reason")}}}
}

// reaches checks that the subject is the caller, or somebody the caller may read;
// who is not is not there.
func reaches(c access.Caller, subject Subject) error {
	if c.Is(subject.ID) && c.May(access.ReadOwn) {
		return nil
	}
	if _, ok := c.MayOn(access.ReadPeople, subject.Target()); ok {
		return nil
	}
	return access.Denied("person.notFound")
}

// Reaches reports whether the caller may read anything of the subject.
func Reaches(c access.Caller, subject Subject) bool { return reaches(c, subject) == nil }

// sees checks that the caller may see this part of the subject's portal.
func sees(c access.Caller, subject Subject, part string) error {
	if level, _ := c.Level(subject.Target(), part); level == access.Hidden {
		return access.Denied("setting.notFound")
	}
	return nil
}

// Sees reports whether the caller may see this part of the subject's portal.
func Sees(c access.Caller, subject Subject, part string) bool { return sees(c, subject, part) == nil }

// changes reports whether the caller may change this part, as far as the portal
// decides; else who does decide, and whom to ask.
func changes(c access.Caller, subject Subject, part string) (bool, i18n.Text) {
	level, role := c.Level(subject.Target(), part)
	switch {
	case level == access.Write:
		return true, i18n.Text{}
	case role == access.Auditor:
		return false, i18n.NewText("setting.locked.auditor")
	case c.Policy != nil && c.Policy.Contact != "":
		return false, i18n.NewText("setting.locked.policyContact", "Contact", c.Policy.Contact)
	}
	return false, i18n.NewText("setting.locked.policy")
}
