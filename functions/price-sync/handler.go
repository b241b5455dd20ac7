package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/connect"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/spapi"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// config is what the function reads from its environment.
type config struct {
	runtime.Base
	Tables      runtime.Tables
	Buckets     runtime.Buckets
	Queues      runtime.Queues
	Amazon      runtime.Amazon
	TokenBroker string `env:"TOKEN_BROKER, required"`
	// ConfirmWithin and UnknownFor are lane.Config's.
	ConfirmWithin time.Duration `env:"CONFIRM_WITHIN, default=30m"`
	UnknownFor    time.Duration `env:"UNKNOWN_FOR, default=60s"`
}

// deps are what the handler works with.
type deps struct {
	app    *runtime.App
	cfg    config
	db     store.DB
	blobs  store.Blobs
	queue  store.Queue
	amazon interface {
		amazon.Listings
		amazon.Reports
	}
	connections *connect.Service
}

type handler struct {
	app    *runtime.App
	engine *lane.Engine
}

func newHandler(d deps) *handler {
	plans := &plan.Store{DB: d.db, Blobs: d.blobs, Clock: d.app.Clock}
	return &handler{app: d.app, engine: &lane.Engine{
		Config: lane.Config{ConfirmWithin: d.cfg.ConfirmWithin, UnknownFor: d.cfg.UnknownFor},
		DB:     d.db, Blobs: d.blobs, Clock: d.app.Clock, Log: d.app.Log,
		Bell:     lane.Bell{DB: d.db, Queue: d.queue, Now: d.app.Clock.Now, Trace: trace.Header},
		Listings: d.amazon, Reports: d.amazon, Catalogue: catalogue, Connections: d.connections,
		Guards: func(context.Context, tenant.ID) (price.Guards, error) { return price.DefaultGuards(), nil },
		Planned: func(ctx context.Context, t tenant.ID, id string, c price.ConnectionID, from int64, limit int) ([]lane.Row, error) {
			rows, err := plans.LaneRows(ctx, t, id, c, from, limit)
			out := make([]lane.Row, len(rows))
			for i, r := range rows {
				out[i] = lane.Row(r)
			}
			return out, err
		},
		NewOwner: func() string { return strings.ToLower(rand.Text()) },
	}}
}

// message handles one doorbell.
func (h *handler) message(ctx context.Context, m runtime.Message) error {
	bell, err := lane.ParseDoorbell(m.Body)
	if err != nil {
		return errors.Join(runtime.ErrMalformed, err)
	}
	start := h.app.Clock.Now()
	s, err := h.engine.Handle(ctx, bell)
	h.app.Log.InfoContext(ctx, "doorbell answered", "kind", string(bell.Kind), "connection", string(bell.Connection),
		"sent", s.Sent, "accepted", s.Accepted, "observed", s.Observed, "throttled", s.Throttled, "reads", s.Reads, "handed", s.Handed)
	h.app.Metrics.Emit(map[metrics.Dim]string{metrics.Kind: string(bell.Kind)},
		metrics.Count("PricesSent", s.Sent), metrics.Count("PricesAccepted", s.Accepted), metrics.Count("PricesObserved", s.Observed),
		metrics.Count("Throttled", s.Throttled), metrics.Count("ReadBacks", s.Reads), metrics.Millis("DriveTime", h.app.Clock.Now().Sub(start)))
	// Without a dimension of its own, so that an alarm can watch it.
	h.app.Metrics.Emit(nil, metrics.Count("PricesUnconfirmed", s.Unconfirmed), metrics.Count("CredentialsRefused", s.Refused))
	return err
}

// catalogue reads a listings report. A line that cannot be read is left out: its
// offer stays unknown, and a price for it is refused rather than guessed.
func catalogue(r io.Reader, m price.MarketplaceID, row func(lane.CatalogueRow) error) error {
	report, err := spapi.NewListingsReport(r, m)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	for {
		l, err := report.Next()
		var bad *spapi.LineError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &bad):
			continue
		case err != nil:
			return err
		}
		if err := row(lane.CatalogueRow{SKU: l.SKU, ASIN: l.ASIN, Title: l.Title, Quantity: l.Quantity}); err != nil {
			return err
		}
	}
}
