package pricefile

import (
	"testing"

	"pricemanager/internal/xlsx/xlsxtest"
)

// FuzzJSON: FuzzOpen's promises for what begins as JSON does.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`[{"sku":"A","price":19.90},{"sku":"B","price":{"amount":"1.5","currency":"EUR"},"x":[1,{"a":null}]}]`,
		"{\"sku\":\"\\u00e4\\ud83d\\ude00\",\"price\":1e2}\r\n{\"price\":\"1.234,50\",\"sku\":true}\n", `[{"sku":"A","sku":"B","price":-0}]`, "[]", "{}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) { promises(t, string(content)) })
}

// FuzzSheet: the same for the rows of a workbook.
func FuzzSheet(f *testing.F) {
	f.Add(line("sku", "price", "min") + line("A", num("19.989999999999998"), styled("1", "47848")) + line("", `<c t="e"><v>#N/A</v></c>`))
	f.Add(`<row r="3"><c r="B3" t="s"><v>0</v></c><c r="C3" t="s"><v>1</v></c></row><row r="5"><c r="B5" t="str"><f>1</f><v>x</v></c><c r="C5" s="2"><v>1.5</v></c><c r="XFD5"/></row>`)
	f.Fuzz(func(t *testing.T, rows string) {
		b := xlsxtest.One(rows)
		b.Texts, b.Formats, b.Styles = []string{"sku", "price"}, map[int]string{164: `0.00 "€"`}, []int{0, 14, 164}
		promises(t, string(b.Bytes()))
	})
}
