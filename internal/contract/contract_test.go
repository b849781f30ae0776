package contract_test

import (
	"errors"
	"net/http"
	"testing"

	"patchbay/internal/contract"
)

func TestContract(t *testing.T) {
	t.Parallel()
	c, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	if got := len(c.Operations()); got < 400 {
		t.Errorf("%d operations, want the whole contract", got)
	}
	op, err := c.Find("PUT", "/people/abc/features/callForwarding")
	if err != nil || op.ID != "updatePersonCallForwarding" || op.Params["personId"] != "abc" || len(op.Scopes) == 0 {
		t.Fatalf("Find: %+v, %v", op, err)
	}
	if _, err := c.Find("GET", "/nowhere"); !errors.Is(err, contract.ErrUnknownOperation) {
		t.Fatalf("unknown path: %v", err)
	}
	h := http.Header{"Content-Type": {"application/json"}}
	put := func(body string) error {
		return c.CheckRequest("PUT", "/people/abc/features/doNotDisturb", "", h, []byte(body))
	}
	if err := put(`{"enabled":true,"webexGoOverrideEnabled":false}`); err != nil {
		t.Errorf("a right body is refused: %v", err)
	}
	for name, body := range map[string]string{
		"a required field is missing": `{"enabled":true}`,
		"an unknown field":            `{"webexGoOverrideEnabled":false,"x":1}`,
		"a wrong type":                `{"webexGoOverrideEnabled":"no"}`,
		"no JSON":                     `<html>`,
	} {
		if put(body) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if c.CheckRequest("GET", "/people", "mail=x", http.Header{}, nil) == nil {
		t.Error("an unknown query parameter is accepted")
	}
	if err := c.CheckRequest("GET", "/people", "email=x@example.com&callingData=true", http.Header{}, nil); err != nil {
		t.Errorf("a right query is refused: %v", err)
	}
	if err := c.CheckResponse("GET", "/people/abc/features/callWaiting", 200, h, []byte(`{"enabled":true,"new":1}`)); err != nil {
		t.Errorf("a right answer is refused: %v", err)
	}
	if c.CheckResponse("GET", "/people/abc/features/callWaiting", 200, h, []byte(`{"enabled":"x"}`)) == nil {
		t.Error("a wrong answer is accepted")
	}
}
