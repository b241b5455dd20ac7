package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/front"
	"pricemanager/internal/identity"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/limit"
	"pricemanager/internal/privacy"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/trace"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
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
	Limits  runtime.Limits
}

// deps are what the handler works with.
type deps struct {
	app     *runtime.App
	cfg     config
	db      store.DB
	blobs   store.Blobs
	objects store.Large
	spool   func() (privacy.Temp, error) // for what is larger than memory
	queue   store.Queue
	sealer  ledger.Sealer
	secrets secret.Getter
	random  io.Reader
}

type handler struct {
	app     *runtime.App
	router  *web.Router
	keys    *identity.Keys
	members *identity.Members
	exports *privacy.Exports
	log     *ledger.Log
	signer  ledger.SignerFunc
	archive ledger.Archive
	batches *lane.Batches
}

func newHandler(d deps) (*handler, error) {
	signer := ledger.SignerFrom(d.secrets, d.cfg.Secrets.LedgerSigner)
	h := &handler{
		app:    d.app,
		keys:   identity.NewKeys(d.db, identity.PeppersFrom(d.secrets, d.cfg.Secrets.Pepper), d.app.Clock, d.random).Sealing(d.sealer),
		log:    ledger.New(d.db, d.sealer, d.app.Clock, d.random).WithSigner(signer),
		signer: signer, archive: ledger.Archive{Blobs: d.blobs}, batches: lane.NewBatches(d.db, d.blobs),
	}
	h.members = &identity.Members{DB: d.db, Seal: d.sealer, Clock: d.app.Clock}
	h.exports = &privacy.Exports{
		DB: d.db, Blobs: d.blobs, Objects: d.objects, Spool: d.spool, Sealer: d.sealer, Queue: d.queue, Ledger: h.log, Sources: h.sources(d),
		Clock: d.app.Clock, Rand: d.random, Trace: trace.Header,
	}
	before, err := front.New(front.Parts{
		DB: d.db, Clock: d.app.Clock, Random: d.random, Log: d.app.Log, Metrics: d.app.Metrics, Hashes: h.keys.Hashes, Quotas: limit.Quotas(d.cfg.Limits),
		Uses: ledger.Outbox{DB: d.db, Table: store.Offers, Clock: d.app.Clock, Sealer: d.sealer},
	})
	if err != nil {
		return nil, err
	}
	h.router, err = before.Router(h.routes()...)
	return h, err
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
		{Method: http.MethodGet, Pattern: "/ledger/checkpoints", Scope: identity.LedgerRead, Handler: h.checkpoints},
		{Method: http.MethodGet, Pattern: "/ledger/proof", Scope: identity.LedgerRead, Handler: h.inclusion},
		{Method: http.MethodGet, Pattern: "/ledger/consistency", Scope: identity.LedgerRead, Handler: h.consistency},
		{Method: http.MethodGet, Pattern: "/batches/{id}/receipt", Scope: identity.LedgerRead, Handler: h.receipt},
	}
}

// exportBody is an export as the API shows it.
type exportBody struct {
	ID        string        `json:"id"`
	Member    string        `json:"member,omitempty"` // whose data alone it is
	State     privacy.State `json:"state"`
	Requested time.Time     `json:"requestedAt"`
	Files     int           `json:"files,omitempty"`
	Bytes     int64         `json:"bytes,omitempty"`
	SHA256    string        `json:"sha256,omitempty"`
	Expires   *time.Time    `json:"expiresAt,omitempty"`
	// URL, which works for privacy.LinkFor, and Password are for who asked; absent
	// once the archive has expired.
	URL      string `json:"url,omitempty"`
	Password string `json:"password,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

func body(e privacy.Export, h privacy.Handed) exportBody {
	b := exportBody{
		ID: e.ID, Member: e.Member, State: e.State, Requested: e.At, Files: e.Files, Bytes: e.Bytes, SHA256: e.SHA256,
		URL: h.URL, Password: h.Password.Reveal(), Reason: e.Reason,
	}
	if !e.Expires.IsZero() {
		b.Expires = &e.Expires
	}
	return b
}

func (h *handler) request(ctx context.Context, r *web.Request) (*web.Response, error) {
	if err := h.recent(r); err != nil {
		return nil, err
	}
	member := r.Query.Get("member")
	if err := h.known(ctx, r.Tenant, member); err != nil {
		return nil, err
	}
	e, err := h.exports.Request(ctx, r.Tenant, r.Principal.Actor, r.ID, member)
	if err != nil {
		return nil, err
	}
	resp, err := web.JSON(http.StatusAccepted, body(e, privacy.Handed{}))
	if err != nil {
		return nil, err
	}
	return resp.With("Location", "/exports/"+e.ID), nil
}

// recent refuses a person who did not prove lately who they are: everything of a
// company is worth more than a browser that was left open. A key proves itself with
// every request.
func (h *handler) recent(r *web.Request) error {
	if r.Principal.Fresh(identity.ExportsWrite, h.app.Clock.Now()) {
		return nil
	}
	return fault.New(fault.Forbidden, "recent-code", "Confirm with a code of your authenticator first: an archive is asked for, and handed over, only within %d minutes of that.",
		int(identity.RecentMFA.Minutes()))
}

// known refuses a member that the tenant does not have; "" is everybody.
func (h *handler) known(ctx context.Context, t tenant.ID, member string) error {
	missing := fault.New(fault.NotFound, "member", "There is no %q: in member, write member: or key: and the id, or leave it out for everything of the company.", member)
	kind, id, _ := strings.Cut(member, ":")
	switch {
	case member == "":
		return nil
	case kind == "member" && id != "":
		_, err := h.members.Get(ctx, t, id)
		if fault.KindOf(err) == fault.NotFound || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
			return missing.Because(err)
		}
		return err
	case kind == "key" && id != "":
		for after := ""; ; {
			keys, next, err := h.keys.List(ctx, t, after, page)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(keys, func(k identity.Key) bool { return k.ID == id }) {
				return nil
			}
			if after = next; after == "" {
				return missing
			}
		}
	}
	return missing
}

func (h *handler) export(ctx context.Context, r *web.Request) (*web.Response, error) {
	e, err := h.exports.Get(ctx, r.Tenant, r.Params["id"])
	if err != nil {
		return nil, err
	}
	var handed privacy.Handed
	if h.recent(r) == nil { // how far it is, others may see
		if handed, err = h.exports.Hand(ctx, r.Tenant, e, r.Principal.Actor); err != nil {
			return nil, err
		}
	}
	return web.JSON(http.StatusOK, body(e, handed))
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
