package audit_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"patchbay/internal/audit"
)

// kept is an entry as the model has it; at is when the log took it.
type kept struct {
	audit.Entry
	at time.Time
}

// model does what Search does, in the plainest way.
type model []kept

func (m model) search(f audit.Filter) (ids []string) {
	for _, k := range slices.Backward(m) {
		if (f.Actor == "" || k.Actor.ID == f.Actor) && (f.Subject == "" || k.Subject.ID == f.Subject) &&
			(f.Setting == "" || k.Setting == f.Setting) && (f.Object == "" || k.Object.ID == f.Object) &&
			(f.Outcome == "" || k.Outcome == f.Outcome) &&
			(f.From.IsZero() || !k.at.Before(f.From)) && (f.To.IsZero() || k.at.Before(f.To)) {
			ids = append(ids, k.ID)
		}
	}
	return ids
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func pages(t *testing.T, l *audit.Log, f audit.Filter, limit int) (ids []string) {
	t.Helper()
	for cursor := ""; ; {
		entries, next, err := l.Search(t.Context(), f, cursor, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) > limit || next != "" && len(entries) < limit {
			t.Errorf("a page of %d, of %d, and next %q", len(entries), limit, next)
		}
		for _, e := range entries {
			ids = append(ids, e.ID)
		}
		if next == "" {
			return ids
		}
		cursor = next
	}
}

func TestSearchFindsWhatAPlainLoopFinds(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 1))
		now := start
		l := audit.New(client, newSealer(t, testKey), func() time.Time { return now }, 0)

		people := []string{"", "person-1", "person-2", "person-3"}
		settings := []string{"signIn", "callForwarding", "queues"}
		objects := []string{"", "queue-1", "queue-2"}
		outcomes := []audit.Outcome{audit.Done, audit.Done, audit.Refused, audit.Failed, audit.Unknown}
		var m model
		open := map[int]bool{}
		for n := range 250 {
			now = now.Add(pick(r, 0, 0, time.Millisecond, time.Second, time.Minute))
			e := audit.Entry{
				Actor: audit.Person{ID: pick(r, people...)}, Subject: audit.Person{ID: pick(r, people...)},
				Setting: pick(r, settings...), Object: audit.Object{ID: pick(r, objects...)}, Reason: fmt.Sprint(n),
			}
			k := kept{Entry: e, at: now}
			if r.IntN(2) == 0 {
				k.Outcome = pick(r, outcomes...)
				k.ID = mustNote(t, l, e, audit.Result{Outcome: k.Outcome})
			} else {
				k.Outcome, k.ID = audit.Pending, mustBegin(t, l, e)
				open[n] = true
			}
			m = append(m, k)
			for i := range open { // in any order, some never
				if r.IntN(4) == 0 {
					m[i].Outcome = pick(r, outcomes...)
					mustFinish(t, l, m[i].ID, audit.Result{Outcome: m[i].Outcome})
					delete(open, i)
				}
				break
			}
		}
		if !slices.IsSortedFunc(m, func(a, b kept) int { return compareIDs(a.ID, b.ID) }) {
			t.Fatal("ids do not grow")
		}

		moment := func() time.Time {
			if r.IntN(2) == 0 {
				return time.Time{}
			}
			return m[r.IntN(len(m))].at
		}
		found := 0
		for range 120 {
			f := audit.Filter{
				Actor: pick(r, "", "", people[r.IntN(4)], "nobody"), Subject: pick(r, "", "", people[r.IntN(4)]),
				Setting: pick(r, "", "", settings[r.IntN(3)]), Object: pick(r, "", "", objects[r.IntN(3)]),
				Outcome: pick(r, "", "", outcomes[r.IntN(5)], audit.Pending, "none"), From: moment(), To: moment(),
			}
			want := m.search(f)
			found += len(want)
			if diff := cmp.Diff(want, pages(t, l, f, pick(r, 2, 7, 20, 250))); diff != "" {
				t.Fatalf("%+v: %s", f, diff)
			}
			var each []string
			if err := l.Each(t.Context(), f, func(e audit.Entry) error { each = append(each, e.ID); return nil }); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, each); diff != "" {
				t.Fatalf("each of %+v: %s", f, diff)
			}
		}
		if found < 300 {
			t.Errorf("all these searches found %d entries: they prove little", found)
		}
		if v := verify(t, l); !v.Whole || v.Entries != 250 {
			t.Errorf("%+v", v)
		}
	})
}

func TestAnEntryPutIntoAnothersListIsNotShown(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		l := newLog(t, client)
		mustBegin(t, l, change("person-1", 1))
		before := client.Keys(t.Context(), "patchbay:{log}:by:*").Val()
		mine := mustBegin(t, l, change("person-2", 2))
		secret := mustBegin(t, l, change("person-1", 3))
		for _, key := range client.Keys(t.Context(), "patchbay:{log}:by:*").Val() {
			if slices.Contains(before, key) {
				continue
			}
			own := lines(t, client, key) // the list of person-2, with its tag
			if err := client.XAdd(t.Context(), &redis.XAddArgs{Stream: key, ID: secret, Values: own[0].Values}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		entries, _, err := l.Search(t.Context(), audit.Filter{Subject: "person-2"}, "", 9)
		if err != nil || len(entries) != 1 || entries[0].ID != mine {
			t.Errorf("%+v, %v", entries, err)
		}
	})
}

func TestEachStopsWhenItIsTold(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		l := newLog(t, client)
		for n := range 3 {
			mustBegin(t, l, change("person-1", n))
		}
		enough, n := errors.New("enough"), 0
		err := l.Each(t.Context(), audit.Filter{}, func(audit.Entry) error {
			if n++; n == 2 {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) || n != 2 {
			t.Errorf("%d, %v", n, err)
		}
	})
}

func TestTheClockMayGoBack(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		now := start
		l := audit.New(client, newSealer(t, testKey), func() time.Time { return now }, 0)
		var ids []string
		for n := range 1010 { // more than fit into a millisecond
			now = start.Add(-time.Duration(n) * time.Second)
			ids = append(ids, mustNote(t, l, change("person-1", n), audit.Result{Outcome: audit.Refused}))
		}
		if !slices.IsSortedFunc(ids, compareIDs) {
			t.Error("ids do not grow")
		}
		slices.Reverse(ids)
		for _, f := range []audit.Filter{{}, {Outcome: audit.Refused}, {Subject: "person-1"}} {
			if diff := cmp.Diff(ids, pages(t, l, f, 300)); diff != "" {
				t.Errorf("%+v: %s", f, diff)
			}
		}
	})
}

func TestANoteIsCompleteAtOnce(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, client *redis.Client) {
		l := newLog(t, client)
		first := mustBegin(t, l, change("person-1", 1))
		mustFinish(t, l, first, audit.Result{Outcome: audit.Done})
		e := audit.Entry{
			Actor: audit.Person{ID: "person-lead", Name: "Lena Lead"}, Role: "helpdesk", Setting: "queueAgents",
			Object:  audit.Object{Kind: "queue", ID: "queue-1", Name: "Orders", Details: map[string]string{"location": "location-1"}},
			Address: "192.0.2.7", Undoes: first,
		}
		id := mustNote(t, l, e, audit.Result{Outcome: audit.Done, TrackingID: "ROUTER_1", Undoes: first})
		mustFinish(t, l, id, audit.Result{Outcome: audit.Failed}) // too late
		want := e
		want.ID, want.At, want.Outcome, want.TrackingID = id, start, audit.Done, "ROUTER_1"
		if diff := cmp.Diff(want, mustGet(t, l, id)); diff != "" {
			t.Error(diff)
		}
		if got := mustGet(t, l, first).UndoneBy; got != id {
			t.Errorf("undone by %q", got)
		}
		if n := len(lines(t, client, logKey)); n != 3 {
			t.Errorf("%d lines, want two and one", n)
		}
		end := lines(t, client, logKey)[1].ID
		if _, err := l.Get(t.Context(), end); !errors.Is(err, audit.ErrNotFound) {
			t.Errorf("the end of an entry as an entry: %v", err)
		}
	})
}
