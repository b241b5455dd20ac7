package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const (
	// calm is how long a tenant of whom everything was found is left alone, less than
	// a stream remembers.
	calm = 20 * time.Hour
	// again is how long after something was missed it is looked for once more: longer
	// than a stream that works is behind.
	again = 30 * time.Minute
	// maxTold bounds the gaps of which events are written by one comparison; there
	// is another one soon.
	maxTold = 500
	// maxShown bounds what a gap's event says of the item's state, in bytes.
	maxShown = 32 << 10

	// apart is how much earlier the ledger's clock may be than ours.
	apart = 10 * time.Second

	gapPrefix = "gap-" // of the outbox's keys
	system    = "system:scheduler"
)

// Reconciler compares what items say with what the ledger was told.
type Reconciler struct {
	DB      store.DB
	Blobs   store.Blobs
	Ledger  *ledger.Log
	Mappers map[store.Table]ledger.Mapper
	Outbox  ledger.Outbox // takes the events about gaps
	Clock   clock.Clock
	// Closed reports whose erasure has begun: nothing is kept of them any more.
	Closed func(context.Context, tenant.ID) (bool, error)
}

// Result is what a comparison found.
type Result struct {
	Due  bool // the others are zero when it was not
	Open int  // facts that the ledger has nothing of yet
	Gaps int  // items of which it had nothing the time before either
}

// Run compares a tenant's items, those of the connections' lanes included, if it is
// time to.
//
// Crash points: the snapshot is written last, and events about gaps have keys that
// say which, so that a comparison that is cut off is made again and tells nothing
// twice. What was missed stays open until the ledger has it or an event about it.
func (r *Reconciler) Run(ctx context.Context, t tenant.ID, conns []price.ConnectionID) (Result, error) {
	began := r.Clock.Now()
	last, err := r.load(ctx, t)
	if err != nil {
		return Result{}, err
	}
	wait := calm
	if len(last.open) > 0 {
		wait = again
	}
	if !last.at.IsZero() && began.Sub(last.at) < wait {
		return Result{}, nil
	}
	c := comparison{tenant: t, last: last, next: snapshot{at: began, open: map[Digest]time.Time{}}}
	for _, p := range places(conns) {
		if err := items(ctx, r.DB, t, p, func(it store.Item) error { c.see(r.Mappers[p.table], p.table, it); return nil }); err != nil {
			return Result{}, err
		}
	}
	// The ledger is read after the items: whatever an item says was said before.
	if c.heard, err = r.Ledger.Since(ctx, t, last.since()); err != nil {
		return Result{}, err
	}
	gaps := c.judge(r.Outbox.Table)
	for i, g := range gaps {
		if i == maxTold {
			break
		}
		if err := r.tell(ctx, t, g, c.next.open); err != nil {
			return Result{}, err
		}
	}
	// After the look at the ledger: of a tenant who is being erased nothing new is
	// kept, save in the moment between these two calls, for which the erasure waits.
	if closed, err := r.Closed(ctx, t); err != nil || closed {
		return Result{}, err
	}
	b, err := c.next.encode()
	if err != nil {
		return Result{}, err
	}
	if err := r.Blobs.Put(ctx, t, store.History, snapshotName, "application/octet-stream", b); err != nil {
		return Result{}, fmt.Errorf("audit: keep the comparison of %s: %w", t, err)
	}
	return Result{Due: true, Open: len(c.next.open), Gaps: len(gaps)}, nil
}

// comparison is one under way.
type comparison struct {
	tenant     tenant.ID
	last, next snapshot
	suspects   []suspect
	heard      ledger.Heard
}

// suspect is an item with facts that were not there the last time.
type suspect struct {
	table store.Table
	key   store.Key
	facts map[Digest]ledger.Event
}

// see takes an item in.
func (c *comparison) see(mapper ledger.Mapper, table store.Table, it store.Item) {
	if it.PK == "outbox" && strings.HasPrefix(it.SK, "event#"+gapPrefix) {
		return // about what was missed: it is looked for with that
	}
	s := suspect{table: table, key: it.Key, facts: map[Digest]ledger.Event{}}
	for d, e := range Facts(mapper, c.tenant, table, it) {
		if c.last.has(d) {
			c.next.facts = append(c.next.facts, d)
		} else {
			s.facts[d] = e
		}
	}
	if len(s.facts) > 0 {
		c.suspects = append(c.suspects, s)
	}
}

// judge clears those that the ledger has heard of since all was well, or that an
// event about the gap is there of. It returns the others that were missed before.
func (c *comparison) judge(outbox store.Table) (gaps []suspect) {
	for _, s := range c.suspects {
		missed := suspect{table: s.table, key: s.key, facts: map[Digest]ledger.Event{}}
		for d, e := range s.facts {
			since, before := c.last.open[d]
			if !before {
				since = c.last.at
			}
			heard := c.heard.Of(s.table, s.key)
			if told := c.heard.Of(outbox, store.Key{PK: "outbox", SK: "event#" + gapKey(d, since)}); told.After(heard) {
				heard = told
			}
			if !heard.IsZero() && !heard.Before(since.Add(-apart)) {
				c.next.facts = append(c.next.facts, d)
				continue
			}
			c.next.open[d] = since
			if before {
				missed.facts[d] = e
			}
		}
		if len(missed.facts) > 0 {
			gaps = append(gaps, missed)
		}
	}
	return gaps
}

// gapKey names a gap in the outbox: what was missed, and since when, for the same may
// be missed again.
func gapKey(d Digest, since time.Time) string {
	return fmt.Sprintf("%s%x-%d", gapPrefix, d, store.Millis(since))
}

// tell has the ledger told of what was missed.
func (r *Reconciler) tell(ctx context.Context, t tenant.ID, s suspect, since map[Digest]time.Time) error {
	for d, e := range s.facts {
		e.Source = "" // nothing brought it
		if e.At.Equal(unknown) {
			e.At = time.Time{}
		}
		after, err := json.Marshal(map[string]any{"table": s.table, "missed": e})
		if err == nil && len(after) > maxShown {
			after, err = json.Marshal(map[string]any{"table": s.table, "missed": ledger.Event{Type: e.Type, Target: e.Target, Batch: e.Batch}})
		}
		if err != nil {
			return fmt.Errorf("audit: what was missed: %w", err)
		}
		gap := ledger.Event{Type: ledger.Gap, At: r.Clock.Now(), Actor: system, Target: e.Target, Batch: e.Batch, After: after}
		if err := r.Outbox.Record(ctx, t, gapKey(d, since[d]), gap); err != nil {
			return err
		}
	}
	return nil
}
