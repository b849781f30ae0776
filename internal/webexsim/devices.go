package webexsim

import (
	"fmt"
	"strings"
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
}

var deviceModels = []deviceModel{
	desk9851:    {"Cisco Desk Phone 9851", "DMS Cisco 9851", "DESK_PHONE", "phone", "connected"},
	desk9861:    {"Cisco Desk Phone 9861", "DMS Cisco 9861", "DESK_PHONE", "phone", "connected"},
	desk8845:    {"Cisco IP Phone 8845", "DMS Cisco 8845", "MPP", "phone", "connected_with_issues"},
	video8875:   {"Cisco Video Phone 8875", "DMS Cisco 8875", "MPP", "phone", "connected"},
	dect:        {"Cisco IP DECT 6823", "DMS Cisco DBS110", "MPP", "phone", "connected"},
	dectOffline: {"Cisco IP DECT 6823", "DMS Cisco DBS110", "MPP", "phone", "disconnected"},
	room:        {"Cisco Desk Pro", "Cisco Desk Pro", "ROOM_OS", "roomdesk", "offline_expired"},
}

// devicesOf are the phones of a person: those of the story, or what the die says.
func (o *org) devicesOf(i int) []deviceKind {
	if o.deleted[i] {
		return nil
	}
	return o.devicesFromSeed(i)
}

// devicesFromSeed leaves aside whether the person was deleted since.
func (o *org) devicesFromSeed(i int) []deviceKind {
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

// ownedDevice is the slot-th device of the person i.
type ownedDevice struct {
	i, slot int
	kind    deviceKind
}

// allDevices lists the devices of everybody in the order of the lists, those of
// deleted people, too. It is made once: a thousand pages of 100,000 people's
// devices must not look at each person a thousand times.
func (o *org) allDevices() []ownedDevice {
	var list []ownedDevice
	order := o.order(kindDevice, len(o.people))
	for position := range o.people {
		i := order(position)
		for slot, k := range o.devicesFromSeed(i) {
			list = append(list, ownedDevice{i, slot, k})
		}
	}
	return list
}

const slots = 16 // per person, for the numbering of devices

// deviceID is the id of the slot-th device of a person. The platform and the
// calling view name one device by ids of different types (NOTES.md section 4).
func (o *org) deviceID(typ string, i, slot int) string {
	return encodeID(clusterDv, typ, uuid(o.seed, kindDevice, i*slots+slot))
}

func (o *org) mac(i, slot int) string {
	// The locally administered range: no maker's address.
	return fmt.Sprintf("02%010X", dice(o.seed, kindDevice, i, 100+slot)&0xFFFFFFFFFF)
}

func (o *org) deviceJSON(i, slot int, kind deviceKind) map[string]any {
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
		for slot, k := range o.devicesOf(i) {
			list = append(list, ownedDevice{i, slot, k})
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
	}
	status, typ := q.Get("connectionStatus"), q.Get("type")
	name, mac := strings.ToLower(q.Get("displayName")), strings.ToUpper(strings.ReplaceAll(q.Get("mac"), ":", ""))
	return s.callingPage(c, "items", len(list), func(position int) bool {
		d := list[position]
		m := &deviceModels[d.kind]
		return !o.deleted[d.i] && (location < 0 || int(o.people[d.i].place) == location) && (status == "" || status == m.status) && (typ == "" || typ == m.typ) &&
			(name == "" || strings.Contains(strings.ToLower(o.displayName(d.i)), name)) && (mac == "" || o.mac(d.i, d.slot) == mac)
	}, func(position int) map[string]any {
		d := list[position]
		return o.deviceJSON(d.i, d.slot, d.kind)
	})
}

func (s *Sim) getDevice(c *call) answer {
	o := s.org
	_, typ, rest, err := decodeID(c.PathValue("deviceId"))
	n, known := number(o.seed, kindDevice, rest)
	if err != nil || typ != "DEVICE" || !known || n/slots >= len(o.people) {
		return s.refuse(c, &refusal{status: 404, message: "Device not found"})
	}
	list := o.devicesOf(n / slots)
	if n%slots >= len(list) || !c.mayRead(o, n/slots) {
		return s.refuse(c, &refusal{status: 404, message: "Device not found"})
	}
	return ok(o.deviceJSON(n/slots, n%slots, list[n%slots]))
}

// callingDevices is the calling view: MAC without colons, the owner's id of type PERSON, ids padded.
func (s *Sim) callingDevices(_ *call, i int) answer {
	o := s.org
	list := []any{}
	for slot, k := range o.devicesOf(i) {
		m := deviceModels[k]
		if m.modelType == "ROOM_OS" {
			continue
		}
		v := map[string]any{
			"id": padID(o.deviceID("CALLING_DEVICE", i, slot)), "description": []string{o.displayName(i) + " (" + m.product + ")"}, "model": m.model, "modelType": m.modelType,
			"mac": o.mac(i, slot), "primaryOwner": true, "type": "PRIMARY", "activationState": "ACTIVATED",
			"hoteling": map[string]any{"enabled": false},
			"owner": map[string]any{
				"id": encodeID(clusterUS, "PERSON", o.personUUID(i)), "type": "PEOPLE", "firstName": o.firstName(i), "lastName": o.lastName(i),
				"location": map[string]any{"id": o.locationID(int(o.people[i].place)), "name": o.at(i).name},
			},
		}
		list = append(list, v)
	}
	return ok(map[string]any{"devices": list, "maxDeviceCount": 35, "maxOwnedDeviceCount": 5})
}
