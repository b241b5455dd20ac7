package lane

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
)

// lanes gives connections c00, c01 ... each a batch of so many rows that is
// committed, with no doorbell left in the queue. The shop meters them as one
// seller, so its budget is lifted.
func (w *world) lanes(n, rows int) (conns []price.ConnectionID) {
	w.t.Helper()
	w.shop.unmetered = true
	for i := range n {
		c := price.ConnectionID(fmt.Sprintf("c%02d", i))
		conns = append(conns, c)
		var planned []Row
		for j := range rows {
			sku := price.SKU(fmt.Sprintf("%s-%04d", c, j))
			w.shop.listings[de][sku] = &shelf{now: price.Prices{Our: eur("20.00")}}
			key := price.OfferKey{Connection: c, Marketplace: de, SKU: sku}
			err := NewOffers(w.db).Learn(w.t.Context(), seller, Read{Key: key, Prices: price.Prices{Our: eur("20.00")}, Begun: w.engine.Clock.Now()})
			if err != nil {
				w.t.Fatal(err)
			}
			planned = append(planned, Row{N: int64(j), Line: j + 2, Marketplace: de, SKU: sku, Version: 1, Edit: price.Edit{Set: price.Prices{Our: eur("19.00")}}})
		}
		batch := "bat_" + string(c)
		w.plans["plan-"+batch] = planned
		err := NewBatches(w.db, w.blobs).Create(w.t.Context(), seller, NewBatch{ID: batch, Plan: "plan-" + batch, Actor: "key:test",
			Rows: map[price.ConnectionID]int64{c: int64(rows)}}, w.engine.Bell)
		if err != nil {
			w.t.Fatal(err)
		}
		w.stageOnly(batch)
	}
	w.lose()
	return conns
}

// lose drops every doorbell in the queue.
func (w *world) lose() {
	for _, m := range w.queue.Receive(100, time.Hour) {
		w.queue.Delete(m.ID)
	}
}

// rung runs an invocation for the doorbells of some lanes, and returns the lanes
// it adopted.
func (w *world) rung(conns ...price.ConnectionID) (adopted []price.ConnectionID) {
	w.t.Helper()
	calls := make([]func(), len(conns))
	for i, c := range conns {
		calls[i] = func() {
			if _, err := w.engine.Handle(w.t.Context(), Doorbell{Kind: KindLane, Tenant: seller, Connection: c}); err != nil {
				w.t.Errorf("%s: %v", c, err)
			}
		}
	}
	w.engine.Crew(w.t.Context(), calls, func(_ context.Context, a Adopted) {
		if a.Err != nil {
			w.t.Errorf("adopted %s: %v", a.Doorbell.Connection, a.Err)
		}
		adopted = append(adopted, a.Doorbell.Connection)
	})
	return adopted
}

// fence is how often a lane was opened.
func (w *world) fence(c price.ConnectionID) int64 {
	w.t.Helper()
	it, err := w.db.Get(w.t.Context(), seller, store.Offers, laneKey(c))
	if err != nil {
		w.t.Fatal(err)
	}
	return it.Int(aFence)
}

func (w *world) wantOnce(rows int) {
	w.t.Helper()
	if len(w.shop.effects) != rows {
		w.t.Errorf("%d offers were changed, want %d", len(w.shop.effects), rows)
	}
	for sku, n := range w.shop.effects {
		if n != 1 {
			w.t.Errorf("%s was changed %d times", sku, n)
		}
	}
}

func TestTheDoorbellsOfAnInvocationAreAnsweredSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		conns := w.lanes(5, 50)
		begun := w.engine.Clock.Now()
		if adopted := w.rung(conns...); len(adopted) > 0 {
			t.Errorf("adopted %v, want none: they all had doorbells", adopted)
		}
		if took := w.engine.Clock.Now().Sub(begun); took > 20*time.Second {
			t.Errorf("five lanes of 50 prices took %s, want little more than the 10 s of one", took)
		}
		w.wantOnce(250)
	})
}

func TestALaneWhoseDoorbellWasLostIsAdopted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		conns := w.lanes(2, 150)
		adopted := w.rung(conns[0])
		if !slices.Equal(adopted, conns[1:]) {
			t.Errorf("adopted %v, want %v", adopted, conns[1:])
		}
		if b := w.batch("bat_c01"); b.State != Done || b.Counts[Observed] != 150 {
			t.Errorf("the adopted lane's batch is %s with %v", b.State, b.Counts)
		}
		w.wantOnce(300)
		// Its doorbell comes after all.
		before := w.engine.Clock.Now()
		w.rung(conns[1])
		if took := w.engine.Clock.Now().Sub(before); took > 0 {
			t.Errorf("the late doorbell kept a worker for %s", took)
		}
		w.wantOnce(300)
	})
}

func TestADoorbellThatComesWhileItsLaneIsAdoptedChangesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		conns := w.lanes(2, 150)
		var late sync.WaitGroup
		late.Go(func() {
			_ = w.engine.Clock.Sleep(t.Context(), 20*time.Second)
			if !w.engine.driving(Doorbell{Tenant: seller, Connection: conns[1]}) {
				t.Error("the lane is not being driven")
			}
			begun := w.engine.Clock.Now()
			w.rung(conns[1])
			if took := w.engine.Clock.Now().Sub(begun); took > 0 {
				t.Errorf("the doorbell kept its worker for %s", took)
			}
		})
		w.rung(conns[0])
		late.Wait()
		if n := w.fence(conns[1]); n != 1 {
			t.Errorf("the lane was opened %d times, want once", n)
		}
		w.wantOnce(300)
	})
}

func TestAnInvocationDrivesNoMoreLanesThanItMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		conns := w.lanes(9, 150)
		var most atomic.Int64
		w.shop.script = func(amazon.Patch, int) (bool, error) {
			n := int64(0)
			w.engine.inHand.Range(func(any, any) bool { n++; return true })
			if n > most.Load() {
				most.Store(n)
			}
			return true, nil
		}
		if adopted := w.rung(conns[:2]...); len(adopted) < 3 {
			t.Errorf("adopted %v, want three at least", adopted)
		}
		if n := most.Load(); n != 5 {
			t.Errorf("%d lanes at a time, want 5", n)
		}
	})
}

// Two invocations that look for lanes at the same time may choose the same one:
// the lease decides.
func TestTwoInvocationsShareTheOpenLanes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		conns := w.lanes(8, 150)
		other := newWorld(t)
		other.engine.DB, other.engine.Blobs, other.engine.Listings, other.engine.Bell = w.db, w.blobs, w.shop, w.engine.Bell
		other.engine.NewOwner = func() string { return fmt.Sprintf("other-%d", other.owners.Add(1)) }
		var adopted []price.ConnectionID
		var both sync.WaitGroup
		both.Go(func() { adopted = append(adopted, other.rung(conns[1])...) })
		mine := w.rung(conns[0])
		both.Wait()
		if all := len(adopted) + len(mine); all != 6 || len(adopted) == 0 || len(mine) == 0 {
			t.Errorf("adopted %v and %v, want the six others between them", mine, adopted)
		}
		w.wantOnce(8 * 150)
	})
}

// Lanes that others drive stay open for hours. They must not keep a lane from
// being found that nobody drives.
func TestBusyLanesDoNotHideOneThatNobodyDrives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		conns := w.lanes(3*lanesPerLook, 1)
		for _, c := range conns[1 : len(conns)-1] {
			if _, _, err := acquire(t.Context(), w.db, seller, c, "somebody", w.engine.Clock.Now(), time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		last := conns[len(conns)-1:]
		var adopted []price.ConnectionID
		w.engine.Crew(t.Context(), []func(){func() { _ = w.engine.Clock.Sleep(t.Context(), 45*time.Second) }}, func(_ context.Context, a Adopted) {
			adopted = append(adopted, a.Doorbell.Connection)
		})
		if !slices.Contains(adopted, last[0]) {
			t.Errorf("adopted %v, want %v among them", adopted, last)
		}
	})
}

func TestAnInvocationEndsWithItsLastLane(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		begun := w.engine.Clock.Now()
		w.engine.Crew(t.Context(), []func(){func() { _ = w.engine.Clock.Sleep(t.Context(), time.Second) }}, nil)
		if took := w.engine.Clock.Now().Sub(begun); took != time.Second {
			t.Errorf("it took %s, want the second of its call", took)
		}
	})
}

// The wait of a lane ends while another is driven: it is taken on the second,
// and its own doorbell, which comes a little later, finds it held.
func TestAWaitingLaneIsAdoptedWhenItsTimeComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.shop.visible = 40 * time.Second
		conns := w.lanes(2, 1)
		var due, taken time.Time
		for due.Sub(w.engine.Clock.Now()) < lookEvery { // so that it is not due before the first look
			_ = w.engine.Clock.Sleep(t.Context(), due.Sub(w.engine.Clock.Now()))
			if _, err := w.engine.Drive(t.Context(), seller, conns[1]); err != nil {
				t.Fatal(err)
			}
			it, err := w.db.Get(t.Context(), seller, store.Offers, laneKey(conns[1]))
			if err != nil {
				t.Fatal(err)
			}
			due = it.Time(aWaitUntil)
		}
		w.db.Hook = func(op memory.Op) (bool, error) {
			if u := op.Writes[0].Update; u != nil && op.Writes[0].Key == laneKey(conns[1]) && u.Add[aFence] == 1 && taken.IsZero() {
				taken = w.engine.Clock.Now()
			}
			return true, nil
		}
		w.lose()
		other := w.more(conns[0], 200)
		adopted := w.rung(conns[0])
		if !slices.Contains(adopted, conns[1]) {
			t.Errorf("adopted %v, want %s", adopted, conns[1])
		}
		if late := taken.Sub(due); late < 0 || late > time.Second {
			t.Errorf("the lane was taken at %s, %s after it was due", taken, late)
		}
		if b := w.batch("bat_c01"); b.State != Done {
			t.Errorf("the waiting lane's batch is %s", b.State)
		}
		w.wantOnce(2 + other)
	})
}

// more gives a lane another batch.
func (w *world) more(c price.ConnectionID, rows int) int {
	w.t.Helper()
	batch := "bat_more_" + string(c)
	var planned []Row
	for j := range rows {
		sku := price.SKU(fmt.Sprintf("%s-more-%04d", c, j))
		w.shop.listings[de][sku] = &shelf{now: price.Prices{Our: eur("20.00")}}
		key := price.OfferKey{Connection: c, Marketplace: de, SKU: sku}
		err := NewOffers(w.db).Learn(w.t.Context(), seller, Read{Key: key, Prices: price.Prices{Our: eur("20.00")}, Begun: w.engine.Clock.Now()})
		if err != nil {
			w.t.Fatal(err)
		}
		planned = append(planned, Row{N: int64(j), Line: j + 2, Marketplace: de, SKU: sku, Version: 1, Edit: price.Edit{Set: price.Prices{Our: eur("19.00")}}})
	}
	w.plans["plan-"+batch] = planned
	err := NewBatches(w.db, w.blobs).Create(w.t.Context(), seller, NewBatch{ID: batch, Plan: "plan-" + batch, Actor: "key:test",
		Rows: map[price.ConnectionID]int64{c: int64(rows)}}, w.engine.Bell)
	if err != nil {
		w.t.Fatal(err)
	}
	w.stageOnly(batch)
	w.lose()
	return rows
}

// Doorbells may come twice, and many people may ring. A lane that only waits is
// opened once its time has come, and not before, whatever arrives meanwhile.
func TestAWaitingLaneIsOpenedAtMostOncePerWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.shop.visible = time.Hour
		w.engine.Config.ConfirmWithin = 10 * time.Minute
		conns := w.lanes(1, 1)
		var waits, opened int64
		w.db.Hook = func(op memory.Op) (bool, error) {
			if u := op.Writes[0].Update; u != nil && op.Writes[0].Key == laneKey(conns[0]) {
				if at, ok := u.Set[aWaitUntil].(int64); ok && time.UnixMilli(at).Sub(w.engine.Clock.Now()) > earlyBy {
					waits++
				}
				opened += u.Add[aFence]
			}
			return true, nil
		}
		// A stray doorbell every second, and somebody who adopts all the time.
		strays := 0
		for ; w.batch("bat_c00").State != Done && strays < 3600; strays++ {
			w.rung(conns[0])
			for _, m := range w.queue.Receive(10, time.Second) {
				w.queue.Delete(m.ID)
				w.rung(conns[0])
			}
			_ = w.engine.Clock.Sleep(t.Context(), time.Second)
		}
		if b := w.batch("bat_c00"); b.State != Done || b.Counts[Unconfirmed] != 1 {
			t.Errorf("batch %s with %v, want 1 unconfirmed", b.State, b.Counts)
		}
		if strays < 300 || waits < 5 || opened > waits+1 {
			t.Errorf("opened %d times in %d waits, with %d stray doorbells", opened, waits, strays)
		}
	})
}
