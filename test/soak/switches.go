package soak

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Kill switches, and the time in which Amazon refuses our own credentials.

// standing is a stop as the store had it.
type standing struct {
	lane.Stop
	t           tenant.ID // store.Directory: of everybody
	set, lifted time.Duration
}

func (s *standing) blocks(ch *change) bool {
	k := ch.offer.key
	switch s.Scope {
	case lane.ScopeGlobal:
		return true
	case lane.ScopeTenant:
		return s.t == ch.offer.t.id
	case lane.ScopeConnection:
		return s.t == ch.offer.t.id && s.ID == string(k.Connection)
	case lane.ScopeMarketplace:
		return s.t == ch.offer.t.id && s.ID == string(k.Marketplace)
	case lane.ScopeBatch:
		return s.t == ch.offer.t.id && s.ID == ch.batch.id
	}
	return false
}

var stopFault = map[lane.Scope]Fault{
	lane.ScopeGlobal: StopGlobal, lane.ScopeTenant: StopTenant, lane.ScopeConnection: StopConnection,
	lane.ScopeMarketplace: StopMarketplace, lane.ScopeBatch: StopBatch,
}

// flip has somebody set a stop, and lift it after a while.
func (w *world) flip() {
	t := w.sellers[w.plan.IntN(len(w.sellers))]
	c := t.conns[w.plan.IntN(len(t.conns))]
	scope, lasts, m := w.plan.IntN(5), time.Duration(300+w.plan.IntN(5000))*time.Millisecond, w.plan.IntN(len(markets))
	owner, stop := t.id, lane.Stop{Actor: "key:soak", Reason: "soak"}
	switch scope {
	case 0:
		owner, stop.Scope = store.Directory, lane.ScopeGlobal
		lasts /= 2
	case 1:
		stop.Scope = lane.ScopeTenant
	case 2:
		stop.Scope, stop.ID = lane.ScopeConnection, string(c.id)
	case 3:
		stop.Scope, stop.ID = lane.ScopeMarketplace, string(markets[m])
	case 4:
		// The newest batch that is under way, else the newest of all.
		if len(w.order) == 0 {
			return
		}
		b := w.order[len(w.order)-1]
		for _, x := range slices.Backward(w.order[max(0, len(w.order)-30):]) {
			if x.state == lane.Sending {
				b = x
				break
			}
		}
		owner, stop.Scope, stop.ID = b.t.id, lane.ScopeBatch, b.id
	}
	w.ask(func(ctx context.Context, e *lane.Engine) error {
		err := lane.Stops{DB: e.DB, Bell: e.Bell}.Set(ctx, owner, stop)
		if err == nil {
			w.s.after(lasts, func() { w.lift(owner, stop) }) //nolint:contextcheck // that is a request of its own
		}
		return err
	})
}

// lift lifts a stop, unless somebody else did meanwhile.
func (w *world) lift(owner tenant.ID, stop lane.Stop) {
	w.ask(func(ctx context.Context, e *lane.Engine) error {
		err := lane.Stops{DB: e.DB, Bell: e.Bell}.Lift(ctx, owner, "key:soak", stop)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
}

// outage has Amazon refuse our credentials until the operator has renewed them.
func (w *world) outage() {
	if w.refused {
		return
	}
	w.refused = true
	w.s.after(w.between(15*time.Second, 40*time.Second), func() { w.refused = false })
}

// operator answers the page that a global stop of the engine's own sends: lifts
// it once the credentials are in order.
func (w *world) operator() {
	if w.refused {
		w.s.after(10*time.Second, w.operator)
		return
	}
	w.lift(store.Directory, lane.Stop{Scope: lane.ScopeGlobal})
}

// stopRecord follows the stops in the stream.
func (w *world) stopRecord(r store.Record) {
	if r.New == nil || strings.HasPrefix(r.Key.SK, "urgent.") { // that is a call, which stops nothing
		return
	}
	at := r.At.Sub(epoch)
	was := r.Old != nil && r.Old.Int("lifted") == 0
	is := r.New.Int("lifted") == 0
	stop, err := lane.ParseStop(r.Key.SK)
	if err != nil {
		w.breach(nil, "stop %s: %v", r.Key.SK, err)
		return
	}
	if r.Tenant != store.Directory { // the ledger is a tenant's
		if events := lane.Events(r); (was != is) != (len(events) == 1) {
			w.missingEvents++
			w.breach(nil, "%s went from %t to %t with events %v", r.Key.SK, was, is, events)
		}
	}
	switch {
	case is && !was:
		w.fault(stopFault[stop.Scope])
		w.trace(nil, "stopped: %s of %s by %s", stop.Name(), r.Tenant, r.New.Str("by"))
		w.stops = slices.DeleteFunc(w.stops, func(s *standing) bool { return s.lifted != 0 && s.lifted < w.s.now-5*time.Minute })
		w.stops = append(w.stops, &standing{Stop: stop, t: r.Tenant, set: at})
		switch system := strings.HasPrefix(r.New.Str("by"), "system:"); {
		case system && stop.Scope == lane.ScopeBatch:
			w.tripped(r.Tenant, stop)
		case system:
			w.s.after(w.between(5*time.Second, 30*time.Second), w.operator)
		}
	case was && !is:
		w.trace(nil, "lifted: %s of %s", stop.Name(), r.Tenant)
		for _, s := range w.stops {
			if s.t == r.Tenant && s.Name() == stop.Name() && s.lifted == 0 {
				s.lifted = at
			}
		}
	}
}

// checkStops checks a patch that is about to leave against the stops. A task
// that reads the stops must obey them; one that reads none was begun knowing
// them all.
func (w *world) checkStops(ch *change) {
	me := w.s.cur
	from, to := me.stopsFrom, me.stopsTo
	if from == 0 {
		from, to = me.begun, w.s.now
	}
	for _, s := range w.stops {
		if s.blocks(ch) && s.set < from && (s.lifted == 0 || s.lifted > to) {
			w.stopViolations++
			w.breach(ch.offer, "%s row %d is sent although %s was stopped at %.3fs", ch.batch.id, ch.n, s.Name(), s.set.Seconds())
		}
	}
}

// stopReach is the most time between a stop and the last arrival at Amazon of a
// request that was in hand: the engine's deadline of a request.
const stopReach = 10*time.Second + 100*time.Millisecond

// checkArrival checks the same without looking into the engine.
func (w *world) checkArrival(ch *change) {
	for _, s := range w.stops {
		if s.blocks(ch) && s.lifted == 0 && w.s.now-s.set > stopReach {
			w.stopViolations++
			w.breach(ch.offer, "%s row %d arrives %s after %s was stopped", ch.batch.id, ch.n, w.s.now-s.set, s.Name())
		}
	}
}

// readStops notes when the running task read which of the stops.
func (w *world) readStops(k store.Key) {
	if k.PK != "stop" {
		return
	}
	if k.SK != "" { // the global one comes first
		w.s.cur.stopsFrom = w.s.now
	}
	w.s.cur.stopsTo = w.s.now
}
