package selfservice

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/redis/go-redis/v9"

	"patchbay/internal/problem"
)

// A switch changes what one agent of a queue has joined; adding and removing replace
// the whole list of agents, with what everybody has joined. So switches of one queue
// go on side by side, but none while its list is being replaced: it would be undone.

// switchingScript registers a switch unless the list of agents is being replaced.
// KEYS: the lock of the list, the switches (by when they have surely ended). ARGV:
// the switch, how long it may take in ms.
var switchingScript = redis.NewScript(`
if redis.call("EXISTS", KEYS[1]) == 1 then return 0 end
local t = redis.call("TIME")
redis.call("ZADD", KEYS[2], t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[2], ARGV[1])
redis.call("PEXPIRE", KEYS[2], ARGV[2])
return 1`)

// switchesScript counts the switches that are under way. KEYS: the switches.
var switchesScript = redis.NewScript(`
local t = redis.call("TIME")
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", t[1] * 1000 + math.floor(t[2] / 1000))
return redis.call("ZCARD", KEYS[1])`)

// turnPoll is how often a change looks whether it is its turn.
const turnPoll = 20 * time.Millisecond

func switchesKey(queueID string) string { return writeKey(queueID, "switches") }

// beginSwitching waits until no list of agents of these queues is being replaced, and
// keeps it so until leave.
func (s *Service) beginSwitching(ctx context.Context, queueIDs []string) (leave func(), err error) {
	token := rand.Text()
	waiting, stop := context.WithTimeout(ctx, lockWait)
	defer stop()
	begun := 0
	leave = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		for _, id := range queueIDs[:begun] {
			_ = s.Redis.ZRem(ctx, switchesKey(id), token).Err() // else it ends by itself
		}
	}
	for _, id := range queueIDs {
		err := s.takeTurn(waiting, func() (bool, error) {
			return switchingScript.Run(waiting, s.Redis, []string{staffLock(id), switchesKey(id)}, token, writeTimeout.Milliseconds()).Bool()
		})
		if err != nil {
			leave()
			return nil, err
		}
		begun++
	}
	return leave, nil
}

// awaitSwitches waits until the switches have ended that had begun before the caller
// took the lock of the queue's list of agents.
func (s *Service) awaitSwitches(ctx context.Context, queueID string) error {
	waiting, stop := context.WithTimeout(ctx, lockWait)
	defer stop()
	return s.takeTurn(waiting, func() (bool, error) {
		n, err := switchesScript.Run(waiting, s.Redis, []string{switchesKey(queueID)}).Int()
		return n == 0, err
	})
}

// takeTurn asks until it is the caller's turn.
func (s *Service) takeTurn(ctx context.Context, mine func() (bool, error)) error {
	for {
		ok, err := mine()
		if ok && err == nil {
			return nil
		}
		if err == nil {
			select {
			case <-time.After(turnPoll):
				continue
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		return problem.New(problem.Unavailable, "setting.busy").Because(err)
	}
}
