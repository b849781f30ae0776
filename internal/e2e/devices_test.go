package e2e

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// asHelper opens somebody's phones as ines, who is an administrator.
func asHelper(b *tab, p *portal, who string) (address string) {
	b.t.Helper()
	b.signIn(ines, "/phones")
	address = "/people/" + p.personID(b.t, who) + "/phones"
	b.open(address)
	b.card("Phones").wait()
	return address
}

// personID is Webex's id of a person.
func (p *portal) personID(t *testing.T, who string) string {
	t.Helper()
	var person struct {
		ID string `json:"id"`
	}
	p.ask(t, http.MethodGet, "/people/"+who, nil, &person)
	return person.ID
}

var codeOfGroups = regexp.MustCompile(`^(\d{4} ){3}\d{4}$`)

func TestAHelperMakesACodeLabelsALineAndRemovesAPhone(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	address := asHelper(b, p, greta)
	snap := func(name string) {
		for _, l := range looks {
			inspect(b, "devices-"+name, l)
		}
		b.size(1280, 900)
	}
	list, code := b.card("Phones"), b.card("New phone")
	list.says("Cisco Desk Phone 9851")
	code.by("combobox", "Model").wait()
	b.settled()
	snap("list")

	// A code, by keyboard: first without a model, which is said.
	focusBy(b, "Tab", code.button("Make activation code"))
	b.keys(kb.Enter)
	code.by("group", "There is a problem").focused()
	focusBy(b, "Tab", code.by("combobox", "Model"))
	b.keys("Cisco 9861")
	focusBy(b, "Tab", code.button("Make activation code"))
	b.keys(kb.Enter)
	code.by("image", "The activation code as a QR code").wait()
	code.says("Activation code made for Cisco 9861 of Greta Holm")
	b.settled()
	shown := value[string](b, `document.getElementById('card-newPhone-code').textContent`)
	if !codeOfGroups.MatchString(shown) {
		t.Errorf("the code is %q", shown)
	}
	list.says("Being set up")
	snap("code")
	b.open("/help")
	b.open(address)
	code.by("combobox", "Model").wait()
	if body := value[string](b, `document.documentElement.outerHTML`); strings.Contains(body, shown) {
		t.Error("the code is still there after the page was left")
	}
	value[bool](b, `history.go(-2) ?? true`)
	b.address(address)
	code.by("combobox", "Model").wait()
	b.settled()
	if body := value[string](b, `document.documentElement.outerHTML`); strings.Contains(body, shown) {
		t.Error("the code is shown again by going back")
	}

	// A label, and Undo.
	b.open(address)
	focusBy(b, "Tab", list.by("link", "Line labels : Cisco Desk Phone 9851*"))
	b.keys(kb.Enter)
	b.by("heading", "Cisco Desk Phone 9851").focused()
	lines := b.card("Line labels")
	focusBy(b, "Tab", lines.by("textbox", "Key 1: Greta Holm"))
	b.keys("Front desk" + kb.Enter)
	lines.says("Saved")
	b.settled()
	snap("lines")
	focusBy(b, "Shift+Tab", lines.button("Undo"))
	b.keys(kb.Enter)
	lines.says("Undone")
	b.settled()
	if got := lines.by("textbox", "Key 1: Greta Holm").content(); got != "" {
		t.Errorf("after Undo the label is %q", got)
	}

	// The removal is reviewed first.
	b.open(address)
	focusBy(b, "Tab", list.by("link", "Remove : Cisco Desk Phone 9851*"))
	b.keys(kb.Enter)
	b.by("heading", "Remove Cisco Desk Phone 9851").focused()
	snap("remove")
	focusBy(b, "Tab", b.by("link", "Leave it as it is"))
	focusBy(b, "Shift+Tab", b.by("button", "Remove phone"))
	if p.requests(t, http.MethodDelete, "") != 0 {
		t.Error("the phone was removed before the answer")
	}
	b.keys(kb.Enter)
	b.address(address)
	b.by("main", "").by("status", "*").says("Cisco Desk Phone 9851 was removed")
	if p.requests(t, http.MethodDelete, "") != 1 {
		t.Error("the phone was not removed")
	}
	b.open(strings.Replace(address, "/phones", "/history", 1))
	b.by("main", "").says("): removed")
	snap("history")
}

func TestPhonesOfOthersWithoutJavaScript(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newPlainTab(t, p)
	main := b.by("main", "")
	b.navigate(p.url + "/authenticate?return=/people/" + p.personID(t, nils) + "/phones&login_hint=" + ines)
	b.card("Phones").says("Cisco Desk Phone 9851")

	b.card("New phone").button("Make activation code").click()
	b.title("Error: Phones · Nils Dahl · Patchbay")
	b.card("New phone").says("Choose the model")
	focusBy(b, "Tab", b.card("New phone").by("combobox", "Model"))
	b.keys("Cisco 9851")
	b.card("New phone").button("Make activation code").click()
	b.card("New phone").by("image", "The activation code as a QR code").wait()
	b.card("Phones").says("Being set up")
	b.by("link", "Hide the code").click()
	b.card("New phone").by("combobox", "Model").wait()

	b.card("Phones").by("link", "Line labels : Cisco Desk Phone 9851*").click()
	b.card("Line labels").by("textbox", "Key 1: Nils Dahl").fill("Purchasing")
	b.card("Line labels").button("Save").click()
	main.by("status", "*").says("Saved")
	if got := b.card("Line labels").by("textbox", "Key 1: Nils Dahl").content(); got != "Purchasing" {
		t.Errorf("the label is %q", got)
	}
	b.card("Line labels").by("link", "Restart the phone").click()
	main.says("calls on it end")
	b.by("button", "Restart phone").click()
	main.by("status", "*").says("is restarting")
	b.card("Phones").by("link", "Remove : Cisco Desk Phone 9851 · *").click()
	b.by("button", "Remove phone").click()
	main.by("status", "*").says("was removed")
}
