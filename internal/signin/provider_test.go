package signin_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	clientID     = "C0ffee-client"
	clientSecret = "very secret: client/secret+"
	redirectURL  = "http://localhost:5010/authorize"
	issuer       = "https://idbroker-b-us.webex.com/idb"
	accessToken  = "access-token-of-the-person"

	amaraSub   = "314937d6-b1b8-4905-a58a-3244917f853a"
	amaraEmail = "amara.okafor@example.com"
)

// keys are made once: making them takes most of a second with the race detector.
var (
	firstKey  = sync.OnceValue(newKey)
	secondKey = sync.OnceValue(newKey)
)

func newKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

func public(key *rsa.PrivateKey, kid string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: key.Public(), KeyID: kid, Algorithm: "RS256", Use: "sig"}
}

// openID is an OpenID provider with the manners of Webex, which a test may spoil.
type openID struct {
	t   testing.TB
	url string
	now func() time.Time

	mu       sync.Mutex
	codes    map[string]url.Values // the authorization request of each unspent code
	calls    map[string]int        // requests by path
	served   []jose.JSONWebKey     // what /verification gives
	key      *rsa.PrivateKey       // what ID tokens are signed with, under kid
	kid      string
	sub      string
	userinfo map[string]any

	spoilClaims func(claims map[string]any)
	spoilToken  func(claims map[string]any) string // signs instead
	spoilAnswer func(answer map[string]any)        // of the token endpoint
	instead     map[string]http.HandlerFunc        // answers a path instead
}

func newOpenID(t testing.TB, now func() time.Time) *openID {
	t.Helper()
	p := &openID{
		t: t, now: now, codes: map[string]url.Values{}, calls: map[string]int{}, key: firstKey(), kid: "key-1", sub: amaraSub,
		served:   []jose.JSONWebKey{public(firstKey(), "key-1")},
		userinfo: map[string]any{"sub": amaraSub, "email": amaraEmail, "email_verified": "true", "name": "Amara Okafor"},
		instead:  map[string]http.HandlerFunc{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/access_token", p.token)
	mux.HandleFunc("GET /v1/userinfo", p.info)
	mux.HandleFunc("GET /v1/verification", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		reply(w, http.StatusOK, jose.JSONWebKeySet{Keys: p.served})
	})
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, p.document())
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.calls[r.URL.Path]++
		instead := p.instead[r.URL.Path]
		p.mu.Unlock()
		if instead != nil {
			instead(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (p *openID) document() map[string]any {
	return map[string]any{
		"issuer": p.url, "authorization_endpoint": p.url + "/v1/authorize", "token_endpoint": p.url + "/v1/access_token",
		"userinfo_endpoint": p.url + "/v1/userinfo", "jwks_uri": p.url + "/v1/verification",
		"id_token_signing_alg_values_supported": []string{"RS256"},
	}
}

func (p *openID) called(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[path]
}

// authorize is the browser's visit: it takes the address that Start redirects to and
// gives the query of the redirect back.
func (p *openID) authorize(location string) url.Values {
	p.t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		p.t.Fatal(err)
	}
	if got := u.Scheme + "://" + u.Host + u.Path; got != p.url+"/v1/authorize" {
		p.t.Fatalf("Start redirects to %s", got)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": clientID, "redirect_uri": redirectURL, "scope": "openid email profile", "code_challenge_method": "S256",
	} {
		if got := q[name]; !slices.Equal(got, []string{want}) {
			p.t.Errorf("authorization request: %s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(q.Get(name)) < 43 {
			p.t.Errorf("authorization request: %s is %q", name, q.Get(name))
		}
	}
	code := "code-" + rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.codes[code] = q
	return url.Values{"code": {code}, "state": {q.Get("state")}}
}

func (p *openID) token(w http.ResponseWriter, r *http.Request) {
	webexError := func(status int, description string) {
		reply(w, status, map[string]any{"message": "The request could not be understood.", "errors": []any{map[string]any{"description": description}}, "trackingId": "ROUTER_1"})
	}
	id, secret, ok := r.BasicAuth()
	if id == "" && r.PostFormValue("client_id") != "" { // client_secret_post
		id, secret, ok = r.PostFormValue("client_id"), url.QueryEscape(r.PostFormValue("client_secret")), true
	}
	if !ok || id != clientID || secret != url.QueryEscape(clientSecret) {
		webexError(http.StatusUnauthorized, "client")
		return
	}
	p.mu.Lock()
	request := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	p.mu.Unlock()
	challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if request == nil || r.PostFormValue("grant_type") != "authorization_code" || r.PostFormValue("redirect_uri") != redirectURL ||
		base64.RawURLEncoding.EncodeToString(challenge[:]) != request.Get("code_challenge") {
		webexError(http.StatusBadRequest, "code "+r.PostFormValue("code"))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	claims := map[string]any{
		"iss": issuer, "sub": p.sub, "aud": clientID, "nonce": request.Get("nonce"),
		"iat": p.now().Unix(), "exp": p.now().Add(2 * time.Hour).Unix(), "auth_time": p.now().Unix(),
	}
	if p.spoilClaims != nil {
		p.spoilClaims(claims)
	}
	idToken := sign(p.t, p.key, p.kid, claims)
	if p.spoilToken != nil {
		idToken = p.spoilToken(claims)
	}
	answer := map[string]any{"access_token": accessToken, "token_type": "Bearer", "expires_in": 64799, "refresh_token": "refresh-token-of-the-person", "id_token": idToken}
	if p.spoilAnswer != nil {
		p.spoilAnswer(answer)
	}
	reply(w, http.StatusOK, answer)
}

func (p *openID) info(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+accessToken {
		reply(w, http.StatusUnauthorized, map[string]any{})
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	reply(w, http.StatusOK, maps.Clone(p.userinfo))
}

func sign(t testing.TB, key *rsa.PrivateKey, kid string, claims map[string]any) string {
	return signWith(t, jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, claims)
}

func signWith(t testing.TB, key jose.SigningKey, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// unsigned is a token of the algorithm "none".
func unsigned(t testing.TB, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + b64(payload) + "."
}

func atHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
