package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"time"
)

// Why a key is refused. The last two are only told to whoever has the key itself.
var (
	ErrUnknown = errors.New("the API key is not known")
	ErrExpired = errors.New("the API key has expired")
	ErrRevoked = errors.New("the API key has been revoked")
)

type digest = [sha256.Size]byte

// Find looks a credential up. It compares the hash with that of every key, each in constant time and none left out, so
// that the time it takes says neither which keys exist nor how much of one was right.
func (t *Table) Find(credential string, now time.Time) (Key, error) {
	if t == nil {
		return Key{}, ErrUnknown
	}
	given := sha256.Sum256([]byte(credential))
	found := 0 // the index plus one
	for i := range t.digests {
		same := subtle.ConstantTimeCompare(given[:], t.digests[i][:])
		found = subtle.ConstantTimeSelect(same, i+1, found)
	}
	if found == 0 {
		return Key{}, ErrUnknown
	}
	k := t.keys[found-1]
	switch {
	case !k.Revoked.IsZero() && !now.Before(k.Revoked):
		return Key{}, ErrRevoked
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return Key{}, ErrExpired
	}
	return k, nil
}
