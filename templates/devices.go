package templates

// Devices lists the phones of somebody else, with what can be done to them.
type Devices struct {
	Card
	Rows []Device
}

// Device is one phone. What cannot be done to it has no address.
type Device struct {
	ID string // html id, unique in the page
	Phone
	LinesURL   string
	RestartURL string
	RemoveURL  string
	Elsewhere  string // why nothing can be done to it here; optional
}

// NewPhone makes an activation code, and shows it once.
type NewPhone struct {
	Card
	Form   Form
	Name   string // whose phone it will be
	Models []Option
	Model  Field
	Code   ActivationCode // set: it was made
}

// ActivationCode is a code for one new phone.
type ActivationCode struct {
	Text  string // "1234 5678 9012 3456"
	Model string
	Until string // "It can be used until Mon 30 November, 10:42 (Berlin time)."
	QR    QR
}

// QR is a QR code, drawn in modules.
type QR struct {
	Size int    // modules on a side, with the quiet zone
	Path string // of the dark modules, for an SVG path
}

// Lines are the labels of a phone's lines, with Save.
type Lines struct {
	Card
	Form       Form
	Rows       []Line
	RestartURL string
}

// Line is one line of a phone.
type Line struct {
	Label string // "Keys 1 and 2: Greta Holm"
	Hint  string // "extension 5012"
	Field Field
}

// PhoneAct is the step before something that is done to a phone.
type PhoneAct struct {
	URL          string // POST
	For          string
	Phone        Phone
	Consequences []string
	Label        string // the act: "Remove phone"
	Note         Note
	Back         string
}

func lineFaults(p Lines) []fault {
	var list []fault
	for _, l := range p.Rows {
		list = append(list, fault{lineID(p.ID, l), l.Field.Error})
	}
	return faults(list...)
}

func lineID(card string, l Line) string { return card + "-" + l.Field.Name }
