package signin_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/signin"
)

// claim spoils one claim of the ID token; nil takes it out.
func claim(name string, value any) func(v *visit) {
	return func(v *visit) {
		v.provider.spoilClaims = func(c map[string]any) {
			if value == nil {
				delete(c, name)
			} else {
				c[name] = value
			}
		}
	}
}

func at(name string, d time.Duration) func(v *visit) {
	return func(v *visit) {
		v.provider.spoilClaims = func(c map[string]any) { c[name] = v.clock.Now().Add(d).Unix() }
	}
}

func userinfo(name string, value any) func(v *visit) {
	return func(v *visit) {
		if v.provider.userinfo[name] = value; value == nil {
			delete(v.provider.userinfo, name)
		}
	}
}

func person(change func(p *signin.Person)) func(v *visit) {
	return func(v *visit) { change(&v.people.people[0]) }
}

// otherBrowser is v's visit continued in a browser that did not begin it.
func otherBrowser(v *visit) { v.cookies = map[string]string{} }

const (
	jwks  = "/v1/verification"
	token = "/v1/access_token"
	info  = "/v1/userinfo"
)

func instead(path string, h http.HandlerFunc) func(v *visit) {
	return func(v *visit) { v.provider.instead[path] = h }
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

func html(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	_, _ = w.Write([]byte("<html><title>amara.okafor@example.com, sign in to the hotel's Wi-Fi</title></html>"))
}

func huge(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"sub":"` + strings.Repeat("a", 2<<20) + `"}`))
}

// The calls of a visit are bounded by the flow's own client; here by a shorter one.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client went away
	<-r.Context().Done()
}

// drip sends a byte now and then, for ever.
func drip(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	for r.Context().Err() == nil {
		_, _ = w.Write([]byte(" "))
		_ = http.NewResponseController(w).Flush()
		time.Sleep(20 * time.Millisecond)
	}
}

func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = w.Write([]byte(`{"access_token":`))
}

func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// toEvil redirects to a server that would take anything.
func toEvil(t *testing.T) http.HandlerFunc {
	evil := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the portal follows a redirect: %s %s", r.Method, r.URL)
	}))
	t.Cleanup(evil.Close)
	return func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, evil.URL, http.StatusTemporaryRedirect)
	}
}

func TestAttacks(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		attack func(v *visit) // after the person has been at the provider, before they come back
		want   signin.Reason
	}{
		// The attempt.
		"no state":                       {func(v *visit) { v.callback.Del("state") }, signin.StateMissing},
		"an empty state":                 {func(v *visit) { v.callback.Set("state", "") }, signin.StateMissing},
		"two states":                     {func(v *visit) { v.callback.Add("state", "x") }, signin.StateMissing},
		"a state without end":            {func(v *visit) { v.callback.Set("state", strings.Repeat("a", 5000)) }, signin.StateMissing},
		"another state":                  {func(v *visit) { v.callback.Set("state", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE") }, signin.AttemptUnknown},
		"the state with a letter more":   {func(v *visit) { v.callback.Set("state", v.callback.Get("state")+"A") }, signin.AttemptUnknown},
		"another browser":                {otherBrowser, signin.AttemptUnknown},
		"another browser's cookie":       {swapCookies, signin.AttemptUnreadable},
		"a state used before":            {reuseState, signin.AttemptUnknown},
		"a cookie with a changed byte":   {changeCookie(func(b []byte) []byte { b[len(b)/2] ^= 1; return b }), signin.AttemptUnreadable},
		"a cookie that is cut off":       {changeCookie(func(b []byte) []byte { return b[:len(b)-1] }), signin.AttemptUnreadable},
		"an empty cookie":                {changeCookie(func([]byte) []byte { return nil }), signin.AttemptUnreadable},
		"a cookie that is not base64":    {func(v *visit) { v.cookies[v.attemptCookies()[0]] = "!" }, signin.AttemptUnreadable},
		"a cookie with another's state":  {sealCookie(map[string]any{"s": "other"}), signin.StateMismatch},
		"a cookie of an old version":     {sealCookie([]string{"s"}), signin.AttemptUnreadable},
		"an attempt of ten minutes":      {func(v *visit) { v.clock.add(10 * time.Minute) }, signin.AttemptExpired},
		"an attempt from the future":     {func(v *visit) { v.clock.add(-10 * time.Minute) }, signin.AttemptExpired},
		"an attempt of another key":      {func(v *visit) { v.deps.Sealer = newVisit(v.t).sealer; v.flow = signin.New(v.deps) }, signin.AttemptUnreadable},
		"no code":                        {func(v *visit) { v.callback.Del("code") }, signin.CodeMissing},
		"two codes":                      {func(v *visit) { v.callback.Add("code", "x") }, signin.CodeMissing},
		"an error without a state":       {func(v *visit) { v.callback = url.Values{"error": {"access_denied"}} }, signin.StateMissing},
		"an error for another browser":   {func(v *visit) { v.callback.Set("error", "access_denied"); otherBrowser(v) }, signin.AttemptUnknown},
		"the person cancels":             {refusal("access_denied"), signin.Cancelled},
		"the person has to sign in":      {refusal("login_required"), signin.LoginRequired},
		"the person has to choose":       {refusal("account_selection_required"), signin.LoginRequired},
		"the provider is out of order":   {refusal("temporarily_unavailable"), signin.ProviderUnavailable},
		"the provider refuses our scope": {refusal("invalid_scope"), signin.ProviderRefused},
		"an error nobody knows":          {refusal("<script>"), signin.ProviderRefused},
		"an empty error":                 {refusal(""), signin.ProviderRefused},

		// The code.
		"a made-up code":       {func(v *visit) { v.callback.Set("code", "code-made-up") }, signin.CodeRefused},
		"a replayed code":      {replayCode, signin.CodeRefused},
		"a code of other PKCE": {otherChallenge, signin.CodeRefused},
		"a code of another attempt of this browser": {func(v *visit) {
			first := v.callback.Get("code")
			v.goThere("/authenticate")
			v.callback.Set("code", first)
		}, signin.CodeRefused},
		"our secret is wrong":    {func(v *visit) { v.deps.ClientSecret = "old"; v.flow = signin.New(v.deps) }, signin.ClientRefused},
		"invalid_client":         {instead(token, status(400, `{"error":"invalid_client"}`)), signin.ClientRefused},
		"invalid_grant":          {instead(token, status(400, `{"error":"invalid_grant","error_description":"code-1 of amara.okafor@example.com"}`)), signin.CodeRefused},
		"an error with 200":      {instead(token, status(200, `{"error":"invalid_grant"}`)), signin.CodeRefused},
		"an access token alone":  {func(v *visit) { v.provider.spoilAnswer = func(a map[string]any) { delete(a, "id_token") } }, signin.TokenMissing},
		"an ID token of numbers": {func(v *visit) { v.provider.spoilAnswer = func(a map[string]any) { a["id_token"] = 7 } }, signin.TokenMissing},
		"no access token":        {func(v *visit) { v.provider.spoilAnswer = func(a map[string]any) { delete(a, "access_token") } }, signin.ProviderNonsense},

		// The ID token.
		"not a JWT":                {func(v *visit) { v.provider.spoilAnswer = func(a map[string]any) { a["id_token"] = "eyJ.x" } }, signin.TokenMalformed},
		"a JWT as JSON":            {asJSON, signin.TokenMalformed},
		"algorithm none":           {spoilToken(unsigned), signin.TokenAlgorithm},
		"algorithm HS256":          {spoilToken(hs256([]byte(clientSecret))), signin.TokenAlgorithm},
		"HS256 of our public key":  {spoilToken(hs256(publicBytes())), signin.TokenAlgorithm},
		"algorithm PS256":          {spoilToken(ps256), signin.TokenAlgorithm},
		"a wrong key":              {func(v *visit) { v.provider.key = secondKey() }, signin.TokenSignature},
		"an unknown key":           {func(v *visit) { v.provider.key, v.provider.kid = secondKey(), "key-2" }, signin.TokenSignature},
		"a key that is gone":       {func(v *visit) { v.provider.served = nil }, signin.TokenSignature},
		"changed claims":           {spoilToken(changedClaims), signin.TokenSignature},
		"claims of a wrong type":   {claim("exp", "tomorrow"), signin.TokenMalformed},
		"azp of a wrong type":      {claim("azp", 7), signin.TokenMalformed},
		"an unknown issuer":        {claim("iss", "https://idbroker-eu.webex.com/idb"), signin.TokenIssuer},
		"an issuer with a suffix":  {claim("iss", issuer+".evil.example"), signin.TokenIssuer},
		"an issuer with a slash":   {claim("iss", issuer+"/"), signin.TokenIssuer},
		"an issuer by http":        {claim("iss", strings.Replace(issuer, "https", "http", 1)), signin.TokenIssuer},
		"an issuer in capitals":    {claim("iss", strings.ToUpper(issuer)), signin.TokenIssuer},
		"a test cluster's issuer":  {claim("iss", "https://idbrokerbts.webex.com/idb"), signin.TokenIssuer},
		"no issuer":                {claim("iss", nil), signin.TokenIssuer},
		"another audience":         {claim("aud", "C0ffee-clientX"), signin.TokenAudience},
		"no audience":              {claim("aud", nil), signin.TokenAudience},
		"several audiences":        {claim("aud", []string{"other", clientID}), signin.TokenParty},
		"another azp":              {claim("azp", "other"), signin.TokenParty},
		"an empty azp":             {claim("azp", ""), signin.TokenParty},
		"ended":                    {at("exp", -2*time.Minute), signin.TokenExpired},
		"no end":                   {claim("exp", nil), signin.TokenExpired},
		"nbf in the future":        {at("nbf", 3*time.Minute), signin.TokenNotYetValid},
		"nbf beyond all calendars": {claim("nbf", 1e300), signin.TokenNotYetValid},
		"iat in the future":        {at("iat", 3*time.Minute), signin.TokenNotYetValid},
		"iat before the attempt":   {at("iat", -3*time.Minute), signin.TokenTooOld},
		"no iat":                   {claim("iat", nil), signin.TokenTooOld},
		"another nonce":            {claim("nonce", "another"), signin.TokenNonce},
		"no nonce":                 {claim("nonce", nil), signin.TokenNonce},
		"another at_hash":          {claim("at_hash", atHash("another")), signin.TokenAccessHash},
		"no sub":                   {claim("sub", nil), signin.TokenSubject},
		"an empty sub":             {claim("sub", ""), signin.TokenSubject},

		// Userinfo and the person.
		"userinfo of another":                   {userinfo("sub", "bbbbbbbb-b1b8-4905-a58a-3244917f853a"), signin.UserinfoSubject},
		"userinfo without sub":                  {userinfo("sub", nil), signin.UserinfoSubject},
		"no e-mail address":                     {userinfo("email", nil), signin.EmailMissing},
		"no plausible address":                  {userinfo("email", "amara okafor@example.com"), signin.EmailMissing},
		"an unverified address":                 {userinfo("email_verified", false), signin.EmailUnverified},
		"an address \"false\"":                  {userinfo("email_verified", "false"), signin.EmailUnverified},
		"an address not said to be":             {userinfo("email_verified", nil), signin.EmailUnverified},
		"email_verified is a number":            {userinfo("email_verified", 1), signin.ProviderNonsense},
		"nobody's address":                      {userinfo("email", "nobody@example.com"), signin.PersonUnknown},
		"an address like another's":             {userinfo("email", "amara.o\u212Aafor@example.com"), signin.PersonUnknown},
		"another person's address":              {userinfo("email", "ben@example.com"), signin.SubjectOther},
		"an administrator's address":            {userinfo("email", adminMail), signin.SubjectOther},
		"another person, one UUID in the other": {person(func(p *signin.Person) { p.ID = webexID("us", "PEOPLE", amaraSub[1:]) }), signin.SubjectOther},
		"two people with the address": {func(v *visit) {
			v.people.people = append(v.people.people, signin.Person{ID: benID, OrgID: orgID, LocationID: berlin, Emails: []string{amaraEmail}})
		}, signin.PersonAmbiguous},
		"another organization":   {person(func(p *signin.Person) { p.OrgID = otherOrg }), signin.OrganizationOther},
		"not a calling user":     {person(func(p *signin.Person) { p.LocationID = "" }), signin.NotCalling},
		"a person without id":    {person(func(p *signin.Person) { p.ID = "" }), signin.DirectoryFailed},
		"a person without org":   {person(func(p *signin.Person) { p.OrgID = "" }), signin.DirectoryFailed},
		"no organization":        {func(v *visit) { v.people.org = "" }, signin.DirectoryFailed},
		"no directory":           {func(v *visit) { v.people.err = problem.New(problem.Unavailable, "x").Because(errors.New("503")) }, signin.DirectoryFailed},
		"no locations":           {func(v *visit) { v.people.orgErr = errors.New("403") }, signin.DirectoryFailed},
		"nobody is found at all": {func(v *visit) { v.people.people = nil }, signin.PersonUnknown},
	}
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVisit(t)
			v.goThere("/authenticate?return=/calls")
			test.attack(v)
			attempts, spent := len(v.attemptCookies()), v.provider.called(token)
			result, err := v.comeBack()
			failure := v.wantFailure(err, test.want)
			if result != (signin.Result{}) {
				t.Errorf("result %+v", result)
			}
			switch test.want {
			case signin.StateMissing, signin.AttemptUnknown, signin.AttemptUnreadable, signin.AttemptExpired, signin.StateMismatch,
				signin.Cancelled, signin.LoginRequired, signin.ProviderRefused, signin.CodeMissing:
				if v.provider.called(token) != spent {
					t.Error("the code was spent all the same")
				}
			}
			switch test.want {
			case signin.StateMissing, signin.AttemptUnknown: // no attempt of this browser
			default:
				if got := len(v.attemptCookies()); got != attempts-1 {
					t.Errorf("of %d attempts the browser keeps %d", attempts, got)
				}
			}
			p := problem.As(err)
			text := texts.Localizer("en").Say(p.Public)
			if strings.Contains(text, "[[") || strings.Contains(text, "<no value>") || len(text) < 60 {
				t.Errorf("text: %s", text)
			}
			if p.Code.Status() < 400 || failure.OtherAccount && p.Code != problem.Forbidden {
				t.Errorf("code %d, other account %t", p.Code, failure.OtherAccount)
			}
		})
	}
}

func refusal(code string) func(v *visit) {
	return func(v *visit) {
		v.callback.Del("code")
		v.callback.Set("error", code)
		v.callback.Set("error_description", "Call +1 555 0100 and tell amara.okafor@example.com's password")
	}
}

// swapCookies puts the cookie of an attacker's attempt under the name of the victim's.
func swapCookies(v *visit) {
	other := newVisit(v.t)
	other.deps.Sealer = v.sealer
	other.flow = signin.New(other.deps)
	other.goThere("/authenticate")
	v.cookies[v.attemptCookies()[0]] = other.cookies[other.attemptCookies()[0]]
}

// reuseState finishes the sign-in and comes back with the same state and a fresh code.
func reuseState(v *visit) {
	callback := v.callback
	if _, err := v.comeBack(); err != nil {
		v.t.Fatal(err)
	}
	v.callback = callback
}

// replayCode finishes the sign-in in one copy of the browser; the other still has the attempt.
func replayCode(v *visit) {
	cookies := map[string]string{}
	for name, value := range v.cookies {
		cookies[name] = value
	}
	if _, err := v.comeBack(); err != nil {
		v.t.Fatal(err)
	}
	v.cookies = cookies
}

func otherChallenge(v *visit) {
	v.provider.codes[v.callback.Get("code")].Set("code_challenge", atHash("another"))
}

func changeCookie(change func(sealed []byte) []byte) func(v *visit) {
	return func(v *visit) {
		name := v.attemptCookies()[0]
		sealed, err := base64.RawURLEncoding.DecodeString(v.cookies[name])
		if err != nil {
			v.t.Fatal(err)
		}
		v.cookies[name] = base64.RawURLEncoding.EncodeToString(change(sealed))
	}
}

// sealCookie has the portal's own key seal something else.
func sealCookie(content any) func(v *visit) {
	return func(v *visit) {
		text, err := json.Marshal(content)
		if err != nil {
			v.t.Fatal(err)
		}
		name := v.attemptCookies()[0]
		v.cookies[name] = base64.RawURLEncoding.EncodeToString(v.sealer.Seal(name, text))
	}
}

func spoilToken(make func(t testing.TB, claims map[string]any) string) func(v *visit) {
	return func(v *visit) {
		v.provider.spoilToken = func(claims map[string]any) string { return make(v.t, claims) }
	}
}

func hs256(secret []byte) func(t testing.TB, claims map[string]any) string {
	return func(t testing.TB, claims map[string]any) string {
		return signWith(t, jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: append(secret, make([]byte, 32)...), KeyID: "key-1"}}, claims)
	}
}

func publicBytes() []byte {
	b, err := json.Marshal(public(firstKey(), "key-1"))
	if err != nil {
		panic(err)
	}
	return b
}

func ps256(t testing.TB, claims map[string]any) string {
	return signWith(t, jose.SigningKey{Algorithm: jose.PS256, Key: jose.JSONWebKey{Key: firstKey(), KeyID: "key-1"}}, claims)
}

// changedClaims is a token of ours with another's sub and the signature of the first.
func changedClaims(t testing.TB, claims map[string]any) string {
	parts := strings.Split(sign(t, firstKey(), "key-1", claims), ".")
	claims["sub"] = adminSub
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	parts[1] = base64.RawURLEncoding.EncodeToString(payload)
	return strings.Join(parts, ".")
}

func asJSON(v *visit) {
	v.provider.spoilToken = func(claims map[string]any) string {
		parts := strings.Split(sign(v.t, firstKey(), "key-1", claims), ".")
		return fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, parts[0], parts[1], parts[2])
	}
}

func TestHostileProvider(t *testing.T) {
	t.Parallel()
	faults := map[string]struct {
		answer func(t *testing.T) http.HandlerFunc
		want   signin.Reason
	}{
		"hangs":              {just(hang), signin.ProviderTimeout},
		"drips":              {just(drip), signin.ProviderTimeout},
		"hangs up":           {just(hangUp), signin.ProviderUnavailable},
		"cut off":            {just(cutOff), signin.ProviderUnavailable},
		"HTML":               {just(html), signin.ProviderNonsense},
		"huge":               {just(huge), signin.ProviderNonsense},
		"empty":              {just(status(200, "")), signin.ProviderNonsense},
		"wrong type":         {just(status(200, `["amara.okafor@example.com"]`)), signin.ProviderNonsense},
		"redirects":          {toEvil, signin.ProviderNonsense},
		"429":                {just(status(429, "")), signin.ProviderUnavailable},
		"500":                {just(status(500, "<html>amara.okafor@example.com")), signin.ProviderUnavailable},
		"503":                {just(status(503, "")), signin.ProviderUnavailable},
		"not found, as JSON": {just(status(404, `{"keys":[],"sub":"`+amaraSub+`"}`)), signin.ProviderNonsense},
		"not found, as HTML": {just(status(404, "<html>amara.okafor@example.com")), signin.ProviderNonsense},
	}
	// What a fault means where it differs.
	different := map[string]signin.Reason{
		token + " not found, as JSON": signin.CodeRefused,
		token + " not found, as HTML": signin.CodeRefused,
		jwks + " wrong type":          signin.TokenSignature, // go-oidc does not tell this from keys that do not fit
	}
	for _, path := range []string{token, jwks, info} {
		for name, fault := range faults {
			t.Run(path+" "+name, func(t *testing.T) {
				t.Parallel()
				v := newVisit(t)
				v.deps.HTTPClient = &http.Client{Timeout: 400 * time.Millisecond}
				v.flow = signin.New(v.deps)
				v.goThere("/authenticate")
				v.provider.instead[path] = fault.answer(t)
				begin := time.Now()
				_, err := v.comeBack()
				if took := time.Since(begin); took > 5*time.Second {
					t.Errorf("took %s", took)
				}
				want := fault.want
				if other, ok := different[path+" "+name]; ok {
					want = other
				}
				v.wantFailure(err, want)
				if got := problem.As(err).RetryAfter; (name == "429" || name == "503") && got != 7*time.Second {
					t.Errorf("retry after %s", got)
				}
				if name == "huge" && !strings.Contains(v.log.String(), "larger than") {
					t.Errorf("log: %s", v.log)
				}
				if calls := v.provider.called(token); calls != 1 {
					t.Errorf("the code was sent %d times", calls)
				}
				if len(v.attemptCookies()) != 0 {
					t.Error("the attempt stays in the browser")
				}
			})
		}
	}
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		v := newVisit(t)
		v.deps.TokenURL = "http://127.0.0.1:1/token"
		v.flow = signin.New(v.deps)
		v.goThere("/authenticate")
		_, err := v.comeBack()
		v.wantFailure(err, signin.ProviderUnavailable)
	})
}

func just(h http.HandlerFunc) func(*testing.T) http.HandlerFunc {
	return func(*testing.T) http.HandlerFunc { return h }
}
