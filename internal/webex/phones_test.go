package webex

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"patchbay/internal/webexsim"
)

const (
	ines = "ines.keller@patchbay.example" // her phone has a line of nils, too
	nils = "nils.dahl@patchbay.example"
	lena = "lena.braun@patchbay.example" // has no phone
)

func TestPhonesAgainstTheSimulator(t *testing.T) {
	t.Parallel()
	sim, c := simulate(t, webexsim.Options{PageSize: 2})
	ctx := t.Context()
	hers := sim.MustPerson(lena).ID

	models, err := c.ListSupportedDevices(ctx)
	if err != nil || len(models) < 4 {
		t.Fatalf("%+v %v", models, err)
	}
	code, err := c.CreateActivationCode(ctx, hers, models[0].Model)
	if err != nil || len(code.Code) != 16 {
		t.Fatalf("%d digits, %v", len(code.Code), err)
	}
	if end, err := time.Parse(time.RFC3339, code.ExpiryTime); err != nil || time.Until(end) < time.Hour {
		t.Errorf("the code ends %s, %v", code.ExpiryTime, err)
	}
	if _, err := c.CreateActivationCode(ctx, hers, "DMS Nothing 1"); !IsKind(err, KindRefused) {
		t.Errorf("a model that does not exist: %v", err)
	}
	devices, err := c.ListDevices(ctx, hers)
	if err != nil || len(devices) != 1 || devices[0].ConnectionStatus != "activating" || devices[0].MAC != "" {
		t.Fatalf("%+v %v", devices, err)
	}
	calling, err := c.GetPersonDevices(ctx, hers)
	if err != nil || len(calling.Devices) != 1 || calling.Devices[0].ActivationState != "ACTIVATING" || !SameID(calling.Devices[0].ID, devices[0].CallingDeviceID) {
		t.Errorf("%+v %v", calling, err)
	}
	if err := c.DeleteDevice(ctx, devices[0].ID); err != nil {
		t.Fatal(err)
	}
	if devices, err = c.ListDevices(ctx, hers); err != nil || len(devices) != 0 {
		t.Errorf("%+v %v", devices, err)
	}
	if err := c.DeleteDevice(ctx, "Y2lzY29zcGFyazovL3VzL0RFVklDRS9ub25l"); !IsKind(err, KindNotFound) {
		t.Errorf("a device that does not exist: %v", err)
	}
}

// TestLineLabelsAgainstTheSimulator changes one label of a phone with two lines.
func TestLineLabelsAgainstTheSimulator(t *testing.T) {
	t.Parallel()
	sim, c := simulate(t, webexsim.Options{})
	ctx := t.Context()
	devices, err := c.ListDevices(ctx, sim.MustPerson(ines).ID)
	if err != nil || len(devices) != 1 {
		t.Fatalf("%+v %v", devices, err)
	}
	phone := devices[0].CallingDeviceID
	before, err := c.GetDeviceMembers(ctx, phone)
	if err != nil || len(before.Members) != 2 || !*before.Members[0].PrimaryOwner || *before.Members[1].PrimaryOwner {
		t.Fatalf("%+v %v", before, err)
	}
	list := []DeviceMemberUpdate{before.Members[0].Update(), before.Members[1].Update()}
	list[1].LineLabel = "Nils, purchasing"
	if err := c.UpdateDeviceMembers(ctx, phone, list); err != nil {
		t.Fatal(err)
	}
	if err := c.ApplyDeviceChanges(ctx, phone); err != nil {
		t.Fatal(err)
	}
	after, err := c.GetDeviceMembers(ctx, phone)
	before.Members[1].LineLabel = "Nils, purchasing"
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	list[1].LineLabel = ""
	if err := c.UpdateDeviceMembers(ctx, phone, list); err != nil {
		t.Fatal(err)
	}
	if after, err = c.GetDeviceMembers(ctx, phone); err != nil || after.Members[1].LineLabel != "" {
		t.Errorf("%+v %v", after, err)
	}
	if err := c.UpdateDeviceMembers(ctx, phone, list[1:]); !IsKind(err, KindRefused) {
		t.Errorf("without the owner: %v", err)
	}
	shared, err := c.GetPersonDevices(ctx, sim.MustPerson(nils).ID)
	if err != nil || len(shared.Devices) != 2 || !SameID(shared.Devices[1].ID, phone) || *shared.Devices[1].PrimaryOwner {
		t.Errorf("%+v %v", shared, err)
	}
	if err := c.UpdateDeviceMembers(ctx, phone, list[:1]); err != nil {
		t.Fatal(err)
	}
	if shared, err = c.GetPersonDevices(ctx, sim.MustPerson(nils).ID); err != nil || len(shared.Devices) != 1 {
		t.Errorf("%+v %v", shared, err)
	}
}

func TestAnActivationCodeIsNeverShown(t *testing.T) {
	t.Parallel()
	const secret = "5414011256173816"
	code := ActivationCode{Code: secret, ExpiryTime: "2026-01-01T00:00:00Z"}
	var out bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("made", "code", code, "in", []any{code}[0])
	}
	fmt.Fprintf(&out, "%v %+v %#v %s %q %d %v", code, code, code, code, code, code, []ActivationCode{code})
	answers := map[string]string{
		"cut off":        `{"code":"` + secret + `","expiryTime":"20`,
		"of wrong types": `{"code":{"a":"` + secret + `"},"expiryTime":"` + secret + `"}`,
		"in a number":    `{"code":` + secret + `}`,
		"elsewhere":      `{"activationCode":"` + secret + `"}`,
	}
	for name, body := range answers {
		var log bytes.Buffer
		c, _ := server(t, func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, http.StatusOK, body) },
			func(o *Options) {
				o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
		got, err := c.CreateActivationCode(t.Context(), personID, "")
		if err == nil || got.Code != "" || !OutcomeUnknown(err) {
			t.Errorf("%s: %v, a code of %d digits, outcome unknown %t", name, err, len(got.Code), OutcomeUnknown(err))
		}
		for ; err != nil; err = errors.Unwrap(err) {
			fmt.Fprintf(&out, "%v %+v %#v", err, err, err)
		}
		out.Write(log.Bytes())
	}
	if strings.Contains(out.String(), secret) {
		t.Errorf("the code is shown: %s", out.String())
	}
	if !strings.Contains(out.String(), "webex call") {
		t.Error("nothing was logged")
	}
}

func TestAnActivationCodeIsNotMadeTwice(t *testing.T) {
	t.Parallel()
	sim, c := simulate(t, webexsim.Options{})
	sim.SetFault(webexsim.Fault{Path: "/devices/activationCode", Kind: webexsim.FaultStatus, Status: 503})
	if _, err := c.CreateActivationCode(t.Context(), sim.MustPerson(lena).ID, ""); !OutcomeUnknown(err) {
		t.Errorf("%v", err)
	}
	if n := len(sim.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
	if _, err := c.CreateActivationCode(t.Context(), "", ""); !IsKind(err, KindNotFound) || OutcomeUnknown(err) {
		t.Errorf("for nobody: %v", err)
	}
}
