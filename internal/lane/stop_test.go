package lane

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
)

func (w *world) stops() Stops { return Stops{DB: w.db, Bell: w.engine.Bell} }

func TestAStopTakesEffectWithinOneRequest(t *testing.T) {
	t.Parallel()
	for _, stop := range []Stop{
		{Scope: ScopeGlobal}, {Scope: ScopeTenant}, {Scope: ScopeConnection, ID: string(conn)},
		{Scope: ScopeMarketplace, ID: string(de)}, {Scope: ScopeBatch, ID: "bat_a"},
	} {
		t.Run(stop.Name(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				skus := w.stock(60)
				stop.Actor, stop.Reason = "key:test", "a wrong price is live"
				sent, late := 0, 0
				var standsSince time.Time
				var mu sync.Mutex
				w.shop.script = func(amazon.Patch, int) (bool, error) {
					mu.Lock()
					defer mu.Unlock()
					if !standsSince.IsZero() {
						late++
					}
					if sent++; sent == 20 {
						if err := w.stops().Set(t.Context(), seller, stop); err != nil {
							t.Error(err)
						}
						standsSince = w.engine.Clock.Now()
					}
					return true, nil
				}
				w.apply("bat_a", "19.00", skus...)
				w.pump(2 * time.Minute)
				if late > 1 {
					t.Errorf("%d requests after the stop, want at most the one in hand", late)
				}
				if b := w.batch("bat_a"); b.State != Sending || b.Counts[Observed] > 21 {
					t.Fatalf("stopped batch is %s with %v", b.State, b.Counts)
				}
				if err := w.stops().Lift(t.Context(), seller, "key:test", stop); err != nil {
					t.Fatal(err)
				}
				mu.Lock()
				standsSince = time.Time{}
				mu.Unlock()
				w.pump(5 * time.Minute)
				if b := w.batch("bat_a"); b.State != Done || b.Counts[Observed] != 60 {
					t.Errorf("after the stop was lifted: batch %s with %v, want 60 observed", b.State, b.Counts)
				}
				for sku, n := range w.shop.effects {
					if n != 1 {
						t.Errorf("%s was changed %d times", sku, n)
					}
				}
				if ev := w.events(); stop.Scope != ScopeGlobal && (ev[ledger.StopSet] != 1 || ev[ledger.StopLifted] != 1) {
					t.Errorf("events %v, want the stop set and lifted once", ev)
				}
			})
		})
	}
}

func TestAStopOfOneMarketplaceLetsTheOthersGoOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(30)
		if err := w.stops().Set(t.Context(), seller, Stop{Scope: ScopeMarketplace, ID: string(fr), Actor: "key:test"}); err != nil {
			t.Fatal(err)
		}
		w.apply("bat_a", "19.00", skus...)
		w.pump(2 * time.Minute)
		if b := w.batch("bat_a"); b.State != Done || b.Counts[Observed] != 30 {
			t.Errorf("batch %s with %v: Germany was stopped with France", b.State, b.Counts)
		}
	})
}

// A lane that has only stopped rows must not spin: it sleeps until it is rung.
func TestAStoppedLaneIsQuiet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if err := w.stops().Set(t.Context(), seller, Stop{Scope: ScopeTenant, Actor: "key:test"}); err != nil {
			t.Fatal(err)
		}
		w.apply("bat_a", "19.00", w.stock(30)...)
		before := w.queue.Sent()
		w.pump(time.Hour)
		if n := w.queue.Sent() - before; n > 8 {
			t.Errorf("%d doorbells in an hour of standing still", n)
		}
		if len(w.shop.patches) != 0 {
			t.Errorf("%d patches were sent", len(w.shop.patches))
		}
	})
}

func TestStopsAreNamedByScopeAndID(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]error{
		"tenant": nil, "global": nil, "batch.bat_a": nil, "marketplace." + string(de): nil,
		"tenant.x": ErrScope, "batch": ErrScope, "party": ErrScope, "": ErrScope, "connection.a.b": ErrScope,
	} {
		if _, err := ParseStop(name); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
	}
}

func TestAStopIsTheTenantsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if err := w.stops().Set(t.Context(), "t_somebodyelse", Stop{Scope: ScopeTenant, Actor: "key:x"}); err != nil {
			t.Fatal(err)
		}
		if list, err := w.stops().List(t.Context(), seller); err != nil || len(list) != 0 {
			t.Errorf("another tenant's stop is listed: %v, %v", list, err)
		}
		err := w.stops().Lift(t.Context(), seller, "key:test", Stop{Scope: ScopeTenant})
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("lifting another tenant's stop: %v, want not found", err)
		}
		w.apply("bat_a", "19.00", w.stock(1)[0])
		w.pump(time.Minute)
		if b := w.batch("bat_a"); b.State != Done {
			t.Errorf("another tenant's stop holds us: %s", b.State)
		}
	})
}
