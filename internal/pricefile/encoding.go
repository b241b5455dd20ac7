package pricefile

import (
	"bytes"
	"io"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"pricemanager/internal/fault"
)

const byteOrderMark = "\ufeff"

// decode brings the content to UTF-8. UTF-16 is what says so by its byte order
// mark, or has the zero bytes that Latin letters leave in it. Of the rest, what
// can be UTF-8 is UTF-8, and what cannot is Windows-1252 if nothing in it speaks
// against that.
func (t *text) decode() error {
	head, err := t.head(evidenceBytes)
	if err != nil {
		return err
	}
	t.encoding = "UTF-8"
	if order, mark := utf16Order(head); order != nil {
		t.encoding = order.name
		if err := t.fromUTF16(order, mark); err != nil {
			return err
		}
	}
	s, err := t.survey()
	if err != nil {
		return err
	}
	if s.zeros {
		return refuse("not text")
	}
	if !s.valid {
		if err := t.check1252(); err != nil {
			return err
		}
		t.encoding = "Windows-1252"
		if err := t.from1252(); err != nil {
			return err
		}
	}
	t.eol = '\n'
	if !s.newline && s.returns {
		t.eol = '\r'
	}
	if starts(head, byteOrderMark) {
		t.Content = io.NewSectionReader(t.Content, int64(len(byteOrderMark)), t.Size()-int64(len(byteOrderMark)))
	}
	return nil
}

// survey is what one look at all bytes shows of them as UTF-8.
type survey struct{ valid, zeros, newline, returns bool }

func (t *text) survey() (survey, error) {
	s := survey{valid: true}
	err := t.runes(func(b []byte) {
		s.valid = s.valid && utf8.Valid(b)
		s.zeros = s.zeros || bytes.IndexByte(b, 0) >= 0
		s.newline = s.newline || bytes.IndexByte(b, '\n') >= 0
		s.returns = s.returns || bytes.IndexByte(b, '\r') >= 0
	})
	return s, err
}

// runes calls look with pieces of the content that no rune goes beyond.
func (t *text) runes(look func([]byte)) error {
	var joined, cut []byte
	err := t.pieces(func(b []byte) error {
		joined = append(append(joined[:0], cut...), b...)
		end := len(joined) - unfinished(joined)
		look(joined[:end])
		cut = append(cut[:0], joined[end:]...)
		return nil
	})
	if len(cut) > 0 && err == nil {
		look(cut)
	}
	return err
}

// unfinished is how many bytes at the end of b are the beginning of a rune.
func unfinished(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

// check1252 refuses text that is not UTF-8 and cannot be taken for
// Windows-1252 either: with bytes that mean nothing there, with control
// characters, or with letters in valid UTF-8 beside the broken ones.
func (t *text) check1252() error {
	line, badLine := 1, 0
	letters, meaningless := false, false
	err := t.runes(func(b []byte) {
		for len(b) > 0 {
			r, n := utf8.DecodeRune(b)
			switch {
			case r == utf8.RuneError && n == 1:
				if badLine == 0 {
					badLine = line
				}
				meaningless = meaningless || undefined1252(b[0])
			case r == '\n':
				line++
			case r >= utf8.RuneSelf:
				letters = true
			case r < ' ' && r != '\r' && r != '\t':
				meaningless = true
			}
			b = b[n:]
		}
	})
	if err != nil {
		return err
	}
	if letters || meaningless {
		return refuse("not in UTF-8 encoding (see line %d) and shows no other one", badLine)
	}
	return nil
}

// undefined1252 reports whether Windows-1252 has no character for a byte.
func undefined1252(c byte) bool {
	return c == 0x81 || c == 0x8d || c == 0x8f || c == 0x90 || c == 0x9d
}

func (t *text) from1252() error {
	return t.transcode(func(out, piece []byte) ([]byte, error) {
		for _, c := range piece {
			if c < utf8.RuneSelf {
				out = append(out, c)
			} else {
				out = utf8.AppendRune(out, charmap.Windows1252.DecodeByte(c))
			}
		}
		return out, nil
	})
}

// transcode spools the content as convert appends it piece by piece.
func (t *text) transcode(convert func(out, piece []byte) ([]byte, error)) error {
	return t.spool(func(w io.Writer) error {
		var out []byte
		left := int64(MaxBytes)
		return t.pieces(func(piece []byte) (err error) {
			if out, err = convert(out[:0], piece); err != nil {
				return err
			}
			if left -= int64(len(out)); left < 0 {
				return fault.New(fault.TooLarge, "price-file-bytes", "In UTF-8, the file has more than %d bytes. Split it into several files.", MaxBytes)
			}
			_, err = w.Write(out)
			return err
		})
	})
}

// evidenceBytes is how much of a file is looked at for zero bytes: the header
// and some rows.
const evidenceBytes = 4 << 10

// byteOrder is one of the two kinds of UTF-16.
type byteOrder struct {
	name string
	mark string
	high int // where the high byte of a unit is
}

var byteOrders = [...]byteOrder{{"UTF-16LE", "\xff\xfe", 1}, {"UTF-16BE", "\xfe\xff", 0}}

// utf16Order returns the kind of UTF-16 that the beginning of a file proves,
// nil for none, and the length of its byte order mark. Without a mark, the
// proof is that the high bytes of at least half the units are zero, among them
// the first, and less than a tenth of the low bytes.
func utf16Order(head []byte) (*byteOrder, int) {
	for i := range byteOrders {
		o := &byteOrders[i]
		if starts(head, o.mark) {
			return o, len(o.mark)
		}
		units, zeros := len(head)/2, [2]int{}
		for u := range units {
			for high := range 2 {
				if head[2*u+high] == 0 {
					zeros[high]++
				}
			}
		}
		if units > 0 && head[o.high] == 0 && 2*zeros[o.high] >= units && 10*zeros[1-o.high] < units {
			return o, 0
		}
	}
	return nil, 0
}

func (t *text) fromUTF16(o *byteOrder, mark int) error {
	broken := refuse("in UTF-16 encoding but damaged or incomplete")
	if t.Size()%2 != 0 {
		return broken
	}
	t.Content = io.NewSectionReader(t.Content, int64(mark), t.Size()-int64(mark))
	first := rune(0) // of a surrogate pair
	err := t.transcode(func(out, piece []byte) ([]byte, error) {
		for i := 0; i < len(piece); i += 2 {
			unit := rune(piece[i+o.high])<<8 | rune(piece[i+1-o.high])
			switch {
			case first != 0:
				if unit = utf16.DecodeRune(first, unit); unit == utf8.RuneError {
					return nil, broken
				}
				first = 0
			case unit >= 0xd800 && unit < 0xdc00:
				first = unit
				continue
			case utf16.IsSurrogate(unit):
				return nil, broken
			}
			out = utf8.AppendRune(out, unit)
		}
		return out, nil
	})
	if err == nil && first != 0 {
		return broken
	}
	return err
}
