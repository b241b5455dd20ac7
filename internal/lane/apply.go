package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// stagers is how many rows are staged at the same time.
const stagers = 16

// movedLimit: more than one row in this many having moved refuses the batch
// before the commit, because the seller did not see what would happen.
const movedLimit = 100

// NewBatch is what a batch is made of when its plan was accepted.
type NewBatch struct {
	ID, Plan, File, Actor string
	Strict                bool // all or nothing
	Rows                  map[price.ConnectionID]int64
	Priority              int  // PriorityBulk and below
	Now                   bool // the caller activates it at once; the doorbell is the net under that
	Trace                 string
	// At is when it begins, the zero time for at once; at most LongestWait ahead.
	At time.Time
	// RevertAt is when it is taken back by itself, the zero time for never; later
	// than At, and at most LongestWait ahead.
	RevertAt time.Time
	Reverts  string // the batch that it takes back, "" for none
}

// activateWithin is when a batch that its caller activates at once is looked at
// again, in case that failed.
const activateWithin = 5 * time.Second

// Create makes the batch and rings for its staging. It can be repeated: a batch
// that exists is left as it is and rung again.
//
// Crash points: the marker comes first, so that a batch which was written but
// not rung is found by the sweep; a marker without a batch is closed by Apply. So
// it is with the note of when a scheduled batch is due.
func (s *Batches) Create(ctx context.Context, t tenant.ID, b NewBatch, bell Bell) error {
	d := Doorbell{Kind: KindApply, Tenant: t, Batch: b.ID}
	state, announce := Staging, bell.Announce
	if !b.At.IsZero() {
		state, announce = Scheduled, func(ctx context.Context, d Doorbell) error { return bell.remind(ctx, d, b.At) }
	}
	if err := announce(ctx, d); err != nil {
		return err
	}
	if !b.RevertAt.IsZero() {
		if err := bell.remind(ctx, revertBell(t, b.ID), b.RevertAt); err != nil {
			return err
		}
	}
	attrs := map[string]any{
		aBatchState: string(state), aPlan: b.Plan, aFile: b.File, aActor: b.Actor, aCreated: store.Millis(bell.Now()),
		aPolicy: b.Strict, aRows: mustJSON(b.Rows), aTrace: b.Trace,
	}
	if !b.At.IsZero() {
		attrs[aAt] = store.Millis(b.At)
	}
	if !b.RevertAt.IsZero() {
		attrs[aRevert], attrs[aRevertAt], attrs[aRevertBy] = string(RevertWaiting), store.Millis(b.RevertAt), b.Actor
	}
	if b.Reverts != "" {
		attrs[aReverts] = b.Reverts
	}
	if b.Priority != PriorityBulk {
		attrs[aPriority] = int64(b.Priority)
	}
	err := s.db.Put(ctx, t, store.Offers, store.Item{Key: batchKey(b.ID), Attrs: attrs}, store.Absent())
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("lane: create batch: %w", err)
	}
	if state == Scheduled {
		return nil
	}
	delay := time.Duration(0)
	if b.Now {
		delay = activateWithin
	}
	return bell.Ring(ctx, d, delay)
}

// Apply stages the rows of a batch and commits it. It is a resumable job: the
// batch item keeps the cursor, and staging a row twice is noticed.
//
// Crash points: a staged row counts for nothing until the commit; the commit is
// one transaction; rings that get lost after it are made up for by the markers,
// which are opened before it.
func (e *Engine) Apply(ctx context.Context, t tenant.ID, id string) error {
	d := Doorbell{Kind: KindApply, Tenant: t, Batch: id}
	seq, err := seenOpen(ctx, e.DB, d)
	if err != nil {
		return err
	}
	it, err := e.DB.Get(ctx, t, store.Offers, batchKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return closeMarker(ctx, e.DB, d, seq)
	}
	if err != nil {
		return err
	}
	if BatchState(it.Str(aBatchState)) == Scheduled {
		if it, err = e.begin(ctx, t, it); err != nil {
			return err
		}
		if BatchState(it.Str(aBatchState)) == Scheduled && it.Time(aAt).Sub(e.Clock.Now()) <= EarlyBy {
			return nil
		}
	}
	done, err := e.activate(ctx, t, it)
	switch {
	case errors.Is(err, errStaging):
		return e.waitStaging(ctx, t, id, d)
	case err != nil:
		return err
	case !done:
		return e.Bell.send(ctx, d, 0) // go on in a fresh invocation
	}
	return closeMarker(ctx, e.DB, d, seq)
}

// Activate stages and commits a batch made with Now, without waiting for its
// doorbell. What it does not get done, and an error leaves, is done by that; it
// also closes the marker.
func (e *Engine) Activate(ctx context.Context, t tenant.ID, id string) error {
	it, err := e.DB.Get(ctx, t, store.Offers, batchKey(id))
	if err != nil {
		return err
	}
	_, err = e.activate(ctx, t, it)
	return err
}

// activate reports false when there was no time to stage everything.
func (e *Engine) activate(ctx context.Context, t tenant.ID, it store.Item) (done bool, err error) {
	b, err := decodeBatch(it)
	if err != nil {
		return false, err
	}
	if b.State == Staging {
		stop := e.Clock.Now().Add(e.Config.withDefaults().Slice)
		for _, c := range b.connections() {
			if done, err := e.stageConnection(ctx, t, &b, c, stop); !done || err != nil {
				return false, err
			}
		}
		if err := e.commit(ctx, t, &b); err != nil {
			return false, err
		}
	}
	// Also reached when the commit was done by an earlier run that died here.
	if b.State == Sending {
		for _, c := range b.connections() {
			if b.Priority < PriorityBulk {
				if err := e.Bell.call(ctx, t, c); err != nil {
					return false, err
				}
			}
			if err := e.Bell.Ring(ctx, Doorbell{Kind: KindLane, Tenant: t, Connection: c, Trace: b.trace}, 0); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// errStaging says that another batch that is being staged has an offer first.
// Whether the row moved is only known once that batch was committed or refused.
// No two batches wait for each other: who waits was planned after the other one
// had staged the offer.
var errStaging = errors.New("lane: another batch is staging the same offer")

// stageConnection stages the rows of one connection, chunk by chunk, until stop.
func (e *Engine) stageConnection(ctx context.Context, t tenant.ID, b *Batch, c price.ConnectionID, stop time.Time) (done bool, err error) {
	for b.stagedTo[c] < b.Rows[c] {
		if !e.Clock.Now().Before(stop) {
			return false, nil
		}
		from := b.stagedTo[c]
		rows, err := e.Planned(ctx, t, b.Plan, c, from, rowsPerChunk)
		if err != nil {
			return false, fmt.Errorf("lane: planned rows: %w", err)
		}
		if len(rows) == 0 {
			return false, fmt.Errorf("lane: plan %s has fewer rows than it says", b.Plan)
		}
		if err := e.stageChunk(ctx, t, b, c, from, rows); err != nil {
			return false, err
		}
	}
	return true, nil
}

// stageChunk stages rows, writes the row file of those that were staged and the
// list of those that moved, and then moves the cursor. A crash before the
// cursor moves repeats all of it with the same result. A worker that comes late,
// after the commit, may find other rows moved: it leaves written files alone.
func (e *Engine) stageChunk(ctx context.Context, t tenant.ID, b *Batch, c price.ConnectionID, from int64, rows []Row) error {
	staged := make([]bool, len(rows))
	err := e.beside(ctx, len(rows), func(ctx context.Context, i int) (err error) {
		staged[i], err = e.stage(ctx, t, b.ID, c, rows[i])
		return err
	})
	if err != nil {
		return fmt.Errorf("lane: stage: %w", err)
	}
	var kept, moved []Row
	for i, ok := range staged {
		if ok {
			kept = append(kept, rows[i])
		} else {
			moved = append(moved, rows[i])
		}
	}
	next := stagedSoFar{To: from + int64(len(rows)), Chunks: b.chunks[c]}
	if len(kept) > 0 {
		name := chunkName(b.ID, c, len(next.Chunks))
		if err := e.putOnce(ctx, t, name, kept); err != nil {
			return err
		}
		next.Chunks = append(next.Chunks, int64(len(kept)))
	}
	if len(moved) > 0 {
		if err := e.putOnce(ctx, t, movedName(b.ID, c, from), moved); err != nil {
			return err
		}
	}
	old := mustJSON(stagedSoFar{To: from, Chunks: b.chunks[c]})
	cond := store.Eq(stagedAttr(c), old)
	if from == 0 {
		cond = store.Missing(stagedAttr(c))
	}
	_, err = e.DB.Update(ctx, t, store.Offers, batchKey(b.ID), store.Update{
		Set: map[string]any{stagedAttr(c): mustJSON(next)}, Add: map[string]int64{aMoved: int64(len(moved))},
		If: []store.Cond{store.Eq(aBatchState, string(Staging)), cond},
	})
	if err != nil {
		// Another worker staged the same chunk at the same time: let it go on.
		return fmt.Errorf("lane: move staging cursor: %w", err)
	}
	b.stagedTo[c], b.chunks[c] = next.To, next.Chunks
	b.Moved += int64(len(moved))
	return nil
}

// putOnce writes a row file that is not there yet. All workers that look before
// the commit have the same rows for it.
func (e *Engine) putOnce(ctx context.Context, t tenant.ID, name string, rows []Row) error {
	_, err := e.Blobs.Get(ctx, t, store.Files, name)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return e.Blobs.Put(ctx, t, store.Files, name, "application/x-ndjson", encodeRows(rows))
}

// beside runs call for 0 to n-1, at most stagers at a time, and returns the first
// error once all that were begun have ended. No further one is begun after it.
func (e *Engine) beside(ctx context.Context, n int, call func(context.Context, int) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	f := e.flightFor(stagers)
	var first error
	for begun, open := 0, 0; open > 0 || (begun < n && first == nil); {
		if begun < n && first == nil && open < stagers {
			i := begun
			f.Go(func() func() {
				err := call(ctx, i)
				return func() {
					if first == nil && err != nil {
						first = err
						stop()
					}
				}
			})
			begun, open = begun+1, open+1
			continue
		}
		if end, ok := f.Wait(context.WithoutCancel(ctx), forever); ok {
			open--
			end()
		}
	}
	return first
}

// stage writes what the batch wants into the offer item, if the offer is still
// as the plan saw it. It reports false when the offer moved. Both answers are
// final as long as the batch is not committed: versions only grow, and nobody
// takes a staged row of an uncommitted batch away. So workers that stage the
// same rows at the same time agree.
func (e *Engine) stage(ctx context.Context, t tenant.ID, batch string, c price.ConnectionID, r Row) (bool, error) {
	for range 4 {
		ok, err := e.stageOnce(ctx, t, batch, c, r)
		if !errors.Is(err, store.ErrConflict) {
			return ok, err
		}
		// The item changed between the look and the write: look again.
	}
	return false, fmt.Errorf("offer %s keeps changing: %w", r.SKU, store.ErrConflict)
}

func (e *Engine) stageOnce(ctx context.Context, t tenant.ID, batch string, c price.ConnectionID, r Row) (bool, error) {
	key := offerKey(price.OfferKey{Connection: c, Marketplace: r.Marketplace, SKU: r.SKU})
	next := map[string]any{aNextBatch: batch, aNextRow: r.N, aNextEdit: mustJSON(r.Edit)}
	_, err := e.DB.Update(ctx, t, store.Offers, key, store.Update{
		Set: next, Add: map[string]int64{aVersion: 1},
		If: []store.Cond{store.Eq(aVersion, r.Version), store.Missing(aNextBatch)},
	})
	if err == nil {
		return true, nil
	}
	if !errors.Is(err, store.ErrConflict) {
		return false, err
	}
	it, gerr := e.DB.Get(ctx, t, store.Offers, key)
	if errors.Is(gerr, store.ErrNotFound) {
		return false, nil
	}
	if gerr != nil {
		return false, gerr
	}
	if c, _ := mustOffer(it).wants(batch, r.N); c != nil {
		return true, nil // staged by an earlier run of this job
	}
	if it.Int(aVersion) != r.Version {
		return false, nil
	}
	if it.Str(aNextBatch) == "" {
		return false, err // it was promoted meanwhile
	}
	return e.stageOver(ctx, t, key, it, next)
}

// stageOver stages on top of an earlier batch's staged change that no lane has
// sent yet. The earlier one becomes the current change first, in the same write,
// so that it is still there should this batch be refused.
func (e *Engine) stageOver(ctx context.Context, t tenant.ID, key store.Key, it store.Item, next map[string]any) (bool, error) {
	prev := it.Str(aNextBatch)
	state, err := e.DB.Get(ctx, t, store.Offers, batchKey(prev))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	up := store.Update{Set: next, Add: map[string]int64{aVersion: 1}, If: []store.Cond{
		store.Eq(aVersion, it.Int(aVersion)), store.Eq(aNextBatch, prev), store.Eq(aNextRow, it.Int(aNextRow)),
	}}
	switch BatchState(state.Str(aBatchState)) {
	case Staging:
		return false, errStaging
	case Sending, Done:
		up.Set[aBatch], up.Set[aRow] = prev, it.Int(aNextRow)
		edit, brings, err := e.stagedOver(ctx, t, it)
		if err != nil {
			return false, err
		}
		up.Set[aEdit], up.Set[aOld] = mustJSON(edit), it.Bytes(aKnown)
		up.Set[aState], up.Set[aStateAt] = string(Desired), store.Millis(e.Clock.Now())
		up.Add[aChange] = 1
		up.Remove = []string{aSubmission, aIssue}
		if brings != "" {
			up.Set[aBrings] = brings
		} else {
			up.Remove = append(up.Remove, aBrings)
		}
	case Refused, "":
		// Nothing of it counts: it is simply replaced.
	}
	_, err = e.DB.Update(ctx, t, store.Offers, key, up)
	return err == nil, err
}

func mustOffer(it store.Item) record {
	r, err := decodeOffer(it)
	if err != nil {
		return record{}
	}
	return r
}

// commit activates the batch, or refuses it when too many rows moved. From here
// on its staged rows count.
func (e *Engine) commit(ctx context.Context, t tenant.ID, b *Batch) error {
	var rows int64
	for _, n := range b.Rows {
		rows += n
	}
	// Of a batch that takes another back by itself nobody has looked at the plan: what
	// moved stays behind, the rest is taken back.
	if (b.Strict && b.Moved > 0) || (b.Reverts == "" && b.Moved*movedLimit > rows) {
		b.State = Refused
		_, err := e.DB.Update(ctx, t, store.Offers, batchKey(b.ID), store.Update{
			Set: map[string]any{aBatchState: string(Refused), aFinished: store.Millis(e.Clock.Now()), aReason: fmt.Sprintf(
				"%d of %d offers changed after the plan was made; nothing was sent. Make a new plan and look at the difference.", b.Moved, rows)},
			If: []store.Cond{store.Eq(aBatchState, string(Staging))},
		})
		return err
	}
	// The markers before the commit: a crash right after it leaves lanes that
	// the sweep finds.
	writes := make([]store.Write, 0, len(b.Rows)+1)
	set := map[string]any{aBatchState: string(Sending)}
	for _, c := range b.connections() {
		if err := register(ctx, e.DB, t, c); err != nil {
			return err
		}
		if err := e.Bell.Announce(ctx, Doorbell{Kind: KindLane, Tenant: t, Connection: c}); err != nil {
			return err
		}
		var n int64
		for _, k := range b.chunks[c] {
			n += k
		}
		j := journal{Rows: n, Chunks: b.chunks[c], Created: store.Millis(b.Created), Counts: Counts{Desired: n}, Priority: b.Priority}
		writes = append(writes, store.Write{Tenant: t, Table: store.Offers,
			Put: &store.Item{Key: workKey(c, b.ID), Attrs: map[string]any{aJournal: mustJSON(j)}}, If: []store.Cond{store.Absent()}})
	}
	writes = append(writes, store.Write{Tenant: t, Table: store.Offers, Key: batchKey(b.ID),
		Update: &store.Update{Set: set, If: []store.Cond{store.Eq(aBatchState, string(Staging))}}})
	if err := e.DB.Transact(ctx, writes...); err != nil {
		return fmt.Errorf("lane: commit batch: %w", err)
	}
	b.State = Sending
	return nil
}
