package selfservice

import "patchbay/internal/webex"

// doNotDisturb stops the phones from ringing.
func doNotDisturb() *Setting {
	return &Setting{
		Name: "doNotDisturb", Group: "calls", Services: []string{"Do Not Disturb"},
		Fields: []Field{
			{Path: "enabled", Kind: Bool},
			{Path: "ringSplashEnabled", Kind: Bool},
			// Demanded even for people without Webex Go (spec, do not disturb PUT).
			{Path: "webexGoOverrideEnabled", Kind: Bool, Required: true},
		},
		read:  reads((*webex.Client).GetDoNotDisturb),
		write: writes((*webex.Client).UpdateDoNotDisturb),
	}
}

// callWaiting offers a second call during a first one.
func callWaiting() *Setting {
	return &Setting{
		Name: "callWaiting", Group: "calls", FeatureKey: "callWaiting", Services: []string{"Call Waiting"},
		Fields: []Field{{Path: "enabled", Kind: Bool, Required: true}},
		read:   reads((*webex.Client).GetCallWaiting),
		write:  writes((*webex.Client).UpdateCallWaiting),
	}
}
