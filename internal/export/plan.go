package export

import (
	"io"
	"strings"

	"pricemanager/internal/plan"
	"pricemanager/internal/price"
)

// Plan is a table of a plan's rows, a row for each field; one for a row that
// touches none, so that what was refused is in it.
type Plan struct{ table *Table }

// NewPlan begins one.
func NewPlan(w io.Writer, f Format) (*Plan, error) {
	t, err := New(w, f, "plan", "line", "connection", "marketplace", "sku", "field", "old", "new", "verdict", "change_percent", "at_risk", "currency", "codes", "reasons", "fixes")
	return &Plan{t}, err
}

// Add adds a row of the plan.
func (x *Plan) Add(r plan.Row) error {
	var codes, reasons, fixes []string
	for _, f := range r.Findings {
		codes, reasons, fixes = append(codes, f.Code), append(reasons, f.Reason), append(fixes, f.Fix)
	}
	var percent Cell
	if r.ChangePercent != "" {
		percent = Cell{r.ChangePercent, number}
	}
	currency := ""
	if r.AtRisk != nil {
		currency = string(r.AtRisk.Currency())
	}
	add := func(field price.Field, before, after Cell) error {
		return x.table.Row(Int(int64(r.Line)), Text(r.Key.Connection), Text(r.Key.Marketplace), Text(r.Key.SKU), Text(field), before, after,
			Text(r.Verdict), percent, Amount(r.AtRisk), Text(currency), said(codes), said(reasons), said(fixes))
	}
	touched := r.Edit.Touched()
	if len(touched) == 0 {
		return add("", Cell{}, Cell{})
	}
	after := r.Edit.Apply(r.Old)
	for _, f := range touched {
		if err := add(f, shown(r.Old, f), shown(after, f)); err != nil {
			return err
		}
	}
	return nil
}

// said is what there is to say about a row in one cell.
func said(list []string) Cell { return Text(strings.Join(list, " | ")) }

// Rows is how many rows the table has.
func (x *Plan) Rows() int { return x.table.Rows() }

// Close ends the table.
func (x *Plan) Close() error { return x.table.Close() }
