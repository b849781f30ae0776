package check

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"
)

func (r *run) redis(ctx context.Context) {
	if r.Redis.Embedded {
		r.add("Redis", Warn, "inside the process: sessions, history and refreshed tokens end with it", "set REDIS_URL for anything but a first look")
		return
	}
	// The value is read back, so that a replica that only reads, or a proxy that
	// answers for another server, is noticed.
	key, value := "patchbay:{check}:"+rand.Text(), rand.Text()
	begin := time.Now()
	err := r.Redis.Set(ctx, key, value, time.Minute).Err()
	if err == nil {
		var got string
		if got, err = r.Redis.GetDel(ctx, key).Result(); err == nil && got != value {
			err = fmt.Errorf("it gave back another value than was written")
		}
	}
	if err != nil {
		r.add("Redis", Fail, "it cannot be written to and read: "+err.Error(), "start it, or correct REDIS_URL; a replica cannot be used, and the user needs all commands on keys patchbay:*")
		return
	}
	r.add("Redis", OK, fmt.Sprintf("written and read back in %s", time.Since(begin).Round(100*time.Microsecond)), "")
	r.persistence(ctx)
}

// persistence tells whether a restart of Redis loses what the portal stored. A
// Redis that does not tell (some that are rented do not) is not held against it.
func (r *run) persistence(ctx context.Context) {
	const name = "Redis persistence"
	info, err := r.Redis.Info(ctx, "persistence", "memory").Result()
	if err != nil || !strings.Contains(info, "aof_enabled:") {
		r.add(name, Skipped, "Redis does not say how it stores", "see to it that it writes to disk and evicts nothing")
		return
	}
	if policy := field(info, "maxmemory_policy"); strings.HasPrefix(policy, "allkeys-") {
		r.add(name, Fail, "maxmemory-policy is "+policy+": when memory is short Redis throws away tokens and history", "set maxmemory-policy noeviction")
		return
	}
	if field(info, "aof_enabled") == "1" {
		r.add(name, OK, "append-only file", "")
		return
	}
	const mend = "set appendonly yes: a refresh token that is lost may have to be made anew by hand"
	if save, err := r.Redis.ConfigGet(ctx, "save").Result(); err == nil && save["save"] == "" {
		r.add(name, Warn, "none: a restart of Redis loses sessions, history and tokens", mend)
		return
	}
	r.add(name, Warn, "snapshots only: a crash of Redis loses what came after the last one", mend)
}

// field reads a line "name:value" of INFO; a cluster answers for one of its nodes.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if n, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && n == name {
			return v
		}
	}
	return ""
}
