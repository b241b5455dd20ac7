package lane

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// aLook is when a batch that waits for another one is looked at again.
const aLook = "look"

// stagingWait is how long to leave a batch that is being staged before looking
// again whether it is done with an offer.
const stagingWait = 2 * time.Second

// waitStaging rings for a batch again after a while, because another one that is
// being staged has an offer first. Every doorbell of the batch comes here, those
// of the sweep too; one of them goes on, so that they do not add up while the
// batch waits.
//
// Crash points: between the note and the ring, and when the ring is lost, the
// sweep rings.
func (e *Engine) waitStaging(ctx context.Context, t tenant.ID, id string, d Doorbell) error {
	now := e.Clock.Now()
	_, err := e.DB.Update(ctx, t, store.Offers, batchKey(id), store.Update{
		// Half the wait, so that clocks may differ.
		Set: map[string]any{aLook: store.Millis(now.Add(stagingWait / 2))},
		If: []store.Cond{store.Eq(aBatchState, string(Staging)),
			store.AnyOf(store.Missing(aLook), store.Le(aLook, store.Millis(now)))},
	})
	if errors.Is(err, store.ErrConflict) {
		return nil // somebody else's doorbell is on its way
	}
	if err != nil {
		return fmt.Errorf("lane: wait for another batch: %w", err)
	}
	return e.Bell.send(ctx, d, stagingWait)
}
