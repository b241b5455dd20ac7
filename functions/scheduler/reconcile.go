package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/tenant"
)

// spare is what a comparison of one tenant may take at the end of an invocation: two
// million offers take about that. Those that are left come first in the next one, for
// they are due and the others are not.
const spare = 5 * time.Minute

// reconcile compares the items of every tenant who is due with the ledger, and tells
// of what the ledger was never told. It returns how many tenants it compared. A tenant
// who fails does not keep the others from theirs.
func (h *handler) reconcile(ctx context.Context) (int, error) {
	conns := map[tenant.ID][]price.ConnectionID{}
	var order []tenant.ID
	err := lane.Registered(ctx, h.db, func(t tenant.ID, c price.ConnectionID) error {
		if conns[t] == nil {
			order = append(order, t)
		}
		conns[t] = append(conns[t], c)
		return nil
	})
	failed := []error{err}
	done, gaps := 0, 0
	for _, t := range order {
		if end, ok := ctx.Deadline(); ok && end.Sub(h.app.Clock.Now()) < spare {
			break
		}
		r, err := h.audit.Run(ctx, t, conns[t])
		if err != nil {
			failed = append(failed, fmt.Errorf("tenant %s: %w", t, err))
			continue
		}
		if r.Due {
			done++
		}
		if gaps += r.Gaps; r.Gaps > 0 {
			h.app.Log.ErrorContext(ctx, "changes are missing in a ledger", "tenant", t, "items", r.Gaps)
		}
	}
	if gaps > 0 {
		h.app.Metrics.Emit(nil, metrics.Count("LedgerGaps", int64(gaps)))
	}
	return done, errors.Join(failed...)
}
