package lane

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// A stop is a kill switch: while it stands, nothing in its scope is sent. Every
// lane reads the stops before every single request, so that one takes effect
// within one request per lane. Nothing is lost: rows wait where they are, and
// go on when the stop is lifted.

// Scope says what a stop stops.
type Scope string

// The scopes of stops.
const (
	ScopeGlobal      Scope = "global"      // everything of everybody; operators only
	ScopeTenant      Scope = "tenant"      // everything of the tenant
	ScopeConnection  Scope = "connection"  // one seller account
	ScopeMarketplace Scope = "marketplace" // one marketplace, in all connections
	ScopeBatch       Scope = "batch"       // one batch: it is paused
)

// Stop is a standing stop.
type Stop struct {
	Scope  Scope
	ID     string // connection, marketplace or batch; "" for global and tenant
	Actor  string
	Reason string
	Since  time.Time

	calls int64 // of what is no stop but a call, see urgent.go
}

// Name names the stop within its tenant, e.g. "tenant" or "marketplace.A1PA6795UKMFR9".
func (s Stop) Name() string {
	if s.ID == "" {
		return string(s.Scope)
	}
	return string(s.Scope) + "." + s.ID
}

// ErrScope is returned for a stop whose scope and id do not fit each other.
var ErrScope = errors.New("lane: no such scope")

// ParseStop reads a name as Name writes it.
func ParseStop(name string) (Stop, error) {
	scope, id, _ := strings.Cut(name, ".")
	s := Stop{Scope: Scope(scope), ID: id}
	return s, s.validate()
}

func (s Stop) validate() error {
	switch s.Scope {
	case ScopeGlobal, ScopeTenant:
		if s.ID == "" {
			return nil
		}
	case ScopeConnection, ScopeMarketplace, ScopeBatch:
		if s.ID != "" && len(s.ID) <= 64 && !strings.ContainsAny(s.ID, "./#") {
			return nil
		}
	}
	return fmt.Errorf("%w: %q", ErrScope, s.Name())
}

const (
	stopPK  = "stop"
	aBy     = "by"
	aLifted = "lifted"
	// liftedFor is how long a lifted stop is kept.
	liftedFor = 30 * 24 * time.Hour
	// stopWait is how long a lane that has only stopped rows sleeps; lifting the
	// stop wakes it.
	stopWait = 15 * time.Minute
)

// key is where the stop is kept: a global one in the directory.
func (s Stop) key(t tenant.ID) (tenant.ID, store.Key) {
	if s.Scope == ScopeGlobal {
		t = store.Directory
	}
	return t, store.Key{PK: stopPK, SK: s.Name()}
}

// Stops keeps the stops. Only DB and Bell are needed by who sets them.
type Stops struct {
	DB   store.DB
	Bell Bell
}

// Set makes a stop stand; one that stands already is left as it is. From the
// moment Set returns every lane in the scope sends at most the request that it
// has in hand.
func (s Stops) Set(ctx context.Context, t tenant.ID, stop Stop) error {
	if err := stop.validate(); err != nil {
		return err
	}
	at, key := stop.key(t)
	err := s.DB.Put(ctx, at, store.Offers, store.Item{Key: key, Attrs: map[string]any{
		aBy: stop.Actor, aReason: stop.Reason, aSince: store.Millis(s.Bell.Now()),
	}}, store.AnyOf(store.Absent(), store.Has(aLifted)))
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lane: set stop: %w", err)
	}
	s.wakeFeeds(ctx, t, stop)
	return nil
}

// Lift takes a stop away and rings the lanes that it held. One that does not
// stand is store.ErrNotFound.
//
// Crash points: after the write nothing is stopped any more; lanes that were not
// rung look again by themselves within stopWait.
func (s Stops) Lift(ctx context.Context, t tenant.ID, actor string, stop Stop) error {
	if err := stop.validate(); err != nil {
		return err
	}
	at, key := stop.key(t)
	// Kept for a while, so that the ledger hears who lifted it.
	_, err := s.DB.Update(ctx, at, store.Offers, key, store.Update{
		Set: map[string]any{aLifted: store.Millis(s.Bell.Now()), aBy: actor, "ttl": s.Bell.Now().Add(liftedFor).Unix()},
		If:  []store.Cond{store.Exists(), store.Missing(aLifted)},
	})
	if errors.Is(err, store.ErrConflict) {
		return store.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("lane: lift stop: %w", err)
	}
	return Registered(ctx, s.DB, func(owner tenant.ID, c price.ConnectionID) error {
		if stop.Scope != ScopeGlobal && owner != t || stop.Scope == ScopeConnection && string(c) != stop.ID {
			return nil
		}
		return s.Bell.Ring(ctx, Doorbell{Kind: KindLane, Tenant: owner, Connection: c}, 0)
	})
}

// List returns the stops that stand for the tenant, a global one included.
func (s Stops) List(ctx context.Context, t tenant.ID) ([]Stop, error) {
	all, err := s.read(ctx, t)
	return slices.DeleteFunc(all, func(x Stop) bool { return x.Scope == scopeCall }), err
}

// read returns the stops that stand, and the calls for urgent work.
func (s Stops) read(ctx context.Context, t tenant.ID) ([]Stop, error) {
	var out []Stop
	it, err := s.DB.Get(ctx, store.Directory, store.Offers, store.Key{PK: stopPK, SK: string(ScopeGlobal)})
	switch {
	case err == nil && it.Int(aLifted) == 0:
		out = append(out, decodeStop(it))
	case err == nil:
	case !errors.Is(err, store.ErrNotFound):
		return nil, fmt.Errorf("lane: read stops: %w", err)
	}
	page, err := s.DB.Query(ctx, t, store.Offers, store.Query{PK: stopPK})
	if err != nil {
		return nil, fmt.Errorf("lane: read stops: %w", err)
	}
	for _, it := range page.Items {
		if it.Int(aLifted) == 0 {
			out = append(out, decodeStop(it))
		}
	}
	return out, nil
}

func decodeStop(it store.Item) Stop {
	scope, id, _ := strings.Cut(it.SK, ".")
	return Stop{Scope: Scope(scope), ID: id, Actor: it.Str(aBy), Reason: it.Str(aReason), Since: it.Time(aSince), calls: it.Int(aCalls)}
}

// standing are the stops as a lane last saw them.
type standing []Stop

// blocks reports whether a row may not be sent. With marketplace "" it reports
// whether nothing of the batch may be.
func (s standing) blocks(c price.ConnectionID, m price.MarketplaceID, batch string) bool {
	for _, x := range s {
		switch x.Scope {
		case ScopeGlobal, ScopeTenant:
			return true
		case ScopeConnection:
			if x.ID == string(c) {
				return true
			}
		case ScopeMarketplace:
			if x.ID == string(m) {
				return true
			}
		case ScopeBatch:
			if x.ID == batch {
				return true
			}
		}
	}
	return false
}

// pauses reports whether the batch itself is stopped.
func (s standing) pauses(batch string) bool {
	return slices.ContainsFunc(s, func(x Stop) bool { return x.Scope == ScopeBatch && x.ID == batch })
}

// halted reports whether the whole batch is stopped.
func (d *driver) halted(w *work) bool { return d.stops.blocks(d.lease.conn, "", w.j.Batch) }

// obey takes over the stops as they were just read. Rows that were held back by
// one that is gone are announced again.
func (d *driver) obey(read standing) {
	stops := d.listen(read)
	was := d.stops
	d.stops = stops
	for _, w := range d.works {
		if was.pauses(w.j.Batch) && !stops.pauses(w.j.Batch) {
			w.freshTally()
		}
		kept := w.stopped[:0]
		for _, r := range w.stopped {
			if stops.blocks(d.lease.conn, r.Marketplace, w.j.Batch) {
				kept = append(kept, r)
			} else {
				w.again = append(w.again, r)
			}
		}
		w.stopped = kept
	}
}

// holdBack keeps a row that a stop forbids to send. Its intent is withdrawn: it
// was certainly not sent.
func (w *work) holdBack(r *row) {
	w.stopped = append(w.stopped, r)
	w.unsent(r)
}

// stopEvents are the ledger events of a stop.
func stopEvents(r store.Record) []ledger.Event {
	if isCall(r.Key) {
		return nil
	}
	was := r.Old != nil && r.Old.Int(aLifted) == 0
	is := r.New.Int(aLifted) == 0
	if was == is {
		return nil
	}
	e := ledger.Event{Type: ledger.StopSet, At: r.At, Actor: r.New.Str(aBy), Target: "stop:" + r.Key.SK, Source: string(store.Offers)}
	if !is {
		e.Type = ledger.StopLifted
	} else {
		e.After = raw(map[string]string{"reason": r.New.Str(aReason)})
	}
	return []ledger.Event{e}
}
