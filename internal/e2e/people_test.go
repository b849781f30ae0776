package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// helps signs the helpdesk in at People, once the demo has given it the role.
func helps(b *tab) {
	b.t.Helper()
	b.navigate(b.portal.url + "/authenticate?login_hint=" + ben)
	b.eventually("the helpdesk's role", func() error {
		b.navigate(b.portal.url + "/people")
		if at, err := b.where(); err != nil || at.Title != "People · Help others · Patchbay" {
			return fmt.Errorf("the page is %+v, %w", at, err)
		}
		return nil
	})
}

// A helper finds somebody by keyboard and turns their do not disturb on; she sees who
// did it, and undoes it.
func TestAHelperFindsSomebodyAndChangesASetting(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	b.listen()
	helps(b)
	b.settled()
	b.by("main", "").says("You help: Berlin")

	search := b.by("searchbox", "Name, number, extension, e-mail or MAC address")
	focusBy(b, "Tab", search)
	b.keys("lena br")
	b.hears("1 person")
	search.focused()
	b.address("/people?query=lena+br")
	focusBy(b, "Tab", b.by("link", "Lena Braun*"))
	b.keys(kb.Enter)

	b.title("Lena Braun · Lena Braun · Patchbay")
	band := b.by("region", "For whom you work")
	band.says("You are changing settings for Lena Braun.")
	band.says("They will see it in their history.")
	b.settled()
	dnd := b.toggle("Do not disturb")
	focusBy(b, "Tab", dnd)
	b.keys(" ")
	b.card("Quick actions").says("Saved")
	b.settled()
	if got := p.atWebex(t, lena, "doNotDisturb", "enabled"); got != true {
		t.Errorf("do not disturb at Webex is %v", got)
	}
	focusBy(b, "Shift+Tab", band.by("button", "Stop"))
	b.keys(kb.Enter)
	b.address("/people")
	b.by("region", "For whom you work").gone()

	hers := newTab(t, p)
	hers.signIn(lena, "/")
	news := hers.card("New for you")
	news.says("Do not disturb: turned on")
	news.says("by Ben Fischer")
	news.by("link", "History").click()
	hers.card("Your changes").says("Ben Fischer")
	hers.by("button", "Undo : Do not disturb: turned on").click()
	hers.card("Your changes").says("Undone")
	if got := p.atWebex(t, lena, "doNotDisturb", "enabled"); got != false {
		t.Errorf("do not disturb at Webex after Undo is %v", got)
	}
	hers.open("/")
	hers.card("Right now").wait()
	hers.card("New for you").gone()
}

// A form of somebody for whom one works no more is not carried out, and the words
// stand at the control.
func TestAFormThatComesTooLateSaysSo(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	helps(b)
	b.open("/people/" + p.personID(t, lena))
	signInAgain := value[int64](b, `fetch(location.pathname + '/stop', {method: 'POST', redirect: 'manual'}).then((r) => r.status)`)
	if signInAgain >= http.StatusBadRequest {
		t.Fatalf("stopping: %d", signInAgain)
	}
	dnd := b.toggle("Do not disturb")
	dnd.click()
	b.card("Quick actions").says("Your work for Lena Braun has ended")
	dnd.checked(false)
	if got := p.atWebex(t, lena, "doNotDisturb", "enabled"); got != false {
		t.Errorf("do not disturb at Webex is %v", got)
	}
}

// More people come below the first ones, and the focus goes to the first of them.
func TestMorePeopleComeBelow(t *testing.T) {
	t.Parallel()
	b := newTab(t, shared)
	b.signIn(ines, "/people")
	rows := `document.querySelectorAll('.person').length`
	before := value[int64](b, rows)
	more := b.by("link", "More people")
	focusBy(b, "Tab", more)
	b.keys(kb.Enter)
	b.eventually("more people", func() error {
		after, err := evaluate[int64](b, rows)
		if err == nil && after <= before {
			err = fmt.Errorf("there are %d, before %d", after, before)
		}
		return err
	})
	if at := value[int64](b, `[...document.querySelectorAll('.person')].indexOf(document.activeElement)`); at != before {
		t.Errorf("the focus is on row %d, want %d", at, before)
	}
}

func TestSomebodyLendsAndTheColleagueHelps(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	hers, his := newTab(t, p), newTab(t, p)
	hers.listen()
	hers.signIn(greta, "/")
	hers.by("main", "").by("link", "Lend my forwarding and queues").click()
	hers.title("Lend to a colleague · Me · Patchbay")
	field := hers.by("textbox", "To whom?")
	hers.eventually("the directory", func() error {
		field.fill("tom ba")
		_, err := hers.by("radio", "Tom Baker*").node()
		if err != nil {
			time.Sleep(time.Second)
		}
		return err
	})
	hers.hears("1 colleague found")
	focusBy(hers, "Tab", hers.by("radio", "End of today*"))
	hers.keys(kb.ArrowDown)
	hers.by("radio", "Tomorrow evening*").checked(true)
	hers.press("Why? (optional)", "holiday")
	hers.press("Lend forwarding and queues", kb.Enter)
	hers.by("main", "").says("Tom Baker may change your forwarding and queues until")

	his.signIn(tom, "/")
	lent := his.card("Lent and borrowed")
	lent.says("You may change forwarding and queues of Greta Holm")
	lent.by("link", "Open Greta Holm").click()
	his.settled()
	his.by("region", "For whom you work").says("Greta Holm")
	his.open("/people/" + p.personID(t, greta) + "/queues")
	his.card("Queues").by("switch", "Joined in Sales Hotline").click()
	his.card("Queues").says("Saved")
	if p.joined(t, "Sales Hotline", greta) {
		t.Error("still joined at Webex")
	}
	his.by("switch", "Do not disturb").gone()

	hers.open("/")
	hers.card("Lent and borrowed").by("button", "End now : Tom Baker*").click()
	hers.card("Lent and borrowed").says("Ended: Tom Baker")
	his.eventually("the end", func() error {
		his.open("/")
		n, err := his.card("Lent and borrowed").nodes()
		if err == nil && len(n) > 0 {
			err = fmt.Errorf("it is still lent")
		}
		return err
	})
}

func TestFindingHelpingAndLendingWithoutJavaScript(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newPlainTab(t, p)
	helps(b)
	main := b.by("main", "")
	b.by("searchbox", "Name, number, extension, e-mail or MAC address").fill("lena")
	main.by("button", "Search").click()
	main.by("link", "Lena Braun*").click()
	b.by("region", "For whom you work").says("Lena Braun")
	b.card("Quick actions").button("Turn on : Do not disturb").click()
	main.by("status", "*").says("Saved")
	if got := p.atWebex(t, lena, "doNotDisturb", "enabled"); got != true {
		t.Errorf("do not disturb at Webex is %v", got)
	}
	b.by("region", "For whom you work").by("button", "Stop").click()
	b.title("People · Help others · Patchbay")

	b.navigate(p.url + "/lend")
	b.by("textbox", "To whom?").fill("berlin")
	main.by("button", "Lend forwarding and queues").click()
	b.title("Error: Lend to a colleague · Me · Patchbay")
	main.by("group", "There is a problem").says("Several colleagues have such a name")
	main.by("group", "Which colleague?*").by("radio", "Greta Holm*").click()
	main.by("button", "Lend forwarding and queues").click()
	main.by("status", "*").says("Greta Holm may change your forwarding and queues until")
	b.card("Lent and borrowed").by("button", "End now : Greta Holm*").click()
	main.by("status", "*").says("Ended: Greta Holm")
}

func TestPagesForHelpersAreAccessible(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	b := newTab(t, p)
	helps(b)
	person := "/people/" + p.personID(t, lena)
	for _, path := range []string{
		"/people", "/people?query=lena", "/people?query=zzzz", person, person + "/calls", person + "/queues", person + "/phones", person + "/history", person + "/start", "/lend", "/lend?colleague=ber", "/",
	} {
		b.open(path)
		for _, l := range looks {
			inspect(b, strings.Replace(path, person, "/people/lena", 1), l)
		}
	}
}
