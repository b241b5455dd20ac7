package main

import (
	"strings"
)

// mistakes are files that are read, with rows that are refused or held.
func mistakes() []specimen {
	eur := func(i int) string { return comma(up(germany, i)) }
	row := func(i int, cells ...string) string { return sku(i) + ";" + strings.Join(cells, ";") }
	return []specimen{
		{name: "not-numbers.csv", market: germany, body: []byte(lines("SKU;Preis", row(0, "19,99 kg"), row(1, "5,-"), row(2, "#REF!"), row(3, "N/A"), row(4, "-"), row(5, "1,2,3"), row(6, "0x10"), row(7, "1e3"), row(8, "=1+1"), row(9, eur(9))))},
		{name: "amounts-out-of-range.csv", market: germany, body: []byte(lines("SKU;Preis;Mindestpreis", row(0, "0", ""), row(1, "-5,00", ""), row(2, "0,00", ""), row(3, "5,999", ""), row(4, "99999999999999999999", ""), row(5, eur(5), "0,00")))},
		{name: "ambiguous-numbers.csv", market: germany, body: []byte(lines("SKU;Preis;B2B-Preis;Mindestpreis", row(7, eur(7), "1.150", "1.000"), row(32, eur(32), "1,150", "2.000,00"), row(0, eur(0), "", "")))},
		{name: "thousands-beside-decimals.csv", market: germany, body: []byte(lines("SKU;Preis;Mindestpreis", row(7, up(germany, 7), "1.000"), row(0, up(germany, 0), "4.00")))},
		{name: "both-conventions.csv", market: germany, body: []byte(lines("SKU;Preis", row(0, eur(0)), row(1, up(germany, 1)), row(7, "1.234")))},
		{name: "ambiguous-dates.csv", market: germany, body: []byte(lines("SKU;Angebotspreis;Angebot von;Angebot bis", row(0, "7,00", "01/02/2030", "13/02/2030"), row(1, "40,00", "03/04/2030", "05/06/2030")))},
		{name: "dates-and-times.csv", market: germany, body: []byte(lines("SKU;Angebotspreis;Angebot von;Angebot bis",
			row(0, "7,00", "2030-03-01", "2030-03-31"), row(1, "40,00", "2030-03-01T00:00:00+01:00", "2030-03-31T23:59:59+02:00"), row(2, "70,00", "2030-03-01T08:00:00", "2030-03-31"),
			row(3, "20,00", "31.02.2030", "2030-03-31"), row(5, "20,00", "soon", "2030-03-31"), row(6, "20,00", "2030-03-01", ""), row(9, "", "2030-03-01", "2030-03-31"), row(10, "20,00", "2030-03-31", "2030-03-01"), row(11, "20,00", "2020-03-01", "2020-03-31")))},
		{name: "clear.csv", market: germany, body: []byte(lines("SKU;Preis;Mindestpreis;B2B-Preis;Angebotspreis;Angebot von;Angebot bis;Staffelmenge 1;Staffelpreis 1",
			row(0, "", "löschen", "", "", "", "", "", ""), row(4, "", "", "", "Entfernen", "", "", "", ""), row(8, "", "", "clear", "", "", "", "", ""), row(18, "", "", "supprimer", "", "", "", "borrar", "rimuovi"),
			row(1, "clear", "", "", "", "", "", "", ""), row(2, "", "-", "", "", "", "", "", ""), row(21, "", "", "", "clear", "2030-01-01", "", "", ""), row(3, "", "", "", "", "", "", "", "")))},
		{name: "blank-prices.csv", market: germany, body: []byte(lines("SKU;Preis;Mindestpreis", row(0, "", ""), row(1, eur(1), ""), row(2, "", "  "), ";"+eur(3)+";"))},
		{name: "duplicates.csv", body: []byte(lines("SKU;Land;Preis", row(0, "DE", eur(0)), row(0, "FR", eur(0)), row(0, "A1PA6795UKMFR9", eur(0)), row(1, "DE", "45,00"), row(1, "DE", "45,10"), row(1, "DE", "45,00"), row(2, "DE", "x"), row(2, "DE", "82,00")))},
		{name: "unknown-offers-and-marketplaces.csv", body: []byte(lines("SKU;Land;Preis", "NOBODY;DE;5,00", row(0, "XX", "5,00"), row(0, "", "5,00"), row(0, "GB", "5,00"), row(0, "DE", eur(0))))},
		{name: "wrong-currency.csv", body: []byte(lines("SKU;Land;Preis;Währung", row(0, "DE", eur(0), "EUR"), row(1, "DE", eur(1), "USD"), row(2, "DE", eur(2), "Euro"), row(3, "US", "29.00", "usd")))},
		{name: "currency-in-the-cells.csv", market: germany, body: []byte(lines("SKU;Preis;Mindestpreis", row(0, eur(0)+" €", "EUR 4"), row(7, eur(7)+"\u00a0EUR", ""), row(1, "$45.09", ""), row(2, eur(2), "70,00 GBP"), row(3, "29,09 kr", "")))},
		{name: "currency-in-the-header.csv", body: []byte(lines("SKU;Country;Price in GBP", row(0, "DE", "8.99"), row(1, "GB", "45.99")))},
		{name: "shifted-columns.csv", market: germany, body: []byte(lines("SKU;Titel;Preis;Mindestpreis", row(0, "Kessel", eur(0), "4,00"), row(1, "Lampe; blau", eur(1), "20,00"), row(2, "Kessel", "Kessel", eur(2))))},
		{name: "decimal-comma-in-comma-file.csv", market: germany, body: []byte(lines("SKU,Preis", sku(0)+","+eur(0), sku(1)+",\""+eur(1)+"\""))},
		{name: "decimal-comma-moves-columns.csv", market: germany, body: []byte(lines("SKU,Preis,Höchstpreis", sku(0)+","+eur(0)+",", sku(1)+",\""+eur(1)+"\",", sku(2)+",82,"))},
		{name: "broken-quotes.csv", market: usa, body: []byte(lines("sku,price", "\""+sku(0)+","+up(usa, 0), sku(1)+","+up(usa, 1), sku(2)+",\"5\"5"))},
		{name: "long-cells.csv", market: usa, body: []byte(lines("sku,title,price", sku(0)+","+strings.Repeat("long ", 300)+","+up(usa, 0), strings.Repeat("S", 250)+",,5.00", sku(1)+",,"+up(usa, 1), sku(2)+",,"+strings.Repeat("5", 1_001)))},
		{name: "neutralised-cells.csv", market: usa, body: []byte(lines("sku,price", "'=HYPERLINK(1),5.00", "'"+sku(0)+","+up(usa, 0), "'-5,5.00"))},
		{name: "guards.csv", market: germany, body: []byte(lines("SKU;Preis;Mindestpreis", row(0, "1,00", ""), row(1, "70,00", ""), row(2, "82,09", "90,00"), row(250, comma(up(germany, 250)), ""), row(3, "28,99", ""), row(5, "0,01", "")))},
	}
}

// unreadable are files that are refused as a whole.
func unreadable() []specimen {
	german := lines(append([]string{"SKU;Preis"}, germanRows(0, 4)...)...)
	packed := gzipped(strings.Repeat(german, 50))
	return []specimen{
		{name: "two-price-columns.csv", market: germany, body: []byte(lines("SKU;Preis;Prezzo", sku(0)+";8,09;8,19"))},
		{name: "net-prices-only.csv", market: germany, body: []byte(lines("SKU;Preis netto", sku(0)+";8,09"))},
		{name: "no-header.csv", market: germany, body: []byte(lines(germanRows(0, 3)...))},
		{name: "unknown-header.csv", market: germany, body: []byte(lines("Art.Nr;VK neu;VK alt", sku(0)+";8,09;7,99"))},
		{name: "header-only.csv", market: germany, body: []byte("SKU;Preis\n")},
		{name: "empty.csv", market: germany},
		{name: "truncated.csv.gz", market: germany, body: packed[:len(packed)/2]},
		{name: "two-files.zip", market: germany, body: zipped(map[string]string{"a.csv": german, "b.csv": german})},
		{name: "picture.csv", market: germany, body: []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01")},
		{name: "web-page.xls", market: germany, body: []byte("<html><body><table><tr><td>SKU</td><td>Preis</td></tr><tr><td>A</td><td>5,00</td></tr></table></body></html>\n")},
		{name: "not-a-workbook.xlsx", market: germany, body: zipped(map[string]string{"[Content_Types].xml": "<Types/>", "word/document.xml": "<document/>"})},
	}
}
