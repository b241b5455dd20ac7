package lane

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

func TestEveryPriceOfABatchIsSentAtAmazonsPaceAndObserved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(300)
		start := w.engine.Clock.Now()
		w.apply("bat_a", "19.00", skus...)
		w.pump(5 * time.Minute)
		b := w.batch("bat_a")
		if b.State != Done || b.Counts[Observed] != 300 || b.Counts.Total() != 300 {
			t.Fatalf("batch %s with %v, want done with 300 observed", b.State, b.Counts)
		}
		w.wantPrices("19.00", skus...)
		for sku, n := range w.shop.effects {
			if n != 1 {
				t.Errorf("%s was changed %d times", sku, n)
			}
		}
		if w.shop.refused > 0 {
			t.Errorf("Amazon refused %d calls, the pace was wrong", w.shop.refused)
		}
		if most := w.mostPerSecond(); most > 10 {
			t.Errorf("%d patches in one second, want at most rate + burst = 10", most)
		}
		if d := w.shop.patches[len(w.shop.patches)-1].Sub(start); d > 300/5*time.Second+2*time.Second {
			t.Errorf("the last patch went out after %s, want at most N/5 s + 2 s", d)
		}
		ev := w.events()
		for _, typ := range []ledger.Type{ledger.ChangeDesired, ledger.ChangeSent, ledger.ChangeAccepted, ledger.ChangeObserved} {
			if ev[typ] != 300 {
				t.Errorf("%d events %s, want 300", ev[typ], typ)
			}
		}
	})
}

// A fresh worker has no access token yet. Getting one takes longer than a token
// of Amazon's budget, and nothing may pile up behind it.
func TestCallsDoNotPileUpBehindTheFirstOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.shop.token = 3 * time.Second
		w.apply("bat_a", "19.00", w.stock(40)...)
		w.pump(5 * time.Minute)
		if b := w.batch("bat_a"); b.State != Done || b.Counts[Observed] != 40 {
			t.Errorf("batch %s with %v, want 40 observed", b.State, b.Counts)
		}
		if w.shop.refused != 0 {
			t.Errorf("Amazon refused %d calls as over its budget", w.shop.refused)
		}
	})
}

func TestTheLaneIsLeftEmptyAndSweepFindsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.apply("bat_a", "19.00", w.stock(3)...)
		w.pump(5 * time.Minute)
		if n, err := w.engine.Bell.Sweep(t.Context()); err != nil || n != 0 {
			t.Errorf("sweep rang %d lanes, %v; want none", n, err)
		}
	})
}

func TestAPriceThatNeverShowsEndsUnconfirmed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(3)
		w.shop.script = func(p amazon.Patch, _ int) (bool, error) { return p.SKU != skus[1], nil }
		w.apply("bat_a", "19.00", skus...)
		w.pump(10 * time.Minute)
		b := w.batch("bat_a")
		if b.State != Done || b.Counts[Observed] != 2 || b.Counts[Unconfirmed] != 1 {
			t.Fatalf("batch %s with %v, want 2 observed and 1 unconfirmed", b.State, b.Counts)
		}
		if n := w.shop.calls[skus[1]]; n != 1 {
			t.Errorf("an accepted price was sent %d times, want once", n)
		}
		rows, _, err := NewBatches(w.db, w.blobs).Report(t.Context(), seller, "bat_a", "", ReportPage, "")
		if err != nil || rows[1].State != Unconfirmed || rows[1].Issue == "" {
			t.Errorf("report row %+v, %v; want unconfirmed with what to do", rows[1], err)
		}
	})
}

func TestOutcomesAreFollowed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err   error
		state State
		sends int
	}{
		"a bad request rejects the change": {&amazon.Error{Status: http.StatusBadRequest, Code: "InvalidInput"}, Rejected, 1},
		"a throttled call is sent again":   {&amazon.Error{Status: http.StatusTooManyRequests, Code: "QuotaExceeded"}, Observed, 2},
		"a refused connection is retried":  {&amazon.Error{Err: errors.New("refused")}, Observed, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				skus := w.stock(1)
				w.shop.script = func(_ amazon.Patch, n int) (bool, error) {
					if n == 1 {
						return false, c.err
					}
					return true, nil
				}
				w.apply("bat_a", "19.00", skus...)
				w.pump(5 * time.Minute)
				if b := w.batch("bat_a"); b.State != Done || b.Counts[c.state] != 1 {
					t.Errorf("batch %s with %v, want 1 %s", b.State, b.Counts, c.state)
				}
				if n := w.shop.calls[skus[0]]; n != c.sends {
					t.Errorf("sent %d times, want %d", n, c.sends)
				}
			})
		})
	}
}

func TestARevokedConnectionParksTheLaneAndLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		revoked := true
		w.shop.script = func(amazon.Patch, int) (bool, error) {
			if revoked {
				return false, &amazon.Error{Op: "token", Status: http.StatusBadRequest, Code: "invalid_grant"}
			}
			return true, nil
		}
		skus := w.stock(30)
		w.apply("bat_a", "19.00", skus...)
		w.pump(10 * time.Minute)
		if n, _ := w.engine.Bell.Sweep(t.Context()); n != 0 {
			t.Errorf("the sweep rang a parked lane")
		}
		if w.books.renew == "" {
			t.Error("the connection was not marked for re-authorisation")
		}
		revoked = false
		if err := w.engine.Bell.RequestImport(t.Context(), seller, conn); err != nil {
			t.Fatal(err)
		}
		w.pump(10 * time.Minute)
		if b := w.batch("bat_a"); b.State != Done || b.Counts[Observed] != 30 {
			t.Errorf("after re-authorisation: batch %s with %v", b.State, b.Counts)
		}
		ev := w.events()
		if ev[ledger.LaneParked] != 1 || ev[ledger.LaneResumed] != 1 {
			t.Errorf("events %v, want the lane parked and resumed once", ev)
		}
	})
}

func TestRefusedCredentialsOfOursStopEverybodyAndLoseNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var refused atomic.Bool
		refused.Store(true)
		var calls atomic.Int64
		w.shop.script = func(amazon.Patch, int) (bool, error) {
			calls.Add(1)
			if refused.Load() {
				return false, &amazon.Error{Op: "token", Status: http.StatusUnauthorized, Code: "invalid_client"}
			}
			return true, nil
		}
		w.apply("bat_a", "19.00", w.stock(30)...)
		w.pump(20 * time.Minute)
		stops, err := w.stops().List(t.Context(), "t_somebodyelse")
		if err != nil || len(stops) != 1 || stops[0].Scope != ScopeGlobal {
			t.Fatalf("stops of another tenant: %v, %v; want the global one", stops, err)
		}
		if n := calls.Load(); n > 2 {
			t.Errorf("%d calls with refused credentials", n)
		}
		refused.Store(false)
		if err := w.stops().Lift(t.Context(), store.Directory, "operator:ann", Stop{Scope: ScopeGlobal}); err != nil {
			t.Fatal(err)
		}
		w.pump(10 * time.Minute)
		if b := w.batch("bat_a"); b.State != Done || b.Counts[Observed] != 30 {
			t.Errorf("batch %s with %v, want 30 observed", b.State, b.Counts)
		}
	})
}

func TestANewerBatchSupersedesWhatWasNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(200)
		w.apply("bat_a", "19.00", skus...)
		// Stage and commit both before any lane runs.
		w.stageOnly("bat_a")
		w.apply("bat_b", "18.00", skus[50:150]...)
		w.stageOnly("bat_b")
		w.pump(10 * time.Minute)
		a, b := w.batch("bat_a"), w.batch("bat_b")
		if a.State != Done || a.Counts[Observed] != 100 || a.Counts[Superseded] != 100 {
			t.Errorf("first batch %s with %v, want 100 observed and 100 superseded", a.State, a.Counts)
		}
		if b.State != Done || b.Counts[Observed] != 100 {
			t.Errorf("second batch %s with %v, want 100 observed", b.State, b.Counts)
		}
		w.wantPrices("18.00", skus[50:150]...)
		w.wantPrices("19.00", skus[:50]...)
		for _, sku := range skus {
			if w.shop.effects[sku] != 1 {
				t.Errorf("%s was changed %d times, want once", sku, w.shop.effects[sku])
			}
		}
		if n := w.events()[ledger.ChangeSuperseded]; n != 100 {
			t.Errorf("%d superseded events, want 100", n)
		}
	})
}

// stageOnly applies a batch without driving its lane.
func (w *world) stageOnly(id string) {
	w.t.Helper()
	if err := w.engine.Apply(w.t.Context(), seller, id); err != nil {
		w.t.Fatal(err)
	}
}

func TestABatchIsRefusedWhenOffersMovedAfterThePlan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		moved int
		state BatchState
		sent  int
	}{"one in a hundred is held": {1, Done, 99}, "two in a hundred refuse it": {2, Refused, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				skus := w.stock(100)
				w.apply("bat_a", "19.00", skus...)
				for _, sku := range skus[:c.moved] {
					_ = w.engine.Clock.Sleep(t.Context(), time.Second)
					w.put(sku, price.Prices{Our: eur("25.00")})
				}
				w.pump(5 * time.Minute)
				b := w.batch("bat_a")
				if b.State != c.state || len(w.shop.patches) != c.sent {
					t.Fatalf("batch %s (%s), %d sent; want %s, %d", b.State, b.Reason, len(w.shop.patches), c.state, c.sent)
				}
				w.wantPrices("25.00", skus[:c.moved]...)
			})
		})
	}
}

func TestAGuardTightenedAfterTheApplyHoldsAtSendTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(5)
		w.apply("bat_a", "19.00", skus...)
		tight := price.DefaultGuards()
		tight.HoldDropPercent = 1
		w.engine.Guards = func(context.Context, tenant.ID) (GuardSet, error) { return tight, nil }
		w.pump(5 * time.Minute)
		if b := w.batch("bat_a"); b.Counts[Held] != 5 || len(w.shop.patches) != 0 {
			t.Errorf("%v and %d sent, want all 5 held", b.Counts, len(w.shop.patches))
		}
	})
}

func TestTheCatalogueIsImported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 45 {
			w.shop.listings[de][price.SKU("D"+string(rune('0'+i/10))+string(rune('0'+i%10)))] = &shelf{now: price.Prices{Our: eur("5.00")}}
		}
		w.shop.listings[fr]["with,comma"] = &shelf{now: price.Prices{Our: eur("6.00"), Min: eur("5.00")}}
		if err := w.engine.Bell.RequestImport(t.Context(), seller, conn); err != nil {
			t.Fatal(err)
		}
		w.pump(5 * time.Minute)
		if w.books.imported != 46 {
			t.Fatalf("%d offers imported, want 46", w.books.imported)
		}
		views, next, err := NewOffers(w.db).Page(t.Context(), seller, conn, "", "", 100)
		if err != nil || len(views) != 46 || next != "" {
			t.Fatalf("%d offers listed (next %q), %v; want 46", len(views), next, err)
		}
		o := offer("with,comma")
		o.Marketplace = fr
		got, err := NewOffers(w.db).Offers(t.Context(), seller, []price.OfferKey{o})
		if err != nil || got[o].Known.Min == nil || *got[o].Known.Min != *eur("5.00") || got[o].ReadAt.IsZero() {
			t.Errorf("offer %+v, %v; want its minimum and when it was read", got[o], err)
		}
		if n := w.events()[ledger.OfferImported]; n != 46 {
			t.Errorf("%d imported events, want 46", n)
		}
	})
}

func TestAnImportAskedForWhileOneEndsIsDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.shop.listings[de]["A"] = &shelf{now: price.Prices{Our: eur("5.00")}}
		w.books.onDone = func() {
			w.shop.listings[de]["B"] = &shelf{now: price.Prices{Our: eur("6.00")}}
			if err := w.engine.Bell.RequestImport(t.Context(), seller, conn); err != nil {
				t.Error(err)
			}
		}
		if err := w.engine.Bell.RequestImport(t.Context(), seller, conn); err != nil {
			t.Fatal(err)
		}
		w.pump(5 * time.Minute)
		if w.books.imports != 2 || w.books.imported != 2 {
			t.Errorf("%d imports, the last of %d offers; want 2 of 2", w.books.imports, w.books.imported)
		}
	})
}

func TestAPriceChangedOutsideIsNoticedAndNotOverwrittenSilently(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(1)
		w.apply("bat_a", "19.00", skus...)
		w.pump(5 * time.Minute)
		w.apply("bat_b", "18.00", skus...) // planned on 19.00
		w.put(skus[0], price.Prices{Our: eur("25.00")})
		w.pump(5 * time.Minute)
		if b := w.batch("bat_b"); b.State != Refused {
			t.Errorf("a batch planned on the old price is %s, want refused", b.State)
		}
		w.wantPrices("25.00", skus...)
		views, _, err := NewOffers(w.db).Page(t.Context(), seller, conn, "", "", 10)
		if err != nil || len(views) != 1 || views[0].Drift == nil || *views[0].Drift.Our != *eur("19.00") || views[0].DriftAt.IsZero() {
			t.Fatalf("%+v, %v; want the drift from 19.00", views, err)
		}
		if n := w.events()[ledger.OfferDrifted]; n != 1 {
			t.Errorf("%d drift events, want 1", n)
		}
		w.apply("bat_c", "24.00", skus...) // planned on what it is now
		w.pump(5 * time.Minute)
		views, _, err = NewOffers(w.db).Page(t.Context(), seller, conn, "", "", 10)
		if err != nil || views[0].Drift != nil {
			t.Errorf("%+v, %v; our own change ends the drift", views, err)
		}
	})
}

func TestAnotherTenantsBatchIsNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply("bat_a", "19.00", w.stock(1)...)
	_, err := NewBatches(w.db, w.blobs).Get(t.Context(), "t_somebodyelse", "bat_a")
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want not found", err)
	}
	if _, _, err := NewBatches(w.db, w.blobs).Report(t.Context(), "t_somebodyelse", "bat_a", "", ReportPage, ""); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want not found", err)
	}
}
