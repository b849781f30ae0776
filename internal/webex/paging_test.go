package webex

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// page is one answer of a list of people; next is its Link, in which BASE stands
// for the server.
type page struct{ ids, link string }

func TestPaging(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pages map[string]page // by raw query
		want  string
		err   string
	}{
		"one page": {pages: map[string]page{"": {"a b", ""}}, want: "a b"},
		"two pages, whose address is used unchanged": {pages: map[string]page{
			"":                         {"a", `<BASE/v1/people?max=10&before&after=Y2lz>; rel="next"`},
			"max=10&before&after=Y2lz": {"b", ""},
		}, want: "a b"},
		"an empty page with a next one": {pages: map[string]page{
			"": {"a", `<BASE/v1/people?p=2>; rel="next"`}, "p=2": {"", `<BASE/v1/people?p=3>; rel="next"`}, "p=3": {"b", ""},
		}, want: "a b"},
		"an empty last page":           {pages: map[string]page{"": {"a", `<BASE/v1/people?p=2>; rel="next"`}, "p=2": {"", ""}}, want: "a"},
		"other relations are left":     {pages: map[string]page{"": {"a", `<BASE/v1/people?p=9>; rel="prev", <BASE/v1/people?p=2>; rel="next"`}, "p=2": {"b", `<BASE/v1/people>; rel="first"`}}, want: "a b"},
		"a relative address":           {pages: map[string]page{"": {"a", `</v1/people?p=2>; rel=next`}, "p=2": {"b", ""}}, want: "a b"},
		"another host":                 {pages: map[string]page{"": {"a", `<http://evil.example/v1/people?p=2>; rel="next"`}}, err: "another host"},
		"another host without scheme":  {pages: map[string]page{"": {"a", `<//evil.example/v1/people>; rel="next"`}}, err: "another host"},
		"another scheme":               {pages: map[string]page{"": {"a", `<https://HOST/v1/people>; rel="next"`}}, err: "another host"},
		"another port":                 {pages: map[string]page{"": {"a", `<http://127.0.0.1:1/v1/people>; rel="next"`}}, err: "another host"},
		"a host made to look alike":    {pages: map[string]page{"": {"a", `<http://HOST@evil.example/v1/people>; rel="next"`}}, err: "another host"},
		"a user in the address":        {pages: map[string]page{"": {"a", `<http://x@HOST/v1/people>; rel="next"`}}, err: "another host"},
		"no address at all":            {pages: map[string]page{"": {"a", `<http://[::1>; rel="next"`}}, err: "cannot be parsed"},
		"round in circles":             {pages: map[string]page{"": {"a", `<BASE/v1/people?p=2>; rel="next"`}, "p=2": {"b", `<BASE/v1/people?p=3>; rel="next"`}, "p=3": {"c", `<BASE/v1/people?p=2>; rel="next"`}}, err: "circles"},
		"a second page that is broken": {pages: map[string]page{"": {"a", `<BASE/v1/people?p=2>; rel="next"`}, "p=2": {"!", ""}}, err: "wrong type"},
		"a null list":                  {pages: map[string]page{"": {"null", ""}}, err: "none of the expected"},
		"an empty list":                {pages: map[string]page{"": {"", ""}}, want: ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var srv *httptest.Server
			c, srv := server(t, func(w http.ResponseWriter, r *http.Request) {
				query := r.URL.RawQuery
				if query == "excludeStatus=true" { // the client's own first question
					query = ""
				}
				p, ok := tt.pages[query]
				if !ok {
					t.Errorf("asked for %q", query)
				}
				link := strings.NewReplacer("BASE", srv.URL, "HOST", strings.TrimPrefix(srv.URL, "http://")).Replace(p.link)
				if link != "" {
					w.Header().Set("Link", link)
				}
				answerJSON(w, 200, peopleBody(p.ids))
			})
			people, err := collect(c.ListPeople(t.Context(), PeopleFilter{}))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) || asError(t, err).Kind != KindBadGateway || people != nil {
					t.Fatalf("%v, %v", people, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, p := range people {
				ids = append(ids, p.ID)
			}
			if diff := cmp.Diff(tt.want, strings.Join(ids, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func peopleBody(ids string) string {
	switch ids {
	case "null":
		return `{"items":null}`
	case "!":
		return `{"items":"none"}`
	}
	var items []string
	for _, id := range strings.Fields(ids) {
		items = append(items, fmt.Sprintf(`{"id":%q}`, id))
	}
	return `{"items":[` + strings.Join(items, ",") + `]}`
}

func TestTheTokenStaysWithItsHost(t *testing.T) {
	t.Parallel()
	var foreign atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { foreign.Add(1) }))
	t.Cleanup(other.Close)
	c, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/people" {
			w.Header().Set("Link", "<"+other.URL+`/people>; rel="next"`)
			answerJSON(w, 200, peopleBody("a"))
			return
		}
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	if _, err := collect(c.ListPeople(t.Context(), PeopleFilter{})); !errors.Is(err, errForeignNext) {
		t.Errorf("a next page elsewhere: %v", err)
	}
	if _, err := c.GetPerson(t.Context(), "x"); asError(t, err).Kind != KindBadGateway || asError(t, err).Status != 307 {
		t.Errorf("a redirect: %v", err)
	}
	err := c.UpdateCallWaiting(t.Context(), "x", CallWaitingUpdate{Enabled: ptr(true)})
	if asError(t, err).Kind != KindBadGateway || !OutcomeUnknown(err) {
		t.Errorf("a redirected write: %v", err)
	}
	if n := foreign.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
}

func TestAListThatIsLeftEarlyAsksNoMore(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	c, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Link", fmt.Sprintf(`</v1/people?p=%d>; rel="next"`, asked.Load()))
		answerJSON(w, 200, peopleBody("a b"))
	})
	for _, err := range c.ListPeople(t.Context(), PeopleFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	if asked.Load() != 1 {
		t.Errorf("%d requests", asked.Load())
	}
}

func TestAPageThatFailedIsAskedForAgain(t *testing.T) {
	t.Parallel()
	var asked []string
	c := NewClient(Options{BaseURL: "http://webex.test/v1", Tokens: &tokens{}, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		page := r.URL.Query().Get("p")
		asked = append(asked, page)
		switch {
		case page == "":
			return response(200, http.Header{"Link": {`</v1/people?p=2>; rel="next"`}}, peopleBody("a")), nil
		case len(asked) == 2:
			return response(400, nil, "{}"), nil
		}
		return response(200, nil, peopleBody("b")), nil
	})})
	var ids []string
	failed := 0
	for p, err := range c.ListPeople(t.Context(), PeopleFilter{}) {
		if err != nil {
			failed++
			continue
		}
		ids = append(ids, p.ID)
	}
	if !slices.Equal(asked, []string{"", "2", "2"}) || !slices.Equal(ids, []string{"a", "b"}) || failed != 1 {
		t.Errorf("asked for the pages %q, got %q and %d errors", asked, ids, failed)
	}
}

func TestAListWithoutEndEnds(t *testing.T) {
	t.Parallel()
	n := 0
	c := NewClient(Options{BaseURL: "http://webex.test/v1", Tokens: &tokens{}, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		n++
		return response(200, http.Header{"Link": {fmt.Sprintf(`</v1/people?p=%d>; rel="next"`, n)}}, peopleBody("a")), nil
	})})
	_, err := collect(c.ListPeople(t.Context(), PeopleFilter{}))
	if err == nil || n != maxPages || asError(t, err).Kind != KindBadGateway {
		t.Errorf("%d pages, %v", n, err)
	}
}

func TestGroupsPageByIndex(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pages map[string]string // startIndex to members
		size  string
		want  string
		asked int32
	}{
		"one page":                              {map[string]string{"1": "a b"}, "2", "a b", 1},
		"pages shorter than asked for":          {map[string]string{"1": "a b", "3": "c"}, "3", "a b c", 2},
		"a size that is not told":               {map[string]string{"1": "a b", "3": ""}, "null", "a b", 2},
		"a size that promises too much":         {map[string]string{"1": "a b", "3": ""}, "9", "a b", 2},
		"startIndex is not understood by Webex": {map[string]string{"1": "a b", "3": "a b"}, "null", "a b", 2},
		"nobody":                                {map[string]string{"1": ""}, "0", "", 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			c, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				ids, ok := tt.pages[r.URL.Query().Get("startIndex")]
				if !ok || r.URL.Query().Get("count") != "500" {
					t.Errorf("asked %s", r.URL.RawQuery)
				}
				answerJSON(w, 200, strings.Replace(peopleBody(ids), `{"items"`, `{"memberSize":`+tt.size+`,"members"`, 1))
			})
			members, err := c.ListGroupMembers(t.Context(), "g")
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, m := range members {
				ids = append(ids, m.ID)
			}
			if got := strings.Join(ids, " "); got != tt.want || asked.Load() != tt.asked {
				t.Errorf("%q after %d requests", got, asked.Load())
			}
		})
	}
}

func FuzzNextLink(f *testing.F) {
	for _, s := range []string{
		`<https://webexapis.com/v1/people?a=b>; rel="next"`, `<a>; rel="prev", <b>; title="x,y;<>"; rel=next`, `<`, `<>;rel=next`, `,,,<a`, `<a>;rel="\"`, `<a>; REL="first NEXT"`,
	} {
		f.Add(s)
	}
	c := NewClient(Options{BaseURL: "https://webexapis.com/v1", Tokens: &tokens{}})
	first, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://webexapis.com/v1/people", nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		next, err := c.nextPage(&request{op: "op"}, &answer{header: http.Header{"Link": {s}}, url: first.URL})
		if err != nil || next == "" {
			return
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, next, nil)
		if err != nil {
			return // the client would say so
		}
		if host := strings.ToLower(r.URL.Host); r.URL.Scheme != "https" || host != "webexapis.com" && host != "webexapis.com:443" {
			t.Errorf("%q leads to %q", s, next)
		}
	})
}

func FuzzErrorBody(f *testing.F) {
	f.Add([]byte(`{"message":"[Error 5675] M","errors":[{"description":"D","errorCode":1}],"trackingId":"T","code":1}`))
	f.Add([]byte(`<html>`))
	f.Add([]byte(`{"errors":[null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if b := parseErrorBody(data); len([]rune(b.message)) > maxMessage {
			t.Error("too long")
		}
	})
}

func FuzzIDs(f *testing.F) {
	f.Add(personID)
	f.Add(queueID)
	f.Add("F5B36187-C8DD-4727-8B2F-F9C447F29046")
	f.Add(id("ciscospark://us/PEOPLE/===="))
	f.Fuzz(func(t *testing.T, s string) {
		if u, err := UUID(s); err == nil && u == "" {
			t.Error("an empty id")
		}
		if s != "" && !SameID(s, s) {
			t.Error("not itself")
		}
		if strings.Trim(s, "=") != "" && !SameID(s, s+"=") {
			t.Error("padding")
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("12")
	f.Add("Fri, 20 Nov 2026 10:00:30 GMT")
	f.Fuzz(func(t *testing.T, s string) {
		if d := parseRetryAfter(s, testNow); d < 0 || d > maxRetryAfter {
			t.Error(d)
		}
	})
}
