package lane

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// A notice says that something happened to a listing at Amazon. It carries no
// price: it only has the lane read the listing early, where a price is awaited,
// or read it at all, so that a change by somebody else is noticed soon.
const noticePrefix = "notice#"

func noticeKey(c price.ConnectionID, m price.MarketplaceID, sku price.SKU) store.Key {
	return store.Key{PK: lanePK(c), SK: noticePrefix + string(m) + "#" + string(sku)}
}

// Notice leaves a notice and rings the lane. Repeating it changes nothing.
//
// Crash points: a notice without a ring is found when the lane is next rung.
func (b Bell) Notice(ctx context.Context, t tenant.ID, c price.ConnectionID, m price.MarketplaceID, sku price.SKU) error {
	d := Doorbell{Kind: KindLane, Tenant: t, Connection: c}
	if err := b.Announce(ctx, d); err != nil {
		return err
	}
	_, err := b.DB.Update(ctx, t, store.Offers, noticeKey(c, m, sku), store.Update{Add: map[string]int64{aSeenTimes: 1}})
	if err != nil {
		return fmt.Errorf("lane: leave notice: %w", err)
	}
	return b.Ring(ctx, d, 0)
}

const aSeenTimes = "n"

// noticesAtOnce bounds how many notices a worker has in hand.
const noticesAtOnce = 200

// notice is one that this worker has in hand.
type notice struct {
	key  price.OfferKey
	seen int64 // how often it had been given when it was read
}

// openNotices takes up the notices that are there. A row whose price is awaited
// is read back at once; other listings are read for what they show now.
func (d *driver) openNotices(ctx context.Context) error {
	page, err := d.e.DB.Query(ctx, d.lease.tenant, store.Offers, store.Query{PK: lanePK(d.lease.conn), Prefix: noticePrefix, Limit: noticesAtOnce})
	if err != nil {
		return fmt.Errorf("lane: look up notices: %w", err)
	}
	have := map[price.OfferKey]bool{}
	for _, n := range d.notices {
		have[n.key] = true
	}
	now := d.e.Clock.Now()
	for _, it := range page.Items {
		m, sku, ok := strings.Cut(strings.TrimPrefix(it.SK, noticePrefix), "#")
		if m == feedNotice {
			if err := d.hearOfFeed(ctx, sku, it.Int(aSeenTimes), now); err != nil {
				return err
			}
			continue
		}
		key := price.OfferKey{Connection: d.lease.conn, Marketplace: price.MarketplaceID(m), SKU: price.SKU(sku)}
		if !ok || have[key] {
			continue
		}
		d.notices = append(d.notices, notice{key: key, seen: it.Int(aSeenTimes)})
		for _, w := range d.works {
			for _, r := range w.rows {
				if r.key == key && r.readAt.After(now) && r.state == Accepted {
					d.await(r, now)
				}
			}
		}
	}
	return nil
}

// awaited are the offers whose price is awaited by a batch: their own read-back
// serves as the answer to a notice.
func (d *driver) awaited() map[price.OfferKey]bool {
	out := map[price.OfferKey]bool{}
	for _, w := range d.works {
		for _, r := range w.rows {
			if !r.state.Terminal() {
				out[r.key] = true
			}
		}
	}
	return out
}

// nextNotices picks up to 20 notices of one marketplace to read; done are those
// that need no read of their own.
func (d *driver) nextNotices() (read, done []notice) {
	awaited := d.awaited()
	kept := d.notices[:0]
	for _, n := range d.notices {
		switch {
		case awaited[n.key]:
			done = append(done, n)
		case len(read) < perRead && (len(read) == 0 || read[0].key.Marketplace == n.key.Marketplace) &&
			(len(read) == 0 || !hasComma(n.key.SKU) && !hasComma(read[0].key.SKU)):
			read = append(read, n)
		default:
			kept = append(kept, n)
		}
	}
	d.notices = kept
	return read, done
}

// launchNotices reads what the next notices are about.
func (d *driver) launchNotices(ctx context.Context, now time.Time) bool {
	if len(d.notices) == 0 || d.inFlight >= d.cfg.InFlight || d.read.ready(now).After(now) {
		return false
	}
	read, done := d.nextNotices()
	lines := make([]catalogueLine, len(read))
	for i, n := range read {
		lines[i] = catalogueLine{SKU: n.key.SKU}
	}
	if len(read) > 0 {
		d.read.take(now)
		d.stats.Reads++
	}
	d.inFlight++
	d.flight.Go(func() func() {
		wctx := context.WithoutCancel(ctx)
		rctx, cancel := d.within(ctx, d.cfg.SendDeadline)
		defer cancel()
		var call amazon.Call
		var err error
		if len(read) > 0 {
			_, call, err = d.learn(rctx, read[0].key.Marketplace, lines, now)
		}
		if err == nil {
			done = append(done, read...)
			read = nil
		}
		for _, n := range done {
			err = errors.Join(err, d.forget(wctx, n))
		}
		return func() {
			d.read.follow(call.RateLimit)
			if err == nil {
				return
			}
			at := d.e.Clock.Now()
			if out := amazon.Classify(err); out == amazon.Reauthorise || out == amazon.Operator {
				d.park(ctx, out, err)
			}
			d.read.block(at, at.Add(max(d.backOff(err), time.Second)))
			d.notices = append(d.notices, read...)
		}
	})
	return true
}

// forget removes a notice unless it was given again since it was read.
func (d *driver) forget(ctx context.Context, n notice) error {
	key := noticeKey(n.key.Connection, n.key.Marketplace, n.key.SKU)
	err := d.e.DB.Delete(ctx, d.lease.tenant, store.Offers, key, store.Eq(aSeenTimes, n.seen))
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}
