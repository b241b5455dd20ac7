package price_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pricemanager/internal/price"
)

// drawText draws text with everything that JSON has to escape.
func drawText(t *rapid.T, name string) string {
	return rapid.SampledFrom([]string{"SKU-1", "", "a\"b\\c", "<&>", "\u2028\u2029", "é€😀", "\xff\xfe", "\x00\x1f\x7f\n\t\b\f"}).Draw(t, name) +
		rapid.String().Draw(t, name+" rest")
}

func drawAmount(t *rapid.T, name string) *price.Money {
	if rapid.Bool().Draw(t, name+" absent") {
		return nil
	}
	currency := rapid.OneOf(rapid.SampledFrom([]price.Currency{"EUR", "JPY", "KWD", "CLF", "", "<x>"}), rapid.Map(rapid.String(), func(s string) price.Currency { return price.Currency(s) })).Draw(t, name+" currency")
	m := price.FromMinor(rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{0, 1, -1, 9, 10, 99, 100, -100, math.MinInt64, math.MaxInt64})).Draw(t, name), currency)
	return &m
}

func drawTime(t *rapid.T, name string) time.Time {
	at := time.Unix(rapid.Int64Range(-70_000_000_000, 260_000_000_000).Draw(t, name), rapid.Int64Range(0, 999_999_999).Draw(t, name+" ns"))
	return at.In(time.FixedZone("", rapid.IntRange(-86_399, 86_399).Draw(t, name+" zone")))
}

func drawAnyPrices(t *rapid.T) price.Prices {
	p := price.Prices{Our: drawAmount(t, "our"), Min: drawAmount(t, "min"), Max: drawAmount(t, "max"), B2B: drawAmount(t, "b2b")}
	if m := drawAmount(t, "sale"); m != nil {
		p.Sale = &price.Sale{Price: *m, Start: drawTime(t, "start"), End: drawTime(t, "end")}
	}
	for range rapid.IntRange(0, 3).Draw(t, "tiers") {
		if m := drawAmount(t, "tier"); m != nil {
			p.Tiers = append(p.Tiers, price.Tier{Quantity: rapid.Int().Draw(t, "quantity"), Price: *m})
		}
	}
	return p
}

// Hashes of stored plans depend on every byte.
func TestAppendingWritesTheBytesOfEncodingJSON(t *testing.T) {
	t.Parallel()
	same := func(t *rapid.T, v any, got []byte, err error) {
		t.Helper()
		want, werr := json.Marshal(v)
		if (werr == nil) != (err == nil) || err == nil && string(got) != string(want) {
			t.Fatalf("got %s, %v\nwant %s, %v", got, err, want, werr)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := drawText(t, "text")
		same(t, s, price.AppendJSONString(nil, s), nil)
		if m := drawAmount(t, "money"); m != nil {
			same(t, *m, m.AppendJSON(nil), nil)
			if got := string(m.AppendDecimal(nil)); got != m.Decimal() {
				t.Fatalf("decimal %q, want %q", got, m.Decimal())
			}
		}
		p := drawAnyPrices(t)
		got, err := p.AppendJSON(nil)
		same(t, p, got, err)
		e := price.Edit{Set: p}
		for range rapid.IntRange(0, 2).Draw(t, "clears") {
			e.Clear = append(e.Clear, price.Field(drawText(t, "clear")))
		}
		got, err = e.AppendJSON(nil)
		same(t, e, got, err)
	})
}
