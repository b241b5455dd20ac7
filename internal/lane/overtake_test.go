package lane

import (
	"testing"
	"testing/synctest"
	"time"
)

// A price of a bulk batch is announced when the same offer is corrected by hand.
// The correction goes first; the older price must not follow it.
func TestACorrectionIsNotOverwrittenByWhatWasAnnouncedBeforeIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(25)
		w.apply("bat_bulk", "19.00", skus...)
		w.stageOnly("bat_bulk")
		done := make(chan struct{})
		go func() { defer close(done); w.pump(10 * time.Minute) }()
		_ = w.engine.Clock.Sleep(t.Context(), time.Second)
		w.correct("bat_now", "21.00", PriorityEdit, skus[22])
		<-done
		bulk, now := w.batch("bat_bulk"), w.batch("bat_now")
		if now.Counts[Observed] != 1 || bulk.Counts[Observed] != 24 || bulk.Counts[Superseded] != 1 {
			t.Errorf("the correction is %v, the bulk batch %v; want one row superseded by one observed", now.Counts, bulk.Counts)
		}
		w.wantPrices("21.00", skus[22])
		if n := w.shop.effects[skus[22]]; n != 1 {
			t.Errorf("%d prices were sent for the corrected offer, want the correction only", n)
		}
	})
}
