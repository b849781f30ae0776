package directory

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	berlin = "Y2lzY29zcGFyazovL3VzL0xPQ0FUSU9OLzE"
	york   = "Y2lzY29zcGFyazovL3VzL0xPQ0FUSU9OLzI"
)

// team is a small organization with difficult names.
func team() *snapshot {
	people := []Person{
		{Name: "Ana López", Email: "ana.lopez@patchbay.example", LocationID: berlin, Numbers: []string{"+493012345678"}, Extension: "1001", MACs: []string{"02AB00CD00EF", "02AB00CD00F0"}},
		{Name: "Jürgen Müller", Email: "jm@patchbay.example", LocationID: berlin, Numbers: []string{"+4930222333"}, Extension: "1002"},
		{Name: "Eva Mueller", Email: "eva@patchbay.example", LocationID: york, Numbers: []string{"+12125550100"}, Extension: "10020"},
		{Name: "Ed Muller", Email: "ed@other.example"},
		{Name: "Lopezia Smith", Email: "l.smith@patchbay.example", LocationID: york, Extension: "2001"},
		{Name: "Sam O'Neill", Email: "Sam.ONeill@patchbay.example", Extension: "2002"},
		{Name: "Anne-Marie Weiß", Email: "amw@patchbay.example", LocationID: york},
		{Name: "Søren Øster", Email: "so@patchbay.example"},
		{Name: "Holm, Greta", Email: "greta.holm@patchbay.example", LocationID: berlin, Numbers: []string{"+493012345679"}, Extension: "555"},
		{Name: "Nguyễn Văn An", Email: "an@patchbay.example"},
		{Name: "Ιωάννης Παπαδόπουλος", Email: "ip@patchbay.example"},
		{Name: "山田 太郎", Email: "yamada@patchbay.example"},
		{Name: "", Email: "nameless@patchbay.example"},
	}
	for i := range people {
		people[i].UUID = fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		people[i].ID = people[i].UUID
	}
	return newSnapshot(head{Generation: "g"}, [][]named{prepare(people[:5]), prepare(people[5:])}, organization{
		Locations: []Location{{york, "New York"}, {berlin, "Berlin Mitte"}},
		Groups:    []Group{{"g2", "Vertrieb Köln", 3}, {"g1", "Helpdesk Nights", 1}, {"g3", "Portal Helpdesk", 2}},
	})
}

func TestSearch(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"without accents":                            {"lopez", "Lopezia Smith, Ana López"},
		"with accents":                               {"LÓPEZ", "Lopezia Smith, Ana López"},
		"accents written apart":                      {"lo\u0301pez", "Lopezia Smith, Ana López"},
		"several words in any order":                 {"lop ana", "Ana López"},
		"a word that nobody has":                     {"ana xyz", ""},
		"the middle of a word is no beginning":       {"opez", ""},
		"umlaut finds all ways to write it":          {"müller", "Ed Muller, Eva Mueller, Jürgen Müller"},
		"two letters find the umlaut":                {"mueller", "Eva Mueller, Jürgen Müller"},
		"the plain letter finds the umlaut":          {"muller", "Ed Muller, Jürgen Müller"},
		"the first word in its other spelling leads": {"juergen", "Jürgen Müller"},
		"sharp s":                             {"weiss", "Anne-Marie Weiß"},
		"sharp s as it is":                    {"WEIẞ", "Anne-Marie Weiß"},
		"stroked letters":                     {"soren oster", "Søren Øster"},
		"stroked letters, two":                {"soeren", "Søren Øster"},
		"apostrophe left out":                 {"oneill", "Sam O'Neill"},
		"apostrophe":                          {"o’neill", "Sam O'Neill"},
		"hyphenated":                          {"anne-marie", "Anne-Marie Weiß"},
		"half of hyphenated":                  {"marie", "Anne-Marie Weiß"},
		"last name first, with a comma":       {"Lopez, Ana", "Ana López"},
		"a dash between words":                {"Ana - Lopez", "Ana López"},
		"a pasted address line":               {"Ana Lopez <ana.lopez@patchbay.example>", "Ana López"},
		"many accents":                        {"nguyen van", "Nguyễn Văn An"},
		"Greek":                               {"ιωαννησ", "Ιωάννης Παπαδόπουλος"},
		"Greek with its last letter":          {"ΙΩΆΝΝΗΣ παπαδοπουλος", "Ιωάννης Παπαδόπουλος"},
		"Japanese":                            {"太", "山田 太郎"},
		"beginning of an address":             {"jm@", "Jürgen Müller"},
		"the whole address comes first":       {"an@patchbay.example", "Nguyễn Văn An"},
		"address in another case":             {"sam.oneill@PATCHBAY", "Sam O'Neill"},
		"address of somebody without a name":  {"nameless", "nameless"},
		"number as it is":                     {"+493012345678", "Ana López"},
		"number with spaces":                  {"+49 30 1234 5678", "Ana López"},
		"number with a bracketed zero":        {"+49 (0)30 12345678", "Ana López"},
		"number dialled at home":              {"030/12345678", "Ana López"},
		"number dialled at home, with spaces": {"030 123 456 78", "Ana López"},
		"number dialled abroad":               {"0049 30 12345678", "Ana López"},
		"the end of a number":                 {"345679", "Holm, Greta"},
		"a part of numbers":                   {"12345", "Ana López, Holm, Greta"},
		"the beginning of numbers":            {"+4930", "Ana López, Holm, Greta, Jürgen Müller"},
		"another country's beginning":         {"+49212", ""},
		"two digits find no number":           {"78", ""},
		"an American number":                  {"(212) 555-0100", "Eva Mueller"},
		"extension in full comes first":       {"1002", "Jürgen Müller, Eva Mueller"},
		"beginning of extensions":             {"100", "Ana López, Eva Mueller, Jürgen Müller"},
		"one digit of an extension":           {"2", "Lopezia Smith, Sam O'Neill"},
		"extension before a part of a number": {"555", "Holm, Greta, Eva Mueller"},
		"name and extension":                  {"ana 1001", "Ana López"},
		"extension and number of one person":  {"1001 030/12345678", "Ana López"},
		"extensions of two people":            {"1001 1002", ""},
		"MAC with colons":                     {"02:ab:00:cd:00:ef", "Ana López"},
		"MAC with dots":                       {"02ab.00cd.00f0", "Ana López"},
		"MAC with dashes":                     {"02-AB-00-CD-00-EF", "Ana López"},
		"MAC without separators":              {"02AB00CD00EF", "Ana López"},
		"the end of a MAC":                    {"00ef", "Ana López"},
		"three digits of a MAC":               {"0ef", ""},
		"a place":                             {"berlin", "Ana López, Holm, Greta, Jürgen Müller"},
		"a name and a place":                  {"holm berlin", "Holm, Greta"},
		"a place of two words":                {"new york mueller", "Eva Mueller"},
		"a place with a hyphen":               {"new-york eva", "Eva Mueller"},
		"nothing that could be found":         {" - ", ""},
		"not UTF-8":                           {"\xff\xfe", ""},
	}
	s := team()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := s.search(Query{Text: tt.text})
			var got []string
			for _, p := range r.People {
				if p.Name == "" {
					p.Name = strings.TrimSuffix(p.Email, "@patchbay.example")
				}
				got = append(got, p.Name)
			}
			if list := strings.Join(got, ", "); list != tt.want || r.Total != len(r.People) || r.Next != "" {
				t.Errorf("%q: %s, want %s (total %d, next %q)", tt.text, list, tt.want, r.Total, r.Next)
			}
		})
	}
}

func TestSearchRanksWholeBeforeFirstBeforeOther(t *testing.T) {
	t.Parallel()
	people := []Person{
		{UUID: "1", Name: "Zoe Abel", Extension: "77"},
		{UUID: "2", Name: "Abel Zimmer", Extension: "771"},
		{UUID: "3", Name: "Abel Adler", Extension: "772"},
		{UUID: "4", Name: "Carl Abel", Email: "77@patchbay.example"},
		{UUID: "5", Name: "Abel Adler", Extension: "773"},
	}
	s := newSnapshot(head{}, [][]named{prepare(people)}, organization{})
	var got []string
	for _, text := range []string{"abel", "abel 77"} {
		line := text + ":"
		for _, p := range s.search(Query{Text: text}).People {
			line += " " + p.UUID
		}
		got = append(got, line)
	}
	if diff := cmp.Diff([]string{"abel: 3 5 2 4 1", "abel 77: 1 3 5 2 4"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestSearchShowsOnlyWhomTheCallerMaySee(t *testing.T) {
	t.Parallel()
	s := team()
	visible := func(p *Person) bool { return p.LocationID == york }
	r := s.search(Query{Text: "m", Visible: visible})
	if names(r.People) != "Anne-Marie Weiß, Eva Mueller" || r.Total != 2 {
		t.Errorf("%s of %d", names(r.People), r.Total)
	}
	if r := s.search(Query{Visible: func(*Person) bool { return false }}); r.Total != 0 || len(r.People) != 0 || r.Next != "" {
		t.Errorf("%+v", r)
	}
}

func TestALocationIsListedByName(t *testing.T) {
	t.Parallel()
	s := team()
	if r := s.search(Query{Location: berlin + "="}); names(r.People) != "Ana López, Holm, Greta, Jürgen Müller" {
		t.Errorf("%s", names(r.People))
	}
	if r := s.search(Query{Location: berlin, Text: "mue"}); names(r.People) != "Jürgen Müller" {
		t.Errorf("%s", names(r.People))
	}
	if r := s.search(Query{Location: "elsewhere"}); len(r.People) != 0 {
		t.Errorf("%s", names(r.People))
	}
}

func TestPagesHoldEverybodyOnce(t *testing.T) {
	t.Parallel()
	people, org := crowd(1000)
	s := newSnapshot(head{}, [][]named{prepare(people)}, org)
	for name, q := range map[string]Query{
		"everybody": {}, "a letter": {Text: "a"}, "digits": {Text: "100"}, "a location": {Location: "location-1"},
		"some": {Text: "o", Visible: func(p *Person) bool { return p.LocationID != "location-1" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q.Limit = len(people)
			all := s.search(q).People
			if len(all) < 20 {
				t.Fatalf("%d people", len(all))
			}
			for _, limit := range []int{1, 7, len(all) - 1, len(all)} {
				var got []Person
				q.Limit, q.Cursor = limit, ""
				for {
					r := s.search(q)
					got = append(got, r.People...)
					if r.Total != len(all) || len(r.People) > limit {
						t.Fatalf("a page of %d with %d people, total %d of %d", limit, len(r.People), r.Total, len(all))
					}
					if q.Cursor = r.Next; q.Cursor == "" {
						break
					}
				}
				if diff := cmp.Diff(all, got); diff != "" {
					t.Fatalf("pages of %d: %s", limit, diff)
				}
			}
		})
	}
}

func TestACursorLeadsOnInTheNextReading(t *testing.T) {
	t.Parallel()
	people, org := crowd(100)
	old := newSnapshot(head{}, [][]named{prepare(slices.Clone(people))}, org)
	first := old.search(Query{Limit: 10})
	want := old.search(Query{Limit: 10, Cursor: first.Next}).People
	people = slices.DeleteFunc(people, func(p Person) bool { return p.UUID == first.People[0].UUID || p.UUID == first.People[3].UUID })
	fresh := newSnapshot(head{}, [][]named{prepare(people)}, org)
	if diff := cmp.Diff(want, fresh.search(Query{Limit: 10, Cursor: first.Next}).People); diff != "" {
		t.Error(diff)
	}
	for _, wrong := range []string{"x", "AAAA", strings.Repeat("_", 28)} {
		if got := fresh.search(Query{Limit: 1, Cursor: wrong}).People; len(got) != 1 || got[0].UUID != fresh.people[0].UUID {
			t.Errorf("cursor %q: %v", wrong, names(got))
		}
	}
}

func TestLookups(t *testing.T) {
	t.Parallel()
	people, org := crowd(50)
	people[7].ID, people[7].UUID = "Y2lzY29zcGFyazovL3VzL1BFT1BMRS9mNWIzNjE4Ny1jOGRkLTQ3MjctOGIyZi1mOWM0NDdmMjkwNDY", "f5b36187-c8dd-4727-8b2f-f9c447f29046"
	s := newSnapshot(head{}, [][]named{prepare(people)}, org)
	for _, id := range []string{people[7].ID, people[7].ID + "=", people[7].UUID, strings.ToUpper(people[7].UUID), "Y2lzY29zcGFyazovL3VybjpURUFNOmV1LWNlbnRyYWwtMV9rL1BFT1BMRS9mNWIzNjE4Ny1jOGRkLTQ3MjctOGIyZi1mOWM0NDdmMjkwNDY"} {
		if p, found := s.person(id); !found || p.Email != people[7].Email {
			t.Errorf("id %q: %v %v", id, p, found)
		}
	}
	for _, id := range []string{"", "x", "f5b36187-c8dd-4727-8b2f-f9c447f29047"} {
		if p, found := s.person(id); found {
			t.Errorf("id %q: %v", id, p)
		}
	}
	for _, p := range people {
		if got, found := s.byAddress(" " + strings.ToUpper(p.Email)); !found || got.UUID != p.UUID {
			t.Errorf("%q: %v %v", p.Email, got, found)
		}
	}
	for _, email := range []string{"", "ana", people[0].Email + "x"} {
		if p, found := s.byAddress(email); found {
			t.Errorf("%q: %v", email, p)
		}
	}
}

func TestSearchGroups(t *testing.T) {
	t.Parallel()
	d := New(Deps{})
	d.people.Store(team())
	for text, want := range map[string][]Group{
		"":         {{"g1", "Helpdesk Nights", 1}, {"g3", "Portal Helpdesk", 2}, {"g2", "Vertrieb Köln", 3}},
		"HELP":     {{"g1", "Helpdesk Nights", 1}, {"g3", "Portal Helpdesk", 2}},
		"koeln":    {{"g2", "Vertrieb Köln", 3}},
		"koln ver": {{"g2", "Vertrieb Köln", 3}},
		"desk":     {},
	} {
		if diff := cmp.Diff(want, d.SearchGroups(text, 0)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	if got := d.SearchGroups("", 2); len(got) != 2 {
		t.Errorf("%d groups", len(got))
	}
	if l, found := d.Location(berlin + "="); !found || l.Name != "Berlin Mitte" {
		t.Errorf("%v %v", l, found)
	}
}
