package lane

import (
	"context"
	"errors"
	"slices"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/price"
)

// submission is a feed that is being made ready: its rows are admitted one group
// after the other, as single patches are, so that the lane's other work and its
// lease go on meanwhile.
type submission struct {
	w    *work
	n    int
	list []listed
	next int    // of list, to be admitted
	rows []*row // admitted
	out  []*row // decided otherwise: superseded, held, or to be sent one by one
}

// admitAtOnce is how many rows one step of a submission admits.
const admitAtOnce = 1000

// makeReady takes the next step of the submission, and sends it after the last.
//
// Crash points: up to the journal write nothing has left, and a list that was
// already shortened only has its other rows go by single patches. After it the
// next owner finds an announced feed, waits until createFeed cannot be on the
// wire any more, and looks for the feed at Amazon.
func (d *driver) makeReady(ctx context.Context, now time.Time) error {
	s := d.submit
	f := s.w.j.feedAt(s.n)
	if d.stops.blocks(d.lease.conn, f.Marketplace, s.w.j.Batch) {
		d.submit = nil // a feed is of one marketplace and batch: it waits as a whole
		return nil
	}
	if s.next < len(s.list) {
		to := min(s.next+admitAtOnce, len(s.list))
		rows, err := d.loadListed(ctx, s.w, s.list[s.next:to])
		if err != nil {
			return err
		}
		recs, err := d.records(ctx, rows)
		if err != nil {
			return err
		}
		if err := d.freshGuards(ctx); err != nil {
			return err
		}
		for _, r := range rows {
			if err := d.admitToFeed(ctx, s, r, recs[r.key], now); err != nil {
				return err
			}
		}
		s.next = to
		return nil
	}
	d.submit = nil
	for _, r := range s.out {
		s.w.rejoin(r)
		if !r.state.Terminal() {
			s.w.again = append(s.w.again, r)
		}
	}
	if len(s.rows) == 0 {
		f.State, f.Rows = feedSettled, 0
		return d.writeJournal(ctx, s.w, now)
	}
	return d.announceFeed(ctx, s, f)
}

// admitToFeed decides about one row. A row whose offer has another patch or feed
// on its way goes by itself: Amazon keeps no order between the two.
func (d *driver) admitToFeed(ctx context.Context, s *submission, r *row, rec record, now time.Time) error {
	switch c, _ := rec.wants(s.w.j.Batch, r.N); {
	case c != nil && (c.State == Accepted || c.State == Unknown):
		// Only after a crash in the middle of taking it out of the feed.
		s.w.rejoin(r)
		return d.revive(ctx, r, rec, Intent{}, now)
	case d.feeding[r.key].until.After(now), d.busy[r.key].After(now), d.announced(r.key):
		s.out = append(s.out, r)
		return nil
	}
	ok, err := d.admit(ctx, r, rec, now)
	if err != nil {
		return err
	}
	if ok {
		s.rows = append(s.rows, r)
	} else {
		s.out = append(s.out, r)
	}
	return nil
}

// announced reports whether a single patch of an offer is about to be sent.
func (d *driver) announced(k price.OfferKey) bool {
	return slices.ContainsFunc(d.works, func(w *work) bool {
		return slices.ContainsFunc(w.ready, func(r *row) bool { return r.key == k })
	})
}

func (d *driver) loadListed(ctx context.Context, w *work, list []listed) ([]*row, error) {
	out := make([]*row, 0, len(list))
	for _, l := range list {
		if _, in := w.inFeed[l.Row]; !in {
			continue // it has left the feed
		}
		rows, err := d.load(ctx, w, l.Row, 1)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, nil
}

func (d *driver) announceFeed(ctx context.Context, s *submission, f *feed) error {
	list := make([]listed, len(s.rows))
	patches := make([]amazon.Patch, len(s.rows))
	for i, r := range s.rows {
		list[i] = listed{Row: r.index, SKU: r.SKU}
		patches[i] = amazon.Patch{Marketplace: r.Marketplace, SKU: r.SKU, ProductType: r.kind, Edit: r.Edit}
	}
	sum, err := d.putList(ctx, s.w, f.N, list)
	if err != nil {
		return err
	}
	now := d.e.Clock.Now()
	f.Rows, f.List, f.State, f.Attempt = len(list), sum, feedAnnounced, f.Attempt+1
	f.Announced, f.NotAfter = now.UnixMilli(), now.Add(d.cfg.FeedDeadline).UnixMilli()
	// The live feed is shown before it can exist, so that a stop set from now on
	// finds it.
	if err := d.showFeed(ctx, s.w, f); err != nil {
		return err
	}
	if err := d.writeJournal(ctx, s.w, now); err != nil {
		return err
	}
	for _, l := range list {
		d.feeding[d.offerOf(f, l)] = claim{forever, s.w}
	}
	d.createFeed(ctx, s.w, f, patches)
	return nil
}

// createFeed sends the feed. The stops are read once more right before.
func (d *driver) createFeed(ctx context.Context, w *work, f *feed, patches []amazon.Patch) {
	market, deadline := f.Marketplace, at(f.NotAfter)
	d.stats.Sent += int64(len(patches))
	d.feedCall(ctx, w, f, func() func(*feed) {
		sctx, cancel := clock.WithDeadline(context.WithoutCancel(ctx), d.e.Clock, deadline)
		defer cancel()
		stops, err := Stops{DB: d.e.DB}.List(sctx, d.lease.tenant)
		if err != nil || standing(stops).blocks(d.lease.conn, market, w.j.Batch) {
			return func(f *feed) {
				if err != nil {
					d.log.ErrorContext(ctx, "stops cannot be read, nothing is sent", "error", err.Error())
				} else {
					d.obey(stops)
				}
				d.recall(ctx, w, f, int64(len(patches)))
			}
		}
		id, err := d.e.Feeds.Submit(sctx, d.account, []price.MarketplaceID{market}, patches)
		return func(f *feed) { d.created(ctx, w, f, id, err, int64(len(patches))) }
	})
}

// recall takes back a feed that was certainly not made.
func (d *driver) recall(ctx context.Context, w *work, f *feed, rows int64) {
	f.State = feedPlanned
	d.stats.Sent -= rows
	d.release(w, f.N)
	d.fatal = errors.Join(d.fatal, d.hideFeed(context.WithoutCancel(ctx), w, f))
}

// release forgets that a feed may touch its offers.
func (d *driver) release(w *work, n int) {
	f := w.j.feedAt(n)
	for row, in := range w.inFeed {
		if in.feed == n {
			delete(d.feeding, d.offerOf(f, listed{Row: row, SKU: in.sku}))
		}
	}
}

// created brings Amazon's answer to createFeed into the journal.
func (d *driver) created(ctx context.Context, w *work, f *feed, id string, err error, rows int64) {
	now := d.e.Clock.Now()
	if err == nil {
		f.State, f.ID, f.Status = feedRunning, id, amazon.FeedInQueue
		f.Poll = now.Add(firstPoll).UnixMilli()
		d.fatal = errors.Join(d.fatal, d.showFeed(context.WithoutCancel(ctx), w, f))
		d.log.InfoContext(ctx, "feed submitted", "batch", w.j.Batch, "feed", id, "rows", f.Rows)
		return
	}
	switch out := amazon.Classify(err); out {
	case amazon.Unknown:
		f.State, f.Poll = feedLost, later(at(f.NotAfter), now).UnixMilli()
		d.log.WarnContext(ctx, "no answer to a feed, looking for it", "batch", w.j.Batch, "rows", f.Rows)
	case amazon.Permanent:
		// Amazon takes no such feed: each row goes by itself and says why not.
		f.State, f.Status, f.Ended = feedEnded, amazon.FeedCancelled, now.UnixMilli()
		f.Stop = "Amazon refused it: " + publicText(err)
		d.stats.Sent -= rows
	case amazon.Reauthorise, amazon.Operator:
		d.recall(ctx, w, f, rows)
		d.park(ctx, out, err)
	case amazon.Retry, amazon.RetryAfter:
		d.recall(ctx, w, f, rows)
		d.noFeedBefore = now.Add(max(d.backOff(err), feedSpacing))
	}
}

// readyForFeed reports when the next feed may be submitted.
func (d *driver) readyForFeed() time.Time {
	ready := d.noFeedBefore
	for _, w := range d.works {
		for i := range w.j.Feeds {
			if f := &w.j.Feeds[i]; f.Announced != 0 {
				ready = later(ready, at(f.Announced).Add(feedSpacing))
			}
		}
	}
	return ready
}
