package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"

	"patchbay/internal/access"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
	"patchbay/internal/webex"
)

// problemJSON is RFC 9457.
type problemJSON struct {
	Type       string         `json:"type"`
	Title      string         `json:"title"`
	Status     int            `json:"status"`
	Detail     string         `json:"detail,omitempty"`
	Errors     []fieldProblem `json:"errors,omitempty"`
	TrackingID string         `json:"trackingId,omitempty"`
	RequestID  string         `json:"requestId,omitempty"`

	Present selfservice.Document `json:"present,omitempty"` // with 412: the state there is
	Wanted  selfservice.Document `json:"wanted,omitempty"`  // with 412: what was to be set
}

type fieldProblem struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// problemOf finds what may be said of an error.
func problemOf(err error) *problem.Error {
	var tooLarge *http.MaxBytesError
	var known *problem.Error
	var upstream *webex.Error
	switch {
	case errors.As(err, &tooLarge):
		return problem.New(problem.TooLarge, "web.tooLarge").Because(err)
	case errors.As(err, &known), errors.As(err, &upstream):
		// What is known of an unanswered call to Webex says more than that it took too long.
	case errors.Is(err, context.DeadlineExceeded):
		return problem.New(problem.Timeout, "webex.error.timeout").Because(err)
	}
	return webex.Problem(err)
}

// renderError is the only place where an error becomes an answer and a log line.
func (s *Server) renderError(w http.ResponseWriter, r *http.Request, k kind, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // nobody is there to read the answer
	}
	p := problemOf(err)
	s.logProblem(r, p)
	h := w.Header()
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(retrySeconds(p)))
	}
	h.Set("Cache-Control", "no-store")
	switch {
	case k == api || k == asset:
		s.writeProblem(w, r, p, err)
	case isPartial(r):
		s.renderCardProblem(w, r, p)
	default:
		s.renderProblemPage(w, r, p)
	}
}

func retrySeconds(p *problem.Error) int {
	return max(1, int(math.Ceil(p.RetryAfter.Seconds())))
}

// logProblem writes one line for a failed request: what an operator can act on is
// an error or a warning, what the person can mend is not.
func (s *Server) logProblem(r *http.Request, p *problem.Error) {
	if p.Code == problem.Forbidden || errors.Is(p, access.ErrDenied) {
		s.noteRefusal(r, p)
	}
	level := slog.LevelInfo
	switch {
	case p.Code == problem.Internal:
		level = slog.LevelError
	case p.Code >= problem.BadGateway:
		level = slog.LevelWarn
	case p.Code == problem.Unauthorized || p.Code == problem.NotFound || p.Code == problem.Invalid:
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{
		slog.String("route", r.Method+" "+routeOf(r)), slog.Int("status", p.Code.Status()), slog.String("problem", p.Public.Key),
		slog.String("request_id", RequestID(r.Context())),
	}
	if p.TrackingID != "" {
		attrs = append(attrs, slog.String("tracking_id", p.TrackingID))
	}
	if p.Err != nil {
		attrs = append(attrs, slog.Any("error", p.Err))
	}
	s.Log.LogAttrs(r.Context(), level, "request failed", attrs...)
}

func (s *Server) writeProblem(w http.ResponseWriter, r *http.Request, p *problem.Error, err error) {
	l := i18n.FromContext(r.Context())
	body := problemJSON{
		Type: "about:blank", Title: http.StatusText(p.Code.Status()), Status: p.Code.Status(), Detail: l.Say(p.Public),
		TrackingID: p.TrackingID, RequestID: RequestID(r.Context()),
	}
	var both *conflict
	if errors.As(err, &both) {
		body.Present, body.Wanted = both.present, both.wanted
	}
	for _, f := range p.Fields {
		body.Errors = append(body.Errors, fieldProblem{Field: f.Name, Detail: l.Say(f.Detail)})
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Code.Status())
	_ = json.NewEncoder(w).Encode(body) // the reader may be gone
}
