package templates

import (
	"context"
	"embed"
	"io"
	"io/fs"
	"strings"
	"sync"

	"github.com/a-h/templ"
)

// The icons are Momentum's (MIT, icons/LICENSE.md), renamed for what they mean here.
//
//go:embed icons/*.svg
var iconFiles embed.FS

var icons = sync.OnceValue(func() map[string]string {
	files, err := fs.Glob(iconFiles, "icons/*.svg")
	if err != nil {
		panic("templates: list the embedded icons: " + err.Error())
	}
	byName := make(map[string]string, len(files))
	for _, path := range files {
		data, err := iconFiles.ReadFile(path)
		if err != nil {
			panic("templates: read " + path + ": " + err.Error())
		}
		_, shape, found := strings.Cut(string(data), `viewBox="0 0 32 32">`)
		if !found {
			panic("templates: " + path + " is not 32 units wide and high")
		}
		name := strings.TrimSuffix(strings.TrimPrefix(path, "icons/"), ".svg")
		byName[name] = `<svg class="icon" viewBox="0 0 32 32" fill="currentColor" aria-hidden="true" focusable="false">` + shape
	}
	return byName
})

// Icon draws an icon that says nothing to screen readers: words go beside it. It
// panics on an unknown name, which is a fault of the build.
func Icon(name string) templ.Component {
	svg, ok := icons()[name]
	if !ok {
		panic("templates: no icon " + name)
	}
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, svg)
		return err
	})
}
