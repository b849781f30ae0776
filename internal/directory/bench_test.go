package directory

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// crowd makes an organization of n people, always the same one.
func crowd(n int) ([]Person, organization) {
	first := strings.Fields("Ana Ben Chloé Dario Émile Fatima Greta Hana Ingrid Jürgen Käthe Liam Mei Nils Olga Pavel Quentin Rosa Søren Tomás Uwe Vera Wen Xenia Yusuf Zoë")
	last := strings.Fields("López Müller Holm Fischer Dahl Wang O'Neill Sato Quinn Nguyễn Kowalski Novák Rossi Schäfer Weiß Øster Petit Rivera Silva Tanaka Usman Virtanen Wagner Yilmaz Zimmermann Brown Clark")
	var org organization
	for i, city := range strings.Fields("Berlin Hamburg Lisbon London Madrid Paris Tokyo Zürich") {
		org.Locations = append(org.Locations, Location{ID: fmt.Sprintf("location-%d", i), Name: city + " Office"})
	}
	people := make([]Person, n)
	for i := range people {
		f, l := first[i%len(first)], last[i/len(first)%len(last)]
		uuid := fmt.Sprintf("%08x-%04x-4000-8000-%012x", uint32(i)*2654435761, i&0xffff, i)
		people[i] = Person{
			ID: "Y2lzY29zcGFyazovL3VzL1BFT1BMRS9" + fmt.Sprintf("%048x", i), UUID: uuid, Name: fmt.Sprintf("%s %s", f, l),
			Email:      fmt.Sprintf("%s.%s.%d@patchbay.example", fold(f), strings.ReplaceAll(fold(l), "'", ""), i),
			LocationID: org.Locations[i%len(org.Locations)].ID, Numbers: []string{fmt.Sprintf("+4930%08d", i*7)}, Extension: fmt.Sprint(10000 + i),
			MACs: []string{fmt.Sprintf("02%010X", uint64(i)*2654435761&0xFFFFFFFFFF)}, Calling: true, Department: first[i%7],
		}
	}
	slices.SortFunc(people, func(a, b Person) int { return strings.Compare(a.UUID, b.UUID) })
	return people, org
}

const manyPeople = 100_000

func BenchmarkSearch(b *testing.B) {
	people, org := crowd(manyPeople)
	s := newSnapshot(head{}, [][]named{prepare(people)}, org)
	deep := s.search(Query{Limit: manyPeople / 2}).Next
	for name, q := range map[string]Query{
		"everybody":               {},
		"the second half":         {Cursor: deep},
		"one letter":              {Text: "a"},
		"two words":               {Text: "jurgen muller"},
		"a name and a place":      {Text: "holm berlin"},
		"a location":              {Location: "location-3"},
		"nothing, letters":        {Text: "aaaaaaa"},
		"nothing, digits":         {Text: "99999999999"},
		"a number with spaces":    {Text: "030 0001 2345"},
		"three digits":            {Text: "123"},
		"an extension":            {Text: "54321"},
		"a MAC address":           {Text: "02:00:9e"},
		"eight words":             {Text: "a b c d e f g h"},
		"nobody is to be seen":    {Text: "a", Visible: func(*Person) bool { return false }},
		"people of a location":    {Text: "a", Visible: func(p *Person) bool { return p.LocationID == "location-1" }},
		"an address in full":      {Text: "ana.lopez.26000@patchbay.example"},
		"a word of every address": {Text: "patchbay"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.search(q)
			}
		})
	}
}

// BenchmarkLoad measures what a replica does when there is a new reading, without
// the network, and what it holds in memory after.
func BenchmarkLoad(b *testing.B) {
	mini := miniredis.RunT(b)
	st := store{redis: newClient(b, mini.Addr()), sealer: testSealer(b)}
	people, org := crowd(manyPeople)
	began := time.Now()
	if err := st.save(context.Background(), &shared{version: "0"}, head{ReadAt: began}, people, org); err != nil {
		b.Fatal(err)
	}
	b.Logf("saved in %s", time.Since(began))
	now, err := st.look(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	stored := 0
	fields, err := st.redis.HGetAll(context.Background(), peopleKeys+now.head.Generation).Result()
	if err != nil {
		b.Fatal(err)
	}
	for _, v := range fields {
		stored += len(v)
	}
	fields, people = nil, nil //nolint:ineffassign,wastedassign // what is measured next must not hold them
	var s *snapshot
	before := heap()
	for b.Loop() {
		if s, err = st.load(context.Background(), now.head); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(heap()-before)/manyPeople, "B/person")
	b.ReportMetric(float64(stored)/manyPeople, "stored-B/person")
	runtime.KeepAlive(s)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
