package access

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"patchbay/internal/audit"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/redislock"
	"patchbay/internal/webex"
)

// What is recorded, and how long things may take.
const (
	// GrantsName and PolicyName are the names under which the log has changes of
	// grants and of the policy.
	GrantsName = "grants"
	PolicyName = "policy"

	// MaxReason is the longest reason, in runes.
	MaxReason = 500
	// lendFor is the longest time for which people lend their settings.
	lendFor = 366 * 24 * time.Hour

	lockWait  = 5 * time.Second
	lockLease = 10 * time.Second
	// writeTimeout bounds a change once it has begun; it goes on when the browser goes away.
	writeTimeout = 15 * time.Second
)

// Made is a change of a grant or of the policy that was carried out.
type Made struct {
	Grant    Grant
	RecordID string // of the log; "" when nothing had to be changed
}

// Options go with a change.
type Options struct {
	Reason string
	Undoes string // the record that this undoes
	// Expect is what must still be there, as JSON; nil does not care.
	Expect json.RawMessage
}

// Create grants a role. Of the wish To, Role, Scope, Until and Reason count; the
// person may be named by e-mail address. Errors: problem.Invalid with fields,
// problem.Forbidden when the caller does not hold that much.
func (s *Service) Create(ctx context.Context, c Caller, wish Grant) (Made, error) {
	return s.changeGrant(ctx, c, rand.Text()[:16], Options{Reason: wish.Reason}, func(c Caller, _ *Grant) (*Grant, error) {
		g, err := s.complete(wish)
		if err != nil {
			return nil, err
		}
		return &g, s.mayCreate(c, g)
	})
}

// Try is Create stopped before anything is stored: the grant as it would be, or why
// there will be none.
func (s *Service) Try(c Caller, wish Grant) (Grant, error) {
	if err := checkReason(wish.Reason); err != nil {
		return wish, err
	}
	g, err := s.complete(wish)
	if err != nil {
		return g, err
	}
	return g, s.mayCreate(c, g)
}

// Givable says where the caller could grant a role for some time: everywhere, or in
// these locations.
func (s *Service) Givable(c Caller, r Role) (everywhere bool, locations []string) {
	now := s.Now().Add(time.Second)
	if mayGive(c, r, Scope{Organization: true}, now) {
		return true, nil
	}
	for _, h := range c.Holdings {
		for _, id := range h.Scope.Locations {
			if mayGive(c, r, Scope{Locations: []string{id}}, now) && !contains(locations, id) {
				locations = append(locations, id)
			}
		}
	}
	return false, locations
}

// Lend lets a colleague look after the caller's own forwarding and queues until then.
func (s *Service) Lend(ctx context.Context, c Caller, to string, until time.Time, reason string) (Made, error) {
	return s.changeGrant(ctx, c, rand.Text()[:16], Options{Reason: reason}, func(c Caller, _ *Grant) (*Grant, error) {
		g, err := s.complete(Grant{To: Grantee{Person: to}, Role: Colleague, Scope: Scope{People: []string{c.PersonID}}, Until: until, Reason: reason})
		if err != nil {
			return nil, err
		}
		return &g, s.mayCreate(c, g)
	})
}

// Extend sets another end of a grant; zero is for good.
func (s *Service) Extend(ctx context.Context, c Caller, id string, until time.Time, reason string) (Made, error) {
	return s.changeGrant(ctx, c, id, Options{Reason: reason}, func(c Caller, old *Grant) (*Grant, error) {
		if old == nil || !s.maySee(c, *old) {
			return nil, Denied("grant.notFound")
		}
		g := *old
		g.Until = until.UTC()
		if until.IsZero() {
			g.Until = time.Time{}
		}
		if faults := s.checkUntil(g); len(faults) > 0 {
			return nil, &problem.Error{Code: problem.Invalid, Public: i18n.NewText("setting.invalid"), Fields: faults}
		}
		return &g, s.mayCreate(c, g)
	})
}

// Revoke takes a grant away. Those may who could give it, whoever lent it, and who
// holds it.
func (s *Service) Revoke(ctx context.Context, c Caller, id string, opts Options) (Made, error) {
	return s.changeGrant(ctx, c, id, opts, func(c Caller, old *Grant) (*Grant, error) {
		if old == nil || !s.maySee(c, *old) {
			return nil, Denied("grant.notFound")
		}
		return nil, s.mayRevoke(c, *old)
	})
}

// State is a grant or the policy as it is, for an undo that finds another than it
// expected.
type State struct {
	JSON json.RawMessage // {} for a grant that is not there
	ETag string
}

func stateOf(text json.RawMessage) State { return State{JSON: text, ETag: etag(text)} }

// UndoGrant puts a grant back as it was before a record. It is problem.Changed when
// the grant is no longer what the record made of it, unless ifMatch names what it is
// now ("*": whatever it is); the State is then the present one.
func (s *Service) UndoGrant(ctx context.Context, c Caller, e audit.Entry, ifMatch, reason string) (recordID string, now State, err error) {
	opts := Options{Reason: reason, Undoes: e.ID}
	made, err := s.changeGrant(ctx, c, e.Object.ID, opts, func(c Caller, old *Grant) (*Grant, error) {
		if now = stateOf(side(old)); !asExpected(now, e.After, ifMatch) {
			return nil, problem.New(problem.Changed, "grant.moved")
		}
		before, ok := grantOf(e.Before)
		switch {
		case ok:
			if before.Expired(s.Now()) {
				return nil, problem.New(problem.Conflict, "grant.expired")
			}
			before.ID = e.Object.ID
			return &before, s.mayCreate(c, before)
		case old == nil:
			return nil, nil
		}
		return nil, s.mayRevoke(c, *old)
	})
	return made.RecordID, now, err
}

// asExpected reports whether an undo may go on: the present value is what the record
// made of it, or what the caller has seen.
func asExpected(now State, after json.RawMessage, ifMatch string) bool {
	if ifMatch != "" {
		return ifMatch == "*" || ifMatch == now.ETag
	}
	return bytes.Equal(now.JSON, compact(after))
}

// MayUndo reports whether the caller could undo a record of a grant or the policy.
func (s *Service) MayUndo(c Caller, e audit.Entry) bool {
	if e.Setting == PolicyName {
		return c.MayEverywhere(ChangePolicy)
	}
	if before, ok := grantOf(e.Before); ok {
		return s.mayCreate(c, before) == nil
	}
	after, ok := grantOf(e.After)
	return ok && s.mayRevoke(c, after) == nil
}

// grantOf reads the side of a record; false when there was no grant.
func grantOf(side json.RawMessage) (Grant, bool) {
	var g Grant
	return g, json.Unmarshal(side, &g) == nil && g.Role != ""
}

// side is a grant as records have it; {} for none.
func side(g *Grant) json.RawMessage {
	if g == nil {
		return json.RawMessage("{}")
	}
	text, err := json.Marshal(g)
	if err != nil {
		return json.RawMessage("{}") // strings and times only: it never comes to this
	}
	return text
}

// changeGrant changes one grant: decide says what it becomes (nil: none) from what
// is there and what the caller holds at that moment. Writers take turns, the change is recorded before it is made, and
// nobody can leave the organization without an administrator.
func (s *Service) changeGrant(ctx context.Context, c Caller, id string, opts Options, decide func(Caller, *Grant) (*Grant, error)) (Made, error) {
	if err := checkReason(opts.Reason); err != nil {
		return Made{}, err
	}
	var made Made
	err := s.alone(ctx, func(ctx context.Context, st *state) error {
		c := st.still(c, s.Now())
		var old *Grant
		if g, ok := st.grants[id]; ok && !g.Expired(s.Now()) {
			old = &g
		}
		if opts.Expect != nil && !bytes.Equal(compact(opts.Expect), side(old)) {
			return problem.New(problem.Changed, "grant.changed")
		}
		next, err := decide(c, old)
		if err != nil {
			return err
		}
		if next != nil {
			next.ID = id
			if next.At.IsZero() {
				next.By, next.At = Grantor{ID: c.PersonID, Name: c.Name}, s.Now().UTC()
			}
			made.Grant = *next
		} else if old != nil {
			made.Grant = *old
		}
		if bytes.Equal(side(old), side(next)) {
			return nil
		}
		if old == nil && next != nil {
			if err := s.checkRoom(st, *next); err != nil {
				return err
			}
		}
		if err := s.keepAnAdministrator(st, id, next); err != nil {
			return err
		}
		grants := maps.Clone(st.grants)
		if delete(grants, id); next != nil {
			grants[id] = *next
		}
		made.RecordID, err = s.recorded(ctx, grantEntry(c, id, old, next, opts), func() error { return s.write(ctx, st, grants, st.policy) })
		return err
	})
	return made, err
}

// How many grants are kept, and how many lendings: all of them are read whenever one
// has changed, so nobody may make them as many as they like. maxLent is for one lender,
// with those that have ended within forgetAfter.
const (
	maxGrants   = 5_000
	maxLendings = 10_000
	maxLent     = 50
)

// checkRoom refuses one grant too many, and one that is there already.
func (s *Service) checkRoom(st *state, g Grant) error {
	kept := slices.DeleteFunc(slices.Clone(st.ordered), func(one Grant) bool {
		return (one.Role == Colleague) != (g.Role == Colleague) || one.Expired(s.Now().Add(-forgetAfter))
	})
	if g.Role == Colleague {
		return s.checkLent(kept, g)
	}
	for _, one := range kept {
		one.ID, one.By, one.At, one.Reason, one.To.Name = g.ID, g.By, g.At, g.Reason, g.To.Name
		if !one.Expired(s.Now()) && bytes.Equal(side(&one), side(&g)) {
			return problem.New(problem.Conflict, "grant.already")
		}
	}
	if len(kept) >= maxGrants {
		return problem.New(problem.Conflict, "grant.full")
	}
	return nil
}

// checkLent is checkRoom for a lending: to each colleague the same is lent once.
func (s *Service) checkLent(kept []Grant, g Grant) error {
	own := 0
	for _, one := range kept {
		if !contains(one.Scope.People, g.Scope.People[0]) {
			continue
		}
		own++
		if !one.Expired(s.Now()) && webex.SameID(one.To.Person, g.To.Person) {
			return refuseLending("lend.already")
		}
	}
	switch {
	case own >= maxLent:
		return refuseLending("lend.tooMany")
	case len(kept) >= maxLendings:
		return problem.New(problem.Conflict, "lend.full")
	}
	return nil
}

func refuseLending(key string) error {
	why := i18n.NewText(key)
	return &problem.Error{Code: problem.Invalid, Public: why, Fields: []problem.Field{{Name: "to", Detail: why}}}
}

// alone runs do as the only writer, on the newest state.
func (s *Service) alone(ctx context.Context, do func(context.Context, *state) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	waiting, stop := context.WithTimeout(ctx, lockWait)
	defer stop()
	lock, err := redislock.Acquire(waiting, s.Redis, keyWriting, lockLease)
	if err != nil {
		return problem.New(problem.Unavailable, "access.unavailable").Because(err)
	}
	defer lock.Release()
	st, err := s.newest(ctx)
	if err != nil {
		return problem.New(problem.Unavailable, "access.unavailable").Because(err)
	}
	return do(ctx, st)
}

// recorded makes a change that is recorded before and after.
func (s *Service) recorded(ctx context.Context, e audit.Entry, change func() error) (recordID string, err error) {
	recordID, err = s.Audit.Begin(ctx, e)
	if err != nil {
		return "", problem.New(problem.Unavailable, "setting.notRecorded").Because(err)
	}
	err = change()
	switch {
	case errors.Is(err, errRaced):
		_ = s.Audit.Finish(ctx, recordID, audit.Result{Outcome: audit.Failed}) // else it is settled later
		return recordID, problem.New(problem.Changed, "grant.changed").Because(err)
	case err != nil:
		// Redis may have done it: the record stays open and is settled by reading.
		return recordID, problem.New(problem.Unavailable, "access.unsure").Because(err)
	}
	if err := s.Audit.Finish(ctx, recordID, audit.Result{Outcome: audit.Done, Undoes: e.Undoes}); err != nil {
		s.Log.ErrorContext(ctx, "the end of a change could not be recorded", "record", recordID, "setting", e.Setting, "error", err)
	}
	if _, err := s.newest(ctx); err != nil {
		s.Log.WarnContext(ctx, "the grants could not be read after a change", "error", err)
	}
	return recordID, nil
}

// Settle finds out, by reading, what became of a change of a grant or the policy
// whose end was never recorded.
func (s *Service) Settle(ctx context.Context, e audit.Entry) (audit.Outcome, error) {
	st, err := s.newest(ctx)
	if err != nil {
		return audit.Unknown, err
	}
	now := json.RawMessage(st.policy.json())
	if e.Setting == GrantsName {
		now = side(nil)
		if g, ok := st.grants[e.Object.ID]; ok {
			now = side(&g)
		}
	}
	switch {
	case bytes.Equal(now, compact(e.After)):
		return audit.Done, nil
	case bytes.Equal(now, compact(e.Before)):
		return audit.Failed, nil
	}
	return audit.Unknown, nil
}

func compact(text json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return nil
	}
	return b.Bytes()
}

func grantEntry(c Caller, id string, old, next *Grant, opts Options) audit.Entry {
	g := next
	if g == nil {
		g = old
	}
	e := audit.Entry{
		Actor: audit.Person{ID: c.PersonID, Name: c.Name}, Setting: GrantsName, Before: side(old), After: side(next), Reason: opts.Reason, Undoes: opts.Undoes,
		Object: audit.Object{Kind: "grant", ID: id, Name: g.To.Name}, Role: string(Administrator),
	}
	switch {
	case g.Role == Colleague: // it is the lender's history that this belongs to
		e.Subject = audit.Person{ID: g.Scope.People[0]}
		if g.By.ID != "" {
			e.Subject.Name = g.By.Name
		}
	case g.To.Person != "":
		e.Subject = audit.Person{ID: g.To.Person, Name: g.To.Name}
	}
	if _, everywhere := c.MayOn(GrantAccess, Target{}); g.Role == Colleague || !everywhere && !c.May(GrantAccess) {
		e.Role = string(User)
	}
	return e
}

// complete checks a wish and fills in the names; see Create.
func (s *Service) complete(g Grant) (Grant, error) {
	var faults []problem.Field
	fault := func(field, key string) {
		faults = append(faults, problem.Field{Name: field, Detail: i18n.NewText(key)})
	}
	switch {
	case (g.To.Person == "") == (g.To.Group == ""):
		fault("to", "grant.to.one")
	case g.To.Person != "":
		id, name, ok := s.Organization.Lookup(strings.TrimSpace(g.To.Person))
		if !ok {
			fault("to.person", "grant.to.person")
		}
		g.To = Grantee{Person: id, Name: name}
	default:
		name, ok := s.Organization.GroupName(g.To.Group)
		if !ok {
			fault("to.group", "grant.to.group")
		}
		g.To.Name = name
	}
	if g.Role != Colleague && !slices.Contains(Granted(), g.Role) {
		fault("role", "grant.role")
	} else {
		var people []string
		for _, p := range g.Scope.People {
			if id, _, ok := s.Organization.Lookup(strings.TrimSpace(p)); ok {
				p = id
			}
			people = append(people, p)
		}
		g.Scope.People = people
		faults = append(faults, g.Scope.check(g.Role)...)
	}
	faults = append(faults, s.checkUntil(g)...)
	if len(faults) > 0 {
		return g, &problem.Error{Code: problem.Invalid, Public: i18n.NewText("setting.invalid"), Fields: faults}
	}
	if !g.Until.IsZero() {
		g.Until = g.Until.UTC()
	}
	return g, nil
}

func (s *Service) checkUntil(g Grant) []problem.Field {
	key := ""
	switch {
	case g.Until.IsZero() && g.Role == Colleague:
		key = "grant.until.missing"
	case g.Until.IsZero():
	case g.Expired(s.Now()):
		key = "grant.until.past"
	case g.Role == Colleague && g.Until.After(s.Now().Add(lendFor)):
		key = "grant.until.far"
	}
	if key == "" {
		return nil
	}
	return []problem.Field{{Name: "until", Detail: i18n.NewText(key)}}
}

func checkReason(reason string) error {
	if utf8.RuneCountInString(reason) > MaxReason || !utf8.ValidString(reason) {
		return problem.New(problem.Malformed, "web.reason", "Max", MaxReason)
	}
	return nil
}

// mayCreate checks that the caller holds what the grant gives, there and for as
// long, and does not widen what they hold themselves.
func (s *Service) mayCreate(c Caller, g Grant) error {
	self := c.Is(g.To.Person) || g.To.Group != "" && s.Organization.InGroup(g.To.Group, c.PersonID)
	if g.Role == Colleague {
		// What people lend is their own; only a grant of their own could give them more.
		if self || !contains(g.Scope.People, c.PersonID) || len(g.Scope.People) != 1 || !c.May(ChangeOwn) {
			return problem.New(problem.Forbidden, "grant.lendOwn")
		}
		return nil
	}
	if !mayGive(c, g.Role, g.Scope, g.Until) {
		return problem.New(problem.Forbidden, "grant.tooMuch")
	}
	if holdsEverything(c) {
		return nil
	}
	if self {
		return problem.New(problem.Forbidden, "grant.own")
	}
	if g.To.Group != "" && !s.Organization.KnowsMembers(g.To.Group) {
		// The caller may be one of them, and the policy may leave another role more.
		s.WatchGroup(g.To.Group)
		unknown := problem.New(problem.Unavailable, "grant.members")
		unknown.RetryAfter = membersWait
		return unknown
	}
	return nil
}

// membersWait is after how long it should be known who is in a group.
const membersWait = 5 * time.Second

// holdsEverything reports whether the caller is one of PORTAL_ADMINS, who cannot
// gain anything.
func holdsEverything(c Caller) bool {
	return slices.ContainsFunc(c.Holdings, func(h Holding) bool { return h.Role == Administrator && h.Grant == "" })
}

func (s *Service) mayRevoke(c Caller, g Grant) error {
	switch {
	case c.Is(g.To.Person):
		return nil
	case g.Role == Colleague && contains(g.Scope.People, c.PersonID):
		return nil
	case g.Role == Colleague && c.MayEverywhere(GrantAccess):
		return nil
	case g.Role != Colleague && mayGive(c, g.Role, g.Scope, s.Now()):
		return nil
	}
	return problem.New(problem.Forbidden, "grant.tooMuch")
}

// maySee reports whether the caller may know of a grant: who holds it, whom it
// concerns, and who reads the access of its scope.
func (s *Service) maySee(c Caller, g Grant) bool {
	if c.Is(g.To.Person) || contains(g.Scope.People, c.PersonID) || g.To.Group != "" && s.Organization.InGroup(g.To.Group, c.PersonID) {
		return true
	}
	return slices.ContainsFunc(c.Holdings, func(h Holding) bool { return h.has(ReadAccess) && g.Scope.within(h.Scope) })
}

// keepAnAdministrator refuses what would leave nobody who may grant, for good and
// everywhere.
func (s *Service) keepAnAdministrator(st *state, id string, next *Grant) error {
	lasting := func(g *Grant) bool {
		return g != nil && g.Role == Administrator && g.Scope.Organization && g.Until.IsZero()
	}
	old, ok := st.grants[id]
	if s.HasAdmins || !ok || !lasting(&old) || lasting(next) {
		return nil
	}
	for _, g := range st.active(s.Now()) {
		// Who is in a group can change at any time, and who has left cannot sign in.
		if _, _, here := s.Organization.Lookup(g.To.Person); g.ID != id && lasting(&g) && here {
			return nil
		}
	}
	return problem.New(problem.Conflict, "grant.last")
}

// Filter chooses grants.
type Filter struct {
	To string  // only those that a person or a group of this id holds, directly or through a group
	On *Target // only those that let somebody see or change this
}

// List gives the grants that the caller may know of, the newest first.
func (s *Service) List(ctx context.Context, c Caller, f Filter) ([]Grant, error) {
	st, err := s.current(ctx)
	if err != nil {
		return nil, problem.New(problem.Unavailable, "access.unavailable").Because(err)
	}
	oversees := false // who reads the access to something sees all that reaches it
	if f.On != nil {
		_, oversees = c.MayOn(ReadAccess, *f.On)
	}
	list := slices.DeleteFunc(st.active(s.Now()), func(g Grant) bool {
		return !oversees && !s.maySee(c, g) || f.To != "" && !contains([]string{g.To.Group}, f.To) && !g.reaches(f.To, s.Organization) || f.On != nil && !g.concerns(*f.On)
	})
	slices.Reverse(list)
	return list, nil
}

// Grant finds one grant that the caller may know of.
func (s *Service) Grant(ctx context.Context, c Caller, id string) (Grant, error) {
	list, err := s.List(ctx, c, Filter{})
	if err != nil {
		return Grant{}, err
	}
	for _, g := range list {
		if g.ID == id {
			return g, nil
		}
	}
	return Grant{}, Denied("grant.notFound")
}

// MayRevoke and MayExtend say which buttons a list offers.
func (s *Service) MayRevoke(c Caller, g Grant) bool { return s.mayRevoke(c, g) == nil }

// MayExtend reports whether the caller may give the grant another end.
func (s *Service) MayExtend(c Caller, g Grant) bool { return s.mayCreate(c, g) == nil }

// ReadThePolicy gives the policy to whom it concerns: all who may read it.
func (s *Service) ReadThePolicy(ctx context.Context, c Caller) (*Policy, error) {
	if !c.MayEverywhere(ReadPolicy) {
		return nil, problem.New(problem.Forbidden, "web.forbidden")
	}
	st, err := s.current(ctx)
	if err != nil {
		return nil, problem.New(problem.Unavailable, "access.unavailable").Because(err)
	}
	return st.policy, nil
}

// PolicyOptions go with a change of the policy.
type PolicyOptions struct {
	IfMatch string // the ETag that the wish was made from; "" does not care
	Options
}

// TryPolicy is SetPolicy stopped before anything is stored: why it would be refused.
func (s *Service) TryPolicy(c Caller, wish *Policy) error {
	if !c.MayEverywhere(ChangePolicy) {
		return problem.New(problem.Forbidden, "web.forbidden")
	}
	if wish == nil {
		return problem.New(problem.Malformed, "web.malformed")
	}
	if faults := wish.check(s.Settings); len(faults) > 0 {
		return &problem.Error{Code: problem.Invalid, Public: i18n.NewText("setting.invalid"), Fields: faults}
	}
	return nil
}

// SetPolicy replaces the policy. Errors: problem.Invalid with fields,
// problem.Changed, problem.Forbidden; the policy is then the one that is there.
func (s *Service) SetPolicy(ctx context.Context, c Caller, wish *Policy, opts PolicyOptions) (now *Policy, recordID string, err error) {
	if err := s.TryPolicy(c, wish); err != nil {
		return nil, "", err
	}
	if err := checkReason(opts.Reason); err != nil {
		return nil, "", err
	}
	wish = wish.normal()
	err = s.alone(ctx, func(ctx context.Context, st *state) error {
		now = st.policy
		if !st.still(c, s.Now()).MayEverywhere(ChangePolicy) {
			return problem.New(problem.Forbidden, "web.forbidden")
		}
		if !matches(opts.IfMatch, st.policy.ETag()) || opts.Expect != nil && !bytes.Equal(compact(opts.Expect), st.policy.json()) {
			return problem.New(problem.Changed, "policy.changed")
		}
		if wish.ETag() == st.policy.ETag() {
			return nil
		}
		recordID, err = s.recorded(ctx, audit.Entry{
			Actor: audit.Person{ID: c.PersonID, Name: c.Name}, Role: string(Administrator), Setting: PolicyName, Before: st.policy.json(), After: wish.json(),
			Reason: opts.Reason, Undoes: opts.Undoes,
		}, func() error { return s.write(ctx, st, st.grants, wish) })
		if err == nil {
			now = wish
		}
		return err
	})
	return now, recordID, err
}

// matches compares If-Match with an ETag (RFC 9110, 13.1.1); "" matches all.
func matches(ifMatch, etag string) bool {
	for tag := range strings.SplitSeq(ifMatch, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == etag {
			return true
		}
	}
	return ifMatch == ""
}

// UndoPolicy puts the policy back as it was before a record; see UndoGrant.
func (s *Service) UndoPolicy(ctx context.Context, c Caller, e audit.Entry, ifMatch, reason string) (recordID string, now State, err error) {
	before := &Policy{}
	if err := json.Unmarshal(e.Before, before); err != nil {
		return "", State{}, problem.New(problem.Conflict, "history.whyNot.unknown").Because(err)
	}
	opts := PolicyOptions{Options: Options{Reason: reason, Undoes: e.ID}}
	switch ifMatch {
	case "":
		opts.Expect = e.After
	case "*":
	default:
		opts.IfMatch = ifMatch
	}
	policy, recordID, err := s.SetPolicy(ctx, c, before, opts)
	if policy != nil {
		now = stateOf(policy.json())
	}
	return recordID, now, err
}
