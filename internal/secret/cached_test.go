package secret_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/secret"
)

type counting struct {
	value string
	err   error
	reads int
}

func (c *counting) Get(context.Context, string) (secret.Value, error) {
	c.reads++
	return secret.New(c.value), c.err
}

func TestACachedSecretIsReadAgainOnlyAfterItsTimeOrWhenForgotten(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	vault := &counting{value: "one"}
	c := secret.NewCached(vault, now, time.Minute)
	get := func(want string, reads int) {
		t.Helper()
		v, err := c.Get(t.Context(), "n")
		if err != nil || v.Reveal() != want || vault.reads != reads {
			t.Fatalf("%q after %d reads, %v; want %q after %d", v.Reveal(), vault.reads, err, want, reads)
		}
	}
	get("one", 1)
	vault.value = "two"
	now.Advance(time.Minute - time.Nanosecond)
	get("one", 1)
	now.Advance(time.Nanosecond)
	get("two", 2)
	vault.value = "three"
	c.Forget("n")
	get("three", 3)
}

func TestAnUnreadableSecretIsNotServedPastItsTime(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	vault := &counting{value: "one"}
	c := secret.NewCached(vault, now, time.Minute)
	if _, err := c.Get(t.Context(), "n"); err != nil {
		t.Fatal(err)
	}
	now.Advance(time.Hour)
	vault.err = errors.New("down")
	if _, err := c.Get(t.Context(), "n"); !errors.Is(err, vault.err) {
		t.Fatalf("got %v", err)
	}
}
