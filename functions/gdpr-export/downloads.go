package main

import (
	"context"
	"strconv"
	"time"

	"pricemanager/internal/download"
	"pricemanager/internal/privacy"
	"pricemanager/internal/tenant"
)

// downloadList writes who took which tables away in the last month. The files
// themselves are gone after a day.
type downloadList struct{ downloads *download.Store }

type downloadRow struct {
	ID         string         `json:"id"`
	Of         download.Spec  `json:"of"`
	State      download.State `json:"state"`
	By         string         `json:"by"`
	At         time.Time      `json:"at"`
	FinishedAt *time.Time     `json:"finishedAt,omitempty"`
	Rows       int64          `json:"rows"`
}

func (s downloadList) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	table, err := w.Table("downloads", "id", "what", "state", "by", "at", "finished_at", "rows")
	if err != nil {
		return err
	}
	for after := ""; ; {
		all, next, err := s.downloads.List(ctx, t, after, page)
		if err != nil {
			return err
		}
		for _, d := range all {
			if !w.About(d.By) {
				continue
			}
			err := table.Add(downloadRow{d.ID, d.Spec, d.State, d.By, d.At, optional(d.Finished), d.Rows},
				d.ID, string(d.Spec.What), string(d.State), d.By, privacy.Stamp(d.At), privacy.Stamp(d.Finished), strconv.FormatInt(d.Rows, 10))
			if err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}
