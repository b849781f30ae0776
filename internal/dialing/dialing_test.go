package dialing_test

import (
	"errors"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/dialing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		raw, region string
		want        dialing.Number
		err         error
	}{
		"national with leading zero":        {"030 23125 100", "DE", dialing.Number{Kind: dialing.Outside, Value: "+493023125100", Region: "DE"}, nil},
		"international with plus":           {"+49 30 23125-100", "US", dialing.Number{Kind: dialing.Outside, Value: "+493023125100", Region: "DE"}, nil},
		"international with 00":             {"0049.30.23125100", "DE", dialing.Number{Kind: dialing.Outside, Value: "+493023125100", Region: "DE"}, nil},
		"trunk zero in brackets":            {"+49 (0)30 23125 100", "GB", dialing.Number{Kind: dialing.Outside, Value: "+493023125100", Region: "DE"}, nil},
		"American with brackets":            {"(408) 555-0123", "US", dialing.Number{Kind: dialing.Outside, Value: "+14085550123", Region: "US"}, nil},
		"American, ten digits":              {"4085550123", "US", dialing.Number{Kind: dialing.Outside, Value: "+14085550123", Region: "US"}, nil},
		"American, eleven digits":           {"1 408 555 0123", "US", dialing.Number{Kind: dialing.Outside, Value: "+14085550123", Region: "US"}, nil},
		"British":                           {"020 7946 0018", "GB", dialing.Number{Kind: dialing.Outside, Value: "+442079460018", Region: "GB"}, nil},
		"no-break spaces from a signature":  {"+49\u00a030\u202f23125\u2011100", "DE", dialing.Number{Kind: dialing.Outside, Value: "+493023125100", Region: "DE"}, nil},
		"an extension":                      {"1000", "DE", dialing.Number{Kind: dialing.Extension, Value: "1000"}, nil},
		"an extension with a space":         {"10 01", "US", dialing.Number{Kind: dialing.Extension, Value: "1001"}, nil},
		"a routing prefix and an extension": {"80051000", "US", dialing.Number{Kind: dialing.Extension, Value: "80051000"}, nil},
		"a feature code":                    {"*73", "US", dialing.Number{Kind: dialing.FeatureCode, Value: "*73"}, nil},
		"empty":                             {"  ", "DE", dialing.Number{}, dialing.ErrEmpty},
		"a word":                            {"mother", "DE", dialing.Number{}, dialing.ErrNoNumber},
		"plus in the middle":                {"49+30", "DE", dialing.Number{}, dialing.ErrNoNumber},
		"too short":                         {"+49 12", "DE", dialing.Number{}, dialing.ErrTooShort},
		"one digit":                         {"5", "DE", dialing.Number{}, dialing.ErrTooShort},
		"too long":                          {"+1408555012345678", "US", dialing.Number{}, dialing.ErrTooLong},
		"emergency in Germany":              {"112", "DE", dialing.Number{}, dialing.ErrEmergency},
		"emergency in the United States":    {"911", "US", dialing.Number{}, dialing.ErrEmergency},
		"a code with no star":               {"1*2", "DE", dialing.Number{}, dialing.ErrNoNumber},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := dialing.Parse(tt.raw, tt.region)
			if !errors.Is(err, tt.err) || (err != nil) != (tt.err != nil) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCanonicalMakesSpellingsEqual(t *testing.T) {
	t.Parallel()
	if a, b := dialing.Canonical("4085550123", "US"), dialing.Canonical("+1 408 555 0123", "US"); a != b {
		t.Errorf("%q != %q", a, b)
	}
	if got := dialing.Canonical("sip:x@example.com", "US"); got != "sip:x@example.com" {
		t.Errorf("what is no number changed to %q", got)
	}
}

func TestDisplay(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{"+4930231251000": "+49 30 231251000", "1000": "1000", "*73": "*73", "x": "x"} {
		if got := dialing.Display(value, "DE"); got != want {
			t.Errorf("Display(%q) = %q, want %q", value, got, want)
		}
	}
}

// FuzzParse: whatever people type, Webex gets only what it can read: + and at
// most 15 digits, a short run of digits, or a feature code.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"030 23125 100", "+49 (0)30 23125 100", "1000", "*73", "(408) 555-0123"} {
		f.Add(s, "DE")
	}
	shape := regexp.MustCompile(`^(\+[0-9]{3,17}|[0-9]{2,10}|[*#][0-9*#]+)$`)
	f.Fuzz(func(t *testing.T, raw, region string) {
		if n, err := dialing.Parse(raw, region); err == nil && !shape.MatchString(n.Value) {
			t.Errorf("%q was read as %+v", raw, n)
		}
	})
}
