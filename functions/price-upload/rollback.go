package main

import (
	"context"
	"net/http"

	"pricemanager/internal/apply"
	"pricemanager/internal/fault"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/web"
)

// rollbackAtOnce is how many rows are planned while the caller waits: a few seconds, most
// of them for reading the offers.
const rollbackAtOnce = 10_000

// rollback plans the way back from a batch: the prices before it, only where
// the price at Amazon is still the one that the batch wrote. It is a plan like
// any other: judged by the same guards, shown, and applied by its token.
//
// The way back from more rows than one request has time for is planned as an upload
// is, by price-plan.
func (h *handler) rollback(ctx context.Context, r *web.Request) (*web.Response, error) {
	b, err := h.withRows(ctx, r, r.Params["id"])
	if err != nil {
		return nil, err
	}
	if b.State == lane.Refused {
		return nil, fault.New(fault.Conflict, "batch-empty", "The batch was refused: nothing of it was sent, and there is nothing to roll back.")
	}
	var rows int64
	for _, n := range b.Rows {
		rows += n
	}
	if rows > rollbackAtOnce && (b.State == lane.Sending || b.State == lane.Done) {
		in := apply.Rollback(b.ID, nil)
		if err := h.prepare(ctx, r, &in); err != nil {
			return nil, err
		}
		p, err := h.plans.BeginUndo(ctx, in, plan.Taken{Batch: b.ID, Rows: rows})
		if err != nil {
			return nil, err
		}
		return h.planLater(ctx, p)
	}
	undo, err := h.batches.Undo(ctx, r.Tenant, b.ID)
	if err != nil {
		return nil, err
	}
	if len(undo) == 0 {
		return nil, fault.New(fault.Conflict, "batch-empty", "The batch has no rows yet. Try again when it is being sent.")
	}
	in := apply.Rollback(b.ID, undo)
	if err := h.prepare(ctx, r, &in); err != nil {
		return nil, err
	}
	p, err := h.plans.Create(ctx, in, h.offers)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusCreated, showPlan(p))
}
