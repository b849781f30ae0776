package webex

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/sony/gobreaker/v2"
)

// Health is what this process has lately seen of Webex.
type Health struct {
	LastSuccess  time.Time // the last answer that was no failure of Webex; zero before the first
	FailingSince time.Time // the first failure after LastSuccess; zero while Webex works
	Open         bool      // calls are not even tried for a moment, because nearly all failed
}

// Health reports what this process has lately seen of Webex.
func (c *Client) Health() Health {
	open := c.breaker.State() == gobreaker.StateOpen // before the lock: OnStateChange takes it
	c.healthMu.Lock()
	defer c.healthMu.Unlock()
	h := c.health
	h.Open = open
	return h
}

// noteHealth remembers the outcome of an attempt. An answer that refuses is an
// answer: Webex works.
func (c *Client) noteHealth(e *Error) {
	outcome := breakerOutcome(e)
	if errors.Is(outcome, errNoOutcome) {
		return
	}
	now := c.now()
	c.healthMu.Lock()
	defer c.healthMu.Unlock()
	switch {
	case outcome == nil:
		c.health.LastSuccess, c.health.FailingSince = now, time.Time{}
	case c.health.FailingSince.IsZero():
		c.health.FailingSince = now
	}
}

// The breaker opens when nearly everything fails, and tries again soon: its
// purpose is to answer at once instead of after a timeout, not to spare Webex.
const (
	breakerWindow   = 10 * time.Second
	breakerRequests = 20
	breakerShare    = 0.9
	breakerOpen     = 3 * time.Second
	breakerTrials   = 3 // requests let through when it is half open
)

var (
	errBroken    = errors.New("not tried: nearly all calls of the last seconds failed")
	errTrying    = errors.New("not tried: after many failures a few calls go first")
	errNoOutcome = errors.New("the caller went away")
)

func (c *Client) newBreaker() *gobreaker.TwoStepCircuitBreaker[struct{}] {
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        "webex",
		MaxRequests: breakerTrials,
		Interval:    breakerWindow, BucketPeriod: time.Second,
		Timeout: breakerOpen,
		ReadyToTrip: func(n gobreaker.Counts) bool {
			ended := n.TotalSuccesses + n.TotalFailures // Requests counts those under way too
			return ended >= breakerRequests && float64(n.TotalFailures) >= breakerShare*float64(ended)
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errNoOutcome) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			c.metrics.breaker.Set(float64(to))
			c.log.Warn("webex circuit breaker changed", "state", to.String())
			if to == gobreaker.StateOpen {
				c.healthMu.Lock()
				c.openedAt = c.now()
				c.healthMu.Unlock()
			}
		},
	})
}

// breakerOutcome is nil for an answer, errNoOutcome for a call that says nothing
// about Webex, and the error for a failure of Webex. A 4xx is an answer, and so
// is 429: throttling has its own pause.
func breakerOutcome(e *Error) error {
	switch {
	case e == nil:
		return nil
	case e.Kind == KindCanceled:
		return errNoOutcome
	case e.Status >= 500, e.Kind == KindTimeout, e.Kind == KindUnavailable:
		return e
	case e.Status < 400: // no answer, or one that cannot be understood
		return errNoOutcome
	default:
		return nil
	}
}

func (c *Client) brokenError(r *request, why error) *Error {
	c.healthMu.Lock()
	left := breakerOpen - c.now().Sub(c.openedAt)
	c.healthMu.Unlock()
	return &Error{Op: r.op, Kind: KindUnavailable, Write: r.write(), RetryAfter: max(left, time.Second), Err: why}
}

// takeBudget waits for the request's place in the fleet's budget.
func (c *Client) takeBudget(ctx context.Context, r *request) *Error {
	if c.budget == nil {
		return nil
	}
	err := c.budget.take(ctx, r.path)
	if err == nil {
		return nil
	}
	var held *heldBack
	if errors.As(err, &held) {
		c.metrics.throttled.WithLabelValues(r.op).Inc()
		return &Error{Op: r.op, Kind: KindThrottled, Write: r.write(), RetryAfter: held.wait, Err: err}
	}
	return &Error{Op: r.op, Kind: contextKind(err), Write: r.write(), Err: err}
}

type metrics struct {
	requests  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	retries   *prometheus.CounterVec
	throttled *prometheus.CounterVec
	breaker   prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	return &metrics{
		requests: f.NewCounterVec(prometheus.CounterOpts{Name: "webex_requests_total",
			Help: "Requests sent to Webex, by operation and class of the answer's status (none: no answer)."}, []string{"op", "status_class"}),
		duration: f.NewHistogramVec(prometheus.HistogramOpts{Name: "webex_request_duration_seconds",
			Help: "Time until the whole answer was read.", Buckets: []float64{.05, .1, .2, .4, .8, 1.6, 3.2, 6.4, 12.8}}, []string{"op"}),
		retries: f.NewCounterVec(prometheus.CounterOpts{Name: "webex_retries_total",
			Help: "Reads that were sent again."}, []string{"op"}),
		throttled: f.NewCounterVec(prometheus.CounterOpts{Name: "webex_throttled_total",
			Help: "Requests that Webex throttled or that the portal's own budget held back too long."}, []string{"op"}),
		breaker: f.NewGauge(prometheus.GaugeOpts{Name: "webex_circuit_breaker_state",
			Help: "0 closed, 1 half open, 2 open: calls are not tried."}),
	}
}

func (m *metrics) observe(op string, status int, elapsed time.Duration) {
	class := "none"
	if status != 0 {
		class = strconv.Itoa(status/100) + "xx"
	}
	m.requests.WithLabelValues(op, class).Inc()
	m.duration.WithLabelValues(op).Observe(elapsed.Seconds())
}
