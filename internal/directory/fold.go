package directory

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

var (
	// plainLetters are letters that no accent makes of others, as people write them
	// who do not have them on the keyboard.
	plainLetters = strings.NewReplacer(
		"ø", "o", "Ø", "o", "æ", "ae", "Æ", "ae", "œ", "oe", "Œ", "oe", "ł", "l", "Ł", "l", "đ", "d", "Đ", "d",
		"ð", "d", "Ð", "d", "þ", "th", "Þ", "th", "ı", "i", "İ", "i", "ħ", "h", "Ħ", "h",
		"ß", "ss", "ẞ", "ss", "ς", "σ")
	// twoLetters are the other way to write some of them.
	twoLetters = strings.NewReplacer(
		"ä", "ae", "Ä", "ae", "ö", "oe", "Ö", "oe", "ü", "ue", "Ü", "ue", "å", "aa", "Å", "aa", "ø", "oe", "Ø", "oe")
	// apostrophes are left out: "O'Neill" is found as "oneill".
	apostrophes = strings.NewReplacer("'", "", "’", "", "ʼ", "", "`", "", "´", "")
)

// spelling is a word without case and accents. Other is the second way to write
// it, "" without: "muller" and "mueller" for "Müller".
type spelling struct{ plain, other string }

// spellings gives the words of a text: what stands between letters and digits
// separates them.
func spellings(text string) []spelling {
	text = apostrophes.Replace(text)
	if ascii(text) {
		words := split(strings.ToLower(text))
		list := make([]spelling, len(words))
		for i, w := range words {
			list[i].plain = w
		}
		return list
	}
	text = norm.NFC.String(text)
	plain, other := split(fold(text)), split(fold(twoLetters.Replace(text)))
	list := make([]spelling, len(plain))
	for i, w := range plain {
		list[i].plain = w
		if i < len(other) && other[i] != w {
			list[i].other = other[i]
		}
	}
	return list
}

// fold takes case and accents away.
func fold(text string) string {
	if ascii(text) {
		return strings.ToLower(text)
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) { // what was an accent
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(plainLetters.Replace(text)))
}

func split(folded string) []string {
	return strings.FieldsFunc(folded, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// beginsWords reports whether every part begins one of the words, in either way
// to write them.
func beginsWords(words, parts []spelling) bool {
	for _, p := range parts {
		found := false
		for _, w := range words {
			if p.begins(w.plain) || w.other != "" && p.begins(w.other) {
				found = true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

func (p spelling) begins(word string) bool {
	return strings.HasPrefix(word, p.plain) || p.other != "" && strings.HasPrefix(word, p.other)
}
