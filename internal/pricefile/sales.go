package pricefile

import (
	"slices"
	"time"

	"pricemanager/internal/price"
)

// fieldOf is the field that a price column shows a part of.
func fieldOf(m Meaning) price.Field {
	switch m {
	case MeansPrice:
		return price.FieldOur
	case MeansSalePrice:
		return price.FieldSale
	case MeansMin:
		return price.FieldMin
	case MeansMax:
		return price.FieldMax
	case MeansB2B:
		return price.FieldB2B
	}
	return price.FieldTiers
}

// cleared returns the fields that the row asks to remove, each once.
func (c *cells) cleared() []price.Field {
	if len(c.clear) == 0 {
		return nil
	}
	var out []price.Field
	for _, f := range price.Fields() {
		if slices.Contains(c.clear, f) {
			out = append(out, f)
		}
	}
	return out
}

// sale puts the sale together: a price, a start and an end, or nothing. A sale
// that is removed has no dates, or the same word in them.
func (c *cells) sale(rec *record, reduced *price.Money) *price.Sale {
	given := [3][]byte{rec.cell(c.columns[1].index), rec.cell(c.at.saleStart), rec.cell(c.at.saleEnd)}
	if len(given[0]) == 0 && len(given[1]) == 0 && len(given[2]) == 0 {
		return nil
	}
	if clears(given[0]) {
		for i, m := range [2]Meaning{MeansSaleStart, MeansSaleEnd} {
			if cell := given[i+1]; len(cell) > 0 && !clears(cell) {
				c.fail(c.layout.header(m), cell, CodeClear, "Leave the dates blank to remove the sale, or give a sale price.", "The sale is removed and has a date.")
			}
		}
		return nil
	}
	for i, m := range [3]Meaning{MeansSalePrice, MeansSaleStart, MeansSaleEnd} {
		if len(given[i]) == 0 {
			c.fail(c.layout.headerOr(m, MeansSalePrice, MeansSaleStart, MeansSaleEnd), nil, CodeIncompleteSale, "Give all three, or none to leave the sale as it is.",
				"A sale needs a price, a start and an end; %s is missing.", m)
		}
	}
	start, _ := c.date(MeansSaleStart, given[1])
	end, endsWithDay := c.date(MeansSaleEnd, given[2])
	if endsWithDay {
		end = end.AddDate(0, 0, 1) // the day itself belongs to the sale
	}
	if reduced == nil || start.IsZero() || end.IsZero() {
		return nil
	}
	return &price.Sale{Price: *reduced, Start: start, End: end}
}

func (c *cells) date(m Meaning, cell []byte) (time.Time, bool) {
	if len(cell) == 0 {
		return time.Time{}, false
	}
	at, isDay, code := parseDate(cell, *c.dates[m])
	switch code {
	case CodeAmbiguousDate:
		c.fail(c.layout.header(m), cell, code, "Write it as 2030-12-31.", "ambiguous date: day and month could be the other way round, and no other value of this column proves which comes first")
	case CodeNoZone:
		c.fail(c.layout.header(m), cell, code, "Write the day alone, or add the zone: 2030-12-31T08:00:00+01:00.", "The time does not say in which zone it is.")
	case CodeNotADate:
		c.fail(c.layout.header(m), cell, code, "Write it as 2030-12-31.", "This is not a date from 2000 to 2999 that we read.")
	}
	return at, isDay
}

// tiers puts the B2B quantity prices together. They are one field: a row that
// gives any of them gives all of them. Any of their prices or quantities may
// hold the word that removes them all; then the others are blank or say the same.
func (c *cells) tiers(rec *record, prices []*price.Money) []price.Tier {
	var out []price.Tier
	clear, given := slices.Contains(c.clear, price.FieldTiers), -1
	for i := range prices {
		quantity, amount := rec.cell(c.at.tierQuantity[i]), rec.cell(c.columns[firstTier+i].index)
		if clears(quantity) {
			clear, quantity = true, nil
			c.clear = append(c.clear, price.FieldTiers)
		}
		if clears(amount) {
			amount = nil
		}
		if len(quantity) == 0 && len(amount) == 0 {
			continue
		}
		if given < 0 {
			given = i
		}
		if t, ok := c.tier(i, quantity, amount, prices[i]); ok {
			out = append(out, t)
		}
	}
	if given < 0 {
		return nil
	}
	if clear {
		c.fail(c.layout.header(tierPrice[given]), rec.cell(c.columns[firstTier+given].index), CodeClear, "Leave all quantity prices blank but the one that says clear.", "The quantity prices are both removed and set.")
	}
	if typ := rec.cell(c.at.tierType); len(typ) > 0 && plainHeader(string(typ)) != "fixed" {
		c.fail(c.layout.header(MeansTierType), typ, CodeTierPercent, "Write fixed, and give the price of one unit in each step.",
			"Quantity prices are read as prices, not as percentages.")
	}
	return out
}

// mostUnits bounds a step's quantity far above any order.
const mostUnits = 9 // digits

func (c *cells) tier(i int, quantity, amount []byte, m *price.Money) (price.Tier, bool) {
	n, ok := decimalInt(quantity)
	switch {
	case len(quantity) == 0:
		c.fail(c.layout.headerOr(tierQuantity[i], tierPrice[i]), nil, CodeIncompleteTier, "Give both, or neither.", "Quantity price %d has a price and no quantity.", i+1)
		return price.Tier{}, false
	case !ok || len(quantity) > mostUnits || n < 1:
		c.fail(c.layout.header(tierQuantity[i]), quantity, CodeNotAQuantity, "Write a whole number, such as 5.", "This is not a number of units.")
		return price.Tier{}, false
	case len(amount) == 0:
		c.fail(c.layout.headerOr(tierPrice[i], tierQuantity[i]), nil, CodeIncompleteTier, "Give both, or neither.", "Quantity price %d has a quantity and no price.", i+1)
		return price.Tier{}, false
	case m == nil:
		return price.Tier{}, false // reported with the price
	}
	return price.Tier{Quantity: n, Price: *m}, true
}
