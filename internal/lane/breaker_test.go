package lane

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

func reject(code string) error {
	return &amazon.Error{Op: "patchListingsItem", Status: 400, Code: code, Message: "no"}
}

// paused returns the stop of a batch, if it stands.
func (w *world) paused(batch string) (Stop, bool) {
	w.t.Helper()
	list, err := w.stops().List(w.t.Context(), seller)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range list {
		if s.Scope == ScopeBatch && s.ID == batch {
			return s, true
		}
	}
	return Stop{}, false
}

func TestABatchThatGoesWrongIsPausedByItself(t *testing.T) {
	t.Parallel()
	const rows = 400
	for name, c := range map[string]struct {
		script func(w *world, p amazon.Patch, n int) (bool, error) // n counts the calls
		guards func(n int) price.Guards
		says   string
		most   int64 // rows spoilt before it stops, those in hand included
	}{
		"Amazon rejects row after row with one code": {says: "10 rows in a row with code 90220", most: 10 + 5,
			script: func(_ *world, _ amazon.Patch, n int) (bool, error) {
				if n > 50 {
					return false, reject("90220")
				}
				return true, nil
			}},
		"Amazon rejects every fourth row, with many codes": {says: "of the last", most: 20 + 5,
			script: func(_ *world, _ amazon.Patch, n int) (bool, error) {
				if n%4 == 0 {
					return false, reject(fmt.Sprint(n))
				}
				return true, nil
			}},
		"the guards hold everything": {says: "held by the guards", most: 25 + 25,
			guards: func(n int) price.Guards {
				if n < 60 {
					return price.DefaultGuards()
				}
				return price.Guards{RefuseDropPercent: 80}
			}},
		"Amazon takes prices and does not show them": {says: "does not show their prices", most: 30,
			script: func(w *world, _ amazon.Patch, n int) (bool, error) {
				if n == 360 { // the lane is nearly through when the first ones are given up
					w.shop.mu.Lock()
					w.shop.foreign = 4.95
					w.shop.mu.Unlock()
				}
				return n%16 != 0, nil
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				skus := w.stock(rows)
				var calls atomic.Int64
				w.shop.script = func(p amazon.Patch, _ int) (bool, error) {
					n := int(calls.Add(1))
					if c.script == nil {
						return true, nil
					}
					return c.script(w, p, n)
				}
				if c.guards != nil {
					w.engine.Guards = func(context.Context, tenant.ID) (GuardSet, error) { return c.guards(int(calls.Load())), nil }
				}
				w.apply("bat_a", "19.00", skus...)
				w.pump(30 * time.Minute)
				stop, ok := w.paused("bat_a")
				if !ok || stop.Actor != system || !strings.Contains(stop.Reason, c.says) {
					t.Fatalf("stop %+v, want one that says %q; batch %v", stop, c.says, w.batch("bat_a").Counts)
				}
				b := w.batch("bat_a")
				if spoilt := b.Counts[Rejected] + b.Counts[Held] + b.Counts[Unconfirmed]; b.State != Sending || spoilt > c.most {
					t.Errorf("%s with %v, want at most %d rows spoilt", b.State, b.Counts, c.most)
				}
				if ev := w.events(); ev[ledger.StopSet] != 1 {
					t.Errorf("events %v, want one stop", ev)
				}
				// A person has looked and lets it go on: it is not paused for the same
				// rows once more.
				w.shop.mu.Lock()
				w.shop.script, w.shop.foreign = nil, 0
				w.shop.mu.Unlock()
				w.engine.Guards = func(context.Context, tenant.ID) (GuardSet, error) { return price.DefaultGuards(), nil }
				if err := w.stops().Lift(t.Context(), seller, "key:test", stop); err != nil {
					t.Fatal(err)
				}
				w.pump(30 * time.Minute)
				if b := w.batch("bat_a"); b.State != Done || b.Counts.Total() != rows {
					t.Errorf("after the pause: %s with %v", b.State, b.Counts)
				}
				if ev := w.events(); ev[ledger.StopSet] != 1 || ev[ledger.StopLifted] != 1 {
					t.Errorf("events %v, want one stop, lifted", ev)
				}
			})
		})
	}
}

func TestAFewBadRowsPauseNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(600)
		w.shop.script = func(p amazon.Patch, _ int) (bool, error) {
			var n int
			if _, err := fmt.Sscanf(string(p.SKU), "SKU-%d", &n); err != nil {
				t.Error(err)
			}
			switch {
			case n%10 == 3: // a tenth is rejected, all with one code
				return false, reject("90220")
			case n%50 == 7: // and a fiftieth never shows
				return false, nil
			}
			return true, nil
		}
		w.apply("bat_a", "19.00", skus...)
		w.pump(time.Hour)
		if b := w.batch("bat_a"); b.State != Done || b.Counts[Rejected] != 60 || b.Counts[Unconfirmed] != 12 || b.Counts[Observed] != 528 {
			t.Errorf("%s with %v", b.State, b.Counts)
		}
		if ev := w.events(); ev[ledger.StopSet] != 0 {
			t.Errorf("events %v: the batch was paused", ev)
		}
	})
}

// What the breaker has seen goes to the next owner: a batch in a lane that hands
// over often is paused like any other.
func TestAHandOverForgetsNoBadRows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.engine.Config.Slice = 2 * time.Second
		w.shop.script = func(_ amazon.Patch, _ int) (bool, error) { return false, reject("90220") }
		w.apply("bat_a", "19.00", w.stock(100)...)
		w.pump(10 * time.Minute)
		if _, ok := w.paused("bat_a"); !ok || w.batch("bat_a").Counts[Rejected] > 15 {
			t.Errorf("paused: %t, with %v", ok, w.batch("bat_a").Counts)
		}
	})
}

func TestABatchIsPausedAlsoWhenTheFirstWriteOfTheStopFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var failed atomic.Bool
		w.db.Hook = func(op memory.Op) (bool, error) {
			for _, wr := range op.Writes {
				if wr.Put != nil && wr.Put.PK == stopPK && failed.CompareAndSwap(false, true) {
					return false, context.DeadlineExceeded
				}
			}
			return true, nil
		}
		w.shop.script = func(_ amazon.Patch, _ int) (bool, error) { return false, reject("90220") }
		w.apply("bat_a", "19.00", w.stock(100)...)
		w.pump(10 * time.Minute)
		if _, ok := w.paused("bat_a"); !ok || !failed.Load() || w.batch("bat_a").Counts[Rejected] > 25 {
			t.Errorf("paused: %t, a write failed: %t, with %v", ok, failed.Load(), w.batch("bat_a").Counts)
		}
	})
}

// Guards that a seller tightens hold the very next rows, also in the middle of a
// worker's slice; and guards that cannot be read let nothing out.
func TestGuardsChangedInMidDriveHoldWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.engine.Config.Breaker = Breaker{BadPercent: 101, SameCode: 1000}
		var changed atomic.Int64
		w.engine.Guards = func(context.Context, tenant.ID) (GuardSet, error) {
			if changed.Load() != 0 {
				return price.Guards{RefuseDropPercent: 80}, nil
			}
			return price.DefaultGuards(), nil
		}
		w.shop.script = func(_ amazon.Patch, _ int) (bool, error) {
			now := w.engine.Clock.Now()
			if at := changed.Load(); at != 0 && now.UnixMilli()-at > 5200 {
				t.Errorf("a price that the guards hold was sent %d ms after they were changed", now.UnixMilli()-at)
			}
			w.shop.mu.Lock()
			defer w.shop.mu.Unlock()
			if len(w.shop.patches) == 40 {
				changed.Store(now.UnixMilli())
				w.shop.foreign = 4.5 // and the rows announced already would go out slowly
			}
			return true, nil
		}
		w.apply("bat_a", "19.00", w.stock(200)...)
		w.pump(10 * time.Minute)
		if b := w.batch("bat_a"); b.State != Done || b.Counts[Held] < 130 || b.Counts[Observed]+b.Counts[Held] != 200 {
			t.Errorf("%s with %v", b.State, b.Counts)
		}
		if ev := w.events(); int64(ev[ledger.ChangeSent]) > w.batch("bat_a").Counts[Observed]+25 {
			t.Errorf("events %v: rows were announced more than once", ev)
		}
	})
}

func TestGuardsThatCannotBeReadLetNothingOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var until atomic.Int64
		w.engine.Guards = func(context.Context, tenant.ID) (GuardSet, error) {
			if w.engine.Clock.Now().UnixMilli() < until.Load() {
				return price.Guards{}, context.DeadlineExceeded
			}
			return price.DefaultGuards(), nil
		}
		w.shop.script = func(_ amazon.Patch, _ int) (bool, error) {
			now := w.engine.Clock.Now()
			w.shop.mu.Lock()
			defer w.shop.mu.Unlock()
			if len(w.shop.patches) == 40 {
				until.Store(now.Add(2 * time.Minute).UnixMilli())
			}
			if u := time.UnixMilli(until.Load()); now.Before(u) && u.Sub(now) < 2*time.Minute-5200*time.Millisecond {
				t.Errorf("sent although the guards were not readable for %s", 2*time.Minute-u.Sub(now))
			}
			return true, nil
		}
		w.apply("bat_a", "19.00", w.stock(200)...)
		w.pump(10 * time.Minute)
		for range 5 {
			if _, err := w.engine.Bell.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.pump(time.Minute)
		}
		if b := w.batch("bat_a"); b.State != Done || b.Counts[Observed] != 200 {
			t.Errorf("%s with %v", b.State, b.Counts)
		}
	})
}
