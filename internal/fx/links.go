package fx

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"pricemanager/internal/fault"
	"pricemanager/internal/price"
)

const (
	// MaxLinks bounds the links as JSON, in bytes: before and after fit into one
	// ledger event.
	MaxLinks   = 28 << 10
	maxPattern = 100 // bytes; Amazon's SKUs have at most 40 characters
	// StandardAge is how many days old rates may be when the tenant did not say. The
	// European Central Bank publishes on working days in the afternoon: three days
	// last from a Friday over the week-end until Monday's are there. Around Easter
	// and Christmas it takes five.
	StandardAge = 3
	maxAge      = 31
)

// Links are which marketplaces follow which, as a tenant chose. The zero value of
// the list links nothing.
type Links struct {
	// MaxAgeDays is how many days old the rates may be, counted in UTC from the
	// beginning of the day that they are of.
	MaxAgeDays int64  `json:"max_age_days"`
	Links      []Link `json:"links"`
}

// Link has prices in one marketplace follow those of another for the same SKU. A
// marketplace follows one other at most; what follows is never followed itself.
//
// When several links between two marketplaces hold for a SKU, the most specific
// one counts: an exact SKU before a pattern, a pattern with more letters before
// one with fewer, any pattern before none, and of equal ones the one whose pattern
// comes first in the alphabet.
type Link struct {
	From     price.MarketplaceID `json:"from"`
	To       price.MarketplaceID `json:"to"`
	Currency price.Currency      `json:"currency"` // of To, so that it is seen by who writes the link
	// SKU is a SKU, or a pattern in which * stands for any text, also none; "" is
	// all.
	SKU string `json:"sku,omitempty"`
	// Off exempts what the link holds for.
	Off bool `json:"off,omitempty"`
	// Fields are what follows; none stands for price and sale_price. The bounds of an
	// offer follow nothing.
	Fields   []price.Field   `json:"fields,omitempty"`
	Percent  string          `json:"percent,omitempty"` // on top, such as "3.5" or "-2"
	Rounding *price.Rounding `json:"rounding,omitempty"`
	Floor    *price.Money    `json:"floor,omitempty"` // lower prices are raised to it
}

// Default are the links of a tenant that has chosen none.
func Default() Links { return Links{MaxAgeDays: StandardAge, Links: []Link{}} }

// standardFields follow when a link names none.
var standardFields = []price.Field{price.FieldOur, price.FieldSale}

// Validate returns a fault of kind Invalid that says which link is wrong.
func (l Links) Validate() error {
	if l.MaxAgeDays < 1 || l.MaxAgeDays > maxAge {
		return fault.New(fault.Invalid, "links", "max_age_days is %d, want 1 to %d.", l.MaxAgeDays, maxAge)
	}
	type place struct {
		to  price.MarketplaceID
		sku string
	}
	from, seen := map[price.MarketplaceID]price.MarketplaceID{}, map[place]bool{}
	for i, k := range l.Links {
		err := k.validate()
		other, followed := from[k.To]
		switch at := (place{k.To, k.SKU}); {
		case err != nil:
		case followed && other != k.From:
			err = fmt.Errorf("%s follows %s already, and one marketplace follows one other", k.To, other)
		case seen[at]:
			err = errors.New("a link before it holds for the same marketplaces and SKUs")
		default:
			from[k.To], seen[at] = k.From, true
		}
		if err != nil {
			return fault.New(fault.Invalid, "links", "links[%d]: %s.", i, err.Error()).Because(err)
		}
	}
	if n := len(l.encode()); n > MaxLinks {
		return fault.New(fault.TooLarge, "links", "The links are %d bytes long as JSON, at most %d fit. Put SKUs that begin alike into one pattern.", n, MaxLinks)
	}
	return nil
}

func (k Link) validate() error {
	for _, m := range []price.MarketplaceID{k.From, k.To} {
		if _, ok := price.MarketplaceByID(m); !ok {
			return fmt.Errorf("%q is not one of Amazon's marketplace ids", m)
		}
	}
	to, _ := price.MarketplaceByID(k.To)
	switch {
	case k.From == k.To:
		return errors.New("a marketplace cannot follow itself")
	case k.Currency != to.Currency:
		return fmt.Errorf("the currency is %q, and prices in %s are in %s", k.Currency, to.Country, to.Currency)
	case len(k.SKU) > maxPattern:
		return fmt.Errorf("sku is %d bytes long, at most %d fit", len(k.SKU), maxPattern)
	case k.Floor != nil && (k.Floor.Currency() != to.Currency || !k.Floor.Positive()):
		return fmt.Errorf("the floor is %s, want an amount above zero in %s", k.Floor, to.Currency)
	}
	for i, f := range k.Fields {
		follows := f == price.FieldOur || f == price.FieldSale || f == price.FieldB2B || f == price.FieldTiers
		if !follows || slices.Contains(k.Fields[:i], f) {
			return fmt.Errorf("fields has %q, want price, sale_price, b2b_price and b2b_tiers, each once at most", f)
		}
	}
	if _, err := percentage(k.Percent); err != nil {
		return err
	}
	if k.Rounding != nil {
		return k.Rounding.Validate()
	}
	return nil
}

// percentage parses a link's percentage: "" is none.
func percentage(s string) (*big.Rat, error) {
	if s == "" {
		return new(big.Rat), nil
	}
	digits, minus := strings.CutPrefix(s, "-")
	decimal, why := shortest(digits)
	if why == isZero {
		return new(big.Rat), nil
	}
	if why != "" || len(decimal) > 9 {
		return nil, fmt.Errorf("percent is %q, want a plain decimal such as 3.5 or -2", s)
	}
	p, _ := new(big.Rat).SetString(decimal) // a plain decimal is one
	if minus {
		p.Neg(p)
	}
	if p.Cmp(big.NewRat(-100, 1)) <= 0 || p.Cmp(big.NewRat(1000, 1)) > 0 {
		return nil, fmt.Errorf("percent is %s, want more than -100 and at most 1000", s)
	}
	return p, nil
}

// sorted are the links in the order of marketplaces, and of each pair the most
// specific first. The order in which they were given means nothing.
func (l Links) sorted() []Link {
	out := slices.Clone(l.Links)
	slices.SortFunc(out, func(a, b Link) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(b.letters(), a.letters()), cmp.Compare(a.SKU, b.SKU))
	})
	return out
}

// letters is how specific a link's SKU is.
func (k Link) letters() int {
	switch {
	case k.SKU == "":
		return -1 // after any pattern, * among them
	case !strings.Contains(k.SKU, "*"):
		return maxPattern + 1
	}
	return len(k.SKU) - strings.Count(k.SKU, "*")
}

// encode is the canonical form: JSON in the order of the struct.
func (l Links) encode() []byte {
	l.Links = l.sorted()
	if l.Links == nil {
		l.Links = []Link{}
	}
	b, err := json.Marshal(l)
	if err != nil {
		panic("fx: " + err.Error()) // amounts, numbers and text can always be written
	}
	return b
}

// Hash names the links by their content.
func (l Links) Hash() string { return digest(l.encode()) }
