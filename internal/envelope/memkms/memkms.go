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

// KMS keeps its one key in memory.
type KMS struct {
	// Fail, when set, is asked before every call ("generate" or "decrypt"); an
	// error it returns is the call's answer.
	Fail func(op string) error

	rand io.Reader
	aead cipher.AEAD

	mu    sync.Mutex
	calls map[string]int
	given [][]byte
}

var _ envelope.KMS = (*KMS)(nil)

// New returns a key service whose keys come from rand.
func New(rand io.Reader) *KMS {
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
	return &KMS{rand: rand, aead: aead, calls: map[string]int{}}
}

// Calls is how often the operation ("generate" or "decrypt") was called.
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
	return plain, k.aead.Seal(nil, nil, plain, canonical(encContext)), "memory", nil
}

// Decrypt unwraps a key made with the same context.
func (k *KMS) Decrypt(ctx context.Context, wrapped []byte, encContext map[string]string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.begin(ctx, "decrypt"); err != nil {
		return nil, err
	}
	plain, err := k.aead.Open(nil, nil, wrapped, canonical(encContext))
	if err != nil {
		return nil, envelope.ErrRefused
	}
	k.given = append(k.given, plain)
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
