package soak

import (
	"fmt"
	"time"
)

// Fault is a kind of mishap.
type Fault string

// The faults. Rates are per opportunity, in millionths.
const (
	Crash            Fault = "crash"            // a worker dies at a step
	Freeze           Fault = "freeze"           // a worker stands still, beyond its lease
	Skew             Fault = "clockSkew"        // a worker's clock is off
	Jump             Fault = "clockJump"        // a worker's clock jumps forward
	StoreThrottled   Fault = "storeThrottled"   // a call of a store fails without effect
	StoreLost        Fault = "storeAnswerLost"  // a write has its effect, its answer is lost
	StoreSlow        Fault = "storeSlow"        // a call of a store takes seconds
	BellLost         Fault = "doorbellLost"     //
	BellDoubled      Fault = "doorbellDoubled"  //
	BellLate         Fault = "doorbellLate"     // and so reordered
	Throttled        Fault = "amazon429"        // storms, and single ones
	Broken           Fault = "amazon500"        // with and without effect
	Unavailable      Fault = "amazon503"        //
	SlowAnswer       Fault = "amazonSlow"       //
	CutBefore        Fault = "cutBeforeEffect"  //
	CutAfter         Fault = "cutAfterEffect"   //
	Ignored          Fault = "silentlyIgnored"  // accepted and never applied
	Invalid          Fault = "invalidInside200" //
	ShownLate        Fault = "shownLate"        // the price is visible only after many seconds
	Revoked          Fault = "revoked"          // calls refused until the seller authorises again
	GuardChange      Fault = "guardChange"      // a seller tightens or loosens the guards
	Urgent           Fault = "urgentEdit"       // a batch that goes before others
	OverlappingEdit  Fault = "overlappingEdit"  // an offer is edited while a change of it is under way
	OutsideTheGuards Fault = "outsideTheGuards" // a planned price that must never be sent

	StopGlobal      Fault = "stopGlobal" // kill switches that were set
	StopTenant      Fault = "stopTenant"
	StopConnection  Fault = "stopConnection"
	StopMarketplace Fault = "stopMarketplace"
	StopBatch       Fault = "stopBatch"
	Refused         Fault = "credentialsRefused" // calls refused until the operator renews our credentials
	Partly          Fault = "partlyApplied"      // accepted, one field of two is never applied
	RecordRepeated  Fault = "recordRepeated"     // a stream record was delivered to the ledger again
	RecordReordered Fault = "recordsReordered"   // records came after younger ones of other items
)

// injected lists the faults above.
var injected = []Fault{
	Crash, Freeze, Skew, Jump, StoreThrottled, StoreLost, StoreSlow, BellLost, BellDoubled, BellLate,
	Throttled, Broken, Unavailable, SlowAnswer, CutBefore, CutAfter, Ignored, Invalid, ShownLate, Revoked,
	GuardChange, Urgent, OverlappingEdit, OutsideTheGuards, StopGlobal, StopTenant, StopConnection,
	StopMarketplace, StopBatch, Refused, Partly, RecordRepeated, RecordReordered,
}

// What the faults led to, told beside them.
const (
	LeaseLost Fault = "leaseLost"         // a worker found that another one drives its lane
	Swept     Fault = "swept"             // the sweep rang for a lane or job
	Tripped   Fault = "batchPausedItself" // the guards held row after row
)

// rates, in millionths per opportunity.
type rates struct{ crash, freeze, jump, throttled, lost, slow int }

var usual = rates{crash: 150, freeze: 150, jump: 60, throttled: 400, lost: 400, slow: 300}

func (r rates) times(n int) rates {
	return rates{crash: r.crash * n, freeze: r.freeze * n, jump: r.jump, throttled: r.throttled * n, lost: r.lost * n, slow: r.slow * n}
}

// hit draws whether something of a rate in millionths happens now.
func (w *world) hit(millionths int) bool { return w.s.rng.IntN(1_000_000) < millionths }

func (w *world) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.s.rng.Int64N(int64(b-a)))
}

func (w *world) fault(f Fault) { w.faults[f]++ }

// step is a point at which a process gives way: it takes time, and may be the
// last thing that the process does.
func (w *world) step(p *process, what string, d time.Duration) {
	w.s.note(what, p.id)
	if !w.calm {
		switch {
		case w.hit(w.rates.crash):
			w.fault(Crash)
			w.trace(p, "dies at %s", what)
			w.s.kill(p)
		case w.hit(w.rates.freeze):
			w.fault(Freeze)
			p.froze, p.frozen = true, w.s.now+w.between(12*time.Second, 50*time.Second)
			w.trace(p, "stands still at %s", what)
		case p.skew < 500*time.Millisecond && w.hit(w.rates.jump):
			w.fault(Jump)
			p.skew += w.between(100*time.Millisecond, 1500*time.Millisecond)
		}
	}
	w.s.sleep(d)
}

// trace keeps a line of the history when somebody wants to read it.
func (w *world) trace(p *process, format string, args ...any) {
	if !w.tracing {
		return
	}
	id := int64(0)
	if p != nil {
		id = p.id
	}
	w.lines = append(w.lines, fmt.Sprintf("%10.3fs  p%-5d ", w.s.now.Seconds(), id)+fmt.Sprintf(format, args...))
}
