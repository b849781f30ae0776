package check

import (
	"slices"
	"testing"

	"patchbay/internal/contract"
)

// uses are the operations that the portal sends, by the scope that it wants for
// them. The contract says what Webex demands.
var uses = map[string][]string{
	peopleRead.name: {
		"listPeople", "getPerson", "getPersonServices", "getPersonCallForwarding", "getPersonCallWaiting",
		"getPersonDoNotDisturb", "getPersonIntercept", "getPersonVoicemail",
	},
	peopleWrite.name: {"updatePersonCallForwarding", "updatePersonCallWaiting", "updatePersonDoNotDisturb", "updatePersonIntercept"},
	telephonyRead.name: {
		"getQueue", "getQueueAgent", "listQueuesAgentsAvailableAgents", "listHuntGroups", "getHuntGroup", "getPersonFeatureAccess", "getDefaultFeatureAccess",
		"getPersonDevices", "getDeviceMembers", "listSupportedDevices",
	},
	telephonyWrite.name: {"updateQueueAgentSettings", "updateQueue", "updateHuntGroup", "updateDeviceMembers", "applyDeviceChanges"},
	locationsRead.name:  {"listLocations", "getLocation"},
	devicesRead.name:    {"listDevices"},
	devicesWrite.name:   {"createDeviceActivationCode", "deleteDevice"},
	oneTimeCode.name:    {"createDeviceActivationCode"},
	groupsRead.name:     {"listGroups", "listGroupMembers"},
}

func TestTheScopesWantedAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	c, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	accepts := map[string][]string{}
	for _, op := range c.Operations() {
		accepts[op.ID] = op.Scopes
	}
	for _, s := range wanted {
		if len(uses[s.name]) == 0 {
			t.Errorf("%s is wanted for nothing", s.name)
		}
		for _, op := range uses[s.name] {
			for _, name := range []string{s.name, s.instead} {
				if name != "" && !slices.Contains(accepts[op], name) {
					t.Errorf("%s is not enough for %s, which takes %v", name, op, accepts[op])
				}
			}
		}
	}
}
