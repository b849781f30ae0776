package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"patchbay/internal/problem"
	"patchbay/internal/session"
)

var (
	forBen = session.Acting{PersonID: ben, Name: "Ben Fischer", LocationID: "Y2lzY29zcGFyazovL3VzL0xPQ0FUSU9OL2w", Reason: "ticket 48213"}
	forZoe = session.Acting{PersonID: "zoe", Name: "Zoe Chen", Reason: "she is ill"}
)

func (p *portal) act(b *browser, a session.Acting) {
	b.t.Helper()
	p.within(b, func(ctx context.Context) {
		if err := p.sessions.StartActing(ctx, a); err != nil {
			b.t.Error(err)
		}
	})
}

// wantActing fails the test unless the browser acts for the name; "" is nobody.
func (p *portal) wantActing(b *browser, name string) (a session.Acting) {
	b.t.Helper()
	p.within(b, func(ctx context.Context) {
		var ok bool
		var err error
		a, ok, err = p.sessions.Acting(ctx)
		if err != nil || a.Name != name || ok != (name != "") {
			b.t.Errorf("acting: %+v, %t, %v; want for %q", a, ok, err, name)
		}
	})
	return a
}

func TestActing(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, c redis.UniversalClient) {
		clk := newClock()
		p := newPortal(t, session.Deps{Redis: c, Now: clk.Now})
		b, second := p.browser(t), p.browser(t)
		b.want("/in", "200 ")
		second.want("/in", "200 ")
		p.wantActing(b, "")
		began := clk.Now()
		p.act(b, forBen)
		clk.add(time.Minute)
		want := forBen
		want.Since = began
		for range 2 { // using it does not change it
			if diff := cmp.Diff(want, p.wantActing(b, "Ben Fischer")); diff != "" {
				t.Error(diff)
			}
		}
		p.wantActing(b.copy(), "Ben Fischer") // a second tab
		p.wantActing(second, "")              // another session of the same person
		p.wantActing(p.browser(t), "")
		b.want("/who", "200 Amara") // who they are stays

		p.act(b, forZoe) // there is no acting inside acting
		p.wantActing(b, "Zoe Chen")
		stop := func() {
			t.Helper()
			p.within(b, func(ctx context.Context) {
				ctx, cancel := context.WithCancel(ctx)
				cancel() // the browser does not wait
				if err := p.sessions.StopActing(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		stop()
		p.wantActing(b, "")
		stop()

		p.act(b, forBen)
		b.want("/in", "200 ")
		p.wantActing(b, "") // another session, also of the same browser
	})
}

func TestActingEndsWithoutUse(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	for name, tt := range map[string]struct {
		uses []time.Duration // the waits before each use of acting
		want string          // at the last one
	}{
		"used in time":          {[]time.Duration{30*minute - time.Millisecond}, "Ben Fischer"},
		"not used":              {[]time.Duration{30 * minute}, ""},
		"used again and again":  {[]time.Duration{29 * minute, 29 * minute, 29 * minute}, "Ben Fischer"},
		"used, and then not":    {[]time.Duration{29 * minute, 30 * minute}, ""},
		"it does not come back": {[]time.Duration{30 * minute, 0}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, c := inProcess(t) // it lets no session expire: its own time stands still
			clk := newClock()
			p := newPortal(t, session.Deps{Redis: c, Now: clk.Now})
			b := p.browser(t)
			b.want("/in", "200 ")
			p.act(b, forBen)
			for i, d := range tt.uses {
				for range 3 { // requests that have nothing to do with it do not put its end off
					clk.add(d / 4)
					b.want("/who", "200 Amara")
				}
				clk.add(d - 3*(d/4))
				if i == len(tt.uses)-1 {
					p.wantActing(b, tt.want)
				} else {
					p.within(b, func(ctx context.Context) { _, _, _ = p.sessions.Acting(ctx) })
				}
			}
		})
	}
}

func TestActingNeedsALiveSession(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, c redis.UniversalClient) {
		p := newPortal(t, session.Deps{Redis: c})
		refused := func(ctx context.Context) {
			t.Helper()
			err := p.sessions.StartActing(ctx, forBen)
			var pr *problem.Error
			if !errors.As(err, &pr) || pr.Code != problem.Unauthorized || pr.Public.Key != "web.signedOut" {
				t.Errorf("begin to act: %v", err)
			}
			if a, ok, err := p.sessions.Acting(ctx); ok || err != nil {
				t.Errorf("acting: %+v, %v", a, err)
			}
			if err := p.sessions.StopActing(ctx); err != nil {
				t.Errorf("stop acting: %v", err)
			}
		}
		p.within(p.browser(t), refused)
		refused(context.Background()) // outside of any request
		b := p.browser(t)
		b.want("/in", "200 ")
		p.act(b, forBen)
		p.within(b, func(ctx context.Context) {
			b.want("/out", "200 ") // while this request is under way
			refused(ctx)
		})
		if n, err := c.Exists(context.Background(), "patchbay:session:{"+idOf(b)+"}").Result(); n != 0 || err != nil {
			t.Errorf("a session is back: %d, %v", n, err)
		}
	})
}

func TestActingCannotBeMovedOrBroughtBackInRedis(t *testing.T) {
	t.Parallel()
	_, c := inProcess(t)
	clk := newClock()
	p := newPortal(t, session.Deps{Redis: c, Now: clk.Now})
	b, mallory := p.browser(t), p.browser(t)
	b.want("/in", "200 ")
	mallory.want("/in?person="+ben, "200 ")
	p.act(b, forZoe)
	ctx := context.Background()
	field := func(b *browser) string { return "patchbay:session:{" + idOf(b) + "}" }
	sealed, err := c.HGet(ctx, field(b), "acting").Result()
	if err != nil {
		t.Fatal(err)
	}
	c.HSet(ctx, field(mallory), "acting", sealed)
	p.wantActing(mallory, "")
	c.HSet(ctx, field(b), "flash", sealed)
	b.want("/flash/pop", "200 ")
	p.wantActing(b, "Zoe Chen")
	clk.add(31 * time.Minute)
	c.HSet(ctx, field(b), "acting", sealed)
	p.wantActing(b, "")
}
