package main

import (
	"context"
	"errors"
	"time"

	"pricemanager/internal/apply"
	"pricemanager/internal/guard"
	"pricemanager/internal/history"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/runtime"
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
func (h *handler) message(ctx context.Context, m runtime.Message) error {
	job, err := plan.ParseJob(m.Body)
	if err != nil {
		return errors.Join(runtime.ErrMalformed, err)
	}
	return h.app.Work(ctx, runtime.Job{What: "plan", ID: job.Plan, Busy: plan.ErrBusy,
		Run:  func(deadline time.Time) (bool, error) { return h.maker.Run(ctx, job.Tenant, job.Plan, deadline) },
		Ring: func(delay time.Duration) error { return h.bell.Ring(ctx, job, delay) },
	})
}
