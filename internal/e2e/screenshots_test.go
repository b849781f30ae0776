//go:build screenshots

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
)

// TestScreenshots makes pictures for people to look at, and those of the README.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	pages := map[string]struct {
		who, path string
		then      func(b *tab)
	}{
		"login":          {"", "/login", nil},
		"sign-in-failed": {"", "/authenticate?login_hint=" + noah, nil},
		"chooser":        {"", "/authenticate", nil},
		"home":           {greta, "/", nil},
		"home-menu":      {greta, "/", func(b *tab) { b.by("DisclosureTriangle", "Greta Holm*").click() }},
		"home-forwarded": {tom, "/", nil},
		"home-long-name": {eva, "/", nil},
		"home-hidden":    {hana, "/", nil},
		"home-admin":     {ines, "/", nil},
		"calls":          {greta, "/calls", nil},
		"calls-open":     {greta, "/calls", revealAll},
		"calls-hidden":   {hana, "/calls", nil},
		"calls-wrong": {greta, "/calls", func(b *tab) {
			card := b.card("Forward all calls")
			card.by("checkbox", "Send every call somewhere else").click()
			card.by("textbox", "Send calls to").fill("+49 12")
			card.button("Save").click()
			card.by("group", "There is a problem").focused()
		}},
		"queues":        {greta, "/queues", nil},
		"queues-none":   {eva, "/queues", nil},
		"phones":        {greta, "/phones", nil},
		"history":       {greta, "/history", nil},
		"health":        {ines, "/health", nil},
		"people":        {ben, "/people", nil},
		"people-found":  {ben, "/people?query=a", nil},
		"people-home":   {ben, "/people/" + p.personID(t, lena), nil},
		"people-phones": {ben, "/people/" + p.personID(t, lena) + "/phones", nil},
		"lend":          {greta, "/lend", nil},
		"board":         {mei, "/board", nil},
		"access":        {ines, "/access", nil},
		"access-grant":  {ines, "/access/grant", nil},
		"access-of":     {ines, "/access?person=" + p.personID(t, lena), nil},
		"policy":        {ines, "/policy", nil},
		"log":           {ines, "/log", nil},
		"log-auditor":   {raj, "/log", nil},
		"sessions":      {greta, "/sessions", nil},
		"sessions-of":   {ines, "/sessions?person=" + p.personID(t, greta), nil},
		"no-permission": {eva, "/health", nil},
		"not-found":     {eva, "/nothing", nil},
		"help":          {eva, "/help", nil},
		"api":           {eva, "/api/docs", nil},
		"session-ended": {eva, "/calls", func(b *tab) { value[bool](b, `document.getElementById('session-ended').showModal() ?? true`) }},
		"pseudo-home":   {greta, "/", func(b *tab) { b.cookie("portal_lang", "en-XA"); b.open("/") }},
		"pseudo-calls":  {greta, "/calls", func(b *tab) { b.cookie("portal_lang", "en-XA"); b.open("/calls"); revealAll(b) }},
	}
	for name, shown := range pages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, p)
			if shown.who != "" {
				b.signIn(shown.who, "/phones")
			}
			b.open(shown.path)
			if shown.then != nil {
				shown.then(b)
			}
			for _, theme := range []string{"light", "dark"} {
				for _, width := range []int64{320, 390, 1280} {
					b.lookAs(look{theme, width})
					save(b, filepath.Join(artifacts(t, "screenshots"), fmt.Sprintf("%s-%d-%s.png", name, width, theme)))
				}
			}
		})
	}
	for _, id := range galleryPages(t) {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, p)
			b.navigate(p.url + "/gallery?only=" + id)
			b.lookAs(look{"light", 390})
			save(b, filepath.Join(artifacts(t, "screenshots"), strings.ReplaceAll("gallery-"+id, "/", "_")+".png"))
		})
	}
	for _, width := range []int64{320, 1280} {
		for _, theme := range []string{"light", "dark"} {
			t.Run(fmt.Sprintf("gallery %d %s", width, theme), func(t *testing.T) {
				t.Parallel()
				b := newTab(t, p)
				b.navigate(p.url + "/gallery")
				b.lookAs(look{theme, width})
				save(b, filepath.Join(artifacts(t, "screenshots"), fmt.Sprintf("gallery-%d-%s.png", width, theme)))
			})
		}
	}
	t.Run("README", func(t *testing.T) {
		t.Parallel()
		b := newTab(t, p)
		b.media("prefers-color-scheme", "light", "prefers-reduced-motion", "reduce")
		b.signIn(greta, "/")
		b.size(1280, 980)
		save(b, filepath.Join("..", "..", "docs", "images", "home.png"))
		call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 390, Height: 844, DeviceScaleFactor: 1, Mobile: true})
		save(b, filepath.Join("..", "..", "docs", "images", "home-phone.png"))
	})
}

func save(b *tab, path string) {
	b.t.Helper()
	shot := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, shot.Data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
