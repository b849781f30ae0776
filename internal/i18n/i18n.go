// Package i18n holds every text a person can see. Texts live in
// locales/<topic>.<language>.json; code names them by key.
package i18n

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"

	goi18n "github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed locales/*.json
var locales embed.FS

// Text names a message and the values put into it. It is how an error or a
// view model carries words without knowing the reader's language.
type Text struct {
	Key  string
	Args map[string]any
}

// NewText names the message key with alternating argument names and values.
func NewText(key string, args ...any) Text {
	return Text{Key: key, Args: argMap(args)}
}

// IsZero reports whether no message is named.
func (t Text) IsZero() bool { return t.Key == "" }

// Pseudo is the made-up language of tests and translators: English with
// accents, made 40 % longer, so that text which bypasses the language files or
// is cut off can be seen.
var Pseudo = language.MustParse("en-XA")

// Bundle is the set of all languages.
type Bundle struct {
	bundle  *goi18n.Bundle
	matcher language.Matcher
	tags    []language.Tag
	keys    map[string]bool
}

// Load reads the embedded language files. A malformed file is a programming
// error and is returned.
func Load() (*Bundle, error) {
	b := &Bundle{bundle: goi18n.NewBundle(language.English), keys: map[string]bool{}}
	b.bundle.RegisterUnmarshalFunc("json", json.Unmarshal)
	files, err := fs.Glob(locales, "locales/*.json")
	if err != nil {
		return nil, fmt.Errorf("list language files: %w", err)
	}
	for _, name := range files {
		data, err := locales.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read language file %s: %w", name, err)
		}
		file, err := b.bundle.ParseMessageFileBytes(data, path.Base(name))
		if err != nil {
			return nil, fmt.Errorf("parse language file %s: %w", name, err)
		}
		for _, m := range file.Messages {
			b.keys[m.ID] = true
		}
	}
	b.tags = b.bundle.LanguageTags()
	b.matcher = language.NewMatcher(b.tags)
	return b, nil
}

// Keys lists all message keys, sorted.
func (b *Bundle) Keys() []string {
	keys := make([]string, 0, len(b.keys))
	for k := range b.keys {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// Languages lists what a person can choose.
func (b *Bundle) Languages() []language.Tag { return b.tags }

// Localizer picks the best language for the given preferences: language tags or
// whole Accept-Language headers, the strongest wish first.
func (b *Bundle) Localizer(preferences ...string) *Localizer {
	for _, p := range preferences {
		if strings.EqualFold(p, Pseudo.String()) {
			return &Localizer{tag: Pseudo, loc: goi18n.NewLocalizer(b.bundle, "en"), keys: b.keys, pseudo: true}
		}
	}
	var wanted []language.Tag
	for _, p := range preferences {
		tags, _, err := language.ParseAcceptLanguage(p)
		if err == nil {
			wanted = append(wanted, tags...)
		}
	}
	_, i, _ := b.matcher.Match(wanted...)
	return &Localizer{tag: b.tags[i], loc: goi18n.NewLocalizer(b.bundle, b.tags[i].String()), keys: b.keys}
}

// Localizer speaks one language.
type Localizer struct {
	tag    language.Tag
	loc    *goi18n.Localizer
	keys   map[string]bool
	pseudo bool
	others map[string]bool // the keys with words about somebody else; nil: it is about the reader
}

// ofOthers ends the key of what is said about somebody else instead of the reader:
// "My phones" becomes "Phones".
const ofOthers = ".them"

// ForSomebodyElse is the Localizer for a page about another person than its reader.
func (l *Localizer) ForSomebodyElse() *Localizer {
	other := *l
	other.others = l.keys
	return &other
}

// Language is the tag for the lang attribute of the page.
func (l *Localizer) Language() string { return l.tag.String() }

// T says the message key. Arguments alternate names and values; the argument
// "Count" also chooses the plural form. An unknown key is said as itself between
// double brackets, which a test looks for.
func (l *Localizer) T(key string, args ...any) string {
	return l.Say(Text{Key: key, Args: argMap(args)})
}

// Say says a Text. Arguments that are Texts themselves are said first.
func (l *Localizer) Say(t Text) string {
	if t.Key == "" {
		return ""
	}
	if l.others[t.Key+ofOthers] {
		t.Key += ofOthers
	}
	cfg := &goi18n.LocalizeConfig{MessageID: t.Key}
	if len(t.Args) > 0 {
		data := make(map[string]any, len(t.Args))
		for k, v := range t.Args {
			if nested, ok := v.(Text); ok {
				v = l.Say(nested)
			}
			data[k] = v
		}
		cfg.TemplateData = data
		cfg.PluralCount = data["Count"]
	}
	s, err := l.loc.Localize(cfg)
	if err != nil && cfg.PluralCount != nil {
		cfg.PluralCount = nil // a message with a number in it need not have plural forms
		s, err = l.loc.Localize(cfg)
	}
	if err != nil {
		return "[[" + t.Key + "]]"
	}
	if l.pseudo {
		return pseudo(s)
	}
	return s
}

func argMap(args []any) map[string]any {
	if len(args) == 0 {
		return nil
	}
	m := make(map[string]any, len(args)/2)
	for i := 0; i+1 < len(args); i += 2 {
		m[fmt.Sprint(args[i])] = args[i+1]
	}
	return m
}

var accents = strings.NewReplacer(
	"a", "á", "e", "é", "i", "í", "o", "ó", "u", "ü", "A", "Á", "E", "É", "I", "Í", "O", "Ó", "U", "Ü", "n", "ñ", "c", "ç",
)

// pseudo keeps the length measurable: 40 % of the runes are added at the end.
func pseudo(s string) string {
	n := len([]rune(s))*2/5 + 1
	return accents.Replace(s) + strings.Repeat("~", n)
}

type contextKey struct{}

// NewContext carries the reader's Localizer.
func NewContext(ctx context.Context, l *Localizer) context.Context {
	return context.WithValue(ctx, contextKey{}, l)
}

// FromContext returns the Localizer put there by NewContext. A context without
// one is a programming error: it panics.
func FromContext(ctx context.Context) *Localizer {
	return ctx.Value(contextKey{}).(*Localizer)
}

// T says key in the language of ctx; see Localizer.T.
func T(ctx context.Context, key string, args ...any) string {
	return FromContext(ctx).T(key, args...)
}
