package soak

import (
	"fmt"
	"slices"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/store/memory"
)

// checks are what is looked at while the world goes on, and what was found.
type checks struct {
	stream    *memory.Reader
	deadline  time.Duration // by then the world is at rest
	mostSteps int64
	breaches  []string
	subject   *offer // of the first breach

	guardViolations, duplicateEffects, lostChanges, wrongFinalPrices int64
	missingEvents, duplicateEvents, staleWrites, staleSends          int64
	stopViolations, lostHandOvers, stagedRows                        int64
}

// guardsStale is how old the guards may be that a send was admitted by: they are
// not believed for longer than 5 s, an intent is good for up to 17 s more, and
// clocks are a little off.
const guardsStale = 25 * time.Second

// knownStale is how much earlier than its arrival a send was admitted.
const knownStale = 25 * time.Second

// breach notes a broken promise.
func (w *world) breach(o *offer, format string, args ...any) {
	text := fmt.Sprintf("%.3fs: ", w.s.now.Seconds()) + fmt.Sprintf(format, args...)
	if o != nil {
		text += " (offer " + o.key.String() + ")"
	}
	if len(w.breaches) == 0 {
		w.subject = o
	}
	if len(w.breaches) < 20 {
		w.breaches = append(w.breaches, text)
	}
	w.trace(nil, "BREACH %s", text)
	w.s.over = true
}

// idle reports whether nothing is planned or under way for the offer.
func (o *offer) idle() bool {
	return len(o.changes) == 0 || o.changes[len(o.changes)-1].ended()
}

// ended reports whether nothing more can happen to a change.
func (ch *change) ended() bool {
	switch {
	case ch.batch.state == lane.Refused:
		return true
	case ch.place == 0:
		return ch.batch.state == lane.Sending || ch.batch.state == lane.Done // the offer had moved
	}
	return ch.state.Terminal()
}

// identify finds the change that a patch is of. A price says which, but for
// those that go back to an earlier price: of these it is the one under way.
func (w *world) identify(c *connection, p amazon.Patch) *change {
	o := c.offers[offerID{p.Marketplace, p.SKU}]
	if o == nil {
		return nil
	}
	w.watch()
	var found *change
	for _, ch := range slices.Backward(o.changes) {
		if !p.Edit.Set.EqualField(price.FieldOur, price.Prices{Our: cents(ch.cents)}) || ch.place == 0 {
			continue
		}
		if !ch.ended() && len(ch.attempts) > 0 {
			return ch
		}
		if found == nil {
			found = ch
		}
	}
	return found
}

// checkSend checks a patch that arrives against the guards and the journal.
func (w *world) checkSend(ch *change, p amazon.Patch) {
	o := ch.offer
	if ch.batch.state != lane.Sending && ch.batch.state != lane.Done {
		w.guardViolations++
		w.breach(o, "sent although batch %s is %q", ch.batch.id, ch.batch.state)
	}
	if len(ch.attempts) == 0 {
		w.missingEvents++
		w.breach(o, "%s row %d was sent without an intent", ch.batch.id, ch.n)
	}
	for _, newer := range o.staged[ch.place:] {
		if newer.effects > 0 {
			w.staleSends++
			w.breach(o, "%s row %d was sent after %s took effect", ch.batch.id, ch.n, newer.batch.id)
		}
		if newer.batch.state == lane.Sending && newer.batch.since < w.s.now-knownStale {
			w.staleSends++
			w.breach(o, "%s row %d was sent %s after %s was committed", ch.batch.id, ch.n, w.s.now-newer.batch.since, newer.batch.id)
		}
	}
	now := w.s.time()
	for _, k := range slices.Backward(o.known) {
		if k.until != 0 && k.until < w.s.now-knownStale {
			break
		}
		for _, g := range slices.Backward(o.t.guards) {
			if g.until != 0 && g.until < w.s.now-guardsStale {
				break
			}
			verdict, _ := g.guards.Check(price.Offer{Key: o.key, Known: k.prices, ReadAt: epoch}, p.Edit, now)
			if verdict == price.Allowed || verdict == price.Unchanged {
				return
			}
		}
	}
	w.guardViolations++
	w.breach(o, "%s row %d: %s is outside the guards", ch.batch.id, ch.n, p.Edit.Set.Our)
}

// effect is the moment at which a change becomes Amazon's price.
func (w *world) effect(ch *change) {
	ch.effects++
	w.trace(nil, "effect: %s row %d of %s is now %s", ch.batch.id, ch.n, ch.offer.key.SKU, cents(ch.cents))
	if ch.effects > 1 {
		w.duplicateEffects++
		w.breach(ch.offer, "%s row %d took effect %d times", ch.batch.id, ch.n, ch.effects)
	}
}
