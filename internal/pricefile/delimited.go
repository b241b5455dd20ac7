package pricefile

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// source yields the records of a file from its beginning.
type source interface {
	// next fills rec with the next record and reports whether there was one.
	// The cells are valid until the following call.
	next(rec *record) bool
	// err is why next reported false before the end: a *fault.Fault when the
	// seller can mend it.
	err() error
}

// record is one row of cells before anything is known about their meaning.
type record struct {
	line    int // physical line on which it starts
	cells   [][]byte
	notes   []note // what the format says about the cells, nil when it has no types
	problem Code   // CodeBrokenQuote: the cells cannot be trusted; or CodeCellTooLong
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

// maxQuoted is how many bytes a cell in quotes may have.
const maxQuoted = 4 * MaxCell

// lowWater is when the window moves on: most rows are shorter, so that few
// need a second look.
const lowWater = 4 << 10

// delimited splits separated text as RFC 4180 describes it, with two additions
// for files as they are: a quote inside an unquoted cell is an ordinary
// character, and in tab separated files, where quoting is optional, a cell
// whose quotes do not close on its line is taken literally.
type delimited struct {
	window
	sep byte
	eol byte // '\n', or '\r' in a file that has no '\n'

	pos     int // of the next record in the window
	line    int
	scratch []byte // unescaped quoted cells of the current record
}

var _ source = (*delimited)(nil)

// delimitedReadings are the separators in the order of preference when a file
// fits several.
func delimitedReadings(t *text) []reading {
	var out []reading
	for _, s := range []struct {
		char byte
		name string
	}{{'\t', "tab"}, {';', "semicolon"}, {',', "comma"}, {'|', "pipe"}} {
		out = append(out, reading{name: s.name, open: func() source { return newDelimited(t, s.char, t.eol) }})
	}
	return out
}

func newDelimited(c Content, sep, eol byte) *delimited {
	return &delimited{window: window{content: c, size: windowBytes}, sep: sep, eol: eol}
}

func (d *delimited) err() error { return d.fault }

func (d *delimited) next(rec *record) bool {
	if len(d.bytes)-d.pos < lowWater && !d.ended() {
		d.slide(d.pos)
		d.pos = 0
	}
	if d.pos >= len(d.bytes) || d.fault != nil {
		return false
	}
	d.line++
	*rec = record{line: d.line, cells: rec.cells[:0]}
	d.scratch = d.scratch[:0]

	start := d.pos
	end, ok := d.lineEnd(start, start)
	if !ok {
		return false
	}
	text := bytes.TrimSuffix(d.bytes[start:end], []byte{'\r'})
	d.pos = end + 1
	if bytes.IndexByte(text, '"') < 0 {
		d.split(rec, text)
	} else if !d.splitQuoted(rec, start, end) {
		// One broken quote must not swallow the rows after it: give up this
		// line only.
		rec.cells, rec.problem = rec.cells[:0], CodeBrokenQuote
		d.split(rec, text)
	}
	if len(rec.cells) > maxCells {
		d.fault = tooManyColumns(rec.line)
	}
	if d.fault != nil {
		return false
	}
	for _, c := range rec.cells {
		if rec.problem == "" && tooLong(c) {
			rec.problem = CodeCellTooLong
		}
	}
	return true
}

func tooLong(cell []byte) bool { return len(cell) > MaxCell && utf8.RuneCount(cell) > MaxCell }

// split cuts text at every separator.
func (d *delimited) split(rec *record, text []byte) {
	if len(text) > windowBytes && bytes.Count(text, []byte{d.sep}) > maxCells {
		d.fault = tooManyColumns(rec.line)
		return
	}
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
		if at < len(d.bytes) && d.bytes[at] == '"' {
			cell, after, ok := d.quoted(at, end)
			if ok {
				if newlines := bytes.Count(d.bytes[at:after], []byte{d.eol}); newlines > 0 {
					line += newlines
					if end, ok = d.lineEnd(start, after); !ok {
						return true // next sees why
					}
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
		if at >= end || d.bytes[at] != d.sep {
			break
		}
		at++
	}
	d.pos, d.line = end+1, line
	return true
}

// lineEnd finds the end of the line that position from of the record at start
// is in. It reports false, and reading ends, when the record gets too long or
// the content cannot be read.
func (d *delimited) lineEnd(start, from int) (int, bool) {
	end, ok := d.find(d.eol, from, start, MaxRow)
	if !ok {
		d.fault = rowTooLong(d.line)
	}
	return end, d.fault == nil
}

// literal takes a cell up to the separator or the end of the line.
func (d *delimited) literal(rec *record, at, end int) int {
	stop := end
	if i := bytes.IndexByte(d.bytes[at:end], d.sep); i >= 0 {
		stop = at + i
	}
	rec.cells = append(rec.cells, trim(bytes.TrimSuffix(d.bytes[at:stop], []byte{'\r'})))
	return stop
}

// quoted reads the quoted cell at position at and returns its text and the
// position after it. It looks no further than a cell may be long, so that a
// file full of open quotes costs no more than its size times that.
func (d *delimited) quoted(at, end int) (cell []byte, after int, ok bool) {
	d.need(at + maxQuoted + 2) // two more to see how the cell ends
	limit := min(len(d.bytes), at+maxQuoted)
	if d.sep == '\t' {
		limit = end
	}
	from := len(d.scratch)
	for i := at + 1; i < limit; {
		q := bytes.IndexByte(d.bytes[i:limit], '"')
		if q < 0 {
			break
		}
		d.scratch = append(d.scratch, d.bytes[i:i+q]...)
		i += q + 1
		if i < limit && d.bytes[i] == '"' {
			d.scratch = append(d.scratch, '"')
			i++
			continue
		}
		if i < len(d.bytes) && d.bytes[i] == '\r' && d.eol == '\n' {
			i++
		}
		if i >= len(d.bytes) || d.bytes[i] == d.sep || d.bytes[i] == d.eol {
			return d.scratch[from:len(d.scratch):len(d.scratch)], i, true
		}
		break
	}
	d.scratch = d.scratch[:from]
	return nil, at, false
}

// trim cuts spaces, among them the no-break space that spreadsheets leave, off
// both ends, and the byte order mark that stays where files were put together.
func trim(b []byte) []byte {
	if len(b) == 0 || (visible(b[0]) && visible(b[len(b)-1])) {
		return b
	}
	return bytes.TrimFunc(b, func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' })
}

func visible(c byte) bool { return c > ' ' && c < utf8.RuneSelf }
