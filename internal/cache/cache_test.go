package cache_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"patchbay/internal/cache"
	"patchbay/internal/seal"
)

type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func setup(t *testing.T) (*miniredis.Miniredis, *clock, func() *cache.Cache) {
	t.Helper()
	mr := miniredis.RunT(t)
	s, err := seal.New(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	clk := &clock{}
	clk.at.Store(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC).UnixNano())
	return mr, clk, func() *cache.Cache {
		client := redis.NewClient(&redis.Options{Addr: mr.Addr()})
		t.Cleanup(func() { _ = client.Close() })
		return cache.New(client, s, clk.now)
	}
}

var key = cache.Key{Owner: "person-1", Name: "greeting"}

func counting(n *atomic.Int64, value string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		n.Add(1)
		return value, nil
	}
}

func TestReadingsAgeAndAreShared(t *testing.T) {
	t.Parallel()
	mr, clk, replica := setup(t)
	a, b := replica(), replica()
	var calls atomic.Int64
	get := func(c *cache.Cache, maxAge time.Duration) string {
		r, err := cache.Get(t.Context(), c, key, cache.Options{MaxAge: maxAge}, counting(&calls, "hello"))
		if err != nil {
			t.Fatal(err)
		}
		return r.Value
	}
	get(a, time.Minute)
	if got := get(b, time.Minute); got != "hello" || calls.Load() != 1 {
		t.Fatalf("the other replica: %q after %d calls, want hello after 1", got, calls.Load())
	}
	clk.advance(61 * time.Second)
	get(b, time.Minute)
	if calls.Load() != 2 {
		t.Fatalf("%d calls after the reading grew old, want 2", calls.Load())
	}
	get(b, 0)
	if calls.Load() != 3 {
		t.Fatalf("%d calls after a fresh read, want 3", calls.Load())
	}
	for _, k := range mr.Keys() {
		if strings.Contains(k, key.Owner) || strings.Contains(mr.HGet(k, "b"), "hello") {
			t.Errorf("Redis tells owner or value: %s", k)
		}
	}
}

func TestManyWishesAreOneCall(t *testing.T) {
	t.Parallel()
	_, _, replica := setup(t)
	replicas := []*cache.Cache{replica(), replica(), replica()}
	var calls atomic.Int64
	release := make(chan struct{})
	load := func(context.Context) (int, error) {
		calls.Add(1)
		<-release
		return 7, nil
	}
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			r, err := cache.Get(t.Context(), replicas[i%3], key, cache.Options{MaxAge: time.Minute, Fleet: true}, load)
			if err != nil || r.Value != 7 {
				t.Errorf("got %v, %v", r.Value, err)
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	close(release)
	wg.Wait()
	if calls.Load() != 1 {
		t.Errorf("%d calls for the whole fleet, want 1", calls.Load())
	}
}

func TestALoadThatBeganBeforeAWriteDoesNotOverwriteIt(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(context.Context, *cache.Cache) error{
		"put":  func(ctx context.Context, c *cache.Cache) error { return cache.Put(ctx, c, key, "new") },
		"drop": func(ctx context.Context, c *cache.Cache) error { return c.Drop(ctx, key) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, replica := setup(t)
			c := replica()
			_, err := cache.Get(t.Context(), c, key, cache.Options{}, func(ctx context.Context) (string, error) {
				return "old", meanwhile(ctx, c)
			})
			if err != nil {
				t.Fatal(err)
			}
			if r, ok := cache.Peek[string](t.Context(), c, key); ok && r.Value == "old" {
				t.Error("the old value came back")
			}
		})
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	mr, _, replica := setup(t)
	c := replica()
	boom := errors.New("boom")
	if _, err := cache.Get(t.Context(), c, key, cache.Options{}, func(context.Context) (int, error) { return 0, boom }); !errors.Is(err, boom) {
		t.Errorf("got %v, want the error of the load", err)
	}
	if _, ok := cache.Peek[int](t.Context(), c, key); ok {
		t.Error("a failed load was kept")
	}
	mr.SetError("down")
	for _, fleet := range []bool{false, true} {
		r, err := cache.Get(t.Context(), c, key, cache.Options{MaxAge: time.Minute, Fleet: fleet}, func(context.Context) (int, error) { return 5, nil })
		if err != nil || r.Value != 5 {
			t.Errorf("without Redis (fleet %v): %v, %v", fleet, r.Value, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := cache.Get(ctx, c, cache.Key{Name: "slow"}, cache.Options{}, func(context.Context) (int, error) {
		time.Sleep(50 * time.Millisecond)
		return 1, nil
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who went away got %v", err)
	}
}

func TestGetAllLoadsOnceForEverybodyWhoAsksAtOnce(t *testing.T) {
	t.Parallel()
	_, _, replica := setup(t)
	c := replica()
	one, two := cache.Key{Owner: "p", Name: "one"}, cache.Key{Owner: "p", Name: "two"}
	var loads atomic.Int32
	hold := make(chan struct{})
	load := func(keys []cache.Key) func(context.Context) ([]string, error) {
		return func(context.Context) ([]string, error) {
			loads.Add(1)
			<-hold
			names := make([]string, len(keys))
			for i, k := range keys {
				names[i] = k.Name
			}
			return names, nil
		}
	}
	get := func(keys ...cache.Key) {
		list, err := cache.GetAll(t.Context(), c, keys, time.Minute, load(keys))
		if err != nil || len(list) != len(keys) || list[0].Value != keys[0].Name {
			t.Errorf("got %v, %v for %v", list, err, keys)
		}
	}
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() { get(one, two) })
		wg.Go(func() { get(two) })
	}
	time.Sleep(20 * time.Millisecond)
	close(hold)
	wg.Wait()
	if got := loads.Load(); got > 2 { // a wish for one value first does not bring both
		t.Errorf("there were %d loads", got)
	}
	get(one, two)
	get(one)
	if got := loads.Load(); got > 2 {
		t.Errorf("what was just loaded was loaded again: %d loads", got)
	}
	if r, ok := cache.Peek[string](t.Context(), c, two); !ok || r.Value != "two" {
		t.Errorf("kept %v, %v", r, ok)
	}
}

func TestGetAllDoesNotGiveWhatAPutHasOvertaken(t *testing.T) {
	t.Parallel()
	_, _, replica := setup(t)
	c := replica()
	key := cache.Key{Owner: "p", Name: "one"}
	begun, hold := make(chan struct{}), make(chan struct{})
	go func() {
		_, _ = cache.GetAll(context.Background(), c, []cache.Key{key}, 0, func(context.Context) ([]string, error) {
			close(begun)
			<-hold
			return []string{"old"}, nil
		})
	}()
	<-begun
	if err := cache.Put(t.Context(), c, key, "new"); err != nil {
		t.Fatal(err)
	}
	list, err := cache.GetAll(t.Context(), c, []cache.Key{key}, 0, func(context.Context) ([]string, error) { return []string{"fresh"}, nil })
	if err != nil || list[0].Value != "fresh" {
		t.Errorf("got %v, %v", list, err)
	}
	close(hold)
}

func TestAmendKeepsTheAge(t *testing.T) {
	t.Parallel()
	_, clk, replica := setup(t)
	c := replica()
	if err := cache.Amend(t.Context(), c, key, func(s string) string { return s + "!" }); err != nil {
		t.Fatal(err)
	}
	if _, ok := cache.Peek[string](t.Context(), c, key); ok {
		t.Fatal("a reading was made out of nothing")
	}
	if err := cache.Put(t.Context(), c, key, "hello"); err != nil {
		t.Fatal(err)
	}
	read := clk.now()
	clk.advance(time.Minute)
	if err := cache.Amend(t.Context(), c, key, func(s string) string { return s + "!" }); err != nil {
		t.Fatal(err)
	}
	if r, ok := cache.Peek[string](t.Context(), c, key); !ok || r.Value != "hello!" || !r.At.Equal(read) {
		t.Errorf("got %+v, want the new words with the old age", r)
	}
}

func TestALoadThatPanicsIsAnError(t *testing.T) {
	t.Parallel()
	_, _, replica := setup(t)
	_, err := cache.Get(t.Context(), replica(), key, cache.Options{}, func(context.Context) (string, error) { panic("boom") })
	if err == nil || !strings.Contains(err.Error(), "boom") {
		t.Errorf("got %v", err)
	}
}
