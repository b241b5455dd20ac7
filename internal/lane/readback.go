package lane

import (
	"context"
	"strings"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

// perRead is how many SKUs one search reads (listingsItems_2021-08-01,
// searchListingsItems: at most 20 identifiers).
const perRead = 20

// fill is how long a due read-back may wait for company, so that a call reads
// as many SKUs as it can.
const fill = time.Second

// launchRead reads back rows that are due, the marketplace with the longest
// waiting row first.
func (d *driver) launchRead(ctx context.Context, now time.Time) bool {
	if d.inFlight >= d.cfg.InFlight || d.read.ready(now).After(now) {
		return false
	}
	rows := d.believable(d.dueRows(now), now)
	if len(rows) == 0 {
		return false
	}
	d.read.take(now)
	d.readBack(ctx, rows, now)
	return true
}

// hasComma reports whether a SKU cannot be told from two in a search.
func hasComma(s price.SKU) bool { return strings.Contains(string(s), ",") }

// readBack reads rows at Amazon and records which of them are as wanted.
func (d *driver) readBack(ctx context.Context, rows []*row, now time.Time) {
	for _, r := range rows {
		r.rest()
	}
	d.inFlight++
	d.stats.Reads++
	market := rows[0].Marketplace
	d.flight.Go(func() func() {
		rctx, cancel := d.within(ctx, d.cfg.SendDeadline)
		defer cancel()
		found, call, err := d.fetch(rctx, market, rows)
		seen := make([]sight, len(rows))
		if err == nil {
			for i, r := range rows {
				seen[i] = d.look(context.WithoutCancel(ctx), r, found[r.SKU], now)
			}
		}
		return func() {
			d.read.follow(call.RateLimit)
			at := d.e.Clock.Now()
			if err != nil {
				d.readFailed(ctx, rows, at, err)
				return
			}
			for i, r := range rows {
				d.seen(ctx, r, seen[i], now, at)
			}
		}
	})
}

func (d *driver) fetch(ctx context.Context, m price.MarketplaceID, rows []*row) (map[price.SKU]*amazon.Listing, amazon.Call, error) {
	if len(rows) == 1 && hasComma(rows[0].SKU) {
		l, call, err := d.e.Listings.Get(ctx, d.account, m, rows[0].SKU)
		return map[price.SKU]*amazon.Listing{rows[0].SKU: &l}, call, err
	}
	skus := make([]price.SKU, len(rows))
	for i, r := range rows {
		skus[i] = r.SKU
	}
	list, call, err := d.e.Listings.Search(ctx, d.account, m, skus)
	found := make(map[price.SKU]*amazon.Listing, len(list))
	for i := range list {
		found[list[i].SKU] = &list[i]
	}
	return found, call, err
}

// sight is what a read-back says about one row.
type sight struct {
	met  bool
	took time.Duration
	gone bool // the offer no longer wants this row
	// shown is what there is instead of what is wanted; nil when it is not known.
	shown *price.Prices
	err   error
}

// look records a row as observed when every field it wrote is as wanted in a
// read that was begun after the price was accepted.
func (d *driver) look(ctx context.Context, r *row, l *amazon.Listing, begun time.Time) sight {
	if l == nil || begun.Before(r.sentAt) {
		return sight{}
	}
	if met, _ := r.Edit.Met(l.Prices); !met {
		return sight{shown: &l.Prices}
	}
	s := sight{met: true, took: begun.Sub(r.first)}
	ok, err := d.settle(ctx, r, verdict{state: Observed, read: &l.Prices, readAt: begun, took: s.took})
	s.gone, s.err = err == nil && !ok, err
	return s
}

// seen brings the result of a read-back into the lane's state, and decides what
// comes next for a row that is not yet as wanted. What a read does not show was
// not there when it was begun; its answer may be much later.
func (d *driver) seen(ctx context.Context, r *row, s sight, begun, now time.Time) {
	if s.shown != nil {
		r.shown, r.shownAt = *s.shown, begun
	}
	switch {
	case s.err != nil:
		d.log.ErrorContext(ctx, "observation not recorded", "sku", string(r.SKU), "error", s.err.Error())
		d.await(r, now.Add(time.Second))
	case s.gone:
		r.set(Superseded)
	case s.met:
		d.stats.Observed++
		if r.state == Accepted && !r.fed && !r.met {
			// A moving average, so that the first look comes when it is worth it.
			d.visible += (s.took - d.visible) / 8
			d.took(r.Marketplace, s.took)
		}
		r.set(Observed)
		d.note(r)
	case r.apart && r.state == Sent:
		d.stepSeen(ctx, r, begun, now)
	case r.state == Unknown && begun.Sub(r.notAfter) >= d.unknownFor(r.Marketplace) && r.lost <= 1:
		// Had the lost send taken effect it would show by now: send once more.
		r.w.again = append(r.w.again, r)
	case r.met && !r.over:
		// A feed wrote over it: it is wanted still, and sent once more.
		r.over, r.state = true, Unknown
		r.w.again = append(r.w.again, r)
	case begun.Sub(r.first) >= d.cfg.ConfirmWithin:
		d.giveUp(ctx, r)
	default:
		// Look again after half the time it has been waiting: often at first,
		// rarely later, five minutes at most.
		d.await(r, now.Add(min(max(now.Sub(r.first)/2, time.Second), 5*time.Minute)))
	}
}

// giveUp ends a row that was accepted, or perhaps sent, and never showed.
func (d *driver) giveUp(ctx context.Context, r *row) {
	ok, err := d.settle(ctx, r, r.gaveUp(verdict{state: Unconfirmed,
		issue: "Amazon did not show this price within " + d.cfg.ConfirmWithin.String() + "; look at the listing in Seller Central, then apply it again"}))
	switch {
	case err != nil:
		d.log.ErrorContext(ctx, "outcome not recorded", "sku", string(r.SKU), "error", err.Error())
		d.await(r, d.e.Clock.Now().Add(time.Second))
	case !ok:
		r.set(Superseded)
	default:
		d.stats.Unconfirmed++
		d.log.ErrorContext(ctx, "price unconfirmed", "alarm", "unconfirmed", "marketplace", string(r.Marketplace), "sku", string(r.SKU))
		r.set(Unconfirmed)
		d.note(r)
	}
}

// readFailed looks again later; a call that only reads can always be repeated.
func (d *driver) readFailed(ctx context.Context, rows []*row, now time.Time, err error) {
	out := amazon.Classify(err)
	wait := d.backOff(err)
	switch out {
	case amazon.RetryAfter:
		d.stats.Throttled++
		d.read.throttled(now)
	case amazon.Reauthorise, amazon.Operator:
		d.park(ctx, out, err)
	case amazon.Retry, amazon.Unknown, amazon.Permanent:
		wait = max(wait, time.Second)
	}
	d.read.block(now, now.Add(wait))
	for _, r := range rows {
		if out == amazon.Permanent && now.Sub(r.first) >= d.cfg.ConfirmWithin {
			d.giveUp(ctx, r)
			continue
		}
		d.await(r, now.Add(wait))
	}
}
