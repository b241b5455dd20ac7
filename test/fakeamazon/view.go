package fakeamazon

import (
	"slices"
	"time"

	"pricemanager/internal/price"
)

// item is the model's Item. A member is absent when it was not asked for.
type item struct {
	SKU          price.SKU        `json:"sku"`
	Summaries    *[]summary       `json:"summaries,omitempty"`
	Attributes   map[string]any   `json:"attributes,omitempty"`
	Issues       *[]issue         `json:"issues,omitempty"`
	Offers       *[]offerView     `json:"offers,omitempty"`
	Fulfillment  *[]fulfillment   `json:"fulfillmentAvailability,omitempty"`
	Procurement  *[]struct{}      `json:"procurement,omitempty"`
	Relations    *[]relationsView `json:"relationships,omitempty"`
	ProductTypes *[]typeView      `json:"productTypes,omitempty"`
}

type summary struct {
	MarketplaceID price.MarketplaceID `json:"marketplaceId"`
	ASIN          string              `json:"asin,omitempty"`
	ProductType   string              `json:"productType"`
	Condition     string              `json:"conditionType,omitempty"`
	Status        []string            `json:"status"`
	Name          string              `json:"itemName,omitempty"`
	Created       time.Time           `json:"createdDate"`
	Updated       time.Time           `json:"lastUpdatedDate"`
}

type offerView struct {
	MarketplaceID price.MarketplaceID `json:"marketplaceId"`
	Type          string              `json:"offerType"`
	Price         moneyView           `json:"price"`
	Audience      audienceView        `json:"audience"`
}

// moneyView is the model's Money: the amount is a decimal text.
type moneyView struct {
	Currency price.Currency `json:"currencyCode"`
	Amount   string         `json:"amount"`
}

type audienceView struct {
	Value string `json:"value"`
	Name  string `json:"displayName,omitempty"`
}

type fulfillment struct {
	Channel  string `json:"fulfillmentChannelCode"`
	Quantity *int64 `json:"quantity,omitempty"`
}

type relationsView struct {
	MarketplaceID price.MarketplaceID `json:"marketplaceId"`
	Relationships []struct{}          `json:"relationships"`
}

type typeView struct {
	MarketplaceID price.MarketplaceID `json:"marketplaceId"`
	ProductType   string              `json:"productType"`
}

// selection is which marketplaces and parts of a seller's items to show.
type selection struct {
	key          sellerKey
	marketplaces []price.MarketplaceID
	parts        []string
}

func viewOf(c *call) selection {
	return selection{c.key, c.entry.Marketplaces, csv(c.query, "includedData")}
}

// view builds the item of a SKU over the selected marketplaces, with the
// selected parts; false when the SKU is in none of them.
func (f *Fake) view(sel selection, sku price.SKU, now time.Time) (item, bool) {
	parts := sel.parts
	if len(parts) == 0 {
		parts = []string{"summaries"} // the models' default
	}
	out := item{SKU: sku}
	found := false
	for _, part := range parts {
		out.start(part)
	}
	s := f.sellers[sel.key]
	for _, id := range sel.marketplaces {
		l := f.find(s, id, sku, now)
		if l == nil {
			continue
		}
		found = true
		m := s.markets[id].Marketplace
		for _, part := range slices.Compact(slices.Sorted(slices.Values(parts))) {
			out.fill(part, m, l, now)
		}
	}
	return out, found
}

// start makes a requested part present even when it stays empty.
func (v *item) start(part string) {
	switch part {
	case "summaries":
		v.Summaries = &[]summary{}
	case "attributes":
		v.Attributes = map[string]any{}
	case "issues":
		v.Issues = &[]issue{}
	case "offers":
		v.Offers = &[]offerView{}
	case "fulfillmentAvailability":
		v.Fulfillment = &[]fulfillment{}
	case "procurement":
		v.Procurement = &[]struct{}{}
	case "relationships":
		v.Relations = &[]relationsView{}
	case "productTypes":
		v.ProductTypes = &[]typeView{}
	}
}

func (v *item) fill(part string, m price.Marketplace, l *listing, now time.Time) {
	switch part {
	case "summaries":
		*v.Summaries = append(*v.Summaries, summary{
			MarketplaceID: m.ID, ASIN: l.asin, ProductType: l.productType, Condition: l.condition,
			Status: l.status(m), Name: l.title, Created: l.created, Updated: l.updated,
		})
	case "attributes":
		v.attributes(m, l)
	case "issues":
		for _, i := range l.visible {
			for _, is := range judge(m, i) {
				is.Enforcements = &enforcements{[]enforcementAction{{"LISTING_SUPPRESSED"}}, exemption{"NOT_EXEMPT"}}
				*v.Issues = append(*v.Issues, is)
			}
		}
	case "offers":
		for _, audience := range []string{audienceAll, audienceB2B} {
			i := l.offer(m, audience)
			if amount, ok := i.effective(now); ok {
				*v.Offers = append(*v.Offers, offerView{
					MarketplaceID: m.ID, Type: offerType(audience),
					Price: moneyView{amount.Currency(), amount.Decimal()}, Audience: audienceView{Value: audience},
				})
			}
		}
	case "fulfillmentAvailability":
		*v.Fulfillment = append(*v.Fulfillment, fulfillment{l.channel, l.quantity})
	case "relationships":
		*v.Relations = append(*v.Relations, relationsView{m.ID, []struct{}{}})
	case "productTypes":
		*v.ProductTypes = append(*v.ProductTypes, typeView{m.ID, l.productType})
	}
}

func offerType(audience string) string {
	if audience == audienceB2B {
		return "B2B"
	}
	return "B2C"
}

// attributes adds the marketplace's values; every value carries its
// marketplace, so those of several marketplaces stand side by side.
func (v *item) attributes(m price.Marketplace, l *listing) {
	add := func(name string, value any) {
		list, _ := v.Attributes[name].([]any)
		v.Attributes[name] = append(list, value)
	}
	text := func(name, value string) {
		add(name, map[string]any{"value": value, "marketplace_id": m.ID})
	}
	text("item_name", l.title)
	text("condition_type", l.condition)
	add("fulfillment_availability", map[string]any{"fulfillment_channel_code": l.channel, "quantity": l.quantity})
	for _, i := range l.visible {
		add("purchasable_offer", i)
	}
}

// status is what the summaries say: a listing with a price and stock can be
// bought.
func (l *listing) status(m price.Marketplace) []string {
	i := l.offer(m, audienceAll)
	if _, priced := i.money(subOur); !priced || len(judge(m, i)) > 0 {
		return []string{"DISCOVERABLE"}
	}
	if l.quantity != nil && *l.quantity == 0 {
		return []string{"DISCOVERABLE"}
	}
	return []string{"BUYABLE", "DISCOVERABLE"}
}
