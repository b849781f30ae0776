package directory

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"patchbay/internal/seal"
)

// What is in Redis. People are kept by generations: a new one is written beside
// the old and comes into use with one write to status, so that nobody ever sees
// half of one. All keys carry one hash tag.
const (
	keys       = "patchbay:{directory}:"
	statusKey  = keys + "status"  // hash: version, head, readAt, failure
	peopleKeys = keys + "people:" // + generation; hash: org, 0, 1, 2, ...
	readsKey   = keys + "reads"   // hash: group to reading
	memberKeys = keys + "members:"
	dueKey     = keys + "due" // somebody wants the people read now
	peopleLock = keys + "lock:people"
	groupsLock = keys + "lock:groups"
)

const (
	chunkSize = 1000               // people in a field
	batch     = 10                 // fields in one request
	stagedFor = 15 * time.Minute   // a generation that is being written
	keptFor   = 7 * 24 * time.Hour // the generation in use, after which nobody reads any more
	oldFor    = time.Minute        // the one before, for those who are loading it
	dueFor    = time.Hour
)

// shared is what all replicas know of the directory.
type shared struct {
	version  string // "0" before the first
	head     head
	failure  failure
	readings map[string]reading // by the hash of the group's key
	due      bool
	reading  bool
}

// head describes the generation in use.
type head struct {
	Generation string    `json:"generation,omitempty"`
	Chunks     int       `json:"chunks,omitempty"`
	Devices    int       `json:"devices,omitempty"`
	ReadAt     time.Time `json:"readAt,omitzero"`
	Digest     []byte    `json:"digest,omitempty"`  // of the content
	LeftOut    string    `json:"leftOut,omitempty"` // what Webex did not let us read, as an error's text
}

// failure is the state of an attempt to read the people that does not succeed.
type failure struct {
	Text      string    `json:"text,omitempty"`
	Since     time.Time `json:"since,omitzero"`
	Failures  int       `json:"failures,omitempty"` // attempts given up, in a row
	NotBefore time.Time `json:"notBefore,omitzero"` // the next attempt
}

// organization is the rest of a generation.
type organization struct {
	Locations []Location `json:"locations"`
	Groups    []Group    `json:"groups"`
}

type store struct {
	redis  redis.UniversalClient
	sealer *seal.Sealer
}

// look reads everything that is small. A head that was sealed with a key that is
// not at hand is only its time: replicas with different keys must not read the
// people anew one after the other, each because of the other.
func (s store) look(ctx context.Context) (*shared, error) {
	pipe := s.redis.Pipeline()
	status := pipe.HMGet(ctx, statusKey, "version", "head", "failure", "readAt")
	reads := pipe.HGetAll(ctx, readsKey)
	due, lock := pipe.Exists(ctx, dueKey), pipe.Exists(ctx, peopleLock)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("look at the stored directory: %w", err)
	}
	text := func(i int) string { v, _ := status.Val()[i].(string); return v }
	now := &shared{version: text(0), due: due.Val() > 0, reading: lock.Val() > 0, readings: map[string]reading{}}
	if now.version == "" {
		now.version = "0"
	}
	if s.open(statusKey, "head", text(1), &now.head) != nil {
		readAt, _ := strconv.ParseInt(text(3), 10, 64) // what is not a number is no time
		now.head = head{ReadAt: fromMillis(readAt)}
	}
	if s.open(statusKey, "failure", text(2), &now.failure) != nil {
		now.failure = failure{}
	}
	for group, value := range reads.Val() {
		now.readings[group] = parseReading(value)
	}
	return now, nil
}

var errIncomplete = errors.New("a part of the stored directory cannot be had")

// load reads a generation and makes it ready for searches.
func (s store) load(ctx context.Context, h head) (*snapshot, error) {
	key := peopleKeys + h.Generation
	fields := []string{"org"}
	for i := range h.Chunks {
		fields = append(fields, strconv.Itoa(i))
	}
	var org organization
	chunks := make([][]named, h.Chunks)
	var decoding errgroup.Group
	decoding.SetLimit(runtime.GOMAXPROCS(0))
	for start := 0; start < len(fields); start += batch {
		part := fields[start:min(start+batch, len(fields))]
		values, err := s.redis.HMGet(ctx, key, part...).Result()
		if err != nil {
			_ = decoding.Wait()
			return nil, fmt.Errorf("load the directory: %w", err)
		}
		for i, v := range values {
			sealed, there := v.(string)
			decoding.Go(func() error {
				if !there {
					return errIncomplete
				}
				var people []Person
				var into any = &org
				n := start + i - 1 // the chunk
				if n >= 0 {
					into = &people
				}
				if err := s.open(key, fields[start+i], sealed, into); err != nil {
					return fmt.Errorf("%w: %w", errIncomplete, err)
				}
				if n >= 0 {
					chunks[n] = prepare(people)
				}
				return nil
			})
		}
	}
	if err := decoding.Wait(); err != nil {
		return nil, fmt.Errorf("load the directory: %w", err)
	}
	return newSnapshot(h, chunks, org), nil
}

// commitScript: KEYS the status, the people's new hash, the old one; ARGV the version
// that status must have, the new version, the head, how long the new hash is kept and
// how long the old one, in milliseconds, and when the people were read. The comparison fences a reader who comes back
// after its lease has ended.
var commitScript = redis.NewScript(`
if (redis.call("HGET", KEYS[1], "version") or "0") ~= ARGV[1] then return 0 end
redis.call("HSET", KEYS[1], "version", ARGV[2], "head", ARGV[3], "readAt", ARGV[6])
redis.call("HDEL", KEYS[1], "failure")
if KEYS[3] ~= KEYS[2] then redis.call("PEXPIRE", KEYS[3], ARGV[5]) end
redis.call("PEXPIRE", KEYS[2], ARGV[4])
redis.call("PEXPIRE", KEYS[1], ARGV[4])
return 1`)

// save makes what was read the generation in use, unless another replica was
// faster than the one that looked at before. People come sorted by UUID. When
// nothing has changed, the stored generation stays and only its time is new.
func (s store) save(ctx context.Context, before *shared, h head, people []Person, org organization) error {
	chunks, err := encode(people, org)
	if err != nil {
		return err
	}
	sum := sha256.New()
	for _, c := range chunks {
		size := strconv.Itoa(len(c)) + ":"
		_, _ = sum.Write(append([]byte(size), c...)) // a hash never fails
	}
	h.Chunks, h.Digest = len(chunks)-1, sum.Sum(nil)
	old := peopleKeys + before.head.Generation
	h.Generation = before.head.Generation
	stored := int64(0)
	if bytes.Equal(h.Digest, before.head.Digest) {
		if stored, err = s.redis.Exists(ctx, old).Result(); err != nil {
			return fmt.Errorf("save the directory: %w", err)
		}
	}
	if stored == 0 {
		h.Generation = rand.Text()
		if err := s.stage(ctx, peopleKeys+h.Generation, chunks); err != nil {
			return err
		}
	}
	sealed, err := s.seal(statusKey, "head", h)
	if err != nil {
		return err
	}
	version, _ := strconv.ParseInt(before.version, 10, 64) // what is not a number does not pass the script
	err = commitScript.Run(ctx, s.redis, []string{statusKey, peopleKeys + h.Generation, old},
		before.version, version+1, sealed, keptFor.Milliseconds(), oldFor.Milliseconds(), millis(h.ReadAt)).Err()
	if err != nil {
		return fmt.Errorf("save the directory: %w", err)
	}
	return nil
}

// encode gives the texts of the fields: the organization, then people by chunks.
func encode(people []Person, org organization) ([][]byte, error) {
	first, err := json.Marshal(org)
	if err != nil {
		return nil, fmt.Errorf("encode the directory: %w", err)
	}
	texts := [][]byte{first}
	for start := 0; start < len(people); start += chunkSize {
		text, err := json.Marshal(people[start:min(start+chunkSize, len(people))])
		if err != nil {
			return nil, fmt.Errorf("encode the directory: %w", err)
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// stage writes a generation that nobody uses yet. One that never comes into use
// goes by itself.
func (s store) stage(ctx context.Context, key string, texts [][]byte) error {
	for start := 0; start < len(texts); start += batch {
		pipe := s.redis.Pipeline()
		for i, text := range texts[start:min(start+batch, len(texts))] {
			field := "org"
			if n := start + i; n > 0 {
				field = strconv.Itoa(n - 1)
			}
			sealed, err := s.sealText(key, field, text)
			if err != nil {
				return err
			}
			pipe.HSet(ctx, key, field, sealed)
		}
		pipe.PExpire(ctx, key, stagedFor)
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("write the directory: %w", err)
		}
	}
	return nil
}

// note stores how an attempt fails; nil: it does not any more.
func (s store) note(ctx context.Context, f *failure) error {
	var err error
	if f == nil {
		err = s.redis.HDel(ctx, statusKey, "failure").Err()
	} else {
		var sealed []byte
		if sealed, err = s.seal(statusKey, "failure", f); err == nil {
			err = s.redis.HSet(ctx, statusKey, "failure", sealed).Err()
		}
	}
	if err != nil {
		return fmt.Errorf("record how reading the directory fails: %w", err)
	}
	return nil
}

func (s store) setDue(ctx context.Context) error {
	return s.redis.Set(ctx, dueKey, 1, dueFor).Err()
}

func (s store) clearDue(ctx context.Context) error {
	if err := s.redis.Del(ctx, dueKey).Err(); err != nil {
		return fmt.Errorf("take on a reading of the directory: %w", err)
	}
	return nil
}

// reading is what everybody may know of a group: when its members were read.
type reading struct {
	readAt    time.Time // zero: never, or Webex does not know the group
	failures  int       // in a row, since then
	notBefore time.Time // the next attempt after a failure
}

func (r reading) String() string {
	return fmt.Sprintf("%d %d %d", millis(r.readAt), r.failures, millis(r.notBefore))
}

func parseReading(text string) reading {
	var readAt, notBefore int64
	var r reading
	if n, err := fmt.Sscanf(text, "%d %d %d", &readAt, &r.failures, &notBefore); n != 3 || err != nil {
		return reading{}
	}
	r.readAt, r.notBefore = fromMillis(readAt), fromMillis(notBefore)
	return r
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n)
}

// field is the name of a group in Redis. It says nothing of the group.
func field(groupKey string) string {
	sum := sha256.Sum256([]byte("patchbay directory group\x00" + groupKey))
	return hex.EncodeToString(sum[:16])
}

// saveMembers stores a reading of a group's members. They go when they do not
// count any more.
func (s store) saveMembers(ctx context.Context, m *membership) error {
	name := field(groupKey(m.ID))
	sealed, err := s.seal(memberKeys+name, "", m)
	if err != nil {
		return err
	}
	pipe := s.redis.TxPipeline()
	pipe.Set(ctx, memberKeys+name, sealed, MembersMaxAge)
	pipe.HSet(ctx, readsKey, name, reading{readAt: m.ReadAt}.String())
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("save the members of a group: %w", err)
	}
	return nil
}

// noteMembers stores that a reading failed. Without a readAt, the members known
// so far go.
func (s store) noteMembers(ctx context.Context, name string, r reading) error {
	pipe := s.redis.TxPipeline()
	pipe.HSet(ctx, readsKey, name, r.String())
	if r.readAt.IsZero() {
		pipe.Del(ctx, memberKeys+name)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("record a failed reading of a group: %w", err)
	}
	return nil
}

// dropMembers forgets groups that nobody wants any more.
func (s store) dropMembers(ctx context.Context, names []string) error {
	pipe := s.redis.TxPipeline()
	pipe.HDel(ctx, readsKey, names...)
	for _, name := range names {
		pipe.Del(ctx, memberKeys+name)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("forget groups: %w", err)
	}
	return nil
}

// loadMembers reads the members of a group; nil when they are not there.
func (s store) loadMembers(ctx context.Context, name string) (*membership, error) {
	sealed, err := s.redis.Get(ctx, memberKeys+name).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load the members of a group: %w", err)
	}
	var m membership
	if err := s.open(memberKeys+name, "", sealed, &m); err != nil {
		return nil, fmt.Errorf("load the members of a group: %w", err)
	}
	return &m, nil
}

func (s store) seal(key, field string, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode the directory: %w", err)
	}
	return s.sealText(key, field, text)
}

func (s store) sealText(key, field string, text []byte) ([]byte, error) {
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		return nil, fmt.Errorf("compress the directory: %w", err)
	}
	if _, err = w.Write(text); err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compress the directory: %w", err)
	}
	return s.sealer.Seal(key+" "+field, packed.Bytes()), nil
}

// open reads what seal wrote. Nothing leaves v as it is.
func (s store) open(key, field, sealed string, v any) error {
	if sealed == "" {
		return nil
	}
	packed, err := s.sealer.Open(key+" "+field, []byte(sealed))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil {
		return fmt.Errorf("decompress the directory: %w", err)
	}
	return json.Unmarshal(text, v)
}
