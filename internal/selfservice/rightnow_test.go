package selfservice

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestPathOf(t *testing.T) {
	t.Parallel()
	const (
		none      = `{}`
		voicemail = `{"enabled":true,"sendAllCalls":{"enabled":false},"sendBusyCalls":{"enabled":true},"sendUnansweredCalls":{"enabled":true,"numberOfRings":4}}`
		always    = `{"callForwarding":{"always":{"enabled":true,"destination":"+493023125100"},"busy":{"enabled":true,"destination":"1001","destinationVoicemailEnabled":true}}}`
		busy      = `{"callForwarding":{"busy":{"enabled":true,"destination":"1001","destinationVoicemailEnabled":true}}}`
		noAnswer  = `{"callForwarding":{"noAnswer":{"enabled":true,"destination":"1002","numberOfRings":3}},"businessContinuity":{"enabled":true,"destination":"1003"}}`
	)
	away := &Target{Kind: ToNumber, Number: "1003"}
	tests := map[string]struct {
		forwarding, dnd, voicemail, intercept string
		want                                  CallPath
	}{
		"nothing is set: it rings on": {none, none, none, none,
			CallPath{State: Reachable, Busy: Target{Kind: ToBusyTone}, NoAnswer: Target{Kind: ToRinging}}},
		"voicemail takes what is not answered": {none, none, voicemail, none,
			CallPath{State: Reachable, Rings: 4, Busy: Target{Kind: ToVoicemail}, NoAnswer: Target{Kind: ToVoicemail}}},
		"voicemail is off as a whole": {none, none, `{"enabled":false,"sendUnansweredCalls":{"enabled":true,"numberOfRings":4}}`, none,
			CallPath{State: Reachable, Busy: Target{Kind: ToBusyTone}, NoAnswer: Target{Kind: ToRinging}}},
		"forwarding comes before voicemail": {noAnswer, none, voicemail, none,
			CallPath{State: Reachable, Rings: 3, Busy: Target{Kind: ToVoicemail}, NoAnswer: Target{Kind: ToNumber, Number: "1002"}, Unreachable: away}},
		"voicemail takes all": {none, `{"enabled":true}`, `{"enabled":true,"sendAllCalls":{"enabled":true}}`, none,
			CallPath{State: VoicemailAll, Target: Target{Kind: ToVoicemail}, Busy: Target{Kind: ToBusyTone}, NoAnswer: Target{Kind: ToRinging}}},
		"do not disturb is like busy": {busy, `{"enabled":true}`, none, none,
			CallPath{State: DoNotDisturb, Target: Target{Kind: ToNumberVoicemail, Number: "1001"}, Busy: Target{Kind: ToNumberVoicemail, Number: "1001"}, NoAnswer: Target{Kind: ToRinging}}},
		"always comes before do not disturb": {always, `{"enabled":true}`, none, none,
			CallPath{State: ForwardedAll, Target: Target{Kind: ToNumber, Number: "+493023125100"}, Busy: Target{Kind: ToNumberVoicemail, Number: "1001"}, NoAnswer: Target{Kind: ToRinging}}},
		"intercept comes before all": {always, none, none, `{"enabled":true,"incoming":{"type":"INTERCEPT_ALL"}}`,
			CallPath{State: OutOfService, Target: Target{Kind: ToAnnouncement}, Busy: Target{Kind: ToNumberVoicemail, Number: "1001"}, NoAnswer: Target{Kind: ToRinging}}},
		"intercept of outgoing calls only lets calls in": {none, none, none, `{"enabled":true,"incoming":{"type":"ALLOW_ALL"}}`,
			CallPath{State: Reachable, Busy: Target{Kind: ToBusyTone}, NoAnswer: Target{Kind: ToRinging}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := pathOf(map[string]Reading{
				"callForwarding": {Document: document(t, tt.forwarding)}, "doNotDisturb": {Document: document(t, tt.dnd)},
				"voicemail": {Document: document(t, tt.voicemail)}, "intercept": {Document: document(t, tt.intercept)},
			})
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(CallPath{}, "Readings", "At")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
