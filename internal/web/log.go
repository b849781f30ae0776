package web

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/directory"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
	"patchbay/internal/webex"
	"patchbay/templates"
)

// logRoutes is the part of the table for the change log and sessions.
func (s *Server) logRoutes() []route {
	return append([]route{
		{"GET", "/log", page, access.ReadLog, s.showLog},
		{"GET", exportPath, page, access.ReadLog, s.exportLog},
		{"POST", verifyPath, page, access.ReadLog, s.verifyLog},
		{"POST", "/log/{record}/undo", card, access.ReadLog, s.undoFromLog},
		{"GET", apiLogPath, api, access.ReadLog, s.apiLog},
	}, s.sessionRoutes()...)
}

const (
	exportPath = "/log/export"
	verifyPath = "/log/verify"
	apiLogPath = "/api/log"

	// longTimeout is how long walking over the whole log may take: exporting or
	// checking a million entries.
	longTimeout = 10 * time.Minute
	// logPage is how many entries one page shows.
	logPage = 25
	// flushEvery is after how many records an export is sent on.
	flushEvery = 500
	// offeredPeople is how many people are offered when a name fits several.
	offeredPeople = 6

	// verifyName is the name under which the log has that its chain was checked.
	verifyName = "verification"
	dateLayout = "2006-01-02"
)

// timeout is how long an answer may take.
func (rt route) timeout(method string) time.Duration {
	switch {
	case slices.Contains([]string{exportPath, verifyPath, apiLogPath}, rt.pattern):
		return longTimeout
	case method != http.MethodGet && method != http.MethodHead:
		return writeTimeout
	}
	return readTimeout
}

// exported is what the log has of an export; verified of a check of its chain.
type (
	exported struct {
		Format  string            `json:"format"`
		Filter  map[string]string `json:"filter"`
		Entries int               `json:"entries"`
	}
	verified struct {
		Whole    bool   `json:"whole"`
		Entries  int    `json:"entries"`
		BrokenAt string `json:"brokenAt,omitempty"`
		Head     string `json:"head,omitempty"`
	}
)

// logFilter is what a search of the log wants, as it was asked for and as it is meant.
type logFilter struct {
	query  selfservice.LogQuery
	values url.Values // what was asked for, without what is empty
	names  map[string]string
	faults map[string]string             // by parameter: the key of what is wrong
	fits   map[string][]directory.Person // several people fit a name
}

// logParams are the criteria that a form of the page carries.
var logParams = []string{"person", "actor", "subject", "setting", "outcome", "from", "to"}

// logFilterOf reads the criteria of a search. Days are those of the reader; programs
// send times.
func (s *Server) logFilterOf(r *http.Request) logFilter {
	f := logFilter{values: url.Values{}, names: map[string]string{}, faults: map[string]string{}, fits: map[string][]directory.Person{}}
	for _, name := range logParams {
		if v := strings.TrimSpace(r.URL.Query().Get(name)); v != "" {
			f.values.Set(name, v)
		}
	}
	for name, into := range map[string]*string{"person": &f.query.Person, "actor": &f.query.Actor, "subject": &f.query.Subject} {
		if v := f.values.Get(name); v != "" {
			*into = s.findPerson(r, &f, name, v)
		}
	}
	if f.query.Setting = f.values.Get("setting"); f.query.Setting != "" && !slices.Contains(kinds(), f.query.Setting) {
		f.faults["setting"] = "log.fault.kind"
	}
	if f.query.Outcome = audit.Outcome(f.values.Get("outcome")); f.query.Outcome != "" && !slices.Contains(outcomes, f.query.Outcome) {
		f.faults["outcome"] = "log.fault.outcome"
	}
	for name, into := range map[string]*time.Time{"from": &f.query.From, "to": &f.query.To} {
		text := f.values.Get(name)
		if text == "" {
			continue
		}
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			*into = at
			continue
		}
		day, err := time.ParseInLocation(dateLayout, text, s.zone(r))
		switch {
		case err != nil:
			f.faults[name] = "log.fault.time"
		case name == "to":
			*into = day.AddDate(0, 0, 1) // with the whole of that day
		default:
			*into = day
		}
	}
	if f.faults["from"] == "" && f.faults["to"] == "" && !f.query.From.IsZero() && !f.query.To.IsZero() && !f.query.From.Before(f.query.To) {
		f.faults["to"] = "log.fault.order"
	}
	return f
}

// outcomes are how a record can have ended, as a filter offers them.
var outcomes = []audit.Outcome{audit.Done, audit.Refused, audit.Failed, audit.Unknown, audit.Pending}

// findPerson finds who is meant by an id, an e-mail address or a name.
func (s *Server) findPerson(r *http.Request, f *logFilter, field, text string) string {
	p, ok := s.Directory.Person(text)
	if !ok {
		p, ok = s.Directory.ByEmail(text)
	}
	if ok && !s.mayReadLogOf(r, &p) {
		return p.ID // they may have done something to those of whom the visitor reads; their name is not said
	}
	if !ok {
		if _, err := webex.UUID(text); err == nil {
			return text // of somebody who has left
		}
		found := s.Directory.Search(directory.Query{Text: text, Limit: offeredPeople, Visible: func(p *directory.Person) bool { return s.mayReadLogOf(r, p) }})
		if found.Total > 1 {
			exact := slices.DeleteFunc(slices.Clone(found.People), func(p directory.Person) bool { return !strings.EqualFold(p.Name, text) })
			if len(exact) != 1 {
				f.faults[field], f.fits[field] = "log.fault.several", found.People
				return ""
			}
			found.People = exact
		}
		if len(found.People) == 0 {
			f.faults[field] = "log.fault.nobody"
			return ""
		}
		p = found.People[0]
	}
	f.names[field] = p.Name
	return p.ID
}

// mayReadLogOf reports whether the visitor reads the log about somebody.
func (s *Server) mayReadLogOf(r *http.Request, p *directory.Person) bool {
	v := visitorFrom(r.Context())
	if v.MayEverywhere(access.ReadLog) {
		return true
	}
	_, ok := v.MayOn(access.ReadLog, access.Target{Person: p.ID, Location: p.LocationID, Groups: s.Directory.GroupsOf(p.ID)})
	return ok
}

// problem is what is wrong with the criteria, for a program and for an export.
func (f logFilter) problem() error {
	p := &problem.Error{Code: problem.Invalid, Public: text("log.fault")}
	for _, name := range logParams {
		if key := f.faults[name]; key != "" {
			p.Fields = append(p.Fields, problem.Field{Name: name, Detail: text(key)})
		}
	}
	if len(p.Fields) == 0 {
		return nil
	}
	return p
}

// url is an address of the log with these criteria and more.
func (f logFilter) url(path string, more ...string) string {
	q := url.Values{}
	for name, values := range f.values {
		q[name] = values
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func (s *Server) showLog(w http.ResponseWriter, r *http.Request) error {
	return s.renderLog(w, r, http.StatusOK, "", templates.Note{}, "")
}

// renderLog answers with the page, or for htmx with the list alone. note belongs to
// the row of a record, and reason is what was typed there.
func (s *Server) renderLog(w http.ResponseWriter, r *http.Request, status int, row string, note templates.Note, reasonFault string) error {
	f := s.logFilterOf(r)
	list := s.logList(r, f, row, note, reasonFault)
	if isPartial(r) {
		return render(w, r, status, templates.LogCard(list))
	}
	fr := s.pageFrame(r, "log")
	if len(f.faults) > 0 && status == http.StatusOK {
		status = http.StatusUnprocessableEntity
	}
	fr.HasError = status >= http.StatusBadRequest
	return render(w, r, status, templates.LogPage(fr, templates.Log{Filter: s.logForm(r, f), List: list, Chain: s.logChain(r)}))
}

func (s *Server) logForm(r *http.Request, f logFilter) templates.LogFilter {
	field := func(name string) templates.Field {
		field := templates.Field{Name: name, Value: f.values.Get(name), Meaning: f.names[name]}
		if key := f.faults[name]; key != "" {
			field.Error = tr(r, key)
		}
		return field
	}
	form := templates.LogFilter{URL: "/log", Person: field("person"), Actor: field("actor"), From: field("from"), To: field("to"), Active: len(f.values) > 0, Zone: zoneName(s.zone(r))}
	if form.Person.Value == "" && f.values.Has("subject") { // a link may name whom it concerned
		form.Person = field("subject")
	}
	for _, name := range []string{"from", "to"} { // a link may name a time
		if at, err := time.Parse(time.RFC3339, f.values.Get(name)); err == nil {
			day := at.In(s.zone(r)).Format(dateLayout)
			if name == "from" {
				form.From.Value = day
			} else {
				form.To.Value = day
			}
		}
	}
	for _, kind := range kinds() {
		form.Kinds = append(form.Kinds, templates.Option{Value: kind, Text: kindWords(r, kind), On: kind == f.values.Get("setting")})
	}
	for _, o := range outcomes {
		form.Outcomes = append(form.Outcomes, templates.Option{Value: string(o), Text: outcomeWords(r, o), On: string(o) == f.values.Get("outcome")})
	}
	for _, name := range []string{"person", "actor", "subject"} {
		for _, p := range f.fits[name] {
			who := p.Name
			if l, ok := s.locationName(p.LocationID); ok {
				who = tr(r, "log.choice", "Name", p.Name, "Location", l)
			}
			form.Choices = append(form.Choices, templates.Link{Text: who, URL: f.url("/log", name, p.Email)})
		}
	}
	return form
}

func outcomeWords(r *http.Request, o audit.Outcome) string {
	if o == audit.Refused {
		return tr(r, "log.outcome.refused")
	}
	return tr(r, "outcome."+string(o))
}

// logList is a page of entries.
func (s *Server) logList(r *http.Request, f logFilter, row string, note templates.Note, reasonFault string) templates.LogList {
	cursor := r.URL.Query().Get("cursor")
	own := f.url("/log")
	if cursor != "" {
		own = f.url("/log", "cursor", cursor)
	}
	l := templates.LogList{Card: templates.Card{ID: "card-log", Name: "log", URL: own, PageURL: own, State: templates.Ready, Note: note}}
	if len(f.faults) > 0 {
		l.Blocked = true
		return l
	}
	page, err := s.Settings.SearchLog(r.Context(), visitorFrom(r.Context()).Caller, f.query, cursor, logPage)
	if err != nil {
		s.fail(r, &l.Card, err)
		return l
	}
	for _, rec := range page.Records {
		e := s.logEntry(r, rec, f, cursor)
		if rec.ID == row {
			e.Note, l.Note = note, templates.Note{}
			if reasonFault != "" {
				e.Ask = templates.Field{Name: "reason", Error: reasonFault}
				e.Note = templates.Note{}
			}
		}
		l.Entries = append(l.Entries, e)
	}
	if page.Next != "" {
		l.Older = templates.Link{Text: tr(r, "log.older"), URL: f.url("/log", "cursor", page.Next)}
		if len(page.Records) < logPage {
			l.Back, l.Older.Text = tr(r, "log.back", "Time", s.clock(r, page.Back)), tr(r, "log.searchOn")
		}
	}
	if cursor != "" {
		l.Newest = templates.Link{Text: tr(r, "log.newest"), URL: f.url("/log")}
	}
	l.CSV = templates.Link{Text: tr(r, "log.export.csv"), URL: f.url(exportPath, "format", "csv")}
	l.JSONL = templates.Link{Text: tr(r, "log.export.jsonl"), URL: f.url(exportPath, "format", "jsonl")}
	return l
}

func (s *Server) logEntry(r *http.Request, rec selfservice.Record, f logFilter, cursor string) templates.Entry {
	e := s.entryOf(r, rec, "log-"+rec.ID, s.Settings.KnownRegion(r.Context(), selfservice.Subject{ID: rec.Subject.ID}))
	e.Who = whoAndFor(r, rec)
	if rec.Undoable {
		more := []string{}
		if cursor != "" {
			more = []string{"cursor", cursor}
		}
		e.Undo = templates.Action{URL: f.url("/log/"+rec.ID+"/undo", more...), Hidden: hidden(r, "log")}
	}
	add := func(key, value string) {
		if value != "" {
			e.Details = append(e.Details, templates.Difference{Label: tr(r, key), After: value})
		}
	}
	add("log.detail.at", rec.At.In(s.zone(r)).Format("2006-01-02 15:04:05 MST"))
	switch rec.Entry.Setting {
	case refusedName:
		add("log.detail.path", rec.Object.Name)
	case signInName:
		add("log.detail.device", deviceWords(r, rec.Object.Name))
	case exportName:
		var x exported
		_ = json.Unmarshal(rec.After, &x) // what cannot be read is told as none
		add("log.detail.format", x.Format)
		for _, name := range logParams {
			if x.Filter[name] != "" {
				add("log.detail.filter."+name, s.filterWords(r, name, x.Filter[name]))
			}
		}
	case verifyName:
		var v verified
		_ = json.Unmarshal(rec.After, &v)
		add("log.detail.brokenAt", v.BrokenAt)
		add("log.detail.head", v.Head)
	}
	add("log.detail.kind", kindWordsOf(r, rec))
	add("log.detail.address", rec.Address)
	add("log.detail.request", rec.RequestID)
	add("log.detail.tracking", rec.TrackingID)
	add("log.detail.id", rec.ID)
	add("log.detail.undoes", rec.Undoes)
	add("log.detail.undoneBy", rec.UndoneBy)
	return e
}

// kindWordsOf is the kind of a record; its bare name for one of a later version.
func kindWordsOf(r *http.Request, rec selfservice.Record) string {
	if rec.Unreadable {
		return ""
	}
	if !slices.Contains(kinds(), rec.Entry.Setting) {
		return rec.Entry.Setting
	}
	return kindWords(r, rec.Entry.Setting)
}

// filterWords says a criterion of an export.
func (s *Server) filterWords(r *http.Request, name, value string) string {
	switch name {
	case "person", "actor", "subject":
		if p, ok := s.Directory.Person(value); ok {
			return p.Name
		}
	case "setting":
		if slices.Contains(kinds(), value) {
			return kindWords(r, value)
		}
	case "outcome":
		if slices.Contains(outcomes, audit.Outcome(value)) {
			return outcomeWords(r, audit.Outcome(value))
		}
	}
	return value
}

// undoFromLog undoes a change from the change log, whoever it concerns.
func (s *Server) undoFromLog(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r, nil)
	if err != nil {
		return err
	}
	reason := strings.TrimSpace(f.values.Get("reason"))
	record := param(r, "record")
	f.fields = []string{"reason"} // goes on with the form
	undone, err := s.Settings.Undo(r.Context(), visitorFrom(r.Context()).Caller, ownSubject(visitorFrom(r.Context())), record, selfservice.WriteOptions{IfMatch: f.etag, Reason: reason})
	if err == nil {
		if isPartial(r) {
			return s.renderLog(w, r, http.StatusOK, record, s.undoNote(r, f, undone, nil), "")
		}
		return s.goOn(w, r, "/log"+query(r), s.undoneFlash(r))
	}
	p := problemOf(err)
	if p.Code == problem.NotFound {
		return err
	}
	s.logProblem(r, p)
	if p.Code == problem.Invalid && len(p.Fields) == 1 && p.Fields[0].Name == "reason" {
		return s.renderLog(w, r, p.Code.Status(), record, noteText(r, templates.NotSaved, p.Public), say(r, p.Fields[0].Detail))
	}
	note := s.undoNote(r, f, undone, err)
	if note.CheckURL != "" {
		note.CheckURL = "/log" + query(r)
	}
	return s.renderLog(w, r, p.Code.Status(), record, note, "")
}

// query is the query of a request with its question mark.
func query(r *http.Request) string {
	if r.URL.RawQuery == "" {
		return ""
	}
	return "?" + r.URL.RawQuery
}

// logChain says how long the log is kept, and what the last check of it found.
func (s *Server) logChain(r *http.Request) templates.LogChain {
	c := templates.LogChain{Kept: tr(r, "log.kept", "Count", s.Config.AuditDays)}
	v := visitorFrom(r.Context())
	if !v.MayEverywhere(access.ReadLog) {
		return c
	}
	c.URL, c.For = verifyPath, formTag(r)
	rec, last, ok := s.lastCheck(r)
	switch {
	case !ok:
		c.Text = tr(r, "log.chain.never")
	case last.Whole:
		c.Tone, c.Text = templates.ToneGood, tr(r, "log.chain.whole", "Time", s.clock(r, rec.At), "Count", last.Entries)
	default:
		c.Tone, c.Text = templates.ToneBad, tr(r, "log.chain.broken", "Time", s.clock(r, rec.At), "Where", s.entryTime(r, last.BrokenAt))
		c.Do = tr(r, "log.chain.broken.do", "ID", last.BrokenAt)
	}
	return c
}

// entryTime is the time in the id of an entry.
func (s *Server) entryTime(r *http.Request, id string) string {
	ms, _, _ := strings.Cut(id, "-")
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return id
	}
	return s.clock(r, time.UnixMilli(n))
}

// lastCheck finds what the last check of the chain found.
func (s *Server) lastCheck(r *http.Request) (selfservice.Record, verified, bool) {
	page, err := s.Settings.SearchLog(r.Context(), visitorFrom(r.Context()).Caller, selfservice.LogQuery{Filter: audit.Filter{Setting: verifyName}}, "", 1)
	if err != nil || len(page.Records) == 0 {
		return selfservice.Record{}, verified{}, false
	}
	var v verified
	return page.Records[0], v, json.Unmarshal(page.Records[0].After, &v) == nil
}

// verifyLog follows the chain of the log, and writes into the log what it found.
func (s *Server) verifyLog(w http.ResponseWriter, r *http.Request) error {
	if _, err := readForm(r, nil); err != nil {
		return err
	}
	v := visitorFrom(r.Context())
	if !v.MayEverywhere(access.ReadLog) {
		return problem.New(problem.Forbidden, "web.forbidden")
	}
	takeTime(w)
	var heads []string
	if _, last, ok := s.lastCheck(r); ok && last.Head != "" {
		heads = append(heads, last.Head) // what was there at the last check must be there still
	}
	found, err := s.Audit.Verify(r.Context(), heads...)
	if err != nil {
		return problem.New(problem.Unavailable, "history.unavailable").Because(err)
	}
	if err := s.note(r, audit.Entry{Setting: verifyName}, verified{Whole: found.Whole, Entries: found.Entries, BrokenAt: found.BrokenAt, Head: found.Head}); err != nil {
		return err
	}
	http.Redirect(w, r, "/log#log-chain", http.StatusSeeOther)
	return nil
}

// note writes into the log what the visitor has done; after says what it was.
func (s *Server) note(r *http.Request, e audit.Entry, after any) error {
	if after != nil {
		text, err := json.Marshal(after)
		if err != nil {
			return fmt.Errorf("encode what was done: %w", err)
		}
		e.After = text
	}
	if _, err := s.Audit.Note(r.Context(), byVisitor(r, e), audit.Result{Outcome: audit.Done}); err != nil {
		return problem.New(problem.Unavailable, "setting.notRecorded").Because(err)
	}
	return nil
}

// byVisitor is the entry as one of the visitor, in their most powerful role unless it names one.
func byVisitor(r *http.Request, e audit.Entry) audit.Entry {
	v := visitorFrom(r.Context())
	e.Actor = audit.Person{ID: v.PersonID, Name: v.Name}
	if e.Role == "" {
		roles := v.Roles()
		e.Role = string(roles[len(roles)-1])
	}
	return e
}

// takeTime lets an answer take longer than others.
func takeTime(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	// A listener that knows no deadlines has none to put off.
	_ = c.SetWriteDeadline(time.Now().Add(longTimeout))
	_ = c.SetReadDeadline(time.Time{}) // its end would end the request
}

// The formats of an export.
const (
	asCSV   = "text/csv"
	asJSONL = "application/jsonl"
)

// exportLog sends everything that the criteria find, to a browser.
func (s *Server) exportLog(w http.ResponseWriter, r *http.Request) error {
	format, ok := map[string]string{"csv": asCSV, "jsonl": asJSONL}[r.URL.Query().Get("format")]
	if !ok {
		return problem.New(problem.Malformed, "log.fault.format")
	}
	if r.Method == http.MethodHead {
		return nil // which is no export, and is not recorded as one
	}
	return s.export(w, r, s.logFilterOf(r), format)
}

// apiLog answers with a page of the log, or sends all of it to who wants CSV or
// JSON Lines.
func (s *Server) apiLog(w http.ResponseWriter, r *http.Request) error {
	f := s.logFilterOf(r)
	if format := wanted(r.Header.Get("Accept")); format != "" && r.Method == http.MethodGet {
		return s.export(w, r, f, format)
	}
	if err := f.problem(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	found, err := s.Settings.SearchLog(ctx, visitorFrom(ctx).Caller, f.query, r.URL.Query().Get("cursor"), apiPage)
	if err != nil {
		return err
	}
	answer := struct {
		Items []logJSON `json:"items"`
		Next  string    `json:"next,omitempty"`
	}{Items: make([]logJSON, 0, len(found.Records)), Next: found.Next}
	for _, rec := range found.Records {
		answer.Items = append(answer.Items, logJSONOf(rec))
	}
	return writeJSON(w, answer)
}

// wanted is the format of an export that a program asks for; "" for a page as JSON.
func wanted(accept string) string {
	for part := range strings.SplitSeq(accept, ",") {
		switch media, _, _ := mime.ParseMediaType(part); media {
		case asCSV, asJSONL:
			return media
		case "application/json", "*/*":
			return ""
		}
	}
	return ""
}

// logJSON is a record with what only the log tells.
type logJSON struct {
	recordJSON
	TrackingID string `json:"trackingId,omitempty"`
	RequestID  string `json:"requestId,omitempty"`
	Address    string `json:"address,omitempty"`
	Unreadable bool   `json:"unreadable,omitempty"` // sealed with a key that is gone
}

func logJSONOf(rec selfservice.Record) logJSON {
	return logJSON{recordJSON: recordJSONOf(rec), TrackingID: rec.TrackingID, RequestID: rec.RequestID, Address: rec.Address, Unreadable: rec.Unreadable}
}

// export sends everything that the criteria find. That it was done, with what was
// asked for and how much there was, is in the log before the first byte is sent.
func (s *Server) export(w http.ResponseWriter, r *http.Request, f logFilter, format string) error {
	if err := f.problem(); err != nil {
		return err
	}
	takeTime(w)
	// What comes meanwhile is not part of it, so that what is counted is what is sent.
	if now := s.Now(); f.query.To.IsZero() || f.query.To.After(now) {
		f.query.To = now
	}
	v := visitorFrom(r.Context())
	x := exported{Format: format, Filter: map[string]string{}}
	for name := range f.values {
		x.Filter[name] = f.values.Get(name)
	}
	for name, id := range map[string]string{"person": f.query.Person, "actor": f.query.Actor, "subject": f.query.Subject} {
		if id != "" {
			x.Filter[name] = id
		}
	}
	if err := s.Settings.EachOfLog(r.Context(), v.Caller, f.query, func(selfservice.Record) error { x.Entries++; return nil }); err != nil {
		return err
	}
	if err := s.note(r, audit.Entry{Setting: exportName}, x); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", format+"; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="patchbay-log-`+s.Now().In(s.zone(r)).Format(dateLayout)+map[string]string{asCSV: ".csv", asJSONL: ".jsonl"}[format]+`"`)
	write := s.jsonLines(w)
	if format == asCSV {
		var err error
		if write, err = s.csvLines(w, r); err != nil {
			return nil //nolint:nilerr // the reader is gone: nothing can be answered
		}
	}
	n, flusher := 0, http.NewResponseController(w)
	err := s.Settings.EachOfLog(r.Context(), v.Caller, f.query, func(rec selfservice.Record) error {
		if err := write(rec); err != nil {
			return err
		}
		if n++; n%flushEvery == 0 {
			return flusher.Flush()
		}
		return nil
	})
	if err != nil {
		if r.Context().Err() == nil {
			s.Log.WarnContext(r.Context(), "an export broke off", "error", err, "request_id", RequestID(r.Context()))
		}
		panic(http.ErrAbortHandler) // the reader must see that it is not all
	}
	return nil
}

func (s *Server) jsonLines(w io.Writer) func(selfservice.Record) error {
	encoder := json.NewEncoder(w)
	return func(rec selfservice.Record) error { return encoder.Encode(logJSONOf(rec)) }
}

// csvColumns are named as in the API.
var csvColumns = []string{
	"id", "at", "actor", "actorId", "role", "subject", "subjectId", "setting", "what", "object", "objectId", "before", "after", "reason", "outcome",
	"trackingId", "requestId", "address", "undoes", "undoneBy",
}

func (s *Server) csvLines(w io.Writer, r *http.Request) (func(selfservice.Record) error, error) {
	lines := csv.NewWriter(w)
	lines.UseCRLF = true // RFC 4180
	if err := lines.Write(csvColumns); err != nil {
		return nil, err
	}
	lines.Flush()
	return func(rec selfservice.Record) error {
		what, _ := s.tell(r, rec, "")
		cells := []string{
			rec.ID, rec.At.UTC().Format(time.RFC3339Nano), rec.Actor.Name, rec.Actor.ID, rec.Role, rec.Subject.Name, rec.Subject.ID, rec.Entry.Setting, what,
			rec.Object.Name, rec.Object.ID, string(rec.Before), string(rec.After), rec.Reason, string(rec.Outcome), rec.TrackingID, rec.RequestID, rec.Address,
			rec.Undoes, rec.UndoneBy,
		}
		for i, cell := range cells {
			cells[i] = harmless(cell)
		}
		if err := lines.Write(cells); err != nil {
			return err
		}
		lines.Flush()
		return lines.Error()
	}, lines.Error()
}

var (
	plainNumber = regexp.MustCompile(`^\+[0-9][0-9 ]*$`)
	// formula is how one begins: in front of a cell, or after what a spreadsheet may
	// take for the end of one. Where numbers have a decimal comma that is a semicolon.
	formula = regexp.MustCompile(`(^|[;\t\r\n])(\s*["']?)([=+@-])`)
)

// harmless keeps a spreadsheet from taking a cell, or a part of it, for a formula; a
// phone number stays as it is.
func harmless(cell string) string {
	if plainNumber.MatchString(cell) {
		return cell
	}
	cell = formula.ReplaceAllString(cell, "$1$2'$3")
	if strings.IndexAny(cell, "\t\r\n") == 0 {
		return "'" + cell
	}
	return cell
}
