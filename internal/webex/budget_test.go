package webex

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

func connect(t *testing.T, address string) redis.UniversalClient {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: address, ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

func startMiniredis(t *testing.T) redis.UniversalClient {
	t.Helper()
	return connect(t, miniredis.RunT(t).Addr())
}

// startRedis runs a real Redis. The project's scripts install one; without it
// this fails rather than pretends.
func startRedis(t *testing.T) redis.UniversalClient {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is not installed: ", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	cmd := exec.Command(path, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	rdb := connect(t, "127.0.0.1:"+port)
	for began := time.Now(); rdb.Ping(t.Context()).Err() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("redis-server does not answer")
		}
	}
	return rdb
}

func onBothRedis(t *testing.T, f func(t *testing.T, rdb redis.UniversalClient)) {
	t.Helper()
	for name, start := range map[string]func(*testing.T) redis.UniversalClient{"miniredis": startMiniredis, "redis": startRedis} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, start(t))
		})
	}
}

// slowBudget is slow enough that the time a test takes does not matter.
func slowBudget(rdb redis.UniversalClient) *Budget {
	b := NewBudget(rdb, 300, nil)
	b.rate = rate{burst: 50, interval: 20 * time.Second}
	return b
}

// ask reserves once and fails the test on an error.
func ask(t *testing.T, b *Budget, r reservation) (int, time.Duration) {
	t.Helper()
	what, wait, err := b.reserve(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if b.redisAway() {
		t.Fatal("the answer did not come from Redis")
	}
	return what, wait
}

func TestBudgetInteractive(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, rdb redis.UniversalClient) {
		b := slowBudget(rdb)
		want := b.rate.burst
		for i := range want {
			if what, wait := ask(t, b, reservation{family: "f", longest: time.Hour}); what != budgetGo || wait > 0 {
				t.Fatalf("request %d waits %s (%d)", i, wait, what)
			}
		}
		// Each further one reserves the place behind the one before.
		last := time.Duration(-1)
		for i := range 5 {
			what, wait := ask(t, b, reservation{family: "f", longest: time.Hour})
			if what != budgetGo || wait <= last {
				t.Errorf("request %d behind the burst waits %s (%d)", i, wait, what)
			}
			last = wait
		}
		if last > 5*b.rate.interval {
			t.Errorf("the fifth waits %s", last)
		}
		// A place beyond the deadline reserves nothing.
		for range 3 {
			what, wait := ask(t, b, reservation{family: "f", longest: 10 * time.Millisecond})
			if what != budgetTooLate || wait <= 0 || wait > 6*b.rate.interval {
				t.Errorf("beyond the deadline: %d, %s", what, wait)
			}
		}
	})
}

func TestBudgetBackground(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, rdb redis.UniversalClient) {
		b := slowBudget(rdb)
		free := 0
		for {
			what, wait := ask(t, b, reservation{family: "f", background: true, longest: time.Hour})
			if what == budgetAskAgain {
				if wait <= 0 || wait > b.rate.interval*laneShare {
					t.Errorf("asks again after %s", wait)
				}
				break
			}
			if what != budgetGo || wait > 0 {
				t.Fatalf("%d, %s", what, wait)
			}
			free++
		}
		// Half of the bucket and one of the lane, and what came back meanwhile.
		if half := b.rate.burst / 2; free < half || free > half+3 {
			t.Errorf("background work took %d of %d at once", free, b.rate.burst)
		}
		if what, wait := ask(t, b, reservation{family: "f", background: true, longest: time.Millisecond}); what != budgetTooLate || wait <= 0 {
			t.Errorf("with a short deadline: %d, %s", what, wait)
		}
		for i := range b.rate.burst / 3 {
			if what, wait := ask(t, b, reservation{family: "f", longest: time.Hour}); what != budgetGo || wait > 0 {
				t.Errorf("interactive request %d waits behind background work: %d, %s", i, what, wait)
			}
		}
	})
}

func TestBudgetLaneOfBackgroundWork(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, rdb redis.UniversalClient) {
		b := slowBudget(rdb)
		for range b.rate.burst + 20 { // interactive requests have reserved far ahead
			ask(t, b, reservation{family: "f", longest: time.Hour})
		}
		background := reservation{family: "f", background: true, longest: time.Hour}
		what, wait := ask(t, b, background)
		if what != budgetGo || wait <= 0 || wait > 22*b.rate.interval {
			t.Errorf("nothing is left for background work: %d, %s", what, wait)
		}
		lane := b.rate.interval * laneShare
		if what, wait := ask(t, b, background); what != budgetAskAgain || wait <= 0 || wait > lane {
			t.Errorf("the lane is wider than a tenth: %d, %s", what, wait)
		}
		// What the lane gave away is gone from the whole: nobody passes the limit.
		if what, after := ask(t, b, reservation{family: "f", longest: time.Hour}); what != budgetGo || after <= wait-b.rate.interval {
			t.Errorf("the lane is not counted: %d, %s after %s", what, after, wait)
		}
	})
}

func TestBudgetIsShared(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, rdb redis.UniversalClient) {
		var log bytes.Buffer
		b := NewBudget(rdb, 6000, slog.New(slog.NewTextHandler(&log, nil))) // fast enough to watch: 100 a second
		stop := time.Now().Add(1500 * time.Millisecond)
		ctx, cancel := context.WithDeadline(t.Context(), stop)
		defer cancel()
		var wg sync.WaitGroup
		var mu sync.Mutex
		sent := map[Priority]int{}
		for i := range 40 {
			p := Interactive
			if i%4 == 0 {
				p = Background
			}
			wg.Go(func() {
				for b.take(WithPriority(ctx, p), "f") == nil {
					mu.Lock()
					sent[p]++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		most := b.rate.burst + int(1600*time.Millisecond/b.rate.interval)
		if log.Len() > 0 { // this machine is so busy that Redis took a second
			most += b.local.rate.burst + int(1600*time.Millisecond/b.local.rate.interval)
		}
		if total := sent[Interactive] + sent[Background]; total > most {
			t.Errorf("%d sent, at most %d may be", total, most)
		}
		if sent[Background] < 5 || sent[Interactive] < sent[Background] {
			t.Errorf("%d interactive, %d background", sent[Interactive], sent[Background])
		}
	})
}

func TestBudgetOfOneCaller(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, rdb redis.UniversalClient) {
		b := slowBudget(rdb)
		greedy := reservation{family: "f", caller: personID, longest: time.Hour}
		for i := range callerBurst {
			if what, _ := ask(t, b, greedy); what != budgetGo {
				t.Fatalf("request %d: %d", i, what)
			}
		}
		for i := range 10 {
			what, wait := ask(t, b, greedy)
			if what != budgetCallerReserved || wait <= 0 || wait > time.Duration(i+1)*b.rate.interval*callerShare {
				t.Errorf("request %d beyond the share: %d, %s", i, what, wait)
			}
		}
		if what, wait := ask(t, b, reservation{family: "f", caller: personID, longest: time.Millisecond}); what != budgetTooLate || wait <= 0 {
			t.Errorf("with a short deadline: %d, %s", what, wait)
		}
		// The greedy one's waits hold nobody up.
		if what, wait := ask(t, b, reservation{family: "f", caller: queueID, longest: time.Hour}); what != budgetGo || wait > 0 {
			t.Errorf("somebody else: %d, %s", what, wait)
		}
		for _, key := range rdb.Keys(t.Context(), "*").Val() {
			if !strings.HasPrefix(key, "patchbay:{webex-budget}:") || strings.Contains(key, personID) {
				t.Errorf("key %s", key)
			}
			if ttl := rdb.PTTL(t.Context(), key).Val(); ttl <= 0 || ttl > time.Hour {
				t.Errorf("key %s lives for %s", key, ttl)
			}
		}
	})
}

func TestBudgetPause(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, rdb redis.UniversalClient) {
		here, there := NewBudget(rdb, 300, nil), NewBudget(rdb, 300, nil)
		here.pause(t.Context(), "/people/{personId}", 30*time.Second)
		here.pause(t.Context(), "/people/{personId}", time.Second) // a shorter one takes nothing back
		for name, b := range map[string]*Budget{"the process itself": here, "another process": there} {
			began := time.Now()
			err := b.take(t.Context(), "/people/{personId}")
			var held *heldBack
			if !errors.As(err, &held) || !held.paused || held.wait < 29*time.Second || held.wait > 30*time.Second || time.Since(began) > time.Second {
				t.Errorf("%s: %v", name, err)
			}
			if err := b.take(t.Context(), "/people"); err != nil {
				t.Errorf("%s, another family: %v", name, err)
			}
		}
		here.pause(t.Context(), "/locations", 300*time.Millisecond)
		for name, b := range map[string]*Budget{"the process itself": here, "another process": there} {
			if err := b.take(t.Context(), "/locations"); err != nil {
				t.Errorf("%s does not wait for a short pause: %v", name, err)
			}
		}
		here.pause(t.Context(), "/groups", time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := there.take(ctx, "/groups"); err == nil || time.Since(began) > 400*time.Millisecond {
			t.Errorf("a short pause beyond the deadline: %v", err)
		}
		here.pause(t.Context(), "/devices", 24*time.Hour)
		if ttl := rdb.PTTL(t.Context(), budgetKeys+"pause:/devices").Val(); ttl > time.Hour {
			t.Errorf("paused for %s", ttl)
		}
	})
}

func TestBudgetKeepsTheMinute(t *testing.T) {
	t.Parallel()
	for _, perMinute := range []int{1, 2, 5, 10, 20, 30, 60, 100, 300, 1000, 10000} {
		r := newRate(perMinute)
		most := r.burst + int(time.Minute/r.interval)
		if perMinute >= 5 && most > perMinute || most > perMinute+1 {
			t.Errorf("%d a minute lets %d pass", perMinute, most)
		}
		if most < perMinute/2 {
			t.Errorf("%d a minute uses only %d", perMinute, most)
		}
		if perMinute >= 60 && r.burst < leastBurst {
			t.Errorf("%d a minute has a burst of %d", perMinute, r.burst)
		}
	}
}

func TestBudgetWithoutRedis(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	m := miniredis.RunT(t)
	b := NewBudget(connect(t, m.Addr()), 1200, slog.New(slog.NewTextHandler(&log, nil)))
	m.SetError("LOADING")
	for range 20 {
		if err := b.take(t.Context(), "f"); err != nil {
			t.Fatalf("reads stop with Redis: %v", err)
		}
	}
	if n := strings.Count(log.String(), "redis is away"); n != 1 {
		t.Errorf("logged %d times: %s", n, log.String())
	}
	b.pause(t.Context(), "g", time.Minute)
	var held *heldBack
	if err := b.take(t.Context(), "g"); !errors.As(err, &held) || !held.paused {
		t.Errorf("a pause is forgotten: %v", err)
	}
	m.SetError("")
	b.mu.Lock()
	b.redisOff = time.Now().Add(-time.Millisecond) // the recheck is due
	b.mu.Unlock()
	if err := b.take(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	if b.redisAway() || !strings.Contains(log.String(), "redis is back") {
		t.Errorf("Redis is not asked again: %s", log.String())
	}
	if !m.Exists(budgetKeys + "main") {
		t.Error("nothing is counted in Redis")
	}
}

func TestLocalBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &localBudget{rate: rate{burst: 10, interval: time.Second}, paused: map[string]time.Time{}}
		count := func(r reservation, want int) (n int, wait time.Duration) {
			for {
				what, wait := l.reserve(time.Now(), r)
				if what != want || wait > 0 {
					return n, wait
				}
				n++
			}
		}
		if n, wait := count(reservation{background: true, longest: time.Minute}, budgetGo); n != 6 || wait != time.Second {
			t.Errorf("background took %d and waits %s", n, wait)
		}
		if n, wait := count(reservation{longest: time.Minute}, budgetGo); n != 4 || wait != time.Second {
			t.Errorf("interactive took %d and waits %s", n, wait)
		}
		if what, wait := l.reserve(time.Now(), reservation{longest: time.Second}); what != budgetTooLate || wait != 2*time.Second {
			t.Errorf("%d %s", what, wait)
		}
		time.Sleep(time.Hour)
		l.pause("f", time.Now().Add(time.Second))
		if what, wait := l.reserve(time.Now(), reservation{family: "f", longest: time.Minute}); what != budgetAskAgain || wait != time.Second {
			t.Errorf("short pause: %d %s", what, wait)
		}
		if what, _ := l.reserve(time.Now(), reservation{family: "f", longest: time.Millisecond}); what != budgetPaused {
			t.Errorf("pause beyond the deadline: %d", what)
		}
	})
}

func TestClientUnderABudget(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := map[string]int{}
	fleet := func() []*Client {
		m := miniredis.RunT(t)
		var list []*Client
		for range 2 {
			c, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				asked[r.URL.Path]++
				mu.Unlock()
				if r.URL.Path == "/people/throttled" {
					w.Header().Set("Retry-After", "120")
					answerJSON(w, 429, ``)
					return
				}
				answerJSON(w, 200, `{"id":"x"}`)
			}, func(o *Options) { o.Budget = NewBudget(connect(t, m.Addr()), 300, nil) })
			list = append(list, c)
		}
		return list
	}()
	if _, err := fleet[0].GetPerson(t.Context(), "throttled"); asError(t, err).Status != 429 {
		t.Fatal(err)
	}
	for i, c := range fleet {
		_, err := c.GetPerson(t.Context(), "other")
		e := asError(t, err)
		if e.Kind != KindThrottled || e.Status != 0 || e.RetryAfter < 115*time.Second || e.RetryAfter > 120*time.Second {
			t.Errorf("replica %d: %v", i, err)
		}
		if _, err := c.GetLocation(t.Context(), "other"); err != nil {
			t.Errorf("replica %d, another family: %v", i, err)
		}
	}
	if asked["/people/other"] != 0 || asked["/people/throttled"] != 1 {
		t.Errorf("%v", asked)
	}
	// When many are waiting, a caller who cannot wait as long hears so at once, a
	// write too.
	for range 150 {
		ask(t, fleet[0].budget, reservation{family: "f", longest: time.Minute})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	err := fleet[1].UpdateCallWaiting(ctx, "other", CallWaitingUpdate{Enabled: ptr(true)})
	if e := asError(t, err); e.Kind != KindThrottled || e.Status != 0 || e.RetryAfter < 10*time.Second || OutcomeUnknown(err) || ctx.Err() != nil {
		t.Errorf("%v", err)
	}
}
