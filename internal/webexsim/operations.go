package webexsim

// Scopes that several operations share (x-webex-scopes of the contract).
var (
	readPeople     = []string{"spark-admin:people_read", "spark:people_read"}
	readFeatures   = []string{"spark-admin:people_read"}
	writeFeatures  = []string{"spark-admin:people_write"}
	writeOwn       = []string{"spark-admin:people_write", "spark:people_write"}
	readTelephony  = []string{"spark-admin:telephony_config_read"}
	writeTelephony = []string{"spark-admin:telephony_config_write"}
	writeDevices   = []string{"spark-admin:devices_write", "spark:devices_write"}
	readDevices    = []string{"spark-admin:devices_read", "spark:devices_read"}
	readLocations  = []string{"spark-admin:locations_read", "spark-admin:people_read", "spark-admin:device_read"}
	readGroups     = []string{"identity:groups_read", "identity:groups_rw"}
	personCode     = []string{"identity:one_time_password"}
	anyCode        = []string{"identity:one_time_password", "identity:placeonetimepassword_create"} // the second for workspaces only
	readSCIM       = []string{"identity:people_read", "identity:people_rw"}
)

// operations is everything that the simulator serves.
var operations = []operation{
	{method: "GET", path: "/authorize", handle: (*Sim).authorize, token: true},
	{method: "POST", path: "/access_token", handle: (*Sim).accessTokenEndpoint, token: true},
	{method: "GET", path: "/userinfo", handle: (*Sim).userInfo, token: true},
	{method: "GET", path: "/verification", handle: (*Sim).jwks, token: true},
	{method: "GET", path: "/.well-known/openid-configuration", handle: (*Sim).discovery, token: true},

	{method: "GET", path: "/people", scopes: readPeople, handle: (*Sim).listPeople},
	{method: "GET", path: "/people/me", scopes: readPeople, handle: (*Sim).getMe},
	{method: "GET", path: "/people/{personId}", scopes: readPeople, handle: (*Sim).getPerson},
	{method: "GET", path: "/people/{personId}/features/callForwarding", scopes: readPeople, handle: readSetting("callForwarding")},
	{method: "PUT", path: "/people/{personId}/features/callForwarding", scopes: writeOwn, handle: putSetting("callForwarding"), write: true},
	{method: "GET", path: "/people/{personId}/features/callWaiting", scopes: readFeatures, handle: readSetting("callWaiting")},
	{method: "PUT", path: "/people/{personId}/features/callWaiting", scopes: writeFeatures, handle: putSetting("callWaiting"), write: true},
	{method: "GET", path: "/people/{personId}/features/doNotDisturb", scopes: readPeople, handle: readSetting("doNotDisturb")},
	{method: "PUT", path: "/people/{personId}/features/doNotDisturb", scopes: writeOwn, handle: putSetting("doNotDisturb"), write: true},
	{method: "GET", path: "/people/{personId}/features/intercept", scopes: readFeatures, handle: readSetting("intercept")},
	{method: "PUT", path: "/people/{personId}/features/intercept", scopes: writeFeatures, handle: putSetting("intercept"), write: true},
	{method: "GET", path: "/people/{personId}/features/voicemail", scopes: readPeople, handle: readSetting("voicemail")},
	{method: "PUT", path: "/people/{personId}/features/voicemail", scopes: writeOwn, handle: putSetting("voicemail"), write: true},
	{method: "GET", path: "/people/{personId}/features/numbers", scopes: readFeatures, handle: forCalling((*Sim).personNumbers)},
	{method: "GET", path: "/people/{personId}/features/applications", scopes: readFeatures, handle: forCalling((*Sim).applications)},

	{method: "GET", path: "/locations", scopes: readLocations, handle: (*Sim).listLocations},
	{method: "GET", path: "/locations/{locationId}", scopes: readLocations, handle: (*Sim).getLocation},
	{method: "GET", path: "/telephony/config/locations", scopes: readTelephony, handle: (*Sim).listCallingLocations},
	{method: "GET", path: "/telephony/config/locations/{locationId}", scopes: readTelephony, handle: (*Sim).getCallingLocation},

	{method: "GET", path: "/devices", scopes: readDevices, handle: (*Sim).listDevices},
	{method: "GET", path: "/devices/{deviceId}", scopes: readDevices, handle: (*Sim).getDevice},
	{method: "DELETE", path: "/devices/{deviceId}", scopes: writeDevices, handle: (*Sim).deleteDevice, write: true},
	{method: "POST", path: "/devices/activationCode", scopes: writeDevices[:1], also: anyCode, handle: (*Sim).activationCode, write: true},
	{method: "GET", path: "/telephony/config/supportedDevices", scopes: readTelephony, handle: (*Sim).supportedDevices},
	{method: "GET", path: "/telephony/config/devices/{deviceId}/members", scopes: readTelephony, handle: (*Sim).getDeviceMembers},
	{method: "PUT", path: "/telephony/config/devices/{deviceId}/members", scopes: writeTelephony, handle: (*Sim).putDeviceMembers, write: true},
	{method: "POST", path: "/telephony/config/devices/{deviceId}/actions/applyChanges/invoke", scopes: writeTelephony, handle: (*Sim).applyChanges, write: true},
	{method: "GET", path: "/telephony/config/people/{personId}/devices", scopes: readTelephony, handle: forCalling((*Sim).callingDevices)},

	{method: "GET", path: "/telephony/config/numbers", scopes: readTelephony, handle: (*Sim).listNumbers},
	{method: "GET", path: "/telephony/config/people/{personId}/services", scopes: readFeatures, handle: forCalling((*Sim).personServices)},
	{method: "GET", path: "/telephony/config/people/settings/permissions", scopes: readTelephony, handle: (*Sim).defaultAccess},
	{method: "GET", path: "/telephony/config/people/{personId}/settings/permissions", scopes: readTelephony, handle: forCalling((*Sim).personAccess)},
	{method: "PUT", path: "/telephony/config/people/{personId}/settings/permissions", scopes: writeTelephony, handle: forCalling((*Sim).putPersonAccess), write: true},

	{method: "GET", path: "/telephony/config/queues", scopes: readTelephony, handle: (*Sim).listQueues},
	{method: "GET", path: "/telephony/config/locations/{locationId}/queues/{queueId}", scopes: readTelephony, handle: (*Sim).getQueue},
	{method: "PUT", path: "/telephony/config/locations/{locationId}/queues/{queueId}", scopes: writeTelephony, handle: (*Sim).putQueue, write: true},
	{method: "GET", path: "/telephony/config/queues/agents", scopes: readTelephony, handle: (*Sim).listAgents},
	{method: "GET", path: "/telephony/config/queues/agents/availableAgents", scopes: readTelephony, handle: (*Sim).availableAgents},
	{method: "GET", path: "/telephony/config/queues/agents/{id}", scopes: readTelephony, handle: (*Sim).getAgent},
	{method: "PUT", path: "/telephony/config/queues/agents/{id}/settings", scopes: writeTelephony, handle: (*Sim).putAgentSettings, write: true},

	{method: "GET", path: "/telephony/config/huntGroups", scopes: readTelephony, handle: (*Sim).listHuntGroups},
	{method: "GET", path: "/telephony/config/locations/{locationId}/huntGroups/{huntGroupId}", scopes: readTelephony, handle: (*Sim).getHuntGroup},
	{method: "PUT", path: "/telephony/config/locations/{locationId}/huntGroups/{huntGroupId}", scopes: writeTelephony, handle: (*Sim).putHuntGroup, write: true},

	{method: "GET", path: "/groups", scopes: readGroups, handle: (*Sim).listGroups},
	{method: "GET", path: "/groups/{groupId}", scopes: readGroups, handle: (*Sim).getGroup},
	{method: "GET", path: "/groups/{groupId}/members", scopes: readGroups, handle: (*Sim).listMembers},
	{method: "GET", path: "/identity/scim/{orgId}/v2/Users", scopes: readSCIM, handle: (*Sim).scimUsers},

	{method: "GET", path: "/organizations", scopes: []string{"spark-admin:organizations_read"}, handle: (*Sim).listOrganizations},
	{method: "GET", path: "/organizations/{orgId}", scopes: []string{"spark-admin:organizations_read"}, handle: (*Sim).getOrganization},
	{method: "GET", path: "/licenses", scopes: []string{"spark-admin:licenses_read"}, handle: (*Sim).listLicenses},
	{method: "GET", path: "/roles", scopes: []string{"spark-admin:roles_read"}, handle: (*Sim).listRoles},
	{method: "GET", path: "/authorizations/tokenExpiry", scopes: []string{"identity:tokens_read"}, handle: (*Sim).tokenExpiry},
}

// Operation is an entry of what is simulated.
type Operation struct {
	Method, Path string
	Scopes       []string // one is enough; none = needs no token of the service app
	Also         []string // besides, one of these
}

// Operations lists what is simulated, for tests that loop over it.
func Operations() []Operation {
	list := make([]Operation, len(operations))
	for i, op := range operations {
		list[i] = Operation{op.method, op.path, op.scopes, op.also}
	}
	return list
}
