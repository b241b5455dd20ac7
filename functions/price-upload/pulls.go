package main

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/identity"
	"pricemanager/internal/plan"
	"pricemanager/internal/pull"
	"pricemanager/internal/tenant"
	"pricemanager/internal/web"
)

// pullDoc is a source of price files or rates as the API shows it.
type pullDoc struct {
	ID string `json:"id"`
	pull.Source
	State     pull.State `json:"state"`
	ChangedBy string     `json:"changedBy"`
	ChangedAt time.Time  `json:"changedAt"`
	NextAt    *time.Time `json:"nextAt,omitempty"` // only of an active one
	// What became of it so far.
	CheckedAt *time.Time    `json:"checkedAt,omitempty"`
	FetchedAt *time.Time    `json:"fetchedAt,omitempty"`
	SHA256    string        `json:"sha256,omitempty"`
	Bytes     int64         `json:"bytes,omitempty"`
	LastPlan  string        `json:"lastPlan,omitempty"`
	PlanState plan.State    `json:"lastPlanState,omitempty"` // absent once it is no longer kept
	Failures  int64         `json:"failures"`                // in a row
	Problem   *plan.Problem `json:"problem,omitempty"`
}

// showPull tells of the last plan how it stands: nobody else says that one waits
// to be applied, failed, or expired unused.
func (h *handler) showPull(ctx context.Context, t tenant.ID, p pull.Pull) (pullDoc, error) {
	d := pullDoc{ID: p.ID, Source: p.Source, State: p.State, ChangedBy: p.ChangedBy, ChangedAt: p.ChangedAt, CheckedAt: given(p.Checked), FetchedAt: given(p.Fetched),
		SHA256: p.SHA256, Bytes: p.Size, LastPlan: p.LastPlan, Failures: p.Failures, Problem: p.Problem}
	if p.State == pull.Active {
		d.NextAt = given(p.Next)
	}
	if p.LastPlan == "" {
		return d, nil
	}
	last, err := h.plans.Load(ctx, t, p.LastPlan)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return pullDoc{}, err
	}
	d.PlanState = last.State
	return d, nil
}

func (h *handler) answerPull(ctx context.Context, r *web.Request, status int, p pull.Pull) (*web.Response, error) {
	d, err := h.showPull(ctx, r.Tenant, p)
	if err != nil {
		return nil, err
	}
	res, err := web.JSON(status, d)
	if err != nil {
		return nil, err
	}
	return res.Tagged(strconv.FormatInt(p.Revision, 10)), nil
}

func (h *handler) listPulls(ctx context.Context, r *web.Request) (*web.Response, error) {
	all, err := h.pulls.List(ctx, r.Tenant)
	if err != nil {
		return nil, err
	}
	items := make([]pullDoc, len(all))
	for i, p := range all {
		if items[i], err = h.showPull(ctx, r.Tenant, p); err != nil {
			return nil, err
		}
	}
	return web.JSON(http.StatusOK, map[string]any{"items": items})
}

// maySet lets sources of rates be set and deleted only by who may set the rates
// themselves; the routes ask for less.
func (h *handler) maySet(r *web.Request, kinds ...pull.Kind) error {
	if !slices.Contains(kinds, pull.Rates) {
		return nil
	}
	return web.Permit(r.Principal, identity.GuardsWrite, h.app.Clock.Now())
}

// settingRates is announce for a source that is one of rates, or was: prices follow.
func (h *handler) settingRates(ctx context.Context, r *web.Request, kinds ...pull.Kind) error {
	if !slices.Contains(kinds, pull.Rates) {
		return nil
	}
	return h.announce(ctx, r)
}

// pullSet is guardsChanged for a source that is one of rates, or was.
func (h *handler) pullSet(ctx context.Context, r *web.Request, p pull.Pull, from string, was pull.Kind) {
	if p.Kind == pull.Rates || was == pull.Rates {
		h.guardsChanged(ctx, r, "source of rates", from, p.ID+"/"+strconv.FormatInt(p.Revision, 10))
	}
}

func by(r *web.Request) pull.By {
	return pull.By{Actor: r.Principal.Actor, Accountable: r.Principal.Accountable()}
}

func (h *handler) createPull(ctx context.Context, r *web.Request) (*web.Response, error) {
	var in pull.Source
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	if err := h.maySet(r, in.Kind); err != nil {
		return nil, err
	}
	if err := h.settingRates(ctx, r, in.Kind); err != nil {
		return nil, err
	}
	p, err := h.pulls.Create(ctx, r.Tenant, by(r), in, h.random)
	if err != nil {
		return nil, err
	}
	h.pullSet(ctx, r, p, "", "")
	res, err := h.answerPull(ctx, r, http.StatusCreated, p)
	if err != nil {
		return nil, err
	}
	return res.With("Location", "/pulls/"+p.ID), nil
}

func (h *handler) getPull(ctx context.Context, r *web.Request) (*web.Response, error) {
	p, err := h.pulls.Get(ctx, r.Tenant, r.Params["id"])
	if err != nil {
		return nil, err
	}
	return h.answerPull(ctx, r, http.StatusOK, p)
}

// putPull replaces a source whole, and has a paused one go on.
func (h *handler) putPull(ctx context.Context, r *web.Request) (*web.Response, error) {
	was, err := r.IfMatchNumber("pull-changed")
	if err != nil {
		return nil, err
	}
	var in pull.Source
	if err := r.JSON(&in); err != nil {
		return nil, err
	}
	old, err := h.pulls.Get(ctx, r.Tenant, r.Params["id"])
	if err != nil {
		return nil, err
	}
	if err := h.maySet(r, in.Kind, old.Kind); err != nil {
		return nil, err
	}
	if err := h.settingRates(ctx, r, in.Kind, old.Kind); err != nil {
		return nil, err
	}
	p, err := h.pulls.Change(ctx, r.Tenant, r.Params["id"], by(r), in, was)
	if err != nil {
		return nil, err
	}
	h.pullSet(ctx, r, p, old.ID+"/"+strconv.FormatInt(was, 10), old.Kind)
	return h.answerPull(ctx, r, http.StatusOK, p)
}

func (h *handler) deletePull(ctx context.Context, r *web.Request) (*web.Response, error) {
	was, err := r.IfMatchNumber("pull-changed")
	if err != nil {
		return nil, err
	}
	old, err := h.pulls.Get(ctx, r.Tenant, r.Params["id"])
	if err != nil {
		return nil, err
	}
	if err := h.maySet(r, old.Kind); err != nil {
		return nil, err
	}
	if err := h.pulls.Delete(ctx, r.Tenant, r.Params["id"], r.Principal.Actor, was); err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, map[string]any{"id": r.Params["id"], "deleted": true})
}

// runPull has a source fetched with the next sweep, within a minute.
func (h *handler) runPull(ctx context.Context, r *web.Request) (*web.Response, error) {
	p, err := h.pulls.RunNow(ctx, r.Tenant, r.Params["id"])
	if err != nil {
		return nil, err
	}
	return h.answerPull(ctx, r, http.StatusAccepted, p)
}
