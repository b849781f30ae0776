// Package selfservice is the one door to a person's settings: every read and
// every change of them, whoever asks, goes through here. A change is always the
// same thing: read the present value, find what differs from the wish, check it,
// write the smallest thing, record before and after.
package selfservice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/cache"
	"patchbay/internal/directory"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/redislock"
	"patchbay/internal/seal"
	"patchbay/internal/webex"
)

const (
	// policyAge is how old a reading of the organization's feature-access policy
	// may be. Webex itself may take hours to show a change of it (LIMITS.md, 5).
	policyAge = 5 * time.Minute
	// writeTimeout is how long a change may take once it has begun, with settling
	// an unknown outcome. It goes on when the browser goes away.
	writeTimeout = 40 * time.Second
	// lockWait is how long a change waits for another one of the same setting.
	lockWait = 10 * time.Second
	// lockLease is renewed while a change runs.
	lockLease = 15 * time.Second
)

// settleDelays are the pauses before the readings that settle an unknown outcome:
// Webex may still be carrying out what it did not answer.
var settleDelays = []time.Duration{0, 500 * time.Millisecond, 1500 * time.Millisecond}

// Deps are what a Service needs.
type Deps struct {
	Webex  *webex.Client
	Cache  *cache.Cache
	Audit  *audit.Log
	Access *access.Service
	// Directory knows where people are, and in which groups, without asking Webex.
	Directory *directory.Directory
	Redis     redis.UniversalClient
	Sealer    *seal.Sealer
	Now       func() time.Time
	Log       *slog.Logger
}

// Service reads and changes settings.
type Service struct {
	Deps
	catalogue []*Setting
	queues    map[queueKind]*Setting
	watching  sync.Map // when this replica last said that a board shows a queue, by id
}

// New makes a Service.
func New(d Deps) *Service {
	s := &Service{Deps: d, catalogue: Catalogue()}
	s.queues = map[queueKind]*Setting{basic: s.queueMembership(basic), customerAssist: s.queueMembership(customerAssist)}
	return s
}

// Reading is a setting as it is.
type Reading struct {
	Setting  *Setting
	Document Document
	ETag     string
	At       time.Time
	// Writable is whether this caller may change it. Locked says why not.
	Writable bool
	Locked   i18n.Text

	region string
}

// Tag is the ETag of some fields alone: what a form holds that shows only these.
func (r Reading) Tag(fields []string) string {
	return r.Setting.etag(r.Document, r.region, fields...)
}

// Region is the country in which the numbers of the setting are written.
func (r Reading) Region() string { return r.region }

// Setting gives a writable entry of the catalogue, nil when there is none of that
// name.
func (s *Service) Setting(name string) *Setting {
	setting := find(s.catalogue, name)
	if setting == nil || !setting.Writable() {
		return nil
	}
	return setting
}

// Settings lists the catalogue with what the caller may do to each setting of
// the subject. The policy of the organization is read (one call at most).
func (s *Service) Settings(ctx context.Context, c access.Caller, subject Subject) ([]Reading, error) {
	if err := reaches(c, subject); err != nil {
		return nil, err
	}
	list := make([]Reading, 0, len(s.catalogue))
	for _, setting := range s.catalogue {
		if sees(c, subject, setting.Name) != nil {
			continue
		}
		r := Reading{Setting: setting}
		r.Writable, r.Locked, _ = s.writable(ctx, c, subject, setting)
		list = append(list, r)
	}
	return list, nil
}

// Read gives a setting of the subject not older than maxAge; 0 asks Webex. It
// returns problem.NotFound for a setting that is not in the catalogue, not the
// caller's to see, or not in the person's licence (then IsUnlicensed is true).
func (s *Service) Read(ctx context.Context, c access.Caller, subject Subject, name string, maxAge time.Duration) (Reading, error) {
	setting := find(s.catalogue, name)
	if setting == nil {
		return Reading{}, problem.New(problem.NotFound, "setting.notFound")
	}
	if err := sees(c, subject, name); err != nil {
		return Reading{}, err
	}
	return s.read(ctx, c, subject, setting, maxAge)
}

// read asks for the values and for what the caller may do to them side by side:
// a card takes no longer than the slowest answer.
func (s *Service) read(ctx context.Context, c access.Caller, subject Subject, setting *Setting, maxAge time.Duration) (Reading, error) {
	type rights struct {
		writable bool
		locked   i18n.Text
	}
	allowed := make(chan rights, 1)
	go func() {
		writable, locked, _ := s.writable(ctx, c, subject, setting) // it is locked then
		allowed <- rights{writable, locked}
	}()
	r, err := s.state(ctx, subject, setting, maxAge)
	if err != nil {
		return r, err
	}
	given := <-allowed
	r.Writable, r.Locked = given.writable, given.locked
	return r, nil
}

// state is a Reading that does not say who may change it.
func (s *Service) state(ctx context.Context, subject Subject, setting *Setting, maxAge time.Duration) (Reading, error) {
	region := make(chan string, 1)
	go func() { region <- s.Region(ctx, subject) }()
	got, err := cache.Get(ctx, s.Cache, cacheKey(subject, setting), cache.Options{MaxAge: maxAge}, func(ctx context.Context) (Document, error) {
		return setting.read(ctx, s.Webex, subject.ID)
	})
	if err != nil {
		return Reading{Setting: setting}, s.readProblem(ctx, subject, setting, err)
	}
	r := Reading{Setting: setting, Document: got.Value, At: got.At, region: <-region}
	r.ETag = setting.etag(r.Document, r.region)
	return r, nil
}

// KnownLocked reports whether the caller is known not to be allowed to change the
// subject's setting of that name; it asks nobody.
func (s *Service) KnownLocked(ctx context.Context, c access.Caller, subject Subject, name string) bool {
	setting := s.Setting(name)
	if ok, _ := changes(c, subject, name); !ok {
		return true
	}
	policy, ok := cache.Peek[webex.FeatureAccess](ctx, s.Cache, policyKey(subject))
	return setting != nil && setting.FeatureKey != "" && ok && !policy.Value.Allows(setting.FeatureKey)
}

func policyKey(subject Subject) cache.Key {
	return cache.Key{Owner: canonical(subject.ID), Name: "featureAccess"}
}

// LastKnown gives the last reading of a setting while Webex does not answer.
func (s *Service) LastKnown(ctx context.Context, c access.Caller, subject Subject, name string) (Reading, bool) {
	setting := find(s.catalogue, name)
	if setting == nil || sees(c, subject, name) != nil {
		return Reading{}, false
	}
	got, ok := cache.Peek[Document](ctx, s.Cache, cacheKey(subject, setting))
	if !ok {
		return Reading{}, false
	}
	r := Reading{Setting: setting, Document: got.Value, At: got.At, region: s.KnownRegion(ctx, subject)}
	r.ETag = setting.etag(r.Document, r.region)
	return r, true
}

func cacheKey(subject Subject, setting *Setting) cache.Key {
	return cache.Key{Owner: canonical(subject.ID), Name: setting.Name + setting.variant}
}

// keyUnlicensed is the problem of a setting that the person's licence lacks.
const keyUnlicensed = "setting.notLicensed"

// keyUnsure is the problem of a change whose outcome nobody knows yet.
const keyUnsure = "setting.unsure"

// IsUnsure reports whether a change ended without anybody knowing how: the next
// reading tells.
func IsUnsure(err error) bool {
	var p *problem.Error
	return errors.As(err, &p) && p.Public.Key == keyUnsure
}

// IsUnlicensed reports whether a read failed because the person does not have
// the feature at all: the card is not shown.
func IsUnlicensed(err error) bool {
	var p *problem.Error
	return errors.As(err, &p) && p.Public.Key == keyUnlicensed
}

// readProblem tells a feature that the person does not have from a fault: Webex
// answers 404 to both (NOTES.md, section 3), its list of services decides. Who has
// no location has no calling service at all, and then Webex may also answer 403.
func (s *Service) readProblem(ctx context.Context, subject Subject, setting *Setting, err error) error {
	switch {
	case subject.LocationID == "" && (webex.IsKind(err, webex.KindNotFound) || webex.IsKind(err, webex.KindForbidden)):
		return problem.New(problem.NotFound, keyUnlicensed).Because(err)
	case !webex.IsKind(err, webex.KindNotFound):
		return webex.Problem(err)
	case setting.Name == DevicesName:
		return problem.New(problem.NotFound, keyNoLines).Because(err)
	}
	services, svcErr := cache.Get(ctx, s.Cache, cache.Key{Owner: canonical(subject.ID), Name: "services"}, cache.Options{MaxAge: policyAge}, func(ctx context.Context) ([]string, error) {
		return s.Webex.GetServices(ctx, subject.ID)
	})
	has := slices.ContainsFunc(services.Value, func(name string) bool {
		return slices.ContainsFunc(setting.Services, func(alias string) bool { return strings.EqualFold(name, alias) })
	})
	if has || svcErr != nil && !webex.IsKind(svcErr, webex.KindNotFound) {
		return webex.Problem(err)
	}
	return problem.New(problem.NotFound, keyUnlicensed).Because(err)
}

// writable says whether the caller may change the setting, and why not. The
// service app could change what the organization hides from its people, so the
// portal honours the policy itself (AUTH.md, 2.6), and fails closed: the error is
// that of a policy that cannot be read.
func (s *Service) writable(ctx context.Context, c access.Caller, subject Subject, setting *Setting) (bool, i18n.Text, error) {
	switch {
	case !setting.Writable():
		return false, i18n.NewText("setting.locked.elsewhere"), nil
	case setting.FeatureKey == "":
		ok, why := changes(c, subject, setting.Name)
		return ok, why, nil
	}
	policy, err := s.policy(ctx, subject)
	switch {
	case err != nil:
		s.Log.WarnContext(ctx, "the feature-access policy of a person cannot be read; the setting stays locked", "setting", setting.Name, "error", err)
		return false, i18n.NewText("setting.locked.unknown"), err
	case !policy.Allows(setting.FeatureKey):
		return false, i18n.NewText("setting.locked.organization"), nil
	}
	ok, why := changes(c, subject, setting.Name)
	return ok, why, nil
}

func (s *Service) policy(ctx context.Context, subject Subject) (webex.FeatureAccess, error) {
	r, err := cache.Get(ctx, s.Cache, policyKey(subject), cache.Options{MaxAge: policyAge}, func(ctx context.Context) (webex.FeatureAccess, error) {
		policy, err := s.Webex.GetFeatureAccess(ctx, subject.ID)
		if err == nil && policy.NeedsDefault() {
			policy.UserOrgSettingsPermissions, err = s.defaultPolicy(ctx)
		}
		return policy, err
	})
	return r.Value, err
}

func (s *Service) defaultPolicy(ctx context.Context) (webex.Permissions, error) {
	r, err := cache.Get(ctx, s.Cache, cache.Key{Owner: "organization", Name: "featureAccess"}, cache.Options{MaxAge: policyAge, Fleet: true}, s.Webex.GetDefaultFeatureAccess)
	return r.Value, err
}

// WriteOptions go with a change.
type WriteOptions struct {
	IfMatch string   // the ETag, "*", or a list; "" does not care
	Fields  []string // IfMatch is the tag of these fields alone; none means the whole setting
	Reason  string
	Undoes  string // the record whose before is put back
	expect  []Change
}

// Written is the result of a change.
type Written struct {
	Reading  Reading // the state afterwards, also after most failures
	RecordID string  // of the audit log; "" when nothing had to be changed
	Changes  []Change
	Wanted   Document // what was to be set
}

// Write brings a setting of the subject to the wish, a Document that holds what
// is to change. The outcome is recorded. Errors: problem.NotFound, Forbidden
// (locked), Invalid with fields, Changed (If-Match), Conflict (Webex refuses),
// and those of a read; Written.Reading is then the real state if it is known.
func (s *Service) Write(ctx context.Context, c access.Caller, subject Subject, name string, wish Document, opts WriteOptions) (Written, error) {
	setting := find(s.catalogue, name)
	if setting == nil {
		return Written{}, problem.New(problem.NotFound, "setting.notFound")
	}
	as, err := s.mayWrite(ctx, c, subject, setting)
	if err != nil {
		return Written{}, err
	}
	return s.write(ctx, as, subject, setting, wish, opts)
}

// write carries a change out that the actor may make.
func (s *Service) write(ctx context.Context, by actor, subject Subject, setting *Setting, wish Document, opts WriteOptions) (Written, error) {
	if err := by.checkReason(opts.Reason); err != nil {
		return Written{}, err
	}
	// From here on the change is finished even if the browser goes away: half a
	// change without a record would be worse than one nobody waits for.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	waiting, stopWaiting := context.WithTimeout(ctx, lockWait)
	defer stopWaiting()
	lock, err := redislock.Acquire(waiting, s.Redis, lockKey(subject, setting), lockLease)
	if err != nil {
		return Written{}, problem.New(problem.Unavailable, "setting.busy").Because(err)
	}
	defer lock.Release()
	p, err := s.plan(ctx, by, subject, setting, wish, opts)
	if err != nil || len(p.Changes) == 0 {
		return p.Written, err
	}
	return s.send(ctx, by, subject, p, opts)
}

// mayWrite checks that the caller may change this setting of the subject, and says
// as whom.
func (s *Service) mayWrite(ctx context.Context, c access.Caller, subject Subject, setting *Setting) (actor, error) {
	if err := sees(c, subject, setting.Name); err != nil {
		return actor{}, err
	}
	ok, why, err := s.writable(ctx, c, subject, setting)
	switch {
	case err != nil:
		return actor{}, s.readProblem(ctx, subject, setting, err)
	case !ok:
		return actor{}, &problem.Error{Code: problem.Forbidden, Public: why}
	}
	_, role := c.Level(subject.Target(), setting.Name)
	return actor{Caller: c, role: role, self: c.Is(subject.ID), again: func(ctx context.Context, c access.Caller) error {
		_, err := s.mayWrite(ctx, c, subject, setting)
		return err
	}}, nil
}

func lockKey(subject Subject, setting *Setting) string {
	id := subject.ID
	if setting.object.ID != "" { // what is written is the object, whoever is concerned
		id = setting.object.ID
	}
	return writeKey(id, setting.Name+setting.variant)
}

// writeKey is a key about writes of a person or an object: a list of keys names nobody.
func writeKey(id, what string) string {
	return "patchbay:{write:" + hashed("write", canonical(id)) + "}:" + what
}

// Plan is Write stopped before anything is sent: the present state and what would
// change.
func (s *Service) Plan(ctx context.Context, c access.Caller, subject Subject, name string, wish Document, opts WriteOptions) (Written, error) {
	setting := s.Setting(name)
	if setting == nil {
		return Written{}, problem.New(problem.NotFound, "setting.notFound")
	}
	by, err := s.mayWrite(ctx, c, subject, setting)
	if err != nil {
		return Written{}, err
	}
	planned, err := s.plan(ctx, by, subject, setting, wish, opts)
	return planned.Written, err
}

// planned is a change ready to be sent.
type planned struct {
	Written
	after Document
}

// plan reads the present state and finds out what the wish changes in it.
func (s *Service) plan(ctx context.Context, by actor, subject Subject, setting *Setting, wish Document, opts WriteOptions) (planned, error) {
	before, err := setting.read(ctx, s.Webex, subject.ID)
	if err != nil {
		return planned{}, s.readProblem(ctx, subject, setting, err)
	}
	s.remember(ctx, subject, setting, before)
	p := planned{Written: Written{Reading: s.reading(ctx, subject, setting, before), Wanted: wish}}
	region := p.Reading.region
	if opts.IfMatch != "" && !matches(opts.IfMatch, setting.etag(before, region, opts.Fields...)) {
		return p, problem.New(problem.Changed, "setting.changed")
	}
	if moved(opts.expect, before, region) {
		return p, problem.New(problem.Changed, "setting.moved")
	}
	if setting.resolve != nil {
		wish = setting.resolve(wish, before)
	}
	accepted, faults := setting.accept(wish, before, region)
	if len(faults) > 0 {
		return p, &problem.Error{Code: problem.Invalid, Public: i18n.NewText("setting.invalid"), Fields: faults}
	}
	p.after = before.clone()
	for _, path := range accepted.leaves() {
		v, _ := accepted.Get(path)
		p.after.Set(path, v)
	}
	p.Changes = setting.diff(before, p.after, region)
	if faults := s.check(ctx, subject, setting, p.after, p.Changes); len(faults) > 0 {
		return p, &problem.Error{Code: problem.Invalid, Public: i18n.NewText("setting.invalid"), Fields: faults}
	}
	if setting.allow != nil {
		if err := setting.allow(ctx, by, before, p.Changes); err != nil {
			return p, err
		}
	}
	return p, nil
}

// reading is a state that was just read or made.
func (s *Service) reading(ctx context.Context, subject Subject, setting *Setting, doc Document) Reading {
	region := s.Region(ctx, subject)
	return Reading{Setting: setting, Document: doc, At: s.Now(), ETag: setting.etag(doc, region), Writable: true, region: region}
}

// check runs the rules of the setting on the state that would be.
func (s *Service) check(ctx context.Context, subject Subject, setting *Setting, after Document, changes []Change) []problem.Field {
	if setting.Check == nil {
		return nil
	}
	return setting.Check(CheckInput{
		After: after,
		Touched: func(object string) bool {
			return slices.ContainsFunc(changes, func(c Change) bool { return c.Path == object || strings.HasPrefix(c.Path, object+".") })
		},
		IsOwn: s.ownNumbers(ctx, subject),
	})
}

// send records the change, sends it to Webex, and records what became of it.
func (s *Service) send(ctx context.Context, by actor, subject Subject, p planned, opts WriteOptions) (Written, error) {
	setting, before := p.Reading.Setting, p.Reading.Document
	if err := s.stillMay(ctx, by); err != nil {
		return p.Written, err
	}
	id, err := s.Audit.Begin(ctx, audit.Entry{
		Actor:   audit.Person{ID: by.PersonID, Name: by.Name},
		Role:    string(by.role),
		Subject: audit.Person{ID: subject.ID, Name: subject.Name},
		Object:  setting.object,
		Setting: setting.Name,
		Before:  setting.record(before, p.Changes, func(c Change) any { return c.Before }),
		After:   setting.record(before, p.Changes, func(c Change) any { return c.After }),
		Reason:  opts.Reason, Undoes: opts.Undoes,
	})
	if err != nil {
		return p.Written, problem.New(problem.Unavailable, "setting.notRecorded").Because(err)
	}
	p.RecordID = id
	err = setting.write(ctx, s.Webex, subject.ID, setting.patch(p.Changes, p.after))
	result, now := audit.Result{Outcome: audit.Done, Undoes: opts.Undoes}, p.after.withoutUnset(p.Changes)
	switch {
	case err == nil:
	case errors.Is(err, errOverwritten):
		result.Outcome, now = audit.Failed, before
	case webex.OutcomeUnknown(err):
		result.Outcome, now = s.settle(ctx, subject, setting, p.Changes)
	default:
		result.Outcome, now = audit.Refused, before
	}
	if now == nil || result.Outcome == audit.Failed && mayComeLate(err) {
		// The record stays "pending": SettlePending reads again later.
		_ = s.Cache.Drop(ctx, cacheKey(subject, setting)) // without Redis nothing is kept anyway
		return p.Written, problem.New(problem.Timeout, keyUnsure).Because(err)
	}
	var upstream *webex.Error
	if errors.As(err, &upstream) {
		result.TrackingID = upstream.TrackingID
	}
	if finishErr := s.Audit.Finish(ctx, id, result); finishErr != nil {
		// Likewise pending, and settled later.
		s.Log.ErrorContext(ctx, "the end of a change could not be recorded", "record", id, "setting", setting.Name, "error", finishErr)
	}
	s.remember(ctx, subject, setting, now)
	p.Reading = s.reading(ctx, subject, setting, now)
	switch result.Outcome {
	case audit.Done:
		return p.Written, nil
	case audit.Refused:
		return p.Written, webex.Problem(err)
	}
	if errors.Is(err, errOverwritten) {
		return p.Written, webex.Problem(err)
	}
	known := webex.Problem(err)
	known.Public = i18n.NewText("setting.notSaved")
	return p.Written, known
}

// mayComeLate reports whether Webex may still be carrying out a write that it has
// not done yet: it did not answer at all within the time there was.
func mayComeLate(err error) bool {
	var e *webex.Error
	return errors.As(err, &e) && e.Kind == webex.KindTimeout && e.Status == 0
}

// settle finds out what became of a write that Webex did not answer clearly. It
// returns the state that is there now, or nil when that cannot be read.
func (s *Service) settle(ctx context.Context, subject Subject, setting *Setting, changes []Change) (audit.Outcome, Document) {
	region := s.Region(ctx, subject)
	outcome, now := audit.Unknown, Document(nil)
	for _, delay := range settleDelays {
		select {
		case <-ctx.Done():
			return outcome, now
		case <-time.After(delay):
		}
		doc, err := setting.read(ctx, s.Webex, subject.ID)
		if err != nil {
			continue
		}
		outcome, now = compare(changes, doc, region), doc
		if outcome == audit.Done {
			return outcome, now
		}
	}
	return outcome, now
}

// compare tells from a reading what became of changes.
func compare(changes []Change, now Document, region string) audit.Outcome {
	done, undone := 0, 0
	for _, c := range changes {
		v, _ := now.Get(c.Path)
		if c.same(v, c.After, region) {
			done++
		}
		if c.same(v, c.Before, region) {
			undone++
		}
	}
	switch len(changes) {
	case done:
		return audit.Done
	case undone:
		return audit.Failed
	}
	return audit.Unknown
}

// moved reports whether a value is no longer what an undo expects it to be.
func moved(expect []Change, now Document, region string) bool {
	return slices.ContainsFunc(expect, func(c Change) bool {
		v, _ := now.Get(c.Path)
		return !c.same(v, c.After, region)
	})
}

// remember keeps what is known to be the newest state for readers that accept a
// reading of some age. Without Redis nothing is kept, which costs only a read.
func (s *Service) remember(ctx context.Context, subject Subject, setting *Setting, doc Document) {
	if err := cache.Put(ctx, s.Cache, cacheKey(subject, setting), doc); err != nil {
		s.Log.WarnContext(ctx, "a reading could not be kept", "setting", setting.Name, "error", err)
	}
}

// matches compares If-Match with a strong ETag (RFC 9110, 13.1.1).
func matches(ifMatch, etag string) bool {
	for tag := range strings.SplitSeq(ifMatch, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == etag {
			return true
		}
	}
	return false
}

// record keeps of a document what changed, as JSON.
func (s *Setting) record(doc Document, changes []Change, side func(Change) any) json.RawMessage {
	r := Document{}
	for _, c := range changes {
		r.Set(c.Path, side(c))
	}
	if s.annotate != nil {
		s.annotate(r, doc)
	}
	return r.JSON()
}

// changesOf reads the changes back from a record.
func (s *Setting) changesOf(e audit.Entry) ([]Change, error) {
	before, err := ParseDocument(e.Before)
	if err != nil {
		return nil, fmt.Errorf("read the record's before: %w", err)
	}
	after, err := ParseDocument(e.After)
	if err != nil {
		return nil, fmt.Errorf("read the record's after: %w", err)
	}
	var changes []Change
	for _, f := range s.fields(after) {
		b, ok := after.Get(f.Path)
		if !ok || f.ReadOnly {
			continue
		}
		a, _ := before.Get(f.Path)
		changes = append(changes, Change{Field: f, Before: a, After: b})
	}
	return changes, nil
}
