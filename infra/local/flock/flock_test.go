package flock_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"pricemanager/infra/local/flock"
)

func TestOnlyOneHoldsTheLockAndTheNextGetsItAfterwards(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "deep", "lock")
	unlock, err := flock.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := flock.Try(path); !errors.Is(err, flock.ErrHeld) {
		t.Errorf("Try on a held lock = %v, want ErrHeld", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := flock.Lock(cancelled, path); !errors.Is(err, context.Canceled) {
		t.Errorf("Lock with an ended context = %v, want context.Canceled", err)
	}
	got := make(chan error, 1)
	go func() {
		next, err := flock.Lock(t.Context(), path)
		if err == nil {
			next()
		}
		got <- err
	}()
	unlock()
	if err := <-got; err != nil {
		t.Errorf("the next one did not get the lock: %v", err)
	}
}
