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

// planList writes every plan that is still kept, without its rows: those are in
// files that expire after 30 days. The token is left out, since whoever has it
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
		Policy: p.Policy, Guards: p.Guards, Summary: p.Summary, Mapping: p.Mapping, Blocked: p.Blocked,
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
