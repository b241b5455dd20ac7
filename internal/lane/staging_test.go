package lane

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// A batch waits for another one while it is rung for again and again, by the
// sweep for one. The doorbells must not add up.
func TestTheDoorbellsOfAWaitingBatchDoNotAddUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(1)
		w.apply("bat_a", "19.00", skus...)
		if ok, err := w.engine.stage(t.Context(), seller, "bat_a", conn, w.plans["plan-bat_a"][0]); !ok || err != nil {
			t.Fatalf("staged %t, %v", ok, err)
		}
		w.queue.Receive(1, 24*time.Hour) // the doorbell of bat_a is lost
		w.apply("bat_b", "18.00", skus...)
		for range 5 {
			if err := w.engine.Apply(t.Context(), seller, "bat_b"); err != nil {
				t.Fatal(err)
			}
		}
		sent, end := 0, w.engine.Clock.Now().Add(30*time.Second)
		for at, ok := w.queue.Next(); ok && !at.After(end); at, ok = w.queue.Next() {
			w.pump(at.Sub(w.engine.Clock.Now()))
			sent++
		}
		if sent < 10 || sent > 20 {
			t.Errorf("%d doorbells in 30 seconds, want one every two", sent)
		}
		for _, id := range []string{"bat_a", "bat_b"} {
			if err := w.engine.Apply(t.Context(), seller, id); err != nil {
				t.Fatal(err)
			}
		}
		w.pump(10 * time.Minute)
		if a, b := w.batch("bat_a"), w.batch("bat_b"); a.State != Done || b.State != Done {
			t.Errorf("batches %s and %s, want both done", a.State, b.State)
		}
		w.wantPrices("18.00", skus...)
	})
}

// noStop refuses to keep the global stop, as often as it is told to.
type noStop struct {
	store.DB
	times *int
}

func (n noStop) Put(ctx context.Context, t tenant.ID, tab store.Table, it store.Item, conds ...store.Cond) error {
	if it.PK == stopPK && *n.times > 0 {
		*n.times--
		return store.ErrThrottled
	}
	return n.DB.Put(ctx, t, tab, it, conds...)
}

// Amazon refuses our credentials, and the stop that says so cannot be written.
// The lane must not park: lifting the stop, which another lane set, frees none.
func TestALaneThatCannotStopEverythingIsFreedLikeAllOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		times, refused := 1, true
		w.engine.DB = noStop{w.db, &times}
		w.shop.script = func(amazon.Patch, int) (bool, error) {
			if refused {
				return false, &amazon.Error{Op: "token", Status: http.StatusUnauthorized, Code: "invalid_client"}
			}
			return true, nil
		}
		skus := w.stock(3)
		w.apply("bat_a", "19.00", skus...)
		w.pump(time.Minute)
		if times != 0 {
			t.Fatal("nobody tried to stop everything")
		}
		refused = false
		if err := w.stops().Lift(t.Context(), store.Directory, "operator", Stop{Scope: ScopeGlobal}); err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		w.pump(30 * time.Minute)
		if b := w.batch("bat_a"); b.State != Done || b.Counts[Observed] != 3 {
			t.Errorf("batch %s with %v, want 3 observed", b.State, b.Counts)
		}
		w.wantPrices("19.00", skus...)
	})
}
