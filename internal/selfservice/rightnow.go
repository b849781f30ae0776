package selfservice

import (
	"context"
	"slices"
	"sync"
	"time"

	"patchbay/internal/access"
)

// slowFacts is how old the facts may be that hardly change: intercept, which
// only administrators and this portal set, and the list of phones.
const slowFacts = 5 * time.Minute

// phonesWait is how much longer than for the rest is waited for the phones.
const phonesWait = 500 * time.Millisecond

// State says in a word what happens to calls now.
type State string

// The states, the strongest first: each takes calls before those after it see them.
const (
	OutOfService State = "outOfService" // intercept
	ForwardedAll State = "forwardedAll" // always forwarded
	VoicemailAll State = "voicemailAll" // voicemail takes all
	DoNotDisturb State = "doNotDisturb"
	Reachable    State = "reachable"
)

// TargetKind says where calls go.
type TargetKind string

// The kinds.
const (
	ToNumber          TargetKind = "number"
	ToNumberVoicemail TargetKind = "numberVoicemail" // the voicemail of that number
	ToVoicemail       TargetKind = "voicemail"       // the person's own
	ToBusyTone        TargetKind = "busyTone"
	ToRinging         TargetKind = "ringing" // rings until the caller gives up
	ToAnnouncement    TargetKind = "announcement"
)

// Target is where calls go.
type Target struct {
	Kind   TargetKind
	Number string // for the two kinds of number
}

// CallPath is what happens when somebody calls.
type CallPath struct {
	State       State
	Target      Target // of all calls, unless the person is Reachable
	Phones      []Device
	Rings       int // before NoAnswer; 0 when it rings on
	Busy        Target
	NoAnswer    Target
	Unreachable *Target // when the phones are offline; nil: as NoAnswer
	// Unread names the settings that could not be read: the path may differ.
	Unread []string
	// Readings are those the path was made of, by name.
	Readings map[string]Reading
	At       time.Time // of the oldest reading
}

// RightNow finds out what happens to calls. Forwarding, do not disturb and
// voicemail are not older than maxAge. It fails when call forwarding cannot be
// read; what else cannot be read is named. The phones are only waited for a
// little: the sentence can do without their names.
func (s *Service) RightNow(ctx context.Context, c access.Caller, subject Subject, maxAge time.Duration) (CallPath, error) {
	if !SeesRightNow(c, subject) {
		return CallPath{}, access.Denied("setting.notFound")
	}
	var (
		mu       sync.Mutex
		wg       sync.WaitGroup
		readings = map[string]Reading{}
		failed   = map[string]error{}
	)
	for name, age := range map[string]time.Duration{"callForwarding": maxAge, "doNotDisturb": maxAge, "voicemail": maxAge, "intercept": max(maxAge, slowFacts)} {
		wg.Go(func() {
			r, err := s.state(ctx, subject, find(s.catalogue, name), age)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				readings[name] = r
			} else {
				failed[name] = err
			}
		})
	}
	phones := make(chan []Device, 1)
	go func() {
		defer close(phones) // without a list: it could not be read
		if r, err := s.KnownDevices(ctx, c, subject); err == nil {
			phones <- r.Value
		}
	}()
	wg.Wait()
	if err := failed["callForwarding"]; err != nil {
		return CallPath{Readings: readings}, err
	}
	p := pathOf(readings)
	for _, name := range []string{"doNotDisturb", "voicemail", "intercept"} {
		if err := failed[name]; err != nil && !IsUnlicensed(err) {
			p.Unread = append(p.Unread, name)
		}
	}
	known := false
	select {
	case p.Phones, known = <-phones:
	case <-time.After(phonesWait):
		p.Phones, known = s.LastKnownDevices(ctx, c, subject)
	}
	if !known {
		p.Unread = append(p.Unread, "devices")
	}
	return p, nil
}

// KnownRightNow is RightNow as last read, if all of it was read not longer ago
// than maxAge; it asks nobody. A page shows it while it reads afresh.
func (s *Service) KnownRightNow(ctx context.Context, c access.Caller, subject Subject, maxAge time.Duration) (CallPath, bool) {
	readings := map[string]Reading{}
	for _, name := range []string{"callForwarding", "doNotDisturb", "voicemail", "intercept"} {
		r, ok := s.LastKnown(ctx, c, subject, name)
		if ok && s.Now().Sub(r.At) <= maxAge {
			readings[name] = r
		}
	}
	phones, ok := s.LastKnownDevices(ctx, c, subject)
	if len(readings) < 4 || !ok {
		return CallPath{}, false
	}
	p := pathOf(readings)
	p.Phones = phones
	return p, true
}

// pathOf reads the way of a call out of the settings. The order is that of the
// Webex Calling platform: intercept, forwarding always, voicemail for all calls,
// do not disturb (a caller then meets "busy"), then busy and no answer.
func pathOf(readings map[string]Reading) CallPath {
	forwarding, dnd := readings["callForwarding"].Document, readings["doNotDisturb"].Document
	voicemail, intercept := readings["voicemail"].Document, readings["intercept"].Document
	p := CallPath{State: Reachable, Readings: readings}
	for _, r := range readings {
		if p.At.IsZero() || r.At.Before(p.At) {
			p.At = r.At
		}
	}
	hasVoicemail := voicemail.Bool("enabled")
	p.Busy = Target{Kind: ToBusyTone}
	switch {
	case forwarding.Bool("callForwarding.busy.enabled"):
		p.Busy = forwardTarget(forwarding, "callForwarding.busy")
	case hasVoicemail && voicemail.Bool("sendBusyCalls.enabled"):
		p.Busy = Target{Kind: ToVoicemail}
	}
	p.NoAnswer = Target{Kind: ToRinging}
	switch {
	case forwarding.Bool("callForwarding.noAnswer.enabled"):
		p.NoAnswer, p.Rings = forwardTarget(forwarding, "callForwarding.noAnswer"), forwarding.Int("callForwarding.noAnswer.numberOfRings")
	case hasVoicemail && voicemail.Bool("sendUnansweredCalls.enabled"):
		p.NoAnswer, p.Rings = Target{Kind: ToVoicemail}, voicemail.Int("sendUnansweredCalls.numberOfRings")
	}
	if forwarding.Bool("businessContinuity.enabled") {
		t := forwardTarget(forwarding, "businessContinuity")
		p.Unreachable = &t
	}
	switch {
	case intercept.Bool("enabled") && intercept.Text("incoming.type") != "ALLOW_ALL":
		p.State, p.Target = OutOfService, Target{Kind: ToAnnouncement}
		if intercept.Bool("incoming.voicemailEnabled") && hasVoicemail {
			p.Target = Target{Kind: ToVoicemail}
		}
	case forwarding.Bool("callForwarding.always.enabled"):
		p.State, p.Target = ForwardedAll, forwardTarget(forwarding, "callForwarding.always")
	case hasVoicemail && voicemail.Bool("sendAllCalls.enabled"):
		p.State, p.Target = VoicemailAll, Target{Kind: ToVoicemail}
	case dnd.Bool("enabled"):
		p.State, p.Target = DoNotDisturb, p.Busy
	}
	return p
}

func forwardTarget(d Document, kind string) Target {
	t := Target{Kind: ToNumber, Number: d.Text(kind + ".destination")}
	if d.Bool(kind + ".destinationVoicemailEnabled") {
		t.Kind = ToNumberVoicemail
	}
	return t
}

// SeesRightNow reports whether the caller may see everything that decides about calls:
// with a part of it, what is said of a call would be false.
func SeesRightNow(c access.Caller, subject Subject) bool {
	return !slices.ContainsFunc([]string{"callForwarding", "doNotDisturb", "voicemail", "intercept", PhonesPart}, func(part string) bool { return !Sees(c, subject, part) })
}
