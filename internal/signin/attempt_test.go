package signin

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"patchbay/internal/i18n"
	"patchbay/internal/seal"
)

// A cookie that somebody else made, or changed, never becomes an attempt.
func FuzzAttemptCookie(f *testing.F) {
	sealer, err := seal.New(seal.NewKey())
	if err != nil {
		f.Fatal(err)
	}
	s := attempts{sealer: sealer}
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	a := newAttempt("/calls", now)
	text, err := json.Marshal(a)
	if err != nil {
		f.Fatal(err)
	}
	sealed := sealer.Seal(s.name(a.State), text)
	f.Add(base64.RawURLEncoding.EncodeToString(sealed), a.State)
	f.Add("", "")
	f.Add("AAAA", "x")
	f.Add(base64.RawURLEncoding.EncodeToString(sealed), "another state")
	f.Fuzz(func(t *testing.T, value, state string) {
		r := httptest.NewRequest(http.MethodGet, "/authorize", nil)
		r.AddCookie(&http.Cookie{Name: s.name(state), Value: value})
		w := httptest.NewRecorder()
		got, failure := s.take(w, r, state, now)
		decoded, _ := base64.RawURLEncoding.DecodeString(value)
		ours := state == a.State && slices.Equal(decoded, sealed)
		if (failure == nil) != ours || ours && got != a {
			t.Fatalf("state %q, cookie %q: %+v, %v", state, value, got, failure)
		}
		s.save(w, r, a, now) // must not panic
	})
}

func TestEveryReasonHasItsText(t *testing.T) {
	t.Parallel()
	texts, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	keys := texts.Keys()
	for reason, m := range meanings {
		if !slices.Contains(keys, m.text) {
			t.Errorf("reason %s: no text %q", reason, m.text)
		}
	}
	for _, key := range []string{"signin.provider.webex", "signin.provider.other"} {
		if !slices.Contains(keys, key) {
			t.Errorf("no text %q", key)
		}
	}
}
