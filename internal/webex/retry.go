package webex

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

const (
	maxRepeats     = 2
	shortRetry     = 3 * time.Second        // the longest Retry-After that is worth waiting for
	baseBackoff    = 200 * time.Millisecond // doubles with each repeat; the wait is random below it
	leastTimeLeft  = 200 * time.Millisecond // a call seldom takes less (LIMITS.md, section 6)
	retryShare     = 0.2                    // repeats for each request
	retryFloor     = 0.5                    // repeats a second that are always allowed
	retryBurst     = 10                     // repeats that may be saved up
	maxTruncated   = 1                      // repeats of an answer that was cut off
	throttledExtra = 50 * time.Millisecond  // Webex counts whole seconds; not to be early
)

// retryIn decides whether the call is sent again, and after what wait. Only
// reads are: Webex knows no idempotency key.
func (c *Client) retryIn(ctx context.Context, r *request, e *Error, repeat int) (time.Duration, bool) {
	if r.write() || repeat >= maxRepeats {
		return 0, false
	}
	wait := time.Duration(rand.Int64N(int64(baseBackoff << repeat)))
	switch {
	case e.Status == http.StatusTooManyRequests:
		wait += e.RetryAfter + throttledExtra
	case e.Status == http.StatusBadGateway, e.Status == http.StatusServiceUnavailable, e.Status == http.StatusGatewayTimeout:
		wait = max(wait, e.RetryAfter)
	case errors.Is(e.Err, errTruncated):
		if repeat >= maxTruncated {
			return 0, false
		}
	case errors.Is(e.Err, errBroken):
		return 0, false
	case errors.Is(e.Err, errTrying):
		wait += baseBackoff // until those who go first are back
	case e.Status == 0 && e.Kind == KindUnavailable:
	default:
		return 0, false
	}
	if e.RetryAfter > shortRetry {
		return 0, false
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait+leastTimeLeft {
		return 0, false
	}
	return wait, c.retries.withdraw()
}

// retryBudget bounds the repeats of the whole process to a share of its
// requests, so that an outage is not made worse by everybody asking thrice.
type retryBudget struct {
	now    func() time.Time
	mu     sync.Mutex
	tokens float64
	filled time.Time
}

func newRetryBudget(now func() time.Time) *retryBudget {
	return &retryBudget{now: now, tokens: retryBurst, filled: now()}
}

func (b *retryBudget) deposit() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens+retryShare, retryBurst)
}

func (b *retryBudget) withdraw() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.tokens = min(b.tokens+retryFloor*now.Sub(b.filled).Seconds(), retryBurst)
	b.filled = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
