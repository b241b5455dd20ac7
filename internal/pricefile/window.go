package pricefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"pricemanager/internal/fault"
)

// windowBytes is how much of a content is in memory at a time, unless one row
// takes more.
const windowBytes = 256 << 10

// maxCells is where a row is no row any more: below it, cells beyond the header
// are an error of the row.
const maxCells = 10_000

// window is a part of a content that moves towards its end. Positions in bytes
// stay valid until the next call of slide.
type window struct {
	content Content
	size    int // windowBytes, less in tests
	bytes   []byte
	read    int64 // how much of the content was read: bytes ends there
	fault   error // why nothing more is read
}

// slide drops everything before pos and fills up; what was at pos is then at 0.
func (w *window) slide(pos int) {
	if w.bytes == nil {
		w.bytes = make([]byte, 0, min(w.content.Size(), int64(w.size)))
	}
	w.bytes = w.bytes[:copy(w.bytes, w.bytes[pos:])]
	w.fill()
}

// fill reads as much as there is room for.
func (w *window) fill() {
	room := min(int64(cap(w.bytes)-len(w.bytes)), w.content.Size()-w.read)
	if room <= 0 || w.fault != nil {
		return
	}
	at := len(w.bytes)
	n, err := w.content.ReadAt(w.bytes[at:at+int(room)], w.read)
	w.bytes, w.read = w.bytes[:at+n], w.read+int64(n)
	if int64(n) < room {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		w.fault = fmt.Errorf("pricefile: read the content: %w", err)
	}
}

// ended reports whether the window reaches the end of the content, or of what
// can be read of it.
func (w *window) ended() bool { return w.read >= w.content.Size() || w.fault != nil }

// need tries to have n bytes in the window; fewer are there only at the end.
func (w *window) need(n int) {
	for len(w.bytes) < n && !w.ended() {
		if n > cap(w.bytes) {
			grown := make([]byte, len(w.bytes), max(n, 2*cap(w.bytes)))
			copy(grown, w.bytes)
			w.bytes = grown
		}
		w.fill()
	}
}

// find returns the position of the first c at or behind from, or that of the
// end. It looks no further than most bytes behind start, and then reports false.
func (w *window) find(c byte, from, start, most int) (int, bool) {
	for {
		if i := bytes.IndexByte(w.bytes[from:], c); i >= 0 {
			return from + i, from+i-start <= most
		}
		from = len(w.bytes)
		if from-start > most {
			return from, false
		}
		if w.ended() {
			return from, true
		}
		w.need(from + 1)
	}
}

func tooManyColumns(line int) error {
	return fault.New(fault.TooLarge, "price-file-columns", "The row that begins in line %d has more than %d columns. Remove the columns that hold no prices.", line, maxCells)
}

func rowTooLong(line int) error {
	return fault.New(fault.TooLarge, "price-file-row", "The row that begins in line %d has more than %d bytes. Look for missing line breaks, or save the file as CSV again.", line, MaxRow)
}
