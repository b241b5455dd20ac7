// Package watch looks through the tenants' ledgers for what a thief would do: take
// much data away, use tokens far more than usual, lower many prices by much, make
// many API keys, try keys that are not good, come from where nobody came from. It
// owns the rules, what they have learnt of each tenant, and the findings that members
// see and answer.
//
// A rule compares a sum with the tenant's own past (median and median deviation,
// whole numbers throughout) and with a floor below which nothing is suspicious. What
// it decides follows from the events alone, so the same ledger gives the same
// findings however its events arrive.
//
// What is promised when things fail: every ledger event is counted once, because the
// index of the next leaf to read and what was learnt are one item, written under the
// condition that nobody else moved on, together with the findings. A rule that fails,
// or a table that cannot be written, leaves all as it was and the next call reads the
// same leaves again; the ledger never waits for it. Findings are in a streamed table,
// so that raising and answering one is in the ledger too.
//
// What it does not do: it never stops anything by itself, it knows no e-mail, and it
// sees nothing that is not in the ledger. Keys that nobody has are not: they are a
// metric of package web. Of addresses it keeps keyed hashes, which it cannot reverse.
package watch
