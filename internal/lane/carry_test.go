package lane

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pricemanager/internal/price"
)

// Two edits one after the other come to the same as the one that brings the other
// along, but for what a B2B price and its tiers do to each other.
func TestBringingAlongComesToTheSameAsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		edit := func(name string) (e price.Edit) {
			for _, f := range []price.Field{price.FieldOur, price.FieldSale, price.FieldMin, price.FieldMax, price.FieldB2B} {
				amount := price.FromMinor(rapid.Int64Range(1, 5).Draw(rt, name), "EUR")
				switch rapid.IntRange(0, 2).Draw(rt, name+" "+string(f)) {
				case 1:
					e.Set.CopyField(f, price.Prices{Our: &amount, Sale: &price.Sale{Price: amount}, Min: &amount, Max: &amount, B2B: &amount})
				case 2:
					e.Clear = append(e.Clear, f)
				}
			}
			return e
		}
		earlier, later := edit("earlier"), edit("later")
		was := slices.Clone(later.Clear)
		both := along(earlier, later)
		if err := both.Validate(); err != nil || !slices.Equal(was, later.Clear) {
			rt.Fatalf("%+v, %v", both, err)
		}
		old := edit("old").Set
		if diff := cmp.Diff(later.Apply(earlier.Apply(old)).Summary(price.Fields()), both.Apply(old).Summary(price.Fields())); diff != "" {
			rt.Fatal(diff)
		}
	})
	one := price.FromMinor(100, "EUR")
	tiers := price.Edit{Set: price.Prices{Tiers: []price.Tier{{Quantity: 2, Price: one}}}}
	if both := along(tiers, price.Edit{Clear: []price.Field{price.FieldB2B}}); len(both.Set.Tiers) != 0 {
		t.Errorf("tiers without a B2B price: %+v", both)
	}
}

// A stop that comes between the look at a row and its request keeps back what the row
// brings along, and not the row.
func TestAStopAtTheLastMomentKeepsBackWhatIsBroughtAlong(t *testing.T) {
	t.Parallel()
	d := newWorld(t).driver(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	w := &work{j: journal{Batch: "bat_b", Intents: []Intent{{Row: 0, NotAfter: 1}, {Row: 1, NotAfter: 1}}}}
	brings := &row{w: w, brings: "bat_a", index: 0, Row: Row{Marketplace: de, SKU: "A"}, key: offer("A")}
	plain := &row{w: w, index: 1, Row: Row{Marketplace: de, SKU: "B"}, key: offer("B")}
	for _, c := range []struct {
		stopped              string
		again, held, sendNow int
	}{{"bat_a", 1, 0, 1}, {"bat_b", 0, 2, 0}, {"bat_c", 0, 0, 2}} {
		w.again, w.stopped, w.ready = nil, nil, nil
		d.notSent(t.Context(), []*row{brings, plain}, []Stop{{Scope: ScopeBatch, ID: c.stopped}}, nil)
		if len(w.again) != c.again || len(w.stopped) != c.held || len(w.ready) != c.sendNow {
			t.Errorf("%s stopped: %d again, %d held back, %d to be sent; want %+v", c.stopped, len(w.again), len(w.stopped), len(w.ready), c)
		}
		blocked := d.blockedBy(standing{{Scope: ScopeBatch, ID: c.stopped}})
		if blocked(brings) != (c.stopped != "bat_c") || blocked(plain) != (c.stopped == "bat_b") {
			t.Errorf("%s stopped: %t and %t are blocked", c.stopped, blocked(brings), blocked(plain))
		}
	}
}
