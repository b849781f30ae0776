package serviceapp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"patchbay/internal/redisdb/redistest"
	"patchbay/internal/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	clientID     = "C0ffee"
	clientSecret = "client/secret+with=signs"
	seedToken    = "token-seed-1"
)

// provider is a token endpoint as strict as one can be: a refresh makes the old
// refresh token and the old access token invalid, and an old refresh token that
// comes again ends the grant.
type provider struct {
	mu       sync.Mutex
	n        int
	refresh  string
	access   string
	used     map[string]bool
	lenient  bool // used refresh tokens are still good
	dead     bool
	grants   int // successful refreshes
	requests int
	reused   int
	body     func(p *provider) map[string]any // of a success; nil: the usual
	fault    http.HandlerFunc                 // instead of a success
	before   func()                           // while the request is in hand
	after    func()                           // when the tokens are rotated, before the answer
}

func newProvider(seed string) *provider {
	return &provider{refresh: seed, used: map[string]bool{}}
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.requests++
	before, after, fault := p.before, p.after, p.fault
	p.mu.Unlock()
	if before != nil {
		before()
	}
	if fault != nil {
		fault(w, r)
		return
	}
	if r.FormValue("client_id") != clientID || r.FormValue("client_secret") != clientSecret || r.FormValue("grant_type") != "refresh_token" {
		http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
		return
	}
	p.mu.Lock()
	token := r.FormValue("refresh_token")
	if p.used[token] && !p.lenient {
		p.reused++
		p.dead = true
	}
	if p.dead || (token != p.refresh && !p.lenient) {
		p.mu.Unlock()
		http.Error(w, `{"error":"invalid_grant","error_description":"`+token+`"}`, http.StatusBadRequest)
		return
	}
	p.used[token] = true
	p.n++
	p.grants++
	p.refresh, p.access = fmt.Sprintf("token-refresh-%d", p.n), fmt.Sprintf("token-access-%d", p.n)
	body := map[string]any{
		"access_token": p.access, "expires_in": 1209599, "refresh_token": p.refresh, "refresh_token_expires_in": 7775999, "token_type": "Bearer",
	}
	if p.body != nil {
		body = p.body(p)
	}
	p.mu.Unlock()
	if after != nil {
		after()
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

// set changes the provider between requests.
func (p *provider) set(change func(p *provider)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// revoke makes the access token invalid.
func (p *provider) revoke() { p.set(func(p *provider) { p.access = "" }) }

func (p *provider) accepts(access string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return access != "" && access == p.access
}

type counts struct{ Grants, Requests, Reused int }

func (p *provider) counts() counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return counts{p.grants, p.requests, p.reused}
}

// RoundTrip answers without a network, which a synctest bubble needs.
func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

// logBuffer keeps what is logged. Every test looks for tokens in it.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func newLog(t *testing.T) (*slog.Logger, *logBuffer) {
	b := &logBuffer{}
	t.Cleanup(func() {
		for _, secret := range []string{"token-", clientSecret} {
			if strings.Contains(b.String(), secret) {
				t.Errorf("the log holds %q:\n%s", secret, b)
			}
		}
	})
	return slog.New(slog.NewJSONHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})), b
}

var testKey = bytes.Repeat([]byte("k"), seal.KeySize)

func mustSealer(t *testing.T, keys ...[]byte) *seal.Sealer {
	t.Helper()
	s, err := seal.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newKeeper makes a replica with the test's provider answering in memory.
func newKeeper(t *testing.T, client redis.UniversalClient, p http.RoundTripper, change ...func(*Deps)) *Keeper {
	t.Helper()
	log, _ := newLog(t)
	d := Deps{
		Redis: client, Sealer: mustSealer(t, testKey), HTTPClient: &http.Client{Transport: p},
		TokenURL: "http://webex.example/v1/access_token", ClientID: clientID, ClientSecret: clientSecret,
		SeedRefreshToken: seedToken, Log: log,
	}
	for _, c := range change {
		c(&d)
	}
	k, err := New(d)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// run starts Run and awaits its end when the test ends.
func run(t *testing.T, k *Keeper) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// clock is a time that only the test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func miniRedis(t *testing.T) (*miniredis.Miniredis, redis.UniversalClient) {
	t.Helper()
	m := miniredis.RunT(t)
	return m, newClient(t, m.Addr())
}

func newClient(t *testing.T, addr string) redis.UniversalClient {
	c := redis.NewClient(&redis.Options{Addr: addr, DialTimeout: time.Second, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// onBothRedis runs a test on the in-process and on the real Redis.
func onBothRedis(t *testing.T, test func(t *testing.T, addr string)) {
	t.Run("miniredis", func(t *testing.T) { t.Parallel(); test(t, miniredis.RunT(t).Addr()) })
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		_, server := redistest.Start(t)
		test(t, server.Addr())
	})
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("not so after 15 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
