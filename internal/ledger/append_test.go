package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/envelope"
	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

func TestRepeatedDeliveryAddsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	batch := entries(start, "offers/p1", 1, 10)
	l := w.log()
	if n := mustAppend(t, l, tenantA, batch); n != 10 {
		t.Fatalf("appended %d, want 10", n)
	}
	if n := mustAppend(t, l, tenantA, batch); n != 0 {
		t.Errorf("the same process appended %d again", n)
	}
	if n := mustAppend(t, w.log(), tenantA, batch); n != 0 {
		t.Errorf("a new process appended %d again", n)
	}
	// A batch that overlaps adds only its new end, and twice in one call is once.
	more := append(entries(start, "offers/p1", 5, 10), entries(start, "offers/p1", 5, 10)...)
	if n := mustAppend(t, w.log(), tenantA, more); n != 4 {
		t.Errorf("overlapping batch appended %d, want 4", n)
	}
}

func TestALateDeliveryIsRecognisedPastManyYoungerAppends(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.log()
	first := entries(start, "offers/p1", 1, 3)
	mustAppend(t, l, tenantA, first)
	for i := range 60 { // an hour of appends, more than one page of them
		w.clock.Advance(time.Minute)
		mustAppend(t, l, tenantA, entries(w.clock.Now(), fmt.Sprintf("offers/x%d", i), 100+i, 2))
	}
	if n := mustAppend(t, w.log(), tenantA, first); n != 0 {
		t.Errorf("an hour-old delivery was appended again: %d", n)
	}
	if n := mustAppend(t, w.log(), tenantA, entries(start, "offers/p1", 4, 1)); n != 1 {
		t.Errorf("a late record that is new was dropped")
	}
}

func TestFreshRecordsNeedOnlyYoungAppends(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.log()
	for i := range 400 {
		w.clock.Advance(time.Minute)
		mustAppend(t, l, tenantA, entries(w.clock.Now(), "offers/p", 10*i, 10))
	}
	before := w.db.Units(store.Ledger)
	mustAppend(t, w.log(), tenantA, entries(w.clock.Now(), "offers/p", 5000, 1)) // a cold start
	if got := w.db.Units(store.Ledger).Minus(before).Read; got > 30 {
		t.Errorf("a cold append to a long ledger read %d units", got)
	}
}

func TestConcurrentAppendersGiveEachEventOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const sources, perSource, deliveries = 6, 40, 3
	var wg sync.WaitGroup
	for d := range deliveries { // every delivery of every source is its own process
		for s := range sources {
			wg.Go(func() {
				l := w.log()
				es := entries(start, fmt.Sprintf("offers/p%d", s), 1000*s, perSource)
				for len(es) > 0 {
					n := min(len(es), 3+d)
					if _, err := l.Append(context.Background(), tenantA, es[:n]); err != nil {
						t.Errorf("append: %v", err)
						return
					}
					es = es[n:]
				}
			})
		}
	}
	wg.Wait()
	checkOnce(t, targets(t, w.log(), tenantA), sources, perSource)
	if _, err := ledger.Verify(strings.NewReader(string(export(t, w.log(), tenantA))), ledger.VerifyOpts{}); err != nil {
		t.Errorf("the ledger they made: %v", err)
	}
}

// checkOnce wants each event exactly once and those of a source in order.
func checkOnce(t interface {
	Helper()
	Errorf(string, ...any)
}, got []string, sources, perSource int) {
	t.Helper()
	if len(got) != sources*perSource {
		t.Errorf("%d events, want %d", len(got), sources*perSource)
	}
	next := map[int]int{}
	for _, target := range got {
		var n int
		if _, err := fmt.Sscanf(target, "conn_1/A1PA6795UKMFR9/SKU-%d", &n); err != nil {
			t.Errorf("target %q", target)
		}
		s := n / 1000
		if n%1000 != next[s] {
			t.Errorf("source %d: event %d where %d was due", s, n%1000, next[s])
		}
		next[s] = n%1000 + 1
	}
}

// Failing writes, lost answers, redelivery from any earlier point and several
// processes: still each event once and in order.
func TestExactlyOnceUnderFaults(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		const sources, perSource = 3, 12
		faults := rapid.SliceOfN(rapid.IntRange(0, 3), 60, 60).Draw(rt, "faults")
		w.db.Hook = func(op memory.Op) (bool, error) {
			if op.Writes[0].Table != store.Ledger || len(faults) == 0 {
				return true, nil
			}
			f := faults[0]
			faults = faults[1:]
			switch f {
			case 1:
				return false, errors.New("not written")
			case 2:
				return true, errors.New("written, answer lost")
			default:
				return true, nil
			}
		}
		logs := []*ledger.Log{w.log(), w.log(), w.log()}
		pos := make([]int, sources)
		for len(slices.DeleteFunc(slices.Clone(pos), func(p int) bool { return p == perSource })) > 0 {
			s := rapid.IntRange(0, sources-1).Draw(rt, "source")
			if pos[s] == perSource {
				s = slices.IndexFunc(pos, func(p int) bool { return p < perSource })
			}
			from := rapid.IntRange(0, pos[s]).Draw(rt, "from")
			to := rapid.IntRange(pos[s]+1, perSource).Draw(rt, "to")
			l := logs[rapid.IntRange(0, len(logs)-1).Draw(rt, "process")]
			w.clock.Advance(time.Duration(rapid.IntRange(0, 400).Draw(rt, "seconds")) * time.Second)
			if _, err := l.Append(context.Background(), tenantA, entries(start, fmt.Sprintf("offers/p%d", s), 1000*s+from, to-from)); err == nil {
				pos[s] = to
			}
		}
		w.db.Hook = nil
		checkOnce(rt, targets(t, w.log(), tenantA), sources, perSource)
	})
}

func TestADirectEventIsAppendedOncePerKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := ledger.Event{Type: ledger.TokenIssued, At: start, Actor: "token-broker", Target: "conn_1"}
	for range 2 {
		w.clock.Advance(3 * time.Hour)
		if err := w.log().AppendDirect(context.Background(), tenantA, "req-1", e); err != nil {
			t.Fatal(err)
		}
	}
	e.Target = "conn_2"
	if err := w.log().AppendDirect(context.Background(), tenantA, "req-2", e); err != nil {
		t.Fatal(err)
	}
	if got := targets(t, w.log(), tenantA); !slices.Equal(got, []string{"conn_1", "conn_2"}) {
		t.Errorf("events of %v", got)
	}
}

func TestALargeCallIsSplitIntoItemsThatFit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// Incompressible values, as bad as they come.
	r := rand.New(rand.NewPCG(1, 2))
	es := entries(start, "offers/p1", 0, 2500)
	for i := range es {
		noise := make([]byte, 400)
		for j := range noise {
			noise[j] = byte('0' + r.IntN(75)%10 + r.IntN(2)*49)
		}
		es[i].Source = fmt.Sprintf("offers/p%d", i)
		es[i].Events[0].Correlation = string(noise)
	}
	if n := mustAppend(t, w.log(), tenantA, es); n != 2500 {
		t.Fatalf("appended %d", n)
	}
	items := 0
	w.db.Each(func(id tenant.ID, table store.Table, it store.Item) bool {
		if table == store.Ledger {
			items++
			if size := store.Size(id, it); size > store.MaxItem {
				t.Errorf("item %s is %d bytes", it.SK, size)
			}
		}
		return true
	})
	if items < 3 {
		t.Errorf("%d items", items)
	}
	if got := targets(t, w.log(), tenantA); len(got) != 2500 {
		t.Errorf("%d events read back", len(got))
	}
}

func TestARecordsEventsAreNeverTornApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// 999 single events, then one record of 5: they do not fit one item.
	es := entries(start, "offers/p1", 0, 999)
	five := observed(start, "offers/p2", 1, 0)
	for len(five.Events) < 5 {
		five.Events = append(five.Events, five.Events[0])
	}
	failed := errors.New("crash")
	writes := 0
	w.db.Hook = func(op memory.Op) (bool, error) {
		if op.Writes[0].Table == store.Ledger {
			writes++
			if writes == 2 {
				return false, failed
			}
		}
		return true, nil
	}
	l := w.log()
	n, err := l.Append(context.Background(), tenantA, append(es, five))
	if n != 999 || !errors.Is(err, failed) {
		t.Fatalf("appended %d, %v; want 999 and the crash", n, err)
	}
	if n := mustAppend(t, l, tenantA, append(es, five)); n != 5 {
		t.Errorf("the repeated call appended %d, want the 5", n)
	}
}

func TestInvalidEntriesAreRefusedAndWriteNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, spoil := range map[string]func(*ledger.Entry){
		"unknown type":  func(e *ledger.Entry) { e.Events[0].Type = "change.invented" },
		"no time":       func(e *ledger.Entry) { e.Events[0].At = time.Time{} },
		"entry no time": func(e *ledger.Entry) { e.At = time.Time{} },
		"no source":     func(e *ledger.Entry) { e.Source = "" },
		"no number":     func(e *ledger.Entry) { e.Seq = "" },
		"zero":          func(e *ledger.Entry) { e.Seq = "000" },
		"not a number":  func(e *ledger.Entry) { e.Seq = "12a" },
		"broken JSON":   func(e *ledger.Entry) { e.Events[0].After = []byte(`{"a":`) },
		"not UTF-8":     func(e *ledger.Entry) { e.Events[0].Target = "\xff" },
		"too large":     func(e *ledger.Entry) { e.Events[0].Actor = strings.Repeat("x", ledger.MaxEvent) },
		"future shape":  func(e *ledger.Entry) { e.Events[0].Version = 99 },
	} {
		es := entries(start, "offers/p1", 1, 3)
		spoil(&es[2])
		if n, err := w.log().Append(context.Background(), tenantA, es); n != 0 || !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: appended %d, %v", name, n, err)
		}
	}
	if got := targets(t, w.log(), tenantA); len(got) != 0 {
		t.Errorf("%d events were written", len(got))
	}
}

func TestLedgersOfTenantsAreApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.log()
	mustAppend(t, l, tenantA, entries(start, "offers/p1", 1, 3))
	mustAppend(t, l, tenantB, entries(start, "offers/p1", 1, 5)) // same source, same numbers
	if a, b := len(targets(t, l, tenantA)), len(targets(t, l, tenantB)); a != 3 || b != 5 {
		t.Errorf("%d and %d events, want 3 and 5", a, b)
	}
}

func TestNothingOfAnEventIsStoredInClear(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mustAppend(t, w.log(), tenantA, entries(start, "offers/p1", 1, 3))
	w.db.Each(func(_ tenant.ID, table store.Table, it store.Item) bool {
		if s := fmt.Sprintf("%s %q", it.SK, it.Attrs); strings.Contains(s, "SKU") || strings.Contains(s, "EUR") {
			t.Errorf("%s item shows a value: %s", table, s)
		}
		return true
	})
}

func TestAShreddedLedgerStillHasItsTreeAndSaysNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.log()
	mustAppend(t, l, tenantA, entries(start, "offers/p1", 1, 3))
	before, err := l.Head(context.Background(), tenantA)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.sealer.Shred(context.Background(), tenantA); err != nil {
		t.Fatal(err)
	}
	if after, err := l.Head(context.Background(), tenantA); err != nil || after != before {
		t.Errorf("head after shredding: %v, %v", after, err)
	}
	if _, err := l.Events(context.Background(), tenantA, 0, 10); !errors.Is(err, envelope.ErrOpen) {
		t.Errorf("events after shredding: %v", err)
	}
}

func TestWriteCostPerEvent(t *testing.T) {
	t.Parallel()
	for _, spread := range []int{1, 200} { // one item for all, and an item for each
		w := newWorld(t)
		l := w.log()
		before := w.db.Units(store.Ledger)
		const batches, size = 10, 200 // a stream batch is at most 200 records
		for b := range batches {
			es := entries(start, "", b*size, size)
			for i := range es {
				es[i].Source = fmt.Sprintf("offers/p%d", i%spread)
			}
			mustAppend(t, l, tenantA, es)
		}
		units := w.db.Units(store.Ledger).Minus(before).Write
		perEvent := float64(units) / (batches * size)
		t.Logf("%d sources: %.3f write units per event", spread, perEvent)
		if perEvent > 0.125 {
			t.Errorf("%d sources: %.3f write units per event, want at most 0.125", spread, perEvent)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{200, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			w := newWorld(b)
			l := w.log()
			es := entries(start, "", 0, size)
			for i := range es { // every event from an item of its own, as in a bulk batch
				es[i].Source = fmt.Sprintf("offers/p1/%d", i)
			}
			n := 0
			for b.Loop() {
				for i := range es {
					es[i].Seq = fmt.Sprint(4_000_000_000_000_000_000 + n)
					n++
				}
				mustAppend(b, l, tenantA, es)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
