// Command gen writes the demo price files and the catalogue of the fake seller
// that they are about, into the folder above its own:
//
//   - catalogue.json: what the fake Amazon has on sale. Two sellers,
//     A2DEMOSELLEREU in Germany and France and A2DEMOSELLERNA in the United
//     States, 260 offers in each marketplace, prices as decimal strings. See
//     Catalogue for the format.
//   - fakeamazon-seed.json: the same catalogue in the form that the fake
//     Amazon's -seed-file takes.
//   - us-price-quantity.txt: Amazon's Price & Quantity template, tab separated
//     with a template line on top, for ATVPDKIKX0DER. Its marketplace is chosen
//     at upload, because the template has no column for it.
//   - corpus: a file of every kind that is read and of every kind of damage,
//     made in corpus*.go, each with a plan beside it in corpus/golden that a
//     test holds it to: what was understood, and why which row is refused.
//   - eu-prezzi.csv: what a spreadsheet in Germany saves: byte order mark,
//     semicolons, decimal commas, German headers; for Germany and France.
//
// Among the rows are unchanged ones and every mistake that sellers make; the
// kinds and their numbers are in rows.go. The B2B column of the European file
// holds whole euros and numbers such as 1.150, so that nothing proves how the
// column is written and those rows must be refused.
//
// The output depends on nothing but this program. Run from the project's root:
//
//	go run ./events/prices/gen          writes the files
//	go run ./events/prices/gen -check   fails when they differ
//
// and, when the golden plans are meant to change, go test ./events/prices/gen
// -run Corpus -update, and read what changed.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	check := flag.Bool("check", false, "compare instead of writing")
	dir := flag.String("dir", "events/prices", "folder of the files")
	flag.Parse()
	if err := run(*dir, *check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(dir string, check bool) error {
	for name, body := range files() {
		path := filepath.Join(dir, name)
		if !check {
			if err := os.WriteFile(path, body, 0o644); err != nil { //nolint:gosec // files of the repository, for all to read
				return err
			}
			continue
		}
		have, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.Equal(have, body) {
			return fmt.Errorf("%s is not what the generator writes: run go run ./events/prices/gen", path)
		}
	}
	return nil
}
