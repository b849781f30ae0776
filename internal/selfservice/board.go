package selfservice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/cache"
	"patchbay/internal/problem"
	"patchbay/internal/webex"
)

const (
	// boardAge is how old the agents of a queue may be that a board shows.
	boardAge = 15 * time.Second
	// switchesAtOnce bounds the agents of one request who are switched side by side.
	switchesAtOnce = 4
	// MaxAgentsAtOnce is how many agents one request may switch.
	MaxAgentsAtOnce = 100
	// CoverName is the name under which the log has changes of the minimum cover.
	CoverName = "cover"
	// keyCover is a hash: how many agents should be reachable, by hashed queue id.
	keyCover = "patchbay:{board}:cover"
	// maxCover is the largest minimum: as many agents as a queue can have (sdk hg_and_cq.py).
	maxCover = 1000
)

// Queue is a call queue or a hunt group of the organization.
type Queue struct {
	ID             string `json:"id"`
	Name           string `json:"name"`
	LocationID     string `json:"locationId"`
	LocationName   string `json:"locationName"`
	PhoneNumber    string `json:"phoneNumber"`
	Extension      string `json:"extension"`
	CustomerAssist bool   `json:"customerAssist"`
	HuntGroup      bool   `json:"huntGroup"`
	Enabled        bool   `json:"enabled"`
}

func (q Queue) target() access.Target {
	if q.HuntGroup {
		return access.Target{Hunt: q.ID, Location: q.LocationID}
	}
	return access.Target{Queue: q.ID, Location: q.LocationID}
}

// The kinds of audit.Object that a queue becomes.
const (
	objectQueue     = "queue"
	objectHuntGroup = "huntGroup"
)

func (q Queue) object() audit.Object {
	kind := objectQueue
	if q.HuntGroup {
		kind = objectHuntGroup
	}
	return audit.Object{Kind: kind, ID: q.ID, Name: q.Name, Details: map[string]string{
		"locationId": q.LocationID, "customerAssist": strconv.FormatBool(q.CustomerAssist),
	}}
}

// queueOf is the queue that a record speaks of.
func queueOf(o audit.Object) Queue {
	return Queue{
		ID: o.ID, Name: o.Name, LocationID: o.Details["locationId"], CustomerAssist: o.Details["customerAssist"] == "true", HuntGroup: o.Kind == objectHuntGroup,
	}
}

var queuesKey = cache.Key{Owner: "organization", Name: "queues"}

// allQueues lists every queue and hunt group of the organization, by name. It is
// read once for all.
func (s *Service) allQueues(ctx context.Context) ([]Queue, error) {
	r, err := cache.Get(ctx, s.Cache, queuesKey, cache.Options{MaxAge: listAge, Fleet: true}, func(ctx context.Context) ([]Queue, error) {
		var lists [3][]Queue
		g, gctx := errgroup.WithContext(ctx)
		for i, assist := range []bool{false, true} {
			g.Go(func() error {
				list, err := s.Webex.ListQueues(gctx, assist)
				for _, q := range list {
					lists[i] = append(lists[i], Queue{
						ID: q.ID, Name: q.Name, LocationID: q.LocationID, LocationName: q.LocationName, PhoneNumber: q.PhoneNumber, Extension: q.Extension,
						CustomerAssist: assist, Enabled: q.Enabled == nil || *q.Enabled,
					})
				}
				return err
			})
		}
		g.Go(func() error {
			list, err := s.Webex.ListHuntGroups(gctx)
			for _, h := range list {
				lists[2] = append(lists[2], Queue{
					ID: h.ID, Name: h.Name, LocationID: h.LocationID, LocationName: h.LocationName, PhoneNumber: h.PhoneNumber, Extension: h.Extension,
					HuntGroup: true, Enabled: h.Enabled == nil || *h.Enabled,
				})
			}
			return err
		})
		err := g.Wait()
		all := slices.Concat(lists[:]...)
		slices.SortFunc(all, func(a, b Queue) int {
			return strings.Compare(strings.ToLower(a.Name)+a.ID, strings.ToLower(b.Name)+b.ID)
		})
		return all, err
	})
	if err != nil {
		return nil, webex.Problem(err)
	}
	return r.Value, nil
}

// QueuesInReach lists the queues and hunt groups that the caller may see, by name.
func (s *Service) QueuesInReach(ctx context.Context, c access.Caller) ([]Queue, error) {
	if !c.May(access.ReadQueues) {
		return nil, problem.New(problem.Forbidden, "web.forbidden")
	}
	all, err := s.allQueues(ctx)
	return slices.DeleteFunc(slices.Clone(all), func(q Queue) bool { return !mayQueue(c, access.ReadQueues, q) }), err
}

func mayQueue(c access.Caller, p access.Permission, q Queue) bool {
	_, ok := c.MayOn(p, q.target())
	return ok
}

// Queue finds a queue or hunt group that the caller may see; any other is not there.
func (s *Service) Queue(ctx context.Context, c access.Caller, id string) (Queue, error) {
	if !c.May(access.ReadQueues) {
		return Queue{}, access.Denied("queues.notFound")
	}
	all, err := s.allQueues(ctx)
	if err != nil {
		return Queue{}, err
	}
	for _, q := range all {
		if webex.SameID(q.ID, id) && mayQueue(c, access.ReadQueues, q) {
			return q, nil
		}
	}
	return Queue{}, access.Denied("queues.notFound")
}

// Away is whether calls of a queue reach an agent who has joined.
type Away string

// The values.
const (
	AwayUnknown Away = "unknown" // nobody has looked lately
	Here        Away = "here"
	Forwarded   Away = "forwarded"    // all calls go elsewhere
	Disturbed   Away = "doNotDisturb" // do not disturb is on
)

// Agent is somebody who answers the calls of a queue.
type Agent struct {
	ID, Name, Extension string
	LocationName        string
	// Joined is whether calls of the queue ring them; everybody in a hunt group has
	// joined. JoinedKnown is false when Webex does not say.
	Joined, JoinedKnown bool
	Away                Away
	AwayAt              time.Time // when that was read
	Weight              string    // percent, for queues that share calls by weight
	SkillLevel          int       // 0 without
}

// BoardQueue is a queue with its agents.
type BoardQueue struct {
	Queue
	Agents []Agent
	Policy string // Webex's routing policy: "WEIGHTED", ...
	At     time.Time
	// Minimum is how many should be reachable; 0 when nobody has said.
	Minimum int
	// MaySwitch and MayStaff are what the caller may do.
	MaySwitch, MayStaff bool
}

// Reachable is how many agents have joined and are not known to be away.
func (b BoardQueue) Reachable() int {
	n := 0
	for _, a := range b.Agents {
		if a.Joined && a.Away != Forwarded && a.Away != Disturbed {
			n++
		}
	}
	return n
}

// Board reads the agents of a queue that the caller may see, at most a few seconds
// old. Whether agents are away comes from what was read lately: the queue is kept
// in mind, and what is missing is read in the background.
func (s *Service) Board(ctx context.Context, c access.Caller, queueID string) (BoardQueue, error) {
	q, err := s.Queue(ctx, c, queueID)
	if err != nil {
		return BoardQueue{}, err
	}
	r, err := s.readFacts(ctx, q, boardAge)
	if err != nil {
		return BoardQueue{Queue: q}, webex.Problem(err)
	}
	s.watch(ctx, q)
	return s.boardOf(ctx, c, q, r), nil
}

// KnownBoard is Board as last read, without asking Webex.
func (s *Service) KnownBoard(ctx context.Context, c access.Caller, q Queue) (BoardQueue, bool) {
	r, ok := cache.Peek[facts](ctx, s.Cache, factsKey(q.ID))
	if !ok || !mayQueue(c, access.ReadQueues, q) {
		return BoardQueue{}, false
	}
	return s.boardOf(ctx, c, q, r), true
}

func (s *Service) boardOf(ctx context.Context, c access.Caller, q Queue, r cache.Reading[facts]) BoardQueue {
	b := BoardQueue{
		Queue: q, Policy: r.Value.Policy, At: r.At, Minimum: s.cover(ctx, q),
		MaySwitch: mayQueue(c, access.SwitchAgents, q) && !q.HuntGroup, MayStaff: mayQueue(c, access.StaffQueues, q),
	}
	for _, a := range r.Value.Agents {
		agent := Agent{
			ID: s.personID(a.ID), Name: a.Name, Extension: a.Extension, LocationName: a.Location, Weight: a.Weight, SkillLevel: a.SkillLevel,
			Joined: q.HuntGroup || a.Joined != nil && *a.Joined, JoinedKnown: q.HuntGroup || a.Joined != nil,
		}
		agent.Away, agent.AwayAt = s.knownAway(ctx, agent.ID)
		b.Agents = append(b.Agents, agent)
	}
	slices.SortStableFunc(b.Agents, func(x, y Agent) int { return strings.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)) })
	return b
}

// personID is a person's id as People writes it: queues spell it differently.
func (s *Service) personID(id string) string {
	if p, ok := s.Directory.Person(id); ok {
		return p.ID
	}
	return id
}

// knownAway tells from the last readings whether an agent is away.
func (s *Service) knownAway(ctx context.Context, personID string) (Away, time.Time) {
	subject := Subject{ID: personID}
	forwarding, ok := cache.Peek[Document](ctx, s.Cache, cacheKey(subject, find(s.catalogue, "callForwarding")))
	dnd, ok2 := cache.Peek[Document](ctx, s.Cache, cacheKey(subject, find(s.catalogue, "doNotDisturb")))
	switch {
	case ok && forwarding.Value.Bool("callForwarding.always.enabled"):
		return Forwarded, forwarding.At
	case ok2 && dnd.Value.Bool("enabled"):
		return Disturbed, dnd.At
	case !ok || !ok2:
		return AwayUnknown, time.Time{}
	case forwarding.At.Before(dnd.At):
		return Here, forwarding.At
	}
	return Here, dnd.At
}

// Switched is what became of one agent.
type Switched struct {
	AgentID string
	Written Written
	Err     error
}

// SwitchAgents joins agents to a queue, or lets them leave; each is a change of its
// own, written so that two who switch at the same time do not meet. The error is of
// the request as a whole; what became of each agent is in the list.
func (s *Service) SwitchAgents(ctx context.Context, c access.Caller, queueID string, agentIDs []string, joined bool, opts WriteOptions) ([]Switched, error) {
	q, err := s.Queue(ctx, c, queueID)
	if err != nil {
		return nil, err
	}
	role, ok := c.MayOn(access.SwitchAgents, q.target())
	switch {
	case !ok:
		return nil, problem.New(problem.Forbidden, "web.forbidden").Because(access.ErrDenied)
	case q.HuntGroup:
		return nil, problem.New(problem.Conflict, "board.huntGroup")
	case len(agentIDs) > MaxAgentsAtOnce:
		return nil, problem.New(problem.Malformed, "board.tooMany", "Max", MaxAgentsAtOnce)
	}
	by := actor{Caller: c, role: role, overQueue: true}
	if err := by.checkReason(opts.Reason); err != nil {
		return nil, err
	}
	r, err := s.readFacts(ctx, q, listAge)
	if err != nil {
		return nil, webex.Problem(err)
	}
	list := make([]Switched, len(agentIDs))
	var g errgroup.Group
	g.SetLimit(switchesAtOnce)
	for i, id := range agentIDs {
		list[i] = Switched{AgentID: id}
		g.Go(func() error {
			list[i].Written, list[i].Err = s.switchAgent(ctx, by, q, r.Value, id, joined, opts)
			return nil
		})
	}
	_ = g.Wait() // each agent has an error of its own
	return list, nil
}

func (s *Service) switchAgent(ctx context.Context, by actor, q Queue, f facts, agentID string, joined bool, opts WriteOptions) (Written, error) {
	i := f.position(agentID)
	if i < 0 {
		// Who was added a moment ago is not in a reading that is minutes old.
		r, err := s.readFacts(ctx, q, 0)
		if err != nil {
			return Written{}, webex.Problem(err)
		}
		if f, i = r.Value, r.Value.position(agentID); i < 0 {
			return Written{}, problem.New(problem.NotFound, "board.notAgent")
		}
	}
	subject := s.knownSubject(audit.Person{ID: f.Agents[i].ID, Name: f.Agents[i].Name})
	wish := Document{}
	wish.Set(q.ID+".joined", joined)
	w, err := s.write(ctx, by, subject, s.queues[queueKind(q.CustomerAssist)], wish, opts)
	if err != nil {
		return w, notAnAgent(err)
	}
	s.noteJoined(ctx, subject, w.Changes)
	return w, nil
}

// switcherOf is the role as which the caller may undo the joining or leaving of
// queues that they look after: of all that a record speaks of.
func (s *Service) switcherOf(c access.Caller, r Record) (access.Role, bool) {
	doc, err := ParseDocument(r.After)
	if err != nil || len(doc) == 0 {
		return "", false
	}
	as := access.Role("")
	for id := range doc {
		role, ok := c.MayOn(access.SwitchAgents, access.Target{Queue: id, Location: doc.Text(id + ".locationId")})
		if !ok {
			return "", false
		}
		as = role
	}
	return as, true
}

func (s *Service) mayUndoSwitch(c access.Caller, r Record) bool {
	if r.Entry.Setting != queuesName {
		return false
	}
	_, ok := s.switcherOf(c, r)
	return ok
}

// coverField hides whose minimum it is.
func coverField(queueID string) string { return hashed("cover", canonical(queueID)) }

// cover is the minimum of a queue; 0 when nobody has said, or Redis does not.
func (s *Service) cover(ctx context.Context, q Queue) int {
	n, _ := s.Redis.HGet(ctx, keyCover, coverField(q.ID)).Int() // 0 without
	return n
}

// SetMinimum says how many agents of a queue should be reachable; 0 takes the
// minimum away.
func (s *Service) SetMinimum(ctx context.Context, c access.Caller, queueID string, n int, reason string) (recordID string, err error) {
	q, err := s.Queue(ctx, c, queueID)
	if err != nil {
		return "", err
	}
	role, ok := c.MayOn(access.SwitchAgents, q.target())
	switch {
	case !ok:
		return "", problem.New(problem.Forbidden, "web.forbidden").Because(access.ErrDenied)
	case n < 0 || n > maxCover:
		return "", &problem.Error{Code: problem.Invalid, Public: text("setting.invalid"), Fields: []problem.Field{fault("minimum", "board.minimum", "Max", maxCover)}}
	}
	before := s.cover(ctx, q)
	if before == n {
		return "", nil
	}
	minimum := func(n int) json.RawMessage { return json.RawMessage(fmt.Sprintf(`{"minimum":%d}`, n)) }
	recordID, err = s.Audit.Begin(ctx, audit.Entry{
		Actor: audit.Person{ID: c.PersonID, Name: c.Name}, Role: string(role), Object: q.object(), Setting: CoverName, Before: minimum(before), After: minimum(n), Reason: reason,
	})
	if err != nil {
		return "", problem.New(problem.Unavailable, "setting.notRecorded").Because(err)
	}
	if err := s.Redis.HSet(ctx, keyCover, coverField(q.ID), n).Err(); err != nil {
		return recordID, problem.New(problem.Unavailable, "access.unsure").Because(err)
	}
	return recordID, s.Audit.Finish(ctx, recordID, audit.Result{Outcome: audit.Done})
}

// The queues that boards show are kept in mind for watchedFor, so that what boards
// need of their agents is read in the background.
const (
	keyWatched   = "patchbay:{board}:watched" // hash: sealed watched, by hashed queue id
	watchedFor   = 10 * time.Minute
	watchAgain   = time.Minute
	refreshFacts = 30 * time.Second // how old a watched queue's agents get
	refreshAway  = 5 * time.Minute  // how old their forwarding and do not disturb get
)

type watched struct {
	Queue Queue     `json:"queue"`
	At    time.Time `json:"at"`
}

// watch keeps a queue in mind. That it fails costs only freshness.
func (s *Service) watch(ctx context.Context, q Queue) {
	now := s.Now()
	if last, ok := s.watching.Load(q.ID); ok && now.Sub(last.(time.Time)) < watchAgain {
		return
	}
	s.watching.Store(q.ID, now)
	text, err := json.Marshal(watched{q, now})
	if err != nil {
		return
	}
	_ = s.Redis.HSet(ctx, keyWatched, hashed("watched", q.ID), s.Sealer.Seal(keyWatched, text)).Err()
}

// RefreshBoards reads, for the queues that boards have shown lately, the agents and
// whether they are away. It runs in the background, in one replica at a time.
func (s *Service) RefreshBoards(ctx context.Context) error {
	all, err := s.Redis.HGetAll(ctx, keyWatched).Result()
	if err != nil {
		return fmt.Errorf("list the watched queues: %w", err)
	}
	var errs []error
	for field, sealed := range all {
		var w watched
		plain, err := s.Sealer.Open(keyWatched, []byte(sealed))
		if err != nil || json.Unmarshal(plain, &w) != nil || s.Now().Sub(w.At) > watchedFor {
			errs = append(errs, s.Redis.HDel(ctx, keyWatched, field).Err())
			continue
		}
		r, err := s.readFacts(ctx, w.Queue, refreshFacts)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, a := range r.Value.Agents {
			if err := s.refreshAway(ctx, s.personID(a.ID)); err != nil {
				errs = append(errs, err)
				break // Webex is away, or the budget is used up: the next round goes on
			}
		}
	}
	return errors.Join(errs...)
}

func (s *Service) refreshAway(ctx context.Context, personID string) error {
	for _, name := range []string{"callForwarding", "doNotDisturb"} {
		setting := find(s.catalogue, name)
		subject := Subject{ID: personID}
		_, err := cache.Get(ctx, s.Cache, cacheKey(subject, setting), cache.Options{MaxAge: refreshAway, Fleet: true}, func(ctx context.Context) (Document, error) {
			return setting.read(ctx, s.Webex, subject.ID)
		})
		if err != nil && !webex.IsKind(err, webex.KindNotFound) && !webex.IsKind(err, webex.KindForbidden) {
			return err
		}
	}
	return nil
}
