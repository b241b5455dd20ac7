package lane

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

// told is what the forecast said at one moment.
type told struct {
	at         time.Time
	sent, seen time.Duration
	rows       map[price.SKU]time.Duration
}

// tell asks the forecast about every row of a batch.
func (w *world) tell(batch string) told {
	w.t.Helper()
	ctx, now := w.t.Context(), w.engine.Clock.Now()
	batches := NewBatches(w.db, w.blobs)
	f, err := batches.Forecast(ctx, seller, w.batch(batch), now, 10*time.Minute)
	if err != nil {
		w.t.Fatal(err)
	}
	out := told{at: now, rows: map[price.SKU]time.Duration{}}
	var ok bool
	if out.sent, out.seen, ok = f.Batch(); !ok {
		w.t.Errorf("the batch waits for %+v", f.Waiting)
	}
	for after := ""; ; {
		rows, next, err := batches.Report(ctx, seller, batch, after, ReportPage, "")
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range rows {
			if seen, _, ok := f.Row(r); ok {
				out.rows[r.SKU] = seen
			} else if !r.State.Terminal() {
				w.t.Errorf("%s is %s and has no time", r.SKU, r.State)
			}
		}
		if next == "" {
			return out
		}
		after = next
	}
}

// observedAt is when each offer was seen at Amazon with its new price.
func (w *world) observedAt() map[price.SKU]time.Time {
	out := map[price.SKU]time.Time{}
	for _, r := range w.db.Records(store.Offers, "") {
		if strings.HasPrefix(r.Key.PK, "offer#") && r.New != nil && r.New.Str(aState) == string(Observed) {
			_, sku, _ := strings.Cut(r.Key.SK, "#")
			out[price.SKU(sku)] = r.At
		}
	}
	return out
}

// off is how far a time told is from the true one, in percent of that. What is a
// few seconds away cannot be told any better than Amazon's delays vary, here by
// two seconds either way.
func off(told, truth time.Duration) float64 {
	far := max(told-truth, truth-told)
	if far <= 3*time.Second {
		return 0
	}
	return 100 * far.Seconds() / truth.Seconds()
}

// Amazon refuses calls again and again, and shows prices sooner or later. An
// older batch is in front. What was told early, half-way and late comes true.
func TestAnETAComesTrue(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ refusals, foreign float64 }{
		"Amazon refuses one call in 200":                {0.005, 0},
		"somebody else uses two fifths of the budget":   {0, 2},
		"somebody else uses three fifths of the budget": {0.01, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				const rows, first = 2000, 200
				skus := w.stock(rows + first)
				w.shop.foreign = c.foreign
				chance := rand.New(rand.NewPCG(7, 7))
				var tolds []told
				taken := 0
				w.shop.script = func(amazon.Patch, int) (bool, error) {
					w.shop.mu.Lock()
					w.shop.visible = 2*time.Second + time.Duration(chance.Int64N(int64(4*time.Second)))
					refused := chance.Float64() < c.refusals
					if !refused {
						taken++
					}
					n := taken - first
					w.shop.mu.Unlock()
					if refused {
						return false, &amazon.Error{Status: http.StatusTooManyRequests, Code: "QuotaExceeded"}
					}
					if n == rows/10 || n == rows/2 || n == rows*9/10 {
						tolds = append(tolds, w.tell("bat_b"))
					}
					return true, nil
				}
				begun := w.engine.Clock.Now()
				w.apply("bat_a", "19.00", skus[:first]...)
				w.apply("bat_b", "19.00", skus[first:]...)
				w.pump(4 * time.Hour)
				if b := w.batch("bat_b"); b.State != Done || b.Counts[Observed] != rows || len(tolds) != 3 {
					t.Fatalf("batch %s with %v after %d looks", b.State, b.Counts, len(tolds))
				}
				truth, last := w.observedAt(), time.Time{}
				for _, sku := range skus[first:] {
					last = later(last, truth[sku])
				}
				lastSent := slices.MaxFunc(w.shop.patches, time.Time.Compare)
				t.Logf("%.2f rows a second, %d calls refused", (rows+first)/lastSent.Sub(begun).Seconds(), w.shop.refused)
				for i, x := range tolds {
					var rows []float64
					for sku, seen := range x.rows {
						rows = append(rows, off(seen, truth[sku].Sub(x.at)))
					}
					slices.Sort(rows)
					p95, sent, seen := rows[len(rows)*95/100], off(x.sent, lastSent.Sub(x.at)), off(x.seen, last.Sub(x.at))
					t.Logf("look %d: %d rows, p95 %.1f %%; last sent %.1f %%, last seen %.1f %% of %s", i, len(rows), p95, sent, seen, last.Sub(x.at))
					if p95 > 15 || sent > 15 || seen > 15 {
						t.Errorf("look %d: rows off by %.1f %% at p95, last sent by %.1f %%, last seen by %.1f %%, want at most 15 %%", i, p95, sent, seen)
					}
				}
			})
		})
	}
}

func TestATailOfDelaysIsWhatIsLeftOfIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var d delays
		for _, ms := range rapid.SliceOfN(rapid.IntRange(1, 600_000), 1, 300).Draw(rt, "took") {
			d.add(time.Duration(ms) * time.Millisecond)
		}
		p := rapid.Int64Range(1, 100).Draw(rt, "percent")
		waited := time.Duration(rapid.IntRange(0, 700_000).Draw(rt, "waited")) * time.Millisecond
		most := d.quantile(100)
		left := d.after(waited, p)
		if left < 0 || waited+left > most && left > 0 {
			rt.Errorf("after %s, %s are left; none took over %s", waited, left, most)
		}
		if whole := d.quantile(p); waited == 0 && left > whole {
			rt.Errorf("%d %% are there after %s, want at most %s", p, left, whole)
		}
		if more := d.after(waited, min(100, p+10)); more < left {
			rt.Errorf("%d %% need %s and more need %s", p, left, more)
		}
	})
}

func TestWhatHasNoETASaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	look := func(t *testing.T, w *world) (*Forecast, []RowReport) {
		t.Helper()
		batches := NewBatches(w.db, w.blobs)
		f, err := batches.Forecast(t.Context(), seller, w.batch("bat_a"), w.engine.Clock.Now(), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		rows, _, err := batches.Report(t.Context(), seller, "bat_a", "", ReportPage, "")
		if err != nil {
			t.Fatal(err)
		}
		return f, rows
	}
	for name, c := range map[string]struct {
		prepare func(t *testing.T, w *world)
		want    Waiting
	}{
		"a lane that waits for the seller": {func(_ *testing.T, w *world) {
			w.shop.script = func(amazon.Patch, int) (bool, error) {
				return false, &amazon.Error{Status: http.StatusForbidden, Code: "Unauthorized"}
			}
		}, Waiting{Kind: WaitAuthorisation, Connection: conn, Reason: "the seller has to authorise the connection again"}},
		"a marketplace that is stopped": {func(t *testing.T, w *world) {
			t.Helper()
			stop := Stop{Scope: ScopeMarketplace, ID: string(de), Actor: "key:test", Reason: "inventory"}
			if err := w.stops().Set(t.Context(), seller, stop); err != nil {
				t.Fatal(err)
			}
		}, Waiting{Kind: WaitStop, Connection: conn, Stop: "marketplace." + string(de), Reason: "inventory"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				skus := w.stock(40)
				c.prepare(t, w)
				w.apply("bat_a", "19.00", skus...)
				w.pump(time.Minute)
				f, rows := look(t, w)
				if len(f.Waiting) != 1 {
					t.Fatalf("the batch waits for %+v, want %+v", f.Waiting, c.want)
				}
				got := f.Waiting[0]
				got.Since = time.Time{}
				if _, _, ok := f.Batch(); ok || got != c.want {
					t.Errorf("a time: %t; waits for %+v, want %+v", ok, got, c.want)
				}
				for _, r := range rows {
					if _, waits, ok := f.Row(r); ok || waits == nil || waits.Kind != c.want.Kind {
						t.Errorf("%s: a time: %t, waits for %+v", r.SKU, ok, waits)
					}
				}
			})
		})
	}
	t.Run("a feed that Amazon is late with", func(t *testing.T) {
		t.Parallel()
		now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
		o := outlook{conn: conn, now: now, rate: 5, expected: now.Add(10 * time.Minute)}
		f := Forecast{lanes: map[price.ConnectionID]*outlook{conn: &o}}
		r := RowReport{Connection: conn, State: Desired}
		if seen, _, ok := f.Row(r); !ok || seen != 10*time.Minute {
			t.Errorf("before it is due: %s, %t", seen, ok)
		}
		o.now = now.Add(11 * time.Minute)
		if _, waits, ok := f.Row(r); ok || waits == nil || waits.Kind != WaitFeed || o.waits(0) == nil {
			t.Errorf("once it is late: a time: %t, waits for %+v", ok, waits)
		}
	})
	t.Run("a batch that is done waits for nothing", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.apply("bat_a", "19.00", w.stock(3)...)
			w.pump(time.Minute)
			f, rows := look(t, w)
			if sent, seen, ok := f.Batch(); !ok || sent != 0 || seen != 0 {
				t.Errorf("%s, %s, %t", sent, seen, ok)
			}
			if _, waits, ok := f.Row(rows[0]); ok || waits != nil {
				t.Errorf("a row at its end: a time: %t, waits for %+v", ok, waits)
			}
		})
	})
}
