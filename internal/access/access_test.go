package access_test

import (
	"testing"

	"patchbay/internal/access"
)

func TestMay(t *testing.T) {
	t.Parallel()
	nobody, user, admin := access.Caller{}, access.NewCaller("1", "Greta"), access.NewCaller("2", "Ines").With(access.Holding{Role: access.Administrator, Scope: access.Scope{Organization: true}})
	tests := map[access.Permission][3]bool{ // nobody, user, administrator
		access.Anyone:                {true, true, true},
		access.SignedIn:              {false, true, true},
		access.ReadOwn:               {false, true, true},
		access.ChangeOwn:             {false, true, true},
		access.Operate:               {false, false, true},
		"":                           {false, false, false},
		access.Permission("unknown"): {false, false, false},
	}
	for p, want := range tests {
		if got := [3]bool{nobody.May(p), user.May(p), admin.May(p)}; got != want {
			t.Errorf("%q: %v, want %v", p, got, want)
		}
	}
}
