package price

import (
	"fmt"
	"math/bits"
	"slices"
	"time"
)

// The codes of the optional rules.
const (
	CodeNeverTouch   Code = "never-touch"     // the tenant wants this offer left alone
	CodeGuardMinimum Code = "guard-minimum"   // under the tenant's own floor
	CodeGuardMaximum Code = "guard-maximum"   // over the tenant's own ceiling
	CodeMAP          Code = "below-map"       // under the minimum advertised price
	CodeMargin       Code = "below-margin"    // cost and margin are not earned
	CodeCostUnknown  Code = "cost-unknown"    // a margin is asked for and no cost is known
	CodeFieldMove    Code = "field-move"      // one field moves by more than the tenant allows unseen
	CodeOmnibus      Code = "omnibus"         // the sale's reference price is above the lowest of 30 days
	CodeOmnibusShort Code = "omnibus-history" // under 30 days of observed prices
)

// Optional are the rules that a tenant switches on. The zero value has none of
// them. An amount binds offers of its own currency only.
type Optional struct {
	// NeverTouch refuses every change.
	NeverTouch bool `json:"never_touch,omitempty"`
	// Minimum and Maximum bound every price that a change sets: ours, the sale,
	// B2B and each tier. Beyond them is refused.
	Minimum *Money `json:"minimum,omitempty"`
	Maximum *Money `json:"maximum,omitempty"`
	// MAP is the least price that the manufacturer lets be advertised; below it is
	// held.
	MAP *Money `json:"map,omitempty"`
	// MarginPercent is the least part of each price, in whole percent of the price,
	// that must be left over Cost; 0 is the bare cost floor. Less is held, and so is
	// any price while the cost is not known. Fees and taxes are not known here.
	MarginPercent *int64 `json:"margin_percent,omitempty"`
	Cost          *Money `json:"cost,omitempty"`
	// Moves hold single fields that move too far, beside the limits in percent.
	Moves []MoveLimit `json:"moves,omitempty"`
	// Omnibus holds a sale in the EU whose reference price was not the lowest
	// observed one of the OmnibusDays before it.
	Omnibus bool `json:"omnibus,omitempty"`
	// Lowest is what Omnibus compares with; nil is not known, and holds.
	Lowest *Lowest `json:"-"`
	// Rounding is what prices of files are rounded to, nil for nothing. It judges
	// nothing: see Rounding.Round.
	Rounding *Rounding `json:"rounding,omitempty"`
}

// OmnibusDays is the time before a reduction whose lowest price is the reference
// (Directive 98/6/EC article 6a, as amended by Directive (EU) 2019/2161).
const OmnibusDays = 30

// Lowest is the lowest price at which an offer was observed in a stretch of time.
type Lowest struct {
	Price Money
	Whole bool // the offer was observed during all of it
}

// MoveLimit holds a field when it moves by more than any of the limits given.
// Sale prices, and B2B prices that the offer did not have, are compared with our
// price, as everywhere: see Prices.compared. A minimum that is taken away falls to
// nothing, and a maximum that is rises without end.
type MoveLimit struct {
	Field       Field  `json:"field"`
	DropPercent *int64 `json:"drop_percent,omitempty"`
	RisePercent *int64 `json:"rise_percent,omitempty"`
	Drop        *Money `json:"drop,omitempty"`
	Rise        *Money `json:"rise,omitempty"`
}

// none reports whether no rule is on.
func (o *Optional) none() bool {
	return !o.NeverTouch && o.Minimum == nil && o.Maximum == nil && o.MAP == nil && o.MarginPercent == nil && len(o.Moves) == 0 && !o.Omnibus
}

// validate returns an error for limits that cannot be meant.
func (o *Optional) validate() error {
	for name, m := range map[string]*Money{"minimum": o.Minimum, "maximum": o.Maximum, "map": o.MAP} {
		if m != nil && !m.Positive() {
			return fmt.Errorf("price: guard %s is %s, want an amount above zero", name, m)
		}
	}
	if o.Minimum != nil && o.Maximum != nil && below(*o.Maximum, *o.Minimum) {
		return fmt.Errorf("price: guard minimum %s is above the maximum %s", o.Minimum, o.Maximum)
	}
	if p := o.MarginPercent; p != nil && (*p < 0 || *p > 99) {
		return fmt.Errorf("price: guard margin_percent is %d, want 0 to 99", *p)
	}
	for _, l := range o.Moves {
		if err := l.validate(); err != nil {
			return err
		}
	}
	return o.Rounding.validate()
}

func (l MoveLimit) validate() error {
	if !slices.Contains(Fields(), l.Field) {
		return fmt.Errorf("price: guard moves names the unknown field %q, want one of %v", l.Field, Fields())
	}
	if l.DropPercent == nil && l.RisePercent == nil && l.Drop == nil && l.Rise == nil {
		return fmt.Errorf("price: guard moves of %s has no limit", l.Field)
	}
	for _, p := range []*int64{l.DropPercent, l.RisePercent} {
		if p != nil && (*p < 0 || *p > maxPercent) {
			return fmt.Errorf("price: guard moves of %s has %d percent, want 0 to %d", l.Field, *p, maxPercent)
		}
	}
	for _, m := range []*Money{l.Drop, l.Rise} {
		if m != nil && m.minor < 0 {
			return fmt.Errorf("price: guard moves of %s has the amount %s, want none below zero", l.Field, m)
		}
	}
	return nil
}

// optional checks the rules that the tenant switched on.
func (c *check) optional() {
	o := &c.guards.Optional
	if o.none() {
		return
	}
	if o.NeverTouch {
		c.refuse(CodeNeverTouch, "", "Your guards say that this offer is never touched.", "Leave the row out, or change the guards.")
	}
	for _, a := range c.list(&c.edit.Set) {
		if a.field != FieldMin && a.field != FieldMax {
			c.floors(a)
		}
	}
	for _, l := range o.Moves {
		c.move(l)
	}
	if o.Omnibus {
		c.omnibus()
	}
}

// floors checks one price that the edit sets against the tenant's own bounds.
func (c *check) floors(a amount) {
	o := &c.guards.Optional
	if o.Minimum != nil && below(a.money, *o.Minimum) {
		c.refuse(CodeGuardMinimum, a.field, fmt.Sprintf("%s %s is below your guard's minimum %s.", a.field, a.money, o.Minimum),
			"Raise the price, or change the guard.")
	}
	if o.Maximum != nil && below(*o.Maximum, a.money) {
		c.refuse(CodeGuardMaximum, a.field, fmt.Sprintf("%s %s is above your guard's maximum %s.", a.field, a.money, o.Maximum),
			"Lower the price, or change the guard.")
	}
	if o.MAP != nil && below(a.money, *o.MAP) {
		c.hold(CodeMAP, a.field, fmt.Sprintf("%s %s is below the minimum advertised price %s.", a.field, a.money, o.MAP),
			"Raise the price, or have it released.")
	}
	switch p := o.MarginPercent; {
	case p == nil:
	case o.Cost == nil || o.Cost.currency != a.money.currency:
		c.hold(CodeCostUnknown, a.field, fmt.Sprintf("Your guards ask for a margin of %d %%, and no cost in %s is known for this SKU.", *p, a.money.currency),
			"Upload the cost, or have the price released.")
	case !earns(a.money, *o.Cost, *p):
		c.hold(CodeMargin, a.field, fmt.Sprintf("%s %s leaves less than %d %% over the cost %s.", a.field, a.money, *p, o.Cost),
			"Raise the price, or have it released.")
	}
}

// earns reports whether at least percent of the price is left over the cost:
// price x (100 - percent) >= cost x 100, in 128 bits.
func earns(price, cost Money, percent int64) bool {
	if price.minor <= 0 || cost.minor < 0 || percent < 0 || percent > 100 {
		return false
	}
	haveHi, haveLo := bits.Mul64(uint64(price.minor), uint64(100-percent))
	wantHi, wantLo := bits.Mul64(uint64(cost.minor), 100)
	return haveHi > wantHi || haveHi == wantHi && haveLo >= wantLo
}

// move checks one field against its own limits.
func (c *check) move(l MoveLimit) {
	if c.edit.Set.equalField(l.Field, &c.offer.Known) {
		return
	}
	c.unbound(l)
	for _, a := range c.list(&c.edit.Set) {
		old := c.offer.Known.compared(a.field, a.quantity)
		if a.field != l.Field || old == nil || !old.Positive() || old.currency != a.money.currency {
			continue
		}
		percent, most, word := l.RisePercent, l.Rise, "rises"
		if a.money.minor < old.minor {
			percent, most, word = l.DropPercent, l.Drop, "drops"
		}
		switch {
		case percent != nil && compareMove(*old, a.money, *percent) > 0:
			c.hold(CodeFieldMove, a.field, fmt.Sprintf("%s %s from %s to %s (%s %%); your guards hold more than %d %%.",
				a.field, word, old, a.money, ChangePercent(*old, a.money), *percent), "Check the price and have it released, or change the guard.")
		case most != nil && most.currency == old.currency && distance(old.minor, a.money.minor) > uint64(max(most.minor, 0)):
			c.hold(CodeFieldMove, a.field, fmt.Sprintf("%s %s from %s to %s; your guards hold more than %s.",
				a.field, word, old, a.money, most), "Check the price and have it released, or change the guard.")
		}
	}
}

// unbound checks a bound that the edit takes away.
func (c *check) unbound(l MoveLimit) {
	old := c.offer.Known.compared(l.Field, 1)
	if old == nil || !old.Positive() || !slices.Contains(c.edit.Clear, l.Field) {
		return
	}
	var most string
	switch nothing := (Money{0, old.currency}); {
	case l.Field == FieldMin && l.DropPercent != nil && compareMove(*old, nothing, *l.DropPercent) > 0:
		most = fmt.Sprintf("a drop of more than %d %%", *l.DropPercent)
	case l.Field == FieldMin && l.Drop != nil && below(*l.Drop, *old):
		most = fmt.Sprintf("a drop of more than %s", l.Drop)
	case l.Field == FieldMax && (l.RisePercent != nil || l.Rise != nil):
		most = "a rise"
	default:
		return
	}
	c.hold(CodeFieldMove, l.Field, fmt.Sprintf("%s %s is taken away; your guards hold %s of it.", l.Field, old, most),
		"Check that the price needs no such bound and have it released, or change the guard.")
}

// euMembers are the marketplaces in countries of the European Union.
var euMembers = map[MarketplaceID]bool{
	"A28R8C7NBKEWEA": true, "A1RKKUPIHCS9HS": true, "A13V1IB3VIYZZH": true, "AMEN7PMS3EDWL": true, "A1805IZSGTT6HS": true,
	"A1PA6795UKMFR9": true, "APJ6JRA9NG5V4": true, "A2NODRKZP88ZB9": true, "A1C3SOZRARQ6R3": true,
}

// NeedsLowest says whether the guards need to know the lowest price of a stretch
// of time to judge the edit, and which: the OmnibusDays before the sale, as far as
// they have passed. Without it the change is held.
//
// A sale that runs began when it says. One that is new begins now at the earliest,
// whatever start it is given: buyers see no reduction before there is one.
func (g Guards) NeedsLowest(o Offer, e Edit, now time.Time) (from, to time.Time, ok bool) {
	sale := e.Apply(o.Known).Sale
	if !g.Omnibus || !euMembers[o.Key.Marketplace] || sale == nil || !sale.End.After(now) || !announces(e, o.Known) {
		return time.Time{}, time.Time{}, false
	}
	start, was := sale.Start, o.Known.Sale
	runs := was != nil && was.Start.Equal(start) && was.End.After(now)
	if start.Before(now) && !runs {
		start = now
	}
	to = now
	if start.Before(now) {
		to = start
	}
	return start.AddDate(0, 0, -OmnibusDays), to, true
}

// announces reports whether an edit brings a sale, or another reference price
// for the one that there is.
func announces(e Edit, known Prices) bool {
	return e.Set.Sale != nil && !e.Set.EqualField(FieldSale, known) || e.Set.Our != nil && !e.Set.EqualField(FieldOur, known)
}

// omnibus checks the reference price of a sale: our price that will hold.
func (c *check) omnibus() {
	if _, _, ok := c.guards.NeedsLowest(c.offer, c.edit, c.now); !ok || c.after.Our == nil {
		return
	}
	low, field := c.guards.Lowest, c.blame(FieldSale, FieldOur)
	switch {
	case low == nil || !low.Whole || low.Price.currency != c.after.Our.currency:
		c.hold(CodeOmnibusShort, field, fmt.Sprintf("This offer was not observed during all of the %d days before the sale, so its lowest price of them is not known.", OmnibusDays),
			"Wait until it was, or have the sale released by somebody who knows its past prices.")
	case below(low.Price, *c.after.Our):
		c.hold(CodeOmnibus, field, fmt.Sprintf("The sale's reference price %s is above %s, the lowest price of the %d days before it.", c.after.Our, low.Price, OmnibusDays),
			"Lower the price to that, or announce no sale.")
	}
}
