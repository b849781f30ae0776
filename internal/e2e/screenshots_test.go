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

func init() { takePictures = true }

// TestScreenshots makes the pictures of the README, and those of long words, which no
// test inspects.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	for name, path := range map[string]string{"home": "/", "calls": "/calls"} {
		t.Run("pseudo "+name, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, p)
			b.signIn(greta, "/phones")
			b.cookie("portal_lang", "en-XA")
			b.open(path)
			for _, l := range looks {
				b.lookAs(l)
				b.save(filepath.Join(artifacts(t, "screenshots"), fmt.Sprintf("pseudo-%s-%s-%d.png", name, l.theme, l.width)))
			}
		})
	}
	t.Run("README", func(t *testing.T) {
		t.Parallel()
		b := newTab(t, p)
		b.media("prefers-color-scheme", "light", "prefers-reduced-motion", "reduce")
		b.signIn(greta, "/")
		b.size(1280, 980)
		b.saveWindow(filepath.Join("..", "..", "docs", "images", "home.png"))
		call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 390, Height: 844, DeviceScaleFactor: 1, Mobile: true})
		b.saveWindow(filepath.Join("..", "..", "docs", "images", "home-phone.png"))
	})
	t.Run("README, the board", func(t *testing.T) {
		t.Parallel()
		b := newTab(t, p)
		b.media("prefers-color-scheme", "light", "prefers-reduced-motion", "reduce")
		p.setAtWebex(t, "matthias.lange@patchbay.example", "doNotDisturb", `{"enabled":true}`)
		leads(b, "/board?q=hotline")
		b.eventually("the agents' forwarding", func() error {
			b.open("/board?q=hotline")
			if words, err := b.by("main", "").text(); err != nil || strings.Contains(words, "Not known yet of") {
				return fmt.Errorf("not known yet, %w", err)
			}
			return nil
		})
		b.settled()
		b.size(1280, 980)
		b.saveWindow(filepath.Join("..", "..", "docs", "images", "board.png"))
	})
}

// saveWindow keeps a picture of what the window shows.
func (b *tab) saveWindow(path string) {
	b.t.Helper()
	shot := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	if err := os.WriteFile(path, shot.Data, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
