package selfservice

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Document is a setting in Webex's own JSON. Paths into it have dots:
// "callForwarding.noAnswer.numberOfRings".
type Document map[string]any

// toDocument turns a typed answer of the client into a Document; fields that
// Webex left out stay out.
func toDocument(v any) (Document, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a setting: %w", err)
	}
	return ParseDocument(text)
}

// ParseDocument reads one JSON object and nothing after it.
func ParseDocument(text []byte) (Document, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var doc Document
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("read a JSON object: %w", err)
	}
	if doc == nil {
		return nil, errors.New("read a JSON object: it is null")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("read a JSON object: something follows it")
	}
	if !modest(doc, maxDepth) {
		return nil, errors.New("read a JSON object: it is deeper, or its names are longer, than any setting's")
	}
	if name := saidTwice(json.NewDecoder(bytes.NewReader(text))); name != "" {
		return nil, fmt.Errorf("read a JSON object: %q is said twice", name)
	}
	return doc, nil
}

// saidTwice finds a name that stands twice in one object; the text is known to be
// JSON. Of two values one would be dropped without a word.
func saidTwice(d *json.Decoder) string {
	open, err := d.Token()
	if err != nil {
		return ""
	}
	switch open {
	case json.Delim('{'):
		seen := map[string]bool{}
		for d.More() {
			token, _ := d.Token()
			name, _ := token.(string)
			if seen[name] {
				return name
			}
			seen[name] = true
			if inside := saidTwice(d); inside != "" {
				return inside
			}
		}
	case json.Delim('['):
		for d.More() {
			if inside := saidTwice(d); inside != "" {
				return inside
			}
		}
	default:
		return ""
	}
	_, _ = d.Token() // the end of it
	return ""
}

// UnmarshalJSON keeps numbers as they are written. A reading that comes out of
// the shared cache must be equal to the one that went in.
func (d *Document) UnmarshalJSON(text []byte) error {
	numbers := json.NewDecoder(bytes.NewReader(text))
	numbers.UseNumber()
	return numbers.Decode((*map[string]any)(d))
}

// Webex's settings are four objects deep; a queue's id is a name of some 200 bytes.
const (
	maxDepth = 8
	maxName  = 400
)

// modest reports whether a document keeps the bounds, so that naming what is wrong
// with it cannot cost much more than reading it.
func modest(m map[string]any, depth int) bool {
	for k, v := range m {
		sub, nested := v.(map[string]any)
		if len(k) > maxName || nested && (depth == 0 || !modest(sub, depth-1)) {
			return false
		}
	}
	return true
}

// Get finds the value at path.
func (d Document) Get(path string) (any, bool) {
	var v any = map[string]any(d)
	for part := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[part]; !ok {
			return nil, false
		}
	}
	return v, true
}

// Text gives the text at path; "" when there is none.
func (d Document) Text(path string) string {
	v, _ := d.Get(path)
	s, _ := v.(string)
	return s
}

// Bool gives the yes or no at path; absent means no.
func (d Document) Bool(path string) bool {
	v, _ := d.Get(path)
	b, _ := v.(bool)
	return b
}

// Int gives the whole number at path; 0 when there is none.
func (d Document) Int(path string) int {
	v, _ := d.Get(path)
	n, ok := v.(json.Number)
	if !ok {
		return 0
	}
	i, err := n.Int64()
	if err != nil {
		return 0
	}
	return int(i)
}

// Set puts a value at path, making the objects on the way.
func (d Document) Set(path string, value any) {
	m := map[string]any(d)
	parts := strings.Split(path, ".")
	for _, part := range parts[:len(parts)-1] {
		next, ok := m[part].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[part] = next
		}
		m = next
	}
	m[parts[len(parts)-1]] = value
}

// withoutUnset is the document without the destinations that were taken away:
// Webex answers none for them (NOTES.md, section 6).
func (d Document) withoutUnset(changes []Change) Document {
	c := d.clone()
	for _, change := range changes {
		if change.Kind != Destination || !isUnset(change.After) {
			continue
		}
		object := map[string]any(c)
		parts := strings.Split(change.Path, ".")
		for _, part := range parts[:len(parts)-1] {
			object, _ = object[part].(map[string]any)
		}
		delete(object, parts[len(parts)-1])
	}
	return c
}

// clone copies the objects; values inside are never changed in place.
func (d Document) clone() Document {
	return Document(cloneMap(d))
}

func cloneMap(m map[string]any) map[string]any {
	c := make(map[string]any, len(m))
	for k, v := range m {
		if sub, ok := v.(map[string]any); ok {
			v = cloneMap(sub)
		}
		c[k] = v
	}
	return c
}

// leaves lists every path that holds a value, sorted.
func (d Document) leaves() []string {
	var paths []string
	var walk func(prefix string, m map[string]any)
	walk = func(prefix string, m map[string]any) {
		for k, v := range m {
			if sub, ok := v.(map[string]any); ok && len(sub) > 0 {
				walk(prefix+k+".", sub)
				continue
			}
			paths = append(paths, prefix+k)
		}
	}
	walk("", d)
	slices.Sort(paths)
	return paths
}

// JSON encodes the document; keys come sorted, so equal documents give equal text.
func (d Document) JSON() []byte {
	text, err := json.Marshal(d)
	if err != nil {
		panic(fmt.Sprintf("a document cannot be encoded: %v", err)) // made of JSON values only
	}
	return text
}

// Change is one value that differs.
type Change struct {
	Field
	Before, After any
}

// etag names a state of a setting, or of the given fields of it: equal states have
// equal tags whatever spelling of a number Webex uses today. Webex has no ETags of
// its own (LIMITS.md, section 4 of the facts this portal was built from).
func (s *Setting) etag(doc Document, region string, only ...string) string {
	flat := map[string]any{}
	for _, f := range s.fields(doc) {
		if v, ok := doc.Get(f.Path); ok && !f.ReadOnly && !isUnset(v) && (len(only) == 0 || slices.Contains(only, f.Path)) {
			flat[f.Path] = f.canonical(v, region)
		}
	}
	if !s.Writable() { // nothing is known of its fields
		for _, path := range doc.leaves() {
			flat[path], _ = doc.Get(path)
		}
	}
	h := sha256.New()
	for _, k := range slices.Sorted(maps.Keys(flat)) {
		_, _ = fmt.Fprintf(h, "%q=%q\n", k, fmt.Sprint(flat[k])) // a hash never fails
	}
	return `"` + hex.EncodeToString(h.Sum(nil)[:12]) + `"`
}

// isUnset: absent, null and "" mean the same to Webex (NOTES.md, section 6).
func isUnset(v any) bool { return v == nil || v == "" }
