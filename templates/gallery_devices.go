package templates

import "fmt"

// devicesStates are the gallery's states of phones of others.
func devicesStates(f Frame) []GalleryState {
	var all []GalleryState
	add := func(id, title string, show func(id string) GalleryState) {
		s := show(id)
		s.ID, s.Title = id, title
		all = append(all, s)
	}
	list := func(change func(p *Devices)) func(string) GalleryState {
		return func(id string) GalleryState {
			return GalleryState{Show: DevicesCard(with(fixtureDevices(id), change))}
		}
	}
	add("devices-loaded", "Phones of others: loaded", list(func(*Devices) {}))
	add("devices-reading", "Phones of others: may only be read", list(readOnlyDevices))
	add("devices-locked", "Phones of others: the policy forbids", list(func(p *Devices) {
		readOnlyDevices(p)
		p.Locked.Why = "Your organisation manages this here. To change it, contact IT Service Desk, ext. 1000."
	}))
	add("devices-empty", "Phones of others: empty", list(func(p *Devices) { p.Rows = nil }))
	add("devices-last-known", "Phones of others: Webex is down", list(func(p *Devices) {
		p.Note = Note{Kind: Notice, Text: "Webex does not answer. You see what was known last."}
	}))
	add("devices-loading", "Phones of others: loading", list(func(p *Devices) { p.State = Loading }))
	add("devices-error", "Phones of others: error", list(func(p *Devices) { p.Card = fixtureError("devices-error", "devices") }))

	code := func(change func(p *NewPhone)) func(string) GalleryState {
		return func(id string) GalleryState {
			return GalleryState{Show: NewPhoneCard(with(fixtureNewPhone(id), change))}
		}
	}
	add("new-phone-loaded", "New phone: loaded", code(func(*NewPhone) {}))
	add("new-phone-wrong", "New phone: no model", code(func(p *NewPhone) { p.Model.Error = "Choose the model of the new phone." }))
	add("new-phone-refused", "New phone: refused", code(func(p *NewPhone) {
		p.Model.Value = "DMS Cisco 9861"
		p.Note = Note{Kind: NotSaved, Text: "No activation code was made. Webex makes no code for this person.", Reference: "PATCHBAY_77ab"}
	}))
	add("new-phone-code", "New phone: code", code(fixtureCode))
	add("new-phone-loading", "New phone: loading", code(func(p *NewPhone) { p.State = Loading }))
	add("new-phone-error", "New phone: error", code(func(p *NewPhone) { p.Card = fixtureError("new-phone-error", "newPhone") }))

	lines := func(change func(p *Lines)) func(string) GalleryState {
		return func(id string) GalleryState {
			return GalleryState{Show: LinesCard(with(fixtureLines(id), change))}
		}
	}
	add("lines-loaded", "Line labels: loaded", lines(func(*Lines) {}))
	add("lines-wrong", "Line labels: too long", lines(func(p *Lines) {
		p.Rows[0].Field.Error = "A label has at most 63 characters, on one line. Shorten it."
	}))
	add("lines-saved", "Line labels: saved", lines(func(p *Lines) { p.Note = fixtureSaved(p.ID) }))
	add("lines-changed", "Line labels: changed elsewhere", lines(func(p *Lines) { p.Note = fixtureChanged(p.ID) }))
	add("lines-locked", "Line labels: locked", lines(func(p *Lines) { p.Locked = fixtureLocked() }))
	add("lines-empty", "Line labels: empty", lines(func(p *Lines) { p.Rows = nil }))
	add("lines-loading", "Line labels: loading", lines(func(p *Lines) { p.State = Loading }))
	add("lines-error", "Line labels: error", lines(func(p *Lines) { p.Card = fixtureError("lines-error", "lines") }))

	page := func(title string, show func(f Frame) GalleryState) func(string) GalleryState {
		return func(string) GalleryState {
			framed := f
			framed.Title, framed.Group, framed.Nav, framed.Band = title, "Greta Holm", fixtureNav("phones"), Band{Name: "Greta Holm", StopURL: "/people/1/stop"}
			s := show(framed)
			s.Page = true
			return s
		}
	}
	add("page-devices", "Page: phones of others", page("Phones", func(f Frame) GalleryState {
		code := fixtureNewPhone("page-new-phone")
		return GalleryState{Show: DevicesPage(f, fixtureDevices("page-devices"), &code)}
	}))
	add("page-devices-code", "Page: phones of others, with a code", page("Phones", func(f Frame) GalleryState {
		code := with(fixtureNewPhone("page-new-phone"), fixtureCode)
		return GalleryState{Show: DevicesPage(f, fixtureDevices("page-devices"), &code)}
	}))
	add("page-phone", "Page: one phone", page("Cisco Desk Phone 9851", func(f Frame) GalleryState {
		return GalleryState{Show: PhonePage(f, "?only=page-devices", fixtureLines("page-phone"))}
	}))
	add("page-phone-remove", "Page: review before a phone is removed", page("Remove Cisco Desk Phone 9851", func(f Frame) GalleryState {
		return GalleryState{Show: PhoneActPage(f, fixtureRemoval())}
	}))
	add("page-phone-refused", "Page: a phone was not removed", page("Remove Cisco Desk Phone 9851", func(f Frame) GalleryState {
		f.HasError = true
		return GalleryState{Show: PhoneActPage(f, with(fixtureRemoval(), func(p *PhoneAct) { p.Note = fixtureNotSaved() }))}
	}))
	return all
}

func fixtureDevices(id string) Devices {
	return Devices{Card: fixtureCard(id, "devices", Ready), Rows: []Device{
		{ID: id + "-0", Phone: Phone{"Cisco Desk Phone 9851", "00:11:22:33:44:55", Tag{ToneGood, "Online"}}, LinesURL: "/phones/1", RestartURL: "/phones/1/restart", RemoveURL: "/phones/1/remove"},
		{ID: id + "-1", Phone: Phone{"Cisco IP DECT 6823, Warenannahme und Reklamationsbearbeitung Nord-West", "00:11:22:33:44:66 · last seen Thu 12 November, 09:12", Tag{ToneWarn, "Offline"}},
			LinesURL: "/phones/2", RestartURL: "/phones/2/restart", RemoveURL: "/phones/2/remove"},
		{ID: id + "-2", Phone: Phone{"Cisco Desk Phone 9861", "", Tag{TonePlain, "Being set up"}}, RemoveURL: "/phones/3/remove"},
		{ID: id + "-3", Phone: Phone{"Cisco 9851", "Ines Keller's phone, with a line of this person · 00:11:22:33:44:77", Tag{TonePlain, "State unknown"}},
			Elsewhere: "This phone belongs to Ines Keller. It is managed where its owner's phones are."},
	}}
}

func readOnlyDevices(p *Devices) {
	for i, d := range p.Rows {
		p.Rows[i] = Device{ID: d.ID, Phone: d.Phone}
	}
}

func fixtureNewPhone(id string) NewPhone {
	return NewPhone{
		Card: fixtureCard(id, "newPhone", Ready), Name: "Greta Holm", Form: Form{URL: "/people/1/activation-code"}, Model: Field{Name: "model"},
		Models: []Option{{Value: "DMS Cisco 9851", Text: "Cisco 9851"}, {Value: "DMS Cisco 9861", Text: "Cisco 9861"}, {Value: "roomOS", Text: "Room, Board or Desk device with RoomOS"}},
	}
}

func fixtureCode(p *NewPhone) {
	p.Code = ActivationCode{
		Text: "0123 4567 8901 2345", Model: "Cisco 9851", Until: "It can be used until Mon 30 November, 10:42 (Berlin time).", QR: QR{Size: 29, Path: fixtureQR()},
	}
}

// fixtureQR looks like a QR code and means nothing.
func fixtureQR() string {
	path := ""
	for _, corner := range [][2]int{{4, 4}, {18, 4}, {4, 18}} {
		path += fmt.Sprintf("M%d %dh7v7h-7zM%d %dv5h5v-5zm1 1h3v3h-3z", corner[0], corner[1], corner[0]+1, corner[1]+1)
	}
	for i := range 60 {
		path += fmt.Sprintf("M%d %dh1v1h-1z", 12+i*7%13, 12+i*5%13)
	}
	return path
}

func fixtureLines(id string) Lines {
	return Lines{
		Card: fixtureCard(id, "lines", Ready), RestartURL: "/phones/1/restart", Form: Form{URL: "/people/1/phones/1"},
		Rows: []Line{
			{"Key 1: Greta Holm", "extension 1000 · +49 30 23125 100", Field{Name: "lines.1.label", Value: "Front desk"}},
			{"Keys 2 to 3: Nils Dahl", "extension 1010", Field{Name: "lines.2.label"}},
		},
	}
}

func fixtureRemoval() PhoneAct {
	return PhoneAct{
		URL: "/people/1/phones/1/remove", Label: "Remove phone", Back: "?only=page-devices", Phone: Phone{"Cisco Desk Phone 9851", "00:11:22:33:44:55", Tag{ToneGood, "Online"}},
		Consequences: []string{
			"The phone stops working for Greta Holm at once; calls on it end.", "Calls keep reaching Greta Holm on other phones and in the Webex app.",
			"This cannot be undone. To use the phone again, make a new activation code.",
		},
	}
}
