package pricefile

import (
	"bytes"
	"errors"
	"fmt"
	"time"
	"unicode"

	"pricemanager/internal/price"
)

// cells turns the text of one record into a row. It is used by one pass at a
// time.
type cells struct {
	layout  *Layout
	numbers map[Meaning]*evidence
	dates   map[Meaning]*dateEvidence
	markets *markets
	columns [len(moneyColumns)]moneyColumn

	text   []byte        // a number as ParseMoney wants it
	chunk  []price.Money // amounts are taken from here, one allocation for many
	errors []RowError
	line   int
}

// moneyColumns are the price columns in the order in which errors are reported.
var moneyColumns = [...]Meaning{MeansPrice, MeansSalePrice, MeansMin, MeansMax, MeansB2B}

// moneyColumn is what is known about one price column once evidence is in.
type moneyColumn struct {
	means Meaning
	index int // -1: the file has none
	reads form
}

func newCells(f *File) *cells {
	c := &cells{layout: f.layout, numbers: f.numbers, dates: f.dates, markets: f.markets}
	for i, m := range moneyColumns {
		c.columns[i] = moneyColumn{means: m, index: f.layout.index(m), reads: f.numbers[m].decided()}
	}
	return c
}

func (c *cells) fail(column string, value []byte, code Code, fix, reason string, args ...any) {
	c.errors = append(c.errors, RowError{
		Line: c.line, Column: column, Value: show(value), Code: code, Reason: fmt.Sprintf(reason, args...), Fix: fix,
	})
}

// row reads a record. With errors the row still names its SKU and marketplace
// as far as they are known, and its edit must not be used.
func (c *cells) row(rec *record) (Row, []RowError) {
	c.errors, c.line = nil, rec.line
	row := Row{Line: rec.line}
	switch rec.problem {
	case CodeBrokenQuote:
		c.fail("", rec.cell(0), rec.problem, "Double the quotes inside a cell, or remove them.", "A quote in this row does not close.")
		return row, c.errors
	case CodeCellTooLong:
		for i, cell := range rec.cells {
			if tooLong(cell) {
				c.fail(c.layout.name(i), cell, rec.problem, "Shorten the cell.", "A cell has more than %d characters.", MaxCell)
			}
		}
		return row, c.errors
	}
	for i := len(c.layout.Columns); i < len(rec.cells); i++ {
		if len(rec.cells[i]) > 0 {
			c.fail("", rec.cells[i], CodeExtraCells, "Put cells that contain the separator in double quotes.",
				"The row has %d cells, the header has %d.", len(rec.cells), len(c.layout.Columns))
			break
		}
	}
	sku := rec.cell(c.layout.index(MeansSKU))
	row.SKU = price.SKU(sku)
	switch {
	case len(sku) == 0:
		c.fail(c.layout.header(MeansSKU), nil, CodeMissingSKU, "Give the seller SKU.", "The row names no SKU.")
	case len(sku) > MaxSKU || bytes.ContainsFunc(sku, unicode.IsControl):
		c.fail(c.layout.header(MeansSKU), sku, CodeBadSKU, "Correct the SKU.", "A SKU has at most %d bytes and no line breaks or control characters.", MaxSKU)
	}
	currency := c.market(rec, &row)
	prices := [len(moneyColumns)]*price.Money{}
	blank := true
	for i := range c.columns {
		if cell := rec.cell(c.columns[i].index); len(cell) > 0 {
			blank = false
			prices[i] = c.money(&c.columns[i], cell, currency)
		}
	}
	row.Edit.Set = price.Prices{Our: prices[0], Min: prices[2], Max: prices[3], B2B: prices[4]}
	before := len(c.errors)
	row.Edit.Set.Sale = c.sale(rec, prices[1])
	if blank && len(c.errors) == before { // dates without a price have been reported as that
		c.fail(c.firstPrice(), nil, CodeBlankPrice, "Give a price, or remove the row.", "blank price: no price column of this row holds anything")
	}
	return row, c.errors
}

// firstPrice names the column that a row without prices is blamed on.
func (c *cells) firstPrice() string {
	for _, col := range c.columns {
		if col.index >= 0 {
			return c.layout.Columns[col.index].Header
		}
	}
	return ""
}

// market finds the row's marketplace and the currency of its prices, "" when
// it has none.
func (c *cells) market(rec *record, row *Row) price.Currency {
	cell := rec.cell(c.layout.index(MeansMarketplace))
	m, ok := c.markets.find(cell)
	switch {
	case ok:
		row.Marketplace = m.ID
	case len(cell) == 0:
		c.fail(c.layout.header(MeansMarketplace), nil, CodeNoMarketplace, "Add a marketplace column, or choose a marketplace for the whole file.", "The row names no marketplace.")
	default:
		c.fail(c.layout.header(MeansMarketplace), cell, CodeUnknownMarketplace, "Use Amazon's marketplace id, the country code or the shop's domain.", "This is not one of Amazon's marketplaces.")
	}
	given := rec.cell(c.layout.index(MeansCurrency))
	if len(given) == 0 || string(given) == string(m.Currency) {
		return m.Currency
	}
	code := price.Currency(upper(given))
	if _, known := code.Exponent(); !known {
		c.fail(c.layout.header(MeansCurrency), given, CodeUnknownCurrency, "Use an ISO 4217 code such as EUR, or leave the cell blank.", "This is not a currency code.")
		return m.Currency
	}
	if ok && code != m.Currency {
		c.fail(c.layout.header(MeansCurrency), given, CodeCurrency, "Give the prices in "+string(m.Currency)+", or correct the marketplace.",
			"The row is in %s, but marketplace %s (%s) uses %s.", code, m.ID, m.Country, m.Currency)
	}
	return code
}

func upper(b []byte) string {
	out := make([]byte, len(b))
	for i, ch := range b {
		if ch >= 'a' && ch <= 'z' {
			ch -= 'a' - 'A'
		}
		out[i] = ch
	}
	return string(out)
}

// money reads a price. It returns nil after reporting what is wrong with it.
func (c *cells) money(col *moneyColumn, cell []byte, currency price.Currency) *price.Money {
	n := parseNumber(cell)
	header := c.layout.Columns[col.index].Header
	if n.form == bad {
		c.fail(header, cell, CodeNotANumber, "Write digits only, such as 19.99, without a currency sign.", "not a number")
		return nil
	}
	if n.form == either && col.reads == either {
		why := "no other value of this column shows how it is written"
		if c.numbers[col.means].point {
			why = "the other values of this column are written both ways"
		}
		c.fail(header, cell, CodeAmbiguousNumber, "Write the price with two decimals.",
			"ambiguous number: %s could be %s or %s, and %s", cell, n.appendDecimal(nil, point), n.appendDecimal(nil, comma), why)
		return nil
	}
	if currency == "" {
		return nil // without a marketplace there is nothing to read the amount in
	}
	c.text = n.appendDecimal(c.text[:0], col.reads)
	m, err := price.ParseMoney(string(c.text), currency)
	switch {
	case errors.Is(err, price.ErrDecimals):
		digits, _ := currency.Exponent()
		c.fail(header, cell, CodeDecimals, "Round the price.", "The price has more than the %d decimals of %s.", digits, currency)
	case errors.Is(err, price.ErrRange):
		c.fail(header, cell, CodeTooLarge, "Correct the price.", "The number is too large for a price.")
	case err != nil:
		c.fail(header, cell, CodeNotANumber, "Write digits only, such as 19.99.", "not a number")
	case !m.Positive():
		c.fail(header, cell, CodeNotPositive, "Give a price above zero, or leave the cell blank to keep the price as it is.", "A price must be above zero.")
	default:
		return c.keep(m)
	}
	return nil
}

// keep returns a pointer to m.
func (c *cells) keep(m price.Money) *price.Money {
	if len(c.chunk) == cap(c.chunk) {
		c.chunk = make([]price.Money, 0, 256)
	}
	c.chunk = append(c.chunk, m)
	return &c.chunk[len(c.chunk)-1]
}

// sale puts the sale together: a price, a start and an end, or nothing.
func (c *cells) sale(rec *record, reduced *price.Money) *price.Sale {
	given := [3][]byte{
		rec.cell(c.layout.index(MeansSalePrice)), rec.cell(c.layout.index(MeansSaleStart)), rec.cell(c.layout.index(MeansSaleEnd)),
	}
	if len(given[0]) == 0 && len(given[1]) == 0 && len(given[2]) == 0 {
		return nil
	}
	for i, m := range [3]Meaning{MeansSalePrice, MeansSaleStart, MeansSaleEnd} {
		if len(given[i]) == 0 {
			c.fail(c.layout.header(m), nil, CodeIncompleteSale, "Give all three, or none to leave the sale as it is.",
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
		c.fail(c.layout.header(m), cell, code, "Write it as 2030-12-31.", "ambiguous date: day and month could be the other way round, and no other value of this column proves that the day comes first")
	case CodeNotADate:
		c.fail(c.layout.header(m), cell, code, "Write it as 2030-12-31.", "This is not a date that we read.")
	}
	return at, isDay
}
