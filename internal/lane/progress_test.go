package lane

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// slowDB takes a while for each write of an offer, and after so many it is gone.
type slowDB struct {
	store.DB
	w      *world
	writes chan struct{} // one for each write that still works; nil for no end
}

var errGone = errors.New("the process died")

func (d slowDB) Update(ctx context.Context, t tenant.ID, tab store.Table, k store.Key, u store.Update) (store.Item, error) {
	if _, ok := parseOfferKey(k); ok {
		if err := d.w.engine.Clock.Sleep(ctx, 10*time.Millisecond); err != nil {
			return store.Item{}, err
		}
		if d.writes != nil {
			select {
			case <-d.writes:
			default:
				return store.Item{}, errGone
			}
		}
	}
	return d.DB.Update(ctx, t, tab, k, u)
}

// A batch that takes longer than a slice is staged in several runs. Each goes on
// where the one before got to, also when that died, and the batch tells how far
// it is; nothing counts before all of it does.
func TestALargeBatchIsStagedInRunsAndTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const n = 2*rowsPerChunk + 700
		skus := w.stock(n)
		w.engine.Config.Slice = time.Second // a chunk takes 1.6 s
		w.engine.Config.FeedFrom = 2 * n
		w.apply("bat_a", "19.00", skus...)
		w.queue.Receive(1, 24*time.Hour) // delivered by hand below
		_ = w.engine.Clock.Sleep(t.Context(), time.Second)
		w.put(skus[10], price.Prices{Our: eur("21.00")}) // moves: it will be held
		staged := func(want, held int64, state BatchState) {
			t.Helper()
			b := w.batch("bat_a")
			if b.State != state || b.Staged != want || b.Counts[Held] != held || b.Counts[Desired] != n-held || b.Counts.Total() != n {
				t.Fatalf("%s, %d staged of %v; want %s, %d staged and %d held", b.State, b.Staged, b.Counts, state, want, held)
			}
		}
		run := func(writes int) error {
			d := slowDB{DB: w.db, w: w}
			if writes > 0 {
				d.writes = make(chan struct{}, writes)
				for range writes {
					d.writes <- struct{}{}
				}
			}
			w.engine.DB = d
			return w.engine.Apply(t.Context(), seller, "bat_a")
		}
		staged(0, 0, Staging)
		if err := run(0); err != nil {
			t.Fatal(err)
		}
		staged(rowsPerChunk, 1, Staging)
		if err := run(1_000); !errors.Is(err, errGone) {
			t.Fatalf("the run died with %v", err)
		}
		staged(rowsPerChunk, 1, Staging)
		if err := run(0); err != nil {
			t.Fatal(err)
		}
		staged(2*rowsPerChunk, 1, Staging)
		if err := run(0); err != nil {
			t.Fatal(err)
		}
		staged(0, 1, Sending)
	})
}
