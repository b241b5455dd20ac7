package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"

	"pricemanager/internal/pricefile"
)

// part is one thing that is measured.
type part struct {
	key       string // of its rate in the report
	input     inputKind
	yardstick bool         // not ours: its memory does not count
	prepare   func() error // what is not measured; nil for nothing
	run       func(content) (rows int, err error)
}

// parts are measured in this order. A further one needs only a line here.
var parts = []part{
	{key: "bareCsvRowsPerSecond", input: csvInput, yardstick: true, run: bareCSV},
	{key: "csvRowsPerSecond", input: csvInput, run: readCSV},
	{key: "repeatedCsvRowsPerSecond", input: repeatedInput, run: readCSV},
	planPart,
	{key: "xlsxRowsPerSecond", input: xlsxInput, run: readCSV},
	{key: "jsonRowsPerSecond", input: jsonInput, run: readCSV},
}

// inputKind is a kind of file. The same rows give the same file.
type inputKind struct {
	name  string
	write func(w io.Writer, rows int) error
}

// csvInput has rows as sellers' tools write them, of 44 bytes.
var csvInput = inputKind{"csv", func(w io.Writer, rows int) error { return writeCSV(w, rows, rows) }}

// repeatedInput has every row twice, so that repeats take the most memory.
var repeatedInput = inputKind{"repeated", func(w io.Writer, rows int) error { return writeCSV(w, rows, rows/2) }}

func writeCSV(w io.Writer, rows, different int) error {
	if _, err := fmt.Fprintln(w, "sku;marketplace;price;min;max"); err != nil {
		return err
	}
	for i := range rows {
		i %= different
		cents := 10_000 + i*7%890_000
		if _, err := fmt.Fprintf(w, "%s;DE;%s;%s;%s\n", sku(i), decimal(cents), decimal(cents*9/10), decimal(cents*11/10)); err != nil {
			return err
		}
	}
	return nil
}

// sku is the SKU of row i, from 0.
func sku(i int) string { return fmt.Sprintf("ACME-%07d-BLK", i) }

func decimal(cents int) string { return fmt.Sprintf("%d,%02d", cents/100, cents%100) }

// readCSV reads and validates every row, as a plan does before it looks at
// offers.
func readCSV(c content) (int, error) {
	f, err := pricefile.Open(c, pricefile.Options{Name: "prices.csv"})
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	n := 0
	for row, errs := range f.Rows() {
		if len(errs) > 0 || row.Edit.Set.Our == nil {
			return n, fmt.Errorf("row %+v: %v", row, errs)
		}
		n++
	}
	return n, f.Err()
}

// bareCSV does nothing but split the file with the standard library.
func bareCSV(c content) (int, error) {
	r := csv.NewReader(c)
	r.Comma, r.ReuseRecord = ';', true
	for n := -1; ; n++ { // the header is no row
		if _, err := r.Read(); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, err
		}
	}
}
