package templates

// Log is the page of the change log.
type Log struct {
	Filter LogFilter
	Chain  LogChain
	List   LogList
}

// LogFilter is the form of a search. It is sent by GET, so that a search is an
// address.
type LogFilter struct {
	URL      string
	Person   Field // Meaning is the name of who was found
	Actor    Field
	From, To Field // days
	Zone     string
	Kinds    []Option
	Outcomes []Option
	Choices  []Link // the people of whom one must be chosen
	Active   bool   // something is searched for
}

// LogChain says how long the log is kept, and what the last check of it found.
// Without URL the check is not offered.
type LogChain struct {
	Kept string
	Tone Tone // "" for a log that was never checked
	Text string
	Do   string // what to do about it; optional
	URL  string // POST
	For  string
}

// LogList is a page of entries, newest first.
type LogList struct {
	Card
	Blocked    bool // nothing was searched, because the form has faults
	Entries    []Entry
	Back       string // how far back was looked, when that is not to the end
	Older      Link
	Newest     Link
	CSV, JSONL Link
}

// Sessions is the page of somebody's sessions.
type Sessions struct {
	Card
	Self   bool // they are the reader's own
	Name   string
	Rows   []SessionRow
	EndAll Action
	Find   Field // to find somebody else's; without Name it is not offered
}

// SessionRow is one session.
type SessionRow struct {
	ID      string // html id
	Icon    string
	Device  string // "Firefox on Windows"
	Detail  string // since when, used last, until when
	From    string // the network address; optional
	Current bool
	End     Action
}

func logFaults(f LogFilter) []fault {
	return faults(
		fault{"log-person", f.Person.Error}, fault{"log-actor", f.Actor.Error}, fault{"log-from", f.From.Error}, fault{"log-to", f.To.Error},
	)
}
