package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"patchbay/internal/serviceapp"
	"patchbay/internal/webex"
)

// scope is one that the portal wants its service app to have.
type scope struct {
	name     string
	instead  string // another that is enough, "" for none
	features string // what is lost without it
	write    bool   // nothing that is only read shows whether it is there
}

// The scopes, from x-webex-scopes of the operations that the portal uses
// (internal/contract); a test compares.
var (
	peopleRead     = scope{name: "spark-admin:people_read", features: "signing in; everything on Home and Calls"}
	peopleWrite    = scope{name: "spark-admin:people_write", features: "changing call forwarding, do not disturb, call waiting and intercept", write: true}
	telephonyRead  = scope{name: "spark-admin:telephony_config_read", features: "queues and hunt groups; what the organization lets its people change; lines of phones"}
	telephonyWrite = scope{name: "spark-admin:telephony_config_write", features: "joining and leaving queues; who is in queues and hunt groups; labels of lines, restarting phones", write: true}
	locationsRead  = scope{name: "spark-admin:locations_read", instead: "spark-admin:people_read", features: "names and time zones of locations"}
	devicesRead    = scope{name: "spark-admin:devices_read", features: "the Phones page; phones on Home"}
	devicesWrite   = scope{name: "spark-admin:devices_write", features: "adding and removing phones", write: true}
	oneTimeCode    = scope{name: "identity:one_time_password", features: "activation codes of new phones, which need spark-admin:devices_write as well", write: true}
	groupsRead     = scope{name: "identity:groups_read", instead: "identity:groups_rw", features: "roles that are given to groups of people"}
)

var wanted = []scope{peopleRead, peopleWrite, telephonyRead, telephonyWrite, locationsRead, devicesRead, devicesWrite, oneTimeCode, groupsRead}

// serviceAppTokens looks at the tokens, and has them refreshed only when none
// works: a refresh may use up the refresh token.
func (r *run) serviceAppTokens(ctx context.Context) {
	const name = "service-app tokens"
	stored, err := r.Tokens.Peek(ctx)
	switch {
	case err != nil:
		r.add(name, Skipped, "they are kept in Redis, which does not answer", "mend Redis first")
		return
	case stored.Present && !stored.Readable && r.Config.SecretKeyMadeUp:
		r.add(name, Skipped, "the stored ones were sealed with a key that was made up at another start; trying would replace them", "set PORTAL_SECRET_KEY")
		return
	case stored.Present && !stored.Readable:
		r.add(name, Fail, "the stored ones were sealed with another PORTAL_SECRET_KEY; trying would replace them",
			"set the key they were sealed with, as PORTAL_SECRET_KEY or PORTAL_SECRET_KEY_PREVIOUS; `portal serve` with this one would begin anew with SERVICE_APP_REFRESH_TOKEN")
		return
	case stored.Present && !stored.Ours:
		r.add(name, Warn, "the stored ones do not come from this SERVICE_APP_REFRESH_TOKEN; trying would replace them",
			"nothing to do if it is new: `portal serve` takes it at its next start; else set the one that the portal runs with")
		return
	}
	before, err := r.Tokens.Status(ctx)
	refreshed := false
	if err == nil && !before.Usable {
		_, err = r.Tokens.AccessToken(ctx)
		refreshed = err == nil
	}
	if err == nil {
		r.status, err = r.Tokens.Status(ctx)
	}
	switch {
	case errors.Is(err, serviceapp.ErrNeedsNewTokens) || r.status.State == serviceapp.NeedsNewTokens:
		r.add(name, Fail, "Webex refuses the refresh token, or the client id and secret with it",
			"compare SERVICE_APP_CLIENT_ID and SERVICE_APP_CLIENT_SECRET with the service app; then make new tokens for it (developer.webex.com, Org Authorizations) and set SERVICE_APP_REFRESH_TOKEN")
	case err != nil:
		after, _ := r.Tokens.Status(ctx) // what it remembers is said even when Redis is gone
		r.add(name, Fail, "there is none that works: "+fault(after.LastError), "see that Webex can be reached from here; try again in a minute")
		return
	default:
		r.tokensWork(name, refreshed)
	}
	r.token = r.status.Usable
}

func (r *run) tokensWork(name string, refreshed bool) {
	how := "stored ones work"
	if refreshed {
		how = "refreshed"
	}
	what := fmt.Sprintf("%s; access token until %s, refresh token until %s", how, day(r.status.AccessExpires), day(r.status.RefreshExpires))
	switch {
	case r.status.State == serviceapp.RefreshFailing:
		r.add(name, Warn, what+"; the last refresh failed: "+fault(r.status.LastError), "the portal tries again by itself; see its log")
	case r.status.Warning:
		r.add(name, Warn, what, "make new tokens before then (developer.webex.com, Org Authorizations) and set SERVICE_APP_REFRESH_TOKEN")
	default:
		r.add(name, OK, what, "")
	}
}

func fault(f serviceapp.Fault) string {
	switch f {
	case serviceapp.FaultRefused:
		return "Webex refused"
	case serviceapp.FaultThrottled:
		return "Webex asks to wait"
	case serviceapp.FaultUpstream:
		return "Webex failed"
	case serviceapp.FaultUnreachable:
		return "Webex could not be reached"
	case serviceapp.FaultGarbled:
		return "Webex's answer could not be understood"
	case serviceapp.FaultStorage:
		return "Redis does not answer"
	case serviceapp.FaultKey:
		return "the stored tokens were sealed with another PORTAL_SECRET_KEY"
	}
	return "the reason is in the log"
}

func day(t time.Time) string {
	if t.IsZero() {
		return "an unknown day"
	}
	return t.Format(time.DateOnly)
}

// reads makes one cheap read for each family of the API, then says of each scope
// whether it is there: by what Webex named with the token, else by the reads.
func (r *run) reads(ctx context.Context) {
	refused := map[string]bool{} // scopes whose reads Webex forbade
	worked := map[string]bool{}
	read := func(name string, s scope, do func() (string, error)) {
		what, err := do()
		switch {
		case err == nil:
			worked[s.name] = true
			r.add("read "+name, OK, what, "")
		case webex.IsKind(err, webex.KindForbidden):
			refused[s.name] = true
			r.add("read "+name, Fail, err.Error(), "give the service app the scope "+s.name+
				"; if it has it, look in Control Hub whether call settings are closed to the API")
		case webex.IsKind(err, webex.KindThrottled):
			r.add("read "+name, Warn, err.Error(), "Webex is busy with other programs of yours, or WEBEX_RATE_LIMIT is too high; try again later")
		default:
			r.add("read "+name, Fail, err.Error(), "see that WEBEX_API_URL is right and can be reached; Cisco can look the tracking id up")
		}
	}
	if !r.token {
		r.add("reads and scopes", Skipped, "there is no token to read with", "")
		return
	}
	var person webex.Person
	read("people", peopleRead, func() (string, error) {
		p, n, err := r.callingPerson(ctx)
		person = p
		return fmt.Sprintf("%d on the first page", n), err
	})
	read("organization policy", telephonyRead, func() (string, error) {
		policy, err := r.webex.GetDefaultFeatureAccess(ctx)
		return fmt.Sprintf("%d features", len(policy)), err
	})
	read("locations", locationsRead, func() (string, error) {
		l, err := r.webex.ListLocations(ctx)
		return fmt.Sprintf("%d", len(l)), err
	})
	if person.ID == "" {
		r.add("read settings and devices", Skipped, "no Calling user was seen to read them of", "")
	} else {
		read("settings", peopleRead, func() (string, error) {
			_, err := r.webex.GetCallForwarding(ctx, person.ID)
			return "call forwarding of one person", err
		})
		read("devices", devicesRead, func() (string, error) {
			d, err := r.webex.ListDevices(ctx, person.ID)
			return fmt.Sprintf("%d of one person", len(d)), err
		})
	}
	for _, s := range wanted {
		r.scope(s, refused[s.name], worked[s.name])
	}
}

// callingPerson finds somebody with Webex Calling among the first people.
func (r *run) callingPerson(ctx context.Context) (found webex.Person, seen int, err error) {
	const page = 10 // what wxc_sdk asks for with calling data
	for p, err := range r.webex.ListPeople(ctx, webex.PeopleFilter{CallingData: true, Max: page}) {
		if err != nil {
			return webex.Person{}, seen, err
		}
		seen++
		if found.ID == "" && p.LocationID != "" {
			found = p
		}
		if seen == page {
			break
		}
	}
	return found, seen, nil
}

func (r *run) scope(s scope, refused, worked bool) {
	name := "scope " + strings.TrimPrefix(s.name, "spark-admin:")
	const mend = "add it to the service app (developer.webex.com), let a full administrator authorize it again (Control Hub, Apps, Service Apps), and make new tokens"
	has := func(name string) bool { return name != "" && slices.Contains(r.status.Scopes, name) }
	switch {
	case refused:
		r.add(name, Fail, "Webex forbids what needs it. Lost: "+s.features, mend)
	case len(r.status.Scopes) > 0 && !has(s.name) && !has(s.instead):
		r.add(name, Fail, "missing. Lost: "+s.features, mend)
	case len(r.status.Scopes) > 0:
		r.add(name, OK, s.features, "")
	case worked:
		r.add(name, OK, "by the read above: "+s.features, "")
	case s.write:
		r.add(name, Skipped, "Webex does not name this token's scopes, and only a change would show it. For: "+s.features, "see that the service app has "+s.name)
	default:
		r.add(name, Skipped, "the read above does not tell. For: "+s.features, "")
	}
}
