package templates

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"patchbay/internal/i18n"
)

func TestEveryStateIsSoundHTML(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "en-XA"} {
		for id, page := range renderedGallery(t, lang) {
			t.Run(lang+"/"+id, func(t *testing.T) {
				t.Parallel()
				checkPage(t, page)
			})
		}
	}
}

func TestUnknownStateIsNotInTheGallery(t *testing.T) {
	t.Parallel()
	if _, ok := Gallery(Frame{}, "no-such-state"); ok {
		t.Error("it is")
	}
}

// Every text that a component asks for must be in the language file: a missing one
// would be shown as its key.
func TestTextsAreInTheLanguageFile(t *testing.T) {
	t.Parallel()
	bundle, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	known := bundle.Keys()
	keys := regexp.MustCompile(`(?:i18n\.T\(ctx, |T\()"([a-zA-Z.]+)"[,)]`)
	begun := regexp.MustCompile(`i18n\.T\(ctx, "([a-zA-Z.]+\.)"\+`)
	passed := regexp.MustCompile(`"((?:forward|intercept|queues|action|note|strip|docs|gallery|health|history|phones)\.[a-zA-Z.]+)"`)
	for _, file := range sources(t) {
		for _, m := range append(keys.FindAllStringSubmatch(file.text, -1), passed.FindAllStringSubmatch(file.text, -1)...) {
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s asks for %q, which is in no language file", file.name, m[1])
			}
		}
		for _, m := range begun.FindAllStringSubmatch(file.text, -1) {
			if !slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, m[1]) }) {
				t.Errorf("%s asks for a text that begins with %q; no language file has one", file.name, m[1])
			}
		}
	}
}

// Words inside a template would be shown in one language only.
func TestTemplatesHoldNoWords(t *testing.T) {
	t.Parallel()
	words := regexp.MustCompile(`^\s*(?:<[a-z][^{}]*>)+\s*[A-Z][a-z]+`)
	for _, file := range sources(t) {
		if !strings.HasSuffix(file.name, ".templ") {
			continue
		}
		for i, line := range strings.Split(file.text, "\n") {
			if words.MatchString(line) {
				t.Errorf("%s:%d: %s", file.name, i+1, strings.TrimSpace(line))
			}
		}
	}
}

func TestBottomBar(t *testing.T) {
	t.Parallel()
	entries := func(pages ...string) []NavEntry {
		var list []NavEntry
		for _, p := range pages {
			list = append(list, NavEntry{Page: p})
		}
		return list
	}
	tests := map[string]struct{ all, first, rest []NavEntry }{
		"few pages need no More":               {entries("home", "calls", "phones", "history"), entries("home", "calls", "phones", "history"), nil},
		"five pages fit":                       {entries("home", "calls", "queues", "phones", "history"), entries("home", "calls", "queues", "phones", "history"), nil},
		"the most used come first":             {entries("home", "history", "calls", "phones", "queues", "health"), entries("home", "calls", "queues", "phones"), entries("history", "health")},
		"others take the place of what is not": {entries("home", "calls", "history", "health", "people", "access"), entries("home", "calls", "history", "health"), entries("people", "access")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, rest := splitNav([]NavGroup{{Name: "me", Entries: tt.all}})
			if !slices.Equal(first, tt.first) || !slices.Equal(rest, tt.rest) {
				t.Errorf("got %v and %v, want %v and %v", first, rest, tt.first, tt.rest)
			}
		})
	}
}

func TestWindowTitle(t *testing.T) {
	t.Parallel()
	ctx := i18n.NewContext(t.Context(), localizer(t, "en"))
	tests := map[string]Frame{
		"Calls · Me · Patchbay":        {Title: "Calls", Group: "Me"},
		"Error: Calls · Me · Patchbay": {Title: "Calls", Group: "Me", HasError: true},
		"Welcome · Patchbay":           {Title: "Welcome"},
	}
	for want, f := range tests {
		if got := windowTitle(ctx, f); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// An icon that is asked for by a value of the props must exist: a missing one
// panics while a page is being written.
func TestIconsOfStepsAndPages(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"incoming", "phones", "voicemail", "forward", "mobile", "queues", "blocked", "cancel", "home", "calls", "history", "health", "dnd", "lock"} {
		if _, ok := icons()[name]; !ok {
			t.Errorf("no icon %s", name)
		}
	}
}

type source struct{ name, text string }

func sources(t *testing.T) []source {
	t.Helper()
	var list []source
	for _, pattern := range []string{"*.templ", "*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_templ.go") {
				continue
			}
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, source{name, string(data)})
		}
	}
	return list
}

func localizer(t *testing.T, lang string) *i18n.Localizer {
	t.Helper()
	bundle, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	return bundle.Localizer(lang)
}

// renderedGallery is every state by its id, and the page of all of them.
func renderedGallery(t *testing.T, lang string) map[string]string {
	t.Helper()
	ctx := i18n.NewContext(t.Context(), localizer(t, lang))
	f := GalleryFrame(ctx, ThemeSystem)
	pages := map[string]string{}
	for _, id := range append([]string{""}, stateIDs(f)...) {
		component, ok := Gallery(f, id)
		if !ok {
			t.Fatalf("no state %q", id)
		}
		var buf bytes.Buffer
		if err := component.Render(ctx, &buf); err != nil {
			t.Fatalf("render %q: %v", id, err)
		}
		pages["only="+id] = buf.String()
	}
	return pages
}

func stateIDs(f Frame) []string {
	var ids []string
	for _, s := range GalleryStates(f) {
		ids = append(ids, s.ID)
	}
	return ids
}

func checkPage(t *testing.T, page string) {
	t.Helper()
	if i := strings.Index(page, "[["); i >= 0 {
		t.Errorf("a text is missing: %.60s", page[i:])
	}
	if strings.Contains(page, "%!") {
		t.Error("a text is badly formatted")
	}
	ids, refs := map[string]int{}, []string{}
	headings := 0
	var open []string
	tokens := html.NewTokenizer(strings.NewReader(page))
	for {
		kind := tokens.Next()
		if kind == html.ErrorToken {
			break
		}
		token := tokens.Token()
		switch kind {
		case html.StartTagToken:
			if token.Data == "h1" {
				headings++
			}
			if !isVoid(token.Data) {
				open = append(open, token.Data)
			}
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != token.Data {
				t.Fatalf("</%s> closes %v", token.Data, open)
			}
			open = open[:len(open)-1]
		}
		for _, a := range token.Attr {
			switch {
			case a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on"):
				t.Errorf("<%s> has %s, which the Content-Security-Policy forbids", token.Data, a.Key)
			case strings.HasPrefix(a.Val, "js:") || strings.HasPrefix(a.Val, "javascript:"):
				t.Errorf("<%s %s> holds a script", token.Data, a.Key)
			case a.Key == "hx-trigger" && strings.Contains(a.Val, "["):
				t.Errorf("<%s> has a filter in hx-trigger, which needs eval", token.Data)
			case a.Key == "id":
				ids[a.Val]++
			case a.Key == "for" || a.Key == "aria-labelledby" || a.Key == "aria-describedby" || a.Key == "aria-controls" || a.Key == "data-row" || a.Key == "data-copy":
				refs = append(refs, strings.Fields(a.Val)...)
			case a.Key == "hx-target" && strings.HasPrefix(a.Val, "#"):
				refs = append(refs, a.Val[1:])
			}
		}
	}
	if len(open) > 0 {
		t.Errorf("not closed: %v", open)
	}
	if headings != 1 {
		t.Errorf("%d headings of level 1, want one", headings)
	}
	for id, n := range ids {
		if n > 1 || id == "" {
			t.Errorf("id %q is there %d times", id, n)
		}
	}
	for _, ref := range refs {
		if ids[ref] == 0 {
			t.Errorf("something points to the id %q, which is not there", ref)
		}
	}
}

func isVoid(name string) bool {
	return slices.Contains([]string{"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}, name)
}

// A switch says its value by itself without JavaScript: the button is named
// after the act.
func TestSwitchWithoutJavaScript(t *testing.T) {
	t.Parallel()
	ctx := i18n.NewContext(t.Context(), localizer(t, "en"))
	for on, want := range map[bool]string{true: "Turn off", false: "Turn on"} {
		var buf bytes.Buffer
		p := with(fixtureWaiting("x"), func(p *Switches) { p.Items[0].On = on })
		if err := SwitchesCard(p).Render(ctx, &buf); err != nil {
			t.Fatal(err)
		}
		button := fmt.Sprintf(`name="enabled" value="%v">%s`, !on, want)
		if !strings.Contains(buf.String(), button) {
			t.Errorf("on=%v: no button %q in %s", on, button, buf.String())
		}
	}
}
