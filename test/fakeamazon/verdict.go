package fakeamazon

import (
	"errors"
	"fmt"
	"strconv"

	"pricemanager/internal/price"
)

// Issue codes. 90000900, 4000001, 90220 and 18155 are codes that Amazon has
// been seen to use for these mistakes; aboveMax is the fake's own, because no
// code for it is known. Amazon renames codes: clients must look at severity and
// category.
const (
	codeMalformed = "90000900" // the attribute does not have its shape
	codeValue     = "4000001"  // a value that cannot be
	codeMissing   = "90220"    // something required is missing
	codeBelowMin  = "18155"    // a price below the minimum
	codeAboveMax  = "18156"    // a price above the maximum
)

// issue is the model's Issue.
type issue struct {
	Code           string                `json:"code"`
	Message        string                `json:"message"`
	Severity       string                `json:"severity"`
	AttributeNames []string              `json:"attributeNames"`
	Categories     []string              `json:"categories"`
	Enforcements   *enforcements         `json:"enforcements,omitempty"`
	MarketplaceIDs []price.MarketplaceID `json:"marketplaceIds,omitempty"`
}

type enforcements struct {
	Actions   []enforcementAction `json:"actions"`
	Exemption exemption           `json:"exemption"`
}

type enforcementAction struct {
	Action string `json:"action"`
}

type exemption struct {
	Status string `json:"status"`
}

// judge lists what is wrong with an offer instance of a marketplace. It is used
// on the state that a patch would lead to, and on what a read returns.
func judge(m price.Marketplace, i instance) []issue {
	j := judgement{m: m, i: i}
	if i.Currency != m.Currency {
		j.add(codeValue, "INVALID_ATTRIBUTE", "'currency' %s is not %s, the currency of the marketplace", i.Currency, m.Currency)
		return j.issues
	}
	our, hasOur := j.amount(subOur)
	low, hasLow := j.amount(subMin)
	high, hasHigh := j.amount(subMax)
	sale, hasSale := j.amount(subSale)
	j.amount(subMap)
	if hasLow && hasHigh && low.Cmp(high) > 0 {
		j.add(codeBelowMin, "INVALID_PRICE", "'minimum price' is greater than the 'maximum price'")
	}
	for _, p := range []struct {
		name string
		set  bool
		m    price.Money
	}{{"selling price", hasOur, our}, {"sale price", hasSale, sale}} {
		if p.set && hasLow && low.Cmp(p.m) > 0 {
			j.add(codeBelowMin, "INVALID_PRICE", "'minimum price' is greater than the %s", p.name)
		}
		if p.set && hasHigh && high.Cmp(p.m) < 0 {
			j.add(codeAboveMax, "INVALID_PRICE", "'maximum price' is less than the %s", p.name)
		}
	}
	if i.sub(subOur) == nil && (i.sub(subSale) != nil || i.sub(subTiers) != nil) {
		j.add(codeMissing, "MISSING_PRICE", "'our_price' is required beside a sale or a quantity discount")
	}
	j.window()
	j.tiers()
	return j.issues
}

type judgement struct {
	m      price.Marketplace
	i      instance
	issues []issue
}

func (j *judgement) add(code, category, format string, args ...any) {
	j.issues = append(j.issues, issue{
		Code: code, Message: fmt.Sprintf(format, args...), Severity: "ERROR",
		AttributeNames: []string{"purchasable_offer"}, Categories: []string{category},
		MarketplaceIDs: []price.MarketplaceID{j.m.ID},
	})
}

func (j *judgement) amount(name string) (price.Money, bool) {
	s, ok := j.i.schedule(name)
	if !ok {
		return price.Money{}, false
	}
	return j.parse(name, s.Value.String())
}

func (j *judgement) parse(name, text string) (price.Money, bool) {
	m, err := price.ParseMoney(text, j.i.Currency)
	switch {
	case errors.Is(err, price.ErrDecimals):
		exp, _ := j.i.Currency.Exponent()
		j.add(codeValue, "INVALID_PRICE", "'%s' %s has more than %d decimals", name, text, exp)
	case err != nil:
		j.add(codeValue, "INVALID_PRICE", "'%s' %s is not an amount", name, text)
	case !m.Positive():
		j.add(codeValue, "INVALID_PRICE", "'%s' %s is not above zero", name, text)
	default:
		return m, true
	}
	return price.Money{}, false
}

func (j *judgement) window() {
	s, ok := j.i.schedule(subSale)
	if !ok {
		return
	}
	start, errStart := moment(s.Start)
	end, errEnd := moment(s.End)
	if errStart != nil || errEnd != nil || !start.Before(end) {
		j.add(codeValue, "INVALID_ATTRIBUTE", "'discounted_price' from %s to %s is no window", s.Start, s.End)
	}
}

func (j *judgement) tiers() {
	s, ok := j.i.schedule(subTiers)
	if !ok {
		return
	}
	before := 0
	for _, level := range s.Levels {
		from, err := strconv.Atoi(level.From.String())
		if err != nil || from <= before {
			j.add(codeValue, "INVALID_ATTRIBUTE", "'lower_bound' %s does not follow %d", level.From, before)
			return
		}
		before = from
		if s.Discount == "fixed" {
			j.parse(subTiers, level.Value.String())
		}
	}
}

// malformed is the issue for an attribute that does not have its shape.
func malformed(attribute string, err error) issue {
	return issue{
		Code: codeMalformed, Message: fmt.Sprintf("The attribute '%s' is invalid: %v", attribute, err), Severity: "ERROR",
		AttributeNames: []string{attribute}, Categories: []string{"INVALID_ATTRIBUTE"},
	}
}
