package pricefile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pricemanager/internal/price"
	"pricemanager/internal/xlsx/xlsxtest"
)

// marked is the file with a column that numbers the rows.
func marked(t interface{ Fatal(...any) }, content string) string {
	f, err := openString(content, germany)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Mark(&b, func(n int) (string, error) { return fmt.Sprintf("row; %d", n), nil }); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAMarkedFileHasOneMoreColumn(t *testing.T) {
	t.Parallel()
	got := marked(t, "notes;;\nSKU;Titel;Preis\nA;=cmd();19,99\n\nB;x\n\"C;c\";-5;-5,00;more\n\"D;5\n")
	want := "\ufeffnotes;;;\r\nSKU;Titel;Preis;" + MarkHeader + "\r\nA;'=cmd();19,99;\"row; 0\"\r\n;;;\r\nB;x;;\"row; 1\"\r\n\"C;c\";-5;-5,00;more;\"row; 2\"\r\n\"\"\"D\";5;;\"row; 3\"\r\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if again := marked(t, got); again != got {
		t.Errorf("marked again: %s", cmp.Diff(got, again))
	}
}

// The marked file says what the file said.
func TestAMarkedFileReadsAsTheFileDid(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		sep := rapid.SampledFrom([]string{";", ",", "\t", "|"}).Draw(t, "separator")
		cell := rapid.OneOf(rapid.SampledFrom([]string{"", "19,99", "1.234", "5,00 €", "-5 EUR", "$1", "-5", "'=x", "''@x", "=1+1", "clear", "ß", "a\"b", "+4"}), rapid.StringMatching(`[-='"a-c;,|1-3 .]{0,6}`))
		var b strings.Builder
		b.WriteString(strings.Join([]string{"sku", "title", "price", "min"}, sep) + "\n")
		for range rapid.IntRange(1, 8).Draw(t, "rows") {
			for i := range 4 {
				if i > 0 {
					b.WriteString(sep)
				}
				b.WriteString(`"` + strings.ReplaceAll(cell.Draw(t, "cell"), `"`, `""`) + `"`)
			}
			b.WriteString("\n")
		}
		say := func(content string) ([]string, bool) {
			f, err := openString(content, germany)
			if err != nil {
				return nil, false
			}
			var out []string
			for row, errs := range f.Rows() {
				text := fmt.Sprintf("%q %v", row.SKU, row.Edit.Set.Summary(price.Fields()))
				for _, e := range errs {
					text += fmt.Sprintf(" %s %s=%q", e.Code, e.Column, plainText([]byte(e.Value)))
				}
				out = append(out, text)
			}
			return out, true
		}
		before, ok := say(b.String())
		if !ok {
			return
		}
		after, ok := say(marked(t, b.String()))
		if !ok || !slices.Equal(before, after) {
			t.Fatalf("%q became %q", before, after)
		}
	})
}

// What makes a row refused in a workbook or in JSON, its marked file has as text:
// a currency that is not the row's, a time, a number shown in thousands, a key
// given twice. No row is taken that was refused, and none says anything else.
func TestAMarkedFileTakesNoRowThatWasRefused(t *testing.T) {
	t.Parallel()
	says := func(t *rapid.T, content string) (out []string) {
		f, err := openString(content, germany)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for row, errs := range f.Rows() {
			if out = append(out, ""); len(errs) == 0 {
				out[len(out)-1] = fmt.Sprintf("%q %v", row.SKU, row.Edit.Set.Summary(price.Fields()))
			}
		}
		return out
	}
	prices := rapid.SampledFrom([]string{"", "19,99", "1.234", "1,234", "5,00 €", "$5", "19.99", "1.500 EUR", "clear", "x"})
	skus := rapid.SampledFrom([]string{"A", "'=B", "=C", "'D", "''-E", "7,5"})
	text := func(s string) string { return `<c t="inlineStr"><is><t>` + s + `</t></is></c>` }
	quoted := func(s string) string { return `"` + s + `"` }
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(1, 6).Draw(t, "rows")
		var content string
		if rapid.Bool().Draw(t, "json") {
			amounts := rapid.OneOf(rapid.Map(prices, quoted), rapid.SampledFrom([]string{"5", "19.99", "1234", "true", "null", "[1]", "1e2",
				`{"amount":"5.00","currency":"USD"}`, `{"amount":5.5,"currency":"EUR"}`, `{"amount":"5.00","currency":"Euro"}`, `1, "price": 2`, `1, "price": "clear"`}))
			for i := range rows {
				content += `{"sku":"` + skus.Draw(t, "sku") + fmt.Sprint(i) + `","price":` + amounts.Draw(t, "price") + `,"min":` + amounts.Filter(func(s string) bool { return !strings.Contains(s, "price") }).Draw(t, "min") + "}\n"
			}
		} else {
			amounts := rapid.OneOf(rapid.Map(prices, text), rapid.Custom(func(t *rapid.T) string {
				return styled(fmt.Sprint(rapid.IntRange(0, 7).Draw(t, "style")), rapid.SampledFrom([]string{"5", "0.5", "19.99", "45000", "1234.5", "1.234"}).Draw(t, "number"))
			}))
			sheet := line("sku", "price", "min")
			for i := range rows {
				sheet += "<row>" + text(skus.Draw(t, "sku")+fmt.Sprint(i)) + amounts.Draw(t, "price") + amounts.Draw(t, "min") + "</row>"
			}
			b := xlsxtest.One(sheet)
			b.Formats = map[int]string{164: `0.00 "$"`, 165: "0,", 166: `0.00 "€"`, 167: `0.00 "kg"`, 168: "0.00 [$GEL]"}
			b.Styles = []int{0, 14, 20, 164, 165, 166, 167, 168}
			content = string(b.Bytes())
		}
		f, err := openString(content, germany)
		if err != nil {
			t.Skip(err) // as for JSON with no price in it
		}
		_ = f.Close()
		after := marked(t, content)
		for i, before := range says(t, content) {
			if now := says(t, after)[i]; now != before {
				t.Fatalf("row %d said %q, now %q:\n%s", i, before, now, after)
			}
		}
	})
}

// FuzzMark: whatever the bytes are, a row that was refused is refused again when
// the marked file is read, and one that is taken says what it said.
func FuzzMark(f *testing.F) {
	for _, s := range []string{
		"sku,price,,\nA,1.5,,x\nB,19,99,\n", "\ufeffSKU;Preis;Min\nÄ;1.234,50;\n'=B;19,99 €;1.500\n;;\n", "sku\tprice\t" + MarkHeader + "\nA\t1.00\told\n",
		`[{"sku":"A","price":19.90},{"sku":"B","price":{"amount":"1.5","currency":"USD"},"x":[1]},{"sku":"C","price":1,"price":2},{"sku":true,"price":"1,234"}]`,
	} {
		f.Add([]byte(s))
	}
	says := func(t *testing.T, content string) (out []string, ok bool) {
		file, err := openString(content, germany)
		if err != nil {
			return nil, false
		}
		defer file.Close()
		for row, errs := range file.Rows() {
			if out = append(out, ""); len(errs) == 0 {
				out[len(out)-1] = fmt.Sprintf("%q %v %q", row.SKU, row.Ref, appendRow(nil, &row))
			}
		}
		return out, file.Err() == nil
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		before, ok := says(t, string(content))
		if !ok {
			return
		}
		text := marked(t, string(content))
		after, ok := says(t, text)
		if !ok {
			return // nothing is taken
		}
		for i, now := range after {
			// A name that was no text gets an apostrophe, and is another one then.
			if now != "" && now != before[i] && !strings.HasPrefix(now, `"'`) {
				t.Fatalf("row %d said %q, now %q:\n%q\n%q", i, before[i], now, content, text)
			}
		}
	})
}

// Separators behind the last column of a file are not there any more.
func TestMarksStandUnderTheirHeader(t *testing.T) {
	t.Parallel()
	got := marked(t, "SKU;Preis\nA;19,99;;\n")
	if want := "\ufeffSKU;Preis;" + MarkHeader + "\r\nA;19,99;\"row; 0\"\r\n"; got != want {
		t.Error(cmp.Diff(want, got))
	}
	for _, content := range []string{"sku,price,max\nA,19,99,\n", "sku;price;;\nA;19;99\n"} {
		_, errs := read(t, marked(t, content), germany)
		if len(errs) != 1 || !strings.Contains(errs[0], "extra-cells") {
			t.Errorf("%q: %q", content, errs)
		}
	}
	// A broken quote is mended, and its row stays refused.
	_, errs := read(t, marked(t, "sku,title,price,tier quantity 1\nA,\"24\" pan\",19.99,\nB,\"x\"y,,clear\n"), germany)
	if want := []string{"2 not-a-number price='19.99", "3 not-a-quantity tier quantity 1='clear"}; !slices.Equal(errs, want) {
		t.Errorf("%q", errs)
	}
}

func TestNeutralisingIsTakenBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.StringMatching(`'{0,3}[-=+@a1\t]{0,2}.{0,3}`), rapid.String()).Draw(t, "text")
		n := Neutralise(s)
		if formula(n) {
			t.Fatalf("%q would be run", n)
		}
		if got := string(plainText([]byte(n))); got != s {
			t.Fatalf("%q became %q and was read as %q", s, n, got)
		}
	})
}
