package webex

import "context"

// The settings of a person. What is read has a pointer for every field that
// Webex may leave out, so that absent stays apart from false; the Update of a
// setting holds exactly what the contract allows in its PUT, and a nil field is
// not sent: Webex leaves it as it is (sdk sends only the fields that are set).

// CallForwarding says where a person's calls go.
type CallForwarding struct {
	CallForwarding     *ForwardingRules    `json:"callForwarding,omitempty"`
	BusinessContinuity *BusinessContinuity `json:"businessContinuity,omitempty"` // when the phone is unreachable
}

// ForwardingRules are the three cases of forwarding.
type ForwardingRules struct {
	Always   *ForwardAlways   `json:"always,omitempty"`
	Busy     *ForwardBusy     `json:"busy,omitempty"`
	NoAnswer *ForwardNoAnswer `json:"noAnswer,omitempty"`
}

// ForwardAlways forwards every call. An unset destination is absent (spec).
type ForwardAlways struct {
	Enabled                     *bool   `json:"enabled,omitempty"`
	Destination                 *string `json:"destination,omitempty"`
	RingReminderEnabled         *bool   `json:"ringReminderEnabled,omitempty"`
	DestinationVoicemailEnabled *bool   `json:"destinationVoicemailEnabled,omitempty"` // the destination's voicemail, an internal number
}

// ForwardBusy forwards while the person is on a call.
type ForwardBusy struct {
	Enabled                     *bool   `json:"enabled,omitempty"`
	Destination                 *string `json:"destination,omitempty"`
	DestinationVoicemailEnabled *bool   `json:"destinationVoicemailEnabled,omitempty"`
}

// ForwardNoAnswer forwards after some rings.
type ForwardNoAnswer struct {
	Enabled                     *bool   `json:"enabled,omitempty"`
	Destination                 *string `json:"destination,omitempty"`
	NumberOfRings               *int    `json:"numberOfRings,omitempty"`
	SystemMaxNumberOfRings      *int    `json:"systemMaxNumberOfRings,omitempty"` // read only
	DestinationVoicemailEnabled *bool   `json:"destinationVoicemailEnabled,omitempty"`
}

// BusinessContinuity forwards while no phone of the person is reachable.
type BusinessContinuity struct {
	Enabled                     *bool   `json:"enabled,omitempty"`
	Destination                 *string `json:"destination,omitempty"`
	DestinationVoicemailEnabled *bool   `json:"destinationVoicemailEnabled,omitempty"`
}

// CallForwardingUpdate changes call forwarding.
type CallForwardingUpdate struct {
	CallForwarding     *ForwardingRulesUpdate `json:"callForwarding,omitempty"`
	BusinessContinuity *BusinessContinuity    `json:"businessContinuity,omitempty"`
}

// ForwardingRulesUpdate changes the cases that are set. Always needs its Enabled
// (contract). A destination is cleared by "".
type ForwardingRulesUpdate struct {
	Always   *ForwardAlways         `json:"always,omitempty"`
	Busy     *ForwardBusy           `json:"busy,omitempty"`
	NoAnswer *ForwardNoAnswerUpdate `json:"noAnswer,omitempty"`
}

// ForwardNoAnswerUpdate is ForwardNoAnswer without what may not be sent back
// (sdk person_settings/forwarding.py).
type ForwardNoAnswerUpdate struct {
	Enabled                     *bool   `json:"enabled,omitempty"`
	Destination                 *string `json:"destination,omitempty"`
	NumberOfRings               *int    `json:"numberOfRings,omitempty"` // 2 to 20, and at most SystemMaxNumberOfRings
	DestinationVoicemailEnabled *bool   `json:"destinationVoicemailEnabled,omitempty"`
}

// GetCallForwarding reads where a person's calls go. Scope
// spark-admin:people_read.
func (c *Client) GetCallForwarding(ctx context.Context, personID string) (CallForwarding, error) {
	return get[CallForwarding](ctx, c, feature("getPersonCallForwarding", "callForwarding", personID))
}

// UpdateCallForwarding changes where a person's calls go. Scope
// spark-admin:people_write.
func (c *Client) UpdateCallForwarding(ctx context.Context, personID string, u CallForwardingUpdate) error {
	return c.put(ctx, feature("updatePersonCallForwarding", "callForwarding", personID), u)
}

// DoNotDisturb keeps a person's phones quiet.
type DoNotDisturb struct {
	Enabled                *bool `json:"enabled,omitempty"`
	RingSplashEnabled      *bool `json:"ringSplashEnabled,omitempty"`
	WebexGoOverrideEnabled *bool `json:"webexGoOverrideEnabled,omitempty"`
}

// DoNotDisturbUpdate changes do not disturb. WebexGoOverrideEnabled is required,
// even for people without Webex Go (spec).
type DoNotDisturbUpdate struct {
	Enabled                *bool `json:"enabled,omitempty"`
	RingSplashEnabled      *bool `json:"ringSplashEnabled,omitempty"`
	WebexGoOverrideEnabled *bool `json:"webexGoOverrideEnabled,omitempty"`
}

// GetDoNotDisturb reads do not disturb. Scope spark-admin:people_read.
func (c *Client) GetDoNotDisturb(ctx context.Context, personID string) (DoNotDisturb, error) {
	return get[DoNotDisturb](ctx, c, feature("getPersonDoNotDisturb", "doNotDisturb", personID))
}

// UpdateDoNotDisturb changes do not disturb. Scope spark-admin:people_write.
func (c *Client) UpdateDoNotDisturb(ctx context.Context, personID string, u DoNotDisturbUpdate) error {
	return c.put(ctx, feature("updatePersonDoNotDisturb", "doNotDisturb", personID), u)
}

// CallWaiting lets a second call in during a call.
type CallWaiting struct {
	Enabled *bool `json:"enabled,omitempty"`
}

// CallWaitingUpdate changes call waiting. Enabled is required.
type CallWaitingUpdate struct {
	Enabled *bool `json:"enabled,omitempty"`
}

// GetCallWaiting reads call waiting. Scope spark-admin:people_read.
func (c *Client) GetCallWaiting(ctx context.Context, personID string) (CallWaiting, error) {
	return get[CallWaiting](ctx, c, feature("getPersonCallWaiting", "callWaiting", personID))
}

// UpdateCallWaiting changes call waiting. Scope spark-admin:people_write.
func (c *Client) UpdateCallWaiting(ctx context.Context, personID string, u CallWaitingUpdate) error {
	return c.put(ctx, feature("updatePersonCallWaiting", "callWaiting", personID), u)
}

// Intercept takes a person's phone out of service, with an announcement.
type Intercept struct {
	Enabled  *bool              `json:"enabled,omitempty"`
	Incoming *InterceptIncoming `json:"incoming,omitempty"`
	Outgoing *InterceptOutgoing `json:"outgoing,omitempty"`
}

// InterceptIncoming is what callers meet.
type InterceptIncoming struct {
	Type             *string                 `json:"type,omitempty"` // "INTERCEPT_ALL", "ALLOW_ALL"
	VoicemailEnabled *bool                   `json:"voicemailEnabled,omitempty"`
	Announcements    *InterceptAnnouncements `json:"announcements,omitempty"`
}

// InterceptAnnouncements is what callers hear.
type InterceptAnnouncements struct {
	Greeting     *string            `json:"greeting,omitempty"` // "CUSTOM", "DEFAULT"
	Filename     *string            `json:"filename,omitempty"` // read only; the spec spells it fileName as well
	NewNumber    *InterceptTransfer `json:"newNumber,omitempty"`
	ZeroTransfer *InterceptTransfer `json:"zeroTransfer,omitempty"`
}

// InterceptTransfer is a number that is announced, or that a press of zero leads
// to.
type InterceptTransfer struct {
	Enabled     *bool   `json:"enabled,omitempty"`
	Destination *string `json:"destination,omitempty"`
}

// InterceptOutgoing is what the person can still call.
type InterceptOutgoing struct {
	Type            *string `json:"type,omitempty"` // "INTERCEPT_ALL", "ALLOW_LOCAL_ONLY"
	TransferEnabled *bool   `json:"transferEnabled,omitempty"`
	Destination     *string `json:"destination,omitempty"`
}

// InterceptUpdate changes the intercept.
type InterceptUpdate struct {
	Enabled  *bool                    `json:"enabled,omitempty"`
	Incoming *InterceptIncomingUpdate `json:"incoming,omitempty"`
	Outgoing *InterceptOutgoing       `json:"outgoing,omitempty"`
}

// InterceptIncomingUpdate changes what callers meet.
type InterceptIncomingUpdate struct {
	Type             *string                       `json:"type,omitempty"`
	VoicemailEnabled *bool                         `json:"voicemailEnabled,omitempty"`
	Announcements    *InterceptAnnouncementsUpdate `json:"announcements,omitempty"`
}

// InterceptAnnouncementsUpdate is InterceptAnnouncements without the file name,
// which may not be sent back (sdk person_settings/call_intercept.py).
type InterceptAnnouncementsUpdate struct {
	Greeting     *string            `json:"greeting,omitempty"`
	NewNumber    *InterceptTransfer `json:"newNumber,omitempty"`
	ZeroTransfer *InterceptTransfer `json:"zeroTransfer,omitempty"`
}

// GetIntercept reads the intercept. Scope spark-admin:people_read.
func (c *Client) GetIntercept(ctx context.Context, personID string) (Intercept, error) {
	return get[Intercept](ctx, c, feature("getPersonIntercept", "intercept", personID))
}

// UpdateIntercept changes the intercept. Scope spark-admin:people_write.
func (c *Client) UpdateIntercept(ctx context.Context, personID string, u InterceptUpdate) error {
	return c.put(ctx, feature("updatePersonIntercept", "intercept", personID), u)
}

// Voicemail is a person's mailbox.
type Voicemail struct {
	Enabled                       *bool                `json:"enabled,omitempty"`
	SendAllCalls                  *Enabled             `json:"sendAllCalls,omitempty"`
	SendBusyCalls                 *VoicemailBusy       `json:"sendBusyCalls,omitempty"`
	SendUnansweredCalls           *VoicemailUnanswered `json:"sendUnansweredCalls,omitempty"`
	Notifications                 *VoicemailNotify     `json:"notifications,omitempty"`
	TransferToNumber              *VoicemailTransfer   `json:"transferToNumber,omitempty"`
	EmailCopyOfMessage            *VoicemailEmail      `json:"emailCopyOfMessage,omitempty"`
	MessageStorage                *VoicemailStorage    `json:"messageStorage,omitempty"`
	FaxMessage                    *VoicemailFax        `json:"faxMessage,omitempty"`
	VoiceMessageForwardingEnabled *bool                `json:"voiceMessageForwardingEnabled,omitempty"`
}

// Enabled is a switch in an object of its own.
type Enabled struct {
	Enabled *bool `json:"enabled,omitempty"`
}

// VoicemailBusy sends callers to voicemail during a call.
type VoicemailBusy struct {
	Enabled          *bool   `json:"enabled,omitempty"`
	Greeting         *string `json:"greeting,omitempty"` // "CUSTOM", "DEFAULT"
	GreetingUploaded *bool   `json:"greetingUploaded,omitempty"`
}

// VoicemailUnanswered sends callers to voicemail after some rings.
type VoicemailUnanswered struct {
	Enabled                *bool   `json:"enabled,omitempty"`
	Greeting               *string `json:"greeting,omitempty"`
	GreetingUploaded       *bool   `json:"greetingUploaded,omitempty"`
	NumberOfRings          *int    `json:"numberOfRings,omitempty"`
	SystemMaxNumberOfRings *int    `json:"systemMaxNumberOfRings,omitempty"`
}

// VoicemailNotify tells the person of a new message.
type VoicemailNotify struct {
	Enabled        *bool   `json:"enabled,omitempty"`
	Destination    *string `json:"destination,omitempty"`
	SMSDestination *string `json:"smsDestination,omitempty"` // E.164, US or Canada only (spec)
}

// VoicemailTransfer lets a caller press zero.
type VoicemailTransfer struct {
	Enabled     *bool   `json:"enabled,omitempty"`
	Destination *string `json:"destination,omitempty"`
}

// VoicemailEmail sends a copy of each message.
type VoicemailEmail struct {
	Enabled *bool   `json:"enabled,omitempty"`
	EmailID *string `json:"emailId,omitempty"`
}

// VoicemailStorage is where messages are kept.
type VoicemailStorage struct {
	MWIEnabled    *bool   `json:"mwiEnabled,omitempty"`  // the lamp on the phone
	StorageType   *string `json:"storageType,omitempty"` // "INTERNAL", "EXTERNAL"
	ExternalEmail *string `json:"externalEmail,omitempty"`
}

// VoicemailFax receives faxes.
type VoicemailFax struct {
	Enabled     *bool   `json:"enabled,omitempty"`
	PhoneNumber *string `json:"phoneNumber,omitempty"`
	Extension   *string `json:"extension,omitempty"`
}

// GetVoicemail reads a person's voicemail settings. Scope
// spark-admin:people_read.
func (c *Client) GetVoicemail(ctx context.Context, personID string) (Voicemail, error) {
	return get[Voicemail](ctx, c, feature("getPersonVoicemail", "voicemail", personID))
}

func feature(op, name, personID string) *request {
	return &request{op: op, path: "/people/{personId}/features/" + name, ids: []string{personID}}
}
