package pricefile

import (
	"iter"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
)

// Row is one row of a price file: what it wants changed about one offer.
type Row struct {
	Line int       // physical line in the file, from 1
	SKU  price.SKU // "" when the file names offers by EAN or ASIN
	Ref  Ref       // what names the offer
	// ASIN and EAN are what the row says about the offer's product, "" for
	// nothing. They must agree with the offer that Ref names.
	ASIN, EAN   Product
	Marketplace price.MarketplaceID
	Edit        price.Edit
	// SameAs is the line of an earlier row that says exactly the same about
	// the same offer, 0 for none. Such a row has nothing to add.
	SameAs int
	// Linked is how the row came about when it is not in the file, which only who
	// adds to the rows of a file sets; nil for the file's own rows.
	Linked *price.Linked
}

// Product is an ASIN or EAN in the form of Ref and as the file gives it.
type Product struct{ Value, Given string }

// File is a price file whose layout is understood and whose columns have shown
// how they are written. It is not for concurrent use.
type File struct {
	text    *text
	reading *reading
	layout  *Layout
	failed  error // why the last pass ended early
	rows    int
	markets *markets
	numbers map[Meaning]*evidence
	dates   map[Meaning]*dateEvidence
	prints  prints
	// Offers that several rows are about: their fingerprints, in order, and what
	// is known about each.
	suspects []uint64
	repeats  []repeat
}

// Open understands the content of a price file. A file that cannot be
// understood, or is over a limit, is a *fault.Fault; any other error is the
// content's or the spool's own. The file must be closed.
func Open(c Content, o Options) (_ *File, err error) {
	markets, err := newMarkets(o.Marketplace)
	if err != nil {
		return nil, err
	}
	t, err := openText(c, o.Spool)
	if err != nil {
		return nil, err
	}
	f := &File{
		text: t, markets: markets, prints: newPrints(),
		numbers: map[Meaning]*evidence{}, dates: map[Meaning]*dateEvidence{},
	}
	defer func() {
		if err != nil {
			_ = f.Close() // the error that counts is the other one
		}
	}()
	readings, err := sources(t, o.Mappings)
	if err != nil {
		return nil, err
	}
	if f.layout, f.reading, err = findLayout(readings, o.Mappings); err != nil {
		return nil, err
	}
	f.layout.Encoding, f.layout.Container = t.encoding, t.container
	f.layout.Sheet, f.layout.OtherSheets = f.reading.sheet, f.reading.otherSheets
	if err := f.gather(); err != nil {
		return nil, err
	}
	f.findRepeats()
	if f.failed != nil {
		return nil, f.failed
	}
	return f, nil
}

// Close forgets the temporary files. It may be called twice.
func (f *File) Close() error { return f.text.Close() }

// Err is why the last run over Rows ended before the end of the file, nil when
// it did not: a *fault.Fault when the seller can mend it.
func (f *File) Err() error { return f.failed }

// reading is one way of splitting a content into records. A content with
// several is read in the one that has the best header.
type reading struct {
	name string        // for the layout
	open func() source // at the beginning, for every pass

	sheet       string // of a workbook; see Layout
	otherSheets []string
}

// sources are the ways in which a content may be read: here formats are told
// apart.
func sources(t *text, remembered Mappings) ([]reading, error) {
	if t.format == formatXLSX {
		return xlsxReadings(t, remembered)
	}
	json, err := looksJSON(t)
	switch {
	case err != nil:
		return nil, err
	case json:
		return jsonReadings(t)
	}
	return delimitedReadings(t), nil
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
// wrong with it, and then its edit must not be used. Err says afterwards
// whether that was all of them.
func (f *File) Rows() iter.Seq2[Row, []RowError] {
	return func(yield func(Row, []RowError) bool) {
		c := newCells(f)
		var row Row
		for rec := range f.records() {
			errs := c.row(rec, &row)
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
		src := f.reading.open()
		var rec record
		for src.next(&rec) {
			if rec.line > f.layout.HeaderLine && !rec.blank() && !yield(&rec) {
				break
			}
		}
		f.failed = src.err()
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
	names, market := newIdentity(f.layout), f.layout.index(MeansMarketplace)
	for rec := range f.records() {
		f.rows++
		if f.rows > MaxRows {
			return fault.New(fault.TooLarge, "price-file-rows", "The file has more than %d rows. Split it into several files.", MaxRows)
		}
		if f.layout.problem(rec) != "" {
			continue
		}
		for _, c := range columns {
			switch cell := rec.cell(c.index); {
			case len(cell) == 0:
			case c.number != nil && rec.noted(c.index).kind != noteText: // says nothing about how people write here
			case c.number != nil:
				c.number.observe(rec.line, cell)
			default:
				c.date.observe(rec.line, cell)
			}
		}
		if f.rows <= sampled {
			f.layout.sample(rec)
		}
		f.notice(names.key(rec), rec.cell(market))
	}
	if f.failed != nil {
		return f.failed
	}
	switch {
	case f.rows == 0 && f.layout.Sheet != "":
		return unreadable("empty", "The sheet %q has a header but no rows. Put the prices below its header, or hide the sheet.", f.layout.Sheet)
	case f.rows == 0:
		return unreadable("empty", "The file has a header but no rows.")
	}
	f.layout.conclude(f.numbers, f.dates)
	return nil
}

// SKUColumn and MarketplaceColumn are the names, as the file gives them, of the
// columns that say which offer a row is about; "" when the file has none.
func (f *File) SKUColumn() string {
	return f.layout.headerOr(MeansSKU, MeansASIN, MeansEAN, MeansProduct)
}

// MarketplaceColumn: see SKUColumn.
func (f *File) MarketplaceColumn() string { return f.layout.header(MeansMarketplace) }
