package config_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/config"
)

// demoPortal is the whole .env of the demo portal of BRKCOL-3015.
var demoPortal = map[string]string{
	"CLIENT_ID":                 "Cintegration",
	"CLIENT_SECRET":             "integration-hunter2",
	"SERVICE_APP_CLIENT_ID":     "Cserviceapp",
	"SERVICE_APP_CLIENT_SECRET": "serviceapp-hunter2",
	"SERVICE_APP_REFRESH_TOKEN": "refresh-hunter2",
}

var (
	goodKey = base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqrstuv"))
	oldKey  = base64.URLEncoding.EncodeToString([]byte("?>?>?>?>?>?>?>?>abcdefghijklmnop"))
)

// with is the demo portal's .env and more; a value "" takes a name away.
func with(more map[string]string) map[string]string {
	vars := maps.Clone(demoPortal)
	maps.Copy(vars, more)
	return vars
}

func production(more map[string]string) map[string]string {
	vars := with(map[string]string{
		"PORTAL_ENV": "production", "PORTAL_URL": "https://phone.example.com",
		"PORTAL_SECRET_KEY": goodKey, "REDIS_URL": "rediss://:redis-hunter2@redis:6379/1",
	})
	maps.Copy(vars, more)
	return vars
}

func TestTheEnvFileOfTheDemoPortalIsEnough(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	lines := "# client id and secret of an integration to be used for \"Login with Webex\"\n"
	for name, value := range demoPortal {
		lines += name + "=" + value + "\n"
	}
	write(t, path, lines)
	vars, err := config.ReadEnvFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(vars)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.SecretKey) != 32 || !c.SecretKeyMadeUp {
		t.Errorf("a key of %d bytes, made up: %v; want 32, true", len(c.SecretKey), c.SecretKeyMadeUp)
	}
	got := map[string]string{}
	for _, s := range c.Redacted() {
		got[s.Name] = s.Value
	}
	want := map[string]string{
		"CLIENT_ID": "Cintegration", "CLIENT_SECRET": "[hidden]",
		"SERVICE_APP_CLIENT_ID": "Cserviceapp", "SERVICE_APP_CLIENT_SECRET": "[hidden]", "SERVICE_APP_REFRESH_TOKEN": "[hidden]",
		"PORTAL_ADDR": "127.0.0.1:5010", "PORTAL_URL": "http://localhost:5010", "PORTAL_ENV": "development",
		"PORTAL_SECRET_KEY": "[hidden]", "PORTAL_SECRET_KEY_PREVIOUS": "", "PORTAL_ADMINS": "", "REDIS_URL": "",
		"WEBEX_API_URL": "https://webexapis.com/v1", "OIDC_AUTH_URL": "https://webexapis.com/v1/authorize",
		"OIDC_TOKEN_URL": "https://webexapis.com/v1/access_token", "OIDC_USERINFO_URL": "https://webexapis.com/v1/userinfo",
		"OIDC_JWKS_URL": "https://webexapis.com/v1/verification", "OIDC_ISSUER_URL": "",
		"OIDC_ALLOWED_ISSUERS": "https://idbroker.webex.com/idb,https://idbroker-b-us.webex.com/idb,https://idbroker-eu.webex.com/idb," +
			"https://idbroker-ca.webex.com/idb,https://idbroker-sg.webex.com/idb,https://idbroker-in.webex.com/idb," +
			"https://idbroker-ae.webex.com/idb,https://idbroker-au.webex.com/idb",
		"WEBEX_RATE_LIMIT": "300", "SESSION_IDLE": "30m0s", "SESSION_LIFETIME": "12h0m0s", "AUDIT_DAYS": "400", "TRUSTED_PROXIES": "",
		"METRICS_ADDR": "127.0.0.1:5011", "LOG_FORMAT": "text", "LOG_LEVEL": "INFO",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLoadTakes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		vars map[string]string
		ok   func(config.Config) bool
	}{
		"production": {production(nil), func(c config.Config) bool { return c.Production() && !c.SecretKeyMadeUp }},
		"a key of the standard alphabet, and the previous one of the URL alphabet": {
			with(map[string]string{"PORTAL_SECRET_KEY": goodKey, "PORTAL_SECRET_KEY_PREVIOUS": strings.TrimRight(oldKey, "=")}),
			func(c config.Config) bool {
				keys := c.SealKeys()
				return len(keys) == 2 && string(keys[0]) == "0123456789abcdefghijklmnopqrstuv" && keys[1][0] == '?'
			},
		},
		"several previous keys": {
			with(map[string]string{"PORTAL_SECRET_KEY": goodKey, "PORTAL_SECRET_KEY_PREVIOUS": oldKey + ", " + goodKey}),
			func(c config.Config) bool { return len(c.SealKeys()) == 3 && c.SealKeys()[1][0] == '?' },
		},
		"one key alone": {with(map[string]string{"PORTAL_SECRET_KEY": goodKey}), func(c config.Config) bool { return len(c.SealKeys()) == 1 }},
		"administrators in any case and with blanks": {
			with(map[string]string{"PORTAL_ADMINS": " Ada@Example.com , bob@example.com,"}),
			func(c config.Config) bool {
				return len(c.Admins) == 2 && c.IsAdmin("ADA@example.COM") && c.IsAdmin("bob@example.com") && !c.IsAdmin("eve@example.com") && !c.IsAdmin("")
			},
		},
		"nobody is an administrator when nobody is named": {with(nil), func(c config.Config) bool { return !c.IsAdmin("") && !c.IsAdmin("a@b.c") }},
		"a slash at the end of the portal's address": {
			with(map[string]string{"PORTAL_URL": "https://phone.example.com/"}),
			func(c config.Config) bool { return c.URL.String() == "https://phone.example.com" },
		},
		"a slash at the end of Webex's address, from which the endpoints follow": {
			with(map[string]string{"WEBEX_API_URL": "http://127.0.0.1:7000/v1/", "OIDC_JWKS_URL": "http://127.0.0.1:7001/keys"}),
			func(c config.Config) bool {
				return c.WebexAPIURL.String() == "http://127.0.0.1:7000/v1" && c.TokenURL == "http://127.0.0.1:7000/v1/access_token" &&
					c.JWKSURL == "http://127.0.0.1:7001/keys"
			},
		},
		"another OpenID provider, whose endpoints are found later": {
			with(map[string]string{"OIDC_ISSUER_URL": "https://login.example.com/realm"}),
			func(c config.Config) bool {
				return c.AuthURL == "" && c.JWKSURL == "" && len(c.AllowedIssuers) == 0 && c.ServiceAppTokenURL() == "https://webexapis.com/v1/access_token"
			},
		},
		"issuers of one's own": {
			with(map[string]string{"OIDC_ALLOWED_ISSUERS": "https://idbroker-eu.webex.com/idb"}),
			func(c config.Config) bool {
				return len(c.AllowedIssuers) == 1 && c.AllowedIssuers[0] == "https://idbroker-eu.webex.com/idb"
			},
		},
		"an empty variable as if it were not there": {
			with(map[string]string{"PORTAL_ADDR": "", "SESSION_IDLE": " ", "PORTAL_ADMINS": "", "PORTAL_SECRET_KEY_FILE": ""}),
			func(c config.Config) bool { return c.Addr == "127.0.0.1:5010" && c.SessionIdle == 30*time.Minute },
		},
		"log levels by their names": {with(map[string]string{"LOG_LEVEL": "debug"}), func(c config.Config) bool { return c.LogLevel == slog.LevelDebug }},
		"two listeners on any port": {
			with(map[string]string{"PORTAL_ADDR": "127.0.0.1:0", "METRICS_ADDR": "127.0.0.1:0"}),
			func(c config.Config) bool { return c.Addr == c.MetricsAddr },
		},
		"proxies by address and by network, and what prints them": {
			with(map[string]string{"TRUSTED_PROXIES": "10.1.2.3/8, 192.0.2.7,2001:db8::/32 , ::1"}),
			func(c config.Config) bool {
				want := []netip.Prefix{
					netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("::1/128"),
				}
				return slices.Equal(c.TrustedProxies, want) && strings.Contains(c.String(), "TRUSTED_PROXIES=10.0.0.0/8,192.0.2.7/32,2001:db8::/32,::1/128\n")
			},
		},
		"no proxy is trusted unless it is named": {with(nil), func(c config.Config) bool { return len(c.TrustedProxies) == 0 }},
		"a log of one day":                       {with(map[string]string{"AUDIT_DAYS": "1"}), func(c config.Config) bool { return c.AuditDays == 1 }},
		"a log of ten years":                     {with(map[string]string{"AUDIT_DAYS": "3650"}), func(c config.Config) bool { return c.AuditDays == 3650 }},
		"Webex on this machine in production": {
			production(map[string]string{"WEBEX_API_URL": "http://127.0.0.1:7000/v1"}),
			func(c config.Config) bool { return c.AuthURL == "http://127.0.0.1:7000/v1/authorize" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Load(tt.vars)
			if err != nil {
				t.Fatal(err)
			}
			if !tt.ok(c) {
				t.Errorf("not as wanted:\n%s", c)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		vars map[string]string
		want []string // each fault begins with one of these, in this order
	}{
		"nothing at all": {map[string]string{}, []string{
			"CLIENT_ID: it is missing", "CLIENT_SECRET: it is missing", "SERVICE_APP_CLIENT_ID: it is missing",
			"SERVICE_APP_CLIENT_SECRET: it is missing", "SERVICE_APP_REFRESH_TOKEN: it is missing",
		}},
		"every value that can be wrong, all at once": {
			with(map[string]string{
				"PORTAL_ADDR": "5010", "PORTAL_URL": "phone.example.com", "PORTAL_ENV": "prod", "PORTAL_SECRET_KEY": "c2hvcnQ=",
				"PORTAL_ADMINS": "ada", "REDIS_URL": "localhost:6379", "WEBEX_API_URL": "ftp://x", "WEBEX_RATE_LIMIT": "many",
				"SESSION_IDLE": "30", "SESSION_LIFETIME": "-1h", "METRICS_ADDR": "127.0.0.1:http", "LOG_FORMAT": "xml", "LOG_LEVEL": "loud",
				"OIDC_AUTH_URL": "/authorize", "OIDC_ALLOWED_ISSUERS": " , ", "PORTAL_SECRET_KEY_PREVIOUS": "%",
			}),
			[]string{
				"PORTAL_URL: it must be an address", "PORTAL_SECRET_KEY: it must be 32 bytes in base64 (openssl rand -base64 32), and has 5",
				"PORTAL_SECRET_KEY_PREVIOUS: it must be 32 bytes", "WEBEX_API_URL: it must be an address", "OIDC_ALLOWED_ISSUERS: it must be a list",
				"WEBEX_RATE_LIMIT: it must be a whole number", "SESSION_IDLE: it must be a duration with its unit", "LOG_LEVEL: it must be debug",
				"PORTAL_ENV: it must be development or production", "LOG_FORMAT: it must be text or json", "PORTAL_ADDR: it must be an address to listen on",
				"METRICS_ADDR: it must be an address to listen on", `PORTAL_ADMINS: "ada" is not`, "SESSION_LIFETIME: it must be more than 0",
				"OIDC_AUTH_URL: it must be an address", "REDIS_URL: it must begin with",
			},
		},
		"production with what is right for a first look only": {
			with(map[string]string{"PORTAL_ENV": "production"}),
			[]string{"REDIS_URL: it is missing", "PORTAL_URL: it must begin with https://", "PORTAL_SECRET_KEY: it is missing"},
		},
		"production with Webex or an OpenID provider without TLS": {
			production(map[string]string{"WEBEX_API_URL": "http://webex.example.com/v1", "OIDC_TOKEN_URL": "http://10.0.0.1/token"}),
			[]string{"OIDC_TOKEN_URL: it must begin with https://", "WEBEX_API_URL: it must begin with https://"},
		},
		"a key that anybody could guess": {
			with(map[string]string{"PORTAL_SECRET_KEY": base64.StdEncoding.EncodeToString(make([]byte, 32))}),
			[]string{"PORTAL_SECRET_KEY: it is no secret"},
		},
		"the portal under a path":               {with(map[string]string{"PORTAL_URL": "https://example.com/phone"}), []string{"PORTAL_URL: it must be scheme and host only"}},
		"the portal's address with a fragment":  {with(map[string]string{"PORTAL_URL": "https://example.com/#x"}), []string{"PORTAL_URL: it must not have a part after #"}},
		"an address with a password":            {with(map[string]string{"WEBEX_API_URL": "https://u:hunter2@example.com"}), []string{"WEBEX_API_URL: it must not hold a user name or password"}},
		"one listener for everything":           {with(map[string]string{"METRICS_ADDR": "127.0.0.1:5010"}), []string{"METRICS_ADDR: it must differ"}},
		"sessions that end before they idle":    {with(map[string]string{"SESSION_IDLE": "13h"}), []string{"SESSION_IDLE: it must not be longer than SESSION_LIFETIME, which is 12h0m0s"}},
		"sessions that never idle":              {with(map[string]string{"SESSION_IDLE": "0s"}), []string{"SESSION_IDLE: it must be more than 0"}},
		"a log of no day":                       {with(map[string]string{"AUDIT_DAYS": "0"}), []string{"AUDIT_DAYS: it must be from 1 to 3650"}},
		"a log of too many days":                {with(map[string]string{"AUDIT_DAYS": "3651"}), []string{"AUDIT_DAYS: it must be from 1 to 3650"}},
		"a log of some days":                    {with(map[string]string{"AUDIT_DAYS": "some"}), []string{"AUDIT_DAYS: it must be a whole number"}},
		"a proxy by its name":                   {with(map[string]string{"TRUSTED_PROXIES": "10.0.0.1,proxy"}), []string{`TRUSTED_PROXIES: it must be a list of addresses and networks such as 10.0.0.7, 10.1.0.0/16 or 2001:db8::/32, and "proxy" is none`}},
		"a network that is too long":            {with(map[string]string{"TRUSTED_PROXIES": "10.0.0.0/33"}), []string{"TRUSTED_PROXIES: it must be a list"}},
		"a proxy that never matches":            {with(map[string]string{"TRUSTED_PROXIES": "::ffff:10.0.0.1"}), []string{"TRUSTED_PROXIES: it must be a list"}},
		"everybody as a proxy":                  {with(map[string]string{"TRUSTED_PROXIES": "0.0.0.0/0"}), []string{"TRUSTED_PROXIES: 0.0.0.0/0 is the whole internet"}},
		"a rate of nothing":                     {with(map[string]string{"WEBEX_RATE_LIMIT": "0"}), []string{"WEBEX_RATE_LIMIT: it must be more than 0"}},
		"two answers to where to sign in":       {with(map[string]string{"OIDC_ISSUER_URL": "https://a.example", "OIDC_JWKS_URL": "https://b.example/keys"}), []string{"OIDC_JWKS_URL: it must not be set together with OIDC_ISSUER_URL"}},
		"a name in front of an e-mail address":  {with(map[string]string{"PORTAL_ADMINS": "Ada <ada@example.com>"}), []string{"PORTAL_ADMINS: "}},
		"a Redis address with a broken passage": {with(map[string]string{"REDIS_URL": "redis://:hunter2/@h"}), []string{"REDIS_URL: it must be like"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(tt.vars)
			if err == nil {
				t.Fatal("it was taken")
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a fault shows a secret: %v", err)
			}
			got := strings.Split(err.Error(), "\n")
			if len(got) != len(tt.want) {
				t.Fatalf("%d faults, want %d:\n%v", len(got), len(tt.want), err)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("fault %d is %q, want it to begin with %q", i, got[i], want)
				}
			}
		})
	}
}

func TestASecretMayComeFromAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		write(t, path, content)
		return path
	}
	good := file("token", "from-the-file\r\n")
	for name, tt := range map[string]struct {
		vars map[string]string
		want string // the refresh token, or how the fault begins
	}{
		"the end of its line is not part of it": {map[string]string{"SERVICE_APP_REFRESH_TOKEN": "", "SERVICE_APP_REFRESH_TOKEN_FILE": good}, "from-the-file"},
		"the variable and the file": {
			map[string]string{"SERVICE_APP_REFRESH_TOKEN_FILE": good},
			"SERVICE_APP_REFRESH_TOKEN: it is set twice, as SERVICE_APP_REFRESH_TOKEN and by SERVICE_APP_REFRESH_TOKEN_FILE",
		},
		"an empty file": {
			map[string]string{"SERVICE_APP_REFRESH_TOKEN": "", "SERVICE_APP_REFRESH_TOKEN_FILE": file("empty", "\n")},
			"SERVICE_APP_REFRESH_TOKEN: the file that SERVICE_APP_REFRESH_TOKEN_FILE names, " + filepath.Join(dir, "empty") + ", is empty",
		},
		"no such file": {
			map[string]string{"SERVICE_APP_REFRESH_TOKEN": "", "SERVICE_APP_REFRESH_TOKEN_FILE": dir + "/absent"},
			"SERVICE_APP_REFRESH_TOKEN: the file that SERVICE_APP_REFRESH_TOKEN_FILE names, " + dir + "/absent: cannot be opened: no such file",
		},
		"a folder": {
			map[string]string{"SERVICE_APP_REFRESH_TOKEN": "", "SERVICE_APP_REFRESH_TOKEN_FILE": dir},
			"SERVICE_APP_REFRESH_TOKEN: the file that SERVICE_APP_REFRESH_TOKEN_FILE names, " + dir + ": cannot be read: is a directory",
		},
		"a file that never ends": {
			map[string]string{"SERVICE_APP_REFRESH_TOKEN": "", "SERVICE_APP_REFRESH_TOKEN_FILE": "/dev/zero"},
			"SERVICE_APP_REFRESH_TOKEN: the file that SERVICE_APP_REFRESH_TOKEN_FILE names, /dev/zero: is far too large",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Load(with(tt.vars))
			got := c.ServiceAppRefreshToken.Reveal()
			if err != nil {
				got = err.Error()
			}
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
	t.Run("every secret", func(t *testing.T) {
		t.Parallel()
		vars := production(nil)
		for _, name := range []string{"CLIENT_SECRET", "SERVICE_APP_CLIENT_SECRET", "SERVICE_APP_REFRESH_TOKEN", "PORTAL_SECRET_KEY", "REDIS_URL"} {
			vars[name+"_FILE"] = file(name, vars[name]+"\n")
			delete(vars, name)
		}
		vars["PORTAL_SECRET_KEY_PREVIOUS_FILE"] = file("previous", oldKey)
		c, err := config.Load(vars)
		if err != nil {
			t.Fatal(err)
		}
		if c.ClientSecret != "integration-hunter2" || c.ServiceAppClientSecret != "serviceapp-hunter2" || c.ServiceAppRefreshToken != "refresh-hunter2" ||
			len(c.SealKeys()) != 2 || c.RedisURL != "rediss://:redis-hunter2@redis:6379/1" {
			t.Errorf("a secret did not come from its file:\n%s", c)
		}
	})
}

func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	c, err := config.Load(production(map[string]string{
		"PORTAL_SECRET_KEY_PREVIOUS": oldKey,
		"REDIS_URL":                  "redis+sentinel://user:redis-hunter2@h1:1,h2:2/m?sentinel_password=hunter2",
	}))
	if err != nil {
		t.Fatal(err)
	}
	printed := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		printed["the Config with "+verb] = fmt.Sprintf(verb, c)
		printed["a pointer to it with "+verb] = fmt.Sprintf(verb, &c)
		printed["inside something else with "+verb] = fmt.Sprintf(verb, struct {
			C config.Config
			S config.Secret
			K config.Key
		}{c, c.ClientSecret, c.SecretKey})
	}
	marshalled, err := json.Marshal(map[string]any{"config": c, "secret": c.ClientSecret, "key": c.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	printed["JSON"] = string(marshalled)
	var lines bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&lines, nil), slog.NewJSONHandler(&lines, nil)} {
		slog.New(h).Info("start", "config", c, "pointer", &c, "secret", c.ClientSecret, "key", c.SecretKey)
	}
	printed["the log"] = lines.String()
	for name, out := range printed {
		for _, secret := range []string{
			"hunter2", goodKey, "0123456789abcdef", "?>?>?>?>", fmt.Sprintf("%x", "hunter2"), fmt.Sprintf("%X", "hunter2"),
			"48 49 50 51", "3031323334", "MDEyMzQ1",
		} {
			if strings.Contains(out, secret) {
				t.Errorf("%s shows %q: %s", name, secret, out)
			}
		}
		if !strings.Contains(out, "[hidden]") {
			t.Errorf("%s shows nothing hidden: %s", name, out)
		}
	}
	if !strings.Contains(printed["the Config with %v"], "REDIS_URL=redis+sentinel://[hidden]@h1:1,h2:2/m\n") {
		t.Errorf("the Redis servers are not shown:\n%s", c)
	}
}

func TestAFileOfVariables(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "env")
	write(t, path, "# a comment\nexport A=\"1 2\"\n\nB='x#y' # more\nC=\n")
	got, err := config.ReadEnvFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"A": "1 2", "B": "x#y", "C": ""}, got); diff != "" {
		t.Error(diff)
	}
	write(t, path, "CLIENT_SECRET\nhunter2 hunter2")
	if _, err := config.ReadEnvFile(path); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a file that is none: %v", err)
	}
	if _, err := config.ReadEnvFile(path + "-absent"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("an absent file: %v", err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// FuzzLoad: whatever the values are, Load does not panic, and what it takes holds
// what the rest of the portal relies on.
func FuzzLoad(f *testing.F) {
	f.Add("https://phone.example.com/", "redis://:p@h/1", "30m", goodKey, "ada@example.com", "127.0.0.1:1")
	f.Add("http://[::1]:5010", "", "", "", "", "")
	f.Fuzz(func(t *testing.T, url, redis, idle, key, admins, addr string) {
		c, err := config.Load(with(map[string]string{
			"PORTAL_URL": url, "REDIS_URL": redis, "SESSION_IDLE": idle, "PORTAL_SECRET_KEY": key, "PORTAL_ADMINS": admins, "PORTAL_ADDR": addr,
		}))
		if err != nil {
			return
		}
		if c.URL.Path != "" || c.URL.Host == "" || len(c.SecretKey) != 32 || c.SessionIdle <= 0 || c.SessionIdle > c.SessionLifetime {
			t.Errorf("taken, but not as promised:\n%s", c)
		}
		for _, a := range c.Admins {
			if !c.IsAdmin(strings.ToUpper(a)) && strings.ToLower(strings.ToUpper(a)) == a {
				t.Errorf("%q is listed, but no administrator", a)
			}
		}
	})
}
