package main

import (
	"context"

	"pricemanager/internal/plan"
	"pricemanager/internal/pricefile"
	"pricemanager/internal/privacy"
	"pricemanager/internal/tenant"
)

// mappingList writes what the tenant has chosen that the columns of its price
// files mean.
type mappingList struct{ plans *plan.Store }

type mappingRow struct {
	Fingerprint string            `json:"fingerprint"`
	Headers     []string          `json:"headers"`
	Means       pricefile.Mapping `json:"means"`
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
		if err := list.Add(mappingRow{m.Fingerprint, m.Headers, m.Columns}); err != nil {
			return err
		}
	}
	return nil
}
