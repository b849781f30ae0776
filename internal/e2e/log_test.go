package e2e

import (
	"encoding/csv"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// client is somebody signed in without a tab: for what only has to have happened.
type client struct {
	t    *testing.T
	p    *portal
	http *http.Client
}

// signedIn signs somebody in, as Firefox on Windows.
func signedIn(t *testing.T, p *portal, who string) client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c := client{t, p, &http.Client{Jar: jar, Transport: transport, Timeout: patience}}
	if status := c.send(http.MethodGet, "/authenticate?login_hint="+who, ""); status != http.StatusOK {
		t.Fatalf("signing in as %s: %d", who, status)
	}
	return c
}

func (c client) send(method, path, body string) int {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.p.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0")
	res, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func (c client) put(path, body string) {
	c.t.Helper()
	if status := c.send(http.MethodPut, path, body); status != http.StatusOK {
		c.t.Fatalf("PUT %s: %d", path, status)
	}
}

// An administrator finds a change of somebody else by keyboard, exports what was
// found, and undoes it in the log.
func TestTheChangeLogByKeyboard(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	signedIn(t, p, lena).put("/api/me/settings/doNotDisturb", `{"enabled":true}`)

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
	signedIn(t, p, nils).put("/api/me/settings/doNotDisturb", `{"enabled":true}`)
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
	here, there := newTab(t, p), signedIn(t, p, raj)
	here.signIn(raj, "/phones")
	here.by("DisclosureTriangle", "Raj Patel*").click()
	here.by("link", "Where you are signed in").click()
	here.address("/sessions")
	sessions := here.card("Sessions")
	sessions.says("This one")
	sessions.says("Chrome on Linux")
	sessions.says("Firefox on Windows")
	for _, l := range looks {
		inspect(here, "sessions", l)
	}
	here.size(1280, 900)
	end := sessions.button("End : Firefox on Windows")
	focusBy(here, "Tab", end)
	here.keys(kb.Enter)
	here.by("main", "").says("The session has been ended")
	third := signedIn(t, p, raj)
	here.open("/sessions")
	sessions.button("End the other session").click()
	here.by("main", "").says("1 session has been ended")
	for name, c := range map[string]client{"the first": there, "the second": third} {
		if status := c.send(http.MethodGet, "/api/me", ""); status != http.StatusUnauthorized {
			t.Errorf("%s session still answers %d", name, status)
		}
	}
	if status := value[float64](here, `fetch('/api/me').then((r) => r.status)`); status != http.StatusOK {
		t.Errorf("the session of the page itself answers %v", status)
	}
}
