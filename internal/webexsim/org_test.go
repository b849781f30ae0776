package webexsim_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/webexsim"
)

func newSim(t testing.TB, o webexsim.Options) *webexsim.Sim {
	t.Helper()
	sim, err := webexsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return sim
}

func TestTheSeedDecidesEverything(t *testing.T) {
	t.Parallel()
	a, b, other := newSim(t, webexsim.Options{Seed: 7, People: 500}), newSim(t, webexsim.Options{Seed: 7, People: 500}), newSim(t, webexsim.Options{Seed: 8, People: 500})
	if diff := cmp.Diff(a.People(500), b.People(500)); diff != "" {
		t.Errorf("the same seed makes other people: %s", diff)
	}
	if diff := cmp.Diff(a.Queues(), b.Queues()); diff != "" {
		t.Errorf("the same seed makes other queues: %s", diff)
	}
	if a.Credentials() != b.Credentials() {
		t.Error("the same seed makes other credentials")
	}
	if cmp.Equal(a.People(500), other.People(500)) || cmp.Equal(a.Queues(), other.Queues()) || a.OrgID() == other.OrgID() {
		t.Error("another seed makes the same organization")
	}
}

func TestThePersonasAreThereWhateverTheSeed(t *testing.T) {
	t.Parallel()
	for _, o := range []webexsim.Options{{}, {Seed: 99, People: 3}, {Seed: -5, People: 5000}} {
		sim := newSim(t, o)
		for _, p := range webexsim.Personas() {
			got, found := sim.Person(p.Email)
			if stranger := strings.HasSuffix(p.Email, "@elsewhere.example"); found == stranger {
				t.Errorf("%s: in the organization: %t", p.Email, found)
			} else if found && (got.DisplayName != p.Name || got.Email != p.Email) {
				t.Errorf("%s is called %q <%s>", p.Email, got.DisplayName, got.Email)
			}
		}
		for _, want := range []struct {
			queue, who    string
			agent, joined bool
		}{
			{"Sales Hotline", greta, true, true}, {"Service Berlin", greta, true, true}, {"Switchboard", greta, true, false},
			{"Ventas Madrid", ana, true, false}, {"Priority Care", ana, true, true}, {"Night Desk", "sam.oneill@patchbay.example", true, true},
			{"Sales Hotline", "maria.rossi@patchbay.example", false, false},
		} {
			if joined, agent := sim.QueueJoined(want.queue, want.who); joined != want.joined || agent != want.agent {
				t.Errorf("%s in %s: agent %t, joined %t", want.who, want.queue, agent, joined)
			}
		}
		night, _ := sim.Queue("Night Desk")
		for _, a := range night.Agents {
			if a.Joined && a.Email != "sam.oneill@patchbay.example" {
				t.Errorf("%s is joined in Night Desk beside Sam", a.Email)
			}
		}
	}
}

// reserved are the ranges of places.go, written down a second time.
var reserved = regexp.MustCompile(`^(\+493023125\d{3}|\+34990000\d{3}|\+442079460\d{3}|\+140855501\d{2}|\+131255501\d{2}|\+8130000\d{4}|\+91800000\d{4}|\+3319900\d{4}|\+498999998\d{3}|\+6125550\d{4})$`)

func TestALargeOrganizationIsSound(t *testing.T) {
	t.Parallel()
	const people = 100_000
	sim := newSim(t, webexsim.Options{People: people, Seed: 3})
	emails, ids, numbers, extensions := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	address := regexp.MustCompile(`^[A-Za-z0-9.-]+@[A-Za-z.]+$`)
	list := sim.People(people + 1)
	if len(list) != people {
		t.Fatalf("%d people, want %d", len(list), people)
	}
	without := 0
	for _, p := range list {
		if key := strings.ToLower(p.Email); emails[key] || !address.MatchString(p.Email) {
			t.Errorf("address %q: twice or unusable", p.Email)
		} else {
			emails[key] = true
		}
		if ids[p.UUID] {
			t.Errorf("UUID %s twice", p.UUID)
		}
		ids[p.UUID] = true
		if p.PhoneNumber != "" {
			if numbers[p.PhoneNumber] || !reserved.MatchString(p.PhoneNumber) {
				t.Errorf("number %s: twice or not reserved", p.PhoneNumber)
			}
			numbers[p.PhoneNumber] = true
		}
		if !p.Calling {
			without++
			continue
		}
		if key := p.Location + p.Extension; extensions[key] {
			t.Errorf("extension %s twice in %s", p.Extension, p.Location)
		} else {
			extensions[key] = true
		}
	}
	if without == 0 || without > people/10 {
		t.Errorf("%d people without Calling", without)
	}
	for _, q := range sim.Queues() {
		if key := locationName(q.LocationID, list) + q.Extension; extensions[key] {
			t.Errorf("the extension of queue %s belongs to somebody else", q.Name)
		} else {
			extensions[key] = true
		}
	}
	// Found again by each of their names.
	for _, p := range []webexsim.PersonInfo{list[0], list[50], list[people/2], list[people-1]} {
		for _, who := range []string{p.ID, p.UUID, p.Email, strings.ToUpper(p.Email)} {
			if got, found := sim.Person(who); !found || got.ID != p.ID {
				t.Errorf("%s finds %+v", who, got)
			}
		}
	}
}

func locationName(id string, list []webexsim.PersonInfo) string {
	for _, p := range list {
		if p.LocationID == id {
			return p.Location
		}
	}
	return id
}

func TestIdsLeadNowhereElse(t *testing.T) {
	t.Parallel()
	c := start(t, webexsim.Options{Seed: 5})
	other := newSim(t, webexsim.Options{Seed: 6})
	p := c.person(greta)
	for name, id := range map[string]string{
		"of another organization": other.MustPerson(greta).ID,
		"of another type":         c.sim.Queues()[0].ID,
		"a bare UUID":             p.UUID,
		"of the organization":     c.sim.OrgID(),
		"of an unknown cluster":   "Y2lzY29zcGFyazovL3hx" + p.ID[20:],
		"cut short":               p.ID[:len(p.ID)-2],
	} {
		if r := c.do("GET", "/people/"+id, ""); r.StatusCode != 404 {
			t.Errorf("an id %s: %d, want 404", name, r.StatusCode)
		}
	}
	if r := c.do("GET", "/people/"+p.ID+"==", ""); r.StatusCode != 200 {
		t.Errorf("a padded id: %d, want 200", r.StatusCode)
	}
}

func BenchmarkStart100000(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		newSim(b, webexsim.Options{People: 100_000})
	}
}

func BenchmarkFirstSearchIn100000(b *testing.B) {
	for b.Loop() {
		newSim(b, webexsim.Options{People: 100_000}).MustPerson(greta)
	}
}

func BenchmarkGetSetting(b *testing.B) {
	sim := newSim(b, webexsim.Options{})
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/v1/people/"+sim.MustPerson(greta).ID+"/features/callForwarding", nil)
	r.Header.Set("Authorization", "Bearer "+sim.ServiceAppAccessToken())
	for b.Loop() {
		w := httptest.NewRecorder()
		sim.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}
