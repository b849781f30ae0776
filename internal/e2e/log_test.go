package e2e

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// An administrator finds a change of somebody else by keyboard, exports what was
// found, and undoes it in the log.
func TestTheChangeLogByKeyboard(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	own := newTab(t, p)
	own.signIn(lena, "/calls")
	own.card("Do not disturb").by("switch", "Do not disturb").click()
	own.card("Do not disturb").says("Saved")
	own.settled()

	b := newTab(t, p)
	b.signIn(ines, "/log")
	search := b.by("DisclosureTriangle", "Search")
	focusBy(b, "Tab", search)
	b.keys(" ")
	person := b.by("textbox", "Person")
	focusBy(b, "Tab", person)
	b.keys("Lena Braun")
	b.keys(kb.Enter)
	b.address("/log?person=Lena+Braun&actor=&setting=&outcome=&from=&to=")
	b.settled()
	b.title("Change log · Help others · Patchbay")
	entries := b.card("Entries")
	entries.says("Do not disturb: turned on")
	if words := value[string](b, `document.getElementById('card-log').textContent`); strings.Contains(words, "somebody not known") || strings.Contains(words, "· you") {
		t.Errorf("the search found others too: %s", words)
	}

	// The link downloads; what it leads to is what was found.
	link := value[string](b, `[...document.querySelectorAll('a[download]')].find((a) => a.textContent.includes('CSV')).href`)
	rows, err := csv.NewReader(strings.NewReader(value[string](b, `fetch(`+"`"+link+"`"+`).then((r) => r.text())`))).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][8] != "Do not disturb: turned on" {
		t.Errorf("exported was %q, %v", rows, err)
	}

	undo := entries.button("Undo : Do not disturb: turned on")
	focusBy(b, "Tab", undo)
	b.keys(kb.Enter)
	entries.says("Undone")
	entries.says("Undo: Do not disturb: turned off")
	b.settled()
	if got := p.atWebex(t, lena, "doNotDisturb", "enabled"); got != false {
		t.Errorf("do not disturb at Webex after Undo: %v", got)
	}
	if at := value[string](b, `document.activeElement?.id ?? ''`); at == "" || at == "content" {
		t.Errorf("after Undo the focus is lost: %q", at)
	}
	for _, l := range looks {
		inspect(b, "the log, searched and undone", l)
	}
}

// The log works without a script: search, the difference before an undo of what has
// moved, and the undo.
func TestTheChangeLogWithoutJavaScript(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	own := newTab(t, p)
	own.signIn(nils, "/calls")
	own.card("Do not disturb").by("switch", "Do not disturb").click()
	own.card("Do not disturb").says("Saved")
	p.setAtWebex(t, nils, "doNotDisturb", `{"enabled":false}`)

	b := newPlainTab(t, p)
	b.navigate(p.url + "/authenticate?return=" + url.QueryEscape("/log?person="+nils) + "&login_hint=" + ines)
	entries := b.card("Entries")
	entries.button("Undo : Do not disturb: turned on").click()
	entries.says("This was changed again since then")
	entries.button("Put it back all the same").wait()
	p.setAtWebex(t, nils, "doNotDisturb", `{"enabled":true,"ringSplashEnabled":true}`)
	b.navigate(p.url + "/log?person=" + nils)
	entries.button("Undo : Do not disturb: turned on").click()
	b.by("main", "").says("Undone")
	if got := p.atWebex(t, nils, "doNotDisturb", "enabled"); got != false {
		t.Errorf("do not disturb at Webex after Undo: %v", got)
	}
	b.by("button", "Check the log now").click()
	b.by("main", "").says("it is whole")
}

func TestSessionsAreEndedOnThePage(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	here, there, third := newTab(t, p), newTab(t, p), newTab(t, p)
	there.signIn(raj, "/phones")
	here.signIn(raj, "/phones")
	here.by("DisclosureTriangle", "Raj Patel*").click()
	here.by("link", "Where you are signed in").click()
	here.address("/sessions")
	sessions := here.card("Sessions")
	sessions.says("This one")
	sessions.says("Chrome on Linux")
	for _, l := range looks {
		inspect(here, "sessions", l)
	}
	here.size(1280, 900)
	end := sessions.button("End : Chrome on Linux")
	focusBy(here, "Tab", end)
	here.keys(kb.Enter)
	here.by("main", "").says("The session has been ended")
	third.signIn(raj, "/phones")
	here.open("/sessions")
	sessions.button("End the other session").click()
	here.by("main", "").says("1 session has been ended")
	for name, b := range map[string]*tab{"one": there, "the other": third} {
		status := value[float64](b, `fetch('/api/me').then((r) => r.status)`)
		if status != http.StatusUnauthorized {
			t.Errorf("the session of %s tab still answers %v", name, status)
		}
	}
	if status := value[float64](here, `fetch('/api/me').then((r) => r.status)`); status != http.StatusOK {
		t.Errorf("the session of the page itself answers %v", status)
	}
}
