package main

import (
	"context"
	"strconv"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/privacy"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// stopList writes what keeps, or in the last month kept, prices from being sent.
type stopList struct{ stops lane.Stops }

type stopRow struct {
	Name   string     `json:"name"`
	By     string     `json:"by"` // who set it, or lifted it
	Reason string     `json:"reason"`
	Since  time.Time  `json:"since"`
	Lifted *time.Time `json:"liftedAt,omitempty"`
}

func (s stopList) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	table, err := w.Table("stops", "name", "by", "reason", "since", "lifted_at")
	if err != nil {
		return err
	}
	for after := ""; ; {
		list, next, err := s.stops.Kept(ctx, t, after, page)
		if err != nil {
			return err
		}
		for _, x := range list {
			if !w.About(x.Actor) {
				continue
			}
			if err := table.Add(stopRow{x.Name(), x.Actor, x.Reason, x.Since, optional(x.Lifted)},
				x.Name(), x.Actor, x.Reason, privacy.Stamp(x.Since), privacy.Stamp(x.Lifted)); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// visibilityList writes how long Amazon took to show prices.
type visibilityList struct{ db store.DB }

func (s visibilityList) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	all, err := lane.Visibilities(ctx, s.db, t)
	if err != nil || len(all) == 0 {
		return err
	}
	table, err := w.Table("visibility", "marketplace", "measured", "median_seconds", "p99_seconds")
	if err != nil {
		return err
	}
	for _, v := range all {
		seconds := func(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
		row := map[string]any{"marketplace": v.Marketplace, "measured": v.Measured, "medianMs": v.Median.Milliseconds(), "p99Ms": v.P99.Milliseconds()}
		if err := table.Add(row, string(v.Marketplace), strconv.FormatInt(v.Measured, 10), seconds(v.Median), seconds(v.P99)); err != nil {
			return err
		}
	}
	return nil
}
