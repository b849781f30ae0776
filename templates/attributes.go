package templates

import (
	"strings"

	"github.com/a-h/templ"
)

// fetching lets htmx read a card: at once while it is loading, and again
// whenever app.js asks. Values that may be shown are left alone until then.
func fetching(c Card) templ.OrderedAttributes {
	var attrs templ.OrderedAttributes
	add := func(name string, value any) {
		attrs = append(attrs, templ.KeyValue[string, any]{Key: name, Value: value})
	}
	if c.State == Loading {
		add("aria-busy", "true")
	}
	if c.URL != "" {
		trigger := "portal:retry"
		if c.State == Loading || c.Refresh {
			trigger = "load, portal:retry"
		}
		add("hx-get", c.URL)
		add("hx-trigger", trigger)
		add("hx-target", "this")
		add("hx-swap", "outerHTML")
		add("hx-sync", "this:replace")
	}
	if c.OOB {
		add("hx-swap-oob", "true")
	}
	return attrs
}

// posting lets htmx send a form and put the answer in the place of target.
// Without a target the browser sends it and shows the next page. A second click
// while the first is under way sends nothing.
func posting(url, target string) templ.OrderedAttributes {
	return postingInTurn(url, target, "this:drop")
}

// switching is posting for a switch: a second touch waits, and the last one wins.
func switching(url, target string) templ.OrderedAttributes {
	return postingInTurn(url, target, "this:queue last")
}

func postingInTurn(url, target, sync string) templ.OrderedAttributes {
	if target == "" {
		return nil
	}
	return templ.OrderedAttributes{
		{Key: "hx-post", Value: url},
		{Key: "hx-target", Value: "#" + target},
		{Key: "hx-swap", Value: "outerHTML"},
		{Key: "hx-sync", Value: sync},
	}
}

// checking asks for the outcome of a change that nobody knows yet.
func checking(n Note, target string) templ.OrderedAttributes {
	if n.CheckURL == "" || target == "" {
		return nil
	}
	return templ.OrderedAttributes{
		{Key: "hx-get", Value: n.CheckURL},
		{Key: "hx-trigger", Value: "load delay:2s"},
		{Key: "hx-target", Value: "#" + target},
		{Key: "hx-swap", Value: "outerHTML"},
	}
}

// meaning asks what a number means while it is typed.
func meaning(id string, f Field) templ.OrderedAttributes {
	if f.MeaningURL == "" {
		return nil
	}
	return templ.OrderedAttributes{
		{Key: "hx-get", Value: f.MeaningURL},
		{Key: "hx-trigger", Value: "input changed delay:300ms"},
		{Key: "hx-target", Value: "#" + id + "-meaning"},
		{Key: "hx-swap", Value: "textContent"},
		{Key: "hx-sync", Value: "this:replace"},
	}
}

func actionID(id string, a Action) string {
	if a.ID != "" {
		return a.ID
	}
	return id
}

// usualRows is the height of a card before anything is known about it, so that
// the page does not jump when it comes.
func usualRows(name string) int {
	switch name {
	case "queues", "history", "health", "doNotDisturb":
		return 3
	case "rightNow", "phones":
		return 2
	default:
		return 1
	}
}

// kept marks a form whose values are what somebody typed and not what is stored,
// so that Save does not answer "Nothing to save".
func kept(f Form, n Note, wrong []fault) bool {
	switch n.Kind {
	case NotSaved, ChangedElsewhere, RateLimited:
		return true
	case NoNote:
		return f.Typed || len(wrong) > 0
	default:
		return false
	}
}

// choice is one radio button.
type choice struct {
	Value string
	Key   string // of its words
}

// fault is one line of the summary above a form.
type fault struct {
	ID   string // of the field
	Text string
}

func faults(list ...fault) []fault {
	var found []fault
	for _, f := range list {
		if f.Text != "" {
			found = append(found, f)
		}
	}
	return found
}

func forwardFaults(p Forward) []fault {
	return faults(fault{p.ID + "-rings", p.Rings.Error}, fault{p.ID + "-destination", p.Destination.Error})
}

func interceptFaults(p Intercept) []fault {
	return faults(
		fault{p.ID + "-new-to", p.NewNumberTo.Error},
		fault{p.ID + "-zero-to", p.ZeroTransferTo.Error},
		fault{p.ID + "-out-to", p.OutgoingTransferTo.Error},
	)
}

// joined puts what is known into one line.
func joined(parts ...string) string {
	var known []string
	for _, p := range parts {
		if p != "" {
			known = append(known, p)
		}
	}
	return strings.Join(known, " · ")
}
