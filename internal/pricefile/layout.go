package pricefile

import (
	"bytes"
	"strings"
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
}

// Layout says how a file is understood, for the seller to check.
type Layout struct {
	Separator  string   `json:"separator"`  // "tab", "semicolon", "comma" or "pipe"; "none" when there was no file
	HeaderLine int      `json:"headerLine"` // lines above it are template notes and not rows
	Columns    []Column `json:"columns"`

	sep byte
	at  map[Meaning]int // index of the column, from 0
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

// name returns the name of the i-th column, "" when there is none.
func (l *Layout) name(i int) string {
	if i < 0 || i >= len(l.Columns) {
		return ""
	}
	return l.Columns[i].Header
}

// separators in the order of preference when a file fits several.
var separators = []struct {
	char byte
	name string
}{{'\t', "tab"}, {';', "semicolon"}, {',', "comma"}, {'|', "pipe"}}

// headerSearch is how many lines may stand above the header. Amazon's
// templates have one or two: the template version and the column labels.
const headerSearch = 10

// findLayout finds the separator and the header: the line whose cells name an
// SKU column and at least one price, with the most columns that we know. When
// the following line names the same (labels above technical names), the lower
// one is the header.
func findLayout(data []byte) (*Layout, error) {
	var best *Layout
	score, widest := 0, 0
	var candidate []string
	for _, s := range separators {
		d := newDelimited(data, s.char)
		var rec record
		for range headerSearch {
			if !d.next(&rec) {
				break
			}
			n := 0
			sku, money := false, false
			for _, c := range rec.cells {
				if m := meaningOf(c); m != "" {
					n++
					sku = sku || m == MeansSKU
					money = money || m.money()
				}
			}
			if len(rec.cells) > widest {
				widest, candidate = len(rec.cells), texts(rec.cells)
			}
			better := n > score || best != nil && n == score && best.sep == s.char && best.HeaderLine == rec.line-1
			if sku && money && better {
				score = n
				best = newLayout(s.char, s.name, &rec)
			}
		}
	}
	if best == nil {
		return nil, unreadable("header", "No header row was found: one of the first %d lines must name a column \"sku\" and at least one price column, such as \"price\". The widest line has: %s.",
			headerSearch, strings.Join(candidate, ", "))
	}
	return best, best.check()
}

func texts(cells [][]byte) []string {
	out := make([]string, 0, len(cells))
	for i, c := range cells {
		if i == 20 {
			return append(out, "…")
		}
		out = append(out, show(c))
	}
	return out
}

func newLayout(sep byte, name string, rec *record) *Layout {
	l := &Layout{Separator: name, HeaderLine: rec.line, sep: sep, at: map[Meaning]int{}}
	for i, c := range rec.cells {
		m := meaningOf(c)
		l.Columns = append(l.Columns, Column{Number: i + 1, Header: string(bytes.Clone(c)), Means: m})
		if _, twice := l.at[m]; m != "" && !twice {
			l.at[m] = i
		}
	}
	// Spreadsheets leave empty columns on the right.
	for n := len(l.Columns); n > 0 && l.Columns[n-1].Header == ""; n = len(l.Columns) {
		l.Columns = l.Columns[:n-1]
	}
	return l
}

// check refuses headers that leave room for guessing.
func (l *Layout) check() error {
	if len(l.Columns) > MaxColumns {
		return unreadable("columns", "The file has %d columns; at most %d are read. Remove the columns that hold no prices.", len(l.Columns), MaxColumns)
	}
	for i, c := range l.Columns {
		if first := l.index(c.Means); c.Means != "" && first != i {
			return unreadable("columns", "Columns %q and %q (%d and %d) both mean %s. Remove or rename one.",
				l.Columns[first].Header, c.Header, first+1, i+1, c.Means)
		}
	}
	return nil
}
