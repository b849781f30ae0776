package webex

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/i18n"
	"patchbay/internal/problem"
)

func TestErrorBody(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body string
		want errorBody
	}{
		"the platform's":            {`{"message":"M","errors":[{"description":"D"}],"trackingId":"ROUTER_1"}`, errorBody{message: "D", trackingID: "ROUTER_1"}},
		"the calling service's":     {`{"errorCode":25223,"message":"M","errors":[{"description":"D","errorCode":8363}]}`, errorBody{message: "D", code: 25223, innerCode: 8363}},
		"a gateway's":               {`{"code":401,"message":"M","trackingId":"GTWY_1"}`, errorBody{message: "M", code: 401, trackingID: "GTWY_1"}},
		"the code within the text":  {`{"message":"[Error 5675] MAC Address is in use."}`, errorBody{message: "[Error 5675] MAC Address is in use.", innerCode: 5675}},
		"numbers as strings":        {`{"errorCode":"7","errors":[{"errorCode":"8"}]}`, errorBody{code: 7, innerCode: 8}},
		"errors of an odd type":     {`{"message":"M","errors":{"field":{"code":"x","reason":"y"}}}`, errorBody{message: "M"}},
		"an error of an odd type":   {`{"errors":["x"]}`, errorBody{}},
		"no errors in the list":     {`{"message":"M","errors":[]}`, errorBody{message: "M"}},
		"a message of an odd type":  {`{"message":{"a":1},"trackingId":7}`, errorBody{}},
		"everything null":           {`{"message":null,"errors":null,"errorCode":null}`, errorBody{}},
		"HTML":                      {`<html>502</html>`, errorBody{}},
		"nothing":                   {``, errorBody{}},
		"a list":                    {`[1]`, errorBody{}},
		"cut off":                   {`{"message":"M"`, errorBody{}},
		"a number with a fraction":  {`{"errorCode":1.5}`, errorBody{}},
		"a number beyond all sense": {`{"errorCode":99999999999999999999}`, errorBody{}},
		"a very long message":       {`{"message":"` + strings.Repeat("é", 1000) + `"}`, errorBody{message: strings.Repeat("é", maxMessage)}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, parseErrorBody([]byte(tt.body)), cmp.AllowUnexported(errorBody{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := testNow
	tests := map[string]struct {
		header string
		want   time.Duration
	}{
		"seconds":                 {"12", 12 * time.Second},
		"with a fraction":         {"1.5", 1500 * time.Millisecond},
		"the documented hour":     {"3600", time.Hour},
		"longer than is believed": {"86400", time.Hour},
		"far too long":            {"1e300", time.Hour},
		"a date":                  {"Fri, 20 Nov 2026 10:00:30 GMT", 30 * time.Second},
		"a date long past":        {"Fri, 20 Nov 2020 10:00:30 GMT", 0},
		"a date far away":         {"Fri, 20 Nov 2099 10:00:30 GMT", time.Hour},
		"absent":                  {"", 0},
		"nonsense":                {"soon", 0},
		"negative":                {"-5", 0},
		"not a number at all":     {"NaN", 0},
		"zero":                    {"0", 0},
		"with spaces":             {" 3 ", 3 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := parseRetryAfter(tt.header, now); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestProblem(t *testing.T) {
	t.Parallel()
	type status struct {
		status int
		write  bool
		inner  int
	}
	of := func(s status) error {
		e := &Error{Op: "op", Status: s.status, InnerCode: s.inner, Write: s.write, TrackingID: "T", Message: "secret words"}
		e.Kind = kindOf(s.status, 0, s.inner, s.write)
		return fmt.Errorf("read: %w", e)
	}
	own := problem.New(problem.Unavailable, "serviceapp.needsNewTokens")
	tests := map[string]struct {
		err  error
		code problem.Code
		key  string
	}{
		"400 on a write":                 {of(status{400, true, 0}), problem.Conflict, "refused"},
		"400 on a read":                  {of(status{400, false, 0}), problem.BadGateway, "badGateway"},
		"400 for a feature not assigned": {of(status{400, false, 4410}), problem.NotFound, "notFound"},
		"401 twice":                      {of(status{401, false, 0}), problem.BadGateway, "unauthorized"},
		"403":                            {of(status{403, true, 0}), problem.Forbidden, "forbidden"},
		"404":                            {of(status{404, false, 0}), problem.NotFound, "notFound"},
		"405":                            {of(status{405, true, 0}), problem.BadGateway, "badGateway"},
		"409":                            {of(status{409, true, 0}), problem.Conflict, "conflict"},
		"410":                            {of(status{410, false, 0}), problem.NotFound, "notFound"},
		"415":                            {of(status{415, true, 0}), problem.BadGateway, "badGateway"},
		"423":                            {of(status{423, true, 0}), problem.Unavailable, "locked"},
		"429":                            {of(status{429, false, 0}), problem.Unavailable, "throttled"},
		"302":                            {of(status{302, false, 0}), problem.BadGateway, "badGateway"},
		"500":                            {of(status{500, false, 0}), problem.BadGateway, "badGateway"},
		"502":                            {of(status{502, false, 0}), problem.BadGateway, "badGateway"},
		"503":                            {of(status{503, false, 0}), problem.Unavailable, "unavailable"},
		"504":                            {of(status{504, false, 0}), problem.Timeout, "timeout"},
		"511":                            {of(status{511, false, 0}), problem.BadGateway, "badGateway"},
		"an hour of throttling":          {&Error{Kind: KindThrottled, RetryAfter: time.Hour}, problem.Unavailable, "throttledMinutes"},
		"nobody answers":                 {&Error{Kind: KindUnavailable}, problem.Unavailable, "unavailable"},
		"too slow":                       {&Error{Kind: KindTimeout}, problem.Timeout, "timeout"},
		"the caller left":                {&Error{Kind: KindCanceled, Err: context.Canceled}, problem.Timeout, "timeout"},
		"no token":                       {&Error{Kind: KindNoToken}, problem.Unavailable, "noToken"},
	}
	bundle, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	english := bundle.Localizer("en")
	badWords := regexp.MustCompile(`(?i)invalid|failed to|oops|please|successfully|\b[1-5]\d\d\b|secret`)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := Problem(tt.err)
			if p.Code != tt.code || p.Public.Key != "webex.error."+tt.key {
				t.Errorf("%d %s, want %d %s", p.Code, p.Public.Key, tt.code, tt.key)
			}
			if p.Code == problem.Unavailable && p.RetryAfter == 0 {
				t.Error("nobody is told when to try again")
			}
			if !errors.Is(p, tt.err) {
				t.Error("the cause is lost")
			}
			text := english.Say(p.Public)
			if strings.Contains(text, "[[") || badWords.MatchString(text) || strings.Count(text, ".") != 2 {
				t.Errorf("text: %s", text)
			}
		})
	}
	if p := Problem(of(status{404, false, 0})); p.TrackingID != "T" {
		t.Errorf("tracking id %q", p.TrackingID)
	}
	if p := Problem(&Error{Kind: KindNoToken, Err: own}); p != own {
		t.Errorf("a problem below is not kept: %v", p)
	}
	if p := Problem(errors.New("other")); p.Code != problem.Internal {
		t.Errorf("any other error: %v", p)
	}
	if p := Problem(nil); p != nil {
		t.Errorf("no error: %v", p)
	}
	if p := Problem(&Error{Kind: KindThrottled, RetryAfter: 1500 * time.Millisecond}); english.Say(p.Public) != "Webex asks us to slow down. Try again in 2 seconds." {
		t.Error(english.Say(p.Public))
	}
	if p := Problem(&Error{Kind: KindCanceled, Err: context.Canceled}); !errors.Is(p, context.Canceled) {
		t.Error("nobody can see that the caller left")
	}
}

func TestEveryKindHasNameAndText(t *testing.T) {
	t.Parallel()
	if len(kindNames) != int(KindNoToken)+1 || len(problemTexts) != len(kindNames) {
		t.Fatalf("%d names, %d texts", len(kindNames), len(problemTexts))
	}
	for k := range Kind(len(kindNames)) {
		if k.String() == "" || problemTexts[k].key == "" {
			t.Errorf("kind %d", k)
		}
	}
}

func TestOutcomeUnknown(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  Error
		want bool
	}{
		"a read":                            {Error{sent: true, Status: 502}, false},
		"never sent":                        {Error{Write: true, Kind: KindThrottled}, false},
		"no connection":                     {Error{Write: true, Kind: KindUnavailable}, false},
		"no answer in time":                 {Error{Write: true, sent: true, Kind: KindTimeout}, true},
		"the caller left while it was sent": {Error{Write: true, sent: true, Kind: KindCanceled}, true},
		"the connection broke":              {Error{Write: true, sent: true, Kind: KindUnavailable}, true},
		"the answer was cut off":            {Error{Write: true, sent: true, Status: 200}, true},
		"400":                               {Error{Write: true, sent: true, Status: 400}, false},
		"401":                               {Error{Write: true, sent: true, Status: 401}, false},
		"408, which refuses nothing":        {Error{Write: true, sent: true, Status: 408}, true},
		"409":                               {Error{Write: true, sent: true, Status: 409}, false},
		"429":                               {Error{Write: true, sent: true, Status: 429}, false},
		"500":                               {Error{Write: true, sent: true, Status: 500}, true},
		"502":                               {Error{Write: true, sent: true, Status: 502}, true},
		"503":                               {Error{Write: true, sent: true, Status: 503}, true},
		"504":                               {Error{Write: true, sent: true, Status: 504}, true},
		"a redirect, from who knows whom":   {Error{Write: true, sent: true, Status: 302}, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := OutcomeUnknown(fmt.Errorf("write: %w", &tt.err)); got != tt.want {
				t.Errorf("%t", got)
			}
		})
	}
	if OutcomeUnknown(errors.New("other")) || OutcomeUnknown(nil) {
		t.Error("other errors")
	}
}

func TestErrorTextIsForTheLog(t *testing.T) {
	t.Parallel()
	e := &Error{Op: "getPerson", Kind: KindConflict, Status: http.StatusConflict, Code: 25223, InnerCode: 8363, TrackingID: "T_1",
		RetryAfter: time.Second, Message: "+14085550100 belongs to ana@example.com", Err: errors.New("why")}
	want := "webex getPerson: conflict, status 409, code 25223, inner code 8363, retry after 1s, tracking id T_1: why"
	if got := e.Error(); got != want {
		t.Errorf("%s", got)
	}
}

var testNow = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
