package pricefile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"pricemanager/internal/fault"
)

// tableWriter keeps the records of a format that is slow or cannot be read from
// its beginning again (XLSX, JSON) in a temporary file, so that the passes over
// a price file read it once only.
//
// A record is: its line, how many cells follow, and of each cell its distance to
// the one before, its kind, its currency sign and its text, numbers as varints
// and texts with their length before them.
type tableWriter struct {
	w    io.Writer
	out  []byte
	rows int
	left int64
}

func newTableWriter(w io.Writer) *tableWriter { return &tableWriter{w: w, left: MaxBytes} }

// tableCell is one cell of a record, in the order of its columns.
type tableCell struct {
	column int // from 0
	note   note
	text   []byte
}

// write adds a record. Cells beyond the columns that are read are kept as one,
// so that they are noticed.
func (t *tableWriter) write(line int, cells []tableCell) error {
	if t.rows++; t.rows > MaxRows+headerSearch {
		return fault.New(fault.TooLarge, "price-file-rows", "The file has more than %d rows. Split it into several files.", MaxRows)
	}
	for i := range cells {
		if cells[i].column > MaxColumns {
			cells[i].column, cells = MaxColumns, cells[:i+1]
			if i > 0 && cells[i-1].column == MaxColumns {
				cells = cells[:i]
			}
			break
		}
	}
	b := binary.AppendUvarint(t.out[:0], uint64(line))
	b = binary.AppendUvarint(b, uint64(len(cells)))
	next := 0
	for _, c := range cells {
		b = binary.AppendUvarint(b, uint64(c.column-next))
		next = c.column + 1
		b = append(b, byte(c.note.kind))
		b = append(binary.AppendUvarint(b, uint64(len(c.note.sign))), c.note.sign...)
		b = append(binary.AppendUvarint(b, uint64(len(c.text))), c.text...)
	}
	t.out = b
	if t.left -= int64(len(b)); t.left < 0 {
		return fault.New(fault.TooLarge, "price-file-bytes", "The cells of the file hold more than %d bytes. Split it into several files.", MaxBytes)
	}
	_, err := t.w.Write(b)
	return err
}

// table reads what a tableWriter has written.
type table struct {
	r      *bufio.Reader
	header []string // as the record before the first one, on line 0; nil for none
	begun  bool
	text   []byte // of the current record
	ends   []int  // where each of its cells ends in text
	signs  map[string]string
	failed error
}

var _ source = (*table)(nil)

func newTable(c Content, header []string) *table {
	return &table{r: bufio.NewReaderSize(io.NewSectionReader(c, 0, c.Size()), 64<<10), header: header, signs: map[string]string{}}
}

func (t *table) err() error { return t.failed }

func (t *table) next(rec *record) bool {
	*rec = record{cells: rec.cells[:0], notes: rec.notes[:0]}
	if !t.begun {
		t.begun = true
		if t.header != nil {
			for _, name := range t.header {
				rec.cells = append(rec.cells, []byte(name))
				rec.notes = append(rec.notes, note{})
			}
			return true
		}
	}
	if t.failed != nil {
		return false
	}
	err := t.read(rec)
	if err != nil && !errors.Is(err, io.EOF) {
		t.failed = fmt.Errorf("pricefile: temporary file: %w", err)
	}
	return err == nil
}

// read fills rec; io.EOF means that there is no other record.
func (t *table) read(rec *record) error {
	line, err := binary.ReadUvarint(t.r)
	if err != nil {
		return err
	}
	d := &decoder{r: t.r}
	rec.line = int(line)
	t.text, t.ends = t.text[:0], t.ends[:0]
	for range d.number() {
		for range d.number() {
			t.ends = append(t.ends, len(t.text))
			rec.notes = append(rec.notes, note{})
		}
		n := note{kind: noteKind(d.number())}
		from := len(t.text)
		if t.text = d.append(t.text); len(t.text) > from {
			n.sign = t.sign(t.text[from:])
			t.text = t.text[:from]
		}
		t.text = d.append(t.text)
		t.ends = append(t.ends, len(t.text))
		rec.notes = append(rec.notes, n)
		if d.err != nil {
			return io.ErrUnexpectedEOF
		}
	}
	from := 0
	for _, end := range t.ends {
		cell := trim(t.text[from:end])
		if tooLong(cell) {
			rec.problem = CodeCellTooLong
		}
		rec.cells = append(rec.cells, cell)
		from = end
	}
	return d.err
}

// sign returns the text of a sign. A file has a handful of them.
func (t *table) sign(b []byte) string {
	s, ok := t.signs[string(b)]
	if !ok {
		s = string(b)
		if len(t.signs) < maxSeen {
			t.signs[s] = s
		}
	}
	return s
}

// decoder reads numbers and texts until the first error.
type decoder struct {
	r   *bufio.Reader
	err error
}

func (d *decoder) number() int {
	if d.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(d.r)
	if err != nil || n > MaxRow {
		d.err = io.ErrUnexpectedEOF
		return 0
	}
	return int(n)
}

func (d *decoder) append(out []byte) []byte {
	n, from := d.number(), len(out)
	if n == 0 {
		return out
	}
	out = append(out, make([]byte, n)...)
	if _, err := io.ReadFull(d.r, out[from:]); err != nil {
		d.err = err
	}
	return out
}
