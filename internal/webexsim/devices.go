package webexsim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// deviceKind is a sort of device somebody may have.
type deviceKind int

const (
	desk9851 deviceKind = iota
	desk9861
	desk8845
	video8875
	dect
	dectOffline
	room
)

type deviceModel struct {
	product, model, modelType, typ, status string
	lines                                  int
	codes                                  bool // new ones are brought in with an activation code
}

var deviceModels = []deviceModel{
	desk9851:    {"Cisco Desk Phone 9851", "DMS Cisco 9851", "DESK_PHONE", "phone", "connected", 10, true},
	desk9861:    {"Cisco Desk Phone 9861", "DMS Cisco 9861", "DESK_PHONE", "phone", "connected", 16, true},
	desk8845:    {"Cisco IP Phone 8845", "DMS Cisco 8845", "MPP", "phone", "connected_with_issues", 10, true},
	video8875:   {"Cisco Video Phone 8875", "DMS Cisco 8875", "MPP", "phone", "connected", 16, true},
	dect:        {"Cisco IP DECT 6823", "DMS Cisco DBS110", "MPP", "phone", "connected", 2, false},
	dectOffline: {"Cisco IP DECT 6823", "DMS Cisco DBS110", "MPP", "phone", "disconnected", 2, false},
	room:        {"Cisco Desk Pro", "Cisco Desk Pro", "ROOM_OS", "roomdesk", "offline_expired", 1, false},
}

// device is one that a person has.
type device struct {
	slot       int
	kind       deviceKind
	activating bool // waits for its code
}

// addedDevice is one for which a code was made.
type addedDevice struct {
	device
	created, expires time.Time
}

// generatedDevices are those of the story, or what the die says.
func (o *org) generatedDevices(i int) []deviceKind {
	if !o.calling(i) {
		return nil
	}
	if o.people[i].role >= 0 {
		return o.role(i).devices
	}
	switch die := dice(o.seed, kindDevice, i, 0); die % 10 {
	case 0, 1, 2:
		return nil
	case 3:
		return []deviceKind{deviceKind(die / 16 % 4), dect}
	default:
		return []deviceKind{deviceKind(die / 16 % uint64(len(deviceModels)))}
	}
}

// devicesOf are a person's devices now.
func (s *Sim) devicesOf(i int) []device {
	o := s.org
	if !o.calling(i) || o.deleted[i] {
		return nil
	}
	var list []device
	for slot, kind := range o.generatedDevices(i) {
		if !o.removed[i*slots+slot] {
			list = append(list, device{slot: slot, kind: kind})
		}
	}
	for _, a := range o.added[i] {
		if !o.removed[i*slots+a.slot] && a.expires.After(s.now()) {
			list = append(list, a.device)
		}
	}
	return list
}

// ownedDevice is a device of the person i.
type ownedDevice struct {
	i int
	device
}

// allDevices lists the devices with which everybody began, in the order of the
// lists, those of deleted people, too. It is made once: a thousand pages of 100,000
// people's devices must not look at each person a thousand times.
func (o *org) allDevices() []ownedDevice {
	var list []ownedDevice
	order := o.order(kindDevice, len(o.people))
	for position := range o.people {
		i := order(position)
		for slot, kind := range o.generatedDevices(i) {
			list = append(list, ownedDevice{i, device{slot: slot, kind: kind}})
		}
	}
	return list
}

const slots = 1024 // per person, for the numbering of devices

// deviceID is the id of the slot-th device of a person. The platform and the
// calling view name one device by ids of different types (NOTES.md section 4).
func (o *org) deviceID(typ string, i, slot int) string {
	return encodeID(clusterDv, typ, uuid(o.seed, kindDevice, i*slots+slot))
}

func (s *Sim) deviceByID(typ, id string) (owner int, d device, known bool) {
	_, is, rest, err := decodeID(id)
	n, known := number(s.org.seed, kindDevice, rest)
	if err != nil || is != typ || !known {
		return 0, device{}, false
	}
	return s.device(n)
}

// device finds a device by its number.
func (s *Sim) device(n int) (owner int, d device, known bool) {
	if n/slots >= len(s.org.people) {
		return 0, device{}, false
	}
	for _, d := range s.devicesOf(n / slots) {
		if d.slot == n%slots {
			return n / slots, d, true
		}
	}
	return 0, device{}, false
}

func (o *org) mac(i, slot int) string {
	// The locally administered range: no maker's address.
	return fmt.Sprintf("02%010X", dice(o.seed, kindDevice, i, 100+slot)&0xFFFFFFFFFF)
}

func (o *org) deviceJSON(i int, d device) map[string]any {
	slot, kind := d.slot, d.kind
	m, mac := deviceModels[kind], o.mac(i, slot)
	die := dice(o.seed, kindDevice, i, 200+slot)
	v := map[string]any{
		"id": o.deviceID("DEVICE", i, slot), "webexDeviceId": o.deviceID("DEVICE", i, slot), "callingDeviceId": padID(o.deviceID("CALLING_DEVICE", i, slot)),
		"displayName": o.displayName(i), "personId": o.personID(i), "orgId": o.orgID(), "capabilities": []string{}, "permissions": []string{},
		"connectionStatus": m.status, "product": m.product, "type": m.typ, "tags": []string{}, "ip": fmt.Sprintf("192.0.2.%d", 1+die%250),
		"activeInterface": "wired", "mac": colons(mac), "primarySipUrl": "", "sipUrls": []string{}, "serial": fmt.Sprintf("SIM%08X", die&0xFFFFFFFF), "software": "PhoneOS.3.2.1.0001",
		"upgradeChannel": "stable", "created": stamp(die), "locationId": o.locationID(int(o.people[i].place)), "errorCodes": []string{},
		"firstSeen": stamp(die), "lastSeen": stamp(die + 86400*500), "managedBy": "CISCO", "devicePlatform": "cisco", "lifecycle": "ACTIVE",
		"plannedMaintenance": "off", // a word where the schema has an object
	}
	if d.activating {
		v["connectionStatus"] = "activating"
		for _, key := range []string{"webexDeviceId", "ip", "mac", "serial", "software", "activeInterface", "firstSeen", "lastSeen"} {
			delete(v, key)
		}
		for _, a := range o.added[i] {
			if a.slot == slot {
				v["created"] = iso(a.created)
			}
		}
		return v
	}
	switch kind {
	case room:
		v["plannedMaintenance"] = map[string]any{"state": "upcoming", "start": "2026-12-01T22:00:00Z", "end": "2026-12-01T23:00:00Z"}
		v["capabilities"], v["permissions"] = []string{"xapi"}, []string{"xapi:readonly"}
	case desk8845:
		v["errorCodes"] = []string{"sipprofileregistration"}
	case dectOffline:
		delete(v, "ip")
		delete(v, "webexDeviceId")
	}
	return v
}

func colons(mac string) string {
	var parts []string
	for i := 0; i < len(mac); i += 2 {
		parts = append(parts, mac[i:i+2])
	}
	return strings.Join(parts, ":")
}

func (s *Sim) listDevices(c *call) answer {
	o, q := s.org, c.query
	var list []ownedDevice
	add := func(i int) {
		for _, d := range s.devicesOf(i) {
			list = append(list, ownedDevice{i, d})
		}
	}
	location := -1
	person := q.Get("personId")
	switch {
	case person != "":
		i, known := o.personByID(person)
		if known && c.mayRead(o, i) {
			add(i)
		} else if !known {
			return s.refuse(c, invalid(0, "Invalid personId."))
		}
	case !c.token.subject.machine:
		if i, known := o.personByUUID(c.token.subject.uuid); known {
			add(i)
		}
	default:
		if id := q.Get("locationId"); id != "" {
			at, known := o.locationByID(id)
			if !known {
				return s.refuse(c, invalid(0, "Invalid locationId."))
			}
			location = at
		}
		list = o.devices()
		for _, i := range slices.Sorted(maps.Keys(o.added)) {
			for _, a := range o.added[i] {
				if a.expires.After(s.now()) {
					list = append(list, ownedDevice{i, a.device})
				}
			}
		}
	}
	status, typ := q.Get("connectionStatus"), q.Get("type")
	name, mac := strings.ToLower(q.Get("displayName")), strings.ToUpper(strings.ReplaceAll(q.Get("mac"), ":", ""))
	return s.callingPage(c, "items", len(list), func(position int) bool {
		d := list[position]
		m := &deviceModels[d.kind]
		state := m.status
		if d.activating {
			state = "activating"
		}
		return !o.deleted[d.i] && !o.removed[d.i*slots+d.slot] && (location < 0 || int(o.people[d.i].place) == location) && (status == "" || status == state) &&
			(typ == "" || typ == m.typ) && (name == "" || strings.Contains(strings.ToLower(o.displayName(d.i)), name)) &&
			(mac == "" || !d.activating && o.mac(d.i, d.slot) == mac)
	}, func(position int) map[string]any {
		return o.deviceJSON(list[position].i, list[position].device)
	})
}

var deviceNotFound = &refusal{status: http.StatusNotFound, message: "Device not found"}

func (s *Sim) getDevice(c *call) answer {
	i, d, known := s.deviceByID("DEVICE", c.PathValue("deviceId"))
	if !known || !c.mayRead(s.org, i) {
		return s.refuse(c, deviceNotFound)
	}
	return ok(s.org.deviceJSON(i, d))
}

// callingDevices is the calling view: MAC without colons, the owner's id of type PERSON, ids padded.
// Other people's phones on which the person has a line are there, too.
func (s *Sim) callingDevices(_ *call, i int) answer {
	list := []any{}
	for _, d := range s.devicesOf(i) {
		if deviceModels[d.kind].modelType != "ROOM_OS" {
			list = append(list, s.org.callingDeviceJSON(i, d, true))
		}
	}
	for _, n := range s.sharedPhones(i) {
		owner, d, _ := s.device(n)
		list = append(list, s.org.callingDeviceJSON(owner, d, false))
	}
	return ok(map[string]any{"devices": list, "maxDeviceCount": 35, "maxOwnedDeviceCount": maxOwned})
}

func (o *org) callingDeviceJSON(owner int, d device, own bool) map[string]any {
	m := deviceModels[d.kind]
	v := map[string]any{
		"id": padID(o.deviceID("CALLING_DEVICE", owner, d.slot)), "description": []string{o.displayName(owner) + " (" + m.product + ")"}, "model": m.model, "modelType": m.modelType,
		"mac": o.mac(owner, d.slot), "primaryOwner": own, "type": "PRIMARY", "activationState": "ACTIVATED",
		"hoteling": map[string]any{"enabled": false},
		"owner": map[string]any{
			"id": encodeID(clusterUS, "PERSON", o.personUUID(owner)), "type": "PEOPLE", "firstName": o.firstName(owner), "lastName": o.lastName(owner),
			"location": map[string]any{"id": o.locationID(int(o.people[owner].place)), "name": o.at(owner).name},
		},
	}
	if !own {
		v["type"] = "SHARED_CALL_APPEARANCE"
	}
	if d.activating {
		v["activationState"] = "ACTIVATING"
		delete(v, "mac")
	}
	return v
}
