package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"

	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
)

// specimen is one file of the corpus.
type specimen struct {
	name   string              // also that of its golden plan
	market price.MarketplaceID // chosen at upload, "" for none
	body   []byte
	// remembered is what the seller has chosen for this file's header.
	remembered pricefile.Mapping
}

// corpus is every kind of file that is read, and of damage that is refused.
// What becomes of each is in its golden plan.
func corpus() []specimen {
	var all []specimen
	for _, part := range [][]specimen{containers(), structured(), locales(), amazons(), products(), mistakes(), unreadable()} {
		all = append(all, part...)
	}
	return all
}

// lines joins rows with a line ending.
func lines(rows ...string) string { return strings.Join(rows, "\n") + "\n" }

func tabbed(rows ...[]string) string {
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(strings.Join(r, "\t") + "\n")
	}
	return b.String()
}

// up is a German offer's price raised by ten cents, as written with a point.
func up(m price.MarketplaceID, i int) string {
	s := stockOf(m, i)
	return price.FromMinor(s.our+10, s.currency).Decimal()
}

func sku(i int) string  { return string(stockOf(germany, i).sku) }
func asin(i int) string { return stockOf(germany, i).asin }

// gtin is the EAN of the i-th product.
func gtin(i int) string {
	body := fmt.Sprintf("40063813%04d", i+1)
	for d := range 10 {
		if s := body + string(rune('0'+d)); validGTIN(s) {
			return s
		}
	}
	panic("no check digit fits")
}

func validGTIN(s string) bool { _, ok := price.NormalGTIN(s); return ok }

// germanRows are plain rows for Germany, written with a comma.
func germanRows(from, n int) []string {
	var out []string
	for i := from; i < from+n; i++ {
		out = append(out, sku(i)+";"+comma(up(germany, i)))
	}
	return out
}

// containers are the formats, separators, encodings and packings.
func containers() []specimen {
	german := lines(append([]string{"SKU;Preis"}, germanRows(0, 4)...)...)
	umlauts := lines("Händler-SKU;Preis (€);Höchstpreis", "GRÖSSE-ÜBER;"+comma(up(germany, 45))+";", "FLÄSCHCHEN ß;"+comma(up(germany, 46))+";")
	american := tabbed([]string{"sku", "price"}, []string{sku(0), up(usa, 0)}, []string{sku(1), up(usa, 1)})
	quoted := lines("sku,title,price,marketplace", `"`+sku(0)+`","A ""big"" kettle,`, `with two lines",`+up(germany, 0)+`,DE`, `"`+sku(1)+`",Lamp,"`+up(germany, 1)+`",Amazon.de`)
	return []specimen{
		{name: "csv-comma.csv", market: usa, body: []byte(strings.ReplaceAll(american, "\t", ","))},
		{name: "csv-semicolon.csv", market: germany, body: []byte(german)},
		{name: "tab.txt", market: usa, body: []byte(american)},
		{name: "pipe.txt", market: usa, body: []byte(strings.ReplaceAll(american, "\t", "|"))},
		{name: "separator-line.csv", market: germany, body: []byte("sep=;\r\n" + strings.ReplaceAll(german, "\n", "\r\n"))},
		{name: "quotes-and-line-breaks.csv", body: []byte(quoted)},
		{name: "old-mac-line-ends.csv", market: germany, body: []byte(strings.ReplaceAll(german, "\n", "\r"))},
		{name: "no-last-line-end.csv", market: germany, body: []byte(strings.TrimSuffix(german, "\n"))},
		{name: "blank-lines-and-columns.csv", market: germany, body: []byte("\n;;;\n" + strings.ReplaceAll(german, "\n", ";;\n") + ";;;\n\n")},
		{name: "utf8-with-mark.csv", market: germany, body: []byte("\ufeff" + umlauts)},
		{name: "utf8-with-two-marks.csv", market: germany, body: []byte("\ufeff\ufeff" + german + "\ufeff" + lines(germanRows(4, 1)...))},
		{name: "utf8-without-mark.csv", market: germany, body: []byte(umlauts)},
		{name: "utf16-little-endian.csv", market: germany, body: utf16Text(umlauts, binary.LittleEndian)},
		{name: "utf16-big-endian.csv", market: germany, body: utf16Text(umlauts, binary.BigEndian)},
		{name: "windows-1252.csv", market: germany, body: windows(umlauts)},
		{name: "packed.csv.gz", market: germany, body: gzipped(german)},
		{name: "packed.zip", market: germany, body: zipped(map[string]string{"prices.csv": german})},
	}
}

// locales are free layouts in the five languages and the ways of writing
// numbers and dates that go with them.
func locales() []specimen {
	row := func(i int, cells ...string) string { return sku(i) + ";" + strings.Join(cells, ";") }
	eur := func(i int) string { return comma(up(germany, i)) }
	return []specimen{
		{name: "german.csv", body: []byte(lines("Artikelname;Verkäufer-SKU;Marktplatz;Verkaufspreis;Währung;Mindestpreis;Höchstpreis;Angebotspreis;Angebot von;Angebot bis",
			"Kessel;"+row(0, "DE", eur(0), "EUR", "", "", "", "", ""), "Lampe;"+row(7, "DE", eur(7), "EUR", "600,00", "2.500,00", "1.100,00", "1.3.2030", "31.03.2030")))},
		{name: "italian.csv", market: germany, body: []byte(lines("SKU venditore;Prezzo di vendita;Prezzo minimo;Prezzo scontato;Inizio sconto;Fine sconto",
			row(0, eur(0), "4,00", "", "", ""), row(1, eur(1), "", "40,00", "13/03/2030", "02/04/2030")))},
		{name: "french.csv", body: []byte(lines("Réf;SKU vendeur;Place de marché;Nouveau prix;Prix minimum",
			"a;"+row(0, "FR", comma(up(france, 0)), ""), "b;"+row(7, "FR", strings.Replace(comma(up(france, 7)), ".", "\u202f", 1), "1\u00a0000,00")))},
		{name: "spanish.csv", body: []byte(lines("SKU del vendedor;País;Precio;Precio mínimo;Precio máximo",
			row(0, "DE", eur(0), "4,00", "99,00"), row(1, "ES", eur(1), "", "")))},
		{name: "english.csv", market: usa, body: []byte(lines("Seller SKU,Your price (USD),Min price,Max price,Sale price,Sale start date,Sale end date",
			sku(0)+","+up(usa, 0)+",5,50,,,", sku(1)+","+up(usa, 1)+",,,40.00,12/24/2030,01/02/2031"))},
		{name: "swiss-apostrophes.csv", market: germany, body: []byte(lines("SKU;Preis in EUR;Mindestpreis", row(7, strings.Replace(up(germany, 7), "1", "1'", 1), "600.00")))},
		{name: "typographic-thousands.csv", market: germany, body: []byte(lines("SKU;Preis;Mindestpreis", row(7, strings.Replace(up(germany, 7), "1", "1’", 1), "1\u2009000.00")))},
		{name: "any-column-order.csv", body: []byte(lines("B2B-Preis;Preis;Land;Notiz;SKU", "9,50;"+eur(8)+";DE;x;"+sku(8), ";"+eur(1)+";DE;;"+sku(1)))},
		{name: "decomposed-accents.csv", body: []byte(lines("Ha\u0308ndler-SKU;Ho\u0308chstpreis;Land", row(0, "99,00", "DE")))},
		{name: "remembered-mapping.csv", market: germany, body: []byte(lines("Art.Nr;VK neu;VK alt", row(0, eur(0), "7,99"), row(1, eur(1), "44,99"))),
			remembered: pricefile.Mapping{pricefile.MeansSKU, pricefile.MeansPrice, ""}},
	}
}

// products are files that name offers by EAN or ASIN, alone or beside the SKU.
func products() []specimen {
	eur := func(i int) string { return comma(up(germany, i)) }
	wrong := gtin(3)[:12] + string('0'+(gtin(3)[12]-'0'+1)%10)
	swapped := gtin(11)[:10] + gtin(11)[11:12] + gtin(11)[10:11] + gtin(11)[12:]
	scientific := func(s string) string { return s[:1] + "," + s[1:] + "E+12" }
	return []specimen{
		{name: "ean.csv", market: germany, body: []byte(lines("EAN;Preis", gtin(0)+";"+eur(0), gtin(1)+";"+eur(1), wrong+";"+eur(3), swapped+";"+eur(11),
			"0"+gtin(5)+";"+eur(5), gtin(5)+";9,99", "4006381333931;9,99", "123;9,99", "abc;9,99", ";9,99"))},
		{name: "ean-in-scientific-notation.csv", market: germany, body: []byte(lines("EAN;Preis", scientific(gtin(0))+";"+eur(0), "4,00638E+12;"+eur(1), "4E+12;"+eur(2), scientific(wrong)+";"+eur(3)))},
		{name: "asin.csv", market: germany, body: []byte(lines("ASIN;Preis", asin(0)+";"+eur(0), strings.ToLower(asin(1))+";"+eur(1), asin(2)+";"+eur(2), "B0NOBODY00;5,00", "B0SHORT;5,00", ";5,00"))},
		{name: "product-id-by-shape.csv", market: germany, body: []byte(lines("Produkt-ID;Preis", gtin(0)+";"+eur(0), asin(1)+";"+eur(1), "1234567890;5,00"))},
		{name: "sku-and-product-disagree.csv", market: germany, body: []byte(lines("SKU;EAN;ASIN;Preis", strings.Join([]string{sku(0), gtin(0), asin(0), eur(0)}, ";"),
			strings.Join([]string{sku(1), gtin(2), "", eur(1)}, ";"), strings.Join([]string{sku(2), "", asin(3), eur(2)}, ";"), strings.Join([]string{sku(3), wrong, "", eur(3)}, ";")))},
	}
}

func utf16Text(s string, order binary.AppendByteOrder) []byte {
	out := order.AppendUint16(nil, 0xfeff)
	for _, u := range utf16.Encode([]rune(s)) {
		out = order.AppendUint16(out, u)
	}
	return out
}

func windows(s string) []byte {
	out, err := charmap.Windows1252.NewEncoder().String(s)
	if err != nil {
		panic(err)
	}
	return []byte(out)
}

func gzipped(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s)) // a bytes.Buffer never fails
	_ = w.Close()
	return b.Bytes()
}
