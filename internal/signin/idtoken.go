package signin

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// leeway is how far the provider's clock may be from ours.
const leeway = 2 * time.Minute

// keyErrors remembers why the signature was not verified: the verifier's own error does
// not tell a wrong key from a provider that cannot be reached.
type keyErrors struct {
	oidc.KeySet
	err error
}

func (k *keyErrors) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	var payload []byte
	payload, k.err = k.KeySet.VerifySignature(ctx, jwt)
	return payload, k.err
}

// verifyIDToken checks everything that OpenID Connect Core 3.1.3.7 wants of an ID token
// from the token endpoint. go-oidc verifies the signature and reads the claims; each
// claim is checked here, all in one place and each with its own reason, because go-oidc
// leaves azp, iat, nonce, at_hash and several issuers to its caller and does not say
// which of its own checks failed.
func (f *Flow) verifyIDToken(ctx context.Context, p *provider, raw, accessToken string, a attempt) (*oidc.IDToken, *Failure) {
	_, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	var algorithm *jose.ErrUnexpectedSignatureAlgorithm
	if errors.As(err, &algorithm) {
		return nil, fail(TokenAlgorithm, fmt.Errorf("the ID token is signed with %.20q", string(algorithm.Got)))
	}
	if err != nil {
		return nil, because(TokenMalformed, "the ID token is not a signed JWT")
	}
	keys := &keyErrors{KeySet: p.keys}
	verifier := oidc.NewVerifier("", keys, &oidc.Config{
		SupportedSigningAlgs: []string{oidc.RS256},
		SkipIssuerCheck:      true, SkipClientIDCheck: true, SkipExpiryCheck: true, // checkClaims
	})
	token, err := verifier.Verify(ctx, raw)
	if keys.err != nil {
		if failure := upstream(ctx, "fetch the signing keys", keys.err); failure != nil {
			return nil, failure
		}
		return nil, because(TokenSignature, "no key of the provider fits the signature of the ID token")
	}
	if err != nil {
		return nil, because(TokenMalformed, "the claims of the ID token are not understood")
	}
	return token, f.checkClaims(token, p.issuers, accessToken, a)
}

func (f *Flow) checkClaims(token *oidc.IDToken, issuers []string, accessToken string, a attempt) *Failure {
	var more struct {
		AuthorizedParty *string  `json:"azp"`
		NotBefore       *float64 `json:"nbf"`
	}
	if err := token.Claims(&more); err != nil {
		return because(TokenMalformed, "azp or nbf of the ID token has the wrong type")
	}
	now := f.now()
	// Never by suffix or pattern: "https://idbroker.webex.com.evil.example/idb".
	if !slices.Contains(issuers, token.Issuer) {
		return fail(TokenIssuer, fmt.Errorf("the ID token is of the issuer %.200q, which OIDC_ALLOWED_ISSUERS does not have", token.Issuer))
	}
	if !slices.Contains(token.Audience, f.clientID) {
		return because(TokenAudience, "the ID token is for another client")
	}
	if more.AuthorizedParty == nil && len(token.Audience) > 1 {
		return because(TokenParty, "the ID token is for several clients and does not say for which it was made")
	}
	if more.AuthorizedParty != nil && *more.AuthorizedParty != f.clientID {
		return because(TokenParty, "the ID token was made for another client")
	}
	if !now.Before(token.Expiry.Add(leeway)) {
		return fail(TokenExpired, fmt.Errorf("the ID token ended %s ago", now.Sub(token.Expiry).Round(time.Second)))
	}
	if more.NotBefore != nil && time.Unix(int64(math.Min(*more.NotBefore, math.MaxInt32*2)), 0).After(now.Add(leeway)) {
		return because(TokenNotYetValid, "the ID token begins in the future")
	}
	if token.IssuedAt.After(now.Add(leeway)) {
		return fail(TokenNotYetValid, fmt.Errorf("the ID token was made %s in the future; a clock is wrong", token.IssuedAt.Sub(now).Round(time.Second)))
	}
	if token.IssuedAt.Before(a.started().Add(-leeway)) {
		return fail(TokenTooOld, fmt.Errorf("the ID token was made %s before the attempt to sign in, or does not say when", a.started().Sub(token.IssuedAt).Round(time.Second)))
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(a.Nonce)) != 1 {
		return because(TokenNonce, "the ID token has another nonce than the attempt")
	}
	if token.AccessTokenHash != "" && token.VerifyAccessToken(accessToken) != nil {
		return because(TokenAccessHash, "at_hash of the ID token does not fit the access token")
	}
	if token.Subject == "" {
		return because(TokenSubject, "the ID token has no sub")
	}
	return nil
}
