// Package templates turns plain values into HTML. Every page, every card and
// every state of a card is here; nothing here reads a clock, a store or the
// network. Texts in the props are already in the reader's language; fixed words
// come from internal/i18n/locales/pages.*.json.
//
// One card is one component. The full page, the answer to a form and the gallery
// all render the same component, so they cannot drift apart.
package templates

// Themes that a person can choose; the value of Frame.Theme and of the cookie
// portal_theme.
const (
	ThemeSystem = "system"
	ThemeLight  = "light"
	ThemeDark   = "dark"
)

// Frame is what surrounds a page.
type Frame struct {
	Title       string // the h1, and the first part of the window's title
	Group       string // the second part of the window's title: "Me"
	HasError    bool   // the window's title starts with "Error: "
	Lang        string // BCP 47, for the lang attribute
	Theme       string // ThemeSystem, ThemeLight or ThemeDark
	Person      Person
	Nav         []NavGroup // only what the person may open
	Languages   []Language // one or none: no choice is offered
	TimeZone    string     // "Berlin time"
	Strips      []Strip
	Flash       Note   // what the last form did, when the browser has no JavaScript
	NoScriptURL string // where a browser without JavaScript gets the cards; "" when they are in the page
	URLs        URLs
	Band        Band // the pages of somebody else; without Name one's own

	// What only a browser can notice, shown by the gallery.
	sessionEnded bool
	offline      bool
}

// URLs are the addresses that the frame itself needs.
type URLs struct {
	Home        string
	Help        string
	SignIn      string // opened in a second window when the session has ended
	SignOut     string // POST
	Preferences string // POST theme, lang and next: for browsers without JavaScript
	Sessions    string // the page of one's sessions
	People      string // GET with ?query= finds people; "" for who may not
	Lend        string // the page on which one lends one's forwarding and queues; "" without any
	Session     string // answers 200 while somebody is signed in, 401 otherwise
}

// Band says, on every page of somebody else, for whom one works. It cannot be
// dismissed, only stopped.
type Band struct {
	Name     string
	Reason   string // optional
	StopURL  string // POST
	ReadOnly bool   // nothing can be changed
	Preview  bool   // the portal as this person sees it
}

// StartActing asks for a reason before somebody works for another.
type StartActing struct {
	URL      string // POST
	Next     string
	Name     string
	For      string
	Required bool // a reason must be given
	Reason   Field
	Back     Link
}

// Person is who is signed in.
type Person struct {
	Name     string
	Initials string
	Email    string
}

// NavGroup is a titled part of the navigation.
type NavGroup struct {
	Name    string // "me", "help" or "run": the text is nav.group.<Name>
	Title   string // instead of that text: whose pages these are
	Entries []NavEntry
}

// NavEntry is one page in the navigation.
type NavEntry struct {
	Page    string // "home": the text is nav.<Page>, and the icon follows it
	URL     string
	Current bool
}

// Language is one choice in the account menu.
type Language struct {
	Tag     string // BCP 47, the value of the cookie portal_lang
	Name    string // in its own language
	Current bool
}

// Tone is the feeling of a strip, a tag or a message. It is never the only
// carrier of a meaning: an icon and words go with it.
type Tone string

// The tones.
const (
	ToneGood  Tone = "good"
	ToneWarn  Tone = "warn"
	ToneBad   Tone = "bad"
	TonePlain Tone = "plain"
)

// Strip is a message about the whole portal, above every page.
type Strip struct {
	ID           string // html id, unique in the page
	Tone         Tone
	Text         string
	Link         Link // optional
	RetrySeconds int  // when above zero the text ends with a countdown
}

// Link is an address and the words for it. Without URL it is plain text.
type Link struct {
	Text string
	URL  string
}

// State is what a card knows.
type State int

// The states of a card.
const (
	Loading State = iota // a placeholder that fetches the card
	Ready                // the values are there
	Failed               // they could not be read; see Card.Problem
)

// Card is what every card has.
type Card struct {
	ID      string // html id, the target of every answer: "card-queues"
	Name    string // "queues": sent as _card; the heading is card.<Name>
	URL     string // GET answers this card alone
	PageURL string // the page around it, for browsers without JavaScript
	State   State
	Problem Problem // for Failed
	Note    Note    // the outcome of the last change of this card
	AsOf    string  // "10:42" when the values are older than five minutes
	Locked  Locked
	Rows    int  // how many rows to reserve while loading; 0 takes the usual
	Refresh bool // the values were read a while ago: shown at once, and read again
	OOB     bool // the card comes along with the answer to another card's form
}

// Problem tells of something that could not be read or done.
type Problem struct {
	What         string // what happened
	Unchanged    string // what was not changed; optional
	Do           string // what to do; optional
	Reference    string // optional
	RetrySeconds int    // the card asks again by itself after this many seconds
}

// Locked tells that another level decides. Why empty means not locked.
type Locked struct {
	Why string // who decides and whom to ask: "Your organisation manages this setting. ..."
	Now string // the present value, "off"
}

// NoteKind is the outcome of a change.
type NoteKind int

// The outcomes.
const (
	NoNote           NoteKind = iota
	Saved                     // Webex accepted it; At, Undo
	NotSaved                  // refused or failed; Text, Reference
	NotSure                   // nobody knows yet; CheckURL is asked again
	ChangedElsewhere          // Text, Theirs, Mine, KeepTheirs, UseMine
	RateLimited               // Seconds, Retry is sent when they are over
	NothingToSave             // the form was as before
	Notice                    // Text
)

// Note is shown beside the control that it speaks of.
type Note struct {
	Kind       NoteKind
	At         string // "10:42"
	Text       string
	Reference  string
	Undo       Action
	Theirs     string
	Mine       string
	MineLabel  string // what Mine is; "" is what somebody has typed
	KeepTheirs Action
	UseMine    Action
	Seconds    int
	Retry      Action
	CheckURL   string // GET answers the card with the outcome
}

// Action is one button that posts. Without URL there is no button.
type Action struct {
	ID     string // html id of the button, unique in the page
	URL    string
	Label  string // "" takes the usual words of the place
	Hidden []Hidden
}

// Hidden is a value that a form carries unseen.
type Hidden struct {
	Name  string
	Value string
}

// Form is what every form of a setting carries.
type Form struct {
	URL    string   // POST
	ETag   string   // of what was read, sent as _etag
	Fields []string // names that the form can change, sent as _fields
	For    string   // whom the form is for, sent as _for
	Typed  bool     // the values are what somebody typed, not what is stored
}

// Check is a tick. Without Name it is not offered.
type Check struct {
	Name string
	On   bool
}

// Field is a line of text.
type Field struct {
	Name       string
	Value      string
	Meaning    string // "outside number, Germany, +49 40 123456"
	MeaningURL string // GET with the field's name and value answers the meaning as text; optional
	Error      string
}

// Rings is a number of rings.
type Rings struct {
	Name  string
	Value int
	Min   int
	Max   int
	Error string
}

// Switch is saved the moment it is touched.
type Switch struct {
	ID     string // html id of the switch; its row is <ID>-row
	Name   string // form field, sent as true or false
	Label  string
	Hint   string
	On     bool
	Form   Form
	Note   Note
	Locked Locked
}

// Confirm asks before something that others will feel.
type Confirm struct {
	Text string // "You are the last person in Sales Hotline. ..."
	Go   Action // "Leave anyway"
	Stay string // GET address that shows the card as it is
}

// Tag is a word with an icon.
type Tag struct {
	Tone Tone
	Text string
}

// Segment is a piece of a sentence; with URL it is a link.
type Segment = Link

// Step is one station of a call.
type Step struct {
	Icon   string // "incoming", "phones", "voicemail", "forward", "mobile", "queues", "blocked", "cancel"
	Title  string
	Detail string
}

// Warning stands under Right now.
type Warning struct {
	Text string
	Link Link
}

// RightNow says what happens to a call.
type RightNow struct {
	Card
	Tag      Tag
	Sentence []Segment
	Steps    []Step
	Warnings []Warning
}

// Numbers is the line below the heading of Home.
type Numbers struct {
	Card
	Parts []string
}

// Quick is the row of quick actions. Parts that the person may not use are left
// out: an empty address, an empty name.
type Quick struct {
	Card
	ForwardURL   string
	ForwardHint  string // "to a person or number"
	DoNotDisturb Switch
	QueuesHint   string // "joined in 2 of 3"
	LeaveAll     Action
	LeaveConfirm Confirm
}

// Queues lists the person's queues.
type Queues struct {
	Card
	Rows    []Queue
	All     Link // to the page of queues; empty on that page
	JoinAll Action
	// LeaveAll and JoinAll are left out when they would change nothing.
	LeaveAll Action
	Confirm  Confirm // of leaving all
}

// Queue is one row.
type Queue struct {
	ID      string // html id of the switch, unique in the page
	Name    string
	Detail  string // "ext. 5010 · 4 of 9 joined"
	Joined  bool
	CanJoin bool
	Lock    string // why there is no switch: "Joined. Anna Weber decides who joins."
	Form    Form
	Note    Note
	Confirm Confirm
}

// Phones lists the person's devices.
type Phones struct {
	Card
	Rows []Phone
	All  Link
}

// Phone is one device.
type Phone struct {
	Name   string
	Detail string // "desk, Berlin · 00:11:22:33:44:55"
	Tag    Tag
}

// Forward is one of the four forwarding cards; Card.Name is always, busy,
// noAnswer or unreachable.
type Forward struct {
	Card
	Form         Form
	Enabled      Check
	Destination  Field
	Voicemail    Check // to the destination's voicemail
	RingReminder Check // only always
	Rings        Rings // only noAnswer
}

// Switches is a card of switches: doNotDisturb and callWaiting.
type Switches struct {
	Card
	Items []Switch
}

// Intercept is the card of call intercept. With Review it shows the differences
// and one button instead of the form.
type Intercept struct {
	Card
	Form               Form
	Enabled            Check
	Incoming           Check  // Name incoming.type: On sends INTERCEPT_ALL, else ALLOW_ALL
	IncomingVoicemail  Check  // incoming.voicemailEnabled
	NewNumber          Check  // incoming.announcements.newNumber.enabled
	NewNumberTo        Field  // incoming.announcements.newNumber.destination
	ZeroTransfer       Check  // incoming.announcements.zeroTransfer.enabled
	ZeroTransferTo     Field  // incoming.announcements.zeroTransfer.destination
	Outgoing           Check  // Name outgoing.type: On sends INTERCEPT_ALL, else ALLOW_LOCAL_ONLY
	OutgoingTransfer   Check  // outgoing.transferEnabled
	OutgoingTransferTo Field  // outgoing.destination
	Review             Review // set: the second step
}

// Review is the step before a change with consequences.
type Review struct {
	Differences []Difference
	Values      []Hidden // the whole form again
	Label       string   // the act: "Start intercepting calls"
}

// Difference is one value before and after.
type Difference struct {
	Label  string
	Before string
	After  string
}

// History lists changes, newest first.
type History struct {
	Card
	Entries []Entry
	Older   Link
}

// Entry is one change.
type Entry struct {
	ID       string // html id, unique in the page
	Sentence string
	Who      string
	When     string
	Reason   string
	Changes  []Difference
	Outcome  Tag
	Undo     Action
	WhyNot   string // why there is no Undo
	Note     Note
	ByOther  bool         // somebody else did it: a helper
	Ask      Field        // what an undo must be told first; without Name nothing
	Details  []Difference // Label and After, shown on demand
}

// Health tells administrators how the portal is.
type Health struct {
	Card
	Items []HealthItem
}

// HealthItem is one part of the portal: words first, then numbers.
type HealthItem struct {
	Title   string
	Tag     Tag
	Text    string
	Numbers []Difference // Label and After
}

// HomeCards are the cards of Home. A nil card is not licensed and not shown.
type HomeCards struct {
	Numbers  Numbers
	RightNow RightNow
	Quick    *Quick
	Queues   *Queues
	Phones   *Phones
	News     *News     // nil: the pages of somebody else
	Lendings *Lendings // nil: the pages of somebody else
}

// CallsCards are the cards of Calls. A nil card is not licensed and not shown.
type CallsCards struct {
	RightNow     RightNow
	Always       *Forward
	Busy         *Forward
	NoAnswer     *Forward
	Unreachable  *Forward
	DoNotDisturb *Switches
	CallWaiting  *Switches
	Intercept    *Intercept
}

// SignIn is the page before anybody is signed in.
type SignIn struct {
	URL       string // starts Login with Webex
	Reason    string // why the person is here: "You were signed out."; optional
	Failed    bool   // Reason tells of a failed sign-in
	Reference string
}

// Message is a page that tells of a failure.
type Message struct {
	Text      string // what happened, what it means
	Do        string // what to do; optional
	Reference string
	Primary   Link // optional
	Secondary Link // optional
}

// Docs is the page to try the JSON API.
type Docs struct {
	SpecURL string // /api/openapi.json
}
