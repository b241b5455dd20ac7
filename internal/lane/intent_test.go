package lane

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/store"
)

// A worker that leaves takes back the intents of what it did not send. Rung at
// that very moment, it stays: and announces them anew before it sends them.
func TestAnIntentStandsBeforeEverySendAlsoOfAWorkerThatWasRungWhileLeaving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(40)
		w.books.onRenew = func() {
			if err := w.engine.Bell.RequestImport(t.Context(), seller, conn); err != nil {
				t.Error(err)
			}
		}
		calls := 0
		w.shop.script = func(p amazon.Patch, _ int) (bool, error) {
			if calls++; calls == 3 {
				return false, &amazon.Error{Op: "token", Status: http.StatusBadRequest, Code: "invalid_grant"}
			}
			it, err := w.db.Get(t.Context(), seller, store.Offers, workKey(conn, "bat_a"))
			if err != nil {
				t.Error(err)
				return true, nil
			}
			j, err := decodeJournal(it)
			if err != nil {
				t.Error(err)
			}
			for _, i := range j.Intents {
				if i.SKU == p.SKU && i.notAfter().After(w.engine.Clock.Now()) {
					return true, nil
				}
			}
			t.Errorf("%s was sent without an intent", p.SKU)
			return true, nil
		}
		w.apply("bat_a", "19.00", skus...)
		w.pump(5 * time.Minute)
		if b := w.batch("bat_a"); b.State != Done || b.Counts[Observed] != 40 {
			t.Errorf("batch %s with %v", b.State, b.Counts)
		}
	})
}
