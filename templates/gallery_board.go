package templates

// boardStates are the gallery's states of the queue board.
func boardStates(f Frame) []GalleryState {
	var all []GalleryState
	add := func(id, title string, p BoardCard) {
		all = append(all, GalleryState{ID: id, Title: title, Show: BoardQueueCard(p)})
	}
	page := func(id, title string, p Boards) {
		all = append(all, GalleryState{ID: id, Title: title, Page: true, Show: BoardPage(f, p)})
	}

	add("board-loaded", "Board: loaded", fixtureBoard("board-loaded"))
	add("board-thin", "Board: fewer than wanted", with(fixtureBoard("board-thin"), func(p *BoardCard) {
		p.Cover = Tag{ToneWarn, "2 of 4 wanted can take calls"}
	}))
	add("board-old", "Board: older than five minutes", with(fixtureBoard("board-old"), func(p *BoardCard) {
		p.Note, p.Read = Note{Kind: Notice, Text: "Webex does not answer. You see the last values."}, "10:31:07"
		p.Rows[1].Detail += " · as of 10:31"
	}))
	add("board-saved", "Board: one has joined", with(fixtureBoard("board-saved"), func(p *BoardCard) { p.Rows[2].Note = fixtureSaved("board-saved") }))
	add("board-not-saved", "Board: not saved", with(fixtureBoard("board-not-saved"), func(p *BoardCard) { p.Rows[2].Note = fixtureNotSaved() }))
	add("board-ask", "Board: too few would be left", with(fixtureBoard("board-ask"), func(p *BoardCard) {
		p.Rows[0].Confirm = BoardConfirm{Text: "2 of 4 wanted would be left in Sales Hotline to take calls.", Go: Action{URL: "#"}, Stay: "#"}
	}))
	add("board-ask-all", "Board: nobody would be left", with(fixtureBoard("board-ask-all"), func(p *BoardCard) {
		p.Confirm = BoardConfirm{Text: "Nobody would be left in Sales Hotline: callers would hear the overflow message.", Go: Action{URL: "#"}, Stay: "#"}
	}))
	add("board-remove", "Board: before somebody is removed", with(fixtureBoard("board-remove"), func(p *BoardCard) {
		p.Rows[2].Confirm = BoardConfirm{
			Text: "Remove Lena Braun from Sales Hotline? Calls of the queue will not ring them any more.",
			Go:   Action{URL: "#", Label: "Remove Lena Braun"}, Stay: "#", Label: "Keep Lena Braun",
		}
	}))
	add("board-results", "Board: some were changed, one was not", with(fixtureBoard("board-results"), func(p *BoardCard) {
		p.Results = BoardResults{
			Title: "2 agents have joined. 1 was not changed:", Tone: ToneWarn,
			Not:  []BoardResult{{Name: "Nils Dahl", Why: "Webex does not accept this change. Nothing was changed."}},
			Done: []BoardResult{{Name: "Lena Braun", Undo: Action{URL: "#"}}, {Name: "Maria Rossi", Undo: Action{URL: "#"}}},
		}
	}))
	add("board-add", "Board: people to choose from", with(fixtureBoard("board-add"), func(p *BoardCard) {
		p.Add.Open, p.Add.Who.Value, p.Add.Who.Error = true, "ma", "Choose who is meant from the list."
		p.Add.Found = BoardFound{Text: "2 people found", People: []BoardPerson{
			{"1", "Maria Rossi", "extension 1003 · Berlin · maria.rossi@patchbay.example"},
			{"2", "Eva-Charlotta Lindqvist-Söderström von Hohenberg-Marienfeld", "extension 9000 · Munich · eva.lindqvist@patchbay.example"},
		}}
	}))
	add("board-minimum", "Board: a minimum that cannot be", with(fixtureBoard("board-minimum"), func(p *BoardCard) {
		p.Minimum = &BoardMinimum{URL: "#", Value: "-3", Error: "Enter a whole number from 0 to 1000.", Open: true}
	}))
	add("board-reads", "Board: only to look at", with(fixtureBoard("board-reads"), func(p *BoardCard) { fixtureLookAt(p) }))
	add("board-why", "Board: a reason is wanted first", with(fixtureBoard("board-why"), func(p *BoardCard) {
		fixtureLookAt(p)
		p.Lock = "Say above why you change something. Then you can."
	}))
	add("board-hunt", "Board: a hunt group", with(fixtureBoard("board-hunt"), func(p *BoardCard) {
		p.Title, p.Kind, p.Ticks, p.JoinAll, p.LeaveAll = "Reception Berlin", Tag{TonePlain, "Hunt group"}, false, Action{}, Action{}
		p.Summary, p.Add.Join = "4 people are in the group. Calls do not reach 1 of them.", Check{}
		for i := range p.Rows {
			p.Rows[i].Form, p.Rows[i].State = Form{}, Tag{ToneGood, "In the group"}
		}
		p.Rows[1].State = Tag{ToneWarn, "All calls are forwarded"}
	}))
	add("board-long", "Board: long names", with(fixtureBoard("board-long"), func(p *BoardCard) {
		p.Title = "Kundenservice Warenannahme, Reklamationen und Ersatzteile Nord-West (deutsch und niederländisch)"
		p.Rows[0].Name = "Eva-Charlotta Lindqvist-Söderström von Hohenberg-Marienfeld"
		p.Rows[0].Detail = "extension 9000 · Munich, Leopoldstraße · 25 % of the calls · skill level 12 · as of 10:31"
	}))
	add("board-nobody", "Board: nobody is in it", with(fixtureBoard("board-nobody"), func(p *BoardCard) {
		p.Rows, p.Ticks, p.Cover, p.Summary = nil, false, Tag{ToneWarn, "Nobody can take calls"}, "0 of 0 agents have joined."
	}))
	add("board-loading", "Board: loading", BoardCard{Card: fixtureCard("board-loading", "board", Loading), Title: "Sales Hotline", Link: "#", Where: "Berlin · extension 990"})
	add("board-error", "Board: error", BoardCard{Card: fixtureError("board-error", "board"), Title: "Sales Hotline", Link: "#"})

	list := func(id string, state State) Boards { return Boards{Card: fixtureCard(id, "boards", state)} }
	page("page-board", "Page: queue board", with(list("page-board", Ready), func(p *Boards) {
		p.Filter = BoardFilter{URL: "#", Places: []BoardPlace{{"1", "Berlin", false}, {"2", "Madrid", true}}}
		p.Shown, p.Newer, p.Older = "Queues 21 to 40 of 700", Link{"Queues before", "#"}, Link{"More queues", "#"}
		p.Queues = []BoardCard{fixtureBoard("page-board-1"), with(fixtureBoard("page-board-2"), func(p *BoardCard) { p.Title = "Service Berlin" })}
		p.Reason = BoardReason{Needed: true, URL: "#"}
	}))
	page("page-board-one", "Page: one queue, with a reason", with(list("page-board-one", Ready), func(p *Boards) {
		p.One, p.All, p.Queues = true, Link{"All queues", "#"}, []BoardCard{fixtureBoard("page-board-one-1")}
		p.Reason = BoardReason{Needed: true, Reason: "holidays, ticket 48213", Change: Link{"Give another reason", "#"}}
	}))
	page("page-board-empty", "Page: queue board, nothing in reach", list("page-board-empty", Ready))
	page("page-board-none", "Page: queue board, nothing fits", with(list("page-board-none", Ready), func(p *Boards) {
		p.Filter = BoardFilter{URL: "#", Text: "xyz", Active: true, All: Link{"Show all queues", "#"}}
	}))
	page("page-board-loading", "Page: queue board, loading", list("page-board-loading", Loading))
	page("page-board-error", "Page: queue board, error", Boards{Card: fixtureError("page-board-error", "boards")})
	return all
}

// fixtureLookAt takes away what changes something.
func fixtureLookAt(p *BoardCard) {
	p.Ticks, p.JoinAll, p.LeaveAll, p.Add, p.Minimum = false, Action{}, Action{}, nil, nil
	for i := range p.Rows {
		p.Rows[i].Form, p.Rows[i].Remove = Form{}, ""
	}
}

func fixtureBoard(id string) BoardCard {
	row := func(n, name, detail string, state Tag, joined bool) BoardAgent {
		return BoardAgent{
			ID: id + "-" + n, Agent: n, Name: name, Detail: detail, State: state, Joined: joined, Form: Form{URL: "#", Fields: []string{"joined"}}, Remove: "#",
		}
	}
	return BoardCard{
		Card: fixtureCard(id, "board", Ready), Title: "Sales Hotline", Link: "#", Where: "Berlin · extension 990",
		Cover: Tag{ToneGood, "2 of 2 wanted can take calls"}, Summary: "3 of 4 agents have joined. Calls do not reach 1 of them.", Read: "10:42:07", FreshURL: "#",
		Form: Form{URL: "#", Fields: []string{"joined", "agent"}}, Ticks: true, JoinAll: Action{URL: "#", Label: "Join the other one"}, LeaveAll: Action{URL: "#", Label: "Let all 3 leave"},
		Add: &BoardAdd{URL: "#", FindURL: "#", Join: Check{Name: "join", On: true}}, Minimum: &BoardMinimum{URL: "#", Value: "2"},
		Rows: []BoardAgent{
			row("1", "Ana López", "extension 2000 · Madrid", Tag{ToneGood, "Joined"}, true),
			row("2", "Ben Fischer", "extension 1001", Tag{ToneWarn, "Joined, but all calls are forwarded"}, true),
			row("3", "Lena Braun", "extension 1004 · do not disturb is on", Tag{TonePlain, "Not joined"}, false),
			row("4", "Nils Dahl", "extension 1006", Tag{TonePlain, "Joined, not known yet if away"}, true),
		},
	}
}
