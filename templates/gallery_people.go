package templates

import "github.com/a-h/templ"

// peopleStates are the gallery's states of finding people, lending one's own settings, and the directory.
func peopleStates(f Frame) []GalleryState {
	var all []GalleryState
	page := func(id, title string, show templ.Component) {
		all = append(all, GalleryState{ID: id, Title: title, Page: true, Show: show})
	}
	add := func(id, title string, show templ.Component) {
		all = append(all, GalleryState{ID: id, Title: title, Show: show})
	}
	framed := func(page, title string) Frame {
		g := f
		g.Title, g.Group, g.Nav = title, "Help others", fixtureHelperNav(page)
		g.URLs.Lend = "/lend"
		if page != "people" {
			g.URLs.People = "/people"
		}
		return g
	}
	people := func(change func(*People)) templ.Component {
		p := fixturePeople()
		change(&p)
		return PeoplePage(framed("people", "People"), p)
	}
	page("page-people", "Page: People", people(func(*People) {}))
	page("page-people-stale", "Page: People, older than five minutes", people(func(p *People) { p.Found.State = "as of 09:58" }))
	page("page-people-failing", "Page: People, Webex could not be read of late", people(func(p *People) {
		p.Found.State = "Webex could not be read of late. You see people as of 06:12."
	}))
	page("page-people-long", "Page: People, long names", people(func(p *People) {
		p.Scope = "You help: München-Schwabing Betriebsstätte Nord, Service Portal Helpdesk EMEA and 12 more"
		p.Found.Rows[0].Name = "Eva-Charlotta Lindqvist-Söderström von Hohenberg"
		p.Found.Rows[0].Email = "eva-charlotta.lindqvist-soderstrom-von-hohenberg@subsidiary.patchbay.example"
		p.Found.Rows[0].Location = "Donaudampfschifffahrtsgesellschaft, Betriebsstätte Passau"
	}))
	page("page-people-nothing", "Page: People, nobody found", people(func(p *People) { p.Query, p.Found = "zzz", Found{Asked: true} }))
	page("page-people-empty", "Page: People, nobody in the scope", people(func(p *People) { p.Locations, p.Found = nil, Found{} }))
	page("page-people-first", "Page: People, read for the first time", people(func(p *People) {
		p.Locations = nil
		p.Found = Found{State: "The directory of your organisation is being read for the first time. People appear here as soon as that is done.", AgainURL: "?only=page-people", AgainEvery: "600s"}
	}))
	acting := framed("calls", "Calls")
	acting.Group = "Greta Holm"
	acting.Nav[0].Title = "Greta Holm"
	acting.Band = Band{Name: "Greta Holm", Reason: "ticket 48213", StopURL: "/people/1/stop"}
	always, dnd := fixtureForward("acting-always", "always"), fixtureDND("acting-dnd")
	cards := CallsCards{RightNow: fixtureRightNow("acting-now"), Always: &always, DoNotDisturb: &dnd}
	page("page-acting", "Page: Calls of somebody else", CallsPage(acting, cards))
	long := acting
	long.Band = Band{Name: "Eva-Charlotta Lindqvist-Söderström von Hohenberg", Reason: "Ticket 48213: forwarding to the deputy during the move to the new building", StopURL: "/people/1/stop"}
	page("page-acting-long", "Page: Calls of somebody else, long names", CallsPage(long, cards))
	looking := acting
	looking.Band = Band{Name: "Greta Holm", StopURL: "/people/1/stop", ReadOnly: true}
	page("page-looking", "Page: Calls of somebody else, to look at only", CallsPage(looking, cards))
	preview := acting
	preview.Band = Band{Name: "Greta Holm", StopURL: "/people/1/stop", Preview: true}
	page("page-preview", "Page: Calls as somebody else sees them", CallsPage(preview, cards))
	start := StartActing{URL: "/people/1/start", Name: "Greta Holm", Required: true, Reason: Field{Name: "reason"}, Back: Link{"Back to the search", "/people"}}
	page("page-start", "Page: start helping", StartActingPage(framed("people", "Help Greta Holm"), start))
	page("page-start-wrong", "Page: start helping, without a reason", StartActingPage(with(framed("people", "Help Greta Holm"), func(f *Frame) { f.HasError = true }),
		with(start, func(p *StartActing) { p.Reason.Error = "Give a reason, for example a ticket number." })))
	ended := framed("", "Your help has ended")
	ended.HasError = true
	page("page-acting-ended", "Page: a form that came too late", ErrorPage(ended, Message{
		Text:    "Your work for Greta Holm has ended, because it was not used for a while or because you work for somebody else now. Nothing was changed. Load the page again.",
		Primary: Link{"Start helping Greta Holm", "/people/1/start"}, Secondary: Link{"Go to Home", "/"},
	}))

	page("page-lend", "Page: Lend", LendPage(framed("", "Lend to a colleague"), fixtureLend("lend")))
	page("page-lend-wrong", "Page: Lend, several fields are wrong", LendPage(with(framed("", "Lend to a colleague"), func(f *Frame) { f.HasError = true }),
		with(fixtureLend("lend"), func(p *Lend) {
			p.Colleague.Value, p.Colleague.Error = "hol", "Several colleagues have such a name. Choose one of them below."
			p.Colleagues = Colleagues{Asked: true, Choices: []Choice{{Value: "1", Text: "Greta Holm", Hint: "Berlin"}, {Value: "2", Text: "Nils Holm", Hint: "München"}}}
			p.When[0].Current, p.Other.Current = false, true
			p.Until.Value, p.Until.Error = "2020-01-01T10:00", "This time has passed already. Choose a later one."
		})))
	page("page-lend-nothing", "Page: Lend, nothing is lent and nobody was found", LendPage(framed("", "Lend to a colleague"), with(fixtureLend("lend"), func(p *Lend) {
		p.Lendings.Rows = nil
		p.Colleague.Value, p.Colleagues = "zzz", Colleagues{Asked: true}
	})))
	add("lendings-loaded", "Lent and borrowed: loaded", LendingsCard(fixtureLendings("lendings-loaded")))
	add("lendings-ended", "Lent and borrowed: ended", LendingsCard(with(fixtureLendings("lendings-ended"), func(p *Lendings) {
		p.Rows, p.Note = p.Rows[:1], fixtureSaved("lendings-ended")
	})))
	add("lendings-error", "Lent and borrowed: error", LendingsCard(Lendings{Card: fixtureError("lendings-error", "lendings"), Lend: Link{"Lend to somebody", "/lend"}}))
	add("news-loaded", "New for you: loaded", NewsCard(News{Card: fixtureCard("news-loaded", "news", Ready), All: Link{"History", "/history"}, Rows: []Entry{
		{ID: "news-1", Sentence: "Do not disturb: turned on", Who: "Ben Fischer", When: "10:42", Reason: "ticket 48213"},
		{ID: "news-2", Sentence: "Left Sales Hotline", Who: "Mei Wang", When: "Mon 24 Nov, 08:05"},
	}}))
	return all
}

func fixtureHelperNav(page string) []NavGroup {
	entry := func(name, url string) NavEntry { return NavEntry{Page: name, URL: url, Current: name == page} }
	return append(fixtureNav(page)[:1], NavGroup{Name: "help", Entries: []NavEntry{entry("people", "/people"), entry("board", "/board"), entry("log", "/log")}})
}

func fixturePeople() People {
	return People{
		Scope: "You help: Berlin, München", Locations: []Choice{{Text: "All locations", Current: true}, {Value: "1", Text: "Berlin"}, {Value: "2", Text: "München"}},
		Found: Found{Count: 182, MoreURL: "?only=page-people", Rows: []FoundPerson{
			{Name: "Greta Holm", URL: "/people/1", Location: "Berlin", Extension: "ext. 1000", Number: "+49 30 23125 001", Email: "greta.holm@example.com"},
			{Name: "Paul Weber", URL: "/people/2", Location: "Berlin", Extension: "ext. 1005", Email: "paul.weber@example.com"},
			{Name: "Omar Haddad", URL: "/people/3", Location: "no Webex Calling", Email: "omar.haddad@example.com"},
		}},
	}
}

func fixtureLendings(id string) Lendings {
	end := Action{URL: "/lend/1/end", Label: "End now"}
	return Lendings{Card: fixtureCard(id, "lendings", Ready), Lend: Link{"Lend to somebody", "/lend"}, Rows: []Lending{
		{ID: id + "-1", Text: "Ana López may change your forwarding and queues", Until: "until Fri 28 Nov, 18:00 (Berlin time)", Reason: "holiday", Name: "Ana López", End: end},
		{ID: id + "-2", Text: "You may change forwarding and queues of Tom Baker", Until: "until Mon 1 Dec, 18:00 (Berlin time)", Name: "Tom Baker", Open: Link{"Open Tom Baker", "/people/3"}, End: end},
	}}
}

func fixtureLend(id string) Lend {
	return Lend{
		URL: "/lend", SuggestURL: "/lend/colleagues", Colleague: Field{Name: "colleague"}, Until: Field{Name: "until"}, Reason: Field{Name: "reason"}, Zone: "Times are in Berlin.",
		When: []Choice{
			{Value: "2025-11-25T23:59", Text: "End of today", Hint: "Tue 25 Nov, 23:59 (Berlin time)", Current: true}, {Value: "2025-11-26T18:00", Text: "Tomorrow evening", Hint: "Wed 26 Nov, 18:00 (Berlin time)"},
			{Value: "2025-11-28T18:00", Text: "Friday evening", Hint: "Fri 28 Nov, 18:00 (Berlin time)"}, {Value: "2025-12-02T18:00", Text: "In a week", Hint: "Tue 2 Dec, 18:00 (Berlin time)"},
		},
		Other:    Choice{Value: "other", Text: "Another day or time"},
		Lendings: with(fixtureLendings(id+"-lendings"), func(p *Lendings) { p.Lend = Link{} }),
	}
}
