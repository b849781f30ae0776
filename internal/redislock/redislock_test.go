package redislock_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"patchbay/internal/redislock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func client(t *testing.T) (*miniredis.Miniredis, redis.UniversalClient) {
	t.Helper()
	mr := miniredis.RunT(t)
	c := redis.NewClient(&redis.Options{Addr: mr.Addr()})
	t.Cleanup(func() { _ = c.Close() })
	return mr, c
}

func TestOneHolderAtATime(t *testing.T) {
	_, c := client(t)
	var inside, most, turns atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			l, err := redislock.Acquire(t.Context(), c, "lock", time.Second)
			if err != nil {
				t.Error(err)
				return
			}
			most.Store(max(most.Load(), inside.Add(1)))
			time.Sleep(5 * time.Millisecond)
			inside.Add(-1)
			turns.Add(1)
			l.Release()
		})
	}
	wg.Wait()
	if most.Load() != 1 || turns.Load() != 8 {
		t.Errorf("%d inside at once, %d turns; want 1 and 8", most.Load(), turns.Load())
	}
}

func TestTheLeaseIsRenewedAndEnds(t *testing.T) {
	mr, c := client(t)
	l, err := redislock.Acquire(t.Context(), c, "lock", 90*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	mr.FastForward(80 * time.Millisecond)
	time.Sleep(60 * time.Millisecond) // two renewals
	mr.FastForward(60 * time.Millisecond)
	if !mr.Exists("lock") {
		t.Fatal("the lease ended while it was held")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 120*time.Millisecond)
	defer cancel()
	if _, err := redislock.Acquire(ctx, c, "lock", time.Second); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a second holder: %v", err)
	}
	l.Release()
	if mr.Exists("lock") {
		t.Fatal("still held after Release")
	}
}

func TestReleaseLeavesTheNextHolderAlone(t *testing.T) {
	mr, c := client(t)
	first, err := redislock.Acquire(t.Context(), c, "lock", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	mr.Del("lock") // the lease ran out while the holder was frozen
	second, err := redislock.Acquire(t.Context(), c, "lock", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	first.Release()
	if !mr.Exists("lock") {
		t.Error("the late holder released the lock of the next one")
	}
	second.Release()
}
