package webex

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tokens gives "token-1", and after each rejection the next one.
type tokens struct {
	mu       sync.Mutex
	number   int
	rejected []string
	err      error // of Rejected
	noToken  error // of AccessToken
}

func (t *tokens) AccessToken(context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return "token-" + string(rune('1'+t.number)), t.noToken
}

func (t *tokens) Rejected(ctx context.Context, token string) (string, error) {
	t.mu.Lock()
	t.rejected = append(t.rejected, token)
	t.number++
	err := t.err
	t.mu.Unlock()
	if err != nil {
		return "", err
	}
	return t.AccessToken(ctx)
}

// server runs h as Webex and gives a client of it. The base has a path, as the
// real one.
func server(t *testing.T, h http.HandlerFunc, change ...func(*Options)) (*Client, *httptest.Server) {
	t.Helper()
	s := httptest.NewServer(http.StripPrefix("/v1", h))
	o := Options{BaseURL: s.URL + "/v1", Tokens: &tokens{}}
	for _, f := range change {
		f(&o)
	}
	c := NewClient(o)
	t.Cleanup(func() {
		c.Close()
		s.CloseClientConnections()
		s.Close()
	})
	return c, s
}

// roundTripper answers without a network, for tests in a bubble of synctest.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func response(status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
}

func asError(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v (%T) is no *Error", err, err)
	}
	return e
}

func answerJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func ptr[T any](v T) *T { return &v }
