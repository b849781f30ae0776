package session_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"patchbay/internal/session"
)

const manySessions = 10_000

// signInMany makes manySessions sessions.
func signInMany(t testing.TB, c redis.UniversalClient) {
	t.Helper()
	p := newPortal(t, session.Deps{Redis: c})
	var wg sync.WaitGroup
	const workers = 8
	for worker := range workers {
		wg.Go(func() {
			for n := range manySessions / workers {
				w := httptest.NewRecorder()
				// Everybody has one: then the lists of sessions are largest.
				r := httptest.NewRequest(http.MethodGet, fmt.Sprintf("/in?person=%d-%d", worker, n), nil)
				r.Header.Set("User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0")
				p.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					t.Errorf("sign in: %d %s", w.Code, w.Body)
					return
				}
			}
		})
	}
	wg.Wait()
}

var usedMemory = regexp.MustCompile(`used_memory:(\d+)`)

// redisBytes is what a real Redis says it uses.
func redisBytes(t testing.TB, c redis.UniversalClient) int {
	t.Helper()
	info, err := c.Info(context.Background(), "memory").Result()
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(usedMemory.FindStringSubmatch(info)[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTenThousandSessionsAreSmall(t *testing.T) {
	t.Parallel()
	c := startRedis(t).client(t)
	before := redisBytes(t, c)
	signInMany(t, c)
	if n := c.DBSize(context.Background()).Val(); n != 2*manySessions {
		t.Fatalf("Redis holds %d keys", n)
	}
	size := redisBytes(t, c) - before
	t.Logf("%d bytes a session", size/manySessions)
	if size > 20_000_000 { // the goal is 100 MB for all of it
		t.Errorf("10,000 sessions take %d bytes of Redis", size)
	}
}

func BenchmarkSessionSize(b *testing.B) {
	b.Run("real Redis", func(b *testing.B) {
		for b.Loop() {
			c := startRedis(b).client(b)
			before := redisBytes(b, c)
			signInMany(b, c)
			b.ReportMetric(float64(redisBytes(b, c)-before)/manySessions, "B/session")
		}
	})
	b.Run("in-process Redis", func(b *testing.B) {
		for b.Loop() {
			m, c := inProcess(b)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			signInMany(b, c)
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/manySessions, "B/session")
			runtime.KeepAlive(m)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	_, c := inProcess(b)
	p := newPortal(b, session.Deps{Redis: c})
	br := p.browser(b)
	br.want("/in", "200 ")
	for b.Loop() {
		br.do("/who")
	}
}
