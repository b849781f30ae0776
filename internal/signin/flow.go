// Package signin signs people in by OpenID Connect: Login with Webex, or another
// provider. The authorization code flow with PKCE (S256), state and nonce, after
// which the person is looked up in the organization with the service app's rights.
// Webex's facts are in AUTH.md, section 1.
package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"patchbay/internal/seal"
	"patchbay/internal/session"
)

// finishTimeout bounds all that Finish asks of the provider.
const finishTimeout = 15 * time.Second

// discover names what failed in the log.
const discover = "read the discovery document"

// maxHint bounds the login_hint that is passed on: an e-mail address.
const maxHint = maxEmail

// Deps is what a Flow needs. HTTPClient and RequestID may be nil; IssuerURL and AllowedIssuers see below.
type Deps struct {
	ClientID, ClientSecret string
	RedirectURL            string // PORTAL_URL + "/authorize"

	// The endpoints of Login with Webex; not used when IssuerURL is set.
	AuthURL, TokenURL, UserInfoURL, JWKSURL string
	// IssuerURL names another provider, whose discovery document then has the endpoints.
	// It is fetched when somebody signs in, not in New.
	IssuerURL string
	// AllowedIssuers are the exact "iss" values accepted. Webex's differ by the person's
	// cluster. Empty with IssuerURL: the discovered issuer.
	AllowedIssuers []string

	// Spend marks an attempt as answered, in all replicas, and reports whether this is
	// the first time: only the browser forgets its cookie, and each answer costs a call
	// with the client's secret. After an error, and when it is nil, the answer is taken.
	Spend func(ctx context.Context, state string, life time.Duration) (first bool, err error)

	Sealer  *seal.Sealer
	Secure  bool // the portal is reached by https
	People  People
	IsAdmin func(email string) bool
	UUID    func(id string) (string, error) // decodes the ids of People: webex.UUID

	// HTTPClient reaches the provider; nil is a client with a deadline for each request.
	// Redirects are not followed and answers are bounded, whatever it says.
	HTTPClient *http.Client
	Now        func() time.Time
	Log        *slog.Logger
	// RequestID is the reference that the page shows, for the operator's line about a
	// failed sign-in; nil leaves it out.
	RequestID func(ctx context.Context) string
}

// Flow signs people in. It is safe for concurrent use.
type Flow struct {
	clientID, clientSecret, redirectURL string

	provider     func(ctx context.Context) (*provider, error)
	webex        bool   // the provider is Webex
	providerName string // the key of its name
	portal       string // the portal's address, for texts
	attempts     attempts
	people       People
	isAdmin      func(email string) bool
	uuid         func(id string) (string, error)
	http         *http.Client
	now          func() time.Time
	log          *slog.Logger
	requestID    func(ctx context.Context) string
	spend        func(ctx context.Context, state string, life time.Duration) (bool, error)
}

// New makes a Flow; it asks nobody anything.
func New(d Deps) *Flow {
	f := &Flow{
		clientID: d.ClientID, clientSecret: d.ClientSecret, redirectURL: d.RedirectURL,
		webex:        d.IssuerURL == "",
		providerName: "signin.provider.webex",
		portal:       strings.TrimSuffix(d.RedirectURL, "/authorize"),
		attempts:     attempts{sealer: d.Sealer, secure: d.Secure},
		people:       d.People, isAdmin: d.IsAdmin, uuid: d.UUID,
		http: newClient(d.HTTPClient), now: d.Now, log: d.Log, requestID: d.RequestID, spend: d.Spend,
	}
	if f.spend == nil {
		f.spend = func(context.Context, string, time.Duration) (bool, error) { return true, nil }
	}
	if f.webex {
		p := newProvider(f.http, oidc.ProviderConfig{
			AuthURL: d.AuthURL, TokenURL: d.TokenURL, UserInfoURL: d.UserInfoURL, JWKSURL: d.JWKSURL,
		}, d.AllowedIssuers)
		f.provider = func(context.Context) (*provider, error) { return p, nil }
	} else {
		f.providerName = "signin.provider.other"
		f.provider = (&discovery{client: f.http, issuer: d.IssuerURL, allowed: d.AllowedIssuers, now: d.Now}).get
	}
	return f
}

func (f *Flow) oauth(p *provider) *oauth2.Config {
	endpoint := p.oidc.Endpoint()
	endpoint.AuthStyle = p.authStyle
	return &oauth2.Config{
		ClientID: f.clientID, ClientSecret: f.clientSecret, RedirectURL: f.redirectURL,
		Endpoint: endpoint, Scopes: []string{oidc.ScopeOpenID, oidc.ScopeEmail, oidc.ScopeProfile},
	}
}

// Start sends the browser to the provider (GET /authenticate). It understands the query
// parameters return (see ReturnPath), login_hint (an e-mail address, passed on) and
// account=other (the provider is to ask which account to use). The error is a *Failure,
// already logged; then nothing was written.
func (f *Flow) Start(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), finishTimeout)
	defer cancel()
	p, err := f.provider(ctx)
	if err != nil {
		return f.report(r.Context(), upstreamOrNonsense(r.Context(), discover, err))
	}
	query := r.URL.Query()
	a := newAttempt(ReturnPath(query.Get("return")), f.now())
	f.attempts.save(w, r, a, f.now())
	options := []oauth2.AuthCodeOption{oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)}
	if hint := query.Get("login_hint"); hint != "" && len(hint) <= maxHint {
		options = append(options, oauth2.SetAuthURLParam("login_hint", hint))
	}
	if query.Get("account") == "other" {
		options = append(options, oauth2.SetAuthURLParam("prompt", "select_account"))
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, f.oauth(p).AuthCodeURL(a.State, options...), http.StatusFound)
	return nil
}

// Result is a sign-in that worked. The caller starts the session and redirects.
type Result struct {
	Identity session.Identity
	ReturnTo string // a path of this site
}

// Finish handles the browser's return from the provider (GET /authorize). It has the
// browser forget the attempt, spends the code, verifies the ID token, reads the e-mail
// address and finds the person. No token outlives it. The error is a *Failure, already
// logged; then no body was written.
func (f *Flow) Finish(w http.ResponseWriter, r *http.Request) (Result, error) {
	w.Header().Set("Cache-Control", "no-store")
	result, failure := f.finish(w, r)
	if failure != nil {
		return Result{}, f.report(r.Context(), failure)
	}
	return result, nil
}

func (f *Flow) finish(w http.ResponseWriter, r *http.Request) (Result, *Failure) {
	query := r.URL.Query()
	state, _ := single(query, "state")
	a, failure := f.attempts.take(w, r, state, f.now())
	if failure != nil {
		return Result{}, failure
	}
	if first, err := f.spend(r.Context(), state, attemptLife); err == nil && !first {
		return Result{}, because(AttemptSpent, "the attempt was answered before")
	}
	if query.Has("error") {
		return Result{}, refusal(query.Get("error"))
	}
	code, ok := single(query, "code")
	if !ok {
		return Result{}, because(CodeMissing, "the answer has neither one code nor an error")
	}
	email, sub, failure := f.authenticate(r.Context(), code, a)
	if failure != nil {
		return Result{}, failure
	}
	identity, failure := f.findPerson(r.Context(), email, sub)
	if failure != nil {
		return Result{}, failure
	}
	return Result{Identity: identity, ReturnTo: a.ReturnTo}, nil
}

// single gives the parameter's value if it is there once and not empty: of two, two
// readers might take different ones.
func single(query url.Values, name string) (string, bool) {
	values := query[name]
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	return values[0], true
}

// refusal says what an error of the authorization endpoint means (RFC 6749 4.1.2.1,
// OpenID Connect Core 3.1.2.6). Its description is not shown: anybody can write one.
func refusal(code string) *Failure {
	cause := fmt.Errorf("the provider answered the error %.40q", code)
	switch code {
	case "access_denied":
		return fail(Cancelled, cause)
	case "login_required", "interaction_required", "account_selection_required", "consent_required":
		return fail(LoginRequired, cause)
	case "temporarily_unavailable", "server_error":
		return fail(ProviderUnavailable, cause)
	default:
		return fail(ProviderRefused, cause)
	}
}

// authenticate spends the code and gives the verified e-mail address and sub.
func (f *Flow) authenticate(request context.Context, code string, a attempt) (email, sub string, failure *Failure) {
	ctx, cancel := context.WithTimeout(request, finishTimeout)
	defer cancel()
	ctx = oidc.ClientContext(ctx, f.http)
	p, err := f.provider(ctx)
	if err != nil {
		return "", "", upstreamOrNonsense(request, discover, err)
	}
	tokens, err := f.oauth(p).Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return "", "", exchangeFailed(request, err)
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok || raw == "" {
		return "", "", because(TokenMissing, "the token endpoint gave no ID token")
	}
	idToken, failure := f.verifyIDToken(ctx, p, raw, tokens.AccessToken, a)
	if failure != nil {
		return "", "", failure
	}
	// Webex's ID token has no e-mail address whatever the scope (AUTH.md 1.6).
	info, err := p.oidc.UserInfo(ctx, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: tokens.AccessToken}))
	if err != nil {
		return "", "", upstreamOrNonsense(request, "read userinfo", err)
	}
	if info.Subject != idToken.Subject {
		return "", "", because(UserinfoSubject, "userinfo has another sub than the ID token")
	}
	if !plausibleEmail(info.Email) {
		return "", "", because(EmailMissing, "userinfo has no e-mail address")
	}
	if !info.EmailVerified {
		return "", "", because(EmailUnverified, "userinfo does not call the e-mail address verified", "Email", info.Email)
	}
	return info.Email, idToken.Subject, nil
}

// exchangeFailed says what an error of the token endpoint means. Webex's errors have its
// own body and not that of RFC 6749 (AUTH.md 2.3), so the status must do.
func exchangeFailed(request context.Context, err error) *Failure {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		return upstreamOrNonsense(request, "exchange the code", err)
	}
	status := refused.Response.StatusCode
	cause := fmt.Errorf("exchange the code: the provider answered %d with the error %.40q", status, refused.ErrorCode)
	switch {
	case refused.ErrorCode == "invalid_client", refused.ErrorCode == "unauthorized_client",
		status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fail(ClientRefused, cause)
	case status >= 400, refused.ErrorCode != "":
		return fail(CodeRefused, cause)
	default:
		return fail(ProviderNonsense, cause)
	}
}
