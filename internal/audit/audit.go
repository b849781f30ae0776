// Package audit is the append-only log of what was done in the portal and with
// it: who did what to whom or what, from what to what, and how it ended. A change
// is logged before it is tried and completed after, so that a crash in between
// leaves an entry that says so.
//
// Entries are sealed, and chained with codes that only the portal's key makes:
// Verify finds what somebody with write access to Redis changed, moved, added or
// took out. What he cut off at the end shows only against a head that was kept
// elsewhere.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"patchbay/internal/seal"
)

// Outcome says how a change ended.
type Outcome string

// The outcomes.
const (
	Pending Outcome = "pending" // begun, the end is not known yet
	Done    Outcome = "done"
	Refused Outcome = "refused" // Webex, or the portal itself, said no
	Failed  Outcome = "failed"  // Webex did not answer, and a reading showed that nothing was changed
	Unknown Outcome = "unknown" // somebody else changed the same thing meanwhile: nobody can tell
)

// What can go wrong besides Redis.
var (
	ErrNotFound = errors.New("no such entry")
	ErrCursor   = errors.New("not a cursor of this list")
)

// Person is somebody in an entry: the name is kept as it was then. The id must
// always be written the same way, because entries are found by it.
type Person struct {
	ID   string `json:"id"` // Webex's id
	Name string `json:"name"`
}

// Object is the thing concerned that is no person: a queue, a phone, a grant, a
// session. Details let an undo find it again.
type Object struct {
	Kind    string            `json:"kind"`
	ID      string            `json:"id"`
	Name    string            `json:"name,omitempty"`
	Details map[string]string `json:"details,omitempty"`
}

// Entry is one thing that was done or tried.
type Entry struct {
	ID        string          `json:"-"` // grows with time, over all replicas
	At        time.Time       `json:"at"`
	Actor     Person          `json:"actor,omitzero"` // nobody when it is not known who it was
	Role      string          `json:"role,omitempty"` // as which the actor acted
	Subject   Person          `json:"subject,omitzero"`
	Object    Object          `json:"object,omitzero"`
	Setting   string          `json:"setting"`          // what was done
	Before    json.RawMessage `json:"before,omitempty"` // the values that change, as they were
	After     json.RawMessage `json:"after,omitempty"`  // and as they were to become
	Reason    string          `json:"reason,omitempty"`
	RequestID string          `json:"requestId,omitempty"`
	Address   string          `json:"address,omitempty"` // the network address that the request came from
	Undoes    string          `json:"undoes,omitempty"`  // the entry whose before this puts back

	Outcome    Outcome `json:"-"`
	TrackingID string  `json:"-"` // Webex's, when it refused or failed
	UndoneBy   string  `json:"-"` // the entry that put the before back
	Unreadable bool    `json:"-"` // sealed with a key that is gone, or not by us: only ID and At are known
}

// Result completes an entry.
type Result struct {
	Outcome    Outcome `json:"outcome"`
	TrackingID string  `json:"trackingId,omitempty"`
	Undoes     string  `json:"-"` // marks that entry as undone when Outcome is Done
}

// record is what an entry of the log says when it is opened.
type record struct {
	Entry
	Result *Result `json:"result,omitempty"` // of one that was complete at once
}

// The keys; one hash tag, because entries and indexes are written together. The
// log says everything; all others follow from it, and only head and anchor are
// needed to tell whether it is whole.
const (
	keyLog    = "patchbay:{log}:log"    // stream: sealed entries and their sealed ends, each with its code
	keyHead   = "patchbay:{log}:head"   // where the chain ends: a mark
	keyAnchor = "patchbay:{log}:anchor" // where it begins, once something was dropped: a mark
	keyAll    = "patchbay:{log}:all"    // stream: id to tag, of entries but not of ends
	keyBy     = "patchbay:{log}:by:"    // streams like it, one for each subject, actor, setting and object
	keyEnds   = "patchbay:{log}:ends"   // hash: id of an entry to the id of its end
	keyUndone = "patchbay:{log}:undone" // hash: id to the id of its undo
	keyOpen   = "patchbay:{log}:outcome:"
)

// outcomeKeys are sorted sets of tag and id, by rank: what is not done. Each
// script gets them in this order.
var outcomeKeys = []string{keyOpen + "pending", keyOpen + "refused", keyOpen + "failed", keyOpen + "unknown"}

// outcomeNumber counts in outcomeKeys from 1; done is 0 and -1 is no outcome.
func outcomeNumber(o Outcome) int {
	return slices.Index([]Outcome{Done, Pending, Refused, Failed, Unknown}, o)
}

// The end of a change is worth waiting for a Redis that restarts, for a while:
// somebody is waiting for the answer, and Pending finds what was left behind.
const (
	finishTries = 5
	finishPause = 200 * time.Millisecond // doubled after each try
	finishLimit = 10 * time.Second
	noteLimit   = 5 * time.Second
)

// Log is shared by all replicas through Redis.
type Log struct {
	redis  redis.UniversalClient
	sealer *seal.Sealer
	now    func() time.Time
	keep   time.Duration
	end    chan end // holds the end of the chain as last seen; who takes it may append
}

// New makes a Log. now dates the entries; what is older than keep is no longer
// listed, and goes with Trim. A keep of 0 means for ever.
func New(client redis.UniversalClient, sealer *seal.Sealer, now func() time.Time, keep time.Duration) *Log {
	l := &Log{redis: client, sealer: sealer, now: now, keep: keep, end: make(chan end, 1)}
	l.end <- end{}
	return l
}

// Begin logs a change that is about to be tried, and gives the entry's id. At is
// set. If it fails the change must not be tried.
func (l *Log) Begin(ctx context.Context, e Entry) (string, error) {
	return l.begin(ctx, record{Entry: e})
}

// Note logs what is complete at once: a sign-in, a refusal, an export. At is set.
// It goes on when ctx ends, because what happened has happened.
func (l *Log) Note(ctx context.Context, e Entry, r Result) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteLimit)
	defer cancel()
	return l.begin(ctx, record{Entry: e, Result: &r})
}

func (l *Log) begin(ctx context.Context, r record) (string, error) {
	r.At = l.now()
	text, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encode an entry: %w", err)
	}
	id, err := l.append(ctx, func(prev mark) step { return l.beginStep(prev, r, text) })
	if err != nil {
		return "", fmt.Errorf("append an entry: %w", err)
	}
	return id, nil
}

// Finish completes an entry. The first completion stands: doing it again changes
// nothing, nor does completing an entry that was dropped meanwhile. It tries for
// a while and goes on when ctx ends.
func (l *Log) Finish(ctx context.Context, id string, r Result) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the end of an entry: %w", err)
	}
	if _, ok := parseID(id); !ok {
		return nil
	}
	// What happened at Webex has happened, whether or not the browser still waits.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishLimit)
	defer cancel()
	for try := range finishTries {
		if try > 0 {
			time.Sleep(finishPause << (try - 1))
		}
		if _, err = l.append(ctx, func(prev mark) step { return l.finishStep(prev, id, r, text) }); err == nil {
			return nil
		}
	}
	return fmt.Errorf("complete an entry: %w", err)
}

// Get reads one entry; ErrNotFound when there is none.
func (l *Log) Get(ctx context.Context, id string) (Entry, error) {
	if _, ok := parseID(id); !ok {
		return Entry{}, ErrNotFound
	}
	entries, err := l.read(ctx, []string{id})
	if err != nil {
		return Entry{}, err
	}
	if len(entries) == 0 {
		return Entry{}, ErrNotFound
	}
	return entries[0], nil
}

// Pending lists entries that were begun longer ago than olderThan and never
// completed, oldest first. Unreadable ones are left to a replica that has their
// key.
func (l *Log) Pending(ctx context.Context, olderThan time.Duration, limit int) ([]Entry, error) {
	members, err := l.redis.ZRangeByScore(ctx, outcomeKeys[0], &redis.ZRangeBy{
		Min: "-inf", Max: rank(entryID{ms: l.now().Add(-olderThan).UnixMilli(), n: idsPerMs - 1}), Count: int64(limit),
	}).Result()
	if err != nil {
		return nil, fmt.Errorf("list unfinished entries: %w", err)
	}
	var ids []string
	for _, m := range members {
		if len(m) > tagSize {
			ids = append(ids, m[tagSize:])
		}
	}
	entries, err := l.read(ctx, ids)
	return slices.DeleteFunc(entries, func(e Entry) bool { return e.Unreadable || e.Outcome != Pending }), err
}

// readScript: KEYS log, ends, undone; ARGV ids. Gives for each entry that is
// there its id, kind, sealed text, the id of its end, the sealed end, and the id
// of its undo.
var readScript = redis.NewScript(`
local found = {}
for _, id in ipairs(ARGV) do
  local begun = redis.call("XRANGE", KEYS[1], id, id)[1]
  if begun and begun[2][1] ~= "c" then
    local at = redis.call("HGET", KEYS[2], id) or ""
    local ended = at ~= "" and redis.call("XRANGE", KEYS[1], at, at)[1]
    found[#found + 1] = {id, begun[2][1], begun[2][2], at, ended and ended[2][2] or "", redis.call("HGET", KEYS[3], id) or ""}
  end
end
return found`)

// read fetches entries with their ends in one round trip. An id without an entry
// is left out.
func (l *Log) read(ctx context.Context, ids []string) ([]Entry, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := make([]any, 0, len(ids))
	for _, id := range ids {
		args = append(args, id)
	}
	rows, err := readScript.Run(ctx, l.redis, []string{keyLog, keyEnds, keyUndone}, args...).Slice()
	if err != nil {
		return nil, fmt.Errorf("read entries: %w", err)
	}
	entries := make([]Entry, 0, len(rows))
	for _, row := range rows {
		if r := texts(row); len(r) == 6 {
			e := l.entry(r[0], kind(r[1]), r[2], r[3], r[4])
			e.UndoneBy = r[5]
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// entry opens an entry and its end. One that cannot be opened is an entry still:
// it is listed, without what it says.
func (l *Log) entry(id string, k kind, sealed, endID, end string) Entry {
	var r record
	ok := l.open(place(k, id, ""), sealed, &r)
	if ok && r.Result == nil {
		r.Result = &Result{Outcome: Pending}
		if endID != "" {
			ok = l.open(place(ended, endID, id), end, r.Result)
		}
	}
	if !ok {
		at, _ := parseID(id)
		return Entry{ID: id, At: time.UnixMilli(at.ms), Outcome: Unknown, Unreadable: true}
	}
	e := r.Entry
	e.ID, e.Outcome, e.TrackingID = id, r.Result.Outcome, r.Result.TrackingID
	return e
}

func (l *Log) open(place, sealed string, into any) bool {
	text, err := l.sealer.Open(place, []byte(sealed))
	return err == nil && json.Unmarshal(text, into) == nil
}

// texts are the strings of a row that a script gave.
func texts(row any) []string {
	values, _ := row.([]any)
	list := make([]string, 0, len(values))
	for _, v := range values {
		s, _ := v.(string)
		list = append(list, s)
	}
	return list
}
