package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"patchbay/internal/access"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
	"patchbay/internal/webex"
)

// readStrictly reads the JSON object of a body into a struct. A field that the struct
// does not have, and a value of another type, are faults with the field's name.
func readStrictly(r *http.Request, into any) error {
	doc, err := readDocument(r)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(strings.NewReader(string(doc.JSON())))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(into)
	if err == nil {
		return nil
	}
	invalid := &problem.Error{Code: problem.Invalid, Public: text("setting.invalid"), Err: err}
	var wrongType *json.UnmarshalTypeError
	var wrongTime *time.ParseError
	name, unknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	switch {
	case unknown:
		invalid.Fields = []problem.Field{{Name: strings.Trim(name, `"`), Detail: text("check.unknown")}}
	case errors.As(err, &wrongType):
		invalid.Fields = []problem.Field{{Name: wrongType.Field, Detail: text("grant.type")}}
	case errors.As(err, &wrongTime), strings.HasPrefix(err.Error(), "Time.UnmarshalJSON"):
		invalid.Fields = []problem.Field{{Name: "until", Detail: text("grant.until.form")}}
	default:
		return problem.New(problem.Malformed, "web.malformed").Because(err)
	}
	return invalid
}

// apiGrants lists the grants that the caller may know of: of all, those that they
// hold themselves.
func (s *Server) apiGrants(w http.ResponseWriter, r *http.Request) error {
	v := visitorFrom(r.Context())
	var f access.Filter
	if to := strings.TrimSpace(r.URL.Query().Get("to")); to != "" {
		f.To = to
		if p, ok := s.Directory.ByEmail(to); ok {
			f.To = p.ID
		}
	}
	if on := strings.TrimSpace(r.URL.Query().Get("on")); on != "" {
		target, ok := s.targetOf(r, on)
		if !ok {
			return writeJSON(w, []access.Grant{}) // nothing is granted on what is not there
		}
		f.On = &target
	}
	list, err := s.Access.List(r.Context(), v.Caller, f)
	if err != nil {
		return err
	}
	if list == nil {
		list = []access.Grant{}
	}
	return writeJSON(w, list)
}

// targetOf finds a person, by id or address, or a queue that the visitor may see.
func (s *Server) targetOf(r *http.Request, id string) (access.Target, bool) {
	p, ok := s.Directory.Person(id)
	if !ok {
		p, ok = s.Directory.ByEmail(id)
	}
	if ok {
		return s.Settings.KnownSubject(p.ID).Target(), true
	}
	if _, err := webex.UUID(id); err != nil {
		return access.Target{}, false
	}
	q, err := s.Settings.Queue(r.Context(), visitorFrom(r.Context()).Caller, id)
	return q.Target(), err == nil
}

// answerGrant answers with a grant and names the record of its change.
func answerGrant(w http.ResponseWriter, status int, made access.Made) error {
	h := w.Header()
	if made.RecordID != "" {
		h.Set("Audit-Id", made.RecordID)
	}
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return nil
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(made.Grant) // the reader may be gone
	return nil
}

func (s *Server) apiCreateGrant(w http.ResponseWriter, r *http.Request) error {
	var wish struct {
		To     access.Grantee `json:"to"`
		Role   access.Role    `json:"role"`
		Scope  access.Scope   `json:"scope"`
		Until  time.Time      `json:"until"`
		Reason string         `json:"reason"`
	}
	if err := readStrictly(r, &wish); err != nil {
		return err
	}
	made, err := s.Access.Create(r.Context(), visitorFrom(r.Context()).Caller, access.Grant{
		To: wish.To, Role: wish.Role, Scope: wish.Scope, Until: wish.Until, Reason: strings.TrimSpace(wish.Reason),
	})
	if err != nil {
		return err
	}
	return answerGrant(w, http.StatusCreated, made)
}

func (s *Server) apiExtendGrant(w http.ResponseWriter, r *http.Request) error {
	var wish struct {
		Until  json.RawMessage `json:"until"`
		Reason string          `json:"reason"`
	}
	if err := readStrictly(r, &wish); err != nil {
		return err
	}
	var until time.Time // null is for good
	if err := json.Unmarshal(wish.Until, &until); err != nil {
		return &problem.Error{Code: problem.Invalid, Public: text("setting.invalid"), Fields: []problem.Field{{Name: "until", Detail: text("grant.until.form")}}, Err: err}
	}
	made, err := s.Access.Extend(r.Context(), visitorFrom(r.Context()).Caller, param(r, "grant"), until, strings.TrimSpace(wish.Reason))
	if err != nil {
		return err
	}
	return answerGrant(w, http.StatusOK, made)
}

func (s *Server) apiRevokeGrant(w http.ResponseWriter, r *http.Request) error {
	opts, err := writeOptions(r)
	if err != nil {
		return err
	}
	made, err := s.Access.Revoke(r.Context(), visitorFrom(r.Context()).Caller, param(r, "grant"), access.Options{Reason: opts.Reason})
	if err != nil {
		return err
	}
	return answerGrant(w, http.StatusNoContent, made)
}

func (s *Server) apiPolicy(w http.ResponseWriter, r *http.Request) error {
	p, err := s.Access.ReadThePolicy(r.Context(), visitorFrom(r.Context()).Caller)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", p.ETag())
	if r.Header.Get("If-None-Match") == p.ETag() {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return writeJSON(w, p)
}

func (s *Server) apiPutPolicy(w http.ResponseWriter, r *http.Request) error {
	opts, err := writeOptions(r)
	if err != nil {
		return err
	}
	wish := &access.Policy{}
	if err := readStrictly(r, wish); err != nil {
		return err
	}
	now, record, err := s.Access.SetPolicy(r.Context(), visitorFrom(r.Context()).Caller, wish, access.PolicyOptions{
		IfMatch: opts.IfMatch, Options: access.Options{Reason: opts.Reason},
	})
	if record != "" {
		w.Header().Set("Audit-Id", record)
	}
	var p *problem.Error
	switch {
	case err == nil:
	case errors.As(err, &p) && p.Code == problem.Changed && now != nil:
		w.Header().Set("ETag", now.ETag())
		return &conflict{cause: p, present: documentOf(now), wanted: documentOf(wish)}
	default:
		return err
	}
	w.Header().Set("ETag", now.ETag())
	return writeJSON(w, now)
}

// documentOf is a policy as a document.
func documentOf(p *access.Policy) selfservice.Document {
	encoded, err := json.Marshal(p)
	if err != nil {
		return nil // maps of strings: it never comes to this
	}
	doc, err := selfservice.ParseDocument(encoded)
	if err != nil {
		return nil
	}
	return doc
}
