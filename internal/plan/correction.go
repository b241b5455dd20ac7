package plan

import (
	"iter"

	"pricemanager/internal/price"
	"pricemanager/internal/pricefile"
)

// Correction is the one row of a plan that a person makes by hand.
type Correction struct {
	Marketplace price.MarketplaceID
	SKU         price.SKU
	Edit        price.Edit
}

// correction is a Correction as the source of a plan: line 1 of a file that does
// not exist, whose columns have the names of the fields.
type correction Correction

var _ source = correction{}

func (c correction) Rows() iter.Seq2[pricefile.Row, []pricefile.RowError] {
	return func(yield func(pricefile.Row, []pricefile.RowError) bool) {
		yield(pricefile.Row{Line: 1, SKU: c.SKU, Marketplace: c.Marketplace, Edit: c.Edit}, nil)
	}
}

func (correction) Layout() pricefile.Layout    { return restores{}.Layout() }
func (correction) Column(f price.Field) string { return string(f) }
func (correction) SKUColumn() string           { return "sku" }
func (correction) MarketplaceColumn() string   { return "marketplace" }
func (correction) Err() error                  { return nil }
func (correction) Close() error                { return nil }
