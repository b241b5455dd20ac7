package lane

import (
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/internal/store/memory"
)

// correct applies a batch of one offer that goes before all others, as the API
// does, without its doorbell.
func (w *world) correct(batch, to string, priority int, sku price.SKU) {
	w.t.Helper()
	c, err := NewOffers(w.db).Find(w.t.Context(), seller, offer(sku))
	if err != nil {
		w.t.Fatal(err)
	}
	w.plans["plan-"+batch] = []Row{{Line: 1, Marketplace: de, SKU: sku, Version: c.Version, Old: c.Pending, Edit: price.Edit{Set: price.Prices{Our: eur(to)}}}}
	err = NewBatches(w.db, w.blobs).Create(w.t.Context(), seller, NewBatch{ID: batch, Plan: "plan-" + batch, File: "by hand", Actor: "key:test", Strict: true,
		Priority: priority, Now: true, Rows: map[price.ConnectionID]int64{conn: 1}}, w.engine.Bell)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.engine.Activate(w.t.Context(), seller, batch); err != nil {
		w.t.Fatal(err)
	}
}

// sentAt notes when the shop got a price for a SKU.
func (w *world) sentAt() map[price.SKU]time.Time {
	at := map[price.SKU]time.Time{}
	w.shop.script = func(p amazon.Patch, _ int) (bool, error) {
		w.shop.mu.Lock()
		defer w.shop.mu.Unlock()
		at[p.SKU] = w.engine.Clock.Now()
		return true, nil
	}
	return at
}

// A worker that is in the middle of a large batch knows of a correction by its
// next request. What remains is that request, and the next token of Amazon's.
func TestACorrectionWaitsForOneRequestOfABulkBatchAndOneToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(1000)
		at := w.sentAt()
		w.apply("bat_bulk", "19.00", skus...)
		w.stageOnly("bat_bulk")
		w.db.Hook = func(memory.Op) (bool, error) { return true, w.engine.Clock.Sleep(t.Context(), 5*time.Millisecond) }
		done := make(chan struct{})
		go func() { defer close(done); w.pump(10 * time.Minute) }()

		_ = w.engine.Clock.Sleep(t.Context(), 20*time.Second)
		last := skus[999] // waits at the end of the bulk batch
		w.correct("bat_now", "21.00", PriorityEdit, last)
		asked := w.engine.Clock.Now()
		<-done

		inHand, token := 200*time.Millisecond+w.shop.latency, 200*time.Millisecond
		if took := at[last].Sub(asked); took > inHand+token+w.shop.latency+100*time.Millisecond {
			t.Errorf("the correction reached Amazon after %s", took)
		}
		bulk, now := w.batch("bat_bulk"), w.batch("bat_now")
		if now.State != Done || now.Counts[Observed] != 1 {
			t.Errorf("the correction is %s with %v, want it observed", now.State, now.Counts)
		}
		if bulk.State != Done || bulk.Counts[Observed] != 999 || bulk.Counts[Superseded] != 1 {
			t.Errorf("the bulk batch is %s with %v, want 999 observed and 1 superseded", bulk.State, bulk.Counts)
		}
		w.wantPrices("21.00", last)
		if n := w.shop.effects[last]; n != 1 {
			t.Errorf("%d prices were sent for the corrected offer, want the correction only", n)
		}
	})
}

// A worker that has nothing to send while it waits for an answer looks by itself.
func TestACorrectionIsNotSleptThroughByAWaitingWorker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(3)
		at := w.sentAt()
		note := w.shop.script
		w.shop.script = func(p amazon.Patch, n int) (bool, error) {
			if p.SKU == skus[1] {
				_ = w.engine.Clock.Sleep(t.Context(), 8*time.Second)
			}
			return note(p, n)
		}
		w.apply("bat_a", "19.00", skus[:2]...)
		w.stageOnly("bat_a")
		done := make(chan struct{})
		go func() { defer close(done); w.pump(5 * time.Minute) }()
		_ = w.engine.Clock.Sleep(t.Context(), 1500*time.Millisecond)
		w.correct("bat_now", "21.00", PriorityEdit, skus[2])
		asked := w.engine.Clock.Now()
		<-done
		if took := at[skus[2]].Sub(asked); took > listenEvery+500*time.Millisecond {
			t.Errorf("the correction reached Amazon after %s", took)
		}
	})
}

func TestCorrectionsGoBeforeReversalsAndThoseBeforeBulk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(60)
		at := w.sentAt()
		w.apply("bat_bulk", "19.00", skus[:58]...)
		w.stageOnly("bat_bulk")
		w.correct("bat_back", "22.00", PriorityReversal, skus[58])
		w.correct("bat_now", "21.00", PriorityEdit, skus[59])
		w.pump(5 * time.Minute)
		for _, sku := range skus[:58] {
			if at[sku].Before(at[skus[58]]) || at[skus[58]].Before(at[skus[59]]) {
				t.Fatalf("sent: bulk %s, reversal %s, correction %s; want them the other way round", at[sku], at[skus[58]], at[skus[59]])
			}
		}
	})
}

// Activating by hand is only faster: a batch whose maker dies before is found by
// its doorbell.
func TestACorrectionThatWasNotActivatedIsByItsDoorbell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(1)
		w.plans["plan-bat_now"] = []Row{{Line: 1, Marketplace: de, SKU: skus[0], Version: 1, Edit: price.Edit{Set: price.Prices{Our: eur("21.00")}}}}
		err := NewBatches(w.db, w.blobs).Create(t.Context(), seller, NewBatch{ID: "bat_now", Plan: "plan-bat_now", Actor: "key:test",
			Priority: PriorityEdit, Now: true, Rows: map[price.ConnectionID]int64{conn: 1}}, w.engine.Bell)
		if err != nil {
			t.Fatal(err)
		}
		w.pump(time.Minute)
		if b := w.batch("bat_now"); b.State != Done || b.Counts[Observed] != 1 {
			t.Errorf("the correction is %s with %v", b.State, b.Counts)
		}
		if n, err := w.engine.Bell.Sweep(t.Context()); n != 0 || err != nil {
			t.Errorf("the sweep rang %d, %v; want nothing left open", n, err)
		}
	})
}

func TestACallIsNoStopAndNoEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.engine.Bell.call(t.Context(), seller, conn); err != nil {
		t.Fatal(err)
	}
	if stops, err := w.stops().List(t.Context(), seller); err != nil || len(stops) != 0 {
		t.Errorf("stops %v, %v; want none", stops, err)
	}
	if ev := w.events(); len(ev) != 0 {
		t.Errorf("events %v, want none", ev)
	}
}
