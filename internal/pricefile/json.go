package pricefile

import (
	"bufio"
	"bytes"
	"io"
	"unicode/utf8"
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
	return j.list('{', '}', func() error {
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
		return value(key)
	})
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
	amount.note.sign = string(trim(currency))
	if amount.note.kind <= noteNumber && amount.note.sign != "" && currencies(amount.note.sign) == "" {
		amount.note.kind = noteNoCurrency
	}
	return amount, nil
}
