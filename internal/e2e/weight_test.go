package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
)

// Limits of the user experience guide: a first visit, later ones, and how far the
// page may jump while its cards come.
const (
	firstBytes, firstScript, firstRequests = 150_000, 60_000, 15
	laterBytes                             = 30_000
	mostShift                              = 0.02
)

// traffic is what one visit loaded, as it went over the wire.
type traffic struct {
	bytes, script float64
	requests      []string
}

// load opens a path and counts until all cards are there.
func load(b *tab, path string) traffic {
	b.t.Helper()
	var kinds = map[network.RequestID]network.ResourceType{}
	counted := traffic{}
	b.mu.Lock()
	b.received = func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			kinds[e.RequestID] = e.Type
			counted.requests = append(counted.requests, e.Request.URL)
		case *network.EventLoadingFinished:
			counted.bytes += e.EncodedDataLength
			if kinds[e.RequestID] == network.ResourceTypeScript {
				counted.script += e.EncodedDataLength
			}
		}
	}
	b.mu.Unlock()
	b.open(path)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.received = nil
	return counted
}

func TestPagesAreLight(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/calls"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, shared)
			b.signIn(raj, "/phones")
			call(b, network.ClearBrowserCache, struct{}{})

			first := load(b, path)
			t.Logf("first visit: %.0f bytes, %.0f of them script, %d requests", first.bytes, first.script, len(first.requests))
			if first.bytes > firstBytes || first.script > firstScript || len(first.requests) > firstRequests {
				t.Errorf("the first visit is heavier than %d bytes, %d of script, %d requests: %+v", firstBytes, firstScript, firstRequests, first)
			}
			if first.script == 0 {
				t.Error("no script was counted: this test does not see what it should")
			}
			for _, url := range first.requests {
				if !strings.HasPrefix(url, shared.url+"/") {
					t.Errorf("the page asks another host: %s", url)
				}
			}

			later := load(b, path)
			t.Logf("later visit: %.0f bytes, %d requests", later.bytes, len(later.requests))
			if later.bytes > laterBytes {
				t.Errorf("a later visit takes more than %d bytes: %+v", laterBytes, later)
			}
		})
	}
}

// Nothing on the page may move while the cards come, except when somebody acts.
func TestPagesDoNotJump(t *testing.T) {
	t.Parallel()
	p := ownPortal(t, "-latency", "300ms") // so that the empty cards are seen
	for _, width := range []int64{320, 390, 768, 1280} {
		for _, path := range []string{"/", "/calls"} {
			t.Run(fmt.Sprintf("%s at %d px", path, width), func(t *testing.T) {
				t.Parallel()
				b := newTab(t, p)
				call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
					window.shifts = []
					new PerformanceObserver((list) => {
						for (const e of list.getEntries()) window.shifts.push({
							value: e.value,
							what: e.sources.map((s) => (s.node?.id || s.node?.parentElement?.closest('[id]')?.id || s.node?.nodeName) + ' ' + Math.round(s.previousRect.y) + ' to ' + Math.round(s.currentRect.y)).join(', '),
						})
					}).observe({ type: 'layout-shift', buffered: true })
				`})
				b.size(width, 900)
				b.signIn(greta, "/history")
				for _, visit := range []string{"first", "second"} {
					b.open(path)
					if total, shifts := jumps(b); total > mostShift {
						t.Errorf("on the %s visit the page jumps by %.3f, more than %.2f: %+v", visit, total, mostShift, shifts)
					}
				}
				value[bool](b, `document.querySelector('main').prepend(Object.assign(document.createElement('div'), {innerHTML: '<br>'.repeat(20)})) ?? true`)
				if total, _ := jumps(b); total <= mostShift {
					t.Errorf("a page that jumps on purpose is said to jump by %.3f: this test sees nothing", total)
				}
			})
		}
	}
}

// shift is one movement that nobody asked for.
type shift struct {
	Value float64 `json:"value"`
	What  string  `json:"what"`
}

// jumps adds up how far the page has moved since it was opened.
func jumps(b *tab) (total float64, shifts []shift) {
	b.t.Helper()
	shifts = value[[]shift](b, `new Promise((done) => setTimeout(() => done(window.shifts), 150))`)
	for _, s := range shifts {
		total += s.Value
	}
	return total, shifts
}
