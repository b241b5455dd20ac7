package spapi

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

// allCurrencies are the currencies that the product can count in, found by
// asking for every code there could be.
var allCurrencies = func() (all []price.Currency) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for i := range len(letters) * len(letters) * len(letters) {
		c := price.Currency([]byte{letters[i/676], letters[i/26%26], letters[i%26]})
		if _, known := c.Exponent(); known {
			all = append(all, c)
		}
	}
	return all
}()

// onTheWire writes prices as a patch does and wraps them in the item that a read
// returns. It stands below buildPatch, which takes the currency from the
// marketplace: no marketplace of Amazon has a currency with three decimals.
func onTheWire(t interface{ Fatal(...any) }, m price.Money) string {
	var all, b2b offerPatch
	all.Marketplace, all.Currency, all.Audience = "M", m.Currency(), audienceAll
	b2b.Marketplace, b2b.Currency, b2b.Audience = "M", m.Currency(), audienceB2B
	part(&all.OurPrice, &m, false)
	part(&all.Minimum, &m, false)
	part(&all.Maximum, &m, false)
	part(&b2b.OurPrice, &m, false)
	all.Discounted = scheduled(saleWindow{Start: saleStart.Format(time.RFC3339), End: saleEnd.Format(time.RFC3339), Value: literal(m)})
	b2b.Plan = scheduled(discountPlan{Type: "fixed", Levels: []discountLevel{{2, literal(m)}}})
	values, err := json.Marshal([]offerPatch{all, b2b})
	if err != nil {
		t.Fatal(err)
	}
	return string(values)
}

// readFrom reads an item that has the prices, as a marketplace of their currency
// would return it.
func readFrom(values string, c price.Currency) (amazon.Listing, error) {
	var it item
	text := `{"sku":"S","attributes":{"purchasable_offer":` + values + `},"offers":[]}`
	if err := decode([]byte(text), &it); err != nil {
		return amazon.Listing{}, err
	}
	return it.listing(price.Marketplace{ID: "M", Currency: c})
}

func checkExact(t interface {
	Errorf(string, ...any)
	Fatal(...any)
}, m price.Money) {
	values := onTheWire(t, m)
	if n := strings.Count(values, `"value_with_tax":`+m.Decimal()+"}") + strings.Count(values, `"value":`+m.Decimal()+"}"); n != 6 {
		t.Errorf("%s: %d of 6 amounts are written digit for digit in %s", m, n, values)
	}
	got, err := readFrom(values, m.Currency())
	if err != nil {
		t.Fatal(err)
	}
	want := price.Prices{Our: &m, Min: &m, Max: &m, B2B: &m, Sale: &price.Sale{Price: m, Start: saleStart, End: saleEnd},
		Tiers: []price.Tier{{Quantity: 2, Price: m}}}
	for _, f := range price.Fields() {
		if !got.Prices.EqualField(f, want) {
			t.Errorf("%s %s reads as %s", f, m, got.Prices.Text(f))
		}
	}
	// What is kept and told of it, in the offer item and in the ledger.
	kept, err := json.Marshal(got.Prices)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(kept), `"amount":"`+m.Decimal()+`","currency":"`+string(m.Currency())+`"`); n != 6 {
		t.Errorf("%s is kept as %s", m, kept)
	}
	var back price.Prices
	if err := json.Unmarshal(kept, &back); err != nil {
		t.Fatal(err)
	}
	for _, f := range price.Fields() {
		if !back.EqualField(f, want) {
			t.Errorf("%s %s is kept as %s", f, m, back.Text(f))
		}
	}
}

func TestAmountsOfEveryNumberOfDecimalsAreExactOnTheWire(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		amount   string
		currency price.Currency
	}{{"0.10", "EUR"}, {"1234567.89", "EUR"}, {"1000", "JPY"}, {"1.234", "KWD"}, {"0.001", "KWD"}, {"1000.000", "BHD"}, {"0.0001", "CLF"}} {
		m, err := price.ParseMoney(c.amount, c.currency)
		if err != nil || m.Decimal() != c.amount {
			t.Fatalf("%s %s: %s, %v", c.amount, c.currency, m, err)
		}
		checkExact(t, m)
	}
}

func TestAnyAmountOfAnyCurrencyIsExactOnTheWire(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for _, c := range allCurrencies {
		n, _ := c.Exponent()
		seen[n] = true
	}
	if len(allCurrencies) < 40 || !seen[0] || !seen[2] || !seen[3] || !seen[4] {
		t.Fatalf("only %v", allCurrencies)
	}
	rapid.Check(t, func(t *rapid.T) {
		const most = 999_999_999_999_999 // 15 digits
		checkExact(t, price.FromMinor(rapid.Int64Range(1, most).Draw(t, "minor"), rapid.SampledFrom(allCurrencies).Draw(t, "currency")))
	})
}

// The end of the way for a dinar: nothing that is sold at Amazon is priced in
// one, so an edit that holds one is refused before it becomes a request.
func TestACurrencyThatNoMarketplaceHasIsNotSent(t *testing.T) {
	t.Parallel()
	dinar, err := price.ParseMoney("1.234", "KWD")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range price.Marketplaces() {
		var e *amazon.Error
		_, err := buildPatch(amazon.Patch{Marketplace: m.ID, SKU: "S", Edit: price.Edit{Set: price.Prices{Our: &dinar}}})
		if exp, _ := m.Currency.Exponent(); exp > 2 {
			t.Errorf("%s is priced in %s: take its amounts through the whole way", m.Country, m.Currency)
		}
		if !errors.As(err, &e) || e.Code != amazon.CodeNotSent || e.Reached {
			t.Errorf("%s: %v", m.Country, err)
		}
	}
}
