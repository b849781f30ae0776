// Package webex is the client of the Webex REST API: transport, errors, paging,
// retries, throttling, and typed resources. It knows nothing of who is signed
// in; the bearer token comes from [Tokens].
//
// Facts about the API that the code relies on come from Cisco's OpenAPI
// documents ("spec"), from jeokrohn/wxc_sdk 1.37.0 ("sdk") and from the page
// "REST API Basics" of the Webex developer documentation ("basics").
package webex

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
)

// Tokens gives the bearer token of the calls.
type Tokens interface {
	// AccessToken is the token to use now.
	AccessToken(ctx context.Context) (string, error)
	// Rejected says that Webex answered 401 to token and asks which one to repeat the
	// call with. It may be the same: a single 401 may be Webex's mistake.
	Rejected(ctx context.Context, token string) (string, error)
}

// Options are what a Client needs. Only BaseURL and Tokens have no default.
type Options struct {
	BaseURL      string                // "https://webexapis.com/v1", without a trailing slash
	Tokens       Tokens                // the service app's token
	Budget       *Budget               // nil sends without a limit
	Log          *slog.Logger          // nil is silent
	Metrics      prometheus.Registerer // nil counts for nobody
	Now          func() time.Time      // nil is time.Now
	ReadTimeout  time.Duration         // of one attempt of a GET; 0 is 8 s
	WriteTimeout time.Duration         // of one attempt of anything else; 0 is 15 s
	Transport    http.RoundTripper     // nil is NewTransport()
}

// Limits of one process. The semaphores keep a slow Webex from collecting
// goroutines and connections; sdk allows itself 10 requests at once (base.py).
const (
	maxInFlight   = 32
	maxBackground = 8
	maxBody       = 4 << 20  // bytes of a decoded answer
	maxErrorBody  = 64 << 10 // bytes of a decoded error answer that are looked at
)

// Client sends requests to one Webex host. It is safe for concurrent use.
type Client struct {
	base         string
	baseURL      *url.URL
	tokens       Tokens
	budget       *Budget
	log          *slog.Logger
	metrics      *metrics
	now          func() time.Time
	readTimeout  time.Duration
	writeTimeout time.Duration
	http         *http.Client
	breaker      *gobreaker.TwoStepCircuitBreaker[struct{}]
	retries      *retryBudget
	inFlight     chan struct{}
	background   chan struct{}

	healthMu sync.Mutex
	health   Health
	openedAt time.Time // when the breaker opened last
}

// NewClient makes a Client. It sends nothing.
func NewClient(o Options) *Client {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = 8 * time.Second
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = 15 * time.Second
	}
	if o.Transport == nil {
		o.Transport = NewTransport()
	}
	base := strings.TrimRight(o.BaseURL, "/")
	baseURL, err := url.Parse(base)
	if err != nil {
		baseURL = &url.URL{} // every request will fail and say why
	}
	c := &Client{
		base: base, baseURL: baseURL,
		tokens: o.Tokens, budget: o.Budget, log: o.Log, metrics: newMetrics(o.Metrics), now: o.Now,
		readTimeout: o.ReadTimeout, writeTimeout: o.WriteTimeout,
		http: &http.Client{
			Transport: o.Transport,
			// A redirect would carry the token to wherever it points.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		retries:    newRetryBudget(o.Now),
		inFlight:   make(chan struct{}, maxInFlight),
		background: make(chan struct{}, maxBackground),
	}
	c.breaker = c.newBreaker()
	return c
}

// Close closes the connections that are idle. Calls under way go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Priority says who waits for the answer.
type Priority int

// The priorities. Interactive requests take the budget first; background ones
// use what is left, and a guaranteed tenth of it.
const (
	Interactive Priority = iota
	Background
)

type (
	priorityKey struct{}
	callerKey   struct{}
)

// WithPriority marks the requests made with the returned context. Without it a
// request is Interactive.
func WithPriority(ctx context.Context, p Priority) context.Context {
	return context.WithValue(ctx, priorityKey{}, p)
}

// WithCaller names the person on whose behalf requests are made, so that one
// person cannot use up the budget of all.
func WithCaller(ctx context.Context, personID string) context.Context {
	return context.WithValue(ctx, callerKey{}, personID)
}

func priority(ctx context.Context) Priority {
	p, _ := ctx.Value(priorityKey{}).(Priority)
	return p
}

func caller(ctx context.Context) string {
	id, _ := ctx.Value(callerKey{}).(string)
	return id
}
