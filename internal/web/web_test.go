package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
	"patchbay/templates"
)

// reader is a request of somebody who reads English.
func reader(t testing.TB) *http.Request {
	t.Helper()
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	return httptest.NewRequestWithContext(i18n.NewContext(t.Context(), texts.Localizer("en")), http.MethodGet, "/", nil)
}

func TestSegmentsPutLinksWhereTheTextWantsThem(t *testing.T) {
	t.Parallel()
	got := segments("If you are [busy] or do [not answer], calls go on.", "/a", "/b")
	want := []templates.Segment{{Text: "If you are "}, {Text: "busy", URL: "/a"}, {Text: " or do "}, {Text: "not answer", URL: "/b"}, {Text: ", calls go on."}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := segments("[open"); len(got) != 1 || got[0].Text != "open" || got[0].URL != "" {
		t.Errorf("a bracket that is never closed: %+v", got)
	}
}

func TestSmallWords(t *testing.T) {
	t.Parallel()
	r := reader(t)
	for got, want := range map[string]string{
		initials("Eva-Charlotta Lindqvist-Söderström von Hohenberg"): "EH",
		initials("ørsted"):                      "Ø",
		initials(""):                            "",
		formatMAC("00112233aabb"):               "00:11:22:33:AA:BB",
		formatMAC("odd"):                        "odd",
		zoneName(time.UTC):                      "UTC",
		numberMeaning(r, "030 23125 100", "DE"): "outside number, Germany, +49 30 23125100",
		numberMeaning(r, "1001", "DE"):          "extension 1001",
		numberMeaning(r, "*73", "DE"):           "feature code *73",
		numberMeaning(r, "mother", "DE"):        "",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSentenceTellsASwitchOnce(t *testing.T) {
	t.Parallel()
	setting := selfservice.Catalogue()[0]
	field := func(path string) selfservice.Field {
		for _, f := range setting.Fields {
			if f.Path == path {
				return f
			}
		}
		t.Fatalf("no field %s", path)
		return selfservice.Field{}
	}
	on := selfservice.Change{Field: field("callForwarding.always.enabled"), Before: false, After: true}
	to := selfservice.Change{Field: field("callForwarding.always.destination"), After: "+493023125100"}
	busy := selfservice.Change{Field: field("callForwarding.busy.enabled"), Before: true, After: false}
	r := reader(t)
	for want, changes := range map[string][]selfservice.Change{
		"Forward all calls: turned on":  {on, to},
		"Forward when busy: turned off": {busy},
		"Call forwarding: changed":      {on, busy},
		"A setting was changed":         nil,
	} {
		if got := say(r, sentenceText(selfservice.Record{Setting: setting, Changes: changes})); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if rest := besides([]selfservice.Change{on, to}); len(rest) != 1 || rest[0].Path != to.Path {
		t.Errorf("besides the sentence: %v", rest)
	}
}

func TestProblemOfDeadlines(t *testing.T) {
	t.Parallel()
	if p := problemOf(context.DeadlineExceeded); p.Code != problem.Timeout {
		t.Errorf("a deadline is %v", p.Code)
	}
	if p := problemOf(&http.MaxBytesError{}); p.Code != problem.TooLarge {
		t.Errorf("a large body is %v", p.Code)
	}
}

// TestAPanicGetsAnAnswer: a fault of ours is told in words, not by a cut line.
func TestAPanicGetsAnAnswer(t *testing.T) {
	t.Parallel()
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	s := &Server{Deps: Deps{Texts: texts, Log: slog.New(slog.NewTextHandler(&log, nil))}}
	h := s.requestID(s.language(s.recoverPanics(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret") }))))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/x", nil))
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "Something went wrong") || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("answer %d: %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "stack=") {
		t.Error("the log does not say where it was")
	}
}

// FuzzForm: whatever a browser or somebody else posts, reading it ends in a wish of
// known fields or in a problem.
func FuzzForm(f *testing.F) {
	f.Add("_card=always&_fields=callForwarding.always.enabled+callForwarding.always.destination&callForwarding.always.destination=030")
	f.Add("_fields=callForwarding.noAnswer.numberOfRings&callForwarding.noAnswer.numberOfRings=4")
	f.Add("_fields=x")
	f.Add("%zz")
	setting := selfservice.Catalogue()[0]
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/calls/callForwarding", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		form, err := readForm(r, setting)
		if err != nil {
			return
		}
		for _, field := range setting.FieldsOf(nil) {
			form.wish.Get(field.Path)
		}
		values, err := url.ParseQuery(body)
		if err == nil && len(strings.Fields(values.Get(formFields))) == 0 && len(form.wish) != 0 {
			t.Errorf("a wish out of nothing: %v", form.wish)
		}
	})
}

// Before the last one leaves whom calls reach, somebody is asked, also when others have
// joined and are away.
func TestItIsAskedBeforeNobodyIsReached(t *testing.T) {
	t.Parallel()
	board := selfservice.BoardQueue{Agents: []selfservice.Agent{{ID: "a", Joined: true}, {ID: "b", Joined: true, Away: selfservice.Disturbed}, {ID: "c"}}}
	for id, want := range map[string]string{"a": "board.thin.last", "b": "", "c": ""} {
		if got := thinText(board, board.Without([]string{id})); got.Key != want {
			t.Errorf("when %s leaves: %q, want %q", id, got.Key, want)
		}
	}
}

// What is known of a change that Webex has not answered is said, not that it took long.
func TestAnUnansweredChangeIsNotCalledATimeout(t *testing.T) {
	t.Parallel()
	if p := problemOf(problem.New(problem.Timeout, "setting.unsure").Because(context.DeadlineExceeded)); p.Public.Key != "setting.unsure" {
		t.Errorf("it is called %s", p.Public.Key)
	}
	if p := problemOf(context.DeadlineExceeded); p.Code != problem.Timeout || p.Public.Key != "webex.error.timeout" {
		t.Errorf("a request that took too long is %d %s", p.Code, p.Public.Key)
	}
}
