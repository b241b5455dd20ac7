package main

import (
	"context"
	"encoding/json"
	"time"

	"pricemanager/internal/guard"
	"pricemanager/internal/privacy"
	"pricemanager/internal/tenant"
)

// noticeList writes who changed what protects or computes the prices.
type noticeList struct{ guards *guard.Store }

type noticeRow struct {
	What      string          `json:"what"`
	ChangedBy string          `json:"changedBy"`
	At        time.Time       `json:"at"`
	Before    string          `json:"before,omitempty"` // hashes
	After     string          `json:"after,omitempty"`
	Was       json.RawMessage `json:"was,omitempty"`
	Is        json.RawMessage `json:"is,omitempty"`
}

func (s noticeList) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	table, err := w.Table("guard-notices", "at", "what", "changed_by", "before", "after")
	if err != nil {
		return err
	}
	for after := ""; ; {
		list, next, err := s.guards.Notices(ctx, t, after, page)
		if err != nil {
			return err
		}
		for _, n := range list {
			if !w.About(n.Actor) {
				continue
			}
			row := noticeRow{n.What, n.Actor, n.At, n.Before, n.After, n.Was, n.Is}
			if err := table.Add(row, n.At.Format(time.RFC3339), n.What, n.Actor, n.Before, n.After); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}
