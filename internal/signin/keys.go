package signin

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

// usableKeys is a client for a key set that leaves out the keys it cannot read. A
// reader of key sets should ignore those (RFC 7517, section 5), but go-jose then
// refuses the whole set, and nobody could sign in because of a key for others.
func usableKeys(client *http.Client) *http.Client {
	c := *client
	c.Transport = keyFilter{client.Transport}
	return &c
}

type keyFilter struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper. What is no key set is passed on as it is.
func (f keyFilter) RoundTrip(r *http.Request) (*http.Response, error) {
	next := f.next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // it was read to its end
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(withoutOddKeys(body)))
	return resp, nil
}

func withoutOddKeys(body []byte) []byte {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(body, &set) != nil || len(set.Keys) == 0 {
		return body
	}
	var good []json.RawMessage
	for _, key := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(key) == nil {
			good = append(good, key)
		}
	}
	filtered, err := json.Marshal(map[string]any{"keys": good})
	if err != nil {
		return body
	}
	return filtered
}
