package webex

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// NewTransport makes the connections to Webex: every phase of a connection has
// its limit, and enough connections stay open for the whole of maxInFlight.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 4 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    4 * time.Second,
		ResponseHeaderTimeout:  15 * time.Second,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           128,
		MaxIdleConnsPerHost:    64,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
		// A dead connection of HTTP/2 carries everything; find out soon.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
	}
}

// request is one call of the API.
type request struct {
	op     string   // operationId in the contract
	method string   // http.MethodGet, ...
	path   string   // template below the base, "/people/{personId}"
	ids    []string // values of the placeholders, in their order
	query  url.Values
	next   string // a whole address from a Link header, instead of path, ids and query
	body   any    // nil sends none
	out    any    // where the JSON of the answer goes; nil ignores the answer's body
}

func (r *request) write() bool { return r.method != http.MethodGet }

// answer is what came back besides the JSON.
type answer struct {
	header http.Header
	url    *url.URL // the address that was asked
}

const userAgent = "Patchbay (self-service portal for Webex Calling)"

// do sends r, once or again where that is safe, and decodes the answer into
// r.out. Every error is an *Error.
func (c *Client) do(ctx context.Context, r *request) (*answer, error) {
	address, body, err := c.prepare(r)
	if err != nil {
		return nil, err
	}
	c.retries.deposit()
	token, err := c.token(ctx, r)
	if err != nil {
		return nil, err
	}
	rejected := false
	for repeat := 0; ; {
		ans, callErr := c.attempt(ctx, r, address, body, token, repeat)
		if callErr == nil {
			return ans, nil
		}
		if callErr.Kind == KindUnauthorized && !rejected {
			// A 401 says that nothing was done, so a write may be sent again too.
			rejected = true
			token, err = c.tokens.Rejected(ctx, token)
			if err != nil {
				return nil, c.tokenError(r, callErr, err)
			}
			continue
		}
		wait, again := c.retryIn(ctx, r, callErr, repeat)
		if !again {
			return nil, callErr
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, callErr
		}
		repeat++
		c.metrics.retries.WithLabelValues(r.op).Inc()
	}
}

// prepare builds the address and the body. Ids come from browsers at times, so
// one that could change the path is never sent.
func (c *Client) prepare(r *request) (string, []byte, error) {
	address := r.next
	if address == "" {
		path := r.path
		for _, id := range r.ids {
			if id == "" || id == "." || id == ".." {
				return "", nil, &Error{Op: r.op, Kind: KindNotFound, Write: r.write(), Err: errNoID}
			}
			open, end := strings.IndexByte(path, '{'), strings.IndexByte(path, '}')
			path = path[:open] + url.PathEscape(id) + path[end+1:]
		}
		address = c.base + path
		if len(r.query) > 0 {
			address += "?" + r.query.Encode()
		}
	}
	if r.body == nil {
		return address, nil, nil
	}
	body, err := json.Marshal(r.body)
	if err != nil {
		return "", nil, &Error{Op: r.op, Kind: KindBadGateway, Write: r.write(), Err: fmt.Errorf("encode the body: %w", err)}
	}
	return address, body, nil
}

func (c *Client) token(ctx context.Context, r *request) (string, error) {
	token, err := c.tokens.AccessToken(ctx)
	if err != nil {
		return "", c.tokenError(r, &Error{}, err)
	}
	return token, nil
}

// tokenError is the error of a call for which there is no token. first is what
// Webex said to the token before.
func (c *Client) tokenError(r *request, first *Error, err error) *Error {
	e := &Error{Op: r.op, Kind: KindNoToken, Write: r.write(), Status: first.Status, TrackingID: first.TrackingID, Err: err}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		e.Kind = contextKind(err)
	}
	return e
}

// attempt sends the request once, when the budget, the breaker and the number of
// requests under way allow it.
func (c *Client) attempt(ctx context.Context, r *request, address string, body []byte, token string, repeat int) (*answer, *Error) {
	if c.breaker.State() == gobreaker.StateOpen {
		return nil, c.brokenError(r, errBroken)
	}
	if err := c.takeBudget(ctx, r); err != nil {
		return nil, err
	}
	release, err := c.enter(ctx)
	if err != nil {
		return nil, &Error{Op: r.op, Kind: contextKind(err), Write: r.write(), Err: err}
	}
	defer release()
	done, err := c.breaker.Allow()
	switch {
	case errors.Is(err, gobreaker.ErrTooManyRequests):
		return nil, c.brokenError(r, errTrying)
	case err != nil:
		return nil, c.brokenError(r, errBroken)
	}
	began := time.Now()
	ans, status, callErr := c.exchange(ctx, r, address, body, token)
	elapsed := time.Since(began)
	outcome := breakerOutcome(callErr)
	if outcome != nil && repeat > 0 {
		outcome = errNoOutcome // one call weighs once, however often it was sent
	}
	done(outcome)
	c.noteHealth(callErr)
	trackingID := ""
	if callErr != nil {
		trackingID = callErr.TrackingID
	} else {
		trackingID = firstTrackingID(ans.header)
	}
	c.metrics.observe(r.op, status, elapsed)
	c.log.LogAttrs(ctx, slog.LevelDebug, "webex call", slog.String("op", r.op), slog.Int("status", status),
		slog.Int64("duration_ms", elapsed.Milliseconds()), slog.String("tracking_id", trackingID))
	if callErr != nil && callErr.Kind == KindThrottled {
		c.metrics.throttled.WithLabelValues(r.op).Inc()
		if callErr.Status == http.StatusTooManyRequests && c.budget != nil {
			c.budget.pause(ctx, r.path, callErr.RetryAfter)
		}
	}
	return ans, callErr
}

// enter waits for a place among the requests under way.
func (c *Client) enter(ctx context.Context) (release func(), err error) {
	background := priority(ctx) == Background
	if background {
		select {
		case c.background <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	select {
	case c.inFlight <- struct{}{}:
	case <-ctx.Done():
		if background {
			<-c.background
		}
		return nil, ctx.Err()
	}
	return func() {
		<-c.inFlight
		if background {
			<-c.background
		}
	}, nil
}

// exchange is one request and its answer. status is 0 without an answer.
func (c *Client) exchange(parent context.Context, r *request, address string, body []byte, token string) (*answer, int, *Error) {
	timeout := c.readTimeout
	if r.write() {
		timeout = c.writeTimeout
	}
	ctx, cancel := context.WithTimeout(parent, timeout)
	defer cancel()
	e := &Error{Op: r.op, Write: r.write(), TrackingID: "PATCHBAY_" + newUUID()}
	// Without a connection nothing was sent; with one, who knows.
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})

	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, reader)
	if err != nil {
		e.Err = errors.New("build the request: the address cannot be parsed")
		return nil, 0, e
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("TrackingID", e.TrackingID)
	if body != nil {
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	resp, err := c.http.Do(req)
	e.sent = connected.Load()
	if err != nil {
		e.Kind, e.Err = connectionKind(parent, ctx, err), bare(err)
		return nil, 0, e
	}
	defer resp.Body.Close()
	e.Status = resp.StatusCode
	if id := firstTrackingID(resp.Header); id != "" {
		e.TrackingID = id
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		c.readError(resp, e)
		return nil, e.Status, e
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		e.Kind, e.Err = connectionKind(parent, ctx, err), fmt.Errorf("read the answer: %w", bare(err))
		if e.Kind == KindUnavailable { // the status came, the rest did not
			e.Kind, e.Err = KindBadGateway, fmt.Errorf("%w: %w", errTruncated, e.Err)
		}
		return nil, e.Status, e
	case len(data) > maxBody:
		e.Err = fmt.Errorf("the answer is larger than %d bytes", maxBody)
		return nil, e.Status, e
	}
	if err := decode(data, r, resp.Header); err != nil {
		e.Err = err
		return nil, e.Status, e
	}
	return &answer{header: resp.Header, url: req.URL}, e.Status, nil
}

// trackingIDShape is what a tracking id looks like; anything else in its place is
// not worth keeping.
var trackingIDShape = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)

func (c *Client) readError(resp *http.Response, e *Error) {
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err != nil {
		data = nil // the status alone says enough
	}
	b := parseErrorBody(data)
	e.Message, e.Code, e.InnerCode = b.message, b.code, b.innerCode
	if firstTrackingID(resp.Header) == "" && trackingIDShape.MatchString(b.trackingID) {
		e.TrackingID = b.trackingID
	}
	e.Kind = kindOf(e.Status, e.Code, e.InnerCode, e.Write)
	e.RetryAfter = parseRetryAfter(resp.Header.Get("Retry-After"), c.now())
	if e.RetryAfter == 0 && e.Kind == KindThrottled {
		e.RetryAfter = 5 * time.Second // what sdk waits without a header (rest.py)
	}
}

var errTruncated = errors.New("the answer is cut off")

// decode reads the JSON of a 2xx answer. Its errors name fields of ours and
// kinds of values, never values.
func decode(data []byte, r *request, header http.Header) error {
	if r.out == nil {
		// Settings are answered with 204; a page of HTML comes from something
		// between us and Webex.
		if strings.HasPrefix(header.Get("Content-Type"), "text/html") {
			return errors.New("the answer is HTML")
		}
		return nil
	}
	err := json.Unmarshal(data, r.out)
	var (
		syntax *json.SyntaxError
		typed  *json.UnmarshalTypeError
	)
	switch {
	case err == nil && bytes.Equal(bytes.TrimSpace(data), []byte("null")):
		return errors.New("the answer is null")
	case err == nil:
		return nil
	case errors.As(err, &syntax) && syntax.Offset >= int64(len(data)):
		return fmt.Errorf("%w: unexpected end of JSON", errTruncated)
	case errors.As(err, &syntax):
		return fmt.Errorf("the answer is not JSON, at byte %d", syntax.Offset)
	case errors.As(err, &typed):
		return fmt.Errorf("the answer's field %q has a wrong type", typed.Field)
	default:
		return errors.New("the answer does not have the expected shape")
	}
}

// connectionKind says what it means that no whole answer came.
func connectionKind(parent, ctx context.Context, err error) Kind {
	if parent.Err() != nil {
		return contextKind(parent.Err())
	}
	var timeout net.Error
	if ctx.Err() != nil || errors.As(err, &timeout) && timeout.Timeout() {
		return KindTimeout
	}
	return KindUnavailable
}

// bare takes the address out of an error of net/http: it holds ids and e-mail
// addresses.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// firstTrackingID reads Webex's tracking id, which comes twice in one header at
// times (sdk docs/user/rest_debug.rst).
func firstTrackingID(h http.Header) string {
	id, _, _ := strings.Cut(h.Get("Trackingid"), ",")
	if id = strings.TrimSpace(id); !trackingIDShape.MatchString(id) {
		return ""
	}
	return id
}

// newUUID makes a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
