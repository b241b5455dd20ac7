package pricefile

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/price"
)

func TestRepeatsAreFoundHoweverManyThereAre(t *testing.T) {
	t.Parallel()
	// Every SKU twice, far apart; one in a hundred says something else the
	// second time.
	const skus = 50_000
	var b strings.Builder
	b.WriteString("sku;price\n")
	for round := range 2 {
		for i := range skus {
			cents := 100 + i
			if round == 1 && i%100 == 0 {
				cents++
			}
			fmt.Fprintf(&b, "SKU %d;%d,%02d\n", i, cents/100, cents%100)
		}
	}
	f, err := openString(b.String(), germany)
	if err != nil {
		t.Fatal(err)
	}
	for row, errs := range f.Rows() {
		i := (row.Line - 2) % skus
		first := row.Line == i+2
		switch {
		case i%100 == 0:
			if len(errs) != 1 || errs[0].Code != CodeDuplicate || !strings.Contains(errs[0].Reason, fmt.Sprintf("Line %d ", 2*i+4+skus-row.Line)) {
				t.Fatalf("%+v: %+v", row, errs)
			}
		case len(errs) > 0, first && row.SameAs != 0, !first && row.SameAs != i+2:
			t.Fatalf("%+v: %+v", row, errs)
		}
	}
}

func TestFingerprintsAreFoundAgainAsAMapWould(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for _, kinds := range []int{1, 1000, 100_000} {
		p, seen := newPrints(), map[uint64]int{}
		for range 100_000 {
			print := p.of(germany, fmt.Append(nil, random.IntN(kinds)))
			p.add(print)
			seen[print]++
		}
		var want []uint64
		for print, n := range seen {
			if n > 1 {
				want = append(want, print)
			}
		}
		slices.Sort(want)
		if got := p.repeated(); !slices.Equal(got, want) {
			t.Errorf("of %d kinds, %d repeat, want %d", kinds, len(got), len(want))
		}
	}
}

// Not parallel: what the whole process allocates is measured.
func TestNoticingRepeatsTakesAFewBytesARow(t *testing.T) {
	const rows = 1_000_000
	taken := func(do func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	for _, tc := range []struct {
		name            string
		each            int
		gather, examine uint64 // most bytes a row
	}{{"no row twice", 1, 9, 1}, {"every row twice", 2, 9, 16}, {"all rows the same", rows, 9, 1}} {
		p := newPrints()
		sku := make([]byte, 0, 16)
		got := taken(func() {
			for i := range rows {
				sku = strconv.AppendInt(sku[:0], int64(i/tc.each), 10)
				p.add(p.of(germany, sku))
			}
		})
		if got > rows*tc.gather {
			t.Errorf("%s: %d bytes a row are gathered", tc.name, got/rows)
		}
		if got := taken(func() { p.repeated() }); got > rows*tc.examine+1<<20 {
			t.Errorf("%s: %d bytes a row are needed to examine them", tc.name, got/rows)
		}
	}
}

// A field that the comparison of rows leaves out would let two rows that say
// different things pass for the same.
func TestRowsThatDifferInAnyFieldSayDifferentThings(t *testing.T) {
	t.Parallel()
	m, n := *money("1.50", "EUR"), *money("1.50", "USD")
	at := date("2030-01-01")
	seen := map[string]string{}
	for name, row := range map[string]Row{
		"nothing": {}, "asin": {ASIN: Product{Value: "B000000001"}}, "ean": {EAN: Product{Value: "B000000001"}},
		"our": {Edit: price.Edit{Set: price.Prices{Our: &m}}}, "our in USD": {Edit: price.Edit{Set: price.Prices{Our: &n}}},
		"min": {Edit: price.Edit{Set: price.Prices{Min: &m}}}, "max": {Edit: price.Edit{Set: price.Prices{Max: &m}}}, "b2b": {Edit: price.Edit{Set: price.Prices{B2B: &m}}},
		"sale":         {Edit: price.Edit{Set: price.Prices{Sale: &price.Sale{Price: m, Start: at, End: at.Add(time.Hour)}}}},
		"sale earlier": {Edit: price.Edit{Set: price.Prices{Sale: &price.Sale{Price: m, Start: at.Add(-1e9), End: at.Add(time.Hour)}}}},
		"sale longer":  {Edit: price.Edit{Set: price.Prices{Sale: &price.Sale{Price: m, Start: at, End: at.Add(2 * time.Hour)}}}},
		"tier":         {Edit: price.Edit{Set: price.Prices{Tiers: []price.Tier{{Quantity: 5, Price: m}}}}},
		"tier of 6":    {Edit: price.Edit{Set: price.Prices{Tiers: []price.Tier{{Quantity: 6, Price: m}}}}},
		"tiers":        {Edit: price.Edit{Set: price.Prices{Tiers: []price.Tier{{Quantity: 5, Price: m}, {Quantity: 6, Price: m}}}}},
		"clear min":    {Edit: price.Edit{Clear: []price.Field{price.FieldMin}}}, "clear max": {Edit: price.Edit{Clear: []price.Field{price.FieldMax}}},
		"clear both": {Edit: price.Edit{Clear: []price.Field{price.FieldMin, price.FieldMax}}},
	} {
		text := string(appendRow(nil, &row))
		if other, ok := seen[text]; ok {
			t.Errorf("%s and %s are the same", name, other)
		}
		seen[text] = name
	}
	// Fields that do not exist yet; Linked is never set in a row of the file.
	for _, f := range []struct {
		of   any
		want string
	}{
		{Row{}, "{Line:0 SKU: Ref:{Kind: Value:} ASIN:{Value: Given:} EAN:{Value: Given:} Marketplace: Edit:{Set:{Our:<nil> Sale:<nil> Min:<nil> Max:<nil> B2B:<nil> Tiers:[]} Clear:[]} SameAs:0 Linked:<nil>}"},
	} {
		if got := fmt.Sprintf("%+v", f.of); got != f.want {
			t.Errorf("a row has other fields now: say in appendRow what they mean, then here\n%s", got)
		}
	}
}
