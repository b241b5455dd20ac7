package lane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Breaker is when a batch is paused by itself, before it does more harm: its
// rows end in a way that says that something is wrong with all of them. Zero
// values take the defaults; a limit over 100 percent, or one longer than any
// batch, switches its rule off.
type Breaker struct {
	// Window is how many outcomes are looked back on. Default 100, which takes a
	// lane 20 seconds at Amazon's default rate.
	Window int64
	// BadPercent of the window rejected by Amazon or held by the guards at send
	// time pauses the batch. Default 20. A wrong currency, marketplace or column
	// spoils most rows of a file, while a few percent of rows for offers that were
	// closed or moved are usual. The rule counts from the first outcome on, so
	// that of a spoilt batch 20 rows are lost.
	BadPercent int64
	// SameCode rejects one after the other with the same code of Amazon's pause
	// the batch. Default 10: where one row in ten is rejected for usual reasons,
	// ten in a row come once in 10,000,000,000 rows.
	SameCode int64
	// UnconfirmedPercent of the batch's outcomes unconfirmed, and UnconfirmedRows
	// at least, pause the batch. Defaults 3 and 20. Counted over the whole batch
	// and not in the window: a row is unconfirmed half an hour after its neighbours
	// were observed, and the last outcomes of a lane that stood still are all of
	// that kind.
	UnconfirmedPercent, UnconfirmedRows int64
}

func (b Breaker) withDefaults() Breaker {
	for _, d := range []struct {
		n     *int64
		value int64
	}{{&b.Window, 100}, {&b.BadPercent, 20}, {&b.SameCode, 10}, {&b.UnconfirmedPercent, 3}, {&b.UnconfirmedRows, 20}} {
		if *d.n == 0 {
			*d.n = d.value
		}
	}
	return b
}

// tally is what the breaker of a batch has seen in this lane since it was
// last tripped. It is kept in the journal; outcomes that a crash loses from it
// are missing from a sample, no more.
type tally struct {
	Seen        int64   `json:"n"`
	Unconfirmed int64   `json:"u,omitempty"`
	Bad         []int64 `json:"b,omitempty"` // numbers of the outcomes that were bad, within the window
	Run         int64   `json:"r,omitempty"` // rejects in a row with one code
	Code        string  `json:"c,omitempty"`
}

// note counts an outcome. Superseded rows say nothing about a batch.
func (t *tally) note(s State, window int64) {
	if !s.Terminal() || s == Superseded {
		return
	}
	t.Seen++
	switch s {
	case Unconfirmed:
		t.Unconfirmed++
	case Rejected, Held:
		t.Bad = append(t.Bad, t.Seen)
	case Desired, Sent, Accepted, Observed, Unknown, Superseded:
	}
	t.Bad = slices.DeleteFunc(t.Bad, func(n int64) bool { return n <= t.Seen-window })
}

// answer notes what Amazon answered to a row: a code with which it was rejected,
// or "" when it was accepted.
func (t *tally) answer(code string) {
	if code != t.Code {
		t.Run, t.Code = 0, code
	}
	if code != "" {
		t.Run++
	}
}

// trip returns why the batch has to be paused, "" when it need not.
func (t *tally) trip(b Breaker) string {
	switch n := int64(len(t.Bad)); {
	case t.Run >= b.SameCode:
		return fmt.Sprintf("Amazon rejected %d rows in a row with code %s.", t.Run, t.Code)
	case n*100 >= b.Window*b.BadPercent:
		return fmt.Sprintf("%d of the last %d rows were rejected by Amazon or held by the guards.", n, min(t.Seen, b.Window))
	case t.Unconfirmed >= b.UnconfirmedRows && t.Unconfirmed*100 > t.Seen*b.UnconfirmedPercent:
		return fmt.Sprintf("Amazon accepted %d of %d rows and does not show their prices.", t.Unconfirmed, t.Seen)
	}
	return ""
}

// note counts the outcome of a row for the breaker. What ends while the batch is
// stopped was begun before, and must not trip it again once the stop is lifted.
func (d *driver) note(r *row) {
	if !d.halted(r.w) {
		r.w.j.Tally.note(r.state, d.cfg.Breaker.Window)
	}
}

// noteAnswer does so for Amazon's answer, whose issue begins with its code.
func (d *driver) noteAnswer(r *row, issue string) {
	code, _, _ := strings.Cut(issue, " ")
	switch {
	case d.halted(r.w):
	case r.state == Accepted:
		r.w.j.Tally.answer("")
	case r.state == Rejected:
		r.w.j.Tally.answer(code)
		d.note(r)
	}
}

// breakers pauses the batches whose outcomes say so. A batch of which this lane
// has nothing left to send is left alone: there is nothing to keep it from.
//
// Crash points: the stop comes before the tally is cleared. Between the two, the
// next owner finds the batch stopped and clears it (see freshTally); should the
// stop have been lifted by then, the batch is paused once more.
func (d *driver) breakers(ctx context.Context) error {
	for _, w := range d.works {
		why := ""
		if !d.halted(w) && w.unsentRows() > 0 {
			why = w.j.Tally.trip(d.cfg.Breaker)
		}
		if why == "" {
			continue
		}
		stop := Stop{Scope: ScopeBatch, ID: w.j.Batch, Actor: system, Since: d.e.Clock.Now(),
			Reason: "Paused by itself: " + why + " Look at the report; lift the stop to go on."}
		if err := (Stops{DB: d.e.DB, Bell: d.e.Bell}).Set(context.WithoutCancel(ctx), d.lease.tenant, stop); err != nil {
			return fmt.Errorf("lane: pause batch: %w", err)
		}
		d.stats.Paused++
		d.log.ErrorContext(ctx, "batch paused by itself", "alarm", "batch-paused", "batch", w.j.Batch, "reason", why)
		d.obey(append(slices.Clone(d.stops), stop))
		w.freshTally()
	}
	return nil
}

// freshTally forgets what was seen: what follows is judged by itself.
func (w *work) freshTally() { w.j.Tally, w.dirty = tally{}, true }

// unsentRows is how many rows of the batch this lane has yet to send, those held
// back included.
func (w *work) unsentRows() int64 {
	return int64(len(w.again)+len(w.ready)+len(w.stopped)) + w.j.Rows - w.j.High
}

// guardsFor is how long the guards are believed as they were read.
const guardsFor = 5 * time.Second

// freshGuards reads the guards again when they are older than guardsFor. Rows
// that were announced under other guards are looked at anew: their intents are
// withdrawn, since they were certainly not sent.
func (d *driver) freshGuards(ctx context.Context) error {
	// They are as old as the beginning of the read: one that took too long is repeated.
	for range 3 {
		begun := d.e.Clock.Now()
		if begun.Sub(d.guardsAt) < guardsFor {
			return nil
		}
		g, err := d.e.Guards(ctx, d.lease.tenant)
		if err != nil {
			return fmt.Errorf("lane: guards: %w", err)
		}
		d.adopt(g, begun)
		if d.e.Clock.Now().Sub(begun) < guardsFor {
			return nil
		}
	}
	return errors.New("lane: guards: each reading took too long")
}

// adopt takes over the guards as they were read at a time.
func (d *driver) adopt(g GuardSet, at time.Time) {
	changed := d.guards != nil && g.Hash() != d.guards.Hash()
	d.guards, d.guardsAt = g, at
	if !changed {
		return
	}
	for _, w := range d.works {
		w.withdraw()
		w.again = append(w.again, w.ready...)
		w.ready = nil
	}
}
