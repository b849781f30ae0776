package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"patchbay/internal/webexsim"
)

// Operations of Webex that the tests break.
const (
	forwardingPath = "/people/{personId}/features/callForwarding"
	dndPath        = "/people/{personId}/features/doNotDisturb"
	waitingPath    = "/people/{personId}/features/callWaiting"
	agentPath      = "/telephony/config/queues/agents/{id}"
)

func TestOneCardFailsAlone(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	b.listen()
	p.trouble(t, webexsim.Fault{Method: http.MethodGet, Path: "/devices", Kind: webexsim.FaultStatus, Status: http.StatusInternalServerError})
	b.signIn(greta, "/")

	phones := b.card("My phones")
	phones.says("this could not be read")
	phones.says("Nothing was changed.")
	phones.says("Reference")
	phones.button("Copy").wait()
	b.hears("My phones")
	b.card("My queues").says("Sales Hotline")
	b.card("Quick actions").by("switch", "Do not disturb").wait()
	if got, err := b.by("RootWebArea", "*").text(); err != nil || regexp.MustCompile(`\b500\b`).MatchString(got) {
		t.Errorf("the page shows a status code (%v):\n%s", err, got)
	}

	p.trouble(t)
	phones.by("link", "Try again*").click()
	phones.says("Online")
	phones.by("link", "Try again*").gone()
	b.by("heading", "My phones").focused()
}

func TestACardWaitsAsLongAsWebexAsks(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	b.signIn(greta, "/phones") // so that the sign-in is not hit
	p.trouble(t, webexsim.Fault{
		Method: http.MethodGet, Path: agentPath, Kind: webexsim.FaultStatus, Status: http.StatusTooManyRequests, RetryAfter: 5 * time.Second,
	})
	b.open("/queues")
	queues := b.card("My queues")
	queues.says("Webex asks us to slow down")
	queues.says("Next try in")
	before := countdown(b, queues)
	b.eventually("the countdown", func() error {
		if now := countdown(b, queues); now >= before {
			return fmt.Errorf("it stays at %d", now)
		}
		return nil
	})
	p.trouble(t)
	queues.says("Sales Hotline") // by itself
}

// countdown is the number in "Next try in 4 s.", or 0 when it is over.
func countdown(b *tab, p place) int {
	b.t.Helper()
	said, err := p.text()
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(said, "Next try in ")
	n := 0
	_, _ = fmt.Sscanf(rest, "%d", &n) // no number is 0
	return n
}

func TestAChangeWaitsAsLongAsWebexAsks(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	b.listen()
	b.signIn(greta, "/calls")
	p.trouble(t, webexsim.Fault{Method: http.MethodPut, Path: waitingPath, Kind: webexsim.FaultStatus, Status: http.StatusTooManyRequests, RetryAfter: 3 * time.Second, Times: 1})
	card := b.card("Call waiting")
	waiting := card.by("switch", "Call waiting")
	was := p.atWebex(t, greta, "callWaiting", "enabled").(bool)
	waiting.click()
	card.says("Webex asks us to wait")
	b.hears("Webex asks us to wait")
	if got := p.atWebex(t, greta, "callWaiting", "enabled"); got != was {
		t.Error("changed at Webex in spite of the refusal")
	}
	card.says("Saved") // by itself, once the wait is over
	waiting.checked(!was)
	if got := p.atWebex(t, greta, "callWaiting", "enabled"); got == was {
		t.Error("not changed at Webex after the wait")
	}
}

func TestASlowWebexDoesNotHoldUpThePage(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	b.listen()
	b.signIn(greta, "/history")
	p.ask(t, http.MethodPut, "/limits", map[string]string{"latency": "3s"}, nil)
	begun := time.Now()
	b.navigate(p.url + "/")
	b.by("heading", "Good *").wait()
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("the page came after %s, while Webex takes 3 s", took)
	}
	queues := b.card("My queues")
	if n := queues.wait(); propertyOf(n, "busy") != "1" {
		t.Error("a card that loads is not marked as busy")
	}
	queues.says("Loading: My queues…")
	b.hears("Loading: My queues…")
	queues.says("Sales Hotline")
	b.settled()
	b.card("Quick actions").by("switch", "Do not disturb").checked(false)
}

func TestWebexIsDownForAWhile(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	b.signIn(greta, "/")
	b.open("/calls")
	p.trouble(t, webexsim.Fault{Kind: webexsim.FaultStatus, Status: http.StatusServiceUnavailable})

	dnd := b.card("Do not disturb").by("switch", "Do not disturb")
	dnd.click()
	b.card("Do not disturb").says("Not saved. Webex is not available at the moment. Your phone keeps working as set")
	dnd.checked(false)
	dnd.focused()

	b.eventually("the strip that tells that Webex is down", func() error {
		b.open("/")
		strips, err := b.by("region", "Notices").text()
		if err == nil && !strings.Contains(strips, "Webex has not answered since") {
			return errors.New(strips)
		}
		return err
	})
	b.card("My queues").says("Sales Hotline") // last known values
	b.card("Right now").says("Calls ring your")
	home := b.card("Quick actions").by("switch", "Do not disturb")
	home.checked(false)
	home.click()
	b.card("Quick actions").says("Your phone keeps working as set")
	home.checked(false)

	p.trouble(t)
	b.eventually("the portal to see that Webex is back", func() error {
		b.open("/")
		strips, err := b.by("region", "Notices").text()
		if err == nil && strings.Contains(strips, "Webex has not answered since") {
			return errors.New(strips)
		}
		return err
	})
	home.click()
	b.card("Quick actions").says("Saved")
	home.checked(true)
}

func TestSomebodyElseChangedItMeanwhile(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	b.listen()
	b.signIn(greta, "/calls")
	card := b.card("Forward all calls")
	destination := func() any { return p.atWebex(t, greta, "callForwarding", "callForwarding.always.destination") }
	collide := func(theirs, mine string) {
		t.Helper()
		p.setAtWebex(t, greta, "callForwarding", `{"callForwarding":{"always":{"enabled":true,"destination":"`+theirs+`"}}}`)
		if n, err := card.by("checkbox", "Send every call somewhere else").node(); err == nil && propertyOf(n, "checked") != "true" {
			card.by("checkbox", "Send every call somewhere else").click()
		}
		card.by("textbox", "Send calls to").fill(mine)
		card.button("Save").click()
		card.says("This was changed somewhere else in the meantime. Nothing was overwritten.")
		card.says(theirs)
		card.says(mine)
		if got := destination(); got != theirs {
			t.Fatalf("the destination at Webex is %v: overwritten without asking", got)
		}
		b.settled()
	}

	collide("1003", "1001")
	b.hears("This was changed somewhere else")
	card.button("Keep theirs").click()
	card.button("Keep theirs").gone()
	b.settled()
	if got := card.by("textbox", "Send calls to").content(); got != "1003" {
		t.Errorf("after Keep theirs the field holds %q", got)
	}
	if got := destination(); got != "1003" {
		t.Errorf("after Keep theirs the destination at Webex is %v", got)
	}

	collide("1004", "1002")
	card.button("Use mine").click()
	card.says("Saved")
	b.settled()
	if got := destination(); got != "1002" {
		t.Errorf("after Use mine the destination at Webex is %v", got)
	}
	if got := card.by("textbox", "Send calls to").content(); got != "1002" {
		t.Errorf("after Use mine the field holds %q", got)
	}
}

// What Webex has done counts, not what it says: a change is applied, and then the
// answer fails.
func TestAnUnclearAnswerEndsInTheTruth(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	b.listen()
	b.signIn(greta, "/calls")
	card := b.card("Do not disturb")
	dnd := card.by("switch", "Do not disturb")

	p.trouble(t, webexsim.Fault{Method: http.MethodPut, Path: dndPath, Kind: webexsim.FaultApplyFail, Status: http.StatusGatewayTimeout})
	dnd.click()
	card.says("Saved")
	dnd.checked(true)
	b.settled()

	// Nor can it be read for a while.
	before := p.requests(t, http.MethodPut, "/doNotDisturb")
	p.trouble(t, webexsim.Fault{Method: http.MethodPut, Path: dndPath, Kind: webexsim.FaultApplyFail, Delay: 1500 * time.Millisecond})
	dnd.click()
	b.eventually("the change to be under way", func() error {
		if p.requests(t, http.MethodPut, "/doNotDisturb") == before {
			return errNone
		}
		return nil
	})
	p.ask(t, http.MethodPost, "/faults", webexsim.Fault{Method: http.MethodGet, Path: dndPath, Kind: webexsim.FaultStatus, Status: http.StatusInternalServerError}, nil)
	card.says("We do not know yet")
	b.hears("We do not know yet")
	p.trouble(t)
	b.eventually("the outcome", func() error {
		said, err := card.text()
		if err == nil && strings.Contains(said, "We do not know yet") {
			return errors.New(said)
		}
		return err
	})
	dnd.checked(false)
	if got := p.atWebex(t, greta, "doNotDisturb", "enabled"); got != false {
		t.Errorf("do not disturb at Webex is %v", got)
	}
}

func TestWhatIsNotSavedIsNotShownAsSaved(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	b.listen()
	b.signIn(greta, "/calls")
	p.trouble(t,
		webexsim.Fault{Method: http.MethodPut, Path: dndPath, Kind: webexsim.FaultStatus, Status: http.StatusBadRequest},
		webexsim.Fault{Method: http.MethodPut, Path: forwardingPath, Kind: webexsim.FaultStatus, Status: http.StatusInternalServerError},
	)
	card := b.card("Do not disturb")
	dnd := card.by("switch", "Do not disturb")
	dnd.click()
	card.says("Not saved")
	b.hears("Not saved")
	dnd.checked(false)
	dnd.focused()
	card.says("Not saved") // it stays until the next action

	forward := b.card("Forward all calls")
	forward.by("checkbox", "Send every call somewhere else").click()
	forward.by("textbox", "Send calls to").fill("030 23125-100")
	forward.button("Save").click()
	forward.says("Not saved")
	b.settled()
	if got := forward.by("textbox", "Send calls to").content(); got != "030 23125-100" {
		t.Errorf("the field holds %q: what was typed is lost", got)
	}
	b.card("Right now").says("Calls ring your")

	p.trouble(t)
	forward.button("Save").click()
	forward.says("Saved")
	dnd.click()
	card.says("Saved")
	dnd.checked(true)
}

func TestTheSessionEndsWhileAFormIsOpen(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	b.listen()
	b.signIn(greta, "/calls")
	card := b.card("Forward all calls")
	card.by("checkbox", "Send every call somewhere else").click()
	card.by("textbox", "Send calls to").fill("1001")
	card.says("extension 1001") // else the question what the number means is the first to meet the end
	b.forgetSession()

	card.button("Save").click()
	dialog := b.by("dialog", "Your session has ended")
	dialog.says("what you typed is still here")
	if got := p.atWebex(t, greta, "callForwarding", "callForwarding.always.enabled"); got != false {
		t.Error("saved without a session")
	}
	dialog.by("link", "Sign in again").click()

	second := b.popup()
	second.by("link", "Greta Holm*").click()
	second.by("heading", "You are signed in").wait()
	second.close()

	call(b, page.BringToFront, cdp.Empty{})
	value[bool](b, `window.dispatchEvent(new Event('focus'))`) // focus is emulated, so the browser does not tell
	dialog.gone()
	b.hears("You are signed in again")
	if got := card.by("textbox", "Send calls to").content(); got != "1001" {
		t.Errorf("the field holds %q: what was typed is lost", got)
	}
	card.button("Save").click()
	card.says("Saved")
	if got := p.atWebex(t, greta, "callForwarding", "callForwarding.always.destination"); got != "1001" {
		t.Errorf("the destination at Webex is %v", got)
	}
}

// popup is the window that this tab has opened.
func (b *tab) popup() *tab {
	b.t.Helper()
	opener := chromedp.FromContext(b.ctx).Target.TargetID
	var found target.ID
	b.eventually("the second window", func() error {
		ctx, cancel := b.brief()
		defer cancel()
		all, err := chromedp.CallBrowser(ctx, target.GetTargets, target.GetTargetsParams{})
		if err != nil {
			return err
		}
		for _, info := range all.TargetInfos {
			if info.OpenerID == opener || info.BrowserContextID == chromedp.FromContext(b.ctx).BrowserContextID && info.TargetID != opener && info.Type == "page" {
				found = info.TargetID
				return nil
			}
		}
		return errNone
	})
	return attach(browser, b.t, b.portal, chromedp.WithTargetID(found))
}

func TestTheBrowserIsOffline(t *testing.T) {
	t.Parallel()
	b := newTab(t, shared)
	b.listen()
	b.signIn(paul, "/calls")
	waiting := b.card("Call waiting").by("switch", "Call waiting")
	was := shared.atWebex(t, paul, "callWaiting", "enabled").(bool)

	b.offline(true)
	b.by("region", "Notices").says("Your browser is offline.")
	b.hears("Your browser is offline.")
	waiting.click()
	b.card("Call waiting").says("Your change was not sent. Your browser is offline.")
	waiting.checked(was)
	waiting.focused()
	b.card("Right now").says("Calls ring") // reading goes on

	b.offline(false)
	b.hears("You are online again.")
	waiting.click()
	b.card("Call waiting").says("Saved")
	waiting.checked(!was)
	if got := shared.atWebex(t, paul, "callWaiting", "enabled"); got == was {
		t.Error("not changed at Webex")
	}
}

func TestSwitchesTouchedWhileTheyAreSaved(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	b.signIn(greta, "/")
	p.ask(t, http.MethodPut, "/limits", map[string]string{"latency": "300ms"}, nil)
	dnd := b.card("Quick actions").by("switch", "Do not disturb")
	touch := func(times int) {
		t.Helper()
		var x, y float64
		b.eventually("the switch to be in view", func() (err error) {
			x, y, err = dnd.middle()
			return err
		})
		for range times {
			b.do(chromedp.MouseClickXY(x, y))
		}
	}
	agree := func(want bool) {
		t.Helper()
		b.settled()
		dnd.checked(want)
		if got := p.atWebex(t, greta, "doNotDisturb", "enabled"); got != want {
			t.Errorf("the switch shows %t, and Webex has %v", want, got)
		}
	}
	touch(2)
	agree(false)
	touch(3)
	agree(true)
	dnd.focused()

	// Two switches of one card do not disturb each other.
	sales, service := b.toggle("Joined in Sales Hotline"), b.toggle("Joined in Service Berlin")
	sales.click()
	service.click()
	sales.checked(false)
	service.checked(false)
	b.settled()
	sales.checked(false)
	service.checked(false)
	if p.joined(t, "Sales Hotline", greta) || p.joined(t, "Service Berlin", greta) {
		t.Error("a change of a queue was lost")
	}
}

func TestUnsavedEditsAreNotLostByAccident(t *testing.T) {
	t.Parallel()
	b := newTab(t, shared)
	b.signIn(ben, "/calls")
	card := b.card("When you are busy")
	leave := b.by("navigation", "Main").by("link", "Phones")

	card.by("checkbox", "Send calls somewhere else when you are busy").click()
	card.by("textbox", "Send calls to").fill("1003")
	card.says("Not saved yet")
	leave.click()
	b.eventually("the browser's question", func() error {
		if b.asked.Load() != 1 {
			return errNone
		}
		return nil
	})
	b.address("/calls")
	if got := card.by("textbox", "Send calls to").content(); got != "1003" {
		t.Errorf("after staying the field holds %q", got)
	}

	card.button("Discard").click()
	card.by("checkbox", "Send calls somewhere else when you are busy").checked(false)
	leave.click()
	b.address("/phones")
	if n := b.asked.Load(); n != 1 {
		t.Errorf("asked %d times; once was right", n)
	}
}

func TestTheOrganizationLocksSettings(t *testing.T) {
	t.Parallel()
	b := newTab(t, shared)
	b.signIn(hana, "/calls")
	for _, name := range []string{"Forward all calls", "Call waiting"} {
		card := b.card(name)
		card.says("Your organi")
		card.says("Now:")
		for _, role := range []string{"switch", "checkbox", "textbox", "button"} {
			card.by(role, "*").gone()
		}
	}
	b.card("Do not disturb").by("switch", "Do not disturb").wait()
}

// A form that was made for one person is not carried out for another who has
// signed in since, and whoever sits there sees why.
func TestAFormIsForOnePerson(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	b.listen()
	b.signIn(greta, "/calls")
	card := b.card("Forward all calls")
	card.by("checkbox", "Send every call somewhere else").click()
	card.by("textbox", "Send calls to").fill("1001")

	second := openTab(browser, t, p, chromedp.WithExistingBrowserContext(chromedp.FromContext(b.ctx).BrowserContextID))
	second.signIn(lena, "/phones") // over greta's session: without one the first page would ask to sign in
	second.close()

	card.button("Save").click()
	card.says("Somebody else has signed in")
	b.hears("Somebody else has signed in")
	for _, who := range []string{greta, lena} {
		if got := p.atWebex(t, who, "callForwarding", "callForwarding.always.enabled"); got != false {
			t.Errorf("forwarding of %s at Webex is %v", who, got)
		}
	}
}
