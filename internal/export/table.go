package export

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/xlsx"
)

// Format is how a table is written.
type Format string

// The formats.
const (
	CSV  Format = "csv"
	XLSX Format = "xlsx"
	JSON Format = "json"
)

// Formats lists all formats.
func Formats() []Format { return []Format{CSV, XLSX, JSON} }

// Valid reports whether f is one of the formats.
func (f Format) Valid() bool { return slices.Contains(Formats(), f) }

// ContentType is the format's media type.
func (f Format) ContentType() string {
	switch f {
	case JSON:
		return "application/json"
	case XLSX:
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case CSV:
	}
	return "text/csv; charset=utf-8"
}

// Cell is one value. The zero value is an absent one.
type Cell struct {
	text string
	kind kind
}

type kind uint8

const (
	others kind = iota // text that somebody gave us
	number             // digits, as we wrote them
	moment             // a time, as we wrote it
)

// Text is a value that others gave us.
func Text[T ~string](s T) Cell { return Cell{text: string(s)} }

// Int is a whole number.
func Int(n int64) Cell { return Cell{strconv.FormatInt(n, 10), number} }

// Amount is a price without its currency.
func Amount(m *price.Money) Cell {
	if m == nil {
		return Cell{}
	}
	return Cell{m.Decimal(), number}
}

// Time is a moment; the zero time is absent.
func Time(t time.Time) Cell {
	if t.IsZero() {
		return Cell{}
	}
	return Cell{t.UTC().Format(time.RFC3339), moment}
}

// safe is the cell as a spreadsheet may have it.
func (c Cell) safe() string {
	if c.kind == others {
		return pricefile.Neutralise(c.text)
	}
	return c.text
}

// Table is a table in the making.
type Table struct {
	columns []string
	rows    int
	encoder encoder
}

// encoder is how one format writes a table. n counts the rows from 1.
type encoder interface {
	row(n int, cells []Cell) error
	end() error
}

// New begins a table with these columns. sheet is the name of its sheet, where
// the format has sheets.
func New(w io.Writer, f Format, sheet string, columns ...string) (*Table, error) {
	var e encoder
	var err error
	switch f {
	case JSON:
		e, err = newObjects(w, columns)
	case XLSX:
		e, err = newSheet(w, sheet, columns)
	case CSV:
		e, err = newLines(w, columns)
	default:
		err = fmt.Errorf("no such format: %q", string(f))
	}
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	return &Table{columns: columns, encoder: e}, nil
}

// Row adds a row, one cell for each column.
func (t *Table) Row(cells ...Cell) error {
	if len(cells) != len(t.columns) {
		return fmt.Errorf("export: %d cells for %d columns", len(cells), len(t.columns))
	}
	t.rows++
	if err := t.encoder.row(t.rows, cells); err != nil {
		return fmt.Errorf("export: row %d: %w", t.rows, err)
	}
	return nil
}

// Rows is how many rows were added.
func (t *Table) Rows() int { return t.rows }

// Close ends the table. It does not close what it was written to.
func (t *Table) Close() error {
	if err := t.encoder.end(); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// lines are CSV.
type lines struct {
	csv    *csv.Writer
	record []string
}

func newLines(w io.Writer, columns []string) (*lines, error) {
	// Spreadsheets take text without a byte order mark for the code page of the
	// machine, and save SKUs back in pieces.
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return nil, err
	}
	l := &lines{csv.NewWriter(w), make([]string, len(columns))}
	return l, l.csv.Write(columns)
}

func (l *lines) row(_ int, cells []Cell) error {
	for i, c := range cells {
		l.record[i] = c.safe()
	}
	return l.csv.Write(l.record)
}

func (l *lines) end() error {
	l.csv.Flush()
	return l.csv.Error()
}

// objects are a JSON array of objects, their members in the order of the columns.
type objects struct {
	w     *bufio.Writer
	names []string // quoted
	line  []byte
}

func newObjects(w io.Writer, columns []string) (*objects, error) {
	o := &objects{w: bufio.NewWriter(w)}
	for _, c := range columns {
		o.names = append(o.names, strconv.Quote(c)+":")
	}
	return o, o.w.WriteByte('[')
}

func (o *objects) row(n int, cells []Cell) error {
	b := append(o.line[:0], ",\n{"...)
	if n == 1 {
		b = append(o.line[:0], "\n{"...)
	}
	comma := false
	for i, c := range cells {
		if c.text == "" {
			continue
		}
		value, err := json.Marshal(c.text)
		if err != nil {
			return err
		}
		if comma {
			b = append(b, ',')
		}
		b = append(append(b, o.names[i]...), value...)
		comma = true
	}
	b = append(b, '}')
	_, err := o.w.Write(b)
	o.line = b
	return err
}

func (o *objects) end() error {
	if _, err := o.w.WriteString("\n]\n"); err != nil {
		return err
	}
	return o.w.Flush()
}

// sheet is a workbook with one sheet. A price is a number of exactly its digits,
// and a text where Excel keeps no more of them; what others gave us is a text,
// with all its zeros in front. A time is a text, since a date in a workbook has no
// zone. Texts are neutralised as in CSV: a cell of a workbook is no formula by
// itself, but one that is saved as CSV, or edited, becomes one.
type sheet struct {
	w     *xlsx.Writer
	cells []xlsx.Cell
}

func newSheet(w io.Writer, name string, columns []string) (*sheet, error) {
	out, err := xlsx.NewWriter(w, name)
	if err != nil {
		return nil, err
	}
	s := &sheet{w: out}
	header := make([]Cell, len(columns))
	for i, c := range columns {
		header[i] = Cell{text: c}
	}
	return s, s.row(0, header)
}

func (s *sheet) row(_ int, cells []Cell) error {
	s.cells = s.cells[:0]
	for i, c := range cells {
		if c.text == "" {
			continue
		}
		as := xlsx.Text
		if c.kind == number {
			as = xlsx.Number
		}
		s.cells = append(s.cells, xlsx.Cell{Column: i, Kind: as, Text: shorten(c.safe())})
	}
	return s.w.Write(s.cells)
}

func (s *sheet) end() error { return s.w.Close() }

// shorten cuts a text to what a cell of a workbook holds. No SKU is that long.
func shorten(s string) []byte {
	if len(s) > xlsx.MaxText && utf8.RuneCountInString(s) > xlsx.MaxText {
		s = string([]rune(s)[:xlsx.MaxText-1]) + "…"
	}
	return []byte(s)
}
