package portal_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"patchbay/internal/webexsim"
)

// canary stands in the bodies of Webex's errors and may come out nowhere.
const canary = "canary-4711"

// fault is a kind of trouble with what the portal makes of it.
type fault struct {
	webexsim.Fault
	read, write int    // the status of a GET, and of a PUT whose PUT meets the trouble
	outcome     string // of that PUT in the history
	sends       int    // how often the PUT may be sent; 0 is once
	sticks      bool   // Webex asked to wait longer than the test does
}

// status is an error of Webex with a text that must not be passed on.
func status(code int, retryAfter time.Duration) webexsim.Fault {
	return webexsim.Fault{
		Kind: webexsim.FaultStatus, Status: code, RetryAfter: retryAfter,
		Body: fmt.Sprintf(`{"message":"%[1]s","errors":[{"description":"%[1]s","errorCode":%[2]d}],"trackingId":"ROUTERGW_test-%[2]d"}`, canary, code),
	}
}

var faults = map[string]fault{
	"400 bad request":           {status(400, 0), 502, 409, "refused", 0, false},
	"401 twice":                 {status(401, 0), 502, 502, "refused", 2, false},
	"403 forbidden":             {status(403, 0), 403, 403, "refused", 0, false},
	"404 not found":             {status(404, 0), 404, 404, "refused", 0, false},
	"409 conflict":              {status(409, 0), 409, 409, "refused", 0, false},
	"423 locked":                {status(423, 0), 503, 503, "refused", 0, false},
	"429 for a second":          {status(429, time.Second), 503, 503, "refused", 0, false},
	"429 for an hour":           {status(429, time.Hour), 503, 503, "refused", 0, true},
	"500 internal":              {status(500, 0), 502, 502, "failed", 0, false},
	"502 bad gateway":           {status(502, 0), 502, 502, "failed", 0, false},
	"503 unavailable":           {status(503, 0), 503, 503, "failed", 0, false},
	"504 timeout":               {status(504, 0), 504, 504, "failed", 0, false},
	"302 to elsewhere":          {webexsim.Fault{Kind: webexsim.FaultRedirect}, 502, 502, "failed", 0, false},
	"no answer":                 {webexsim.Fault{Kind: webexsim.FaultHang}, 504, 504, "pending", 0, false},
	"an answer that is cut off": {webexsim.Fault{Kind: webexsim.FaultTruncate}, 502, 200, "done", 0, false},
	"half a document":           {webexsim.Fault{Kind: webexsim.FaultInvalidJSON}, 502, 200, "done", 0, false},
	"values of another type":    {webexsim.Fault{Kind: webexsim.FaultWrongType}, 502, 200, "done", 0, false},
	"a page of HTML":            {webexsim.Fault{Kind: webexsim.FaultHTML, Body: "<html>" + canary + "</html>"}, 502, 502, "failed", 0, false},
	"64 MiB":                    {webexsim.Fault{Kind: webexsim.FaultHuge}, 502, 200, "done", 0, false},
	"an empty answer":           {webexsim.Fault{Kind: webexsim.FaultEmpty}, 502, 200, "done", 0, false},
	"an answer of nothing":      {webexsim.Fault{Kind: webexsim.FaultBare}, 502, 200, "done", 0, false},
	"a closed connection":       {webexsim.Fault{Kind: webexsim.FaultClose}, 503, 503, "failed", 0, false},
}

// part is something the portal reads of Webex, with the cards and the answers of
// the API that are nothing without it.
type part struct {
	path  string
	cards []string
	api   string
}

// Two halves of what is read: while one is in trouble the other must not be.
var halves = [][]part{
	{
		{pathForwarding, []string{"rightNow", "always", "busy", "noAnswer", "unreachable"}, "/api/me/settings/callForwarding"},
		{pathWaiting, []string{"callWaiting"}, "/api/me/settings/callWaiting"},
		{pathDevices, []string{"phones"}, "/api/me/devices"},
	},
	{
		{pathDND, []string{"quick", "doNotDisturb"}, "/api/me/settings/doNotDisturb"},
		{pathIntercept, []string{"intercept"}, "/api/me/settings/intercept"},
		{pathVoicemail, nil, "/api/me/settings/voicemail"},
		{pathAgent, []string{"queues"}, "/api/me/queues"},
		{pathPerson, []string{"numbers"}, "/api/me"},
	},
}

var everyCard = []string{"rightNow", "quick", "queues", "phones", "always", "busy", "noAnswer", "unreachable", "doNotDisturb", "callWaiting", "intercept", "numbers"}

// fails reports whether a card says that it could not be read and offers another try.
func fails(a answer, card string) bool {
	return a.status == http.StatusOK && strings.Contains(a.body, `id="card-`+card+`-again"`) && strings.Contains(a.body, "Try again")
}

func TestEveryFaultOfAReadStaysInItsCard(t *testing.T) {
	t.Parallel()
	for name, f := range faults {
		for half, parts := range halves {
			t.Run(name+", "+[]string{"first", "second"}[half]+" half", func(t *testing.T) {
				t.Parallel()
				w := start(t, setup{})
				b := w.signIn(t, greta)
				b.view("/") // what is known already must not hide the trouble
				w.replicas[0].clock.pass(20 * time.Minute)
				broken := map[string]bool{}
				var apis []string
				for _, p := range parts {
					trouble := f.Fault
					trouble.Path = p.path
					w.sim.SetFault(trouble)
					// A person whom Webex does not know has no phones and no queues.
					if f.Status == http.StatusNotFound && (p.path == pathDevices || p.path == pathAgent) {
						continue
					}
					apis = append(apis, p.api)
					for _, card := range p.cards {
						broken[card] = true
					}
				}
				var paths []string
				for _, card := range everyCard {
					paths = append(paths, "/cards/"+card)
				}
				answers := b.all(append(paths, apis...))
				for _, card := range everyCard {
					a := answers["/cards/"+card]
					if fails(a, card) != broken[card] || a.status != http.StatusOK {
						t.Errorf("the card %s: %d, in trouble %t, want %t\n%s", card, a.status, fails(a, card), broken[card], a.body)
					}
				}
				for _, path := range apis {
					checkProblem(t, path, answers[path], f.read)
					if f.RetryAfter > 0 && answers[path].header.Get("Retry-After") == "" {
						t.Errorf("GET %s does not say when to try again", path)
					}
				}
				for path, a := range answers {
					if a.took > 11*time.Second {
						t.Errorf("%s took %s", path, a.took)
					}
				}
				w.checkSilent(t, answers)

				w.sim.ClearFaults()
				if f.sticks {
					w.sim.ClearRequests()
					for path, a := range b.all(apis) {
						if seconds, _ := strconv.Atoi(a.header.Get("Retry-After")); a.status != f.read || seconds < 3500 {
							t.Errorf("GET %s again: %d, Retry-After %d", path, a.status, seconds)
						}
					}
					for _, p := range parts {
						if n := len(w.sent(http.MethodGet, p.path)); n > 0 {
							t.Errorf("%s was asked %d times although Webex asked to wait", p.path, n)
						}
					}
					return
				}
				for path, a := range b.all(append(paths, apis...)) {
					if a.status != http.StatusOK || fails(a, strings.TrimPrefix(path, "/cards/")) {
						t.Errorf("%s does not work after the trouble: %d\n%s", path, a.status, a.body)
					}
				}
			})
		}
	}
}

// writes are changes of everything that can be changed, for greta as she is at
// the start: bodies of PUTs by their paths.
func (w *world) writes(t *testing.T) map[string]string {
	return map[string]string{
		"/api/me/settings/callForwarding":                                   `{"callForwarding":{"always":{"enabled":true,"destination":"1001"}}}`,
		"/api/me/settings/doNotDisturb":                                     `{"enabled":true}`,
		"/api/me/settings/callWaiting":                                      `{"enabled":false}`,
		"/api/me/settings/intercept":                                        `{"enabled":true}`,
		"/api/me/queues/" + url.PathEscape(w.queue(t, "Service Berlin").ID): `{"joined":false}`,
	}
}

func TestEveryFaultOfAWriteIsSettled(t *testing.T) {
	t.Parallel()
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, setup{})
			b := w.signIn(t, greta)
			b.view("/queues")
			trouble := f.Fault
			trouble.Method = http.MethodPut
			w.sim.SetFault(trouble)
			w.sim.ClearRequests()
			writes := w.writes(t)
			answers := atOnce(slices.Sorted(maps.Keys(writes)), func(path string) answer { return b.put(path, writes[path]) })
			for path, a := range answers {
				if f.write == http.StatusOK {
					if a.status != http.StatusOK {
						t.Errorf("PUT %s: %d, want the true state\n%s", path, a.status, a.body)
					}
				} else {
					checkProblem(t, path, a, f.write)
				}
				if a.took > 40*time.Second { // a change may take that long, with settling it
					t.Errorf("PUT %s took %s", path, a.took)
				}
				if a.header.Get("Audit-Id") == "" {
					t.Errorf("PUT %s names no record", path)
				}
			}
			outcomes := b.outcomes(t)
			if want := slices.Repeat([]string{f.outcome}, len(answers)); !slices.Equal(outcomes, want) {
				t.Errorf("the history says %v, want %v", outcomes, want)
			}
			sent := map[string]int{}
			for _, r := range w.sim.Requests() {
				if r.Method == http.MethodPut {
					sent[r.Template]++
				}
			}
			for path, n := range sent {
				if n > max(1, f.sends) {
					t.Errorf("PUT %s was sent %d times", path, n)
				}
			}
			if len(sent) != len(answers) {
				t.Errorf("sent %v, want one write of each setting", sent)
			}
			w.checkSilent(t, answers)
			if f.sticks || f.write == http.StatusOK {
				return
			}
			w.sim.ClearFaults()
			if f.outcome == "pending" {
				w.replicas[0].clock.pass(2 * time.Minute)
				if err := w.replicas[0].Settings.SettlePending(t.Context()); err != nil {
					t.Error(err)
				}
				if got := b.outcomes(t); !slices.Equal(got, slices.Repeat([]string{"failed"}, len(answers))) {
					t.Errorf("the history says %v in the end", got)
				}
			}
			for path, body := range writes {
				if a := b.put(path, body); a.status != http.StatusOK {
					t.Errorf("PUT %s does not work after the trouble: %d\n%s", path, a.status, a.body)
				}
			}
		})
	}
}

// outcomes are those of the history, newest first.
func (b *browser) outcomes(t *testing.T) (list []string) {
	for _, item := range b.history(t) {
		list = append(list, item["outcome"].(string))
	}
	return list
}

// history is what the API tells of the person's changes, newest first.
func (b *browser) history(t *testing.T) (list []map[string]any) {
	t.Helper()
	items, ok := b.get("/api/me/history").wants(t, http.StatusOK).object(t)["items"].([]any)
	if !ok {
		t.Fatal("the history has no items")
	}
	for _, item := range items {
		list = append(list, item.(map[string]any))
	}
	return list
}

// checkProblem holds an answer of the API against api.md: problem+json with the
// status, words for people, and when to come back.
func checkProblem(t *testing.T, what string, a answer, status int) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: got %d, want %d\n%s", what, a.status, status, a.body)
		return
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s: the type is %q", what, got)
	}
	p := a.object(t)
	if p["status"] != float64(status) || p["type"] == "" || p["title"] != http.StatusText(status) || p["detail"] == "" || p["detail"] == nil {
		t.Errorf("%s: the problem is incomplete: %s", what, a.body)
	}
	if got := a.header.Get("Retry-After"); (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests) && got == "" {
		t.Errorf("%s: no Retry-After with %d", what, status)
	} else if seconds, err := strconv.Atoi(got); got != "" && (err != nil || seconds < 1) {
		t.Errorf("%s: Retry-After is %q", what, got)
	}
}

// checkSilent looks for what nobody should be told in answers and in the log.
func (w *world) checkSilent(t *testing.T, answers map[string]answer) {
	t.Helper()
	token, err := w.replicas[0].Tokens.AccessToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	secret := []string{canary, token, "goroutine ", "Bearer", ".go:", "panic", "almost online"}
	log := w.replicas[0].log.String()
	for _, s := range secret {
		if i := strings.Index(log, s); i >= 0 {
			t.Errorf("the log holds %q: ...%s", s, log[max(0, i-200):min(len(log), i+200)])
		}
		for what, a := range answers {
			if strings.Contains(a.body, s) {
				t.Errorf("%s answers %q:\n%s", what, s, a.body)
			}
		}
	}
}

func TestTroubleWithWhatIsOnlyLookedUp(t *testing.T) {
	t.Parallel()
	const (
		forwarding = "/api/me/settings/callForwarding"
		forward    = `{"callForwarding":{"always":{"enabled":true,"destination":"1001"}}}`
	)
	tests := map[string]struct {
		path  string
		check func(t *testing.T, w *world, b *browser)
	}{
		"the policy of the organization: what it may forbid is locked, and the rest is not": {pathAccess, func(t *testing.T, w *world, b *browser) {
			for _, card := range []string{"always", "busy", "noAnswer", "unreachable", "callWaiting"} {
				if a := b.partial("/cards/" + card); fails(a, card) || strings.Contains(a.body, "<input") {
					t.Errorf("the card %s is not locked: %s", card, a.body)
				}
			}
			if a := b.partial("/cards/doNotDisturb"); !strings.Contains(a.body, "<input") {
				t.Errorf("do not disturb is locked, of which there is no policy: %s", a.body)
			}
			checkProblem(t, "PUT call forwarding", b.put(forwarding, forward), http.StatusBadGateway)
			b.put("/api/me/settings/doNotDisturb", `{"enabled":true}`).wants(t, http.StatusOK)
			if n := len(w.sent(http.MethodPut, pathForwarding)); n != 0 {
				t.Errorf("call forwarding was written %d times without knowing whether it may be", n)
			}
			w.sim.ClearFaults()
			b.put(forwarding, forward).wants(t, http.StatusOK)
		}},
		"the settings of a queue: it is listed, and nobody can join or leave": {pathQueue, func(t *testing.T, w *world, b *browser) {
			a := b.partial("/cards/queues")
			if fails(a, "queues") || !strings.Contains(a.body, "Service Berlin") || strings.Contains(a.body, `name="joined"`) {
				t.Errorf("the card of the queues: %s", a.body)
			}
			path := "/api/me/queues/" + url.PathEscape(w.queue(t, "Service Berlin").ID)
			checkProblem(t, "PUT queue", b.put(path, `{"joined":false}`), http.StatusBadGateway)
			if joined, _ := w.sim.QueueJoined("Service Berlin", greta); !joined {
				t.Error("the queue was left")
			}
			w.sim.ClearFaults()
			b.put(path, `{"joined":false}`).wants(t, http.StatusOK)
		}},
		"the location: the numbers are shown without its name": {pathLocation, func(t *testing.T, w *world, b *browser) {
			if a := b.partial("/cards/numbers"); fails(a, "numbers") || !strings.Contains(a.body, "1000") {
				t.Errorf("the numbers: %s", a.body)
			}
			for _, card := range everyCard {
				if a := b.partial("/cards/" + card); fails(a, card) {
					t.Errorf("the card %s cannot be read: %s", card, a.body)
				}
			}
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, setup{})
			b := w.signIn(t, greta)
			w.replicas[0].clock.pass(29 * time.Minute)
			b.get("/")
			w.replicas[0].clock.pass(29 * time.Minute)
			trouble := status(http.StatusInternalServerError, 0)
			trouble.Path = tt.path
			w.sim.SetFault(trouble)
			tt.check(t, w, b)
		})
	}
}

func TestWhileWebexIsDownTheLastValuesAreShown(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, greta)
	b.view("/")
	b.view("/calls")
	w.replicas[0].clock.pass(6 * time.Minute)
	w.sim.SetFault(status(http.StatusServiceUnavailable, 0))
	for _, path := range []string{"always", "doNotDisturb", "callWaiting", "intercept"} {
		b.partial("/cards/" + path + "?page=calls&fresh=1") // Webex begins to fail
	}
	w.replicas[0].clock.pass(10 * time.Second)
	for _, page := range []string{"/", "/calls"} {
		html, cards := b.view(page)
		if !strings.Contains(html.body, `id="strip-webex"`) {
			t.Errorf("%s does not say that Webex is away", page)
		}
		for path, a := range cards {
			name, _, _ := strings.Cut(strings.TrimPrefix(path, "/cards/"), "?")
			if fails(a, name) {
				t.Errorf("%s does not show what was known:\n%s", path, a.body)
			}
		}
	}
	a := b.submit("/calls/doNotDisturb?page=calls", "_card", "doNotDisturb", "_fields", "enabled", "enabled", "true")
	if a.status != http.StatusServiceUnavailable {
		t.Errorf("a change while Webex is down: %d\n%s", a.status, a.body)
	}
	checkProblem(t, "GET do not disturb", b.get("/api/me/settings/doNotDisturb"), http.StatusServiceUnavailable)
	w.sim.ClearFaults()
	time.Sleep(3100 * time.Millisecond) // the breaker tries again
	b.view("/calls")
	if html, _ := b.view("/"); strings.Contains(html.body, `id="strip-webex"`) {
		t.Error("Home says that Webex is away although it is back")
	}
	b.put("/api/me/settings/doNotDisturb", `{"enabled":true}`).wants(t, http.StatusOK)
}
