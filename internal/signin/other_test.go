package signin_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/signin"
)

const wellKnown = "/.well-known/openid-configuration"

// newOtherVisit is a visit with another provider, known by its discovery document. Its
// subs say nothing to Webex.
func newOtherVisit(t testing.TB) *visit {
	t.Helper()
	v := newVisit(t)
	v.deps.IssuerURL = v.provider.url
	v.deps.AllowedIssuers = nil
	v.deps.AuthURL, v.deps.TokenURL, v.deps.UserInfoURL, v.deps.JWKSURL = "", "", "", ""
	v.deps.HTTPClient = &http.Client{Timeout: time.Second}
	v.provider.sub, v.provider.userinfo["sub"] = "auth0|4711", "auth0|4711"
	v.provider.spoilClaims = func(c map[string]any) { c["iss"] = v.provider.url }
	v.flow = signin.New(v.deps)
	return v
}

// spoilDocument changes the discovery document; nil takes a member out.
func spoilDocument(name string, value any) func(v *visit) {
	return func(v *visit) {
		doc := v.provider.document()
		if doc[name] = value; value == nil {
			delete(doc, name)
		}
		v.provider.instead[wellKnown] = func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, doc) }
	}
}

func TestAnotherProvider(t *testing.T) {
	t.Parallel()
	tests := map[string]func(v *visit){
		"as it is": func(*visit) {},
		"its issuer has a slash at the end": func(v *visit) {
			spoilDocument("issuer", v.provider.url+"/")(v)
			v.provider.spoilClaims = func(c map[string]any) { c["iss"] = v.provider.url + "/" }
		},
		"its issuer is allowed by name": func(v *visit) {
			spoilDocument("issuer", issuer)(v)
			v.deps.AllowedIssuers = []string{issuer}
			v.provider.spoilClaims = nil
		},
		"it wants the secret in the body": func(v *visit) {
			spoilDocument("token_endpoint_auth_methods_supported", []string{"client_secret_post"})(v)
			token := v.provider.token
			v.provider.instead["/v1/access_token"] = func(w http.ResponseWriter, r *http.Request) {
				if _, _, basic := r.BasicAuth(); basic {
					reply(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
					return
				}
				token(w, r)
			}
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newOtherVisit(t)
			change(v)
			v.flow = signin.New(v.deps)
			if calls := v.provider.called(wellKnown); calls != 0 {
				t.Errorf("New asks the provider %d times", calls)
			}
			for range 2 {
				v.goThere("/authenticate")
				result, err := v.comeBack()
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(amara, result.Identity); diff != "" {
					t.Error(diff)
				}
			}
			if calls := v.provider.called(wellKnown); calls != 1 {
				t.Errorf("the discovery document was fetched %d times", calls)
			}
		})
	}
}

func TestAnotherProviderIsCheckedLikeWebex(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		attack func(v *visit)
		want   signin.Reason
	}{
		"Webex's issuer":        {func(v *visit) { v.provider.spoilClaims = nil }, signin.TokenIssuer},
		"nobody's address":      {userinfo("email", "nobody@example.com"), signin.PersonUnknown},
		"an unverified address": {userinfo("email_verified", nil), signin.EmailUnverified},
		"not a calling user":    {person(func(p *signin.Person) { p.LocationID = "" }), signin.NotCalling},
		"another organization":  {person(func(p *signin.Person) { p.OrgID = otherOrg }), signin.OrganizationOther},
	}
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newOtherVisit(t)
			v.goThere("/authenticate")
			test.attack(v)
			_, err := v.comeBack()
			v.wantFailure(err, test.want)
			if text := texts.Localizer("en").Say(problem.As(err).Public); strings.Contains(text, "from Webex") || strings.Contains(text, "[[") {
				t.Errorf("text: %s", text)
			}
		})
	}
}

func TestADiscoveryDocumentThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil func(v *visit)
		want  signin.Reason
	}{
		"of another issuer":         {spoilDocument("issuer", "https://evil.example"), signin.ProviderNonsense},
		"without issuer":            {spoilDocument("issuer", nil), signin.ProviderNonsense},
		"without token endpoint":    {spoilDocument("token_endpoint", nil), signin.ProviderNonsense},
		"without userinfo endpoint": {spoilDocument("userinfo_endpoint", nil), signin.ProviderNonsense},
		"a script to go to":         {spoilDocument("authorization_endpoint", "javascript:alert(1)"), signin.ProviderNonsense},
		"a path to go to":           {spoilDocument("authorization_endpoint", "/authorize"), signin.ProviderNonsense},
		"no host to go to":          {spoilDocument("authorization_endpoint", "http:authorize"), signin.ProviderNonsense},
		"a wrong type":              {spoilDocument("jwks_uri", 7), signin.ProviderNonsense},
		"HTML":                      {instead(wellKnown, html), signin.ProviderNonsense},
		"not there":                 {instead(wellKnown, status(404, "")), signin.ProviderNonsense},
		"huge":                      {instead(wellKnown, huge), signin.ProviderNonsense},
		"out of order":              {instead(wellKnown, status(503, "")), signin.ProviderUnavailable},
		"hangs":                     {instead(wellKnown, hang), signin.ProviderTimeout},
		"hangs up":                  {instead(wellKnown, hangUp), signin.ProviderUnavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newOtherVisit(t)
			test.spoil(v)
			_, err := v.start("/authenticate")
			v.wantFailure(err, test.want)
			if len(v.answer.Header) != 0 {
				t.Errorf("Start writes %v", v.answer.Header)
			}
		})
	}
}

func TestDiscoveryIsTriedAgainAndThenKept(t *testing.T) {
	t.Parallel()
	v := newOtherVisit(t)
	try := func(want signin.Reason, wantCalls int) {
		t.Helper()
		v.log.Reset()
		if _, err := v.start("/authenticate"); want != "" {
			v.wantFailure(err, want)
		} else if err != nil {
			t.Error(err)
		}
		if calls := v.provider.called(wellKnown); calls != wantCalls {
			t.Errorf("the discovery document was fetched %d times, want %d", calls, wantCalls)
		}
	}
	instead(wellKnown, status(503, ""))(v)
	try(signin.ProviderUnavailable, 1)
	try(signin.ProviderUnavailable, 1) // not again at once
	v.clock.add(5 * time.Second)
	try(signin.ProviderUnavailable, 2)
	delete(v.provider.instead, wellKnown)
	v.clock.add(5 * time.Second)
	try("", 3)
	v.clock.add(9 * time.Minute)
	try("", 3)
	instead(wellKnown, status(503, ""))(v)
	v.clock.add(2 * time.Minute)
	try("", 4) // the old document serves on
	try("", 4)
	v.clock.add(5 * time.Second)
	try("", 5)
}

func TestAnUnknownKeyCostsOneFetchOfKeysEach(t *testing.T) {
	t.Parallel()
	v := newVisit(t)
	v.provider.key, v.provider.kid = secondKey(), "key-2"
	for i := range 3 {
		v.log.Reset()
		v.goThere("/authenticate")
		_, err := v.comeBack()
		v.wantFailure(err, signin.TokenSignature)
		if calls := v.provider.called(jwks); calls != i+1 {
			t.Errorf("keys were fetched %d times after %d attempts", calls, i+1)
		}
	}
	v.provider.key, v.provider.kid = firstKey(), "key-1"
	v.goThere("/authenticate")
	if _, err := v.comeBack(); err != nil {
		t.Error(err)
	}
	if calls := v.provider.called(jwks); calls != 3 {
		t.Errorf("keys were fetched %d times", calls)
	}
}

func TestManyPeopleSignInAtOnce(t *testing.T) {
	t.Parallel()
	v := newVisit(t)
	var wg sync.WaitGroup
	for range 20 {
		b := *v
		b.cookies = map[string]string{}
		b.secrets = nil
		wg.Go(func() {
			b.goThere("/authenticate")
			if _, err := b.comeBack(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestTheDirectoryIsAskedOnceUnlessTheCaseMayMatter(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		email string
		found bool
		want  []string
	}{
		"found as given":          {"AMARA.okafor@example.com", true, []string{"AMARA.okafor@example.com"}},
		"not found in lower case": {"nobody@example.com", false, []string{"nobody@example.com"}},
		"not found in mixed case": {"Nobody@example.com", false, []string{"Nobody@example.com", "nobody@example.com"}},
		"only A to Z are folded":  {"Nobody.\u212A@example.com", false, []string{"Nobody.\u212A@example.com", "nobody.\u212A@example.com"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVisit(t)
			v.provider.userinfo["email"] = test.email
			v.goThere("/authenticate")
			_, err := v.comeBack()
			if test.found && err != nil {
				t.Error(err)
			}
			if !test.found {
				v.wantFailure(err, signin.PersonUnknown)
			}
			if diff := cmp.Diff(test.want, v.people.asked); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatWebexSaysAboutWaitingIsPassedOn(t *testing.T) {
	t.Parallel()
	v := newVisit(t)
	cause := problem.New(problem.Unavailable, "webex.unavailable").Because(errors.New("429"))
	cause.RetryAfter, cause.TrackingID = 12*time.Second, "ROUTER_77"
	v.people.err = cause
	v.goThere("/authenticate")
	_, err := v.comeBack()
	v.wantFailure(err, signin.DirectoryFailed)
	got := problem.As(err)
	if got.Code != problem.Unavailable || got.RetryAfter != 12*time.Second || got.TrackingID != "ROUTER_77" || got.Public.Key != "signin.directoryFailed" {
		t.Errorf("%#v", got)
	}
	if !strings.Contains(v.log.String(), "tracking_id=ROUTER_77") {
		t.Errorf("log: %s", v.log)
	}
}

func TestTheOperatorLearnsWhoWasRefused(t *testing.T) {
	t.Parallel()
	v := newVisit(t)
	v.deps.RequestID = func(context.Context) string { return "ref-1" }
	v.flow = signin.New(v.deps)
	v.people.people[0].LocationID = ""
	v.goThere("/authenticate")
	_, err := v.comeBack()
	if failure := v.wantFailure(err, signin.NotCalling); !failure.OtherAccount {
		t.Error("another account may help")
	}
	if !strings.Contains(v.log.String(), "request_id=ref-1 person_id="+amaraSub) {
		t.Errorf("log: %s", v.log)
	}
	if got := problem.As(err).Public.Args["Email"]; got != "Amara.Okafor@Example.com" {
		t.Errorf("the text names %v", got)
	}
}

func TestABrowserThatGoesAwayIsNoFaultOfAnybody(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"at the token endpoint": token, "at the keys": jwks, "at userinfo": info, "at the directory": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVisit(t)
			v.goThere("/authenticate")
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if path == "" {
				v.deps.UUID = func(string) (string, error) { cancel(); return "", ctx.Err() }
			}
			v.deps.HTTPClient = &http.Client{Timeout: time.Second} // keys are fetched on, for whoever comes next
			v.flow = signin.New(v.deps)
			v.provider.instead[path] = func(w http.ResponseWriter, r *http.Request) {
				cancel()
				hang(w, r)
			}
			r := v.request("/authorize?" + v.callback.Encode()).WithContext(ctx)
			_, err := v.flow.Finish(httptest.NewRecorder(), r)
			var failure *signin.Failure
			if !errors.As(err, &failure) || failure.Reason != signin.Abandoned || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if v.log.Len() != 0 {
				t.Errorf("log: %s", v.log)
			}
		})
	}
}
