package serviceapp

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"patchbay/internal/redisdb/redistest"
)

// hasty makes a keeper's pauses short.
func hasty(k *Keeper) *Keeper {
	k.timing.poll, k.timing.rejectPause, k.timing.save = 20*time.Millisecond, 20*time.Millisecond, 50*time.Millisecond
	return k
}

// TestThreeReplicasAndOneToken: the provider ends the grant when an old refresh
// token comes, so one token lost or used twice fails the test.
func TestThreeReplicasAndOneToken(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, addr string) {
		p := newProvider(seedToken)
		p.body = func(p *provider) map[string]any {
			return map[string]any{
				"access_token": p.access, "expires_in": 2, "refresh_token": p.refresh, "refresh_token_expires_in": 3600, "token_type": "Bearer",
			}
		}
		server := httptest.NewServer(p)
		t.Cleanup(server.Close)
		const replicas, workers, calls = 3, 16, 200
		var given, again atomic.Int64
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for range replicas {
			k := hasty(newKeeper(t, newClient(t, addr), nil, func(d *Deps) { d.HTTPClient, d.TokenURL = nil, server.URL }))
			run(t, k)
			for range workers {
				wg.Go(func() {
					for range calls {
						token, err := k.AccessToken(t.Context())
						if err == nil && !p.accepts(token) {
							again.Add(1)
							token, err = k.Rejected(t.Context(), token)
						}
						// A token may be revoked again before it is used: Webex's client
						// tries once, the person again later.
						if err != nil {
							t.Errorf("no token: %v", err)
							return
						}
						if err == nil && token != "" {
							given.Add(1)
						}
						time.Sleep(15 * time.Millisecond)
					}
				})
			}
		}
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(200 * time.Millisecond):
					p.revoke()
				}
			}
		}()
		wg.Wait()
		close(stop)

		c := p.counts()
		if c.Reused != 0 || c.Grants != c.Requests || c.Grants < 5 {
			t.Errorf("%+v, want many grants and no refresh token used twice", c)
		}
		if total := int64(replicas * workers * calls); given.Load() < total*9/10 || again.Load() == 0 {
			t.Errorf("%d of %d calls got a token, %d after a 401", given.Load(), total, again.Load())
		}
		last := newKeeper(t, newClient(t, addr), p)
		e, err := last.look(t.Context())
		if err != nil || e.tokens.Refresh != p.refresh {
			t.Errorf("stored refresh token %q (%v), the provider's is %q", e.tokens.Refresh, err, p.refresh)
		}
	})
}

// gate is a connection to Redis that can be cut off for one replica: it stands
// for a process that is frozen.
type gate struct {
	mu     sync.Mutex
	closed chan struct{}
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.closed)
	g.closed = nil
}

func (g *gate) pass() {
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if closed != nil {
		<-closed
	}
}

func (g *gate) DialHook(next redis.DialHook) redis.DialHook { return next }
func (g *gate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (g *gate) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		g.pass()
		return next(context.WithoutCancel(ctx), cmd) // a frozen process does not see its own deadline pass
	}
}

func TestAHolderWhoSleepsLongerThanItsLeaseChangesNothing(t *testing.T) {
	t.Parallel()
	_, server := redistest.Start(t)
	addr := server.Addr()
	p := newProvider(seedToken)
	p.lenient = true // both refreshes are with the same token: that alone cannot be helped
	g := &gate{}
	frozen := newClient(t, addr)
	frozen.(*redis.Client).AddHook(g)
	sleeper, other := newKeeper(t, frozen, p), newKeeper(t, newClient(t, addr), p)
	sleeper.timing.lease = 100 * time.Millisecond

	var slept atomic.Bool
	asked := make(chan struct{})
	wake := make(chan struct{})
	p.after = func() {
		if slept.CompareAndSwap(false, true) {
			g.close()
			close(asked)
			<-wake
		}
	}
	got := make(chan string)
	go func() { token, _ := sleeper.AccessToken(t.Context()); got <- token }()
	<-asked
	if token := mustToken(t, other); token != "token-access-2" {
		t.Fatalf("the other replica, when the lease has ended: %q", token)
	}
	g.open()
	close(wake)
	if token := <-got; token != "token-access-2" {
		t.Errorf("the sleeper gets %q, want what the other has stored", token)
	}
	e, err := other.look(t.Context())
	if err != nil || e.tokens.Refresh != "token-refresh-2" || e.version != 2 {
		t.Errorf("stored version %d with %q, %v", e.version, e.tokens.Refresh, err)
	}
	if sleeper.hasUnsaved() {
		t.Error("the sleeper still wants to save its own")
	}
}

func TestAWriteIsFencedByTheVersion(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, addr string) {
		s := store{redis: newClient(t, addr), sealer: mustSealer(t, testKey)}
		for i, step := range []struct {
			expected, version int64
			refresh           string
			want              bool
		}{
			{1, 2, "token-too-early", false},
			{0, 1, "token-first", true},
			{0, 1, "token-late", false},
			{1, 2, "token-second", true},
			{1, 2, "token-late", false},
		} {
			saved, err := s.save(t.Context(), step.expected, entry{version: step.version, tokens: tokens{Refresh: step.refresh}})
			if err != nil || saved != step.want {
				t.Errorf("step %d: saved %v, %v", i, saved, err)
			}
		}
		for version, want := range map[int64]bool{1: false, 2: true, 3: false} {
			noted, err := s.note(t.Context(), version, attempt{Failures: int(version)})
			if err != nil || noted != want {
				t.Errorf("a failure of version %d: noted %v, %v", version, noted, err)
			}
		}
		got, err := s.load(t.Context())
		if err != nil || got.version != 2 || got.tokens.Refresh != "token-second" || got.attempt.Failures != 2 {
			t.Errorf("stored: %+v, %v", got, err)
		}
	})
}

func TestRedisDiesDuringARefresh(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"and comes back as it was":    nil,
		"and comes back with nothing": {"--appendonly", "no"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, server := redistest.Start(t, args...)
			p := newProvider(seedToken)
			var fleet []*Keeper
			for range 3 {
				k := hasty(newKeeper(t, newClient(t, server.Addr()), p))
				k.timing.redis = 500 * time.Millisecond
				fleet = append(fleet, k)
				mustToken(t, k)
				run(t, k)
			}
			p.set(func(p *provider) { p.after = func() { server.Stop() } })
			time.Sleep(30 * time.Millisecond) // the pause after a refresh
			refreshed := make(chan error)
			go func() { _, err := fleet[0].Rejected(t.Context(), "token-access-1"); refreshed <- err }()
			eventually(t, "the rotated token is in hand", fleet[0].hasUnsaved)
			p.set(func(p *provider) { p.after = nil })
			for i, k := range fleet {
				if got := mustToken(t, k); got != "token-access-1" {
					t.Errorf("replica %d without Redis: %q", i, got)
				}
				if s, err := k.Status(t.Context()); err == nil || s.State != RefreshFailing || s.LastError != FaultStorage || !s.Usable {
					t.Errorf("replica %d without Redis: %+v, %v", i, s, err)
				}
			}
			// All three want to refresh the moment Redis is back; the first to do so
			// with the old token would end the grant.
			var wg sync.WaitGroup
			for _, k := range fleet[1:] {
				wg.Go(func() {
					for {
						token, err := k.Rejected(t.Context(), "token-access-1")
						if err == nil {
							if !p.accepts(token) {
								t.Errorf("got %q, which the provider does not know", token)
							}
							return
						}
						time.Sleep(10 * time.Millisecond)
					}
				})
			}
			time.Sleep(200 * time.Millisecond)
			server.Restart()
			wg.Wait()
			if err := <-refreshed; err != nil {
				t.Errorf("the replica that refreshed: %v", err)
			}
			for i, k := range fleet {
				eventually(t, "replica "+strconv.Itoa(i)+" works again", func() bool {
					s, err := k.Status(t.Context())
					return err == nil && s.State == Working
				})
				if got := mustToken(t, k); !p.accepts(got) {
					t.Errorf("replica %d has %q", i, got)
				}
			}
			if c := p.counts(); c.Reused != 0 {
				t.Errorf("an old refresh token was used: %+v", c)
			}
			e, err := fleet[0].look(t.Context())
			if err != nil || e.tokens.Refresh != p.refresh {
				t.Errorf("stored %q (%v), the provider's is %q", e.tokens.Refresh, err, p.refresh)
			}
		})
	}
}

func TestRedisThatComesBackEmptyGetsTheTokensBack(t *testing.T) {
	t.Parallel()
	m, client := miniRedis(t)
	p := newProvider(seedToken)
	k := newKeeper(t, client, p)
	k.timing.quiet = 10 * time.Millisecond
	k.timing.rejectPause = 0
	mustToken(t, k)
	m.FlushAll()
	if got := mustToken(t, k); got != "token-access-1" {
		t.Errorf("got %q", got)
	}
	if s, err := k.Status(t.Context()); err != nil || s.State != Working {
		t.Errorf("got %+v, %v", s, err)
	}
	late := newKeeper(t, client, p)
	if got := mustToken(t, late); got != "token-access-1" {
		t.Errorf("a replica that starts now: %q", got)
	}
	if got, err := k.Rejected(t.Context(), "token-access-1"); err != nil || got != "token-access-2" {
		t.Errorf("with the rotated refresh token: %q, %v", got, err)
	}
}

func TestRunFinishesARefreshBeforeItEnds(t *testing.T) {
	t.Parallel()
	m, client := miniRedis(t)
	p := newProvider(seedToken)
	k := hasty(newKeeper(t, client, p))
	asked, goOn := make(chan struct{}), make(chan struct{})
	p.after = func() { m.SetError("LOADING"); close(asked); <-goOn }
	stop := run(t, k)
	<-asked
	time.AfterFunc(50*time.Millisecond, func() { close(goOn) })
	time.AfterFunc(200*time.Millisecond, func() { m.SetError("") })
	stop()
	e, err := k.store.load(t.Context())
	if err != nil || e.tokens.Refresh != "token-refresh-1" {
		t.Errorf("stored %q, %v", e.tokens.Refresh, err)
	}
}

func TestWithoutRedisAtTheStart(t *testing.T) {
	t.Parallel()
	m, client := miniRedis(t)
	p := newProvider(seedToken)
	k := hasty(newKeeper(t, client, p))
	k.timing.quiet = 10 * time.Millisecond
	m.SetError("LOADING Redis is loading the dataset in memory")
	if _, err := k.AccessToken(t.Context()); !errors.Is(err, ErrNoToken) {
		t.Errorf("got %v", err)
	}
	if s, err := k.Status(t.Context()); err == nil || s.State != RefreshFailing || s.LastError != FaultStorage || s.Usable {
		t.Errorf("got %+v, %v", s, err)
	}
	run(t, k)
	m.SetError("")
	eventually(t, "the keeper works", func() bool { return k.status().State == Working })
}

func TestTheRequestKeepsTheContractAndFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(thief.Close)
	var asked requestLog
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.add(t, r)
		http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	_, client := miniRedis(t)
	k := newKeeper(t, client, nil, func(d *Deps) { d.HTTPClient, d.TokenURL = nil, server.URL+"/access_token" })
	if _, err := k.AccessToken(t.Context()); !errors.Is(err, ErrNoToken) {
		t.Errorf("got %v", err)
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
	asked.check(t)
}
