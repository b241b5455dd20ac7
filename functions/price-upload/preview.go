package main

import (
	"context"
	"net/http"

	"pricemanager/internal/preview"
	"pricemanager/internal/web"
)

func (h *handler) previews() *preview.Service {
	return &preview.Service{DB: h.db, Plans: h.plans, Clock: h.app.Clock}
}

// askPreview chooses a sample of a plan; price-sync, which may ask Amazon, asks.
func (h *handler) askPreview(ctx context.Context, r *web.Request) (*web.Response, error) {
	doc, err := h.previews().Ask(ctx, r.Tenant, r.Params["id"], r.Principal.Actor, h.bell)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusAccepted, doc)
}

func (h *handler) getPreview(ctx context.Context, r *web.Request) (*web.Response, error) {
	if _, err := h.plans.Load(ctx, r.Tenant, r.Params["id"]); err != nil {
		return nil, err
	}
	doc, err := h.previews().Get(ctx, r.Tenant, r.Params["id"])
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, doc)
}
