// Package xlsxtest makes workbooks for tests out of XML written by hand, so that
// they can be wrong in every way. It makes no promise about anything else.
package xlsxtest

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Namespaces of the main parts.
const (
	Transitional = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
	Strict       = "http://purl.oclc.org/ooxml/spreadsheetml/main"
)

const relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

// Book is a workbook. What is left out is made up.
type Book struct {
	Sheets  []Sheet
	Texts   []string          // shared strings
	Shared  string            // what is inside of sst, beside Texts
	Formats map[int]string    // own number formats
	Styles  []int             // number format of each cell format; the first is 0 when there are none
	Props   string            // attributes of workbookPr
	Strict  bool              // the namespaces of the strict kind
	Extra   map[string]string // further parts, or others in place of these
	Stored  bool              // not compressed
}

// Sheet is one sheet: Rows is what is inside of sheetData.
type Sheet struct{ Name, State, Rows string }

// One returns a workbook of one sheet with these rows.
func One(rows string) Book { return Book{Sheets: []Sheet{{Name: "Prices", Rows: rows}}} }

// Parts returns the parts by their names.
func (b Book) Parts() map[string]string {
	main, rels := Transitional, relations
	if b.Strict {
		main, rels = Strict, "http://purl.oclc.org/ooxml/officeDocument/relationships"
	}
	const pack = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">%s</Relationships>`
	rel := func(id, kind, target string) string {
		return fmt.Sprintf(`<Relationship Id="%s" Type="%s/%s" Target="%s"/>`, id, rels, kind, target)
	}
	parts := map[string]string{
		"[Content_Types].xml": `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
			`<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>`,
		"_rels/.rels": fmt.Sprintf(pack, rel("r1", "officeDocument", "xl/workbook.xml")),
	}
	var sheets, links strings.Builder
	for i, s := range b.Sheets {
		state := ""
		if s.State != "" {
			state = ` state="` + s.State + `"`
		}
		fmt.Fprintf(&sheets, `<sheet name="%s" sheetId="%d"%s r:id="s%d"/>`, s.Name, i+1, state, i+1)
		links.WriteString(rel(fmt.Sprintf("s%d", i+1), "worksheet", fmt.Sprintf("worksheets/sheet%d.xml", i+1)))
		parts[fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1)] = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n" +
			`<worksheet xmlns="` + main + `"><sheetData>` + s.Rows + `</sheetData></worksheet>`
	}
	if b.Texts != nil || b.Shared != "" {
		links.WriteString(rel("t", "sharedStrings", "sharedStrings.xml"))
		var items strings.Builder
		for _, t := range b.Texts {
			items.WriteString(`<si><t xml:space="preserve">` + t + `</t></si>`)
		}
		parts["xl/sharedStrings.xml"] = `<sst xmlns="` + main + `">` + items.String() + b.Shared + `</sst>`
	}
	if b.Styles != nil {
		links.WriteString(rel("f", "styles", "styles.xml"))
		var own, cells strings.Builder
		for _, id := range slices.Sorted(maps.Keys(b.Formats)) {
			fmt.Fprintf(&own, `<numFmt numFmtId="%d" formatCode="%s"/>`, id, strings.ReplaceAll(b.Formats[id], `"`, "&quot;"))
		}
		for _, id := range b.Styles {
			fmt.Fprintf(&cells, `<xf numFmtId="%d" applyNumberFormat="1"/>`, id)
		}
		parts["xl/styles.xml"] = `<styleSheet xmlns="` + main + `"><numFmts>` + own.String() + `</numFmts><cellStyleXfs><xf numFmtId="9"/></cellStyleXfs><cellXfs>` + cells.String() + `</cellXfs></styleSheet>`
	}
	parts["xl/workbook.xml"] = `<workbook xmlns="` + main + `" xmlns:r="` + rels + `"><workbookPr ` + b.Props + `/><sheets>` + sheets.String() + `</sheets></workbook>`
	parts["xl/_rels/workbook.xml.rels"] = fmt.Sprintf(pack, links.String())
	maps.Copy(parts, b.Extra)
	return parts
}

// Bytes returns the file.
func (b Book) Bytes() []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	parts := b.Parts()
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		if b.Stored {
			h.Method = zip.Store
		}
		w, err := z.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(w, parts[name])
		}
		if err != nil {
			panic(err) // memory does not fail
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// Bomb writes a workbook whose only sheet has the rows that rows writes.
func Bomb(w io.Writer, rows func(io.Writer) error) error {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	for name, text := range One("").Parts() {
		part, err := z.Create(name)
		if err != nil {
			return err
		}
		if name != "xl/worksheets/sheet1.xml" {
			if _, err := io.WriteString(part, text); err != nil {
				return err
			}
			continue
		}
		begin, end, _ := strings.Cut(text, "</sheetData>")
		if _, err := io.WriteString(part, begin); err != nil {
			return err
		}
		if err := rows(part); err != nil {
			return err
		}
		if _, err := io.WriteString(part, "</sheetData>"+end); err != nil {
			return err
		}
	}
	return z.Close()
}
