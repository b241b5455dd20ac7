package lane

import (
	"context"
	"errors"
	"time"

	"pricemanager/internal/amazon"
)

const (
	// firstPoll is how long a new feed is left alone before it is first asked for.
	firstPoll = 15 * time.Second
	// rarestPoll is the longest time between two looks at a feed.
	rarestPoll = 5 * time.Minute
	// lateListing is how much later than its creation Amazon may list a feed, and
	// how far its clock may be from ours.
	lateListing = 2 * time.Minute
)

// feedRef names a feed of a batch for which a call is under way.
type feedRef struct {
	batch string
	n     int
}

// launchFeeds takes at most one step with the lane's feeds, and reports whether
// it did.
func (d *driver) launchFeeds(ctx context.Context, now, end time.Time) (bool, error) {
	if d.e.Feeds == nil {
		return false, nil
	}
	if d.submit != nil {
		return true, d.makeReady(ctx, now)
	}
	for _, w := range d.works {
		if did, err := d.planFeeds(ctx, w); did || err != nil {
			return did, err
		}
		for i := range w.j.Feeds {
			if did, err := d.stepFeed(ctx, w, &w.j.Feeds[i], now, end); did || err != nil {
				return did, err
			}
		}
	}
	return false, nil
}

func (d *driver) stepFeed(ctx context.Context, w *work, f *feed, now, end time.Time) (bool, error) {
	if f.over() || d.inFlight >= d.cfg.InFlight || d.feedCalls[feedRef{w.j.Batch, f.N}] {
		return false, nil
	}
	stopped := d.stops.blocks(d.lease.conn, f.Marketplace, w.j.Batch)
	switch f.State {
	case feedPlanned:
		if stopped || d.readyForFeed().After(now) || end.Sub(now) < d.cfg.FeedDeadline {
			return false, nil
		}
		list, err := d.feedList(ctx, w, f.N)
		d.submit = &submission{w: w, n: f.N, list: list}
		return true, err
	case feedAnnounced: // by an owner who died: no call of this worker is open
		if now.UnixMilli() <= f.NotAfter {
			return false, nil
		}
		f.State, f.Poll = feedLost, now.UnixMilli()
		return true, d.writeJournal(ctx, w, now)
	case feedRunning:
		if why := d.whyCancel(f, stopped, now); why != "" {
			f.Stop = why
			d.cancelFeed(ctx, w, f)
			return true, nil
		}
		if now.UnixMilli() >= f.Poll {
			d.pollFeed(ctx, w, f)
			return true, nil
		}
	case feedLost:
		if stopped && !f.Escaped {
			d.escaped(ctx, w, f, "it was stopped while Amazon's answer to its submission was lost")
			return true, errors.Join(d.fatal, d.writeJournal(ctx, w, now))
		}
		if now.UnixMilli() >= f.Poll {
			d.findFeed(ctx, w, f)
			return true, nil
		}
	case feedEnded:
		return d.settleFeed(ctx, w, f, now)
	case feedSettled:
	}
	return false, nil
}

// whyCancel says why a running feed should be cancelled, "" when it should not.
func (d *driver) whyCancel(f *feed, stopped bool, now time.Time) string {
	typical, _ := d.feedTakes()
	waited := now.Sub(at(f.Announced))
	switch {
	case f.Stop != "": // asked already
	case stopped:
		return "it was stopped"
	case f.Status == amazon.FeedInQueue && waited >= max(d.cfg.FeedStall, 2*typical):
		return "it was in Amazon's queue for " + waited.Round(time.Second).String()
	}
	return ""
}

// feedCall runs a call about a feed; what it returns is applied to the feed, and
// the journal is written. Errors of calls are the business of what is applied.
func (d *driver) feedCall(ctx context.Context, w *work, f *feed, call func() func(*feed)) {
	ref := feedRef{w.j.Batch, f.N}
	d.feedCalls[ref] = true
	d.inFlight++
	d.flight.Go(func() func() {
		apply := call()
		return func() {
			delete(d.feedCalls, ref)
			apply(w.j.feedAt(ref.n))
			w.dirty = true
			d.fatal = errors.Join(d.fatal, d.writeJournal(context.WithoutCancel(ctx), w, d.e.Clock.Now()))
		}
	})
}

// pollFeed asks how a feed is getting on.
func (d *driver) pollFeed(ctx context.Context, w *work, f *feed) {
	id := f.ID
	d.feedCall(ctx, w, f, func() func(*feed) {
		sctx, cancel := d.within(ctx, d.cfg.FeedDeadline)
		defer cancel()
		status, document, err := d.e.Feeds.Status(sctx, d.account, id)
		return func(f *feed) {
			now := d.e.Clock.Now()
			if err != nil {
				d.feedFailed(ctx, f, now, err)
				return
			}
			if f.Status = status; status.Final() {
				d.ended(f, now, document)
				return
			}
			// Often at first, rarely later. A cancelled feed is soon over.
			wait := min(max(now.Sub(at(f.Announced))/4, firstPoll), rarestPoll)
			if f.Stop != "" && !f.Escaped {
				wait = firstPoll
			}
			f.Poll = now.Add(wait).UnixMilli()
			switch {
			case f.Stop == "" || f.Escaped:
			case status == amazon.FeedInProgress:
				d.escaped(ctx, w, f, f.Stop)
			default:
				f.Stop = "" // Amazon took the request and kept the feed: asked again
			}
		}
	})
}

// ended notes that Amazon is done with a feed.
func (d *driver) ended(f *feed, now time.Time, document string) {
	f.State, f.Document, f.Ended = feedEnded, document, now.UnixMilli()
	if f.Status != amazon.FeedCancelled {
		d.took(feedTimes, now.Sub(at(f.Announced)))
	}
}

// cancelFeed asks Amazon to drop a feed. Only its state tells whether it did.
func (d *driver) cancelFeed(ctx context.Context, w *work, f *feed) {
	id := f.ID
	d.feedCall(ctx, w, f, func() func(*feed) {
		sctx, cancel := d.within(ctx, d.cfg.FeedDeadline)
		defer cancel()
		err := d.e.Feeds.Cancel(sctx, d.account, id)
		return func(f *feed) {
			now := d.e.Clock.Now()
			f.Poll = now.UnixMilli()
			switch {
			case err == nil:
			case amazon.Classify(err) == amazon.Permanent:
				// Too late: it is being applied. It is over when its state says so.
				d.escaped(ctx, w, f, f.Stop)
			default:
				f.Stop = "" // asked again
				d.feedFailed(ctx, f, now, err)
			}
		}
	})
}

// escaped notes that a feed could not be held back: its prices may be set.
func (d *driver) escaped(ctx context.Context, w *work, f *feed, why string) {
	f.Escaped, f.Stop = true, why
	d.stats.Escaped++
	d.log.ErrorContext(ctx, "a feed cannot be held back", "alarm", "feed-escaped", "batch", w.j.Batch, "feed", f.ID,
		"marketplace", string(f.Marketplace), "rows", f.Rows)
	d.fatal = errors.Join(d.fatal, d.showFeed(context.WithoutCancel(ctx), w, f))
}

// findFeed looks for a feed whose id was lost. It cannot be told from others of
// its time, so all of them must be over before its rows are looked at.
func (d *driver) findFeed(ctx context.Context, w *work, f *feed) {
	since, until := at(f.Announced).Add(-lateListing), at(f.NotAfter).Add(lateListing)
	known := d.knownFeeds()
	d.feedCall(ctx, w, f, func() func(*feed) {
		sctx, cancel := d.within(ctx, d.cfg.FeedDeadline)
		defer cancel()
		begun := d.e.Clock.Now()
		found, err := d.e.Feeds.Recent(sctx, d.account, since, until)
		return func(f *feed) {
			now := d.e.Clock.Now()
			if err != nil {
				d.feedFailed(ctx, f, now, err)
				return
			}
			for _, x := range found {
				if !x.Status.Final() && !known[x.ID] {
					f.Poll = now.Add(min(max(now.Sub(at(f.Announced))/4, time.Minute), rarestPoll)).UnixMilli()
					return
				}
			}
			if begun.Before(until) {
				f.Poll = until.UnixMilli()
				return
			}
			f.Status = "" // what it did, if it ever was, only a reading tells
			d.ended(f, now, "")
		}
	})
}

// knownFeeds are the ids of the lane's feeds that are told apart.
func (d *driver) knownFeeds() map[string]bool {
	known := map[string]bool{}
	for _, w := range d.works {
		for i := range w.j.Feeds {
			if id := w.j.Feeds[i].ID; id != "" {
				known[id] = true
			}
		}
	}
	return known
}

// feedFailed has a call about a feed made again later; none of them changes
// anything when it is repeated.
func (d *driver) feedFailed(ctx context.Context, f *feed, now time.Time, err error) {
	out := amazon.Classify(err)
	f.Poll = now.Add(max(d.backOff(err), time.Minute)).UnixMilli()
	if out == amazon.Reauthorise || out == amazon.Operator {
		d.park(ctx, out, err)
		return
	}
	d.log.WarnContext(ctx, "no news of a feed, asking again", "feed", f.ID, "error", err.Error())
}

// nextFeed returns when something can be done about the lane's feeds, the zero
// time when there is nothing to wait for.
func (d *driver) nextFeed(now time.Time) (next time.Time) {
	consider := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	if d.e.Feeds == nil {
		return next
	}
	if d.submit != nil {
		return now
	}
	for _, w := range d.works {
		halted := d.halted(w)
		if w.j.Route.Kind == ByFeed && w.j.High < w.j.Rows && !halted && w.feedsUnderWay() < openFeeds {
			consider(now)
		}
		if w.j.Low == w.j.Rows {
			if until := d.lingers(w); !until.IsZero() {
				consider(until)
			}
		}
		for i := range w.j.Feeds {
			f := &w.j.Feeds[i]
			if d.feedCalls[feedRef{w.j.Batch, f.N}] {
				continue
			}
			switch f.State {
			case feedPlanned:
				if d.stops.blocks(d.lease.conn, f.Marketplace, w.j.Batch) {
					consider(now.Add(stopWait))
				} else {
					consider(later(now, d.readyForFeed()))
				}
			case feedAnnounced:
				consider(at(f.NotAfter + 1))
			case feedRunning, feedLost:
				consider(later(now, at(f.Poll)))
			case feedEnded:
				if d.writing == 0 {
					consider(later(now, at(f.Poll)))
				}
			case feedSettled:
			}
		}
	}
	return next
}
