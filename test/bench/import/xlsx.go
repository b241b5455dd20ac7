package main

import (
	"fmt"
	"io"
	"strings"

	"pricemanager/internal/xlsx"
)

// xlsxInput has the rows of csvInput as a workbook, prices as numbers.
var xlsxInput = inputKind{"xlsx", func(w io.Writer, rows int) error {
	book, err := xlsx.NewWriter(w, "Prices")
	if err != nil {
		return err
	}
	cells := func(kind xlsx.Kind, texts ...string) []xlsx.Cell {
		var out []xlsx.Cell
		for i, s := range texts {
			k := xlsx.Text
			if i >= 2 {
				k = kind
			}
			out = append(out, xlsx.Cell{Column: i, Kind: k, Text: []byte(s)})
		}
		return out
	}
	if err := book.Write(cells(xlsx.Text, "sku", "marketplace", "price", "min", "max")); err != nil {
		return err
	}
	number := func(cents int) string { return strings.Replace(decimal(cents), ",", ".", 1) }
	for i := range rows {
		cents := 10_000 + i*7%890_000
		if err := book.Write(cells(xlsx.Number, sku(i), "DE", number(cents), number(cents*9/10), number(cents*11/10))); err != nil {
			return err
		}
	}
	return book.Close()
}}

// jsonInput has them as JSON lines.
var jsonInput = inputKind{"json", func(w io.Writer, rows int) error {
	for i := range rows {
		cents := 10_000 + i*7%890_000
		number := func(cents int) string { return strings.Replace(decimal(cents), ",", ".", 1) }
		if _, err := fmt.Fprintf(w, `{"sku":%q,"marketplace":"DE","price":%s,"min":%s,"max":%s}`+"\n",
			sku(i), number(cents), number(cents*9/10), number(cents*11/10)); err != nil {
			return err
		}
	}
	return nil
}}
