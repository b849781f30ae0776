package webexsim

import (
	"slices"
	"sync"
	"time"
)

// Record is one request that the simulator got.
type Record struct {
	At         time.Time `json:"at"`
	Method     string    `json:"method"`
	Path       string    `json:"path"`     // below the base, "/people/..."
	Query      string    `json:"query"`    // as sent
	Template   string    `json:"template"` // of the contract; "" for what the simulator does not know
	Body       string    `json:"body"`     // at most 4 KiB; never of /access_token, which holds secrets
	Status     int       `json:"status"`   // 0 while the request runs, and when the connection was closed on purpose
	Token      string    `json:"token"`    // "serviceApp", "user", "invalid" or "" without one
	TrackingID string    `json:"trackingId"`
	Fault      string    `json:"fault"` // id of the fault that was applied
}

// historyLimit is how many requests are remembered; the oldest go first.
const historyLimit = 20_000

type history struct {
	mu      sync.Mutex
	records []*Record
}

func (h *history) add(r Record) *Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.records) >= historyLimit {
		h.records = slices.Delete(h.records, 0, historyLimit/10)
	}
	h.records = append(h.records, &r)
	return &r
}

// change edits a record that add has returned.
func (h *history) change(r *Record, edit func(*Record)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	edit(r)
}

func (h *history) all() []Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]Record, len(h.records))
	for i, r := range h.records {
		list[i] = *r
	}
	return list
}

func (h *history) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.records = nil
}
