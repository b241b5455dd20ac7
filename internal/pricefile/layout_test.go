package pricefile

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
)

func TestAColumnNameMeansOneThing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		means    Meaning
		currency price.Currency
	}{
		"SKU": {MeansSKU, ""}, "seller-sku": {MeansSKU, ""}, "Händler-SKU": {MeansSKU, ""}, "HA\u0308NDLER_SKU": {MeansSKU, ""}, "出品者SKU": {MeansSKU, ""},
		"Preis (EUR)": {MeansPrice, "EUR"}, "Preis [€]": {MeansPrice, "EUR"}, "Preis in EUR": {MeansPrice, "EUR"}, "Preis EUR": {MeansPrice, "EUR"}, "price in GBP": {MeansPrice, "GBP"},
		"Price(£)": {MeansPrice, "GBP"}, "Preis brutto (EUR)": {MeansPrice, "EUR"}, "Prezzo (IVA inclusa)": {MeansPrice, ""}, "Prix TTC": {MeansPrice, ""},
		"minimum-seller-allowed-price": {MeansMin, ""}, "Min. Price": {MeansMin, ""}, "Mindest-Preis": {MeansMin, ""}, "Max.-Preis (EUR)": {MeansMax, "EUR"}, "Höchst-Preis": {MeansMax, ""}, "Prix maxi": {MeansMax, ""}, "Preis: *": {MeansPrice, ""},
		"quantity-lower-bound1": {tierQuantity[0], ""}, "Quantity Price 5": {tierPrice[4], ""}, "Staffelpreis 2 (EUR)": {tierPrice[1], "EUR"}, "Quantity Price Type": {MeansTierType, ""},
		"Prezzo d'offerta": {"", ""}, "quantity": {"", ""}, "Quantity Price 6": {"", ""}, "Quantity Price 0": {"", ""}, "Quantity Price": {"", ""},
		"Preis netto": {"", ""}, "Preis (netto)": {"", ""}, "net price": {"", ""}, "price excl vat": {"", ""}, "Preis ($)": {"", ""}, "SKU (EUR)": {"", ""}, "VK neu (USD)": {"", "USD"},
		"Price EUR GBP": {"", ""}, "EUR": {"", ""}, "(EUR)": {"", ""}, "": {"", ""}, "price type": {"", ""}, "old price": {"", ""}, "shipping price": {"", ""},
		"ASIN 1": {MeansASIN, ""}, "asin2": {"", ""}, "EAN-Nummer": {MeansEAN, ""}, "Identificativo del prodotto": {MeansProduct, ""}, "Código EAN": {MeansEAN, ""}, //nolint:misspell // words of five languages
	} {
		m, c := meaningOf([]byte(name))
		if m != tc.means || c != tc.currency {
			t.Errorf("%q: got %q in %q, want %q in %q", name, m, c, tc.means, tc.currency)
		}
	}
}

// A word in two lists would mean what the order of a map decides.
func TestNoWordIsInTwoLists(t *testing.T) {
	t.Parallel()
	for _, w := range []map[string]Meaning{words, tierWords, units, clearing} {
		for name := range w {
			if plainHeader(name) != name || name == "" {
				t.Errorf("%q is not in the plain form, so that no header is ever equal to it", name)
			}
			if w["clear"] == "" && clearing[name] != "" {
				t.Errorf("%q is both a name and the word for clearing", name)
			}
			if parseNumber([]byte(name)).form != bad {
				t.Errorf("%q is a number", name)
			}
		}
	}
	known := Meanings()
	for name, m := range words {
		if !slices.Contains(known, m) {
			t.Errorf("%q means %q, which is not among Meanings", name, m)
		}
	}
}

func TestTwoColumnsThatMeanTheSameAreRefusedByName(t *testing.T) {
	t.Parallel()
	_, err := openString("SKU;Preis (EUR);Nuovo prezzo;Titel\nA;1,00;2,00;x\n", germany)
	var f *fault.Fault
	if !errors.As(err, &f) || !strings.Contains(f.Public, `"Preis (EUR)" and "Nuovo prezzo"`) {
		t.Fatalf("got %v", err)
	}
	// The seller says which one counts.
	headers := f.Extra["headers"].([]string)
	o := Options{Marketplace: germany, Mappings: Mappings{f.Extra["fingerprint"].(string): {MeansSKU, "", MeansPrice, ""}}}
	file, err := Open(strings.NewReader("SKU;Preis (EUR);Nuovo prezzo;Titel;\nA;1,00;2,00;x\n"), o)
	if err != nil {
		t.Fatal(err)
	}
	for row, errs := range file.Rows() {
		if errs != nil || row.Edit.Set.Our.Decimal() != "2.00" {
			t.Errorf("%+v %v", row, errs)
		}
	}
	if l := file.Layout(); !l.Remembered || l.Fingerprint != Fingerprint(headers) {
		t.Errorf("%+v", l)
	}
}

func TestAColumnsCurrencyMustBeTheRows(t *testing.T) {
	t.Parallel()
	rows, errs := read(t, "sku;country;price in GBP\nA;DE;5.00\nB;GB;5.00\nC;;5.00\n", "")
	if want := []string{"2 currency-mismatch price in GBP=5.00", "4 no-marketplace country="}; !slices.Equal(errs, want) || len(rows) != 1 {
		t.Errorf("got %q and %d rows", errs, len(rows))
	}
}

func TestClearingTakesAWordAndNothingLess(t *testing.T) {
	t.Parallel()
	rows, errs := read(t, "sku;price;min;sale price;sale from;sale to;tier quantity 1;tier price 1;tier quantity 2;tier price 2\n"+
		"A;5,00;Clear;;;;;;;\n"+
		"B;;;LÖSCHEN;;;5;4,00;;\n"+
		"C;;;rimuovi;rimuovi;;clear;;;borrar\n"+
		"D;;-;;;;;;;\n"+
		"E;;;clear;2030-01-01;;;;;\n"+
		"F;;;;;;5;clear;10;3,00\n"+
		"G;;clear price;;;;;;;\n", germany)
	want := []string{"5 not-a-number min=-", "6 contradictory-clear sale from=2030-01-01", "7 incomplete-tier tier price 1=", "7 contradictory-clear tier price 1=clear", "8 not-a-number min=clear price"}
	if !slices.Equal(errs, want) {
		t.Errorf("got %q", errs)
	}
	var got []string
	for _, r := range rows {
		got = append(got, string(r.SKU)+" "+r.Edit.Set.Summary(r.Edit.Touched()))
		if err := r.Edit.Validate(); err != nil {
			t.Errorf("%s: %v", r.SKU, err)
		}
	}
	if want := []string{"A price 5.00 EUR, minimum_price none", "B sale_price none, b2b_tiers 4.00 EUR from 5", "C sale_price none, b2b_tiers none"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
