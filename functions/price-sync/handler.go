package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/apply"
	"pricemanager/internal/connect"
	"pricemanager/internal/guard"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/preview"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/logs"
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
	// Where Amazon's notifications go: the account and region whose EventBridge
	// takes those about listings, and the queue that takes the others.
	EventsAccount      string `env:"AMAZON_EVENTS_ACCOUNT"`
	EventsRegion       string `env:"AMAZON_EVENTS_REGION"`
	NotificationsQueue string `env:"AMAZON_NOTIFICATIONS_QUEUE"` // ARN
	// ConfirmWithin and UnknownFor are lane.Config's.
	ConfirmWithin time.Duration `env:"CONFIRM_WITHIN, default=30m"`
	UnknownFor    time.Duration `env:"UNKNOWN_FOR, default=60s"`
	Together      bool          `env:"TOGETHER, default=false"`
	FeedFrom      int64         `env:"FEED_FROM, default=1500"`
	FeedTakes     time.Duration `env:"FEED_TAKES, default=30m"`
	FeedStall     time.Duration `env:"FEED_STALL, default=2h"`
}

// deps are what the handler works with.
type deps struct {
	app   *runtime.App
	cfg   config
	db    store.DB
	blobs store.Blobs
	queue store.Queue
	// planQueue has price-plan make the plans of batches that are taken back.
	planQueue store.Queue
	amazon    interface {
		amazon.Listings
		amazon.Reports
	}
	previews      amazon.Previews
	connections   *connect.Service
	notifications amazon.Notifications
	feeds         amazon.Feeds
}

type handler struct {
	app        *runtime.App
	engine     *lane.Engine
	subscriber *connect.Subscriber
	reverter   *apply.Reverter
	previews   *preview.Runner
}

func newHandler(d deps) *handler {
	guards := &guard.Store{DB: d.db, Clock: d.app.Clock}
	plans := &plan.Store{DB: d.db, Blobs: d.blobs, Clock: d.app.Clock, GuardsHash: plan.GuardsNow(guards)}
	bell := lane.Bell{DB: d.db, Queue: d.queue, Now: d.app.Clock.Now, Trace: trace.Header}
	return &handler{app: d.app, engine: &lane.Engine{
		Config: lane.Config{ConfirmWithin: d.cfg.ConfirmWithin, UnknownFor: d.cfg.UnknownFor,
			Together: d.cfg.Together, FeedFrom: d.cfg.FeedFrom, FeedTakes: d.cfg.FeedTakes, FeedStall: d.cfg.FeedStall},
		DB: d.db, Blobs: d.blobs, Clock: d.app.Clock, Log: d.app.Log,
		Bell:     bell,
		Listings: d.amazon, Reports: d.amazon, Feeds: d.feeds, Catalogue: catalogue, Connections: d.connections,
		Guards: func(ctx context.Context, t tenant.ID) (lane.GuardSet, error) {
			set, err := guards.Load(ctx, t)
			if err != nil {
				return nil, err // and not a nil *guard.Set, which would be a GuardSet
			}
			return set, nil
		},
		Planned: func(ctx context.Context, t tenant.ID, id string, c price.ConnectionID, from int64, limit int) ([]lane.Row, error) {
			rows, err := plans.LaneRows(ctx, t, id, c, from, limit)
			out := make([]lane.Row, len(rows))
			for i, r := range rows {
				out[i] = lane.Row(r)
			}
			return out, err
		},
		NewOwner: func() string { return strings.ToLower(rand.Text()) },
	}, subscriber: &connect.Subscriber{
		Connections: d.connections, Amazon: d.notifications,
		Bus:   amazon.Destination{EventBridgeAccount: d.cfg.EventsAccount, EventBridgeRegion: d.cfg.EventsRegion},
		Queue: amazon.Destination{QueueARN: d.cfg.NotificationsQueue},
	}, reverter: &apply.Reverter{
		Applier: apply.Applier{Plans: plans, Batches: lane.NewBatches(d.db, d.blobs), Bell: bell},
		// Without a history: here the guards are only named, price-plan judges by them.
		Judged: plan.Judged(guards, nil), PlanBell: plan.Bell{Queue: d.planQueue, Trace: trace.Header}, Random: rand.Reader, Trace: trace.Header,
	}, previews: &preview.Runner{
		Service: preview.Service{DB: d.db, Plans: plans, Clock: d.app.Clock},
		Amazon:  d.previews, Connections: d.connections, Bell: bell, Offers: lane.NewOffers(d.db),
	}}
}

// message handles one doorbell.
func (h *handler) message(ctx context.Context, m runtime.Message) error {
	bell, err := lane.ParseDoorbell(m.Body)
	if err != nil {
		return errors.Join(runtime.ErrMalformed, err)
	}
	switch bell.Kind {
	case lane.KindSubscribe:
		return h.subscribe(ctx, bell)
	case lane.KindRevert:
		return h.revert(ctx, bell)
	case lane.KindPreview:
		return h.preview(ctx, bell)
	case lane.KindLane, lane.KindApply:
	}
	start := h.app.Clock.Now()
	s, err := h.engine.Handle(ctx, bell)
	h.count(ctx, "doorbell answered", bell, s, h.app.Clock.Now().Sub(start))
	return err
}

// crew answers the doorbells of one invocation side by side, and drives other
// lanes beside them while there is room.
func (h *handler) crew(ctx context.Context, calls []func()) {
	h.engine.Crew(ctx, calls, func(ctx context.Context, a lane.Adopted) {
		ctx = logs.With(ctx, logs.Fields{Tenant: a.Doorbell.Tenant})
		if a.Err != nil {
			h.app.Log.ErrorContext(ctx, "adopted lane failed", "connection", string(a.Doorbell.Connection), "cause", a.Err)
		}
		h.count(ctx, "lane adopted", a.Doorbell, a.Stats, a.Took)
		h.app.Metrics.Emit(nil, metrics.Count("LanesAdopted", 1))
	})
}

// count says what became of a doorbell or an adopted lane.
func (h *handler) count(ctx context.Context, what string, bell lane.Doorbell, s lane.Stats, took time.Duration) {
	h.app.Log.InfoContext(ctx, what, "kind", string(bell.Kind), "connection", string(bell.Connection),
		"sent", s.Sent, "accepted", s.Accepted, "observed", s.Observed, "throttled", s.Throttled, "reads", s.Reads, "handed", s.Handed)
	h.app.Metrics.Emit(map[metrics.Dim]string{metrics.Kind: string(bell.Kind)},
		metrics.Count("PricesSent", s.Sent), metrics.Count("PricesAccepted", s.Accepted), metrics.Count("PricesObserved", s.Observed),
		metrics.Count("Throttled", s.Throttled), metrics.Count("ReadBacks", s.Reads), metrics.Millis("DriveTime", took))
	// Without a dimension of its own, so that an alarm can watch it.
	h.app.Metrics.Emit(nil, metrics.Count("PricesUnconfirmed", s.Unconfirmed), metrics.Count("CredentialsRefused", s.Refused),
		metrics.Count("FeedsEscaped", s.Escaped),
		metrics.Count("BatchesPaused", s.Paused), metrics.Count("QuotaSuspected", s.QuotaSuspected), metrics.Count("QuotaCleared", s.QuotaCleared))
}

// revert takes a batch back whose time has come, as far as that is possible now.
func (h *handler) revert(ctx context.Context, bell lane.Doorbell) error {
	res, err := h.reverter.Revert(ctx, bell.Tenant, bell.Batch)
	h.app.Log.InfoContext(ctx, "batch looked at that is to be taken back", "batch", bell.Batch, "state", string(res.State), "ok", err == nil)
	if res.Incomplete { // also when only what comes after the end failed
		h.app.Log.ErrorContext(ctx, "batch not wholly taken back", "alarm", "revert-incomplete", "batch", bell.Batch, "state", string(res.State), "reason", res.Reason)
		h.app.Metrics.Emit(nil, metrics.Count("RevertsIncomplete", 1))
	}
	if err != nil {
		return fmt.Errorf("price-sync: take back %s: %w", bell.Batch, err)
	}
	return nil
}

// preview has Amazon judge a sample of a plan.
func (h *handler) preview(ctx context.Context, bell lane.Doorbell) error {
	state, err := h.previews.Run(ctx, bell.Tenant, bell.Plan)
	h.app.Log.InfoContext(ctx, "plan previewed", "plan", bell.Plan, "state", string(state), "ok", err == nil)
	if err != nil {
		return fmt.Errorf("price-sync: preview of %s: %w", bell.Plan, err)
	}
	return nil
}

// subscribe looks after a connection's notifications at Amazon.
func (h *handler) subscribe(ctx context.Context, bell lane.Doorbell) error {
	subs, err := h.subscriber.Subscribe(ctx, bell.Tenant, bell.Connection)
	if errors.Is(err, connect.ErrNotFound) {
		return nil // gone since the bell was rung
	}
	var failed int64
	for _, s := range subs {
		if s.State != connect.Standing {
			failed++
			h.app.Log.WarnContext(ctx, "a notification does not stand", "connection", string(bell.Connection), "type", string(s.Type), "reason", s.Reason)
		}
	}
	if err := h.remind(ctx, bell); err != nil {
		return err
	}
	h.app.Log.InfoContext(ctx, "subscriptions looked after", "connection", string(bell.Connection), "standing", int64(len(subs))-failed, "failed", failed)
	h.app.Metrics.Emit(nil, metrics.Count("SubscriptionsStanding", int64(len(subs))-failed), metrics.Count("SubscriptionsFailed", failed))
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
		if err := row(lane.CatalogueRow{SKU: l.SKU, ASIN: l.ASIN, GTIN: l.GTIN, Title: l.Title, Quantity: l.Quantity}); err != nil {
			return err
		}
	}
}
