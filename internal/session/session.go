// Package session keeps the browser sessions of the portal: who is signed in,
// in Redis, sealed. A session begins with SignIn; an anonymous visit has none.
package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"

	"patchbay/internal/problem"
	"patchbay/internal/seal"
)

// Cookie names. A browser accepts a "__Host-" cookie only with Secure, Path=/ and
// no Domain, so that no neighbouring host can plant one; plain http cannot have it.
const (
	secureCookie = "__Host-portal_session"
	plainCookie  = "portal_session"
)

// tokenLength is the length of the tokens that scs makes: 32 random bytes in base64url.
const tokenLength = 43

// Where identity and client stand in the session. Sessions that were begun before
// the portal knew clients have only the first.
const (
	identityKey = "identity"
	clientKey   = "client"
)

// retryAfter is what a person is told to wait when Redis does not answer.
const retryAfter = 5 * time.Second

// Identity is the person who is signed in, as the service app saw them when they did.
type Identity struct {
	PersonID    string    `json:"personId"` // Webex's encoded id
	OrgID       string    `json:"orgId"`    // Webex's encoded id
	DisplayName string    `json:"displayName"`
	FirstName   string    `json:"firstName"`
	Email       string    `json:"email"`      // as the organization's directory spells it
	LocationID  string    `json:"locationId"` // empty for an administrator who is no Calling user
	SignedInAt  time.Time `json:"signedInAt"`
}

// Deps is what a Manager needs; everything is required.
type Deps struct {
	Redis    redis.UniversalClient
	Sealer   *seal.Sealer
	Idle     time.Duration // a session that is not used ends after this
	Lifetime time.Duration // a session ends after this, used or not
	Secure   bool          // the portal is reached by https
	Now      func() time.Time
	// OnError answers a request whose session could not be read. The error is a
	// *problem.Error, Unavailable; the browser keeps its cookie.
	OnError func(w http.ResponseWriter, r *http.Request, err error)
}

// Manager reads and writes the sessions. Its methods other than Middleware want the
// context of a request that came through Middleware; their errors are *problem.Error,
// Unavailable, unless they say otherwise: Redis did not do what it was asked.
type Manager struct {
	scs      *scs.SessionManager
	store    *store
	lifetime time.Duration
	now      func() time.Time
	onError  func(http.ResponseWriter, *http.Request, error)
}

// New makes a Manager.
func New(d Deps) *Manager {
	m := &Manager{
		scs:      scs.New(),
		store:    &store{redis: d.Redis, sealer: d.Sealer, idle: d.Idle, now: d.Now},
		lifetime: d.Lifetime,
		now:      d.Now,
		onError:  d.OnError,
	}
	m.scs.Store = m.store
	m.scs.Lifetime = d.Lifetime
	// The store slides the idle limit when it reads. With scs's own IdleTimeout every
	// request would write the session back, and a slow one would bring back a session
	// that was signed out meanwhile (TestASlowRequestDoesNotBringASessionBack).
	m.scs.IdleTimeout = 0
	m.scs.HashTokenInStore = true
	m.scs.Cookie.Name = plainCookie
	m.scs.Cookie.Secure = d.Secure
	if d.Secure {
		m.scs.Cookie.Name = secureCookie
	}
	return m
}

// requestKey finds the response's headers in the context of a request.
type requestKey struct{}

// Middleware reads the session of a request. It writes nothing: SignIn and SignOut
// store at once and set the cookie themselves, so a reading request cannot undo what
// another one did. When the session cannot be read, OnError answers instead of next.
func (m *Manager) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Cookie")
		token := ""
		// Anything that scs cannot have made is not worth a question to Redis.
		if c, err := r.Cookie(m.scs.Cookie.Name); err == nil && len(c.Value) == tokenLength {
			token = c.Value
		}
		ctx, err := m.scs.Load(r.Context(), token)
		if err != nil {
			m.onError(w, r, unavailable("read the session", err))
			return
		}
		ctx = context.WithValue(ctx, requestKey{}, w.Header())
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// SignIn starts a session for who under a new id and sets SignedInAt; the session
// that the browser had before, if any, ends. With what is kept to tell the person's
// sessions apart. It must be called before the answer is begun.
func (m *Manager) SignIn(ctx context.Context, who Identity, with Client) error {
	who.SignedInAt = m.now()
	data, err := json.Marshal(who)
	if err != nil {
		return fmt.Errorf("write the identity as JSON: %w", err)
	}
	client, err := json.Marshal(with.bounded())
	if err != nil {
		return fmt.Errorf("write the client as JSON: %w", err)
	}
	_ = m.scs.Clear(ctx) // always nil: it only empties the copy in memory
	if err := m.scs.RenewToken(ctx); err != nil {
		return unavailable("end the session before the new one", err)
	}
	until := who.SignedInAt.Add(m.lifetime)
	// The list comes first: an entry without a session is harmless, while a session
	// that is not listed could not be found to be ended.
	if err := m.store.enlist(ctx, who.PersonID, m.Key(ctx), until); err != nil {
		return unavailable("list the new session", err)
	}
	m.scs.SetDeadline(ctx, until)
	m.scs.Put(ctx, identityKey, data)
	m.scs.Put(ctx, clientKey, client)
	token, _, err := m.scs.Commit(ctx)
	if err != nil {
		_ = m.scs.Clear(ctx) // who is not signed in, for the rest of this request either
		return unavailable("store the new session", err)
	}
	m.setCookie(ctx, token, 0)
	return nil
}

// SignOut ends the session, for every browser and request that holds its cookie. It
// must be called before the answer is begun. After an error the person is still
// signed in.
func (m *Manager) SignOut(ctx context.Context) error {
	if m.scs.Token(ctx) != "" {
		// Somebody who leaves the page while it signs them out wants to be signed out.
		if err := m.scs.Destroy(context.WithoutCancel(ctx)); err != nil {
			return unavailable("end the session", err)
		}
	}
	m.setCookie(ctx, "", -1)
	return nil
}

// setCookie gives the browser its token. There is no Expires or Max-Age on a live
// cookie: it goes when the browser is closed, which is what people expect on shared
// machines, and Redis holds both limits anyway.
func (m *Manager) setCookie(ctx context.Context, token string, maxAge int) {
	c := http.Cookie{
		Name: m.scs.Cookie.Name, Value: token, Path: "/", MaxAge: maxAge,
		Secure: m.scs.Cookie.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	ctx.Value(requestKey{}).(http.Header).Add("Set-Cookie", c.String())
}

// Identity is who is signed in; false for nobody, also in a context that did not come
// through Middleware.
func (m *Manager) Identity(ctx context.Context) (Identity, bool) {
	if ctx.Value(requestKey{}) == nil {
		return Identity{}, false
	}
	var who Identity
	if err := json.Unmarshal(m.scs.GetBytes(ctx, identityKey), &who); err != nil {
		return Identity{}, false
	}
	// The limits in Redis stand beside the seal; this one is inside it. It also makes
	// a shorter limit count for sessions that are older.
	if m.now().Sub(who.SignedInAt) >= m.lifetime {
		return Identity{}, false
	}
	return who, true
}

// Key names the session in rate limits and logs: stable while the session lives, and
// useless for getting into it. It is empty without a session.
func (m *Manager) Key(ctx context.Context) string {
	if ctx.Value(requestKey{}) == nil {
		return ""
	}
	token := m.scs.Token(ctx)
	if token == "" {
		return ""
	}
	return hash(token)
}

// hash is how scs hashes a token for the store (HashTokenInStore).
func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func unavailable(op string, err error) error {
	p := problem.New(problem.Unavailable, "session.unavailable").Because(fmt.Errorf("%s: %w", op, err))
	p.RetryAfter = retryAfter
	return p
}
