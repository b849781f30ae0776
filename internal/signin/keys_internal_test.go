package signin

import (
	"strings"
	"testing"
)

func TestKeysThatCannotBeReadAreLeftOut(t *testing.T) {
	t.Parallel()
	const good = `{"kty":"RSA","kid":"good","e":"AQAB","n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri23bOdgWp4Dy1WlUzewbgBHod5pcM9H95GQRV3JDXboIRROSBigeC5yjU1hGzHHyXss8UDprecbAYxknTcQkhslANGRUZmdTOQ5qTRsLAt6BTYuyvVRdhS8exSZEy_c4gs_7svlJJQ4H9_NxsiIoLwAEk7-Q3UXERGYw_75IDrGA84-lA_-Ct4eTlXHBIY2EaV7t7LjJaynVJCpkv4LKjTTAumiGUIuQhrNhZLuF_RJLqHpM2kgWFLU7-VTdL1VbC2tejvcI2BlMkEpk1BzBZI0KQB0GaDWFLN-aEAw3vRw"}`
	tests := map[string]struct{ in, want string }{
		"a curve nobody knows":      {`{"keys":[{"kty":"EC","crv":"secp256k1","kid":"odd","x":"AA","y":"AA"},` + good + `]}`, `{"keys":[` + good + `]}`},
		"an RSA key without number": {`{"keys":[` + good + `,{"kty":"RSA","kid":"odd","e":"AQAB"}]}`, `{"keys":[` + good + `]}`},
		"something that is no key":  {`{"keys":[7,` + good + `]}`, `{"keys":[` + good + `]}`},
		"no key set":                {`<html>`, `<html>`},
	}
	for name, tt := range tests {
		if got := string(withoutOddKeys([]byte(tt.in))); strings.TrimSpace(got) != tt.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
