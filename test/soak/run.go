package soak

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/test/canary"
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
	StaleWrites             int64            `json:"staleWrites"`    // without a lease, or on a version the plan did not see
	StaleSends              int64            `json:"staleSends"`     // of a superseded change, or two of one offer at a time
	StopViolations          int64            `json:"stopViolations"` // sent although a stop stood
	LostHandOvers           int64            `json:"lostHandOvers"`  // open work that only chance would find again
	Ledgers                 int64            `json:"ledgers"`        // changes whose events went through the ledger
	Canary                  canary.Figures   `json:"canary"`         // planted tokens, and where they were found in those histories
	States                  map[string]int64 `json:"states"`
	Batches                 map[string]int64 `json:"batches"`
	Faults                  map[Fault]int64  `json:"faults"`
	Consequences            map[Fault]int64  `json:"consequences,omitempty"` // of the faults
	OverBudget              int64            `json:"overBudget"`             // calls beyond Amazon's budget, which it refused
	Adopted                 int64            `json:"adoptedLanes"`           // by a worker that had another lane to drive
	Seed                    uint64           `json:"seed"`
	HistoryHash             string           `json:"historyHash"`
	Seconds                 float64          `json:"seconds"`

	Breaches []string `json:"-"`
	Lines    []string `json:"-"` // the history around the first breach, when it was asked for
}

// Options say how one seed is run.
type Options struct {
	Seed   uint64
	Ops    int  // operations of the sellers; 0 is OpsPerSeed
	Offers int  // offers per connection; 0 is 800
	Harsh  int  // workers die and stores fail so many times as often; 0 is once
	Slow   int  // calls of Amazon in a million that take seconds; 0 is 4,500
	Late   int  // prices in a million that take many seconds to show; 0 is 30,000
	Guards int  // operations in a hundred that change a seller's guards; 0 is 5
	Hot    bool // the same few offers are changed all the time
	Ledger bool // pass the stream to the ledger in every history, not in one of six
	Trace  bool // keep the history of what breaks
}

// Run plays one seed to its end.
func Run(o Options) Result {
	o.Ops = cmp.Or(o.Ops, OpsPerSeed)
	w := newWorld(o)
	w.deadline = time.Duration(o.Ops)*2500*time.Millisecond + time.Hour
	w.mostSteps = int64(o.Ops)*8000 + 100_000 // several times what it takes
	w.s.after(0, w.operate)
	w.s.after(time.Minute, w.sweep)
	w.s.run()
	for w.watch(); !w.s.over && w.audit != nil && !w.audit.drained(); w.watch() {
		w.s.run() // what was written last goes to the ledger as well
	}
	r := w.judge()
	r.Seed, r.HistoryHash, r.Faults = o.Seed, fmt.Sprintf("%016x", w.s.hash.Sum64()), w.faults
	r.OverBudget, r.Adopted = w.overBudget, w.adopted
	if o.Trace && w.subject == nil {
		r.Lines = w.lines[max(0, len(w.lines)-lastLines):]
	}
	if o.Trace && w.subject != nil {
		r.Lines = w.about(w.subject)
	}
	return r
}

// about picks the lines of the history that concern an offer: itself, its
// batches as a whole, and what befell the workers on its lane.
func (w *world) about(o *offer) []string {
	workers := map[string]bool{}
	concerns := func(l string) bool {
		worker := strings.Fields(l)[1]
		if strings.Contains(l, "handles lane "+string(o.key.Connection)+",") || strings.Contains(l, "adopted lane "+string(o.key.Connection)+":") {
			workers[worker] = true
		}
		if strings.Contains(l, "BREACH") || strings.Contains(l, string(o.key.SKU)) {
			return true
		}
		otherLane := strings.Contains(l, " lane#") && !strings.Contains(l, "lane#"+string(o.key.Connection)+" ")
		if otherLane || strings.Contains(l, " offer#") || strings.Contains(l, " effect: ") {
			return false // another offer
		}
		if workers[worker] && !strings.Contains(l, " update ") && !strings.Contains(l, " patch ") && !strings.Contains(l, " read ") {
			return true
		}
		return slices.ContainsFunc(o.changes, func(ch *change) bool { return strings.Contains(l, ch.batch.id) })
	}
	var out []string
	for _, l := range w.lines {
		if !concerns(l) {
			continue
		}
		if before, after, ok := strings.Cut(l, `"intents":[`); ok {
			intents, rest, _ := strings.Cut(after, "]")
			mine := slices.DeleteFunc(strings.SplitAfter(intents, "},"), func(i string) bool { return !strings.Contains(i, string(o.key.SKU)) })
			l = before + `"intents":[` + strings.Join(mine, "") + "..]" + rest
		}
		out = append(out, l)
	}
	return out
}

// lastLines is how much is shown of a history that no single offer broke.
const lastLines = 300

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
	if w.s.over { // it was cut short: what is not at its end proves nothing
		r.Changes = w.stagedRows
		w.verdict(&r)
		return r
	}
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
	if w.audit != nil {
		w.audit.judge()
		r.Ledgers = r.Changes
		w.canaries.judge(w)
		r.Canary = w.canaries.figures
	}
	w.verdict(&r)
	return r
}

// verdict copies what the checks found.
func (w *world) verdict(r *Result) {
	r.GuardViolations, r.DuplicateEffects, r.WrongFinalPrices = w.guardViolations, w.duplicateEffects, w.wrongFinalPrices
	r.LostChanges += w.lostChanges
	r.MissingEvents, r.DuplicateEvents = w.missingEvents, w.duplicateEvents
	r.StaleWrites, r.StaleSends = w.staleWrites, w.staleSends
	r.StopViolations, r.LostHandOvers = w.stopViolations, w.lostHandOvers
	r.Breaches = w.breaches
	r.OK = len(w.breaches) == 0
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
	if ch.scripted && ch.state == lane.Held && ch.events[string(ledger.ChangeUnknown)] > 0 {
		ch.scripted = false // its answer was lost, and the guards forbade to send it again
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
