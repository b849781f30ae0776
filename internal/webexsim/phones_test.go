package webexsim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"patchbay/internal/webexsim"
)

const (
	ines = "ines.keller@patchbay.example"
	nils = "nils.dahl@patchbay.example"
)

// devices are the ids of a person's devices in both views.
func (c *client) devices(who string) (platform, calling []string) {
	c.t.Helper()
	for _, d := range c.get("/devices?personId=" + c.person(who).ID)["items"].([]any) {
		d := d.(map[string]any)
		platform, calling = append(platform, d["id"].(string)), append(calling, d["callingDeviceId"].(string))
	}
	return platform, calling
}

func TestActivationCodes(t *testing.T) {
	t.Parallel()
	var later atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	c := start(t, webexsim.Options{CheckContract: true, Now: now, AccessTokenLifetime: 1000 * time.Hour})
	ask := func(who, model string, want int) reply {
		t.Helper()
		body := fmt.Sprintf(`{"personId":%q}`, c.person(who).ID)
		if model != "" {
			body = fmt.Sprintf(`{"personId":%q,"model":%q}`, c.person(who).ID, model)
		}
		r := c.do("POST", "/devices/activationCode", body)
		if r.StatusCode != want {
			t.Errorf("%s: %d, want %d: %s", body, r.StatusCode, want, r.body)
		}
		return r
	}
	seen := map[string]bool{}
	for _, model := range []string{"DMS Cisco 9851", ""} {
		var v map[string]string
		if err := json.Unmarshal(ask(greta, model, 200).body, &v); err != nil {
			t.Fatal(err)
		}
		end, err := time.Parse(time.RFC3339, v["expiryTime"])
		if len(v["code"]) != 16 || seen[v["code"]] || err != nil || !end.After(now().Add(6*24*time.Hour)) {
			t.Errorf("%v", v)
		}
		seen[v["code"]] = true
	}
	ask(greta, "DMS Cisco DBS110", 400) // needs its MAC address
	ask(noah, "DMS Cisco 9851", 404)
	ask(greta, "DMS Cisco 9861", 200)
	ask(greta, "DMS Cisco 9861", 400) // the sixth device
	if r := c.do("POST", "/devices/activationCode", `{"model":"DMS Cisco 9851"}`); r.StatusCode != 400 {
		t.Errorf("for nobody: %d", r.StatusCode)
	}
	list, _ := c.all("/devices?personId="+c.person(greta).ID+"&connectionStatus=activating", "items")
	if len(list) != 3 || list[0]["mac"] != nil || list[0]["product"] != "Cisco Desk Phone 9851" {
		t.Errorf("%v", list)
	}
	// Who is shown is there, alone and in the calling view, which has no RoomOS.
	c.get("/devices/" + list[0]["id"].(string))
	activating := 0
	for _, d := range c.get("/telephony/config/people/" + c.person(greta).ID + "/devices")["devices"].([]any) {
		if d.(map[string]any)["activationState"] == "ACTIVATING" {
			activating++
		}
	}
	if activating != 2 {
		t.Errorf("%d activating phones in the calling view", activating)
	}
	later.Store(int64(8 * 24 * time.Hour))
	if platform, _ := c.devices(greta); len(platform) != 2 {
		t.Errorf("after the codes ended: %d devices", len(platform))
	}
	ask(greta, "DMS Cisco 9851", 200)
	if now, _ := c.all("/devices?personId="+c.person(greta).ID+"&connectionStatus=activating", "items"); len(now) != 1 || now[0]["id"] == list[0]["id"] {
		t.Errorf("another device with an old id: %v", now)
	}
}

// TestAnActivationCodeNeedsTwoScopes and for a person, not just any of the second.
func TestAnActivationCodeNeedsTwoScopes(t *testing.T) {
	t.Parallel()
	const devices, person, place = "spark-admin:devices_write", "identity:one_time_password", "identity:placeonetimepassword_create"
	for name, test := range map[string]struct {
		scopes []string
		want   int
		says   string
	}{
		"both":                {[]string{devices, person}, 200, "code"},
		"only the first":      {[]string{devices}, 403, person},
		"only the second":     {[]string{person, place}, 403, devices},
		"that for workspaces": {[]string{devices, place}, 403, person},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, webexsim.Options{Scopes: test.scopes})
			r := c.do("POST", "/devices/activationCode", fmt.Sprintf(`{"personId":%q}`, c.person(greta).ID))
			if r.StatusCode != test.want || !strings.Contains(string(r.body), test.says) {
				t.Errorf("%d %s", r.StatusCode, r.body)
			}
		})
	}
}

func TestADeletedDeviceIsGone(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{CheckContract: true})
	platform, calling := c.devices(greta)
	own := *c
	var err error
	if own.token, err = c.sim.UserAccessToken(ana, "spark:devices_write"); err != nil {
		t.Fatal(err)
	}
	if r := own.do("DELETE", "/devices/"+platform[0], ""); r.StatusCode != 404 {
		t.Errorf("somebody else's: %d", r.StatusCode)
	}
	if r := c.do("DELETE", "/devices/"+calling[0], ""); r.StatusCode != 404 {
		t.Errorf("by the calling view's id: %d", r.StatusCode)
	}
	if r := c.do("DELETE", "/devices/"+platform[0], ""); r.StatusCode != 204 {
		t.Fatalf("%d", r.StatusCode)
	}
	for _, request := range []string{
		"GET /devices/" + platform[0], "DELETE /devices/" + platform[0], "GET /telephony/config/devices/" + calling[0] + "/members",
		"POST /telephony/config/devices/" + calling[0] + "/actions/applyChanges/invoke",
	} {
		method, path, _ := strings.Cut(request, " ")
		if r := c.do(method, path, ""); r.StatusCode != 404 {
			t.Errorf("%s: %d", request, r.StatusCode)
		}
	}
	if left, _ := c.devices(greta); len(left) != 1 || left[0] != platform[1] {
		t.Errorf("%v", left)
	}
	c.sim.Reset()
	if again, _ := c.devices(greta); len(again) != 2 {
		t.Errorf("after a reset: %v", again)
	}
}

func TestTheLinesOfAPhone(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{})
	_, calling := c.devices(ines)
	path := "/telephony/config/devices/" + calling[0] + "/members"
	member := func(who string, port, weight int, rest string) string {
		return fmt.Sprintf(`{"id":%q,"port":%d,"primaryOwner":%t,"lineType":"SHARED_CALL_APPEARANCE","lineWeight":%d,"hotlineEnabled":false,"hotlineDestination":"","allowCallDeclineEnabled":true%s}`,
			c.person(who).ID, port, who == ines, weight, rest)
	}
	owner := member(ines, 1, 2, `,"lineLabel":"Ines"`)
	for name, test := range map[string]struct {
		members string
		want    int
	}{
		"two":                          {owner + "," + member(nils, 3, 1, ""), 204},
		"the owner alone":              {owner, 204},
		"nobody":                       {"", 400},
		"not the owner":                {member(nils, 1, 1, ""), 400},
		"another owner":                {owner + "," + strings.Replace(member(nils, 3, 1, ""), "false", "true", 1), 400},
		"a port that is taken":         {owner + "," + member(nils, 2, 1, ""), 400},
		"somebody twice":               {owner + "," + member(ines, 3, 1, ""), 400},
		"somebody without Calling":     {owner + "," + member(noah, 3, 1, ""), 400},
		"more lines than keys":         {owner + "," + member(nils, 3, 15, ""), 400},
		"a name":                       {member(ines, 1, 1, `,"firstName":"Ines"`), 400},
		"a hotline that leads nowhere": {strings.Replace(owner, `"hotlineEnabled":false`, `"hotlineEnabled":true`, 1), 400},
		"without a port":               {strings.Replace(owner, `"port":1,`, "", 1), 400},
	} {
		before := c.get(path)
		c.put(path, `{"members":[`+test.members+`]}`, test.want)
		after := c.get(path)
		if got, want := len(after["members"].([]any)), strings.Count(test.members, `"id"`); test.want == 204 && got != want {
			t.Errorf("%s: %d members", name, got)
		}
		if test.want == 204 && dig(after["members"].([]any)[0].(map[string]any), "lineLabel") != "Ines" {
			t.Errorf("%s: %v", name, after)
		}
		if test.want == 400 && fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("%s: a refused write changed something", name)
		}
	}
	_, rooms := c.devices(zoe)
	if r := c.do("GET", "/telephony/config/devices/"+rooms[1]+"/members", ""); r.StatusCode != 404 {
		t.Errorf("a device with RoomOS in the calling view: %d", r.StatusCode)
	}
}
