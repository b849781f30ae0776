package selfservice_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"patchbay/internal/access"
	"patchbay/internal/config"
	"patchbay/internal/portal"
	"patchbay/internal/redisdb"
	"patchbay/internal/webexsim"
)

// People of the simulated organization; see webexsim.Personas.
const (
	greta = "greta.holm@patchbay.example"
	ben   = "ben.fischer@patchbay.example"
	ines  = "ines.keller@patchbay.example"
	ana   = "ana.lopez@patchbay.example"
	tom   = "tom.baker@patchbay.example"
	lena  = "lena.braun@patchbay.example"
	noah  = "noah.quinn@patchbay.example"
	maria = "maria.rossi@patchbay.example"
)

// Paths of the contract.
const (
	pathQueue     = "/telephony/config/locations/{locationId}/queues/{queueId}"
	pathHuntGroup = "/telephony/config/locations/{locationId}/huntGroups/{huntGroupId}"
)

// world is a simulated Webex with the portal's services over it.
type world struct {
	*portal.Portal
	t   *testing.T
	sim *webexsim.Server
}

// start runs a world until the test ends. Its simulator refuses requests that break
// the contract, and at its end the test fails if there was one.
func start(t *testing.T, o webexsim.Options) *world {
	t.Helper()
	o.CheckContract = true
	sim, err := webexsim.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if v := sim.Violations(); len(v) > 0 {
			t.Errorf("requests broke the contract:\n%s", strings.Join(v, "\n"))
		}
		_ = sim.Close() // it ends with the test's context anyway
	})
	cred := sim.Credentials()
	c, err := config.Load(map[string]string{
		"CLIENT_ID": cred.ClientID, "CLIENT_SECRET": cred.ClientSecret,
		"SERVICE_APP_CLIENT_ID": cred.ServiceAppClientID, "SERVICE_APP_CLIENT_SECRET": cred.ServiceAppClientSecret,
		"SERVICE_APP_REFRESH_TOKEN": cred.ServiceAppRefreshToken, "PORTAL_ADMINS": ines,
		"WEBEX_API_URL": sim.BaseURL, "WEBEX_RATE_LIMIT": "60000",
	})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	db, err := redisdb.Open(t.Context(), "", log)
	if err != nil {
		t.Fatal(err)
	}
	p, err := portal.New(portal.Options{Config: c, Redis: db, Log: log, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Directory.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{Portal: p, t: t, sim: sim}
	for until := time.Now().Add(20 * time.Second); p.Directory.State().People == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("the directory stays empty")
		}
	}
	return w
}

// caller is somebody with one more role.
func (w *world) caller(who string, role access.Role, scope access.Scope) access.Caller {
	p := w.sim.MustPerson(who)
	return access.NewCaller(p.ID, p.DisplayName).With(access.Holding{Role: role, Scope: scope})
}

// admin may do everything.
func (w *world) admin() access.Caller {
	return w.caller(ines, access.Administrator, access.Scope{Organization: true})
}

func (w *world) id(who string) string { return w.sim.MustPerson(who).ID }

func (w *world) queue(name string) webexsim.QueueInfo {
	w.t.Helper()
	q, ok := w.sim.Queue(name)
	if !ok {
		w.t.Fatalf("there is no queue %q", name)
	}
	return q
}

func (w *world) huntGroup(name string) webexsim.HuntGroupInfo {
	w.t.Helper()
	h, ok := w.sim.HuntGroup(name)
	if !ok {
		w.t.Fatalf("there is no hunt group %q", name)
	}
	return h
}

// writes lists the bodies of the writes to a path of the contract.
func (w *world) writes(template string) (bodies []string) {
	for _, r := range w.sim.Requests() {
		if r.Method == http.MethodPut && r.Template == template {
			bodies = append(bodies, r.Body)
		}
	}
	return bodies
}
