package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"pricemanager/internal/connect"
	"pricemanager/internal/front"
	"pricemanager/internal/identity"
	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/limit"
	"pricemanager/internal/privacy"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
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
	Tables      runtime.Tables
	Buckets     runtime.Buckets
	Queues      queues
	Secrets     runtime.Secrets
	Limits      runtime.Limits
	TokenBroker string        `env:"TOKEN_BROKER, required"`
	UserPool    string        `env:"USER_POOL, required"`
	CoolingOff  time.Duration `env:"COOLING_OFF, required"`
	Settle      time.Duration `env:"SETTLE, required"`
}

// queues are runtime.Queues and the one that is this function's own.
type queues struct {
	runtime.Queues
	Erasures string `env:"QUEUE_ERASURES, required"`
}

// Validate refuses a cooling-off that leaves too little of the month.
func (c config) Validate() error {
	if c.CoolingOff < 0 || c.CoolingOff > privacy.LongestCoolingOff {
		return fmt.Errorf("COOLING_OFF is %s: want 0 to %s", c.CoolingOff, privacy.LongestCoolingOff)
	}
	if c.Settle < 0 || c.Stage != runtime.Local && c.Settle < privacy.SettleFor {
		return fmt.Errorf("SETTLE is %s: want at least %s, for as long may go on what has begun", c.Settle, privacy.SettleFor)
	}
	return c.Base.Validate()
}

// keys destroys data keys, and is what the ledger opens with.
type keys interface {
	ledger.Sealer
	Shred(ctx context.Context, t tenant.ID) error
}

// deps are what the handler works with.
type deps struct {
	app      *runtime.App
	cfg      config
	db       store.DB
	sweeper  store.Sweeper
	blobs    store.Blobs
	queue    store.Queue
	doorbell store.Queue
	keys     keys
	tokens   connect.Tokens // the token broker's client
	secrets  secret.Getter
	random   io.Reader
	// deleteUser deletes a member's user at the sign-in provider.
	deleteUser func(ctx context.Context, member string) error
}

type handler struct {
	app      *runtime.App
	router   *web.Router
	keys     *identity.Keys
	erasures *privacy.Erasures
}

func newHandler(d deps) (*handler, error) {
	table, stop := lane.TenantStop()
	stops := lane.Stops{DB: d.db, Bell: lane.Bell{DB: d.db, Queue: d.doorbell, Now: d.app.Clock.Now, Trace: trace.Header}}
	connections := &connect.Service{DB: d.db, Clock: d.app.Clock, Tokens: d.tokens}
	h := &handler{
		app:  d.app,
		keys: identity.NewKeys(d.db, identity.PeppersFrom(d.secrets, d.cfg.Secrets.Pepper), d.app.Clock, d.random),
		erasures: &privacy.Erasures{
			DB: d.db, Queue: d.queue, Clock: d.app.Clock, Rand: d.random, CoolingOff: d.cfg.CoolingOff, Settle: d.cfg.Settle, Trace: trace.Header,
			Sweeper: d.sweeper, Blobs: d.blobs, Keys: d.keys,
			Ledger: ledger.New(d.db, d.keys, d.app.Clock, d.random),
			Signer: ledger.SignerFrom(d.secrets, d.cfg.Secrets.LedgerSigner),
			Freeze: func(ctx context.Context, t tenant.ID) error {
				return stops.Set(ctx, t, lane.Stop{Scope: lane.ScopeTenant, Actor: "privacy", Reason: "everything of the company is being erased"})
			},
			Thaw:   func(ctx context.Context, t tenant.ID) error { return d.db.Delete(ctx, t, table, stop) },
			Frozen: func(in store.Table, key store.Key) bool { return in == table && key == stop },
			Entry:  connect.IsConsent,
			// Cognito knows the members by their ids, and has their passwords.
			DeleteUser: d.deleteUser,
			// Amazon has no call that withdraws a seller's authorisation: only the seller
			// can, in Seller Central, and without the token it is of no use to anybody. It
			// counts on every number that was ever given out: one may hold a token that was
			// never put to use.
			Revoke: func(ctx context.Context, t tenant.ID) error { return connections.DisconnectAll(ctx, "privacy", t) },
		},
	}
	before, err := front.New(front.Parts{
		DB: d.db, Clock: d.app.Clock, Random: d.random, Log: d.app.Log, Metrics: d.app.Metrics, Hashes: h.keys.Hashes, Quotas: limit.Quotas(d.cfg.Limits),
	})
	if err != nil {
		return nil, err
	}
	h.router, err = before.Router(h.routes()...)
	return h, err
}

// events serves all of the function's triggers.
func (h *handler) events() runtime.Events {
	return runtime.Events{API: runtime.JSON(h.router.Lambda(h.keys)), SQS: h.app.SQS(h.message), Direct: runtime.JSON(h.job)}
}

func (h *handler) routes() []web.Route {
	return []web.Route{
		{Method: http.MethodPost, Pattern: "/privacy/erasures", Scope: identity.ErasuresWrite, Handler: h.request},
		// Public, since at the end there is no key left to ask with: the id itself, 128
		// random bits, is what the caller proves. The answer has dates and opaque ids.
		{Method: http.MethodGet, Pattern: "/privacy/erasures/{id}", Scope: web.Public, Handler: h.get},
		{Method: http.MethodDelete, Pattern: "/privacy/erasures/{id}", Scope: identity.ErasuresWrite, Handler: h.cancel},
	}
}

// erasureDoc is an erasure as the API shows it.
type erasureDoc struct {
	ID        string        `json:"id"`
	State     privacy.State `json:"state"`
	Requested time.Time     `json:"requestedAt"`
	Starts    time.Time     `json:"startsAt"` // and can be cancelled until then
	Due       time.Time     `json:"dueAt"`
	HeldSince *time.Time    `json:"heldSince,omitempty"`
	Held      string        `json:"held,omitempty"`
	Started   *time.Time    `json:"startedAt,omitempty"`
	Finished  *time.Time    `json:"finishedAt,omitempty"`
	Receipt   string        `json:"receipt,omitempty"`
}

func show(e privacy.Erasure) erasureDoc {
	d := erasureDoc{ID: e.ID, State: e.State, Requested: e.At, Starts: e.Starts, Due: e.Due,
		Started: optional(e.Started), Finished: optional(e.Finished), HeldSince: optional(e.HeldSince), Receipt: e.Receipt}
	if d.HeldSince != nil {
		d.Held = "The law obliges us to keep the data for now (GDPR 17(3)). The erasure starts when that has ended."
	}
	return d
}

// optional is nil for the zero time, which JSON then leaves out.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (h *handler) request(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct{ Confirm string }
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	e, err := h.erasures.Request(ctx, r.Tenant, r.Principal.Actor, r.ID, in.Confirm)
	if err != nil {
		return nil, err
	}
	resp, err := web.JSON(http.StatusAccepted, show(e))
	if err != nil {
		return nil, err
	}
	return resp.With("Location", "/privacy/erasures/"+e.ID), nil
}

func (h *handler) get(ctx context.Context, r *web.Request) (*web.Response, error) {
	e, err := h.erasures.Get(ctx, r.Params["id"])
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, show(e))
}

func (h *handler) cancel(ctx context.Context, r *web.Request) (*web.Response, error) {
	e, err := h.erasures.Cancel(ctx, r.Tenant, r.Principal.Actor, r.Params["id"])
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, show(e))
}

// message works off one message of the erasure queue. An error lets it come
// again, and in the end to the dead-letter queue.
func (h *handler) message(ctx context.Context, m runtime.Message) error {
	var msg privacy.Message
	if err := m.Decode(&msg); err != nil {
		return err
	}
	if msg.Kind != privacy.KindErasure || !msg.Tenant.Valid() {
		return fmt.Errorf("%w %s: kind %q for tenant %q", runtime.ErrMalformed, m.ID, msg.Kind, msg.Tenant)
	}
	return h.erasures.Run(ctx, msg.Tenant, msg.Erasure)
}

// event is what the schedule sends.
type event struct {
	Job string `json:"job"`
}

// result says how much a job did.
type result struct {
	Job  string `json:"job"`
	Done int    `json:"done"`
}

// job has every erasure go on that can, and tells how old the oldest is.
func (h *handler) job(ctx context.Context, e event) (result, error) {
	if e.Job != "erasures" {
		return result{}, fmt.Errorf("gdpr-erasure: there is no job %q", e.Job)
	}
	open, err := h.erasures.Timer(ctx)
	h.app.Log.InfoContext(ctx, "erasures", "open", open.Count, "rung", open.Rung, "oldestHours", int64(open.Oldest.Hours()), "ok", err == nil)
	h.app.Metrics.Emit(nil, metrics.Count("ErasuresOpen", int64(open.Count)), metrics.Count("ErasureAgeHours", int64(open.Oldest.Hours())))
	return result{Job: e.Job, Done: open.Rung}, err
}
