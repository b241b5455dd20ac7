package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/web"
)

// offerDoc is an offer as the API shows it: what Amazon last showed, when, and
// the latest change.
type offerDoc struct {
	Connection  price.ConnectionID  `json:"connection"`
	Marketplace price.MarketplaceID `json:"marketplace"`
	SKU         price.SKU           `json:"sku"`
	ASIN        string              `json:"asin,omitempty"`
	Title       string              `json:"title,omitempty"`
	Quantity    *int64              `json:"quantity,omitempty"`
	Automated   bool                `json:"automated,omitempty"`
	Version     int64               `json:"version"` // for a correction
	Prices      price.Prices        `json:"prices"`
	ReadAt      *time.Time          `json:"readAt,omitempty"`
	Change      *changeDoc          `json:"change,omitempty"`
	Drift       *driftDoc           `json:"drift,omitempty"`
}

// driftDoc says that somebody else changed the prices at Amazon.
type driftDoc struct {
	Was       price.Prices `json:"was"`
	NoticedAt time.Time    `json:"noticedAt"`
}

type changeDoc struct {
	Batch string     `json:"batch"`
	State lane.State `json:"state"`
	At    *time.Time `json:"at,omitempty"`
	Issue string     `json:"issue,omitempty"`
}

// offersOf is a page of the offers of the connection that the query names.
func (h *handler) offersOf(ctx context.Context, r *web.Request, after string, limit int) ([]lane.View, string, error) {
	conn := price.ConnectionID(r.Query.Get("connection"))
	if err := h.ours(ctx, r.Tenant, conn); err != nil {
		return nil, "", err
	}
	views, next, err := h.offers.Page(ctx, r.Tenant, conn, price.MarketplaceID(r.Query.Get("marketplace")), after, limit)
	if errors.Is(err, store.ErrNotFound) {
		return nil, "", fault.New(fault.Invalid, "cursor", "after is not a cursor of this list.").Because(err)
	}
	return views, next, err
}

func (h *handler) listOffers(ctx context.Context, r *web.Request) (*web.Response, error) {
	after, limit, err := r.Page(100, 500)
	if err != nil {
		return nil, err
	}
	views, next, err := h.offersOf(ctx, r, after, limit)
	if err != nil {
		return nil, err
	}
	items := make([]offerDoc, len(views))
	for i, v := range views {
		items[i] = offerDoc{Connection: v.Key.Connection, Marketplace: v.Key.Marketplace, SKU: v.Key.SKU, ASIN: v.ASIN, Title: v.Title,
			Quantity: v.Quantity, Automated: v.Automated, Version: v.Version, Prices: v.Known, ReadAt: given(v.ReadAt)}
		if v.Drift != nil {
			items[i].Drift = &driftDoc{Was: *v.Drift, NoticedAt: v.DriftAt}
		}
		if c := v.Change; c != nil {
			items[i].Change = &changeDoc{Batch: c.Batch, State: c.State, At: given(c.At), Issue: c.Issue}
		}
	}
	return web.JSON(http.StatusOK, map[string]any{"items": items, "next": web.Cursor(next)})
}

func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
