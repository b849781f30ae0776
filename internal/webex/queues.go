package webex

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"golang.org/x/sync/errgroup"
)

// Queues come in two kinds: plain ones, and those with Customer Assist ("CX
// Essentials" in the API). Lists show one kind at a time, and a queue of
// Customer Assist must be asked for as such, hasCxEssentials=true (spec,
// parameter texts). The methods below take this as customerAssist.

// Queue is a call queue in a list.
type Queue struct {
	ID              string `json:"id"`
	Name            string `json:"name"`
	HasCxEssentials *bool  `json:"hasCxEssentials,omitempty"`
	LocationID      string `json:"locationId,omitempty"`
	LocationName    string `json:"locationName,omitempty"`
	PhoneNumber     string `json:"phoneNumber,omitempty"`
	Extension       string `json:"extension,omitempty"`
	ESN             string `json:"esn,omitempty"`
	RoutingPrefix   string `json:"routingPrefix,omitempty"`
	Enabled         *bool  `json:"enabled,omitempty"`
	Department      *Ref   `json:"department,omitempty"`
}

// ListQueues reads all queues of one kind. Scope
// spark-admin:telephony_config_read.
func (c *Client) ListQueues(ctx context.Context, customerAssist bool) ([]Queue, error) {
	type page struct {
		Queues []Queue `json:"queues"`
	}
	q := url.Values{}
	setTrue(q, "hasCxEssentials", customerAssist)
	r := request{op: "listQueues", method: http.MethodGet, path: "/telephony/config/queues", query: q}
	return collect(pages(ctx, c, r, func(p *page) []Queue { return p.Queues }))
}

// QueueDetail is a call queue: what the portal needs of it.
type QueueDetail struct {
	ID                    string             `json:"id,omitempty"`
	Name                  string             `json:"name,omitempty"`
	HasCxEssentials       *bool              `json:"hasCxEssentials,omitempty"`
	Enabled               *bool              `json:"enabled,omitempty"`
	PhoneNumber           string             `json:"phoneNumber,omitempty"`
	Extension             string             `json:"extension,omitempty"`
	ESN                   string             `json:"esn,omitempty"`
	RoutingPrefix         string             `json:"routingPrefix,omitempty"`
	TimeZone              string             `json:"timeZone,omitempty"`
	LanguageCode          string             `json:"languageCode,omitempty"`
	CallPolicies          *QueueCallPolicies `json:"callPolicies,omitempty"`
	QueueSettings         *QueueSettings     `json:"queueSettings,omitempty"`
	AllowAgentJoinEnabled *bool              `json:"allowAgentJoinEnabled,omitempty"` // agents may join and leave; Webex does not check it for administrators (inferred)
	Agents                []QueueDetailAgent `json:"agents,omitempty"`
	Department            *Ref               `json:"department,omitempty"`
}

// QueueCallPolicies is how calls reach the agents.
type QueueCallPolicies struct {
	Policy      string `json:"policy,omitempty"` // "CIRCULAR", "REGULAR", "SIMULTANEOUS", "UNIFORM", "WEIGHTED"
	RoutingType string `json:"routingType,omitempty"`
}

// QueueSettings is what happens to callers who wait. Only a part of it is typed;
// Raw is all of it as Webex wrote it, because a change of the queue has to send it
// back whole. It is written as Raw, if there is any.
type QueueSettings struct {
	QueueSize *Count          `json:"queueSize,omitempty"`
	Overflow  *QueueOverflow  `json:"overflow,omitempty"`
	Raw       json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the text besides the fields.
func (s *QueueSettings) UnmarshalJSON(data []byte) error {
	type typed QueueSettings
	var t typed
	if err := json.Unmarshal(data, &t); err != nil {
		return err
	}
	*s = QueueSettings(t)
	s.Raw = bytes.Clone(data)
	return nil
}

// MarshalJSON writes what was read, so that settings that were stored are whole.
func (s QueueSettings) MarshalJSON() ([]byte, error) {
	if s.Raw != nil {
		return s.Raw, nil
	}
	type typed QueueSettings
	return json.Marshal(typed(s))
}

// sendable is Raw without the fields that only a GET has: isTransferNumberSet
// (sdk telephony/callqueue/__init__.py), and the older form of the announcement
// files (spec).
func (s QueueSettings) sendable() (map[string]json.RawMessage, error) {
	var all, overflow map[string]json.RawMessage
	if err := json.Unmarshal(s.Raw, &all); err != nil {
		return nil, errors.New("the queue's settings are not an object")
	}
	if all["overflow"] == nil {
		return all, nil
	}
	if err := json.Unmarshal(all["overflow"], &overflow); err != nil {
		return nil, errors.New("the queue's overflow is not an object")
	}
	delete(overflow, "isTransferNumberSet")
	delete(overflow, "audioFiles")
	text, err := json.Marshal(overflow)
	if err != nil {
		return nil, errors.New("the queue's overflow is not JSON")
	}
	all["overflow"] = text
	return all, nil
}

// QueueOverflow is what happens when the queue is full, or nobody is there.
type QueueOverflow struct {
	Action          string `json:"action,omitempty"` // "PERFORM_BUSY_TREATMENT", "PLAY_RINGING_UNTIL_CALLER_HANGS_UP", "TRANSFER_TO_PHONE_NUMBER"
	SendToVoicemail *bool  `json:"sendToVoicemail,omitempty"`
	TransferNumber  string `json:"transferNumber,omitempty"`
}

// QueueDetailAgent is an agent within a queue's details.
type QueueDetailAgent struct {
	ID          string `json:"id"`
	FirstName   string `json:"firstName,omitempty"`
	LastName    string `json:"lastName,omitempty"`
	PhoneNumber string `json:"phoneNumber,omitempty"`
	Extension   string `json:"extension,omitempty"`
	JoinEnabled *bool  `json:"joinEnabled,omitempty"` // has joined; described as "queue is enabled" (spec)
	SkillLevel  *Count `json:"skillLevel,omitempty"`  // for SKILL_BASED
	Weight      string `json:"weight,omitempty"`      // percent of the calls, "50"; for WEIGHTED
	Type        string `json:"type,omitempty"`
	Location    *Ref   `json:"location,omitempty"`
}

// Update is the agent as UpdateQueueAgents takes it, with nothing changed.
func (a QueueDetailAgent) Update() QueueAgentUpdate {
	return QueueAgentUpdate{ID: a.ID, Weight: a.Weight, SkillLevel: a.SkillLevel, JoinEnabled: a.JoinEnabled}
}

// GetQueue reads a queue with its agents. Scope
// spark-admin:telephony_config_read.
func (c *Client) GetQueue(ctx context.Context, locationID, queueID string, customerAssist bool) (QueueDetail, error) {
	q := url.Values{}
	setTrue(q, "hasCxEssentials", customerAssist)
	return get[QueueDetail](ctx, c, &request{op: "getQueue", path: "/telephony/config/locations/{locationId}/queues/{queueId}",
		ids: []string{locationID, queueID}, query: q})
}

// QueueAgentUpdate is an agent of a changed list.
type QueueAgentUpdate struct {
	ID          string `json:"id"`
	Weight      string `json:"weight,omitempty"`
	SkillLevel  *Count `json:"skillLevel,omitempty"`
	JoinEnabled *bool  `json:"joinEnabled,omitempty"`
}

// UpdateQueueAgents replaces the whole list of a queue's agents, of both kinds of
// queues. Whoever changes one agent reads the queue just before, and changes the
// list under a lock: what happens in between is undone, as Webex knows no version
// (spec). read is that reading: its settings go back unchanged, because they are
// called required (spec), though sdk documents changes without them; a reading
// without any sends none. Webex refuses more than 50 agents with SIMULTANEOUS, 100
// with WEIGHTED, whose weights add up to 100, and 1000 else (sdk
// telephony/hg_and_cq.py). Scope spark-admin:telephony_config_write.
func (c *Client) UpdateQueueAgents(ctx context.Context, locationID, queueID string, read QueueDetail, agents []QueueAgentUpdate) error {
	body := struct {
		QueueSettings map[string]json.RawMessage `json:"queueSettings,omitempty"`
		Agents        []QueueAgentUpdate         `json:"agents"`
	}{Agents: append([]QueueAgentUpdate{}, agents...)} // an empty list, not null
	r := &request{op: "updateQueue", path: "/telephony/config/locations/{locationId}/queues/{queueId}", ids: []string{locationID, queueID}}
	if read.QueueSettings != nil && read.QueueSettings.Raw != nil {
		settings, err := read.QueueSettings.sendable()
		if err != nil {
			return &Error{Op: r.op, Kind: KindBadGateway, Write: true, Err: err}
		}
		body.QueueSettings = settings
	}
	return c.put(ctx, r, body)
}

// AvailableAgent is somebody who can be made an agent of a queue.
type AvailableAgent struct {
	ID              string                 `json:"id"`
	FirstName       string                 `json:"firstName,omitempty"`
	LastName        string                 `json:"lastName,omitempty"`
	DisplayName     string                 `json:"displayName,omitempty"`
	Type            string                 `json:"type,omitempty"` // "PEOPLE", "PLACE", "VIRTUAL_LINE"
	Email           string                 `json:"email,omitempty"`
	HasCxEssentials *bool                  `json:"hasCxEssentials,omitempty"` // has the licence that queues with Customer Assist demand of their agents
	PhoneNumbers    []AvailableAgentNumber `json:"phoneNumbers,omitempty"`
}

// AvailableAgentNumber is a number of theirs.
type AvailableAgentNumber struct {
	External  string `json:"external,omitempty"`
	Extension string `json:"extension,omitempty"`
}

// AvailableAgentFilter chooses among those who can be agents.
type AvailableAgentFilter struct {
	LocationID  string // of the queue; required, but "not a filter" (spec)
	Name        string // part of first and last name
	PhoneNumber string
	Max         int // on a page; 0 leaves it to Webex
}

// ListAvailableQueueAgents lists, page by page, who can be made an agent: people
// without a Standard licence, workspaces and virtual lines of the whole
// organization (spec), so that a caller names somebody or ends early. Hunt groups
// have no such list. Scope spark-admin:telephony_config_read.
func (c *Client) ListAvailableQueueAgents(ctx context.Context, f AvailableAgentFilter) iter.Seq2[AvailableAgent, error] {
	q := url.Values{}
	setString(q, "locationId", f.LocationID)
	setString(q, "name", f.Name)
	setString(q, "phoneNumber", f.PhoneNumber)
	setMax(q, f.Max)
	type page struct {
		Agents []AvailableAgent `json:"agents"`
	}
	r := request{op: "listQueuesAgentsAvailableAgents", method: http.MethodGet, path: "/telephony/config/queues/agents/availableAgents", query: q}
	return pages(ctx, c, r, func(p *page) []AvailableAgent { return p.Agents })
}

// Agent is somebody who answers the calls of queues. ID and Type say PEOPLE even
// for a workspace or a virtual line (spec). The counts are totals of the agent,
// whatever the question was.
type Agent struct {
	ID            string `json:"id"`
	FirstName     string `json:"firstName,omitempty"`
	LastName      string `json:"lastName,omitempty"`
	PhoneNumber   string `json:"phoneNumber,omitempty"`
	Extension     string `json:"extension,omitempty"`
	RoutingPrefix string `json:"routingPrefix,omitempty"`
	ESN           string `json:"esn,omitempty"`
	QueueCount    *Count `json:"queueCount,omitempty"`
	LocationCount *Count `json:"locationCount,omitempty"`
	JoinCount     *Count `json:"joinCount,omitempty"`
	UnjoinCount   *Count `json:"unjoinCount,omitempty"`
	Location      *Ref   `json:"location,omitempty"`
	Type          string `json:"type,omitempty"`
}

// AgentFilter chooses agents; the zero value chooses all of plain queues.
type AgentFilter struct {
	QueueID        string
	LocationID     string
	Name           string
	CustomerAssist bool
	JoinEnabled    *bool // only those who have joined, or who have not
	Max            int   // agents on a page; 0 leaves it to Webex
}

// ListQueueAgents reads agents: the cheap way to know who has joined a queue.
// Scope spark-admin:telephony_config_read.
func (c *Client) ListQueueAgents(ctx context.Context, f AgentFilter) ([]Agent, error) {
	q := url.Values{}
	setString(q, "queueId", f.QueueID)
	setString(q, "locationId", f.LocationID)
	setString(q, "name", f.Name)
	setTrue(q, "hasCxEssentials", f.CustomerAssist)
	setBool(q, "joinEnabled", f.JoinEnabled)
	setMax(q, f.Max)
	type page struct {
		Agents []Agent `json:"agents"`
	}
	r := request{op: "listQueuesAgents", method: http.MethodGet, path: "/telephony/config/queues/agents", query: q}
	return collect(pages(ctx, c, r, func(p *page) []Agent { return p.Agents }))
}

// AgentQueue is a queue in which a person is an agent.
type AgentQueue struct {
	ID             string `json:"id"`
	Name           string `json:"name,omitempty"`
	PhoneNumber    string `json:"phoneNumber,omitempty"`
	Extension      string `json:"extension,omitempty"`
	ESN            string `json:"esn,omitempty"`
	RoutingPrefix  string `json:"routingPrefix,omitempty"`
	LocationID     string `json:"locationId,omitempty"`
	LocationName   string `json:"locationName,omitempty"`
	JoinEnabled    *bool  `json:"joinEnabled,omitempty"` // has joined
	SkillLevel     *Count `json:"skillLevel,omitempty"`
	CustomerAssist bool   `json:"customerAssist,omitempty"` // ours: the kind that was asked for
}

// QueueAgent is one page of an agent's queues.
type QueueAgent struct {
	Agent  Agent        `json:"agent"`
	Queues []AgentQueue `json:"queues,omitempty"`
}

// agentPage is how many queues of an agent are asked for at once (sdk
// telephony/callqueue/agents.py).
const agentPage = 50

// GetQueueAgent reads one page of an agent's queues of one kind: at most limit
// (0 is 50), from the start-th on, counting from 0. Somebody who is no agent is
// KindNotFound. Scope spark-admin:telephony_config_read.
func (c *Client) GetQueueAgent(ctx context.Context, personID string, customerAssist bool, limit, start int) (QueueAgent, error) {
	if limit == 0 {
		limit = agentPage
	}
	page, _, err := c.queueAgent(ctx, queueAgentRequest(personID, customerAssist, limit, start), customerAssist)
	return page, err
}

func queueAgentRequest(personID string, customerAssist bool, limit, start int) *request {
	q := url.Values{"max": {strconv.Itoa(limit)}, "start": {strconv.Itoa(start)}}
	setTrue(q, "hasCxEssentials", customerAssist)
	return &request{op: "getQueueAgent", method: http.MethodGet, path: "/telephony/config/queues/agents/{id}", ids: []string{personID}, query: q}
}

func (c *Client) queueAgent(ctx context.Context, r *request, customerAssist bool) (page QueueAgent, next string, err error) {
	r.out = &page
	ans, err := c.do(ctx, r)
	if err != nil {
		return QueueAgent{}, "", err
	}
	if page.Queues == nil && page.Agent == (Agent{}) {
		return QueueAgent{}, "", &Error{Op: r.op, Kind: KindBadGateway, Err: errNothingKnown}
	}
	for i := range page.Queues {
		page.Queues[i].CustomerAssist = customerAssist
	}
	next, err = c.nextPage(r, ans)
	return page, next, err
}

// QueueKinds chooses between plain queues and those with Customer Assist.
type QueueKinds int

// The choices.
const (
	AllQueues QueueKinds = iota
	PlainQueues
	CustomerAssistQueues
)

// ListAgentQueues reads all queues in which a person is an agent, plain ones
// first. Both kinds are asked for at the same time. Somebody who is no agent has
// none. Scope spark-admin:telephony_config_read.
func (c *Client) ListAgentQueues(ctx context.Context, personID string, kinds QueueKinds) ([]AgentQueue, error) {
	var lists []*agentQueues
	if kinds != CustomerAssistQueues {
		lists = append(lists, &agentQueues{personID: personID})
	}
	if kinds != PlainQueues {
		lists = append(lists, &agentQueues{personID: personID, customerAssist: true})
	}
	for range maxPages {
		group, groupCtx := errgroup.WithContext(ctx)
		for _, l := range lists {
			if !l.ended {
				group.Go(func() error { return l.readPage(groupCtx, c) })
			}
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		if endAgentQueues(lists) {
			break
		}
	}
	var all []AgentQueue
	seen := map[string]bool{}
	for _, l := range lists {
		for _, q := range l.queues {
			if key := idKey(q.ID); !seen[key] {
				seen[key] = true
				all = append(all, q)
			}
		}
	}
	return all, nil
}

// agentQueues reads an agent's queues of one kind, page by page.
type agentQueues struct {
	personID       string
	customerAssist bool
	queues         []AgentQueue
	count          int    // queueCount of the last page, 0 without
	next           string // Link rel="next" of the last page
	full           bool   // the last page was as long as was asked for
	ended          bool
}

func (l *agentQueues) readPage(ctx context.Context, c *Client) error {
	r := queueAgentRequest(l.personID, l.customerAssist, agentPage, len(l.queues))
	r.next = l.next
	page, next, err := c.queueAgent(ctx, r, l.customerAssist)
	if IsKind(err, KindNotFound) && len(l.queues) == 0 {
		l.ended = true
		return nil
	}
	if err != nil {
		return err
	}
	known := len(l.queues)
	seen := map[string]bool{}
	for _, q := range l.queues {
		seen[idKey(q.ID)] = true
	}
	for _, q := range page.Queues {
		if !seen[idKey(q.ID)] {
			l.queues = append(l.queues, q)
		}
	}
	if page.Agent.QueueCount != nil {
		l.count = int(*page.Agent.QueueCount)
	}
	l.full = len(page.Queues) >= agentPage
	if next != "" && next == l.next {
		return &Error{Op: r.op, Kind: KindBadGateway, Err: errors.New("the pages go round in circles")}
	}
	l.next = next
	// An empty page may have a next one (basics); a page of nothing new has not.
	l.ended = len(l.queues) == known && (next == "" || len(page.Queues) > 0)
	return nil
}

// endAgentQueues decides for every list whether there is more to read, and
// reports whether all have ended. Webex says nothing of how this list pages, so
// every sign counts: a full page, a Link, and the agent's queueCount, of which
// nobody says whether it counts one kind or both.
func endAgentQueues(lists []*agentQueues) bool {
	count, known := 0, 0
	for _, l := range lists {
		if len(lists) == 1 {
			l.count = 0 // it may count queues of the kind that was not asked for
		}
		count = max(count, l.count)
		known += len(l.queues)
	}
	all := true
	for _, l := range lists {
		switch {
		case l.ended, l.next != "":
		case count > 0 && known == count:
			l.ended = true
		case l.full:
		case len(l.queues) >= l.count || known > count:
			l.ended = true
		}
		all = all && l.ended
	}
	return all
}

// idKey is equal for ids of the same thing.
func idKey(id string) string {
	if u, err := UUID(id); err == nil {
		return u
	}
	return id
}

// QueueAgentSetting joins or leaves one queue.
type QueueAgentSetting struct {
	QueueID     string `json:"queueId"`
	JoinEnabled bool   `json:"joinEnabled"`
}

// UpdateQueueAgentSettings lets an agent join or leave queues of one kind. It
// names one agent and the queues concerned, so that two people who join at once
// do not meet; the other queues stay untouched (inferred). Whether the queue
// lets its agents join is not checked by Webex here, see
// QueueDetail.AllowAgentJoinEnabled. Scope spark-admin:telephony_config_write.
func (c *Client) UpdateQueueAgentSettings(ctx context.Context, personID string, customerAssist bool, settings []QueueAgentSetting) error {
	q := url.Values{}
	setTrue(q, "hasCxEssentials", customerAssist)
	body := struct {
		Settings []QueueAgentSetting `json:"settings"`
	}{settings}
	return c.put(ctx, &request{op: "updateQueueAgentSettings", path: "/telephony/config/queues/agents/{id}/settings", ids: []string{personID}, query: q}, body)
}
