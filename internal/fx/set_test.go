package fx_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pricemanager/internal/fx"
	"pricemanager/internal/price"
)

const (
	germany = price.MarketplaceID("A1PA6795UKMFR9")
	france  = price.MarketplaceID("A13V1IB3VIYZZH")
	sweden  = price.MarketplaceID("A2NODRKZP88ZB9")
	britain = price.MarketplaceID("A1F83G8C2ARO7P")
	japan   = price.MarketplaceID("A1VC38T7YXB528")
)

func table(rates map[price.Currency]string) *fx.Table {
	return &fx.Table{Base: "EUR", On: "2026-11-20", Source: "our bank", Rates: rates}
}

func links(l ...fx.Link) fx.Links { return fx.Links{MaxAgeDays: fx.StandardAge, Links: l} }

func link(to price.MarketplaceID, change ...func(*fx.Link)) fx.Link {
	m, _ := price.MarketplaceByID(to)
	l := fx.Link{From: germany, To: to, Currency: m.Currency}
	for _, c := range change {
		c(&l)
	}
	return l
}

func amount(minor int64, c price.Currency) *price.Money {
	m := price.FromMinor(minor, c)
	return &m
}

func our(minor int64) price.Edit { return price.Edit{Set: price.Prices{Our: amount(minor, "EUR")}} }

// brief is what a set derives, on lines.
func brief(list []fx.Derived) string {
	var out []string
	for _, d := range list {
		m, _ := price.MarketplaceByID(d.To)
		text := m.Country + " " + d.Edit.Set.Summary(d.Edit.Touched())
		if d.Problem != nil {
			text += d.Problem.Code + "=" + d.Problem.Value
		}
		if len(d.Linked.Floored) > 0 {
			text += fmt.Sprint(" floored ", d.Linked.Floored)
		}
		out = append(out, text)
	}
	return strings.Join(out, "\n")
}

// What a price makes is that of exact fractions, rounded once: worked out anew here
// in major units.
func TestADerivedPriceIsExact(t *testing.T) {
	t.Parallel()
	currencies := []price.Currency{"EUR", "JPY", "KWD", "HUF", "CLF", "SEK"}
	rapid.Check(t, func(t *rapid.T) {
		from, to := rapid.SampledFrom(currencies).Draw(t, "from"), rapid.SampledFrom(currencies).Draw(t, "to")
		minor := rapid.Int64Range(1, 10_000_000_000).Draw(t, "minor")
		decimal := func(name string) (string, *big.Rat) {
			s := fmt.Sprintf("%d.%04d", rapid.IntRange(0, 9999).Draw(t, name), rapid.IntRange(1, 9999).Draw(t, name+" decimals"))
			r, _ := new(big.Rat).SetString(s)
			return s, r
		}
		_, rate := decimal("rate")
		_, percent := decimal("percent")
		if rapid.Bool().Draw(t, "less") {
			percent.Quo(percent, big.NewRat(-101, 1)) // more than -100
		}
		var ending *price.Rounding
		if rapid.Bool().Draw(t, "ends") {
			ending = &price.Rounding{Ending: rapid.StringMatching(`[0-9]{1,4}`).Draw(t, "ending"),
				Direction: rapid.SampledFrom([]price.Direction{price.Nearest, price.Down, price.Up}).Draw(t, "direction")}
		}
		got, ok := fx.Convert(price.FromMinor(minor, from), rate, percent, to, ending)

		fromExp, _ := from.Exponent()
		toExp, _ := to.Exponent()
		tens := func(n int) *big.Rat {
			return new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil))
		}
		exact := new(big.Rat).Quo(big.NewRat(minor, 1), tens(fromExp))
		exact.Mul(exact, rate)
		exact.Mul(exact, new(big.Rat).Add(big.NewRat(1, 1), new(big.Rat).Quo(percent, big.NewRat(100, 1))))
		exact.Mul(exact, tens(toExp)) // in minor units
		if ending != nil && exact.Cmp(tens(17)) > 0 {
			return // where an ending cannot be written any more is the rounding's own affair
		}
		if want, writable := nearest(exact, ending); ok != writable || ok && got != price.FromMinor(want, to) {
			t.Fatalf("%d %s at %s + %s %% is %s in %s, got %v %v, want %d %v", minor, from, rate, percent, exact.FloatString(9), to, got, ok, want, writable)
		}
	})
}

// nearest rounds an exact number of minor units, searching for the grid's points
// around it.
func nearest(exact *big.Rat, ending *price.Rounding) (int64, bool) {
	floor := new(big.Int).Quo(exact.Num(), exact.Denom())
	if ending == nil {
		half := new(big.Rat).Sub(exact, new(big.Rat).SetInt(floor))
		if half.Cmp(big.NewRat(1, 2)) >= 0 {
			floor.Add(floor, big.NewInt(1))
		}
		return floor.Int64(), floor.IsInt64() && floor.Int64() < 1e18
	}
	isPoint := func(n int64) bool {
		return n > 0 && strings.HasSuffix(fmt.Sprintf("%010d", n), ending.Ending)
	}
	step := int64(1)
	for range ending.Ending {
		step *= 10
	}
	var low, high int64
	for n := floor.Int64(); n > floor.Int64()-step && n > 0; n-- {
		if isPoint(n) {
			low = n
			break
		}
	}
	first := floor.Int64()
	if !exact.IsInt() {
		first++
	}
	for n := first; ; n++ {
		if isPoint(n) {
			high = n
			break
		}
	}
	switch toLow, toHigh := new(big.Rat).Sub(exact, big.NewRat(low, 1)), new(big.Rat).Sub(big.NewRat(high, 1), exact); {
	case floor.Sign() == 0 && (ending.Direction != price.Up): // under one minor unit: nothing to end on
		return 0, true
	case ending.Direction == price.Up:
		return high, true
	case ending.Direction == price.Down && low == 0:
		return floor.Int64(), true // there is none below
	case ending.Direction == price.Down, low != 0 && toLow.Cmp(toHigh) < 0:
		return low, true
	}
	return high, true
}

func TestYenDinarsAndForintsAreRoundedToTheirOwnUnit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		minor    int64
		from, to price.Currency
		rate     string
		want     string
	}{
		{1999, "EUR", "JPY", "181.5", "3628 JPY"},        // 3628.185
		{1, "EUR", "JPY", "50", "1 JPY"},                 // 0.5, half up
		{1, "EUR", "JPY", "49.99", "0 JPY"},              // which the guards refuse
		{1999, "EUR", "KWD", "0.35025", "7.001 KWD"},     // 7.0014975
		{1999, "EUR", "HUF", "381.2", "7620.19 HUF"},     // 7620.188
		{3628, "JPY", "EUR", "0.005509", "19.99 EUR"},    // 19.986652
		{7001, "KWD", "JPY", "518.201285", "3628 JPY"},   // 3627.927...
		{1000, "EUR", "EUR", "1", "10.00 EUR"},           //
		{333, "EUR", "SEK", "11.261261261", "37.50 SEK"}, // 37.49999999913
	} {
		rate, _ := new(big.Rat).SetString(c.rate)
		if got, ok := fx.Convert(price.FromMinor(c.minor, c.from), rate, new(big.Rat), c.to, nil); !ok || got.String() != c.want {
			t.Errorf("%d %s: %s, want %s", c.minor, c.from, got, c.want)
		}
	}
}

func TestALinkTurnsTheFieldsThatItNames(t *testing.T) {
	t.Parallel()
	s := fx.NewSet(links(
		link(sweden, func(l *fx.Link) {
			l.Percent, l.Rounding, l.Floor = "10", &price.Rounding{Ending: "00", Direction: price.Up}, amount(15000, "SEK")
			l.Fields = []price.Field{price.FieldOur, price.FieldSale, price.FieldB2B, price.FieldTiers}
		}),
		link(france), link(britain, func(l *fx.Link) { l.Off = true }),
	), table(map[price.Currency]string{"SEK": "11"}))
	start := now.Add(time.Hour)
	e := price.Edit{Set: price.Prices{Our: amount(2000, "EUR"), Min: amount(100, "EUR"), Sale: &price.Sale{Price: *amount(1000, "EUR"), Start: start, End: start.Add(time.Hour)},
		Tiers: []price.Tier{{Quantity: 5, Price: *amount(1900, "EUR")}, {Quantity: 9, Price: *amount(900, "EUR")}}}, Clear: []price.Field{price.FieldB2B, price.FieldMax}}
	got := s.Derive(germany, "A", e, now)
	want := []fx.Derived{
		{To: france, Edit: price.Edit{Set: price.Prices{Our: e.Set.Our, Sale: e.Set.Sale}}, Linked: &price.Linked{From: germany, Given: price.Prices{Our: e.Set.Our, Sale: e.Set.Sale}}},
		{To: sweden, Edit: price.Edit{Set: price.Prices{Our: amount(24200, "SEK"), Sale: &price.Sale{Price: *amount(15000, "SEK"), Start: start, End: start.Add(time.Hour)},
			Tiers: []price.Tier{{Quantity: 5, Price: *amount(23000, "SEK")}, {Quantity: 9, Price: *amount(15000, "SEK")}}}, Clear: []price.Field{price.FieldB2B}},
			Linked: &price.Linked{From: germany, Given: price.Prices{Our: e.Set.Our, Sale: e.Set.Sale, Tiers: e.Set.Tiers}, Percent: "10",
				Rounding: &price.Rounding{Ending: "00", Direction: price.Up}, Floor: amount(15000, "SEK"), Floored: []price.Field{price.FieldSale, price.FieldTiers},
				Rate: &price.CrossRate{Base: "EUR", From: "1", To: "11", On: "2026-11-20", Source: "our bank"}}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(price.Money{})); diff != "" {
		t.Error(diff)
	}
	if got := s.Derive(germany, "A", price.Edit{Set: price.Prices{Min: amount(1, "EUR")}}, now); len(got) != 0 {
		t.Errorf("a minimum made %s", brief(got))
	}
	if got := s.Derive(sweden, "A", price.Edit{Set: price.Prices{Our: amount(1, "SEK")}}, now); len(got) != 0 {
		t.Errorf("what follows was followed: %s", brief(got))
	}
}

func TestTheMostSpecificLinkHolds(t *testing.T) {
	t.Parallel()
	sku := func(pattern, percent string, off bool) fx.Link {
		return link(france, func(l *fx.Link) { l.SKU, l.Percent, l.Off = pattern, percent, off })
	}
	s := fx.NewSet(links(sku("", "0", false), sku("A*", "1", false), sku("A-1*", "2", false), sku("A-12", "3", false), sku("A-9*", "", true), sku("*-13", "4", false)), nil)
	for name, want := range map[price.SKU]string{"B": "FR price 100.00 EUR", "A": "FR price 101.00 EUR", "A-1": "FR price 102.00 EUR", "A-12": "FR price 103.00 EUR",
		"A-13": "FR price 104.00 EUR", "A-90": "", "": "FR linked-by-product="} {
		if got := brief(s.Derive(germany, name, our(10000), now)); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
	all := fx.NewSet(links(sku("", "0", false), sku("*", "", true)), nil)
	if got := brief(all.Derive(germany, "B", our(10000), now)); got != "" {
		t.Errorf("a pattern for any SKU stands behind none: %s", got)
	}
}

func TestAMissingOrOldRateMakesNoPrice(t *testing.T) {
	t.Parallel()
	l := links(link(sweden), link(britain), link(france))
	s := fx.NewSet(l, table(map[price.Currency]string{"SEK": "11"}))
	for at, want := range map[string]string{
		"2026-11-23T23:59:59Z": "FR price 10.00 EUR\nGB rate-missing=GBP\nSE price 110.00 SEK",
		"2026-11-24T00:00:00Z": "FR price 10.00 EUR\nGB rate-missing=GBP\nSE rate-stale=2026-11-20",
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := brief(s.Derive(germany, "A", our(1000), when)); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", at, got, want)
		}
	}
	if got := brief(fx.NewSet(l, nil).Derive(germany, "A", our(1000), now)); got != "FR price 10.00 EUR\nGB rate-missing=GBP\nSE rate-missing=SEK" {
		t.Errorf("without a table:\n%s", got)
	}
	large := fx.NewSet(l, table(map[price.Currency]string{"SEK": "1000000000000000"}))
	if got := brief(large.Derive(germany, "A", our(1_000_000), now)); !strings.HasSuffix(got, "SE linked-too-large=10000.00 EUR") {
		t.Errorf("too large: %s", got)
	}
}

// No derived price is below its floor, and the order in which links and rates were
// written means nothing.
func TestFloorsHoldAndOrderMeansNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rates := map[price.Currency]string{"SEK": "11.2345", "GBP": "0.8312", "JPY": "181.57"}
		var list []fx.Link
		for _, to := range []price.MarketplaceID{france, sweden, britain, japan} {
			for _, sku := range []string{"", "S*"} {
				if !rapid.Bool().Draw(t, "linked") {
					continue
				}
				list = append(list, link(to, func(l *fx.Link) {
					l.SKU, l.Percent = sku, rapid.SampledFrom([]string{"", "3.5", "-2.25", "1000"}).Draw(t, "percent")
					if rapid.Bool().Draw(t, "floor") {
						l.Floor = amount(rapid.Int64Range(1, 5000).Draw(t, "floor"), l.Currency)
					}
					if rapid.Bool().Draw(t, "ends") {
						l.Rounding = &price.Rounding{Ending: "99", Direction: rapid.SampledFrom([]price.Direction{price.Nearest, price.Down, price.Up}).Draw(t, "direction")}
					}
				}))
			}
		}
		e := our(rapid.Int64Range(1, 5000).Draw(t, "price"))
		if err := links(list...).Validate(); err != nil {
			t.Fatal(err)
		}
		one := fx.NewSet(links(list...), table(rates))
		got := one.Derive(germany, "S1", e, now)
		for _, d := range got {
			if d.Problem != nil || d.Linked.Floor != nil && d.Edit.Set.Our.Cmp(*d.Linked.Floor) < 0 || d.Linked.Below(d.Edit) {
				t.Fatalf("%s with the floor %v", brief(got), d.Linked.Floor)
			}
		}
		shuffled := rapid.Permutation(list).Draw(t, "order")
		other := fx.NewSet(links(shuffled...), table(rates))
		if diff := cmp.Diff(got, other.Derive(germany, "S1", e, now), cmp.AllowUnexported(price.Money{})); diff != "" || one.LinksHash() != other.LinksHash() {
			t.Fatalf("in another order: %s", diff)
		}
	})
}

func TestLinksThatCannotHoldAreRefused(t *testing.T) {
	t.Parallel()
	for want, l := range map[string]fx.Links{
		"max_age_days is 0":                {},
		"links[0]: \"DE\" is not":          links(link(france, func(l *fx.Link) { l.From = "DE" })),
		"cannot follow itself":             links(link(germany)),
		"prices in SE are in SEK":          links(link(sweden, func(l *fx.Link) { l.Currency = "EUR" })),
		"links[1]: A13V1IB3VIYZZH follows": links(link(france), link(france, func(l *fx.Link) { l.From, l.SKU = britain, "B*" })),
		"links[1]: a link before it":       links(link(france), link(france)),
		"amount above zero in EUR":         links(link(france, func(l *fx.Link) { l.Floor = amount(100, "SEK") })),
		"fields has \"minimum_price\"":     links(link(france, func(l *fx.Link) { l.Fields = []price.Field{price.FieldMin} })),
		"fields has \"price\"":             links(link(france, func(l *fx.Link) { l.Fields = []price.Field{price.FieldOur, price.FieldOur} })),
		"percent is \"3,5\"":               links(link(france, func(l *fx.Link) { l.Percent = "3,5" })),
		"percent is -100, want":            links(link(france, func(l *fx.Link) { l.Percent = "-100" })),
		"percent is 1000.01, want":         links(link(france, func(l *fx.Link) { l.Percent = "1000.01" })),
		"ending is \"\"":                   links(link(france, func(l *fx.Link) { l.Rounding = &price.Rounding{} })),
		"sku is 101 bytes long":            links(link(france, func(l *fx.Link) { l.SKU = strings.Repeat("x", 101) })),
	} {
		if err := l.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in %v", want, err)
		}
	}
	var many []fx.Link
	for i := range 400 {
		many = append(many, link(france, func(l *fx.Link) { l.SKU = fmt.Sprint("SKU-", i) }))
	}
	if err := links(many...).Validate(); err == nil || !strings.Contains(err.Error(), "at most 28672 fit") {
		t.Errorf("400 links: %v", err)
	}
	if err := links(slices.Concat(many[:200], []fx.Link{link(france)})...).Validate(); err != nil {
		t.Error(err)
	}
}
