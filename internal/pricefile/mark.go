package pricefile

import (
	"bufio"
	"bytes"
	"io"
)

// MarkHeader is the name of the column that Mark adds. Reading ignores it, and
// marking a marked file again replaces it.
const MarkHeader = "Price Manager says"

// Mark writes the file with one more column, which holds for every row what
// say returns for it; n counts the rows from 0 as Rows yields them. It is
// delimited UTF-8 text with a byte order mark, whatever the file was, and reads
// as the file did. Text that a spreadsheet would run as a formula is
// neutralised; numbers are left as they are.
func (f *File) Mark(w io.Writer, say func(n int) (string, error)) error {
	out := marker{w: bufio.NewWriter(w), sep: f.markSeparator()}
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
			said = MarkHeader
		case rec.line > f.layout.HeaderLine && !rec.blank():
			var err error
			if said, err = say(n); err != nil {
				return err
			}
			n++
		}
		out.row(rec.cells, width, said)
	}
	if err := src.err(); err != nil {
		return err
	}
	return out.w.Flush()
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
	if parseNumber(b).form == bad {
		b = []byte(Neutralise(string(plainText(b))))
	}
	if bytes.IndexByte(b, m.sep) < 0 && !bytes.ContainsAny(b, "\"\r\n") {
		_, _ = m.w.Write(b)
		return
	}
	_ = m.w.WriteByte('"')
	_, _ = m.w.Write(bytes.ReplaceAll(b, []byte{'"'}, []byte{'"', '"'}))
	_ = m.w.WriteByte('"')
}
