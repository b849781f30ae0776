package selfservice

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"patchbay/internal/webex"
)

// Catalogue lists the settings in the order people see them.
func Catalogue() []*Setting {
	return []*Setting{callForwarding(), doNotDisturb(), callWaiting(), intercept(), voicemail()}
}

// find gives the setting of that name, nil when there is none.
func find(catalogue []*Setting, name string) *Setting {
	i := slices.IndexFunc(catalogue, func(s *Setting) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return catalogue[i]
}

// reads makes a Setting's read from a method of the client.
func reads[T any](get func(*webex.Client, context.Context, string) (T, error)) func(context.Context, *webex.Client, string) (Document, error) {
	return func(ctx context.Context, c *webex.Client, personID string) (Document, error) {
		v, err := get(c, ctx, personID)
		if err != nil {
			return nil, err
		}
		return toDocument(v)
	}
}

// writes makes a Setting's write from a method of the client. The typed body is
// the last check that nothing unknown is sent.
func writes[T any](put func(*webex.Client, context.Context, string, T) error) func(context.Context, *webex.Client, string, Document) error {
	return func(ctx context.Context, c *webex.Client, personID string, patch Document) error {
		var body T
		d := json.NewDecoder(bytes.NewReader(patch.JSON()))
		d.DisallowUnknownFields()
		if err := d.Decode(&body); err != nil {
			return fmt.Errorf("make the body of a write: %w", err)
		}
		return put(c, ctx, personID, body)
	}
}
