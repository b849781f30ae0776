package web

import (
	"context"

	"patchbay/internal/access"
	"patchbay/internal/selfservice"
	"patchbay/internal/session"
)

// visitor is who makes a request, and for whom. Without a session it is nobody.
type visitor struct {
	access.Caller
	identity session.Identity
	subject  selfservice.Subject
}

// calls reports whether the visitor has Webex Calling: only then are there calls,
// queues and phones to show.
func (v visitor) calls() bool { return v.identity.LocationID != "" }

type visitorKey struct{}

func visitorFrom(ctx context.Context) visitor {
	v, _ := ctx.Value(visitorKey{}).(visitor)
	return v
}

// visitor reads the session. Whether somebody is an administrator is decided for
// each request, so that a change of the configuration counts at once.
func (s *Server) visitor(ctx context.Context) visitor {
	who, ok := s.Sessions.Identity(ctx)
	if !ok {
		return visitor{}
	}
	return visitor{
		Caller:   access.NewCaller(who.PersonID, who.DisplayName, s.Config.IsAdmin(who.Email)),
		identity: who,
		subject:  selfservice.Subject{ID: who.PersonID, Name: who.DisplayName, LocationID: who.LocationID},
	}
}
