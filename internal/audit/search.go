package audit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"patchbay/internal/webex"
)

// Filter chooses entries; what is empty chooses all. An entry must meet
// everything that is set.
type Filter struct {
	Actor, Subject string // ids of people, written in any way
	Setting        string
	Object         string // an Object's id, written in any way
	Outcome        Outcome
	From, To       time.Time // when the log took the entry: from From on, before To; in whole milliseconds
}

// matches checks what an entry says against what its indexes said: those are not
// sealed, and somebody could have put it into another list.
func (f Filter) matches(e Entry) bool {
	return e.Unreadable ||
		(f.Actor == "" || same(f.Actor, e.Actor.ID)) && (f.Subject == "" || same(f.Subject, e.Subject.ID)) &&
			(f.Setting == "" || f.Setting == e.Setting) && (f.Object == "" || same(f.Object, e.Object.ID)) &&
			(f.Outcome == "" || f.Outcome == e.Outcome)
}

// canonical is one spelling of a Webex id, so that who is written in two ways is
// found in one; what is no id stays as it is.
func canonical(id string) string {
	if u, err := webex.UUID(id); err == nil {
		return u
	}
	return id
}

func same(a, b string) bool { return canonical(a) == canonical(b) }

// A tag stands by each id in every index and says in few bytes whom and what the
// entry concerns, so that a search by several criteria reads one index only.
const (
	tagPart = 3
	tagSize = 4 * tagPart
)

// criteria are what has an index of its own, in the order of the parts of a tag.
var criteria = [...]string{"subject", "actor", "setting", "object"}

// index gives the keys of the indexes of the values that are not "", and the tag.
// The values are hashed: key names say nothing.
func index(values ...string) (keys []string, tag string) {
	for i, v := range values {
		if v == "" {
			tag += "\x00\x00\x00"
			continue
		}
		sum := sha256.Sum256([]byte("patchbay log " + criteria[i] + " " + canonical(v)))
		keys = append(keys, keyBy+base64.RawURLEncoding.EncodeToString(sum[:15]))
		tag += string(sum[15 : 15+tagPart])
	}
	return keys, tag
}

// How much one page may look at, so that any page is fast, and how much of it
// Redis does in one go.
const (
	examineAtMost = 20_000
	examineAtOnce = 2_500
)

// scanScript: KEYS the outcomes, then indexes, of which the shortest is read; ARGV
// the last id and the first id, both as ids and as ranks, how many to examine, how
// many to find, the number of the outcome (0 done, -1 any), and the parts of the
// tag ("" any). Gives the id examined last, "" when the index is exhausted, how
// many were examined, and the ids that match, newest first.
var scanScript = redis.NewScript(`
local outcome, driver, least, set = tonumber(ARGV[7]), nil, nil, nil
for i = 5, #KEYS do
  local n = redis.call("XLEN", KEYS[i])
  if not least or n < least then driver, least = KEYS[i], n end
end
if outcome > 0 then
  set = KEYS[outcome]
  if redis.call("ZCARD", set) < least then driver = set end
end
local wanted = {}
for i = 0, 3 do
  if ARGV[8 + i] ~= "" then wanted[#wanted + 1] = {3 * i + 1, 3 * i + 3, ARGV[8 + i]} end
end
local rows
if driver == set then
  rows = redis.call("ZREVRANGEBYSCORE", set, ARGV[3], ARGV[4], "LIMIT", 0, ARGV[5])
else
  rows = redis.call("XREVRANGE", driver, ARGV[1], ARGV[2], "COUNT", ARGV[5])
end
local sub, found, last, examined = string.sub, {"", ""}, "", 0
for _, row in ipairs(rows) do
  local id, tag
  if driver == set then
    tag, id = sub(row, 1, 12), sub(row, 13)
  else
    id, tag = row[1], row[2][2]
  end
  examined, last = examined + 1, id
  local match = true
  for _, w in ipairs(wanted) do
    if sub(tag, w[1], w[2]) ~= w[3] then match = false; break end
  end
  if match and outcome >= 0 and driver ~= set then
    if outcome > 0 then
      match = redis.call("ZSCORE", set, tag .. id)
    else
      for i = 1, 4 do
        if redis.call("ZSCORE", KEYS[i], tag .. id) then match = false; break end
      end
    end
  end
  if match then
    found[#found + 1] = id
    if #found - 2 >= tonumber(ARGV[6]) then break end
  end
end
if #found - 2 < tonumber(ARGV[6]) and #rows < tonumber(ARGV[5]) then last = "" end
found[1], found[2] = last, tostring(examined)
return found`)

// Search lists entries, newest first: at most limit, from cursor on, which is ""
// or the next of the page before. next is "" at the end. A page may hold fewer
// than limit, even none, and have a next: Search looks at so many entries and no
// more. ErrCursor is returned for a cursor that is none.
func (l *Log) Search(ctx context.Context, f Filter, cursor string, limit int) (entries []Entry, next string, err error) {
	last := entryID{ms: 1 << 53 / idsPerMs}
	if cursor != "" {
		var ok bool
		if last, ok = parseID(cursor); !ok {
			return nil, "", ErrCursor
		}
	}
	if !f.To.IsZero() {
		if to := (entryID{ms: max(0, f.To.UnixMilli())}); to.before(last) {
			last = to
		}
	}
	first := l.oldest()
	if from := (entryID{ms: max(0, f.From.UnixMilli())}); !f.From.IsZero() && first.before(from) {
		first = from
	}
	outcome := outcomeNumber(f.Outcome)
	if f.Outcome != "" && outcome < 0 {
		return nil, "", nil
	}
	ids, next, err := l.scan(ctx, f, outcome, first, last, limit)
	if err != nil {
		return nil, "", fmt.Errorf("search entries: %w", err)
	}
	read, err := l.read(ctx, ids)
	if err != nil {
		return nil, "", err
	}
	for _, e := range read {
		if f.matches(e) {
			entries = append(entries, e)
		}
	}
	return entries, next, nil
}

// scan finds ids from first on and before last.
func (l *Log) scan(ctx context.Context, f Filter, outcome int, first, last entryID, limit int) (ids []string, next string, err error) {
	keys, tag := index(f.Subject, f.Actor, f.Setting, f.Object)
	if len(keys) == 0 {
		keys = []string{keyAll}
	}
	keys = append(append([]string(nil), outcomeKeys...), keys...)
	var wanted []any
	for i, v := range []string{f.Subject, f.Actor, f.Setting, f.Object} {
		if v == "" {
			wanted = append(wanted, "")
		} else {
			wanted = append(wanted, tag[i*tagPart:(i+1)*tagPart])
		}
	}
	batch := 2 * (limit + 1)
	for examined := 0; ; batch *= 4 {
		batch = min(batch, examineAtOnce, examineAtMost-examined)
		// One more than wanted tells whether there is a next page.
		args := append([]any{
			"(" + last.String(), first.String(), "(" + rank(last), rank(first), batch, limit + 1 - len(ids), outcome,
		}, wanted...)
		answer, err := scanScript.Run(ctx, l.redis, keys, args...).StringSlice()
		if err != nil {
			return nil, "", err
		}
		if len(answer) < 2 {
			return nil, "", fmt.Errorf("an answer of %d parts", len(answer))
		}
		ids = append(ids, answer[2:]...)
		if len(ids) > limit {
			return ids[:limit], ids[limit-1], nil
		}
		if answer[0] == "" {
			return ids, "", nil
		}
		n, _ := strconv.Atoi(answer[1])
		if examined += n; examined >= examineAtMost || n == 0 {
			return ids, answer[0], nil
		}
		var ok bool
		if last, ok = parseID(answer[0]); !ok {
			return nil, "", fmt.Errorf("an index holds what is no id")
		}
	}
}

// eachPage is how many entries Each reads in one go.
const eachPage = 500

// Each gives everything that matches, newest first, until yield returns an error,
// which it passes on. It holds one page at a time.
func (l *Log) Each(ctx context.Context, f Filter, yield func(Entry) error) error {
	for cursor := ""; ; {
		entries, next, err := l.Search(ctx, f, cursor, eachPage)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := yield(e); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		cursor = next
	}
}
