package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"pricemanager/internal/edge"
	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/privacy"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/web"
)

// secretsFor is how long the pepper and the signing key are kept in memory.
const secretsFor = 5 * time.Minute

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
	app     *runtime.App
	cfg     config
	db      store.DB
	blobs   store.Blobs
	queue   store.Queue
	sealer  ledger.Sealer
	secrets secret.Getter
	random  io.Reader
}

type handler struct {
	app     *runtime.App
	router  *web.Router
	keys    *identity.Keys
	exports *privacy.Exports
	log     *ledger.Log
	signer  ledger.SignerFunc
	batches *lane.Batches
}

func newHandler(d deps) (*handler, error) {
	signer := ledger.SignerFrom(d.secrets, d.cfg.Secrets.LedgerSigner)
	h := &handler{
		app:    d.app,
		keys:   identity.NewKeys(d.db, identity.PeppersFrom(d.secrets, d.cfg.Secrets.Pepper), d.app.Clock, d.random),
		log:    ledger.New(d.db, d.sealer, d.app.Clock, d.random).WithSigner(signer),
		signer: signer, batches: lane.NewBatches(d.db, d.blobs),
	}
	h.exports = &privacy.Exports{
		DB: d.db, Blobs: d.blobs, Queue: d.queue, Ledger: h.log, Sources: sources(d, h.keys),
		Clock: d.app.Clock, Rand: d.random, Trace: trace.Header,
	}
	var err error
	if h.router, err = web.New(d.app.Log, d.app.Clock, "", h.routes()...); err != nil {
		return nil, err
	}
	h.router.WithGate(edge.New(d.db, d.app.Clock, d.app.Log)).WithMetrics(d.app.Metrics)
	return h, nil
}

// events serves both of the function's triggers.
func (h *handler) events() runtime.Events {
	return runtime.Events{API: runtime.JSON(h.router.Lambda(h.keys)), SQS: h.app.SQS(h.message)}
}

func (h *handler) routes() []web.Route {
	return []web.Route{
		{Method: http.MethodPost, Pattern: "/exports", Scope: identity.ExportsWrite, Handler: h.request},
		{Method: http.MethodGet, Pattern: "/exports/{id}", Scope: identity.ExportsRead, Handler: h.export},
		{Method: http.MethodGet, Pattern: "/ledger", Scope: identity.LedgerRead, Handler: h.head},
		{Method: http.MethodGet, Pattern: "/ledger/key", Scope: web.Public, Handler: h.key},
		{Method: http.MethodGet, Pattern: "/ledger/proof", Scope: identity.LedgerRead, Handler: h.inclusion},
		{Method: http.MethodGet, Pattern: "/ledger/consistency", Scope: identity.LedgerRead, Handler: h.consistency},
		{Method: http.MethodGet, Pattern: "/batches/{id}/receipt", Scope: identity.LedgerRead, Handler: h.receipt},
	}
}

// exportBody is an export as the API shows it.
type exportBody struct {
	ID        string        `json:"id"`
	State     privacy.State `json:"state"`
	Requested time.Time     `json:"requestedAt"`
	Files     int           `json:"files,omitempty"`
	Bytes     int64         `json:"bytes,omitempty"`
	SHA256    string        `json:"sha256,omitempty"`
	Expires   *time.Time    `json:"expiresAt,omitempty"`
	URL       string        `json:"url,omitempty"` // for who asked; works for privacy.LinkFor; absent once expired
	Reason    string        `json:"reason,omitempty"`
}

func body(e privacy.Export, url string) exportBody {
	b := exportBody{
		ID: e.ID, State: e.State, Requested: e.At, Files: e.Files, Bytes: e.Bytes, SHA256: e.SHA256, URL: url, Reason: e.Reason,
	}
	if !e.Expires.IsZero() {
		b.Expires = &e.Expires
	}
	return b
}

func (h *handler) request(ctx context.Context, r *web.Request) (*web.Response, error) {
	if err := wholeCompany(r); err != nil {
		return nil, err
	}
	e, err := h.exports.Request(ctx, r.Tenant, r.Principal.Actor, r.ID)
	if err != nil {
		return nil, err
	}
	resp, err := web.JSON(http.StatusAccepted, body(e, ""))
	if err != nil {
		return nil, err
	}
	return resp.With("Location", "/exports/"+e.ID), nil
}

// wholeCompany is where an export of one member's data alone begins once there are
// members: until then whoever asks for one is told, and not given everybody's.
func wholeCompany(r *web.Request) error {
	if r.Query.Get("member") != "" {
		return fault.New(fault.Invalid, "member", "There are no members yet, only API keys: leave member out for everything of the company.")
	}
	return nil
}

func (h *handler) export(ctx context.Context, r *web.Request) (*web.Response, error) {
	e, err := h.exports.Get(ctx, r.Tenant, r.Params["id"])
	if err != nil {
		return nil, err
	}
	// The link is for who asked and for nobody else of the company: the archive may
	// hold more than their own scopes let them see.
	var url string
	if e.By == r.Principal.Actor {
		if url, err = h.exports.Link(ctx, r.Tenant, e); err != nil {
			return nil, err
		}
	}
	return web.JSON(http.StatusOK, body(e, url))
}

// message works off one message of the privacy queue. An error lets it come
// again, and in the end to the dead-letter queue.
func (h *handler) message(ctx context.Context, m runtime.Message) error {
	var msg privacy.Message
	if err := m.Decode(&msg); err != nil {
		return err
	}
	if msg.Kind != privacy.KindExport || !msg.Tenant.Valid() {
		return fmt.Errorf("%w %s: kind %q for tenant %q", runtime.ErrMalformed, m.ID, msg.Kind, msg.Tenant)
	}
	return h.exports.Run(ctx, msg.Tenant, msg.Export)
}
