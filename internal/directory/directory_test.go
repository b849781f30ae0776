package directory

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"

	"patchbay/internal/redisdb/redistest"
	"patchbay/internal/webex"
	"patchbay/internal/webexsim"
)

// onBothRedis runs a test on the in-process and on the real Redis.
func onBothRedis(t *testing.T, test func(t *testing.T, addr string)) {
	t.Run("miniredis", func(t *testing.T) { t.Parallel(); test(t, miniredis.RunT(t).Addr()) })
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		_, server := redistest.Start(t)
		test(t, server.Addr())
	})
}

func TestTheDirectoryIsWhatWebexSays(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, addr string) {
		w := newWorld(t, addr, webexsim.Options{})
		d := w.replica()
		if st := d.State(); st != (State{}) {
			t.Errorf("before Run: %+v", st)
		}
		w.run(d)
		eventually(t, "people are read", func() bool { return d.State().People > 0 })
		info := w.sim.MustPerson(greta)
		p, found := d.ByEmail(greta)
		if !found || p.Name != info.DisplayName || !webex.SameID(p.ID, info.ID) || p.UUID != w.uuid(greta) ||
			!webex.SameID(p.LocationID, info.LocationID) || p.Extension != info.Extension || !p.Calling || len(p.MACs) != 2 || len(p.MACs[0]) != 12 {
			t.Errorf("%+v, want %+v", p, info)
		}
		if len(p.Numbers) != 1 || p.Numbers[0] != info.PhoneNumber {
			t.Errorf("numbers %q, want %q", p.Numbers, info.PhoneNumber)
		}
		for _, text := range []string{p.MACs[1], p.Numbers[0], p.Extension, p.Name} {
			if r := d.Search(Query{Text: text}); len(r.People) == 0 || r.People[0].UUID != p.UUID {
				t.Errorf("%q finds %s", text, names(r.People))
			}
		}
		if p, found := d.Person(w.sim.MustPerson(noah).ID); !found || p.Calling || p.LocationID != "" || p.Extension != "" {
			t.Errorf("without Calling: %+v", p)
		}
		for _, person := range w.sim.People(1000) {
			p, found := d.ByEmail(person.Email)
			if !found || p.Name != person.DisplayName || person.PhoneNumber != "" && !slices.Contains(p.Numbers, person.PhoneNumber) {
				t.Errorf("%+v, want %+v", p, person)
			}
		}
		st := d.State()
		if st.People != len(w.sim.People(1000)) || st.Devices < 20 || st.Groups != 5 || st.Failing != "" || time.Since(st.ReadAt) > time.Minute {
			t.Errorf("%+v", st)
		}
		if l, found := d.Location(p.LocationID); !found || l.Name != info.Location || len(d.Locations()) < 5 {
			t.Errorf("%+v of %d", l, len(d.Locations()))
		}
		if g := d.SearchGroups("sales", 0); len(g) != 1 || g[0].Name != "Sales Leads" || g[0].Members != 3 {
			t.Errorf("%+v", g)
		}
		eventually(t, "the lock is gone", func() bool { return !d.State().Reading })
	})
}

func TestTheFirstReadingTakesFewCallsAndSearchesNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, miniredis.RunT(t).Addr(), webexsim.Options{PageSize: 100})
	d := w.replica()
	w.run(d)
	eventually(t, "people are read", func() bool { return d.State().People > 0 })
	for template, want := range map[string]int{"/people": 1, "/devices": 1, "/locations": 1, "/groups": 1, "/groups/{groupId}/members": 0} {
		if n := w.calls(template); n != want {
			t.Errorf("%d calls of %s, want %d", n, template, want)
		}
	}
	before := len(w.sim.Requests())
	for _, text := range []string{"a", "greta", "+49", "xyzzy", ""} {
		d.Search(Query{Text: text})
	}
	d.ByEmail(greta)
	d.GroupsOf(greta)
	d.SearchGroups("", 0)
	time.Sleep(100 * time.Millisecond) // several ticks, in which nothing is due
	if n := len(w.sim.Requests()) - before; n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestOneReplicaReadsAndTheOthersFollow(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, addr string) {
		w := newWorld(t, addr, webexsim.Options{PageSize: 100})
		group := groupNamed(t, w, "Sales Leads")
		wanted := func(d *Deps) { d.Groups = func(context.Context) []string { return []string{group} } }
		replicas := []*Directory{w.replica(wanted), w.replica(wanted), w.replica(wanted)}
		for _, d := range replicas {
			w.run(d)
		}
		everywhere := func(what string, is func(d *Directory) bool) {
			t.Helper()
			eventually(t, what, func() bool {
				return !slices.ContainsFunc(replicas, func(d *Directory) bool { return !is(d) })
			})
		}
		everywhere("people and members are there", func(d *Directory) bool { return d.State().People > 0 && d.InGroup(group, w.uuid(greta)) })
		read := w.calls("/people")
		if read != 1 || w.calls("/groups/{groupId}/members") != 1 {
			t.Errorf("%d readings of the people, %d of the group", read, w.calls("/groups/{groupId}/members"))
		}
		w.clock.advance(standardEvery - time.Minute)
		time.Sleep(100 * time.Millisecond)
		if n := w.calls("/people"); n != read {
			t.Errorf("read %d times before it was due", n-read)
		}
		if err := w.sim.DeletePerson(ben); err != nil {
			t.Fatal(err)
		}
		w.clock.advance(2 * time.Minute)
		everywhere("who was deleted has vanished", func(d *Directory) bool { _, found := d.ByEmail(ben); return !found })
		if n := w.calls("/people"); n != 2*read {
			t.Errorf("%d readings", n)
		}
		// A replica that comes later reads nothing.
		late := w.replica(wanted)
		w.run(late)
		eventually(t, "the late one knows all", func() bool {
			return late.State().People == replicas[0].State().People && late.InGroup(group, w.sim.MustPerson(greta).ID)
		})
		if n := w.calls("/people"); n != 2*read {
			t.Errorf("%d readings", n)
		}
		// Nothing has changed: the stored people stay, their time does not.
		was := late.people.Load()
		readAt := late.State().ReadAt
		if err := replicas[1].Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "read anew", func() bool { return late.State().ReadAt.After(readAt) })
		if n := w.calls("/people"); n != 3*read || late.people.Load() != was {
			t.Errorf("%d readings, the same people: %v", n, late.people.Load() == was)
		}
	})
}

func groupNamed(t *testing.T, w *world, name string) string {
	t.Helper()
	c := webex.NewClient(webex.Options{BaseURL: w.url, Tokens: simTokens{w.sim.ServiceAppAccessToken()}})
	defer c.Close()
	groups, err := c.ListGroups(t.Context(), webex.GroupFilter{DisplayName: name})
	if err != nil || len(groups) != 1 {
		t.Fatalf("%v %v", groups, err)
	}
	w.sim.ClearRequests()
	return groups[0].ID
}

func TestAnOutageLeavesWhatIsKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, miniredis.RunT(t).Addr(), webexsim.Options{})
	d, other := w.replica(), w.replica()
	w.run(d)
	w.run(other)
	eventually(t, "people are read", func() bool { return d.State().People > 0 && other.State().People > 0 })
	known := d.State()
	w.sim.ClearRequests()
	w.sim.SetFault(webexsim.Fault{Path: "/people", Kind: webexsim.FaultStatus, Status: http.StatusServiceUnavailable})
	if err := d.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both know of the trouble", func() bool { return d.State().Failing != "" && other.State().Failing != "" })
	for _, d := range []*Directory{d, other} {
		st := d.State()
		if st.People != known.People || !st.ReadAt.Equal(known.ReadAt) || !st.Reading || st.FailingSince.IsZero() {
			t.Errorf("%+v, before %+v", st, known)
		}
		if _, found := d.ByEmail(greta); !found {
			t.Error("nobody is known any more")
		}
	}
	time.Sleep(1500 * time.Millisecond)
	if n := w.calls("/people"); n > 10 {
		t.Errorf("%d calls in an outage of two seconds", n)
	}
	w.sim.ClearFaults()
	eventually(t, "the reading comes to its end", func() bool {
		return d.State().Failing == "" && other.State().Failing == "" && other.State().ReadAt.After(known.ReadAt)
	})
}

func TestAReadingThatIsRefusedIsTriedAgainLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, miniredis.RunT(t).Addr(), webexsim.Options{})
	w.sim.SetFault(webexsim.Fault{Path: "/people", Kind: webexsim.FaultStatus, Status: http.StatusForbidden})
	d := w.replica()
	w.run(d)
	eventually(t, "it is known", func() bool { st := d.State(); return strings.Contains(st.Failing, "listPeople") && !st.Reading })
	time.Sleep(100 * time.Millisecond)
	if n := w.calls("/people"); n != 1 {
		t.Errorf("%d calls", n)
	}
	w.clock.advance(minBackoff)
	eventually(t, "a second attempt", func() bool { return w.calls("/people") == 2 })
	w.clock.advance(minBackoff)
	time.Sleep(100 * time.Millisecond)
	if n := w.calls("/people"); n != 2 {
		t.Errorf("%d calls, though the second wait is longer", n)
	}
	w.sim.ClearFaults()
	if err := d.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a wish does not wait", func() bool { return d.State().People > 0 && d.State().Failing == "" })
}

func TestWhatTheServiceAppMayNotReadIsLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, miniredis.RunT(t).Addr(), webexsim.Options{})
	w.sim.SetFault(webexsim.Fault{Path: "/devices", Kind: webexsim.FaultStatus, Status: http.StatusForbidden})
	d := w.replica()
	w.run(d)
	eventually(t, "people are read", func() bool { return d.State().People > 0 })
	if st := d.State(); !strings.Contains(st.Failing, "listDevices") || st.Devices != 0 || st.Groups != 5 {
		t.Errorf("%+v", st)
	}
}

func TestABrokenListIsNoDirectory(t *testing.T) {
	t.Parallel()
	for _, kind := range []webexsim.FaultKind{webexsim.FaultForeignNext, webexsim.FaultLoopNext, webexsim.FaultBare, webexsim.FaultInvalidJSON} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, miniredis.RunT(t).Addr(), webexsim.Options{})
			w.sim.SetFault(webexsim.Fault{Path: "/people", Kind: kind})
			d := w.replica()
			w.run(d)
			eventually(t, "it fails", func() bool { return d.State().Failing != "" && !d.State().Reading })
			if st := d.State(); st.People != 0 || !st.ReadAt.IsZero() {
				t.Errorf("half a list is in use: %+v", st)
			}
		})
	}
}

func TestMembersCountOnlyWhenTheyAreKnown(t *testing.T) {
	t.Parallel()
	onBothRedis(t, func(t *testing.T, addr string) {
		w := newWorld(t, addr, webexsim.Options{})
		helpdesk, nights, sales := groupNamed(t, w, "Portal Helpdesk"), groupNamed(t, w, "Helpdesk Nights"), groupNamed(t, w, "Sales Leads")
		var wanted atomic.Pointer[[]string]
		wanted.Store(&[]string{helpdesk})
		d := w.replica(func(d *Deps) { d.Groups = func(context.Context) []string { return *wanted.Load() } })
		if d.InGroup(helpdesk, w.uuid(ben)) {
			t.Error("in a group of which nothing is known")
		}
		w.run(d)
		eventually(t, "the group is read", func() bool { return d.InGroup(helpdesk, w.uuid(ben)) })
		if d.InGroup(helpdesk, w.uuid(greta)) || d.InGroup(sales, w.uuid(greta)) || d.InGroup("", w.uuid(ben)) || d.InGroup(helpdesk, "") || d.InGroup(helpdesk, helpdesk) {
			t.Error("in a group, but is not")
		}
		// The group "Helpdesk Nights" is in "Portal Helpdesk"; its member is not.
		if d.InGroup(helpdesk, w.sim.MustPerson("sam.oneill@patchbay.example").ID) {
			t.Error("the members of a group within a group count")
		}
		wanted.Store(&[]string{helpdesk, sales, nights})
		eventually(t, "a new group is read at once", func() bool { return d.InGroup(sales, w.sim.MustPerson(greta).ID) && len(*d.members.Load()) == 3 })
		if got := d.GroupsOf(w.uuid(greta)); !slices.Equal(got, []string{sales}) {
			t.Errorf("groups %v", got)
		}
		if got := d.GroupsOf(w.uuid(noah)); len(got) != 0 {
			t.Errorf("groups %v", got)
		}
		first := d.State().GroupsReadAt
		n := w.calls("/groups/{groupId}/members")
		if n != 3 || first.IsZero() {
			t.Errorf("%d calls, read at %s", n, first)
		}
		w.clock.advance(membersEvery + time.Second)
		eventually(t, "all are read anew", func() bool { return d.State().GroupsReadAt.After(first.Add(membersEvery)) })
		if n := w.calls("/groups/{groupId}/members"); n != 6 {
			t.Errorf("%d calls", n)
		}
		// Webex is away: after half an hour nobody is in a group.
		w.sim.SetFault(webexsim.Fault{Path: "/groups/{groupId}/members", Kind: webexsim.FaultStatus, Status: http.StatusInternalServerError})
		w.clock.advance(MembersMaxAge - time.Minute)
		if !d.InGroup(sales, w.uuid(greta)) {
			t.Error("out of the group too early")
		}
		w.clock.advance(time.Minute + time.Second)
		if d.InGroup(sales, w.uuid(greta)) || len(d.GroupsOf(w.uuid(greta))) != 0 {
			t.Error("in the group by what is too old")
		}
		before := w.calls("/groups/{groupId}/members")
		time.Sleep(200 * time.Millisecond)
		if n := w.calls("/groups/{groupId}/members") - before; n > 3 {
			t.Errorf("%d calls in an outage of a fifth of a second", n)
		}
		w.sim.ClearFaults()
		w.clock.advance(membersEvery)
		eventually(t, "back in the group", func() bool { return d.InGroup(sales, w.uuid(greta)) })
		wanted.Store(&[]string{})
		eventually(t, "groups that nobody wants are forgotten", func() bool {
			w.clock.advance(time.Minute) // a reading may have been under way
			return len(*d.members.Load()) == 0
		})
	})
}

func TestAGroupThatIsGoneHasNoMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, miniredis.RunT(t).Addr(), webexsim.Options{})
	sales := groupNamed(t, w, "Sales Leads")
	d := w.replica(func(d *Deps) { d.Groups = func(context.Context) []string { return []string{sales} } })
	w.run(d)
	eventually(t, "the group is read", func() bool { return d.InGroup(sales, w.uuid(greta)) })
	w.sim.SetFault(webexsim.Fault{Path: "/groups/{groupId}/members", Kind: webexsim.FaultStatus, Status: http.StatusNotFound})
	w.clock.advance(membersEvery + time.Second)
	eventually(t, "nobody is in it", func() bool { return !d.InGroup(sales, w.uuid(greta)) })
}

func TestNothingInRedisCanBeRead(t *testing.T) {
	t.Parallel()
	mini := miniredis.RunT(t)
	w := newWorld(t, mini.Addr(), webexsim.Options{})
	sales := groupNamed(t, w, "Sales Leads")
	d := w.replica(func(d *Deps) { d.Groups = func(context.Context) []string { return []string{sales} } })
	w.run(d)
	eventually(t, "all is read", func() bool { return d.State().People > 0 && d.InGroup(sales, w.uuid(greta)) })
	p, _ := d.ByEmail(greta)
	l, _ := d.Location(p.LocationID)
	dump := mini.Dump()
	for _, secret := range []string{p.Name, "Greta", "greta", p.UUID, p.ID, p.Numbers[0], p.MACs[0], l.Name, l.ID, sales, groupKey(sales), "Sales"} {
		if strings.Contains(dump, secret) {
			t.Errorf("Redis holds %q", secret)
		}
	}
	for _, name := range mini.Keys() {
		if !strings.HasPrefix(name, keys) {
			t.Errorf("key %q", name)
		}
	}
	// Another key cannot open it, and does not read the people anew at once.
	n := w.calls("/people")
	stranger := w.replica(func(d *Deps) { d.Sealer = otherSealer(t) })
	w.run(stranger)
	time.Sleep(100 * time.Millisecond)
	if st := stranger.State(); st.People != 0 || !st.ReadAt.IsZero() || w.calls("/people") != n {
		t.Errorf("%+v, %d calls", st, w.calls("/people")-n)
	}
}

func TestAStoredPartThatIsLostIsReadAnew(t *testing.T) {
	t.Parallel()
	mini := miniredis.RunT(t)
	w := newWorld(t, mini.Addr(), webexsim.Options{})
	d := w.replica()
	stop := w.run(d)
	eventually(t, "people are read", func() bool { return d.State().People > 0 })
	stop()
	mini.Del(peopleKeys + d.people.Load().generation)
	other := w.replica()
	w.run(other)
	eventually(t, "people are read anew", func() bool { return other.State().People == d.State().People })
}

func TestHalfAReadingIsNeverInUse(t *testing.T) {
	t.Parallel()
	mini := miniredis.RunT(t)
	st := store{redis: newClient(t, mini.Addr()), sealer: testSealer(t)}
	people, org := crowd(2500)
	texts, err := encode(people, org)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.stage(t.Context(), peopleKeys+"crashed", texts[:2]); err != nil {
		t.Fatal(err)
	}
	if now, err := st.look(t.Context()); err != nil || now.head.Generation != "" {
		t.Errorf("%+v %v", now, err)
	}
	if mini.TTL(peopleKeys+"crashed") == 0 {
		t.Error("what a crash left stays for ever")
	}
	now, err := st.look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := st.save(t.Context(), now, head{ReadAt: time.Now()}, people, org); err != nil {
		t.Fatal(err)
	}
	first, err := st.look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// A reader that looked before the first was done comes too late.
	if err := st.save(t.Context(), now, head{ReadAt: time.Now()}, people[:10], org); err != nil {
		t.Fatal(err)
	}
	second, err := st.look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first.head, second.head); diff != "" {
		t.Error(diff)
	}
	s, err := st.load(t.Context(), second.head)
	if err != nil || len(s.people) != len(people) {
		t.Errorf("%d people, %v", len(s.people), err)
	}
	// The one that was in use goes soon after the next is.
	if err := st.save(t.Context(), second, head{ReadAt: time.Now()}, people[:10], org); err != nil {
		t.Fatal(err)
	}
	if ttl := mini.TTL(peopleKeys + first.head.Generation); ttl != oldFor {
		t.Errorf("the old one is kept for %s", ttl)
	}
}
