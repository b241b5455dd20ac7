//go:build bench

package virtual

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pricemanager/internal/store"
)

// book is what all calls cost: by the model, as DynamoDB Local reports it, and
// by DynamoDB's documentation where it reports nothing. The last two together
// are what is consumed.
type book struct {
	entries  map[line]entry
	below    map[line]int // calls that the model counted too low
	breaches []string
}

// line is a kind of call.
type line struct {
	kind    string
	table   store.Table
	outcome string // done, failed, nothing
}

type entry struct {
	calls           int
	modelled        store.Units
	reported, ruled store.Units
	index           int64 // part of reported
}

func (e entry) plus(f entry) entry {
	return entry{e.calls + f.calls, e.modelled.Plus(f.modelled), e.reported.Plus(f.reported), e.ruled.Plus(f.ruled), e.index + f.index}
}

func (e entry) consumed() store.Units { return e.reported.Plus(e.ruled) }

func (b *book) add(l line, e entry) {
	if b.entries == nil {
		b.entries, b.below = map[line]entry{}, map[line]int{}
	}
	b.entries[l] = b.entries[l].plus(e)
	if c := e.consumed(); e.modelled.Read < c.Read || e.modelled.Write < c.Write {
		b.below[l]++
	}
}

func (b *book) breach(format string, args ...any) {
	b.breaches = append(b.breaches, fmt.Sprintf(format, args...))
}

// sum adds up the lines that match; "" matches all.
func (b *book) sum(kind, outcome string) (all entry) {
	for l, e := range b.entries {
		if (kind == "" || kind == l.kind) && (outcome == "" || outcome == l.outcome) {
			all = all.plus(e)
		}
	}
	return all
}

// check shows the book and fails the test where the model is too low: call by
// call, so that one that is too high makes up for none that is too low.
func (b *book) check(t *testing.T) {
	t.Helper()
	for _, text := range b.breaches[:min(5, len(b.breaches))] {
		t.Error(text)
	}
	t.Logf("%-9s %-12s %-8s %7s | %8s %8s %8s %6s | %8s %8s", "call", "table", "outcome", "calls",
		"modelled", "reported", "by rule", "index", "modelled", "reported")
	lines := slices.SortedFunc(maps.Keys(b.entries), func(x, y line) int {
		return cmp.Or(strings.Compare(x.kind, y.kind), strings.Compare(string(x.table), string(y.table)), strings.Compare(x.outcome, y.outcome))
	})
	for _, l := range lines {
		e := b.entries[l]
		t.Logf("%-9s %-12s %-8s %7d | %8d %8d %8d %6d | %8d %8d", l.kind, l.table, l.outcome, e.calls,
			e.modelled.Write, e.reported.Write, e.ruled.Write, e.index, e.modelled.Read, e.reported.Read)
		if n := b.below[l]; n > 0 {
			t.Errorf("%s of %s, %s: the model is below what %d of %d calls consume", l.kind, l.table, l.outcome, n, e.calls)
		}
	}
}

// excess is how much the model is above what is consumed, as a part of it.
func excess(modelled, consumed int64) float64 { return float64(modelled)/float64(consumed) - 1 }
