package main

import (
	"context"
	"errors"
	"time"

	"pricemanager/internal/download"
	"pricemanager/internal/history"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/pricefile"
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
	app   *runtime.App
	db    store.DB
	blobs interface {
		store.Blobs
		store.Large
	}
	queue  store.Queue
	ledger history.Ledger
}

type handler struct {
	deps
	maker *download.Maker
}

func newHandler(d deps) *handler {
	past := &history.History{Ledger: d.ledger, Blobs: d.blobs, Clock: d.app.Clock}
	return &handler{deps: d, maker: &download.Maker{
		Store:   &download.Store{DB: d.db, Blobs: d.blobs, Queue: d.queue, Clock: d.app.Clock, Trace: trace.Header},
		Objects: d.blobs,
		Spool:   pricefile.TempFiles(""),
		Sources: download.Sources{
			Offers: lane.NewOffers(d.db), Batches: lane.NewBatches(d.db, d.blobs).WithPast(past),
			Plans: &plan.Store{DB: d.db, Blobs: d.blobs, Clock: d.app.Clock}, Past: past,
		},
	}}
}

// message makes a download, or a part of one.
func (h *handler) message(ctx context.Context, m runtime.Message) error {
	job, err := download.ParseJob(m.Body)
	if err != nil {
		return errors.Join(runtime.ErrMalformed, err)
	}
	return h.app.Work(ctx, runtime.Job{What: "download", ID: job.Download, Busy: download.ErrBusy,
		Run:  func(deadline time.Time) (bool, error) { return h.maker.Run(ctx, job.Tenant, job.Download, deadline) },
		Ring: func(delay time.Duration) error { return h.maker.Ring(ctx, job, delay) },
	})
}
