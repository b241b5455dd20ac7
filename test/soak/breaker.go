package soak

import (
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/tenant"
)

// A batch that pauses itself is right to do so where a seller's guards let no
// price move: all of its rows are held. What else goes wrong here is a few per
// mille of the rows, for which no batch may be paused.

// causeWithin is how long after the guards were loosened again the rows that they
// held may still pause a batch: a held row waits for its write, and its worker may
// stand still meanwhile.
const causeWithin = 2 * time.Minute

// tripped is called when the engine pauses a batch. The seller looks at it, and
// lifts the stop.
func (w *world) tripped(owner tenant.ID, stop lane.Stop) {
	w.fault(Tripped)
	b := w.batches[stop.ID]
	if !b.t.heldAll(w.s.now - causeWithin) {
		w.lostChanges++
		w.breach(nil, "batch %s was paused by itself without a cause", b.id)
	}
	w.s.after(w.between(5*time.Second, 40*time.Second), paused{w, owner, stop}.goOn)
}

// paused is a batch that a seller will let go on.
type paused struct {
	w     *world
	owner tenant.ID
	stop  lane.Stop
}

func (p paused) goOn() { p.w.lift(p.owner, p.stop) }

// heldAll reports whether the seller's guards let no price move at any time
// since then.
func (t *seller) heldAll(since time.Duration) bool {
	for _, g := range t.guards {
		if (g.until == 0 || g.until >= since) && g.guards.HoldDropPercent == 0 && g.guards.HoldRisePercent == 0 {
			return true
		}
	}
	return false
}
