package webexsim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// abort closes the connection without another word.
func abort() { panic(http.ErrAbortHandler) }

// faultBefore does the faults that keep a request from having an effect. It says
// whether the request is over.
func (s *Sim) faultBefore(w http.ResponseWriter, c *call, rec *Record, f *Fault) bool {
	if f == nil {
		return false
	}
	switch f.Kind {
	case FaultStatus:
		s.wait(c, f)
		s.send(w, c, rec, s.failure(c, f))
	case FaultHang:
		s.hang(c, f)
	case FaultClose:
		s.wait(c, f)
		abort()
	case FaultHTML:
		s.wait(c, f)
		body := f.Body
		if body == "" {
			body = "<!DOCTYPE html>\n<html><head><title>Sign in to the network</title></head><body><p>You are almost online.</p></body></html>\n"
		}
		s.send(w, c, rec, answer{status: http.StatusOK, header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, body: []byte(body)})
	case FaultRedirect:
		s.send(w, c, rec, answer{status: http.StatusFound, header: http.Header{"Location": {"http://elsewhere.invalid/v1" + c.op.path}}})
	default:
		return false
	}
	return true
}

// faultAfter sends an answer, through the fault if there is one.
func (s *Sim) faultAfter(w http.ResponseWriter, c *call, rec *Record, f *Fault, a answer) {
	if f == nil {
		s.send(w, c, rec, a)
		return
	}
	switch f.Kind {
	case FaultDelay:
		s.wait(c, f)
	case FaultSlow:
		s.drip(w, c, rec, f, a)
		return
	case FaultTruncate:
		s.truncate(w, c, rec, a)
		return
	case FaultInvalidJSON:
		a.body = a.body[:len(a.body)/2]
		if len(a.body) == 0 {
			a.status, a.body = http.StatusOK, []byte(`{"it`)
		}
	case FaultWrongType:
		a.body = wrongTypes(a.body)
	case FaultBare:
		a.status, a.body, a.next = http.StatusOK, []byte("{}"), ""
	case FaultEmpty:
		a.status, a.body, a.next = http.StatusOK, nil, ""
	case FaultHuge:
		s.flood(w, c, rec, a)
		return
	case FaultForeignNext:
		a.header = withHeader(a.header, "Link", `<http://elsewhere.invalid/v1`+c.op.path+`?start=1>; rel="next"`)
	case FaultLoopNext:
		a.header = withHeader(a.header, "Link", "<"+address(c.Request)+"?"+c.URL.RawQuery+`>; rel="next"`)
	case FaultApplyFail:
		s.wait(c, f)
		if f.Status == 0 {
			abort()
		}
		a = s.failure(c, f)
	case FaultApplyAndHang:
		s.hang(c, f)
	}
	s.send(w, c, rec, a)
}

func (s *Sim) wait(c *call, f *Fault) {
	if f.Delay > 0 && !sleep(c.Context(), f.Delay) {
		abort()
	}
}

// hang ends with the client's patience, with the simulator, or after the fault's Delay.
func (s *Sim) hang(c *call, f *Fault) {
	if f.Delay > 0 {
		sleep(c.Context(), f.Delay)
	} else {
		<-c.Context().Done()
	}
	abort()
}

// failure is the answer of a status fault.
func (s *Sim) failure(c *call, f *Fault) answer {
	var a answer
	switch {
	case f.Body != "":
		a = answer{status: f.Status, body: []byte(f.Body)}
		if !json.Valid(a.body) {
			a.header = http.Header{"Content-Type": {"text/html"}}
		}
	case f.Status == http.StatusTooManyRequests:
		a = throttled(0)
		delete(a.header, "Retry-After")
	case f.Status < 300:
		a = answer{status: f.Status}
	default:
		a = s.refuse(c, &refusal{status: f.Status, message: http.StatusText(f.Status)})
	}
	if f.RetryAfter > 0 {
		a.header = withHeader(a.header, "Retry-After", seconds(f.RetryAfter))
	}
	return a
}

func withHeader(h http.Header, key, value string) http.Header {
	if h == nil {
		h = http.Header{}
	}
	h.Set(key, value)
	return h
}

// drip sends the answer in drops, spread over the fault's Delay.
func (s *Sim) drip(w http.ResponseWriter, c *call, rec *Record, f *Fault, a answer) {
	const drops = 20
	total := f.Delay
	if total == 0 {
		total = 5 * time.Second
	}
	s.history.change(rec, func(rec *Record) { rec.Status = a.status })
	head(w.Header(), c, a)
	w.WriteHeader(a.status)
	flush := http.NewResponseController(w)
	for part := range drops {
		from, to := len(a.body)*part/drops, len(a.body)*(part+1)/drops
		if _, err := w.Write(a.body[from:to]); err != nil || flush.Flush() != nil || !sleep(c.Context(), total/drops) {
			abort()
		}
	}
}

// truncate promises the whole answer and breaks off in the middle.
func (s *Sim) truncate(w http.ResponseWriter, c *call, rec *Record, a answer) {
	s.history.change(rec, func(rec *Record) { rec.Status = a.status })
	if len(a.body) == 0 {
		abort()
	}
	head(w.Header(), c, a)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body[:len(a.body)/2])
	_ = http.NewResponseController(w).Flush()
	abort()
}

// hugeSize is more than any answer of Webex that a client should read.
const hugeSize = 64 << 20

// flood sends the right answer with one field too many, of hugeSize.
func (s *Sim) flood(w http.ResponseWriter, c *call, rec *Record, a answer) {
	body := bytes.TrimSuffix(a.body, []byte("}"))
	lead := `,"padding":"`
	if len(body) <= 1 {
		a.status, body, lead = http.StatusOK, []byte("{"), `"padding":"`
	}
	s.history.change(rec, func(rec *Record) { rec.Status = a.status })
	a.body = body
	head(w.Header(), c, a)
	w.WriteHeader(a.status)
	chunk := []byte(strings.Repeat("x", 64<<10))
	_, _ = w.Write(append(body, lead...))
	for sent := 0; sent < hugeSize; sent += len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			abort()
		}
	}
	_, _ = w.Write([]byte(`"}`))
}

// wrongTypes keeps the names and changes the type of every value.
func wrongTypes(body []byte) []byte {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return []byte(`["nonsense"]`)
	}
	b, _ := json.Marshal(wrongType(v, true)) // it came from JSON
	return b
}

func wrongType(v any, top bool) any {
	switch v := v.(type) {
	case map[string]any:
		for key, x := range v {
			v[key] = wrongType(x, false)
		}
		return v
	case []any:
		if top {
			return "nonsense"
		}
		return map[string]any{"0": "nonsense"}
	case bool:
		return "perhaps"
	case float64:
		return "seven"
	case string:
		return 7
	default:
		return []any{}
	}
}
