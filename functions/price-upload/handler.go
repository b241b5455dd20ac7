package main

import (
	"context"
	"io"
	"net/http"
	"time"

	"pricemanager/internal/connect"
	"pricemanager/internal/disclosure"
	"pricemanager/internal/download"
	"pricemanager/internal/edge"
	"pricemanager/internal/fetch"
	"pricemanager/internal/front"
	"pricemanager/internal/fx"
	"pricemanager/internal/guard"
	"pricemanager/internal/history"
	"pricemanager/internal/identity"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/limit"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/pull"
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
	Limits  runtime.Limits
	Public  runtime.Public
	// SecurityContact and SecurityKey are how somebody who found a weakness reaches
	// us, see disclosure.Config.
	SecurityContact string `env:"SECURITY_CONTACT"`
	SecurityKey     string `env:"SECURITY_KEY"`
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
	planQueue   store.Queue
	tables      store.Queue // has downloads made
	notices     store.Queue // has owners told of changes of their guards
	connections *connect.Service
	ledger      history.Ledger
	sealer      pull.Sealer
	hashes      edge.Hashes                                                     // of callers' addresses
	revoke      func(ctx context.Context, t tenant.ID, actor, key string) error // ends an API key
	random      io.Reader
}

type handler struct {
	deps
	plans     *plan.Store
	offers    *lane.Offers
	batches   *lane.Batches
	past      *history.History
	bell      lane.Bell
	planBell  plan.Bell
	news      guard.Bell
	downloads *download.Store
	engine    *lane.Engine // only to activate corrections
	pulls     *pull.Store
	guards    *guard.Store
	members   *identity.Members // only to count them
	links     *fx.Store
	judged    func(context.Context, *plan.Input) error // by the tenant's guards
}

func newHandler(d deps) *handler {
	h := &handler{
		deps:   d,
		plans:  &plan.Store{DB: d.db, Blobs: d.blobs, Clock: d.app.Clock},
		offers: lane.NewOffers(d.db),
		past:   &history.History{Ledger: d.ledger, Blobs: d.blobs, Clock: d.app.Clock},
		bell:   lane.Bell{DB: d.db, Queue: d.queue, Now: d.app.Clock.Now, Trace: trace.Header},
	}
	h.guards, h.links = &guard.Store{DB: d.db, Clock: d.app.Clock}, &fx.Store{DB: d.db, Clock: d.app.Clock}
	h.members = &identity.Members{DB: d.db}
	h.downloads = &download.Store{DB: d.db, Blobs: d.blobs, Queue: d.tables, Clock: d.app.Clock, Rand: d.random, Trace: trace.Header}
	h.judged, h.plans.GuardsHash = plan.Judged(h.guards, h.past), plan.GuardsNow(h.guards)
	h.plans.Offers = h.offers
	h.pulls = &pull.Store{DB: d.db, Sealer: d.sealer, Clock: d.app.Clock, Check: (&fetch.Client{}).Check}
	h.batches = lane.NewBatches(d.db, d.blobs).WithPast(h.past)
	h.planBell, h.news = plan.Bell{Queue: d.planQueue, Trace: trace.Header}, guard.Bell{Queue: d.notices, Trace: trace.Header}
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
		{Method: http.MethodGet, Pattern: "/health", Scope: web.Public, FromAnywhere: true, Handler: h.health},
		{Method: http.MethodGet, Pattern: "/version", Scope: web.Public, Handler: h.version},
		{Method: http.MethodGet, Pattern: disclosure.TextPath, Scope: web.Public, Handler: h.securityText},
		{Method: http.MethodGet, Pattern: disclosure.PolicyPath, Scope: web.Public, Handler: h.securityPolicy},
		{Method: http.MethodGet, Pattern: disclosure.FindersPath, Scope: web.Public, Handler: h.securityFinders},
		{Method: http.MethodGet, Pattern: "/offers", Scope: identity.OffersRead, Handler: h.listOffers},
		{Method: http.MethodGet, Pattern: "/offers/history", Scope: identity.OffersRead, Handler: h.offerHistory},
		{Method: http.MethodGet, Pattern: "/offers/why", Scope: identity.OffersRead, Handler: h.why},
		{Method: http.MethodGet, Pattern: "/offers/export", Scope: identity.OffersRead, Handler: h.exportOffers},
		{Method: http.MethodGet, Pattern: "/offers/history/export", Scope: identity.OffersRead, Handler: h.exportHistory},
		{Method: http.MethodGet, Pattern: "/batches/{id}/export", Scope: identity.BatchesRead, Handler: h.exportBatch},
		{Method: http.MethodGet, Pattern: "/plans/{id}/export", Scope: identity.PlansRead, Handler: h.exportPlan},
		{Method: http.MethodPost, Pattern: "/downloads", Scope: identity.OffersRead, Handler: h.createDownload},
		{Method: http.MethodGet, Pattern: "/downloads/{id}", Scope: identity.OffersRead, Handler: h.getDownload},
		{Method: http.MethodPost, Pattern: "/uploads", Scope: identity.PlansWrite, Handler: h.createUpload},
		{Method: http.MethodPost, Pattern: "/plans", Scope: identity.PlansWrite, Accept: web.Uploads(), MaxBody: maxInline, Handler: h.createPlan},
		{Method: http.MethodGet, Pattern: "/plans/{id}", Scope: identity.PlansRead, Handler: h.getPlan},
		{Method: http.MethodGet, Pattern: "/plans/{id}/rows", Scope: identity.PlansRead, Handler: h.planRows},
		{Method: http.MethodGet, Pattern: "/plans/{id}/file", Scope: identity.PlansRead, Handler: h.planFile},
		{Method: http.MethodGet, Pattern: "/mappings", Scope: identity.PlansRead, Handler: h.listMappings},
		{Method: http.MethodPost, Pattern: "/plans/{id}/preview", Scope: identity.PlansWrite, Handler: h.askPreview},
		{Method: http.MethodGet, Pattern: "/plans/{id}/preview", Scope: identity.PlansRead, Handler: h.getPreview},
		{Method: http.MethodGet, Pattern: "/plans/{id}/schedule", Scope: identity.PlansRead, Handler: h.planSchedule},
		{Method: http.MethodPut, Pattern: "/mappings/{fingerprint}", Scope: identity.PlansWrite, Handler: h.putMapping},
		{Method: http.MethodDelete, Pattern: "/mappings/{fingerprint}", Scope: identity.PlansWrite, Handler: h.forgetMapping},
		{Method: http.MethodPost, Pattern: "/plans/{id}/releases", Scope: identity.ReleasesWrite, Handler: h.release},
		{Method: http.MethodPost, Pattern: "/plans/{id}/approvals", Scope: identity.ApprovalsWrite, Handler: h.approve},
		{Method: http.MethodGet, Pattern: "/guards", Scope: identity.GuardsRead, Handler: h.getGuards},
		{Method: http.MethodPut, Pattern: "/guards", Scope: identity.GuardsWrite, Handler: h.putGuards},
		{Method: http.MethodGet, Pattern: "/guards/notices", Scope: identity.GuardsRead, Handler: h.guardNotices},
		{Method: http.MethodGet, Pattern: "/costs", Scope: identity.GuardsRead, Handler: h.getCosts},
		{Method: http.MethodPut, Pattern: "/costs", Scope: identity.GuardsWrite, Accept: []string{"text/csv"}, MaxBody: guard.MaxCosts, Handler: h.putCosts},
		{Method: http.MethodGet, Pattern: "/links", Scope: identity.GuardsRead, Handler: h.getLinks},
		{Method: http.MethodPut, Pattern: "/links", Scope: identity.GuardsWrite, Handler: h.putLinks},
		{Method: http.MethodGet, Pattern: "/rates", Scope: identity.GuardsRead, Handler: h.getRates},
		{Method: http.MethodPut, Pattern: "/rates", Scope: identity.GuardsWrite, Accept: []string{"text/csv", "application/xml", "text/xml"}, MaxBody: fx.MaxTable, Handler: h.putRates},
		{Method: http.MethodPost, Pattern: "/batches", Scope: identity.BatchesWrite, Handler: h.createBatch},
		{Method: http.MethodGet, Pattern: "/batches/{id}", Scope: identity.BatchesRead, Handler: h.getBatch},
		{Method: http.MethodDelete, Pattern: "/batches/{id}", Scope: identity.BatchesWrite, Handler: h.cancelBatch},
		{Method: http.MethodGet, Pattern: "/batches/{id}/rows", Scope: identity.BatchesRead, Handler: h.batchRows},
		{Method: http.MethodPost, Pattern: "/batches/{id}/rollback", Scope: identity.PlansWrite, Handler: h.rollback},
		{Method: http.MethodPut, Pattern: "/batches/{id}/revert", Scope: identity.BatchesWrite, Handler: h.putRevert},
		{Method: http.MethodDelete, Pattern: "/batches/{id}/revert", Scope: identity.BatchesWrite, Handler: h.cancelRevert},
		{Method: http.MethodPost, Pattern: "/corrections", Scope: identity.BatchesWrite, Handler: h.correct},
		{Method: http.MethodGet, Pattern: "/pulls", Scope: identity.PlansRead, Handler: h.listPulls},
		{Method: http.MethodPost, Pattern: "/pulls", Scope: identity.PlansWrite, Handler: h.createPull},
		{Method: http.MethodGet, Pattern: "/pulls/{id}", Scope: identity.PlansRead, Handler: h.getPull},
		{Method: http.MethodPut, Pattern: "/pulls/{id}", Scope: identity.PlansWrite, Handler: h.putPull},
		{Method: http.MethodDelete, Pattern: "/pulls/{id}", Scope: identity.PlansWrite, Handler: h.deletePull},
		{Method: http.MethodPost, Pattern: "/pulls/{id}/runs", Scope: identity.PlansWrite, Handler: h.runPull},
		{Method: http.MethodGet, Pattern: "/stops", Scope: identity.StopsRead, Handler: h.listStops},
		// Whoever blocks addresses never locks anybody out of stopping.
		{Method: http.MethodPost, Pattern: "/stops", Scope: identity.StopsWrite, FromAnywhere: true, Handler: h.setStop},
		{Method: http.MethodDelete, Pattern: "/stops/{name}", Scope: identity.StopsWrite, Handler: h.liftStop},
		{Method: http.MethodGet, Pattern: "/suspicions", Scope: identity.StopsRead, Handler: h.listSuspicions},
		{Method: http.MethodPost, Pattern: "/suspicions/{id}/not-me", Scope: identity.StopsWrite, FromAnywhere: true, Handler: h.notMe},
		{Method: http.MethodPost, Pattern: "/suspicions/{id}/was-me", Scope: identity.StopsWrite, Handler: h.wasMe},
	}
}

func (h *handler) router() (*web.Router, error) {
	if err := h.disclosure().Validate(); err != nil {
		return nil, err
	}
	before, err := front.New(front.Parts{
		DB: h.db, Clock: h.app.Clock, Random: h.random, Log: h.app.Log, Metrics: h.app.Metrics, Hashes: h.hashes, Quotas: limit.Quotas(h.cfg.Limits),
		Uses: ledger.Outbox{DB: h.db, Table: store.Offers, Clock: h.app.Clock, Sealer: h.sealer},
	})
	if err != nil {
		return nil, err
	}
	return before.Router(h.routes()...)
}

func (h *handler) health(context.Context, *web.Request) (*web.Response, error) {
	return web.JSON(http.StatusOK, map[string]bool{"ok": true})
}

func (h *handler) version(context.Context, *web.Request) (*web.Response, error) {
	return web.JSON(http.StatusOK, map[string]string{"version": h.cfg.Version, "stage": string(h.cfg.Stage)})
}
