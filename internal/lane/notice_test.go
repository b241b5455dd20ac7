package lane

import (
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
)

func TestANoticeHasAChangeByOthersSeenSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(3)
		_ = w.engine.Clock.Sleep(t.Context(), time.Second)
		w.shop.listings[de][skus[1]].now = price.Prices{Our: eur("25.00")}
		for range 2 { // notices come at least once
			if err := w.engine.Bell.Notice(t.Context(), seller, conn, de, skus[1]); err != nil {
				t.Fatal(err)
			}
		}
		w.pump(time.Minute)
		got, err := NewOffers(w.db).Offers(t.Context(), seller, []price.OfferKey{offer(skus[1])})
		if err != nil || *got[offer(skus[1])].Known.Our != *eur("25.00") {
			t.Errorf("known %+v, %v; want 25.00 EUR", got, err)
		}
		if n := w.events()[ledger.OfferDrifted]; n != 1 {
			t.Errorf("%d drift events, want 1", n)
		}
		if n, err := w.engine.Bell.Sweep(t.Context()); err != nil || n != 0 {
			t.Errorf("the lane is left open: %d rung, %v", n, err)
		}
	})
}

func TestANoticeHasAnAwaitedPriceReadAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.shop.visible = 3 * time.Second
		w.engine.Config.Settle = 2 * time.Minute // it would look late by itself
		skus := w.stock(1)
		w.apply("bat_a", "19.00", skus...)
		w.pump(10 * time.Second)
		if b := w.batch("bat_a"); b.Counts[Accepted] != 1 {
			t.Fatalf("%v, want the price accepted and awaited", b.Counts)
		}
		if err := w.engine.Bell.Notice(t.Context(), seller, conn, de, skus[0]); err != nil {
			t.Fatal(err)
		}
		w.pump(20 * time.Second)
		if b := w.batch("bat_a"); b.State != Done || b.Counts[Observed] != 1 {
			t.Errorf("batch %s with %v, want it observed by the notice", b.State, b.Counts)
		}
	})
}
