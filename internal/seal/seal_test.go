package seal_test

import (
	"bytes"
	"errors"
	"testing"

	"patchbay/internal/seal"
)

func TestSealedTextOpensOnlyInItsPlaceAndWithItsKey(t *testing.T) {
	t.Parallel()
	oldKey, newKey := seal.NewKey(), seal.NewKey()
	before, err := seal.New(oldKey)
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := seal.New(newKey, oldKey)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := seal.New(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	sealed := before.Seal("place", []byte("secret"))
	if bytes.Contains(sealed, []byte("secret")) {
		t.Fatal("the text stands in the sealed bytes")
	}
	if got, err := rotated.Open("place", sealed); err != nil || string(got) != "secret" {
		t.Fatalf("after rotation: %q, %v", got, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"another place": func() ([]byte, error) { return before.Open("other", sealed) },
		"another key":   func() ([]byte, error) { return stranger.Open("place", sealed) },
		"cut off":       func() ([]byte, error) { return before.Open("place", sealed[:len(sealed)-1]) },
		"empty":         func() ([]byte, error) { return before.Open("place", nil) },
	} {
		if _, err := open(); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("%s: got %v, want ErrOpen", name, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	s, err := seal.New(seal.NewKey())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Seal("p", []byte("x")))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = s.Open("p", append(b, 0)) // must not panic; a changed text must not open
	})
}
