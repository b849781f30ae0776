package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"patchbay/internal/webexsim"
)

// portal is a running `portal demo`.
type portal struct {
	url     string // the portal itself
	control string // the simulator's control plane
	metrics string // the listener for operators
	cmd     *exec.Cmd
	out     *output
}

// output collects what the program prints; it is read while it is written.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

var addresses = map[string]*regexp.Regexp{
	"portal":  regexp.MustCompile(`Patchbay demo: (http://\S+)`),
	"control": regexp.MustCompile(`trouble on demand:\s+(http://\S+)`),
	"metrics": regexp.MustCompile(`metrics:\s+(http://\S+)/metrics`),
}

// startPortal starts `portal demo` on a free port.
func startPortal(args ...string) (*portal, error) {
	p := &portal{out: &output{}}
	p.cmd = exec.Command(binary, append([]string{"demo", "-addr", "127.0.0.1:0"}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the portal: %w", err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		found := map[string]string{}
		for name, pattern := range addresses {
			if match := pattern.FindStringSubmatch(p.out.String()); match != nil {
				found[name] = match[1]
			}
		}
		if len(found) == len(addresses) {
			p.url, p.control, p.metrics = found["portal"], found["control"], found["metrics"]
			return p, nil
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("the portal did not print its addresses, but:\n%s", p.out), p.stop())
		}
	}
}

// stop ends the program as Ctrl-C would, and complains when it does not end well.
func (p *portal) stop() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("end the portal: %w", err)
	}
	timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() }) // it may have ended meanwhile
	defer timer.Stop()
	err := p.cmd.Wait()
	for _, bad := range []string{"DATA RACE", "panic"} {
		if strings.Contains(p.out.String(), bad) {
			err = errors.Join(err, fmt.Errorf("the portal's output has %q", bad))
		}
	}
	if err != nil {
		return fmt.Errorf("the portal did not end well: %w\n%s", err, p.out)
	}
	return nil
}

// ownPortal is a portal that only this test breaks.
func ownPortal(t *testing.T, args ...string) *portal {
	t.Helper()
	p, err := startPortal(args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// ask asks the control plane of the simulator.
func (p *portal) ask(t *testing.T, method, path string, body, answer any) {
	t.Helper()
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		sent = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, p.control+path, sent)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode >= 300 {
		t.Fatalf("%s %s of the control plane: %s: %s", method, path, res.Status, b)
	}
	if answer != nil {
		if err := json.Unmarshal(b, answer); err != nil {
			t.Fatalf("%s %s of the control plane: %v: %s", method, path, err, b)
		}
	}
}

// atWebex is what Webex thinks of a person's setting: the value at a path such as
// "callForwarding.always.destination".
func (p *portal) atWebex(t *testing.T, who, setting, path string) any {
	t.Helper()
	var doc any
	p.ask(t, http.MethodGet, "/people/"+who+"/settings/"+setting, nil, &doc)
	for key := range strings.SplitSeq(path, ".") {
		object, ok := doc.(map[string]any)
		if !ok {
			t.Fatalf("%s has no %s", setting, path)
		}
		doc = object[key]
	}
	return doc
}

// setAtWebex changes a setting behind the portal's back.
func (p *portal) setAtWebex(t *testing.T, who, setting, patch string) {
	t.Helper()
	p.ask(t, http.MethodPut, "/people/"+who+"/settings/"+setting, json.RawMessage(patch), nil)
}

// joined is whether Webex has a person joined in a queue.
func (p *portal) joined(t *testing.T, queue, who string) bool {
	t.Helper()
	var list []webexsim.QueueInfo
	p.ask(t, http.MethodGet, "/queues", nil, &list)
	for _, q := range list {
		for _, a := range q.Agents {
			if q.Name == queue && a.Email == who {
				return a.Joined
			}
		}
	}
	t.Fatalf("%s is no agent of %q", who, queue)
	return false
}

// trouble sets the faults of the simulator; none clears them.
func (p *portal) trouble(t *testing.T, faults ...webexsim.Fault) {
	t.Helper()
	if faults == nil {
		faults = []webexsim.Fault{}
	}
	p.ask(t, http.MethodPut, "/faults", faults, nil)
}

// requests is how often the portal asked Webex for a path that ends so.
func (p *portal) requests(t *testing.T, method, suffix string) int {
	t.Helper()
	var list []webexsim.Record
	p.ask(t, http.MethodGet, "/requests", nil, &list)
	n := 0
	for _, r := range list {
		if r.Method == method && strings.HasSuffix(r.Path, suffix) {
			n++
		}
	}
	return n
}
