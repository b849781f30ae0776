package webex

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
)

// A phone has two ids: that of device management (Device.ID), and that of Webex
// Calling (Device.CallingDeviceID, PersonDevice.ID). The methods below say which
// one they take.

// SupportedDevice is a model of device that Webex Calling knows.
type SupportedDevice struct {
	Model                        string   `json:"model"` // what CreateActivationCode wants, "DMS Cisco 9851"
	DisplayName                  string   `json:"displayName,omitempty"`
	FamilyDisplayName            string   `json:"familyDisplayName,omitempty"`
	Type                         string   `json:"type,omitempty"`             // "MPP", "ATA", "GENERIC_SIP", "ESIM", "DESK_PHONE"
	Manufacturer                 string   `json:"manufacturer,omitempty"`     // "CISCO", "THIRD_PARTY"
	ManagedBy                    string   `json:"managedBy,omitempty"`        // "CISCO", "CUSTOMER"
	SupportedFor                 []string `json:"supportedFor,omitempty"`     // "PEOPLE", "PLACE"
	OnboardingMethod             []string `json:"onboardingMethod,omitempty"` // "MAC_ADDRESS", "ACTIVATION_CODE", "NONE"
	NumberOfLinePorts            *Count   `json:"numberOfLinePorts,omitempty"`
	CustomizableLineLabelEnabled *bool    `json:"customizableLineLabelEnabled,omitempty"`
	SupportsApplyChangesEnabled  *bool    `json:"supportsApplyChangesEnabled,omitempty"`
}

// ListSupportedDevices reads all models. Scope
// spark-admin:telephony_config_read.
func (c *Client) ListSupportedDevices(ctx context.Context) ([]SupportedDevice, error) {
	type page struct {
		Devices []SupportedDevice `json:"devices"`
	}
	r := request{op: "listSupportedDevices", method: http.MethodGet, path: "/telephony/config/supportedDevices", query: url.Values{}}
	return collect(pages(ctx, c, r, func(p *page) []SupportedDevice { return p.Devices }))
}

// ActivationCode lets whoever types it into a new phone have the line of the person
// it was made for. It formats, and logs, as nothing that could be used.
type ActivationCode struct {
	Code       string `json:"code"`                 // digits
	ExpiryTime string `json:"expiryTime,omitempty"` // RFC 3339
}

const hiddenCode = "[activation code]"

// Format hides the code, whatever the verb.
func (ActivationCode) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, hiddenCode) }

// LogValue hides the code from every handler of slog.
func (ActivationCode) LogValue() slog.Value { return slog.StringValue(hiddenCode) }

// CreateActivationCode makes a code for a new device of a person. A phone needs
// its model, one of ListSupportedDevices; a code without a model is accepted by
// devices with RoomOS only (spec). Every call makes another code. Scopes
// spark-admin:devices_write and identity:one_time_password, both.
func (c *Client) CreateActivationCode(ctx context.Context, personID, model string) (ActivationCode, error) {
	var code ActivationCode
	r := &request{op: "createDeviceActivationCode", method: http.MethodPost, path: "/devices/activationCode", out: &code}
	if personID == "" {
		return ActivationCode{}, &Error{Op: r.op, Kind: KindNotFound, Write: true, Err: errNoID}
	}
	r.body = struct {
		PersonID string `json:"personId"`
		Model    string `json:"model,omitempty"`
	}{personID, model}
	if _, err := c.do(ctx, r); err != nil {
		return ActivationCode{}, err
	}
	if code.Code == "" {
		return ActivationCode{}, &Error{Op: r.op, Kind: KindBadGateway, Write: true, Err: errors.New("the answer has no code"), sent: true}
	}
	return code, nil
}

// DeleteDevice removes a device from its owner, by Device.ID. Scope
// spark-admin:devices_write.
func (c *Client) DeleteDevice(ctx context.Context, deviceID string) error {
	_, err := c.do(ctx, &request{op: "deleteDevice", method: http.MethodDelete, path: "/devices/{deviceId}", ids: []string{deviceID}})
	return err
}

// DeviceMembers are the people, and others, whose lines are on a phone.
type DeviceMembers struct {
	Model        string         `json:"model,omitempty"`
	Members      []DeviceMember `json:"members,omitempty"`
	MaxLineCount *Count         `json:"maxLineCount,omitempty"`
}

// DeviceMember is one line of a phone, or several keys of it.
type DeviceMember struct {
	ID                       string `json:"id"`
	FirstName                string `json:"firstName,omitempty"`
	LastName                 string `json:"lastName,omitempty"`
	PhoneNumber              string `json:"phoneNumber,omitempty"`
	Extension                string `json:"extension,omitempty"`
	ESN                      string `json:"esn,omitempty"`
	RoutingPrefix            string `json:"routingPrefix,omitempty"`
	PrimaryOwner             *bool  `json:"primaryOwner,omitempty"`
	Port                     *Count `json:"port,omitempty"`       // of the first key, from 1; the next member's is this and LineWeight
	LineWeight               *Count `json:"lineWeight,omitempty"` // how many keys
	LineType                 string `json:"lineType,omitempty"`   // "PRIMARY", "SHARED_CALL_APPEARANCE"
	LineLabel                string `json:"lineLabel,omitempty"`  // what the phone shows at the key
	T38FaxCompressionEnabled *bool  `json:"t38FaxCompressionEnabled,omitempty"`
	HotlineEnabled           *bool  `json:"hotlineEnabled,omitempty"`
	HotlineDestination       string `json:"hotlineDestination,omitempty"`
	AllowCallDeclineEnabled  *bool  `json:"allowCallDeclineEnabled,omitempty"`
	MemberType               string `json:"memberType,omitempty"` // "PEOPLE", "PLACE", "VIRTUAL_LINE"
	Location                 *Ref   `json:"location,omitempty"`
}

// Update is the member as UpdateDeviceMembers takes it, with nothing changed.
func (m DeviceMember) Update() DeviceMemberUpdate {
	return DeviceMemberUpdate{
		ID: m.ID, PrimaryOwner: isTrue(m.PrimaryOwner), Port: count(m.Port), LineWeight: count(m.LineWeight), LineType: m.LineType, LineLabel: m.LineLabel,
		T38FaxCompressionEnabled: m.T38FaxCompressionEnabled, HotlineEnabled: isTrue(m.HotlineEnabled), HotlineDestination: m.HotlineDestination,
		AllowCallDeclineEnabled: isTrue(m.AllowCallDeclineEnabled),
	}
}

func isTrue(b *bool) bool { return b != nil && *b }

func count(n *Count) Count {
	if n == nil {
		return 1
	}
	return *n
}

// DeviceMemberUpdate is a member of a changed list: the fields that may be sent
// (sdk telephony/devices/__init__.py). All but the label and the fax are required
// (spec).
type DeviceMemberUpdate struct {
	ID                       string `json:"id"`
	PrimaryOwner             bool   `json:"primaryOwner"`
	Port                     Count  `json:"port"`
	LineWeight               Count  `json:"lineWeight"`
	LineType                 string `json:"lineType"`
	LineLabel                string `json:"lineLabel"` // "" is none
	T38FaxCompressionEnabled *bool  `json:"t38FaxCompressionEnabled,omitempty"`
	HotlineEnabled           bool   `json:"hotlineEnabled"`
	HotlineDestination       string `json:"hotlineDestination"` // "" unless it is on
	AllowCallDeclineEnabled  bool   `json:"allowCallDeclineEnabled"`
}

// GetDeviceMembers reads the lines of a phone, by Device.CallingDeviceID. Scope
// spark-admin:telephony_config_read.
func (c *Client) GetDeviceMembers(ctx context.Context, callingDeviceID string) (DeviceMembers, error) {
	return get[DeviceMembers](ctx, c, deviceMembers("getDeviceMembers", callingDeviceID))
}

// UpdateDeviceMembers replaces the whole list of a phone's lines, by
// Device.CallingDeviceID. The phone shows it after ApplyDeviceChanges. Scope
// spark-admin:telephony_config_write.
func (c *Client) UpdateDeviceMembers(ctx context.Context, callingDeviceID string, members []DeviceMemberUpdate) error {
	body := struct {
		Members []DeviceMemberUpdate `json:"members"`
	}{append([]DeviceMemberUpdate{}, members...)} // an empty list, not null
	return c.put(ctx, deviceMembers("updateDeviceMembers", callingDeviceID), body)
}

func deviceMembers(op, callingDeviceID string) *request {
	return &request{op: op, path: "/telephony/config/devices/{deviceId}/members", ids: []string{callingDeviceID}}
}

// ApplyDeviceChanges makes a phone take over what was changed about it, by
// Device.CallingDeviceID: it restarts or synchronizes, which may end a call
// (inferred). Scope spark-admin:telephony_config_write.
func (c *Client) ApplyDeviceChanges(ctx context.Context, callingDeviceID string) error {
	_, err := c.do(ctx, &request{op: "applyDeviceChanges", method: http.MethodPost,
		path: "/telephony/config/devices/{deviceId}/actions/applyChanges/invoke", ids: []string{callingDeviceID}})
	return err
}
