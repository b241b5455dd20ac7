package lane

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/price"
)

// driver is one worker on one lane. Everything in it belongs to the goroutine
// that runs the loop; calls in flight hand back closures that run there.
type driver struct {
	e       *Engine
	cfg     Config
	lease   *lease
	account amazon.Account
	markets []price.MarketplaceID
	guards  GuardSet
	// guardsAt is when they were read.
	guardsAt time.Time
	flight   Flight
	log      *slog.Logger

	send, read *pacer
	radar      *radar
	works      []*work
	known      map[string]bool // batches whose work is loaded or finished
	committed  map[string]bool // batches known to be committed
	imp        *importJob      // nil: nothing to import
	notices    []notice        // listings to look at, because Amazon said so
	// busy says until when a patch of an offer may be on the wire: the far future
	// while its answer is awaited, the intent's notAfter when the answer was lost.
	// No other patch of that offer is sent before.
	busy     map[price.OfferKey]time.Time
	due      map[price.MarketplaceID]*reads // rows that wait for a read-back
	inFlight int

	submit       *submission      // the feed that is being made ready
	settling     []settling       // feeds whose outcome is being written
	writing      int              // outcomes of feeds that are being written
	feedCalls    map[feedRef]bool // calls about feeds that are open
	noFeedBefore time.Time        // after Amazon refused one
	// feeding says until when a feed may set, or show, an offer's price: the far
	// future while the feed may still be applied. A newer price of that offer that
	// is seen before is not believed yet.
	feeding map[price.OfferKey]claim

	cameBack  bool          // a call of this worker has come back
	visible   time.Duration // measured accepted -> visible
	renewAt   time.Time
	rung      int64 // rings as of the last renewal
	looked    bool  // the work was looked up to its end
	markerSeq int64

	delays   map[price.MarketplaceID]delays // accepted -> visible, as kept
	measured map[price.MarketplaceID]delays // and as measured by this worker

	stops  standing // as last read
	parked string   // why the lane must stop until a person acts
	fatal  error    // why the loop must stop
	stats  Stats

	until          time.Time // when to stop at the latest, zero for a whole slice
	called, heeded int64     // urgent work: calls heard, and those whose work is loaded
	listened       time.Time // when stops and calls were last read
}

func (e *Engine) newDriver(cfg Config, l *lease, left laneState) *driver {
	now := e.Clock.Now()
	rate, tokens := cfg.Rate, 0.0
	if left.clean {
		if left.rate > 0 {
			rate = left.rate
		}
		tokens = left.tokens + now.Sub(left.tokensAt).Seconds()*rate
	} else if l.fence == 1 {
		tokens = cfg.Burst // the very first owner
	}
	// One token is never used: it absorbs the jitter between our clock and the
	// arrival of requests at Amazon, which would else be answered by a 429.
	burst := max(cfg.Burst-1, 1)
	d := &driver{
		e: e, cfg: cfg, lease: l, flight: e.flightFor(cfg.InFlight),
		log:  e.Log.With("tenant", string(l.tenant), "connection", string(l.conn)),
		send: newPacer(rate, burst, min(tokens, burst), now),
		read: newPacer(rate, burst, 0, now),
		busy: map[price.OfferKey]time.Time{}, due: map[price.MarketplaceID]*reads{}, feedCalls: map[feedRef]bool{}, feeding: map[price.OfferKey]claim{}, measured: map[price.MarketplaceID]delays{}, known: map[string]bool{}, committed: map[string]bool{}, visible: cfg.Settle,
		rung: l.rung, renewAt: now.Add(cfg.Lease / 3), parked: left.parked,
	}
	d.inherit(left.seats, now)
	d.radar = newRadar(left.sounding, now)
	d.send.resume(float64(left.sounding.Send)/perMille, time.UnixMilli(left.sounding.At), now)
	d.read.resume(float64(left.sounding.Read)/perMille, time.UnixMilli(left.sounding.At), now)
	return d
}

// run is the lane's loop. It leaves the lane properly whatever happens, unless
// the lease is lost.
func (d *driver) run(ctx context.Context) error {
	end := d.e.Clock.Now().Add(d.cfg.Slice)
	if !d.until.IsZero() {
		end = earlier(end, d.until)
	}
	if deadline, ok := ctx.Deadline(); ok {
		// Stop with enough time left for the calls in flight and the last writes.
		end = earlier(end, deadline.Add(-d.cfg.SendDeadline-2*time.Second))
	}
	if err := d.open(ctx); err != nil {
		return errors.Join(err, d.leave(ctx, time.Time{}))
	}
	for {
		wait, err := d.work(ctx, end)
		if err != nil {
			if errors.Is(err, errLost) {
				return err
			}
			return errors.Join(err, d.leave(ctx, d.e.Clock.Now().Add(time.Second)))
		}
		err = d.leave(ctx, wait)
		if !errors.Is(err, errRung) {
			return err
		}
		// Somebody brought work or a new authorisation while we were leaving: look
		// at everything again.
		d.parked = ""
		if err := d.open(ctx); err != nil {
			return errors.Join(err, d.leave(ctx, time.Time{}))
		}
	}
}

// work drives the lane until there is nothing to do now. It returns when to
// look again: the zero time when all work is done.
func (d *driver) work(ctx context.Context, end time.Time) (time.Time, error) {
	for {
		for {
			apply, ok := d.flight.Wait(ctx, time.Time{})
			if !ok {
				break
			}
			d.land(apply)
		}
		if d.fatal != nil {
			return time.Time{}, d.fatal
		}
		now := d.e.Clock.Now()
		if err := d.keepLease(ctx, now); err != nil {
			return time.Time{}, err
		}
		if err := d.keepSeats(ctx, now); err != nil {
			return time.Time{}, err
		}
		d.keepRadar(ctx, now)
		if err := d.breakers(ctx); err != nil {
			return time.Time{}, err
		}
		if err := d.checkpoint(ctx, now); err != nil {
			return time.Time{}, err
		}
		stopping := !now.Before(end) || d.parked != "" || ctx.Err() != nil
		if !stopping {
			d.lookUp(ctx, now)
			if err := d.heed(ctx); err != nil {
				return time.Time{}, err
			}
			busy, err := d.launch(ctx, now, end)
			if err != nil {
				return time.Time{}, err
			}
			if busy {
				continue
			}
		}
		next := d.next(now)
		switch {
		case d.inFlight == 0 && stopping:
			return later(next, now), nil
		case d.inFlight == 0 && next.IsZero():
			return time.Time{}, nil
		case d.inFlight == 0 && next.Sub(now) > d.patience():
			return next, nil
		}
		until := earlier(earlier(earlier(d.renewAt, d.seatsAt(now)), end), d.listened.Add(listenEvery))
		wctx := ctx
		if stopping {
			// An ended ctx would end the wait at once, and the loop would spin
			// until the last call is back.
			until, wctx = d.renewAt, context.WithoutCancel(ctx)
		}
		if !next.IsZero() && !stopping {
			until = earlier(until, next)
		}
		if apply, ok := d.flight.Wait(wctx, later(until, now.Add(time.Millisecond))); ok {
			d.land(apply)
		}
	}
}

// patience is how long the worker stays with a lane that only waits: longer
// waits are cheaper slept in the queue.
func (d *driver) patience() time.Duration { return earlyBy }

func (d *driver) land(apply func()) {
	d.inFlight--
	d.cameBack = true
	apply()
}

// within is the context of a call that is given so much time. The slice may end
// while the call is open; its answer is still wanted.
func (d *driver) within(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	return clock.WithDeadline(context.WithoutCancel(ctx), d.e.Clock, d.e.Clock.Now().Add(most))
}

// first reports whether the worker's first call is under way. It goes alone: it
// may have to wait for an access token and a connection, and calls that were
// launched meanwhile would wait with it, arrive at Amazon together and be over
// the budget. Its answer also tells Amazon's rate.
func (d *driver) first() bool { return !d.cameBack && d.inFlight > 0 }

// launch starts at most one call of each kind, and reports whether it did.
func (d *driver) launch(ctx context.Context, now, end time.Time) (bool, error) {
	if d.first() {
		return false, nil
	}
	sent, err := d.launchSend(ctx, now)
	if err != nil || d.first() {
		return sent, err
	}
	read := d.launchRead(ctx, now)
	if !read {
		read = d.launchNotices(ctx, now)
	}
	if !read {
		read, err = d.launchImport(ctx, now)
	}
	if err != nil || d.first() {
		return sent || read, err
	}
	fed, err := d.launchFeeds(ctx, now, end)
	return sent || read || fed, err
}

// next returns when something can be done, the zero time when there is nothing
// left to do at all.
func (d *driver) next(now time.Time) time.Time {
	var at time.Time
	if d.first() {
		return at
	}
	consider := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	for _, w := range d.works {
		if at, ok := d.sendable(w); ok {
			consider(later(at, d.send.ready(now)))
		}
		if d.halted(w) || len(w.stopped) > 0 {
			consider(now.Add(stopWait))
		}
	}
	if at := d.nextRead(); !at.IsZero() {
		consider(later(at, d.read.ready(now)))
	}
	consider(d.nextFeed(now))
	if len(d.notices) > 0 {
		consider(d.read.ready(now))
	}
	if d.imp != nil {
		consider(d.imp.next(d.read.ready(now)))
	}
	return at
}

// journalEvery is how old the counts of a journal may get. A lane at Amazon's
// pace announces its next 25 rows about as often, and that write carries them:
// more haste would cost a fifth of a write unit a change.
const journalEvery = 5 * time.Second

// checkpoint advances the journals: it finishes batches whose rows are all
// terminal and writes counts that have been stale for a while.
func (d *driver) checkpoint(ctx context.Context, now time.Time) error {
	kept := d.works[:0]
	for _, w := range d.works {
		w.advance()
		if w.j.Low == w.j.Rows && !d.lingers(w).After(now) {
			if err := d.finish(ctx, w); err != nil {
				return err
			}
			continue
		}
		if w.dirty && now.Sub(w.written) >= journalEvery {
			if err := d.writeJournal(ctx, w, now); err != nil {
				return err
			}
		}
		kept = append(kept, w)
	}
	d.works = kept
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
