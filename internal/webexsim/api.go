package webexsim

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"patchbay/internal/contract"
)

// operation is one method and path of the contract.
type operation struct {
	method, path string
	// scopes: one of them is enough. Words of the contract (x-webex-scopes); a test compares. None = no token needed.
	scopes []string
	also   []string // one of them is needed besides; nil = nothing is
	handle func(*Sim, *call) answer
	write  bool // changes the organization: runs alone
	token  bool // authenticates by itself, and other faults than "all API routes" hit it
}

// call is one request to an operation.
type call struct {
	*http.Request
	op    *operation
	query url.Values
	body  []byte
	token *accessToken
	trace string
}

// answer is what an operation says, before anything happens to it on the way.
type answer struct {
	status int
	header http.Header
	body   []byte // already encoded; JSON unless the header says otherwise
	next   string // query of the next page, without "?"; "" = last page
}

// refusal is an answer of 400 and above, in Webex's words.
type refusal struct {
	status  int
	code    int // errorCode of the calling style; 0 = platform style
	message string
}

func invalid(code int, message string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: code, message: message}
}

func ok(v any) answer {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("webexsim: encode an answer: %v", err)) // maps and strings only
	}
	return answer{status: http.StatusOK, body: b}
}

func noContent() answer { return answer{status: http.StatusNoContent} }

var unauthorized = &refusal{status: http.StatusUnauthorized, message: "The request requires a valid access token set in the Authorization request header."}

var notFound = &refusal{status: http.StatusNotFound, message: "The requested resource could not be found."}

// refuse writes Webex's error bodies. There are two styles, and "errors" is not
// always there (LIMITS.md section 3); which of the variants comes follows from how often
// the same refusal was given before.
func (s *Sim) refuse(c *call, r *refusal) answer {
	body := map[string]any{"message": r.message, "trackingId": c.trace}
	turn := s.refusals.Add(1) % 4
	description := map[string]any{"description": r.message}
	switch {
	case r.code != 0:
		body["message"] = fmt.Sprintf("[Error %d] %s", r.code, r.message)
		description = map[string]any{"description": body["message"], "errorCode": r.code}
		if turn == 3 {
			body["errorCode"] = r.code
		}
	case turn == 3:
		body["code"] = r.status
	}
	if turn != 3 {
		body["errors"] = []any{description}
	}
	b, _ := json.Marshal(body)
	return answer{status: r.status, body: b}
}

// routes fills the mux. Whatever is not in the table answers 404 in Webex's words.
func (s *Sim) routes() {
	s.mux = http.NewServeMux()
	for i := range operations {
		op := &operations[i]
		path := "/v1" + op.path
		if strings.HasPrefix(op.path, "/identity/") {
			path = op.path // SCIM is not below /v1 (NOTES.md section 3)
		}
		s.mux.HandleFunc(op.method+" "+path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, op) })
	}
	unknown := &operation{handle: func(s *Sim, c *call) answer { return s.refuse(c, notFound) }}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, unknown) })
}

// AllScopes are the scopes that a service app needs for every operation that is simulated.
func AllScopes() []string {
	var list []string
	add := func(scopes []string) {
		i := slices.IndexFunc(scopes, func(s string) bool { return !strings.HasPrefix(s, "spark:") })
		if i >= 0 && !slices.Contains(list, scopes[i]) {
			list = append(list, scopes[i])
		}
	}
	for _, op := range operations {
		if !op.token {
			add(op.scopes)
			add(op.also)
		}
	}
	slices.Sort(list)
	return list
}

// maxBody is the most that a request may send.
const maxBody = 1 << 20

// serve is the way of every request: record, latency, limit, fault, token,
// contract, operation, answer.
func (s *Sim) serve(w http.ResponseWriter, r *http.Request, op *operation) {
	path := strings.TrimPrefix(r.URL.Path, "/v1")
	c := &call{Request: r, op: op, query: r.URL.Query(), trace: r.Header.Get("TrackingID")}
	if c.trace == "" {
		c.trace = "ROUTERGW_" + randomUUID()
	}
	var err error
	c.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	rec := s.history.add(Record{At: s.now(), Method: r.Method, Path: path, Query: r.URL.RawQuery, Template: op.path, TrackingID: c.trace})
	api := len(op.scopes) > 0 && !op.token
	if !op.token {
		s.history.change(rec, func(rec *Record) { rec.Body = string(c.body[:min(len(c.body), 4096)]) })
	}
	if err != nil {
		s.send(w, c, rec, s.refuse(c, &refusal{status: http.StatusRequestEntityTooLarge, message: "The request is too large."}))
		return
	}
	if !op.token {
		var state string
		c.token, state = s.tokens.authenticate(r.Header.Get("Authorization"))
		s.history.change(rec, func(rec *Record) { rec.Token = state })
	}
	s.mu.RLock()
	latency := s.latency
	s.mu.RUnlock()
	if latency > 0 && op.path != "/authorize" && !sleep(r.Context(), latency) {
		abort()
	}
	fault := s.faults.pick(r.Method, op.path, path, api)
	if fault != nil {
		s.history.change(rec, func(rec *Record) { rec.Fault = fault.ID })
	}
	if s.faultBefore(w, c, rec, fault) {
		return
	}
	if wait := s.limited(api); wait > 0 {
		s.send(w, c, rec, throttled(wait))
		return
	}
	a := s.perform(c, path)
	s.faultAfter(w, c, rec, fault, a)
}

func (s *Sim) limited(api bool) time.Duration {
	if !api {
		return 0
	}
	return s.limit.take(s.now())
}

// throttled is the documented 429: HTML, and a Retry-After in seconds.
func throttled(wait time.Duration) answer {
	return answer{
		status: http.StatusTooManyRequests,
		header: http.Header{"Content-Type": {"text/html"}, "Retry-After": {seconds(wait)}},
		body:   []byte("<html>\n<head><title>429 Too Many Requests</title></head>\n<body><h1>Too Many Requests</h1></body>\n</html>\n"),
	}
}

func seconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }

// perform checks token and contract and runs the operation.
func (s *Sim) perform(c *call, path string) answer {
	if !c.op.token && (len(c.op.scopes) > 0 || c.op.path == "") {
		if c.token == nil {
			return s.refuse(c, unauthorized)
		}
		if missing := c.op.missing(c.token); missing != nil && c.op.path != "" {
			if s.currentVariant().UnauthorizedNotFound {
				return s.refuse(c, notFound)
			}
			return s.refuse(c, &refusal{status: http.StatusForbidden, message: "The access token does not have the required scope: " + strings.Join(missing, " or ") + "."})
		}
	}
	if s.opts.CheckContract && (len(c.op.scopes) > 0 || c.op.path == "") && !c.op.token {
		if err := s.checkContract(c, path); err != nil {
			s.violate(err.Error())
			if c.op.path == "" {
				return s.refuse(c, notFound)
			}
			return s.refuse(c, invalid(0, "The request could not be understood by the server due to malformed syntax."))
		}
	}
	if (c.Method == http.MethodPut || c.Method == http.MethodPatch || c.Method == http.MethodPost && len(c.body) > 0) && len(c.op.scopes) > 0 {
		if ct, _, _ := strings.Cut(c.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(ct), "application/json") {
			return s.refuse(c, invalid(0, "The content type must be application/json."))
		}
	}
	if c.op.write {
		s.mu.Lock()
		defer s.mu.Unlock()
	} else if len(c.op.scopes) > 0 {
		s.mu.RLock()
		defer s.mu.RUnlock()
	}
	return c.op.handle(s, c)
}

// missing are the scopes of which the token has none, nil if it has what the operation needs.
func (op *operation) missing(t *accessToken) []string {
	for _, scopes := range [][]string{op.scopes, op.also} {
		if len(scopes) > 0 && !t.mayAny(scopes) {
			return scopes
		}
	}
	return nil
}

// checkContract leaves out the parameters that only our own Link headers have.
func (s *Sim) checkContract(c *call, path string) error {
	doc, err := contract.Load()
	if err != nil {
		return fmt.Errorf("load the contract: %w", err)
	}
	query := maps.Clone(c.query)
	delete(query, "before")
	if _, err := readCursor(query.Get("after")); err == nil {
		delete(query, "after")
	}
	return doc.CheckRequest(c.Method, path, query.Encode(), c.Header, c.body)
}

// send writes an answer with the headers that Webex has.
func (s *Sim) send(w http.ResponseWriter, c *call, rec *Record, a answer) {
	s.history.change(rec, func(rec *Record) { rec.Status = a.status })
	head(w.Header(), c, a)
	body := a.body
	if len(body) > 0 && strings.Contains(c.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		body = zip(body)
	}
	if len(body) > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body) // the client may have gone
}

func head(h http.Header, c *call, a answer) {
	if len(a.body) > 0 {
		h.Set("Content-Type", "application/json")
	}
	// Twice, separated by a comma, as in the captured answer of LIMITS.md section 4.
	h.Set("Trackingid", c.trace+", "+c.trace)
	h.Set("Cache-Control", "no-cache, no-store, no-cache, no-store")
	h.Set("Via", "1.1 linkerd, 1.1 linkerd")
	h.Set("Vary", "accept-encoding")
	if a.next != "" {
		h.Set("Link", fmt.Sprintf("<%s?%s>; rel=\"next\"", address(c.Request), a.next))
	}
	for key, values := range a.header {
		h[key] = values
	}
}

// address is the request's own address without the query.
func address(r *http.Request) string { return origin(r) + r.URL.EscapedPath() }

// origin is where the client found the simulator.
func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func zip(b []byte) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, _ = z.Write(b) // a bytes.Buffer does not fail
	_ = z.Close()
	return buf.Bytes()
}

// sleep says false when the request ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// The lists. Calling lists page by start and max, platform lists by a cursor
// that only Link knows; SCIM and groups by startIndex and count.

var errCursor = errors.New("no cursor of ours")

// cursor is where a platform list goes on. After its first page comes an empty
// one that has a next: Webex does that (LIMITS.md section 5), and clients that stop there lose the rest.
type cursor struct {
	position int
	pause    bool
}

func (k cursor) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "cursor:%d:%t", k.position, k.pause))
}

func readCursor(text string) (cursor, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return cursor{}, errCursor
	}
	var k cursor
	if n, err := fmt.Sscanf(string(b), "cursor:%d:%t", &k.position, &k.pause); n != 2 || err != nil || k.position < 0 {
		return cursor{}, errCursor
	}
	return k, nil
}

// pageSize lowers what the request asks for to what Webex allows, and to what the options say.
func (s *Sim) pageSize(c *call, standard, most int) (int, *refusal) {
	n := standard
	if text := c.query.Get("max"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			return 0, invalid(0, "Invalid value for parameter 'max'.")
		}
	}
	return min(n, most, s.opts.PageSize), nil
}

// platformPage lists those of n candidates that keep accepts, from the request's cursor on.
func (s *Sim) platformPage(c *call, n, standard, most int, keep func(position int) bool, item func(position int) map[string]any) answer {
	size, r := s.pageSize(c, standard, most)
	if r != nil {
		return s.refuse(c, r)
	}
	var k cursor
	if text := c.query.Get("after"); text != "" {
		var err error
		if k, err = readCursor(text); err != nil {
			return s.refuse(c, invalid(0, "Invalid value for parameter 'after'."))
		}
	}
	next := func(k cursor) string {
		q := maps.Clone(c.query)
		q.Set("before", "")
		q.Set("after", k.String())
		return q.Encode()
	}
	if k.pause {
		a := ok(map[string]any{"items": []any{}})
		a.next = next(cursor{position: k.position})
		return a
	}
	items := []any{}
	position := k.position
	for ; position < n && len(items) < size; position++ {
		if keep(position) {
			items = append(items, item(position))
		}
	}
	body := map[string]any{"items": items}
	a := ok(body)
	// Whether something follows is not looked up: a next may lead to an empty page.
	if len(items) == size && position < n {
		a.next = next(cursor{position: position, pause: k.position == 0})
	}
	return a
}

// callingPage lists by start and max under the name that the operation gives its list.
func (s *Sim) callingPage(c *call, name string, n int, keep func(position int) bool, item func(position int) map[string]any) answer {
	size, r := s.pageSize(c, 1000, 2000)
	if r != nil {
		return s.refuse(c, r)
	}
	start := 0
	if text := c.query.Get("start"); text != "" {
		var err error
		if start, err = strconv.Atoi(text); err != nil || start < 0 {
			return s.refuse(c, invalid(0, "Invalid value for parameter 'start'."))
		}
	}
	items := []any{}
	found := 0
	for position := 0; position < n && len(items) < size; position++ {
		if keep(position) {
			if found >= start {
				items = append(items, item(position))
			}
			found++
		}
	}
	a := ok(map[string]any{name: items})
	if len(items) == size {
		q := maps.Clone(c.query)
		q.Set("max", strconv.Itoa(size))
		q.Set("start", strconv.Itoa(start+size))
		a.next = q.Encode()
	}
	return a
}

// flag reads a boolean parameter; Webex knows the words true and false only.
func (c *call) flag(name string) bool { return c.query.Get(name) == "true" }

// number reads a whole parameter of groups and SCIM.
func (c *call) number(name string, otherwise int) int {
	n, err := strconv.Atoi(cmp.Or(c.query.Get(name), strconv.Itoa(otherwise)))
	if err != nil || n < 0 {
		return otherwise
	}
	return n
}
