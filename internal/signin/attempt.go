package signin

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"patchbay/internal/seal"
)

const (
	// attemptLife is how long a person may take at Webex.
	attemptLife = 10 * time.Minute
	// maxAttempts is how many attempts (tabs) a browser may have open. Their cookies go
	// along with every request, and a server's limit of headers is often 8 KB.
	maxAttempts = 4
	// maxState bounds what is hashed for the cookie's name; ours has 43 characters.
	maxState = 128
)

// attempt is a sign-in that has begun. It is kept in a sealed cookie of the browser
// that began it, one cookie for each, so that anonymous visitors cost no storage and
// several tabs do not disturb each other.
type attempt struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"` // PKCE
	ReturnTo string `json:"r"`
	Started  int64  `json:"t"` // Unix seconds
}

func newAttempt(returnTo string, now time.Time) attempt {
	return attempt{State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier(), ReturnTo: returnTo, Started: now.Unix()}
}

// random has 256 bits.
func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

func (a attempt) started() time.Time { return time.Unix(a.Started, 0) }

// expired is also true for an attempt from the future, which no clock of ours began.
func (a attempt) expired(now time.Time) bool {
	age := now.Sub(a.started())
	return age >= attemptLife || age < -leeway
}

// attempts keeps attempts in cookies.
type attempts struct {
	sealer *seal.Sealer
	secure bool
}

func (s attempts) prefix() string {
	if s.secure {
		return "__Host-portal_signin_"
	}
	return "portal_signin_"
}

// name of the cookie of the attempt with this state.
func (s attempts) name(state string) string {
	sum := sha256.Sum256([]byte(state))
	return s.prefix() + hex.EncodeToString(sum[:6])
}

func (s attempts) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: s.secure, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, // Strict would hide it when Webex sends the browser back
	}
}

// save gives the browser the cookie of a. Cookies of ours that are of no more use go,
// and so does the oldest attempt when there are too many.
func (s attempts) save(w http.ResponseWriter, r *http.Request, a attempt, now time.Time) {
	type kept struct {
		name    string
		started int64
	}
	var others []kept
	for _, c := range r.Cookies() {
		if !strings.HasPrefix(c.Name, s.prefix()) {
			continue
		}
		other, err := s.open(c)
		if err != nil || other.expired(now) {
			s.remove(w, c.Name)
			continue
		}
		others = append(others, kept{c.Name, other.Started})
	}
	slices.SortFunc(others, func(a, b kept) int { return int(a.started - b.started) })
	for ; len(others) >= maxAttempts; others = others[1:] {
		s.remove(w, others[0].name)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // else each "&" of the way back takes six bytes of the cookie
	_ = encoder.Encode(a)        // never fails: strings and a number
	name := s.name(a.State)
	value := base64.RawURLEncoding.EncodeToString(s.sealer.Seal(name, text.Bytes()))
	http.SetCookie(w, s.cookie(name, value, int(attemptLife.Seconds())))
}

func (s attempts) remove(w http.ResponseWriter, name string) {
	http.SetCookie(w, s.cookie(name, "", -1))
}

// open reads the cookie of an attempt.
func (s attempts) open(c *http.Cookie) (attempt, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil {
		return attempt{}, err
	}
	text, err := s.sealer.Open(c.Name, sealed)
	if err != nil {
		return attempt{}, err
	}
	var a attempt
	return a, json.Unmarshal(text, &a)
}

// take gives the attempt with this state that this browser began, and has the browser
// forget it: it serves once, whatever comes of it.
func (s attempts) take(w http.ResponseWriter, r *http.Request, state string, now time.Time) (attempt, *Failure) {
	if state == "" || len(state) > maxState {
		return attempt{}, because(StateMissing, "the answer has no state of ours")
	}
	c, err := r.Cookie(s.name(state))
	if err != nil {
		return attempt{}, because(AttemptUnknown, "the browser has no cookie of this attempt")
	}
	s.remove(w, c.Name)
	a, err := s.open(c)
	if err != nil {
		return attempt{}, because(AttemptUnreadable, "the cookie of the attempt cannot be opened")
	}
	if subtle.ConstantTimeCompare([]byte(a.State), []byte(state)) != 1 {
		return attempt{}, because(StateMismatch, "the attempt has another state")
	}
	if a.expired(now) {
		return attempt{}, because(AttemptExpired, "the attempt is too old")
	}
	return a, nil
}
