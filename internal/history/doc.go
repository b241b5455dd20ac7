// Package history answers what an offer's prices were, when, and why: every
// price that was read, drifted or imported, and every step of every change, also
// of a batch that later ones have overtaken.
//
// It owns no facts. Everything is derived from the ledger, which has each event
// exactly once, so a record that the tables' streams deliver twice or late is in
// the history once; an event is named by its leaf in the ledger. What is kept
// here is only the same events again, arranged so that those of one offer are
// found without reading a whole ledger.
//
// # How it is kept
//
// In the history bucket, as runs: a run holds the events about offers among the
// leaves from one index up to another, in the order of the ledger, in pieces by
// the hash of the offer. New runs are made of a thousand leaves or more; eight of
// a size are merged into one of the next. So an offer's whole history is in at
// most seven pieces of each size, and an event is rewritten once for each eightfold
// growth. Leaves that no run has yet are read from the ledger itself: the history
// is never behind it. Nothing is written to a table: a change costs no write units
// beyond those of its ledger events.
//
// # What it promises when things fail
//
// A run counts once all its pieces are there, and what it replaces is removed
// afterwards. A crash leaves pieces that nobody reads or a run beside the ones it
// replaces; the larger counts, and the next growth removes what is left over. Two
// processes that grow one history at once write the same bytes or runs of which
// one contains the other. A reader whose piece was merged away looks again.
//
// Events are kept for Keep, then dropped by merging, and by the bucket's lifecycle.
//
// # What it does not do
//
// It proves nothing (the ledger does), it searches by nothing but the offer (Scan reads
// all that was written in a time), and it knows nothing about prices before Price
// Manager first read them.
package history
