package lane

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestQuantilesBoundWhatWasMeasured(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		took := rapid.SliceOfN(rapid.Int64Range(1, int64(time.Hour)), 1, 200).Draw(t, "took")
		percent := rapid.Int64Range(1, 100).Draw(t, "percent")
		var d delays
		for _, x := range took {
			d.add(time.Duration(x))
		}
		q := d.quantile(percent)
		var within int64
		for _, x := range took {
			if time.Duration(x) <= q {
				within++
			}
		}
		if within*100 < int64(len(took))*percent {
			t.Fatalf("p%d is %s, but only %d of %d are within", percent, q, within, len(took))
		}
		if d.count() != int64(len(took)) {
			t.Fatalf("%d counted of %d", d.count(), len(took))
		}
	})
}

func TestTimeToLiveIsMeasuredAndKeptPerMarketplace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.apply("bat_a", "19.00", w.stock(120)...)
		w.pump(5 * time.Minute)
		got, err := Visibilities(t.Context(), w.db, seller)
		if err != nil || len(got) != 1 || got[0].Marketplace != de || got[0].Measured != 120 {
			t.Fatalf("%+v, %v; want 120 measurements of Germany", got, err)
		}
		if got[0].Median < w.shop.visible || got[0].P99 > 3*w.shop.visible {
			t.Errorf("median %s, p99 %s for prices that take %s to show", got[0].Median, got[0].P99, w.shop.visible)
		}
		if other, err := Visibilities(t.Context(), w.db, "t_somebodyelse"); err != nil || len(other) != 0 {
			t.Errorf("another tenant sees %v, %v", other, err)
		}
	})
}
