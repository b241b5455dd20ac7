// Package envelope encrypts single fields at the application layer: whatever is
// personal or Amazon-confidential is sealed here before it reaches a store. It
// owns the data keys (one per tenant and purpose, wrapped by KMS, kept in the
// keys table), the frame of a sealed field, and the erasure of a tenant by
// destroying its wrapped keys.
//
// What is promised when things fail: Seal returns an error and no bytes, never
// plaintext; Open answers ErrOpen for everything that is wrong with what it was
// given (damaged, cut, moved to another tenant, table, item, field or purpose,
// key destroyed) and never says which; only a key that cannot be fetched at the
// moment is ErrUnavailable, which is worth a retry.
//
// What it does not do: it does not search or compare sealed fields, it does not
// hide lengths, and it does not compress.
package envelope

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Errors that callers test for with errors.Is.
var (
	// ErrOpen: the sealed bytes do not belong here, are damaged, or their key is
	// gone. One error for all, so that it tells an attacker nothing.
	ErrOpen = errors.New("envelope: cannot open")
	// ErrUnavailable: the data key could not be fetched now. Try again.
	ErrUnavailable = errors.New("envelope: data key unavailable")
	// ErrErased: the tenant was erased, and nothing is sealed for it any more.
	ErrErased = errors.New("envelope: tenant was erased")
	// ErrTooLarge: the plaintext is longer than MaxPlaintext.
	ErrTooLarge = errors.New("envelope: plaintext too large")
	// ErrRefused is what a KMS answers for a wrapped key that is not its own or
	// that comes with another context than it was made with.
	ErrRefused = errors.New("envelope: key service refused the wrapped key")
)

// MaxPlaintext bounds one sealed field: larger things belong in a bucket with
// its own encryption. A DynamoDB item holds at most 400 KB anyway.
const MaxPlaintext = 1 << 20

// Limits of a data key.
const (
	// cacheFor is how long a plain data key stays in memory: the price is one
	// KMS call per tenant, purpose and process in that time, and a destroyed key
	// keeps working that long in a process that has it.
	cacheFor = 5 * time.Minute
	// cacheKeys bounds how many plain data keys a process holds.
	cacheKeys = 1024
	// useLimit is how often one loaded copy of a key seals before a new key
	// version takes over. Random nonces allow 2^32 messages per key (NIST SP
	// 800-38D, 8.3); 4,096 loads of 2^20 uses stay below it.
	useLimit = 1 << 20
	// keyAge is when a new version takes over for sealing. Old versions still open.
	keyAge = 30 * 24 * time.Hour
)

// KMS makes and unwraps data keys. The context is bound to the wrapped key:
// unwrapping with another one fails with ErrRefused. Other errors mean that the
// service could not answer.
type KMS interface {
	// GenerateDataKey returns a new 32-byte key, plain and wrapped, and the id of
	// the key it is wrapped with.
	GenerateDataKey(ctx context.Context, encContext map[string]string) (plain, wrapped []byte, keyID string, err error)
	// Decrypt unwraps a data key.
	Decrypt(ctx context.Context, wrapped []byte, encContext map[string]string) (plain []byte, err error)
}

// Purpose separates data keys by what they protect, so that a function whose
// role is limited to one purpose (by its KMS policy) cannot read another.
type Purpose string

// The purposes.
const (
	Members     Purpose = "members"     // names and e-mail addresses
	Connections Purpose = "connections" // seller names and ids
	Tokens      Purpose = "tokens"      // cached access tokens
	Addresses   Purpose = "addresses"   // recipients and shipping
	Sources     Purpose = "sources"     // addresses of price files, which may be the key to them
	Exports     Purpose = "exports"     // passwords of archives
	Origins     Purpose = "origins"     // network addresses that requests came from
	Ledger      Purpose = "ledger"      // values and salts of ledger events
)

// Purposes lists all of them. Data keys of a purpose that is not here would
// outlive their tenant.
func Purposes() []Purpose {
	return []Purpose{Members, Connections, Tokens, Addresses, Sources, Exports, Origins, Ledger}
}

// Where names the place of a sealed field. It is authenticated: the bytes open
// there and nowhere else.
type Where struct {
	Table store.Table
	Key   store.Key
	Field string
}

// Sealer seals and opens fields. It is safe for concurrent use.
type Sealer struct {
	kms   KMS
	db    store.DB
	clock clock.Clock
	cache *cache
	loads [64]chan struct{} // one load at a time per stripe of rings
	limit uint64            // uses of a loaded key
}

// New returns a Sealer that keeps wrapped keys in db.
func New(kms KMS, db store.DB, clk clock.Clock) *Sealer {
	s := &Sealer{kms: kms, db: db, clock: clk, cache: newCache(cacheKeys, cacheFor), limit: useLimit}
	for i := range s.loads {
		s.loads[i] = make(chan struct{}, 1)
	}
	return s
}

// Seal encrypts plaintext for this place. The result is longer than plaintext
// by Overhead.
func (s *Sealer) Seal(ctx context.Context, t tenant.ID, p Purpose, at Where, plaintext []byte) ([]byte, error) {
	if len(plaintext) > MaxPlaintext {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(plaintext), MaxPlaintext)
	}
	if !t.Valid() || p == "" {
		return nil, fmt.Errorf("envelope: seal needs a tenant and a purpose")
	}
	aead, version, err := s.sealing(ctx, ring{t, p})
	if err != nil {
		return nil, err
	}
	head := header(version)
	out := make([]byte, headerSize, Overhead+len(plaintext))
	copy(out, head[:])
	return aead.Seal(out, nil, plaintext, aad(t, p, at, head)), nil
}

// Open decrypts what Seal made for the same tenant, purpose and place.
func (s *Sealer) Open(ctx context.Context, t tenant.ID, p Purpose, at Where, sealed []byte) ([]byte, error) {
	version, body, ok := parse(sealed)
	if !ok || !t.Valid() || p == "" {
		return nil, ErrOpen
	}
	aead, err := s.opening(ctx, keyRef{ring{t, p}, version})
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, body, aad(t, p, at, header(version)))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// Close wipes every data key that the process holds.
func (s *Sealer) Close() { s.cache.clear() }

// newAEAD builds the cipher for one call. It is built anew each time (well
// under a microsecond) because the expanded key inside cannot be wiped: the
// copy that lives long is the cache's, which can.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
