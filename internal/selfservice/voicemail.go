package selfservice

import "patchbay/internal/webex"

// voicemail is read for the way a call takes; changing it needs its own page.
func voicemail() *Setting {
	return &Setting{
		Name: "voicemail", Group: "voicemail", FeatureKey: "voicemail", Services: []string{"Voice Messaging User", "Voicemail"},
		read: reads((*webex.Client).GetVoicemail),
	}
}
