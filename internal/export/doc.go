// Package export writes what a seller takes away as tables: the offers with their
// prices, the history of prices, a plan's rows, and what became of a batch; in CSV,
// XLSX and JSON.
//
// It owns the columns of these tables and how values stand in them. Rows are
// written as they come; nothing is held but a buffer.
//
// What it promises: the table of offers is a price file that package pricefile
// reads back to the same prices, cell for cell. (It cuts spaces off both ends of an
// SKU and takes none with a line break, so an offer named like that is exported and
// cannot be named by any file.) Text that a spreadsheet would run as a formula gets
// one apostrophe in front (pricefile.Neutralise), which reading takes off again;
// numbers are not text, and JSON, which no spreadsheet runs, has every text as it
// is. Prices are decimal text in JSON too, and numbers of exactly these digits in
// XLSX. Times are UTC, RFC 3339. An absent value is an empty cell, and no member in
// JSON.
//
// What it does not do: it reads nothing by itself, and a row that cannot be
// written ends the table with an error.
package export
