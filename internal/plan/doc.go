// Package plan turns a price file into a plan: what would change, row by row,
// against the offers as last known, what the guards say about it, and how much
// money is at risk. Applying means naming a plan by its token; this package
// decides whether that may happen and to which batch it led, the lanes do the
// rest.
//
// A plan is immutable. Its token is a hash of its header, and the header holds
// the hashes of all its rows, of the guards' limits, of the links and exchange
// rates that made rows, and of the very rows that the lanes are to send: who
// applies a token applies exactly what was shown. A stored part that was altered
// is noticed on reading and is an error.
//
// Every row of the file ends in exactly one of planned (allowed), held, refused
// and unchanged, so that the counts always add up to the rows.
//
// What is promised when things fail: a plan that was not wholly written does
// not exist (its item is written last; files without an item expire). Claim is
// one conditional write; repeating it with the same idempotency key gives the
// same batch. Plans of another tenant are not found.
//
// It does not parse (pricefile does), knows no rule about prices (price does)
// and sends nothing (lane does).
package plan
