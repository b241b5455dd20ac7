// Package audit knows which changes of the tables are ledger events, and finds
// changes that did not become any: a stream forgets after 24 hours, and a record
// that fails for good is passed over.
//
// Mappers is the one list of the rooms' mappers. Reconciler compares what the
// items say now with what the ledger was told since the last comparison. It keeps
// no items, only digests of facts: a fact is an event that an item's present state
// stands for, as the rooms' own mappers say. A fact that is new, of an item that
// the ledger heard nothing of since, is a gap when it is found so twice in a row;
// then an event of type ledger.gap says what was missed, and the alarm goes off.
//
// What is promised when things fail: a comparison that fails or is cut off changes
// nothing and is made again; a gap is told again until its event is in the ledger;
// two comparisons at once tell of a gap once.
//
// What it does not do: it sees states and not ways. What came and went between two
// comparisons, a change followed by another of the same item that the ledger does
// have, and what shows only by something being gone (a lane that goes on, a deleted
// item) or by a number that grew (refused requests of an hour) are not found. Tenants
// without a lane are not compared, for they are in no list; neither is the directory,
// which repeats what the tenants' items say.
package audit
