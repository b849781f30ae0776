package serviceapp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"patchbay/internal/seal"
)

// Both keys are used by separate scripts, but carry one hash tag as everything
// of this package should stand or fall together in a cluster.
const (
	tokensKey = "patchbay:{serviceapp}:tokens" // hash: v, tokens, attempt
	lockKey   = "patchbay:{serviceapp}:lock"   // see redislock
)

// entry is one version of what is stored. Version 0 means that nothing is.
type entry struct {
	version    int64
	unreadable bool // sealed with a key that this replica does not have
	tokens     tokens
	attempt    attempt
}

// newerThan reports whether e holds access tokens that came after old, or that
// descend from another seed.
func (e entry) newerThan(old entry) bool {
	return e.tokens.Access != "" && (e.version > old.version || e.tokens.Seed != old.tokens.Seed)
}

// tokens is kept sealed. Times are zero when unknown.
type tokens struct {
	Access         string    `json:"access,omitempty"` // empty between a seed and its first refresh
	AccessExpires  time.Time `json:"accessExpires,omitzero"`
	Refresh        string    `json:"refresh"`
	RefreshExpires time.Time `json:"refreshExpires,omitzero"`
	FetchedAt      time.Time `json:"fetchedAt,omitzero"`  // the last successful refresh
	Unchanged      bool      `json:"unchanged,omitempty"` // that refresh gave the access token we had
	Scopes         []string  `json:"scopes,omitempty"`    // as the answer named them
	Seed           string    `json:"seed"`                // fingerprint of the seed this descends from
}

// attempt is the last failed refresh of a version. It is shared, so that the
// fleet backs off as one. A successful refresh empties it.
type attempt struct {
	At          time.Time `json:"at,omitzero"`
	Fault       Fault     `json:"fault,omitempty"`
	Failures    int       `json:"failures,omitempty"` // in a row
	NotBefore   time.Time `json:"notBefore,omitzero"`
	Credentials string    `json:"credentials,omitempty"` // fingerprint of the client that was refused
}

// store keeps the entry in one Redis hash.
type store struct {
	redis  redis.UniversalClient
	sealer *seal.Sealer
}

// load reads the entry. The error is Redis's.
func (s store) load(ctx context.Context) (entry, error) {
	values, err := s.redis.HMGet(ctx, tokensKey, "v", "tokens", "attempt").Result()
	if err != nil {
		return entry{}, fmt.Errorf("read the service-app tokens: %w", err)
	}
	text := func(i int) string { v, _ := values[i].(string); return v }
	if text(0) == "" {
		return entry{}, nil
	}
	version, err := strconv.ParseInt(text(0), 10, 64)
	if err != nil {
		return entry{}, fmt.Errorf("read the version of the service-app tokens: %w", err)
	}
	e := entry{version: version}
	if s.open("tokens", text(1), &e.tokens) != nil || s.open("attempt", text(2), &e.attempt) != nil {
		return entry{version: version, unreadable: true}, nil
	}
	return e, nil
}

// saveScript: KEYS[1] the hash; ARGV the version it must have, then the new
// version, tokens, attempt. The comparison fences a holder of the lock who
// comes back after its lease has ended.
var saveScript = redis.NewScript(`
if (redis.call("HGET", KEYS[1], "v") or "0") ~= ARGV[1] then return 0 end
redis.call("HSET", KEYS[1], "v", ARGV[2], "tokens", ARGV[3], "attempt", ARGV[4])
return 1`)

// save writes e over the version expected. False: another version is stored.
func (s store) save(ctx context.Context, expected int64, e entry) (bool, error) {
	tokens, err := s.seal("tokens", e.tokens)
	if err != nil {
		return false, err
	}
	attempt, err := s.seal("attempt", e.attempt)
	if err != nil {
		return false, err
	}
	saved, err := saveScript.Run(ctx, s.redis, []string{tokensKey}, expected, e.version, tokens, attempt).Int()
	if err != nil {
		return false, fmt.Errorf("save the service-app tokens: %w", err)
	}
	return saved == 1, nil
}

// noteScript: KEYS[1] the hash; ARGV the version it must have, the attempt.
var noteScript = redis.NewScript(`
if redis.call("HGET", KEYS[1], "v") ~= ARGV[1] then return 0 end
redis.call("HSET", KEYS[1], "attempt", ARGV[2])
return 1`)

// note records a failed attempt to refresh version. False: another version is
// stored, and the failure says nothing about it.
func (s store) note(ctx context.Context, version int64, a attempt) (bool, error) {
	sealed, err := s.seal("attempt", a)
	if err != nil {
		return false, err
	}
	noted, err := noteScript.Run(ctx, s.redis, []string{tokensKey}, version, sealed).Int()
	if err != nil {
		return false, fmt.Errorf("record a failed token refresh: %w", err)
	}
	return noted == 1, nil
}

func (s store) seal(field string, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", field, err)
	}
	return s.sealer.Seal(tokensKey+" "+field, text), nil
}

func (s store) open(field, sealed string, v any) error {
	text, err := s.sealer.Open(tokensKey+" "+field, []byte(sealed))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// fingerprint tells secrets apart. It is only ever kept sealed.
func fingerprint(parts ...string) string {
	sum := sha256.Sum256([]byte("patchbay service app\x00" + strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}
