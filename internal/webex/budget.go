package webex

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed budget.lua
var budgetScript string

const budgetKeys = "patchbay:{webex-budget}:"

const (
	burstSeconds   = 10                    // of the rate may go out at once, after a quiet time
	leastBurst     = 20                    // one page's worth for two people
	callerShare    = 2                     // one person may take 1/2 of the rate,
	callerBurst    = 40                    // and that many at once
	laneShare      = 10                    // background work always gets 1/10 of the rate
	defaultWait    = time.Minute           // of a request whose context has no deadline
	shortPause     = 2 * time.Second       // the longest pause that is waited for
	redisTimeout   = time.Second           // then the local fallback decides
	redisRecheck   = 2 * time.Second       // how long the fallback decides alone
	fallbackShare  = 4                     // without Redis a process takes 1/4 of the rate
	defaultPause   = 5 * time.Second       // after a 429 without Retry-After (sdk rest.py)
	pollJitter     = 40 * time.Millisecond // so that those who ask again do not meet
	leastPoll      = 10 * time.Millisecond
	outOfRateSpare = 0.98 // of the rate is used: requests go out a little late at times
)

// Budget keeps all replicas of the portal together under Webex's limit, which
// is one for the whole service app: "most REST APIs allow about 300 requests
// per minute", shared per token identity (basics). In no minute does it let
// more than its number of requests pass: what may go out at once after a quiet
// time comes off the steady rate.
//
// Interactive requests reserve their place and wait for it; one whose place
// would come after its deadline is told so at once and reserves nothing.
// Background requests go while at least half of the bucket is left, and in a
// lane of their own a tenth of the rate. One caller gets at most half.
type Budget struct {
	rdb   redis.UniversalClient
	log   *slog.Logger
	rate  rate
	local *localBudget

	mu       sync.Mutex
	redisOff time.Time // until then Redis is not asked
}

// rate is a number of requests per minute as GCRA wants it.
type rate struct {
	burst    int           // requests at once
	interval time.Duration // between requests after that
}

func newRate(perMinute int) rate {
	burst := max(1, min(max(leastBurst, perMinute*burstSeconds/60), perMinute/2))
	steady := max(outOfRateSpare*float64(perMinute)-float64(burst), 0.25*float64(perMinute), 0.5)
	return rate{burst: burst, interval: time.Duration(float64(time.Minute) / steady)}
}

// NewBudget makes the budget of perMinute requests that all processes on this
// Redis share. Redis being away does not stop the portal: each process then
// takes a quarter of the rate on its own.
func NewBudget(rdb redis.UniversalClient, perMinute int, log *slog.Logger) *Budget {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Budget{
		rdb: rdb, log: log, rate: newRate(max(perMinute, 1)),
		local: &localBudget{rate: newRate(max(perMinute/fallbackShare, 1)), paused: map[string]time.Time{}},
	}
}

// heldBack says that a request would have to wait too long.
type heldBack struct {
	wait   time.Duration
	paused bool // Webex asked for it
}

func (h *heldBack) Error() string {
	if h.paused {
		return fmt.Sprintf("not sent: webex has throttled these calls for another %s", h.wait.Round(time.Millisecond))
	}
	return fmt.Sprintf("not sent: the budget has no place for another %s", h.wait.Round(time.Millisecond))
}

// What the script answers; see budget.lua.
const (
	budgetGo = iota
	budgetAskAgain
	budgetTooLate
	budgetPaused
	budgetCallerReserved
)

// reservation is what a request asks the budget for.
type reservation struct {
	family     string
	caller     string // empty without, or once the caller's own place is reserved
	background bool
	longest    time.Duration // the longest wait that is worth it
}

// take waits for the place of one request of the family (an operation's path
// template). It returns a *heldBack, or the error of ctx.
func (b *Budget) take(ctx context.Context, family string) error {
	ask := reservation{family: family, caller: caller(ctx), background: priority(ctx) == Background}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		ask.longest = longestWait(ctx)
		what, wait, err := b.reserve(ctx, ask)
		if err != nil {
			return err
		}
		switch what {
		case budgetGo:
			return sleep(ctx, wait)
		case budgetAskAgain:
			wait = max(wait, leastPoll) + rand.N(pollJitter)
		case budgetCallerReserved:
			ask.caller = ""
		default:
			return &heldBack{wait: wait, paused: what == budgetPaused}
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func longestWait(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return defaultWait
	}
	return max(time.Until(deadline)-leastTimeLeft, 0)
}

// reserve asks Redis, or the local fallback while Redis is away.
func (b *Budget) reserve(ctx context.Context, ask reservation) (what int, wait time.Duration, err error) {
	if left := b.local.pausedFor(ask.family, time.Now()); left > shortPause {
		return budgetPaused, left, nil
	}
	if b.redisAway() {
		what, wait = b.local.reserve(time.Now(), ask)
		return what, wait, nil
	}
	callerKey, callerInterval := "main", time.Duration(0)
	if ask.caller != "" {
		sum := sha256.Sum256([]byte(ask.caller)) // the key names nobody
		callerKey, callerInterval = "caller:"+hex.EncodeToString(sum[:8]), b.rate.interval*callerShare
	}
	background := 0
	if ask.background {
		background = 1
	}
	keys := []string{budgetKeys + "main", budgetKeys + "lane", budgetKeys + callerKey, budgetKeys + "pause:" + ask.family}
	callCtx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	reply, err := reserveScript.Run(callCtx, b.rdb, keys,
		b.rate.interval.Microseconds(), b.rate.burst, (b.rate.interval * laneShare).Microseconds(),
		callerInterval.Microseconds(), callerBurst, background,
		ask.longest.Microseconds(), shortPause.Microseconds()).Int64Slice()
	if ctx.Err() != nil {
		return 0, 0, ctx.Err()
	}
	if err == nil && len(reply) != 2 {
		err = errors.New("the budget script answered oddly")
	}
	b.noteRedis(err)
	if err != nil {
		what, wait = b.local.reserve(time.Now(), ask)
		return what, wait, nil
	}
	return int(reply[0]), time.Duration(reply[1]) * time.Microsecond, nil
}

// pause stops the family on all replicas for d, because Webex answered 429.
func (b *Budget) pause(ctx context.Context, family string, d time.Duration) {
	d = min(d, maxRetryAfter)
	b.local.pause(family, time.Now().Add(d))
	if b.redisAway() {
		return
	}
	// The others must learn of it even when this caller is going away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisTimeout)
	defer cancel()
	b.noteRedis(pauseScript.Run(ctx, b.rdb, []string{budgetKeys + "pause:" + family}, d.Microseconds()).Err())
}

var (
	reserveScript = redis.NewScript(budgetScript)
	pauseScript   = redis.NewScript(`
local t = redis.call("TIME")
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local stop = now + tonumber(ARGV[1])
if stop > tonumber(redis.call("GET", KEYS[1]) or "0") then
  redis.call("SET", KEYS[1], string.format("%.0f", stop), "PX", math.ceil(tonumber(ARGV[1]) / 1000))
end
return 0`)
)

func (b *Budget) redisAway() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Before(b.redisOff)
}

// noteRedis remembers whether Redis answered and logs each change once.
func (b *Budget) noteRedis(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := !b.redisOff.IsZero()
	if err == nil {
		b.redisOff = time.Time{}
	} else {
		b.redisOff = time.Now().Add(redisRecheck)
	}
	switch {
	case err != nil && !was:
		b.log.Warn("webex budget: redis is away, each process limits itself", "error", err)
	case err == nil && was:
		b.log.Info("webex budget: redis is back")
	}
}

// localBudget is the budget of one process: what paused here, and the limiter
// of the time without Redis.
type localBudget struct {
	rate rate

	mu     sync.Mutex
	tat    time.Time // when the bucket is full again
	paused map[string]time.Time
}

func (l *localBudget) pause(family string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.paused[family]) {
		l.paused[family] = until
	}
}

func (l *localBudget) pausedFor(family string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.paused[family].Sub(now)
}

// reserve decides as the script does, without lane and callers.
func (l *localBudget) reserve(now time.Time, ask reservation) (what int, wait time.Duration) {
	if left := l.pausedFor(ask.family, now); left > 0 {
		if left > min(shortPause, ask.longest) {
			return budgetPaused, left
		}
		return budgetAskAgain, left
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	tat := now
	if l.tat.After(now) {
		tat = l.tat
	}
	keep := l.rate.burst - 1
	if ask.background {
		keep = l.rate.burst / 2
	}
	wait = max(tat.Add(-time.Duration(keep)*l.rate.interval).Sub(now), 0)
	switch {
	case wait > ask.longest:
		return budgetTooLate, wait
	case wait > 0 && ask.background:
		return budgetAskAgain, wait
	}
	l.tat = tat.Add(l.rate.interval)
	return budgetGo, wait
}
