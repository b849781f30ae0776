package selfservice

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/cache"
	"patchbay/internal/i18n"
	"patchbay/internal/problem"
	"patchbay/internal/redislock"
	"patchbay/internal/webex"
)

const (
	// DevicesName is the name under which the log has what was done to a person's
	// phones: labels of their lines, codes for new ones, restarts and removals.
	DevicesName = "devices"
	// MaxLabel is the longest label of a line, in characters (spec, line key label).
	MaxLabel = 63

	objectDevice = "device"
	// callingDetail is where the log keeps the other id of a phone, for an undo.
	callingDetail = "callingDeviceId"
	// modelsAge is how old the list of models may be that Webex Calling knows.
	modelsAge = time.Hour
	// clockSkew is how far Webex's clock may be behind ours.
	clockSkew = time.Minute
)

// What is recorded of what is no setting of a phone.
const (
	deedCode    = "activationCode"
	deedRemoved = "removed"
	deedApplied = "applied"
)

// Title names a phone as the log does: product and hardware address.
func (d Device) Title() string {
	if d.MAC == "" {
		return d.Product
	}
	return strings.TrimSpace(d.Product + " (" + d.MAC + ")")
}

// HasLines reports whether Webex Calling knows lines of the device: those with
// RoomOS have none, and what waits for its code has none yet.
func (d Device) HasLines() bool {
	return d.CallingDeviceID != "" && d.Type != "roomdesk" && d.ConnectionStatus != "activating"
}

// Removable reports whether Webex's device management has the phone.
func (d Device) Removable() bool { return d.ID != d.CallingDeviceID }

func (d Device) object() audit.Object {
	return audit.Object{Kind: objectDevice, ID: d.ID, Name: d.Title(), Details: map[string]string{callingDetail: d.CallingDeviceID}}
}

// ManagesPhones reports whether the caller may manage the phones of the subject;
// locked says who decides when it is the policy that forbids it.
func ManagesPhones(c access.Caller, subject Subject) (may bool, locked i18n.Text) {
	_, err := phoneManager(c, subject)
	var p *problem.Error
	if errors.As(err, &p) && p.Err == nil {
		locked = p.Public
	}
	return err == nil, locked
}

// phoneManager is the caller as who they may manage the phones of the subject.
// Nobody manages their own: that is what a helper is for.
func phoneManager(c access.Caller, subject Subject) (actor, error) {
	if err := sees(c, subject, PhonesPart); err != nil {
		return actor{}, err
	}
	if _, ok := c.MayOn(access.ManagePhones, subject.Target()); !ok {
		return actor{}, problem.New(problem.Forbidden, "web.forbidden").Because(access.ErrDenied)
	}
	if ok, why := changes(c, subject, PhonesPart); !ok {
		return actor{}, &problem.Error{Code: problem.Forbidden, Public: why}
	}
	_, role := c.Level(subject.Target(), PhonesPart)
	return actor{Caller: c, role: role, again: func(_ context.Context, c access.Caller) error {
		_, err := phoneManager(c, subject)
		return err
	}}, nil
}

// KnownPhone is a phone of the subject as it was last read, asking Webex when that
// is not known. Any phone that is not the subject's is not there.
func (s *Service) KnownPhone(ctx context.Context, c access.Caller, subject Subject, deviceID string) (Device, error) {
	known, _ := s.LastKnownDevices(ctx, c, subject)
	for _, d := range known {
		if webex.SameID(d.ID, deviceID) {
			return d, nil
		}
	}
	return s.phone(ctx, c, subject, deviceID)
}

// phone finds a phone of the subject, freshly read. What only shows a line of
// theirs is managed where its owner is.
func (s *Service) phone(ctx context.Context, c access.Caller, subject Subject, deviceID string) (Device, error) {
	list, err := s.Phones(ctx, c, subject)
	if err != nil {
		return Device{}, err
	}
	for _, d := range list.Value {
		if !webex.SameID(d.ID, deviceID) {
			continue
		}
		if d.Shared {
			return d, problem.New(problem.Conflict, "devices.shared", "Owner", d.Owner)
		}
		return d, nil
	}
	if _, err := webex.UUID(deviceID); err != nil { // nobody's
		return Device{}, problem.New(problem.NotFound, "devices.notFound").Because(err)
	}
	return Device{}, access.Denied("devices.notFound")
}

// managed finds a phone that the caller may manage, and says as whom.
func (s *Service) managed(ctx context.Context, c access.Caller, subject Subject, deviceID string) (Device, actor, error) {
	by, err := phoneManager(c, subject)
	if err != nil {
		return Device{}, by, err
	}
	d, err := s.phone(ctx, c, subject, deviceID)
	return d, by, err
}

// Line is one line of a phone, on one key or on several.
type Line struct {
	Member      string // whose line it is, as the paths of the labels name it
	Port, Keys  int    // the first key, from 1, and how many there are
	Name        string
	Extension   string
	PhoneNumber string
	Label       string // what the phone shows at the key; "" leaves that to Webex
}

// Path is where the label of the line is in the document of the phone's lines.
func (l Line) Path() string { return labelPath(l.Member) }

func labelPath(member string) string { return "lines." + member + ".label" }

// LinesOf lists the lines in a document of PhoneLines, the first key first.
func LinesOf(doc Document) []Line {
	all, _ := doc.Get("lines")
	members, _ := all.(map[string]any)
	var list []Line
	for member := range members {
		at := "lines." + member + "."
		list = append(list, Line{
			Member: member, Port: doc.Int(at + "port"), Keys: doc.Int(at + "keys"), Name: doc.Text(at + "name"), Extension: doc.Text(at + "extension"),
			PhoneNumber: doc.Text(at + "phoneNumber"), Label: doc.Text(at + "label"),
		})
	}
	slices.SortFunc(list, func(a, b Line) int {
		if a.Port != b.Port {
			return a.Port - b.Port
		}
		return strings.Compare(a.Member, b.Member)
	})
	return list
}

func linesDocument(m webex.DeviceMembers) Document {
	number := func(n webex.Count) json.Number { return json.Number(strconv.Itoa(int(n))) }
	lines := map[string]any{}
	for _, one := range m.Members {
		u := one.Update()
		lines[canonical(one.ID)] = map[string]any{
			"label": one.LineLabel, "port": number(u.Port), "keys": number(u.LineWeight), "name": strings.TrimSpace(one.FirstName + " " + one.LastName),
			"extension": one.Extension, "phoneNumber": one.PhoneNumber,
		}
	}
	return Document{"lines": lines}
}

// lineLabels are the labels of a phone's lines, as a setting whose object is the
// phone. They are kept by whose line it is: ports move when a line comes or goes.
func (s *Service) lineLabels(o audit.Object) *Setting {
	id := o.Details[callingDetail]
	setting := &Setting{Name: DevicesName, Group: PhonesPart, object: o, variant: "." + hashed(objectDevice, o.ID)}
	setting.members = func(present Document) []Field {
		var fields []Field
		for _, l := range LinesOf(present) {
			fields = append(fields, Field{Path: l.Path(), Kind: Text, Of: l.Name})
		}
		return fields
	}
	setting.resolve = resolveLines
	setting.Check = func(in CheckInput) []problem.Field {
		var faults []problem.Field
		for _, l := range LinesOf(in.After) {
			if path := l.Path(); in.Touched(path) && (utf8.RuneCountInString(l.Label) > MaxLabel || strings.ContainsFunc(l.Label, unicode.IsControl)) {
				faults = append(faults, fault(path, "check.label", "Max", MaxLabel))
			}
		}
		return faults
	}
	setting.annotate = func(record, present Document) {
		for _, l := range LinesOf(record) {
			for _, name := range []string{"name", "port"} {
				v, _ := present.Get("lines." + l.Member + "." + name)
				record.Set("lines."+l.Member+"."+name, v)
			}
		}
	}
	setting.read = func(ctx context.Context, c *webex.Client, _ string) (Document, error) {
		m, err := c.GetDeviceMembers(ctx, id)
		return linesDocument(m), err
	}
	setting.write = func(ctx context.Context, c *webex.Client, _ string, patch Document) error {
		// The whole list is replaced, so it is read just before; all else stays.
		now, err := c.GetDeviceMembers(ctx, id)
		if err != nil {
			return err
		}
		wanted, found := LinesOf(patch), 0
		list := make([]webex.DeviceMemberUpdate, 0, len(now.Members))
		for _, one := range now.Members {
			u := one.Update()
			if v, ok := patch.Get(labelPath(canonical(one.ID))); ok {
				u.LineLabel, _ = v.(string)
				found++
			}
			list = append(list, u)
		}
		if found < len(wanted) {
			return problem.New(problem.Conflict, "devices.lines.moved")
		}
		return c.UpdateDeviceMembers(ctx, id, list)
	}
	return setting
}

// resolveLines takes lines that are named by their first key, as programs do, and
// labels without the space around them.
func resolveLines(wish, present Document) Document {
	lines, _ := wish["lines"].(map[string]any)
	resolved := map[string]any{}
	for name, v := range lines {
		if one, ok := v.(map[string]any); ok {
			one = maps.Clone(one)
			if label, ok := one["label"].(string); ok {
				one["label"] = strings.TrimSpace(label)
			}
			v = one
		}
		for _, l := range LinesOf(present) {
			if name == strconv.Itoa(l.Port) {
				name = l.Member
			}
		}
		resolved[name] = v
	}
	return Document{"lines": resolved}
}

// PhoneLines reads the lines of a phone of the subject, not older than maxAge.
func (s *Service) PhoneLines(ctx context.Context, c access.Caller, subject Subject, deviceID string, maxAge time.Duration) (Device, Reading, error) {
	d, err := s.phone(ctx, c, subject, deviceID)
	if err != nil {
		return d, Reading{}, err
	}
	if !d.HasLines() {
		return d, Reading{}, problem.New(problem.NotFound, keyNoLines)
	}
	r, err := s.state(ctx, subject, s.lineLabels(d.object()), maxAge)
	r.Writable, r.Locked = ManagesPhones(c, subject)
	return d, r, err
}

// keyNoLines is the problem of a phone whose lines Webex does not have.
const keyNoLines = "devices.lines.none"

// LabelLines gives lines of a phone of the subject other labels. The wish holds
// them by Line.Path, or as "lines.<first key>.label". The phone shows them after
// ApplyPhone.
func (s *Service) LabelLines(ctx context.Context, c access.Caller, subject Subject, deviceID string, wish Document, opts WriteOptions) (Written, error) {
	d, by, err := s.managed(ctx, c, subject, deviceID)
	if err != nil {
		return Written{}, err
	}
	if !d.HasLines() {
		return Written{}, problem.New(problem.NotFound, keyNoLines)
	}
	return s.write(ctx, by, subject, s.lineLabels(d.object()), wish, opts)
}

// PhoneModel is a kind of phone for which Webex makes activation codes.
type PhoneModel struct {
	Model string `json:"model"` // Webex's name of it
	Name  string `json:"name"`
}

// PhoneModels lists the models that are set up with an activation code, by name.
// Devices with RoomOS are not among them: their codes name no model (spec).
func (s *Service) PhoneModels(ctx context.Context, c access.Caller) ([]PhoneModel, error) {
	if !c.May(access.ManagePhones) {
		return nil, problem.New(problem.Forbidden, "web.forbidden").Because(access.ErrDenied)
	}
	r, err := cache.Get(ctx, s.Cache, cache.Key{Owner: "organization", Name: "phoneModels"}, cache.Options{MaxAge: modelsAge, Fleet: true}, func(ctx context.Context) ([]PhoneModel, error) {
		all, err := s.Webex.ListSupportedDevices(ctx)
		var list []PhoneModel
		for _, m := range all {
			if !slices.Contains(m.OnboardingMethod, "ACTIVATION_CODE") || len(m.SupportedFor) > 0 && !slices.Contains(m.SupportedFor, "PEOPLE") {
				continue
			}
			name := m.DisplayName
			if name == "" {
				name = strings.TrimPrefix(m.Model, "DMS ")
			}
			list = append(list, PhoneModel{Model: m.Model, Name: name})
		}
		slices.SortFunc(list, func(a, b PhoneModel) int { return strings.Compare(a.Name, b.Name) })
		return list, err
	})
	if err != nil {
		return nil, webex.Problem(err)
	}
	return r.Value, nil
}

// MakeActivationCode makes a code with which the subject sets up one new phone of
// the model; without a model it is for a device with RoomOS. The code is in the
// answer and nowhere else: neither in the log nor in any store.
func (s *Service) MakeActivationCode(ctx context.Context, c access.Caller, subject Subject, model string, opts WriteOptions) (code webex.ActivationCode, recordID string, err error) {
	by, err := phoneManager(c, subject)
	if err != nil {
		return code, "", err
	}
	object := audit.Object{Kind: objectDevice, Name: "RoomOS"}
	if model != "" {
		models, err := s.PhoneModels(ctx, c)
		if err != nil {
			return code, "", err
		}
		i := slices.IndexFunc(models, func(m PhoneModel) bool { return m.Model == model })
		if i < 0 {
			return code, "", &problem.Error{Code: problem.Invalid, Public: text("setting.invalid"), Fields: []problem.Field{fault("model", "check.model")}}
		}
		object.Name = models[i].Name
	}
	recordID, err = s.act(ctx, by, subject, deed{
		object: object, after: Document{deedCode: "made", "model": model}, words: "devices.code.",
		do: func(ctx context.Context) (err error) {
			code, err = s.Webex.CreateActivationCode(ctx, subject.ID, model)
			return err
		},
	}, opts)
	if err == nil && code.Code == "" { // it was made, and the answer was lost
		err = problem.New(problem.Timeout, "devices.code.unsure")
	}
	return code, recordID, err
}

// ApplyPhone makes a phone of the subject take over its lines: it restarts or
// synchronizes, which ends the calls on it (NOTES.md, section 10).
func (s *Service) ApplyPhone(ctx context.Context, c access.Caller, subject Subject, deviceID string, opts WriteOptions) (recordID string, err error) {
	d, by, err := s.managed(ctx, c, subject, deviceID)
	switch {
	case err != nil:
		return "", err
	case !d.HasLines():
		return "", problem.New(problem.Conflict, "devices.apply.none")
	}
	return s.act(ctx, by, subject, deed{
		object: d.object(), after: Document{deedApplied: true}, words: "devices.apply.",
		do: func(ctx context.Context) error { return s.Webex.ApplyDeviceChanges(ctx, d.CallingDeviceID) },
	}, opts)
}

// RemovePhone takes a phone away from the subject. It is set up again only with a
// new activation code.
func (s *Service) RemovePhone(ctx context.Context, c access.Caller, subject Subject, deviceID string, opts WriteOptions) (recordID string, err error) {
	d, by, err := s.managed(ctx, c, subject, deviceID)
	switch {
	case err != nil:
		return "", err
	case !d.Removable():
		return "", problem.New(problem.Conflict, "devices.remove.refused")
	}
	return s.act(ctx, by, subject, deed{
		object: d.object(), before: Document{deedRemoved: false}, after: Document{deedRemoved: true}, words: "devices.remove.",
		do: func(ctx context.Context) error { return s.Webex.DeleteDevice(ctx, d.ID) },
	}, opts)
}

// deed is something done to phones that is no setting.
type deed struct {
	object        audit.Object
	before, after Document
	do            func(ctx context.Context) error
	words         string // the beginning of the keys "...refused" and "...unsure"
}

// act records a deed, does it, and records what became of it.
func (s *Service) act(ctx context.Context, by actor, subject Subject, d deed, opts WriteOptions) (recordID string, err error) {
	if err := by.checkReason(opts.Reason); err != nil {
		return "", err
	}
	// As with settings: what has begun is finished, also when the browser goes away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	waiting, stopWaiting := context.WithTimeout(ctx, lockWait)
	defer stopWaiting()
	lock, err := redislock.Acquire(waiting, s.Redis, lockKey(subject, s.lineLabels(d.object)), lockLease)
	if err != nil {
		return "", problem.New(problem.Unavailable, "setting.busy").Because(err)
	}
	defer lock.Release()
	if err := s.stillMay(ctx, by); err != nil {
		return "", err
	}
	e := audit.Entry{
		At: s.Now(), Actor: audit.Person{ID: by.PersonID, Name: by.Name}, Role: string(by.role), Subject: audit.Person{ID: subject.ID, Name: subject.Name},
		Object: d.object, Setting: DevicesName, After: d.after.JSON(), Reason: opts.Reason,
	}
	if d.before != nil {
		e.Before = d.before.JSON()
	}
	id, err := s.Audit.Begin(ctx, e)
	if err != nil {
		return "", problem.New(problem.Unavailable, "setting.notRecorded").Because(err)
	}
	err = d.do(ctx)
	_ = s.Cache.Drop(ctx, devicesKey(subject)) // without Redis nothing is kept anyway
	result := audit.Result{Outcome: audit.Done}
	switch {
	case err == nil:
	case webex.OutcomeUnknown(err):
		result.Outcome = s.settleDeed(ctx, e)
		if result.Outcome == audit.Unknown || result.Outcome == audit.Failed && mayComeLate(err) {
			// The record stays "pending": SettlePending reads again later.
			return id, problem.New(problem.Timeout, d.words+"unsure").Because(err)
		}
	default:
		result.Outcome = audit.Refused
	}
	var upstream *webex.Error
	if errors.As(err, &upstream) {
		result.TrackingID = upstream.TrackingID
	}
	if finishErr := s.Audit.Finish(ctx, id, result); finishErr != nil {
		s.Log.ErrorContext(ctx, "the end of a change could not be recorded", "record", id, "setting", DevicesName, "error", finishErr)
	}
	switch result.Outcome {
	case audit.Done:
		return id, nil
	case audit.Failed:
		known := webex.Problem(err)
		known.Public = i18n.NewText("setting.notSaved")
		return id, known
	}
	known := webex.Problem(err)
	if webex.IsKind(err, webex.KindRefused) || webex.IsKind(err, webex.KindConflict) || webex.IsKind(err, webex.KindNotFound) {
		known.Public = i18n.NewText(d.words + "refused")
	}
	return id, known
}

// settleDeed finds out what became of a deed that Webex did not answer clearly.
func (s *Service) settleDeed(ctx context.Context, e audit.Entry) audit.Outcome {
	outcome := audit.Unknown
	for _, delay := range settleDelays {
		select {
		case <-ctx.Done():
			return outcome
		case <-time.After(delay):
		}
		found, err := s.deedOutcome(ctx, e)
		if err != nil {
			continue
		}
		if outcome = found; outcome == audit.Done {
			break
		}
	}
	return outcome
}

// deedOutcome tells by reading what became of a deed. Nothing tells whether a phone
// was made to restart.
func (s *Service) deedOutcome(ctx context.Context, e audit.Entry) (audit.Outcome, error) {
	after, err := ParseDocument(e.After)
	if err != nil || after.Bool(deedApplied) {
		return audit.Unknown, err
	}
	list, err := s.Webex.ListDevices(ctx, e.Subject.ID)
	if err != nil && !webex.IsKind(err, webex.KindNotFound) {
		return audit.Unknown, err
	}
	if after.Bool(deedRemoved) {
		if slices.ContainsFunc(list, func(d webex.Device) bool { return webex.SameID(d.ID, e.Object.ID) }) {
			return audit.Failed, nil
		}
		return audit.Done, nil
	}
	// A code that was made is seen by the device that waits for it. Whether there is
	// always one is not documented, so without one nothing is known.
	made := slices.ContainsFunc(list, func(d webex.Device) bool {
		created, err := time.Parse(time.RFC3339, d.Created)
		return err == nil && d.ConnectionStatus == "activating" && !created.Before(e.At.Add(-clockSkew))
	})
	if made {
		return audit.Done, nil
	}
	return audit.Unknown, nil
}

// isDeed reports whether a record of the log is about a phone and no label.
func isDeed(e audit.Entry) bool {
	if e.Setting != DevicesName {
		return false
	}
	after, err := ParseDocument(e.After)
	if err != nil {
		return true
	}
	_, labels := after["lines"]
	return !labels
}

// whyNoUndo says why something that was done cannot be undone.
func whyNoUndo(e audit.Entry) i18n.Text {
	after, err := ParseDocument(e.After)
	switch {
	case e.Setting != DevicesName || err != nil:
		return i18n.NewText("history.whyNot.unknown")
	case after.Bool(deedRemoved):
		return i18n.NewText("history.whyNot.removed")
	case after.Bool(deedApplied):
		return i18n.NewText("history.whyNot.applied")
	}
	return i18n.NewText("history.whyNot.code")
}
