package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"patchbay/internal/dialing"
	"patchbay/internal/webex"
)

const (
	peoplePage  = 100 // the most with calling data (spec)
	firstPause  = time.Second
	longPause   = time.Minute      // between two tries of a page
	giveUpAfter = 10 * time.Minute // without a page: then the reading begins anew
	// Between two readings that were given up.
	minBackoff = time.Minute
	maxBackoff = 30 * time.Minute
)

// due reports whether the people are to be read now.
func (d *Directory) due(s *shared) bool {
	now := d.now()
	return s.due || now.Sub(s.head.ReadAt) >= d.every && !now.Before(s.failure.NotBefore)
}

// readPeopleWhenDue reads people, devices, locations and groups when that is due
// and no other replica is at it.
func (d *Directory) readPeopleWhenDue(ctx context.Context) error {
	seen := d.shared.Load()
	if seen.version == "" { // Redis has not been looked at
		if err := d.follow(ctx); err != nil {
			return err
		}
		seen = d.shared.Load()
	}
	if !d.due(seen) || seen.reading {
		return nil
	}
	lock, err := d.lock(ctx, peopleLock)
	if lock == nil {
		return err
	}
	defer lock.Release()
	// Another replica may have read them since.
	if err := d.follow(ctx); err != nil && !errors.Is(err, errIncomplete) {
		return err
	}
	before := d.shared.Load()
	if !d.due(before) {
		return nil
	}
	// A wish that comes while this reading runs is for another one.
	if err := d.store.clearDue(ctx); err != nil {
		return err
	}
	if err := d.readPeople(ctx, before); err != nil {
		return d.giveUp(ctx, before, err)
	}
	return d.follow(ctx)
}

// giveUp stores that a reading did not come to its end, and when the next may begin.
func (d *Directory) giveUp(ctx context.Context, before *shared, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	now := d.now()
	f := failure{Text: err.Error(), Since: before.failure.Since, Failures: before.failure.Failures + 1}
	if f.Since.IsZero() {
		f.Since = now
	}
	f.NotBefore = now.Add(pause(err, f.Failures, minBackoff, maxBackoff))
	return errors.Join(fmt.Errorf("read the directory: %w", err), d.store.note(ctx, &f), d.follow(ctx))
}

// pause is how long to wait after the n-th failure in a row: shortest at first,
// then twice as long each time, at most longest, and as long as Webex asks for.
func pause(err error, n int, shortest, longest time.Duration) time.Duration {
	wait := min(shortest<<min(n-1, 10), longest)
	var e *webex.Error
	if errors.As(err, &e) {
		wait = max(wait, e.RetryAfter)
	}
	return wait
}

// readPeople reads everything and makes it the generation in use.
func (d *Directory) readPeople(ctx context.Context, before *shared) error {
	began := time.Now()
	r := &run{d: d, failing: before.failure}
	h := head{ReadAt: d.now()}
	var people []Person
	var org organization
	var countries map[string]string
	macs := map[key][]string{}
	// The four are one reading: without all of them there is none.
	tasks, tasksCtx := errgroup.WithContext(ctx)
	tasks.Go(func() (err error) { people, err = r.people(tasksCtx); return err })
	tasks.Go(func() error { return r.optional(r.devices(tasksCtx, macs, &h.Devices)) })
	tasks.Go(func() (err error) {
		org.Locations, countries, err = r.locations(tasksCtx)
		return r.optional(err)
	})
	tasks.Go(func() (err error) { org.Groups, err = r.groups(tasksCtx); return r.optional(err) })
	if err := tasks.Wait(); err != nil {
		return err
	}
	for i := range people {
		people[i].complete(macs, countries)
	}
	slices.SortFunc(people, func(a, b Person) int { return strings.Compare(a.UUID, b.UUID) })
	// A list that changes while its pages are read may have somebody twice.
	people = slices.CompactFunc(people, func(a, b Person) bool { return a.UUID == b.UUID })
	h.LeftOut = r.leftOut
	if err := d.store.save(ctx, before, h, people, org); err != nil {
		return err
	}
	d.log.Info("directory: read", "people", len(people), "devices", h.Devices, "groups", len(org.Groups), "took", time.Since(began))
	return nil
}

// complete adds a person's phones and writes the numbers in one way.
func (p *Person) complete(macs map[key][]string, countries map[string]string) {
	country := countries[idKey(p.LocationID)]
	numbers := p.Numbers[:0]
	for _, n := range p.Numbers {
		if n = dialing.Canonical(n, country); !slices.Contains(numbers, n) {
			numbers = append(numbers, n)
		}
	}
	p.Numbers = numbers
	p.MACs = macs[keyOf(p.UUID)]
	slices.Sort(p.MACs)
	p.MACs = slices.Compact(p.MACs)
}

// run is one reading. Its four lists are read side by side.
type run struct {
	d  *Directory
	mu sync.Mutex
	// failing is what the stored failure says; it goes with the first page that comes.
	failing failure
	leftOut string
}

// optional takes the error of a list without which the directory is of use: what
// the service app may not read is left out.
func (r *run) optional(err error) error {
	if !webex.IsKind(err, webex.KindForbidden) {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leftOut = err.Error()
	return nil
}

func (r *run) people(ctx context.Context) ([]Person, error) {
	var people []Person
	err := list(ctx, r, r.d.webex.ListPeople(ctx, webex.PeopleFilter{CallingData: true, Max: peoplePage}), func(p webex.Person) {
		uuid, err := webex.UUID(p.ID)
		if err != nil || p.Type != "person" && p.Type != "" { // bots and machine accounts
			return
		}
		q := Person{
			ID: p.ID, UUID: uuid, Name: strings.TrimSpace(cmp.Or(p.DisplayName, strings.TrimSpace(p.FirstName+" "+p.LastName))),
			LocationID: p.LocationID, Extension: p.Extension, Calling: p.LocationID != "", Department: p.Department,
		}
		if len(p.Emails) > 0 {
			q.Email = p.Emails[0]
		}
		for _, n := range p.PhoneNumbers {
			switch {
			case n.Type == "work_extension":
				q.Extension = cmp.Or(q.Extension, n.Value)
			case n.Value != "":
				q.Numbers = append(q.Numbers, n.Value)
			}
		}
		people = append(people, q)
	})
	return people, err
}

var notHex = regexp.MustCompile(`[^0-9A-F]`)

// devices collects the MAC addresses of everybody's devices and counts all devices.
func (r *run) devices(ctx context.Context, macs map[key][]string, count *int) error {
	return list(ctx, r, r.d.webex.ListAllDevices(ctx, webex.DeviceFilter{}), func(device webex.Device) {
		*count++
		mac := notHex.ReplaceAllString(strings.ToUpper(device.MAC), "")
		if device.PersonID != "" && len(mac) == macDigits {
			k := keyOf(device.PersonID)
			macs[k] = append(macs[k], mac)
		}
	})
}

// locations reads the locations and their countries.
func (r *run) locations(ctx context.Context) ([]Location, map[string]string, error) {
	var all []webex.Location
	err := r.again(ctx, func() (err error) { all, err = r.d.webex.ListLocations(ctx); return err })
	countries := make(map[string]string, len(all))
	locations := make([]Location, 0, len(all))
	for _, l := range all {
		locations = append(locations, Location{ID: l.ID, Name: l.Name})
		if l.Address != nil {
			countries[idKey(l.ID)] = l.Address.Country
		}
	}
	slices.SortFunc(locations, func(a, b Location) int { return strings.Compare(a.ID, b.ID) })
	return locations, countries, err
}

func (r *run) groups(ctx context.Context) ([]Group, error) {
	var all []webex.Group
	err := r.again(ctx, func() (err error) { all, err = r.d.webex.ListGroups(ctx, webex.GroupFilter{}); return err })
	groups := make([]Group, 0, len(all))
	for _, g := range all {
		group := Group{ID: g.ID, Name: g.DisplayName}
		if g.MemberSize != nil {
			group.Members = int(*g.MemberSize)
		}
		groups = append(groups, group)
	}
	slices.SortFunc(groups, func(a, b Group) int { return strings.Compare(a.ID, b.ID) })
	return groups, err
}

// list reads a list to its end. A page that Webex does not give for the moment is
// asked for again.
func list[T any](ctx context.Context, r *run, items iter.Seq2[T, error], keep func(T)) error {
	t := r.newTries()
	for item, err := range items {
		if err != nil {
			// A list cannot go on after an error that does not pass, and it would look
			// like its end.
			if err := t.wait(ctx, err); err != nil {
				return err
			}
			continue
		}
		t.succeeded(ctx)
		keep(item)
	}
	return nil
}

// again does read until it succeeds, waiting in between.
func (r *run) again(ctx context.Context, read func() error) error {
	t := r.newTries()
	for {
		err := read()
		if err == nil {
			return nil
		}
		if err := t.wait(ctx, err); err != nil {
			return err
		}
	}
}

// tries are the attempts at one page.
type tries struct {
	run   *run
	n     int       // failures in a row
	since time.Time // of the first
}

func (r *run) newTries() *tries { return &tries{run: r} }

// passes reports whether an error may be gone after a while.
func passes(err error) bool {
	var e *webex.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Kind {
	case webex.KindThrottled, webex.KindUnavailable, webex.KindTimeout, webex.KindNoToken: // the token may be on its way
		return true
	case webex.KindBadGateway:
		return e.Status >= 500
	default:
		return false
	}
}

// wait waits before the next attempt, or gives the error that ends the reading.
func (t *tries) wait(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if t.n == 0 {
		t.since = time.Now()
	}
	if !passes(err) || time.Since(t.since) > giveUpAfter {
		return err
	}
	pause := min(firstPause<<min(t.n, 10), longPause)
	var e *webex.Error
	if errors.As(err, &e) {
		pause = max(pause, min(e.RetryAfter, giveUpAfter))
	}
	t.n++
	if !webex.IsKind(err, webex.KindThrottled) { // people come first: that is no trouble
		t.run.noteFailing(ctx, err)
	}
	timer := time.NewTimer(pause + rand.N(pause/4)) //nolint:gosec // so that replicas do not ask at the same moment
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (t *tries) succeeded(ctx context.Context) {
	if t.n > 0 {
		t.n = 0
		t.run.noteWorking(ctx)
	}
}

// noteFailing lets everybody know that the reading does not get on. That this
// cannot be stored does not matter: the reading itself will say so.
func (r *run) noteFailing(ctx context.Context, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failing.Text == err.Error() {
		return
	}
	if r.failing.Since.IsZero() {
		r.failing.Since = r.d.now()
	}
	r.failing.Text = err.Error()
	_ = r.d.store.note(ctx, &r.failing)
}

func (r *run) noteWorking(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failing = failure{}
	_ = r.d.store.note(ctx, nil)
}
