package soak

import (
	"log/slog"
	"strings"
	"testing"

	"pricemanager/internal/store"
	"pricemanager/test/canary"
)

// A leak anywhere in a history breaks a promise; without one none is broken.
func TestTheSoakNoticesASecretInClear(t *testing.T) {
	t.Parallel()
	token := "Atza|" + canary.MarkAccess
	for name, leak := range map[string]func(*world) error{
		"": func(*world) error { return nil },
		"table offers": func(w *world) error {
			return w.db.Put(t.Context(), w.sellers[0].id, store.Offers, store.Item{Key: store.Key{PK: "p", SK: "s"}, Attrs: map[string]any{"problem": errReset.Error()}})
		},
		"table ledger": func(w *world) error { // an event that nobody sealed
			return w.db.Put(t.Context(), w.sellers[0].id, store.Ledger, store.Item{Key: store.Key{PK: "p", SK: "s"}, Attrs: map[string]any{"events": []byte(`{"v":1,` + ledgerValue + `}`)}})
		},
		"bucket": func(w *world) error {
			return w.blobs.Put(t.Context(), w.sellers[0].id, store.Files, "x", "text/plain", []byte(token))
		},
		"queue": func(w *world) error { w.canaries.sent([]byte(`{"token":"` + token + `"}`)); return nil },
		"log": func(w *world) error {
			slog.New(w.canaries.logger.Handler()).Info("split", "a", canary.MarkAccess) // in no form that is redacted
			return nil
		},
	} {
		w := newWorld(Options{Seed: ledgerEvery, Ops: 1, Offers: 5})
		if err := leak(w); err != nil {
			t.Fatal(err)
		}
		w.canaries.judge(w)
		told := strings.Join(w.breaches, "\n")
		if (name == "") != (told == "") || !strings.Contains(told, name) || strings.Contains(told, canary.MarkAccess) {
			t.Errorf("a leak in %q: %q", name, told)
		}
	}
}
