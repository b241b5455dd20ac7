package plan

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"pricemanager/internal/price"
)

// FuzzRowsAreWrittenAsEncodingJSONWritesThem: the hashes and with them the
// tokens of stored plans depend on every byte.
func FuzzRowsAreWrittenAsEncodingJSONWritesThem(f *testing.F) {
	f.Add(int64(1), 2, "conn_eu", "A1PA6795UKMFR9", "SKU-1", int64(4), "allowed", int64(1999), "EUR", "-12.50", int64(1_893_456_000), uint16(0xffff))
	f.Add(int64(-1), -1, "", "", "<&\u2028\xff\"\\\x00", int64(0), "", int64(math.MinInt64), "JPY", "", int64(-70_000_000_000), uint16(0x5555))
	f.Add(int64(0), 0, "\n", "é", "😀", int64(math.MaxInt64), "held", int64(-5), "KWD", "<", int64(260_000_000_000), uint16(0xaaaa))
	f.Fuzz(func(t *testing.T, n int64, line int, conn, market, sku string, v int64, verdict string, minor int64, currency, text string, at int64, has uint16) {
		m := price.FromMinor(minor, price.Currency(currency))
		pick := func(bit int) *price.Money {
			if has>>bit&1 == 0 {
				return nil
			}
			return &m
		}
		prices := price.Prices{Our: pick(0), Min: pick(1), Max: pick(2), B2B: pick(3)}
		if pick(4) != nil {
			prices.Sale = &price.Sale{Price: m, Start: time.Unix(at, minor%1e9).UTC(), End: time.Unix(at, 0).In(time.FixedZone("", int(v%50_000)))}
		}
		if pick(5) != nil {
			prices.Tiers = []price.Tier{{Quantity: line, Price: m}, {Quantity: int(v), Price: m}}
		}
		edit := price.Edit{Set: prices}
		if pick(6) != nil {
			edit.Clear = []price.Field{price.FieldMin, price.Field(text)}
		}
		r := Row{N: n, Line: line, Key: price.OfferKey{Connection: price.ConnectionID(conn), Marketplace: price.MarketplaceID(market), SKU: price.SKU(sku)},
			Version: v, Verdict: price.Verdict(verdict), Edit: edit, ChangePercent: text, AtRisk: pick(7)}
		if pick(8) != nil {
			r.Old = prices
		}
		if pick(9) != nil {
			r.Findings = []Finding{{Code: verdict, Column: conn, Value: sku, Reason: text, Fix: market}, {}}
		}
		if pick(10) != nil {
			r.Linked = &price.Linked{From: r.Key.Marketplace, Given: prices, Percent: text, Floor: pick(0), Rate: &price.CrossRate{Base: price.Currency(currency), Source: text}}
		}
		lane := LaneRow{N: n, Line: line, Marketplace: r.Key.Marketplace, SKU: r.Key.SKU, Version: v, Edit: edit, Old: r.Old}
		for _, c := range []struct {
			value any
			row   row
		}{{r, &r}, {lane, &lane}} {
			want, werr := json.Marshal(c.value)
			prices := pricesJSON{buf: []byte("the row before"), cut: 3}
			err := prices.set(&edit, &r.Old)
			if (werr == nil) != (err == nil) {
				t.Fatalf("got %v, want %v", err, werr)
			}
			if err != nil {
				continue
			}
			if got := c.row.appendJSON([]byte("before"), &prices); string(got) != "before"+string(want) {
				t.Fatalf("got %s\nwant %s", got, want)
			}
		}
	})
}
