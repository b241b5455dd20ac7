package vaulttest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"pricemanager/internal/secret"
)

// RunVersions holds a backend to the promises of secret.Versions. Secrets are
// made and removed through its vault.
func RunVersions(t *testing.T, open func(t *testing.T) (secret.Vault, secret.Versions)) {
	at := func(t *testing.T, v secret.Versions, name string, s secret.Stage, id, content string) {
		t.Helper()
		got, err := v.At(t.Context(), name, s)
		if err != nil || got.ID != id || got.Value.Reveal() != content {
			t.Fatalf("%s at %s: %s %q, %v; want %s %q", name, s, got.ID, got.Value.Reveal(), err, id, content)
		}
	}
	current := func(t *testing.T, v secret.Versions, name string) string {
		t.Helper()
		got, err := v.At(t.Context(), name, secret.Current)
		if err != nil {
			t.Fatal(err)
		}
		return got.ID
	}
	propose := func(t *testing.T, v secret.Versions, name, id, content string) {
		t.Helper()
		if err := v.Propose(t.Context(), name, secret.Version{ID: id, Value: secret.New(content)}); err != nil {
			t.Fatalf("propose %s: %v", id, err)
		}
	}
	t.Run("a pending version is seen by who asks for it alone", func(t *testing.T) {
		vault, v := open(t)
		const name = "pm-test/versions/pending"
		put(t, vault, name, "one")
		if _, err := v.At(t.Context(), name, secret.Pending); !errors.Is(err, secret.ErrNotFound) {
			t.Fatalf("nothing is pending: %v", err)
		}
		propose(t, v, name, id(1), "two")
		propose(t, v, name, id(1), "two")
		at(t, v, name, secret.Pending, id(1), "two")
		want(t, vault, name, "one")
		err := v.Propose(t.Context(), name, secret.Version{ID: id(1), Value: secret.New("other")})
		if !errors.Is(err, secret.ErrMoved) {
			t.Fatalf("the same version with other content: %v", err)
		}
		at(t, v, name, secret.Pending, id(1), "two")
		remove(t, vault, name)
	})
	t.Run("a promoted version is current and the one before stays", func(t *testing.T) {
		vault, v := open(t)
		const name = "pm-test/versions/promote"
		put(t, vault, name, "one")
		first := current(t, v, name)
		for n := 1; n <= 3; n++ {
			propose(t, v, name, id(n), fmt.Sprint("next ", n))
			for range 2 {
				if err := v.Promote(t.Context(), name, id(n), first); err != nil {
					t.Fatalf("promote %d: %v", n, err)
				}
			}
			at(t, v, name, secret.Current, id(n), fmt.Sprint("next ", n))
			want(t, vault, name, fmt.Sprint("next ", n))
			if previous, err := v.At(t.Context(), name, secret.Previous); err != nil || previous.ID != first {
				t.Fatalf("previous is %s, %v; want %s", previous.ID, err, first)
			}
			first = id(n)
		}
		remove(t, vault, name)
	})
	t.Run("of two that promote from one version the second is told", func(t *testing.T) {
		vault, v := open(t)
		const name = "pm-test/versions/race"
		put(t, vault, name, "one")
		first := current(t, v, name)
		propose(t, v, name, id(1), "two")
		if err := v.Promote(t.Context(), name, id(1), first); err != nil {
			t.Fatal(err)
		}
		propose(t, v, name, id(2), "three")
		at(t, v, name, secret.Pending, id(2), "three")
		if err := v.Promote(t.Context(), name, id(2), first); !errors.Is(err, secret.ErrMoved) {
			t.Fatalf("promoted over a version that it had not seen: %v", err)
		}
		want(t, vault, name, "two")
		remove(t, vault, name)
	})
	t.Run("a later proposal takes the place of an unfinished one", func(t *testing.T) {
		vault, v := open(t)
		const name = "pm-test/versions/later"
		put(t, vault, name, "one")
		propose(t, v, name, id(1), "two")
		propose(t, v, name, id(2), "three")
		at(t, v, name, secret.Pending, id(2), "three")
		remove(t, vault, name)
	})
	t.Run("promotions at the same time leave one current", func(t *testing.T) {
		vault, v := open(t)
		const name = "pm-test/versions/together"
		put(t, vault, name, "one")
		first := current(t, v, name)
		propose(t, v, name, id(1), "two")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := v.Promote(t.Context(), name, id(1), first); err != nil && !errors.Is(err, secret.ErrMoved) {
					t.Errorf("promote: %v", err)
				}
			})
		}
		wg.Wait()
		at(t, v, name, secret.Current, id(1), "two")
		remove(t, vault, name)
	})
	t.Run("what is not there cannot be rotated", func(t *testing.T) {
		vault, v := open(t)
		const name = "pm-test/versions/missing"
		if err := v.Propose(t.Context(), name, secret.Version{ID: id(1), Value: secret.New("x")}); !errors.Is(err, secret.ErrNotFound) {
			t.Errorf("propose: %v", err)
		}
		if err := v.Promote(t.Context(), name, id(1), id(2)); !errors.Is(err, secret.ErrNotFound) {
			t.Errorf("promote: %v", err)
		}
		put(t, vault, name, "one")
		if err := v.Promote(t.Context(), name, id(1), current(t, v, name)); !errors.Is(err, secret.ErrNotFound) {
			t.Errorf("promote an unknown version: %v", err)
		}
		remove(t, vault, name)
	})
}

// id is a version's: Secrets Manager wants 32 to 64 characters.
func id(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }
