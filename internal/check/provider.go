package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	discoveryPath = "/.well-known/openid-configuration"
	maxDocument   = 1 << 20
)

// discovery is what is read of a discovery document.
type discovery struct {
	Issuer   string `json:"issuer"`
	AuthURL  string `json:"authorization_endpoint"`
	TokenURL string `json:"token_endpoint"`
	UserInfo string `json:"userinfo_endpoint"`
	JWKSURL  string `json:"jwks_uri"`
}

// provider tries what Login with Webex needs before anybody signs in: the
// discovery document, which only another provider than Webex needs, and the keys
// that ID tokens are signed with.
func (r *run) provider(ctx context.Context) {
	keys := r.Config.JWKSURL
	if r.Config.IssuerURL != "" {
		keys = r.otherProvider(ctx)
	} else {
		r.webexDiscovery(ctx)
	}
	if keys == "" {
		r.add("signing keys", Skipped, "their address is in the discovery document", "")
		return
	}
	r.signingKeys(ctx, keys)
}

func (r *run) otherProvider(ctx context.Context) (keysURL string) {
	const name = "discovery document"
	address := strings.TrimRight(r.Config.IssuerURL, "/") + discoveryPath
	var doc discovery
	if err := r.getJSON(ctx, address, &doc); err != nil {
		r.add(name, Fail, fmt.Sprintf("%s: %v", address, err), "correct OIDC_ISSUER_URL: nobody can sign in without this document")
		return ""
	}
	switch {
	case doc.AuthURL == "" || doc.TokenURL == "" || doc.UserInfo == "" || doc.JWKSURL == "":
		r.add(name, Fail, address+" does not name all of the four endpoints", "use an OpenID provider with the authorization code flow and userinfo")
	case len(r.Config.AllowedIssuers) == 0 && strings.TrimRight(doc.Issuer, "/") != strings.TrimRight(r.Config.IssuerURL, "/"):
		r.add(name, Fail, "its issuer is "+doc.Issuer+", not OIDC_ISSUER_URL", "set OIDC_ISSUER_URL to the issuer, or allow it with OIDC_ALLOWED_ISSUERS")
	case len(r.Config.AllowedIssuers) > 0 && !slices.Contains(r.Config.AllowedIssuers, doc.Issuer):
		r.add(name, Warn, "its issuer "+doc.Issuer+" is none of OIDC_ALLOWED_ISSUERS", "add it, unless the ID tokens really name another")
	default:
		r.add(name, OK, "issuer "+doc.Issuer, "")
	}
	return doc.JWKSURL
}

// webexDiscovery only informs: the four endpoints are configured, and the issuer
// that Webex's document names is not that of every cluster (SPARK-401218).
func (r *run) webexDiscovery(ctx context.Context) {
	const name = "discovery document"
	address := r.Config.WebexAPIURL.String() + discoveryPath
	var doc discovery
	if err := r.getJSON(ctx, address, &doc); err != nil {
		r.add(name, Warn, fmt.Sprintf("%s: %v", address, err), "nothing to do: signing in does not need it")
		return
	}
	c := r.Config
	for _, e := range []struct{ name, configured, found string }{
		{"OIDC_AUTH_URL", c.AuthURL, doc.AuthURL}, {"OIDC_TOKEN_URL", c.TokenURL, doc.TokenURL},
		{"OIDC_USERINFO_URL", c.UserInfoURL, doc.UserInfo}, {"OIDC_JWKS_URL", c.JWKSURL, doc.JWKSURL},
	} {
		if e.found != "" && e.found != e.configured {
			r.add(name, Warn, fmt.Sprintf("it names %s, and %s is %s", e.found, e.name, e.configured), "if signing in does not work, set "+e.name+" to what the document names")
			return
		}
	}
	if !slices.Contains(c.AllowedIssuers, doc.Issuer) {
		r.add(name, Warn, "its issuer "+doc.Issuer+" is none of OIDC_ALLOWED_ISSUERS", "nothing to do if your people's ID tokens name another issuer; else add it")
		return
	}
	r.add(name, OK, "issuer "+doc.Issuer, "")
}

func (r *run) signingKeys(ctx context.Context, address string) {
	const name = "signing keys"
	var set struct {
		Keys []struct {
			Type string `json:"kty"`
			Use  string `json:"use"`
		} `json:"keys"`
	}
	if err := r.getJSON(ctx, address, &set); err != nil {
		r.add(name, Fail, fmt.Sprintf("%s: %v", address, err), "correct OIDC_JWKS_URL, or open the way to it: nobody can sign in without these keys")
		return
	}
	usable := 0
	for _, k := range set.Keys {
		if k.Type == "RSA" && (k.Use == "" || k.Use == "sig") {
			usable++
		}
	}
	if usable == 0 {
		r.add(name, Fail, fmt.Sprintf("%s has %d keys, none an RSA key for signatures", address, len(set.Keys)), "ID tokens must be signed with RS256")
		return
	}
	r.add(name, OK, fmt.Sprintf("%d for RS256", usable), "")
}

// getJSON reads a small public document. Its errors quote nothing of the answer.
func (r *run) getJSON(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("this is no address")
	}
	req.Header.Set("Accept", "application/json")
	resp, err := r.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the address is named already
		}
		return fmt.Errorf("no answer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxDocument)).Decode(into); err != nil {
		return errors.New("the answer is not what it should be")
	}
	return nil
}
