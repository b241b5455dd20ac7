package pricefile

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
	"pricemanager/internal/xlsx/xlsxtest"
)

// line makes a row of texts for the sheet; what begins with < stays as it is.
func line(cells ...string) string {
	var b strings.Builder
	b.WriteString("<row>")
	for _, c := range cells {
		switch {
		case strings.HasPrefix(c, "<"):
			b.WriteString(c)
		case c == "":
			b.WriteString("<c/>")
		default:
			b.WriteString(`<c t="inlineStr"><is><t>` + c + `</t></is></c>`)
		}
	}
	return b.String() + "</row>"
}

func num(s string) string           { return "<c><v>" + s + "</v></c>" }
func styled(style, s string) string { return `<c s="` + style + `"><v>` + s + "</v></c>" }
func refusedWith(t *testing.T, content string, kind fault.Kind, text string) {
	t.Helper()
	_, err := Open(strings.NewReader(content), Options{Marketplace: germany})
	var f *fault.Fault
	if !errors.As(err, &f) || f.Kind != kind || !strings.Contains(f.Public, text) {
		t.Errorf("%v, want %s with %q", err, kind, text)
	}
}

func TestWorkbooksAreReadLikeOtherFiles(t *testing.T) {
	t.Parallel()
	b := xlsxtest.One(line("Preisliste Frühjahr") + "<row/>" + line("SKU", "Preis", "Mindestpreis", "Angebotspreis", "Angebot von", "Angebot bis") +
		line("A-1", num("19.989999999999998"), num("1.234"), num("17"), styled("1", "47543"), styled("1", "47573")) +
		line(styled("2", "123"), "1.234,50", "", "", "", ""))
	b.Formats, b.Styles = map[int]string{164: "00000"}, []int{0, 14, 164}
	rows, errs := read(t, string(b.Bytes()), germany)
	// 1.234 is a number of the workbook: no text of the column has to prove how it is written.
	want := []string{"4 too-many-decimals Mindestpreis=1.234"}
	if diff := cmp.Diff(want, errs); diff != "" {
		t.Error(diff)
	}
	if len(rows) != 1 || rows[0].SKU != "00123" || *rows[0].Edit.Set.Our != *money("1234.50", "EUR") || rows[0].Line != 5 {
		t.Errorf("%+v", rows)
	}
	b.Sheets[0].Rows = strings.Replace(b.Sheets[0].Rows, "1.234<", "1.23<", 1)
	rows, errs = read(t, string(b.Bytes()), germany)
	if errs != nil || *rows[0].Edit.Set.Our != *money("19.99", "EUR") || *rows[0].Edit.Set.Min != *money("1.23", "EUR") ||
		!rows[0].Edit.Set.Sale.Start.Equal(date("2030-03-01")) || !rows[0].Edit.Set.Sale.End.Equal(date("2030-04-01")) {
		t.Errorf("%+v %v", rows, errs)
	}
}

// A number of the workbook says nothing about how people write texts beside it.
func TestNumbersProveNothingAboutTexts(t *testing.T) {
	t.Parallel()
	_, errs := read(t, string(xlsxtest.One(line("sku", "price")+line("A", num("19.99"))+line("B", "1,234")).Bytes()), germany)
	if diff := cmp.Diff([]string{"3 ambiguous-number price=1,234"}, errs); diff != "" {
		t.Error(diff)
	}
}

func TestCellsThatAreNoValuesAreRefusedWithTheirReason(t *testing.T) {
	t.Parallel()
	b := xlsxtest.One(line("sku", "price", "note") +
		line("A", `<c t="e"><f>1/0</f><v>#DIV/0!</v></c>`, `<c t="e"><v>#N/A</v></c>`) +
		line(`<c t="e"><v>#N/A</v></c>`, num("1")) +
		line(`<c t="e"><v>#N/A</v></c>`, num("2")) +
		line("C", `<c><f>B2*2</f></c>`) +
		line("D", `<c t="b"><v>1</v></c>`) +
		line("E", styled("1", "0.15")) +
		line("F", styled("2", "0.5")) +
		line("G", styled("3", "45000")) +
		line(styled("3", "45000"), num("3")) +
		line("I", styled("4", "19990")) +
		line("J", num("1234567890123456")) +
		line(num("12345678901234567"), num("5")) +
		line("L", styled("5", "9.99")) +
		line("M", styled("6", "9.99")))
	b.Formats = map[int]string{164: "0,", 165: `0.00 "$"`, 166: `0.00 "€"`}
	b.Styles = []int{0, 9, 20, 14, 164, 165, 166}
	rows, errs := read(t, string(b.Bytes()), germany)
	want := []string{
		"2 no-result price=#DIV/0!", "3 no-result sku=#N/A", "4 no-result sku=#N/A", "5 no-result price==B2*2", "6 wrong-type price=TRUE",
		"7 wrong-type price=15%", "8 wrong-type price=0.5", "9 wrong-type price=2023-03-15", "10 wrong-type sku=2023-03-15",
		"11 wrong-type price=19990", "12 lost-digits price=1234567890123456", "13 lost-digits sku=12345678901234567",
		"14 currency-mismatch price=9.99",
	}
	if diff := cmp.Diff(want, errs); diff != "" {
		t.Error(diff)
	}
	if len(rows) != 1 || rows[0].SKU != "M" {
		t.Errorf("%+v", rows)
	}
}

func TestTheFirstVisibleSheetWithAHeaderIsReadAndNamed(t *testing.T) {
	t.Parallel()
	good := line("sku", "price") + line("A", num("1"))
	b := xlsxtest.Book{Sheets: []xlsxtest.Sheet{
		{Name: "Hidden", State: "veryHidden", Rows: good}, {Name: "Notes", Rows: line("read me")}, {Name: "Empty"},
		{Name: "Preise &amp; mehr", Rows: good}, {Name: "More", Rows: line("sku", "price", "min", "max") + line("B", num("2"))},
	}}
	f, err := Open(bytes.NewReader(b.Bytes()), Options{Marketplace: germany})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l := f.Layout()
	if diff := cmp.Diff([]string{"Notes", "More"}, l.OtherSheets); diff != "" || l.Sheet != "Preise & mehr" || l.Separator != "xlsx" || f.Count() != 1 {
		t.Errorf("%+v %s", l, diff)
	}
	b.Sheets = b.Sheets[:3]
	refusedWith(t, string(b.Bytes()), fault.Invalid, "No header row was found")
	b.Sheets = b.Sheets[:1]
	refusedWith(t, string(b.Bytes()), fault.Invalid, "no visible sheet")
}

func TestOfficeFilesOfOtherKindsAreNamed(t *testing.T) {
	t.Parallel()
	extra := func(name string) string {
		b := xlsxtest.One("")
		b.Extra = map[string]string{name: "x"}
		return string(b.Bytes())
	}
	refusedWith(t, extra("xl/vbaProject.bin"), fault.Unsupported, "macros")
	refusedWith(t, extra("word/document.xml"), fault.Unsupported, "Word")
	refusedWith(t, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"+strings.Repeat("\x00", 1000), fault.Unsupported, "Excel 97")
	good := string(xlsxtest.One(line("sku", "price") + line("A", num("1"))).Bytes())
	refusedWith(t, good[:len(good)-30], fault.Invalid, "workbook is cut off")
	refusedWith(t, good[:len(good)/2], fault.Invalid, "workbook is cut off")
}

func TestWideRowsOfAWorkbookAreRefusedOneByOne(t *testing.T) {
	t.Parallel()
	b := xlsxtest.One(`<row r="1"><c r="A1" t="str"><v>sku</v></c><c r="B1" t="str"><v>price</v></c></row>` +
		`<row r="2"><c r="A2" t="str"><v>A</v></c><c r="B2"><v>1</v></c><c r="GS2"><v>7</v></c><c r="XFD2"><v>8</v></c></row>` +
		`<row r="3"><c r="A3" t="str"><v>B</v></c><c r="B3"><v>1</v></c><c r="XFD3" t="str"><v> </v></c></row>`)
	rows, errs := read(t, string(b.Bytes()), germany)
	if diff := cmp.Diff([]string{"2 extra-cells =7"}, errs); diff != "" || len(rows) != 1 {
		t.Error(diff, rows)
	}
	var wide []string
	for range MaxColumns + 1 {
		wide = append(wide, "x")
	}
	refusedWith(t, string(xlsxtest.One(line(append([]string{"sku", "price"}, wide...)...)+line("A", num("1"))).Bytes()), fault.Invalid, "203 columns")
}

func TestSignsOfCurrencies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sign     string
		currency price.Currency
		want     bool
	}{{"€", "EUR", true}, {"€", "USD", false}, {"$", "CAD", true}, {"kr", "SEK", true}, {"EUR", "EUR", true}, {"USD", "EUR", false}, {"pcs", "EUR", true}} {
		if inCurrency(c.sign, c.currency) != c.want {
			t.Errorf("%+v", c)
		}
	}
}
