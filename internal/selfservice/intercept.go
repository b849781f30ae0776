package selfservice

import (
	"patchbay/internal/problem"
	"patchbay/internal/webex"
)

// intercept takes a line out of service and tells callers where to turn.
func intercept() *Setting {
	return &Setting{
		Name: "intercept", Group: "calls", Services: []string{"Intercept User", "Call Intercept"},
		Fields: []Field{
			{Path: "enabled", Kind: Bool},
			{Path: "incoming.type", Kind: Choice, Choices: []string{"INTERCEPT_ALL", "ALLOW_ALL"}},
			{Path: "incoming.voicemailEnabled", Kind: Bool},
			{Path: "incoming.announcements.greeting", Kind: Choice, Choices: []string{"CUSTOM", "DEFAULT"}},
			{Path: "incoming.announcements.filename", Kind: Text, ReadOnly: true},
			{Path: "incoming.announcements.newNumber.enabled", Kind: Bool},
			{Path: "incoming.announcements.newNumber.destination", Kind: Destination},
			{Path: "incoming.announcements.zeroTransfer.enabled", Kind: Bool},
			{Path: "incoming.announcements.zeroTransfer.destination", Kind: Destination},
			{Path: "outgoing.type", Kind: Choice, Choices: []string{"INTERCEPT_ALL", "ALLOW_LOCAL_ONLY"}},
			{Path: "outgoing.transferEnabled", Kind: Bool},
			{Path: "outgoing.destination", Kind: Destination},
		},
		Check: checkIntercept,
		read:  reads((*webex.Client).GetIntercept),
		write: writes((*webex.Client).UpdateIntercept),
	}
}

func checkIntercept(in CheckInput) []problem.Field {
	var faults []problem.Field
	for _, p := range []struct{ object, enabled, destination string }{
		{"incoming.announcements.newNumber", "incoming.announcements.newNumber.enabled", "incoming.announcements.newNumber.destination"},
		{"incoming.announcements.zeroTransfer", "incoming.announcements.zeroTransfer.enabled", "incoming.announcements.zeroTransfer.destination"},
		{"outgoing", "outgoing.transferEnabled", "outgoing.destination"},
	} {
		if in.Touched(p.object) && in.After.Bool(p.enabled) && in.After.Text(p.destination) == "" {
			faults = append(faults, fault(p.destination, "check.destination.missing"))
		}
	}
	const announcements = "incoming.announcements"
	if in.Touched(announcements+".greeting") && in.After.Text(announcements+".greeting") == "CUSTOM" && in.After.Text(announcements+".filename") == "" {
		faults = append(faults, fault(announcements+".greeting", "check.greeting"))
	}
	return faults
}
