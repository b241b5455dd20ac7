package soak

import (
	"context"
	"fmt"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/price"
)

// The sellers' side of the world: what is planned, applied and changed.

// operate does the next operation and plans the one after it. What is done is
// drawn from the world's own source, so that fewer operations are a beginning of
// the same ones.
func (w *world) operate() {
	if len(w.breaches) > 0 {
		w.left = 0 // what was to be seen was seen
	}
	if w.left == 0 {
		return
	}
	w.left--
	if w.plan.IntN(20) < 7 {
		w.flip()
	}
	t := w.sellers[w.plan.IntN(len(w.sellers))]
	switch n := w.plan.IntN(100); {
	case n < w.guarding:
		w.changeGuards(t)
	case n < w.guarding+13:
		w.trouble(t.conns[w.plan.IntN(len(t.conns))])
	case n < w.guarding+27 || w.hot:
		w.apply(t, 1+w.plan.IntN(6), 60) // a few hot offers, again and again
	default:
		w.apply(t, 40+w.plan.IntN(160), 0)
	}
	w.s.after(time.Duration(300+w.plan.IntN(1900))*time.Millisecond, w.operate)
}

// changeGuards changes a seller's guards for a while; sometimes no price may
// move at all.
func (w *world) changeGuards(t *seller) {
	if t.tight {
		return
	}
	set := func(g price.Guards) {
		w.fault(GuardChange)
		t.guards[len(t.guards)-1].until = w.s.now
		if len(t.guards) > 8 {
			t.guards = t.guards[1:]
		}
		t.guards = append(t.guards, guardsAt{guards: g})
	}
	t.tight = true
	tight, lasts := price.Guards{HoldDropPercent: 25, HoldRisePercent: 25, RefuseDropPercent: 60}, 30*time.Second
	if w.plan.IntN(4) == 0 {
		tight, lasts = price.Guards{RefuseDropPercent: 50}, 45*time.Second
	}
	set(tight)
	w.s.after(lasts, func() { t.tight = false; set(price.DefaultGuards()) })
}

// trouble is a storm of 429s, a seller who withdraws the authorisation, or the
// end of our own credentials.
func (w *world) trouble(c *connection) {
	if w.plan.IntN(24) == 0 {
		w.outage()
		return
	}
	if w.plan.IntN(3) == 0 {
		c.stormUntil = w.s.now + w.between(2*time.Second, 12*time.Second)
		return
	}
	if c.revoked {
		return
	}
	w.fault(Revoked)
	c.revoked = true
	// Should nobody notice, the seller does in the end.
	w.s.after(3*time.Minute, func() {
		if c.revoked && !c.asked {
			w.authorise(c)
		}
	})
}

// apply plans and applies new prices of about n offers. Only offers before hot
// are touched, when it is not 0, so that edits of the same offers overlap.
func (w *world) apply(t *seller, n, hot int) {
	b := &batch{id: fmt.Sprintf("bat_%05d", len(w.order)), t: t, rows: map[price.ConnectionID][]*change{},
		planned: map[price.ConnectionID][]lane.Row{}, events: map[string]int{}}
	var keys []price.OfferKey
	seen := map[*offer]bool{}
	for range n {
		c := t.conns[w.plan.IntN(len(t.conns))]
		o := c.list[w.plan.IntN(len(c.list))]
		if hot > 0 {
			o = c.list[w.plan.IntN(min(hot, len(c.list)))]
		}
		price, kind := w.plan.Int64N(o.base/5), w.plan.IntN(1000)
		if seen[o] || o.reserved != nil {
			continue
		}
		seen[o] = true
		if ch := w.row(b, o, o.base*9/10+price, kind); ch != nil {
			keys = append(keys, o.key)
			b.rows[c.id] = append(b.rows[c.id], ch)
		}
	}
	if len(keys) == 0 {
		return
	}
	known, err := lane.NewOffers(w.db).Offers(context.Background(), t.id, keys)
	if err != nil {
		panic(err)
	}
	counts := map[price.ConnectionID]int64{}
	for _, c := range t.conns {
		for _, ch := range b.rows[c.id] {
			o := known[ch.offer.key]
			ch.n = b.count
			b.count++
			counts[c.id]++
			b.planned[c.id] = append(b.planned[c.id], lane.Row{N: ch.n, Line: int(ch.n) + 2, Marketplace: ch.offer.key.Marketplace,
				SKU: ch.offer.key.SKU, Version: o.Version, Edit: ch.edit(), Old: o.Known})
			ch.offer.changes = append(ch.offer.changes, ch)
			if len(ch.offer.current) > 0 {
				w.fault(OverlappingEdit)
			}
		}
	}
	priority := lane.PriorityBulk
	if b.count <= 3 {
		priority = lane.PriorityEdit // corrected by hand
		w.fault(Urgent)
	}
	w.batches[b.id] = b
	w.order = append(w.order, b)
	w.ask(func(ctx context.Context, e *lane.Engine) error {
		return lane.NewBatches(e.DB, e.Blobs).Create(ctx, t.id, lane.NewBatch{ID: b.id, Plan: b.id, File: "f.csv", Actor: "key:soak", Rows: counts, Priority: priority}, e.Bell)
	})
}

func (ch *change) edit() price.Edit {
	e := price.Edit{Set: price.Prices{Our: cents(ch.cents)}}
	if ch.top != 0 {
		e.Set.Max = cents(ch.top)
	}
	return e
}

// row draws what is wanted of an offer and what Amazon will make of it.
func (w *world) row(b *batch, o *offer, to int64, kind int) *change {
	ch := &change{offer: o, batch: b, fate: applied, events: map[string]int{}, attempts: map[int]int{}}
	idle := o.idle()
	switch {
	case kind < 8: // below the bounds, or a drop that the guards forbid
		w.fault(OutsideTheGuards)
		to = o.base*2/10 + to/20
	case kind < 14:
		ch.fate = invalid
	case kind < 20 && idle:
		ch.fate = ignored
		o.reserved = ch
	case kind < 26 && idle:
		ch.fate, ch.top = partly, o.shelf.actual.Max.Minor()+1
		o.reserved = ch
	case kind < 90 && len(o.current) > 0 && o.shelf.shown.Our.Minor() != o.current[len(o.current)-1].cents:
		// Back to what buyers see now, while another price is under way.
		ch.cents = o.shelf.shown.Our.Minor()
		return ch
	}
	if kind >= 900 {
		ch.top = o.shelf.actual.Max.Minor() + 1 // two fields in one patch
	}
	// A price that the offer never had tells which change a request is of.
	for o.used[to] {
		to++
	}
	o.used[to] = true
	ch.cents = to
	return ch
}
