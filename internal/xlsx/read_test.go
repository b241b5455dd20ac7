package xlsx

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/fault"
	"pricemanager/internal/xlsx/xlsxtest"
)

var kindNames = [...]string{"text", "number", "date", "bool", "error", "no-value", "percent", "time", "scaled", "lost", "no-date", "no-number"}

// read returns every cell of the first sheet as "row column kind text sign".
func read(content []byte) ([]string, error) {
	w, err := Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, err
	}
	rows, err := w.Rows(0)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	var row Row
	for {
		ok, err := rows.Next(&row)
		if err != nil || !ok {
			return out, err
		}
		for _, c := range row.Cells {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%d %d %s %s %s", row.Number, c.Column, kindNames[c.Kind], c.Text, c.Sign)))
		}
	}
}

func expect(t *testing.T, b xlsxtest.Book, want ...string) {
	t.Helper()
	got, err := read(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTextsAreReadAsTheSheetShowsThem(t *testing.T) {
	t.Parallel()
	b := xlsxtest.One(`<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v> 1 </v></c><c r="C1" t="inlineStr"><is><t>in&amp;line</t></is></c></row>` +
		`<row r="2"><c r="A2" t="str"><f>A1&amp;"x"</f><v>shopx</v></c><c r="B2" t="s"><v>2</v></c><c r="C2" t="inlineStr"><is><r><t>a</t></r><r><rPr><b/></rPr><t>b</t></r></is></c></row>` +
		`<row r="3"><c r="A3" t="str"><f>""</f><v></v></c><c r="B3" t="s"><v>3</v></c></row>`)
	b.Texts = []string{"shop", " a\r\nb ", "x_x000D_y_x005F_x000D_z_xD83D__xDE00__xD83D_", "<![CDATA[<&>]]>&#228;&#x1F600;"}
	b.Shared = `<si><r><t>unused</t></r><rPh sb="0" eb="1"><t>reading</t></rPh></si>`
	expect(t, b,
		"1 0 text shop", "1 1 text  a\nb", "1 2 text in&line",
		"2 0 text shopx", "2 1 text x\ry_x000D_z😀_xD83D_", "2 2 text ab",
		"3 1 text <&>ä😀")
}

func TestPhoneticReadingsAreNoPartOfAText(t *testing.T) {
	t.Parallel()
	b := xlsxtest.One(`<row r="1"><c r="A1" t="s"><v>0</v></c></row>`)
	b.Shared = `<si><r><t>東</t></r><r><t>京</t></r><rPh sb="0" eb="2"><t>トウキョウ</t></rPh><phoneticPr fontId="1"/></si>`
	expect(t, b, "1 0 text 東京")
}

func TestNumbersAreTheDecimalsThatWereTyped(t *testing.T) {
	t.Parallel()
	for xml, want := range map[string]string{
		"19.99": "number 19.99", "19.989999999999998": "number 19.99", "1.1000000000000001": "number 1.1",
		"1.9989999999999998E+1": "number 19.99", "1E-2": "number 0.01", "4006381333931": "number 4006381333931",
		"1.5e3": "number 1500", "-0.0": "number 0", "0": "number 0", "+7": "number 7", "-12.50": "number -12.5",
		"0.30000000000000004": "number 0.3", "999999999999999.9": "number 1000000000000000", "123456789012345": "number 123456789012345",
		"0.1234567890123455": "number 0.123456789012346", "1234567890123456": "lost 1234567890123456", "1E+15": "lost 1E+15",
		"5.5511151231257827E-17": "number 0.0000000000000000555111512312578", "1E-99": "no-number 1E-99",
		"12,5": "no-number 12,5", "NaN": "no-number NaN", "0x10": "no-number 0x10", "1e": "no-number 1e", ".": "no-number .", "1.2.3": "no-number 1.2.3",
		"00012.3400": "number 12.34", ".5": "number 0.5", "5.": "number 5",
	} {
		expect(t, xlsxtest.One(`<row r="1"><c r="A1"><v>`+xml+`</v></c></row>`), "1 0 "+want)
	}
}

// TestEveryTypedPriceSurvivesADouble: what a program makes of a typed price,
// with 17 digits, is read back as the price.
func TestEveryTypedPriceSurvivesADouble(t *testing.T) {
	t.Parallel()
	var digits []byte
	for cents := int64(1); cents < 10_000_000_000; cents += 1 + cents/97 {
		typed := fmt.Sprintf("%d.%02d", cents/100, cents%100)
		var double float64
		if _, err := fmt.Sscan(typed, &double); err != nil {
			t.Fatal(err)
		}
		want, _ := parseDecimal(nil, []byte(typed))
		for _, stored := range []string{fmt.Sprintf("%.17g", double), fmt.Sprintf("%.16e", double), fmt.Sprint(double)} {
			d, ok := parseDecimal(digits, []byte(stored))
			if d.round(); !ok || string(d.appendPlain(nil)) != string(want.appendPlain(nil)) {
				t.Fatalf("typed %s, stored %s, read %s", typed, stored, d.appendPlain(nil))
			}
		}
	}
}

func TestFormatsDecideWhatANumberIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ value, code, want string }{
		{"47848", "yyyy-mm-dd", "date 2030-12-31"}, {"47848.75", "dd/mm/yyyy hh:mm", "date 2030-12-31T18:00:00"},
		{"47848.75", "d. mmmm", "date 2030-12-31"}, {"47848", "[$-409]mmm\\-yy;@", "date 2030-12-31"},
		{"47848", `[$-F800]dddd\,\ mmmm\ dd\,\ yyyy`, "date 2030-12-31"}, {"47848.999999", "m/d/yy h:mm AM/PM", "date 2031-01-01T00:00:00"},
		{"0.75", "hh:mm", "time 0.75"}, {"1.5", "[h]:mm:ss", "time 1.5"}, {"0.5", "mm:ss.0", "time 0.5"},
		{"1", "yyyy-mm-dd", "date 1900-01-01"}, {"59", "yyyy-mm-dd", "date 1900-02-28"}, {"60", "yyyy-mm-dd", "no-date 60"},
		{"61", "yyyy-mm-dd", "date 1900-03-01"}, {"0", "yyyy-mm-dd", "no-date 0"}, {"-1", "yyyy-mm-dd", "no-date -1"},
		{"2958465", "yyyy-mm-dd", "date 9999-12-31"}, {"2958466", "yyyy-mm-dd", "no-date 2958466"}, {"99999999", "yyyy", "no-date 99999999"},
		{"0.15", "0%", "percent 15%"}, {"0.155", "0.00%", "percent 15.5%"}, {"0", "0%", "percent 0%"},
		{"19990", "0,", "scaled 19990"}, {"19990", "#,##0.0,,", "scaled 19990"}, {"19.99", "#,##0.00", "number 19.99"},
		{"123", "00000", "number 00123"}, {"0", "00000", "number 00000"}, {"123456", "00000", "number 123456"}, {"1.5", "00000", "number 1.5"},
		{"19.99", `#,##0.00\ "€"`, "number 19.99 €"}, {"19.99", `[$€-407]#,##0.00`, "number 19.99 €"}, {"19.99", `"$"#,##0.00_);[Red]("$"#,##0.00)`, "number 19.99 $"},
		{"19.99", `_-* #,##0.00\ [$USD]_-`, "number 19.99 USD"}, {"19.99", `#,##0.00 "kr"`, "number 19.99 kr"}, {"19.99", "£0.00", "number 19.99 £"},
		{"19.99", `0.00\ \U\S\D`, "number 19.99 USD"}, {"19.99", `\(0.00\)\k\g\`, "number 19.99 kg"},
		{"19.99", "General", "number 19.99"}, {"19.99", `General "days"`, "number 19.99 days"}, {"4006381333931", "0.00E+00", "number 4006381333931"},
		{"19.99", `0.00;"yyyy-mm-dd"`, "number 19.99"}, {"19.99", "@", "number 19.99"}, {"1.5", "# ?/?", "number 1.5"},
	} {
		b := xlsxtest.One(`<row r="1"><c r="A1" s="1"><v>` + c.value + `</v></c></row>`)
		b.Formats, b.Styles = map[int]string{164: c.code}, []int{0, 164}
		t.Run(c.code, func(t *testing.T) { expect(t, b, "1 0 "+c.want) })
	}
}

func TestDatesOfThe1904SystemAreTheirOwn(t *testing.T) {
	t.Parallel()
	b := xlsxtest.One(`<row r="1"><c r="A1" s="0"><v>0</v></c><c r="B1" s="1"><v>46386.5</v></c><c r="C1" s="2"><v>60</v></c><c r="D1" t="d"><v>2030-12-31T18:30</v></c><c r="E1" t="d" s="2"><v>2030-12-31T00:00:00</v></c><c r="F1" t="d" s="1"><v>2030-12-31T00:00:00</v></c></row>`)
	b.Styles, b.Props = []int{14, 22, 14}, `date1904="1"`
	expect(t, b, "1 0 date 1904-01-01", "1 1 date 2030-12-31T12:00:00", "1 2 date 1904-03-01", "1 3 date 2030-12-31T18:30", "1 4 date 2030-12-31", "1 5 date 2030-12-31T00:00:00")
}

func TestWhatIsNoValueIsNamed(t *testing.T) {
	t.Parallel()
	expect(t, xlsxtest.One(`<row r="1"><c r="A1" t="b"><v>1</v></c><c r="B1" t="b"><v>0</v></c><c r="C1" t="e"><f>1/0</f><v>#DIV/0!</v></c>`+
		`<c r="D1"><f>A1*2</f></c><c r="E1"><f>A1*2</f><v>3</v></c><c r="F1" t="str"><f>X1</f></c><c r="G1"/><c r="H1" s="0"><v></v></c></row>`),
		"1 0 bool TRUE", "1 1 bool FALSE", "1 2 error #DIV/0!", "1 3 no-value =A1*2", "1 4 number 3", "1 5 no-value =X1")
}

func TestRowsAndCellsMayLeaveOutTheirReferences(t *testing.T) {
	t.Parallel()
	expect(t, xlsxtest.One(`<row><c><v>1</v></c><c><v>2</v></c></row><row r="5"><c r="C5"><v>3</v></c><c><v>4</v></c></row><row><c r="xfd6"><v>5</v></c></row>`),
		"1 0 number 1", "1 1 number 2", "5 2 number 3", "5 3 number 4", "6 16383 number 5")
}

func TestOtherProgramsXMLIsTheSame(t *testing.T) {
	t.Parallel()
	strict := xlsxtest.One(`<row r="1"><c r="A1" t="s"><v>0</v></c></row>`)
	strict.Texts, strict.Strict = []string{"strict"}, true
	expect(t, strict, "1 0 text strict")

	prefixed := xlsxtest.One("")
	prefixed.Extra = map[string]string{"xl/worksheets/sheet1.xml": "\ufeff" + `<?xml version='1.0'?><!-- a > b --><x:worksheet xmlns:x="` + xlsxtest.Transitional + `" xmlns:o="urn:other">
		<x:sheetPr><o:row/></x:sheetPr><x:sheetData><o:row r="9"/><x:row r='1' o:r="7" ><x:c r = "A1" t="n" ><o:v>8</o:v><x:v>1</x:v></x:c ></x:row></x:sheetData></x:worksheet>`}
	expect(t, prefixed, "1 0 number 1")
}

func TestWhatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	row := func(xml string) []byte { return xlsxtest.One(xml).Bytes() }
	part := func(name, text string) []byte {
		b := xlsxtest.One("")
		b.Texts, b.Styles = []string{"a"}, []int{0}
		b.Extra = map[string]string{name: text}
		return b.Bytes()
	}
	laughs := `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]><worksheet>&lol2;</worksheet>`
	twoOf := strings.NewReplacer("xl/worksheets/sheet2.xml", "XL/Worksheets/Sheet1.xml")
	two := xlsxtest.One("")
	two.Sheets = append(two.Sheets, xlsxtest.Sheet{Name: "B"})
	good := row(`<row r="1"><c r="A1"><v>1</v></c></row>`)
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"billion laughs":           {part("xl/worksheets/sheet1.xml", laughs), "document type or entities"},
		"billion laughs in texts":  {part("xl/sharedStrings.xml", laughs), "document type or entities"},
		"unknown entity":           {row(`<row r="1"><c r="A1" t="str"><v>&lol;</v></c></row>`), "entity"},
		"character that is none":   {row(`<row r="1"><c r="A1" t="str"><v>&#0;</v></c></row>`), "entity"},
		"huge row":                 {row(`<row r="1048577"/>`), "at most 1048576 rows"},
		"row beyond integers":      {row(`<row r="99999999999999999999"/>`), "row number"},
		"negative row":             {row(`<row r="-1"/>`), "row number"},
		"row zero":                 {row(`<row r="0"/>`), "row number"},
		"rows out of order":        {row(`<row r="2"/><row r="1"/>`), "row number"},
		"row twice":                {row(`<row r="2"/><row r="2"/>`), "row number"},
		"cells out of order":       {row(`<row r="1"><c r="B1"/><c r="A1"/></row>`), `cell "A1"`},
		"cell of another row":      {row(`<row r="1"><c r="A2"/></row>`), `cell "A2"`},
		"cell without column":      {row(`<row r="1"><c r="1"/></row>`), `cell "1"`},
		"cell without row":         {row(`<row r="1"><c r="A"/></row>`), `cell "A"`},
		"column beyond XFD":        {row(`<row r="1"><c r="XFE1"/></row>`), "more than 16384 columns"},
		"column of four letters":   {row(`<row r="1"><c r="AAAA1"/></row>`), "more than 16384 columns"},
		"column of many letters":   {row(`<row r="1"><c r="AAAAAAAAAAAA1"/></row>`), "cell"},
		"negative shared string":   {row(`<row r="1"><c r="A1" t="s"><v>-1</v></c></row>`), `text "-1" of 0`},
		"missing shared string":    {row(`<row r="1"><c r="A1" t="s"><v>7</v></c></row>`), `text "7" of 0`},
		"endless shared string":    {row(`<row r="1"><c r="A1" t="s"><v>99999999999999999999</v></c></row>`), "points to text"},
		"missing format":           {row(`<row r="1"><c r="A1" s="9"><v>1</v></c></row>`), `format "9" of 0`},
		"negative format":          {row(`<row r="1"><c r="A1" s="-1"><v>1</v></c></row>`), `format "-1"`},
		"unknown type":             {row(`<row r="1"><c r="A1" t="zz"><v>1</v></c></row>`), `type "zz"`},
		"deep XML":                 {row(strings.Repeat("<a>", 100)), "nested deeper"},
		"long tag":                 {row(`<row r="1" x="` + strings.Repeat("x", window) + `"/>`), "longer than"},
		"many attributes":          {row(`<row ` + manyAttributes() + `/>`), "cannot be read"},
		"attribute twice":          {row(`<row r="1" r="2"/>`), "given twice"},
		"wrong end":                {row(`<row r="1"></c>`), "fits no start"},
		"no end":                   {part("xl/worksheets/sheet1.xml", `<worksheet xmlns="`+xlsxtest.Transitional+`"><sheetData><row r="1"/>`), "ends in the middle"},
		"UTF-16 XML":               {part("xl/worksheets/sheet1.xml", "\xff\xfe<\x00a\x00"), "UTF-8"},
		"empty sheet":              {part("xl/worksheets/sheet1.xml", ""), "ends in the middle"},
		"other root":               {part("xl/worksheets/sheet1.xml", "<html/>"), "not a worksheet part"},
		"no sheets":                {part("xl/workbook.xml", `<workbook xmlns="`+xlsxtest.Transitional+`"/>`), "lists no sheets"},
		"sheet without a place":    {part("xl/_rels/workbook.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"/>`), "where the sheet"},
		"no workbook":              {part("_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"/>`), "where the workbook is"},
		"part missing":             {part("_rels/.rels", strings.Replace(xlsxtest.One("").Parts()["_rels/.rels"], "xl/workbook", "../../etc/passwd", 1)), "missing"},
		"macros":                   {part("xl/vbaProject.bin", "x"), ".xlsm"},
		"binary":                   {part("xl/workbook.bin", "x"), ".xlsb"},
		"OpenDocument":             {[]byte{}, "cut off"},
		"half a file":              {good[:len(good)/2], "cut off"},
		"file without its end":     {good[:len(good)-10], "cut off"},
		"part twice in other case": {[]byte(twoOf.Replace(string(withStored(two)))), "twice"},
	} {
		_, err := read(c.content)
		var f *fault.Fault
		if !errors.As(err, &f) || !strings.Contains(f.Public, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func withStored(b xlsxtest.Book) []byte { b.Stored = true; return b.Bytes() }

func manyAttributes() string {
	var b strings.Builder
	for i := range maxAttrs + 1 {
		fmt.Fprintf(&b, `a%d="" `, i)
	}
	return b.String()
}

func TestPasswordsAndOldFormatsAreNamed(t *testing.T) {
	t.Parallel()
	stream := "E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00"
	for content, want := range map[string]string{
		oleMagic + strings.Repeat("x", window-10-len(oleMagic)) + stream: "password", oleMagic + strings.Repeat("x", 3*window): "Excel 97",
	} {
		if !IsOLE([]byte(content)) {
			t.Error("not recognised")
		}
		if err := OLEFault(strings.NewReader(content), int64(len(content))); !strings.Contains(err.Error(), want) {
			t.Error(err)
		}
	}
}

// FuzzRead: whatever the bytes are, reading ends with cells or with a fault for
// the seller, rows and columns only grow, and texts are valid.
func FuzzRead(f *testing.F) {
	b := xlsxtest.One(`<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="inlineStr"><is><t>p</t></is></c></row><row r="3"><c r="A3" t="str"><v>S</v></c><c r="B3" s="1"><v>19.989999999999998</v></c></row>`)
	b.Texts, b.Styles, b.Formats = []string{"sku"}, []int{0, 164}, map[int]string{164: `0.00 "€"`}
	for name, text := range b.Parts() {
		f.Add(name, text)
	}
	f.Add("xl/worksheets/sheet1.xml", `<worksheet xmlns="`+xlsxtest.Strict+`"><sheetData><row><c t="e"><v>#N/A</v></c><c><f>1</f></c><c t="b"><v>1</v></c></row></sheetData><a/></worksheet>`)
	f.Fuzz(func(t *testing.T, name, text string) {
		if strings.HasSuffix(name, "/") {
			return // a directory, which has no content
		}
		b := b
		b.Extra = map[string]string{name: text}
		content := b.Bytes()
		w, err := Open(bytes.NewReader(content), int64(len(content)))
		if err == nil {
			err = readAll(t, w)
		}
		var fl *fault.Fault
		if err != nil && (!errors.As(err, &fl) || fl.Kind == fault.Internal) {
			t.Fatal(err)
		}
	})
}

func readAll(t *testing.T, w *Workbook) error {
	for i := range w.Sheets {
		rows, err := w.Rows(i)
		if err != nil {
			return err
		}
		defer rows.Close()
		var row Row
		last := 0
		for {
			ok, err := rows.Next(&row)
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			column := -1
			for _, c := range row.Cells {
				if c.Column <= column || c.Column >= MaxColumn || len(c.Text) == 0 || len(c.Text) > maxRaw+1 || bytes.ToValidUTF8(c.Text, nil) != nil && !bytes.Equal(bytes.ToValidUTF8(c.Text, nil), c.Text) {
					t.Fatalf("row %d: %+v after column %d", row.Number, c, column)
				}
				column = c.Column
			}
			if row.Number <= last || row.Number > MaxRow {
				t.Fatalf("row %d after %d", row.Number, last)
			}
			last = row.Number
		}
	}
	return nil
}

// FuzzContainer: the same for the bytes of the archive.
func FuzzContainer(f *testing.F) {
	b := xlsxtest.One(`<row r="1"><c r="A1"><v>1</v></c></row>`)
	f.Add(b.Bytes())
	f.Add(withStored(b))
	f.Fuzz(func(t *testing.T, content []byte) {
		w, err := Open(bytes.NewReader(content), int64(len(content)))
		if err == nil {
			err = readAll(t, w)
		}
		var fl *fault.Fault
		if err != nil && !errors.As(err, &fl) {
			t.Fatal(err)
		}
	})
}
