package portal_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/redis/go-redis/v9"

	"patchbay/internal/redisdb/redistest"
	"patchbay/internal/webexsim"
)

// open are the routes that need no sign-in. A new one is written here on purpose.
var open = []string{
	"GET /login", "GET /authenticate", "GET /authorize", "POST /logout", "POST /preferences", "GET /help",
	"GET /static/*", "GET /favicon.ico", "GET /robots.txt", "GET /healthz", "GET /readyz",
	"GET /api/openapi.json", "GET /api/docs", "GET /api/*",
}

// routes lists what the portal answers, as chi has it.
func (r *replica) routes(t *testing.T) (list []string) {
	t.Helper()
	routes, ok := r.Handler.(chi.Routes)
	if !ok {
		t.Fatal("the handler does not tell its routes")
	}
	err := chi.Walk(routes, func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		list = append(list, method+" "+pattern)
		return nil
	})
	if err != nil || len(list) < 30 {
		t.Fatalf("only %d routes, %v", len(list), err)
	}
	return list
}

// concrete fills the gaps of a pattern.
func (w *world) concrete(t *testing.T, pattern string) string {
	return strings.NewReplacer("{person}", url.PathEscape(w.sim.MustPerson(ben).ID), "{agent}", url.PathEscape(w.sim.MustPerson(ben).ID), "{grant}", "NOSUCHGRANT",
		"{session}", "NOSUCHSESSION", "{device}", "NOSUCHDEVICE", "{card}", "quick", "{setting}", "doNotDisturb", "{queue}", url.PathEscape(w.queue(t, "Sales Hotline").ID),
		"{record}", "1-1", "/static/*", "/static/nothing.css", "/api/*", "/api/nothing").Replace(pattern)
}

func TestNoRouteIsOpenByAccident(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	stranger := w.replicas[0].browser(t).once()
	user := w.signIn(t, greta).once()
	for _, route := range w.replicas[0].routes(t) {
		method, pattern, _ := strings.Cut(route, " ")
		path := w.concrete(t, pattern)
		if slices.Contains(open, route) {
			if a := stranger.send(request{method: method, path: path}); a.status == http.StatusUnauthorized || a.status == http.StatusForbidden || strings.HasPrefix(a.header.Get("Location"), "/login?return") {
				t.Errorf("%s is not open: %d", route, a.status)
			}
			continue
		}
		plain := stranger.send(request{method: method, path: path})
		partial := stranger.send(request{method: method, path: path, header: http.Header{"Hx-Request": {"true"}}})
		if strings.HasPrefix(pattern, "/api/") {
			checkProblem(t, route+", signed out", plain, http.StatusUnauthorized)
		} else if location := plain.header.Get("Location"); plain.status != http.StatusSeeOther || !strings.HasPrefix(location, "/login") {
			t.Errorf("%s, signed out: %d to %q", route, plain.status, location)
		}
		if partial.status != http.StatusUnauthorized {
			t.Errorf("%s, signed out, by htmx: %d", route, partial.status)
		}
	}
	if a := user.get("/health"); a.status != http.StatusForbidden || !strings.Contains(a.body, "<h1") || !strings.Contains(a.body, "administrator") {
		t.Errorf("the page about a missing permission: %d\n%s", a.status, a.body)
	}
	if strings.Contains(w.replicas[0].log.String(), "declares no permission") {
		t.Error("a route declares no permission")
	}
}

func TestWhatIsNotThereIsSaidInTheReadersForm(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, greta)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodPatch} {
		checkProblem(t, method+" /api/nothing", b.json(method, "/api/nothing", ""), http.StatusNotFound)
	}
	for _, path := range []string{"/api/me", "/api/me/settings/doNotDisturb"} {
		if a := b.json(http.MethodDelete, path, ""); a.header.Get("Content-Type") != "application/problem+json" || a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed {
			t.Errorf("DELETE %s: %d as %q", path, a.status, a.header.Get("Content-Type"))
		}
	}
	checkProblem(t, "a setting that there is not", b.get("/api/me/settings/volume"), http.StatusNotFound)
	checkProblem(t, "a change of one that is only read", b.put("/api/me/settings/voicemail", `{"enabled":false}`), http.StatusForbidden)
	for _, path := range []string{"/nothing", "/calls/nothing/at/all", "/static/nothing.css", "/cards/nothing"} {
		if a := b.get(path); a.status != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, a.status)
		}
	}
	if a := b.get("/nothing"); !strings.Contains(a.body, "<h1") {
		t.Errorf("the page for nothing: %s", a.body)
	}
}

func TestEveryAnswerHasItsHeaders(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "same-origin",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()",
	}
	public := []string{"/static/", "/favicon.ico", "/robots.txt", "/api/openapi.json"}
	stranger, user := w.replicas[0].browser(t).once(), w.signIn(t, greta).once()
	paths := []string{"GET /nothing", "DELETE /", "PUT /api/nothing"}
	for _, route := range w.replicas[0].routes(t) {
		paths = append(paths, w.concrete(t, route))
	}
	for _, path := range paths {
		method, path, _ := strings.Cut(path, " ")
		for who, b := range map[string]*browser{"a stranger": stranger, "a user": user} {
			if path == "/logout" {
				b = stranger
			}
			a := b.send(request{method: method, path: path})
			for name, value := range want {
				if got := a.header.Get(name); got != value {
					t.Errorf("%s %s to %s: %s is %q", method, path, who, name, got)
				}
			}
			private := !slices.ContainsFunc(public, func(p string) bool { return strings.HasPrefix(path, p) })
			if got := a.header.Get("Cache-Control"); private && got != "no-store" {
				t.Errorf("%s %s to %s: Cache-Control is %q", method, path, who, got)
			}
			if a.header.Get("Server") != "" || a.header.Get("X-Powered-By") != "" || a.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s tells too much: %v", method, path, a.header)
			}
			if a.header.Get("X-Request-Id") == "" {
				t.Errorf("%s %s has no name", method, path)
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?:href|src)="(/static/[^"]+)"`).FindAllStringSubmatch(user.get("/").body, -1) {
		a := user.json(http.MethodGet, m[1], "", "Accept-Encoding", "gzip")
		if a.status != http.StatusOK || a.header.Get("Cache-Control") != "public, max-age=31536000, immutable" || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d, %v", m[1], a.status, a.header)
		}
		if encoding := a.header.Get("Content-Encoding"); encoding != "gzip" && len(a.body) > 1000 {
			t.Errorf("%s comes with the encoding %q", m[1], encoding)
		}
	}
}

func TestPagesHoldNothingThatTheirPolicyForbids(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	admin := w.signIn(t, ines)
	inline := regexp.MustCompile(`(?i)<script(?:>| [^>]*>)[^<]|<style|\sstyle="|\son[a-z]+="|javascript:|hx-on`)
	for _, path := range []string{"/", "/calls", "/queues", "/phones", "/history", "/health", "/help", "/api/docs", "/login", "/nothing", "/authorize"} {
		page := admin.get(path)
		bodies := []string{page.body}
		for _, card := range toFetch(page.body) {
			bodies = append(bodies, admin.partial(card).body)
		}
		for _, body := range bodies {
			if found := inline.FindString(body); found != "" {
				t.Errorf("%s holds %q", path, found)
			}
		}
	}
}

func TestWritesFromOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, greta).once()
	before := w.setting(t, greta, "doNotDisturb")
	for _, route := range w.replicas[0].routes(t) {
		method, pattern, _ := strings.Cut(route, " ")
		if method == http.MethodGet || method == http.MethodHead {
			continue
		}
		path := w.concrete(t, pattern)
		for name, h := range map[string]http.Header{
			"Sec-Fetch-Site: cross-site": {"Sec-Fetch-Site": {"cross-site"}},
			"Sec-Fetch-Site: same-site":  {"Sec-Fetch-Site": {"same-site"}},
			"a foreign Origin":           {"Origin": {"https://evil.example"}},
			"Origin: null":               {"Origin": {"null"}},
		} {
			a := b.send(request{method: method, path: path, header: h})
			if a.status != http.StatusForbidden {
				t.Errorf("%s with %s: %d", route, name, a.status)
			}
			if strings.HasPrefix(path, "/api/") {
				checkProblem(t, route, a, http.StatusForbidden)
			}
		}
	}
	if a := b.get("/"); a.status != http.StatusOK {
		t.Errorf("another site signed the person out: %d", a.status)
	}
	a := b.put(dndAPI, `{"enabled":true}`, "Sec-Fetch-Site", "cross-site")
	if a.status != http.StatusForbidden || fmt.Sprint(before) != fmt.Sprint(w.setting(t, greta, "doNotDisturb")) {
		t.Errorf("a change from another site: %d", a.status)
	}
	for name, value := range map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": b.url} {
		b.put(dndAPI, `{"enabled":true}`, name, value).wants(t, http.StatusOK)
	}
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, greta)
	w.sim.ClearRequests()
	large := `{"enabled":true,"x":"` + strings.Repeat("x", 64<<10) + `"}`
	tests := map[string]struct {
		body, kind string
		want       int
	}{
		"more than 64 KiB":     {large, "application/json", 413},
		"a form":               {"enabled=true", "application/x-www-form-urlencoded", 415},
		"a text":               {`{"enabled":true}`, "text/plain", 415},
		"no type":              {`{"enabled":true}`, "", 415},
		"half an object":       {`{"enabled":`, "application/json", 400},
		"a list":               {`[]`, "application/json", 400},
		"null":                 {`null`, "application/json", 400},
		"a word":               {`true`, "application/json", 400},
		"two objects":          {`{"enabled":true}{"enabled":false}`, "application/json", 400},
		"nothing":              {" ", "application/json", 400},
		"ten thousand levels":  {strings.Repeat(`{"a":`, 10000) + "1" + strings.Repeat("}", 10000), "application/json", 400},
		"no JSON but the type": {"\x00\xff", "application/json; charset=utf-8", 400},
	}
	for name, tt := range tests {
		for _, path := range []string{dndAPI, forwardingAPI, w.queueAPI(t, "Sales Hotline")} {
			h := http.Header{}
			if tt.kind != "" {
				h.Set("Content-Type", tt.kind)
			}
			checkProblem(t, name+" to "+path, b.send(request{method: http.MethodPut, path: path, body: tt.body, header: h}), tt.want)
		}
	}
	for _, path := range []string{"/calls/callForwarding?page=calls", "/queues?page=queues", "/preferences", "/history/1-1/undo"} {
		if a := b.submit(path, "_card", "always", "x", strings.Repeat("x", 64<<10)); a.status != http.StatusRequestEntityTooLarge {
			t.Errorf("a large form to %s: %d", path, a.status)
		}
	}
	if a := b.submit("/calls/doNotDisturb?page=calls", "_card", "doNotDisturb", "_fields", "enabled orgId", "enabled", "true"); a.status != http.StatusBadRequest {
		t.Errorf("a form that names a field that there is not: %d", a.status)
	}
	for _, r := range w.sim.Requests() {
		if r.Method == http.MethodPut {
			t.Errorf("sent %s", r.Body)
		}
	}
}

func TestOneSessionCannotAskForEverything(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b, other := w.signIn(t, greta), w.signIn(t, ben)
	asked := 0
	for b.partial("/session").status == http.StatusOK && asked < 2000 {
		asked++
	}
	if asked < 300 || asked == 2000 {
		t.Errorf("%d requests were too many", asked)
	}
	limited := b.get("/api/me/history")
	checkProblem(t, "too many requests", limited, http.StatusTooManyRequests)
	if seconds, err := strconv.Atoi(limited.header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 60 {
		t.Errorf("Retry-After is %q", limited.header.Get("Retry-After"))
	}
	if a := b.get("/"); a.status != http.StatusTooManyRequests || !strings.Contains(a.body, "<h1") {
		t.Errorf("the page for too many requests: %d", a.status)
	}
	other.get("/api/me/history").wants(t, http.StatusOK)
}

// behindProxy sends what is meant for a host to an address, as a proxy that ends
// TLS does.
type behindProxy struct {
	host, address string
	next          http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (p behindProxy) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != p.host {
		return p.next.RoundTrip(r)
	}
	inner := r.Clone(r.Context())
	inner.URL.Scheme, inner.URL.Host, inner.Host = "http", p.address, p.host
	resp, err := p.next.RoundTrip(inner)
	if resp != nil {
		resp.Request = r
	}
	return resp, err
}

func TestOnHTTPSTheCookieBelongsToTheHost(t *testing.T) {
	t.Parallel()
	const host = "portal.example"
	w := start(t, setup{env: map[string]string{"PORTAL_URL": "https://" + host}, sim: webexsim.Options{RedirectURIs: []string{"https://" + host + "/"}}})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	b := &browser{t: t, url: "https://" + host, client: &http.Client{Jar: jar, Timeout: time.Minute,
		Transport: behindProxy{host: host, address: strings.TrimPrefix(w.replicas[0].url, "http://"), next: transport}}}
	var set []*http.Cookie
	step := "/authenticate?login_hint=" + url.QueryEscape(greta)
	for range 4 { // the portal, the provider, the portal again
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, absolute(b.url, step), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := b.once().client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if strings.HasPrefix(absolute(b.url, step), b.url) {
			set = append(set, resp.Cookies()...)
		}
		if step = resp.Header.Get("Location"); step == "" || step == "/" {
			break
		}
	}
	found := false
	for _, c := range set {
		if !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode || !strings.HasPrefix(c.Name, "__Host-") {
			t.Errorf("the cookie %s", c.String())
		}
		found = found || c.Name == "__Host-portal_session" && c.Value != ""
	}
	if !found {
		t.Errorf("no session cookie among %v", set)
	}
	a := b.get("/").wants(t, http.StatusOK)
	if !strings.Contains(a.body, "/logout") || a.header.Get("Strict-Transport-Security") == "" {
		t.Errorf("not signed in, or without HSTS: %v", a.header)
	}
}

func absolute(base, ref string) string {
	if strings.HasPrefix(ref, "/") {
		return base + ref
	}
	return ref
}

// TestNothingSecretOrPersonalIsWrittenDown plays a whole story at log level debug
// and then looks for secrets and for people in the log, and in all of Redis.
func TestNothingSecretOrPersonalIsWrittenDown(t *testing.T) {
	t.Parallel()
	address, _ := redistest.Start(t)
	w := start(t, setup{redis: address, sim: webexsim.Options{Latency: 20 * time.Millisecond}})
	r := w.replicas[0]
	dump := dumper(t, address)
	seen := map[string]string{} // what must not be found, and what it is
	stored := ""

	for _, who := range []string{greta, ana, ines, zoe} {
		b := r.browser(t)
		b.client.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
			for _, name := range []string{"code", "state", "nonce", "code_challenge"} {
				if v := req.URL.Query().Get(name); v != "" {
					seen[v] = name
				}
			}
			return nil
		}
		b.signIn(who)
		p := w.sim.MustPerson(who)
		seen[who], seen[p.DisplayName], seen[strings.Fields(p.DisplayName)[0]], seen[p.ID] = "an e-mail address", "a name", "a first name", "a person's id"
		seen[strings.TrimRight(base64.StdEncoding.EncodeToString([]byte("ciscospark://us/PEOPLE/"+p.UUID)), "=")] = "a person's id"
		if p.PhoneNumber != "" {
			seen[p.PhoneNumber], seen[strings.TrimPrefix(p.PhoneNumber, "+")] = "a phone number", "a phone number"
		}
		for _, page := range []string{"/", "/calls", "/queues", "/phones", "/history"} {
			b.view(page)
		}
		b.put(forwardingAPI+"?reason="+url.QueryEscape("Grund-4712"), `{"callForwarding":{"busy":{"enabled":true,"destination":"+493012345678"}}}`)
		done := make(chan struct{})
		go func() { defer close(done); b.put(dndAPI, `{"enabled":true}`) }()
		stored += dump() // while a change is under way
		<-done
		b.put(dndAPI, `{"enabled":"Grund-4712"}`)
		b.put(forwardingAPI, `{"callForwarding":{"always":{"enabled":true,"destination":"+49301234567890123456"}}}`)
		b.get("/number?destination=" + url.QueryEscape("+493012345678"))
		b.submit("/calls/callWaiting?page=calls", "_card", "callWaiting", "_fields", "enabled")
		b.get("/api/me")
		b.get("/nothing/" + url.PathEscape(who))
		stored += dump()
		for _, kind := range []webexsim.FaultKind{webexsim.FaultHTML, webexsim.FaultWrongType, webexsim.FaultClose} {
			w.sim.SetFault(webexsim.Fault{ID: "trouble", Kind: kind})
			b.view("/calls")
			b.put(waitingAPI, `{"enabled":true}`)
		}
		trouble := status(http.StatusConflict, 0)
		trouble.ID, trouble.Body = "trouble", fmt.Sprintf(`{"message":"%s, %s and %s: %s"}`, p.DisplayName, who, p.ID, canary)
		w.sim.SetFault(trouble)
		b.put(waitingAPI, `{"enabled":true}`)
		w.sim.SetSignIn(webexsim.SignIn{UserInfo: map[string]any{"email_verified": "false"}})
		r.browser(t).get("/authenticate?login_hint=" + url.QueryEscape(who))
		w.sim.SetSignIn(webexsim.SignIn{})
		r.browser(t).get("/authenticate?login_hint=" + url.QueryEscape(who)) // Webex is still in trouble
		w.sim.ClearFaults()
		here, err := url.Parse(r.url)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range b.client.Jar.Cookies(here) {
			seen[c.Value] = "the cookie " + c.Name
		}
	}
	token, err := r.Tokens.AccessToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cred := w.sim.Credentials()
	for text, what := range map[string]string{
		token: "the access token", cred.ServiceAppRefreshToken: "the refresh token", cred.ServiceAppClientSecret: "a secret", cred.ClientSecret: "a secret",
		secretKey: "the key", canary: "Webex's words", "Grund-4712": "what somebody typed", "12345678": "a number that somebody typed", "Bearer": "a header",
		"ciscospark": "an id", "Y2lzY29zcGFyazovL": "an id",
	} {
		seen[text] = what
	}
	stored += dump()
	log := r.log.String()
	if len(log) < 10_000 || !strings.Contains(log, "level=DEBUG") || len(stored) < 10_000 {
		t.Fatalf("the log has %d bytes, Redis %d: the story shows nothing", len(log), len(stored))
	}
	for text, what := range seen {
		for place, content := range map[string]string{"the log": log, "Redis": stored} {
			if i := strings.Index(content, text); i >= 0 && len(text) > 3 {
				t.Errorf("%s holds %s, %q: ...%q", place, what, text, content[max(0, i-200):min(len(content), i+100)])
			}
		}
	}
	for _, who := range []string{greta, ana} { // the names of keys tell nobody either
		if strings.Contains(stored, w.sim.MustPerson(who).UUID) {
			t.Errorf("Redis holds the UUID of %s", who)
		}
	}
}

// dumper reads all of a Redis: every key with its value.
func dumper(t *testing.T, address string) func() string {
	t.Helper()
	options, err := redis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return func() string {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		var b strings.Builder
		keys, err := client.Keys(ctx, "*").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			b.WriteString(key + "\n")
			var v any
			switch kind := client.Type(ctx, key).Val(); kind {
			case "string":
				v = client.Get(ctx, key).Val()
			case "hash":
				v = client.HGetAll(ctx, key).Val()
			case "stream":
				v = client.XRange(ctx, key, "-", "+").Val()
			case "zset":
				v = client.ZRangeWithScores(ctx, key, 0, -1).Val()
			case "none": // it ended meanwhile
			default:
				t.Fatalf("the key %s is a %s: teach the test to read it", key, kind)
			}
			fmt.Fprintln(&b, v)
		}
		return b.String()
	}
}
