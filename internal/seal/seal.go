// Package seal encrypts what the portal keeps outside its own memory: tokens,
// sessions, records and cookies. AES-256-GCM; the name of the place where the
// text is kept is bound into it, so that a sealed text cannot be moved. It also
// makes codes (HMAC-SHA-256) that prove that the portal wrote what stands there.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// keyIDSize is how many bytes of the key's hash lead a sealed text, so that the
// right key is found after a rotation.
const keyIDSize = 4

// ErrOpen means that the text was not sealed with one of our keys for this place.
var ErrOpen = errors.New("sealed text cannot be opened with the keys at hand")

// What a code that Check does not accept is.
var (
	ErrMAC = errors.New("the code does not belong to this text and place")
	ErrKey = errors.New("the code was made with a key that is not at hand")
)

// Sealer seals with its first key and opens with any.
type Sealer struct {
	keys []key
}

type key struct {
	id   [keyIDSize]byte
	aead cipher.AEAD
	mac  []byte // the key of MAC, derived: one key serves one purpose
}

// New takes the present key first, then the previous ones.
func New(keys ...[]byte) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("seal: no key")
	}
	s := &Sealer{}
	for _, k := range keys {
		if len(k) != KeySize {
			return nil, fmt.Errorf("seal: a key has %d bytes, want %d", len(k), KeySize)
		}
		block, err := aes.NewCipher(k)
		if err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		mac, err := hkdf.Key(sha256.New, k, nil, "patchbay mac", sha256.Size)
		if err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		sum := sha256.Sum256(append([]byte("patchbay key id "), k...))
		s.keys = append(s.keys, key{id: [keyIDSize]byte(sum[:]), aead: aead, mac: mac})
	}
	return s, nil
}

// NewKey makes a random key.
func NewKey() []byte {
	k := make([]byte, KeySize)
	_, _ = rand.Read(k) // never fails: crypto/rand ends the program instead
	return k
}

// Seal encrypts text for the place it is kept in (a Redis key, a cookie's name).
func (s *Sealer) Seal(place string, text []byte) []byte {
	k := s.keys[0]
	return k.aead.Seal(append([]byte(nil), k.id[:]...), nil, text, []byte(place))
}

// Open decrypts what Seal made for the same place; otherwise ErrOpen.
func (s *Sealer) Open(place string, sealed []byte) ([]byte, error) {
	if len(sealed) < keyIDSize {
		return nil, ErrOpen
	}
	for _, k := range s.keys {
		if string(k.id[:]) != string(sealed[:keyIDSize]) {
			continue
		}
		if text, err := k.aead.Open(nil, nil, sealed[keyIDSize:], []byte(place)); err == nil {
			return text, nil
		}
	}
	return nil, ErrOpen
}

// MAC makes a code over data for the place where it is kept. Where one part ends
// and the next begins counts.
func (s *Sealer) MAC(place string, data ...[]byte) []byte {
	k := s.keys[0]
	return append(k.id[:], k.code(place, data)...)
}

// Check compares a code with what MAC makes of the same data and place, with any
// of the keys. The error is ErrKey when the code names none of them, otherwise
// ErrMAC.
func (s *Sealer) Check(place string, mac []byte, data ...[]byte) error {
	if len(mac) != keyIDSize+sha256.Size {
		return ErrMAC
	}
	err := ErrKey
	for _, k := range s.keys {
		if string(k.id[:]) != string(mac[:keyIDSize]) {
			continue
		}
		if hmac.Equal(mac[keyIDSize:], k.code(place, data)) {
			return nil
		}
		err = ErrMAC
	}
	return err
}

func (k key) code(place string, data [][]byte) []byte {
	h := hmac.New(sha256.New, k.mac)
	var size [8]byte
	for _, part := range append([][]byte{[]byte(place)}, data...) {
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	return h.Sum(nil)
}
