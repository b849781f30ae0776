package webex

import (
	"encoding/base64"
	"testing"
)

func id(uri string) string { return base64.RawURLEncoding.EncodeToString([]byte(uri)) }

const someUUID = "f5b36187-c8dd-4727-8b2f-f9c447f29046"

func TestUUID(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ id, want string }{
		"a person":                          {personID, someUUID},
		"with padding":                      {base64.URLEncoding.EncodeToString([]byte("ciscospark://us/PEOPLE/" + someUUID)), someUUID},
		"in the standard alphabet":          {base64.StdEncoding.EncodeToString([]byte("ciscospark://us/PEOPLE/???>>>" + someUUID[:1])), "???>>>f"},
		"in the url-safe alphabet":          {base64.RawURLEncoding.EncodeToString([]byte("ciscospark://us/PEOPLE/???>>>" + someUUID[:1])), "???>>>f"},
		"an odd cluster":                    {id("ciscospark://urn:TEAM:us-east-1_int13/PEOPLE/" + someUUID), someUUID},
		"bare":                              {someUUID, someUUID},
		"bare in capitals":                  {"F5B36187-C8DD-4727-8B2F-F9C447F29046", someUUID},
		"a device, in capitals":             {id("ciscospark://urn:TEAM:us-east-1_int13/DEVICE/F5B36187-C8DD-4727-8B2F-F9C447F29046"), someUUID},
		"a queue with another id inside":    {queueID, "hvae3v0o2o@64941297.int10.bcld.webex.com"},
		"a location with a short number":    {siteID, "63715"},
		"a group of two ids":                {id("ciscospark://us/SCIM_GROUP/" + someUUID + ":" + someUUID), someUUID + ":" + someUUID},
		"a short number that is base64 too": {id("ciscospark://us/LOCATION/12345678"), "12345678"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := UUID(tt.id)
			if err != nil || got != tt.want {
				t.Fatalf("UUID = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
	for name, bad := range map[string]string{
		"empty": "", "a word": "hello", "base64 of something else": "aGVsbG8", "no last part": id("ciscospark://us/PEOPLE/"), "not base64": "%%%",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := UUID(bad); err == nil {
				t.Errorf("UUID = %q", got)
			}
		})
	}
}

func TestSameID(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		a, b string
		want bool
	}{
		"written alike":                    {personID, personID, true},
		"padding":                          {"QUJD=", "QUJD", true},
		"bare and encoded":                 {someUUID, personID, true},
		"another cluster":                  {id("ciscospark://us/PEOPLE/" + someUUID), id("ciscospark://eu/PEOPLE/" + someUUID), true},
		"somebody else":                    {id("ciscospark://us/PEOPLE/" + someUUID), id("ciscospark://us/PEOPLE/a" + someUUID[1:]), false},
		"two that cannot be decoded":       {"x", "y", false},
		"capitals count outside of a UUID": {id("ciscospark://us/CALL_QUEUE/abc"), id("ciscospark://us/CALL_QUEUE/ABC"), false},
		"nothing and nothing":              {"", "", false},
		"nothing and somebody":             {"", personID, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := SameID(tt.a, tt.b); got != tt.want {
				t.Errorf("SameID = %t", got)
			}
			if got := SameID(tt.b, tt.a); got != tt.want {
				t.Errorf("the other way round: %t", got)
			}
		})
	}
}
