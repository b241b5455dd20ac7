// Package pricefile reads the price files that sellers upload and says exactly
// what is wrong with the rest.
//
// It owns four layers, so that a new format or a new column touches one of
// them: a text is the content out of its gzip or ZIP container (unpack.go) and
// in UTF-8 (encoding.go), a source splits it into records of cells
// (delimited.go over window.go; xlsx.go, json.go), a layout says which column
// means what (layout.go, words.go, mapping.go), and the cells layer turns text
// into exact prices, dates, products and marketplaces (cells.go, number.go,
// sales.go, date.go, keys.go).
//
// The rules that keep prices safe:
//
//   - Blank is absent. A blank cell leaves its price untouched; a row without
//     any price is refused. Nothing ever becomes zero.
//   - A number that reads two ways (1.234) is refused unless other values of
//     its column prove which way the column is written. So is a date such as
//     03/04/2030.
//     A text such as 1.500 is never read with three decimals, whatever proves it:
//     no price has them.
//   - A currency beside a price, in the cell, its number format or the column's
//     name, must be the row's.
//   - A price is removed by a word such as "clear" in its cell, never by a blank
//     or a dash.
//   - Days begin at midnight UTC, in every marketplace. The end day of a sale
//     is part of the sale: it ends at the midnight after it. A time without a
//     zone is refused.
//   - A file names all its offers in one way: by SKU, else ASIN, else EAN. An
//     EAN that a spreadsheet has rounded is refused, never completed.
//   - A column whose name is not known is ignored and shown as such; two that
//     mean the same are refused. What the seller has chosen for a header
//     (Mapping) goes before what its names mean.
//   - The same SKU twice in one marketplace is refused, every row of it, unless
//     the rows say the same.
//
// What is promised when things fail: a file that cannot be understood is a
// *fault.Fault with a text for the seller; a bad row is reported with every bad
// cell in it, and reading goes on. Every row of a file is yielded once, good or
// bad, so that rows always add up. Nothing is guessed and nothing vanishes.
//
// The content is never in memory whole: it is read as a stream, twice or three
// times (evidence first, then values; a pass in between only when rows repeat).
// What has to be unpacked or decoded is written to a temporary file once. Memory
// grows by eight to twenty bytes a row, to notice repeated rows (repeats.go).
//
// It does not know which offers exist, and compares no price with another.
package pricefile
