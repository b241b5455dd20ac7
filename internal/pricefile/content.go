package pricefile

import (
	"fmt"
	"io"
	"os"

	"pricemanager/internal/price"
)

// Content is the bytes of a price file as uploaded. It is read several times,
// from its beginning and in large steps; a bytes.Reader is one. It must not
// change while the file is open.
type Content interface {
	io.ReaderAt
	// Size is the number of bytes.
	Size() int64
}

// Options say what the content does not.
type Options struct {
	// Marketplace is the one of rows that name none, "" for none.
	Marketplace price.MarketplaceID
	// Name is the file's name as uploaded. It is for messages: what a file is,
	// is told by its bytes.
	Name string
	// Mappings are what the seller has chosen for headers that were seen before.
	Mappings Mappings
	// Spool makes temporary files; nil makes them where the system keeps them.
	Spool Spool
}

// Temp is a temporary file: written once from its beginning, then read. Close
// forgets it.
type Temp interface {
	io.Writer
	io.ReaderAt
	io.Closer
}

// Spool makes a temporary file: for what was packed, for what was not in UTF-8,
// and for the cells of a workbook or of JSON.
type Spool func() (Temp, error)

// TempFiles is the Spool that keeps its files in a directory, "" for the
// system's own. A file loses its name as soon as it is open, so that nothing
// stays behind however the process ends.
func TempFiles(dir string) Spool {
	return func() (Temp, error) {
		f, err := os.CreateTemp(dir, "price-file-")
		if err != nil {
			return nil, fmt.Errorf("pricefile: temporary file: %w", err)
		}
		if err := os.Remove(f.Name()); err != nil {
			_ = f.Close() // the error that counts is the other one
			return nil, fmt.Errorf("pricefile: temporary file: %w", err)
		}
		return f, nil
	}
}
