package selfservice

import (
	"context"
	"errors"
	"time"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/webex"
)

// undoFor is how long a change can be undone (ux.md, section 2).
const undoFor = 30 * 24 * time.Hour

// pendingAfter is when a record that was begun and never completed counts as
// left behind by a replica that died.
const pendingAfter = 2 * writeTimeout

// giveUpAfter is when nobody will find out any more what became of a change: a
// record that can never be settled must not stand in the way of later ones.
const giveUpAfter = 24 * time.Hour

// Record is an entry of the history of a subject.
type Record struct {
	audit.Entry
	Setting  *Setting // nil when the catalogue does not know it (any more)
	Changes  []Change
	Undoable bool
	WhyNot   i18n.Text // set when it cannot be undone
}

// History lists the changes of a subject's settings, newest first. cursor is ""
// or the next of the page before.
func (s *Service) History(ctx context.Context, c access.Caller, subject Subject, cursor string, limit int) (records []Record, next string, err error) {
	if err := may(c, subject, access.ReadOwn); err != nil {
		return nil, "", err
	}
	entries, next, err := s.Audit.Search(ctx, audit.Filter{Subject: subject.ID}, cursor, limit)
	switch {
	case errors.Is(err, audit.ErrCursor):
		return nil, "", problem.New(problem.Malformed, "history.cursor")
	case err != nil:
		return nil, "", problem.New(problem.Unavailable, "history.unavailable").Because(err)
	}
	for _, e := range entries {
		if !webex.SameID(e.Subject.ID, subject.ID) {
			// The lists of who has which records are not sealed, the records are:
			// somebody else's tells nothing here.
			e = audit.Entry{ID: e.ID, At: e.At, Outcome: audit.Unknown, Unreadable: true}
		}
		records = append(records, s.recordOf(e))
	}
	return records, next, nil
}

func (s *Service) recordOf(e audit.Entry) Record {
	r := Record{Entry: e, Setting: s.settingOf(e)}
	if r.Setting != nil {
		r.Changes, _ = r.Setting.changesOf(e) // a record that cannot be read is shown without its values
	}
	switch {
	case e.UndoneBy != "":
		r.WhyNot = i18n.NewText("history.whyNot.undone")
	case e.Outcome == audit.Pending:
		r.WhyNot = i18n.NewText("history.whyNot.pending")
	case e.Outcome != audit.Done:
		r.WhyNot = i18n.NewText("history.whyNot.notDone")
	case s.Now().Sub(e.At) > undoFor:
		r.WhyNot = i18n.NewText("history.whyNot.tooOld")
	case len(r.Changes) == 0:
		r.WhyNot = i18n.NewText("history.whyNot.unknown")
	default:
		r.Undoable = true
	}
	return r
}

// settingOf finds the setting that a record speaks of.
func (s *Service) settingOf(e audit.Entry) *Setting {
	if e.Setting == queuesName {
		return s.queueSettingOf(e)
	}
	return find(s.catalogue, e.Setting)
}

// Undo puts the before of a recorded change back, if the present values are
// still its after; otherwise it returns problem.Changed, and Written holds the
// state and what the undo would have set.
func (s *Service) Undo(ctx context.Context, c access.Caller, subject Subject, recordID string, opts WriteOptions) (Written, error) {
	if err := may(c, subject, access.ChangeOwn); err != nil {
		return Written{}, err
	}
	e, err := s.Audit.Get(ctx, recordID)
	switch {
	case errors.Is(err, audit.ErrNotFound):
		return Written{}, problem.New(problem.NotFound, "history.notFound")
	case err != nil:
		return Written{}, problem.New(problem.Unavailable, "history.unavailable").Because(err)
	case !webex.SameID(e.Subject.ID, subject.ID):
		return Written{}, problem.New(problem.NotFound, "history.notFound")
	}
	r := s.recordOf(e)
	if !r.Undoable {
		return Written{}, &problem.Error{Code: problem.Conflict, Public: r.WhyNot}
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
	opts.Undoes, opts.expect = e.ID, r.Changes
	return s.write(ctx, c, subject, r.Setting, wish, opts)
}

// SettlePending finds out, by reading, what became of changes whose end was
// never recorded: Webex did not answer, or a replica died. It runs in the
// background on every replica; completing a record twice does no harm.
func (s *Service) SettlePending(ctx context.Context) error {
	entries, err := s.Audit.Pending(ctx, pendingAfter, 20)
	if err != nil {
		return err
	}
	for _, e := range entries {
		setting := s.settingOf(e)
		result := audit.Result{Outcome: audit.Unknown, Undoes: e.Undoes}
		if setting != nil {
			changes, err := setting.changesOf(e)
			if err != nil {
				return err
			}
			doc, err := setting.read(ctx, s.Webex, e.Subject.ID)
			if err != nil && s.Now().Sub(e.At) < giveUpAfter {
				s.Log.WarnContext(ctx, "an unfinished change cannot be settled yet", "record", e.ID, "setting", e.Setting, "error", err)
				continue
			}
			if err == nil {
				result.Outcome = compare(changes, doc, "")
			}
		}
		if err := s.Audit.Finish(ctx, e.ID, result); err != nil {
			return err
		}
		s.Log.InfoContext(ctx, "an unfinished change was settled by reading", "record", e.ID, "setting", e.Setting, "outcome", result.Outcome)
	}
	return nil
}
