package directory

import (
	"bytes"
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"patchbay/internal/seal"
	"patchbay/internal/webex"
	"patchbay/internal/webexsim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	greta = "greta.holm@patchbay.example" // two phones, in the group Sales Leads
	ben   = "ben.fischer@patchbay.example"
	noah  = "noah.quinn@patchbay.example" // no Calling
)

type simTokens struct{ token string }

func (s simTokens) AccessToken(context.Context) (string, error)      { return s.token, nil }
func (s simTokens) Rejected(context.Context, string) (string, error) { return s.token, nil }

func testSealer(t testing.TB) *seal.Sealer {
	t.Helper()
	s, err := seal.New(bytes.Repeat([]byte("k"), seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func otherSealer(t testing.TB) *seal.Sealer {
	t.Helper()
	s, err := seal.New(bytes.Repeat([]byte("o"), seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newClient(t testing.TB, addr string) redis.UniversalClient {
	c := redis.NewClient(&redis.Options{Addr: addr, DialTimeout: time.Second, MaxRetries: -1, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// world is a simulated organization and a Redis for several replicas.
type world struct {
	t     *testing.T
	sim   *webexsim.Sim
	url   string
	redis string // host:port
	clock clock
}

func newWorld(t *testing.T, redisAddr string, o webexsim.Options) *world {
	t.Helper()
	o.CheckContract = true
	if o.PageSize == 0 {
		o.PageSize = 20
	}
	sim, err := webexsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(sim.Handler())
	t.Cleanup(func() {
		srv.Close()
		for _, v := range sim.Violations() {
			t.Errorf("against the contract: %s", v)
		}
	})
	return &world{t: t, sim: sim, url: srv.URL + "/v1", redis: redisAddr}
}

// replica makes a Directory that looks every few milliseconds.
func (w *world) replica(change ...func(*Deps)) *Directory {
	w.t.Helper()
	client := webex.NewClient(webex.Options{BaseURL: w.url, Tokens: simTokens{w.sim.ServiceAppAccessToken()}})
	w.t.Cleanup(client.Close)
	deps := Deps{Webex: client, Redis: newClient(w.t, w.redis), Sealer: testSealer(w.t), Now: w.clock.Now}
	for _, c := range change {
		c(&deps)
	}
	d := New(deps)
	d.tick = 20 * time.Millisecond
	return d
}

// run runs a replica until the test ends, or stop is called.
func (w *world) run(d *Directory) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run ended with %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// calls counts the requests of an operation, by its path template.
func (w *world) calls(template string) int {
	n := 0
	for _, r := range w.sim.Requests() {
		if r.Template == template {
			n++
		}
	}
	return n
}

func (w *world) uuid(email string) string {
	w.t.Helper()
	u, err := webex.UUID(w.sim.MustPerson(email).ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

// clock is the real time and what the test adds.
type clock struct{ ahead atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("not so after 20 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func names(people []Person) string {
	var list []string
	for _, p := range people {
		list = append(list, p.Name)
	}
	return strings.Join(list, ", ")
}
