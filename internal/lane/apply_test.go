package lane

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Two batches of one offer are applied at the same time. The later one waits
// until the earlier one was committed: whether its row moved must not depend on
// the moment at which a worker looks.
func TestABatchWaitsForAnotherThatIsStagingTheSameOffer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(1)
		w.apply("bat_a", "19.00", skus...)
		if ok, err := w.engine.stage(t.Context(), seller, "bat_a", conn, w.plans["plan-bat_a"][0]); !ok || err != nil {
			t.Fatalf("staged %t, %v", ok, err)
		}
		w.apply("bat_b", "18.00", skus...)
		if err := w.engine.Apply(t.Context(), seller, "bat_b"); err != nil {
			t.Fatal(err)
		}
		if b := w.batch("bat_b"); b.State != Staging || b.Moved != 0 {
			t.Fatalf("batch %s with %d rows moved; want it to wait", b.State, b.Moved)
		}
		w.pump(10 * time.Minute)
		if a, b := w.batch("bat_a"), w.batch("bat_b"); a.State != Done || b.State != Done {
			t.Errorf("batches %s and %s, want both done", a.State, b.State)
		}
		w.wantPrices("18.00", skus...)
	})
}

// A worker stands still while it stages, and goes on when the batch was long
// committed and a newer one has taken an offer over. It must not replace the
// row file, by which the lane works, with what it finds now.
func TestALateWorkerLeavesTheRowFilesOfACommittedBatchAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(3)
		w.apply("bat_a", "19.00", skus...)
		late := w.batch("bat_a")
		w.pump(10 * time.Minute)
		name := chunkName("bat_a", conn, 0)
		before, err := w.blobs.Get(t.Context(), seller, store.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		w.apply("bat_b", "18.00", skus[0])
		w.pump(10 * time.Minute)
		rows := w.plans["plan-bat_a"]
		if err := w.engine.stageChunk(t.Context(), seller, &late, conn, 0, rows); err == nil {
			t.Error("the late worker moved the staging cursor of a committed batch")
		}
		after, err := w.blobs.Get(t.Context(), seller, store.Files, name)
		if err != nil || !bytes.Equal(before, after) {
			t.Errorf("the row file changed from\n%sto\n%s%v", before, after, err)
		}
	})
}

// A staged row that is promoted between a worker's two looks has not moved.
func TestAnOfferThatIsPromotedMeanwhileHasNotMoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(1)
		w.apply("bat_a", "19.00", skus...)
		if err := w.engine.Apply(t.Context(), seller, "bat_a"); err != nil {
			t.Fatal(err)
		}
		w.apply("bat_b", "18.00", skus...)
		// The first conditional write of the stager fails, because bat_a's row is
		// still staged; then a lane promotes it, before the stager looks.
		promoted := false
		db := w.engine.DB
		w.engine.DB = beforeGet{DB: db, key: offerKey(offer(skus[0])), do: func() {
			if promoted {
				return
			}
			promoted = true
			_, err := db.Update(t.Context(), seller, store.Offers, offerKey(offer(skus[0])), store.Update{
				Set: map[string]any{aBatch: "bat_a", aRow: int64(0), aState: string(Accepted),
					aEdit: mustJSON(price.Edit{Set: price.Prices{Our: eur("19.00")}}), aOld: mustJSON(price.Prices{Our: eur("20.00")})},
				Remove: []string{aNextBatch, aNextRow, aNextEdit},
			})
			if err != nil {
				t.Error(err)
			}
		}}
		ok, err := w.engine.stage(t.Context(), seller, "bat_b", conn, w.plans["plan-bat_b"][0])
		if !promoted || !ok || err != nil {
			t.Errorf("promoted %t, staged %t, %v", promoted, ok, err)
		}
	})
}

// A batch is refused because an offer moved. The same file planned again has to
// see today's prices, not those that the refused batch asked for.
func TestWhatARefusedBatchStagedIsNotPending(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(2)
		w.apply("bat_a", "19.00", skus...)
		_ = w.engine.Clock.Sleep(t.Context(), time.Second)
		w.put(skus[1], price.Prices{Our: eur("21.00")}) // moves the second offer
		w.pump(time.Minute)
		if b := w.batch("bat_a"); b.State != Refused {
			t.Fatalf("batch %s, want it refused", b.State)
		}
		known, err := NewOffers(w.db).Offers(t.Context(), seller, []price.OfferKey{offer(skus[0])})
		if err != nil {
			t.Fatal(err)
		}
		if p := known[offer(skus[0])].Known.Our; *p != *eur("20.00") {
			t.Errorf("a new plan sees %s, want 20.00 EUR", p)
		}
		w.apply("bat_b", "19.00", skus...)
		w.pump(10 * time.Minute)
		w.wantPrices("19.00", skus...)
	})
}

// beforeGet does something just before an item is read.
type beforeGet struct {
	store.DB
	key store.Key
	do  func()
}

func (b beforeGet) Get(ctx context.Context, t tenant.ID, tab store.Table, k store.Key) (store.Item, error) {
	if k == b.key {
		b.do()
	}
	return b.DB.Get(ctx, t, tab, k)
}
