package web

import (
	"net/http"
	"slices"
	"strings"

	"patchbay/internal/dialing"
	"patchbay/internal/selfservice"
	"patchbay/templates"
)

// rightNow turns the way of a call into sentences, steps and warnings.
func rightNow(r *http.Request, c templates.Card, p selfservice.CallPath) templates.RightNow {
	region := p.Readings["callForwarding"].Region()
	words := pathWords{r: r, region: region}
	v := templates.RightNow{Card: c, Tag: stateTag(r, p.State)}
	incoming := templates.Step{Icon: "incoming", Title: tr(r, "path.calls"), Detail: tr(r, "path.calls.detail")}
	v.Steps = append(v.Steps, incoming)
	if p.State != selfservice.Reachable {
		v.Sentence = words.link("now.all."+string(p.State), p.Target, stateLink(r, p.State))
		v.Steps = append(v.Steps, words.step(p.Target))
	} else {
		v.Sentence = words.reachable(p)
		rings := templates.Step{Icon: "phones", Title: phonesWords(r, ringing(p.Phones)), Detail: tr(r, "path.ring.on")}
		if p.Rings > 0 {
			rings.Detail = tr(r, "path.ring", "Count", p.Rings, "Seconds", p.Rings*secondsPerRing)
		}
		v.Steps = append(v.Steps, rings)
		if p.NoAnswer.Kind != selfservice.ToRinging {
			v.Steps = append(v.Steps, words.step(p.NoAnswer))
		}
	}
	v.Warnings = pathWarnings(r, p)
	return v
}

// secondsPerRing is the length of a ring as Webex counts them.
const secondsPerRing = 6

func stateTag(r *http.Request, state selfservice.State) templates.Tag {
	tone := templates.ToneWarn
	if state == selfservice.Reachable {
		tone = templates.ToneGood
	}
	return templates.Tag{Tone: tone, Text: tr(r, "now.tag."+string(state))}
}

// stateLink is where the state is decided.
func stateLink(r *http.Request, state selfservice.State) string {
	card := map[selfservice.State]string{
		selfservice.OutOfService: "intercept", selfservice.ForwardedAll: "always", selfservice.DoNotDisturb: "doNotDisturb",
	}[state]
	if card == "" {
		return ""
	}
	return at(r, "/calls#card-"+card)
}

type pathWords struct {
	r      *http.Request
	region string
}

// target says where calls go: "+49 30 ...", "voicemail", "the busy tone".
func (p pathWords) target(t selfservice.Target) string {
	return tr(p.r, "target."+string(t.Kind), "Number", dialing.Display(t.Number, p.region))
}

func (p pathWords) step(t selfservice.Target) templates.Step {
	icon := map[selfservice.TargetKind]string{
		selfservice.ToNumber: "forward", selfservice.ToNumberVoicemail: "voicemail", selfservice.ToVoicemail: "voicemail",
		selfservice.ToBusyTone: "blocked", selfservice.ToAnnouncement: "blocked", selfservice.ToRinging: "phones",
	}[t.Kind]
	return templates.Step{Icon: icon, Title: tr(p.r, "path.to."+string(t.Kind), "Number", dialing.Display(t.Number, p.region)), Detail: tr(p.r, "path.to."+string(t.Kind)+".detail")}
}

// link says a sentence whose middle part is a link to where it is decided. The
// part is marked in the text by square brackets, so that each language puts it
// where its grammar wants it.
func (p pathWords) link(key string, t selfservice.Target, urls ...string) []templates.Segment {
	return segments(tr(p.r, key, "Target", p.target(t)), urls...)
}

// segments splits "Calls go to [voicemail]." at its brackets; the n-th bracket
// links to the n-th address.
func segments(sentence string, urls ...string) []templates.Segment {
	var list []templates.Segment
	add := func(text, url string) {
		if text != "" {
			list = append(list, templates.Segment{Text: text, URL: url})
		}
	}
	for n := 0; ; n++ {
		before, rest, found := strings.Cut(sentence, "[")
		add(before, "")
		if !found {
			return list
		}
		inside, after, _ := strings.Cut(rest, "]")
		url := ""
		if n < len(urls) {
			url = urls[n]
		}
		add(inside, url)
		sentence = after
	}
}

// reachable says what happens while the phones ring.
func (p pathWords) reachable(c selfservice.CallPath) []templates.Segment {
	var list []templates.Segment
	say := func(key string, args []any, urls ...string) {
		if len(list) > 0 {
			list = append(list, templates.Segment{Text: " "})
		}
		list = append(list, segments(tr(p.r, key, args...), urls...)...)
	}
	phones := phonesWords(p.r, ringing(c.Phones))
	switch {
	case len(c.Phones) == 0:
		say("now.noPhones", nil, at(p.r, "/phones"))
	case c.Rings > 0:
		say("now.rings", []any{"Phones", phones, "Count", c.Rings}, at(p.r, "/phones"), at(p.r, "/calls#card-noAnswer"))
	default:
		say("now.ringsOn", []any{"Phones", phones}, at(p.r, "/phones"))
	}
	busy, noAnswer := p.target(c.Busy), p.target(c.NoAnswer)
	switch {
	case c.NoAnswer.Kind == selfservice.ToRinging:
		say("now.busy", []any{"Target", busy}, at(p.r, "/calls#card-busy"))
	case c.Busy == c.NoAnswer:
		say("now.busyOrNoAnswer", []any{"Target", noAnswer}, at(p.r, "/calls#card-busy"), at(p.r, "/calls#card-noAnswer"))
	default:
		say("now.noAnswer", []any{"Target", noAnswer}, at(p.r, "/calls#card-noAnswer"))
		say("now.busy", []any{"Target", busy}, at(p.r, "/calls#card-busy"))
	}
	if c.Unreachable != nil {
		say("now.unreachable", []any{"Target", p.target(*c.Unreachable)}, at(p.r, "/calls#card-unreachable"))
	}
	return list
}

// ringing are the phones that ring: those online, or all when none is, because
// Webex may be late with the news.
func ringing(phones []selfservice.Device) []selfservice.Device {
	up := slices.DeleteFunc(slices.Clone(phones), func(d selfservice.Device) bool { return !online(d.ConnectionStatus) })
	if len(up) == 0 {
		return phones
	}
	return up
}

// phonesWords names up to two phones, and how many more there are.
func phonesWords(r *http.Request, phones []selfservice.Device) string {
	names := make([]string, 0, len(phones))
	for _, d := range phones {
		names = append(names, d.Product)
	}
	switch len(names) {
	case 0:
		return tr(r, "phones.none")
	case 1:
		return names[0]
	case 2:
		return tr(r, "phones.two", "First", names[0], "Second", names[1])
	}
	return tr(r, "phones.more", "First", names[0], "Count", len(names)-1)
}

func pathWarnings(r *http.Request, p selfservice.CallPath) []templates.Warning {
	var list []templates.Warning
	for _, name := range p.Unread {
		list = append(list, templates.Warning{Text: tr(r, "now.unread."+name)})
	}
	offline := 0
	for _, d := range p.Phones {
		if !online(d.ConnectionStatus) {
			offline++
		}
	}
	if p.State == selfservice.Reachable && offline > 0 && offline == len(p.Phones) {
		key := "now.offline"
		if p.Unreachable != nil {
			key = "now.offlineForwarded"
		}
		list = append(list, templates.Warning{Text: tr(r, key), Link: templates.Link{Text: tr(r, "nav.phones"), URL: at(r, "/phones")}})
	}
	if p.State == selfservice.Reachable && p.NoAnswer.Kind == selfservice.ToRinging {
		list = append(list, templates.Warning{Text: tr(r, "now.ringsForEver"), Link: templates.Link{Text: tr(r, "card.noAnswer"), URL: at(r, "/calls#card-noAnswer")}})
	}
	return list
}

// online reports whether a device takes calls; "connected_with_issues" does.
func online(status string) bool { return strings.HasPrefix(status, "connected") }
