package templates

import (
	"context"
	"slices"

	"github.com/a-h/templ"

	"patchbay/internal/i18n"
)

// GalleryState is one card in one state, or one whole page.
type GalleryState struct {
	ID    string // in the address: ?only=<ID>
	Title string // for the list, in English: the gallery is for those who build the portal
	Page  bool   // a whole page with its own frame
	Show  templ.Component
}

// Gallery answers the gallery page: every state, or only the one named. It
// answers false for an unknown name.
func Gallery(f Frame, only string) (templ.Component, bool) {
	states := GalleryStates(f)
	if only == "" {
		return galleryPage(f, states, true), true
	}
	for _, s := range states {
		if s.ID != only {
			continue
		}
		if s.Page {
			return s.Show, true
		}
		return galleryPage(f, []GalleryState{s}, false), true
	}
	return nil, false
}

// GalleryStates lists every state that a card or a page can be in. The people
// and numbers are made up; the numbers are from ranges reserved for stories.
func GalleryStates(f Frame) []GalleryState {
	var all []GalleryState
	add := func(id, title string, show templ.Component) {
		all = append(all, GalleryState{ID: id, Title: title, Show: show})
	}
	page := func(id, title string, show templ.Component) {
		all = append(all, GalleryState{ID: id, Title: title, Page: true, Show: show})
	}

	add("now-loaded", "Right now: loaded", RightNowCard(fixtureRightNow("now-loaded")))
	add("now-stale", "Right now: older than five minutes", RightNowCard(with(fixtureRightNow("now-stale"), func(p *RightNow) { p.AsOf = "10:42" })))
	add("now-warnings", "Right now: forwarded, with warnings", RightNowCard(fixtureForwarded("now-warnings")))
	add("now-loading", "Right now: loading", RightNowCard(RightNow{Card: fixtureCard("now-loading", "rightNow", Loading)}))
	add("now-error", "Right now: error", RightNowCard(RightNow{Card: fixtureError("now-error", "rightNow")}))

	add("numbers-loaded", "Numbers: loaded", NumbersLine(fixtureNumbers("numbers-loaded")))
	add("numbers-loading", "Numbers: loading", NumbersLine(Numbers{Card: fixtureCard("numbers-loading", "numbers", Loading)}))
	add("numbers-error", "Numbers: error", NumbersLine(Numbers{Card: fixtureError("numbers-error", "numbers")}))

	add("quick-loaded", "Quick actions: loaded", QuickCard(fixtureQuick("quick-loaded")))
	add("quick-saved", "Quick actions: saved", QuickCard(with(fixtureQuick("quick-saved"), func(p *Quick) {
		p.DoNotDisturb.On, p.DoNotDisturb.Hint, p.DoNotDisturb.Note = true, "on", fixtureSaved("quick-saved")
	})))
	add("quick-not-saved", "Quick actions: not saved", QuickCard(with(fixtureQuick("quick-not-saved"), func(p *Quick) { p.DoNotDisturb.Note = fixtureNotSaved() })))
	add("quick-locked", "Quick actions: locked", QuickCard(with(fixtureQuick("quick-locked"), func(p *Quick) {
		p.DoNotDisturb.Locked = Locked{Now: "off"}
		p.LeaveAll = Action{}
	})))
	add("quick-last-agent", "Quick actions: last agent", QuickCard(with(fixtureQuick("quick-last-agent"), func(p *Quick) { p.LeaveConfirm = fixtureLastAgent("quick-last-agent") })))
	add("quick-loading", "Quick actions: loading", QuickCard(Quick{Card: fixtureCard("quick-loading", "quick", Loading)}))
	add("quick-error", "Quick actions: error", QuickCard(Quick{Card: fixtureError("quick-error", "quick")}))

	add("queues-loaded", "Queues: loaded", QueuesCard(fixtureQueues("queues-loaded")))
	add("queues-long", "Queues: long names", QueuesCard(with(fixtureQueues("queues-long"), func(p *Queues) {
		p.Rows[0].Name = "Kundenservice Warenannahme, Reklamationen und Ersatzteile Nord-West (deutsch und niederländisch)"
		p.Rows[0].Detail = "+49 30 23125 5010 · ext. 5010 · 4 of 9 joined · Customer Assist"
	})))
	add("queues-saved", "Queues: saved", QueuesCard(with(fixtureQueues("queues-saved"), func(p *Queues) { p.Rows[0].Note = fixtureSaved("queues-saved") })))
	add("queues-not-saved", "Queues: not saved", QueuesCard(with(fixtureQueues("queues-not-saved"), func(p *Queues) { p.Rows[1].Note = fixtureNotSaved() })))
	add("queues-not-sure", "Queues: not sure", QueuesCard(with(fixtureQueues("queues-not-sure"), func(p *Queues) { p.Rows[1].Note = Note{Kind: NotSure} })))
	add("queues-last-agent", "Queues: last agent", QueuesCard(with(fixtureQueues("queues-last-agent"), func(p *Queues) {
		p.Rows[0].Confirm = fixtureLastAgent("queues-last-agent")
	})))
	add("queues-leave-all", "Queues: last agent of two", QueuesCard(with(fixtureQueues("queues-leave-all"), func(p *Queues) { p.Confirm = fixtureLastAgent("queues-leave-all") })))
	add("queues-rate-limited", "Queues: rate-limited", QueuesCard(with(fixtureQueues("queues-rate-limited"), func(p *Queues) { p.Note = fixtureWait("queues-rate-limited") })))
	add("queues-empty", "Queues: empty", QueuesCard(Queues{Card: fixtureCard("queues-empty", "queues", Ready)}))
	add("queues-loading", "Queues: loading", QueuesCard(Queues{Card: fixtureCard("queues-loading", "queues", Loading)}))
	add("queues-error", "Queues: error", QueuesCard(Queues{Card: fixtureError("queues-error", "queues")}))

	add("phones-loaded", "Phones: loaded", PhonesCard(fixturePhones("phones-loaded")))
	add("phones-empty", "Phones: empty", PhonesCard(Phones{Card: fixtureCard("phones-empty", "phones", Ready)}))
	add("phones-loading", "Phones: loading", PhonesCard(Phones{Card: fixtureCard("phones-loading", "phones", Loading)}))
	add("phones-error", "Phones: error", PhonesCard(Phones{Card: fixtureError("phones-error", "phones")}))

	add("always-off", "Forward all: off", ForwardCard(fixtureForward("always-off", "always")))
	add("always-on", "Forward all: on", ForwardCard(fixtureForwardOn("always-on", "always")))
	add("always-saved", "Forward all: saved", ForwardCard(with(fixtureForwardOn("always-saved", "always"), func(p *Forward) {
		p.Note = fixtureSaved("always-saved")
		p.Note.Text = "All calls go to Ana Lopez. Saved 10:42."
	})))
	add("always-invalid", "Forward all: not saved, a field is wrong", ForwardCard(with(fixtureForwardOn("always-invalid", "always"), func(p *Forward) {
		p.Destination.Value, p.Destination.Meaning = "+49 12", ""
		p.Destination.Error = "+49 12 is too short for a phone number. Check the number and save again."
	})))
	add("always-refused", "Forward all: not saved, Webex refuses", ForwardCard(with(fixtureForwardOn("always-refused", "always"), func(p *Forward) { p.Note = fixtureNotSaved() })))
	add("always-not-sure", "Forward all: not sure", ForwardCard(with(fixtureForwardOn("always-not-sure", "always"), func(p *Forward) { p.Note = Note{Kind: NotSure} })))
	add("always-changed", "Forward all: changed elsewhere", ForwardCard(with(fixtureForwardOn("always-changed", "always"), func(p *Forward) { p.Note = fixtureChanged("always-changed") })))
	add("always-rate-limited", "Forward all: rate-limited", ForwardCard(with(fixtureForwardOn("always-rate-limited", "always"), func(p *Forward) { p.Note = fixtureWait("always-rate-limited") })))
	add("always-nothing", "Forward all: nothing to save", ForwardCard(with(fixtureForward("always-nothing", "always"), func(p *Forward) { p.Note = Note{Kind: NothingToSave} })))
	add("always-stale", "Forward all: older than five minutes", ForwardCard(with(fixtureForward("always-stale", "always"), func(p *Forward) { p.AsOf = "10:39" })))
	add("always-locked", "Forward all: locked", ForwardCard(with(fixtureForward("always-locked", "always"), func(p *Forward) { p.Locked = fixtureLocked() })))
	add("always-loading", "Forward all: loading", ForwardCard(Forward{Card: fixtureCard("always-loading", "always", Loading)}))
	add("always-error", "Forward all: error", ForwardCard(Forward{Card: fixtureError("always-error", "always")}))
	add("busy-off", "When busy: off", ForwardCard(fixtureForward("busy-off", "busy")))
	add("busy-on", "When busy: on", ForwardCard(fixtureForwardOn("busy-on", "busy")))
	add("no-answer-on", "When no answer: on", ForwardCard(fixtureForwardOn("no-answer-on", "noAnswer")))
	add("no-answer-invalid", "When no answer: two fields are wrong", ForwardCard(with(fixtureForwardOn("no-answer-invalid", "noAnswer"), func(p *Forward) {
		p.Rings.Value, p.Rings.Error = 40, "40 is too many rings. Choose 2 to 20."
		p.Destination.Value, p.Destination.Meaning, p.Destination.Error = "", "", "Say where calls go: a phone number or an extension."
	})))
	add("unreachable-on", "When unreachable: on", ForwardCard(fixtureForwardOn("unreachable-on", "unreachable")))

	add("dnd-off", "Do not disturb: off", SwitchesCard(fixtureDND("dnd-off")))
	add("dnd-saved", "Do not disturb: saved", SwitchesCard(with(fixtureDND("dnd-saved"), func(p *Switches) { p.Items[0].On, p.Items[0].Note = true, fixtureSaved("dnd-saved") })))
	add("dnd-not-saved", "Do not disturb: not saved", SwitchesCard(with(fixtureDND("dnd-not-saved"), func(p *Switches) { p.Items[0].Note = fixtureNotSaved() })))
	add("dnd-partly-locked", "Do not disturb: one part locked", SwitchesCard(with(fixtureDND("dnd-partly-locked"), func(p *Switches) { p.Items[2].Locked = fixtureLocked() })))
	add("dnd-loading", "Do not disturb: loading", SwitchesCard(Switches{Card: fixtureCard("dnd-loading", "doNotDisturb", Loading)}))
	add("waiting-on", "Call waiting: on", SwitchesCard(fixtureWaiting("waiting-on")))
	add("waiting-locked", "Call waiting: locked", SwitchesCard(with(fixtureWaiting("waiting-locked"), func(p *Switches) { p.Locked = fixtureLocked() })))
	add("waiting-changed", "Call waiting: changed elsewhere", SwitchesCard(with(fixtureWaiting("waiting-changed"), func(p *Switches) { p.Items[0].Note = fixtureChanged("waiting-changed") })))

	add("intercept-off", "Intercept: off", InterceptCard(fixtureIntercept("intercept-off")))
	add("intercept-on", "Intercept: on", InterceptCard(with(fixtureIntercept("intercept-on"), func(p *Intercept) {
		p.Enabled.On, p.NewNumber.On, p.NewNumberTo.Value = true, true, "+49 30 23125 777"
	})))
	add("intercept-invalid", "Intercept: a field is wrong", InterceptCard(with(fixtureIntercept("intercept-invalid"), func(p *Intercept) {
		p.Enabled.On, p.ZeroTransfer.On, p.ZeroTransferTo.Error = true, true, "Say which number 0 leads to."
	})))
	add("intercept-review", "Intercept: review", InterceptCard(fixtureReview("intercept-review")))

	add("history-loaded", "History: loaded", HistoryCard(fixtureHistory("history-loaded")))
	add("history-changed", "History: undo finds another value", HistoryCard(with(fixtureHistory("history-changed"), func(p *History) { p.Entries[0].Note = fixtureChanged("history-changed") })))
	add("history-empty", "History: empty", HistoryCard(History{Card: fixtureCard("history-empty", "history", Ready)}))
	add("history-loading", "History: loading", HistoryCard(History{Card: fixtureCard("history-loading", "history", Loading)}))
	add("history-error", "History: error", HistoryCard(History{Card: fixtureError("history-error", "history")}))

	add("health-well", "Health: well", HealthCard(fixtureHealth("health-well")))
	add("health-ill", "Health: new tokens needed", HealthCard(fixtureIll("health-ill")))
	add("health-loading", "Health: loading", HealthCard(Health{Card: fixtureCard("health-loading", "health", Loading)}))

	page("page-login", "Page: login", LoginPage(Frame{Title: "Welcome", Lang: f.Lang, Theme: f.Theme}, SignIn{URL: "/authenticate"}))
	page("page-login-ended", "Page: login, with a reason", LoginPage(Frame{Title: "Welcome", Lang: f.Lang, Theme: f.Theme, Strips: []Strip{fixtureDemoStrip()}},
		SignIn{URL: "/authenticate", Reason: "You were signed out after 30 minutes without use."}))
	page("page-login-failed", "Page: sign-in failed", BareErrorPage(Frame{Title: "You are not signed in", HasError: true, Lang: f.Lang, Theme: f.Theme}, Message{
		Text: "You signed in, but you are not a calling user of this organisation. Nothing was stored.", Do: "Sign in with another account, or ask your IT service desk for a calling licence.",
		Reference: "7f3a-19c2", Primary: Link{"Sign in with another account", "/authenticate"}, Secondary: Link{"Back to the start", "/login"},
	}))
	page("page-signed-in", "Page: signed in again", SignedInPage(Frame{Title: "You are signed in", Lang: f.Lang, Theme: f.Theme, URLs: URLs{Home: "/"}}))
	home := func(id string, state State) HomeCards {
		quick, queues, phones := fixtureQuick(id+"-quick"), fixtureQueues(id+"-queues"), fixturePhones(id+"-phones")
		cards := HomeCards{Numbers: fixtureNumbers(id + "-numbers"), RightNow: fixtureRightNow(id + "-now"), Quick: &quick, Queues: &queues, Phones: &phones}
		for _, c := range []*Card{&cards.Numbers.Card, &cards.RightNow.Card, &quick.Card, &queues.Card, &phones.Card} {
			c.State = state
		}
		return cards
	}
	framed := func(page, title string) Frame {
		g := f
		g.Title, g.Group, g.Nav = title, "Me", fixtureNav(page)
		return g
	}
	page("page-home", "Page: Home", HomePage(framed("home", "Good afternoon, Greta"), home("home", Ready)))
	page("page-home-loading", "Page: Home, loading", HomePage(framed("home", "Good afternoon, Greta"), home("home", Loading)))
	partly := home("home", Ready)
	partly.Phones.Card = fixtureError("home-phones", "phones")
	page("page-home-partly", "Page: Home, partly failed", HomePage(framed("home", "Good afternoon, Greta"), partly))
	down := framed("home", "Good afternoon, Greta")
	down.Strips = []Strip{
		{ID: "strip-upstream", Tone: ToneBad, Text: "Webex has not answered since 10:41. You see values from 10:39. Changes are paused. Your phone keeps working as set.", RetrySeconds: 20},
		{ID: "strip-tokens", Tone: ToneWarn, Text: "The service app needs new tokens. Until then nobody can read or change settings.", Link: Link{"See Health", "/health"}},
		fixtureDemoStrip(),
	}
	page("page-home-down", "Page: Home, Webex is down", HomePage(down, home("home", Ready)))
	offline := framed("home", "Good afternoon, Greta")
	offline.offline = true
	page("page-offline", "Page: Home, the browser is offline", HomePage(offline, home("home", Ready)))
	ended := framed("home", "Good afternoon, Greta")
	ended.sessionEnded = true
	page("page-session-ended", "Page: Home, the session has ended", HomePage(ended, home("home", Ready)))
	always, busy, noAnswer, unreachable := fixtureForward("calls-always", "always"), fixtureForwardOn("calls-busy", "busy"), fixtureForwardOn("calls-no-answer", "noAnswer"), fixtureForward("calls-unreachable", "unreachable")
	dnd, waiting, intercept := fixtureDND("calls-dnd"), fixtureWaiting("calls-waiting"), fixtureIntercept("calls-intercept")
	page("page-calls", "Page: Calls", CallsPage(framed("calls", "Calls"), CallsCards{RightNow: fixtureRightNow("calls-now"), Always: &always, Busy: &busy, NoAnswer: &noAnswer,
		Unreachable: &unreachable, DoNotDisturb: &dnd, CallWaiting: &waiting, Intercept: &intercept}))
	page("page-queues", "Page: Queues", QueuesPage(framed("queues", "Queues"), with(fixtureQueues("queues"), func(p *Queues) { p.All = Link{} })))
	page("page-phones", "Page: Phones", PhonesPage(framed("phones", "Phones"), with(fixturePhones("phones"), func(p *Phones) { p.All = Link{} })))
	page("page-history", "Page: History", HistoryPage(framed("history", "History"), fixtureHistory("history")))
	page("page-health", "Page: Health", HealthPage(framed("health", "Health"), fixtureHealth("health")))
	flash := framed("calls", "Calls")
	flash.Flash = fixtureSaved("flash")
	page("page-flash", "Page: saved without JavaScript", CallsPage(flash, CallsCards{RightNow: fixtureRightNow("flash-now"), Always: &always}))
	page("page-no-permission", "Page: no permission", NoPermissionPage(framed("", "This page is not yours to open"), Message{
		Text: "Health is for administrators of the portal.", Do: "Ana Lopez or IT Service Desk (ext. 1000) can give you access.", Primary: Link{"Go to Home", "/"},
	}))
	failed := framed("", "Something went wrong")
	failed.HasError = true
	page("page-error", "Page: error", ErrorPage(failed, Message{
		Text: "The portal could not show this page. Nothing was changed.", Do: "Try again. If it happens again, tell your IT service desk the reference.", Reference: "5d0c-88e1",
		Primary: Link{"Try again", "/calls"}, Secondary: Link{"Go to Home", "/"},
	}))
	page("page-docs", "Page: API", DocsPage(framed("", "The portal's API"), Docs{SpecURL: "/api/openapi.json"}))
	return slices.Concat(all, peopleStates(f), boardStates(f), grantingStates(f), logStates(f), devicesStates(f))
}

// with changes a copy of a fixture.
func with[T any](v T, change func(*T)) T {
	change(&v)
	return v
}

func fixtureCard(id, name string, state State) Card {
	return Card{ID: id + "-card", Name: name, PageURL: "?only=" + id, State: state}
}

func fixtureError(id, name string) Card {
	c := fixtureCard(id, name, Failed)
	c.Problem = Problem{What: "Webex did not answer in time.", Unchanged: "Nothing was changed. Your phone keeps working as set.", Do: "Try again in a minute.", Reference: "PATCHBAY_3f1c9a20-4c1e"}
	return c
}

func fixtureNav(page string) []NavGroup {
	entry := func(name, url string) NavEntry { return NavEntry{Page: name, URL: url, Current: name == page} }
	return []NavGroup{
		{Name: "me", Entries: []NavEntry{entry("home", "/"), entry("calls", "/calls"), entry("queues", "/queues"), entry("phones", "/phones"), entry("history", "/history")}},
		{Name: "run", Entries: []NavEntry{entry("health", "/health")}},
	}
}

// GalleryFrame is a frame for the gallery: a made-up person who may open
// everything.
func GalleryFrame(ctx context.Context, theme string) Frame {
	loc := i18n.FromContext(ctx)
	return Frame{
		Title: loc.T("page.gallery"), Lang: loc.Language(), Theme: theme, TimeZone: "Berlin time",
		Person: Person{Name: "Greta Holm", Initials: "GH", Email: "greta.holm@example.com"}, Nav: fixtureNav(""),
		Languages: []Language{{"en", "English", true}, {"en-XA", "Pseudo", false}},
		URLs:      URLs{Home: "/", Help: "/help", SignIn: "/login", SignOut: "/logout", Preferences: "/preferences", Session: "/api/me"},
	}
}

func fixtureDemoStrip() Strip {
	return Strip{ID: "strip-demo", Tone: TonePlain, Text: "This is a demo with made-up people. Nothing you change here will outlive it."}
}

func fixtureSaved(id string) Note {
	return Note{Kind: Saved, At: "10:42", Undo: Action{ID: id + "-undo-button", URL: "/history/1/undo"}}
}

func fixtureNotSaved() Note {
	return Note{Kind: NotSaved, Text: "This was not changed. Webex refuses it at the moment. Try again later.", Reference: "PATCHBAY_77ab"}
}

func fixtureChanged(id string) Note {
	return Note{Kind: ChangedElsewhere, Text: "Someone turned this off at 10:40. Nothing was overwritten.", Theirs: "off", Mine: "to +49 30 23125 014",
		KeepTheirs: Action{ID: id + "-keep", URL: "/calls/callForwarding", Label: "Keep off"}, UseMine: Action{ID: id + "-use", URL: "/calls/callForwarding"}}
}

func fixtureWait(id string) Note {
	return Note{Kind: RateLimited, Seconds: 3000, Retry: Action{ID: id + "-now", URL: "/calls/callForwarding"}}
}

func fixtureLocked() Locked {
	return Locked{Now: "off", Why: "Your organisation manages this setting. To change it, contact IT Service Desk, ext. 1000."}
}

func fixtureLastAgent(id string) Confirm {
	return Confirm{Text: "You are the last person in Sales Hotline. If you leave, callers hear the overflow message.",
		Go: Action{ID: id + "-anyway", URL: "/queues/1", Hidden: []Hidden{{"joined", "false"}}}, Stay: "?only=" + id}
}

func fixtureRightNow(id string) RightNow {
	return RightNow{
		Card: fixtureCard(id, "rightNow", Ready), Tag: Tag{ToneGood, "Reachable"},
		Sentence: []Segment{{Text: "Calls ring your "}, {"desk phone and the Webex app", "/phones"}, {Text: " for "}, {"4 rings", "/calls#card-noAnswer"},
			{Text: ". If you are "}, {"busy", "/calls#card-busy"}, {Text: " or do not answer, "}, {"voicemail", "/calls#card-noAnswer"}, {Text: " takes them."}},
		Steps: []Step{{"incoming", "Somebody calls", "inside or outside"}, {"phones", "Desk phone, app", "4 rings, about 24 seconds"}, {"voicemail", "Voicemail", "your own greeting"}},
	}
}

func fixtureForwarded(id string) RightNow {
	return RightNow{
		Card: fixtureCard(id, "rightNow", Ready), Tag: Tag{ToneWarn, "Forwarded"},
		Sentence: []Segment{{Text: "All calls go to "}, {"+49 30 23125 014", "/calls#card-always"}, {Text: ". Your own phones do not ring."}},
		Steps:    []Step{{"incoming", "Somebody calls", "inside or outside"}, {"forward", "+49 30 23125 014", "outside number, Germany"}},
		Warnings: []Warning{{"Do not disturb is on. It has no effect while all calls are forwarded.", Link{"Change it", "/calls#card-doNotDisturb"}}},
	}
}

func fixtureNumbers(id string) Numbers {
	return Numbers{Card: fixtureCard(id, "numbers", Ready), Parts: []string{"+49 30 23125 100", "extension 1000", "Berlin"}}
}

func fixtureQuick(id string) Quick {
	return Quick{
		Card: fixtureCard(id, "quick", Ready), ForwardURL: "/calls#card-always", ForwardHint: "to a person or number", QueuesHint: "joined in 2 of 3",
		DoNotDisturb: Switch{ID: id + "-dnd", Name: "enabled", Label: "Do not disturb", Hint: "off", Form: Form{URL: "/calls/doNotDisturb", ETag: "e1", Fields: []string{"enabled"}}},
		LeaveAll:     Action{URL: "/queues", Hidden: []Hidden{{"_card", "quick"}, {"joined", "false"}}},
	}
}

func fixtureQueues(id string) Queues {
	form := Form{URL: "/queues/1", ETag: "q1", Fields: []string{"joined"}}
	return Queues{
		Card: fixtureCard(id, "queues", Ready), All: Link{"All queues", "/queues"},
		Rows: []Queue{
			{ID: id + "-q1", Name: "Sales Hotline", Detail: "ext. 5010 · 4 of 9 joined", Joined: true, CanJoin: true, Form: form},
			{ID: id + "-q2", Name: "Service Berlin", Detail: "ext. 5022 · 2 of 6 joined", Joined: false, CanJoin: true, Form: form},
			{ID: id + "-q3", Name: "Switchboard", Lock: "Not joined. Your supervisor decides who joins."},
		},
		JoinAll:  Action{URL: "/queues", Hidden: []Hidden{{"_card", "queues"}, {"joined", "true"}}},
		LeaveAll: Action{URL: "/queues", Hidden: []Hidden{{"_card", "queues"}, {"joined", "false"}}},
	}
}

func fixturePhones(id string) Phones {
	return Phones{
		Card: fixtureCard(id, "phones", Ready), All: Link{"All phones", "/phones"},
		Rows: []Phone{
			{"Cisco 9851", "desk, Berlin · 00:11:22:33:44:55", Tag{ToneGood, "Online"}},
			{"Webex app", "laptop and mobile", Tag{TonePlain, "State unknown"}},
			{"Cisco 6823 DECT", "warehouse · 00:11:22:33:44:66", Tag{ToneWarn, "Offline"}},
		},
	}
}

func fixtureForward(id, name string) Forward {
	path := "callForwarding." + name + "."
	if name == "unreachable" {
		path = "businessContinuity."
	}
	p := Forward{
		Card:        fixtureCard(id, name, Ready),
		Enabled:     Check{Name: path + "enabled"},
		Destination: Field{Name: path + "destination"},
		Voicemail:   Check{Name: path + "destinationVoicemailEnabled"},
		Form:        Form{URL: "/calls/callForwarding", ETag: "f1", Fields: []string{path + "enabled", path + "destination", path + "destinationVoicemailEnabled"}},
	}
	switch name {
	case "always":
		p.RingReminder = Check{Name: path + "ringReminderEnabled"}
	case "noAnswer":
		p.Rings = Rings{Name: path + "numberOfRings", Value: 4, Min: 2, Max: 20}
	}
	return p
}

func fixtureForwardOn(id, name string) Forward {
	p := fixtureForward(id, name)
	p.Enabled.On = true
	p.Destination.Value, p.Destination.Meaning = "+49 30 23125 014", "Outside number, Germany, +49 30 23125 014"
	return p
}

func fixtureDND(id string) Switches {
	form := Form{URL: "/calls/doNotDisturb", ETag: "d1", Fields: []string{"enabled"}}
	return Switches{Card: fixtureCard(id, "doNotDisturb", Ready), Items: []Switch{
		{ID: id + "-enabled", Name: "enabled", Label: "Do not disturb", Hint: "Callers hear busy, or reach voicemail.", Form: form},
		{ID: id + "-splash", Name: "ringSplashEnabled", Label: "Ring reminder", Hint: "A short ring on your phone for each call that is turned away.", On: true, Form: form},
		{ID: id + "-mobile", Name: "webexGoOverrideEnabled", Label: "Also on my mobile phone", Hint: "For calls through Webex Go.", Form: form},
	}}
}

func fixtureWaiting(id string) Switches {
	return Switches{Card: fixtureCard(id, "callWaiting", Ready), Items: []Switch{
		{ID: id + "-enabled", Name: "enabled", Label: "Call waiting", Hint: "A second caller can reach you while you are on a call.", On: true, Form: Form{URL: "/calls/callWaiting", ETag: "w1", Fields: []string{"enabled"}}},
	}}
}

func fixtureIntercept(id string) Intercept {
	return Intercept{
		Card:              fixtureCard(id, "intercept", Ready),
		Form:              Form{URL: "/calls/intercept", ETag: "i1", Fields: []string{"enabled", "incoming.type", "outgoing.type"}},
		Enabled:           Check{Name: "enabled"},
		Incoming:          Check{Name: "incoming.type", On: true},
		IncomingVoicemail: Check{Name: "incoming.voicemailEnabled"},
		NewNumber:         Check{Name: "incoming.announcements.newNumber.enabled"}, NewNumberTo: Field{Name: "incoming.announcements.newNumber.destination"},
		ZeroTransfer: Check{Name: "incoming.announcements.zeroTransfer.enabled"}, ZeroTransferTo: Field{Name: "incoming.announcements.zeroTransfer.destination"},
		Outgoing:         Check{Name: "outgoing.type", On: true},
		OutgoingTransfer: Check{Name: "outgoing.transferEnabled"}, OutgoingTransferTo: Field{Name: "outgoing.destination"},
	}
}

func fixtureReview(id string) Intercept {
	p := fixtureIntercept(id)
	p.Review = Review{
		Label: "Start intercepting calls", Values: []Hidden{{"enabled", "true"}, {"incoming.type", "INTERCEPT_ALL"}},
		Differences: []Difference{{"Call intercept", "off", "on"}, {"When somebody calls you", "every call comes through", "callers hear an announcement"}},
	}
	return p
}

func fixtureHistory(id string) History {
	return History{Card: fixtureCard(id, "history", Ready), Older: Link{"Older changes", "/history?cursor=2"}, Entries: []Entry{
		{ID: id + "-e1", Sentence: "You forwarded all calls", Who: "you", When: "today, 10:42", Changes: []Difference{{"Forward all calls", "off", "to +49 30 23125 014"}},
			Outcome: Tag{ToneGood, "Done"}, Undo: Action{URL: "/history/1/undo"}},
		{ID: id + "-e2", Sentence: "Anna Weber joined you to Service Berlin", Who: "Anna Weber", When: "today, 08:05", Reason: "holiday cover", Changes: []Difference{{"Joined in Service Berlin", "no", "yes"}},
			Outcome: Tag{ToneGood, "Done"}, WhyNot: "Only Anna Weber or you can undo this on the page Queues."},
		{ID: id + "-e3", Sentence: "You wanted to turn on call intercept", Who: "you", When: "yesterday, 16:20", Changes: []Difference{{"Call intercept", "off", "on"}},
			Outcome: Tag{ToneBad, "Not done"}, WhyNot: "There is nothing to undo: Webex refused it."},
	}}
}

func fixtureHealth(id string) Health {
	return Health{Card: fixtureCard(id, "health", Ready), Items: []HealthItem{
		{Title: "Tokens of the service app", Tag: Tag{ToneGood, "Well"}, Text: "The portal may read and change settings. The tokens are renewed by themselves.", Numbers: []Difference{
			{Label: "Access token ends", After: "in 13 days"}, {Label: "Refresh token ends", After: "in 89 days"}, {Label: "Last renewal", After: "today, 04:12"}}},
		{Title: "Webex", Tag: Tag{ToneGood, "Well"}, Text: "Webex answers.", Numbers: []Difference{{Label: "Last answer", After: "4 s ago"}, {Label: "Calls in the last minute", After: "42 of 300"}}},
		{Title: "Redis", Tag: Tag{ToneWarn, "Look"}, Text: "Everything is kept in memory. Nothing will outlive a restart."},
		{Title: "Sign-in", Tag: Tag{ToneGood, "Well"}, Text: "People can sign in."},
		{Title: "Version", Tag: Tag{TonePlain, "1.0.0"}, Text: "Built from commit f48939b with go1.26.8."},
	}}
}

func fixtureIll(id string) Health {
	p := fixtureHealth(id)
	p.Items[0] = HealthItem{Title: "Tokens of the service app", Tag: Tag{ToneBad, "New tokens needed"},
		Text:    "Webex has refused the refresh token for good. Authorize the service app again in Control Hub, and start the portal with the new refresh token.",
		Numbers: []Difference{{Label: "Refused", After: "today, 09:58"}, {Label: "Last renewal", After: "14 November, 04:12"}}}
	return p
}
