package main

import (
	"strings"

	"pricemanager/internal/price"
)

// row is one row of a price file in cents; 0 is a blank cell.
type row struct {
	s                        stock
	our, min, max, b2b, sale int64
	currency                 price.Currency // "" leaves the cell blank
	// raw replaces the text of a cell: "price", "b2b", "from" or "sku".
	raw map[string]string
}

// picker hands out the SKUs of a marketplace, each once.
type picker struct {
	market price.MarketplaceID
	used   map[int]bool
}

func (p *picker) pick(from int, fits func(stock) bool) stock {
	for i := from; i < perMarketplace; i++ {
		if s := stockOf(p.market, i); !p.used[i] && fits(s) {
			p.used[i] = true
			return s
		}
	}
	panic("the catalogue has no fitting SKU left")
}

func bounded(s stock) bool   { return s.isPlain && s.min > 0 && !s.expensive && !s.automated }
func unbounded(s stock) bool { return s.isPlain && s.min == 0 && !s.expensive && !s.automated }
func expensive(s stock) bool { return s.expensive && s.isPlain && s.min > 0 }
func automated(s stock) bool { return s.automated }

// marketRows makes the rows of one marketplace: first the mistakes, taken from
// the end of the catalogue, then unchanged and planned rows from its beginning,
// mixed. The comment on each kind says what a plan makes of it.
func marketRows(m price.MarketplaceID, planned, unchanged int, ambiguous bool) []row {
	p := &picker{m, map[int]bool{}}
	var out []row
	add := func(r row) { out = append(out, r) }
	raw := func(cell, text string) map[string]string { return map[string]string{cell: text} }
	foreign := price.Currency("GBP")
	const back = 160 // mistakes come from here on

	s := p.pick(back, bounded) // refused: negative
	add(row{s: s, raw: raw("price", "-"+s.amount(s.our))})
	add(row{s: p.pick(back, bounded)})                                      // refused: blank
	add(row{s: p.pick(back, bounded), our: 1_999, raw: raw("sku", "PM-9")}) // refused: unknown SKU
	s = p.pick(back, bounded)
	add(row{s: s, our: s.min - 1})             // refused: below the minimum
	add(row{s: s, our: s.min - 1})             // unchanged: says the same again
	add(row{s: p.pick(back, bounded), our: 5}) // refused: far below the minimum
	s = p.pick(back, unbounded)
	add(row{s: s, our: s.our / 10}) // refused: a drop of 90 %
	s = p.pick(back, bounded)
	add(row{s: s, our: s.our * 105 / 100}) // refused, with the next one: they contradict each other
	add(row{s: s, our: s.our * 106 / 100})
	s = p.pick(back, bounded)
	add(row{s: s, sale: s.our + 100}) // refused: a sale above the price
	s = p.pick(back, bounded)
	add(row{s: s, our: s.our * 110 / 100, raw: raw("price", "on request")}) // refused: not a number
	if ambiguous {
		for range 2 { // refused: ambiguous number
			s = p.pick(back, expensive)
			text := strings.Replace(s.amount(s.our*93/100/1000*1000+10), ".", "", 1)
			add(row{s: s, b2b: 1, raw: raw("b2b", text[:1]+"."+text[1:4])})
		}
		s = p.pick(back, bounded)
		add(row{s: s, our: s.our * 108 / 100, currency: foreign}) // refused: not the marketplace's currency
	}
	for range 2 { // held: moves of 40 %
		s = p.pick(back, bounded)
		add(row{s: s, our: s.our * 140 / 100})
		s = p.pick(back, bounded)
		add(row{s: s, our: s.our * 60 / 100})
	}
	s = p.pick(back, automated) // held: under Automate Pricing
	add(row{s: s, our: s.our * 105 / 100})

	every := (planned + unchanged) / unchanged
	for i := 0; planned+unchanged > 0; i++ {
		s := p.pick(0, func(stock) bool { return true })
		if unchanged > 0 && (i%every == every-1 || planned == 0) {
			add(row{s: s, our: s.our, min: s.min, max: s.max, currency: s.currency})
			unchanged--
			continue
		}
		add(plannedRow(s))
		planned--
	}
	return mixed(out)
}

// plannedRow changes prices as the guards and a strict Amazon allow: inside the
// bounds, a sale and a B2B price below our price.
func plannedRow(s stock) row {
	move := int64(s.index*7%41 - 20) // percent
	if move == 0 {
		move = 3
	}
	if !s.isPlain && move < 0 {
		move = -move // stay above the known sale and B2B price
	}
	r := row{s: s, currency: s.currency}
	next := s.our * (100 + move) / 100
	switch {
	case s.index%10 == 8 && !s.tiers:
		r.b2b = s.our * 93 / 100
	case s.index%10 == 7 && !s.expensive:
		r.sale = s.our * 85 / 100
	case s.index%10 == 6:
		r.our, r.min, r.max = next, next*55/100, next*190/100
	case s.index%10 == 3:
		r.min, r.max = s.our*45/100, s.our*210/100
	case s.index%10 == 2:
		r.our, r.sale = next, next*88/100
	default:
		r.our = next
	}
	return r
}

// mixed returns the rows in another order, always the same.
func mixed(rows []row) []row {
	const step = 89 // has no divisor in common with the number of rows
	out := make([]row, 0, len(rows))
	for i := range rows {
		out = append(out, rows[i*step%len(rows)])
	}
	return out
}
