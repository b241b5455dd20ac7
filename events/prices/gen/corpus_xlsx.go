package main

import (
	"fmt"
	"html"
	"strings"
)

// cell is one cell of a workbook: t is text, n a number as Excel stores it,
// d a day as its serial number, p a formula with the value that it last had,
// i a text inside the cell, e an error.
type cell struct {
	kind  byte
	value string
}

func t(s string) cell { return cell{'t', s} }
func n(s string) cell { return cell{'n', s} }
func d(s string) cell { return cell{'d', s} }

// workbook writes an Excel workbook by hand: one sheet for each list of rows,
// texts shared between them, a style for days.
func workbook(names []string, sheets ...[][]cell) []byte {
	var shared []string
	files := map[string]string{
		"[Content_Types].xml": head + `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>`,
		"_rels/.rels":         head + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		"xl/styles.xml":       head + `<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><fonts count="1"><font/></fonts><fills count="1"><fill/></fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/></cellXfs></styleSheet>`,
	}
	var list, rels strings.Builder
	for i, rows := range sheets {
		fmt.Fprintf(&list, `<sheet name="%s" sheetId="%d" r:id="rId%d"/>`, html.EscapeString(names[i]), i+1, i+1)
		fmt.Fprintf(&rels, `<Relationship Id="rId%d" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet%d.xml"/>`, i+1, i+1)
		files[fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1)] = head + `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>` + sheetRows(rows, &shared) + `</sheetData></worksheet>`
	}
	fmt.Fprintf(&rels, `<Relationship Id="rId%d" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/>`, len(sheets)+1)
	fmt.Fprintf(&rels, `<Relationship Id="rId%d" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/>`, len(sheets)+2)
	files["xl/workbook.xml"] = head + `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>` + list.String() + `</sheets></workbook>`
	files["xl/_rels/workbook.xml.rels"] = head + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` + rels.String() + `</Relationships>`
	var texts strings.Builder
	for _, s := range shared {
		texts.WriteString(`<si><t xml:space="preserve">` + html.EscapeString(s) + `</t></si>`)
	}
	files["xl/sharedStrings.xml"] = head + `<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">` + texts.String() + `</sst>`
	return zipped(files)
}

const head = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"

func sheetRows(rows [][]cell, shared *[]string) string {
	var b strings.Builder
	for i, row := range rows {
		fmt.Fprintf(&b, `<row r="%d">`, i+1)
		for j, c := range row {
			at := fmt.Sprintf(`r="%c%d"`, 'A'+j, i+1)
			switch v := html.EscapeString(c.value); c.kind {
			case 't':
				fmt.Fprintf(&b, `<c %s t="s"><v>%d</v></c>`, at, len(*shared))
				*shared = append(*shared, c.value)
			case 'n':
				fmt.Fprintf(&b, `<c %s><v>%s</v></c>`, at, v)
			case 'd':
				fmt.Fprintf(&b, `<c %s s="1"><v>%s</v></c>`, at, v)
			case 'p':
				fmt.Fprintf(&b, `<c %s><f>A1*2</f><v>%s</v></c>`, at, v)
			case 'i':
				fmt.Fprintf(&b, `<c %s t="inlineStr"><is><t>%s</t></is></c>`, at, v)
			case 'e':
				fmt.Fprintf(&b, `<c %s t="e"><v>%s</v></c>`, at, v)
			}
		}
		b.WriteString(`</row>`)
	}
	return b.String()
}

// structured are workbooks and JSON.
func structured() []specimen {
	number := func(i int) cell { return n(up(germany, i)) }
	rows := [][]cell{
		{t("SKU"), t("Preis"), t("Angebotspreis"), t("Angebot von"), t("Angebot bis")},
		{t(sku(0)), number(0)}, {cell{'i', sku(1)}, {'p', up(germany, 1)}},
		{t(sku(7)), t(comma(up(germany, 7))), n("1100"), d("47543"), d("47573")}, // 1 and 31 March 2030
		{t(sku(3)), n("29.089999999999996447286321199499070644378662109375")}, {t(sku(9)), {'e', "#REF!"}}, {t(sku(10)), d("45000")}, {}, {t(sku(11)), n("55.09")},
	}
	eans := [][]cell{{t("EAN"), t("Preis")}, {n(gtin(0)), number(0)}, {n(gtin(1)[:1] + "." + gtin(1)[1:] + "E12"), number(1)}, {t("4,00638E+12"), number(3)}}
	notes := [][]cell{{t("Please fill in the other sheet")}, {t("Thank you")}}
	object := func(i int) string {
		return fmt.Sprintf(`{"sku": %q, "price": %s, "marketplace": "DE"}`, sku(i), up(germany, i))
	}
	return []specimen{
		{name: "workbook.xlsx", market: germany, body: workbook([]string{"Preise"}, rows)},
		{name: "workbook-with-eans.xlsx", market: germany, body: workbook([]string{"Preise"}, eans)},
		{name: "workbook-with-notes-first.xlsx", market: germany, body: workbook([]string{"Read me", "Prices"}, notes, rows[:3])},
		{name: "workbook-without-header.xlsx", market: germany, body: workbook([]string{"Read me"}, notes)},
		{name: "objects.json", body: []byte("[\n" + object(0) + ",\n" + object(1) + `,
{"sku": "` + sku(2) + `", "price": "82,09", "marketplace": "DE"}, {"sku": "` + sku(3) + `", "price": 1.5e1, "marketplace": "DE"}, {"sku": "` + sku(4) + `", "price": null, "marketplace": "DE"}, {"price": true, "sku": "` + sku(5) + `", "marketplace": "DE"}]` + "\n")},
		{name: "objects-in-lines.jsonl", body: []byte(lines(object(0), object(1), `{"sku": "`+sku(2)+`", "price": {"amount": "82.09", "currency": "EUR"}, "marketplace": "DE"}`, `{"sku": "`+sku(3)+`", "price": "29.09", "price": "29.19", "marketplace": "DE"}`))},
		{name: "broken.json", body: []byte("[" + object(0) + ",\n{\"sku\": \"" + sku(1) + "\", \"price\": 45.")},
	}
}
