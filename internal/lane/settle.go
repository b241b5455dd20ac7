package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

// verdict is the outcome of one step of a change, to be written to its offer.
type verdict struct {
	state      State
	submission string
	issue      string
	read       *price.Prices // what a read-back showed
	readAt     time.Time     // when that read was begun
	took       time.Duration // accepted -> visible, with state Observed
}

// settle writes the outcome of a row to its offer item, in one conditional
// write that also promotes the staged change to the current one where that has
// not happened yet. It reports false when the offer no longer wants this row:
// a newer change took over and the row is superseded.
//
// It is safe to call from a call in flight: it touches nothing of the driver.
func (d *driver) settle(ctx context.Context, r *row, v verdict) (bool, error) {
	staged, old := r.staged, r.old
	for range 4 {
		_, err := d.e.DB.Update(ctx, d.lease.tenant, store.Offers, offerKey(r.key), d.outcome(r, staged, old, v))
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return false, fmt.Errorf("lane: write outcome: %w", err)
		}
		// The offer is not as we last saw it: staged may have become current
		// (a newer batch was staged on top), or the row is superseded.
		recs, err := NewOffers(d.e.DB).records(ctx, d.lease.tenant, []price.OfferKey{r.key})
		if err != nil {
			return false, err
		}
		rec := recs[r.key]
		c, isStaged := rec.wants(r.w.j.Batch, r.N)
		if c == nil || c.State.Terminal() {
			return false, nil
		}
		staged, old = isStaged, rec.Known
	}
	return false, fmt.Errorf("lane: offer %s keeps changing: %w", r.key, store.ErrConflict)
}

// outcome builds the write. The fence is compared on the offer item itself.
func (d *driver) outcome(r *row, staged bool, old price.Prices, v verdict) store.Update {
	batch := r.w.j.Batch
	up := store.Update{
		Set: map[string]any{
			aState: string(v.state), aStateAt: store.Millis(d.e.Clock.Now()), aFence: d.lease.fence,
		},
		Add: map[string]int64{},
		If:  []store.Cond{store.AnyOf(store.Missing(aFence), store.Le(aFence, d.lease.fence))},
	}
	if v.submission != "" {
		up.Set[aSubmission] = v.submission
	}
	if v.issue != "" {
		up.Set[aIssue] = v.issue
	} else {
		up.Remove = append(up.Remove, aIssue)
	}
	if v.read != nil {
		up.Remove = append(up.Remove, aDrift, aDriftAt)
		up.Set[aKnown], up.Set[aReadAt] = mustJSON(*v.read), store.Millis(v.readAt)
		up.Add[aVersion] = 1
	}
	if v.took > 0 {
		up.Set[aReadBy] = v.took.Milliseconds()
	}
	if !staged {
		up.If = append(up.If, store.Eq(aBatch, batch), store.Eq(aRow, r.N), store.AnyOf(
			store.Eq(aState, string(Desired)), store.Eq(aState, string(Unknown)), store.Eq(aState, string(Accepted))))
		return up
	}
	// Promotion: the staged change becomes the current one. If the current one
	// was still under way, this same write is what supersedes it.
	up.Set[aBatch], up.Set[aRow] = batch, r.N
	up.Set[aEdit], up.Set[aOld] = mustJSON(r.Edit), mustJSON(old)
	if r.brings != "" {
		up.Set[aBrings] = r.brings
	} else {
		up.Remove = append(up.Remove, aBrings)
	}
	up.Add[aChange] = 1
	up.Remove = append(up.Remove, aNextBatch, aNextRow, aNextEdit)
	if v.submission == "" {
		up.Remove = append(up.Remove, aSubmission)
	}
	up.If = append(up.If, store.Eq(aNextBatch, batch), store.Eq(aNextRow, r.N))
	return up
}
