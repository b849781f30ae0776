package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/session"
	"patchbay/templates"
)

// errNoSession is the cause of a session that is not the person's.
var errNoSession = errors.New("the person has no such session")

func (s *Server) sessionRoutes() []route {
	return []route{
		{"GET", "/sessions", page, access.SignedIn, s.showSessions},
		{"POST", "/sessions/end", page, access.SignedIn, s.endOtherSessions},
		{"POST", "/sessions/{session}/end", page, access.SignedIn, s.endSession},
		{"GET", "/api/sessions", api, access.SignedIn, s.apiSessions},
		{"DELETE", "/api/sessions/{session}", api, access.SignedIn, s.apiEndSession},
	}
}

// owner is whose sessions a request means.
type owner struct {
	audit.Person
	self bool
}

// query names the owner in an address.
func (o owner) query() string {
	if o.self {
		return ""
	}
	return "?person=" + url.QueryEscape(o.ID)
}

// sessionOwner finds whose sessions are meant: one's own, or those of the person that
// the query names, for who may end the sessions of others.
func (s *Server) sessionOwner(r *http.Request) (owner, error) {
	v := visitorFrom(r.Context())
	self := owner{audit.Person{ID: v.PersonID, Name: v.Name}, true}
	who := strings.TrimSpace(r.URL.Query().Get(personParam))
	if who == "" {
		return self, nil
	}
	p, ok := s.Directory.Person(who)
	if !ok {
		p, ok = s.Directory.ByEmail(who)
	}
	switch {
	case v.Is(who) || ok && v.Is(p.ID):
		return self, nil
	case !v.MayEverywhere(access.ManageSessions):
		return owner{}, problem.New(problem.Forbidden, "web.forbidden").Because(access.ErrDenied)
	case !ok:
		return owner{}, problem.New(problem.NotFound, "sessions.nobody")
	}
	return owner{audit.Person{ID: p.ID, Name: p.Name}, false}, nil
}

func (s *Server) showSessions(w http.ResponseWriter, r *http.Request) error {
	who, err := s.sessionOwner(r)
	fault := ""
	if isProblem(err, problem.NotFound) { // what was typed stays
		fault = say(r, problemOf(err).Public)
		v := visitorFrom(r.Context())
		who, err = owner{audit.Person{ID: v.PersonID, Name: v.Name}, true}, nil
	}
	if err != nil {
		return err
	}
	title := tr(r, "sessions.title")
	if !who.self {
		title = tr(r, "sessions.title.other", "Name", who.Name)
	}
	f := s.pageFrame(r, "")
	f.Title = title
	p := templates.Sessions{Self: who.self, Name: who.Name, Card: templates.Card{
		ID: "card-sessions", Name: "sessions", PageURL: "/sessions" + who.query(), State: templates.Ready,
	}}
	status := http.StatusOK
	list, err := s.Sessions.List(r.Context(), who.ID)
	if err != nil {
		s.fail(r, &p.Card, err)
	}
	for _, one := range list {
		p.Rows = append(p.Rows, s.sessionRow(r, who, one))
	}
	others := len(slices.DeleteFunc(slices.Clone(list), func(i session.Info) bool { return i.Current }))
	if others > 0 {
		p.EndAll = templates.Action{URL: "/sessions/end" + who.query(), Hidden: forHidden(r), Label: tr(r, "sessions.endAll", "Count", others)}
		if who.self {
			p.EndAll.Label = tr(r, "sessions.endOthers", "Count", others)
		}
	}
	if visitorFrom(r.Context()).MayEverywhere(access.ManageSessions) {
		p.Find = templates.Field{Name: personParam, Error: fault}
		if fault != "" {
			p.Find.Value, f.HasError, status = r.URL.Query().Get(personParam), true, http.StatusNotFound
		}
	}
	return render(w, r, status, templates.SessionsPage(f, p))
}

// forHidden says whom a button of the page is for.
func forHidden(r *http.Request) []templates.Hidden {
	return []templates.Hidden{{Name: formFor, Value: formTag(r)}}
}

func (s *Server) sessionRow(r *http.Request, who owner, one session.Info) templates.SessionRow {
	row := templates.SessionRow{
		ID: "session-" + one.ID, Device: deviceWords(r, one.UserAgent), Icon: deviceIcon(one.UserAgent), Current: one.Current,
		Detail: tr(r, "sessions.detail", "Since", s.clock(r, one.SignedInAt), "Seen", s.ago(r, one.SeenAt), "Ends", s.clock(r, one.Ends)),
	}
	if one.Address != "" {
		row.From = tr(r, "sessions.from", "Address", one.Address)
	}
	if !one.Current {
		row.End = templates.Action{URL: "/sessions/" + url.PathEscape(one.ID) + "/end" + who.query(), Hidden: forHidden(r)}
	}
	return row
}

// ago says when something was used last.
func (s *Server) ago(r *http.Request, t time.Time) string {
	if minutes := int(s.Now().Sub(t) / time.Minute); minutes < 1 {
		return tr(r, "sessions.now")
	} else if minutes < 60 {
		return tr(r, "sessions.minutes", "Count", minutes)
	}
	return s.clock(r, t)
}

func (s *Server) endSession(w http.ResponseWriter, r *http.Request) error {
	if _, err := readForm(r, nil); err != nil {
		return err
	}
	who, err := s.sessionOwner(r)
	if err != nil {
		return err
	}
	switch err := s.endOne(r, who, param(r, "session")); {
	case isProblem(err, problem.NotFound): // it has ended by itself meanwhile
		return s.sessionsFlash(w, r, who, text("sessions.gone"))
	case err != nil:
		return err
	}
	return s.sessionsFlash(w, r, who, text("sessions.ended"))
}

// endOtherSessions ends all sessions of somebody, but for that of the request.
func (s *Server) endOtherSessions(w http.ResponseWriter, r *http.Request) error {
	if _, err := readForm(r, nil); err != nil {
		return err
	}
	who, err := s.sessionOwner(r)
	if err != nil {
		return err
	}
	list, err := s.Sessions.List(r.Context(), who.ID)
	if err != nil {
		return err
	}
	n := 0
	for _, one := range list {
		if one.Current {
			continue
		}
		if err := s.endOne(r, who, one.ID); err != nil && !isProblem(err, problem.NotFound) {
			return err
		}
		n++
	}
	return s.sessionsFlash(w, r, who, i18n.NewText("sessions.ended.all", "Count", n))
}

func (s *Server) sessionsFlash(w http.ResponseWriter, r *http.Request, who owner, what i18n.Text) error {
	return s.goOn(w, r, "/sessions"+who.query(), session.Flash{Kind: "notice", Text: what})
}

// endOne ends a session and writes it into the log.
func (s *Server) endOne(r *http.Request, who owner, id string) error {
	list, err := s.Sessions.List(r.Context(), who.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(one session.Info) bool { return one.ID == id })
	if i < 0 {
		return access.Denied("sessions.notFound")
	}
	e := audit.Entry{Setting: sessionsName, Subject: who.Person, Object: audit.Object{Kind: "session", ID: id, Name: list[i].UserAgent}}
	if who.self {
		e.Role = string(access.User)
	}
	record, err := s.Audit.Begin(r.Context(), byVisitor(r, e))
	if err != nil {
		return problem.New(problem.Unavailable, "setting.notRecorded").Because(err)
	}
	ended, err := s.Sessions.End(r.Context(), who.ID, id)
	if err != nil {
		return err // the record says that nobody knows
	}
	result := audit.Result{Outcome: audit.Done}
	if !ended { // by somebody else, at the same moment
		result.Outcome = audit.Failed
	}
	if err := s.Audit.Finish(r.Context(), record, result); err != nil {
		s.Log.ErrorContext(r.Context(), "the end of a change could not be recorded", "record", record, "setting", sessionsName, "error", err)
	}
	if !ended {
		return problem.New(problem.NotFound, "sessions.notFound").Because(errNoSession)
	}
	return nil
}

type sessionJSON struct {
	ID         string    `json:"id"`
	SignedInAt time.Time `json:"signedInAt"`
	SeenAt     time.Time `json:"seenAt"`
	EndsAt     time.Time `json:"endsAt"`
	UserAgent  string    `json:"userAgent"`
	Address    string    `json:"address"`
	Current    bool      `json:"current"`
}

func (s *Server) apiSessions(w http.ResponseWriter, r *http.Request) error {
	who, err := s.sessionOwner(r)
	if err != nil {
		return err
	}
	list, err := s.Sessions.List(r.Context(), who.ID)
	if err != nil {
		return err
	}
	answer := make([]sessionJSON, 0, len(list))
	for _, i := range list {
		answer = append(answer, sessionJSON{i.ID, i.SignedInAt, i.SeenAt, i.Ends, i.UserAgent, i.Address, i.Current})
	}
	return writeJSON(w, answer)
}

func (s *Server) apiEndSession(w http.ResponseWriter, r *http.Request) error {
	who, err := s.sessionOwner(r)
	if err != nil {
		return err
	}
	if err := s.endOne(r, who, param(r, "session")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// named is a part of a User-Agent and what it stands for; the first that is found
// counts, because browsers also name those they want to be taken for.
type named struct{ part, name string }

var browsers = []named{
	{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Vivaldi/", "Vivaldi"}, {"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"},
	{"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"}, {"Go-http-client/", "Go"}, {"python-requests/", "Python"},
	{"PostmanRuntime/", "Postman"}, {"Wget/", "Wget"},
}

var systems = []named{
	{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"},
}

func nameIn(list []named, userAgent string) string {
	for _, one := range list {
		if strings.Contains(userAgent, one.part) {
			return one.name
		}
	}
	return ""
}

// deviceWords says what a User-Agent stands for: "Firefox on Windows".
func deviceWords(r *http.Request, userAgent string) string {
	browser, system := nameIn(browsers, userAgent), nameIn(systems, userAgent)
	switch {
	case browser != "" && system != "":
		return tr(r, "sessions.device", "Browser", browser, "System", system)
	case browser != "" || system != "":
		return browser + system
	}
	return tr(r, "sessions.device.unknown")
}

// deviceIcon tells phones from computers.
func deviceIcon(userAgent string) string {
	if system := nameIn(systems, userAgent); system == "iPhone" || system == "Android" {
		return "mobile"
	}
	return "session"
}
