package lane

import (
	"context"
	"errors"
	"time"

	"pricemanager/internal/store"
)

// Sweep rings every open lane and job that nobody is driving: the net under
// lost messages and dead workers. It returns how many it rang.
func (b Bell) Sweep(ctx context.Context) (rung int, err error) {
	after := ""
	for {
		page, err := b.DB.Query(ctx, store.Directory, store.Offers, store.Query{PK: markerPK, After: after, Limit: 500})
		if err != nil {
			return rung, err
		}
		for _, it := range page.Items {
			d, err := parseMarker(it)
			if err != nil {
				return rung, err
			}
			idle, err := b.idle(ctx, d)
			if err != nil {
				return rung, err
			}
			if !idle {
				continue
			}
			if err := b.send(ctx, d, 0); err != nil {
				return rung, err
			}
			rung++
		}
		if page.Next == "" {
			return rung, nil
		}
		after = page.Next
	}
}

// idle reports whether the open work has no owner now and is not waiting for a
// time that has yet to come. Apply jobs have no lease: they are always rung,
// and a second worker on one only repeats conditional writes.
func (b Bell) idle(ctx context.Context, d Doorbell) (bool, error) {
	if d.Connection == "" {
		return true, nil
	}
	it, err := b.DB.Get(ctx, d.Tenant, store.Offers, laneKey(d.Connection))
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	now := b.Now()
	waiting := it.Time(aWaitUntil).Add(sweepGrace).After(now)
	return it.Time(aUntil).Before(now) && !waiting && it.Str(aParked) == "", nil
}

// sweepGrace is how late a lane's own delayed doorbell may be before the sweep
// rings in its place.
const sweepGrace = 5 * time.Second
