package pricefile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"pricemanager/internal/fault"
)

const (
	jsonDepth = 32
	jsonCell  = 4*MaxCell + utf8.UTFMax // bytes of a text that are kept: enough to see that it is too long
)

// looksJSON reports whether a text is a JSON array, or JSON lines: no header of
// a table begins with { or with [ and {.
func looksJSON(t *text) (bool, error) {
	head, err := t.head(evidenceBytes)
	if err != nil {
		return false, err
	}
	head = bytes.TrimLeft(head, " \t\r\n")
	if !starts(head, "[") {
		return starts(head, "{"), nil
	}
	head = bytes.TrimLeft(head[1:], " \t\r\n")
	return len(head) == 0 || starts(head, "{") || starts(head, "]"), nil
}

// jsonReadings reads a JSON array of objects, or objects one a line. Their keys
// are the columns, in the order in which they are seen first. A row of an array
// is called by its place in it, from 1; one of JSON lines by its line.
func jsonReadings(t *text) ([]reading, error) {
	j := &jsonFile{line: 1, columns: map[string]int{}}
	j.in = bufio.NewReaderSize(io.NewSectionReader(t.Content, 0, t.Size()), 64<<10)
	err := t.spool(func(to io.Writer) error {
		j.out = newTableWriter(to)
		return j.rows()
	})
	switch {
	case err != nil:
		return nil, err
	case j.out.rows == 0:
		return nil, unreadable("empty", "The JSON file has no rows.")
	}
	return []reading{{name: "json", open: func() source { return newTable(t.Content, j.header) }}}, nil
}

// jsonFile takes a JSON file apart byte by byte: memory is one row's, and
// numbers stay the text that they are.
type jsonFile struct {
	in   *bufio.Reader
	out  *tableWriter
	line int // physical
	row  int // what the current one is called

	columns map[string]int
	header  []string
	cells   []jsonValue // of the current row, by column
	sorted  []tableCell
	arena   []byte // texts of the current row
	used    int    // bytes of the current row
}

// jsonValue is a value of the current row; its text is in the arena.
type jsonValue struct {
	given    bool
	note     note
	from, to int
}

func (j *jsonFile) fail(format string, args ...any) error {
	return unreadable("json", "Line %d of the JSON file: %s Expected is a list of objects, such as [{\"sku\": \"A-1\", \"price\": 19.90}], or one such object a line.", j.line, fmt.Sprintf(format, args...))
}

// peek returns the next byte that is no space, 0 at the end of the file.
func (j *jsonFile) peek() (byte, error) {
	for {
		c, err := j.in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return 0, nil
		case err != nil:
			return 0, fmt.Errorf("pricefile: read the content: %w", err)
		case c == '\n':
			j.line++
		case c != ' ' && c != '\t' && c != '\r':
			return c, j.in.UnreadByte()
		}
		j.used++
	}
}

// read returns the next byte.
func (j *jsonFile) read() (byte, error) {
	c, err := j.in.ReadByte()
	if errors.Is(err, io.EOF) {
		return 0, j.fail("it ends in the middle.")
	}
	if err != nil {
		return 0, fmt.Errorf("pricefile: read the content: %w", err)
	}
	if j.used++; j.used > MaxRow {
		return 0, fault.New(fault.TooLarge, "price-file-row", "The row that begins before line %d has more than %d bytes. Look for a quote that is not closed.", j.line, MaxRow)
	}
	return c, nil
}

// take reads the byte c behind any spaces.
func (j *jsonFile) take(c byte) error {
	got, err := j.peek()
	if err != nil {
		return err
	}
	if got != c {
		return j.unexpected(got, fmt.Sprintf("instead of %q", c))
	}
	_, err = j.read()
	return err
}

func (j *jsonFile) unexpected(c byte, where string) error {
	if c == 0 {
		return j.fail("it ends in the middle.")
	}
	return j.fail("there is %q %s.", c, where)
}

func (j *jsonFile) rows() error {
	c, err := j.peek()
	if err != nil {
		return err
	}
	if c == '[' {
		return j.array()
	}
	last := 0
	for c != 0 {
		if j.row = j.line; j.row == last {
			return j.fail("there are two objects; give each a line of its own.")
		}
		if err := j.object(); err != nil {
			return err
		}
		last = j.line
		if c, err = j.peek(); err != nil {
			return err
		}
	}
	return nil
}

func (j *jsonFile) array() error {
	if err := j.take('['); err != nil {
		return err
	}
	c, err := j.peek()
	for err == nil && c != ']' {
		if j.row > 0 {
			if err := j.take(','); err != nil {
				return err
			}
		}
		j.row++
		if err := j.object(); err != nil {
			return err
		}
		c, err = j.peek()
	}
	if err != nil {
		return err
	}
	if err := j.take(']'); err != nil {
		return err
	}
	if c, err = j.peek(); err == nil && c != 0 {
		err = j.unexpected(c, "behind the list")
	}
	return err
}

// object reads one row and writes it down.
func (j *jsonFile) object() error {
	j.used, j.arena = 0, j.arena[:0]
	clear(j.cells)
	if c, err := j.peek(); err != nil {
		return err
	} else if c != '{' {
		return j.unexpected(c, "where an object should begin")
	}
	err := j.members(func(key []byte) error {
		i, ok := j.columns[string(key)]
		if !ok {
			if i = len(j.header); i == MaxColumns {
				return unreadable("columns", "The objects of the JSON file have more than %d different keys; at most so many are read. Remove the ones that hold no prices.", MaxColumns)
			}
			j.header = append(j.header, string(key))
			j.columns[string(key)] = i
			j.cells = append(j.cells, jsonValue{})
		}
		twice := j.cells[i].given
		v, err := j.value()
		if twice {
			v.note = note{kind: noteTwice}
		}
		j.cells[i] = v
		j.cells[i].given = true
		return err
	})
	if err != nil {
		return err
	}
	j.sorted = j.sorted[:0]
	for i, v := range j.cells {
		if v.to > v.from || v.note.kind == noteTwice {
			j.sorted = append(j.sorted, tableCell{i, v.note, j.arena[v.from:v.to]})
		}
	}
	return j.out.write(j.row, j.sorted)
}

// members reads an object, and calls value at each of its values. The key is
// valid until then.
func (j *jsonFile) members(value func(key []byte) error) error {
	if err := j.take('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := j.peek()
		switch {
		case err != nil:
			return err
		case c == '}':
			return j.take('}')
		case !first:
			if err := j.take(','); err != nil {
				return err
			}
		}
		from := len(j.arena)
		if err := j.string(); err != nil {
			return err
		}
		key := append([]byte(nil), j.arena[from:]...)
		j.arena = j.arena[:from]
		if tooLong(key) {
			return j.fail("a key has more than %d characters.", MaxCell)
		}
		if err := j.take(':'); err != nil {
			return err
		}
		if err := value(key); err != nil {
			return err
		}
	}
}

// value reads what belongs to a key of a row.
func (j *jsonFile) value() (jsonValue, error) {
	v := jsonValue{from: len(j.arena)}
	c, err := j.peek()
	if err != nil {
		return v, err
	}
	switch c {
	case '"':
		err = j.string()
	case '{':
		return j.price()
	case '[':
		v.note.kind = noteNested
		j.arena = append(j.arena, "[…]"...)
		v.to = len(j.arena)
		return v, j.skip(1)
	default:
		v.note.kind, err = j.literal()
	}
	v.to = len(j.arena)
	return v, err
}

// price reads {"amount": …, "currency": …}; any other object is not a value.
func (j *jsonFile) price() (jsonValue, error) {
	var amount jsonValue
	var currency []byte
	other := false
	from := len(j.arena)
	err := j.members(func(key []byte) error {
		c, err := j.peek()
		if err != nil {
			return err
		}
		at := len(j.arena)
		switch {
		case string(key) == "amount" && c != '{' && c != '[' && !amount.given:
			amount, err = j.value()
			amount.given = true
		case string(key) == "currency" && c == '"' && currency == nil:
			err = j.string()
			currency = append([]byte{}, j.arena[at:]...)
			j.arena = j.arena[:at]
		default:
			other = true
			err = j.skip(1)
			j.arena = j.arena[:at]
		}
		return err
	})
	if err != nil {
		return amount, err
	}
	if other || !amount.given || len(currency) > jsonCell {
		j.arena = append(j.arena[:from], "{…}"...)
		return jsonValue{from: from, to: len(j.arena), note: note{kind: noteNested}}, nil
	}
	if amount.note.kind == noteText && plainNumber(j.arena[amount.from:amount.to]) {
		amount.note.kind = noteNumber // the text of an amount is not written for people
	}
	amount.note.sign = string(bytes.ToUpper(trim(currency)))
	return amount, nil
}

// plainNumber reports whether b is a number as JSON writes it, without exponent.
func plainNumber(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte{'-'})
	whole, fraction, point := bytes.Cut(b, []byte{'.'})
	return allDigits(whole) && (len(whole) == 1 || len(whole) > 1 && whole[0] != '0') && (!point || len(fraction) > 0 && allDigits(fraction))
}

func allDigits(b []byte) bool {
	for _, c := range b {
		if !digit(c) {
			return false
		}
	}
	return true
}

// literal reads a number, true, false or null into the arena; null leaves
// nothing.
func (j *jsonFile) literal() (noteKind, error) {
	from := len(j.arena)
	for {
		c, err := j.in.ReadByte()
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("pricefile: read the content: %w", err)
		}
		if err != nil || bytes.IndexByte([]byte(" \t\r\n,:]}[{\""), c) >= 0 {
			if err == nil {
				err = j.in.UnreadByte()
			} else {
				err = nil
			}
			if err != nil {
				return 0, err
			}
			break
		}
		if j.arena = append(j.arena, c); len(j.arena)-from > MaxCell {
			return 0, j.fail("%q… is no value.", show(j.arena[from:from+20]))
		}
		j.used++
	}
	word := j.arena[from:]
	switch {
	case string(word) == "null":
		j.arena = j.arena[:from]
		return noteText, nil
	case string(word) == "true", string(word) == "false":
		return noteBool, nil
	case jsonNumber(word):
		return noteNumber, nil
	case len(word) == 0:
		c, err := j.read()
		if err != nil {
			return 0, err
		}
		return 0, j.unexpected(c, "where a value should be")
	}
	return 0, j.fail("%q is no value.", show(word))
}

// jsonNumber reports whether b is a number by RFC 8259.
func jsonNumber(b []byte) bool {
	if i := bytes.IndexAny(b, "eE"); i >= 0 {
		exponent := bytes.TrimLeft(b[i+1:], "+-")
		if len(exponent) == 0 || len(b)-i-1-len(exponent) > 1 || !allDigits(exponent) {
			return false
		}
		b = b[:i]
	}
	return plainNumber(b)
}

// skip reads a value of any kind and forgets it.
func (j *jsonFile) skip(depth int) error {
	if depth > jsonDepth {
		return j.fail("values are nested deeper than %d.", jsonDepth)
	}
	at := len(j.arena)
	defer func() { j.arena = j.arena[:at] }()
	c, err := j.peek()
	switch {
	case err != nil:
		return err
	case c == '"':
		return j.string()
	case c == '{':
		return j.members(func([]byte) error { return j.skip(depth + 1) })
	case c != '[':
		_, err := j.literal()
		return err
	}
	if err := j.take('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := j.peek()
		switch {
		case err != nil:
			return err
		case c == ']':
			return j.take(']')
		case !first:
			if err := j.take(','); err != nil {
				return err
			}
		}
		if err := j.skip(depth + 1); err != nil {
			return err
		}
	}
}

// string reads a text into the arena, as much of it as is kept.
func (j *jsonFile) string() error {
	if err := j.take('"'); err != nil {
		return err
	}
	from := len(j.arena)
	for {
		c, err := j.read()
		switch {
		case err != nil:
			return err
		case c == '"':
			j.arena = j.arena[:from+len(wholeRunes(j.arena[from:]))]
			return nil
		case c < ' ':
			return j.fail("there is a control character or a line break within a text.")
		case c == '\\':
			r, err := j.escape()
			if err != nil {
				return err
			}
			if len(j.arena)-from < jsonCell {
				j.arena = utf8.AppendRune(j.arena, r)
			}
		case len(j.arena)-from < jsonCell:
			j.arena = append(j.arena, c)
		}
	}
}

// wholeRunes returns b without the beginning of a rune at its end.
func wholeRunes(b []byte) []byte { return b[:len(b)-unfinished(b)] }

const jsonEscapes, jsonEscaped = `"\/bfnrt`, "\"\\/\b\f\n\r\t"

func (j *jsonFile) escape() (rune, error) {
	c, err := j.read()
	if err != nil {
		return 0, err
	}
	if i := bytes.IndexByte([]byte(jsonEscapes), c); i >= 0 {
		return rune(jsonEscaped[i]), nil
	}
	if c != 'u' {
		return 0, j.fail("a text holds the escape %q, which does not exist.", "\\"+string(rune(c)))
	}
	r, err := j.unit()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if next, _ := j.in.Peek(2); string(next) != `\u` { // an error comes again
		return utf8.RuneError, nil
	}
	if _, err := j.in.Discard(2); err != nil {
		return 0, err
	}
	low, err := j.unit()
	return utf16.DecodeRune(r, low), err
}

// unit reads the four digits of \u.
func (j *jsonFile) unit() (rune, error) {
	r := rune(0)
	for range 4 {
		c, err := j.read()
		if err != nil {
			return 0, err
		}
		i := bytes.IndexByte([]byte("0123456789abcdef"), c|0x20)
		if c < '0' || i < 0 {
			return 0, j.fail("a text holds a broken \\u escape.")
		}
		r = r<<4 | rune(i)
	}
	return r, nil
}
