package webex

import (
	"context"
	"iter"
	"net/http"
	"net/url"
)

// Location is a site of the organization.
type Location struct {
	ID                string   `json:"id"`
	Name              string   `json:"name"`
	OrgID             string   `json:"orgId,omitempty"`
	TimeZone          string   `json:"timeZone,omitempty"` // "America/Chicago"
	PreferredLanguage string   `json:"preferredLanguage,omitempty"`
	Address           *Address `json:"address,omitempty"`
}

// Address is where a location is.
type Address struct {
	Address1   string `json:"address1,omitempty"`
	Address2   string `json:"address2,omitempty"`
	City       string `json:"city,omitempty"`
	State      string `json:"state,omitempty"`
	PostalCode string `json:"postalCode,omitempty"`
	Country    string `json:"country,omitempty"` // ISO 3166-1, two letters
}

// ListLocations reads all locations. Scope spark-admin:locations_read.
func (c *Client) ListLocations(ctx context.Context) ([]Location, error) {
	type page struct {
		Items []Location `json:"items"`
	}
	r := request{op: "listLocations", method: http.MethodGet, path: "/locations"}
	return collect(pages(ctx, c, r, func(p *page) []Location { return p.Items }))
}

// GetLocation reads one location. Scope spark-admin:locations_read.
func (c *Client) GetLocation(ctx context.Context, locationID string) (Location, error) {
	return get[Location](ctx, c, &request{op: "getLocation", path: "/locations/{locationId}", ids: []string{locationID}})
}

// TelephonyLocation is what Webex Calling knows of a location.
type TelephonyLocation struct {
	ID               string            `json:"id,omitempty"`
	Name             string            `json:"name,omitempty"`
	CallingLineID    *LocationLineID   `json:"callingLineId,omitempty"`
	RoutingPrefix    string            `json:"routingPrefix,omitempty"`    // before an extension, from other locations
	OutsideDialDigit string            `json:"outsideDialDigit,omitempty"` // dialled before outside numbers
	Connection       *LocationUpstream `json:"connection,omitempty"`
}

// LocationLineID is the location's main number.
type LocationLineID struct {
	Name        string `json:"name,omitempty"`
	PhoneNumber string `json:"phoneNumber,omitempty"` // E.164
}

// LocationUpstream is how a location reaches the telephone network.
type LocationUpstream struct {
	Type string `json:"type,omitempty"` // "ROUTE_GROUP", "TRUNK"
	ID   string `json:"id,omitempty"`
}

// GetTelephonyLocation reads the calling side of a location; a location without
// Webex Calling is KindNotFound. Scope spark-admin:telephony_config_read.
func (c *Client) GetTelephonyLocation(ctx context.Context, locationID string) (TelephonyLocation, error) {
	return get[TelephonyLocation](ctx, c, &request{op: "getTelephonyLocation", path: "/telephony/config/locations/{locationId}", ids: []string{locationID}})
}

// Ref names something by id.
type Ref struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// Number is a phone number or an extension of the organization.
type Number struct {
	PhoneNumber     string       `json:"phoneNumber,omitempty"` // E.164
	Extension       string       `json:"extension,omitempty"`   // without the routing prefix (spec)
	RoutingPrefix   string       `json:"routingPrefix,omitempty"`
	ESN             string       `json:"esn,omitempty"`             // routing prefix and extension
	State           string       `json:"state,omitempty"`           // "ACTIVE", "INACTIVE"
	PhoneNumberType string       `json:"phoneNumberType,omitempty"` // "PRIMARY", "ALTERNATE", "FAX", "DNIS"
	MainNumber      *bool        `json:"mainNumber,omitempty"`
	TollFreeNumber  *bool        `json:"tollFreeNumber,omitempty"`
	Location        *Ref         `json:"location,omitempty"`
	Owner           *NumberOwner `json:"owner,omitempty"` // nil for a free number
}

// NumberOwner is who or what answers a number. The type is not always what the
// id says (spec).
type NumberOwner struct {
	ID        string `json:"id,omitempty"`
	Type      string `json:"type,omitempty"` // "PEOPLE", "PLACE", "CALL_QUEUE", "HUNT_GROUP", ...
	FirstName string `json:"firstName,omitempty"`
	LastName  string `json:"lastName,omitempty"`
}

// NumberFilter chooses numbers; the zero value chooses all.
type NumberFilter struct {
	LocationID  string
	PhoneNumber string // a part of it
	Extension   string
	OwnerID     string
	OwnerName   string
	OwnerType   string
	Available   *bool // free for assignment
	Max         int   // numbers on a page; 0 leaves it to Webex
}

// ListNumbers lists the organization's numbers and extensions page by page.
// Scope spark-admin:telephony_config_read.
func (c *Client) ListNumbers(ctx context.Context, f NumberFilter) iter.Seq2[Number, error] {
	q := url.Values{}
	setString(q, "locationId", f.LocationID)
	setString(q, "phoneNumber", f.PhoneNumber)
	setString(q, "extension", f.Extension)
	setString(q, "ownerId", f.OwnerID)
	setString(q, "ownerName", f.OwnerName)
	setString(q, "ownerType", f.OwnerType)
	setBool(q, "available", f.Available)
	setMax(q, f.Max)
	type page struct {
		PhoneNumbers []Number `json:"phoneNumbers"`
	}
	r := request{op: "listNumbers", method: http.MethodGet, path: "/telephony/config/numbers", query: q}
	return pages(ctx, c, r, func(p *page) []Number { return p.PhoneNumbers })
}

// PersonNumbers are the numbers that ring a person.
type PersonNumbers struct {
	DistinctiveRingEnabled *bool          `json:"distinctiveRingEnabled,omitempty"`
	PhoneNumbers           []PersonNumber `json:"phoneNumbers,omitempty"`
}

// PersonNumber is one of them. Despite preferE164Format a number in the United
// States may come as ten digits (spec).
type PersonNumber struct {
	Primary       *bool  `json:"primary,omitempty"`
	DirectNumber  string `json:"directNumber,omitempty"`
	Extension     string `json:"extension,omitempty"`
	RoutingPrefix string `json:"routingPrefix,omitempty"`
	ESN           string `json:"esn,omitempty"`
	RingPattern   string `json:"ringPattern,omitempty"`
}

// GetPersonNumbers reads a person's primary and alternate numbers. Scope
// spark-admin:people_read.
func (c *Client) GetPersonNumbers(ctx context.Context, personID string) (PersonNumbers, error) {
	return get[PersonNumbers](ctx, c, &request{op: "getPersonNumbers", path: "/people/{personId}/features/numbers", ids: []string{personID},
		query: url.Values{"preferE164Format": {"true"}}})
}
