package main

import (
	"context"
	"net/http"

	"pricemanager/internal/disclosure"
	"pricemanager/internal/web"
)

func (h *handler) disclosure() disclosure.Config {
	return disclosure.Config{URL: h.cfg.Public.URL, Contact: h.cfg.SecurityContact, Key: h.cfg.SecurityKey}
}

func (h *handler) securityText(context.Context, *web.Request) (*web.Response, error) {
	return web.Text(http.StatusOK, h.disclosure().Text(h.app.Clock.Now()))
}

func (h *handler) securityPolicy(context.Context, *web.Request) (*web.Response, error) {
	page, err := h.disclosure().Policy()
	if err != nil {
		return nil, err
	}
	return web.HTML(http.StatusOK, page)
}

func (h *handler) securityFinders(context.Context, *web.Request) (*web.Response, error) {
	page, err := h.disclosure().Finders()
	if err != nil {
		return nil, err
	}
	return web.HTML(http.StatusOK, page)
}
