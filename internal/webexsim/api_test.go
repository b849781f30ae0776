package webexsim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"patchbay/internal/contract"
	"patchbay/internal/webexsim"
)

const (
	greta = "greta.holm@patchbay.example"
	ana   = "ana.lopez@patchbay.example"
	noah  = "noah.quinn@patchbay.example"
)

// client talks to a simulator and holds every answer against the contract.
type client struct {
	t     *testing.T
	sim   *webexsim.Server
	doc   *contract.Contract
	token string
}

// reply is an answer with its body read.
type reply struct {
	*http.Response
	body []byte
}

func start(t *testing.T, o webexsim.Options) *client {
	t.Helper()
	sim, err := webexsim.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	doc, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, sim: sim, doc: doc, token: sim.ServiceAppAccessToken()}
}

// do sends a request with a path below the base; body "" = none.
func (c *client) do(method, path, body string) reply {
	c.t.Helper()
	base := c.sim.BaseURL
	if strings.HasPrefix(path, "/identity/") {
		base = strings.TrimSuffix(base, "/v1")
	}
	return c.send(method, base+path, body)
}

func (c *client) send(method, address, body string) reply {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, address, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, address, err)
	}
	path := strings.TrimPrefix(r.URL.Path, "/v1")
	if err := c.doc.CheckResponse(method, path, resp.StatusCode, resp.Header, b); err != nil {
		c.t.Errorf("the answer breaks the contract: %v\n%.600s", err, b)
	}
	return reply{resp, b}
}

// get reads JSON with status 200.
func (c *client) get(path string) map[string]any {
	c.t.Helper()
	r := c.do("GET", path, "")
	if r.StatusCode != 200 {
		c.t.Fatalf("GET %s: %d %s", path, r.StatusCode, r.body)
	}
	var v map[string]any
	if err := json.Unmarshal(r.body, &v); err != nil {
		c.t.Fatalf("GET %s: %v", path, err)
	}
	return v
}

// put writes and wants a status.
func (c *client) put(path, body string, want int) reply {
	c.t.Helper()
	r := c.do("PUT", path, body)
	if r.StatusCode != want {
		c.t.Errorf("PUT %s %s: %d, want %d: %s", path, body, r.StatusCode, want, r.body)
	}
	if want == 204 && len(r.body) > 0 {
		c.t.Errorf("PUT %s: a body with 204: %s", path, r.body)
	}
	return r
}

// all follows Link to the end and gives every item of a list, and how many pages there were.
func (c *client) all(path, list string) (items []map[string]any, pages int) {
	c.t.Helper()
	address := c.sim.BaseURL + path
	for address != "" {
		r := c.send("GET", address, "")
		if r.StatusCode != 200 {
			c.t.Fatalf("GET %s: %d %s", address, r.StatusCode, r.body)
		}
		var v map[string]json.RawMessage
		var page []map[string]any
		if err := json.Unmarshal(r.body, &v); err != nil {
			c.t.Fatal(err)
		}
		if err := json.NewDecoder(bytes.NewReader(v[list])).Decode(&page); err != nil {
			c.t.Fatalf("GET %s: no list %q: %v", address, list, err)
		}
		items = append(items, page...)
		pages++
		address = ""
		if link := r.Header.Get("Link"); link != "" {
			address = strings.TrimPrefix(strings.Split(link, ">")[0], "<")
		}
		if pages > 5000 {
			c.t.Fatal("endless paging")
		}
	}
	return items, pages
}

func (c *client) person(who string) webexsim.PersonInfo {
	c.t.Helper()
	return c.sim.MustPerson(who)
}
