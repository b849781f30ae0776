package signin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	// callTimeout bounds one request to the provider.
	callTimeout = 8 * time.Second
	// maxBody bounds an answer of the provider.
	maxBody = 1 << 20
	// discoveryLife is how long a discovery document is used.
	discoveryLife = 10 * time.Minute
	// discoveryPause is how long a discovery that did not work is not tried again, so
	// that people who wait for it do not queue up behind each other's timeouts.
	discoveryPause = 5 * time.Second
	// maxRetryAfter bounds what a person is told to wait.
	maxRetryAfter = time.Hour
)

// provider is an OpenID provider whose endpoints are known.
type provider struct {
	oidc      *oidc.Provider
	keys      oidc.KeySet
	issuers   []string // the exact "iss" accepted
	authStyle oauth2.AuthStyle
}

// newProvider makes a provider from its endpoints. The key set fetches keys when it is
// first used, and again, at most once for each ID token, when it meets a key that it
// does not know.
func newProvider(client *http.Client, c oidc.ProviderConfig, issuers []string) *provider {
	ctx := oidc.ClientContext(context.Background(), client)
	return &provider{
		oidc:    c.NewProvider(ctx),
		keys:    oidc.NewRemoteKeySet(oidc.ClientContext(ctx, usableKeys(client)), c.JWKSURL),
		issuers: issuers,
		// client_secret_basic is all that Webex advertises (AUTH.md 1.2), and the default
		// of OpenID Connect. Left open, x/oauth2 would try both ways and send the code twice.
		authStyle: oauth2.AuthStyleInHeader,
	}
}

// discovery finds another provider's endpoints when somebody wants to sign in, never at
// start: the portal starts whether or not the provider answers.
type discovery struct {
	client  *http.Client
	issuer  string
	allowed []string // empty: the discovered issuer
	now     func() time.Time

	mu      sync.Mutex // held while the document is fetched: one fetch serves all who wait
	found   *provider
	foundAt time.Time
	err     error
	errAt   time.Time
}

// get gives the provider. A document that can no longer be fetched is used on.
func (d *discovery) get(ctx context.Context) (*provider, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if d.found != nil && now.Sub(d.foundAt) < discoveryLife {
		return d.found, nil
	}
	if d.err == nil || now.Sub(d.errAt) >= discoveryPause {
		p, err := d.fetch(ctx)
		if ctx.Err() != nil && err != nil {
			return nil, err // this person's patience or browser, not the provider
		}
		d.err, d.errAt = err, now
		if err == nil {
			d.found, d.foundAt = p, now
		}
	}
	if d.found != nil {
		return d.found, nil
	}
	return nil, d.err
}

func (d *discovery) fetch(ctx context.Context) (*provider, error) {
	// go-oidc would compare the document's issuer with the address; here it is compared
	// with what the operator allows, below.
	ctx = oidc.InsecureIssuerURLContext(oidc.ClientContext(ctx, d.client), d.issuer)
	found, err := oidc.NewProvider(ctx, d.issuer)
	if err != nil {
		return nil, err
	}
	var doc struct {
		oidc.ProviderConfig
		AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := found.Claims(&doc); err != nil {
		return nil, fmt.Errorf("%w: the endpoints in it are not understood", errAnswer)
	}
	issuers := d.allowed
	if len(issuers) == 0 {
		if strings.TrimSuffix(doc.IssuerURL, "/") != strings.TrimSuffix(d.issuer, "/") {
			return nil, fmt.Errorf("%w: it is of the issuer %.200q", errAnswer, doc.IssuerURL)
		}
		issuers = []string{doc.IssuerURL}
	}
	for name, endpoint := range map[string]string{
		"authorization_endpoint": doc.AuthURL, "token_endpoint": doc.TokenURL, "userinfo_endpoint": doc.UserInfoURL, "jwks_uri": doc.JWKSURL,
	} {
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || strings.HasPrefix(d.issuer, "https:")) {
			return nil, fmt.Errorf("%w: it has no usable %s", errAnswer, name)
		}
	}
	p := newProvider(d.client, doc.ProviderConfig, issuers)
	if len(doc.AuthMethods) > 0 && !slices.Contains(doc.AuthMethods, "client_secret_basic") {
		p.authStyle = oauth2.AuthStyleInParams
	}
	return p, nil
}

// errAnswer is an answer that cannot be used; what it says is in the text.
var errAnswer = errors.New("the provider's answer cannot be used")

// statusError is an answer with another status than 200.
type statusError struct {
	status     int
	retryAfter time.Duration
}

func (e *statusError) Error() string { return fmt.Sprintf("the provider answered %d", e.status) }

// newClient gives base the manners that a provider needs which may be slow, broken or
// hostile: a deadline for each call, no redirects, bounded answers.
func newClient(base *http.Client) *http.Client {
	c := http.Client{Transport: http.DefaultTransport, Timeout: callTimeout}
	if base != nil {
		c = *base
	}
	if c.Transport == nil {
		c.Transport = http.DefaultTransport
	}
	c.Transport = guard{c.Transport}
	// The answer to POST /access_token would be sent, with its secrets, to wherever it says.
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// guard reads the whole answer, up to maxBody, and turns what cannot be used into an
// error of a known type: go-oidc and x/oauth2 put bodies into their errors, and bodies
// do not belong into a log. What the token endpoint refuses is left to x/oauth2.
type guard struct{ next http.RoundTripper }

func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("%w: it is larger than %d bytes", errAnswer, maxBody)
	}
	if res.StatusCode != http.StatusOK && (r.Method == http.MethodGet || res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests) {
		return nil, &statusError{res.StatusCode, retryAfter(res.Header)}
	}
	if r.Method == http.MethodGet && !json.Valid(body) && !strings.HasPrefix(res.Header.Get("Content-Type"), "application/jwt") {
		return nil, fmt.Errorf("%w: it is not JSON", errAnswer)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// retryAfter reads the header's number of seconds; 0 when there is none.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, maxRetryAfter)
}

// upstream says what an error from the network means; nil when it did not come from
// there. Errors of other kinds may quote the answer, so their text is not to be kept.
// r is the context of the browser's request.
func upstream(r context.Context, op string, err error) *Failure {
	var status *statusError
	var network net.Error
	var request *url.Error
	switch {
	case errors.Is(r.Err(), context.Canceled):
		return fail(Abandoned, fmt.Errorf("%s: %w", op, context.Canceled))
	case errors.As(err, &status):
		reason := ProviderNonsense
		if status.status >= 500 || status.status == http.StatusTooManyRequests {
			reason = ProviderUnavailable
		}
		return fail(reason, fmt.Errorf("%s: %w", op, status)).retryAfter(status.retryAfter)
	case errors.Is(err, errAnswer):
		return fail(ProviderNonsense, fmt.Errorf("%s: %w", op, err))
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return because(ProviderTimeout, op+": no answer in time")
	case errors.As(err, &request):
		return fail(ProviderUnavailable, fmt.Errorf("%s: %w", op, request.Err))
	default:
		return nil
	}
}

// upstreamOrNonsense is upstream for an error that is otherwise about the answer.
func upstreamOrNonsense(r context.Context, op string, err error) *Failure {
	if failure := upstream(r, op, err); failure != nil {
		return failure
	}
	return because(ProviderNonsense, op+": the answer is not understood")
}
