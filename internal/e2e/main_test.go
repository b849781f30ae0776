// Package e2e tests the whole portal as people use it: the real program, started
// as `portal demo` in a process of its own, in a real browser.
//
// Tests find things on a page as a screen reader does, by role and name in the
// browser's accessibility tree, so they need what people who cannot see the page
// need. A test that breaks Webex on purpose has a portal of its own; the others
// share one and change the settings of a persona that is theirs alone.
//
// Pictures of every page that a test inspects are written to
// test-artifacts/screenshots, and those of the README made anew, with
//
//	go test -tags screenshots ./internal/e2e
package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// tabsAtOnce bounds the tabs that work at the same time: most tests wait more than
// they compute, but more than this makes them wait for each other.
const tabsAtOnce = 3

// What all tests share, made by TestMain.
var (
	binary  string          // the portal
	browser context.Context // a running browser without a page of interest
	plain   context.Context // another, which runs no scripts
	shared  *portal
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", fmt.Sprint(tabsAtOnce)); err != nil {
		panic(err)
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "internal/e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "patchbay-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if binary, err = build(dir); err != nil {
		return 1, err
	}
	var stop func()
	if browser, stop, err = startBrowser(filepath.Join(dir, "profile")); err != nil {
		return 1, err
	}
	defer stop()
	if plain, stop, err = startBrowser(filepath.Join(dir, "plain"), chromedp.Flag("blink-settings", "scriptEnabled=false")); err != nil {
		return 1, err
	}
	defer stop()
	if shared, err = startPortal("-latency", "20ms"); err != nil {
		return 1, err
	}
	code = m.Run()
	return code, shared.stop()
}

// build makes the program under test, with the race detector where the tests
// have it.
func build(dir string) (string, error) {
	path := filepath.Join(dir, "portal")
	args := []string{"build", "-o", path}
	if raceDetector {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "patchbay/cmd/portal")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the portal: %w\n%s", err, out)
	}
	return path, nil
}

// startBrowser starts Chromium. Tests open tabs in it, each with cookies of its own.
func startBrowser(profile string, more ...chromedp.ExecAllocatorOption) (ctx context.Context, stop func(), err error) {
	path, err := findBrowser()
	if err != nil {
		return nil, nil, err
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), append(more,
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck, chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-default-apps", true), chromedp.Flag("disable-extensions", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-breakpad", true), chromedp.Flag("password-store", "basic"),
		// Tabs beside the front one must not be slowed down: several tests run at once.
		chromedp.Flag("disable-background-timer-throttling", true), chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("disable-renderer-backgrounding", true), chromedp.Flag("disable-popup-blocking", true),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("hide-scrollbars", true),
	)...)
	ctx, cancelBrowser := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		return nil, nil, fmt.Errorf("start %s: %w", path, err)
	}
	return ctx, func() { cancelBrowser(); cancel() }, nil
}

func findBrowser() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("there is no Chromium: install the package chromium (scripts/install-test-deps does), or put chromium, chromium-browser or google-chrome into PATH")
}

// artifacts is a folder that git ignores, for pictures to look at.
func artifacts(t *testing.T, folder string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "test-artifacts", folder)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	return dir
}

// patience is how long a test waits for what must come at once, on a machine that
// is busy with other tests.
const patience = 20 * time.Second
