package pricefile

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"pricemanager/internal/fault"
)

// format is what kind of records a content holds.
type format uint8

const (
	formatDelimited format = iota
	formatXLSX
)

// text is a content out of its container, in UTF-8 without byte order mark; of
// an Excel workbook it is the archive.
type text struct {
	Content
	format    format
	encoding  string // see Layout
	container string // see Layout
	eol       byte   // see delimited
	temps     []Temp
	newTemp   Spool
}

// openText unpacks and decodes a content as far as that is needed.
func openText(c Content, spool Spool) (_ *text, err error) {
	if c.Size() > MaxBytes {
		return nil, fault.New(fault.TooLarge, "price-file-bytes", "The file has %d bytes; at most %d are read. Split it into several files.", c.Size(), MaxBytes)
	}
	if spool == nil {
		spool = TempFiles("")
	}
	t := &text{Content: c, newTemp: spool}
	defer func() {
		if err != nil {
			_ = t.Close() // the error that counts is the other one
		}
	}()
	if err := t.unpack(); err != nil {
		return nil, err
	}
	if t.format == formatXLSX {
		return t, nil
	}
	if err := t.decode(); err != nil {
		return nil, err
	}
	return t, nil
}

// Close forgets the temporary files.
func (t *text) Close() error {
	var errs []error
	for _, f := range t.temps {
		errs = append(errs, f.Close())
	}
	t.temps = nil
	return errors.Join(errs...)
}

// spool replaces the content by what fill writes.
func (t *text) spool(fill func(io.Writer) error) error {
	temp, err := t.newTemp()
	if err != nil {
		return err
	}
	t.temps = append(t.temps, temp)
	w := &counted{Writer: temp}
	buffered := bufio.NewWriterSize(w, 64<<10)
	if err := fill(buffered); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("pricefile: temporary file: %w", err)
	}
	t.Content = io.NewSectionReader(temp, 0, w.n)
	return nil
}

type counted struct {
	io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}

// head returns the first n bytes, fewer of a shorter content.
func (t *text) head(n int64) ([]byte, error) {
	b := make([]byte, min(n, t.Size()))
	if err := readAt(t, b, 0); err != nil {
		return nil, err
	}
	return b, nil
}

// readAt fills b from offset at, which must be within the content.
func readAt(c Content, b []byte, at int64) error {
	n, err := c.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("pricefile: read the content: %w", err)
}

// pieces yields the content from its beginning in pieces of at most
// windowBytes, which is an even number. A piece is valid until the next one.
func (t *text) pieces(yield func([]byte) error) error {
	buf := make([]byte, min(windowBytes, t.Size()))
	for at := int64(0); at < t.Size(); {
		b := buf[:min(int64(len(buf)), t.Size()-at)]
		if err := readAt(t, b, at); err != nil {
			return err
		}
		if err := yield(b); err != nil {
			return err
		}
		at += int64(len(b))
	}
	return nil
}
