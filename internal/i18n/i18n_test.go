package i18n_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"patchbay/internal/i18n"
)

func load(t *testing.T) *i18n.Bundle {
	t.Helper()
	b, err := i18n.Load()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSay(t *testing.T) {
	t.Parallel()
	l := load(t).Localizer("xx, de;q=0.5")
	for want, got := range map[string]string{
		"Saved 10:42":               l.T("note.saved", "Time", "10:42"),
		"1 ring, about 6 seconds":   l.T("path.ring", "Count", 1, "Seconds", 6),
		"4 rings, about 24 seconds": l.T("path.ring", "Count", 4, "Seconds", 24),
		"[[no.such.key]]":           l.T("no.such.key"),
		"1 ms":                      l.T("health.redis.ms", "Count", 1),
		"Call waiting: turned on":   l.Say(i18n.NewText("history.sentence.on", "What", i18n.NewText("setting.callWaiting"))),
		"":                          l.Say(i18n.Text{}),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if l.Language() != "en" {
		t.Errorf("language %q for a reader we do not know", l.Language())
	}
}

func TestPagesAboutSomebodyElseDoNotSayYou(t *testing.T) {
	t.Parallel()
	b := load(t)
	mine := b.Localizer("en")
	theirs := mine.ForSomebodyElse()
	if mine.T("card.phones") != "My phones" || theirs.T("card.phones") != "Phones" {
		t.Errorf("%q and %q", mine.T("card.phones"), theirs.T("card.phones"))
	}
	if got := theirs.T("action.save"); got != mine.T("action.save") {
		t.Errorf("a text about nobody became %q", got)
	}
	for _, key := range b.Keys() {
		if base, is := strings.CutSuffix(key, ".them"); is && !slices.Contains(b.Keys(), base) {
			t.Errorf("%s stands for no text", key)
		}
		if text := theirs.T(key, "Count", 2); strings.HasSuffix(key, ".them") && regexp.MustCompile(`(?i)\b(you|your|my)\b`).MatchString(text) {
			t.Errorf("%s says %q", key, text)
		}
	}
}

func TestPseudoLanguageIsLongerAndMarked(t *testing.T) {
	t.Parallel()
	b := load(t)
	plain, pseudo := b.Localizer("en").T("action.save"), b.Localizer("en-XA").T("action.save")
	if plain == pseudo || len([]rune(pseudo)) < len([]rune(plain))*14/10 {
		t.Errorf("%q is not 40 %% longer than %q", pseudo, plain)
	}
}

// keyUse finds the places where code names a message.
var keyUse = regexp.MustCompile(`(?:\bT\(ctx, |\btr\(\w+(?:\.r)?, |\btext\(|NewText\(|problem\.New\([\w.]+, |\bfault\(\w+(?:\.\w+)*(?:\+"[^"]*")?, |\bsay\()"([^"]+)"(\s*\+)?`)

// TestEveryKeyUsedExists reads the sources: a text that is missing would be shown
// as its key.
func TestEveryKeyUsedExists(t *testing.T) {
	t.Parallel()
	known := load(t).Keys()
	found := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "_templ.go") ||
			!strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, ".templ") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range keyUse.FindAllStringSubmatch(string(source), -1) {
			key, prefix := m[1], m[2] != ""
			found++
			ok := slices.Contains(known, key)
			if prefix {
				ok = slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, key) })
			}
			if !ok {
				t.Errorf("%s: no text for %q", path, key)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 150 {
		t.Errorf("only %d uses were found: the pattern is out of date", found)
	}
}

// keyPart finds what code says of keys: whole ones, and the beginnings ("card.") to
// which it adds the rest.
var keyPart = regexp.MustCompile(`"([a-zA-Z][\w.]*)"`)

// TestNoTextIsLeftOver: a text that nothing says is a text that somebody translates
// for nothing.
func TestNoTextIsLeftOver(t *testing.T) {
	t.Parallel()
	said := map[string]bool{}
	var beginnings []string
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "_templ.go") ||
			!strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, ".templ") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range keyPart.FindAllStringSubmatch(string(source), -1) {
			if said[m[1]] = true; strings.HasSuffix(m[1], ".") {
				beginnings = append(beginnings, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range load(t).Keys() {
		key = strings.TrimSuffix(key, ".them") // said in place of the text before it
		if !said[key] && !slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(key, b) }) {
			t.Errorf("nothing says %q", key)
		}
	}
}

// TestTexts holds every text to the rules of the house (ux.md, section 7).
func TestTexts(t *testing.T) {
	t.Parallel()
	l := load(t).Localizer("en")
	forbidden := regexp.MustCompile(`(?i)\b(please|oops|invalid|failed to|successfully)\b`)
	for _, key := range load(t).Keys() {
		text := l.T(key, "Count", 2)
		if m := forbidden.FindString(text); m != "" {
			t.Errorf("%s says %q: %s", key, m, text)
		}
	}
}
