package selfservice

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/cache"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/webex"
)

// undoFor is how long a change can be undone (ux.md, section 2).
const undoFor = 30 * 24 * time.Hour

const (
	// lookAfter is when a record that was begun and never completed is looked into: the
	// replica that began it may have died.
	lookAfter = lockLease + 5*time.Second
	// pendingAfter is when it counts as left behind, and what it wanted as not done:
	// Webex may carry out late what it did not answer.
	pendingAfter = 2 * writeTimeout
)

// giveUpAfter is when nobody will find out any more what became of a change: a
// record that can never be settled must not stand in the way of later ones.
const giveUpAfter = 24 * time.Hour

// Record is an entry of the log, as a caller may see it.
type Record struct {
	audit.Entry
	Setting  *Setting // nil for what is no setting, and for what the catalogue does not know (any more)
	Changes  []Change
	Undoable bool
	WhyNot   i18n.Text // set when it cannot be undone
	// Veiled is set when the policy hides from the caller what was changed: then only
	// who, when and why are there.
	Veiled bool
}

// History lists the changes that concern a subject, newest first, as far as the
// caller may see what they speak of. cursor is "" or the next of the page before.
func (s *Service) History(ctx context.Context, c access.Caller, subject Subject, cursor string, limit int) (records []Record, next string, err error) {
	if err := reaches(c, subject); err != nil {
		return nil, "", err
	}
	entries, next, err := s.search(ctx, audit.Filter{Subject: subject.ID}, cursor, limit)
	if err != nil {
		return nil, "", err
	}
	for _, e := range entries {
		switch {
		case !e.Unreadable && !webex.SameID(e.Subject.ID, subject.ID):
			// The lists of who has which records are not sealed, the records are:
			// somebody else's tells nothing here.
			e = audit.Entry{ID: e.ID, At: e.At, Outcome: audit.Unknown, Unreadable: true}
		case slices.Contains(noHistory, e.Setting) || !c.Is(subject.ID) && !s.mayKnow(c, subject, e):
			continue
		}
		records = append(records, veiled(c, subject, s.recordOf(c, subject, e)))
	}
	return records, next, nil
}

// noHistory is what the log has about somebody that changed nothing of theirs.
var noHistory = []string{"refused", "export", "signIn"}

// mayKnow reports whether a helper may see a record about a subject they reach.
func (s *Service) mayKnow(c access.Caller, subject Subject, e audit.Entry) bool {
	if _, ok := c.MayOn(access.ReadLog, subject.Target()); ok {
		return true
	}
	switch e.Setting {
	case access.GrantsName:
		_, ok := c.MayOn(access.ReadAccess, subject.Target())
		return ok
	case AgentsName:
		return sees(c, subject, queuesName) == nil
	case DevicesName:
		return sees(c, subject, PhonesPart) == nil
	}
	return e.Unreadable || sees(c, subject, e.Setting) == nil
}

// LogQuery chooses records of the log.
type LogQuery struct {
	audit.Filter
	// Person is somebody who did it or whom it concerns, besides what Filter wants;
	// it has no use beside both an Actor and a Subject.
	Person string
}

// LogPage is a part of the log, newest first.
type LogPage struct {
	Records []Record
	Next    string    // the cursor of the next page; "" at the end
	Back    time.Time // how far back was looked, when there is a next page
}

const (
	// logRounds bounds how often one page of the log asks for more, because what was
	// found is not the caller's to see.
	logRounds = 10
	// exportPage is how many records an export holds at a time.
	exportPage = 500
)

// SearchLog searches all records that the caller may read: everything with ReadLog on the
// organization, and otherwise what concerns the subjects in their scope. A page may hold
// fewer than limit and have a next.
func (s *Service) SearchLog(ctx context.Context, c access.Caller, q LogQuery, cursor string, limit int) (LogPage, error) {
	if err := mayReadLog(c); err != nil {
		return LogPage{}, err
	}
	page := LogPage{Next: cursor}
	for range logRounds {
		entries, next, err := s.searchEither(ctx, q, page.Next, limit-len(page.Records))
		if err != nil {
			return LogPage{}, err
		}
		for _, e := range entries {
			if subject, ok := s.inLogScope(c, e); ok {
				page.Records = append(page.Records, veiled(c, subject, s.recordOf(c, subject, e)))
			}
		}
		if page.Next = next; next == "" || len(page.Records) >= limit {
			break
		}
	}
	if ms, _, found := strings.Cut(page.Next, "-"); found { // a cursor is the id of an entry, which begins with its time
		n, _ := strconv.ParseInt(ms, 10, 64)
		page.Back = time.UnixMilli(n)
	}
	return page, nil
}

// EachOfLog gives every record that SearchLog would list, newest first, until yield
// fails. It holds one page at a time.
func (s *Service) EachOfLog(ctx context.Context, c access.Caller, q LogQuery, yield func(Record) error) error {
	for cursor := ""; ; {
		page, err := s.SearchLog(ctx, c, q, cursor, exportPage)
		if err != nil {
			return err
		}
		for _, r := range page.Records {
			if err := yield(r); err != nil {
				return err
			}
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}

// searchEither is search for a query that may name a person in either role: then two
// lists are merged.
func (s *Service) searchEither(ctx context.Context, q LogQuery, cursor string, limit int) ([]audit.Entry, string, error) {
	filters := []audit.Filter{q.Filter}
	switch {
	case q.Person == "":
	case q.Actor != "": // then it is the other role
		filters[0].Subject = q.Person
	case q.Subject != "":
		filters[0].Actor = q.Person
	default:
		filters = append(filters, q.Filter)
		filters[0].Actor, filters[1].Subject = q.Person, q.Person
	}
	var all []audit.Entry
	next := ""
	for _, f := range filters {
		entries, more, err := s.search(ctx, f, cursor, limit)
		if err != nil {
			return nil, "", err
		}
		all = append(all, entries...)
		if more != "" && (next == "" || laterID(more, next)) {
			next = more // what is older may still be missing from this list
		}
	}
	if len(filters) == 1 {
		return all, next, nil
	}
	slices.SortFunc(all, func(a, b audit.Entry) int {
		switch {
		case a.ID == b.ID:
			return 0
		case laterID(a.ID, b.ID):
			return -1
		}
		return 1
	})
	all = slices.CompactFunc(all, func(a, b audit.Entry) bool { return a.ID == b.ID })
	if next != "" {
		all = slices.DeleteFunc(all, func(e audit.Entry) bool { return laterID(next, e.ID) })
	}
	if len(all) > limit {
		all = all[:limit]
		next = all[limit-1].ID
	}
	return all, next, nil
}

// laterID compares ids of entries, which are milliseconds and a number.
func laterID(a, b string) bool {
	parts := func(id string) (ms, n int64) {
		x, y, _ := strings.Cut(id, "-")
		ms, _ = strconv.ParseInt(x, 10, 64)
		n, _ = strconv.ParseInt(y, 10, 64)
		return ms, n
	}
	am, an := parts(a)
	bm, bn := parts(b)
	return am > bm || am == bm && an > bn
}

// KnownQueueName is the name of a queue or hunt group as last listed; it asks nobody.
func (s *Service) KnownQueueName(ctx context.Context, id string) (string, bool) {
	r, _ := cache.Peek[[]Queue](ctx, s.Cache, queuesKey)
	for _, q := range r.Value {
		if webex.SameID(q.ID, id) {
			return q.Name, true
		}
	}
	return "", false
}

func mayReadLog(c access.Caller) error {
	if !c.May(access.ReadLog) {
		return problem.New(problem.Forbidden, "web.forbidden")
	}
	return nil
}

// inLogScope decides whether a record is the caller's to read in the log. Who reads
// the log of some people only does not see what concerns nobody.
func (s *Service) inLogScope(c access.Caller, e audit.Entry) (Subject, bool) {
	subject := s.knownSubject(e.Subject)
	if c.MayEverywhere(access.ReadLog) {
		return subject, true
	}
	if e.Subject.ID == "" || e.Unreadable {
		return subject, false
	}
	_, ok := c.MayOn(access.ReadLog, subject.Target())
	return subject, ok
}

// knownSubject is who a record speaks of, as the directory has them; it asks nobody.
func (s *Service) knownSubject(p audit.Person) Subject {
	subject := Subject{ID: p.ID, Name: p.Name}
	if known, ok := s.Directory.Person(p.ID); ok {
		subject.ID, subject.LocationID, subject.Groups = known.ID, known.LocationID, s.Directory.GroupsOf(known.ID)
	}
	return subject
}

func (s *Service) search(ctx context.Context, f audit.Filter, cursor string, limit int) ([]audit.Entry, string, error) {
	entries, next, err := s.Audit.Search(ctx, f, cursor, limit)
	switch {
	case errors.Is(err, audit.ErrCursor):
		return nil, "", problem.New(problem.Malformed, "history.cursor")
	case err != nil:
		return nil, "", problem.New(problem.Unavailable, "history.unavailable").Because(err)
	}
	return entries, next, nil
}

// canonical is one spelling of an id, by which records are found.
func canonical(id string) string {
	if u, err := webex.UUID(id); err == nil {
		return u
	}
	return id
}

func (s *Service) recordOf(c access.Caller, subject Subject, e audit.Entry) Record {
	r := Record{Entry: e, Setting: s.settingOf(e)}
	if r.Setting != nil {
		r.Changes, _ = r.Setting.changesOf(e) // a record that cannot be read is shown without its values
	}
	undoable := len(r.Changes) > 0 || e.Setting == access.GrantsName || e.Setting == access.PolicyName
	switch {
	case e.UndoneBy != "":
		r.WhyNot = i18n.NewText("history.whyNot.undone")
	case e.Outcome == audit.Pending:
		r.WhyNot = i18n.NewText("history.whyNot.pending")
	case e.Outcome != audit.Done:
		r.WhyNot = i18n.NewText("history.whyNot.notDone")
	case s.Now().Sub(e.At) > undoFor:
		r.WhyNot = i18n.NewText("history.whyNot.tooOld")
	case !undoable:
		r.WhyNot = whyNoUndo(e)
	case !s.mayUndo(c, subject, r):
		r.WhyNot = i18n.NewText(keyNotYours)
	default:
		r.Undoable = true
	}
	return r
}

// mayUndo reports whether the caller could make the change that undoes a record, as
// far as the portal decides.
func (s *Service) mayUndo(c access.Caller, subject Subject, r Record) bool {
	switch r.Entry.Setting {
	case access.GrantsName, access.PolicyName:
		return s.Access.MayUndo(c, r.Entry)
	case AgentsName:
		return mayQueue(c, access.StaffQueues, queueOf(r.Object))
	case CoverName:
		return mayQueue(c, access.SwitchAgents, queueOf(r.Object))
	case DevicesName:
		may, _ := ManagesPhones(c, subject)
		return may
	}
	if ok, _ := changes(c, subject, r.Entry.Setting); ok {
		return true
	}
	return r.Entry.Setting == queuesName && s.mayUndoSwitch(c, r)
}

// veiled takes the values out of a record of what the policy hides from the caller:
// that something was changed, by whom and when, is not hidden from anybody whom it
// concerns.
func veiled(c access.Caller, subject Subject, r Record) Record {
	part := r.Entry.Setting
	switch part {
	case AgentsName:
		part = queuesName
	case DevicesName:
		part = PhonesPart
	}
	hidden := subject.ID != "" && slices.Contains(Parts(), part) && !Sees(c, subject, part)
	if r.Entry.Setting == AgentsName || r.Entry.Setting == CoverName {
		// Who may see all queues, and not this one, may not see it by the policy.
		hidden = hidden || c.MayEverywhere(access.ReadQueues) && !mayQueue(c, access.ReadQueues, queueOf(r.Object))
	}
	if hidden {
		r.Veiled, r.Changes, r.Before, r.After, r.Object = true, nil, nil, nil, audit.Object{Kind: r.Object.Kind}
	}
	return r
}

// settingOf finds the setting that a record speaks of.
func (s *Service) settingOf(e audit.Entry) *Setting {
	switch e.Setting {
	case queuesName:
		return s.queueSettingOf(e)
	case AgentsName:
		return s.staffing(queueOf(e.Object))
	case CoverName:
		return s.coverSetting(queueOf(e.Object))
	case DevicesName:
		return s.lineLabels(e.Object)
	}
	return find(s.catalogue, e.Setting)
}

// Undone is the result of an undo: of a setting, or of a grant or the policy.
type Undone struct {
	Written
	Entry   audit.Entry // what was undone
	Subject Subject     // whose it was; nobody for what is no person's
	// State is, of a grant or the policy, what was there.
	State access.State
}

// PersonOf is somebody as the log names them; only the id is known of who is not in
// the directory.
func (s *Service) PersonOf(id string) audit.Person {
	if p, ok := s.Directory.Person(id); ok {
		return audit.Person{ID: p.ID, Name: p.Name}
	}
	if _, err := webex.UUID(id); err != nil {
		return audit.Person{}
	}
	return audit.Person{ID: id}
}

// Undo puts the before of a recorded change back, if the present values are still
// its after; otherwise it returns problem.Changed, and Undone holds the state and
// what the undo would have set: with IfMatch naming that state it is done all the
// same. self is the caller as a subject. What the caller may not know of is
// problem.NotFound.
func (s *Service) Undo(ctx context.Context, c access.Caller, self Subject, recordID string, opts WriteOptions) (Undone, error) {
	e, err := s.Audit.Get(ctx, recordID)
	switch {
	case errors.Is(err, audit.ErrNotFound):
		return Undone{}, problem.New(problem.NotFound, "history.notFound")
	case err != nil:
		return Undone{}, problem.New(problem.Unavailable, "history.unavailable").Because(err)
	case e.Unreadable:
		return Undone{}, problem.New(problem.NotFound, "history.notFound")
	}
	undone := Undone{Entry: e}
	if e.Setting == access.GrantsName || e.Setting == access.PolicyName {
		if !s.Access.MayUndo(c, e) {
			return Undone{}, access.Denied("history.notFound")
		}
		if r := s.recordOf(c, Subject{}, e); !r.Undoable {
			return undone, r.notUndoable()
		}
		undo := s.Access.UndoGrant
		if e.Setting == access.PolicyName {
			undo = s.Access.UndoPolicy
		}
		undone.RecordID, undone.State, err = undo(ctx, c, e, opts.IfMatch, opts.Reason)
		return undone, err
	}
	subject, err := s.subjectOf(ctx, c, self, e)
	if err != nil {
		return Undone{}, err
	}
	undone.Subject = subject
	r := s.recordOf(c, subject, e)
	if !r.Undoable {
		return undone, r.notUndoable()
	}
	wish := Document{}
	for _, change := range r.Changes {
		before := change.Before
		if isUnset(before) && change.Kind == Destination {
			before = ""
		}
		if before != nil {
			wish.Set(change.Path, before)
		}
	}
	opts.Undoes = e.ID
	if opts.IfMatch == "" {
		opts.expect = r.Changes
	}
	by, err := s.undoer(ctx, c, subject, r)
	if err != nil {
		return undone, err
	}
	undone.Written, err = s.write(ctx, by, subject, r.Setting, wish, opts)
	if err == nil && r.Entry.Setting == queuesName {
		s.noteJoined(ctx, subject, undone.Changes)
	}
	return undone, err
}

// keyNotYours says that somebody else may undo a record.
const keyNotYours = "history.whyNot.notYours"

// notUndoable is the problem of a record that the caller may know of, but not undo.
func (r Record) notUndoable() error {
	if r.WhyNot.Key == keyNotYours {
		return (&problem.Error{Code: problem.Forbidden, Public: r.WhyNot}).Because(access.ErrDenied)
	}
	return &problem.Error{Code: problem.Conflict, Public: r.WhyNot}
}

// subjectOf finds whom a record concerns, if the caller may undo anything there.
func (s *Service) subjectOf(ctx context.Context, c access.Caller, self Subject, e audit.Entry) (Subject, error) {
	if c.Is(e.Subject.ID) && c.Is(self.ID) {
		return self, nil
	}
	known := s.knownSubject(e.Subject)
	if e.Setting == AgentsName || e.Setting == CoverName || e.Setting == queuesName {
		// The lead of a queue need not reach its agents otherwise.
		if r := (Record{Entry: e, Setting: s.settingOf(e)}); s.mayUndo(c, known, r) || s.mayUndoSwitch(c, r) {
			return known, nil
		}
	}
	subject, err := s.Subject(ctx, c, e.Subject.ID)
	if err != nil || !s.mayKnow(c, subject, e) {
		return Subject{}, access.Denied("history.notFound")
	}
	return subject, nil
}

// undoer is the caller as who they may undo a record.
func (s *Service) undoer(ctx context.Context, c access.Caller, subject Subject, r Record) (actor, error) {
	switch r.Entry.Setting {
	case AgentsName:
		return staffer(c, queueOf(r.Object))
	case CoverName:
		return switcher(c, queueOf(r.Object))
	case DevicesName:
		_, by, err := s.managed(ctx, c, subject, r.Object.ID) // it may be somebody else's by now
		return by, err
	case queuesName:
		// Whoever looks after the queue need not ask whether agents may join by themselves.
		if role, ok := s.switcherOf(c, r); ok {
			return actor{Caller: c, role: role, self: c.Is(subject.ID), overQueue: true, again: func(_ context.Context, c access.Caller) error {
				if !s.mayUndoSwitch(c, r) {
					return problem.New(problem.Forbidden, keyNotYours).Because(access.ErrDenied)
				}
				return nil
			}}, nil
		}
	}
	return s.mayWrite(ctx, c, subject, r.Setting)
}

// SettlePending finds out, by reading, what became of changes whose end was
// never recorded: Webex did not answer, or a replica died. It runs in the
// background on every replica; completing a record twice does no harm.
func (s *Service) SettlePending(ctx context.Context) error {
	entries, err := s.Audit.Pending(ctx, lookAfter, 20)
	if err != nil {
		return err
	}
	for _, e := range entries {
		outcome, err := s.outcomeOf(ctx, e)
		if outcome != audit.Done && s.Now().Sub(e.At) < pendingAfter {
			continue
		}
		if err != nil && s.Now().Sub(e.At) < giveUpAfter {
			s.Log.WarnContext(ctx, "an unfinished change cannot be settled yet", "record", e.ID, "setting", e.Setting, "error", err)
			continue
		}
		if err := s.Audit.Finish(ctx, e.ID, audit.Result{Outcome: outcome, Undoes: e.Undoes}); err != nil {
			return err
		}
		s.Log.InfoContext(ctx, "an unfinished change was settled by reading", "record", e.ID, "setting", e.Setting, "outcome", outcome)
	}
	return nil
}

// foundLater tells what became of a change by what the next change of the same found
// there: what is there now, others have made. Unknown when there was none.
func (s *Service) foundLater(ctx context.Context, e audit.Entry, changes []Change) (audit.Outcome, error) {
	const enough = 200 // changes of one setting of one person, in the minutes until this one is settled
	later, _, err := s.Audit.Search(ctx, audit.Filter{Subject: e.Subject.ID, Setting: e.Setting, Object: e.Object.ID, From: e.At}, "", enough)
	if err != nil {
		return audit.Unknown, err
	}
	for _, next := range slices.Backward(later) {
		found, err := ParseDocument(next.Before)
		if err != nil || !laterID(next.ID, e.ID) {
			continue
		}
		if slices.ContainsFunc(changes, func(c Change) bool { _, ok := found.Get(c.Path); return !ok }) {
			continue // it was about something else
		}
		if outcome := compare(changes, found, ""); outcome != audit.Unknown {
			return outcome, nil
		}
	}
	return audit.Unknown, nil
}

// outcomeOf tells by reading what became of a recorded change; Unknown for what
// cannot be read.
func (s *Service) outcomeOf(ctx context.Context, e audit.Entry) (audit.Outcome, error) {
	if e.Setting == access.GrantsName || e.Setting == access.PolicyName {
		return s.Access.Settle(ctx, e)
	}
	if isDeed(e) {
		return s.deedOutcome(ctx, e)
	}
	setting := s.settingOf(e)
	if setting == nil {
		return audit.Unknown, nil
	}
	changes, err := setting.changesOf(e)
	if err != nil {
		return audit.Unknown, err
	}
	if outcome, err := s.foundLater(ctx, e, changes); err != nil || outcome != audit.Unknown {
		return outcome, err
	}
	doc, err := setting.read(ctx, s.Webex, e.Subject.ID)
	if err != nil {
		return audit.Unknown, err
	}
	return compare(changes, doc, ""), nil
}
