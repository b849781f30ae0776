package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// untranslated lists visible words that do not come from the language files: in
// the pseudo-language all of those end in padding. What a person has typed or
// Webex has stored is data: marked by where it stands.
const untranslated = `((data) => {
	const found = []
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
	for (let node; (node = walk.nextNode());) {
		const words = node.data.trim(), parent = node.parentElement
		if (words.includes('[[')) found.push('no text for ' + words)
		if (!/\p{L}{2}/u.test(words) || parent.closest('script, style, template, noscript, code, pre, option, .numbers dd')) continue
		if (/^([0-9A-F]{2}:){5}[0-9A-F]{2}$/.test(words)) continue // the address of a phone
		if (!parent.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue
		// A sentence with links is one text in several pieces: the whole is padded.
		const whole = parent.closest('p, li > span, small, h1, h2, h3, button, label, dd, dt, b, span') ?? parent
		const sentence = (parent.closest('.say, .sub') ?? whole).textContent
		let rest = sentence.includes('~') ? '' : words
		for (const known of data) rest = rest.replaceAll(known, '')
		if (/\p{L}{2}/u.test(rest)) found.push(words + '  in  ' + parent.outerHTML.slice(0, 100))
	}
	for (const e of document.querySelectorAll('[aria-label], [title], [placeholder], [alt]')) {
		for (const name of ['aria-label', 'title', 'placeholder', 'alt']) {
			const words = e.getAttribute(name)
			if (words && /\p{L}{2}/u.test(words) && !words.includes('~')) found.push(name + '=' + words)
		}
	}
	return [...new Set(found)]
})`

// cutOff lists controls, labels and headings whose words do not fit in.
const cutOff = `[...document.querySelectorAll('a, button, label, legend, summary, h1, h2, h3, dt, dd, p, b, small, span, code')]
	.filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.matches('.hidden-visually, .hidden-visually *, .wide-only, .who, .switch, .bone') && e.clientWidth > 1)
	.filter((e) => (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 4) && getComputedStyle(e).overflow !== 'visible' && getComputedStyle(e).display !== 'inline'
		|| e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1)
	.map((e) => e.outerHTML.slice(0, 160))`

func TestThePseudoLanguageFitsAndLeavesNothingOut(t *testing.T) {
	t.Parallel()
	person := map[string][]string{
		greta: {"Greta Holm", "GH", "greta.holm@patchbay.example", "Greta", "Sales Hotline", "Service Berlin", "Switchboard", "Berlin", "Cisco Desk Phone 9851", "Cisco IP DECT 6823"},
		ines:  {"Ines Keller", "IK", "ines.keller@patchbay.example", "Berlin"},
		"":    {},
	}
	pages := map[string]string{
		"/": greta, "/calls": greta, "/queues": greta, "/phones": greta, "/history": greta, "/help": greta, "/nothing": greta, "/health": ines,
		"/login": "", "/login?out=1": "", "/authenticate?login_hint=" + noah: "",
	}
	for path, who := range pages {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, shared)
			b.cookie("portal_lang", "en-XA")
			if who != "" {
				b.signIn(who, "/phones")
			}
			b.open(path)
			if path == "/calls" {
				revealAll(b)
			}
			if got := value[string](b, `document.documentElement.lang`); got != "en-XA" {
				t.Fatalf("the language of the page is %q", got)
			}
			data := append([]string{"Patchbay"}, person[who]...)
			quoted := make([]string, len(data))
			for i, d := range data {
				quoted[i] = fmt.Sprintf("%q", d)
			}
			if found := value[[]string](b, untranslated+"(["+strings.Join(quoted, ",")+"])"); len(found) > 0 {
				t.Errorf("these words are not in the language files:\n%s", strings.Join(found, "\n"))
			}
			for _, width := range []int64{320, 1280} {
				b.lookAs(look{"light", width})
				if cut := value[[]string](b, cutOff); len(cut) > 0 {
					t.Errorf("at %d px these words are cut off:\n%s", width, strings.Join(cut, "\n"))
				}
				if wide := value[bool](b, `document.scrollingElement.scrollWidth > innerWidth`); wide {
					t.Errorf("at %d px the page scrolls sideways", width)
				}
			}
			value[bool](b, `Object.assign(document.querySelector('h1').style, {width: '20px', height: '20px', overflow: 'hidden'}) && true`)
			if cut := value[[]string](b, cutOff); len(cut) != 1 {
				t.Errorf("a heading that is cut off on purpose is not found: this test sees nothing, but %v", cut)
			}
		})
	}
}
