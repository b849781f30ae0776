package webexsim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"patchbay/internal/contract"
)

// Options describe a simulated Webex. The zero value is a small company without trouble.
type Options struct {
	People int   // 0 = a small company
	Teams  int   // so many more queues, "Team 01" and so on, of ten agents each who are in no other team; there are people enough for them
	Seed   int64 // the same seed makes the same organization

	Latency  time.Duration // of every API answer; SetLatency changes it
	PageSize int           // most items on a page, whatever max says; 0 = 5, so that paging code breaks early

	// RateLimit is how many requests a minute the organization may send; 0 = any.
	// Above it, 429 with a Retry-After and a body of HTML. SetRateLimit changes it.
	RateLimit int

	// CheckContract holds every API request against internal/contract, refuses
	// what does not fit with 400 and remembers it (Violations). New loads the
	// contract then, which takes a good part of a second, once per process.
	CheckContract bool

	RedirectURIs []string // allowed prefixes of redirect URIs; empty = any loopback address

	AccessTokenLifetime  time.Duration // 0 = 14 days less a second, as documented
	RefreshTokenLifetime time.Duration // 0 = 90 days less a second
	RotateRefreshTokens  bool          // each refresh gives another refresh token, and the old one ends

	// SameTokenWithin is how long a repeated refresh answers the same tokens with the
	// same ends (AUTH.md 2.2: about a day). 0 = a day or a fourteenth of the lifetime,
	// whichever is less; negative = never.
	SameTokenWithin time.Duration

	Scopes []string // of the service app; nil = all that the operations need

	Variant

	Now func() time.Time // nil = time.Now
	Log *slog.Logger     // nil = nothing is logged
}

// Variant are behaviours of Webex of which nobody here knows for sure which is
// right. SetVariant changes them at run time.
type Variant struct {
	EmptyAgent           bool `json:"emptyAgent"`           // a person who is no agent gets 200 with no queues, not 404
	UnlicensedStatus     int  `json:"unlicensedStatus"`     // calling paths of a person without Calling; 0 = 404
	OAuthErrors          bool `json:"oauthErrors"`          // token errors in the shape of RFC 6749, not Webex's
	RefreshEndsOldToken  bool `json:"refreshEndsOldToken"`  // a refresh invalidates the access token before it
	OmitScope            bool `json:"omitScope"`            // token answers do not name the scopes
	OmitRefreshToken     bool `json:"omitRefreshToken"`     // refresh answers without a refresh token
	EmailVerifiedAsBool  bool `json:"emailVerifiedAsBool"`  // userinfo: true, not "true"
	SilentSignInAfterSSO bool `json:"silentSignInAfterSSO"` // /authorize asks only once per browser, as with single sign-on
	KeepOldRefreshTokens bool `json:"keepOldRefreshTokens"` // with RotateRefreshTokens: old ones work until their end
	UnauthorizedNotFound bool `json:"unauthorizedNotFound"` // a scope that is missing gives 404, not 403

	QueueSettingsRequired bool `json:"queueSettingsRequired"` // a change of a queue without queueSettings is refused
}

// Sim is a Webex organization in a box. It is safe for concurrent use.
type Sim struct {
	opts Options
	now  func() time.Time
	log  *slog.Logger
	mux  *http.ServeMux

	mu         sync.RWMutex // guards what follows
	org        *org
	latency    time.Duration
	variant    Variant
	signIn     SignIn
	violations []string

	limit    limiter
	refusals atomic.Uint32 // how many refusals there were
	faults   *faults
	history  history
	tokens   *tokens
}

// New makes a simulator.
func New(o Options) (*Sim, error) {
	if o.People < 0 || o.People > 1_000_000 {
		return nil, fmt.Errorf("webexsim: %d people", o.People)
	}
	if o.Teams < 0 || o.Teams > 1000 {
		return nil, fmt.Errorf("webexsim: %d teams", o.Teams)
	}
	if o.PageSize == 0 {
		o.PageSize = 5
	}
	if o.AccessTokenLifetime == 0 {
		o.AccessTokenLifetime = 1209599 * time.Second
	}
	if o.RefreshTokenLifetime == 0 {
		o.RefreshTokenLifetime = 7775999 * time.Second
	}
	if o.SameTokenWithin == 0 {
		o.SameTokenWithin = min(24*time.Hour, o.AccessTokenLifetime/14)
	}
	if o.Scopes == nil {
		o.Scopes = AllScopes()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.CheckContract {
		if _, err := contract.Load(); err != nil {
			return nil, fmt.Errorf("webexsim: %w", err)
		}
	}
	s := &Sim{opts: o, now: o.Now, log: o.Log, latency: o.Latency, variant: o.Variant}
	s.limit.set(o.RateLimit, 0)
	s.populate(o.Seed, o.People)
	s.faults = newFaults(o.Seed)
	s.tokens = newTokens(s)
	s.routes()
	return s, nil
}

func (s *Sim) populate(seed int64, people int) {
	o := newOrg(seed, people, s.opts.Teams)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.org, s.signIn, s.violations = o, SignIn{}, nil
}

// Reset puts the organization back to its beginning, clears faults, history,
// violations and sign-in overrides, and takes latency, rate limit and variant from
// the options again. Tokens stay: the portal goes on.
func (s *Sim) Reset() {
	s.mu.RLock()
	seed, people := s.org.seed, len(s.org.people)
	s.mu.RUnlock()
	s.Seed(seed, people)
}

// Seed replaces the organization by another; otherwise it is Reset. People who are
// signed in at the portal are strangers to the new organization, unless the seed is the same.
func (s *Sim) Seed(seed int64, people int) {
	s.populate(seed, people)
	s.ClearFaults()
	s.history.clear()
	s.mu.Lock()
	s.variant, s.latency = s.opts.Variant, s.opts.Latency
	s.mu.Unlock()
	s.limit.set(s.opts.RateLimit, 0)
}

// Handler serves Webex: everything under /v1, and SCIM under /identity.
func (s *Sim) Handler() http.Handler { return s.mux }

// SetFault sets or replaces (by ID) a fault and returns its id. It panics on an
// unknown kind: that is a mistake in a test.
func (s *Sim) SetFault(f Fault) string {
	if err := f.check(); err != nil {
		panic("webexsim: " + err.Error())
	}
	f.Path = strings.TrimPrefix(f.Path, "/v1")
	return s.faults.set(f)
}

// ClearFault removes one fault, ClearFaults all of them.
func (s *Sim) ClearFault(id string) { s.faults.remove(func(f Fault) bool { return f.ID == id }) }

// ClearFaults removes every fault.
func (s *Sim) ClearFaults() { s.faults.remove(func(Fault) bool { return true }) }

// Requests are the requests since the start or ClearRequests, oldest first.
func (s *Sim) Requests() []Record { return s.history.all() }

// ClearRequests forgets the requests so far.
func (s *Sim) ClearRequests() { s.history.clear() }

// Violations are what was wrong with requests; filled with Options.CheckContract.
func (s *Sim) Violations() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]string(nil), s.violations...)
}

func (s *Sim) violate(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = append(s.violations, text)
	s.log.Warn("request breaks the contract", "violation", text)
}

// SetLatency changes how long every answer takes.
func (s *Sim) SetLatency(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latency = d
}

// SetVariant changes the uncertain behaviours.
func (s *Sim) SetVariant(v Variant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.variant = v
}

func (s *Sim) currentVariant() Variant {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.variant
}

// SetRateLimit changes Options.RateLimit. retryAfter is what a 429 says; 0 = the
// time until a request is allowed again.
func (s *Sim) SetRateLimit(perMinute int, retryAfter time.Duration) {
	s.limit.set(perMinute, retryAfter)
}

// limiter counts requests in the last minute.
type limiter struct {
	mu         sync.Mutex
	perMinute  int
	retryAfter time.Duration
	recent     []time.Time
}

func (l *limiter) set(perMinute int, retryAfter time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.perMinute, l.retryAfter, l.recent = perMinute, retryAfter, nil
}

// take says how long to wait; 0 = go on.
func (l *limiter) take(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.perMinute <= 0 {
		return 0
	}
	old := 0
	for old < len(l.recent) && now.Sub(l.recent[old]) >= time.Minute {
		old++
	}
	l.recent = l.recent[old:]
	if len(l.recent) < l.perMinute {
		l.recent = append(l.recent, now)
		return 0
	}
	if l.retryAfter > 0 {
		return l.retryAfter
	}
	return time.Minute - now.Sub(l.recent[0])
}

// Server is a simulator with its two listeners.
type Server struct {
	*Sim
	BaseURL    string // of the APIs, "http://127.0.0.1:12345/v1"
	ControlURL string // of the control plane, "http://127.0.0.1:12346"

	stop func() error
}

// Start runs a simulator on two free ports of the loopback interface until
// Close, or until ctx ends.
func Start(ctx context.Context, o Options) (*Server, error) {
	sim, err := New(o)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	api, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("webexsim: %w", err)
	}
	control, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("webexsim: %w", err), api.Close())
	}
	// Requests that hang on purpose end with this context, so that Close does not wait for them.
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	servers := []*http.Server{serve(base, api, sim.Handler()), serve(base, control, sim.Control())}
	end := sync.OnceValue(func() error {
		cancel()
		return errors.Join(servers[0].Close(), servers[1].Close())
	})
	forget := context.AfterFunc(ctx, func() { _ = end() })
	stop := func() error {
		forget()
		return end()
	}
	return &Server{
		Sim: sim, BaseURL: "http://" + api.Addr().String() + "/v1", ControlURL: "http://" + control.Addr().String(), stop: stop,
	}, nil
}

func serve(ctx context.Context, l net.Listener, h http.Handler) *http.Server {
	srv := &http.Server{
		Handler: h, BaseContext: func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	go func() { _ = srv.Serve(l) }() // ends with Close, and says only that
	return srv
}

// Close ends both listeners and every request. It may be called more than once.
func (s *Server) Close() error { return s.stop() }
