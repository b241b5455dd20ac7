package plan

import (
	"iter"

	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
)

// CodeNotRestored: the row of a rollback whose price is no longer the one that
// the batch wrote.
const CodeNotRestored = "not-restored"

// CodeReturns: the row of a rollback whose price a later batch took the place of,
// and brings back when it is taken back itself.
const CodeReturns = "returns"

// Restore is one row of a rollback: what would undo one row of a batch, or why
// it is not undone.
type Restore struct {
	Line        int // in the file of the batch
	Connection  price.ConnectionID
	Marketplace price.MarketplaceID
	SKU         price.SKU
	Edit        price.Edit
	Version     int64  // of the offer whose price was compared
	Skip        string // why the row stays as it is, "" to restore it
	Returns     bool   // it is skipped, and comes back: see CodeReturns
	// Replaced is the price that the row took the place of, when that is not the one
	// before the offer's last change: later ones changed nothing, or were taken back.
	Replaced *price.Replaced
}

// source is where the rows of a plan come from.
type source interface {
	// Rows yields every row once; Err says afterwards whether it was all of them.
	Rows() iter.Seq2[pricefile.Row, []pricefile.RowError]
	Layout() pricefile.Layout
	Column(price.Field) string
	SKUColumn() string
	MarketplaceColumn() string
	Err() error
	Close() error
}

var (
	_ source = (*pricefile.File)(nil)
	_ source = restores(nil)
)

// restoring is a source that knows the offers which its rows were compared with.
type restoring interface {
	// moved reports whether the offer of the n-th row, from 0, is another version.
	moved(n int64, version int64) bool
	// replaced is Restore.Replaced of the n-th row, nil for that of the offer.
	replaced(n int64) *price.Replaced
}

// restores are the rows of a rollback as the source of a plan: there is no
// file, and columns have the names of the fields.
type restores []Restore

func (rs restores) Rows() iter.Seq2[pricefile.Row, []pricefile.RowError] {
	return func(yield func(pricefile.Row, []pricefile.RowError) bool) {
		for _, r := range rs {
			if !yield(r.row()) {
				return
			}
		}
	}
}

// row is the restored row, or why it is none.
func (r Restore) row() (row pricefile.Row, errs []pricefile.RowError) {
	switch {
	case r.Returns:
		errs = []pricefile.RowError{{Line: r.Line, Value: string(r.SKU), Code: CodeReturns, Reason: r.Skip,
			Fix: "Roll this batch back again after that, or set the price by a price file."}}
	case r.Skip != "":
		errs = []pricefile.RowError{{Line: r.Line, Value: string(r.SKU), Code: CodeNotRestored, Reason: r.Skip,
			Fix: "Look at the offer's price now; set it by a price file if it is wrong."}}
	}
	return pricefile.Row{Line: r.Line, SKU: r.SKU, Marketplace: r.Marketplace, Edit: r.Edit}, errs
}

func (restores) Layout() pricefile.Layout {
	return pricefile.Layout{Separator: "none", Columns: []pricefile.Column{}}
}
func (restores) Column(f price.Field) string { return string(f) }
func (restores) SKUColumn() string           { return "sku" }
func (restores) MarketplaceColumn() string   { return "marketplace" }
func (restores) Err() error                  { return nil }
func (restores) Close() error                { return nil }

// moved reports whether an offer is no longer the one that a rollback compared.
func (rs restores) moved(n int64, version int64) bool {
	return n < int64(len(rs)) && rs[n].Version != version
}

func (rs restores) replaced(n int64) *price.Replaced {
	if n >= int64(len(rs)) {
		return nil
	}
	return rs[n].Replaced
}
