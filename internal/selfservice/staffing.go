package selfservice

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"patchbay/internal/access"
	"patchbay/internal/directory"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/webex"
)

// AgentsName is the name under which the log has who was added to a queue or a hunt
// group, or removed from it.
const AgentsName = "queueAgents"

// weighted is the routing policy that shares calls by the weights of the agents.
const weighted = "WEIGHTED"

// agentLimits are how many agents Webex allows by routing policy; 1000 for others
// (sdk telephony/hg_and_cq.py).
var agentLimits = map[string]int{"SIMULTANEOUS": 50, weighted: 100}

const usualAgentLimit = 1000

func text(key string, args ...any) i18n.Text { return i18n.NewText(key, args...) }

// hashed names something in a Redis key without telling what it is.
func hashed(what, id string) string {
	sum := sha256.Sum256([]byte("patchbay " + what + " " + id))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// staff is the list of agents of a queue or hunt group, as Webex wants it back: a
// change replaces the whole of it, so it is read just before, under a lock.
type staff struct {
	agents []webex.QueueAgentUpdate
	policy string
	queue  webex.QueueDetail // for a queue
}

func (s *Service) readStaff(ctx context.Context, c *webex.Client, q Queue) (staff, error) {
	if q.HuntGroup {
		h, err := c.GetHuntGroup(ctx, q.LocationID, q.ID)
		list := staff{}
		if h.CallPolicies != nil {
			list.policy = h.CallPolicies.Policy
		}
		for _, a := range h.Agents {
			list.agents = append(list.agents, webex.QueueAgentUpdate{ID: a.ID, Weight: a.Weight})
		}
		return list, err
	}
	d, err := c.GetQueue(ctx, q.LocationID, q.ID, q.CustomerAssist)
	list := staff{queue: d}
	if d.CallPolicies != nil {
		list.policy = d.CallPolicies.Policy
	}
	for _, a := range d.Agents {
		list.agents = append(list.agents, a.Update())
	}
	return list, err
}

func (l staff) write(ctx context.Context, c *webex.Client, q Queue) error {
	if !q.HuntGroup {
		return c.UpdateQueueAgents(ctx, q.LocationID, q.ID, l.queue, l.agents)
	}
	members := make([]webex.HuntGroupAgentUpdate, 0, len(l.agents))
	for _, a := range l.agents {
		members = append(members, webex.HuntGroupAgentUpdate{ID: a.ID, Weight: a.Weight})
	}
	return c.UpdateHuntGroupAgents(ctx, q.LocationID, q.ID, members)
}

func (l staff) position(personID string) int {
	return slices.IndexFunc(l.agents, func(a webex.QueueAgentUpdate) bool { return webex.SameID(a.ID, personID) })
}

// document is what the list says of one person.
func (l staff) document(personID string) Document {
	doc := Document{"agent": false, "joined": false, "weight": "", "skillLevel": json.Number("0")}
	if i := l.position(personID); i >= 0 {
		a := l.agents[i]
		doc["agent"], doc["joined"], doc["weight"] = true, a.JoinEnabled != nil && *a.JoinEnabled, a.Weight
		if a.SkillLevel != nil {
			doc["skillLevel"] = json.Number(strconv.Itoa(int(*a.SkillLevel)))
		}
	}
	return doc
}

// errOverwritten says that somebody else replaced the list of agents at the same
// moment: they work in Control Hub, which knows nothing of the portal's locks.
var errOverwritten = errors.New("the list of agents is not what was written")

// staffing is being an agent of a queue or hunt group, as a setting of the person.
func (s *Service) staffing(q Queue) *Setting {
	setting := &Setting{
		Name: AgentsName, Group: AgentsName, object: q.object(), variant: staffVariant(q.ID),
		Fields: []Field{
			{Path: "agent", Kind: Bool}, {Path: "joined", Kind: Bool}, {Path: "weight", Kind: Text},
			{Path: "skillLevel", Kind: Integer, Max: 20}, // 1 is the best of 20 (spec, queue agents)
		},
	}
	setting.read = func(ctx context.Context, c *webex.Client, personID string) (Document, error) {
		list, err := s.readStaff(ctx, c, q)
		return list.document(personID), err
	}
	setting.resolve = func(wish, present Document) Document {
		if wish.Bool("agent") || !present.Bool("agent") {
			return wish
		}
		// Who is removed has nothing left; an undo finds in the record what they had.
		return Document{"agent": false, "joined": false, "weight": "", "skillLevel": json.Number("0")}
	}
	setting.write = func(ctx context.Context, c *webex.Client, personID string, patch Document) error {
		if err := s.awaitSwitches(ctx, q.ID); err != nil {
			return err
		}
		defer s.forgetStaff(ctx, q, personID)
		list, err := s.readStaff(ctx, c, q)
		if err != nil {
			return err
		}
		list.change(personID, patch, q)
		if err := list.write(ctx, c, q); err != nil {
			return err
		}
		// Somebody who works in Control Hub at the same moment may have put the list
		// back that they had read before.
		now, err := s.readStaff(ctx, c, q)
		if err == nil && now.has(personID) != list.has(personID) {
			return problem.New(problem.Conflict, "board.overwritten").Because(errOverwritten)
		}
		return nil // what was accepted is done, also when it cannot be read again
	}
	return setting
}

// staffVariant tells the lists of agents apart.
func staffVariant(queueID string) string { return ":" + hashed("queue", canonical(queueID)) }

// staffLock is the lock under which a queue's list of agents is replaced.
func staffLock(queueID string) string { return writeKey(queueID, AgentsName+staffVariant(queueID)) }

// forgetStaff drops what was known of the queue and of the person's queues.
func (s *Service) forgetStaff(ctx context.Context, q Queue, personID string) {
	ctx = context.WithoutCancel(ctx)
	_ = s.Cache.Drop(ctx, factsKey(q.ID)) // without Redis nothing is kept anyway
	for _, membership := range s.queues {
		_ = s.Cache.Drop(ctx, cacheKey(Subject{ID: personID}, membership))
	}
}

func (l staff) has(personID string) bool { return l.position(personID) >= 0 }

// change adds or removes the person, and leaves everybody else as they are.
func (l *staff) change(personID string, patch Document, q Queue) {
	i := l.position(personID)
	if _, said := patch.Get("agent"); said && !patch.Bool("agent") {
		if i >= 0 {
			l.agents = slices.Delete(l.agents, i, i+1)
		}
		return
	}
	if i < 0 {
		l.agents = append(l.agents, webex.QueueAgentUpdate{ID: personID})
		i = len(l.agents) - 1
	}
	a := &l.agents[i]
	if _, said := patch.Get("joined"); said && !q.HuntGroup {
		joined := patch.Bool("joined")
		a.JoinEnabled = &joined
	}
	if w := patch.Text("weight"); w != "" {
		a.Weight = w
	}
	if n := patch.Int("skillLevel"); n > 0 {
		level := webex.Count(n)
		a.SkillLevel = &level
	}
}

// limit is how many agents the list may hold.
func (l staff) limit() int {
	if limit, ok := agentLimits[l.policy]; ok {
		return limit
	}
	return usualAgentLimit
}

// restOfWeight is what the weights of the others lack of 100 percent: usually
// nothing, and all of it for the first.
func (l staff) restOfWeight() string {
	rest := 100
	for _, a := range l.agents {
		w, _ := strconv.Atoi(a.Weight) // no weight weighs nothing
		rest -= w
	}
	return strconv.Itoa(max(0, rest))
}

// checkAssist refuses an agent without the licence that queues with Customer Assist
// demand, which Webex would refuse without saying why. When it cannot be asked,
// Webex decides.
func (s *Service) checkAssist(ctx context.Context, q Queue, who directory.Person) error {
	if !q.CustomerAssist {
		return nil
	}
	for a, err := range s.Webex.ListAvailableQueueAgents(ctx, webex.AvailableAgentFilter{LocationID: q.LocationID, Name: who.Name}) {
		if err != nil {
			return nil //nolint:nilerr // the write tells
		}
		if webex.SameID(a.ID, who.ID) {
			if a.HasCxEssentials != nil && !*a.HasCxEssentials {
				return problem.New(problem.Conflict, "board.assist", "Name", who.Name)
			}
			break
		}
	}
	return nil
}

// staffer is the caller as who they may add and remove agents.
func staffer(c access.Caller, q Queue) (actor, error) {
	role, ok := c.MayOn(access.StaffQueues, q.target())
	if !ok {
		return actor{}, problem.New(problem.Forbidden, "web.forbidden").Because(access.ErrDenied)
	}
	return actor{Caller: c, role: role, overQueue: true, again: func(_ context.Context, c access.Caller) error {
		_, err := staffer(c, q)
		return err
	}}, nil
}

// AddAgent makes somebody an agent of a queue, or a member of a hunt group. The
// person must be known in the organization and have Webex Calling.
func (s *Service) AddAgent(ctx context.Context, c access.Caller, queueID, personID string, joined bool, opts WriteOptions) (Written, error) {
	q, by, err := s.staffed(ctx, c, queueID)
	if err != nil {
		return Written{}, err
	}
	who, ok := s.Directory.Person(personID)
	if !ok {
		who, ok = s.Directory.ByEmail(strings.TrimSpace(personID))
	}
	if !ok || !who.Calling {
		return Written{}, &problem.Error{Code: problem.Invalid, Public: text("setting.invalid"), Fields: []problem.Field{fault("person", "board.noPerson")}}
	}
	list, err := s.readStaff(ctx, s.Webex, q)
	if err != nil {
		return Written{}, webex.Problem(err)
	}
	if list.has(who.ID) {
		return Written{Reading: Reading{Setting: s.staffing(q), Document: list.document(who.ID)}}, nil
	}
	if limit := list.limit(); len(list.agents) >= limit {
		return Written{}, problem.New(problem.Conflict, "board.full", "Max", limit)
	}
	if err := s.checkAssist(ctx, q, who); err != nil {
		return Written{}, err
	}
	wish := Document{"agent": true, "joined": joined && !q.HuntGroup}
	if list.policy == weighted {
		wish["weight"] = list.restOfWeight()
	}
	return s.write(ctx, by, Subject{ID: who.ID, Name: who.Name, LocationID: who.LocationID}, s.staffing(q), wish, opts)
}

// RemoveAgent takes somebody out of a queue or hunt group.
func (s *Service) RemoveAgent(ctx context.Context, c access.Caller, queueID, personID string, opts WriteOptions) (Written, error) {
	q, by, err := s.staffed(ctx, c, queueID)
	if err != nil {
		return Written{}, err
	}
	r, err := s.readFacts(ctx, q, 0)
	if err != nil {
		return Written{}, webex.Problem(err)
	}
	i := r.Value.position(personID)
	if i < 0 {
		return Written{}, access.Denied("board.notAgent")
	}
	a := r.Value.Agents[i]
	if w, _ := strconv.Atoi(a.Weight); r.Value.Policy == weighted && w > 0 && len(r.Value.Agents) > 1 {
		// Webex demands that the weights add up to 100; whose should grow is not for us to say.
		return Written{}, problem.New(problem.Conflict, "board.weight", "Name", a.Name, "Weight", a.Weight)
	}
	return s.write(ctx, by, Subject{ID: s.personID(a.ID), Name: a.Name}, s.staffing(q), Document{"agent": false}, opts)
}

func (s *Service) staffed(ctx context.Context, c access.Caller, queueID string) (Queue, actor, error) {
	q, err := s.Queue(ctx, c, queueID)
	if err != nil {
		return q, actor{}, err
	}
	by, err := staffer(c, q)
	return q, by, err
}
