package fakeamazon

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"pricemanager/internal/price"
)

// ReportSeed says how an active-listings report becomes listings.
type ReportSeed struct {
	Region price.Region
	Seller string
	// Marketplace of all rows; empty reads it from the column "marketplace"
	// (identifier, country or domain).
	Marketplace price.MarketplaceID
	// Fill gives listings without bounds a minimum and a maximum, and a third of
	// them a B2B price, derived from the price and the SKU alone.
	Fill bool
}

// maxLine is the longest line of a report: Amazon's descriptions are long.
const maxLine = 1 << 20

// LoadReport reads an active-listings report and sets its rows as listings of a
// seller that is known. It returns their number.
func (f *Fake) LoadReport(r io.Reader, opts ReportSeed) (int, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	if !lines.Scan() {
		return 0, errors.Join(errors.New("fakeamazon: report: there is no header"), lines.Err())
	}
	header := strings.Split(strings.TrimPrefix(strings.TrimRight(lines.Text(), "\r"), "\ufeff"), "\t")
	if !slices.Contains(header, "seller-sku") || !slices.Contains(header, "price") {
		return 0, errors.New("fakeamazon: report: the columns seller-sku and price are needed")
	}
	var listings []Listing
	for n := 2; lines.Scan(); n++ {
		if !utf8.ValidString(lines.Text()) {
			return 0, fmt.Errorf("fakeamazon: report: line %d is not UTF-8", n)
		}
		row := map[string]string{}
		for i, value := range strings.Split(strings.TrimRight(lines.Text(), "\r"), "\t") {
			if i < len(header) {
				row[header[i]] = value
			}
		}
		l, err := f.reportListing(row, opts)
		if err != nil {
			return 0, fmt.Errorf("fakeamazon: report: line %d: %w", n, err)
		}
		listings = append(listings, l)
	}
	if err := lines.Err(); err != nil {
		return 0, fmt.Errorf("fakeamazon: report: %w", err)
	}
	return len(listings), f.AddListings(opts.Region, opts.Seller, listings)
}

func (f *Fake) reportListing(row map[string]string, opts ReportSeed) (Listing, error) {
	m, ok := price.MarketplaceByID(opts.Marketplace)
	if opts.Marketplace == "" {
		m, ok = price.FindMarketplace(row["marketplace"])
	}
	if !ok {
		return Listing{}, fmt.Errorf("no marketplace %q", row["marketplace"])
	}
	out := Listing{
		Marketplace: m.ID, SKU: price.SKU(row["seller-sku"]), ASIN: row["asin1"], Title: row["item-name"],
		Price: row["price"], Channel: row["fulfillment-channel"],
	}
	for condition, code := range conditionCodes {
		if code == row["item-condition"] {
			out.Condition = condition
		}
	}
	if t := row["product-id-type"]; t == "3" || t == "4" { // UPC, EAN
		out.ProductID = row["product-id"]
	}
	if text := row["quantity"]; text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return Listing{}, fmt.Errorf("quantity %q: %w", text, err)
		}
		out.Quantity = &n
	}
	if opts.Fill && out.Price != "" {
		if err := f.fill(&out, m); err != nil {
			return Listing{}, err
		}
	}
	return out, nil
}

// fill derives bounds of 80% and 150% of the price, and for a third of the SKUs
// a B2B price of 95% with, for half of those, two quantity tiers. All is rounded
// down to the minor unit, but never below one.
func (f *Fake) fill(l *Listing, m price.Marketplace) error {
	p, err := price.ParseMoney(l.Price, m.Currency)
	if err != nil {
		return fmt.Errorf("price %q: %w", l.Price, err)
	}
	percent := func(n int64) string {
		whole, part := p.Minor()/100, p.Minor()%100 // does not overflow
		return price.FromMinor(max(whole*n+part*n/100, 1), m.Currency).Decimal()
	}
	l.Min, l.Max = percent(80), percent(150)
	draw := f.pace.number(6, "fill", l.SKU)
	if draw%3 == 0 {
		l.B2B = percent(95)
	}
	if draw == 0 {
		l.Tiers = []Tier{{5, percent(93)}, {20, percent(90)}}
	}
	return nil
}
