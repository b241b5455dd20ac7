package pricefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"pricemanager/internal/fault"
)

// The grammar of JSON (RFC 8259), read byte by byte so that nothing of a file is
// held but the value in hand.

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

// list reads what stands between two brackets, with commas between the items.
func (j *jsonFile) list(open, end byte, item func() error) error {
	if err := j.take(open); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := j.peek()
		switch {
		case err != nil:
			return err
		case c == end:
			return j.take(end)
		case !first:
			if err := j.take(','); err != nil {
				return err
			}
		}
		if err := item(); err != nil {
			return err
		}
	}
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
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("pricefile: read the content: %w", err)
		}
		if bytes.IndexByte([]byte(" \t\r\n,:]}[{\""), c) >= 0 {
			if err := j.in.UnreadByte(); err != nil {
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
	return j.list('[', ']', func() error { return j.skip(depth + 1) })
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
