package pricefile

import (
	"bufio"
	"bytes"
	"io"
	"slices"
)

// MarkHeader is the name of the column that Mark adds. Reading ignores it, and
// marking a marked file again replaces it.
const MarkHeader = "Price Manager says"

// Mark writes the file with one more column, which holds for every row what
// say returns for it; n counts the rows from 0 as Rows yields them. It is
// delimited UTF-8 text with a byte order mark, whatever the file was, and reads
// as the file did: no row that was refused is taken when the marked file is
// uploaded as it is. Text that a spreadsheet would run as a formula is
// neutralised; numbers are left as they are.
func (f *File) Mark(w io.Writer, say func(n int) (string, error)) error {
	out := marker{w: bufio.NewWriter(w), sep: f.markSeparator(), json: f.layout.Separator == "json"}
	width := len(f.layout.Columns)
	if width > 0 && f.layout.Columns[width-1].Header == MarkHeader {
		width, out.again = width-1, true
	}
	_, _ = out.w.WriteString("\ufeff") // a bufio.Writer keeps its error for Flush
	src, rec, n := f.reading.open(), record{}, 0
	for src.next(&rec) {
		said := ""
		switch {
		case rec.line == f.layout.HeaderLine:
			said, rec.cells = MarkHeader, f.named(&rec)
		case rec.line > f.layout.HeaderLine && !rec.blank():
			var err error
			if said, err = say(n); err != nil {
				return err
			}
			n++
			f.untype(&rec)
			if f.layout.excess(&rec) < 0 {
				rec.cells = f.named(&rec)
			}
		}
		out.row(rec.cells, width, said)
	}
	if err := src.err(); err != nil {
		return err
	}
	return out.w.Flush()
}

// named are the cells of a record that stand in a column with a name.
func (f *File) named(rec *record) [][]byte {
	return rec.cells[:min(len(rec.cells), len(f.layout.Columns))]
}

// untype makes the texts of a record say what was known of them beside: the notes of
// a format with types, and that a quote is broken, which writing them mends. What
// was refused for that gets an apostrophe, as spreadsheets have it in front of a
// text that is no number.
func (f *File) untype(rec *record) {
	broken := rec.problem == CodeBrokenQuote
	if len(rec.notes) == 0 && !broken {
		return
	}
	for i, cell := range f.named(rec) {
		n, means := rec.noted(i), f.layout.Columns[i].Means
		if len(cell) == 0 && n.kind != noteTwice {
			continue
		}
		number, sign := parseAmount(cell)
		reads := f.numbers[means] // nil for what is no price
		switch {
		case n.flawed(means), broken && (reads != nil || slices.Contains(tierQuantity[:], means)),
			reads != nil && n.kind == noteText && reads.decided() == either && number.form == either:
			rec.cells[i] = append([]byte{'\''}, cell...)
			continue
		case reads == nil:
			continue
		case n.kind == noteNumber && reads.decided() == comma:
			cell = bytes.Replace(cell, []byte{'.'}, []byte{','}, 1)
		}
		if sign == "" && namesCurrency(n.sign) {
			cell = append(append(append([]byte(nil), cell...), ' '), n.sign...)
		}
		rec.cells[i] = cell
	}
}

// markSeparator is the file's own, or a semicolon for what has none: a comma
// would divide decimal commas.
func (f *File) markSeparator() byte {
	switch f.layout.Separator {
	case "tab":
		return '\t'
	case "comma":
		return ','
	case "pipe":
		return '|'
	}
	return ';'
}

type marker struct {
	w     *bufio.Writer
	sep   byte
	again bool // the last cell of every row is from an earlier marking
	json  bool // an apostrophe in front is part of a text
}

func (m *marker) row(cells [][]byte, width int, said string) {
	if m.again && len(cells) > width {
		cells = cells[:len(cells)-1]
	}
	// Cells beyond the header stay where they are, in front of the new column.
	for i := range max(width, len(cells)) {
		if i > 0 {
			_ = m.w.WriteByte(m.sep)
		}
		if i < len(cells) {
			m.cell(cells[i])
		}
	}
	_ = m.w.WriteByte(m.sep)
	m.cell([]byte(said))
	_, _ = m.w.WriteString("\r\n")
}

// cell writes a value, neutralised and quoted where that is needed.
func (m *marker) cell(b []byte) {
	if n, _ := parseAmount(b); n.form == bad {
		if !m.json {
			b = plainText(b)
		}
		b = []byte(Neutralise(string(b)))
	}
	if bytes.IndexByte(b, m.sep) < 0 && !bytes.ContainsAny(b, "\"\r\n") {
		_, _ = m.w.Write(b)
		return
	}
	_ = m.w.WriteByte('"')
	_, _ = m.w.Write(bytes.ReplaceAll(b, []byte{'"'}, []byte{'"', '"'}))
	_ = m.w.WriteByte('"')
}
