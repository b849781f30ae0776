package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"patchbay/internal/i18n"
	"patchbay/internal/problem"
)

// Reason says exactly why a sign-in failed: in the operator's log, and in tests.
type Reason string

// The reasons.
const (
	Abandoned Reason = "abandoned" // the browser went away; not logged

	StateMissing      Reason = "state_missing"      // the answer has no state, or several
	AttemptUnknown    Reason = "attempt_unknown"    // this browser has no attempt with this state
	AttemptUnreadable Reason = "attempt_unreadable" // the attempt's cookie is not one of ours
	AttemptExpired    Reason = "attempt_expired"    // the attempt is too old
	StateMismatch     Reason = "state_mismatch"     // the attempt has another state
	AttemptSpent      Reason = "attempt_spent"      // the attempt was answered before

	Cancelled       Reason = "cancelled"        // error=access_denied
	LoginRequired   Reason = "login_required"   // error=login_required and its like
	ProviderRefused Reason = "provider_refused" // any other error from the authorization endpoint
	CodeMissing     Reason = "code_missing"     // neither code nor error, or several codes
	CodeRefused     Reason = "code_refused"     // the token endpoint does not take the code (spent, too old, wrong verifier)
	ClientRefused   Reason = "client_refused"   // the token endpoint does not take CLIENT_ID and CLIENT_SECRET

	ProviderUnavailable Reason = "provider_unavailable" // no connection, 429 or 5xx
	ProviderTimeout     Reason = "provider_timeout"
	ProviderNonsense    Reason = "provider_nonsense" // an answer that cannot be understood

	TokenMissing     Reason = "token_missing" // no ID token in the answer
	TokenMalformed   Reason = "token_malformed"
	TokenAlgorithm   Reason = "token_algorithm" // not RS256
	TokenSignature   Reason = "token_signature"
	TokenIssuer      Reason = "token_issuer"
	TokenAudience    Reason = "token_audience"
	TokenParty       Reason = "token_authorized_party" // azp
	TokenExpired     Reason = "token_expired"
	TokenNotYetValid Reason = "token_not_yet_valid" // nbf or iat in the future
	TokenTooOld      Reason = "token_too_old"       // iat is missing, or before the attempt
	TokenNonce       Reason = "token_nonce"
	TokenAccessHash  Reason = "token_access_hash" // at_hash
	TokenSubject     Reason = "token_subject"     // no sub

	UserinfoSubject   Reason = "userinfo_subject" // another sub than the ID token's
	EmailMissing      Reason = "email_missing"
	EmailUnverified   Reason = "email_unverified"
	PersonUnknown     Reason = "person_unknown"     // the service app finds nobody with the address
	PersonAmbiguous   Reason = "person_ambiguous"   // the service app finds several
	OrganizationOther Reason = "organization_other" // the person found is of another organization
	SubjectOther      Reason = "subject_other"      // the person found is not who signed in
	NotCalling        Reason = "not_calling"        // neither a Calling user nor an administrator
	DirectoryFailed   Reason = "directory_failed"   // the service app cannot look people up
)

// attemptUnknownKey and the like name the texts that several reasons share.
const (
	attemptUnknownKey = "signin.attemptUnknown"
	untrustedKey      = "signin.untrusted"
	setupKey          = "signin.setup"
)

// meanings holds, for each reason, the kind of problem, the text that the person reads,
// and whether another account may help.
var meanings = map[Reason]struct {
	code         problem.Code
	text         string
	otherAccount bool
}{
	Abandoned:           {code: problem.Unavailable, text: "signin.providerUnavailable"},
	StateMissing:        {code: problem.Malformed, text: attemptUnknownKey},
	AttemptUnknown:      {code: problem.Malformed, text: attemptUnknownKey},
	AttemptUnreadable:   {code: problem.Malformed, text: attemptUnknownKey},
	AttemptExpired:      {code: problem.Malformed, text: "signin.attemptExpired"},
	StateMismatch:       {code: problem.Malformed, text: attemptUnknownKey},
	AttemptSpent:        {code: problem.Malformed, text: attemptUnknownKey},
	Cancelled:           {code: problem.Unauthorized, text: "signin.cancelled"},
	LoginRequired:       {code: problem.Unauthorized, text: "signin.loginRequired"},
	ProviderRefused:     {code: problem.BadGateway, text: "signin.providerRefused"},
	CodeMissing:         {code: problem.BadGateway, text: "signin.providerNonsense"},
	CodeRefused:         {code: problem.Unauthorized, text: "signin.codeRefused"},
	ClientRefused:       {code: problem.Internal, text: setupKey},
	ProviderUnavailable: {code: problem.Unavailable, text: "signin.providerUnavailable"},
	ProviderTimeout:     {code: problem.Timeout, text: "signin.providerTimeout"},
	ProviderNonsense:    {code: problem.BadGateway, text: "signin.providerNonsense"},
	TokenMissing:        {code: problem.BadGateway, text: "signin.providerNonsense"},
	TokenMalformed:      {code: problem.BadGateway, text: "signin.providerNonsense"},
	TokenAlgorithm:      {code: problem.Forbidden, text: untrustedKey},
	TokenSignature:      {code: problem.Forbidden, text: untrustedKey},
	TokenIssuer:         {code: problem.Forbidden, text: untrustedKey},
	TokenAudience:       {code: problem.Forbidden, text: untrustedKey},
	TokenParty:          {code: problem.Forbidden, text: untrustedKey},
	TokenExpired:        {code: problem.Forbidden, text: untrustedKey},
	TokenNotYetValid:    {code: problem.Forbidden, text: untrustedKey},
	TokenTooOld:         {code: problem.Forbidden, text: untrustedKey},
	TokenNonce:          {code: problem.Forbidden, text: untrustedKey},
	TokenAccessHash:     {code: problem.Forbidden, text: untrustedKey},
	TokenSubject:        {code: problem.Forbidden, text: untrustedKey},
	UserinfoSubject:     {code: problem.Forbidden, text: untrustedKey},
	EmailMissing:        {code: problem.Forbidden, text: "signin.emailMissing", otherAccount: true},
	EmailUnverified:     {code: problem.Forbidden, text: "signin.emailUnverified", otherAccount: true},
	PersonUnknown:       {code: problem.Forbidden, text: "signin.personUnknown", otherAccount: true},
	PersonAmbiguous:     {code: problem.Forbidden, text: "signin.personAmbiguous"},
	OrganizationOther:   {code: problem.Forbidden, text: "signin.organizationOther", otherAccount: true},
	SubjectOther:        {code: problem.Forbidden, text: "signin.subjectOther", otherAccount: true},
	NotCalling:          {code: problem.Forbidden, text: "signin.notCalling", otherAccount: true},
	DirectoryFailed:     {code: problem.BadGateway, text: "signin.directoryFailed"},
}

// Failure is a sign-in that ended without one. problem.As finds its *problem.Error,
// whose text says what happened and what to do.
type Failure struct {
	Reason Reason
	// OtherAccount tells that the account is the trouble: another try should ask which
	// one to use (/authenticate?account=other), or Webex signs the same one in again.
	OtherAccount bool

	problem  *problem.Error
	personID string // the person's UUID, when somebody was found; for the log
}

// Error is for the log: it holds no token, code or e-mail address.
func (f *Failure) Error() string { return fmt.Sprintf("sign-in: %s: %v", f.Reason, f.problem.Err) }

// Unwrap gives the *problem.Error.
func (f *Failure) Unwrap() error { return f.problem }

// fail makes a Failure; cause is for the log only and must hold no token, code or
// personal data. args go into the text.
func fail(reason Reason, cause error, args ...any) *Failure {
	m := meanings[reason]
	return &Failure{Reason: reason, OtherAccount: m.otherAccount, problem: problem.New(m.code, m.text, args...).Because(cause)}
}

// because is fail with a cause in words.
func because(reason Reason, cause string, args ...any) *Failure {
	return fail(reason, errors.New(cause), args...)
}

func (f *Failure) retryAfter(d time.Duration) *Failure {
	f.problem.RetryAfter = d
	return f
}

// report completes the text with what every text may name, and writes the operator's line.
func (f *Flow) report(ctx context.Context, failure *Failure) error {
	args := failure.problem.Public.Args
	if args == nil {
		args = map[string]any{}
		failure.problem.Public.Args = args
	}
	args["Provider"], args["Portal"] = i18n.NewText(f.providerName), f.portal
	if failure.Reason == Abandoned {
		return failure
	}
	attrs := []slog.Attr{slog.String("reason", string(failure.Reason)), slog.String("cause", failure.problem.Err.Error())}
	if f.requestID != nil {
		attrs = append(attrs, slog.String("request_id", f.requestID(ctx)))
	}
	if failure.personID != "" {
		attrs = append(attrs, slog.String("person_id", failure.personID))
	}
	if failure.problem.TrackingID != "" {
		attrs = append(attrs, slog.String("tracking_id", failure.problem.TrackingID))
	}
	f.log.LogAttrs(ctx, slog.LevelWarn, "sign-in failed", attrs...)
	return failure
}
