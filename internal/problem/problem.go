// Package problem is the vocabulary of errors: what a person may read is kept
// apart from what only an operator may read.
package problem

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"patchbay/internal/i18n"
)

// Code says what kind of trouble it is; it decides the HTTP status.
type Code int

// The codes, with the HTTP status each becomes.
const (
	Internal        Code = iota // 500: a fault of the portal
	Malformed                   // 400: the request cannot be read
	Unauthorized                // 401: not signed in
	Forbidden                   // 403: not allowed
	NotFound                    // 404: not there, or not yours to know
	Conflict                    // 409: Webex refuses the state
	Changed                     // 412: it changed meanwhile
	TooLarge                    // 413: the request is too large
	UnsupportedType             // 415: wrong type of body
	Invalid                     // 422: a value is not acceptable; see Fields
	RateLimited                 // 429: too many requests from this person
	BadGateway                  // 502: Webex failed or answered nonsense
	Unavailable                 // 503: Webex is unavailable or throttling; see RetryAfter
	Timeout                     // 504: Webex took too long
)

var statuses = [...]int{
	Internal: http.StatusInternalServerError, Malformed: http.StatusBadRequest, Unauthorized: http.StatusUnauthorized,
	Forbidden: http.StatusForbidden, NotFound: http.StatusNotFound, Conflict: http.StatusConflict,
	Changed: http.StatusPreconditionFailed, TooLarge: http.StatusRequestEntityTooLarge,
	UnsupportedType: http.StatusUnsupportedMediaType, Invalid: http.StatusUnprocessableEntity,
	RateLimited: http.StatusTooManyRequests, BadGateway: http.StatusBadGateway,
	Unavailable: http.StatusServiceUnavailable, Timeout: http.StatusGatewayTimeout,
}

// Status is the HTTP status of the code.
func (c Code) Status() int { return statuses[c] }

// Field is one value that cannot be accepted.
type Field struct {
	Name   string // the field's name in the form or the JSON path, "callForwarding.busy.destination"
	Detail i18n.Text
}

// Error carries what the user may read (Public, Fields) apart from what only
// the operator may read (Err).
type Error struct {
	Code       Code
	Public     i18n.Text     // what happened, what it means, what to do
	Fields     []Field       // set for Invalid
	RetryAfter time.Duration // set for RateLimited, may be set for Unavailable
	TrackingID string        // Webex's "trackingid", when an answer of Webex is the cause
	Err        error         // the cause, for the log only
}

// New makes an Error; args are as for i18n.NewText.
func New(code Code, key string, args ...any) *Error {
	return &Error{Code: code, Public: i18n.NewText(key, args...)}
}

// Because sets the cause and returns the error.
func (e *Error) Because(err error) *Error {
	e.Err = err
	return e
}

// Error is for the log: it names the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Public.Key, e.Err)
	}
	return e.Public.Key
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// As finds the problem in a chain of errors. Anything else is Internal.
func As(err error) *Error {
	var p *Error
	if errors.As(err, &p) {
		return p
	}
	return New(Internal, "error.internal").Because(err)
}
