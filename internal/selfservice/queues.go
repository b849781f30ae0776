package selfservice

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/cache"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/webex"
)

// queuesName is the name under which joining and leaving is recorded.
const queuesName = access.Queues

const (
	// factsAge is how old facts about a queue may be on which a change is decided, and
	// how old counts may be that are shown.
	factsAge = 5 * time.Minute
	// listAge is how old facts about a queue may be that only say, in a list, whether
	// its agents may join.
	listAge = 30 * time.Minute
	// noQueuesAge is how long somebody who is an agent of no queue of a kind is
	// not asked about again. Asking costs a call for each kind.
	noQueuesAge = 5 * time.Minute
	// patience is the part of the time for the list that is waited, when a list is
	// wanted soon, for the settings of its queues; and at least leastPatience.
	patience      = 8
	leastPatience = 75 * time.Millisecond
	// factsAtOnce bounds the calls for queues that nobody has seen yet.
	factsAtOnce = 8
)

// queueKind tells the two kinds of queues apart, which Webex lists only
// separately (NOTES.md, section 7).
type queueKind bool

const (
	basic          queueKind = false
	customerAssist queueKind = true
)

// only is the choice of this kind alone.
func (k queueKind) only() webex.QueueKinds {
	if k == customerAssist {
		return webex.CustomerAssistQueues
	}
	return webex.PlainQueues
}

// Membership is a queue that the subject is an agent of.
type Membership struct {
	ID, Name                 string
	LocationID, LocationName string
	PhoneNumber, Extension   string
	CustomerAssist           bool
	Joined                   bool
	// CanJoin is whether agents of the queue may join and leave themselves.
	CanJoin bool
	// Pending is set while the queue's own settings are still being read; the rest
	// is then as when they could not be.
	Pending bool
	// Known is false when the queue's own settings could not be read; then nobody
	// may join, and the counts are not known.
	Known          bool
	Agents, Active int // how many agents there are, and how many have joined
}

// facts are what the portal needs of a queue's settings, the same for everybody.
type facts struct {
	AllowJoin bool        `json:"allowJoin"`
	Policy    string      `json:"policy"`
	Agents    []agentFact `json:"agents"`
}

// agentFact is an agent of a queue, as the queue has them.
type agentFact struct {
	ID         string `json:"id"`
	UUID       string `json:"uuid"`
	Name       string `json:"name"`
	Extension  string `json:"extension"`
	Location   string `json:"location"`
	Joined     *bool  `json:"joined"` // nil when Webex did not say
	Weight     string `json:"weight"`
	SkillLevel int    `json:"skillLevel"`
}

func (f facts) position(personID string) int {
	id := canonical(personID)
	return slices.IndexFunc(f.Agents, func(a agentFact) bool { return a.UUID == id })
}

// joined counts the agents who have joined; unclear when Webex did not say it of all.
func (f facts) joined() (count int, unclear bool) {
	for _, a := range f.Agents {
		if a.Joined == nil {
			unclear = true
		} else if *a.Joined {
			count++
		}
	}
	return count, unclear
}

func (f facts) hasJoined(personID string) bool {
	i := f.position(personID)
	return i >= 0 && f.Agents[i].Joined != nil && *f.Agents[i].Joined
}

func factsKey(queueID string) cache.Key { return cache.Key{Owner: canonical(queueID), Name: "queue"} }

func (s *Service) readFacts(ctx context.Context, q Queue, maxAge time.Duration) (cache.Reading[facts], error) {
	return cache.Get(ctx, s.Cache, factsKey(q.ID), cache.Options{MaxAge: maxAge, Fleet: maxAge > 0}, func(ctx context.Context) (facts, error) {
		if q.HuntGroup {
			h, err := s.Webex.GetHuntGroup(ctx, q.LocationID, q.ID)
			f := facts{}
			if h.CallPolicies != nil {
				f.Policy = h.CallPolicies.Policy
			}
			for _, a := range h.Agents {
				f.add(agentFact{ID: a.ID, Name: a.FirstName + " " + a.LastName, Extension: a.Extension, Weight: a.Weight}, a.Location)
			}
			return f, err
		}
		d, err := s.Webex.GetQueue(ctx, q.LocationID, q.ID, q.CustomerAssist)
		f := facts{AllowJoin: d.AllowAgentJoinEnabled != nil && *d.AllowAgentJoinEnabled}
		if d.CallPolicies != nil {
			f.Policy = d.CallPolicies.Policy
		}
		for _, a := range d.Agents {
			one := agentFact{ID: a.ID, Name: a.FirstName + " " + a.LastName, Extension: a.Extension, Joined: a.JoinEnabled, Weight: a.Weight}
			if a.SkillLevel != nil {
				one.SkillLevel = int(*a.SkillLevel)
			}
			f.add(one, a.Location)
		}
		return f, err
	})
}

func (f *facts) add(a agentFact, location *webex.Ref) {
	id, err := webex.UUID(a.ID)
	if err != nil {
		return // an agent that nobody can be
	}
	a.UUID, a.Name = id, strings.TrimSpace(a.Name)
	if location != nil {
		a.Location = location.Name
	}
	f.Agents = append(f.Agents, a)
}

// queueMembership is joining and leaving queues of one kind, as a setting whose
// fields are the queues the person is an agent of. Webex changes only the queues
// named in the request, so two people joining at once do not meet.
func (s *Service) queueMembership(kind queueKind) *Setting {
	setting := &Setting{Name: queuesName, Group: queuesName, variant: map[queueKind]string{basic: "basic", customerAssist: "customerAssist"}[kind]}
	setting.read = func(ctx context.Context, c *webex.Client, personID string) (Document, error) {
		list, err := c.ListAgentQueues(ctx, personID, kind.only())
		if err != nil {
			return nil, err
		}
		return membershipDocument(list, kind), nil
	}
	setting.write = func(ctx context.Context, c *webex.Client, personID string, patch Document) error {
		var settings []webex.QueueAgentSetting
		ids := slices.Sorted(maps.Keys(patch))
		leave, err := s.beginSwitching(ctx, ids)
		if err != nil {
			return err
		}
		defer leave()
		for _, id := range ids {
			settings = append(settings, webex.QueueAgentSetting{QueueID: id, JoinEnabled: patch.Bool(id + ".joined")})
		}
		return c.UpdateQueueAgentSettings(ctx, personID, bool(kind), settings)
	}
	setting.members = func(present Document) []Field {
		var fields []Field
		for _, id := range slices.Sorted(maps.Keys(present)) {
			fields = append(fields, Field{Path: id + ".joined", Kind: Bool}, Field{Path: id + ".name", Kind: Text, ReadOnly: true},
				Field{Path: id + ".customerAssist", Kind: Bool, ReadOnly: true}, Field{Path: id + ".locationId", Kind: Text, ReadOnly: true})
		}
		return fields
	}
	setting.annotate = func(record, present Document) {
		for id := range record {
			record.Set(id+".name", present.Text(id+".name"))
			record.Set(id+".customerAssist", bool(kind))
			record.Set(id+".locationId", present.Text(id+".locationId"))
		}
	}
	setting.resolve = func(wish, present Document) Document {
		spelt := Document{}
		for id, entry := range wish {
			for known := range present {
				if webex.SameID(id, known) {
					id = known
				}
			}
			spelt[id] = entry
		}
		return spelt
	}
	setting.allow = func(ctx context.Context, by actor, present Document, changes []Change) error {
		if by.overQueue {
			return nil // whether agents may join by themselves is no matter of the lead's
		}
		for _, c := range changes {
			id := strings.TrimSuffix(c.Path, ".joined")
			r, err := s.readFacts(ctx, Queue{ID: id, LocationID: present.Text(id + ".locationId"), CustomerAssist: bool(kind)}, factsAge)
			if err != nil {
				return webex.Problem(err)
			}
			if !r.Value.AllowJoin {
				return problem.New(problem.Forbidden, "queues.locked", "Queue", present.Text(id+".name"))
			}
		}
		return nil
	}
	return setting
}

// queueSettingOf finds the kind of the queue that a record speaks of.
func (s *Service) queueSettingOf(e audit.Entry) *Setting {
	doc, err := ParseDocument(e.After)
	if err != nil {
		return nil
	}
	for id := range doc {
		return s.queues[queueKind(doc.Bool(id+".customerAssist"))]
	}
	return nil
}

func membershipDocument(list []webex.AgentQueue, kind queueKind) Document {
	doc := Document{}
	for _, q := range list {
		if q.ID == "" || bool(kind) != q.CustomerAssist {
			continue
		}
		entry := map[string]any{
			"name": q.Name, "locationId": q.LocationID, "locationName": q.LocationName,
			"extension": q.Extension, "phoneNumber": q.PhoneNumber, "customerAssist": bool(kind),
		}
		if q.JoinEnabled != nil {
			entry["joined"] = *q.JoinEnabled
		}
		doc[q.ID] = entry
	}
	return doc
}

// Queues lists the queues that the subject is an agent of, by name. Whether the
// subject has joined is not older than maxAge; 0 also asks again about kinds of
// queues that the subject had none of lately.
func (s *Service) Queues(ctx context.Context, c access.Caller, subject Subject, maxAge time.Duration) ([]Membership, error) {
	return s.listQueues(ctx, c, subject, maxAge, false)
}

// QueuesSoon is Queues without waiting for the settings of queues that nobody has
// seen lately: those are read on, and the queues are Pending until then.
func (s *Service) QueuesSoon(ctx context.Context, c access.Caller, subject Subject, maxAge time.Duration) ([]Membership, error) {
	return s.listQueues(ctx, c, subject, maxAge, true)
}

func (s *Service) listQueues(ctx context.Context, c access.Caller, subject Subject, maxAge time.Duration, soon bool) ([]Membership, error) {
	begun := time.Now()
	if err := sees(c, subject, queuesName); err != nil {
		return nil, err
	}
	var kinds []queueKind
	var keys []cache.Key
	for _, kind := range []queueKind{basic, customerAssist} {
		if maxAge == 0 || !s.hadNone(ctx, subject, kind) {
			kinds, keys = append(kinds, kind), append(keys, cacheKey(subject, s.queues[kind]))
		}
	}
	if len(kinds) == 0 {
		return nil, nil
	}
	// Asked for together the lists need fewer calls than one after the other.
	readings, err := cache.GetAll(ctx, s.Cache, keys, maxAge, func(ctx context.Context) ([]Document, error) {
		choice := webex.AllQueues
		if len(kinds) == 1 {
			choice = kinds[0].only()
		}
		list, err := s.Webex.ListAgentQueues(ctx, subject.ID, choice)
		docs := make([]Document, len(kinds))
		for i, kind := range kinds {
			docs[i] = membershipDocument(list, kind)
		}
		return docs, err
	})
	if err != nil {
		return nil, webex.Problem(err)
	}
	facts := ctx
	if soon {
		// A card takes little longer than the slowest single answer.
		var cancel context.CancelFunc
		facts, cancel = context.WithTimeout(ctx, max(time.Since(begun)/patience, leastPatience))
		defer cancel()
	}
	var lists [2][]Membership
	g, gctx := errgroup.WithContext(facts)
	for i, kind := range kinds {
		g.Go(func() (err error) {
			lists[i], err = s.describe(gctx, subject, readings[i].Value, kind)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, webex.Problem(err)
	}
	return byName(slices.Concat(lists[:]...)), nil
}

func byName(list []Membership) []Membership {
	slices.SortFunc(list, func(a, b Membership) int {
		return strings.Compare(strings.ToLower(a.Name)+a.ID, strings.ToLower(b.Name)+b.ID)
	})
	return list
}

// hadNone reports whether the subject was an agent of no queue of this kind a
// short while ago.
func (s *Service) hadNone(ctx context.Context, subject Subject, kind queueKind) bool {
	r, ok := cache.Peek[Document](ctx, s.Cache, cacheKey(subject, s.queues[kind]))
	return ok && len(r.Value) == 0 && s.Now().Sub(r.At) < noQueuesAge
}

// KnownQueues is Queues as last read: after a change of ours it is up to date,
// and it serves while Webex does not answer.
func (s *Service) KnownQueues(ctx context.Context, c access.Caller, subject Subject) ([]Membership, bool) {
	if sees(c, subject, queuesName) != nil {
		return nil, false
	}
	var all []Membership
	for _, kind := range []queueKind{basic, customerAssist} {
		r, ok := cache.Peek[Document](ctx, s.Cache, cacheKey(subject, s.queues[kind]))
		if !ok {
			return nil, false
		}
		list, err := s.describe(ctx, subject, r.Value, kind)
		if err != nil {
			return nil, false
		}
		all = append(all, list...)
	}
	return byName(all), true
}

// memberships are the queues of a document, without what their own settings say.
func memberships(doc Document, kind queueKind) []Membership {
	list := make([]Membership, 0, len(doc))
	for id := range doc {
		list = append(list, Membership{
			ID: id, Name: doc.Text(id + ".name"), LocationID: doc.Text(id + ".locationId"), LocationName: doc.Text(id + ".locationName"),
			PhoneNumber: doc.Text(id + ".phoneNumber"), Extension: doc.Text(id + ".extension"),
			CustomerAssist: bool(kind), Joined: doc.Bool(id + ".joined"),
		})
	}
	return list
}

// describe adds what the queues' own settings say. A queue whose settings cannot
// be read is listed all the same.
func (s *Service) describe(ctx context.Context, subject Subject, doc Document, kind queueKind) ([]Membership, error) {
	list := memberships(doc, kind)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(factsAtOnce)
	for i := range list {
		g.Go(func() error {
			m := &list[i]
			r, err := s.readFacts(gctx, m.queue(), listAge)
			if err != nil {
				if m.Pending = errors.Is(err, context.DeadlineExceeded) && gctx.Err() != nil; !m.Pending && gctx.Err() == nil {
					s.Log.WarnContext(gctx, "the settings of a queue cannot be read; nobody can join or leave it here", "error", err)
				}
				return nil
			}
			f := r.Value
			m.Known, m.CanJoin = true, f.AllowJoin
			active, unclear := f.with(subject.ID, m.Joined).joined()
			if !unclear && s.Now().Sub(r.At) <= factsAge {
				m.Agents, m.Active = len(f.Agents), active
			}
			return nil
		})
	}
	return list, g.Wait()
}

// with is f with what is newly known of one agent.
func (f facts) with(agentID string, joined bool) facts {
	if i := f.position(agentID); i >= 0 {
		f.Agents = slices.Clone(f.Agents)
		f.Agents[i].Joined = &joined
	}
	return f
}

func (m Membership) queue() Queue {
	return Queue{ID: m.ID, Name: m.Name, LocationID: m.LocationID, LocationName: m.LocationName, CustomerAssist: m.CustomerAssist}
}

// JoinOptions go with joining and leaving.
type JoinOptions struct {
	WriteOptions
	// WarnLast asks for a LastAgentError before the last agent leaves a queue.
	WarnLast bool
}

// LastAgentError says that nobody would be left in these queues. Nothing was
// changed.
type LastAgentError struct{ Queues []Membership }

// Error names the queues for the log by their number only.
func (e *LastAgentError) Error() string { return "the last agent would leave" }

// SetJoined joins or leaves the named queues of the subject; no names mean all
// that the subject may join. Queues that are as wished already are left alone.
// It returns the queues afterwards. Errors: problem.NotFound for a queue the
// subject is not an agent of, Forbidden where joining is not allowed,
// *LastAgentError, and those of Write.
func (s *Service) SetJoined(ctx context.Context, c access.Caller, subject Subject, queueIDs []string, joined bool, opts JoinOptions) (written []Written, err error) {
	by, err := s.mayWrite(ctx, c, subject, s.queues[basic])
	if err != nil {
		return nil, err
	}
	chosen := s.seen(ctx, subject, queueIDs)
	switch {
	case chosen != nil:
	case len(queueIDs) == 1 && (joined || !opts.WarnLast):
		return s.setJoinedUnseen(ctx, by, subject, queueIDs[0], joined, opts.WriteOptions)
	default:
		if chosen, err = s.choose(ctx, c, subject, queueIDs, joined); err != nil {
			return nil, err
		}
	}
	if opts.WarnLast && !joined {
		if last := s.lastAgentOf(ctx, subject, chosen); len(last) > 0 {
			return nil, &LastAgentError{Queues: last}
		}
	}
	for _, kind := range []queueKind{basic, customerAssist} {
		wish := Document{}
		for _, m := range chosen {
			if bool(kind) == m.CustomerAssist {
				wish.Set(m.ID+".joined", joined)
			}
		}
		if len(wish) == 0 {
			continue
		}
		w, err := s.write(ctx, by, subject, s.queues[kind], wish, opts.WriteOptions)
		written = append(written, w)
		if err != nil {
			return written, notAnAgent(err)
		}
		s.noteJoined(ctx, subject, w.Changes)
	}
	return written, nil
}

// setJoinedUnseen joins or leaves a queue of which not even the kind is known. The
// write reads the person's queues of its kind anyway: trying one kind after the
// other needs fewer calls than looking for the queue first.
func (s *Service) setJoinedUnseen(ctx context.Context, by actor, subject Subject, queueID string, joined bool, opts WriteOptions) ([]Written, error) {
	for _, kind := range []queueKind{basic, customerAssist} {
		wish := Document{}
		wish.Set(queueID+".joined", joined)
		w, err := s.write(ctx, by, subject, s.queues[kind], wish, opts)
		if isUnknownQueue(err) {
			continue
		}
		if err == nil {
			s.noteJoined(ctx, subject, w.Changes)
		}
		return []Written{w}, err
	}
	return nil, problem.New(problem.NotFound, "queues.notFound")
}

// notAnAgent: a queue that is not in the person's list is not there.
func notAnAgent(err error) error {
	if isUnknownQueue(err) {
		return problem.New(problem.NotFound, "queues.notFound")
	}
	return err
}

func isUnknownQueue(err error) bool {
	var p *problem.Error
	return errors.As(err, &p) && p.Code == problem.Invalid && slices.ContainsFunc(p.Fields, func(f problem.Field) bool { return f.Detail.Key == "check.unknown" })
}

// seen finds the named queues among those last read; nil when one is missing, or
// none is named.
func (s *Service) seen(ctx context.Context, subject Subject, queueIDs []string) []Membership {
	var known []Membership
	for _, kind := range []queueKind{basic, customerAssist} {
		if r, ok := cache.Peek[Document](ctx, s.Cache, cacheKey(subject, s.queues[kind])); ok {
			known = append(known, memberships(r.Value, kind)...)
		}
	}
	if chosen := pick(known, queueIDs); len(chosen) > 0 && len(chosen) == len(queueIDs) {
		return chosen
	}
	return nil
}

// chooseAge is how old the list may be out of which queues are chosen: the change
// itself reads again what is to be changed.
const chooseAge = 30 * time.Second

// choose reads which queues are meant.
func (s *Service) choose(ctx context.Context, c access.Caller, subject Subject, queueIDs []string, joined bool) ([]Membership, error) {
	all, err := s.Queues(ctx, c, subject, chooseAge)
	if err != nil {
		return nil, err
	}
	if len(queueIDs) == 0 {
		return slices.DeleteFunc(all, func(m Membership) bool { return !m.CanJoin || m.Joined == joined }), nil
	}
	chosen := pick(all, queueIDs)
	if len(chosen) != len(queueIDs) {
		return nil, problem.New(problem.NotFound, "queues.notFound")
	}
	return chosen, nil
}

func pick(all []Membership, ids []string) []Membership {
	return slices.DeleteFunc(slices.Clone(all), func(m Membership) bool {
		return !slices.ContainsFunc(ids, func(id string) bool { return webex.SameID(id, m.ID) })
	})
}

// MembershipAfter is the named queue as a change has left it.
func (s *Service) MembershipAfter(ctx context.Context, subject Subject, w Written, queueID string) (Membership, bool) {
	doc := w.Reading.Document
	for id, entry := range doc {
		if webex.SameID(id, queueID) {
			list, err := s.describe(ctx, subject, Document{id: entry}, queueKind(doc.Bool(id+".customerAssist")))
			return list[0], err == nil
		}
	}
	return Membership{}, false
}

// lastAgentOf asks Webex afresh in which of the queues nobody else has joined.
// A queue that cannot be asked about gives no warning.
func (s *Service) lastAgentOf(ctx context.Context, subject Subject, queues []Membership) []Membership {
	var last []Membership
	for _, m := range queues {
		r, err := s.readFacts(ctx, m.queue(), 0)
		if err != nil || !r.Value.hasJoined(subject.ID) {
			continue
		}
		if count, unclear := r.Value.joined(); count == 1 && !unclear {
			last = append(last, m)
		}
	}
	return last
}

// noteJoined brings the shared facts about queues up to date with a change.
func (s *Service) noteJoined(ctx context.Context, subject Subject, changes []Change) {
	for _, c := range changes {
		id := strings.TrimSuffix(c.Path, ".joined")
		joined, _ := c.After.(bool)
		_ = cache.Amend(ctx, s.Cache, factsKey(id), func(f facts) facts { return f.with(subject.ID, joined) }) // else the count is late by minutes
	}
}

// QueueText names the queues of a LastAgentError for people.
func (e *LastAgentError) QueueText() i18n.Text {
	names := make([]string, 0, len(e.Queues))
	for _, q := range e.Queues {
		names = append(names, q.Name)
	}
	return i18n.NewText("queues.last", "Count", len(names), "Queues", strings.Join(names, ", "))
}
