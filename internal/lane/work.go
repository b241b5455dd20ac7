package lane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

// work is one batch in this lane as the worker sees it: its journal, and the
// rows between the first unfinished one and the last one announced.
type work struct {
	j       journal
	rows    map[int64]*row // Low <= index < High
	ready   []*row         // announced, not yet launched
	again   []*row         // to be announced (once more) before they may be sent
	stopped []*row         // held back by a stop
	chunk   int            // loaded row file, -1 for none
	loaded  []Row
	dirty   bool
	written time.Time

	inFeed   map[int64]fed // rows that belong to a feed which is not settled
	feedRows map[int]int64 // how many those are, by feed
}

// row is one change under way.
type row struct {
	Row
	w        *work
	own      price.Edit // as the plan has it; Edit is what is written, see carry.go
	index    int64      // place in the row files
	key      price.OfferKey
	state    State
	staged   bool         // the offer item still has it as staged
	old      price.Prices // what the offer showed before
	kind     string       // Amazon's product type, "" when not known
	attempt  int          // sends announced: 1 is the first, more follow lost answers
	lost     int          // sends of this worker that got no answer
	notAfter time.Time
	sentAt   time.Time // acceptance, or the last send of an unknown one
	readAt   time.Time // when the next read-back is due; zero while none is
	waits    int       // counts the times it was given
	first    time.Time // first acceptance or first loss of an answer
	fed      bool      // went by feed, or met one: how long it took tells nothing
	met      bool      // a feed was under way when it was seen: it must be seen again
	over     bool      // sent again because a feed wrote over it
	alone    bool      // Amazon refused it together with other marketplaces
	brings   string    // the batch whose fields it brings along, "" for none: see carry.go

	apart   bool         // goes in steps, see widen.go
	left    int          // steps left when one was accepted, 0 when none is awaited
	shown   price.Prices // what the listing showed last
	shownAt time.Time    // when that read was begun; zero before the first one
}

// openWork fences the journal of a batch, so that a worker who still believes
// in an old lease can write it no more, and rebuilds the rows under way.
func (d *driver) openWork(ctx context.Context, batch string) (*work, error) {
	it, err := d.e.DB.Update(ctx, d.lease.tenant, store.Offers, workKey(d.lease.conn, batch), store.Update{
		Set: map[string]any{aFence: d.lease.fence},
		If:  []store.Cond{store.Exists(), store.AnyOf(store.Missing(aFence), store.Le(aFence, d.lease.fence))},
	})
	if err != nil {
		return nil, lostOr(err, "open journal")
	}
	j, err := decodeJournal(it)
	if err != nil {
		return nil, err
	}
	w := &work{j: j, rows: map[int64]*row{}, chunk: -1, written: d.e.Clock.Now()}
	if err := d.reopenFeeds(ctx, w); err != nil {
		return nil, err
	}
	return w, d.recover(ctx, w)
}

// recover rebuilds the rows that an earlier owner announced. What the offer
// item says decides; a row that was announced but has no outcome may have been
// sent, and is treated as unknown until notAfter has passed and a read was made.
func (d *driver) recover(ctx context.Context, w *work) error {
	announced := map[int64]Intent{}
	for _, i := range w.j.Intents {
		announced[i.Row] = i
	}
	now := d.e.Clock.Now()
	for from := w.j.Low; from < w.j.High; {
		if _, in := w.inFeed[from]; in {
			from++
			continue
		}
		to := from + 1
		for _, in := w.inFeed[to]; to < w.j.High && !in; _, in = w.inFeed[to] {
			to++
		}
		rows, err := d.load(ctx, w, from, to-from)
		if err != nil {
			return err
		}
		recs, err := d.records(ctx, rows)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := d.revive(ctx, r, recs[r.key], announced[r.index], now); err != nil {
				return err
			}
			w.rows[r.index] = r
		}
		from += int64(len(rows))
	}
	w.dirty = true
	return nil
}

// revive takes up one row as its offer item and its intent have it.
func (d *driver) revive(ctx context.Context, r *row, rec record, i Intent, now time.Time) error {
	c, staged := rec.wants(r.w.j.Batch, r.N)
	r.staged, r.old = staged, rec.Known
	d.whole(r, rec)
	sent := i.NotAfter != 0
	r.attempt, r.notAfter = i.Attempt, i.notAfter()
	r.apart, r.shown = i.Apart, rec.Known
	switch {
	case c == nil:
		r.state = Superseded
	case c.State.Terminal():
		r.state = c.State
	case c.State == Accepted && (!sent || !i.Over):
		r.state, r.first, r.sentAt = Accepted, c.At, c.At
		d.await(r, later(c.At.Add(d.visible), now))
	case d.reviveStep(r, i, now):
	case sent || c.State == Unknown:
		if !sent {
			r.notAfter = c.At // of a feed, which had ended when this was written
		}
		r.first, r.sentAt = now, now
		d.await(r, later(r.notAfter, now))
		d.busy[r.key] = r.notAfter
		if c.State == Desired {
			v := verdict{state: Unknown, issue: "the worker that sent it stopped before Amazon's answer was recorded"}
			if _, err := d.settle(ctx, r, v); err != nil {
				return err
			}
			r.staged = false
		}
		r.state = Unknown
	case r.apart: // not sent, but what shows says which step is next
		r.state, r.first, r.sentAt = Unknown, now, now
		d.await(r, now)
	default: // announced rows only are below High; be safe about a row that is not
		r.state = Sent
		r.w.again = append(r.w.again, r)
	}
	return nil
}

// load returns the rows from index from, at most n and not beyond the row file
// that holds the first one.
func (d *driver) load(ctx context.Context, w *work, from, n int64) ([]*row, error) {
	chunk, place := w.j.chunkOf(from)
	if chunk != w.chunk {
		body, err := d.e.Blobs.Get(ctx, d.lease.tenant, store.Files, chunkName(w.j.Batch, d.lease.conn, chunk))
		if err != nil {
			return nil, fmt.Errorf("lane: rows of batch %s: %w", w.j.Batch, err)
		}
		rows, err := decodeRows(body)
		if err != nil {
			return nil, err
		}
		w.chunk, w.loaded = chunk, rows
	}
	if place >= int64(len(w.loaded)) {
		return nil, fmt.Errorf("lane: batch %s row %d is missing from its row file", w.j.Batch, from)
	}
	part := w.loaded[place:min(place+n, int64(len(w.loaded)))]
	out := make([]*row, len(part))
	for i, r := range part {
		out[i] = &row{Row: r, w: w, own: r.Edit, index: from + int64(i), state: Desired,
			key: price.OfferKey{Connection: d.lease.conn, Marketplace: r.Marketplace, SKU: r.SKU}}
	}
	return out, nil
}

func (d *driver) records(ctx context.Context, rows []*row) (map[price.OfferKey]record, error) {
	keys := make([]price.OfferKey, len(rows))
	for i, r := range rows {
		keys[i] = r.key
	}
	return NewOffers(d.e.DB).records(ctx, d.lease.tenant, keys)
}

// insert keeps the works in sending order: by priority, then oldest first.
func (d *driver) insert(w *work) {
	d.works = append(d.works, w)
	slices.SortStableFunc(d.works, func(a, b *work) int {
		return cmp.Or(cmp.Compare(a.j.Priority, b.j.Priority), cmp.Compare(a.j.Created, b.j.Created))
	})
}

// hasMore reports whether the batch has rows to announce.
func (w *work) hasMore(window int64) bool {
	return len(w.again) > 0 || (w.j.Route.Kind != ByFeed && w.j.High < w.j.Rows && w.j.High-w.j.Low < window)
}

// sendable returns from when a row of the batch may be sent, Amazon's budget
// aside; the zero time is at once.
func (d *driver) sendable(w *work) (at time.Time, ok bool) {
	if d.halted(w) {
		return time.Time{}, false
	}
	for i, r := range w.ready {
		if until := d.busy[r.key]; i == 0 || until.Before(at) {
			at, ok = until, true
		}
	}
	if !ok && w.hasMore(d.cfg.Window) {
		return time.Time{}, true
	}
	return at, ok
}

// advance moves the lower cursor over rows that are done.
func (w *work) advance() {
	for {
		r, ok := w.rows[w.j.Low]
		if !ok || !r.state.Terminal() {
			return
		}
		w.j.Before[r.state]++
		delete(w.rows, w.j.Low)
		w.j.Low++
		w.dirty = true
	}
}

// withdraw takes back the intents of rows that were announced and certainly not
// sent, so that the next owner may send them at once.
func (w *work) withdraw() {
	for _, r := range w.ready {
		w.unsent(r)
	}
	// A worker that was rung while leaving stays, and has to announce them anew.
	w.again, w.ready = append(w.again, w.ready...), nil
}

func (w *work) unsent(r *row) {
	for i := range w.j.Intents {
		if w.j.Intents[i].Row == r.index {
			w.j.Intents[i].NotAfter = 0
			w.dirty = true
		}
	}
}

// set moves a row to another state.
func (r *row) set(s State) {
	r.state = s
	r.w.dirty = true
	if s.Terminal() {
		r.rest()
	}
}

// counts is the number of rows per state, all rows of the batch in this lane.
func (w *work) counts() Counts {
	c := Counts{}
	c.add(w.j.Before)
	for _, r := range w.rows {
		c[r.state]++
	}
	for n, rows := range w.feedRows {
		if f := w.j.feedAt(n); f.State == feedPlanned {
			c[Desired] += rows
		} else {
			c[Sent] += rows
		}
	}
	if n := w.j.Rows - w.j.High; n > 0 {
		c[Desired] += n
	}
	return c
}

// writeJournal writes cursor, counts and open intents. Only the lane's owner
// can: the fence on the item must not be newer than the lease's.
func (d *driver) writeJournal(ctx context.Context, w *work, now time.Time) error {
	w.j.Counts, w.j.At, w.j.Stopped = w.counts(), now.UnixMilli(), int64(len(w.stopped))
	w.j.Intents = slices.DeleteFunc(w.j.Intents, func(i Intent) bool {
		r, ok := w.rows[i.Row]
		// An intent stays until its row has an outcome in the offer item.
		return !ok || r.state == Accepted || r.state.Terminal()
	})
	_, err := d.e.DB.Update(ctx, d.lease.tenant, store.Offers, workKey(d.lease.conn, w.j.Batch), store.Update{
		Set: map[string]any{aJournal: mustJSON(w.j), aFence: d.lease.fence},
		If:  []store.Cond{store.Exists(), store.Le(aFence, d.lease.fence)},
	})
	if err != nil {
		return lostOr(err, "write journal")
	}
	w.dirty, w.written = false, now
	return nil
}

// finish closes the batch in this lane. Each step can be repeated, and the work
// item goes last, so that a crash in between is taken up by the next owner.
func (d *driver) finish(ctx context.Context, w *work) error {
	t := d.lease.tenant
	it, err := d.e.DB.Update(ctx, t, store.Offers, batchKey(w.j.Batch), store.Update{
		Set: map[string]any{doneAttr(d.lease.conn): mustJSON(w.counts()), routeAttr(d.lease.conn): mustJSON(routed{w.j.Route, w.j.Feeds})},
		If:  []store.Cond{store.Exists()},
	})
	if err != nil {
		return fmt.Errorf("lane: finish batch: %w", err)
	}
	b, err := decodeBatch(it)
	if err != nil {
		return err
	}
	all := true
	for c := range b.Rows {
		all = all && it.Bytes(doneAttr(c)) != nil
	}
	if all {
		_, err := d.e.DB.Update(ctx, t, store.Offers, batchKey(w.j.Batch), store.Update{
			Set: map[string]any{aBatchState: string(Done), aFinished: store.Millis(d.e.Clock.Now())},
			If:  []store.Cond{store.Eq(aBatchState, string(Sending))},
		})
		if err != nil && !errors.Is(err, store.ErrConflict) {
			return fmt.Errorf("lane: finish batch: %w", err)
		}
	}
	err = d.e.DB.Delete(ctx, t, store.Offers, workKey(d.lease.conn, w.j.Batch), store.Le(aFence, d.lease.fence))
	return lostOr(err, "close journal")
}
