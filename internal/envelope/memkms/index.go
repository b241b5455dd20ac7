package memkms

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"

	"pricemanager/internal/envelope"
)

// Index makes the keyed hashes that awskms.Index does, with a key in memory.
type Index struct {
	// Fail, when set, is asked before every call; its error is the call's answer.
	Fail func() error

	key [sha256.Size]byte
}

// NewIndex returns an Index whose key comes from rand.
func NewIndex(rand io.Reader) (*Index, error) {
	x := &Index{}
	if _, err := io.ReadFull(rand, x.key[:]); err != nil {
		return nil, fmt.Errorf("memkms: random bytes: %w", err)
	}
	return x, nil
}

// Of is the index of a value.
func (x *Index) Of(_ context.Context, kind, value string) (string, error) {
	message, err := envelope.IndexMessage(kind, value)
	if err != nil {
		return "", err
	}
	if x.Fail != nil {
		if err := x.Fail(); err != nil {
			return "", err
		}
	}
	h := hmac.New(sha256.New, x.key[:])
	h.Write(message)
	return envelope.IndexText(h.Sum(nil))
}
