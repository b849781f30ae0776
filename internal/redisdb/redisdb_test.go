package redisdb_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"patchbay/internal/redisdb"
	"patchbay/internal/redisdb/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, address string) *redisdb.DB {
	t.Helper()
	db, err := redisdb.Open(t.Context(), address, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func TestEveryKindOfRedisKeepsAndForgets(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]func(t *testing.T) string{
		"in this process": func(*testing.T) string { return "" },
		"a server":        func(t *testing.T) string { url, _ := redistest.Start(t); return url },
		"a server with a password": func(t *testing.T) string {
			url, _ := redistest.Start(t, "--requirepass", "p@ss,w?rd")
			return strings.Replace(url, "redis://", "redis://:p%40ss%2Cw%3Frd@", 1) + "/3"
		},
		"servers watched by a sentinel": sentinel,
		"a cluster":                     cluster,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, ctx := open(t, address(t)), t.Context()
			if want := name == "in this process"; db.Embedded != want {
				t.Errorf("Embedded is %v, want %v", db.Embedded, want)
			}
			if err := db.Set(ctx, "patchbay:{t}:stays", "x", 0).Err(); err != nil {
				t.Fatal(err)
			}
			if err := db.Set(ctx, "patchbay:{t}:goes", "x", 300*time.Millisecond).Err(); err != nil {
				t.Fatal(err)
			}
			if n, err := db.Exists(ctx, "patchbay:{t}:goes").Result(); err != nil || n != 1 {
				t.Fatalf("a key is there right after it was written: %d, %v", n, err)
			}
			// A script over two keys of one hash tag is what the portal's own scripts are.
			sum, err := redis.NewScript(`return redis.call("EXISTS", KEYS[1], KEYS[2])`).
				Run(ctx, db, []string{"patchbay:{t}:stays", "patchbay:{t}:absent"}).Int()
			if err != nil || sum != 1 {
				t.Errorf("script: %d, %v", sum, err)
			}
			eventually(t, func() bool {
				n, err := db.Exists(ctx, "patchbay:{t}:goes").Result()
				return err == nil && n == 0
			}, "the key expires")
			if got, err := db.Get(ctx, "patchbay:{t}:stays").Result(); err != nil || got != "x" {
				t.Errorf("the key without an end: %q, %v", got, err)
			}
		})
	}
}

func TestKeysOfTheEmbeddedRedisExpireInTimeAndNotBefore(t *testing.T) {
	t.Parallel()
	db, ctx := open(t, ""), t.Context()
	begin := time.Now()
	if err := db.Set(ctx, "k", "x", time.Second).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return db.Exists(ctx, "k").Val() == 0 }, "the key expires")
	if lived := time.Since(begin); lived < 900*time.Millisecond {
		t.Errorf("the key lived %s, want about 1s", lived)
	}
}

func TestAStoppedServerIsAnErrorSoonAndARestartedOneIsUsedAgain(t *testing.T) {
	t.Parallel()
	url, server := redistest.Start(t)
	db, ctx := open(t, url), t.Context()
	if err := db.Set(ctx, "k", "kept", 0).Err(); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	begin := time.Now()
	if err := db.Get(ctx, "k").Err(); err == nil {
		t.Fatal("a stopped server answers")
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("noticing a stopped server took %s", took)
	}
	server.Restart()
	if got, err := db.Get(ctx, "k").Result(); err != nil || got != "kept" {
		t.Errorf("after the restart: %q, %v", got, err)
	}
}

func TestACallersDeadlineWinsOverAHangingServer(t *testing.T) {
	t.Parallel()
	url, _ := redistest.Start(t)
	db := open(t, url)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := db.Do(ctx, "BLPOP", "nothing-ever-comes", "0").Err(); err == nil {
		t.Fatal("a hanging command answers")
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("the command took %s with a deadline of 200ms", took)
	}
}

func TestEmbeddedRedisRefusesStrangers(t *testing.T) {
	t.Parallel()
	db := open(t, "")
	addr := db.UniversalClient.(*redis.Client).Options().Addr
	stranger := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
	defer stranger.Close()
	if err := stranger.Get(t.Context(), "k").Err(); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
		t.Errorf("without the password: %v, want NOAUTH", err)
	}
}

func TestAnAddressThatCannotBeUsedIsRefusedWithoutShowingItsPassword(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ address, want string }{
		"no scheme":                 {"hunter2:6379", "must begin with"},
		"another scheme":            {"http://:hunter2@host", "must begin with"},
		"a password not encoded":    {"redis://:hunter2/x@host:6379", "percent-encoded"},
		"a port that is no number":  {"redis://:hunter2@host:port", "percent-encoded"},
		"a port too large":          {"redis://:hunter2@host:99999", "host:port"},
		"no host":                   {"redis://:hunter2@:6379", "host:port"},
		"a database that is a word": {"redis://:hunter2@host/first", "number"},
		"a cluster with a database": {"redis://:hunter2@a:1,b:2/1", "cluster"},
		"an empty member":           {"redis://:hunter2@a:1,,b:2", "host:port"},
		"an unknown option":         {"redis://:hunter2@host?pool=5", "option"},
		"a sentinel with no master": {"redis+sentinel://:hunter2@a:1,b:2", "master"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := redisdb.Check(tt.address)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v, want it to contain %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the password: %v", err)
			}
			if _, openErr := redisdb.Open(t.Context(), tt.address, slog.New(slog.DiscardHandler)); openErr == nil {
				t.Error("Open takes what Check refuses")
			}
		})
	}
	for _, address := range []string{"", "rediss://u:p@h", "redis://h/2", "redis://h?db=2", "rediss://:p@h1,h2,h3:1", "redis://h1,redis://h2"} {
		if err := redisdb.Check(address); err != nil {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("redis://u:p@h:1/0")
	f.Add("redis+sentinel://u:p@h1:1,h2/name?db=1")
	f.Add("redis://h1,h2,,")
	f.Fuzz(func(t *testing.T, address string) {
		err := redisdb.Check(address) // must not panic
		if err != nil && len(err.Error()) > 120 {
			t.Errorf("the error %q is longer than any of ours: it quotes the address", err)
		}
	})
}

// sentinel runs a server and a sentinel that watches it.
func sentinel(t *testing.T) string {
	t.Helper()
	_, master := redistest.Start(t)
	return "redis+sentinel://" + redistest.StartSentinel(t, master, "portal") + "/portal?db=2"
}

// cluster runs one server that owns every slot.
func cluster(t *testing.T) string {
	t.Helper()
	_, server := redistest.Start(t, "--cluster-enabled", "yes")
	node := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer node.Close()
	if err := node.Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		return strings.Contains(node.ClusterInfo(t.Context()).Val(), "cluster_state:ok")
	}, "the cluster is ready")
	return "redis://" + server.Addr() + "," + server.Addr()
}

func eventually(t *testing.T, done func() bool, what string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("it did not happen within 20s: %s", what)
}
