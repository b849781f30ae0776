package access

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"patchbay/internal/audit"
	"patchbay/internal/problem"
	"patchbay/internal/seal"
	"patchbay/internal/webex"
)

// ErrDenied is the cause of a problem that hides what the caller may not know of:
// the answer says "not there", the log says "refused".
var ErrDenied = errors.New("outside of what the caller may reach")

// Denied is the problem of something that is not there for the caller; key says it
// for people.
func Denied(key string) error { return problem.New(problem.NotFound, key).Because(ErrDenied) }

// Organization knows names and memberships, without asking Webex.
type Organization interface {
	// Lookup finds a person by Webex's id or by e-mail address.
	Lookup(person string) (id, name string, ok bool)
	// GroupName finds a group by its id.
	GroupName(groupID string) (name string, ok bool)
	// KnowsMembers reports whether it is known who is in a group and who is not.
	KnowsMembers(groupID string) bool
	Groups
}

// Groups says who is in which Webex group; false also when that is not known.
type Groups interface {
	InGroup(groupID, personID string) bool
}

// Deps are what a Service needs.
type Deps struct {
	Redis        redis.UniversalClient
	Sealer       *seal.Sealer
	Audit        *audit.Log
	Organization Organization
	IsAdmin      func(email string) bool // PORTAL_ADMINS
	HasAdmins    bool                    // PORTAL_ADMINS names somebody
	Settings     []string                // what a policy may speak of
	Now          func() time.Time
	Log          *slog.Logger
}

// Service keeps grants and policy in Redis, shared by all replicas. Each replica
// decides by a copy that is at most freshFor old, so that what was revoked is gone
// from live sessions within seconds everywhere.
//
// All of it is sealed as one, together with the name of its version: who can write
// to Redis cannot add a grant, bring a revoked one back, or take the policy away
// alone. He can only put everything back as it once was.
type Service struct {
	Deps
	mu     sync.Mutex // guards state and failed; held while the state is read anew
	state  *state
	failed failure
	asked  sync.Map // when somebody wanted to know the members of a group, by its id
}

// failure is the last attempt to read that did not succeed.
type failure struct {
	at  time.Time
	err error
}

const (
	// freshFor is how old the copy may be by which a request is decided.
	freshFor = time.Second
	// graceFor is how old it may be while Redis does not answer. After that nobody
	// holds anything but what everybody has.
	graceFor = 4 * time.Second
	// loadTimeout bounds a reading: requests wait for it.
	loadTimeout = 2 * time.Second
	// askedFor is how long a group stays of interest whose members somebody wanted to
	// know: as long as it takes to decide about a grant.
	askedFor = 15 * time.Minute
	// forgetAfter is how long a grant is kept that has ended: what was done with it can
	// be undone and settled until then.
	forgetAfter = 31 * 24 * time.Hour
)

// The keys; one hash tag, because a writer holds the lock while it writes.
const (
	keyState   = "patchbay:{access}:state"   // hash of fieldVersion and fieldSealed
	keyWriting = "patchbay:{access}:writing" // lock of writers

	fieldVersion = "version" // a name that no other state has
	fieldSealed  = "sealed"  // the stored state, bound to that name
)

// stored is what is sealed.
type stored struct {
	Grants []Grant `json:"grants"`
	Policy *Policy `json:"policy"`
}

// state is all that was stored, at one version. It is never changed.
type state struct {
	version string
	grants  map[string]Grant
	policy  *Policy
	checked time.Time // when Redis last said that this is the version

	ordered []Grant          // the oldest first
	direct  map[string][]int // positions in ordered by canonical person
	grouped []int            // positions in ordered of what groups hold
}

// index orders the grants so that those of one person are found at once.
func (st *state) index() {
	st.ordered = slices.SortedFunc(maps.Values(st.grants), func(a, b Grant) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ID, b.ID))
	})
	st.direct = map[string][]int{}
	for i, g := range st.ordered {
		if g.To.Group != "" {
			st.grouped = append(st.grouped, i)
		} else {
			st.direct[canonical(g.To.Person)] = append(st.direct[canonical(g.To.Person)], i)
		}
	}
}

// canonical is one spelling of an id, by the rules of webex.SameID.
func canonical(id string) string {
	if u, err := webex.UUID(id); err == nil {
		return u
	}
	return strings.TrimRight(id, "=")
}

// New makes a Service.
func New(d Deps) *Service { return &Service{Deps: d} }

// current is the state, at most freshFor old. While Redis does not answer it is
// asked once in freshFor, not by every request.
func (s *Service) current(ctx context.Context) (*state, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	if s.state != nil && now.Sub(s.state.checked) < freshFor {
		return s.state, nil
	}
	err := s.failed.err
	if err == nil || now.Sub(s.failed.at) >= freshFor {
		err = s.load(ctx)
	}
	if err != nil && (s.state == nil || s.Now().Sub(s.state.checked) >= graceFor) {
		return nil, err
	}
	return s.state, nil
}

// newest is the state as it is now.
func (s *Service) newest(ctx context.Context) (*state, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	return s.state, nil
}

// load reads the version, and the rest when it is another one. s.mu is held.
func (s *Service) load(ctx context.Context) error {
	// Others wait for this reading: it goes on when the one who asked does not.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	asked := s.Now()
	st, err := s.read(ctx)
	if err != nil {
		s.failed = failure{s.Now(), err}
		return err
	}
	st.checked = asked
	s.state, s.failed = st, failure{}
	return nil
}

func (s *Service) read(ctx context.Context) (*state, error) {
	version, err := s.Redis.HGet(ctx, keyState, fieldVersion).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read the version of the grants: %w", err)
	}
	if s.state != nil && s.state.version == version {
		same := *s.state
		return &same, nil
	}
	fields, err := s.Redis.HMGet(ctx, keyState, fieldVersion, fieldSealed).Result()
	if err != nil {
		return nil, fmt.Errorf("read the grants: %w", err)
	}
	st := &state{grants: map[string]Grant{}, policy: (&Policy{}).normal()}
	if fields[0] == nil && fields[1] == nil {
		return st, nil // nothing was ever granted
	}
	st.version, _ = fields[0].(string)
	sealed, _ := fields[1].(string)
	var all stored
	text, err := s.Sealer.Open(statePlace(st.version), []byte(sealed))
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		// Sealed with a key that is gone, or written by somebody else. Without the policy
		// everything would be open, so nothing is.
		return nil, fmt.Errorf("open the grants and the policy with the keys at hand: %w", err)
	}
	for _, g := range all.Grants {
		st.grants[g.ID] = g
	}
	st.policy = all.Policy.normal()
	st.index()
	return st, nil
}

// statePlace binds the sealed state to the name of its version.
func statePlace(version string) string { return keyState + ":" + version }

// active lists the grants that have not ended, the oldest first.
func (st *state) active(now time.Time) []Grant {
	return slices.DeleteFunc(slices.Clone(st.ordered), func(g Grant) bool { return g.Expired(now) })
}

// Caller is what a signed-in person may do now. When that cannot be found out, the
// error is problem.Unavailable.
func (s *Service) Caller(ctx context.Context, personID, name, email string) (Caller, error) {
	st, err := s.current(ctx)
	if err != nil {
		return Caller{}, problem.New(problem.Unavailable, "access.unavailable").Because(err)
	}
	return s.callerIn(st, personID, name, email), nil
}

// Again is the caller by the grants and the policy of now: without what was taken away,
// or has ended, since the request began. When that cannot be found out, the error is
// problem.Unavailable.
func (s *Service) Again(ctx context.Context, c Caller) (Caller, error) {
	st, err := s.current(ctx)
	if err != nil {
		return Caller{}, problem.New(problem.Unavailable, "access.unavailable").Because(err)
	}
	c = st.still(c, s.Now())
	c.Policy = st.policy
	c.Holdings = slices.DeleteFunc(c.Holdings, func(h Holding) bool { return h.Group != "" && !s.Organization.InGroup(h.Group, c.PersonID) })
	return c, nil
}

// still is the caller without what was taken away, or has ended, since the request
// began: a change may have waited for its turn.
func (st *state) still(c Caller, now time.Time) Caller {
	c.Holdings = slices.DeleteFunc(slices.Clone(c.Holdings), func(h Holding) bool {
		g, ok := st.grants[h.Grant]
		return h.Grant != "" && (!ok || g.Expired(now) || g.Role != h.Role)
	})
	return c
}

func (s *Service) callerIn(st *state, personID, name, email string) Caller {
	c := NewCaller(personID, name)
	c.Policy = st.policy
	if email != "" && s.IsAdmin(email) {
		c = c.With(Holding{Role: Administrator, Scope: Scope{Organization: true}})
	}
	if personID == "" {
		return c
	}
	now := s.Now()
	for _, i := range slices.Concat(st.direct[canonical(personID)], st.grouped) {
		if g := st.ordered[i]; !g.Expired(now) && (g.To.Group == "" || s.Organization.InGroup(g.To.Group, personID)) {
			c.Holdings = append(c.Holdings, g.holding())
		}
	}
	return c
}

// WatchGroup says that the members of a group will be asked for soon, because
// somebody is about to grant it something.
func (s *Service) WatchGroup(groupID string) { s.asked.Store(groupID, s.Now()) }

// GroupIDs lists the groups of which the members must be known: those that grants
// are given to, those that are somebody's scope, and those of WatchGroup.
func (s *Service) GroupIDs(ctx context.Context) []string {
	st, err := s.current(ctx)
	if err != nil {
		return nil
	}
	var ids []string
	for _, g := range st.active(s.Now()) {
		if g.To.Group != "" {
			ids = append(ids, g.To.Group)
		}
		ids = append(ids, g.Scope.Groups...)
	}
	s.asked.Range(func(id, at any) bool {
		if s.Now().Sub(at.(time.Time)) > askedFor {
			s.asked.Delete(id)
			return true
		}
		ids = append(ids, id.(string))
		return true
	})
	slices.Sort(ids)
	return slices.Compact(ids)
}

// writeScript stores a state if nobody else has written meanwhile; 0 means somebody
// has. KEYS: state. ARGV: the version that was read, the new one, the sealed state.
var writeScript = redis.NewScript(`
if (redis.call("HGET", KEYS[1], "version") or "") ~= ARGV[1] then return 0 end
redis.call("HSET", KEYS[1], "version", ARGV[2], "sealed", ARGV[3])
return 1`)

// errRaced means that another writer was faster, in spite of the lock.
var errRaced = errors.New("grants and policy were changed by somebody else at the same moment")

// write stores what follows on a state.
func (s *Service) write(ctx context.Context, from *state, grants map[string]Grant, policy *Policy) error {
	all := stored{Policy: policy, Grants: []Grant{}}
	for _, id := range slices.Sorted(maps.Keys(grants)) {
		if g := grants[id]; !g.Expired(s.Now().Add(-forgetAfter)) {
			all.Grants = append(all.Grants, g)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("encode the grants: %w", err)
	}
	version := rand.Text()
	done, err := writeScript.Run(ctx, s.Redis, []string{keyState}, from.version, version, s.Sealer.Seal(statePlace(version), text)).Int()
	if err != nil {
		return fmt.Errorf("store the grants: %w", err)
	}
	if done == 0 {
		return errRaced
	}
	return nil
}
