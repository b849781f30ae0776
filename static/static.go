// Package static holds the files that browsers load beside the pages: styles,
// scripts and the icon. They are embedded, compressed once at start, and served
// under names that carry a hash of their content, so that they can be cached for
// ever.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed files
var embedded embed.FS

// Prefix is the path below which Handler must be mounted.
const Prefix = "/static/"

type file struct {
	contentType string
	plain       []byte
	gzipped     []byte // nil when compressing does not pay
}

type catalogue struct {
	urls  map[string]string // "app.css" -> "/static/app.0123456789abcdef.css"
	files map[string]file   // by URL
}

// load fails only on a fault of the build, so it panics.
var load = sync.OnceValue(func() catalogue {
	c := catalogue{urls: map[string]string{}, files: map[string]file{}}
	entries, err := fs.ReadDir(embedded, "files")
	if err != nil {
		panic("static: list the embedded files: " + err.Error())
	}
	for _, entry := range entries {
		name := entry.Name()
		data, err := embedded.ReadFile("files/" + name)
		if err != nil {
			panic("static: read " + name + ": " + err.Error())
		}
		sum := sha256.Sum256(data)
		ext := path.Ext(name)
		url := Prefix + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:8]) + ext
		c.urls[name] = url
		c.files[url] = file{contentType: contentType(ext), plain: data, gzipped: compress(data)}
	}
	return c
})

// contentType does not ask the machine's own table for the types used here:
// browsers refuse a script whose type some administrator has changed.
func contentType(ext string) string {
	switch ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".webmanifest":
		return "application/manifest+json"
	}
	return mime.TypeByExtension(ext)
}

func compress(data []byte) []byte {
	var buf bytes.Buffer
	// Neither call can fail: the level is valid and a bytes.Buffer takes everything.
	w, _ := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	_, _ = w.Write(data)
	_ = w.Close()
	if buf.Len() >= len(data) {
		return nil
	}
	return buf.Bytes()
}

// URL is the address of the file name, such as "app.css". It panics on a name
// that is not there, because a page without its styles is a fault of the build.
func URL(name string) string {
	url, ok := load().urls[name]
	if !ok {
		panic("static: no file " + strconv.Quote(name))
	}
	return url
}

// Handler serves the files. Only names with the right hash exist; everything
// else below Prefix is not found.
func Handler() http.Handler {
	files := load().files
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		header := w.Header()
		header.Set("Content-Type", f.contentType)
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
		header.Set("Vary", "Accept-Encoding")
		header.Set("X-Content-Type-Options", "nosniff")
		body := f.plain
		if f.gzipped != nil && acceptsGzip(r.Header.Get("Accept-Encoding")) {
			header.Set("Content-Encoding", "gzip")
			body = f.gzipped
		}
		header.Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method == http.MethodHead {
			return
		}
		_, _ = w.Write(body) // the browser has gone; nobody is left to tell
	})
}

// acceptsGzip reads an Accept-Encoding header (RFC 9110, section 12.5.3).
func acceptsGzip(header string) bool {
	for coding := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		q, found := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		if !found {
			return true
		}
		weight, err := strconv.ParseFloat(q, 64)
		return err == nil && weight > 0
	}
	return false
}
