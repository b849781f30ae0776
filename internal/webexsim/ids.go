package webexsim

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// kind separates the identifiers of different things made from one seed.
type kind uint64

const (
	kindPerson kind = iota + 1
	kindForeigner
	kindOrg
	kindForeignOrg
	kindLocation
	kindQueue
	kindDevice
	kindGroup
	kindLicense
	kindRole
	kindMachine
	kindHuntGroup
)

// oddFactor scatters counting numbers over 32 bits; being odd it has an
// inverse, so that an identifier leads back to its number without a table.
const oddFactor uint32 = 0x9E3779B1

// oddInverse is oddFactor's inverse modulo 2^32 (Newton's iteration).
var oddInverse = func() uint32 {
	x := oddFactor
	for range 5 {
		x *= 2 - oddFactor*x
	}
	return x
}()

// mix is splitmix64: a good, cheap hash of one word.
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9
	x = (x ^ (x >> 27)) * 0x94D049BB133111EB
	return x ^ (x >> 31)
}

// dice is a number that depends on the seed, a kind and up to two counters, and on nothing else.
func dice(seed int64, k kind, n, m int) uint64 {
	return mix(mix(uint64(seed)^uint64(k)<<56) ^ uint64(n)<<20 ^ uint64(m))
}

// uuid makes the identifier of the n-th thing of a kind, in the form of a random UUID.
func uuid(seed int64, k kind, n int) string {
	var b [16]byte
	binary.BigEndian.PutUint32(b[0:], uint32(n)*oddFactor+uint32(mix(uint64(seed)^uint64(k))))
	binary.BigEndian.PutUint32(b[4:], uint32(dice(seed, k, n, 1)))
	binary.BigEndian.PutUint64(b[8:], dice(seed, k, n, 2))
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// number is the way back from uuid. Every part of the identifier must be right.
func number(seed int64, k kind, id string) (int, bool) {
	if len(id) != 36 {
		return 0, false
	}
	head, err := hex.DecodeString(id[:8])
	if err != nil {
		return 0, false
	}
	n := int(int32((binary.BigEndian.Uint32(head) - uint32(mix(uint64(seed)^uint64(k)))) * oddInverse))
	return n, n >= 0 && uuid(seed, k, n) == id
}

// Cluster parts seen in Cisco's own samples; they differ within one
// organization, so nobody can build an id (AUTH.md 1.7).
const (
	clusterUS = "us"
	clusterEU = "urn:TEAM:eu-central-1_k"
	clusterDv = "urn:TEAM:us-east-1_int13"
)

// encodeID makes a Webex id: unpadded base64url of ciscospark://cluster/TYPE/rest.
func encodeID(cluster, typ, rest string) string {
	return base64.RawURLEncoding.EncodeToString([]byte("ciscospark://" + cluster + "/" + typ + "/" + rest))
}

// padID adds the padding that some answers of Webex have.
func padID(id string) string {
	return id + strings.Repeat("=", (4-len(id)%4)%4)
}

// decodeID is lenient about padding and strict about all else.
func decodeID(id string) (cluster, typ, rest string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(id, "="))
	if err != nil {
		return "", "", "", fmt.Errorf("id is not base64: %w", err)
	}
	s, ok := strings.CutPrefix(string(b), "ciscospark://")
	parts := strings.SplitN(s, "/", 3)
	if !ok || len(parts) != 3 || parts[2] == "" {
		return "", "", "", fmt.Errorf("id is not of the form ciscospark://cluster/TYPE/name")
	}
	return parts[0], parts[1], parts[2], nil
}
