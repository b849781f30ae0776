package webex

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// agentList is what a Webex with these queues answers: its size of pages, whether
// it sends Links, and what its queueCount counts.
type agentList struct {
	plain, assist []string
	page          int // the most it gives, whatever is asked for; 0 is no limit
	links         bool
	count         func(kind, both int) string
	same          bool // knows only one kind and ignores the parameter
}

func (l agentList) serve(t *testing.T, asked *[]string) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		mu.Lock()
		*asked = append(*asked, q.Get("hasCxEssentials")+"/"+q.Get("start"))
		mu.Unlock()
		ids := l.plain
		if q.Get("hasCxEssentials") == "true" && !l.same {
			ids = l.assist
		}
		if len(ids) == 0 {
			answerJSON(w, 404, `{"message":"not an agent"}`)
			return
		}
		var start, limit int
		if _, err := fmt.Sscan(q.Get("start")+" "+q.Get("max"), &start, &limit); err != nil {
			t.Error(err)
		}
		if l.page > 0 {
			limit = min(limit, l.page)
		}
		start = min(start, len(ids))
		end := min(start+limit, len(ids))
		if l.links && end < len(ids) {
			q.Set("start", fmt.Sprint(end))
			w.Header().Set("Link", fmt.Sprintf(`</v1%s?%s>; rel="next"`, r.URL.Path, q.Encode()))
		}
		var queues []string
		for _, id := range ids[start:end] {
			queues = append(queues, fmt.Sprintf(`{"id":%q,"name":%q}`, id, id))
		}
		agent := `{"id":"P"}`
		if l.count != nil {
			agent = `{"id":"P","queueCount":` + l.count(len(ids), len(l.plain)+len(l.assist)) + `}`
		}
		answerJSON(w, 200, `{"agent":`+agent+`,"queues":[`+strings.Join(queues, ",")+`]}`)
	}
}

func names(prefix string, n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("%s%d", prefix, i))
	}
	return list
}

func TestListAgentQueues(t *testing.T) {
	t.Parallel()
	both := func(_, both int) string { return fmt.Sprint(both) }
	kind := func(kind, _ int) string { return fmt.Sprint(kind) }
	tests := map[string]struct {
		list  agentList
		kinds QueueKinds
		asked []string // in any order
	}{
		"no agent":                                 {list: agentList{}, asked: []string{"/0", "true/0"}},
		"plain queues":                             {list: agentList{plain: names("p", 2), count: kind}, asked: []string{"/0", "true/0"}},
		"both kinds, counted together":             {list: agentList{plain: names("p", 2), assist: names("a", 1), count: both}, asked: []string{"/0", "true/0"}},
		"both kinds, counted apart":                {list: agentList{plain: names("p", 2), assist: names("a", 1), count: kind}, asked: []string{"/0", "true/0"}},
		"both kinds, not counted":                  {list: agentList{plain: names("p", 2), assist: names("a", 1)}, asked: []string{"/0", "true/0"}},
		"a full page that is all":                  {list: agentList{plain: names("p", 50), count: both}, asked: []string{"/0", "true/0"}},
		"a full page, not counted":                 {list: agentList{plain: names("p", 50)}, asked: []string{"/0", "/50", "true/0"}},
		"more than a page":                         {list: agentList{plain: names("p", 120), count: both}, asked: []string{"/0", "/50", "/100", "true/0"}},
		"more than a page of both":                 {list: agentList{plain: names("p", 60), assist: names("a", 51), count: kind}, asked: []string{"/0", "/50", "true/0", "true/50"}},
		"a smaller page, counted":                  {list: agentList{plain: names("p", 7), page: 3, count: both}, asked: []string{"/0", "/3", "/6", "true/0"}},
		"a smaller page, with links":               {list: agentList{plain: names("p", 7), assist: names("a", 4), page: 3, links: true}, asked: []string{"/0", "/3", "/6", "true/0", "true/3"}},
		"only plain ones are wanted":               {list: agentList{plain: names("p", 2), assist: names("a", 1), count: kind}, kinds: PlainQueues, asked: []string{"/0"}},
		"only those of Customer Assist are wanted": {list: agentList{plain: names("p", 2), assist: names("a", 1), count: kind}, kinds: CustomerAssistQueues, asked: []string{"true/0"}},
		"the count promises too much":              {list: agentList{plain: names("p", 2), count: func(int, int) string { return "9" }}, asked: []string{"/0", "/2", "true/0"}},
		"the count is zero":                        {list: agentList{plain: names("p", 2), count: func(int, int) string { return "0" }}, asked: []string{"/0", "true/0"}},
		"both questions have the same answer":      {list: agentList{plain: names("p", 2), same: true, count: kind}, asked: []string{"/0", "true/0"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			c, _ := server(t, tt.list.serve(t, &asked))
			queues, err := c.ListAgentQueues(t.Context(), "x", tt.kinds)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, q := range queues {
				got = append(got, q.ID)
				if q.CustomerAssist != (q.ID[0] == 'a') {
					t.Errorf("kind of %s", q.ID)
				}
			}
			var want []string
			if tt.kinds != CustomerAssistQueues {
				want = append(want, tt.list.plain...)
			}
			if tt.kinds != PlainQueues {
				want = append(want, tt.list.assist...)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%v\nwant %v", got, want)
			}
			slices.Sort(asked)
			slices.Sort(tt.asked)
			if !slices.Equal(asked, tt.asked) {
				t.Errorf("asked %v, want %v", asked, tt.asked)
			}
		})
	}
}

func TestListAgentQueuesFailsWhole(t *testing.T) {
	t.Parallel()
	tests := map[string]http.HandlerFunc{
		"one kind fails": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("hasCxEssentials") == "true" {
				answerJSON(w, 500, ``)
				return
			}
			answerJSON(w, 200, `{"queues":[{"id":"a"}]}`)
		},
		"a later page is not there": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("start") != "0" {
				answerJSON(w, 404, ``)
				return
			}
			answerJSON(w, 200, `{"agent":{"queueCount":5},"queues":[{"id":"a"}]}`)
		},
		"the pages go round": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", `</v1/telephony/config/queues/agents/x?max=50&start=50>; rel="next"`)
			answerJSON(w, 200, fmt.Sprintf(`{"queues":[{"id":"q%s"}]}`, r.URL.Query().Get("start")))
		},
	}
	for name, h := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := server(t, h)
			queues, err := c.ListAgentQueues(t.Context(), "x", AllQueues)
			if err == nil || queues != nil {
				t.Errorf("%v, %v", queues, err)
			}
		})
	}
}

func TestFeatureAccess(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body         string
		allows       bool
		needsDefault bool
	}{
		"the person's own":                       {`{"userOrgSettingsPermissionEnabled":false,"userOrgSettingsPermissions":{"f":"NO_ACCESS"},"userSettingsPermissions":{"f":"FULL_ACCESS"}}`, true, false},
		"the person's own, closed":               {`{"userOrgSettingsPermissionEnabled":false,"userOrgSettingsPermissions":{"f":"FULL_ACCESS"},"userSettingsPermissions":{"f":"NO_ACCESS"}}`, false, false},
		"the organization's":                     {`{"userOrgSettingsPermissionEnabled":true,"userOrgSettingsPermissions":{"f":"NO_ACCESS"},"userSettingsPermissions":{"f":"FULL_ACCESS"}}`, false, false},
		"the organization's, which is not there": {`{"userOrgSettingsPermissionEnabled":true,"userSettingsPermissions":{"f":"NO_ACCESS"}}`, false, true},
		"the organization's, null":               {`{"userOrgSettingsPermissionEnabled":true,"userOrgSettingsPermissions":null}`, false, true},
		"the organization's, empty":              {`{"userOrgSettingsPermissionEnabled":true,"userOrgSettingsPermissions":{}}`, false, true},
		"a feature that is not named":            {`{"userSettingsPermissions":{"g":"NO_ACCESS"}}`, true, false},
		"a word that nobody knows":               {`{"userSettingsPermissions":{"f":"SOME_ACCESS"}}`, false, false},
		"no word at all":                         {`{"userSettingsPermissions":{"f":{"value":"FULL_ACCESS"}}}`, false, false},
		"nothing is said":                        {`{"userOrgSettingsPermissionEnabled":false}`, false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var a FeatureAccess
			if err := json.Unmarshal([]byte(tt.body), &a); err != nil {
				t.Fatal(err)
			}
			if a.Allows("f") != tt.allows || a.NeedsDefault() != tt.needsDefault {
				t.Errorf("allows %t, needs default %t", a.Allows("f"), a.NeedsDefault())
			}
		})
	}
}

// TestQueueSettingsGoBackAsTheyCame: a change of the agents must not change what
// happens to callers, whether or not the fields are known here.
func TestQueueSettingsGoBackAsTheyCame(t *testing.T) {
	t.Parallel()
	const rest = `"queueSize":25,"callOfferToneEnabled":true,"waitMessage":{"waitMode":"POSITION","handlingTime":17},"new":[1.50,{"a":null}]`
	tests := map[string]struct {
		settings string // of the reading, "" without
		stored   bool   // between reading and writing it is kept as JSON
		agents   []QueueAgentUpdate
		want     string
		fails    bool
	}{
		"what only a reading has is left out": {
			settings: `{` + rest + `,"overflow":{"action":"PERFORM_BUSY_TREATMENT","greeting":"DEFAULT","isTransferNumberSet":false,"audioFiles":[],"overflowAfterWaitTime":30}}`,
			want:     `{"queueSettings":{` + rest + `,"overflow":{"action":"PERFORM_BUSY_TREATMENT","greeting":"DEFAULT","overflowAfterWaitTime":30}},"agents":[]}`,
		},
		"a reading that was stored": {
			settings: `{` + rest + `}`, stored: true,
			want: `{"queueSettings":{` + rest + `},"agents":[]}`,
		},
		"a reading without settings": {want: `{"agents":[{"id":"P","weight":"40"}]}`, agents: []QueueAgentUpdate{{ID: "P", Weight: "40"}}},
		"settings of an odd shape":   {settings: `{"overflow":[]}`, fails: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := make(chan string, 1)
			c, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				sent <- string(body)
				w.WriteHeader(http.StatusNoContent)
			})
			text := `{"id":"Q"}`
			if tt.settings != "" {
				text = `{"id":"Q","queueSettings":` + tt.settings + `}`
			}
			var read QueueDetail
			err := json.Unmarshal([]byte(text), &read)
			if err == nil && tt.stored {
				kept, _ := json.Marshal(read)
				read = QueueDetail{}
				err = json.Unmarshal(kept, &read)
			}
			if err == nil {
				err = c.UpdateQueueAgents(t.Context(), "L", "Q", read, tt.agents)
			}
			if (err != nil) != tt.fails {
				t.Fatal(err)
			}
			if tt.fails {
				return
			}
			if diff := cmp.Diff(tree(t, tt.want), tree(t, <-sent)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
