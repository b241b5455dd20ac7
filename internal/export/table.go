package export

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
)

// Format is how a table is written.
type Format string

// The formats.
const (
	CSV  Format = "csv"
	JSON Format = "json"
)

// Formats lists all formats.
func Formats() []Format { return []Format{CSV, JSON} }

// Valid reports whether f is one of the formats.
func (f Format) Valid() bool { return f == CSV || f == JSON }

// ContentType is the format's media type.
func (f Format) ContentType() string {
	if f == JSON {
		return "application/json"
	}
	return "text/csv; charset=utf-8"
}

// Cell is one value. The zero value is an absent one.
type Cell struct {
	text   string
	number bool // plain digits, as we wrote them: no text that anybody gave us
}

// Text is a value that others gave us.
func Text[T ~string](s T) Cell { return Cell{text: string(s)} }

// Int is a whole number.
func Int(n int64) Cell { return Cell{strconv.FormatInt(n, 10), true} }

// Amount is a price without its currency.
func Amount(m *price.Money) Cell {
	if m == nil {
		return Cell{}
	}
	return Cell{m.Decimal(), true}
}

// Time is a moment; the zero time is absent.
func Time(t time.Time) Cell {
	if t.IsZero() {
		return Cell{}
	}
	return Cell{t.UTC().Format(time.RFC3339), true}
}

// Table is a table in the making.
type Table struct {
	columns []string
	rows    int
	csv     *csv.Writer
	json    *bufio.Writer
}

// New begins a table with these columns.
func New(w io.Writer, f Format, columns ...string) (*Table, error) {
	t := &Table{columns: columns}
	if f == JSON {
		t.json = bufio.NewWriter(w)
		_, err := t.json.WriteString("[")
		return t, err
	}
	// Spreadsheets take text without a byte order mark for the code page of the
	// machine, and save SKUs back in pieces.
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	t.csv = csv.NewWriter(w)
	return t, t.csv.Write(columns)
}

// Row adds a row, one cell for each column.
func (t *Table) Row(cells ...Cell) error {
	if len(cells) != len(t.columns) {
		return fmt.Errorf("export: %d cells for %d columns", len(cells), len(t.columns))
	}
	t.rows++
	if t.json != nil {
		return t.object(cells)
	}
	record := make([]string, len(cells))
	for i, c := range cells {
		record[i] = c.text
		if !c.number {
			record[i] = pricefile.Neutralise(c.text)
		}
	}
	if err := t.csv.Write(record); err != nil {
		return fmt.Errorf("export: row %d: %w", t.rows, err)
	}
	return nil
}

// object writes a row as a JSON object, its members in the order of the columns.
func (t *Table) object(cells []Cell) error {
	b := []byte(",\n{")
	if t.rows == 1 {
		b = b[1:]
	}
	comma := false
	for i, c := range cells {
		if c.text == "" {
			continue
		}
		value, err := json.Marshal(c.text)
		if err != nil {
			return fmt.Errorf("export: row %d: %w", t.rows, err)
		}
		if comma {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, t.columns[i]), ':')
		b, comma = append(b, value...), true
	}
	_, err := t.json.Write(append(b, '}'))
	return err
}

// Rows is how many rows were added.
func (t *Table) Rows() int { return t.rows }

// Close ends the table. It does not close what it was written to.
func (t *Table) Close() error {
	if t.json != nil {
		if _, err := t.json.WriteString("\n]\n"); err != nil {
			return fmt.Errorf("export: %w", err)
		}
		return t.json.Flush()
	}
	t.csv.Flush()
	return t.csv.Error()
}
