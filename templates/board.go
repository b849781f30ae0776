package templates

import (
	"context"
	"strings"

	"patchbay/internal/i18n"
)

// Boards is the list of queue boards, one card for each queue.
type Boards struct {
	Card
	Filter BoardFilter
	Shown  string // "21 to 40 of 700"; "" when all are on one page
	Queues []BoardCard
	Newer  Link // the pages before and after
	Older  Link
	Reason BoardReason
	One    bool // the page of a single queue
	All    Link // to the list, on the page of a single queue
}

// BoardFilter chooses queues by name and place.
type BoardFilter struct {
	URL    string // GET
	Text   string
	Places []BoardPlace // one or none: no choice is offered
	Hidden []Hidden
	Active bool // something is chosen: an empty list says so
	All    Link // takes the filter away
}

// BoardPlace is a location to choose.
type BoardPlace struct {
	ID, Name string
	Chosen   bool
}

// BoardReason asks why somebody changes queues, where the policy wants to know.
type BoardReason struct {
	Needed bool
	URL    string // GET
	Reason string // as given; "" when it still has to be
	Hidden []Hidden
	Change Link // to give another one
}

// BoardCard is a queue with its agents. Card.Name is "board".
type BoardCard struct {
	Card
	Title    string
	Link     string // to the page of this queue
	Where    string // "Berlin · extension 991"
	Kind     Tag    // "Hunt group", "Closed"; optional
	Cover    Tag    // "2 of 4 wanted can take calls"
	Summary  string // "5 of 9 have joined, 1 of them is away."
	Read     string // "10:42:07"
	FreshURL string // GET answers the card, read anew
	Rows     []BoardAgent
	Lock     string // why nothing can be changed here; optional
	Form     Form   // of switching several
	Ticks    bool   // several can be chosen
	JoinAll  Action
	LeaveAll Action
	Confirm  BoardConfirm // of switching several
	Results  BoardResults
	Add      *BoardAdd
	Minimum  *BoardMinimum
}

// BoardAgent is one agent.
type BoardAgent struct {
	ID      string // html id of the switch, unique in the page
	Agent   string // Webex's id
	Name    string
	Detail  string // "extension 1000 · Berlin"
	State   Tag    // "Joined, but forwards all calls"
	Joined  bool
	Form    Form   // without URL there is no switch
	Remove  string // GET asks; "" where nobody can be removed
	Note    Note
	Confirm BoardConfirm
}

// BoardConfirm asks before something that callers will feel. Without Text it is not there.
type BoardConfirm struct {
	Text  string
	Go    Action
	Stay  string // GET address of the card as it is
	Label string // of that link; "" takes the usual words
}

// BoardResults say what became of each of several agents.
type BoardResults struct {
	Title string // "3 agents have joined."
	Tone  Tone
	Done  []BoardResult
	Not   []BoardResult
}

// BoardResult is what became of one agent.
type BoardResult struct {
	Name string
	Why  string // of those who were not changed
	Undo Action
}

// BoardAdd adds somebody.
type BoardAdd struct {
	URL     string // POST
	FindURL string // GET with the text answers BoardFound
	Hidden  []Hidden
	Who     Field
	Join    Check // without Name nobody joins here
	Hint    string
	Found   BoardFound
	Open    bool
}

// BoardFound are people to choose from.
type BoardFound struct {
	Text   string // "3 people found."
	People []BoardPerson
}

// BoardPerson is somebody who can be added.
type BoardPerson struct {
	ID, Name, Detail string
}

// BoardMinimum says how many agents should be able to take calls.
type BoardMinimum struct {
	URL    string // POST
	Hidden []Hidden
	Value  string
	Error  string
	Open   bool
}

// someWords are the words of a button for those who are ticked, for every number of
// them, so that app.js needs no grammar.
func someWords(ctx context.Context, act string, rows []BoardAgent) string {
	words := []string{i18n.T(ctx, "board.ticked."+act)}
	for n := range rows {
		words = append(words, i18n.T(ctx, "board.some."+act, "Count", n+1))
	}
	return strings.Join(words, "|")
}
