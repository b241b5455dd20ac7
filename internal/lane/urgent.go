package lane

import (
	"context"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Priorities of batches. A lane sends the rows of the smaller one first, and
// within one priority the older batch's.
const (
	PriorityEdit     = -2 // one offer, corrected by hand
	PriorityReversal = -1 // takes a batch back
	PriorityBulk     = 0
)

// A call tells the worker of a lane that urgent work has come. A ring would do
// too, but is only noticed when the lease is renewed. Calls are kept beside the
// stops, because those are read before every single request: hearing a call
// costs no read, and it is heard within one request.
const scopeCall Scope = "urgent" // never that of a stop

const (
	aCalls = "n"
	// callKept is how long a call is kept: much longer than any worker lives.
	callKept = time.Hour
	// listenEvery is how long a worker that sends nothing goes without looking for
	// calls, and for stops.
	listenEvery = time.Second
)

func callKey(c price.ConnectionID) store.Key {
	return store.Key{PK: stopPK, SK: Stop{Scope: scopeCall, ID: string(c)}.Name()}
}

func isCall(k store.Key) bool {
	return k.PK == stopPK && strings.HasPrefix(k.SK, string(scopeCall)+".")
}

// call is written after the work it tells of. One that is lost costs time only:
// the ring that follows is noticed when the lease is renewed.
func (b Bell) call(ctx context.Context, t tenant.ID, c price.ConnectionID) error {
	_, err := b.DB.Update(ctx, t, store.Offers, callKey(c), store.Update{
		Add: map[string]int64{aCalls: 1}, Set: map[string]any{"ttl": b.Now().Add(callKept).Unix()},
	})
	if err != nil {
		return fmt.Errorf("lane: call: %w", err)
	}
	return nil
}

// listen takes the call for this lane out of what was read as stops.
func (d *driver) listen(read []Stop) standing {
	d.listened = d.e.Clock.Now()
	stops := make(standing, 0, len(read))
	for _, s := range read {
		switch {
		case s.Scope != scopeCall:
			stops = append(stops, s)
		case s.ID == string(d.lease.conn):
			d.called = max(d.called, s.calls) // answers may overtake one another
		}
	}
	return stops
}

// heed looks the work up again once the lane was called.
func (d *driver) heed(ctx context.Context) error {
	if d.called == d.heeded {
		return nil
	}
	d.heeded = d.called
	return d.reload(ctx)
}

// lookUp reads stops and calls for a worker that has sent nothing for a while. A
// read that fails is made up for by the next one.
func (d *driver) lookUp(ctx context.Context, now time.Time) {
	if now.Sub(d.listened) < listenEvery {
		return
	}
	d.listened = now
	if err := d.readStops(ctx); err != nil {
		d.log.WarnContext(ctx, "stops not read", "error", err.Error())
	}
}
