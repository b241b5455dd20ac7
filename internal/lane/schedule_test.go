package lane

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

// applyAt is apply for a batch that begins later.
func (w *world) applyAt(batch, to string, at time.Time, skus ...price.SKU) {
	w.t.Helper()
	w.later = at
	w.apply(batch, to, skus...)
	w.later = time.Time{}
}

// minutes lets the scheduler's job run every minute, for a time.
func (w *world) minutes(limit time.Duration) {
	w.t.Helper()
	for end := w.engine.Clock.Now().Add(limit); w.engine.Clock.Now().Before(end); {
		if _, err := w.engine.Bell.Due(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		w.run(time.Minute)
	}
}

func TestAScheduledBatchBeginsAtItsTimeAndNotBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(5)
		at := w.engine.Clock.Now().Add(26 * time.Hour)
		w.applyAt("bat_a", "19.00", at, skus...)
		w.apply("bat_b", "19.50", skus[0]) // in nobody's way meanwhile
		w.minutes(25 * time.Hour)
		if b := w.batch("bat_a"); b.State != Scheduled || !b.At.Equal(at.Truncate(time.Millisecond)) || b.Counts[Desired] != 5 {
			t.Fatalf("batch %s at %s with %v", b.State, b.At, b.Counts)
		}
		w.wantPrices("19.50", skus[0])
		w.minutes(65 * time.Minute)
		// The offer that another batch changed meanwhile is not as the plan saw it:
		// one row in five has moved, which the seller has to see.
		if b := w.batch("bat_a"); b.State != Refused || b.Moved != 1 {
			t.Fatalf("batch %s with %d moved, want it refused for what moved", b.State, b.Moved)
		}
		w.applyAt("bat_c", "19.00", w.engine.Clock.Now().Add(90*time.Second), skus...)
		w.minutes(5 * time.Minute)
		w.wantCounts("bat_c", Counts{Observed: 5})
		if first := w.shop.patches[1]; first.Before(at) {
			t.Errorf("sent at %s, before %s", first, at)
		}
		ev := w.events()
		if ev[ledger.BatchScheduled] != 2 || ev[ledger.BatchCreated] != 3 {
			t.Errorf("%d batches scheduled and %d created", ev[ledger.BatchScheduled], ev[ledger.BatchCreated])
		}
		if page, err := w.db.Query(t.Context(), store.Directory, store.Offers, store.Query{PK: duePK}); err != nil || len(page.Items) != 0 {
			t.Errorf("%d notes of what is due are left, %v", len(page.Items), err)
		}
	})
}

func TestACancelledBatchSendsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(3)
		w.applyAt("bat_a", "19.00", w.engine.Clock.Now().Add(time.Hour), skus...)
		batches := NewBatches(w.db, w.blobs)
		if err := batches.Cancel(t.Context(), "t_somebodyelse", "bat_a", "key:x", w.engine.Clock.Now()); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("another tenant's cancellation: %v", err)
		}
		if err := batches.Cancel(t.Context(), seller, "bat_a", "key:test", w.engine.Clock.Now()); err != nil {
			t.Fatal(err)
		}
		w.minutes(2 * time.Hour)
		if b := w.batch("bat_a"); b.State != Refused || b.Reason != "cancelled before its time by key:test" || len(w.shop.patches) != 0 {
			t.Errorf("batch %s (%s), %d patches", b.State, b.Reason, len(w.shop.patches))
		}
		w.apply("bat_b", "19.00", skus...)
		w.run(2 * time.Minute)
		if err := batches.Cancel(t.Context(), seller, "bat_b", "key:test", w.engine.Clock.Now()); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a batch that has begun: %v", err)
		}
	})
}

func TestABatchThatCouldNotBeginInTimeExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(3)
		w.applyAt("bat_a", "19.00", w.engine.Clock.Now().Add(time.Hour), skus...)
		_ = w.engine.Clock.Sleep(context.Background(), time.Hour+startWithin+time.Minute) // nobody was there
		w.minutes(5 * time.Minute)
		if b := w.batch("bat_a"); b.State != Refused || !strings.Contains(b.Reason, "could not within 30m0s") || len(w.shop.patches) != 0 {
			t.Errorf("batch %s (%s), %d patches", b.State, b.Reason, len(w.shop.patches))
		}
	})
}

// TestAClockThatIsBehindLosesNoBatch: the scheduler rings by its own clock, once.
func TestAClockThatIsBehindLosesNoBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.applyAt("bat_a", "19.00", w.engine.Clock.Now().Add(time.Hour), w.stock(2)...)
		_ = w.engine.Clock.Sleep(t.Context(), time.Hour-2*time.Minute)
		ahead := w.engine.Bell
		ahead.Now = func() time.Time { return w.engine.Clock.Now().Add(3 * time.Minute) }
		if n, err := ahead.Due(t.Context()); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		w.pump(time.Second)
		if b := w.batch("bat_a"); b.State != Scheduled {
			t.Fatalf("batch %s", b.State)
		}
		for range 5 {
			if _, err := w.engine.Bell.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.run(time.Minute)
		}
		w.wantCounts("bat_a", Counts{Observed: 2})
	})
}

func TestAnEarlyDoorbellStartsNoScheduledBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.applyAt("bat_a", "19.00", w.engine.Clock.Now().Add(time.Hour), w.stock(2)...)
		for range 2 {
			if err := w.engine.Bell.Ring(t.Context(), Doorbell{Kind: KindApply, Tenant: seller, Batch: "bat_a"}, 0); err != nil {
				t.Fatal(err)
			}
		}
		w.minutes(30 * time.Minute)
		if b := w.batch("bat_a"); b.State != Scheduled {
			t.Fatalf("batch %s", b.State)
		}
		w.minutes(35 * time.Minute)
		w.wantCounts("bat_a", Counts{Observed: 2})
	})
}
