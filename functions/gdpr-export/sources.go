package main

import (
	"context"
	"strings"
	"time"

	"pricemanager/internal/connect"
	"pricemanager/internal/download"
	"pricemanager/internal/fx"
	"pricemanager/internal/guard"
	"pricemanager/internal/identity"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/preview"
	"pricemanager/internal/price"
	"pricemanager/internal/privacy"
	"pricemanager/internal/pull"
	"pricemanager/internal/tenant"
)

// page is how many rows a source reads at once.
const page = 500

// sources are the rooms' parts of an export.
func sources(d deps, keys *identity.Keys) []privacy.Source {
	connections := &connect.Service{DB: d.db, Clock: d.app.Clock}
	return []privacy.Source{
		privacy.SourceFunc("api keys", apiKeys{keys}.export),
		privacy.SourceFunc("connections", connectionList{connections}.export),
		privacy.SourceFunc("offers", offerList{connections, lane.NewOffers(d.db)}.export),
		privacy.SourceFunc("plans", planList{&plan.Store{DB: d.db, Blobs: d.blobs, Clock: d.app.Clock}}.export),
		privacy.SourceFunc("mappings", mappingList{&plan.Store{DB: d.db, Blobs: d.blobs, Clock: d.app.Clock}}.export),
		privacy.SourceFunc("batches", batchList{lane.NewBatches(d.db, d.blobs)}.export),
		privacy.SourceFunc("pulls", pullList{&pull.Store{DB: d.db, Clock: d.app.Clock}}.export),
		privacy.SourceFunc("guards", guardFiles{&guard.Store{DB: d.db, Clock: d.app.Clock}}.export),
		privacy.SourceFunc("guard notices", noticeList{&guard.Store{DB: d.db, Clock: d.app.Clock}}.export),
		privacy.SourceFunc("previews", previewList{&preview.Service{DB: d.db, Clock: d.app.Clock}}.export),
		privacy.SourceFunc("links", linkFiles{&fx.Store{DB: d.db, Clock: d.app.Clock}}.export),
		privacy.SourceFunc("downloads", downloadList{&download.Store{DB: d.db, Clock: d.app.Clock}}.export),
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
			scopes := make([]string, len(k.Scopes))
			for i, s := range k.Scopes {
				scopes[i] = string(s)
			}
			err := table.Add(apiKeyRow{
				ID: k.ID, Name: k.Name, Role: k.Role, Scopes: k.Scopes, CreatedAt: k.CreatedAt, CreatedBy: k.CreatedBy,
				Expires: k.Expires, LastUsed: optional(k.LastUsed), Revoked: optional(k.Revoked),
			}, k.ID, k.Name, string(k.Role), strings.Join(scopes, " "), privacy.Stamp(k.CreatedAt), k.CreatedBy,
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
	ID           price.ConnectionID    `json:"id"`
	Region       price.Region          `json:"region"`
	State        connect.State         `json:"state"`
	Seller       string                `json:"seller,omitempty"`
	Marketplaces []price.MarketplaceID `json:"marketplaces"`
	CreatedAt    time.Time             `json:"createdAt"`
	AuthorisedAt *time.Time            `json:"authorisedAt,omitempty"`
	Reason       string                `json:"reason,omitempty"`
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
		err := table.Add(connectionRow{
			ID: c.ID, Region: c.Region, State: c.State, Seller: c.Seller, Marketplaces: c.Marketplaces,
			CreatedAt: c.CreatedAt, AuthorisedAt: optional(c.AuthorisedAt), Reason: c.Reason,
		}, string(c.ID), string(c.Region), string(c.State), c.Seller, strings.Join(markets, " "),
			privacy.Stamp(c.CreatedAt), privacy.Stamp(c.AuthorisedAt), c.Reason)
		if err != nil {
			return err
		}
	}
	return nil
}
