package templates

// logStates are the gallery's states of the change log and sessions.
func logStates(f Frame) []GalleryState {
	var all []GalleryState
	page := func(id, title string, show func(Frame) Log, heading string) {
		framed := f
		framed.Title, framed.Group, framed.Nav = heading, "Help others", fixtureLogNav("log")
		all = append(all, GalleryState{ID: id, Title: title, Page: true, Show: LogPage(framed, show(framed))})
	}
	add := func(id, title string, p LogList) {
		all = append(all, GalleryState{ID: id, Title: title, Show: LogCard(p)})
	}
	add("log-loaded", "Change log: loaded", fixtureLog("log-loaded"))
	add("log-moved", "Change log: undo finds another value", with(fixtureLog("log-moved"), func(p *LogList) { p.Entries[0].Note = fixtureChanged("log-moved") }))
	add("log-reason", "Change log: undo needs a reason", with(fixtureLog("log-reason"), func(p *LogList) {
		p.Entries[0].Ask = Field{Name: "reason", Error: "Give a reason, for example a ticket number."}
	}))
	add("log-back", "Change log: searched so far back", with(fixtureLog("log-back"), func(p *LogList) {
		p.Entries, p.Back, p.Older = nil, "Searched back to Mon 3 November, 08:12.", Link{"Search on", "/log?cursor=1"}
	}))
	add("log-empty", "Change log: empty", with(fixtureLog("log-empty"), func(p *LogList) { p.Entries, p.Older = nil, Link{} }))
	add("log-error", "Change log: error", LogList{Card: fixtureError("log-error", "log")})
	page("page-log", "Page: Change log", func(Frame) Log {
		return Log{Filter: fixtureLogFilter(), List: fixtureLog("log-page"), Chain: LogChain{
			Kept: "Entries are kept for 400 days.", Tone: ToneGood, Text: "The log was checked 09:12: it is whole, 1204 entries.", URL: "/log/verify"}}
	}, "Change log")
	page("page-log-faults", "Page: Change log, the search has faults", func(Frame) Log {
		p := Log{Filter: fixtureLogFilter(), List: LogList{Card: fixtureCard("log-faults", "log", Ready), Blocked: true}, Chain: LogChain{Kept: "Entries are kept for 400 days."}}
		p.Filter.Active, p.Filter.Person = true, Field{Name: "person", Value: "Müller", Error: "Several people fit this. Choose one of them."}
		p.Filter.Choices = []Link{{"Anna Müller, Berlin", "/log?person=anna"}, {"Maximiliane-Alexandra Müller-Lüdenscheidt von Hohenberg, Munich", "/log?person=max"}}
		return p
	}, "Change log")
	page("page-log-broken", "Page: Change log, not whole", func(Frame) Log {
		return Log{Filter: fixtureLogFilter(), List: fixtureLog("log-broken"), Chain: LogChain{
			Kept: "Entries are kept for 400 days.", Tone: ToneBad, Text: "The log was checked 09:12: it is not whole. It was changed behind the portal's back at Mon 3 November, 08:12.",
			Do: "Entries before that can be trusted. Tell whoever runs the portal, with the number of the entry: 1762157520000-0.", URL: "/log/verify"}}
	}, "Change log")

	sessions := func(id, title string, p Sessions) {
		framed := f
		framed.Title, framed.Nav = "Where you are signed in", fixtureLogNav("")
		all = append(all, GalleryState{ID: id, Title: title, Page: true, Show: SessionsPage(framed, p)})
	}
	sessions("page-sessions", "Page: Sessions", fixtureSessions("sessions"))
	sessions("page-sessions-one", "Page: one session", with(fixtureSessions("sessions-one"), func(p *Sessions) { p.Rows, p.EndAll = p.Rows[:1], Action{} }))
	sessions("page-sessions-other", "Page: sessions of somebody else", with(fixtureSessions("sessions-other"), func(p *Sessions) {
		p.Self, p.Name, p.Rows, p.EndAll, p.Find = false, "Ana López", nil, Action{}, Field{Name: "person", Value: "nobody", Error: "Nobody in the organisation has this address or id."}
	}))
	sessions("page-sessions-error", "Page: Sessions, error", Sessions{Card: fixtureError("sessions-error", "sessions"), Self: true})
	return all
}

func fixtureLogNav(page string) []NavGroup {
	return append(fixtureNav(""), NavGroup{Name: "help", Entries: []NavEntry{{Page: "log", URL: "/log", Current: page == "log"}}})
}

func fixtureLogFilter() LogFilter {
	return LogFilter{
		URL: "/log", Zone: "Berlin", Person: Field{Name: "person"}, Actor: Field{Name: "actor"}, From: Field{Name: "from"}, To: Field{Name: "to"},
		Kinds: []Option{{Value: "callForwarding", Text: "Call forwarding", On: false}, {Value: "grants", Text: "Who holds which role", On: false}}, Outcomes: []Option{{Value: "done", Text: "Done", On: false}, {Value: "refused", Text: "Refused", On: false}},
	}
}

func fixtureLog(id string) LogList {
	details := []Difference{{Label: "Time", After: "2026-11-25 10:42:07 CET"}, {Label: "Network address", After: "203.0.113.9"}, {Label: "Request", After: "ZK3T5M4N7Q2A6RWX"},
		{Label: "Webex's tracking id", After: "PATCHBAY_3f1c9a20-4c1e"}, {Label: "Entry", After: "1764063727000-0"}}
	return LogList{
		Card: fixtureCard(id, "log", Ready), Older: Link{"Older entries", "/log?cursor=1"},
		CSV: Link{"Export as CSV", "/log/export?format=csv"}, JSONL: Link{"Export as JSON Lines", "/log/export?format=jsonl"},
		Entries: []Entry{
			{ID: id + "-e1", Sentence: "Forward all calls: turned on", Who: "Ben Fischer, Helpdesk, for Greta Holm", When: "10:42", Reason: "ticket 48213",
				Changes: []Difference{{"All calls go to", "nothing", "+49 30 23125 014"}}, Outcome: Tag{ToneGood, "Done"}, Undo: Action{URL: "/log/1/undo"}, Details: details},
			{ID: id + "-e2", Sentence: "Granted Helpdesk for Berlin, Munich, Paris and 2 more to the group Portal Helpdesk until Fri 4 December, 18:00", Who: "Ines Keller, Administrator",
				When: "09:30", Outcome: Tag{ToneGood, "Done"}, WhyNot: "Undone already", Details: details},
			{ID: id + "-e3", Sentence: "Tried to open /people/{person}/calls: refused", Who: "Eva-Charlotta Lindqvist-Söderström von Hohenberg, for Ana López", When: "09:12",
				Outcome: Tag{ToneBad, "Refused"}, Details: details},
		},
	}
}

func fixtureSessions(id string) Sessions {
	return Sessions{
		Card: fixtureCard(id, "sessions", Ready), Self: true, EndAll: Action{URL: "/sessions/end", Label: "End all 2 others"}, Find: Field{Name: "person"},
		Rows: []SessionRow{
			{ID: id + "-1", Icon: "session", Device: "Firefox on Windows", Detail: "signed in 08:02 · used just now · ends 20:02 at the latest", From: "from 203.0.113.9", Current: true},
			{ID: id + "-2", Icon: "mobile", Device: "Safari on iPhone", Detail: "signed in Mon 24 November, 17:40 · used 12 minutes ago · ends 05:40 at the latest", From: "from 2001:db8:1:2:3:4:5:6", End: Action{URL: "/sessions/2/end"}},
			{ID: id + "-3", Icon: "session", Device: "A device that does not say what it is", Detail: "signed in 07:00 · used 07:10 · ends 19:00 at the latest", End: Action{URL: "/sessions/3/end"}},
		},
	}
}
