package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"patchbay/internal/redislock"
	"patchbay/internal/webex"
)

// membership is who was in a group when it was read. Members that are groups
// themselves are left out: Webex does not say who is in them along with it, and
// who is meant by a group within a group is not for the portal to guess.
type membership struct {
	ID     string    `json:"id"`     // of the group, as it was wanted
	ReadAt time.Time `json:"readAt"` // when the reading began
	People []byte    `json:"people"` // keys, sorted, one after the other
}

func (m *membership) has(k key) bool {
	low, high := 0, len(m.People)/len(k)
	for low < high {
		mid := (low + high) / 2
		switch slices.Compare(m.People[mid*len(k):(mid+1)*len(k)], k[:]) {
		case 0:
			return true
		case -1:
			low = mid + 1
		default:
			high = mid
		}
	}
	return false
}

// counts reports whether the reading is young enough to give rights. One from the
// future is of a clock that cannot be trusted.
func (m *membership) counts(now time.Time) bool {
	age := now.Sub(m.ReadAt)
	return age < MembersMaxAge && age > -time.Minute
}

// InGroup reports whether somebody is in a group whose members are read, see
// Deps.Groups. It is false when the members are not known, or were read
// MembersMaxAge ago or longer: who cannot be shown to be in a group is not in it.
func (d *Directory) InGroup(groupID, personID string) bool {
	m := (*d.members.Load())[groupKey(groupID)]
	return m != nil && personID != "" && m.counts(d.now()) && m.has(keyOf(personID))
}

// KnowsMembers reports whether it is known who is in a group, and so who is not.
func (d *Directory) KnowsMembers(groupID string) bool {
	m := (*d.members.Load())[groupKey(groupID)]
	return m != nil && m.counts(d.now())
}

// Members lists people of a group by name, at most limit of them, and how many
// there are; false when that is not known. Who is not in the directory is counted.
func (d *Directory) Members(groupID string, limit int) (people []Person, total int, known bool) {
	m := (*d.members.Load())[groupKey(groupID)]
	if m == nil || !m.counts(d.now()) {
		return nil, 0, false
	}
	s := d.people.Load()
	var at []int // the people of a snapshot are in the order of their names
	for i := 0; i < len(m.People); i += len(key{}) {
		if found, ok := s.find(key(m.People[i : i+len(key{})])); ok {
			at = append(at, found)
		}
	}
	slices.Sort(at)
	for _, i := range at[:min(len(at), limit)] {
		people = append(people, s.people[i])
	}
	return people, len(m.People) / len(key{}), true
}

// GroupsOf gives the groups that somebody is in, of those whose members are read,
// by the ids under which they were wanted. As with InGroup, a group of which too
// little is known has no members.
func (d *Directory) GroupsOf(personID string) []string {
	var ids []string
	for _, m := range *d.members.Load() {
		if personID != "" && m.counts(d.now()) && m.has(keyOf(personID)) {
			ids = append(ids, m.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// followMembers takes over the readings of other replicas.
func (d *Directory) followMembers(ctx context.Context, readings map[string]reading) error {
	known := *d.members.Load()
	next := make(map[string]*membership, len(readings))
	var failed error
	same := true
	have := map[string]*membership{}
	for g, m := range known {
		have[field(g)] = m
	}
	for name, r := range readings {
		if r.readAt.IsZero() {
			continue
		}
		m := have[name]
		if m == nil || !m.ReadAt.Equal(r.readAt) {
			fresh, err := d.store.loadMembers(ctx, name)
			if err != nil {
				failed = err
			} else if fresh != nil {
				m, same = fresh, false
			}
		}
		if m != nil {
			next[groupKey(m.ID)] = m
		}
	}
	if !same || len(next) != len(known) {
		d.members.Store(&next)
	}
	return failed
}

// readMembersWhenDue reads the members of those wanted groups that are due, when
// no other replica is at it.
func (d *Directory) readMembersWhenDue(ctx context.Context) error {
	wanted := map[string]string{} // id by field
	for _, id := range d.wanted(ctx) {
		if g := groupKey(id); g != "" {
			wanted[field(g)] = id
		}
	}
	due, unwanted := d.dueGroups(d.shared.Load(), wanted)
	if len(due)+len(unwanted) == 0 {
		return nil
	}
	lock, err := d.lock(ctx, groupsLock)
	if lock == nil {
		return err
	}
	defer lock.Release()
	now, err := d.store.look(ctx)
	if err != nil {
		return err
	}
	due, unwanted = d.dueGroups(now, wanted)
	if len(unwanted) > 0 {
		if err := d.store.dropMembers(ctx, unwanted); err != nil {
			return err
		}
	}
	var failed error
	for _, name := range due {
		if err := d.readMembers(ctx, name, wanted[name], now.readings[name]); err != nil {
			failed = err
			if !forOneGroup(err) { // the next group would meet the same
				break
			}
		}
		if err := d.follow(ctx); err != nil {
			return err
		}
	}
	return failed
}

// forOneGroup reports whether an error says nothing of other groups.
func forOneGroup(err error) bool {
	return webex.IsKind(err, webex.KindNotFound) || webex.IsKind(err, webex.KindRefused)
}

// dueGroups gives the wanted groups to be read, those never read first, and the
// groups that nobody has wanted for so long that their members count no more.
func (d *Directory) dueGroups(s *shared, wanted map[string]string) (due, unwanted []string) {
	now := d.now()
	for name := range wanted {
		r := s.readings[name]
		if now.Sub(r.readAt) >= membersEvery && !now.Before(r.notBefore) {
			due = append(due, name)
		}
	}
	for name, r := range s.readings {
		if wanted[name] == "" && now.Sub(r.readAt) >= MembersMaxAge {
			unwanted = append(unwanted, name)
		}
	}
	slices.SortFunc(due, func(a, b string) int {
		return cmp.Or(s.readings[a].readAt.Compare(s.readings[b].readAt), cmp.Compare(a, b))
	})
	return due, unwanted
}

// minMembersBackoff is the wait after the first failure to read a group.
const minMembersBackoff = 5 * time.Second

// readMembers reads one group and stores its members, or how that failed.
func (d *Directory) readMembers(ctx context.Context, name, id string, before reading) error {
	m := &membership{ID: id, ReadAt: d.now().Truncate(time.Millisecond)}
	list, err := d.webex.ListGroupMembers(ctx, d.groupID(id))
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r := reading{readAt: before.readAt, failures: before.failures + 1}
		if webex.IsKind(err, webex.KindNotFound) {
			r.readAt = time.Time{} // there is no such group: nobody is in it
		}
		r.notBefore = d.now().Add(pause(err, r.failures, minMembersBackoff, membersEvery))
		return errors.Join(fmt.Errorf("read the members of a group: %w", err), d.store.noteMembers(ctx, name, r))
	}
	var people []key
	for _, member := range list {
		if member.Type == "user" || member.Type == "" {
			people = append(people, keyOf(member.ID))
		}
	}
	slices.SortFunc(people, func(a, b key) int { return slices.Compare(a[:], b[:]) })
	m.People = make([]byte, 0, len(people)*len(key{}))
	for _, k := range people {
		m.People = append(m.People, k[:]...)
	}
	return d.store.saveMembers(ctx, m)
}

// groupID writes a group's id as the Groups API does, when the group is known.
func (d *Directory) groupID(id string) string {
	if g, known := d.Group(id); known {
		return g.ID
	}
	return id
}

// lockWait is how long a replica waits for one that looks at the same work, and
// lockLease how long the work of one that died stays with it.
const (
	lockWait  = 200 * time.Millisecond
	lockLease = 15 * time.Second
)

// lock takes a lock, or none without an error when another replica has it.
func (d *Directory) lock(ctx context.Context, key string) (*redislock.Lock, error) {
	short, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	lock, err := redislock.Acquire(short, d.store.redis, key, lockLease)
	switch {
	case err == nil:
		return lock, nil
	case errors.Is(err, context.DeadlineExceeded):
		return nil, ctx.Err()
	}
	return nil, err
}
