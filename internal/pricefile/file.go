package pricefile

import (
	"bytes"
	"iter"
	"unicode/utf8"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
)

// Row is one row of a price file: what it wants changed about one offer.
type Row struct {
	Line        int // physical line in the file, from 1
	SKU         price.SKU
	Marketplace price.MarketplaceID
	Edit        price.Edit
	// SameAs is the line of an earlier row that says exactly the same about
	// the same offer, 0 for none. Such a row has nothing to add.
	SameAs int
}

// File is a price file whose layout is understood and whose columns have shown
// how they are written. It is not for concurrent use.
type File struct {
	content []byte
	layout  *Layout
	rows    int
	markets *markets
	numbers map[Meaning]*evidence
	dates   map[Meaning]*dateEvidence
	repeats map[rowKey]*repeat
	suspect map[uint64]bool // fingerprints that occur more than once
	prints  prints
}

// Open understands the content of a price file. Rows that name no marketplace
// are about the given one, "" for none. A file that cannot be understood, or
// is over a limit, is a *fault.Fault.
func Open(content []byte, marketplace price.MarketplaceID) (*File, error) {
	if err := checkEncoding(content); err != nil {
		return nil, err
	}
	markets, err := newMarkets(marketplace)
	if err != nil {
		return nil, err
	}
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	layout, err := findLayout(content)
	if err != nil {
		return nil, err
	}
	f := &File{
		content: content, layout: layout, markets: markets, prints: newPrints(),
		numbers: map[Meaning]*evidence{}, dates: map[Meaning]*dateEvidence{},
	}
	if err := f.gather(); err != nil {
		return nil, err
	}
	if len(f.suspect) > 0 {
		f.findRepeats()
	}
	f.prints.table = nil // only the suspects matter from here on
	return f, nil
}

// checkEncoding refuses what is not UTF-8 text, naming what it seems to be.
func checkEncoding(content []byte) error {
	starts := func(magic string) bool { return bytes.HasPrefix(content, []byte(magic)) }
	refuse := func(what string) error {
		return fault.New(fault.Unsupported, "price-file-format", "The file is %s, which is not read yet. Save it as CSV or tab separated text in UTF-8.", what)
	}
	switch {
	case len(content) > MaxBytes:
		return fault.New(fault.TooLarge, "price-file-bytes", "The file has %d bytes; at most %d are read. Split it into several files.", len(content), MaxBytes)
	case starts("PK\x03\x04"):
		return refuse("an Excel workbook or ZIP archive")
	case starts("\x1f\x8b"):
		return refuse("compressed with gzip")
	case starts("\xff\xfe"), starts("\xfe\xff"):
		return refuse("in UTF-16 encoding")
	case bytes.IndexByte(content, 0) >= 0:
		return refuse("not text")
	}
	if !utf8.Valid(content) {
		return refuse("not in UTF-8 encoding (see line " + lineOfBadByte(content) + ")")
	}
	return nil
}

// Layout says how the file is understood.
func (f *File) Layout() Layout {
	out := *f.layout
	out.Columns = append([]Column(nil), f.layout.Columns...)
	return out
}

// Column returns the name, as the file gives it, of the column that shows the
// field, "" when the file has none.
func (f *File) Column(field price.Field) string { return f.layout.header(fields[field]) }

// Count is how many rows the file has. Lines without any content are not rows.
func (f *File) Count() int { return f.rows }

// Rows yields every row of the file in its order: with errors when anything is
// wrong with it, and then its edit must not be used.
func (f *File) Rows() iter.Seq2[Row, []RowError] {
	return func(yield func(Row, []RowError) bool) {
		c := newCells(f)
		for rec := range f.records() {
			row, errs := c.row(rec)
			f.judgeRepeat(&row, &errs)
			if !yield(row, errs) {
				return
			}
		}
	}
}

// records yields the records below the header that hold anything.
func (f *File) records() iter.Seq[*record] {
	return func(yield func(*record) bool) {
		var src source = newDelimited(f.content, f.layout.sep)
		var rec record
		for src.next(&rec) {
			if rec.line > f.layout.HeaderLine && !rec.blank() && !yield(&rec) {
				return
			}
		}
	}
}

// gather is the first pass: it counts the rows, collects what the values prove
// about their columns, and notices rows that may be about the same offer.
func (f *File) gather() error {
	type column struct {
		index  int
		number *evidence
		date   *dateEvidence
	}
	var columns []column
	for _, m := range moneyColumns {
		f.numbers[m] = &evidence{}
	}
	f.dates[MeansSaleStart], f.dates[MeansSaleEnd] = &dateEvidence{}, &dateEvidence{}
	for i, c := range f.layout.Columns {
		if c.Means.money() || c.Means.date() {
			columns = append(columns, column{i, f.numbers[c.Means], f.dates[c.Means]})
		}
	}
	sku, market := f.layout.index(MeansSKU), f.layout.index(MeansMarketplace)
	for rec := range f.records() {
		f.rows++
		if f.rows > MaxRows {
			return fault.New(fault.TooLarge, "price-file-rows", "The file has more than %d rows. Split it into several files.", MaxRows)
		}
		if rec.problem != "" {
			continue
		}
		for _, c := range columns {
			switch cell := rec.cell(c.index); {
			case len(cell) == 0:
			case c.number != nil:
				c.number.add(parseNumber(cell).form)
			default:
				c.date.add(cell)
			}
		}
		f.notice(rec.cell(sku), rec.cell(market))
	}
	if f.rows == 0 {
		return unreadable("empty", "The file has a header but no rows.")
	}
	for i := range f.layout.Columns {
		c := &f.layout.Columns[i]
		switch {
		case c.Means.money():
			c.Reads = f.numbers[c.Means].String()
		case c.Means.date():
			c.Reads = f.dates[c.Means].String()
		}
	}
	return nil
}

// SKUColumn and MarketplaceColumn are the names, as the file gives them, of the
// columns that say which offer a row is about; "" when the file has none.
func (f *File) SKUColumn() string { return f.layout.header(MeansSKU) }

// MarketplaceColumn: see SKUColumn.
func (f *File) MarketplaceColumn() string { return f.layout.header(MeansMarketplace) }
