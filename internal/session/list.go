package session

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"patchbay/internal/webex"
)

// maxUserAgent is how many bytes of a User-Agent are kept: enough to tell browser
// and system.
const maxUserAgent = 200

// Client is what signed in, as far as a request tells.
type Client struct {
	UserAgent string `json:"userAgent"` // the first 200 bytes of it are kept
	Address   string `json:"address"`   // an IP address; may be empty
}

func (c Client) bounded() Client {
	// Valid before the cut, so that only a character at the cut is lost.
	c.UserAgent = strings.ToValidUTF8(c.UserAgent, "\uFFFD")
	if len(c.UserAgent) > maxUserAgent {
		c.UserAgent = strings.ToValidUTF8(c.UserAgent[:maxUserAgent], "")
	}
	return c
}

// Info is a session as its person may see it.
type Info struct {
	// ID names the session for End. It does not open the session: that takes the
	// token, of which the ID is a hash.
	ID         string
	SignedInAt time.Time
	SeenAt     time.Time // when it was last used
	Ends       time.Time // when it ends even if it is used until then
	UserAgent  string    // empty for a client that did not name itself
	Address    string    // the IP address that signed in; may be empty
	Current    bool      // it is the session of the request that asks
}

// List gives the live sessions of a person, the newest first. Asking does not use them.
func (m *Manager) List(ctx context.Context, personID string) ([]Info, error) {
	listed, err := m.store.listed(ctx, personID)
	if err != nil {
		return nil, unavailable("list the sessions", err)
	}
	live, err := m.live(ctx, personID, keysOf(listed))
	if err != nil {
		return nil, err
	}
	m.forget(ctx, personID, listed, live)
	slices.SortFunc(live, func(a, b Info) int {
		return cmp.Or(b.SignedInAt.Compare(a.SignedInAt), cmp.Compare(a.ID, b.ID))
	})
	return live, nil
}

// End ends the session id of the person for good, as SignOut does; false when the
// person has no such session. A request of it that is under way goes on as it began.
func (m *Manager) End(ctx context.Context, personID, id string) (bool, error) {
	// Both must say whose session it is: the list, and the sealed session itself, as
	// anybody who can write to Redis can write a list.
	switch listed, err := m.store.isListed(ctx, personID, id); {
	case err != nil:
		return false, unavailable("look for the session", err)
	case !listed:
		return false, nil
	}
	live, err := m.live(ctx, personID, []string{id})
	if err != nil || len(live) == 0 {
		return false, err
	}
	return true, m.end(ctx, id)
}

// EndAll ends all sessions of the person for good, maybe but for that of this request,
// and says how many it ended, also when there was an error.
func (m *Manager) EndAll(ctx context.Context, personID string, exceptCurrent bool) (int, error) {
	live, err := m.List(ctx, personID)
	if err != nil {
		return 0, err
	}
	ended := 0
	for _, info := range live {
		if exceptCurrent && info.Current {
			continue
		}
		if err := m.end(ctx, info.ID); err != nil {
			return ended, err
		}
		ended++
	}
	return ended, nil
}

func (m *Manager) end(ctx context.Context, key string) error {
	// As in SignOut: it is wanted, whether or not the browser waits.
	if err := m.store.DeleteCtx(context.WithoutCancel(ctx), key); err != nil {
		return unavailable("end the session", err)
	}
	return nil
}

// live gives those of the sessions that live and are the person's.
func (m *Manager) live(ctx context.Context, personID string, keys []string) ([]Info, error) {
	found, err := m.store.peek(ctx, keys)
	if err != nil {
		return nil, unavailable("read the sessions", err)
	}
	var live []Info
	current := m.Key(ctx)
	for _, s := range found {
		who, client := m.decode(s.text)
		ends := who.SignedInAt.Add(m.lifetime) // as in Identity
		if s.until.Before(ends) {
			ends = s.until
		}
		if !webex.SameID(who.PersonID, personID) || !m.now().Before(ends) {
			continue
		}
		live = append(live, Info{
			ID: s.key, SignedInAt: who.SignedInAt, SeenAt: s.seen, Ends: ends,
			UserAgent: client.UserAgent, Address: client.Address, Current: s.key == current,
		})
	}
	return live, nil
}

// decode reads a session as scs writes it. As in Identity, what cannot be read is
// nobody's.
func (m *Manager) decode(text []byte) (Identity, Client) {
	_, values, err := m.scs.Codec.Decode(text)
	if err != nil {
		return Identity{}, Client{}
	}
	var who Identity
	var client Client
	for key, target := range map[string]any{identityKey: &who, clientKey: &client} {
		if b, ok := values[key].([]byte); ok && json.Unmarshal(b, target) != nil {
			return Identity{}, Client{}
		}
	}
	return who, client
}

// forget takes what has no session any more from the list. An entry that is young
// stays: its session may be about to be written.
func (m *Manager) forget(ctx context.Context, personID string, listed []redis.Z, live []Info) {
	var stale []any
	for _, z := range listed {
		begun := time.UnixMilli(int64(z.Score)).Add(-m.lifetime)
		if m.now().Sub(begun) < goneFor || slices.ContainsFunc(live, func(i Info) bool { return i.ID == z.Member }) {
			continue
		}
		stale = append(stale, z.Member)
	}
	if len(stale) > 0 {
		m.store.unlist(ctx, personID, stale) // an error does no harm: the next List tries again
	}
}

// owner is the person that an id stands for, however it is written.
func owner(personID string) string {
	if id, err := webex.UUID(personID); err == nil {
		return id
	}
	return strings.TrimRight(personID, "=") // as webex.SameID compares them
}

// listKey names the list of a person's sessions: a sorted set of the store's keys of
// them, by their absolute end in Unix milliseconds. It names nobody.
func listKey(personID string) string {
	sum := sha256.Sum256([]byte("patchbay sessions " + owner(personID)))
	return "patchbay:sessions:{" + base64.RawURLEncoding.EncodeToString(sum[:15]) + "}"
}

// enlist puts a session that is about to begin on the list of its person, and takes
// off what has ended. The list ends with its newest session: none of the older ones,
// whatever lifetime they were given, lives longer (Identity).
func (s *store) enlist(ctx context.Context, personID, token string, until time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	key := listKey(personID)
	_, err := s.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.ZRemRangeByScore(ctx, key, "-inf", strconv.FormatInt(s.now().UnixMilli(), 10))
		p.ZAdd(ctx, key, redis.Z{Score: float64(until.UnixMilli()), Member: token})
		p.PExpireAt(ctx, key, until)
		return nil
	})
	return err
}

// listed gives the list of a person's sessions, without those that have reached
// their end.
func (s *store) listed(ctx context.Context, personID string) ([]redis.Z, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	return s.redis.ZRangeByScoreWithScores(ctx, listKey(personID), &redis.ZRangeBy{
		Min: "(" + strconv.FormatInt(s.now().UnixMilli(), 10), Max: "+inf",
	}).Result()
}

func (s *store) isListed(ctx context.Context, personID, token string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	err := s.redis.ZScore(ctx, listKey(personID), token).Err()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil, err
}

func (s *store) unlist(ctx context.Context, personID string, tokens []any) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	_ = s.redis.ZRem(ctx, listKey(personID), tokens...).Err()
}

func keysOf(listed []redis.Z) []string {
	var keys []string
	for _, z := range listed {
		if key, ok := z.Member.(string); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// peeked is a session that was read without using it.
type peeked struct {
	key         string
	text        []byte
	until, seen time.Time
}

// peek reads sessions without sliding their limits. Those that are not there, or that
// our keys do not open, are left out. They may be in many slots of a cluster, so each
// is asked for by itself, all in one go.
func (s *store) peek(ctx context.Context, tokens []string) ([]peeked, error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	answers := make([]*redis.SliceCmd, len(tokens))
	_, err := s.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, token := range tokens {
			answers[i] = p.HMGet(ctx, sessionKey(token), "b", "until", "seen")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var found []peeked
	for i, token := range tokens {
		var fields struct {
			Sealed string `redis:"b"`
			Until  int64  `redis:"until"`
			Seen   int64  `redis:"seen"`
		}
		if err := answers[i].Scan(&fields); err != nil {
			return nil, err
		}
		key := sessionKey(token)
		text, err := s.sealer.Open(key, []byte(fields.Sealed))
		if err != nil {
			continue
		}
		found = append(found, peeked{key: token, text: text, until: time.UnixMilli(fields.Until), seen: time.UnixMilli(fields.Seen)})
	}
	return found, nil
}
