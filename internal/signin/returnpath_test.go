package signin_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"patchbay/internal/signin"
)

func TestReturnPath(t *testing.T) {
	t.Parallel()
	stays := []string{
		"/", "/calls", "/people/Y2lzY29zcGFyazovL3Vz_-/calls", "/queues/", "/history?cursor=a%2Fb%5C%25&x=//y", "/people?query=%C3%BC",
		"/people/M%C3%BCller", "/a.b/..c/...", "/authorized", "/loginx", "/people?return=/login",
	}
	for _, path := range stays {
		if got := signin.ReturnPath(path); got != path {
			t.Errorf("%q becomes %q", path, got)
		}
	}
	refused := map[string]string{
		"nothing":                      "",
		"no slash":                     "calls",
		"another site":                 "https://evil.example/",
		"another site without scheme":  "//evil.example/",
		"three slashes":                "///evil.example",
		"a slash and a backslash":      "/\\evil.example",
		"a backslash":                  "\\\\evil.example",
		"a backslash later":            "/a\\..\\evil",
		"a script":                     "javascript:alert(1)",
		"data":                         "data:text/html,x",
		"a scheme after a space":       " https://evil.example",
		"a tab that browsers drop":     "/\t/evil.example",
		"a line that browsers drop":    "/\n/evil.example",
		"a header":                     "/calls\r\nSet-Cookie: a=b",
		"a zero byte":                  "/\x00/evil.example",
		"a delete":                     "/a\x7f",
		"a space":                      "/a b",
		"not ASCII":                    "/ü",
		"a slash of another script":    "/\u2215evil.example",
		"an encoded slash":             "/%2fevil.example",
		"an encoded slash in capitals": "/%2F%2Fevil.example",
		"an encoded slash later":       "/a%2fb",
		"an encoded backslash":         "/%5cevil.example",
		"encoded twice":                "/%252fevil.example",
		"an encoded tab":               "/%09/evil.example",
		"an encoded line":              "/calls%0d%0aSet-Cookie:a=b",
		"an encoded zero byte":         "/%00",
		"a broken encoding":            "/%zz",
		"half an encoding":             "/%2",
		"two slashes later":            "/calls//evil.example",
		"a dot":                        "/.//evil.example",
		"two dots":                     "/../evil",
		"two dots later":               "/calls/..//evil.example",
		"two dots at the end":          "/calls/..",
		"encoded dots":                 "/%2e%2e/evil",
		"user and host":                "/@evil.example//x",
		"a fragment":                   "/calls#x",
		"too long":                     "/" + strings.Repeat("a", 512),
		"signing in again":             "/authenticate?return=/authenticate",
		"coming back again":            "/authorize?code=1&state=2",
		"the login page":               "/login",
		"signing out":                  "/logout",
		"signing out, encoded":         "/%6cogout",
		"the login page with more":     "/login/x",
	}
	for name, path := range refused {
		if got := signin.ReturnPath(path); got != "/" {
			t.Errorf("%s: %q becomes %q", name, path, got)
		}
	}
}

// Whatever goes in, a browser stays on this site, also after Go's own redirect.
func FuzzReturnPath(f *testing.F) {
	for _, seed := range []string{"/calls?x=1", "//evil", "/\\evil", "/%2f", "/.//x", "/a/../..//b", "https:/evil", "/\t/x"} {
		f.Add(seed)
	}
	const site = "https://portal.example.com"
	base, err := url.Parse(site + "/authorize")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, wanted string) {
		got := signin.ReturnPath(wanted)
		if got != "/" && got != wanted {
			t.Fatalf("%q becomes %q", wanted, got)
		}
		w := httptest.NewRecorder()
		http.Redirect(w, httptest.NewRequest(http.MethodGet, "/authorize", nil), got, http.StatusSeeOther)
		for _, location := range []string{got, w.Header().Get("Location")} {
			// What browsers do before they read an address: drop tabs and lines, take \ for /.
			read := strings.NewReplacer("\t", "", "\n", "", "\r", "", "\\", "/").Replace(location)
			if !strings.HasPrefix(read, "/") || strings.HasPrefix(read, "//") {
				t.Fatalf("%q leads to %q", wanted, location)
			}
			u, err := base.Parse(read)
			if err != nil {
				t.Fatalf("%q leads to %q: %v", wanted, location, err)
			}
			if u.Scheme+"://"+u.Host != site || u.User != nil {
				t.Fatalf("%q leads to %s", wanted, u)
			}
			decoded, err := url.PathUnescape(u.EscapedPath())
			if err != nil || strings.HasPrefix(decoded, "//") || strings.Contains(decoded, "\\") {
				t.Fatalf("%q leads to %q", wanted, decoded)
			}
		}
	})
}
