package download

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"pricemanager/internal/export"
	"pricemanager/internal/history"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

// Sources are the rooms that tables are read from.
type Sources struct {
	Offers  *lane.Offers
	Batches *lane.Batches
	Plans   *plan.Store
	Past    *history.History
}

// table is one of package export's.
type table interface {
	Rows() int
	Close() error
}

// source reads what a table is made of.
type source interface {
	// begin begins a table, to which page then adds.
	begin(w io.Writer, f export.Format) (table, error)
	// page adds the rows behind a cursor, "" for the first ones; it returns the
	// cursor of the rest, and false when there is none.
	page(ctx context.Context, after string) (next string, more bool, err error)
}

func (s Sources) of(ctx context.Context, t tenant.ID, spec Spec) (source, error) {
	switch spec.What {
	case Offers:
		return &offers{Sources: s, tenant: t, spec: spec}, nil
	case Batch:
		return &batch{Sources: s, tenant: t, spec: spec}, nil
	case Plan:
		return &planned{Sources: s, tenant: t, spec: spec}, nil
	case History:
		scan, err := s.Past.Scan(ctx, t, spec.From, spec.To)
		if err != nil {
			return nil, fmt.Errorf("download: %w", err)
		}
		return newPast(scan, spec), nil
	}
	return nil, fmt.Errorf("download: there is no table of %q", string(spec.What))
}

// pageRows is how many rows are read at once: a Query answers with no more than 1
// MB, which some thousand offers have.
const pageRows = 1000

// offers of one connection after the other.
type offers struct {
	Sources
	tenant tenant.ID
	spec   Spec
	out    *export.Offers
}

func (s *offers) begin(w io.Writer, f export.Format) (_ table, err error) {
	s.out, err = export.NewOffers(w, f)
	return s.out, err
}

// page has cursors such as 1|3:sku: the second connection, from there on.
func (s *offers) page(ctx context.Context, after string) (string, bool, error) {
	i := 0
	if number, rest, ok := strings.Cut(after, "|"); ok {
		n, err := strconv.Atoi(number)
		if err != nil {
			return "", false, fmt.Errorf("download: cursor %q: %w", after, err)
		}
		i, after = n, rest
	}
	if i >= len(s.spec.Connections) {
		return "", false, nil
	}
	views, next, err := s.Offers.Page(ctx, s.tenant, s.spec.Connections[i], s.spec.Marketplace, after, pageRows)
	if err != nil {
		return "", false, err
	}
	for _, v := range views {
		if err := s.out.Add(v.Offer); err != nil {
			return "", false, err
		}
	}
	if next == "" {
		i++
	}
	return strconv.Itoa(i) + "|" + next, i < len(s.spec.Connections), nil
}

// batch is what became of a batch's rows.
type batch struct {
	Sources
	tenant tenant.ID
	spec   Spec
	out    *export.Report
}

func (s *batch) begin(w io.Writer, f export.Format) (_ table, err error) {
	s.out, err = export.NewReport(w, f)
	return s.out, err
}

func (s *batch) page(ctx context.Context, after string) (string, bool, error) {
	rows, next, err := s.Batches.Report(ctx, s.tenant, s.spec.Batch, after, lane.ReportPage, s.spec.State)
	if err != nil {
		return "", false, err
	}
	for _, r := range rows {
		if err := s.out.Add(r); err != nil {
			return "", false, err
		}
	}
	return next, next != "", nil
}

// planned are a plan's rows.
type planned struct {
	Sources
	tenant tenant.ID
	spec   Spec
	out    *export.Plan
}

func (s *planned) begin(w io.Writer, f export.Format) (_ table, err error) {
	s.out, err = export.NewPlan(w, f)
	return s.out, err
}

func (s *planned) page(ctx context.Context, after string) (string, bool, error) {
	page, err := s.Plans.Rows(ctx, s.tenant, s.spec.Plan, after, pageRows, s.spec.Verdict)
	if err != nil {
		return "", false, err
	}
	for _, r := range page.Rows {
		if err := s.out.Add(r); err != nil {
			return "", false, err
		}
	}
	return page.Next, page.Next != "", nil
}

// past is the history of many offers, in the ledger's order.
type past struct {
	scan *history.Scan
	spec Spec
	skus map[price.SKU]bool
	out  *export.History
}

func newPast(scan *history.Scan, spec Spec) *past {
	s := &past{scan: scan, spec: spec, skus: map[price.SKU]bool{}}
	for _, sku := range spec.SKUs {
		s.skus[sku] = true
	}
	return s
}

func (s *past) begin(w io.Writer, f export.Format) (_ table, err error) {
	s.out, err = export.NewHistory(w, f)
	return s.out, err
}

// page has the next leaf of the ledger as its cursor.
func (s *past) page(ctx context.Context, after string) (string, bool, error) {
	leaf := int64(0)
	if after != "" {
		var err error
		if leaf, err = strconv.ParseInt(after, 10, 64); err != nil {
			return "", false, fmt.Errorf("download: cursor %q: %w", after, err)
		}
	}
	next, more, err := s.scan.Page(ctx, leaf, s.wants, func(e history.Entry) error {
		if s.spec.Batch != "" && e.Batch != s.spec.Batch {
			return nil
		}
		return s.out.Add(e)
	})
	return strconv.FormatInt(next, 10), more, err
}

func (s *past) wants(k price.OfferKey) bool {
	return (len(s.skus) == 0 || s.skus[k.SKU]) && (s.spec.Marketplace == "" || s.spec.Marketplace == k.Marketplace) &&
		(len(s.spec.Connections) == 0 || slices.Contains(s.spec.Connections, k.Connection))
}
