package memory_test

import (
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/secret"
	"pricemanager/internal/signin"
	"pricemanager/internal/signin/memory"
	"pricemanager/internal/signin/signintest"
)

func provider(t *testing.T) (*memory.Provider, *clock.Manual) {
	now := clock.NewManual(time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC))
	return &memory.Provider{Clock: now, Rand: seeded(t.Name())}, now
}

func seeded(name string) io.Reader { return rand.NewChaCha8(sha256.Sum256([]byte(name))) }

func TestConformance(t *testing.T) {
	t.Parallel()
	signintest.Run(t, func(t *testing.T) signintest.Backend {
		p, now := provider(t)
		return signintest.Backend{Provider: p, Now: now.Now, Pass: now.Advance}
	})
}

func TestALostAnswerMayHaveTakenEffect(t *testing.T) {
	t.Parallel()
	p, _ := provider(t)
	lost := errors.New("lost")
	for _, applied := range []bool{false, true} {
		p.Hook = func(string, string) (bool, error) { return applied, lost }
		if err := p.Create(t.Context(), "m1", secret.New("Vierzig-nasse-Elche4")); !errors.Is(err, lost) {
			t.Fatal(err)
		}
		p.Hook = nil
		_, err := p.Begin(t.Context(), "m1", secret.New("Vierzig-nasse-Elche4"))
		if exists := !errors.Is(err, signin.ErrRefused); exists != applied {
			t.Errorf("applied %v: %v", applied, err)
		}
	}
}

func TestWithoutRandomnessNothingIsHandedOut(t *testing.T) {
	t.Parallel()
	p, _ := provider(t)
	if err := p.Create(t.Context(), "m1", secret.New("Vierzig-nasse-Elche4")); err != nil {
		t.Fatal(err)
	}
	p.Rand = io.LimitReader(p.Rand, 8)
	if step, err := p.Begin(t.Context(), "m1", secret.New("Vierzig-nasse-Elche4")); err == nil || !step.Challenge.Empty() {
		t.Fatalf("%v", err)
	}
}
