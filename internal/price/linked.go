package price

import "strings"

// Linked says how a row came about that stands in no price file: it was made of
// the row of another marketplace.
type Linked struct {
	From     MarketplaceID `json:"from"`
	Given    Prices        `json:"given"`             // what that row sets, of the fields that follow it
	Rate     *CrossRate    `json:"rate,omitempty"`    // nil: both marketplaces have one currency
	Percent  string        `json:"percent,omitempty"` // on top, an exact decimal
	Rounding *Rounding     `json:"rounding,omitempty"`
	Floor    *Money        `json:"floor,omitempty"`
	Floored  []Field       `json:"floored,omitempty"` // raised to the floor
}

// CrossRate is the rate between two currencies, as the two rates of a table that
// it was computed from: units of each currency for one of the base.
type CrossRate struct {
	Base   Currency `json:"base"`
	From   string   `json:"from"` // exact decimals
	To     string   `json:"to"`
	On     string   `json:"on"` // the day of the table, 2006-01-02
	Source string   `json:"source"`
}

// Below reports whether the edit sets a price below the floor. Of a row that is
// not linked, nil, nothing is.
func (l *Linked) Below(e Edit) bool {
	if l == nil || l.Floor == nil {
		return false
	}
	under := func(m *Money) bool { return m != nil && m.currency == l.Floor.currency && m.minor < l.Floor.minor }
	if under(e.Set.Our) || under(e.Set.B2B) || e.Set.Sale != nil && under(&e.Set.Sale.Price) {
		return true
	}
	for i := range e.Set.Tiers {
		if under(&e.Set.Tiers[i].Price) {
			return true
		}
	}
	return false
}

// Like reports whether the SKU is what the pattern stands for: a SKU, in which *
// stands for any text, also none.
func (s SKU) Like(pattern string) bool {
	parts := strings.Split(pattern, "*")
	text, first, last := string(s), parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return text == pattern
	}
	if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) {
		return false
	}
	rest := text[len(first) : len(text)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return true
}
