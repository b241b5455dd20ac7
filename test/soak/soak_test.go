package soak

import "testing"

// A few thousand changes with every kind of mishap: no promise is broken, and
// the same seed gives the same history.
func TestNoPromiseIsBrokenAndOneSeedIsOneHistory(t *testing.T) {
	t.Parallel()
	const seed, ops = 3, 40
	o := Options{Seed: seed, Ops: ops, Offers: 150, Ledger: true}
	first := Run(o)
	for _, b := range first.Breaches {
		t.Error(b)
	}
	if first.Changes < 1000 || first.Observed*100 < first.Changes*75 {
		t.Errorf("%d changes, %d observed: the history proves little", first.Changes, first.Observed)
	}
	if first.Ledgers != first.Changes {
		t.Errorf("the events of %d changes of %d went through the ledger", first.Ledgers, first.Changes)
	}
	if c := first.Canary; c.Planted == 0 || c.Scanned < 1<<20 || c.Found != 0 {
		t.Errorf("canaries: %+v, want some planted and none found in more than 1 MiB", c)
	}
	for _, f := range []Fault{Crash, Freeze, StoreThrottled, BellDoubled, BellLate, ShownLate, SlowAnswer, OverlappingEdit, StopTenant, StopBatch, RecordRepeated} {
		if first.Faults[f] == 0 {
			t.Errorf("fault %s never happened", f)
		}
	}
	again := Run(o)
	if first.HistoryHash != again.HistoryHash || first.Observed != again.Observed {
		t.Errorf("the same seed gave history %s, then %s", first.HistoryHash, again.HistoryHash)
	}
	if other := Run(Options{Seed: seed + 1, Ops: 2, Offers: 150}); other.HistoryHash == first.HistoryHash {
		t.Error("another seed gave the same history")
	}
}

// The sum over many histories does not depend on how many run at a time.
func TestTheSumDoesNotDependOnTheWorkers(t *testing.T) {
	t.Parallel()
	one, two := RunMany(Options{Seed: 50, Ops: 6, Offers: 100}, 300, 1, nil), RunMany(Options{Seed: 50, Ops: 6, Offers: 100}, 300, 2, nil)
	if one.HistoryHash != two.HistoryHash || one.Changes != two.Changes || one.Changes < 300 {
		t.Errorf("one worker: %s with %d changes, two: %s with %d", one.HistoryHash, one.Changes, two.HistoryHash, two.Changes)
	}
}
