package webexsim

import "slices"

// Persona is somebody with a story, present in every organization that is generated.
type Persona struct {
	Email       string // as written in Webex; compared without regard to case
	Name        string
	Description string // one line, for the page that asks whom to sign in as
}

// Personas lists those who are always there, in the order in which they are offered.
func Personas() []Persona {
	list := make([]Persona, len(cast))
	for i, r := range cast {
		list[i] = r.Persona
	}
	return list
}

// role is a persona with what makes them special.
type role struct {
	Persona
	first, last string
	place       int
	title       string
	extension   int  // 0 = none
	noNumber    bool // has an extension only
	noCalling   bool // no Calling licence, no location
	pending     bool // invited, never signed in
	foreign     bool // belongs to another organization
	admin       bool // Full Administrator
	alternate   bool // has a second number
	devices     []deviceKind
	guest       string            // who has a line on the first of them, too
	settings    map[string]string // setting to JSON that is merged into the initial state
	access      map[string]string // feature access of their own; nil = the organization's
	dormant     bool              // the organization's defaults apply in spite of access
}

// off is a short way to say that the organization hides a feature from somebody.
const off, full = "NO_ACCESS", "FULL_ACCESS"

var cast = []role{
	{
		Persona: Persona{"greta.holm@patchbay.example", "Greta Holm", "Berlin. Agent of three queues, two phones: the usual person to start with."},
		first:   "Greta", last: "Holm", place: berlin, title: "Sales Representative", extension: 1000, devices: []deviceKind{desk9851, dectOffline},
		settings: map[string]string{"voicemail": `{"sendUnansweredCalls":{"enabled":true,"numberOfRings":4}}`},
	},
	{
		Persona: Persona{"ben.fischer@patchbay.example", "Ben Fischer", "Berlin. Helpdesk: member of the group Portal Helpdesk."},
		first:   "Ben", last: "Fischer", place: berlin, title: "Helpdesk Engineer", extension: 1001, alternate: true, devices: []deviceKind{desk9861},
	},
	{
		Persona: Persona{"ines.keller@patchbay.example", "Ines Keller", "Berlin. IT administrator (Full Administrator) with a phone of her own."},
		first:   "Ines", last: "Keller", place: berlin, title: "IT Administrator", extension: 1002, admin: true, devices: []deviceKind{video8875}, guest: "nils.dahl@patchbay.example",
	},
	{
		Persona: Persona{"omar.haddad@patchbay.example", "Omar Haddad", "Administrator without a Calling licence."},
		first:   "Omar", last: "Haddad", place: berlin, title: "Head of IT", noCalling: true, admin: true,
	},
	{
		Persona: Persona{"ana.lopez@patchbay.example", "Ana López", "Madrid. Agent of a plain queue and of a Customer Assist queue."},
		first:   "Ana", last: "López", place: madrid, title: "Customer Advisor", extension: 2000, devices: []deviceKind{desk9851},
	},
	{
		Persona: Persona{"tom.baker@patchbay.example", "Tom Baker", "London. Sends every call to an outside number."},
		first:   "Tom", last: "Baker", place: london, title: "Field Engineer", extension: 3000, devices: []deviceKind{desk8845},
		settings: map[string]string{"callForwarding": `{"callForwarding":{"always":{"enabled":true,"destination":"+442079460958","ringReminderEnabled":true}}}`},
	},
	{
		Persona: Persona{"hana.sato@patchbay.example", "Hana Sato", "Tokyo. The organization hides call forwarding and call waiting from her."},
		first:   "Hana", last: "Sato", place: tokyo, title: "Analyst", extension: 6000, devices: []deviceKind{desk9861},
		access: map[string]string{"callForwarding": off, "callWaiting": off},
	},
	{
		Persona: Persona{"raj.patel@patchbay.example", "Raj Patel", "Bengaluru. Features as the organization's defaults say."},
		first:   "Raj", last: "Patel", place: bengaluru, title: "Engineer", extension: 7000, devices: []deviceKind{desk9851},
		access: map[string]string{"callForwarding": off, "voicemail": off}, dormant: true,
	},
	{
		Persona: Persona{"maria.rossi@patchbay.example", "Maria Rossi", "Berlin. Agent of no queue."},
		first:   "Maria", last: "Rossi", place: berlin, title: "Controller", extension: 1003, devices: []deviceKind{desk9851},
	},
	{
		Persona: Persona{"noah.quinn@patchbay.example", "Noah Quinn", "No Calling licence: the portal should turn him away politely."},
		first:   "Noah", last: "Quinn", place: chicago, title: "Contractor", noCalling: true,
	},
	{
		Persona: Persona{"lena.braun@patchbay.example", "Lena Braun", "Berlin. Has a number, but no phone."},
		first:   "Lena", last: "Braun", place: berlin, title: "HR Partner", extension: 1004, devices: []deviceKind{},
	},
	{
		Persona: Persona{"paul.weber@patchbay.example", "Paul Weber", "Berlin. Has no number of his own, only an extension."},
		first:   "Paul", last: "Weber", place: berlin, title: "Technician", extension: 1005, noNumber: true, devices: []deviceKind{dect},
	},
	{
		Persona: Persona{"zoe.chen@patchbay.example", "Zoe Chen", "San Jose. Call intercept is on; numbers in the old ten-digit form."},
		first:   "Zoe", last: "Chen", place: sanJose, title: "Product Manager", extension: 4000, devices: []deviceKind{desk8845, room},
		settings: map[string]string{"intercept": `{"enabled":true,"incoming":{"announcements":{"newNumber":{"enabled":true,"destination":"+14085550142"}}}}`},
	},
	{
		Persona: Persona{"sam.oneill@patchbay.example", "Sam O'Neill", "Chicago. The last agent who is joined in the queue Night Desk."},
		first:   "Sam", last: "O'Neill", place: chicago, title: "Night Manager", extension: 5000, devices: []deviceKind{desk9851},
	},
	{
		Persona: Persona{"eva.lindqvist@patchbay.example", "Eva-Charlotta Lindqvist-Söderström von Hohenberg", "Munich. A name that is longer than most boxes."},
		first:   "Eva-Charlotta", last: "Lindqvist-Söderström von Hohenberg", place: munich, title: "Managing Director for Strategic Customer Relations and Partnerships", extension: 9000, devices: []deviceKind{video8875},
	},
	{
		Persona: Persona{"nils.dahl@patchbay.example", "Nils Dahl", "Berlin. Voicemail is off."},
		first:   "Nils", last: "Dahl", place: berlin, title: "Buyer", extension: 1006, devices: []deviceKind{desk9851},
		settings: map[string]string{"voicemail": `{"enabled":false,"sendUnansweredCalls":{"enabled":false},"sendBusyCalls":{"enabled":false}}`},
	},
	{
		Persona: Persona{"mei.wang@patchbay.example", "Mei Wang", "San Jose. Do not disturb is on, forwards when busy and when nobody answers."},
		first:   "Mei", last: "Wang", place: sanJose, title: "Team Lead", extension: 4001, devices: []deviceKind{desk9861},
		settings: map[string]string{
			"doNotDisturb":   `{"enabled":true,"ringSplashEnabled":true}`,
			"callForwarding": `{"callForwarding":{"busy":{"enabled":true,"destination":"4000"},"noAnswer":{"enabled":true,"destination":"+13125550187","numberOfRings":5}}}`,
		},
	},
	{
		Persona: Persona{"kofi.mensah@patchbay.example", "Kofi Mensah", "Paris. Invited, has not signed in to Webex yet."},
		first:   "Kofi", last: "Mensah", place: paris, title: "Trainee", extension: 8000, pending: true, devices: []deviceKind{},
	},
	{
		Persona: Persona{"Mixed.Case@Patchbay.example", "Mika Mixed-Case", "Berlin. The e-mail address is written with capital letters in Webex."},
		first:   "Mika", last: "Mixed-Case", place: berlin, title: "Analyst", extension: 1007, devices: []deviceKind{desk9851},
	},
	{
		Persona: Persona{"stranger@elsewhere.example", "Sten Stranger", "Has a Webex account in another organization."},
		first:   "Sten", last: "Stranger", foreign: true,
	},
}

// locals are those of the cast who belong to the organization; they are its first people.
func locals() []role {
	return slices.DeleteFunc(slices.Clone(cast), func(r role) bool { return r.foreign })
}

// foreigners are the others.
func foreigners() []role {
	return slices.DeleteFunc(slices.Clone(cast), func(r role) bool { return !r.foreign })
}
