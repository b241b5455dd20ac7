package plan

import (
	"context"

	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

// Finder is a Lookup that hands over the offers one by one: a plan of a million
// rows needs no thousand maps.
type Finder interface {
	// Each calls found with the index among keys, and the offer, of each key that
	// exists, in any order. The offer is valid during the call only.
	Each(ctx context.Context, t tenant.ID, keys []price.OfferKey, found func(i int, o *price.Offer)) error
}

// finder is the Lookup as a Finder.
func finder(l Lookup) Finder {
	if f, ok := l.(Finder); ok {
		return f
	}
	return byMap{l}
}

type byMap struct{ Lookup }

func (m byMap) Each(ctx context.Context, t tenant.ID, keys []price.OfferKey, found func(int, *price.Offer)) error {
	known, err := m.Offers(ctx, t, keys)
	if err != nil {
		return err
	}
	for i, k := range keys {
		if o, ok := known[k]; ok {
			found(i, &o)
		}
	}
	return nil
}
