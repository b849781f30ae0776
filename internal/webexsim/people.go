package webexsim

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// All handlers here run with Sim.mu held; see perform.

// stamp is a time in the past that belongs to a thing.
func stamp(n uint64) string {
	base := time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)
	return base.Add(time.Duration(n%uint64(5*365*24*3600)) * time.Second).Format("2006-01-02T15:04:05.000Z")
}

const (
	licenseProfessional = iota
	licenseMessaging
	licenseAssist
)

var licenseNames = []string{"Webex Calling - Professional", "Messaging", "Customer Assist"}

func (o *org) licenseID(n int) string {
	return encodeID(clusterUS, "LICENSE", o.id+":"+uuid(o.seed, kindLicense, n))
}

var roleNames = []string{"Full Administrator", "Read-only Administrator", "User Administrator"}

func (o *org) roleID(n int) string {
	return encodeID(clusterUS, "ROLE", uuid(o.seed, kindRole, n))
}

// personJSON is a person as People has them. Only a single GET has roles and
// licences; only callingData has locationId, extension and the numbers (NOTES.md section 8).
func (o *org) personJSON(i int, callingData, single, status bool) map[string]any {
	p, r := o.people[i], o.role(i)
	die := dice(o.seed, kindPerson, i, 40)
	v := map[string]any{
		"id": o.personID(i), "emails": []string{o.email(i)}, "displayName": o.displayName(i), "nickName": o.firstName(i), "firstName": o.firstName(i), "lastName": o.lastName(i),
		"orgId": o.orgID(), "created": stamp(die), "lastModified": stamp(die + 86400*300), "type": "person",
		"invitePending": fmt.Sprint(p.flags&flagPending != 0), "loginEnabled": "true", // words, not booleans
		"department": departments[die%uint64(len(departments))],
		"title":      cmp.Or(r.title, titles[die/16%uint64(len(titles))]),
		"userName":   strings.ToLower(o.email(i)), "isWebexAssistantEnabled": true,
	}
	if status {
		v["status"] = []string{"active", "inactive", "meeting", "call", "OutOfOffice", "unknown"}[die/64%6]
		if p.flags&flagPending != 0 {
			v["status"] = "pending"
		} else {
			v["lastActivity"] = stamp(die + 86400*600)
		}
	}
	if p.place >= 0 {
		v["timezone"] = o.at(i).zone
	}
	if single {
		v["roles"] = []string{}
		licenses := []string{o.licenseID(licenseMessaging)}
		if p.flags&flagAdmin != 0 {
			v["roles"] = []string{o.roleID(0)}
		}
		if o.calling(i) {
			licenses = append(licenses, o.licenseID(licenseProfessional))
		}
		if p.flags&flagAssist != 0 {
			licenses = append(licenses, o.licenseID(licenseAssist))
		}
		v["licenses"] = licenses
	}
	if callingData && o.calling(i) {
		v["locationId"] = o.locationID(int(p.place))
		v["extension"] = fmt.Sprint(p.extension)
		numbers := []any{}
		if n := o.e164(i); n != "" {
			numbers = append(numbers, map[string]any{"type": "work", "value": o.peopleNumber(i, n), "primary": true})
		}
		numbers = append(numbers, map[string]any{"type": "work_extension", "value": fmt.Sprint(p.extension)})
		v["phoneNumbers"] = numbers
	}
	return v
}

// peopleNumber is a number as People writes it: with spaces in newer locations of
// the United States (example of the specification), ten digits in old ones.
func (o *org) peopleNumber(i int, n string) string {
	if p := o.at(i); p.country == "US" && !p.legacy {
		return n[:2] + " " + n[2:5] + " " + n[5:8] + " " + n[8:]
	}
	return o.at(i).legacyNumber(n)
}

const maxPersonIDs = 85 // LIMITS.md section 5

func (s *Sim) listPeople(c *call) answer {
	o, q := s.org, c.query
	callingData := c.flag("callingData")
	if !c.token.subject.machine && q.Get("email") == "" && q.Get("displayName") == "" {
		return s.refuse(c, invalid(0, "Email or displayName should be specified."))
	}
	most := 1000
	if callingData {
		most = 100
	}
	location := -1
	if id := q.Get("locationId"); id != "" {
		at, known := o.locationByID(id)
		if !known {
			return s.refuse(c, invalid(0, "Invalid locationId."))
		}
		location, most = at, 50
	}
	item := func(i int) map[string]any { return o.personJSON(i, callingData, false, !c.flag("excludeStatus")) }
	// One address or a few ids need no search.
	if ids := q.Get("id"); ids != "" {
		return s.peopleByID(c, strings.Split(ids, ","), item)
	}
	if email := q.Get("email"); email != "" {
		items := []any{}
		if i, found := o.find(email); found && strings.Contains(email, "@") {
			items = append(items, item(i))
		}
		return ok(map[string]any{"items": items})
	}
	name := strings.ToLower(q.Get("displayName"))
	admins := slices.Contains(strings.Split(q.Get("roles"), ","), o.roleID(0))
	order := o.order(kindPerson, len(o.people))
	return s.platformPage(c, len(o.people), 100, most, func(position int) bool {
		i := order(position)
		p := o.people[i]
		return !o.deleted[i] && (location < 0 || int(p.place) == location) && (q.Get("roles") == "" || admins && p.flags&flagAdmin != 0) &&
			(name == "" || strings.HasPrefix(strings.ToLower(o.displayName(i)), name))
	}, func(position int) map[string]any { return item(order(position)) })
}

func (s *Sim) peopleByID(c *call, ids []string, item func(int) map[string]any) answer {
	if len(ids) > maxPersonIDs {
		return s.refuse(c, invalid(0, fmt.Sprintf("No more than %d ids are allowed.", maxPersonIDs)))
	}
	items, missing := []any{}, []string{}
	for _, id := range ids {
		if i, known := s.org.personByID(id); known {
			v := item(i)
			delete(v, "status") // no presence for several ids
			items = append(items, v)
		} else {
			missing = append(missing, id)
		}
	}
	body := map[string]any{"items": items}
	if len(missing) > 0 {
		body["notFoundIds"] = missing
	}
	return ok(body)
}

// mayRead says whether a user's own token reaches this person: only its owner.
func (c *call) mayRead(o *org, i int) bool {
	return c.token.subject.machine || c.token.subject.uuid == o.personUUID(i)
}

func (s *Sim) getPerson(c *call) answer {
	i, known := s.org.personByID(c.PathValue("personId"))
	if !known || !c.mayRead(s.org, i) {
		return s.refuse(c, &refusal{status: http.StatusNotFound, message: "Person not found"})
	}
	return ok(s.org.personJSON(i, c.flag("callingData"), true, true))
}

// getMe is the person, or the machine account of the service app.
func (s *Sim) getMe(c *call) answer {
	o := s.org
	if !c.token.subject.machine {
		i, known := o.personByUUID(c.token.subject.uuid)
		if !known {
			return s.refuse(c, &refusal{status: http.StatusNotFound, message: "Person not found"})
		}
		return ok(o.personJSON(i, c.flag("callingData"), true, true))
	}
	return ok(map[string]any{
		"id": encodeID(clusterUS, "PEOPLE", uuid(o.seed, kindMachine, 0)), "emails": []string{"patchbay-service-app@serviceapp.webex.bot"},
		"displayName": "Patchbay", "orgId": o.orgID(), "created": stamp(0), "type": "appuser", "loginEnabled": "true", "invitePending": "false",
		"roles": []string{o.roleID(0)}, "licenses": []string{},
	})
}

// forCalling finds the person of the path, who must have Calling.
func forCalling(h func(*Sim, *call, int) answer) func(*Sim, *call) answer {
	return func(s *Sim, c *call) answer {
		i, known := s.org.personByID(c.PathValue("personId"))
		if !known || !c.mayRead(s.org, i) {
			return s.refuse(c, &refusal{status: http.StatusNotFound, message: "Person not found"})
		}
		if !s.org.calling(i) {
			return s.refuse(c, &refusal{status: cmp.Or(s.variant.UnlicensedStatus, http.StatusNotFound), code: 4008, message: "User is not enabled for Webex Calling."})
		}
		return h(s, c, i)
	}
}

func readSetting(name string) func(*Sim, *call) answer {
	return forCalling(func(s *Sim, _ *call, i int) answer {
		v := s.org.shownSetting(i, name)
		v["effectiveLevel"] = "PERSON" // not in the contract: answers are open, fields may come at any time
		return ok(v)
	})
}

func putSetting(name string) func(*Sim, *call) answer {
	return forCalling(func(s *Sim, c *call, i int) answer {
		if r := s.org.writeSetting(i, name, c.body); r != nil {
			return s.refuse(c, r)
		}
		return noContent()
	})
}

func (s *Sim) personNumbers(c *call, i int) answer {
	o, p := s.org, s.org.people[i]
	shown := func(n string) string {
		if c.flag("preferE164Format") {
			return n
		}
		return o.at(i).legacyNumber(n)
	}
	first := map[string]any{"primary": true, "extension": fmt.Sprint(p.extension), "routingPrefix": o.at(i).routingPrefix, "esn": o.at(i).routingPrefix + fmt.Sprint(p.extension), "ringPattern": "NORMAL"}
	if n := o.e164(i); n != "" {
		first["directNumber"] = shown(n)
	}
	list := []any{first}
	if n := o.alternate(i); n != "" {
		list = append(list, map[string]any{"primary": false, "directNumber": shown(n), "ringPattern": "SHORT_LONG_SHORT"})
	}
	return ok(map[string]any{"distinctiveRingEnabled": len(list) > 1, "phoneNumbers": list})
}

// alternate is a person's second number.
func (o *org) alternate(i int) string {
	if !o.role(i).alternate {
		return ""
	}
	return o.at(i).e164(o.at(i).reserved())
}

func (s *Sim) applications(_ *call, i int) answer {
	v := map[string]any{
		"ringDevicesForClickToDialCallsEnabled": true, "ringDevicesForGroupPageEnabled": false, "ringDevicesForCallParkEnabled": false,
		"browserClientEnabled": false, "desktopClientEnabled": true, "desktopClientId": padID(s.org.deviceID("CALLING_DEVICE", i, 9)),
		"tabletClientEnabled": false, "mobileClientEnabled": true, "mobileClientId": padID(s.org.deviceID("CALLING_DEVICE", i, 10)), "availableLineCount": 35,
	}
	return ok(v)
}

func (s *Sim) personServices(_ *call, i int) answer {
	return ok(map[string]any{"services": s.org.services(i)})
}

func (s *Sim) defaultAccess(*call) answer { return ok(maps.Clone(s.org.orgAccess)) }

func (s *Sim) personAccess(_ *call, i int) answer { return ok(s.org.accessOf(i)) }

func (s *Sim) putPersonAccess(c *call, i int) answer {
	patch, r := decodeObject(c.body)
	if r != nil {
		return s.refuse(c, r)
	}
	fields := map[string]string{}
	for _, key := range accessKeys {
		fields[key] = full + "|" + off
	}
	if r := checkShape(patch, "", fields, nil); r != nil {
		return s.refuse(c, r)
	}
	own := maps.Clone(s.org.orgAccess)
	if a := s.org.access[i]; a != nil {
		own = maps.Clone(a.own)
	}
	for key, v := range patch {
		own[key] = v.(string) // checkShape has seen to it
	}
	s.org.access[i] = &featureAccess{own: own}
	return noContent()
}

// Locations.

func (o *org) locationJSON(at int) map[string]any {
	p := o.locations[at]
	v := map[string]any{
		"id": o.locationID(at), "name": p.name, "orgId": o.orgID(), "timeZone": p.zone, "preferredLanguage": p.language, "announcementLanguage": p.language,
		"address":  map[string]any{"address1": p.street, "city": p.city, "postalCode": p.postcode, "country": p.country},
		"latitude": p.latitude, "longitude": p.longitude,
	}
	if p.state != "" {
		v["address"].(map[string]any)["state"] = p.state
	}
	return v
}

func (s *Sim) listLocations(c *call) answer {
	o, q := s.org, c.query
	order := o.order(kindLocation, len(o.locations))
	return s.platformPage(c, len(o.locations), 500, 500, func(position int) bool {
		at := order(position)
		return (q.Get("name") == "" || o.locations[at].name == q.Get("name")) && (q.Get("id") == "" || strings.TrimRight(q.Get("id"), "=") == o.locationID(at))
	}, func(position int) map[string]any { return o.locationJSON(order(position)) })
}

func (s *Sim) getLocation(c *call) answer {
	at, known := s.org.locationByID(c.PathValue("locationId"))
	if !known {
		return s.refuse(c, &refusal{status: http.StatusNotFound, message: "Location not found"})
	}
	return ok(s.org.locationJSON(at))
}

func (o *org) callingLocationJSON(at int) map[string]any {
	p := o.locations[at]
	return map[string]any{
		"id": o.locationID(at), "name": p.name, "announcementLanguage": p.language, "routingPrefix": p.routingPrefix, "outsideDialDigit": "0", "enforceOutsideDialDigit": false,
		"callingLineId": map[string]any{"name": p.name, "phoneNumber": p.e164(0)}, "e911SetupRequired": p.country == "US", "subscriptionId": "Sub100448",
		"defaultDomain": "16452832.eu10.bcld.webex.com",
	}
}

func (s *Sim) listCallingLocations(c *call) answer {
	o := s.org
	order := o.order(kindLocation, len(o.locations))
	return s.callingPage(c, "locations", len(o.locations), func(position int) bool {
		return strings.Contains(strings.ToLower(o.locations[order(position)].name), strings.ToLower(c.query.Get("name")))
	}, func(position int) map[string]any { return o.callingLocationJSON(order(position)) })
}

func (s *Sim) getCallingLocation(c *call) answer {
	at, known := s.org.locationByID(c.PathValue("locationId"))
	if !known {
		return s.refuse(c, &refusal{status: http.StatusNotFound, code: 4003, message: "Location not found"})
	}
	v := s.org.callingLocationJSON(at)
	v["externalCallerIdName"], v["userLimit"] = s.org.locations[at].name, 5000
	return ok(v)
}

// The organization and its lists.

func (s *Sim) organizationJSON() map[string]any {
	return map[string]any{"id": s.org.orgID(), "displayName": "Patchbay Demo Company", "created": "2019-01-01T08:00:00+00:00"}
}

func (s *Sim) listOrganizations(*call) answer {
	return ok(map[string]any{"items": []any{s.organizationJSON()}})
}

func (s *Sim) getOrganization(c *call) answer {
	if strings.TrimRight(c.PathValue("orgId"), "=") != s.org.orgID() {
		return s.refuse(c, notFound)
	}
	return ok(s.organizationJSON())
}

func (s *Sim) listLicenses(*call) answer {
	items := []any{}
	for n, name := range licenseNames {
		items = append(items, map[string]any{"id": s.org.licenseID(n), "name": name, "totalUnits": 2 * len(s.org.people), "consumedUnits": len(s.org.people), "consumedByUsers": len(s.org.people), "consumedByWorkspaces": 0, "subscriptionId": "Sub100448"})
	}
	return ok(map[string]any{"items": items})
}

func (s *Sim) listRoles(*call) answer {
	items := []any{}
	for n, name := range roleNames {
		items = append(items, map[string]any{"id": s.org.roleID(n), "name": name})
	}
	return ok(map[string]any{"items": items})
}

func (s *Sim) tokenExpiry(c *call) answer {
	return ok(map[string]any{"exp": c.token.expires.UnixMilli()})
}
