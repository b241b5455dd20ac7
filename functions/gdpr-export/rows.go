package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"pricemanager/internal/export"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/privacy"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// rowPage is how many rows of a plan or batch are read at once: those of a file that
// they are kept in.
const rowPage = 1000

// rowFiles are the two files that rows go to: name.csv for spreadsheets, and
// name.jsonl with the same for programs, a row a line.
type rowFiles struct {
	csv   io.Writer
	lines *json.Encoder
	count [2]func(int64)
	n     int64
}

func newRowFiles(w *privacy.Writer, name string) (*rowFiles, error) {
	csv, csvRows, err := w.Create(name + ".csv")
	if err != nil {
		return nil, err
	}
	lines, lineRows, err := w.Create(name + ".jsonl")
	if err != nil {
		return nil, err
	}
	return &rowFiles{csv: csv, lines: json.NewEncoder(lines), count: [2]func(int64){csvRows, lineRows}}, nil
}

// add writes a row as JSON and counts it; the CSV has a row for each of its fields.
func (f *rowFiles) add(v any) error {
	f.n++
	return f.lines.Encode(v)
}

func (f *rowFiles) end(csvRows int) {
	f.count[0](int64(csvRows))
	f.count[1](f.n)
}

// planRows writes the rows of every plan whose row files are still kept.
type planRows struct{ plans *plan.Store }

func (s planRows) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	for after := ""; ; {
		list, next, err := s.plans.List(ctx, t, after, page)
		if err != nil {
			return err
		}
		for _, p := range list {
			if p.Progress != nil || p.Problem != nil {
				continue // it has none
			}
			if err := s.plan(ctx, t, p.ID, w); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

func (s planRows) plan(ctx context.Context, t tenant.ID, id string, w *privacy.Writer) error {
	rows, err := s.plans.Rows(ctx, t, id, "", rowPage, "")
	if errors.Is(err, store.ErrNotFound) {
		return nil // they expired
	}
	if err != nil {
		return err
	}
	files, err := newRowFiles(w, "plans/"+id)
	if err != nil {
		return err
	}
	table, err := export.NewPlan(files.csv, export.CSV)
	if err != nil {
		return err
	}
	for {
		for _, r := range rows.Rows {
			if err := errors.Join(table.Add(r), files.add(r)); err != nil {
				return err
			}
		}
		if rows.Next == "" {
			files.end(table.Rows())
			return table.Close()
		}
		if rows, err = s.plans.Rows(ctx, t, id, rows.Next, rowPage, ""); err != nil {
			return err
		}
	}
}

// batchRows writes what became of every row of every batch whose row files are still
// kept. Of a row that a later batch overtook it says that alone: the rest is in the
// ledger.
type batchRows struct{ batches *lane.Batches }

type outcomeRow struct {
	Row         int64               `json:"row"` // of the plan
	Line        int                 `json:"line"`
	Connection  price.ConnectionID  `json:"connection"`
	Marketplace price.MarketplaceID `json:"marketplace"`
	SKU         price.SKU           `json:"sku"`
	Old         price.Prices        `json:"old"`
	Edit        price.Edit          `json:"edit"`
	Release     []price.Code        `json:"release,omitempty"`
	State       lane.State          `json:"state"`
	At          *time.Time          `json:"at,omitempty"`
	Submission  string              `json:"submission,omitempty"`
	Issue       string              `json:"issue,omitempty"`
}

func (s batchRows) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	for after := ""; ; {
		list, next, err := s.batches.List(ctx, t, after, page)
		if err != nil {
			return err
		}
		for _, b := range list {
			if err := s.batch(ctx, t, b.ID, w); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

func (s batchRows) batch(ctx context.Context, t tenant.ID, id string, w *privacy.Writer) error {
	rows, next, err := s.batches.Report(ctx, t, id, "", lane.ReportPage, "")
	if err != nil {
		return err
	}
	if len(rows) == 0 && next == "" {
		return nil // they expired, or there is none yet
	}
	files, err := newRowFiles(w, "batches/"+id)
	if err != nil {
		return err
	}
	table, err := export.NewReport(files.csv, export.CSV)
	if err != nil {
		return err
	}
	for {
		for _, r := range rows {
			row := outcomeRow{r.N, r.Line, r.Connection, r.Marketplace, r.SKU, r.Old, r.Edit, r.Release, r.State, optional(r.At), r.Submission, r.Issue}
			if err := errors.Join(table.Add(r), files.add(row)); err != nil {
				return err
			}
		}
		if next == "" {
			files.end(table.Rows())
			return table.Close()
		}
		if rows, next, err = s.batches.Report(ctx, t, id, next, lane.ReportPage, ""); err != nil {
			return err
		}
	}
}
