package plan_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/plan"
	"pricemanager/internal/price"
)

// drawShop draws offers and a file about them, with mistakes of many kinds.
func drawShop(t *rapid.T) (*known, plan.Input) {
	k := shop()
	optional := func(name string, lo, hi int64) *price.Money {
		if rapid.Bool().Draw(t, name+" absent") {
			return nil
		}
		return eur(rapid.Int64Range(lo, hi).Draw(t, name))
	}
	// Mostly good or blank, or hardly a row would ever be planned.
	cell := func(name string, lo, hi int64) string {
		switch kind := rapid.IntRange(0, 29).Draw(t, name+" kind"); {
		case kind == 17: // rapid prefers small numbers
			return rapid.SampledFrom([]string{"x", "-1,00", "1.234", "9,999", "0"}).Draw(t, name)
		case kind == 18 && name != "preis":
			return "clear"
		case kind > 17:
			return ""
		default:
			return strings.Replace(eur(rapid.Int64Range(lo, hi).Draw(t, name)).Decimal(), ".", ",", 1)
		}
	}
	var file strings.Builder
	file.WriteString("sku;land;preis;mindestpreis;höchstpreis;b2b-preis;angebotspreis;angebot von;angebot bis;staffelmenge 1;staffelpreis 1;staffelmenge 2;staffelpreis 2\n")
	var names []string
	for i := range rapid.IntRange(10, 25).Draw(t, "offers") {
		o := offerIn(rapid.SampledFrom([]price.MarketplaceID{germany, france}).Draw(t, "marketplace"), price.SKU(fmt.Sprint("S", i)), price.Prices{
			Our: optional("our", 800, 1500), Min: optional("min", 500, 900), Max: optional("max", 1500, 3000), B2B: optional("b2b", 700, 1400),
		})
		if o.Known.B2B != nil && rapid.Bool().Draw(t, "tiers") {
			o.Known.Tiers = []price.Tier{{Quantity: 5, Price: *eur(o.Known.B2B.Minor() - rapid.Int64Range(1, 600).Draw(t, "discount"))}}
		}
		o.Automated = rapid.IntRange(0, 9).Draw(t, "automated") == 7
		if rapid.IntRange(0, 9).Draw(t, "never") == 7 {
			o.ReadAt = time.Time{}
		}
		k.offers[o.Key] = o
		m, _ := price.MarketplaceByID(o.Key.Marketplace)
		names = append(names, string(o.Key.SKU)+";"+m.Country)
	}
	for i := range rapid.IntRange(1, 20).Draw(t, "rows") {
		name := fmt.Sprintf("S%d;%s", rapid.IntRange(0, 26).Draw(t, "sku"), rapid.SampledFrom([]string{"DE", "FR", "", "DE", "FR", "US", "??"}).Draw(t, "land"))
		if i < len(names) && rapid.IntRange(0, 3).Draw(t, "known") > 0 {
			name = names[i] // or most rows would be in conflict with others, or about nothing
		}
		sale := ";;"
		if rapid.IntRange(0, 4).Draw(t, "on sale") == 3 {
			sale = rapid.SampledFrom([]string{"7,00;2030-01-01;2030-01-31", "9,50;01.01.2030;31.01.2030", "9;2020-01-01;2020-01-02", "9;;2030-01-02"}).Draw(t, "sale")
		}
		steps := ";;;"
		if rapid.IntRange(0, 4).Draw(t, "has steps") == 3 {
			steps = rapid.SampledFrom([]string{"5;6,99;;", "5;6,50;20;5,00", "2;6,99;9;6,00"}).Draw(t, "steps")
		}
		fmt.Fprintf(&file, "%s;%s;%s;%s;%s;%s;%s\n", name, cell("preis", 400, 2000), cell("min", 500, 900), cell("max", 1500, 3000), cell("b2b", 700, 1400), sale, steps)
	}
	return k, input(file.String())
}

func TestRowsAlwaysAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k, in := drawShop(t)
		p, err := plan.Build(context.Background(), in, k)
		if err != nil {
			t.Fatal(err)
		}
		var got plan.Counts
		lines := map[int]bool{}
		planned := map[price.ConnectionID]int64{}
		for r := range p.Rows() {
			lines[r.Line] = true
			got.Rows++
			switch r.Verdict {
			case price.Allowed:
				got.Planned++
				planned[r.Key.Connection]++
			case price.Held:
				got.Held++
			case price.Refused:
				got.Refused++
			case price.Unchanged:
				got.Unchanged++
			}
			if (r.Verdict == price.Held || r.Verdict == price.Refused) && len(r.Findings) == 0 {
				t.Fatalf("%s without a reason", brief(r))
			}
		}
		file := strings.Count(string(in.Content), "\n") - 1
		c := p.Summary.Counts
		if got != c || int(c.Rows) != file || len(lines) != file || c.Planned+c.Held+c.Refused+c.Unchanged != c.Rows {
			t.Fatalf("counted %+v, summary %+v, %d rows in the file", got, c, file)
		}
		var sum plan.Counts
		for _, m := range p.Summary.Marketplaces {
			sum.Rows += m.Rows
			sum.Planned += m.Planned
			sum.Held += m.Held
			sum.Refused += m.Refused
			sum.Unchanged += m.Unchanged
		}
		if sum != c {
			t.Fatalf("marketplaces add up to %+v, want %+v", sum, c)
		}
		lanes := map[price.ConnectionID]int64{}
		for _, l := range p.Lanes {
			lanes[l.Connection] = l.Planned
		}
		if !maps.Equal(lanes, planned) {
			t.Fatalf("lanes %v, planned %v", lanes, planned)
		}
	})
}

func TestAfterApplyingAPlanPlanningAgainIsEmpty(t *testing.T) {
	t.Parallel()
	tried := 0
	rapid.Check(t, func(t *rapid.T) {
		k, in := drawShop(t)
		first, err := plan.Build(context.Background(), in, k)
		if err != nil {
			t.Fatal(err)
		}
		tried += int(first.Summary.Planned)
		k.apply(first)
		second, err := plan.Build(context.Background(), in, k)
		if err != nil {
			t.Fatal(err)
		}
		a, b := first.Summary, second.Summary
		if b.Planned != 0 || b.Held != a.Held || b.Refused != a.Refused || b.Unchanged != a.Unchanged+a.Planned || second.Blocked == "" {
			t.Fatalf("first %+v, second %+v", a.Counts, b.Counts)
		}
	})
	t.Logf("%d changes were planned", tried)
	if tried == 0 {
		t.Fatal("no drawn plan had anything to apply")
	}
}

func TestNoPlannedChangeBreaksAGuard(t *testing.T) {
	t.Parallel()
	tried := 0
	rapid.Check(t, func(t *rapid.T) {
		k, in := drawShop(t)
		p, err := plan.Build(context.Background(), in, k)
		if err != nil {
			t.Fatal(err)
		}
		for r := range p.Rows() {
			if r.Verdict != price.Allowed {
				continue
			}
			tried++
			o := k.offers[r.Key]
			if o.Automated || o.ReadAt.IsZero() {
				t.Fatalf("%s although automated or never read", brief(r))
			}
			if v, f := in.Guards.For(r.Key).Check(o, r.Edit, now); v != price.Allowed {
				t.Fatalf("%s planned: %v", brief(r), f)
			}
			after := r.Edit.Apply(o.Known)
			for _, m := range buyers(after) {
				if m != nil && (m.Minor() <= 0 || after.Min != nil && m.Minor() < after.Min.Minor() || after.Max != nil && m.Minor() > after.Max.Minor()) {
					t.Fatalf("%s leaves %s outside its bounds", brief(r), m)
				}
			}
			if old := o.Known.Our; r.Edit.Set.Our != nil {
				if move := 100 * (r.Edit.Set.Our.Minor() - old.Minor()); move > 30*old.Minor() || move < -30*old.Minor() {
					t.Fatalf("%s moves from %s", brief(r), old)
				}
			}
		}
	})
	t.Logf("%d changes were planned", tried)
	if tried == 0 {
		t.Fatal("no drawn change was planned")
	}
}
