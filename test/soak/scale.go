package soak

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"sort"
	"sync"
	"time"
)

// OpsPerSeed is how long the history of one seed is: about 12,000 changes.
const OpsPerSeed = 300

// RunMany plays one seed after the other, workers of them at a time, until their
// histories have so many changes together, and adds them up. The first that
// breaks a promise ends it. The same seed and number give the same sum. progress
// is told after each history.
func RunMany(o Options, changes int64, workers int, progress func(changes int64, since time.Duration)) Result {
	begun := time.Now()
	m := many{seed: o.Seed, changes: changes, done: map[uint64]Result{}}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				n, ok := m.take()
				if !ok {
					return
				}
				o := o
				o.Seed = n
				m.add(n, Run(o))
				m.mu.Lock()
				if progress != nil {
					progress(m.sofar, time.Since(begun))
				}
				m.mu.Unlock()
			}
		})
	}
	wg.Wait()
	sum := m.sum()
	sum.Seconds = time.Since(begun).Seconds()
	return sum
}

type many struct {
	mu      sync.Mutex
	seed    uint64
	changes int64
	next    uint64
	sofar   int64
	failed  bool
	done    map[uint64]Result
}

func (m *many) take() (uint64, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed || m.sofar >= m.changes {
		return 0, false
	}
	m.next++
	return m.seed + m.next - 1, true
}

func (m *many) add(seed uint64, r Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done[seed] = r
	m.sofar += r.Changes
	m.failed = m.failed || !r.OK
}

// sum adds up the histories in the order of their seeds, as many as are needed.
func (m *many) sum() Result {
	sum := Result{OK: true, Seed: m.seed, States: map[string]int64{}, Batches: map[string]int64{}, Faults: map[Fault]int64{}, Consequences: map[Fault]int64{}}
	h := fnv.New64a()
	for n := range m.next {
		r, ok := m.done[m.seed+n]
		if !ok || (sum.Changes >= m.changes && r.OK) {
			continue
		}
		sum.add(r)
		fmt.Fprint(h, r.HistoryHash)
		if !r.OK {
			sum.OK, sum.Seed, sum.Breaches = false, r.Seed, r.Breaches
			break
		}
	}
	if sum.OK && sum.Changes > 100_000 && sum.Observed*100 < sum.Changes*80 {
		sum.OK, sum.Breaches = false, []string{"fewer than 80 % of the changes were observed"}
	}
	for _, f := range injected {
		// A million changes are to meet every kind of fault often.
		if n := sum.Faults[f]; sum.OK && sum.Changes >= 1_000_000 && n <= 1000 {
			sum.OK, sum.Breaches = false, []string{fmt.Sprintf("%s came up only %d times", f, n)}
		}
	}
	for _, f := range []Fault{LeaseLost, Swept, Tripped} {
		sum.Consequences[f] = sum.Faults[f]
		delete(sum.Faults, f)
	}
	sum.HistoryHash = fmt.Sprintf("%016x", h.Sum64())
	return sum
}

func (r *Result) add(o Result) {
	r.Changes += o.Changes
	r.Observed += o.Observed
	r.Unconfirmed += o.Unconfirmed
	r.ScriptedNonApplications += o.ScriptedNonApplications
	r.GuardViolations += o.GuardViolations
	r.DuplicateEffects += o.DuplicateEffects
	r.LostChanges += o.LostChanges
	r.WrongFinalPrices += o.WrongFinalPrices
	r.MissingEvents += o.MissingEvents
	r.DuplicateEvents += o.DuplicateEvents
	r.StaleWrites += o.StaleWrites
	r.StaleSends += o.StaleSends
	r.StopViolations += o.StopViolations
	r.LostHandOvers += o.LostHandOvers
	r.Ledgers += o.Ledgers
	r.Canary.Planted += o.Canary.Planted
	r.Canary.Scanned += o.Canary.Scanned
	r.Canary.Found += o.Canary.Found
	r.OverBudget += o.OverBudget
	r.Adopted += o.Adopted
	for k, n := range o.States {
		r.States[k] += n
	}
	for k, n := range o.Batches {
		r.Batches[k] += n
	}
	for k, n := range o.Faults {
		r.Faults[k] += n
	}
}

// Shrink looks for the fewest operations with which a seed still breaks a
// promise, and returns that history.
func Shrink(o Options) (Result, int) {
	ops := cmp.Or(o.Ops, OpsPerSeed)
	broken := func(n int) bool { o.Ops = n; return !Run(o).OK }
	n := 1 + sort.Search(ops-1, func(n int) bool { return broken(n + 1) })
	o.Trace = true
	if !broken(n) { // breaks are not always monotonous; the whole history has one
		n = ops
	}
	o.Ops = n
	return Run(o), n
}
