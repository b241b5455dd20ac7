package virtual

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

var query = fakeamazon.Query{}

func TestAHugeBatchOfOneConnectionDoesNotSlowAnother(t *testing.T) {
	alone := waits(t, 0)
	beside := waits(t, scale(5_000, 100_000))
	change := beside.Seconds()/alone.Seconds() - 1
	if math.Abs(change) >= 0.10 {
		t.Errorf("p95 wait changed by %.1f %% (%s to %s), want less than 10 %%", change*100, alone, beside)
	}
	measured(t, "fairnessP95Change", change)
	measured(t, "waitP95Seconds", alone.Seconds())
}

// waits returns the 95th percentile of the time from apply to Amazon over small
// batches of one connection, while another one has a batch of so many rows.
func waits(t *testing.T, rows int) (p95 time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		// The lane is at rest again before the next batch comes.
		batches, size := scale(4, 12), 40
		w.connect("small", batches*size)
		w.connect("huge", rows)
		w.lag()
		w.start()
		if rows > 0 {
			w.apply("bat_huge", "19.00", 0, map[price.ConnectionID]int64{"huge": int64(rows)})
		}
		asked := map[price.SKU]time.Time{}
		for b := range batches {
			for i := range size {
				asked[sku(b*size+i)] = w.clock.Now()
			}
			w.apply(fmt.Sprintf("bat_%02d", b), "19.00", b*size, map[price.ConnectionID]int64{"small": int64(size)})
			_ = w.clock.Sleep(t.Context(), 31*time.Second)
		}
		w.finish(fmt.Sprintf("bat_%02d", batches-1), 10*time.Minute)
		w.halt()
		w.clean()
		var all []time.Duration
		for _, r := range w.patches("small") {
			all = append(all, r.Time.Sub(asked[r.SKU]))
		}
		if len(all) != batches*size {
			t.Fatalf("%d prices were sent, want %d", len(all), batches*size)
		}
		if rows > 0 && len(w.patches("huge")) < batches*31*4 {
			t.Errorf("the huge batch hardly ran: %d patches", len(w.patches("huge")))
		}
		slices.Sort(all)
		p95 = all[len(all)*95/100]
	})
	return p95
}

// The application's budgets over all sellers (Listings Items API rate limits).
const appPatches, appReads = 500, 100

func TestManyBusyConnectionsKeepTheApplicationsBudgetAndShareItFairly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const lanes = 120
		warm, span := 11*time.Second, time.Duration(scale(6, 60))*time.Second
		rows := int((warm + span + time.Second).Seconds()) * 9 / 2
		conns := map[price.ConnectionID]int64{}
		for i := range lanes {
			c := price.ConnectionID(fmt.Sprintf("c%03d", i))
			w.connect(c, rows)
			conns[c] = int64(rows)
		}
		w.lag()
		w.start()
		for c, n := range conns { // all at once: the burst
			w.apply("bat_"+string(c), "19.00", 0, map[price.ConnectionID]int64{c: n})
		}
		_ = w.clock.Sleep(t.Context(), warm)
		from := w.clock.Now()
		_ = w.clock.Sleep(t.Context(), span/2)
		w.deploy()
		_ = w.clock.Sleep(t.Context(), span/2)
		to := w.clock.Now()
		w.halt()
		w.clean()
		perLane := map[string]float64{}
		total, reads := 0.0, 0.0
		for _, r := range w.amazon.Requests(query) {
			if r.Time.Before(from) || !r.Time.Before(to) {
				continue
			}
			switch r.Op {
			case "patchListingsItem":
				perLane[r.Seller]++
				total++
			case "searchListingsItems", "getListingsItem":
				reads++
			}
		}
		sum, squares := 0.0, 0.0
		for c := range conns {
			x := perLane[sellerOf(c)]
			sum += x
			squares += x * x
		}
		jain := sum * sum / (lanes * squares)
		if jain < 0.98 {
			t.Errorf("Jain's index is %.4f, want at least 0.98", jain)
		}
		rate := total / span.Seconds()
		least := 0.95 * appPatches
		if !full() { // a deployment weighs more in a short time
			least = 0.7 * appPatches
		}
		if rate < least || rate > appPatches*1.01 {
			t.Errorf("%.1f patches a second, want about %d", rate, appPatches)
		}
		if r := reads / span.Seconds(); r > appReads {
			t.Errorf("%.1f reads a second, want at most %d", r, appReads)
		}
		measured(t, "jain", jain)
		// What a change costs while invocations are full. Only those that were sent
		// count, although some of the time went into reading back as well.
		sent := float64(len(w.patches("")))
		measured(t, "lanesPerInvocation", float64(w.rung.Load()+w.adopted.Load())/float64(w.invoked.Load()))
		measured(t, "busyLambdaMsPerMillion", perMillion(float64(w.billed.Load()), sent))
		measured(t, "appPatchesPerSecond", rate)
		measured(t, "appReadsPerSecond", reads/span.Seconds())
		measured(t, "appMaxPerSecondWindow", float64(mostPerSecond(w.patches(""))))
	})
}
