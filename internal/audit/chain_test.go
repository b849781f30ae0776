package audit_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"patchbay/internal/audit"
	"patchbay/internal/redisdb/redistest"
	"patchbay/internal/seal"
)

const (
	logKey    = "patchbay:{log}:log"
	headKey   = "patchbay:{log}:head"
	anchorKey = "patchbay:{log}:anchor"
	allKey    = "patchbay:{log}:all"
	endsKey   = "patchbay:{log}:ends"
)

func verify(t testing.TB, l *audit.Log, heads ...string) audit.Verification {
	t.Helper()
	v, err := l.Verify(context.Background(), heads...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func mustNote(t testing.TB, l *audit.Log, e audit.Entry, r audit.Result) string {
	t.Helper()
	id, err := l.Note(context.Background(), e, r)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func lines(t testing.TB, client *redis.Client, key string) []redis.XMessage {
	t.Helper()
	all, err := client.XRange(context.Background(), key, "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// rewrite replaces what a stream holds, as somebody with write access could.
func rewrite(t testing.TB, client *redis.Client, key string, all []redis.XMessage) {
	t.Helper()
	ctx := context.Background()
	if err := client.Del(ctx, key).Err(); err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		var values []string
		for _, name := range []string{"e", "n", "c", "t", "m", "o"} { // in the order that the log has
			if v, ok := m.Values[name]; ok {
				values = append(values, name, v.(string))
			}
		}
		if err := client.XAdd(ctx, &redis.XAddArgs{Stream: key, ID: m.ID, Values: values}).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func flip(s string, at int) string {
	b := []byte(s)
	b[at] ^= 1
	return string(b)
}

// written is a log of five entries a second apart, of which three have an end of their
// own: e0 c0 n1 e2 c2 e3 c3 e4.
func written(t testing.TB, client *redis.Client, keep time.Duration, keys ...[]byte) (l *audit.Log, now *time.Time) {
	t.Helper()
	now = new(start)
	l = audit.New(client, newSealer(t, keys...), func() time.Time { return *now }, keep)
	for n := range 5 {
		*now = now.Add(time.Second)
		switch n {
		case 1:
			mustNote(t, l, change("person-1", n), audit.Result{Outcome: audit.Refused})
		case 4:
			mustBegin(t, l, change("person-1", n))
		default:
			mustFinish(t, l, mustBegin(t, l, change("person-1", n)), audit.Result{Outcome: audit.Done})
		}
	}
	return l, now
}

func TestTamperingIsFound(t *testing.T) {
	t.Parallel()
	type stage struct {
		t      *testing.T
		client *redis.Client
		l      *audit.Log
		all    []redis.XMessage // the log as it was
	}
	for name, c := range map[string]struct {
		tamper func(s stage)
		want   int // the line that Verify names; -1 when it is not one of them
	}{
		"an entry's text": {func(s stage) {
			s.all[3].Values["e"] = flip(s.all[3].Values["e"].(string), 40)
			rewrite(s.t, s.client, logKey, s.all)
		}, 3},
		"the first entry's text": {func(s stage) {
			s.all[0].Values["e"] = flip(s.all[0].Values["e"].(string), 40)
			rewrite(s.t, s.client, logKey, s.all)
		}, 0},
		"the last entry's text": {func(s stage) {
			s.all[7].Values["e"] = flip(s.all[7].Values["e"].(string), 40)
			rewrite(s.t, s.client, logKey, s.all)
		}, 7},
		"an end's text": {func(s stage) {
			s.all[4].Values["c"] = flip(s.all[4].Values["c"].(string), 40)
			rewrite(s.t, s.client, logKey, s.all)
		}, 4},
		"which entry an end completes": {func(s stage) {
			s.all[4].Values["o"] = s.all[0].ID
			rewrite(s.t, s.client, logKey, s.all)
		}, 4},
		"a code": {func(s stage) {
			s.all[2].Values["m"] = flip(s.all[2].Values["m"].(string), 20)
			rewrite(s.t, s.client, logKey, s.all)
		}, 2},
		"the key that a code names, and the text": {func(s stage) {
			s.all[2].Values["n"] = flip(s.all[2].Values["n"].(string), 40)
			s.all[2].Values["m"] = flip(s.all[2].Values["m"].(string), 0)
			rewrite(s.t, s.client, logKey, s.all)
		}, 2},
		"all keys that codes name, and a text": {func(s stage) {
			s.all[3].Values["e"] = flip(s.all[3].Values["e"].(string), 40)
			for _, m := range s.all {
				m.Values["m"] = flip(m.Values["m"].(string), 0)
			}
			rewrite(s.t, s.client, logKey, s.all)
		}, 0},
		"an end made an entry": {func(s stage) {
			s.all[1].Values = map[string]any{"n": s.all[1].Values["c"], "m": s.all[1].Values["m"]}
			rewrite(s.t, s.client, logKey, s.all)
		}, 1},
		"an id": {func(s stage) {
			s.all[2].ID = strings.TrimSuffix(s.all[2].ID, "0") + "1"
			rewrite(s.t, s.client, logKey, s.all)
		}, -1},
		"one in the middle deleted": {func(s stage) { s.client.XDel(s.t.Context(), logKey, s.all[2].ID) }, 3},
		"the first deleted":         {func(s stage) { s.client.XDel(s.t.Context(), logKey, s.all[0].ID) }, 1},
		"the last deleted":          {func(s stage) { s.client.XDel(s.t.Context(), logKey, s.all[7].ID) }, 6},
		"an entry and its end deleted": {func(s stage) {
			s.client.XDel(s.t.Context(), logKey, s.all[3].ID, s.all[4].ID)
			s.client.XDel(s.t.Context(), allKey, s.all[3].ID)
			s.client.HDel(s.t.Context(), endsKey, s.all[3].ID)
		}, 5},
		"two swapped": {func(s stage) {
			s.all[3].Values, s.all[5].Values = s.all[5].Values, s.all[3].Values
			rewrite(s.t, s.client, logKey, s.all)
		}, 3},
		"a copy put in between": {func(s stage) {
			copied := s.all[4]
			copied.ID, _, _ = strings.Cut(copied.ID, "-")
			copied.ID += "-5"
			rewrite(s.t, s.client, logKey, slices.Insert(s.all, 5, copied))
		}, -1},
		"a copy put at the end": {func(s stage) {
			copied := s.all[7]
			copied.ID, _, _ = strings.Cut(copied.ID, "-")
			copied.ID += "-5"
			rewrite(s.t, s.client, logKey, append(s.all, copied))
		}, -1},
		"the head deleted":                 {func(s stage) { s.client.Del(s.t.Context(), headKey) }, 7},
		"the head forged":                  {func(s stage) { s.client.Set(s.t.Context(), headKey, "head", 0) }, 7},
		"the head's code of another text":  {func(s stage) { s.client.Append(s.t.Context(), headKey, "x") }, 7},
		"the log deleted without the head": {func(s stage) { s.client.Del(s.t.Context(), logKey) }, -1},
		"an entry no longer listed":        {func(s stage) { s.client.XDel(s.t.Context(), allKey, s.all[2].ID) }, 2},
		"an end no longer found":           {func(s stage) { s.client.HDel(s.t.Context(), endsKey, s.all[3].ID) }, 4},
		"an end that leads elsewhere":      {func(s stage) { s.client.HSet(s.t.Context(), endsKey, s.all[3].ID, s.all[1].ID) }, 4},
		"an anchor set, and what was before it dropped": {func(s stage) {
			s.client.XTrimMinID(s.t.Context(), logKey, s.all[2].ID)
			s.client.Set(s.t.Context(), anchorKey, s.client.Get(s.t.Context(), headKey).Val(), 0)
		}, 2},
		"the head deleted, and the log written on": {func(s stage) {
			s.client.Del(s.t.Context(), headKey)
			mustBegin(s.t, s.l, change("person-1", 9))
		}, -1},
		"an old head put back, and the log written on": {func(s stage) {
			head := s.client.Get(s.t.Context(), headKey).Val()
			mustBegin(s.t, s.l, change("person-1", 8))
			s.client.Set(s.t.Context(), headKey, head, 0)
			mustBegin(s.t, s.l, change("person-1", 9))
		}, -1},
		"everything rewritten under an unknown key, and the log written on": {func(s stage) {
			// Nobody's codes must become ours by being built upon.
			other := audit.New(s.client, newSealer(s.t, seal.NewKey()), func() time.Time { return start }, 0)
			s.client.FlushAll(s.t.Context())
			for n := range 3 {
				mustBegin(s.t, other, change("person-1", n))
			}
			mustBegin(s.t, s.l, change("person-1", 9))
		}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBothRedis(t, func(t *testing.T, client *redis.Client) {
				l, _ := written(t, client, 0, testKey)
				s := stage{t, client, l, lines(t, client, logKey)}
				if v := verify(t, l); !v.Whole || v.Entries != 5 || v.BrokenAt != "" || len(s.all) != 8 {
					t.Fatalf("before: %+v of %d lines", v, len(s.all))
				}
				ids := make([]string, 0, len(s.all))
				for _, m := range s.all {
					ids = append(ids, m.ID)
				}
				c.tamper(s)
				v := verify(t, l)
				if v.Whole || v.BrokenAt == "" {
					t.Fatalf("not found: %+v", v)
				}
				if c.want >= 0 && v.BrokenAt != ids[c.want] {
					t.Errorf("broken at line %d (%s), want %d", slices.Index(ids, v.BrokenAt), v.BrokenAt, c.want)
				}
				// The portal goes on, and what is wrong stays so.
				mustFinish(t, l, mustBegin(t, l, change("person-2", 1)), audit.Result{Outcome: audit.Done})
				if v := verify(t, l); v.Whole {
					t.Error("written on, it is whole")
				}
			})
		})
	}
}

func TestWhatIsCutOffAtTheEndShowsAgainstAKeptHead(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		l, _ := written(t, client, 0, testKey)
		early, err := l.Head(t.Context())
		if err != nil || early == "" {
			t.Fatal(early, err)
		}
		packed, all := client.Get(t.Context(), headKey).Val(), lines(t, client, logKey)
		cut := mustNote(t, l, change("person-1", 7), audit.Result{Outcome: audit.Done})
		late, err := l.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if v := verify(t, l, early, late, early); !v.Whole || v.Head != late {
			t.Fatalf("%+v", v)
		}

		client.Set(t.Context(), headKey, packed, 0)
		rewrite(t, client, logKey, all)
		client.XDel(t.Context(), allKey, cut)
		for what, v := range map[string]audit.Verification{"alone": verify(t, l), "against an earlier head": verify(t, l, early)} {
			if !v.Whole || v.Head != early {
				t.Errorf("%s: %+v", what, v)
			}
		}
		if v := verify(t, l, early, late); v.Whole || v.BrokenAt != cut {
			t.Errorf("against the later head: %+v", v)
		}
		mustBegin(t, l, change("person-1", 8))
		if v := verify(t, l, late); v.Whole || v.BrokenAt != cut {
			t.Errorf("written on: %+v", v)
		}
		client.FlushAll(t.Context())
		if v := verify(t, l); !v.Whole || v.Entries != 0 || v.Head != "" || !v.From.IsZero() {
			t.Errorf("emptied: %+v", v)
		}
		if v := verify(t, l, early); v.Whole || v.BrokenAt == "" {
			t.Errorf("emptied, against a head: %+v", v)
		}
		if _, err := l.Verify(t.Context(), "x"); err == nil {
			t.Error("a head that is none is taken")
		}
	})
}

func TestTheChainOutlivesItsKeys(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		oldKey, newKey := seal.NewKey(), seal.NewKey()
		_, now := written(t, client, 0, oldKey)
		of := func(keys ...[]byte) *audit.Log {
			return audit.New(client, newSealer(t, keys...), func() time.Time { return *now }, 0)
		}
		rotated := of(newKey, oldKey)
		if v := verify(t, rotated); !v.Whole || v.Entries != 5 {
			t.Fatalf("rotated: %+v", v)
		}
		if v := verify(t, of(newKey)); v.Whole {
			t.Error("nothing vouches for it, yet it is whole")
		}
		mustBegin(t, rotated, change("person-1", 9))
		if v := verify(t, rotated); !v.Whole || v.Entries != 6 {
			t.Fatalf("written on: %+v", v)
		}
		// The old key is dropped: its lines cannot be read, but the new code vouches
		// for them.
		lost := of(newKey)
		if v := verify(t, lost); !v.Whole || v.Entries != 6 {
			t.Fatalf("without the old key: %+v", v)
		}
		all := lines(t, client, logKey)
		all[3].Values["e"] = flip(all[3].Values["e"].(string), 40)
		rewrite(t, client, logKey, all)
		if v := verify(t, lost); v.Whole || v.BrokenAt != all[0].ID {
			t.Errorf("a line of the old key changed: %+v", v) // the first that is not vouched for
		}
	})
}

func TestTwoReplicasWriteOneChain(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		const workers, each = 6, 20
		var wg sync.WaitGroup
		var mu sync.Mutex
		ids := map[string]bool{}
		for r := range 3 {
			replica := newLog(t, newClient(t, client.Options().Addr))
			for w := range workers {
				wg.Go(func() {
					for n := range each {
						id, err := replica.Begin(t.Context(), change(fmt.Sprintf("person-%d", r), w*each+n))
						if err == nil {
							err = replica.Finish(t.Context(), id, audit.Result{Outcome: audit.Done})
						}
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						ids[id] = true
						mu.Unlock()
					}
				})
			}
		}
		wg.Wait()
		l := newLog(t, client)
		if v := verify(t, l); !v.Whole || v.Entries != 3*workers*each || len(ids) != v.Entries {
			t.Errorf("%+v, %d ids", v, len(ids))
		}
		err := l.Each(t.Context(), audit.Filter{Outcome: audit.Done}, func(e audit.Entry) error {
			if !ids[e.ID] {
				t.Errorf("%s was never begun, or comes twice", e.ID)
			}
			delete(ids, e.ID)
			return nil
		})
		if err != nil || len(ids) != 0 {
			t.Errorf("%d were not found; %v", len(ids), err)
		}
	})
}

// lossy carries out scripts and loses the answer to every third: sometimes the
// client repeats it, sometimes it gives up.
type lossy struct {
	twice
	mu sync.Mutex
	n  int
}

var errLost = &net.OpError{Op: "read", Err: errors.New("connection reset")}

func (h *lossy) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		h.mu.Lock()
		h.n++
		n := h.n
		h.mu.Unlock()
		switch {
		case err == nil && n%3 == 0:
			return next(ctx, cmd)
		case err == nil && n%7 == 0:
			cmd.SetErr(errLost)
			return errLost
		}
		return err
	}
}

func TestTheChainStaysWholeWhenAnswersAreLost(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		lossyClient := newClient(t, client.Options().Addr)
		lossyClient.AddHook(&lossy{})
		replicas := []*audit.Log{newLog(t, lossyClient), newLog(t, client)}
		known := map[string]bool{}
		for n := range 60 {
			l := replicas[n%2]
			id, err := l.Begin(t.Context(), change("person-1", n))
			if err != nil {
				continue
			}
			known[id] = true
			mustFinish(t, replicas[1], id, audit.Result{Outcome: audit.Done})
		}
		// What was written without an answer is left pending; nothing is there twice.
		seen := map[string]bool{}
		pending := 0
		err := replicas[1].Each(t.Context(), audit.Filter{}, func(e audit.Entry) error {
			if seen[string(e.Before)] {
				t.Errorf("%s is there twice", e.Before)
			}
			seen[string(e.Before)] = true
			if e.Outcome == audit.Pending {
				pending++
			} else if !known[e.ID] {
				t.Errorf("%s is %s", e.ID, e.Outcome)
			}
			return nil
		})
		if err != nil || pending == 0 {
			t.Errorf("no answer was lost after an entry was written; %v", err)
		}
		if v := verify(t, replicas[1]); !v.Whole || v.Entries != len(known)+pending || v.Entries > 60 {
			t.Errorf("%+v, want %d and %d pending", v, len(known), pending)
		}
	})
}

func TestRedisDiesWhileTheLogIsWritten(t *testing.T) {
	t.Parallel()
	_, server := redistest.Start(t)
	l := newLog(t, newClient(t, server.Addr()))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	var begun []string
	for w := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if id, err := l.Begin(t.Context(), change("person-1", w*100_000+n)); err == nil {
					mu.Lock()
					begun = append(begun, id)
					mu.Unlock()
				}
			}
		})
	}
	for range 3 {
		time.Sleep(50 * time.Millisecond)
		server.Restart()
	}
	time.Sleep(50 * time.Millisecond)
	close(stop)
	wg.Wait()
	v := verify(t, l)
	if !v.Whole || v.Entries < len(begun) || len(begun) == 0 {
		t.Errorf("%d begun: %+v", len(begun), v)
	}
	for _, id := range begun {
		mustGet(t, l, id)
	}
}

func TestTrim(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		const keep = time.Hour
		l, now := written(t, client, keep, testKey)
		ctx := t.Context()
		old := lines(t, client, logKey)
		early, _ := l.Head(ctx)
		if err := l.Trim(ctx); err != nil {
			t.Fatal(err)
		}
		if got := len(lines(t, client, logKey)); got != len(old) || client.Exists(ctx, anchorKey).Val() != 0 {
			t.Fatalf("%d lines are left of %d, none of which is old", got, len(old))
		}
		if ttl := client.PTTL(ctx, client.Keys(ctx, "patchbay:{log}:by:*").Val()[0]).Val(); ttl < keep+23*time.Hour || ttl > keep+24*time.Hour {
			t.Errorf("an index goes after %v", ttl)
		}

		// The first two entries become old.
		*now = start.Add(keep + 3*time.Second)
		if err := l.Trim(ctx); err != nil {
			t.Fatal(err)
		}
		left := lines(t, client, logKey)
		if len(left) != 5 || left[0].ID != old[3].ID {
			t.Fatalf("%d lines are left of %d", len(left), len(old))
		}
		v := verify(t, l, early)
		if !v.Whole || v.Entries != 3 || !v.From.Equal(start.Add(3*time.Second)) {
			t.Errorf("trimmed: %+v", v)
		}
		if _, err := l.Get(ctx, old[0].ID); !errors.Is(err, audit.ErrNotFound) {
			t.Errorf("what was dropped is there: %v", err)
		}
		if err := l.Finish(ctx, old[0].ID, audit.Result{Outcome: audit.Unknown, Undoes: old[2].ID}); err != nil {
			t.Errorf("the end of what was dropped: %v", err)
		}
		for _, m := range old[:len(old)-len(left)] {
			id := m.ID
			if client.HExists(ctx, endsKey, id).Val() || len(client.XRange(ctx, allKey, id, id).Val()) != 0 {
				t.Errorf("something is left of %s", id)
			}
		}
		if n := client.ZCard(ctx, "patchbay:{log}:outcome:refused").Val(); n != 0 {
			t.Errorf("%d refused are left", n)
		}

		for name, tamper := range map[string]func(){
			"the anchor deleted":            func() { client.Del(ctx, anchorKey) },
			"the anchor forged":             func() { client.Append(ctx, anchorKey, "x") },
			"the head as the anchor":        func() { client.Set(ctx, anchorKey, client.Get(ctx, headKey).Val(), 0) },
			"one more dropped at the start": func() { client.XDel(ctx, logKey, left[0].ID) },
		} {
			anchor, all := client.Get(ctx, anchorKey).Val(), lines(t, client, logKey)
			tamper()
			if v := verify(t, l); v.Whole || v.BrokenAt == "" {
				t.Errorf("%s: %+v", name, v)
			}
			client.Set(ctx, anchorKey, anchor, 0)
			rewrite(t, client, logKey, all)
			if v := verify(t, l); !v.Whole {
				t.Fatalf("put back after %s: %+v", name, v)
			}
		}

		// All of it, the pending one too.
		*now = now.Add(2 * keep)
		if err := l.Trim(ctx); err != nil {
			t.Fatal(err)
		}
		if entries, err := l.Pending(ctx, 0, 9); err != nil || len(entries) != 0 {
			t.Errorf("pending: %+v, %v", entries, err)
		}
		if v := verify(t, l, early); !v.Whole || v.Entries != 0 || v.Head != early {
			t.Errorf("all dropped: %+v", v)
		}
		id := mustNote(t, l, change("person-1", 1), audit.Result{Outcome: audit.Done})
		if v := verify(t, l); !v.Whole || v.Entries != 1 {
			t.Errorf("written on: %+v", v)
		}
		if entries, next, err := l.Search(ctx, audit.Filter{Subject: "person-1"}, "", 9); err != nil || next != "" || len(entries) != 1 || entries[0].ID != id {
			t.Errorf("found: %+v, %q, %v", entries, next, err)
		}
		client.Del(ctx, logKey, headKey)
		if v := verify(t, l); v.Whole {
			t.Error("only the anchor is left, and it is whole")
		}
	})
}

func TestTrimRemembersABreak(t *testing.T) {
	t.Parallel()
	client := newClient(t, miniredis.RunT(t).Addr())
	l, now := written(t, client, time.Hour, testKey)
	all := lines(t, client, logKey)
	client.XDel(t.Context(), logKey, all[2].ID)
	*now = now.Add(2 * time.Hour)
	mustBegin(t, l, change("person-1", 9))
	for range 2 {
		if err := l.Trim(t.Context()); err != nil {
			t.Fatal(err)
		}
		if v := verify(t, l); v.Whole || v.BrokenAt != all[3].ID || v.Entries != 1 {
			t.Errorf("%+v, want broken at %s", v, all[3].ID)
		}
	}
}

func TestReplicasTrimAndVerifyAtOnce(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		var mu sync.Mutex
		now := start
		clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
		replicas := make([]*audit.Log, 3)
		for i := range replicas {
			replicas[i] = audit.New(client, newSealer(t, testKey), clock, time.Hour)
		}
		for n := range 1050 { // several pages
			mustNote(t, replicas[0], change("person-1", n), audit.Result{Outcome: audit.Done})
		}
		mu.Lock()
		now = now.Add(time.Hour + time.Minute)
		mu.Unlock()
		var wg sync.WaitGroup
		for _, l := range replicas {
			wg.Go(func() {
				if err := l.Trim(t.Context()); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				if v := verify(t, l); !v.Whole {
					t.Errorf("%+v", v)
				}
			})
		}
		wg.Wait()
		if v := verify(t, replicas[0]); !v.Whole || v.Entries != 0 {
			t.Errorf("%+v", v)
		}
	})
}
