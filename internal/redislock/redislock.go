// Package redislock lets one replica at a time do something. The lock is a lease
// that is renewed while it is held, so a replica that dies loses it soon and one
// that is merely slow keeps it. What is done under it must still bear a second
// holder: a lease can end while its holder is frozen.
package redislock

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// poll is how often a waiter asks for the lock.
const poll = 50 * time.Millisecond

// Lock is held until Release.
type Lock struct {
	client redis.UniversalClient
	key    string
	token  string
	stop   context.CancelFunc
	done   chan struct{}
}

var releaseScript = redis.NewScript(`
if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end
return 0`)

var renewScript = redis.NewScript(`
if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("PEXPIRE", KEYS[1], ARGV[2]) end
return 0`)

// Acquire waits for the lock until ctx ends. The error is ctx's or that of Redis.
func Acquire(ctx context.Context, client redis.UniversalClient, key string, lease time.Duration) (*Lock, error) {
	l := &Lock{client: client, key: key, token: rand.Text(), done: make(chan struct{})}
	for {
		err := client.SetArgs(ctx, key, l.token, redis.SetArgs{Mode: "NX", TTL: lease}).Err()
		if err == nil {
			break
		}
		if !errors.Is(err, redis.Nil) {
			return nil, fmt.Errorf("take lock: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lock: %w", ctx.Err())
		case <-time.After(poll):
		}
	}
	// The renewal outlives the request only until Release.
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	go l.renew(renewing, lease)
	return l, nil
}

func (l *Lock) renew(ctx context.Context, lease time.Duration) {
	defer close(l.done)
	tick := time.NewTicker(lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = renewScript.Run(ctx, l.client, []string{l.key}, l.token, lease.Milliseconds()).Err() // the next tick tries again
		}
	}
}

// Release gives the lock up. Without Redis it ends with its lease.
func (l *Lock) Release() {
	l.stop()
	<-l.done
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = releaseScript.Run(ctx, l.client, []string{l.key}, l.token).Err()
}
