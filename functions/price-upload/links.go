package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"pricemanager/internal/fx"
	"pricemanager/internal/guard"
	"pricemanager/internal/price"
	"pricemanager/internal/web"
)

// setBy says which version of something it is, and who set it.
type setBy struct {
	Version   int64      `json:"version"` // 0: never set
	ChangedBy string     `json:"changedBy,omitempty"`
	ChangedAt *time.Time `json:"changedAt,omitempty"`
}

func showVersion(v fx.Version) setBy {
	d := setBy{Version: v.Version, ChangedBy: v.Actor}
	if v.Version > 0 {
		d.ChangedAt = &v.At
	}
	return d
}

func answerLinks(s fx.StoredLinks) (*web.Response, error) {
	res, err := web.JSON(http.StatusOK, struct {
		fx.Links
		setBy
	}{s.Links, showVersion(s.Version)})
	if err != nil {
		return nil, err
	}
	return res.Tagged(s.Hash()), nil
}

func (h *handler) getLinks(ctx context.Context, r *web.Request) (*web.Response, error) {
	s, err := h.links.Links(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	return answerLinks(s)
}

// putLinks replaces the links whole.
func (h *handler) putLinks(ctx context.Context, r *web.Request) (*web.Response, error) {
	was, err := r.IfMatch()
	if err != nil {
		return nil, err
	}
	next := fx.Default()
	if err := r.JSON(&next); err != nil {
		return nil, err
	}
	if err := h.announce(ctx, r); err != nil {
		return nil, err
	}
	s, err := h.links.PutLinks(ctx, r.Tenant, r.Principal.Actor, next, was)
	if err != nil {
		return nil, err
	}
	h.guardsChanged(ctx, r, guard.ChangedLinks, was, s.Hash())
	return answerLinks(s)
}

// ratesDoc are a tenant's exchange rates as the API shows them.
type ratesDoc struct {
	Base   price.Currency            `json:"base,omitempty"`
	On     string                    `json:"on,omitempty"`
	Source string                    `json:"source,omitempty"`
	Rates  map[price.Currency]string `json:"rates"`
	setBy
}

func answerRates(s fx.StoredRates) (*web.Response, error) {
	d := ratesDoc{Rates: map[price.Currency]string{}, setBy: showVersion(s.Version)}
	if t := s.Table; t != nil {
		d.Base, d.On, d.Source, d.Rates = t.Base, t.On, t.Source, t.Rates
	}
	res, err := web.JSON(http.StatusOK, d)
	if err != nil {
		return nil, err
	}
	return res.Tagged(s.Hash()), nil
}

func (h *handler) getRates(ctx context.Context, r *web.Request) (*web.Response, error) {
	s, err := h.links.Rates(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	return answerRates(s)
}

// putRates replaces the exchange rates by an uploaded table.
func (h *handler) putRates(ctx context.Context, r *web.Request) (*web.Response, error) {
	was, err := r.IfMatch()
	if err != nil {
		return nil, err
	}
	if err := h.announce(ctx, r); err != nil {
		return nil, err
	}
	s, err := h.links.PutRates(ctx, r.Tenant, r.Principal.Actor, fx.Upload{
		Body: r.Body, XML: strings.Contains(r.Header.Get("Content-Type"), "xml"),
		Base: price.Currency(r.Query.Get("base")), On: r.Query.Get("on"), Name: r.Query.Get("source"),
	}, was)
	if err != nil {
		return nil, err
	}
	h.guardsChanged(ctx, r, guard.ChangedRates, was, s.Hash())
	return answerRates(s)
}
