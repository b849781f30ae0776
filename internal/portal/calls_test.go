package portal_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// The limits of issue 2: a whole view of Home with cold caches, beside one call
// for each queue that no replica has seen; with warm ones; and a switch.
const (
	coldHome   = 10
	warmHome   = 5
	oneSetting = 3
)

func TestHomeAsksWebexForLittle(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		who    string
		queues int
	}{
		"an agent of three plain queues":       {greta, 3},
		"an agent of queues of both kinds":     {ana, 2},
		"an agent of no queue":                 {maria, 0},
		"an agent of Customer Assist only":     {zoe, 1},
		"somebody without features of his own": {hana, 0},
		"the last agent of a queue":            {sam, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, setup{})
			var b *browser
			signIn := w.calls(func() { b = w.signIn(t, tt.who) })
			home := func() {
				_, cards := b.view("/")
				if len(cards) < 4 {
					t.Errorf("the page asked for %d cards only", len(cards))
				}
				for path, card := range cards {
					if card.status != http.StatusOK || strings.Contains(card.body, `-again"`) {
						t.Errorf("%s: %d\n%s", path, card.status, card.body)
					}
				}
			}
			cold := w.calls(home)
			if got := len(cold); got > coldHome+tt.queues {
				t.Errorf("a cold Home took %d calls, want at most %d and one for each of %d queues:\n%s", got, coldHome, tt.queues, strings.Join(cold, "\n"))
			}
			var warm []string
			for range 5 { // which of two cards is first is chance
				w.replicas[0].clock.pass(3 * time.Second)
				warm = w.calls(home)
				if got := len(warm); got > warmHome {
					t.Errorf("a warm Home took %d calls, want at most %d:\n%s", got, warmHome, strings.Join(warm, "\n"))
				}
			}
			w.replicas[0].clock.pass(3 * time.Second)
			again := w.calls(func() {
				b = w.signIn(t, tt.who)
				w.sim.ClearRequests()
				home()
			})
			if got := len(again); got > warmHome {
				t.Errorf("Home after another sign-in took %d calls, want at most %d:\n%s", got, warmHome, strings.Join(again, "\n"))
			}
			w.replicas[0].clock.pass(90 * time.Second)
			later := w.calls(home)
			w.replicas[0].clock.pass(20 * time.Minute)
			muchLater := w.calls(home)
			w.replicas[0].clock.pass(3 * time.Second)
			calls := w.calls(func() { b.view("/calls") })
			t.Logf("calls: sign-in %d, cold Home %d (%d queues), warm %d, after another sign-in %d, after 90 s %d, after 20 min %d, then Calls %d",
				len(signIn), len(cold), tt.queues, len(warm), len(again), len(later), len(muchLater), len(calls))
		})
	}
}

func TestOneChangeAsksWebexForLittle(t *testing.T) {
	t.Parallel()
	switchOn := func(path string) func(t *testing.T, w *world, b *browser) {
		return func(t *testing.T, _ *world, b *browser) { b.put(path, `{"enabled":true}`).wants(t, http.StatusOK) }
	}
	join := func(queue string, joined string) func(t *testing.T, w *world, b *browser) {
		return func(t *testing.T, w *world, b *browser) {
			b.put("/api/me/queues/"+url.PathEscape(w.queue(t, queue).ID), `{"joined":`+joined+`}`).wants(t, http.StatusOK)
		}
	}
	joinForm := func(queue string, joined string) func(t *testing.T, w *world, b *browser) {
		return func(t *testing.T, w *world, b *browser) {
			b.submit("/queues/"+url.PathEscape(w.queue(t, queue).ID)+"?page=queues", "joined", joined, "_card", "queues").wants(t, http.StatusOK)
		}
	}
	tests := map[string]struct {
		who  string
		seen string // a page that is looked at before
		do   func(t *testing.T, w *world, b *browser)
	}{
		"do not disturb, right after sign-in": {greta, "", switchOn("/api/me/settings/doNotDisturb")},
		"do not disturb, after Home":          {greta, "/", switchOn("/api/me/settings/doNotDisturb")},
		"call waiting, right after sign-in": {greta, "", func(t *testing.T, _ *world, b *browser) {
			b.put("/api/me/settings/callWaiting", `{"enabled":false}`).wants(t, http.StatusOK)
		}},
		"call waiting, after Calls": {greta, "/calls", func(t *testing.T, _ *world, b *browser) {
			b.put("/api/me/settings/callWaiting", `{"enabled":false}`).wants(t, http.StatusOK)
		}},
		"forwarding, after Calls": {greta, "/calls", func(t *testing.T, _ *world, b *browser) {
			b.put("/api/me/settings/callForwarding", `{"callForwarding":{"busy":{"enabled":true,"destination":"1001"}}}`).wants(t, http.StatusOK)
		}},
		"intercept, right after sign-in":    {greta, "", switchOn("/api/me/settings/intercept")},
		"joining a plain queue, at once":    {ben, "", join("Sales Hotline", "true")},
		"leaving a plain queue, at once":    {greta, "", join("Sales Hotline", "false")},
		"joining a plain queue, after Home": {ana, "/", join("Ventas Madrid", "true")},
		"leaving a plain queue, after Home": {greta, "/", join("Sales Hotline", "false")},
		"leaving a Customer Assist queue":   {ana, "/", join("Priority Care", "false")},
		"leaving a plain queue, six minutes later": {greta, "/", func(t *testing.T, w *world, b *browser) {
			w.replicas[0].clock.pass(6 * time.Minute)
			join("Sales Hotline", "false")(t, w, b)
		}},
		"the form for joining a plain queue":   {ana, "/queues", joinForm("Ventas Madrid", "true")},
		"the form for leaving a plain queue":   {greta, "/queues", joinForm("Sales Hotline", "false")},
		"the form for leaving Customer Assist": {ana, "/queues", joinForm("Priority Care", "false")},
		"the form for the switch on Home": {greta, "/", func(t *testing.T, _ *world, b *browser) {
			b.submit("/calls/doNotDisturb?page=home", "_card", "quick", "_fields", "enabled", "enabled", "true").wants(t, http.StatusOK)
		}},
		"the form for the switch on Calls": {greta, "/calls", func(t *testing.T, _ *world, b *browser) {
			b.submit("/calls/callWaiting?page=calls", "_card", "callWaiting", "_fields", "enabled").wants(t, http.StatusOK)
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, setup{})
			b := w.signIn(t, tt.who)
			if tt.seen != "" {
				b.view(tt.seen)
				w.replicas[0].clock.pass(3 * time.Second)
			}
			calls := w.calls(func() { tt.do(t, w, b) })
			if len(calls) > oneSetting {
				t.Errorf("it took %d calls, want at most %d:\n%s", len(calls), oneSetting, strings.Join(calls, "\n"))
			}
			if writes := slices.DeleteFunc(slices.Clone(calls), func(c string) bool { return !strings.HasPrefix(c, http.MethodPut) }); len(writes) != 1 {
				t.Errorf("there were %d writes, want one:\n%s", len(writes), strings.Join(calls, "\n"))
			}
			t.Logf("calls: %d", len(calls))
		})
	}
}
