package plan_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/plan"
	"pricemanager/internal/price"
)

var update = flag.Bool("update", false, "write the golden plans anew")

const demoFiles = "../../events/prices"

// demoShop is what an import of the demo catalogue would know.
func demoShop(t testing.TB) *known {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(demoFiles, "catalogue.json"))
	if err != nil {
		t.Fatal(err)
	}
	type amount = string
	var c struct {
		Items []struct {
			Seller, SKU, ASIN, Title, ProductType string
			Quantity                              int64
			Offers                                map[price.MarketplaceID]struct {
				Currency  price.Currency `json:"currency"`
				Our       amount         `json:"our_price"`
				Min       amount         `json:"minimum_price"`
				Max       amount         `json:"maximum_price"`
				B2B       amount         `json:"b2b_price"`
				Automated bool           `json:"automated"`
				Sale      *struct {
					Price      amount
					Start, End time.Time
				} `json:"sale_price"`
				Tiers []struct {
					Quantity int
					Price    amount
				}
			}
		}
	}
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	k := shop()
	for _, item := range c.Items {
		for m, o := range item.Offers {
			money := func(s amount) *price.Money {
				if s == "" {
					return nil
				}
				v, err := price.ParseMoney(s, o.Currency)
				if err != nil {
					t.Fatal(err)
				}
				return &v
			}
			offer := offerIn(m, price.SKU(item.SKU), price.Prices{Our: money(o.Our), Min: money(o.Min), Max: money(o.Max), B2B: money(o.B2B)})
			if item.Seller == "A2DEMOSELLERNA" {
				offer.Key.Connection = "conn_na"
			}
			if o.Sale != nil {
				offer.Known.Sale = &price.Sale{Price: *money(o.Sale.Price), Start: o.Sale.Start, End: o.Sale.End}
			}
			for _, s := range o.Tiers {
				offer.Known.Tiers = append(offer.Known.Tiers, price.Tier{Quantity: s.Quantity, Price: *money(s.Price)})
			}
			offer.Quantity, offer.Automated = &item.Quantity, o.Automated
			k.offers[offer.Key] = offer
		}
	}
	return k
}

func demoInput(t testing.TB, name string) plan.Input {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(demoFiles, name))
	if err != nil {
		t.Fatal(err)
	}
	in := input(string(body))
	in.File, in.Marketplace = name, ""
	in.Connections[usa] = "conn_na"
	if strings.HasPrefix(name, "us-") {
		in.Marketplace = usa
	}
	return in
}

// The golden files are the plans of the demo, row by row. A change of a rule
// shows in them as a difference that a person reads.
func TestTheDemoFilesPlanAsRecorded(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"us-price-quantity.txt", "eu-prezzi.csv"} {
		p := build(t, demoInput(t, name), demoShop(t))
		summary, err := json.MarshalIndent(p.Summary, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		fmt.Fprintf(&got, "%s\n", summary)
		for _, c := range p.Mapping.Columns {
			fmt.Fprintf(&got, "%d %s means %q, reads %q\n", c.Number, c.Header, c.Means, c.Reads)
		}
		for r := range p.Rows() {
			got.WriteString(brief(r) + "\n")
		}
		golden := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// What a demo has to show: every kind of end, three marketplaces, and no
// planned price that Amazon would turn down.
func TestTheDemoShowsEveryKindOfRow(t *testing.T) {
	t.Parallel()
	codes := map[string]int{}
	fields := map[price.Field]int{}
	var total plan.Counts
	for _, name := range []string{"us-price-quantity.txt", "eu-prezzi.csv"} {
		k := demoShop(t)
		p := build(t, demoInput(t, name), k)
		total.Rows += p.Summary.Rows
		total.Planned += p.Summary.Planned
		total.Held += p.Summary.Held
		total.Unchanged += p.Summary.Unchanged
		for r := range p.Rows() {
			for _, f := range r.Findings {
				codes[f.Code]++
			}
			if r.Verdict != price.Allowed {
				continue
			}
			for _, f := range r.Edit.Touched() {
				fields[f]++
			}
			after := r.Edit.Apply(k.offers[r.Key].Known)
			if after.B2B != nil && after.B2B.Cmp(*after.Our) > 0 {
				t.Errorf("%s: a B2B price above the price is switched off by Amazon", brief(r))
			}
		}
		k.apply(p)
		if again := build(t, demoInput(t, name), k); again.Summary.Planned != 0 {
			t.Errorf("%s: %d rows are planned again after applying", name, again.Summary.Planned)
		}
	}
	if total.Rows < 500 || total.Planned < 390 || total.Held < 12 || total.Unchanged < 60 {
		t.Errorf("the demo has %+v", total)
	}
	for _, c := range []string{
		"not-positive", "blank-price", "ambiguous-number", "unknown-sku", "below-minimum", "currency-mismatch", "large-drop",
		"large-move", "automated", "not-a-number", "conflicting-duplicate", "repeated-row", "sale-not-below-price",
	} {
		if codes[c] == 0 {
			t.Errorf("no row shows %s", c)
		}
	}
	for _, f := range []price.Field{price.FieldOur, price.FieldSale, price.FieldMin, price.FieldMax, price.FieldB2B} {
		if fields[f] < 10 {
			t.Errorf("%d planned rows change %s", fields[f], f)
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	const rows = 20_000
	k := shop()
	var file strings.Builder
	file.WriteString("sku;preis;mindestpreis\n")
	for i := range rows {
		o := offerIn(germany, price.SKU(fmt.Sprint("S", i)), price.Prices{Our: eur(1000)})
		k.offers[o.Key] = o
		fmt.Fprintf(&file, "S%d;9,%02d;5,00\n", i, i%100)
	}
	in := input(file.String())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := plan.Build(b.Context(), in, k); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
