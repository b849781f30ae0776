package session

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"patchbay/internal/seal"
)

// TestStoreModel compares the store with a model of it in memory, step by step.
func TestStoreModel(t *testing.T) {
	t.Parallel()
	sealer, err := seal.New(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	m := miniredis.RunT(t)
	c := redis.NewClient(&redis.Options{Addr: m.Addr()})
	t.Cleanup(func() { _ = c.Close() })
	ctx := context.Background()

	type entry struct {
		text        string
		idle, until time.Time
		flash       string
		acting      string
		seen        time.Time
		goneUntil   time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		m.FlushAll()
		now := time.Now().Truncate(time.Millisecond)
		m.SetTime(now)
		const idle = 20 * time.Minute
		s := &store{redis: c, sealer: sealer, idle: idle, now: func() time.Time { return now }}
		model := map[string]*entry{"a": {}, "b": {}, "c": {}}
		alive := func(e *entry) bool { return now.Before(e.idle) && now.Before(e.until) }
		token := rapid.SampledFrom([]string{"a", "b", "c"})
		t.Repeat(map[string]func(*rapid.T){
			"find": func(t *rapid.T) {
				tok := token.Draw(t, "token")
				e := model[tok]
				text, found, err := s.FindCtx(ctx, tok)
				if err != nil {
					t.Fatal(err)
				}
				want := ""
				if alive(e) {
					want = e.text
					e.idle, e.seen = now.Add(idle), now
				}
				if string(text) != want || found != (want != "") {
					t.Fatalf("found %q, %t; want %q", text, found, want)
				}
			},
			"commit": func(t *rapid.T) {
				tok := token.Draw(t, "token")
				e := model[tok]
				text := rapid.StringN(1, 9, -1).Draw(t, "text")
				until := now.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "minutes")) * time.Minute)
				err := s.CommitCtx(ctx, tok, []byte(text), until)
				if now.Before(e.goneUntil) {
					if !errors.Is(err, errGone) {
						t.Fatalf("commit of a deleted session: %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if !alive(e) {
					e.flash, e.acting = "", ""
				}
				e.text, e.until, e.idle, e.seen = text, until, now.Add(idle), now
			},
			"delete": func(t *rapid.T) {
				tok := token.Draw(t, "token")
				if err := s.DeleteCtx(ctx, tok); err != nil {
					t.Fatal(err)
				}
				*model[tok] = entry{goneUntil: now.Add(goneFor)}
			},
			"put a flash": func(t *rapid.T) {
				tok := token.Draw(t, "token")
				e := model[tok]
				flash := rapid.StringN(1, 9, -1).Draw(t, "flash")
				if err := s.putFlash(ctx, tok, []byte(flash)); err != nil {
					t.Fatal(err)
				}
				if alive(e) {
					e.flash = flash
				}
			},
			"pop the flash": func(t *rapid.T) {
				tok := token.Draw(t, "token")
				e := model[tok]
				got, err := s.popFlash(ctx, tok)
				if err != nil {
					t.Fatal(err)
				}
				want := ""
				if alive(e) {
					want, e.flash = e.flash, ""
				}
				if diff := cmp.Diff(want, string(got)); diff != "" {
					t.Fatal(diff)
				}
			},
			"peek": func(t *rapid.T) {
				got, err := s.peek(ctx, []string{"a", "b", "c"})
				if err != nil {
					t.Fatal(err)
				}
				var want []peeked
				for _, tok := range []string{"a", "b", "c"} {
					if e := model[tok]; alive(e) {
						want = append(want, peeked{key: tok, text: []byte(e.text), until: e.until, seen: e.seen})
					}
				}
				if diff := cmp.Diff(want, got, cmp.AllowUnexported(peeked{})); diff != "" {
					t.Fatal(diff)
				}
			},
			"start to act": func(t *rapid.T) {
				tok := token.Draw(t, "token")
				e := model[tok]
				whom := rapid.StringN(1, 9, -1).Draw(t, "whom")
				kept, err := s.putActing(ctx, tok, []byte(whom))
				if err != nil || kept != alive(e) {
					t.Fatalf("kept: %t, %v", kept, err)
				}
				if kept {
					e.acting = whom
				}
			},
			"act, while another request goes on acting, stops it or starts anew": func(t *rapid.T) {
				tok := token.Draw(t, "token")
				e := model[tok]
				sealed, got, err := s.getActing(ctx, tok)
				if err != nil {
					t.Fatal(err)
				}
				want := ""
				if alive(e) {
					want = e.acting
				}
				if diff := cmp.Diff(want, string(got)); diff != "" {
					t.Fatal(diff)
				}
				if got == nil {
					return
				}
				slid := want + "+"
				switch rapid.SampledFrom([]string{"alone", "goes on", "stops", "starts anew"}).Draw(t, "the other") {
				case "alone":
					e.acting = slid
				case "goes on":
					err = s.slideActing(ctx, tok, sealed, []byte("other"))
					e.acting = "other"
				case "stops":
					err = s.dropActing(ctx, tok)
					e.acting = ""
				case "starts anew":
					_, err = s.putActing(ctx, tok, []byte("anew"))
					e.acting = "anew"
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := s.slideActing(ctx, tok, sealed, []byte(slid)); err != nil {
					t.Fatal(err)
				}
			},
			"wait": func(t *rapid.T) {
				d := time.Duration(rapid.IntRange(1, 15).Draw(t, "minutes")) * time.Minute
				now = now.Add(d)
				m.SetTime(now)
				m.FastForward(d)
			},
		})
	})
}

func TestATombstoneOutlivesAnyRequest(t *testing.T) {
	t.Parallel()
	sealer, err := seal.New(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	m := miniredis.RunT(t)
	c := redis.NewClient(&redis.Options{Addr: m.Addr()})
	t.Cleanup(func() { _ = c.Close() })
	s := &store{redis: c, sealer: sealer, idle: time.Hour, now: time.Now}
	until := time.Now().Add(time.Hour)
	if err := s.Commit("token", []byte("signed in"), until); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete("token"); err != nil {
		t.Fatal(err)
	}
	m.FastForward(9 * time.Minute)
	if err := s.Commit("token", []byte("signed in"), until); !errors.Is(err, errGone) {
		t.Errorf("commit after delete: %v, want errGone", err)
	}
	if text, found, err := s.Find("token"); found || err != nil {
		t.Errorf("find after delete: %q, %t, %v", text, found, err)
	}
	m.FastForward(2 * time.Minute)
	if keys := m.Keys(); len(keys) != 0 {
		t.Errorf("the tombstone stays for ever: %q", keys)
	}
}

// A Redis that takes the connection and says nothing must not hold a page.
func TestASilentRedisIsAnErrorInTime(t *testing.T) {
	t.Parallel()
	s := &store{redis: silentRedis(t), idle: time.Hour, now: time.Now}
	begin := time.Now()
	_, _, err := s.FindCtx(context.Background(), "token")
	if err == nil || time.Since(begin) > redisTimeout+2*time.Second {
		t.Errorf("got %v after %s", err, time.Since(begin))
	}
}
