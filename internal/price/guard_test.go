package price_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/price"
)

var now = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

func eur(s string) *price.Money {
	m, err := price.ParseMoney(s, "EUR")
	if err != nil {
		panic(err)
	}
	return &m
}

func saleOf(p string, start, end time.Time) *price.Sale {
	return &price.Sale{Price: *eur(p), Start: start, End: end}
}

func days(n int) time.Time { return now.AddDate(0, 0, n) }

// offer is one in Germany at 100.00 within 50.00 and 200.00, three in stock.
func offer(change ...func(*price.Offer)) price.Offer {
	three := int64(3)
	o := price.Offer{
		Key:      price.OfferKey{Connection: "conn_a", Marketplace: "A1PA6795UKMFR9", SKU: "S"},
		Quantity: &three, ReadAt: days(-1), Version: 7,
		Known: price.Prices{Our: eur("100.00"), Min: eur("50.00"), Max: eur("200.00")},
	}
	for _, c := range change {
		c(&o)
	}
	return o
}

func TestEachGuardFiresOnItsOwnMistakeAndNotBeside(t *testing.T) {
	t.Parallel()
	unbounded := func(o *price.Offer) { o.Known.Min, o.Known.Max = nil, nil }
	tiers := func(steps ...price.Tier) []price.Tier { return steps }
	step := func(n int, p string) price.Tier { return price.Tier{Quantity: n, Price: *eur(p)} }
	yen := price.FromMinor(100, "JPY")
	set := func(p price.Prices) price.Edit { return price.Edit{Set: p} }

	for _, tc := range []struct {
		name  string
		offer price.Offer
		edit  price.Edit
		want  price.Verdict
		codes []price.Code
	}{
		{"a small move is allowed", offer(), set(price.Prices{Our: eur("90.00")}), price.Allowed, nil},
		{"the same price is unchanged", offer(), set(price.Prices{Our: eur("100.00")}), price.Unchanged, nil},
		{"an empty edit is unchanged", offer(), price.Edit{}, price.Unchanged, nil},
		{"set and cleared", offer(), price.Edit{Set: price.Prices{Min: eur("51")}, Clear: []price.Field{price.FieldMin}}, price.Refused, []price.Code{price.CodeContradictory}},
		{"unknown marketplace", offer(func(o *price.Offer) { o.Key.Marketplace = "X" }), set(price.Prices{Our: eur("90")}), price.Refused, []price.Code{price.CodeUnknownMarketplace}},
		{"zero", offer(unbounded), set(price.Prices{B2B: eur("0")}), price.Refused, []price.Code{price.CodeNotPositive, price.CodeDrop}},
		{"foreign currency", offer(), set(price.Prices{Our: &yen}), price.Refused, []price.Code{price.CodeCurrency}},
		{"known price in a foreign currency", offer(unbounded, func(o *price.Offer) { o.Known.Our = &yen }), set(price.Prices{Our: eur("1.00")}), price.Held, []price.Code{price.CodeKnownCurrency}},
		{"our price removed", offer(), price.Edit{Clear: []price.Field{price.FieldOur}}, price.Refused, []price.Code{price.CodePriceRequired}},
		{"at 30 % down", offer(), set(price.Prices{Our: eur("70.00")}), price.Allowed, nil},
		{"a cent over 30 % down", offer(), set(price.Prices{Our: eur("69.99")}), price.Held, []price.Code{price.CodeMove}},
		{"at 30 % up", offer(), set(price.Prices{Our: eur("130.00")}), price.Allowed, nil},
		{"a cent over 30 % up", offer(), set(price.Prices{Our: eur("130.01")}), price.Held, []price.Code{price.CodeMove}},
		{"a cent under 80 % down", offer(unbounded), set(price.Prices{Our: eur("20.01")}), price.Held, []price.Code{price.CodeMove}},
		{"at 80 % down", offer(unbounded), set(price.Prices{Our: eur("20.00")}), price.Refused, []price.Code{price.CodeDrop}},
		{"at the minimum", offer(), set(price.Prices{Our: eur("70"), Min: eur("70")}), price.Allowed, nil},
		{"under the new minimum", offer(), set(price.Prices{Our: eur("80"), Min: eur("80.01")}), price.Refused, []price.Code{price.CodeBelowMinimum}},
		{"minimum raised over today's price", offer(), set(price.Prices{Min: eur("100.01")}), price.Refused, []price.Code{price.CodeBelowMinimum}},
		{"over the known maximum", offer(func(o *price.Offer) { o.Known.Max = eur("110") }), set(price.Prices{Our: eur("110.01")}), price.Refused, []price.Code{price.CodeAboveMaximum}},
		{"widened bounds travel with the price", offer(func(o *price.Offer) { o.Known.Max = eur("110") }), set(price.Prices{Our: eur("120"), Max: eur("120")}), price.Allowed, nil},
		{"bounds that exclude each other", offer(func(o *price.Offer) { o.Known.Our = nil }), set(price.Prices{Min: eur("201")}), price.Refused, []price.Code{price.CodeBounds}},
		{"a cleared bound binds no more", offer(func(o *price.Offer) { o.Known.Max = eur("110") }), price.Edit{Set: price.Prices{Our: eur("120")}, Clear: []price.Field{price.FieldMax}}, price.Allowed, nil},
		{"b2b under the minimum", offer(), set(price.Prices{B2B: eur("49.99")}), price.Refused, []price.Code{price.CodeBelowMinimum, price.CodeMove}},
		{"b2b at 30 % down", offer(func(o *price.Offer) { o.Known.B2B = eur("90") }), set(price.Prices{B2B: eur("63")}), price.Allowed, nil},
		{"b2b a cent over 30 % down", offer(func(o *price.Offer) { o.Known.B2B = eur("90") }), set(price.Prices{B2B: eur("62.99")}), price.Held, []price.Code{price.CodeMove}},
		{"a first b2b price far under ours", offer(), set(price.Prices{B2B: eur("69.99")}), price.Held, []price.Code{price.CodeMove}},
		{"b2b far up", offer(func(o *price.Offer) { o.Known.B2B = eur("60") }), set(price.Prices{B2B: eur("99")}), price.Allowed, nil},
		{"a tier over 30 % under what so many cost", offer(func(o *price.Offer) { o.Known.B2B, o.Known.Tiers = eur("95"), tiers(step(5, "90")) }), set(price.Prices{Tiers: tiers(step(5, "90"), step(9, "62.99"))}), price.Held, []price.Code{price.CodeMove}},
		{"a sale over 30 % down", offer(), set(price.Prices{Sale: saleOf("51", days(1), days(9))}), price.Allowed, nil},
		{"a good sale", offer(), set(price.Prices{Sale: saleOf("80", days(1), days(9))}), price.Allowed, nil},
		{"a sale that reduces nothing", offer(), set(price.Prices{Sale: saleOf("100", days(1), days(9))}), price.Refused, []price.Code{price.CodeSaleNotBelow}},
		{"a sale under the minimum", offer(), set(price.Prices{Sale: saleOf("49", days(1), days(9))}), price.Refused, []price.Code{price.CodeBelowMinimum}},
		{"a sale that ends as it starts", offer(), set(price.Prices{Sale: saleOf("80", days(1), days(1))}), price.Refused, []price.Code{price.CodeSaleWindow}},
		{"a sale that ends now", offer(), set(price.Prices{Sale: saleOf("80", days(-9), now)}), price.Refused, []price.Code{price.CodeSaleOver}},
		{"a sale without a price", offer(func(o *price.Offer) { o.Known.Our = nil }), set(price.Prices{Sale: saleOf("80", days(1), days(9))}), price.Refused, []price.Code{price.CodeSaleWithoutPrice}},
		{"a sale for next to nothing", offer(unbounded), set(price.Prices{Sale: saleOf("20", days(1), days(9))}), price.Refused, []price.Code{price.CodeDrop}},
		{"our price under the running sale", offer(func(o *price.Offer) { o.Known.Sale = saleOf("90", days(-1), days(9)) }), set(price.Prices{Our: eur("85")}), price.Refused, []price.Code{price.CodeSaleNotBelow}},
		{"our price under a sale long over", offer(func(o *price.Offer) { o.Known.Sale = saleOf("90", days(-9), days(-1)) }), set(price.Prices{Our: eur("85")}), price.Allowed, nil},
		{"good tiers", offer(), set(price.Prices{B2B: eur("95"), Tiers: tiers(step(5, "90"), step(10, "85"))}), price.Allowed, nil},
		{"tiers alone", offer(), set(price.Prices{Tiers: tiers(step(5, "90"))}), price.Refused, []price.Code{price.CodeTiersWithoutB2B}},
		{"b2b removed under its tiers", offer(func(o *price.Offer) { o.Known.B2B, o.Known.Tiers = eur("95"), tiers(step(5, "90")) }), price.Edit{Clear: []price.Field{price.FieldB2B}}, price.Refused, []price.Code{price.CodeTiersWithoutB2B}},
		{"tier price rises", offer(), set(price.Prices{B2B: eur("95"), Tiers: tiers(step(5, "85"), step(10, "90"))}), price.Refused, []price.Code{price.CodeTiersOrder}},
		{"tier quantity falls", offer(), set(price.Prices{B2B: eur("95"), Tiers: tiers(step(10, "90"), step(5, "85"))}), price.Refused, []price.Code{price.CodeTiersOrder}},
		{"two tiers from the same quantity", offer(), set(price.Prices{B2B: eur("95"), Tiers: tiers(step(5, "90"), step(5, "85"))}), price.Refused, []price.Code{price.CodeTiersOrder}},
		{"first tier not under the b2b price", offer(), set(price.Prices{B2B: eur("90"), Tiers: tiers(step(5, "90"))}), price.Refused, []price.Code{price.CodeTiersOrder}},
		{"six tiers", offer(), set(price.Prices{B2B: eur("99"), Tiers: tiers(step(2, "98"), step(3, "97"), step(4, "96"), step(5, "95"), step(6, "94"), step(7, "93"))}), price.Refused, []price.Code{price.CodeTiersTooMany}},
		{"never read", offer(func(o *price.Offer) { o.ReadAt = time.Time{} }), set(price.Prices{Our: eur("100.00")}), price.Held, []price.Code{price.CodeNeverRead}},
		{"no old price", offer(func(o *price.Offer) { o.Known.Our = nil }), set(price.Prices{Our: eur("99")}), price.Held, []price.Code{price.CodeNoOldPrice}},
		{"no old b2b price, nor ours in its place", offer(func(o *price.Offer) { o.Known = price.Prices{} }), set(price.Prices{B2B: eur("0.01")}), price.Held, []price.Code{price.CodeNoOldPrice}},
		{"no old price for any tier", offer(func(o *price.Offer) { o.Known = price.Prices{} }), set(price.Prices{B2B: eur("3"), Tiers: tiers(step(5, "2"), step(9, "1"))}), price.Held, []price.Code{price.CodeNoOldPrice, price.CodeNoOldPrice}},
		{"an old price of nothing", offer(unbounded, func(o *price.Offer) { o.Known.Our = eur("0") }), set(price.Prices{Our: eur("0.01")}), price.Held, []price.Code{price.CodeNoOldPrice}},
		{"b2b beside a price of nothing", offer(unbounded, func(o *price.Offer) { o.Known.Our = eur("0") }), set(price.Prices{B2B: eur("9")}), price.Held, []price.Code{price.CodeNotPositive, price.CodeNoOldPrice}},
		{"a known minimum of nothing is none", offer(func(o *price.Offer) { o.Known.Min = eur("0") }), set(price.Prices{Our: eur("99")}), price.Allowed, nil},
		{"old b2b price in a foreign currency", offer(func(o *price.Offer) { o.Known.B2B = &yen }), set(price.Prices{B2B: eur("51")}), price.Held, []price.Code{price.CodeKnownCurrency}},
		{"a tier against what so many cost", offer(func(o *price.Offer) { o.Known.Min, o.Known.B2B, o.Known.Tiers = nil, eur("95"), tiers(step(5, "15")) }), set(price.Prices{Tiers: tiers(step(5, "16"))}), price.Allowed, nil},
		{"a tier of fewer against what few cost", offer(func(o *price.Offer) { o.Known.Min, o.Known.B2B, o.Known.Tiers = nil, eur("95"), tiers(step(5, "15")) }), set(price.Prices{Tiers: tiers(step(4, "16"))}), price.Refused, []price.Code{price.CodeDrop}},
		{"a tier that falls far under itself", offer(func(o *price.Offer) { o.Known.Min, o.Known.B2B, o.Known.Tiers = nil, eur("95"), tiers(step(5, "15")) }), set(price.Prices{Tiers: tiers(step(7, "3"))}), price.Refused, []price.Code{price.CodeDrop}},
		{"a sale without a start", offer(), set(price.Prices{Sale: saleOf("80", time.Time{}, days(9))}), price.Refused, []price.Code{price.CodeSaleWindow}},
		{"automated", offer(func(o *price.Offer) { o.Automated = true }), set(price.Prices{Our: eur("99")}), price.Held, []price.Code{price.CodeAutomated}},
		{"what is refused stands before what is held", offer(unbounded, func(o *price.Offer) { o.Automated = true }), set(price.Prices{Our: eur("20")}), price.Refused, []price.Code{price.CodeDrop, price.CodeAutomated}},
		{"what is held stands before notes", offer(unbounded, func(o *price.Offer) {
			o.Known.Our, o.Replaced = eur("50"), &price.Replaced{Price: *eur("100"), Until: days(-1), Batch: "bat_x"}
			o.Known.B2B = &yen
		}), set(price.Prices{Our: eur("100"), B2B: eur("90")}), price.Held, []price.Code{price.CodeKnownCurrency, price.CodeWayBack}},
		{"the worst verdict wins", offer(func(o *price.Offer) { o.Automated = true }), set(price.Prices{Our: eur("49")}), price.Refused, []price.Code{price.CodeBelowMinimum, price.CodeAutomated, price.CodeMove}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, findings := price.DefaultGuards().Check(tc.offer, tc.edit, now)
			var codes []price.Code
			for _, f := range findings {
				codes = append(codes, f.Code)
				if f.Message == "" || f.Fix == "" {
					t.Errorf("finding %s does not say what and how to fix it", f.Code)
				}
			}
			if got != tc.want || !slices.Equal(codes, tc.codes) {
				t.Errorf("got %s %v, want %s %v", got, codes, tc.want, tc.codes)
			}
		})
	}
}

func TestLimitsComeFromTheTenant(t *testing.T) {
	t.Parallel()
	edit := price.Edit{Set: price.Prices{Our: eur("60")}}
	for _, tc := range []struct {
		guards price.Guards
		want   price.Verdict
	}{
		{price.Guards{}, price.Refused},
		{price.Guards{HoldDropPercent: 39, HoldRisePercent: 90, RefuseDropPercent: 41}, price.Held},
		{price.Guards{HoldDropPercent: 40, RefuseDropPercent: 100}, price.Allowed},
		{price.Guards{HoldDropPercent: 100, RefuseDropPercent: 40}, price.Refused},
	} {
		if got, _ := tc.guards.Check(offer(), edit, now); got != tc.want {
			t.Errorf("%+v: got %s, want %s", tc.guards, got, tc.want)
		}
	}
}

func TestGuardsSurviveStorageAndRefuseNonsense(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(price.DefaultGuards())
	if err != nil {
		t.Fatal(err)
	}
	var back price.Guards
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(price.DefaultGuards(), back); diff != "" {
		t.Error(diff)
	}
	if err := back.Validate(); err != nil {
		t.Error(err)
	}
	for _, g := range []price.Guards{{HoldDropPercent: -1}, {RefuseDropPercent: 101}, {HoldRisePercent: 100_001}} {
		if g.Validate() == nil {
			t.Errorf("%+v passes", g)
		}
	}
}

func TestMoneyAtRiskIsTheDeepestFallTimesTheStock(t *testing.T) {
	t.Parallel()
	stock := func(n *int64) func(*price.Offer) { return func(o *price.Offer) { o.Quantity = n } }
	none, many := int64(0), int64(math.MaxInt64)
	for _, tc := range []struct {
		name  string
		offer price.Offer
		set   price.Prices
		want  string
	}{
		{"a drop", offer(), price.Prices{Our: eur("90")}, "30.00"},
		{"a rise", offer(), price.Prices{Our: eur("110")}, "0.00"},
		{"stock unknown", offer(stock(nil)), price.Prices{Our: eur("90")}, "10.00"},
		{"no stock", offer(stock(&none)), price.Prices{Our: eur("90")}, "0.00"},
		{"a sale replaces our price", offer(), price.Prices{Our: eur("90"), Sale: saleOf("75", days(1), days(2))}, "75.00"},
		{"b2b against its own old value", offer(func(o *price.Offer) { o.Known.B2B = eur("95") }), price.Prices{B2B: eur("94")}, "3.00"},
		{"a new b2b price against ours, which it replaces", offer(), price.Prices{B2B: eur("94")}, "18.00"},
		{"a tier against what so many cost", offer(func(o *price.Offer) {
			o.Known.B2B, o.Known.Tiers = eur("95"), []price.Tier{{Quantity: 5, Price: *eur("90")}}
		}), price.Prices{Tiers: []price.Tier{{Quantity: 2, Price: *eur("91")}, {Quantity: 6, Price: *eur("80")}}}, "30.00"},
		{"more than can be written", offer(stock(&many)), price.Prices{Our: eur("90")}, "9999999999999999.99"},
	} {
		got := price.MoneyAtRisk(tc.offer, price.Edit{Set: tc.set})
		if got.Decimal() != tc.want || got.Currency() != "EUR" {
			t.Errorf("%s: got %s, want %s EUR", tc.name, got, tc.want)
		}
	}
}

// Plans and reports show prices by their texts: a change that no text shows is one
// that nobody saw.
func TestValuesThatDifferHaveTextsThatDiffer(t *testing.T) {
	t.Parallel()
	tier := func(n int, p string) price.Prices {
		return price.Prices{Tiers: []price.Tier{{Quantity: n, Price: *eur(p)}}}
	}
	midnight := days(1).Truncate(24 * time.Hour)
	sale := func(start, end time.Time) price.Prices { return price.Prices{Sale: saleOf("9", start, end)} }
	berlin := midnight.In(time.FixedZone("", 3600)).Add(-time.Hour)
	for f, list := range map[price.Field][]price.Prices{
		price.FieldTiers: {{}, tier(5, "9"), tier(6, "9"), tier(5, "9.01")},
		price.FieldSale:  {{}, sale(midnight, days(9)), sale(berlin, days(9)), sale(midnight.Add(time.Second), days(9)), sale(midnight, days(9).Add(time.Minute))},
	} {
		texts := map[string]bool{}
		for _, p := range list {
			texts[p.Text(f)] = true
		}
		if len(texts) != len(list) {
			t.Errorf("%d values of %s have the texts %v", len(list), f, texts)
		}
	}
	if got := sale(berlin, midnight).Text(price.FieldSale); got != "9.00 EUR from 2026-11-22T23:00:00Z to 2026-11-23" {
		t.Errorf("a sale reads %q", got)
	}
}
