package portal_test

import (
	"flag"
	"os"
	"testing"

	"log/slog"
	"patchbay/internal/redisdb"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Most of these tests wait: for Webex that hangs, for a Redis that starts.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	redisdb.LogTo(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}
