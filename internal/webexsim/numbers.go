package webexsim

import (
	"fmt"
	"strings"
)

// numberEntry is one line of the organization's numbers.
type numberEntry struct {
	at        int
	number    string // E.164, "" for an extension alone
	extension string
	person    int // -1
	queue     int // -1
	hunt      int // hunt group, -1
	main      bool
	alternate bool
}

// freeNumbers is how many numbers of each location belong to nobody.
const freeNumbers = 4

// numberAt gives the position-th number without making a list of 100,000: people
// first, then their second numbers, queues, hunt groups, main numbers and free ones.
func (o *org) numberAt(position int) (numberEntry, bool) {
	e := numberEntry{person: -1, queue: -1, hunt: -1}
	if position < len(o.people) {
		if !o.calling(position) || o.deleted[position] {
			return e, false
		}
		e.person, e.at, e.number, e.extension = position, int(o.people[position].place), o.e164(position), fmt.Sprint(o.people[position].extension)
		return e, true
	}
	position -= len(o.people)
	if position < len(o.roles) {
		if o.deleted[position] || o.alternate(position) == "" {
			return e, false
		}
		e.person, e.at, e.number, e.alternate = position, int(o.people[position].place), o.alternate(position), true
		return e, true
	}
	position -= len(o.roles)
	if position < len(o.queues) {
		q := o.queues[position]
		e.queue, e.at, e.extension, e.number = position, q.place, q.extension, o.queueNumber(q)
		return e, true
	}
	position -= len(o.queues)
	if position < len(o.hunts) {
		h := o.hunts[position]
		e.hunt, e.at, e.extension, e.number = position, h.place, h.extension, o.huntGroupNumber(h)
		return e, true
	}
	position -= len(o.hunts)
	if position < len(o.locations) {
		e.at, e.number, e.main = position, o.locations[position].e164(0), true
		return e, true
	}
	position -= len(o.locations)
	e.at = position / freeNumbers
	e.number = o.locations[e.at].e164(o.locations[e.at].reserved() + 1 + position%freeNumbers)
	return e, true
}

func (o *org) numberCount() int {
	return len(o.people) + len(o.roles) + len(o.queues) + len(o.hunts) + len(o.locations)*(1+freeNumbers)
}

func (o *org) queueNumber(q *queue) string {
	if q.did < 0 {
		return ""
	}
	return o.locations[q.place].e164(q.did)
}

func (o *org) numberJSON(e numberEntry) map[string]any {
	p := o.locations[e.at]
	v := map[string]any{
		"state": "ACTIVE", "phoneNumberType": "PRIMARY", "mainNumber": e.main, "includedTelephonyTypes": "PSTN_NUMBER", "tollFreeNumber": false, "isServiceNumber": false,
		"location": map[string]any{"id": o.locationID(e.at), "name": p.name},
	}
	if e.number != "" {
		v["phoneNumber"] = e.number
	}
	if e.extension != "" {
		v["extension"], v["routingPrefix"], v["esn"] = e.extension, p.routingPrefix, p.routingPrefix+e.extension
	}
	if e.alternate {
		v["phoneNumberType"] = "ALTERNATE"
	}
	switch {
	case e.person >= 0:
		v["owner"] = map[string]any{"id": o.personID(e.person), "type": "PEOPLE", "firstName": o.firstName(e.person), "lastName": o.lastName(e.person)}
	case e.queue >= 0:
		v["owner"] = map[string]any{"id": o.queueID(o.queues[e.queue]), "type": "CALL_QUEUE", "firstName": o.queues[e.queue].name, "lastName": "."}
	case e.hunt >= 0:
		v["owner"] = map[string]any{"id": o.huntGroupID(o.hunts[e.hunt]), "type": "HUNT_GROUP", "firstName": o.hunts[e.hunt].name, "lastName": "."}
	}
	return v
}

func (s *Sim) listNumbers(c *call) answer {
	o, q := s.org, c.query
	location := -1
	if id := q.Get("locationId"); id != "" {
		at, known := o.locationByID(id)
		if !known {
			return s.refuse(c, invalid(4003, "Location not found"))
		}
		location = at
	}
	owner := q.Get("ownerId")
	ownerPerson, ownerQueue, ownerHunt := -1, -1, -1
	if owner != "" {
		if i, known := o.personByID(owner); known {
			ownerPerson = i
		} else if n, known := o.queueByID(owner); known {
			ownerQueue = n
		} else if h, known := o.huntGroupByID(owner); known {
			ownerHunt = h.n
		} else {
			return s.refuse(c, invalid(0, "Invalid ownerId."))
		}
	}
	digits := func(name string) string { return strings.TrimPrefix(q.Get(name), "+") }
	name := strings.ToLower(q.Get("ownerName"))
	keep := func(position int) bool {
		if ownerPerson >= 0 && position < len(o.people) && position != ownerPerson {
			return false // the commonest question, without looking at 100,000 numbers
		}
		e, exists := o.numberAt(position)
		owned := e.person >= 0 || e.queue >= 0 || e.hunt >= 0 || e.main
		switch {
		case !exists,
			location >= 0 && e.at != location,
			ownerPerson >= 0 && e.person != ownerPerson, ownerQueue >= 0 && e.queue != ownerQueue, ownerHunt >= 0 && e.hunt != ownerHunt,
			q.Get("available") == "true" && owned, q.Get("available") == "false" && !owned,
			q.Get("ownerType") == "PEOPLE" && e.person < 0, q.Get("ownerType") == "CALL_QUEUE" && e.queue < 0, q.Get("ownerType") == "HUNT_GROUP" && e.hunt < 0,
			q.Get("ownerType") != "" && q.Get("ownerType") != "PEOPLE" && q.Get("ownerType") != "CALL_QUEUE" && q.Get("ownerType") != "HUNT_GROUP",
			q.Get("phoneNumber") != "" && !strings.Contains(e.number, digits("phoneNumber")),
			q.Get("extension") != "" && !strings.Contains(e.extension, q.Get("extension")),
			q.Get("numberType") == "NUMBER" && e.number == "", q.Get("numberType") == "EXTENSION" && (e.extension == "" || e.number != ""),
			q.Get("phoneNumberType") == "PRIMARY" && e.alternate, q.Get("phoneNumberType") == "ALTERNATE" && !e.alternate,
			q.Get("state") == "INACTIVE", q.Get("tollFreeNumbers") == "true":
			return false
		}
		if name == "" {
			return true
		}
		return e.person >= 0 && strings.Contains(strings.ToLower(o.displayName(e.person)), name) || e.queue >= 0 && strings.Contains(strings.ToLower(o.queues[e.queue].name), name) ||
			e.hunt >= 0 && strings.Contains(strings.ToLower(o.hunts[e.hunt].name), name)
	}
	return s.callingPage(c, "phoneNumbers", o.numberCount(), keep, func(position int) map[string]any {
		e, _ := o.numberAt(position)
		return o.numberJSON(e)
	})
}
