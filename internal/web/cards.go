package web

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"

	"patchbay/internal/dialing"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
	"patchbay/internal/webex"
	"patchbay/templates"
)

const (
	// oneView is how old a reading may be that the cards of one page share: each
	// card comes in a request of its own, and several show the same setting.
	oneView = 2 * time.Second
	// afterChange is how old the other readings may be when a card is shown again
	// after a change: only what was changed is new, so Webex need not be asked.
	afterChange = 10 * time.Minute
	// lastKnownFor is how old the last known values may be that a card shows while
	// Webex is down: as old as the cache keeps them.
	lastKnownFor = time.Hour
	// staleAfter is from when on a card says how old its values are (ux.md, 5).
	staleAfter = 5 * time.Minute
)

// Where a card stands decides its links; the names are those of the pages.
const (
	onHome  = "home"
	onCalls = "calls"
)

// shown is how a card is to be shown.
type shown struct {
	page string // the page that the card is on
	age  time.Duration
	note templates.Note
	oob  bool
	// typed holds the form as it was sent, so that nothing typed is lost.
	typed  selfservice.Document
	faults []problem.Field
	// onItem is the part of the card that the note belongs to: a switch or a queue.
	onItem string
	review *templates.Review
	// last names the queues whose last agent would leave.
	last *selfservice.LastAgentError
	row  string
	// again is set when the card can fetch itself once more: then it does not wait
	// for what takes two answers one after the other.
	again bool
}

// homeOf is where each card lives.
var homeOf = map[string]string{
	"rightNow": "home", "numbers": "home", "quick": "home", "queues": "queues", "phones": "phones", "history": "history", "health": "health",
	"lendings": "home", "devices": "phones", "newPhone": "phones", "lines": "phones",
	"always": onCalls, "busy": onCalls, "noAnswer": onCalls, "unreachable": onCalls, "doNotDisturb": onCalls, "callWaiting": onCalls, "intercept": onCalls,
}

// cardBase is what every card has.
func cardBase(r *http.Request, name string, v shown) templates.Card {
	if v.page == "" {
		v.page = homeOf[name]
	}
	return templates.Card{
		ID: "card-" + name, Name: name, URL: at(r, "/cards/"+name+"?page="+v.page), PageURL: pageURL(r, v.page), State: templates.Ready, Note: v.note, OOB: v.oob,
	}
}

// pageURL is the address of a page of the person whom the request is for.
func pageURL(r *http.Request, page string) string {
	if page == onHome {
		return at(r, "/")
	}
	return at(r, "/"+page)
}

// at is an address below the pages of the person whom the request is for: one's own
// pages are at the root, those of others below /people.
func at(r *http.Request, path string) string {
	base := visitorFrom(r.Context()).base
	if base != "" && path == "/" {
		return base
	}
	return base + path
}

// loading is a card that fetches itself.
func loading(r *http.Request, name, page string) templates.Card {
	c := cardBase(r, name, shown{page: page})
	c.State = templates.Loading
	return c
}

// card builds the card of that name; nil is a card that the person does not have.
func (s *Server) card(r *http.Request, name string, v shown) (templ.Component, error) {
	switch name {
	case "rightNow":
		return templates.RightNowCard(s.rightNowCard(r, v)), nil
	case "numbers":
		return templates.NumbersLine(s.numbersCard(r, v)), nil
	case "quick":
		return templates.QuickCard(s.quickCard(r, v)), nil
	case "queues":
		return templates.QueuesCard(s.queuesCard(r, v)), nil
	case "phones":
		return templates.PhonesCard(s.phonesCard(r, v)), nil
	case "devices":
		return templates.DevicesCard(s.devicesCard(r, v)), nil
	case "newPhone":
		return templates.NewPhoneCard(s.newPhoneCard(r, v)), nil
	case "lines":
		return templates.LinesCard(s.linesCard(r, v)), nil
	case "history":
		return templates.HistoryCard(s.historyCard(r, v)), nil
	case "lendings":
		if !visitorFrom(r.Context()).forOther() {
			return templates.LendingsCard(s.lendingsCard(r, v)), nil
		}
	case "always", "busy", "noAnswer", "unreachable":
		if c := s.forwardCard(r, name, v); c != nil {
			return templates.ForwardCard(*c), nil
		}
	case "doNotDisturb", "callWaiting":
		if c := s.switchesCard(r, name, v); c != nil {
			return templates.SwitchesCard(*c), nil
		}
	case "intercept":
		if c := s.interceptCard(r, v); c != nil {
			return templates.InterceptCard(*c), nil
		}
	default:
		return nil, problem.New(problem.NotFound, "web.notFound")
	}
	return templ.NopComponent, nil
}

// fail turns a card into one that says what is wrong and offers to try again.
func (s *Server) fail(r *http.Request, c *templates.Card, err error) {
	p := problemOf(err)
	s.logProblem(r, p)
	c.State = templates.Failed
	c.Problem = templates.Problem{
		What: tr(r, "card.failed", "Card", tr(r, "card."+c.Name)), Do: say(r, p.Public), Unchanged: tr(r, "card.failed.unchanged"),
		Reference: reference(r, p),
	}
	if p.RetryAfter > 0 && p.RetryAfter <= time.Minute {
		c.Problem.RetrySeconds = retrySeconds(p)
	}
}

// reference is what a person can tell the service desk.
func reference(r *http.Request, p *problem.Error) string {
	if p.TrackingID != "" {
		return RequestID(r.Context()) + " / " + p.TrackingID
	}
	return RequestID(r.Context())
}

// read reads a setting for a card. When Webex is down it gives the last known
// values, with their age.
func (s *Server) read(r *http.Request, name string, v shown, c *templates.Card) (selfservice.Reading, error) {
	who := visitorFrom(r.Context())
	reading, err := s.Settings.Read(r.Context(), who.Caller, who.subject, name, v.age)
	if err != nil && s.down(err) {
		if last, ok := s.Settings.LastKnown(r.Context(), who.Caller, who.subject, name); ok {
			if c.Note.Kind == templates.NoNote {
				c.Note = lastKnownNote(r)
			}
			c.AsOf = s.clock(r, last.At)
			last.Writable = true // the form stays; saving it says that Webex is away
			return last, nil
		}
	}
	if err == nil && s.Now().Sub(reading.At) > staleAfter {
		c.AsOf = s.clock(r, reading.At)
	}
	return reading, err
}

// lastKnownNote says that Webex is away, on a card that shows what was known.
func lastKnownNote(r *http.Request) templates.Note {
	return templates.Note{Kind: templates.Notice, Text: tr(r, "card.lastKnown")}
}

// down reports whether Webex as a whole does not answer, not only to this call.
func (s *Server) down(err error) bool {
	p := problemOf(err)
	health := s.Webex.Health()
	return (p.Code == problem.Unavailable || p.Code == problem.Timeout || p.Code == problem.BadGateway) &&
		(health.Open || !health.FailingSince.IsZero() && s.Now().Sub(health.FailingSince) >= downFor)
}

func (s *Server) rightNowCard(r *http.Request, v shown) templates.RightNow {
	c := cardBase(r, "rightNow", v)
	who := visitorFrom(r.Context())
	if !selfservice.SeesRightNow(who.Caller, who.subject) {
		return templates.RightNow{Card: c, Sentence: []templates.Segment{{Text: tr(r, "now.hidden")}}}
	}
	path, err := s.Settings.RightNow(r.Context(), who.Caller, who.subject, v.age)
	if err != nil {
		if selfservice.IsUnlicensed(err) {
			return templates.RightNow{Card: c, Sentence: []templates.Segment{{Text: tr(r, "now.unlicensed")}}}
		}
		known, ok := s.Settings.KnownRightNow(r.Context(), who.Caller, who.subject, lastKnownFor)
		if !ok || !s.down(err) {
			s.fail(r, &c, err)
			return templates.RightNow{Card: c}
		}
		path, c.Note = known, lastKnownNote(r)
	}
	if c.Note.Kind != templates.NoNote || s.Now().Sub(path.At) > staleAfter {
		c.AsOf = s.clock(r, path.At)
	}
	return rightNow(r, c, path)
}

func (s *Server) numbersCard(r *http.Request, v shown) templates.Numbers {
	n := templates.Numbers{Card: cardBase(r, "numbers", v)}
	who := visitorFrom(r.Context())
	p, err := s.Settings.Profile(r.Context(), who.Caller, who.subject)
	if err != nil {
		known, ok := s.Settings.KnownProfile(r.Context(), who.Caller, who.subject)
		if !ok || !s.down(err) {
			s.fail(r, &n.Card, err)
			return n
		}
		p = known
	}
	n.Parts = numberParts(r, p)
	return n
}

func numberParts(r *http.Request, p selfservice.Profile) []string {
	var parts []string
	extension := ""
	for _, n := range p.Numbers {
		if n.PhoneNumber != "" && n.Type == "work" {
			parts = append(parts, dialing.Display(n.PhoneNumber, ""))
		}
		if extension == "" {
			extension = n.Extension
		}
	}
	if extension != "" {
		parts = append(parts, tr(r, "numbers.extension", "Extension", extension))
	}
	if p.LocationName != "" {
		parts = append(parts, p.LocationName)
	}
	return parts
}

func (s *Server) quickCard(r *http.Request, v shown) templates.Quick {
	q := templates.Quick{Card: cardBase(r, "quick", v), ForwardURL: at(r, "/calls#card-always"), ForwardHint: tr(r, "quick.forward.to")}
	who := visitorFrom(r.Context())
	if s.Settings.KnownLocked(r.Context(), who.Caller, who.subject, "callForwarding") {
		q.ForwardURL = ""
	}
	var wg sync.WaitGroup
	var queues []selfservice.Membership
	var queuesErr, err error
	var dnd selfservice.Reading
	if sees(r, "queues") {
		wg.Go(func() { queues, queuesErr = s.queuesFor(r, v) })
	}
	if sees(r, "doNotDisturb") {
		dnd, err = s.read(r, "doNotDisturb", v, &q.Card)
	}
	wg.Wait()
	switch {
	case err == nil && dnd.Setting == nil: // not theirs to see
	case err == nil:
		q.DoNotDisturb = s.switchOf(r, dnd, "enabled", "quick-dnd", onHome)
		q.DoNotDisturb.Label = tr(r, "card.doNotDisturb")
		q.DoNotDisturb.Hint = valueWords(r, selfservice.Field{Kind: selfservice.Bool}, dnd.Document.Bool("enabled"), "")
		if v.onItem == "enabled" {
			q.DoNotDisturb.Note, q.Note = v.note, templates.Note{}
		}
	case !selfservice.IsUnlicensed(err):
		s.fail(r, &q.Card, err)
		return q
	}
	if queuesErr == nil {
		joined, leavable := 0, 0
		for _, m := range queues {
			if m.Pending && v.again && !q.Refresh {
				readAgain(&q.Card)
			}
			if m.Joined {
				joined++
				if m.CanJoin || m.Pending { // most can be left: the page must not jump when that is known
					leavable++
				}
			}
		}
		q.QueuesHint = tr(r, "quick.queues.hint", "Joined", joined, "All", len(queues))
		if leavable > 0 {
			q.LeaveAll = templates.Action{URL: at(r, "/queues?page=home"), Hidden: hidden(r, "quick", templates.Hidden{Name: "joined", Value: "false"})}
		}
	}
	if v.last != nil {
		q.LeaveConfirm = leaveConfirm(r, v.last, templates.Action{URL: at(r, "/queues?page=home"), Hidden: hidden(r, "quick",
			templates.Hidden{Name: "joined", Value: "false"}, templates.Hidden{Name: "anyway", Value: "true"})}, q.URL)
	}
	return q
}

func leaveConfirm(r *http.Request, last *selfservice.LastAgentError, goOn templates.Action, stay string) templates.Confirm {
	return templates.Confirm{Text: say(r, last.QueueText()), Go: goOn, Stay: stay}
}

// switchOf makes a switch that is saved at once.
func (s *Server) switchOf(r *http.Request, reading selfservice.Reading, path, id, page string) templates.Switch {
	f := selfservice.Field{Path: path}
	sw := templates.Switch{
		ID: id, Name: path, Label: fieldWords(r, reading.Setting, f), Hint: tr(r, "setting."+reading.Setting.Name+"."+path+".hint"),
		On: reading.Document.Bool(path), Form: templates.Form{URL: at(r, "/calls/"+reading.Setting.Name+"?page="+page), Fields: []string{path}, For: formTag(r)},
	}
	if !reading.Writable {
		sw.Locked = templates.Locked{Now: valueWords(r, selfservice.Field{Kind: selfservice.Bool}, sw.On, ""), Why: say(r, reading.Locked)}
	}
	return sw
}

func (s *Server) queuesCard(r *http.Request, v shown) templates.Queues {
	q := templates.Queues{Card: cardBase(r, "queues", v)}
	if v.page == onHome {
		q.All = templates.Link{Text: tr(r, "queues.all"), URL: at(r, "/queues")}
	}
	who := visitorFrom(r.Context())
	queues, err := s.queuesFor(r, v)
	if err != nil {
		if known, ok := s.Settings.KnownQueues(r.Context(), who.Caller, who.subject); ok && s.down(err) {
			queues = known
			q.Note = lastKnownNote(r)
		} else {
			s.fail(r, &q.Card, err)
			return q
		}
	}
	s.fillQueues(r, &q, queues, v)
	return q
}

// queuesFor reads the queues of a card. One that can be read again does not wait
// for everything.
func (s *Server) queuesFor(r *http.Request, v shown) ([]selfservice.Membership, error) {
	who := visitorFrom(r.Context())
	if v.again {
		return s.Settings.QueuesSoon(r.Context(), who.Caller, who.subject, v.age)
	}
	return s.Settings.Queues(r.Context(), who.Caller, who.subject, v.age)
}

// readAgain makes a card fetch itself once more, for what was still pending.
func readAgain(c *templates.Card) {
	c.Refresh, c.URL = true, c.URL+"&rest=1"
}

// fillQueues shows queues on their card.
func (s *Server) fillQueues(r *http.Request, q *templates.Queues, queues []selfservice.Membership, v shown) {
	action := "?page=" + v.page
	joinable, leavable, pending := 0, 0, false
	for i, m := range queues {
		row := queueRow(r, m, "queue-"+strconv.Itoa(i), action)
		if v.row != "" && webex.SameID(v.row, m.ID) {
			row.Note, q.Note = v.note, templates.Note{}
			if v.last != nil {
				row.Confirm = leaveConfirm(r, v.last, templates.Action{URL: row.Form.URL, Hidden: hidden(r, "queues",
					templates.Hidden{Name: "joined", Value: "false"}, templates.Hidden{Name: "anyway", Value: "true"})}, q.URL)
			}
		}
		q.Rows = append(q.Rows, row)
		pending = pending || m.Pending
		switch {
		case m.CanJoin && m.Joined:
			leavable++
		case m.CanJoin:
			joinable++
		}
	}
	all := func(joined string) templates.Action {
		return templates.Action{URL: at(r, "/queues"+action), Hidden: hidden(r, "queues", templates.Hidden{Name: "joined", Value: joined})}
	}
	if pending && v.again {
		readAgain(&q.Card)
	}
	if joinable > 0 {
		q.JoinAll = all("true")
	}
	if leavable > 0 {
		q.LeaveAll = all("false")
	}
	if v.last != nil && v.row == "" {
		anyway := all("false")
		anyway.Hidden = append(anyway.Hidden, templates.Hidden{Name: "anyway", Value: "true"})
		q.Confirm = leaveConfirm(r, v.last, anyway, q.URL)
	}
}

func queueRow(r *http.Request, m selfservice.Membership, id, action string) templates.Queue {
	row := templates.Queue{
		ID: id, Name: m.Name, Joined: m.Joined, CanJoin: m.CanJoin,
		Form: templates.Form{URL: at(r, "/queues/"+m.ID+action), Fields: []string{"joined"}, For: formTag(r)},
	}
	var detail []string
	if m.Extension != "" {
		detail = append(detail, tr(r, "queues.extension", "Extension", m.Extension))
	}
	if m.Agents > 0 {
		detail = append(detail, tr(r, "queues.active", "Active", m.Active, "Agents", m.Agents))
	}
	if m.LocationName != "" && len(detail) < 2 {
		detail = append(detail, m.LocationName)
	}
	row.Detail = strings.Join(detail, " · ")
	if !m.CanJoin {
		key := "queues.lock.out"
		switch {
		case m.Pending:
			key = "queues.lock.pending"
		case !m.Known:
			key = "queues.lock.unknown"
		case m.Joined:
			key = "queues.lock.in"
		}
		row.Lock = tr(r, key)
	}
	return row
}

func (s *Server) phonesCard(r *http.Request, v shown) templates.Phones {
	p := templates.Phones{Card: cardBase(r, "phones", v)}
	if v.page == onHome {
		p.All = templates.Link{Text: tr(r, "phones.all"), URL: at(r, "/phones")}
	}
	for _, d := range s.phonesFor(r, v, &p.Card) {
		p.Rows = append(p.Rows, phoneRow(r, s, d))
	}
	return p
}

// phonesFor reads the phones for a card: on Home those that are known. When Webex is
// down it gives those last known.
func (s *Server) phonesFor(r *http.Request, v shown, c *templates.Card) []selfservice.Device {
	who := visitorFrom(r.Context())
	read := s.Settings.Phones
	if v.page == onHome {
		read = s.Settings.KnownDevices
	}
	devices, err := read(r.Context(), who.Caller, who.subject)
	if err == nil {
		return devices.Value
	}
	known, ok := s.Settings.LastKnownDevices(r.Context(), who.Caller, who.subject)
	if !ok || !s.down(err) {
		s.fail(r, c, err)
		return nil
	}
	c.Note = lastKnownNote(r)
	return known
}

func phoneRow(r *http.Request, s *Server, d selfservice.Device) templates.Phone {
	row := templates.Phone{Name: d.Product}
	if row.Name == "" {
		row.Name = tr(r, "phones.unnamed")
	}
	var detail []string
	if d.DisplayName != "" && d.DisplayName != d.Product && d.DisplayName != visitorFrom(r.Context()).subject.Name {
		detail = append(detail, d.DisplayName)
	}
	if d.Shared && d.Owner != "" {
		detail = append(detail, tr(r, "phones.shared", "Owner", d.Owner))
	}
	if d.MAC != "" {
		detail = append(detail, formatMAC(d.MAC))
	}
	switch {
	case d.ConnectionStatus == "connected":
		row.Tag = templates.Tag{Tone: templates.ToneGood, Text: tr(r, "phones.online")}
	case online(d.ConnectionStatus):
		row.Tag = templates.Tag{Tone: templates.ToneWarn, Text: tr(r, "phones.issues")}
	case d.ConnectionStatus == "activating":
		row.Tag = templates.Tag{Tone: templates.TonePlain, Text: tr(r, "phones.activating")}
	case d.ConnectionStatus == "" || d.ConnectionStatus == "unknown":
		row.Tag = templates.Tag{Tone: templates.TonePlain, Text: tr(r, "phones.unknown")}
	default:
		row.Tag = templates.Tag{Tone: templates.ToneWarn, Text: tr(r, "phones.offline")}
		if seen, err := time.Parse(time.RFC3339, d.LastSeen); err == nil {
			detail = append(detail, tr(r, "phones.lastSeen", "Time", s.clock(r, seen)))
		}
	}
	row.Detail = strings.Join(detail, " · ")
	return row
}

// formatMAC writes an address in pairs.
func formatMAC(mac string) string {
	bare := strings.ToUpper(strings.NewReplacer(":", "", "-", "", ".", "").Replace(mac))
	if len(bare) != 12 {
		return mac
	}
	var pairs []string
	for i := 0; i < len(bare); i += 2 {
		pairs = append(pairs, bare[i:i+2])
	}
	return strings.Join(pairs, ":")
}

// forwardKinds are the objects of call forwarding behind the four cards.
var forwardKinds = map[string]string{
	"always": "callForwarding.always", "busy": "callForwarding.busy", "noAnswer": "callForwarding.noAnswer", "unreachable": "businessContinuity",
}

func (s *Server) forwardCard(r *http.Request, name string, v shown) *templates.Forward {
	if !sees(r, "callForwarding") {
		return nil
	}
	c := templates.Forward{Card: cardBase(r, name, v)}
	reading, err := s.read(r, "callForwarding", v, &c.Card)
	if selfservice.IsUnlicensed(err) {
		return nil
	}
	if err != nil {
		s.fail(r, &c.Card, err)
		return &c
	}
	kind, doc := forwardKinds[name], reading.Document
	if !reading.Writable {
		c.Locked = templates.Locked{Now: forwardWords(r, doc, kind, reading.Region()), Why: say(r, reading.Locked)}
		return &c
	}
	f := newFormView(r, reading, v)
	c.Enabled, c.Voicemail = f.check(kind+".enabled"), f.check(kind+".destinationVoicemailEnabled")
	c.Destination = f.number(kind + ".destination")
	if name == "always" {
		c.RingReminder = f.check(kind + ".ringReminderEnabled")
	}
	if name == "noAnswer" {
		c.Rings = f.rings(kind+".numberOfRings", doc.Int(kind+".systemMaxNumberOfRings"))
	}
	c.Form = f.form(at(r, "/calls/callForwarding?page="+v.page))
	return &c
}

// forwardWords says where one kind of forwarding stands: "off", "to +49 30 ...".
func forwardWords(r *http.Request, doc selfservice.Document, kind, region string) string {
	if !doc.Bool(kind + ".enabled") {
		return tr(r, "value.off")
	}
	return tr(r, "forward.to", "Number", dialing.Display(doc.Text(kind+".destination"), region))
}

func (s *Server) switchesCard(r *http.Request, name string, v shown) *templates.Switches {
	if !sees(r, name) {
		return nil
	}
	c := templates.Switches{Card: cardBase(r, name, v)}
	reading, err := s.read(r, name, v, &c.Card)
	if selfservice.IsUnlicensed(err) {
		return nil
	}
	if err != nil {
		s.fail(r, &c.Card, err)
		return &c
	}
	if !reading.Writable {
		c.Locked = templates.Locked{Now: valueWords(r, selfservice.Field{Kind: selfservice.Bool}, reading.Document.Bool("enabled"), ""), Why: say(r, reading.Locked)}
		return &c
	}
	for _, f := range reading.Setting.Fields {
		sw := s.switchOf(r, reading, f.Path, name+"-"+f.Path, v.page)
		if v.onItem == f.Path {
			sw.Note, c.Note = v.note, templates.Note{}
		}
		c.Items = append(c.Items, sw)
	}
	return &c
}

func (s *Server) interceptCard(r *http.Request, v shown) *templates.Intercept {
	if !sees(r, "intercept") {
		return nil
	}
	c := templates.Intercept{Card: cardBase(r, "intercept", v)}
	reading, err := s.read(r, "intercept", v, &c.Card)
	if selfservice.IsUnlicensed(err) {
		return nil
	}
	if err != nil {
		s.fail(r, &c.Card, err)
		return &c
	}
	if !reading.Writable {
		c.Locked = templates.Locked{Now: valueWords(r, selfservice.Field{Kind: selfservice.Bool}, reading.Document.Bool("enabled"), ""), Why: say(r, reading.Locked)}
		return &c
	}
	f := newFormView(r, reading, v)
	c.Enabled = f.check("enabled")
	c.Incoming = f.choice("incoming.type", "INTERCEPT_ALL")
	c.IncomingVoicemail = f.check("incoming.voicemailEnabled")
	c.NewNumber, c.NewNumberTo = f.check("incoming.announcements.newNumber.enabled"), f.number("incoming.announcements.newNumber.destination")
	c.ZeroTransfer, c.ZeroTransferTo = f.check("incoming.announcements.zeroTransfer.enabled"), f.number("incoming.announcements.zeroTransfer.destination")
	c.Outgoing = f.choice("outgoing.type", "INTERCEPT_ALL")
	c.OutgoingTransfer, c.OutgoingTransferTo = f.check("outgoing.transferEnabled"), f.number("outgoing.destination")
	c.Form = f.form(at(r, "/calls/intercept?page="+v.page))
	if v.review != nil {
		c.Review = *v.review
	}
	return &c
}

// formView takes the values of a form from what was typed, else from Webex.
type formView struct {
	r       *http.Request
	reading selfservice.Reading
	typed   selfservice.Document
	faults  []problem.Field
	fields  []string
}

func newFormView(r *http.Request, reading selfservice.Reading, v shown) *formView {
	return &formView{r: r, reading: reading, typed: v.typed, faults: v.faults}
}

func (f *formView) doc(path string) selfservice.Document {
	f.fields = append(f.fields, path)
	if _, ok := f.typed.Get(path); ok {
		return f.typed
	}
	return f.reading.Document
}

func (f *formView) check(path string) templates.Check {
	return templates.Check{Name: path, On: f.doc(path).Bool(path)}
}

// choice is on for the first of two values.
func (f *formView) choice(path, first string) templates.Check {
	return templates.Check{Name: path, On: f.doc(path).Text(path) == first}
}

func (f *formView) number(path string) templates.Field {
	raw := f.doc(path).Text(path)
	field := templates.Field{Name: path, Value: raw, MeaningURL: at(f.r, "/number"), Error: f.fault(path)}
	if _, typed := f.typed.Get(path); !typed {
		field.Value = dialing.Display(raw, f.reading.Region())
	}
	field.Meaning = numberMeaning(f.r, raw, f.reading.Region())
	return field
}

func (f *formView) rings(path string, most int) templates.Rings {
	doc := f.doc(path)
	rings := templates.Rings{Name: path, Value: doc.Int(path), Min: 2, Max: 20, Error: f.fault(path)}
	if most > rings.Min && most < rings.Max {
		rings.Max = most
	}
	if rings.Value == 0 {
		rings.Value = f.reading.Document.Int(path)
	}
	return rings
}

func (f *formView) fault(path string) string {
	for _, fault := range f.faults {
		if fault.Name == path {
			return say(f.r, fault.Detail)
		}
	}
	return ""
}

// form is the form of all fields asked for so far.
func (f *formView) form(url string) templates.Form {
	return templates.Form{URL: url, Fields: f.fields, ETag: f.reading.Tag(f.fields), For: formTag(f.r), Typed: f.typed != nil}
}

func (s *Server) historyCard(r *http.Request, v shown) templates.History {
	h := templates.History{Card: cardBase(r, "history", v)}
	who := visitorFrom(r.Context())
	cursor := r.URL.Query().Get("cursor")
	records, next, err := s.Settings.History(r.Context(), who.Caller, who.subject, cursor, historyPage)
	if err != nil {
		s.fail(r, &h.Card, err)
		return h
	}
	region := s.Settings.KnownRegion(r.Context(), who.subject)
	for i, rec := range records {
		e := s.entryOf(r, rec, "change-"+strconv.Itoa(i), region)
		e.ByOther = rec.Actor.ID != "" && !webex.SameID(rec.Actor.ID, rec.Subject.ID)
		if rec.Undoable {
			e.Undo = undoAction(r, rec.ID, "history", "history")
		}
		if v.row == rec.ID {
			e.Note, h.Note = v.note, templates.Note{}
		}
		h.Entries = append(h.Entries, e)
	}
	if next != "" {
		h.Older = templates.Link{Text: tr(r, "history.older"), URL: at(r, "/history?cursor="+next)}
	}
	return h
}

// historyPage is how many changes one page shows.
const historyPage = 20

// undoAction undoes a record and answers with a card.
func undoAction(r *http.Request, record, card, page string) templates.Action {
	if record == "" {
		return templates.Action{}
	}
	return templates.Action{URL: at(r, "/history/"+record+"/undo?page="+page), Hidden: hidden(r, card)}
}

// isProblem reports whether err is a problem of this code.
func isProblem(err error, code problem.Code) bool {
	var p *problem.Error
	return errors.As(err, &p) && p.Code == code
}

// noteText is a note of a text.
func noteText(r *http.Request, kind templates.NoteKind, t i18n.Text) templates.Note {
	return templates.Note{Kind: kind, Text: say(r, t)}
}
