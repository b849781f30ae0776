package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"patchbay/internal/audit"
	"patchbay/internal/dialing"
	"patchbay/internal/i18n"
	"patchbay/internal/selfservice"
	"patchbay/templates"
)

// valueWords says a value of a setting.
func valueWords(r *http.Request, f selfservice.Field, v any, region string) string {
	switch f.Kind {
	case selfservice.Bool:
		if on, _ := v.(bool); on {
			return tr(r, "value.on")
		}
		return tr(r, "value.off")
	case selfservice.Choice:
		if s, ok := v.(string); ok {
			return tr(r, "value."+s)
		}
	case selfservice.Destination:
		if s, ok := v.(string); ok && s != "" {
			return dialing.Display(s, region)
		}
	case selfservice.Integer:
		if n, ok := v.(json.Number); ok {
			return n.String()
		}
	case selfservice.Text:
		if s, ok := v.(string); ok && s != "" {
			return s
		}
	}
	return tr(r, "value.none")
}

// differencesOf says changes for people.
func differencesOf(r *http.Request, setting *selfservice.Setting, changes []selfservice.Change, region string) []templates.Difference {
	list := make([]templates.Difference, 0, len(changes))
	for _, c := range changes {
		list = append(list, templates.Difference{
			Label: fieldWords(r, setting, c.Field), Before: valueWords(r, c.Field, c.Before, region), After: valueWords(r, c.Field, c.After, region),
		})
	}
	return list
}

func fieldWords(r *http.Request, setting *selfservice.Setting, f selfservice.Field) string {
	return say(r, f.Title(setting.Name))
}

// sentenceText says what a record of a setting did.
func sentenceText(rec selfservice.Record) i18n.Text {
	if rec.Entry.Setting == selfservice.DevicesName {
		return deviceSentence(rec)
	}
	if rec.Setting == nil || len(rec.Changes) == 0 {
		return i18n.NewText("history.sentence.other")
	}
	if rec.Setting.Group == "queues" {
		return queueSentence(rec)
	}
	i := mainSwitch(rec.Changes)
	if i < 0 {
		return i18n.NewText("history.sentence.changed", "Setting", rec.Setting.Title())
	}
	enabled := rec.Changes[i]
	what := enabled.Title(rec.Setting.Name)
	if on, _ := enabled.After.(bool); on {
		return i18n.NewText("history.sentence.on", "What", what)
	}
	return i18n.NewText("history.sentence.off", "What", what)
}

// mainSwitch finds the one change that turns something on or off; -1 when there
// is none, or several.
func mainSwitch(changes []selfservice.Change) int {
	found := -1
	for i, c := range changes {
		if c.Path != "enabled" && !strings.HasSuffix(c.Path, ".enabled") {
			continue
		}
		if found >= 0 {
			return -1
		}
		found = i
	}
	return found
}

// besides are the changes that the sentence does not tell.
func besides(changes []selfservice.Change) []selfservice.Change {
	if i := mainSwitch(changes); i >= 0 {
		return slices.Delete(slices.Clone(changes), i, i+1)
	}
	return changes
}

func queueSentence(rec selfservice.Record) i18n.Text {
	doc, err := selfservice.ParseDocument(rec.After)
	if err != nil {
		return i18n.NewText("history.sentence.other")
	}
	var names []string
	joined := false
	for _, c := range rec.Changes {
		names = append(names, doc.Text(strings.TrimSuffix(c.Path, ".joined")+".name"))
		joined, _ = c.After.(bool)
	}
	key := "history.sentence.left"
	if joined {
		key = "history.sentence.joined"
	}
	return i18n.NewText(key, "Queues", strings.Join(names, ", "))
}

// outcomeTag says how a change ended.
func outcomeTag(r *http.Request, o audit.Outcome) templates.Tag {
	tone := map[audit.Outcome]templates.Tone{
		audit.Done: templates.ToneGood, audit.Pending: templates.TonePlain, audit.Unknown: templates.ToneWarn,
	}[o]
	if tone == "" {
		tone = templates.ToneBad
	}
	return templates.Tag{Tone: tone, Text: tr(r, "outcome."+string(o))}
}

// numberMeaning says how a typed number is understood.
func numberMeaning(r *http.Request, raw, region string) string {
	n, err := dialing.Parse(raw, region)
	if err != nil {
		return ""
	}
	switch n.Kind {
	case dialing.Extension:
		return tr(r, "number.extension", "Number", n.Value)
	case dialing.FeatureCode:
		return tr(r, "number.code", "Number", n.Value)
	}
	shown := dialing.Display(n.Value, region)
	if n.Region == "" {
		return tr(r, "number.outside", "Number", shown)
	}
	return tr(r, "number.country", "Country", countryName(r, n.Region), "Number", shown)
}
