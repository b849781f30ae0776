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

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/cache"
	"patchbay/internal/problem"
	"patchbay/internal/webex"
)

const (
	// BoardAge is how old the agents of a queue may be that a board shows.
	BoardAge = 15 * time.Second
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
	// MaySwitch, MayStaff and MaySetMinimum are what the caller may do.
	MaySwitch, MayStaff, MaySetMinimum bool
}

// Reachable reports whether calls of the queue reach the agent, as far as is known.
func (a Agent) Reachable() bool {
	return a.Joined && a.Away != Forwarded && a.Away != Disturbed && a.Weight != "0"
}

// Reachable is how many agents have joined and are not known to be away.
func (b BoardQueue) Reachable() int { return b.count(Agent.Reachable) }

// Joined is how many agents have joined.
func (b BoardQueue) Joined() int { return b.count(func(a Agent) bool { return a.Joined }) }

// Unclear is how many agents have joined of whom nobody knows whether they are away.
func (b BoardQueue) Unclear() int {
	return b.count(func(a Agent) bool { return a.Joined && a.Away == AwayUnknown })
}

// Thin reports whether fewer agents can take calls than should.
func (b BoardQueue) Thin() bool { return b.Reachable() < b.Minimum }

func (b BoardQueue) count(what func(Agent) bool) int {
	n := 0
	for _, a := range b.Agents {
		if what(a) {
			n++
		}
	}
	return n
}

// Agent finds an agent by their id.
func (b BoardQueue) Agent(id string) (Agent, bool) {
	i := slices.IndexFunc(b.Agents, func(a Agent) bool { return webex.SameID(a.ID, id) })
	if i < 0 {
		return Agent{}, false
	}
	return b.Agents[i], true
}

// Without is the board as it would be without these agents having joined.
func (b BoardQueue) Without(agentIDs []string) BoardQueue {
	b.Agents = slices.Clone(b.Agents)
	for i := range b.Agents {
		if slices.ContainsFunc(agentIDs, func(id string) bool { return webex.SameID(id, b.Agents[i].ID) }) {
			b.Agents[i].Joined = false
		}
	}
	return b
}

// Board reads the agents of a queue that the caller may see, not older than maxAge; 0
// asks Webex. Whether agents are away comes from what was read lately: the queue is
// kept in mind, and what is missing is read in the background.
func (s *Service) Board(ctx context.Context, c access.Caller, queueID string, maxAge time.Duration) (BoardQueue, error) {
	q, err := s.Queue(ctx, c, queueID)
	if err != nil {
		return BoardQueue{}, err
	}
	r, err := s.readFacts(ctx, q, maxAge)
	if err != nil {
		return BoardQueue{Queue: q}, webex.Problem(err)
	}
	s.watch(ctx, q)
	return s.boardsOf(ctx, c, []Queue{q}, map[string]cache.Reading[facts]{q.ID: r})[q.ID], nil
}

// KnownBoards are the boards of queues as last read, by queue id, without asking
// Webex; those that were not read within the hour are left out.
func (s *Service) KnownBoards(ctx context.Context, c access.Caller, queues []Queue) map[string]BoardQueue {
	var seen []Queue
	var keys []cache.Key
	for _, q := range queues {
		if mayQueue(c, access.ReadQueues, q) {
			seen, keys = append(seen, q), append(keys, factsKey(q.ID))
		}
	}
	found := cache.PeekAll[facts](ctx, s.Cache, keys)
	known := map[string]cache.Reading[facts]{}
	for i, q := range seen {
		if r, ok := found[keys[i]]; ok {
			known[q.ID] = r
		}
	}
	return s.boardsOf(ctx, c, seen, known)
}

// boardsOf makes boards of what was read. What else they show is asked of Redis for
// all of them at once.
func (s *Service) boardsOf(ctx context.Context, c access.Caller, queues []Queue, known map[string]cache.Reading[facts]) map[string]BoardQueue {
	minima := s.Minima(ctx, queues)
	var people []string
	for _, r := range known {
		for _, a := range r.Value.Agents {
			people = append(people, a.ID)
		}
	}
	away := s.knownAway(ctx, people)
	boards := map[string]BoardQueue{}
	for _, q := range queues {
		r, ok := known[q.ID]
		if !ok {
			continue
		}
		b := BoardQueue{
			Queue: q, Policy: r.Value.Policy, At: r.At, Minimum: minima[q.ID],
			MaySwitch: mayQueue(c, access.SwitchAgents, q) && !q.HuntGroup, MayStaff: mayQueue(c, access.StaffQueues, q), MaySetMinimum: mayQueue(c, access.SwitchAgents, q),
		}
		for _, a := range r.Value.Agents {
			agent := Agent{
				ID: s.personID(a.ID), Name: a.Name, Extension: a.Extension, LocationName: a.Location, Weight: a.Weight, SkillLevel: a.SkillLevel,
				Joined: q.HuntGroup || a.Joined != nil && *a.Joined, JoinedKnown: q.HuntGroup || a.Joined != nil,
			}
			agent.Away, agent.AwayAt = away[a.UUID].away, away[a.UUID].at
			b.Agents = append(b.Agents, agent)
		}
		slices.SortStableFunc(b.Agents, func(x, y Agent) int { return strings.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)) })
		boards[q.ID] = b
	}
	return boards
}

// NeedsReason reports whether the caller must say why they change this queue.
func (s *Service) NeedsReason(c access.Caller, q Queue) bool {
	for _, p := range []access.Permission{access.SwitchAgents, access.StaffQueues} {
		if role, ok := c.MayOn(p, q.target()); ok && c.Policy.NeedsReason(role) {
			return true
		}
	}
	return false
}

// personID is a person's id as People writes it: queues spell it differently.
func (s *Service) personID(id string) string {
	if p, ok := s.Directory.Person(id); ok {
		return p.ID
	}
	return id
}

// awayState is whether somebody is away, and when that was read.
type awayState struct {
	away Away
	at   time.Time
}

// awaySettings are the settings that keep the calls of a queue from an agent.
var awaySettings = [...]string{"callForwarding", "doNotDisturb"}

// knownAway tells from the last readings which people are away, by the UUID of each.
func (s *Service) knownAway(ctx context.Context, people []string) map[string]awayState {
	keys := make([]cache.Key, 0, len(people)*len(awaySettings))
	for _, id := range people {
		for _, name := range awaySettings {
			keys = append(keys, cacheKey(Subject{ID: id}, find(s.catalogue, name)))
		}
	}
	found := cache.PeekAll[Document](ctx, s.Cache, keys)
	states := make(map[string]awayState, len(people))
	for i, id := range people {
		forwarding, ok := found[keys[i*len(awaySettings)]]
		disturb, ok2 := found[keys[i*len(awaySettings)+1]]
		state := awayState{away: Here, at: forwarding.At}
		switch {
		case ok && forwarding.Value.Bool("callForwarding.always.enabled"):
			state.away = Forwarded
		case ok2 && disturb.Value.Bool("enabled"):
			state = awayState{Disturbed, disturb.At}
		case !ok || !ok2:
			state = awayState{away: AwayUnknown}
		case disturb.At.Before(forwarding.At):
			state.at = disturb.At
		}
		states[canonical(id)] = state
	}
	return states
}

// Switched is what became of one agent.
type Switched struct {
	AgentID string
	Name    string // "" of who is no agent of the queue
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
	by, err := switcher(c, q)
	switch {
	case err != nil:
		return nil, err
	case q.HuntGroup:
		return nil, problem.New(problem.Conflict, "board.huntGroup")
	case len(agentIDs) > MaxAgentsAtOnce:
		return nil, problem.New(problem.Malformed, "board.tooMany", "Max", MaxAgentsAtOnce)
	}
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
			if ctx.Err() != nil { // nobody waits any more: what has not begun does not begin
				list[i].Err = problem.New(problem.Timeout, "board.notTried").Because(ctx.Err())
				return nil
			}
			list[i].Name, list[i].Written, list[i].Err = s.switchAgent(ctx, by, q, r.Value, id, joined, opts)
			return nil
		})
	}
	_ = g.Wait() // each agent has an error of its own
	return list, nil
}

// switcher is the caller as who they may join agents, and say how many there should be.
func switcher(c access.Caller, q Queue) (actor, error) {
	role, ok := c.MayOn(access.SwitchAgents, q.target())
	if !ok {
		return actor{}, problem.New(problem.Forbidden, "web.forbidden").Because(access.ErrDenied)
	}
	return actor{Caller: c, role: role, overQueue: true, again: func(_ context.Context, c access.Caller) error {
		_, err := switcher(c, q)
		return err
	}}, nil
}

func (s *Service) switchAgent(ctx context.Context, by actor, q Queue, f facts, agentID string, joined bool, opts WriteOptions) (name string, w Written, err error) {
	i := f.position(agentID)
	if i < 0 {
		// Who was added a moment ago is not in a reading that is minutes old.
		r, err := s.readFacts(ctx, q, 0)
		if err != nil {
			return "", Written{}, webex.Problem(err)
		}
		if f, i = r.Value, r.Value.position(agentID); i < 0 {
			return "", Written{}, access.Denied("board.notAgent")
		}
	}
	name = f.Agents[i].Name
	subject := s.knownSubject(audit.Person{ID: f.Agents[i].ID, Name: name})
	wish := Document{}
	wish.Set(q.ID+".joined", joined)
	if w, err = s.write(ctx, by, subject, s.queues[queueKind(q.CustomerAssist)], wish, opts); err != nil {
		return name, w, notAnAgent(err)
	}
	s.noteJoined(ctx, subject, w.Changes)
	return name, w, nil
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

// Minima are the minimum covers of queues by queue id; 0 where nobody has said, or
// Redis does not.
func (s *Service) Minima(ctx context.Context, queues []Queue) map[string]int {
	minima := make(map[string]int, len(queues))
	if len(queues) == 0 {
		return minima
	}
	fields := make([]string, len(queues))
	for i, q := range queues {
		fields[i] = coverField(q.ID)
	}
	values, err := s.Redis.HMGet(ctx, keyCover, fields...).Result()
	if err != nil {
		return minima
	}
	for i, v := range values {
		if text, ok := v.(string); ok {
			minima[queues[i].ID], _ = strconv.Atoi(text) // 0 for what is no number
		}
	}
	return minima
}

// coverSetting is the minimum cover of a queue, which only the portal knows.
func (s *Service) coverSetting(q Queue) *Setting {
	unavailable := func(err error) error { return problem.New(problem.Unavailable, "access.unavailable").Because(err) }
	return &Setting{
		Name: CoverName, Group: CoverName, object: q.object(), variant: staffVariant(q.ID),
		Fields: []Field{{Path: "minimum", Kind: Integer, Max: maxCover}},
		read: func(ctx context.Context, _ *webex.Client, _ string) (Document, error) {
			n, err := s.Redis.HGet(ctx, keyCover, coverField(q.ID)).Int()
			if err != nil && !errors.Is(err, redis.Nil) {
				return nil, unavailable(err)
			}
			return Document{"minimum": json.Number(strconv.Itoa(n))}, nil
		},
		write: func(ctx context.Context, _ *webex.Client, _ string, patch Document) error {
			if err := s.Redis.HSet(ctx, keyCover, coverField(q.ID), patch.Int("minimum")).Err(); err != nil {
				return unavailable(err)
			}
			return nil
		},
	}
}

// SetMinimum says how many agents of a queue or hunt group should be reachable: the
// field minimum of the wish; 0 takes the minimum away.
func (s *Service) SetMinimum(ctx context.Context, c access.Caller, queueID string, wish Document, opts WriteOptions) (Written, error) {
	q, err := s.Queue(ctx, c, queueID)
	if err != nil {
		return Written{}, err
	}
	by, err := switcher(c, q)
	if err != nil {
		return Written{}, err
	}
	return s.write(ctx, by, Subject{}, s.coverSetting(q), wish, opts)
}

// The queues that boards show are kept in mind for watchedFor, so that what boards
// need of their agents is read in the background.
const (
	keyWatched   = "patchbay:{board}:watched" // hash: sealed watched, by hashed queue id
	watchedFor   = 10 * time.Minute
	watchAgain   = time.Minute
	refreshFacts = 30 * time.Second // how old a watched queue's agents get
	refreshAway  = 4 * time.Minute  // how old their forwarding and do not disturb get
	// askAgain is after how long somebody is asked about again who has no such settings.
	askAgain = 30 * time.Minute
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
// whether they are away. It runs in the background of every replica; what one has read
// is read for all.
func (s *Service) RefreshBoards(ctx context.Context) error {
	all, err := s.Redis.HGetAll(ctx, keyWatched).Result()
	if err != nil {
		return fmt.Errorf("list the watched queues: %w", err)
	}
	var errs []error
	if len(all) > 0 {
		_, err := s.allQueues(ctx) // so that who opens a board does not wait for the list
		errs = append(errs, err)
	}
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
			if err := s.refreshAway(ctx, a.ID); err != nil {
				errs = append(errs, err)
				break // Webex is away, or the budget is used up: the next round goes on
			}
		}
	}
	return errors.Join(errs...)
}

// refreshAway reads whether somebody is away. A workspace that is an agent has no such
// settings, and is not asked about again for a while.
func (s *Service) refreshAway(ctx context.Context, personID string) error {
	nothing := cache.Key{Owner: canonical(personID), Name: "noAway"}
	if r, ok := cache.Peek[bool](ctx, s.Cache, nothing); ok && s.Now().Sub(r.At) < askAgain {
		return nil
	}
	for _, name := range awaySettings {
		setting, subject := find(s.catalogue, name), Subject{ID: personID}
		_, err := cache.Get(ctx, s.Cache, cacheKey(subject, setting), cache.Options{MaxAge: refreshAway, Fleet: true}, func(ctx context.Context) (Document, error) {
			return setting.read(ctx, s.Webex, subject.ID)
		})
		if webex.IsKind(err, webex.KindNotFound) || webex.IsKind(err, webex.KindForbidden) {
			return cache.Put(ctx, s.Cache, nothing, true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
