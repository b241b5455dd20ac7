package main

import (
	"context"
	"net/http"
	"time"

	"pricemanager/internal/fault"
	"pricemanager/internal/lane"
	"pricemanager/internal/tenant"
	"pricemanager/internal/watch"
	"pricemanager/internal/web"
)

// suspicionDoc is a finding of the detectors as members see it: it is the notice.
type suspicionDoc struct {
	ID         string      `json:"id"`
	Kind       watch.Kind  `json:"kind"`
	Subject    string      `json:"subject"`
	At         time.Time   `json:"at"`
	RaisedAt   time.Time   `json:"raisedAt"`
	Evidence   evidenceDoc `json:"evidence"`
	State      watch.State `json:"state"`
	AnsweredBy string      `json:"answeredBy,omitempty"`
	AnsweredAt *time.Time  `json:"answeredAt,omitempty"`
}

// evidenceDoc says what was counted, and which leaves of the ledger it was.
type evidenceDoc struct {
	Unit      string `json:"unit"`
	Observed  int64  `json:"observed"`
	Limit     int64  `json:"limit"`
	Usual     int64  `json:"usual"`
	Events    int64  `json:"events"`
	FirstLeaf int64  `json:"firstLeaf"`
	LastLeaf  int64  `json:"lastLeaf"`
	Batch     string `json:"batch,omitempty"`
}

func showSuspicion(f watch.Finding) suspicionDoc {
	d := suspicionDoc{ID: f.ID, Kind: f.Kind, Subject: f.Subject, At: f.At, RaisedAt: f.Raised, State: f.State, AnsweredBy: f.AnsweredBy,
		Evidence: evidenceDoc{f.Unit, f.Observed, f.Limit, f.Usual, f.Events, f.First, f.Last, f.Batch}}
	if !f.AnsweredAt.IsZero() {
		d.AnsweredAt = &f.AnsweredAt
	}
	return d
}

func (h *handler) findings() *watch.Findings {
	return &watch.Findings{DB: h.db, Clock: h.app.Clock}
}

func (h *handler) answers() *watch.Answers {
	return &watch.Answers{Findings: h.findings(), Revoke: h.revoke, Freeze: func(ctx context.Context, t tenant.ID, actor, reason string) error {
		return h.stops().Set(ctx, t, lane.Stop{Scope: lane.ScopeTenant, Actor: actor, Reason: reason})
	}}
}

// listSuspicions lists what the detectors found, the newest first.
func (h *handler) listSuspicions(ctx context.Context, r *web.Request) (*web.Response, error) {
	after, limit, err := r.Page(20, 100)
	if err != nil {
		return nil, err
	}
	list, next, err := h.findings().List(ctx, r.Tenant, after, limit)
	if err != nil {
		return nil, err
	}
	items := make([]suspicionDoc, len(list))
	for i, f := range list {
		items[i] = showSuspicion(f)
	}
	return web.JSON(http.StatusOK, map[string]any{"items": items, "next": web.Cursor(next)})
}

// notMe freezes sending and ends the API key concerned.
func (h *handler) notMe(ctx context.Context, r *web.Request) (*web.Response, error) {
	return h.answer(ctx, r, h.answers().NotMe)
}

// wasMe closes a finding.
func (h *handler) wasMe(ctx context.Context, r *web.Request) (*web.Response, error) {
	return h.answer(ctx, r, h.answers().WasMe)
}

func (h *handler) answer(ctx context.Context, r *web.Request, say func(ctx context.Context, t tenant.ID, actor, id string) (watch.Finding, error)) (*web.Response, error) {
	if len(r.Body) > 0 {
		return nil, fault.New(fault.Invalid, "body", "Send no body: the address says it all.")
	}
	f, err := say(ctx, r.Tenant, r.Principal.Actor, r.Params["id"])
	if err != nil {
		return nil, err
	}
	return web.JSON(http.StatusOK, showSuspicion(f))
}
