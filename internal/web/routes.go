package web

import (
	"net/http"
	"slices"
	"strings"

	"patchbay/internal/access"
	"patchbay/static"
)

// kind says what a route answers with, also when something goes wrong.
type kind string

const (
	page  kind = "page"  // a whole HTML page
	card  kind = "card"  // a card for htmx; a page for a browser without JavaScript
	api   kind = "api"   // JSON
	asset kind = "asset" // a file that is the same for everybody, without a session
)

// anyone is access.Anyone, under a short name for the table.
const anyone = access.Anyone

// handler answers a request or says why not; see Server.guard.
type handler func(w http.ResponseWriter, r *http.Request) error

// route is one entry of the table. A route without a permission is refused to
// everybody.
type route struct {
	method, pattern string
	kind            kind
	needs           access.Permission
	handle          handler
}

// routes is the table of everything the portal answers.
func (s *Server) routes() []route {
	routes := []route{
		{"GET", "/login", page, anyone, s.showLogin},
		{"GET", "/authenticate", page, anyone, s.startSignIn},
		{"GET", "/authorize", page, anyone, s.finishSignIn},
		{"POST", "/logout", page, anyone, s.signOut},
		{"GET", "/session", card, access.SignedIn, s.showSession},
		{"POST", "/preferences", page, anyone, s.savePreferences},
		{"GET", "/help", page, anyone, s.showHelp},
		{"GET", "/static/*", asset, anyone, serve(static.Handler())},
		{"GET", "/favicon.ico", asset, anyone, showFavicon},
		{"GET", "/robots.txt", asset, anyone, showRobots},
		{"GET", "/healthz", asset, anyone, s.showAlive},
		{"GET", "/readyz", asset, anyone, s.showReady},

		{"GET", "/health", page, access.Operate, s.showHealth},
		{"GET", "/cards/health", card, access.Operate, s.showHealthCard},

		{"POST", "/people/{person}/stop", page, access.ReadPeople, s.stopActing},
		{"POST", "/people/{person}/preview", page, access.ChangePolicy, s.startPreview},
		{"GET", "/people/{person}/start", page, access.ReadPeople, s.showStart},
		{"POST", "/people/{person}/start", page, access.ReadPeople, s.startActing},

		{"GET", "/api/me", api, access.ReadOwn, s.apiMe},
		{"GET", "/api/me/history", api, access.ReadOwn, s.apiHistory},
		{"GET", "/api/people/{person}/history", api, access.ReadPeople, s.apiHistory},
		{"POST", "/api/history/{record}/undo", api, access.ChangeOwn, s.apiUndo},
		{"GET", "/api/openapi.json", api, anyone, s.apiDescription},
		{"GET", "/api/docs", page, anyone, s.showDocs},
		{"GET", "/api/*", api, anyone, s.notFound},
	}
	routes = slices.Concat(routes, s.peopleRoutes(), s.boardRoutes(), s.grantingRoutes(), s.logRoutes(), s.deviceRoutes())
	for _, p := range s.personal() {
		own, others := access.ReadOwn, access.ReadPeople
		if p.method != http.MethodGet {
			own, others = access.ChangeOwn, access.ChangePeople
		}
		prefix := "/people/{person}"
		below := p.pattern
		if p.kind == api {
			prefix, below = "/api/people/{person}", strings.TrimPrefix(p.pattern, "/api/me")
		}
		routes = append(routes, route{p.method, p.pattern, p.kind, own, p.handle}, route{p.method, strings.TrimSuffix(prefix+below, "/"), p.kind, others, p.handle})
	}
	if s.Demo {
		routes = append(routes, route{"GET", "/gallery", page, anyone, s.showGallery})
	}
	return routes
}

// personalRoute is a route that there is twice: for oneself, and below /people for
// whom one may act for.
type personalRoute struct {
	method, pattern string
	kind            kind
	handle          handler
}

func (s *Server) personal() []personalRoute {
	return []personalRoute{
		{"GET", "/", page, s.showHome},
		{"GET", "/calls", page, s.showCalls},
		{"GET", "/queues", page, s.showQueues},
		{"GET", "/phones", page, s.showPhones},
		{"GET", "/history", page, s.showHistory},

		{"GET", "/cards/{card}", card, s.showCard},
		{"GET", "/number", card, s.showNumberMeaning},
		{"POST", "/calls/{setting}", card, s.saveSetting},
		{"POST", "/queues", card, s.saveAllQueues},
		{"POST", "/queues/{queue}", card, s.saveQueue},
		{"POST", "/history/{record}/undo", card, s.undo},

		{"GET", "/api/me/settings", api, s.apiSettings},
		{"GET", "/api/me/settings/{setting}", api, s.apiSetting},
		{"PUT", "/api/me/settings/{setting}", api, s.apiPutSetting},
		{"GET", "/api/me/queues", api, s.apiQueues},
		{"PUT", "/api/me/queues/{queue}", api, s.apiPutQueue},
		{"GET", "/api/me/devices", api, s.apiDevices},
	}
}

func serve(h http.Handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}
