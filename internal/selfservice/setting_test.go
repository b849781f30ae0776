package selfservice

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/contract"
	"patchbay/internal/problem"
)

func document(t testing.TB, text string) Document {
	t.Helper()
	d, err := ParseDocument([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const forwardingNow = `{"callForwarding":{
	"always":{"enabled":false,"ringReminderEnabled":false,"destinationVoicemailEnabled":false},
	"busy":{"enabled":true,"destination":"4085550123","destinationVoicemailEnabled":false},
	"noAnswer":{"enabled":false,"numberOfRings":3,"systemMaxNumberOfRings":15,"destinationVoicemailEnabled":false}},
	"businessContinuity":{"enabled":false,"destinationVoicemailEnabled":false}}`

// change runs a wish through everything up to the body that is sent.
func change(t testing.TB, setting *Setting, now, wish Document, region string) (patch Document, changes []Change, faults []problem.Field) {
	t.Helper()
	accepted, faults := setting.accept(wish, now, region)
	if len(faults) > 0 {
		return nil, nil, faults
	}
	after := now.clone()
	for _, path := range accepted.leaves() {
		v, _ := accepted.Get(path)
		after.Set(path, v)
	}
	changes = setting.diff(now, after, region)
	return setting.patch(changes, after), changes, nil
}

func TestPatchIsTheSmallestThing(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		setting          *Setting
		now, wish, patch string
	}{
		"one switch, with what Webex demands beside it": {
			doNotDisturb(), `{"enabled":false,"ringSplashEnabled":true,"webexGoOverrideEnabled":true}`, `{"enabled":true}`,
			`{"enabled":true,"webexGoOverrideEnabled":true}`,
		},
		"what Webex demands is completed even when it did not say": {
			doNotDisturb(), `{"enabled":false}`, `{"enabled":true}`, `{"enabled":true,"webexGoOverrideEnabled":false}`,
		},
		"nothing changes":                         {doNotDisturb(), `{"enabled":true,"webexGoOverrideEnabled":false}`, `{"enabled":true}`, `{}`},
		"a value that Webex did not name is sent": {callWaiting(), `{}`, `{"enabled":false}`, `{"enabled":false}`},
		"one kind of forwarding leaves the others alone": {
			callForwarding(), forwardingNow, `{"callForwarding":{"noAnswer":{"enabled":true,"destination":"1001"}}}`,
			`{"callForwarding":{"noAnswer":{"enabled":true,"destination":"1001"}}}`,
		},
		"always needs its switch": {
			callForwarding(), forwardingNow, `{"callForwarding":{"always":{"ringReminderEnabled":true}}}`,
			`{"callForwarding":{"always":{"enabled":false,"ringReminderEnabled":true}}}`,
		},
		"another spelling of the same number is no change": {
			callForwarding(), forwardingNow, `{"callForwarding":{"busy":{"destination":"+1 (408) 555-0123"}}}`, `{}`,
		},
		"a destination is cleared by an empty text": {
			callForwarding(), forwardingNow, `{"callForwarding":{"busy":{"enabled":false,"destination":null}}}`,
			`{"callForwarding":{"busy":{"enabled":false,"destination":""}}}`,
		},
		"clearing what is not set is no change": {
			callForwarding(), forwardingNow, `{"businessContinuity":{"destination":""}}`, `{}`,
		},
	}
	c, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			patch, changes, faults := change(t, tt.setting, document(t, tt.now), document(t, tt.wish), "US")
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			if len(changes) == 0 {
				patch = Document{} // and nothing is sent
			}
			if diff := cmp.Diff(document(t, tt.patch), patch); diff != "" {
				t.Error(diff)
			}
			if len(patch) == 0 {
				return
			}
			header := map[string][]string{"Content-Type": {"application/json"}}
			if err := c.CheckRequest("PUT", "/people/x/features/"+tt.setting.Name, "", header, patch.JSON()); err != nil {
				t.Error("Webex would refuse it:", err)
			}
		})
	}
}

func TestAcceptNamesEveryFault(t *testing.T) {
	t.Parallel()
	wish := `{"callForwarding":{"always":{"enabled":"yes","destination":"+49 12"},"busy":7,"noAnswer":{"numberOfRings":21,"systemMaxNumberOfRings":9}},"x":1,
		"businessContinuity":{"destination":"110"}}`
	_, faults := callForwarding().accept(document(t, wish), document(t, forwardingNow), "DE")
	got := map[string]string{}
	for _, f := range faults {
		got[f.Name] = f.Detail.Key
	}
	want := map[string]string{
		"callForwarding.always.enabled": "check.bool", "callForwarding.always.destination": "check.number.short", "callForwarding.busy": "check.object",
		"callForwarding.noAnswer.numberOfRings": "check.integer", "callForwarding.noAnswer.systemMaxNumberOfRings": "check.readOnly",
		"x": "check.unknown", "businessContinuity.destination": "check.number.emergency",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestChecksLookOnlyAtWhatIsTouched(t *testing.T) {
	t.Parallel()
	after := document(t, `{"callForwarding":{"always":{"enabled":true},"busy":{"enabled":true,"destination":"1000"},"noAnswer":{"numberOfRings":16,"systemMaxNumberOfRings":15}}}`)
	run := func(touched ...string) []string {
		var names []string
		for _, f := range checkCallForwarding(CheckInput{
			After: after, IsOwn: func(n string) bool { return n == "1000" }, Touched: func(o string) bool { return slices.Contains(touched, o) },
		}) {
			names = append(names, f.Name+" "+f.Detail.Key)
		}
		return names
	}
	if got := run("businessContinuity"); got != nil {
		t.Errorf("what others left behind is held against the person: %v", got)
	}
	want := []string{"callForwarding.always.destination check.destination.missing", "callForwarding.busy.destination check.destination.own", "callForwarding.noAnswer.numberOfRings check.rings"}
	if diff := cmp.Diff(want, run("callForwarding.always", "callForwarding.busy", "callForwarding.noAnswer")); diff != "" {
		t.Error(diff)
	}
}

func TestETagNamesTheState(t *testing.T) {
	t.Parallel()
	s, now := callForwarding(), document(t, forwardingNow)
	tag := s.etag(now, "US")
	same := document(t, strings.Replace(forwardingNow, `"4085550123"`, `"+14085550123"`, 1))
	same.Set("callForwarding.always.destination", "")
	same.Set("callForwarding.noAnswer.systemMaxNumberOfRings", json.Number("20"))
	if s.etag(same, "US") != tag {
		t.Error("the same state has two tags")
	}
	other := now.clone()
	other.Set("callForwarding.busy.enabled", false)
	if s.etag(other, "US") == tag {
		t.Error("two states have one tag")
	}
	fields := []string{"callForwarding.always.enabled"}
	if s.etag(other, "US", fields...) != s.etag(now, "US", fields...) {
		t.Error("the tag of some fields depends on others")
	}
	for _, header := range []string{tag, "*", `"x", ` + tag} {
		if !matches(header, tag) {
			t.Errorf("If-Match %s does not match %s", header, tag)
		}
	}
	for _, header := range []string{"W/" + tag, `"x"`, strings.Trim(tag, `"`)} {
		if matches(header, tag) {
			t.Errorf("If-Match %s matches %s", header, tag)
		}
	}
}

// TestCatalogueFollowsTheContract: the fields of each setting are those that the
// contract's PUT accepts, no more and no fewer.
func TestCatalogueFollowsTheContract(t *testing.T) {
	t.Parallel()
	c, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	header := map[string][]string{"Content-Type": {"application/json"}}
	for _, s := range Catalogue() {
		if !s.Writable() {
			continue
		}
		full := Document{}
		for _, f := range s.Fields {
			if f.ReadOnly {
				continue
			}
			full.Set(f.Path, map[Kind]any{Bool: true, Integer: json.Number("2"), Destination: "1000", Text: "x"}[f.Kind])
			if f.Kind == Choice {
				full.Set(f.Path, f.Choices[0])
			}
		}
		if err := c.CheckRequest("PUT", "/people/x/features/"+s.Name, "", header, full.JSON()); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		for _, f := range s.Fields {
			if !f.ReadOnly {
				continue
			}
			wrong := full.clone()
			wrong.Set(f.Path, "x")
			if c.CheckRequest("PUT", "/people/x/features/"+s.Name, "", header, wrong.JSON()) == nil {
				t.Errorf("%s: %s is called read-only, but Webex accepts it", s.Name, f.Path)
			}
		}
	}
}

func TestANameWithADotIsNoPath(t *testing.T) {
	t.Parallel()
	_, faults := callForwarding().accept(document(t, `{"callForwarding.busy.destination":"+49307777777"}`), document(t, forwardingNow), "DE")
	if len(faults) != 1 || faults[0].Detail.Key != "check.unknown" {
		t.Errorf("got %v, want the name refused: it would clear the destination", faults)
	}
}

func TestNumbersOfFormsBecomeJSON(t *testing.T) {
	t.Parallel()
	f := Field{Kind: Integer, Min: 2, Max: 20}
	for _, typed := range []string{"007", "+7"} {
		if v, fault := f.accept(json.Number(typed), nil, ""); fault != nil || v != json.Number("7") {
			t.Errorf("%q became %v, %v", typed, v, fault)
		}
	}
}

func TestWhatIsWrongIsToldInBounds(t *testing.T) {
	t.Parallel()
	many := `{`
	for i := range 500 {
		many += `"x` + strings.Repeat("y", i%50) + string(rune('a'+i%26)) + strings.Repeat("z", i/26) + `":1,`
	}
	_, faults := callForwarding().accept(document(t, strings.TrimSuffix(many, ",")+`}`), document(t, forwardingNow), "DE")
	if len(faults) != maxFaults {
		t.Errorf("%d faults are told, want %d", len(faults), maxFaults)
	}
	for name, text := range map[string]string{
		"deep": strings.Repeat(`{"a":`, 20) + `1` + strings.Repeat(`}`, 20), "long": `{"` + strings.Repeat("a", 1000) + `":1}`,
	} {
		if _, err := ParseDocument([]byte(text)); err == nil {
			t.Errorf("a %s document is read", name)
		}
	}
	long := strings.Repeat("1", 5000)
	if _, fault := (Field{Kind: Destination}).accept(long, nil, "DE"); fault == nil || len(fault.Args["Number"].(string)) > 100 {
		t.Error("a number of 5,000 digits is told in full")
	}
}

func TestParseDocument(t *testing.T) {
	t.Parallel()
	for _, text := range []string{``, `null`, `[]`, `1`, `"x"`, `{} {}`, `{}x`, `{"a":}`, `{`, `{"a":1,"a":2}`, `{"b":{"a":1,"a":2}}`, `{"b":[{"a":1,"a":2}]}`} {
		if d, err := ParseDocument([]byte(text)); err == nil {
			t.Errorf("%q was read as %v", text, d)
		}
	}
	if _, err := ParseDocument([]byte(`{"a":{"a":1,"b":[1,{"a":2}]},"b":{"a":3}}`)); err != nil {
		t.Errorf("one name in several objects: %v", err)
	}
}

// FuzzWish: whatever somebody sends, nothing panics, and what passes is what
// Webex accepts.
func FuzzWish(f *testing.F) {
	c, err := contract.Load()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(forwardingNow)
	f.Add(`{"callForwarding":{"always":{"enabled":true,"destination":"030 23125 100"}}}`)
	f.Add(`{"callForwarding":{"noAnswer":{"numberOfRings":2e0}}}`)
	f.Add(`{"callForwarding":{"":{}}}`)
	f.Add(`{"callForwarding.busy.destination":"+49307777777"}`)
	header := map[string][]string{"Content-Type": {"application/json"}}
	setting, now := callForwarding(), document(f, forwardingNow)
	f.Fuzz(func(t *testing.T, text string) {
		wish, err := ParseDocument([]byte(text))
		if err != nil {
			return
		}
		patch, changes, faults := change(t, setting, now, wish, "DE")
		if len(faults) > 0 || len(changes) == 0 {
			return
		}
		if err := c.CheckRequest("PUT", "/people/x/features/callForwarding", "", header, patch.JSON()); err != nil {
			t.Errorf("%s becomes %s: %v", text, patch.JSON(), err)
		}
	})
}

// A reading that other cards or replicas take from the cache says the same as the
// one that was read.
func TestADocumentComesBackFromTheCacheAsItWas(t *testing.T) {
	t.Parallel()
	doc, err := ParseDocument([]byte(`{"noAnswer":{"numberOfRings":3,"destination":"+4930","enabled":true}}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(struct{ Value Document }{doc})
	if err != nil {
		t.Fatal(err)
	}
	var kept struct{ Value Document }
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(doc, kept.Value); diff != "" {
		t.Errorf("(-read +kept)\n%s", diff)
	}
	if got := kept.Value.Int("noAnswer.numberOfRings"); got != 3 {
		t.Errorf("3 rings became %d", got)
	}
}
