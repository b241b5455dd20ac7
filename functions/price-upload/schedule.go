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

// activateAt checks when a batch is to begin; "" is at once.
func (h *handler) activateAt(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fault.New(fault.Invalid, "activate-at", "activateAt %q is not a time with its zone. Write it like 2030-03-01T00:00:00Z or 2030-03-01T00:00:00+01:00.", text)
	}
	if wait := at.Sub(h.app.Clock.Now()); wait <= 0 || wait > lane.LongestWait {
		return time.Time{}, fault.New(fault.Invalid, "activate-at", "activateAt %s is not within the next %d days. Leave it out to begin at once.",
			at.UTC().Format(time.RFC3339), lane.LongestWait/(24*time.Hour))
	}
	return at.UTC(), nil
}

// cancelBatch takes back a batch that waits for its time.
func (h *handler) cancelBatch(ctx context.Context, r *web.Request) (*web.Response, error) {
	err := h.batches.Cancel(ctx, r.Tenant, r.Params["id"], r.Principal.Actor, h.app.Clock.Now())
	if errors.Is(err, store.ErrConflict) {
		return nil, fault.New(fault.Conflict, "batch-begun", "The batch does not wait for a time any more. Stop it to keep the rest from being sent, or roll it back.")
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
