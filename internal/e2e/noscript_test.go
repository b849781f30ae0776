package e2e

import "testing"

// Everything works in a browser that runs no scripts: the forms are forms.
func TestEverythingWorksWithoutJavaScript(t *testing.T) {
	t.Parallel()
	b := newPlainTab(t, shared)
	main := b.by("main", "")

	b.navigate(shared.url)
	b.by("link", "Sign in with Webex").click()
	b.by("link", "Tom Baker*").click()
	b.card("Right now").says("All calls go to")
	b.card("My phones").says("Online")
	main.says("extension 3000")

	// A switch is a button named after the act.
	b.card("Quick actions").button("Turn on : Do not disturb").click()
	main.by("status", "*").says("Saved")
	b.card("Quick actions").button("Turn off : Do not disturb").wait()
	if got := shared.atWebex(t, tom, "doNotDisturb", "enabled"); got != true {
		t.Errorf("do not disturb at Webex is %v", got)
	}
	main.button("Undo").click()
	b.card("Quick actions").button("Turn on : Do not disturb").wait()
	if got := shared.atWebex(t, tom, "doNotDisturb", "enabled"); got != false {
		t.Errorf("do not disturb at Webex after Undo is %v", got)
	}

	b.by("navigation", "Main").by("link", "Queues").click()
	row := "Accounts Payable Questions and Supplier Master Data (EMEA)"
	b.card("My queues").button("Turn on : " + row).click()
	b.card("My queues").button("Turn off : " + row).wait()
	main.says("Saved")
	if !shared.joined(t, row, tom) {
		t.Error("not joined at Webex")
	}
	b.by("button", "Leave all queues").click()
	b.card("My queues").button("Turn on : " + row).wait()
	if shared.joined(t, row, tom) {
		t.Error("still joined at Webex")
	}

	b.by("navigation", "Main").by("link", "Calls").click()
	card := b.card("When you are busy")
	card.by("checkbox", "Send calls somewhere else when you are busy").click()
	card.by("textbox", "Send calls to").fill("12")
	card.by("textbox", "Send calls to").fill("+44 20")
	card.button("Save").click()
	b.title("Error: Calls · Me · Patchbay")
	card.by("group", "There is a problem").by("link", "*").click()
	card.by("textbox", "Send calls to").focused()
	card.by("textbox", "Send calls to").is("invalid", "true")
	card.by("textbox", "Send calls to").fill("020 7946 0958")
	card.button("Save").click()
	main.by("status", "*").says("Saved")
	b.title("Calls · Me · Patchbay")
	card.by("checkbox", "Send calls somewhere else when you are busy").checked(true)
	if got := shared.atWebex(t, tom, "callForwarding", "callForwarding.busy.destination"); got != "+442079460958" {
		t.Errorf("the destination at Webex is %v", got)
	}

	b.by("navigation", "Main").by("link", "History").click()
	b.card("Your changes").by("button", "Undo : Forward when busy*").click()
	b.card("Your changes").says("Undo: Forward when busy")
	if got := shared.atWebex(t, tom, "callForwarding", "callForwarding.busy.enabled"); got != false {
		t.Errorf("forwarding when busy at Webex after Undo is %v", got)
	}

	// Intercept is reviewed on a page of its own.
	b.by("navigation", "Main").by("link", "Calls").click()
	intercept := b.card("Call intercept")
	intercept.by("checkbox", "Intercept my calls").click()
	intercept.button("Review the change").click()
	intercept.says("Nothing has been sent yet.")
	intercept.button("Back").click()
	intercept.by("checkbox", "Intercept my calls").checked(true)
	intercept.button("Review the change").click()
	intercept.button("Start intercepting calls").click()
	b.card("Right now").says("out of service")
	if got := shared.atWebex(t, tom, "intercept", "enabled"); got != true {
		t.Errorf("intercept at Webex is %v", got)
	}

	b.by("DisclosureTriangle", "Tom Baker*").click()
	b.by("button", "Sign out").click()
	b.address("/login?out=1")
}

// The last agent is warned without a script too, and nothing changes before the answer.
func TestTheLastAgentIsWarnedWithoutJavaScript(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newPlainTab(t, p)
	b.navigate(p.url + "/authenticate?return=/queues&login_hint=" + sam)
	b.card("My queues").button("Turn off : Night Desk").click()
	b.card("My queues").says("You are the last person in Night Desk")
	if !p.joined(t, "Night Desk", sam) {
		t.Error("left before the answer")
	}
	b.by("link", "Stay").click()
	b.card("My queues").button("Turn off : Night Desk").click()
	b.by("button", "Leave anyway").click()
	b.card("My queues").button("Turn on : Night Desk").wait()
	if p.joined(t, "Night Desk", sam) {
		t.Error("still joined after Leave anyway")
	}
}
