package web

import (
	"net/http"
	"time"

	"patchbay/internal/access"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
)

// The kinds of boardJSON.
const (
	kindQueue     = "queue"
	kindHuntGroup = "huntGroup"
)

type boardJSON struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	LocationID   string `json:"locationId"`
	LocationName string `json:"locationName"`
	Extension    string `json:"extension,omitempty"`
	PhoneNumber  string `json:"phoneNumber,omitempty"`
	Kind         string `json:"kind"`
	Agents       *int   `json:"agents"` // null when not known
	Joined       *int   `json:"joined"` // null when not known, and for hunt groups
	Minimum      int    `json:"minimum"`
}

// apiBoards lists the queues in reach. The counts are what was read within the hour.
func (s *Server) apiBoards(w http.ResponseWriter, r *http.Request) error {
	c := visitorFrom(r.Context()).Caller
	queues, err := s.Settings.QueuesInReach(r.Context(), c)
	if err != nil {
		return err
	}
	known, minima := s.Settings.KnownBoards(r.Context(), c, queues), s.Settings.Minima(r.Context(), queues)
	list := make([]boardJSON, 0, len(queues))
	for _, q := range queues {
		one := boardJSON{
			ID: q.ID, Name: q.Name, LocationID: q.LocationID, LocationName: q.LocationName, Extension: q.Extension, PhoneNumber: q.PhoneNumber,
			Kind: kindQueue, Minimum: minima[q.ID],
		}
		if q.HuntGroup {
			one.Kind = kindHuntGroup
		}
		if b, ok := known[q.ID]; ok {
			agents, joined := len(b.Agents), b.Joined()
			if one.Agents = &agents; !q.HuntGroup {
				one.Joined = &joined
			}
		}
		list = append(list, one)
	}
	return writeJSON(w, list)
}

type agentJSON struct {
	ID            string     `json:"id"`
	Name          string     `json:"name"`
	Extension     string     `json:"extension,omitempty"`
	LocationName  string     `json:"locationName,omitempty"`
	Joined        *bool      `json:"joined"`        // null when Webex does not say, and for hunt groups
	ForwardedAway *bool      `json:"forwardedAway"` // null when not known
	DoNotDisturb  *bool      `json:"doNotDisturb"`  // null when not known
	AwayAsOf      *time.Time `json:"awayAsOf"`      // when those two were read
	AsOf          time.Time  `json:"asOf"`          // when the rest was read
	Weight        string     `json:"weight,omitempty"`
	SkillLevel    int        `json:"skillLevel,omitempty"`
}

func agentJSONOf(b selfservice.BoardQueue, a selfservice.Agent) agentJSON {
	one := agentJSON{ID: a.ID, Name: a.Name, Extension: a.Extension, LocationName: a.LocationName, AsOf: b.At, Weight: a.Weight}
	if b.CustomerAssist {
		one.SkillLevel = a.SkillLevel
	}
	if a.JoinedKnown && !b.HuntGroup {
		one.Joined = &a.Joined
	}
	yes, no := true, false
	switch a.Away {
	case selfservice.Forwarded:
		one.ForwardedAway = &yes // and do not disturb does not matter then
	case selfservice.Disturbed:
		one.DoNotDisturb = &yes
	case selfservice.Here:
		one.ForwardedAway, one.DoNotDisturb = &no, &no
	case selfservice.AwayUnknown:
	}
	if !a.AwayAt.IsZero() {
		one.AwayAsOf = &a.AwayAt
	}
	return one
}

// apiAgents lists the agents of a queue or hunt group.
func (s *Server) apiAgents(w http.ResponseWriter, r *http.Request) error {
	b, err := s.Settings.Board(r.Context(), visitorFrom(r.Context()).Caller, param(r, "queue"), selfservice.BoardAge)
	if err != nil {
		return err
	}
	list := make([]agentJSON, 0, len(b.Agents))
	for _, a := range b.Agents {
		list = append(list, agentJSONOf(b, a))
	}
	return writeJSON(w, list)
}

// joinedField reads {"joined": true|false}.
func joinedField(doc selfservice.Document) (bool, error) {
	p := problem.New(problem.Invalid, "setting.invalid")
	for name := range doc {
		if name != "joined" {
			p.Fields = append(p.Fields, problem.Field{Name: name, Detail: text("check.unknown")})
		}
	}
	joined, ok := doc["joined"].(bool)
	if !ok {
		p.Fields = append(p.Fields, problem.Field{Name: "joined", Detail: text("check.bool")})
	}
	if len(p.Fields) > 0 {
		return false, p
	}
	return joined, nil
}

// queueOptions finds the queue that is to be changed, and what goes with the change.
// If-Match means nothing here: a queue has no ETag.
func (s *Server) queueOptions(r *http.Request, p access.Permission) (selfservice.Queue, selfservice.WriteOptions, error) {
	q, err := s.queueFor(r, p)
	if err != nil {
		return q, selfservice.WriteOptions{}, err
	}
	opts, err := writeOptions(r)
	opts.IfMatch = ""
	return q, opts, err
}

// apiSwitchAgent joins an agent, or lets them leave.
func (s *Server) apiSwitchAgent(w http.ResponseWriter, r *http.Request) error {
	q, opts, err := s.queueOptions(r, access.SwitchAgents)
	if err != nil {
		return err
	}
	wish, err := readDocument(r)
	if err != nil {
		return err
	}
	joined, err := joinedField(wish)
	if err != nil {
		return err
	}
	list, err := s.Settings.SwitchAgents(r.Context(), visitorFrom(r.Context()).Caller, q.ID, []string{param(r, "agent")}, joined, opts)
	if err != nil {
		return err
	}
	return s.answerAgent(w, r, param(r, "agent"), list[0].Written, list[0].Err)
}

// answerAgent answers a change with the agent as they are then.
func (s *Server) answerAgent(w http.ResponseWriter, r *http.Request, agent string, written selfservice.Written, err error) error {
	if written.RecordID != "" {
		w.Header().Set("Audit-Id", written.RecordID)
	}
	if err != nil {
		return err
	}
	b, err := s.Settings.Board(r.Context(), visitorFrom(r.Context()).Caller, param(r, "queue"), afterChange)
	if err != nil {
		return err
	}
	a, ok := b.Agent(agent)
	if !ok { // somebody else has removed them in the meantime
		return access.Denied("board.notAgent")
	}
	return writeJSON(w, agentJSONOf(b, a))
}

// apiAddAgent makes somebody an agent.
func (s *Server) apiAddAgent(w http.ResponseWriter, r *http.Request) error {
	q, opts, err := s.queueOptions(r, access.StaffQueues)
	if err != nil {
		return err
	}
	joined := false
	if r.ContentLength != 0 {
		wish, err := readDocument(r)
		if err != nil {
			return err
		}
		if joined, err = joinedField(wish); err != nil {
			return err
		}
	}
	agent := param(r, "agent")
	written, err := s.Settings.AddAgent(r.Context(), visitorFrom(r.Context()).Caller, q.ID, agent, joined, opts)
	if p, ok := s.Directory.ByEmail(agent); ok {
		agent = p.ID
	}
	return s.answerAgent(w, r, agent, written, err)
}

// apiRemoveAgent takes somebody out of a queue.
func (s *Server) apiRemoveAgent(w http.ResponseWriter, r *http.Request) error {
	q, opts, err := s.queueOptions(r, access.StaffQueues)
	if err != nil {
		return err
	}
	written, err := s.Settings.RemoveAgent(r.Context(), visitorFrom(r.Context()).Caller, q.ID, param(r, "agent"), opts)
	if written.RecordID != "" {
		w.Header().Set("Audit-Id", written.RecordID)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type minimumJSON struct {
	Minimum int `json:"minimum"`
}

// apiSetMinimum says how many agents should be able to take calls.
func (s *Server) apiSetMinimum(w http.ResponseWriter, r *http.Request) error {
	q, opts, err := s.queueOptions(r, access.SwitchAgents)
	if err != nil {
		return err
	}
	wish, err := readDocument(r)
	if err != nil {
		return err
	}
	if _, there := wish["minimum"]; !there {
		return &problem.Error{Code: problem.Invalid, Public: text("setting.invalid"), Fields: []problem.Field{{Name: "minimum", Detail: text("board.minimum.missing")}}}
	}
	written, err := s.Settings.SetMinimum(r.Context(), visitorFrom(r.Context()).Caller, q.ID, wish, opts)
	if written.RecordID != "" {
		w.Header().Set("Audit-Id", written.RecordID)
	}
	if err != nil {
		return err
	}
	return writeJSON(w, minimumJSON{Minimum: written.Reading.Document.Int("minimum")})
}
