package lane

import (
	"context"
	"slices"
	"time"

	"pricemanager/internal/amazon"
)

// settling is a feed whose outcome is being written to its rows.
type settling struct {
	w        *work
	n        int
	list     []listed
	outcomes []amazon.FeedOutcome // nil: Amazon said nothing
	next     int                  // of list
}

// settleFeed takes the next step of bringing what a feed did to its rows: first
// the processing report is read, then every row gets its outcome.
//
// Crash points: a row whose outcome is in its offer item is recognised by it,
// and one that was sent by itself meanwhile by its intent; for the others the
// report is read again.
func (d *driver) settleFeed(ctx context.Context, w *work, f *feed, now time.Time) (bool, error) {
	for i := range d.settling {
		if s := &d.settling[i]; s.w == w && s.n == f.N {
			return d.settleRows(ctx, i, f, now)
		}
	}
	list, err := d.feedList(ctx, w, f.N)
	if err != nil {
		return false, err
	}
	if f.Status != amazon.FeedDone || f.Document == "" {
		if f.Status == amazon.FeedCancelled {
			w.detour(f)
		}
		d.settling = append(d.settling, settling{w: w, n: f.N, list: list})
		return true, nil
	}
	if now.UnixMilli() < f.Poll {
		return false, nil
	}
	report := amazon.FeedReport{Feed: f.ID, Document: f.Document, Messages: len(list)}
	d.feedCall(ctx, w, f, func() func(*feed) {
		sctx, cancel := d.within(ctx, d.cfg.FeedDeadline)
		defer cancel()
		outcomes := make([]amazon.FeedOutcome, 0, len(list))
		err := d.e.Feeds.Result(sctx, d.account, report, func(o amazon.FeedOutcome) error {
			outcomes = append(outcomes, o)
			return nil
		})
		return func(f *feed) {
			at := d.e.Clock.Now()
			switch {
			case err == nil:
			case at.Sub(time.UnixMilli(f.Ended)) < reportWithin:
				d.feedFailed(ctx, f, at, err)
				return
			default:
				// Nobody will say any more: each row is looked at.
				d.log.ErrorContext(ctx, "a feed's report cannot be read", "feed", f.ID, "error", err.Error())
				outcomes = nil
			}
			d.settling = append(d.settling, settling{w: w, n: f.N, list: list, outcomes: outcomes})
		}
	})
	return true, nil
}

// reportWithin is how long a processing report is asked for.
const reportWithin = 15 * time.Minute

// settleAtOnce is how many rows of a feed are looked up in one step.
const settleAtOnce = 500

// settleRows decides about the next rows of a feed that is over.
func (d *driver) settleRows(ctx context.Context, i int, f *feed, now time.Time) (bool, error) {
	s := &d.settling[i]
	if d.writing > settleAtOnce {
		return false, nil // the writes of the rows before go first
	}
	if s.next == len(s.list) {
		if s.w.feedRows[s.n] > 0 {
			return false, nil // some are still being written
		}
		w := s.w
		d.settling = slices.Delete(d.settling, i, i+1)
		f.State = feedSettled
		if err := d.hideFeed(ctx, w, f); err != nil {
			return true, err
		}
		return true, d.writeJournal(ctx, w, now)
	}
	to := min(s.next+settleAtOnce, len(s.list))
	rows, err := d.loadListed(ctx, s.w, s.list[s.next:to])
	if err != nil {
		return false, err
	}
	recs, err := d.records(ctx, rows)
	if err != nil {
		return false, err
	}
	said := map[int64]amazon.FeedOutcome{}
	for i, l := range s.list[s.next:to] {
		if s.outcomes != nil {
			said[l.Row] = s.outcomes[s.next+i]
		}
	}
	s.next = to
	for _, r := range rows {
		if err := d.settleRow(ctx, s.w, f, r, recs[r.key], said[r.index], now); err != nil {
			return false, err
		}
	}
	return true, nil
}

// settleRow decides about one row of a feed that is over.
func (d *driver) settleRow(ctx context.Context, w *work, f *feed, r *row, rec record, said amazon.FeedOutcome, now time.Time) error {
	c, staged := rec.wants(w.j.Batch, r.N)
	if c == nil {
		// A newer change took over while the feed was under way. What the feed did
		// may show over it: its own read-back waits for that.
		if delete(d.feeding, r.key); f.Status != amazon.FeedCancelled {
			f.Overtaken++
			d.feeding[r.key] = claim{d.shownBy(f), w}
		}
		r.set(Superseded)
		w.rejoin(r)
		return nil
	}
	delete(d.feeding, r.key)
	if c.State != Desired {
		w.rejoin(r)
		return d.revive(ctx, r, rec, Intent{}, now)
	}
	r.staged, r.old, r.fed = staged, rec.Known, true
	v := verdict{submission: "feed " + f.ID, issue: issueText(said.Issues)}
	switch {
	case f.Status == amazon.FeedCancelled: // nothing of it took effect
		w.rejoin(r)
		w.again = append(w.again, r)
		return nil
	case said.Status == amazon.Accepted:
		v.state = Accepted
	case said.Status == amazon.Invalid:
		v.state = Rejected
	default:
		v.state = Unknown
		v.issue = "the feed did not say what became of this price; it is read back before anything is sent again"
	}
	r.attempt = max(r.attempt, 1)
	d.writing++
	d.inFlight++
	d.flight.Go(func() func() {
		ok, err := d.settle(context.WithoutCancel(ctx), r, v)
		return func() {
			d.writing--
			d.settledRow(ctx, w, f.N, r, v, ok, err)
		}
	})
	return nil
}

// settledRow brings a row whose outcome was written back among the others.
func (d *driver) settledRow(ctx context.Context, w *work, n int, r *row, v verdict, ok bool, err error) {
	now := d.e.Clock.Now()
	r.staged = false
	w.rejoin(r)
	switch {
	case err != nil:
		// Not recorded: it is read back like a row without an answer.
		d.log.ErrorContext(ctx, "outcome not recorded", "sku", string(r.SKU), "error", err.Error())
		fallthrough
	case ok && v.state == Unknown:
		r.notAfter, r.lost = at(w.j.feedAt(n).Ended), r.lost+1
		d.unanswered(r, now)
	case !ok:
		w.j.feedAt(n).Overtaken++
		d.feeding[r.key] = claim{d.shownBy(w.j.feedAt(n)), w}
		r.set(Superseded)
	case v.state == Accepted:
		d.stats.Accepted++
		r.set(Accepted)
		d.noteAnswer(r, "")
		r.first, r.sentAt = now, now
		d.await(r, now.Add(d.visible))
	default:
		r.set(v.state)
		d.noteAnswer(r, v.issue)
	}
}
