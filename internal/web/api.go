package web

import (
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
)

//go:embed openapi.json
var apiDescription []byte

const (
	// apiPage is how many records one page of the history holds.
	apiPage = 50
	// maxReason is the longest reason, in runes.
	maxReason = 500
)

// param is a part of the path; ids may come with an escaped "=".
func param(r *http.Request, name string) string {
	value := chi.URLParam(r, name)
	if plain, err := url.PathUnescape(value); err == nil {
		return plain
	}
	return value
}

func writeJSON(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return nil //nolint:nilerr // the reader is gone: nothing can be answered
	}
	return nil
}

// readJSON reads the body of a request, which must say that it is JSON.
func readJSON(r *http.Request) ([]byte, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return nil, problem.New(problem.UnsupportedType, "web.wantJSON")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, bodyProblem(err)
	}
	return body, nil
}

// readDocument reads a JSON object from the body of a request.
func readDocument(r *http.Request) (selfservice.Document, error) {
	body, err := readJSON(r)
	if err != nil {
		return nil, err
	}
	doc, err := selfservice.ParseDocument(body)
	if err != nil {
		return nil, problem.New(problem.Malformed, "web.malformed").Because(err)
	}
	return doc, nil
}

func bodyProblem(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return problem.New(problem.Malformed, "web.malformed").Because(err)
}

// writeOptions reads what goes with a change: If-Match and the query's reason.
func writeOptions(r *http.Request) (selfservice.WriteOptions, error) {
	reason := strings.TrimSpace(r.URL.Query().Get("reason"))
	if utf8.RuneCountInString(reason) > maxReason || !utf8.ValidString(reason) {
		return selfservice.WriteOptions{}, problem.New(problem.Malformed, "web.reason", "Max", maxReason)
	}
	if r.URL.Query().Has("until") {
		// A change that would silently stay for ever is worse than none.
		return selfservice.WriteOptions{}, problem.New(problem.Malformed, "web.until")
	}
	return selfservice.WriteOptions{IfMatch: r.Header.Get("If-Match"), Reason: reason}, nil
}

type profileJSON struct {
	ID          string        `json:"id"`
	DisplayName string        `json:"displayName"`
	Email       string        `json:"email"`
	Location    *locationJSON `json:"location"`
	Numbers     []numberJSON  `json:"numbers"`
}

type meJSON struct {
	profileJSON
	Roles       []access.Role       `json:"roles"`
	Permissions []access.Permission `json:"permissions"`
}

type locationJSON struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type numberJSON struct {
	PhoneNumber string `json:"phoneNumber,omitempty"`
	Extension   string `json:"extension,omitempty"`
	Primary     bool   `json:"primary"`
	Type        string `json:"type"`
}

func (s *Server) apiMe(w http.ResponseWriter, r *http.Request) error {
	v := visitorFrom(r.Context())
	p, err := s.Settings.Profile(r.Context(), v.Caller, v.subject)
	if err != nil {
		return err
	}
	me := meJSON{profileJSON: profileOf(p), Roles: v.Roles(), Permissions: v.Permissions()}
	me.Email = v.identity.Email
	return writeJSON(w, me)
}

func profileOf(p selfservice.Profile) profileJSON {
	one := profileJSON{ID: p.ID, DisplayName: p.DisplayName, Email: p.Email, Numbers: []numberJSON{}}
	if p.LocationID != "" {
		one.Location = &locationJSON{ID: p.LocationID, Name: p.LocationName}
	}
	for _, n := range p.Numbers {
		one.Numbers = append(one.Numbers, numberJSON(n))
	}
	return one
}

type settingJSON struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Group  string `json:"group"`
	Access string `json:"access"`
	Href   string `json:"href"`
}

func (s *Server) apiSettings(w http.ResponseWriter, r *http.Request) error {
	v := visitorFrom(r.Context())
	readings, err := s.Settings.Settings(r.Context(), v.Caller, v.subject)
	if err != nil {
		return err
	}
	list := make([]settingJSON, 0, len(readings))
	for _, reading := range readings {
		entry := settingJSON{
			Name: reading.Setting.Name, Title: say(r, reading.Setting.Title()), Group: reading.Setting.Group,
			Access: "read", Href: apiBase(r) + "/settings/" + reading.Setting.Name,
		}
		if reading.Writable {
			entry.Access = "write"
		}
		list = append(list, entry)
	}
	return writeJSON(w, list)
}

func (s *Server) apiSetting(w http.ResponseWriter, r *http.Request) error {
	v := visitorFrom(r.Context())
	reading, err := s.Settings.Read(r.Context(), v.Caller, v.subject, param(r, "setting"), 0)
	if err != nil {
		return err
	}
	return writeReading(w, r, reading)
}

// writeReading answers with a setting and its ETag; a reader who has this state
// already gets 304.
func writeReading(w http.ResponseWriter, r *http.Request, reading selfservice.Reading) error {
	w.Header().Set("ETag", reading.ETag)
	if r.Method == http.MethodGet && r.Header.Get("If-None-Match") == reading.ETag {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return writeJSON(w, reading.Document)
}

func (s *Server) apiPutSetting(w http.ResponseWriter, r *http.Request) error {
	opts, err := writeOptions(r)
	if err != nil {
		return err
	}
	wish, err := readDocument(r)
	if err != nil {
		return err
	}
	v := visitorFrom(r.Context())
	written, err := s.Settings.Write(r.Context(), v.Caller, v.subject, param(r, "setting"), wish, opts)
	return answerWrite(w, r, written, err)
}

// conflict is problem.Changed with both states, for programs to choose.
type conflict struct {
	cause           *problem.Error
	present, wanted selfservice.Document
}

// Error is the problem's.
func (c *conflict) Error() string { return c.cause.Error() }

// Unwrap gives the problem.
func (c *conflict) Unwrap() error { return c.cause }

// answerWrite answers a change with the fresh state and names its record, also
// when the change did not come about.
func answerWrite(w http.ResponseWriter, r *http.Request, written selfservice.Written, err error) error {
	if written.RecordID != "" {
		w.Header().Set("Audit-Id", written.RecordID)
	}
	if err != nil {
		var p *problem.Error
		if errors.As(err, &p) && p.Code == problem.Changed {
			w.Header().Set("ETag", written.Reading.ETag)
			return &conflict{cause: p, present: written.Reading.Document, wanted: written.Wanted}
		}
		return err
	}
	return writeReading(w, r, written.Reading)
}

type queueJSON struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	LocationID   string `json:"locationId"`
	LocationName string `json:"locationName"`
	Extension    string `json:"extension,omitempty"`
	PhoneNumber  string `json:"phoneNumber,omitempty"`
	Joined       bool   `json:"joined"`
	CanJoin      bool   `json:"canJoin"`
}

func queueOf(m selfservice.Membership) queueJSON {
	return queueJSON{
		ID: m.ID, Name: m.Name, LocationID: m.LocationID, LocationName: m.LocationName,
		Extension: m.Extension, PhoneNumber: m.PhoneNumber, Joined: m.Joined, CanJoin: m.CanJoin,
	}
}

func (s *Server) apiQueues(w http.ResponseWriter, r *http.Request) error {
	v := visitorFrom(r.Context())
	queues, err := s.Settings.Queues(r.Context(), v.Caller, v.subject, 0)
	if err != nil {
		return err
	}
	list := make([]queueJSON, 0, len(queues))
	for _, q := range queues {
		list = append(list, queueOf(q))
	}
	return writeJSON(w, list)
}

func (s *Server) apiPutQueue(w http.ResponseWriter, r *http.Request) error {
	opts, err := writeOptions(r)
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
	v := visitorFrom(r.Context())
	id := param(r, "queue")
	opts.IfMatch = "" // a queue has no ETag of its own: joined is all there is
	written, err := s.Settings.SetJoined(r.Context(), v.Caller, v.subject, []string{id}, joined, selfservice.JoinOptions{WriteOptions: opts})
	for _, one := range written {
		if one.RecordID != "" {
			w.Header().Set("Audit-Id", one.RecordID)
		}
	}
	if err != nil {
		return err
	}
	for _, one := range written {
		if m, ok := s.Settings.MembershipAfter(r.Context(), v.subject, one, id); ok {
			return writeJSON(w, queueOf(m))
		}
	}
	return writeJSON(w, queueJSON{ID: id, Joined: joined, CanJoin: true})
}

type deviceJSON struct {
	ID               string   `json:"id"`
	DisplayName      string   `json:"displayName,omitempty"`
	Product          string   `json:"product"`
	Type             string   `json:"type"`
	MAC              string   `json:"mac,omitempty"`
	ConnectionStatus string   `json:"connectionStatus"`
	LastSeen         string   `json:"lastSeen,omitempty"`
	ErrorCodes       []string `json:"errorCodes,omitempty"`
	Shared           bool     `json:"shared"`
	Owner            string   `json:"owner,omitempty"`
}

func (s *Server) apiDevices(w http.ResponseWriter, r *http.Request) error {
	v := visitorFrom(r.Context())
	devices, err := s.Settings.Phones(r.Context(), v.Caller, v.subject)
	if err != nil {
		return err
	}
	list := make([]deviceJSON, 0, len(devices.Value))
	for _, d := range devices.Value {
		status := d.ConnectionStatus
		if status == "" {
			status = "unknown"
		}
		list = append(list, deviceJSON{
			ID: d.ID, DisplayName: d.DisplayName, Product: d.Product, Type: d.Type, MAC: d.MAC, ConnectionStatus: status,
			LastSeen: d.LastSeen, ErrorCodes: d.ErrorCodes, Shared: d.Shared, Owner: d.Owner,
		})
	}
	return writeJSON(w, list)
}

type personJSON struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type objectJSON struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

type recordJSON struct {
	ID       string          `json:"id"`
	At       time.Time       `json:"at"`
	Actor    personJSON      `json:"actor"`
	Role     string          `json:"role,omitempty"` // as which the actor acted
	Subject  *personJSON     `json:"subject"`        // null for what concerns nobody
	Object   *objectJSON     `json:"object,omitempty"`
	Setting  string          `json:"setting"`
	Before   json.RawMessage `json:"before"`
	After    json.RawMessage `json:"after"`
	Reason   string          `json:"reason,omitempty"`
	Outcome  audit.Outcome   `json:"outcome"`
	Undoable bool            `json:"undoable"`
	Undoes   string          `json:"undoes,omitempty"`
	UndoneBy string          `json:"undoneBy,omitempty"`
}

func recordJSONOf(rec selfservice.Record) recordJSON {
	one := recordJSON{
		ID: rec.ID, At: rec.At, Actor: personJSON{rec.Actor.ID, rec.Actor.Name}, Role: rec.Role, Setting: rec.Entry.Setting, Before: rec.Before, After: rec.After,
		Reason: rec.Reason, Outcome: rec.Outcome, Undoable: rec.Undoable, Undoes: rec.Undoes, UndoneBy: rec.UndoneBy,
	}
	if rec.Subject.ID != "" {
		one.Subject = &personJSON{rec.Subject.ID, rec.Subject.Name}
	}
	if rec.Object.ID != "" {
		one.Object = &objectJSON{Kind: rec.Object.Kind, ID: rec.Object.ID, Name: rec.Object.Name}
	}
	return one
}

// apiBase is where the API has what belongs to the person whom the request is for.
func apiBase(r *http.Request) string {
	if v := visitorFrom(r.Context()); v.forOther() {
		return "/api/people/" + url.PathEscape(v.subject.ID)
	}
	return "/api/me"
}

func (s *Server) apiHistory(w http.ResponseWriter, r *http.Request) error {
	v := visitorFrom(r.Context())
	records, next, err := s.Settings.History(r.Context(), v.Caller, v.subject, r.URL.Query().Get("cursor"), apiPage)
	if err != nil {
		return err
	}
	answer := struct {
		Items []recordJSON `json:"items"`
		Next  string       `json:"next,omitempty"`
	}{Items: make([]recordJSON, 0, len(records)), Next: next}
	for _, rec := range records {
		answer.Items = append(answer.Items, recordJSONOf(rec))
	}
	return writeJSON(w, answer)
}

func (s *Server) apiUndo(w http.ResponseWriter, r *http.Request) error {
	opts, err := writeOptions(r)
	if err != nil {
		return err
	}
	v := visitorFrom(r.Context())
	undone, err := s.Settings.Undo(r.Context(), v.Caller, ownSubject(v), param(r, "record"), opts)
	written := undone.Written
	if isProblem(err, problem.Changed) && undone.State.JSON != nil { // a grant, or the policy
		w.Header().Set("ETag", undone.State.ETag)
		both := &conflict{cause: problemOf(err)}
		both.present, _ = selfservice.ParseDocument(undone.State.JSON)
		both.wanted, _ = selfservice.ParseDocument(undone.Entry.Before)
		return both
	}
	if err != nil || undone.Entry.Setting != "queues" {
		if err == nil && written.Reading.Setting == nil { // a grant, or the policy
			w.Header().Set("Audit-Id", written.RecordID)
			return writeJSON(w, struct {
				Undone string `json:"undone"`
			}{undone.Entry.ID})
		}
		return answerWrite(w, r, written, err)
	}
	w.Header().Set("Audit-Id", written.RecordID)
	var queues []queueJSON
	for _, c := range written.Changes {
		if m, ok := s.Settings.MembershipAfter(r.Context(), undone.Subject, written, strings.TrimSuffix(c.Path, ".joined")); ok {
			queues = append(queues, queueOf(m))
		}
	}
	if len(queues) == 1 {
		return writeJSON(w, queues[0])
	}
	return writeJSON(w, struct { // several queues were left at once
		Items []queueJSON `json:"items"`
	}{queues})
}

func (s *Server) apiDescription(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(apiDescription) // the reader may be gone
	return nil
}
