package web

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/a-h/templ"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
	"patchbay/internal/session"
	"patchbay/internal/signin"
	"patchbay/static"
	"patchbay/templates"
)

func itoa(n int) string { return strconv.Itoa(n) }

func countryName(r *http.Request, region string) string {
	reg, err := language.ParseRegion(region)
	if err != nil {
		return region
	}
	tag, err := language.Parse(i18n.FromContext(r.Context()).Language())
	if err != nil {
		tag = language.English
	}
	if namer := display.Regions(tag); namer != nil {
		if name := namer.Name(reg); name != "" {
			return name
		}
	}
	return display.English.Regions().Name(reg)
}

func (s *Server) showLogin(w http.ResponseWriter, r *http.Request) error {
	if visitorFrom(r.Context()).PersonID != "" {
		http.Redirect(w, r, signin.ReturnPath(r.URL.Query().Get("return")), http.StatusSeeOther)
		return nil
	}
	p := templates.SignIn{URL: "/authenticate"}
	if back := r.URL.Query().Get("return"); back != "" {
		p.URL += "?return=" + url.QueryEscape(signin.ReturnPath(back))
		p.Reason = tr(r, "login.first")
	}
	if r.URL.Query().Has("out") {
		p.Reason = tr(r, "login.out")
		p.URL = "/authenticate?account=other" // on a shared machine the next person is another one
	}
	return render(w, r, http.StatusOK, templates.LoginPage(s.frame(r, "", tr(r, "login.title")), p))
}

func (s *Server) startSignIn(w http.ResponseWriter, r *http.Request) error {
	if s.otherLoopback(r) {
		http.Redirect(w, r, s.Config.URL.String()+r.URL.RequestURI(), http.StatusSeeOther)
		return nil
	}
	if err := s.SignIn.Start(w, r); err != nil {
		return s.signInFailed(w, r, err)
	}
	return nil
}

// otherLoopback reports whether a browser on this machine uses another name for
// it than PORTAL_URL does: 127.0.0.1 and localhost do not share cookies, so a
// sign-in begun under one name could not end under the other.
func (s *Server) otherLoopback(r *http.Request) bool {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil || port != s.Config.URL.Port() {
		return false
	}
	isLoopback := func(name string) bool {
		ip := net.ParseIP(name)
		return name == "localhost" || ip != nil && ip.IsLoopback()
	}
	own := s.Config.URL.Hostname()
	return host != own && isLoopback(host) && isLoopback(own)
}

func (s *Server) finishSignIn(w http.ResponseWriter, r *http.Request) error {
	result, err := s.SignIn.Finish(w, r)
	if err != nil {
		return s.signInFailed(w, r, err)
	}
	client := session.Client{UserAgent: r.UserAgent(), Address: clientAddress(r)}
	if err := s.Sessions.SignIn(r.Context(), result.Identity, client); err != nil {
		return err
	}
	s.noteSignIn(r, audit.Person{ID: result.Identity.PersonID, Name: result.Identity.DisplayName}, "", audit.Done)
	s.Log.InfoContext(r.Context(), "signed in", "request_id", RequestID(r.Context()))
	http.Redirect(w, r, result.ReturnTo, http.StatusSeeOther)
	return nil
}

// noteSignIn writes a sign-in into the log.
func (s *Server) noteSignIn(r *http.Request, who audit.Person, reason signin.Reason, outcome audit.Outcome) {
	_, err := s.Audit.Note(r.Context(), audit.Entry{
		Actor: who, Setting: signInName, Object: audit.Object{Kind: "browser", Name: beginning(r.UserAgent())}, Reason: string(reason),
	}, audit.Result{Outcome: outcome})
	if err != nil {
		s.Log.ErrorContext(r.Context(), "a sign-in could not be recorded", "error", err, "request_id", RequestID(r.Context()))
	}
}

// vouched are the reasons of failed sign-ins in which Webex has vouched for
// somebody: those are for the log. What anybody on the internet can send is not.
var vouched = []signin.Reason{
	signin.EmailMissing, signin.EmailUnverified, signin.PersonUnknown, signin.PersonAmbiguous, signin.OrganizationOther, signin.SubjectOther, signin.NotCalling,
}

// signInFailed says exactly why, and offers another try.
func (s *Server) signInFailed(w http.ResponseWriter, r *http.Request, err error) error {
	p := problemOf(err)
	m := templates.Message{
		Text: say(r, p.Public), Reference: reference(r, p),
		Primary: templates.Link{Text: tr(r, "signin.again"), URL: "/authenticate"},
	}
	var failure *signin.Failure
	if errors.As(err, &failure) && slices.Contains(vouched, failure.Reason) {
		s.noteSignIn(r, audit.Person{}, failure.Reason, audit.Refused)
	}
	if failure != nil && failure.OtherAccount {
		m.Primary = templates.Link{Text: tr(r, "signin.otherAccount"), URL: "/authenticate?account=other"}
	}
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", itoa(retrySeconds(p)))
	}
	f := s.frame(r, "", tr(r, "signin.failed"))
	f.HasError = true
	return render(w, r, p.Code.Status(), templates.BareErrorPage(f, m))
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.Sessions.SignOut(r.Context()); err != nil {
		return err
	}
	// Pages that the browser kept must not be there for the next person.
	w.Header().Set("Clear-Site-Data", `"cache"`)
	http.Redirect(w, r, "/login?out=1", http.StatusSeeOther)
	return nil
}

// showSession tells a page whether its session still lives; it is also where a
// sign-in in a second window ends.
func (s *Server) showSession(w http.ResponseWriter, r *http.Request) error {
	if isPartial(r) || r.Header.Get("Sec-Fetch-Dest") == "empty" {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	return render(w, r, http.StatusOK, templates.SignedInPage(s.frame(r, "", tr(r, "signedIn.title"))))
}

// savePreferences keeps theme and language in cookies, for browsers without
// JavaScript; with it the page does that itself.
func (s *Server) savePreferences(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return bodyProblem(err)
	}
	for field, cookie := range map[string]string{"theme": themeCookie, "lang": languageCookie} {
		if value := r.PostForm.Get(field); value != "" && len(value) <= 20 && !strings.ContainsAny(value, "\";,\\ \r\n") {
			http.SetCookie(w, &http.Cookie{ //nolint:gosec // read by the page's own script: neither secret nor trusted
				Name: cookie, Value: value, Path: "/", MaxAge: 365 * 24 * 3600, SameSite: http.SameSiteLaxMode, Secure: s.Config.URL.Scheme == "https",
			})
		}
	}
	back := "/"
	if from, err := url.Parse(r.Referer()); err == nil && from.Host == r.Host {
		back = signin.ReturnPath(from.RequestURI())
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
	return nil
}

// inline reports whether the cards must come in the page: the browser has no
// JavaScript. It learns that from the redirect in a noscript element, once.
func (s *Server) inline(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Query().Get("js") == "0" {
		http.SetCookie(w, &http.Cookie{ //nolint:gosec // app.js takes it away when there is JavaScript after all
			Name: noScriptCookie, Value: "0", Path: "/", SameSite: http.SameSiteLaxMode, Secure: s.Config.URL.Scheme == "https",
		})
		return true
	}
	c, err := r.Cookie(noScriptCookie)
	return err == nil && c.Value == "0"
}

// showHome is Home; administrators without a phone have theirs at Health.
func (s *Server) showHome(w http.ResponseWriter, r *http.Request) error {
	if v := visitorFrom(r.Context()); !v.calls() && !v.forOther() && v.MayEverywhere(access.Operate) {
		http.Redirect(w, r, "/health", http.StatusSeeOther)
		return nil
	}
	return s.showPage(w, r, "home")
}

func (s *Server) showCalls(w http.ResponseWriter, r *http.Request) error {
	return s.showPage(w, r, "calls")
}
func (s *Server) showQueues(w http.ResponseWriter, r *http.Request) error {
	return s.showPage(w, r, "queues")
}
func (s *Server) showPhones(w http.ResponseWriter, r *http.Request) error {
	if !sees(r, selfservice.PhonesPart) {
		return access.Denied("setting.notFound")
	}
	return s.showPage(w, r, "phones")
}
func (s *Server) showHistory(w http.ResponseWriter, r *http.Request) error {
	return s.showPage(w, r, "history")
}

// showPage answers with a page whose cards fetch themselves, so that it never
// waits for Webex; or, without JavaScript, with the cards in it.
func (s *Server) showPage(w http.ResponseWriter, r *http.Request, name string) error {
	if s.inline(w, r) {
		return s.renderPage(w, r, name, http.StatusOK, "", shown{})
	}
	f := s.pageFrame(r, name)
	target := *r.URL
	query := target.Query()
	query.Set("js", "0")
	target.RawQuery = query.Encode()
	f.NoScriptURL = target.RequestURI()
	return render(w, r, http.StatusOK, s.shell(r, f, name))
}

// shell is a page without the values of its cards.
func (s *Server) shell(r *http.Request, f templates.Frame, name string) templ.Component {
	load := func(card string) templates.Card { return loading(r, card, name) }
	switch name {
	case "calls":
		c := templates.CallsCards{RightNow: s.knownRightNow(r, name)}
		if sees(r, "callForwarding") {
			c.Always, c.Busy = &templates.Forward{Card: load("always")}, &templates.Forward{Card: load("busy")}
			c.NoAnswer, c.Unreachable = &templates.Forward{Card: load("noAnswer")}, &templates.Forward{Card: load("unreachable")}
		}
		if sees(r, "doNotDisturb") {
			c.DoNotDisturb = &templates.Switches{Card: load("doNotDisturb")}
		}
		if sees(r, "callWaiting") {
			c.CallWaiting = &templates.Switches{Card: load("callWaiting")}
		}
		if sees(r, "intercept") {
			c.Intercept = &templates.Intercept{Card: load("intercept")}
		}
		return templates.CallsPage(f, c)
	case "queues":
		return templates.QueuesPage(f, templates.Queues{Card: load("queues")})
	case "phones":
		if visitorFrom(r.Context()).forOther() {
			return s.devicesPage(r, f, false, "", shown{})
		}
		return templates.PhonesPage(f, templates.Phones{Card: load("phones")})
	case "history":
		// The history comes from Redis, not from Webex: it is in the page at once.
		return templates.HistoryPage(f, s.historyCard(r, shown{page: name}))
	}
	return templates.HomePage(f, s.knownHome(r))
}

// knownFor is how old values may be that a page shows while it reads afresh.
const knownFor = 5 * time.Minute

// known is the card of values that are shown at once and read again.
func known(r *http.Request, name, page string) templates.Card {
	c := cardBase(r, name, shown{page: page})
	c.Refresh = true
	return c
}

// knownRightNow is the card of Right now, with what was read a moment ago if
// there is any: nobody waits for what is known.
func (s *Server) knownRightNow(r *http.Request, page string) templates.RightNow {
	who := visitorFrom(r.Context())
	if !selfservice.SeesRightNow(who.Caller, who.subject) {
		return s.rightNowCard(r, shown{page: page})
	}
	if path, ok := s.Settings.KnownRightNow(r.Context(), who.Caller, who.subject, knownFor); ok {
		return rightNow(r, known(r, "rightNow", page), path)
	}
	return templates.RightNow{Card: loading(r, "rightNow", page)}
}

// knownHome is Home before Webex was asked.
func (s *Server) knownHome(r *http.Request) templates.HomeCards {
	who := visitorFrom(r.Context())
	c := templates.HomeCards{
		Numbers: templates.Numbers{Card: loading(r, "numbers", onHome)}, RightNow: s.knownRightNow(r, onHome),
		Quick: &templates.Quick{Card: loading(r, "quick", onHome)},
	}
	if sees(r, "queues") {
		c.Queues = &templates.Queues{Card: loading(r, "queues", onHome)}
	}
	if sees(r, selfservice.PhonesPart) {
		c.Phones = &templates.Phones{Card: loading(r, "phones", onHome)}
	}
	s.ownCards(r, &c, shown{page: onHome})
	if p, ok := s.Settings.KnownProfile(r.Context(), who.Caller, who.subject); ok {
		c.Numbers.State, c.Numbers.Parts = templates.Ready, numberParts(r, p)
	}
	if devices, ok := s.Settings.LastKnownDevices(r.Context(), who.Caller, who.subject); ok && c.Phones != nil {
		c.Phones.Card.Rows = len(devices)
	}
	return c
}

// ownCards are the cards that only one's own Home has. They come from Redis, so they
// are in the page at once.
func (s *Server) ownCards(r *http.Request, c *templates.HomeCards, v shown) {
	if visitorFrom(r.Context()).forOther() {
		return
	}
	lendings, news := s.lendingsCard(r, v), s.newsCard(r)
	c.Lendings, c.News = &lendings, &news
}

func (s *Server) pageFrame(r *http.Request, name string) templates.Frame {
	title := tr(r, "nav."+name)
	if v := visitorFrom(r.Context()); name == "home" && v.forOther() {
		title = v.subject.Name
	} else if name == "home" {
		title = s.greeting(r)
	}
	f := s.frame(r, name, title)
	s.popFlash(r, &f, "history", name)
	return f
}

// popFlash says on a page what the form before it did. Undo there answers with the
// card, on the page.
func (s *Server) popFlash(r *http.Request, f *templates.Frame, card, page string) {
	flash, ok, err := s.Sessions.PopFlash(r.Context())
	if err != nil || !ok {
		return
	}
	f.Flash = templates.Note{Kind: templates.Notice, Text: say(r, flash.Text)}
	if flash.Kind == "saved" {
		f.Flash = templates.Note{Kind: templates.Saved, Text: say(r, flash.Text), Undo: undoAction(r, flash.RecordID, card, page)}
	}
}

// greeting greets by the time of day where the person is.
func (s *Server) greeting(r *http.Request) string {
	part := "evening"
	switch hour := s.Now().In(s.zone(r)).Hour(); {
	case hour >= 5 && hour < 12:
		part = "morning"
	case hour >= 12 && hour < 18:
		part = "afternoon"
	}
	name := visitorFrom(r.Context()).identity.FirstName
	if name == "" {
		name = visitorFrom(r.Context()).Name
	}
	return tr(r, "home.greeting."+part, "Name", name)
}

// renderPage answers with a page and the cards in it, read all at once; the card
// named special is shown as v says.
func (s *Server) renderPage(w http.ResponseWriter, r *http.Request, name string, status int, special string, v shown) error {
	show := func(card string) shown {
		one := shown{page: name, age: oneView}
		if card == special {
			one = v
			one.page, one.age = name, max(v.age, oneView)
		}
		return one
	}
	f := s.pageFrame(r, name)
	f.HasError = status >= http.StatusBadRequest
	var wg sync.WaitGroup
	switch name {
	case "calls":
		c := templates.CallsCards{}
		wg.Go(func() { c.RightNow = s.rightNowCard(r, show("rightNow")) })
		for card, into := range map[string]**templates.Forward{"always": &c.Always, "busy": &c.Busy, "noAnswer": &c.NoAnswer, "unreachable": &c.Unreachable} {
			wg.Go(func() { *into = s.forwardCard(r, card, show(card)) })
		}
		for card, into := range map[string]**templates.Switches{"doNotDisturb": &c.DoNotDisturb, "callWaiting": &c.CallWaiting} {
			wg.Go(func() { *into = s.switchesCard(r, card, show(card)) })
		}
		wg.Go(func() { c.Intercept = s.interceptCard(r, show("intercept")) })
		wg.Wait()
		return render(w, r, status, templates.CallsPage(f, c))
	case "queues":
		return render(w, r, status, templates.QueuesPage(f, s.queuesCard(r, show("queues"))))
	case "phones":
		if visitorFrom(r.Context()).forOther() {
			return render(w, r, status, s.devicesPage(r, f, true, special, show(special)))
		}
		return render(w, r, status, templates.PhonesPage(f, s.phonesCard(r, show("phones"))))
	case "history":
		return render(w, r, status, templates.HistoryPage(f, s.historyCard(r, show("history"))))
	case "lend":
		return s.renderLend(w, r, status, lendForm{}, nil, show("lendings"))
	}
	c := templates.HomeCards{Quick: &templates.Quick{}}
	s.ownCards(r, &c, show("lendings"))
	if sees(r, "queues") {
		c.Queues = &templates.Queues{}
	}
	if sees(r, selfservice.PhonesPart) {
		c.Phones = &templates.Phones{}
	}
	wg.Go(func() { c.Numbers = s.numbersCard(r, show("numbers")) })
	wg.Go(func() { c.RightNow = s.rightNowCard(r, show("rightNow")) })
	wg.Go(func() { *c.Quick = s.quickCard(r, show("quick")) })
	if c.Queues != nil {
		wg.Go(func() { *c.Queues = s.queuesCard(r, show("queues")) })
	}
	if c.Phones != nil {
		wg.Go(func() { *c.Phones = s.phonesCard(r, show("phones")) })
	}
	wg.Wait()
	return render(w, r, status, templates.HomePage(f, c))
}

// restAge is how old readings may be when a card is fetched once more for its rest.
const restAge = 15 * time.Second

// showCard answers with one card; a browser without JavaScript gets its page.
func (s *Server) showCard(w http.ResponseWriter, r *http.Request) error {
	name := param(r, "card")
	v := shown{page: pageParam(r), age: oneView, again: true}
	if r.URL.Query().Has("rest") { // what was read for the first part will do
		v.age, v.again = restAge, false
	}
	if r.URL.Query().Has("fresh") {
		v.age = 0
	}
	if v.page == "" {
		v.page = homeOf[name]
	}
	if !isPartial(r) {
		if v.page == "" {
			return problem.New(problem.NotFound, "web.notFound")
		}
		http.Redirect(w, r, pageURL(r, v.page), http.StatusSeeOther)
		return nil
	}
	c, err := s.card(r, name, v)
	if err != nil {
		return err
	}
	// A card that says what is wrong is a right answer to "show the card".
	return render(w, r, http.StatusOK, c)
}

func (s *Server) showNumberMeaning(w http.ResponseWriter, r *http.Request) error {
	raw := ""
	for name, values := range r.URL.Query() {
		if strings.HasSuffix(name, "estination") && len(values) > 0 {
			raw = values[0]
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	who := visitorFrom(r.Context())
	_, _ = w.Write([]byte(numberMeaning(r, raw, s.Settings.Region(r.Context(), who.subject)))) // the reader may be gone
	return nil
}

func (s *Server) showHelp(w http.ResponseWriter, r *http.Request) error {
	return render(w, r, http.StatusOK, templates.HelpPage(s.frame(r, "help", tr(r, "page.help"))))
}

func (s *Server) showDocs(w http.ResponseWriter, r *http.Request) error {
	return render(w, r, http.StatusOK, templates.DocsPage(s.frame(r, "", tr(r, "page.docs")), templates.Docs{SpecURL: "/api/openapi.json"}))
}

func (s *Server) notFound(http.ResponseWriter, *http.Request) error {
	return problem.New(problem.NotFound, "web.notFound")
}

// renderProblemPage tells a person what is wrong and what to do.
func (s *Server) renderProblemPage(w http.ResponseWriter, r *http.Request, p *problem.Error) {
	m := templates.Message{Text: say(r, p.Public), Reference: reference(r, p), Primary: templates.Link{Text: tr(r, "problem.home"), URL: "/"}}
	f := s.frame(r, "", tr(r, titleOf(p.Code)))
	f.HasError = true
	status := p.Code.Status()
	v := visitorFrom(r.Context())
	if p.Public.Key == keyActingEnded {
		f.Title, m.Secondary = tr(r, "acting.ended.title"), m.Primary
		m.Primary = templates.Link{Text: tr(r, "acting.start", "Name", v.subject.Name), URL: v.base + "/start"}
	}
	if p.Public.Key == keyPreview { // the way to where it is ended
		if acting, ok, err := s.Sessions.Acting(r.Context()); err == nil && ok {
			f.Title, m.Secondary = tr(r, "acting.preview.title"), m.Primary
			m.Primary = templates.Link{Text: tr(r, "acting.preview.open"), URL: "/people/" + url.PathEscape(acting.PersonID)}
		}
	}
	switch {
	case v.PersonID == "":
		_ = render(w, r, status, templates.BareErrorPage(f, m))
	case p.Code == problem.Forbidden:
		_ = render(w, r, status, templates.NoPermissionPage(f, m))
	default:
		_ = render(w, r, status, templates.ErrorPage(f, m))
	}
}

// titleOf heads the page of a problem.
func titleOf(c problem.Code) string {
	switch c {
	case problem.NotFound:
		return "page.notFound"
	case problem.Forbidden:
		return "page.notAllowed"
	}
	return "page.failed"
}

// renderCardProblem answers htmx when there is no card to answer with. The script
// of the page shows the words; 401 makes it ask to sign in again.
func (s *Server) renderCardProblem(w http.ResponseWriter, r *http.Request, p *problem.Error) {
	w.Header().Set("HX-Reswap", "none")
	_ = render(w, r, p.Code.Status(), templates.Live("", say(r, p.Public)))
}

// showAlive: the process is up.
func (s *Server) showAlive(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
	return nil
}

func showFavicon(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, static.URL("favicon.svg"), http.StatusMovedPermanently)
	return nil
}

func showRobots(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("User-agent: *\nDisallow: /\n"))
	return nil
}

// readyTimeout bounds what a probe waits for Redis.
const readyTimeout = 2 * time.Second

// showGallery shows every component in every state, for tests and screenshots.
func (s *Server) showGallery(w http.ResponseWriter, r *http.Request) error {
	f := templates.GalleryFrame(r.Context(), themeOf(r))
	f.Lang = i18n.FromContext(r.Context()).Language()
	component, ok := templates.Gallery(f, r.URL.Query().Get("only"))
	if !ok {
		return problem.New(problem.NotFound, "web.notFound")
	}
	return render(w, r, http.StatusOK, component)
}
