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
// superseded (a newer change of the same offer took over, and brings along what
// this one wanted of other fields, see carry.go), unknown (no answer:
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
// # Feeds
//
// A batch that is expected to be seen sooner that way goes to Amazon in feeds of
// up to 25,000 patches (feedroute.go; the batch says why). What holds for a patch
// holds for a feed: its rows are admitted right before it leaves, an intent
// precedes it, every price is read back. Its rows go nowhere else until Amazon is
// done with it or has dropped it, however long that takes. A stop has feeds
// cancelled and names those that escaped. A newer price for one of its offers is
// sent at once; it counts as observed only when it is still there after the feed,
// and is sent once more if it is not. A feed whose id was lost with an answer is
// waited for as one of all feeds of its time.
//
// # What goes first
//
// Within a lane batches are sent by priority: corrections by hand, reversals,
// then files. A worker in the middle of a large batch hears of a correction by
// its next request (urgent.go).
//
// # What a lane costs while it waits
//
// A worker leaves a lane that waits, and a doorbell that is delayed as long wakes
// the next one; nothing opens the lane before (lease.go). An invocation that
// drives lanes anyway adopts others whose time has come (adopt.go).
//
// # How lanes share Amazon's application-wide budget
//
// Each lease holds a seat in windows of five seconds; the seats of a window are
// counted by conditional writes and never add up to more than the application's
// rate (ceiling.go). Without a seat nothing is called. A worker that dies holds
// its seat to the end of the window only.
//
// # What it notices by itself
//
// When Amazon grants a lane less than it states, the lane gives way and comes
// back (pace.go), and says when something else seems to use the seller's quota
// (radar.go). A batch whose rows end badly is paused before it does more harm
// (breaker.go). Guards are never older than five seconds when a row is admitted.
// When rows will be sent and seen is told from what was measured, or else what
// they wait for (eta.go).
//
// # What it does not do
//
// It does not parse files or decide what a plan contains, and it never reads a
// refresh token: amazon.Listings comes with access tokens built in.
package lane
