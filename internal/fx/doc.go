// Package fx owns a tenant's links between marketplaces and the table of exchange
// rates that they are computed with: what a price in one marketplace makes of the
// prices of the same SKU in others.
//
// A table is of one day, names its source, and holds exact decimals. A price is
// computed by rational arithmetic and rounded once, at the end: see step. There is
// no float in this package.
//
// What is promised when things fail: a rate that is missing, or older than the
// tenant allows, makes a Problem and never a price. Links and rates that cannot be
// read are an error and never their absence. Both are written whole, each by one
// conditional write that names what it replaces and carries the notice to the
// members. A table that nobody looked at replaces only an older one, and only when
// it moves no rate far. Their hashes are in every plan of a file, so that a plan
// made by others is noticed.
//
// It reads no price file and judges no price (plan and price do), and fetches
// nothing: a Source brings a table.
package fx
