package templates

import "strconv"

// Access is the page of who holds which role.
type Access struct {
	GrantURL string // the way to grant a role; "" for who may not
	Search   Field  // GET q
	Searched bool   // something was searched for: Found says what there is
	Found    []Match
	Filter   Filter
	Soon     []Grant // those that end soon
	Grants   []Grant
	Total    string // "Grants: 120"
	General  []string
	Older    Link
	Problem  string // why the list cannot be shown
}

// Filter says what the page Access shows a part of.
type Filter struct {
	Text  string // "" shows everything
	Clear Link
}

// Match is somebody or something that a search found, and where it leads.
type Match struct {
	Name   string
	Detail string
	Links  []Link
	Button Action // instead of links, for what posts
}

// Grant is one grant as a sentence.
type Grant struct {
	ID       string // html id, unique in the page
	Sentence string
	By       string // "Granted by Ines Keller on Mon 2 March"
	Reason   string // "Reason: ticket 48213"
	End      Tag
	Holders  string   // who holds it through a group
	May      []string // what it gives, in words
	Extend   Link
	Revoke   Link
	Holder   Link // all that the same person or group holds
}

// ChangeGrant is the step before a grant is revoked or extended.
type ChangeGrant struct {
	URL      string // POST
	For      string
	Revoking bool
	Grant    Grant
	Ends     []string // what the person can do no more
	Until    Field    // only of an extension
	Zone     string
	Reason   Field
	Problem  string
	Act      string // the words of the button
	Back     Link
}

// The steps of granting a role.
const (
	StepWho    = "who"
	StepRole   = "role"
	StepWhere  = "where"
	StepWhen   = "when"
	StepReview = "review"
)

// Granting is one step of granting a role. Every step is a form that carries what
// was chosen before.
type Granting struct {
	URL     string // POST
	For     string
	Step    string
	Kept    []Hidden // what was chosen in other steps
	Chosen  []Chosen
	Problem string // what is wrong with this step
	Search  Field
	Offered bool    // who: something was searched for
	Found   []Match // who
	Roles   []RoleChoice
	Kinds   []Option
	Kind    string // where: the kind that is being chosen
	Ticks   []Option
	More    string // where: that there are more than are shown
	Until   Field
	Zone    string
	Quick   []Option // shortcuts for the end
	Reason  Field
	Review  []string
	May     []string
	Act     string
	Back    Link
}

// Chosen is what was chosen in an earlier step.
type Chosen struct {
	Step  string
	Label string
	Value string
}

// RoleChoice is a role with what it gives.
type RoleChoice struct {
	Value string
	Title string
	About string
	May   []string
	On    bool
}

// Option is a choice among others.
type Option struct {
	Value  string
	Text   string
	Detail string
	On     bool
}

// Policy is the page of what the portal itself forbids.
type Policy struct {
	URL       string // POST
	For       string
	ETag      string
	ReadOnly  bool // the reader may not change it
	Places    []Option
	Place     string // the id of the location; "" is the organization
	PlaceName string
	Roles     []string // the heads of the columns
	Rows      []PolicyRow
	Reasons   []Option // for the organization only
	Contact   Field
	Printed   string // how a locked setting will read
	Review    *PolicyReview
	Problem   string
	Preview   *PreviewSearch
}

// PolicyRow is one setting.
type PolicyRow struct {
	Title string
	Webex Tag // what Webex itself says; empty when that is not known
	Cells []PolicyCell
}

// PolicyCell is one setting for one role.
type PolicyCell struct {
	ID      string
	Name    string
	Label   string // "Call forwarding for Helpdesk"
	Options []Option
	Now     string // in words
}

// PolicyReview is the step before the policy is changed.
type PolicyReview struct {
	Differences []Difference
	Concerned   string // how many people it concerns
	Kept        []Hidden
	Reason      Field
}

// PreviewSearch finds somebody whose portal is to be seen.
type PreviewSearch struct {
	Search   Field
	Searched bool
	Found    []Match
}

// grantingFaults says what is wrong with a step, and where.
func grantingFaults(p Granting) []fault {
	at := map[string]string{StepWho: "step-q", StepRole: "step-choice", StepWhere: "step-next", StepWhen: "step-until", StepReview: "step-act"}[p.Step]
	if len(p.Ticks) > 0 {
		at = "step-choice"
	}
	return faults(fault{at, p.Problem}, fault{"step-until", p.Until.Error}, fault{"step-reason", p.Reason.Error})
}

func tickID(i int) string { return "tick-" + strconv.Itoa(i) }
