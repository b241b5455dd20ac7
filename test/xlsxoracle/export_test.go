package xlsxoracle

import (
	"bytes"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"pricemanager/internal/export"
	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
)

// excelize agrees with what we say of exported workbooks: names are texts with all
// their zeros, prices are numbers of exactly their digits, and nothing is a formula.
func TestExportedWorkbooksHoldPricesAndNoFormulas(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var list []price.Offer
		for range rapid.IntRange(1, 9).Draw(t, "offers") {
			m := rapid.SampledFrom(price.Marketplaces()).Draw(t, "market")
			our := price.FromMinor(rapid.OneOf(rapid.Int64Range(1, 1_000_000), rapid.Int64Range(1, 9_000_000_000_000_000)).Draw(t, "price"), m.Currency)
			stock := rapid.Int64Range(0, 1e6).Draw(t, "stock")
			list = append(list, price.Offer{Key: price.OfferKey{Connection: "conn_one", Marketplace: m.ID,
				SKU: price.SKU(rapid.StringMatching(`[=+@'0-]{0,2}[0-9A-Z]{1,12}`).Draw(t, "sku"))},
				Title: rapid.StringMatching(`[-=+@'\t]?[ -~äß€\n]{0,30}`).Draw(t, "title"), Quantity: &stock, Known: price.Prices{Our: &our}})
		}
		var out bytes.Buffer
		table, err := export.NewOffers(&out, export.XLSX)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list {
			if err := table.Add(o); err != nil {
				t.Fatal(err)
			}
		}
		if err := table.Close(); err != nil {
			t.Fatal(err)
		}
		compare(t, out.Bytes())
		f, err := excelize.OpenReader(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		header, err := f.GetRows("offers")
		if err != nil {
			t.Fatal(err)
		}
		cell := func(column string, row int) (name, raw string, kind excelize.CellType) {
			name, err := excelize.CoordinatesToCellName(slices.Index(header[0], column)+1, row)
			if err != nil {
				t.Fatal(err)
			}
			if raw, err = f.GetCellValue("offers", name, excelize.Options{RawCellValue: true}); err != nil {
				t.Fatal(err)
			}
			if kind, err = f.GetCellType("offers", name); err != nil {
				t.Fatal(err)
			}
			if formula, err := f.GetCellFormula("offers", name); err != nil || formula != "" {
				t.Fatalf("%s is the formula %q, %v", name, formula, err)
			}
			return name, raw, kind
		}
		for i, o := range list {
			for column, text := range map[string]string{"sku": string(o.Key.SKU), "title": o.Title} {
				name, raw, kind := cell(column, i+2)
				if want := pricefile.Neutralise(text); raw != want || want != "" && kind != excelize.CellTypeInlineString {
					t.Fatalf("%s is %q of type %d, want the text %q", name, raw, kind, want)
				}
			}
			name, raw, kind := cell("price", i+2)
			want, _ := new(big.Rat).SetString(o.Known.Our.Decimal())
			got, ok := new(big.Rat).SetString(raw)
			if !ok || got.Cmp(want) != 0 || (kind == excelize.CellTypeInlineString) != (digits(o.Known.Our.Decimal()) > 15) {
				t.Fatalf("%s is %q of type %d, want %s", name, raw, kind, o.Known.Our.Decimal())
			}
			if name, raw, kind := cell("stock", i+2); raw != strconv.FormatInt(*o.Quantity, 10) || kind == excelize.CellTypeInlineString {
				t.Fatalf("%s is %q of type %d", name, raw, kind)
			}
		}
	})
}

// digits counts the digits of a decimal that a double has to keep: those before the
// point, and those behind it but for zeros at its end.
func digits(s string) int {
	whole, fraction, _ := strings.Cut(s, ".")
	return len(strings.TrimLeft(whole+strings.TrimRight(fraction, "0"), "0"))
}
