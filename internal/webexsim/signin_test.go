package webexsim_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"patchbay/internal/webexsim"
)

const (
	redirect = "http://localhost:5010/authorize"
	verifier = "a-code-verifier-that-is-long-enough-for-the-rules-4711"
)

func challenge(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (c *client) roundTrip(r *http.Request) (*http.Response, []byte) {
	c.t.Helper()
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp, b
}

// request is what the portal sends to /authorize, with changes; "-" removes.
func (c *client) request(change map[string]string) url.Values {
	q := url.Values{
		"response_type": {"code"}, "client_id": {c.sim.Credentials().ClientID}, "redirect_uri": {redirect}, "scope": {"openid email profile"}, "state": {"the state"}, "nonce": {"the nonce"},
		"code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"}, "login_hint": {greta},
	}
	for key, v := range change {
		q.Set(key, v)
		if v == "-" {
			q.Del(key)
		}
	}
	return q
}

// authorize asks, and gives the page or the query with which the browser goes back.
func (c *client) authorize(q url.Values, cookies ...*http.Cookie) (*http.Response, string, url.Values) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), "GET", c.sim.BaseURL+"/authorize?"+q.Encode(), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, cookie := range cookies {
		r.AddCookie(cookie)
	}
	resp, body := c.roundTrip(r)
	if resp.StatusCode != http.StatusFound {
		return resp, string(body), nil
	}
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(to.String(), redirect+"?") {
		c.t.Fatalf("sent to %q: %v", to, err)
	}
	return resp, "", to.Query()
}

// code signs somebody in as far as the code.
func (c *client) code(change map[string]string) string {
	c.t.Helper()
	_, page, back := c.authorize(c.request(change))
	if back.Get("code") == "" {
		c.t.Fatalf("no code: %v %s", back, page)
	}
	return back.Get("code")
}

func (c *client) exchange(code string, change map[string]string) grant {
	c.t.Helper()
	creds := c.sim.Credentials()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}}
	for key, v := range change {
		form.Set(key, v)
	}
	return c.form(creds.ClientID, creds.ClientSecret, form)
}

func (c *client) userInfo(token string) map[string]any {
	c.t.Helper()
	with := *c
	with.token = token
	return with.get("/userinfo")
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{})
	_, _, back := c.authorize(c.request(map[string]string{"login_hint": strings.ToUpper(greta)}))
	if back.Get("state") != "the state" {
		t.Errorf("state %q", back.Get("state"))
	}
	got := c.exchange(back.Get("code"), nil)
	if got.status != 200 || got.Refresh == "" || got.ExpiresIn <= 0 {
		t.Fatalf("%+v", got)
	}

	// As the portal checks it, but with the one issuer.
	ctx := context.Background()
	keys := oidc.NewRemoteKeySet(ctx, c.sim.BaseURL+"/verification")
	token, err := oidc.NewVerifier(webexsim.Issuer, keys, &oidc.Config{ClientID: c.sim.Credentials().ClientID}).Verify(ctx, got.IDToken)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	for key := range claims {
		if !strings.Contains(" iss sub aud nonce iat exp auth_time ", " "+key+" ") {
			t.Errorf("the ID token has the claim %s", key)
		}
	}
	if claims["nonce"] != "the nonce" || claims["sub"] != c.person(greta).UUID || claims["exp"].(float64)-claims["iat"].(float64) != 7200 {
		t.Errorf("claims %v", claims)
	}
	want := map[string]any{"sub": claims["sub"], "email": greta, "email_verified": "true", "name": "Greta Holm", "given_name": "Greta", "family_name": "Holm"}
	if info := c.userInfo(got.Access); !maps.Equal(info, want) {
		t.Errorf("userinfo %v, want %v", info, want)
	}
	// The person's token is not the service app's.
	with := *c
	with.token = got.Access
	if r := with.do("GET", "/people/"+c.person(greta).ID, ""); r.StatusCode != 403 {
		t.Errorf("an OpenID token reads people: %d", r.StatusCode)
	}

	// Discovery works, and names another issuer: a strict client refuses it.
	if _, err := oidc.NewProvider(ctx, c.sim.BaseURL); err == nil || !strings.Contains(err.Error(), webexsim.DiscoveryIssuer) {
		t.Errorf("discovery: %v, want the issuer mismatch", err)
	}
	if v := c.get("/.well-known/openid-configuration"); v["token_endpoint"] != c.sim.BaseURL+"/access_token" {
		t.Errorf("discovery: %v", v)
	}
}

func TestEverybodyCanSignIn(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{})
	for _, p := range webexsim.Personas() {
		got := c.exchange(c.code(map[string]string{"login_hint": p.Email}), nil)
		info := c.userInfo(got.Access)
		if info["email"] != strings.ToLower(p.Email) || info["name"] != p.Name {
			t.Errorf("%s: userinfo %v", p.Email, info)
		}
		if person, found := c.sim.Person(p.Email); found && info["sub"] != person.UUID {
			t.Errorf("%s: sub %v, want %s", p.Email, info["sub"], person.UUID)
		}
	}
}

func TestAuthorizeRefuses(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{})
	stay := map[string]map[string]string{ // a page, nobody is sent anywhere
		"an unknown client":             {"client_id": "nobody"},
		"no client":                     {"client_id": "-"},
		"no redirect":                   {"redirect_uri": "-"},
		"a redirect to somewhere else":  {"redirect_uri": "https://evil.example/authorize"},
		"a redirect with a fragment":    {"redirect_uri": redirect + "#x"},
		"a redirect to a script":        {"redirect_uri": "javascript:alert(1)"},
		"a host that looks like ours":   {"redirect_uri": "http://localhost.evil.example/authorize"},
		"a redirect with a user's name": {"redirect_uri": "http://localhost@evil.example/"},
	}
	for name, change := range stay {
		if resp, page, _ := c.authorize(c.request(change)); resp.StatusCode != 400 || !strings.Contains(page, "<h1>") {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
	back := map[string]struct {
		change map[string]string
		want   string
	}{
		"no nonce":                  {map[string]string{"nonce": "-"}, "invalid_request"},
		"no scope":                  {map[string]string{"scope": "-"}, "invalid_scope"},
		"a scope not registered":    {map[string]string{"scope": "openid spark-admin:people_write"}, "invalid_scope"},
		"the implicit flow":         {map[string]string{"response_type": "id_token"}, "unsupported_response_type"},
		"a short challenge":         {map[string]string{"code_challenge": "short"}, "invalid_request"},
		"an unknown method":         {map[string]string{"code_challenge_method": "S512"}, "invalid_request"},
		"a method alone":            {map[string]string{"code_challenge": "-"}, "invalid_request"},
		"nobody there, prompt none": {map[string]string{"login_hint": "-", "prompt": "none"}, "login_required"},
	}
	for name, test := range back {
		resp, _, q := c.authorize(c.request(test.change))
		if q.Get("error") != test.want || q.Get("code") != "" || q.Get("state") != "the state" {
			t.Errorf("%s: %d %v, want the error %s", name, resp.StatusCode, q, test.want)
		}
	}
	strict := start(t, webexsim.Options{RedirectURIs: []string{"https://portal.example/"}})
	if resp, _, _ := strict.authorize(strict.request(nil)); resp.StatusCode != 400 {
		t.Errorf("a loopback address that is not registered: %d", resp.StatusCode)
	}
}

func TestCodesAreSpentOnce(t *testing.T) {
	t.Parallel()
	clock := newClock()
	c := start(t, webexsim.Options{Now: clock.Now})
	code := c.code(nil)
	first := c.exchange(code, nil)
	if first.status != 200 {
		t.Fatalf("%+v", first)
	}
	if again := c.exchange(code, nil); again.status != 400 {
		t.Errorf("a code works twice: %+v", again)
	}
	with := *c
	with.token = first.Access
	if r := with.do("GET", "/userinfo", ""); r.StatusCode != 401 {
		t.Errorf("the tokens of a replayed code go on: %d", r.StatusCode)
	}
	for name, change := range map[string]map[string]string{
		"another verifier": {"code_verifier": strings.ToUpper(verifier)},
		"no verifier":      {"code_verifier": ""},
		"another redirect": {"redirect_uri": redirect + "/x"},
	} {
		if got := c.exchange(c.code(nil), change); got.status != 400 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	plain := c.code(map[string]string{"code_challenge": verifier, "code_challenge_method": "plain"})
	if got := c.exchange(plain, nil); got.status != 200 {
		t.Errorf("plain PKCE: %+v", got)
	}
	without := c.code(map[string]string{"code_challenge": "-", "code_challenge_method": "-"})
	if got := c.exchange(without, nil); got.status != 400 {
		t.Errorf("a verifier without a challenge: %+v", got)
	}
	late := c.code(nil)
	clock.add(2 * time.Minute)
	if got := c.exchange(late, nil); got.status != 400 {
		t.Errorf("a late code: %+v", got)
	}
}

func TestTheSessionOfTheProvider(t *testing.T) {
	t.Parallel()
	clock := newClock()
	c := start(t, webexsim.Options{Now: clock.Now})
	resp, _, _ := c.authorize(c.request(nil))
	cookie := resp.Cookies()[0]
	silent := map[string]string{"login_hint": "-", "prompt": "none"}
	clock.add(time.Minute)
	if _, _, back := c.authorize(c.request(silent), cookie); back.Get("code") == "" {
		t.Errorf("a browser that is known: %v", back)
	}
	silent["max_age"] = "30"
	if _, _, back := c.authorize(c.request(silent), cookie); back.Get("error") != "login_required" {
		t.Errorf("a session that is too old: %v", back)
	}
	if resp, _, _ := c.authorize(c.request(map[string]string{"login_hint": "-"}), cookie); resp.StatusCode != 200 {
		t.Errorf("without a hint the page should ask: %d", resp.StatusCode)
	}
	c.sim.SetVariant(webexsim.Variant{SilentSignInAfterSSO: true})
	if _, _, back := c.authorize(c.request(map[string]string{"login_hint": "-"}), cookie); back.Get("code") == "" {
		t.Errorf("with single sign-on it should not: %v", back)
	}
	if resp, _, _ := c.authorize(c.request(map[string]string{"login_hint": "-", "prompt": "select_account"}), cookie); resp.StatusCode != 200 {
		t.Errorf("select_account should ask: %d", resp.StatusCode)
	}
}

func TestThePageThatAsks(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{})
	resp, page, _ := c.authorize(c.request(map[string]string{"login_hint": "-"}))
	policy := resp.Header.Get("Content-Security-Policy")
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
	sum := sha256.Sum256([]byte(style[1]))
	for _, want := range []string{"default-src 'none'", "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", "form-action 'self' http://localhost:5010", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(page, "<script") || strings.Contains(page, "style=") {
		t.Error("the page needs an exception from its policy")
	}
	// Each link signs its person in.
	links := regexp.MustCompile(`href="authorize\?([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(links) != len(webexsim.Personas()) {
		t.Fatalf("%d links", len(links))
	}
	for i, p := range webexsim.Personas() {
		q, err := url.ParseQuery(html.UnescapeString(links[i][1]))
		if err != nil || q.Get("login_hint") != p.Email {
			t.Fatalf("%v: %v", q, err)
		}
		if _, _, back := c.authorize(q); back.Get("code") == "" || back.Get("state") != "the state" {
			t.Errorf("%s: %v", p.Email, back)
		}
	}
	if _, page, _ := c.authorize(c.request(map[string]string{"login_hint": `<b>"nobody"@x`})); !strings.Contains(page, "Nobody here has the address &lt;b&gt;") {
		t.Error("somebody unknown should be named, and escaped")
	}
}

func TestDishonestProviders(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tests := map[string]struct {
		with webexsim.SignIn
		want string // part of go-oidc's refusal; "" = accepted
	}{
		"honest":              {webexsim.SignIn{AtHash: true}, ""},
		"another issuer":      {webexsim.SignIn{Claims: map[string]any{"iss": "https://idbroker.evil.example/idb"}}, "different provider"},
		"another audience":    {webexsim.SignIn{Claims: map[string]any{"aud": "C0ffee"}}, "audience"},
		"expired":             {webexsim.SignIn{Claims: map[string]any{"exp": 1000}}, "expired"},
		"no algorithm":        {webexsim.SignIn{Signature: "none"}, "malformed"},
		"the client's secret": {webexsim.SignIn{Signature: "HS256"}, "signature algorithm"},
		"the key as a secret": {webexsim.SignIn{Signature: "HS256-key"}, "signature algorithm"},
		"another hash":        {webexsim.SignIn{Signature: "RS384"}, "signature algorithm"},
		"a wrong key":         {webexsim.SignIn{Signature: "wrongKey"}, "failed to verify"},
		"an unknown key":      {webexsim.SignIn{Signature: "unknownKid"}, "failed to verify"},
		"nonsense":            {webexsim.SignIn{IDToken: "a.b.c"}, "malformed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, webexsim.Options{})
			c.sim.SetSignIn(test.with)
			got := c.exchange(c.code(nil), nil)
			keys := oidc.NewRemoteKeySet(ctx, c.sim.BaseURL+"/verification")
			token, err := oidc.NewVerifier(webexsim.Issuer, keys, &oidc.Config{ClientID: c.sim.Credentials().ClientID}).Verify(ctx, got.IDToken)
			if test.want == "" {
				if err != nil || token.VerifyAccessToken(got.Access) != nil {
					t.Errorf("refused: %v", err)
				}
			} else if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one about %q", err, test.want)
			}
		})
	}

	c := start(t, webexsim.Options{})
	c.sim.SetSignIn(webexsim.SignIn{
		IDToken: "-", State: "another state", IgnorePKCE: true, IgnoreReplay: true,
		UserInfo: map[string]any{"sub": "somebody else", "email_verified": nil},
	})
	_, _, back := c.authorize(c.request(nil))
	first := c.exchange(back.Get("code"), map[string]string{"code_verifier": "x"})
	second := c.exchange(back.Get("code"), map[string]string{"code_verifier": "y"})
	info := c.userInfo(second.Access)
	_, verified := info["email_verified"]
	if back.Get("state") != "another state" || first.IDToken != "" || second.status != 200 || info["sub"] != "somebody else" || verified {
		t.Errorf("state %q, grants %+v %+v, userinfo %v", back.Get("state"), first, second, info)
	}
	c.sim.SetSignIn(webexsim.SignIn{Error: "access_denied", ErrorDescription: "<b>no</b>", State: "-"})
	if _, _, back := c.authorize(c.request(nil)); back.Get("error") != "access_denied" || back.Get("error_description") != "<b>no</b>" || back.Has("state") {
		t.Errorf("an error: %v", back)
	}
	c.sim.SetSignIn(webexsim.SignIn{Code: "made up"})
	if _, _, back := c.authorize(c.request(nil)); c.exchange(back.Get("code"), nil).status != 400 {
		t.Error("a made-up code is accepted")
	}
	c.sim.SetSignIn(webexsim.SignIn{})
	c.sim.SetVariant(webexsim.Variant{EmailVerifiedAsBool: true})
	if info := c.userInfo(c.exchange(c.code(nil), nil).Access); info["email_verified"] != true {
		t.Errorf("email_verified %v", info["email_verified"])
	}
}

func TestSigningKeysRotate(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c := start(t, webexsim.Options{})
	kids := func() (list []string) {
		for _, k := range c.get("/verification")["keys"].([]any) {
			list = append(list, k.(map[string]any)["kid"].(string))
		}
		return list
	}
	verify := func(token string) error {
		_, err := oidc.NewVerifier(webexsim.Issuer, oidc.NewRemoteKeySet(ctx, c.sim.BaseURL+"/verification"), &oidc.Config{ClientID: c.sim.Credentials().ClientID}).Verify(ctx, token)
		return err
	}
	old, before := c.exchange(c.code(nil), nil).IDToken, kids()
	c.sim.RotateSigningKeys(true)
	if got := kids(); len(got) != 2 || got[1] != before[0] || verify(old) != nil || verify(c.exchange(c.code(nil), nil).IDToken) != nil {
		t.Errorf("both keys should be published and work: %v", got)
	}
	c.sim.RotateSigningKeys(false)
	if got := kids(); len(got) != 1 || verify(old) == nil || verify(c.exchange(c.code(nil), nil).IDToken) != nil {
		t.Errorf("only the newest should be published: %v", got)
	}
}

func TestControlPlane(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{CheckContract: true})
	control := func(method, path, body string, want int) map[string]any {
		t.Helper()
		r, err := http.NewRequestWithContext(c.t.Context(), method, c.sim.ControlURL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, b := c.roundTrip(r)
		if resp.StatusCode != want {
			t.Errorf("%s %s %s: %d, want %d: %s", method, path, body, resp.StatusCode, want, b)
		}
		var v any
		if len(b) > 0 && json.Unmarshal(b, &v) != nil {
			t.Errorf("%s %s: no JSON: %s", method, path, b)
		}
		m, isObject := v.(map[string]any)
		if !isObject {
			m = map[string]any{"list": v}
		}
		return m
	}
	path := "/people/" + c.person(greta).ID

	control("PUT", "/faults", `[{"id":"f","path":"/people/{personId}","kind":"status","status":503,"retryAfter":"30s","delay":"1ms"}]`, 204)
	if r := c.do("GET", path, ""); r.StatusCode != 503 || r.Header.Get("Retry-After") != "30" {
		t.Errorf("a fault: %d", r.StatusCode)
	}
	faults := control("GET", "/faults", "", 200)
	if got := fmt.Sprint(faults["faults"]); got != "[map[delay:1ms id:f kind:status path:/people/{personId} retryAfter:30s status:503]]" {
		t.Errorf("faults %s", got)
	}
	control("DELETE", "/faults/f", "", 204)
	c.get(path)
	if id := control("POST", "/faults", `{"kind":"empty","path":"/groups"}`, 200)["id"]; id != "fault-1" {
		t.Errorf("id %v", id)
	}
	control("DELETE", "/faults", "", 204)
	for _, bad := range []string{`[{"kind":"magic"}]`, `[{"kind":"status"}]`, `[{"kind":"hang","delay":"soon"}]`, `[{"kind":"hang","wait":1}]`, `{`} {
		control("PUT", "/faults", bad, 400)
	}

	history := control("GET", "/requests", "", 200)["list"].([]any)
	if first := history[0].(map[string]any); len(history) != 2 || first["template"] != "/people/{personId}" || first["status"] != 503.0 || first["token"] != "serviceApp" || first["fault"] != "f" {
		t.Errorf("history %v", history)
	}
	control("DELETE", "/requests", "", 204)
	if got := control("GET", "/requests", "", 200)["list"].([]any); len(got) != 0 {
		t.Errorf("history %v", got)
	}

	if got := control("GET", "/people/"+greta, "", 200); got["id"] != c.person(greta).ID || got["timeZone"] != "Europe/Berlin" {
		t.Errorf("person %v", got)
	}
	control("GET", "/people/nobody@patchbay.example", "", 404)
	control("PUT", "/people/"+greta+"/settings/doNotDisturb", `{"enabled":true}`, 204)
	if control("GET", "/people/"+greta+"/settings/doNotDisturb", "", 200)["enabled"] != true || c.get(path + "/features/doNotDisturb")["enabled"] != true {
		t.Error("a setting that was set is not read")
	}
	control("GET", "/people/"+greta+"/settings/magic", "", 400)
	control("PUT", "/people/"+greta+"/access/voicemail", `{"allowed":false}`, 204)
	control("PUT", "/access/callWaiting", `{"allowed":false}`, 204)
	control("PUT", "/access/magic", `{"allowed":false}`, 400)
	control("PUT", "/queues/Night%20Desk/agents/sam.oneill@patchbay.example", `{"joined":false}`, 204)
	if joined, agent := c.sim.QueueJoined("Night Desk", "sam.oneill@patchbay.example"); joined || !agent {
		t.Errorf("Sam: joined %t, agent %t", joined, agent)
	}
	control("PUT", "/queues/Night%20Desk/agents/"+greta, `{"joined":true}`, 400)
	control("GET", "/queues/Night%20Desk", "", 200)
	control("GET", "/queues/Day%20Desk", "", 404)
	if got := control("GET", "/queues", "", 200)["list"].([]any); len(got) != len(c.sim.Queues()) {
		t.Errorf("%d queues", len(got))
	}
	if got := control("GET", "/huntGroups", "", 200)["list"].([]any); len(got) != len(c.sim.HuntGroups()) {
		t.Errorf("%d hunt groups", len(got))
	}
	if got := control("GET", "/huntGroups/IT%20Support%20Berlin", "", 200); got["policy"] != "WEIGHTED" {
		t.Errorf("hunt group %v", got)
	}
	control("GET", "/huntGroups/Nobody", "", 404)
	control("PUT", "/groups/Empty%20Group/members/"+greta, `{"member":true}`, 204)
	if got := control("GET", "/groups/Empty%20Group", "", 200); fmt.Sprint(got["members"]) != "["+greta+"]" {
		t.Errorf("group %v", got)
	}
	control("GET", "/groups/Nothing", "", 404)
	control("PUT", "/groups/Everybody/members/"+greta, `{"member":false}`, 400)
	if got := control("GET", "/personas", "", 200)["list"].([]any); len(got) != len(webexsim.Personas()) {
		t.Errorf("%d personas", len(got))
	}

	control("PUT", "/limits", `{"latency":"0s","rateLimit":1,"retryAfter":"60s"}`, 204)
	c.get(path)
	if resp, _, err := c.try(context.Background(), "GET", path, ""); err != nil || resp.StatusCode != 429 {
		t.Errorf("above the limit: %v %v", resp, err)
	}
	control("PUT", "/limits", `{"latency":"fast"}`, 400)
	control("PUT", "/limits", `{}`, 204)
	control("PUT", "/variant", `{"oauthErrors":true}`, 204)
	control("PUT", "/variant", `{"magic":true}`, 400)
	if got := c.refresh("nonsense"); !strings.Contains(got.body, `"error"`) {
		t.Errorf("a variant: %s", got.body)
	}
	control("PUT", "/signin", `{"claims":{"iss":"https://evil.example","nonce":null},"signature":"none"}`, 204)
	token := c.exchange(c.code(nil), nil).IDToken
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil || !strings.Contains(string(payload), "evil.example") || strings.Contains(string(payload), "nonce") {
		t.Errorf("an ID token: %s, %v", payload, err)
	}
	control("DELETE", "/signin", "", 204)
	control("POST", "/keys/rotate?keepOld=true", "", 204)
	if got := c.get("/verification")["keys"].([]any); len(got) != 2 {
		t.Errorf("%d keys", len(got))
	}

	control("POST", "/tokens/expire", "", 204)
	if r := c.do("GET", path, ""); r.StatusCode != 401 {
		t.Errorf("an expired token: %d", r.StatusCode)
	}
	control("POST", "/tokens/revoke", "", 204)
	fresh := control("POST", "/tokens/authorize", "", 200)["refreshToken"].(string)
	c.token = c.refresh(fresh).Access

	control("DELETE", "/people/"+greta, "", 204)
	if r := c.do("GET", path, ""); r.StatusCode != 404 {
		t.Errorf("somebody deleted: %d", r.StatusCode)
	}
	c.do("GET", "/people?mail=x", "")
	if got := control("GET", "/violations", "", 200)["list"].([]any); len(got) != 1 {
		t.Errorf("violations %v", got)
	}
	control("POST", "/reset", "", 204)
	if got := control("GET", "/violations", "", 200)["list"].([]any); len(got) != 0 || c.get(path + "/features/doNotDisturb")["enabled"] != false {
		t.Errorf("after the reset: violations %v", got)
	}
	control("POST", "/seed", `{"seed":12,"people":200}`, 204)
	if got := len(c.sim.People(1000)); got != 200 {
		t.Errorf("%d people after another seed", got)
	}
	control("POST", "/seed", `{"people":-1}`, 400)
}
