package webex

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"patchbay/internal/i18n"
	"patchbay/internal/problem"
)

// Kind says what an Error means to the one who called.
type Kind int

// The kinds.
const (
	KindBadGateway   Kind = iota // Webex failed, or answered what cannot be understood
	KindRefused                  // 400 and the like: Webex does not accept the request or the state
	KindUnauthorized             // 401 twice: the token is not accepted
	KindForbidden                // 403: scope, role, or restricted in Control Hub
	KindNotFound                 // 404, or a feature that the person does not have
	KindConflict                 // 409
	KindThrottled                // 423, 429, or held back by the portal's own budget; see RetryAfter
	KindUnavailable              // 503, no connection, or given up for a moment because nothing works
	KindTimeout                  // 504, or no answer in time
	KindCanceled                 // the caller went away
	KindNoToken                  // the portal has no access token
)

var kindNames = [...]string{
	KindBadGateway: "bad gateway", KindRefused: "refused", KindUnauthorized: "unauthorized", KindForbidden: "forbidden",
	KindNotFound: "not found", KindConflict: "conflict", KindThrottled: "throttled", KindUnavailable: "unavailable",
	KindTimeout: "timeout", KindCanceled: "canceled", KindNoToken: "no token",
}

// String names the kind for logs.
func (k Kind) String() string { return kindNames[k] }

// Error is a call that did not succeed.
type Error struct {
	Op         string        // the contract's operationId, "getPersonCallForwarding"
	Kind       Kind          // what it means
	Status     int           // HTTP status of Webex's answer; 0 without an answer
	Code       int           // the number at the top of the error body, 0 without
	InnerCode  int           // errors[0].errorCode; differs from Code at times (LIMITS.md, 409 for an existing number)
	TrackingID string        // Webex's, or our own when Webex did not answer
	RetryAfter time.Duration // how long to wait before asking again, 0 when nobody knows
	Write      bool          // the call would have changed something
	Message    string        // Webex's own words: may name people and numbers, so neither shown nor logged by default
	Err        error         // the cause; free of tokens, addresses and bodies

	sent bool // the request may have reached Webex
}

// Error is for the log. It holds no personal data: Webex's own words are left
// out because they may.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "webex %s: %s", e.Op, e.Kind)
	if e.Status != 0 {
		fmt.Fprintf(&b, ", status %d", e.Status)
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, ", code %d", e.Code)
	}
	if e.InnerCode != 0 && e.InnerCode != e.Code {
		fmt.Fprintf(&b, ", inner code %d", e.InnerCode)
	}
	if e.RetryAfter != 0 {
		fmt.Fprintf(&b, ", retry after %s", e.RetryAfter)
	}
	if e.TrackingID != "" {
		fmt.Fprintf(&b, ", tracking id %s", e.TrackingID)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// OutcomeUnknown reports whether a write may have happened although it failed:
// it was sent, and no definite refusal came back. Reading again settles it;
// sending again does not, as Webex knows no idempotency key.
func (e *Error) OutcomeUnknown() bool {
	if !e.Write || !e.sent {
		return false
	}
	definite := e.Status >= 400 && e.Status < 500 && e.Status != http.StatusRequestTimeout
	return !definite
}

// OutcomeUnknown reports whether err is a write whose outcome is unknown; see
// [Error.OutcomeUnknown].
func OutcomeUnknown(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.OutcomeUnknown()
}

// IsKind reports whether err is an Error of the kind.
func IsKind(err error, k Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == k
}

// featureMissing is what Webex answers with status 400 for a feature that is
// not assigned to the person (observed in sdk's tests).
const featureMissing = 4410

func kindOf(status, code, innerCode int, write bool) Kind {
	switch status {
	case http.StatusUnauthorized:
		return KindUnauthorized
	case http.StatusForbidden:
		return KindForbidden
	case http.StatusNotFound, http.StatusGone:
		return KindNotFound
	case http.StatusConflict:
		return KindConflict
	case http.StatusLocked, http.StatusTooManyRequests:
		return KindThrottled
	case http.StatusServiceUnavailable:
		return KindUnavailable
	case http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return KindTimeout
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusPreconditionFailed, http.StatusPreconditionRequired:
		if code == featureMissing || innerCode == featureMissing {
			return KindNotFound
		}
		// A read that Webex does not accept is a fault of ours or of Webex,
		// nothing that the person could mend.
		if write {
			return KindRefused
		}
	}
	return KindBadGateway
}

// Problem turns an error of this package into what a person may read. An error
// that is a problem already stays as it is, nil stays nil, and any other error
// is an internal one.
func Problem(err error) *problem.Error {
	if err == nil {
		return nil
	}
	var known *problem.Error
	if errors.As(err, &known) {
		return known
	}
	var e *Error
	if !errors.As(err, &e) {
		return problem.As(err)
	}
	t := problemTexts[e.Kind]
	p := problem.New(t.code, t.key)
	switch {
	case e.Kind == KindThrottled && e.Status == http.StatusLocked:
		p.Public = i18n.NewText("webex.error.locked")
	case e.Kind == KindThrottled && e.RetryAfter >= 2*time.Minute:
		p.Public = i18n.NewText("webex.error.throttledMinutes", "Count", int((e.RetryAfter+time.Minute-1)/time.Minute))
	case e.Kind == KindThrottled:
		p.Public = i18n.NewText("webex.error.throttled", "Count", max(1, int((e.RetryAfter+time.Second-1)/time.Second)))
	}
	p.TrackingID = e.TrackingID
	p.RetryAfter = e.RetryAfter
	if p.Code == problem.Unavailable && p.RetryAfter == 0 {
		p.RetryAfter = unavailableRetry
	}
	return p.Because(err)
}

// unavailableRetry is what people and programs are told when Webex gives no time
// of its own.
const unavailableRetry = 5 * time.Second

var problemTexts = [...]struct {
	code problem.Code
	key  string
}{
	KindBadGateway:   {problem.BadGateway, "webex.error.badGateway"},
	KindRefused:      {problem.Conflict, "webex.error.refused"},
	KindUnauthorized: {problem.BadGateway, "webex.error.unauthorized"},
	KindForbidden:    {problem.Forbidden, "webex.error.forbidden"},
	KindNotFound:     {problem.NotFound, "webex.error.notFound"},
	KindConflict:     {problem.Conflict, "webex.error.conflict"},
	KindThrottled:    {problem.Unavailable, "webex.error.throttled"},
	KindUnavailable:  {problem.Unavailable, "webex.error.unavailable"},
	KindTimeout:      {problem.Timeout, "webex.error.timeout"},
	KindCanceled:     {problem.Timeout, "webex.error.timeout"},
	KindNoToken:      {problem.Unavailable, "webex.error.noToken"},
}

// errorBody is what can be learnt from the body of an error answer.
type errorBody struct {
	message    string
	code       int
	innerCode  int
	trackingID string
}

var codeInText = regexp.MustCompile(`^\[Error (\d{1,9})\]`)

const maxMessage = 500 // runes of Webex's words that are kept

// parseErrorBody reads the platform's and the calling service's error bodies
// (LIMITS.md, section 3). Any field may be missing or of an odd type, and the
// body may be HTML or empty: what cannot be read is left out.
func parseErrorBody(data []byte) errorBody {
	var top map[string]json.RawMessage
	if json.Unmarshal(data, &top) != nil {
		return errorBody{}
	}
	b := errorBody{message: looseString(top["message"]), code: looseInt(top["errorCode"]), trackingID: looseString(top["trackingId"])}
	if b.code == 0 {
		b.code = looseInt(top["code"])
	}
	var list []map[string]json.RawMessage
	if json.Unmarshal(top["errors"], &list) == nil && len(list) > 0 {
		b.innerCode = looseInt(list[0]["errorCode"])
		if d := looseString(list[0]["description"]); d != "" {
			b.message = d
		}
	}
	if m := codeInText.FindStringSubmatch(b.message); m != nil && b.innerCode == 0 {
		b.innerCode, _ = strconv.Atoi(m[1])
	}
	if r := []rune(b.message); len(r) > maxMessage {
		b.message = string(r[:maxMessage])
	}
	return b
}

func looseString(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func looseInt(raw json.RawMessage) int {
	n, err := strconv.Atoi(strings.Trim(string(raw), `"`))
	if err != nil {
		return 0
	}
	return n
}

// maxRetryAfter is the longest wait believed in. Webex documents an hour
// (basics, example of 429).
const maxRetryAfter = time.Hour

// parseRetryAfter reads seconds or an HTTP date. A value that cannot be read,
// or lies in the past, is 0.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		if !(seconds > 0) { // also NaN
			return 0
		}
		return time.Duration(min(seconds, maxRetryAfter.Seconds()) * float64(time.Second))
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// contextKind tells a caller who went away from one whose time is up.
func contextKind(err error) Kind {
	if errors.Is(err, context.Canceled) {
		return KindCanceled
	}
	return KindTimeout
}
