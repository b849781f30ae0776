package webexsim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/unicode/norm"
)

// org is the organization: what is generated from the seed (never changed after
// newOrg) and, on top, what was changed since. Sim.mu guards the changes.
type org struct {
	seed      int64
	id        string // UUID
	first     []string
	last      []string
	firstMail []string // the names as they are in addresses
	lastMail  []string
	people    []person
	roles     []role // of the first people
	foreign   []role
	locations []*place
	queues    []*queue
	agentOf   map[int][]int // person to queues
	hunts     []*huntGroup
	groups    []group

	index   func() *directory    // made when somebody searches for the first time
	devices func() []ownedDevice // made when somebody lists all for the first time

	settings  map[settingKey]map[string]any
	access    map[int]*featureAccess // of people who have, or had, their own
	orgAccess map[string]string
	deleted   map[int]bool
	added     map[int][]addedDevice // by person
	removed   map[int]bool          // devices, by number
	lines     map[int][]line        // of the devices whose lines were changed, by number
}

// person is a row of the generated organization; small, since there may be 100,000.
type person struct {
	first, last uint16 // index into org.first, org.last
	double      uint16 // 0 for the first of a name, else 2, 3, ...
	place       int16  // -1 without Calling
	role        int16  // index into org.roles, -1 for the rest
	extension   uint32 // 0 without Calling
	did         int16  // number of the location's range, -1 without
	flags       uint8
}

const (
	flagPending = 1 << iota
	flagAdmin
	flagAssist // has the licence of Customer Assist
)

// featureAccess is which features the organization leaves to a person. When
// dormant, it is remembered and shown, but the organization's defaults apply.
type featureAccess struct {
	own     map[string]string
	dormant bool
}

// queue is a call queue. Agents are changed in place, under Sim.mu.
type queue struct {
	n         int
	name      string
	place     int
	extension string
	did       int
	assist    bool // Customer Assist (hasCxEssentials)
	allowJoin bool
	enabled   bool
	policy    string
	agents    []agent
	extra     map[string]any // what a PUT of the queue changed besides
}

type agent struct {
	person int
	joined bool
	weight string
	skill  int
}

// huntGroup is a hunt group. Its members, whom Webex calls agents, are simply in it.
type huntGroup struct {
	n         int
	name      string
	place     int
	extension string
	did       int
	enabled   bool
	policy    string
	agents    []agent
	extra     map[string]any // what a PUT changed besides
}

// group is a SCIM group. everybody stands for all people, without a list.
type group struct {
	n         int
	name      string
	members   []int
	nested    []int
	everybody bool
}

// directory finds people by what they are called.
type directory struct {
	byEmail map[string]int
}

// smallCompany is how many people there are when nobody asks for a number.
const smallCompany = 60

// teamSize is how many agents each of the queues of Options.Teams has.
const teamSize = 10

// newOrg generates an organization. 100,000 people take a few tens of
// milliseconds and about 2 MB.
func newOrg(seed int64, people, teams int) *org {
	roles := locals()
	if people <= 0 {
		people = smallCompany
	}
	people = max(people, len(roles))
	if teams > 0 {
		people = max(people, smallCompany+teams*(teamSize+1)) // some are pending, or without Calling
	}
	o := &org{
		seed: seed, id: uuid(seed, kindOrg, 0), roles: roles, foreign: foreigners(),
		people: make([]person, 0, people), agentOf: map[int][]int{},
		settings: map[settingKey]map[string]any{}, access: map[int]*featureAccess{}, deleted: map[int]bool{},
		orgAccess: map[string]string{}, added: map[int][]addedDevice{}, removed: map[int]bool{}, lines: map[int][]line{},
	}
	for i := range places {
		o.locations = append(o.locations, &places[i])
	}
	for _, key := range accessKeys {
		o.orgAccess[key] = full
	}
	// A default that differs from "everything", so that defaults cannot be ignored.
	o.orgAccess["bargeIn"], o.orgAccess["voicemailTransferNumber"], o.orgAccess["generateActivationCode"] = off, off, off

	for _, c := range cultures {
		o.first = append(o.first, c.first...)
		o.last = append(o.last, c.last...)
	}
	o.hire(roles, people)
	o.firstMail, o.lastMail = mails(o.first), mails(o.last)
	o.openQueues()
	o.openTeams(teams)
	o.openHuntGroups()
	o.formGroups()
	o.index = sync.OnceValue(o.makeDirectory)
	o.devices = sync.OnceValue(o.allDevices)
	for i, r := range roles {
		for name, patch := range r.settings {
			var v map[string]any
			if err := json.Unmarshal([]byte(patch), &v); err != nil {
				panic(fmt.Sprintf("webexsim: %s of %s: %v", name, r.Email, err))
			}
			state := o.setting(i, name)
			merge(state, v)
			o.settings[settingKey{i, name}] = state
		}
		if r.access != nil {
			own := map[string]string{}
			for _, key := range accessKeys {
				own[key] = full
			}
			for key, v := range r.access {
				own[key] = v
			}
			o.access[i] = &featureAccess{own: own, dormant: r.dormant}
		}
	}
	return o
}

// hire fills people: the cast first, then others whose location, name and numbers follow from the seed.
func (o *org) hire(roles []role, people int) {
	type name struct{ first, last uint16 }
	namesakes := make(map[name]uint16, people)
	var extensions, dids [64]int
	total := 0
	for i := range o.locations {
		total += o.locations[i].weight
		dids[i] = 1 // 0 is the main number
	}
	add := func(p person) {
		k := name{p.first, p.last}
		namesakes[k]++
		if namesakes[k] > 1 {
			p.double = namesakes[k]
		}
		o.people = append(o.people, p)
	}
	for i, r := range roles {
		p := person{first: nameIndex(&o.first, r.first), last: nameIndex(&o.last, r.last), role: int16(i), place: -1, did: -1}
		if r.admin {
			p.flags |= flagAdmin
		}
		if r.pending {
			p.flags |= flagPending
		}
		if !r.noCalling {
			p.place, p.extension = int16(r.place), uint32(r.extension)
			extensions[r.place]++
			if !r.noNumber {
				p.did = int16(dids[r.place])
				dids[r.place]++
			}
		}
		add(p)
	}
	for i := len(roles); i < people; i++ {
		roll := int(dice(o.seed, kindPerson, i, 10) % uint64(total))
		at := 0
		for roll >= o.locations[at].weight {
			roll -= o.locations[at].weight
			at++
		}
		pick := func(m int) int { // mostly the culture of the place
			if dice(o.seed, kindPerson, i, m)%4 > 0 {
				return o.locations[at].culture
			}
			return int(dice(o.seed, kindPerson, i, m+1) % uint64(len(cultures)))
		}
		c := pick(11)
		l := c
		if dice(o.seed, kindPerson, i, 13)%8 == 0 {
			l = pick(14)
		}
		p := person{
			first: uint16(c*20 + int(dice(o.seed, kindPerson, i, 16)%20)),
			last:  uint16(l*20 + int(dice(o.seed, kindPerson, i, 17)%20)),
			role:  -1, place: int16(at), did: -1,
		}
		if d := dids[at]; d < o.locations[at].reserved() && dice(o.seed, kindPerson, i, 18)%10 > 0 {
			p.did = int16(d)
			dids[at]++
		}
		n := extensions[at]
		extensions[at]++
		p.extension = uint32(1000*(at+1) + n)
		if n >= 900 { // small locations have four digits, large ones more
			p.extension = uint32(100000*(at+1) + n)
		}
		switch dice(o.seed, kindPerson, i, 19) % 40 {
		case 0:
			p.place, p.extension, p.did = -1, 0, -1
		case 1:
			p.flags |= flagPending
		}
		if p.place >= 0 && dice(o.seed, kindPerson, i, 20)%4 == 0 {
			p.flags |= flagAssist
		}
		add(p)
	}
}

// nameIndex finds a name in a list, or adds it: who has the name of somebody in
// the cast has to get another address.
func nameIndex(list *[]string, name string) uint16 {
	i := slices.Index(*list, name)
	if i < 0 {
		i = len(*list)
		*list = append(*list, name)
	}
	return uint16(i)
}

func (o *org) openQueue(name string, at int, assist, allowJoin bool, policy string, agents ...agent) {
	n := len(o.queues)
	extension := 990 + at*1000 + n // just below those of the location's people
	if n >= 10 {
		extension = 90000 + n
	}
	q := &queue{
		n: n, name: name, place: at, extension: fmt.Sprint(extension), did: -1, assist: assist, allowJoin: allowJoin, enabled: true, policy: policy, agents: agents,
	}
	if c := o.locations[at].capacity(); n < c/20 {
		q.did = c - 1 - n
	}
	o.queues = append(o.queues, q)
	for _, a := range agents {
		o.agentOf[a.person] = append(o.agentOf[a.person], n)
		if assist {
			o.people[a.person].flags |= flagAssist
		}
	}
}

// callingAgents finds some people with Calling at a location, the same for the same seed.
func (o *org) callingAgents(at, count, salt int) []agent {
	var list []agent
	start := len(o.roles)
	if len(o.people) == start {
		return nil
	}
	n := len(o.people) - start
	for k := 0; k < n && len(list) < count; k++ {
		i := start + (k*7919+salt*104729)%n
		if k > 0 && i == start+(salt*104729)%n {
			break // once around
		}
		p := o.people[i]
		if int(p.place) == at && p.flags&flagPending == 0 && !slices.ContainsFunc(list, func(a agent) bool { return a.person == i }) {
			list = append(list, agent{person: i, joined: dice(o.seed, kindQueue, i, salt)%3 > 0, skill: 1 + int(dice(o.seed, kindQueue, i, salt+1)%5)})
		}
	}
	return list
}

func (o *org) castAgent(email string, joined bool) agent {
	for i, r := range o.roles {
		if r.Email == email {
			return agent{person: i, joined: joined, skill: 1}
		}
	}
	panic("webexsim: nobody in the cast is called " + email)
}

// openQueues makes the queues of the stories, and one more for every 150 people.
func (o *org) openQueues() {
	add := o.openQueue
	who, calling := o.castAgent, o.callingAgents
	with := func(some []agent, more ...agent) []agent { return append(more, some...) }

	add("Sales Hotline", berlin, false, true, "CIRCULAR", with(calling(berlin, 5, 1), who("greta.holm@patchbay.example", true), who("ben.fischer@patchbay.example", false))...)
	add("Service Berlin", berlin, false, true, "REGULAR", with(calling(berlin, 4, 2), who("greta.holm@patchbay.example", true))...)
	add("Switchboard", berlin, false, false, "SIMULTANEOUS", with(calling(berlin, 3, 3), who("greta.holm@patchbay.example", false), who("lena.braun@patchbay.example", true))...)
	add("Ventas Madrid", madrid, false, true, "UNIFORM", with(calling(madrid, 3, 4), who("ana.lopez@patchbay.example", false))...)
	add("Priority Care", madrid, true, true, "CIRCULAR", with(calling(madrid, 2, 5), who("ana.lopez@patchbay.example", true))...)
	add("Night Desk", chicago, false, true, "REGULAR", with(nil, who("sam.oneill@patchbay.example", true), who("mei.wang@patchbay.example", false))...)
	add("Accounts Payable Questions and Supplier Master Data (EMEA)", london, false, true, "WEIGHTED", with(calling(london, 4, 6), who("tom.baker@patchbay.example", false))...)
	add("VIP Support", sanJose, true, false, "SIMULTANEOUS", with(calling(sanJose, 3, 7), who("zoe.chen@patchbay.example", true))...)
	add("Support Tokyo", tokyo, false, true, "CIRCULAR", calling(tokyo, 3, 8)...)
	add("Old Hotline", berlin, false, true, "REGULAR", with(nil, who("ben.fischer@patchbay.example", true))...)
	o.queues[len(o.queues)-1].enabled = false
	for k := range len(o.people) / 150 {
		at := int(dice(o.seed, kindQueue, k, 90) % uint64(len(o.locations)))
		policy := []string{"CIRCULAR", "REGULAR", "SIMULTANEOUS", "UNIFORM"}[k%4]
		add(fmt.Sprintf("%s %s %d", departments[k%len(departments)], o.locations[at].name, k/len(departments)+1), at, k%7 == 0, k%5 > 0, policy,
			calling(at, 3+int(dice(o.seed, kindQueue, k, 91)%12), 100+k)...)
	}
	for _, q := range o.queues {
		if q.policy == "WEIGHTED" {
			share(q.agents)
		}
	}
}

// share gives weights that add up to 100.
func share(agents []agent) {
	if len(agents) == 0 {
		return
	}
	each := 100 / len(agents)
	for i := range agents {
		agents[i].weight = fmt.Sprint(each)
	}
	agents[0].weight = fmt.Sprint(100 - each*(len(agents)-1))
}

// openTeams makes plain queues of teamSize agents each, who are in no other team.
func (o *org) openTeams(teams int) {
	next := len(o.roles)
	for n := range teams {
		var agents []agent
		for ; next < len(o.people) && len(agents) < teamSize; next++ {
			if o.calling(next) && o.people[next].flags&flagPending == 0 {
				agents = append(agents, agent{person: next, joined: dice(o.seed, kindQueue, next, 92)%3 > 0, skill: 1})
			}
		}
		o.openQueue(fmt.Sprintf("Team %02d", n+1), berlin, false, true, "CIRCULAR", agents...)
	}
}

func (o *org) openHuntGroups() {
	add := func(name string, at int, policy string, agents []agent, more ...agent) {
		n := len(o.hunts)
		h := &huntGroup{n: n, name: name, place: at, extension: fmt.Sprint(980 + at*1000 + n), did: -1, enabled: true, policy: policy, agents: append(more, agents...)}
		if c := o.locations[at].capacity(); c >= 1000 {
			h.did = c*94/100 + n
		}
		if policy == "WEIGHTED" {
			share(h.agents)
		}
		o.hunts = append(o.hunts, h)
	}
	who := func(email string) agent { return o.castAgent(email, false) }
	add("Reception Berlin", berlin, "REGULAR", o.callingAgents(berlin, 2, 21), who("greta.holm@patchbay.example"), who("lena.braun@patchbay.example"))
	add("IT Support Berlin", berlin, "WEIGHTED", o.callingAgents(berlin, 1, 22), who("ben.fischer@patchbay.example"), who("greta.holm@patchbay.example"))
	add("Recepción Madrid", madrid, "CIRCULAR", o.callingAgents(madrid, 2, 23), who("ana.lopez@patchbay.example"))
	add("Front Desk Chicago", chicago, "SIMULTANEOUS", o.callingAgents(chicago, 2, 24), who("sam.oneill@patchbay.example"))
}

func (o *org) formGroups() {
	member := func(emails ...string) []int {
		var list []int
		for i, r := range o.roles {
			if slices.Contains(emails, r.Email) {
				list = append(list, i)
			}
		}
		return list
	}
	o.groups = []group{
		{name: "Portal Helpdesk", members: member("ben.fischer@patchbay.example", "nils.dahl@patchbay.example"), nested: []int{3}},
		{name: "Sales Leads", members: member("greta.holm@patchbay.example", "mei.wang@patchbay.example", "ana.lopez@patchbay.example")},
		{name: "Everybody", everybody: true},
		{name: "Helpdesk Nights", members: member("sam.oneill@patchbay.example")},
		{name: "Empty Group"},
	}
	for i := range o.groups {
		o.groups[i].n = i
	}
}

func (o *org) makeDirectory() *directory {
	d := &directory{byEmail: make(map[string]int, len(o.people))}
	for i := range o.people {
		d.byEmail[strings.ToLower(o.email(i))] = i
	}
	return d
}

// role says what is special about a person; nobody special has the zero role.
func (o *org) role(i int) role {
	if r := o.people[i].role; r >= 0 {
		return o.roles[r]
	}
	return role{}
}

func (o *org) firstName(i int) string { return o.first[o.people[i].first] }
func (o *org) lastName(i int) string  { return o.last[o.people[i].last] }

func (o *org) displayName(i int) string {
	if r := o.people[i].role; r >= 0 {
		return o.roles[r].Name
	}
	return o.firstName(i) + " " + o.lastName(i)
}

func (o *org) email(i int) string {
	p := o.people[i]
	if p.role >= 0 {
		return o.roles[p.role].Email
	}
	local := o.firstMail[p.first] + "." + o.lastMail[p.last]
	if p.double > 0 {
		local += fmt.Sprint(p.double)
	}
	return local + "@patchbay.example"
}

// mails are names as they are written in e-mail addresses.
func mails(names []string) []string {
	special := strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss", "ø", "o", "ı", "i", " ", "-")
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = strings.Map(func(r rune) rune {
			if r == '-' || r >= 'a' && r <= 'z' {
				return r
			}
			return -1 // accents, apostrophes
		}, norm.NFD.String(special.Replace(strings.ToLower(name))))
	}
	return list
}

// find gives the person whom an id, a UUID or an e-mail address names.
func (o *org) find(who string) (int, bool) {
	if strings.Contains(who, "@") {
		i, ok := o.index().byEmail[strings.ToLower(who)]
		return i, ok && !o.deleted[i]
	}
	if i, ok := o.personByID(who); ok {
		return i, true
	}
	return o.personByUUID(strings.ToLower(who))
}

// personByID accepts the ids that answers have shown for the person: their
// cluster's and, because group members and agents come that way, the one of "us".
func (o *org) personByID(id string) (int, bool) {
	cluster, typ, rest, err := decodeID(id)
	if err != nil || (typ != "PEOPLE" && typ != "PERSON") {
		return 0, false
	}
	i, ok := o.personByUUID(rest)
	return i, ok && (cluster == clusterUS || cluster == o.cluster(i))
}

func (o *org) personByUUID(id string) (int, bool) {
	i, ok := number(o.seed, kindPerson, id)
	if !ok || i >= len(o.people) || o.deleted[i] {
		return 0, false
	}
	return i, true
}

func (o *org) cluster(i int) string {
	if p := o.people[i].place; p >= 0 {
		return o.locations[p].cluster
	}
	return clusterUS
}

func (o *org) personUUID(i int) string { return uuid(o.seed, kindPerson, i) }
func (o *org) personID(i int) string   { return encodeID(o.cluster(i), "PEOPLE", o.personUUID(i)) }
func (o *org) orgID() string           { return encodeID(clusterUS, "ORGANIZATION", o.id) }

func (o *org) locationID(at int) string {
	return encodeID(o.locations[at].cluster, "LOCATION", uuid(o.seed, kindLocation, at))
}

func (o *org) locationByID(id string) (int, bool) {
	_, typ, rest, err := decodeID(id)
	if err != nil || typ != "LOCATION" {
		return 0, false
	}
	at, ok := number(o.seed, kindLocation, rest)
	return at, ok && at < len(o.locations)
}

// calling says whether the person has a Calling licence.
func (o *org) calling(i int) bool { return o.people[i].place >= 0 }

// e164 is the person's own number, "" without.
func (o *org) e164(i int) string {
	p := o.people[i]
	if p.place < 0 || p.did < 0 {
		return ""
	}
	return o.locations[p.place].e164(int(p.did))
}

// at is the person's location; only people with Calling have one.
func (o *org) at(i int) *place { return o.locations[o.people[i].place] }

// legacyNumber shows a number as the older answers do: ten digits in the United
// States where the location is an old one, E.164 elsewhere (NOTES.md section 5).
func (p *place) legacyNumber(e164 string) string {
	if rest, ok := strings.CutPrefix(e164, "+1"); ok && p.legacy && len(rest) == 10 {
		return rest
	}
	return e164
}

// order is a permutation of 0..n-1 that is the same on every page but follows
// from nothing: where Webex promises no order, nobody should find one.
func (o *org) order(k kind, n int) func(position int) int {
	if n == 0 {
		return func(int) int { return 0 }
	}
	step := int(dice(o.seed, k, 0, 50)%uint64(n)) | 1
	for gcd(step, n) != 1 {
		step += 2
	}
	start := int(dice(o.seed, k, 0, 51) % uint64(n))
	return func(position int) int { return (start + position*step) % n }
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
