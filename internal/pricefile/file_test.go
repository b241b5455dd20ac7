package pricefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
	"pricemanager/internal/xlsx/xlsxtest"
)

const germany, usa = price.MarketplaceID("A1PA6795UKMFR9"), price.MarketplaceID("ATVPDKIKX0DER")

func openString(content string, m price.MarketplaceID) (*File, error) {
	return openWith(content, Options{Marketplace: m})
}

func openWith(content string, o Options) (*File, error) {
	return Open(strings.NewReader(content), o)
}

// read returns the good rows and the errors of a file as "line code column=value".
func read(t *testing.T, content string, m price.MarketplaceID) ([]Row, []string) {
	t.Helper()
	f, err := openString(content, m)
	if err != nil {
		t.Fatal(err)
	}
	var rows []Row
	var errs []string
	n := 0
	for row, bad := range f.Rows() {
		n++
		for _, e := range bad {
			errs = append(errs, fmt.Sprintf("%d %s %s=%s", e.Line, e.Code, e.Column, e.Value))
			if e.Reason == "" || e.Fix == "" {
				t.Errorf("error %+v does not say what and how to fix it", e)
			}
		}
		if len(bad) == 0 {
			rows = append(rows, row)
		}
	}
	if n != f.Count() {
		t.Errorf("%d rows yielded, %d counted", n, f.Count())
	}
	return rows, errs
}

func money(s string, c price.Currency) *price.Money {
	m, err := price.ParseMoney(s, c)
	if err != nil {
		panic(err)
	}
	return &m
}

func date(s string) time.Time {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return d
}

var moneyEqual = cmp.Comparer(func(a, b price.Money) bool { return a == b })

// named fills in what every row of a file with SKUs has.
func named(rows []Row) []Row {
	for i, r := range rows {
		rows[i].Ref = Ref{Kind: price.BySKU, Value: string(r.SKU)}
	}
	return rows
}

func TestAmazonsTemplateIsRead(t *testing.T) {
	t.Parallel()
	rows, errs := read(t, "TemplateType=PriceInventory\tVersion=2018.0924\t\t\n"+
		"SKU\tPrice\tMinimum price\tQuantity\tBusiness Price\tSale Price\tSale Start Date\tSale End Date\n"+
		"sku\tprice\tminimum-seller-allowed-price\tquantity\tbusiness-price\tsale-price\tsale-start-date\tsale-end-date\r\n"+
		"A 1/#%+\t19.99\t15.00\t7\t18.50\t17.49\t2030-03-01\t2030-03-08\r\n"+
		"\t\t\t\t\t\t\t\n"+
		"\"B \"\"2\"\"\"\t\t5\t\t\t\t\t\n"+
		"C\"3\t1,250.00\n", usa)
	want := []Row{
		{Line: 4, SKU: "A 1/#%+", Marketplace: usa, Edit: price.Edit{Set: price.Prices{
			Our: money("19.99", "USD"), Min: money("15", "USD"), B2B: money("18.5", "USD"),
			Sale: &price.Sale{Price: *money("17.49", "USD"), Start: date("2030-03-01"), End: date("2030-03-09")},
		}}},
		{Line: 6, SKU: `B "2"`, Marketplace: usa, Edit: price.Edit{Set: price.Prices{Min: money("5", "USD")}}},
		{Line: 7, SKU: `C"3`, Marketplace: usa, Edit: price.Edit{Set: price.Prices{Our: money("1250", "USD")}}},
	}
	if diff := cmp.Diff(named(want), rows, moneyEqual); diff != "" || errs != nil {
		t.Error(diff, errs)
	}
}

func TestEuropeanFilesAreReadInFiveLanguages(t *testing.T) {
	t.Parallel()
	want := []Row{{Line: 2, SKU: "Größe-Ü", Marketplace: germany, Edit: price.Edit{Set: price.Prices{
		Our: money("1234.50", "EUR"), Min: money("999", "EUR"), Max: money("2000", "EUR"), B2B: money("1200.00", "EUR"),
		Sale: &price.Sale{Price: *money("1100", "EUR"), Start: date("2030-03-01"), End: date("2030-04-01")},
	}}}}
	for language, header := range map[string]string{
		"German":  "Verkäufer-SKU;Marktplatz;Preis;Währung;Angebotspreis;Angebot von;Angebot bis;Mindestpreis;Höchstpreis;B2B-Preis",
		"Italian": "SKU;Mercato;Prezzo;Valuta;Prezzo scontato;Inizio sconto;Fine sconto;Prezzo minimo;Prezzo massimo;Prezzo B2B",
		"French":  "SKU vendeur;Place de marché;Prix;Devise;Prix promo;Début promo;Fin promo;Prix minimum;Prix maximum;Prix B2B",
		"Spanish": "SKU del vendedor;País;Precio;Moneda;Precio de oferta;Inicio de oferta;Fin de oferta;Precio mínimo;Precio máximo;Precio B2B",
		"English": "SELLER_SKU;Country;Our price;Currency;Sale price;Sale from;Sale to;Min price;Max price;B2B price",
	} {
		rows, errs := read(t, "\ufeff"+header+"\nGröße-Ü;Amazon.de;1.234,50;eur;1100,00;01.03.2030;31.03.2030;999,00;2.000,00;\"1.200,00\"\n", "")
		if diff := cmp.Diff(named(want), rows, moneyEqual); diff != "" || errs != nil {
			t.Error(language, diff, errs)
		}
	}
}

func TestAFilesConventionIsProvenColumnByColumn(t *testing.T) {
	t.Parallel()
	rows, errs := read(t, "sku;price;min price;b2b price\n"+
		"A;1.234;1,00;1.234\n"+ // price is proven by the next row, B2B by nothing
		"B;19,99;5;\n"+
		"C;5;1.00;\n"+ // min is written both ways, each value by itself is clear
		"D;5;1.234;\n", germany)
	want := []string{"2 ambiguous-number b2b price=1.234", "5 ambiguous-number min price=1.234"}
	if !slices.Equal(errs, want) || len(rows) != 2 {
		t.Errorf("got %q and %d rows, want %q", errs, len(rows), want)
	}
	f, err := openString("sku,price,min\nA,\"1,234\",2\nB,1.5,3\n", germany)
	if err != nil {
		t.Fatal(err)
	}
	for row := range f.Rows() {
		if row.SKU == "A" && row.Edit.Set.Our.Decimal() != "1234.00" {
			t.Errorf("1,234 beside 1.5 is %s", row.Edit.Set.Our)
		}
	}
	if got := f.Layout().Columns; got[1].Reads != "decimal point" || got[2].Reads != "" {
		t.Errorf("mapping says %+v", got)
	}
}

func TestEveryBadCellOfARowIsReported(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", MaxCell+1)
	rows, errs := read(t, "sku,country,currency,price,sale price,sale from,sale to,min\n"+
		",XX,GEL,abc,-1,2030-02-30,,0\n"+ // amounts need a currency, so their size is not judged
		"A,DE,USD,-5,,,,0\n"+
		"B,,,5,,,,\n"+
		"C,XX,,,,,,\n"+
		"D,DE,,19.999,,,,99999999999999999999\n"+
		"E,DE,,5,4,03/04/2030,31/13/2030,\n"+
		"F,DE,,5,,,2030-01-01,\n"+
		"G,DE,,5,,,,,,7\n"+
		"H,DE,,\"5\"x,,,,\n"+
		"I,DE,,"+long+",,,,\n"+
		"J,JP,,5.50,,,,\n"+
		"K,DE,,5,4,0001-01-01,2030-01-01,\n"+
		strings.Repeat("M", MaxSKU+1)+",DE,,5,,,,\n"+
		"\"N\nN\",DE,,5,,,,\n"+
		"L,DE,EUR,5.00,,,,\n", "")
	want := []string{
		"2 missing-sku sku=", "2 unknown-marketplace country=XX", "2 unknown-currency currency=GEL", "2 not-a-number price=abc",
		"2 incomplete-sale sale to=", "2 not-a-date sale from=2030-02-30",
		"3 currency-mismatch currency=USD", "3 not-positive price=-5", "3 not-positive min=0",
		"4 no-marketplace country=",
		"5 unknown-marketplace country=XX", "5 blank-price price=",
		"6 too-many-decimals price=19.999", "6 number-too-large min=99999999999999999999",
		"7 ambiguous-date sale from=03/04/2030", "7 not-a-date sale to=31/13/2030",
		"8 incomplete-sale sale price=", "8 incomplete-sale sale from=",
		"9 extra-cells =7",
		"10 broken-quote =H",
		"11 cell-too-long price=" + strings.Repeat("x", 100) + "…",
		"12 too-many-decimals price=5.50",
		"13 not-a-date sale from=0001-01-01",
		"14 bad-sku sku=" + strings.Repeat("M", 100) + "…",
		"15 bad-sku sku=N\nN",
	}
	if diff := cmp.Diff(want, errs); diff != "" || len(rows) != 1 || rows[0].SKU != "L" {
		t.Error(diff, rows)
	}
}

// Amazon's reports have descriptions of 2,000 characters.
func TestAColumnThatMeansNothingMayBeLong(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", MaxCell+1)
	for _, content := range []string{
		"sku\tdescription\tprice\nA\t" + long + "\t1,50\nB\t\t1.234\n", "sku;description;price\nA;\"" + long + "\";1,50\nB;;1.234\n",
		`[{"sku":"A","description":"` + long + `","price":"1,50"},{"sku":"B","price":"1.234"}]`,
		string(xlsxtest.One(line("sku", "description", "price") + line("A", long, "1,50") + line("B", "", "1.234")).Bytes()),
	} {
		rows, errs := read(t, content, germany)
		if errs != nil || *rows[0].Edit.Set.Our != *money("1.50", "EUR") || *rows[1].Edit.Set.Our != *money("1234", "EUR") {
			t.Errorf("%+v %q", rows, errs)
		}
	}
	_, errs := read(t, "sku,description,price\nA,\""+long+"\"x,1.50\nB,,1.50,"+long+"\n", germany)
	if want := []string{"2 broken-quote =A", "3 cell-too-long =" + strings.Repeat("ä", shown) + "…"}; !slices.Equal(errs, want) {
		t.Errorf("got %q, want %q", errs, want)
	}
}

func TestAMismatchedCurrencyNamesBoth(t *testing.T) {
	t.Parallel()
	f, err := openString("sku;price;currency\nA;5,00;USD\n", germany)
	if err != nil {
		t.Fatal(err)
	}
	for _, errs := range f.Rows() {
		if len(errs) != 1 || !strings.Contains(errs[0].Reason, "USD") || !strings.Contains(errs[0].Reason, "EUR") {
			t.Errorf("got %+v", errs)
		}
	}
}

func TestDaysEndWithTheDayAndTimesAreExact(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		d, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return d.UTC()
	}
	for _, tc := range []struct {
		from, to   string
		start, end time.Time
	}{
		{"2030-02-28", "2030-02-28", at("2030-02-28T00:00:00Z"), at("2030-03-01T00:00:00Z")},
		{"31.12.2030", "31.12.2030", at("2030-12-31T00:00:00Z"), at("2031-01-01T00:00:00Z")},
		{"13/04/2030", "14/05/2030", at("2030-04-13T00:00:00Z"), at("2030-05-15T00:00:00Z")},
		{"2030-04-01T08:00:00+02:00", "2030-04-02T10:30Z", at("2030-04-01T06:00:00Z"), at("2030-04-02T10:30:00Z")},
		{"2030-04-01 08:00:00-02:00", "2030-04-02T10:30:01.9Z", at("2030-04-01T10:00:00Z"), at("2030-04-02T10:30:01Z")},
	} {
		rows, errs := read(t, "sku;price;sale price;sale from;sale to\nA;9,99;8,99;"+tc.from+";"+tc.to+"\n", germany)
		if errs != nil {
			t.Fatal(tc.from, errs)
		}
		if s := rows[0].Edit.Set.Sale; !s.Start.Equal(tc.start) || !s.End.Equal(tc.end) {
			t.Errorf("%s to %s: got %s to %s", tc.from, tc.to, s.Start, s.End)
		}
	}
}

// A file that has no columns for the rest of a sale is told so at the one it has.
func TestAHalfSaleNamesAColumnOfTheFile(t *testing.T) {
	t.Parallel()
	_, errs := read(t, "sku;price;sale price\nA;9,99;8,99\n", germany)
	if want := []string{"2 incomplete-sale sale price=", "2 incomplete-sale sale price="}; !slices.Equal(errs, want) {
		t.Errorf("got %q, want %q", errs, want)
	}
}

func TestASlashedDateNeedsAColumnThatProvesItsOrder(t *testing.T) {
	t.Parallel()
	head := "sku;price;sale price;sale from;sale to\n"
	_, errs := read(t, head+"A;9,99;8,99;01/02/2030;2030-04-01\nB;9,99;8,99;13/02/2030;2030-04-01\n", germany)
	if errs != nil {
		t.Errorf("proven day first: %q", errs)
	}
	_, errs = read(t, head+"A;9,99;8,99;01/02/2030;2030-04-01\nB;9,99;8,99;13/02/2030;2030-04-01\nC;9,99;8,99;02/13/2030;2030-04-01\n", germany)
	if want := []string{"2 ambiguous-date sale from=01/02/2030", "4 not-a-date sale from=02/13/2030"}; !slices.Equal(errs, want) {
		t.Errorf("both orders: got %q, want %q", errs, want)
	}
}

func TestRepeatedRowsAreRefusedUnlessTheyAgree(t *testing.T) {
	t.Parallel()
	rows, errs := read(t, "sku;country;price;b2b\n"+
		"A;DE;10,00;\n"+
		"B;DE;10,00;\n"+
		"A;FR;11,00;\n"+ // another marketplace
		"B;A1PA6795UKMFR9;10;\n"+ // the same, written differently
		"A;DE;10,50;\n"+ // contradicts line 2
		"A;DE;10,00;\n"+
		"C;DE;7,00;\n"+
		"C;DE;x;\n", "") // nobody knows what C was meant to cost
	wantErrs := []string{
		"2 conflicting-duplicate sku=A", "6 conflicting-duplicate sku=A", "7 conflicting-duplicate sku=A",
		"8 conflicting-duplicate sku=C", "9 not-a-number price=x", "9 conflicting-duplicate sku=C",
	}
	if diff := cmp.Diff(wantErrs, errs); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprint(r.Line, r.SKU, r.SameAs))
	}
	if want := []string{"3B0", "4A0", "5B3"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestABrokenQuoteCostsOneRow(t *testing.T) {
	t.Parallel()
	rows, errs := read(t, "sku,price,title\n\"A,1.50\nB,2.50\nC,3.50,\"of \nmany\nlines\"\nD,4.50\n\"E\n\",5.50", germany)
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprintf("%d %q", r.Line, r.SKU))
	}
	if want := []string{`3 "B"`, `4 "C"`, `7 "D"`, `8 "E"`}; !slices.Equal(got, want) || !slices.Equal(errs, []string{`2 broken-quote ="A`}) {
		t.Errorf("got %q and %q, want %q", got, errs, want)
	}
}

func TestFilesThatCannotBeUnderstoodSayWhy(t *testing.T) {
	t.Parallel()
	wide := "sku;price" + strings.Repeat(";x", MaxColumns)
	for _, tc := range []struct {
		name, content string
		kind          fault.Kind
		typ, says     string
	}{
		{"binary", "sku;price\nA;\x00\n", fault.Unsupported, "price-file-format", "not text"},
		{"nothing", "", fault.Invalid, "price-file-empty", "The file is empty"},
		{"nothing to see", "\ufeff \n\n", fault.Invalid, "price-file-empty", "The file is empty"},
		{"no header", "A;19,99\n", fault.Invalid, "price-file-header", "A, 19,99"},
		{"no price column", "sku;stock\nA;3\n", fault.Invalid, "price-file-header", "stock"},
		{"no rows", "sku;price\n;;\n\n", fault.Invalid, "price-file-empty", "no rows"},
		{"two price columns", "sku;price;preis\nA;1;2\n", fault.Invalid, "price-file-columns", `"preis"`},
		{"too wide", wide + "\nA;1\n", fault.Invalid, "price-file-columns", "200"},
	} {
		_, err := openString(tc.content, germany)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Kind != tc.kind || f.Type != tc.typ || !strings.Contains(f.Public, tc.says) {
			t.Errorf("%s: got %v, want %s %s with %q", tc.name, err, tc.kind, tc.typ, tc.says)
		}
	}
	if _, err := openString("sku;price\nA;1\n", "nowhere"); err == nil {
		t.Error("an unknown standard marketplace passes")
	}
}

func TestTheMappingNamesEveryColumn(t *testing.T) {
	t.Parallel()
	f, err := openString("sep=;\nSKU;Titel;Preis;Angebot von\nA;x;19,99;\nB;y;1.000,00;13/01/2030\n", germany)
	if err != nil {
		t.Fatal(err)
	}
	want := Layout{Kind: FreeLayout, Separator: "semicolon", HeaderLine: 2, Encoding: "UTF-8",
		Fingerprint: Fingerprint([]string{"sku", "titel", "PREIS", "Angebot-von"}), Columns: []Column{
			{Number: 1, Header: "SKU", Means: MeansSKU, Samples: []string{"A", "B"}},
			{Number: 2, Header: "Titel", Samples: []string{"a"}},
			{Number: 3, Header: "Preis", Means: MeansPrice, Reads: "decimal comma", Proof: &Proof{3, "19,99"}, Samples: []string{"19,99", "1.000,00"}},
			{Number: 4, Header: "Angebot von", Means: MeansSaleStart, Reads: "day first", Proof: &Proof{4, "13/01/2030"}, Samples: []string{"13/01/2030"}},
		}}
	if diff := cmp.Diff(want, f.Layout(), cmp.FilterPath(func(p cmp.Path) bool {
		return slices.Contains([]string{".width", ".given"}, p.Last().String()) || p.Last().String() == ".at"
	}, cmp.Ignore())); diff != "" {
		t.Error(diff)
	}
	if f.Column(price.FieldOur) != "Preis" || f.Column(price.FieldB2B) != "" {
		t.Error("a field is not shown under its column's own name")
	}
}

// A column that is not read may be about people: its values are in nothing that is
// kept or said of the file.
func TestOfAColumnThatIsNotReadOnlyTheShapeIsKept(t *testing.T) {
	t.Parallel()
	const file = "sku;price;buyer-email;Telefon;Name\nA;1,50;zsofia@canary.example;+49 151 00998877;Zsófia Ōta ２\nB;kaputt;otto@canary.example;;\n"
	f, err := openString(file, germany)
	if err != nil {
		t.Fatal(err)
	}
	var rows []byte
	for row, bad := range f.Rows() {
		rows = fmt.Appendf(rows, "%+v %+v\n", row, bad)
	}
	defer func() { _ = f.Close() }()
	kept, err := json.Marshal(f.Layout())
	if err != nil {
		t.Fatal(err)
	}
	for _, personal := range []string{"zsofia", "otto", "canary", "00998877", "Zs", "Ōta", "２"} {
		if strings.Contains(string(kept), personal) || strings.Contains(string(rows), personal) {
			t.Errorf("%q is in %s\nor %s", personal, kept, rows)
		}
	}
	var got []string
	for _, c := range f.Layout().Columns {
		got = append(got, c.Samples...)
	}
	want := []string{"A", "B", "1,50", "kaputt", "aaaaaa@aaaaaa.aaaaaaa", "aaaa@aaaaaa.aaaaaaa", "+99 999 99999999", "aaaaaa aaa 9"}
	if !slices.Equal(got, want) {
		t.Errorf("samples are %q, want %q", got, want)
	}
}
