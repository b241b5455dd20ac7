package spapi

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

const (
	germany price.MarketplaceID = "A1PA6795UKMFR9"
	japan   price.MarketplaceID = "A1VC38T7YXB528"
)

func eur(minor int64) *price.Money {
	m := price.FromMinor(minor, "EUR")
	return &m
}

var (
	saleStart = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	saleEnd   = time.Date(2026, 12, 8, 22, 30, 0, 0, time.UTC)
)

func TestAPatchNamesOnlyWhatChangesAndSaysItExactly(t *testing.T) {
	t.Parallel()
	const all = `{"marketplace_id":"A1PA6795UKMFR9","currency":"EUR","audience":"ALL"`
	const b2b = `{"marketplace_id":"A1PA6795UKMFR9","currency":"EUR","audience":"B2B"`
	merge := func(values string) string {
		return `{"op":"merge","path":"/attributes/purchasable_offer","value":[` + values + `]}`
	}
	remove := `{"op":"delete","path":"/attributes/purchasable_offer","value":[` + b2b + `}]}`
	for name, tc := range map[string]struct {
		edit price.Edit
		want string
	}{
		"price": {
			price.Edit{Set: price.Prices{Our: eur(1990)}},
			merge(all + `,"our_price":[{"schedule":[{"value_with_tax":19.90}]}]}`),
		},
		"bounds": {
			price.Edit{Set: price.Prices{Min: eur(5), Max: eur(123456789)}},
			merge(all + `,"minimum_seller_allowed_price":[{"schedule":[{"value_with_tax":0.05}]}],"maximum_seller_allowed_price":[{"schedule":[{"value_with_tax":1234567.89}]}]}`),
		},
		"clear bounds": {
			price.Edit{Clear: []price.Field{price.FieldMin, price.FieldMax}},
			merge(all + `,"minimum_seller_allowed_price":null,"maximum_seller_allowed_price":null}`),
		},
		"sale": {
			price.Edit{Set: price.Prices{Sale: &price.Sale{Price: *eur(1500), Start: saleStart, End: saleEnd.In(time.FixedZone("", 3600))}}},
			merge(all + `,"discounted_price":[{"schedule":[{"start_at":"2026-12-01T00:00:00Z","end_at":"2026-12-08T22:30:00Z","value_with_tax":15.00}]}]}`),
		},
		"clear sale": {
			price.Edit{Clear: []price.Field{price.FieldSale}},
			merge(all + `,"discounted_price":null}`),
		},
		"both audiences are two instances of one merge": {
			price.Edit{Set: price.Prices{Our: eur(1990), B2B: eur(1800), Tiers: []price.Tier{{Quantity: 10, Price: *eur(1700)}}}},
			merge(all + `,"our_price":[{"schedule":[{"value_with_tax":19.90}]}]},` +
				b2b + `,"our_price":[{"schedule":[{"value_with_tax":18.00}]}],"quantity_discount_plan":[{"schedule":[{"discount_type":"fixed","levels":[{"lower_bound":10,"value":17.00}]}]}]}`),
		},
		"clear tiers only": {
			price.Edit{Clear: []price.Field{price.FieldTiers}},
			merge(b2b + `,"quantity_discount_plan":null}`),
		},
		"clearing the B2B price deletes its instance": {
			price.Edit{Clear: []price.Field{price.FieldB2B, price.FieldTiers}},
			remove,
		},
		"a price and a cleared B2B price are two operations": {
			price.Edit{Set: price.Prices{Our: eur(1)}, Clear: []price.Field{price.FieldB2B}},
			merge(all+`,"our_price":[{"schedule":[{"value_with_tax":0.01}]}]}`) + `,` + remove,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := buildPatch(amazon.Patch{Marketplace: germany, SKU: "S", Edit: tc.edit})
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(`{"productType":"PRODUCT","patches":[`+tc.want+`]}`, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatCanNeverWorkIsNotSent(t *testing.T) {
	t.Parallel()
	usd := price.FromMinor(100, "USD")
	six := make([]price.Tier, 6)
	for i := range six {
		six[i] = price.Tier{Quantity: i + 2, Price: *eur(100)}
	}
	for name, p := range map[string]amazon.Patch{
		"unknown marketplace":        {Marketplace: "AXXX", Edit: price.Edit{Set: price.Prices{Our: eur(1)}}},
		"nothing to change":          {Marketplace: germany},
		"set and clear":              {Marketplace: germany, Edit: price.Edit{Set: price.Prices{Min: eur(1)}, Clear: []price.Field{price.FieldMin}}},
		"zero":                       {Marketplace: germany, Edit: price.Edit{Set: price.Prices{Our: eur(0)}}},
		"negative":                   {Marketplace: germany, Edit: price.Edit{Set: price.Prices{Max: eur(-1)}}},
		"other currency":             {Marketplace: germany, Edit: price.Edit{Set: price.Prices{Our: &usd}}},
		"free tier":                  {Marketplace: germany, Edit: price.Edit{Set: price.Prices{Tiers: []price.Tier{{Quantity: 2, Price: *eur(0)}}}}},
		"six tiers":                  {Marketplace: germany, Edit: price.Edit{Set: price.Prices{Tiers: six}}},
		"sale ends before it starts": {Marketplace: germany, Edit: price.Edit{Set: price.Prices{Sale: &price.Sale{Price: *eur(1), Start: saleEnd, End: saleStart}}}},
		"our price cleared":          {Marketplace: germany, Edit: price.Edit{Clear: []price.Field{price.FieldOur}}},
		"tiers without B2B price":    {Marketplace: germany, Edit: price.Edit{Set: price.Prices{Tiers: six[:1]}, Clear: []price.Field{price.FieldB2B}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := buildPatch(p)
			var e *amazon.Error
			if !errors.As(err, &e) || e.Reached || amazon.Classify(err) != amazon.Permanent {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What is written is what is read: a full set of prices, sent as patch values
// and read back as attributes, is the same to the last digit.
func TestPricesSurviveTheWayToAmazonAndBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		market, _ := price.MarketplaceByID(rapid.SampledFrom([]price.MarketplaceID{germany, japan, "ATVPDKIKX0DER"}).Draw(t, "marketplace"))
		money := rapid.Custom(func(t *rapid.T) *price.Money {
			m := price.FromMinor(rapid.Int64Range(1, 999_999_999_999_999_999).Draw(t, "minor"), market.Currency)
			return &m
		})
		maybe := func(name string) *price.Money {
			if rapid.Bool().Draw(t, name+"?") {
				return money.Draw(t, name)
			}
			return nil
		}
		want := price.Prices{Our: maybe("our"), Min: maybe("min"), Max: maybe("max"), B2B: maybe("b2b")}
		if m := maybe("sale"); m != nil {
			start := saleStart.Add(time.Duration(rapid.IntRange(0, 1<<20).Draw(t, "start")) * time.Second)
			want.Sale = &price.Sale{Price: *m, Start: start, End: start.Add(time.Duration(rapid.IntRange(1, 1<<20).Draw(t, "length")) * time.Second)}
		}
		for i := range rapid.IntRange(0, 5).Draw(t, "tiers") {
			want.Tiers = append(want.Tiers, price.Tier{Quantity: 2 + i, Price: *money.Draw(t, "tier")})
		}
		body, err := buildPatch(amazon.Patch{Marketplace: market.ID, Edit: price.Edit{Set: want}})
		if err != nil {
			if len(price.Edit{Set: want}.Touched()) == 0 {
				return
			}
			t.Fatal(err)
		}
		values, err := json.Marshal(body.Patches[0].Value)
		if err != nil {
			t.Fatal(err)
		}
		var it item
		if err := decode([]byte(`{"sku":"S","attributes":{"purchasable_offer":`+string(values)+`}}`), &it); err != nil {
			t.Fatal(err)
		}
		l, err := it.listing(market)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range price.Fields() {
			if !l.Prices.EqualField(f, want) {
				t.Errorf("%s: read %s, wrote %s", f, l.Prices.Summary([]price.Field{f}), want.Summary([]price.Field{f}))
			}
		}
	})
}
