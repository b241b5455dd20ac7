package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"pricemanager/internal/connect"
	"pricemanager/internal/fault"
	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/web"
)

// stopDoc is a kill switch as the API shows it.
type stopDoc struct {
	Name   string     `json:"name"`
	Scope  lane.Scope `json:"scope"`
	ID     string     `json:"id,omitempty"`
	Actor  string     `json:"actor"`
	Reason string     `json:"reason,omitempty"`
	Since  time.Time  `json:"since"`
}

func showStop(s lane.Stop) stopDoc {
	return stopDoc{Name: s.Name(), Scope: s.Scope, ID: s.ID, Actor: s.Actor, Reason: s.Reason, Since: s.Since}
}

func (h *handler) stops() lane.Stops { return lane.Stops{DB: h.db, Bell: h.bell} }

func (h *handler) listStops(ctx context.Context, r *web.Request) (*web.Response, error) {
	list, err := h.stops().List(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	items := make([]stopDoc, len(list))
	for i, s := range list {
		items[i] = showStop(s)
		if s.Scope == lane.ScopeGlobal {
			items[i].Actor = "operator" // who of ours it was is ours
		}
	}
	feeds, err := h.stops().LiveFeeds(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]any{"items": items, "feeds": showFeeds(feeds), "next": ""})
}

// maxReason bounds the words that a stop is explained with, in bytes.
const maxReason = 500

func (h *handler) setStop(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		Scope  lane.Scope
		ID     string
		Reason string
	}
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	if len(in.Reason) > maxReason {
		return nil, fault.New(fault.Invalid, "stop-reason", "reason is %d bytes long, at most %d fit.", len(in.Reason), maxReason)
	}
	s := lane.Stop{Scope: in.Scope, ID: in.ID, Actor: r.Principal.Actor, Reason: in.Reason, Since: h.app.Clock.Now()}
	if _, err := lane.ParseStop(s.Name()); err != nil {
		return nil, badScope(err)
	}
	if err := h.known(ctx, r, s); err != nil {
		return nil, err
	}
	if err := h.stops().Set(ctx, r.Tenant, s); err != nil {
		return nil, badScope(err)
	}
	return web.JSON(http.StatusCreated, showStop(s))
}

// known checks that what is to be stopped is there, so that a mistyped id is
// not taken for a stop that works.
func (h *handler) known(ctx context.Context, r *web.Request, s lane.Stop) error {
	var err error
	switch s.Scope {
	case lane.ScopeGlobal:
		err = lane.ErrScope
	case lane.ScopeConnection:
		_, err = h.connections.Get(ctx, r.Tenant, price.ConnectionID(s.ID))
	case lane.ScopeBatch:
		_, err = h.batches.Get(ctx, r.Tenant, s.ID)
	case lane.ScopeMarketplace:
		if _, ok := price.MarketplaceByID(price.MarketplaceID(s.ID)); !ok {
			err = store.ErrNotFound
		}
	case lane.ScopeTenant:
	}
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, connect.ErrNotFound) {
		return fault.New(fault.NotFound, "stop-target", "There is no such %s.", s.Scope).Because(err)
	}
	return badScope(err)
}

func badScope(err error) error {
	if errors.Is(err, lane.ErrScope) {
		return fault.New(fault.Invalid, "stop-scope",
			"scope is tenant (without id), or connection, marketplace or batch with its id.").Because(err)
	}
	return err
}

func (h *handler) liftStop(ctx context.Context, r *web.Request) (*web.Response, error) {
	missing := fault.New(fault.NotFound, "stop-not-found", "No such stop stands. GET /stops lists those that do.")
	s, err := lane.ParseStop(r.Params["name"])
	if err != nil || s.Scope == lane.ScopeGlobal {
		return nil, missing.Because(err)
	}
	err = h.stops().Lift(ctx, r.Tenant, r.Principal.Actor, s)
	if errors.Is(err, store.ErrNotFound) {
		return nil, missing.Because(err)
	}
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]any{"name": s.Name(), "lifted": true})
}
