package fx

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"pricemanager/internal/price"
)

// Why a price cannot be computed.
const (
	CodeNoRate    = "rate-missing"
	CodeStaleRate = "rate-stale"
	CodeRange     = "linked-too-large"
	CodeNoSKU     = "linked-by-product" // the links ask for the SKU, which the row does not name
	CodeCurrency  = "linked-currency"   // a price that is not in its marketplace's currency
)

// Problem is why a price cannot be computed, and what to do about it.
type Problem struct {
	Code, Value, Reason, Fix string
}

// Derived is what one row makes in one marketplace that follows its own. With a
// Problem, the edit is empty.
type Derived struct {
	To      price.MarketplaceID
	Edit    price.Edit
	Linked  *price.Linked
	Problem *Problem
}

// Set is a tenant's links and rates as they were read at one moment. It is safe
// for concurrent use. A nil Set links nothing.
type Set struct {
	links  Links
	table  *Table // nil for none
	routes map[price.MarketplaceID][]route
	ratesH string
}

// route are the links from one marketplace to another, the most specific first.
type route struct {
	to    price.MarketplaceID
	rules []rule
	bySKU bool // some hold for some SKUs only
}

// rule is a link that was made ready.
type rule struct {
	Link
	fields  []price.Field
	from    price.Currency
	step    step
	cross   *price.CrossRate // nil: no rate is needed
	problem *Problem
}

// NewSet makes a set of links and a table that were validated.
func NewSet(l Links, t *Table) *Set {
	s := &Set{links: l, table: t, routes: map[price.MarketplaceID][]route{}}
	for _, k := range l.sorted() {
		routes := s.routes[k.From]
		if n := len(routes); n == 0 || routes[n-1].to != k.To {
			routes = append(routes, route{to: k.To})
		}
		r := &routes[len(routes)-1]
		r.rules = append(r.rules, s.rule(k))
		r.bySKU = r.bySKU || k.SKU != ""
		s.routes[k.From] = routes
	}
	return s
}

func (s *Set) rule(k Link) rule {
	from, _ := price.MarketplaceByID(k.From)
	r := rule{Link: k, fields: k.Fields, from: from.Currency}
	if len(r.fields) == 0 {
		r.fields = standardFields
	}
	percent, err := percentage(k.Percent)
	if err != nil {
		panic("fx: " + err.Error()) // was validated
	}
	if r.from == k.Currency {
		r.step = newStep(big.NewRat(1, 1), percent, r.from, k.Currency)
		return r
	}
	s.ratesH = s.table.Hash()
	fromText, fromRate, ok := s.table.of(r.from)
	toText, toRate, ok2 := s.table.of(k.Currency)
	if !ok || !ok2 {
		missing := k.Currency
		if !ok && s.table != nil {
			missing = r.from
		}
		r.problem = &Problem{CodeNoRate, string(missing), fmt.Sprintf("There is no exchange rate of %s in your rates.", missing),
			"Upload rates that have it, then plan the file again; or name the price in the file."}
		return r
	}
	r.cross = &price.CrossRate{Base: s.table.Base, From: fromText, To: toText, On: s.table.On, Source: s.table.Source}
	r.step = newStep(toRate.Quo(toRate, fromRate), percent, r.from, k.Currency)
	return r
}

// LinksHash and RatesHash name what the set was made of: "" when nothing is
// linked, and when no link needs a rate or there are none.
func (s *Set) LinksHash() string {
	if !s.Any() {
		return ""
	}
	return s.links.Hash()
}

// RatesHash: see LinksHash.
func (s *Set) RatesHash() string {
	if s == nil {
		return ""
	}
	return s.ratesH
}

// Any reports whether anything is linked.
func (s *Set) Any() bool { return s != nil && len(s.routes) > 0 }

// Follows reports whether a marketplace follows another.
func (s *Set) Follows(m price.MarketplaceID) bool {
	for _, routes := range s.routes {
		if slices.ContainsFunc(routes, func(r route) bool { return r.to == m }) {
			return true
		}
	}
	return false
}

// Derive returns what an edit in one marketplace makes in those that follow it, in
// their order, at a time. A row that names its offer by product has no SKU.
// Marketplaces in which nothing would be changed are left out.
func (s *Set) Derive(m price.MarketplaceID, sku price.SKU, e price.Edit, now time.Time) []Derived {
	routes := s.routes[m]
	if len(routes) == 0 {
		return nil
	}
	out := make([]Derived, 0, len(routes))
	for i := range routes {
		r, needsSKU := routes[i].rule(sku)
		if needsSKU {
			out = append(out, Derived{To: routes[i].to, Linked: &price.Linked{From: m}, Problem: &Problem{CodeNoSKU, "",
				"The links to this marketplace hold for some SKUs only, and the row names a product.", "Name the offers of this file by SKU."}})
			continue
		}
		if r == nil || r.Off {
			continue
		}
		if d, ok := r.derive(e, now, s); ok {
			out = append(out, d)
		}
	}
	return out
}

// rule returns the most specific link for a SKU, nil for none.
func (r *route) rule(sku price.SKU) (_ *rule, needsSKU bool) {
	if sku == "" && r.bySKU {
		return nil, true
	}
	for i := range r.rules {
		k := &r.rules[i]
		if k.SKU == "" || string(sku) == k.SKU || strings.Contains(k.SKU, "*") && sku.Like(k.SKU) {
			return k, false
		}
	}
	return nil, false
}

// derive returns what the edit makes by one link, false for nothing.
func (r *rule) derive(e price.Edit, now time.Time, s *Set) (Derived, bool) {
	given := e.Only(r.fields)
	if len(given.Touched()) == 0 {
		return Derived{}, false
	}
	d := Derived{To: r.To, Linked: &price.Linked{From: r.From, Given: given.Set, Rate: r.cross, Percent: r.Percent, Rounding: r.Rounding, Floor: r.Floor}}
	d.Problem = r.problem
	if d.Problem == nil && r.cross != nil {
		if age := s.table.age(now); age > s.links.MaxAgeDays {
			d.Problem = &Problem{CodeStaleRate, r.cross.On, fmt.Sprintf("The exchange rates are of %s, %d days ago; your links allow %d.", r.cross.On, age, s.links.MaxAgeDays),
				"Upload newer rates, then plan the file again."}
		}
	}
	if d.Problem != nil {
		return d, true
	}
	set := price.Prices{}
	money := func(f price.Field, m price.Money) price.Money {
		out, problem := r.money(m)
		if problem != nil {
			d.Problem = problem
		} else if r.Floor != nil && out.Cmp(*r.Floor) < 0 {
			out = *r.Floor
			if !slices.Contains(d.Linked.Floored, f) {
				d.Linked.Floored = append(d.Linked.Floored, f)
			}
		}
		return out
	}
	one := func(f price.Field, m *price.Money) *price.Money {
		if m == nil {
			return nil
		}
		out := money(f, *m)
		return &out
	}
	set.Our, set.B2B = one(price.FieldOur, given.Set.Our), one(price.FieldB2B, given.Set.B2B)
	if sale := given.Set.Sale; sale != nil {
		set.Sale = &price.Sale{Price: money(price.FieldSale, sale.Price), Start: sale.Start, End: sale.End}
	}
	for _, t := range given.Set.Tiers {
		set.Tiers = append(set.Tiers, price.Tier{Quantity: t.Quantity, Price: money(price.FieldTiers, t.Price)})
	}
	if d.Problem == nil {
		d.Edit = price.Edit{Set: set, Clear: given.Clear}
	}
	return d, true
}

func (r *rule) money(m price.Money) (price.Money, *Problem) {
	if m.Currency() != r.from {
		return price.Money{}, &Problem{CodeCurrency, m.String(), fmt.Sprintf("The price that this one follows is not in %s.", r.from), "Correct the row that names it."}
	}
	out, ok := r.step.of(m, r.Rounding)
	if !ok {
		return price.Money{}, &Problem{CodeRange, m.String(), fmt.Sprintf("%s makes a price in %s that is too large to be written.", m, r.Currency), "Look for a wrong rate or price."}
	}
	return out, nil
}
