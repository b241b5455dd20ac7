package ledger

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/secret"
)

// The signer's secret is lines. The first is what the signing key is derived from; one
// made by a rotation begins with the time. The others are the public keys that signed
// before, the newest first: "<verifier key>;<from>;<until>". What they were derived
// from is gone, so that nobody can sign with them any more.
const (
	madeForm = "20060102T150405Z."

	// keyOverlap is how long a key that was replaced may still sign: functions hold
	// theirs for five minutes.
	keyOverlap = time.Hour
	// maxOldKeys is what a secret of 64 KB holds, with room to spare.
	maxOldKeys = 300
)

func madeAt(line string) time.Time {
	if len(line) < len(madeForm) {
		return time.Time{}
	}
	t, err := time.Parse(madeForm, line[:len(madeForm)])
	if err != nil {
		return time.Time{}
	}
	return t
}

func parseOldKey(line string) (k SigningKey, err error) {
	parts := strings.Split(line, ";")
	if len(parts) != 3 {
		return SigningKey{}, errors.New("ledger: the signer secret has a line that is no older key")
	}
	k.Key = parts[0]
	for i, at := range []*time.Time{&k.From, &k.Until} {
		if text := parts[1+i]; text != "" {
			if *at, err = time.Parse(time.RFC3339, text); err != nil {
				return SigningKey{}, errors.New("ledger: the signer secret has an older key without its time")
			}
		}
	}
	return k, nil
}

func (k SigningKey) line() string {
	parts := []string{k.Key, "", ""}
	for i, at := range []time.Time{k.From, k.Until} {
		if !at.IsZero() {
			parts[1+i] = at.UTC().Format(time.RFC3339)
		}
	}
	return strings.Join(parts, ";")
}

// KeyRotation replaces the key that signs checkpoints. What the one before has signed
// stays good: its public key is kept with its time.
type KeyRotation struct {
	Vault  secret.Versions
	Name   string
	Clock  clock.Clock
	Random io.Reader // rand.Reader when nil
}

// Rotate makes a new key current, or finishes what was interrupted. Of two at once one
// is secret.ErrMoved and has changed nothing.
func (r KeyRotation) Rotate(ctx context.Context) error {
	id, err := r.random(16)
	if err != nil {
		return err
	}
	return secret.Rotator{Vault: r.Vault, Name: r.Name, Make: r.make, Check: r.check}.Run(ctx, id)
}

func (r KeyRotation) make(_ context.Context, current secret.Value) (secret.Value, error) {
	old, err := NewSigner(current)
	if err != nil {
		return secret.Value{}, err
	}
	text, err := r.random(32)
	if err != nil {
		return secret.Value{}, err
	}
	now := r.Clock.Now().UTC().Truncate(time.Second)
	keys := old.Keys()
	keys[0].Until = now.Add(keyOverlap)
	if len(keys) > maxOldKeys {
		return secret.Value{}, fmt.Errorf("ledger: %s would hold %d older keys", r.Name, len(keys))
	}
	lines := []string{now.Format(madeForm) + text}
	for _, k := range keys {
		lines = append(lines, k.line())
	}
	return secret.New(strings.Join(lines, "\n")), nil
}

// check refuses a next secret that does not know the key in use: another rotation has
// made that one current meanwhile.
func (r KeyRotation) check(_ context.Context, current, next secret.Value) error {
	was, err := NewSigner(current)
	if err != nil {
		return err
	}
	is, err := NewSigner(next)
	if err != nil {
		return err
	}
	for _, k := range was.Keys() {
		if !slices.ContainsFunc(is.Keys()[1:], func(o SigningKey) bool { return o.Key == k.Key }) {
			return fmt.Errorf("%w: %s: the pending secret lacks a key that has signed", secret.ErrMoved, r.Name)
		}
	}
	return nil
}

func (r KeyRotation) random(n int) (string, error) {
	from := r.Random
	if from == nil {
		from = rand.Reader
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(from, b); err != nil {
		return "", fmt.Errorf("ledger: random bytes: %w", err)
	}
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b), nil
}
