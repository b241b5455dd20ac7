package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/apply"
	"pricemanager/internal/guard"
	"pricemanager/internal/history"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/store"
)

// config is what the function reads from its environment.
type config struct {
	runtime.Base
	Tables  runtime.Tables
	Buckets runtime.Buckets
	Queues  runtime.Queues
	Secrets runtime.Secrets
}

// deps are what the handler works with.
type deps struct {
	app    *runtime.App
	db     store.DB
	blobs  store.Blobs
	queue  store.Queue
	ledger history.Ledger
}

type handler struct {
	deps
	maker *plan.Maker
	bell  plan.Bell
}

func newHandler(d deps) *handler {
	guards := &guard.Store{DB: d.db, Clock: d.app.Clock}
	past := &history.History{Ledger: d.ledger, Blobs: d.blobs, Clock: d.app.Clock}
	return &handler{deps: d, bell: plan.Bell{Queue: d.queue, Trace: trace.Header}, maker: &plan.Maker{
		Store:  &plan.Store{DB: d.db, Blobs: d.blobs, Clock: d.app.Clock},
		Offers: lane.NewOffers(d.db),
		Undo:   apply.Undoing(lane.NewBatches(d.db, d.blobs)),
		Guards: plan.Judged(guards, past),
	}}
}

// message makes a plan, or a part of one.
//
// Crash points: what was saved stays saved. A run that dies before it has sent
// for the next is repeated by its own message.
func (h *handler) message(ctx context.Context, m runtime.Message) error {
	job, err := plan.ParseJob(m.Body)
	if err != nil {
		return errors.Join(runtime.ErrMalformed, err)
	}
	start := h.app.Clock.Now()
	deadline, ok := ctx.Deadline()
	if !ok { // Lambda gives one
		deadline = start.Add(busyFor)
	}
	done, err := h.maker.Run(ctx, job.Tenant, job.Plan, deadline)
	h.app.Log.InfoContext(ctx, "plan worked on", "plan", job.Plan, "done", done, "took", h.app.Clock.Now().Sub(start))
	switch {
	case errors.Is(err, plan.ErrBusy):
		// This message may be a second delivery of the one that is being worked on; it
		// comes again when that must have ended.
		return h.bell.Ring(ctx, job, busyFor)
	case err != nil:
		return fmt.Errorf("price-plan: %s: %w", job.Plan, err)
	case !done:
		h.app.Metrics.Emit(nil, metrics.Count("PlansHandedOn", 1))
		return h.bell.Ring(ctx, job, 0)
	}
	h.app.Metrics.Emit(nil, metrics.Count("PlansMade", 1), metrics.Millis("PlanTime", h.app.Clock.Now().Sub(start)))
	return nil
}

// busyFor is how long a lease holds at most: as long as a run.
const busyFor = 5 * time.Minute
