package selfservice

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/cache"
	"patchbay/internal/dialing"
	"patchbay/internal/webex"
)

const (
	// profileAge is how old name, location and numbers of a person may be.
	profileAge = 5 * time.Minute
	// locationAge is how old facts about a location may be: they hardly ever change.
	locationAge = 30 * time.Minute
)

// PeopleByEmail finds the people of the organization with this address, and
// keeps what it found for the pages that follow a sign-in.
func (s *Service) PeopleByEmail(ctx context.Context, email string) ([]webex.Person, error) {
	people, err := s.Webex.FindPeopleByEmail(ctx, email)
	if err != nil {
		return nil, err
	}
	if len(people) == 1 {
		s.rememberProfile(ctx, people[0])
	}
	return people, nil
}

func (s *Service) rememberProfile(ctx context.Context, p webex.Person) {
	if err := cache.Put(ctx, s.Cache, profileKey(p.ID), p); err != nil {
		s.Log.WarnContext(ctx, "a profile could not be kept", "error", err)
	}
}

func profileKey(personID string) cache.Key {
	return cache.Key{Owner: canonical(personID), Name: "profile"}
}

// Organization is the id of the organization that a location belongs to; with ""
// that of any location. Everything the service app sees is in one organization.
func (s *Service) Organization(ctx context.Context, locationID string) (string, error) {
	if locationID != "" {
		l, err := s.location(ctx, locationID)
		return l.OrgID, err
	}
	r, err := cache.Get(ctx, s.Cache, cache.Key{Owner: "organization", Name: "id"}, cache.Options{MaxAge: locationAge, Fleet: true}, func(ctx context.Context) (string, error) {
		locations, err := s.Webex.ListLocations(ctx)
		if err != nil || len(locations) == 0 {
			return "", err
		}
		return locations[0].OrgID, nil
	})
	return r.Value, err
}

func (s *Service) location(ctx context.Context, id string) (webex.Location, error) {
	r, err := cache.Get(ctx, s.Cache, locationKey(id), cache.Options{MaxAge: locationAge, Fleet: true}, func(ctx context.Context) (webex.Location, error) {
		return s.Webex.GetLocation(ctx, id)
	})
	return r.Value, err
}

// Region is the country (ISO 3166) whose way of writing numbers the subject
// uses; "" when it is not known, and then numbers need their country code.
func (s *Service) Region(ctx context.Context, subject Subject) string {
	if subject.LocationID == "" {
		return ""
	}
	if known := s.KnownRegion(ctx, subject); known != "" {
		return known // locations do not move to other countries
	}
	l, err := s.location(ctx, subject.LocationID)
	if err != nil {
		return ""
	}
	return regionOf(l)
}

// KnownRegion is Region as last read; it asks nobody.
func (s *Service) KnownRegion(ctx context.Context, subject Subject) string {
	l, _ := cache.Peek[webex.Location](ctx, s.Cache, locationKey(subject.LocationID))
	return regionOf(l.Value)
}

func regionOf(l webex.Location) string {
	if l.Address == nil {
		return ""
	}
	return strings.ToUpper(l.Address.Country)
}

func locationKey(id string) cache.Key { return cache.Key{Owner: id, Name: "location"} }

// Zone is the time zone of the subject's location as last read; UTC when it is
// not known. It asks nobody: pages are shown in it.
func (s *Service) Zone(ctx context.Context, subject Subject) *time.Location {
	if l, ok := cache.Peek[webex.Location](ctx, s.Cache, locationKey(subject.LocationID)); ok && l.Value.TimeZone != "" {
		if zone, err := time.LoadLocation(l.Value.TimeZone); err == nil {
			return zone
		}
	}
	return time.UTC
}

// Number is one of a person's numbers.
type Number struct {
	PhoneNumber string // E.164; "" for a person with an extension only
	Extension   string
	Primary     bool
	Type        string // "work", "alternate1", "mobile", ...
}

// Profile is who the subject is on the phone.
type Profile struct {
	ID, DisplayName, Email   string
	LocationID, LocationName string
	Numbers                  []Number
}

// Subject finds somebody else for whom the caller may act, or whom they may read;
// the id may be written in any way. Who is out of reach is not there. Webex is asked
// only for who may be in reach, so that nobody can find out who exists.
func (s *Service) Subject(ctx context.Context, c access.Caller, personID string) (Subject, error) {
	denied := access.Denied("person.notFound")
	if !c.May(access.ReadPeople) {
		return Subject{}, denied
	}
	known, inDirectory := s.Directory.Person(personID)
	if inDirectory {
		personID = known.ID
		if reaches(c, s.knownSubject(audit.Person{ID: personID})) != nil {
			return Subject{}, denied
		}
	}
	if _, err := webex.UUID(personID); err != nil {
		return Subject{}, denied
	}
	// Where somebody is decides who may act for them, so Webex itself is asked.
	got, err := cache.Get(ctx, s.Cache, profileKey(personID), cache.Options{MaxAge: profileAge}, func(ctx context.Context) (webex.Person, error) {
		return s.Webex.GetPerson(ctx, personID)
	})
	switch {
	case webex.IsKind(err, webex.KindNotFound):
		return Subject{}, denied
	case err != nil && !inDirectory:
		return Subject{}, webex.Problem(err)
	case err != nil: // Webex is away: what the directory says is an hour old at most
		return s.knownSubject(audit.Person{ID: personID, Name: known.Name}), nil
	}
	subject := Subject{ID: got.Value.ID, Name: got.Value.DisplayName, LocationID: got.Value.LocationID, Groups: s.Directory.GroupsOf(got.Value.ID)}
	if err := reaches(c, subject); err != nil {
		return Subject{}, err
	}
	return subject, nil
}

// Profile reads who the subject is. The location's name is "" when it cannot be
// read.
func (s *Service) Profile(ctx context.Context, c access.Caller, subject Subject) (Profile, error) {
	if err := reaches(c, subject); err != nil {
		return Profile{}, err
	}
	if subject.LocationID != "" {
		// Asked for at the same time, it is there when the person is.
		go func() { _, _ = s.location(ctx, subject.LocationID) }() // profileOf does without
	}
	got, err := cache.Get(ctx, s.Cache, profileKey(subject.ID), cache.Options{MaxAge: profileAge}, func(ctx context.Context) (webex.Person, error) {
		return s.Webex.GetPerson(ctx, subject.ID)
	})
	if err != nil {
		return Profile{}, webex.Problem(err)
	}
	return s.profileOf(ctx, subject, got.Value), nil
}

// KnownProfile is Profile as it was last read, without asking Webex.
func (s *Service) KnownProfile(ctx context.Context, c access.Caller, subject Subject) (Profile, bool) {
	if reaches(c, subject) != nil {
		return Profile{}, false
	}
	got, ok := cache.Peek[webex.Person](ctx, s.Cache, profileKey(subject.ID))
	if !ok {
		return Profile{}, false
	}
	p := Profile{ID: got.Value.ID, DisplayName: got.Value.DisplayName, LocationID: got.Value.LocationID}
	region := ""
	if l, ok := cache.Peek[webex.Location](ctx, s.Cache, cache.Key{Owner: got.Value.LocationID, Name: "location"}); ok {
		p.LocationName = l.Value.Name
		if l.Value.Address != nil {
			region = l.Value.Address.Country
		}
	}
	p.Numbers = numbersOf(got.Value, region)
	return p, true
}

func (s *Service) profileOf(ctx context.Context, subject Subject, person webex.Person) Profile {
	p := Profile{ID: person.ID, DisplayName: person.DisplayName, LocationID: person.LocationID}
	if len(person.Emails) > 0 {
		p.Email = person.Emails[0]
	}
	if person.LocationID != "" {
		if l, err := s.location(ctx, person.LocationID); err == nil {
			p.LocationName = l.Name
		}
	}
	p.Numbers = numbersOf(person, s.Region(ctx, subject))
	return p
}

// numbersOf gathers a person's numbers, the primary one first.
func numbersOf(person webex.Person, region string) []Number {
	var list []Number
	for _, n := range person.PhoneNumbers {
		if n.Type == "work_extension" || n.Value == "" {
			continue // the extension stands for itself below
		}
		list = append(list, Number{PhoneNumber: dialing.Canonical(n.Value, region), Type: n.Type, Primary: n.Primary != nil && *n.Primary})
	}
	slices.SortStableFunc(list, func(a, b Number) int { return rank(a) - rank(b) })
	if person.Extension != "" {
		if len(list) == 0 || list[0].Type != "work" {
			list = slices.Insert(list, 0, Number{Type: "work", Primary: true})
		}
		list[0].Extension = person.Extension
	}
	return list
}

func rank(n Number) int {
	switch {
	case n.Type == "work" && n.Primary:
		return 0
	case n.Type == "work":
		return 1
	}
	return 2
}

// ownNumbers recognizes the subject's own numbers. Without a profile at hand
// nothing is known to be one's own.
func (s *Service) ownNumbers(ctx context.Context, subject Subject) func(string) bool {
	got, ok := cache.Peek[webex.Person](ctx, s.Cache, profileKey(subject.ID))
	region := s.Region(ctx, subject)
	return func(number string) bool {
		if !ok || number == "" {
			return false
		}
		number = dialing.Canonical(number, region)
		return slices.ContainsFunc(numbersOf(got.Value, region), func(n Number) bool {
			// A mobile number in the profile is a different phone.
			return n.Type == "work" && (number == n.PhoneNumber || number == n.Extension)
		})
	}
}

// Device is a phone of a person.
type Device struct {
	webex.Device
	// Shared is set for a phone that belongs to somebody else and shows a line of
	// the subject; Owner is then whose it is.
	Shared bool
	Owner  string
}

// KnownDevices lists the subject's phones as they were at most a minute ago.
func (s *Service) KnownDevices(ctx context.Context, c access.Caller, subject Subject) (cache.Reading[[]Device], error) {
	return s.devices(ctx, c, subject, slowFacts)
}

func (s *Service) devices(ctx context.Context, c access.Caller, subject Subject, maxAge time.Duration) (cache.Reading[[]Device], error) {
	if err := sees(c, subject, PhonesPart); err != nil {
		return cache.Reading[[]Device]{}, err
	}
	r, err := cache.Get(ctx, s.Cache, devicesKey(subject), cache.Options{MaxAge: maxAge}, func(ctx context.Context) ([]Device, error) {
		list, err := s.Webex.ListDevices(ctx, subject.ID)
		if webex.IsKind(err, webex.KindNotFound) {
			return []Device{}, nil
		}
		devices := make([]Device, 0, len(list))
		for _, d := range list {
			devices = append(devices, Device{Device: d})
		}
		return devices, err
	})
	if err != nil {
		return r, webex.Problem(err)
	}
	return r, nil
}

// Phones lists the subject's phones fresh, together with phones of other people
// that show a line of the subject.
func (s *Service) Phones(ctx context.Context, c access.Caller, subject Subject) (cache.Reading[[]Device], error) {
	var own cache.Reading[[]Device]
	var calling webex.PersonDevices
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		own, err = s.devices(gctx, c, subject, 0)
		return err
	})
	g.Go(func() error {
		if err := sees(c, subject, PhonesPart); err != nil {
			return err
		}
		var err error
		// The calling view only adds to the list: without it the list stands.
		if calling, err = s.Webex.GetPersonDevices(gctx, subject.ID); err != nil && gctx.Err() == nil && !webex.IsKind(err, webex.KindNotFound) {
			s.Log.WarnContext(gctx, "the calling view of a person's devices cannot be read", "error", err)
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return own, err
	}
	for _, d := range calling.Devices {
		known := slices.ContainsFunc(own.Value, func(o Device) bool {
			return webex.SameID(o.CallingDeviceID, d.ID) || o.MAC != "" && bareMAC(o.MAC) == bareMAC(d.MAC)
		})
		if known || d.Type == "PRIMARY" && d.PrimaryOwner != nil && *d.PrimaryOwner && d.MAC == "" {
			continue
		}
		shared := Device{Device: webex.Device{ID: d.ID, CallingDeviceID: d.ID, DisplayName: d.DisplayName, Product: strings.TrimPrefix(d.Model, "DMS "), Type: "phone", MAC: d.MAC}, Shared: d.PrimaryOwner == nil || !*d.PrimaryOwner}
		if d.Owner != nil {
			shared.Owner = strings.TrimSpace(d.Owner.FirstName + " " + d.Owner.LastName)
		}
		own.Value = append(own.Value, shared)
	}
	return own, nil
}

func devicesKey(subject Subject) cache.Key {
	return cache.Key{Owner: canonical(subject.ID), Name: "devices"}
}

// LastKnownDevices lists the subject's phones as last read, without asking Webex.
func (s *Service) LastKnownDevices(ctx context.Context, c access.Caller, subject Subject) ([]Device, bool) {
	if sees(c, subject, PhonesPart) != nil {
		return nil, false
	}
	r, ok := cache.Peek[[]Device](ctx, s.Cache, devicesKey(subject))
	return r.Value, ok
}

func bareMAC(mac string) string {
	return strings.ToUpper(strings.NewReplacer(":", "", "-", "", ".", "").Replace(mac))
}
