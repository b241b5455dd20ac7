package pricefile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
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
	names   identity
	refs    price.RefKind // what the first row of a product id column was
	at      places

	text   []byte        // a number as ParseMoney wants it
	chunk  []price.Money // amounts are taken from here, one allocation for many
	clear  []price.Field // of the current row
	texts  arena
	errors []RowError
	line   int
}

// moneyColumns are the price columns in the order in which errors are reported.
var moneyColumns = [...]Meaning{MeansPrice, MeansSalePrice, MeansMin, MeansMax, MeansB2B,
	tierPrice[0], tierPrice[1], tierPrice[2], tierPrice[3], tierPrice[4]}

// firstTier is where the tier prices begin in moneyColumns.
const firstTier = 5

// moneyColumn is what is known about one price column once evidence is in.
type moneyColumn struct {
	means Meaning
	index int // -1: the file has none
	reads form
}

// places are the columns that are neither prices nor names, -1 for none.
type places struct {
	market, currency, action, saleStart, saleEnd, tierType int
	tierQuantity                                           [price.MaxTiers]int
}

func newCells(f *File) *cells {
	l := f.layout
	c := &cells{layout: l, numbers: f.numbers, dates: f.dates, markets: f.markets, names: newIdentity(l), at: places{
		market: l.index(MeansMarketplace), currency: l.index(MeansCurrency), action: l.index(MeansAction),
		saleStart: l.index(MeansSaleStart), saleEnd: l.index(MeansSaleEnd), tierType: l.index(MeansTierType),
	}}
	for i, m := range moneyColumns {
		c.columns[i] = moneyColumn{means: m, index: l.index(m), reads: f.numbers[m].decided()}
	}
	for i, m := range tierQuantity {
		c.at.tierQuantity[i] = l.index(m)
	}
	return c
}

func (c *cells) fail(column string, value []byte, code Code, fix, reason string, args ...any) {
	c.errors = append(c.errors, RowError{
		Line: c.line, Column: column, Value: show(value), Code: code, Reason: fmt.Sprintf(reason, args...), Fix: fix,
	})
}

// row reads a record into row. With errors the row still names its SKU and marketplace
// as far as they are known, and its edit must not be used.
func (c *cells) row(rec *record, row *Row) []RowError {
	errs := c.read(rec, row)
	if len(rec.notes) > 0 {
		errs = c.judgeNotes(rec, row, errs)
	}
	return errs
}

func (c *cells) read(rec *record, row *Row) []RowError {
	c.errors, c.clear, c.line = nil, c.clear[:0], rec.line
	*row = Row{Line: rec.line}
	switch problem := c.layout.problem(rec); problem {
	case CodeBrokenQuote:
		c.fail("", rec.cell(0), problem, "Double the quotes inside a cell, or remove them.", "A quote in this row does not close, or only after more than %d bytes.", maxQuoted)
		return c.errors
	case CodeCellTooLong:
		for i, cell := range rec.cells {
			if c.layout.tooLong(rec, i) {
				c.fail(c.layout.name(i), cell, problem, "Shorten the cell.", "A cell has more than %d characters.", MaxCell)
			}
		}
		return c.errors
	}
	if i := c.layout.excess(rec); i >= 0 {
		c.fail("", rec.cells[i], CodeExtraCells, "Put cells that contain the separator in double quotes, and leave nothing behind the last column.",
			"The row has %d cells, the header has %d.", len(rec.cells), len(c.layout.Columns))
	}
	c.name(rec, row)
	c.action(rec)
	currency := c.market(rec, row)
	prices := [len(moneyColumns)]*price.Money{}
	blank := true
	for i := range c.columns {
		if cell := rec.cell(c.columns[i].index); len(cell) > 0 {
			blank = false
			prices[i] = c.money(&c.columns[i], cell, currency, rec.noted(c.columns[i].index))
		}
	}
	row.Edit.Set = price.Prices{Our: prices[0], Min: prices[2], Max: prices[3], B2B: prices[4]}
	before := len(c.errors)
	row.Edit.Set.Sale = c.sale(rec, prices[1])
	row.Edit.Set.Tiers = c.tiers(rec, prices[firstTier:])
	row.Edit.Clear = c.cleared()
	if blank && len(c.clear) == 0 && len(c.errors) == before { // dates and quantities without a price have been reported as that
		c.fail(c.firstPrice(), nil, CodeBlankPrice, "Give a price, or remove the row.", "blank price: no price column of this row holds anything")
	}
	return c.errors
}

// name reads what the row says about which offer it means.
func (c *cells) name(rec *record, row *Row) {
	if c.names.by == MeansSKU {
		sku := c.names.skuOf(rec)
		row.SKU = price.SKU(c.texts.string(sku))
		row.Ref = Ref{Kind: price.BySKU, Value: string(row.SKU)}
		switch {
		case len(sku) == 0:
			c.fail(c.layout.name(c.names.sku), nil, CodeMissingSKU, "Give the seller SKU.", "The row names no SKU.")
		case len(sku) > MaxSKU || bytes.ContainsFunc(sku, unicode.IsControl):
			c.fail(c.layout.name(c.names.sku), sku, CodeBadSKU, "Correct the SKU.", "A SKU has at most %d bytes and no line breaks or control characters.", MaxSKU)
		}
	}
	if cell := rec.cell(c.names.asin); len(cell) > 0 {
		asin, ok := parseASIN(cell)
		if !ok {
			c.fail(c.layout.name(c.names.asin), cell, CodeBadASIN, "Copy the ASIN from the product's page at Amazon.", "An ASIN is B and nine letters or digits, or the ISBN-10 of a book.")
		}
		row.ASIN = Product{asin, string(cell)}
	}
	if cell := rec.cell(c.names.ean); len(cell) > 0 {
		gtin, code, fix, reason := parseEAN(cell)
		if code != "" {
			c.fail(c.layout.name(c.names.ean), cell, code, fix, "%s", reason)
		}
		row.EAN = Product{gtin, string(cell)}
	}
	if cell := rec.cell(c.names.product); len(cell) > 0 {
		c.product(cell, rec.cell(c.names.productType), row)
	}
	c.nameByProduct(rec, row)
}

// product reads a product id column.
func (c *cells) product(cell, typ []byte, row *Row) {
	header := c.layout.name(c.names.product)
	ref, code, fix, reason := parseProduct(cell, typ)
	if code != "" {
		if c.names.by != MeansSKU || code != CodeBadProduct { // beside a SKU an id of another kind says nothing
			c.fail(header, cell, code, fix, "%s", reason)
		}
		return
	}
	given := &row.ASIN
	if ref.Kind == price.ByEAN {
		given = &row.EAN
	}
	if given.Value != "" && given.Value != ref.Value {
		c.fail(header, cell, CodeMismatch, "Correct the one that is wrong.", "The row names two different products: %s and %s.", given.Given, cell)
	}
	*given = Product{ref.Value, string(cell)}
	if c.names.by != MeansProduct {
		return
	}
	if c.refs == "" {
		c.refs = ref.Kind
	}
	if c.refs != ref.Kind {
		c.fail(header, cell, CodeMixedRefs, "Put EANs and ASINs into separate files, or add the SKUs.",
			"Earlier rows name offers by %s: with both in one column, two rows could mean the same offer unnoticed.", strings.ToUpper(string(c.refs)))
	}
	row.Ref = ref
}

// nameByProduct names the offer in a file without SKUs.
func (c *cells) nameByProduct(rec *record, row *Row) {
	column := -1
	switch c.names.by {
	case MeansASIN:
		column, row.Ref = c.names.asin, Ref{Kind: price.ByASIN, Value: row.ASIN.Value}
	case MeansEAN:
		column, row.Ref = c.names.ean, Ref{Kind: price.ByEAN, Value: row.EAN.Value}
	case MeansProduct:
		column = c.names.product
	}
	if column >= 0 && len(rec.cell(column)) == 0 {
		c.fail(c.layout.name(column), nil, CodeMissingRef, "Give the ASIN or EAN, or add a column with the SKUs.", "The row does not say which offer it is about.")
	}
}

// action reads Amazon's add-delete and update-delete columns: a price file changes
// prices only.
func (c *cells) action(rec *record) {
	cell := rec.cell(c.at.action)
	switch strings.ToLower(string(cell)) {
	case "", "a", "u", "update", "partialupdate":
	default:
		c.fail(c.layout.name(c.at.action), cell, CodeAction, "Remove the row, or write a. Delete listings in Seller Central.",
			"The row asks for something else than a price change of the listing; that is not done here.")
	}
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
	cell := rec.cell(c.at.market)
	m, ok := c.markets.find(cell)
	switch {
	case ok:
		row.Marketplace = m.ID
	case len(cell) == 0:
		c.fail(c.layout.header(MeansMarketplace), nil, CodeNoMarketplace, "Add a marketplace column, or choose a marketplace for the whole file.", "The row names no marketplace.")
	default:
		c.fail(c.layout.header(MeansMarketplace), cell, CodeUnknownMarketplace, "Use Amazon's marketplace id, the country code or the shop's domain.", "This is not one of Amazon's marketplaces.")
	}
	given := rec.cell(c.at.currency)
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
func (c *cells) money(col *moneyColumn, cell []byte, currency price.Currency, noted note) *price.Money {
	n, reads, sign := parseNumber(cell), col.reads, noted.sign
	if n.form == bad {
		if amount, its := withCurrency(cell); its != "" {
			n, sign = amount, its
		}
	}
	if noted.kind == noteNumber {
		reads = point
	}
	header := c.layout.Columns[col.index].Header
	if n.form == bad {
		if clears(cell) {
			c.clear = append(c.clear, fieldOf(col.means))
			return nil
		}
		c.fail(header, cell, CodeNotANumber, "Write digits only, such as 19.99; or clear, to remove a price that is set.", "not a number")
		return nil
	}
	if stated := c.layout.Columns[col.index].Currency; stated != "" && currency != "" && stated != currency {
		c.fail(header, cell, CodeCurrency, "Give the prices in "+string(currency)+", or correct the marketplace.",
			"The column is in %s, but the row's prices are in %s.", stated, currency)
		return nil
	}
	if sign != "" && currency != "" && !inCurrency(sign, currency) {
		c.fail(header, cell, CodeCurrency, "Give the prices in "+string(currency)+", or correct the marketplace.",
			"The price is given in %s, but the row's prices are in %s.", sign, currency)
		return nil
	}
	if n.form == either && reads == either {
		why := "no other value of this column shows how it is written"
		if c.numbers[col.means].point {
			why = "the other values of this column are written both ways"
		}
		c.fail(header, cell, CodeAmbiguousNumber, "Write the price without a thousands separator, such as 1234 or 1.23.",
			"ambiguous number: %s could be %s or %s, and %s", cell, n.appendDecimal(nil, point), n.appendDecimal(nil, comma), why)
		return nil
	}
	if currency == "" {
		return nil // without a marketplace there is nothing to read the amount in
	}
	c.text = n.appendDecimal(c.text[:0], reads)
	m, err := price.ParseMoney(string(c.text), currency)
	switch digits, _ := currency.Exponent(); {
	case n.form == either && noted.kind != noteNumber && reads == written(n.digits[n.decimal]) && digits < 3:
		// No price has three decimals, also not three that end in zeros: what
		// stands here may well be thousands, in a column that is written both ways.
		c.fail(header, cell, CodeDecimals, "Round the price; or, if thousands are meant, write it without a separator.",
			"Read as the other values of this column are written, the price has more than the %d decimals of %s.", digits, currency)
	case errors.Is(err, price.ErrDecimals):
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
