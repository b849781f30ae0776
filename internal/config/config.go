// Package config reads the environment into one checked Config. Every fault is
// reported at once, in plain words and with the name of its variable; nothing
// that is secret is ever printed.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/caarlos0/env/v11"
	"github.com/joho/godotenv"

	"patchbay/internal/seal"
)

// The values of PORTAL_ENV.
const (
	Development = "development"
	Production  = "production"
)

// webexIssuers are the issuers of the ID tokens of Webex's identity clusters
// (Webex for Cisco BroadWorks Solution Guide, help.webex.com/article/z9gt5j).
var webexIssuers = []string{
	"https://idbroker.webex.com/idb",
	"https://idbroker-b-us.webex.com/idb",
	"https://idbroker-eu.webex.com/idb",
	"https://idbroker-ca.webex.com/idb",
	"https://idbroker-sg.webex.com/idb",
	"https://idbroker-in.webex.com/idb",
	"https://idbroker-ae.webex.com/idb",
	"https://idbroker-au.webex.com/idb",
}

// Config is everything that the portal is told from outside. Load makes it; its
// fields are then only read.
type Config struct {
	// ClientID and ClientSecret belong to the integration used for Login with Webex.
	ClientID     string `env:"CLIENT_ID"`
	ClientSecret Secret `env:"CLIENT_SECRET"`

	// The service app, whose tokens do the work at Webex. The refresh token seeds
	// the store of tokens the first time, and again when it is replaced here.
	ServiceAppClientID     string `env:"SERVICE_APP_CLIENT_ID"`
	ServiceAppClientSecret Secret `env:"SERVICE_APP_CLIENT_SECRET"`
	ServiceAppRefreshToken Secret `env:"SERVICE_APP_REFRESH_TOKEN"`

	Addr string   `env:"PORTAL_ADDR" envDefault:"127.0.0.1:5010"`       // listen address, host:port
	URL  *url.URL `env:"PORTAL_URL" envDefault:"http://localhost:5010"` // what people see; scheme and host only, Path is empty
	Env  string   `env:"PORTAL_ENV" envDefault:"development"`           // Development or Production

	// SecretKey seals what is stored; those of SecretKeyPrevious only open what was
	// sealed with them. The log of changes is never sealed anew, so there may be many.
	SecretKey         Key   `env:"PORTAL_SECRET_KEY"`
	SecretKeyPrevious []Key `env:"PORTAL_SECRET_KEY_PREVIOUS"`
	SecretKeyMadeUp   bool  // SecretKey was made at this start, in development: what it seals cannot be opened after the next

	Admins   []string `env:"PORTAL_ADMINS"` // e-mail addresses in lower case
	RedisURL string   `env:"REDIS_URL"`     // as redisdb.Open wants it; "" is the in-process Redis. May hold a password

	WebexAPIURL *url.URL `env:"WEBEX_API_URL" envDefault:"https://webexapis.com/v1"` // without a slash at its end

	// The endpoints of Login with Webex. They are empty when IssuerURL is set: its
	// discovery document names them.
	AuthURL     string `env:"OIDC_AUTH_URL"`
	TokenURL    string `env:"OIDC_TOKEN_URL"`
	UserInfoURL string `env:"OIDC_USERINFO_URL"`
	JWKSURL     string `env:"OIDC_JWKS_URL"`

	IssuerURL      string   `env:"OIDC_ISSUER_URL"`      // another OpenID provider, by its discovery document; "" is Webex
	AllowedIssuers []string `env:"OIDC_ALLOWED_ISSUERS"` // the exact "iss" accepted; empty (only with IssuerURL) means the discovered issuer

	RateLimit int `env:"WEBEX_RATE_LIMIT" envDefault:"300"` // requests to Webex a minute, of all replicas together

	SessionIdle     time.Duration `env:"SESSION_IDLE" envDefault:"30m"`     // a session ends this long after its last request
	SessionLifetime time.Duration `env:"SESSION_LIFETIME" envDefault:"12h"` // a session ends this long after sign-in, whatever happens

	AuditDays int `env:"AUDIT_DAYS" envDefault:"400"` // for so many days the log of changes is kept

	// TrustedProxies are the machines whose X-Forwarded-For is believed; none means
	// that the other end of the connection is taken for the client.
	TrustedProxies []netip.Prefix `env:"TRUSTED_PROXIES"`

	MetricsAddr string     `env:"METRICS_ADDR" envDefault:"127.0.0.1:5011"` // listen address of metrics, health and pprof
	LogFormat   string     `env:"LOG_FORMAT" envDefault:"text"`             // "text" or "json"
	LogLevel    slog.Level `env:"LOG_LEVEL" envDefault:"info"`
}

// Production tells whether the portal serves people for real.
func (c Config) Production() bool { return c.Env == Production }

// SealKeys are the keys for seal.New: the present one first.
func (c Config) SealKeys() [][]byte {
	keys := [][]byte{c.SecretKey}
	for _, k := range c.SecretKeyPrevious {
		keys = append(keys, k)
	}
	return keys
}

// ServiceAppTokenURL is where the service app's tokens are refreshed: at Webex,
// also when people sign in at another OpenID provider.
func (c Config) ServiceAppTokenURL() string {
	return c.WebexAPIURL.JoinPath("access_token").String()
}

// IsAdmin tells whether the e-mail address is one of PORTAL_ADMINS, without
// regard to case.
func (c Config) IsAdmin(email string) bool {
	if strings.ContainsFunc(email, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return false // the sign of the Kelvin is no K, though ToLower makes it one
	}
	return slices.Contains(c.Admins, strings.ToLower(email))
}

// Load makes a Config from variables by name. It reads no environment of its own
// and no file but those that a NAME_FILE names. The error joins all faults, each
// "NAME: what is wrong"; then the Config is not to be used.
func Load(environ map[string]string) (Config, error) {
	var c Config
	f := faults{seen: map[string]bool{}}
	vars := f.readFiles(trim(environ))
	err := env.ParseWithOptions(&c, env.Options{Environment: vars, FuncMap: map[reflect.Type]env.ParserFunc{
		reflect.TypeFor[url.URL]():        func(v string) (any, error) { u, err := parseURL(v); return u, err },
		reflect.TypeFor[time.Duration]():  func(v string) (any, error) { return parseDuration(v) },
		reflect.TypeFor[[]string]():       func(v string) (any, error) { return parseList(v) },
		reflect.TypeFor[int]():            func(v string) (any, error) { return parseInt(v) },
		reflect.TypeFor[[]netip.Prefix](): func(v string) (any, error) { return parsePrefixes(v) },
	}})
	if err := f.addParsed(err); err != nil {
		return Config{}, err
	}
	f.check(&c)
	c.complete()
	return c, errors.Join(f.all...)
}

// complete fills what follows from the rest.
func (c *Config) complete() {
	if c.URL != nil {
		c.URL.Path = ""
	}
	if c.WebexAPIURL != nil {
		c.WebexAPIURL.Path = strings.TrimRight(c.WebexAPIURL.Path, "/")
	}
	for i, a := range c.Admins {
		c.Admins[i] = strings.ToLower(a)
	}
	if len(c.SecretKey) == 0 && !c.Production() {
		c.SecretKey, c.SecretKeyMadeUp = seal.NewKey(), true
	}
	if c.IssuerURL != "" || c.WebexAPIURL == nil {
		return
	}
	if len(c.AllowedIssuers) == 0 {
		c.AllowedIssuers = slices.Clone(webexIssuers)
	}
	fill := func(endpoint *string, path string) {
		if *endpoint == "" {
			*endpoint = c.WebexAPIURL.JoinPath(path).String()
		}
	}
	fill(&c.AuthURL, "authorize")
	fill(&c.TokenURL, "access_token")
	fill(&c.UserInfoURL, "userinfo")
	fill(&c.JWKSURL, "verification")
}

// trim takes away the white space around each value, which no variable means.
func trim(environ map[string]string) map[string]string {
	vars := make(map[string]string, len(environ))
	for name, value := range environ {
		vars[name] = strings.TrimSpace(value)
	}
	return vars
}

// ReadEnvFile reads a file of NAME=value lines (-env-file). It changes nothing in
// the process; a caller lets the real environment win over what it returns.
func ReadEnvFile(path string) (map[string]string, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("the file of variables %s: %w", path, err)
	}
	vars, err := godotenv.Unmarshal(text)
	if err != nil { // not wrapped: godotenv's errors quote the text, which holds secrets
		return nil, fmt.Errorf("the file of variables %s: it must hold lines of the form NAME=value", path)
	}
	return vars, nil
}
