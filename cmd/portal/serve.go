package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"patchbay/internal/check"
	"patchbay/internal/config"
	"patchbay/internal/portal"
	"patchbay/internal/redisdb"
	"patchbay/internal/seal"
	"patchbay/internal/serviceapp"
)

// checkTimeout bounds `portal check` as a whole.
const checkTimeout = 2 * time.Minute

func serve(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("portal serve", flag.ContinueOnError)
	flags.SetOutput(stderr)
	envFile := flags.String("env-file", "", "read settings from this `file`; the environment wins")
	if err := flags.Parse(args); err != nil {
		return err
	}
	env, err := environment(*envFile)
	if err != nil {
		return err
	}
	c, err := config.Load(env)
	if err != nil {
		return fmt.Errorf("the configuration has faults:\n%w", err)
	}
	log := newLogger(c, stderr)
	db, err := redisdb.Open(ctx, c.RedisURL, log)
	if err != nil {
		return err
	}
	defer closing(log, db)
	p, err := portal.New(portal.Options{Config: c, Redis: db, Log: log, Version: versionText()})
	if err != nil {
		return err
	}
	public, operators, err := listen(ctx, c.Addr, c.MetricsAddr)
	if err != nil {
		return err
	}
	if c.SecretKeyMadeUp {
		log.Warn("a key was made up for this start: what is stored cannot be opened after the next; set PORTAL_SECRET_KEY")
	}
	log.Info("listening", "addr", public.Addr().String(), "url", c.URL.String(), "operators", operators.Addr().String(), "version", versionText())
	return p.Run(ctx, public, operators)
}

// listen opens both listeners, or none.
func listen(ctx context.Context, addr, metricsAddr string) (public, operators net.Listener, err error) {
	var lc net.ListenConfig
	if public, err = lc.Listen(ctx, "tcp", addr); err != nil {
		return nil, nil, fmt.Errorf("PORTAL_ADDR: %w", err)
	}
	if operators, err = lc.Listen(ctx, "tcp", metricsAddr); err != nil {
		_ = public.Close() // it was never used
		return nil, nil, fmt.Errorf("METRICS_ADDR: %w", err)
	}
	return public, operators, nil
}

func checkAll(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("portal check", flag.ContinueOnError)
	flags.SetOutput(stderr)
	envFile := flags.String("env-file", "", "read settings from this `file`; the environment wins")
	if err := flags.Parse(args); err != nil {
		return err
	}
	env, err := environment(*envFile)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	deps := check.Deps{}
	silent := slog.New(slog.DiscardHandler)
	redisdb.LogTo(silent)
	if deps.Config, deps.ConfigErr = config.Load(env); deps.ConfigErr == nil {
		c := deps.Config
		db, err := redisdb.Open(ctx, c.RedisURL, silent)
		if err != nil {
			return err
		}
		defer closing(silent, db)
		deps.Redis = db
		sealer, err := seal.New(c.SealKeys()...)
		if err != nil {
			return err
		}
		deps.Tokens, err = serviceapp.New(serviceapp.Deps{
			Redis: db, Sealer: sealer, TokenURL: c.ServiceAppTokenURL(), ClientID: c.ServiceAppClientID,
			ClientSecret: c.ServiceAppClientSecret.Reveal(), SeedRefreshToken: c.ServiceAppRefreshToken.Reveal(),
		})
		if err != nil {
			return err
		}
	}
	report := check.Run(ctx, deps)
	if err := report.Write(stdout); err != nil {
		return err
	}
	if report.Failed() {
		return errFailed
	}
	return nil
}

func closing(log *slog.Logger, c io.Closer) {
	if err := c.Close(); err != nil {
		log.Error("something could not be closed", "what", fmt.Sprintf("%T", c), "error", err)
	}
}
