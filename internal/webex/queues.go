package webex

import (
	"context"
	"errors"
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

// QueueSettings is what happens to callers who wait.
type QueueSettings struct {
	QueueSize *Count         `json:"queueSize,omitempty"`
	Overflow  *QueueOverflow `json:"overflow,omitempty"`
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
	SkillLevel  *Count `json:"skillLevel,omitempty"`
	Type        string `json:"type,omitempty"`
	Location    *Ref   `json:"location,omitempty"`
}

// GetQueue reads a queue with its agents. Scope
// spark-admin:telephony_config_read.
func (c *Client) GetQueue(ctx context.Context, locationID, queueID string, customerAssist bool) (QueueDetail, error) {
	q := url.Values{}
	setTrue(q, "hasCxEssentials", customerAssist)
	return get[QueueDetail](ctx, c, &request{op: "getQueue", path: "/telephony/config/locations/{locationId}/queues/{queueId}",
		ids: []string{locationID, queueID}, query: q})
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
	setInt(q, "max", f.Max)
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
