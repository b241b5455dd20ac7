package apply

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/price"
)

// waiting is a world in which the sale waits to be sent for the last of 60 offers.
func waiting(t *testing.T, revertAt time.Duration) (*world, place) {
	t.Helper()
	w := newWorld(t)
	w.stock(60, de)
	w.shop.slow = 6 * time.Second
	w.engine.Config.InFlight = 1
	at := never()
	if revertAt > 0 {
		at = w.clock.Now().Add(revertAt)
	}
	w.apply(sale, "18.00", never(), at, w.places()...)
	w.pump(30 * time.Second)
	last := place{de, "SKU-9"}
	if w.batch(sale).State != lane.Sending || w.shop.patches[last] != 0 {
		t.Fatalf("%+v, %d patches", w.batch(sale), w.shop.patches[last])
	}
	return w, last
}

// next plans and applies a file, and stages its rows at once.
func (w *world) next(id, file string) {
	w.t.Helper()
	w.applyFile(id, file, 1, never(), never())
	if err := w.engine.Activate(w.t.Context(), seller, id); err != nil {
		w.t.Fatal(err)
	}
	w.shop.slow = 0
}

func (w *world) wantMinimum(at place, want string) {
	w.t.Helper()
	if got := w.shop.shows[at].Min; got == nil || *got != *eur(want) {
		w.t.Errorf("the minimum of %v is %v, want %s", at, got, want)
	}
}

// A file about another price of an offer takes over from the one before it, and does
// not make what that one wanted vanish.
func TestAPriceThatWaitsIsBroughtAlongByALaterChangeOfAnotherPrice(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"sku;marketplace;minimum_price\nSKU-9;DE;5,00\n", "sku;marketplace;price;minimum_price\nSKU-9;DE;18,00;5,00\n"} {
		synctest.Test(t, func(t *testing.T) {
			w, last := waiting(t, 5*time.Hour)
			w.next("bat_min", file)
			w.minutes(2 * time.Hour)
			w.wantShown("18.00", w.places()...)
			w.wantMinimum(last, "5.00")
			if a, b := w.batch(sale), w.batch("bat_min"); a.Counts[lane.Observed] != 59 || a.Counts[lane.Superseded] != 1 || b.Counts[lane.Observed] != 1 || w.shop.patches[last] != 1 {
				t.Errorf("the sale %v, the minimum %v, in %d patches", a.Counts, b.Counts, w.shop.patches[last])
			}
			undo, err := w.worker.Batches.Undo(t.Context(), seller, "bat_min")
			if err != nil || len(undo) != 1 || undo[0].Skip != "" || len(undo[0].Edit.Touched()) != 1 || undo[0].Edit.Touched()[0] != price.FieldMin {
				t.Errorf("the later one would be taken back by %+v, %v", undo, err)
			}
			w.minutes(4 * time.Hour) // the end of the sale
			w.wantReverted(lane.Reverted, "")
			w.wantShown("20.00", w.places()...)
			w.wantMinimum(last, "5.00")
		})
	}
}

func TestWhatWasStoppedIsNotBroughtAlong(t *testing.T) {
	t.Parallel()
	for _, files := range [][]string{{"minimum_price\nSKU-9;DE;5,00\n"}, {"maximum_price\nSKU-9;DE;50,00\n", "minimum_price\nSKU-9;DE;5,00\n"}} {
		synctest.Test(t, func(t *testing.T) {
			w, last := waiting(t, 0)
			stop := lane.Stop{Scope: lane.ScopeBatch, ID: sale, Actor: "key:x", Reason: "wrong"}
			if err := (lane.Stops{DB: w.db, Bell: w.worker.Bell}).Set(t.Context(), seller, stop); err != nil {
				t.Fatal(err)
			}
			for i, file := range files {
				w.next(fmt.Sprint("bat_", i), "sku;marketplace;"+file)
			}
			w.minutes(2 * time.Hour)
			w.wantShown("20.00", last)
			w.wantMinimum(last, "5.00")
			if got := w.shop.shows[last].Max; len(files) == 2 && (got == nil || *got != *eur("50.00")) {
				t.Errorf("the maximum is %v", got)
			}
		})
	}
}

func TestNothingIsLostOfThreeChangesOfOneOffer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, last := waiting(t, 0)
		for id, file := range map[string]string{"bat_1": "minimum_price\nSKU-9;DE;5,00\n", "bat_2": "maximum_price\nSKU-9;DE;50,00\n"} {
			w.next(id, "sku;marketplace;"+file)
		}
		w.minutes(2 * time.Hour)
		w.wantShown("18.00", last)
		w.wantMinimum(last, "5.00")
		if got := w.shop.shows[last].Max; got == nil || *got != *eur("50.00") {
			t.Errorf("the maximum is %v", got)
		}
	})
}
