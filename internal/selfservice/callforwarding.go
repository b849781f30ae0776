package selfservice

import (
	"patchbay/internal/problem"
	"patchbay/internal/webex"
)

// ForwardingKinds are the objects of call forwarding, each with enabled and
// destination, in the order in which people meet them.
var ForwardingKinds = []string{"callForwarding.always", "callForwarding.busy", "callForwarding.noAnswer", "businessContinuity"}

// callForwarding sends calls elsewhere: always, when busy, when nobody answers,
// when the phone is offline.
func callForwarding() *Setting {
	s := &Setting{
		Name: "callForwarding", Group: "calls", FeatureKey: "callForwarding",
		Services: []string{"Call Forwarding Always", "Call Forwarding Busy", "Call Forwarding No Answer", "Call Forwarding Not Reachable"},
		Check:    checkCallForwarding,
		read:     reads((*webex.Client).GetCallForwarding),
		write:    writes((*webex.Client).UpdateCallForwarding),
	}
	for _, kind := range ForwardingKinds {
		s.Fields = append(s.Fields,
			Field{Path: kind + ".enabled", Kind: Bool, Required: kind == "callForwarding.always"},
			Field{Path: kind + ".destination", Kind: Destination},
			Field{Path: kind + ".destinationVoicemailEnabled", Kind: Bool},
		)
		switch kind {
		case "callForwarding.always":
			s.Fields = append(s.Fields, Field{Path: kind + ".ringReminderEnabled", Kind: Bool})
		case "callForwarding.noAnswer":
			s.Fields = append(s.Fields,
				Field{Path: kind + ".numberOfRings", Kind: Integer, Min: 2, Max: 20},
				Field{Path: kind + ".systemMaxNumberOfRings", Kind: Integer, ReadOnly: true})
		}
	}
	return s
}

func checkCallForwarding(in CheckInput) []problem.Field {
	var faults []problem.Field
	for _, kind := range ForwardingKinds {
		if !in.Touched(kind) {
			continue
		}
		destination := in.After.Text(kind + ".destination")
		switch {
		case in.After.Bool(kind+".enabled") && destination == "":
			faults = append(faults, fault(kind+".destination", "check.destination.missing"))
		case in.After.Bool(kind+".enabled") && in.IsOwn(destination):
			faults = append(faults, fault(kind+".destination", "check.destination.own"))
		}
	}
	const noAnswer = "callForwarding.noAnswer"
	if most := in.After.Int(noAnswer + ".systemMaxNumberOfRings"); in.Touched(noAnswer) && most > 0 && in.After.Int(noAnswer+".numberOfRings") > most {
		faults = append(faults, fault(noAnswer+".numberOfRings", "check.rings", "Max", most))
	}
	return faults
}
