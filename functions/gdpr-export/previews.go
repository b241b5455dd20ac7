package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"pricemanager/internal/preview"
	"pricemanager/internal/privacy"
	"pricemanager/internal/tenant"
)

// previewList writes what Amazon said to samples of plans: a line of the CSV file
// for each row that was asked about.
type previewList struct{ previews *preview.Service }

func (s previewList) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	table, err := w.Table("previews", "plan", "asked_by", "asked_at", "row", "connection", "marketplace", "sku", "verdict", "issues")
	if err != nil {
		return err
	}
	for after := ""; ; {
		list, next, err := s.previews.List(ctx, t, after, page)
		if err != nil {
			return err
		}
		for _, d := range list {
			if !w.About(d.AskedBy) {
				continue
			}
			rows := make([][]string, len(d.Rows))
			for i, r := range d.Rows {
				var issues []string
				for _, x := range r.Issues {
					issues = append(issues, x.Code+" "+x.Message)
				}
				rows[i] = []string{
					d.Plan, d.AskedBy, d.AskedAt.Format(time.RFC3339), strconv.Itoa(r.Line), string(r.Connection), string(r.Marketplace),
					string(r.SKU), string(r.Verdict), strings.Join(issues, "; "),
				}
			}
			if err := table.AddRows(d, rows...); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}
