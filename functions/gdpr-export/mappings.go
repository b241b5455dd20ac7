package main

import (
	"context"
	"time"

	"pricemanager/internal/plan"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/privacy"
	"pricemanager/internal/tenant"
)

// mappingList writes what the tenant has chosen that the columns of its price
// files mean.
type mappingList struct{ plans *plan.Store }

// mappingRow has its columns in the form in which the API takes them again.
type mappingRow struct {
	Fingerprint string      `json:"fingerprint"`
	Columns     []columnRow `json:"columns"`
	ChangedBy   string      `json:"changedBy,omitempty"`
	ChangedAt   *time.Time  `json:"changedAt,omitempty"`
}

type columnRow struct {
	Header string            `json:"header"`
	Means  pricefile.Meaning `json:"means"`
}

func (s mappingList) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	all, err := s.plans.Remembered(ctx, t)
	if err != nil || len(all) == 0 {
		return err
	}
	list, err := w.List("mappings")
	if err != nil {
		return err
	}
	for _, m := range all {
		if !w.About(m.Actor) {
			continue
		}
		row := mappingRow{Fingerprint: m.Fingerprint, Columns: make([]columnRow, len(m.Columns)), ChangedBy: m.Actor, ChangedAt: optional(m.At)}
		for i, means := range m.Columns {
			row.Columns[i] = columnRow{m.Headers[i], means}
		}
		if err := list.Add(row); err != nil {
			return err
		}
	}
	return nil
}
