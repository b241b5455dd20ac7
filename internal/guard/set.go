package guard

import (
	"cmp"
	"slices"
	"strings"

	"pricemanager/internal/price"
)

// Set is a tenant's settings and costs as they were read at one moment. It is
// safe for concurrent use.
type Set struct {
	Settings Settings
	Costs    *Costs // nil for none

	markets  map[price.MarketplaceID]price.Guards // by the rules without a SKU
	patterns []Rule                               // with a *, the least specific first
	exact    map[price.SKU][]Rule                 // the least specific first
	hash     string
}

// NewSet makes a set of settings that were validated.
func NewSet(s Settings, c *Costs) *Set {
	set := &Set{Settings: s, Costs: c, markets: map[price.MarketplaceID]price.Guards{}, exact: map[price.SKU][]Rule{}, hash: digest(s.encode(), []byte(c.Hash()))}
	var everywhere []Rule
	for _, r := range sorted(s.Rules) {
		switch {
		case r.SKU == "":
			everywhere = append(everywhere, r)
		case strings.Contains(r.SKU, "*"):
			set.patterns = append(set.patterns, r)
		default:
			set.exact[price.SKU(r.SKU)] = append(set.exact[price.SKU(r.SKU)], r)
		}
	}
	for _, m := range price.Marketplaces() {
		g := price.DefaultGuards()
		for _, r := range everywhere {
			r.in(m, &g)
		}
		set.markets[m.ID] = g
	}
	return set
}

// sorted orders rules from the least to the most specific.
func sorted(rules []Rule) []Rule {
	out := slices.Clone(rules)
	slices.SortStableFunc(out, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(a.letters(), b.letters()), cmp.Compare(len(a.Marketplace), len(b.Marketplace)))
	})
	return out
}

// letters is how specific a rule's SKU is.
func (r Rule) letters() int {
	if r.SKU != "" && !strings.Contains(r.SKU, "*") {
		return maxPattern + 1
	}
	return len(r.SKU) - strings.Count(r.SKU, "*")
}

// Hash names the settings and costs by their content.
func (s *Set) Hash() string { return s.hash }

// For returns the rules for one offer. A marketplace that is not known has the
// strictest ones; package price refuses it anyway.
func (s *Set) For(k price.OfferKey) price.Guards {
	g, ok := s.markets[k.Marketplace]
	if !ok {
		return price.Guards{}
	}
	if len(s.patterns) == 0 && len(s.exact) == 0 && s.Costs == nil {
		return g
	}
	m, _ := price.MarketplaceByID(k.Marketplace)
	for _, r := range s.patterns {
		if k.SKU.Like(r.SKU) {
			r.in(m, &g)
		}
	}
	for _, r := range s.exact[k.SKU] {
		r.in(m, &g)
	}
	if g.MarginPercent != nil {
		g.Cost = s.Costs.of(k.SKU, m.Currency)
	}
	return g
}

// in lays the rule over g in one marketplace.
func (r Rule) in(m price.Marketplace, g *price.Guards) {
	if r.Marketplace == "" || r.Marketplace == m.ID {
		r.onto(g, m.Currency)
	}
}

// onto lays what the limits state over g, amounts only in currency c; "" is any.
func (l Limits) onto(g *price.Guards, c price.Currency) {
	lay(&g.HoldDropPercent, l.HoldDropPercent)
	lay(&g.HoldRisePercent, l.HoldRisePercent)
	lay(&g.RefuseDropPercent, l.RefuseDropPercent)
	lay(&g.NeverTouch, l.NeverTouch)
	lay(&g.Omnibus, l.Omnibus)
	layAmount(&g.Minimum, l.Minimum, c)
	layAmount(&g.Maximum, l.Maximum, c)
	layAmount(&g.MAP, l.MAP, c)
	if l.MarginPercent != nil {
		g.MarginPercent = l.MarginPercent
	}
	if l.Rounding != nil {
		g.Rounding = l.Rounding
	}
	for _, m := range l.Moves {
		layMove(g, m, c)
	}
}

func lay[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func layAmount(to **price.Money, from *price.Money, c price.Currency) {
	if from != nil && (c == "" || from.Currency() == c) {
		*to = from
	}
}

// layMove lays one field's limits over those of g, which it does not share.
func layMove(g *price.Guards, m price.MoveLimit, c price.Currency) {
	i := slices.IndexFunc(g.Moves, func(l price.MoveLimit) bool { return l.Field == m.Field })
	moves := slices.Clone(g.Moves)
	if i < 0 {
		i, moves = len(moves), append(moves, price.MoveLimit{Field: m.Field})
	}
	to := &moves[i]
	if m.DropPercent != nil {
		to.DropPercent = m.DropPercent
	}
	if m.RisePercent != nil {
		to.RisePercent = m.RisePercent
	}
	layAmount(&to.Drop, m.Drop, c)
	layAmount(&to.Rise, m.Rise, c)
	if to.DropPercent != nil || to.RisePercent != nil || to.Drop != nil || to.Rise != nil {
		g.Moves = moves
	} else if c == "" {
		g.Moves = moves // so that Validate says that it states nothing
	}
}
