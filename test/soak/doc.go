// Package soak runs the real lane engine over the memory stores in a simulated
// world, and checks its promises after every step: what a million changes meet
// in months of crashes, storms and lost messages happens here in minutes.
//
// # How it works
//
// One scheduler runs exactly one task at a time, in virtual time. The next task
// is the one whose time comes first; a seeded choice decides between equals. All
// I/O of the engine goes through adapters that give way to the scheduler before
// and after each effect, take time, and fail as the seed says. At each of these
// points a worker may die or freeze. So one seed is one history: it is hashed,
// and the same seed gives the same hash.
//
// Everything that the engine writes is followed through the stream of its table
// and compared with a model of its own: which events are due, which work is open
// and who knows of it, which stops stand. In one history of six the stream also
// goes through the ledger's own ingest (audit.go), with records that come again
// and out of order, and the ledgers are compared and verified in the end.
//
// # What it promises
//
// Result.OK is true only if no promise of package lane was seen broken; the
// promises are the fields of Result. The first broken one ends the history: it
// names its seed, and the same seed shows it again, also with fewer operations
// (see Shrink). Command mutants shows which protections the soak would miss.
//
// # What it does not do
//
// It knows neither HTTP nor AWS: the adapters stand where spapi and the store's
// backends are, which have tests of their own.
package soak
