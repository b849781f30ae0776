package signin

import (
	"net/url"
	"slices"
	"strings"
)

// maxReturnPath bounds the path that goes into the attempt's cookie.
const maxReturnPath = 512

// signInPaths are no place to return to: they would sign the person in again, or out.
var signInPaths = []string{"/login", "/authenticate", "/authorize", "/logout"}

// ReturnPath gives the path (with its query) to go to after sign-in: wanted if it
// certainly stays on this site, otherwise "/". What browsers, proxies and Go's own
// redirect read differently is refused rather than repaired: a second slash, dot
// segments, backslashes, control characters, and any of these percent-encoded.
func ReturnPath(wanted string) string {
	const home = "/"
	if len(wanted) > maxReturnPath || !strings.HasPrefix(wanted, "/") {
		return home
	}
	for _, c := range []byte(wanted) {
		if c <= ' ' || c > '~' || c == '\\' || c == '#' {
			return home
		}
	}
	path, _, _ := strings.Cut(wanted, "?")
	decoded, err := url.PathUnescape(path)
	if err != nil || strings.Count(decoded, "/") != strings.Count(path, "/") || strings.ContainsAny(decoded, "\\%") {
		return home // an encoded slash, a backslash, or something encoded twice
	}
	if strings.ContainsFunc(decoded, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return home
	}
	segments := strings.Split(decoded[1:], "/")
	for i, s := range segments {
		if s == "." || s == ".." || s == "" && i < len(segments)-1 {
			return home
		}
	}
	if slices.Contains(signInPaths, "/"+segments[0]) {
		return home
	}
	return wanted
}
