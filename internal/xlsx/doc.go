// Package xlsx reads and writes Excel workbooks (ECMA-376, transitional and
// strict) as far as tables of values go.
//
// It owns the container, the XML and what a cell means: text, an exact decimal,
// a date where the number format says so. A number is the decimal text of the
// XML, rounded to 15 significant digits in decimal arithmetic; no float ever
// holds it. Why 15: Excel keeps a number as a binary double and writes it with
// 17 digits, so that a price typed as 19.99 may stand in the file as
// 19.989999999999998. Every decimal of at most 15 digits survives the way into
// a double and back when it is rounded to 15, and Excel itself shows and takes
// no more than 15. So this gives back what was typed.
//
// Formulas are not computed: the value that the program saved with them counts,
// and a formula without one is a cell of kind NoValue. Hidden rows and columns
// are read like all others.
//
// What is promised when things fail: whatever the bytes are, memory and time are
// bounded by the limits below, and the error is a *fault.Fault with a text for
// the person who made the file. Macros, passwords, and the older and binary
// formats are named. There are no DTDs and no entities, so nothing expands but
// the compression, and that is counted.
//
// It does not know what the values are for. It draws nothing: no charts, styles,
// or merged cells.
package xlsx

import "pricemanager/internal/fault"

// Limits, for the sake of memory and time. Excel's own ones are named so.
const (
	MaxRow    = 1_048_576 // Excel's last row
	MaxColumn = 16_384    // Excel's last column, XFD
	MaxSheets = 255

	maxEntries   = 5_000      // files in the container
	maxDirectory = 2 << 20    // bytes of its directory
	maxInflated  = 1_500e6    // bytes of XML; a million rows of ten columns have 500 MB
	maxRatio     = 200        // of XML to compressed bytes; sheets as Excel writes them reach 50
	freeRatio    = 1 << 20    // bytes of XML below which the ratio is not looked at
	maxTexts     = 64 << 20   // bytes of shared strings in memory
	maxText      = 4 * 1_010  // bytes of a cell that are kept: enough to see that 1,000 characters are exceeded
	maxRaw       = 14 * 1_010 // the same before _xHHHH_ is decoded: up to 14 bytes a character
	maxRowBytes  = 1 << 20    // text of one row
	maxDepth     = 64         // XML elements within another
	maxAttrs     = 128        // attributes of one element
	maxFormats   = 100_000    // cell formats; Excel has 65,490
	maxCode      = 1_000      // bytes of one number format
	window       = 64 << 10   // bytes of XML seen at a time: the longest tag
)

// Kind is what a cell holds.
type Kind uint8

// The kinds. The ones from Bool on are no values for a price file.
const (
	Text     Kind = iota
	Number        // plain decimal with a point, no exponent
	Date          // 2006-01-02, or 2006-01-02T15:04:05 where the format shows a time
	Bool          // TRUE or FALSE
	Error         // #N/A and the like
	NoValue       // a formula, in Text with its =, that the program saved no value for
	Percent       // 15% for a stored 0.15
	Time          // a number shown as a time or a duration
	Scaled        // a number shown in thousands or millions
	Lost          // more than 15 digits before the point: the last ones are not the ones typed
	NoDate        // shown as a date, but outside the calendar (also 1900-02-29, which Excel has)
	NoNumber      // not a number where the file says that one is
)

// Cell is one cell that holds something.
type Cell struct {
	Column int // from 0
	Kind   Kind
	Text   []byte // valid UTF-8, cut after maxText bytes
	// Sign is the currency that the number format shows, as it shows it ("€",
	// "USD"), "" for none.
	Sign string
}

// Row is one row that has cells with content, in the order of their columns.
type Row struct {
	Number int // from 1, as Excel counts
	Cells  []Cell
}

func damaged(where, format string, args ...any) *fault.Fault {
	f := fault.New(fault.Invalid, "price-file-damaged", format, args...)
	f.Public = "The Excel workbook is damaged in " + where + ": " + f.Public + " Open it in your spreadsheet program and save it again."
	return f
}

func tooLarge(format string, args ...any) *fault.Fault {
	return fault.New(fault.TooLarge, "price-file-size", format, args...)
}

func unsupported(format string, args ...any) *fault.Fault {
	return fault.New(fault.Unsupported, "price-file-format", format, args...)
}
