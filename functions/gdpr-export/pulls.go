package main

import (
	"context"
	"time"

	"pricemanager/internal/plan"
	"pricemanager/internal/privacy"
	"pricemanager/internal/pull"
	"pricemanager/internal/tenant"
)

// pullList writes where price files are fetched from.
type pullList struct{ pulls *pull.Store }

type pullRow struct {
	ID string `json:"id"`
	pull.Source
	State     pull.State    `json:"state"`
	ChangedBy string        `json:"changedBy"`
	ChangedAt time.Time     `json:"changedAt"`
	CheckedAt *time.Time    `json:"checkedAt,omitempty"`
	FetchedAt *time.Time    `json:"fetchedAt,omitempty"`
	SHA256    string        `json:"sha256,omitempty"`
	LastPlan  string        `json:"lastPlan,omitempty"`
	Problem   *plan.Problem `json:"problem,omitempty"`
}

func (s pullList) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	all, err := s.pulls.List(ctx, t)
	if err != nil || len(all) == 0 {
		return err
	}
	table, err := w.Table("pulls", "id", "url", "state", "changed_by", "changed_at", "checked_at", "fetched_at", "sha256", "last_plan")
	if err != nil {
		return err
	}
	for _, p := range all {
		if !w.About(p.ChangedBy) {
			continue
		}
		err := table.Add(pullRow{ID: p.ID, Source: p.WithoutKeys(), State: p.State, ChangedBy: p.ChangedBy, ChangedAt: p.ChangedAt,
			CheckedAt: optional(p.Checked), FetchedAt: optional(p.Fetched), SHA256: p.SHA256, LastPlan: p.LastPlan, Problem: p.Problem},
			p.ID, p.WithoutKeys().URL, string(p.State), p.ChangedBy, privacy.Stamp(p.ChangedAt), privacy.Stamp(p.Checked), privacy.Stamp(p.Fetched), p.SHA256, p.LastPlan)
		if err != nil {
			return err
		}
	}
	return nil
}
