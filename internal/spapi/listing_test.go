package spapi

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

func read(t *testing.T, offers, rest string) (amazon.Listing, error) {
	t.Helper()
	m, _ := price.MarketplaceByID(germany)
	var it item
	if err := decode([]byte(`{"sku":"S","attributes":{"purchasable_offer":[`+offers+`]}`+rest+`}`), &it); err != nil {
		t.Fatal(err)
	}
	return it.listing(m)
}

func instanceOf(marketplace, currency, audience, rest string) string {
	if audience != "" {
		audience = `"audience":"` + audience + `",`
	}
	return `{"marketplace_id":"` + marketplace + `","currency":"` + currency + `",` + audience + rest + `}`
}

func our(n string) string { return `"our_price":[{"schedule":[{"value_with_tax":` + n + `}]}]` }

func TestOnlyTheInstanceWithAllThreeSelectorsCounts(t *testing.T) {
	t.Parallel()
	l, err := read(t, strings.Join([]string{
		instanceOf("A13V1IB3VIYZZH", "EUR", "ALL", our("1.00")),
		instanceOf(string(germany), "GBP", "ALL", our("2.00")),
		instanceOf(string(germany), "EUR", "SOMETHING", our("3.00")),
		instanceOf(string(germany), "EUR", "B2B", our("4.00")),
		instanceOf(string(germany), "EUR", "", our("5.00")),
	}, ","), "")
	if err != nil {
		t.Fatal(err)
	}
	if l.Prices.Our == nil || *l.Prices.Our != *eur(500) || l.Prices.B2B == nil || *l.Prices.B2B != *eur(400) {
		t.Errorf("read %s", l.Prices.Summary(price.Fields()))
	}
}

func TestPricesThatLeaveNoSingleExactAnswerAreUnreadable(t *testing.T) {
	t.Parallel()
	for name, offers := range map[string]string{
		"three decimals":    instanceOf(string(germany), "EUR", "ALL", our("19.999")),
		"absurd exponent":   instanceOf(string(germany), "EUR", "ALL", our("1e99")),
		"two instances":     instanceOf(string(germany), "EUR", "ALL", our("1.00")) + "," + instanceOf(string(germany), "EUR", "", our("2.00")),
		"two schedules":     instanceOf(string(germany), "EUR", "ALL", `"our_price":[{"schedule":[{"value_with_tax":1.00},{"value_with_tax":2.00}]}]`),
		"price is a text":   instanceOf(string(germany), "EUR", "ALL", `"our_price":[{"schedule":[{"value_with_tax":"cheap"}]}]`),
		"other shape":       instanceOf(string(germany), "EUR", "ALL", `"our_price":7`),
		"sale without date": instanceOf(string(germany), "EUR", "ALL", `"discounted_price":[{"schedule":[{"start_at":"soon","end_at":"2026-12-01","value_with_tax":1.00}]}]`),
		"tier of a mill":    instanceOf(string(germany), "EUR", "B2B", `"quantity_discount_plan":[{"schedule":[{"discount_type":"fixed","levels":[{"lower_bound":2,"value":1.005}]}]}]`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if l, err := read(t, offers, ""); !errors.Is(err, ErrUnreadable) {
				t.Errorf("read %s, error %v", l.Prices.Summary(price.Fields()), err)
			}
		})
	}
}

func TestOddButClearAnswersAreRead(t *testing.T) {
	t.Parallel()
	l, err := read(t, instanceOf(string(germany), "EUR", "ALL", our("1.0E3")+
		`,"minimum_seller_allowed_price":null,"maximum_seller_allowed_price":[],`+
		`"discounted_price":[{"schedule":[{"start_at":"2026-12-01","end_at":"2026-12-08T22:30:00.000+01:00","value_with_tax":5}]},{"schedule":[{"start_at":"2026-12-01", "end_at":"2026-12-08T22:30:00.000+01:00","value_with_tax":5}]}],`+
		`"automated_pricing_merchandising_rule_plan":[{"merchandising_rule":{"rule_id":"R"}}]`)+","+
		instanceOf(string(germany), "EUR", "B2B", `"quantity_discount_plan":[{"schedule":[{"discount_type":"percent","levels":[{"lower_bound":2,"value":5}]}]}]`),
		`,"summaries":[{"marketplaceId":"A13V1IB3VIYZZH","asin":"B0FRANCE"},{"marketplaceId":"A1PA6795UKMFR9","asin":"B0GERMANY","itemName":"Lampe","productType":"LAMP"}],
		"offers":[{"marketplaceId":"A1PA6795UKMFR9","offerType":"B2B","price":{"currencyCode":"EUR","amount":"1.00"}},
		          {"marketplaceId":"A1PA6795UKMFR9","offerType":"B2C","price":{"currencyCode":"EUR","amount":"5.00"},"audience":{"value":"ALL"}}],
		"issues":[{"code":"1","message":"m","severity":"ERROR","categories":["INVALID_PRICE"],"attributeNames":["purchasable_offer"]},
		          {"code":"2","message":"elsewhere","severity":"ERROR","categories":[],"marketplaceIds":["A13V1IB3VIYZZH"]}]`)
	if err != nil {
		t.Fatal(err)
	}
	p := l.Prices
	if *p.Our != *eur(100000) || p.Min != nil || p.Max != nil || p.B2B != nil || p.Tiers != nil {
		t.Errorf("prices %s", p.Summary(price.Fields()))
	}
	if p.Sale == nil || p.Sale.Price != *eur(500) || !p.Sale.Start.Equal(saleStart) || p.Sale.End.Format("15:04Z07:00") != "21:30Z" {
		t.Errorf("sale %+v", p.Sale)
	}
	if !l.Automated || l.ASIN != "B0GERMANY" || l.Title != "Lampe" || l.ProductType != "LAMP" || l.Effective == nil || *l.Effective != *eur(500) {
		t.Errorf("listing %+v", l)
	}
	if len(l.Issues) != 1 || l.Issues[0].Code != "1" || l.Issues[0].Attributes[0] != "purchasable_offer" {
		t.Errorf("issues %+v", l.Issues)
	}
}

// FuzzPlainDecimal: what comes out has the value of what went in, or nothing
// comes out. The judge is math/big, which knows no floats either.
func FuzzPlainDecimal(f *testing.F) {
	for _, s := range []string{"0", "19.90", "-0.05", "1e3", "1.0E7", "12345.678e-4", "1E+18", "1e-18", "1e19", "5e0", "-1.5e1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !json.Valid([]byte(s)) || strings.Trim(s, "0123456789+-.eE") != "" || s == "" {
			t.Skip("no JSON number: plainDecimal is given nothing else")
		}
		if i := strings.IndexAny(s, "eE"); i >= 0 && len(s)-i > 6 {
			t.Skip("math/big would take ages")
		}
		got, err := plainDecimal(s)
		if err != nil {
			return
		}
		want, ok := new(big.Rat).SetString(s)
		have, ok2 := new(big.Rat).SetString(got)
		if !ok || !ok2 || want.Cmp(have) != 0 || strings.ContainsAny(got, "eE") {
			t.Fatalf("%q became %q", s, got)
		}
	})
}
