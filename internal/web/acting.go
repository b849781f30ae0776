package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/session"
	"patchbay/internal/signin"
	"patchbay/internal/webex"
	"patchbay/templates"
)

var (
	// errAnswered says that the request has been answered already.
	errAnswered = errors.New("answered")
	// errOwnPages says that one's own pages were asked for as somebody else's.
	errOwnPages = errors.New("these are the visitor's own pages")
)

// objectPreview is the kind of object by which the log tells looking from helping.
const objectPreview = "preview"

// keyActingEnded is the problem of a form of somebody for whom one works no more.
const keyActingEnded = "acting.ended"

// keyPreview is the problem of a change in a session that shows the portal as somebody
// else sees it.
const keyPreview = "acting.preview"

// viewRoutes change nothing but how, or as whom, the visitor looks at the portal.
var viewRoutes = []string{"/logout", "/preferences", "/people/{person}/start", "/people/{person}/stop", "/people/{person}/preview"}

// act makes sure that whoever opens or changes the pages of somebody else does so
// on purpose: they act for one person at a time, with a reason where the policy
// asks for one, and it ends by itself when it is not used (ux.md, section 3). While a
// session shows the portal as somebody else sees it, it changes nothing, by no page
// and not by the API: nobody should wonder as whom they did it.
func (s *Server) act(w http.ResponseWriter, r *http.Request, rt route) (*http.Request, error) {
	v := visitorFrom(r.Context())
	writes := r.Method != http.MethodGet && r.Method != http.MethodHead
	othersPage := v.forOther() && rt.kind != api
	if v.PersonID == "" || slices.Contains(viewRoutes, rt.pattern) || !writes && !othersPage {
		return r, nil
	}
	acting, ok, err := s.Sessions.Acting(r.Context())
	switch {
	case err != nil:
		return r, err
	case writes && ok && acting.Preview:
		return r, problem.New(problem.Conflict, keyPreview, "Name", acting.Name)
	case !othersPage:
		return r, nil
	case ok && webex.SameID(acting.PersonID, v.subject.ID):
	case writes, isPartial(r):
		return r, problem.New(problem.Conflict, keyActingEnded, "Name", v.subject.Name)
	case s.reasonNeeded(v):
		http.Redirect(w, r, v.base+"/start?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return r, errAnswered
	default:
		if acting, err = s.beginActing(r, v, "", false); err != nil {
			return r, err
		}
	}
	v.acting = acting
	if acting.Preview {
		if !v.MayEverywhere(access.ChangePolicy) {
			return r, problem.New(problem.Forbidden, "web.forbidden").Because(access.ErrDenied)
		}
		// What they would see themselves: their own roles, by the same policy.
		if v.Caller, err = s.Access.Caller(r.Context(), v.subject.ID, v.subject.Name, ""); err != nil {
			return r, err
		}
	}
	ctx := context.WithValue(r.Context(), visitorKey{}, v)
	if !acting.Preview {
		ctx = i18n.NewContext(ctx, i18n.FromContext(ctx).ForSomebodyElse())
	}
	return r.WithContext(ctx), nil
}

// actingRole is as which role the visitor works for the subject.
func (v visitor) actingRole() access.Role {
	if role, ok := v.MayOn(access.ChangePeople, v.subject.Target()); ok {
		return role
	}
	role, _ := v.MayOn(access.ReadPeople, v.subject.Target())
	return role
}

func (s *Server) reasonNeeded(v visitor) bool { return v.Policy.NeedsReason(v.actingRole()) }

// beginActing notes in session and log that the visitor works for the subject now.
func (s *Server) beginActing(r *http.Request, v visitor, reason string, preview bool) (session.Acting, error) {
	acting := session.Acting{PersonID: v.subject.ID, Name: v.subject.Name, LocationID: v.subject.LocationID, Reason: reason, Since: s.Now(), Preview: preview}
	e := audit.Entry{
		Actor: audit.Person{ID: v.PersonID, Name: v.Name}, Role: string(v.actingRole()), Subject: audit.Person{ID: v.subject.ID, Name: v.subject.Name},
		Setting: actingName, Reason: reason,
	}
	if preview {
		e.Object = audit.Object{Kind: objectPreview, ID: v.subject.ID}
	}
	if _, err := s.Audit.Note(r.Context(), e, audit.Result{Outcome: audit.Done}); err != nil {
		return acting, problem.New(problem.Unavailable, "setting.notRecorded").Because(err)
	}
	return acting, s.Sessions.StartActing(r.Context(), acting)
}

// showStart asks for the reason before somebody acts for another.
func (s *Server) showStart(w http.ResponseWriter, r *http.Request) error {
	return s.renderStart(w, r, http.StatusOK, r.URL.Query().Get("next"), "", "")
}

func (s *Server) renderStart(w http.ResponseWriter, r *http.Request, status int, next, reason, fault string) error {
	v := visitorFrom(r.Context())
	own := v // what surrounds the page is not yet theirs
	own.subject, own.base = ownSubject(v), ""
	f := s.frame(r.WithContext(context.WithValue(r.Context(), visitorKey{}, own)), "people", tr(r, "acting.start.title", "Name", v.subject.Name))
	f.HasError = fault != ""
	return render(w, r, status, templates.StartActingPage(f, templates.StartActing{
		URL: v.base + "/start", Next: s.nextWithin(v, next), Name: v.subject.Name, For: formTag(r), Required: s.reasonNeeded(v),
		Reason: templates.Field{Name: "reason", Value: reason, Error: fault}, Back: templates.Link{Text: tr(r, "acting.back"), URL: "/people"},
	}))
}

// nextWithin is a page of the subject to go to.
func (s *Server) nextWithin(v visitor, next string) string {
	next = signin.ReturnPath(next)
	if next != v.base && !strings.HasPrefix(next, v.base+"/") {
		return v.base
	}
	return next
}

// startActing begins the work for somebody else.
func (s *Server) startActing(w http.ResponseWriter, r *http.Request) error {
	if _, err := readForm(r, nil); err != nil {
		return err
	}
	v := visitorFrom(r.Context())
	reason, next := strings.TrimSpace(r.PostForm.Get("reason")), r.PostForm.Get("next")
	switch {
	case reason == "" && s.reasonNeeded(v):
		return s.renderStart(w, r, http.StatusUnprocessableEntity, next, reason, tr(r, "check.reason"))
	case len([]rune(reason)) > access.MaxReason:
		return s.renderStart(w, r, http.StatusUnprocessableEntity, next, reason, tr(r, "web.reason", "Max", access.MaxReason))
	}
	if _, err := s.beginActing(r, v, reason, false); err != nil {
		return err
	}
	http.Redirect(w, r, s.nextWithin(v, next), http.StatusSeeOther)
	return nil
}

// stopActing ends the work for somebody else.
func (s *Server) stopActing(w http.ResponseWriter, r *http.Request) error {
	if err := s.Sessions.StopActing(r.Context()); err != nil {
		return err
	}
	target := "/people"
	if acting := r.PostFormValue("preview"); acting != "" {
		target = "/policy"
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
	return nil
}

// startPreview shows the portal as somebody else sees it. Nothing can be changed
// meanwhile.
func (s *Server) startPreview(w http.ResponseWriter, r *http.Request) error {
	if _, err := readForm(r, nil); err != nil {
		return err
	}
	v := visitorFrom(r.Context())
	if _, err := s.beginActing(r, v, "", true); err != nil {
		return err
	}
	http.Redirect(w, r, v.base, http.StatusSeeOther)
	return nil
}

// band says on every page of somebody else for whom one works.
func band(v visitor) templates.Band {
	if !v.forOther() || v.acting.PersonID == "" {
		return templates.Band{}
	}
	b := templates.Band{Name: v.subject.Name, Reason: v.acting.Reason, StopURL: v.base + "/stop", Preview: v.acting.Preview}
	if _, may := v.MayOn(access.ChangePeople, v.subject.Target()); !may && !b.Preview {
		b.ReadOnly = true
	}
	return b
}
