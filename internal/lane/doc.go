// Package lane is the sync engine: it brings the prices that sellers applied to
// Amazon at exactly the speed Amazon allows, reads every one of them back, and
// leaves a trace of each step from which the ledger is written.
//
// # What it owns
//
// Offers (what is known about each offer, and its current change), batches,
// and one lane per connection: the lease that makes one worker at a time drive
// it, and one work item per batch that is the lane's journal. All of it is in
// the offers table; row files are in the files bucket. A queue message is a
// doorbell and carries no work.
//
// # The life of a change
//
//	staged    the offer item names the batch and row that want it (nb, nrow, nedit);
//	          it counts once the batch is committed
//	sent      the journal names row, SKU and notAfter (an intent), before the call
//	accepted  Amazon took the patch; not success yet
//	observed  a read begun after acceptance shows every field as wanted
//
// and the ways out: rejected (Amazon said no), held (a guard at send time),
// superseded (a newer change of the same offer took over), unknown (no answer:
// read back before anything is sent again), unconfirmed (accepted but not seen
// in time).
//
// # What it promises when things fail
//
// A worker may die at any instruction. Before the intent is written nothing was
// sent, and the next owner sends. After it, the next owner sends that row
// nothing before notAfter, reads back until the visibility limit has passed,
// and only then sends once more. After the effect, the read shows it. A message
// that is lost, doubled or late changes nothing: the sweep rings lanes that
// have work and no owner. A worker that lost its lease can write nothing more:
// every write of the journal and of an outcome carries the lease's fence.
//
// # How lanes share Amazon's application-wide budget
//
// Each lease holds a seat in windows of five seconds; the seats of a window are
// counted by conditional writes and never add up to more than the application's
// rate (ceiling.go). Without a seat nothing is called. A worker that dies holds
// its seat to the end of the window only.
//
// # What it does not do
//
// It does not parse files or decide what a plan contains, and it never reads a
// refresh token: amazon.Listings comes with access tokens built in.
package lane
