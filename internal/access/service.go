package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"patchbay/internal/audit"
	"patchbay/internal/problem"
	"patchbay/internal/seal"
)

// ErrDenied is the cause of a problem that hides what the caller may not know of:
// the answer says "not there", the log says "refused".
var ErrDenied = errors.New("outside of what the caller may reach")

// Denied is the problem of something that is not there for the caller; key says it
// for people.
func Denied(key string) error { return problem.New(problem.NotFound, key).Because(ErrDenied) }

// Names and memberships of the organization, without asking Webex.
type Organization interface {
	// Lookup finds a person by Webex's id or by e-mail address.
	Lookup(person string) (id, name string, ok bool)
	// GroupName finds a group by its id.
	GroupName(groupID string) (name string, ok bool)
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
type Service struct {
	Deps
	mu    sync.Mutex // guards state; held while it is read anew
	state *state
}

const (
	// freshFor is how old the copy may be by which a request is decided.
	freshFor = time.Second
	// graceFor is how old it may be while Redis does not answer. After that nobody
	// holds anything but what everybody has.
	graceFor = 4 * time.Second
)

// The keys; one hash tag, because they are written together.
const (
	keyGrants  = "patchbay:{access}:grants"  // hash: id to sealed Grant
	keyPolicy  = "patchbay:{access}:policy"  // sealed Policy
	keyVersion = "patchbay:{access}:version" // counts the writes of both
	keyWriting = "patchbay:{access}:writing" // lock of writers
)

// state is all that was stored, at one version. It is never changed.
type state struct {
	version string
	grants  map[string]Grant
	policy  *Policy
	checked time.Time // when Redis last said that this is the version
}

// New makes a Service.
func New(d Deps) *Service { return &Service{Deps: d} }

// current is the state, at most freshFor old.
func (s *Service) current(ctx context.Context) (*state, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != nil && s.Now().Sub(s.state.checked) < freshFor {
		return s.state, nil
	}
	st, err := s.load(ctx)
	switch {
	case err == nil:
		s.state = st
	case s.state != nil && s.Now().Sub(s.state.checked) < graceFor:
		return s.state, nil
	default:
		return nil, err
	}
	return st, nil
}

// newest is the state as it is now.
func (s *Service) newest(ctx context.Context) (*state, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.load(ctx)
	if err == nil {
		s.state = st
	}
	return st, err
}

// load reads the version, and the rest when it is another one. s.mu is held.
func (s *Service) load(ctx context.Context) (*state, error) {
	asked := s.Now()
	version, err := s.Redis.Get(ctx, keyVersion).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read the version of the grants: %w", err)
	}
	if s.state != nil && s.state.version == version {
		same := *s.state
		same.checked = asked
		return &same, nil
	}
	var versionCmd, policyCmd *redis.StringCmd
	var grantsCmd *redis.MapStringStringCmd
	_, err = s.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		versionCmd, grantsCmd, policyCmd = p.Get(ctx, keyVersion), p.HGetAll(ctx, keyGrants), p.Get(ctx, keyPolicy)
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read the grants: %w", err)
	}
	st := &state{version: versionCmd.Val(), grants: map[string]Grant{}, checked: asked}
	for id, sealed := range grantsCmd.Val() {
		var g Grant
		if !s.open(grantPlace(id), sealed, &g) {
			// Sealed with a key that is gone, or written by somebody else: it gives nothing.
			s.Log.ErrorContext(ctx, "a grant cannot be opened with the keys at hand; it gives nothing")
			continue
		}
		g.ID = id
		st.grants[id] = g
	}
	st.policy = (&Policy{}).normal()
	if sealed := policyCmd.Val(); sealed != "" && !s.open(keyPolicy, sealed, st.policy) {
		return nil, errors.New("read the policy: it cannot be opened with the keys at hand") // fail closed
	}
	return st, nil
}

func grantPlace(id string) string { return keyGrants + ":" + id }

func (s *Service) open(place, sealed string, into any) bool {
	text, err := s.Sealer.Open(place, []byte(sealed))
	return err == nil && json.Unmarshal(text, into) == nil
}

// active lists the grants that have not ended, the oldest first.
func (st *state) active(now time.Time) []Grant {
	list := slices.DeleteFunc(slices.Collect(maps.Values(st.grants)), func(g Grant) bool { return g.Expired(now) })
	slices.SortFunc(list, func(a, b Grant) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return slices.Compare([]byte(a.ID), []byte(b.ID))
	})
	return list
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

func (s *Service) callerIn(st *state, personID, name, email string) Caller {
	c := NewCaller(personID, name)
	c.Policy = st.policy
	if email != "" && s.IsAdmin(email) {
		c = c.With(Holding{Role: Administrator, Scope: Scope{Organization: true}})
	}
	for _, g := range st.active(s.Now()) {
		if g.reaches(personID, s.Organization) {
			c.Holdings = append(c.Holdings, g.holding())
		}
	}
	return c
}

// GroupIDs lists the groups of which the members must be known: those that grants
// are given to, and those that are somebody's scope.
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
	slices.Sort(ids)
	return slices.Compact(ids)
}

// writeScript stores a grant or the policy if nobody else has written meanwhile; 0
// means somebody has. KEYS: version, grants, policy. ARGV: the version that was
// read, what ("put", "delete", "policy"), id, sealed value.
var writeScript = redis.NewScript(`
if (redis.call("GET", KEYS[1]) or "") ~= ARGV[1] then return 0 end
if ARGV[2] == "put" then redis.call("HSET", KEYS[2], ARGV[3], ARGV[4])
elseif ARGV[2] == "delete" then redis.call("HDEL", KEYS[2], ARGV[3])
else redis.call("SET", KEYS[3], ARGV[4]) end
redis.call("INCR", KEYS[1])
return 1`)

// errRaced means that another writer was faster, in spite of the lock.
var errRaced = errors.New("grants and policy were changed by somebody else at the same moment")

func (s *Service) write(ctx context.Context, st *state, what, id string, sealed []byte) error {
	done, err := writeScript.Run(ctx, s.Redis, []string{keyVersion, keyGrants, keyPolicy}, st.version, what, id, sealed).Int()
	if err != nil {
		return fmt.Errorf("store %s: %w", what, err)
	}
	if done == 0 {
		return errRaced
	}
	return nil
}
