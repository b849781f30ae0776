package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// grantBy grants by the API, as the administrator. It waits until the directory
// knows who is meant.
func (p *portal) grantBy(t *testing.T, grant map[string]any) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	in, err := client.Get(p.url + "/authenticate?login_hint=" + url.QueryEscape(ines))
	if err != nil {
		t.Fatal(err)
	}
	_ = in.Body.Close()
	body, err := json.Marshal(grant)
	if err != nil {
		t.Fatal(err)
	}
	made := struct{ ID string }{}
	(&tab{t: t}).eventually("the grant", func() error {
		a, err := client.Post(p.url+"/api/grants", "application/json", bytes.NewReader(body))
		if err != nil {
			return err
		}
		defer a.Body.Close()
		if a.StatusCode != http.StatusCreated {
			return errors.New(a.Status)
		}
		return json.NewDecoder(a.Body).Decode(&made)
	})
	return made.ID
}

// press goes with Tab to what has the name, and presses a key on it.
func (b *tab) press(name, key string) {
	b.t.Helper()
	for range 200 {
		b.keys(kb.Tab)
		at := value[string](b, `(() => {
			const e = document.activeElement
			if (!e) return '' // the next page is just coming
			const label = e.labels?.[0]?.innerText ?? ''
			return (label || e.innerText || e.value || '').trim().replace(/\s+/g, ' ')
		})()`)
		if at == name {
			b.keys(key)
			return
		}
	}
	b.t.Fatalf("Tab does not reach %q", name)
}

// A role is granted by keyboard alone; it counts in a session that is open, and so
// does its end.
func TestARoleIsGrantedByKeyboardAndRevoked(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	helper, b := newTab(t, p), newTab(t, p)
	helper.signIn("maria.rossi@patchbay.example", "/")
	b.signIn(ines, "/access")
	b.eventually("the directory", func() error {
		b.open("/access/grant?find=maria+rossi")
		if n, err := b.by("button", "Choose : Maria Rossi").nodes(); err != nil || len(n) != 1 {
			return fmt.Errorf("there are %d, %w", len(n), err)
		}
		return nil
	})
	if n, err := helper.by("link", "People").nodes(); err != nil || len(n) != 0 {
		t.Errorf("the way to People is there before the grant: %d, %v", len(n), err)
	}
	b.press("Choose : Maria Rossi", kb.Enter)
	b.by("heading", "2. Which role?").wait()
	b.press("Queue lead", "") // the first of the radio buttons
	b.keys(kb.ArrowDown)
	b.by("radio", "Helpdesk").checked(true)
	b.press("Go on", kb.Enter)
	b.by("heading", "3. Where does it hold?").wait()
	b.press("Berlin", " ")
	b.by("checkbox", "Berlin").checked(true)
	b.press("Go on", kb.Enter)
	b.by("heading", "4. Until when, and why?").wait()
	b.press("In a week", kb.Enter)
	b.by("heading", "4. Until when, and why?").wait()
	b.press("Reason", "ticket 48213")
	b.press("Review the grant", kb.Enter)
	b.by("heading", "5. Look at it once more").wait()
	b.by("main", "").says("Maria Rossi is Helpdesk for Berlin until")
	b.press("Make Maria Rossi Helpdesk", kb.Enter)
	b.address("/access")
	b.by("main", "").says("ticket 48213")

	helper.eventually("the way to People", func() error {
		helper.open("/")
		n, err := helper.by("navigation", "Main").by("link", "People").nodes()
		if err == nil && len(n) != 1 {
			err = fmt.Errorf("there are %d", len(n))
		}
		return err
	})
	b.open("/access?from=0")
	b.press("Revoke", kb.Enter)
	b.by("main", "").says("This grant ends")
	b.press("Revoke Helpdesk from Maria Rossi", kb.Enter)
	b.by("main", "").says("Maria Rossi is no longer Helpdesk")
	helper.eventually("the end of the way to People", func() error {
		helper.open("/")
		n, err := helper.by("navigation", "Main").by("link", "People").nodes()
		if err == nil && len(n) != 0 {
			err = fmt.Errorf("there are %d", len(n))
		}
		return err
	})
	b.press("Undo", kb.Enter)
	b.by("main", "").says("Maria Rossi is Helpdesk for Berlin until")
}

// The pages of access and policy, step by step, are accessible and look as they should.
func TestAccessAndPolicyAreAccessible(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	scope := map[string]any{"organization": true}
	id := p.grantBy(t, map[string]any{"to": map[string]any{"person": "ben.fischer@patchbay.example"}, "role": "helpdesk", "scope": scope, "until": "2099-01-01T10:00:00Z", "reason": "ticket 48213"})
	p.grantBy(t, map[string]any{"to": map[string]any{"person": "ana.lopez@patchbay.example"}, "role": "auditor", "scope": scope})
	choose := func(b *tab) {
		b.by("button", "Choose : Maria Rossi").click()
		b.by("heading", "2. Which role?").wait()
	}
	where := func(b *tab) {
		choose(b)
		b.by("radio", "Helpdesk").click()
		b.by("button", "Go on").click()
		b.by("heading", "3. Where does it hold?").wait()
	}
	when := func(b *tab) {
		where(b)
		b.by("checkbox", "Berlin").click()
		b.by("button", "Go on").click()
		b.by("heading", "4. Until when, and why?").wait()
	}
	queues := func(b *tab) {
		choose(b)
		b.by("radio", "Queue lead").click()
		b.by("button", "Go on").click()
		b.by("heading", "3. Where does it hold?").wait()
	}
	steps := map[string]struct {
		path string
		then func(b *tab)
	}{
		"access":        {"/access", nil},
		"access-found":  {"/access?q=fischer", nil},
		"access-to":     {"/access?to=" + p.personID(t, ben), nil},
		"access-on":     {"/access?on=" + p.personID(t, lena), nil},
		"access-revoke": {"/access/" + id + "/revoke", nil},
		"access-extend": {"/access/" + id + "/extend", nil},
		"grant-who":     {"/access/grant?find=maria", nil},
		"grant-role":    {"/access/grant?find=maria+rossi", choose},
		"grant-where":   {"/access/grant?find=maria+rossi", where},
		"grant-queues":  {"/access/grant?find=maria+rossi", queues},
		"grant-nowhere": {"/access/grant?find=maria+rossi", func(b *tab) {
			where(b)
			b.by("button", "Go on").click()
			b.by("group", "There is a problem").focused()
		}},
		"grant-when": {"/access/grant?find=maria+rossi", when},
		"grant-review": {"/access/grant?find=maria+rossi", func(b *tab) {
			when(b)
			b.by("button", "Review the grant").click()
			b.by("heading", "5. Look at it once more").wait()
		}},
		"policy": {"/policy?preview=greta", nil},
		"policy-review": {"/policy", func(b *tab) {
			b.by("textbox", "Whom to ask").fill("IT Service Desk, ext. 1000")
			b.by("button", "Review the change").click()
			b.by("button", "Change the policy").wait()
		}},
		"preview": {"/policy?preview=greta+holm", func(b *tab) {
			b.by("button", "See it as Greta Holm").click()
			b.by("region", "For whom you work").says("Nothing can be changed")
			b.settled()
		}},
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newTab(t, p)
			b.signIn(ines, "/access")
			b.open(step.path)
			if step.then != nil {
				step.then(b)
			}
			for _, l := range looks {
				inspect(b, name, l)
			}
		})
	}
}

// Granting and revoking work in a browser that runs no scripts.
func TestARoleIsGrantedWithoutJavaScript(t *testing.T) {
	t.Parallel()
	p := ownPortal(t)
	p.grantBy(t, map[string]any{"to": map[string]any{"person": "ben.fischer@patchbay.example"}, "role": "helpdesk", "scope": map[string]any{"organization": true}})
	b := newPlainTab(t, p)
	main := b.by("main", "")
	b.navigate(p.url + "/authenticate?return=/access&login_hint=" + ines)
	b.by("link", "Grant a role").click()
	b.by("searchbox", "Person or group").fill("lena braun\r")
	b.by("button", "Choose : Lena Braun").click()
	b.by("radio", "Queue lead").click()
	b.by("button", "Go on").click()
	b.by("button", "Locations").click()
	b.by("checkbox", "Berlin").click()
	b.by("button", "Go on").click()
	b.by("button", "For good").click()
	b.by("button", "Review the grant").click()
	main.says("Lena Braun is Queue lead for Berlin.")
	b.by("button", "Make Lena Braun Queue lead").click()
	b.address("/access")
	main.says("Lena Braun is Queue lead for Berlin.")
}
