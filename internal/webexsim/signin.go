package webexsim

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// SignIn overrides what the next sign-ins get, for attacks on the portal. The
// zero value is an honest provider.
type SignIn struct {
	// Claims are put over those of the ID token; null (nil) removes one.
	// {"iss":"https://evil.example"}, {"aud":["a","b"],"azp":"a"}, {"exp":1}, {"nonce":"other"}, {"at_hash":"wrong"} ...
	Claims map[string]any `json:"claims,omitempty"`
	// AtHash adds the right at_hash; Webex's documented tokens have none.
	AtHash bool `json:"atHash,omitempty"`
	// Signature is "" (RS256 with the published key), "none" (alg none), "HS256"
	// (with the client secret), "HS256-key" (with the public key as the secret), "RS384", "wrongKey" (the
	// published key's kid, another key) or "unknownKid".
	Signature string `json:"signature,omitempty"`
	// IDToken replaces the whole token; "-" leaves it out.
	IDToken string `json:"idToken,omitempty"`
	// UserInfo is put over the answer of /userinfo; null (nil) removes a member.
	UserInfo map[string]any `json:"userInfo,omitempty"`
	// Error makes /authorize go back with this error and ErrorDescription, and no code.
	Error            string `json:"error,omitempty"`
	ErrorDescription string `json:"errorDescription,omitempty"`
	// State replaces the state that goes back; "-" leaves it out.
	State string `json:"state,omitempty"`
	// Code replaces the code that goes back, by one that is not known.
	Code string `json:"code,omitempty"`
	// IgnorePKCE and IgnoreReplay make the token endpoint accept any verifier, and a code twice.
	IgnorePKCE   bool `json:"ignorePkce,omitempty"`
	IgnoreReplay bool `json:"ignoreReplay,omitempty"`
}

// SetSignIn overrides what sign-ins get from now on; the zero value ends it.
func (s *Sim) SetSignIn(v SignIn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signIn = v
}

func (s *Sim) currentSignIn() SignIn {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.signIn
}

// The issuers: what ID tokens of this organization say, and what the discovery
// document says. They differ, as with Webex (AUTH.md 1.3).
const (
	Issuer          = "https://idbroker-eu.webex.com/idb"
	DiscoveryIssuer = "https://idbroker-b-us.webex.com/idb"
)

const (
	codeLifetime    = time.Minute
	idTokenLifetime = 2 * time.Hour // AUTH.md 1.6
)

// registeredScopes are those of the integration beside the OpenID ones, which need no registration.
var registeredScopes = []string{"openid", "email", "profile", "phone", "address", "spark:people_read", "spark:kms"}

// authCode is what an authorization code stands for.
type authCode struct {
	subject     subject
	authTime    time.Time
	scopes      []string
	nonce       string
	redirect    string
	challenge   string
	method      string
	expires     time.Time
	spent       bool
	accessToken string // given for it, taken back when the code comes twice
}

type ssoSession struct {
	uuid     string
	authTime time.Time
}

// ssoCookie names the cookie of a browser that has signed in here before.
const ssoCookie = "webexsim_sso"

// identity is somebody who can sign in: a person of the organization or a stranger.
type identity struct {
	uuid, email, first, last, name, phone string
}

func (o *org) identity(email string) (identity, error) {
	if i, ok := o.find(email); ok && strings.Contains(email, "@") {
		// The identity service keeps addresses in lower case, whatever People says.
		return identity{uuid: o.personUUID(i), email: strings.ToLower(o.email(i)), first: o.firstName(i), last: o.lastName(i), name: o.displayName(i), phone: o.e164(i)}, nil
	}
	for n, r := range o.foreign {
		if strings.EqualFold(r.Email, email) {
			return identity{uuid: uuid(o.seed, kindForeigner, n), email: r.Email, first: r.first, last: r.last, name: r.Name}, nil
		}
	}
	return identity{}, fmt.Errorf("nobody has the address %q", email)
}

func (o *org) identityByUUID(id string) (identity, bool) {
	if i, ok := o.personByUUID(id); ok {
		v, err := o.identity(o.email(i))
		return v, err == nil
	}
	if n, ok := number(o.seed, kindForeigner, id); ok && n < len(o.foreign) {
		v, err := o.identity(o.foreign[n].Email)
		return v, err == nil
	}
	return identity{}, false
}

// authorize is GET /authorize.
func (s *Sim) authorize(c *call) answer {
	q := c.query
	creds := s.Credentials()
	// Without a client and an address that are known nobody is sent anywhere.
	if q.Get("client_id") != creds.ClientID {
		return s.page(c, http.StatusBadRequest, "This application is unknown", "Client Id is invalid.")
	}
	redirect, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || !s.mayRedirect(redirect) {
		return s.page(c, http.StatusBadRequest, "This address is not registered", "The redirect_uri of the request does not belong to the application.")
	}
	fail := func(code, description string) answer { return s.back(c, redirect, "", code, description) }
	scopes := strings.Fields(q.Get("scope"))
	switch {
	case q.Get("response_type") != "code":
		return fail("unsupported_response_type", "Only the code flow is simulated.")
	case len(scopes) == 0 || slices.ContainsFunc(scopes, func(x string) bool { return !slices.Contains(registeredScopes, x) }):
		return fail("invalid_scope", "The requested scope is invalid.")
	case slices.Contains(scopes, "openid") && q.Get("nonce") == "":
		return fail("invalid_request", "nonce is required with the scope openid.")
	}
	method := q.Get("code_challenge_method")
	if challenge := q.Get("code_challenge"); challenge != "" || method != "" {
		if method == "" {
			method = "plain"
		}
		if method != "plain" && method != "S256" || len(challenge) < 43 || len(challenge) > 128 {
			return fail("invalid_request", "The code challenge is invalid.")
		}
	}
	if f := s.currentSignIn(); f.Error != "" {
		return fail(f.Error, f.ErrorDescription)
	}
	who, authTime, setCookie, asked := s.recognize(c)
	if who.uuid == "" {
		if q.Get("prompt") == "none" {
			return fail("login_required", "There is no session.")
		}
		return s.choose(c, redirect, asked)
	}
	code := secret()
	s.tokens.mu.Lock()
	s.tokens.codes[code] = &authCode{
		subject: subject{uuid: who.uuid}, authTime: authTime, scopes: scopes, nonce: q.Get("nonce"), redirect: q.Get("redirect_uri"),
		challenge: q.Get("code_challenge"), method: method, expires: s.now().Add(codeLifetime),
	}
	s.tokens.mu.Unlock()
	a := s.back(c, redirect, code, "", "")
	if setCookie != nil {
		a.header.Set("Set-Cookie", setCookie.String())
	}
	return a
}

// recognize says who signs in without being asked: whom login_hint names, or
// whose session the browser has. note is what the page has to say otherwise.
func (s *Sim) recognize(c *call) (who identity, authTime time.Time, set *http.Cookie, note string) {
	now := s.now()
	if hint := strings.TrimSpace(c.query.Get("login_hint")); hint != "" {
		s.mu.RLock()
		found, err := s.org.identity(hint)
		s.mu.RUnlock()
		if err != nil {
			return identity{}, now, nil, "Nobody here has the address " + hint + "."
		}
		id := secret()
		s.tokens.mu.Lock()
		if len(s.tokens.sessions) > 10_000 {
			clear(s.tokens.sessions) // browsers that sign in often enough do not miss it
		}
		s.tokens.sessions[id] = ssoSession{uuid: found.uuid, authTime: now}
		s.tokens.mu.Unlock()
		return found, now, &http.Cookie{Name: ssoCookie, Value: id, Path: "/v1/authorize", HttpOnly: true, SameSite: http.SameSiteLaxMode}, ""
	}
	if c.query.Get("prompt") == "select_account" || c.query.Get("prompt") != "none" && !s.currentVariant().SilentSignInAfterSSO {
		return identity{}, now, nil, ""
	}
	cookie, err := c.Cookie(ssoCookie)
	if err != nil {
		return identity{}, now, nil, ""
	}
	s.tokens.mu.Lock()
	session, known := s.tokens.sessions[cookie.Value]
	s.tokens.mu.Unlock()
	if age, err := strconv.Atoi(c.query.Get("max_age")); err == nil && now.Sub(session.authTime) > time.Duration(age)*time.Second {
		known = false
	}
	if !known {
		return identity{}, now, nil, ""
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	who, _ = s.org.identityByUUID(session.uuid)
	return who, session.authTime, nil, ""
}

func (s *Sim) mayRedirect(u *url.URL) bool {
	if u.Host == "" || u.Fragment != "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	if len(s.opts.RedirectURIs) > 0 {
		return slices.ContainsFunc(s.opts.RedirectURIs, func(p string) bool { return strings.HasPrefix(u.String(), p) })
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// back sends the browser to the portal, with a code or an error.
func (s *Sim) back(c *call, to *url.URL, code, failure, description string) answer {
	f := s.currentSignIn()
	u := *to
	q := u.Query()
	if code != "" {
		if f.Code != "" {
			code = f.Code
		}
		q.Set("code", code)
	}
	if failure != "" {
		q.Set("error", failure)
		if description != "" {
			q.Set("error_description", description)
		}
	}
	if state, has := c.query["state"]; has && f.State != "-" {
		q.Set("state", state[0])
	}
	if f.State != "" && f.State != "-" {
		q.Set("state", f.State)
	}
	u.RawQuery = q.Encode()
	return answer{status: http.StatusFound, header: http.Header{"Location": {u.String()}}}
}

// exchange is the code grant.
func (s *Sim) exchange(c *call, client string, form url.Values) answer {
	t, now, f := s.tokens, s.now(), s.currentSignIn()
	refused := func(why string) answer {
		return s.tokenRefusal(c, http.StatusBadRequest, "invalid_grant", why)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	code := t.codes[form.Get("code")]
	if code == nil || client != t.credentials.ClientID {
		return refused("The authorization code is invalid.")
	}
	if code.spent && !f.IgnoreReplay {
		delete(t.access, code.accessToken)
		return refused("The authorization code was used before.")
	}
	code.spent = true // also by a request that fails from here on
	switch {
	case code.expires.Before(now):
		return refused("The authorization code has expired.")
	case form.Get("redirect_uri") != code.redirect:
		return refused("The redirect URI does not match.")
	case !f.IgnorePKCE && !verifies(code, form.Get("code_verifier")):
		return refused("The code verifier does not match.")
	}
	access := t.newAccess(code.subject, code.scopes, s.opts.AccessTokenLifetime)
	code.accessToken = access.value
	refresh := &refreshToken{value: secret(), client: client, subject: code.subject, scopes: code.scopes, expires: now.Add(s.opts.RefreshTokenLifetime), access: access, issued: now}
	t.refresh[refresh.value] = refresh
	body := map[string]any{
		"access_token": access.value, "expires_in": remaining(now, access.expires), "token_type": "Bearer", "scope": strings.Join(code.scopes, " "),
		"refresh_token": refresh.value, "refresh_token_expires_in": remaining(now, refresh.expires),
	}
	if slices.Contains(code.scopes, "openid") && f.IDToken != "-" {
		body["id_token"] = t.idToken(code, access.value, f)
	}
	if len(t.codes) > 10_000 {
		maps.DeleteFunc(t.codes, func(_ string, old *authCode) bool { return old.expires.Before(now) })
	}
	return ok(body)
}

func verifies(code *authCode, verifier string) bool {
	if code.challenge == "" {
		return verifier == ""
	}
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	if code.method == "S256" {
		sum := sha256.Sum256([]byte(verifier))
		verifier = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return subtle.ConstantTimeCompare([]byte(verifier), []byte(code.challenge)) == 1
}

// idToken holds the claims of the scope openid only, whatever else was asked for (AUTH.md 1.6).
func (t *tokens) idToken(code *authCode, access string, f SignIn) string {
	if f.IDToken != "" {
		return f.IDToken
	}
	now := t.sim.now()
	claims := map[string]any{
		"iss": Issuer, "sub": code.subject.uuid, "aud": t.credentials.ClientID, "nonce": code.nonce,
		"iat": now.Unix(), "exp": now.Add(idTokenLifetime).Unix(), "auth_time": code.authTime.Unix(),
	}
	if f.AtHash {
		sum := sha256.Sum256([]byte(access))
		claims["at_hash"] = base64.RawURLEncoding.EncodeToString(sum[:16])
	}
	override(claims, f.Claims)
	payload, _ := json.Marshal(claims) // plain values
	return t.keys.sign(payload, f.Signature, t.credentials.ClientSecret)
}

func override(v, over map[string]any) {
	for key, x := range over {
		if x == nil {
			delete(v, key)
		} else {
			v[key] = x
		}
	}
}

// userInfo is GET /userinfo.
func (s *Sim) userInfo(c *call) answer {
	token, _ := s.tokens.authenticate(c.Header.Get("Authorization"))
	if token == nil {
		return s.refuse(c, unauthorized)
	}
	s.mu.RLock()
	who, known := s.org.identityByUUID(token.subject.uuid)
	f, v := s.signIn, s.variant
	s.mu.RUnlock()
	if !known || !slices.Contains(token.scopes, "openid") {
		return s.refuse(c, &refusal{status: http.StatusForbidden, message: "The access token does not have the required scope: openid."})
	}
	info := map[string]any{"sub": who.uuid}
	if slices.Contains(token.scopes, "email") {
		info["email"] = who.email
		info["email_verified"] = "true" // a string, as documented
		if v.EmailVerifiedAsBool {
			info["email_verified"] = true
		}
	}
	if slices.Contains(token.scopes, "profile") {
		info["name"], info["given_name"], info["family_name"] = who.name, who.first, who.last
	}
	if slices.Contains(token.scopes, "phone") && who.phone != "" {
		info["phone"] = who.phone
	}
	override(info, f.UserInfo)
	return ok(info)
}

// jwks is GET /verification.
func (s *Sim) jwks(*call) answer {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	return ok(s.tokens.keys.public())
}

// discovery is the document that names another issuer than the tokens do.
func (s *Sim) discovery(c *call) answer {
	base := origin(c.Request) + "/v1"
	return ok(map[string]any{
		"issuer": DiscoveryIssuer, "authorization_endpoint": base + "/authorize", "token_endpoint": base + "/access_token",
		"userinfo_endpoint": base + "/userinfo", "jwks_uri": base + "/verification",
		"response_types_supported": []string{"code", "id_token"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"scopes_supported":                      []string{"openid", "email", "profile", "phone", "address"},
		"claims_supported":                      []string{"aud", "sub", "auth_time", "iss", "exp", "iat", "nonce", "email", "email_verified", "name", "given_name", "family_name", "locale", "phone", "address"},
		"grant_types_supported":                 []string{"authorization_code", "implicit", "refresh_token"},
		"request_parameter_supported":           false, "request_uri_parameter_supported": false,
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic"},
		"code_challenge_methods_supported":      []string{"plain", "S256"},
	})
}

// RotateSigningKeys signs from now on with another key. Until the next rotation
// the old key stays published when keepOld is set.
func (s *Sim) RotateSigningKeys(keepOld bool) {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	s.tokens.keys.rotate(keepOld)
}

// rsaKey makes the n-th key of this process on first use: making one takes a good
// part of a second, tests make many simulators, and the start must not wait for it.
var rsaKey = func() func(n int) *rsa.PrivateKey {
	var mu sync.Mutex
	made := map[int]*rsa.PrivateKey{}
	return func(n int) *rsa.PrivateKey {
		mu.Lock()
		defer mu.Unlock()
		if made[n] == nil {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				panic("webexsim: make a key: " + err.Error()) // crypto/rand does not fail
			}
			made[n] = key
		}
		return made[n]
	}
}()

// keyRing knows which keys sign and which are published. Number 0 is never published.
type keyRing struct {
	signing   int
	published []int
}

func newKeyRing() keyRing { return keyRing{signing: 1, published: []int{1}} }

func (k *keyRing) rotate(keepOld bool) {
	old := k.signing
	k.signing++
	k.published = []int{k.signing}
	if keepOld {
		k.published = append(k.published, old)
	}
}

func keyID(n int) string { return uuid(0, kindMachine, 1000+n) }

func (k *keyRing) public() jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	for _, n := range k.published {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &rsaKey(n).PublicKey, KeyID: keyID(n), Use: "sig"})
	}
	return set
}

// sign makes a compact token, honest or not.
func (k *keyRing) sign(payload []byte, how, clientSecret string) string {
	alg, key, kid := jose.RS256, any(rsaKey(k.signing)), keyID(k.signing)
	switch how {
	case "none":
		head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
		return head + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
	case "HS256":
		alg, key = jose.HS256, []byte(clientSecret)
	case "HS256-key":
		alg, key = jose.HS256, rsaKey(k.signing).N.Bytes()
	case "RS384":
		alg = jose.RS384
	case "wrongKey":
		key = rsaKey(0)
	case "unknownKid":
		key, kid = rsaKey(0), keyID(0)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		panic("webexsim: sign: " + err.Error()) // the keys are made here
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		panic("webexsim: sign: " + err.Error())
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		panic("webexsim: sign: " + err.Error())
	}
	return text
}

// withLoginHint is the query of the request with somebody's address.
func withLoginHint(q url.Values, email string) string {
	q = maps.Clone(q)
	q.Set("login_hint", email)
	return q.Encode()
}
