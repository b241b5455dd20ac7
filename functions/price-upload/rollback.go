package main

import (
	"context"
	"net/http"

	"pricemanager/internal/apply"
	"pricemanager/internal/fault"
	"pricemanager/internal/web"
)

// rollback plans the way back from a batch: the prices before it, only where
// the price at Amazon is still the one that the batch wrote. It is a plan like
// any other: judged by the same guards, shown, and applied by its token.
func (h *handler) rollback(ctx context.Context, r *web.Request) (*web.Response, error) {
	undo, err := h.batches.Undo(ctx, r.Tenant, r.Params["id"])
	if err != nil {
		return nil, missingBatch(err)
	}
	if len(undo) == 0 {
		return nil, fault.New(fault.Conflict, "batch-empty", "The batch has no rows yet. Try again when it is being sent.")
	}
	in := apply.Rollback(r.Params["id"], undo)
	if err := h.prepare(ctx, r, &in); err != nil {
		return nil, err
	}
	p, err := h.plans.Create(ctx, in, h.offers)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusCreated, showPlan(p))
}
