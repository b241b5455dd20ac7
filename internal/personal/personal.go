// Package personal holds what is known about people: the type that such a value
// travels in, and the declaration of every personal field with its purpose, its
// legal basis and how long it is kept.
//
// What is promised: a Sensitive value leaves the process only sealed (Seal) or
// by name (Reveal, whose callers are listed in test/personal). Printed or logged
// it shows Redacted; encoding it (JSON, text, gob) and storing it as an attribute
// are errors, because whoever does so has forgotten to seal. The test in
// test/personal refuses fields of a plain type that are named like a personal
// one. When sealing or opening fails, the error says which field and nothing of
// what is in it.
//
// What it does not do: it keeps nothing, and it does not decide who may see what.
package personal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"pricemanager/internal/envelope"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Redacted is what a Sensitive shows wherever it is printed.
const Redacted = "[personal]"

// ErrClear: something tried to encode a personal value without sealing it.
var ErrClear = errors.New("personal: a personal value is never encoded in clear: seal it")

// Sensitive is a personal value. The zero value holds nothing. It cannot be
// compared with ==; two that hold the same may differ.
//
// The value is behind a function, so that not even a formatter that looks into
// unexported fields of the struct around it gets to see it.
type Sensitive[T any] struct{ reveal func() T }

// New wraps v.
func New[T any](v T) Sensitive[T] { return Sensitive[T]{func() T { return v }} }

// Reveal returns the value, or T's zero. Call it only where the value is shown to
// whom it is about or used for its purpose; test/personal lists the callers.
func (s Sensitive[T]) Reveal() T {
	if s.reveal == nil {
		var zero T
		return zero
	}
	return s.reveal()
}

// Empty reports whether there is nothing in it.
func (s Sensitive[T]) Empty() bool { return s.reveal == nil }

// String returns Redacted.
func (s Sensitive[T]) String() string { return Redacted }

// GoString returns Redacted, for %#v.
func (s Sensitive[T]) GoString() string { return Redacted }

// Format prints Redacted for every verb.
func (s Sensitive[T]) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// LogValue shows Redacted in structured logs.
func (s Sensitive[T]) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalJSON fails with ErrClear.
func (s Sensitive[T]) MarshalJSON() ([]byte, error) { return nil, ErrClear }

// MarshalText fails with ErrClear: XML, map keys and whatever else takes text.
func (s Sensitive[T]) MarshalText() ([]byte, error) { return nil, ErrClear }

// MarshalBinary fails with ErrClear: gob.
func (s Sensitive[T]) MarshalBinary() ([]byte, error) { return nil, ErrClear }

// UnmarshalJSON takes a value as it comes in a request.
func (s *Sensitive[T]) UnmarshalJSON(b []byte) error {
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		return errors.New("personal: not of the type that is wanted") // the decoder's text may quote the value
	}
	*s = New(v)
	return nil
}

// Sealer seals fields; *envelope.Sealer is one.
type Sealer interface {
	Seal(ctx context.Context, t tenant.ID, p envelope.Purpose, at envelope.Where, plaintext []byte) ([]byte, error)
	Open(ctx context.Context, t tenant.ID, p envelope.Purpose, at envelope.Where, sealed []byte) ([]byte, error)
}

var _ Sealer = (*envelope.Sealer)(nil)

// Seal encrypts v as the field f of the item with that key. The result is the
// attribute f.Attr.
func Seal[T any](ctx context.Context, s Sealer, t tenant.ID, f Field, key store.Key, v Sensitive[T]) ([]byte, error) {
	plain, err := json.Marshal(v.Reveal())
	if err != nil {
		return nil, fmt.Errorf("personal: %s cannot be encoded", f.Name) // the encoder's text may quote the value
	}
	defer clear(plain)
	sealed, err := s.Seal(ctx, t, f.Purpose, f.where(key), plain)
	if err != nil {
		return nil, fmt.Errorf("personal: seal %s: %w", f.Name, err)
	}
	return sealed, nil
}

// Open decrypts what Seal made for the same field and item. Its errors are the
// sealer's.
func Open[T any](ctx context.Context, s Sealer, t tenant.ID, f Field, key store.Key, sealed []byte) (Sensitive[T], error) {
	plain, err := s.Open(ctx, t, f.Purpose, f.where(key), sealed)
	if err != nil {
		return Sensitive[T]{}, fmt.Errorf("personal: open %s: %w", f.Name, err)
	}
	defer clear(plain)
	var v Sensitive[T]
	if err := v.UnmarshalJSON(plain); err != nil {
		return Sensitive[T]{}, fmt.Errorf("personal: open %s: it holds another type", f.Name)
	}
	return v, nil
}
