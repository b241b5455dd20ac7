package price

import (
	"fmt"
	"time"
)

// amounts checks each price by itself: above zero and in the marketplace's
// currency.
func (c *check) amounts() {
	for _, a := range c.list(&c.after) {
		switch {
		case a.money.currency == c.currency:
		case c.touches(a.field):
			c.refuse(CodeCurrency, a.field,
				fmt.Sprintf("%s is in %s, but this marketplace uses %s.", a.field, a.money.currency, c.currency),
				"Give the price in "+string(c.currency)+".")
		default:
			c.holdKnownCurrency(a.field, a.money.currency)
		}
		switch bound := a.field == FieldMin || a.field == FieldMax; {
		case a.money.Positive():
		case c.touches(a.field):
			c.refuse(CodeNotPositive, a.field,
				fmt.Sprintf("%s is %s; a price must be above zero.", a.field, a.money), "Give a price above zero, or leave the field blank.")
		case !bound: // a minimum of nothing is none
			c.hold(CodeNotPositive, a.field, fmt.Sprintf("Amazon last showed %s as %s, which cannot be.", a.field, a.money), "Read the offer again before changing it.")
		}
	}
	for _, a := range c.list(&c.offer.Known) {
		if a.money.currency != c.currency && c.touches(a.field) {
			c.holdKnownCurrency(a.field, a.money.currency)
		}
	}
	if c.touches(FieldOur) && c.after.Our == nil {
		c.refuse(CodePriceRequired, FieldOur, "Amazon does not allow our price to be removed.", "Give the new price, or close the offer at Amazon.")
	}
}

func (c *check) holdKnownCurrency(f Field, is Currency) {
	c.hold(CodeKnownCurrency, f,
		fmt.Sprintf("Amazon last showed %s in %s, but this marketplace uses %s.", f, is, c.currency), "Read the offer again before changing it.")
}

// below reports a < b. Amounts of two currencies have no order; amounts has
// already reported them.
func below(a, b Money) bool { return a.currency == b.currency && a.minor < b.minor }

// bounds checks every price that will hold against the bounds that will hold.
func (c *check) bounds() {
	low, high := c.after.Min, c.after.Max
	if low != nil && high != nil && below(*high, *low) {
		c.refuse(CodeBounds, c.blame(FieldMin, FieldMax),
			fmt.Sprintf("The minimum %s is above the maximum %s.", low, high), "Make the minimum the lower one.")
	}
	for _, a := range c.list(&c.after) {
		if a.field == FieldMin || a.field == FieldMax {
			continue
		}
		if low != nil && below(a.money, *low) {
			c.refuse(CodeBelowMinimum, c.blame(a.field, FieldMin),
				fmt.Sprintf("%s %s is below the minimum %s.", a.field, a.money, low), "Raise the price, or lower minimum_price in the same file.")
		}
		if high != nil && below(*high, a.money) {
			c.refuse(CodeAboveMaximum, c.blame(a.field, FieldMax),
				fmt.Sprintf("%s %s is above the maximum %s.", a.field, a.money, high), "Lower the price, or raise maximum_price in the same file.")
		}
	}
}

// blame picks the field to show: the first one, unless only the other one is
// part of the edit.
func (c *check) blame(first, other Field) Field {
	if !c.touches(first) && c.touches(other) {
		return other
	}
	return first
}

// sale checks the reduced price against our price. A known sale that the edit
// leaves alone counts while it can still run.
func (c *check) sale() {
	s, set := c.after.Sale, c.edit.Set.Sale != nil
	if s == nil || (!set && (!c.touches(FieldOur) || !s.End.After(c.now))) {
		return
	}
	switch {
	case c.after.Our == nil:
		c.refuse(CodeSaleWithoutPrice, FieldSale, "The offer has no price that the sale could reduce.", "Give price and sale price together.")
	case c.after.Our.currency == s.Price.currency && !below(s.Price, *c.after.Our):
		c.refuse(CodeSaleNotBelow, c.blame(FieldSale, FieldOur),
			fmt.Sprintf("The sale price %s is not below the price %s.", s.Price, c.after.Our), "Lower the sale price, or raise the price.")
	}
	if !set {
		return
	}
	switch {
	case s.Start.IsZero() || s.End.IsZero():
		c.refuse(CodeSaleWindow, FieldSale, "The sale lacks its start or its end.", "Give both.")
		return
	case !s.Start.Before(s.End):
		c.refuse(CodeSaleWindow, FieldSale,
			fmt.Sprintf("The sale starts at %s and ends at %s.", stamp(s.Start), stamp(s.End)), "Make it end after it starts.")
	}
	if !s.End.After(c.now) {
		c.refuse(CodeSaleOver, FieldSale, fmt.Sprintf("The sale ended at %s.", stamp(s.End)), "Give an end in the future, or leave the sale blank.")
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// tiers checks the B2B quantity prices. The B2B price itself counts as the
// step from one unit.
func (c *check) tiers() {
	t := c.after.Tiers
	if len(t) == 0 || (!c.touches(FieldTiers) && !c.touches(FieldB2B)) {
		return
	}
	if c.after.B2B == nil {
		c.refuse(CodeTiersWithoutB2B, c.blame(FieldTiers, FieldB2B), "Quantity prices need a B2B price.", "Give a B2B price, or remove the quantity prices too.")
		return
	}
	if len(t) > MaxTiers {
		c.refuse(CodeTiersTooMany, FieldTiers, fmt.Sprintf("There are %d quantity prices; Amazon takes %d.", len(t), MaxTiers), "Remove some.")
	}
	last := Tier{Quantity: 1, Price: *c.after.B2B}
	for _, step := range t {
		if step.Quantity <= last.Quantity || !below(step.Price, last.Price) {
			c.refuse(CodeTiersOrder, c.blame(FieldTiers, FieldB2B),
				fmt.Sprintf("%s from %d units does not follow %s from %d.", step.Price, step.Quantity, last.Price, last.Quantity),
				"Let the quantity rise and the price fall with every step.")
			return
		}
		last = step
	}
}

// state holds changes of offers whose old price cannot be trusted.
func (c *check) state() {
	if c.offer.ReadAt.IsZero() {
		c.hold(CodeNeverRead, "", "This offer's prices were never read from Amazon.", "Import the catalogue, then plan again.")
	} else {
		c.unknown()
	}
	if c.offer.Automated {
		c.hold(CodeAutomated, "", "Amazon's Automate Pricing sets this price and would overwrite it.", "Stop the rule in Seller Central first.")
	}
}

// unknown holds a price that there is none to compare with. A sale needs none of
// its own: it cannot be without our price.
func (c *check) unknown() {
	last := Field("")
	for _, a := range c.list(&c.edit.Set) {
		if a.field == last || a.field == FieldSale || a.field == FieldMin || a.field == FieldMax {
			continue
		}
		if old := c.offer.Known.compared(a.field, a.quantity); old == nil || !old.Positive() {
			c.hold(CodeNoOldPrice, a.field, "The offer has no price yet that the new one could be compared with.", "Check the new price and release it.")
			last = a.field // once for all tiers
		}
	}
}

// moves compares the new prices with the old ones: see Prices.compared.
func (c *check) moves() {
	for _, a := range c.list(&c.edit.Set) {
		old := c.offer.Known.compared(a.field, a.quantity)
		switch {
		case a.field == FieldMin || a.field == FieldMax || c.edit.Set.equalField(a.field, &c.offer.Known):
		case c.drop(a.field, old, a.money):
		case old == nil || !old.Positive() || old.currency != a.money.currency:
		case a.field == FieldOur:
			c.ourMove(*old, a.money)
		case a.field != FieldSale && below(a.money, *old) && compareMove(*old, a.money, c.guards.HoldDropPercent) > 0:
			c.hold(CodeMove, a.field,
				fmt.Sprintf("%s %s is %s %% against %s; a drop of more than %d %% is held.", a.field, a.money, ChangePercent(*old, a.money), old, c.guards.HoldDropPercent),
				"Check the price and release it, or change the limit.")
		}
	}
}

func (c *check) ourMove(old, next Money) {
	limit, word := c.guards.HoldRisePercent, "rises"
	if next.minor < old.minor {
		limit, word = c.guards.HoldDropPercent, "drops"
	}
	if compareMove(old, next, limit) > 0 && !c.wayBack(next) {
		c.hold(CodeMove, FieldOur,
			fmt.Sprintf("The price %s from %s to %s (%s %%); moves of more than %d %% are held.", word, old, next, ChangePercent(old, next), limit),
			"Check the price and release it, or change the limit.")
	}
}

// drop refuses a fall at or over the limit and reports whether it did.
func (c *check) drop(f Field, old *Money, next Money) bool {
	if old == nil || !below(next, *old) || compareMove(*old, next, c.guards.RefuseDropPercent) < 0 {
		return false
	}
	c.refuse(CodeDrop, f,
		fmt.Sprintf("%s %s is %s %% against %s; a drop of %d %% or more is refused.", f, next, ChangePercent(*old, next), old, c.guards.RefuseDropPercent),
		"Correct the price, or go down in smaller steps.")
	return true
}

// wayBack lets our price rise to exactly what it was before a change of ours
// lowered it, and notes it: the guard that held a fall of 30 % would else hold the
// rise of 43 % that takes it back, at the worst of times.
func (c *check) wayBack(next Money) bool {
	was := c.offer.Replaced
	if was == nil || was.Price != next || c.offer.Known.Our == nil || !below(*c.offer.Known.Our, next) ||
		!was.Agreed && c.now.Sub(was.Until) > WayBackFor || was.Until.After(c.now) {
		return false
	}
	c.findings = append(c.findings, Finding{CodeWayBack, FieldOur, Allowed,
		fmt.Sprintf("The price returns to %s, at which it was observed until batch %s lowered it at %s.", next, was.Batch, stamp(was.Until)), "Nothing to do."})
	return true
}
