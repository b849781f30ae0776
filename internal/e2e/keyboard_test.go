package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// ring tells, for what has the focus, where it is, how it is marked, and what
// lies on top of it.
const ring = `(() => {
	const e = document.activeElement
	if (!e || e === document.body) return {name: ''}
	const shown = e.matches('.segments input') ? e.nextElementSibling : e
	const style = getComputedStyle(shown), box = e.getClientRects()[0] ?? e.getBoundingClientRect() // a link may go over two lines
	const x = box.x + box.width / 2, y = box.y + Math.min(box.height / 2, 20)
	const top = document.elementFromPoint(x, y)
	const hidden = top && top !== e && !e.contains(top) && !top.contains(e)
	return {
		name: e.tagName + (e.id ? '#' + e.id : '') + ' ' + (e.innerText || e.value || e.href || '').trim().slice(0, 40),
		width: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth), colour: style.outlineColor,
		visible: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
		hidden: hidden ? top.outerHTML.slice(0, 80) : '',
	}
})()`

type focus struct {
	Name, Colour, Hidden string
	Width                float64
	Visible              bool
}

func TestTheKeyboardReachesEverything(t *testing.T) {
	t.Parallel()
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int64{320, 1280} {
			for _, path := range []string{"/", "/calls", "/queues", "/history"} {
				t.Run(fmt.Sprintf("%s in %s at %d px", path, theme, width), func(t *testing.T) {
					t.Parallel()
					b := newTab(t, shared)
					b.media("prefers-color-scheme", theme, "prefers-reduced-motion", "reduce")
					b.size(width, 900)
					b.signIn(hana, "/phones")
					b.open("/phones") // the skip link is first where the page was not come to by a link
					b.navigate(shared.url + path)
					b.settled()
					if path == "/calls" {
						revealAll(b)
						value[bool](b, `document.activeElement.blur() ?? true`)
					}
					seen := map[string]bool{}
					for i := range 120 {
						b.keys(kb.Tab)
						at := value[focus](b, ring)
						if i == 0 && !strings.HasPrefix(at.Name, "A Skip to content") {
							t.Errorf("the first stop is %q, not the skip link", at.Name)
						}
						if at.Name == "" || seen[at.Name+at.Hidden] && i > 40 {
							break
						}
						seen[at.Name+at.Hidden] = true
						if at.Width < 2 || !at.Visible || at.Hidden != "" {
							t.Errorf("the focus is hard to see on %+v", at)
						}
					}
					stops := value[[]string](b, `[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary')]
						.filter((e) => e.checkVisibility({visibilityProperty: true}) && !e.closest('dialog, details:not([open]) > :not(summary)') && e.tabIndex >= 0
							&& !(e.type === 'radio' && !e.checked))
						.map((e) => e.tagName + (e.id ? '#' + e.id : '') + ' ' + (e.innerText || e.value || e.href || '').trim().slice(0, 40))`)
					for _, stop := range stops {
						if !seen[stop] {
							t.Errorf("Tab does not reach %q", stop)
						}
					}
					if len(stops) < 8 {
						t.Errorf("only %d stops were looked for: this test does not see what it should", len(stops))
					}
				})
			}
		}
	}
}

// Every kind of setting is changed with keys alone.
func TestSettingsAreChangedByKeyboardAlone(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	b.navigate(p.url + "/login")
	b.settled()
	focusBy(b, "Tab", b.by("link", "Sign in with Webex"))
	b.keys(kb.Enter)
	b.by("heading", "Whom do you want to sign in as?").wait()
	focusBy(b, "Tab", b.by("link", "Greta Holm*"))
	b.keys(kb.Enter)
	b.by("heading", "Good *").wait()
	b.settled()

	// A queue.
	focusBy(b, "Tab", b.toggle("Joined in Sales Hotline"))
	b.keys(" ")
	b.card("My queues").says("Saved")
	b.toggle("Joined in Sales Hotline").checked(false)
	b.toggle("Joined in Sales Hotline").focused()
	b.settled()

	// To Calls by the skip link's neighbours: a page is left and entered by keys.
	focusBy(b, "Shift+Tab", b.by("navigation", "Main").by("link", "Calls"))
	b.keys(kb.Enter)
	b.by("heading", "Calls").focused()
	b.settled()

	// Forwarding when not answered: a tick, a number of rings, a number.
	card := b.card("When you do not answer")
	focusBy(b, "Tab", card.by("checkbox", "Send calls somewhere else when you do not answer"))
	b.keys(" ")
	focusBy(b, "Tab", card.by("button", "One ring more"))
	before := card.by("spinbutton", "Let it ring first").content()
	b.keys(kb.Enter)
	if after := card.by("spinbutton", "Let it ring first").content(); after == before {
		t.Errorf("one ring more: still %s", after)
	}
	focusBy(b, "Tab", card.by("textbox", "Send calls to"))
	b.keys("1003" + kb.Enter)
	card.says("Saved")
	b.settled()
	if got := p.atWebex(t, greta, "callForwarding", "callForwarding.noAnswer.destination"); got != "1003" {
		t.Errorf("the destination at Webex is %v", got)
	}

	// Do not disturb, call waiting.
	for setting, name := range map[string]string{"doNotDisturb": "Do not disturb", "callWaiting": "Call waiting"} {
		was := p.atWebex(t, greta, setting, "enabled")
		focusBy(b, "Tab", b.card(name).by("switch", name))
		b.keys(" ")
		b.card(name).says("Saved")
		b.settled()
		if got := p.atWebex(t, greta, setting, "enabled"); got == was {
			t.Errorf("%s at Webex is still %v", setting, got)
		}
	}

	// Undo is the next stop after the switch.
	undo := b.card("Call waiting").by("button", "Undo")
	focusBy(b, "Tab", undo)
	b.keys(kb.Enter)
	b.card("Call waiting").says("Undone")
	b.settled()

	// Intercept, with its review.
	intercept := b.card("Call intercept")
	focusBy(b, "Tab", intercept.by("checkbox", "Intercept my calls"))
	b.keys(" ")
	focusBy(b, "Tab", intercept.by("group", "When somebody calls you").by("radio", "Intercept every call"))
	focusBy(b, "Tab", intercept.by("button", "Review the change"))
	b.keys(kb.Enter)
	focusBy(b, "Tab", intercept.by("button", "Start intercepting calls"))
	b.keys(kb.Enter)
	intercept.says("Saved")
	b.settled()
	if got := p.atWebex(t, greta, "intercept", "enabled"); got != true {
		t.Errorf("intercept at Webex is %v", got)
	}

	// The menu opens and closes by keys and gives the focus back.
	menu := b.by("DisclosureTriangle", "Greta Holm*")
	focusBy(b, "Shift+Tab", menu)
	b.keys(kb.Enter)
	b.by("button", "Sign out").wait()
	b.keys(kb.Tab)
	b.keys(kb.Escape)
	b.by("button", "Sign out").gone()
	menu.focused()
}

func TestTheDialogKeepsTheFocus(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	b.signIn(greta, "/calls")
	waiting := b.card("Call waiting").by("switch", "Call waiting")
	focusBy(b, "Tab", waiting)
	b.forgetSession()
	b.keys(" ")
	dialog := b.by("dialog", "Your session has ended")
	dialog.wait()
	inside := `document.getElementById('session-ended').contains(document.activeElement) || document.activeElement === document.body`
	for range 6 {
		if !value[bool](b, inside) {
			t.Fatal("the focus has left the dialog")
		}
		b.keys(kb.Tab)
	}
	if !value[bool](b, `document.getElementById('session-ended').contains(document.activeElement)`) {
		focusBy(b, "Tab", dialog.by("button", "Not now"))
	}
	b.keys(kb.Escape)
	dialog.gone()
	waiting.focused()
	waiting.checked(p.atWebex(t, greta, "callWaiting", "enabled").(bool))
}

// In forced colours the state of a switch must not vanish with its colours.
func TestSwitchesAreSeenInForcedColours(t *testing.T) {
	t.Parallel()
	b := newTab(t, shared)
	b.media("forced-colors", "active", "prefers-color-scheme", "dark")
	b.navigate(shared.url + "/gallery?only=page-home")
	b.settled()
	b.save(filepath.Join(artifacts(t, "screenshots"), "forced-colours.png"))
	looks := value[[]string](b, `[...document.querySelectorAll('[role=switch]')].map((e) =>
		e.checked + ' ' + getComputedStyle(e).backgroundColor + ' ' + getComputedStyle(e, '::after').transform + ' ' + getComputedStyle(e, '::after').backgroundColor)`)
	on, off := map[string]bool{}, map[string]bool{}
	for _, l := range looks {
		state, style, _ := strings.Cut(l, " ")
		if state == "true" {
			on[style] = true
		} else {
			off[style] = true
		}
	}
	if len(on) != 1 || len(off) != 1 {
		t.Fatalf("the page should have switches of both states that look alike: %v", looks)
	}
	for style := range on {
		if off[style] {
			t.Errorf("on and off look the same: %s", style)
		}
	}
}
