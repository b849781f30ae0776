package webexsim

import (
	"crypto/rand"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"
)

// What can be done to phones: codes for new ones, deletion, the lines on them.

// activationLifetime is how long an activation code can be used.
const activationLifetime = 7 * 24 * time.Hour

// maxOwned is how many devices a person can have.
const maxOwned = 5

// addedSlot is the number of the first device that somebody added.
const addedSlot = 16

// line is a member of a phone.
type line struct {
	person             int
	weight             int
	lineType           string
	label              string
	fax                bool
	hotline            bool
	hotlineDestination string
	decline            bool
}

// activationCode makes a code for a person's new device, which is "activating"
// until the code ends: nobody types it into a phone here. Without a model the code
// is for a device with RoomOS (specification).
func (s *Sim) activationCode(c *call) answer {
	o := s.org
	body, r := decodeObject(c.body)
	if r != nil {
		return s.refuse(c, r)
	}
	if r := checkShape(body, "", shape("personId string", "workspaceId string", "model string"), nil); r != nil {
		return s.refuse(c, r)
	}
	person, _ := body["personId"].(string)
	if body["workspaceId"] != nil || person == "" { // there are no workspaces
		return s.refuse(c, invalid(0, "Either workspaceId or personId should be provided."))
	}
	if !c.token.mayAny(personCode) {
		return s.refuse(c, &refusal{status: http.StatusForbidden, message: "The access token does not have the required scope: " + personCode[0] + "."})
	}
	i, known := o.personByID(person)
	if !known || !o.calling(i) {
		return s.refuse(c, &refusal{status: http.StatusNotFound, message: "Person not found"})
	}
	kind := room
	if model, _ := body["model"].(string); model != "" {
		n := slices.IndexFunc(deviceModels, func(m deviceModel) bool { return m.model == model && m.codes })
		if n < 0 {
			return s.refuse(c, invalid(0, "The model is not supported."))
		}
		kind = deviceKind(n)
	}
	if len(s.devicesOf(i)) >= maxOwned {
		return s.refuse(c, invalid(0, "The maximum number of devices has been reached."))
	}
	n, err := rand.Int(rand.Reader, big.NewInt(1e16))
	if err != nil {
		panic("webexsim: no randomness: " + err.Error()) // crypto/rand does not fail
	}
	slot := addedSlot + len(o.added[i])
	if slot >= slots {
		return s.refuse(c, invalid(0, "No more codes for this person."))
	}
	end := s.now().Add(activationLifetime)
	o.added[i] = append(o.added[i], addedDevice{device: device{slot: slot, kind: kind, activating: true}, created: s.now(), expires: end})
	return ok(map[string]any{"code": fmt.Sprintf("%016d", n), "expiryTime": iso(end)})
}

func iso(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (s *Sim) deleteDevice(c *call) answer {
	i, d, known := s.deviceByID("DEVICE", c.PathValue("deviceId"))
	if !known || !c.mayRead(s.org, i) {
		return s.refuse(c, deviceNotFound)
	}
	n := i*slots + d.slot
	s.org.removed[n] = true
	delete(s.org.lines, n)
	return noContent()
}

// callingDevice finds the phone of the path; devices with RoomOS are not of the calling view.
func (s *Sim) callingDevice(c *call) (owner int, d device, known bool) {
	owner, d, known = s.deviceByID("CALLING_DEVICE", c.PathValue("deviceId"))
	return owner, d, known && deviceModels[d.kind].modelType != "ROOM_OS"
}

var callingDeviceNotFound = &refusal{status: http.StatusNotFound, code: 4003, message: "Device not found"}

// linesOf are the members of a phone: its owner, and in one story somebody else.
func (o *org) linesOf(owner int, d device) []line {
	if list, changed := o.lines[owner*slots+d.slot]; changed {
		return slices.DeleteFunc(slices.Clone(list), func(l line) bool { return o.deleted[l.person] })
	}
	list := []line{{person: owner, weight: 1, lineType: "PRIMARY", decline: true}}
	if guest := o.role(owner).guest; guest != "" && d.slot == 0 {
		if i, known := o.find(guest); known {
			list = append(list, line{person: i, weight: 1, lineType: "SHARED_CALL_APPEARANCE", decline: true})
		}
	}
	return list
}

// sharedPhones are the numbers of other people's phones that have a line of the person.
func (s *Sim) sharedPhones(i int) []int {
	o := s.org
	candidates := map[int]bool{}
	for n := range o.lines {
		candidates[n] = true
	}
	for owner, r := range o.roles {
		if r.guest != "" {
			candidates[owner*slots] = true
		}
	}
	var list []int
	for _, n := range slices.Sorted(maps.Keys(candidates)) {
		owner, d, known := s.device(n)
		if known && owner != i && slices.ContainsFunc(o.linesOf(owner, d), func(l line) bool { return l.person == i }) {
			list = append(list, n)
		}
	}
	return list
}

func (s *Sim) getDeviceMembers(c *call) answer {
	o := s.org
	owner, d, known := s.callingDevice(c)
	if !known {
		return s.refuse(c, callingDeviceNotFound)
	}
	members, port := []any{}, 1
	for _, l := range o.linesOf(owner, d) {
		p, extension := o.at(l.person), fmt.Sprint(o.people[l.person].extension)
		v := map[string]any{
			"id": o.agentID(l.person), "firstName": o.firstName(l.person), "lastName": o.lastName(l.person), "extension": extension, "routingPrefix": p.routingPrefix,
			"esn": p.routingPrefix + extension, "primaryOwner": l.person == owner, "port": port, "lineType": l.lineType, "lineWeight": l.weight, "t38FaxCompressionEnabled": l.fax,
			"hotlineEnabled": l.hotline, "hotlineDestination": l.hotlineDestination, "allowCallDeclineEnabled": l.decline, "memberType": "PEOPLE",
			"linePort": fmt.Sprintf("line%d@16452832.eu10.bcld.webex.com", l.person),
			"location": map[string]any{"id": o.locationID(int(o.people[l.person].place)), "name": p.name},
		}
		if n := o.e164(l.person); n != "" {
			v["phoneNumber"] = p.legacyNumber(n)
		}
		if l.label != "" {
			v["lineLabel"] = l.label
		}
		members = append(members, v)
		port += l.weight
	}
	m := deviceModels[d.kind]
	return ok(map[string]any{"model": m.model, "members": members, "maxLineCount": m.lines})
}

var memberShape = shape(
	"id string", "port int", "primaryOwner bool", "lineType PRIMARY|SHARED_CALL_APPEARANCE", "lineWeight int", "lineLabel string", "t38FaxCompressionEnabled bool",
	"hotlineEnabled bool", "hotlineDestination string", "allowCallDeclineEnabled bool",
)

var memberRequired = []string{"id", "port", "primaryOwner", "lineType", "lineWeight", "hotlineEnabled", "hotlineDestination", "allowCallDeclineEnabled"}

// putDeviceMembers replaces the list of lines. The owner stays, and ports follow from the weights.
func (s *Sim) putDeviceMembers(c *call) answer {
	o := s.org
	owner, d, known := s.callingDevice(c)
	if !known {
		return s.refuse(c, callingDeviceNotFound)
	}
	body, r := decodeObject(c.body)
	if r != nil {
		return s.refuse(c, r)
	}
	if r := checkTop(body, shape("members list")); r != nil {
		return s.refuse(c, r)
	}
	members, _ := body["members"].([]any)
	var lines []line
	port := 1
	for _, x := range members {
		m, isObject := x.(map[string]any)
		if !isObject {
			return s.refuse(c, mistyped("members"))
		}
		if r := checkShape(m, "", memberShape, memberRequired); r != nil {
			return s.refuse(c, r)
		}
		i, known := o.personByID(m["id"].(string))
		l := line{person: i, weight: m["lineWeight"].(int), lineType: m["lineType"].(string), hotline: m["hotlineEnabled"] == true, decline: m["allowCallDeclineEnabled"] == true}
		l.label, _ = m["lineLabel"].(string)
		l.fax, _ = m["t38FaxCompressionEnabled"].(bool)
		l.hotlineDestination, _ = m["hotlineDestination"].(string)
		switch {
		case !known || !o.calling(i) || slices.ContainsFunc(lines, func(other line) bool { return other.person == i }):
			return s.refuse(c, invalid(6005, "A member is unknown, has no Calling licence or is listed twice."))
		case (m["primaryOwner"] == true) != (i == owner):
			return s.refuse(c, invalid(6010, "The primary owner of a device cannot be changed."))
		case m["port"] != port || l.weight < 1:
			return s.refuse(c, invalid(6011, fmt.Sprintf("Invalid port or line weight; the next port is %d.", port)))
		case l.hotline && l.hotlineDestination == "":
			return s.refuse(c, invalid(4415, "Destination is required when the hotline is enabled."))
		}
		port += l.weight
		lines = append(lines, l)
	}
	if !slices.ContainsFunc(lines, func(l line) bool { return l.person == owner }) {
		return s.refuse(c, invalid(6010, "The primary owner of a device cannot be removed."))
	}
	if most := deviceModels[d.kind].lines; port-1 > most {
		return s.refuse(c, invalid(6012, fmt.Sprintf("The device has %d lines.", most)))
	}
	o.lines[owner*slots+d.slot] = lines
	return noContent()
}

// applyChanges would restart the phone.
func (s *Sim) applyChanges(c *call) answer {
	if _, _, known := s.callingDevice(c); !known {
		return s.refuse(c, callingDeviceNotFound)
	}
	return noContent()
}

// supportedDevices lists the models, all on one page: the contract has no max.
func (s *Sim) supportedDevices(c *call) answer {
	list, seen := []any{}, map[string]bool{}
	for _, m := range deviceModels {
		if m.modelType == "ROOM_OS" || seen[m.model] || c.query.Get("type") != "" && c.query.Get("type") != m.modelType {
			continue
		}
		seen[m.model] = true // some differ only in how they are here
		onboarding := []string{"MAC_ADDRESS"}
		if m.codes {
			onboarding = append(onboarding, "ACTIVATION_CODE")
		}
		list = append(list, map[string]any{
			"model": m.model, "displayName": strings.TrimPrefix(m.model, "DMS "), "familyDisplayName": m.product, "type": m.modelType, "manufacturer": "CISCO", "managedBy": "CISCO",
			"supportedFor": []string{"PEOPLE", "PLACE"}, "onboardingMethod": onboarding, "numberOfLinePorts": m.lines, "customizableLineLabelEnabled": m.codes,
			"supportsApplyChangesEnabled": true, "allowConfigureLinesEnabled": true,
		})
	}
	return ok(map[string]any{"upgradeChannelList": []string{"STABLE", "STABLE_DELAY"}, "devices": list})
}
