package main

import (
	"context"
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
	list, err := w.List("downloads")
	if err != nil {
		return err
	}
	for after := ""; ; {
		all, next, err := s.downloads.List(ctx, t, after, page)
		if err != nil {
			return err
		}
		for _, d := range all {
			if err := list.Add(downloadRow{d.ID, d.Spec, d.State, d.By, d.At, optional(d.Finished), d.Rows}); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}
