package templates

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/a-h/templ"
)

// Choice is one of several values to choose from.
type Choice struct {
	Value   string
	Text    string
	Hint    string // optional
	Current bool
}

// People is the search for people.
type People struct {
	Query     string
	Scope     string   // "You help: Berlin, München"
	Locations []Choice // none: there is nothing to choose
	Found     Found
}

// Found is what a search for people has found.
type Found struct {
	Count int // on all pages
	Rows  []FoundPerson
	Asked bool   // something was looked for
	State string // how old the directory is, when that matters
	// MoreURL answers the next rows; "" on the last page.
	MoreURL string
	// AgainURL is looked at again AgainEvery, while there is nothing to search yet.
	AgainURL, AgainEvery string
}

// FoundPerson is one row.
type FoundPerson struct {
	Name      string
	URL       string
	Location  string
	Extension string // "ext. 1000"
	Number    string
	Email     string
}

// Lendings are what somebody has lent to colleagues, or they to them.
type Lendings struct {
	Card
	Rows []Lending
	Lend Link // to the page on which one lends; empty on that page
}

// Lending is one row.
type Lending struct {
	ID     string // html id, unique in the page
	Text   string // "Ana López may change your forwarding and queues"
	Until  string
	Reason string
	Name   string // of the other one, for the name of the button
	Open   Link   // to the pages of whoever has lent; optional
	End    Action
}

// News are changes that somebody else has made for the reader.
type News struct {
	Card
	Rows []Entry
	All  Link
}

// Colleagues are those to choose from for what was typed.
type Colleagues struct {
	Choices []Choice // by id; Hint is the location
	Asked   bool     // enough was typed to look for somebody
}

// Lend is the page on which people lend their forwarding and queues.
type Lend struct {
	URL        string // POST
	SuggestURL string // GET with the field's value answers Colleagues
	For        string
	Colleague  Field
	Colleagues Colleagues
	When       []Choice
	Other      Choice // Value chooses Until
	Until      Field
	Zone       string // "Times are in Berlin."
	Reason     Field
	Lendings   Lendings
}

// searching lets htmx search while somebody types.
func searching(url, target string) templ.OrderedAttributes {
	return templ.OrderedAttributes{
		{Key: "hx-get", Value: url},
		{Key: "hx-trigger", Value: "input changed delay:150ms, submit"},
		{Key: "hx-target", Value: "#" + target},
		{Key: "hx-swap", Value: "outerHTML"},
		{Key: "hx-sync", Value: "this:replace"},
	}
}

// suggesting lets htmx ask for suggestions for what is typed into a field.
func suggesting(url, target string) templ.OrderedAttributes {
	return templ.OrderedAttributes{
		{Key: "hx-get", Value: url},
		{Key: "hx-trigger", Value: "input changed delay:200ms"},
		{Key: "hx-target", Value: "#" + target},
		{Key: "hx-swap", Value: "outerHTML"},
		{Key: "hx-sync", Value: "this:replace"},
	}
}

// lookingAgain lets htmx ask for what was found once more after a while.
func lookingAgain(f Found) templ.OrderedAttributes {
	if f.AgainURL == "" {
		return nil
	}
	return templ.OrderedAttributes{
		{Key: "hx-get", Value: f.AgainURL},
		{Key: "hx-trigger", Value: "load delay:" + f.AgainEvery},
		{Key: "hx-target", Value: "this"},
		{Key: "hx-swap", Value: "outerHTML"},
	}
}

// more lets htmx put the next rows in the place of the link to them.
func more(f Found) templ.OrderedAttributes {
	return templ.OrderedAttributes{
		{Key: "hx-get", Value: f.MoreURL},
		{Key: "hx-target", Value: "#people-more"},
		{Key: "hx-swap", Value: "outerHTML"},
		{Key: "hx-sync", Value: "this:drop"},
	}
}

func lendFaults(p Lend) []fault {
	return faults(fault{"lend-colleague", p.Colleague.Error}, fault{"lend-until", p.Until.Error}, fault{"lend-reason", p.Reason.Error})
}

// initialsOf are the first letters of the first and the last word of a name.
func initialsOf(name string) string {
	words := strings.Fields(name)
	if len(words) > 2 {
		words = []string{words[0], words[len(words)-1]}
	}
	var letters []rune
	for _, w := range words {
		r, _ := utf8.DecodeRuneInString(w)
		letters = append(letters, unicode.ToUpper(r))
	}
	return string(letters)
}
