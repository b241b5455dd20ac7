package xlsx

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// texts are the shared strings. They are kept in pieces of one size, so that
// no growing slice ever needs room for twice its content.
type texts struct {
	chunks [][]byte   // length and bytes of one text after the other; none crosses a border
	at     [][]uint32 // where each begins: chunk times chunkSize plus offset
	count  int
}

const chunkSize, chunkTexts = 1 << 20, 1 << 16

func (t *texts) add(text []byte) {
	last := len(t.chunks) - 1
	if last < 0 || len(t.chunks[last])+len(text)+binary.MaxVarintLen64 > chunkSize {
		t.chunks = append(t.chunks, make([]byte, 0, chunkSize))
		last++
	}
	if t.count%chunkTexts == 0 {
		t.at = append(t.at, make([]uint32, 0, chunkTexts))
	}
	i := len(t.at) - 1
	t.at[i] = append(t.at[i], uint32(last*chunkSize+len(t.chunks[last])))
	t.chunks[last] = append(binary.AppendUvarint(t.chunks[last], uint64(len(text))), text...)
	t.count++
}

// get returns the i-th text; i must be below count.
func (t *texts) get(i int) []byte {
	at := t.at[i/chunkTexts][i%chunkTexts]
	b := t.chunks[at/chunkSize][at%chunkSize:]
	length, n := binary.Uvarint(b)
	return b[n : n+int(length)]
}

func (t *texts) bytes() int { return len(t.chunks)*chunkSize + len(t.at)*chunkTexts*4 }

func (w *Workbook) readTexts(name string) error {
	s, closer, err := w.c.part(name, spaceMain, "sst")
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }()
	var text []byte
	for {
		t, err := s.next()
		switch {
		case err != nil:
			return err
		case t == tokenEOF:
			return nil
		case t != tokenStart:
		case !s.is(spaceMain, "si"):
			if err := s.skip(); err != nil {
				return err
			}
		case w.texts.bytes() > maxTexts:
			return tooLarge("The Excel workbook has more than %d MB of different texts. Remove the columns that hold no prices, or save it as CSV.", maxTexts>>20)
		default:
			if text, err = s.rich(text[:0]); err != nil {
				return err
			}
			w.texts.add(text)
		}
	}
}

// rich appends the text of the element that has just started, si or is: its t,
// or that of all its runs. Phonetic readings are no part of it.
func (s *scanner) rich(out []byte) ([]byte, error) {
	depth, from := len(s.marks), len(out)
	for {
		t, err := s.next()
		switch {
		case err != nil:
			return nil, err
		case t == tokenEnd && len(s.marks) < depth:
			return append(out[:from], decodeText(out[from:])...), nil
		case t != tokenStart || s.is(spaceMain, "r"):
		case s.is(spaceMain, "t"):
			if out, err = s.content(out); err != nil {
				return nil, err
			}
		default:
			if err := s.skip(); err != nil {
				return nil, err
			}
		}
	}
}

// content appends the text of the element that has just started. Of a long one
// it keeps enough for decodeText to cut.
func (s *scanner) content(out []byte) ([]byte, error) {
	depth := len(s.marks)
	for {
		t, err := s.next()
		switch {
		case err != nil:
			return nil, err
		case t == tokenEnd && len(s.marks) < depth:
			return out, nil
		case t == tokenText && len(out) < maxRowBytes:
			out = append(out, s.text[:min(len(s.text), maxRaw)]...)
		}
	}
}

// decodeText makes a text of a file what the sheet shows: characters that XML
// cannot hold are written _x000D_, by their UTF-16 code. It is cut to maxText
// bytes, and what is no UTF-8 is replaced.
func decodeText(b []byte) []byte {
	if i := bytes.Index(b, []byte("_x")); i >= 0 {
		out := append([]byte(nil), b[:i]...)
		for b = b[i:]; len(b) > 0; {
			r, n := escaped(b)
			if n == 0 {
				out, b = append(out, b[0]), b[1:]
				continue
			}
			out, b = utf8.AppendRune(out, r), b[n:]
		}
		b = out
	}
	if len(b) > maxText {
		for b = b[:maxText]; len(b) > 0 && !utf8.RuneStart(b[len(b)-1]); {
			b = b[:len(b)-1]
		}
		b = b[:len(b)-1]
	}
	if !utf8.Valid(b) {
		b = bytes.ToValidUTF8(b, []byte("\ufffd"))
	}
	return b
}

// escaped reads _xHHHH_ at the beginning of b, or two of them for a character
// outside of the basic plane; n is 0 when there is none.
func escaped(b []byte) (r rune, n int) {
	r, ok := escapedUnit(b)
	switch {
	case !ok:
		return 0, 0
	case !utf16.IsSurrogate(r):
		return r, 7
	}
	if low, ok := escapedUnit(b[7:]); ok {
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
			return r, 14
		}
	}
	return 0, 0
}

func escapedUnit(b []byte) (rune, bool) {
	if len(b) < 7 || b[0] != '_' || b[1] != 'x' || b[6] != '_' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}

func validText(b []byte) string { return strings.ToValidUTF8(string(b), "\ufffd") }
