package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
	"patchbay/internal/webex"
	"patchbay/templates"
)

// settled are the kinds of records that leave nothing to undo, so that nothing need
// be said about it.
var settled = []string{refusedName, signInName, exportName, sessionsName, actingName, verifyName}

// tell says what a record did: in a sentence without its actor, and as differences.
func (s *Server) tell(r *http.Request, rec selfservice.Record, region string) (string, []templates.Difference) {
	if rec.Unreadable {
		return tr(r, "log.sentence.unreadable"), nil
	}
	if rec.Veiled {
		return tr(r, "history.sentence.other"), nil
	}
	sentence, changes := s.tellKind(r, rec, region)
	if rec.Undoes != "" {
		sentence = tr(r, "history.sentence.undo", "Sentence", sentence)
	}
	return sentence, changes
}

func (s *Server) tellKind(r *http.Request, rec selfservice.Record, region string) (string, []templates.Difference) {
	switch rec.Entry.Setting {
	case access.GrantsName:
		return s.tellGrant(r, rec.Entry)
	case access.PolicyName:
		return tr(r, "log.sentence.policy"), s.policyDifferences(r, rec.Before, rec.After)
	case selfservice.AgentsName:
		return tellAgent(r, rec, region)
	case selfservice.CoverName:
		return tr(r, "log.sentence.cover", "Queue", rec.Object.Name), differencesOf(r, rec.Setting, rec.Changes, region)
	case refusedName:
		if page, opened := strings.CutPrefix(rec.Object.ID, http.MethodGet+" "); opened {
			return tr(r, "log.sentence.refused.open", "What", page), nil
		}
		return tr(r, "log.sentence.refused", "What", rec.Object.ID), nil
	case signInName:
		if rec.Outcome == audit.Refused {
			return tr(r, "log.sentence.signInRefused", "Why", signInReason(r, rec.Reason)), nil
		}
		return tr(r, "log.sentence.signIn"), nil
	case exportName:
		var e exported
		_ = json.Unmarshal(rec.After, &e) // what cannot be read is told as none
		return tr(r, "log.sentence.export", "Count", e.Entries), nil
	case sessionsName:
		return tr(r, "log.sentence.session", "Device", deviceWords(r, rec.Object.Name)), nil
	case actingName:
		if rec.Object.Kind == objectPreview {
			return tr(r, "log.sentence.preview", "Name", rec.Subject.Name), nil
		}
		if visitorFrom(r.Context()).Is(rec.Subject.ID) {
			return tr(r, "log.sentence.acting.you", "Name", rec.Actor.Name), nil
		}
		return tr(r, "log.sentence.acting", "Name", rec.Subject.Name), nil
	case verifyName:
		var v verified
		_ = json.Unmarshal(rec.After, &v)
		if v.Whole {
			return tr(r, "log.sentence.whole", "Count", v.Entries), nil
		}
		return tr(r, "log.sentence.broken"), nil
	}
	var changes []templates.Difference
	switch {
	case rec.Setting == nil:
		changes = raw(rec.Before, rec.After)
	case rec.Setting.Group != "queues":
		changes = differencesOf(r, rec.Setting, besides(rec.Changes), region)
	}
	return say(r, sentenceText(rec)), changes
}

// tellAgent says that somebody was added to a queue, or removed.
func tellAgent(r *http.Request, rec selfservice.Record, region string) (string, []templates.Difference) {
	key := "log.sentence.agent"
	var rest []selfservice.Change
	for _, c := range rec.Changes {
		switch in, _ := c.After.(bool); {
		case c.Path != "agent":
			rest = append(rest, c)
		case in:
			key = "log.sentence.added"
		default:
			key = "log.sentence.removed"
		}
	}
	if key == "log.sentence.removed" || rec.Setting == nil {
		rest = nil
	}
	return tr(r, key, "Name", rec.Subject.Name, "Queue", rec.Object.Name), differencesOf(r, rec.Setting, rest, region)
}

// signInReason says why somebody whom the provider vouches for was not let in.
func signInReason(r *http.Request, reason string) string {
	for _, known := range vouched {
		if string(known) == reason {
			return tr(r, "log.signIn."+reason)
		}
	}
	return reason
}

func grantOf(side json.RawMessage) (access.Grant, bool) {
	var g access.Grant
	return g, json.Unmarshal(side, &g) == nil && g.Role != ""
}

// tellGrant says what became of a grant.
func (s *Server) tellGrant(r *http.Request, e audit.Entry) (string, []templates.Difference) {
	before, was := grantOf(e.Before)
	after, is := grantOf(e.After)
	g, key, lent := after, "log.sentence.grant.changed", "log.sentence.grant.changed.lent"
	switch {
	case !was && !is:
		return tr(r, "history.sentence.other"), nil
	case !is:
		g, key, lent = before, "log.sentence.revoked", "log.sentence.revoked.lent"
	case !was && g.Until.IsZero():
		key, lent = "log.sentence.granted", "log.sentence.granted.lent"
	case !was:
		key, lent = "log.sentence.granted.until", "log.sentence.granted.lent"
	}
	if g.Role == access.Colleague {
		key = lent
	}
	sentence := tr(r, key, "Role", roleWords(r, g.Role), "Scope", s.scopeWords(r, g.Scope), "To", s.granteeWords(r, g.To), "Until", s.untilWords(r, g.Until))
	if !was || !is {
		return sentence, nil
	}
	var changes []templates.Difference
	add := func(label, a, b string) {
		if a != b {
			changes = append(changes, templates.Difference{Label: tr(r, label), Before: a, After: b})
		}
	}
	add("log.grant.role", roleWords(r, before.Role), roleWords(r, after.Role))
	add("log.grant.scope", s.scopeWords(r, before.Scope), s.scopeWords(r, after.Scope))
	add("log.grant.until", s.untilWords(r, before.Until), s.untilWords(r, after.Until))
	return sentence, changes
}

// grantWords says a grant in few words: "Helpdesk for Berlin, until 3 December".
func (s *Server) grantWords(r *http.Request, side json.RawMessage) string {
	g, ok := grantOf(side)
	if !ok {
		return tr(r, "log.grant.none")
	}
	return tr(r, "log.grant.words", "Role", roleWords(r, g.Role), "Scope", s.scopeWords(r, g.Scope), "Until", s.untilWords(r, g.Until))
}

func roleWords(r *http.Request, role access.Role) string {
	if slices.Contains(access.Roles(), role) {
		return tr(r, "role."+string(role))
	}
	return string(role)
}

func (s *Server) untilWords(r *http.Request, t time.Time) string {
	if t.IsZero() {
		return tr(r, "log.until.ever")
	}
	return s.clock(r, t)
}

func (s *Server) granteeWords(r *http.Request, to access.Grantee) string {
	if to.Group != "" {
		return tr(r, "log.group", "Name", to.Name)
	}
	return to.Name
}

// namedInScope is how many things of a scope are named.
const namedInScope = 3

// scopeWords names what is in a scope, as far as the directory knows it.
func (s *Server) scopeWords(r *http.Request, scope access.Scope) string {
	if scope.Organization {
		return tr(r, "log.scope.organization")
	}
	var names []string
	add := func(ids []string, name func(id string) (string, bool)) {
		for _, id := range ids {
			n, ok := name(id)
			if !ok {
				n = tr(r, "log.scope.unknown")
			}
			names = append(names, n)
		}
	}
	queue := func(id string) (string, bool) { return s.Settings.KnownQueueName(r.Context(), id) }
	add(scope.Locations, s.locationName)
	add(scope.Groups, func(id string) (string, bool) {
		g, ok := s.Directory.Group(id)
		return tr(r, "log.group", "Name", g.Name), ok
	})
	add(scope.Queues, queue)
	add(scope.HuntGroups, queue)
	add(scope.People, func(id string) (string, bool) {
		p, ok := s.Directory.Person(id)
		return p.Name, ok
	})
	if more := len(names) - namedInScope; more > 0 {
		return tr(r, "log.scope.more", "Names", strings.Join(names[:namedInScope], ", "), "Count", more)
	}
	return strings.Join(names, ", ")
}

func (s *Server) locationName(id string) (string, bool) {
	l, ok := s.Directory.Location(id)
	return l.Name, ok
}

// policyDifferences says in which parts two policies differ.
func (s *Server) policyDifferences(r *http.Request, before, after json.RawMessage) []templates.Difference {
	var a, b access.Policy
	if json.Unmarshal(before, &a) != nil || json.Unmarshal(after, &b) != nil {
		return nil
	}
	list := levelDifferences(r, "", a.Default, b.Default)
	places := maps.Clone(a.Locations)
	if places == nil {
		places = map[string]access.SettingLevels{}
	}
	maps.Copy(places, b.Locations)
	for _, id := range slices.Sorted(maps.Keys(places)) {
		name, ok := s.locationName(id)
		if !ok {
			name = tr(r, "log.scope.unknown")
		}
		list = append(list, levelDifferences(r, name, a.Locations[id], b.Locations[id])...)
	}
	roles := func(p access.Policy) string {
		var names []string
		for _, role := range p.ReasonRequired {
			names = append(names, roleWords(r, role))
		}
		return orNone(r, strings.Join(names, ", "))
	}
	if x, y := roles(a), roles(b); x != y {
		list = append(list, templates.Difference{Label: tr(r, "log.policy.reason"), Before: x, After: y})
	}
	if a.Contact != b.Contact {
		list = append(list, templates.Difference{Label: tr(r, "log.policy.contact"), Before: orNone(r, a.Contact), After: orNone(r, b.Contact)})
	}
	return list
}

func orNone(r *http.Request, text string) string {
	if text == "" {
		return tr(r, "value.none")
	}
	return text
}

// levelDifferences compares what a policy says about one place, "" being everywhere.
func levelDifferences(r *http.Request, place string, a, b access.SettingLevels) []templates.Difference {
	var list []templates.Difference
	words := func(l access.Level) string {
		switch {
		case l != "":
			return tr(r, "log.level."+string(l))
		case place != "":
			return tr(r, "log.level.default")
		}
		return tr(r, "log.level."+string(access.Write))
	}
	for _, part := range selfservice.Parts() {
		for _, role := range access.PolicyRoles() {
			x, y := words(a[part][role]), words(b[part][role])
			if x == y {
				continue
			}
			label := tr(r, "log.policy.level", "Setting", kindWords(r, part), "Role", roleWords(r, role))
			if place != "" {
				label = tr(r, "log.policy.levelAt", "Level", label, "Place", place)
			}
			list = append(list, templates.Difference{Label: label, Before: x, After: y})
		}
	}
	return list
}

// kindWords names what a record is about, and a part of somebody's portal.
func kindWords(r *http.Request, kind string) string {
	if slices.Contains(otherKinds, kind) || kind == selfservice.PhonesPart {
		return tr(r, "log.kind."+kind)
	}
	return tr(r, "setting."+kind)
}

// otherKinds are the kinds of records that are no settings of people.
var otherKinds = []string{
	selfservice.CoverName, access.GrantsName, access.PolicyName, selfservice.DevicesName, signInName, sessionsName, actingName, refusedName, exportName, verifyName,
}

// kinds lists all kinds of records, as a filter offers them.
func kinds() []string {
	var list []string
	for _, setting := range selfservice.Catalogue() {
		if setting.Writable() {
			list = append(list, setting.Name)
		}
	}
	return slices.Concat(list, []string{queuesPart, selfservice.AgentsName}, otherKinds)
}

// queuesPart is the name of joining and leaving queues, in the log and in policies.
const queuesPart = "queues"

// raw compares two sides of a record value by value, for kinds whose words nobody
// knows.
func raw(before, after json.RawMessage) []templates.Difference {
	a, b := flat(before), flat(after)
	paths := maps.Clone(a)
	maps.Copy(paths, b)
	var list []templates.Difference
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if a[path] == b[path] {
			continue
		}
		list = append(list, templates.Difference{Label: path, Before: a[path], After: b[path]})
	}
	return list
}

func flat(side json.RawMessage) map[string]string {
	values := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		if object, ok := v.(map[string]any); ok {
			for name, inner := range object {
				walk(strings.TrimPrefix(path+"."+name, "."), inner)
			}
			return
		}
		values[path] = fmt.Sprint(v)
	}
	var v any
	if json.Unmarshal(side, &v) == nil && v != nil {
		walk("", v)
	}
	return values
}

// whoWords says who did it, and as which role.
func whoWords(r *http.Request, rec selfservice.Record) string {
	name := rec.Actor.Name
	switch {
	case webex.SameID(rec.Actor.ID, visitorFrom(r.Context()).PersonID):
		name = tr(r, "history.you")
	case rec.Actor.ID == "":
		name = tr(r, "log.nobody")
	}
	if rec.Role == "" || rec.Role == string(access.User) {
		return name
	}
	return tr(r, "log.who.role", "Name", name, "Role", roleWords(r, access.Role(rec.Role)))
}

// namesSubject are the kinds of records whose sentence names whom they concern.
var namesSubject = []string{actingName, selfservice.AgentsName, access.GrantsName}

// whoAndFor says besides for whom.
func whoAndFor(r *http.Request, rec selfservice.Record) string {
	who := whoWords(r, rec)
	switch {
	case rec.Subject.ID == "" || webex.SameID(rec.Subject.ID, rec.Actor.ID), slices.Contains(namesSubject, rec.Entry.Setting):
		return who
	case visitorFrom(r.Context()).Is(rec.Subject.ID):
		return tr(r, "log.who.forYou", "Who", who)
	}
	return tr(r, "log.who.for", "Who", who, "Name", rec.Subject.Name)
}

// entryOf is a record as the history and the log show it.
func (s *Server) entryOf(r *http.Request, rec selfservice.Record, id, region string) templates.Entry {
	e := templates.Entry{ID: id, Who: whoWords(r, rec), When: s.clock(r, rec.At), Reason: rec.Reason, Outcome: recordTag(r, rec)}
	e.Sentence, e.Changes = s.tell(r, rec, region)
	if rec.Entry.Setting == signInName {
		e.Reason = "" // it is a code, and in the sentence
	}
	if !rec.Undoable && !slices.Contains(settled, rec.Entry.Setting) && !rec.Unreadable {
		e.WhyNot = say(r, rec.WhyNot)
	}
	return e
}

// recordTag says how a record ended: not everything that is refused is refused by Webex.
func recordTag(r *http.Request, rec selfservice.Record) templates.Tag {
	tag := outcomeTag(r, rec.Outcome)
	if rec.Outcome == audit.Refused && rec.Setting == nil {
		tag.Text = tr(r, "log.outcome.refused")
	}
	if rec.Entry.Setting == verifyName && rec.Outcome == audit.Done {
		var v verified
		if json.Unmarshal(rec.After, &v) == nil && !v.Whole {
			return templates.Tag{Tone: templates.ToneBad, Text: tr(r, "log.chain.broken.tag")}
		}
	}
	return tag
}

// undoNote says what became of an undo. What has moved since is shown beside what
// would come back.
func (s *Server) undoNote(r *http.Request, f sent, undone selfservice.Undone, err error) templates.Note {
	switch {
	case err == nil && undone.RecordID != "":
		return templates.Note{Kind: templates.Saved, Text: tr(r, "note.undone", "Time", s.clock(r, s.Now()))}
	case err == nil, selfservice.IsUnsure(err):
		return s.noteOf(r, f, undone.Written, err)
	case isProblem(err, problem.Changed) && undone.Reading.Setting != nil:
		return s.movedNote(r, f, undone.Written)
	case isProblem(err, problem.Changed) && undone.State.JSON != nil:
		return s.movedAccessNote(r, f, undone)
	}
	p := problemOf(err)
	return templates.Note{Kind: templates.NotSaved, Text: say(r, p.Public), Reference: reference(r, p)}
}

// movedAccessNote is movedNote for a grant or the policy.
func (s *Server) movedAccessNote(r *http.Request, f sent, undone selfservice.Undone) templates.Note {
	note := templates.Note{
		Kind: templates.ChangedElsewhere, Text: tr(r, "note.moved"), MineLabel: tr(r, "note.moved.mine"), Theirs: s.grantWords(r, undone.State.JSON), Mine: s.grantWords(r, undone.Entry.Before),
		UseMine: templates.Action{URL: r.URL.RequestURI(), Label: tr(r, "note.moved.undo"), Hidden: f.hidden(templates.Hidden{Name: formETag, Value: undone.State.ETag})},
	}
	if undone.Entry.Setting == access.PolicyName {
		var theirs, mine []string
		for _, d := range s.policyDifferences(r, undone.State.JSON, undone.Entry.Before) {
			theirs, mine = append(theirs, d.Label+": "+d.Before), append(mine, d.Label+": "+d.After)
		}
		note.Theirs, note.Mine = strings.Join(theirs, "; "), strings.Join(mine, "; ")
	}
	return note
}
