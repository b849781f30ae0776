package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/a-h/templ"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"patchbay/internal/access"
	"patchbay/internal/i18n"
	"patchbay/internal/selfservice"
	"patchbay/internal/serviceapp"
	"patchbay/templates"
)

// downFor is how long Webex must have failed before a strip says so on every page.
const downFor = 5 * time.Second

// text names a message without arguments.
func text(key string) i18n.Text { return i18n.NewText(key) }

// say says a message in the reader's language.
func say(r *http.Request, t i18n.Text) string { return i18n.FromContext(r.Context()).Say(t) }

// tr says the message key in the reader's language.
func tr(r *http.Request, key string, args ...any) string { return i18n.T(r.Context(), key, args...) }

// entry is a page of the navigation.
type entry struct {
	page, url string
	needs     access.Permission
	parts     []string // the page shows these parts of a person's portal: one is enough
}

// callParts are the settings of the page Calls.
var callParts = []string{"callForwarding", "doNotDisturb", "callWaiting", "intercept"}

// personalPages are the pages that everybody has, and helpers for others.
var personalPages = []entry{
	{page: "home", url: "/"}, {page: "calls", url: "/calls", parts: callParts}, {page: "queues", url: "/queues", parts: []string{"queues"}},
	{page: "phones", url: "/phones", parts: []string{selfservice.PhonesPart}}, {page: "history", url: "/history"},
}

var navigation = []struct {
	group   string
	entries []entry
}{
	{"help", []entry{
		{page: "people", url: "/people", needs: access.ReadPeople}, {page: "board", url: "/board", needs: access.ReadQueues},
		{page: "log", url: "/log", needs: access.ReadLog},
	}},
	{"run", []entry{
		{page: "access", url: "/access", needs: access.ReadAccess}, {page: "policy", url: "/policy", needs: access.ReadPolicy},
		{page: "health", url: "/health", needs: access.Operate},
	}},
}

// mayOpen reports whether an entry of the navigation leads somewhere.
func (v visitor) mayOpen(e entry) bool {
	switch {
	case e.needs == "":
		return v.subject.LocationID != "" && (len(e.parts) == 0 || slices.ContainsFunc(e.parts, func(part string) bool { return selfservice.Sees(v.Caller, v.subject, part) }))
	case slices.Contains([]access.Permission{access.ReadPolicy, access.Operate}, e.needs):
		return v.MayEverywhere(e.needs)
	}
	return v.May(e.needs)
}

// frame is what surrounds the page named current; title is its heading.
func (s *Server) frame(r *http.Request, current, title string) templates.Frame {
	v := visitorFrom(r.Context())
	f := templates.Frame{
		Title: title, Lang: i18n.FromContext(r.Context()).Language(), Theme: themeOf(r), Languages: s.languages(r),
		URLs: templates.URLs{
			Home: "/", Help: "/help", SignIn: "/authenticate?return=/session", SignOut: "/logout", Preferences: "/preferences", Session: "/session",
		},
		Strips: s.strips(r),
	}
	if v.PersonID == "" {
		f.URLs.SignIn = "/login?return=" + url.QueryEscape(r.URL.Path)
		return f
	}
	f.Person = templates.Person{Name: v.identity.DisplayName, Initials: initials(v.identity.DisplayName), Email: v.identity.Email}
	f.URLs.Sessions = "/sessions"
	if v.May(access.ReadPeople) && current != "people" && !v.acting.Preview {
		f.URLs.People = "/people"
	}
	if v.May(access.ChangeOwn) && v.identity.LocationID != "" && !v.acting.Preview {
		f.URLs.Lend = "/lend"
	}
	f.TimeZone = zoneName(s.zone(r))
	f.Band = s.band(r, v)
	me := templates.NavGroup{Name: "me"}
	if v.forOther() {
		me.Title = v.subject.Name
	}
	for _, e := range personalPages {
		if v.mayOpen(e) {
			me.Entries = append(me.Entries, templates.NavEntry{Page: e.page, URL: at(r, e.url), Current: e.page == current})
		}
		if e.page == current {
			f.Group = tr(r, "nav.group.me")
			if v.forOther() {
				f.Group = v.subject.Name
			}
		}
	}
	if v.forOther() && v.MayEverywhere(access.ManageSessions) && !v.acting.Preview {
		me.Entries = append(me.Entries, templates.NavEntry{Page: "session", URL: "/sessions?person=" + url.QueryEscape(v.subject.ID)})
	}
	groups := []templates.NavGroup{me}
	for _, g := range navigation {
		group := templates.NavGroup{Name: g.group}
		for _, e := range g.entries {
			if v.mayOpen(e) && !v.acting.Preview {
				group.Entries = append(group.Entries, templates.NavEntry{Page: e.page, URL: e.url, Current: e.page == current})
			}
			if e.page == current {
				f.Group = tr(r, "nav.group."+g.group)
			}
		}
		groups = append(groups, group)
	}
	f.Nav = slices.DeleteFunc(groups, func(g templates.NavGroup) bool { return len(g.Entries) == 0 })
	return f
}

func themeOf(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && (c.Value == templates.ThemeDark || c.Value == templates.ThemeLight) {
		return c.Value
	}
	return templates.ThemeSystem
}

func (s *Server) languages(r *http.Request) []templates.Language {
	current := i18n.FromContext(r.Context()).Language()
	tags := s.Texts.Languages()
	if s.Demo {
		tags = append(append([]language.Tag(nil), tags...), i18n.Pseudo)
	}
	list := make([]templates.Language, 0, len(tags))
	for _, tag := range tags {
		list = append(list, templates.Language{Tag: tag.String(), Name: display.Self.Name(tag), Current: tag.String() == current})
	}
	return list
}

// strips are messages about the whole portal.
func (s *Server) strips(r *http.Request) []templates.Strip {
	var list []templates.Strip
	if health := s.Webex.Health(); !health.FailingSince.IsZero() && s.Now().Sub(health.FailingSince) >= downFor {
		list = append(list, templates.Strip{
			ID: "strip-webex", Tone: templates.ToneWarn,
			Text: tr(r, "strip.down", "Time", s.clock(r, health.FailingSince)),
		})
	}
	if may(r.Context(), access.Operate) {
		if status, err := s.Tokens.Status(r.Context()); err == nil {
			switch {
			case status.State == serviceapp.NeedsNewTokens:
				list = append(list, templates.Strip{ID: "strip-tokens", Tone: templates.ToneBad, Text: tr(r, "strip.tokens"),
					Link: templates.Link{Text: tr(r, "nav.health"), URL: "/health"}})
			case status.Warning:
				list = append(list, templates.Strip{ID: "strip-tokens", Tone: templates.ToneWarn,
					Text: tr(r, "strip.tokensEnd", "Date", s.date(r, status.RefreshExpires)), Link: templates.Link{Text: tr(r, "nav.health"), URL: "/health"}})
			}
		}
	}
	switch {
	case s.Demo:
		list = append(list, templates.Strip{ID: "strip-demo", Tone: templates.TonePlain, Text: tr(r, "strip.demo")})
	case s.Fleeting:
		list = append(list, templates.Strip{ID: "strip-memory", Tone: templates.TonePlain, Text: tr(r, "strip.memory")})
	}
	return list
}

func (s *Server) zone(r *http.Request) *time.Location {
	return s.Settings.Zone(r.Context(), visitorFrom(r.Context()).subject)
}

// zoneName is the city of a zone.
func zoneName(z *time.Location) string {
	name := z.String()
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	return strings.ReplaceAll(name, "_", " ")
}

// clock says a time of today's as people do; another day's with its date.
func (s *Server) clock(r *http.Request, t time.Time) string {
	t = t.In(s.zone(r))
	now := s.Now().In(t.Location())
	if t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04")
	}
	return s.date(r, t) + ", " + t.Format("15:04")
}

// date says the day of a time in the reader's words.
func (s *Server) date(r *http.Request, t time.Time) string {
	t = t.In(s.zone(r))
	if t.Year() != s.Now().In(t.Location()).Year() {
		return tr(r, "date.year", "Day", t.Day(), "Month", tr(r, "month."+t.Month().String()), "Year", t.Year())
	}
	return tr(r, "date", "Weekday", tr(r, "weekday."+t.Weekday().String()), "Day", t.Day(), "Month", tr(r, "month."+t.Month().String()))
}

func initials(name string) string {
	var out []rune
	for word := range strings.FieldsSeq(name) {
		r, _ := utf8.DecodeRuneInString(word)
		out = append(out, unicode.ToUpper(r))
	}
	if len(out) > 2 {
		out = []rune{out[0], out[len(out)-1]}
	}
	return string(out)
}

// render answers with HTML.
func render(w http.ResponseWriter, r *http.Request, status int, parts ...templ.Component) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	for _, part := range parts {
		if err := part.Render(r.Context(), w); err != nil {
			return nil //nolint:nilerr // the reader is gone: nothing can be answered
		}
	}
	return nil
}
