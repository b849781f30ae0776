package session

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"patchbay/internal/seal"
)

// goneFor is how long a deleted session cannot be written again: longer than any
// request that read it before may live.
const goneFor = 10 * time.Minute

// redisTimeout bounds one question to Redis: a page must not wait for it any longer.
const redisTimeout = 3 * time.Second

// errGone means that the session was deleted before it could be written.
var errGone = errors.New("the session has been deleted")

// store keeps sessions for scs (it is an scs.CtxStore). A session is a hash with the
// fields "b" (the sealed session), "until" (its absolute end) and "seen" (when it was
// last read), both in Unix milliseconds, and maybe "flash" and "acting" (a sealed
// Flash and Acting). Redis lets it expire at the idle limit or at "until", whichever
// is first. Beside it stands, after a deletion, a tombstone. Both keys carry the same
// hash tag, so they share a slot of a Redis Cluster. The lists of a person's sessions
// (list.go) do not, and no command touches both.
type store struct {
	redis  redis.UniversalClient
	sealer *seal.Sealer
	idle   time.Duration
	now    func() time.Time
}

func sessionKey(token string) string   { return "patchbay:session:{" + token + "}" }
func tombstoneKey(token string) string { return sessionKey(token) + ":gone" }

// findScript gives the sealed session, notes that it was used, and slides its idle
// limit, never past "until". ARGV: now and idle limit in milliseconds.
var findScript = redis.NewScript(`
local v = redis.call("HMGET", KEYS[1], "b", "until")
if not v[1] or tonumber(v[2]) <= tonumber(ARGV[1]) then return false end
redis.call("HSET", KEYS[1], "seen", ARGV[1])
redis.call("PEXPIREAT", KEYS[1], math.min(tonumber(v[2]), tonumber(ARGV[1]) + tonumber(ARGV[2])))
return v[1]
`)

// commitScript writes a session that was not deleted; 0 means it was. KEYS: session,
// tombstone. ARGV: sealed session; until, now and idle limit in milliseconds.
var commitScript = redis.NewScript(`
if redis.call("EXISTS", KEYS[2]) == 1 then return 0 end
redis.call("HSET", KEYS[1], "b", ARGV[1], "until", ARGV[2], "seen", ARGV[3])
redis.call("PEXPIREAT", KEYS[1], math.min(tonumber(ARGV[2]), tonumber(ARGV[3]) + tonumber(ARGV[4])))
return 1
`)

// putFlashScript adds a flash to a session that lives, and to no other.
var putFlashScript = redis.NewScript(`
if redis.call("EXISTS", KEYS[1]) == 1 then redis.call("HSET", KEYS[1], "flash", ARGV[1]) end
return 1
`)

// popFlashScript takes the flash out, so that of two requests only one gets it.
var popFlashScript = redis.NewScript(`
local f = redis.call("HGET", KEYS[1], "flash")
if f then redis.call("HDEL", KEYS[1], "flash") end
return f
`)

// FindCtx reads a session and slides its idle limit. A session that our keys cannot
// open (the key was changed, somebody wrote to Redis) is as good as none.
func (s *store) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	key := sessionKey(token)
	sealed, err := findScript.Run(ctx, s.redis, []string{key}, s.now().UnixMilli(), s.idle.Milliseconds()).Text()
	if errors.Is(err, redis.Nil) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("find session: %w", err)
	}
	text, err := s.sealer.Open(key, []byte(sealed))
	if err != nil {
		return nil, false, nil
	}
	return text, true, nil
}

// CommitCtx writes a session whose absolute end is until; errGone when it was deleted.
func (s *store) CommitCtx(ctx context.Context, token string, b []byte, until time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	key := sessionKey(token)
	written, err := commitScript.Run(ctx, s.redis, []string{key, tombstoneKey(token)},
		s.sealer.Seal(key, b), strconv.FormatInt(until.UnixMilli(), 10), s.now().UnixMilli(), s.idle.Milliseconds()).Int()
	if err != nil {
		return fmt.Errorf("commit session: %w", err)
	}
	if written == 0 {
		return errGone
	}
	return nil
}

// DeleteCtx deletes a session and leaves a tombstone in its place.
func (s *store) DeleteCtx(ctx context.Context, token string) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	_, err := s.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, tombstoneKey(token), "1", goneFor)
		p.Del(ctx, sessionKey(token))
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}

// Find, Commit and Delete complete scs.Store; scs calls the forms with a context.

func (s *store) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

func (s *store) Commit(token string, b []byte, until time.Time) error {
	return s.CommitCtx(context.Background(), token, b, until)
}

func (s *store) Delete(token string) error {
	return s.DeleteCtx(context.Background(), token)
}

func flashPlace(key string) string { return key + ":flash" }

func (s *store) putFlash(ctx context.Context, token string, b []byte) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	key := sessionKey(token)
	return putFlashScript.Run(ctx, s.redis, []string{key}, s.sealer.Seal(flashPlace(key), b)).Err()
}

// popFlash gives nil when there is none.
func (s *store) popFlash(ctx context.Context, token string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	key := sessionKey(token)
	sealed, err := popFlashScript.Run(ctx, s.redis, []string{key}).Text()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	text, err := s.sealer.Open(flashPlace(key), []byte(sealed))
	if err != nil {
		return nil, nil // as in FindCtx
	}
	return text, nil
}
