package session

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"patchbay/internal/i18n"
)

// Flash is a message for the next page: how a form without JavaScript learns what
// became of it, after POST and redirect.
type Flash struct {
	Kind     string    // what the page makes of it, "saved" or "error"
	Text     i18n.Text // its arguments are strings, whole numbers and Texts
	RecordID string    // the record of the change in the audit log, for Undo; may be empty
}

// PutFlash keeps f for the next PopFlash of this session, in place of an older one.
// Without a session nothing is kept. It has its own field in Redis, so requests that
// run at the same time lose neither it nor the session.
func (m *Manager) PutFlash(ctx context.Context, f Flash) error {
	token := m.Key(ctx)
	if token == "" {
		return nil
	}
	b, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("write the flash as JSON: %w", err)
	}
	if err := m.store.putFlash(ctx, token, b); err != nil {
		return unavailable("keep the message for the next page", err)
	}
	return nil
}

// PopFlash takes the message out; false when there is none.
func (m *Manager) PopFlash(ctx context.Context) (Flash, bool, error) {
	token := m.Key(ctx)
	if token == "" {
		return Flash{}, false, nil
	}
	b, err := m.store.popFlash(ctx, token)
	if err != nil {
		return Flash{}, false, unavailable("read the message for this page", err)
	}
	if b == nil {
		return Flash{}, false, nil
	}
	var f Flash
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&f); err != nil {
		return Flash{}, false, fmt.Errorf("read the flash as JSON: %w", err)
	}
	f.Text = fromJSON(f.Text)
	return f, true, nil
}

// fromJSON gives arguments the types that i18n wants: JSON turns whole numbers, which
// choose a plural form, and Texts inside Texts into something more general.
func fromJSON(t i18n.Text) i18n.Text {
	for name, value := range t.Args {
		switch v := value.(type) {
		case json.Number:
			if n, err := v.Int64(); err == nil {
				t.Args[name] = int(n)
			}
		case map[string]any:
			nested := i18n.Text{}
			nested.Key, _ = v["Key"].(string)
			nested.Args, _ = v["Args"].(map[string]any)
			t.Args[name] = fromJSON(nested)
		}
	}
	return t
}
