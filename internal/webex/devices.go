package webex

import (
	"context"
	"iter"
	"net/http"
	"net/url"
)

// Device is a device as Webex's device management sees it.
type Device struct {
	ID               string   `json:"id"`
	CallingDeviceID  string   `json:"callingDeviceId,omitempty"` // its id in the calling view; differs from ID (spec)
	DisplayName      string   `json:"displayName,omitempty"`
	PersonID         string   `json:"personId,omitempty"`
	WorkspaceID      string   `json:"workspaceId,omitempty"`
	OrgID            string   `json:"orgId,omitempty"`
	LocationID       string   `json:"locationId,omitempty"`
	ConnectionStatus string   `json:"connectionStatus,omitempty"` // "connected", "disconnected", "connected_with_issues", ...
	Product          string   `json:"product,omitempty"`
	Type             string   `json:"type,omitempty"` // "phone", "roomdesk", "accessory", "webexgo"
	Tags             []string `json:"tags,omitempty"`
	IP               string   `json:"ip,omitempty"`
	MAC              string   `json:"mac,omitempty"`
	Serial           string   `json:"serial,omitempty"`
	Software         string   `json:"software,omitempty"`
	Created          string   `json:"created,omitempty"`   // RFC 3339
	FirstSeen        string   `json:"firstSeen,omitempty"` // RFC 3339
	LastSeen         string   `json:"lastSeen,omitempty"`  // RFC 3339
	ErrorCodes       []string `json:"errorCodes,omitempty"`
	Lifecycle        string   `json:"lifecycle,omitempty"`
}

// ListDevices reads all devices of a person. Scope spark-admin:devices_read.
func (c *Client) ListDevices(ctx context.Context, personID string) ([]Device, error) {
	if personID == "" { // Webex would list everybody's
		return nil, &Error{Op: "listDevices", Kind: KindNotFound, Err: errNoID}
	}
	return collect(c.ListAllDevices(ctx, DeviceFilter{PersonID: personID}))
}

// DeviceFilter chooses devices; the zero value chooses all.
type DeviceFilter struct {
	PersonID string
	Max      int // devices on a page; 0 leaves it to Webex
}

// ListAllDevices lists the organization's devices page by page: those of people
// and those of workspaces. Scope spark-admin:devices_read.
func (c *Client) ListAllDevices(ctx context.Context, f DeviceFilter) iter.Seq2[Device, error] {
	q := url.Values{}
	setString(q, "personId", f.PersonID)
	setMax(q, f.Max)
	type page struct {
		Items []Device `json:"items"`
	}
	r := request{op: "listDevices", method: http.MethodGet, path: "/devices", query: q}
	return pages(ctx, c, r, func(p *page) []Device { return p.Items })
}

// PersonDevices are the phones on which a person's lines appear.
type PersonDevices struct {
	Devices             []PersonDevice `json:"devices,omitempty"`
	MaxDeviceCount      *Count         `json:"maxDeviceCount,omitempty"`
	MaxOwnedDeviceCount *Count         `json:"maxOwnedDeviceCount,omitempty"`
}

// PersonDevice is a device as Webex Calling sees it.
type PersonDevice struct {
	ID              string       `json:"id"` // the CallingDeviceID of Device
	DisplayName     string       `json:"displayName,omitempty"`
	Description     []string     `json:"description,omitempty"`
	Model           string       `json:"model,omitempty"`
	ModelType       string       `json:"modelType,omitempty"` // "MPP", "ATA", "DESK_PHONE", ...
	MAC             string       `json:"mac,omitempty"`
	IPAddress       string       `json:"ipAddress,omitempty"`
	PrimaryOwner    *bool        `json:"primaryOwner,omitempty"` // the person owns it, and does not only share it
	Type            string       `json:"type,omitempty"`         // "PRIMARY", "SHARED_CALL_APPEARANCE", "MOBILITY", "HOTDESKING_GUEST"
	Hoteling        *Hoteling    `json:"hoteling,omitempty"`
	Owner           *DeviceOwner `json:"owner,omitempty"`
	ActivationState string       `json:"activationState,omitempty"`
}

// Hoteling says whether a device may host other people.
type Hoteling struct {
	Enabled         *bool  `json:"enabled,omitempty"`
	LimitGuestUse   *bool  `json:"limitGuestUse,omitempty"`
	GuestHoursLimit *Count `json:"guestHoursLimit,omitempty"`
}

// DeviceOwner is whose device it is.
type DeviceOwner struct {
	ID        string `json:"id,omitempty"`
	Type      string `json:"type,omitempty"` // "PEOPLE", "PLACE", "VIRTUAL_LINE"
	FirstName string `json:"firstName,omitempty"`
	LastName  string `json:"lastName,omitempty"`
	Location  *Ref   `json:"location,omitempty"`
}

// GetPersonDevices reads the calling view of a person's devices: lines and
// primary owner. It complements ListDevices. Scope
// spark-admin:telephony_config_read.
func (c *Client) GetPersonDevices(ctx context.Context, personID string) (PersonDevices, error) {
	return get[PersonDevices](ctx, c, &request{op: "getPersonDevices", path: "/telephony/config/people/{personId}/devices", ids: []string{personID}})
}
