//go:build bench

package virtual

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/test/fakeamazon"
)

// The other tests count units with the memory backend's model of DynamoDB. These
// two prove the model against DynamoDB Local, which answers every call with what
// it consumed, indexes included. It has three gaps, and where it reports less the
// model may be above it: it reports nothing of a write that fails its condition
// and nothing of a transaction that is cancelled (these are charged here by the
// documentation, from the items as they are), and it calls a condition check of
// an item that does not exist, a query that finds nothing and a key of a batch
// that is not there free, which DynamoDB does not.

// This is the batch of TestAChangeCostsWhatIsPromised.
func TestUnitsConsumedByAChangeAreWhatIsPromised(t *testing.T) {
	server := startDynamo(t)
	both := newTwin(t, server)
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOver(t, 7, both.over)
		const n = 1000
		w.connect("one", n)
		both.book, both.lagging = book{}, true
		w.oneBatch(n)
		both.book.check(t)
		all, changes := both.book.sum("", ""), float64(n)
		if u := float64(all.consumed().Write) / changes; u > mostWriteUnits {
			t.Errorf("%.2f write units consumed a change, want at most %d", u, mostWriteUnits)
		}
		measured(t, "consumedWriteUnitsPerChange", float64(all.consumed().Write)/changes)
		measured(t, "consumedReadUnitsPerChange", float64(all.consumed().Read)/changes)
		measured(t, "writeModelExcess", excess(all.modelled.Write, all.consumed().Write))
		measured(t, "readModelExcess", excess(all.modelled.Read, all.consumed().Read))
	})
}

func TestUnitsOfTheModelAreNeverBelowWhatIsConsumed(t *testing.T) {
	server := startDynamo(t)
	both := newTwin(t, server)
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOver(t, 7, both.over)
		w.tolerant = true // two workers that stage one batch get in each other's way
		const n = 300
		all, half := map[price.ConnectionID]int64{}, map[price.ConnectionID]int64{}
		for _, c := range []price.ConnectionID{"one", "two", "three"} {
			w.connect(c, n)
			all[c], half[c] = int64(n), int64(n/2)
			// Answers that are lost after the effect and refusals: prices in doubt.
			for _, f := range []fakeamazon.Fault{
				{Kind: fakeamazon.CutAfter, Op: "patchListingsItem", Seller: sellerOf(c), Skip: 7, Times: 3},
				{Kind: fakeamazon.Answer, Op: "patchListingsItem", Seller: sellerOf(c), Status: 500, Skip: 20, Times: 3},
				{Kind: fakeamazon.Answer, Op: "searchListingsItems", Seller: sellerOf(c), Status: 503, Times: 2},
			} {
				if _, err := w.amazon.AddFault(f); err != nil {
					t.Fatal(err)
				}
			}
		}
		both.lagging = true
		w.audit()
		w.audit() // two readers of one stream meet at the ledger's end
		w.start()
		w.apply("bat_first", "19.00", 0, all)
		// Every doorbell is rung twice more, so that workers meet at the lease.
		again := func(batch string) {
			for range 2 {
				w.ring(lane.Doorbell{Kind: lane.KindApply, Tenant: owner, Batch: batch})
				for c := range all {
					w.ring(lane.Doorbell{Kind: lane.KindLane, Tenant: owner, Connection: c})
				}
			}
		}
		again("bat_first")
		_ = w.clock.Sleep(t.Context(), 10*time.Second)
		w.deploy() // leaves intents behind
		again("bat_first")
		w.edited = true
		w.apply("bat_second", "18.50", n/4, half) // supersedes what was not sent
		again("bat_second")
		w.settled("bat_first", "bat_second")
		_ = w.clock.Sleep(t.Context(), 5*time.Second)
		w.halt()
		// A lane's only transaction commits a batch, and two workers hardly ever do
		// that at once.
		batch := store.Key{PK: "rough", SK: "batch"}
		err := both.Transact(t.Context(),
			store.Write{Tenant: owner, Table: store.Offers, Put: &store.Item{Key: batch, Attrs: map[string]any{"b": make([]byte, 3000)}}},
			store.Write{Tenant: owner, Table: store.Ledger, Key: batch, Check: true, If: []store.Cond{store.Exists()}})
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("a transaction that cannot be: %v", err)
		}
		both.book.check(t)
		for _, need := range []line{{kind: "put", outcome: "failed"}, {kind: "update", outcome: "failed"}, {kind: "transact", outcome: "done"}, {kind: "transact", outcome: "failed"}} {
			if both.book.sum(need.kind, need.outcome).calls == 0 {
				t.Errorf("no %s %s: the comparison shows nothing of them", need.kind, need.outcome)
			}
		}
		sum := both.book.sum("", "")
		measured(t, "roughCallsCompared", float64(sum.calls))
		measured(t, "roughWriteModelExcess", excess(sum.modelled.Write, sum.consumed().Write))
		measured(t, "roughFailedWriteUnits", float64(both.book.sum("", "failed").ruled.Write))
	})
}

// ring delivers a doorbell that nobody needs.
func (w *world) ring(d lane.Doorbell) {
	w.t.Helper()
	if err := w.engine.Bell.Ring(w.t.Context(), d, 0); err != nil {
		w.t.Fatal(err)
	}
}

// settled waits until the batches are done, whatever became of their rows.
func (w *world) settled(batches ...string) {
	w.t.Helper()
	end := w.clock.Now().Add(2 * time.Hour)
	for _, id := range batches {
		for {
			b, err := lane.NewBatches(w.data, w.blobs).Get(w.t.Context(), owner, id)
			if err != nil || w.clock.Now().After(end) {
				w.t.Errorf("batch %s is %s with %v: %v", id, b.State, b.Counts, err)
				return
			}
			if b.State == lane.Done {
				w.t.Logf("%s: %v", id, b.Counts)
				break
			}
			_ = w.clock.Sleep(w.t.Context(), 2*time.Second)
		}
	}
}
