package serviceapp

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestTheRhythmOfRefreshes lets days pass: three replicas and a provider that
// ends the grant on any mistake.
func TestTheRhythmOfRefreshes(t *testing.T) {
	tests := map[string]struct {
		expires, refreshExpires int // seconds; 0: left out
		pass                    time.Duration
		atLeast, atMost         int // refreshes, the first included
	}{
		"fourteen days: daily":                 {1209599, 7775999, 3*day + time.Hour, 4, 5},
		"eighteen hours: at a third":           {64799, 5184000, day + time.Hour, 3, 4},
		"a minute":                             {60, 7775999, 10 * time.Minute, 15, 18},
		"two seconds":                          {2, 7775999, time.Minute, 40, 60},
		"refresh token shorter than the other": {1209599, 3600, 2 * time.Hour, 3, 5},
		"unknown: hourly":                      {0, 0, 5*time.Hour + time.Minute, 6, 7},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, _ := miniRedis(t)
			synctest.Test(t, func(t *testing.T) {
				p := newProvider(seedToken)
				p.body = func(p *provider) map[string]any {
					body := map[string]any{"access_token": p.access, "refresh_token": p.refresh, "token_type": "Bearer"}
					if tt.expires > 0 {
						body["expires_in"] = tt.expires
					}
					if tt.refreshExpires > 0 {
						body["refresh_token_expires_in"] = tt.refreshExpires
					}
					return body
				}
				var fleet []*Keeper
				for range 3 {
					k := newKeeper(t, newClient(t, m.Addr()), p)
					k.timing.poll = min(tt.pass/50, k.timing.poll*60) // real Redis traffic takes real time
					fleet = append(fleet, k)
					run(t, k)
				}
				for range 20 {
					time.Sleep(tt.pass / 20)
					for _, k := range fleet {
						if !k.status().Usable {
							t.Errorf("without a token at %v", time.Now())
						}
					}
				}
				c := p.counts()
				if c.Reused != 0 || c.Grants != c.Requests || c.Grants < tt.atLeast || c.Grants > tt.atMost {
					t.Errorf("%+v in %v, want %d to %d refreshes", c, tt.pass, tt.atLeast, tt.atMost)
				}
			})
		})
	}
}

// TestAnUnchangedAnswerDoesNotLoop: Webex gives the same token, with ever less
// time to go, until it has ended, and then goes on with one that has ended.
func TestAnUnchangedAnswerDoesNotLoop(t *testing.T) {
	m, _ := miniRedis(t)
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(seedToken)
		end := time.Now().Add(2 * day)
		p.lenient = true
		p.body = func(*provider) map[string]any {
			return map[string]any{
				"access_token": "token-access-same", "refresh_token": seedToken, "token_type": "Bearer",
				"expires_in": int(time.Until(end) / time.Second), "refresh_token_expires_in": 7775999,
			}
		}
		k := newKeeper(t, newClient(t, m.Addr()), p)
		k.timing.poll = 10 * time.Minute
		run(t, k)
		time.Sleep(day)
		if c := p.counts(); c.Requests > 3 {
			t.Errorf("%+v in a day", c)
		}
		if s := k.status(); s.State != Working || s.LastError != "" {
			t.Errorf("got %+v", s)
		}
		time.Sleep(2 * day)
		if c := p.counts(); c.Requests > 60 {
			t.Errorf("%+v in three days", c)
		}
	})
}

func TestBackoffGrowsAndEnds(t *testing.T) {
	m, _ := miniRedis(t)
	synctest.Test(t, func(t *testing.T) {
		p := newProvider(seedToken)
		p.fault = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusServiceUnavailable) }
		k := newKeeper(t, newClient(t, m.Addr()), p)
		run(t, k)
		time.Sleep(time.Hour)
		// 1 s doubling to 5 minutes, each between half and whole.
		if c := p.counts(); c.Requests < 18 || c.Requests > 36 {
			t.Errorf("%+v in an hour", c)
		}
		p.set(func(p *provider) { p.fault = nil })
		time.Sleep(5*time.Minute + time.Second)
		if s := k.status(); s.State != Working {
			t.Errorf("got %+v", s)
		}
	})
}

func TestAPermanentRefusalIsToldDailyAndNotTriedAgain(t *testing.T) {
	m, _ := miniRedis(t)
	synctest.Test(t, func(t *testing.T) {
		log, lines := newLog(t)
		p := newProvider("token-another")
		k := newKeeper(t, newClient(t, m.Addr()), p, func(d *Deps) { d.Log = log })
		k.timing.poll = 10 * time.Minute
		run(t, k)
		time.Sleep(3*day + time.Hour)
		if c := p.counts(); c.Requests != 1 {
			t.Errorf("%+v, want one request", c)
		}
		if n := strings.Count(lines.String(), "service app needs new tokens"); n != 4 {
			t.Errorf("told %d times in three days and an hour, want 4:\n%s", n, lines)
		}
	})
}

func TestWarningsBeginFourteenDaysBeforeTheRefreshTokenEnds(t *testing.T) {
	m, _ := miniRedis(t)
	synctest.Test(t, func(t *testing.T) {
		log, lines := newLog(t)
		p := newProvider(seedToken)
		end := time.Now().Add(17 * day)
		p.body = func(p *provider) map[string]any { // its life is not renewed by use
			return map[string]any{
				"access_token": p.access, "expires_in": 1209599, "refresh_token": p.refresh, "token_type": "Bearer",
				"refresh_token_expires_in": int(time.Until(end) / time.Second),
			}
		}
		k := newKeeper(t, newClient(t, m.Addr()), p, func(d *Deps) { d.Log = log })
		k.timing.poll = 10 * time.Minute
		run(t, k)
		warnings := func() int { return strings.Count(lines.String(), "refresh token ends soon") }
		for i, want := range []int{0, 0, 1, 2, 3} {
			at := time.Duration(i+1)*day + time.Hour
			time.Sleep(time.Until(end.Add(-17*day + at)))
			if got := warnings(); got != want || k.status().Warning != (want > 0) {
				t.Errorf("after %v: %d warnings (%+v), want %d", at, got, k.status(), want)
			}
		}
	})
}

func TestBackoffIsBounded(t *testing.T) {
	t.Parallel()
	for failures := 1; failures < 100; failures++ {
		if d := backoff(failures); d < 500*time.Millisecond || d > 5*time.Minute {
			t.Errorf("after %d failures: %v", failures, d)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, v := range []string{"", "0", "3600", "-1", "soon", "Mon, 23 Nov 2026 09:02:00 GMT", "99999999999999999999"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		if d := retryAfter(http.Header{"Retry-After": {v}}, newClock().now); d < 0 || d > day {
			t.Errorf("%q gives %v", v, d)
		}
	})
}

func TestTrackingIDTakesNoText(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"ROUTER_1": "ROUTER_1", "SIMPLE_a-b, SIMPLE_a-b": "SIMPLE_a-b", "": "", "a b": "", "x\ny": "", fmt.Sprintf("%0200d", 1): "",
	} {
		if got := trackingID(http.Header{"Trackingid": {value}}); got != want {
			t.Errorf("%q gives %q, want %q", value, got, want)
		}
	}
}
