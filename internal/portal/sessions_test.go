package portal_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"patchbay/internal/seal"
	"patchbay/internal/session"
)

func TestASessionKnowsWhatSignedInAndFromWhere(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ proxies, want string }{
		"behind a proxy that is trusted": {"127.0.0.1", "203.0.113.9"},
		"nobody is trusted":              {"", "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{env: map[string]string{"TRUSTED_PROXIES": tt.proxies}}).replicas[0]
			b := r.browser(t)
			header := http.Header{"User-Agent": {"Browser/7"}, "X-Forwarded-For": {"192.0.2.1, 203.0.113.9"}}
			b.send(request{method: http.MethodGet, path: "/authenticate?login_hint=" + url.QueryEscape(greta), header: header})
			var me struct{ ID string }
			if err := json.Unmarshal([]byte(b.get("/api/me").body), &me); err != nil {
				t.Fatal(err)
			}
			key, err := base64.StdEncoding.DecodeString(secretKey)
			if err != nil {
				t.Fatal(err)
			}
			sealer, err := seal.New(key)
			if err != nil {
				t.Fatal(err)
			}
			sessions := session.New(session.Deps{Redis: r.db, Sealer: sealer, Idle: time.Hour, Lifetime: 12 * time.Hour, Now: r.clock.Now})
			list, err := sessions.List(t.Context(), me.ID)
			if err != nil || len(list) != 1 || list[0].Address != tt.want || list[0].UserAgent != "Browser/7" {
				t.Errorf("listed: %+v, %v; want one from %s", list, err, tt.want)
			}
		})
	}
}
