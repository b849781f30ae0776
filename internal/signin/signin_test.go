package signin_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"patchbay/internal/session"
	"patchbay/internal/signin"
)

var amara = session.Identity{
	PersonID: amaraID, OrgID: orgID, DisplayName: "Amara Okafor", FirstName: "Amara", Email: "Amara.Okafor@Example.com", LocationID: berlin,
	SignedInAt: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC),
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	v := newVisit(t)
	if got := v.provider.calls; len(got) != 0 {
		t.Errorf("New asks the provider: %v", got)
	}
	v.goThere("/authenticate?return=/queues%3Fpage%3D2")
	result, err := v.comeBack()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(signin.Result{Identity: amara, ReturnTo: "/queues?page=2"}, result); diff != "" {
		t.Error(diff)
	}
	if len(v.cookies) != 0 {
		t.Errorf("cookies after sign-in: %v", v.cookies)
	}
	if v.log.Len() != 0 {
		t.Errorf("log: %s", v.log)
	}
	if got := v.answer.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
}

func TestVariationsThatSignIn(t *testing.T) {
	t.Parallel()
	tests := map[string]func(v *visit){
		"email_verified is a boolean": func(v *visit) { v.provider.userinfo["email_verified"] = true },
		"the address in another case": func(v *visit) { v.provider.userinfo["email"] = "AMARA.okafor@EXAMPLE.com" },
		"a correct at_hash":           func(v *visit) { v.provider.spoilClaims = func(c map[string]any) { c["at_hash"] = atHash(accessToken) } },
		"azp is our client":           func(v *visit) { v.provider.spoilClaims = func(c map[string]any) { c["azp"] = clientID } },
		"several audiences, and azp is our client": func(v *visit) {
			v.provider.spoilClaims = func(c map[string]any) { c["aud"], c["azp"] = []string{"x", clientID}, clientID }
		},
		"the other allowed issuer": func(v *visit) {
			v.provider.spoilClaims = func(c map[string]any) { c["iss"] = "https://idbroker.webex.com/idb" }
		},
		"the sub in upper case": func(v *visit) {
			v.provider.sub, v.provider.userinfo["sub"] = strings.ToUpper(amaraSub), strings.ToUpper(amaraSub)
		},
		"the provider's clock is a minute slow": func(v *visit) {
			v.provider.spoilClaims = func(c map[string]any) { c["iat"] = v.clock.Now().Add(-time.Minute).Unix() }
		},
		"the provider's clock is a minute fast": func(v *visit) {
			v.provider.spoilClaims = func(c map[string]any) {
				c["iat"], c["nbf"] = v.clock.Now().Add(time.Minute).Unix(), v.clock.Now().Add(time.Minute).Unix()
			}
		},
		"the token has just ended": func(v *visit) {
			v.provider.spoilClaims = func(c map[string]any) { c["exp"] = v.clock.Now().Add(-time.Minute).Unix() }
		},
		"the person takes nine minutes at Webex": func(v *visit) { v.clock.add(9 * time.Minute) },
		"the organization's id with another cluster part": func(v *visit) {
			v.people.org = webexID("urn:TEAM:us-west-2_r", "ORGANIZATION", strings.ToUpper(orgUUID))
		},
		"the signing keys were changed": func(v *visit) {
			other := newVisit(v.t) // uses the flow once, so that it holds the old keys
			other.provider, other.flow, other.cookies = v.provider, v.flow, v.cookies
			other.goThere("/authenticate")
			if _, err := other.comeBack(); err != nil {
				v.t.Fatal(err)
			}
			v.provider.key, v.provider.kid = secondKey(), "key-2"
			v.provider.served = append(v.provider.served, public(secondKey(), "key-2"))
		},
		"keys without ids": func(v *visit) {
			v.provider.kid, v.provider.served[0].KeyID = "", ""
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVisit(t)
			v.goThere("/authenticate")
			change(v)
			result, err := v.comeBack()
			if err != nil {
				t.Fatal(err)
			}
			want := amara
			want.SignedInAt = v.clock.Now()
			if diff := cmp.Diff(signin.Result{Identity: want, ReturnTo: "/"}, result); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnAdministratorNeedsNoCallingLicence(t *testing.T) {
	t.Parallel()
	v := newVisit(t)
	v.provider.sub = adminSub
	v.provider.userinfo["sub"], v.provider.userinfo["email"] = adminSub, "CHIEF@example.com"
	v.goThere("/authenticate")
	result, err := v.comeBack()
	if err != nil {
		t.Fatal(err)
	}
	want := session.Identity{PersonID: adminID, OrgID: orgID, DisplayName: "Chief", FirstName: "Chief", Email: adminMail, SignedInAt: v.clock.Now()}
	if diff := cmp.Diff(want, result.Identity); diff != "" {
		t.Error(diff)
	}
}

func TestStartPassesOnWhatThePersonAskedFor(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ path, hint, prompt string }{
		"nothing":                  {path: "/authenticate"},
		"a login_hint":             {path: "/authenticate?login_hint=a%2Bb@example.com", hint: "a+b@example.com"},
		"a login_hint without end": {path: "/authenticate?login_hint=" + strings.Repeat("a", 300)},
		"another account":          {path: "/authenticate?account=other", prompt: "select_account"},
		"something else":           {path: "/authenticate?account=none&prompt=none&scope=spark:all"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVisit(t)
			location, err := v.start(test.path)
			if err != nil {
				t.Fatal(err)
			}
			v.provider.authorize(location)
			u, err := url.Parse(location)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([2]string{test.hint, test.prompt}, [2]string{u.Query().Get("login_hint"), u.Query().Get("prompt")}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheCookieOfAnAttempt(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]bool{"https": true, "http": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVisit(t)
			v.deps.Secure = secure
			v.flow = signin.New(v.deps)
			v.goThere("/authenticate?return=/secret-place")
			set := v.answer.Cookies()
			if len(set) != 1 {
				t.Fatalf("cookies %v", set)
			}
			got := *set[0]
			prefix := "portal_signin_"
			if secure {
				prefix = "__Host-portal_signin_"
			}
			if len(got.Name) != len(prefix)+12 || !strings.HasPrefix(got.Name, prefix) || len(got.Value) < 200 {
				t.Errorf("%s=%s", got.Name, got.Value)
			}
			for _, secret := range append(v.secrets, "secret-place") {
				if strings.Contains(got.Value, secret) {
					t.Errorf("%q is readable in the cookie", secret)
				}
			}
			got.Name, got.Value, got.Raw = "", "", ""
			if diff := cmp.Diff(http.Cookie{Path: "/", MaxAge: 600, HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode}, got); diff != "" {
				t.Error(diff)
			}
			if _, err := v.comeBack(); err != nil {
				t.Fatal(err)
			}
			if len(v.cookies) != 0 {
				t.Errorf("cookies after sign-in: %v", v.cookies)
			}
		})
	}
}

func TestTwoTabsSignInIndependently(t *testing.T) {
	t.Parallel()
	v := newVisit(t)
	v.goThere("/authenticate?return=/calls")
	first := v.callback
	v.goThere("/authenticate?return=/queues")
	second := v.callback
	for want, callback := range map[string]url.Values{"/calls": first, "/queues": second} {
		v.callback = callback
		result, err := v.comeBack()
		if err != nil {
			t.Fatal(err)
		}
		if result.ReturnTo != want {
			t.Errorf("returns to %s, want %s", result.ReturnTo, want)
		}
	}
}

func TestABrowserHoldsFewAttempts(t *testing.T) {
	t.Parallel()
	v := newVisit(t)
	long := "/" + strings.Repeat("a", 511)
	var callbacks []url.Values
	for range 7 {
		v.clock.add(time.Second)
		v.goThere("/authenticate?return=" + long)
		callbacks = append(callbacks, v.callback)
	}
	v.cookies["portal_session"] = "stays"
	v.cookies["portal_signin_planted"] = "garbage"
	v.goThere("/authenticate?return=" + long)
	callbacks = append(callbacks, v.callback)
	if got := v.attemptCookies(); len(got) != 4 {
		t.Errorf("attempts %v", got)
	}
	size := 0
	for name, value := range v.cookies {
		size += len(name) + len(value)
	}
	if size > 5000 {
		t.Errorf("the cookies have %d bytes", size)
	}
	if v.cookies["portal_session"] != "stays" {
		t.Error("another cookie was removed")
	}
	v.callback = callbacks[3] // the fifth from the end is gone
	_, err := v.comeBack()
	v.wantFailure(err, signin.AttemptUnknown)
	v.callback = callbacks[4]
	if result, err := v.comeBack(); err != nil || result.ReturnTo != long {
		t.Errorf("%v, %v", result, err)
	}
	v.clock.add(10 * time.Minute)
	v.goThere("/authenticate") // attempts that are over go
	if got := v.attemptCookies(); len(got) != 1 {
		t.Errorf("attempts %v", got)
	}
}

func TestTheSessionIsRenewedAtSignIn(t *testing.T) {
	t.Parallel()
	v := newVisit(t)
	c := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = c.Close() })
	sessions := session.New(session.Deps{
		Redis: c, Sealer: v.sealer, Idle: time.Hour, Lifetime: time.Hour, Now: time.Now,
		OnError: func(_ http.ResponseWriter, _ *http.Request, err error) { t.Error(err) },
	})
	h := sessions.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/attack":
			if err := sessions.SignIn(r.Context(), session.Identity{FirstName: "Mallory"}, session.Client{}); err != nil {
				t.Error(err)
			}
		case "/authorize":
			result, err := v.flow.Finish(w, r)
			if err != nil {
				t.Error(err)
			}
			if err := sessions.SignIn(r.Context(), result.Identity, session.Client{}); err != nil {
				t.Error(err)
			}
		}
		who, _ := sessions.Identity(r.Context())
		_, _ = w.Write([]byte(who.FirstName))
	}))
	do := func(path string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, v.request(path))
		v.received(w)
		return w.Body.String()
	}
	do("/attack")
	planted := v.cookies["portal_session"]
	v.goThere("/authenticate")
	if got := do("/authorize?" + v.callback.Encode()); got != "Amara" {
		t.Errorf("signed in: %q", got)
	}
	if v.cookies["portal_session"] == planted || planted == "" {
		t.Errorf("the session id stayed %q", planted)
	}
	v.cookies["portal_session"] = planted
	if got := do("/"); got != "" {
		t.Errorf("with the planted id: %q", got)
	}
}

// TestAnAttemptIsAnsweredOnce: a browser forgets its cookie, somebody else's program
// does not. Each answer would cost a call with the client's secret.
func TestAnAttemptIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	v := newVisit(t)
	spent := map[string]bool{}
	v.deps.Spend = func(_ context.Context, state string, life time.Duration) (bool, error) {
		first := !spent[state]
		spent[state] = true
		if life <= 0 {
			t.Errorf("an attempt is remembered for %s", life)
		}
		return first, nil
	}
	v.flow = signin.New(v.deps)
	v.goThere("/authenticate")
	kept := maps.Clone(v.cookies)
	if _, err := v.comeBack(); err != nil {
		t.Fatal(err)
	}
	v.cookies = kept
	_, err := v.comeBack()
	var failure *signin.Failure
	if !errors.As(err, &failure) || failure.Reason != signin.AttemptSpent {
		t.Errorf("the second answer: %v, want %s", err, signin.AttemptSpent)
	}
}
