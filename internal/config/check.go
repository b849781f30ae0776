package config

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"patchbay/internal/redisdb"
)

// secretNames are the variables that may come from a file: NAME_FILE. REDIS_URL is
// one of them because it may hold a password.
var secretNames = []string{
	"CLIENT_SECRET", "SERVICE_APP_CLIENT_SECRET", "SERVICE_APP_REFRESH_TOKEN",
	"PORTAL_SECRET_KEY", "PORTAL_SECRET_KEY_PREVIOUS", "REDIS_URL",
}

// maxFile is more than any file of secrets or variables needs.
const maxFile = 1 << 20

// maxAuditDays is ten years: more is a slip of the keyboard.
const maxAuditDays = 3650

// faults gathers what is wrong; a variable is named once only, because what is
// wrong with it first usually causes the rest.
type faults struct {
	all  []error
	seen map[string]bool
}

func (f *faults) add(name, format string, args ...any) {
	if f.seen[name] {
		return
	}
	f.seen[name] = true
	f.all = append(f.all, fmt.Errorf(name+": "+format, args...))
}

// readFiles puts the content of each NAME_FILE where NAME is looked for.
func (f *faults) readFiles(vars map[string]string) map[string]string {
	for _, name := range secretNames {
		path := vars[name+"_FILE"]
		if path == "" {
			continue
		}
		if vars[name] != "" {
			f.add(name, "it is set twice, as %s and by %s_FILE; set one of them", name, name)
			continue
		}
		text, err := readFile(path)
		text = strings.TrimSpace(text)
		switch {
		case err != nil:
			f.add(name, "the file that %s_FILE names, %s: %w", name, path, err)
		case text == "":
			f.add(name, "the file that %s_FILE names, %s, is empty", name, path)
		default:
			vars[name] = text
		}
	}
	return vars
}

func readFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot be opened: %w", cause(err))
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return "", fmt.Errorf("cannot be read: %w", cause(err))
	}
	if len(text) > maxFile {
		return "", errors.New("is far too large")
	}
	return string(text), nil
}

// cause drops the operation and the path, which the message has already.
func cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// addParsed takes over the faults that the parser of the environment found. The
// error it returns is not the operator's: the Config type itself is wrong.
func (f *faults) addParsed(err error) error {
	if err == nil {
		return nil
	}
	var all env.AggregateError
	if !errors.As(err, &all) {
		return fmt.Errorf("read the environment: %w", err)
	}
	for _, err := range all.Errors {
		var p env.ParseError
		if !errors.As(err, &p) {
			return fmt.Errorf("read the environment: %w", err)
		}
		field, _ := reflect.TypeFor[Config]().FieldByName(p.Name)
		name := field.Tag.Get("env")
		if name == "LOG_LEVEL" { // parsed by log/slog, in its own words
			f.add(name, "it must be debug, info, warn or error")
			continue
		}
		f.add(name, "%w", p.Err)
	}
	return nil
}

// check looks at every value, and at those that must fit one another.
func (f *faults) check(c *Config) {
	f.present("CLIENT_ID", c.ClientID, "the client id of the integration for Login with Webex")
	f.present("CLIENT_SECRET", c.ClientSecret.Reveal(), "the client secret of the integration for Login with Webex")
	f.present("SERVICE_APP_CLIENT_ID", c.ServiceAppClientID, "the client id of the service app")
	f.present("SERVICE_APP_CLIENT_SECRET", c.ServiceAppClientSecret.Reveal(), "the client secret of the service app")
	f.present("SERVICE_APP_REFRESH_TOKEN", c.ServiceAppRefreshToken.Reveal(), "the refresh token of the service app for your organization")

	f.oneOf("PORTAL_ENV", c.Env, Development, Production)
	f.oneOf("LOG_FORMAT", c.LogFormat, "text", "json")
	f.address("PORTAL_ADDR", c.Addr)
	f.address("METRICS_ADDR", c.MetricsAddr)
	if c.Addr == c.MetricsAddr && !strings.HasSuffix(c.Addr, ":0") {
		f.add("METRICS_ADDR", "it must differ from PORTAL_ADDR (%s): metrics are not for the public", c.Addr)
	}
	for _, admin := range c.Admins {
		if a, err := mail.ParseAddress(admin); err != nil || a.Address != admin {
			f.add("PORTAL_ADMINS", "%q is not an e-mail address", admin)
		}
	}
	if c.RateLimit <= 0 {
		f.add("WEBEX_RATE_LIMIT", "it must be more than 0")
	}
	if c.AuditDays < 1 || c.AuditDays > maxAuditDays {
		f.add("AUDIT_DAYS", "it must be from 1 to %d", maxAuditDays)
	}
	f.durations(c)
	f.urls(c)
	if err := redisdb.Check(c.RedisURL); err != nil {
		f.add("REDIS_URL", "%w", err)
	}
	if c.Production() {
		f.production(c)
	}
}

func (f *faults) present(name, value, what string) {
	if value == "" {
		f.add(name, "it is missing; it is %s", what)
	}
}

func (f *faults) oneOf(name, value string, allowed ...string) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	f.add(name, "it must be %s, not %q", strings.Join(allowed, " or "), value)
}

func (f *faults) address(name, value string) {
	_, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		f.add(name, "it must be an address to listen on such as 127.0.0.1:5010 or :5010, not %q", value)
	}
}

func (f *faults) durations(c *Config) {
	if c.SessionIdle <= 0 {
		f.add("SESSION_IDLE", "it must be more than 0")
	}
	if c.SessionLifetime <= 0 {
		f.add("SESSION_LIFETIME", "it must be more than 0")
	}
	if c.SessionIdle > c.SessionLifetime && !f.seen["SESSION_LIFETIME"] {
		f.add("SESSION_IDLE", "it must not be longer than SESSION_LIFETIME, which is %s", c.SessionLifetime)
	}
}

func (f *faults) urls(c *Config) {
	if u := c.URL; u != nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "") {
		f.add("PORTAL_URL", "it must be scheme and host only, such as https://phone.example.com: the portal cannot live under a path")
	}
	if u := c.WebexAPIURL; u != nil && u.RawQuery != "" {
		f.add("WEBEX_API_URL", "it must not have a query")
	}
	for _, e := range c.endpoints() {
		if e.Value == "" {
			continue
		}
		if _, err := parseURL(e.Value); err != nil {
			f.add(e.Name, "%w", err)
		}
		if c.IssuerURL != "" && e.Name != "OIDC_ISSUER_URL" {
			f.add(e.Name, "it must not be set together with OIDC_ISSUER_URL, whose discovery document names this address")
		}
	}
}

// endpoints are the addresses of the OpenID provider as they were given.
func (c *Config) endpoints() []Setting {
	return []Setting{
		{"OIDC_AUTH_URL", c.AuthURL}, {"OIDC_TOKEN_URL", c.TokenURL}, {"OIDC_USERINFO_URL", c.UserInfoURL},
		{"OIDC_JWKS_URL", c.JWKSURL}, {"OIDC_ISSUER_URL", c.IssuerURL},
	}
}

// production refuses what is right only for a first look.
func (f *faults) production(c *Config) {
	if c.RedisURL == "" {
		f.add("REDIS_URL", "it is missing; in production the portal needs a Redis that outlives it")
	}
	if c.URL != nil && c.URL.Scheme != "https" {
		f.add("PORTAL_URL", "it must begin with https:// in production")
	}
	if len(c.SecretKey) == 0 {
		f.add("PORTAL_SECRET_KEY", "it is missing; in production give the portal 32 random bytes in base64 (openssl rand -base64 32)")
	}
	for _, e := range append(c.endpoints(), Setting{"WEBEX_API_URL", address(c.WebexAPIURL)}) {
		if u, err := url.Parse(e.Value); err == nil && u.Scheme == "http" && !loopback(u.Hostname()) {
			f.add(e.Name, "it must begin with https:// in production, unless it is on this machine: tokens go there")
		}
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// parseURL takes an absolute http or https address. Its errors never quote the
// value, which may hold a password put there by mistake.
func parseURL(v string) (url.URL, error) {
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return url.URL{}, errors.New("it must be an address such as https://host.example.com")
	case u.User != nil:
		return url.URL{}, errors.New("it must not hold a user name or password")
	case u.Fragment != "":
		return url.URL{}, errors.New("it must not have a part after #")
	}
	return *u, nil
}

func parseDuration(v string) (time.Duration, error) {
	d, err := time.ParseDuration(v)
	if err != nil {
		return 0, fmt.Errorf("it must be a duration with its unit such as 90s, 30m or 12h, not %q", v)
	}
	return d, nil
}

func parseInt(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, fmt.Errorf("it must be a whole number, not %q", v)
	}
	return n, nil
}

func parseList(v string) ([]string, error) {
	var list []string
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("it must be a list with commas between its members")
	}
	return list, nil
}

// parsePrefixes takes networks and single addresses. An address of IPv4 in the
// clothes of IPv6 would never match: clients are compared in their plain form.
func parsePrefixes(v string) ([]netip.Prefix, error) {
	parts, err := parseList(v)
	if err != nil {
		return nil, err
	}
	var list []netip.Prefix
	for _, part := range parts {
		p, err := netip.ParsePrefix(part)
		if err != nil {
			var a netip.Addr
			a, err = netip.ParseAddr(part)
			p = netip.PrefixFrom(a, a.BitLen()) // without a zone, and so are the clients
		}
		switch {
		case err != nil || p.Addr().Is4In6():
			return nil, fmt.Errorf("it must be a list of addresses and networks such as 10.0.0.7, 10.1.0.0/16 or 2001:db8::/32, and %q is none", part)
		case p.Bits() == 0:
			return nil, fmt.Errorf("%s is the whole internet: name your proxies", part)
		}
		list = append(list, p.Masked())
	}
	return list, nil
}
