package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"patchbay/internal/audit"
	"patchbay/internal/redisdb/redistest"
	"patchbay/internal/seal"
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

func newSealer(t testing.TB, keys ...[]byte) *seal.Sealer {
	t.Helper()
	s, err := seal.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var testKey = bytes.Repeat([]byte("k"), seal.KeySize)

func newClient(t testing.TB, addr string) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func newLog(t testing.TB, client redis.UniversalClient) *audit.Log {
	return audit.New(client, newSealer(t, testKey), func() time.Time { return start }, 0)
}

func onBothRedis(t *testing.T, test func(t *testing.T, client *redis.Client)) {
	t.Run("miniredis", func(t *testing.T) { t.Parallel(); test(t, newClient(t, miniredis.RunT(t).Addr())) })
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		_, server := redistest.Start(t)
		test(t, newClient(t, server.Addr()))
	})
}

func change(subject string, n int) audit.Entry {
	return audit.Entry{
		Actor: audit.Person{ID: "person-lead", Name: "Lena Lead"}, Subject: audit.Person{ID: subject, Name: "Sam Subject"},
		Setting: "callForwarding", Before: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n)), After: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n+1)),
		Reason: "because", RequestID: "request-1",
	}
}

func mustBegin(t testing.TB, l *audit.Log, e audit.Entry) string {
	t.Helper()
	id, err := l.Begin(context.Background(), e)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func mustFinish(t testing.TB, l *audit.Log, id string, r audit.Result) {
	t.Helper()
	if err := l.Finish(context.Background(), id, r); err != nil {
		t.Fatal(err)
	}
}

func mustGet(t *testing.T, l *audit.Log, id string) audit.Entry {
	t.Helper()
	e, err := l.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAChangeFromBeginToUndo(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		l := newLog(t, client)
		id := mustBegin(t, l, change("person-1", 1))
		want := change("person-1", 1)
		want.ID, want.At, want.Outcome = id, start, audit.Pending
		if diff := cmp.Diff(want, mustGet(t, l, id)); diff != "" {
			t.Errorf("begun: %s", diff)
		}

		mustFinish(t, l, id, audit.Result{Outcome: audit.Done, TrackingID: "ROUTER_1"})
		mustFinish(t, l, id, audit.Result{Outcome: audit.Unknown, TrackingID: "ROUTER_2"}) // too late
		want.Outcome, want.TrackingID = audit.Done, "ROUTER_1"
		if diff := cmp.Diff(want, mustGet(t, l, id)); diff != "" {
			t.Errorf("finished: %s", diff)
		}

		undo := change("person-1", 2)
		undo.Undoes = id
		for _, outcome := range []audit.Outcome{audit.Refused, audit.Failed, audit.Unknown} {
			mustFinish(t, l, mustBegin(t, l, undo), audit.Result{Outcome: outcome, Undoes: id})
			if got := mustGet(t, l, id).UndoneBy; got != "" {
				t.Errorf("undone by %q, which ended as %q", got, outcome)
			}
		}
		undone := mustBegin(t, l, undo)
		mustFinish(t, l, undone, audit.Result{Outcome: audit.Done, Undoes: id})
		want.UndoneBy = undone
		if diff := cmp.Diff(want, mustGet(t, l, id)); diff != "" {
			t.Errorf("undone: %s", diff)
		}
		if got := mustGet(t, l, undone).Undoes; got != id {
			t.Errorf("the undo says it undoes %q, want %q", got, id)
		}
	})
}

func TestGetOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		l := newLog(t, client)
		mustBegin(t, l, change("person-1", 1))
		for _, id := range []string{"", "1-1", "x", "*", "+", "-", "(1-1", "1", "1-1 ", "1-1\n", "9999999999999999999-9999999999999999999", strings.Repeat("9", 25) + "-1", "$"} {
			if _, err := l.Get(t.Context(), id); !errors.Is(err, audit.ErrNotFound) {
				t.Errorf("Get(%q): %v, want ErrNotFound", id, err)
			}
		}
	})
}

func TestHistoryInPages(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		l := newLog(t, client)
		var want []string
		for n := range 10 {
			want = append(want, mustBegin(t, l, change("person-1", n)))
			mustBegin(t, l, change("person-2", n))
		}
		slices.Reverse(want)
		var got []string
		var cursor string
		for page := 0; ; page++ {
			entries, next, err := l.Search(t.Context(), audit.Filter{Subject: "person-1"}, cursor, 4)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				got = append(got, e.ID)
				if e.Subject.ID != "person-1" {
					t.Errorf("%s belongs to %s", e.ID, e.Subject.ID)
				}
			}
			if next == "" {
				break
			}
			cursor = next
			if page == 0 { // what is added while somebody reads on moves nothing
				mustBegin(t, l, change("person-1", 99))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if entries, next, err := l.Search(t.Context(), audit.Filter{Subject: "person-2"}, "", 10); err != nil || len(entries) != 10 || next != "" {
			t.Errorf("a full page that is the last: %d entries, next %q, %v", len(entries), next, err)
		}
		if entries, next, err := l.Search(t.Context(), audit.Filter{Subject: "person-3"}, "", 10); err != nil || len(entries) != 0 || next != "" {
			t.Errorf("nobody's: %d entries, next %q, %v", len(entries), next, err)
		}
		for _, cursor := range []string{"x", "-", "+", "(1-1", "1", "99999999999999999999-1"} {
			if _, _, err := l.Search(t.Context(), audit.Filter{Subject: "person-1"}, cursor, 4); !errors.Is(err, audit.ErrCursor) {
				t.Errorf("cursor %q: %v, want ErrCursor", cursor, err)
			}
		}
	})
}

func TestPending(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		now := start
		l := audit.New(client, newSealer(t, testKey), func() time.Time { return now }, 0)
		first := mustBegin(t, l, change("person-1", 1))
		finished := mustBegin(t, l, change("person-1", 2))
		now = now.Add(30 * time.Second)
		second := mustBegin(t, l, change("person-2", 3))
		mustFinish(t, l, finished, audit.Result{Outcome: audit.Failed})

		pending := func(limit int) (ids []string) {
			entries, err := l.Pending(t.Context(), time.Minute, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				ids = append(ids, e.ID)
			}
			return ids
		}
		if got := pending(9); len(got) != 0 {
			t.Errorf("after half a minute: %v", got)
		}
		now = now.Add(30 * time.Second)
		if diff := cmp.Diff([]string{first}, pending(9)); diff != "" {
			t.Error(diff)
		}
		now = now.Add(30 * time.Second)
		if diff := cmp.Diff([]string{first, second}, pending(9)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{first}, pending(1)); diff != "" {
			t.Error(diff)
		}
		mustFinish(t, l, first, audit.Result{Outcome: audit.Unknown})
		mustFinish(t, l, second, audit.Result{Outcome: audit.Done})
		if got := pending(9); len(got) != 0 {
			t.Errorf("after all were finished: %v", got)
		}
	})
}

// twice runs every script a second time, as the client does when the answer to
// the first was lost.
type twice struct{}

func (twice) DialHook(next redis.DialHook) redis.DialHook { return next }
func (twice) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
func (twice) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		_ = next(ctx, cmd)
		return next(ctx, cmd)
	}
}

func TestALostAnswerOfRedisInventsNoChange(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		client.AddHook(twice{})
		l := newLog(t, client)
		var want []string
		for n := range 3 {
			id := mustBegin(t, l, change("person-1", n))
			mustFinish(t, l, id, audit.Result{Outcome: audit.Done})
			want = append([]string{id}, want...)
		}
		entries, _, err := l.Search(t.Context(), audit.Filter{Subject: "person-1"}, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			got = append(got, e.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if n := client.XLen(t.Context(), "patchbay:{log}:log").Val(); n != 6 {
			t.Errorf("%d lines, want 3 entries and 3 ends", n)
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		l := newLog(t, client)
		const workers, each = 8, 25
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for n := range each {
					id, err := l.Begin(t.Context(), change(fmt.Sprintf("person-%d", w%2), w*each+n))
					if err != nil {
						t.Error(err)
						return
					}
					if err := l.Finish(t.Context(), id, audit.Result{Outcome: audit.Done}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		seen := map[string]bool{}
		for _, subject := range []string{"person-0", "person-1"} {
			entries, next, err := l.Search(t.Context(), audit.Filter{Subject: subject}, "", workers*each)
			if err != nil || next != "" {
				t.Fatal(next, err)
			}
			for _, e := range entries {
				seen[string(e.Before)] = true
				if e.Outcome != audit.Done || e.Subject.ID != subject {
					t.Errorf("%+v", e)
				}
			}
			if !slices.IsSortedFunc(entries, func(a, b audit.Entry) int { return -compareIDs(a.ID, b.ID) }) {
				t.Errorf("the history of %s is not sorted", subject)
			}
		}
		if len(seen) != workers*each {
			t.Errorf("%d changes found, want %d", len(seen), workers*each)
		}
	})
}

func compareIDs(a, b string) int {
	var am, an, bm, bn int64
	_, _ = fmt.Sscanf(a, "%d-%d", &am, &an)
	_, _ = fmt.Sscanf(b, "%d-%d", &bm, &bn)
	return slices.Compare([]int64{am, an}, []int64{bm, bn})
}

func TestWithoutRedis(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	l := newLog(t, newClient(t, m.Addr()))
	id := mustBegin(t, l, change("person-1", 1))
	m.SetError("LOADING Redis is loading the dataset in memory")
	if _, err := l.Begin(t.Context(), change("person-1", 1)); err == nil {
		t.Error("a change that cannot be recorded was begun")
	}
	if _, err := l.Get(t.Context(), id); err == nil || errors.Is(err, audit.ErrNotFound) {
		t.Errorf("Get: %v, want Redis's error", err)
	}
	if _, _, err := l.Search(t.Context(), audit.Filter{Subject: "person-1"}, "", 4); err == nil {
		t.Error("a history out of nowhere")
	}
	if _, err := l.Pending(t.Context(), 0, 4); err == nil {
		t.Error("pending records out of nowhere")
	}
}

func TestFinishOutlivesItsCallerAndARestartOfRedis(t *testing.T) {
	t.Parallel()
	_, server := redistest.Start(t)
	l := newLog(t, newClient(t, server.Addr()))
	id := mustBegin(t, l, change("person-1", 1))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	server.Stop()
	finished := make(chan error, 1)
	go func() { finished <- l.Finish(gone, id, audit.Result{Outcome: audit.Done}) }()
	time.Sleep(100 * time.Millisecond)
	server.Restart()
	if err := <-finished; err != nil {
		t.Fatal(err)
	}
	if got := mustGet(t, l, id).Outcome; got != audit.Done {
		t.Errorf("outcome %q", got)
	}
}

func TestFinishGivesUpInTheEnd(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	l := newLog(t, newClient(t, m.Addr()))
	id := mustBegin(t, l, change("person-1", 1))
	m.SetError("ERR broken")
	begun := time.Now()
	if err := l.Finish(t.Context(), id, audit.Result{Outcome: audit.Done}); err == nil {
		t.Error("no error")
	}
	if took := time.Since(begun); took < time.Second || took > 11*time.Second {
		t.Errorf("gave up after %v", took)
	}
	m.SetError("")
	entries, err := l.Pending(t.Context(), 0, 4)
	if err != nil || len(entries) != 1 || entries[0].ID != id {
		t.Errorf("left behind: %+v, %v", entries, err)
	}
}

func TestRedisHoldsNothingToRead(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		l := newLog(t, client)
		id := mustBegin(t, l, change("person-1", 1))
		mustFinish(t, l, id, audit.Result{Outcome: audit.Done, TrackingID: "ROUTER_1"})
		undo := change("person-1", 1)
		undo.Undoes = id
		mustFinish(t, l, mustBegin(t, l, undo), audit.Result{Outcome: audit.Done, Undoes: id})
		mustBegin(t, l, change("person-1", 2))
		if _, err := l.Note(t.Context(), audit.Entry{Setting: "signIn", Address: "192.0.2.7", Object: audit.Object{Kind: "queue", ID: "queue-1", Name: "Orders"}}, audit.Result{Outcome: audit.Refused}); err != nil {
			t.Fatal(err)
		}

		ctx := t.Context()
		var all strings.Builder
		for _, key := range client.Keys(ctx, "*").Val() {
			if !strings.HasPrefix(key, "patchbay:{log}:") {
				t.Errorf("key %q would live in another slot of a cluster", key)
			}
			fmt.Fprintln(&all, key)
			switch kind := client.Type(ctx, key).Val(); kind {
			case "string":
				fmt.Fprintln(&all, client.Get(ctx, key).Val())
			case "stream":
				fmt.Fprintln(&all, client.XRange(ctx, key, "-", "+").Val())
			case "hash":
				fmt.Fprintln(&all, client.HGetAll(ctx, key).Val())
			case "zset":
				fmt.Fprintln(&all, client.ZRange(ctx, key, 0, -1).Val())
			default:
				t.Errorf("key %q is a %s, which this test does not read", key, kind)
			}
		}
		if !strings.Contains(all.String(), id) {
			t.Fatalf("nothing stored: %s", all.String())
		}
		for _, word := range []string{"person-", "Lena", "Sam", "callForwarding", "because", "request-1", "ROUTER", "signIn", "192.0.2", "queue", "Orders", `{"n"`, `"outcome"`} {
			if strings.Contains(all.String(), word) {
				t.Errorf("Redis shows %q", word)
			}
		}
	})
}

func TestRecordsOfAnotherKey(t *testing.T) {
	t.Parallel()
	client := newClient(t, miniredis.RunT(t).Addr())
	old := newLog(t, client)
	id := mustBegin(t, old, change("person-1", 1))
	newKey := seal.NewKey()
	rotated := audit.New(client, newSealer(t, newKey, testKey), func() time.Time { return start }, 0)
	if got := mustGet(t, rotated, id); got.Setting != "callForwarding" || got.Unreadable {
		t.Errorf("with the previous key: %+v", got)
	}

	lost := audit.New(client, newSealer(t, newKey), func() time.Time { return start }, 0)
	readable := mustBegin(t, lost, change("person-1", 2))
	entries, _, err := lost.Search(t.Context(), audit.Filter{Subject: "person-1"}, "", 10)
	if err != nil || len(entries) != 2 || entries[0].ID != readable || entries[0].Unreadable {
		t.Fatalf("%+v, %v", entries, err)
	}
	if e := entries[1]; !e.At.Equal(start) {
		t.Errorf("the time of an unreadable record: %v", e.At)
	}
	want := audit.Entry{ID: id, At: entries[1].At, Outcome: audit.Unknown, Unreadable: true}
	if diff := cmp.Diff(want, entries[1]); diff != "" {
		t.Error(diff)
	}
	pending, err := lost.Pending(t.Context(), 0, 10)
	if err != nil || len(pending) != 1 || pending[0].ID != readable {
		t.Errorf("pending: %+v, %v", pending, err)
	}
}

// conversations counts round trips.
type conversations struct{ n atomic.Int64 }

func (c *conversations) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (c *conversations) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmd)
	}
}

func (c *conversations) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmds)
	}
}

func TestAPageOfHistoryTakesTwoRoundTrips(t *testing.T) {
	t.Parallel()
	client := newClient(t, miniredis.RunT(t).Addr())
	l := newLog(t, client)
	for n := range 40 {
		mustBegin(t, l, change("person-1", n))
	}
	trips := &conversations{}
	client.AddHook(trips)
	for _, limit := range []int{3, 1, 20, 40} {
		trips.n.Store(0)
		if entries, _, err := l.Search(t.Context(), audit.Filter{Subject: "person-1"}, "", limit); err != nil || len(entries) != limit {
			t.Fatalf("%d entries, %v", len(entries), err)
		}
		if n := trips.n.Load(); n != 2 && limit != 3 { // the first may open a connection
			t.Errorf("a page of %d takes %d round trips, want 2", limit, n)
		}
	}
}

// fill writes finished changes of a fiftieth as many people.
func fill(b *testing.B, l *audit.Log, entries int) {
	b.Helper()
	const workers = 16
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for n := w; n < entries; n += workers {
				id, err := l.Begin(b.Context(), change(fmt.Sprintf("person-%d", n%(entries/50)), n))
				if err == nil {
					err = l.Finish(b.Context(), id, audit.Result{Outcome: audit.Done})
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkLog(b *testing.B) {
	for name, setup := range map[string]struct {
		entries int
		addr    func(b *testing.B) string
	}{
		// The in-process Redis is for the demo, whose log is short.
		"miniredis":    {1_000, func(b *testing.B) string { return miniredis.RunT(b).Addr() }},
		"redis-server": {100_000, func(b *testing.B) string { _, s := redistest.Start(b, "--appendfsync", "everysec"); return s.Addr() }},
	} {
		b.Run(fmt.Sprintf("%s with %d entries", name, setup.entries), func(b *testing.B) {
			l := newLog(b, newClient(b, setup.addr(b)))
			fill(b, l, setup.entries)
			b.Run("BeginFinish", func(b *testing.B) {
				for n := 0; b.Loop(); n++ {
					mustFinish(b, l, mustBegin(b, l, change("person-1", n)), audit.Result{Outcome: audit.Done})
				}
			})
			b.Run("History", func(b *testing.B) {
				for b.Loop() {
					if entries, _, err := l.Search(b.Context(), audit.Filter{Subject: "person-5"}, "", 20); err != nil || len(entries) != 20 {
						b.Fatal(len(entries), err)
					}
				}
			})
		})
	}
}
