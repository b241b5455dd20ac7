package export

import (
	"io"
	"strconv"
	"time"

	"pricemanager/internal/price"
)

// offerColumns are those of the table of offers. The first ones are read again as
// a price file; the last ones are for the eye.
var offerColumns = func() []string {
	out := []string{"sku", "marketplace", "currency", "price", "sale_price", "sale_start", "sale_end", "minimum_price", "maximum_price", "b2b_price"}
	for i := 1; i <= price.MaxTiers; i++ {
		out = append(out, "tier_quantity_"+strconv.Itoa(i), "tier_price_"+strconv.Itoa(i))
	}
	return append(out, "asin", "stock", "title", "connection", "read_at")
}()

// longest is how many characters of a title are written: reading refuses rows with
// longer cells than pricefile.MaxCell, and Amazon's titles have 200.
const longest = 500

// Offers is a table of offers with their prices as last read from Amazon.
type Offers struct{ table *Table }

// NewOffers begins one.
func NewOffers(w io.Writer, f Format) (*Offers, error) {
	t, err := New(w, f, "offers", offerColumns...)
	return &Offers{t}, err
}

// Add adds an offer.
func (x *Offers) Add(o price.Offer) error {
	market, currency := string(o.Key.Marketplace), ""
	if m, ok := price.MarketplaceByID(o.Key.Marketplace); ok {
		market, currency = m.Country, string(m.Currency)
	}
	p := o.Known
	var sale *price.Money
	var start, end time.Time
	if p.Sale != nil {
		sale, start, end = &p.Sale.Price, p.Sale.Start, p.Sale.End
	}
	cells := []Cell{Text(o.Key.SKU), Text(market), Text(currency), Amount(p.Our), Amount(sale), Time(start), Time(end), Amount(p.Min), Amount(p.Max), Amount(p.B2B)}
	for i := range price.MaxTiers {
		if i < len(p.Tiers) {
			cells = append(cells, Int(int64(p.Tiers[i].Quantity)), Amount(&p.Tiers[i].Price))
		} else {
			cells = append(cells, Cell{}, Cell{})
		}
	}
	var stock Cell
	if o.Quantity != nil {
		stock = Int(*o.Quantity)
	}
	title := o.Title
	if runes := []rune(title); len(runes) > longest {
		title = string(runes[:longest])
	}
	return x.table.Row(append(cells, Text(o.ASIN), stock, Text(title), Text(o.Key.Connection), Time(o.ReadAt))...)
}

// Rows is how many rows the table has.
func (x *Offers) Rows() int { return x.table.Rows() }

// Close ends the table.
func (x *Offers) Close() error { return x.table.Close() }
