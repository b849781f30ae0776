package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"patchbay/internal/config"
)

func TestTheAddressOfAClient(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	for name, tt := range map[string]struct {
		proxies   []netip.Prefix
		peer      string
		forwarded []string // the values of X-Forwarded-For
		want      string
	}{
		"without proxies the other end of the connection":           {nil, "198.51.100.7:4711", nil, "198.51.100.7"},
		"without proxies nobody is believed":                        {nil, "198.51.100.7:4711", []string{"203.0.113.9"}, "198.51.100.7"},
		"not even somebody on this machine":                         {nil, "127.0.0.1:4711", []string{"203.0.113.9"}, "127.0.0.1"},
		"IPv6":                                                      {nil, "[2001:db8:0::7]:4711", nil, "2001:db8::7"},
		"IPv4 on a listener for both":                               {nil, "[::ffff:198.51.100.7]:4711", nil, "198.51.100.7"},
		"a socket without an address":                               {nil, "@", nil, ""},
		"a trusted proxy tells who it is":                           {proxies, "10.0.0.1:4711", []string{"203.0.113.9"}, "203.0.113.9"},
		"a trusted proxy with IPv6":                                 {proxies, "[2001:db8::1]:4711", []string{"2001:0:0::9"}, "2001::9"},
		"two trusted proxies in a row":                              {proxies, "10.0.0.1:4711", []string{"203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		"what the client made up stands before what the proxy adds": {proxies, "10.0.0.1:4711", []string{"192.0.2.1, 203.0.113.9"}, "203.0.113.9"},
		"in a header of its own too":                                {proxies, "10.0.0.1:4711", []string{"192.0.2.1", "203.0.113.9"}, "203.0.113.9"},
		"a made-up proxy does not help":                             {proxies, "10.0.0.1:4711", []string{"192.0.2.1, 10.0.0.9, 203.0.113.9"}, "203.0.113.9"},
		"past the proxy nobody is believed":                         {proxies, "198.51.100.7:4711", []string{"203.0.113.9"}, "198.51.100.7"},
		"nor with a proxy's address":                                {proxies, "198.51.100.7:4711", []string{"203.0.113.9, 10.0.0.1"}, "198.51.100.7"},
		"a proxy in the clothes of IPv6":                            {proxies, "10.0.0.1:4711", []string{"203.0.113.9, ::ffff:10.0.0.2"}, "203.0.113.9"},
		"nonsense from the proxy":                                   {proxies, "10.0.0.1:4711", []string{"192.0.2.1, <script>"}, ""},
		"a proxy that tells nothing":                                {proxies, "10.0.0.1:4711", nil, ""},
		"only proxies":                                              {proxies, "10.0.0.1:4711", []string{"10.0.0.3, 10.0.0.2"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &Server{Deps: Deps{Config: config.Config{TrustedProxies: tt.proxies}}}
			got := "nothing asked"
			h := s.findAddress(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = clientAddress(r) }))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.RemoteAddr = tt.peer
			for _, v := range tt.forwarded {
				r.Header.Add("X-Forwarded-For", v)
			}
			for _, other := range []string{"X-Real-Ip", "True-Client-Ip", "Forwarded", "Cf-Connecting-Ip"} {
				r.Header.Set(other, "192.0.2.66") // no other header counts
			}
			h.ServeHTTP(httptest.NewRecorder(), r)
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
