package main

import (
	"context"
	"io"
	"net/http"
	"time"

	"pricemanager/internal/connect"
	"pricemanager/internal/identity"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
)

// config is what the function reads from its environment.
type config struct {
	runtime.Base
	Tables  runtime.Tables
	Buckets runtime.Buckets
	Queues  runtime.Queues
	Secrets runtime.Secrets
	// Visibility is how long a price usually takes from accepted to readable:
	// part of a plan's ETA.
	Visibility time.Duration `env:"VISIBILITY, default=10m"`
}

// deps are what the handler works with.
type deps struct {
	app         *runtime.App
	cfg         config
	db          store.DB
	blobs       store.Blobs
	queue       store.Queue
	connections *connect.Service
	random      io.Reader
}

type handler struct {
	deps
	plans   *plan.Store
	offers  *lane.Offers
	batches *lane.Batches
	bell    lane.Bell
	engine  *lane.Engine // only to activate corrections
}

func newHandler(d deps) *handler {
	h := &handler{
		deps:    d,
		plans:   &plan.Store{DB: d.db, Blobs: d.blobs, Clock: d.app.Clock},
		offers:  lane.NewOffers(d.db),
		batches: lane.NewBatches(d.db, d.blobs),
		bell:    lane.Bell{DB: d.db, Queue: d.queue, Now: d.app.Clock.Now, Trace: trace.Header},
	}
	h.engine = &lane.Engine{DB: d.db, Blobs: d.blobs, Bell: h.bell, Planned: h.planned, Clock: d.app.Clock, Log: d.app.Log}
	return h
}

// planned is lane.PlannedRows.
func (h *handler) planned(ctx context.Context, t tenant.ID, id string, c price.ConnectionID, from int64, limit int) ([]lane.Row, error) {
	rows, err := h.plans.LaneRows(ctx, t, id, c, from, limit)
	out := make([]lane.Row, len(rows))
	for i, r := range rows {
		out[i] = lane.Row(r)
	}
	return out, err
}

// maxInline is the largest price file taken in a request body: what a Lambda
// function is given at most, less what base64 and the envelope take.
const maxInline = 4 << 20

func (h *handler) routes() []web.Route {
	return []web.Route{
		{Method: http.MethodGet, Pattern: "/health", Scope: web.Public, Handler: h.health},
		{Method: http.MethodGet, Pattern: "/version", Scope: web.Public, Handler: h.version},
		{Method: http.MethodGet, Pattern: "/offers", Scope: identity.OffersRead, Handler: h.listOffers},
		{Method: http.MethodPost, Pattern: "/plans", Scope: identity.PlansWrite, Accept: web.Uploads(), MaxBody: maxInline, Handler: h.createPlan},
		{Method: http.MethodGet, Pattern: "/plans/{id}", Scope: identity.PlansRead, Handler: h.getPlan},
		{Method: http.MethodGet, Pattern: "/plans/{id}/rows", Scope: identity.PlansRead, Handler: h.planRows},
		{Method: http.MethodPost, Pattern: "/batches", Scope: identity.BatchesWrite, Handler: h.createBatch},
		{Method: http.MethodGet, Pattern: "/batches/{id}", Scope: identity.BatchesRead, Handler: h.getBatch},
		{Method: http.MethodGet, Pattern: "/batches/{id}/rows", Scope: identity.BatchesRead, Handler: h.batchRows},
		{Method: http.MethodPost, Pattern: "/batches/{id}/rollback", Scope: identity.PlansWrite, Handler: h.rollback},
		{Method: http.MethodPost, Pattern: "/corrections", Scope: identity.BatchesWrite, Handler: h.correct},
		{Method: http.MethodGet, Pattern: "/stops", Scope: identity.StopsRead, Handler: h.listStops},
		{Method: http.MethodPost, Pattern: "/stops", Scope: identity.StopsWrite, Handler: h.setStop},
		{Method: http.MethodDelete, Pattern: "/stops/{name}", Scope: identity.StopsWrite, Handler: h.liftStop},
	}
}

func (h *handler) router() (*web.Router, error) {
	return web.New(h.app.Log, h.app.Clock, "", h.routes()...)
}

func (h *handler) health(context.Context, *web.Request) (*web.Response, error) {
	return web.JSON(http.StatusOK, map[string]bool{"ok": true})
}

func (h *handler) version(context.Context, *web.Request) (*web.Response, error) {
	return web.JSON(http.StatusOK, map[string]string{"version": h.cfg.Version, "stage": string(h.cfg.Stage)})
}
