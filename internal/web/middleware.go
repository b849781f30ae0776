package web

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httprate"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/signin"
	"patchbay/internal/webex"
	"patchbay/static"
)

const (
	// maxBody is the largest body accepted: a setting is a few hundred bytes.
	maxBody = 64 << 10
	// readTimeout is how long a read may take, with all calls to Webex. Ten seconds
	// is when the page offers to try again (ux.md, section 2).
	readTimeout = 10 * time.Second
	// writeTimeout leaves room to settle an unknown outcome by reading again.
	writeTimeout = 45 * time.Second
	// requestsPerMinute is what one person may ask of one replica.
	requestsPerMinute = 600
)

// Cookies that hold a choice of the reader, nothing secret.
const (
	themeCookie    = "portal_theme"
	languageCookie = "portal_lang"
	noScriptCookie = "portal_js"
)

type requestIDKey struct{}

// requestID names each request; the name is in the answer's header, on error
// pages, in the log and in the record of a change.
func (s *Server) requestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := rand.Text()[:16]
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}

// RequestID is the name of the request that ctx belongs to; "" outside of one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// observe counts answers and, at level debug, logs them. Failed requests are
// logged where their error is turned into an answer.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(ww, r)
		status := ww.Status()
		if status == 0 {
			status = http.StatusOK
		}
		s.answers.WithLabelValues(string(kindOf(r)), strconv.Itoa(status/100)+"xx").Inc()
		s.Log.DebugContext(r.Context(), "request", "method", r.Method, "route", routeOf(r), "status", status,
			"bytes", ww.BytesWritten(), "duration_ms", time.Since(begun).Milliseconds(), "request_id", RequestID(r.Context()))
	})
}

// routeOf is the pattern, not the path: paths hold ids.
func routeOf(r *http.Request) string {
	if c := chi.RouteContext(r.Context()); c != nil {
		return c.RoutePattern()
	}
	return ""
}

// recoverPanics answers a fault of ours without telling what it was.
func (s *Server) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // the value itself is panicked with
				panic(v)
			}
			s.Log.ErrorContext(r.Context(), "panic", "value", fmt.Sprintf("%T", v), "stack", string(debug.Stack()), "request_id", RequestID(r.Context()))
			s.renderError(w, r, kindOf(r), fmt.Errorf("panic: %T", v))
		}()
		next.ServeHTTP(w, r)
	})
}

// contentPolicy allows what the portal is made of and nothing else.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"

// secure sets the headers of a modern site. Everything is private unless a
// handler says otherwise.
func (s *Server) secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// Not no-referrer: browsers then send "Origin: null" with our own forms.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if s.Config.URL.Scheme == "https" {
			h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// language finds the reader's language: chosen in the menu, or wished by the
// browser.
func (s *Server) language(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chosen := ""
		if c, err := r.Cookie(languageCookie); err == nil {
			chosen = c.Value
		}
		wishes := []string{chosen, r.Header.Get("Accept-Language")}
		if !s.Demo { // the pseudo-language is for those who build the portal
			wishes = slices.DeleteFunc(wishes, func(w string) bool { return strings.EqualFold(w, i18n.Pseudo.String()) })
		}
		l := s.Texts.Localizer(wishes...)
		next.ServeHTTP(w, r.WithContext(i18n.NewContext(r.Context(), l)))
	})
}

// refuseCrossSite refuses writes that another site makes a browser send.
func (s *Server) refuseCrossSite(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.renderError(w, r, kindOf(r), problem.New(problem.Forbidden, "web.crossSite"))
	}))
	return protection.Handler(next)
}

// guard puts a route behind its permission and turns its error into an answer.
func (s *Server) guard(rt route) http.Handler {
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), rt.timeout(r.Method))
		defer cancel()
		r = r.WithContext(ctx)
		v, err := s.forSubject(r, visitorFrom(ctx), rt)
		r = r.WithContext(context.WithValue(ctx, visitorKey{}, v))
		if err == nil {
			r, err = s.act(w, r, rt)
		}
		switch {
		case errors.Is(err, errAnswered):
		case errors.Is(err, errOwnPages):
			http.Redirect(w, r, ownPage(r), http.StatusSeeOther)
		case err == nil:
			err = rt.handle(w, r)
			fallthrough
		default:
			if err != nil {
				s.renderError(w, r, rt.kind, err)
			}
		}
	})
	if rt.kind == asset {
		return answer // no session: these are asked for often, and by machines
	}
	limited := s.limit(answer)
	return s.Sessions.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := audit.WithOrigin(r.Context(), audit.Origin{RequestID: RequestID(r.Context()), Address: clientAddress(r)})
		v, err := s.visitor(ctx)
		ctx = webex.WithCaller(context.WithValue(ctx, visitorKey{}, v), v.PersonID)
		r = r.WithContext(ctx)
		switch {
		case err != nil:
			s.renderError(w, r, rt.kind, err)
		case rt.needs == "":
			s.renderError(w, r, rt.kind, problem.New(problem.Forbidden, "web.forbidden").Because(errors.New("the route declares no permission")))
		case v.May(rt.needs):
			limited.ServeHTTP(w, r)
		case v.PersonID == "":
			s.askToSignIn(w, r, rt.kind)
		default:
			s.renderError(w, r, rt.kind, problem.New(problem.Forbidden, "web.forbidden"))
		}
	}))
}

// ownPage is the address, among one's own pages, of a page below /people/{person}.
func ownPage(r *http.Request) string {
	_, page, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/people/"), "/")
	return signin.ReturnPath("/" + page)
}

// limit bounds what one person may ask. Visitors without a session are not
// counted: a whole company may sit behind one address.
func (s *Server) limit(next http.Handler) http.Handler {
	counted := s.limiter.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if visitorFrom(r.Context()).PersonID == "" {
			next.ServeHTTP(w, r)
			return
		}
		counted.ServeHTTP(w, r)
	})
}

func (s *Server) newLimiter() *httprate.RateLimiter {
	return httprate.NewRateLimiter(requestsPerMinute, time.Minute,
		// By person, not by session: anybody may have many of those.
		httprate.WithKeyFuncs(func(r *http.Request) (string, error) { return visitorFrom(r.Context()).PersonID, nil }),
		httprate.WithLimitHandler(func(w http.ResponseWriter, r *http.Request) {
			wait := time.Minute
			if seconds, err := strconv.Atoi(w.Header().Get("Retry-After")); err == nil {
				wait = time.Duration(seconds) * time.Second
			}
			p := problem.New(problem.RateLimited, "web.tooMany", "Count", int(wait.Seconds()))
			p.RetryAfter = wait
			s.renderError(w, r, kindOf(r), p)
		}))
}

// kindOf says what a request wants where its route is not at hand.
func kindOf(r *http.Request) kind {
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/"):
		return api
	case strings.HasPrefix(r.URL.Path, static.Prefix):
		return asset
	case isPartial(r):
		return card
	}
	return page
}

// isPartial: htmx asks for a card, not for a page.
func isPartial(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }

// askToSignIn sends a browser to the sign-in page and back afterwards; a card or
// a program is told.
func (s *Server) askToSignIn(w http.ResponseWriter, r *http.Request, k kind) {
	if k == api || isPartial(r) {
		s.renderError(w, r, k, problem.New(problem.Unauthorized, "web.signedOut"))
		return
	}
	target := "/login"
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		back := r.URL.RequestURI()
		if k == card {
			back = "/"
		}
		target += "?return=" + url.QueryEscape(back)
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// may reports whether the visitor has a permission, for what a page offers.
func may(ctx context.Context, p access.Permission) bool { return visitorFrom(ctx).May(p) }
