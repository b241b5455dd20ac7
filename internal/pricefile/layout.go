package pricefile

import (
	"strings"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
)

// Column says how one column of the file is understood.
type Column struct {
	Number int     `json:"column"` // from 1
	Header string  `json:"header"`
	Means  Meaning `json:"means,omitempty"` // "" is ignored
	// Reads is how the values are written, as far as they prove it: "decimal
	// point", "decimal comma", "day first", "both ways", or "" when no value
	// needed to be decided.
	Reads string `json:"reads,omitempty"`
	// Proof is the first value that proved it, and the line on which it stands.
	Proof *Proof `json:"proof,omitempty"`
	// Currency is the one that the column's name states, "" when it states none.
	Currency price.Currency `json:"currency,omitempty"`
	// Samples are the first different values; of a column that is not read, their
	// shapes: letters as a, digits as 9.
	Samples []string `json:"samples,omitempty"`
}

// Proof is a value of a file and where it stands.
type Proof struct {
	Line  int    `json:"line"`
	Value string `json:"value"`
}

// Kind names a layout that is recognised.
type Kind string

// The kinds. They decide nothing: columns are read by their names.
const (
	FreeLayout      Kind = "free"
	PriceQuantity   Kind = "price-quantity"   // Amazon's template
	BusinessPrices  Kind = "business-prices"  // Amazon's template for B2B and quantity prices
	InventoryLoader Kind = "inventory-loader" // Amazon's template
	ListingsReport  Kind = "listings-report"  // GET_MERCHANT_LISTINGS_ALL_DATA and its like
)

// Layout says how a file is understood, for the seller to check.
type Layout struct {
	Kind Kind `json:"layout,omitempty"`
	// Fingerprint stands for the names of all columns in their order; a mapping
	// is remembered for it. Remembered says that one was used.
	Fingerprint string `json:"fingerprint,omitempty"`
	Remembered  bool   `json:"remembered,omitempty"`
	Separator   string `json:"separator"`  // "tab", "semicolon", "comma" or "pipe"; "none" when there was no file
	HeaderLine  int    `json:"headerLine"` // lines above it are template notes and not rows
	// Encoding is what the text was read as: "UTF-8", "UTF-16LE", "UTF-16BE" or
	// "Windows-1252"; "" when there was no text.
	Encoding string `json:"encoding,omitempty"`
	// Container is what the file was packed in, "gzip" or "zip"; "" for nothing.
	Container string `json:"container,omitempty"`
	// Sheet is the one of an Excel workbook that is read, and OtherSheets are the
	// visible ones that hold something and are not.
	Sheet       string   `json:"sheet,omitempty"`
	OtherSheets []string `json:"otherSheets,omitempty"`
	Columns     []Column `json:"columns"`

	at    map[Meaning]int // index of the column, from 0
	width int             // cells of the header, also those beyond MaxColumns
	given int             // the same with the empty ones on the right
}

// index returns the column's index from 0, or -1 when the file has none.
func (l *Layout) index(m Meaning) int {
	if i, ok := l.at[m]; ok {
		return i
	}
	return -1
}

// header returns the column's name as the file gives it, "" without one.
func (l *Layout) header(m Meaning) string { return l.name(l.index(m)) }

// headerOr returns the name of the first column that the file has.
func (l *Layout) headerOr(ms ...Meaning) string {
	for _, m := range ms {
		if l.index(m) >= 0 {
			return l.header(m)
		}
	}
	return ""
}

// name returns the name of the i-th column, "" when there is none.
func (l *Layout) name(i int) string {
	if i < 0 || i >= len(l.Columns) {
		return ""
	}
	return l.Columns[i].Header
}

// problem is why the row of a record is not read, "" when it is.
func (l *Layout) problem(rec *record) Code {
	if rec.problem == CodeCellTooLong {
		for i := range rec.cells {
			if l.tooLong(rec, i) {
				return CodeCellTooLong
			}
		}
		return ""
	}
	return rec.problem
}

// tooLong reports whether a cell is longer than one may be. In a column that means
// nothing it may be of any length, as the descriptions in Amazon's reports are.
func (l *Layout) tooLong(rec *record, i int) bool {
	return (i >= len(l.Columns) || l.Columns[i].Means != "") && tooLong(rec.cells[i])
}

// excess returns the first cell that a row has too many, -1 for none. Empty ones
// at its end are not, but for a row that may hold an unquoted 19,99: that moves what
// follows it to the right, until all that is left over may be empty.
func (l *Layout) excess(rec *record) int {
	for i := len(l.Columns); i < len(rec.cells); i++ {
		if len(rec.cells[i]) > 0 {
			return i
		}
	}
	if l.Separator == "comma" && len(rec.cells) > l.given && l.tornApart(rec.cells) {
		return l.given
	}
	return -1
}

// tornApart reports whether two cells of a row, side by side, could be one number with
// a comma in it. What names an offer ends in any digit.
func (l *Layout) tornApart(cells [][]byte) bool {
	for i := 1; i < len(cells); i++ {
		before, behind := cells[i-1], cells[i]
		digits := 0
		for digits < len(behind) && digit(behind[digits]) {
			digits++
		}
		if digits == 0 || digits > 3 || len(before) == 0 || !digit(before[len(before)-1]) {
			continue
		}
		if i-1 >= len(l.Columns) || !l.Columns[i-1].Means.names() {
			return true
		}
	}
	return false
}

// headerSearch is how many lines may stand above the header. Amazon's
// templates have one or two: the template version and the column labels.
const headerSearch = 10

// findLayout finds the reading and the header: the line whose cells name an
// offer (SKU, EAN or ASIN) and at least one price, with the most columns that
// we know. When the following line names the same (labels above technical
// names), the lower one is the header. A line for which the seller has chosen a
// mapping is the header whatever else there is.
func findLayout(readings []reading, remembered Mappings) (*Layout, *reading, error) {
	var best, widest *Layout
	var by *reading
	var failed error
	score := 0
	for i := range readings {
		s := &readings[i]
		d := s.open()
		var rec record
		for range headerSearch {
			if !d.next(&rec) {
				break
			}
			if rec.problem != "" {
				continue
			}
			l := newLayout(s.name, &rec, remembered)
			if widest == nil || len(l.Columns) > len(widest.Columns) {
				widest = l
			}
			n := len(l.at)
			if l.Remembered {
				n = MaxColumns + 1
			}
			better := n > score || best != nil && n == score && by == s && best.HeaderLine == rec.line-1
			if l.usable() && better {
				score, best, by = n, l, s
			}
		}
		if err := d.err(); failed == nil {
			failed = err
		}
	}
	switch {
	case best != nil:
		return best, by, best.check()
	case failed != nil:
		return nil, nil, failed
	case widest == nil || len(widest.Columns) == 0:
		return nil, nil, unreadable("empty", "The file is empty. Save the price file again, and upload that.")
	}
	if strings.HasPrefix(widest.name(0), "<") {
		return nil, nil, fault.New(fault.Unsupported, "price-file-format", "The file is a web page or other markup, whatever its name says. Open it in a spreadsheet and save it as an Excel workbook (.xlsx) or as CSV.")
	}
	return nil, nil, widest.unknown()
}

// usable reports whether the columns say which offer and at least one price.
func (l *Layout) usable() bool {
	names, money := false, false
	for m := range l.at {
		names, money = names || m.names(), money || m.money()
	}
	return names && money
}

// unknown is the fault about a file without a header, with what the seller
// needs to choose a mapping for its widest line.
func (l *Layout) unknown() error {
	return fault.New(fault.Invalid, "price-file-header", "No header row was found: one of the first %d lines must name a column \"sku\" (or \"ean\" or \"asin\") and at least one price column, such as \"price\". The widest line has: %s. Rename the columns, or choose a mapping for this header.",
		headerSearch, strings.Join(l.texts(), ", ")).With("fingerprint", l.Fingerprint).With("headers", l.Headers())
}

func (l *Layout) texts() []string {
	out := make([]string, 0, len(l.Columns))
	for i, c := range l.Columns {
		if i == 20 {
			return append(out, "…")
		}
		out = append(out, show([]byte(c.Header)))
	}
	return out
}

// Headers are the names of the columns.
func (l *Layout) Headers() []string {
	out := make([]string, len(l.Columns))
	for i := range out {
		out[i] = l.Columns[i].Header
	}
	return out
}

func newLayout(name string, rec *record, remembered Mappings) *Layout {
	l := &Layout{Separator: name, HeaderLine: rec.line, at: map[Meaning]int{}, given: len(rec.cells)}
	cells := rec.cells
	// Spreadsheets leave empty columns on the right.
	for len(cells) > 0 && len(cells[len(cells)-1]) == 0 {
		cells = cells[:len(cells)-1]
	}
	l.width = len(cells)
	for i, c := range cells[:min(len(cells), MaxColumns)] { // check refuses more
		l.Columns = append(l.Columns, Column{Number: i + 1, Header: string(plainText(c))})
	}
	l.Fingerprint = Fingerprint(l.Headers())
	chosen, ok := remembered[l.Fingerprint]
	l.Remembered = ok && len(chosen) == l.width
	for i := range l.Columns {
		col := &l.Columns[i]
		col.Means, col.Currency = meaningOf([]byte(col.Header))
		if l.Remembered {
			col.Means = chosen[i]
		}
		if !col.Means.money() {
			col.Currency = ""
		}
		if _, twice := l.at[col.Means]; col.Means != "" && !twice {
			l.at[col.Means] = i
		}
	}
	l.Kind = kindOf(l)
	return l
}

// kindOf recognises Amazon's own files by columns that only they have.
func kindOf(l *Layout) Kind {
	signs := map[Kind]bool{}
	for _, c := range l.Columns {
		signs[signatures[plainHeader(c.Header)]] = true
	}
	switch {
	case signs[ListingsReport]:
		return ListingsReport
	case signs[InventoryLoader] && l.index(MeansProduct) >= 0:
		return InventoryLoader
	case signs[BusinessPrices]:
		return BusinessPrices
	case signs[PriceQuantity]:
		return PriceQuantity
	}
	return FreeLayout
}

// check refuses headers that leave room for guessing.
func (l *Layout) check() error {
	if l.width > MaxColumns {
		return unreadable("columns", "The file has %d columns; at most %d are read. Remove the columns that hold no prices.", l.width, MaxColumns)
	}
	for i, c := range l.Columns {
		if first := l.index(c.Means); c.Means != "" && first != i {
			return fault.New(fault.Invalid, "price-file-columns", "Columns %q and %q (%d and %d) both mean %s. Remove or rename one, or choose a mapping for this header.",
				l.Columns[first].Header, c.Header, first+1, i+1, c.Means).With("fingerprint", l.Fingerprint).With("headers", l.Headers())
		}
	}
	return nil
}
