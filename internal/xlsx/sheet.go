package xlsx

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// Rows reads the rows of a sheet one after the other.
type Rows struct {
	w      *Workbook
	s      *scanner
	closer io.Closer
	sheet  string
	last   int // number of the row read last
	cells  []pending
	arena  []byte // texts of the current row
	value  []byte
	digits []byte
}

// pending is a cell while the arena may still move.
type pending struct {
	column, from, to int
	kind             Kind
	sign             string
}

// Rows begins to read the i-th sheet. The caller closes it. A sheet that is no
// table has none.
func (w *Workbook) Rows(i int) (*Rows, error) {
	sheet := w.Sheets[i]
	if sheet.part == "" {
		return &Rows{sheet: sheet.Name}, nil
	}
	s, closer, err := w.c.open(sheet.part)
	if err != nil {
		return nil, err
	}
	r := &Rows{w: w, s: s, closer: closer, sheet: sheet.Name}
	if err := r.begin(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Close ends reading.
func (r *Rows) Close() {
	if r.closer != nil {
		_ = r.closer.Close() // what counts has been read
	}
}

// begin reads to the rows.
func (r *Rows) begin() error {
	if err := r.s.root(spaceMain, "worksheet"); err != nil {
		return err
	}
	for {
		t, err := r.s.next()
		switch {
		case err != nil:
			return err
		case t == tokenEOF:
			r.s = nil // no rows
			return nil
		case t != tokenStart:
		case r.s.is(spaceMain, "sheetData"):
			return nil
		default:
			if err := r.s.skip(); err != nil {
				return err
			}
		}
	}
}

// Next fills row with the next row that has content and reports whether there
// was one. The texts are valid until it is called again.
func (r *Rows) Next(row *Row) (bool, error) {
	for r.s != nil {
		t, err := r.s.next()
		switch {
		case err != nil:
			return false, err
		case t == tokenEnd:
			// The end of sheetData. What follows is about looks, but the part is
			// read to its end: a file that is cut off is not read in half.
			err := r.rest()
			r.s = nil
			return false, err
		case t != tokenStart:
			continue
		case !r.s.is(spaceMain, "row"):
			if err := r.s.skip(); err != nil {
				return false, err
			}
			continue
		}
		if err := r.row(); err != nil {
			return false, err
		}
		if len(r.cells) == 0 {
			continue
		}
		*row = Row{Number: r.last, Cells: row.Cells[:0]}
		for _, p := range r.cells {
			row.Cells = append(row.Cells, Cell{Column: p.column, Kind: p.kind, Text: r.arena[p.from:p.to:p.to], Sign: p.sign})
		}
		return true, nil
	}
	return false, nil
}

func (r *Rows) rest() error {
	for {
		if t, err := r.s.next(); err != nil || t == tokenEOF {
			return err
		}
	}
}

func (r *Rows) fail(format string, args ...any) error {
	return damaged("sheet \""+r.sheet+"\"", format, args...)
}

// row reads the row element that has just started.
func (r *Rows) row() error {
	number, err := r.s.attr("r")
	if err != nil {
		return err
	}
	if len(number) == 0 {
		r.last++
	} else if n, ok := smallNumber(number); !ok || n <= r.last {
		return r.fail("row number %q after row %d.", shown(number), r.last)
	} else {
		r.last = n
	}
	if r.last > MaxRow {
		return tooLarge("The sheet %q has a row %d; a sheet has at most %d rows. Split the file.", r.sheet, r.last, MaxRow)
	}
	r.cells, r.arena = r.cells[:0], r.arena[:0]
	depth, column := len(r.s.marks), -1
	for {
		t, err := r.s.next()
		switch {
		case err != nil:
			return err
		case t == tokenEnd && len(r.s.marks) < depth:
			return nil
		case t != tokenStart:
		case r.s.is(spaceMain, "c"):
			if column, err = r.cell(column); err != nil {
				return err
			}
		default:
			if err := r.s.skip(); err != nil {
				return err
			}
		}
	}
}

// smallNumber reads a number from 1 with at most seven digits.
func smallNumber(b []byte) (int, bool) {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' || len(b) > 7 {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, n > 0
}

// reference reads the column of a cell reference such as B7, from 0; the row
// has to be the one that is being read.
func (r *Rows) reference(ref []byte) (int, bool) {
	column, i := 0, 0
	for ; i < len(ref) && i < 4; i++ {
		c := ref[i] &^ 0x20
		if c < 'A' || c > 'Z' {
			break
		}
		column = column*26 + int(c-'A') + 1
	}
	row, ok := smallNumber(ref[i:])
	return column - 1, ok && row == r.last && i > 0
}

// cell reads the c element that has just started, behind column last, and
// returns its own.
func (r *Rows) cell(last int) (int, error) {
	ref, err := r.s.attr("r")
	if err != nil {
		return 0, err
	}
	column := last + 1
	if len(ref) > 0 {
		var ok bool
		if column, ok = r.reference(ref); !ok || column <= last {
			return 0, r.fail("cell %q in row %d, behind column %d.", shown(ref), r.last, last+1)
		}
	}
	if column >= MaxColumn {
		return 0, tooLarge("The sheet %q has more than %d columns in row %d. Remove the columns that hold no prices.", r.sheet, MaxColumn, r.last)
	}
	style, err := r.s.attr("s")
	if err != nil {
		return 0, err
	}
	shows := format{kind: Number}
	if len(style) > 0 {
		n, ok := smallOrZero(style)
		if !ok || n > 0 && n >= len(r.w.formats) {
			return 0, r.fail("the cell in row %d, column %d has the format %q of %d.", r.last, column+1, shown(style), len(r.w.formats))
		}
		if n < len(r.w.formats) {
			shows = r.w.formats[n]
		}
	}
	typ, err := r.s.attr("t")
	if err != nil {
		return 0, err
	}
	kind, ok := cellTypes[string(typ)]
	if !ok {
		return 0, r.fail("the cell in row %d, column %d has the type %q.", r.last, column+1, shown(typ))
	}
	return column, r.content(column, kind, shows)
}

// cellType is the attribute t.
type cellType uint8

const (
	typeNumber cellType = iota
	typeShared
	typeFormulaText
	typeInline
	typeBool
	typeError
	typeDate
)

var cellTypes = map[string]cellType{
	"": typeNumber, "n": typeNumber, "s": typeShared, "str": typeFormulaText, "inlineStr": typeInline,
	"b": typeBool, "e": typeError, "d": typeDate,
}

// content reads what is in the cell that has just started.
func (r *Rows) content(column int, typ cellType, shows format) error {
	depth, from := len(r.s.marks), len(r.arena)
	hasValue, hasFormula := false, false
	r.value = r.value[:0]
	for {
		t, err := r.s.next()
		if err != nil {
			return err
		}
		if t == tokenEnd && len(r.s.marks) < depth {
			break
		}
		switch {
		case t != tokenStart:
		case r.s.is(spaceMain, "v"):
			hasValue = true
			r.value, err = r.s.content(r.value[:0])
		case r.s.is(spaceMain, "f"):
			hasFormula = true
			r.arena = append(r.arena[:from], '=')
			r.arena, err = r.s.content(r.arena)
		case r.s.is(spaceMain, "is"):
			hasValue = true
			r.value, err = r.s.rich(r.value[:0])
		default:
			err = r.s.skip()
		}
		switch {
		case err != nil:
			return err
		case len(r.arena) > maxRowBytes:
			return tooLarge("Row %d of the sheet %q has more than %d bytes of text.", r.last, r.sheet, maxRowBytes)
		}
	}
	cell := pending{column: column, from: from, kind: NoValue, sign: shows.sign}
	if hasFormula && (!hasValue || len(r.value) == 0 && typ != typeFormulaText) {
		r.arena = append(r.arena[:from], decodeText(r.arena[from:])...)
	} else {
		r.arena = r.arena[:from]
		var err error
		if cell.kind, err = r.interpret(column, typ, shows); err != nil {
			return err
		}
	}
	if cell.to = len(r.arena); cell.to > from {
		r.cells = append(r.cells, cell)
	}
	return nil
}

// interpret appends to the arena what the value says.
func (r *Rows) interpret(column int, typ cellType, shows format) (Kind, error) {
	value := r.value
	switch typ {
	case typeInline:
		r.arena = append(r.arena, value...)
		return Text, nil
	case typeFormulaText:
		r.arena = append(r.arena, decodeText(value)...)
		return Text, nil
	case typeShared:
		value = bytes.TrimSpace(value)
		n, ok := smallOrZero(value)
		if len(value) == 0 {
			return Text, nil
		}
		if !ok || n >= r.w.texts.count {
			return Text, r.fail("the cell in row %d, column %d points to text %q of %d.", r.last, column+1, shown(value), r.w.texts.count)
		}
		r.arena = append(r.arena, r.w.texts.get(n)...)
		return Text, nil
	}
	if value = bytes.TrimSpace(value); len(value) == 0 {
		return Text, nil
	}
	if !utf8.Valid(value) {
		value = bytes.ToValidUTF8(value, []byte("\ufffd"))
	}
	switch {
	case typ == typeBool && truth(value):
		r.arena = append(r.arena, "TRUE"...)
		return Bool, nil
	case typ == typeBool:
		r.arena = append(r.arena, "FALSE"...)
		return Bool, nil
	case typ == typeError:
		r.arena = append(r.arena, decodeText(value)...)
		return Error, nil
	case typ == typeDate:
		if shows.kind == Date && !shows.clock {
			value, _, _ = bytes.Cut(value, []byte{'T'})
		}
		r.arena = append(r.arena, decodeText(value)...)
		return Date, nil
	}
	return r.number(value, shows), nil
}

func smallOrZero(b []byte) (int, bool) {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' || len(b) > 9 {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(b) > 0
}

// number appends a number as the format means it.
func (r *Rows) number(value []byte, shows format) Kind {
	d, ok := parseDecimal(r.digits, value)
	if !ok || d.tiny() {
		r.arena = append(r.arena, decodeText(value)...)
		return NoNumber
	}
	r.digits = d.digits[:0]
	if d.wide() {
		r.arena = append(r.arena, decodeText(value)...)
		return Lost
	}
	d.round()
	switch shows.kind {
	case Date:
		var ok bool
		if r.arena, ok = appendDate(r.arena, d, shows.clock, r.w.from1904); ok {
			return Date
		}
		r.arena = d.appendPlain(r.arena)
		return NoDate
	case Percent:
		if len(d.digits) > 0 {
			d.point += 2
		}
		r.arena = append(d.appendPlain(r.arena), '%')
		return Percent
	}
	for i := d.point; shows.zeros > i && d.point >= len(d.digits) && !d.negative; i++ {
		r.arena = append(r.arena, '0')
	}
	r.arena = d.appendPlain(r.arena)
	return shows.kind
}
