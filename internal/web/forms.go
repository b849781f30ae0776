package web

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
	"patchbay/internal/session"
	"patchbay/internal/webex"
	"patchbay/templates"
)

// Names of the values that a form carries beside the fields of its setting.
const (
	formCard   = "_card"   // the card to answer with
	formETag   = "_etag"   // the state that the form was made from
	formFields = "_fields" // the fields that it can change: a tick that is not sent is off
	formStep   = "_step"   // "review", "apply", "edit" or "keep"
	formFor    = "_for"    // whom the form is for
)

// formTag names the subject of a form, so that one that was made for one person is
// not carried out for another who has signed in since, in the same browser.
func formTag(r *http.Request) string {
	sum := sha256.Sum256([]byte("patchbay form " + visitorFrom(r.Context()).subject.ID))
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// hidden are the values of a button that posts by itself.
func hidden(r *http.Request, card string, more ...templates.Hidden) []templates.Hidden {
	return append([]templates.Hidden{{Name: formCard, Value: card}, {Name: formFor, Value: formTag(r)}}, more...)
}

// sent is a form as it came.
type sent struct {
	card, etag, step, page string
	fields                 []string
	wish                   selfservice.Document
	values                 url.Values
}

// readForm reads a form of a setting into a wish.
func readForm(r *http.Request, setting *selfservice.Setting) (sent, error) {
	if err := r.ParseForm(); err != nil {
		return sent{}, bodyProblem(err)
	}
	f := sent{
		card: r.PostForm.Get(formCard), etag: r.PostForm.Get(formETag), step: r.PostForm.Get(formStep), page: pageParam(r),
		fields: strings.Fields(r.PostForm.Get(formFields)), wish: selfservice.Document{}, values: r.PostForm,
	}
	if r.PostForm.Has(formFor) && r.PostForm.Get(formFor) != formTag(r) {
		return sent{}, problem.New(problem.Changed, "web.otherPerson")
	}
	if setting == nil {
		return f, nil
	}
	for _, path := range f.fields {
		i := slices.IndexFunc(setting.Fields, func(f selfservice.Field) bool { return f.Path == path })
		if i < 0 {
			return sent{}, problem.New(problem.Malformed, "web.malformed").Because(errors.New("the form names a field that the setting does not have"))
		}
		field := setting.Fields[i]
		value, there := r.PostForm.Get(path), r.PostForm.Has(path)
		switch field.Kind {
		case selfservice.Bool:
			f.wish.Set(path, value == "true")
		case selfservice.Integer:
			if there {
				f.wish.Set(path, json.Number(strings.TrimSpace(value)))
			}
		case selfservice.Choice, selfservice.Destination, selfservice.Text:
			if there {
				f.wish.Set(path, value)
			}
		}
	}
	return f, nil
}

// pageParam is the page that a card stands on.
func pageParam(r *http.Request) string {
	switch page := r.URL.Query().Get("page"); page {
	case "home", "calls", "queues", "phones", "history", "health", "lend":
		return page
	}
	return ""
}

// hidden is the whole form again, for a button that sends it once more.
func (f sent) hidden(more ...templates.Hidden) []templates.Hidden {
	var list []templates.Hidden
	for _, name := range append([]string{formCard, formFields, formFor}, f.fields...) {
		for _, value := range f.values[name] {
			list = append(list, templates.Hidden{Name: name, Value: value})
		}
	}
	return append(list, more...)
}

// saveSetting saves a form of a setting and answers with its card.
func (s *Server) saveSetting(w http.ResponseWriter, r *http.Request) error {
	name := param(r, "setting")
	setting := s.Settings.Setting(name)
	if setting == nil {
		return problem.New(problem.NotFound, "web.notFound")
	}
	f, err := readForm(r, setting)
	if err != nil {
		return err
	}
	v := shown{page: f.page, age: afterChange}
	switch f.step {
	case "keep":
		v.age = 0
		return s.answerForm(w, r, f, v, nil)
	case "edit":
		v.typed = f.wish
		return s.answerForm(w, r, f, v, nil)
	case "review":
		return s.review(w, r, f, setting)
	}
	who := visitorFrom(r.Context())
	written, err := s.Settings.Write(r.Context(), who.Caller, who.subject, name, f.wish, selfservice.WriteOptions{
		IfMatch: f.etag, Fields: f.fields, Reason: formOptions(r).Reason,
	})
	if len(f.fields) == 1 {
		v.onItem = f.fields[0]
	}
	v.note = s.noteOf(r, f, written, err)
	if err != nil {
		v.typed = f.wish
		if isSwitch(setting) {
			v.typed = nil // a switch shows the truth
		}
		v.faults = problemOf(err).Fields
	}
	return s.answerForm(w, r, f, v, err)
}

// isSwitch reports whether a setting is saved at once, without a Save button.
func isSwitch(setting *selfservice.Setting) bool {
	return setting.Name == "doNotDisturb" || setting.Name == "callWaiting"
}

// review shows what would change, without changing it.
func (s *Server) review(w http.ResponseWriter, r *http.Request, f sent, setting *selfservice.Setting) error {
	who := visitorFrom(r.Context())
	v := shown{page: f.page, age: afterChange, typed: f.wish}
	plan, err := s.Settings.Plan(r.Context(), who.Caller, who.subject, setting.Name, f.wish, selfservice.WriteOptions{IfMatch: f.etag, Fields: f.fields})
	switch {
	case err != nil:
		v.note, v.faults = s.noteOf(r, f, plan, err), problemOf(err).Fields
		return s.answerForm(w, r, f, v, err)
	case len(plan.Changes) == 0:
		v.note = templates.Note{Kind: templates.NothingToSave}
		return s.answerForm(w, r, f, v, nil)
	}
	label := tr(r, "intercept.change")
	for _, c := range plan.Changes {
		if on, _ := c.After.(bool); c.Path == "enabled" && on {
			label = tr(r, "intercept.start")
		} else if c.Path == "enabled" {
			label = tr(r, "intercept.stop")
		}
	}
	var values []templates.Hidden
	for _, h := range f.hidden() {
		if h.Name != formCard && h.Name != formFields && h.Name != formFor {
			values = append(values, h)
		}
	}
	v.review = &templates.Review{Differences: differencesOf(r, setting, plan.Changes, plan.Reading.Region()), Values: values, Label: label}
	return s.answerForm(w, r, f, v, nil)
}

// noteOf says what became of a change.
func (s *Server) noteOf(r *http.Request, f sent, written selfservice.Written, err error) templates.Note {
	if err == nil {
		if written.RecordID == "" {
			return templates.Note{Kind: templates.NothingToSave}
		}
		return templates.Note{Kind: templates.Saved, At: s.clock(r, s.Now()), Undo: undoAction(r, written.RecordID, f.card, f.page)}
	}
	p := problemOf(err)
	note := templates.Note{Kind: templates.NotSaved, Text: tr(r, "note.notSaved", "Why", say(r, p.Public)), Reference: reference(r, p)}
	switch {
	case p.Code == problem.Invalid:
		return templates.Note{} // the form itself says what is wrong
	case p.Code == problem.Changed && written.Reading.Setting != nil:
		return s.changedNote(r, f, written)
	case selfservice.IsUnsure(err):
		note.Kind, note.Text, note.CheckURL = templates.NotSure, say(r, p.Public), at(r, "/cards/"+f.card+"?page="+f.page+"&fresh=1")
	case webex.IsKind(err, webex.KindThrottled) && p.RetryAfter > 0:
		note.Kind, note.Seconds, note.Text = templates.RateLimited, retrySeconds(p), ""
		if retrySeconds(p) <= maxAutoRetry {
			note.Retry = templates.Action{URL: r.URL.RequestURI(), Hidden: f.hidden(templates.Hidden{Name: formETag, Value: f.etag})}
		} else {
			note.Text = tr(r, "note.waitLong")
		}
	}
	return note
}

// maxAutoRetry is how many seconds a change waits by itself when Webex asks to.
const maxAutoRetry = 60

// changedNote shows both values of a setting that changed meanwhile.
func (s *Server) changedNote(r *http.Request, f sent, written selfservice.Written) templates.Note {
	reading := written.Reading
	say := func(doc selfservice.Document) string {
		var parts []string
		for _, field := range reading.Setting.FieldsOf(reading.Document) {
			value, ok := doc.Get(field.Path)
			if !ok || field.ReadOnly || len(f.fields) > 0 && !slices.Contains(f.fields, field.Path) {
				continue
			}
			label := reading.Document.Text(strings.TrimSuffix(field.Path, ".joined") + ".name") // of a queue
			if label == "" {
				label = fieldWords(r, reading.Setting, field)
			}
			parts = append(parts, label+": "+valueWords(r, field, value, reading.Region()))
		}
		return strings.Join(parts, ", ")
	}
	return templates.Note{
		Kind: templates.ChangedElsewhere, Theirs: say(reading.Document), Mine: say(written.Wanted),
		KeepTheirs: templates.Action{URL: r.URL.RequestURI(), Hidden: f.hidden(templates.Hidden{Name: formStep, Value: "keep"})},
		UseMine:    templates.Action{URL: r.URL.RequestURI(), Hidden: f.hidden(templates.Hidden{Name: formETag, Value: reading.Tag(f.fields)})},
	}
}

// movedNote shows the difference before an undo of what was changed again since.
func (s *Server) movedNote(r *http.Request, f sent, written selfservice.Written) templates.Note {
	note := s.changedNote(r, f, written)
	note.Text, note.MineLabel = tr(r, "note.moved"), tr(r, "note.moved.mine")
	note.KeepTheirs = templates.Action{} // leaving it is doing nothing
	note.UseMine = templates.Action{
		URL: r.URL.RequestURI(), Label: tr(r, "note.moved.undo"), Hidden: f.hidden(templates.Hidden{Name: formETag, Value: written.Reading.ETag}),
	}
	return note
}

// formOptions are what goes with a change made on a page: for somebody else, why.
func formOptions(r *http.Request) selfservice.WriteOptions {
	return selfservice.WriteOptions{Reason: visitorFrom(r.Context()).acting.Reason}
}

// alsoShown are the cards that a change of one card makes stale on its page.
func alsoShown(card, page string) []string {
	switch {
	case card == "queues" && page == onHome:
		return []string{"quick"}
	case card == "quick":
		return []string{"rightNow", "queues"}
	case page == onCalls && card != "rightNow":
		return []string{"rightNow"}
	}
	return nil
}

// answerForm answers a form: htmx gets the card, and what else the change touched
// on the page; a browser without JavaScript is sent back to the page, or shown it
// again with what was typed.
func (s *Server) answerForm(w http.ResponseWriter, r *http.Request, f sent, v shown, err error) error {
	status := http.StatusOK
	if err != nil {
		p := problemOf(err)
		s.logProblem(r, p)
		status = p.Code.Status()
		if p.RetryAfter > 0 {
			w.Header().Set("Retry-After", itoa(retrySeconds(p)))
		}
	}
	if homeOf[f.card] == "" {
		return problem.New(problem.Malformed, "web.malformed")
	}
	if v.page == "" {
		v.page = homeOf[f.card]
	}
	if !isPartial(r) {
		if err == nil && v.review == nil && v.typed == nil {
			return s.goOn(w, r, pageURL(r, v.page), flashOf(v.note))
		}
		return s.renderPage(w, r, v.page, status, f.card, v)
	}
	answered, cardErr := s.card(r, f.card, v)
	if cardErr != nil {
		return cardErr
	}
	parts := []templ.Component{answered}
	if err == nil && v.review == nil {
		for _, name := range alsoShown(f.card, v.page) {
			if also, err := s.card(r, name, shown{page: v.page, age: afterChange, oob: true}); err == nil {
				parts = append(parts, also)
			}
		}
	}
	return render(w, r, status, parts...)
}

// goOn ends a form without JavaScript: POST, redirect, GET. A flash without a kind is
// none.
func (s *Server) goOn(w http.ResponseWriter, r *http.Request, to string, flash session.Flash) error {
	if flash.Kind != "" {
		if err := s.Sessions.PutFlash(r.Context(), flash); err != nil {
			s.Log.WarnContext(r.Context(), "a message for the next page was lost", "error", err)
		}
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// flashOf says on the next page what a note would say on this one.
func flashOf(n templates.Note) session.Flash {
	switch n.Kind {
	case templates.Saved:
		return session.Flash{Kind: "saved", Text: i18n.NewText("note.saved", "Time", n.At), RecordID: recordOf(n.Undo)}
	case templates.NothingToSave:
		return session.Flash{Kind: "notice", Text: text("note.nothing")}
	default:
		return session.Flash{}
	}
}

// undoneFlash says on the next page that something has been undone.
func (s *Server) undoneFlash(r *http.Request) session.Flash {
	return session.Flash{Kind: "notice", Text: i18n.NewText("note.undone", "Time", s.clock(r, s.Now()))}
}

// recordOf is the record that an undo button names.
func recordOf(a templates.Action) string {
	_, record, found := strings.Cut(a.URL, "/history/")
	if !found {
		return ""
	}
	record, _, _ = strings.Cut(record, "/")
	return record
}

// undo undoes a change and answers with the card that the button stood on.
func (s *Server) undo(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r, nil)
	if err != nil {
		return err
	}
	if f.card == "" {
		f.card = "history"
	}
	who := visitorFrom(r.Context())
	record := param(r, "record")
	opts := formOptions(r)
	opts.IfMatch = f.etag // of the state over which the undo is wanted all the same
	undone, err := s.Settings.Undo(r.Context(), who.Caller, ownSubject(who), record, opts)
	if err == nil && undone.RecordID != "" && !isPartial(r) {
		return s.goOn(w, r, pageURL(r, cmp.Or(f.page, homeOf[f.card])), s.undoneFlash(r))
	}
	v := shown{page: f.page, age: afterChange, note: s.undoNote(r, f, undone, err)}
	if f.card == "history" {
		v.row = record
	}
	return s.answerForm(w, r, f, v, err)
}

// saveQueue joins or leaves one queue.
func (s *Server) saveQueue(w http.ResponseWriter, r *http.Request) error {
	return s.setJoined(w, r, []string{param(r, "queue")})
}

// saveAllQueues joins or leaves all queues that the person may.
func (s *Server) saveAllQueues(w http.ResponseWriter, r *http.Request) error {
	return s.setJoined(w, r, nil)
}

func (s *Server) setJoined(w http.ResponseWriter, r *http.Request, ids []string) error {
	f, err := readForm(r, nil)
	if err != nil {
		return err
	}
	if f.card != "quick" {
		f.card = "queues"
	}
	if f.page == "" {
		f.page = "queues"
	}
	joined := f.values.Get("joined") == "true"
	who := visitorFrom(r.Context())
	written, err := s.Settings.SetJoined(r.Context(), who.Caller, who.subject, ids, joined, selfservice.JoinOptions{
		WriteOptions: formOptions(r), WarnLast: f.values.Get("anyway") != "true",
	})
	v := shown{page: f.page, age: afterChange}
	if len(ids) == 1 {
		v.row = ids[0]
	}
	var last *selfservice.LastAgentError
	if errors.As(err, &last) {
		v.last = last
		if !isPartial(r) {
			return s.renderPage(w, r, f.page, http.StatusConflict, f.card, v)
		}
		answered, err := s.card(r, f.card, v)
		if err != nil {
			return err
		}
		return render(w, r, http.StatusConflict, answered)
	}
	all := selfservice.Written{}
	for _, one := range written {
		if one.RecordID != "" {
			all = one
		}
	}
	v.note = s.noteOf(r, f, all, err)
	if err == nil && len(written) > 1 {
		v.note.Undo = templates.Action{} // two changes: each is undone in the history
	}
	return s.answerForm(w, r, f, v, err)
}
