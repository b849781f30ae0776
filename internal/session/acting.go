package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"patchbay/internal/problem"
)

// actingIdle is when acting for somebody ends that is not used.
const actingIdle = 30 * time.Minute

// Acting says for whom the person who is signed in works at the moment.
type Acting struct {
	PersonID   string    `json:"personId"` // Webex's encoded id
	Name       string    `json:"name"`
	LocationID string    `json:"locationId"`
	Reason     string    `json:"reason"`
	Preview    bool      `json:"preview"` // only to see what that person sees
	Since      time.Time `json:"since"`
}

// acting is Acting as it is kept: its end is sealed with it, so that who can write to
// Redis cannot bring it back later.
type acting struct {
	Acting
	Ends time.Time `json:"ends"`
}

// StartActing lets the session act for somebody, in place of whoever it acted for
// before, and sets Since. It ends with StopActing, with the session, and after 30
// minutes without a call of Acting. In a session that has ended meanwhile nothing is
// begun, and the error is a *problem.Error, Unauthorized.
func (m *Manager) StartActing(ctx context.Context, a Acting) error {
	a.Since = m.now()
	b, err := json.Marshal(acting{Acting: a, Ends: a.Since.Add(actingIdle)})
	if err != nil {
		return fmt.Errorf("write the acting as JSON: %w", err)
	}
	kept := false
	if key := m.Key(ctx); key != "" {
		if kept, err = m.store.putActing(ctx, key, b); err != nil {
			return unavailable("begin to act", err)
		}
	}
	if !kept {
		return problem.New(problem.Unauthorized, "web.signedOut").Because(errors.New("begin to act: the session has ended"))
	}
	return nil
}

// Acting says for whom the session acts and puts off its end; false for nobody.
func (m *Manager) Acting(ctx context.Context) (Acting, bool, error) {
	key := m.Key(ctx)
	if key == "" {
		return Acting{}, false, nil
	}
	sealed, b, err := m.store.getActing(ctx, key)
	if err != nil {
		return Acting{}, false, unavailable("read who is acted for", err)
	}
	if b == nil {
		return Acting{}, false, nil
	}
	var a acting
	if err := json.Unmarshal(b, &a); err != nil {
		return Acting{}, false, fmt.Errorf("read the acting as JSON: %w", err)
	}
	if !m.now().Before(a.Ends) {
		return Acting{}, false, nil
	}
	a.Ends = m.now().Add(actingIdle)
	if b, err = json.Marshal(a); err != nil {
		return Acting{}, false, fmt.Errorf("write the acting as JSON: %w", err)
	}
	if err := m.store.slideActing(ctx, key, sealed, b); err != nil {
		return Acting{}, false, unavailable("put off the end of acting", err)
	}
	return a.Acting, true, nil
}

// StopActing ends acting, if there is any.
func (m *Manager) StopActing(ctx context.Context) error {
	key := m.Key(ctx)
	if key == "" {
		return nil
	}
	if err := m.store.dropActing(context.WithoutCancel(ctx), key); err != nil {
		return unavailable("stop acting", err)
	}
	return nil
}

func actingPlace(key string) string { return key + ":acting" }

// putActingScript writes for whom a session acts that lives; 0 when it does not.
var putActingScript = redis.NewScript(`
if redis.call("EXISTS", KEYS[1]) == 0 then return 0 end
redis.call("HSET", KEYS[1], "acting", ARGV[1])
return 1
`)

// slideActingScript writes ARGV[2] in place of ARGV[1] and of nothing else: what was
// stopped or replaced meanwhile must not come back. If another request was faster in
// sliding it, that will do.
var slideActingScript = redis.NewScript(`
if redis.call("HGET", KEYS[1], "acting") == ARGV[1] then redis.call("HSET", KEYS[1], "acting", ARGV[2]) end
return 1
`)

func (s *store) putActing(ctx context.Context, token string, b []byte) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	key := sessionKey(token)
	return putActingScript.Run(ctx, s.redis, []string{key}, s.sealer.Seal(actingPlace(key), b)).Bool()
}

// getActing gives what is kept, sealed for slideActing and opened; nil when there is
// nothing.
func (s *store) getActing(ctx context.Context, token string) (sealed, text []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	key := sessionKey(token)
	sealed, err = s.redis.HGet(ctx, key, "acting").Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if text, err = s.sealer.Open(actingPlace(key), sealed); err != nil {
		return nil, nil, nil // as in FindCtx
	}
	return sealed, text, nil
}

func (s *store) slideActing(ctx context.Context, token string, sealed, b []byte) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	key := sessionKey(token)
	return slideActingScript.Run(ctx, s.redis, []string{key}, sealed, s.sealer.Seal(actingPlace(key), b)).Err()
}

func (s *store) dropActing(ctx context.Context, token string) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	return s.redis.HDel(ctx, sessionKey(token), "acting").Err()
}
