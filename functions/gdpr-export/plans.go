package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"pricemanager/internal/plan"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/privacy"
	"pricemanager/internal/tenant"
)

// planList writes every plan that is still kept, without its rows, which planRows
// writes. The token is left out, since whoever has it
// and a key can apply the plan.
type planList struct{ plans *plan.Store }

type planRow struct {
	ID        string           `json:"id"`
	State     plan.State       `json:"state"`
	File      string           `json:"file"`
	Actor     string           `json:"actor"`
	CreatedAt time.Time        `json:"createdAt"`
	ExpiresAt time.Time        `json:"expiresAt"`
	Batch     string           `json:"batch,omitempty"` // that it became
	Policy    plan.Policy      `json:"policy"`
	Guards    string           `json:"guards"` // hash of the guards that judged it
	Summary   plan.Summary     `json:"summary"`
	Mapping   pricefile.Layout `json:"mapping"`
	Blocked   string           `json:"blocked,omitempty"`
	Approved  *approvalRow     `json:"approved,omitempty"`
	Problem   *plan.Problem    `json:"problem,omitempty"` // why there is none
}

type approvalRow struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// approver is who approved the plan, "" for nobody.
func approver(p plan.Stored) string {
	if p.Approved == nil {
		return ""
	}
	return p.Approved.By
}

func (s planList) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	table, err := w.Table("plans", "id", "state", "file", "actor", "created_at", "expires_at", "batch", "policy",
		"rows", "planned", "held", "refused", "unchanged", "at_risk", "blocked")
	if err != nil {
		return err
	}
	for after := ""; ; {
		list, next, err := s.plans.List(ctx, t, after, page)
		if err != nil {
			return err
		}
		for _, p := range list {
			if !w.About(p.Actor, approver(p)) {
				continue
			}
			if err := addPlan(table, p); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

func addPlan(table *privacy.Table, p plan.Stored) error {
	row := planRow{
		ID: p.ID, State: p.State, File: p.File, Actor: p.Actor, CreatedAt: p.Created, ExpiresAt: p.Expires, Batch: p.Batch,
		Policy: p.Policy, Guards: p.Guards, Summary: p.Summary, Mapping: p.Mapping, Blocked: p.Blocked, Problem: p.Problem,
	}
	if a := p.Approved; a != nil {
		row.Approved = &approvalRow{a.By, a.At}
	}
	cells := []string{
		p.ID, string(p.State), p.File, p.Actor, p.Created.Format(time.RFC3339), p.Expires.Format(time.RFC3339), p.Batch, string(p.Policy),
	}
	n := p.Summary.Counts
	for _, count := range []int64{n.Rows, n.Planned, n.Held, n.Refused, n.Unchanged} {
		cells = append(cells, strconv.FormatInt(count, 10))
	}
	var risk []string
	for _, m := range p.Summary.AtRisk {
		risk = append(risk, m.String())
	}
	return table.Add(row, append(cells, strings.Join(risk, " "), p.Blocked)...)
}
