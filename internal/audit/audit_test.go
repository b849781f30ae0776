package audit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"

	"patchbay/internal/audit"
	"patchbay/internal/redisdb/redistest"
	"patchbay/internal/seal"
)

var start = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// onBoth runs a test on the in-process Redis and on a real one.
func onBoth(t *testing.T, test func(t *testing.T, client redis.UniversalClient, log *audit.Log, advance func(time.Duration))) {
	t.Helper()
	servers := map[string]func(t *testing.T) *redis.Options{
		"in-process": func(t *testing.T) *redis.Options { return &redis.Options{Addr: miniredis.RunT(t).Addr()} },
		"real": func(t *testing.T) *redis.Options {
			url, _ := redistest.Start(t)
			o, err := redis.ParseURL(url)
			if err != nil {
				t.Fatal(err)
			}
			return o
		},
	}
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := redis.NewClient(server(t))
			t.Cleanup(func() { _ = client.Close() })
			s, err := seal.New(seal.NewKey())
			if err != nil {
				t.Fatal(err)
			}
			now := start
			test(t, client, audit.New(client, s, func() time.Time { return now }), func(d time.Duration) { now = now.Add(d) })
		})
	}
}

func entry(subject string, n int) audit.Entry {
	return audit.Entry{
		Actor: audit.Person{ID: "actor-id", Name: "Ben Fischer"}, Subject: audit.Person{ID: subject, Name: "Greta Holm"}, Setting: "callWaiting",
		Before: json.RawMessage(`{"enabled":false}`), After: json.RawMessage(fmt.Sprintf(`{"enabled":true,"n":%d}`, n)), Reason: "ticket 48213", RequestID: "r",
	}
}

func begin(t *testing.T, log *audit.Log, e audit.Entry) string {
	t.Helper()
	id, err := log.Begin(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func finish(t *testing.T, log *audit.Log, id string, r audit.Result) {
	t.Helper()
	if err := log.Finish(t.Context(), id, r); err != nil {
		t.Fatal(err)
	}
}

func TestARecordIsWrittenBeforeAndCompletedAfter(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, _ redis.UniversalClient, log *audit.Log, advance func(time.Duration)) {
		id := begin(t, log, entry("subject-id", 1))
		want := entry("subject-id", 1)
		want.ID, want.At, want.Outcome = id, start, audit.Pending
		got, err := log.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		advance(time.Minute)
		pending, err := log.Pending(t.Context(), 30*time.Second, 10)
		if err != nil || len(pending) != 1 || pending[0].ID != id {
			t.Fatalf("pending: %v, %v", pending, err)
		}
		finish(t, log, id, audit.Result{Outcome: audit.Refused, TrackingID: "ROUTER_1"})
		finish(t, log, id, audit.Result{Outcome: audit.Done}) // late: the first stands
		want.Outcome, want.TrackingID = audit.Refused, "ROUTER_1"
		if got, err = log.Get(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if pending, err = log.Pending(t.Context(), 0, 10); err != nil || len(pending) != 0 {
			t.Errorf("pending after the end: %v, %v", pending, err)
		}
	})
}

func TestHistoryIsOnesOwnNewestFirstInPages(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, _ redis.UniversalClient, log *audit.Log, _ func(time.Duration)) {
		var want []string
		for i := range 7 {
			want = append([]string{begin(t, log, entry("mine", i))}, want...)
			begin(t, log, entry("theirs", i))
		}
		var got []string
		cursor := ""
		for pages := 0; ; pages++ {
			entries, next, err := log.History(t.Context(), "mine", cursor, 3)
			if err != nil || pages > 3 {
				t.Fatal(pages, err)
			}
			for _, e := range entries {
				got = append(got, e.ID)
			}
			if cursor = next; next == "" {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if _, _, err := log.History(t.Context(), "mine", "1 OR 1", 3); !errors.Is(err, audit.ErrCursor) {
			t.Errorf("a wrong cursor: %v", err)
		}
		if _, err := log.Get(t.Context(), "999-0"); !errors.Is(err, audit.ErrNotFound) {
			t.Errorf("an unknown id: %v", err)
		}
	})
}

func TestAnUndoMarksWhatItUndid(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, _ redis.UniversalClient, log *audit.Log, _ func(time.Duration)) {
		first := begin(t, log, entry("s", 1))
		finish(t, log, first, audit.Result{Outcome: audit.Done})
		failed := begin(t, log, entry("s", 2))
		finish(t, log, failed, audit.Result{Outcome: audit.Failed, Undoes: first})
		if e, err := log.Get(t.Context(), first); err != nil || e.UndoneBy != "" {
			t.Errorf("undone by an undo that failed: %q, %v", e.UndoneBy, err)
		}
		undo := begin(t, log, entry("s", 3))
		finish(t, log, undo, audit.Result{Outcome: audit.Done, Undoes: first})
		e, err := log.Get(t.Context(), first)
		if err != nil || e.UndoneBy != undo {
			t.Errorf("undone by %q, %v; want %q", e.UndoneBy, err, undo)
		}
		if diff := cmp.Diff(entry("s", 1), e, cmpopts.IgnoreFields(audit.Entry{}, "ID", "At", "Outcome", "UndoneBy")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRedisTellsNothing(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, client redis.UniversalClient, log *audit.Log, _ func(time.Duration)) {
		finish(t, log, begin(t, log, entry("subject-id", 1)), audit.Result{Outcome: audit.Done, TrackingID: "ROUTER_1"})
		keys, err := client.Keys(t.Context(), "*").Result()
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Join(keys, " ")
		for _, k := range keys {
			dump, err := client.Dump(t.Context(), k).Result()
			if err == nil {
				all += dump
			}
		}
		messages, err := client.XRange(t.Context(), "patchbay:{audit}:log", "-", "+").Result()
		if err != nil || len(messages) != 1 {
			t.Fatal(messages, err)
		}
		all += fmt.Sprint(messages)
		for _, secret := range []string{"subject-id", "actor-id", "Greta", "Ben", "callWaiting", "ticket", "ROUTER"} {
			if strings.Contains(all, secret) {
				t.Errorf("Redis tells %q", secret)
			}
		}
	})
}

func TestWithoutRedisNothingBegins(t *testing.T) {
	t.Parallel()
	mr := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: mr.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	s, err := seal.New(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	mr.SetError("down")
	if _, err := audit.New(client, s, time.Now).Begin(t.Context(), entry("s", 1)); err == nil {
		t.Error("a change would begin without a record")
	}
}

func BenchmarkBeginFinish(b *testing.B) {
	mr := miniredis.RunT(b)
	client := redis.NewClient(&redis.Options{Addr: mr.Addr()})
	b.Cleanup(func() { _ = client.Close() })
	s, err := seal.New(seal.NewKey())
	if err != nil {
		b.Fatal(err)
	}
	log := audit.New(client, s, time.Now)
	for b.Loop() {
		id, err := log.Begin(b.Context(), entry("s", 1))
		if err != nil {
			b.Fatal(err)
		}
		if err := log.Finish(b.Context(), id, audit.Result{Outcome: audit.Done}); err != nil {
			b.Fatal(err)
		}
	}
}
