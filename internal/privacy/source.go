package privacy

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/tenant"
)

// Source is one room's part of an export.
type Source interface {
	// Name is for error texts.
	Name() string
	// Personal says that what it writes tells what members did or are, and that it
	// asks Writer.About of each row. The others are left out of an export of one
	// member.
	Personal() bool
	// Export writes everything that the room keeps of the tenant, and nothing of
	// another. It writes no secret and no hash of one. An error fails the whole
	// export.
	Export(ctx context.Context, t tenant.ID, w *Writer) error
}

// SourceFunc makes a Source of a function.
func SourceFunc(name string, export func(ctx context.Context, t tenant.ID, w *Writer) error) Source {
	return source{name, false, export}
}

// PersonalFunc makes a Source of a function that asks Writer.About of each row.
func PersonalFunc(name string, export func(ctx context.Context, t tenant.ID, w *Writer) error) Source {
	return source{name, true, export}
}

type source struct {
	name     string
	personal bool
	export   func(context.Context, tenant.ID, *Writer) error
}

func (s source) Name() string { return s.name }

func (s source) Personal() bool { return s.personal }

func (s source) Export(ctx context.Context, t tenant.ID, w *Writer) error { return s.export(ctx, t, w) }

// Writer is where a Source writes its files. Files stay open until the export
// is complete; nobody closes them.
type Writer struct{ archive *archive }

// About reports whether a row that tells of these actors belongs into the export:
// always when it is of everything, and when one of them is the member when it is of
// one member alone.
func (w *Writer) About(actors ...string) bool {
	return w.archive.member == "" || slices.Contains(actors, w.archive.member)
}

// Member is whose export it is, "" when it is of everything.
func (w *Writer) Member() string { return w.archive.member }

// File writes a whole file, which stands in the archive as it is.
func (w *Writer) File(name string, content []byte) error { return w.archive.add(name, content) }

// Create begins a file. It need not end before others begin; rows is what the
// manifest says of it.
func (w *Writer) Create(name string) (out io.Writer, rows func(int64), err error) {
	f, err := w.archive.create(name)
	if err != nil {
		return nil, nil, err
	}
	return f, func(n int64) { f.rows = n }, nil
}

// List begins name.json, a JSON array.
func (w *Writer) List(name string) (*List, error) {
	f, err := w.archive.create(name + ".json")
	if err != nil {
		return nil, err
	}
	if _, err := f.Write([]byte("[")); err != nil {
		return nil, err
	}
	f.end = func() error {
		_, err := f.Write([]byte("\n]\n"))
		return err
	}
	return &List{f}, nil
}

// List is a JSON array in the making, one line an element.
type List struct{ file *file }

// Add appends one element.
func (l *List) Add(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("privacy: row %d of %s: %w", l.file.rows+1, l.file.name, err)
	}
	before := ",\n"
	if l.file.rows == 0 {
		before = "\n"
	}
	l.file.rows++
	_, err = l.file.Write(append([]byte(before), b...))
	return err
}

// Table begins name.csv and name.json with the same rows, of which there may be
// more in the CSV file where an element of the JSON has parts (see AddRows).
func (w *Writer) Table(name string, columns ...string) (*Table, error) {
	list, err := w.List(name)
	if err != nil {
		return nil, err
	}
	f, err := w.archive.create(name + ".csv")
	if err != nil {
		return nil, err
	}
	t := &Table{list: list, file: f, csv: csv.NewWriter(f), columns: len(columns)}
	f.end = func() error {
		t.csv.Flush()
		return t.csv.Error()
	}
	return t, t.csv.Write(columns)
}

// Table is a table in the making, in two files.
type Table struct {
	list    *List
	file    *file
	csv     *csv.Writer
	columns int
}

// Add appends one row: v for the JSON file, cells for the CSV file, one for
// each column. The JSON has the values as they are; cells that a spreadsheet
// would run as a formula are neutralised.
func (t *Table) Add(v any, cells ...string) error { return t.AddRows(v, cells) }

// AddRows appends one element to the JSON file, and the rows that it stands for to
// the CSV file, none included.
func (t *Table) AddRows(v any, rows ...[]string) error {
	if err := t.list.Add(v); err != nil {
		return err
	}
	for _, cells := range rows {
		if len(cells) != t.columns {
			return fmt.Errorf("privacy: %d cells in a row of %s, want %d", len(cells), t.file.name, t.columns)
		}
		safe := make([]string, len(cells))
		for i, c := range cells {
			safe[i] = Cell(c)
		}
		t.file.rows++
		if err := t.csv.Write(safe); err != nil {
			return err
		}
	}
	return nil
}

// Stamp is a time as a cell: empty for the zero time.
func Stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// Cell neutralises text that a spreadsheet would take for a formula (OWASP, CSV
// Injection): one apostrophe in front of = + - @ TAB and CR.
func Cell(s string) string {
	if s != "" && strings.IndexByte("=+-@\t\r", s[0]) >= 0 {
		return "'" + s
	}
	return s
}
