package virtual

import (
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

// The promises: staging, sending, reading back and the ledger, with indexes,
// failed conditions and transactions; and the messages that keep a lane going.
const (
	mostWriteUnits  = 4
	mostSQSRequests = 0.02
)

func TestAChangeCostsWhatIsPromised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := scale(500, 2000)
		w.connect("one", n)
		w.lag()
		before, lanes := w.db.Units(), w.db.Units(store.Offers)
		w.oneBatch(n)
		lanes = w.db.Units(store.Offers).Minus(lanes)
		c := w.costs(w.db.Units().Minus(before))
		changes := float64(n) // all of them observed: finish fails otherwise
		if u := c.writes / changes; u > mostWriteUnits {
			t.Errorf("%.2f write units a change (%.2f of them lanes'), want at most %d", u, float64(lanes.Write)/changes, mostWriteUnits)
		}
		// The few messages of a batch's beginning and end weigh little in a large one.
		if r := c.sqs / changes; full() && r > mostSQSRequests {
			t.Errorf("%.4f SQS requests a change, want at most %.2f", r, mostSQSRequests)
		}
		measured(t, "writeUnitsPerChange", c.writes/changes)
		measured(t, "laneWriteUnitsPerChange", float64(lanes.Write)/changes)
		measured(t, "readUnitsPerChange", c.reads/changes)
		measured(t, "laneReadUnitsPerChange", float64(lanes.Read)/changes)
		measured(t, "sqsRequestsPerChange", c.sqs/changes)
		measured(t, "spapiCallsPerMillion", perMillion(c.spapi, changes))
		measured(t, "sqsRequestsPerMillion", perMillion(c.sqs, changes))
		measured(t, "writeUnitsPerMillion", perMillion(c.writes, changes))
		measured(t, "readUnitsPerMillion", perMillion(c.reads, changes))
		measured(t, "kmsCallsPerMillion", perMillion(c.kms, changes))
		measured(t, "lambdaMsPerMillion", perMillion(c.lambda, changes))
	})
}

func perMillion(all, changes float64) float64 { return all / changes * 1e6 }

// oneBatch sends n prices of one connection with the ledger on, until all are
// observed and everything has ended.
func (w *world) oneBatch(n int) {
	w.t.Helper()
	w.audit()
	w.start()
	w.apply("bat_one", "19.00", 0, map[price.ConnectionID]int64{"one": int64(n)})
	w.finish("bat_one", time.Hour)
	_ = w.clock.Sleep(w.t.Context(), 5*time.Second) // the ledger's last batch
	w.halt()
	w.clean()
}

// costs are what AWS and Amazon count.
type costs struct{ spapi, sqs, writes, reads, kms, lambda float64 }

// costs counts everything since the beginning, of the database what it is given.
//
// Not in it are what does not grow with changes: the long polls of Lambda's
// pollers on an empty queue, the sweep, and cold starts.
func (w *world) costs(units store.Units) costs {
	calls, tokens := 0, 0
	for _, r := range w.amazon.Requests(query) {
		if r.Op == "token" {
			tokens++
		} else {
			calls++
		}
	}
	return costs{
		spapi: float64(calls),
		// A message is sent once; an invocation costs one receive and one delete.
		sqs:    float64(w.queue.Sent()) + 2*float64(w.invoked.Load()),
		writes: float64(units.Write), reads: float64(units.Read),
		// The ledger's data keys, and one decryption by Secrets Manager for each
		// refresh token that is read for an access token.
		kms:    float64(w.kms.Calls("generate") + w.kms.Calls("decrypt") + tokens),
		lambda: float64(w.billed.Load()),
	}
}
