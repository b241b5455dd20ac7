package virtual

import (
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/price"
)

// Amazon's budget of a seller, and what is promised of it.
const (
	sellerRate, sellerBurst = 5, 5
	leastUse                = 0.98
)

func TestOneLaneUsesItsBudgetOverHandOversAndNeverMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := scale(350, 2000)
		w.connect("one", n)
		w.lag()
		w.start()
		begun := w.clock.Now()
		w.apply("bat_one", "19.00", 0, map[price.ConnectionID]int64{"one": int64(n)})
		w.finish("bat_one", time.Hour)
		w.halt()
		w.clean()
		sent := w.patches("one")
		if len(sent) != n {
			t.Fatalf("%d patches for %d prices", len(sent), n)
		}
		took := sent[n-1].Time.Sub(begun)
		limit := time.Duration(n)*time.Second/sellerRate + 2*time.Second
		if took > limit {
			t.Errorf("the last price reached Amazon after %s, want at most %s", took, limit)
		}
		// The budget of that time: a full bucket, and its rate since.
		span := sent[n-1].Time.Sub(sent[0].Time).Seconds()
		use := float64(n) / (span*sellerRate + sellerBurst)
		if use < leastUse {
			t.Errorf("%.4f of the budget was used, want at least %.2f", use, leastUse)
		}
		if most := mostPerSecond(sent); most > sellerRate+sellerBurst {
			t.Errorf("%d patches in one second, want at most rate and burst", most)
		}
		if h := w.handed.Load(); h < int64(scale(1, 3)) {
			t.Errorf("the lane was handed over %d times, too few to show anything", h)
		}
		measured(t, "handOvers", float64(w.handed.Load()))
		measured(t, "budgetUse", use)
		measured(t, "secondsPerChange", took.Seconds()/float64(n))
		measured(t, "maxPerSecondWindow", float64(mostPerSecond(sent)))
		measured(t, "T2000", took.Seconds())
		measured(t, "limit2000", limit.Seconds())
	})
}
