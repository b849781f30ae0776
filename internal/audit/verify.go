package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"patchbay/internal/seal"
)

// Verification is what a walk over the chain found.
type Verification struct {
	Entries  int       // that are there; their ends are checked too, but not counted
	Whole    bool      // nothing was changed, moved, added or taken out
	BrokenAt string    // unless Whole: the id of the first line that does not belong, or after which some are missing
	From, To time.Time // of the first and the last entry; zero when there are none
	Head     string    // the newest chain value, as Head gives it
}

// Head gives the newest chain value: an id, a colon and hexadecimal digits; "" of
// a log in which nothing was ever written. Kept where nobody with access to Redis
// can change it, and handed to Verify later, it proves that nothing up to it was
// cut off.
func (l *Log) Head(ctx context.Context) (string, error) {
	packed, err := l.redis.Get(ctx, keyHead).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("read the head of the log: %w", err)
	}
	m, err := l.unpack(keyHead, packed)
	if err != nil {
		return "", err
	}
	return m.head(), nil
}

func (m mark) head() string {
	if m.count == 0 {
		return ""
	}
	return fmt.Sprintf("%v:%x", m.id, m.sum)
}

// pageLines is how many lines Verify and Trim look at in one go.
const pageLines = 500

// pageScript: KEYS log, head, anchor, all, ends; ARGV from, to, how many. Gives
// head and anchor, then the lines, each with whether it is listed or found as it
// should be.
var pageScript = redis.NewScript(`
local found = {{redis.call("GET", KEYS[2]) or "", redis.call("GET", KEYS[3]) or ""}}
for _, row in ipairs(redis.call("XRANGE", KEYS[1], ARGV[1], ARGV[2], "COUNT", ARGV[3])) do
  local id, fields, listed = row[1], row[2], ""
  if fields[1] == "c" then
    if fields[6] and redis.call("HGET", KEYS[5], fields[6]) == id then listed = "y" end
  elseif redis.call("XRANGE", KEYS[4], id, id)[1] then
    listed = "y"
  end
  found[#found + 1] = {id, fields[1], fields[2] or "", fields[4] or "", fields[6] or "", listed}
end
return found`)

type page struct {
	head, anchor string // packed
	lines        []line
	listed       []bool
}

func (l *Log) page(ctx context.Context, from, to string) (page, error) {
	rows, err := pageScript.Run(ctx, l.redis, []string{keyLog, keyHead, keyAnchor, keyAll, keyEnds}, from, to, pageLines).Slice()
	if err != nil {
		return page{}, fmt.Errorf("read the log: %w", err)
	}
	var p page
	for i, row := range rows {
		switch r := texts(row); {
		case i == 0 && len(r) == 2:
			p.head, p.anchor = r[0], r[1]
		case len(r) == 6:
			p.lines = append(p.lines, line{id: r[0], kind: kind(r[1]), sealed: []byte(r[2]), mac: []byte(r[3]), of: r[4]})
			p.listed = append(p.listed, r[5] == "y")
		}
	}
	return p, nil
}

// walk follows the chain.
type walk struct {
	sealer   *seal.Sealer
	from     entryID // what is not after it was dropped
	at       mark
	doubtful string // the first line since the last whose key is at hand
	broken   string
}

func (l *Log) walkFrom(p page) walk {
	m, err := l.unpack(keyAnchor, p.anchor)
	w := walk{sealer: l.sealer, from: m.id, at: m, broken: m.broken}
	if err != nil {
		w.broken = m.id.String()
		if len(p.lines) > 0 {
			w.broken = p.lines[0].id
		}
	}
	return w
}

func (w *walk) follow(s line, listed bool) {
	w.at = w.at.after(s)
	if of, ok := parseID(s.of); s.kind == ended && ok && !w.from.before(of) {
		listed = true // what it completes was dropped, and with it the way here
	}
	err := w.sealer.Check(keyLog, s.mac, w.at.sum[:])
	switch {
	case w.broken != "":
	case !listed:
		w.broken = s.id
	case err == nil:
		w.doubtful = ""
	case w.doubtful != "":
		if !errors.Is(err, seal.ErrKey) {
			w.broken = w.doubtful
		}
	case errors.Is(err, seal.ErrKey):
		w.doubtful = s.id // the next code with a key at hand vouches for it, or does not
	default:
		w.broken = s.id
	}
}

// arrive compares where the walk ended with where the chain ends.
func (w *walk) arrive(head mark, err error) {
	switch {
	case w.broken != "":
	case err == nil && head.id == w.at.id && head.sum == w.at.sum && head.count == w.at.count:
	case w.doubtful != "":
		w.broken = w.doubtful
	default:
		w.broken = w.at.id.String()
	}
}

// Verify follows the chain from its beginning to its head, and checks that every
// entry is listed by time and every end is found. heads are what Head or Verify
// gave earlier: each must still be part of the chain, unless it is older than what
// is kept. Without them nobody can tell whether the newest entries were cut off.
// The lists by person, setting and object are not checked: an entry that was taken
// out of one of them is still found by time.
func (l *Log) Verify(ctx context.Context, heads ...string) (Verification, error) {
	for _, h := range heads {
		id, sum, _ := strings.Cut(h, ":")
		if _, ok := parseID(id); !ok || len(sum) != 2*sha256.Size {
			return Verification{}, fmt.Errorf("%q is not a head of the log", h)
		}
	}
	for {
		v, moved, err := l.verify(ctx, heads)
		if err != nil || !moved {
			return v, err
		}
	}
}

// verify reports moved when something was dropped while it was under way.
func (l *Log) verify(ctx context.Context, heads []string) (v Verification, moved bool, err error) {
	p, err := l.page(ctx, "-", "+")
	if err != nil {
		return v, false, err
	}
	w, anchor := l.walkFrom(p), p.anchor
	missing := map[string]string{} // head to id
	for _, h := range heads {
		id, _, _ := strings.Cut(h, ":")
		if at, _ := parseID(id); w.from.before(at) {
			missing[h] = id
		}
	}
	for {
		for i, s := range p.lines {
			w.follow(s, p.listed[i])
			if len(missing) > 0 {
				delete(missing, w.at.head())
			}
			if s.kind == ended {
				continue
			}
			v.To = time.UnixMilli(w.at.id.ms).UTC()
			if v.Entries == 0 {
				v.From = v.To
			}
			v.Entries++
		}
		if len(p.lines) < pageLines {
			break
		}
		if p, err = l.page(ctx, "("+w.at.id.String(), "+"); err != nil || p.anchor != anchor {
			return v, err == nil, err
		}
	}
	w.arrive(l.unpack(keyHead, p.head))
	for _, id := range missing {
		if w.broken == "" || earlier(id, w.broken) {
			w.broken = id
		}
	}
	v.Whole, v.BrokenAt, v.Head = w.broken == "", w.broken, w.at.head()
	return v, false, nil
}

func earlier(a, b string) bool {
	x, _ := parseID(a)
	y, _ := parseID(b)
	return x.before(y)
}

// trimScript: KEYS log, all, ends, undone, anchor, then the outcomes; ARGV the
// expected anchor, the new anchor, the first id that stays, the last rank that
// goes, then the ids of the entries that go.
var trimScript = redis.NewScript(`
if (redis.call("GET", KEYS[5]) or "") ~= ARGV[1] then return 0 end
redis.call("XTRIM", KEYS[1], "MINID", ARGV[3])
redis.call("XTRIM", KEYS[2], "MINID", ARGV[3])
for i = 6, #KEYS do redis.call("ZREMRANGEBYSCORE", KEYS[i], "-inf", ARGV[4]) end
for i = 5, #ARGV do
  redis.call("HDEL", KEYS[3], ARGV[i])
  redis.call("HDEL", KEYS[4], ARGV[i])
end
redis.call("SET", KEYS[5], ARGV[2])
return 1`)

// Trim drops what is older than is kept, completed or not. A break in what it
// drops is remembered: Verify goes on reporting it. Replicas may trim at the same
// time.
func (l *Log) Trim(ctx context.Context) error {
	if l.keep <= 0 {
		return nil
	}
	oldest := l.oldest().String()
	for {
		p, err := l.page(ctx, "-", "("+oldest)
		if err != nil {
			return err
		}
		if len(p.lines) == 0 {
			return nil
		}
		w := l.walkFrom(p)
		var gone []any
		for i, s := range p.lines {
			w.follow(s, p.listed[i])
			if s.kind != ended {
				gone = append(gone, s.id)
			}
		}
		w.at.broken = w.broken
		stays := entryID{ms: w.at.id.ms, n: w.at.id.n + 1}
		keys := append([]string{keyLog, keyAll, keyEnds, keyUndone, keyAnchor}, outcomeKeys...)
		args := append([]any{p.anchor, l.pack(keyAnchor, w.at), stays.String(), rank(w.at.id)}, gone...)
		if err := trimScript.Run(ctx, l.redis, keys, args...).Err(); err != nil {
			return fmt.Errorf("drop old entries: %w", err)
		}
	}
}
