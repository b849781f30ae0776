package web

import "patchbay/internal/access"

// Route is an entry of the table of routes, for those who look at it from outside:
// the test of who may do what, and the docs that are made from it.
type Route struct {
	Method, Pattern string
	Needs           access.Permission
}

// Routes lists everything that the portal answers, in the order of the table.
func (s *Server) Routes() []Route {
	var list []Route
	for _, r := range s.routes() {
		list = append(list, Route{r.method, r.pattern, r.needs})
	}
	return list
}
