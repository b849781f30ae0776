package config

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"

	"patchbay/internal/seal"
)

const hidden = "[hidden]"

// Secret is a text that prints as "[hidden]" in fmt, log/slog and JSON.
type Secret string

// Reveal gives the text itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the text.
func (Secret) String() string { return hidden }

// GoString hides the text.
func (Secret) GoString() string { return hidden }

// Format hides the text whatever the verb is.
func (Secret) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, hidden) }

// LogValue hides the text.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the text, also in JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Key is a key of seal.KeySize bytes; it prints as Secret does.
type Key []byte

// String hides the key.
func (Key) String() string { return hidden }

// GoString hides the key.
func (Key) GoString() string { return hidden }

// Format hides the key whatever the verb is.
func (Key) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, hidden) }

// LogValue hides the key.
func (Key) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the key, also in JSON.
func (Key) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// UnmarshalText takes the base64 of a key, of the standard or the URL alphabet,
// with or without its padding.
func (k *Key) UnmarshalText(text []byte) error {
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(strings.TrimSpace(string(text)), "="))
	b, err := base64.RawStdEncoding.DecodeString(plain)
	if err != nil {
		return errors.New("it must be 32 bytes in base64 (openssl rand -base64 32)")
	}
	if len(b) != seal.KeySize {
		return fmt.Errorf("it must be %d bytes in base64 (openssl rand -base64 32), and has %d", seal.KeySize, len(b))
	}
	same := true
	for _, c := range b[1:] {
		same = same && c == b[0]
	}
	if same {
		return errors.New("it is no secret: all its bytes are the same (openssl rand -base64 32 makes one)")
	}
	*k = b
	return nil
}

// Setting is one variable as it may be shown to an operator.
type Setting struct {
	Name  string
	Value string // "[hidden]" for a secret, "" when it is not set
}

// Redacted lists the configuration in force, secrets hidden.
func (c Config) Redacted() []Setting {
	return []Setting{
		{"CLIENT_ID", c.ClientID},
		{"CLIENT_SECRET", mask(len(c.ClientSecret))},
		{"SERVICE_APP_CLIENT_ID", c.ServiceAppClientID},
		{"SERVICE_APP_CLIENT_SECRET", mask(len(c.ServiceAppClientSecret))},
		{"SERVICE_APP_REFRESH_TOKEN", mask(len(c.ServiceAppRefreshToken))},
		{"PORTAL_ADDR", c.Addr},
		{"PORTAL_URL", address(c.URL)},
		{"PORTAL_ENV", c.Env},
		{"PORTAL_SECRET_KEY", mask(len(c.SecretKey))},
		{"PORTAL_SECRET_KEY_PREVIOUS", mask(len(c.SecretKeyPrevious))},
		{"PORTAL_ADMINS", strings.Join(c.Admins, ",")},
		{"REDIS_URL", redactRedis(c.RedisURL)},
		{"WEBEX_API_URL", address(c.WebexAPIURL)},
		{"OIDC_AUTH_URL", c.AuthURL},
		{"OIDC_TOKEN_URL", c.TokenURL},
		{"OIDC_USERINFO_URL", c.UserInfoURL},
		{"OIDC_JWKS_URL", c.JWKSURL},
		{"OIDC_ISSUER_URL", c.IssuerURL},
		{"OIDC_ALLOWED_ISSUERS", strings.Join(c.AllowedIssuers, ",")},
		{"WEBEX_RATE_LIMIT", fmt.Sprint(c.RateLimit)},
		{"SESSION_IDLE", c.SessionIdle.String()},
		{"SESSION_LIFETIME", c.SessionLifetime.String()},
		{"AUDIT_DAYS", fmt.Sprint(c.AuditDays)},
		{"TRUSTED_PROXIES", prefixes(c.TrustedProxies)},
		{"METRICS_ADDR", c.MetricsAddr},
		{"LOG_FORMAT", c.LogFormat},
		{"LOG_LEVEL", c.LogLevel.String()},
	}
}

// String prints NAME=value lines, secrets hidden.
func (c Config) String() string {
	var b strings.Builder
	for _, s := range c.Redacted() {
		fmt.Fprintf(&b, "%s=%s\n", s.Name, s.Value)
	}
	return b.String()
}

// Format prints String whatever the verb is: no verb shows a secret.
func (c Config) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, c.String()) }

// LogValue is a group of the variables, secrets hidden.
func (c Config) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, s := range c.Redacted() {
		attrs = append(attrs, slog.String(s.Name, s.Value))
	}
	return slog.GroupValue(attrs...)
}

// MarshalJSON is an object of the variables, secrets hidden.
func (c Config) MarshalJSON() ([]byte, error) {
	vars := map[string]string{}
	for _, s := range c.Redacted() {
		vars[s.Name] = s.Value
	}
	return json.Marshal(vars)
}

func mask(length int) string {
	if length == 0 {
		return ""
	}
	return hidden
}

// address prints a URL that may be absent: a Config that failed to load has none.
func address(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.String()
}

func prefixes(list []netip.Prefix) string {
	var parts []string
	for _, p := range list {
		parts = append(parts, p.String())
	}
	return strings.Join(parts, ",")
}

// redactRedis keeps the scheme and the hosts after the last "@". What stands
// before it is a password or may be one, with commas and question marks inside.
func redactRedis(v string) string {
	if at := strings.LastIndex(v, "@"); at >= 0 {
		scheme, _, _ := strings.Cut(v, "://")
		v = scheme + "://" + hidden + v[at:]
	}
	v, _, _ = strings.Cut(v, "?")
	return v
}
