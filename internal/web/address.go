package web

import (
	"net/http"

	"github.com/go-chi/chi/v5/middleware"
)

// findAddress finds out where a request comes from. X-Forwarded-For is believed from
// its end, and only as far as TRUSTED_PROXIES wrote it: anybody can send one.
func (s *Server) findAddress(next http.Handler) http.Handler {
	if len(s.Config.TrustedProxies) == 0 {
		return middleware.ClientIPFromRemoteAddr(next)
	}
	var prefixes []string
	for _, p := range s.Config.TrustedProxies {
		prefixes = append(prefixes, p.String())
	}
	return middleware.ClientIPFromXFF(prefixes...)(next)
}

// clientAddress is the IP address that the request comes from, in its shortest form;
// "" when the trusted proxies do not tell it.
func clientAddress(r *http.Request) string { return middleware.GetClientIP(r.Context()) }
