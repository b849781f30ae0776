package webexsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// settingKey names a setting of a person: the last part of its path.
type settingKey struct {
	person int
	name   string
}

// setting describes one of the settings under /people/{personId}/features.
type setting struct {
	initial  func(o *org, i int) map[string]any
	writable map[string]string // dotted path to type: object, bool, int, string, or words joined by |
	required []string          // must be there whenever the object around them is
	check    func(merged map[string]any) *refusal
}

// rings are the limits of numberOfRings; the greatest is also what
// systemMaxNumberOfRings says.
const minRings, maxRings = 2, 20

var settings = map[string]setting{
	"callForwarding": {
		initial: func(*org, int) map[string]any {
			return map[string]any{
				"callForwarding": map[string]any{
					"always":   map[string]any{"enabled": false, "ringReminderEnabled": false, "destinationVoicemailEnabled": false},
					"busy":     map[string]any{"enabled": false, "destinationVoicemailEnabled": false},
					"noAnswer": map[string]any{"enabled": false, "numberOfRings": 3, "systemMaxNumberOfRings": maxRings, "destinationVoicemailEnabled": false},
				},
				"businessContinuity": map[string]any{"enabled": false, "destinationVoicemailEnabled": false},
			}
		},
		writable: shape(
			"callForwarding object",
			"callForwarding.always object", "callForwarding.always.enabled bool", "callForwarding.always.destination string", "callForwarding.always.ringReminderEnabled bool", "callForwarding.always.destinationVoicemailEnabled bool",
			"callForwarding.busy object", "callForwarding.busy.enabled bool", "callForwarding.busy.destination string", "callForwarding.busy.destinationVoicemailEnabled bool",
			"callForwarding.noAnswer object", "callForwarding.noAnswer.enabled bool", "callForwarding.noAnswer.destination string", "callForwarding.noAnswer.numberOfRings int", "callForwarding.noAnswer.destinationVoicemailEnabled bool",
			"businessContinuity object", "businessContinuity.enabled bool", "businessContinuity.destination string", "businessContinuity.destinationVoicemailEnabled bool",
		),
		required: []string{"callForwarding.always.enabled"},
		check: func(v map[string]any) *refusal {
			for _, path := range []string{"callForwarding.always", "callForwarding.busy", "callForwarding.noAnswer", "businessContinuity"} {
				if r := needsDestination(v, path, true); r != nil {
					return r
				}
			}
			return checkRings(v, "callForwarding.noAnswer.numberOfRings")
		},
	},
	"callWaiting": {
		initial:  func(*org, int) map[string]any { return map[string]any{"enabled": true} },
		writable: shape("enabled bool"),
		required: []string{"enabled"},
	},
	"doNotDisturb": {
		initial: func(*org, int) map[string]any {
			return map[string]any{"enabled": false, "ringSplashEnabled": false, "webexGoOverrideEnabled": false}
		},
		writable: shape("enabled bool", "ringSplashEnabled bool", "webexGoOverrideEnabled bool"),
		required: []string{"webexGoOverrideEnabled"},
	},
	"intercept": {
		initial: func(*org, int) map[string]any {
			return map[string]any{
				"enabled": false,
				"incoming": map[string]any{
					"type": "INTERCEPT_ALL", "voicemailEnabled": false,
					"announcements": map[string]any{
						"greeting": "DEFAULT", "filename": "",
						"newNumber":    map[string]any{"enabled": false},
						"zeroTransfer": map[string]any{"enabled": false},
					},
				},
				"outgoing": map[string]any{"type": "INTERCEPT_ALL", "transferEnabled": false},
			}
		},
		writable: shape(
			"enabled bool",
			"incoming object", "incoming.type INTERCEPT_ALL|ALLOW_ALL", "incoming.voicemailEnabled bool",
			"incoming.announcements object", "incoming.announcements.greeting CUSTOM|DEFAULT",
			"incoming.announcements.newNumber object", "incoming.announcements.newNumber.enabled bool", "incoming.announcements.newNumber.destination string",
			"incoming.announcements.zeroTransfer object", "incoming.announcements.zeroTransfer.enabled bool", "incoming.announcements.zeroTransfer.destination string",
			"outgoing object", "outgoing.type INTERCEPT_ALL|ALLOW_LOCAL_ONLY", "outgoing.transferEnabled bool", "outgoing.destination string",
		),
		check: func(v map[string]any) *refusal {
			for _, path := range []string{"incoming.announcements.newNumber", "incoming.announcements.zeroTransfer"} {
				if r := needsDestination(v, path, true); r != nil {
					return r
				}
			}
			if at(v, "outgoing.transferEnabled") == true && at(v, "outgoing.destination") == nil {
				return invalid(4415, "Destination is required when transfer of outgoing calls is enabled.")
			}
			return needsDestination(v, "outgoing", false)
		},
	},
	"voicemail": {
		initial: func(o *org, i int) map[string]any {
			return map[string]any{
				"enabled":                       true,
				"sendAllCalls":                  map[string]any{"enabled": false},
				"sendBusyCalls":                 map[string]any{"enabled": true, "greeting": "DEFAULT", "greetingUploaded": false},
				"sendUnansweredCalls":           map[string]any{"enabled": true, "greeting": "DEFAULT", "greetingUploaded": false, "numberOfRings": 3, "systemMaxNumberOfRings": maxRings},
				"notifications":                 map[string]any{"enabled": false},
				"transferToNumber":              map[string]any{"enabled": false},
				"emailCopyOfMessage":            map[string]any{"enabled": true, "emailId": o.email(i)},
				"messageStorage":                map[string]any{"mwiEnabled": true, "storageType": "INTERNAL", "externalEmail": o.email(i)},
				"faxMessage":                    map[string]any{"enabled": false},
				"voiceMessageForwardingEnabled": false,
			}
		},
		writable: shape(
			"enabled bool", "sendAllCalls object", "sendAllCalls.enabled bool",
			"sendBusyCalls object", "sendBusyCalls.enabled bool", "sendBusyCalls.greeting CUSTOM|DEFAULT",
			"sendUnansweredCalls object", "sendUnansweredCalls.enabled bool", "sendUnansweredCalls.greeting CUSTOM|DEFAULT", "sendUnansweredCalls.numberOfRings int",
			"notifications object", "notifications.enabled bool", "notifications.destination string", "notifications.smsDestination string",
			"transferToNumber object", "transferToNumber.enabled bool", "transferToNumber.destination string",
			"emailCopyOfMessage object", "emailCopyOfMessage.enabled bool", "emailCopyOfMessage.emailId string",
			"messageStorage object", "messageStorage.mwiEnabled bool", "messageStorage.storageType INTERNAL|EXTERNAL", "messageStorage.externalEmail string",
			"faxMessage object", "faxMessage.enabled bool", "faxMessage.phoneNumber string", "faxMessage.extension string",
		),
		required: []string{"notifications", "transferToNumber"},
		check: func(v map[string]any) *refusal {
			if r := needsDestination(v, "transferToNumber", true); r != nil {
				return r
			}
			if at(v, "notifications.enabled") == true && at(v, "notifications.destination") == nil && at(v, "notifications.smsDestination") == nil {
				return invalid(4415, "Destination is required when notifications are enabled.")
			}
			return checkRings(v, "sendUnansweredCalls.numberOfRings")
		},
	},
}

// shape reads "path type" pairs.
func shape(fields ...string) map[string]string {
	m := make(map[string]string, len(fields))
	for _, f := range fields {
		path, typ, _ := strings.Cut(f, " ")
		m[path] = typ
	}
	return m
}

// setting is a copy of the person's present setting. The caller holds Sim.mu.
func (o *org) setting(i int, name string) map[string]any {
	if v, ok := o.settings[settingKey{i, name}]; ok {
		return clone(v)
	}
	return settings[name].initial(o, i)
}

// shownSetting is what a GET answers: no empty destinations, and numbers in the form of the location.
func (o *org) shownSetting(i int, name string) map[string]any {
	v := o.setting(i, name)
	show(v, o.at(i))
	return v
}

func show(v map[string]any, p *place) {
	for key, x := range v {
		switch x := x.(type) {
		case map[string]any:
			show(x, p)
		case string:
			switch key {
			case "destination", "smsDestination", "phoneNumber", "extension":
				if x == "" {
					delete(v, key)
				} else {
					v[key] = p.legacyNumber(x)
				}
			}
		}
	}
}

// writeSetting applies a PUT: what is left out stays as it is. It refuses what Webex refuses.
func (o *org) writeSetting(i int, name string, body []byte) *refusal {
	def := settings[name]
	patch, refused := decodeObject(body)
	if refused != nil {
		return refused
	}
	if r := checkShape(patch, "", def.writable, def.required); r != nil {
		return r
	}
	state := o.setting(i, name)
	merge(state, patch)
	dropEmpty(state)
	if def.check != nil {
		if r := def.check(state); r != nil {
			return r
		}
	}
	o.settings[settingKey{i, name}] = state
	return nil
}

func decodeObject(body []byte) (map[string]any, *refusal) {
	var v map[string]any
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil || v == nil || d.More() {
		return nil, &refusal{status: http.StatusBadRequest, message: "The request could not be understood by the server due to malformed syntax."}
	}
	return v, nil
}

// checkShape refuses unknown, read-only, mistyped and missing fields.
func checkShape(v map[string]any, prefix string, writable map[string]string, required []string) *refusal {
	for _, key := range slices.Sorted(maps.Keys(v)) {
		path := prefix + key
		typ, ok := writable[path]
		if !ok {
			return invalid(4410, fmt.Sprintf("Unrecognized or read-only field '%s'.", path))
		}
		switch x := v[key].(type) {
		case map[string]any:
			if typ != "object" {
				return mistyped(path)
			}
			if r := checkShape(x, path+".", writable, required); r != nil {
				return r
			}
		case bool:
			if typ != "bool" {
				return mistyped(path)
			}
		case json.Number:
			n, err := x.Int64()
			if typ != "int" || err != nil {
				return mistyped(path)
			}
			v[key] = int(n)
		case string:
			if typ != "string" && !slices.Contains(strings.Split(typ, "|"), x) || typ == "bool" || typ == "int" || typ == "object" {
				return mistyped(path)
			}
		default: // null and lists
			return mistyped(path)
		}
	}
	for _, path := range required {
		key, ok := strings.CutPrefix(path, prefix)
		if ok && !strings.Contains(key, ".") && v[key] == nil {
			return invalid(4411, fmt.Sprintf("Missing required field '%s'.", path))
		}
	}
	return nil
}

func mistyped(path string) *refusal {
	return invalid(4412, fmt.Sprintf("Invalid value for field '%s'.", path))
}

// dialable is what Webex takes as a destination: digits with an optional +, or a
// feature code. Spaces, brackets and dashes are not.
var dialable = regexp.MustCompile(`^(\+[0-9]{7,15}|[0-9*#]{1,23})$`)

// needsDestination refuses what is switched on and leads nowhere, and destinations that nobody can dial.
func needsDestination(v map[string]any, path string, whenEnabled bool) *refusal {
	destination, _ := at(v, path+".destination").(string)
	if destination != "" && !dialable.MatchString(destination) {
		return invalid(4470, fmt.Sprintf("Invalid phone number in '%s.destination'.", path))
	}
	if whenEnabled && at(v, path+".enabled") == true && destination == "" {
		return invalid(4415, fmt.Sprintf("Destination is required when '%s' is enabled.", path))
	}
	return nil
}

func checkRings(v map[string]any, path string) *refusal {
	if n, _ := at(v, path).(int); n < minRings || n > maxRings {
		return invalid(4418, fmt.Sprintf("'%s' must be between %d and %d.", path, minRings, maxRings))
	}
	return nil
}

// at reads a dotted path; nil when there is nothing.
func at(v map[string]any, path string) any {
	head, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		return v[head]
	}
	inner, _ := v[head].(map[string]any)
	return at(inner, rest)
}

// merge puts the fields of patch into v, object by object.
func merge(v, patch map[string]any) {
	for key, x := range patch {
		switch x := x.(type) {
		case map[string]any:
			inner, ok := v[key].(map[string]any)
			if !ok {
				inner = map[string]any{}
				v[key] = inner
			}
			merge(inner, x)
		case float64: // from encoding/json without UseNumber; all numbers here are whole
			v[key] = int(x)
		default:
			v[key] = x
		}
	}
}

// dropEmpty removes destinations that were cleared with "".
func dropEmpty(v map[string]any) {
	for key, x := range v {
		switch x := x.(type) {
		case map[string]any:
			dropEmpty(x)
		case string:
			if x == "" && (key == "destination" || key == "smsDestination") {
				delete(v, key)
			}
		}
	}
}

func clone(v map[string]any) map[string]any {
	c := make(map[string]any, len(v))
	for key, x := range v {
		if inner, ok := x.(map[string]any); ok {
			x = clone(inner)
		}
		c[key] = x
	}
	return c
}

// accessKeys are the features whose access an organization decides on
// (AUTH.md 2.6, wxc_sdk person_settings/feature_access).
var accessKeys = []string{
	"anonymousCallRejection", "bargeIn", "blockCallerId", "callForwarding", "callWaiting", "callNotify", "connectedLineIdentity", "executive", "hoteling",
	"priorityAlert", "selectivelyAcceptCalls", "selectivelyRejectCalls", "selectivelyForwardCalls", "sequentialRing", "simultaneousRing", "singleNumberReach",
	"voicemail", "sendCallsToVoicemail", "voicemailEmailCopy", "voicemailFaxMessaging", "voicemailMessageStorage", "voicemailNotifications",
	"voicemailTransferNumber", "generateActivationCode", "voicemailDownload", "speedDial",
}

func (o *org) accessOf(i int) map[string]any {
	own, defaults := o.orgAccess, true
	if a := o.access[i]; a != nil {
		own, defaults = a.own, a.dormant
	}
	return map[string]any{
		"userOrgSettingsPermissionEnabled": defaults,
		"userOrgSettingsPermissions":       maps.Clone(o.orgAccess),
		"userSettingsPermissions":          maps.Clone(own),
	}
}

// services are free text, as Webex has them, in no order.
func (o *org) services(i int) []string {
	list := []string{
		"Anonymous Call Rejection", "Barge-in Exempt", "Call Forwarding Always", "Call Forwarding Busy", "Call Forwarding No Answer", "Call Forwarding Not Reachable",
		"Call Waiting", "Do Not Disturb", "Intercept User", "Call Notify", "Call Recording", "Remote Office", "Directed Call Pickup", "Selective Call Rejection",
		"Simultaneous Ring Personal", "Shared Call Appearance 35", "Basic Call Logs", "Calling Line ID Delivery Blocking", "Push to Talk", "Busy Lamp Field",
	}
	if o.setting(i, "voicemail")["enabled"] == true {
		list = append(list, "Voice Messaging User")
	}
	if len(o.agentOf[i]) > 0 {
		list = append(list, "Call Center - Standard")
	}
	turn := int(dice(o.seed, kindPerson, i, 30) % uint64(len(list)))
	return append(list[turn:], list[:turn]...)
}
