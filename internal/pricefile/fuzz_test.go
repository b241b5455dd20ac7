package pricefile

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"pricemanager/internal/price"
)

// FuzzOpen: whatever the bytes are, reading ends, every row is yielded once,
// and a row without errors has something to say that is above zero.
func FuzzOpen(f *testing.F) {
	for _, s := range []string{
		"sku\tprice\nA\t1.00\n", "\ufeffSKU;Preis;Angebotspreis;Angebot von;Angebot bis\nÄ;1.234,50;1.000,00;01.02.2030;2030-03-01T00:00Z\n",
		"sku,price,country\n\"a\"\"b\",\"1,5\",DE\nA,\"x\n\"\"", "sku|price\r\nA|1.234\r\nA|1,234", "sku;price\rA;1\rA;2\r", "sku,price\n\"\"\"\n\"\n",
		"\ufeff\ufeffsku,price (EUR),max\nA,19,99,\nB,€ 5,\nC,-5 EUR,’\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) { promises(t, string(content)) })
}

// promises fails when reading a file breaks what FuzzOpen promises.
func promises(t *testing.T, content string) {
	file, err := openString(content, germany)
	if err != nil {
		return
	}
	defer file.Close()
	n, last := 0, 0
	for row, errs := range file.Rows() {
		n++
		if row.Line <= last {
			t.Fatalf("line %d after line %d", row.Line, last)
		}
		last = row.Line
		if len(errs) > 0 {
			continue
		}
		if row.SKU == "" || row.Marketplace == "" || len(row.Edit.Touched()) == 0 {
			t.Fatalf("nothing to say: %+v", row)
		}
		p := row.Edit.Set
		for _, m := range []*price.Money{p.Our, p.Min, p.Max, p.B2B} {
			if m != nil && !m.Positive() {
				t.Fatalf("%s passed", m)
			}
		}
	}
	if n != file.Count() {
		t.Fatalf("%d rows yielded, %d counted", n, file.Count())
	}
}

// A file written in any convention is read back as the prices that were
// written, exactly, wherever nothing is ambiguous; and what is ambiguous is
// refused, never read as something else.
func TestWhatIsWrittenIsWhatIsRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		style := rapid.SampledFrom([]struct{ sep, group, decimal string }{
			{";", ".", ","}, {";", "", ","}, {";", " ", ","}, {"\t", ",", "."}, {"\t", "", "."}, {"|", "'", "."},
		}).Draw(t, "style")
		quoted := rapid.Bool().Draw(t, "quoted")
		decimals := rapid.SampledFrom([]string{"always", "when needed"}).Draw(t, "decimals")
		var text strings.Builder
		text.WriteString("sku" + style.sep + "price" + style.sep + "min\n")
		want := map[price.SKU]price.Money{}
		for i := range rapid.IntRange(1, 30).Draw(t, "rows") {
			m := price.FromMinor(rapid.OneOf(rapid.Int64Range(1, 500_000), rapid.Int64Range(1, 1<<50)).Draw(t, "minor"), "EUR")
			sku := price.SKU(fmt.Sprintf("%s %d", rapid.StringMatching(`[A-Za-zäöü#%+/"-]{1,8}`).Draw(t, "sku"), i))
			want[sku] = m
			whole, frac, _ := strings.Cut(m.Decimal(), ".")
			for at := len(whole) - 3; at > 0 && style.group != ""; at -= 3 {
				whole = whole[:at] + style.group + whole[at:]
			}
			cell := whole + style.decimal + frac
			if decimals == "when needed" && frac == "00" {
				cell = whole
			}
			name := string(sku)
			if quoted {
				name, cell = `"`+strings.ReplaceAll(name, `"`, `""`)+`"`, `"`+cell+`"`
			} else if strings.HasPrefix(name, `"`) {
				name = `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
			}
			text.WriteString(name + style.sep + cell + style.sep + "\n")
		}
		f, err := openString(text.String(), germany)
		if err != nil {
			t.Fatal(err)
		}
		for row, errs := range f.Rows() {
			for _, e := range errs {
				if e.Code != CodeAmbiguousNumber || decimals == "always" {
					t.Fatalf("%+v in\n%s", e, text.String())
				}
			}
			if len(errs) == 0 && *row.Edit.Set.Our != want[row.SKU] {
				t.Fatalf("%q: read %s, written %s", row.SKU, row.Edit.Set.Our, want[row.SKU])
			}
			if _, ok := want[row.SKU]; !ok {
				t.Fatalf("SKU %q was never written", row.SKU)
			}
		}
	})
}

// benchFile has n rows with five price columns and a sale in every tenth row.
func benchFile(n int) []byte {
	var b bytes.Buffer
	b.WriteString("SKU;Marktplatz;Preis;Währung;Mindestpreis;Höchstpreis;B2B-Preis;Angebotspreis;Angebot von;Angebot bis\n")
	for i := range n {
		sale := ";;"
		if i%10 == 0 {
			sale = "17,99;2030-03-01;2030-03-31"
		}
		fmt.Fprintf(&b, "SKU-%07d;DE;%d,%02d;EUR;9,99;1.999,00;;%s\n", i, 19+i%900, i%100, sale)
	}
	return b.Bytes()
}

func BenchmarkRead(b *testing.B) {
	const rows = 100_000
	content := benchFile(rows)
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		f, err := openString(string(content), "")
		if err != nil {
			b.Fatal(err)
		}
		for row, errs := range f.Rows() {
			if len(errs) > 0 {
				b.Fatal(row, errs)
			}
		}
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
