package webex

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
)

// maxPages ends a list that does not end by itself. An organization of 100,000
// people has 1,000 pages with calling data, and empty ones in between.
const maxPages = 5000

var errForeignNext = errors.New("the next page is on another host")

// pages walks a list that pages by the Link header (RFC 5988; basics,
// "Pagination"). An empty page may have a next one. Whoever goes on after an
// error of one page asks for that page again: a list of a thousand pages need
// not be read anew for one of them. How long to wait before is theirs to say.
// After any other error the list ends.
func pages[Page, Item any](ctx context.Context, c *Client, first request, items func(*Page) []Item) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		var none Item
		r := first
		seen := map[string]bool{}
		for range maxPages {
			var page Page
			r.out = &page
			ans, err := c.do(ctx, &r)
			if err != nil {
				if !yield(none, err) {
					return
				}
				continue
			}
			list := items(&page)
			if list == nil { // an empty list is a list
				yield(none, &Error{Op: r.op, Kind: KindBadGateway, Err: errNothingKnown})
				return
			}
			for _, item := range list {
				if !yield(item, nil) {
					return
				}
			}
			next, err := c.nextPage(&r, ans)
			if err != nil {
				yield(none, err)
				return
			}
			if next == "" {
				return
			}
			if seen[next] {
				yield(none, &Error{Op: r.op, Kind: KindBadGateway, Err: errors.New("the pages go round in circles")})
				return
			}
			seen[next] = true
			r.next = next
		}
		yield(none, &Error{Op: r.op, Kind: KindBadGateway, Err: fmt.Errorf("more than %d pages", maxPages)})
	}
}

// collect reads a list to its end. With an error there is no list: half of one
// would look like a whole one.
func collect[Item any](seq iter.Seq2[Item, error]) ([]Item, error) {
	var list []Item
	for item, err := range seq {
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, nil
}

// nextPage is the address of the next page, empty on the last one. It is used
// unchanged (sdk rest.py, follow_pagination), but only on the API's own host:
// the token goes nowhere else.
func (c *Client) nextPage(r *request, ans *answer) (string, error) {
	target := nextLink(ans.header)
	if target == "" {
		return "", nil
	}
	next, err := url.Parse(target)
	if err != nil {
		return "", &Error{Op: r.op, Kind: KindBadGateway, Err: errors.New("the address of the next page cannot be parsed")}
	}
	next = ans.url.ResolveReference(next)
	if next.Scheme != c.baseURL.Scheme || !strings.EqualFold(hostPort(next), hostPort(c.baseURL)) || next.User != nil {
		return "", &Error{Op: r.op, Kind: KindBadGateway, Err: errForeignNext}
	}
	return next.String(), nil
}

func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	if u.Scheme == "http" {
		return u.Host + ":80"
	}
	return u.Host + ":443"
}

// nextLink finds rel="next" in the Link headers.
func nextLink(h http.Header) string {
	for _, value := range h.Values("Link") {
		for value != "" {
			start := strings.IndexByte(value, '<')
			if start < 0 {
				break
			}
			end := strings.IndexByte(value[start:], '>')
			if end < 0 {
				break
			}
			target := value[start+1 : start+end]
			params, rest := cutParams(value[start+end+1:])
			if relNext(params) {
				return target
			}
			value = rest
		}
	}
	return ""
}

// cutParams splits the parameters of one link from the links after it. A comma
// inside quotes belongs to a parameter.
func cutParams(s string) (params, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

func relNext(params string) bool {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "rel") {
			continue
		}
		for rel := range strings.FieldsSeq(strings.Trim(strings.TrimSpace(value), `"`)) {
			if strings.EqualFold(rel, "next") {
				return true
			}
		}
		return false
	}
	return false
}
