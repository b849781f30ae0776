package access_test

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/problem"
	"patchbay/internal/redisdb"
	"patchbay/internal/redisdb/redistest"
	"patchbay/internal/seal"
)

// organization is who is there and who is in which group, as far as that is known.
type organization struct {
	mu      sync.Mutex
	people  []string
	groups  map[string][]string
	unknown map[string]bool
}

func newOrganization() *organization {
	return &organization{
		people: []string{boss, ines, ben, greta, ana, tom}, groups: map[string][]string{desk: {ben}, sales: {greta}}, unknown: map[string]bool{},
	}
}

func (o *organization) Lookup(person string) (string, string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	person = strings.TrimSuffix(person, "@patchbay.example")
	return person, "Name of " + person, slices.Contains(o.people, person)
}

func (o *organization) GroupName(group string) (string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.groups[group]
	return "Name of " + group, ok
}

func (o *organization) KnowsMembers(group string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.groups[group]
	return ok && !o.unknown[group]
}

func (o *organization) InGroup(group, person string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.unknown[group] && slices.Contains(o.groups[group], person)
}

func (o *organization) set(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

// world is some replicas on one Redis.
type world struct {
	t        testing.TB
	redis    redis.UniversalClient
	org      *organization
	sealer   *seal.Sealer
	log      *audit.Log
	mu       sync.Mutex
	time     time.Time
	replicas []*access.Service
}

// bossCaller is one of PORTAL_ADMINS.
func bossCaller() access.Caller {
	return access.NewCaller(boss, "The Boss").With(access.Holding{Role: access.Administrator, Scope: everything})
}

// newWorld makes one; the boss is one of PORTAL_ADMINS if admins.
func newWorld(t testing.TB, address string, replicas int, admins bool) *world {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	db, err := redisdb.Open(context.Background(), address, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	sealer, err := seal.New([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, redis: db, org: newOrganization(), sealer: sealer, time: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	w.log = audit.New(db, sealer, w.now, 0)
	for range replicas {
		w.replicas = append(w.replicas, access.New(access.Deps{
			Redis: db, Sealer: sealer, Audit: w.log, Organization: w.org, IsAdmin: func(email string) bool { return admins && email == "boss" }, HasAdmins: admins,
			Settings: []string{"callForwarding", "queues"}, Now: w.now, Log: quiet,
		}))
	}
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.time = w.time.Add(d)
}

func (w *world) caller(replica int, person string) access.Caller {
	w.t.Helper()
	c, err := w.replicas[replica].Caller(context.Background(), person, "Name of "+person, map[string]string{boss: "boss"}[person])
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func to(person string) access.Grantee { return access.Grantee{Person: person} }

// grant grants as the boss, and all replicas know.
func (w *world) grant(to access.Grantee, role access.Role, s access.Scope, until time.Time) access.Made {
	w.t.Helper()
	made, err := w.replicas[0].Create(context.Background(), bossCaller(), access.Grant{To: to, Role: role, Scope: s, Until: until, Reason: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.pass(2 * time.Second)
	return made
}

func code(err error) problem.Code {
	var p *problem.Error
	if errors.As(err, &p) {
		return p.Code
	}
	return 0
}

func key(err error) string {
	var p *problem.Error
	if errors.As(err, &p) {
		return p.Public.Key
	}
	return ""
}

func wantKey(t testing.TB, what string, err error, want string) {
	t.Helper()
	if key(err) != want {
		t.Errorf("%s: %v, want %q", what, err, want)
	}
}

func TestGrantsReachWhomTheyNameAndEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", 2, true)
	person := access.Target{Person: greta, Location: berlin}
	may := func(who string) bool {
		_, ok := w.caller(1, who).MayOn(access.ChangePeople, person)
		return ok
	}
	direct := w.grant(to(tom), access.Helpdesk, in(berlin), w.now().Add(time.Hour))
	w.grant(access.Grantee{Group: desk}, access.Helpdesk, in(berlin), time.Time{})
	if !may(tom) || !may(ben) || may(ana) {
		t.Errorf("tom %v, ben through the group %v, ana %v", may(tom), may(ben), may(ana))
	}
	w.org.set(func() { w.org.unknown[desk] = true })
	if may(ben) {
		t.Error("a group of which the members are not known gives rights")
	}
	w.pass(time.Hour)
	if may(tom) {
		t.Error("a grant outlives its end")
	}
	if list, err := w.replicas[1].List(context.Background(), bossCaller(), access.Filter{}); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := w.replicas[0].Grant(context.Background(), bossCaller(), direct.Grant.ID); code(err) != problem.NotFound {
		t.Errorf("a grant that has ended: %v", err)
	}
}

func TestNobodyGrantsMoreThanTheyHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", 1, true)
	soon, later := w.now().Add(24*time.Hour), w.now().Add(48*time.Hour)
	w.grant(to(ines), access.Administrator, in(berlin), soon)
	w.grant(to(ben), access.Helpdesk, everything, time.Time{})
	w.grant(to(tom), access.Auditor, everything, time.Time{})
	tests := map[string]struct {
		by   string
		wish access.Grant
		want string
	}{
		"what is held, for as long":         {ines, access.Grant{To: to(greta), Role: access.Helpdesk, Scope: in(berlin), Until: soon}, ""},
		"all of what is held":               {ines, access.Grant{To: to(greta), Role: access.Administrator, Scope: in(berlin), Until: soon}, ""},
		"longer":                            {ines, access.Grant{To: to(greta), Role: access.Helpdesk, Scope: in(berlin), Until: later}, "grant.tooMuch"},
		"for good":                          {ines, access.Grant{To: to(greta), Role: access.Helpdesk, Scope: in(berlin)}, "grant.tooMuch"},
		"another location":                  {ines, access.Grant{To: to(greta), Role: access.Helpdesk, Scope: in(munich), Until: soon}, "grant.tooMuch"},
		"one location more":                 {ines, access.Grant{To: to(greta), Role: access.Helpdesk, Scope: in(berlin, munich), Until: soon}, "grant.tooMuch"},
		"the organization":                  {ines, access.Grant{To: to(greta), Role: access.Lead, Scope: everything, Until: soon}, "grant.tooMuch"},
		"people who may move away":          {ines, access.Grant{To: to(greta), Role: access.Helpdesk, Scope: access.Scope{People: []string{ana}}, Until: soon}, "grant.tooMuch"},
		"themselves":                        {ines, access.Grant{To: to(ines), Role: access.Helpdesk, Scope: in(berlin), Until: soon}, "grant.own"},
		"themselves, by address":            {ines, access.Grant{To: to(ines + "@patchbay.example"), Role: access.Helpdesk, Scope: in(berlin), Until: soon}, "grant.own"},
		"a group of theirs":                 {ines, access.Grant{To: access.Grantee{Group: sales}, Role: access.Helpdesk, Scope: in(berlin), Until: soon}, "grant.own"},
		"a group of which little is known":  {ines, access.Grant{To: access.Grantee{Group: desk}, Role: access.Helpdesk, Scope: in(berlin), Until: soon}, "grant.members"},
		"a helper grants nothing":           {ben, access.Grant{To: to(greta), Role: access.Helpdesk, Scope: in(berlin)}, "grant.tooMuch"},
		"an auditor grants nothing":         {tom, access.Grant{To: to(greta), Role: access.Auditor, Scope: everything}, "grant.tooMuch"},
		"a user grants nothing":             {ana, access.Grant{To: to(greta), Role: access.Lead, Scope: in(berlin)}, "grant.tooMuch"},
		"a user lends somebody else's":      {ana, access.Grant{To: to(tom), Role: access.Colleague, Scope: access.Scope{People: []string{greta}}, Until: soon}, "grant.lendOwn"},
		"a user lends themselves":           {ana, access.Grant{To: to(ana), Role: access.Colleague, Scope: access.Scope{People: []string{ana}}, Until: soon}, "grant.lendOwn"},
		"an administrator lends another's":  {ines, access.Grant{To: to(tom), Role: access.Colleague, Scope: access.Scope{People: []string{greta}}, Until: soon}, "grant.lendOwn"},
		"a boss grants themselves anything": {boss, access.Grant{To: to(boss), Role: access.Helpdesk, Scope: everything}, ""},
		"a user lends their own":            {ana, access.Grant{To: to(tom), Role: access.Colleague, Scope: access.Scope{People: []string{ana}}, Until: soon}, ""},
	}
	w.org.set(func() { w.org.groups[sales] = append(w.org.groups[sales], ines); w.org.unknown[desk] = true })
	for name, tt := range tests {
		made, err := w.replicas[0].Create(context.Background(), w.caller(0, tt.by), tt.wish)
		wantKey(t, name, err, tt.want)
		if err == nil && made.RecordID == "" {
			t.Errorf("%s: not recorded", name)
		}
	}
	if ids := w.replicas[0].GroupIDs(context.Background()); !slices.Contains(ids, desk) {
		t.Errorf("the group of which too little was known is not looked into: %v", ids)
	}
}

func TestWishesThatMakeNoSense(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", 1, true)
	many := make([]string, 201)
	for i := range many {
		many[i] = id(i)
	}
	tests := map[string]struct {
		wish  access.Grant
		field string
	}{
		"to nobody":                 {access.Grant{Role: access.Helpdesk, Scope: everything}, "to"},
		"to a person and a group":   {access.Grant{To: access.Grantee{Person: ana, Group: desk}, Role: access.Helpdesk, Scope: everything}, "to"},
		"to a stranger":             {access.Grant{To: to("stranger"), Role: access.Helpdesk, Scope: everything}, "to.person"},
		"to an unknown group":       {access.Grant{To: access.Grantee{Group: berlin}, Role: access.Helpdesk, Scope: everything}, "to.group"},
		"a role of everybody":       {access.Grant{To: to(ana), Role: access.User, Scope: everything}, "role"},
		"no role":                   {access.Grant{To: to(ana), Scope: everything}, "role"},
		"no scope":                  {access.Grant{To: to(ana), Role: access.Helpdesk}, "scope"},
		"two scopes":                {access.Grant{To: to(ana), Role: access.Helpdesk, Scope: access.Scope{Organization: true, Locations: []string{berlin}}}, "scope"},
		"a scope of another role":   {access.Grant{To: to(ana), Role: access.Lead, Scope: access.Scope{People: []string{greta}}}, "scope"},
		"no id in the scope":        {access.Grant{To: to(ana), Role: access.Helpdesk, Scope: in("Berlin")}, "scope.locations"},
		"too many":                  {access.Grant{To: to(ana), Role: access.Helpdesk, Scope: in(many...)}, "scope.locations"},
		"an end in the past":        {access.Grant{To: to(ana), Role: access.Helpdesk, Scope: everything, Until: w.now()}, "until"},
		"lent for good":             {access.Grant{To: to(ana), Role: access.Colleague, Scope: access.Scope{People: []string{boss}}}, "until"},
		"lent for longer than year": {access.Grant{To: to(ana), Role: access.Colleague, Scope: access.Scope{People: []string{boss}}, Until: w.now().Add(400 * 24 * time.Hour)}, "until"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := w.replicas[0].Create(context.Background(), bossCaller(), tt.wish)
			var p *problem.Error
			if !errors.As(err, &p) || p.Code != problem.Invalid || len(p.Fields) != 1 || p.Fields[0].Name != tt.field {
				t.Errorf("%v %+v, want a fault at %s", err, p, tt.field)
			}
		})
	}
	if _, err := w.replicas[0].Create(context.Background(), bossCaller(), access.Grant{To: to(ana), Role: access.Helpdesk, Scope: everything, Reason: strings.Repeat("x", 501)}); code(err) != problem.Malformed {
		t.Errorf("an endless reason: %v", err)
	}
}

func TestWhoRevokesAndExtends(t *testing.T) {
	t.Parallel()
	soon := time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)
	ctx := context.Background()
	type act func(w *world, c access.Caller, id string) error
	revoke := func(w *world, c access.Caller, id string) error {
		_, err := w.replicas[0].Revoke(ctx, c, id, access.Options{})
		return err
	}
	extend := func(until time.Time) act {
		return func(w *world, c access.Caller, id string) error {
			_, err := w.replicas[0].Extend(ctx, c, id, until, "")
			return err
		}
	}
	tests := map[string]struct {
		by    string
		scope access.Scope
		do    act
		want  string
	}{
		"who granted it":                             {boss, in(munich), revoke, ""},
		"an administrator of the place":              {ines, in(berlin), revoke, ""},
		"an administrator of another place":          {ines, in(munich), revoke, "grant.notFound"},
		"who holds it gives it up":                   {greta, in(berlin), revoke, ""},
		"somebody else does not even see it":         {ana, in(berlin), revoke, "grant.notFound"},
		"an auditor sees it but does not revoke it":  {tom, in(berlin), revoke, "grant.tooMuch"},
		"the boss extends":                           {boss, in(berlin), extend(soon.Add(99 * time.Hour)), ""},
		"the boss for good":                          {boss, in(berlin), extend(time.Time{}), ""},
		"to the past":                                {boss, in(berlin), extend(soon.Add(-48 * time.Hour)), "setting.invalid"},
		"as far as one's own":                        {ines, in(berlin), extend(soon), ""},
		"further than one's own":                     {ines, in(berlin), extend(soon.Add(time.Hour)), "grant.tooMuch"},
		"who holds it does not extend it":            {greta, in(berlin), extend(soon), "grant.tooMuch"},
		"who does not see it does not extend it":     {ana, in(berlin), extend(soon), "grant.notFound"},
		"an administrator of a part extends nothing": {ines, in(berlin, munich), extend(soon), "grant.notFound"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", 1, true)
			w.grant(to(ines), access.Administrator, in(berlin), soon)
			w.grant(to(tom), access.Auditor, everything, time.Time{})
			g := w.grant(to(greta), access.Helpdesk, tt.scope, soon.Add(-time.Hour))
			wantKey(t, name, tt.do(w, w.caller(0, tt.by), g.Grant.ID), tt.want)
		})
	}
}

// Whoever reads the access to somebody sees all who reach them, also by a scope
// that is wider than their own.
func TestWhoSeesWhichGrants(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", 1, true)
	w.grant(to(ines), access.Administrator, in(berlin), time.Time{})
	w.grant(to(tom), access.Helpdesk, in(berlin, munich), time.Time{})
	w.grant(to(ben), access.Helpdesk, in(munich), time.Time{})
	w.grant(access.Grantee{Group: sales}, access.Lead, access.Scope{Queues: []string{hotline}}, time.Time{})
	here, there := access.Target{Person: ana, Location: berlin}, access.Target{Person: ana, Location: munich}
	tests := map[string]struct {
		by   string
		f    access.Filter
		want int
	}{
		"the boss sees all":                           {boss, access.Filter{}, 4},
		"those of a person":                           {boss, access.Filter{To: tom}, 1},
		"those of a person through a group":           {boss, access.Filter{To: greta}, 1},
		"those of a group":                            {boss, access.Filter{To: sales}, 1},
		"those that reach a person":                   {boss, access.Filter{On: &here}, 2},
		"those that reach a queue":                    {boss, access.Filter{On: &access.Target{Queue: hotline, Location: berlin}}, 2},
		"those that reach who holds them":             {boss, access.Filter{On: &access.Target{Person: tom, Location: berlin}}, 1},
		"of a place, what is within it":               {ines, access.Filter{}, 1},
		"of a place, who reaches its people":          {ines, access.Filter{On: &here}, 2},
		"of a place, not who reaches others":          {ines, access.Filter{On: &there}, 0},
		"a user sees what they hold":                  {greta, access.Filter{}, 1},
		"a user who holds nothing":                    {ana, access.Filter{}, 0},
		"a user does not see who could change theirs": {ana, access.Filter{On: &here}, 0},
	}
	for name, tt := range tests {
		list, err := w.replicas[0].List(context.Background(), w.caller(0, tt.by), tt.f)
		if err != nil || len(list) != tt.want {
			t.Errorf("%s: %d grants, %v; want %d", name, len(list), err, tt.want)
		}
	}
}

func TestWhatWasTakenAwayMeanwhileCountsNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", 2, true)
	g := w.grant(to(ines), access.Administrator, everything, time.Time{})
	stale := w.caller(1, ines)
	if _, err := w.replicas[0].Revoke(context.Background(), bossCaller(), g.Grant.ID, access.Options{}); err != nil {
		t.Fatal(err)
	}
	_, err := w.replicas[1].Create(context.Background(), stale, access.Grant{To: to(tom), Role: access.Administrator, Scope: everything})
	wantKey(t, "a grant by who was an administrator a moment ago", err, "grant.tooMuch")
	_, _, err = w.replicas[1].SetPolicy(context.Background(), stale, &access.Policy{Contact: "me"}, access.PolicyOptions{})
	wantKey(t, "the policy by who was an administrator a moment ago", err, "web.forbidden")
}

// What waits for Webex is decided again before it is sent.
func TestAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t, "", 1, true)
	s := w.replicas[0]
	w.org.set(func() { w.org.groups[sales] = []string{ines} })
	g := w.grant(to(tom), access.Helpdesk, everything, time.Time{})
	w.grant(access.Grantee{Group: sales}, access.Helpdesk, everything, time.Time{})
	direct, through := w.caller(0, tom), w.caller(0, ines)
	may := func(c access.Caller) bool {
		t.Helper()
		again, err := s.Again(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		level, _ := again.Level(access.Target{Person: greta, Location: berlin}, "queues")
		return level == access.Write
	}
	if !may(direct) || !may(through) || !may(bossCaller()) {
		t.Fatal("what is held does not count")
	}
	w.org.set(func() { w.org.groups[sales] = nil })
	if may(through) {
		t.Error("who has left the group is still the helpdesk")
	}
	if _, _, err := s.SetPolicy(ctx, bossCaller(), &access.Policy{Default: access.SettingLevels{"queues": {access.Helpdesk: access.Read}}}, access.PolicyOptions{}); err != nil {
		t.Fatal(err)
	}
	if may(direct) || !may(bossCaller()) {
		t.Error("the policy of now does not count")
	}
	if _, err := s.Revoke(ctx, bossCaller(), g.Grant.ID, access.Options{}); err != nil {
		t.Fatal(err)
	}
	again, err := s.Again(ctx, direct)
	if err != nil || again.May(access.ReadPeople) || !again.May(access.ChangeOwn) {
		t.Errorf("after the revocation: %v, %v", again.Permissions(), err)
	}
}

func TestTheSameIsNotGrantedTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", 1, true)
	wish := access.Grant{To: to(tom), Role: access.Helpdesk, Scope: in(berlin), Until: w.now().Add(time.Hour), Reason: "test"}
	create := func(g access.Grant) error {
		_, err := w.replicas[0].Create(context.Background(), bossCaller(), g)
		return err
	}
	if err := create(wish); err != nil {
		t.Fatal(err)
	}
	wantKey(t, "the same again", create(wish), "grant.already")
	other := wish
	other.Until = time.Time{}
	if err := create(other); err != nil {
		t.Errorf("with another end: %v", err)
	}
	w.pass(2 * time.Hour)
	wish.Until = w.now().Add(time.Hour)
	if err := create(wish); err != nil {
		t.Errorf("when the first has ended: %v", err)
	}
}

// Nobody fills the grants, which all replicas read, with what they lend.
func TestLendingsAreBounded(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t, "", 1, true)
	w.org.set(func() {
		for i := range 60 {
			w.org.people = append(w.org.people, id(900+i))
		}
	})
	lend := func(i int, lasts time.Duration) error {
		_, err := w.replicas[0].Lend(ctx, w.caller(0, greta), id(900+i), w.now().Add(lasts), "")
		return err
	}
	if err := lend(0, time.Hour); err != nil {
		t.Fatal(err)
	}
	wantKey(t, "the same to the same colleague", lend(0, 2*time.Hour), "lend.already")
	for i := 1; i < 50; i++ {
		if err := lend(i, time.Minute); err != nil {
			t.Fatalf("the %d.: %v", i+1, err)
		}
	}
	wantKey(t, "one too many", lend(50, time.Hour), "lend.tooMany")
	w.pass(time.Hour + time.Minute)
	wantKey(t, "after all have ended", lend(50, time.Hour), "lend.tooMany")
	if _, err := w.replicas[0].Lend(ctx, w.caller(0, ana), greta, w.now().Add(time.Hour), ""); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	w.pass(32 * 24 * time.Hour)
	if err := lend(50, time.Hour); err != nil {
		t.Errorf("a month later: %v", err)
	}
}

// inBase64 is the id of a location in its other spelling.
func inBase64(id string) string {
	return base64.RawStdEncoding.EncodeToString([]byte("ciscospark://us/LOCATION/" + id))
}

func TestTheLastAdministratorStays(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	address, _ := redistest.Start(t)
	for round := range 8 {
		w := newWorld(t, address, 2, false)
		if err := w.redis.FlushAll(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		one, two := w.grant(to(ines), access.Administrator, everything, time.Time{}), w.grant(to(tom), access.Administrator, everything, time.Time{})
		w.grant(access.Grantee{Group: desk}, access.Administrator, everything, time.Time{})
		w.grant(to(ana), access.Administrator, everything, w.now().Add(time.Hour))
		w.grant(to(greta), access.Administrator, in(berlin), time.Time{})
		errs := make([]error, 2)
		var wg sync.WaitGroup
		for i, g := range []string{one.Grant.ID, two.Grant.ID} {
			wg.Go(func() {
				if (round+i)%2 == 0 {
					_, errs[i] = w.replicas[i].Revoke(ctx, bossCaller(), g, access.Options{})
				} else {
					_, errs[i] = w.replicas[i].Extend(ctx, bossCaller(), g, w.now().Add(time.Hour), "")
				}
			})
		}
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || key(errors.Join(errs...)) != "grant.last" {
			t.Errorf("two at once: %v and %v", errs[0], errs[1])
		}
	}
	w := newWorld(t, "", 1, false)
	one := w.grant(to(ines), access.Administrator, everything, time.Time{})
	w.grant(to(tom), access.Administrator, everything, time.Time{})
	w.org.set(func() { w.org.people = slices.DeleteFunc(w.org.people, func(p string) bool { return p == tom }) })
	_, err := w.replicas[0].Revoke(ctx, w.caller(0, ines), one.Grant.ID, access.Options{})
	wantKey(t, "when the other one has left", err, "grant.last")
}

func TestUndo(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t, "", 1, true)
	s := w.replicas[0]
	entry := func(recordID string) audit.Entry {
		t.Helper()
		e, err := w.log.Get(ctx, recordID)
		if err != nil || e.Outcome != audit.Done {
			t.Fatalf("%+v, %v", e, err)
		}
		return e
	}
	grants := func() int {
		list, err := s.List(ctx, bossCaller(), access.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	made := w.grant(to(tom), access.Helpdesk, in(berlin), time.Time{})
	extended, err := s.Extend(ctx, bossCaller(), made.Grant.ID, w.now().Add(time.Hour), "")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.UndoGrant(ctx, bossCaller(), entry(made.RecordID), "", "")
	wantKey(t, "undo of what has moved since", err, "grant.moved")
	if _, _, err := s.UndoGrant(ctx, bossCaller(), entry(extended.RecordID), "", ""); err != nil {
		t.Error(err)
	}
	if g, err := s.Grant(ctx, bossCaller(), made.Grant.ID); err != nil || !g.Until.IsZero() {
		t.Errorf("the end before: %+v, %v", g, err)
	}
	revoked, err := s.Revoke(ctx, bossCaller(), made.Grant.ID, access.Options{Reason: "left"})
	if err != nil || grants() != 0 {
		t.Fatal(err, grants())
	}
	if s.MayUndo(w.caller(0, ana), entry(revoked.RecordID)) {
		t.Error("anybody could undo it")
	}
	_, _, err = s.UndoGrant(ctx, w.caller(0, tom), entry(revoked.RecordID), "*", "")
	wantKey(t, "who lost it puts it back", err, "grant.tooMuch")
	backID, _, err := s.UndoGrant(ctx, bossCaller(), entry(revoked.RecordID), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if back, err := s.Grant(ctx, bossCaller(), made.Grant.ID); err != nil || back.By != made.Grant.By || !back.At.Equal(made.Grant.At) {
		t.Errorf("%+v, %v; want %+v", back, err, made.Grant)
	}
	if e := entry(backID); e.Undoes != revoked.RecordID {
		t.Errorf("it is not recorded as an undo: %+v", e)
	}
	if _, _, err := s.UndoGrant(ctx, bossCaller(), entry(made.RecordID), "", ""); err != nil || grants() != 0 {
		t.Errorf("undo of the grant: %v, %d are left", err, grants())
	}

	_, first, err := s.SetPolicy(ctx, bossCaller(), &access.Policy{Contact: "IT, ext. 1000"}, access.PolicyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, again, err := s.SetPolicy(ctx, bossCaller(), &access.Policy{Contact: "IT, ext. 1000"}, access.PolicyOptions{}); err != nil || again != "" {
		t.Errorf("the same policy once more: record %q, %v", again, err)
	}
	_, second, err := s.SetPolicy(ctx, bossCaller(), &access.Policy{Contact: "IT, ext. 2000"}, access.PolicyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.UndoPolicy(ctx, bossCaller(), entry(first), "", "")
	wantKey(t, "undo of a policy that has moved since", err, "policy.changed")
	if _, now, err := s.UndoPolicy(ctx, bossCaller(), entry(second), "", ""); err != nil || !strings.Contains(string(now.JSON), "IT, ext. 1000") {
		t.Errorf("%+v, %v", now, err)
	}
	if _, now, err := s.UndoPolicy(ctx, bossCaller(), entry(second), "*", ""); err != nil || !strings.Contains(string(now.JSON), "IT, ext. 1000") {
		t.Errorf("%+v, %v", now, err)
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t, "", 2, true)
	tests := map[string]struct {
		wish  *access.Policy
		field string
	}{
		"an unknown setting":      {&access.Policy{Default: access.SettingLevels{"volume": {access.User: access.Read}}}, "default.volume"},
		"an unknown role":         {&access.Policy{Default: access.SettingLevels{"queues": {"lead": access.Read}}}, "default.queues.lead"},
		"an unknown level":        {&access.Policy{Default: access.SettingLevels{"queues": {access.User: "open"}}}, "default.queues.user"},
		"no location":             {&access.Policy{Locations: map[string]access.SettingLevels{"Berlin": {}}}, "locations.Berlin"},
		"a location's setting":    {&access.Policy{Locations: map[string]access.SettingLevels{berlin: {"volume": {}}}}, "locations." + berlin + ".volume"},
		"a location twice":        {&access.Policy{Locations: map[string]access.SettingLevels{berlin: {}, inBase64(berlin): {}}}, "locations." + inBase64(berlin)},
		"a reason of everybody":   {&access.Policy{ReasonRequired: []access.Role{access.User}}, "reasonRequired"},
		"a contact without end":   {&access.Policy{Contact: strings.Repeat("x", 201)}, "contact"},
		"a contact of many lines": {&access.Policy{Contact: "a\nb"}, "contact"},
	}
	for name, tt := range tests {
		_, _, err := w.replicas[0].SetPolicy(ctx, bossCaller(), tt.wish, access.PolicyOptions{})
		var p *problem.Error
		if !errors.As(err, &p) || len(p.Fields) != 1 || p.Fields[0].Name != tt.field {
			t.Errorf("%s: %v %+v", name, err, p)
		}
	}
	if _, _, err := w.replicas[0].SetPolicy(ctx, bossCaller(), nil, access.PolicyOptions{}); code(err) != problem.Malformed {
		t.Errorf("no policy: %v", err)
	}
	for who, c := range map[string]access.Caller{"a user": access.NewCaller(ana, ""), "an auditor": holds(ana, access.Auditor, everything), "an administrator of a place": holds(ana, access.Administrator, in(berlin))} {
		_, _, err := w.replicas[0].SetPolicy(ctx, c, &access.Policy{}, access.PolicyOptions{})
		wantKey(t, who, err, "web.forbidden")
	}
	before, err := w.replicas[0].ReadThePolicy(ctx, bossCaller())
	if err != nil {
		t.Fatal(err)
	}
	wish := &access.Policy{Default: access.SettingLevels{"queues": {access.User: access.Read}}}
	for _, tag := range []string{`"other"`, `"other", "another"`} {
		_, _, err := w.replicas[0].SetPolicy(ctx, bossCaller(), wish, access.PolicyOptions{IfMatch: tag})
		wantKey(t, tag, err, "policy.changed")
	}
	if _, _, err := w.replicas[0].SetPolicy(ctx, bossCaller(), wish, access.PolicyOptions{IfMatch: `"other", ` + before.ETag()}); err != nil {
		t.Error(err)
	}
	w.pass(2 * time.Second)
	if level, _ := w.caller(1, ana).Level(access.Target{Person: ana}, "queues"); level != access.Read {
		t.Errorf("another replica leaves %s", level)
	}
}

// A replica died between the record and the change, or after the change.
func TestSettle(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newWorld(t, "", 2, true)
	made := w.grant(to(tom), access.Helpdesk, in(berlin), w.now().Add(time.Hour))
	done, err := w.log.Get(ctx, made.RecordID)
	if err != nil {
		t.Fatal(err)
	}
	undone := done
	undone.Object.ID = "NEVERCAME"
	other := done
	other.After = []byte(strings.Replace(string(done.After), "helpdesk", "lead", 1))
	_, record, err := w.replicas[0].SetPolicy(ctx, bossCaller(), &access.Policy{Contact: "x"}, access.PolicyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := w.log.Get(ctx, record)
	if err != nil {
		t.Fatal(err)
	}
	w.pass(2 * time.Hour) // a grant that has ended meanwhile was made all the same
	for want, e := range map[audit.Outcome][]audit.Entry{audit.Done: {done, policy}, audit.Failed: {undone}, audit.Unknown: {other}} {
		for _, e := range e {
			if got, err := w.replicas[1].Settle(ctx, e); err != nil || got != want {
				t.Errorf("%s: %v, want %s", got, err, want)
			}
		}
	}
}

// What was written to Redis by somebody else gives nothing and takes nothing away
// that would open something.
func TestTamperingWithRedis(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const state = "patchbay:{access}:state"
	tests := map[string]func(w *world, before map[string]string){
		"the grants of before under the new version": func(w *world, before map[string]string) {
			w.redis.HSet(ctx, state, "sealed", before["sealed"])
		},
		"the version of before over the new grants": func(w *world, before map[string]string) {
			w.redis.HSet(ctx, state, "version", before["version"])
		},
		"no grants":  func(w *world, _ map[string]string) { w.redis.HDel(ctx, state, "sealed") },
		"no version": func(w *world, _ map[string]string) { w.redis.HDel(ctx, state, "version") },
		"grants in plain words": func(w *world, _ map[string]string) {
			w.redis.HSet(ctx, state, "sealed", `{"grants":[{"id":"x","to":{"person":"`+tom+`"},"role":"administrator","scope":{"organization":true}}]}`)
		},
	}
	for name, tamper := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "", 2, true)
			g := w.grant(to(tom), access.Administrator, everything, time.Time{})
			before := w.redis.HGetAll(ctx, state).Val()
			for k, v := range before {
				if strings.Contains(k+v, tom) || strings.Contains(v, "administrator") {
					t.Error("what Redis holds can be read")
				}
			}
			if _, err := w.replicas[0].Revoke(ctx, bossCaller(), g.Grant.ID, access.Options{}); err != nil {
				t.Fatal(err)
			}
			tamper(w, before)
			w.pass(10 * time.Second)
			for _, s := range w.replicas {
				c, err := s.Caller(ctx, tom, "Tom", "")
				if err == nil && c.May(access.ReadPeople) || err != nil && code(err) != problem.Unavailable {
					t.Errorf("he is %v, %v", c.Roles(), err)
				}
			}
		})
	}
}

func TestRedisIsAway(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	address, ctl := redistest.Start(t)
	w := newWorld(t, address, 1, true)
	g := w.grant(to(tom), access.Helpdesk, in(berlin), time.Time{})
	if !w.caller(0, tom).May(access.ReadPeople) {
		t.Fatal("he holds nothing")
	}
	ctl.Stop()
	w.pass(3 * time.Second)
	if !w.caller(0, tom).May(access.ReadPeople) {
		t.Error("a moment without Redis ends all access")
	}
	began := time.Now()
	for range 50 { // others do not wait for Redis one after the other
		_, _ = w.replicas[0].Caller(ctx, tom, "", "")
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("fifty requests took %s", took)
	}
	w.pass(2 * time.Second)
	if c, err := w.replicas[0].Caller(ctx, tom, "", ""); code(err) != problem.Unavailable {
		t.Errorf("he is %v, %v", c.Roles(), err)
	}
	if _, err := w.replicas[0].Revoke(ctx, bossCaller(), g.Grant.ID, access.Options{}); code(err) != problem.Unavailable {
		t.Errorf("revoking: %v", err)
	}
	ctl.Restart()
	w.pass(2 * time.Second)
	if !w.caller(0, tom).May(access.ReadPeople) {
		t.Error("Redis is back, his grant is not")
	}
}

// Many write at once through several replicas: nothing is lost.
func TestWritersTakeTurns(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	address, _ := redistest.Start(t)
	w := newWorld(t, address, 3, true)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			if _, err := w.replicas[i%3].Create(ctx, bossCaller(), access.Grant{To: to(tom), Role: access.Helpdesk, Scope: in(id(1000 + i))}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Go(func() {
		if _, _, err := w.replicas[1].SetPolicy(ctx, bossCaller(), &access.Policy{Contact: "IT"}, access.PolicyOptions{}); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	w.pass(2 * time.Second)
	c := w.caller(2, tom)
	if len(c.Holdings) != 13 || c.Policy.Contact != "IT" {
		t.Errorf("%d holdings, contact %q", len(c.Holdings), c.Policy.Contact)
	}
}

// A writer whose lock has lapsed writes nothing over what came after.
func TestALateWriterIsTold(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	address, _ := redistest.Start(t)
	w := newWorld(t, address, 2, true)
	w.grant(to(tom), access.Helpdesk, in(berlin), time.Time{})
	// The other replica writes between this one's reading and its writing.
	slow := access.New(access.Deps{
		Redis: w.redis, Sealer: w.sealer, Audit: w.log, Organization: meddler{w.org, func() {
			w.redis.HSet(ctx, "patchbay:{access}:state", "version", "another")
		}}, IsAdmin: func(string) bool { return false }, HasAdmins: true, Now: w.now, Log: slog.New(slog.DiscardHandler),
	})
	made, err := slow.Create(ctx, bossCaller(), access.Grant{To: to(ana), Role: access.Helpdesk, Scope: in(berlin)})
	wantKey(t, "a write over another one", err, "grant.changed")
	if e, err := w.log.Get(ctx, made.RecordID); err != nil || e.Outcome != audit.Failed {
		t.Errorf("the record says %+v, %v", e, err)
	}
}

// meddler does something while a wish is looked at.
type meddler struct {
	*organization
	do func()
}

func (m meddler) Lookup(person string) (string, string, bool) {
	m.do()
	return m.organization.Lookup(person)
}

func BenchmarkCaller(b *testing.B) {
	w := newWorld(b, "", 1, true)
	for i := range 300 {
		w.grant(to([]string{tom, ana, ben}[i%3]), access.Helpdesk, in(id(1000+i)), time.Time{})
	}
	b.ReportAllocs()
	for b.Loop() {
		w.caller(0, greta)
	}
}
