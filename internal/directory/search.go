package directory

import (
	"encoding/base64"
	"encoding/binary"
	"regexp"
	"strings"
)

// Query is a search for people.
type Query struct {
	// Text are words, every one of which must be found: the beginning of a word of the
	// name (whatever its case and accents), of the address, of an extension or of a word
	// of the location's name; three or more digits of a number in any writing; four or
	// more digits of a device's MAC address, with or without separators. No text finds
	// everybody.
	Text     string
	Location string             // the id of a location; "" is any
	Visible  func(*Person) bool // whom the one who asks may see, nil: all; must not change the person
	Limit    int                // the most people of an answer; 0 is 50
	Cursor   string             // Next of the page before; "" is the first page
}

// Result is a page of a search.
type Result struct {
	People []Person
	Next   string // the cursor of the next page, "" on the last
	Total  int    // visible people on all pages
}

const (
	standardLimit = 50
	maxQuery      = 200 // bytes of a text that are looked at
	maxTerms      = 8
	leastDigits   = 3 // of a number
	leastHex      = 4 // of a MAC address
	macDigits     = 12
	codeDigits    = 3 // the longest country code (E.164)
	wholeNumber   = 7 // digits of a number without its country code that is taken for whole
)

// How well somebody fits, best first.
const (
	rankExact = iota // the whole extension, address, number or MAC address
	rankFirst        // the beginning of the name
	rankOther
	ranks
)

// Search finds people in memory: first those of whom an extension, address, number
// or MAC address was named in full, then those whose name begins with the first
// word, then the others; each by name. Pages do not overlap as long as the
// directory is not read anew, and a cursor of before still leads to about the same
// place after.
func (d *Directory) Search(q Query) Result {
	return d.people.Load().search(q)
}

func (s *snapshot) search(q Query) Result {
	location := -1
	if q.Location != "" {
		if location = s.locationOf(q.Location); location < 0 {
			return Result{}
		}
	}
	limit := q.Limit
	if limit <= 0 {
		limit = standardLimit
	}
	terms, ok := s.parse(q.Text)
	if !ok {
		return Result{}
	}
	from := s.readCursor(q.Cursor)
	var found [ranks][]int32 // after the cursor, one more than fits
	total := 0
	for i := range s.people {
		e := &s.entries[i]
		if location >= 0 && int(e.location) != location {
			continue
		}
		rank, fits := rankOther, true
		if len(terms) > 0 {
			rank, fits = s.match(i, terms)
		}
		if !fits || q.Visible != nil && !q.Visible(&s.people[i]) {
			continue
		}
		total++
		if len(found[rank]) <= limit && from.before(rank, i) {
			found[rank] = append(found[rank], int32(i))
		}
	}
	r := Result{Total: total}
	last := position{}
	for rank, list := range found {
		for _, at := range list {
			if len(r.People) == limit {
				r.Next = s.cursor(last)
				return r
			}
			r.People = append(r.People, s.people[at])
			last = position{rank: rank, at: int(at)}
		}
	}
	return r
}

// term is a word of a search, in every way it can be meant.
type term struct {
	name     []needle // the words it consists of: all must begin words of the name
	initials uint64   // of the name's words, when they have one spelling each
	location []bool   // by location: its name has the words
	email    string   // "" when it cannot begin an address
	initial  uint64   // of the address
	number   number
	ext      string // "" when it cannot begin an extension
	mac      string // "" when it cannot be a part of one
	parts    []term // of a number with spaces: each for itself will do as well
}

// needle is how a word stands in an entry's text.
type needle struct{ plain, other string }

var (
	numeric    = regexp.MustCompile(`^[-+0-9./()]*[0-9][-+0-9./()]*$`)
	hexPattern = regexp.MustCompile(`^[0-9a-f]+$`)
	separators = strings.NewReplacer(":", "", "-", "", ".", "")
)

// parse understands a text. False: it has nothing that could be found.
func (s *snapshot) parse(text string) ([]term, bool) {
	if len(text) > maxQuery {
		text = strings.ToValidUTF8(text[:maxQuery], "")
	}
	words := strings.Fields(text)
	var terms []term
	for i := 0; i < len(words) && len(terms) < maxTerms; {
		end := i + 1
		for numeric.MatchString(words[i]) && end < len(words) && numeric.MatchString(words[end]) {
			end++
		}
		t := s.newTerm(strings.Join(words[i:end], ""))
		if end-i > 1 { // a number with spaces, or several numbers
			t = term{number: t.number}
			for _, w := range words[i:end] {
				t.parts = append(t.parts, s.newTerm(w))
			}
		}
		if len(t.name)+len(t.parts) > 0 { // not a dash between two words, say
			terms = append(terms, t)
		}
		i = end
	}
	return terms, len(terms) > 0 || len(words) == 0
}

func (s *snapshot) newTerm(word string) term {
	var t term
	parts := spellings(word)
	for _, p := range parts {
		n := needle{plain: " " + p.plain}
		if p.other != "" {
			n.other = " " + p.other
		} else {
			t.initials |= initial(p.plain[0])
		}
		t.name = append(t.name, n)
	}
	if len(parts) == 0 {
		return t
	}
	for i, words := range s.locationWords {
		if beginsWords(words, parts) {
			if t.location == nil {
				t.location = make([]bool, len(s.locations))
			}
			t.location[i] = true
		}
	}
	if t.email = strings.Trim(fold(word), `.,;:<>()[]"'`); t.email != "" {
		t.initial = initial(t.email[0])
	}
	if numeric.MatchString(word) {
		t.number = newNumber(word)
		if d := digits(word); len(d) == len(word) {
			t.ext = d
		}
	}
	if m := separators.Replace(strings.ToLower(word)); len(m) >= leastHex && len(m) <= macDigits && hexPattern.MatchString(m) {
		t.mac = m
	}
	return t
}

// number is a part of a phone number in the ways in which it may be meant. ""
// cannot be.
type number struct {
	contains string // somewhere in the number
	national string // the same without the leading zero that is dialled at home only
	begins   string // after a space: the number begins so
	exact    string // the number is that
}

func newNumber(word string) number {
	if i := strings.Index(word, "(0)"); i > 0 { // "+49 (0)30 ...": for people at home
		word = word[:i] + word[i+len("(0)"):]
	}
	d := digits(word)
	var n number
	abroad := ""
	switch {
	case strings.HasPrefix(word, "+"):
		abroad = d
	case strings.HasPrefix(d, "00"):
		abroad = d[len("00"):]
		n.contains = d
	default:
		n.contains, n.exact = d, d
		if strings.HasPrefix(d, "0") && len(d) > leastDigits {
			n.national = d[1:]
		}
	}
	if len(abroad) >= leastDigits {
		n.begins, n.exact = " "+abroad, abroad
	}
	if len(n.contains) < leastDigits {
		n.contains = ""
	}
	return n
}

// match reports whether every term fits the i-th person, and how well.
func (s *snapshot) match(i int, terms []term) (rank int, fits bool) {
	e := &s.entries[i]
	text := s.text[e.start:s.entries[i+1].start]
	rank = rankOther
	for n := range terms {
		exact, fits := terms[n].match(e, text)
		if !fits {
			return 0, false
		}
		if exact {
			rank = rankExact
		}
	}
	if rank != rankExact && len(terms[0].name) > 0 && terms[0].name[0].leads(e, text) {
		rank = rankFirst
	}
	return rank, true
}

func (n needle) leads(e *entry, text string) bool {
	begins := func(name string) bool {
		return strings.HasPrefix(name, n.plain) || n.other != "" && strings.HasPrefix(name, n.other)
	}
	return begins(text[:e.email]) || e.second > 0 && begins(text[e.second:e.email])
}

func (t *term) match(e *entry, text string) (exact, fits bool) {
	if t.number.contains != "" || t.number.begins != "" {
		if numbers := text[e.numbers:e.ext]; numbers != "" && t.number.in(numbers) {
			exact, fits = t.number.whole(numbers), true
		}
	}
	if t.ext != "" {
		if ext := text[e.ext:e.macs]; strings.HasPrefix(ext, t.ext) {
			exact, fits = exact || len(ext) == len(t.ext), true
		}
	}
	if t.mac != "" && strings.Contains(text[e.macs:], t.mac) {
		exact, fits = exact || len(t.mac) == macDigits, true
	}
	if t.initial&e.initials == t.initial && t.email != "" {
		if address := text[e.email:e.numbers]; strings.HasPrefix(address, t.email) {
			exact, fits = exact || len(address) == len(t.email), true
		}
	}
	if fits || t.location != nil && e.location >= 0 && t.location[e.location] || t.named(e, text) {
		return exact, true
	}
	for n := range t.parts {
		hit, fits := t.parts[n].match(e, text)
		if !fits {
			return false, false
		}
		exact = exact || hit
	}
	return exact, len(t.parts) > 0
}

// named reports whether the words begin words of the name.
func (t *term) named(e *entry, text string) bool {
	if len(t.name) == 0 || t.initials&e.initials != t.initials {
		return false
	}
	name := text[:e.email]
	for _, n := range t.name {
		if !strings.Contains(name, n.plain) && (n.other == "" || !strings.Contains(name, n.other)) {
			return false
		}
	}
	return true
}

// in looks through numbers, each of which follows a space.
func (n *number) in(numbers string) bool {
	return n.contains != "" && strings.Contains(numbers, n.contains) ||
		n.national != "" && strings.Contains(numbers, n.national) ||
		n.begins != "" && strings.Contains(numbers, n.begins)
}

// whole reports whether one of the numbers was named in full.
func (n *number) whole(numbers string) bool {
	for v := range strings.FieldsSeq(numbers) {
		if v == n.exact {
			return true
		}
		if len(n.national) >= wholeNumber && strings.HasSuffix(v, n.national) && len(v)-len(n.national) <= codeDigits {
			return true
		}
	}
	return false
}

// position is a place in the order of a search's result.
type position struct {
	rank int
	at   int // -1: before everybody of the rank
}

// before reports whether somebody comes after the position.
func (p position) before(rank, at int) bool {
	return rank > p.rank || rank == p.rank && at > p.at
}

const cursorSize = 1 + 4 + len(key{})

// cursor writes a position so that it can be found again in another reading, too.
func (s *snapshot) cursor(p position) string {
	b := make([]byte, 0, cursorSize)
	b = append(b, byte(p.rank))
	b = binary.BigEndian.AppendUint32(b, uint32(p.at))
	k := keyOf(s.people[p.at].UUID)
	return base64.RawURLEncoding.EncodeToString(append(b, k[:]...))
}

// readCursor finds the position again. What is no cursor is the beginning.
func (s *snapshot) readCursor(text string) position {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != cursorSize || b[0] >= ranks {
		return position{at: -1}
	}
	p := position{rank: int(b[0]), at: int(binary.BigEndian.Uint32(b[1:]))}
	if at, found := s.find(key(b[5:])); found {
		p.at = at
	}
	return p
}
