package main

import (
	"context"

	"pricemanager/internal/export"
	"pricemanager/internal/history"
	"pricemanager/internal/privacy"
	"pricemanager/internal/tenant"
)

// historyFile writes how the prices went, as a table; programs find the same, with
// what proves it, in the ledger.
type historyFile struct{ history *history.History }

func (s historyFile) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	out, rows, err := w.Create("history.csv")
	if err != nil {
		return err
	}
	table, err := export.NewHistory(out, export.CSV)
	if err != nil {
		return err
	}
	scan := s.history.All(t)
	for next, more := int64(0), true; more; {
		if next, more, err = scan.Page(ctx, next, nil, table.Add); err != nil {
			return err
		}
	}
	rows(int64(table.Rows()))
	return table.Close()
}
