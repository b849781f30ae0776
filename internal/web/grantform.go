package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"patchbay/internal/access"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
	"patchbay/internal/session"
	"patchbay/internal/webex"
	"patchbay/templates"
)

// grantForm is what was chosen so far of a grant.
type grantForm struct {
	person, group string
	role          access.Role
	kind          access.Kind
	in            []string // ids of locations, groups, people or queues; hunt groups after huntPrefix
	until, reason string
}

// huntPrefix marks the id of a hunt group among those of queues.
const huntPrefix = "hunt:"

// last is the last value of a name: a button comes after what was kept.
func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return strings.TrimSpace(values[len(values)-1])
}

// readGrantForm reads what was chosen, from the address or a form.
func readGrantForm(r *http.Request) grantForm {
	get := func(name string) string { return last(r.Form[name]) }
	f := grantForm{
		person: get("person"), group: get("group"), role: access.Role(get("role")), kind: access.Kind(get("kind")), in: r.Form["in"], until: get("until"), reason: get("reason"),
	}
	// Who was found is chosen by one of two buttons.
	switch to := get("to"); {
	case strings.HasPrefix(to, "group:"):
		f.person, f.group = "", strings.TrimPrefix(to, "group:")
	case to != "":
		f.person, f.group = to, ""
	}
	if tab := access.Kind(get("tab")); tab != "" && tab != f.kind {
		f.kind, f.in = tab, nil
	}
	if kinds := access.Kinds(f.role); f.role != "" && !slices.Contains(kinds, f.kind) {
		f.kind, f.in = "", nil
	}
	slices.Sort(f.in)
	f.in = slices.Compact(f.in)
	return f
}

// kept are the values of a form as hidden ones, but for those that the step shows.
func (f grantForm) kept(step string) []templates.Hidden {
	var list []templates.Hidden
	add := func(of, name string, values ...string) {
		for _, v := range values {
			if v != "" && step != of {
				list = append(list, templates.Hidden{Name: name, Value: v})
			}
		}
	}
	add(templates.StepWho, "person", f.person)
	add(templates.StepWho, "group", f.group)
	add(templates.StepRole, "role", string(f.role))
	add("", "kind", string(f.kind))
	add(templates.StepWhere, "in", f.in...)
	add(templates.StepWhen, "until", f.until)
	add(templates.StepWhen, "reason", f.reason)
	return list
}

// scope is the scope that was chosen.
func (f grantForm) scope() access.Scope {
	switch f.kind {
	case access.OfOrganization:
		return access.Scope{Organization: true}
	case access.OfLocations:
		return access.Scope{Locations: f.in}
	case access.OfGroups:
		return access.Scope{Groups: f.in}
	case access.OfPeople:
		return access.Scope{People: f.in}
	case access.OfQueues:
		var sc access.Scope
		for _, id := range f.in {
			if hunt, ok := strings.CutPrefix(id, huntPrefix); ok {
				sc.HuntGroups = append(sc.HuntGroups, hunt)
			} else {
				sc.Queues = append(sc.Queues, id)
			}
		}
		return sc
	}
	return access.Scope{}
}

// missing is the first step at which nothing was chosen yet.
func (f grantForm) missing() string {
	switch {
	case f.person == "" && f.group == "":
		return templates.StepWho
	case f.role == "":
		return templates.StepRole
	case f.scope().Kind() == "":
		return templates.StepWhere
	}
	return templates.StepWhen
}

// steps are the steps in their order.
var steps = []string{templates.StepWho, templates.StepRole, templates.StepWhere, templates.StepWhen, templates.StepReview}

// showGranting begins to grant a role; the address may say to whom.
func (s *Server) showGranting(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return bodyProblem(err)
	}
	f := readGrantForm(r)
	return s.renderGranting(w, r, http.StatusOK, f, f.missing(), nil)
}

// grantStep goes on with granting a role; nothing is stored before the last step.
func (s *Server) grantStep(w http.ResponseWriter, r *http.Request) error {
	if _, err := readForm(r, nil); err != nil {
		return err
	}
	f := readGrantForm(r)
	step := last(r.PostForm["step"])
	if quick := last(r.PostForm["quick"]); quick != "" {
		f.until, step = s.shortcut(r, quick), templates.StepWhen
	}
	if r.PostForm.Has("tab") {
		step = templates.StepWhere
	}
	if _, known := s.Directory.Group(f.group); known {
		s.Access.WatchGroup(f.group) // who is in it may decide whether it can be granted
	}
	switch missing := f.missing(); {
	case step == "apply" || step == templates.StepReview:
		if missing != templates.StepWhen {
			return s.renderGranting(w, r, http.StatusUnprocessableEntity, f, missing, tooFew(missing))
		}
		return s.finishGranting(w, r, f, step == "apply")
	case !slices.Contains(steps, step):
		step = missing
	case slices.Index(steps, step) > slices.Index(steps, missing):
		// Somebody went on without choosing anything.
		return s.renderGranting(w, r, http.StatusUnprocessableEntity, f, missing, tooFew(missing))
	}
	return s.renderGranting(w, r, http.StatusOK, f, step, nil)
}

// tooFew is the problem of a step at which nothing was chosen.
func tooFew(step string) error {
	return problem.New(problem.Invalid, "access.choose."+step)
}

// finishGranting shows what would be granted, or grants it.
func (s *Server) finishGranting(w http.ResponseWriter, r *http.Request, f grantForm, apply bool) error {
	v := visitorFrom(r.Context())
	until, err := s.untilOf(r, f.until)
	wish := access.Grant{To: access.Grantee{Person: f.person, Group: f.group}, Role: f.role, Scope: f.scope(), Until: until, Reason: f.reason}
	switch {
	case err != nil:
	case apply:
		var made access.Made
		if made, err = s.Access.Create(r.Context(), v.Caller, wish); err == nil {
			return s.goOn(w, r, "/access", session.Flash{
				Kind: "saved", Text: i18n.NewText("access.made", "Sentence", s.names(r).sentence(made.Grant)), RecordID: made.RecordID,
			})
		}
	default:
		if _, err = s.Access.Try(v.Caller, wish); err == nil {
			return s.renderGranting(w, r, http.StatusOK, f, templates.StepReview, nil)
		}
	}
	p := problemOf(err)
	s.logProblem(r, p)
	step := templates.StepWhen
	if len(p.Fields) > 0 {
		switch name, _, _ := strings.Cut(p.Fields[0].Name, "."); name {
		case "to":
			step = templates.StepWho
		case "role":
			step = templates.StepRole
		case "scope":
			step = templates.StepWhere
		}
	}
	return s.renderGranting(w, r, p.Code.Status(), f, step, err)
}

// shortcut is an end that was chosen by a button.
func (s *Server) shortcut(r *http.Request, name string) string {
	now := s.Now().In(s.zone(r))
	evening := func(days int) string {
		return time.Date(now.Year(), now.Month(), now.Day()+days, 18, 0, 0, 0, now.Location()).Format(localTime)
	}
	switch name {
	case "tomorrow":
		return evening(1)
	case "week":
		return evening(7)
	case "month":
		return evening(28)
	case "year":
		return evening(365)
	}
	return ""
}

// renderGranting shows one step.
func (s *Server) renderGranting(w http.ResponseWriter, r *http.Request, status int, f grantForm, step string, err error) error {
	names := s.names(r)
	p := templates.Granting{
		URL: "/access/grant", For: formTag(r), Step: step, Zone: zoneName(s.zone(r)), Chosen: s.chosen(names, f, step),
		Search: templates.Field{Name: "find", Value: last(r.Form["find"])},
		Until:  templates.Field{Name: "until", Value: f.until}, Reason: templates.Field{Name: "reason", Value: f.reason},
		Back: templates.Link{Text: tr(r, "access.cancel"), URL: "/access"},
	}
	switch step {
	case templates.StepWho:
		s.whoStep(r, &p)
	case templates.StepRole:
		p.Roles = s.roleChoices(r, f)
	case templates.StepWhere:
		s.whereStep(r, names, &f, &p)
	case templates.StepWhen:
		for _, q := range []string{"tomorrow", "week", "month", "year", "never"} {
			p.Quick = append(p.Quick, templates.Option{Value: q, Text: tr(r, "access.until."+q)})
		}
	case templates.StepReview:
		until, _ := s.untilOf(r, f.until) // it was read before
		g := access.Grant{To: access.Grantee{Person: f.person, Group: f.group}, Role: f.role, Scope: f.scope(), Until: until}
		p.Review = []string{names.sentence(g)}
		if f.group != "" {
			p.Review = append(p.Review, s.holders(r, f.group))
		}
		if until.IsZero() {
			p.Review = append(p.Review, tr(r, "access.review.forGood"))
		}
		p.May = permissionWords(r, f.role, g.Scope, nil)
		p.Act = tr(r, "access.act", "Role", tr(r, "role."+string(f.role)), "Name", names.holder(g.To))
	}
	p.Kept = f.kept(step)
	if err != nil {
		explain(r, &p, problemOf(err))
	}
	frame := s.accessFrame(r, "access", tr(r, "access.grant"))
	frame.HasError = err != nil
	return render(w, r, status, templates.GrantPage(frame, p))
}

// explain says what is wrong with a step, at the field if there is one.
func explain(r *http.Request, p *templates.Granting, why *problem.Error) {
	for _, f := range why.Fields {
		if f.Name == "until" {
			p.Until.Error = say(r, f.Detail)
		} else if p.Problem == "" {
			p.Problem = say(r, f.Detail)
		}
	}
	switch {
	case len(why.Fields) > 0:
	case why.Public.Key == "web.reason":
		p.Reason.Error = say(r, why.Public)
	case p.Step == templates.StepWho:
		p.Search.Error = say(r, why.Public)
		p.Problem = p.Search.Error
	default:
		p.Problem = say(r, why.Public)
	}
}

// chosen lists what was chosen in the other steps.
func (s *Server) chosen(n namesOf, f grantForm, step string) []templates.Chosen {
	var list []templates.Chosen
	add := func(of, value string) {
		if of != step && value != "" {
			list = append(list, templates.Chosen{Step: of, Label: tr(n.r, "access.label."+of), Value: value})
		}
	}
	add(templates.StepWho, n.holder(access.Grantee{Person: f.person, Group: f.group}))
	if f.role != "" {
		add(templates.StepRole, tr(n.r, "role."+string(f.role)))
	}
	add(templates.StepWhere, n.scope(f.scope()))
	if step == templates.StepReview {
		when := tr(n.r, "access.until.never")
		if until, err := s.untilOf(n.r, f.until); err == nil && !until.IsZero() {
			when = s.moment(n.r, until)
		}
		add(templates.StepWhen, strings.Join(slices.DeleteFunc([]string{when, f.reason}, func(t string) bool { return t == "" }), " · "))
	}
	return list
}

// whoStep finds people and groups.
func (s *Server) whoStep(r *http.Request, p *templates.Granting) {
	if p.Search.Value == "" {
		return
	}
	p.Offered = true
	choose := func(value string) templates.Action {
		return templates.Action{Label: tr(r, "access.choose"), Hidden: []templates.Hidden{{Name: "to", Value: value}}}
	}
	for _, one := range s.findPeople(r, p.Search.Value, access.GrantAccess) {
		p.Found = append(p.Found, templates.Match{Name: one.Name, Detail: s.whereabouts(one), Button: choose(one.ID)})
	}
	for _, g := range s.Directory.SearchGroups(p.Search.Value, foundOnPage) {
		p.Found = append(p.Found, templates.Match{Name: g.Name, Detail: tr(r, "access.group", "Count", g.Members), Button: choose("group:" + g.ID)})
	}
}

// roleChoices are the roles that the visitor could grant anywhere.
func (s *Server) roleChoices(r *http.Request, f grantForm) []templates.RoleChoice {
	var list []templates.RoleChoice
	for _, role := range access.Granted() {
		if everywhere, locations := s.Access.Givable(visitorFrom(r.Context()).Caller, role); !everywhere && len(locations) == 0 {
			continue
		}
		list = append(list, templates.RoleChoice{
			Value: string(role), Title: tr(r, "role."+string(role)), About: tr(r, "access.role."+string(role)), May: permissionWords(r, role, access.Scope{}, nil), On: role == f.role,
		})
	}
	return list
}

// whereStep offers the kinds of scope, and what there is of the chosen kind: what was
// chosen before, and what a search finds.
func (s *Server) whereStep(r *http.Request, n namesOf, f *grantForm, p *templates.Granting) {
	everywhere, locations := s.Access.Givable(visitorFrom(r.Context()).Caller, f.role)
	kinds := access.Kinds(f.role)
	if !everywhere {
		kinds = []access.Kind{access.OfLocations}
	}
	if !slices.Contains(kinds, f.kind) {
		f.kind, f.in = kinds[0], nil
	}
	for _, k := range kinds {
		p.Kinds = append(p.Kinds, templates.Option{Value: string(k), Text: tr(r, "access.kind.tab."+string(k)), On: k == f.kind})
	}
	p.Kind = string(f.kind)
	all, name := s.choices(r, n, f.kind, p.Search.Value, func(id string) bool {
		return everywhere || slices.ContainsFunc(locations, func(l string) bool { return webex.SameID(l, id) })
	})
	if f.kind == access.OfOrganization {
		p.Search.Name = ""
		return
	}
	for _, id := range f.in {
		text, ok := name(strings.TrimPrefix(id, huntPrefix))
		if !ok {
			text = tr(r, "grant.count."+string(f.kind), "Count", 1)
		}
		p.Ticks = append(p.Ticks, templates.Option{Value: id, Text: text, On: true})
	}
	shown := 0
	for _, o := range all {
		if slices.Contains(f.in, o.Value) {
			continue
		}
		if shown++; shown <= foundOnPage {
			p.Ticks = append(p.Ticks, o)
		}
	}
	switch {
	case shown > foundOnPage:
		p.More = tr(r, "access.more", "Count", shown-foundOnPage)
	case shown == 0 && p.Search.Value != "":
		p.More = tr(r, "access.found.none")
	case f.kind == access.OfQueues && n.queues == nil && len(all) == 0:
		p.More = tr(r, "access.queues.later")
	}
	if f.kind == access.OfLocations && p.Search.Value == "" && shown <= foundOnPage {
		p.Search.Name = "" // all are on the page
	}
}

// choices are the things of a kind that a search finds; without a text, of people
// nobody.
func (s *Server) choices(r *http.Request, n namesOf, kind access.Kind, find string, may func(location string) bool) ([]templates.Option, func(string) (string, bool)) {
	var list []templates.Option
	switch kind {
	case access.OfLocations:
		for _, l := range s.Directory.Locations() {
			if may(l.ID) && strings.Contains(strings.ToLower(l.Name), strings.ToLower(find)) {
				list = append(list, templates.Option{Value: l.ID, Text: l.Name})
			}
		}
		return list, n.location
	case access.OfGroups:
		for _, g := range s.Directory.SearchGroups(find, 2*foundOnPage) {
			list = append(list, templates.Option{Value: g.ID, Text: g.Name, Detail: tr(r, "access.group.members", "Count", g.Members)})
		}
		return list, n.group
	case access.OfPeople:
		if find == "" {
			return nil, n.person
		}
		for _, one := range s.findPeople(r, find, access.GrantAccess) {
			list = append(list, templates.Option{Value: one.ID, Text: one.Name, Detail: s.whereabouts(one)})
		}
		return list, n.person
	case access.OfQueues:
		queues, _ := s.Settings.KnownQueueList(r.Context(), visitorFrom(r.Context()).Caller)
		for _, q := range firstNamed(queues, find, len(queues), func(q selfservice.Queue) string { return q.Name + " " + q.LocationName }) {
			o := templates.Option{Value: q.ID, Text: q.Name, Detail: q.LocationName}
			if q.HuntGroup {
				o.Value, o.Detail = huntPrefix+q.ID, tr(r, "access.huntGroup", "Place", q.LocationName)
			}
			list = append(list, o)
		}
		return list, n.queue
	}
	return nil, n.location
}
