package web

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/boombuler/barcode/qr"

	"patchbay/internal/access"
	"patchbay/internal/dialing"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/selfservice"
	"patchbay/internal/session"
	"patchbay/internal/webex"
	"patchbay/templates"
)

// deviceRoutes is the part of the table for phones of others.
func (s *Server) deviceRoutes() []route {
	const (
		phone   = "/people/{person}/phones/{device}"
		devices = "/api/people/{person}/devices"
	)
	restart := phoneAct{name: "restart", carry: s.Settings.ApplyPhone}
	remove := phoneAct{name: "remove", carry: s.Settings.RemovePhone}
	return []route{
		{"POST", "/people/{person}/activation-code", card, access.ManagePhones, s.makeCode},
		{"GET", phone, page, access.ManagePhones, s.showPhone},
		{"POST", phone, card, access.ManagePhones, s.saveLabels},
		{"GET", phone + "/restart", page, access.ManagePhones, s.showPhoneAct(restart)},
		{"POST", phone + "/restart", page, access.ManagePhones, s.carryPhoneAct(restart)},
		{"GET", phone + "/remove", page, access.ManagePhones, s.showPhoneAct(remove)},
		{"POST", phone + "/remove", page, access.ManagePhones, s.carryPhoneAct(remove)},

		{"POST", devices + "/activation-code", api, access.ManagePhones, s.apiMakeCode},
		{"GET", devices + "/{device}/lines", api, access.ReadPeople, s.apiLines},
		{"PUT", devices + "/{device}/lines", api, access.ManagePhones, s.apiPutLines},
		{"POST", devices + "/{device}/apply", api, access.ManagePhones, s.apiApply},
		{"DELETE", devices + "/{device}", api, access.ManagePhones, s.apiRemove},
	}
}

// roomOS stands for no model in the form: Webex makes codes for devices with RoomOS
// without one.
const roomOS = "roomOS"

func phoneURL(r *http.Request, id string) string { return at(r, "/phones/"+url.PathEscape(id)) }

// devicesPage is the phones of somebody else; the cards are loaded in it, or load
// themselves.
func (s *Server) devicesPage(r *http.Request, f templates.Frame, load bool, special string, v shown) templ.Component {
	who := visitorFrom(r.Context())
	show := func(card string) shown {
		if card == special {
			return v
		}
		return shown{page: "phones", age: oneView}
	}
	devices, code := templates.Devices{Card: loading(r, "devices", "phones")}, templates.NewPhone{Card: loading(r, "newPhone", "phones")}
	if load {
		devices, code = s.devicesCard(r, show("devices")), s.newPhoneCard(r, show("newPhone"))
	}
	if may, _ := selfservice.ManagesPhones(who.Caller, who.subject); !may {
		return templates.DevicesPage(f, devices, nil)
	}
	return templates.DevicesPage(f, devices, &code)
}

// devicesCard lists the phones of somebody else, with what the visitor may do.
func (s *Server) devicesCard(r *http.Request, v shown) templates.Devices {
	who := visitorFrom(r.Context())
	c := templates.Devices{Card: cardBase(r, "devices", v)}
	may, locked := selfservice.ManagesPhones(who.Caller, who.subject)
	c.Locked.Why = say(r, locked)
	for i, d := range s.phonesFor(r, v, &c.Card) {
		one := templates.Device{ID: "device-" + strconv.Itoa(i), Phone: phoneRow(r, s, d)}
		switch {
		case d.Shared && may:
			one.Elsewhere = tr(r, "devices.elsewhere", "Owner", d.Owner)
		case may && !d.Removable():
			one.Elsewhere = tr(r, "devices.unmanaged")
		case may:
			one.RemoveURL = phoneURL(r, d.ID) + "/remove"
			if d.HasLines() {
				one.LinesURL, one.RestartURL = phoneURL(r, d.ID), phoneURL(r, d.ID)+"/restart"
			}
		}
		c.Rows = append(c.Rows, one)
	}
	return c
}

// newPhoneCard is the form for an activation code.
func (s *Server) newPhoneCard(r *http.Request, v shown) templates.NewPhone {
	who := visitorFrom(r.Context())
	c := templates.NewPhone{
		Card: cardBase(r, "newPhone", v), Name: who.subject.Name, Form: templates.Form{URL: at(r, "/activation-code"), For: formTag(r)},
		Model: templates.Field{Name: "model", Value: v.typed.Text("model")},
	}
	for _, f := range v.faults {
		if f.Name == c.Model.Name {
			c.Model.Error = say(r, f.Detail)
		}
	}
	models, err := s.Settings.PhoneModels(r.Context(), who.Caller)
	if err != nil {
		s.fail(r, &c.Card, err)
		return c
	}
	for _, m := range models {
		c.Models = append(c.Models, templates.Option{Value: m.Model, Text: m.Name})
	}
	c.Models = append(c.Models, templates.Option{Value: roomOS, Text: tr(r, "devices.model.roomOS")})
	return c
}

// makeCode answers with the code itself, in the card or on the page. It is never
// kept for another answer: who leaves the page has seen it for the last time.
func (s *Server) makeCode(w http.ResponseWriter, r *http.Request) error {
	if _, err := readForm(r, nil); err != nil {
		return err
	}
	who := visitorFrom(r.Context())
	chosen := r.PostForm.Get("model")
	v := shown{page: "phones", typed: selfservice.Document{"model": chosen}}
	var code webex.ActivationCode
	var err error = &problem.Error{Code: problem.Invalid, Public: text("setting.invalid"), Fields: []problem.Field{{Name: "model", Detail: text("devices.model.needed")}}}
	if chosen != "" {
		model := chosen
		if model == roomOS {
			model = ""
		}
		code, _, err = s.Settings.MakeActivationCode(r.Context(), who.Caller, who.subject, model, formOptions(r))
	}
	if errors.Is(err, access.ErrDenied) {
		return err
	}
	status := http.StatusOK
	if err != nil {
		p := problemOf(err)
		s.logProblem(r, p)
		status, v.faults = p.Code.Status(), p.Fields
		if !slices.ContainsFunc(v.faults, func(f problem.Field) bool { return f.Name == "model" }) {
			v.note = templates.Note{Kind: templates.NotSaved, Text: tr(r, "devices.code.notMade", "Why", say(r, p.Public)), Reference: reference(r, p)}
		}
	}
	c := s.newPhoneCard(r, v)
	if err == nil {
		c.State, c.Problem = templates.Ready, templates.Problem{}
		c.Code = s.codeWords(r, code, c.Models, chosen)
	}
	if isPartial(r) {
		parts := []templ.Component{templates.NewPhoneCard(c)}
		if err == nil { // the new phone is in the list, waiting for its code
			list := loading(r, "devices", "phones")
			list.OOB = true
			parts = append(parts, templates.DevicesCard(templates.Devices{Card: list}))
		}
		return render(w, r, status, parts...)
	}
	f := s.pageFrame(r, "phones")
	f.HasError = err != nil
	return render(w, r, status, templates.DevicesPage(f, s.devicesCard(r, shown{page: "phones"}), &c))
}

// codeWords shows a code: in groups, as a picture, and until when it can be used.
func (s *Server) codeWords(r *http.Request, code webex.ActivationCode, models []templates.Option, chosen string) templates.ActivationCode {
	c := templates.ActivationCode{Text: strings.Join(groups(code.Code), " "), Until: tr(r, "devices.code.untilUnknown"), QR: qrOf(code.Code)}
	for _, m := range models {
		if m.Value == chosen {
			c.Model = m.Text
		}
	}
	if end, err := time.Parse(time.RFC3339, code.ExpiryTime); err == nil {
		own := asOneself(r)
		c.Until = tr(r, "devices.code.until", "Until", tr(r, "devices.code.zone", "Time", s.clock(own, end), "Zone", zoneName(s.zone(own))))
	}
	return c
}

// asOneself is the request as one for the visitor's own pages: their time zone.
func asOneself(r *http.Request) *http.Request {
	v := visitorFrom(r.Context())
	v.subject, v.base = selfservice.Subject{ID: v.identity.PersonID, Name: v.identity.DisplayName, LocationID: v.identity.LocationID}, ""
	return r.WithContext(context.WithValue(r.Context(), visitorKey{}, v))
}

// groups cuts a code into pieces of four.
func groups(code string) []string {
	var list []string
	for piece := range slices.Chunk([]rune(code), 4) {
		list = append(list, string(piece))
	}
	return list
}

// quietZone is the light margin around a QR code, in modules (ISO/IEC 18004).
const quietZone = 4

// qrOf draws a text as a QR code; without a picture the text must do.
func qrOf(content string) templates.QR {
	picture, err := qr.Encode(content, qr.M, qr.Auto)
	if err != nil {
		return templates.QR{}
	}
	box := picture.Bounds()
	var path strings.Builder
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			if picture.At(x, y) == color.Black {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x-box.Min.X+quietZone, y-box.Min.Y+quietZone)
			}
		}
	}
	return templates.QR{Size: box.Dx() + 2*quietZone, Path: path.String()}
}

// showPhone is the page of one phone of somebody else.
func (s *Server) showPhone(w http.ResponseWriter, r *http.Request) error {
	if s.inline(w, r) {
		return s.renderPhone(w, r, http.StatusOK, shown{page: "phones", age: oneView})
	}
	f, err := s.phoneFrame(r)
	if err != nil {
		return err
	}
	target := *r.URL
	target.RawQuery = "js=0"
	f.NoScriptURL = target.RequestURI()
	c := s.linesBase(r, shown{page: "phones"}, param(r, "device"))
	c.State = templates.Loading
	return render(w, r, http.StatusOK, templates.PhonePage(f, at(r, "/phones"), templates.Lines{Card: c}))
}

func (s *Server) renderPhone(w http.ResponseWriter, r *http.Request, status int, v shown) error {
	f, err := s.phoneFrame(r)
	if err != nil {
		return err
	}
	f.HasError = status >= http.StatusBadRequest
	return render(w, r, status, templates.PhonePage(f, at(r, "/phones"), s.linesCard(r, v)))
}

// phoneFrame is the frame of the page of one phone, by the phone's name.
func (s *Server) phoneFrame(r *http.Request) (templates.Frame, error) {
	d, err := s.knownPhone(r)
	if err != nil {
		return templates.Frame{}, err
	}
	f := s.pageFrame(r, "phones")
	f.Title = phoneRow(r, s, d).Name
	return f, nil
}

func (s *Server) knownPhone(r *http.Request) (selfservice.Device, error) {
	who := visitorFrom(r.Context())
	return s.Settings.KnownPhone(r.Context(), who.Caller, who.subject, param(r, "device"))
}

func (s *Server) linesBase(r *http.Request, v shown, device string) templates.Card {
	c := cardBase(r, "lines", v)
	c.URL += deviceQuery(device)
	c.PageURL = phoneURL(r, device)
	return c
}

// deviceQuery tells a card of one phone which it is.
func deviceQuery(device string) string { return "&device=" + url.QueryEscape(device) }

// linesCard are the labels of the lines of the phone that the path or the query names.
func (s *Server) linesCard(r *http.Request, v shown) templates.Lines {
	who := visitorFrom(r.Context())
	id := param(r, "device")
	if id == "" {
		id = r.URL.Query().Get("device")
	}
	c := templates.Lines{Card: s.linesBase(r, v, id), RestartURL: phoneURL(r, id) + "/restart"}
	_, reading, err := s.Settings.PhoneLines(r.Context(), who.Caller, who.subject, id, v.age)
	if err != nil {
		s.fail(r, &c.Card, err)
		return c
	}
	if !reading.Writable {
		c.Locked.Why = say(r, reading.Locked)
	}
	f := newFormView(r, reading, v)
	for _, l := range selfservice.LinesOf(reading.Document) {
		path := l.Path()
		row := templates.Line{
			Label: tr(r, "devices.lines.key", "Key", l.Port, "Name", l.Name),
			Field: templates.Field{Name: path, Value: f.doc(path).Text(path), Error: f.fault(path)},
		}
		if l.Keys > 1 {
			row.Label = tr(r, "devices.lines.keys", "First", l.Port, "Last", l.Port+l.Keys-1, "Name", l.Name)
		}
		var hint []string
		if l.Extension != "" {
			hint = append(hint, tr(r, "devices.lines.extension", "Extension", l.Extension))
		}
		if l.PhoneNumber != "" {
			hint = append(hint, dialing.Display(l.PhoneNumber, reading.Region()))
		}
		row.Hint = strings.Join(hint, " · ")
		c.Rows = append(c.Rows, row)
	}
	c.Form = f.form(phoneURL(r, id))
	return c
}

// saveLabels saves the form of a phone's labels.
func (s *Server) saveLabels(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r, nil)
	if err != nil {
		return err
	}
	f.card, f.page = "lines", "phones"
	for _, path := range f.fields {
		if !strings.HasPrefix(path, "lines.") || !strings.HasSuffix(path, ".label") || strings.Count(path, ".") != 2 {
			return problem.New(problem.Malformed, "web.malformed").Because(errors.New("the form names a field that is no label"))
		}
		f.wish.Set(path, f.values.Get(path))
	}
	who, id := visitorFrom(r.Context()), param(r, "device")
	v := shown{page: f.page, age: afterChange}
	if f.step == "keep" {
		v.age = 0
		return s.answerLines(w, r, v, nil)
	}
	written, err := s.Settings.LabelLines(r.Context(), who.Caller, who.subject, id, f.wish, selfservice.WriteOptions{
		IfMatch: f.etag, Fields: f.fields, Reason: formOptions(r).Reason,
	})
	if isProblem(err, problem.NotFound) || errors.Is(err, access.ErrDenied) {
		return err
	}
	v.note = s.noteOf(r, f, written, err)
	for _, address := range []*string{&v.note.Undo.URL, &v.note.CheckURL} {
		if *address != "" {
			*address += deviceQuery(id)
		}
	}
	if err != nil {
		v.typed, v.faults = f.wish, problemOf(err).Fields
	}
	return s.answerLines(w, r, v, err)
}

// answerLines is answerForm for the card of one phone.
func (s *Server) answerLines(w http.ResponseWriter, r *http.Request, v shown, err error) error {
	status := http.StatusOK
	if err != nil {
		p := problemOf(err)
		s.logProblem(r, p)
		status = p.Code.Status()
	}
	switch {
	case isPartial(r):
		return render(w, r, status, templates.LinesCard(s.linesCard(r, v)))
	case err != nil:
		return s.renderPhone(w, r, status, v)
	}
	return s.goOn(w, r, phoneURL(r, param(r, "device")), flashOf(v.note))
}

// phoneAct is something that is done to a phone after a review: the restart or the
// removal.
type phoneAct struct {
	name  string // the middle of its texts' keys
	carry func(ctx context.Context, c access.Caller, subject selfservice.Subject, deviceID string, opts selfservice.WriteOptions) (string, error)
}

// showPhoneAct names the phone and says what will happen.
func (s *Server) showPhoneAct(a phoneAct) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		d, err := s.knownPhone(r)
		if err != nil {
			return err
		}
		return s.renderPhoneAct(w, r, a, d, http.StatusOK, templates.Note{})
	}
}

func (s *Server) renderPhoneAct(w http.ResponseWriter, r *http.Request, a phoneAct, d selfservice.Device, status int, note templates.Note) error {
	v := visitorFrom(r.Context())
	row := phoneRow(r, s, d)
	keys := []string{"ends", "away", "shows"}
	if a.name == "remove" {
		keys = []string{"stops", "elsewhere", "final"}
		if d.ConnectionStatus == "activating" {
			keys[0] = "waits"
		}
	}
	p := templates.PhoneAct{
		URL: phoneURL(r, d.ID) + "/" + a.name, For: formTag(r), Phone: row, Label: tr(r, "devices."+a.name+".go"), Note: note, Back: at(r, "/phones"),
	}
	for _, key := range keys {
		p.Consequences = append(p.Consequences, tr(r, "devices."+a.name+"."+key, "Name", v.subject.Name))
	}
	f := s.frame(r, "phones", tr(r, "devices."+a.name+".title", "Phone", row.Name))
	f.HasError = note.Kind != templates.NoNote
	return render(w, r, status, templates.PhoneActPage(f, p))
}

// carryPhoneAct does it, and goes back to the list.
func (s *Server) carryPhoneAct(a phoneAct) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, err := readForm(r, nil); err != nil {
			return err
		}
		d, err := s.knownPhone(r)
		if err != nil {
			return err
		}
		who := visitorFrom(r.Context())
		if _, err := a.carry(r.Context(), who.Caller, who.subject, d.ID, formOptions(r)); err != nil {
			if errors.Is(err, access.ErrDenied) {
				return err
			}
			p := problemOf(err)
			s.logProblem(r, p)
			return s.renderPhoneAct(w, r, a, d, p.Code.Status(), templates.Note{Kind: templates.NotSaved, Text: say(r, p.Public), Reference: reference(r, p)})
		}
		return s.goOn(w, r, at(r, "/phones"), session.Flash{Kind: "notice", Text: i18n.NewText("devices."+a.name+".done", "Phone", phoneRow(r, s, d).Name)})
	}
}

// deviceSentence says what a record did to a phone.
func deviceSentence(rec selfservice.Record) i18n.Text {
	key := "labels"
	after, err := selfservice.ParseDocument(rec.After)
	switch {
	case err != nil:
		return i18n.NewText("history.sentence.other")
	case after.Bool("removed"):
		key = "removed"
	case after.Bool("applied"):
		key = "applied"
	case after.Text("activationCode") != "":
		key = "code"
	}
	return i18n.NewText("history.device."+key, "Phone", rec.Object.Name)
}

type codeJSON struct {
	Code      string `json:"code"`
	ExpiresAt string `json:"expiresAt,omitempty"`
}

func (s *Server) apiMakeCode(w http.ResponseWriter, r *http.Request) error {
	opts, err := writeOptions(r)
	if err != nil {
		return err
	}
	body, err := readDocument(r)
	if err != nil {
		return err
	}
	model, isText := body["model"].(string)
	p := problem.New(problem.Invalid, "setting.invalid")
	for name := range body {
		switch {
		case name != "model":
			p.Fields = append(p.Fields, problem.Field{Name: name, Detail: text("check.unknown")})
		case !isText:
			p.Fields = append(p.Fields, problem.Field{Name: name, Detail: text("check.text")})
		}
	}
	if len(p.Fields) > 0 {
		return p
	}
	v := visitorFrom(r.Context())
	code, record, err := s.Settings.MakeActivationCode(r.Context(), v.Caller, v.subject, model, opts)
	nameRecord(w, record)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	return writeJSON(w, codeJSON{Code: code.Code, ExpiresAt: code.ExpiryTime})
}

// nameRecord names the record of a change in the answer.
func nameRecord(w http.ResponseWriter, record string) {
	if record != "" {
		w.Header().Set("Audit-Id", record)
	}
}

type lineJSON struct {
	Port        int    `json:"port"`
	Keys        int    `json:"keys"`
	Label       string `json:"label"`
	Name        string `json:"name"`
	Extension   string `json:"extension,omitempty"`
	PhoneNumber string `json:"phoneNumber,omitempty"`
}

func writeLines(w http.ResponseWriter, reading selfservice.Reading) error {
	w.Header().Set("ETag", reading.ETag)
	list := []lineJSON{}
	for _, l := range selfservice.LinesOf(reading.Document) {
		list = append(list, lineJSON{Port: l.Port, Keys: l.Keys, Label: l.Label, Name: l.Name, Extension: l.Extension, PhoneNumber: l.PhoneNumber})
	}
	return writeJSON(w, list)
}

func (s *Server) apiLines(w http.ResponseWriter, r *http.Request) error {
	v := visitorFrom(r.Context())
	_, reading, err := s.Settings.PhoneLines(r.Context(), v.Caller, v.subject, param(r, "device"), 0)
	if err != nil {
		return err
	}
	return writeLines(w, reading)
}

func (s *Server) apiPutLines(w http.ResponseWriter, r *http.Request) error {
	opts, err := writeOptions(r)
	if err != nil {
		return err
	}
	list, err := readList(r)
	if err != nil {
		return err
	}
	wish, err := labelsOf(list)
	if err != nil {
		return err
	}
	v := visitorFrom(r.Context())
	written, err := s.Settings.LabelLines(r.Context(), v.Caller, v.subject, param(r, "device"), wish, opts)
	if err != nil {
		return answerWrite(w, r, written, byPort(err, written.Reading.Document))
	}
	nameRecord(w, written.RecordID)
	return writeLines(w, written.Reading)
}

// byPort names the lines in a problem as programs do: by the first key.
func byPort(err error, present selfservice.Document) error {
	var p *problem.Error
	if !errors.As(err, &p) {
		return err
	}
	for i, f := range p.Fields {
		for _, l := range selfservice.LinesOf(present) {
			if f.Name == l.Path() {
				p.Fields[i].Name = "lines." + strconv.Itoa(l.Port) + ".label"
			}
		}
	}
	return err
}

// readList reads a JSON list from the body of a request.
func readList(r *http.Request) ([]any, error) {
	body, err := readJSON(r)
	if err != nil {
		return nil, err
	}
	doc, err := selfservice.ParseDocument([]byte(`{"list":` + string(body) + `}`))
	list, isList := doc["list"].([]any)
	if err != nil || !isList || len(doc) != 1 {
		return nil, problem.New(problem.Malformed, "web.malformed").Because(err)
	}
	return list, nil
}

// labelsOf reads a list of {port, label} into a wish.
func labelsOf(list []any) (selfservice.Document, error) {
	wish, lines := selfservice.Document{}, map[string]any{}
	p := problem.New(problem.Invalid, "setting.invalid")
	wrong := func(name, key string) {
		if len(p.Fields) < maxFaults {
			p.Fields = append(p.Fields, problem.Field{Name: name, Detail: text(key)})
		}
	}
	for _, one := range list {
		line, isObject := one.(map[string]any)
		port := strconv.Itoa(selfservice.Document(line).Int("port"))
		_, twice := lines[port]
		if !isObject || port == "0" || twice {
			wrong("lines", "check.line")
			continue
		}
		for name := range line {
			if name != "port" && name != "label" {
				wrong("lines."+port+"."+name, "check.unknown")
			}
		}
		lines[port] = map[string]any{"label": line["label"]}
	}
	if len(p.Fields) > 0 {
		return nil, p
	}
	if len(lines) > 0 {
		wish["lines"] = lines
	}
	return wish, nil
}

// maxFaults is how many faults of a list are told at once.
const maxFaults = 20

func (s *Server) apiApply(w http.ResponseWriter, r *http.Request) error {
	return s.apiPhoneAct(w, r, s.Settings.ApplyPhone)
}

func (s *Server) apiRemove(w http.ResponseWriter, r *http.Request) error {
	return s.apiPhoneAct(w, r, s.Settings.RemovePhone)
}

func (s *Server) apiPhoneAct(w http.ResponseWriter, r *http.Request, carry func(context.Context, access.Caller, selfservice.Subject, string, selfservice.WriteOptions) (string, error)) error {
	opts, err := writeOptions(r)
	if err != nil {
		return err
	}
	v := visitorFrom(r.Context())
	record, err := carry(r.Context(), v.Caller, v.subject, param(r, "device"), opts)
	nameRecord(w, record)
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
