package webexsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// FaultKind says how an answer goes wrong.
type FaultKind string

// The kinds. Where a write is concerned, "refused" means that it has no effect
// and "applied" that it has.
const (
	FaultStatus       FaultKind = "status"          // Status with an error body (or Body); refused
	FaultHang         FaultKind = "hang"            // nothing until the client gives up, or for Delay, then the connection closes; refused
	FaultClose        FaultKind = "closeConnection" // the connection closes without an answer; refused
	FaultHTML         FaultKind = "html"            // 200 with a web page, as a proxy in between would; refused
	FaultRedirect     FaultKind = "redirect"        // 302 to another host; refused
	FaultDelay        FaultKind = "delay"           // the right answer after Delay; applied
	FaultSlow         FaultKind = "slow"            // the right answer in drops over Delay (default 5 s); applied
	FaultTruncate     FaultKind = "truncate"        // the connection breaks in the middle of the answer; applied
	FaultInvalidJSON  FaultKind = "invalidJSON"     // a well-formed HTTP answer with half a JSON document; applied
	FaultWrongType    FaultKind = "wrongType"       // JSON in which every value has another type; applied
	FaultBare         FaultKind = "bare"            // 200 with {}; applied
	FaultEmpty        FaultKind = "empty"           // 200 without a body; applied
	FaultHuge         FaultKind = "huge"            // the right JSON, followed by a field of 64 MiB; applied
	FaultForeignNext  FaultKind = "foreignNext"     // a Link rel="next" to another host; applied
	FaultLoopNext     FaultKind = "loopNext"        // a Link rel="next" to the same page, for ever; applied
	FaultApplyFail    FaultKind = "applyThenFail"   // after Delay, Status (0: the connection closes); applied
	FaultApplyAndHang FaultKind = "applyThenHang"   // like hang, but applied
)

// faultKinds is the list for the control plane.
var faultKinds = []FaultKind{
	FaultStatus, FaultHang, FaultClose, FaultHTML, FaultRedirect, FaultDelay, FaultSlow, FaultTruncate, FaultInvalidJSON, FaultWrongType,
	FaultBare, FaultEmpty, FaultHuge, FaultForeignNext, FaultLoopNext, FaultApplyFail, FaultApplyAndHang,
}

// Fault is trouble made on purpose.
type Fault struct {
	ID     string // names it for replacement and removal; made up when empty
	Method string // "" = any
	// Path is a template of the contract ("/people/{personId}/features/callForwarding"),
	// or a path as requested, without /v1. "" means every operation that needs a
	// token of the service app; the endpoints of the sign-in and of tokens
	// ("/authorize", "/access_token", "/userinfo", "/verification") must be named.
	Path        string
	Kind        FaultKind
	Status      int
	RetryAfter  time.Duration // Retry-After of the answer, in whole seconds, rounded up; 0 = no such header
	Body        string        // instead of Webex's error body
	Delay       time.Duration
	Times       int     // how often; 0 = until cleared
	Probability float64 // 0 or 1 = always; else by a seeded die
}

// faultJSON is Fault as the control plane speaks it: durations are texts such as "1.5s".
type faultJSON struct {
	ID          string    `json:"id,omitempty"`
	Method      string    `json:"method,omitempty"`
	Path        string    `json:"path,omitempty"`
	Kind        FaultKind `json:"kind"`
	Status      int       `json:"status,omitempty"`
	RetryAfter  string    `json:"retryAfter,omitempty"`
	Body        string    `json:"body,omitempty"`
	Delay       string    `json:"delay,omitempty"`
	Times       int       `json:"times,omitempty"`
	Probability float64   `json:"probability,omitempty"`
}

// MarshalJSON writes durations as texts.
func (f Fault) MarshalJSON() ([]byte, error) {
	text := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return d.String()
	}
	return json.Marshal(faultJSON{f.ID, f.Method, f.Path, f.Kind, f.Status, text(f.RetryAfter), f.Body, text(f.Delay), f.Times, f.Probability})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *Fault) UnmarshalJSON(b []byte) error {
	var j faultJSON
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return err
	}
	*f = Fault{ID: j.ID, Method: j.Method, Path: j.Path, Kind: j.Kind, Status: j.Status, Body: j.Body, Times: j.Times, Probability: j.Probability}
	var errs [2]error
	f.RetryAfter, errs[0] = duration(j.RetryAfter)
	f.Delay, errs[1] = duration(j.Delay)
	return errors.Join(errs[:]...)
}

// duration reads a duration; an empty text is 0.
func duration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	return time.ParseDuration(text)
}

// check says what is wrong with a fault.
func (f Fault) check() error {
	if !slices.Contains(faultKinds, f.Kind) {
		return fmt.Errorf("fault %q: unknown kind %q, want one of %v", f.ID, f.Kind, faultKinds)
	}
	if f.Kind == FaultStatus && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("fault %q: status %d", f.ID, f.Status)
	}
	return nil
}

// faults are those that are set.
type faults struct {
	mu   sync.Mutex
	list []Fault
	used map[string]int
	die  *rand.Rand
	made int
}

func newFaults(seed int64) *faults {
	return &faults{used: map[string]int{}, die: rand.New(rand.NewPCG(uint64(seed), 1))} //nolint:gosec // a die that can be thrown again, no secret
}

func (fs *faults) set(f Fault) string {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f.ID == "" {
		fs.made++
		f.ID = fmt.Sprintf("fault-%d", fs.made)
	}
	fs.list = slices.DeleteFunc(fs.list, func(g Fault) bool { return g.ID == f.ID })
	fs.list = append(fs.list, f)
	delete(fs.used, f.ID)
	return f.ID
}

func (fs *faults) remove(match func(Fault) bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.list = slices.DeleteFunc(fs.list, match)
}

func (fs *faults) all() []Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return slices.Clone(fs.list)
}

// pick takes the first fault that applies, and counts it.
func (fs *faults) pick(method, template, path string, api bool) *Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.list {
		switch {
		case f.Method != "" && f.Method != method:
		case f.Path == "" && !api:
		case f.Path != "" && f.Path != template && f.Path != path:
		case f.Times > 0 && fs.used[f.ID] >= f.Times:
		case f.Probability > 0 && f.Probability < 1 && fs.die.Float64() >= f.Probability:
		default:
			fs.used[f.ID]++
			return &f
		}
	}
	return nil
}
