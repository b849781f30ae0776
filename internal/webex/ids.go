package webex

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var errNoID = errors.New("not a Webex id")

var uuidPattern = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// UUID is what a Webex id stands for: the last part of the decoded
// "ciscospark://us/PEOPLE/<uuid>". The cluster ("us", "urn:TEAM:us-east-1_int13")
// and the type are left out, because both vary for one and the same thing. Ids
// come with and without padding, in both base64 alphabets, and bare (SCIM,
// OpenID's sub). Queues and hunt groups hold another base64 inside (sdk
// telephony/hg_and_cq.py, bc_id); it is decoded too. A UUID is given in lower
// case. What is not an id is an error.
func UUID(id string) (string, error) {
	if uuidPattern.MatchString(id) {
		return strings.ToLower(id), nil
	}
	uri, ok := decodeBase64(id)
	if !ok || !strings.HasPrefix(uri, "ciscospark://") {
		return "", fmt.Errorf("decode id: %w", errNoID)
	}
	part := strings.TrimRight(uri[strings.LastIndexByte(uri, '/')+1:], "=")
	if part == "" {
		return "", fmt.Errorf("decode id: %w", errNoID)
	}
	if uuidPattern.MatchString(part) {
		return strings.ToLower(part), nil
	}
	// Only the ids of queues and hunt groups have a host name inside; anything
	// else that happens to be base64, such as a short number, stays as it is.
	if inner, ok := decodeBase64(part); ok && strings.Contains(inner, "@") && printable(inner) {
		return inner, nil
	}
	return part, nil
}

// SameID reports whether two ids stand for the same thing, however they are
// written. Ids that cannot be decoded are the same when they are spelt alike,
// padding aside. An empty id is the same as nothing.
func SameID(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	if strings.TrimRight(a, "=") == strings.TrimRight(b, "=") {
		return true
	}
	ua, errA := UUID(a)
	ub, errB := UUID(b)
	return errA == nil && errB == nil && ua == ub
}

func decodeBase64(s string) (string, bool) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	data, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil || len(data) == 0 {
		return "", false
	}
	return string(data), true
}

func printable(s string) bool {
	for _, r := range s {
		if r < ' ' || r > '~' {
			return false
		}
	}
	return true
}
