package identity

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/secret"
)

// PepperEvery is how old the newest pepper gets.
const PepperEvery = 90 * 24 * time.Hour

// pepperKept is how long a pepper stays after it was replaced: longer than any
// key made under it works, so that dropping it ends no key. The day is for
// functions that have not heard of the new one yet. A key that is used moves to
// the newest pepper long before.
const pepperKept = KeyLife + 24*time.Hour

// maxPeppers is what a secret of 64 KB holds, with room to spare.
const maxPeppers = 700

// PepperRotation puts a new pepper in front of those that API keys are hashed
// under, and drops those that no living key needs.
type PepperRotation struct {
	Vault  secret.Versions
	Name   string
	Clock  clock.Clock
	Random io.Reader
}

// Tick goes on with a rotation that was interrupted, or begins one when the
// newest pepper is old. It reports whether it did.
func (p PepperRotation) Tick(ctx context.Context) (bool, error) {
	unfinished, err := p.rotator().Unfinished(ctx)
	if err != nil {
		return false, err
	}
	v, err := p.Vault.At(ctx, p.Name, secret.Current)
	if err != nil {
		return false, err
	}
	list := pepperList(v.Value)
	if unfinished == "" && len(list) > 0 {
		made, dated := madeAt(list[0])
		if dated && p.Clock.Now().Before(made.Add(PepperEvery)) {
			return false, nil
		}
	}
	return true, p.Rotate(ctx)
}

// Rotate makes a new pepper current, or finishes what was interrupted.
func (p PepperRotation) Rotate(ctx context.Context) error {
	id, err := p.random(16)
	if err != nil {
		return err
	}
	return p.rotator().Run(ctx, id)
}

// Step does one of the steps that Secrets Manager asks for.
func (p PepperRotation) Step(ctx context.Context, s secret.Step, version string) error {
	return p.rotator().Do(ctx, s, version)
}

func (p PepperRotation) rotator() secret.Rotator {
	return secret.Rotator{Vault: p.Vault, Name: p.Name, Make: p.make, Check: p.check}
}

func (p PepperRotation) make(_ context.Context, current secret.Value) (secret.Value, error) {
	text, err := p.random(32)
	if err != nil {
		return secret.Value{}, err
	}
	now := p.Clock.Now()
	next := []string{now.UTC().Format(madeForm) + text}
	list := pepperList(current)
	for i, old := range list {
		if i == 0 || !p.over(list, i, now) {
			next = append(next, old.Reveal())
		}
	}
	if len(next) > maxPeppers {
		return secret.Value{}, fmt.Errorf("identity: %s would hold %d peppers; the oldest are needed for %s yet", p.Name, len(next), pepperKept)
	}
	return secret.New(strings.Join(next, "\n")), nil
}

// over reports whether no living key needs the pepper at i: the one in front of
// it has replaced it that long ago.
func (p PepperRotation) over(list []secret.Value, i int, now time.Time) bool {
	if i == 0 {
		return false
	}
	replaced, dated := madeAt(list[i-1])
	return dated && !now.Before(replaced.Add(pepperKept))
}

// check refuses a list that would lose a pepper which a key may need: one that
// another rotation has added since this list was made.
func (p PepperRotation) check(_ context.Context, current, next secret.Value) error {
	old, list := pepperList(current), pepperList(next)
	now := p.Clock.Now()
	for i, pepper := range old {
		kept := slices.ContainsFunc(list, func(v secret.Value) bool { return v.Reveal() == pepper.Reveal() })
		if !kept && !p.over(old, i, now) {
			return fmt.Errorf("%w: %s: the pending list lacks a pepper that is in use", secret.ErrMoved, p.Name)
		}
	}
	if len(list) < 2 || len(list[0].Reveal()) < minPepper {
		return errors.New("identity: the pending list has no new pepper")
	}
	return nil
}

func (p PepperRotation) random(n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(p.Random, b); err != nil {
		return "", fmt.Errorf("identity: random bytes: %w", err)
	}
	return hex.EncodeToString(b), nil
}
