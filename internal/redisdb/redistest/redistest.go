// Package redistest runs a real redis-server for tests.
package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// startLimit is how long a server may take to answer, on a machine that is busy
// with other tests.
const startLimit = 20 * time.Second

// Server is a redis-server with its own folder, on a free port of 127.0.0.1. It
// keeps what is written to it (appendonly, synced on every write), so that a
// restart loses nothing.
type Server struct {
	t    testing.TB
	port int
	args []string
	cmd  *exec.Cmd
	out  *bytes.Buffer
}

// Start runs a server until the test ends and gives its address for redisdb.Open.
// The arguments are further ones for redis-server. The test fails when no
// redis-server is installed.
func Start(t testing.TB, args ...string) (url string, ctl *Server) {
	t.Helper()
	s := &Server{t: t, port: freePort(t)}
	s.args = append([]string{
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", t.TempDir(),
		"--appendonly", "yes", "--appendfsync", "always", "--save", "",
	}, args...)
	t.Cleanup(s.Stop)
	s.Restart()
	return s.URL(), s
}

// StartSentinel runs a sentinel that watches the server under the name until the
// test ends, and gives the sentinel's host:port.
func StartSentinel(t testing.TB, server *Server, name string) string {
	t.Helper()
	s := &Server{t: t, port: freePort(t)}
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("port %d\nbind 127.0.0.1\nsentinel monitor %s 127.0.0.1 %d 1\n", s.port, name, server.port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = []string{file, "--sentinel"}
	t.Cleanup(s.Stop)
	s.Restart()
	return s.Addr()
}

// Addr is the server's host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL is the server's address for redisdb.Open.
func (s *Server) URL() string { return "redis://" + s.Addr() }

// Stop kills the server, as a power cut would, and waits for its end. It does
// nothing when the server has stopped already.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait() // says only that it was killed
	s.cmd = nil
}

// Restart starts the server again on the same port, with the data it had, and
// waits until it answers. A running server is stopped first.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatalf("redis-server is not installed; scripts/install-test-deps installs it: %v", err)
	}
	s.out = &bytes.Buffer{}
	s.cmd = exec.Command(path, s.args...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		s.t.Fatalf("start redis-server: %v", err)
	}
	if err := s.wait(); err != nil {
		s.Stop()
		s.t.Fatalf("%v; it printed:\n%s", err, s.out)
	}
}

func (s *Server) wait() error {
	client := redis.NewClient(&redis.Options{Addr: s.Addr(), MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	for {
		// A server that wants a password answers with an error of Redis: it is there.
		err := client.Ping(ctx).Err()
		var answer redis.Error
		if err == nil || errors.As(err, &answer) && !redis.IsLoadingError(err) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("redis-server did not answer within %s: %w", startLimit, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
