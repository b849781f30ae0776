package templates

// grantingStates are the gallery's states of the pages Access and Policy.
func grantingStates(f Frame) []GalleryState {
	framed := func(page, title string) Frame {
		g := f
		g.Title, g.Group, g.Nav = title, "Run", fixtureNav(page)
		return g
	}
	wrong := func(g Frame) Frame {
		g.HasError = true
		return g
	}
	page := func(id, title string, show GalleryState) GalleryState {
		show.ID, show.Title, show.Page = id, title, true
		return show
	}
	access := framed("access", "Access")
	saved := access
	saved.Flash = fixtureSaved("access-flash")
	grants, policy := fixtureGrants(), fixturePolicy()
	granting := func(step string, change func(*Granting)) GalleryState {
		p := fixtureGranting(step)
		change(&p)
		g := framed("access", "Grant a role")
		g.HasError = p.Problem != "" || p.Until.Error != ""
		return GalleryState{Show: GrantPage(g, p)}
	}
	as := func(*Granting) {}
	return []GalleryState{
		page("page-access", "Page: Access", GalleryState{Show: AccessPage(saved, grants)}),
		page("page-access-empty", "Page: Access, nothing granted", GalleryState{Show: AccessPage(access, Access{Search: Field{Name: "q"}, Total: "0 grants", GrantURL: "/access/grant"})}),
		page("page-access-failed", "Page: Access, the list cannot be read", GalleryState{Show: AccessPage(wrong(access), Access{Search: Field{Name: "q"}, Problem: "We cannot find out at the moment who may do what. Try again in a few seconds."})}),
		page("page-access-found", "Page: Access, something was found", GalleryState{Show: AccessPage(access, with(grants, func(p *Access) {
			p.Searched, p.Search.Value = true, "ben"
			p.Found = []Match{{Name: "Ben Fischer", Detail: "ben.fischer@example.com · Berlin", Links: []Link{{"What they may do", "/access?to=1"}, {"Who may do what here", "/access?on=1"}}}}
		}))}),
		page("page-access-none", "Page: Access, nothing was found", GalleryState{Show: AccessPage(access, with(grants, func(p *Access) { p.Searched, p.Search.Value, p.Soon = true, "zzz", nil }))}),
		page("page-access-on", "Page: Access to somebody", GalleryState{Show: AccessPage(access, with(grants, func(p *Access) {
			p.Soon, p.Filter = nil, Filter{Text: "Who may do what for Greta Holm", Clear: Link{"Show everything", "/access"}}
			p.General = []string{"The administrators whom the configuration of the portal names may do everything, here too."}
			for i := range p.Grants {
				p.Grants[i].May = []string{"Find people, and see their settings, queues, phones and history", "Change their settings and queues"}
			}
		}))}),
		page("page-access-revoke", "Page: revoke a grant", GalleryState{Show: ChangeGrantPage(framed("access", "Revoke a role of Ben Fischer"), fixtureChange(true))}),
		page("page-access-revoke-refused", "Page: revoke a grant, refused", GalleryState{Show: ChangeGrantPage(wrong(framed("access", "Revoke a role of Ben Fischer")), with(fixtureChange(true), func(p *ChangeGrant) {
			p.Problem = "This is the last administrator who stays. Nothing was changed. Name another one first."
		}))}),
		page("page-access-extend", "Page: change the end of a grant", GalleryState{Show: ChangeGrantPage(framed("access", "Change the end for Ben Fischer"), fixtureChange(false))}),
		page("page-access-extend-wrong", "Page: change the end of a grant, a wrong end", GalleryState{Show: ChangeGrantPage(wrong(framed("access", "Change the end for Ben Fischer")), with(fixtureChange(false), func(p *ChangeGrant) {
			p.Until.Error = "This time has passed already. Choose a later one."
		}))}),
		page("page-grant-who", "Page: grant a role, who", granting(StepWho, as)),
		page("page-grant-who-wrong", "Page: grant a role, nobody chosen", granting(StepWho, func(p *Granting) {
			p.Problem, p.Search.Error = "Choose a person or a group.", "Choose a person or a group."
		})),
		page("page-grant-role", "Page: grant a role, which", granting(StepRole, as)),
		page("page-grant-where", "Page: grant a role, where", granting(StepWhere, as)),
		page("page-grant-where-wrong", "Page: grant a role, too much", granting(StepWhere, func(p *Granting) { p.Problem = "Choose where the role holds: tick at least one." })),
		page("page-grant-when", "Page: grant a role, until when", granting(StepWhen, as)),
		page("page-grant-when-wrong", "Page: grant a role, a wrong end", granting(StepWhen, func(p *Granting) { p.Until.Error = "This time has passed already. Choose a later one." })),
		page("page-grant-review", "Page: grant a role, review", granting(StepReview, as)),
		page("page-policy", "Page: Policy", GalleryState{Show: PolicyPage(framed("policy", "Policy"), policy)}),
		page("page-policy-read", "Page: Policy, only to read", GalleryState{Show: PolicyPage(framed("policy", "Policy"), with(policy, func(p *Policy) { p.ReadOnly, p.Preview = true, nil }))}),
		page("page-policy-wrong", "Page: Policy, not saved", GalleryState{Show: PolicyPage(wrong(framed("policy", "Policy")), with(policy, func(p *Policy) { p.Contact.Error = "At most 200 characters, on one line." }))}),
		page("page-policy-review", "Page: Policy, review", GalleryState{Show: PolicyPage(framed("policy", "Policy"), with(policy, func(p *Policy) {
			p.Preview, p.Review = nil, &PolicyReview{
				Differences: []Difference{{"Call forwarding for Everybody", "Changeable", "Read only"}, {"Whom to ask", "–", "IT Service Desk, ext. 1000"}},
				Concerned:   "This concerns 412 people. Place: Berlin.", Kept: []Hidden{{"contact", "IT Service Desk, ext. 1000"}}, Reason: Field{Name: "why"},
			}
		}))}),
	}
}

func fixtureGrants() Access {
	return Access{
		GrantURL: "/access/grant", Search: Field{Name: "q"}, Total: "3 grants", Older: Link{"Show older grants", "/access?from=50"},
		Soon: []Grant{{ID: "soon-1", Sentence: "Ben Fischer is Helpdesk for Berlin and München until Fri 4 December, 18:00.", By: "Granted by Ines Keller on Mon 2 November, 09:12.", Reason: "Reason: ticket 48213",
			End: Tag{ToneWarn, "Ends in 9 days"}, Extend: Link{"Change the end", "/access/1/extend"}, Revoke: Link{"Revoke", "/access/1/revoke"}, Holder: Link{"All of Ben Fischer", "/access?to=1"}}},
		Grants: []Grant{
			{ID: "grant-1", Sentence: "Ben Fischer is Helpdesk for Berlin and München until Fri 4 December, 18:00.", By: "Granted by Ines Keller on Mon 2 November, 09:12.", Reason: "Reason: ticket 48213",
				End: Tag{ToneWarn, "Ends in 9 days"}, Extend: Link{"Change the end", "/access/1/extend"}, Revoke: Link{"Revoke", "/access/1/revoke"}, Holder: Link{"All of Ben Fischer", "/access?to=1"}},
			{ID: "grant-2", Sentence: "Everybody in the group Kundenservice Warenannahme, Reklamationen und Ersatzteile Nord-West is Queue lead for Sales Hotline, Service Berlin, Night Desk and 4 more.",
				By: "Granted by Eva-Charlotta Lindqvist-Söderström von Hohenberg on Mon 2 November, 09:12.", Holders: "In this group: Ana López, Tom Baker and 17 more.", Revoke: Link{"Revoke", "/access/2/revoke"}},
			{ID: "grant-3", Sentence: "Omar Haddad is Auditor for the whole organisation.", By: "Granted by Ines Keller on Mon 2 November, 09:12."},
		},
	}
}

func fixtureChange(revoking bool) ChangeGrant {
	p := ChangeGrant{
		URL: "/access/1/extend", For: "f", Grant: fixtureGrants().Soon[0], Zone: "Berlin", Reason: Field{Name: "reason"}, Until: Field{Name: "until", Value: "2026-12-04T18:00"},
		Act: "Set this end", Back: Link{"Back to Access", "/access"},
	}
	if revoking {
		p.URL, p.Revoking, p.Until, p.Act = "/access/1/revoke", true, Field{}, "Revoke Helpdesk from Ben Fischer"
		p.Ends = []string{"Find people, and see their settings, queues, phones and history", "Change their settings and queues"}
	}
	return p
}

func fixtureGranting(step string) Granting {
	may := []string{"Find people, and see their settings, queues, phones and history", "Change their settings and queues"}
	p := Granting{
		URL: "/access/grant", For: "f", Step: step, Kept: []Hidden{{"kind", "locations"}}, Search: Field{Name: "find", Value: "be"}, Zone: "Berlin", Back: Link{"Back to Access", "/access"},
		Until: Field{Name: "until"}, Reason: Field{Name: "reason"},
	}
	if step != StepWho {
		p.Chosen = []Chosen{{StepWho, "Who", "Eva-Charlotta Lindqvist-Söderström von Hohenberg"}}
	}
	switch step {
	case StepWho:
		p.Offered, p.Found = true, []Match{
			{Name: "Ben Fischer", Detail: "ben.fischer@example.com · Berlin", Button: Action{Label: "Choose", Hidden: []Hidden{{"to", "1"}}}},
			{Name: "Portal Helpdesk", Detail: "Group of 12 members", Button: Action{Label: "Choose", Hidden: []Hidden{{"to", "group:2"}}}},
		}
	case StepRole:
		p.Roles = []RoleChoice{{"helpdesk", "Helpdesk", "Helps the people of chosen locations or groups.", may, true}, {"auditor", "Auditor", "Reads everything and changes nothing.", may[:1], false}}
	case StepWhere:
		p.Kind, p.Kinds = "locations", []Option{{Value: "locations", Text: "Locations", On: true}, {Value: "groups", Text: "Groups"}, {Value: "organization", Text: "Whole organisation"}}
		p.Ticks, p.More = []Option{{Value: "1", Text: "Berlin", On: true}, {Value: "2", Text: "München", Detail: "Bayern"}}, "30 more are not shown. Search for a part of the name."
	case StepWhen:
		p.Quick = []Option{{Value: "week", Text: "In a week"}, {Value: "never", Text: "For good"}}
	case StepReview:
		p.Review, p.May, p.Act = []string{"Ben Fischer is Helpdesk for Berlin.", "It does not end by itself."}, may, "Make Ben Fischer Helpdesk"
	}
	return p
}

func fixturePolicy() Policy {
	levels := func(on int) []Option {
		list := []Option{{Value: "hidden", Text: "Hidden"}, {Value: "read", Text: "Read only"}, {Value: "write", Text: "Changeable"}}
		list[on].On = true
		return list
	}
	row := func(id, title string, on int) PolicyRow {
		return PolicyRow{Title: title, Webex: Tag{TonePlain, "Webex: open to people"}, Cells: []PolicyCell{
			{ID: id + "-user", Name: id + ":user", Label: title + " for Everybody", Options: levels(on), Now: "Read only"},
			{ID: id + "-helpdesk", Name: id + ":helpdesk", Label: title + " for Helpdesk", Options: levels(2), Now: "Changeable"},
		}}
	}
	return Policy{
		URL: "/policy", For: "f", ETag: "e", Places: []Option{{Text: "The whole organisation", On: true}, {Value: "1", Text: "Berlin (has rules of its own)"}}, PlaceName: "The whole organisation",
		Roles: []string{"Everybody", "Helpdesk"}, Rows: []PolicyRow{row("forwarding", "Call forwarding", 1), row("dnd", "Do not disturb", 2), row("phones", "Phones", 0)},
		Reasons: []Option{{Value: "helpdesk", Text: "Helpdesk", On: true}, {Value: "administrator", Text: "Administrator"}}, Contact: Field{Name: "contact", Value: "IT Service Desk, ext. 1000"},
		Printed: "A locked setting says: Your organisation manages this setting. To change it, contact IT Service Desk, ext. 1000.",
		Preview: &PreviewSearch{Search: Field{Name: "preview", Value: "greta"}, Searched: true, Found: []Match{
			{Name: "Greta Holm", Detail: "greta.holm@example.com · Berlin", Button: Action{ID: "preview-1", URL: "/people/1/preview", Label: "See it as Greta Holm"}},
		}},
	}
}
