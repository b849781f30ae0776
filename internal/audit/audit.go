// Package audit is the append-only record of changes: who changed what of whom,
// from what to what, and how it ended. A change is recorded before it is tried
// and completed after, so that a crash in between leaves an entry that says so.
package audit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
	Refused Outcome = "refused" // Webex said no
	Failed  Outcome = "failed"  // Webex did not answer, and a reading showed that nothing was changed
	Unknown Outcome = "unknown" // somebody else changed the same thing meanwhile: nobody can tell
)

// What can go wrong besides Redis.
var (
	ErrNotFound = errors.New("no such record")
	ErrCursor   = errors.New("not a cursor of this list")
)

// Person is somebody in a record: the name is kept as it was then.
type Person struct {
	ID   string `json:"id"` // Webex's id
	Name string `json:"name"`
}

// Entry is one change.
type Entry struct {
	ID        string          `json:"-"`
	At        time.Time       `json:"at"`
	Actor     Person          `json:"actor"`
	Subject   Person          `json:"subject"`
	Setting   string          `json:"setting"`
	Before    json.RawMessage `json:"before"` // the values that change, as they were
	After     json.RawMessage `json:"after"`  // and as they were to become
	Reason    string          `json:"reason,omitempty"`
	RequestID string          `json:"requestId,omitempty"`
	Undoes    string          `json:"undoes,omitempty"` // the record whose before this puts back

	Outcome    Outcome `json:"-"`
	TrackingID string  `json:"-"` // Webex's, when it refused or failed
	UndoneBy   string  `json:"-"` // the record that put the before back
	Unreadable bool    `json:"-"` // sealed with a key that is gone: only ID and At are known
}

// Result completes an entry.
type Result struct {
	Outcome    Outcome `json:"outcome"`
	TrackingID string  `json:"trackingId,omitempty"`
	Undoes     string  `json:"-"` // marks that record as undone when Outcome is Done
}

// The keys; one hash tag, because entries and indexes are written together.
const (
	keyLog    = "patchbay:{audit}:log"    // stream of sealed entries
	keyEnd    = "patchbay:{audit}:end"    // hash: id to sealed Result
	keyUndone = "patchbay:{audit}:undone" // hash: id to the id of its undo
	keyOpen   = "patchbay:{audit}:open"   // sorted set: entries without an end, by time
	keyBy     = "patchbay:{audit}:of:"    // streams of ids, one for each subject
)

// The end of a change is worth waiting for a Redis that restarts, for a while:
// somebody is waiting for the answer, and Pending finds what was left behind.
const (
	finishTries = 5
	finishPause = 200 * time.Millisecond // doubled after each try
	finishLimit = 10 * time.Second
)

// Log is shared by all replicas through Redis.
type Log struct {
	redis  redis.UniversalClient
	sealer *seal.Sealer
	now    func() time.Time
}

// New makes a Log; now dates the entries.
func New(client redis.UniversalClient, sealer *seal.Sealer, now func() time.Time) *Log {
	return &Log{redis: client, sealer: sealer, now: now}
}

// subjectKey hides whose list it is.
func subjectKey(personID string) string {
	sum := sha256.Sum256([]byte("patchbay audit " + personID))
	return keyBy + base64.RawURLEncoding.EncodeToString(sum[:15])
}

// beginScript: KEYS log, list of the subject, open; ARGV the sealed record, its
// time. The client repeats a command whose answer was lost; no two sealed texts
// are alike, so a record that stands among the subject's newest is this one.
var beginScript = redis.NewScript(`
for _, mine in ipairs(redis.call("XREVRANGE", KEYS[2], "+", "-", "COUNT", 4)) do
  local begun = redis.call("XRANGE", KEYS[1], mine[1], mine[1])[1]
  if begun and begun[2][2] == ARGV[1] then return mine[1] end
end
local id = redis.call("XADD", KEYS[1], "*", "e", ARGV[1])
redis.call("XADD", KEYS[2], id, "i", "")
redis.call("ZADD", KEYS[3], ARGV[2], id)
return id`)

// Begin records a change that is about to be tried, and gives the record's id. At
// is set. If it fails the change must not be tried.
func (l *Log) Begin(ctx context.Context, e Entry) (string, error) {
	e.At = l.now()
	text, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("encode a record: %w", err)
	}
	id, err := beginScript.Run(ctx, l.redis, []string{keyLog, subjectKey(e.Subject.ID), keyOpen}, l.sealer.Seal(keyLog, text), e.At.UnixMilli()).Text()
	if err != nil {
		return "", fmt.Errorf("append a record: %w", err)
	}
	return id, nil
}

var finishScript = redis.NewScript(`
if redis.call("HSETNX", KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call("ZREM", KEYS[2], ARGV[1])
if ARGV[3] ~= "" then redis.call("HSET", KEYS[3], ARGV[3], ARGV[1]) end
return 1`)

// Finish completes a record. The first completion stands: doing it again changes
// nothing. It tries for a while and goes on when ctx ends.
func (l *Log) Finish(ctx context.Context, id string, r Result) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the end of a record: %w", err)
	}
	sealed := l.sealer.Seal(keyEnd+":"+id, text)
	undoes := r.Undoes
	if r.Outcome != Done {
		undoes = ""
	}
	// What happened at Webex has happened, whether or not the browser still waits.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishLimit)
	defer cancel()
	for try := range finishTries {
		if try > 0 {
			time.Sleep(finishPause << (try - 1))
		}
		if err = finishScript.Run(ctx, l.redis, []string{keyEnd, keyOpen, keyUndone}, id, sealed, undoes).Err(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("complete a record: %w", err)
}

// idPattern is an id of a Redis stream: milliseconds and a number, both below
// 2^64.
var idPattern = regexp.MustCompile(`^[0-9]{1,19}-[0-9]{1,19}$`)

// Get reads one record; ErrNotFound when there is none.
func (l *Log) Get(ctx context.Context, id string) (Entry, error) {
	if !idPattern.MatchString(id) {
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

// History lists the changes of a subject, newest first: at most limit, from
// cursor on, which is "" or the next of the page before. next is "" at the end.
// ErrCursor is returned for a cursor that is none.
func (l *Log) History(ctx context.Context, subjectID, cursor string, limit int) (entries []Entry, next string, err error) {
	from := "+"
	if cursor != "" {
		if !idPattern.MatchString(cursor) {
			return nil, "", ErrCursor
		}
		from = "(" + cursor
	}
	messages, err := l.redis.XRevRangeN(ctx, subjectKey(subjectID), from, "-", int64(limit)+1).Result()
	if err != nil {
		return nil, "", fmt.Errorf("list records: %w", err)
	}
	if len(messages) > limit {
		messages = messages[:limit]
		next = messages[limit-1].ID
	}
	ids := make([]string, 0, len(messages))
	for _, m := range messages {
		ids = append(ids, m.ID)
	}
	entries, err = l.read(ctx, ids)
	return entries, next, err
}

// Pending lists records that were begun longer ago than olderThan and never
// completed, oldest first. Unreadable ones are left to a replica that has their
// key.
func (l *Log) Pending(ctx context.Context, olderThan time.Duration, limit int) ([]Entry, error) {
	ids, err := l.redis.ZRangeByScore(ctx, keyOpen, &redis.ZRangeBy{
		Min: "-inf", Max: fmt.Sprint(l.now().Add(-olderThan).UnixMilli()), Count: int64(limit),
	}).Result()
	if err != nil {
		return nil, fmt.Errorf("list unfinished records: %w", err)
	}
	entries, err := l.read(ctx, ids)
	return slices.DeleteFunc(entries, func(e Entry) bool { return e.Unreadable }), err
}

// read fetches records with their ends in one round trip. An id without a record
// is left out.
func (l *Log) read(ctx context.Context, ids []string) ([]Entry, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var ends, undone *redis.SliceCmd
	bodies := make([]*redis.XMessageSliceCmd, len(ids))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			bodies[i] = p.XRange(ctx, keyLog, id, id)
		}
		ends, undone = p.HMGet(ctx, keyEnd, ids...), p.HMGet(ctx, keyUndone, ids...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	entries := make([]Entry, 0, len(ids))
	for i, id := range ids {
		if len(bodies[i].Val()) == 0 {
			continue
		}
		e := l.entry(id, bodies[i].Val()[0].Values["e"], ends.Val()[i])
		e.UndoneBy, _ = undone.Val()[i].(string)
		entries = append(entries, e)
	}
	return entries, nil
}

// entry opens a record and its end. One that cannot be opened is a record still:
// it is listed, without what it says.
func (l *Log) entry(id string, body, end any) Entry {
	var e Entry
	result := Result{Outcome: Pending}
	if !l.open(keyLog, body, &e) || end != nil && !l.open(keyEnd+":"+id, end, &result) {
		ms, _, _ := strings.Cut(id, "-")
		at, _ := strconv.ParseInt(ms, 10, 64)
		return Entry{ID: id, At: time.UnixMilli(at), Outcome: Unknown, Unreadable: true}
	}
	e.ID, e.Outcome, e.TrackingID = id, result.Outcome, result.TrackingID
	return e
}

func (l *Log) open(place string, sealed, into any) bool {
	s, _ := sealed.(string)
	text, err := l.sealer.Open(place, []byte(s))
	return err == nil && json.Unmarshal(text, into) == nil
}
