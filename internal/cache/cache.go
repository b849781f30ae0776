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
	"runtime/debug"
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
	if list, ok := peekAll[T](ctx, c, []Key{key}, opts.MaxAge); ok {
		return list[0], nil
	}
	return fly(ctx, c, key.redisKey(), func(ctx context.Context) (Reading[T], error) {
		if opts.Fleet {
			return fleetLoad(ctx, c, key, opts.MaxAge, load)
		}
		// Somebody else's load may have ended between our look and this one.
		if list, ok := peekAll[T](ctx, c, []Key{key}, opts.MaxAge); ok {
			return list[0], nil
		}
		return loadAndStore(ctx, c, key, load)
	})
}

// GetAll is Get for values of one owner that one load brings together, in the
// order of the keys; all such values of an owner have one type. Replicas do not
// wait for each other.
func GetAll[T any](ctx context.Context, c *Cache, keys []Key, maxAge time.Duration, load func(context.Context) ([]T, error)) ([]Reading[T], error) {
	if list, ok := peekAll[T](ctx, c, keys, maxAge); ok {
		return list, nil
	}
	for {
		brought, err := fly(ctx, c, keys[0].allName(), func(ctx context.Context) (map[Key]Reading[T], error) {
			list, ok := peekAll[T](ctx, c, keys, maxAge)
			if !ok {
				var err error
				if list, err = loadAndStoreAll(ctx, c, keys, load); err != nil {
					return nil, err
				}
			}
			brought := map[Key]Reading[T]{}
			for i, key := range keys {
				brought[key] = list[i]
			}
			return brought, nil
		})
		if err != nil {
			return nil, err
		}
		list := make([]Reading[T], 0, len(keys))
		for _, key := range keys {
			if r, ok := brought[key]; ok {
				list = append(list, r)
			}
		}
		if len(list) == len(keys) {
			return list, nil
		}
		// It was somebody else's load, of fewer values.
	}
}

// allName names a flight of GetAll.
func (k Key) allName() string { return "all of " + k.Owner }

// fly makes simultaneous calls of the same name into one.
func fly[T any](ctx context.Context, c *Cache, name string, do func(context.Context) (T, error)) (T, error) {
	done := c.flight.DoChan(name, func() (result any, err error) {
		defer func() { // singleflight would end the whole process
			if v := recover(); v != nil {
				err = fmt.Errorf("a load panicked: %v\n%s", v, debug.Stack())
			}
		}()
		// The load outlives a caller who goes away: others may wait for it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return do(ctx)
	})
	var none T
	select {
	case <-ctx.Done():
		return none, ctx.Err()
	case res := <-done:
		if res.Err != nil {
			return none, res.Err
		}
		return res.Val.(T), nil
	}
}

// peekAll gives readings not older than maxAge, if all are there.
func peekAll[T any](ctx context.Context, c *Cache, keys []Key, maxAge time.Duration) ([]Reading[T], bool) {
	if maxAge <= 0 {
		return nil, false
	}
	list := make([]Reading[T], len(keys))
	for i, key := range keys {
		r, ok := Peek[T](ctx, c, key)
		if !ok || c.now().Sub(r.At) > maxAge {
			return nil, false
		}
		list[i] = r
	}
	return list, true
}

// Peek gives the last known value, however old (at most an hour).
func Peek[T any](ctx context.Context, c *Cache, key Key) (Reading[T], bool) {
	r, _, ok := peek[T](ctx, c, key)
	return r, ok
}

// peek also tells how often the value was put: by that a change of it is noticed.
func peek[T any](ctx context.Context, c *Cache, key Key) (r Reading[T], generation string, ok bool) {
	fields, err := c.redis.HMGet(ctx, key.redisKey(), "b", "g").Result()
	if err != nil {
		return Reading[T]{}, "", false
	}
	r, ok = opened[T](c, key, fields[0])
	generation, put := fields[1].(string)
	if !put {
		generation = "0"
	}
	return r, generation, ok
}

// PeekAll is Peek for many keys in one go: what is not there is left out.
func PeekAll[T any](ctx context.Context, c *Cache, keys []Key) map[Key]Reading[T] {
	found := make(map[Key]Reading[T], len(keys))
	cmds := make([]*redis.StringCmd, len(keys))
	_, _ = c.redis.Pipelined(ctx, func(p redis.Pipeliner) error { // each command has an error of its own
		for i, key := range keys {
			cmds[i] = p.HGet(ctx, key.redisKey(), "b")
		}
		return nil
	})
	for i, key := range keys {
		if sealed, err := cmds[i].Result(); err == nil {
			if r, ok := opened[T](c, key, sealed); ok {
				found[key] = r
			}
		}
	}
	return found
}

func opened[T any](c *Cache, key Key, sealed any) (Reading[T], bool) {
	text, ok := sealed.(string)
	if !ok {
		return Reading[T]{}, false
	}
	var r Reading[T]
	plain, err := c.sealer.Open(key.redisKey(), []byte(text))
	if err != nil || json.Unmarshal(plain, &r) != nil {
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

// amendScript is putScript unless something newer was put meanwhile.
var amendScript = redis.NewScript(`
if (redis.call("HGET", KEYS[1], "g") or "0") ~= ARGV[3] then return 0 end
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
	return put(ctx, c, key, Reading[T]{Value: value, At: c.now()})
}

// Amend changes a part of the last known value that is known from elsewhere. The
// rest of it is as old as before, and so is the reading. Without one nothing is
// kept. Of several who amend at once each builds on the other's value.
func Amend[T any](ctx context.Context, c *Cache, key Key, change func(T) T) error {
	name := key.redisKey()
	for {
		r, generation, ok := peek[T](ctx, c, key)
		if !ok {
			return nil
		}
		r.Value = change(r.Value)
		sealed, err := c.sealed(name, r)
		if err != nil {
			return err
		}
		c.forget(key)
		kept, err := amendScript.Run(ctx, c.redis, []string{name}, sealed, keep.Milliseconds(), generation).Bool()
		if err != nil {
			return fmt.Errorf("keep %s: %w", key.Name, err)
		}
		if kept {
			return nil
		}
	}
}

func put[T any](ctx context.Context, c *Cache, key Key, r Reading[T]) error {
	name := key.redisKey()
	sealed, err := c.sealed(name, r)
	if err != nil {
		return err
	}
	c.forget(key)
	if err := putScript.Run(ctx, c.redis, []string{name}, sealed, keep.Milliseconds()).Err(); err != nil {
		return fmt.Errorf("keep %s: %w", key.Name, err)
	}
	return nil
}

// forget keeps those who ask from now on from getting what loads under way bring.
func (c *Cache) forget(key Key) {
	c.flight.Forget(key.redisKey())
	c.flight.Forget(key.allName())
}

// Drop forgets a value, also the one that a load under way will bring.
func (c *Cache) Drop(ctx context.Context, key Key) error {
	name := key.redisKey()
	c.forget(key)
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
	list, err := loadAndStoreAll(ctx, c, []Key{key}, func(ctx context.Context) ([]T, error) {
		value, err := load(ctx)
		return []T{value}, err
	})
	if err != nil {
		return Reading[T]{}, err
	}
	return list[0], nil
}

// loadAndStoreAll loads values and keeps each, unless something newer was put
// while the load went on.
func loadAndStoreAll[T any](ctx context.Context, c *Cache, keys []Key, load func(context.Context) ([]T, error)) ([]Reading[T], error) {
	generations := make([]string, len(keys))
	for i, key := range keys {
		g, err := c.redis.HGet(ctx, key.redisKey(), "g").Result()
		switch {
		case errors.Is(err, redis.Nil):
			g = "0"
		case err != nil: // Redis is away: nothing can be kept
			g = ""
		}
		generations[i] = g
	}
	values, err := load(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Reading[T], len(keys))
	for i, key := range keys {
		name := key.redisKey()
		list[i] = Reading[T]{Value: values[i], At: c.now()}
		if generations[i] == "" {
			continue
		}
		sealed, err := c.sealed(name, list[i])
		if err != nil {
			return nil, err
		}
		_ = storeScript.Run(ctx, c.redis, []string{name}, sealed, keep.Milliseconds(), generations[i]).Err() // sharing is lost, the value is not
	}
	return list, nil
}

// fleetLoad lets one replica load while the others wait for its result.
func fleetLoad[T any](ctx context.Context, c *Cache, key Key, maxAge time.Duration, load func(context.Context) (T, error)) (Reading[T], error) {
	lock := key.redisKey() + ":loading"
	asked := c.now()
	// Somebody may have loaded between the caller's look and ours.
	loaded := func() (Reading[T], bool) {
		r, ok := Peek[T](ctx, c, key)
		return r, ok && (c.now().Sub(r.At) <= maxAge || !r.At.Before(asked))
	}
	for {
		err := c.redis.SetArgs(ctx, lock, "1", redis.SetArgs{Mode: "NX", TTL: lease}).Err()
		switch {
		case err == nil:
			defer c.redis.Del(context.WithoutCancel(ctx), lock)
			if r, ok := loaded(); ok {
				return r, nil
			}
			return loadAndStore(ctx, c, key, load)
		case !errors.Is(err, redis.Nil): // Redis is away: every replica for itself
			return loadAndStore(ctx, c, key, load)
		}
		if r, ok := loaded(); ok {
			return r, nil
		}
		select {
		case <-ctx.Done():
			return Reading[T]{}, ctx.Err()
		case <-time.After(poll):
		}
	}
}
