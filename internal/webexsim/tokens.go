package webexsim

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Credentials are what the portal is configured with.
type Credentials struct {
	ClientID, ClientSecret                     string // the integration for Login with Webex
	ServiceAppClientID, ServiceAppClientSecret string
	ServiceAppRefreshToken                     string // the newest that works
}

// accessToken is one that was issued. It is never changed except to end it.
type accessToken struct {
	value   string
	subject subject
	scopes  []string
	expires time.Time
}

// refreshToken belongs to a client and a subject, and remembers what it gave last.
type refreshToken struct {
	value   string
	client  string
	subject subject
	scopes  []string
	expires time.Time

	access *accessToken // the newest
	issued time.Time
}

// subject is whom a token speaks for: the service app's machine account, or a person.
type subject struct {
	machine bool
	uuid    string // of the person
}

func (t *accessToken) mayAny(scopes []string) bool {
	return slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(t.scopes, s) })
}

// tokens is the authorization server's memory. Sim.mu may be taken under its
// lock, never the other way round.
type tokens struct {
	sim *Sim

	mu          sync.Mutex
	credentials Credentials
	access      map[string]*accessToken
	refresh     map[string]*refreshToken
	codes       map[string]*authCode
	sessions    map[string]ssoSession // of browsers at /authorize
	keys        keyRing
	made        int
}

func newTokens(s *Sim) *tokens {
	seed := s.opts.Seed
	name := func(n int) string { return strings.ReplaceAll(uuid(seed, kindMachine, n), "-", "") }
	t := &tokens{
		sim: s, access: map[string]*accessToken{}, refresh: map[string]*refreshToken{}, codes: map[string]*authCode{}, sessions: map[string]ssoSession{},
		credentials: Credentials{
			ClientID: "C" + name(1), ClientSecret: name(2), ServiceAppClientID: "C" + name(3), ServiceAppClientSecret: name(4),
		},
		keys: newKeyRing(),
	}
	t.authorizeServiceApp()
	return t
}

// authorizeServiceApp gives the service app a new refresh token, as the administrator's consent does.
func (t *tokens) authorizeServiceApp() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.made++
	// Made from the seed, so that the same command line gives the same credentials.
	value := "R" + strings.ReplaceAll(uuid(t.sim.opts.Seed, kindMachine, 100+t.made), "-", "") + "_PF84_" + uuid(t.sim.opts.Seed, kindOrg, 0)
	t.refresh[value] = &refreshToken{
		value: value, client: t.credentials.ServiceAppClientID, subject: subject{machine: true}, scopes: t.sim.opts.Scopes, expires: t.sim.now().Add(t.sim.opts.RefreshTokenLifetime),
	}
	t.credentials.ServiceAppRefreshToken = value
	return value
}

// newAccess makes an access token; opaque, but for the organization at its end as in AUTH.md 1.7.
func (t *tokens) newAccess(who subject, scopes []string, lifetime time.Duration) *accessToken {
	a := &accessToken{
		value: secret() + "_PF84_" + uuid(t.sim.opts.Seed, kindOrg, 0), subject: who, scopes: scopes, expires: t.sim.now().Add(lifetime),
	}
	if len(t.access) > 100_000 {
		now := t.sim.now()
		maps.DeleteFunc(t.access, func(_ string, old *accessToken) bool { return old.expires.Before(now) })
	}
	t.access[a.value] = a
	return a
}

// authenticate reads an Authorization header. state is the word for the history.
func (t *tokens) authenticate(header string) (token *accessToken, state string) {
	scheme, value, _ := strings.Cut(header, " ")
	if header == "" {
		return nil, ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.access[value]
	if !strings.EqualFold(scheme, "Bearer") || a == nil || !a.expires.After(t.sim.now()) {
		return nil, "invalid"
	}
	if a.subject.machine {
		return a, "serviceApp"
	}
	return a, "user"
}

// Credentials are what the portal is configured with; the refresh token is the one given last.
func (s *Sim) Credentials() Credentials {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	return s.tokens.credentials
}

// RevokeServiceAppTokens ends every token of the service app, as an administrator
// does who withdraws the authorization. Only ReauthorizeServiceApp helps.
func (s *Sim) RevokeServiceAppTokens() {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	maps.DeleteFunc(s.tokens.access, func(_ string, a *accessToken) bool { return a.subject.machine })
	maps.DeleteFunc(s.tokens.refresh, func(_ string, r *refreshToken) bool { return r.subject.machine })
}

// ReauthorizeServiceApp gives the service app a new refresh token and returns it.
func (s *Sim) ReauthorizeServiceApp() string { return s.tokens.authorizeServiceApp() }

// ExpireAccessToken ends the service app's access tokens before their time; the
// refresh token goes on.
func (s *Sim) ExpireAccessToken() {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	maps.DeleteFunc(s.tokens.access, func(_ string, a *accessToken) bool { return a.subject.machine })
}

// ServiceAppAccessToken makes another access token, for tests that want to call an
// operation without the refresh.
func (s *Sim) ServiceAppAccessToken() string {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	return s.tokens.newAccess(subject{machine: true}, s.opts.Scopes, s.opts.AccessTokenLifetime).value
}

// UserAccessToken makes an access token of a person with these scopes.
func (s *Sim) UserAccessToken(email string, scopes ...string) (string, error) {
	s.mu.RLock()
	id, err := s.org.identity(email)
	s.mu.RUnlock()
	if err != nil {
		return "", err
	}
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	return s.tokens.newAccess(subject{uuid: id.uuid}, scopes, s.opts.AccessTokenLifetime).value, nil
}

// tokenRefusal is an error of the token endpoint: Webex's shape, or RFC 6749's
// (nobody knows which one a refresh gets, AUTH.md 2.3).
func (s *Sim) tokenRefusal(c *call, status int, code, description string) answer {
	if s.currentVariant().OAuthErrors {
		a := ok(map[string]any{"error": code, "error_description": description})
		a.status = status
		return a
	}
	a := ok(map[string]any{
		"message":    "The request could not be understood by the server due to malformed syntax.",
		"errors":     []any{map[string]any{"description": description}},
		"trackingId": c.trace,
	})
	a.status = status
	return a
}

// accessTokenEndpoint is POST /access_token.
func (s *Sim) accessTokenEndpoint(c *call) answer {
	if ct, _, _ := strings.Cut(c.Header.Get("Content-Type"), ";"); !strings.EqualFold(ct, "application/x-www-form-urlencoded") {
		return s.tokenRefusal(c, http.StatusBadRequest, "invalid_request", "The body must be a form.")
	}
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		return s.tokenRefusal(c, http.StatusBadRequest, "invalid_request", "The body is not a form.")
	}
	id, password, basic := c.BasicAuth()
	if basic { // RFC 6749 2.3.1: both are form-encoded first
		id, _ = url.QueryUnescape(id)
		password, _ = url.QueryUnescape(password)
	} else {
		id, password = form.Get("client_id"), form.Get("client_secret")
	}
	t := s.tokens
	creds := s.Credentials()
	var want string
	switch id {
	case creds.ClientID:
		want = creds.ClientSecret
	case creds.ServiceAppClientID:
		want = creds.ServiceAppClientSecret
	default:
		return s.tokenRefusal(c, http.StatusBadRequest, "invalid_client", "Client Id is invalid")
	}
	if subtle.ConstantTimeCompare([]byte(want), []byte(password)) != 1 {
		return s.tokenRefusal(c, http.StatusUnauthorized, "invalid_client", "Client authentication failed.")
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		return s.exchange(c, id, form)
	case "refresh_token":
		t.mu.Lock()
		defer t.mu.Unlock()
		return s.refreshGrant(c, id, form.Get("refresh_token"))
	default:
		return s.tokenRefusal(c, http.StatusBadRequest, "unsupported_grant_type", "The grant type is not supported.")
	}
}

// refreshGrant gives another access token. The caller holds tokens.mu.
func (s *Sim) refreshGrant(c *call, client, value string) answer {
	t, now, v := s.tokens, s.now(), s.currentVariant()
	r := t.refresh[value]
	if r == nil || r.client != client || !r.expires.After(now) {
		return s.tokenRefusal(c, http.StatusBadRequest, "invalid_request", "The refresh token provided is expired, revoked, malformed, or invalid.")
	}
	old := r.access
	same := old != nil && t.access[old.value] == old && old.expires.After(now) && s.opts.SameTokenWithin > 0 && now.Sub(r.issued) < s.opts.SameTokenWithin
	if !same {
		if v.RefreshEndsOldToken && old != nil {
			delete(t.access, old.value)
		}
		r.access, r.issued = t.newAccess(r.subject, r.scopes, s.opts.AccessTokenLifetime), now
		r.expires = now.Add(s.opts.RefreshTokenLifetime) // a refresh renews it (AUTH.md 2.2)
		if s.opts.RotateRefreshTokens && r.subject.machine {
			rotated := *r
			rotated.value = "R" + secret()
			t.refresh[rotated.value] = &rotated
			if !v.KeepOldRefreshTokens {
				delete(t.refresh, value)
			}
			t.credentials.ServiceAppRefreshToken = rotated.value
			r = &rotated
		}
	}
	body := map[string]any{
		"access_token": r.access.value, "expires_in": remaining(now, r.access.expires),
		"refresh_token": r.value, "refresh_token_expires_in": remaining(now, r.expires), "token_type": "Bearer",
		"scope": strings.Join(r.scopes, " "),
	}
	if v.OmitScope {
		delete(body, "scope")
	}
	if v.OmitRefreshToken {
		delete(body, "refresh_token")
		delete(body, "refresh_token_expires_in")
	}
	return ok(body)
}

func remaining(now, end time.Time) int { return int(end.Sub(now) / time.Second) }

// secret is an unguessable text.
func secret() string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // crypto/rand does not fail
	return hex.EncodeToString(b[:])
}

func randomUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
