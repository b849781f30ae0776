package portal_test

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"patchbay/internal/portal"
	"patchbay/internal/redisdb"
	"patchbay/internal/webexsim"
)

// TestSlowWebexDoesNotHoldThePageUp: the page comes at once, and each card after
// one call to Webex, also with cold caches.
func TestSlowWebexDoesNotHoldThePageUp(t *testing.T) {
	t.Parallel()
	const latency = 2 * time.Second
	for _, who := range []string{greta, ana} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			w := start(t, setup{})
			b := w.signIn(t, who)
			w.sim.SetLatency(latency)
			for _, path := range []string{"/calls", "/", "/queues", "/phones", "/history"} {
				w.replicas[0].clock.pass(20 * time.Minute)
				page, cards := b.view(path)
				if page.took > 500*time.Millisecond {
					t.Errorf("the page %s took %s", path, page.took)
				}
				var slowest time.Duration
				for _, card := range slices.Sorted(maps.Keys(cards)) {
					took := cards[card].took
					slowest = max(slowest, took)
					if limit := latency*12/10 + 300*time.Millisecond; took > limit {
						t.Errorf("%s took %s, want at most %s", card, took, limit)
					}
				}
				t.Logf("%s: the page %s, the slowest of %d cards %s", path, page.took.Round(time.Millisecond), len(cards), slowest.Round(time.Millisecond))
			}
			w.replicas[0].clock.pass(3 * time.Second)
			if a := b.put(dndAPI, `{"enabled":true}`).wants(t, http.StatusOK); a.took > 3*latency+time.Second {
				t.Errorf("a switch took %s", a.took)
			} else {
				t.Logf("a switch: %s", a.took.Round(time.Millisecond))
			}
		})
	}
}

// BenchmarkFromStartToListening measures what `portal serve` does before it
// answers: Redis, the parts, the listeners.
func BenchmarkFromStartToListening(b *testing.B) {
	sim, err := webexsim.Start(context.Background(), webexsim.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = sim.Close() })
	c := configure(b, sim, "http://localhost:5010", setup{})
	log := slog.New(slog.DiscardHandler)
	for b.Loop() {
		db, err := redisdb.Open(context.Background(), "", log)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := portal.New(portal.Options{Config: c, Redis: db, Log: log}); err != nil {
			b.Fatal(err)
		}
		l := listen(b)
		_, _ = l.Close(), db.Close()
	}
}
