// Package directory knows who is in the organization: its people with their
// numbers and phones, its locations, its groups, and who is in those groups that
// decide about rights. All of it is read from Webex in the background by one
// replica at a time, kept sealed in Redis, and searched in the memory of every
// replica, so that a search never waits for Webex and never uses its budget.
package directory

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"patchbay/internal/seal"
	"patchbay/internal/webex"
)

const (
	// followEvery is how often a replica looks in Redis for what others have read
	// and for work that is due.
	followEvery = time.Second
	// standardEvery is how often people and devices are read anew.
	standardEvery = time.Hour
	// membersEvery is how often the members of a wanted group are read.
	membersEvery = 10 * time.Minute
	// MembersMaxAge is how long a reading of a group's members counts. After that
	// nobody is in the group as far as the portal knows: rights that come from a
	// group end when Webex cannot be asked about it for so long.
	MembersMaxAge = 30 * time.Minute
)

// Person is somebody of the organization. The slices are shared: do not change
// them.
type Person struct {
	ID         string   `json:"id"`   // as the People API writes it
	UUID       string   `json:"uuid"` // see webex.UUID
	Name       string   `json:"name,omitempty"`
	Email      string   `json:"email,omitempty"`
	LocationID string   `json:"location,omitempty"` // "" without Webex Calling
	Numbers    []string `json:"numbers,omitempty"`  // E.164 where Webex gave enough for it
	Extension  string   `json:"extension,omitempty"`
	MACs       []string `json:"macs,omitempty"` // of their devices: twelve digits in upper case, "02AB00CD00EF"
	Calling    bool     `json:"calling,omitempty"`
	Department string   `json:"department,omitempty"`
}

// Location is a site of the organization.
type Location struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Group is a group of people.
type Group struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Members int    `json:"members"` // as Webex counts them: with the groups inside, without those groups' members
}

// Deps are what a Directory needs. Only Webex, Redis and Sealer have no default.
type Deps struct {
	Webex  *webex.Client
	Redis  redis.UniversalClient
	Sealer *seal.Sealer
	Now    func() time.Time // nil is time.Now
	Log    *slog.Logger     // nil is silent
	Every  time.Duration    // how often people and devices are read anew; 0 is an hour
	// Groups are the ids of the groups whose members are wanted. It is called about
	// once a second and must be cheap; nil wants none.
	Groups func(ctx context.Context) []string
}

// Directory is one replica's view. It is safe for concurrent use.
type Directory struct {
	webex  *webex.Client
	store  store
	now    func() time.Time
	log    *slog.Logger
	every  time.Duration
	wanted func(ctx context.Context) []string
	tick   time.Duration // followEvery, shorter in tests

	followMu sync.Mutex // one at a time looks in Redis
	people   atomic.Pointer[snapshot]
	members  atomic.Pointer[map[string]*membership] // by groupKey
	shared   atomic.Pointer[shared]
}

// New makes a Directory. It knows nobody until Run has begun.
func New(d Deps) *Directory {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Groups == nil {
		d.Groups = func(context.Context) []string { return nil }
	}
	dir := &Directory{
		webex: d.Webex, store: store{redis: d.Redis, sealer: d.Sealer}, now: d.Now, log: d.Log,
		every: cmp.Or(d.Every, standardEvery), wanted: d.Groups, tick: followEvery,
	}
	dir.people.Store(&snapshot{})
	dir.members.Store(&map[string]*membership{})
	dir.shared.Store(&shared{})
	return dir
}

// Run loads what Redis has, then follows the other replicas and reads from Webex
// what is due, until ctx ends. Trouble with Redis or Webex does not end it: what
// is known stays in use. The error is always nil.
func (d *Directory) Run(ctx context.Context) error {
	ctx = webex.WithCaller(webex.WithPriority(ctx, webex.Background), "directory")
	var tasks errgroup.Group
	for _, task := range []func(context.Context) error{d.follow, d.readPeopleWhenDue, d.readMembersWhenDue} {
		tasks.Go(func() error {
			d.repeat(ctx, task)
			return nil
		})
	}
	return tasks.Wait()
}

// repeat does the task at once and then every tick. An error is logged when it
// is not the same as before.
func (d *Directory) repeat(ctx context.Context, task func(context.Context) error) {
	ticker := time.NewTicker(d.tick)
	defer ticker.Stop()
	last := ""
	for {
		err := task(ctx)
		if ctx.Err() != nil {
			return
		}
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != last && err != nil {
			d.log.Warn("directory", "error", err)
		}
		last = text
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// follow takes over what any replica has put into Redis since the last look.
func (d *Directory) follow(ctx context.Context) error {
	d.followMu.Lock()
	defer d.followMu.Unlock()
	now, err := d.store.look(ctx)
	if err != nil {
		return err
	}
	// What is in memory stays in use when Redis has lost it; it is read anew then.
	if now.head.Generation != "" && now.head.Generation != d.people.Load().generation {
		s, err := d.store.load(ctx, now.head)
		if err != nil {
			now.head = head{} // what cannot be loaded is as good as never read
			d.shared.Store(now)
			return err
		}
		d.people.Store(s)
	}
	d.shared.Store(now)
	return d.followMembers(ctx, now.readings)
}

// Person finds somebody by id, in any of Webex's spellings, or by UUID.
func (d *Directory) Person(id string) (Person, bool) {
	return d.people.Load().person(id)
}

// ByEmail finds somebody by their whole address, whatever its case.
func (d *Directory) ByEmail(email string) (Person, bool) {
	return d.people.Load().byAddress(email)
}

// Locations are all locations by name.
func (d *Directory) Locations() []Location {
	return append([]Location(nil), d.people.Load().locations...)
}

// Location finds a location by id in any spelling.
func (d *Directory) Location(id string) (Location, bool) {
	s := d.people.Load()
	if i, ok := s.locationAt[idKey(id)]; ok {
		return s.locations[i], true
	}
	return Location{}, false
}

// SearchGroups finds the groups in whose names every word of text begins a word;
// an empty text finds all. They come by name, at most limit of them (0: all).
func (d *Directory) SearchGroups(text string, limit int) []Group {
	s := d.people.Load()
	parts := spellings(text)
	found := []Group{}
	for i, g := range s.groups {
		if limit > 0 && len(found) == limit {
			break
		}
		if beginsWords(s.groupWords[i], parts) {
			found = append(found, g)
		}
	}
	return found
}

// Group finds a group by id in any spelling.
func (d *Directory) Group(id string) (Group, bool) {
	s := d.people.Load()
	if i, ok := s.groupAt[groupKey(id)]; ok {
		return s.groups[i], true
	}
	return Group{}, false
}

// State is how the directory is.
type State struct {
	People  int
	Devices int // of everybody and everything, as they were counted with the people
	Groups  int
	// ReadAt is when the reading of the people that is in use began; zero: never.
	ReadAt time.Time
	// Reading says that a replica is reading the people now.
	Reading bool
	// Failing is why the last attempt to read did not succeed, or what had to be left
	// out; "" when all is well. It is for operators and names nobody.
	Failing string
	// FailingSince is when that began.
	FailingSince time.Time
	// GroupsReadAt is when the members of the polled group that was read the longest
	// ago were read; zero: of none.
	GroupsReadAt time.Time
}

// State tells how the directory is, from memory.
func (d *Directory) State() State {
	s, now := d.people.Load(), d.shared.Load()
	st := State{
		People: len(s.people), Devices: s.devices, Groups: len(s.groups), ReadAt: s.readAt, Reading: now.reading,
		Failing: now.failure.Text, FailingSince: now.failure.Since,
	}
	if s.generation != "" && now.head.Generation == s.generation {
		st.ReadAt = now.head.ReadAt // read anew since, and nothing had changed
	}
	if st.Failing == "" && now.head.LeftOut != "" {
		st.Failing, st.FailingSince = now.head.LeftOut, now.head.ReadAt
	}
	for _, m := range *d.members.Load() {
		if st.GroupsReadAt.IsZero() || m.ReadAt.Before(st.GroupsReadAt) {
			st.GroupsReadAt = m.ReadAt
		}
	}
	return st
}

// Refresh asks for a reading of the people now, even if the last attempt failed
// a moment ago. The replica that comes first does it, in the background. The
// error is Redis's.
func (d *Directory) Refresh(ctx context.Context) error {
	if err := d.store.setDue(ctx); err != nil {
		return fmt.Errorf("refresh the directory: %w", err)
	}
	return nil
}

// idKey is equal for ids of the same thing.
func idKey(id string) string {
	if u, err := webex.UUID(id); err == nil {
		return u
	}
	return strings.TrimRight(id, "=")
}

// groupKey is equal for ids of the same group. The Groups API puts the
// organization's id behind the group's own, SCIM does not.
func groupKey(id string) string {
	own, _, _ := strings.Cut(idKey(id), ":")
	return strings.ToLower(own)
}
