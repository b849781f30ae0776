package serviceapp

import (
	"context"
	"crypto/tls"
	"errors"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// failure is a refresh that did not succeed. It never holds the body of the
// answer, which may repeat a token.
type failure struct {
	fault      Fault
	status     int           // of the answer, 0 without one
	trackingID string        // Webex's, may be empty
	retryAfter time.Duration // what Webex asked for, 0 without it
	cause      string        // of a connection that failed, may be empty
}

// refresher speaks the refresh grant with the token endpoint.
type refresher struct {
	config oauth2.Config
	client *http.Client
	now    func() time.Time
}

// newRefresher authenticates the client in the form (client_id, client_secret).
// Webex accepts the form and HTTP Basic alike (AUTH.md 1.5), although discovery
// lists Basic alone. The form is what the SDK and the demo portal use for
// service apps (AUTH.md 2.2), and it leaves no doubt about how a special
// character is escaped, which Basic does (RFC 6749, section 2.3.1). The style is
// fixed: trying the other one after a 401 would use the refresh token twice.
func newRefresher(d Deps) *refresher {
	client := http.Client{Transport: transport()}
	if d.HTTPClient != nil {
		client = *d.HTTPClient
	}
	if client.Timeout == 0 {
		client.Timeout = requestTimeout
	}
	// A redirect followed would carry the client secret to another place.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &refresher{
		config: oauth2.Config{
			ClientID: d.ClientID, ClientSecret: d.ClientSecret,
			Endpoint: oauth2.Endpoint{TokenURL: d.TokenURL, AuthStyle: oauth2.AuthStyleInParams},
		},
		client: &client, now: d.Now,
	}
}

func transport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  requestTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      true, // one request a day
	}
}

// refresh asks for new tokens exactly once. What the answer leaves out of old is
// kept: the refresh token and the scopes. Lifetimes are the answer's alone.
func (r *refresher) refresh(ctx context.Context, old tokens) (tokens, *failure) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, r.client)
	asked := r.now() // not later: a lifetime may have begun when the request was sent
	// A token source that is used once and thrown away sends one refresh grant,
	// reads at most 1 MiB, and parses errors of RFC 6749.
	got, err := r.config.TokenSource(ctx, &oauth2.Token{RefreshToken: old.Refresh}).Token()
	if err != nil {
		return tokens{}, r.classify(err)
	}
	fresh := tokens{
		Access: got.AccessToken, AccessExpires: after(asked, float64(got.ExpiresIn)),
		Refresh: got.RefreshToken, RefreshExpires: after(asked, number(got.Extra("refresh_token_expires_in"))),
		FetchedAt: asked, Unchanged: got.AccessToken == old.Access,
		Scopes: old.Scopes, Seed: old.Seed,
	}
	if scope, _ := got.Extra("scope").(string); scope != "" {
		fresh.Scopes = strings.Fields(scope)
		slices.Sort(fresh.Scopes)
	}
	return fresh, nil
}

// after is zero, unknown, when there is no sensible number of seconds.
func after(t time.Time, seconds float64) time.Time {
	if !(seconds > 0) {
		return time.Time{}
	}
	return t.Add(time.Duration(math.Min(seconds, math.MaxInt32)) * time.Second)
}

func number(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case string:
		f, _ := strconv.ParseFloat(v, 64)
		return f
	}
	return 0
}

// classify turns the error into a closed set, without the texts of the answer.
// AUTH.md 2.3: any 400, 401 or 403 is permanent, whatever the shape of its body.
func (r *refresher) classify(err error) *failure {
	var answer *oauth2.RetrieveError
	var connection *url.Error
	switch {
	case errors.As(err, &answer):
		f := &failure{
			fault: FaultUpstream, status: answer.Response.StatusCode,
			trackingID: trackingID(answer.Response.Header), retryAfter: retryAfter(answer.Response.Header, r.now()),
		}
		switch f.status {
		case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
			f.fault = FaultRefused
		case http.StatusLocked, http.StatusTooManyRequests:
			f.fault = FaultThrottled
		default:
			if answer.ErrorCode == "invalid_grant" { // some servers say so with status 200
				f.fault = FaultRefused
			}
		}
		return f
	case errors.As(err, &connection):
		return &failure{fault: FaultUnreachable, cause: safeCause(connection)}
	default:
		return &failure{fault: FaultGarbled}
	}
}

// safeCause names the errors whose text cannot hold a part of the answer.
func safeCause(err *url.Error) string {
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case err.Timeout():
		return "timeout"
	case errors.As(err, &op):
		return op.Error()
	case errors.As(err, &certificate):
		return certificate.Error()
	}
	return ""
}

var trackingIDShape = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,128}$`)

// trackingID may come twice, separated by a comma (LIMITS.md 4).
func trackingID(h http.Header) string {
	id, _, _ := strings.Cut(h.Get("Trackingid"), ",")
	if id = strings.TrimSpace(id); trackingIDShape.MatchString(id) {
		return id
	}
	return ""
}

// retryAfter reads seconds or a date, and believes at most a day.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	var wait time.Duration
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), day)
}

// backoff doubles from a second to five minutes; half of it is chance, so that
// replicas do not come back together.
func backoff(failures int) time.Duration {
	d := min(time.Second<<min(failures-1, 10), 5*time.Minute)
	return d/2 + rand.N(d/2)
}

// interval is how long after a refresh the next one comes: when a third of the
// shorter lifetime remains, and at least daily, which renews the refresh token's
// life and shows a refusal while the access token still has days to go.
func interval(t tokens) time.Duration {
	d := day
	if t.AccessExpires.IsZero() {
		d = time.Hour
	}
	for _, expires := range []time.Time{t.AccessExpires, t.RefreshExpires} {
		if !expires.IsZero() {
			d = min(d, expires.Sub(t.FetchedAt)*2/3)
		}
	}
	// Webex may answer with the token it gave before, which has less and less
	// time to go (AUTH.md 2.2): without a floor the steps would become ever smaller.
	if t.Unchanged {
		return max(d, 10*time.Second)
	}
	return max(d, time.Second)
}

// due is when this replica refreshes; chance spreads the replicas over the last
// tenth of the interval.
func due(t tokens) time.Time {
	if t.Access == "" {
		return t.FetchedAt // at once
	}
	d := interval(t)
	return t.FetchedAt.Add(d - rand.N(d/10))
}
