package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
	"patchbay/internal/session"
)

// visitor is who makes a request, and for whom. Without a session it is nobody.
type visitor struct {
	access.Caller
	identity session.Identity
	// subject is the person whose pages are meant: the visitor, or whom they act for.
	subject selfservice.Subject
	// base is where the subject's pages are: "" for one's own, "/people/<id>" for others'.
	base string
	// acting is the visitor's work for somebody else, if there is any under way.
	acting session.Acting
	// refused is set once a refusal of this request stands in the log.
	refused *atomic.Bool
}

// calls reports whether the subject has Webex Calling: only then are there calls,
// queues and phones to show.
func (v visitor) calls() bool { return v.subject.LocationID != "" }

// sees reports whether this part of the subject's portal is the visitor's to see.
func sees(r *http.Request, part string) bool {
	v := visitorFrom(r.Context())
	return selfservice.Sees(v.Caller, v.subject, part)
}

// forOther reports whether the pages of somebody else are meant.
func (v visitor) forOther() bool { return v.base != "" }

// ownSubject is the visitor as a subject, also while they act for somebody else.
func ownSubject(v visitor) selfservice.Subject {
	if !v.forOther() {
		return v.subject
	}
	return selfservice.Subject{ID: v.PersonID, Name: v.Name, LocationID: v.identity.LocationID}
}

type visitorKey struct{}

func visitorFrom(ctx context.Context) visitor {
	v, _ := ctx.Value(visitorKey{}).(visitor)
	return v
}

// visitor reads the session, and what the person may do now: grants that were
// revoked since the last request count no more.
func (s *Server) visitor(ctx context.Context) (visitor, error) {
	who, ok := s.Sessions.Identity(ctx)
	if !ok {
		return visitor{refused: &atomic.Bool{}}, nil
	}
	c, err := s.Access.Caller(ctx, who.PersonID, who.DisplayName, who.Email)
	if err != nil {
		return visitor{}, err
	}
	v := visitor{
		Caller: c, identity: who, subject: selfservice.Subject{ID: who.PersonID, Name: who.DisplayName, LocationID: who.LocationID}, refused: &atomic.Bool{},
	}
	if p, ok := s.Directory.Person(who.PersonID); ok && p.LocationID != "" {
		v.subject.LocationID = p.LocationID // who has moved since they signed in is under the policy of the new place
	}
	return v, nil
}

// personParam is the name of the part of a path that names whose pages are meant.
const personParam = "person"

// forSubject finds whom the request is for, when its path says so, and checks that
// the visitor may do there what the route declares.
func (s *Server) forSubject(r *http.Request, v visitor, rt route) (visitor, error) {
	id := param(r, personParam)
	if id == "" {
		return v, nil
	}
	if v.Is(id) {
		if rt.kind != api {
			return v, errOwnPages
		}
		return v, nil // the same as /api/me
	}
	subject, err := s.Settings.Subject(r.Context(), v.Caller, id)
	if err != nil {
		return v, err
	}
	v.subject, v.base = subject, "/people/"+url.PathEscape(subject.ID)
	if _, ok := v.MayOn(rt.needs, subject.Target()); !ok {
		return v, problem.New(problem.Forbidden, "web.forbidden").Because(access.ErrDenied)
	}
	return v, nil
}

// noteRefusal writes into the log that somebody was refused.
func (s *Server) noteRefusal(r *http.Request, p *problem.Error) {
	v := visitorFrom(r.Context())
	if v.PersonID == "" || v.acting.Preview || v.refused == nil || v.refused.Swap(true) {
		return // in a preview nobody was refused anything: somebody looked whether they would be
	}
	e := audit.Entry{
		Setting: refusedName, Object: audit.Object{Kind: "request", ID: r.Method + " " + routeOf(r), Name: beginning(r.URL.Path), Details: map[string]string{"problem": p.Public.Key}},
	}
	if id := param(r, personParam); id != "" {
		e.Subject = s.Settings.PersonOf(id)
	}
	if _, err := s.Audit.Note(r.Context(), byVisitor(r, e), audit.Result{Outcome: audit.Refused}); err != nil {
		s.Log.ErrorContext(r.Context(), "a refusal could not be recorded", "error", err, "request_id", RequestID(r.Context()))
	}
}

// beginning bounds what anybody can send, and what then stays in the log for long.
func beginning(text string) string {
	const most = 300
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// Names under which the log has what is no change of a setting.
const (
	refusedName  = "refused"
	signInName   = "signIn"
	exportName   = "export"
	sessionsName = "sessions"
	actingName   = "acting"
)
