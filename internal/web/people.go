package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"patchbay/internal/access"
	"patchbay/internal/dialing"
	"patchbay/internal/directory"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
	"patchbay/internal/webex"
	"patchbay/templates"
)

// peopleRoutes is the part of the table for finding people, lending one's own settings, and the directory.
func (s *Server) peopleRoutes() []route {
	return []route{
		{"GET", "/people", page, access.ReadPeople, s.showPeople},
		{"GET", "/lend", page, access.ChangeOwn, s.showLend},
		{"POST", "/lend", page, access.ChangeOwn, s.lend},
		{"GET", "/lend/colleagues", card, access.ChangeOwn, s.showColleagues},
		{"POST", "/lend/{grant}/end", card, access.ChangeOwn, s.endLending},

		{"GET", "/api/people", api, access.ReadPeople, s.apiPeople},
		{"GET", "/api/people/{person}", api, access.ReadPeople, s.apiPerson},
		{"GET", "/api/me/lendings", api, access.ReadOwn, s.apiLendings},
		{"POST", "/api/me/lendings", api, access.ChangeOwn, s.apiLend},
		{"DELETE", "/api/me/lendings/{grant}", api, access.ChangeOwn, s.apiEndLending},
		{"GET", "/api/directory", api, access.ReadPeople, s.apiDirectory},
		{"GET", "/api/directory/groups", api, access.ReadAccess, s.apiGroups},
		{"POST", "/api/directory/refresh", api, access.Operate, s.apiRefreshDirectory},
	}
}

const (
	// peoplePage is how many people one page of a search shows.
	peoplePage = 25
	// namesInScope is how many names the scope of a helper is said with.
	namesInScope = 3
	// firstReadingEvery is how often the page looks again while the directory is
	// read for the first time.
	firstReadingEvery = 5 * time.Second
)

// search asks the directory for people whom the visitor may read. It is asked with
// every letter that somebody types, and asks nobody in turn.
func (s *Server) search(c access.Caller, text, location, cursor string, limit int) directory.Result {
	return s.Directory.Search(directory.Query{Text: text, Location: location, Visible: s.inReach(c), Limit: limit, Cursor: cursor})
}

// inReach reports for people of the directory whether the caller may read them. A
// location decides for everybody there at once, so that a search of a whole
// organization need not look at each of them.
func (s *Server) inReach(c access.Caller) func(*directory.Person) bool {
	own, _ := webex.UUID(c.PersonID)
	whole := map[string]bool{}
	singly := slices.ContainsFunc(c.Holdings, func(h access.Holding) bool {
		return slices.Contains(access.Bundle(h.Role), access.ReadPeople) && len(h.Scope.Groups)+len(h.Scope.People) > 0
	})
	return func(p *directory.Person) bool {
		if p.UUID == own {
			return false // one's own pages are at Home
		}
		all, known := whole[p.LocationID]
		if !known {
			_, all = c.MayOn(access.ReadPeople, access.Target{Location: p.LocationID})
			whole[p.LocationID] = all
		}
		return all || singly && selfservice.Reaches(c, s.subjectIn(p))
	}
}

// subjectIn is somebody of the directory as a subject.
func (s *Server) subjectIn(p *directory.Person) selfservice.Subject {
	return selfservice.Subject{ID: p.ID, Name: p.Name, LocationID: p.LocationID, Groups: s.Directory.GroupsOf(p.ID)}
}

// showPeople is the search for people: the whole page, what was found for htmx, or
// only the next rows.
func (s *Server) showPeople(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	found := s.foundPeople(r, strings.TrimSpace(query.Get("query")), query.Get("location"), query.Get("cursor"))
	switch {
	case isPartial(r) && query.Has("cursor"):
		return render(w, r, http.StatusOK, templates.MorePeople(found))
	case isPartial(r):
		return render(w, r, http.StatusOK, templates.FoundPeople(found))
	}
	c := visitorFrom(r.Context()).Caller
	p := templates.People{Query: query.Get("query"), Scope: s.reachWords(r, c), Locations: s.locationChoices(r, c, query.Get("location")), Found: found}
	return render(w, r, http.StatusOK, templates.PeoplePage(s.frame(r, "people", tr(r, "nav.people")), p))
}

func (s *Server) foundPeople(r *http.Request, text, location, cursor string) templates.Found {
	result := s.search(visitorFrom(r.Context()).Caller, text, location, cursor, peoplePage)
	f := templates.Found{Count: result.Total, Asked: text != "" || location != "", State: s.directoryWords(r)}
	for i := range result.People {
		f.Rows = append(f.Rows, s.personRow(r, &result.People[i]))
	}
	address := url.Values{}
	if text != "" {
		address.Set("query", text)
	}
	if location != "" {
		address.Set("location", location)
	}
	if s.Directory.State().ReadAt.IsZero() {
		f.AgainURL, f.AgainEvery = "/people?"+address.Encode(), firstReadingEvery.String()
	}
	if result.Next != "" {
		address.Set("cursor", result.Next)
		f.MoreURL = "/people?" + address.Encode()
	}
	return f
}

func (s *Server) personRow(r *http.Request, p *directory.Person) templates.FoundPerson {
	row := templates.FoundPerson{Name: p.Name, URL: "/people/" + url.PathEscape(p.ID), Email: p.Email}
	if l, ok := s.Directory.Location(p.LocationID); ok {
		row.Location = l.Name
	} else if !p.Calling {
		row.Location = tr(r, "people.noCalling")
	}
	if p.Extension != "" {
		row.Extension = tr(r, "queues.extension", "Extension", p.Extension)
	}
	if len(p.Numbers) > 0 {
		row.Number = dialing.Display(p.Numbers[0], "")
	}
	if row.Name == "" {
		row.Name = p.Email
	}
	return row
}

// directoryWords says how old the directory is, when that matters.
func (s *Server) directoryWords(r *http.Request) string {
	state := s.Directory.State()
	switch {
	case state.ReadAt.IsZero() && state.Failing != "":
		return tr(r, "people.state.unread")
	case state.ReadAt.IsZero():
		return tr(r, "people.state.first")
	case state.Failing != "" && s.Now().Sub(state.ReadAt) > 2*time.Hour:
		return tr(r, "people.state.failing", "Time", s.clock(r, state.ReadAt))
	case s.Now().Sub(state.ReadAt) > staleAfter:
		return tr(r, "card.asof", "Time", s.clock(r, state.ReadAt))
	}
	return ""
}

// reachWords says whom the visitor helps, or may look at.
func (s *Server) reachWords(r *http.Request, c access.Caller) string {
	key := "people.scope.read"
	if c.May(access.ChangePeople) {
		key = "people.scope"
	}
	if c.MayEverywhere(access.ReadPeople) {
		return tr(r, key, "Who", tr(r, "people.scope.everybody"))
	}
	var names []string
	add := func(name string, ok bool) {
		if ok && name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, h := range c.Holdings {
		if !slices.Contains(access.Bundle(h.Role), access.ReadPeople) {
			continue
		}
		for _, id := range h.Scope.Locations {
			l, ok := s.Directory.Location(id)
			add(l.Name, ok)
		}
		for _, id := range h.Scope.Groups {
			g, ok := s.Directory.Group(id)
			add(g.Name, ok)
		}
		for _, id := range h.Scope.People {
			p, ok := s.Directory.Person(id)
			add(p.Name, ok)
		}
	}
	if more := len(names) - namesInScope; more > 0 {
		return tr(r, key, "Who", tr(r, "people.scope.more", "Names", strings.Join(names[:namesInScope], ", "), "Count", more))
	}
	if len(names) == 0 {
		return ""
	}
	return tr(r, key, "Who", strings.Join(names, ", "))
}

// locationChoices are the locations by which the visitor can narrow a search: those
// of their scope, when it consists of locations only. One alone is no choice.
func (s *Server) locationChoices(r *http.Request, c access.Caller, chosen string) []templates.Choice {
	locations := s.Directory.Locations()
	if !c.MayEverywhere(access.ReadPeople) && !slices.ContainsFunc(c.Holdings, func(h access.Holding) bool { return len(h.Scope.Groups)+len(h.Scope.People) > 0 }) {
		locations = slices.DeleteFunc(locations, func(l directory.Location) bool {
			_, ok := c.MayOn(access.ReadPeople, access.Target{Location: l.ID})
			return !ok
		})
	}
	if len(locations) < 2 {
		return nil
	}
	choices := []templates.Choice{{Text: tr(r, "people.location.all"), Current: chosen == ""}}
	for _, l := range locations {
		choices = append(choices, templates.Choice{Value: l.ID, Text: l.Name, Current: webex.SameID(l.ID, chosen)})
	}
	return choices
}

type foundPersonJSON struct {
	ID          string        `json:"id"`
	DisplayName string        `json:"displayName"`
	Email       string        `json:"email"`
	Location    *locationJSON `json:"location"`
	Extension   string        `json:"extension,omitempty"`
	Numbers     []string      `json:"numbers"`
	Href        string        `json:"href"`
}

func (s *Server) apiPeople(w http.ResponseWriter, r *http.Request) error {
	if s.Directory.State().ReadAt.IsZero() { // nobody found would not be true
		return &problem.Error{Code: problem.Unavailable, Public: text("people.state.first"), RetryAfter: firstReadingEvery}
	}
	query := r.URL.Query()
	result := s.search(visitorFrom(r.Context()).Caller, query.Get("query"), query.Get("location"), query.Get("cursor"), apiPage)
	answer := struct {
		Items []foundPersonJSON `json:"items"`
		Next  string            `json:"next,omitempty"`
		Total int               `json:"total"`
	}{Items: make([]foundPersonJSON, 0, len(result.People)), Next: result.Next, Total: result.Total}
	for _, p := range result.People {
		one := foundPersonJSON{
			ID: p.ID, DisplayName: p.Name, Email: p.Email, Extension: p.Extension, Numbers: append([]string{}, p.Numbers...), Href: "/api/people/" + url.PathEscape(p.ID),
		}
		if p.LocationID != "" {
			one.Location = &locationJSON{ID: p.LocationID}
			if l, ok := s.Directory.Location(p.LocationID); ok {
				one.Location.Name = l.Name
			}
		}
		answer.Items = append(answer.Items, one)
	}
	return writeJSON(w, answer)
}

func (s *Server) apiPerson(w http.ResponseWriter, r *http.Request) error {
	v := visitorFrom(r.Context())
	p, err := s.Settings.Profile(r.Context(), v.Caller, v.subject)
	if err != nil {
		return err
	}
	return writeJSON(w, profileOf(p))
}

type directoryJSON struct {
	People    int            `json:"people"`
	Devices   int            `json:"devices"`
	Groups    int            `json:"groups"`
	ReadAt    *time.Time     `json:"readAt"` // null: never
	Reading   bool           `json:"reading"`
	Locations []locationJSON `json:"locations"`
}

func (s *Server) apiDirectory(w http.ResponseWriter, r *http.Request) error {
	v := visitorFrom(r.Context())
	state := s.Directory.State()
	answer := directoryJSON{People: state.People, Devices: state.Devices, Groups: state.Groups, Reading: state.Reading, Locations: []locationJSON{}}
	if !state.ReadAt.IsZero() {
		at := state.ReadAt.UTC()
		answer.ReadAt = &at
	}
	for _, l := range s.Directory.Locations() {
		if _, ok := v.MayOn(access.ReadPeople, access.Target{Location: l.ID}); ok {
			answer.Locations = append(answer.Locations, locationJSON(l))
		}
	}
	return writeJSON(w, answer)
}

type groupJSON struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Members int    `json:"members"`
}

func (s *Server) apiGroups(w http.ResponseWriter, r *http.Request) error {
	groups := s.Directory.SearchGroups(r.URL.Query().Get("query"), apiPage)
	list := make([]groupJSON, 0, len(groups))
	for _, g := range groups {
		list = append(list, groupJSON(g))
	}
	return writeJSON(w, list)
}

// apiRefreshDirectory asks for a reading of the directory; it happens in the
// background.
func (s *Server) apiRefreshDirectory(w http.ResponseWriter, r *http.Request) error {
	if !visitorFrom(r.Context()).MayEverywhere(access.Operate) {
		return problem.New(problem.Forbidden, "web.forbidden")
	}
	if err := s.Directory.Refresh(r.Context()); err != nil {
		return problem.New(problem.Unavailable, "people.refresh").Because(err)
	}
	return s.apiDirectory(w, r)
}
