package serviceapp

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"patchbay/internal/i18n"
)

// State says how the service app's tokens are.
type State string

// The states.
const (
	NotYet         State = "notYet"         // seeded, never refreshed
	Working        State = "working"        // the last refresh succeeded
	RefreshFailing State = "refreshFailing" // it did not, and is tried again
	NeedsNewTokens State = "needsNewTokens" // Webex refused it; an operator must act
)

var states = []State{NotYet, Working, RefreshFailing, NeedsNewTokens}

// Text says the state to an operator.
func (s State) Text() i18n.Text { return i18n.NewText("serviceapp.state." + string(s)) }

// Fault says what is wrong, without any word of the answer.
type Fault string

// The faults; the empty one is none.
const (
	FaultRefused     Fault = "refused"     // 400, 401 or 403 to the refresh grant
	FaultThrottled   Fault = "throttled"   // 429 or 423
	FaultUpstream    Fault = "upstream"    // any other status
	FaultUnreachable Fault = "unreachable" // no connection, or no answer in time
	FaultGarbled     Fault = "garbled"     // an answer that is none
	FaultStorage     Fault = "storage"     // Redis does not answer
	FaultKey         Fault = "key"         // what is stored was sealed with a key that this replica lacks
)

// Text says the fault to an operator; zero for none.
func (f Fault) Text() i18n.Text {
	if f == "" {
		return i18n.Text{}
	}
	return i18n.NewText("serviceapp.fault." + string(f))
}

// Status is what operators see. A zero time is unknown, or never.
type Status struct {
	State          State
	Usable         bool      // there is an access token, and it has not ended
	AccessExpires  time.Time // end of the access token
	RefreshExpires time.Time // end of the refresh token
	LastSuccess    time.Time // last successful refresh
	LastAttempt    time.Time // last refresh, however it ended
	LastError      Fault     // what is wrong now; empty when nothing is
	NextRefresh    time.Time // when this replica will refresh next; zero when it will not
	Warning        bool      // the refresh token ends within 14 days
	Scopes         []string  // sorted; empty when Webex has not named them
}

// status is what is known in memory.
func (k *Keeper) status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	now, t, a := k.now(), k.held.tokens, k.held.attempt
	s := Status{
		State: NotYet, Usable: usable(t, now), AccessExpires: t.AccessExpires, RefreshExpires: t.RefreshExpires,
		LastSuccess: t.FetchedAt, LastAttempt: t.FetchedAt, LastError: a.Fault, NextRefresh: k.due,
		Warning: !t.RefreshExpires.IsZero() && t.RefreshExpires.Sub(now) < warnBefore, Scopes: t.Scopes,
	}
	if a.At.After(s.LastAttempt) {
		s.LastAttempt = a.At
	}
	if a.NotBefore.After(s.NextRefresh) {
		s.NextRefresh = a.NotBefore
	}
	if k.unsaved != nil {
		s.Usable = s.Usable || usable(k.unsaved.tokens, now)
	}
	switch {
	case k.refused(a):
		s.State, s.NextRefresh = NeedsNewTokens, time.Time{}
	case k.trouble != "":
		s.State, s.LastError = RefreshFailing, k.trouble
	case a.Fault != "":
		s.State = RefreshFailing
	case t.Access != "":
		s.State = Working
	}
	return s
}

// The metrics, all of the closed sets above.
var (
	accessDesc = prometheus.NewDesc("patchbay_serviceapp_access_token_remaining_seconds",
		"Time until the service app's access token ends; absent when unknown.", nil, nil)
	refreshDesc = prometheus.NewDesc("patchbay_serviceapp_refresh_token_remaining_seconds",
		"Time until the service app's refresh token ends; absent when unknown.", nil, nil)
	successDesc = prometheus.NewDesc("patchbay_serviceapp_last_success_timestamp_seconds",
		"When the tokens were last refreshed; absent when never.", nil, nil)
	stateDesc = prometheus.NewDesc("patchbay_serviceapp_state",
		"1 for the state that the tokens are in.", []string{"state"}, nil)
)

// collector reads the gauges when they are asked for.
type collector struct{ keeper *Keeper }

func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{accessDesc, refreshDesc, successDesc, stateDesc} {
		ch <- d
	}
}

func (c collector) Collect(ch chan<- prometheus.Metric) {
	s, now := c.keeper.status(), c.keeper.now()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if !s.AccessExpires.IsZero() {
		gauge(accessDesc, s.AccessExpires.Sub(now).Seconds())
	}
	if !s.RefreshExpires.IsZero() {
		gauge(refreshDesc, s.RefreshExpires.Sub(now).Seconds())
	}
	if !s.LastSuccess.IsZero() {
		gauge(successDesc, float64(s.LastSuccess.UnixMilli())/1000)
	}
	for _, state := range states {
		is := 0.0
		if state == s.State {
			is = 1
		}
		gauge(stateDesc, is, string(state))
	}
}
