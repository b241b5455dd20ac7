package main

import (
	"strings"

	"pricemanager/internal/price"
)

// files returns the demo files by name.
func files() map[string][]byte {
	c := catalogue()
	out := map[string][]byte{
		"catalogue.json":        encode(c),
		"fakeamazon-seed.json":  seed(c),
		"us-price-quantity.txt": usFile(marketRows(usa, 160, 16, false)),
		"eu-prezzi.csv":         euFile(marketRows(germany, 121, 22, true), marketRows(france, 121, 22, true)),
	}
	for _, s := range corpus() {
		out["corpus/"+s.name] = s.body
	}
	return out
}

const saleStart, saleEnd = "2030-03-01", "2030-03-31"

// text is the cell's content: what raw says, or the amount.
func (r row) text(cell string, cents int64) string {
	if t, ok := r.raw[cell]; ok {
		return t
	}
	return r.s.amount(cents)
}

func (r row) sku() string {
	if t, ok := r.raw["sku"]; ok {
		return t
	}
	return string(r.s.sku)
}

// usFile is tab separated with Amazon's template line on top.
func usFile(rows []row) []byte {
	var b strings.Builder
	b.WriteString("TemplateType=PriceInventory\tVersion=2018.0924\n")
	b.WriteString("sku\tprice\tminimum-seller-allowed-price\tmaximum-seller-allowed-price\tquantity\tfulfillment-channel\tbusiness-price\tsale-price\tsale-start-date\tsale-end-date\n")
	for _, r := range rows {
		from, to := "", ""
		if r.sale > 0 {
			from, to = saleStart, saleEnd
		}
		cells := []string{
			r.sku(), r.text("price", r.our), r.s.amount(r.min), r.s.amount(r.max), "", "",
			r.text("b2b", r.b2b), r.s.amount(r.sale), from, to,
		}
		b.WriteString(strings.Join(cells, "\t") + "\n")
	}
	return []byte(b.String())
}

// euFile is what a German spreadsheet saves: byte order mark, semicolons,
// CRLF, 1.234,50, and B2B prices in whole euros.
func euFile(lists ...[]row) []byte {
	var b strings.Builder
	b.WriteString("\ufeffSKU;Marktplatz;Preis;Währung;Mindestpreis;Höchstpreis;B2B-Preis;Angebotspreis;Angebot von;Angebot bis\r\n")
	for i := range max(len(lists[0]), len(lists[1])) {
		for _, list := range lists {
			if i < len(list) {
				b.WriteString(strings.Join(euCells(list[i]), ";") + "\r\n")
			}
		}
	}
	return []byte(b.String())
}

func euCells(r row) []string {
	from, to := "", ""
	if r.sale > 0 {
		from, to = day(saleStart), day(saleEnd)
	}
	market, ok := price.MarketplaceByID(r.s.market)
	if !ok {
		panic("unknown marketplace " + r.s.market)
	}
	b2b := ""
	if r.b2b > 0 {
		b2b, _, _ = strings.Cut(r.text("b2b", r.b2b), ".")
		if t, ok := r.raw["b2b"]; ok {
			b2b = t
		}
	}
	return []string{
		r.sku(), market.Country, comma(r.text("price", r.our)), string(r.currency), comma(r.s.amount(r.min)), comma(r.s.amount(r.max)),
		b2b, comma(r.s.amount(r.sale)), from, to,
	}
}

// comma writes 1234.50 as 1.234,50.
func comma(amount string) string {
	whole, cents, ok := strings.Cut(amount, ".")
	if !ok {
		return amount
	}
	if n := len(whole); n > 3 && !strings.HasPrefix(whole, "-") {
		whole = whole[:n-3] + "." + whole[n-3:]
	}
	return whole + "," + cents
}

// day writes 2030-03-31 as 31.03.2030.
func day(iso string) string {
	p := strings.Split(iso, "-")
	return p[2] + "." + p[1] + "." + p[0]
}
