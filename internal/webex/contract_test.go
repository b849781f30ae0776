package webex

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/contract"
)

const (
	personID    = "Y2lzY29zcGFyazovL3VzL1BFT1BMRS9mNWIzNjE4Ny1jOGRkLTQ3MjctOGIyZi1mOWM0NDdmMjkwNDY"
	queueID     = "Y2lzY29zcGFyazovL3VzL0NBTExfUVVFVUUvYUhaaFpUTjJNRzh5YjBBMk5EazBNVEk1Tnk1cGJuUXhNQzVpWTJ4a0xuZGxZbVY0TG1OdmJRPT0"
	deviceID    = "Y2lzY29zcGFyazovL3VybjpURUFNOnVzLWVhc3QtMV9pbnQxMy9DQUxMSU5HX0RFVklDRS8zMDAyZWJiZi1iMTVmLTQ1ODktYWNiZS1kZjY3OTA3MTU5NWE="
	huntGroupID = "Y2lzY29zcGFyazovL3VzL0hVTlRfR1JPVVAvTVRJek5EVTJOemd0WVdKalpFQXhOalExTWpnek1pNWxkVEV3TG1KamJHUXVkMlZpWlhndVkyOXQ"
	siteID      = "Y2lzY29zcGFyazovL3VzL0xPQ0FUSU9OLzYzNzE1"
)

// apiCall is one method of the client, with an answer for the operations whose
// example the contract does not have.
type apiCall struct {
	call func(context.Context, *Client) (any, error)
	body string
	// whole: what was decoded, written again, is the answer: no field is lost.
	whole bool
}

const queueBody = `{"id":"Q","name":"Sales","hasCxEssentials":true,"enabled":true,"phoneNumber":"+351","extension":"1","esn":"81","routingPrefix":"8","timeZone":"Europe/Lisbon","languageCode":"pt_pt",
	"queueSettings":{"queueSize":10,"overflow":{"action":"PERFORM_BUSY_TREATMENT","greeting":"DEFAULT","sendToVoicemail":false,"transferNumber":"1","audioFiles":["a.wav"],"isTransferNumberSet":true},
		"callOfferToneEnabled":true,"waitMessage":{"waitMode":"TIME","handlingTime":20},"mohMessage":{"normalSource":{"greeting":"DEFAULT"},"alternateSource":{"greeting":"DEFAULT"}}},"allowAgentJoinEnabled":true,
	"agents":[{"id":"P","firstName":"Ana","lastName":"Lopez","phoneNumber":"+1","extension":"1","joinEnabled":true,"skillLevel":1,"type":"PEOPLE","weight":"50","location":{"id":"L","name":"Lisbon"}}]}`

const agentBody = `{"agent":{"id":"P","firstName":"Ana","lastName":"Lopez","location":{"id":"L","name":"Lisbon"},"type":"PEOPLE","queueCount":1,"locationCount":1,"joinCount":1,"unjoinCount":0},
	"queues":[{"id":"Q","name":"Sales","routingPrefix":"8","locationId":"L","locationName":"Lisbon","joinEnabled":true,"extension":"100","esn":"8100","skillLevel":2}]}`

const permissionsBody = `{"callForwarding":"NO_ACCESS","callWaiting":"FULL_ACCESS"}`

func apiCalls() map[string]apiCall {
	yes := ptr(true)
	return map[string]apiCall{
		"GetPerson": {call: func(ctx context.Context, c *Client) (any, error) { return c.GetPerson(ctx, personID) }},
		"GetMe":     {call: func(ctx context.Context, c *Client) (any, error) { return c.GetMe(ctx) }},
		"FindPeopleByEmail": {call: func(ctx context.Context, c *Client) (any, error) {
			return c.FindPeopleByEmail(ctx, "a+b&c@example.com")
		}},
		"ListPeople": {call: func(ctx context.Context, c *Client) (any, error) {
			return collect(c.ListPeople(ctx, PeopleFilter{DisplayName: "Ana", IDs: []string{"a", "b"}, LocationID: siteID, CallingData: true, Max: 10}))
		}},
		"ListLocations": {call: func(ctx context.Context, c *Client) (any, error) { return c.ListLocations(ctx) }},
		"GetLocation":   {call: func(ctx context.Context, c *Client) (any, error) { return c.GetLocation(ctx, siteID) }},
		"GetTelephonyLocation": {call: func(ctx context.Context, c *Client) (any, error) {
			return c.GetTelephonyLocation(ctx, siteID)
		}, body: `{"id":"L","name":"Lisbon","routingPrefix":"8","outsideDialDigit":"9","callingLineId":{"name":"Lisbon","phoneNumber":"+351210000000"},"connection":{"type":"TRUNK","id":"T"}}`, whole: true},
		"ListNumbers": {call: func(ctx context.Context, c *Client) (any, error) {
			return collect(c.ListNumbers(ctx, NumberFilter{LocationID: "location", PhoneNumber: "+1", Extension: "1", OwnerID: "o", OwnerName: "n", OwnerType: "PEOPLE", Available: yes, Max: 5}))
		}, body: `{"phoneNumbers":[{"phoneNumber":"+351210000000","extension":"1","routingPrefix":"8","esn":"81","state":"ACTIVE","phoneNumberType":"PRIMARY","mainNumber":true,"includedTelephonyTypes":"PSTN_NUMBER","tollFreeNumber":false,"isServiceNumber":false,"location":{"id":"L","name":"Lisbon"},"owner":{"id":"P","type":"PEOPLE","firstName":"Ana","lastName":"Lopez"}}]}`},
		"GetPersonNumbers": {call: func(ctx context.Context, c *Client) (any, error) {
			return c.GetPersonNumbers(ctx, personID)
		}, body: `{"distinctiveRingEnabled":true,"phoneNumbers":[{"primary":true,"directNumber":"2143000000","extension":"1","routingPrefix":"8","esn":"81","ringPattern":"NORMAL"}]}`, whole: true},
		"ListAllDevices": {call: func(ctx context.Context, c *Client) (any, error) {
			return collect(c.ListAllDevices(ctx, DeviceFilter{Max: 100}))
		}},
		"ListDevices": {call: func(ctx context.Context, c *Client) (any, error) { return c.ListDevices(ctx, personID) }},
		"GetPersonDevices": {call: func(ctx context.Context, c *Client) (any, error) {
			return c.GetPersonDevices(ctx, personID)
		}},
		"ListSupportedDevices": {call: func(ctx context.Context, c *Client) (any, error) { return c.ListSupportedDevices(ctx) },
			body: `{"devices":[{"model":"DMS Cisco 9851","displayName":"Cisco 9851","type":"DESK_PHONE","onboardingMethod":["ACTIVATION_CODE"],"numberOfLinePorts":10}]}`},
		"CreateActivationCode": {call: func(ctx context.Context, c *Client) (any, error) {
			return c.CreateActivationCode(ctx, personID, "DMS Cisco 9851")
		}, whole: true},
		"DeleteDevice": {call: func(ctx context.Context, c *Client) (any, error) { return nil, c.DeleteDevice(ctx, deviceID) }},
		"GetDeviceMembers": {call: func(ctx context.Context, c *Client) (any, error) {
			return c.GetDeviceMembers(ctx, deviceID)
		}, whole: true, body: `{"model":"DMS Cisco 9851","maxLineCount":10,"members":[{"id":"P","firstName":"Ana","lastName":"Lopez","phoneNumber":"+351","extension":"1","routingPrefix":"8","esn":"81","primaryOwner":true,"port":1,
			"t38FaxCompressionEnabled":false,"lineType":"PRIMARY","lineWeight":1,"hotlineEnabled":true,"hotlineDestination":"2","allowCallDeclineEnabled":true,"lineLabel":"Ana","memberType":"PEOPLE","location":{"id":"L","name":"Lisbon"}}]}`},
		"UpdateDeviceMembers": {call: func(ctx context.Context, c *Client) (any, error) {
			member := DeviceMember{ID: personID, FirstName: "Ana", LineType: "PRIMARY", PrimaryOwner: yes, T38FaxCompressionEnabled: yes, MemberType: "PEOPLE", LineLabel: "Ana"}
			return nil, c.UpdateDeviceMembers(ctx, deviceID, []DeviceMemberUpdate{member.Update()})
		}},
		"ApplyDeviceChanges": {call: func(ctx context.Context, c *Client) (any, error) { return nil, c.ApplyDeviceChanges(ctx, deviceID) }},
		"ListQueues": {call: func(ctx context.Context, c *Client) (any, error) {
			_, err := c.ListQueues(ctx, false)
			if err != nil {
				return nil, err
			}
			return c.ListQueues(ctx, true)
		}, body: `{"queues":[{"id":"Q","name":"Sales","hasCxEssentials":true,"locationName":"Lisbon","locationId":"L","phoneNumber":"+351","extension":"1","enabled":true,"department":{"id":"D","name":"Dep"},"esn":"81","routingPrefix":"8"}]}`},
		"GetQueue": {call: func(ctx context.Context, c *Client) (any, error) {
			return c.GetQueue(ctx, siteID, queueID, true)
		}, body: queueBody},
		"ListQueueAgents": {call: func(ctx context.Context, c *Client) (any, error) {
			return c.ListQueueAgents(ctx, AgentFilter{QueueID: queueID, LocationID: siteID, Name: "Ana", CustomerAssist: true, JoinEnabled: yes, Max: 5})
		}, body: `{"agents":[{"id":"P","firstName":"Ana","lastName":"Lopez","phoneNumber":"+1","extension":"1","routingPrefix":"8","esn":"81","queueCount":1,"locationCount":1,"joinCount":1,"unjoinCount":0,"location":{"id":"L","name":"Lisbon"},"type":"PEOPLE"}]}`},
		"GetQueueAgent": {call: func(ctx context.Context, c *Client) (any, error) {
			return c.GetQueueAgent(ctx, personID, false, 0, 50)
		}, body: agentBody, whole: true},
		"ListAgentQueues": {call: func(ctx context.Context, c *Client) (any, error) {
			return c.ListAgentQueues(ctx, personID, AllQueues)
		}, body: agentBody},
		"UpdateQueueAgentSettings": {call: func(ctx context.Context, c *Client) (any, error) {
			return nil, c.UpdateQueueAgentSettings(ctx, personID, true, []QueueAgentSetting{{QueueID: queueID, JoinEnabled: false}})
		}},
		"UpdateQueueAgents": {call: func(ctx context.Context, c *Client) (any, error) {
			var read QueueDetail
			if err := json.Unmarshal([]byte(queueBody), &read); err != nil {
				return nil, err
			}
			skill := Count(3)
			return nil, c.UpdateQueueAgents(ctx, siteID, queueID, read, []QueueAgentUpdate{{ID: personID, Weight: "50", SkillLevel: &skill, JoinEnabled: yes}, {ID: "other"}})
		}},
		"ListAvailableQueueAgents": {call: func(ctx context.Context, c *Client) (any, error) {
			return collect(c.ListAvailableQueueAgents(ctx, AvailableAgentFilter{LocationID: siteID, Name: "Ana", PhoneNumber: "+1", Max: 5}))
		}, body: `{"agents":[{"id":"P","firstName":"Ana","lastName":"Lopez","displayName":"Ana Lopez","type":"PEOPLE","email":"ana@example.com","hasCxEssentials":true,"phoneNumbers":[{"external":"+351","extension":"1"}]}]}`},
		"ListHuntGroups": {call: func(ctx context.Context, c *Client) (any, error) { return c.ListHuntGroups(ctx) },
			body: `{"huntGroups":[{"id":"H","name":"Front desk","locationName":"Lisbon","locationId":"L","phoneNumber":"+351","extension":"1","enabled":true,"esn":"81","routingPrefix":"8"}]}`},
		"GetHuntGroup": {call: func(ctx context.Context, c *Client) (any, error) {
			return c.GetHuntGroup(ctx, siteID, huntGroupID)
		}, whole: true, body: `{"id":"H","name":"Front desk","enabled":true,"phoneNumber":"+351","extension":"1","esn":"81","routingPrefix":"8","timeZone":"Europe/Lisbon","languageCode":"pt_pt",
			"agents":[{"id":"P","firstName":"Ana","lastName":"Lopez","phoneNumber":"+1","extension":"1","esn":"81","routingPrefix":"8","type":"PEOPLE","weight":"50","location":{"id":"L","name":"Lisbon"}}]}`},
		"UpdateHuntGroupAgents": {call: func(ctx context.Context, c *Client) (any, error) {
			return nil, c.UpdateHuntGroupAgents(ctx, siteID, huntGroupID, []HuntGroupAgentUpdate{{ID: personID, Weight: "100"}})
		}},
		"GetCallForwarding": {call: func(ctx context.Context, c *Client) (any, error) {
			return c.GetCallForwarding(ctx, personID)
		}, whole: true},
		"UpdateCallForwarding": {call: func(ctx context.Context, c *Client) (any, error) {
			return nil, c.UpdateCallForwarding(ctx, personID, CallForwardingUpdate{
				CallForwarding: &ForwardingRulesUpdate{
					Always:   &ForwardAlways{Enabled: yes, Destination: ptr("+14085550100"), RingReminderEnabled: yes, DestinationVoicemailEnabled: yes},
					Busy:     &ForwardBusy{Enabled: yes, Destination: ptr(""), DestinationVoicemailEnabled: yes},
					NoAnswer: &ForwardNoAnswerUpdate{Enabled: yes, Destination: ptr("1"), NumberOfRings: ptr(3), DestinationVoicemailEnabled: yes},
				},
				BusinessContinuity: &BusinessContinuity{Enabled: yes, Destination: ptr("1"), DestinationVoicemailEnabled: yes},
			})
		}},
		"GetDoNotDisturb": {call: func(ctx context.Context, c *Client) (any, error) { return c.GetDoNotDisturb(ctx, personID) }, whole: true},
		"UpdateDoNotDisturb": {call: func(ctx context.Context, c *Client) (any, error) {
			return nil, c.UpdateDoNotDisturb(ctx, personID, DoNotDisturbUpdate{Enabled: yes, RingSplashEnabled: yes, WebexGoOverrideEnabled: ptr(false)})
		}},
		"GetCallWaiting": {call: func(ctx context.Context, c *Client) (any, error) { return c.GetCallWaiting(ctx, personID) }, whole: true},
		"UpdateCallWaiting": {call: func(ctx context.Context, c *Client) (any, error) {
			return nil, c.UpdateCallWaiting(ctx, personID, CallWaitingUpdate{Enabled: ptr(false)})
		}},
		"GetIntercept": {call: func(ctx context.Context, c *Client) (any, error) { return c.GetIntercept(ctx, personID) }, whole: true},
		"UpdateIntercept": {call: func(ctx context.Context, c *Client) (any, error) {
			transfer := &InterceptTransfer{Enabled: yes, Destination: ptr("+1")}
			return nil, c.UpdateIntercept(ctx, personID, InterceptUpdate{Enabled: yes,
				Incoming: &InterceptIncomingUpdate{Type: ptr("INTERCEPT_ALL"), VoicemailEnabled: yes,
					Announcements: &InterceptAnnouncementsUpdate{Greeting: ptr("DEFAULT"), NewNumber: transfer, ZeroTransfer: transfer}},
				Outgoing: &InterceptOutgoing{Type: ptr("ALLOW_LOCAL_ONLY"), TransferEnabled: yes, Destination: ptr("1")}})
		}},
		"GetVoicemail": {call: func(ctx context.Context, c *Client) (any, error) { return c.GetVoicemail(ctx, personID) }, whole: true},
		"GetServices": {call: func(ctx context.Context, c *Client) (any, error) { return c.GetServices(ctx, personID) },
			body: `{"services":["Call Forwarding Always"]}`},
		"GetFeatureAccess": {call: func(ctx context.Context, c *Client) (any, error) {
			return c.GetFeatureAccess(ctx, personID)
		}, body: `{"userOrgSettingsPermissionEnabled":true,"userOrgSettingsPermissions":` + permissionsBody + `,"userSettingsPermissions":{}}`},
		"GetDefaultFeatureAccess": {call: func(ctx context.Context, c *Client) (any, error) {
			return c.GetDefaultFeatureAccess(ctx)
		}, body: permissionsBody, whole: true},
		"ListGroups": {call: func(ctx context.Context, c *Client) (any, error) {
			return c.ListGroups(ctx, GroupFilter{DisplayName: `Sales "North"`})
		}},
		"ListGroupMembers":  {call: func(ctx context.Context, c *Client) (any, error) { return c.ListGroupMembers(ctx, "group") }},
		"ListOrganizations": {call: func(ctx context.Context, c *Client) (any, error) { return c.ListOrganizations(ctx) }},
		"GetTokenExpiry":    {call: func(ctx context.Context, c *Client) (any, error) { return c.GetTokenExpiry(ctx) }},
	}
}

func TestEveryCallFollowsTheContract(t *testing.T) {
	t.Parallel()
	spec, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	examples := loadExamples(t)
	for name, tt := range apiCalls() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var answered atomic.Value
			c, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if err := spec.CheckRequest(r.Method, r.URL.Path, r.URL.RawQuery, r.Header, body); err != nil {
					t.Errorf("the request breaks the contract: %v", err)
				}
				if got := r.Header.Get("Authorization"); got != "Bearer token-1" {
					t.Errorf("authorization %q", got)
				}
				op, err := spec.Find(r.Method, r.URL.Path)
				if err != nil {
					t.Error(err)
				}
				example := firstOf(tt.body, examples[op.ID])
				if r.Method != http.MethodGet && example == "" {
					if err := spec.CheckResponse(r.Method, r.URL.Path, http.StatusNoContent, http.Header{}, nil); err != nil {
						t.Errorf("%s answers something: %v", op.ID, err)
					}
					w.WriteHeader(http.StatusNoContent)
					return
				}
				answered.Store(example)
				if example == "" {
					t.Errorf("%s needs an answer", op.ID)
				}
				if err := spec.CheckResponse(r.Method, r.URL.Path, 200, http.Header{"Content-Type": {"application/json"}}, []byte(example)); err != nil {
					t.Errorf("the test's own answer breaks the contract: %v", err)
				}
				answerJSON(w, http.StatusOK, example)
			})
			got, err := tt.call(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if !tt.whole {
				return
			}
			again, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tree(t, answered.Load().(string)), tree(t, string(again))); diff != "" {
				t.Errorf("fields are lost or made up (-answer +decoded):\n%s", diff)
			}
		})
	}
}

// TestListsAreDecoded holds lists, whose names differ, to their examples.
func TestListsAreDecoded(t *testing.T) {
	t.Parallel()
	examples := loadExamples(t)
	for name, tt := range apiCalls() {
		if !strings.HasPrefix(name, "List") && !strings.HasPrefix(name, "Find") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec, err := contract.Load()
			if err != nil {
				t.Fatal(err)
			}
			c, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
				op, err := spec.Find(r.Method, r.URL.Path)
				if err != nil {
					t.Error(err)
				}
				answerJSON(w, 200, firstOf(tt.body, examples[op.ID]))
			})
			list, err := tt.call(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			v := reflect.ValueOf(list)
			if v.Len() == 0 {
				t.Fatal("the list is empty")
			}
			if id := v.Index(0).FieldByName("ID"); id.IsValid() && id.String() == "" {
				t.Errorf("no id in %+v", v.Index(0))
			}
		})
	}
}

func TestEveryMethodIsInTheContractTest(t *testing.T) {
	t.Parallel()
	calls := apiCalls()
	typ := reflect.TypeFor[*Client]()
	for i := range typ.NumMethod() {
		name := typ.Method(i).Name
		if name == "Close" || name == "Health" { // send nothing
			continue
		}
		if _, ok := calls[name]; !ok {
			t.Errorf("%s is not in the table", name)
		}
	}
}

func TestEveryOperationIsInTheContract(t *testing.T) {
	t.Parallel()
	spec, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	ops := map[string]bool{}
	for name, tt := range apiCalls() {
		c := NewClient(Options{BaseURL: "http://webex.test", Tokens: &tokens{}, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			op, err := spec.Find(r.Method, strings.TrimPrefix(r.URL.Path, "/v1"))
			if err != nil {
				return nil, err
			}
			mu.Lock()
			defer mu.Unlock()
			ops[op.ID] = true
			return response(404, nil, op.ID), nil
		})})
		_, err := tt.call(t.Context(), c)
		if err == nil { // not an agent: no queues
			continue
		}
		// The name in errors, logs and metrics is the contract's.
		if e := asError(t, err); !ops[e.Op] {
			t.Errorf("%s calls itself %q, the contract says otherwise: %v", name, e.Op, slices.Sorted(maps.Keys(ops)))
		}
	}
}

func firstOf(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

func tree(t *testing.T, s string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// loadExamples reads the examples of all 200 answers, by operationId.
func loadExamples(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile("../contract/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	resolve := func(v any) map[string]any {
		m, _ := v.(map[string]any)
		for m["$ref"] != nil {
			at := any(doc)
			for _, part := range strings.Split(fmt.Sprint(m["$ref"]), "/")[1:] {
				at = at.(map[string]any)[part]
			}
			m, _ = at.(map[string]any)
		}
		return m
	}
	examples := map[string]string{}
	for _, item := range doc["paths"].(map[string]any) {
		for _, op := range item.(map[string]any) {
			o, ok := op.(map[string]any)
			if !ok {
				continue
			}
			media := resolve(resolve(resolve(resolve(o["responses"])["200"])["content"])["application/json"])
			if media["example"] == nil {
				continue
			}
			text, err := json.Marshal(media["example"])
			if err != nil {
				t.Fatal(err)
			}
			examples[fmt.Sprint(o["operationId"])] = string(text)
		}
	}
	return examples
}
