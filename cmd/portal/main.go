// Command portal is Patchbay, a self-service portal for Webex Calling.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"patchbay/internal/config"
	"patchbay/internal/redisdb"
)

// version and commit are set by the linker; see the Makefile.
var (
	version = "development"
	commit  = ""
)

const usage = `Patchbay, a self-service portal for Webex Calling

  portal serve    [-env-file FILE]   serve, configured by the environment
  portal demo     [-addr ...]        serve a simulated organization: no account, no set-up
  portal check    [-env-file FILE]   try every dependency and say what to mend
  portal version                     print the version

"portal COMMAND -h" lists the flags of a command.
`

// errFailed ends the program with status 1 after everything was said.
var errFailed = errors.New("failed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errFailed):
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "portal:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return errFailed
	}
	switch args[0] {
	case "serve":
		return serve(ctx, args[1:], stderr)
	case "demo":
		return demo(ctx, args[1:], stdout, stderr)
	case "check":
		return checkAll(ctx, args[1:], stdout, stderr)
	case "version":
		fmt.Fprintln(stdout, versionText())
		return nil
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return nil
	}
	fmt.Fprint(stderr, usage)
	return fmt.Errorf("there is no command %q", args[0])
}

func versionText() string {
	from := commit
	if info, ok := debug.ReadBuildInfo(); ok && from == "" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				from = s.Value
			}
		}
	}
	if from == "" {
		from = "unknown"
	}
	return fmt.Sprintf("portal %s, commit %.12s, %s", version, from, runtime.Version())
}

// environment is the process's, and below it that of the file, if one is named.
func environment(file string) (map[string]string, error) {
	env := map[string]string{}
	if file != "" {
		values, err := config.ReadEnvFile(file)
		if err != nil {
			return nil, err
		}
		env = values
	}
	for _, pair := range os.Environ() {
		for i := range len(pair) {
			if i > 0 && pair[i] == '=' {
				env[pair[:i]] = pair[i+1:]
				break
			}
		}
	}
	return env, nil
}

func newLogger(c config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	var handler slog.Handler = slog.NewTextHandler(w, options)
	if c.LogFormat == "json" {
		handler = slog.NewJSONHandler(w, options)
	}
	log := slog.New(handler)
	redisdb.LogTo(log)
	return log
}
