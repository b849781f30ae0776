package static

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestFilesAreServedForEverUnderHashedNames(t *testing.T) {
	t.Parallel()
	types := map[string]string{
		"app.css":     "text/css; charset=utf-8",
		"app.js":      "text/javascript; charset=utf-8",
		"htmx.min.js": "text/javascript; charset=utf-8",
		"favicon.svg": "image/svg+xml",
	}
	for name, want := range types {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain := get(t, http.MethodGet, URL(name), "")
			if plain.StatusCode != http.StatusOK {
				t.Fatalf("status %d", plain.StatusCode)
			}
			if got := plain.Header.Get("Content-Type"); got != want {
				t.Errorf("Content-Type %q, want %q", got, want)
			}
			if got := plain.Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
				t.Errorf("Cache-Control %q", got)
			}
			packed := get(t, http.MethodGet, URL(name), "br, gzip;q=0.8")
			if got := packed.Header.Get("Content-Encoding"); got != "gzip" {
				t.Fatalf("Content-Encoding %q, want gzip", got)
			}
			unpacked, err := gzip.NewReader(packed.Body)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(all(t, plain.Body), all(t, unpacked)) {
				t.Error("the compressed file is another file")
			}
		})
	}
}

func TestRequestsThatAreNotServed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		method, path string
		want         int
	}{
		"a name without its hash":  {http.MethodGet, "/static/app.css", http.StatusNotFound},
		"the folder":               {http.MethodGet, "/static/", http.StatusNotFound},
		"a way out of the folder":  {http.MethodGet, "/static/../static.go", http.StatusNotFound},
		"a write":                  {http.MethodPost, URL("app.css"), http.StatusMethodNotAllowed},
		"the wrong hash":           {http.MethodGet, "/static/app.0000000000000000.css", http.StatusNotFound},
		"the head of a known file": {http.MethodHead, URL("app.css"), http.StatusOK},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := get(t, tt.method, tt.path, "gzip").StatusCode; got != tt.want {
				t.Errorf("status %d, want %d", got, tt.want)
			}
		})
	}
}

func TestAcceptEncoding(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{"": false, "gzip": true, "br, GZIP": true, "gzip;q=0": false, "gzip; q=0.5": true, "gzip;q=x": false, "deflate": false}
	for header, want := range tests {
		if got := acceptsGzip(header); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

func TestUnknownNamePanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	URL("nothing.css")
}

// The limits are those of ux.md section 2, less 20 kB for the page itself.
func TestFirstVisitStaysWithinItsBudget(t *testing.T) {
	t.Parallel()
	total, script := 0, 0
	for url, f := range load().files {
		size := len(f.gzipped)
		if f.gzipped == nil {
			size = len(f.plain)
		}
		total += size
		if strings.HasSuffix(url, ".js") {
			script += size
		}
	}
	if total > 130_000 || script > 60_000 {
		t.Errorf("all files %d bytes (130000 allowed), scripts %d (60000 allowed)", total, script)
	}
}

func get(t *testing.T, method, path, acceptEncoding string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Accept-Encoding", acceptEncoding)
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func all(t *testing.T, r io.Reader) []byte {
	t.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
