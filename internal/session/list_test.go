package session_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"patchbay/internal/session"
)

// ben is another person.
const ben = "Y2lzY29zcGFyazovL3VzL1BFT1BMRS9iZW4"

// idOf is the session of the browser, as the portal names it.
func idOf(b *browser) string {
	b.t.Helper()
	return strings.TrimPrefix(b.get("/key"), "200 ")
}

// list gives the person's sessions as the browser sees them.
func (p *portal) list(b *browser, person string) (list []session.Info) {
	b.t.Helper()
	p.within(b, func(ctx context.Context) {
		var err error
		if list, err = p.sessions.List(ctx, person); err != nil {
			b.t.Error(err)
		}
	})
	return list
}

// end lets the browser end a session.
func (p *portal) end(b *browser, person, id string, want bool) {
	b.t.Helper()
	p.within(b, func(ctx context.Context) {
		if ended, err := p.sessions.End(ctx, person, id); ended != want || err != nil {
			b.t.Errorf("ended: %t, %v; want %t", ended, err, want)
		}
	})
}

func TestPeopleSeeTheirOwnSessions(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, c redis.UniversalClient) {
		clk := newClock()
		p := newPortal(t, session.Deps{Redis: c, Now: clk.Now})
		begin := clk.Now()
		laptop, phone, other := p.browser(t), p.browser(t), p.browser(t)
		laptop.agent, phone.agent = "Laptop/1.0", strings.Repeat("x", 199)+"é and more"
		laptop.want("/in", "200 ")
		clk.add(time.Minute)
		phone.want("/in", "200 ")
		other.want("/in?person="+ben, "200 ")
		clk.add(time.Minute)
		laptop.want("/who", "200 Amara")
		clk.add(time.Minute)
		const address = "192.0.2.1:1234" // that of httptest
		at := func(minutes int) time.Time { return begin.Add(time.Duration(minutes) * time.Minute) }
		want := []session.Info{
			{ID: idOf(phone), SignedInAt: at(1), SeenAt: at(3), Ends: at(1).Add(lifetime), UserAgent: strings.Repeat("x", 199), Address: address},
			{ID: idOf(laptop), SignedInAt: at(0), SeenAt: at(3), Ends: at(0).Add(lifetime), UserAgent: "Laptop/1.0", Address: address, Current: true},
		}
		if diff := cmp.Diff(want, p.list(laptop, amara.PersonID)); diff != "" {
			t.Error(diff)
		}
		clk.add(time.Minute)
		want[0].Current, want[1].Current = true, false
		want[0].SeenAt = at(4) // asking is a use of the session that asks, and of no other
		if diff := cmp.Diff(want, p.list(phone, amara.PersonID)); diff != "" {
			t.Error(diff)
		}
		want[0].Current = false
		for name, spelling := range map[string]string{
			"with padding":                 amara.PersonID + "==",
			"of another cluster of Webex":  base64.RawURLEncoding.EncodeToString([]byte("ciscospark://urn:TEAM:eu-central-1_k/PEOPLE/amara")),
			"with the alphabet for no URL": base64.StdEncoding.EncodeToString([]byte("ciscospark://us/PEOPLE/amara")),
		} {
			if diff := cmp.Diff(want, p.list(other, spelling)); diff != "" {
				t.Errorf("an id %s: %s", name, diff)
			}
		}
		if list := p.list(phone, ben); len(list) != 1 || list[0].ID != idOf(other) || list[0].Current {
			t.Errorf("of ben: %+v", list)
		}
		for _, nobody := range []string{"", "nobody"} {
			if list := p.list(phone, nobody); len(list) != 0 {
				t.Errorf("of %q: %+v", nobody, list)
			}
		}
	})
}

func TestEndingASession(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, c redis.UniversalClient) {
		p := newPortal(t, session.Deps{Redis: c})
		here, there, other := p.browser(t), p.browser(t), p.browser(t)
		here.want("/in", "200 ")
		there.want("/in", "200 ")
		other.want("/in?name=Ben&person="+ben, "200 ")
		id := idOf(there)
		p.end(here, amara.PersonID, idOf(other), false) // it is not hers
		p.end(other, ben, id, false)
		p.end(here, amara.PersonID, "", false)
		p.end(here, amara.PersonID, strings.Repeat("A", 43), false)
		p.end(here, "", id, false)
		other.want("/who", "200 Ben")
		there.want("/who", "200 Amara")
		p.end(other, amara.PersonID, id, true) // who may do so is not decided here
		there.want("/who", "200 ")
		here.want("/who", "200 Amara")
		p.end(here, amara.PersonID, id, false) // it has ended
		if list := p.list(here, amara.PersonID); len(list) != 1 || !list[0].Current {
			t.Errorf("left: %+v", list)
		}
		p.end(here, amara.PersonID, idOf(here), true) // one's own
		here.want("/who", "200 ")
	})
}

func TestASlowRequestDoesNotBringBackASessionThatSomebodyEnded(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, c redis.UniversalClient) {
		p := newPortal(t, session.Deps{Redis: c})
		b, admin := p.browser(t), p.browser(t)
		b.want("/in", "200 ")
		admin.want("/in?person="+ben, "200 ")
		id, slow := idOf(b), b.copy()
		done := make(chan string)
		go func() { done <- slow.get("/slow/put?text=late") }()
		<-p.started
		p.end(admin, amara.PersonID, id, true)
		// The mark of a deletion holds against any write of the session itself.
		if n, err := c.Exists(context.Background(), "patchbay:session:{"+id+"}:gone").Result(); n != 1 || err != nil {
			t.Errorf("no mark is left: %d, %v", n, err)
		}
		p.release <- struct{}{}
		if got := <-done; got != "200 Amara" { // it was signed in when it began
			t.Errorf("slow request: %q", got)
		}
		b.want("/who", "200 ")
		b.want("/flash/pop", "200 ")
		if list := p.list(admin, amara.PersonID); len(list) != 0 {
			t.Errorf("listed: %+v", list)
		}
	})
}

func TestEndingAllSessions(t *testing.T) {
	t.Parallel()
	onEveryRedis(t, func(t *testing.T, c redis.UniversalClient) {
		p := newPortal(t, session.Deps{Redis: c})
		here, other := p.browser(t), p.browser(t)
		var others []*browser
		for range 3 {
			b := p.browser(t)
			b.want("/in", "200 ")
			others = append(others, b)
		}
		here.want("/in", "200 ")
		other.want("/in?name=Ben&person="+ben, "200 ")
		end := func(by *browser, exceptCurrent bool, want int) {
			t.Helper()
			p.within(by, func(ctx context.Context) {
				if n, err := p.sessions.EndAll(ctx, amara.PersonID, exceptCurrent); n != want || err != nil {
					t.Errorf("ended %d, %v; want %d", n, err, want)
				}
			})
		}
		end(here, true, 3)
		for _, b := range others {
			b.want("/who", "200 ")
		}
		here.want("/who", "200 Amara")
		end(here, true, 0)
		end(other, true, 1) // its own is not among them
		here.want("/who", "200 ")
		other.want("/who", "200 Ben")
		here.want("/in", "200 ")
		end(here, false, 1)
		here.want("/who", "200 ")
	})
}

func TestTheIDOfASessionDoesNotOpenIt(t *testing.T) {
	t.Parallel()
	_, c := inProcess(t)
	p := newPortal(t, session.Deps{Redis: c})
	b := p.browser(t)
	b.want("/in", "200 ")
	for _, info := range p.list(b, amara.PersonID) {
		thief := p.browser(t)
		thief.cookies["portal_session"] = info.ID
		thief.want("/who", "200 ")
	}
}

// Who can write to Redis can write a list, but no session.
func TestAForgedListGivesNoSessionAway(t *testing.T) {
	t.Parallel()
	m, c := inProcess(t)
	p := newPortal(t, session.Deps{Redis: c})
	b, other := p.browser(t), p.browser(t)
	b.want("/in", "200 ")
	lists := listKeys(m.Keys())
	other.want("/in?name=Ben&person="+ben, "200 ")
	id := idOf(other)
	if len(lists) != 1 {
		t.Fatalf("lists: %q", lists)
	}
	if _, err := m.ZAdd(lists[0], float64(time.Now().Add(time.Hour).UnixMilli()), id); err != nil {
		t.Fatal(err)
	}
	if list := p.list(b, amara.PersonID); len(list) != 1 || list[0].ID == id {
		t.Errorf("listed: %+v", list)
	}
	p.end(b, amara.PersonID, id, false)
	other.want("/who", "200 Ben")
}

func listKeys(keys []string) (lists []string) {
	for _, key := range keys {
		if strings.HasPrefix(key, "patchbay:sessions:") {
			lists = append(lists, key)
		}
	}
	return lists
}

func TestWhatHasEndedIsNotListed(t *testing.T) {
	t.Parallel()
	m, c := inProcess(t)
	clk := newClock()
	m.SetTime(clk.Now())
	pass := func(d time.Duration) {
		clk.add(d)
		m.SetTime(clk.Now())
		m.FastForward(d)
	}
	p := newPortal(t, session.Deps{Redis: c, Now: clk.Now})
	asks := p.browser(t)
	asks.want("/in?person="+ben, "200 ")
	listed := func(want, entries int) {
		t.Helper()
		if list := p.list(asks, amara.PersonID); len(list) != want {
			t.Errorf("%d sessions, want %d: %+v", len(list), want, list)
		}
		n := 0
		for _, key := range listKeys(m.Keys()) {
			members, err := m.ZMembers(key)
			if err != nil {
				t.Fatal(err)
			}
			n += len(members)
		}
		if n != entries+1 { // the one that asks has its own
			t.Errorf("%d entries, want %d and one", n, entries)
		}
	}
	out, idles := p.browser(t), p.browser(t)
	out.want("/in", "200 ")
	idles.want("/in", "200 ")
	listed(2, 2)
	out.want("/out", "200 ")
	listed(1, 2) // for all that the list knows, that session is about to be written
	pass(20 * time.Minute)
	listed(1, 1)
	pass(20 * time.Minute)
	listed(0, 0)

	// A session is used until its absolute end.
	idles.want("/in", "200 ")
	for range 24 {
		pass(29 * time.Minute)
		idles.want("/who", "200 Amara")
		asks.do("/who")
		if !m.Exists("patchbay:session:{" + idOf(idles) + "}") {
			t.Fatal("it has gone early")
		}
	}
	asks.want("/in?person="+ben, "200 ")
	if list := p.list(asks, amara.PersonID); len(list) != 1 || !list[0].SeenAt.Equal(clk.Now()) || !list[0].Ends.Equal(clk.Now().Add(24*time.Minute)) {
		t.Errorf("before its end: %+v", list)
	}
	clk.add(24 * time.Minute) // Redis has not tidied up
	if list := p.list(asks, amara.PersonID); len(list) != 0 {
		t.Errorf("at its end: %+v", list)
	}
	p.end(asks, amara.PersonID, idOf(idles), false)
	m.SetTime(clk.Now())
	m.FastForward(24 * time.Minute)
	listed(0, 0)
}

// A list that is asked for between the two writes of a sign-in must not lose the
// session that is about to be there.
func TestAListThatIsReadDuringASignInLosesNothing(t *testing.T) {
	t.Parallel()
	_, c := inProcess(t)
	p := newPortal(t, session.Deps{Redis: c})
	asks, b := p.browser(t), p.browser(t)
	asks.want("/in?person="+ben, "200 ")
	asked := 0
	c.AddHook(afterCommand{name: "zadd", run: func() {
		asked++
		if list := p.list(asks, amara.PersonID); len(list) != 0 {
			t.Errorf("listed before it is there: %+v", list)
		}
	}})
	b.want("/in", "200 ")
	if list := p.list(asks, amara.PersonID); asked != 1 || len(list) != 1 {
		t.Errorf("asked %d times during the sign-in; listed after it: %+v", asked, list)
	}
}

// afterCommand runs something when a pipeline with the command has been answered.
type afterCommand struct {
	name string
	run  func()
}

func (afterCommand) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (afterCommand) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (a afterCommand) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		err := next(ctx, commands)
		for _, c := range commands {
			if c.Name() == a.name {
				a.run()
			}
		}
		return err
	}
}

// A sign-in that cannot be listed is none: its session could not be found to be ended.
func TestWithoutAListThereIsNoSession(t *testing.T) {
	t.Parallel()
	m, c := inProcess(t)
	p := newPortal(t, session.Deps{Redis: c})
	b := p.browser(t)
	b.want("/in", "200 ")
	list := listKeys(m.Keys())[0]
	m.Del(list)
	if err := m.Set(list, "in the way"); err != nil {
		t.Fatal(err)
	}
	before := len(m.Keys())
	fresh := p.browser(t)
	fresh.want("/in", "503 session.unavailable")
	if len(fresh.cookies) != 0 || len(m.Keys()) != before {
		t.Errorf("cookies %v, keys %q", fresh.cookies, m.Keys())
	}
}

// Sessions of an earlier release have neither "seen" nor a client.
func TestASessionOfAnEarlierReleaseGoesOn(t *testing.T) {
	t.Parallel()
	_, c := inProcess(t)
	p := newPortal(t, session.Deps{Redis: c})
	b := p.browser(t)
	b.want("/in", "200 ")
	if err := c.HDel(context.Background(), "patchbay:session:{"+idOf(b)+"}", "seen").Err(); err != nil {
		t.Fatal(err)
	}
	b.want("/who", "200 Amara")
	if list := p.list(b, amara.PersonID); len(list) != 1 || list[0].SeenAt.IsZero() {
		t.Errorf("listed: %+v", list)
	}
}
