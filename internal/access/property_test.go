package access_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"patchbay/internal/access"
)

// Whatever an administrator of one place does, together with everybody to whom
// they grant something: nobody ever holds more than that administrator did.
func TestNobodyEverHoldsMoreThanTheirAdministrator(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, "", 1, true)
		s := w.replicas[0]
		end := w.now().Add(100 * time.Hour)
		w.grant(to(ines), access.Administrator, in(berlin), end)
		actors := []string{ines, ben, greta, ana, tom}
		who := rapid.SampledFrom(actors)
		until := rapid.SampledFrom([]time.Time{{}, w.now().Add(time.Hour), end.Add(-time.Hour), end, end.Add(time.Hour)})
		scope := rapid.SampledFrom([]access.Scope{
			everything, in(berlin), in(munich), in(berlin, munich), {People: []string{ana}}, {Groups: []string{sales}}, {Queues: []string{hotline}}, {},
		})
		role := rapid.SampledFrom(append(access.Granted(), access.Colleague, access.User))
		known := func() []string { // the ids of all grants, also of those that some cannot see
			list, err := s.List(ctx, bossCaller(), access.Filter{})
			if err != nil {
				rt.Fatal(err)
			}
			ids := []string{"none"}
			for _, g := range list {
				ids = append(ids, g.ID)
			}
			slices.Sort(ids)
			return ids
		}
		var records []string
		rt.Repeat(map[string]func(*rapid.T){
			"grant": func(rt *rapid.T) {
				wish := access.Grant{To: to(who.Draw(rt, "to")), Role: role.Draw(rt, "role"), Scope: scope.Draw(rt, "scope"), Until: until.Draw(rt, "until")}
				if rapid.Bool().Draw(rt, "group") {
					wish.To = access.Grantee{Group: rapid.SampledFrom([]string{desk, sales}).Draw(rt, "group id")}
				}
				if made, err := s.Create(ctx, w.caller(0, who.Draw(rt, "by")), wish); err == nil {
					records = append(records, made.RecordID)
				}
			},
			"extend": func(rt *rapid.T) {
				if made, err := s.Extend(ctx, w.caller(0, who.Draw(rt, "by")), rapid.SampledFrom(known()).Draw(rt, "grant"), until.Draw(rt, "until"), ""); err == nil {
					records = append(records, made.RecordID)
				}
			},
			"revoke": func(rt *rapid.T) {
				if made, err := s.Revoke(ctx, w.caller(0, who.Draw(rt, "by")), rapid.SampledFrom(known()).Draw(rt, "grant"), access.Options{}); err == nil {
					records = append(records, made.RecordID)
				}
			},
			"undo": func(rt *rapid.T) {
				if len(records) == 0 {
					rt.Skip()
				}
				e, err := w.log.Get(ctx, rapid.SampledFrom(records).Draw(rt, "record"))
				if err != nil {
					return
				}
				if recordID, _, err := s.UndoGrant(ctx, w.caller(0, who.Draw(rt, "by")), e, rapid.SampledFrom([]string{"", "*"}).Draw(rt, "over"), ""); err == nil && recordID != "" {
					records = append(records, recordID)
				}
			},
			"time": func(rt *rapid.T) { w.pass(time.Duration(rapid.IntRange(1, 40).Draw(rt, "hours")) * time.Hour) },
			"": func(rt *rapid.T) {
				w.pass(time.Second)
				for _, person := range actors {
					c := w.caller(0, person)
					for _, h := range c.Holdings {
						if h.Role == access.User || h.Role == access.Colleague {
							continue
						}
						if h.Scope.Kind() != access.OfLocations || !slices.Equal(h.Scope.Locations, []string{berlin}) || h.Until.IsZero() || h.Until.After(end) || !w.now().Before(end) {
							rt.Fatalf("%s holds %+v", person, h)
						}
					}
					if c.May(access.ChangePolicy) || c.MayEverywhere(access.ReadPeople) {
						rt.Fatalf("%s holds %+v", person, c.Holdings)
					}
				}
			},
		})
	})
}
