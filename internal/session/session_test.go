package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/seal"
	"patchbay/internal/session"
)

var amara = session.Identity{
	PersonID: "Y2lzY29zcGFyazovL3VzL1BFT1BMRS9hbWFyYQ", OrgID: "Y2lzY29zcGFyazovL3VzL09SR0FOSVpBVElPTi9v",
	DisplayName: "Amara Okafor", FirstName: "Amara", Email: "amara@example.com", LocationID: "Y2lzY29zcGFyazovL3VzL0xPQ0FUSU9OL2w",
	SignedInAt: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC),
}

const (
	idle     = 30 * time.Minute
	lifetime = 12 * time.Hour
)

// clock is the time of a test; it starts at the real time, so that a real Redis agrees.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now().Truncate(time.Millisecond)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// portal is a server with sessions: /in, /out, /who, /key, /flash/put, /flash/pop, and
// /slow/put, which says on started that it has read its session and goes on after release.
type portal struct {
	http.Handler
	sessions         *session.Manager
	started, release chan struct{}
}

func newPortal(t testing.TB, deps session.Deps) *portal {
	t.Helper()
	if deps.Sealer == nil {
		s, err := seal.New(seal.NewKey())
		if err != nil {
			t.Fatal(err)
		}
		deps.Sealer = s
	}
	if deps.Idle == 0 {
		deps.Idle, deps.Lifetime = idle, lifetime
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	fail := func(w http.ResponseWriter, _ *http.Request, err error) {
		p := problem.As(err)
		w.WriteHeader(p.Code.Status())
		fmt.Fprint(w, p.Public.Key)
	}
	deps.OnError = fail
	p := &portal{sessions: session.New(deps), started: make(chan struct{}), release: make(chan struct{})}
	mux := http.NewServeMux()
	handle := func(path string, h func(w http.ResponseWriter, r *http.Request) error) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				fail(w, r, err)
			}
		})
	}
	who := func(w http.ResponseWriter, r *http.Request) error {
		if id, ok := p.sessions.Identity(r.Context()); ok {
			fmt.Fprint(w, id.FirstName)
		}
		return nil
	}
	handle("/who", who)
	handle("/in", func(w http.ResponseWriter, r *http.Request) error {
		id := amara
		if name := r.URL.Query().Get("name"); name != "" {
			id.FirstName = name
		}
		if person := r.URL.Query().Get("person"); person != "" {
			id.PersonID = person
		}
		err := p.sessions.SignIn(r.Context(), id, session.Client{UserAgent: r.UserAgent(), Address: r.RemoteAddr})
		if _, ok := p.sessions.Identity(r.Context()); ok != (err == nil) {
			t.Errorf("SignIn: %v, but signed in for the rest of the request: %t", err, ok)
		}
		return err
	})
	handle("/out", func(w http.ResponseWriter, r *http.Request) error { return p.sessions.SignOut(r.Context()) })
	handle("/key", func(w http.ResponseWriter, r *http.Request) error {
		fmt.Fprint(w, p.sessions.Key(r.Context()))
		return nil
	})
	put := func(w http.ResponseWriter, r *http.Request) error {
		return p.sessions.PutFlash(r.Context(), session.Flash{Kind: "saved", Text: i18n.NewText(r.URL.Query().Get("text"))})
	}
	handle("/flash/put", put)
	handle("/flash/pop", func(w http.ResponseWriter, r *http.Request) error {
		f, ok, err := p.sessions.PopFlash(r.Context())
		if ok {
			fmt.Fprint(w, f.Text.Key)
		}
		return err
	})
	handle("/slow/put", func(w http.ResponseWriter, r *http.Request) error {
		p.started <- struct{}{}
		<-p.release
		if err := put(w, r); err != nil {
			return err
		}
		return who(w, r)
	})
	p.Handler = p.sessions.Middleware(mux)
	return p
}

// browser keeps cookies as a browser does.
type browser struct {
	t       testing.TB
	portal  http.Handler
	cookies map[string]string
	agent   string
}

// within runs f in a request of the browser.
func (p *portal) within(b *browser, f func(ctx context.Context)) {
	c := b.copy()
	c.portal = p.sessions.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(r.Context()) }))
	c.do("/")
}

func (p *portal) browser(t testing.TB) *browser {
	return &browser{t: t, portal: p, cookies: map[string]string{}}
}

// copy is a browser with the same cookies: a thief's, or a second tab.
func (b *browser) copy() *browser {
	c := &browser{t: b.t, portal: b.portal, cookies: map[string]string{}, agent: b.agent}
	for k, v := range b.cookies {
		c.cookies[k] = v
	}
	return c
}

func (b *browser) do(path string) *http.Response {
	b.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("User-Agent", b.agent)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.portal.ServeHTTP(w, r)
	res := w.Result()
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return res
}

// get gives status and body, "200 Amara".
func (b *browser) get(path string) string {
	b.t.Helper()
	res := b.do(path)
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil {
		b.t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", res.StatusCode, body.String())
}

// want fails the test unless path answers so.
func (b *browser) want(path, want string) {
	b.t.Helper()
	if got := b.get(path); got != want {
		b.t.Errorf("GET %s: got %q, want %q", path, got, want)
	}
}

func inProcess(t testing.TB) (*miniredis.Miniredis, redis.UniversalClient) {
	t.Helper()
	m := miniredis.RunT(t)
	c := redis.NewClient(&redis.Options{Addr: m.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = c.Close() })
	return m, c
}

// onEveryRedis runs test on the in-process Redis, on a real one, and on a cluster.
func onEveryRedis(t *testing.T, test func(t *testing.T, c redis.UniversalClient)) {
	t.Helper()
	for name, client := range redisClients() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, client(t))
		})
	}
}

func TestSignInAndSignOut(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, c redis.UniversalClient) {
		p := newPortal(t, session.Deps{Redis: c})
		b := p.browser(t)
		b.want("/who", "200 ")
		b.want("/in", "200 ")
		b.want("/who", "200 Amara")
		thief := b.copy()
		b.want("/out", "200 ")
		b.want("/who", "200 ")
		thief.want("/who", "200 ")
		if len(b.cookies) != 0 {
			t.Errorf("cookies after signing out: %v", b.cookies)
		}
	})
}

// The first fault of scs (dependencies.md, section 5): with its IdleTimeout this test
// ends with "Amara" signed in again.
func TestASlowRequestDoesNotBringASessionBack(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, c redis.UniversalClient) {
		p := newPortal(t, session.Deps{Redis: c})
		b := p.browser(t)
		b.want("/in", "200 ")
		thief, slow := b.copy(), b.copy()
		done := make(chan string)
		go func() { done <- slow.get("/slow/put?text=late") }()
		<-p.started
		b.want("/out", "200 ")
		p.release <- struct{}{}
		if got := <-done; got != "200 Amara" { // it was signed in when it began
			t.Errorf("slow request: %q", got)
		}
		thief.want("/who", "200 ")
		thief.want("/flash/pop", "200 ")
		slow.want("/who", "200 ")
	})
}

// The second fault of scs: what one request wrote is lost when another one that read
// before it ends after it, even if both write.
func TestRequestsAtTheSameTimeLoseNoWrite(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, c redis.UniversalClient) {
		p := newPortal(t, session.Deps{Redis: c})
		b := p.browser(t)
		b.want("/in", "200 ")
		b.want("/flash/put?text=old", "200 ")
		slow := b.copy()
		done := make(chan string)
		go func() { done <- slow.get("/slow/put?text=new") }()
		<-p.started
		b.want("/flash/pop", "200 old")
		p.release <- struct{}{}
		if got := <-done; got != "200 Amara" {
			t.Errorf("slow request: %q", got)
		}
		b.want("/flash/pop", "200 new") // neither lost, nor is the old one back
		b.want("/flash/pop", "200 ")
		b.want("/who", "200 Amara")
	})
}

func TestAFlashIsGivenToOneRequestOnly(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, c redis.UniversalClient) {
		p := newPortal(t, session.Deps{Redis: c})
		b := p.browser(t)
		b.want("/in", "200 ")
		b.want("/flash/put?text=once", "200 ")
		got := make(chan string)
		const requests = 8
		for range requests {
			tab := b.copy()
			go func() { got <- tab.get("/flash/pop") }()
		}
		count := map[string]int{}
		for range requests {
			count[<-got]++
		}
		if diff := cmp.Diff(map[string]int{"200 once": 1, "200 ": requests - 1}, count); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAFlashComesBackAsItWas(t *testing.T) {
	t.Parallel()
	_, c := inProcess(t)
	p := newPortal(t, session.Deps{Redis: c})
	b := p.browser(t)
	b.want("/in", "200 ")
	want := session.Flash{
		Kind: "saved", RecordID: "1732-0",
		Text: i18n.NewText("changed", "Count", 3, "Who", "Ben <b>", "What", i18n.NewText("inner", "Count", 1, "Deep", i18n.NewText("deeper"))),
	}
	var got session.Flash
	b.portal = p.sessions.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := p.sessions.PutFlash(r.Context(), want); err != nil {
			t.Error(err)
		}
		var err error
		if got, _, err = p.sessions.PopFlash(r.Context()); err != nil {
			t.Error(err)
		}
	}))
	b.do("/")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnonymousVisitsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	m, c := inProcess(t)
	p := newPortal(t, session.Deps{Redis: c})
	cookies := map[string]string{
		"no cookie":            "",
		"an unknown token":     strings.Repeat("A", 43),
		"a long cookie":        strings.Repeat("A", 4000),
		"a cookie of our keys": "{}:gone",
	}
	for name, cookie := range cookies {
		b := p.browser(t)
		if cookie != "" {
			b.cookies["portal_session"] = cookie
		}
		for _, path := range []string{"/who", "/flash/put?text=x", "/flash/pop", "/key"} {
			res := b.do(path)
			if got := res.Header.Values("Set-Cookie"); len(got) != 0 || res.StatusCode != http.StatusOK {
				t.Errorf("%s: GET %s: %d, Set-Cookie %q", name, path, res.StatusCode, got)
			}
		}
	}
	if keys := m.Keys(); len(keys) != 0 {
		t.Errorf("Redis holds %q", keys)
	}
	m.SetError("ERR out of order") // without a token of ours Redis is not even asked
	p.browser(t).want("/who", "200 ")
	b := p.browser(t)
	b.cookies["portal_session"] = strings.Repeat("A", 44)
	b.want("/who", "200 ")
}

func TestTheCookie(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		secure bool
		want   http.Cookie
	}{
		"https": {true, http.Cookie{Name: "__Host-portal_session", Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode}},
		"http":  {false, http.Cookie{Name: "portal_session", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, c := inProcess(t)
			b := newPortal(t, session.Deps{Redis: c, Secure: test.secure}).browser(t)
			check := func(path string, maxAge int) {
				t.Helper()
				cookies := b.do(path).Cookies()
				if len(cookies) != 1 {
					t.Fatalf("GET %s sets %d cookies", path, len(cookies))
				}
				got := *cookies[0]
				if live := maxAge == 0; live != (len(got.Value) == 43) {
					t.Errorf("GET %s: value %q", path, got.Value)
				}
				got.Value, got.Raw = "", ""
				want := test.want
				want.MaxAge = maxAge
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("GET %s: %s", path, diff)
				}
			}
			check("/in", 0)
			b.want("/who", "200 Amara")
			check("/out", -1)
		})
	}
}

func TestSigningInRenewsTheSession(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, c redis.UniversalClient) {
		p := newPortal(t, session.Deps{Redis: c})
		attacker := p.browser(t)
		attacker.want("/in?name=Mallory", "200 ")
		attacker.want("/flash/put?text=planted", "200 ")
		victim := attacker.copy() // whose browser was given the attacker's cookie
		victim.want("/in?name=Amara", "200 ")
		victim.want("/who", "200 Amara")
		victim.want("/flash/pop", "200 ")
		attacker.want("/who", "200 ")

		made := p.browser(t)
		made.cookies["portal_session"] = strings.Repeat("x", 43) // a token that nobody gave out
		made.want("/in", "200 ")
		if made.cookies["portal_session"] == strings.Repeat("x", 43) {
			t.Error("a made-up token was taken over")
		}
	})
}

func TestKeyNamesTheSession(t *testing.T) {
	t.Parallel()
	_, c := inProcess(t)
	p := newPortal(t, session.Deps{Redis: c})
	b := p.browser(t)
	b.want("/key", "200 ")
	b.want("/in", "200 ")
	first := b.get("/key")
	if len(first) != len("200 ")+43 || strings.Contains(first, b.cookies["portal_session"]) {
		t.Errorf("key %q of cookie %q", first, b.cookies["portal_session"])
	}
	b.want("/key", first)
	thief := p.browser(t)
	thief.cookies["portal_session"] = strings.TrimPrefix(first, "200 ")
	thief.want("/who", "200 ")
	b.want("/in", "200 ")
	if b.get("/key") == first {
		t.Error("another session has the same key")
	}
	if _, ok := p.sessions.Identity(context.Background()); ok || p.sessions.Key(context.Background()) != "" {
		t.Error("somebody is signed in outside of any request")
	}
}

func TestLimitsOfASession(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	steps := func(n int, d time.Duration) []time.Duration {
		s := make([]time.Duration, n)
		for i := range s {
			s[i] = d
		}
		return s
	}
	tests := map[string]struct {
		uses []time.Duration // the waits before each use
		want string
	}{
		"used within the idle limit":                         {[]time.Duration{29 * minute}, "200 Amara"},
		"not used for the idle limit":                        {[]time.Duration{30 * minute}, "200 "},
		"reading slides the idle limit":                      {steps(20, 29*minute), "200 Amara"},
		"reading does not slide the absolute limit":          {steps(25, 29*minute), "200 "},
		"used just before the absolute limit":                {append(steps(24, 29*minute), 23*minute), "200 Amara"},
		"used at the absolute limit":                         {append(steps(24, 29*minute), 24*minute), "200 "},
		"used just before and just after the absolute limit": {append(steps(24, 29*minute), 23*minute, 2*minute), "200 "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, c := inProcess(t)
			clk := newClock()
			clk.add(1000 * time.Hour) // the injected clock counts, and no other
			m.SetTime(clk.Now())
			b := newPortal(t, session.Deps{Redis: c, Now: clk.Now}).browser(t)
			b.want("/in", "200 ")
			got := ""
			for _, d := range test.uses {
				clk.add(d)
				m.SetTime(clk.Now())
				m.FastForward(d)
				got = b.get("/who")
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// The clock of the portal counts, not only that of Redis.
func TestTheAbsoluteLimitHoldsWhenRedisHasNotTidiedUp(t *testing.T) {
	t.Parallel()
	_, c := inProcess(t)
	clk := newClock()
	b := newPortal(t, session.Deps{Redis: c, Now: clk.Now}).browser(t)
	b.want("/in", "200 ")
	clk.add(lifetime)
	b.want("/who", "200 ")
}

func TestRealRedisForgetsASessionAtItsLimits(t *testing.T) {
	t.Parallel()
	c := startRedis(t).client(t)
	p := newPortal(t, session.Deps{Redis: c, Idle: 400 * time.Millisecond, Lifetime: 1200 * time.Millisecond})
	used, unused := p.browser(t), p.browser(t)
	used.want("/in", "200 ")
	unused.want("/in", "200 ")
	begin := time.Now()
	for time.Since(begin) < 900*time.Millisecond {
		used.want("/who", "200 Amara")
		time.Sleep(50 * time.Millisecond)
	}
	unused.want("/who", "200 ")
	eventually(t, func() error {
		used.do("/who") // using it does not keep it
		if n := c.DBSize(context.Background()).Val(); n != 0 {
			return fmt.Errorf("Redis holds %d keys", n)
		}
		return nil
	})
	if age := time.Since(begin); age < time.Second || age > 5*time.Second {
		t.Errorf("the session went after %s", age)
	}
}

func TestNothingReadableIsInRedis(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, c redis.UniversalClient) {
		p := newPortal(t, session.Deps{Redis: c})
		b := p.browser(t)
		b.agent = "Mozilla/5.0 (secret)"
		b.want("/in", "200 ")
		b.want("/flash/put?text=secret-flash", "200 ")
		p.within(b, func(ctx context.Context) {
			if err := p.sessions.StartActing(ctx, session.Acting{PersonID: "secret-person", Name: "Ben", Reason: "ticket"}); err != nil {
				t.Error(err)
			}
		})
		ctx := context.Background()
		keys, err := c.Keys(ctx, "patchbay:*").Result()
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(keys)
		if len(keys) != 2 || !strings.HasPrefix(keys[0], "patchbay:session:{") || !strings.HasPrefix(keys[1], "patchbay:sessions:{") {
			t.Fatalf("keys %q", keys)
		}
		fields, err := c.HGetAll(ctx, keys[0]).Result()
		if err != nil {
			t.Fatal(err)
		}
		if len(fields) != 5 {
			t.Errorf("fields %q", fields)
		}
		list, err := c.ZRange(ctx, keys[1], 0, -1).Result()
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Join(append(keys, list...), "\n")
		for name, value := range fields {
			all += "\n" + name + "=" + value
		}
		id, err := json.Marshal(amara)
		if err != nil {
			t.Fatal(err)
		}
		var words map[string]string
		if err := json.Unmarshal(id, &words); err != nil {
			t.Fatal(err)
		}
		words["token"], words["flash"], words["encoding"] = b.cookies["portal_session"], "secret-flash", "identity"
		words["client"], words["address"], words["whom it acts for"], words["reason"] = "Mozilla", "192.0.2.1", "secret-person", "ticket"
		for name, word := range words {
			if strings.Contains(all, word) {
				t.Errorf("%s %q is readable in Redis", name, word)
			}
		}
	})
}

func TestASessionCannotBeMovedOrForgedInRedis(t *testing.T) {
	t.Parallel()
	_, c := inProcess(t)
	p := newPortal(t, session.Deps{Redis: c})
	ctx := context.Background()
	amaraB, mallory := p.browser(t), p.browser(t)
	amaraB.want("/in", "200 ")
	mallory.want("/in?name=Mallory", "200 ")
	keyOf := func(b *browser) string { return "patchbay:session:{" + strings.TrimPrefix(b.get("/key"), "200 ") + "}" }
	blob, err := c.HGet(ctx, keyOf(amaraB), "b").Result()
	if err != nil {
		t.Fatal(err)
	}
	malloryKey := keyOf(mallory)
	c.HSet(ctx, malloryKey, "flash", blob)
	mallory.want("/flash/pop", "200 ")
	c.HSet(ctx, malloryKey, "b", blob)
	mallory.want("/who", "200 ")
	amaraB.want("/who", "200 Amara")

	// Another key (a portal whose key was made up at start, started again) opens nothing.
	other := newPortal(t, session.Deps{Redis: c})
	stranger := amaraB.copy()
	stranger.portal = other
	stranger.want("/who", "200 ")
	stranger.want("/in", "200 ")
	stranger.want("/who", "200 Amara")
}

func TestRedisErrorsAreErrorsAndNotSignOuts(t *testing.T) {
	t.Parallel()
	m, c := inProcess(t)
	p := newPortal(t, session.Deps{Redis: c})
	b := p.browser(t)
	b.want("/in", "200 ")
	cookie := b.cookies["portal_session"]
	m.SetError("LOADING Redis is loading the dataset in memory")
	for _, path := range []string{"/who", "/in", "/out", "/flash/put?text=x", "/flash/pop"} {
		res := b.do(path)
		if res.StatusCode != http.StatusServiceUnavailable || len(res.Cookies()) != 0 {
			t.Errorf("GET %s: %d, cookies %v", path, res.StatusCode, res.Cookies())
		}
	}
	p.browser(t).want("/in", "503 session.unavailable") // signing in anew: nothing is stored
	m.SetError("")
	b.want("/who", "200 Amara")
	if b.cookies["portal_session"] != cookie {
		t.Error("the cookie was changed")
	}

	// Redis goes away between reading the session and the method.
	for name, call := range map[string]func(ctx context.Context) error{
		"SignIn":   func(ctx context.Context) error { return p.sessions.SignIn(ctx, amara, session.Client{}) },
		"SignOut":  p.sessions.SignOut,
		"PutFlash": func(ctx context.Context) error { return p.sessions.PutFlash(ctx, session.Flash{Kind: "saved"}) },
		"PopFlash": func(ctx context.Context) error { _, _, err := p.sessions.PopFlash(ctx); return err },
		"List":     func(ctx context.Context) error { _, err := p.sessions.List(ctx, amara.PersonID); return err },
		"End": func(ctx context.Context) error {
			_, err := p.sessions.End(ctx, amara.PersonID, p.sessions.Key(ctx))
			return err
		},
		"EndAll":      func(ctx context.Context) error { _, err := p.sessions.EndAll(ctx, amara.PersonID, false); return err },
		"StartActing": func(ctx context.Context) error { return p.sessions.StartActing(ctx, session.Acting{}) },
		"Acting":      func(ctx context.Context) error { _, _, err := p.sessions.Acting(ctx); return err },
		"StopActing":  p.sessions.StopActing,
	} {
		var got error
		b.portal = p.sessions.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			m.SetError("ERR out of order")
			got = call(r.Context())
			m.SetError("")
		}))
		if cookies := b.do("/").Cookies(); len(cookies) != 0 {
			t.Errorf("%s: cookies %v", name, cookies)
		}
		var pr *problem.Error
		if !errors.As(got, &pr) || pr.Code != problem.Unavailable || pr.Public.Key != "session.unavailable" || pr.RetryAfter <= 0 || pr.Err == nil {
			t.Errorf("%s: %#v", name, got)
		}
	}
	b.portal = p
	b.want("/who", "200 Amara")
}

func TestASessionSurvivesARestartOfRedis(t *testing.T) {
	t.Parallel()
	s := startRedis(t)
	p := newPortal(t, session.Deps{Redis: s.client(t)})
	b := p.browser(t)
	b.want("/in", "200 ")
	b.want("/flash/put?text=kept", "200 ")
	gone := p.browser(t)
	gone.want("/in?name=Ben", "200 ")
	thief := gone.copy()
	gone.want("/out", "200 ")
	s.stop(t)
	for range 3 {
		b.want("/who", "503 session.unavailable")
		b.want("/out", "503 session.unavailable")
	}
	s.start(t)
	eventually(t, func() error {
		if got := b.get("/who"); got != "200 Amara" {
			return fmt.Errorf("after the restart: %q", got)
		}
		return nil
	})
	b.want("/flash/pop", "200 kept")
	thief.want("/who", "200 ")
}

func TestSigningOutSurvivesAnImpatientBrowser(t *testing.T) {
	t.Parallel()
	_, c := inProcess(t)
	p := newPortal(t, session.Deps{Redis: c})
	b := p.browser(t)
	b.want("/in", "200 ")
	thief := b.copy()
	b.portal = p.sessions.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		if err := p.sessions.SignOut(ctx); err != nil {
			t.Error(err)
		}
	}))
	b.do("/")
	thief.want("/who", "200 ")
}
