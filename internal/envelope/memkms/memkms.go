// Package memkms is a key service in memory for tests: it enforces the
// encryption context as AWS KMS does, counts its calls and can be told to fail.
// It protects nothing.
package memkms

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"pricemanager/internal/envelope"
)

// KMS keeps its keys in memory: it wraps with the newest and unwraps with all
// that were not retired.
type KMS struct {
	// Fail, when set, is asked before every call ("generate", "decrypt" or
	// "rewrap"); an error it returns is the call's answer.
	Fail func(op string) error

	rand io.Reader

	mu    sync.Mutex
	keys  []cipher.AEAD // by number, which is a wrapped key's first byte; nil: retired
	calls map[string]int
	given [][]byte
}

var (
	_ envelope.KMS       = (*KMS)(nil)
	_ envelope.Rewrapper = (*KMS)(nil)
)

// New returns a key service whose keys come from rand.
func New(rand io.Reader) *KMS {
	k := &KMS{rand: rand, calls: map[string]int{}}
	k.Renew()
	return k
}

// Renew makes a new key, which wraps from now on.
func (k *KMS) Renew() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = append(k.keys, newKey(k.rand))
}

// Retire destroys every key but the newest.
func (k *KMS) Retire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.keys[:len(k.keys)-1])
}

func newKey(rand io.Reader) cipher.AEAD {
	key := make([]byte, 32)
	if _, err := io.ReadFull(rand, key); err != nil {
		panic(fmt.Sprintf("memkms: no randomness: %v", err))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // 32 bytes is a valid size
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has the block size that GCM wants
	}
	return aead
}

// Calls is how often the operation ("generate", "decrypt" or "rewrap") was called.
func (k *KMS) Calls(op string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.calls[op]
}

// Given returns the plain keys handed out, the very slices: a test looks
// whether they were wiped.
func (k *KMS) Given() [][]byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.given)
}

// GenerateDataKey makes a key and wraps it together with the context.
func (k *KMS) GenerateDataKey(ctx context.Context, encContext map[string]string) (plain, wrapped []byte, keyID string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.begin(ctx, "generate"); err != nil {
		return nil, nil, "", err
	}
	plain = make([]byte, 32)
	if _, err := io.ReadFull(k.rand, plain); err != nil {
		return nil, nil, "", err
	}
	k.given = append(k.given, plain)
	wrapped, keyID = k.wrap(plain, encContext)
	return plain, wrapped, keyID, nil
}

// Decrypt unwraps a key made with the same context.
func (k *KMS) Decrypt(ctx context.Context, wrapped []byte, encContext map[string]string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.begin(ctx, "decrypt"); err != nil {
		return nil, err
	}
	plain, err := k.unwrap(wrapped, encContext)
	if err != nil {
		return nil, err
	}
	k.given = append(k.given, plain)
	return plain, nil
}

// Rewrap wraps a key made with the same context with the newest key.
func (k *KMS) Rewrap(ctx context.Context, wrapped []byte, encContext map[string]string) (anew []byte, keyID string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.begin(ctx, "rewrap"); err != nil {
		return nil, "", err
	}
	plain, err := k.unwrap(wrapped, encContext)
	if err != nil {
		return nil, "", err
	}
	anew, keyID = k.wrap(plain, encContext)
	return anew, keyID, nil
}

func (k *KMS) wrap(plain []byte, encContext map[string]string) (wrapped []byte, keyID string) {
	n := len(k.keys) - 1
	return k.keys[n].Seal([]byte{byte(n)}, nil, plain, canonical(encContext)), fmt.Sprintf("memory-%d", n)
}

func (k *KMS) unwrap(wrapped []byte, encContext map[string]string) ([]byte, error) {
	if len(wrapped) == 0 || int(wrapped[0]) >= len(k.keys) || k.keys[wrapped[0]] == nil {
		return nil, envelope.ErrRefused
	}
	plain, err := k.keys[wrapped[0]].Open(nil, nil, wrapped[1:], canonical(encContext))
	if err != nil {
		return nil, envelope.ErrRefused
	}
	return plain, nil
}

func (k *KMS) begin(ctx context.Context, op string) error {
	k.calls[op]++
	if err := ctx.Err(); err != nil {
		return err
	}
	if k.Fail != nil {
		return k.Fail(op)
	}
	return nil
}

func canonical(encContext map[string]string) []byte {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(encContext)) {
		fmt.Fprintf(&b, "%q=%q;", name, encContext[name])
	}
	return b.Bytes()
}
