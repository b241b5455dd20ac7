package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/lane"
	"pricemanager/internal/store"
	"pricemanager/internal/web"
)

// revertDoc is the taking back of a batch at a time, as the API shows it.
type revertDoc struct {
	At     time.Time        `json:"at"`
	State  lane.RevertState `json:"state"`
	By     string           `json:"by"`
	Plan   string           `json:"plan,omitempty"`
	Batch  string           `json:"batch,omitempty"`
	Reason string           `json:"reason,omitempty"`
}

func showRevert(r *lane.Revert) *revertDoc {
	if r == nil {
		return nil
	}
	return &revertDoc{At: r.At, State: r.State, By: r.By, Plan: r.Plan, Batch: r.Batch, Reason: r.Reason}
}

// putRevert has a batch taken back at a time, or at another one than was asked for.
func (h *handler) putRevert(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct{ At string }
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	b, err := h.batches.Get(ctx, r.Tenant, r.Params["id"])
	if err != nil {
		return nil, missingBatch(err)
	}
	at, err := h.moment("at", in.At)
	if err != nil {
		return nil, err
	}
	if at.IsZero() {
		return nil, fault.New(fault.Invalid, "revert-at", "Say in at when the batch is to be taken back.")
	}
	if err := ordered(at, b.At, b.Created); err != nil {
		return nil, err
	}
	return h.revertChanged(ctx, r, h.batches.AskRevert(ctx, r.Tenant, b.ID, r.Principal.Actor, at, h.bell))
}

// cancelRevert leaves a batch as it is after all.
func (h *handler) cancelRevert(ctx context.Context, r *web.Request) (*web.Response, error) {
	return h.revertChanged(ctx, r, h.batches.CancelRevert(ctx, r.Tenant, r.Params["id"], r.Principal.Actor))
}

func (h *handler) revertChanged(ctx context.Context, r *web.Request, err error) (*web.Response, error) {
	if errors.Is(err, store.ErrConflict) {
		return nil, fault.New(fault.Conflict, "revert-begun", "The batch is not waiting to be taken back: it was refused, is taken back already, or that was not asked for. GET /batches/{id} says which.").Because(err)
	}
	if err != nil {
		return nil, missingBatch(err)
	}
	b, err := h.batches.Get(ctx, r.Tenant, r.Params["id"])
	if err != nil {
		return nil, missingBatch(err)
	}
	return h.answerBatch(ctx, r, http.StatusOK, b)
}
