package web

import (
	"net/http"

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

		{"GET", "/", page, access.ReadOwn, s.showHome},
		{"GET", "/calls", page, access.ReadOwn, s.showCalls},
		{"GET", "/queues", page, access.ReadOwn, s.showQueues},
		{"GET", "/phones", page, access.ReadOwn, s.showPhones},
		{"GET", "/history", page, access.ReadOwn, s.showHistory},
		{"GET", "/health", page, access.Operate, s.showHealth},

		{"GET", "/cards/{card}", card, access.ReadOwn, s.showCard},
		{"GET", "/cards/health", card, access.Operate, s.showHealthCard},
		{"GET", "/number", card, access.ReadOwn, s.showNumberMeaning},
		{"POST", "/calls/{setting}", card, access.ChangeOwn, s.saveSetting},
		{"POST", "/queues", card, access.ChangeOwn, s.saveAllQueues},
		{"POST", "/queues/{queue}", card, access.ChangeOwn, s.saveQueue},
		{"POST", "/history/{record}/undo", card, access.ChangeOwn, s.undo},

		{"GET", "/api/me", api, access.ReadOwn, s.apiMe},
		{"GET", "/api/me/settings", api, access.ReadOwn, s.apiSettings},
		{"GET", "/api/me/settings/{setting}", api, access.ReadOwn, s.apiSetting},
		{"PUT", "/api/me/settings/{setting}", api, access.ChangeOwn, s.apiPutSetting},
		{"GET", "/api/me/queues", api, access.ReadOwn, s.apiQueues},
		{"PUT", "/api/me/queues/{queue}", api, access.ChangeOwn, s.apiPutQueue},
		{"GET", "/api/me/devices", api, access.ReadOwn, s.apiDevices},
		{"GET", "/api/me/history", api, access.ReadOwn, s.apiHistory},
		{"POST", "/api/history/{record}/undo", api, access.ChangeOwn, s.apiUndo},
		{"GET", "/api/openapi.json", api, anyone, s.apiDescription},
		{"GET", "/api/docs", page, anyone, s.showDocs},
		{"GET", "/api/*", api, anyone, s.notFound},
	}
	if s.Demo {
		routes = append(routes, route{"GET", "/gallery", page, anyone, s.showGallery})
	}
	return routes
}

func serve(h http.Handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}
