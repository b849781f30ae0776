// Package dialing understands phone numbers as people type them and writes them
// as Webex wants them: E.164 for numbers of the public network, digits alone for
// extensions, and feature codes unchanged (NOTES.md, section 5 of the facts this
// portal was built from).
package dialing

import (
	"errors"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// What can be wrong with a number.
var (
	ErrEmpty     = errors.New("no number")
	ErrNoNumber  = errors.New("not a phone number")
	ErrTooShort  = errors.New("too short for a phone number")
	ErrTooLong   = errors.New("too long for a phone number")
	ErrEmergency = errors.New("an emergency number")
)

// Kind says what a number is.
type Kind int

// The kinds.
const (
	Extension   Kind = iota // inside the organization, perhaps with a routing prefix
	Outside                 // public network, E.164
	FeatureCode             // starts with * or #
)

// The lengths of extensions and of a routing prefix with an extension in Webex
// Calling. Up to maxShortExtension digits without a leading + or 0 are always
// taken for an extension.
const (
	minExtension      = 2
	maxShortExtension = 6
	maxExtension      = 10
)

// Number is a number understood.
type Number struct {
	Kind   Kind
	Value  string // as Webex wants it
	Region string // ISO 3166 country of an outside number; "" when it has none
}

// Parse understands raw, typed in the country region ("DE"). Spaces, dashes,
// dots, slashes and brackets do not matter; "00" is read as "+".
func Parse(raw, region string) (Number, error) {
	s, err := clean(raw)
	if err != nil {
		return Number{}, err
	}
	switch {
	case s == "":
		return Number{}, ErrEmpty
	case strings.ContainsAny(s, "*#"):
		return featureCode(s)
	case phonenumbers.IsEmergencyNumber(s, region) && !strings.HasPrefix(s, "+"):
		return Number{}, ErrEmergency
	case strings.HasPrefix(s, "+"):
		return outside(s, region)
	case strings.HasPrefix(s, "00"):
		return outside("+"+s[2:], region)
	case len(s) <= maxShortExtension && !strings.HasPrefix(s, "0"):
		return extension(s)
	}
	n, err := outside(s, region)
	if err == nil {
		return n, nil
	}
	if len(s) <= maxExtension && !strings.HasPrefix(s, "0") {
		return extension(s)
	}
	return Number{}, err
}

// clean removes what people put between digits.
func clean(raw string) (string, error) {
	var b strings.Builder
	for _, r := range strings.TrimSpace(raw) {
		switch {
		case r >= '0' && r <= '9', r == '*', r == '#':
			b.WriteRune(r)
		case r == '+' && b.Len() == 0:
			b.WriteRune(r)
		case strings.ContainsRune(" -./()\u00a0\u2009\u202f\u2010\u2011\u2013", r):
		default:
			return "", ErrNoNumber
		}
	}
	// "+49 (0)30 ...": the bracketed trunk zero is for people at home only.
	if s := b.String(); strings.HasPrefix(s, "+") && strings.Contains(raw, "(0)") {
		if i := strings.Index(raw, "(0)"); i > 0 {
			n := 0
			for _, r := range raw[:i] {
				if r == '+' || r >= '0' && r <= '9' {
					n++
				}
			}
			if n < len(s) && s[n] == '0' {
				return s[:n] + s[n+1:], nil
			}
		}
	}
	return b.String(), nil
}

func featureCode(s string) (Number, error) {
	if !strings.HasPrefix(s, "*") && !strings.HasPrefix(s, "#") || len(s) < 2 {
		return Number{}, ErrNoNumber
	}
	return Number{Kind: FeatureCode, Value: s}, nil
}

func extension(s string) (Number, error) {
	if len(s) < minExtension {
		return Number{}, ErrTooShort
	}
	return Number{Kind: Extension, Value: s}, nil
}

func outside(s, region string) (Number, error) {
	n, err := phonenumbers.Parse(s, region)
	if err != nil {
		switch {
		case errors.Is(err, phonenumbers.ErrTooShortNSN), errors.Is(err, phonenumbers.ErrTooShortAfterIDD):
			return Number{}, ErrTooShort
		case errors.Is(err, phonenumbers.ErrNumTooLong):
			return Number{}, ErrTooLong
		}
		return Number{}, ErrNoNumber
	}
	// Possible, not valid: the tables of valid numbers lag behind reality and
	// Webex decides in the end.
	switch phonenumbers.IsPossibleNumberWithReason(n) {
	case phonenumbers.IS_POSSIBLE:
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return Number{}, ErrTooShort
	case phonenumbers.TOO_LONG, phonenumbers.INVALID_LENGTH:
		return Number{}, ErrTooLong
	default:
		return Number{}, ErrNoNumber
	}
	return Number{Kind: Outside, Value: phonenumbers.Format(n, phonenumbers.E164), Region: phonenumbers.GetRegionCodeForNumber(n)}, nil
}

// Canonical writes a number that Webex gave so that two spellings of one number
// are equal: Webex mixes E.164 with ten digits for the United States. What is
// not a number is returned unchanged.
func Canonical(value, region string) string {
	n, err := Parse(value, region)
	if err != nil {
		return value
	}
	return n.Value
}

// Display writes a number as people read it: grouped, with the country code for
// outside numbers.
func Display(value, region string) string {
	n, err := Parse(value, region)
	if err != nil || n.Kind != Outside {
		return value
	}
	p, err := phonenumbers.Parse(n.Value, "")
	if err != nil {
		return value
	}
	return phonenumbers.Format(p, phonenumbers.INTERNATIONAL)
}
