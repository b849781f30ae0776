package portal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"patchbay/internal/config"
	"patchbay/internal/portal"
	"patchbay/internal/redisdb"
	"patchbay/internal/webexsim"
)

// People of the simulated organization; see webexsim.Personas.
const (
	greta = "greta.holm@patchbay.example"
	ben   = "ben.fischer@patchbay.example"
	ines  = "ines.keller@patchbay.example"
	ana   = "ana.lopez@patchbay.example"
	tom   = "tom.baker@patchbay.example"
	hana  = "hana.sato@patchbay.example"
	maria = "maria.rossi@patchbay.example"
	zoe   = "zoe.chen@patchbay.example"
	raj   = "raj.patel@patchbay.example"
	sam   = "sam.oneill@patchbay.example"
	omar  = "omar.haddad@patchbay.example"
)

// Paths of the contract.
const (
	pathPerson     = "/people/{personId}"
	pathForwarding = "/people/{personId}/features/callForwarding"
	pathDND        = "/people/{personId}/features/doNotDisturb"
	pathWaiting    = "/people/{personId}/features/callWaiting"
	pathIntercept  = "/people/{personId}/features/intercept"
	pathVoicemail  = "/people/{personId}/features/voicemail"
	pathDevices    = "/devices"
	pathAgent      = "/telephony/config/queues/agents/{id}"
	pathJoin       = "/telephony/config/queues/agents/{id}/settings"
	pathQueue      = "/telephony/config/locations/{locationId}/queues/{queueId}"
	pathAccess     = "/telephony/config/people/{personId}/settings/permissions"
	pathLocation   = "/locations/{locationId}"
)

// setup says how a world differs from the usual one.
type setup struct {
	sim      webexsim.Options
	env      map[string]string
	redis    string // the address of a real Redis; "" is one in the process for each replica
	replicas int    // 0 is one

	credentials webexsim.Credentials // of the simulator at its start: all replicas are given the same
}

// world is a simulated Webex with the portal before it.
type world struct {
	t        testing.TB
	sim      *webexsim.Server
	replicas []*replica
}

// replica is one running portal.
type replica struct {
	*portal.Portal
	url        string // what people see
	operations string // what operators see
	db         *redisdb.DB
	log        *logBook
	clock      *clock
}

// secretKey is PORTAL_SECRET_KEY: 32 bytes in base64.
const secretKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// start runs a world until the test ends. Its simulator refuses requests that
// break the contract, and at its end the test fails if there was one.
func start(t testing.TB, o setup) *world {
	t.Helper()
	o.sim.CheckContract = true
	sim, err := webexsim.Start(context.Background(), o.sim)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if v := sim.Violations(); len(v) > 0 {
			t.Errorf("requests broke the contract:\n%s", strings.Join(v, "\n"))
		}
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	o.credentials = sim.Credentials()
	w := &world{t: t, sim: sim}
	for range max(1, o.replicas) {
		w.add(o)
	}
	return w
}

// add runs one more replica.
func (w *world) add(o setup) *replica {
	w.t.Helper()
	public, operators := listen(w.t), listen(w.t)
	r := &replica{url: "http://" + public.Addr().String(), operations: "http://" + operators.Addr().String(), log: &logBook{}, clock: &clock{}}
	c := configure(w.t, w.sim, r.url, o)
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: c.LogLevel}))
	db, err := redisdb.Open(context.Background(), c.RedisURL, log)
	if err != nil {
		w.t.Fatal(err)
	}
	r.db = db
	r.Portal, err = portal.New(portal.Options{Config: c, Redis: db, Log: log, Version: "test", Now: r.clock.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx, public, operators) }()
	w.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			w.t.Errorf("the portal ended: %v", err)
		}
		if err := db.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.replicas = append(w.replicas, r)
	// What is read in the background at the start is not what tests count.
	for deadline := time.Now().Add(5 * time.Second); r.Directory.State().ReadAt.IsZero() && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	return r
}

// configure makes the configuration of a replica at address.
func configure(t testing.TB, sim *webexsim.Server, address string, o setup) config.Config {
	t.Helper()
	cred := o.credentials
	if cred == (webexsim.Credentials{}) {
		cred = sim.Credentials()
	}
	env := map[string]string{
		"CLIENT_ID": cred.ClientID, "CLIENT_SECRET": cred.ClientSecret,
		"SERVICE_APP_CLIENT_ID": cred.ServiceAppClientID, "SERVICE_APP_CLIENT_SECRET": cred.ServiceAppClientSecret,
		"SERVICE_APP_REFRESH_TOKEN": cred.ServiceAppRefreshToken,
		"PORTAL_URL":                address, "PORTAL_ADMINS": ines + "," + omar, "PORTAL_SECRET_KEY": secretKey, "REDIS_URL": o.redis,
		"WEBEX_API_URL": sim.BaseURL, "WEBEX_RATE_LIMIT": "60000", "LOG_LEVEL": "debug",
	}
	maps.Copy(env, o.env)
	c, err := config.Load(env)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// clock runs ahead of the real one.
type clock struct{ ahead atomic.Int64 }

// Now is the portal's time.
func (c *clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// pass lets time pass for the portal.
func (c *clock) pass(d time.Duration) { c.ahead.Add(int64(d)) }

// logBook keeps what was logged.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is the whole log so far.
func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// browser is one person's browser, with cookies and without JavaScript.
type browser struct {
	t      testing.TB
	client *http.Client
	url    string
}

// browser opens a browser at the replica.
func (r *replica) browser(t testing.TB) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 20}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: t, url: r.url, client: &http.Client{Transport: transport, Jar: jar, Timeout: time.Minute}}
}

// at is the same browser, at another replica. Browsers do not tell cookies apart
// by port.
func (b *browser) at(r *replica) *browser {
	other := *b
	other.url = r.url
	return &other
}

// signIn opens a browser at the first replica and signs in.
func (w *world) signIn(t testing.TB, email string) *browser {
	t.Helper()
	b := w.replicas[0].browser(t)
	b.signIn(email)
	return b
}

// signIn goes through the provider and ends on Home.
func (b *browser) signIn(email string) {
	b.t.Helper()
	a := b.get("/authenticate?login_hint=" + url.QueryEscape(email))
	if a.status != http.StatusOK || !strings.Contains(a.body, "/logout") {
		b.t.Fatalf("signing in as %s ended at %s with %d:\n%s", email, a.at, a.status, a.body)
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	at     string // the path where redirects ended
	took   time.Duration
}

// request is one wish of a browser or a program.
type request struct {
	method, path string
	header       http.Header
	body         string
}

// send sends a request and follows redirects.
func (b *browser) send(r request) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), r.method, b.url+r.path, strings.NewReader(r.body))
	if err != nil {
		b.t.Fatal(err)
	}
	if r.body == "" {
		req.Body, req.ContentLength = nil, 0
	}
	maps.Copy(req.Header, r.header)
	began := time.Now()
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Errorf("%s %s: %v", r.method, r.path, err)
		return answer{header: http.Header{}}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Errorf("%s %s: read the answer: %v", r.method, r.path, err)
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: string(body), at: resp.Request.URL.Path, took: time.Since(began)}
}

// once is the browser as one that does not follow redirects.
func (b *browser) once() *browser {
	other, client := *b, *b.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	other.client = &client
	return &other
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	return b.send(request{method: http.MethodGet, path: path})
}

// partial asks as htmx does.
func (b *browser) partial(path string) answer {
	b.t.Helper()
	return b.send(request{method: http.MethodGet, path: path, header: http.Header{"Hx-Request": {"true"}}})
}

// put sends JSON to the API; header holds pairs of a name and a value.
func (b *browser) put(path, body string, header ...string) answer {
	b.t.Helper()
	return b.json(http.MethodPut, path, body, header...)
}

func (b *browser) json(method, path, body string, header ...string) answer {
	b.t.Helper()
	h := http.Header{}
	if body != "" {
		h.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return b.send(request{method: method, path: path, body: body, header: h})
}

// submit sends a form as htmx does.
func (b *browser) submit(path string, pairs ...string) answer {
	b.t.Helper()
	return b.send(request{method: http.MethodPost, path: path, body: form(pairs...), header: http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Hx-Request": {"true"}, "Sec-Fetch-Site": {"same-origin"},
	}})
}

// form encodes pairs of a name and a value.
func form(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

// object reads an answer as a JSON object.
func (a answer) object(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("the answer %d is no JSON object: %v\n%s", a.status, err, a.body)
	}
	return v
}

// wants fails the test unless the answer has the status; the test goes on, for it
// may be one of several requests at the same time.
func (a answer) wants(t testing.TB, status int) answer {
	t.Helper()
	if a.status != status {
		t.Errorf("got %d, want %d:\n%s", a.status, status, a.body)
	}
	return a
}

// fetched finds the cards that fetch themselves when they come onto the page.
var fetched = regexp.MustCompile(`hx-get="(/cards/[^"]+)" hx-trigger="load, `)

// toFetch lists what a browser fetches for a piece of HTML.
func toFetch(body string) (urls []string) {
	for _, m := range fetched.FindAllStringSubmatch(body, -1) {
		if u := html.UnescapeString(m[1]); !slices.Contains(urls, u) {
			urls = append(urls, u)
		}
	}
	return urls
}

// view opens a page as a browser does: the page, then all its cards at once, and
// those once more that come in two parts. It gives the cards by the path they were
// first asked for; they took the time until their first part came.
func (b *browser) view(path string) (page answer, cards map[string]answer) {
	b.t.Helper()
	page = b.get(path)
	if page.status != http.StatusOK {
		b.t.Fatalf("GET %s: %d\n%s", path, page.status, page.body)
	}
	cards = atOnce(toFetch(page.body), func(url string) answer {
		first := b.partial(url)
		last := first
		for range 3 {
			more := toFetch(last.body)
			if len(more) == 0 {
				last.took = first.took
				return last
			}
			last = b.partial(more[0])
		}
		b.t.Errorf("%s fetches itself again and again", url)
		return last
	})
	return page, cards
}

// all asks for several parts of a page at the same time.
func (b *browser) all(paths []string) map[string]answer {
	b.t.Helper()
	return atOnce(paths, b.partial)
}

// atOnce does something for several paths at the same time.
func atOnce(paths []string, do func(path string) answer) map[string]answer {
	var mu sync.Mutex
	var wg sync.WaitGroup
	answers := map[string]answer{}
	for _, path := range paths {
		wg.Go(func() {
			a := do(path)
			mu.Lock()
			defer mu.Unlock()
			answers[path] = a
		})
	}
	wg.Wait()
	return answers
}

// signInPaths are asked of the provider, not of the organization's data.
var signInPaths = []string{"/authorize", "/access_token", "/userinfo", "/verification"}

// calls counts what was asked of Webex while do ran, and lists it.
func (w *world) calls(do func()) []string {
	w.sim.ClearRequests()
	do()
	var list []string
	for _, r := range w.sim.Requests() {
		if !slices.Contains(signInPaths, r.Template) {
			list = append(list, strings.TrimSuffix(r.Method+" "+r.Template+"?"+r.Query, "?"))
		}
	}
	return list
}

// sent lists the requests of one method and path of the contract.
func (w *world) sent(method, template string) []webexsim.Record {
	return slices.DeleteFunc(w.sim.Requests(), func(r webexsim.Record) bool { return r.Method != method || r.Template != template })
}

// setting is what Webex has now.
func (w *world) setting(t testing.TB, who, name string) map[string]any {
	t.Helper()
	text, err := w.sim.Setting(who, name)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// value finds the value at a dotted path.
func value(v map[string]any, path string) any {
	head, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		return v[head]
	}
	inner, _ := v[head].(map[string]any)
	return value(inner, rest)
}

// queue is a queue of the organization by its name.
func (w *world) queue(t testing.TB, name string) webexsim.QueueInfo {
	t.Helper()
	q, ok := w.sim.Queue(name)
	if !ok {
		t.Fatalf("there is no queue %q", name)
	}
	return q
}
