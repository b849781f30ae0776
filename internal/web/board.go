package web

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"patchbay/internal/access"
	"patchbay/internal/directory"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
	"patchbay/internal/session"
	"patchbay/internal/webex"
	"patchbay/templates"
)

const (
	// boardPage is how many queues one page of the board shows: each is a card that
	// reads itself.
	boardPage = 20
	// leastLetters is from how many letters on people are looked for.
	leastLetters = 2
	// mostFound is how many people are offered.
	mostFound = 8
)

// boardRoutes is the part of the table for the queue board.
func (s *Server) boardRoutes() []route {
	return []route{
		{"GET", "/board", page, access.ReadQueues, s.showBoard},
		{"GET", "/board/{queue}", page, access.ReadQueues, s.showBoardQueue},
		{"POST", "/board/{queue}/agents", card, access.SwitchAgents, s.switchAgents},
		{"POST", "/board/{queue}/agents/{agent}", card, access.SwitchAgents, s.switchAgents},
		{"GET", "/board/{queue}/people", card, access.StaffQueues, s.findAgents},
		{"POST", "/board/{queue}/add", card, access.StaffQueues, s.addAgent},
		{"GET", "/board/{queue}/remove/{agent}", page, access.StaffQueues, s.askToRemove},
		{"POST", "/board/{queue}/remove/{agent}", card, access.StaffQueues, s.removeAgent},
		{"POST", "/board/{queue}/minimum", card, access.SwitchAgents, s.setMinimum},
		{"POST", "/board/{queue}/undo/{record}", card, access.ReadQueues, s.undoOnBoard},

		{"GET", "/api/queues", api, access.ReadQueues, s.apiBoards},
		{"GET", "/api/queues/{queue}/agents", api, access.ReadQueues, s.apiAgents},
		{"PUT", "/api/queues/{queue}/agents/{agent}", api, access.SwitchAgents, s.apiSwitchAgent},
		{"POST", "/api/queues/{queue}/agents/{agent}", api, access.StaffQueues, s.apiAddAgent},
		{"DELETE", "/api/queues/{queue}/agents/{agent}", api, access.StaffQueues, s.apiRemoveAgent},
		{"PUT", "/api/queues/{queue}/minimum", api, access.SwitchAgents, s.apiSetMinimum},
	}
}

// boardView is how the card of a queue is to be shown.
type boardView struct {
	age  time.Duration
	note templates.Note
	// row is the agent to whom note and confirm belong; "" is the card.
	row     string
	confirm templates.BoardConfirm
	results templates.BoardResults
	add     *templates.BoardAdd // the form as it was sent
	minimum *templates.BoardMinimum
}

// short is a part of an html id for something that has an id at Webex.
func short(id string) string {
	if uuid, err := webex.UUID(id); err == nil {
		id = uuid
	}
	sum := sha256.Sum256([]byte("patchbay board " + id))
	return hex.EncodeToString(sum[:6])
}

// boardURL is an address below a queue of the board. The reason goes along where one
// is asked for.
func boardURL(r *http.Request, queueID, below string, pairs ...string) string {
	values := url.Values{}
	if reason := r.URL.Query().Get("reason"); reason != "" {
		values.Set("reason", reason)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	u := "/board/" + url.PathEscape(queueID) + below
	if len(values) > 0 {
		u += "?" + values.Encode()
	}
	return u
}

// showBoard lists the queues in reach; each is a card that reads itself.
func (s *Server) showBoard(w http.ResponseWriter, r *http.Request) error {
	c := visitorFrom(r.Context()).Caller
	inline := s.inline(w, r)
	queues, known := s.Settings.KnownQueueList(r.Context(), c)
	p := templates.Boards{Card: templates.Card{ID: "board-list", Name: "boards", URL: r.URL.RequestURI(), PageURL: r.URL.RequestURI()}}
	if !known && (inline || isPartial(r)) {
		var err error
		if queues, err = s.Settings.QueuesInReach(r.Context(), c); err != nil {
			s.fail(r, &p.Card, err)
		} else {
			known = true
		}
	}
	if known {
		p.State = templates.Ready
		s.fillBoards(r, &p, queues, inline)
	}
	if isPartial(r) {
		return render(w, r, http.StatusOK, templates.BoardList(p))
	}
	f := s.boardFrame(r)
	if !inline {
		f.NoScriptURL = withoutScript(r)
	}
	return render(w, r, http.StatusOK, templates.BoardPage(f, p))
}

// withoutScript is where a browser without JavaScript gets the page with its cards.
func withoutScript(r *http.Request) string {
	query := r.URL.Query()
	query.Set("js", "0")
	return r.URL.EscapedPath() + "?" + query.Encode()
}

func (s *Server) boardFrame(r *http.Request) templates.Frame {
	f := s.frame(r, "board", tr(r, "nav.board"))
	if flash, ok, err := s.Sessions.PopFlash(r.Context()); err == nil && ok {
		f.Flash = templates.Note{Kind: templates.Notice, Text: say(r, flash.Text)}
		if flash.Kind == "saved" {
			f.Flash.Kind = templates.Saved
			if queue := param(r, "queue"); queue != "" && flash.RecordID != "" {
				f.Flash.Undo = undoOnBoardAction(r, queue, flash.RecordID)
			}
		}
	}
	return f
}

// fillBoards shows one page of queues: what is known of each at once, the rest when
// the card has read it.
func (s *Server) fillBoards(r *http.Request, p *templates.Boards, queues []selfservice.Queue, inline bool) {
	c := visitorFrom(r.Context()).Caller
	query := r.URL.Query()
	p.Filter = boardFilterOf(r, queues)
	p.Reason = s.boardReason(r, queues...)
	queues = slices.DeleteFunc(slices.Clone(queues), func(q selfservice.Queue) bool { return !fits(q, query.Get("q"), query.Get("location")) })
	all := len(queues)
	number, _ := strconv.Atoi(query.Get("page")) // the first for what is no number
	number = min(max(number, 1), max(1, (all+boardPage-1)/boardPage))
	from := (number - 1) * boardPage
	to := min(from+boardPage, all)
	if all > boardPage {
		p.Shown = tr(r, "board.shown", "From", from+1, "To", to, "All", all)
	}
	at := func(n int) string {
		query.Set("page", strconv.Itoa(n))
		query.Del("js")
		return "/board?" + query.Encode()
	}
	if number > 1 {
		p.Newer = templates.Link{Text: tr(r, "board.newer"), URL: at(number - 1)}
	}
	if to < all {
		p.Older = templates.Link{Text: tr(r, "board.older"), URL: at(number + 1)}
	}
	queues = queues[from:to]
	if inline {
		p.Queues = atOnce(queues, func(q selfservice.Queue) templates.BoardCard {
			return s.boardCard(r, q, boardView{age: oneView})
		})
		return
	}
	boards := s.Settings.KnownBoards(r.Context(), c, queues)
	for _, q := range queues {
		p.Queues = append(p.Queues, s.knownBoardCard(r, q, boards))
	}
}

// atOnce does something for each of a list side by side and keeps the order.
func atOnce[A, B any](list []A, do func(A) B) []B {
	results := make([]B, len(list))
	done := make(chan struct{})
	turns := make(chan struct{}, 8)
	for i, one := range list {
		go func() {
			turns <- struct{}{}
			results[i] = do(one)
			<-turns
			done <- struct{}{}
		}()
	}
	for range list {
		<-done
	}
	return results
}

// fits reports whether a queue has the text in its name, numbers or place, and is at
// the location.
func fits(q selfservice.Queue, text, location string) bool {
	in := strings.ToLower(strings.Join([]string{q.Name, q.Extension, q.PhoneNumber, q.LocationName}, " "))
	for word := range strings.FieldsSeq(strings.ToLower(text)) {
		if !strings.Contains(in, word) {
			return false
		}
	}
	return location == "" || webex.SameID(q.LocationID, location)
}

func boardFilterOf(r *http.Request, queues []selfservice.Queue) templates.BoardFilter {
	query := r.URL.Query()
	f := templates.BoardFilter{URL: "/board", Text: query.Get("q"), Active: query.Get("q") != "" || query.Get("location") != "", All: templates.Link{Text: tr(r, "board.filter.all"), URL: "/board"}}
	if reason := query.Get("reason"); reason != "" {
		f.Hidden = []templates.Hidden{{Name: "reason", Value: reason}}
	}
	for _, q := range queues {
		if !slices.ContainsFunc(f.Places, func(p templates.BoardPlace) bool { return p.ID == q.LocationID }) {
			f.Places = append(f.Places, templates.BoardPlace{ID: q.LocationID, Name: q.LocationName, Chosen: webex.SameID(q.LocationID, query.Get("location"))})
		}
	}
	slices.SortFunc(f.Places, func(a, b templates.BoardPlace) int { return strings.Compare(a.Name, b.Name) })
	return f
}

// boardReason asks for a reason where the policy wants one of the visitor.
func (s *Server) boardReason(r *http.Request, queues ...selfservice.Queue) templates.BoardReason {
	c := visitorFrom(r.Context()).Caller
	if !slices.ContainsFunc(queues, func(q selfservice.Queue) bool { return s.Settings.NeedsReason(c, q) }) {
		return templates.BoardReason{}
	}
	query := r.URL.Query()
	reason := templates.BoardReason{Needed: true, URL: r.URL.EscapedPath(), Reason: strings.TrimSpace(query.Get("reason"))}
	query.Del("reason")
	query.Del("js")
	if param(r, "queue") != "" { // also after a form of the queue
		reason.URL = "/board/" + url.PathEscape(param(r, "queue"))
		query = url.Values{}
	}
	for _, name := range []string{"q", "location", "page"} {
		if v := query.Get(name); v != "" {
			reason.Hidden = append(reason.Hidden, templates.Hidden{Name: name, Value: v})
		}
	}
	reason.Change = templates.Link{Text: tr(r, "board.reason.change"), URL: reason.URL + "?" + query.Encode()}
	return reason
}

// boardCardOf is what the card of a queue always has.
func boardCardOf(r *http.Request, q selfservice.Queue) templates.BoardCard {
	p := templates.BoardCard{
		Card:  templates.Card{ID: "board-" + short(q.ID), Name: "board", URL: boardURL(r, q.ID, ""), PageURL: boardURL(r, q.ID, ""), State: templates.Ready},
		Title: q.Name, Link: boardURL(r, q.ID, ""), FreshURL: boardURL(r, q.ID, "", "fresh", "1"),
	}
	var where []string
	if q.LocationName != "" {
		where = append(where, q.LocationName)
	}
	if q.Extension != "" {
		where = append(where, tr(r, "numbers.extension", "Extension", q.Extension))
	}
	p.Where = strings.Join(where, " · ")
	switch {
	case !q.Enabled:
		p.Kind = templates.Tag{Tone: templates.TonePlain, Text: tr(r, "board.closed")}
	case q.HuntGroup:
		p.Kind = templates.Tag{Tone: templates.TonePlain, Text: tr(r, "board.kind.hunt")}
	}
	return p
}

// knownBoardCard shows what is known of a queue, and has the card read itself.
func (s *Server) knownBoardCard(r *http.Request, q selfservice.Queue, boards map[string]selfservice.BoardQueue) templates.BoardCard {
	p := boardCardOf(r, q)
	if b, ok := boards[q.ID]; ok {
		s.fillBoard(r, &p, b, boardView{})
		p.Refresh = true
		return p
	}
	p.State, p.Card.Rows = templates.Loading, 4
	return p
}

// boardCard reads a queue and shows it.
func (s *Server) boardCard(r *http.Request, q selfservice.Queue, v boardView) templates.BoardCard {
	c := visitorFrom(r.Context()).Caller
	p := boardCardOf(r, q)
	b, err := s.Settings.Board(r.Context(), c, q.ID, v.age)
	if err != nil {
		known, ok := s.Settings.KnownBoards(r.Context(), c, []selfservice.Queue{q})[q.ID]
		if !ok || !s.down(err) {
			p.Note, p.Results = v.note, v.results
			s.fail(r, &p.Card, err)
			p.Problem.What = tr(r, "board.failed", "Queue", q.Name)
			return p
		}
		b = known
		if v.note.Kind == templates.NoNote {
			v.note = lastKnownNote(r)
		}
	}
	s.fillBoard(r, &p, b, v)
	return p
}

// fillBoard shows a queue with its agents.
func (s *Server) fillBoard(r *http.Request, p *templates.BoardCard, b selfservice.BoardQueue, v boardView) {
	c := visitorFrom(r.Context()).Caller
	p.Read = b.At.In(s.zone(r)).Format("15:04:05")
	if s.Now().Sub(b.At) > 12*time.Hour {
		p.Read = s.clock(r, b.At)
	}
	p.Cover, p.Summary = coverTag(r, b), boardSummary(r, b)
	p.Results = v.results
	reason := strings.TrimSpace(r.URL.Query().Get("reason"))
	mayChange := true
	if s.Settings.NeedsReason(c, b.Queue) && reason == "" && (b.MaySwitch || b.MayStaff) {
		mayChange, p.Lock = false, tr(r, "board.reason.first")
	}
	switching, staffing := b.MaySwitch && mayChange, b.MayStaff && mayChange
	hiddenOf := func(more ...templates.Hidden) []templates.Hidden { return hidden(r, "board", more...) }
	in, out := 0, 0
	for _, a := range b.Agents {
		row := s.boardRow(r, p.ID, b, a)
		if switching {
			row.Form = templates.Form{URL: boardURL(r, b.ID, "/agents/"+url.PathEscape(a.ID)), Fields: []string{"joined"}, For: formTag(r)}
		}
		if staffing {
			row.Remove = boardURL(r, b.ID, "/remove/"+url.PathEscape(a.ID))
		}
		if v.row != "" && webex.SameID(v.row, a.ID) {
			row.Note, row.Confirm = v.note, v.confirm
			v.note, v.confirm = templates.Note{}, templates.BoardConfirm{}
		}
		if a.Joined {
			in++
		} else {
			out++
		}
		p.Rows = append(p.Rows, row)
	}
	p.Note, p.Confirm = v.note, v.confirm
	if switching && len(b.Agents) > 1 {
		p.Ticks = true
		p.Form = templates.Form{URL: boardURL(r, b.ID, "/agents"), Fields: []string{"joined", "agent"}, For: formTag(r)}
		all := func(joined string, n int) templates.Action {
			return templates.Action{
				URL: p.Form.URL, Label: tr(r, map[string]string{"true": "board.all.join", "false": "board.all.leave"}[joined], "Count", n),
				Hidden: hiddenOf(templates.Hidden{Name: "joined", Value: joined}, templates.Hidden{Name: "all", Value: "true"}),
			}
		}
		if out > 0 {
			p.JoinAll = all("true", out)
		}
		if in > 0 {
			p.LeaveAll = all("false", in)
		}
	}
	if staffing {
		p.Add = v.add
		if p.Add == nil {
			p.Add = &templates.BoardAdd{}
		}
		p.Add.URL, p.Add.FindURL, p.Add.Hidden = boardURL(r, b.ID, "/add"), boardURL(r, b.ID, "/people"), hiddenOf()
		if !b.HuntGroup {
			p.Add.Join.Name = "join"
			p.Add.Join.On = p.Add.Join.On || v.add == nil
		}
		if b.Policy == "WEIGHTED" {
			p.Add.Hint = tr(r, "board.add.weighted")
		}
	}
	if b.MaySetMinimum && mayChange {
		p.Minimum = v.minimum
		if p.Minimum == nil {
			p.Minimum = &templates.BoardMinimum{Value: strconv.Itoa(b.Minimum)}
		}
		p.Minimum.URL, p.Minimum.Hidden = boardURL(r, b.ID, "/minimum"), hiddenOf()
	}
}

// coverTag says whether enough agents can take calls.
func coverTag(r *http.Request, b selfservice.BoardQueue) templates.Tag {
	can, cover, some := b.Reachable(), "board.cover", "board.cover.some"
	if b.Unclear() > 0 { // some of them may be away
		cover, some = "board.cover.upTo", "board.cover.some.upTo"
	}
	switch {
	case b.Thin():
		return templates.Tag{Tone: templates.ToneWarn, Text: tr(r, cover, "Can", can, "Count", b.Minimum)}
	case b.Minimum > 0:
		return templates.Tag{Tone: templates.ToneGood, Text: tr(r, cover, "Can", can, "Count", b.Minimum)}
	case can == 0:
		return templates.Tag{Tone: templates.ToneWarn, Text: tr(r, "board.cover.nobody")}
	}
	return templates.Tag{Tone: templates.TonePlain, Text: tr(r, some, "Count", can)}
}

// boardSummary says how many have joined, and how many of them calls do not reach.
func boardSummary(r *http.Request, b selfservice.BoardQueue) string {
	joined := b.Joined()
	parts := []string{tr(r, "board.sum.joined", "Joined", joined, "Count", len(b.Agents))}
	if b.HuntGroup {
		parts = []string{tr(r, "board.sum.hunt", "Count", len(b.Agents))}
	}
	if away := joined - b.Reachable(); away > 0 {
		parts = append(parts, tr(r, "board.sum.away", "Count", away))
	}
	if unclear := b.Unclear(); unclear > 0 {
		parts = append(parts, tr(r, "board.sum.unclear", "Count", unclear))
	}
	return strings.Join(parts, " ")
}

func (s *Server) boardRow(r *http.Request, cardID string, b selfservice.BoardQueue, a selfservice.Agent) templates.BoardAgent {
	row := templates.BoardAgent{ID: cardID + "-" + short(a.ID), Agent: a.ID, Name: a.Name, Joined: a.Joined, State: agentState(r, b, a)}
	var detail []string
	if a.Extension != "" {
		detail = append(detail, tr(r, "numbers.extension", "Extension", a.Extension))
	}
	if a.LocationName != "" && a.LocationName != b.LocationName {
		detail = append(detail, a.LocationName)
	}
	if a.Weight != "" {
		detail = append(detail, tr(r, "board.weightOf", "Weight", a.Weight))
	}
	if b.CustomerAssist && a.SkillLevel > 0 {
		detail = append(detail, tr(r, "board.skillOf", "Level", a.SkillLevel))
	}
	if !a.Joined && a.JoinedKnown {
		switch a.Away {
		case selfservice.Forwarded:
			detail = append(detail, tr(r, "board.also.forwarded"))
		case selfservice.Disturbed:
			detail = append(detail, tr(r, "board.also.doNotDisturb"))
		}
	}
	if !a.AwayAt.IsZero() && s.Now().Sub(a.AwayAt) > staleAfter {
		detail = append(detail, tr(r, "board.asof", "Time", s.clock(r, a.AwayAt)))
	}
	row.Detail = strings.Join(detail, " · ")
	return row
}

// agentState says in a tag whether calls of the queue reach an agent.
func agentState(r *http.Request, b selfservice.BoardQueue, a selfservice.Agent) templates.Tag {
	tag := func(tone templates.Tone, key string) templates.Tag {
		return templates.Tag{Tone: tone, Text: tr(r, key)}
	}
	switch {
	case !a.JoinedKnown:
		return tag(templates.TonePlain, "board.state.unsaid")
	case !a.Joined:
		return tag(templates.TonePlain, "board.state.out")
	case a.Away == selfservice.Forwarded && b.HuntGroup:
		return tag(templates.ToneWarn, "board.state.hunt.forwarded")
	case a.Away == selfservice.Disturbed && b.HuntGroup:
		return tag(templates.ToneWarn, "board.state.hunt.doNotDisturb")
	case a.Away == selfservice.Forwarded:
		return tag(templates.ToneWarn, "board.state.forwarded")
	case a.Away == selfservice.Disturbed:
		return tag(templates.ToneWarn, "board.state.doNotDisturb")
	case a.Away == selfservice.AwayUnknown && b.HuntGroup:
		return tag(templates.TonePlain, "board.state.hunt.unknown")
	case a.Away == selfservice.AwayUnknown:
		return tag(templates.TonePlain, "board.state.unknown")
	case b.HuntGroup:
		return tag(templates.ToneGood, "board.state.hunt.here")
	}
	return tag(templates.ToneGood, "board.state.here")
}

// boardQueueOf finds the queue of the request, if it is in the visitor's reach.
func (s *Server) boardQueueOf(r *http.Request) (selfservice.Queue, error) {
	return s.Settings.Queue(r.Context(), visitorFrom(r.Context()).Caller, param(r, "queue"))
}

// showBoardQueue answers with the card of one queue, or with its page.
func (s *Server) showBoardQueue(w http.ResponseWriter, r *http.Request) error {
	q, err := s.boardQueueOf(r)
	if err != nil {
		return err
	}
	v := boardView{age: selfservice.BoardAge}
	if r.URL.Query().Has("fresh") {
		v.age = oneView
	}
	if isPartial(r) {
		return render(w, r, http.StatusOK, templates.BoardQueueCard(s.boardCard(r, q, v)))
	}
	if s.inline(w, r) {
		return s.renderBoard(w, r, http.StatusOK, q, s.boardCard(r, q, v), "")
	}
	boards := s.Settings.KnownBoards(r.Context(), visitorFrom(r.Context()).Caller, []selfservice.Queue{q})
	return s.renderBoard(w, r, http.StatusOK, q, s.knownBoardCard(r, q, boards), withoutScript(r))
}

// renderBoard answers with the page of one queue.
func (s *Server) renderBoard(w http.ResponseWriter, r *http.Request, status int, q selfservice.Queue, p templates.BoardCard, noScript string) error {
	f := s.boardFrame(r)
	f.HasError, f.NoScriptURL = status >= http.StatusBadRequest, noScript
	back := "/board"
	if reason := r.URL.Query().Get("reason"); reason != "" {
		back += "?" + url.Values{"reason": {reason}}.Encode()
	}
	return render(w, r, status, templates.BoardPage(f, templates.Boards{
		Card: templates.Card{ID: "board-list", Name: "boards", State: templates.Ready}, Queues: []templates.BoardCard{p},
		One: true, All: templates.Link{Text: tr(r, "board.back"), URL: back}, Reason: s.boardReason(r, q),
	}))
}

// answerBoard answers a form of a queue: htmx gets the card, a browser without
// JavaScript the page of the queue, or, when all is well, its address.
func (s *Server) answerBoard(w http.ResponseWriter, r *http.Request, q selfservice.Queue, v boardView, flash session.Flash, err error) error {
	status := http.StatusOK
	if err != nil {
		p := problemOf(err)
		s.logProblem(r, p)
		status = p.Code.Status()
		if p.RetryAfter > 0 {
			w.Header().Set("Retry-After", itoa(retrySeconds(p)))
		}
	}
	if v.age == 0 {
		v.age = afterChange
	}
	if isPartial(r) {
		return render(w, r, status, templates.BoardQueueCard(s.boardCard(r, q, v)))
	}
	if flash.Kind != "" && err == nil {
		return s.goOn(w, r, boardURL(r, q.ID, ""), flash)
	}
	return s.renderBoard(w, r, status, q, s.boardCard(r, q, v), "")
}

// boardForm reads a form of the board.
func (s *Server) boardForm(r *http.Request) (sent, selfservice.Queue, selfservice.WriteOptions, error) {
	f, err := readForm(r, nil)
	if err != nil {
		return f, selfservice.Queue{}, selfservice.WriteOptions{}, err
	}
	f.card = "board"
	q, err := s.boardQueueOf(r)
	if err != nil {
		return f, q, selfservice.WriteOptions{}, err
	}
	opts, err := writeOptions(r)
	opts.IfMatch = ""
	return f, q, opts, err
}

// boardNote says what became of a change, and offers to undo it here.
func (s *Server) boardNote(r *http.Request, f sent, q selfservice.Queue, written selfservice.Written, err error) templates.Note {
	note := s.noteOf(r, f, written, err)
	switch note.Kind {
	case templates.Saved:
		note.Undo = undoOnBoardAction(r, q.ID, written.RecordID)
	case templates.NotSure:
		note.CheckURL = boardURL(r, q.ID, "", "fresh", "1")
	case templates.ChangedElsewhere:
		return templates.Note{Kind: templates.NotSaved, Text: say(r, problemOf(err).Public)}
	case templates.NoNote: // a field is wrong, and the form says so where there is one
		if p := problemOf(err); err != nil && len(p.Fields) > 0 {
			return templates.Note{Kind: templates.NotSaved, Text: say(r, p.Fields[0].Detail)}
		}
	}
	return note
}

func undoOnBoardAction(r *http.Request, queueID, record string) templates.Action {
	return templates.Action{URL: boardURL(r, queueID, "/undo/"+record), Hidden: hidden(r, "board")}
}

// switchAgents joins agents, or lets them leave: one, those who are ticked, or all.
// Before too few are left it asks.
func (s *Server) switchAgents(w http.ResponseWriter, r *http.Request) error {
	f, q, opts, err := s.boardForm(r)
	if err != nil {
		return err
	}
	c := visitorFrom(r.Context()).Caller
	joined, ids, v := f.values.Get("joined") == "true", f.values["agent"], boardView{}
	all := f.values.Get("all") == "true"
	if one := param(r, "agent"); one != "" {
		ids, all, v.row = []string{one}, false, one
	}
	if all || !joined && f.values.Get("anyway") != "true" {
		b, err := s.Settings.Board(r.Context(), c, q.ID, 0)
		if err != nil {
			v.note = s.boardNote(r, f, q, selfservice.Written{}, err)
			return s.answerBoard(w, r, q, v, session.Flash{}, err)
		}
		if all {
			ids = nil
			for _, a := range b.Agents {
				if a.Joined != joined {
					ids = append(ids, a.ID)
				}
			}
		}
		if thin := thinText(b, b.Without(ids)); !joined && f.values.Get("anyway") != "true" && thin.Key != "" {
			return s.askAnyway(w, r, q, v, thin, ids)
		}
	}
	if len(ids) == 0 {
		v.note = templates.Note{Kind: templates.Notice, Text: tr(r, "board.noneChosen")}
		return s.answerBoard(w, r, q, v, session.Flash{}, nil)
	}
	list, err := s.Settings.SwitchAgents(r.Context(), c, q.ID, ids, joined, opts)
	if err != nil {
		v.note = s.boardNote(r, f, q, selfservice.Written{}, err)
		return s.answerBoard(w, r, q, v, session.Flash{}, err)
	}
	if v.row != "" {
		one := list[0]
		v.note = s.boardNote(r, f, q, one.Written, one.Err)
		flash := session.Flash{Kind: "notice", Text: text("note.nothing")}
		if one.Written.RecordID != "" {
			flash = session.Flash{Kind: "saved", Text: switchedText(joined, one.Name), RecordID: one.Written.RecordID}
		}
		return s.answerBoard(w, r, q, v, flash, one.Err)
	}
	var worst error
	v.results, worst = boardResults(r, q, list, joined)
	if worst != nil && len(v.results.Done) > 0 {
		s.logProblem(r, problemOf(worst))
		worst = nil // some were changed: the list says which
	}
	return s.answerBoard(w, r, q, v, session.Flash{}, worst)
}

// thinText says that too few would be left; nothing when enough would, or as many as
// before.
func thinText(before, after selfservice.BoardQueue) i18n.Text {
	switch {
	case before.Joined() > 0 && after.Joined() == 0, before.Reachable() > 0 && after.Reachable() == 0:
		return i18n.NewText("board.thin.last", "Queue", before.Name)
	case after.Thin() && after.Reachable() < before.Reachable():
		return i18n.NewText("board.thin", "Left", after.Reachable(), "Count", after.Minimum, "Queue", before.Name)
	}
	return i18n.Text{}
}

// askAnyway asks before agents leave of whom too few would be left.
func (s *Server) askAnyway(w http.ResponseWriter, r *http.Request, q selfservice.Queue, v boardView, question i18n.Text, ids []string) error {
	more := []templates.Hidden{{Name: "joined", Value: "false"}, {Name: "anyway", Value: "true"}}
	if v.row == "" {
		for _, id := range ids {
			more = append(more, templates.Hidden{Name: "agent", Value: id})
		}
	}
	v.confirm = templates.BoardConfirm{
		Text: say(r, question), Go: templates.Action{URL: r.URL.RequestURI(), Hidden: hidden(r, "board", more...)}, Stay: boardURL(r, q.ID, ""),
	}
	return s.answerBoard(w, r, q, v, session.Flash{}, &problem.Error{Code: problem.Conflict, Public: question})
}

// boardResults says what became of several agents. The error is that of one who was
// not changed, if there is any.
func boardResults(r *http.Request, q selfservice.Queue, list []selfservice.Switched, joined bool) (templates.BoardResults, error) {
	results := templates.BoardResults{Tone: templates.ToneGood}
	var worst error
	same := 0
	for _, one := range list {
		switch {
		case one.Err != nil:
			worst = one.Err
			name := one.Name
			if name == "" {
				name = tr(r, "board.somebody")
			}
			results.Not = append(results.Not, templates.BoardResult{Name: name, Why: say(r, problemOf(one.Err).Public)})
		case one.Written.RecordID == "":
			same++
		default:
			results.Done = append(results.Done, templates.BoardResult{Name: one.Name, Undo: undoOnBoardAction(r, q.ID, one.Written.RecordID)})
		}
	}
	key := "board.left"
	if joined {
		key = "board.joinedAll"
	}
	parts := []string{tr(r, key, "Count", len(results.Done))}
	if same > 0 {
		parts = append(parts, tr(r, "board.same", "Count", same))
	}
	if len(results.Not) > 0 {
		parts = append(parts, tr(r, "board.not", "Count", len(results.Not)))
		results.Tone = templates.ToneWarn
	}
	results.Title = strings.Join(parts, " ")
	return results, worst
}

func switchedText(joined bool, name string) i18n.Text {
	if joined {
		return i18n.NewText("board.one.joined", "Name", name)
	}
	return i18n.NewText("board.one.left", "Name", name)
}

// findAgents offers people who can be added.
func (s *Server) findAgents(w http.ResponseWriter, r *http.Request) error {
	q, err := s.queueFor(r, access.StaffQueues)
	if err != nil {
		return err
	}
	found := templates.BoardFound{}
	if who := strings.TrimSpace(r.URL.Query().Get("who")); utf8.RuneCountInString(who) >= leastLetters {
		found = s.foundOf(r, s.candidates(r, q, who))
	}
	return render(w, r, http.StatusOK, templates.BoardFoundList(found))
}

// queueFor finds the queue of the request, if the visitor may do this to it.
func (s *Server) queueFor(r *http.Request, p access.Permission) (selfservice.Queue, error) {
	q, err := s.boardQueueOf(r)
	if err != nil {
		return q, err
	}
	if _, ok := visitorFrom(r.Context()).MayOn(p, q.Target()); !ok {
		return q, problem.New(problem.Forbidden, "web.forbidden").Because(access.ErrDenied)
	}
	return q, nil
}

// candidates finds people with Webex Calling who are not in the queue yet, as far as
// is known.
func (s *Server) candidates(r *http.Request, q selfservice.Queue, who string) directory.Result {
	known := s.Settings.KnownBoards(r.Context(), visitorFrom(r.Context()).Caller, []selfservice.Queue{q})[q.ID]
	agents := map[string]bool{}
	for _, a := range known.Agents {
		agents[a.ID] = true
	}
	return s.Directory.Search(directory.Query{Text: who, Limit: mostFound, Visible: func(p *directory.Person) bool { return p.Calling && !agents[p.ID] }})
}

func (s *Server) foundOf(r *http.Request, found directory.Result) templates.BoardFound {
	list := templates.BoardFound{Text: tr(r, "board.found", "Count", found.Total)}
	if found.Total > len(found.People) {
		list.Text = tr(r, "board.found.more", "Count", found.Total)
	}
	for _, p := range found.People {
		var detail []string
		if p.Extension != "" {
			detail = append(detail, tr(r, "numbers.extension", "Extension", p.Extension))
		}
		if l, ok := s.Directory.Location(p.LocationID); ok {
			detail = append(detail, l.Name)
		}
		list.People = append(list.People, templates.BoardPerson{ID: p.ID, Name: p.Name, Detail: strings.Join(append(detail, p.Email), " · ")})
	}
	return list
}

// addAgent adds the person who was chosen or whose address was typed; a name gives a
// choice.
func (s *Server) addAgent(w http.ResponseWriter, r *http.Request) error {
	f, q, opts, err := s.boardForm(r)
	if err != nil {
		return err
	}
	c := visitorFrom(r.Context()).Caller
	person, who := f.values.Get("person"), strings.TrimSpace(f.values.Get("who"))
	join := f.values.Get("join") == "true"
	form := &templates.BoardAdd{Open: true, Who: templates.Field{Value: who}, Join: templates.Check{On: join}}
	if person == "" {
		if p, ok := s.Directory.ByEmail(who); ok {
			person = p.ID
		}
	}
	if person == "" {
		found := s.candidates(r, q, who)
		switch {
		case utf8.RuneCountInString(who) < leastLetters:
			form.Who.Error = tr(r, "board.who.missing")
		case found.Total == 0:
			form.Who.Error = tr(r, "board.who.nobody", "Who", who)
		default:
			form.Found = s.foundOf(r, found)
			form.Who.Error = tr(r, "board.who.choose")
		}
		return s.answerBoard(w, r, q, boardView{add: form}, session.Flash{}, problem.New(problem.Invalid, "setting.invalid"))
	}
	written, err := s.Settings.AddAgent(r.Context(), c, q.ID, person, join, opts)
	v := boardView{note: s.boardNote(r, f, q, written, err)}
	flash := session.Flash{Kind: "notice", Text: text("note.nothing")}
	switch p := s.Settings.PersonOf(person); {
	case err != nil:
		v.add = form
		if fields := problemOf(err).Fields; len(fields) > 0 && fields[0].Name == "person" {
			form.Who.Error, v.note = say(r, fields[0].Detail), templates.Note{}
		}
	case written.RecordID == "":
		v.note = templates.Note{Kind: templates.Notice, Text: tr(r, "board.already", "Name", p.Name)}
		flash.Text = i18n.NewText("board.already", "Name", p.Name)
	default:
		flash = session.Flash{Kind: "saved", Text: i18n.NewText("board.added", "Name", p.Name, "Queue", q.Name), RecordID: written.RecordID}
		v.note.Text = say(r, flash.Text)
	}
	return s.answerBoard(w, r, q, v, flash, err)
}

// askToRemove asks before somebody is removed.
func (s *Server) askToRemove(w http.ResponseWriter, r *http.Request) error {
	q, err := s.queueFor(r, access.StaffQueues)
	if err != nil {
		return err
	}
	b, err := s.Settings.Board(r.Context(), visitorFrom(r.Context()).Caller, q.ID, selfservice.BoardAge)
	if err != nil {
		return err
	}
	a, ok := b.Agent(param(r, "agent"))
	if !ok {
		return access.Denied("board.notAgent")
	}
	question := tr(r, "board.remove.ask", "Name", a.Name, "Queue", q.Name)
	if thin := thinText(b, b.Without([]string{a.ID})); thin.Key != "" {
		question += " " + say(r, thin)
	}
	v := boardView{age: selfservice.BoardAge, row: a.ID, confirm: templates.BoardConfirm{
		Text: question, Go: templates.Action{URL: r.URL.RequestURI(), Label: tr(r, "board.remove", "Name", a.Name), Hidden: hidden(r, "board")},
		Stay: boardURL(r, q.ID, ""), Label: tr(r, "board.remove.keep", "Name", a.Name),
	}}
	return s.answerBoard(w, r, q, v, session.Flash{}, nil)
}

func (s *Server) removeAgent(w http.ResponseWriter, r *http.Request) error {
	f, q, opts, err := s.boardForm(r)
	if err != nil {
		return err
	}
	agent := param(r, "agent")
	written, err := s.Settings.RemoveAgent(r.Context(), visitorFrom(r.Context()).Caller, q.ID, agent, opts)
	v := boardView{note: s.boardNote(r, f, q, written, err)}
	flash := session.Flash{}
	if err == nil {
		flash = session.Flash{Kind: "saved", Text: i18n.NewText("board.removed", "Name", s.Settings.PersonOf(agent).Name, "Queue", q.Name), RecordID: written.RecordID}
		v.note.Text = say(r, flash.Text)
	} else if !errors.Is(err, access.ErrDenied) {
		v.row = agent
	}
	return s.answerBoard(w, r, q, v, flash, err)
}

func (s *Server) setMinimum(w http.ResponseWriter, r *http.Request) error {
	f, q, opts, err := s.boardForm(r)
	if err != nil {
		return err
	}
	typed := strings.TrimSpace(f.values.Get("minimum"))
	written, err := s.Settings.SetMinimum(r.Context(), visitorFrom(r.Context()).Caller, q.ID, selfservice.Document{"minimum": json.Number(typed)}, opts)
	v := boardView{note: s.boardNote(r, f, q, written, err)}
	if p := problemOf(err); err != nil && len(p.Fields) > 0 && p.Fields[0].Name == "minimum" {
		v.note, v.minimum = templates.Note{}, &templates.BoardMinimum{Value: typed, Error: say(r, p.Fields[0].Detail), Open: true}
	}
	flash := session.Flash{Kind: "notice", Text: text("note.nothing")}
	if written.RecordID != "" {
		flash = session.Flash{Kind: "saved", Text: i18n.NewText("note.saved", "Time", s.clock(r, s.Now())), RecordID: written.RecordID}
	}
	return s.answerBoard(w, r, q, v, flash, err)
}

// undoOnBoard undoes a change of a queue and answers with its card.
func (s *Server) undoOnBoard(w http.ResponseWriter, r *http.Request) error {
	f, q, opts, err := s.boardForm(r)
	if err != nil {
		return err
	}
	undone, err := s.Settings.Undo(r.Context(), visitorFrom(r.Context()).Caller, ownSubject(visitorFrom(r.Context())), param(r, "record"), opts)
	v := boardView{note: s.boardNote(r, f, q, undone.Written, err)}
	flash := s.undoneFlash(r)
	if err == nil {
		v.note = templates.Note{Kind: templates.Saved, Text: say(r, flash.Text)}
		if undone.Entry.Setting == "queues" {
			v.row = undone.Subject.ID
		}
	}
	return s.answerBoard(w, r, q, v, flash, err)
}
