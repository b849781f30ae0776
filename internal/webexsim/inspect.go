package webexsim

import (
	"encoding/json"
	"fmt"
	"slices"
)

// PersonInfo is what tests ask about a person. Wherever a person is asked for,
// an e-mail address, an id or a bare UUID will do.
type PersonInfo struct {
	ID          string `json:"id"`   // as People answers it
	UUID        string `json:"uuid"` // sub of the ID token
	OrgID       string `json:"orgId"`
	Email       string `json:"email"`
	DisplayName string `json:"displayName"`
	Calling     bool   `json:"calling"`
	LocationID  string `json:"locationId"`  // "" without Calling
	Location    string `json:"location"`    // its name
	TimeZone    string `json:"timeZone"`    // IANA
	Extension   string `json:"extension"`   // "" without Calling
	PhoneNumber string `json:"phoneNumber"` // E.164, "" without one
}

// QueueInfo is what tests ask about a queue.
type QueueInfo struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	LocationID string      `json:"locationId"`
	Extension  string      `json:"extension"`
	Assist     bool        `json:"hasCxEssentials"`
	AllowJoin  bool        `json:"allowAgentJoinEnabled"`
	Agents     []AgentInfo `json:"agents"`
}

// AgentInfo is one agent of a queue.
type AgentInfo struct {
	PersonID string `json:"personId"`
	Email    string `json:"email"`
	Joined   bool   `json:"joined"`
	Weight   string `json:"weight"`     // "" unless the policy is WEIGHTED
	Skill    int    `json:"skillLevel"` // 0 unless the queue is one with Customer Assist
}

// Person finds a person of the organization.
func (s *Sim) Person(who string) (PersonInfo, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, known := s.org.find(who)
	if !known {
		return PersonInfo{}, false
	}
	return s.org.info(i), true
}

// MustPerson is Person for tests that know that there is one.
func (s *Sim) MustPerson(who string) PersonInfo {
	p, known := s.Person(who)
	if !known {
		panic("webexsim: nobody is called " + who)
	}
	return p
}

// People lists n people of the organization, the personas first.
func (s *Sim) People(n int) []PersonInfo {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []PersonInfo
	for i := 0; i < len(s.org.people) && len(list) < n; i++ {
		if !s.org.deleted[i] {
			list = append(list, s.org.info(i))
		}
	}
	return list
}

func (o *org) info(i int) PersonInfo {
	p := PersonInfo{
		ID: o.personID(i), UUID: o.personUUID(i), OrgID: o.orgID(), Email: o.email(i), DisplayName: o.displayName(i), Calling: o.calling(i), PhoneNumber: o.e164(i),
	}
	if p.Calling {
		p.LocationID, p.Location, p.TimeZone = o.locationID(int(o.people[i].place)), o.at(i).name, o.at(i).zone
		p.Extension = fmt.Sprint(o.people[i].extension)
	}
	return p
}

// OrgID is the id of the organization.
func (s *Sim) OrgID() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.org.orgID()
}

// OrgUUID is the organization's bare UUID, as SCIM has it.
func (s *Sim) OrgUUID() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.org.id
}

// DeletePerson removes somebody from the organization; they are an agent no more.
func (s *Sim) DeletePerson(who string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, known := s.org.find(who)
	if !known {
		return fmt.Errorf("webexsim: nobody is called %q", who)
	}
	s.org.deleted[i] = true
	for _, n := range s.org.agentOf[i] {
		q := s.org.queues[n]
		q.agents = slices.DeleteFunc(q.agents, func(a agent) bool { return a.person == i })
	}
	delete(s.org.agentOf, i)
	for _, h := range s.org.hunts {
		h.agents = slices.DeleteFunc(h.agents, func(a agent) bool { return a.person == i })
	}
	return nil
}

// Setting is a person's setting as a GET would answer it, without asking over the
// network. name is one of callForwarding, callWaiting, doNotDisturb, intercept, voicemail.
func (s *Sim) Setting(who, name string) (json.RawMessage, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, err := s.org.settingOf(who, name)
	if err != nil {
		return nil, err
	}
	return json.Marshal(s.org.shownSetting(i, name))
}

// SetSetting merges JSON into a person's setting behind the portal's back. Nothing is
// checked: it also makes states that a PUT could not.
func (s *Sim) SetSetting(who, name, patch string) error {
	var v map[string]any
	if err := json.Unmarshal([]byte(patch), &v); err != nil {
		return fmt.Errorf("webexsim: %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.org.settingOf(who, name)
	if err != nil {
		return err
	}
	state := s.org.setting(i, name)
	merge(state, v)
	s.org.settings[settingKey{i, name}] = state
	return nil
}

func (o *org) settingOf(who, name string) (int, error) {
	i, known := o.find(who)
	if _, simulated := settings[name]; !known || !simulated || !o.calling(i) {
		return 0, fmt.Errorf("webexsim: %q has no setting %q", who, name)
	}
	return i, nil
}

// SetFeatureAccess hides a feature from a person, or shows it again. An empty who
// changes the organization's default. feature is a key such as "callForwarding".
func (s *Sim) SetFeatureAccess(who, feature string, allowed bool) error {
	value := off
	if allowed {
		value = full
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(accessKeys, feature) {
		return fmt.Errorf("webexsim: no feature %q", feature)
	}
	if who == "" {
		s.org.orgAccess[feature] = value
		return nil
	}
	i, known := s.org.find(who)
	if !known {
		return fmt.Errorf("webexsim: nobody is called %q", who)
	}
	own := map[string]string{}
	for _, key := range accessKeys {
		own[key] = s.org.orgAccess[key]
		if a := s.org.access[i]; a != nil && !a.dormant {
			own[key] = a.own[key]
		}
	}
	own[feature] = value
	s.org.access[i] = &featureAccess{own: own}
	return nil
}

// Queues lists every queue, plain ones and those with Customer Assist.
func (s *Sim) Queues() []QueueInfo {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]QueueInfo, len(s.org.queues))
	for n, q := range s.org.queues {
		list[n] = s.org.queueInfo(q)
	}
	return list
}

// Queue finds a queue by its name or id.
func (s *Sim) Queue(name string) (QueueInfo, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	q := s.org.queue(name)
	if q == nil {
		return QueueInfo{}, false
	}
	return s.org.queueInfo(q), true
}

func (o *org) queue(name string) *queue {
	if n, known := o.queueByID(name); known {
		return o.queues[n]
	}
	for _, q := range o.queues {
		if q.name == name {
			return q
		}
	}
	return nil
}

func (o *org) queueInfo(q *queue) QueueInfo {
	v := QueueInfo{ID: o.queueID(q), Name: q.name, LocationID: o.locationID(q.place), Extension: q.extension, Assist: q.assist, AllowJoin: q.allowJoin, Agents: []AgentInfo{}}
	for _, a := range q.agents {
		one := AgentInfo{PersonID: o.personID(a.person), Email: o.email(a.person), Joined: a.joined, Weight: a.weight}
		if q.assist {
			one.Skill = a.skill
		}
		v.Agents = append(v.Agents, one)
	}
	return v
}

// HuntGroupInfo is what tests ask about a hunt group.
type HuntGroupInfo struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	LocationID string            `json:"locationId"`
	Extension  string            `json:"extension"`
	Policy     string            `json:"policy"`
	Members    []HuntGroupMember `json:"members"`
}

// HuntGroupMember is somebody in a hunt group.
type HuntGroupMember struct {
	PersonID string `json:"personId"`
	Email    string `json:"email"`
	Weight   string `json:"weight"` // "" unless the policy is WEIGHTED
}

// HuntGroups lists every hunt group.
func (s *Sim) HuntGroups() []HuntGroupInfo {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]HuntGroupInfo, len(s.org.hunts))
	for n, h := range s.org.hunts {
		list[n] = s.org.huntGroupInfo(h)
	}
	return list
}

// HuntGroup finds a hunt group by its name or id.
func (s *Sim) HuntGroup(name string) (HuntGroupInfo, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if h, known := s.org.huntGroupByID(name); known {
		return s.org.huntGroupInfo(h), true
	}
	for _, h := range s.org.hunts {
		if h.name == name {
			return s.org.huntGroupInfo(h), true
		}
	}
	return HuntGroupInfo{}, false
}

func (o *org) huntGroupInfo(h *huntGroup) HuntGroupInfo {
	v := HuntGroupInfo{ID: o.huntGroupID(h), Name: h.name, LocationID: o.locationID(h.place), Extension: h.extension, Policy: h.policy, Members: []HuntGroupMember{}}
	for _, a := range h.agents {
		v.Members = append(v.Members, HuntGroupMember{o.personID(a.person), o.email(a.person), a.weight})
	}
	return v
}

// GroupInfo is what tests ask about a group of people.
type GroupInfo struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Members []string `json:"members"` // e-mail addresses; without those of groups within
}

// Group finds a group by its name or id.
func (s *Sim) Group(name string) (GroupInfo, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o := s.org
	g := o.group(name)
	if g == nil {
		return GroupInfo{}, false
	}
	v := GroupInfo{ID: o.groupID(g.n), Name: g.name, Members: []string{}}
	for i := range o.people {
		if !o.deleted[i] && (g.everybody || slices.Contains(g.members, i)) {
			v.Members = append(v.Members, o.email(i))
		}
	}
	return v, true
}

func (o *org) group(name string) *group {
	if n, known := o.groupByID(name); known {
		return &o.groups[n]
	}
	for n := range o.groups {
		if o.groups[n].name == name {
			return &o.groups[n]
		}
	}
	return nil
}

// SetGroupMember puts somebody into a group (name or id), or takes them out, as an
// administrator does in Control Hub.
func (s *Sim) SetGroupMember(group, who string, member bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.org.group(group)
	i, known := s.org.find(who)
	switch {
	case g == nil || g.everybody:
		return fmt.Errorf("webexsim: %q is no group whose members can be changed", group)
	case !known:
		return fmt.Errorf("webexsim: nobody is called %q", who)
	case member && !slices.Contains(g.members, i):
		g.members = append(g.members, i)
	case !member:
		g.members = slices.DeleteFunc(g.members, func(m int) bool { return m == i })
	}
	return nil
}

// QueueJoined says whether a person is an agent of the queue (name or id), and joined.
func (s *Sim) QueueJoined(queue, who string) (joined, agent bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	q, i, at := s.org.agent(queue, who)
	if q == nil || i < 0 || at < 0 {
		return false, false
	}
	return q.agents[at].joined, true
}

// SetQueueJoined joins or leaves behind the portal's back.
func (s *Sim) SetQueueJoined(queue, who string, joined bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, _, at := s.org.agent(queue, who)
	if q == nil || at < 0 {
		return fmt.Errorf("webexsim: %q is no agent of %q", who, queue)
	}
	q.agents[at].joined = joined
	return nil
}

// RemoveAgent takes somebody out of a queue behind the portal's back, as Control Hub
// does when it writes a list that was read before they were added.
func (s *Sim) RemoveAgent(queue, who string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, i, at := s.org.agent(queue, who)
	if q == nil || at < 0 {
		return fmt.Errorf("webexsim: %q is no agent of %q", who, queue)
	}
	q.agents = slices.Delete(q.agents, at, at+1)
	s.org.agentOf[i] = slices.DeleteFunc(s.org.agentOf[i], func(n int) bool { return n == q.n })
	return nil
}

func (o *org) agent(name, who string) (q *queue, person, at int) {
	q = o.queue(name)
	i, known := o.find(who)
	if q == nil || !known {
		return nil, -1, -1
	}
	return q, i, q.position(i)
}
