package check_test

import (
	"bytes"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"patchbay/internal/check"
	"patchbay/internal/config"
	"patchbay/internal/redisdb"
	"patchbay/internal/redisdb/redistest"
	"patchbay/internal/seal"
	"patchbay/internal/serviceapp"
	"patchbay/internal/webexsim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const key = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="

// portal is what `portal check` has at hand, beside a simulated Webex.
type portal struct {
	t    *testing.T
	sim  *webexsim.Server
	vars map[string]string
	now  func() time.Time
}

func newPortal(t *testing.T, o webexsim.Options) *portal {
	t.Helper()
	o.CheckContract = true
	sim, err := webexsim.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
		if v := sim.Violations(); len(v) > 0 {
			t.Errorf("the contract was broken: %v", v)
		}
	})
	c := sim.Credentials()
	return &portal{t: t, sim: sim, now: time.Now, vars: map[string]string{
		"CLIENT_ID": c.ClientID, "CLIENT_SECRET": c.ClientSecret, "SERVICE_APP_CLIENT_ID": c.ServiceAppClientID,
		"SERVICE_APP_CLIENT_SECRET": c.ServiceAppClientSecret, "SERVICE_APP_REFRESH_TOKEN": c.ServiceAppRefreshToken,
		"WEBEX_API_URL": sim.BaseURL, "PORTAL_SECRET_KEY": key,
	}}
}

func (p *portal) run() check.Report {
	p.t.Helper()
	c, err := config.Load(p.vars)
	if err != nil {
		return check.Run(p.t.Context(), check.Deps{ConfigErr: err})
	}
	db, err := redisdb.Open(p.t.Context(), c.RedisURL, slog.New(slog.DiscardHandler))
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	sealer, err := seal.New(c.SealKeys()...)
	if err != nil {
		p.t.Fatal(err)
	}
	keeper, err := serviceapp.New(serviceapp.Deps{
		Redis: db, Sealer: sealer, TokenURL: c.ServiceAppTokenURL(), ClientID: c.ServiceAppClientID,
		ClientSecret: c.ServiceAppClientSecret.Reveal(), SeedRefreshToken: c.ServiceAppRefreshToken.Reveal(),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	report := check.Run(p.t.Context(), check.Deps{Config: c, Redis: db, Tokens: keeper, Transport: transport, Now: p.now})

	var out bytes.Buffer
	if err := report.Write(&out); err != nil {
		p.t.Fatal(err)
	}
	for _, name := range []string{"CLIENT_SECRET", "SERVICE_APP_CLIENT_SECRET", "SERVICE_APP_REFRESH_TOKEN", "PORTAL_SECRET_KEY"} {
		if secret := p.vars[name]; secret != "" && strings.Contains(out.String(), secret) {
			p.t.Errorf("the report shows %s:\n%s", name, out.String())
		}
	}
	return report
}

func states(r check.Report) map[string]check.State {
	m := map[string]check.State{}
	for _, row := range r.Rows {
		m[row.Name] = row.State
	}
	return m
}

// good is how everything is with a working Webex, and Redis inside the process.
func good(change map[string]check.State) map[string]check.State {
	m := map[string]check.State{
		"configuration": check.OK, "Redis": check.Warn, "discovery document": check.OK, "signing keys": check.OK,
		"service-app tokens": check.OK, "clock": check.OK,
		"read people": check.OK, "read organization policy": check.OK, "read locations": check.OK, "read settings": check.OK, "read devices": check.OK,
		"scope people_read": check.OK, "scope people_write": check.OK, "scope telephony_config_read": check.OK,
		"scope telephony_config_write": check.OK, "scope locations_read": check.OK, "scope devices_read": check.OK,
		"scope devices_write": check.OK, "scope identity:one_time_password": check.OK, "scope identity:groups_read": check.OK,
	}
	for name, state := range change {
		if state == "" {
			delete(m, name)
			continue
		}
		m[name] = state
	}
	return m
}

func without(scopes ...string) []string {
	return slices.DeleteFunc(webexsim.AllScopes(), func(s string) bool { return slices.Contains(scopes, s) })
}

// noReads is what is left out when there is no token.
var noReads = map[string]check.State{
	"reads and scopes": check.Skipped, "read people": "", "read organization policy": "", "read locations": "", "read settings": "", "read devices": "",
	"scope people_read": "", "scope people_write": "", "scope telephony_config_read": "", "scope telephony_config_write": "",
	"scope locations_read": "", "scope devices_read": "", "scope devices_write": "", "scope identity:one_time_password": "", "scope identity:groups_read": "",
}

// unnamed is what nobody can tell when Webex does not name the scopes.
var unnamed = map[string]check.State{
	"scope people_write": check.Skipped, "scope telephony_config_write": check.Skipped, "scope devices_write": check.Skipped,
	"scope identity:one_time_password": check.Skipped, "scope identity:groups_read": check.Skipped,
}

// plus joins changes.
func plus(a, b map[string]check.State) map[string]check.State {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func TestWhatIsFound(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		options webexsim.Options
		prepare func(p *portal)
		want    map[string]check.State
		says    []string // somewhere in the report
	}{
		"everything works": {want: good(nil), says: []string{"access token until", "19 ok, 1 to look at, 0 failed, 0 not tried"}},
		"a scope for changes is missing": {
			options: webexsim.Options{Scopes: without("spark-admin:people_write")},
			want:    good(map[string]check.State{"scope people_write": check.Fail}),
			says:    []string{"Lost: changing call forwarding"},
		},
		"a scope for reading is missing": {
			options: webexsim.Options{Scopes: without("spark-admin:devices_read")},
			want:    good(map[string]check.State{"scope devices_read": check.Fail, "read devices": check.Fail}),
			says:    []string{"give the service app the scope spark-admin:devices_read", "Lost: the Phones page"},
		},
		"a scope for new phones is missing": {
			options: webexsim.Options{Scopes: without("identity:one_time_password")},
			want:    good(map[string]check.State{"scope identity:one_time_password": check.Fail}),
			says:    []string{"Lost: activation codes"},
		},
		"people_read is enough for locations": {
			options: webexsim.Options{Scopes: without("spark-admin:locations_read")},
			want:    good(nil),
		},
		"Webex does not name the scopes": {
			options: webexsim.Options{Variant: webexsim.Variant{OmitScope: true}},
			want:    good(unnamed),
			says:    []string{"only a change would show it"},
		},
		"Webex does not name the scopes, and one for reading is missing": {
			options: webexsim.Options{Variant: webexsim.Variant{OmitScope: true}, Scopes: without("spark-admin:telephony_config_read")},
			want:    good(plus(unnamed, map[string]check.State{"scope telephony_config_read": check.Fail, "read organization policy": check.Fail})),
		},
		"the refresh token is refused": {
			prepare: func(p *portal) { p.sim.RevokeServiceAppTokens() },
			want:    good(plus(noReads, map[string]check.State{"service-app tokens": check.Fail})),
			says:    []string{"Webex refuses the refresh token", "set SERVICE_APP_REFRESH_TOKEN"},
		},
		"the token endpoint is down": {
			prepare: func(p *portal) {
				p.sim.SetFault(webexsim.Fault{Path: "/access_token", Kind: webexsim.FaultStatus, Status: 503})
			},
			want: good(plus(noReads, map[string]check.State{"service-app tokens": check.Fail})),
			says: []string{"there is none that works: Webex failed"},
		},
		"one family of the API fails": {
			prepare: func(p *portal) {
				p.sim.SetFault(webexsim.Fault{Path: "/locations", Kind: webexsim.FaultHTML})
			},
			want: good(map[string]check.State{"read locations": check.Fail}),
		},
		"Webex throttles": {
			prepare: func(p *portal) {
				p.sim.SetFault(webexsim.Fault{Path: "/devices", Kind: webexsim.FaultStatus, Status: 429, RetryAfter: time.Hour})
			},
			want: good(map[string]check.State{"read devices": check.Warn}),
		},
		"the keys cannot be read": {
			prepare: func(p *portal) {
				p.sim.SetFault(webexsim.Fault{Path: "/verification", Kind: webexsim.FaultStatus, Status: 500})
			},
			want: good(map[string]check.State{"signing keys": check.Fail}),
			says: []string{"it answered 500"},
		},
		"another issuer than the allowed": {
			prepare: func(p *portal) { p.vars["OIDC_ALLOWED_ISSUERS"] = "https://idbroker-sg.webex.com/idb" },
			want:    good(map[string]check.State{"discovery document": check.Warn}),
		},
		"no discovery document, which Webex does not need": {
			prepare: func(p *portal) {
				p.vars["OIDC_JWKS_URL"] = p.sim.BaseURL + "/verification"
				p.sim.SetFault(webexsim.Fault{Path: "/.well-known/openid-configuration", Kind: webexsim.FaultStatus, Status: 404})
			},
			want: good(map[string]check.State{"discovery document": check.Warn}),
		},
		"a clock that is a minute late": {
			prepare: func(p *portal) { p.now = func() time.Time { return time.Now().Add(-time.Minute) } },
			want:    good(map[string]check.State{"clock": check.Warn}),
		},
		"a clock that is an hour early": {
			prepare: func(p *portal) { p.now = func() time.Time { return time.Now().Add(time.Hour) } },
			want:    good(map[string]check.State{"clock": check.Fail}),
			says:    []string{"set the clock by NTP"},
		},
		"a real Redis that stores nothing": {
			prepare: func(p *portal) { p.vars["REDIS_URL"], _ = redistest.Start(p.t, "--appendonly", "no") },
			want:    good(map[string]check.State{"Redis": check.OK, "Redis persistence": check.Warn}),
		},
		"a real Redis that stores everything": {
			prepare: func(p *portal) { p.vars["REDIS_URL"], _ = redistest.Start(p.t) },
			want:    good(map[string]check.State{"Redis": check.OK, "Redis persistence": check.OK}),
		},
		"a real Redis that throws away what it likes": {
			prepare: func(p *portal) {
				p.vars["REDIS_URL"], _ = redistest.Start(p.t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
			},
			want: good(map[string]check.State{"Redis": check.OK, "Redis persistence": check.Fail}),
		},
		"a Redis that does not answer": {
			prepare: func(p *portal) {
				url, server := redistest.Start(p.t)
				server.Stop()
				p.vars["REDIS_URL"] = url
			},
			want: good(plus(noReads, map[string]check.State{"Redis": check.Fail, "service-app tokens": check.Skipped})),
		},
		"a faulty configuration": {
			prepare: func(p *portal) { p.vars["PORTAL_ENV"], p.vars["PORTAL_ADDR"] = "prod", "x" },
			want:    map[string]check.State{"configuration": check.Fail, "everything else": check.Skipped},
			says:    []string{"PORTAL_ENV: it must be", "PORTAL_ADDR: it must be"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPortal(t, tt.options)
			if tt.prepare != nil {
				tt.prepare(p)
			}
			report := p.run()
			if diff := cmp.Diff(tt.want, states(report)); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}
			if want := slices.Contains(slices.Collect(maps.Values(tt.want)), check.Fail); report.Failed() != want {
				t.Errorf("Failed is %v, want %v", report.Failed(), want)
			}
			var out bytes.Buffer
			if err := report.Write(&out); err != nil {
				t.Fatal(err)
			}
			for _, says := range tt.says {
				if !strings.Contains(out.String(), says) {
					t.Errorf("the report does not say %q", says)
				}
			}
			if t.Failed() {
				t.Log(out.String())
			}
		})
	}
}

func TestStoredTokensAreNotBurntNorReplaced(t *testing.T) {
	t.Parallel()
	p := newPortal(t, webexsim.Options{RotateRefreshTokens: true})
	p.vars["REDIS_URL"], _ = redistest.Start(t)
	refreshes := func() (n int) {
		for _, r := range p.sim.Requests() {
			if r.Path == "/access_token" {
				n++
			}
		}
		return n
	}
	for range 2 {
		if report := p.run(); report.Failed() {
			t.Fatalf("%+v", report)
		}
	}
	if n := refreshes(); n != 1 {
		t.Errorf("%d refreshes in two checks, want 1", n)
	}
	for name, tt := range map[string]struct {
		name, value string
		want        check.State
	}{
		"with another seed":       {"SERVICE_APP_REFRESH_TOKEN", "an-old-seed-from-a-laptop", check.Warn},
		"with another key":        {"PORTAL_SECRET_KEY", strings.Replace(key, "MDEy", "MjEw", 1), check.Fail},
		"with a key of one's own": {"PORTAL_SECRET_KEY", "", check.Skipped},
	} {
		before := p.vars[tt.name]
		p.vars[tt.name] = tt.value
		if tt.value == "" {
			delete(p.vars, tt.name)
		}
		if got := states(p.run())["service-app tokens"]; got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
		p.vars[tt.name] = before
	}
	if report := p.run(); report.Failed() {
		t.Errorf("afterwards the tokens are gone: %+v", report)
	}
	if n := refreshes(); n != 1 {
		t.Errorf("%d refreshes in all, want 1", n)
	}
}

func TestAnotherOpenIDProvider(t *testing.T) {
	t.Parallel()
	var doc, keys string
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/realm/.well-known/openid-configuration":
			_, _ = w.Write([]byte(strings.ReplaceAll(doc, "BASE", "http://"+r.Host)))
		case "/keys":
			_, _ = w.Write([]byte(keys))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(provider.Close)
	const (
		goodDoc  = `{"issuer":"BASE/realm","authorization_endpoint":"BASE/a","token_endpoint":"BASE/t","userinfo_endpoint":"BASE/u","jwks_uri":"BASE/keys"}`
		goodKeys = `{"keys":[{"kty":"EC"},{"kty":"RSA","use":"sig"}]}`
	)
	for name, tt := range map[string]struct {
		doc, keys           string
		document, wantsKeys check.State
	}{
		"as it should be":            {goodDoc, goodKeys, check.OK, check.OK},
		"no document":                {"", goodKeys, check.Fail, check.Skipped},
		"another issuer":             {strings.Replace(goodDoc, "BASE/realm", "https://elsewhere.example", 1), goodKeys, check.Fail, check.OK},
		"no userinfo":                {strings.Replace(goodDoc, "userinfo_endpoint", "x", 1), goodKeys, check.Fail, check.OK},
		"no RSA key":                 {goodDoc, `{"keys":[{"kty":"EC"},{"kty":"RSA","use":"enc"}]}`, check.OK, check.Fail},
		"keys that are no JSON":      {goodDoc, `<html>`, check.OK, check.Fail},
		"a document that is no JSON": {`<html>`, goodKeys, check.Fail, check.Skipped},
	} {
		t.Run(name, func(t *testing.T) { // not parallel: they share the provider
			doc, keys = tt.doc, tt.keys
			p := newPortal(t, webexsim.Options{})
			p.vars["OIDC_ISSUER_URL"] = provider.URL + "/realm"
			got := states(p.run())
			if got["discovery document"] != tt.document || got["signing keys"] != tt.wantsKeys {
				t.Errorf("document %s, keys %s; want %s, %s", got["discovery document"], got["signing keys"], tt.document, tt.wantsKeys)
			}
		})
	}
}
