// Package serviceapp keeps the tokens of the service app, in whose name the
// portal talks to Webex: it seeds them, stores them sealed, refreshes them in
// the background well before they end, and says how they are.
//
// All replicas share one pair of tokens in Redis. A refresh may invalidate the
// refresh token it used, so no replica may ever use an old one or lose a new
// one. Four things see to that: a lock, so that one replica refreshes at a time;
// what is stored is read again once the lock is held; the save is fenced by a
// version, so that a holder who comes back late changes nothing; and every
// replica remembers the newest tokens it has seen, and puts them back when Redis
// has lost them.
package serviceapp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"

	"patchbay/internal/problem"
	"patchbay/internal/redislock"
	"patchbay/internal/seal"
)

const (
	day            = 24 * time.Hour
	warnBefore     = 14 * day // how long before the refresh token's end warnings begin
	requestTimeout = 20 * time.Second
)

// The causes inside the problems that the keeper returns.
var (
	// ErrNeedsNewTokens means that Webex refused the refresh token for good. An
	// operator must make a new one.
	ErrNeedsNewTokens = errors.New("the service app needs new tokens")
	// ErrNoToken means that there is no usable access token now; one is tried for.
	ErrNoToken = errors.New("there is no usable service-app token at the moment")

	errUnreadable = errors.New("the stored service-app tokens were sealed with a key that this replica does not have")
)

// Deps is what a Keeper needs. HTTPClient, Now, Log and Metrics may be nil.
type Deps struct {
	Redis            redis.UniversalClient
	Sealer           *seal.Sealer
	HTTPClient       *http.Client // without a Timeout it gets one; it never follows redirects
	TokenURL         string
	ClientID         string
	ClientSecret     string
	SeedRefreshToken string // used when nothing is stored, or what is stored came from another seed
	Now              func() time.Time
	Log              *slog.Logger
	Metrics          prometheus.Registerer
}

// timing is fixed but for the tests.
type timing struct {
	poll        time.Duration // how often Run looks at what is stored
	lease       time.Duration // of the lock; longer than a request, and renewed
	redis       time.Duration // limit of one conversation with Redis
	renewal     time.Duration // limit of one refresh with everything around it
	save        time.Duration // between two tries to save tokens while Redis is down
	rejectPause time.Duration // a token younger than this is not refreshed because of a 401
	// quiet is how long nobody refreshes once Redis is back: a replica that was
	// refreshing when it went away has this long to save what it got. Longer than
	// save and the pause of go-redis between two dials (1 s).
	quiet time.Duration
}

var usualTiming = timing{
	poll: 10 * time.Second, lease: 30 * time.Second, redis: 3 * time.Second, renewal: time.Minute,
	save: 250 * time.Millisecond, rejectPause: 10 * time.Second, quiet: 4 * time.Second,
}

// Keeper keeps the tokens. Its methods may be called from many goroutines.
type Keeper struct {
	store       store
	refresher   *refresher
	seed        tokens
	credentials string // fingerprint of the client, which a refusal belongs to
	now         func() time.Time
	log         *slog.Logger
	timing      timing
	refreshes   *prometheus.CounterVec
	flight      singleflight.Group // "look" and "renew", each once per process

	mu         sync.Mutex
	held       entry     // the newest that is known to be stored
	unsaved    *entry    // got from Webex, not stored yet
	settled    bool      // the seed was compared with what is stored
	trouble    Fault     // what keeps this replica from using the store
	quietUntil time.Time // no refresh before
	due        time.Time // of held
	dueVersion int64     // which version due belongs to

	reported Status    // what was logged last
	warnedAt time.Time // when an operator was last reminded
}

// New checks d and reports every fault at once. It talks to nobody.
func New(d Deps) (*Keeper, error) {
	var faults []error
	for name, missing := range map[string]bool{
		"Redis": d.Redis == nil, "Sealer": d.Sealer == nil, "TokenURL": d.TokenURL == "",
		"ClientID": d.ClientID == "", "ClientSecret": d.ClientSecret == "", "SeedRefreshToken": d.SeedRefreshToken == "",
	} {
		if missing {
			faults = append(faults, fmt.Errorf("serviceapp: %s is missing", name))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	k := &Keeper{
		store:       store{redis: d.Redis, sealer: d.Sealer},
		refresher:   newRefresher(d),
		seed:        tokens{Refresh: d.SeedRefreshToken, Seed: fingerprint(d.SeedRefreshToken)},
		credentials: fingerprint(d.TokenURL, d.ClientID, d.ClientSecret),
		now:         d.Now, log: cmp.Or(d.Log, slog.New(slog.DiscardHandler)), timing: usualTiming,
		refreshes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "patchbay_serviceapp_refreshes_total", Help: "Refreshes of the service-app tokens by how they ended.",
		}, []string{"result"}),
	}
	if d.Metrics != nil {
		for _, c := range []prometheus.Collector{k.refreshes, collector{k}} {
			if err := d.Metrics.Register(c); err != nil {
				return nil, fmt.Errorf("serviceapp: register metrics: %w", err)
			}
		}
	}
	return k, nil
}

// Run keeps the tokens fresh until ctx ends, then finishes a refresh that is
// under way and returns nil. No fault of Webex or Redis ends it.
func (k *Keeper) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		_ = sleep(ctx, k.step(ctx))
	}
	// The last words outlive ctx: tokens in hand must be stored.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.timing.renewal)
	defer cancel()
	for _, name := range []string{"renew", "look"} {
		<-k.flight.DoChan(name, func() (any, error) { return entry{}, nil }) // joins one under way
	}
	if err := k.saveUnsaved(end); err != nil {
		k.log.Error("service-app tokens could not be saved", "error", err)
	}
	return nil
}

// step does what is due and says when to look again.
func (k *Keeper) step(ctx context.Context) time.Duration {
	cur, err := k.look(ctx)
	if err == nil && !k.now().Before(k.dueTime()) && k.blocked(cur) == nil {
		_ = k.renew(ctx, cur) // logged and counted where it happens
	}
	k.report()

	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.unsaved != nil:
		return k.timing.save
	case k.trouble != "":
		return min(time.Second, k.timing.poll)
	}
	wait := k.timing.poll
	next := k.due
	if k.held.attempt.NotBefore.After(next) {
		next = k.held.attempt.NotBefore
	}
	if until := next.Sub(k.now()); until > 0 {
		wait = min(wait, until)
	}
	return wait
}

// AccessToken returns an access token that has not ended: from memory, which Run
// keeps close to what is stored; else from Redis; else by a refresh, which the
// first caller after a new seed starts and all others await. The error is a
// *problem.Error around ErrNeedsNewTokens or ErrNoToken, or ctx's.
func (k *Keeper) AccessToken(ctx context.Context) (string, error) {
	if token, ok := k.usableToken(""); ok {
		return token, nil
	}
	cur, err := k.look(ctx)
	if token, ok := k.usableToken(""); ok {
		return token, nil
	}
	if err == nil {
		err = k.renew(ctx, cur)
	}
	if token, ok := k.usableToken(""); ok {
		return token, nil
	}
	return "", k.problem(ctx, err)
}

// Rejected returns the access token to repeat a call with that Webex answered 401:
// what is stored by now, or else what one refresh by the whole fleet gives. That may
// be the same token again: Webex gives it out for a while, and a single 401 may be
// Webex's mistake. The error is a *problem.Error around ErrNeedsNewTokens or
// ErrNoToken, or ctx's.
func (k *Keeper) Rejected(ctx context.Context, token string) (string, error) {
	if other, ok := k.usableToken(token); ok {
		return other, nil
	}
	cur, err := k.look(ctx)
	if other, ok := k.usableToken(token); ok {
		return other, nil
	}
	if err != nil {
		return "", k.problem(ctx, err)
	}
	// A token that is this young will not get better by asking again; every caller
	// of every replica would, as often as people click.
	if k.now().Sub(cur.tokens.FetchedAt) >= k.timing.rejectPause {
		if err := k.renew(ctx, cur); err != nil {
			return "", k.problem(ctx, err)
		}
	}
	// Tokens that live shortly may have ended meanwhile.
	return k.AccessToken(ctx)
}

// Status reads what is stored and says how the tokens are. When Redis does not
// answer it says what this replica remembers, together with the error.
func (k *Keeper) Status(ctx context.Context) (Status, error) {
	_, err := k.look(ctx)
	return k.status(), err
}

// usableToken finds a token other than not. Tokens that could not be saved yet
// come second: what is stored is what the rest of the fleet has.
func (k *Keeper) usableToken(not string) (string, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if t := k.held.tokens; usable(t, now) && t.Access != not {
		return t.Access, true
	}
	if k.unsaved != nil && usable(k.unsaved.tokens, now) && k.unsaved.tokens.Access != not {
		return k.unsaved.tokens.Access, true
	}
	return "", false
}

func usable(t tokens, now time.Time) bool {
	return t.Access != "" && (t.AccessExpires.IsZero() || now.Before(t.AccessExpires))
}

// refused reports whether a failed attempt was a permanent refusal. One that met
// other credentials (a client secret since mended) says nothing about ours.
func (k *Keeper) refused(a attempt) bool {
	return a.Fault == FaultRefused && a.Credentials == k.credentials
}

// blocked says why cur must not be refreshed now; nil if it may be.
func (k *Keeper) blocked(cur entry) error {
	if k.refused(cur.attempt) {
		return ErrNeedsNewTokens
	}
	if cur.attempt.Fault != FaultRefused && k.now().Before(cur.attempt.NotBefore) {
		return ErrNoToken
	}
	return nil
}

// problem says err to a person.
func (k *Keeper) problem(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("await a service-app token: %w", ctx.Err())
	}
	if errors.Is(err, ErrNeedsNewTokens) {
		return problem.New(problem.Unavailable, "serviceapp.needsNewTokens").Because(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	p := problem.New(problem.Unavailable, "serviceapp.unavailable")
	p.RetryAfter = max(k.held.attempt.NotBefore.Sub(k.now()), time.Second)
	if err == nil || errors.Is(err, ErrNoToken) {
		return p.Because(ErrNoToken)
	}
	return p.Because(errors.Join(ErrNoToken, err))
}

// look is reconcile once for all who ask at the same time.
func (k *Keeper) look(ctx context.Context) (entry, error) {
	looked := k.flight.DoChan("look", func() (any, error) { return k.reconcile(context.WithoutCancel(ctx)) })
	select {
	case result := <-looked:
		return result.Val.(entry), result.Err
	case <-ctx.Done():
		return entry{}, ctx.Err()
	}
}

// reconcile reads what is stored, makes it and memory agree, and returns what
// both are then. With an error it returns what is in memory.
func (k *Keeper) reconcile(ctx context.Context) (entry, error) {
	ctx, cancel := context.WithTimeout(ctx, k.timing.redis)
	defer cancel()
	for {
		cur, err := k.store.load(ctx)
		if err != nil {
			return k.lost(FaultStorage, err)
		}
		next, replace := k.compare(cur)
		if !replace {
			if cur.unreadable {
				return k.lost(FaultKey, errUnreadable)
			}
			return k.adopt(cur), nil
		}
		saved, err := k.store.save(ctx, cur.version, next)
		if err != nil {
			return k.lost(FaultStorage, err)
		}
		if saved {
			return k.adopt(next), nil
		}
		// Another replica was quicker: see what it stored.
	}
}

// compare says what must replace what is stored, if anything.
func (k *Keeper) compare(cur entry) (next entry, replace bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	newest := k.held
	if k.unsaved != nil && k.unsaved.version > newest.version {
		newest = *k.unsaved
	}
	seeded := entry{version: cur.version + 1, tokens: k.seed}
	switch {
	case cur.version == 0 && newest.version == 0:
		return seeded, true
	case cur.version < newest.version && !cur.unreadable && (cur.version == 0 || cur.tokens.Seed == newest.tokens.Seed):
		// A refresh to be saved; or Redis came back without its latest writes.
		if newest.version == k.held.version {
			k.log.Warn("service-app tokens lost by Redis, put back", "version", newest.version)
			k.quietUntil = k.now().Add(k.timing.quiet)
		}
		return newest, true
	case k.settled:
		// Once running, another seed or key is that of a newer replica, which
		// replaces this one in a moment.
		return entry{}, false
	case cur.unreadable:
		k.log.Error("stored service-app tokens cannot be opened with PORTAL_SECRET_KEY, seeded again")
		return seeded, true
	case cur.tokens.Seed != k.seed.Seed:
		k.log.Info("service-app refresh token in the configuration is new, stored tokens replaced")
		return seeded, true
	}
	return entry{}, false
}

// adopt makes cur, which is stored, what this replica holds. An answer of Redis
// that came late does not replace a newer one.
func (k *Keeper) adopt(cur entry) entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.trouble == FaultStorage {
		k.quietUntil = k.now().Add(k.timing.quiet)
	}
	k.trouble, k.settled = "", true
	sameLine := cur.tokens.Seed == k.held.tokens.Seed
	if sameLine && cur.version < k.held.version {
		return k.held
	}
	if cur.version == k.held.version && k.held.attempt.At.After(cur.attempt.At) {
		cur.attempt = k.held.attempt // could not be recorded
	}
	k.held = cur
	if k.unsaved != nil && (cur.version >= k.unsaved.version || cur.tokens.Seed != k.unsaved.tokens.Seed) {
		k.unsaved = nil
	}
	if k.dueVersion != cur.version {
		k.due, k.dueVersion = due(cur.tokens), cur.version
	}
	return cur
}

// lost remembers why the store is of no use now, and returns what is in memory.
func (k *Keeper) lost(trouble Fault, err error) (entry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trouble = trouble
	return k.held, err
}

func (k *Keeper) dueTime() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.due
}

func (k *Keeper) hasUnsaved() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.unsaved != nil
}

func (k *Keeper) heldEntry() entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.held
}

// renew sees to it that something newer than stale is stored, by one refresh of
// the whole fleet. The work goes on when ctx ends: an answer with a new refresh
// token must not be dropped because a browser went away.
func (k *Keeper) renew(ctx context.Context, stale entry) error {
	for {
		renewed := k.flight.DoChan("renew", func() (any, error) {
			work, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.timing.renewal)
			defer cancel()
			return nil, k.renewOnce(work, stale)
		})
		select {
		case result := <-renewed:
			// A flight joined late may have been for an older entry.
			if result.Err != nil || k.heldEntry().newerThan(stale) {
				return result.Err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// renewOnce takes the lock, for which it may have to await the refresh of
// another replica, and refreshes if that is still needed.
func (k *Keeper) renewOnce(ctx context.Context, stale entry) error {
	if err := k.blocked(k.heldEntry()); err != nil {
		return err
	}
	lock, err := redislock.Acquire(ctx, k.store.redis, lockKey, k.timing.lease)
	if err != nil {
		if ctx.Err() == nil {
			_, err = k.lost(FaultStorage, err)
		}
		return err
	}
	defer lock.Release()
	return k.renewLocked(ctx, stale)
}

// renewLocked is the refresh itself: reload, recheck, ask, save.
func (k *Keeper) renewLocked(ctx context.Context, stale entry) error {
	if err := k.saveUnsaved(ctx); err != nil {
		return err
	}
	cur, err := k.reconcile(ctx)
	if err != nil {
		return err
	}
	if quiet := k.quiet(); quiet > 0 {
		if err := sleep(ctx, quiet); err != nil {
			return err
		}
		if cur, err = k.reconcile(ctx); err != nil {
			return err
		}
	}
	if cur.newerThan(stale) {
		return nil
	}
	if err := k.blocked(cur); err != nil {
		return err
	}
	fresh, failed := k.refresher.refresh(ctx, cur.tokens)
	if failed != nil {
		return k.failed(ctx, cur, failed)
	}
	k.mu.Lock()
	k.unsaved = &entry{version: cur.version + 1, tokens: fresh}
	k.mu.Unlock()
	result := "ok"
	if fresh.Unchanged {
		result = "unchanged"
	}
	k.refreshes.WithLabelValues(result).Inc()
	k.log.Info("service-app tokens refreshed", "version", cur.version+1, "unchanged", fresh.Unchanged,
		"access_expires", fresh.AccessExpires, "refresh_expires", fresh.RefreshExpires)
	return k.saveUnsaved(ctx)
}

// quiet is how long nobody may refresh yet.
func (k *Keeper) quiet() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.quietUntil.Sub(k.now())
}

// saveUnsaved stores tokens in hand, trying again while Redis is down. When ctx
// ends first they stay in hand, and Run goes on trying.
func (k *Keeper) saveUnsaved(ctx context.Context) error {
	for first := true; k.hasUnsaved(); first = false {
		// reconcile saves whatever is newer than what is stored, and gives it up if
		// another replica has stored as new a version.
		if _, err := k.reconcile(ctx); err != nil {
			if first {
				k.log.Error("service-app tokens cannot be saved, tried again", "error", err)
			}
			if sleep(ctx, k.timing.save) != nil {
				return err
			}
		}
	}
	return nil
}

// failed records a failed refresh for the fleet. It is no failure if another
// replica has stored a newer version meanwhile: ours was used up by it.
func (k *Keeper) failed(ctx context.Context, cur entry, f *failure) error {
	k.refreshes.WithLabelValues(string(f.fault)).Inc()
	a := attempt{At: k.now(), Fault: f.fault, Failures: cur.attempt.Failures + 1, Credentials: k.credentials}
	if f.fault != FaultRefused {
		a.NotBefore = a.At.Add(max(f.retryAfter, backoff(a.Failures)))
	}
	k.log.Warn("service-app token refresh failed", "fault", f.fault, "status", f.status, "tracking_id", f.trackingID,
		"cause", f.cause, "failures", a.Failures, "not_before", a.NotBefore)

	noting, cancel := context.WithTimeout(ctx, k.timing.redis)
	defer cancel()
	noted, err := k.store.note(noting, cur.version, a)
	if err == nil && !noted {
		if latest, err := k.reconcile(ctx); err == nil && latest.newerThan(cur) {
			return nil
		}
	}
	k.mu.Lock()
	if k.held.version == cur.version {
		k.held.attempt = a // also when Redis could not take it
	}
	k.mu.Unlock()
	return k.blocked(entry{attempt: a})
}

// report logs a change of state, and reminds daily of what an operator must do.
// Only Run calls it.
func (k *Keeper) report() {
	s := k.status()
	remind := k.now().Sub(k.warnedAt) >= day
	if s.State != k.reported.State || s.LastError != k.reported.LastError {
		k.log.Info("service-app token state", "state", s.State, "fault", s.LastError)
	}
	if s.State == NeedsNewTokens && (remind || k.reported.State != NeedsNewTokens) {
		k.log.Error("service app needs new tokens: make them in the developer portal and set SERVICE_APP_REFRESH_TOKEN",
			"access_expires", s.AccessExpires)
		k.warnedAt = k.now()
	}
	if s.Warning && (remind || !k.reported.Warning) {
		k.log.Warn("service-app refresh token ends soon: make a new one and set SERVICE_APP_REFRESH_TOKEN",
			"refresh_expires", s.RefreshExpires)
		k.warnedAt = k.now()
	}
	k.reported = s
}

// sleep waits for d, or less if ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
