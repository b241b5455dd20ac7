package main

import (
	"context"
	"strings"
	"time"

	"pricemanager/internal/connect"
	"pricemanager/internal/download"
	"pricemanager/internal/fx"
	"pricemanager/internal/guard"
	"pricemanager/internal/history"
	"pricemanager/internal/identity"
	"pricemanager/internal/incident"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/preview"
	"pricemanager/internal/price"
	"pricemanager/internal/privacy"
	"pricemanager/internal/pull"
	"pricemanager/internal/tenant"
	"pricemanager/internal/watch"
)

// page is how many rows a source reads at once.
const page = 500

// sources are the rooms' parts of an export.
func (h *handler) sources(d deps) []privacy.Source {
	clk := d.app.Clock
	connections := &connect.Service{DB: d.db, Clock: clk}
	plans := &plan.Store{DB: d.db, Blobs: d.blobs, Clock: clk}
	guards, links := &guard.Store{DB: d.db, Clock: clk}, &fx.Store{DB: d.db, Clock: clk}
	offers := offerList{connections, lane.NewOffers(d.db)}
	return []privacy.Source{
		privacy.SourceFunc("company", companyFile{identity.NewTenants(d.db, d.sealer, clk)}.export),
		privacy.PersonalFunc("members", memberList{h.members}.export),
		privacy.PersonalFunc("sessions", sessionList{&identity.Sessions{DB: d.db, Clock: clk}}.export),
		privacy.PersonalFunc("api keys", apiKeys{h.keys}.export),
		privacy.SourceFunc("connections", connectionList{connections}.export),
		privacy.SourceFunc("offers", offers.export),
		privacy.SourceFunc("prices", offers.prices),
		privacy.PersonalFunc("plans", planList{plans}.export),
		privacy.SourceFunc("rows of plans", planRows{plans}.export),
		privacy.SourceFunc("given files", givenFiles{plans, d.blobs}.export),
		privacy.PersonalFunc("mappings", mappingList{plans}.export),
		privacy.PersonalFunc("batches", batchList{h.batches}.export),
		privacy.SourceFunc("rows of batches", batchRows{h.batches}.export),
		privacy.PersonalFunc("pulls", pullList{&pull.Store{DB: d.db, Sealer: d.sealer, Clock: clk}}.export),
		privacy.SourceFunc("guards", guardFiles{guards}.export),
		privacy.PersonalFunc("guard notices", noticeList{guards}.export),
		privacy.PersonalFunc("previews", previewList{&preview.Service{DB: d.db, Clock: clk}}.export),
		privacy.SourceFunc("links", linkFiles{links}.export),
		privacy.PersonalFunc("downloads", downloadList{&download.Store{DB: d.db, Clock: clk}}.export),
		privacy.PersonalFunc("stops", stopList{lane.Stops{DB: d.db}}.export),
		privacy.SourceFunc("visibility", visibilityList{d.db}.export),
		privacy.PersonalFunc("suspicions", suspicionList{&watch.Findings{DB: d.db, Clock: clk}}.export),
		privacy.SourceFunc("incidents", incidentList{d.db, &incident.Log{DB: d.db, Clock: clk}}.export),
		privacy.SourceFunc("history", historyFile{&history.History{Ledger: h.log, Clock: clk}}.export),
	}
}

// optional is nil for the zero time, which JSON then leaves out.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// apiKeys writes what is known about keys: neither a key nor its HMAC is.
type apiKeys struct{ keys *identity.Keys }

type apiKeyRow struct {
	ID        string           `json:"id"`
	Name      string           `json:"name"`
	Role      identity.Role    `json:"role"`
	Scopes    []identity.Scope `json:"scopes"`
	CreatedAt time.Time        `json:"createdAt"`
	CreatedBy string           `json:"createdBy"`
	Expires   time.Time        `json:"expiresAt"`
	LastUsed  *time.Time       `json:"lastUsed,omitempty"` // to the hour
	Revoked   *time.Time       `json:"revokedAt,omitempty"`
}

func (s apiKeys) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	table, err := w.Table("apikeys", "id", "name", "role", "scopes", "created_at", "created_by", "expires_at", "last_used", "revoked_at")
	if err != nil {
		return err
	}
	for after := ""; ; {
		keys, next, err := s.keys.List(ctx, t, after, page)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if !w.About("key:"+k.ID, k.CreatedBy) {
				continue
			}
			scopes := make([]string, len(k.Scopes))
			for i, s := range k.Scopes {
				scopes[i] = string(s)
			}
			err := table.Add(apiKeyRow{
				ID: k.ID, Name: k.Name.Reveal(), Role: k.Role, Scopes: k.Scopes, CreatedAt: k.CreatedAt, CreatedBy: k.CreatedBy,
				Expires: k.Expires, LastUsed: optional(k.LastUsed), Revoked: optional(k.Revoked),
			}, k.ID, k.Name.Reveal(), string(k.Role), strings.Join(scopes, " "), privacy.Stamp(k.CreatedAt), k.CreatedBy,
				privacy.Stamp(k.Expires), privacy.Stamp(k.LastUsed), privacy.Stamp(k.Revoked))
			if err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// connectionList writes the connections; refresh tokens live elsewhere.
type connectionList struct{ connections *connect.Service }

type connectionRow struct {
	ID           price.ConnectionID     `json:"id"`
	Region       price.Region           `json:"region"`
	State        connect.State          `json:"state"`
	Seller       string                 `json:"seller,omitempty"`
	Marketplaces []price.MarketplaceID  `json:"marketplaces"`
	CreatedAt    time.Time              `json:"createdAt"`
	AuthorisedAt *time.Time             `json:"authorisedAt,omitempty"`
	ClosedAt     *time.Time             `json:"closedAt,omitempty"`
	Grant        int64                  `json:"grant,omitempty"`    // number of the authorisation in use
	Consents     int64                  `json:"consents,omitempty"` // how often one was asked for
	Health       *healthRow             `json:"health,omitempty"`
	Import       *importRow             `json:"import,omitempty"`
	Notices      []connect.Subscription `json:"subscriptions,omitempty"` // to Amazon's notifications
	Reason       string                 `json:"reason,omitempty"`
}

type healthRow struct {
	State    connect.HealthState `json:"state"`
	Since    *time.Time          `json:"since,omitempty"`
	LastGood *time.Time          `json:"lastGood,omitempty"`
	LastFail *time.Time          `json:"lastFailure,omitempty"`
	Reason   string              `json:"reason,omitempty"`
}

type importRow struct {
	State     connect.ImportState `json:"state"`
	Known     int64               `json:"known"`
	Requested int64               `json:"requested"`
	At        *time.Time          `json:"at,omitempty"`
}

func (s connectionList) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	table, err := w.Table("connections", "id", "region", "state", "seller", "marketplaces", "created_at", "authorised_at", "reason")
	if err != nil {
		return err
	}
	all, err := s.connections.List(ctx, t)
	if err != nil {
		return err
	}
	for _, c := range all {
		markets := make([]string, len(c.Marketplaces))
		for i, m := range c.Marketplaces {
			markets[i] = string(m)
		}
		row := connectionRow{
			ID: c.ID, Region: c.Region, State: c.State, Seller: c.Seller, Marketplaces: c.Marketplaces,
			CreatedAt: c.CreatedAt, AuthorisedAt: optional(c.AuthorisedAt), Reason: c.Reason,
			ClosedAt: optional(c.ClosedAt), Grant: c.Grant, Consents: c.Consents, Notices: c.Subscriptions,
		}
		if i := c.Import; i.State != connect.ImportNone && i.State != "" {
			row.Import = &importRow{i.State, i.Known, i.Requested, optional(i.At)}
		}
		health, err := s.connections.Health(ctx, t, c.ID)
		if err != nil {
			return err
		}
		if health.State != "" {
			row.Health = &healthRow{health.State, optional(health.Since), optional(health.LastGood), optional(health.LastFail), health.Reason}
		}
		err = table.Add(row, string(c.ID), string(c.Region), string(c.State), c.Seller, strings.Join(markets, " "),
			privacy.Stamp(c.CreatedAt), privacy.Stamp(c.AuthorisedAt), c.Reason)
		if err != nil {
			return err
		}
	}
	return nil
}
