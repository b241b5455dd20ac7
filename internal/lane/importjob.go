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

// RequestImport asks the lane of a connection to read the whole catalogue. An
// import that is under way goes on instead. It also frees a parked lane: it is
// called when a connection was authorised (again).
func (b Bell) RequestImport(ctx context.Context, t tenant.ID, c price.ConnectionID) error {
	// Registered first: what is registered and has no catalogue yet is merely
	// read once more by the daily refresh.
	if err := register(ctx, b.DB, t, c); err != nil {
		return err
	}
	if err := b.writeImport(ctx, t, c); err != nil {
		return err
	}
	// Freed and rung in one write: a worker that is about to park the lane for the
	// old authorisation sees the ring and looks again instead.
	_, err := b.DB.Update(ctx, t, store.Offers, laneKey(c), store.Update{Remove: []string{aParked}, Add: map[string]int64{aRung: 1}})
	if err != nil {
		return fmt.Errorf("lane: unpark: %w", err)
	}
	return b.Ring(ctx, Doorbell{Kind: KindLane, Tenant: t, Connection: c}, 0)
}

// writeImport makes the import item. The marker comes first: a crash after it
// leaves at worst an empty lane to sweep.
func (b Bell) writeImport(ctx context.Context, t tenant.ID, c price.ConnectionID) error {
	if err := b.Announce(ctx, Doorbell{Kind: KindLane, Tenant: t, Connection: c}); err != nil {
		return err
	}
	var job importJob
	job.State.Started = store.Millis(b.Now())
	err := b.DB.Put(ctx, t, store.Offers, store.Item{Key: importKey(c), Attrs: map[string]any{aImport: mustJSON(job.State)}}, store.Absent())
	if errors.Is(err, store.ErrConflict) {
		// One is under way and goes on. If it is just ending, it begins again.
		_, err = b.DB.Update(ctx, t, store.Offers, importKey(c), store.Update{
			Set: map[string]any{aAgain: true}, If: []store.Cond{store.Has(aEnding)},
		})
	}
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("lane: request import: %w", err)
	}
	return nil
}

// saveImport writes the job's cursor, at most every two seconds.
func (d *driver) saveImport(ctx context.Context, now time.Time, force bool) error {
	j := d.imp
	if !force && now.Sub(j.savedAt) < 2*time.Second {
		return nil
	}
	j.savedAt = now
	_, err := d.e.DB.Update(ctx, d.lease.tenant, store.Offers, importKey(d.lease.conn), store.Update{
		Set: map[string]any{aImport: mustJSON(j.State), aFence: d.lease.fence},
		If:  []store.Cond{store.Exists(), store.AnyOf(store.Missing(aFence), store.Le(aFence, d.lease.fence))},
	})
	if errors.Is(err, store.ErrConflict) {
		return errLost
	}
	if err != nil {
		return fmt.Errorf("lane: save import: %w", err)
	}
	return d.e.Connections.ImportProgress(ctx, d.lease.tenant, d.lease.conn, j.State.Known, j.State.Total)
}

// endImport tells the connection and removes the job. An import that is asked
// for meanwhile finds the job marked as ending, and has it begin again.
//
// Crash points: after any of the writes the next owner ends the import once
// more, which changes nothing.
func (d *driver) endImport(ctx context.Context) error {
	t, key := d.lease.tenant, importKey(d.lease.conn)
	mine := store.AnyOf(store.Missing(aFence), store.Le(aFence, d.lease.fence))
	_, err := d.e.DB.Update(ctx, t, store.Offers, key, store.Update{
		Set: map[string]any{aEnding: true, aFence: d.lease.fence}, If: []store.Cond{store.Exists(), mine},
	})
	if errors.Is(err, store.ErrConflict) {
		return errLost
	}
	if err != nil {
		return fmt.Errorf("lane: end import: %w", err)
	}
	if err := d.e.Connections.ImportDone(ctx, t, d.lease.conn, d.imp.State.Known); err != nil {
		return fmt.Errorf("lane: end import: %w", err)
	}
	d.imp = nil
	err = d.e.DB.Delete(ctx, t, store.Offers, key, store.Missing(aAgain), mine)
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	var fresh importJob
	fresh.State.Started = store.Millis(d.e.Clock.Now())
	err = d.e.DB.Put(ctx, t, store.Offers, store.Item{Key: key, Attrs: map[string]any{
		aImport: mustJSON(fresh.State), aFence: d.lease.fence,
	}}, store.Has(aAgain), mine)
	if errors.Is(err, store.ErrConflict) {
		return errLost
	}
	if err != nil {
		return fmt.Errorf("lane: begin import again: %w", err)
	}
	return d.openImport(ctx)
}
