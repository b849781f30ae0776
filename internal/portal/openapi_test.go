package portal_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"patchbay/internal/webexsim"
)

// description is /api/openapi.json as the portal answers it.
func (b *browser) description(t *testing.T) *openapi3.T {
	t.Helper()
	a := b.get("/api/openapi.json").wants(t, http.StatusOK)
	doc, err := openapi3.NewLoader().LoadFromData([]byte(a.body))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatalf("the description is not valid: %v", err)
	}
	return doc
}

func TestTheDescriptionNamesEveryRouteAndNoOther(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	doc := w.replicas[0].browser(t).description(t)
	described := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			described[method+" "+path] = true
			if op.OperationID == "" || op.Summary == "" && op.Description == "" {
				t.Errorf("%s %s is described without words", method, path)
			}
		}
	}
	// A route for all settings is described once for each, with its own shape.
	settings := []string{"callForwarding", "doNotDisturb", "callWaiting", "intercept", "voicemail"}
	wanted := map[string]bool{}
	for _, route := range w.replicas[0].routes(t) {
		if !strings.Contains(route, " /api/") || route == "GET /api/*" || route == "GET /api/docs" {
			continue
		}
		route = strings.NewReplacer("{person}", "{personId}", "{grant}", "{grantId}", "{queue}", "{queueId}", "{record}", "{recordId}").Replace(route)
		if !strings.Contains(route, "{setting}") {
			wanted[route] = true
			continue
		}
		for _, name := range settings {
			if name != "voicemail" || strings.HasPrefix(route, "GET") { // which is only read
				wanted[strings.Replace(route, "{setting}", name, 1)] = true
			}
		}
	}
	for _, route := range slices.Sorted(maps.Keys(wanted)) {
		if !described[route] {
			t.Errorf("%s is not described", route)
		}
	}
	for _, route := range slices.Sorted(maps.Keys(described)) {
		if !wanted[route] {
			t.Errorf("%s is described but not there", route)
		}
	}
}

// seen are the kinds of answers there were.
type seen struct {
	mu   sync.Mutex
	list []string
}

func (s *seen) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, what)
}

// checked holds every request and answer of the API against its description.
type checked struct {
	t      *testing.T
	router routers.Router
	next   http.RoundTripper
	seen   *seen
	wrong  bool // what is sent breaks the description on purpose
}

// RoundTrip implements http.RoundTripper.
func (c *checked) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		sent, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	asked := r.Clone(r.Context())
	asked.Body = io.NopCloser(bytes.NewReader(sent))
	asked.URL.Host, asked.URL.Scheme, asked.Host = "", "", ""
	route, params, err := c.router.FindRoute(asked)
	if err != nil {
		c.t.Errorf("%s %s is not described: %v", r.Method, r.URL.Path, err)
		return resp, nil
	}
	c.seen.note(fmt.Sprint(r.Method, " ", route.Path, " ", resp.StatusCode))
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true}
	in := &openapi3filter.RequestValidationInput{Request: asked, PathParams: params, Route: route, Options: options}
	if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil && !c.wrong {
		c.t.Errorf("%s %s: the request does not fit its description: %v", r.Method, r.URL.Path, err)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header, Options: options}
	out.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		c.t.Errorf("%s %s: the answer %d does not fit its description: %v\n%s", r.Method, r.URL.Path, resp.StatusCode, err, body)
	}
	return resp, nil
}

func TestAnswersFitTheirDescription(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	openapi3filter.RegisterBodyDecoder("application/problem+json", openapi3filter.JSONBodyDecoder)
	doc := w.replicas[0].browser(t).description(t)
	doc.Servers = nil
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	answers := &seen{}
	hold := func(b *browser, wrong bool) *browser {
		other, client := *b, *b.client
		client.Transport = &checked{t: t, router: router, next: b.client.Transport, seen: answers, wrong: wrong}
		other.client = &client
		return &other
	}
	every := []string{"/api/me", "/api/me/settings", forwardingAPI, dndAPI, waitingAPI, interceptAPI, "/api/me/settings/voicemail", "/api/me/queues", "/api/me/devices", "/api/me/history"}
	for _, who := range []string{greta, ana, zoe, hana, tom, sam, omar, "paul.weber@patchbay.example", "lena.braun@patchbay.example", "mei.wang@patchbay.example"} {
		b := w.signIn(t, who)
		for _, path := range every {
			hold(b, false).get(path)
		}
	}
	b := w.signIn(t, greta)
	good, bad := hold(b, false), hold(b, true)
	writes := w.writes(t)
	for _, path := range slices.Sorted(maps.Keys(writes)) {
		a := good.put(path, writes[path]).wants(t, http.StatusOK)
		good.put(path+"?reason=because", writes[path]).wants(t, http.StatusOK)
		good.json(http.MethodPost, "/api/history/"+a.header.Get("Audit-Id")+"/undo", "").wants(t, http.StatusOK)
		good.json(http.MethodPost, "/api/history/"+a.header.Get("Audit-Id")+"/undo", "").wants(t, http.StatusConflict)
		bad.put(path, `{"nonsense":1}`).wants(t, http.StatusUnprocessableEntity)
		bad.put(path, `{`).wants(t, http.StatusBadRequest)
		bad.send(request{method: http.MethodPut, path: path, body: "x=1", header: http.Header{"Content-Type": {"text/plain"}}}).wants(t, http.StatusUnsupportedMediaType)
		bad.put(path, `{"x":"`+strings.Repeat("x", 64<<10)+`"}`).wants(t, http.StatusRequestEntityTooLarge)
		if !strings.Contains(path, "queues") {
			good.put(path, writes[path], "If-Match", `"other"`).wants(t, http.StatusPreconditionFailed)
		}
	}
	w.peopleAnswers(t, hold)
	w.boardAnswers(t, hold)
	w.administrationAnswers(t, hold)
	// Throttling comes last: what Webex has asked for holds on.
	for _, trouble := range [][2]int{{400, 409}, {403, 403}, {404, 404}, {500, 502}, {504, 504}, {429, 503}} {
		f := status(trouble[0], time.Second)
		f.Method = http.MethodPut
		w.sim.SetFault(f)
		for _, a := range atOnce(slices.Sorted(maps.Keys(writes)), func(path string) answer { return good.put(path, writes[path]) }) {
			a.wants(t, trouble[1])
		}
		w.sim.ClearFaults()
	}
	time.Sleep(1100 * time.Millisecond)
	good.json(http.MethodPost, "/api/history/1-1/undo", "").wants(t, http.StatusNotFound)
	good.put("/api/me/queues/"+url.PathEscape(w.queue(t, "Support Tokyo").ID), `{"joined":true}`).wants(t, http.StatusNotFound)
	good.put(w.queueAPI(t, "Switchboard"), `{"joined":true}`).wants(t, http.StatusForbidden)
	moved := good.put(waitingAPI, `{"enabled":false}`).header.Get("Audit-Id")
	if err := w.sim.SetSetting(greta, "callWaiting", `{"enabled":true}`); err != nil {
		t.Fatal(err)
	}
	good.json(http.MethodPost, "/api/history/"+moved+"/undo", "").wants(t, http.StatusPreconditionFailed)
	stranger := hold(w.replicas[0].browser(t), false)
	for _, path := range every {
		stranger.get(path).wants(t, http.StatusUnauthorized)
	}
	w.replicas[0].clock.pass(20 * time.Minute)
	w.sim.SetFault(webexsim.Fault{Kind: webexsim.FaultHTML})
	for _, path := range every {
		good.get(path)
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			good := func(answer string) bool { return strings.HasPrefix(answer, method+" "+path+" 2") }
			if !slices.ContainsFunc(answers.list, good) && path != "/api/openapi.json" {
				t.Errorf("%s %s was never answered with 2xx: the test does not show its shape", method, path)
			}
		}
	}
}
