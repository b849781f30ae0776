// Package check tries everything that the portal depends on and says what works,
// what does not, and how to mend it (`portal check`). It changes nothing at Webex
// and prints no secret.
package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"patchbay/internal/config"
	"patchbay/internal/redisdb"
	"patchbay/internal/serviceapp"
	"patchbay/internal/webex"
)

// stepLimit bounds each of the steps, so that a dependency that hangs does not
// hide what is known of the others.
const stepLimit = 20 * time.Second

// State is how one thing is.
type State string

// The states. Only Fail makes the whole check fail.
const (
	OK      State = "ok"
	Warn    State = "warn"
	Fail    State = "FAIL"
	Skipped State = "skipped"
)

// Row is one thing that was tried.
type Row struct {
	Name      string
	State     State
	What      string // what was found
	HowToMend string // empty when there is nothing to do
}

// Report is everything that was tried, in order.
type Report struct {
	Rows []Row
}

// Failed reports whether anything failed.
func (r Report) Failed() bool {
	for _, row := range r.Rows {
		if row.State == Fail {
			return true
		}
	}
	return false
}

// Write prints the report for an operator: a line for each row, and below it how
// to mend it.
func (r Report) Write(w io.Writer) error {
	width := 0
	counts := map[State]int{}
	for _, row := range r.Rows {
		width = max(width, len(row.Name))
		counts[row.State]++
	}
	var b strings.Builder
	for _, row := range r.Rows {
		fmt.Fprintf(&b, "%-7s  %-*s  %s\n", row.State, width, row.Name, row.What)
		if row.HowToMend != "" {
			fmt.Fprintf(&b, "%-7s  %-*s  -> %s\n", "", width, "", row.HowToMend)
		}
	}
	fmt.Fprintf(&b, "\n%d ok, %d to look at, %d failed, %d not tried\n", counts[OK], counts[Warn], counts[Fail], counts[Skipped])
	_, err := io.WriteString(w, b.String())
	return err
}

// Tokens are the service app's tokens; *serviceapp.Keeper is one. No refresh is
// asked for while there is a token that works, and nothing that is stored is
// replaced.
type Tokens interface {
	webex.Tokens
	Peek(ctx context.Context) (serviceapp.Stored, error)
	Status(ctx context.Context) (serviceapp.Status, error)
}

// Deps is what there is to try.
type Deps struct {
	Config    config.Config
	ConfigErr error       // of config.Load; then nothing else is tried, and the rest may be nil
	Redis     *redisdb.DB // opened with Config.RedisURL
	Tokens    Tokens
	Transport http.RoundTripper // to Webex and the OpenID provider; nil is webex.NewTransport()
	Now       func() time.Time  // nil is time.Now
}

// run is one check under way.
type run struct {
	Deps
	rows   []Row
	http   *http.Client  // for what is not Webex's API
	webex  *webex.Client // for what is
	clock  *clock
	status serviceapp.Status
	token  bool // the service app has a token that works
}

func (r *run) add(name string, state State, what, mend string) {
	r.rows = append(r.rows, Row{Name: name, State: state, What: what, HowToMend: mend})
}

// Run tries everything. It returns when all is tried or ctx ends.
func Run(ctx context.Context, d Deps) Report {
	r := &run{Deps: d}
	if d.ConfigErr != nil {
		for _, fault := range faults(d.ConfigErr) {
			r.add("configuration", Fail, fault.Error(), "")
		}
		r.add("everything else", Skipped, "the configuration must be right first", "correct the variables above; README.md explains each")
		return Report{r.rows}
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	if r.Transport == nil {
		r.Transport = webex.NewTransport()
	}
	r.clock = &clock{next: r.Transport, now: r.Now}
	r.http = &http.Client{
		Transport: r.clock, Timeout: stepLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	r.webex = webex.NewClient(webex.Options{BaseURL: d.Config.WebexAPIURL.String(), Tokens: d.Tokens, Transport: r.clock, Now: d.Now})
	for _, step := range []func(context.Context){
		r.configuration, r.redis, r.provider, r.serviceAppTokens, r.reads, r.clockSkew,
	} {
		limited, cancel := context.WithTimeout(ctx, stepLimit)
		step(limited)
		cancel()
	}
	return Report{r.rows}
}

// faults takes joined errors apart.
func faults(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}

func (r *run) configuration(context.Context) {
	c := r.Config
	what := fmt.Sprintf("%s, people see %s", c.Env, c.URL)
	switch {
	case c.SecretKeyMadeUp && c.RedisURL != "":
		r.add("configuration", Warn, what+"; PORTAL_SECRET_KEY is made up at every start, so that nothing stored in Redis can be opened after the next",
			"set PORTAL_SECRET_KEY (openssl rand -base64 32)")
	case !c.Production():
		r.add("configuration", OK, what+"; with PORTAL_ENV=production it would be held to more", "")
	default:
		r.add("configuration", OK, what, "")
	}
}

// clock is a transport that compares the clock of whoever answers with ours.
type clock struct {
	next http.RoundTripper
	now  func() time.Time
	seen bool
	skew time.Duration // how far theirs is ahead; 0 within what a Date header can tell
}

func (c *clock) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := c.now()
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	received := c.now()
	// The header names a second that the answer was made in.
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		c.seen, c.skew = true, 0
		if early := sent.Sub(date.Add(time.Second)); early > 0 {
			c.skew = -early
		}
		if late := date.Sub(received); late > 0 {
			c.skew = late
		}
	}
	return resp, nil
}

func (r *run) clockSkew(context.Context) {
	skew := r.clock.skew.Round(time.Second)
	what := fmt.Sprintf("this machine's clock differs by %s from the one of the last answer", skew.Abs())
	const mend = "set the clock by NTP: ID tokens and lifetimes are measured with it"
	switch {
	case !r.clock.seen:
		r.add("clock", Skipped, "no answer told its time", "")
	case skew.Abs() >= 5*time.Minute:
		r.add("clock", Fail, what, mend)
	case skew.Abs() >= 30*time.Second:
		r.add("clock", Warn, what, mend)
	default:
		r.add("clock", OK, what, "")
	}
}
