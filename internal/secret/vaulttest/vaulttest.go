// Package vaulttest holds every secret.Vault to the same promises. A backend's
// test calls Run; the suite leaves no secret behind.
package vaulttest

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"pricemanager/internal/secret"
)

// Run runs the suite. open returns a vault; tests use names of their own, so
// that one vault may serve all.
func Run(t *testing.T, open func(t *testing.T) secret.Vault) {
	t.Run("a missing secret is ErrNotFound and its name is in the error", func(t *testing.T) {
		_, err := open(t).Get(t.Context(), "pm-test/missing/one")
		if !errors.Is(err, secret.ErrNotFound) || !strings.Contains(err.Error(), "pm-test/missing/one") {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("put creates, put again replaces", func(t *testing.T) {
		v, name := open(t), "pm-test/replace/t_abcdef/conn_1"
		for _, content := range []string{"first", "second", strings.Repeat("Atzr|x", 340)} {
			put(t, v, name, content)
			want(t, v, name, content)
		}
		remove(t, v, name)
	})
	t.Run("putting the same content twice is no error", func(t *testing.T) {
		v, name := open(t), "pm-test/same"
		put(t, v, name, "x")
		put(t, v, name, "x")
		want(t, v, name, "x")
		remove(t, v, name)
	})
	t.Run("delete destroys, repeats without error, and frees the name", func(t *testing.T) {
		v, name := open(t), "pm-test/delete"
		put(t, v, name, "old")
		remove(t, v, name)
		if _, err := v.Get(t.Context(), name); !errors.Is(err, secret.ErrNotFound) {
			t.Fatalf("after delete: %v", err)
		}
		remove(t, v, name)
		put(t, v, name, "new")
		want(t, v, name, "new")
		remove(t, v, name)
	})
	t.Run("one name does not see another", func(t *testing.T) {
		v := open(t)
		put(t, v, "pm-test/a", "a")
		put(t, v, "pm-test/a/b", "b")
		want(t, v, "pm-test/a", "a")
		remove(t, v, "pm-test/a")
		want(t, v, "pm-test/a/b", "b")
		remove(t, v, "pm-test/a/b")
	})
	t.Run("puts at the same time all succeed and one of them stays", func(t *testing.T) {
		v, name := open(t), "pm-test/race"
		var wg sync.WaitGroup
		errs := make(chan error, 4)
		for _, content := range []string{"1", "2", "3", "4"} {
			wg.Go(func() { errs <- v.Put(t.Context(), name, secret.New(content)) })
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				t.Errorf("put: %v", err)
			}
		}
		got, err := v.Get(t.Context(), name)
		if err != nil || !strings.Contains("1234", got.Reveal()) {
			t.Fatalf("got %q, %v", got.Reveal(), err)
		}
		remove(t, v, name)
	})
}

func put(t *testing.T, v secret.Vault, name, content string) {
	t.Helper()
	if err := v.Put(t.Context(), name, secret.New(content)); err != nil {
		t.Fatalf("put %s: %v", name, err)
	}
}

func want(t *testing.T, v secret.Vault, name, content string) {
	t.Helper()
	got, err := v.Get(t.Context(), name)
	if err != nil || got.Reveal() != content {
		t.Fatalf("get %s: %q, %v; want %q", name, got.Reveal(), err, content)
	}
}

func remove(t *testing.T, v secret.Vault, name string) {
	t.Helper()
	if err := v.Delete(t.Context(), name); err != nil {
		t.Fatalf("delete %s: %v", name, err)
	}
}
