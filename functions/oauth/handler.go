package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/connect"
	"pricemanager/internal/edge"
	"pricemanager/internal/fault"
	"pricemanager/internal/front"
	"pricemanager/internal/identity"
	"pricemanager/internal/ledger"
	"pricemanager/internal/limit"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/web"
)

// config is what the function reads from its environment.
type config struct {
	runtime.Base
	Tables      runtime.Tables
	Queues      runtime.Queues
	Secrets     runtime.Secrets
	Amazon      runtime.Amazon
	Public      runtime.Public
	Limits      runtime.Limits
	TokenBroker string `env:"TOKEN_BROKER, required"`
}

// callbackPath is where Amazon sends sellers back to, below our public address.
const callbackPath = "/oauth/callback"

func (c config) consent() connect.Config {
	return connect.Config{
		Consent: c.Amazon.Consent(), ApplicationID: c.Amazon.ApplicationID, Draft: c.Amazon.ApplicationDraft,
		RedirectURI: c.Public.URL + callbackPath, AllowInsecure: c.Stage == runtime.Local,
	}
}

type handler struct{ connections *connect.Service }

func newRouter(log *slog.Logger, m *metrics.Writer, connections *connect.Service, hashes edge.Hashes, q limit.Quotas) (*web.Router, error) {
	if err := connections.Config.Validate(); err != nil {
		return nil, err
	}
	h := &handler{connections}
	before, err := front.New(front.Parts{
		DB: connections.DB, Clock: connections.Clock, Random: connections.Random, Log: log, Metrics: m, Hashes: hashes, Quotas: q,
		// Without addresses, but for their keyed hashes: this function opens no data keys.
		Uses: ledger.Outbox{DB: connections.DB, Table: store.Offers, Clock: connections.Clock},
	})
	if err != nil {
		return nil, err
	}
	return before.Router(
		web.Route{Method: http.MethodPost, Pattern: "/connections", Scope: identity.ConnectionsWrite, Handler: h.start},
		web.Route{Method: http.MethodGet, Pattern: "/connections", Scope: identity.ConnectionsRead, Handler: h.list},
		web.Route{Method: http.MethodGet, Pattern: "/connections/{id}", Scope: identity.ConnectionsRead, Handler: h.get},
		web.Route{Method: http.MethodDelete, Pattern: "/connections/{id}", Scope: identity.ConnectionsWrite, Handler: h.disconnect},
		web.Route{Method: http.MethodPost, Pattern: "/connections/{id}/import", Scope: identity.ConnectionsWrite, Handler: h.requestImport},
		web.Route{Method: http.MethodGet, Pattern: callbackPath, Scope: web.Public, Handler: h.callback},
	)
}

// connectionDoc is a connection as the API shows it.
type connectionDoc struct {
	ID           price.ConnectionID    `json:"id"`
	Region       price.Region          `json:"region"`
	State        connect.State         `json:"state"`
	Seller       string                `json:"seller,omitempty"`
	Marketplaces []price.MarketplaceID `json:"marketplaces"`
	CreatedAt    time.Time             `json:"createdAt"`
	AuthorisedAt *time.Time            `json:"authorisedAt,omitempty"`
	RenewBy      *time.Time            `json:"renewBy,omitempty"`
	Renewal      connect.Renewal       `json:"renewal,omitempty"` // how urgent that is
	Disconnected *time.Time            `json:"disconnectedAt,omitempty"`
	Revoke       *revokeDoc            `json:"revoke,omitempty"` // only in the answer to a disconnection
	Reason       string                `json:"reason,omitempty"` // why it must be authorised again
	Health       *healthDoc            `json:"health,omitempty"` // once Amazon was asked for a token
	Import       importDoc             `json:"import"`
	AuthorizeURL string                `json:"authorizeUrl,omitempty"` // only in the answer to a start
	// Subscriptions are Amazon's notifications; [] until they were looked after.
	Subscriptions []subscriptionDoc `json:"subscriptions"`
	Quota         *quotaDoc         `json:"quota,omitempty"` // of one connection, once its lane has sent something
}

// healthDoc is how it goes with a connection's access tokens.
type healthDoc struct {
	State                 connect.HealthState `json:"state"`
	Since                 time.Time           `json:"since"`
	LastGoodToken         *time.Time          `json:"lastGoodToken,omitempty"` // to the day while they are given
	LastFailure           *time.Time          `json:"lastFailure,omitempty"`
	Reason                string              `json:"reason,omitempty"`                // of the last failure
	DaysToReauthorisation *int                `json:"daysToReauthorisation,omitempty"` // whole days left, negative when missed
}

func health(c connect.Connection, h connect.Health, now time.Time) *healthDoc {
	if h.State == "" {
		return nil
	}
	d := &healthDoc{State: h.State, Since: h.Since, LastGoodToken: given(h.LastGood), LastFailure: given(h.LastFail), Reason: h.Reason}
	if by, renewal := c.Renewal(now); renewal != connect.RenewalNone {
		const day = 24 * time.Hour
		days := int(by.Sub(now) / day)
		if by.Before(now) {
			days--
		}
		d.DaysToReauthorisation = &days
	}
	return d
}

// subscriptionDoc is one kind of notification: whether Amazon sends it, since
// when, or why not.
type subscriptionDoc struct {
	Type      amazon.NotificationType   `json:"type"`
	State     connect.SubscriptionState `json:"state"`
	Since     *time.Time                `json:"since,omitempty"`
	Reason    string                    `json:"reason,omitempty"`
	CheckedAt time.Time                 `json:"checkedAt"`
}

type importDoc struct {
	State     connect.ImportState `json:"state"`
	Known     int64               `json:"known"`
	Requested int64               `json:"requested"`
	At        *time.Time          `json:"at,omitempty"`
}

func show(c connect.Connection, now time.Time) connectionDoc {
	by, renewal := c.Renewal(now)
	return connectionDoc{
		RenewBy: given(by), Renewal: renewal, Disconnected: given(c.ClosedAt),
		ID: c.ID, Region: c.Region, State: c.State, Seller: c.Seller,
		Marketplaces: append([]price.MarketplaceID{}, c.Marketplaces...), // [] rather than null
		CreatedAt:    c.CreatedAt, AuthorisedAt: given(c.AuthorisedAt), Reason: c.Reason,
		Import:        importDoc{c.Import.State, c.Import.Known, c.Import.Requested, given(c.Import.At)},
		Subscriptions: subscriptions(c.Subscriptions),
	}
}

func subscriptions(list []connect.Subscription) []subscriptionDoc {
	docs := make([]subscriptionDoc, len(list))
	for i, s := range list {
		docs[i] = subscriptionDoc{s.Type, s.State, given(s.Since), s.Reason, s.At}
	}
	return docs
}

func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// public gives the errors of connections their faces.
func public(err error) error {
	switch {
	case errors.Is(err, connect.ErrNotFound):
		return fault.New(fault.NotFound, "connection-not-found", "There is no such connection.").Because(err)
	case errors.Is(err, connect.ErrRegion):
		return fault.New(fault.Invalid, "region", "region must be NA, EU or FE.").Because(err)
	case errors.Is(err, connect.ErrNotAuthorised):
		return fault.New(fault.Conflict, "not-authorised", "The seller has to authorise this connection first.").Because(err)
	}
	return err
}

// start begins a consent: for a new connection in a region, or once more for
// one that exists.
func (h *handler) start(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		Region     price.Region       `json:"region"`
		Connection price.ConnectionID `json:"connection"`
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	if (in.Region == "") == (in.Connection == "") {
		return nil, fault.New(fault.Invalid, "body", `Send either {"region":"EU"} for a new connection, or {"connection":"conn_..."} to authorise one again.`)
	}
	var c connect.Connection
	var address string
	var err error
	if in.Connection != "" {
		c, address, err = h.connections.StartAgain(ctx, r.Principal.Actor, r.Tenant, in.Connection)
	} else {
		c, address, err = h.connections.Start(ctx, r.Principal.Actor, r.Tenant, in.Region)
	}
	if err != nil {
		return nil, public(err)
	}
	doc := show(c, h.connections.Clock.Now())
	doc.AuthorizeURL = address
	return web.JSON(http.StatusCreated, doc)
}

func (h *handler) list(ctx context.Context, r *web.Request) (*web.Response, error) {
	all, err := h.connections.List(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	healths, err := h.connections.Healths(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	now := h.connections.Clock.Now()
	docs := make([]connectionDoc, len(all))
	for i, c := range all {
		docs[i] = show(c, now)
		docs[i].Health = health(c, healths[c.ID], now)
	}
	return web.JSON(http.StatusOK, map[string]any{"items": docs, "next": ""})
}

func (h *handler) get(ctx context.Context, r *web.Request) (*web.Response, error) {
	c, err := h.connections.Get(ctx, r.Tenant, price.ConnectionID(r.Params["id"]))
	if err != nil {
		return nil, public(err)
	}
	now := h.connections.Clock.Now()
	doc := show(c, now)
	how, err := h.connections.Health(ctx, r.Tenant, c.ID)
	if err != nil {
		return nil, err
	}
	doc.Health = health(c, how, now)
	if doc.Quota, err = h.quota(ctx, r.Tenant, c.ID); err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, doc)
}

func (h *handler) requestImport(ctx context.Context, r *web.Request) (*web.Response, error) {
	c, err := h.connections.RequestImport(ctx, r.Principal.Actor, r.Tenant, price.ConnectionID(r.Params["id"]))
	if err != nil {
		return nil, public(err)
	}
	return web.JSON(http.StatusAccepted, show(c, h.connections.Clock.Now()).Import)
}

// callback takes a seller back from Amazon's page. It is public: what allows it
// is the state, which only the browser that was sent to Amazon has.
func (h *handler) callback(ctx context.Context, r *web.Request) (*web.Response, error) {
	in := connect.Return{
		State: secret.New(r.Query.Get("state")), Code: secret.New(r.Query.Get("spapi_oauth_code")),
		Seller: r.Query.Get("selling_partner_id"),
	}
	if r.Principal.Tenant != "" { // a browser that is signed in
		in.Caller = &connect.Caller{Tenant: r.Principal.Tenant, Actor: r.Principal.Actor}
	}
	if _, err := h.connections.Callback(ctx, in); err != nil {
		return nil, err
	}
	return web.HTML(http.StatusOK, []byte(connectedPage))
}

// connectedPage holds nothing of the connection: whoever gets the address sees
// no more than that it worked.
const connectedPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Connected</title></head>
<body><main><h1>Connected</h1><p>Your seller account is connected. You can close this window.</p></main></body></html>
`
