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

func TestACodeHoldsForItsTextPlaceAndKey(t *testing.T) {
	t.Parallel()
	oldKey, newKey := seal.NewKey(), seal.NewKey()
	sealer := func(keys ...[]byte) *seal.Sealer {
		s, err := seal.New(keys...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before, rotated := sealer(oldKey), sealer(newKey, oldKey)
	mac := before.MAC("place", []byte("one"), []byte("two"))
	if !bytes.Equal(mac, before.MAC("place", []byte("one"), []byte("two"))) {
		t.Error("the code of the same text differs")
	}
	if bytes.Equal(mac, rotated.MAC("place", []byte("one"), []byte("two"))) {
		t.Error("after rotation the code is still made with the previous key")
	}
	changed := bytes.Clone(mac)
	changed[len(changed)-1] ^= 1
	for name, c := range map[string]struct {
		sealer *seal.Sealer
		place  string
		mac    []byte
		data   []string
		want   error
	}{
		"the same":               {before, "place", mac, []string{"one", "two"}, nil},
		"after rotation":         {rotated, "place", mac, []string{"one", "two"}, nil},
		"another place":          {before, "other", mac, []string{"one", "two"}, seal.ErrMAC},
		"another text":           {before, "place", mac, []string{"one", "twO"}, seal.ErrMAC},
		"parts divided anew":     {before, "place", mac, []string{"onet", "wo"}, seal.ErrMAC},
		"a part moved to place":  {before, "placeone", mac, []string{"two"}, seal.ErrMAC},
		"an empty part more":     {before, "place", mac, []string{"one", "two", ""}, seal.ErrMAC},
		"a changed code":         {before, "place", changed, []string{"one", "two"}, seal.ErrMAC},
		"a shorter code":         {before, "place", mac[:20], []string{"one", "two"}, seal.ErrMAC},
		"no code":                {before, "place", nil, []string{"one", "two"}, seal.ErrMAC},
		"a key that is not ours": {sealer(newKey), "place", mac, []string{"one", "two"}, seal.ErrKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var data [][]byte
			for _, d := range c.data {
				data = append(data, []byte(d))
			}
			if err := c.sealer.Check(c.place, c.mac, data...); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
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
