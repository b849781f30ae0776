package directory

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// key is a UUID in sixteen bytes, or the hash of an id that is none.
type key [16]byte

func keyOf(id string) key {
	if k, ok := parseUUID(id); ok {
		return k
	}
	u := idKey(id)
	if k, ok := parseUUID(u); ok {
		return k
	}
	sum := sha256.Sum256([]byte(u))
	return key(sum[:16])
}

func parseUUID(s string) (k key, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return key{}, false
	}
	var hexDigits [32]byte
	n := copy(hexDigits[:], s[:8])
	n += copy(hexDigits[n:], s[9:13])
	n += copy(hexDigits[n:], s[14:18])
	n += copy(hexDigits[n:], s[19:23])
	copy(hexDigits[n:], s[24:])
	_, err := hex.Decode(k[:], hexDigits[:])
	return k, err == nil
}

// keyAt is where somebody is in a snapshot.
type keyAt struct {
	key key
	at  int32
}

// snapshot is one reading, ready for searches. It never changes.
type snapshot struct {
	generation string
	readAt     time.Time
	devices    int

	people  []Person // by name, then UUID
	entries []entry  // of the same people, and one more that marks the end
	text    string   // what the entries point into
	byKey   []keyAt  // sorted
	byEmail []int32  // sorted by the address in lower case

	locations     []Location // by name
	locationWords [][]spelling
	locationAt    map[string]int // by idKey
	groups        []Group        // by name
	groupWords    [][]spelling
	groupAt       map[string]int // by groupKey
}

// entry is what is searched of a person. Its text has five parts: the words of the
// name, each after a space; the address; the numbers' digits, each after a space;
// the extension; the devices' MAC addresses, each after a space. All is in lower
// case without accents.
type entry struct {
	initials uint64 // see initial: of the name's words and of the address
	start    uint32 // of the text
	email    uint16 // where the parts begin, from start
	numbers  uint16
	ext      uint16
	macs     uint16
	location int16 // index into locations, -1 without
	second   uint8 // where the other spelling of the first word begins, 0 without
}

// The most that is kept of what Webex might give without end.
const (
	maxNameLength = 200 // bytes
	maxNumber     = 32  // digits of a number or an extension
	maxPerPerson  = 50  // numbers, devices
)

// initial is the bit of a first letter. Few people have all the bits of a search,
// so most are passed over without a look at their text.
func initial(b byte) uint64 { return 1 << (b & 63) }

// named is a person on the way into a snapshot.
type named struct {
	person  *Person
	words   []spelling
	order   string // the name as it is sorted
	key     key
	address string // in lower case
}

// prepare does for a chunk what can be done for many at once.
func prepare(chunk []Person) []named {
	list := make([]named, len(chunk))
	for i := range chunk {
		p := &chunk[i]
		words := spellings(p.Name)
		list[i] = named{person: p, words: words, order: orderOf(words), key: keyOf(p.UUID), address: strings.ToLower(p.Email)}
	}
	return list
}

// newSnapshot takes the people over.
func newSnapshot(h head, chunks [][]named, org organization) *snapshot {
	s := &snapshot{generation: h.Generation, readAt: h.ReadAt, devices: h.Devices, locationAt: map[string]int{}, groupAt: map[string]int{}}
	s.addPlaces(org)
	all := slices.Concat(chunks...)
	slices.SortFunc(all, func(a, b named) int {
		return cmp.Or(strings.Compare(a.order, b.order), strings.Compare(a.person.UUID, b.person.UUID))
	})
	s.people = make([]Person, len(all))
	s.entries = make([]entry, len(all)+1)
	s.byKey = make([]keyAt, len(all))
	s.byEmail = make([]int32, len(all))
	text := make([]byte, 0, 100*len(all))
	places, departments := map[string]int{}, map[string]string{}
	for i, n := range all {
		p := *n.person
		location, known := places[p.LocationID]
		if !known {
			location = s.locationOf(p.LocationID)
			places[p.LocationID] = location
		}
		if location >= 0 {
			p.LocationID = s.locations[location].ID // one text for all
		}
		if d, known := departments[p.Department]; known {
			p.Department = d
		} else {
			departments[p.Department] = p.Department
		}
		s.people[i] = p
		s.entries[i], text = newEntry(text, &p, n.words, location)
		s.byKey[i] = keyAt{n.key, int32(i)}
		s.byEmail[i] = int32(i)
	}
	s.entries[len(all)].start = uint32(len(text))
	s.text = string(text)
	slices.SortFunc(s.byKey, func(a, b keyAt) int { return slices.Compare(a.key[:], b.key[:]) })
	slices.SortFunc(s.byEmail, func(a, b int32) int {
		return cmp.Or(strings.Compare(all[a].address, all[b].address), cmp.Compare(a, b))
	})
	return s
}

// locationOf finds a location by its id, -1 when there is none.
func (s *snapshot) locationOf(id string) int {
	if at, known := s.locationAt[idKey(id)]; known {
		return at
	}
	return -1
}

func (s *snapshot) addPlaces(org organization) {
	s.locations = slices.Clone(org.Locations)
	slices.SortStableFunc(s.locations, func(a, b Location) int { return strings.Compare(fold(a.Name), fold(b.Name)) })
	for i, l := range s.locations {
		s.locationAt[idKey(l.ID)] = i
		s.locationWords = append(s.locationWords, spellings(l.Name))
	}
	s.groups = slices.Clone(org.Groups)
	slices.SortStableFunc(s.groups, func(a, b Group) int { return strings.Compare(fold(a.Name), fold(b.Name)) })
	for i, g := range s.groups {
		s.groupAt[groupKey(g.ID)] = i
		s.groupWords = append(s.groupWords, spellings(g.Name))
	}
}

func orderOf(words []spelling) string {
	var b strings.Builder
	for _, w := range words {
		b.WriteString(w.plain)
		b.WriteByte(' ')
	}
	return b.String()
}

// newEntry appends what is searched of a person to text.
func newEntry(text []byte, p *Person, words []spelling, location int) (entry, []byte) {
	e := entry{start: uint32(len(text)), location: int16(location)}
	part := func() uint16 { return uint16(len(text) - int(e.start)) }
	word := func(w string) {
		if w != "" && int(part())+len(w) < maxNameLength {
			text = append(append(text, ' '), w...)
			e.initials |= initial(w[0])
		}
	}
	for i, w := range words {
		word(w.plain)
		if i == 0 && w.other != "" {
			e.second = uint8(part())
		}
		word(w.other)
	}
	e.email = part()
	if address := fold(p.Email); address != "" && len(address) < maxNameLength {
		text = append(text, address...)
		e.initials |= initial(address[0])
	}
	e.numbers = part()
	for _, n := range p.Numbers[:min(len(p.Numbers), maxPerPerson)] {
		if n = digits(n); len(n) <= maxNumber {
			text = append(append(text, ' '), n...)
		}
	}
	e.ext = part()
	if len(p.Extension) <= maxNumber {
		text = append(text, p.Extension...)
	}
	e.macs = part()
	for _, m := range p.MACs[:min(len(p.MACs), maxPerPerson)] {
		text = append(append(text, ' '), strings.ToLower(m)...)
	}
	return e, text
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

func (s *snapshot) find(k key) (int, bool) {
	i, found := slices.BinarySearchFunc(s.byKey, k, func(e keyAt, k key) int { return slices.Compare(e.key[:], k[:]) })
	if !found {
		return 0, false
	}
	return int(s.byKey[i].at), true
}

func (s *snapshot) person(id string) (Person, bool) {
	if id == "" {
		return Person{}, false
	}
	at, found := s.find(keyOf(id))
	if !found {
		return Person{}, false
	}
	return s.people[at], true
}

func (s *snapshot) byAddress(email string) (Person, bool) {
	email = strings.ToLower(strings.TrimSpace(email))
	if email == "" {
		return Person{}, false
	}
	i, found := slices.BinarySearchFunc(s.byEmail, email, func(at int32, email string) int { return strings.Compare(strings.ToLower(s.people[at].Email), email) })
	if !found {
		return Person{}, false
	}
	return s.people[s.byEmail[i]], true
}
