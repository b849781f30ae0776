package serviceapp

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/seal"
)

func mustToken(t *testing.T, k *Keeper) string {
	t.Helper()
	token, err := k.AccessToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestNewNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := New(Deps{})
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"Redis", "Sealer", "TokenURL", "ClientID", "ClientSecret", "SeedRefreshToken"} {
		if !strings.Contains(err.Error(), name+" is missing") {
			t.Errorf("%q does not name %s", err, name)
		}
	}
}

func TestTheFirstCallerAfterASeedGetsAToken(t *testing.T) {
	t.Parallel()
	clock := newClock()
	_, client := miniRedis(t)
	p := newProvider(seedToken)
	p.body = func(p *provider) map[string]any {
		return map[string]any{
			"access_token": p.access, "expires_in": 3600, "refresh_token": p.refresh, "refresh_token_expires_in": 7200,
			"token_type": "Bearer", "scope": "spark-admin:people_write spark-admin:people_read",
		}
	}
	k := newKeeper(t, client, p, func(d *Deps) { d.Now = clock.Now })

	before, err := k.Status(t.Context())
	if err != nil || before.State != NotYet || before.Usable {
		t.Fatalf("before the first refresh: %+v, %v", before, err)
	}
	if got := mustToken(t, k); got != "token-access-1" {
		t.Fatalf("got %q", got)
	}
	mustToken(t, k)
	got, err := k.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wait := got.NextRefresh.Sub(clock.now)
	if wait < 36*time.Minute || wait > 40*time.Minute {
		t.Errorf("next refresh in %v, want when about a third of an hour remains", wait)
	}
	got.NextRefresh = time.Time{}
	want := Status{
		State: Working, Usable: true, AccessExpires: clock.now.Add(time.Hour), RefreshExpires: clock.now.Add(2 * time.Hour),
		LastSuccess: clock.now, LastAttempt: clock.now, Warning: true,
		Scopes: []string{"spark-admin:people_read", "spark-admin:people_write"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(counts{Grants: 1, Requests: 1}, p.counts()); diff != "" {
		t.Error(diff)
	}
}

func TestARestartKeepsTheRotatedTokenAndANewSeedReplacesIt(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, addr string) {
		client := newClient(t, addr)
		p := newProvider(seedToken)
		mustToken(t, newKeeper(t, client, p))

		again := newKeeper(t, client, p)
		if got := mustToken(t, again); got != "token-access-1" {
			t.Errorf("after a restart with the same seed: %q, want what is stored", got)
		}
		p.revoke()
		again.timing.rejectPause = 0
		if got, err := again.Rejected(t.Context(), "token-access-1"); err != nil || got != "token-access-2" {
			t.Errorf("the restarted replica refreshes with the rotated token: got %q, %v", got, err)
		}

		// The grant is dead, every replica knows; the operator makes a new token.
		p.set(func(p *provider) { p.dead, p.access = true, "" })
		if _, err := again.Rejected(t.Context(), "token-access-2"); !errors.Is(err, ErrNeedsNewTokens) {
			t.Fatalf("got %v, want ErrNeedsNewTokens", err)
		}
		other := newKeeper(t, client, p)
		if s, err := other.Status(t.Context()); err != nil || s.State != NeedsNewTokens {
			t.Fatalf("another replica: %+v, %v", s, err)
		}
		p.set(func(p *provider) { p.dead, p.refresh = false, "token-seed-2" })
		renewed := newKeeper(t, client, p, func(d *Deps) { d.SeedRefreshToken = "token-seed-2" })
		if got := mustToken(t, renewed); got != "token-access-3" {
			t.Errorf("after a new seed: %q", got)
		}
		// The old replica is still there for a while: it follows, and does not put
		// its own seed back.
		for _, k := range []*Keeper{again, renewed} {
			if s, err := k.Status(t.Context()); err != nil || s.State != Working {
				t.Errorf("after a new seed: %+v, %v", s, err)
			}
		}
		if got := mustToken(t, again); got != "token-access-3" {
			t.Errorf("the old replica has %q", got)
		}
		if c := p.counts(); c.Reused != 0 {
			t.Errorf("an old refresh token was used: %+v", c)
		}
	})
}

func TestAnswersThatLeaveOutOrRepeat(t *testing.T) {
	t.Parallel()
	clock := newClock()
	tests := map[string]struct {
		body        map[string]any
		wantRefresh string
		want        Status
	}{
		"no refresh token: the old one is kept": {
			map[string]any{"access_token": "token-a", "expires_in": 60, "token_type": "Bearer", "refresh_token_expires_in": 60 * 86400}, seedToken,
			Status{State: Working, Usable: true, AccessExpires: clock.now.Add(time.Minute), RefreshExpires: clock.now.Add(60 * day)},
		},
		"no lifetimes: unknown": {
			map[string]any{"access_token": "token-a", "refresh_token": "token-r", "token_type": "Bearer"}, "token-r",
			Status{State: Working, Usable: true},
		},
		"lifetimes that make no sense: unknown": {
			map[string]any{"access_token": "token-a", "expires_in": -5, "refresh_token_expires_in": "soon", "token_type": "Bearer"}, seedToken,
			Status{State: Working, Usable: true},
		},
		"lifetimes as strings": {
			map[string]any{"access_token": "token-a", "expires_in": "90", "refresh_token_expires_in": "8640000", "token_type": "Bearer"}, seedToken,
			Status{State: Working, Usable: true, AccessExpires: clock.now.Add(90 * time.Second), RefreshExpires: clock.now.Add(100 * day)},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client := miniRedis(t)
			p := newProvider(seedToken)
			p.body = func(*provider) map[string]any { return tt.body }
			k := newKeeper(t, client, p, func(d *Deps) { d.Now = clock.Now })
			mustToken(t, k)
			got, err := k.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tt.want.LastSuccess, tt.want.LastAttempt, tt.want.NextRefresh = clock.now, clock.now, got.NextRefresh
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if k.held.tokens.Refresh != tt.wantRefresh {
				t.Errorf("kept refresh token %q, want %q", k.held.tokens.Refresh, tt.wantRefresh)
			}
			if !got.NextRefresh.After(clock.now) {
				t.Errorf("next refresh at %v, which is at once", got.NextRefresh)
			}
		})
	}
}

func TestFailedRefreshes(t *testing.T) {
	t.Parallel()
	answer := func(status int, contentType, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Trackingid", "ROUTER_1, ROUTER_1")
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	const webexBody = `{"message":"The refresh token token-seed-1 is expired","errors":[{"description":"token-seed-1"}],"trackingId":"ROUTER_1"}`
	tests := map[string]struct {
		fault     http.HandlerFunc
		wantState State
		wantFault Fault
		// The bounds of the pause; both zero: never again.
		atLeast, atMost time.Duration
	}{
		"refused, RFC 6749":               {answer(400, "application/json", `{"error":"invalid_grant","error_description":"token-seed-1"}`), NeedsNewTokens, FaultRefused, 0, 0},
		"refused, invalid_request":        {answer(400, "application/json", `{"error":"invalid_request"}`), NeedsNewTokens, FaultRefused, 0, 0},
		"refused, Webex's shape":          {answer(400, "application/json", webexBody), NeedsNewTokens, FaultRefused, 0, 0},
		"refused, 401 HTML":               {answer(401, "text/html", `<p>token-seed-1`), NeedsNewTokens, FaultRefused, 0, 0},
		"refused, 403 without a body":     {answer(403, "", ``), NeedsNewTokens, FaultRefused, 0, 0},
		"refused, said with 200":          {answer(200, "application/json", `{"error":"invalid_grant"}`), NeedsNewTokens, FaultRefused, 0, 0},
		"throttled for an hour, in HTML":  {answer(429, "text/html", `<p>wait`, "Retry-After", "3600"), RefreshFailing, FaultThrottled, time.Hour, time.Hour},
		"throttled without a time":        {answer(429, "application/json", `{}`), RefreshFailing, FaultThrottled, 500 * time.Millisecond, time.Second},
		"locked":                          {answer(423, "application/json", webexBody, "Retry-After", "7"), RefreshFailing, FaultThrottled, 7 * time.Second, 7 * time.Second},
		"unavailable, until a date":       {answer(503, "", ``, "Retry-After", "Mon, 23 Nov 2026 09:17:00 GMT"), RefreshFailing, FaultUpstream, 2 * time.Minute, 2 * time.Minute},
		"Retry-After of nonsense":         {answer(500, "", ``, "Retry-After", "soon"), RefreshFailing, FaultUpstream, 500 * time.Millisecond, time.Second},
		"Retry-After of thirty years":     {answer(503, "", ``, "Retry-After", "999999999"), RefreshFailing, FaultUpstream, day, day},
		"bad gateway with a token inside": {answer(502, "text/html", `token-seed-1`), RefreshFailing, FaultUpstream, 500 * time.Millisecond, time.Second},
		"redirect":                        {answer(307, "", ``, "Location", "http://elsewhere.example/"), RefreshFailing, FaultUpstream, 500 * time.Millisecond, time.Second},
		"HTML with 200":                   {answer(200, "text/html", `<p>token-seed-1`), RefreshFailing, FaultGarbled, 500 * time.Millisecond, time.Second},
		"cut off":                         {answer(200, "application/json", `{"access_token":"token-a","expires_`), RefreshFailing, FaultGarbled, 500 * time.Millisecond, time.Second},
		"wrong type":                      {answer(200, "application/json", `{"access_token":"token-a","expires_in":"token-b"}`), RefreshFailing, FaultGarbled, 500 * time.Millisecond, time.Second},
		"no token in it":                  {answer(200, "application/json", `{}`), RefreshFailing, FaultGarbled, 500 * time.Millisecond, time.Second},
		"no answer":                       {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, RefreshFailing, FaultUnreachable, 500 * time.Millisecond, time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newClock()
			_, client := miniRedis(t)
			p := newProvider(seedToken)
			p.body = func(p *provider) map[string]any {
				return map[string]any{"access_token": p.access, "refresh_token": p.refresh, "expires_in": 1000, "token_type": "Bearer"}
			}
			k := newKeeper(t, client, aborting{p}, func(d *Deps) { d.Now = clock.Now })
			working := mustToken(t, k)
			lastSuccess := clock.Now()
			clock.advance(900 * time.Second)
			p.set(func(p *provider) { p.fault = tt.fault })

			_, err := k.Rejected(t.Context(), working)
			wantErr, wantKey := ErrNoToken, "serviceapp.unavailable"
			if tt.wantState == NeedsNewTokens {
				wantErr, wantKey = ErrNeedsNewTokens, "serviceapp.needsNewTokens"
			}
			said := problem.As(err)
			if !errors.Is(err, wantErr) || said.Code != problem.Unavailable || said.Public.Key != wantKey {
				t.Errorf("got %v", err)
			}
			if strings.Contains(err.Error(), "token-") {
				t.Errorf("the error holds a token: %v", err)
			}
			// What there is goes on being given until it ends.
			if got := mustToken(t, k); got != working {
				t.Errorf("while refresh fails: %q, want %q", got, working)
			}
			s, err := k.Status(t.Context())
			if err != nil || s.State != tt.wantState || s.LastError != tt.wantFault || !s.Usable ||
				!s.LastSuccess.Equal(lastSuccess) || !s.LastAttempt.Equal(clock.Now()) {
				t.Errorf("got %+v, %v", s, err)
			}

			// The fleet backs off as one, and a replica that starts now knows.
			pause := k.held.attempt.NotBefore.Sub(clock.Now())
			other := newKeeper(t, client, aborting{p}, func(d *Deps) { d.Now = clock.Now })
			if tt.atMost == 0 {
				clock.advance(400 * day)
			} else {
				if pause < tt.atLeast || pause > tt.atMost {
					t.Errorf("pause %v, want between %v and %v", pause, tt.atLeast, tt.atMost)
				}
				if d := said.RetryAfter - max(pause, time.Second); d != 0 {
					t.Errorf("the person is told to wait %v, want %v", said.RetryAfter, pause)
				}
				clock.advance(pause - time.Millisecond)
			}
			before := p.counts().Requests
			for _, k := range []*Keeper{k, other} {
				if _, err := k.Rejected(t.Context(), working); !errors.Is(err, wantErr) {
					t.Errorf("in the pause: %v", err)
				}
			}
			if n := p.counts().Requests - before; n != 0 {
				t.Errorf("%d requests in the pause", n)
			}
			if tt.atMost == 0 {
				if _, err := k.AccessToken(t.Context()); !errors.Is(err, ErrNeedsNewTokens) {
					t.Errorf("when the access token has ended: %v", err)
				}
				return
			}
			clock.advance(time.Millisecond)
			p.set(func(p *provider) { p.fault = nil })
			if got, err := other.Rejected(t.Context(), working); err != nil || got != "token-access-2" {
				t.Errorf("after the pause: %q, %v", got, err)
			}
			if s, err := k.Status(t.Context()); err != nil || s.State != Working || s.LastError != "" {
				t.Errorf("after the pause: %+v, %v", s, err)
			}
		})
	}
}

// aborting turns the panic of a handler into a broken connection.
type aborting struct{ http.RoundTripper }

func (a aborting) RoundTrip(r *http.Request) (_ *http.Response, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("malformed HTTP response \"token-seed-1\"")
		}
	}()
	return a.RoundTripper.RoundTrip(r)
}

func TestARefusalOfOtherCredentialsIsForgotten(t *testing.T) {
	t.Parallel()
	_, client := miniRedis(t)
	p := newProvider(seedToken)
	wrong := newKeeper(t, client, p, func(d *Deps) { d.ClientSecret = "mistyped" })
	if _, err := wrong.AccessToken(t.Context()); !errors.Is(err, ErrNeedsNewTokens) {
		t.Fatalf("got %v", err)
	}
	mended := newKeeper(t, client, p)
	if got := mustToken(t, mended); got != "token-access-1" {
		t.Errorf("got %q", got)
	}
	if s, err := wrong.Status(t.Context()); err != nil || s.State != Working {
		t.Errorf("the old replica, whose fleet works: %+v, %v", s, err)
	}
}

func TestARefusalWhileAnotherReplicaRotatesIsNone(t *testing.T) {
	t.Parallel()
	_, client := miniRedis(t)
	p := newProvider(seedToken)
	k := newKeeper(t, client, p)
	k.timing.rejectPause = 0
	old := mustToken(t, k)
	// A holder who lost the lock stores its tokens while ours is being refused.
	p.set(func(p *provider) {
		p.fault = func(w http.ResponseWriter, r *http.Request) {
			next := k.heldEntry()
			next.version++
			next.tokens.Access, next.tokens.Refresh = "token-access-late", "token-refresh-late"
			if saved, err := k.store.save(r.Context(), next.version-1, next); !saved || err != nil {
				t.Errorf("save: %v, %v", saved, err)
			}
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		}
	})
	if got, err := k.Rejected(t.Context(), old); err != nil || got != "token-access-late" {
		t.Errorf("got %q, %v", got, err)
	}
	if s, err := k.Status(t.Context()); err != nil || s.State != Working || s.LastError != "" {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestRejected(t *testing.T) {
	t.Parallel()
	clock := newClock()
	_, client := miniRedis(t)
	p := newProvider(seedToken)
	k := newKeeper(t, client, p, func(d *Deps) { d.Now = clock.Now })
	other := newKeeper(t, client, p, func(d *Deps) { d.Now = clock.Now })
	first := mustToken(t, k)
	mustToken(t, other)

	clock.advance(time.Minute)
	second, err := k.Rejected(t.Context(), first)
	if err != nil || second != "token-access-2" {
		t.Fatalf("refreshed: %q, %v", second, err)
	}
	for name, k := range map[string]*Keeper{"the same replica": k, "another replica": other} {
		if got, err := k.Rejected(t.Context(), first); err != nil || got != second {
			t.Errorf("%s re-reads: %q, %v", name, got, err)
		}
	}
	// The new token is rejected too: no storm.
	clock.advance(9 * time.Second)
	for _, k := range []*Keeper{k, other, k, other} {
		if got, err := k.Rejected(t.Context(), second); err != nil || got != second {
			t.Errorf("a young token: %q, %v; want it once more", got, err)
		}
	}
	if c := p.counts(); c.Requests != 2 {
		t.Errorf("%+v, want 2 requests", c)
	}
	clock.advance(time.Second)
	if got, err := other.Rejected(t.Context(), second); err != nil || got != "token-access-3" {
		t.Errorf("ten seconds later: %q, %v", got, err)
	}
	// A refresh that gives the rejected token again is no reason for another one.
	clock.advance(time.Minute)
	p.set(func(p *provider) {
		p.body = func(*provider) map[string]any {
			return map[string]any{"access_token": "token-access-3", "expires_in": 1000, "token_type": "Bearer"}
		}
		p.lenient = true
	})
	for range 3 {
		if got, err := other.Rejected(t.Context(), "token-access-3"); err != nil || got != "token-access-3" {
			t.Errorf("unchanged: %q, %v; want it once more", got, err)
		}
	}
	if c := p.counts(); c.Requests != 4 {
		t.Errorf("%+v, want 4 requests", c)
	}
}

func TestACallerWhoGoesAwayDoesNotEndTheRefresh(t *testing.T) {
	t.Parallel()
	_, client := miniRedis(t)
	p := newProvider(seedToken)
	k := newKeeper(t, client, p)
	ctx, cancel := context.WithCancel(t.Context())
	goOn := make(chan struct{})
	p.after = func() { cancel(); <-goOn }
	_, err := k.AccessToken(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(goOn)
	eventually(t, "the rotated token is stored", func() bool {
		e, err := k.store.load(t.Context())
		return err == nil && e.tokens.Refresh == "token-refresh-1"
	})
	if got := mustToken(t, k); got != "token-access-1" {
		t.Errorf("got %q", got)
	}
}

func TestAnotherKey(t *testing.T) {
	t.Parallel()
	_, client := miniRedis(t)
	p := newProvider(seedToken)
	p.lenient = true
	first := newKeeper(t, client, p)
	mustToken(t, first)
	newKey := seal.NewKey()

	// A replica that has the old key as well loses nothing.
	rotated := newKeeper(t, client, p, func(d *Deps) { d.Sealer = mustSealer(t, newKey, testKey) })
	if got := mustToken(t, rotated); got != "token-access-1" {
		t.Errorf("with the previous key: %q", got)
	}
	log, lines := newLog(t)
	stranger := newKeeper(t, client, p, func(d *Deps) { d.Sealer, d.Log = mustSealer(t, newKey), log })
	if got := mustToken(t, stranger); got != "token-access-2" {
		t.Errorf("seeded again: %q", got)
	}
	if !strings.Contains(lines.String(), "cannot be opened") {
		t.Errorf("the log does not say so:\n%s", lines)
	}
	// A replica already running does not fight back: it goes on with what it has.
	if got := mustToken(t, first); got != "token-access-1" {
		t.Errorf("the running replica: %q", got)
	}
	s, err := first.Status(t.Context())
	if err == nil || s.State != RefreshFailing || s.LastError != FaultKey || !s.Usable {
		t.Errorf("got %+v, %v", s, err)
	}
	if got, err := rotated.Rejected(t.Context(), "token-access-1"); err != nil || got != "token-access-2" {
		t.Errorf("the replica with both keys follows: %q, %v", got, err)
	}
}

func TestAnAnswerOfRedisThatComesLateIsIgnored(t *testing.T) {
	t.Parallel()
	_, client := miniRedis(t)
	k := newKeeper(t, client, newProvider(seedToken))
	k.timing.rejectPause = 0
	old, err := k.Rejected(t.Context(), mustToken(t, k))
	if err != nil {
		t.Fatal(err)
	}
	late := k.heldEntry()
	fresh, err := k.Rejected(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	k.adopt(late)
	if got := mustToken(t, k); got != fresh {
		t.Errorf("got %q, want %q", got, fresh)
	}
}

func TestPeekChangesNothing(t *testing.T) {
	t.Parallel()
	m, client := miniRedis(t)
	p := newProvider(seedToken)
	stranger := func(d *Deps) { d.Sealer = mustSealer(t, seal.NewKey()) }
	otherSeed := func(d *Deps) { d.SeedRefreshToken = "token-seed-2" }
	peek := func(want Stored, change ...func(*Deps)) {
		t.Helper()
		before := m.Dump()
		got, err := newKeeper(t, client, p, change...).Peek(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(before, m.Dump()); diff != "" {
			t.Errorf("Redis was changed: %s", diff)
		}
	}
	peek(Stored{})
	mustToken(t, newKeeper(t, client, p))
	peek(Stored{Present: true, Readable: true, Ours: true})
	peek(Stored{Present: true, Readable: true}, otherSeed)
	peek(Stored{Present: true}, stranger)
}

func TestRedisHoldsNoToken(t *testing.T) {
	t.Parallel()
	m, client := miniRedis(t)
	p := newProvider(seedToken)
	k := newKeeper(t, client, p)
	k.timing.rejectPause = 0
	token := mustToken(t, k)
	p.set(func(p *provider) { p.dead = true })
	_, _ = k.Rejected(t.Context(), token)
	dump := m.Dump()
	if !strings.Contains(dump, tokensKey) {
		t.Fatalf("nothing stored: %s", dump)
	}
	for _, secret := range []string{"token-", clientSecret, clientID, k.seed.Seed} {
		if strings.Contains(dump, secret) {
			t.Errorf("Redis holds %q", secret)
		}
	}
	for _, key := range m.Keys() {
		if !strings.HasPrefix(key, "patchbay:{serviceapp}:") {
			t.Errorf("key %q has another prefix or hash tag", key)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	clock := newClock()
	_, client := miniRedis(t)
	p := newProvider(seedToken)
	registry := prometheus.NewPedanticRegistry()
	k := newKeeper(t, client, p, func(d *Deps) { d.Metrics, d.Now = registry, clock.Now })
	token := mustToken(t, k)
	clock.advance(time.Hour)
	p.set(func(p *provider) { p.dead = true })
	_, _ = k.Rejected(t.Context(), token)

	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	want := map[string]float64{
		"patchbay_serviceapp_access_token_remaining_seconds":          1209599 - 3600,
		"patchbay_serviceapp_refresh_token_remaining_seconds":         7775999 - 3600,
		"patchbay_serviceapp_last_success_timestamp_seconds":          float64(clock.now.Add(-time.Hour).Unix()),
		"patchbay_serviceapp_state notYet":                            0,
		"patchbay_serviceapp_state working":                           0,
		"patchbay_serviceapp_state refreshFailing":                    0,
		"patchbay_serviceapp_state needsNewTokens":                    1,
		"patchbay_serviceapp_refreshes_total ok":                      1,
		"patchbay_serviceapp_refreshes_total " + string(FaultRefused): 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := New(Deps{
		Redis: client, Sealer: mustSealer(t, testKey), TokenURL: "x", ClientID: "x", ClientSecret: "x", SeedRefreshToken: "x", Metrics: registry,
	}); err == nil {
		t.Error("the same metrics twice in one registry, and no error")
	}
}

func TestEveryStateAndFaultHasItsText(t *testing.T) {
	t.Parallel()
	bundle, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	keys := bundle.Keys()
	wanted := []string{"serviceapp.needsNewTokens", "serviceapp.unavailable"}
	for _, s := range states {
		wanted = append(wanted, s.Text().Key)
	}
	for _, f := range []Fault{FaultRefused, FaultThrottled, FaultUpstream, FaultUnreachable, FaultGarbled, FaultStorage, FaultKey} {
		wanted = append(wanted, f.Text().Key)
	}
	for _, key := range wanted {
		if !slices.Contains(keys, key) {
			t.Errorf("no text for %s", key)
		}
	}
	if !Fault("").Text().IsZero() {
		t.Error("no fault, but a text")
	}
}
