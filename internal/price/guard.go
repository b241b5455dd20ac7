package price

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Verdict is what the guards decide about one change.
type Verdict string

// The verdicts: a closed set, here from the mildest to the worst.
const (
	Unchanged Verdict = "unchanged" // the offer already has these prices
	Allowed   Verdict = "allowed"   // may be sent
	Held      Verdict = "held"      // waits until a person has looked at it
	Refused   Verdict = "refused"   // is never sent
)

// Verdicts lists the verdicts.
func Verdicts() []Verdict { return []Verdict{Unchanged, Allowed, Held, Refused} }

// Code names the rule behind a finding. Its text is part of the API.
type Code string

// The codes of the guards: a closed set.
const (
	CodeContradictory      Code = "contradictory-edit"    // a field is both set and cleared
	CodeUnknownMarketplace Code = "unknown-marketplace"   // not one of Amazon's stores
	CodeNotPositive        Code = "not-positive"          // zero or less
	CodeCurrency           Code = "currency-mismatch"     // not the marketplace's currency
	CodeKnownCurrency      Code = "known-currency"        // what Amazon told us is in another currency
	CodePriceRequired      Code = "price-required"        // our price cannot be removed
	CodeBelowMinimum       Code = "below-minimum"         // under the minimum that will hold
	CodeAboveMaximum       Code = "above-maximum"         // over the maximum that will hold
	CodeBounds             Code = "minimum-above-maximum" // no price could satisfy both
	CodeSaleWithoutPrice   Code = "sale-without-price"    // Amazon needs our price beside a sale
	CodeSaleNotBelow       Code = "sale-not-below-price"  // a sale that reduces nothing
	CodeSaleWindow         Code = "sale-window"           // starts when or after it ends
	CodeSaleOver           Code = "sale-over"             // ends in the past
	CodeTiersWithoutB2B    Code = "tiers-without-b2b"     // quantity prices need a B2B price
	CodeTiersTooMany       Code = "tiers-too-many"        // over MaxTiers
	CodeTiersOrder         Code = "tiers-order"           // quantity must rise, price must fall
	CodeNeverRead          Code = "never-read"            // the old price is not known
	CodeNoOldPrice         Code = "no-old-price"          // there is no price to compare with
	CodeAutomated          Code = "automated"             // Amazon's own rule would overwrite it
	CodeMove               Code = "large-move"            // moves by more than the tenant allows unseen
	CodeDrop               Code = "large-drop"            // falls so far that it must be a mistake
	CodeWayBack            Code = "way-back"              // a note: rises to what our own change replaced
)

// MaxTiers is how many quantity prices Amazon takes per offer (levels of
// purchasable_offer.quantity_discount_plan in the product type schemas).
const MaxTiers = 5

// Finding is one thing that a guard has to say about a change, written for the
// person who made the price file.
type Finding struct {
	Code    Code    `json:"code"`
	Field   Field   `json:"field,omitempty"` // "" concerns the offer as a whole
	Verdict Verdict `json:"verdict"`
	Message string  `json:"message"`
	Fix     string  `json:"fix"`
}

// Guards are a tenant's limits, in whole percent of the old price. The zero
// value is the strictest: it lets no price move. A limit that was lost on the
// way to or from storage therefore holds prices back and never lets one out.
// The rules that need no limit cannot be switched off.
type Guards struct {
	// HoldDropPercent and HoldRisePercent: our price moving by more than this
	// is held, and so is a B2B price or a tier that falls by more than the first.
	// Sales are meant to be far below.
	HoldDropPercent int64 `json:"hold_drop_percent"`
	HoldRisePercent int64 `json:"hold_rise_percent"`
	// RefuseDropPercent: any price falling by this much or more is refused.
	// 100 never refuses, because a price is always above zero.
	RefuseDropPercent int64 `json:"refuse_drop_percent"`
	Optional
}

// DefaultGuards are the limits of a tenant that has chosen none: hold a move
// of more than 30 %, refuse a drop of 80 % or more.
func DefaultGuards() Guards {
	return Guards{HoldDropPercent: 30, HoldRisePercent: 30, RefuseDropPercent: 80}
}

// maxPercent bounds a limit: a thousandfold rise passes for any purpose.
const maxPercent = 100_000

// Validate returns an error for limits outside 0 to 100 (drops) or 0 to
// 100,000 (rises).
func (g Guards) Validate() error {
	for _, l := range []struct {
		name       string
		value, max int64
	}{
		{"hold_drop_percent", g.HoldDropPercent, 100},
		{"hold_rise_percent", g.HoldRisePercent, maxPercent},
		{"refuse_drop_percent", g.RefuseDropPercent, 100},
	} {
		if l.value < 0 || l.value > l.max {
			return fmt.Errorf("price: guard %s is %d, want 0 to %d", l.name, l.value, l.max)
		}
	}
	return g.validate()
}

// For makes one offer's guards a set that has them for every offer.
func (g Guards) For(OfferKey) Guards { return g }

// Hash names the guards by their content.
func (g Guards) Hash() string {
	b, err := json.Marshal(g)
	if err != nil {
		panic("price: " + err.Error()) // amounts and text can always be written
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Check judges what edit e would make of offer o at time now: when a plan is
// made, and again just before the price is sent. It reports every rule that
// the change breaks; the worst verdict wins, and what led to it comes first. An
// unchanged edit has no findings, an allowed one at most notes, whose verdict is
// Allowed.
//
// Bounds are judged on all prices that will hold afterwards, also those that
// the edit does not touch: raising the minimum above today's price is as wrong
// as lowering the price below it.
func (g Guards) Check(o Offer, e Edit, now time.Time) (Verdict, []Finding) {
	contradiction := e.Validate()
	if contradiction == nil {
		if !e.any(func(Field) bool { return true }) {
			return Unchanged, nil
		}
		// Of an offer that was never read nothing can be said to be unchanged.
		if !o.ReadAt.IsZero() && !e.any(func(f Field) bool { return !e.Set.equalField(f, &o.Known) }) {
			return Unchanged, nil
		}
	}
	c := check{guards: g, offer: o, edit: e, after: e.Apply(o.Known), now: now, verdict: Allowed}
	if contradiction != nil {
		c.refuse(CodeContradictory, "", "The same field is both set and removed.", "Do one of the two.")
	}
	m, ok := MarketplaceByID(o.Key.Marketplace)
	if !ok {
		c.refuse(CodeUnknownMarketplace, "", fmt.Sprintf("%q is not one of Amazon's marketplaces.", o.Key.Marketplace), "Use Amazon's marketplace id.")
		return c.verdict, c.findings
	}
	c.currency = m.Currency
	c.amounts()
	c.bounds()
	c.sale()
	c.tiers()
	c.state()
	c.moves()
	c.optional()
	slices.SortStableFunc(c.findings, func(a, b Finding) int { return severity(b.Verdict) - severity(a.Verdict) })
	return c.verdict, c.findings
}

// severity orders verdicts from the mildest to the worst.
func severity(v Verdict) int {
	switch v {
	case Refused:
		return 3
	case Held:
		return 2
	case Allowed:
		return 1
	case Unchanged:
	}
	return 0
}

// check is one run of the guards.
type check struct {
	guards   Guards
	offer    Offer
	edit     Edit
	after    Prices // what will hold when the edit is applied
	now      time.Time
	currency Currency // the marketplace's

	verdict  Verdict
	findings []Finding

	buf [8]amount // of list, whose answers are used one after the other
}

func (c *check) refuse(code Code, f Field, message, fix string) {
	c.verdict = Refused
	c.findings = append(c.findings, Finding{code, f, Refused, message, fix})
}

func (c *check) hold(code Code, f Field, message, fix string) {
	if c.verdict == Allowed {
		c.verdict = Held
	}
	c.findings = append(c.findings, Finding{code, f, Held, message, fix})
}

// touches reports whether the edit sets or clears the field.
func (c *check) touches(f Field) bool {
	return c.edit.touches(f)
}

// amount is one price that will hold, with the field it belongs to.
type amount struct {
	field    Field
	money    Money
	quantity int // of a tier, from how many units
}

// list returns the prices in p, tiers and bounds included, in the order of
// Fields. A sale that is over binds nothing any more unless the edit set it.
func (c *check) list(p *Prices) []amount {
	out := c.buf[:0]
	if p.Our != nil {
		out = append(out, amount{field: FieldOur, money: *p.Our})
	}
	if p.Sale != nil && (c.edit.Set.Sale != nil || p.Sale.End.After(c.now)) {
		out = append(out, amount{field: FieldSale, money: p.Sale.Price})
	}
	if p.Min != nil {
		out = append(out, amount{field: FieldMin, money: *p.Min})
	}
	if p.Max != nil {
		out = append(out, amount{field: FieldMax, money: *p.Max})
	}
	if p.B2B != nil {
		out = append(out, amount{field: FieldB2B, money: *p.B2B})
	}
	for _, t := range p.Tiers {
		out = append(out, amount{FieldTiers, t.Price, t.Quantity})
	}
	return out
}
