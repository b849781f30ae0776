package templates

import (
	"context"
	"strconv"
	"strings"

	"patchbay/internal/i18n"
)

// bottomEntries is how many pages the bottom bar shows before More.
const bottomEntries = 4

// bottomPages are the pages that the bottom bar prefers.
var bottomPages = []string{"home", "calls", "queues", "phones"}

// secondsPerRing is the length of a ring as Webex counts them.
const secondsPerRing = 6

func windowTitle(ctx context.Context, f Frame) string {
	parts := []string{f.Title}
	if f.Group != "" {
		parts = append(parts, f.Group)
	}
	title := strings.Join(append(parts, i18n.T(ctx, "brand")), " · ")
	if f.HasError {
		return i18n.T(ctx, "frame.error") + title
	}
	return title
}

func theme(t string) string {
	if t == ThemeLight || t == ThemeDark {
		return t
	}
	return ThemeSystem
}

func colorScheme(t string) string {
	if t == ThemeLight || t == ThemeDark {
		return t
	}
	return "light dark"
}

func navIcon(page string) string {
	if _, ok := icons()[page]; ok {
		return page
	}
	return "right"
}

// splitNav chooses the entries of the bottom bar. A portal of few pages needs no
// More.
func splitNav(groups []NavGroup) (first, rest []NavEntry) {
	var all []NavEntry
	for _, g := range groups {
		all = append(all, g.Entries...)
	}
	if len(all) <= bottomEntries+1 {
		return all, nil
	}
	taken := map[string]bool{}
	for _, page := range bottomPages {
		for _, e := range all {
			if e.Page == page {
				first, taken[page] = append(first, e), true
			}
		}
	}
	for _, e := range all {
		switch {
		case taken[e.Page]:
		case len(first) < bottomEntries:
			first = append(first, e)
		default:
			rest = append(rest, e)
		}
	}
	return first, rest
}

func hasCurrent(entries []NavEntry) bool {
	for _, e := range entries {
		if e.Current {
			return true
		}
	}
	return false
}

func toneIcon(t Tone) string {
	switch t {
	case ToneGood:
		return "check"
	case ToneWarn:
		return "warning"
	case ToneBad:
		return "error"
	default:
		return "info"
	}
}

// orText is text, or the words of key when there is none.
func orText(ctx context.Context, text, key string) string {
	if text != "" {
		return text
	}
	return i18n.T(ctx, key)
}

// ringWords says every possible number of rings, so that app.js needs no grammar.
func ringWords(ctx context.Context, r Rings) string {
	var words []string
	for n := r.Min; n <= r.Max; n++ {
		words = append(words, ringText(ctx, n))
	}
	return strings.Join(words, "|")
}

func ringText(ctx context.Context, n int) string {
	return i18n.T(ctx, "forward.rings.words", "Count", n, "Seconds", n*secondsPerRing)
}

func rowsOr(n, usual int) []int {
	if n == 0 {
		n = usual
	}
	return make([]int, n)
}

// described lists the ids for aria-describedby.
func described(ids ...string) string {
	var given []string
	for _, id := range ids {
		if id != "" {
			given = append(given, id)
		}
	}
	return strings.Join(given, " ")
}

func when(condition bool, text string) string {
	if condition {
		return text
	}
	return ""
}

func boolText(b bool) string { return strconv.FormatBool(b) }
