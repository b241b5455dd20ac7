package preview

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"pricemanager/internal/plan"
	"pricemanager/internal/price"
)

const (
	// MaxSample is how many rows Amazon is asked about: at one a second the answers
	// are there within half a minute.
	MaxSample = 20
	// looked is how many planned rows are gone through to choose from. Of a longer
	// plan the first ones are.
	looked = 100_000
)

// sample fills in the rows to be asked about: in turns over the marketplaces, in each
// those with most money at risk first. Money in two currencies has no order, and a
// marketplace has one. Rows with equally much go in the order of the file.
func (s *Service) sample(ctx context.Context, p plan.Stored, doc *stored) error {
	most := map[price.MarketplaceID][]plan.Row{}
	n := 0
	for after := ""; n < looked; {
		page, err := s.Plans.Rows(ctx, p.Tenant, p.ID, after, 1000, price.Allowed)
		if err != nil {
			return err
		}
		for _, r := range page.Rows {
			n++
			m := r.Key.Marketplace
			most[m] = insert(most[m], r)
		}
		if page.Next == "" {
			break
		}
		after = page.Next
	}
	for turn := range MaxSample {
		for _, m := range slices.Sorted(maps.Keys(most)) {
			if turn >= len(most[m]) || len(doc.Rows) == MaxSample {
				continue
			}
			r := most[m][turn]
			doc.Rows = append(doc.Rows, Row{Line: r.Line, Connection: r.Key.Connection, Marketplace: m, SKU: r.Key.SKU, AtRisk: r.AtRisk})
			doc.Edits = append(doc.Edits, r.Edit)
			doc.Columns = append(doc.Columns, columns(p, r))
		}
	}
	return nil
}

// insert keeps the MaxSample rows with most at risk, the most first.
func insert(rows []plan.Row, r plan.Row) []plan.Row {
	i, _ := slices.BinarySearchFunc(rows, r, func(a, b plan.Row) int {
		return cmp.Or(-risk(a).Cmp(risk(b)), cmp.Compare(a.N, b.N))
	})
	if i == MaxSample {
		return rows
	}
	rows = slices.Insert(rows, i, r)
	return rows[:min(len(rows), MaxSample)]
}

// risk is what a row puts at risk, in its marketplace's currency.
func risk(r plan.Row) price.Money {
	if r.AtRisk != nil {
		return *r.AtRisk
	}
	m, _ := price.MarketplaceByID(r.Key.Marketplace)
	return price.FromMinor(0, m.Currency)
}

// columns are those of the file that the row's prices come from: a price without a
// column has the name that we know it by.
func columns(p plan.Stored, r plan.Row) []string {
	out := []string{}
	for _, f := range r.Edit.Touched() {
		name := string(f)
		for _, c := range p.Mapping.Columns {
			if string(c.Means) == string(f) {
				name = c.Header
			}
		}
		out = append(out, name)
	}
	return out
}
