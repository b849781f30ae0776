package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/inspector"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// tab is a browser window with cookies of its own.
type tab struct {
	t      *testing.T
	ctx    context.Context
	close  func()
	portal *portal

	mu         sync.Mutex
	complaints []string        // of the console: errors, and what the content policy forbade
	received   func(event any) // hears everything too, while it is set

	// leave answers the browser's question whether to leave a page with unsaved
	// changes; asked counts the questions.
	leave atomic.Bool
	asked atomic.Int32
}

var freeTabs = make(chan struct{}, tabsAtOnce)

// newTab opens an empty tab of 1280 by 900. When the test ends, a word of
// complaint in the browser's console fails it.
func newTab(t *testing.T, p *portal) *tab {
	t.Helper()
	return openTab(browser, t, p, chromedp.WithNewBrowserContext())
}

// newPlainTab is newTab in a browser that runs no scripts; value and settled,
// which are scripts, do not work in it.
func newPlainTab(t *testing.T, p *portal) *tab {
	t.Helper()
	return openTab(plain, t, p, chromedp.WithNewBrowserContext())
}

func openTab(where context.Context, t *testing.T, p *portal, opts ...chromedp.ContextOption) *tab {
	t.Helper()
	freeTabs <- struct{}{}
	t.Cleanup(func() { <-freeTabs })
	b := attach(where, t, p, opts...)
	b.size(1280, 900)
	call(b, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	return b
}

func attach(where context.Context, t *testing.T, p *portal, opts ...chromedp.ContextOption) *tab {
	t.Helper()
	b := &tab{t: t, portal: p}
	ctx, cancel := chromedp.NewContext(where, append(opts, chromedp.WithListener(b.hear))...)
	b.ctx, b.close = ctx, sync.OnceFunc(func() {
		b.report()
		cancel()
	})
	t.Cleanup(b.close)
	// The first call opens the tab and binds its life to this context.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	return b
}

// hear keeps what the browser says while the test does something else.
func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.received != nil {
		b.received(event)
	}
	switch e := event.(type) {
	case *cdplog.EventEntryAdded:
		// A refused form answers 4xx, which the network's log calls an error.
		if e.Entry.Level == cdplog.EntryLevelError && e.Entry.Source != cdplog.EntrySourceNetwork {
			b.complaints = append(b.complaints, fmt.Sprintf("%s: %s (%s:%d)", e.Entry.Source, e.Entry.Text, e.Entry.URL, e.Entry.LineNumber))
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		b.complaints = append(b.complaints, "exception: "+text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeAssert {
			text := "console:"
			for _, arg := range e.Args {
				text += " " + string(arg.Value) + arg.Description
			}
			b.complaints = append(b.complaints, text)
		}
	case *inspector.EventTargetCrashed:
		b.complaints = append(b.complaints, "the page has crashed")
	case *page.EventJavascriptDialogOpening:
		if e.Type != page.DialogTypeBeforeunload {
			b.complaints = append(b.complaints, "a dialog of the browser: "+e.Message)
		}
		b.asked.Add(1)
		go func() { // not here: the browser's next words would have to wait
			ctx, cancel := b.brief()
			defer cancel()
			_, _ = chromedp.Call(ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: b.leave.Load()}) // else the test hangs and says where
		}()
	}
}

// report ends a test: with what the console said, and with a picture if it failed.
func (b *tab) report() {
	b.mu.Lock()
	complaints := slices.Compact(slices.Clone(b.complaints))
	b.mu.Unlock()
	for _, c := range complaints {
		b.t.Errorf("the console says: %s", c)
	}
	if !b.t.Failed() {
		return
	}
	where := filepath.Join(artifacts(b.t, "failures"), strings.NewReplacer("/", "_", " ", "_").Replace(b.t.Name())+".png")
	at, _ := b.where()
	words, _ := b.by("RootWebArea", "*").text()
	b.t.Logf("picture: %s, page: %+v\n%s", where, at, words)
	if png, err := b.picture(); err == nil {
		_ = os.WriteFile(where, png, 0o600) // the failure is reported anyway
	}
}

// limited bounds one call to the browser.
func (b *tab) limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.ctx, patience)
}

// brief bounds a call that is made again when it fails: the browser never answers
// a question about a page that it is just leaving.
func (b *tab) brief() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.ctx, patience/10)
}

// call sends a command to the browser and fails the test when it is refused.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	ctx, cancel := b.limited()
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		b.t.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

// evaluate runs a script in the page: for what no person could see or do.
func evaluate[T any](b *tab, script string) (T, error) {
	ctx, cancel := b.brief()
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// value is evaluate for tests that cannot go on without it.
func value[T any](b *tab, script string) T {
	b.t.Helper()
	ctx, cancel := b.limited()
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("evaluate %s: %v", script, err)
	}
	return v
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := b.limited()
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// open goes to a path of the portal and waits until all its cards are there.
func (b *tab) open(path string) {
	b.t.Helper()
	b.navigate(b.portal.url + path)
	b.settled()
}

// navigate goes to an address and waits for the page, not for its cards. It goes
// again when the page that is still there leaves by itself at that moment, as pages
// without scripts do for their other address: then the browser goes nowhere we said.
func (b *tab) navigate(address string) {
	b.t.Helper()
	b.eventually("the page "+address, func() error {
		ctx, cancel := b.limited()
		defer cancel()
		err := chromedp.Do(ctx, chromedp.Navigate(address))
		if err != nil && !strings.Contains(err.Error(), "net::ERR_ABORTED") {
			b.t.Fatal(err)
		}
		return err
	})
}

// settled waits until the page is there, nothing is being loaded or saved, and no
// card is about to be shown anew. It looks twice: one answer may bring several
// cards, and a click on a card that is being replaced is lost.
func (b *tab) settled() {
	b.t.Helper()
	quiet := 0
	b.eventually("the page and its cards", func() error {
		busy, err := evaluate[[]string](b, `[...(document.readyState === 'complete' ? [] : ['page']),
			...[...document.querySelectorAll('[aria-busy=true], [data-card][hx-trigger^=load]')].map((e) => e.id || e.tagName)]`)
		if err != nil || len(busy) > 0 {
			quiet = 0
			return errors.Join(err, fmt.Errorf("still busy: %v", busy))
		}
		if quiet++; quiet < 2 {
			return errors.New("quiet for a moment only")
		}
		return nil
	})
}

// signIn signs a persona in, without the page that asks whom, and opens a path.
func (b *tab) signIn(who, path string) {
	b.t.Helper()
	b.navigate(b.portal.url + "/authenticate?login_hint=" + who + "&return=" + path)
	b.settled()
	if at := value[string](b, `location.pathname + location.search`); at != path {
		b.t.Fatalf("signed in as %s, and landed at %s instead of %s", who, at, path)
	}
}

// size makes the window so wide and high, in CSS pixels.
func (b *tab) size(width, height int64) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
}

// media sets what style sheets can ask for: pairs such as "prefers-color-scheme", "dark".
func (b *tab) media(pairs ...string) {
	b.t.Helper()
	p := emulation.SetEmulatedMediaParams{}
	for i := 0; i+1 < len(pairs); i += 2 {
		p.Features = append(p.Features, &emulation.MediaFeature{Name: pairs[i], Value: pairs[i+1]})
	}
	call(b, emulation.SetEmulatedMedia, p)
}

// cookie sets a cookie of the portal, as the display menu would.
func (b *tab) cookie(name, value string) {
	b.t.Helper()
	call(b, network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: b.portal.url})
}

// offline cuts the connection, or mends it.
func (b *tab) offline(cut bool) {
	b.t.Helper()
	call(b, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{Offline: cut, DownloadThroughput: -1, UploadThroughput: -1}},
	})
	call(b, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: cut, DownloadThroughput: -1, UploadThroughput: -1})
}

// forgetSession takes the session's cookie away, as its end would.
func (b *tab) forgetSession() {
	b.t.Helper()
	call(b, network.DeleteCookies, network.DeleteCookiesParams{Name: "portal_session", URL: b.portal.url})
}

// keys types keys where the focus is; see package kb for those without a letter.
func (b *tab) keys(keys string, modifiers ...chromedp.Modifier) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...)))
}

// picture is the whole page, as high as it is.
func (b *tab) picture() ([]byte, error) {
	ctx, cancel := b.limited()
	defer cancel()
	beyond := true
	shot, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &beyond})
	return shot.Data, err
}

// save keeps a picture of the whole page.
func (b *tab) save(file string) {
	b.t.Helper()
	png, err := b.picture()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o750)
	}
	if err == nil {
		err = os.WriteFile(file, png, 0o600)
	}
	if err != nil {
		b.t.Fatalf("take a picture: %v", err)
	}
}

// eventually asks until there is no error, and fails with the last one.
func (b *tab) eventually(what string, check func() error) {
	b.t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	b.t.Fatalf("waited in vain for %s: %v", what, err)
}

// title waits for the title of the window.
func (b *tab) title(want string) {
	b.t.Helper()
	b.eventually("the title", func() error {
		at, err := b.where()
		if err == nil && at.Title != want {
			return fmt.Errorf("it is %q, want %q", at.Title, want)
		}
		return err
	})
}

// address waits until the tab is at a path of the portal.
func (b *tab) address(want string) {
	b.t.Helper()
	b.eventually("the address", func() error {
		at, err := b.where()
		if err == nil && at.URL != b.portal.url+want {
			return fmt.Errorf("it is %q, want %q", at.URL, want)
		}
		return err
	})
}

// where is the page that the browser shows.
func (b *tab) where() (*page.NavigationEntry, error) {
	ctx, cancel := b.brief()
	defer cancel()
	history, err := chromedp.Call(ctx, page.GetNavigationHistory, cdp.Empty{})
	if err != nil {
		return nil, err
	}
	return history.Entries[history.CurrentIndex], nil
}

// listen makes every page that is opened from now on remember what its live
// regions say; heard tells.
func (b *tab) listen() {
	b.t.Helper()
	call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `
		window.heard = []
		new MutationObserver((changes) => {
			for (const { target } of changes) {
				const region = (target.nodeType === 1 ? target : target.parentElement)?.closest('#live-polite, #live-assertive')
				if (region?.textContent && window.heard.at(-1) !== region.textContent) window.heard.push(region.textContent)
			}
		}).observe(document, { childList: true, characterData: true, subtree: true })
	`})
}

// hears waits until a live region has said these words.
func (b *tab) hears(want string) {
	b.t.Helper()
	b.eventually("somebody to hear "+want, func() error {
		heard, err := evaluate[[]string](b, `window.heard`)
		if err == nil && !slices.ContainsFunc(heard, func(s string) bool { return strings.Contains(s, want) }) {
			return fmt.Errorf("heard were %q", heard)
		}
		return err
	})
}

// text decodes a JSON string of the protocol.
func text(v []byte) string {
	var s string
	if json.Unmarshal(v, &s) != nil {
		return string(v)
	}
	return s
}

var errNone = errors.New("there is none")
