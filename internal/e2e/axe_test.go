package e2e

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// axe-core 4.14.1, which is not shipped with the portal; its licence lies beside it.
//
//go:embed testdata/axe/axe.min.js
var axe string

// runAxe asks for every rule of WCAG 2.2 AA and below and for good practice;
// target-size is off unless asked for. The gallery shows the same card many
// times, which no page does, so there its regions may have the same names.
const runAxe = `axe.run(document, {
	runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']},
	rules: {'target-size': {enabled: true}, 'landmark-unique': {enabled: !document.querySelector('.gallery-index')}},
	resultTypes: ['violations'],
}).then((r) => JSON.stringify(r.violations.map((v) => ({
	rule: v.id, help: v.help, nodes: v.nodes.slice(0, 5).map((n) => n.target.join(' ') + '\n' + n.html.slice(0, 200) + '\n' + n.failureSummary),
}))))`

type violation struct {
	Rule, Help string
	Nodes      []string
}

// look is one way to look at a page.
type look struct {
	theme string
	width int64
}

var looks = []look{{"light", 320}, {"light", 1280}, {"dark", 320}, {"dark", 1280}}

func (l look) String() string { return fmt.Sprintf("%s, %d px", l.theme, l.width) }

// lookAs shows the page so, without movement: colours on their way are no colours.
func (b *tab) lookAs(l look) {
	b.t.Helper()
	b.media("prefers-color-scheme", l.theme, "prefers-reduced-motion", "reduce")
	b.size(l.width, 900)
	// As high as the page: else the bar at the bottom lies on top of something, and
	// a person would scroll.
	b.size(l.width, value[int64](b, `Math.max(900, document.documentElement.scrollHeight)`))
	value[bool](b, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)
}

// takePictures is set by the tag screenshots: for people to look at what was inspected.
var takePictures bool

// inspect finds what a machine can find wrong with the page as it is.
func inspect(b *tab, what string, l look) {
	b.t.Helper()
	b.lookAs(l)
	if loaded := value[bool](b, `typeof axe === 'object'`); !loaded {
		value[bool](b, axe+"\n;true")
	}
	// All of the gallery at once takes axe longer than a page ever may.
	ctx, cancel := context.WithTimeout(b.ctx, 6*patience)
	defer cancel()
	found, err := chromedp.Run(ctx, chromedp.Evaluate[string](runAxe, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("axe on %s: %v", what, err)
	}
	var violations []violation
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		b.t.Fatalf("axe on %s: %v", what, err)
	}
	for _, v := range violations {
		b.t.Errorf("%s (%s) breaks %s: %s\n%s", what, l, v.Rule, v.Help, strings.Join(v.Nodes, "\n"))
	}
	if twice := value[[]string](b, `(() => {
		const ids = [...document.querySelectorAll('[id]')].map((e) => e.id)
		return [...new Set(ids.filter((id, i) => ids.indexOf(id) !== i))]
	})()`); len(twice) > 0 {
		b.t.Errorf("%s has these ids more than once: %v", what, twice)
	}
	if wide := value[[]string](b, `document.scrollingElement.scrollWidth <= innerWidth ? [] :
		[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && e.checkVisibility())
			.map((e) => e.outerHTML.slice(0, 120)).slice(0, 5)`); len(wide) > 0 {
		b.t.Errorf("%s (%s) scrolls sideways because of\n%s", what, l, strings.Join(wide, "\n"))
	}
	if takePictures {
		b.save(filepath.Join(artifacts(b.t, "screenshots"), fmt.Sprintf("%s-%s-%d.png", strings.NewReplacer("/", "_", "?", "_").Replace(what), l.theme, l.width)))
	}
}

func TestPagesAreAccessible(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		who  string // "" is nobody
		path string
		then func(b *tab)
	}{
		"login":                        {"", "/login", nil},
		"login after signing out":      {"", "/login?out=1", nil},
		"login for a page":             {"", "/calls", nil},
		"sign-in failed":               {"", "/authenticate?login_hint=" + noah, nil},
		"the simulator's chooser":      {"", "/authenticate", nil},
		"the API page, signed out":     {"", "/api/docs", nil},
		"not found, signed out":        {"", "/nothing", nil},
		"home":                         {greta, "/", nil},
		"home with the account menu":   {greta, "/", func(b *tab) { b.by("DisclosureTriangle", "Greta Holm*").click() }},
		"home of an administrator":     {ines, "/", nil},
		"home with a long name":        {eva, "/", nil},
		"home of a forwarded person":   {tom, "/", nil},
		"home with hidden features":    {hana, "/", nil},
		"calls":                        {greta, "/calls", nil},
		"calls with hidden features":   {hana, "/calls", nil},
		"calls with every form opened": {eva, "/calls", func(b *tab) { revealAll(b) }},
		"queues":                       {greta, "/queues", nil},
		"queues of nobody":             {eva, "/queues", nil},
		"phones":                       {greta, "/phones", nil},
		"history":                      {greta, "/history", nil},
		"health":                       {ines, "/health", nil},
		"no permission":                {eva, "/health", nil},
		"not found":                    {eva, "/nothing", nil},
		"the API page":                 {eva, "/api/docs", nil},
		"the API page, with answers": {eva, "/api/docs", func(b *tab) {
			for _, name := range []string{"Who I am", "My phones"} {
				b.by("DisclosureTriangle", "*"+name).click()
				b.by("button", "Send : "+name).click()
				b.by("region", "Answer: "+name).says("200")
			}
		}},
		"help":             {eva, "/help", nil},
		"help, signed out": {"", "/help", nil},
		"a wrong number": {eva, "/calls", func(b *tab) {
			card := b.card("Forward all calls")
			card.by("checkbox", "Send every call somewhere else").click()
			card.by("textbox", "Send calls to").fill("+49 12")
			card.button("Save").click()
			card.by("group", "There is a problem").focused()
		}},
		"the session's end": {eva, "/", func(b *tab) { value[bool](b, `document.getElementById('session-ended').showModal() ?? true`) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, shared)
			if test.who != "" {
				b.signIn(test.who, "/phones")
			}
			b.open(test.path)
			if test.then != nil {
				test.then(b)
			}
			for _, l := range looks {
				inspect(b, name, l)
			}
		})
	}
}

// revealAll ticks what opens the rest of a form, without saving.
func revealAll(b *tab) {
	b.t.Helper()
	value[bool](b, `(() => {
		for (const tick of document.querySelectorAll('[data-reveal]:not(:checked)')) tick.click()
		return true
	})()`)
}

// The gallery has every card in every state; whole pages are states too.
func TestGalleryIsAccessible(t *testing.T) {
	t.Parallel()
	pages := galleryPages(t)
	for _, l := range looks {
		t.Run("cards, "+l.String(), func(t *testing.T) {
			t.Parallel()
			b := newTab(t, shared)
			b.lookAs(l)
			b.navigate(shared.url + "/gallery")
			inspect(b, "the gallery", l)
		})
	}
	for _, id := range pages {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, shared)
			b.navigate(shared.url + "/gallery?only=" + id)
			for _, l := range looks {
				inspect(b, id, l)
			}
		})
	}
}

// galleryPages lists the states that are whole pages.
func galleryPages(t *testing.T) []string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, shared.url+"/gallery", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	html, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var pages []string
	for _, match := range regexp.MustCompile(`href="\?only=(page-[^"]+)"`).FindAllStringSubmatch(string(html), -1) {
		pages = append(pages, match[1])
	}
	if len(pages) == 0 {
		t.Fatal("the gallery lists no pages")
	}
	return pages
}
