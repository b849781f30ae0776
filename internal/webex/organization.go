package webex

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// GetServices lists the calling services that a person has, in free words
// ("Call Forwarding Always"); unknown ones do occur. Scope
// spark-admin:people_read.
func (c *Client) GetServices(ctx context.Context, personID string) ([]string, error) {
	type services struct {
		Services []string `json:"services"`
	}
	s, err := get[services](ctx, c, &request{op: "getPersonServices", path: "/telephony/config/people/{personId}/services", ids: []string{personID}})
	return s.Services, err
}

// Permissions says which features the organization lets its users change
// themselves: "FULL_ACCESS" or "NO_ACCESS" by feature ("callForwarding",
// "callWaiting", ...; sdk person_settings/feature_access).
type Permissions map[string]string

// UnmarshalJSON keeps the texts. What is no text is kept as a word that nobody
// knows: a policy that is not understood must not open a door.
func (p *Permissions) UnmarshalJSON(data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return errors.New("permissions are not an object")
	}
	*p = nil
	if len(raw) == 0 { // null and {}: as if they were not there
		return nil
	}
	*p = make(Permissions, len(raw))
	for key, value := range raw {
		(*p)[key] = looseString(value)
	}
	return nil
}

// Allows reports whether a user may change the feature. A feature that is not
// named is allowed; a word that is not known is not, and without any permissions
// nothing is.
func (p Permissions) Allows(feature string) bool {
	v, named := p[feature]
	return p != nil && (!named || v == "FULL_ACCESS")
}

// FeatureAccess is what the organization lets one person change. It binds the
// person's own doings only: administrators, and so the service app, can change
// everything (AUTH.md 2.6).
type FeatureAccess struct {
	UserOrgSettingsPermissionEnabled *bool       `json:"userOrgSettingsPermissionEnabled,omitempty"` // the organization's defaults apply
	UserOrgSettingsPermissions       Permissions `json:"userOrgSettingsPermissions,omitempty"`
	UserSettingsPermissions          Permissions `json:"userSettingsPermissions,omitempty"`
}

// Allows reports whether the person may change the feature.
func (a FeatureAccess) Allows(feature string) bool {
	if a.followsOrg() {
		return a.UserOrgSettingsPermissions.Allows(feature)
	}
	return a.UserSettingsPermissions.Allows(feature)
}

// NeedsDefault reports that the organization's defaults apply but are not in the
// answer (sdk knows no such field): put those of GetDefaultFeatureAccess into
// UserOrgSettingsPermissions.
func (a FeatureAccess) NeedsDefault() bool {
	return a.followsOrg() && a.UserOrgSettingsPermissions == nil
}

func (a FeatureAccess) followsOrg() bool {
	return a.UserOrgSettingsPermissionEnabled != nil && *a.UserOrgSettingsPermissionEnabled
}

// GetFeatureAccess reads what the organization lets a person change. Scope
// spark-admin:telephony_config_read.
func (c *Client) GetFeatureAccess(ctx context.Context, personID string) (FeatureAccess, error) {
	return get[FeatureAccess](ctx, c, &request{op: "getPersonFeatureAccess", path: "/telephony/config/people/{personId}/settings/permissions", ids: []string{personID}})
}

// GetDefaultFeatureAccess reads the organization's defaults. Scope
// spark-admin:telephony_config_read.
func (c *Client) GetDefaultFeatureAccess(ctx context.Context) (Permissions, error) {
	return get[Permissions](ctx, c, &request{op: "getDefaultFeatureAccess", path: "/telephony/config/people/settings/permissions"})
}

// Group is a group of people in the organization.
type Group struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName,omitempty"`
	OrgID       string `json:"orgId,omitempty"`
	MemberSize  *Count `json:"memberSize,omitempty"`
}

// GroupFilter chooses groups by name; the zero value chooses all. Webex filters
// by nothing else (spec).
type GroupFilter struct {
	DisplayName string // the whole name
	StartsWith  string // the beginning of the name, when DisplayName is empty
}

// groupPage is how many groups or members are asked for at once: 500 is the most
// members on a page (spec).
const groupPage = 500

// ListGroups reads groups. Scope identity:groups_read.
func (c *Client) ListGroups(ctx context.Context, f GroupFilter) ([]Group, error) {
	q := url.Values{}
	switch {
	case f.DisplayName != "":
		q.Set("filter", "displayName eq "+filterText(f.DisplayName))
	case f.StartsWith != "":
		q.Set("filter", "displayName sw "+filterText(f.StartsWith))
	}
	type page struct {
		TotalResults *Count  `json:"totalResults"`
		Groups       []Group `json:"groups"`
	}
	r := request{op: "listGroups", method: http.MethodGet, path: "/groups", query: q}
	return indexed(ctx, c, r, func(p *page) ([]Group, *Count) { return p.Groups, p.TotalResults },
		func(g Group) string { return g.ID })
}

// filterText quotes a text for a SCIM filter (RFC 7644, section 3.4.2.2: a JSON
// string).
func filterText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// GroupMember is a member of a group.
type GroupMember struct {
	ID          string `json:"id"`
	Type        string `json:"type,omitempty"` // "user"
	DisplayName string `json:"displayName,omitempty"`
}

// ListGroupMembers reads all members of a group. Scope identity:groups_read.
func (c *Client) ListGroupMembers(ctx context.Context, groupID string) ([]GroupMember, error) {
	type page struct {
		MemberSize *Count        `json:"memberSize"`
		Members    []GroupMember `json:"members"`
	}
	r := request{op: "listGroupMembers", method: http.MethodGet, path: "/groups/{groupId}/members", ids: []string{groupID}, query: url.Values{}}
	return indexed(ctx, c, r, func(p *page) ([]GroupMember, *Count) { return p.Members, p.MemberSize },
		func(m GroupMember) string { return m.ID })
}

// indexed reads a list that pages by startIndex and count, counting from 1 (spec,
// Groups). It ends when the total is reached, and at the latest with a page that
// brings nothing new.
func indexed[Page, Item any](ctx context.Context, c *Client, r request, items func(*Page) ([]Item, *Count), id func(Item) string) ([]Item, error) {
	r.query.Set("count", strconv.Itoa(groupPage))
	var all []Item
	seen := map[string]bool{}
	for range maxPages {
		r.query.Set("startIndex", strconv.Itoa(len(all)+1))
		var page Page
		r.out = &page
		if _, err := c.do(ctx, &r); err != nil {
			return nil, err
		}
		list, total := items(&page)
		if list == nil && total == nil {
			return nil, &Error{Op: r.op, Kind: KindBadGateway, Err: errNothingKnown}
		}
		known := len(all)
		for _, item := range list {
			if !seen[id(item)] {
				seen[id(item)] = true
				all = append(all, item)
			}
		}
		if len(all) == known || total != nil && len(all) >= int(*total) {
			return all, nil
		}
	}
	return nil, &Error{Op: r.op, Kind: KindBadGateway, Err: errors.New("the list does not end")}
}

// Organization is an organization that the token can see: its own.
type Organization struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName,omitempty"`
	Created     string `json:"created,omitempty"`
}

// ListOrganizations reads the token's organization; the token of a partner sees
// more. Scope spark-admin:organizations_read.
func (c *Client) ListOrganizations(ctx context.Context) ([]Organization, error) {
	type page struct {
		Items []Organization `json:"items"`
	}
	p, err := get[page](ctx, c, &request{op: "listOrganizations", path: "/organizations"})
	return p.Items, err
}

// GetTokenExpiry reads when the access token ends. Scope identity:tokens_read.
func (c *Client) GetTokenExpiry(ctx context.Context) (time.Time, error) {
	type expiry struct {
		Exp *float64 `json:"exp"` // milliseconds since 1970
	}
	r := &request{op: "getTokenExpiry", path: "/authorizations/tokenExpiry"}
	e, err := get[expiry](ctx, c, r)
	if err != nil {
		return time.Time{}, err
	}
	if e.Exp == nil {
		return time.Time{}, &Error{Op: r.op, Kind: KindBadGateway, Err: errors.New("the answer has no expiry")}
	}
	return time.UnixMilli(int64(*e.Exp)), nil
}
