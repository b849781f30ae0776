// Package cache keeps what was read from Webex for a while in Redis, sealed, so
// that replicas share it; it makes many simultaneous wishes for one thing into
// one upstream call, and keeps the last known value for the time Webex is away.
package cache

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"

	"patchbay/internal/seal"
)

const (
	// keep is how long a last known value can be of use after it was read.
	keep = time.Hour
	// loadTimeout ends a load whose callers have all gone away.
	loadTimeout = 12 * time.Second
	// lease is how long one replica may load a shared value before another tries.
	lease = 10 * time.Second
	// poll is how often a replica looks whether another one has loaded.
	poll = 40 * time.Millisecond
)

// Cache is shared by all replicas through Redis.
type Cache struct {
	redis  redis.UniversalClient
	sealer *seal.Sealer
	now    func() time.Time
	flight singleflight.Group
}

// New makes a Cache; now is the clock that readings are dated by.
func New(client redis.UniversalClient, sealer *seal.Sealer, now func() time.Time) *Cache {
	return &Cache{redis: client, sealer: sealer, now: now}
}

// Key names a value: what it is, and of whom or which object.
type Key struct {
	Owner string // a Webex id, or "organization"
	Name  string // "callForwarding", "locations"
}

// redisKey hides the owner: a list of keys tells nobody's name or id.
func (k Key) redisKey() string {
	sum := sha256.Sum256([]byte("patchbay cache " + k.Owner))
	return "patchbay:{cache:" + base64.RawURLEncoding.EncodeToString(sum[:12]) + "}:" + k.Name
}

// Reading is a value and when it was read.
type Reading[T any] struct {
	Value T         `json:"v"`
	At    time.Time `json:"t"`
}

// Options of Get.
type Options struct {
	// MaxAge is how old a reading may be; 0 asks Webex (sharing a call that is
	// already under way in this replica).
	MaxAge time.Duration
	// Fleet makes other replicas wait for the one that loads: for facts of the
	// whole organization.
	Fleet bool
}

// Get gives a reading not older than opts.MaxAge, loading it when there is none.
// The error is load's. Trouble with Redis only costs the sharing.
func Get[T any](ctx context.Context, c *Cache, key Key, opts Options, load func(context.Context) (T, error)) (Reading[T], error) {
	if opts.MaxAge > 0 {
		if r, ok := Peek[T](ctx, c, key); ok && c.now().Sub(r.At) <= opts.MaxAge {
			return r, nil
		}
	}
	name := key.redisKey()
	done := c.flight.DoChan(name, func() (any, error) {
		// The load outlives a caller who goes away: others may wait for it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		if opts.Fleet {
			return fleetLoad(ctx, c, key, opts.MaxAge, load)
		}
		// Somebody else's load may have ended between our look and this one.
		if opts.MaxAge > 0 {
			if r, ok := Peek[T](ctx, c, key); ok && c.now().Sub(r.At) <= opts.MaxAge {
				return r, nil
			}
		}
		return loadAndStore(ctx, c, key, load)
	})
	select {
	case <-ctx.Done():
		return Reading[T]{}, ctx.Err()
	case res := <-done:
		if res.Err != nil {
			return Reading[T]{}, res.Err
		}
		return res.Val.(Reading[T]), nil
	}
}

// Peek gives the last known value, however old (at most an hour).
func Peek[T any](ctx context.Context, c *Cache, key Key) (Reading[T], bool) {
	name := key.redisKey()
	sealed, err := c.redis.HGet(ctx, name, "b").Bytes()
	if err != nil {
		return Reading[T]{}, false
	}
	var r Reading[T]
	text, err := c.sealer.Open(name, sealed)
	if err != nil || json.Unmarshal(text, &r) != nil {
		return Reading[T]{}, false
	}
	return r, true
}

// putScript stores a value that is known to be the newest; loads that began
// before do not overwrite it (see storeScript).
var putScript = redis.NewScript(`
redis.call("HINCRBY", KEYS[1], "g", 1)
redis.call("HSET", KEYS[1], "b", ARGV[1])
redis.call("PEXPIRE", KEYS[1], ARGV[2])
return 1`)

// storeScript stores what was loaded unless something newer was put meanwhile.
var storeScript = redis.NewScript(`
if (redis.call("HGET", KEYS[1], "g") or "0") ~= ARGV[3] then return 0 end
redis.call("HSET", KEYS[1], "b", ARGV[1])
redis.call("PEXPIRE", KEYS[1], ARGV[2])
return 1`)

// Put stores what is known from elsewhere, such as the answer to a write.
func Put[T any](ctx context.Context, c *Cache, key Key, value T) error {
	name := key.redisKey()
	sealed, err := c.sealed(name, Reading[T]{Value: value, At: c.now()})
	if err != nil {
		return err
	}
	c.flight.Forget(name)
	if err := putScript.Run(ctx, c.redis, []string{name}, sealed, keep.Milliseconds()).Err(); err != nil {
		return fmt.Errorf("keep %s: %w", key.Name, err)
	}
	return nil
}

// Drop forgets a value, also the one that a load under way will bring.
func (c *Cache) Drop(ctx context.Context, key Key) error {
	name := key.redisKey()
	c.flight.Forget(name)
	_, err := c.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HIncrBy(ctx, name, "g", 1)
		p.HDel(ctx, name, "b")
		p.PExpire(ctx, name, keep)
		return nil
	})
	if err != nil {
		return fmt.Errorf("forget %s: %w", key.Name, err)
	}
	return nil
}

func (c *Cache) sealed(name string, reading any) ([]byte, error) {
	text, err := json.Marshal(reading)
	if err != nil {
		return nil, fmt.Errorf("encode a reading: %w", err)
	}
	return c.sealer.Seal(name, text), nil
}

func loadAndStore[T any](ctx context.Context, c *Cache, key Key, load func(context.Context) (T, error)) (Reading[T], error) {
	name := key.redisKey()
	generation, err := c.redis.HGet(ctx, name, "g").Result()
	if errors.Is(err, redis.Nil) {
		generation = "0"
	}
	redisDown := err != nil && !errors.Is(err, redis.Nil)
	value, err := load(ctx)
	if err != nil {
		return Reading[T]{}, err
	}
	r := Reading[T]{Value: value, At: c.now()}
	if redisDown {
		return r, nil
	}
	sealed, err := c.sealed(name, r)
	if err != nil {
		return Reading[T]{}, err
	}
	_ = storeScript.Run(ctx, c.redis, []string{name}, sealed, keep.Milliseconds(), generation).Err() // sharing is lost, the value is not
	return r, nil
}

// fleetLoad lets one replica load while the others wait for its result.
func fleetLoad[T any](ctx context.Context, c *Cache, key Key, maxAge time.Duration, load func(context.Context) (T, error)) (Reading[T], error) {
	lock := key.redisKey() + ":loading"
	asked := c.now()
	for {
		// Somebody may have loaded between our look and our lock.
		if r, ok := Peek[T](ctx, c, key); ok && (c.now().Sub(r.At) <= maxAge || !r.At.Before(asked)) {
			return r, nil
		}
		err := c.redis.SetArgs(ctx, lock, "1", redis.SetArgs{Mode: "NX", TTL: lease}).Err()
		if err == nil {
			defer c.redis.Del(context.WithoutCancel(ctx), lock)
			return loadAndStore(ctx, c, key, load)
		}
		if !errors.Is(err, redis.Nil) { // Redis is away: every replica for itself
			return loadAndStore(ctx, c, key, load)
		}
		select {
		case <-ctx.Done():
			return Reading[T]{}, ctx.Err()
		case <-time.After(poll):
		}
	}
}
