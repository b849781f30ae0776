package portal_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"patchbay/internal/webexsim"
)

// TestALateChangeIsFoundOut: Webex takes a change, says nothing for longer than
// anybody waits, and carries it out afterwards. Until somebody has looked, nobody
// claims to know.
func TestALateChangeIsFoundOut(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, greta)
	w.sim.SetFault(webexsim.Fault{Method: http.MethodPut, Path: pathWaiting, Kind: webexsim.FaultHang})
	a := b.put("/api/me/settings/callWaiting", `{"enabled":false}`)
	checkProblem(t, "a change without an answer", a, http.StatusGatewayTimeout)
	if !strings.Contains(a.body, "We do not know yet") {
		t.Errorf("the answer claims to know: %s", a.body)
	}
	if got := b.outcomes(t); len(got) != 1 || got[0] != "pending" {
		t.Fatalf("while nobody knows the history says %v", got)
	}
	w.sim.ClearFaults()
	if err := w.sim.SetSetting(greta, "callWaiting", `{"enabled":false}`); err != nil {
		t.Fatal(err)
	}
	r := w.replicas[0]
	r.clock.pass(5 * time.Minute)
	if err := r.Settings.SettlePending(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.outcomes(t); len(got) != 1 || got[0] != "done" {
		t.Errorf("after somebody has looked the history says %v", got)
	}
}

// TestTheNextChangeTellsOfTheOneBefore: a change that Webex did not make is made again.
// What is there then is of the second; what the second found there tells of the first.
func TestTheNextChangeTellsOfTheOneBefore(t *testing.T) {
	t.Parallel()
	w := start(t, setup{})
	b := w.signIn(t, greta)
	w.sim.SetFault(webexsim.Fault{Method: http.MethodPut, Path: pathWaiting, Kind: webexsim.FaultHang})
	b.put("/api/me/settings/callWaiting", `{"enabled":false}`).wants(t, http.StatusGatewayTimeout)
	w.sim.ClearFaults()
	b.put("/api/me/settings/callWaiting", `{"enabled":false}`).wants(t, http.StatusOK)
	r := w.replicas[0]
	r.clock.pass(5 * time.Minute)
	if err := r.Settings.SettlePending(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.outcomes(t); !slices.Equal(got, []string{"done", "failed"}) {
		t.Errorf("the history says %v, the newest first", got)
	}
}
