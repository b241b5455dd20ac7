package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/download"
	"pricemanager/internal/history"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/pricefile"
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
//
// Crash points: the files that were noted stay. A run that dies before it has sent
// for the next is repeated by its own message.
func (h *handler) message(ctx context.Context, m runtime.Message) error {
	job, err := download.ParseJob(m.Body)
	if err != nil {
		return errors.Join(runtime.ErrMalformed, err)
	}
	start := h.app.Clock.Now()
	deadline, ok := ctx.Deadline()
	if !ok { // Lambda gives one
		deadline = start.Add(busyFor)
	}
	done, err := h.maker.Run(ctx, job.Tenant, job.Download, deadline)
	h.app.Log.InfoContext(ctx, "download worked on", "download", job.Download, "done", done, "took", h.app.Clock.Now().Sub(start))
	switch {
	case errors.Is(err, download.ErrBusy):
		// This message may be a second delivery of the one that is being worked on; it
		// comes again when that must have ended.
		return h.maker.Ring(ctx, job, busyFor)
	case err != nil:
		return fmt.Errorf("price-export: %s: %w", job.Download, err)
	case !done:
		h.app.Metrics.Emit(nil, metrics.Count("DownloadsHandedOn", 1))
		return h.maker.Ring(ctx, job, 0)
	}
	h.app.Metrics.Emit(nil, metrics.Count("DownloadsMade", 1), metrics.Millis("DownloadTime", h.app.Clock.Now().Sub(start)))
	return nil
}

// busyFor is how long a lease holds at most: as long as a run.
const busyFor = 5 * time.Minute
