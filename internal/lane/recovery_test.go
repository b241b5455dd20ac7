package lane

import (
	"context"
	"errors"
	"net/http"
	"pricemanager/internal/amazon"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store/memory"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A worker dies at every single write it makes, before and after its effect.
// Each time another one takes over, and every price is set exactly once.
func TestAWorkerMayDieAtAnyWrite(t *testing.T) {
	t.Parallel()
	writes := dieAtWrite(t, 1_000_000, false)
	if writes < 15 {
		t.Fatalf("only %d writes were made: the test proves nothing", writes)
	}
	for n := range writes {
		for _, after := range []bool{false, true} {
			dieAtWrite(t, n+1, after)
		}
	}
}

// dieAtWrite applies a batch of 4 rows with a worker that dies at its n-th
// write, before or after its effect, and returns how many writes it made.
func dieAtWrite(t *testing.T, n int, after bool) (writes int) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(4)
		w.apply("bat_a", "19.00", skus...)
		writes = w.dieAt(n, after, skus, func(ctx context.Context) bool {
			messages := w.queue.Receive(1, 6*time.Minute)
			if len(messages) == 0 {
				return false
			}
			d, _ := ParseDoorbell(messages[0].Body)
			_, _ = w.engine.Handle(ctx, d)
			return true
		}, func() {
			// Nobody rings any more but the sweep, every minute.
			for range 8 {
				_ = w.engine.Clock.Sleep(t.Context(), time.Minute)
				if _, err := w.engine.Bell.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.pump(time.Minute)
			}
		})
	})
	return writes
}

// dieAt has step done, with the context of a worker that dies at its n-th write,
// before or after its effect, until it is dead or step reports that there is
// nothing left. After rest, others have brought batch bat_a to its end at 19.00:
// every price was changed once and told once. It returns how many writes the
// worker made.
func (w *world) dieAt(n int, after bool, skus []price.SKU, step func(context.Context) bool, rest func()) (writes int) {
	w.t.Helper()
	var mu sync.Mutex
	dead := false
	ctx, kill := context.WithCancel(w.t.Context())
	defer kill()
	w.db.Hook = func(memory.Op) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		if dead {
			return false, context.Canceled // a dead process writes nothing
		}
		if writes++; writes == n {
			dead = true
			kill()
			return after, context.Canceled
		}
		return true, nil
	}
	for ctx.Err() == nil && step(ctx) {
		continue
	}
	synctest.Wait()
	w.db.Hook = nil
	rest()
	if b := w.batch("bat_a"); b.State != Done || b.Counts[Observed] != int64(len(skus)) {
		w.t.Fatalf("died at write %d (after its effect: %t): batch %s with %v, feeds %+v", n, after, b.State, b.Counts, b.Feeds)
	}
	w.wantPrices("19.00", skus...)
	for sku, k := range w.shop.effects {
		if k != 1 {
			w.t.Errorf("died at write %d (after its effect: %t): %s was changed %d times", n, after, sku, k)
		}
	}
	ev := w.events()
	for _, typ := range []ledger.Type{ledger.ChangeDesired, ledger.ChangeObserved} {
		if ev[typ] != len(skus) {
			w.t.Errorf("died at write %d (after its effect: %t): %d events %s, want %d", n, after, ev[typ], typ, len(skus))
		}
	}
	return writes
}

func TestALostAnswerIsReadBackBeforeAnythingIsSentAgain(t *testing.T) {
	t.Parallel()
	lost := &amazon.Error{Op: "patchListingsItem", Reached: true, Err: errors.New("connection reset")}
	for name, c := range map[string]struct {
		effect bool
		sends  int
	}{"took effect": {true, 1}, "had no effect": {false, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				skus := w.stock(3)
				w.shop.script = func(p amazon.Patch, n int) (bool, error) {
					if p.SKU == skus[1] && n == 1 {
						return c.effect, lost
					}
					return true, nil
				}
				w.apply("bat_a", "19.00", skus...)
				w.pump(10 * time.Minute)
				if b := w.batch("bat_a"); b.Counts[Observed] != 3 {
					t.Fatalf("%v, want 3 observed", b.Counts)
				}
				if n := w.shop.calls[skus[1]]; n != c.sends {
					t.Errorf("sent %d times, want %d", n, c.sends)
				}
				if n := w.shop.effects[skus[1]]; n != 1 {
					t.Errorf("%d effects, want exactly 1", n)
				}
			})
		})
	}
}

// The seller authorises again at the very moment at which a worker is about to
// park the lane: it must not end up parked.
func TestALaneFreedWhileItIsBeingParkedGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		refused := false
		w.shop.script = func(amazon.Patch, int) (bool, error) {
			if refused {
				return true, nil
			}
			refused = true
			return false, &amazon.Error{Op: "token", Status: http.StatusBadRequest, Code: "invalid_grant"}
		}
		w.books.onRenew = func() {
			if err := w.engine.Bell.RequestImport(t.Context(), seller, conn); err != nil {
				t.Error(err)
			}
		}
		w.apply("bat_a", "19.00", w.stock(3)...)
		w.pump(5 * time.Minute)
		if b := w.batch("bat_a"); b.State != Done || b.Counts[Observed] != 3 {
			t.Errorf("batch %s with %v, want 3 observed", b.State, b.Counts)
		}
	})
}

// An answer is lost, and a newer price of the same offer is wanted: it waits
// until the lost request can no longer be on the wire.
func TestANewerPriceWaitsForARequestThatMayBeOnTheWire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(1)
		start := w.engine.Clock.Now()
		w.shop.script = func(_ amazon.Patch, n int) (bool, error) {
			if n == 1 {
				w.apply("bat_b", "18.00", skus[0])
				return false, &amazon.Error{Op: "patchListingsItem", Reached: true, Err: errors.New("cut")}
			}
			return true, nil
		}
		w.apply("bat_a", "19.00", skus...)
		w.pump(10 * time.Minute)
		if b := w.batch("bat_b"); b.State != Done || b.Counts[Observed] != 1 {
			t.Fatalf("newer batch %s with %v, want it observed", b.State, b.Counts)
		}
		w.wantPrices("18.00", skus...)
		if wait := w.shop.patches[1].Sub(start); wait < w.engine.Config.withDefaults().SendDeadline {
			t.Errorf("the newer price was sent after %s, while the lost request could still be on the wire", wait)
		}
	})
}

func TestTwoWorkersNeverDriveOneLane(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(60)
		w.apply("bat_a", "19.00", skus...)
		w.stageOnly("bat_a")
		done := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := w.engine.Drive(t.Context(), seller, conn)
				done <- err
			}()
		}
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		w.pump(5 * time.Minute)
		for _, sku := range skus {
			if w.shop.effects[sku] != 1 {
				t.Errorf("%s was changed %d times", sku, w.shop.effects[sku])
			}
		}
		if w.shop.refused > 0 {
			t.Errorf("two workers spent the budget at once: %d refused", w.shop.refused)
		}
	})
}

// A worker that could not look up its lane's work must not report the lane as
// done: with the marker gone, one lost message would leave the work for ever.
func TestALookUpThatFailsLeavesTheLaneOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(2)
		w.apply("bat_a", "19.00", skus...)
		failed := false
		w.db.Hook = func(op memory.Op) (bool, error) {
			if op.Kind == memory.Update && op.Writes[0].Key == workKey(conn, "bat_a") && !failed {
				failed = true
				return false, errors.New("throttled")
			}
			return true, nil
		}
		for range 2 { // the apply job, then the lane
			for _, m := range w.queue.Receive(1, 6*time.Minute) {
				d, _ := ParseDoorbell(m.Body)
				_, _ = w.engine.Handle(t.Context(), d)
				w.queue.Delete(m.ID) // and the message is lost
			}
		}
		if !failed {
			t.Fatal("the look-up did not fail: the test proves nothing")
		}
		for range 3 {
			_ = w.engine.Clock.Sleep(t.Context(), time.Minute)
			if _, err := w.engine.Bell.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.pump(time.Minute)
		}
		if b := w.batch("bat_a"); b.State != Done {
			t.Fatalf("batch %s with %v", b.State, b.Counts)
		}
		w.wantPrices("19.00", skus...)
	})
}
