package web

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"patchbay/internal/access"
	"patchbay/internal/directory"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
	"patchbay/internal/session"
	"patchbay/internal/webex"
	"patchbay/templates"
)

// asDefault is the choice of a location to do as the organization does.
const asDefault = "default"

// partTitle names a part of a person's portal.
func partTitle(r *http.Request, part string) string {
	if part == selfservice.PhonesPart {
		return tr(r, "nav.phones")
	}
	return tr(r, "setting."+part)
}

// levelName is the name of a field of the form.
func levelName(part string, role access.Role) string { return "level:" + part + ":" + string(role) }

// policyForm is what the form of the policy says.
type policyForm struct {
	place  string // the location; "" is the organization
	etag   string
	reason string
	levels map[string]access.Level // by levelName; "" is as the default
	roles  []access.Role           // that must give a reason
	about  string                  // the contact
}

// formOf is the form of a policy as it is.
func formOf(p *access.Policy, place string) policyForm {
	f := policyForm{place: place, etag: p.ETag(), levels: map[string]access.Level{}, roles: p.ReasonRequired, about: p.Contact}
	for _, part := range selfservice.Parts() {
		for _, role := range access.PolicyRoles() {
			f.levels[levelName(part, role)] = p.Default[part][role]
			if place == "" && f.levels[levelName(part, role)] == "" {
				f.levels[levelName(part, role)] = access.Write
			}
			if place != "" {
				f.levels[levelName(part, role)] = levelsAt(p, place)[part][role]
			}
		}
	}
	return f
}

// levelsAt is what a policy says of a location alone.
func levelsAt(p *access.Policy, place string) access.SettingLevels {
	for id, levels := range p.Locations {
		if webex.SameID(id, place) {
			return levels
		}
	}
	return nil
}

// readPolicyForm reads the form as it was sent; of a form of a location the rest is
// that of the policy.
func readPolicyForm(r *http.Request, now *access.Policy) policyForm {
	f := formOf(now, r.PostForm.Get("location"))
	f.etag, f.reason = r.PostForm.Get(formETag), strings.TrimSpace(r.PostForm.Get("why"))
	for name := range f.levels {
		if r.PostForm.Has(name) {
			if f.levels[name] = access.Level(r.PostForm.Get(name)); f.levels[name] == asDefault {
				f.levels[name] = ""
			}
		}
	}
	if f.place == "" {
		f.roles, f.about = nil, strings.TrimSpace(r.PostForm.Get("contact"))
		for _, role := range r.PostForm["reasonRequired"] {
			f.roles = append(f.roles, access.Role(role))
		}
	}
	return f
}

// kept is the form again, as hidden values.
func (f policyForm) kept() []templates.Hidden {
	var list []templates.Hidden
	for _, name := range slices.Sorted(maps.Keys(f.levels)) {
		level := string(f.levels[name])
		if level == "" {
			level = asDefault
		}
		list = append(list, templates.Hidden{Name: name, Value: level})
	}
	if f.place == "" {
		list = append(list, templates.Hidden{Name: "contact", Value: f.about})
		for _, role := range f.roles {
			list = append(list, templates.Hidden{Name: "reasonRequired", Value: string(role)})
		}
	}
	return list
}

// policy is what the policy becomes by the form.
func (f policyForm) policy(now *access.Policy) *access.Policy {
	levels := access.SettingLevels{}
	for _, part := range selfservice.Parts() {
		levels[part] = map[access.Role]access.Level{}
		for _, role := range access.PolicyRoles() {
			if l := f.levels[levelName(part, role)]; l != "" {
				levels[part][role] = l
			}
		}
	}
	wish := &access.Policy{Default: now.Default, Locations: maps.Clone(now.Locations), ReasonRequired: now.ReasonRequired, Contact: now.Contact}
	if f.place == "" {
		wish.Default, wish.ReasonRequired, wish.Contact = levels, f.roles, f.about
		return wish
	}
	maps.DeleteFunc(wish.Locations, func(id string, _ access.SettingLevels) bool { return webex.SameID(id, f.place) })
	wish.Locations[f.place] = levels
	return wish
}

// showPolicy says what the portal forbids, for the organization or one location.
func (s *Server) showPolicy(w http.ResponseWriter, r *http.Request) error {
	now, err := s.Access.ReadThePolicy(r.Context(), visitorFrom(r.Context()).Caller)
	if err != nil {
		return err
	}
	return s.renderPolicy(w, r, http.StatusOK, now, formOf(now, r.URL.Query().Get("location")), nil, nil)
}

// policyStep shows what would change, or changes it.
func (s *Server) policyStep(w http.ResponseWriter, r *http.Request) error {
	if _, err := readForm(r, nil); err != nil {
		return err
	}
	v := visitorFrom(r.Context())
	now, err := s.Access.ReadThePolicy(r.Context(), v.Caller)
	if err != nil {
		return err
	}
	f := readPolicyForm(r, now)
	wish := f.policy(now)
	review := s.policyReview(r, now, wish, f)
	switch r.PostForm.Get("step") {
	case "edit":
		return s.renderPolicy(w, r, http.StatusOK, now, f, nil, nil)
	case "apply":
		_, record, err := s.Access.SetPolicy(r.Context(), v.Caller, wish, access.PolicyOptions{IfMatch: f.etag, Options: access.Options{Reason: f.reason}})
		switch {
		case err == nil && record != "":
			return s.goOn(w, r, policyURL(f.place), session.Flash{Kind: "saved", Text: i18n.NewText("policy.saved", "Place", s.placeName(r, f.place)), RecordID: record})
		case err == nil:
			return s.goOn(w, r, policyURL(f.place), session.Flash{Kind: "notice", Text: text("note.nothing")})
		case isProblem(err, problem.Changed):
			f.etag = now.ETag() // the differences are those to what is there now
			return s.renderPolicy(w, r, http.StatusPreconditionFailed, now, f, review, err)
		}
		if p := problemOf(err); p.Public.Key == "web.reason" {
			review.Reason.Error = say(r, p.Public)
			return s.renderPolicy(w, r, p.Code.Status(), now, f, review, nil)
		}
		return s.renderPolicy(w, r, problemOf(err).Code.Status(), now, f, nil, err)
	}
	switch err := s.Access.TryPolicy(v.Caller, wish); {
	case err != nil:
		return s.renderPolicy(w, r, problemOf(err).Code.Status(), now, f, nil, err)
	case len(review.Differences) == 0:
		return s.goOn(w, r, policyURL(f.place), session.Flash{Kind: "notice", Text: text("note.nothing")})
	}
	return s.renderPolicy(w, r, http.StatusOK, now, f, review, nil)
}

func policyURL(place string) string {
	if place == "" {
		return "/policy"
	}
	return "/policy?location=" + place
}

// placeName is the location that the form speaks of, or the organization.
func (s *Server) placeName(r *http.Request, place string) string {
	if l, ok := s.Directory.Location(place); ok {
		return l.Name
	}
	return tr(r, "policy.organization")
}

// levelWords says a level; none is as the organization does.
func levelWords(r *http.Request, l access.Level) string {
	if l == "" {
		return tr(r, "policy.level.default")
	}
	return tr(r, "policy.level."+string(l))
}

// roleLevelWords is levelWords for a role: an auditor reads at most.
func roleLevelWords(r *http.Request, role access.Role, l access.Level) string {
	if role == access.Auditor && l == access.Write {
		l = access.Read
	}
	return levelWords(r, l)
}

// levelsFor are the levels that can be chosen for a role that has one now.
func levelsFor(role access.Role, now access.Level) []access.Level {
	switch {
	case role != access.Auditor:
		return access.Levels()
	case now == access.Read:
		return []access.Level{access.Hidden, access.Read}
	}
	return []access.Level{access.Hidden, access.Write}
}

// policyReview lists what a wish changes, and for how many people.
func (s *Server) policyReview(r *http.Request, now, wish *access.Policy, f policyForm) *templates.PolicyReview {
	review := &templates.PolicyReview{Kept: f.kept(), Reason: templates.Field{Name: "why", Value: f.reason}}
	before, after := formOf(now, f.place), formOf(wish, f.place)
	users := false
	for _, part := range selfservice.Parts() {
		for _, role := range access.PolicyRoles() {
			name := levelName(part, role)
			if before.levels[name] == after.levels[name] {
				continue
			}
			users = users || role == access.User
			review.Differences = append(review.Differences, templates.Difference{
				Label: tr(r, "policy.cell", "Setting", partTitle(r, part), "Role", tr(r, "role."+string(role))), Before: roleLevelWords(r, role, before.levels[name]), After: roleLevelWords(r, role, after.levels[name]),
			})
		}
	}
	required := func(p *access.Policy, role access.Role) string {
		if p.NeedsReason(role) {
			return tr(r, "policy.reason.required")
		}
		return tr(r, "policy.reason.optional")
	}
	for _, role := range reasonRoles() {
		if now.NeedsReason(role) != wish.NeedsReason(role) {
			review.Differences = append(review.Differences, templates.Difference{
				Label: tr(r, "policy.reason.label", "Role", tr(r, "role."+string(role))), Before: required(now, role), After: required(wish, role),
			})
		}
	}
	if now.Contact != wish.Contact {
		none := func(text string) string {
			if text == "" {
				return tr(r, "value.none")
			}
			return text
		}
		review.Differences = append(review.Differences, templates.Difference{Label: tr(r, "policy.contact.label"), Before: none(now.Contact), After: none(wish.Contact)})
	}
	if users {
		people := s.Directory.Search(directory.Query{Location: f.place, Limit: 1}).Total
		review.Concerned = tr(r, "policy.concerned", "Count", people, "Place", s.placeName(r, f.place))
	}
	return review
}

// reasonRoles are the roles that can be made to say why.
func reasonRoles() []access.Role {
	return []access.Role{access.Colleague, access.Lead, access.Helpdesk, access.OfficeManager, access.Administrator}
}

func (s *Server) renderPolicy(w http.ResponseWriter, r *http.Request, status int, now *access.Policy, f policyForm, review *templates.PolicyReview, err error) error {
	v := visitorFrom(r.Context())
	if _, ok := s.Directory.Location(f.place); f.place != "" && !ok {
		return problem.New(problem.NotFound, "policy.location")
	}
	p := templates.Policy{
		URL: "/policy", For: formTag(r), ETag: f.etag, ReadOnly: !v.MayEverywhere(access.ChangePolicy), Place: f.place, PlaceName: s.placeName(r, f.place),
		Review: review, Places: []templates.Option{{Text: tr(r, "policy.organization"), On: f.place == ""}}, Contact: templates.Field{Name: "contact", Value: f.about},
		Printed: tr(r, "policy.printed", "Text", tr(r, "setting.locked.policy")),
	}
	if f.about != "" {
		p.Printed = tr(r, "policy.printed", "Text", tr(r, "setting.locked.policyContact", "Contact", f.about))
	}
	for _, l := range s.Directory.Locations() {
		o := templates.Option{Value: l.ID, Text: l.Name, On: webex.SameID(l.ID, f.place)}
		if len(levelsAt(now, l.ID)) > 0 {
			o.Text = tr(r, "policy.place.own", "Place", l.Name)
		}
		p.Places = append(p.Places, o)
	}
	for _, role := range access.PolicyRoles() {
		p.Roles = append(p.Roles, tr(r, "role."+string(role)))
	}
	if review == nil {
		p.Rows = s.policyRows(r, now, f)
	}
	if f.place == "" {
		for _, role := range reasonRoles() {
			p.Reasons = append(p.Reasons, templates.Option{Value: string(role), Text: tr(r, "role."+string(role)), On: slices.Contains(f.roles, role)})
		}
	}
	if !p.ReadOnly && review == nil {
		p.Preview = s.previewSearch(r)
	}
	frame := s.accessFrame(r, "policy", tr(r, "nav.policy"))
	if err != nil {
		frame.HasError = true
		var why *problem.Error
		if !errors.As(err, &why) {
			return err
		}
		s.logProblem(r, why)
		for _, one := range why.Fields {
			if one.Name == "contact" {
				p.Contact.Error = say(r, one.Detail)
			} else if p.Problem == "" {
				p.Problem = say(r, one.Detail)
			}
		}
		if len(why.Fields) == 0 {
			p.Problem = say(r, why.Public)
		}
	}
	return render(w, r, status, templates.PolicyPage(frame, p))
}

// policyRows are the settings with what is said of them.
func (s *Server) policyRows(r *http.Request, now *access.Policy, f policyForm) []templates.PolicyRow {
	open, known := s.Settings.KnownDefaults(r.Context())
	var rows []templates.PolicyRow
	for i, part := range selfservice.Parts() {
		row := templates.PolicyRow{Title: partTitle(r, part)}
		if allowed, has := open[part]; known && has {
			row.Webex = templates.Tag{Tone: templates.TonePlain, Text: tr(r, "policy.webex.closed")}
			if allowed {
				row.Webex.Text = tr(r, "policy.webex.open")
			}
		}
		for _, role := range access.PolicyRoles() {
			name := levelName(part, role)
			cell := templates.PolicyCell{
				ID: "cell-" + itoa(i) + "-" + string(role), Name: name, Label: tr(r, "policy.cell", "Setting", row.Title, "Role", tr(r, "role."+string(role))), Now: roleLevelWords(r, role, f.levels[name]),
			}
			if f.place != "" {
				inherited := tr(r, "policy.level.as", "Level", roleLevelWords(r, role, now.Level("", part, role)))
				cell.Options = append(cell.Options, templates.Option{Value: asDefault, Text: inherited, On: f.levels[name] == ""})
				if f.levels[name] == "" {
					cell.Now = inherited
				}
			}
			for _, l := range levelsFor(role, f.levels[name]) {
				cell.Options = append(cell.Options, templates.Option{Value: string(l), Text: roleLevelWords(r, role, l), On: f.levels[name] == l})
			}
			row.Cells = append(row.Cells, cell)
		}
		rows = append(rows, row)
	}
	return rows
}

// previewSearch finds somebody whose portal is to be seen as they see it.
func (s *Server) previewSearch(r *http.Request) *templates.PreviewSearch {
	find := strings.TrimSpace(r.URL.Query().Get("preview"))
	p := &templates.PreviewSearch{Search: templates.Field{Name: "preview", Value: find}, Searched: find != ""}
	if find == "" {
		return p
	}
	for i, one := range s.findPeople(r, find, access.ReadPeople) {
		if visitorFrom(r.Context()).Is(one.ID) {
			continue
		}
		p.Found = append(p.Found, templates.Match{Name: one.Name, Detail: s.whereabouts(one), Button: templates.Action{
			ID: "preview-" + itoa(i), URL: "/people/" + one.ID + "/preview", Label: tr(r, "policy.preview.as", "Name", one.Name), Hidden: []templates.Hidden{{Name: "preview", Value: "true"}},
		}})
	}
	return p
}
