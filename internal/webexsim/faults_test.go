package webexsim_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"patchbay/internal/webexsim"
)

const waitingTemplate = "/people/{personId}/features/callWaiting"

// try is do without the contract, for answers that are wrong on purpose.
func (c *client) try(ctx context.Context, method, path, body string) (*http.Response, []byte, error) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, c.sim.BaseURL+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp, b, err
}

func TestFaults(t *testing.T) {
	t.Parallel()
	broken := errors.New("an error while reading")
	tests := map[string]struct {
		fault   webexsim.Fault
		status  int   // 0 = the answer breaks off
		err     error // broken = any error
		applied bool  // whether a write has its effect
		header  map[string]string
		body    func([]byte) bool
	}{
		"a status": {
			fault: webexsim.Fault{Kind: webexsim.FaultStatus, Status: 503, RetryAfter: 1500 * time.Millisecond}, status: 503,
			header: map[string]string{"Retry-After": "2", "Content-Type": "application/json"}, body: func(b []byte) bool { return strings.Contains(string(b), "trackingId") },
		},
		"throttling is HTML": {
			fault: webexsim.Fault{Kind: webexsim.FaultStatus, Status: 429, RetryAfter: time.Hour}, status: 429,
			header: map[string]string{"Retry-After": "3600", "Content-Type": "text/html"}, body: func(b []byte) bool { return b[0] == '<' },
		},
		"throttling without Retry-After": {fault: webexsim.Fault{Kind: webexsim.FaultStatus, Status: 429}, status: 429, header: map[string]string{"Retry-After": ""}},
		"a body of one's own":            {fault: webexsim.Fault{Kind: webexsim.FaultStatus, Status: 500, Body: "oops"}, status: 500, body: func(b []byte) bool { return string(b) == "oops" }},
		"HTML":                           {fault: webexsim.Fault{Kind: webexsim.FaultHTML}, status: 200, header: map[string]string{"Content-Type": "text/html; charset=utf-8"}},
		"a redirect":                     {fault: webexsim.Fault{Kind: webexsim.FaultRedirect}, status: 302, header: map[string]string{"Location": "http://elsewhere.invalid/v1" + waitingTemplate}},
		"a closed connection":            {fault: webexsim.Fault{Kind: webexsim.FaultClose}, err: broken},
		"a connection that hangs":        {fault: webexsim.Fault{Kind: webexsim.FaultHang}, err: context.DeadlineExceeded},
		"a hang that ends":               {fault: webexsim.Fault{Kind: webexsim.FaultHang, Delay: 10 * time.Millisecond}, err: broken},
		"a delay":                        {fault: webexsim.Fault{Kind: webexsim.FaultDelay, Delay: 10 * time.Millisecond}, status: 200, applied: true},
		"a slow answer":                  {fault: webexsim.Fault{Kind: webexsim.FaultSlow, Delay: 20 * time.Millisecond}, status: 200, applied: true, body: json.Valid},
		"a truncated answer":             {fault: webexsim.Fault{Kind: webexsim.FaultTruncate}, err: broken, applied: true},
		"half a document":                {fault: webexsim.Fault{Kind: webexsim.FaultInvalidJSON}, status: 200, applied: true, body: func(b []byte) bool { return len(b) > 0 && !json.Valid(b) }},
		"wrong types": {fault: webexsim.Fault{Kind: webexsim.FaultWrongType}, status: 200, applied: true, body: func(b []byte) bool {
			var v map[string]any
			return json.Unmarshal(b, &v) == nil && v["enabled"] == "perhaps"
		}},
		"nothing in it":   {fault: webexsim.Fault{Kind: webexsim.FaultBare}, status: 200, applied: true, body: func(b []byte) bool { return string(b) == "{}" }},
		"nothing at all":  {fault: webexsim.Fault{Kind: webexsim.FaultEmpty}, status: 200, applied: true, body: func(b []byte) bool { return len(b) == 0 }},
		"far too much":    {fault: webexsim.Fault{Kind: webexsim.FaultHuge}, status: 200, applied: true, body: func(b []byte) bool { return len(b) == 1<<20 }},
		"a foreign next":  {fault: webexsim.Fault{Kind: webexsim.FaultForeignNext}, status: 200, applied: true, header: map[string]string{"Link": `<http://elsewhere.invalid/v1` + waitingTemplate + `?start=1>; rel="next"`}},
		"an endless next": {fault: webexsim.Fault{Kind: webexsim.FaultLoopNext}, status: 200, applied: true},
		"an answer lost":  {fault: webexsim.Fault{Kind: webexsim.FaultApplyFail}, err: broken, applied: true},
		"an answer turned into a failure": {
			fault: webexsim.Fault{Kind: webexsim.FaultApplyFail, Status: 504, Delay: time.Millisecond}, status: 504, applied: true,
		},
		"done, but silent": {fault: webexsim.Fault{Kind: webexsim.FaultApplyAndHang}, err: context.DeadlineExceeded, applied: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, webexsim.Options{})
			path := "/people/" + c.person(greta).ID + "/features/callWaiting"
			test.fault.Path, test.fault.ID = waitingTemplate, "it"
			c.sim.SetFault(test.fault)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if test.err == nil || errors.Is(test.err, broken) {
				ctx = context.Background()
			}
			resp, body, err := c.try(ctx, "GET", path, "")
			switch {
			case test.err != nil:
				if err == nil || !errors.Is(test.err, broken) && !errors.Is(err, test.err) {
					t.Errorf("error %v, want %v", err, test.err)
				}
			case err != nil:
				t.Fatal(err)
			default:
				if resp.StatusCode != test.status {
					t.Errorf("status %d, want %d", resp.StatusCode, test.status)
				}
				for key, want := range test.header {
					if got := resp.Header.Get(key); got != want {
						t.Errorf("%s: %q, want %q", key, got, want)
					}
				}
				if test.body != nil && !test.body(body) {
					t.Errorf("body %.200s", body)
				}
			}
			// A write, whatever its answer.
			ctx, cancel = context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, _, _ = c.try(ctx, "PUT", path, `{"enabled":false}`)
			got, err := c.sim.Setting(greta, "callWaiting")
			if err != nil {
				t.Fatal(err)
			}
			if applied := strings.Contains(string(got), `"enabled":false`); applied != test.applied {
				t.Errorf("the write was applied: %t, want %t", applied, test.applied)
			}
			if log := c.sim.Requests(); len(log) != 2 || log[0].Fault != "it" || log[0].Template != waitingTemplate {
				t.Errorf("history %+v", log)
			}
			c.sim.ClearFaults()
			c.get(path)
		})
	}
}

func TestFaultsApplyWhereTheyShould(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{})
	g, a := "/people/"+c.person(greta).ID, "/people/"+c.person(ana).ID
	status := func(method, path, body string) int { return c.do(method, path, body).StatusCode }
	down := func(f webexsim.Fault) {
		c.sim.ClearFaults()
		f.Kind, f.Status = webexsim.FaultStatus, 503
		c.sim.SetFault(f)
	}
	down(webexsim.Fault{Path: "/people/{personId}", Times: 2})
	if got := []int{status("GET", g, ""), status("GET", a, ""), status("GET", g, "")}; got[0] != 503 || got[1] != 503 || got[2] != 200 {
		t.Errorf("twice: %v", got)
	}
	down(webexsim.Fault{Path: g})
	if status("GET", g, "") != 503 || status("GET", a, "") != 200 {
		t.Error("a path that was requested should be hit alone")
	}
	down(webexsim.Fault{Method: "PUT", Path: waitingTemplate})
	if status("GET", g+"/features/callWaiting", "") != 200 || status("PUT", g+"/features/callWaiting", `{"enabled":true}`) != 503 {
		t.Error("a method should be hit alone")
	}
	down(webexsim.Fault{})
	if status("GET", g, "") != 503 || status("GET", "/verification", "") != 200 {
		t.Error("all operations, but not the sign-in")
	}
	down(webexsim.Fault{Path: "/verification"})
	if status("GET", "/verification", "") != 503 {
		t.Error("the sign-in when it is named")
	}
	down(webexsim.Fault{Path: "/people/{personId}", Probability: 0.5})
	hits := 0
	for range 100 {
		if status("GET", g, "") == 503 {
			hits++
		}
	}
	if hits < 25 || hits > 75 {
		t.Errorf("%d of 100 hit at one half", hits)
	}
	first := c.sim.SetFault(webexsim.Fault{Kind: webexsim.FaultEmpty})
	if second := c.sim.SetFault(webexsim.Fault{Kind: webexsim.FaultEmpty}); first == second {
		t.Errorf("two faults are called %s", first)
	}
}

func TestThrottling(t *testing.T) {
	t.Parallel()
	clock := newClock()
	c := start(t, webexsim.Options{RateLimit: 3, Now: clock.Now})
	get := func() (*http.Response, string) {
		resp, body, err := c.try(context.Background(), "GET", "/people/me", "")
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	for range 3 {
		if resp, _ := get(); resp.StatusCode != 200 {
			t.Fatalf("within the limit: %d", resp.StatusCode)
		}
	}
	clock.add(20 * time.Second)
	if resp, body := get(); resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "40" || !strings.HasPrefix(body, "<html>") {
		t.Errorf("above the limit: %d, Retry-After %s, %s", resp.StatusCode, resp.Header.Get("Retry-After"), body)
	}
	if r := c.do("GET", "/verification", ""); r.StatusCode != 200 {
		t.Errorf("the limit holds for the APIs only: %d", r.StatusCode)
	}
	clock.add(40 * time.Second)
	if resp, _ := get(); resp.StatusCode != 200 {
		t.Errorf("a minute later: %d", resp.StatusCode)
	}
	c.sim.SetRateLimit(1, time.Hour)
	get()
	if resp, _ := get(); resp.Header.Get("Retry-After") != "3600" {
		t.Errorf("Retry-After %s, want 3600", resp.Header.Get("Retry-After"))
	}
}

func TestAnswersLookLikeWebex(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{})
	r, err := http.NewRequestWithContext(c.t.Context(), "GET", c.sim.BaseURL+"/people/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("TrackingID", "PATCHBAY_1")
	r.Header.Set("Accept-Encoding", "gzip")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("trackingid"); got != "PATCHBAY_1, PATCHBAY_1" {
		t.Errorf("trackingid %q", got)
	}
	if got := resp.Header.Get("Content-Encoding"); got != "gzip" {
		t.Errorf("asked for gzip, got %q", got)
	}
	// Error bodies come in several shapes; "message" and "trackingId" are all that they share.
	shapes := map[string]int{}
	for _, path := range []string{"/people/x", "/telephony/config/queues/agents/x?max=1&start=0"} {
		for range 8 {
			var v map[string]any
			if err := json.Unmarshal(c.do("GET", path, "").body, &v); err != nil || v["message"] == "" || v["trackingId"] == "" {
				t.Fatalf("%v: %v", err, v)
			}
			for _, key := range []string{"errors", "code", "errorCode"} {
				if v[key] != nil {
					shapes[key]++
				} else {
					shapes["no "+key]++
				}
			}
		}
	}
	if len(shapes) != 6 {
		t.Errorf("shapes %v, want each member there and missing", shapes)
	}
	// Without /v1 there is nothing, and nobody is told without a token (AUTH.md 1.1).
	bare, err := http.NewRequestWithContext(t.Context(), "GET", strings.TrimSuffix(c.sim.BaseURL, "/v1")+"/.well-known/openid-configuration", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, _ := c.roundTrip(bare); resp.StatusCode != 401 {
		t.Errorf("discovery without /v1: %d", resp.StatusCode)
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{Latency: 50 * time.Millisecond})
	begin := time.Now()
	c.get("/people/me")
	if took := time.Since(begin); took < 50*time.Millisecond {
		t.Errorf("an answer after %s", took)
	}
}

func TestViolations(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{CheckContract: true})
	for _, path := range []string{"/people?mail=x", "/telephony/config/numbers?locationId=" + c.person(greta).LocationID, "/no/such/thing"} {
		before := len(c.sim.Violations())
		if resp, body, err := c.try(context.Background(), "GET", path, ""); err != nil || resp.StatusCode < 400 || len(c.sim.Violations()) != before+1 {
			t.Errorf("GET %s: %v %s, violations %q", path, err, body, c.sim.Violations())
		}
	}
}
