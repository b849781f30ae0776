package webex

import (
	"context"
	"net/http"
	"net/url"
)

// HuntGroup is a hunt group in a list.
type HuntGroup struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	LocationID    string `json:"locationId,omitempty"`
	LocationName  string `json:"locationName,omitempty"`
	PhoneNumber   string `json:"phoneNumber,omitempty"`
	Extension     string `json:"extension,omitempty"`
	ESN           string `json:"esn,omitempty"`
	RoutingPrefix string `json:"routingPrefix,omitempty"`
	Enabled       *bool  `json:"enabled,omitempty"`
}

// ListHuntGroups reads all hunt groups of the organization. Scope
// spark-admin:telephony_config_read.
func (c *Client) ListHuntGroups(ctx context.Context) ([]HuntGroup, error) {
	type page struct {
		HuntGroups []HuntGroup `json:"huntGroups"`
	}
	r := request{op: "listHuntGroups", method: http.MethodGet, path: "/telephony/config/huntGroups", query: url.Values{}}
	return collect(pages(ctx, c, r, func(p *page) []HuntGroup { return p.HuntGroups }))
}

// HuntGroupDetail is a hunt group: what the portal needs of it.
type HuntGroupDetail struct {
	ID            string                 `json:"id,omitempty"`
	Name          string                 `json:"name,omitempty"`
	Enabled       *bool                  `json:"enabled,omitempty"`
	PhoneNumber   string                 `json:"phoneNumber,omitempty"`
	Extension     string                 `json:"extension,omitempty"`
	ESN           string                 `json:"esn,omitempty"`
	RoutingPrefix string                 `json:"routingPrefix,omitempty"`
	TimeZone      string                 `json:"timeZone,omitempty"`
	LanguageCode  string                 `json:"languageCode,omitempty"`
	CallPolicies  *HuntGroupCallPolicies `json:"callPolicies,omitempty"`
	Agents        []HuntGroupAgent       `json:"agents,omitempty"` // its members: nobody joins or leaves a hunt group
}

// HuntGroupCallPolicies is how calls reach the members.
type HuntGroupCallPolicies struct {
	Policy string `json:"policy,omitempty"` // "CIRCULAR", "REGULAR", "SIMULTANEOUS", "UNIFORM", "WEIGHTED"
}

// HuntGroupAgent is a member of a hunt group, whom Webex calls agent.
type HuntGroupAgent struct {
	ID            string `json:"id"`
	FirstName     string `json:"firstName,omitempty"`
	LastName      string `json:"lastName,omitempty"`
	PhoneNumber   string `json:"phoneNumber,omitempty"`
	Extension     string `json:"extension,omitempty"`
	ESN           string `json:"esn,omitempty"`
	RoutingPrefix string `json:"routingPrefix,omitempty"`
	Weight        string `json:"weight,omitempty"` // percent of the calls, "50"; for WEIGHTED
	Type          string `json:"type,omitempty"`
	Location      *Ref   `json:"location,omitempty"`
}

// Update is the member as UpdateHuntGroupAgents takes it, with nothing changed.
func (a HuntGroupAgent) Update() HuntGroupAgentUpdate {
	return HuntGroupAgentUpdate{ID: a.ID, Weight: a.Weight}
}

// GetHuntGroup reads a hunt group with its members. Scope
// spark-admin:telephony_config_read.
func (c *Client) GetHuntGroup(ctx context.Context, locationID, huntGroupID string) (HuntGroupDetail, error) {
	return get[HuntGroupDetail](ctx, c, huntGroupRequest("getHuntGroup", locationID, huntGroupID))
}

// HuntGroupAgentUpdate is a member of a changed list.
type HuntGroupAgentUpdate struct {
	ID     string `json:"id"`
	Weight string `json:"weight,omitempty"`
}

// UpdateHuntGroupAgents replaces the whole list of a hunt group's members and
// changes nothing else. Whoever changes one member reads the hunt group just
// before, and changes the list under a lock: what happens in between is undone.
// The limits are those of queues, see UpdateQueueAgents. Scope
// spark-admin:telephony_config_write.
func (c *Client) UpdateHuntGroupAgents(ctx context.Context, locationID, huntGroupID string, agents []HuntGroupAgentUpdate) error {
	body := struct {
		Agents []HuntGroupAgentUpdate `json:"agents"`
	}{append([]HuntGroupAgentUpdate{}, agents...)} // an empty list, not null
	return c.put(ctx, huntGroupRequest("updateHuntGroup", locationID, huntGroupID), body)
}

func huntGroupRequest(op, locationID, huntGroupID string) *request {
	return &request{op: op, path: "/telephony/config/locations/{locationId}/huntGroups/{huntGroupId}", ids: []string{locationID, huntGroupID}}
}
