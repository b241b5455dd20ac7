package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/guard"
	"pricemanager/internal/runtime/metrics"
	"pricemanager/internal/web"
)

// guardsDoc are a tenant's guards as the API shows them.
type guardsDoc struct {
	guard.Settings
	Version   int64      `json:"version"` // 0: never changed
	ChangedBy string     `json:"changedBy,omitempty"`
	ChangedAt *time.Time `json:"changedAt,omitempty"`
}

func answerGuards(s guard.Stored) (*web.Response, error) {
	d := guardsDoc{Settings: s.Settings, Version: s.Version, ChangedBy: s.Actor}
	if s.Version > 0 {
		d.ChangedAt = &s.At
	}
	res, err := web.JSON(http.StatusOK, d)
	if err != nil {
		return nil, err
	}
	return res.Tagged(s.Hash()), nil
}

func (h *handler) getGuards(ctx context.Context, r *web.Request) (*web.Response, error) {
	s, err := h.guards.Get(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	return answerGuards(s)
}

// putGuards replaces the guards whole. What the body leaves out has its default.
func (h *handler) putGuards(ctx context.Context, r *web.Request) (*web.Response, error) {
	was, err := r.IfMatch()
	if err != nil {
		return nil, err
	}
	next := guard.Default()
	if err := r.JSON(&next); err != nil {
		return nil, err
	}
	if err := h.announce(ctx, r); err != nil {
		return nil, err
	}
	s, err := h.guards.Put(ctx, r.Tenant, r.Principal.Actor, next, was)
	if err != nil {
		return nil, err
	}
	h.guardsChanged(ctx, r, "settings", was, s.Hash())
	return answerGuards(s)
}

// announce has the tenant's owners told of a change that is about to be written.
//
// Crash points: the message comes first, so that there is no change that nobody hears
// of; one that nothing came of finds nothing. It is delivered when the call has ended.
func (h *handler) announce(ctx context.Context, r *web.Request) error {
	err := h.news.Ring(ctx, guard.News{Tenant: r.Tenant, Since: h.app.Clock.Now().UnixMilli()}, guard.NewsAfter)
	if err != nil {
		return fault.New(fault.Unavailable, "", "The company's owners cannot be told of a change now, so that nothing was changed; try again in a moment.").Because(err)
	}
	return nil
}

// guardsChanged tells whoever watches us: an alarm looks at the metric. The tenant's
// members have the notice, its owners a mail, and the ledger has it from the table's
// stream.
func (h *handler) guardsChanged(ctx context.Context, r *web.Request, what, from, to string) {
	h.app.Log.WarnContext(ctx, "guards changed", "what", what, "actor", r.Principal.Actor, "from", from, "to", to)
	h.app.Metrics.Emit(nil, metrics.Count("GuardsChanged", 1))
}

// noticeDoc tells of one change of the guards, the costs, the links or the rates.
type noticeDoc struct {
	What      string    `json:"what"`
	ChangedBy string    `json:"changedBy"`
	ChangedAt time.Time `json:"changedAt"`
	Before    string    `json:"before,omitempty"` // hashes, as in ETags
	After     string    `json:"after,omitempty"`
	// Of the guards themselves also what they were and are.
	GuardsBefore json.RawMessage `json:"guardsBefore,omitempty"`
	GuardsAfter  json.RawMessage `json:"guardsAfter,omitempty"`
}

// guardNotices lists who changed the guards, the costs, the links and the rates, the
// newest first.
func (h *handler) guardNotices(ctx context.Context, r *web.Request) (*web.Response, error) {
	after, limit, err := r.Page(10, 50)
	if err != nil {
		return nil, err
	}
	list, next, err := h.guards.Notices(ctx, r.Tenant, after, limit)
	if err != nil {
		return nil, err
	}
	items := make([]noticeDoc, len(list))
	for i, n := range list {
		items[i] = noticeDoc{n.What, n.Actor, n.At, n.Before, n.After, n.Was, n.Is}
	}
	return web.JSON(http.StatusOK, map[string]any{"items": items, "next": web.Cursor(next)})
}

func (h *handler) getCosts(ctx context.Context, r *web.Request) (*web.Response, error) {
	body, hash, err := h.guards.CostsFile(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	if hash == "" {
		body = []byte("sku,cost,currency\n")
	}
	res := &web.Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/csv; charset=utf-8"}}, Body: body}
	return res.Tagged(hash), nil
}

func (h *handler) putCosts(ctx context.Context, r *web.Request) (*web.Response, error) {
	was, err := r.IfMatch()
	if err != nil {
		return nil, err
	}
	if err := h.announce(ctx, r); err != nil {
		return nil, err
	}
	c, err := h.guards.PutCosts(ctx, r.Tenant, r.Principal.Actor, r.Body, was)
	if err != nil {
		return nil, err
	}
	if c.Hash() != was {
		h.guardsChanged(ctx, r, "costs", was, c.Hash())
	}
	res, err := web.JSON(http.StatusOK, map[string]int{"costs": c.Len()})
	if err != nil {
		return nil, err
	}
	return res.Tagged(c.Hash()), nil
}

// body decodes a body that may be left out.
func body(r *web.Request, v any) error {
	if len(bytes.TrimSpace(r.Body)) == 0 {
		return nil
	}
	return r.JSON(v)
}
