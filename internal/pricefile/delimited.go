package pricefile

import (
	"bytes"
	"unicode/utf8"
)

// source yields the records of a file from its beginning.
type source interface {
	// next fills rec with the next record and reports whether there was one.
	// The cells are valid until the following call.
	next(rec *record) bool
}

// record is one row of cells before anything is known about their meaning.
type record struct {
	line    int // physical line on which it starts
	cells   [][]byte
	problem Code // CodeBrokenQuote or CodeCellTooLong: the cells cannot be trusted
}

// blank reports whether no cell holds anything.
func (r *record) blank() bool {
	for _, c := range r.cells {
		if len(c) > 0 {
			return false
		}
	}
	return r.problem == ""
}

// cell returns the i-th cell, nil when the record is shorter.
func (r *record) cell(i int) []byte {
	if i < 0 || i >= len(r.cells) {
		return nil
	}
	return r.cells[i]
}

// delimited splits separated text as RFC 4180 describes it, with two additions
// for files as they are: a quote inside an unquoted cell is an ordinary
// character, and in tab separated files, where quoting is optional, a cell
// whose quotes do not close on its line is taken literally.
type delimited struct {
	data []byte
	sep  byte
	eol  byte // '\n', or '\r' in a file that has no '\n'

	pos, line int
	scratch   []byte // unescaped quoted cells of the current record
}

var _ source = (*delimited)(nil)

func newDelimited(data []byte, sep byte) *delimited {
	d := &delimited{data: data, sep: sep, eol: '\n'}
	if bytes.IndexByte(data, '\n') < 0 && bytes.IndexByte(data, '\r') >= 0 {
		d.eol = '\r'
	}
	return d
}

func (d *delimited) next(rec *record) bool {
	if d.pos >= len(d.data) {
		return false
	}
	d.line++
	*rec = record{line: d.line, cells: rec.cells[:0]}
	d.scratch = d.scratch[:0]

	start, end := d.pos, len(d.data)
	if i := bytes.IndexByte(d.data[start:], d.eol); i >= 0 {
		end = start + i
	}
	text := bytes.TrimSuffix(d.data[start:end], []byte{'\r'})
	d.pos = end + 1
	if bytes.IndexByte(text, '"') < 0 {
		d.split(rec, text)
	} else if !d.splitQuoted(rec, start, end) {
		// One broken quote must not swallow the rows after it: give up this
		// line only.
		rec.cells, rec.problem = rec.cells[:0], CodeBrokenQuote
		d.split(rec, text)
	}
	for _, c := range rec.cells {
		if tooLong(c) {
			rec.problem = CodeCellTooLong
		}
	}
	return true
}

func tooLong(cell []byte) bool { return len(cell) > MaxCell && utf8.RuneCount(cell) > MaxCell }

// split cuts text at every separator.
func (d *delimited) split(rec *record, text []byte) {
	from := 0
	for i, c := range text {
		if c == d.sep {
			rec.cells = append(rec.cells, trim(text[from:i]))
			from = i + 1
		}
	}
	rec.cells = append(rec.cells, trim(text[from:]))
}

// splitQuoted cuts the record that starts at start and whose first line ends
// at end, honouring quotes; the record may go on over further lines. It
// reports false when a quote does not close.
func (d *delimited) splitQuoted(rec *record, start, end int) bool {
	at, line := start, d.line
	for {
		if at < len(d.data) && d.data[at] == '"' {
			cell, after, ok := d.quoted(at, end)
			if ok {
				if newlines := bytes.Count(d.data[at:after], []byte{d.eol}); newlines > 0 {
					line += newlines
					end = lineEnd(d.data, after, d.eol)
				}
				rec.cells = append(rec.cells, trim(cell))
				at = after
			} else if d.sep != '\t' {
				return false
			} else {
				at = d.literal(rec, at, end)
			}
		} else {
			at = d.literal(rec, at, end)
		}
		if at >= end || d.data[at] != d.sep {
			break
		}
		at++
	}
	d.pos, d.line = end+1, line
	return true
}

func lineEnd(data []byte, from int, eol byte) int {
	if i := bytes.IndexByte(data[from:], eol); i >= 0 {
		return from + i
	}
	return len(data)
}

// literal takes a cell up to the separator or the end of the line.
func (d *delimited) literal(rec *record, at, end int) int {
	stop := end
	if i := bytes.IndexByte(d.data[at:end], d.sep); i >= 0 {
		stop = at + i
	}
	rec.cells = append(rec.cells, trim(bytes.TrimSuffix(d.data[at:stop], []byte{'\r'})))
	return stop
}

// quoted reads the quoted cell at position at and returns its text and the
// position after it. It looks no further than a cell may be long, so that a
// file full of open quotes costs no more than its size times that.
func (d *delimited) quoted(at, end int) (cell []byte, after int, ok bool) {
	limit := min(len(d.data), at+4*MaxCell)
	if d.sep == '\t' {
		limit = end
	}
	from := len(d.scratch)
	for i := at + 1; i < limit; {
		q := bytes.IndexByte(d.data[i:limit], '"')
		if q < 0 {
			break
		}
		d.scratch = append(d.scratch, d.data[i:i+q]...)
		i += q + 1
		if i < limit && d.data[i] == '"' {
			d.scratch = append(d.scratch, '"')
			i++
			continue
		}
		if i < len(d.data) && d.data[i] == '\r' && d.eol == '\n' {
			i++
		}
		if i >= len(d.data) || d.data[i] == d.sep || d.data[i] == d.eol {
			return d.scratch[from:len(d.scratch):len(d.scratch)], i, true
		}
		break
	}
	d.scratch = d.scratch[:from]
	return nil, at, false
}

// trim cuts spaces, among them the no-break space that spreadsheets leave, off
// both ends.
func trim(b []byte) []byte {
	if len(b) == 0 || (visible(b[0]) && visible(b[len(b)-1])) {
		return b
	}
	return bytes.TrimSpace(b)
}

func visible(c byte) bool { return c > ' ' && c < utf8.RuneSelf }
