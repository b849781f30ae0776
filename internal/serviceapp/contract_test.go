package serviceapp

import (
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/contract"
)

// requestLog holds what a server was asked.
type requestLog struct {
	mu     sync.Mutex
	method string
	path   string
	header http.Header
	bodies [][]byte
}

func (l *requestLog) add(t *testing.T, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.method, l.path, l.header = r.Method, r.URL.Path, r.Header.Clone()
	l.bodies = append(l.bodies, body)
}

// check holds the one request against Webex's contract, and shows what it sends.
func (l *requestLog) check(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.bodies) != 1 {
		t.Fatalf("%d requests, want 1: the other style of client authentication must not be tried", len(l.bodies))
	}
	c, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	// The checker cannot read a form whose schema is a choice, so its fields are
	// compared with those of the contract's TokenRequestRefresh below.
	if op, err := c.Find(l.method, l.path); err != nil || op.ID != "createAccessToken" {
		t.Errorf("%s %s is %+v, %v", l.method, l.path, op, err)
	}
	if got := l.header.Get("Content-Type"); got != "application/x-www-form-urlencoded" {
		t.Errorf("content type %q", got)
	}
	got, err := url.ParseQuery(string(l.bodies[0]))
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {seedToken}, "client_id": {clientID}, "client_secret": {clientSecret},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if l.header.Get("Authorization") != "" {
		t.Error("the client secret is sent a second time in a header")
	}
}
