package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"patchbay/internal/access"
	"patchbay/internal/config"
	"patchbay/internal/portal"
	"patchbay/internal/redisdb"
	"patchbay/internal/webexsim"
)

// demoRate is the budget against the simulator, which has no limit of its own.
const demoRate = 60_000

// demoPage is a page of the simulated lists: tests want small ones, a demo need not.
const demoPage = 100

// demoAdmins are the administrators of the simulated organization.
const (
	demoAdmin  = "ines.keller@patchbay.example"
	demoAdmins = demoAdmin + ",omar.haddad@patchbay.example"
)

func demo(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("portal demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:5010", "listen `address`")
	people := flags.Int("people", 0, "how many `people` the organization has; 0 is a small company")
	seed := flags.Int64("seed", 1, "another `number` makes another organization")
	latency := flags.Duration("latency", 150*time.Millisecond, "how long each answer of the simulated Webex takes")
	open := flags.Bool("open", false, "open a browser")
	if err := flags.Parse(args); err != nil {
		return err
	}
	public, operators, err := listen(ctx, *addr, "127.0.0.1:0")
	if err != nil {
		return err
	}
	sim, err := webexsim.Start(ctx, webexsim.Options{People: *people, Seed: *seed, Latency: *latency, PageSize: demoPage})
	if err != nil {
		return err
	}
	address := "http://" + public.Addr().String()
	c, err := config.Load(demoEnvironment(sim, address))
	if err != nil {
		return fmt.Errorf("configure the demo: %w", err)
	}
	log := newLogger(c, stderr)
	defer closing(log, sim)
	// The banner says that nothing outlives the demo; the log need not.
	db, err := redisdb.Open(ctx, "", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer closing(log, db)
	p, err := portal.New(portal.Options{Config: c, Redis: db, Log: log, Version: versionText(), Demo: true})
	if err != nil {
		return err
	}
	go grantDemoRoles(ctx, p, sim, log)
	fmt.Fprintf(stdout, "\nPatchbay demo: %s\n\nEverybody and everything in it is made up, and nothing outlives it. Sign in as\n\n", address)
	for _, person := range webexsim.Personas() {
		fmt.Fprintf(stdout, "  %-42s %s\n", person.Email, person.Description)
	}
	fmt.Fprintf(stdout, "\n  every card in every state: %s/gallery\n  trouble on demand:         %s (see docs/simulator.md)\n  metrics:                   http://%s/metrics\n\nCtrl-C ends it.\n\n",
		address, sim.ControlURL, operators.Addr())
	if *open {
		openBrowser(ctx, address, stderr)
	}
	return p.Run(ctx, public, operators)
}

// grantDemoRoles gives the people of the demo their roles, once the directory knows
// them.
func grantDemoRoles(ctx context.Context, p *portal.Portal, sim *webexsim.Server, log *slog.Logger) {
	for p.Directory.State().ReadAt.IsZero() {
		select {
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
	if err := p.GrantRoles(ctx, demoAdmin, demoGrants(sim)); err != nil && ctx.Err() == nil {
		log.Error("the roles of the demo could not be granted", "error", err)
	}
}

// demoGrants are the roles that the people of the demo hold at its start.
func demoGrants(sim *webexsim.Server) []access.Grant {
	const lead, auditor, manager = "mei.wang@patchbay.example", "raj.patel@patchbay.example", "paul.weber@patchbay.example"
	helpdesk, _ := sim.Group("Portal Helpdesk") // it is part of every simulated organization, like the queues below
	var queues, hunts []string
	for _, name := range []string{"Sales Hotline", "Service Berlin", "Switchboard", "Night Desk"} {
		q, _ := sim.Queue(name)
		queues = append(queues, q.ID)
	}
	for _, name := range []string{"Reception Berlin", "IT Support Berlin"} {
		h, _ := sim.HuntGroup(name)
		hunts = append(hunts, h.ID)
	}
	greta := sim.MustPerson("greta.holm@patchbay.example")
	berlin := access.Scope{Locations: []string{greta.LocationID}}
	return []access.Grant{
		{To: access.Grantee{Group: helpdesk.ID}, Role: access.Helpdesk, Scope: berlin, Reason: "The helpdesk looks after Berlin."},
		{To: access.Grantee{Person: lead}, Role: access.Lead, Scope: access.Scope{Queues: queues, HuntGroups: hunts}, Reason: "Leads sales and reception."},
		{To: access.Grantee{Person: manager}, Role: access.OfficeManager, Scope: berlin, Reason: "Runs the Berlin office."},
		{To: access.Grantee{Person: auditor}, Role: access.Auditor, Scope: access.Scope{Organization: true}, Until: time.Now().AddDate(0, 0, 10), Reason: "Yearly audit."},
	}
}

// demoEnvironment configures the portal for a simulator. Logging follows the
// real environment.
func demoEnvironment(sim *webexsim.Server, address string) map[string]string {
	cred := sim.Credentials()
	env := map[string]string{
		"CLIENT_ID": cred.ClientID, "CLIENT_SECRET": cred.ClientSecret,
		"SERVICE_APP_CLIENT_ID": cred.ServiceAppClientID, "SERVICE_APP_CLIENT_SECRET": cred.ServiceAppClientSecret,
		"SERVICE_APP_REFRESH_TOKEN": cred.ServiceAppRefreshToken,
		"PORTAL_URL":                address, "PORTAL_ADDR": hostPort(address), "PORTAL_ADMINS": demoAdmins,
		"WEBEX_API_URL": sim.BaseURL, "WEBEX_RATE_LIMIT": strconv.Itoa(demoRate), "LOG_LEVEL": "warn",
	}
	for _, name := range []string{"LOG_LEVEL", "LOG_FORMAT", "SESSION_IDLE", "SESSION_LIFETIME"} {
		if value, ok := os.LookupEnv(name); ok {
			env[name] = value
		}
	}
	return env
}

func hostPort(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		return net.JoinHostPort(u.Host, "80")
	}
	return u.Host
}

func openBrowser(ctx context.Context, address string, stderr io.Writer) {
	command := map[string][]string{"darwin": {"open"}, "windows": {"rundll32", "url.dll,FileProtocolHandler"}}[runtime.GOOS]
	if command == nil {
		command = []string{"xdg-open"}
	}
	if err := exec.CommandContext(ctx, command[0], append(command[1:], address)...).Start(); err != nil { //nolint:gosec // our own address
		fmt.Fprintln(stderr, "portal: no browser could be opened:", err)
	}
}
