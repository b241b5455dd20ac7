package spapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

// item is a listings item as the Listings Items API returns it. Attributes are
// kept as text but for the one that holds prices.
type item struct {
	SKU       string `json:"sku"`
	Summaries []struct {
		Marketplace price.MarketplaceID `json:"marketplaceId"`
		ASIN        string              `json:"asin"`
		ProductType string              `json:"productType"`
		Name        string              `json:"itemName"`
	} `json:"summaries"`
	ProductTypes []struct {
		Marketplace price.MarketplaceID `json:"marketplaceId"`
		ProductType string              `json:"productType"`
	} `json:"productTypes"`
	Attributes struct {
		Offers []offerInstance `json:"purchasable_offer"`
	} `json:"attributes"`
	Offers []struct {
		Marketplace price.MarketplaceID `json:"marketplaceId"`
		Type        string              `json:"offerType"`
		Price       struct {
			Currency price.Currency `json:"currencyCode"`
			Amount   numberText     `json:"amount"`
		} `json:"price"`
		Audience struct {
			Value string `json:"value"`
		} `json:"audience"`
	} `json:"offers"`
	Issues []issue `json:"issues"`
}

type issue struct {
	Code         string                `json:"code"`
	Message      string                `json:"message"`
	Severity     string                `json:"severity"`
	Attributes   []string              `json:"attributeNames"`
	Categories   []string              `json:"categories"`
	Marketplaces []price.MarketplaceID `json:"marketplaceIds"`
}

// offerInstance is one element of purchasable_offer. Its parts stay text until
// the instance is known to be ours, so that an oddity in another marketplace
// does not spoil this one.
type offerInstance struct {
	Marketplace price.MarketplaceID `json:"marketplace_id"`
	Currency    price.Currency      `json:"currency"`
	Audience    string              `json:"audience"`
	OurPrice    json.RawMessage     `json:"our_price"`
	Discounted  json.RawMessage     `json:"discounted_price"`
	Minimum     json.RawMessage     `json:"minimum_seller_allowed_price"`
	Maximum     json.RawMessage     `json:"maximum_seller_allowed_price"`
	Plan        json.RawMessage     `json:"quantity_discount_plan"`
	Automated   json.RawMessage     `json:"automated_pricing_merchandising_rule_plan"`
}

// numberText is a decimal that Amazon writes as a JSON string; a JSON number is
// taken too, and neither is judged before it is needed.
type numberText string

func (n *numberText) UnmarshalJSON(b []byte) error {
	*n = numberText(strings.Trim(string(b), `"`))
	return nil
}

// ErrUnreadable says that a listing's prices could not be read exactly, so that
// nothing is known about them.
var ErrUnreadable = errors.New("spapi: prices cannot be read exactly")

// listing translates an item as it is in marketplace m.
func (it item) listing(m price.Marketplace) (amazon.Listing, error) {
	l := amazon.Listing{Marketplace: m.ID, SKU: price.SKU(it.SKU), Issues: issues(it.Issues, m.ID)}
	for _, s := range it.Summaries {
		if s.Marketplace == m.ID {
			l.ASIN, l.ProductType, l.Title = s.ASIN, s.ProductType, s.Name
		}
	}
	for _, t := range it.ProductTypes {
		if t.Marketplace == m.ID && t.ProductType != "" {
			l.ProductType = t.ProductType
		}
	}
	if err := it.prices(m, &l); err != nil {
		return amazon.Listing{}, fmt.Errorf("%w: %q in %s: %w", ErrUnreadable, it.SKU, m.ID, err)
	}
	l.Effective = it.effective(m)
	return l, nil
}

func issues(in []issue, m price.MarketplaceID) []amazon.Issue {
	var out []amazon.Issue
	for _, i := range in {
		if m != "" && len(i.Marketplaces) > 0 && !slices.Contains(i.Marketplaces, m) {
			continue
		}
		out = append(out, amazon.Issue{
			Code: i.Code, Message: i.Message, Severity: i.Severity,
			Attributes: i.Attributes, Categories: i.Categories,
		})
	}
	return out
}

// effective is the price that consumers see, nil when Amazon gave none that can
// be read.
func (it item) effective(m price.Marketplace) *price.Money {
	for _, o := range it.Offers {
		if o.Marketplace != m.ID || o.Type != "B2C" || o.Price.Currency != m.Currency ||
			(o.Audience.Value != "" && o.Audience.Value != audienceAll) {
			continue
		}
		if shown, err := exact(json.Number(o.Price.Amount), m.Currency); err == nil {
			return &shown
		}
	}
	return nil
}

// prices reads what the seller has set. An instance counts only when all three
// selectors match; one without an audience is for everybody.
func (it item) prices(m price.Marketplace, l *amazon.Listing) error {
	seen := map[string]bool{}
	for _, o := range it.Attributes.Offers {
		audience := o.Audience
		if audience == "" {
			audience = audienceAll
		}
		if o.Marketplace != m.ID || o.Currency != m.Currency || (audience != audienceAll && audience != audienceB2B) {
			continue
		}
		if seen[audience] {
			return fmt.Errorf("more than one offer for audience %s", audience)
		}
		seen[audience] = true
		read := consumer
		if audience == audienceB2B {
			read = business
		}
		if err := read(o, m.Currency, &l.Prices); err != nil {
			return err
		}
		l.Automated = l.Automated || present(o.Automated)
	}
	return nil
}

func consumer(o offerInstance, c price.Currency, p *price.Prices) (err error) {
	if p.Our, err = amount(o.OurPrice, c); err != nil {
		return fmt.Errorf("our_price: %w", err)
	}
	if p.Min, err = amount(o.Minimum, c); err != nil {
		return fmt.Errorf("minimum_seller_allowed_price: %w", err)
	}
	if p.Max, err = amount(o.Maximum, c); err != nil {
		return fmt.Errorf("maximum_seller_allowed_price: %w", err)
	}
	if p.Sale, err = sale(o.Discounted, c); err != nil {
		return fmt.Errorf("discounted_price: %w", err)
	}
	return nil
}

func business(o offerInstance, c price.Currency, p *price.Prices) (err error) {
	if p.B2B, err = amount(o.OurPrice, c); err != nil {
		return fmt.Errorf("our_price for B2B: %w", err)
	}
	if p.Tiers, err = tiers(o.Plan, c); err != nil {
		return fmt.Errorf("quantity_discount_plan: %w", err)
	}
	return nil
}

// present reports whether a part is there and not null or empty.
func present(part json.RawMessage) bool {
	switch string(bytes.TrimSpace(part)) {
	case "", "null", "[]", "{}":
		return false
	}
	return true
}

// schedule decodes the one entry of [{"schedule":[x]}] into out and reports
// whether there is one. Amazon sometimes repeats an entry word for word; entries
// that differ leave no single answer.
func schedule(part json.RawMessage, out any) (bool, error) {
	if !present(part) {
		return false, nil
	}
	var holders []struct {
		Schedule []json.RawMessage `json:"schedule"`
	}
	if err := decode(part, &holders); err != nil {
		return false, err
	}
	var only []byte
	for _, h := range holders {
		for _, entry := range h.Schedule {
			var compact bytes.Buffer
			if err := json.Compact(&compact, entry); err != nil {
				return false, err
			}
			if only != nil && !bytes.Equal(only, compact.Bytes()) {
				return false, errors.New("more than one schedule")
			}
			only = compact.Bytes()
		}
	}
	if only == nil {
		return false, nil
	}
	return true, decode(only, out)
}

func amount(part json.RawMessage, c price.Currency) (*price.Money, error) {
	var v valueWithTax
	if ok, err := schedule(part, &v); !ok || err != nil || v.Value == "" {
		return nil, err
	}
	m, err := exact(v.Value, c)
	if err != nil {
		return nil, err
	}
	return &m, nil
}

func sale(part json.RawMessage, c price.Currency) (*price.Sale, error) {
	var w saleWindow
	if ok, err := schedule(part, &w); !ok || err != nil || w.Value == "" {
		return nil, err
	}
	m, err := exact(w.Value, c)
	if err != nil {
		return nil, err
	}
	start, err := instant(w.Start)
	if err != nil {
		return nil, err
	}
	end, err := instant(w.End)
	if err != nil {
		return nil, err
	}
	return &price.Sale{Price: m, Start: start, End: end}, nil
}

// instant reads a date-time, or a date as its midnight in UTC: Amazon takes both
// and does not say in which zone a bare date counts.
func instant(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Truncate(time.Second), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a date or date-time", s)
}

// tiers reads a plan of fixed unit prices. A plan of percentages holds no prices
// and is left out.
func tiers(part json.RawMessage, c price.Currency) ([]price.Tier, error) {
	var plan discountPlan
	if ok, err := schedule(part, &plan); !ok || err != nil || plan.Type != "fixed" {
		return nil, err
	}
	out := make([]price.Tier, 0, len(plan.Levels))
	for _, level := range plan.Levels {
		m, err := exact(level.Value, c)
		if err != nil {
			return nil, err
		}
		out = append(out, price.Tier{Quantity: level.LowerBound, Price: m})
	}
	slices.SortFunc(out, func(a, b price.Tier) int { return a.Quantity - b.Quantity })
	return out, nil
}
