package main

import (
	"context"
	"strconv"
	"time"

	"pricemanager/internal/connect"
	"pricemanager/internal/export"
	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/privacy"
	"pricemanager/internal/tenant"
)

// offerList writes every offer with its prices and its last change.
type offerList struct {
	connections *connect.Service
	offers      *lane.Offers
}

type offerRow struct {
	Connection  price.ConnectionID  `json:"connection"`
	Marketplace price.MarketplaceID `json:"marketplace"`
	SKU         price.SKU           `json:"sku"`
	ASIN        string              `json:"asin,omitempty"`
	Title       string              `json:"title,omitempty"`
	ProductType string              `json:"productType,omitempty"`
	Quantity    *int64              `json:"quantity,omitempty"`
	Automated   bool                `json:"automated,omitempty"`
	Prices      price.Prices        `json:"prices"`
	ReadAt      *time.Time          `json:"readAt,omitempty"`
	Change      *changeRow          `json:"change,omitempty"`
}

type changeRow struct {
	Batch      string       `json:"batch"`
	Row        int64        `json:"row"`
	State      lane.State   `json:"state"`
	At         *time.Time   `json:"at,omitempty"`
	Old        price.Prices `json:"old"`
	Edit       price.Edit   `json:"edit"`
	Submission string       `json:"submission,omitempty"`
	Issue      string       `json:"issue,omitempty"`
}

func (s offerList) export(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	table, err := w.Table("offers", "connection", "marketplace", "sku", "asin", "title", "quantity", "currency",
		"price", "sale_price", "sale_start", "sale_end", "minimum_price", "maximum_price", "b2b_price",
		"read_at", "batch", "state", "issue")
	if err != nil {
		return err
	}
	return s.each(ctx, t, func(v lane.View) error { return addOffer(table, v) })
}

// each calls add for every offer of the tenant.
func (s offerList) each(ctx context.Context, t tenant.ID, add func(lane.View) error) error {
	all, err := s.connections.List(ctx, t)
	if err != nil {
		return err
	}
	for _, c := range all {
		for after := ""; ; {
			views, next, err := s.offers.Page(ctx, t, c.ID, "", after, page)
			if err != nil {
				return err
			}
			for _, v := range views {
				if err := add(v); err != nil {
					return err
				}
			}
			if after = next; after == "" {
				break
			}
		}
	}
	return nil
}

// prices writes the offers once more, as a price file that can be uploaded again.
func (s offerList) prices(ctx context.Context, t tenant.ID, w *privacy.Writer) error {
	out, rows, err := w.Create("prices.csv")
	if err != nil {
		return err
	}
	table, err := export.NewOffers(out, export.CSV)
	if err != nil {
		return err
	}
	if err := s.each(ctx, t, func(v lane.View) error { return table.Add(v.Offer) }); err != nil {
		return err
	}
	rows(int64(table.Rows()))
	return table.Close()
}

func addOffer(table *privacy.Table, v lane.View) error {
	row := offerRow{
		Connection: v.Key.Connection, Marketplace: v.Key.Marketplace, SKU: v.Key.SKU, ASIN: v.ASIN, Title: v.Title,
		ProductType: v.ProductType, Quantity: v.Quantity, Automated: v.Automated, Prices: v.Known, ReadAt: optional(v.ReadAt),
	}
	var quantity, read, batch, state, issue string
	if v.Quantity != nil {
		quantity = strconv.FormatInt(*v.Quantity, 10)
	}
	if row.ReadAt != nil {
		read = v.ReadAt.Format(time.RFC3339)
	}
	if c := v.Change; c != nil {
		row.Change = &changeRow{
			Batch: c.Batch, Row: c.Row, State: c.State, At: optional(c.At), Old: c.Old, Edit: c.Edit,
			Submission: c.Submission, Issue: c.Issue,
		}
		batch, state, issue = c.Batch, string(c.State), c.Issue
	}
	cells := []string{string(row.Connection), string(row.Marketplace), string(row.SKU), row.ASIN, row.Title, quantity}
	cells = append(cells, priceCells(v.Known)...)
	return table.Add(row, append(cells, read, batch, state, issue)...)
}

// priceCells are the currency and the prices that have one cell each; quantity
// tiers are in the JSON file. An absent price is an empty cell.
func priceCells(p price.Prices) []string {
	var currency string
	amount := func(m *price.Money) string {
		if m == nil {
			return ""
		}
		currency = string(m.Currency()) // one per marketplace
		return m.Decimal()
	}
	var sale, start, end string
	if p.Sale != nil {
		sale = amount(&p.Sale.Price)
		start, end = p.Sale.Start.Format(time.RFC3339), p.Sale.End.Format(time.RFC3339)
	}
	cells := []string{amount(p.Our), sale, start, end, amount(p.Min), amount(p.Max), amount(p.B2B)}
	return append([]string{currency}, cells...)
}
