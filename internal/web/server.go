// Package web is the portal's face: pages, the cards on them, forms, and the JSON
// API. Handlers read the request, call one service, and render; they return
// errors, which are turned into answers in one place.
package web

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httprate"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/config"
	"patchbay/internal/directory"
	"patchbay/internal/i18n"
	"patchbay/internal/selfservice"
	"patchbay/internal/serviceapp"
	"patchbay/internal/session"
	"patchbay/internal/signin"
	"patchbay/internal/webex"
)

// compression is gzip's middle way between size and time.
const compression = 5

// Deps are what a Server needs.
type Deps struct {
	Config   config.Config
	Texts    *i18n.Bundle
	Sessions *session.Manager
	SignIn   *signin.Flow
	Settings *selfservice.Service
	Access   *access.Service
	Audit    *audit.Log
	// Directory is the organization's people.
	Directory *directory.Directory
	Tokens    *serviceapp.Keeper
	Webex     *webex.Client
	Redis     redis.UniversalClient
	Metrics   prometheus.Registerer
	Now       func() time.Time
	Log       *slog.Logger
	Version   string

	// Fleeting says that the state of the portal ends with the process.
	Fleeting bool
	// Demo says so on every page, offers the pseudo-language, and shows every
	// component in every state at /gallery.
	Demo bool
}

// Server answers requests.
type Server struct {
	Deps
	started time.Time
	answers *prometheus.CounterVec
	limiter *httprate.RateLimiter
}

// New makes a Server.
func New(d Deps) *Server {
	s := &Server{Deps: d, started: d.Now()}
	s.limiter = s.newLimiter()
	s.answers = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "portal_http_requests_total", Help: "Answers of the portal, by kind of route and class of status.",
	}, []string{"kind", "class"})
	if d.Metrics != nil {
		d.Metrics.MustRegister(s.answers)
	}
	return s
}

// Handler is the whole site.
func (s *Server) Handler() http.Handler {
	mux := chi.NewRouter()
	mux.Use(s.requestID, s.findAddress, s.observe, s.secure, s.language, s.recoverPanics, s.refuseCrossSite, middleware.GetHead,
		// Pages hold no secret beside words of the visitor's own, so compressing them gives nothing away.
		middleware.Compress(compression, "text/html", "application/json", "application/problem+json"))
	for _, r := range s.routes() {
		mux.Method(r.method, r.pattern, s.guard(r))
	}
	// What is not there is said in the form of what was looked for.
	nothing := func(w http.ResponseWriter, r *http.Request) {
		s.guard(route{kind: kindOf(r), needs: anyone, handle: s.notFound}).ServeHTTP(w, r)
	}
	mux.NotFound(nothing)
	mux.MethodNotAllowed(nothing)
	return mux
}
