package signin_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"patchbay/internal/problem"
	"patchbay/internal/seal"
	"patchbay/internal/signin"
	"patchbay/internal/webex"
)

func webexID(cluster, kind, uuid string) string {
	return base64.RawURLEncoding.EncodeToString([]byte("ciscospark://" + cluster + "/" + kind + "/" + uuid))
}

const orgUUID = "1eb65fdf-9643-417f-9974-ad72cae0e10f"

var (
	orgID     = webexID("us", "ORGANIZATION", orgUUID)
	otherOrg  = webexID("us", "ORGANIZATION", "00000000-9643-417f-9974-ad72cae0e10f")
	berlin    = webexID("us", "LOCATION", "aaaaaaaa-0000-417f-9974-ad72cae0e10f")
	amaraID   = webexID("urn:TEAM:us-east-1_int13", "PEOPLE", amaraSub)
	benID     = webexID("us", "PEOPLE", "bbbbbbbb-b1b8-4905-a58a-3244917f853a")
	adminSub  = "cccccccc-b1b8-4905-a58a-3244917f853a"
	adminID   = webexID("us", "PEOPLE", adminSub)
	adminMail = "chief@example.com"
)

// directory is the organization as the service app sees it.
type directory struct {
	mu     sync.Mutex
	people []signin.Person
	org    string
	err    error // of PeopleByEmail
	orgErr error // of OrganizationOf
	asked  []string
}

func newDirectory() *directory {
	return &directory{org: orgID, people: []signin.Person{
		{ID: amaraID, OrgID: orgID, DisplayName: "Amara Okafor", FirstName: "Amara", LocationID: berlin, Emails: []string{"Amara.Okafor@Example.com", "ao@example.com"}},
		{ID: benID, OrgID: orgID, DisplayName: "Ben Fischer", FirstName: "Ben", LocationID: berlin, Emails: []string{"ben@example.com"}},
		{ID: adminID, OrgID: orgID, DisplayName: "Chief", FirstName: "Chief", Emails: []string{adminMail}},
	}}
}

// PeopleByEmail gives everybody, as a filter that matches too much would.
func (d *directory) PeopleByEmail(ctx context.Context, email string) ([]signin.Person, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, email)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return d.people, d.err
}

func (d *directory) OrganizationOf(_ context.Context, locationID string) (string, error) {
	if locationID != berlin && locationID != "" {
		return "", fmt.Errorf("no location %q", locationID)
	}
	return d.org, d.orgErr
}

// clock is the time of portal and provider.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

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

// visit is one person's browser at one portal with one provider.
type visit struct {
	t        testing.TB
	clock    *clock
	provider *openID
	people   *directory
	sealer   *seal.Sealer
	deps     signin.Deps
	flow     *signin.Flow
	log      *bytes.Buffer

	cookies  map[string]string
	callback url.Values // the query of the return from the provider
	answer   *http.Response
	secrets  []string // what no log may hold
}

func newVisit(t testing.TB) *visit {
	t.Helper()
	v := &visit{
		t: t, clock: &clock{now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)},
		people: newDirectory(), log: &bytes.Buffer{}, cookies: map[string]string{},
		secrets: []string{"example.com", "Amara", accessToken, "refresh-token", clientSecret, url.QueryEscape(clientSecret), "code-", "eyJ"},
	}
	v.provider = newOpenID(t, v.clock.Now)
	var err error
	if v.sealer, err = seal.New(seal.NewKey()); err != nil {
		t.Fatal(err)
	}
	v.deps = signin.Deps{
		ClientID: clientID, ClientSecret: clientSecret, RedirectURL: redirectURL,
		AuthURL: v.provider.url + "/v1/authorize", TokenURL: v.provider.url + "/v1/access_token",
		UserInfoURL: v.provider.url + "/v1/userinfo", JWKSURL: v.provider.url + "/v1/verification",
		AllowedIssuers: []string{"https://idbroker.webex.com/idb", issuer},
		Sealer:         v.sealer, People: v.people, UUID: webex.UUID, Now: v.clock.Now,
		IsAdmin: func(email string) bool { return strings.EqualFold(email, adminMail) },
		Log:     slog.New(slog.NewTextHandler(v.log, nil)),
	}
	v.flow = signin.New(v.deps)
	return v
}

func (v *visit) request(path string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

func (v *visit) received(w *httptest.ResponseRecorder) {
	v.answer = w.Result()
	for _, c := range v.answer.Cookies() {
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		} else {
			v.cookies[c.Name] = c.Value
		}
	}
}

// start begins a sign-in and gives the address that it redirects to.
func (v *visit) start(path string) (string, error) {
	w := httptest.NewRecorder()
	err := v.flow.Start(w, v.request(path))
	v.received(w)
	if err != nil {
		return "", err
	}
	if w.Code != http.StatusFound {
		v.t.Errorf("Start answers %d", w.Code)
	}
	location := w.Header().Get("Location")
	if u, err := url.Parse(location); err == nil {
		v.secrets = append(v.secrets, u.Query().Get("state"), u.Query().Get("nonce"))
	}
	return location, nil
}

// goThere begins a sign-in and goes through it at the provider.
func (v *visit) goThere(path string) {
	v.t.Helper()
	location, err := v.start(path)
	if err != nil {
		v.t.Fatal(err)
	}
	v.callback = v.provider.authorize(location)
}

// comeBack finishes the sign-in.
func (v *visit) comeBack() (signin.Result, error) {
	w := httptest.NewRecorder()
	result, err := v.flow.Finish(w, v.request("/authorize?"+v.callback.Encode()))
	v.received(w)
	if body := w.Body.Len(); body != 0 {
		v.t.Errorf("Finish writes %d bytes", body)
	}
	return result, err
}

// attemptCookies are the names of the attempts that the browser holds.
func (v *visit) attemptCookies() []string {
	var names []string
	for name := range v.cookies {
		if strings.Contains(name, "portal_signin_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// wantFailure fails the test unless err is a failure for exactly this reason, told to
// the operator in one line without secrets.
func (v *visit) wantFailure(err error, want signin.Reason) *signin.Failure {
	v.t.Helper()
	var failure *signin.Failure
	if !errors.As(err, &failure) {
		v.t.Fatalf("got %v, want a failure for %q", err, want)
	}
	if failure.Reason != want {
		v.t.Errorf("failed for %q (%v), want %q", failure.Reason, err, want)
	}
	if p := problem.As(err); p.Public.Key == "error.internal" || p.Err == nil {
		v.t.Errorf("problem: %#v", p)
	}
	log := v.log.String()
	if lines := strings.Count(log, "\n"); lines != 1 || !strings.Contains(log, `level=WARN msg="sign-in failed" reason=`+string(want)+" ") {
		v.t.Errorf("log: %s", log)
	}
	v.wantNoSecrets(log)
	v.wantNoSecrets(err.Error())
	return failure
}

func (v *visit) wantNoSecrets(text string) {
	v.t.Helper()
	for _, secret := range v.secrets {
		if strings.Contains(text, secret) {
			v.t.Errorf("%q stands in %s", secret, text)
		}
	}
}
