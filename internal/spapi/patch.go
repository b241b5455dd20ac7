package spapi

import (
	"encoding/json"
	"slices"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

// The audiences of an offer instance.
const (
	audienceAll = "ALL"
	audienceB2B = "B2B"
)

// maxTiers is Amazon's limit on the levels of a quantity discount plan.
const maxTiers = 5

const offerPath = "/attributes/purchasable_offer"

type patchBody struct {
	ProductType string    `json:"productType"`
	Patches     []patchOp `json:"patches"`
}

type patchOp struct {
	Op    string       `json:"op"`
	Path  string       `json:"path"`
	Value []offerPatch `json:"value"`
}

// offerPatch is what changes on one offer instance. The first three are the
// selectors that name it. Of the rest, nil leaves a part as it is and "null"
// removes it.
type offerPatch struct {
	Marketplace price.MarketplaceID `json:"marketplace_id"`
	Currency    price.Currency      `json:"currency"`
	Audience    string              `json:"audience"`

	OurPrice   json.RawMessage `json:"our_price,omitempty"`
	Discounted json.RawMessage `json:"discounted_price,omitempty"`
	Minimum    json.RawMessage `json:"minimum_seller_allowed_price,omitempty"`
	Maximum    json.RawMessage `json:"maximum_seller_allowed_price,omitempty"`
	Plan       json.RawMessage `json:"quantity_discount_plan,omitempty"`
}

func (o offerPatch) empty() bool {
	return o.OurPrice == nil && o.Discounted == nil && o.Minimum == nil && o.Maximum == nil && o.Plan == nil
}

var null = json.RawMessage("null")

// scheduled is the shape [{"schedule":[x]}] that every price part has.
func scheduled(x any) json.RawMessage {
	type holder struct {
		Schedule []any `json:"schedule"`
	}
	return raw([]holder{{Schedule: []any{x}}})
}

func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("spapi: " + err.Error()) // only plain structs of strings and digits get here
	}
	return b
}

type valueWithTax struct {
	Value json.Number `json:"value_with_tax"`
}

type saleWindow struct {
	Start string      `json:"start_at"`
	End   string      `json:"end_at"`
	Value json.Number `json:"value_with_tax"`
}

type discountPlan struct {
	Type   string          `json:"discount_type"`
	Levels []discountLevel `json:"levels"`
}

type discountLevel struct {
	LowerBound int         `json:"lower_bound"`
	Value      json.Number `json:"value"`
}

// buildPatch translates an edit. Prices for everybody and prices for businesses
// are two instances of the offer, each named by its selectors. The operation is
// merge, which leaves alone what is not named; replace is not reported to do
// that reliably. Removing the B2B price is the exception: our_price cannot be
// null, so the whole B2B instance is deleted and its quantity tiers go with it.
func buildPatch(p amazon.Patch) (patchBody, error) {
	body := patchBody{ProductType: p.ProductType}
	if body.ProductType == "" {
		body.ProductType = "PRODUCT"
	}
	merge, remove := patchOp{Op: "merge", Path: offerPath}, patchOp{Op: "delete", Path: offerPath}
	for _, e := range append([]amazon.MarketEdit{{Marketplace: p.Marketplace, Edit: p.Edit}}, p.Also...) {
		set, gone, err := buildEdit(e)
		if err != nil {
			return patchBody{}, err
		}
		if len(set)+len(gone) == 0 {
			return patchBody{}, notSent(opPatch.name, "the edit changes nothing")
		}
		merge.Value, remove.Value = append(merge.Value, set...), append(remove.Value, gone...)
	}
	for _, op := range []patchOp{merge, remove} {
		if len(op.Value) > 0 {
			body.Patches = append(body.Patches, op)
		}
	}
	return body, nil
}

// buildEdit translates the edit of one marketplace: instances to be merged, and
// instances to be deleted.
func buildEdit(p amazon.MarketEdit) (set, gone []offerPatch, err error) {
	op := opPatch.name
	m, ok := price.MarketplaceByID(p.Marketplace)
	if !ok {
		return nil, nil, notSent(op, "unknown marketplace %q", p.Marketplace)
	}
	if err := p.Edit.Validate(); err != nil {
		return nil, nil, notSent(op, "%v", err)
	}
	if err := sendable(p.Edit.Set, m.Currency); err != nil {
		return nil, nil, err
	}
	cleared := func(f price.Field) bool { return slices.Contains(p.Edit.Clear, f) }
	if cleared(price.FieldOur) {
		return nil, nil, notSent(op, "Amazon does not let a price be removed")
	}
	if cleared(price.FieldB2B) && len(p.Edit.Set.Tiers) > 0 {
		return nil, nil, notSent(op, "removing the B2B price removes its quantity tiers too; they cannot be set at the same time")
	}

	all := offerPatch{Marketplace: m.ID, Currency: m.Currency, Audience: audienceAll}
	b2b := offerPatch{Marketplace: m.ID, Currency: m.Currency, Audience: audienceB2B}
	selectors := b2b
	to := p.Edit.Set
	part(&all.OurPrice, to.Our, false)
	part(&all.Minimum, to.Min, cleared(price.FieldMin))
	part(&all.Maximum, to.Max, cleared(price.FieldMax))
	part(&b2b.OurPrice, to.B2B, false)
	switch {
	case to.Sale != nil:
		all.Discounted = scheduled(saleWindow{
			Start: to.Sale.Start.UTC().Format(time.RFC3339),
			End:   to.Sale.End.UTC().Format(time.RFC3339),
			Value: literal(to.Sale.Price),
		})
	case cleared(price.FieldSale):
		all.Discounted = null
	}
	switch {
	case len(to.Tiers) > 0:
		plan := discountPlan{Type: "fixed"}
		for _, t := range to.Tiers {
			plan.Levels = append(plan.Levels, discountLevel{t.Quantity, literal(t.Price)})
		}
		b2b.Plan = scheduled(plan)
	case cleared(price.FieldTiers) && !cleared(price.FieldB2B):
		b2b.Plan = null
	}

	for _, instance := range []offerPatch{all, b2b} {
		if !instance.empty() {
			set = append(set, instance)
		}
	}
	if cleared(price.FieldB2B) {
		gone = append(gone, selectors)
	}
	return set, gone, nil
}

func part(to *json.RawMessage, m *price.Money, clear bool) {
	switch {
	case m != nil:
		*to = scheduled(valueWithTax{literal(*m)})
	case clear:
		*to = null
	}
}

// sendable is the last look before a price leaves the house: the marketplace's
// currency and above zero, whatever the guards were told.
func sendable(p price.Prices, c price.Currency) error {
	amounts := []*price.Money{p.Our, p.Min, p.Max, p.B2B}
	if p.Sale != nil {
		amounts = append(amounts, &p.Sale.Price)
		if !p.Sale.End.After(p.Sale.Start) {
			return notSent(opPatch.name, "the sale ends before it starts")
		}
	}
	if len(p.Tiers) > maxTiers {
		return notSent(opPatch.name, "%d quantity tiers; Amazon takes at most %d", len(p.Tiers), maxTiers)
	}
	for i := range p.Tiers {
		amounts = append(amounts, &p.Tiers[i].Price)
	}
	for _, m := range amounts {
		if m != nil && (m.Currency() != c || !m.Positive()) {
			return notSent(opPatch.name, "%s is not a positive amount in %s", m, c)
		}
	}
	return nil
}
