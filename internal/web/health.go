package web

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"patchbay/internal/serviceapp"
	"patchbay/templates"
)

// showReady answers whether this replica can serve: Redis answers and the service
// app has a token. A slow or failing Webex does not make it unready: it would be
// as slow for every other replica.
func (s *Server) showReady(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	reason := ""
	if err := s.Redis.Ping(ctx).Err(); err != nil {
		reason = "redis does not answer"
	} else if status, err := s.Tokens.Status(ctx); err != nil {
		reason = "the service app's tokens cannot be read"
	} else if !status.Usable {
		reason = "the service app has no valid access token"
	}
	if reason != "" {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(reason + "\n")) // the prober may be gone
		return nil
	}
	_, _ = w.Write([]byte("ready\n"))
	return nil
}

func (s *Server) showHealth(w http.ResponseWriter, r *http.Request) error {
	return render(w, r, http.StatusOK, templates.HealthPage(s.pageFrame(r, "health"), s.healthCard(r)))
}

func (s *Server) showHealthCard(w http.ResponseWriter, r *http.Request) error {
	if !isPartial(r) {
		http.Redirect(w, r, "/health", http.StatusSeeOther)
		return nil
	}
	return render(w, r, http.StatusOK, templates.HealthCard(s.healthCard(r)))
}

// healthCard asks Redis and looks at what is known; it asks Webex nothing.
func (s *Server) healthCard(r *http.Request) templates.Health {
	h := templates.Health{Card: cardBase(r, "health", shown{})}
	h.Items = append(h.Items, s.tokenHealth(r), s.webexHealth(r), s.redisHealth(r), s.directoryHealth(r), s.portalHealth(r))
	return h
}

func (s *Server) tokenHealth(r *http.Request) templates.HealthItem {
	item := templates.HealthItem{Title: tr(r, "health.tokens")}
	status, err := s.Tokens.Status(r.Context())
	if err != nil {
		item.Tag, item.Text = bad(r, "health.unknown"), tr(r, "health.tokens.unknown")
		return item
	}
	switch {
	case status.State == serviceapp.NeedsNewTokens:
		item.Tag, item.Text = bad(r, "health.act"), tr(r, "health.tokens.needed")
	case !status.Usable:
		item.Tag, item.Text = bad(r, "health.act"), tr(r, "health.tokens.none")
	case status.Warning:
		item.Tag, item.Text = warn(r), tr(r, "health.tokens.ending", "Date", s.date(r, status.RefreshExpires))
	case status.State == serviceapp.RefreshFailing:
		item.Tag, item.Text = warn(r), tr(r, "health.tokens.failing")
	default:
		item.Tag, item.Text = good(r), tr(r, "health.tokens.good")
	}
	item.Numbers = append(item.Numbers,
		s.number(r, "health.tokens.access", status.AccessExpires), s.number(r, "health.tokens.refresh", status.RefreshExpires),
		s.number(r, "health.tokens.success", status.LastSuccess), s.number(r, "health.tokens.next", status.NextRefresh))
	if fault := say(r, status.LastError.Text()); fault != "" {
		item.Numbers = append(item.Numbers, templates.Difference{Label: tr(r, "health.tokens.error"), After: fault})
	}
	return item
}

// number is a labelled time.
func (s *Server) number(r *http.Request, key string, t time.Time) templates.Difference {
	d := templates.Difference{Label: tr(r, key), After: tr(r, "health.never")}
	if !t.IsZero() {
		d.After = s.clock(r, t)
	}
	return d
}

func (s *Server) webexHealth(r *http.Request) templates.HealthItem {
	item := templates.HealthItem{Title: tr(r, "health.webex")}
	known := s.Webex.Health()
	switch {
	case known.Open || !known.FailingSince.IsZero() && s.Now().Sub(known.FailingSince) >= downFor:
		item.Tag, item.Text = bad(r, "health.act"), tr(r, "health.webex.down", "Time", s.clock(r, known.FailingSince))
	case !known.FailingSince.IsZero():
		item.Tag, item.Text = warn(r), tr(r, "health.webex.failing")
	case known.LastSuccess.IsZero():
		item.Tag, item.Text = templates.Tag{Tone: templates.TonePlain, Text: tr(r, "health.idle")}, tr(r, "health.webex.idle")
	default:
		item.Tag, item.Text = good(r), tr(r, "health.webex.good")
	}
	item.Numbers = append(item.Numbers, s.number(r, "health.webex.success", known.LastSuccess),
		templates.Difference{Label: tr(r, "health.webex.budget"), After: tr(r, "health.webex.perMinute", "Count", s.Config.RateLimit)})
	return item
}

func (s *Server) redisHealth(r *http.Request) templates.HealthItem {
	item := templates.HealthItem{Title: tr(r, "health.redis")}
	begun := time.Now()
	if err := s.Redis.Ping(r.Context()).Err(); err != nil {
		item.Tag, item.Text = bad(r, "health.act"), tr(r, "health.redis.down")
		return item
	}
	took := time.Since(begun)
	item.Tag, item.Text = good(r), tr(r, "health.redis.good")
	if s.Fleeting {
		item.Tag, item.Text = warn(r), tr(r, "health.redis.fleeting")
	}
	item.Numbers = append(item.Numbers, templates.Difference{Label: tr(r, "health.redis.answer"), After: tr(r, "health.redis.ms", "Count", max(1, int(math.Ceil(float64(took)/float64(time.Millisecond)))))})
	return item
}

func (s *Server) directoryHealth(r *http.Request) templates.HealthItem {
	item := templates.HealthItem{Title: tr(r, "health.directory"), Tag: good(r), Text: tr(r, "health.directory.good")}
	state := s.Directory.State()
	switch {
	case state.Failing != "":
		item.Tag, item.Text = warn(r), tr(r, "health.directory.failing", "Time", s.clock(r, state.FailingSince))
	case state.ReadAt.IsZero():
		item.Tag, item.Text = templates.Tag{Tone: templates.TonePlain, Text: tr(r, "health.idle")}, tr(r, "health.directory.first")
	}
	count := func(key string, n int) templates.Difference {
		return templates.Difference{Label: tr(r, key), After: strconv.Itoa(n)}
	}
	item.Numbers = append(item.Numbers, count("health.directory.people", state.People), count("health.directory.devices", state.Devices),
		s.number(r, "health.directory.read", state.ReadAt), s.number(r, "health.directory.groups", state.GroupsReadAt))
	if state.Failing != "" {
		item.Numbers = append(item.Numbers, templates.Difference{Label: tr(r, "health.tokens.error"), After: state.Failing})
	}
	return item
}

func (s *Server) portalHealth(r *http.Request) templates.HealthItem {
	return templates.HealthItem{
		Title: tr(r, "health.portal"), Tag: good(r), Text: tr(r, "health.portal.good"),
		Numbers: []templates.Difference{
			{Label: tr(r, "health.portal.version"), After: strings.TrimSpace(s.Version)},
			s.number(r, "health.portal.started", s.started),
			{Label: tr(r, "health.portal.address"), After: s.Config.URL.String()},
		},
	}
}

func good(r *http.Request) templates.Tag {
	return templates.Tag{Tone: templates.ToneGood, Text: tr(r, "health.good")}
}

func warn(r *http.Request) templates.Tag {
	return templates.Tag{Tone: templates.ToneWarn, Text: tr(r, "health.watch")}
}

func bad(r *http.Request, key string) templates.Tag {
	return templates.Tag{Tone: templates.ToneBad, Text: tr(r, key)}
}

// Probes answers /healthz and /readyz alone, for the operators' listener.
func (s *Server) Probes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { _ = s.showAlive(w, r) }) // never fails
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { _ = s.showReady(w, r) })  // answers itself
	return mux
}

// SessionError answers a request whose session cannot be read.
func (s *Server) SessionError(w http.ResponseWriter, r *http.Request, err error) {
	s.renderError(w, r, kindOf(r), err)
}
