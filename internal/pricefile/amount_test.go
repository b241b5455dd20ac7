package pricefile

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
	"pricemanager/internal/xlsx/xlsxtest"
)

func TestAnAmountMaySayItsCurrencyOnOneSide(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"19,99 €": "€ 19.99", "€ 19,99": "€ 19.99", "1.234,50\u00a0€": "€ 1234.50", "EUR 12": "EUR 12", "12eur": "eur 12", "US$5.00": "US$ 5.00", "-5,00 €": "€ -5.00", "R 1 234,50": "R 1234.50",
		"1’234.50 £": "£ 1234.50", "19,99": " 19.99",
		"€ 5 €": "bad", "5,00 kg": "bad", "€": "bad", "EUR": "bad", "5 EUR 5": "bad", "12,-": "bad", "(5,00)": "bad", "EUR/St 5": "bad", "- €": "bad", "1.23.45 €": "bad", "5,00 - €": "bad", "A5": "bad",
	} {
		n, sign := parseAmount([]byte(text))
		got := sign + " " + string(n.appendDecimal(nil, either))
		if n.form == bad {
			got = "bad"
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// A price in another currency than the row's is never read as one in the row's.
func TestACurrencyInTheCellMustBeTheRows(t *testing.T) {
	t.Parallel()
	rows, errs := read(t, "sku;country;price;min\nA;DE;19,99 €;EUR 9\nB;DE;$19.99;\nC;GB;£19.99;9 GBP\nD;GB;5 €;\nE;DE;1.234 €;\nF;SE;199 kr;\nG;DE;5;5 PLN\n", "")
	want := []string{"3 currency-mismatch price=$19.99", "5 currency-mismatch price=5 €", "6 ambiguous-number price=1.234 €", "8 currency-mismatch min=5 PLN"}
	if !slices.Equal(errs, want) || len(rows) != 3 || *rows[0].Edit.Set.Our != *money("19.99", "EUR") || *rows[1].Edit.Set.Min != *money("9", "GBP") {
		t.Errorf("%q %+v", errs, rows)
	}
	// What cannot be read in another way is evidence with its currency, too.
	if _, errs = read(t, "sku;price\nA;19,99 €\nB;1.234 €\n", germany); errs != nil {
		t.Error(errs)
	}
}

// A price in a currency that is not known here is not one in the row's.
func TestACurrencyThatIsNotKnownIsAnother(t *testing.T) {
	t.Parallel()
	_, errs := read(t, `[{"sku":"A","price":{"amount":"5.00","currency":"GEL"}},{"sku":"B","price":{"amount":5,"currency":"kr"}},{"sku":"C","price":{"amount":5,"currency":"Euro"}},
		{"sku":"D","price":{"amount":5,"currency":"eur"}},{"sku":"E","price":{"amount":5,"currency":"€"}},{"sku":"F","price":{"amount":5,"currency":""}}]`, germany)
	if want := []string{"1 unknown-currency price=5.00", "2 currency-mismatch price=5", "3 unknown-currency price=5"}; !slices.Equal(errs, want) {
		t.Errorf("%q", errs)
	}
	b := xlsxtest.One(line("sku", "price") + line("A", styled("1", "9.99")) + line("B", styled("2", "9.99")) + line("C", styled("3", "9.99")) + line("D", styled("4", "9.99")))
	b.Formats = map[int]string{164: `0.00\ [$GEL]`, 165: `0.00\ [$₽-419]`, 166: `0.00\ \U\S\D`, 167: `0.00\ "pcs"`}
	b.Styles = []int{0, 164, 165, 166, 167}
	_, errs = read(t, string(b.Bytes()), germany)
	if want := []string{"2 currency-mismatch price=9.99", "3 currency-mismatch price=9.99", "4 currency-mismatch price=9.99"}; !slices.Equal(errs, want) {
		t.Errorf("%q", errs)
	}
}

// A header that was mapped states its currency like one that is known.
func TestAMappedHeaderKeepsItsCurrency(t *testing.T) {
	t.Parallel()
	const file = "Art.Nr;VK neu (USD);VK alt (EUR)\nA;5,00;4,00\n"
	o := Options{Marketplace: germany, Mappings: Mappings{Fingerprint([]string{"Art.Nr", "VK neu (USD)", "VK alt (EUR)"}): {MeansSKU, MeansPrice, ""}}}
	f, err := openWith(file, o)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, errs := range f.Rows() {
		if len(errs) != 1 || errs[0].Code != CodeCurrency {
			t.Errorf("%+v", errs)
		}
	}
	if c := f.Layout().Columns; c[1].Currency != "USD" || c[2].Currency != "" {
		t.Errorf("%+v", c)
	}
}

// Whatever stands in a column, a text with one separator before three digits is
// never read as a price with three decimals: beside one 99.50, 1.500 would have
// become 1.50.
func TestThousandsAreNeverReadAsDecimals(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"sku;price\nA;1.500\nB;99.50\n", "sku\tprice\nA\t1,500\nB\t99,50\n", "sku;price\nA;19.990\nB;99.50\n", `[{"sku":"A","price":"1.500"},{"sku":"B","price":"99.50"}]`} {
		_, errs := read(t, content, germany)
		if len(errs) != 1 || errs[0][2:19] != "too-many-decimals" {
			t.Errorf("%q: %q", content, errs)
		}
	}
	if rows, errs := read(t, `[{"sku":"A","price":19.990},{"sku":"B","price":{"amount":"19.990"}}]`, germany); errs != nil || *rows[0].Edit.Set.Our != *money("19.99", "EUR") {
		t.Error(errs)
	}
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.StringMatching(`[1-9]\d{0,2}[.,]\d{3}( €)?`).Draw(t, "cell")
		other := rapid.SampledFrom([]string{"99.50", "99,50", "5", "1.234,50", "1,234.50 €", "7.000"}).Draw(t, "other")
		f, err := openString("sku;price\nA;"+cell+"\nB;"+other+"\n", germany)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for row, errs := range f.Rows() {
			if row.SKU == "A" && len(errs) == 0 && row.Edit.Set.Our.Cmp(price.FromMinor(100_000, "EUR")) < 0 {
				t.Fatalf("%s beside %s is %s", cell, other, row.Edit.Set.Our)
			}
		}
	})
}

// In a file with commas, an unquoted 19,99 moves what follows it to the right.
func TestADecimalCommaWithoutQuotesIsNoticed(t *testing.T) {
	t.Parallel()
	_, errs := read(t, "sku,price,max\nA,19,99,\nB,19,\nC,\"19,99\",\nD,19,99,100\n", germany)
	if want := []string{"2 extra-cells =", "5 extra-cells =100"}; !slices.Equal(errs, want) {
		t.Errorf("%q", errs)
	}
	_, errs = read(t, "sku,price,max\nA,€19,99 €,\n", germany)
	if want := []string{"2 extra-cells ="}; !slices.Equal(errs, want) {
		t.Errorf("%q", errs)
	}
	_, errs = read(t, "sku,weight,price,max\nA,1,5,19.99,\n", germany)
	if want := []string{"2 extra-cells ="}; !slices.Equal(errs, want) {
		t.Errorf("%q", errs)
	}
	// As spreadsheets save a table beside which cells were once used, and other
	// separators, which no price holds.
	for _, content := range []string{"sku,price,,\nA,19.99,,\n", "sku,price\nA-1,19.99,\nA-2,20,\n", "sku;price\nA;19,99;;\n"} {
		if _, errs := read(t, content, germany); errs != nil {
			t.Errorf("%q: %q", content, errs)
		}
	}
}

func TestWhatIsNotSeenIsNotRead(t *testing.T) {
	t.Parallel()
	rows, errs := read(t, "\ufeff\ufeffsku;pr\u00adice\nA;\u200e19,99\n\ufeffB;1\u2009234,50\nC;1’000,50\n", germany)
	if errs != nil || rows[1].SKU != "B" || *rows[0].Edit.Set.Our != *money("19.99", "EUR") || *rows[1].Edit.Set.Our != *money("1234.5", "EUR") || *rows[2].Edit.Set.Our != *money("1000.5", "EUR") {
		t.Errorf("%+v %q", rows, errs)
	}
}

func TestASheetWithoutRowsIsNamed(t *testing.T) {
	t.Parallel()
	b := xlsxtest.Book{Sheets: []xlsxtest.Sheet{{Name: "Vorlage", Rows: line("sku", "price")}, {Name: "Preise", Rows: line("sku", "price") + line("A", num("1"))}}}
	refusedWith(t, string(b.Bytes()), fault.Invalid, `The sheet "Vorlage" has a header but no rows`)
}
