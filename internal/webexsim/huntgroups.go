package webexsim

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"strings"
)

// huntGroupID holds another base64 inside, as a queue's does.
func (o *org) huntGroupID(h *huntGroup) string {
	inner := uuid(o.seed, kindHuntGroup, h.n) + "@16452832.eu10.bcld.webex.com"
	return encodeID(clusterUS, "HUNT_GROUP", base64.StdEncoding.EncodeToString([]byte(inner)))
}

func (o *org) huntGroupByID(id string) (*huntGroup, bool) {
	_, typ, rest, err := decodeID(id)
	if err != nil || typ != "HUNT_GROUP" {
		return nil, false
	}
	inner, err := base64.StdEncoding.DecodeString(rest)
	if err != nil {
		return nil, false
	}
	name, _, _ := strings.Cut(string(inner), "@")
	n, ok := number(o.seed, kindHuntGroup, name)
	if !ok || n >= len(o.hunts) {
		return nil, false
	}
	return o.hunts[n], true
}

func (o *org) huntGroupNumber(h *huntGroup) string {
	if h.did < 0 {
		return ""
	}
	return o.locations[h.place].e164(h.did)
}

func (o *org) huntGroupSummary(h *huntGroup) map[string]any {
	p := o.locations[h.place]
	v := map[string]any{
		"id": o.huntGroupID(h), "name": h.name, "locationName": p.name, "locationId": o.locationID(h.place), "enabled": h.enabled,
		"extension": h.extension, "routingPrefix": p.routingPrefix, "esn": p.routingPrefix + h.extension,
	}
	if n := o.huntGroupNumber(h); n != "" {
		v["phoneNumber"] = p.legacyNumber(n)
	}
	return v
}

func (s *Sim) listHuntGroups(c *call) answer {
	o, q := s.org, c.query
	location := -1
	if id := q.Get("locationId"); id != "" {
		at, known := o.locationByID(id)
		if !known {
			return s.refuse(c, invalid(4003, "Location not found"))
		}
		location = at
	}
	order := o.order(kindHuntGroup, len(o.hunts))
	return s.callingPage(c, "huntGroups", len(o.hunts), func(position int) bool {
		h := o.hunts[order(position)]
		return (location < 0 || h.place == location) && strings.Contains(strings.ToLower(h.name), strings.ToLower(q.Get("name"))) &&
			(q.Get("phoneNumber") == "" || strings.Contains(o.huntGroupNumber(h), strings.TrimPrefix(q.Get("phoneNumber"), "+")))
	}, func(position int) map[string]any { return o.huntGroupSummary(o.hunts[order(position)]) })
}

// huntGroupOfPath finds the hunt group; a location that is not its own finds nothing.
func (s *Sim) huntGroupOfPath(c *call) (*huntGroup, bool) {
	h, known := s.org.huntGroupByID(c.PathValue("huntGroupId"))
	at, place := s.org.locationByID(c.PathValue("locationId"))
	return h, known && place && h.place == at
}

var huntGroupNotFound = &refusal{status: http.StatusNotFound, code: 4003, message: "Hunt group not found"}

func (s *Sim) getHuntGroup(c *call) answer {
	o := s.org
	h, found := s.huntGroupOfPath(c)
	if !found {
		return s.refuse(c, huntGroupNotFound)
	}
	p := o.locations[h.place]
	v := o.huntGroupSummary(h)
	delete(v, "locationName")
	delete(v, "locationId")
	agents := []any{}
	for _, a := range h.agents {
		at := o.at(a.person)
		extension := fmt.Sprint(o.people[a.person].extension)
		line := map[string]any{
			"id": o.agentID(a.person), "firstName": o.firstName(a.person), "lastName": o.lastName(a.person), "extension": extension,
			"type": "PEOPLE", "routingPrefix": at.routingPrefix, "esn": at.routingPrefix + extension,
			"location": map[string]any{"id": o.locationID(int(o.people[a.person].place)), "name": at.name},
		}
		if n := o.e164(a.person); n != "" {
			line["phoneNumber"] = at.legacyNumber(n)
		}
		if a.weight != "" {
			line["weight"] = a.weight
		}
		agents = append(agents, line)
	}
	maps.Copy(v, map[string]any{
		"language": p.language, "languageCode": p.language, "firstName": h.name, "lastName": ".", "timeZone": p.zone, "distinctiveRing": true, "alternateNumbers": []any{},
		"callPolicies": map[string]any{
			"policy": h.policy, "waitingEnabled": false, "groupBusyEnabled": false, "allowMembersToControlGroupBusyEnabled": false,
			"noAnswer": map[string]any{
				"nextAgentEnabled": true, "nextAgentRings": 5, "forwardEnabled": false, "numberOfRings": 15, "systemMaxNumberOfRings": maxRings, "destinationVoicemailEnabled": false,
			},
			"busyRedirect":               map[string]any{"enabled": false, "destinationVoicemailEnabled": false},
			"businessContinuityRedirect": map[string]any{"enabled": false, "destinationVoicemailEnabled": false},
		},
		"agents": agents, "huntGroupCallerIdForOutgoingCallsEnabled": true, "tollFreeNumber": false,
	})
	overlay(v, h.extra)
	return ok(v)
}

// putHuntGroup changes a hunt group; agents replaces the whole list.
func (s *Sim) putHuntGroup(c *call) answer {
	o := s.org
	h, found := s.huntGroupOfPath(c)
	if !found {
		return s.refuse(c, huntGroupNotFound)
	}
	body, r := decodeObject(c.body)
	if r != nil {
		return s.refuse(c, r)
	}
	allowed := shape(
		"enabled bool", "name string", "phoneNumber string", "extension string", "distinctiveRing bool", "alternateNumbers list", "languageCode string", "firstName string", "lastName string",
		"timeZone string", "callPolicies object", "agents list", "huntGroupCallerIdForOutgoingCallsEnabled bool", "directLineCallerIdName object", "dialByName any",
	)
	if r := checkTop(body, allowed); r != nil {
		return s.refuse(c, r)
	}
	policy := policyOf(body, h.policy)
	agents, r := o.readAgents(body["agents"], policy, shape("id string", "weight string"), false)
	if r != nil {
		return s.refuse(c, r)
	}
	h.policy = policy
	if b, has := body["enabled"].(bool); has {
		h.enabled = b
	}
	if name, has := body["name"].(string); has {
		h.name = name
	}
	if _, has := body["agents"]; has {
		h.agents = agents
	}
	for _, key := range []string{"agents", "enabled", "name"} {
		delete(body, key)
	}
	if h.extra == nil {
		h.extra = map[string]any{}
	}
	overlay(h.extra, body)
	return noContent()
}
