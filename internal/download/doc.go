// Package download makes tables for sellers that are too large for one answer of
// the API: offers, history, what became of a batch, a plan's rows. A request is
// kept, a job works it off in as many runs as that takes, and what comes out are
// files in a bucket with links that work for minutes.
//
// It owns the items of the requests, the files' names, and the ledger event that
// says who took what away, also of tables that were answered at once (Note). What
// stands in a table is package export's business, what is read is told by lane,
// plan and history.
//
// # What it promises when things fail
//
// A run works alone, under a lease that outlives it. It ends a file when that has
// enough rows or when its time is over, stores it, and then notes it together with
// where to go on: a run that dies has the next one repeat the file that it was at
// and nothing else, and a row is in the files of a finished download once. (Tables
// change while they are read: what is in a file is what was so when its page was
// read.) A message that comes twice, or too late, does nothing. A download that
// fails again and again, or is not there after a day, ends as failed and says why.
// A file that no download has come to name expires with the bucket, as all do.
//
// # What it does not do
//
// It checks no permissions: who may see an offer may have a table of it, which the
// caller of Request has looked at.
package download
