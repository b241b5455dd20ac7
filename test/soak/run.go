package soak

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
)

// Result is what became of one seed, or of several.
type Result struct {
	OK                      bool             `json:"ok"`
	Changes                 int64            `json:"changes"` // rows of committed batches that were staged
	Observed                int64            `json:"observed"`
	Unconfirmed             int64            `json:"unconfirmed"`
	ScriptedNonApplications int64            `json:"scriptedNonApplications"`
	GuardViolations         int64            `json:"guardViolations"`
	DuplicateEffects        int64            `json:"duplicateEffects"`
	LostChanges             int64            `json:"lostChanges"`
	WrongFinalPrices        int64            `json:"wrongFinalPrices"`
	MissingEvents           int64            `json:"missingEvents"`
	DuplicateEvents         int64            `json:"duplicateEvents"`
	StaleWrites             int64            `json:"staleWrites"` // without a lease, or on a version the plan did not see
	StaleSends              int64            `json:"staleSends"`  // of a superseded change, or two of one offer at a time
	States                  map[string]int64 `json:"states"`
	Batches                 map[string]int64 `json:"batches"`
	Faults                  map[Fault]int64  `json:"faults"`
	OverBudget              int64            `json:"overBudget"` // calls beyond Amazon's budget, which it refused
	Seed                    uint64           `json:"seed"`
	HistoryHash             string           `json:"historyHash"`
	Seconds                 float64          `json:"seconds"`

	Breaches []string `json:"-"`
	Lines    []string `json:"-"` // the history around the first breach, when it was asked for
}

// Options say how one seed is run.
type Options struct {
	Seed   uint64
	Ops    int  // operations of the sellers
	Offers int  // offers per connection; 0 is 800
	Trace  bool // keep the history of what breaks
}

// Run plays one seed to its end.
func Run(o Options) Result {
	w := newWorld(o.Seed, o.Ops, cmp.Or(o.Offers, offersPerConn))
	w.tracing = o.Trace
	w.deadline = time.Duration(o.Ops)*1600*time.Millisecond + time.Hour
	w.s.after(0, w.operate)
	w.s.after(time.Minute, w.sweep)
	w.s.run()
	w.watch()
	r := w.judge()
	r.Seed, r.HistoryHash, r.Faults = o.Seed, fmt.Sprintf("%016x", w.s.hash.Sum64()), w.faults
	r.OverBudget = w.overBudget
	if o.Trace && w.subject == nil {
		r.Lines = w.lines
	}
	if o.Trace && w.subject != nil {
		r.Lines = w.about(w.subject)
	}
	return r
}

// about picks the lines of the history that concern an offer.
func (w *world) about(o *offer) []string {
	names := []string{string(o.key.SKU), "BREACH"}
	for _, ch := range o.changes {
		names = append(names, ch.batch.id)
	}
	ids := map[string]bool{}
	var out []string
	for _, l := range w.lines {
		process := strings.Fields(l)[1]
		hit := ids[process] && strings.Contains(l, "  dies at") || strings.Contains(l, "  stands still")
		if strings.Contains(l, "handles lane "+string(o.key.Connection)) {
			ids[process], hit = true, true
		}
		for _, n := range names {
			hit = hit || strings.Contains(l, n)
		}
		if ids[process] && (strings.Contains(l, "dies at") || strings.Contains(l, "stands still") || strings.Contains(l, "log:")) {
			hit = true
		}
		if hit {
			out = append(out, l)
		}
	}
	return out
}

// rested reports whether every batch has come to its end.
func (w *world) rested() bool {
	for _, b := range w.order {
		if b.state != lane.Done && b.state != lane.Refused {
			return false
		}
	}
	return true
}

func (w *world) unrest() string {
	var out []string
	for _, b := range w.order {
		if b.state != lane.Done && b.state != lane.Refused {
			out = append(out, b.id+" is "+string(b.state))
		}
	}
	return strings.Join(out[:min(5, len(out))], ", ")
}

// terminal events: exactly one for each change that was committed.
var terminal = []ledger.Type{ledger.ChangeObserved, ledger.ChangeRejected, ledger.ChangeHeld, ledger.ChangeUnconfirmed, ledger.ChangeSuperseded}

// judge looks at the world at rest.
func (w *world) judge() Result {
	r := Result{States: map[string]int64{}, Batches: map[string]int64{}}
	for _, b := range w.order {
		r.Batches[string(b.state)]++
		if b.state != lane.Done {
			if b.state != lane.Refused {
				r.LostChanges += b.count
				w.breach(nil, "batch %s ended as %q", b.id, b.state)
			}
			continue
		}
		w.judgeBatch(b, &r)
	}
	for _, t := range w.sellers {
		for _, c := range t.conns {
			for _, o := range c.list {
				w.judgeOffer(o)
			}
		}
	}
	r.GuardViolations, r.DuplicateEffects, r.WrongFinalPrices = w.guardViolations, w.duplicateEffects, w.wrongFinalPrices
	r.LostChanges += w.lostChanges
	r.MissingEvents, r.DuplicateEvents = w.missingEvents, w.duplicateEvents
	r.StaleWrites, r.StaleSends = w.staleWrites, w.staleSends
	r.Breaches = w.breaches
	r.OK = len(w.breaches) == 0
	return r
}

func (w *world) judgeBatch(b *batch, r *Result) {
	for _, c := range b.t.conns {
		for _, ch := range b.rows[c.id] {
			if ch.place == 0 {
				r.States["moved"]++
				continue
			}
			r.Changes++
			r.States[string(ch.state)]++
			w.judgeChange(ch)
			if ch.state == lane.Observed {
				r.Observed++
			}
			if ch.state == lane.Unconfirmed {
				r.Unconfirmed++
			}
			if ch.scripted {
				r.ScriptedNonApplications++
			}
		}
	}
	rep, err := lane.NewBatches(w.db, w.blobs).Get(context.Background(), b.t.id, b.id)
	if err != nil || rep.Counts.Total() != b.count || rep.Counts[lane.Desired]+rep.Counts[lane.Sent]+rep.Counts[lane.Accepted]+rep.Counts[lane.Unknown] > 0 {
		w.lostChanges++
		w.breach(nil, "batch %s with %d rows reports %v, %v", b.id, b.count, rep.Counts, err)
	}
}

func (w *world) judgeChange(ch *change) {
	o := ch.offer
	ends := 0
	for _, t := range terminal {
		ends += ch.events[string(t)]
	}
	switch {
	case !ch.state.Terminal():
		w.lostChanges++
		w.breach(o, "%s row %d ended as %s", ch.batch.id, ch.n, ch.state)
	case ends != 1:
		w.missingEvents++
		w.breach(o, "%s row %d has %d last events: %v", ch.batch.id, ch.n, ends, ch.events)
	}
	if ch.state == lane.Superseded && !w.succeeded(ch) {
		w.lostChanges++
		w.breach(o, "%s row %d was superseded by nothing", ch.batch.id, ch.n)
	}
	if (ch.state == lane.Unconfirmed) != ch.scripted {
		w.lostChanges++
		w.breach(o, "%s row %d is %s; Amazon ignored it: %t, it took effect %d times", ch.batch.id, ch.n, ch.state, ch.scripted, ch.effects)
	}
	if (ch.state == lane.Rejected) != (ch.fate == invalid) && ch.state != lane.Held && ch.state != lane.Superseded {
		w.lostChanges++
		w.breach(o, "%s row %d is %s; Amazon refuses it: %t", ch.batch.id, ch.n, ch.state, ch.fate == invalid)
	}
	for n := 1; n <= len(ch.attempts); n++ {
		if ch.attempts[n] != 1 {
			w.missingEvents++
			w.breach(o, "%s row %d: attempts %v", ch.batch.id, ch.n, ch.attempts)
		}
	}
}

// succeeded reports whether a later change of the offer was committed.
func (w *world) succeeded(ch *change) bool {
	for _, later := range ch.offer.staged[ch.place:] {
		if later.batch.state == lane.Done {
			return true
		}
	}
	return false
}

// judgeOffer compares Amazon's last price with what it has to be: that of the
// newest change that took effect or was observed.
func (w *world) judgeOffer(o *offer) {
	var newest *change
	for _, ch := range o.staged {
		if ch.effects > 0 || ch.state == lane.Observed {
			newest = ch
		}
	}
	if newest != nil && o.shelf.actual.Our.Minor() != newest.cents {
		w.wrongFinalPrices++
		w.breach(o, "Amazon has %s, want %s of %s row %d", o.shelf.actual.Our, cents(newest.cents), newest.batch.id, newest.n)
	}
}
