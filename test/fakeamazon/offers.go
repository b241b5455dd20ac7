package fakeamazon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/price"
)

// The sub-attributes of purchasable_offer that the fake looks into.
const (
	subOur       = "our_price"
	subSale      = "discounted_price"
	subMin       = "minimum_seller_allowed_price"
	subMax       = "maximum_seller_allowed_price"
	subMap       = "map_price"
	subTiers     = "quantity_discount_plan"
	subAutomated = "automated_pricing_merchandising_rule_plan"
)

// Audiences.
const (
	audienceAll = "ALL"
	audienceB2B = "B2B"
)

// selectors identify an instance of purchasable_offer.
type selectors struct {
	Marketplace price.MarketplaceID `json:"marketplace_id"`
	Currency    price.Currency      `json:"currency"`
	Audience    string              `json:"audience"`
}

// instance is one entry of purchasable_offer. Sub-attributes are kept as the
// JSON text that was sent, so that a number is returned digit for digit; they
// are sorted by name.
type instance struct {
	selectors
	subs []subAttribute
}

type subAttribute struct {
	name string
	raw  json.RawMessage // compact
}

func (i instance) sub(name string) json.RawMessage {
	for _, s := range i.subs {
		if s.name == name {
			return s.raw
		}
	}
	return nil
}

// with returns a copy of i in which name has the value raw; nil removes it.
func (i instance) with(name string, raw json.RawMessage) instance {
	subs := slices.DeleteFunc(slices.Clone(i.subs), func(s subAttribute) bool { return s.name == name })
	if raw != nil {
		at, _ := slices.BinarySearchFunc(subs, name, func(s subAttribute, name string) int { return strings.Compare(s.name, name) })
		subs = slices.Insert(subs, at, subAttribute{name, raw})
	}
	i.subs = subs
	return i
}

// MarshalJSON writes the instance as Amazon returns it, selectors first.
func (i instance) MarshalJSON() ([]byte, error) {
	head, err := json.Marshal(i.selectors)
	if err != nil {
		return nil, err
	}
	b := bytes.NewBuffer(bytes.TrimSuffix(head, []byte("}")))
	for _, s := range i.subs {
		fmt.Fprintf(b, ",%q:%s", s.name, s.raw)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads an instance whose shape has been checked.
func (i *instance) UnmarshalJSON(raw []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &i.selectors); err != nil {
		return err
	}
	i.subs = nil
	for name, value := range members {
		if name == "marketplace_id" || name == "currency" || name == "audience" {
			continue
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, value); err != nil {
			return err
		}
		i.subs = append(i.subs, subAttribute{name, compact.Bytes()})
	}
	slices.SortFunc(i.subs, func(a, b subAttribute) int { return strings.Compare(a.name, b.name) })
	return nil
}

// change is one instance of one patch operation.
type change struct {
	Op       string   `json:"op"`
	Instance instance `json:"instance"`
}

var null = json.RawMessage("null")

// apply returns the offers of a listing after a change. It never modifies the
// slices it was given.
func (c change) apply(offers []instance, replaceKeeps bool) []instance {
	at := slices.IndexFunc(offers, func(i instance) bool { return i.selectors == c.Instance.selectors })
	var result instance
	switch {
	case c.Op == "delete":
		return slices.DeleteFunc(slices.Clone(offers), func(i instance) bool { return i.selectors == c.Instance.selectors })
	case at >= 0 && (c.Op == "merge" || (c.Op == "replace" && replaceKeeps)):
		result = offers[at]
	default:
		result.selectors = c.Instance.selectors
	}
	for _, s := range c.Instance.subs {
		raw := s.raw
		if bytes.Equal(raw, null) {
			raw = nil
		}
		result = result.with(s.name, raw)
	}
	if at < 0 {
		return append(slices.Clone(offers), result)
	}
	offers = slices.Clone(offers)
	offers[at] = result
	return offers
}

// scheduled is the common shape of the price sub-attributes.
type scheduled []struct {
	Schedule []schedule `json:"schedule"`
}

type schedule struct {
	Start    string      `json:"start_at,omitempty"`
	End      string      `json:"end_at,omitempty"`
	Value    json.Number `json:"value_with_tax,omitempty"`
	Discount string      `json:"discount_type,omitempty"`
	Levels   []struct {
		From  json.Number `json:"lower_bound"`
		Value json.Number `json:"value"`
	} `json:"levels,omitempty"`
}

// schedule returns the only entry of a price sub-attribute; false when unset.
func (i instance) schedule(name string) (schedule, bool) {
	raw := i.sub(name)
	if raw == nil {
		return schedule{}, false
	}
	var list scheduled
	if err := json.Unmarshal(raw, &list); err != nil || len(list) == 0 || len(list[0].Schedule) == 0 {
		return schedule{}, false
	}
	return list[0].Schedule[0], true
}

// money returns the exact amount of a price sub-attribute; false when unset or
// not an amount of the currency.
func (i instance) money(name string) (price.Money, bool) {
	s, ok := i.schedule(name)
	if !ok {
		return price.Money{}, false
	}
	m, err := price.ParseMoney(s.Value.String(), i.Currency)
	return m, err == nil
}

// moment reads a date, meaning midnight UTC, or a date-time.
func moment(text string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, text)
}

// effective is the price that buyers see: the sale's while it runs, else ours.
func (i instance) effective(now time.Time) (price.Money, bool) {
	if s, ok := i.schedule(subSale); ok {
		start, errStart := moment(s.Start)
		end, errEnd := moment(s.End)
		if errStart == nil && errEnd == nil && !now.Before(start) && now.Before(end) {
			return i.money(subSale)
		}
	}
	return i.money(subOur)
}
