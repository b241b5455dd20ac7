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
	list, err := w.List("pulls")
	if err != nil {
		return err
	}
	for _, p := range all {
		err := list.Add(pullRow{ID: p.ID, Source: p.Source, State: p.State, ChangedBy: p.ChangedBy, ChangedAt: p.ChangedAt,
			CheckedAt: optional(p.Checked), FetchedAt: optional(p.Fetched), SHA256: p.SHA256, LastPlan: p.LastPlan, Problem: p.Problem})
		if err != nil {
			return err
		}
	}
	return nil
}
