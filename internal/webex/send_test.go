package webex

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// faults are the ways in which an answer can be wrong, each with what a read and
// a write make of it.
type fault struct {
	answer  http.HandlerFunc
	read    Kind
	write   Kind
	unknown bool // the outcome of the write
	reads   int32
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		answerJSON(w, code, `{"message":"ana@example.com has +14085550100","errors":[{"errorCode":4711}],"trackingId":"BODY_1"}`)
	}
}

func raw(body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		_, _ = io.WriteString(w, body)
	}
}

// cutOff sends a part of what it announces.
func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"enabled":`)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func broken(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice that the client has left
	<-r.Context().Done()
}

func hangInTheBody(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"enabled":`)
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func faults() map[string]fault {
	return map[string]fault{
		"302":                  {status(302, "Location", "/"), KindBadGateway, KindBadGateway, true, 1},
		"400":                  {status(400), KindBadGateway, KindRefused, false, 1},
		"401":                  {status(401), KindUnauthorized, KindUnauthorized, false, 2},
		"403":                  {status(403), KindForbidden, KindForbidden, false, 1},
		"404":                  {status(404), KindNotFound, KindNotFound, false, 1},
		"409":                  {status(409), KindConflict, KindConflict, false, 1},
		"423":                  {status(423), KindThrottled, KindThrottled, false, 1},
		"429 for an hour":      {status(429, "Retry-After", "3600"), KindThrottled, KindThrottled, false, 1},
		"429 without a time":   {status(429), KindThrottled, KindThrottled, false, 1},
		"500":                  {status(500), KindBadGateway, KindBadGateway, true, 1},
		"502":                  {status(502), KindBadGateway, KindBadGateway, true, 3},
		"503":                  {status(503), KindUnavailable, KindUnavailable, true, 3},
		"503 for a minute":     {status(503, "Retry-After", "60"), KindUnavailable, KindUnavailable, true, 1},
		"504":                  {status(504), KindTimeout, KindTimeout, true, 3},
		"an HTML page for 502": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502); _, _ = io.WriteString(w, "<html>") }, KindBadGateway, KindBadGateway, true, 3},
		"no answer":            {hang, KindTimeout, KindTimeout, true, 1},
		"no end of the answer": {hangInTheBody, KindTimeout, KindTimeout, true, 1},
		"a broken connection":  {broken, KindUnavailable, KindUnavailable, true, 3},
		"cut off":              {cutOff, KindBadGateway, KindBadGateway, true, 2},
		"HTML with 200":        {raw("<html><body>Sign in to the guest network</body></html>", "Content-Type", "text/html"), KindBadGateway, KindBadGateway, true, 1},
		"huge":                 {huge, KindBadGateway, KindBadGateway, true, 1},
		"a bomb":               {bomb, KindBadGateway, KindBadGateway, true, 1},
		"gzip that is none":    {raw("{}", "Content-Encoding", "gzip"), KindBadGateway, KindBadGateway, true, 2},
	}
}

// huge never ends by itself.
func huge(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	chunk := bytes.Repeat([]byte(" "), 64<<10)
	for range 64 << 20 / len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
	_, _ = io.WriteString(w, `{}`)
}

func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write(bombBytes())
}

// bombBytes are 16 MiB in 16 KiB.
var bombBytes = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	_, _ = z.Write(bytes.Repeat([]byte(" "), 16<<20))
	_ = z.Close()
	return b.Bytes()
})

func TestFaultsOfAnswers(t *testing.T) {
	t.Parallel()
	bombBytes() // takes a while
	for name, f := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			c, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
				f.answer(w, r)
			}, func(o *Options) { o.ReadTimeout, o.WriteTimeout = 3*time.Second, 3*time.Second })
			v, err := c.GetCallWaiting(t.Context(), "x")
			e := asError(t, err)
			if e.Kind != f.read || e.Op != "getPersonCallWaiting" || e.OutcomeUnknown() {
				t.Errorf("read: %v", e)
			}
			if v.Enabled != nil {
				t.Error("half an answer is given")
			}
			if asked.Load() != f.reads {
				t.Errorf("a read was sent %d times, want %d", asked.Load(), f.reads)
			}
			asked.Store(0)
			e = asError(t, c.UpdateCallWaiting(t.Context(), "x", CallWaitingUpdate{Enabled: ptr(true)}))
			if e.Kind != f.write || e.OutcomeUnknown() != f.unknown {
				t.Errorf("write: %v, unknown %t", e, e.OutcomeUnknown())
			}
			want := int32(1)
			if e.Kind == KindUnauthorized {
				want = 2 // with another token
			}
			if asked.Load() != want {
				t.Errorf("a write was sent %d times", asked.Load())
			}
			if strings.Contains(e.Error(), "ana@") || strings.Contains(e.Error(), "+1408") || strings.Contains(e.Error(), "/people/") {
				t.Errorf("the error tells personal data: %v", e)
			}
		})
	}
}

func TestAHugeAnswerIsLeftEarly(t *testing.T) {
	t.Parallel()
	written := make(chan int, 1)
	c, _ := server(t, func(w http.ResponseWriter, _ *http.Request) {
		n, chunk := 0, bytes.Repeat([]byte(" "), 64<<10)
		for n < 256<<20 {
			m, err := w.Write(chunk)
			n += m
			if err != nil {
				break
			}
		}
		written <- n
	})
	if _, err := c.GetPerson(t.Context(), "x"); !IsKind(err, KindBadGateway) {
		t.Errorf("%v", err)
	}
	if n := <-written; n > 64<<20 { // beyond the limit only what the sockets hold
		t.Errorf("%d MiB were taken", n>>20)
	}
}

func TestAnswersOfTheWrongShape(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body  string
		asked int32
	}{
		"cut-off JSON":                  {`{"enabled":tr`, 2},
		"an empty body":                 {``, 2},
		"a list":                        {`[]`, 1},
		"a text":                        {`"x"`, 1},
		"null":                          {` null `, 1},
		"a field of the wrong type":     {`{"enabled":"4085550100"}`, 1},
		"a number instead of the truth": {`{"enabled":4085550100}`, 1},
		"something behind the end":      {`{"enabled":true} {"enabled":false}`, 1},
		"no JSON":                       {`enabled=true`, 1},
		"bytes":                         {"\x00\xff\xfe", 1},
		"very deep":                     {strings.Repeat(`[`, 20000), 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			c, _ := server(t, func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				answerJSON(w, 200, tt.body)
			})
			v, err := c.GetCallWaiting(t.Context(), "x")
			if e := asError(t, err); e.Kind != KindBadGateway || e.Status != 200 || v.Enabled != nil {
				t.Errorf("%v %v", v, e)
			}
			if asked.Load() != tt.asked {
				t.Errorf("asked %d times", asked.Load())
			}
			if strings.Contains(err.Error(), "408555") {
				t.Errorf("the error holds a value: %v", err)
			}
		})
	}
}

func TestOddButUsableAnswers(t *testing.T) {
	t.Parallel()
	c, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/people/odd":
			answerJSON(w, 203, "\n"+`{"id":"P","loginEnabled":"true","emails":null,"phoneNumbers":[{"type":"a-new-one"}],"somethingNew":{"a":[1]},"status":"a-new-one"}`)
		case "/people/x/features/callForwarding":
			answerJSON(w, 200, `{"callForwarding":{}}`)
		case "/people/none":
			answerJSON(w, 200, `{"displayName":"Nobody"}`)
		case "/telephony/config/queues/agents/x":
			answerJSON(w, 200, `{"agent":{"queueCount":"1","joinCount":1.0},"queues":[{"id":"Q","skillLevel":null}]}`)
		case "/telephony/config/people/x/settings/permissions":
			answerJSON(w, 200, `{"userOrgSettingsPermissionEnabled":null,"userOrgSettingsPermissions":null,"userSettingsPermissions":{"callForwarding":null,"voicemail":{"a":1},"bargeIn":"NO_ACCESS"}}`)
		default:
			answerJSON(w, 404, ``)
		}
	})
	p, err := c.GetPerson(t.Context(), "odd")
	if diff := cmp.Diff(Person{ID: "P", LoginEnabled: ptr(Flag(true)), PhoneNumbers: []PersonPhoneNumber{{Type: "a-new-one"}}, Status: "a-new-one"}, p); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	f, err := c.GetCallForwarding(t.Context(), "x")
	if diff := cmp.Diff(CallForwarding{CallForwarding: &ForwardingRules{}}, f); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := c.GetPerson(t.Context(), "none"); asError(t, err).Kind != KindBadGateway {
		t.Errorf("a person without an id: %v", err)
	}
	a, err := c.GetQueueAgent(t.Context(), "x", false, 0, 0)
	if err != nil || *a.Agent.QueueCount != 1 || *a.Agent.JoinCount != 1 || a.Queues[0].JoinEnabled != nil {
		t.Errorf("%v %+v", err, a)
	}
	access, err := c.GetFeatureAccess(t.Context(), "x")
	if err != nil || access.Allows("callForwarding") || access.Allows("voicemail") || access.Allows("bargeIn") || !access.Allows("hoteling") {
		t.Errorf("%v %+v", err, access)
	}
}

func TestAnAnswerOfNothingIsNone(t *testing.T) {
	t.Parallel()
	c, _ := server(t, func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 200, `{"status":"ok"}`) })
	for name, tt := range apiCalls() {
		silent := strings.HasPrefix(name, "Update") || strings.HasPrefix(name, "Delete") || strings.HasPrefix(name, "Apply")
		if silent || name == "GetDefaultFeatureAccess" { // which takes any name for a feature
			continue
		}
		if v, err := tt.call(t.Context(), c); err == nil || asError(t, err).Kind != KindBadGateway {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	c, _ = server(t, func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 200, `{}`) })
	if v, err := c.GetDefaultFeatureAccess(t.Context()); err == nil {
		t.Errorf("the organization allows everything: %v", v)
	}
}

func TestIdsCannotChangeThePath(t *testing.T) {
	t.Parallel()
	var paths []string
	c := NewClient(Options{BaseURL: "http://webex.test/v1", Tokens: &tokens{}, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		paths = append(paths, r.URL.String())
		return response(200, nil, `{"enabled":true}`), nil
	})})
	for _, id := range []string{"../me", "a/b", "a?b=c", "a#b", "a%2Fb", "{personId}"} {
		if _, err := c.GetCallWaiting(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	want := []string{}
	for _, id := range []string{"..%2Fme", "a%2Fb", "a%3Fb=c", "a%23b", "a%252Fb", "%7BpersonId%7D"} {
		want = append(want, "http://webex.test/v1/people/"+id+"/features/callWaiting")
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Error(diff)
	}
	for _, id := range []string{"", ".", ".."} {
		if _, err := c.GetQueue(t.Context(), "l", id, false); asError(t, err).Kind != KindNotFound {
			t.Errorf("%q: %v", id, err)
		}
		if err := c.UpdateCallWaiting(t.Context(), id, CallWaitingUpdate{}); asError(t, err).Kind != KindNotFound || OutcomeUnknown(err) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if _, err := c.ListDevices(t.Context(), ""); asError(t, err).Kind != KindNotFound {
		t.Errorf("everybody's devices: %v", err)
	}
	if len(paths) != len(want) {
		t.Errorf("an empty id was sent: %v", paths)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	var mu atomic.Value
	c, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Store(r.Header.Clone())
		w.Header().Set("Trackingid", r.Header.Get("TrackingID")+", SIMPLE_2")
		answerJSON(w, 404, `{"trackingId":"BODY_1"}`)
	})
	_, err := c.GetPerson(t.Context(), "x")
	h := mu.Load().(http.Header)
	own := h.Get("TrackingID")
	if !regexp.MustCompile(`^PATCHBAY_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(own) {
		t.Errorf("tracking id %q", own)
	}
	if got := asError(t, err).TrackingID; got != own {
		t.Errorf("tracking id %q, want the first of two", got)
	}
	if h.Get("User-Agent") != userAgent || h.Get("Accept") != "application/json" || h.Get("Content-Type") != "" || !strings.Contains(h.Get("Accept-Encoding"), "gzip") {
		t.Errorf("%v", h)
	}
}

func TestTrackingIDOfTheBodyAndOurOwn(t *testing.T) {
	t.Parallel()
	c, _ := server(t, status(404))
	if _, err := c.GetPerson(t.Context(), "x"); asError(t, err).TrackingID != "BODY_1" {
		t.Errorf("of the body: %v", err)
	}
	c, _ = server(t, broken)
	if err := c.UpdateCallWaiting(t.Context(), "x", CallWaitingUpdate{}); !strings.HasPrefix(asError(t, err).TrackingID, "PATCHBAY_") {
		t.Errorf("our own: %v", err)
	}
}

func TestRejectedToken(t *testing.T) {
	t.Parallel()
	newToken := func(good string, tok *tokens) (*Client, *atomic.Int32) {
		var asked atomic.Int32
		c, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			if r.Header.Get("Authorization") != "Bearer "+good {
				status(401)(w, r)
				return
			}
			if body, _ := io.ReadAll(r.Body); r.Method == http.MethodPut && string(body) != `{"enabled":true}` {
				t.Errorf("the body of the repeat is %q", body)
			}
			answerJSON(w, 200, `{"enabled":true}`)
		}, func(o *Options) { o.Tokens = tok })
		return c, &asked
	}
	t.Run("another token works, for a read", func(t *testing.T) {
		t.Parallel()
		tok := &tokens{}
		c, asked := newToken("token-2", tok)
		if _, err := c.GetCallWaiting(t.Context(), "x"); err != nil || asked.Load() != 2 || len(tok.rejected) != 1 || tok.rejected[0] != "token-1" {
			t.Errorf("%v, %d requests, rejected %v", err, asked.Load(), tok.rejected)
		}
	})
	t.Run("another token works, for a write", func(t *testing.T) {
		t.Parallel()
		tok := &tokens{}
		c, asked := newToken("token-2", tok)
		if err := c.UpdateCallWaiting(t.Context(), "x", CallWaitingUpdate{Enabled: ptr(true)}); err != nil || asked.Load() != 2 {
			t.Errorf("%v, %d requests", err, asked.Load())
		}
	})
	t.Run("the other token is rejected too", func(t *testing.T) {
		t.Parallel()
		tok := &tokens{}
		c, asked := newToken("none", tok)
		err := c.UpdateCallWaiting(t.Context(), "x", CallWaitingUpdate{Enabled: ptr(true)})
		if asError(t, err).Kind != KindUnauthorized || OutcomeUnknown(err) || asked.Load() != 2 || len(tok.rejected) != 1 {
			t.Errorf("%v, %d requests, rejected %v", err, asked.Load(), tok.rejected)
		}
	})
	t.Run("there is no other token", func(t *testing.T) {
		t.Parallel()
		cause := errors.New("needs new tokens")
		c, asked := newToken("none", &tokens{err: cause})
		err := c.UpdateCallWaiting(t.Context(), "x", CallWaitingUpdate{Enabled: ptr(true)})
		if e := asError(t, err); e.Kind != KindNoToken || e.Status != 401 || !errors.Is(err, cause) || OutcomeUnknown(err) || asked.Load() != 1 {
			t.Errorf("%v, %d requests", err, asked.Load())
		}
	})
	t.Run("there is no token at all", func(t *testing.T) {
		t.Parallel()
		cause := errors.New("not seeded")
		c, asked := newToken("none", &tokens{noToken: cause})
		_, err := c.GetCallWaiting(t.Context(), "x")
		if e := asError(t, err); e.Kind != KindNoToken || !errors.Is(err, cause) || asked.Load() != 0 {
			t.Errorf("%v, %d requests", err, asked.Load())
		}
	})
	t.Run("the token took too long", func(t *testing.T) {
		t.Parallel()
		c, _ := newToken("none", &tokens{noToken: context.DeadlineExceeded})
		if _, err := c.GetCallWaiting(t.Context(), "x"); asError(t, err).Kind != KindTimeout {
			t.Error(err)
		}
	})
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	c := NewClient(Options{BaseURL: "http://" + address, Tokens: &tokens{}})
	err = c.UpdateCallWaiting(t.Context(), "x", CallWaitingUpdate{Enabled: ptr(true)})
	if e := asError(t, err); e.Kind != KindUnavailable || e.OutcomeUnknown() || strings.Contains(e.Error(), "/people/") {
		t.Errorf("%v", err)
	}
	if _, err := c.GetCallWaiting(t.Context(), "x"); asError(t, err).Kind != KindUnavailable {
		t.Errorf("%v", err)
	}
}

func TestABaseThatIsNoAddress(t *testing.T) {
	t.Parallel()
	c := NewClient(Options{BaseURL: "http://[", Tokens: &tokens{}})
	if _, err := c.GetPerson(t.Context(), "x"); asError(t, err).Kind != KindBadGateway {
		t.Error(err)
	}
}

func TestTheCallersDeadlineAndLeave(t *testing.T) {
	t.Parallel()
	c, _ := server(t, hang)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	err := c.UpdateCallWaiting(ctx, "x", CallWaitingUpdate{})
	if e := asError(t, err); e.Kind != KindTimeout || !e.OutcomeUnknown() {
		t.Errorf("deadline: %v", err)
	}
	ctx, leave := context.WithCancel(t.Context())
	time.AfterFunc(30*time.Millisecond, leave)
	err = c.UpdateCallWaiting(ctx, "x", CallWaitingUpdate{})
	if e := asError(t, err); e.Kind != KindCanceled || !e.OutcomeUnknown() || !errors.Is(err, context.Canceled) {
		t.Errorf("left: %v", err)
	}
	if h := c.Health(); h.FailingSince.IsZero() {
		t.Error("the timeout is not noted")
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	answer := func(code int, retryAfter string) *http.Response {
		h := http.Header{}
		if retryAfter != "" {
			h.Set("Retry-After", retryAfter)
		}
		return response(code, h, `{"enabled":true}`)
	}
	refused := errors.New("connection refused")
	tests := map[string]struct {
		answers  []*http.Response // nil is a refused connection; the last one repeats
		deadline time.Duration
		asked    int
		least    time.Duration
		most     time.Duration
		kind     Kind
		ok       bool
	}{
		"works at once":                {answers: []*http.Response{answer(200, "")}, asked: 1, ok: true},
		"502 once":                     {answers: []*http.Response{answer(502, ""), answer(200, "")}, asked: 2, most: 200 * time.Millisecond, ok: true},
		"503 twice":                    {answers: []*http.Response{answer(503, ""), answer(503, ""), answer(200, "")}, asked: 3, most: 600 * time.Millisecond, ok: true},
		"504 for ever":                 {answers: []*http.Response{answer(504, "")}, asked: 3, most: 600 * time.Millisecond, kind: KindTimeout},
		"500 is not repeated":          {answers: []*http.Response{answer(500, "")}, asked: 1, kind: KindBadGateway},
		"429 for two seconds":          {answers: []*http.Response{answer(429, "2"), answer(200, "")}, asked: 2, least: 2 * time.Second, most: 2300 * time.Millisecond, ok: true},
		"429 for four seconds":         {answers: []*http.Response{answer(429, "4")}, asked: 1, kind: KindThrottled},
		"429 without a time":           {answers: []*http.Response{answer(429, "")}, asked: 1, kind: KindThrottled},
		"429 longer than the deadline": {answers: []*http.Response{answer(429, "2")}, deadline: time.Second, asked: 1, kind: KindThrottled},
		"423 is not repeated":          {answers: []*http.Response{answer(423, "1")}, asked: 1, kind: KindThrottled},
		"503 that names a second":      {answers: []*http.Response{answer(503, "1"), answer(200, "")}, asked: 2, least: time.Second, most: 1200 * time.Millisecond, ok: true},
		"503 that names a minute":      {answers: []*http.Response{answer(503, "60")}, asked: 1, kind: KindUnavailable},
		"a refused connection":         {answers: []*http.Response{nil, answer(200, "")}, asked: 2, most: 200 * time.Millisecond, ok: true},
		"refused connections for ever": {answers: []*http.Response{nil}, asked: 3, most: 600 * time.Millisecond, kind: KindUnavailable},
		"no time is left for a repeat": {answers: []*http.Response{answer(502, "")}, deadline: 100 * time.Millisecond, asked: 1, kind: KindBadGateway},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				c := NewClient(Options{BaseURL: "http://webex.test", Tokens: &tokens{}, Transport: roundTripper(func(*http.Request) (*http.Response, error) {
					resp := tt.answers[min(asked, len(tt.answers)-1)]
					asked++
					if resp == nil {
						return nil, refused
					}
					again := *resp // one answer may be given several times
					again.Body = io.NopCloser(strings.NewReader(`{"enabled":true}`))
					return &again, nil
				})})
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				began := time.Now()
				_, err := c.GetCallWaiting(ctx, "x")
				elapsed := time.Since(began)
				if (err == nil) != tt.ok || err != nil && asError(t, err).Kind != tt.kind {
					t.Errorf("%v", err)
				}
				if asked != tt.asked || elapsed < tt.least || elapsed > tt.most {
					t.Errorf("asked %d times in %s", asked, elapsed)
				}
				asked = 0
				if err := c.UpdateCallWaiting(ctx, "x", CallWaitingUpdate{}); asked != 1 {
					t.Errorf("a write was sent %d times: %v", asked, err)
				}
			})
		})
	}
}

func TestRetryBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newRetryBudget(time.Now)
		spent := func() (n int) {
			for b.withdraw() {
				n++
			}
			return n
		}
		if n := spent(); n != retryBurst {
			t.Errorf("%d repeats at first", n)
		}
		for range 100 {
			b.deposit()
		}
		if n := spent(); n != retryBurst {
			t.Errorf("%d repeats saved by 100 requests, at most %d may be", n, retryBurst)
		}
		for range 25 {
			b.deposit()
		}
		if n := spent(); n < 4 || n > 5 {
			t.Errorf("%d repeats for 25 requests", n)
		}
		time.Sleep(4 * time.Second)
		if n := spent(); n != 2 {
			t.Errorf("%d repeats after 4 s without requests", n)
		}
	})
}

func TestAnOutageIsNotMadeWorse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		c := NewClient(Options{BaseURL: "http://webex.test", Tokens: &tokens{}, Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			asked++
			return response(502, nil, ""), nil
		})})
		calls := 12 // fewer than the breaker wants, so that it is not what helps
		began := time.Now()
		for range calls {
			if _, err := c.GetCallWaiting(t.Context(), "x"); err == nil {
				t.Fatal("no error")
			}
			if c.Health().Open {
				time.Sleep(breakerOpen)
			}
		}
		allowed := calls + retryBurst + int(retryShare*float64(calls)+retryFloor*time.Since(began).Seconds()) + 1
		if asked > allowed {
			t.Errorf("%d requests for %d calls, at most %d", asked, calls, allowed)
		}
	})
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked, code := 0, 500
		c := NewClient(Options{BaseURL: "http://webex.test", Tokens: &tokens{}, Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			asked++
			return response(code, nil, `{"enabled":true}`), nil
		})})
		call := func() error {
			_, err := c.GetCallWaiting(t.Context(), "x")
			return err
		}
		if err := call(); err == nil {
			t.Fatal("no error")
		}
		code = 200
		if err := call(); err != nil {
			t.Fatal(err)
		}
		working := time.Now()
		if h := c.Health(); h.Open || !h.FailingSince.IsZero() || !h.LastSuccess.Equal(working) {
			t.Errorf("working: %+v", h)
		}
		time.Sleep(time.Second)
		code = 500
		failing := time.Now()
		for range breakerRequests - 3 {
			_ = call()
			time.Sleep(10 * time.Millisecond)
		}
		if h := c.Health(); h.Open || !h.FailingSince.Equal(failing) || !h.LastSuccess.Equal(working) {
			t.Errorf("failing: %+v", h)
		}
		_ = call() // 20 of the last seconds, 19 of them failures
		if !c.Health().Open {
			t.Error("still tried")
		}
		before := asked
		err := c.UpdateCallWaiting(t.Context(), "x", CallWaitingUpdate{})
		if e := asError(t, err); e.Kind != KindUnavailable || e.RetryAfter <= 0 || e.RetryAfter > breakerOpen || OutcomeUnknown(err) || asked != before {
			t.Errorf("open: %v, %d requests", err, asked-before)
		}
		if _, err := c.GetCallWaiting(t.Context(), "x"); !errors.Is(err, errBroken) || asked != before {
			t.Errorf("a read that is not tried is repeated: %v", err)
		}
		time.Sleep(breakerOpen + time.Millisecond)
		_ = call()
		if asked != before+1 || !c.Health().Open {
			t.Errorf("half open: %d requests", asked-before)
		}
		time.Sleep(breakerOpen + time.Millisecond)
		code = 404 // refuses, so Webex works
		for range breakerTrials {
			_ = call()
		}
		if h := c.Health(); h.Open || !h.FailingSince.IsZero() {
			t.Errorf("back: %+v", h)
		}
	})
}

func TestEverybodyIsServedWhenWebexIsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var code atomic.Int32
		code.Store(500)
		c := NewClient(Options{BaseURL: "http://webex.test", Tokens: &tokens{}, Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			time.Sleep(100 * time.Millisecond)
			return response(int(code.Load()), nil, `{"enabled":true}`), nil
		})})
		for range breakerRequests {
			_, _ = c.GetCallWaiting(t.Context(), "x")
		}
		if !c.Health().Open {
			t.Fatal("still tried")
		}
		time.Sleep(breakerOpen + time.Millisecond)
		code.Store(200)
		var wg sync.WaitGroup
		for range 10 { // one page
			wg.Go(func() {
				if _, err := c.GetCallWaiting(t.Context(), "x"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestRepeatsWeighOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := NewClient(Options{BaseURL: "http://webex.test", Tokens: &tokens{}, Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			return response(503, nil, ``), nil
		})})
		for range breakerRequests - 1 {
			_, _ = c.GetCallWaiting(t.Context(), "x")
		}
		if c.Health().Open {
			t.Error("calls that were repeated weigh more")
		}
		_, _ = c.GetCallWaiting(t.Context(), "x")
		if !c.Health().Open {
			t.Error("still tried")
		}
	})
}

func TestRefusalsDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	for _, code := range []int{400, 403, 404, 409, 423, 429} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			c := NewClient(Options{BaseURL: "http://webex.test", Tokens: &tokens{}, Transport: roundTripper(func(*http.Request) (*http.Response, error) {
				return response(code, nil, ``), nil
			})})
			for range 3 * breakerRequests {
				_ = c.UpdateCallWaiting(t.Context(), "x", CallWaitingUpdate{})
			}
			if h := c.Health(); h.Open || h.LastSuccess.IsZero() {
				t.Errorf("%+v", h)
			}
		})
	}
}

func TestPeopleWhoLeaveDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()
	c := NewClient(Options{BaseURL: "http://webex.test", Tokens: &tokens{}, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})})
	for range 3 * breakerRequests {
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Microsecond, leave)
		_, _ = c.GetCallWaiting(ctx, "x")
	}
	if h := c.Health(); h.Open || !h.FailingSince.IsZero() {
		t.Errorf("%+v", h)
	}
}

func TestRequestsUnderWayAreLimited(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		priority Priority
		most     int32
	}{"interactive": {Interactive, maxInFlight}, "background": {Background, maxBackground}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var now, most, done atomic.Int32
				c := NewClient(Options{BaseURL: "http://webex.test", Tokens: &tokens{}, Transport: roundTripper(func(*http.Request) (*http.Response, error) {
					n := now.Add(1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					time.Sleep(time.Second)
					now.Add(-1)
					return response(200, nil, `{"enabled":true}`), nil
				})})
				ctx := WithPriority(t.Context(), tt.priority)
				for range 100 {
					go func() {
						if _, err := c.GetCallWaiting(ctx, "x"); err == nil {
							done.Add(1)
						}
					}()
				}
				time.Sleep(20 * time.Second)
				if most.Load() != tt.most || done.Load() != 100 {
					t.Errorf("%d at once, %d done", most.Load(), done.Load())
				}
			})
		})
	}
}

func TestWaitingForAPlaceEndsWithTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := NewClient(Options{BaseURL: "http://webex.test", Tokens: &tokens{}, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})})
		ctx, cancel := context.WithTimeout(WithPriority(t.Context(), Background), time.Second)
		defer cancel()
		for range maxBackground {
			go func() { _, _ = c.GetCallWaiting(ctx, "x") }()
		}
		synctest.Wait()
		short, cancelShort := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancelShort()
		err := c.UpdateCallWaiting(short, "x", CallWaitingUpdate{})
		if e := asError(t, err); e.Kind != KindTimeout || OutcomeUnknown(err) {
			t.Error(err)
		}
		if _, err := c.GetCallWaiting(ctx, "x"); asError(t, err).Kind != KindTimeout {
			t.Error(err)
		}
		synctest.Wait()
		if len(c.background) != 0 || len(c.inFlight) != 0 {
			t.Errorf("%d and %d places are lost", len(c.background), len(c.inFlight))
		}
	})
}

func TestLogAndMetricsTellNothingPersonal(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	registry := prometheus.NewRegistry()
	codes := []int{503, 200, 429}
	asked := 0
	c := NewClient(Options{BaseURL: "http://webex.test", Tokens: &tokens{}, Metrics: registry,
		Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			code := codes[min(asked, len(codes)-1)]
			asked++
			return response(code, http.Header{"Trackingid": {"T_1"}}, `{"message":"+14085550100 is ana@example.com","items":[]}`), nil
		})})
	if _, err := c.FindPeopleByEmail(t.Context(), "ana@example.com"); err != nil {
		t.Fatal(err)
	}
	err := c.UpdateCallForwarding(t.Context(), personID, CallForwardingUpdate{BusinessContinuity: &BusinessContinuity{Destination: ptr("+14085550100")}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, secret := range []string{"token-1", "ana@example", "+1408", personID, "Bearer"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log tells %q: %s", secret, log.String())
		}
	}
	if !strings.Contains(log.String(), `"msg":"webex call","op":"listPeople","status":503,"duration_ms":`) || !strings.Contains(log.String(), `"tracking_id":"T_1"`) {
		t.Error(log.String())
	}
	rec := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	for _, line := range []string{
		`webex_requests_total{op="listPeople",status_class="2xx"} 1`,
		`webex_requests_total{op="listPeople",status_class="5xx"} 1`,
		`webex_requests_total{op="updatePersonCallForwarding",status_class="4xx"} 1`,
		`webex_request_duration_seconds_count{op="listPeople"} 2`,
		`webex_retries_total{op="listPeople"} 1`,
		`webex_throttled_total{op="updatePersonCallForwarding"} 1`,
		`webex_circuit_breaker_state 0`,
	} {
		if !strings.Contains(rec.Body.String(), line+"\n") {
			t.Errorf("no %s in\n%s", line, rec.Body)
		}
	}
}
