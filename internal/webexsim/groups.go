package webexsim

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// memberLimit is the most that one page of members has, and includeMembers in all (LIMITS.md section 5).
const memberLimit = 500

func (o *org) groupID(n int) string {
	return encodeID(clusterUS, "SCIM_GROUP", uuid(o.seed, kindGroup, n)+":"+o.id)
}

func (o *org) groupByID(id string) (int, bool) {
	_, typ, rest, err := decodeID(id)
	if err != nil || typ != "SCIM_GROUP" {
		return 0, false
	}
	name, _, _ := strings.Cut(rest, ":")
	n, ok := number(o.seed, kindGroup, name)
	return n, ok && n < len(o.groups)
}

// size counts people and nested groups.
func (o *org) groupSize(g group) int {
	if g.everybody {
		return len(o.people) - len(o.deleted)
	}
	return len(g.members) + len(g.nested)
}

// members lists count members from the position start (0 is the first).
func (o *org) groupMembers(g group, start, count int) []any {
	list := []any{}
	add := func(v map[string]any) {
		if start > 0 {
			start--
		} else if len(list) < count {
			list = append(list, v)
		}
	}
	person := func(i int) {
		if !o.deleted[i] && (start > 0 || len(list) < count) {
			// Here, too, the id has the cluster "us", whatever People says.
			add(map[string]any{"id": o.agentID(i), "type": "user", "displayName": o.displayName(i)})
		}
	}
	if g.everybody {
		order := o.order(kindGroup, len(o.people))
		for position := range o.people {
			person(order(position))
		}
	}
	for _, i := range g.members {
		person(i)
	}
	for _, n := range g.nested {
		add(map[string]any{"id": o.groupID(n), "type": "group", "displayName": o.groups[n].name})
	}
	return list
}

func (o *org) groupJSON(g group) map[string]any {
	return map[string]any{
		"id": o.groupID(g.n), "displayName": g.name, "orgId": o.orgID(), "created": stamp(dice(o.seed, kindGroup, g.n, 0)), "lastModified": stamp(dice(o.seed, kindGroup, g.n, 1)),
		"memberSize": o.groupSize(g),
	}
}

// groupFilter is all that the filter of groups knows: displayName, eq and sw.
var groupFilter = regexp.MustCompile(`^\s*displayName\s+(eq|sw)\s+"([^"]*)"\s*$`)

// listGroups pages by startIndex, which counts from 1, and count.
func (s *Sim) listGroups(c *call) answer {
	o := s.org
	var found []group
	filter := c.query.Get("filter")
	m := groupFilter.FindStringSubmatch(filter)
	if filter != "" && m == nil {
		return s.refuse(c, invalid(0, "Invalid filter."))
	}
	for _, g := range o.groups {
		if m == nil || m[1] == "eq" && strings.EqualFold(g.name, m[2]) || m[1] == "sw" && strings.HasPrefix(strings.ToLower(g.name), strings.ToLower(m[2])) {
			found = append(found, g)
		}
	}
	start, count := max(c.number("startIndex", 1), 1), min(c.number("count", 100), s.opts.PageSize)
	page := found[min(start-1, len(found)):min(start-1+count, len(found))]
	left := memberLimit
	groups := []any{}
	for _, g := range page {
		v := o.groupJSON(g)
		if c.flag("includeMembers") {
			members := o.groupMembers(g, 0, left)
			left -= len(members)
			v["members"] = members
		}
		groups = append(groups, v)
	}
	return ok(map[string]any{"totalResults": len(found), "startIndex": start, "itemsPerPage": len(groups), "groups": groups})
}

func (s *Sim) getGroup(c *call) answer {
	n, known := s.org.groupByID(c.PathValue("groupId"))
	if !known {
		return s.refuse(c, &refusal{status: http.StatusNotFound, message: "Group not found"})
	}
	v := s.org.groupJSON(s.org.groups[n])
	if c.flag("includeMembers") {
		v["members"] = s.org.groupMembers(s.org.groups[n], 0, memberLimit)
	}
	return ok(v)
}

func (s *Sim) listMembers(c *call) answer {
	n, known := s.org.groupByID(c.PathValue("groupId"))
	if !known {
		return s.refuse(c, &refusal{status: http.StatusNotFound, message: "Group not found"})
	}
	start, count := max(c.number("startIndex", 1), 1), min(c.number("count", memberLimit), memberLimit)
	v := s.org.groupJSON(s.org.groups[n])
	v["members"] = s.org.groupMembers(s.org.groups[n], start-1, count)
	return ok(v)
}

var scimFilter = regexp.MustCompile(`^\s*(userName|emails\.value)\s+eq\s+"([^"]*)"\s*$`)

// scimUsers finds one user by address; groups come only when asked for (AUTH.md section 3).
func (s *Sim) scimUsers(c *call) answer {
	o := s.org
	if c.PathValue("orgId") != o.id { // a bare UUID here
		return s.refuse(c, &refusal{status: http.StatusForbidden, message: "Not authorized for this organization."})
	}
	m := scimFilter.FindStringSubmatch(c.query.Get("filter"))
	if m == nil {
		return s.refuse(c, invalid(0, "Only the filters userName eq and emails.value eq are simulated."))
	}
	found := []any{}
	if i, known := o.find(m[2]); known && strings.Contains(m[2], "@") {
		meta := dice(o.seed, kindPerson, i, 41)
		user := map[string]any{
			"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "id": o.personUUID(i), "userName": strings.ToLower(o.email(i)), "active": o.people[i].flags&flagPending == 0,
			"displayName": o.displayName(i), "name": map[string]any{"givenName": o.firstName(i), "familyName": o.lastName(i)}, "userType": "user",
			"emails": []any{map[string]any{"value": o.email(i), "type": "work", "primary": true}},
			"meta":   map[string]any{"resourceType": "User", "created": stamp(meta), "lastModified": stamp(meta), "version": "1", "location": "https://webexapis.com/identity/scim/v2/Users/" + o.personUUID(i)},
		}
		if c.flag("returnGroups") || c.flag("includeGroupDetails") {
			groups := []any{}
			for _, g := range o.groups {
				if g.everybody || slices.Contains(g.members, i) {
					groups = append(groups, map[string]any{"value": uuid(o.seed, kindGroup, g.n), "display": g.name})
				}
			}
			user["groups"] = groups
		}
		found = append(found, user)
	}
	return ok(map[string]any{
		"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"}, "totalResults": len(found), "itemsPerPage": len(found), "startIndex": 1, "Resources": found,
	})
}
