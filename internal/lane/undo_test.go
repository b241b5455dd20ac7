package lane

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

func TestABatchIsUndoneOnlyWhereItsPriceStillStands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(4)
		w.apply("bat_a", "19.00", skus...)
		w.pump(5 * time.Minute)
		w.apply("bat_b", "18.00", skus[1]) // taken over by a newer batch
		w.pump(5 * time.Minute)
		w.put(skus[2], price.Prices{Our: eur("25.00")}) // changed outside, and read
		batches := NewBatches(w.db, w.blobs)
		undo, err := batches.Undo(t.Context(), seller, "bat_a")
		if err != nil || len(undo) != 4 {
			t.Fatalf("%d rows, %v; want 4", len(undo), err)
		}
		for i, u := range undo {
			back := i == 0 || i == 3
			if (u.Skip == "") != back {
				t.Errorf("row %d: skip %q, want it taken back: %t", i, u.Skip, back)
			}
			if back && (u.Edit.Set.Our == nil || *u.Edit.Set.Our != *eur("20.00")) {
				t.Errorf("row %d would become %v, want 20.00 EUR", i, u.Edit.Set.Our)
			}
		}
		if _, err := batches.Undo(t.Context(), "t_somebodyelse", "bat_a"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("another tenant's batch: %v, want not found", err)
		}
	})
}

func TestWhatWasNotObservedIsNotUndone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.apply("bat_a", "19.00", w.stock(2)...)
		w.stageOnly("bat_a")
		undo, err := NewBatches(w.db, w.blobs).Undo(t.Context(), seller, "bat_a")
		if err != nil || len(undo) != 2 || undo[0].Skip == "" {
			t.Errorf("%+v, %v; want nothing to take back before it was sent", undo, err)
		}
	})
}
