package webexsim_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"patchbay/internal/webexsim"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// grant is an answer of the token endpoint.
type grant struct {
	status                  int
	body                    string
	Access                  string `json:"access_token"`
	ExpiresIn               int    `json:"expires_in"`
	Refresh                 string `json:"refresh_token"`
	RefreshIn               int    `json:"refresh_token_expires_in"`
	Scope                   string `json:"scope"`
	IDToken                 string `json:"id_token"`
	Type                    string `json:"token_type"`
	OAuthError, Description string
}

// form posts to the token endpoint.
func (c *client) form(id, password string, form url.Values) grant {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), "POST", c.sim.BaseURL+"/access_token", strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id != "" {
		r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(password))
	}
	resp, body := c.roundTrip(r)
	g := grant{status: resp.StatusCode, body: string(body)}
	if resp.StatusCode == 200 {
		if err := json.Unmarshal(body, &g); err != nil {
			c.t.Fatal(err)
		}
	}
	return g
}

// refresh asks for the service app's tokens.
func (c *client) refresh(token string) grant {
	c.t.Helper()
	creds := c.sim.Credentials()
	return c.form("", "", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {creds.ServiceAppClientID}, "client_secret": {creds.ServiceAppClientSecret}})
}

// works says whether an access token is accepted.
func (c *client) works(token string) bool {
	c.t.Helper()
	with := *c
	with.token = token
	return with.do("GET", "/people/me", "").StatusCode == 200
}

func TestTheLifeOfServiceAppTokens(t *testing.T) {
	t.Parallel()
	clock := newClock()
	c := start(t, webexsim.Options{Now: clock.Now})
	seed := c.sim.Credentials().ServiceAppRefreshToken
	first := c.refresh(seed)
	if first.status != 200 || first.ExpiresIn != 1209599 || first.RefreshIn != 7775999 || first.Refresh != seed || first.Type != "Bearer" || !c.works(first.Access) {
		t.Fatalf("first refresh: %+v", first)
	}
	if !strings.Contains(first.Scope, "spark-admin:people_write") {
		t.Errorf("scope %q", first.Scope)
	}
	clock.add(time.Hour)
	again := c.refresh(seed)
	if again.Access != first.Access || again.ExpiresIn != first.ExpiresIn-3600 || again.RefreshIn != first.RefreshIn-3600 {
		t.Errorf("an hour later the same with the same end: %+v", again)
	}
	c.token = first.Access
	if exp := c.get("/authorizations/tokenExpiry")["exp"]; exp != float64(clock.Now().Add(time.Duration(again.ExpiresIn)*time.Second).UnixMilli()) {
		t.Errorf("tokenExpiry %v", exp)
	}
	clock.add(24 * time.Hour)
	next := c.refresh(seed)
	if next.Access == first.Access || next.RefreshIn != 7775999 || !c.works(next.Access) || !c.works(first.Access) {
		t.Errorf("a day later another one, and the old one goes on: %+v", next)
	}
	clock.add(14 * 24 * time.Hour)
	if c.works(next.Access) {
		t.Error("works after its end")
	}
	last := c.refresh(seed)
	c.sim.ExpireAccessToken()
	if c.works(last.Access) {
		t.Error("works after it was ended")
	}
	if fresh := c.refresh(seed); fresh.Access == last.Access || !c.works(fresh.Access) {
		t.Error("a token that was ended comes again")
	}
	c.sim.RevokeServiceAppTokens()
	refused := c.refresh(seed)
	if refused.status != 400 || !strings.Contains(refused.body, "trackingId") || !strings.Contains(refused.body, "expired, revoked, malformed, or invalid") {
		t.Errorf("after the revocation: %+v", refused)
	}
	anew := c.sim.ReauthorizeServiceApp()
	if anew == seed || anew != c.sim.Credentials().ServiceAppRefreshToken || c.refresh(anew).status != 200 || c.refresh(seed).status != 400 {
		t.Error("a new consent should give a new seed, and only that works")
	}
	clock.add(90 * 24 * time.Hour)
	if got := c.refresh(anew); got.status != 400 {
		t.Errorf("a refresh token after its end: %+v", got)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{RotateRefreshTokens: true, SameTokenWithin: -1, Variant: webexsim.Variant{RefreshEndsOldToken: true}})
	seed := c.sim.Credentials().ServiceAppRefreshToken
	first := c.refresh(seed)
	if first.Refresh == seed || c.refresh(seed).status != 400 {
		t.Errorf("a spent refresh token works: %+v", first)
	}
	second := c.refresh(first.Refresh)
	if second.status != 200 || c.works(first.Access) || !c.works(second.Access) {
		t.Errorf("the second refresh should end the first access token: %+v", second)
	}
	if c.sim.Credentials().ServiceAppRefreshToken != second.Refresh {
		t.Error("Credentials should name the token that works")
	}
}

func TestVariantsOfTokenAnswers(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{AccessTokenLifetime: 90 * time.Second, RefreshTokenLifetime: time.Hour, Variant: webexsim.Variant{OmitScope: true, OmitRefreshToken: true, OAuthErrors: true}})
	seed := c.sim.Credentials().ServiceAppRefreshToken
	if got := c.refresh(seed); got.Scope != "" || got.Refresh != "" || got.RefreshIn != 0 || got.ExpiresIn < 89 || got.ExpiresIn > 90 {
		t.Errorf("%+v", got)
	}
	if got := c.refresh("nonsense"); got.status != 400 || !strings.Contains(got.body, `"error":"invalid_request"`) {
		t.Errorf("%+v", got)
	}
}

// TestOneRefreshWins has many replicas spend one refresh token at once.
func TestOneRefreshWins(t *testing.T) {
	t.Parallel()
	for keep, want := range map[bool]int{false: 1, true: 8} {
		c := start(t, webexsim.Options{RotateRefreshTokens: true, SameTokenWithin: -1, Variant: webexsim.Variant{KeepOldRefreshTokens: keep}})
		seed := c.sim.Credentials().ServiceAppRefreshToken
		var group sync.WaitGroup
		var won atomic.Int32
		for range 8 {
			group.Go(func() {
				if c.refresh(seed).status == 200 {
					won.Add(1)
				}
			})
		}
		group.Wait()
		if int(won.Load()) != want {
			t.Errorf("old tokens kept %t: %d refreshes succeeded, want %d", keep, won.Load(), want)
		}
	}
}

func TestTheTokenEndpointKnowsItsClients(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{})
	creds := c.sim.Credentials()
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {creds.ServiceAppRefreshToken}}
	tests := map[string]struct {
		id, secret string
		form       url.Values
		want       int
	}{
		"Basic":                        {creds.ServiceAppClientID, creds.ServiceAppClientSecret, refresh, 200},
		"an unknown client":            {"nobody", creds.ServiceAppClientSecret, refresh, 400},
		"a wrong secret":               {creds.ServiceAppClientID, "wrong", refresh, 401},
		"no client":                    {"", "", refresh, 400},
		"another client's token":       {creds.ClientID, creds.ClientSecret, refresh, 400},
		"an unknown grant":             {creds.ServiceAppClientID, creds.ServiceAppClientSecret, url.Values{"grant_type": {"password"}}, 400},
		"a code that was never issued": {creds.ClientID, creds.ClientSecret, url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "redirect_uri": {"http://localhost/authorize"}}, 400},
	}
	for name, test := range tests {
		if got := c.form(test.id, test.secret, test.form); got.status != test.want {
			t.Errorf("%s: %d, want %d: %s", name, got.status, test.want, got.body)
		}
	}
	for _, r := range c.sim.Requests() {
		if r.Body != "" || strings.Contains(r.Query, creds.ServiceAppClientSecret) {
			t.Errorf("the history holds secrets: %+v", r)
		}
	}
}
