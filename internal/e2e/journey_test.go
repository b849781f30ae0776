package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// people of the demo; each test that changes something has one to itself.
const (
	greta = "greta.holm@patchbay.example"
	maria = "maria.rossi@patchbay.example"
	ana   = "ana.lopez@patchbay.example"
	sam   = "sam.oneill@patchbay.example"
	lena  = "lena.braun@patchbay.example"
	nils  = "nils.dahl@patchbay.example"
	paul  = "paul.weber@patchbay.example"
	ben   = "ben.fischer@patchbay.example"
	ines  = "ines.keller@patchbay.example"
	hana  = "hana.sato@patchbay.example"
	noah  = "noah.quinn@patchbay.example"
	eva   = "eva.lindqvist@patchbay.example"
	tom   = "tom.baker@patchbay.example"
	raj   = "raj.patel@patchbay.example"
)

// focusBy presses Tab until the place has the focus.
func focusBy(b *tab, key string, p place) {
	b.t.Helper()
	p.wait()
	for range 60 {
		if n, err := p.node(); err == nil && propertyOf(n, "focused") == "true" {
			return
		}
		if key == "Shift+Tab" {
			b.keys(kb.Tab, chromedp.ModifierShift)
		} else {
			b.keys(kb.Tab)
		}
	}
	b.t.Fatalf("%s is not reached by Tab", p)
}

func TestSomebodySignsInSwitchesDoNotDisturbAndSignsOut(t *testing.T) {
	t.Parallel()
	b := newTab(t, shared)

	b.open("/")
	b.address("/login")
	b.title("Welcome · Patchbay")
	b.by("link", "Sign in with Webex").click()
	b.by("heading", "Whom do you want to sign in as?").wait()
	b.by("link", "Greta Holm*").click()
	b.address("/")
	b.settled()
	b.by("heading", "Good *").wait()
	b.by("main", "").says("Berlin")
	now := b.card("Right now")
	now.says("Calls ring your")
	now.says("Reachable")
	b.card("My phones").says("Online")
	b.card("My queues").says("Sales Hotline")

	dnd := b.card("Quick actions").by("switch", "Do not disturb")
	dnd.checked(false)
	focusBy(b, "Tab", dnd)
	b.keys(" ")
	dnd.checked(true)
	b.card("Quick actions").says("Saved")
	now.says("Do not disturb is on")
	dnd.focused()
	if got := shared.atWebex(t, greta, "doNotDisturb", "enabled"); got != true {
		t.Errorf("do not disturb at Webex after Space: %v", got)
	}

	b.settled()
	dnd.click()
	dnd.checked(false)
	now.says("Calls ring your")
	dnd.focused()
	b.settled()
	if got := shared.atWebex(t, greta, "doNotDisturb", "enabled"); got != false {
		t.Errorf("do not disturb at Webex after a click: %v", got)
	}

	b.card("Quick actions").button("Undo").click()
	dnd.checked(true)
	now.says("Do not disturb is on")
	b.card("Quick actions").says("Undone")
	if got := shared.atWebex(t, greta, "doNotDisturb", "enabled"); got != true {
		t.Errorf("do not disturb at Webex after Undo: %v", got)
	}

	b.by("DisclosureTriangle", "Greta Holm*").click()
	b.by("button", "Sign out").click()
	b.address("/login?out=1")
	b.by("heading", "Welcome").wait()
	if err := chromedp.Do(b.ctx, chromedp.NavigateBack()); err != nil {
		t.Fatal(err)
	}
	b.address("/login")
	if got := value[string](b, `document.body.innerText`); strings.Contains(got, "Greta") {
		t.Errorf("after signing out the back button shows:\n%s", got)
	}
}

// What the portal remembers and what it reads afresh say the same.
func TestASecondLookShowsTheSame(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	p.setAtWebex(t, greta, "callForwarding", `{"callForwarding":{"busy":{"enabled":true,"destination":"1003"},"noAnswer":{"enabled":true,"destination":"1003","numberOfRings":7}}}`)
	b := newTab(t, p)
	b.signIn(greta, "/queues")
	first := map[string]string{}
	for range 3 { // at once: the cards of a page share what was read a moment ago
		for _, path := range []string{"/calls", "/", "/queues", "/phones"} {
			b.open(path)
			said, err := b.by("main", "").text()
			if err != nil {
				t.Fatal(err)
			}
			if path == "/calls" {
				said += "; rings: " + b.card("When you do not answer").by("spinbutton", "Let it ring first").content()
			}
			if first[path] == "" {
				first[path] = said
			}
			if said != first[path] {
				t.Errorf("%s first said\n%s\nand later\n%s", path, first[path], said)
			}
		}
	}
	for path, words := range map[string]string{"/": "7 rings", "/calls": "; rings: 7"} {
		if !strings.Contains(first[path], words) {
			t.Errorf("%s does not say %q:\n%s", path, words, first[path])
		}
	}
}

func TestSomebodyForwardsAllCalls(t *testing.T) {
	t.Parallel()
	b := newTab(t, shared)
	b.signIn(maria, "/calls")
	card := b.card("Forward all calls")
	to := card.by("textbox", "Send calls to")

	card.by("checkbox", "Send every call somewhere else").click()
	to.fill("030 23125 100")
	card.says("outside number, Germany, +49 30 23125100")
	card.says("Not saved yet")
	card.button("Save").click()
	card.says("Saved")
	b.card("Right now").says("All calls go to +49 30 23125100")
	b.settled()
	if got := shared.atWebex(t, maria, "callForwarding", "callForwarding.always.destination"); got != "+493023125100" {
		t.Errorf("the destination at Webex is %v", got)
	}
	if got := shared.atWebex(t, maria, "callForwarding", "callForwarding.always.enabled"); got != true {
		t.Errorf("forwarding at Webex is %v", got)
	}

	card.button("Save").click()
	card.says("Nothing to save.")

	to.fill("+49 12")
	card.button("Save").click()
	summary := card.by("group", "There is a problem")
	summary.focused()
	b.title("Error: Calls · Me · Patchbay")
	to.is("invalid", "true")
	to.describes("too short")
	if got := to.content(); got != "+49 12" {
		t.Errorf("the field holds %q: what was typed is lost", got)
	}
	summary.by("link", "*").click()
	to.focused()
	if got := shared.atWebex(t, maria, "callForwarding", "callForwarding.always.destination"); got != "+493023125100" {
		t.Errorf("a wrong number changed the destination at Webex to %v", got)
	}

	to.fill("1001")
	card.button("Save").click()
	card.says("Saved")
	b.title("Calls · Me · Patchbay")
	b.card("Right now").says("All calls go to 1001")
	b.settled()

	card.button("Undo").click()
	b.card("Right now").says("All calls go to +49 30 23125100")
	b.settled()
	if got := shared.atWebex(t, maria, "callForwarding", "callForwarding.always.destination"); got != "+493023125100" {
		t.Errorf("after Undo the destination at Webex is %v", got)
	}
}

func TestSomebodyJoinsAndLeavesQueues(t *testing.T) {
	t.Parallel()
	b := newTab(t, shared)
	b.signIn(ana, "/queues")
	ventas, care := b.toggle("Joined in Ventas Madrid"), b.toggle("Joined in Priority Care")
	ventas.checked(false)
	care.checked(true)

	ventas.click()
	b.card("My queues").says("Saved")
	b.settled()
	ventas.checked(true)
	ventas.focused()
	if !shared.joined(t, "Ventas Madrid", ana) {
		t.Error("not joined in Ventas Madrid at Webex")
	}
	ventas.click()
	b.settled()
	ventas.checked(false)
	if shared.joined(t, "Ventas Madrid", ana) {
		t.Error("still joined in Ventas Madrid at Webex")
	}

	b.by("button", "Join all queues").click()
	ventas.checked(true)
	b.settled()
	b.by("button", "Join all queues").gone()
	if !shared.joined(t, "Ventas Madrid", ana) || !shared.joined(t, "Priority Care", ana) {
		t.Error("not joined in all queues at Webex")
	}
}

func TestTheLastAgentIsWarned(t *testing.T) {
	t.Parallel()
	b := newTab(t, shared)
	b.signIn(sam, "/")
	warning := "You are the last person in Night Desk"

	b.card("Quick actions").button("Leave all queues*").click()
	b.card("Quick actions").says(warning)
	b.settled()
	if !shared.joined(t, "Night Desk", sam) {
		t.Fatal("left Night Desk without an answer to the warning")
	}
	focusBy(b, "Tab", b.by("link", "Stay")) // the focus was not lost
	b.keys(kb.Enter)
	b.by("link", "Stay").gone()
	b.settled()

	b.toggle("Joined in Night Desk").click()
	b.card("My queues").says(warning)
	b.toggle("Joined in Night Desk").checked(true)
	b.by("link", "Stay").click()
	b.by("link", "Stay").gone()
	b.settled()
	if !shared.joined(t, "Night Desk", sam) {
		t.Fatal("left Night Desk although the answer was Stay")
	}

	b.card("Quick actions").button("Leave all queues*").click()
	b.by("button", "Leave anyway").click()
	b.toggle("Joined in Night Desk").checked(false)
	b.settled()
	if shared.joined(t, "Night Desk", sam) {
		t.Error("still joined in Night Desk after Leave anyway")
	}
}

func TestInterceptIsReviewedBeforeItStarts(t *testing.T) {
	t.Parallel()
	b := newTab(t, shared)
	b.signIn(lena, "/calls")
	card := b.card("Call intercept")

	card.by("checkbox", "Intercept my calls").click()
	card.by("checkbox", "Tell callers my new number").click()
	card.by("textbox", "New number").fill("(030) 23125-014")
	card.button("Review the change").click()
	card.says("This will change. Nothing has been sent yet.")
	card.says("+49 30 23125014")
	if got := shared.atWebex(t, lena, "intercept", "enabled"); got != false {
		t.Fatalf("intercept at Webex before the review was answered: %v", got)
	}

	card.button("Back").click()
	card.by("checkbox", "Intercept my calls").checked(true)
	if got := card.by("textbox", "New number").content(); !strings.Contains(got, "23125") {
		t.Errorf("Back lost the number: %q", got)
	}
	card.button("Review the change").click()
	card.button("Start intercepting calls").click()
	card.says("Saved")
	b.card("Right now").says("out of service")
	b.settled()
	if got := shared.atWebex(t, lena, "intercept", "enabled"); got != true {
		t.Errorf("intercept at Webex is %v", got)
	}
	if got := shared.atWebex(t, lena, "intercept", "incoming.announcements.newNumber.destination"); got != "+493023125014" {
		t.Errorf("the new number at Webex is %v", got)
	}
}

func TestHistoryShowsAndUndoesChanges(t *testing.T) {
	t.Parallel()
	b := newTab(t, shared)
	b.signIn(nils, "/calls")
	b.card("Call waiting").by("switch", "Call waiting").click()
	b.card("Call waiting").says("Saved")
	b.settled()
	was := shared.atWebex(t, nils, "callWaiting", "enabled")

	card := b.card("When you are busy")
	card.by("checkbox", "Send calls somewhere else when you are busy").click()
	card.by("textbox", "Send calls to").fill("1000")
	card.button("Save").click()
	card.says("Saved")
	b.settled()

	b.by("navigation", "Main").by("link", "History").click()
	b.address("/history")
	b.settled()
	history := b.card("Your changes")
	history.says("Forward when busy: turned on")
	history.says("· you")
	history.says("before: nothing after: 1000")
	if was == true {
		history.says("Call waiting: turned on")
	} else {
		history.says("Call waiting: turned off")
	}

	history.by("button", "Undo : Call waiting*").click()
	history.says("Undo: Call waiting")
	b.settled()
	if got := shared.atWebex(t, nils, "callWaiting", "enabled"); got == was {
		t.Errorf("call waiting at Webex is still %v after Undo", got)
	}

	// What somebody else changed meanwhile is not undone blindly.
	shared.setAtWebex(t, nils, "callForwarding", `{"callForwarding":{"busy":{"enabled":true,"destination":"1003"}}}`)
	history.by("button", "Undo : Forward when busy*").click()
	b.settled()
	if got := fmt.Sprint(shared.atWebex(t, nils, "callForwarding", "callForwarding.busy.destination")); got != "1003" {
		t.Errorf("Undo overwrote what somebody else had set: %s", got)
	}
	history.says("changed")
}
