package signin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"patchbay/internal/problem"
	"patchbay/internal/session"
)

// maxEmail is the longest address that mail can carry (RFC 5321).
const maxEmail = 254

// People is the organization's directory, read with the service app's rights. Errors
// are best *problem.Error: what they say about waiting is passed on.
type People interface {
	// PeopleByEmail finds the people with this address; it may find too many.
	PeopleByEmail(ctx context.Context, email string) ([]Person, error)
	// OrganizationOf gives the organization's id by one of its locations; with an empty
	// locationID by any.
	OrganizationOf(ctx context.Context, locationID string) (orgID string, err error)
}

// Person is somebody in the directory; ids are Webex's encoded ones.
type Person struct {
	ID, OrgID, DisplayName, FirstName string
	LocationID                        string // only Calling users have one
	Emails                            []string
}

// findPerson decides who of the organization the verified address and sub belong to.
func (f *Flow) findPerson(ctx context.Context, email, sub string) (session.Identity, *Failure) {
	person, address, failure := f.personByEmail(ctx, email)
	if failure != nil {
		return session.Identity{}, failure
	}
	uuid, err := f.uuid(person.ID)
	if err != nil {
		return session.Identity{}, directoryFailed(ctx, "decode the person's id", errors.New("it is not a Webex id"))
	}
	if failure := f.checkPerson(ctx, person, uuid, address, sub); failure != nil {
		failure.personID = uuid
		return session.Identity{}, failure
	}
	return session.Identity{
		PersonID: person.ID, OrgID: person.OrgID, DisplayName: person.DisplayName, FirstName: person.FirstName,
		Email: address, LocationID: person.LocationID, SignedInAt: f.now(),
	}, nil
}

// personByEmail gives the one person with this address, and the address as the
// directory spells it.
func (f *Flow) personByEmail(ctx context.Context, email string) (Person, string, *Failure) {
	var found []Person
	var address string
	// Webex does not say whether its filter minds the case, and providers give addresses
	// as people once typed them.
	spellings := []string{email}
	if lower := lowerASCII(email); lower != email {
		spellings = append(spellings, lower)
	}
	for _, spelling := range spellings {
		people, err := f.people.PeopleByEmail(ctx, spelling)
		if err != nil {
			return Person{}, "", directoryFailed(ctx, "find the person by e-mail", err)
		}
		for _, p := range people {
			for _, e := range p.Emails {
				if lowerASCII(e) == lowerASCII(email) {
					found, address = append(found, p), e
					break
				}
			}
		}
		if len(found) > 0 {
			break
		}
	}
	switch len(found) {
	case 0:
		return Person{}, "", because(PersonUnknown, "the service app finds nobody with the address", "Email", email)
	case 1:
		return found[0], address, nil
	default:
		return Person{}, "", fail(PersonAmbiguous, fmt.Errorf("the service app finds %d people with the address", len(found)), "Email", email)
	}
}

func (f *Flow) checkPerson(ctx context.Context, p Person, uuid, address, sub string) *Failure {
	orgID, err := f.people.OrganizationOf(ctx, p.LocationID)
	if err != nil {
		return directoryFailed(ctx, "find the organization", err)
	}
	ours, errOurs := f.uuid(orgID)
	theirs, errTheirs := f.uuid(p.OrgID)
	if errOurs != nil || errTheirs != nil {
		return directoryFailed(ctx, "decode the organization's id", errors.New("it is not a Webex id"))
	}
	if ours != theirs {
		return because(OrganizationOther, "the person is of another organization", "Email", address)
	}
	// Another provider knows nothing of Webex's ids: there the verified address decides.
	if f.webex && lowerASCII(sub) != uuid {
		return because(SubjectOther, "the sub of the ID token is not the id of the person with the address", "Email", address)
	}
	if p.LocationID == "" && !f.isAdmin(address) {
		return because(NotCalling, "the person has no location and is not one of PORTAL_ADMINS", "Email", address)
	}
	return nil
}

// directoryFailed keeps what Webex said about waiting; the person is told in the words
// of a sign-in.
func directoryFailed(ctx context.Context, op string, err error) *Failure {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fail(Abandoned, fmt.Errorf("%s: %w", op, context.Canceled))
	}
	failure := fail(DirectoryFailed, fmt.Errorf("%s: %w", op, err))
	cause := problem.As(err)
	switch cause.Code {
	case problem.Unavailable, problem.Timeout:
		failure.problem.Code = cause.Code
	}
	failure.problem.RetryAfter, failure.problem.TrackingID = cause.RetryAfter, cause.TrackingID
	return failure
}

// lowerASCII folds only A to Z. Folding all of Unicode would make the addresses of two
// people one: "K" (U+212A, the Kelvin sign) folds to "k".
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// plausibleEmail reports whether s can be shown and searched for as an address.
func plausibleEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at < len(s)-1 && len(s) <= maxEmail &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xFFFD })
}
