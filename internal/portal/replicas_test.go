package portal_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"patchbay/internal/redisdb/redistest"
	"patchbay/internal/serviceapp"
	"patchbay/internal/webexsim"
)

func TestReplicasAreOnePortal(t *testing.T) {
	t.Parallel()
	address, _ := redistest.Start(t)
	w := start(t, setup{redis: address, replicas: 3})
	b := w.signIn(t, greta)
	b.view("/")
	for _, r := range w.replicas[1:] {
		other := b.at(r)
		calls := w.calls(func() { other.view("/") })
		if len(calls) > warmHome {
			t.Errorf("Home at another replica took %d calls, want at most %d:\n%s", len(calls), warmHome, strings.Join(calls, "\n"))
		}
	}
	a := b.at(w.replicas[1]).put(dndAPI, `{"enabled":true}`).wants(t, http.StatusOK)
	if got := b.at(w.replicas[2]).history(t); len(got) != 1 || got[0]["id"] != a.header.Get("Audit-Id") {
		t.Errorf("another replica tells the history as %v", got)
	}
	if card := b.partial("/cards/doNotDisturb"); !strings.Contains(card.body, "checked") {
		t.Errorf("another replica shows the state before: %s", card.body)
	}
	b.at(w.replicas[2]).json(http.MethodPost, "/api/history/"+a.header.Get("Audit-Id")+"/undo", "").wants(t, http.StatusOK)
	if out := b.at(w.replicas[1]).send(request{method: http.MethodPost, path: "/logout"}); out.at != "/login" {
		t.Errorf("signing out ended at %s", out.at)
	}
	for _, r := range w.replicas {
		checkProblem(t, "after signing out", b.at(r).get("/api/me"), http.StatusUnauthorized)
	}
}

func TestATokenThatRotatesWhileReplicasServe(t *testing.T) {
	t.Parallel()
	const rounds = 4
	address, _ := redistest.Start(t)
	w := start(t, setup{redis: address, replicas: 3, sim: webexsim.Options{
		RotateRefreshTokens: true, SameTokenWithin: -1, Variant: webexsim.Variant{RefreshEndsOldToken: true},
	}})
	b := w.signIn(t, greta)
	w.sim.ClearRequests()
	for range rounds {
		for _, r := range w.replicas {
			r.clock.pass(20 * time.Second) // a token that Webex has just given is not refreshed
		}
		w.sim.ExpireAccessToken() // Webex may end a token before its time
		var wg sync.WaitGroup
		for _, r := range w.replicas {
			other := b.at(r)
			for range 4 {
				wg.Go(func() { other.get(waitingAPI).wants(t, http.StatusOK) })
			}
			wg.Go(func() { other.get(dndAPI).wants(t, http.StatusOK) })
		}
		wg.Wait()
	}
	refreshes := 0
	for _, r := range w.sim.Requests() {
		if r.Template == "/access_token" {
			refreshes++
			if r.Status != http.StatusOK {
				t.Errorf("a refresh was refused: %d", r.Status)
			}
		}
	}
	if refreshes != rounds {
		t.Errorf("%d refreshes of the whole fleet, want %d", refreshes, rounds)
	}
	for _, r := range w.replicas {
		if status, err := r.Tokens.Status(t.Context()); err != nil || !status.Usable || status.State != serviceapp.Working {
			t.Errorf("the state of the tokens: %+v, %v", status, err)
		}
	}
}

func TestThrottlingOfOneReplicaPausesAll(t *testing.T) {
	t.Parallel()
	address, _ := redistest.Start(t)
	w := start(t, setup{redis: address, replicas: 3})
	b := w.signIn(t, greta)
	trouble := status(http.StatusTooManyRequests, time.Minute)
	trouble.Path, trouble.Times = pathDND, 1
	w.sim.SetFault(trouble)
	w.sim.ClearRequests()
	for i, r := range w.replicas {
		a := b.at(r).get(dndAPI)
		checkProblem(t, "throttled", a, http.StatusServiceUnavailable)
		if wait := a.header.Get("Retry-After"); wait != "60" && wait != "59" {
			t.Errorf("replica %d says to wait %s s", i, wait)
		}
		b.at(r).get(waitingAPI).wants(t, http.StatusOK)
	}
	if n := len(w.sent(http.MethodGet, pathDND)); n != 1 {
		t.Errorf("Webex was asked %d times although it asked to wait", n)
	}
}

func TestRedisIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	address, ctl := redistest.Start(t)
	w := start(t, setup{redis: address})
	r := w.replicas[0]
	b := w.signIn(t, greta)
	b.view("/")
	stranger := r.browser(t)

	ctl.Stop()
	page := b.once().get("/")
	if page.status != http.StatusServiceUnavailable || !strings.Contains(page.body, "<h1") || page.header.Get("Retry-After") == "" {
		t.Errorf("Home without Redis: %d, Retry-After %q\n%s", page.status, page.header.Get("Retry-After"), page.body)
	}
	answers := map[string]answer{"/": page, "card": b.once().partial("/cards/quick"), "api": b.once().get(dndAPI)}
	if a := answers["card"]; a.status != http.StatusServiceUnavailable {
		t.Errorf("a card without Redis: %d\n%s", a.status, a.body)
	}
	checkProblem(t, "the API without Redis", answers["api"], http.StatusServiceUnavailable)
	checkProblem(t, "a change without Redis", b.put(dndAPI, `{"enabled":true}`), http.StatusServiceUnavailable)
	answers["sign out"] = b.once().send(request{method: http.MethodPost, path: "/logout"})
	if a := answers["sign out"]; a.status != http.StatusServiceUnavailable {
		t.Errorf("signing out without Redis claims %d", a.status)
	}
	for what, a := range answers {
		if got := a.header.Values("Set-Cookie"); len(got) > 0 {
			t.Errorf("%s: the cookie was touched: %v", what, got)
		}
		if a.took > 5*time.Second {
			t.Errorf("%s took %s", what, a.took)
		}
		for _, secret := range []string{"dial tcp", "redis", ctl.Addr()} {
			if strings.Contains(strings.ToLower(a.body), secret) {
				t.Errorf("%s tells %q:\n%s", what, secret, a.body)
			}
		}
	}
	stranger.get("/login").wants(t, http.StatusOK)
	stranger.get("/healthz").wants(t, http.StatusOK)
	stranger.get("/readyz").wants(t, http.StatusServiceUnavailable)
	if value(w.setting(t, greta, "doNotDisturb"), "enabled") != false {
		t.Error("a change was made that could not be recorded")
	}

	ctl.Restart()
	until := time.Now().Add(10 * time.Second)
	for b.once().get("/").status != http.StatusOK && time.Now().Before(until) {
		time.Sleep(50 * time.Millisecond)
	}
	if a := b.once().get("/"); a.status != http.StatusOK || !strings.Contains(a.body, "/logout") {
		t.Errorf("after Redis came back: %d", a.status)
	}
	b.put(dndAPI, `{"enabled":true}`).wants(t, http.StatusOK)
	stranger.get("/readyz").wants(t, http.StatusOK)
}

func TestRedisGoesAwayInTheMiddleOfAChange(t *testing.T) {
	t.Parallel()
	address, ctl := redistest.Start(t)
	w := start(t, setup{redis: address})
	b := w.signIn(t, greta)
	b.get(dndAPI)
	w.sim.SetFault(webexsim.Fault{Method: http.MethodPut, Path: pathDND, Kind: webexsim.FaultDelay, Delay: 500 * time.Millisecond})
	w.sim.ClearRequests()
	answered := make(chan answer)
	go func() { answered <- b.put(dndAPI, `{"enabled":true}`) }()
	for len(w.sent(http.MethodPut, pathDND)) == 0 {
		time.Sleep(time.Millisecond)
	}
	ctl.Stop()
	time.Sleep(time.Second)
	ctl.Restart()
	a := <-answered
	if a.status != http.StatusOK || a.header.Get("Audit-Id") == "" {
		t.Errorf("a change that took effect was answered with %d\n%s", a.status, a.body)
	}
	if got := b.history(t); len(got) != 1 || got[0]["outcome"] != "done" {
		t.Errorf("the history says %v", got)
	}
	if n := len(w.sent(http.MethodPut, pathDND)); n != 1 {
		t.Errorf("it was sent %d times", n)
	}
}
