package export

import (
	"io"
	"time"

	"pricemanager/internal/history"
	"pricemanager/internal/lane"
	"pricemanager/internal/price"
)

// History is a table of the events in offers' histories, a row for each field that
// an event is about.
type History struct{ table *Table }

// NewHistory begins one.
func NewHistory(w io.Writer, f Format) (*History, error) {
	t, err := New(w, f, "history", "at", "event", "type", "connection", "marketplace", "sku", "field", "old", "new", "batch", "plan_row", "submission", "issue", "taken_over_by", "visible_seconds")
	return &History{t}, err
}

// Add adds an event.
func (x *History) Add(e history.Entry) error {
	var row, visible Cell
	if e.Batch != "" {
		row = Int(e.Row)
	}
	if e.Visible > 0 {
		visible = Int(int64(e.Visible / time.Second))
	}
	add := func(field price.Field, before, after Cell) error {
		return x.table.Row(Time(e.At), Int(e.Leaf), Text(e.Type), Text(e.Key.Connection), Text(e.Key.Marketplace), Text(e.Key.SKU),
			Text(field), before, after, Text(e.Batch), row, Text(e.Submission), Text(e.Issue), Text(e.By), visible)
	}
	before, after, fields := of(e)
	for _, f := range fields {
		if err := add(f, shown(before, f), shown(after, f)); err != nil {
			return err
		}
	}
	if len(fields) > 0 {
		return nil
	}
	return add("", Cell{}, Cell{})
}

// of returns what an event is about, and the prices before and after it.
func of(e history.Entry) (before, after price.Prices, fields []price.Field) {
	if e.Before != nil {
		before = *e.Before
	}
	if e.After != nil {
		after = *e.After
	}
	for _, f := range price.Fields() {
		if before.Has(f) || after.Has(f) {
			fields = append(fields, f)
		}
	}
	return before, after, fields
}

// Newest returns the newest of some events that make no more than so many rows.
func Newest(events []history.Entry, rows int) []history.Entry {
	from := len(events)
	for ; from > 0; from-- {
		_, _, fields := of(events[from-1])
		if rows -= max(1, len(fields)); rows < 0 {
			break
		}
	}
	return events[from:]
}

func shown(p price.Prices, f price.Field) Cell {
	if !p.Has(f) {
		return Cell{}
	}
	return Text(p.Text(f))
}

// Rows is how many rows the table has.
func (x *History) Rows() int { return x.table.Rows() }

// Close ends the table.
func (x *History) Close() error { return x.table.Close() }

// Report is a table of what became of a batch's rows, a row for each field.
type Report struct{ table *Table }

// NewReport begins one.
func NewReport(w io.Writer, f Format) (*Report, error) {
	t, err := New(w, f, "batch", "line", "connection", "marketplace", "sku", "field", "old", "new", "state", "at", "submission", "issue")
	return &Report{t}, err
}

// Add adds a row of the batch.
func (x *Report) Add(r lane.RowReport) error {
	after := r.Edit.Apply(r.Old)
	for _, f := range r.Edit.Touched() {
		err := x.table.Row(Int(int64(r.Line)), Text(r.Connection), Text(r.Marketplace), Text(r.SKU), Text(f), shown(r.Old, f), shown(after, f),
			Text(r.State), Time(r.At), Text(r.Submission), Text(r.Issue))
		if err != nil {
			return err
		}
	}
	return nil
}

// Rows is how many rows the table has.
func (x *Report) Rows() int { return x.table.Rows() }

// Close ends the table.
func (x *Report) Close() error { return x.table.Close() }
