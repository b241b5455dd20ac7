package main

import (
	"context"
	"net/http"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/web"
)

// approvalDoc is the approval that a plan needs, and got.
type approvalDoc struct {
	Reason string     `json:"reason"`
	By     string     `json:"by,omitempty"`
	At     *time.Time `json:"at,omitempty"`
}

func showApproval(p plan.Stored) *approvalDoc {
	if p.Approval == "" {
		return nil
	}
	d := &approvalDoc{Reason: p.Approval}
	if p.Approved != nil {
		d.By, d.At = p.Approved.By, &p.Approved.At
	}
	return d
}

// second loads a plan that the caller is a second person to, or may act on alone as the
// one member who could; alone says that it was the latter. The router has seen to it
// that the caller is a person, with a code checked just now: no key has these scopes.
func (h *handler) second(ctx context.Context, r *web.Request, does string) (p plan.Stored, alone bool, err error) {
	if p, err = h.plans.Load(ctx, r.Tenant, r.Params["id"]); err != nil {
		return p, false, err
	}
	set, err := h.guards.Load(ctx, r.Tenant)
	if err != nil {
		return p, false, err
	}
	if set.Hash() != p.Guards {
		return p, false, fault.New(fault.Conflict, "plan-guards-changed", "Your guards changed after this plan was made. Plan the file again, and look at what they say now.")
	}
	single, err := h.members.Alone(ctx, r.Tenant, r.Principal.Member, identity.ReleasesWrite)
	if err != nil {
		return p, false, err
	}
	alone, err = plan.Second(p, r.Principal.Accountable(), does, single, set.Settings.Release.Delay(), h.app.Clock.Now())
	return p, alone, err
}

// release plans rows that a plan held: a plan of its own, which says who released
// them, judged again and applied by its token. The rows that it takes pass what
// they were held for, at that version of the offer and for nothing else.
func (h *handler) release(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct {
		Rows []int
		Code string
	}
	if err := body(r, &in); err != nil {
		return nil, err
	}
	if in.Rows != nil && len(in.Rows) == 0 {
		return nil, fault.New(fault.Invalid, "release", "rows names no row. Name those to be released, or leave it out to release all that are held.")
	}
	p, alone, err := h.second(ctx, r, "releases")
	if err != nil {
		return nil, err
	}
	rows, err := h.plans.Releasable(ctx, p, in.Rows, in.Code)
	if err != nil {
		return nil, err
	}
	maker := p.Actor
	if p.Released != nil {
		maker = p.Released.Maker
	}
	answerable := p.Maker()
	made := plan.Input{File: p.File, Policy: p.Policy,
		Connections: map[price.MarketplaceID]price.ConnectionID{},
		Release:     &plan.ReleaseOf{Released: plan.Released{Plan: p.ID, Maker: maker, By: r.Principal.Actor, Alone: alone}, Rows: rows}}
	for _, row := range rows {
		made.Connections[row.Key.Marketplace] = row.Key.Connection
	}
	if err := h.prepare(ctx, r, &made); err != nil {
		return nil, err
	}
	made.Accountable = answerable // the rows stay theirs
	released, err := h.plans.Create(ctx, made, h.offers)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusCreated, showPlan(released))
}

// approve records a second person's yes to a plan that needs one. The token says
// which plan was looked at.
func (h *handler) approve(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in struct{ Token string }
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	if _, _, err := h.second(ctx, r, "approves"); err != nil {
		return nil, err
	}
	p, err := h.plans.Approve(ctx, r.Tenant, r.Params["id"], in.Token, r.Principal.Actor)
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, showPlan(p))
}
