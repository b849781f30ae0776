package webexsim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// queueID holds another base64 inside (NOTES.md section 4): the name of the
// queue's service account, with the padding that the outer one lacks.
func (o *org) queueID(q *queue) string {
	inner := uuid(o.seed, kindQueue, q.n) + "@16452832.eu10.bcld.webex.com"
	return encodeID(clusterUS, "CALL_QUEUE", base64.StdEncoding.EncodeToString([]byte(inner)))
}

func (o *org) queueByID(id string) (int, bool) {
	_, typ, rest, err := decodeID(id)
	if err != nil || typ != "CALL_QUEUE" {
		return 0, false
	}
	inner, err := base64.StdEncoding.DecodeString(rest)
	if err != nil {
		return 0, false
	}
	name, _, _ := strings.Cut(string(inner), "@")
	n, ok := number(o.seed, kindQueue, name)
	return n, ok && n < len(o.queues)
}

func (o *org) queueSummary(q *queue) map[string]any {
	p := o.locations[q.place]
	v := map[string]any{
		"id": o.queueID(q), "name": q.name, "hasCxEssentials": q.assist, "locationName": p.name, "locationId": o.locationID(q.place), "enabled": q.enabled,
		"extension": q.extension, "routingPrefix": p.routingPrefix, "esn": p.routingPrefix + q.extension,
	}
	if n := o.queueNumber(q); n != "" {
		v["phoneNumber"] = p.legacyNumber(n)
	}
	return v
}

// listQueues shows either the plain queues or those with Customer Assist, never both (NOTES.md section 7).
func (s *Sim) listQueues(c *call) answer {
	o, q := s.org, c.query
	order := o.order(kindQueue, len(o.queues))
	location := -1
	if id := q.Get("locationId"); id != "" {
		at, known := o.locationByID(id)
		if !known {
			return s.refuse(c, invalid(4003, "Location not found"))
		}
		location = at
	}
	return s.callingPage(c, "queues", len(o.queues), func(position int) bool {
		qu := o.queues[order(position)]
		return qu.assist == c.flag("hasCxEssentials") && (location < 0 || qu.place == location) &&
			strings.Contains(strings.ToLower(qu.name), strings.ToLower(q.Get("name"))) &&
			(q.Get("phoneNumber") == "" || strings.Contains(o.queueNumber(qu), strings.TrimPrefix(q.Get("phoneNumber"), "+")))
	}, func(position int) map[string]any { return o.queueSummary(o.queues[order(position)]) })
}

// queueOfPath finds the queue; a location that is not the queue's, or the wrong kind, finds nothing.
func (s *Sim) queueOfPath(c *call) (*queue, bool) {
	n, known := s.org.queueByID(c.PathValue("queueId"))
	at, place := s.org.locationByID(c.PathValue("locationId"))
	if !known || !place || s.org.queues[n].place != at || s.org.queues[n].assist != c.flag("hasCxEssentials") {
		return nil, false
	}
	return s.org.queues[n], true
}

var queueNotFound = &refusal{status: http.StatusNotFound, code: 4003, message: "Call queue not found"}

func (s *Sim) getQueue(c *call) answer {
	o := s.org
	q, found := s.queueOfPath(c)
	if !found {
		return s.refuse(c, queueNotFound)
	}
	p := o.locations[q.place]
	v := o.queueSummary(q)
	// The detail does not repeat where it is.
	delete(v, "locationName")
	delete(v, "locationId")
	agents := []any{}
	for _, a := range q.agents {
		agents = append(agents, o.queueAgentJSON(a, q))
	}
	maps.Copy(v, map[string]any{
		"language": p.language, "languageCode": p.language, "firstName": q.name, "lastName": ".", "timeZone": p.zone,
		"callPolicies": map[string]any{
			"policy": q.policy, "routingType": "PRIORITY_BASED",
			"callBounce": map[string]any{
				"callBounceEnabled": true, "callBounceMaxRings": 5, "agentUnavailableEnabled": false, "alertAgentEnabled": false, "alertAgentMaxSeconds": 30,
				"callBounceOnHoldEnabled": false, "callBounceOnHoldMaxSeconds": 60,
			},
			"distinctiveRing": map[string]any{"enabled": true, "ringPattern": "NORMAL"},
		},
		"queueSettings": map[string]any{
			"queueSize": 25, "callOfferToneEnabled": true, "resetCallStatisticsEnabled": false,
			"overflow": map[string]any{"action": "PERFORM_BUSY_TREATMENT", "sendToVoicemail": false, "overflowAfterWaitEnabled": false, "overflowAfterWaitTime": 30, "playOverflowGreetingEnabled": true, "greeting": "DEFAULT", "audioFiles": []string{}, "isTransferNumberSet": false},
			// Not typed in the portal's client, so that it cannot but send them back as they are.
			"welcomeMessage": map[string]any{"enabled": true, "alwaysEnabled": false, "greeting": "DEFAULT"},
			"waitMessage":    map[string]any{"enabled": false, "waitMode": "POSITION", "handlingTime": 10 + q.n%90, "queuePosition": 100},
		},
		"agents": agents, "allowAgentJoinEnabled": q.allowJoin, "allowCallWaitingForAgentsEnabled": false, "phoneNumberForOutgoingCallsEnabled": true, "tollFreeNumber": false,
		"alternateNumberSettings": map[string]any{"distinctiveRingEnabled": true, "alternateNumbers": []any{}},
	})
	overlay(v, q.extra)
	return ok(v)
}

// overlay puts what a PUT has changed over the generated detail.
func overlay(v, over map[string]any) {
	for key, x := range over {
		inner, isObject := x.(map[string]any)
		old, hadObject := v[key].(map[string]any)
		if isObject && hadObject {
			overlay(old, inner)
		} else {
			v[key] = x
		}
	}
}

func (o *org) queueAgentJSON(a agent, q *queue) map[string]any {
	p := o.at(a.person)
	v := map[string]any{
		"id": o.agentID(a.person), "firstName": o.firstName(a.person), "lastName": o.lastName(a.person), "extension": fmt.Sprint(o.people[a.person].extension),
		"type": "PEOPLE", "joinEnabled": a.joined, "hasCxEssentials": q.assist, "routingPrefix": p.routingPrefix, "esn": p.routingPrefix + fmt.Sprint(o.people[a.person].extension),
		"location": map[string]any{"id": o.locationID(int(o.people[a.person].place)), "name": p.name},
	}
	if n := o.e164(a.person); n != "" {
		v["phoneNumber"] = p.legacyNumber(n)
	}
	if a.weight != "" {
		v["weight"] = a.weight
	}
	if q.assist {
		v["skillLevel"] = a.skill
	}
	return v
}

// agentID is how the calling side writes a person's id: always the cluster "us".
// Whoever compares ids as texts finds that nobody is an agent.
func (o *org) agentID(i int) string { return encodeID(clusterUS, "PEOPLE", o.personUUID(i)) }

// agentJSON is a line of the list of agents; counts are over the queues of the view.
func (o *org) agentJSON(i int, assist bool) (map[string]any, int) {
	p := o.at(i)
	queues, joined := 0, 0
	locations := map[int]bool{}
	for _, n := range o.agentOf[i] {
		q := o.queues[n]
		if q.assist != assist {
			continue
		}
		queues++
		locations[q.place] = true
		if q.agents[q.position(i)].joined {
			joined++
		}
	}
	v := map[string]any{
		"id": o.agentID(i), "firstName": o.firstName(i), "lastName": o.lastName(i), "extension": fmt.Sprint(o.people[i].extension), "routingPrefix": p.routingPrefix,
		"esn": p.routingPrefix + fmt.Sprint(o.people[i].extension), "queueCount": queues, "locationCount": len(locations), "joinCount": joined, "unjoinCount": queues - joined,
		"location": map[string]any{"id": o.locationID(int(o.people[i].place)), "name": p.name}, "type": "PEOPLE",
	}
	if n := o.e164(i); n != "" {
		v["phoneNumber"] = p.legacyNumber(n)
	}
	return v, queues
}

// position is where a person is among the queue's agents, -1 if not.
func (q *queue) position(person int) int {
	return slices.IndexFunc(q.agents, func(a agent) bool { return a.person == person })
}

func (s *Sim) listAgents(c *call) answer {
	o, q := s.org, c.query
	assist := c.flag("hasCxEssentials")
	only := -1
	if id := q.Get("queueId"); id != "" {
		n, known := o.queueByID(id)
		if !known || o.queues[n].assist != assist {
			return s.refuse(c, queueNotFound)
		}
		only = n
	}
	location := -1
	if id := q.Get("locationId"); id != "" {
		at, known := o.locationByID(id)
		if !known {
			return s.refuse(c, invalid(4003, "Location not found"))
		}
		location = at
	}
	if b := q.Get("joinEnabled"); b != "" && b != "true" && b != "false" {
		return s.refuse(c, invalid(0, "Invalid value for parameter 'joinEnabled'."))
	}
	var people []int
	order := o.order(kindQueue, len(o.queues))
	seen := map[int]bool{}
	for position := range o.queues {
		n := order(position)
		qu := o.queues[n]
		if qu.assist != assist || only >= 0 && n != only {
			continue
		}
		for _, a := range qu.agents {
			// With a queue the filter is about that queue, else about any.
			if q.Get("joinEnabled") != "" && (q.Get("joinEnabled") == "true") != a.joined {
				continue
			}
			if !seen[a.person] && !o.deleted[a.person] {
				seen[a.person] = true
				people = append(people, a.person)
			}
		}
	}
	if q.Get("order") != "" {
		slices.SortFunc(people, func(a, b int) int { return strings.Compare(o.displayName(a), o.displayName(b)) })
	}
	return s.callingPage(c, "agents", len(people), func(position int) bool {
		i := people[position]
		return (location < 0 || int(o.people[i].place) == location) && strings.Contains(strings.ToLower(o.displayName(i)), strings.ToLower(q.Get("name"))) &&
			(q.Get("phoneNumber") == "" || strings.Contains(o.e164(i), strings.TrimPrefix(q.Get("phoneNumber"), "+")))
	}, func(position int) map[string]any {
		v, _ := o.agentJSON(people[position], assist)
		return v
	})
}

var agentNotFound = &refusal{status: http.StatusNotFound, code: 4003, message: "Agent not found"}

// getAgent pages its queues by start and max without a Link: the contract has none.
func (s *Sim) getAgent(c *call) answer {
	o := s.org
	most, err1 := strconv.Atoi(c.query.Get("max"))
	start, err2 := strconv.Atoi(c.query.Get("start"))
	if err1 != nil || err2 != nil || most < 1 || start < 0 {
		return s.refuse(c, invalid(4411, "Missing required parameters 'max' and 'start'."))
	}
	i, known := o.personByID(c.PathValue("id"))
	if !known || !o.calling(i) {
		return s.refuse(c, agentNotFound)
	}
	assist := c.flag("hasCxEssentials")
	v, queues := o.agentJSON(i, assist)
	if queues == 0 && !s.variant.EmptyAgent {
		return s.refuse(c, agentNotFound)
	}
	list := []any{}
	for _, n := range o.agentOf[i] {
		q := o.queues[n]
		if q.assist != assist {
			continue
		}
		p := o.locations[q.place]
		a := q.agents[q.position(i)]
		line := map[string]any{
			"id": o.queueID(q), "name": q.name, "routingPrefix": p.routingPrefix, "locationId": o.locationID(q.place), "locationName": p.name, "joinEnabled": a.joined,
			"extension": q.extension, "esn": p.routingPrefix + q.extension,
		}
		if n := o.queueNumber(q); n != "" {
			line["phoneNumber"] = p.legacyNumber(n)
		}
		if assist {
			line["skillLevel"] = a.skill
		}
		list = append(list, line)
	}
	from := min(start, len(list))
	return ok(map[string]any{"agent": v, "queues": list[from:min(from+most, len(list))]})
}

// putAgentSettings joins and leaves the queues that are named, all or none of them.
// It does not ask whether agents of the queue may do that themselves (NOTES.md section 7).
func (s *Sim) putAgentSettings(c *call) answer {
	o := s.org
	i, known := o.personByID(c.PathValue("id"))
	if !known || len(o.agentOf[i]) == 0 {
		return s.refuse(c, agentNotFound)
	}
	var body struct {
		Settings *[]struct {
			QueueID     *string `json:"queueId"`
			JoinEnabled *bool   `json:"joinEnabled"`
		} `json:"settings"`
	}
	d := json.NewDecoder(strings.NewReader(string(c.body)))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil || body.Settings == nil {
		return s.refuse(c, invalid(4410, "The body is invalid."))
	}
	type change struct {
		a      *agent
		joined bool
	}
	var changes []change
	for _, x := range *body.Settings {
		if x.QueueID == nil || x.JoinEnabled == nil {
			return s.refuse(c, invalid(4411, "Missing required field 'queueId' or 'joinEnabled'."))
		}
		n, known := o.queueByID(*x.QueueID)
		if !known || o.queues[n].assist != c.flag("hasCxEssentials") {
			return s.refuse(c, queueNotFound)
		}
		at := o.queues[n].position(i)
		if at < 0 {
			return s.refuse(c, invalid(6004, "The agent is not assigned to the queue."))
		}
		changes = append(changes, change{&o.queues[n].agents[at], *x.JoinEnabled})
	}
	for _, ch := range changes {
		ch.a.joined = ch.joined
	}
	return noContent()
}

// agentLimits are how many agents a routing policy allows, in queues and hunt
// groups (NOTES.md section 7).
var agentLimits = map[string]int{"SIMULTANEOUS": 50, "WEIGHTED": 100}

const otherLimit = 1000

// putQueue changes a queue. agents replaces the whole list: who reads, changes and
// writes it undoes what happened in between, as with Webex.
func (s *Sim) putQueue(c *call) answer {
	o := s.org
	n, known := o.queueByID(c.PathValue("queueId"))
	at, place := o.locationByID(c.PathValue("locationId"))
	if !known || !place || o.queues[n].place != at {
		return s.refuse(c, queueNotFound)
	}
	q := o.queues[n]
	body, r := decodeObject(c.body)
	if r != nil {
		return s.refuse(c, r)
	}
	allowed := shape(
		"queueSettings object", "enabled bool", "name string", "languageCode string", "firstName string", "lastName string", "timeZone string", "phoneNumber string", "extension string",
		"alternateNumberSettings object", "callPolicies object", "callingLineIdPolicy string", "callingLineIdPhoneNumber string", "allowCallWaitingForAgentsEnabled bool", "agents list",
		"allowAgentJoinEnabled bool", "phoneNumberForOutgoingCallsEnabled bool", "directLineCallerIdName object", "dialByName any",
	)
	if r := checkTop(body, allowed); r != nil {
		return s.refuse(c, r)
	}
	if body["queueSettings"] == nil && s.variant.QueueSettingsRequired {
		return s.refuse(c, invalid(4411, "Missing required field 'queueSettings'."))
	}
	if r := checkQueueSettings(body["queueSettings"]); r != nil {
		return s.refuse(c, r)
	}
	policy := policyOf(body, q.policy)
	fields := shape("id string", "weight string", "skillLevel int", "joinEnabled bool")
	agents, r := o.readAgents(body["agents"], policy, fields, q.assist)
	if r != nil {
		return s.refuse(c, r)
	}
	q.policy = policy
	if b, has := body["enabled"].(bool); has {
		q.enabled = b
	}
	if b, has := body["allowAgentJoinEnabled"].(bool); has {
		q.allowJoin = b
	}
	if name, has := body["name"].(string); has {
		q.name = name
	}
	if _, has := body["agents"]; has {
		for _, a := range q.agents {
			o.agentOf[a.person] = slices.DeleteFunc(o.agentOf[a.person], func(m int) bool { return m == n })
		}
		q.agents = agents
		for _, a := range agents {
			o.agentOf[a.person] = append(o.agentOf[a.person], n)
		}
	}
	for _, key := range []string{"agents", "enabled", "allowAgentJoinEnabled", "name"} {
		delete(body, key)
	}
	if q.extra == nil {
		q.extra = map[string]any{}
	}
	overlay(q.extra, body)
	return noContent()
}

// checkTop refuses fields that are unknown, only for reading, or of a wrong type;
// it does not look into objects and lists.
func checkTop(body map[string]any, allowed map[string]string) *refusal {
	for _, key := range slices.Sorted(maps.Keys(body)) {
		typ, known := allowed[key]
		if !known {
			return invalid(4410, fmt.Sprintf("Unrecognized or read-only field '%s'.", key))
		}
		var right bool
		switch body[key].(type) {
		case map[string]any:
			right = typ == "object"
		case []any:
			right = typ == "list"
		case bool:
			right = typ == "bool"
		case string:
			right = typ == "string"
		}
		if !right && typ != "any" {
			return mistyped(key)
		}
	}
	return nil
}

// checkQueueSettings refuses what only a GET has, and what is incomplete.
func checkQueueSettings(v any) *refusal {
	settings, _ := v.(map[string]any)
	if settings == nil {
		return nil
	}
	for _, path := range []string{"overflow.isTransferNumberSet", "overflow.audioFiles"} {
		if at(settings, path) != nil {
			return invalid(4410, fmt.Sprintf("Unrecognized or read-only field 'queueSettings.%s'.", path))
		}
	}
	for _, path := range []string{"queueSize", "overflow.action", "overflow.greeting"} {
		if at(settings, path) == nil {
			return invalid(4411, fmt.Sprintf("Missing required field 'queueSettings.%s'.", path))
		}
	}
	return nil
}

// policyOf is the routing policy that a PUT leaves behind.
func policyOf(body map[string]any, now string) string {
	if policy, has := at(body, "callPolicies.policy").(string); has {
		return policy
	}
	return now
}

// readAgents reads the list of a PUT to a queue or a hunt group. assist wants the
// licence of Customer Assist.
func (o *org) readAgents(v any, policy string, fields map[string]string, assist bool) ([]agent, *refusal) {
	list, _ := v.([]any)
	limit := agentLimits[policy]
	if limit == 0 {
		limit = otherLimit
	}
	if len(list) > limit {
		return nil, invalid(4421, fmt.Sprintf("There are at most %d agents with the policy %s.", limit, policy))
	}
	agents := make([]agent, 0, len(list))
	seen := map[int]bool{}
	weights := 0
	for _, x := range list {
		m, isObject := x.(map[string]any)
		if !isObject {
			return nil, mistyped("agents")
		}
		if r := checkShape(m, "", fields, []string{"id"}); r != nil {
			return nil, r
		}
		i, known := o.personByID(m["id"].(string))
		if !known || !o.calling(i) || seen[i] {
			return nil, invalid(6005, "An agent is unknown, has no Calling licence or is listed twice.")
		}
		if assist && o.people[i].flags&flagAssist == 0 {
			return nil, invalid(6006, "An agent has no Customer Assist licence.")
		}
		seen[i] = true
		a := agent{person: i, skill: 1}
		a.weight, _ = m["weight"].(string)
		a.joined, _ = m["joinEnabled"].(bool)
		if skill, has := m["skillLevel"].(int); has {
			a.skill = skill
		}
		w, _ := strconv.Atoi(a.weight)
		weights += w
		agents = append(agents, a)
	}
	if policy == "WEIGHTED" && len(agents) > 0 && weights != 100 {
		return nil, invalid(4422, "The weights of the agents must add up to 100.")
	}
	return agents, nil
}

// availableAgents lists who can be an agent. locationId must be there, but "is not a
// filter" (specification).
func (s *Sim) availableAgents(c *call) answer {
	o, q := s.org, c.query
	if _, known := o.locationByID(q.Get("locationId")); !known {
		return s.refuse(c, invalid(4003, "Location not found"))
	}
	order := o.order(kindQueue, len(o.people))
	name := strings.ToLower(q.Get("name"))
	return s.callingPage(c, "agents", len(o.people), func(position int) bool {
		i := order(position)
		return o.calling(i) && !o.deleted[i] && strings.Contains(strings.ToLower(o.displayName(i)), name) &&
			(q.Get("phoneNumber") == "" || strings.Contains(o.e164(i), strings.TrimPrefix(q.Get("phoneNumber"), "+")))
	}, func(position int) map[string]any {
		i := order(position)
		number := map[string]any{"extension": fmt.Sprint(o.people[i].extension)}
		if n := o.e164(i); n != "" {
			number["external"] = o.at(i).legacyNumber(n)
		}
		return map[string]any{
			"id": o.agentID(i), "firstName": o.firstName(i), "lastName": o.lastName(i), "displayName": o.displayName(i), "type": "PEOPLE", "email": o.email(i),
			"hasCxEssentials": o.people[i].flags&flagAssist != 0, "phoneNumbers": []any{number},
		}
	})
}
