package webex

import (
	"context"
	"errors"
	"iter"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// Person is a user of the organization. Fields that Webex left out are zero.
type Person struct {
	ID           string              `json:"id"`
	Emails       []string            `json:"emails,omitempty"`
	PhoneNumbers []PersonPhoneNumber `json:"phoneNumbers,omitempty"`
	Extension    string              `json:"extension,omitempty"`
	LocationID   string              `json:"locationId,omitempty"` // only people with Webex Calling have one (spec), and only with callingData
	DisplayName  string              `json:"displayName,omitempty"`
	NickName     string              `json:"nickName,omitempty"`
	FirstName    string              `json:"firstName,omitempty"`
	LastName     string              `json:"lastName,omitempty"`
	Avatar       string              `json:"avatar,omitempty"`
	OrgID        string              `json:"orgId,omitempty"`
	Roles        []string            `json:"roles,omitempty"`    // role ids; complete only from GetPerson (spec)
	Licenses     []string            `json:"licenses,omitempty"` // licence ids; complete only from GetPerson (spec)
	Department   string              `json:"department,omitempty"`
	Title        string              `json:"title,omitempty"`
	ManagerID    string              `json:"managerId,omitempty"`
	TimeZone     string              `json:"timezone,omitempty"` // "America/Denver"
	Status       string              `json:"status,omitempty"`
	LoginEnabled *Flag               `json:"loginEnabled,omitempty"`
	Type         string              `json:"type,omitempty"` // "person", "bot", "appuser"
}

// PersonPhoneNumber is a number in a person's profile.
type PersonPhoneNumber struct {
	Type    string `json:"type,omitempty"` // "work", "mobile", "work_extension", ...
	Value   string `json:"value,omitempty"`
	Primary *bool  `json:"primary,omitempty"`
}

// Flag is a truth value that Webex writes as true or as "true" (spec, Person).
type Flag bool

// UnmarshalJSON reads both ways of writing it.
func (f *Flag) UnmarshalJSON(data []byte) error {
	v, err := strconv.ParseBool(strings.ToLower(strings.Trim(string(data), `"`)))
	if err != nil {
		return errors.New("neither true nor false")
	}
	*f = Flag(v)
	return nil
}

// GetPerson reads a person with the calling data (location, extension, licences,
// roles). Scope spark-admin:people_read.
func (c *Client) GetPerson(ctx context.Context, personID string) (Person, error) {
	return c.getPerson(ctx, &request{op: "getPerson", path: "/people/{personId}", ids: []string{personID}})
}

// GetMe reads the token's own account: for a service app its machine account.
// Scope spark-admin:people_read.
func (c *Client) GetMe(ctx context.Context) (Person, error) {
	return c.getPerson(ctx, &request{op: "getMe", path: "/people/me"})
}

func (c *Client) getPerson(ctx context.Context, r *request) (Person, error) {
	r.query = url.Values{"callingData": {"true"}}
	p, err := get[Person](ctx, c, r)
	if err == nil && p.ID == "" { // what the portal decides about somebody, it decides by the id
		return Person{}, &Error{Op: r.op, Kind: KindBadGateway, Err: errors.New("the person has no id")}
	}
	return p, err
}

// FindPeopleByEmail finds the people with this address within the organization,
// with the calling data: one or none. Scope spark-admin:people_read.
func (c *Client) FindPeopleByEmail(ctx context.Context, email string) ([]Person, error) {
	return collect(c.ListPeople(ctx, PeopleFilter{Email: email, CallingData: true}))
}

// PeopleFilter chooses people; the zero value chooses all.
type PeopleFilter struct {
	Email       string   // exact address
	DisplayName string   // beginning of the name
	IDs         []string // at most 85 (spec)
	LocationID  string
	CallingData bool // slow: sdk asks for 10 people at a time (people/__init__.py)
	Max         int  // people on a page, 0 leaves it to Webex; at most 100 with CallingData, 50 with LocationID (spec)
}

// ListPeople lists people page by page. Presence is left out: polling it is what
// Webex throttles first (spec). Scope spark-admin:people_read.
func (c *Client) ListPeople(ctx context.Context, f PeopleFilter) iter.Seq2[Person, error] {
	q := url.Values{"excludeStatus": {"true"}}
	setString(q, "email", f.Email)
	setString(q, "displayName", f.DisplayName)
	setString(q, "id", strings.Join(f.IDs, ","))
	setString(q, "locationId", f.LocationID)
	setTrue(q, "callingData", f.CallingData)
	setMax(q, f.Max)
	type page struct {
		Items []Person `json:"items"`
	}
	r := request{op: "listPeople", method: http.MethodGet, path: "/people", query: q}
	return pages(ctx, c, r, func(p *page) []Person { return p.Items })
}

// get reads one resource.
func get[T any](ctx context.Context, c *Client, r *request) (T, error) {
	var v, none T // none: never a half-decoded value
	r.method, r.out = http.MethodGet, &v
	if _, err := c.do(ctx, r); err != nil {
		return none, err
	}
	// Shown as it is, an answer of nothing would say that everything is off, and
	// that the organization allows everything.
	if reflect.ValueOf(&v).Elem().IsZero() {
		return none, &Error{Op: r.op, Kind: KindBadGateway, Err: errNothingKnown}
	}
	return v, nil
}

var errNothingKnown = errors.New("the answer has none of the expected fields")

// put writes one resource. Settings answer 204 without a body (spec).
func (c *Client) put(ctx context.Context, r *request, body any) error {
	r.method, r.body = http.MethodPut, body
	_, err := c.do(ctx, r)
	return err
}

func setString(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

// setMax asks for pages of this size; 0 leaves it to Webex.
func setMax(q url.Values, size int) {
	if size != 0 {
		q.Set("max", strconv.Itoa(size))
	}
}

// setTrue sends a truth value only when it is true; Webex wants it in lower case
// (sdk, everywhere).
func setTrue(q url.Values, name string, value bool) {
	if value {
		q.Set(name, "true")
	}
}

func setBool(q url.Values, name string, value *bool) {
	if value != nil {
		q.Set(name, strconv.FormatBool(*value))
	}
}

// Count is a whole number that the contract calls a number: it may come as 3,
// 3.0 or "3".
type Count int

// UnmarshalJSON reads all three.
func (n *Count) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	f, err := strconv.ParseFloat(strings.Trim(string(data), `"`), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
		return errors.New("not a whole number")
	}
	*n = Count(f)
	return nil
}
