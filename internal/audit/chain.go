package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// kind is what a line of the log is: the name of its first field.
type kind string

const (
	begun kind = "e" // an entry that has its end elsewhere
	noted kind = "n" // an entry that was complete at once
	ended kind = "c" // the end of an entry
)

// entryID is the id of a line: milliseconds and a number below idsPerMs. Lines
// that come faster borrow from the next millisecond, so that rank is exact.
type entryID struct{ ms, n int64 }

const idsPerMs = 1000

func (id entryID) String() string { return fmt.Sprintf("%d-%d", id.ms, id.n) }

func (id entryID) before(other entryID) bool {
	return id.ms < other.ms || id.ms == other.ms && id.n < other.n
}

// rank orders ids as the score of a sorted set: whole numbers below 2^53 until
// the year 2255.
func rank(id entryID) string { return strconv.FormatInt(id.ms*idsPerMs+id.n, 10) }

var idPattern = regexp.MustCompile(`^[0-9]{1,15}-[0-9]{1,3}$`)

func parseID(s string) (entryID, bool) {
	if !idPattern.MatchString(s) {
		return entryID{}, false
	}
	ms, n, _ := strings.Cut(s, "-")
	var id entryID
	id.ms, _ = strconv.ParseInt(ms, 10, 64)
	id.n, _ = strconv.ParseInt(n, 10, 64)
	return id, true
}

// place is where a line's text is sealed for: nowhere else does it open.
func place(k kind, id, of string) string { return keyLog + ":" + string(k) + ":" + id + ":" + of }

// mark is a point of the chain: after the line id, the count-th.
type mark struct {
	id     entryID
	count  int64
	sum    [sha256.Size]byte // over everything up to here; zero before the first line
	broken string            // the first line that was found to be none of ours and dropped since; only of an anchor
}

// pack writes a mark with its code, bound to the key it is kept under.
func (l *Log) pack(key string, m mark) string {
	text := fmt.Sprintf("%v %d %x %s", m.id, m.count, m.sum, m.broken)
	return fmt.Sprintf("%x %s", l.sealer.MAC(key, []byte(text)), text)
}

var errMark = errors.New("the mark in the log is not ours")

// unpack reads a mark; "" is the point before the first line. errMark when it is
// forged or its key is gone; the id is given even then.
func (l *Log) unpack(key, packed string) (mark, error) {
	var m mark
	if packed == "" {
		return m, nil
	}
	code, text, _ := strings.Cut(packed, " ")
	fields := strings.Split(text, " ")
	if len(fields) != 4 {
		return m, errMark
	}
	m.id, _ = parseID(fields[0])
	mac, err := hex.DecodeString(code)
	if err != nil || l.sealer.Check(key, mac, []byte(text)) != nil {
		return mark{id: m.id}, errMark
	}
	m.count, _ = strconv.ParseInt(fields[1], 10, 64)
	_, _ = hex.Decode(m.sum[:], []byte(fields[2]))
	m.broken = fields[3]
	return m, nil
}

// line is one line of the log as it is stored.
type line struct {
	id     string
	kind   kind
	sealed []byte
	mac    []byte // over the sum up to here
	of     string // the entry that an end completes
}

// after gives the point after a line that follows m.
func (m mark) after(s line) mark {
	// A plain hash carries the whole past, and the codes are over hashes: so a code
	// of today's key also vouches for lines whose own key is gone.
	h := sha256.New()
	h.Write(m.sum[:])
	fmt.Fprintf(h, "%s %s %s %d ", s.id, s.kind, s.of, len(s.sealed))
	h.Write(s.sealed)
	next := mark{count: m.count + 1, broken: m.broken}
	next.id, _ = parseID(s.id)
	h.Sum(next.sum[:0])
	return next
}

// next makes the line that follows m.
func (l *Log) next(m mark, k kind, of string, text []byte) (line, mark) {
	id := entryID{ms: l.now().UnixMilli()}
	if id.ms <= m.id.ms {
		id = entryID{ms: m.id.ms, n: m.id.n + 1}
	}
	if id.n >= idsPerMs {
		id = entryID{ms: id.ms + 1}
	}
	s := line{id: id.String(), kind: k, of: of}
	s.sealed = l.sealer.Seal(place(k, s.id, of), text)
	to := m.after(s)
	s.mac = l.sealer.MAC(keyLog, to.sum[:])
	return s, to
}

// end is the end of the chain as this process last saw it.
type end struct {
	packed string // as it stands in Redis
	mark   mark
}

// step appends one line to a chain that ends where packed says.
type step struct {
	script *redis.Script
	keys   []string // after log, head, all, ends, undone and the outcomes
	line   line
	to     mark
	args   []any // after packed, the new head and the line
}

func (l *Log) run(ctx context.Context, c redis.Scripter, packed string, s step) (newHead string, cmd *redis.Cmd) {
	newHead = l.pack(keyHead, s.to)
	keys := append(append([]string{keyLog, keyHead, keyAll, keyEnds, keyUndone}, outcomeKeys...), s.keys...)
	args := append([]any{packed, newHead, s.line.id, string(s.line.kind), s.line.sealed, s.line.mac}, s.args...)
	return newHead, s.script.Run(ctx, c, keys, args...)
}

// appendTries is how often others may be faster before an append is given up. Each
// process has one append under way at a time, so those others are as few as there
// are replicas. There is no pause between tries: what was learned of the end
// would only grow stale, and who waits would lose to who does not.
const appendTries = 200

var errBusy = errors.New("others were faster each time")

// append compares and appends: Redis takes the line only if the chain still ends
// where the line was made for.
func (l *Log) append(ctx context.Context, make func(mark) step) (string, error) {
	var at end
	select { // within a process there is a queue
	case at = <-l.end:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { l.end <- at }()
	for range appendTries {
		s := make(at.mark)
		head, cmd := l.run(ctx, l.redis, at.packed, s)
		answer, err := cmd.Slice()
		if err != nil {
			return "", err
		}
		switch a := texts(answer); {
		case len(a) == 1 && a[0] == "appended":
			at = end{packed: head, mark: s.to}
			return s.line.id, nil
		case len(a) == 1: // nothing to do
			return "", nil
		case len(a) == 3:
			at = l.endAt(a[1], a[2])
		}
	}
	return "", errBusy
}

// endAt tells where to go on from what stands in Redis: the head, and the id of
// the newest line. A head that is not ours must not be built upon, or the next
// code would vouch for what somebody put there: the chain begins anew, and Verify
// finds the break.
func (l *Log) endAt(packed, newest string) end {
	m, err := l.unpack(keyHead, packed)
	if err != nil {
		m = mark{id: m.id}
	}
	if id, ok := parseID(newest); ok && m.id.before(id) {
		m.id = id
	}
	return end{packed: packed, mark: m}
}

// appendLua: KEYS log, head, all, ends, undone, pending, refused, failed,
// unknown; ARGV the expected head, the new head, and a line: id, kind, sealed
// text, code. The client repeats a command whose answer was lost; no two codes
// are alike, so a line that stands there with this code is this one.
const appendLua = `
local id = ARGV[3]
local function appended()
  local mine = redis.call("XRANGE", KEYS[1], id, id)[1]
  return mine and mine[2][4] == ARGV[6]
end
local function moved()
  local newest = redis.call("XREVRANGE", KEYS[1], "+", "-", "COUNT", 1)[1]
  return {"moved", redis.call("GET", KEYS[2]) or "", newest and newest[1] or ""}
end
local function append(...)
  if (redis.call("GET", KEYS[2]) or "") ~= ARGV[1] then return moved() end
  local done = redis.pcall("XADD", KEYS[1], id, ARGV[4], ARGV[5], "m", ARGV[6], ...)
  if type(done) == "table" and done.err then
    if string.find(done.err, "equal or smaller", 1, true) then return moved() end
    return done
  end
  redis.call("SET", KEYS[2], ARGV[2])
end
local function undone(what, by)
  if what ~= "" and redis.call("XRANGE", KEYS[3], what, what)[1] then redis.call("HSET", KEYS[5], what, by) end
end
`

// beginScript: KEYS then the indexes; ARGV then the tag, the rank, the number of
// the outcome, what it undoes, the id from which indexes are kept or "", and for
// how many milliseconds. An index that cannot be written, because somebody put a
// later id into it, does not hinder the log.
var beginScript = redis.NewScript(appendLua + `
if appended() then return {"appended"} end
local other = append()
if other then return other end
redis.pcall("XADD", KEYS[3], id, "t", ARGV[7])
for i = 10, #KEYS do
  redis.pcall("XADD", KEYS[i], id, "t", ARGV[7])
  if ARGV[11] ~= "" then
    redis.call("XTRIM", KEYS[i], "MINID", "~", ARGV[11])
    redis.call("PEXPIRE", KEYS[i], ARGV[12])
  end
end
if ARGV[9] ~= "0" then redis.call("ZADD", KEYS[5 + ARGV[9]], ARGV[8], ARGV[7] .. id) end
undone(ARGV[10], id)
return {"appended"}`)

func (l *Log) beginStep(prev mark, r record, text []byte) step {
	s := step{script: beginScript}
	k, outcome, undoes := begun, Pending, ""
	if r.Result != nil {
		k, outcome, undoes = noted, r.Result.Outcome, r.Result.undoes()
	}
	s.line, s.to = l.next(prev, k, "", text)
	var tag string
	s.keys, tag = index(r.Subject.ID, r.Actor.ID, r.Setting, r.Object.ID)
	oldest, expire := "", int64(0)
	if l.keep > 0 {
		oldest, expire = l.oldest().String(), (l.keep + 24*time.Hour).Milliseconds()
	}
	s.args = []any{tag, rank(s.to.id), max(0, outcomeNumber(outcome)), undoes, oldest, expire}
	return s
}

// finishScript: ARGV then the id of the entry, the number of the outcome, and
// what the entry undoes.
var finishScript = redis.NewScript(appendLua + `
local of = ARGV[7]
if appended() then return {"appended"} end
local begun = redis.call("XRANGE", KEYS[1], of, of)[1]
if not begun or begun[2][1] ~= "e" or redis.call("HEXISTS", KEYS[4], of) == 1 then return {"nothing"} end
local other = append("o", of)
if other then return other end
redis.call("HSET", KEYS[4], of, id)
local entry = redis.call("XRANGE", KEYS[3], of, of)[1]
if entry then
  local member = entry[2][2] .. of
  redis.call("ZREM", KEYS[6], member)
  if ARGV[8] ~= "0" then redis.call("ZADD", KEYS[5 + ARGV[8]], ARGV[10], member) end
end
undone(ARGV[9], of)
return {"appended"}`)

func (l *Log) finishStep(prev mark, of string, r Result, text []byte) step {
	s := step{script: finishScript}
	s.line, s.to = l.next(prev, ended, of, text)
	id, _ := parseID(of)
	s.args = []any{of, max(0, outcomeNumber(r.Outcome)), r.undoes(), rank(id)}
	return s
}

// undoes is the entry that is undone, if one is.
func (r Result) undoes() string {
	if _, ok := parseID(r.Undoes); !ok || r.Outcome != Done {
		return ""
	}
	return r.Undoes
}

// oldest is the first id that is kept.
func (l *Log) oldest() entryID {
	if l.keep <= 0 {
		return entryID{}
	}
	return entryID{ms: max(0, l.now().Add(-l.keep).UnixMilli())}
}
