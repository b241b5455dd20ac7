// Package pricefile reads the price files that sellers upload and says exactly
// what is wrong with the rest.
//
// It owns three layers, so that a new format or a new column touches one of
// them: a source splits a file into records of cells (delimited.go), a layout
// says which column means what (layout.go, words.go), and the cells layer
// turns text into exact prices, dates and marketplaces (cells.go, number.go,
// date.go).
//
// Read today: tab, semicolon, comma or pipe separated UTF-8 text, with or
// without a byte order mark, among it Amazon's Price & Quantity template; in
// English, German, French, Italian and Spanish column names.
//
// The rules that keep prices safe:
//
//   - Blank is absent. A blank cell leaves its price untouched; a row without
//     any price is refused. Nothing ever becomes zero.
//   - A number that reads two ways (1.234) is refused unless other values of
//     its column prove which way the column is written. So is a date such as
//     03/04/2030.
//   - Days begin at midnight UTC, in every marketplace. The end day of a sale
//     is part of the sale: it ends at the midnight after it.
//   - The same SKU twice in one marketplace is refused, every row of it, unless
//     the rows say the same.
//
// What is promised when things fail: a file that cannot be understood is a
// *fault.Fault with a text for the seller; a bad row is reported with every bad
// cell in it, and reading goes on. Every row of a file is yielded once, good or
// bad, so that rows always add up. Nothing is guessed and nothing vanishes.
//
// The content is held in memory once (at most MaxBytes) and read twice or three
// times: evidence first, then values; a pass in between only when rows repeat.
// Beyond the content, memory is eight to thirty-two bytes a row, to notice
// repeated rows.
//
// It does not know which offers exist, and compares no price with another.
package pricefile
