package audit

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"patchbay/internal/redisdb/redistest"
	"patchbay/internal/seal"
)

// benchEntries is how long the log is in which BenchmarkSearch searches, with an
// entry in five seconds.
const (
	benchEntries = 1_000_000
	benchPeople  = 20_000
	benchEvery   = 5 * time.Second
)

var benchSettings = []string{"signIn", "callForwarding", "voicemail", "queues", "doNotDisturb", "export", "grants", "sessions"}

func benchPerson(n int) Person {
	return Person{ID: fmt.Sprintf("Y2lzY29zcGFyazovL3VzL1BFT1BMRS8%08d-c5d1-4b5e-9d3f-6b1c0a7e2f41", n), Name: fmt.Sprintf("Person Number %d", n)}
}

// benchEntry is half signs-in and half changes; a tenth of the changes is made by
// one of ten at the help desk, one in a hundred is refused. Half of the changes concern the same phone.
func benchEntry(n int) (Entry, Result) {
	who := n * 7919 % benchPeople
	e := Entry{Actor: benchPerson(who), Role: "user", Setting: "signIn", RequestID: fmt.Sprintf("request-%d", n), Address: "192.0.2.17"}
	r := Result{Outcome: Done}
	if n%2 == 0 {
		return e, r
	}
	e.Subject, e.Setting = e.Actor, benchSettings[1+n/2%(len(benchSettings)-1)]
	if n%4 == 1 {
		e.Object = Object{Kind: "phone", ID: "phone-1", Name: "Reception"}
	}
	if n%20 == 1 {
		e.Actor, e.Role, e.Reason = benchPerson(n/20%10), "helpdesk", "asked for on the phone"
	}
	e.Before, e.After = json.RawMessage(`{"always.enabled":false,"always.destination":""}`), json.RawMessage(`{"always.enabled":true,"always.destination":"+442071838750"}`)
	if n%100 == 99 {
		r = Result{Outcome: Refused, TrackingID: "ROUTER_6523F3D0-5C1F-01BB-0044-AC1203B30044"}
	}
	return e, r
}

// fillLog writes the lines that Begin, Finish and Note would, through the same
// scripts, but does not wait for the answers one by one: each line follows from the one before
// without them.
func fillLog(b *testing.B, client *redis.Client, l *Log, now *time.Time, entries int) {
	b.Helper()
	for _, s := range []*redis.Script{beginScript, finishScript} {
		if err := s.Load(b.Context(), client).Err(); err != nil {
			b.Fatal(err)
		}
	}
	var at end
	for n := 0; n < entries; {
		_, err := client.Pipelined(b.Context(), func(p redis.Pipeliner) error {
			add := func(s step) {
				at.packed, _ = l.run(b.Context(), p, at.packed, s)
				at.mark = s.to
			}
			for range 500 {
				e, result := benchEntry(n)
				*now = now.Add(benchEvery)
				e.At = *now
				r := record{Entry: e}
				if n%2 == 0 {
					r.Result = &result
				}
				text, _ := json.Marshal(r)
				add(l.beginStep(at.mark, r, text))
				if r.Result == nil {
					text, _ = json.Marshal(result)
					add(l.finishStep(at.mark, at.mark.id.String(), result, text))
				}
				n++
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSearch shows that every page is fast in a long log, whatever is asked
// for. A page is of 50; each round is the next page, and slowest-ms is the worst.
func BenchmarkSearch(b *testing.B) {
	_, server := redistest.Start(b, "--appendonly", "no", "--appendfsync", "no")
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), ReadTimeout: time.Minute})
	b.Cleanup(func() { _ = client.Close() })
	sealer, err := seal.New(seal.NewKey())
	if err != nil {
		b.Fatal(err)
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := start
	l := New(client, sealer, func() time.Time { return now }, 0)
	empty := benchMemory(b, client)
	begun := time.Now()
	fillLog(b, client, l, &now, benchEntries)
	b.Logf("%d entries written in %v; %d bytes of Redis for each", benchEntries, time.Since(begun).Round(time.Second), (benchMemory(b, client)-empty)/benchEntries)

	helper, person := benchPerson(1).ID, benchPerson(7919*99%benchPeople).ID
	day := start.Add(30 * 24 * time.Hour)
	for name, f := range map[string]Filter{
		"no filter":                   {},
		"subject":                     {Subject: person},
		"actor":                       {Actor: helper},
		"setting":                     {Setting: "voicemail"},
		"actor and setting":           {Actor: helper, Setting: "voicemail"},
		"actor and setting, never":    {Actor: helper, Setting: "signIn", Subject: benchPerson(9).ID},
		"subject and outcome":         {Subject: person, Outcome: Refused},
		"setting and outcome":         {Setting: "voicemail", Outcome: Refused},
		"setting and outcome, never":  {Setting: "signIn", Outcome: Refused},
		"setting and done":            {Setting: "voicemail", Outcome: Done},
		"outcome":                     {Outcome: Refused},
		"done":                        {Outcome: Done},
		"setting in a day":            {Setting: "grants", From: day, To: day.Add(24 * time.Hour)},
		"a month":                     {From: day, To: day.Add(30 * 24 * time.Hour)},
		"all that a page may look at": {Setting: "signIn", Object: "phone-1"},
		"nothing":                     {Subject: "nobody"},
		"everything":                  {Subject: person, Actor: person, Setting: "voicemail", Outcome: Done, From: start, To: now},
	} {
		b.Run(name, func(b *testing.B) {
			var slowest time.Duration
			var found, pages int
			cursor := ""
			for b.Loop() {
				begun := time.Now()
				entries, next, err := l.Search(b.Context(), f, cursor, 50)
				if err != nil {
					b.Fatal(err)
				}
				slowest, found, pages, cursor = max(slowest, time.Since(begun)), found+len(entries), pages+1, next
			}
			b.ReportMetric(float64(slowest.Microseconds())/1000, "slowest-ms")
			b.ReportMetric(float64(found)/float64(pages), "entries/page")
		})
	}
	b.Run("Begin and Finish", func(b *testing.B) {
		for b.Loop() {
			e, r := benchEntry(1)
			id, err := l.Begin(b.Context(), e)
			if err == nil {
				err = l.Finish(b.Context(), id, r)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Verify", func(b *testing.B) {
		for b.Loop() {
			if v, err := l.Verify(b.Context()); err != nil || !v.Whole {
				b.Fatalf("%+v, %v", v, err)
			}
		}
	})
}

// The limit of what a page looks at is too high for the tests that know only what is
// exported.
func TestAPageLooksAtSoMuchAndNoMore(t *testing.T) {
	t.Parallel()
	_, server := redistest.Start(t, "--appendfsync", "no")
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	sealer, err := seal.New(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := New(client, sealer, func() time.Time { return now }, 0)
	id, err := l.Begin(t.Context(), Entry{Actor: Person{ID: "both"}, Setting: "both"})
	if err != nil {
		t.Fatal(err)
	}
	// Two long lists that have one entry in common, the oldest.
	byActor, actorTag := index("", "both", "", "")
	bySetting, settingTag := index("", "", "both", "")
	const many = examineAtMost + 10
	_, err = client.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for n := range int64(2 * many) {
			key, tag := byActor[0], actorTag
			if n%2 == 0 {
				key, tag = bySetting[0], settingTag
			}
			p.XAdd(t.Context(), &redis.XAddArgs{Stream: key, ID: entryID{ms: now.UnixMilli() + 1 + n}.String(), Values: []string{"t", tag}})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f := Filter{Actor: "both", Setting: "both"}
	entries, next, err := l.Search(t.Context(), f, "", 10)
	if err != nil || len(entries) != 0 || next == "" {
		t.Fatalf("%+v, %q, %v", entries, next, err)
	}
	entries, next, err = l.Search(t.Context(), f, next, 10)
	if err != nil || len(entries) != 1 || entries[0].ID != id || next != "" {
		t.Errorf("%+v, %q, %v", entries, next, err)
	}
	n := 0
	if err := l.Each(t.Context(), f, func(Entry) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("each: %d, %v", n, err)
	}
}

func benchMemory(b *testing.B, client *redis.Client) int {
	b.Helper()
	info, err := client.InfoMap(b.Context(), "memory").Result()
	if err != nil {
		b.Fatal(err)
	}
	var n int
	if _, err := fmt.Sscan(info["Memory"]["used_memory"], &n); err != nil {
		b.Fatal(err)
	}
	return n
}
