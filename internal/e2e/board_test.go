package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"patchbay/internal/webexsim"
)

// mei leads queues and hunt groups in the demo.
const mei = "mei.wang@patchbay.example"

// team are the first three agents of a queue by name, none of whom has joined.
func (p *portal) team(t *testing.T, queue string) (emails, names []string) {
	t.Helper()
	var q webexsim.QueueInfo
	p.ask(t, http.MethodGet, "/queues/"+url.PathEscape(queue), nil, &q)
	for _, a := range q.Agents {
		var who webexsim.PersonInfo
		p.ask(t, http.MethodGet, "/people/"+a.Email, nil, &who)
		p.ask(t, http.MethodPut, "/queues/"+url.PathEscape(queue)+"/agents/"+a.Email, map[string]bool{"joined": false}, nil)
		if len(emails) < 3 {
			emails, names = append(emails, a.Email), append(names, who.DisplayName)
		}
	}
	return emails, names
}

// leads signs the lead in at a path, once the demo has given her the role.
func leads(b *tab, path string) {
	b.t.Helper()
	b.navigate(b.portal.url + "/authenticate?login_hint=" + mei)
	b.eventually("the lead's role", func() error {
		b.navigate(b.portal.url + path)
		if at, err := b.where(); err != nil || at.Title != "Queue board · Help others · Patchbay" {
			return fmt.Errorf("the page is %+v, %w", at, err)
		}
		return nil
	})
}

func TestALeadJoinsTwoOfThreeByKeyboard(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	emails, names := p.team(t, "Service Berlin")
	b := newTab(t, p)
	leads(b, "/board?q=service")
	b.settled()
	card := b.card("Service Berlin")
	card.says("Nobody can take calls")

	// One, with its switch.
	one := b.toggle("Joined: " + names[0])
	focusBy(b, "Tab", one)
	b.keys(" ")
	card.says("Saved")
	card.says("1 can take calls")
	b.settled()
	one.checked(true)
	one.focused()

	// Two of three, with ticks.
	undo := card.button("Undo")
	focusBy(b, "Tab", undo)
	b.keys(kb.Enter)
	card.says("Nobody can take calls")
	b.settled()
	for _, name := range names[:2] {
		tick := card.by("checkbox", "Choose "+name)
		value[bool](b, `document.activeElement.blur() ?? true`)
		focusBy(b, "Tab", tick)
		b.keys(" ")
		tick.checked(true)
	}
	join := card.button("Join 2 agents")
	focusBy(b, "Tab", join)
	b.keys(kb.Enter)
	card.says("2 agents have joined.")
	card.says("2 can take calls")
	b.settled()
	for i, want := range []bool{true, true, false} {
		if got := p.joined(t, "Service Berlin", emails[i]); got != want {
			t.Errorf("%s at Webex: joined %t, want %t", names[i], got, want)
		}
	}
	if at := value[string](b, `document.activeElement?.id ?? ''`); at == "" {
		t.Error("after joining the focus is lost")
	}

	// It asks before nobody is left, and Stay changes nothing.
	leave := card.button("Let all 2 leave")
	focusBy(b, "Tab", leave)
	b.keys(kb.Enter)
	card.says("Nobody would be left in Service Berlin")
	card.by("link", "Stay").focused()
	for _, l := range looks {
		inspect(b, "the board, asking", l)
	}
	b.size(1280, 900)
	b.keys(kb.Enter)
	card.button("Let all 2 leave").wait()
	b.settled()
	if !p.joined(t, "Service Berlin", emails[0]) {
		t.Error("Stay did not stay")
	}
}

func TestALeadAddsAndRemovesSomebody(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	leads(b, "/board?q=service")
	b.settled()
	card := b.card("Service Berlin")
	card.by("DisclosureTriangle", "Add somebody*").click()
	card.by("textbox", "Name or e-mail address").fill("maria")
	found := card.by("button", "Add Maria Rossi*")
	found.wait()
	for _, l := range looks {
		inspect(b, "the board, adding", l)
	}
	b.size(1280, 900)
	found.click()
	card.says("Maria Rossi was added to Service Berlin.")
	b.settled()
	if !p.joined(t, "Service Berlin", maria) {
		t.Error("she has not joined at once")
	}
	card.by("link", "Remove Maria Rossi").click()
	card.says("Remove Maria Rossi from Service Berlin?")
	b.settled()
	card.by("link", "Remove Maria Rossi").focused() // the question comes next
	card.button("Remove Maria Rossi").click()
	card.says("Maria Rossi was removed from Service Berlin.")
	b.settled()
	card.button("Undo").click()
	card.says("Undone")
	b.settled()
	if !p.joined(t, "Service Berlin", maria) {
		t.Error("the undo did not bring her back as she was")
	}
}

func TestTheBoardWithoutJavaScript(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	emails, names := p.team(t, "Service Berlin")
	b := newPlainTab(t, p)
	leads(b, "/board?q=service&js=0")
	main := b.by("main", "")
	card := b.card("Service Berlin")
	card.button("Turn on : " + names[0]).click()
	main.says(names[0] + " has joined.")
	if !p.joined(t, "Service Berlin", emails[0]) {
		t.Error("not joined at Webex")
	}
	card.by("checkbox", "Choose "+names[1]).click()
	card.by("checkbox", "Choose "+names[2]).click()
	card.button("Join those ticked").click()
	card.says("2 agents have joined.")
	for _, who := range emails {
		if !p.joined(t, "Service Berlin", who) {
			t.Errorf("%s has not joined at Webex", who)
		}
	}
	card.by("DisclosureTriangle", "Minimum cover*").click()
	card.by("textbox", "How many agents should be able to take calls").fill("3")
	card.button("Save the minimum").click()
	main.says("Saved")
	card.says("3 of 3 wanted can take calls")
	card.button("Turn off : " + names[0]).click()
	card.says("2 of 3 wanted would be left in Service Berlin to take calls.")
	card.button("Leave anyway").click()
	main.says(names[0] + " has left.")
	main.button("Undo").click()
	card.button("Turn off : " + names[0]).wait()
	card.by("DisclosureTriangle", "Add somebody*").click()
	card.by("textbox", "Name or e-mail address").fill("maria")
	card.button("Add").click()
	card.by("button", "Add Maria Rossi*").click()
	main.says("Maria Rossi was added to Service Berlin.")
	card.by("link", "Remove Maria Rossi").click()
	card.button("Remove Maria Rossi").click()
	main.says("Maria Rossi was removed from Service Berlin.")
}

func TestTheBoardIsAccessible(t *testing.T) {
	t.Parallel()
	b := newTab(t, shared)
	leads(b, "/board")
	b.settled()
	for _, l := range looks {
		inspect(b, "the board", l)
	}
	value[bool](b, `[...document.querySelectorAll('.board-queue h2 a')][0].click() ?? true`)
	b.by("link", "All queues").wait()
	b.settled()
	for _, l := range looks {
		inspect(b, "the board of one queue", l)
	}
}
