package selfservice

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"patchbay/internal/audit"
	"patchbay/internal/dialing"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/webex"
)

// Setting is one entry of the catalogue: a person's setting as Webex has it.
// The engine does the rest; a new setting is one file with one of these.
type Setting struct {
	// Name is Webex's path after {personId}/ without a leading features/, its
	// slashes as dots.
	Name string
	// Group is the page that shows it: "calls", "voicemail".
	Group string
	// FeatureKey is the setting's name in Webex's feature-access policy, by which
	// an organization takes it away from its people; "" where Webex has none.
	FeatureKey string
	// Services are the names that Webex's list of a person's services may give it.
	Services []string
	// Fields are all values of the setting.
	Fields []Field
	// Check finds what is wrong with the state that would be.
	Check func(CheckInput) []problem.Field

	read  func(ctx context.Context, c *webex.Client, personID string) (Document, error)
	write func(ctx context.Context, c *webex.Client, personID string, patch Document) error // nil: the portal only reads it

	// The rest is for settings whose fields depend on the person, as the queues
	// somebody is an agent of. All may be nil.
	variant  string                                                                        // tells settings of one name apart
	members  func(present Document) []Field                                                // the fields there are
	resolve  func(wish, present Document) Document                                         // spells the ids in a wish as present does
	allow    func(ctx context.Context, by actor, present Document, changes []Change) error // whether these changes are allowed
	annotate func(record, present Document)                                                // adds names to a record, for readers
	object   audit.Object                                                                  // what is written when it is no setting of the person
}

// Writable reports whether the portal can change the setting at all.
func (s *Setting) Writable() bool { return s.write != nil }

// Title names the setting for people.
func (s *Setting) Title() i18n.Text { return i18n.NewText("setting." + s.Name) }

// Field is one value of a setting.
type Field struct {
	Path string
	Kind Kind
	// Min and Max limit an Integer.
	Min, Max int
	// Choices are the values of a Choice.
	Choices []string
	// ReadOnly values are read but must not be sent back (x-webex-do-not-send).
	ReadOnly bool
	// Required values are demanded by Webex in every write of the object they
	// stand in; the engine completes them from what it has just read.
	Required bool
	// Of is what the value is about, for people, where one setting has such a value
	// for each of several things.
	Of string
}

// Title names the value for people.
func (f Field) Title(setting string) i18n.Text {
	if f.Of != "" {
		return i18n.NewText("setting."+setting+".of", "Of", f.Of)
	}
	return i18n.NewText("setting." + setting + "." + f.Path)
}

// Kind is the type of a Field.
type Kind int

// The kinds.
const (
	Bool Kind = iota
	Integer
	Choice
	Destination // a number to send calls to: outside number, extension or feature code
	Text
)

// CheckInput is what a Check may look at.
type CheckInput struct {
	After   Document
	Touched func(object string) bool // whether a value below this path is about to change
	IsOwn   func(number string) bool // whether a number is the person's own
}

// fields are the values of the setting; what a person has may depend on the person.
func (s *Setting) fields(present Document) []Field {
	if s.members != nil {
		return s.members(present)
	}
	return s.Fields
}

// FieldsOf lists the values of the setting that this document may hold.
func (s *Setting) FieldsOf(doc Document) []Field { return s.fields(doc) }

// field finds a field by its path.
func field(fields []Field, path string) (Field, bool) {
	i := slices.IndexFunc(fields, func(f Field) bool { return f.Path == path })
	if i < 0 {
		return Field{}, false
	}
	return fields[i], true
}

// accept checks a wish value by value: unknown and read-only fields, types,
// ranges. It returns the wish with numbers written as Webex wants them.
func (s *Setting) accept(wish, present Document, region string) (Document, []problem.Field) {
	var faults []problem.Field
	accepted := Document{}
	fields := s.fields(present)
	for _, path := range wish.leaves() {
		v, nested := wish.Get(path) // a name with a dot in it is no path
		f, ok := field(fields, path)
		ok = ok && nested
		switch {
		case !ok && isObject(fields, path):
			if m, empty := v.(map[string]any); !empty || len(m) > 0 {
				faults = append(faults, fault(path, "check.object"))
			}
		case !ok:
			faults = append(faults, fault(path, "check.unknown"))
		case f.ReadOnly:
			faults = append(faults, fault(path, "check.readOnly"))
		default:
			now, _ := present.Get(path)
			value, err := f.accept(v, now, region)
			if err != nil {
				faults = append(faults, problem.Field{Name: path, Detail: *err})
				continue
			}
			accepted.Set(path, value)
		}
	}
	return accepted, faults[:min(len(faults), maxFaults)]
}

// maxFaults is how many faults are told at once.
const maxFaults = 20

// isObject reports whether path is on the way to fields.
func isObject(fields []Field, path string) bool {
	return slices.ContainsFunc(fields, func(f Field) bool { return strings.HasPrefix(f.Path, path+".") })
}

func fault(path, key string, args ...any) problem.Field {
	return problem.Field{Name: path, Detail: i18n.NewText(key, args...)}
}

// accept checks one value; present is what Webex has now.
func (f Field) accept(v, present any, region string) (any, *i18n.Text) {
	wrong := func(key string, args ...any) (any, *i18n.Text) {
		t := i18n.NewText(key, args...)
		return nil, &t
	}
	switch f.Kind {
	case Bool:
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return wrong("check.bool")
	case Integer:
		n, ok := v.(json.Number)
		if !ok {
			return wrong("check.integer", "Min", f.Min, "Max", f.Max)
		}
		i, err := n.Int64()
		if err != nil || i < int64(f.Min) || i > int64(f.Max) {
			return wrong("check.integer", "Min", f.Min, "Max", f.Max)
		}
		return json.Number(strconv.FormatInt(i, 10)), nil // a form may say "007"
	case Choice:
		if s, ok := v.(string); ok && slices.Contains(f.Choices, s) {
			return s, nil
		}
		return wrong("check.choice", "Choices", strings.Join(f.Choices, ", "))
	case Destination:
		return f.acceptDestination(v, present, region)
	case Text:
		if s, ok := v.(string); ok {
			return s, nil
		}
	}
	return wrong("check.text")
}

// maxNumber is how long a number may be as it is typed, in bytes.
const maxNumber = 64

func (f Field) acceptDestination(v, present any, region string) (any, *i18n.Text) {
	if isUnset(v) {
		return "", nil
	}
	raw, ok := v.(string)
	if !ok {
		t := i18n.NewText("check.text")
		return nil, &t
	}
	if raw == present {
		return raw, nil // Webex holds it already, whatever it is
	}
	if len(raw) > maxNumber {
		t := i18n.NewText("check.number.long", "Number", raw[:maxNumber]+"…")
		return nil, &t
	}
	n, err := dialing.Parse(raw, region)
	if err == nil {
		return n.Value, nil
	}
	key := "check.number.none"
	switch {
	case errors.Is(err, dialing.ErrEmpty):
		return "", nil
	case errors.Is(err, dialing.ErrTooShort):
		key = "check.number.short"
	case errors.Is(err, dialing.ErrTooLong):
		key = "check.number.long"
	case errors.Is(err, dialing.ErrEmergency):
		key = "check.number.emergency"
	}
	t := i18n.NewText(key, "Number", raw)
	return nil, &t
}

// canonical makes equal states equal.
func (f Field) canonical(v any, region string) any {
	if s, ok := v.(string); ok && f.Kind == Destination {
		return dialing.Canonical(s, region)
	}
	return v
}

// same reports whether two values mean the same state. A yes or no that Webex
// left out is not known, so it differs from both.
func (f Field) same(a, b any, region string) bool {
	if f.Kind == Destination && isUnset(a) && isUnset(b) {
		return true
	}
	return f.canonical(a, region) == f.canonical(b, region)
}

// diff lists what differs, in the order of the catalogue.
func (s *Setting) diff(before, after Document, region string) []Change {
	var changes []Change
	for _, f := range s.fields(before) {
		if f.ReadOnly {
			continue
		}
		a, _ := before.Get(f.Path)
		b, _ := after.Get(f.Path)
		if !f.same(a, b, region) {
			changes = append(changes, Change{Field: f, Before: a, After: b})
		}
	}
	return changes
}

// patch is the smallest thing that Webex accepts for these changes: the values
// that change, and those it demands beside them.
func (s *Setting) patch(changes []Change, after Document) Document {
	p := Document{}
	for _, c := range changes {
		p.Set(c.Path, c.After)
	}
	for _, f := range s.fields(after) {
		if !f.Required {
			continue
		}
		parent := ""
		if i := strings.LastIndexByte(f.Path, '.'); i >= 0 {
			parent = f.Path[:i]
		}
		_, touched := p.Get(parent)
		if _, have := p.Get(f.Path); (parent == "" || touched) && !have {
			v, ok := after.Get(f.Path)
			if !ok {
				v = false // every required value of the catalogue is a yes or no
			}
			p.Set(f.Path, v)
		}
	}
	return p
}
