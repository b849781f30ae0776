package redisdb

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// clockStep is how often the clock of the Redis inside the process moves on: a
// key may go this much too early, and never goes late.
const clockStep = 50 * time.Millisecond

// embedded is a Redis inside the process. It keeps everything in memory and
// throws nothing away before its time, so its memory is bounded only by what the
// portal stores: right for the demo, for tests and for a first look.
type embedded struct {
	server *miniredis.Miniredis
	stop   chan struct{}
	done   sync.WaitGroup
}

func openEmbedded(log *slog.Logger) (*DB, error) {
	server := miniredis.NewMiniRedis()
	password := rand.Text() // the port is open to every user of this machine
	server.RequireAuth(password)
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("start the Redis inside the process: %w", err)
	}
	opts, err := parse("redis://" + server.Addr())
	if err != nil {
		server.Close()
		return nil, fmt.Errorf("open the Redis inside the process: %w", err)
	}
	opts.Password = password
	opts.DisableIdentity = true // miniredis has no CLIENT SETINFO
	e := &embedded{server: server, stop: make(chan struct{})}
	e.done.Go(e.tick)
	log.Warn("no REDIS_URL: state is kept inside this process and ends with it")
	return &DB{UniversalClient: redis.NewUniversalClient(opts), Embedded: true, embedded: e}, nil
}

// tick moves the clock: left alone, miniredis never lets a key expire. Its own
// ClockTTL would look at every key again on every command; this does so twenty
// times a second, and less often when there are so many keys that it takes long.
func (e *embedded) tick() {
	last := time.Now()
	wait := clockStep
	for {
		select {
		case <-e.stop:
			return
		case <-time.After(wait):
		}
		now := time.Now()
		e.server.FastForward(now.Sub(last))
		last = now
		wait = max(clockStep, 20*time.Since(now)) // at most a twentieth of one core
	}
}

func (e *embedded) close() {
	close(e.stop)
	e.done.Wait()
	e.server.Close()
}
