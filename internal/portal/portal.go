// Package portal puts the parts together: one replica of the portal, from its
// configuration to its listeners.
package portal

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"patchbay/internal/access"
	"patchbay/internal/audit"
	"patchbay/internal/cache"
	"patchbay/internal/config"
	"patchbay/internal/directory"
	"patchbay/internal/i18n"
	"patchbay/internal/redisdb"
	"patchbay/internal/seal"
	"patchbay/internal/selfservice"
	"patchbay/internal/serviceapp"
	"patchbay/internal/session"
	"patchbay/internal/signin"
	"patchbay/internal/web"
	"patchbay/internal/webex"
)

const (
	// drainTimeout is how long requests may go on after a signal to stop: longer
	// than a change with settling its outcome.
	drainTimeout = 50 * time.Second
	// settleEvery is how often changes are looked for whose end is not recorded.
	settleEvery = 10 * time.Second
	// boardsEvery is how often it is looked whether agents of watched queues are away.
	boardsEvery = 10 * time.Second
	// trimEvery is how often the log is looked after.
	trimEvery = time.Hour
	// taskTimeout bounds one round of such a task.
	taskTimeout = 50 * time.Second
)

// Options are what a Portal needs besides its configuration.
type Options struct {
	Config  config.Config
	Redis   *redisdb.DB
	Log     *slog.Logger
	Version string
	Demo    bool             // the organization is simulated: say so, and show the gallery
	Now     func() time.Time // nil is time.Now
}

// Portal is one replica.
type Portal struct {
	Handler    http.Handler // what people see
	Operations http.Handler // metrics, health and profiles; for the inner network only

	// Routes is the table of what Handler answers.
	Routes []web.Route

	// The rest are the parts that tests look into.
	Tokens    *serviceapp.Keeper
	Settings  *selfservice.Service
	Directory *directory.Directory
	Audit     *audit.Log

	log *slog.Logger
}

// New makes a Portal; it asks neither Redis nor Webex anything.
func New(o Options) (*Portal, error) {
	now := o.Now
	if now == nil {
		now = time.Now
	}
	c := o.Config
	sealer, err := seal.New(c.SealKeys()...)
	if err != nil {
		return nil, err
	}
	texts, err := i18n.Load()
	if err != nil {
		return nil, err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	tokens, err := serviceapp.New(serviceapp.Deps{
		Redis: o.Redis, Sealer: sealer, TokenURL: c.ServiceAppTokenURL(), ClientID: c.ServiceAppClientID,
		ClientSecret: c.ServiceAppClientSecret.Reveal(), SeedRefreshToken: c.ServiceAppRefreshToken.Reveal(), Now: now, Log: o.Log, Metrics: metrics,
	})
	if err != nil {
		return nil, fmt.Errorf("make the keeper of the tokens: %w", err)
	}
	client := webex.NewClient(webex.Options{
		BaseURL: c.WebexAPIURL.String(), Tokens: tokens, Budget: webex.NewBudget(o.Redis, c.RateLimit, o.Log), Log: o.Log, Metrics: metrics, Now: now,
	})
	log := audit.New(o.Redis, sealer, now, time.Duration(c.AuditDays)*24*time.Hour)
	var grants *access.Service // which knows in which groups the directory should look
	people := directory.New(directory.Deps{
		Webex: client, Redis: o.Redis, Sealer: sealer, Now: now, Log: o.Log, Groups: func(ctx context.Context) []string { return grants.GroupIDs(ctx) },
	})
	grants = access.New(access.Deps{
		Redis: o.Redis, Sealer: sealer, Audit: log, Organization: organization{people}, IsAdmin: c.IsAdmin, HasAdmins: len(c.Admins) > 0,
		Settings: selfservice.Parts(), Now: now, Log: o.Log,
	})
	watchDirectory(metrics, people)
	settings := selfservice.New(selfservice.Deps{
		Webex: client, Cache: cache.New(o.Redis, sealer, now), Audit: log, Access: grants, Directory: people, Redis: o.Redis, Sealer: sealer, Now: now, Log: o.Log,
	})
	secure := c.URL.Scheme == "https"
	flow := signin.New(signin.Deps{
		ClientID: c.ClientID, ClientSecret: c.ClientSecret.Reveal(), RedirectURL: c.URL.String() + "/authorize",
		AuthURL: c.AuthURL, TokenURL: c.TokenURL, UserInfoURL: c.UserInfoURL, JWKSURL: c.JWKSURL,
		IssuerURL: c.IssuerURL, AllowedIssuers: c.AllowedIssuers, Sealer: sealer, Secure: secure,
		Spend: spend(o.Redis), People: signInPeople{settings}, IsAdmin: c.IsAdmin, UUID: webex.UUID, RequestID: web.RequestID, Now: now, Log: o.Log,
	})
	var server *web.Server
	sessions := session.New(session.Deps{
		Redis: o.Redis, Sealer: sealer, Idle: c.SessionIdle, Lifetime: c.SessionLifetime, Secure: secure, Now: now,
		OnError: func(w http.ResponseWriter, r *http.Request, err error) { server.SessionError(w, r, err) },
	})
	server = web.New(web.Deps{
		Config: c, Texts: texts, Sessions: sessions, SignIn: flow, Settings: settings, Access: grants, Audit: log, Directory: people, Tokens: tokens, Webex: client, Redis: o.Redis,
		Metrics: metrics, Now: now, Log: o.Log, Version: o.Version, Fleeting: o.Redis.Embedded, Demo: o.Demo,
	})
	return &Portal{Handler: server.Handler(), Routes: server.Routes(), Operations: operations(server, metrics), Tokens: tokens, Settings: settings, Directory: people, Audit: log, log: o.Log}, nil
}

// watchDirectory shows operators how old what the directory knows is.
func watchDirectory(metrics prometheus.Registerer, people *directory.Directory) {
	gauge := func(name, help string, value func(directory.State) float64) {
		metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(people.State()) }))
	}
	timestamp := func(t time.Time) float64 {
		if t.IsZero() {
			return 0
		}
		return float64(t.Unix())
	}
	gauge("patchbay_directory_people", "People in the directory.", func(s directory.State) float64 { return float64(s.People) })
	gauge("patchbay_directory_read_timestamp_seconds", "When the people were last read; 0: never.", func(s directory.State) float64 { return timestamp(s.ReadAt) })
	gauge("patchbay_directory_groups_read_timestamp_seconds", "When the members of the group that was read the longest ago were read; 0: no group is read.",
		func(s directory.State) float64 { return timestamp(s.GroupsReadAt) })
}

// GrantRoles grants roles as the administrator of that address, who must be one of
// PORTAL_ADMINS.
func (p *Portal) GrantRoles(ctx context.Context, admin string, grants []access.Grant) error {
	who, ok := p.Directory.ByEmail(admin)
	if !ok {
		return errors.New("grant roles: the directory does not know the administrator")
	}
	c, err := p.Settings.Access.Caller(ctx, who.ID, who.Name, admin)
	for i := 0; i < len(grants) && err == nil; i++ {
		_, err = p.Settings.Access.Create(ctx, c, grants[i])
	}
	if err != nil {
		return fmt.Errorf("grant roles: %w", err)
	}
	return nil
}

// operations is the listener for operators.
func operations(server *web.Server, metrics *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	probes := server.Probes()
	mux.Handle("GET /healthz", probes)
	mux.Handle("GET /readyz", probes)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// spend remembers in Redis which attempts to sign in were answered.
func spend(client redis.UniversalClient) func(context.Context, string, time.Duration) (bool, error) {
	return func(ctx context.Context, state string, life time.Duration) (bool, error) {
		sum := sha256.Sum256([]byte("patchbay attempt " + state))
		err := client.SetArgs(ctx, "patchbay:attempt:"+base64.RawURLEncoding.EncodeToString(sum[:12]), "1", redis.SetArgs{Mode: "NX", TTL: life}).Err()
		if errors.Is(err, redis.Nil) {
			return false, nil
		}
		return err == nil, err
	}
}

// signInPeople shows the organization's people to the sign-in.
type signInPeople struct{ settings *selfservice.Service }

// PeopleByEmail implements signin.People.
func (d signInPeople) PeopleByEmail(ctx context.Context, email string) ([]signin.Person, error) {
	// All sign-ins together are one caller to the budget: strangers who sign in
	// again and again leave half of it to those who are signed in.
	people, err := d.settings.PeopleByEmail(webex.WithCaller(ctx, "sign-in"), email)
	if err != nil {
		return nil, webex.Problem(err)
	}
	list := make([]signin.Person, 0, len(people))
	for _, p := range people {
		list = append(list, signin.Person{ID: p.ID, OrgID: p.OrgID, DisplayName: p.DisplayName, FirstName: p.FirstName, LocationID: p.LocationID, Emails: p.Emails})
	}
	return list, nil
}

// organization shows the directory to the grants.
type organization struct{ *directory.Directory }

// Lookup implements access.Organization.
func (o organization) Lookup(person string) (id, name string, ok bool) {
	p, ok := o.Person(person)
	if !ok {
		p, ok = o.ByEmail(person)
	}
	return p.ID, p.Name, ok
}

// GroupName implements access.Organization.
func (o organization) GroupName(groupID string) (string, bool) {
	g, ok := o.Group(groupID)
	return g.Name, ok
}

// OrganizationOf implements signin.People.
func (d signInPeople) OrganizationOf(ctx context.Context, locationID string) (string, error) {
	id, err := d.settings.Organization(ctx, locationID)
	if err != nil {
		return "", webex.Problem(err)
	}
	return id, nil
}

// Run serves on the listeners until ctx ends, and then lets requests finish.
func (p *Portal) Run(ctx context.Context, public, operators net.Listener) error {
	site := newServer(p.Handler)
	inner := newServer(p.Operations)
	inner.WriteTimeout = 0 // a profile takes as long as was asked for
	background, stop := context.WithCancel(ctx)
	defer stop()
	g, gctx := errgroup.WithContext(background)
	g.Go(func() error { return p.Tokens.Run(gctx) })
	g.Go(func() error { return p.Directory.Run(gctx) })
	g.Go(func() error {
		return p.repeat(gctx, settleEvery, "settle unfinished changes", p.Settings.SettlePending)
	})
	g.Go(func() error {
		return p.repeat(gctx, boardsEvery, "read the agents of watched queues", p.Settings.RefreshBoards)
	})
	g.Go(func() error {
		return p.repeat(gctx, trimEvery, "look after the log", p.lookAfterLog)
	})
	g.Go(func() error { return serve(site, public) })
	g.Go(func() error { return serve(inner, operators) })
	g.Go(func() error {
		<-gctx.Done()
		p.log.Info("stopping")
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		return errors.Join(site.Shutdown(drain), inner.Shutdown(drain))
	})
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// repeat does a background task again and again; it waits longest for its turn to
// ask Webex.
func (p *Portal) repeat(ctx context.Context, every time.Duration, name string, task func(context.Context) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		one, cancel := context.WithTimeout(webex.WithPriority(ctx, webex.Background), taskTimeout)
		if err := task(one); err != nil && ctx.Err() == nil {
			p.log.WarnContext(ctx, "a background task did not succeed; it is tried again", "task", name, "error", err)
		}
		cancel()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// lookAfterLog drops what is older than the log is kept, and writes the newest value
// of its chain where nobody can change it who can write to Redis.
func (p *Portal) lookAfterLog(ctx context.Context) error {
	if err := p.Audit.Trim(ctx); err != nil {
		return err
	}
	head, err := p.Audit.Head(ctx)
	if err == nil {
		p.log.InfoContext(ctx, "the log of changes stands here", "head", head)
	}
	return err
}

func newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 60 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
	}
}

func serve(s *http.Server, l net.Listener) error {
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	}
	return nil
}
