package portal_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"patchbay/internal/webexsim"
)

var (
	formElement  = regexp.MustCompile(`(?s)<form[^>]* action="([^"]*)"[^>]*>(.*?)</form>`)
	inputElement = regexp.MustCompile(`<(?:input|button)[^>]*>`)
	attribute    = regexp.MustCompile(`([a-z-]+)(?:="([^"]*)")?`)
)

// filled is a form as a browser would send it.
type filled struct {
	action string
	values url.Values
}

// form finds the form whose action and content hold these texts.
func (a answer) form(t *testing.T, action, content string) filled {
	t.Helper()
	for _, m := range formElement.FindAllStringSubmatch(a.body, -1) {
		if !strings.HasPrefix(html.UnescapeString(m[1]), action) || !strings.Contains(m[2], content) {
			continue
		}
		f := filled{html.UnescapeString(m[1]), url.Values{}}
		for _, input := range inputElement.FindAllString(m[2], -1) {
			attrs := map[string]string{}
			for _, at := range attribute.FindAllStringSubmatch(input, -1) {
				attrs[at[1]] = html.UnescapeString(at[2])
			}
			_, checked := attrs["checked"]
			if attrs["name"] != "" && !strings.HasPrefix(input, "<button") && (attrs["type"] != "checkbox" && attrs["type"] != "radio" || checked) {
				f.values.Add(attrs["name"], attrs["value"])
			}
		}
		return f
	}
	t.Fatalf("there is no form for %s with %q:\n%s", action, content, a.body)
	return filled{}
}

// with sets values; "" takes one away, as a tick that is taken off.
func (f filled) with(pairs ...string) filled {
	for i := 0; i+1 < len(pairs); i += 2 {
		if f.values.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			f.values.Del(pairs[i])
		}
	}
	return f
}

// post sends the form; htmx says so in a header.
func (b *browser) post(f filled, htmx bool) answer {
	b.t.Helper()
	h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"}}
	if htmx {
		h.Set("Hx-Request", "true")
	}
	return b.send(request{method: http.MethodPost, path: f.action, body: f.values.Encode(), header: h})
}

const toAlways = "callForwarding.always.destination"

func TestFormsWithoutJavaScript(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, greta)
	page := b.get("/calls?js=0").wants(t, http.StatusOK)
	for _, card := range everyCard[4:11] {
		if fails(page, card) || !strings.Contains(page.body, `id="card-`+card+`"`) {
			t.Errorf("the page has no card %s", card)
		}
	}
	saved := b.post(page.form(t, "/calls/doNotDisturb", `name="enabled"`).with("enabled", "true"), false)
	if saved.status != http.StatusOK || saved.at != "/calls" || !strings.Contains(saved.body, "Saved") {
		t.Errorf("the switch ended at %s with %d", saved.at, saved.status)
	}
	if value(w.setting(t, greta, "doNotDisturb"), "enabled") != true {
		t.Error("the switch changed nothing")
	}
	undone := b.post(saved.form(t, "/history/", ""), false)
	if undone.status != http.StatusOK || undone.at != "/calls" || !strings.Contains(undone.body, "Undone ") || value(w.setting(t, greta, "doNotDisturb"), "enabled") != false {
		t.Errorf("undo ended at %s with %d", undone.at, undone.status)
	}
	if again := b.get("/calls"); strings.Contains(again.body, "Undone ") {
		t.Error("the message is shown twice")
	}

	always := page.form(t, "/calls/callForwarding", toAlways)
	wrong := b.post(always.with("callForwarding.always.enabled", "true", toAlways, "+49 12"), false)
	if wrong.status != http.StatusUnprocessableEntity || !strings.Contains(wrong.body, `value="+49 12"`) || !strings.Contains(wrong.body, "There is a problem") || !strings.Contains(wrong.body, "<title>Error: ") {
		t.Errorf("a wrong number: %d, what was typed is kept: %t", wrong.status, strings.Contains(wrong.body, `value="+49 12"`))
	}
	right := b.post(wrong.form(t, "/calls/callForwarding", toAlways).with(toAlways, "030 90182055"), false)
	if right.status != http.StatusOK || value(w.setting(t, greta, "callForwarding"), toAlways) != "+493090182055" {
		t.Errorf("the right number: %d, Webex has %v", right.status, w.setting(t, greta, "callForwarding"))
	}

	queues := b.get("/queues").wants(t, http.StatusOK)
	left := b.post(queues.form(t, "/queues/"+w.queue(t, "Service Berlin").ID, `name="joined"`).with("joined", "false"), false)
	if joined, _ := w.sim.QueueJoined("Service Berlin", greta); left.status != http.StatusOK || joined {
		t.Errorf("leaving a queue: %d, still joined: %t", left.status, joined)
	}
	all := b.post(b.get("/queues").form(t, "/queues?", `value="false"`), false)
	if joined, _ := w.sim.QueueJoined("Sales Hotline", greta); all.status != http.StatusOK || joined {
		t.Errorf("leaving all queues: %d, still joined: %t\n%s", all.status, joined, all.body)
	}
}

func TestAFormThatMeetsTroubleKeepsWhatWasTypedAndShowsTheTruth(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		trouble webexsim.Fault
		status  int
		says    string
	}{
		"refused":                {status(400, 0), 409, "Webex does not accept this change"},
		"failed":                 {status(500, 0), 502, "Nothing was changed"},
		"unavailable":            {status(503, 0), 503, "Nothing was changed"},
		"throttled for a moment": {status(429, 2*time.Second), 503, "data-send-at-zero"},
		"throttled for an hour":  {status(429, time.Hour), 503, "too long to wait"},
		"a page of HTML":         {webexsim.Fault{Kind: webexsim.FaultHTML}, 502, "Nothing was changed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, setup{})
			b := w.signIn(t, greta)
			always := b.partial("/cards/always?page=calls").form(t, "/calls/callForwarding", toAlways)
			dnd := b.partial("/cards/doNotDisturb?page=calls").form(t, "/calls/doNotDisturb", `name="enabled"`)
			queue := b.partial("/cards/queues?page=queues&rest=1").form(t, "/queues/"+w.queue(t, "Service Berlin").ID, `name="joined"`)
			tt.trouble.Method = http.MethodPut
			w.sim.SetFault(tt.trouble)

			a := b.post(always.with("callForwarding.always.enabled", "true", toAlways, "030 90182055"), true)
			if a.status != tt.status || !strings.Contains(a.body, tt.says) || !strings.Contains(a.body, `value="030 90182055"`) {
				t.Errorf("the form: %d, want %d with %q and what was typed:\n%s", a.status, tt.status, tt.says, a.body)
			}
			if strings.Contains(a.body, canary) || strings.Contains(a.body, "almost online") {
				t.Errorf("Webex's words are passed on:\n%s", a.body)
			}
			a = b.post(dnd.with("enabled", "true"), true)
			if row, _, _ := strings.Cut(a.body, "ringSplashEnabled"); a.status != tt.status || strings.Contains(row, " checked") || !strings.Contains(a.body, tt.says) {
				t.Errorf("the switch: %d, want %d, off, with %q:\n%s", a.status, tt.status, tt.says, a.body)
			}
			a = b.post(queue.with("joined", "false"), true)
			_, row, _ := strings.Cut(a.body, "Service Berlin")
			if row, _, _ = strings.Cut(row, "</form>"); a.status != tt.status || !strings.Contains(row, "checked") || !strings.Contains(a.body, tt.says) {
				t.Errorf("the queue: %d, want %d, still joined, with %q:\n%s", a.status, tt.status, tt.says, a.body)
			}
			if tt.trouble.RetryAfter > 0 && a.header.Get("Retry-After") == "" {
				t.Error("it is not said when to come back")
			}
		})
	}
}

func TestAFormOverAChangeBySomebodyElse(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, greta)
	always := b.partial("/cards/always?page=calls").form(t, "/calls/callForwarding", toAlways)
	if err := w.sim.SetSetting(greta, "callForwarding", `{"callForwarding":{"always":{"enabled":true,"destination":"1002"}}}`); err != nil {
		t.Fatal(err)
	}
	mine := always.with("callForwarding.always.enabled", "true", toAlways, "1001")
	a := b.post(mine, true)
	if a.status != http.StatusPreconditionFailed || !strings.Contains(a.body, "1002") || !strings.Contains(a.body, "1001") {
		t.Fatalf("both values are to choose from: %d\n%s", a.status, a.body)
	}
	if got := value(w.setting(t, greta, "callForwarding"), toAlways); got != "1002" {
		t.Fatalf("their change was overwritten by %v", got)
	}
	kept := b.post(a.form(t, "/calls/callForwarding", `value="keep"`), true).wants(t, http.StatusOK)
	if !strings.Contains(kept.body, `value="1002"`) {
		t.Errorf("their value is not in the form: %s", kept.body)
	}
	used := a.form(t, "/calls/callForwarding", `name="_etag"`)
	b.post(used, true).wants(t, http.StatusOK)
	if got := value(w.setting(t, greta, "callForwarding"), toAlways); got != "1001" {
		t.Errorf("my value was not used: %v", got)
	}

	// A change of another part of the same setting is nobody's business here.
	busy := b.partial("/cards/busy?page=calls").form(t, "/calls/callForwarding", "callForwarding.busy.destination")
	b.put(forwardingAPI, `{"callForwarding":{"noAnswer":{"numberOfRings":8}}}`).wants(t, http.StatusOK)
	b.post(busy.with("callForwarding.busy.enabled", "true", "callForwarding.busy.destination", "1003"), true).wants(t, http.StatusOK)
}

func TestAFormWithNothingNewSendsNothing(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, greta)
	for _, card := range []string{"always", "busy", "noAnswer", "unreachable"} {
		f := b.partial("/cards/"+card+"?page=calls").form(t, "/calls/callForwarding", "_fields")
		if a := b.post(f, true); a.status != http.StatusOK || !strings.Contains(a.body, "Nothing to save") {
			t.Errorf("%s: %d\n%s", card, a.status, a.body)
		}
	}
	if n := len(w.sent(http.MethodPut, pathForwarding)); n != 0 {
		t.Errorf("%d writes were sent", n)
	}
}

func TestInterceptIsReviewedFirst(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, greta)
	f := b.partial("/cards/intercept?page=calls").form(t, "/calls/intercept", "_fields")
	review := b.post(f.with("enabled", "true"), true).wants(t, http.StatusOK)
	if n := len(w.sent(http.MethodPut, pathIntercept)); n != 0 {
		t.Fatalf("it was changed before the review: %d writes", n)
	}
	b.post(review.form(t, "/calls/intercept", "apply").with("_step", "apply"), true).wants(t, http.StatusOK)
	if value(w.setting(t, greta, "intercept"), "enabled") != true {
		t.Error("the review's button changed nothing")
	}
}

func TestAFormIsForOnePerson(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, greta)
	f := b.partial("/cards/doNotDisturb?page=calls").form(t, "/calls/doNotDisturb", `name="enabled"`)
	b.signIn(ben) // in another tab of the same browser
	if a := b.post(f.with("enabled", "true"), true); a.status != http.StatusPreconditionFailed {
		t.Errorf("a form that Greta was shown changed Ben's phone: %d\n%s", a.status, a.body)
	}
	if value(w.setting(t, ben, "doNotDisturb"), "enabled") != false {
		t.Error("Ben's phone was changed")
	}
}
