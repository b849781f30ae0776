package redisdb

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"
)

// LogTo sends what go-redis has to say about connections to log, in the whole
// process: the library has one logger for all its clients, which otherwise writes
// lines of its own to standard error. Called once, in main.
func LogTo(log *slog.Logger) { redis.SetLogger(library{log}) }

type library struct{ log *slog.Logger }

// Printf is called for every connection that cannot be made; whoever needed it
// gets an error and says so, so that this is for looking closer.
func (l library) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, "redis client", "message", fmt.Sprintf(format, args...))
}
