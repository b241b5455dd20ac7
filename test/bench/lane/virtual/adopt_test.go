package virtual

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

// Small batches of many sellers spend their time waiting for Amazon to show what
// it took. Their read-backs cost next to nothing where an invocation runs anyway.
func TestWaitingLanesCostLessWhenTheyAreAdopted(t *testing.T) {
	var alone, crewed float64
	var adopted int64
	const seeds = 2 // how the delays fall decides much in one scene
	for seed := range uint64(seeds) {
		one, _ := smallBatches(t, seed+1, 1)
		many, n := smallBatches(t, seed+1, 0)
		alone, crewed, adopted = alone+one/seeds, crewed+many/seeds, adopted+n
	}
	t.Logf("%d lanes were adopted: %.0f ms a change instead of %.0f", adopted, crewed, alone)
	if adopted == 0 || crewed >= alone*0.95 {
		t.Errorf("%d lanes were adopted, %.1f ms a change instead of %.1f: want it to be worth while", adopted, crewed, alone)
	}
	measured(t, "adoptedLambdaMsPerMillion", crewed*1e6)
	measured(t, "notAdoptedLambdaMsPerMillion", alone*1e6)
}

// smallBatches sends batches of 10 prices of many sellers, one a second, beside
// a few large ones, to an Amazon that shows them after 20 s to 40 s. It returns
// the milliseconds that Lambda bills for a change.
func smallBatches(t *testing.T, seed uint64, lanes int) (msPerChange float64, adopted int64) {
	synctest.Test(t, func(t *testing.T) {
		w := newSeededWorld(t, seed)
		w.lanes = lanes
		w.visibility[de] = fakeamazon.Delay{Min: 20 * time.Second, Max: 40 * time.Second}
		w.deploy()
		small, size, busy, rows := scale(40, 150), 10, 4, scale(500, 1000)
		for i := range small {
			w.connect(price.ConnectionID(fmt.Sprintf("s%03d", i)), size)
		}
		for i := range busy {
			w.connect(price.ConnectionID(fmt.Sprintf("b%d", i)), rows)
		}
		w.lag()
		w.start()
		for i := range busy {
			c := price.ConnectionID(fmt.Sprintf("b%d", i))
			w.apply("bat_"+string(c), "19.00", 0, map[price.ConnectionID]int64{c: int64(rows)})
			_ = w.clock.Sleep(t.Context(), 7*time.Second) // as they come, not all together
		}
		for i := range small {
			c := price.ConnectionID(fmt.Sprintf("s%03d", i))
			w.apply("bat_"+string(c), "19.00", 0, map[price.ConnectionID]int64{c: int64(size)})
			_ = w.clock.Sleep(t.Context(), time.Second)
		}
		for i := range small {
			w.finish(fmt.Sprintf("bat_s%03d", i), 10*time.Minute)
		}
		for i := range busy {
			w.finish(fmt.Sprintf("bat_b%d", i), 10*time.Minute)
		}
		w.halt()
		w.clean()
		msPerChange = float64(w.billed.Load()) / float64(small*size+busy*rows)
		adopted = w.adopted.Load()
		t.Logf("%d invocations, %d messages, %d lanes adopted", w.invoked.Load(), w.queue.Sent(), adopted)
	})
	return msPerChange, adopted
}
