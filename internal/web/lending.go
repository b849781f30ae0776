package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/directory"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/session"
	"patchbay/internal/webex"
	"patchbay/templates"
)

const (
	// fewestLetters is from how many letters on colleagues are suggested, and
	// mostColleagues how many: enough to find somebody one knows, too few to read the
	// directory by.
	fewestLetters  = 3
	mostColleagues = 8
	// newsFor is how long Home tells of what somebody else has changed, and mostNews
	// of how many changes.
	newsFor  = 7 * 24 * time.Hour
	mostNews = 3
	// otherTime is the choice of a date and time of one's own.
	otherTime = "other"
)

// lendings are the grants by which the visitor has lent their forwarding and
// queues, and those by which somebody has lent theirs to the visitor.
func (s *Server) lendings(r *http.Request) (lent, borrowed []access.Grant, err error) {
	c := visitorFrom(r.Context()).Caller
	grants, err := s.Access.List(r.Context(), c, access.Filter{})
	for _, g := range grants {
		switch {
		case g.Role != access.Colleague || len(g.Scope.People) != 1:
		case c.Is(g.Scope.People[0]):
			lent = append(lent, g)
		case c.Is(g.To.Person):
			borrowed = append(borrowed, g)
		}
	}
	return lent, borrowed, err
}

// lending finds one of the visitor's lendings, on either side. That of others is
// like one that never was.
func (s *Server) lending(r *http.Request, id string) (access.Grant, error) {
	lent, borrowed, err := s.lendings(r)
	if err != nil {
		return access.Grant{}, err
	}
	for _, g := range slices.Concat(lent, borrowed) {
		if g.ID == id {
			return g, nil
		}
	}
	return access.Grant{}, access.Denied("grant.notFound")
}

// lender is whose forwarding and queues a lending is about.
func (s *Server) lender(g access.Grant) personJSON {
	if p := s.Settings.PersonOf(g.Scope.People[0]); p.Name != "" {
		return personJSON{p.ID, p.Name}
	}
	return personJSON{g.Scope.People[0], g.By.Name}
}

// lendingsCard lists what is lent, with a way to end it.
func (s *Server) lendingsCard(r *http.Request, v shown) templates.Lendings {
	c := templates.Lendings{Card: cardBase(r, "lendings", v)}
	if v.page == onHome {
		c.Lend = templates.Link{Text: tr(r, "lend.another"), URL: "/lend"}
	}
	lent, borrowed, err := s.lendings(r)
	if err != nil {
		s.fail(r, &c.Card, err)
		return c
	}
	row := func(g access.Grant, key, name string) templates.Lending {
		return templates.Lending{
			ID: "lending-" + g.ID, Text: tr(r, key, "Name", name), Until: tr(r, "lend.until", "Time", s.moment(r, g.Until)), Reason: g.Reason, Name: name,
			End: templates.Action{URL: "/lend/" + g.ID + "/end?page=" + v.page, Label: tr(r, "lend.end"), Hidden: hidden(r, "lendings")},
		}
	}
	for _, g := range lent {
		c.Rows = append(c.Rows, row(g, "lend.lent", g.To.Name))
	}
	for _, g := range borrowed {
		from := s.lender(g)
		one := row(g, "lend.borrowed", from.Name)
		one.Open = templates.Link{Text: tr(r, "lend.open", "Name", from.Name), URL: "/people/" + url.PathEscape(from.ID)}
		c.Rows = append(c.Rows, one)
	}
	return c
}

// moment says a time with weekday, date and the name of the zone's city.
func (s *Server) moment(r *http.Request, t time.Time) string {
	return tr(r, "lend.moment", "Date", s.date(r, t), "Time", t.In(s.zone(r)).Format("15:04"), "Zone", zoneName(s.zone(r)))
}

// newsCard tells what somebody else has changed for the visitor of late.
func (s *Server) newsCard(r *http.Request) templates.News {
	n := templates.News{Card: cardBase(r, "news", shown{page: onHome}), All: templates.Link{Text: tr(r, "nav.history"), URL: "/history"}}
	v := visitorFrom(r.Context())
	records, _, err := s.Settings.History(r.Context(), v.Caller, v.subject, "", apiPage)
	if err != nil {
		s.logProblem(r, problemOf(err)) // the page History says it to whoever looks there
		return n
	}
	for _, rec := range records {
		if len(n.Rows) == mostNews || s.Now().Sub(rec.At) > newsFor {
			break
		}
		if v.Is(rec.Actor.ID) || len(rec.Changes) == 0 || rec.UndoneBy != "" || rec.Outcome != audit.Done {
			continue
		}
		n.Rows = append(n.Rows, templates.Entry{ID: "news-" + rec.ID, Sentence: say(r, sentenceText(rec)), Who: rec.Actor.Name, When: s.clock(r, rec.At), Reason: rec.Reason})
	}
	return n
}

// showLend is the page on which people lend their forwarding and queues.
func (s *Server) showLend(w http.ResponseWriter, r *http.Request) error {
	return s.renderLend(w, r, http.StatusOK, lendForm{colleague: r.URL.Query().Get("colleague")}, nil, shown{})
}

// lendForm is the form as somebody has filled it in.
type lendForm struct {
	colleague, chosen string // what was typed; the id of who was chosen
	when, until       string
	reason            string
}

func (s *Server) renderLend(w http.ResponseWriter, r *http.Request, status int, f lendForm, faults []problem.Field, v shown) error {
	fault := func(field string) string {
		for _, one := range faults {
			if one.Name == field {
				return say(r, one.Detail)
			}
		}
		return ""
	}
	v.page = "lend"
	p := templates.Lend{
		URL: "/lend", For: formTag(r), SuggestURL: "/lend/colleagues", Lendings: s.lendingsCard(r, v), Zone: tr(r, "frame.zone", "Zone", zoneName(s.zone(r))),
		Colleague: templates.Field{Name: "colleague", Value: f.colleague, Error: fault("to")}, Colleagues: s.colleagues(r, f.colleague, f.chosen),
		Until:  templates.Field{Name: "until", Value: f.until, Error: fault("until")},
		Reason: templates.Field{Name: "reason", Value: f.reason, Error: fault("reason")},
	}
	for i, choice := range s.untilChoices(r) {
		choice.Current = f.when == choice.Value || f.when == "" && i == 0
		p.When = append(p.When, choice)
	}
	p.Other = templates.Choice{Value: otherTime, Text: tr(r, "lend.when.other"), Current: f.when == otherTime}
	frame := s.frame(r, "lend", tr(r, "lend.title"))
	frame.Group, frame.HasError = tr(r, "nav.group.me"), status >= http.StatusBadRequest
	s.popFlash(r, &frame, "lendings", "lend")
	return render(w, r, status, templates.LendPage(frame, p))
}

// The hours that the shortcuts end at.
const (
	eveningHour = 18
	daysInWeek  = 7
)

// untilChoices are usual ends, in the order of time, each once. Their values are
// what a browser would send for the time itself.
func (s *Server) untilChoices(r *http.Request) []templates.Choice {
	now := s.Now().In(s.zone(r))
	day := func(days, hour, minute int) time.Time {
		return time.Date(now.Year(), now.Month(), now.Day()+days, hour, minute, 0, 0, now.Location())
	}
	friday := day((int(time.Friday)-int(now.Weekday())+daysInWeek)%daysInWeek, eveningHour, 0)
	if !friday.After(now) {
		friday = friday.AddDate(0, 0, daysInWeek)
	}
	var list []templates.Choice
	add := func(key string, at time.Time) {
		value := at.Format(localTime)
		if !slices.ContainsFunc(list, func(c templates.Choice) bool { return c.Value == value }) {
			list = append(list, templates.Choice{Value: value, Text: tr(r, key), Hint: s.moment(r, at)})
		}
	}
	add("lend.when.today", day(0, 23, 59))
	add("lend.when.tomorrow", day(1, eveningHour, 0))
	add("lend.when.friday", friday)
	add("lend.when.week", day(daysInWeek, eveningHour, 0))
	slices.SortStableFunc(list, func(a, b templates.Choice) int { return strings.Compare(a.Value, b.Value) })
	return list
}

// showColleagues suggests colleagues while somebody types.
func (s *Server) showColleagues(w http.ResponseWriter, r *http.Request) error {
	if !isPartial(r) {
		http.Redirect(w, r, "/lend?colleague="+url.QueryEscape(r.URL.Query().Get("colleague")), http.StatusSeeOther)
		return nil
	}
	return render(w, r, http.StatusOK, templates.ColleagueChoices(s.colleagues(r, r.URL.Query().Get("colleague"), "")))
}

// colleagues are the people to choose from for what was typed: whoever has that
// address, or a few whose names begin so. Only names and locations are told: who is
// no helper may not search the directory.
func (s *Server) colleagues(r *http.Request, text, chosen string) templates.Colleagues {
	list := s.findColleagues(visitorFrom(r.Context()).Caller, text)
	c := templates.Colleagues{Asked: len(list) > 0 || letters(text) >= fewestLetters}
	for _, p := range list {
		choice := templates.Choice{Value: p.ID, Text: p.Name, Current: len(list) == 1 || webex.SameID(p.ID, chosen)}
		if l, ok := s.Directory.Location(p.LocationID); ok {
			choice.Hint = l.Name
		}
		c.Choices = append(c.Choices, choice)
	}
	return c
}

func (s *Server) findColleagues(c access.Caller, text string) []directory.Person {
	text = strings.TrimSpace(text)
	if strings.Contains(text, "@") {
		if p, ok := s.Directory.ByEmail(text); ok && !c.Is(p.ID) {
			return []directory.Person{p}
		}
		return nil
	}
	if letters(text) < fewestLetters || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !strings.ContainsRune(" -.'’", r) }) {
		return nil
	}
	own, _ := webex.UUID(c.PersonID)
	return s.Directory.Search(directory.Query{Text: text, Limit: mostColleagues, Visible: func(p *directory.Person) bool { return p.Calling && p.UUID != own }}).People
}

func letters(text string) (n int) {
	for _, r := range text {
		if unicode.IsLetter(r) {
			n++
		}
	}
	return n
}

// lend lends the visitor's forwarding and queues.
func (s *Server) lend(w http.ResponseWriter, r *http.Request) error {
	if _, err := readForm(r, nil); err != nil {
		return err
	}
	get := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	f := lendForm{colleague: get("colleague"), chosen: get("person"), when: get("when"), until: get("until"), reason: get("reason")}
	c := visitorFrom(r.Context()).Caller
	var faults []problem.Field
	fault := func(field, key string, args ...any) {
		faults = append(faults, problem.Field{Name: field, Detail: i18n.NewText(key, args...)})
	}
	to := f.chosen
	if to == "" {
		switch found := s.findColleagues(c, f.colleague); {
		case len(found) == 1:
			to = found[0].ID
		case len(found) > 1:
			fault("to", "lend.fault.which")
		case f.colleague == "":
			fault("to", "lend.fault.nobody")
		default:
			fault("to", "lend.fault.unknown")
		}
	}
	wanted := f.when
	if wanted == otherTime || wanted == "" {
		wanted = f.until
	}
	until, err := time.ParseInLocation(localTime, wanted, s.zone(r))
	if err != nil {
		fault("until", "lend.fault.until")
	}
	if utf8.RuneCountInString(f.reason) > access.MaxReason {
		fault("reason", "web.reason", "Max", access.MaxReason)
	}
	if len(faults) > 0 {
		return s.renderLend(w, r, http.StatusUnprocessableEntity, f, faults, shown{})
	}
	made, err := s.Access.Lend(r.Context(), c, to, until, f.reason)
	if err != nil {
		p := problemOf(err)
		if p.Code != problem.Invalid {
			return err
		}
		return s.renderLend(w, r, p.Code.Status(), f, lendFields(p.Fields), shown{})
	}
	return s.goOn(w, r, "/lend", session.Flash{
		Kind: "saved", RecordID: made.RecordID, Text: i18n.NewText("lend.done", "Name", made.Grant.To.Name, "Time", s.moment(r, made.Grant.Until)),
	})
}

// lendFields names the fields of a lending as the form and the API have them.
func lendFields(fields []problem.Field) []problem.Field {
	for i := range fields {
		if fields[i].Name != "until" {
			fields[i].Name = "to"
		}
	}
	return fields
}

// endLending ends a lending, by whoever of the two wants it.
func (s *Server) endLending(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r, nil)
	if err != nil {
		return err
	}
	f.card, f.page = "lendings", cmp.Or(f.page, "lend")
	g, err := s.lending(r, param(r, "grant"))
	if err != nil {
		return err
	}
	made, err := s.Access.Revoke(r.Context(), visitorFrom(r.Context()).Caller, g.ID, access.Options{})
	if err != nil {
		return err
	}
	name := g.To.Name
	if visitorFrom(r.Context()).Is(g.To.Person) {
		name = s.lender(g).Name
	}
	ended := i18n.NewText("lend.ended", "Name", name)
	if !isPartial(r) {
		return s.goOn(w, r, pageURL(r, f.page), session.Flash{Kind: "saved", Text: ended, RecordID: made.RecordID})
	}
	v := shown{page: f.page, note: templates.Note{Kind: templates.Saved, Text: say(r, ended), Undo: s.undoLending(r, g, made.RecordID, f.page)}}
	return render(w, r, http.StatusOK, templates.LendingsCard(s.lendingsCard(r, v)))
}

// undoLending takes the end of a lending back, where the visitor may: only who has
// lent something can lend it again.
func (s *Server) undoLending(r *http.Request, g access.Grant, record, page string) templates.Action {
	if !visitorFrom(r.Context()).Is(g.Scope.People[0]) {
		return templates.Action{}
	}
	return undoAction(r, record, "lendings", page)
}

type lendingJSON struct {
	ID     string     `json:"id"`
	From   personJSON `json:"from"`
	To     personJSON `json:"to"`
	Until  time.Time  `json:"until"`
	Reason string     `json:"reason,omitempty"`
	At     time.Time  `json:"at"`
}

func (s *Server) lendingJSONOf(g access.Grant) lendingJSON {
	return lendingJSON{ID: g.ID, From: s.lender(g), To: personJSON{g.To.Person, g.To.Name}, Until: g.Until, Reason: g.Reason, At: g.At}
}

func (s *Server) apiLendings(w http.ResponseWriter, r *http.Request) error {
	lent, borrowed, err := s.lendings(r)
	if err != nil {
		return err
	}
	answer := struct {
		Lent     []lendingJSON `json:"lent"`
		Borrowed []lendingJSON `json:"borrowed"`
	}{[]lendingJSON{}, []lendingJSON{}}
	for _, g := range lent {
		answer.Lent = append(answer.Lent, s.lendingJSONOf(g))
	}
	for _, g := range borrowed {
		answer.Borrowed = append(answer.Borrowed, s.lendingJSONOf(g))
	}
	return writeJSON(w, answer)
}

func (s *Server) apiLend(w http.ResponseWriter, r *http.Request) error {
	wish, err := readDocument(r)
	if err != nil {
		return err
	}
	p := problem.New(problem.Invalid, "setting.invalid")
	for name, value := range wish {
		if _, isText := value.(string); !slices.Contains([]string{"to", "until", "reason"}, name) {
			p.Fields = append(p.Fields, problem.Field{Name: name, Detail: text("check.unknown")})
		} else if !isText {
			p.Fields = append(p.Fields, problem.Field{Name: name, Detail: text("check.text")})
		}
	}
	until, err := time.Parse(time.RFC3339, wish.Text("until"))
	if err != nil {
		p.Fields = append(p.Fields, problem.Field{Name: "until", Detail: text("lend.fault.rfc3339")})
	}
	if wish.Text("to") == "" {
		p.Fields = append(p.Fields, problem.Field{Name: "to", Detail: text("lend.fault.nobody")})
	}
	if len(p.Fields) > 0 {
		return p
	}
	made, err := s.Access.Lend(r.Context(), visitorFrom(r.Context()).Caller, wish.Text("to"), until, strings.TrimSpace(wish.Text("reason")))
	return s.answerLending(w, http.StatusCreated, made, err)
}

func (s *Server) apiEndLending(w http.ResponseWriter, r *http.Request) error {
	opts, err := writeOptions(r)
	if err != nil {
		return err
	}
	g, err := s.lending(r, param(r, "grant"))
	if err != nil {
		return err
	}
	made, err := s.Access.Revoke(r.Context(), visitorFrom(r.Context()).Caller, g.ID, access.Options{Reason: opts.Reason})
	return s.answerLending(w, http.StatusOK, made, err)
}

// answerLending answers with the lending as it was made, or as it was before its end.
func (s *Server) answerLending(w http.ResponseWriter, status int, made access.Made, err error) error {
	if made.RecordID != "" {
		w.Header().Set("Audit-Id", made.RecordID)
	}
	var p *problem.Error
	if errors.As(err, &p) && p.Code == problem.Invalid {
		p.Fields = lendFields(p.Fields)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return writeJSON(w, s.lendingJSONOf(made.Grant))
}
