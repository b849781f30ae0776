package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"patchbay/internal/access"
	"patchbay/internal/directory"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
	"patchbay/internal/session"
	"patchbay/internal/webex"
	"patchbay/templates"
)

// grantingRoutes is the part of the table for the pages Access and Policy.
func (s *Server) grantingRoutes() []route {
	return []route{
		{"GET", "/access", page, access.ReadAccess, s.showAccess},
		{"GET", "/access/grant", page, access.GrantAccess, s.showGranting},
		{"POST", "/access/grant", page, access.GrantAccess, s.grantStep},
		{"GET", "/access/{grant}/extend", page, access.GrantAccess, s.showExtend},
		{"POST", "/access/{grant}/extend", page, access.GrantAccess, s.extendGrant},
		{"GET", "/access/{grant}/revoke", page, access.ReadAccess, s.showRevoke},
		{"POST", "/access/{grant}/revoke", page, access.ReadAccess, s.revokeGrant},
		{"POST", "/access/undo/{record}", page, access.GrantAccess, s.undoAccess},
		{"GET", "/policy", page, access.ReadPolicy, s.showPolicy},
		{"POST", "/policy", page, access.ChangePolicy, s.policyStep},
		{"POST", "/policy/undo/{record}", page, access.ChangePolicy, s.undoAccess},

		{"GET", "/api/grants", api, access.SignedIn, s.apiGrants},
		{"POST", "/api/grants", api, access.GrantAccess, s.apiCreateGrant},
		{"PATCH", "/api/grants/{grant}", api, access.SignedIn, s.apiExtendGrant},
		{"DELETE", "/api/grants/{grant}", api, access.SignedIn, s.apiRevokeGrant},
		{"GET", "/api/policy", api, access.ReadPolicy, s.apiPolicy},
		{"PUT", "/api/policy", api, access.ChangePolicy, s.apiPutPolicy},
	}
}

const (
	// soonEnds is from when on a grant stands among those that end soon.
	soonEnds = 14 * 24 * time.Hour
	// endShown is from when on a grant says how long it still lasts, beside until when.
	endShown = 60 * 24 * time.Hour
	// grantsOnPage is how many grants one page lists.
	grantsOnPage = 50
	// foundOnPage is how many people, groups, queues or places a search shows.
	foundOnPage = 12
	// holdersShown is how many members of a group are named.
	holdersShown = 8
	// localTime is how a browser writes the value of a datetime-local field.
	localTime = "2006-01-02T15:04"
)

// accessFrame is the frame of Access and Policy, with what the last form did.
func (s *Server) accessFrame(r *http.Request, name, title string) templates.Frame {
	f := s.frame(r, name, title)
	flash, ok, err := s.Sessions.PopFlash(r.Context())
	if err != nil || !ok {
		return f
	}
	f.Flash = templates.Note{Kind: templates.Notice, Text: say(r, flash.Text)}
	if flash.Kind == "saved" {
		f.Flash.Kind = templates.Saved
		if flash.RecordID != "" {
			f.Flash.Undo = templates.Action{URL: "/" + name + "/undo/" + url.PathEscape(flash.RecordID), Hidden: []templates.Hidden{{Name: formFor, Value: formTag(r)}}}
		}
	}
	return f
}

// namesOf knows what the ids of grants are called. What has no name any more is
// counted, never shown as an id.
type namesOf struct {
	s      *Server
	r      *http.Request
	queues map[string]string // by canonical id; nil when they are not known
}

func (s *Server) names(r *http.Request) namesOf {
	n := namesOf{s: s, r: r}
	if list, ok := s.Settings.KnownQueueList(r.Context(), visitorFrom(r.Context()).Caller); ok {
		n.queues = map[string]string{}
		for _, q := range list {
			n.queues[canonicalID(q.ID)] = q.Name
		}
	}
	return n
}

func canonicalID(id string) string {
	if u, err := webex.UUID(id); err == nil {
		return u
	}
	return id
}

// most is how many names a sentence lists.
const most = 6

// list names things: "Berlin, Munich and 3 more".
func (n namesOf) list(ids []string, unknown string, name func(string) (string, bool)) string {
	var names []string
	more := 0
	for _, id := range ids {
		if text, ok := name(id); ok && len(names) < most {
			names = append(names, text)
		} else {
			more++
		}
	}
	slices.Sort(names)
	switch {
	case len(names) == 0:
		return tr(n.r, unknown, "Count", more)
	case more > 0:
		return tr(n.r, "grant.list.more", "Names", strings.Join(names, ", "), "Count", more)
	case len(names) == 1:
		return names[0]
	}
	return tr(n.r, "grant.list", "Names", strings.Join(names[:len(names)-1], ", "), "Last", names[len(names)-1])
}

func (n namesOf) location(id string) (string, bool) {
	l, ok := n.s.Directory.Location(id)
	return l.Name, ok
}

func (n namesOf) person(id string) (string, bool) {
	p, ok := n.s.Directory.Person(id)
	return p.Name, ok
}

func (n namesOf) group(id string) (string, bool) {
	g, ok := n.s.Directory.Group(id)
	return g.Name, ok
}

func (n namesOf) queue(id string) (string, bool) {
	name, ok := n.queues[canonicalID(id)]
	return name, ok
}

// scope says where a role holds.
func (n namesOf) scope(sc access.Scope) string {
	switch sc.Kind() {
	case access.OfOrganization:
		return tr(n.r, "grant.scope.organization")
	case access.OfLocations:
		return n.list(sc.Locations, "grant.count.locations", n.location)
	case access.OfGroups:
		return tr(n.r, "grant.scope.groups", "Groups", n.list(sc.Groups, "grant.count.groups", n.group))
	case access.OfQueues:
		return n.list(slices.Concat(sc.Queues, sc.HuntGroups), "grant.count.queues", n.queue)
	case access.OfPeople:
		return n.list(sc.People, "grant.count.people", n.person)
	}
	return ""
}

// sentence says a grant: "Ben Fischer is Helpdesk for Berlin until Fri 4 December, 18:00."
func (n namesOf) sentence(g access.Grant) string {
	who := "person"
	switch {
	case g.Role == access.Colleague:
		who = "colleague"
	case g.To.Group != "":
		who = "group"
	}
	args := []any{"Name", n.holder(g.To), "Role", tr(n.r, "role."+string(g.Role)), "Scope", n.scope(g.Scope)}
	if !g.Until.IsZero() {
		return tr(n.r, "grant.sentence.until."+who, append(args, "Until", n.s.moment(n.r, g.Until))...)
	}
	return tr(n.r, "grant.sentence."+who, args...)
}

// holder is the present name of who holds a grant, else the one of then.
func (n namesOf) holder(to access.Grantee) string {
	if name, ok := n.person(to.Person); ok {
		return name
	}
	if name, ok := n.group(to.Group); ok {
		return name
	}
	return to.Name
}

// grantURL is where one grant is changed.
func grantURL(id, what string) string { return "/access/" + url.PathEscape(id) + "/" + what }

// grantRow is a grant for the page.
func (s *Server) grantRow(n namesOf, g access.Grant, prefix string) templates.Grant {
	v := visitorFrom(n.r.Context())
	row := templates.Grant{
		ID: prefix + g.ID, Sentence: n.sentence(g), By: tr(n.r, "grant.by", "Name", g.By.Name, "When", s.moment(n.r, g.At)),
		Holder: templates.Link{Text: tr(n.r, "access.holder", "Name", n.holder(g.To)), URL: "/access?to=" + url.QueryEscape(g.To.Person+g.To.Group)},
	}
	if left := g.Until.Sub(s.Now()); !g.Until.IsZero() && left < endShown {
		row.End = templates.Tag{Tone: templates.TonePlain, Text: tr(n.r, "grant.ends.days", "Count", int(left.Hours()/24))}
		if left < soonEnds {
			row.End.Tone = templates.ToneWarn
		}
		if left < 24*time.Hour {
			row.End.Text = tr(n.r, "grant.ends.today")
		}
	}
	if g.Reason != "" {
		row.Reason = tr(n.r, "grant.reason", "Reason", g.Reason)
	}
	if g.To.Group != "" {
		row.Holders = s.holders(n.r, g.To.Group)
	}
	if s.Access.MayExtend(v.Caller, g) && v.May(access.GrantAccess) {
		row.Extend = templates.Link{Text: tr(n.r, "access.extend"), URL: grantURL(g.ID, "extend")}
	}
	if s.Access.MayRevoke(v.Caller, g) {
		row.Revoke = templates.Link{Text: tr(n.r, "access.revoke"), URL: grantURL(g.ID, "revoke")}
	}
	return row
}

// holders names who is in a group.
func (s *Server) holders(r *http.Request, group string) string {
	people, total, known := s.Directory.Members(group, holdersShown)
	switch {
	case !known:
		return tr(r, "grant.holders.unknown")
	case len(people) == 0:
		return tr(r, "grant.holders.none")
	}
	var names []string
	for _, p := range people {
		names = append(names, p.Name)
	}
	if total > len(names) {
		return tr(r, "grant.holders.more", "Names", strings.Join(names, ", "), "Count", total-len(names))
	}
	return tr(r, "grant.holders", "Names", strings.Join(names, ", "))
}

// permissionWords says what a role gives within a scope; the zero Scope is one that is
// not chosen yet. Of the permissions only those in only count, nil: all.
func permissionWords(r *http.Request, role access.Role, scope access.Scope, only []access.Permission) []string {
	if role == access.Colleague {
		return []string{tr(r, "permission.lent")}
	}
	var list []string
	for _, p := range access.Bundle(role) {
		words := tr(r, "permission."+string(p))
		switch {
		case only != nil && !slices.Contains(only, p):
			continue
		case access.OfTheWhole(p) && scope.Kind() == "":
			words = tr(r, "permission.whole", "What", words)
		case access.OfTheWhole(p) && !scope.Organization:
			continue
		}
		list = append(list, words)
	}
	return list
}

// What can be done to a person and to a queue.
var (
	onPerson = []access.Permission{access.ReadPeople, access.ChangePeople, access.ManagePhones, access.ReadLog, access.ReadAccess, access.GrantAccess, access.ManageSessions}
	onQueue  = []access.Permission{access.ReadQueues, access.SwitchAgents, access.StaffQueues, access.GrantAccess}
)

// showAccess says who holds which role, as a whole or for somebody or something.
func (s *Server) showAccess(w http.ResponseWriter, r *http.Request) error {
	v, query := visitorFrom(r.Context()), r.URL.Query()
	names := s.names(r)
	p := templates.Access{Search: templates.Field{Name: "q", Value: query.Get("q")}}
	if v.May(access.GrantAccess) {
		p.GrantURL = "/access/grant"
	}
	if text := strings.TrimSpace(query.Get("q")); text != "" {
		p.Searched, p.Found = true, s.findForAccess(r, text)
	}
	filter, only := access.Filter{}, []access.Permission(nil)
	clearFilter := templates.Link{Text: tr(r, "access.filter.clear"), URL: "/access"}
	to, on := query.Get("to"), query.Get("on")
	switch {
	case on != "":
		target, name, ok := s.seenTarget(r, on)
		if !ok {
			return access.Denied("grant.on")
		}
		filter.On, only = &target, onPerson
		if target.Person == "" {
			only = onQueue
		}
		p.Filter = templates.Filter{Text: tr(r, "access.filter.on", "Name", name), Clear: clearFilter}
		if s.Config.Admins != nil {
			p.General = append(p.General, tr(r, "access.general"))
		}
	case to != "":
		filter.To = to
		person, known := s.seenPerson(r, to)
		group, isGroup := s.Directory.Group(to)
		if !known && !isGroup {
			return access.Denied("grant.on")
		}
		p.Filter = templates.Filter{Text: tr(r, "access.filter.to", "Name", person.Name+group.Name), Clear: clearFilter}
		if known && s.Config.IsAdmin(person.Email) {
			p.General = append(p.General, tr(r, "access.general.one", "Name", person.Name))
		}
		p.General = append(p.General, tr(r, "access.general.own"))
	}
	list, err := s.Access.List(r.Context(), v.Caller, filter)
	if err != nil {
		return err
	}
	p.Total = tr(r, "access.total", "Count", len(list))
	first, _ := strconv.Atoi(query.Get("from")) // 0 without
	first = min(max(first, 0), len(list))
	if first == 0 && on == "" {
		for _, g := range list {
			if !g.Until.IsZero() && g.Until.Sub(s.Now()) < soonEnds && len(p.Soon) < grantsOnPage {
				p.Soon = append(p.Soon, s.grantRow(names, g, "soon-"))
			}
		}
		slices.SortFunc(p.Soon, func(a, b templates.Grant) int { return strings.Compare(a.Sentence, b.Sentence) })
	}
	last := min(first+grantsOnPage, len(list))
	for _, g := range list[first:last] {
		row := s.grantRow(names, g, "grant-")
		if only != nil {
			row.May = permissionWords(r, g.Role, g.Scope, only)
		}
		p.Grants = append(p.Grants, row)
	}
	if last < len(list) {
		query.Set("from", strconv.Itoa(last))
		p.Older = templates.Link{Text: tr(r, "access.older"), URL: "/access?" + query.Encode()}
	}
	return render(w, r, http.StatusOK, templates.AccessPage(s.accessFrame(r, "access", tr(r, "nav.access")), p))
}

// seenPerson finds somebody whose access the visitor may look at: who is in their
// scope, and themselves.
func (s *Server) seenPerson(r *http.Request, id string) (directory.Person, bool) {
	v := visitorFrom(r.Context())
	p, ok := s.Directory.Person(id)
	if !ok {
		return p, false
	}
	_, may := v.MayOn(access.ReadAccess, s.Settings.KnownSubject(p.ID).Target())
	return p, may || v.Is(p.ID)
}

// seenTarget is a person or a queue whose access the visitor may look at.
func (s *Server) seenTarget(r *http.Request, id string) (access.Target, string, bool) {
	if p, ok := s.seenPerson(r, id); ok {
		return s.Settings.KnownSubject(p.ID).Target(), p.Name, true
	}
	q, err := s.Settings.Queue(r.Context(), visitorFrom(r.Context()).Caller, id)
	return q.Target(), q.Name, err == nil
}

// findForAccess finds people, groups and queues by their names.
func (s *Server) findForAccess(r *http.Request, text string) []templates.Match {
	var list []templates.Match
	link := func(key, name, id string) templates.Link {
		return templates.Link{Text: tr(r, key), URL: "/access?" + name + "=" + url.QueryEscape(id)}
	}
	for _, p := range s.findPeople(r, text, access.ReadAccess) {
		list = append(list, templates.Match{Name: p.Name, Detail: s.whereabouts(p), Links: []templates.Link{link("access.found.to", "to", p.ID), link("access.found.on", "on", p.ID)}})
	}
	for _, g := range s.Directory.SearchGroups(text, foundOnPage) {
		list = append(list, templates.Match{Name: g.Name, Detail: tr(r, "access.group.members", "Count", g.Members), Links: []templates.Link{link("access.found.to", "to", g.ID)}})
	}
	queues, _ := s.Settings.KnownQueueList(r.Context(), visitorFrom(r.Context()).Caller)
	for _, q := range firstNamed(queues, text, foundOnPage, func(q selfservice.Queue) string { return q.Name }) {
		list = append(list, templates.Match{Name: q.Name, Detail: q.LocationName, Links: []templates.Link{link("access.found.on", "on", q.ID)}})
	}
	return list
}

// firstNamed are the first of a list whose names hold the text.
func firstNamed[T any](list []T, text string, limit int, name func(T) string) []T {
	var found []T
	text = strings.ToLower(strings.TrimSpace(text))
	for _, one := range list {
		if strings.Contains(strings.ToLower(name(one)), text) {
			if found = append(found, one); len(found) == limit {
				break
			}
		}
	}
	return found
}

// findPeople finds those on whom the visitor has a permission. Whom they name by the
// whole address is found wherever they are, when it is to grant them something.
func (s *Server) findPeople(r *http.Request, text string, p access.Permission) []directory.Person {
	v := visitorFrom(r.Context())
	everywhere := v.MayEverywhere(p)
	list := s.Directory.Search(directory.Query{Text: text, Limit: foundOnPage, Visible: func(one *directory.Person) bool {
		if everywhere || v.Is(one.ID) {
			return true
		}
		_, ok := v.MayOn(p, s.subjectIn(one).Target())
		return ok
	}}).People
	if one, ok := s.Directory.ByEmail(text); ok && p == access.GrantAccess && !slices.ContainsFunc(list, func(p directory.Person) bool { return p.ID == one.ID }) {
		list = append(list, one)
	}
	return list
}

// whereabouts tells people of the same name apart.
func (s *Server) whereabouts(p directory.Person) string {
	l, _ := s.Directory.Location(p.LocationID)
	return strings.Join(slices.DeleteFunc([]string{p.Email, l.Name, p.Department}, func(t string) bool { return t == "" }), " · ")
}

// showRevoke asks before a grant ends.
func (s *Server) showRevoke(w http.ResponseWriter, r *http.Request) error {
	return s.renderChange(w, r, http.StatusOK, templates.ChangeGrant{Revoking: true})
}

// showExtend asks until when a grant goes on.
func (s *Server) showExtend(w http.ResponseWriter, r *http.Request) error {
	return s.renderChange(w, r, http.StatusOK, templates.ChangeGrant{})
}

func (s *Server) renderChange(w http.ResponseWriter, r *http.Request, status int, p templates.ChangeGrant) error {
	v := visitorFrom(r.Context())
	g, err := s.Access.Grant(r.Context(), v.Caller, param(r, "grant"))
	if err != nil {
		return err
	}
	names := s.names(r)
	p.Grant = s.grantRow(names, g, "grant-")
	p.For, p.Zone, p.Back = formTag(r), zoneName(s.zone(r)), templates.Link{Text: tr(r, "access.cancel"), URL: "/access"}
	p.Reason.Name = "reason"
	role, name := tr(r, "role."+string(g.Role)), names.holder(g.To)
	title := tr(r, "access.extend.title", "Name", name)
	if p.Revoking {
		title = tr(r, "access.revoke.title", "Name", name)
		p.URL, p.Act, p.Ends = grantURL(g.ID, "revoke"), tr(r, "access.revoke.act", "Role", role, "Name", name), permissionWords(r, g.Role, g.Scope, nil)
	} else {
		p.URL, p.Act, p.Until.Name = grantURL(g.ID, "extend"), tr(r, "access.extend.act"), "until"
		if status == http.StatusOK && !g.Until.IsZero() {
			p.Until.Value = g.Until.In(s.zone(r)).Format(localTime)
		}
	}
	f := s.accessFrame(r, "access", title)
	f.HasError = status != http.StatusOK
	return render(w, r, status, templates.ChangeGrantPage(f, p))
}

// revokeGrant takes a role away.
func (s *Server) revokeGrant(w http.ResponseWriter, r *http.Request) error {
	if _, err := readForm(r, nil); err != nil {
		return err
	}
	reason := strings.TrimSpace(r.PostForm.Get("reason"))
	made, err := s.Access.Revoke(r.Context(), visitorFrom(r.Context()).Caller, param(r, "grant"), access.Options{Reason: reason})
	if err != nil {
		return s.changeRefused(w, r, err, templates.ChangeGrant{Revoking: true, Reason: templates.Field{Value: reason}})
	}
	return s.goOn(w, r, "/access", session.Flash{Kind: "saved", Text: i18n.NewText("access.revoked", "Name", s.names(r).holder(made.Grant.To), "Role", i18n.NewText("role."+string(made.Grant.Role))), RecordID: made.RecordID})
}

// extendGrant gives a grant another end.
func (s *Server) extendGrant(w http.ResponseWriter, r *http.Request) error {
	if _, err := readForm(r, nil); err != nil {
		return err
	}
	typed := templates.ChangeGrant{Until: templates.Field{Value: r.PostForm.Get("until")}, Reason: templates.Field{Value: strings.TrimSpace(r.PostForm.Get("reason"))}}
	until, err := s.untilOf(r, typed.Until.Value)
	if err != nil {
		return s.changeRefused(w, r, err, typed)
	}
	made, err := s.Access.Extend(r.Context(), visitorFrom(r.Context()).Caller, param(r, "grant"), until, typed.Reason.Value)
	if err != nil {
		return s.changeRefused(w, r, err, typed)
	}
	flash := session.Flash{Kind: "notice", Text: text("note.nothing")}
	if made.RecordID != "" {
		flash = session.Flash{Kind: "saved", Text: i18n.NewText("access.made", "Sentence", s.names(r).sentence(made.Grant)), RecordID: made.RecordID}
	}
	return s.goOn(w, r, "/access", flash)
}

// changeRefused shows the form again with what was typed, and why it was not done.
func (s *Server) changeRefused(w http.ResponseWriter, r *http.Request, err error, p templates.ChangeGrant) error {
	problem := problemOf(err)
	if errors.Is(err, access.ErrDenied) {
		return err
	}
	s.logProblem(r, problem)
	for _, f := range problem.Fields {
		if f.Name == "until" {
			p.Until.Error = say(r, f.Detail)
		}
	}
	switch {
	case problem.Public.Key == "web.reason":
		p.Reason.Error = say(r, problem.Public)
	case p.Until.Error == "":
		p.Problem = say(r, problem.Public)
	}
	return s.renderChange(w, r, problem.Code.Status(), p)
}

// untilOf reads the value of a datetime-local field; none is for good.
func (s *Server) untilOf(r *http.Request, value string) (time.Time, error) {
	if value = strings.TrimSpace(value); value == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(localTime, value, s.zone(r))
	if err != nil {
		// Some browsers send the seconds too.
		if t, err = time.ParseInLocation(localTime+":05", value, s.zone(r)); err != nil {
			return t, &problem.Error{Code: problem.Invalid, Public: text("setting.invalid"), Fields: []problem.Field{{Name: "until", Detail: text("grant.until.form")}}, Err: err}
		}
	}
	return t, nil
}

// undoAccess undoes a change of a grant or of the policy.
func (s *Server) undoAccess(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r, nil)
	if err != nil {
		return err
	}
	record := param(r, "record")
	back, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	undone, err := s.Settings.Undo(r.Context(), visitorFrom(r.Context()).Caller, ownSubject(visitorFrom(r.Context())), record, selfservice.WriteOptions{})
	flash := s.undoneFlash(r)
	switch {
	case isProblem(err, problem.Changed) && undone.State.JSON != nil && visitorFrom(r.Context()).May(access.ReadLog):
		// The change log shows what it is now beside what would come back, and goes on from there.
		note := s.undoNote(r, f, undone, err)
		note.UseMine.URL = "/log/" + url.PathEscape(record) + "/undo"
		return s.renderLog(w, r, problem.Changed.Status(), record, note, "")
	case err != nil:
		p := problemOf(err)
		s.logProblem(r, p)
		if p.Code == problem.NotFound {
			return err
		}
		flash = session.Flash{Kind: "error", Text: p.Public}
	case undone.RecordID == "":
		flash = session.Flash{Kind: "notice", Text: text("note.nothing")}
	}
	return s.goOn(w, r, "/"+back, flash)
}
