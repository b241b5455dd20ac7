package fakeamazon

import (
	"crypto/sha256"
	"maps"
	"slices"
	"time"

	"pricemanager/internal/price"
)

// seller is one account in one region.
type seller struct {
	key     sellerKey
	name    string
	markets map[price.MarketplaceID]*market
}

type market struct {
	price.Marketplace
	listings map[price.SKU]*listing
}

// marketplaces returns the ids of the seller's marketplaces, sorted.
func (s *seller) marketplaces() []price.MarketplaceID { return slices.Sorted(maps.Keys(s.markets)) }

// listing is one SKU in one marketplace.
type listing struct {
	sku         price.SKU
	asin        string
	title       string
	productType string
	productID   string
	channel     string
	condition   string
	quantity    *int64
	created     time.Time
	updated     time.Time
	// visible is what reads show; pending are accepted patches that do not show
	// yet, in the order of acceptance.
	visible []instance
	pending []pendingPatch
	// patches counts the patches that took effect; last identifies the latest of
	// them, zero when the price was set in another way since.
	patches int
	last    [sha256.Size]byte
}

// pendingPatch is an accepted patch on its way to visibility.
type pendingPatch struct {
	At      time.Time `json:"at"`
	Changes []change  `json:"changes"`
}

// settle makes visible what is due, in the order of the times.
func (l *listing) settle(now time.Time, replaceKeeps bool) {
	for len(l.pending) > 0 {
		next := 0
		for i, p := range l.pending {
			if p.At.Before(l.pending[next].At) {
				next = i
			}
		}
		due := l.pending[next]
		if now.Before(due.At) {
			return
		}
		for _, c := range due.Changes {
			l.visible = c.apply(l.visible, replaceKeeps)
		}
		l.updated = due.At
		l.pending = slices.Delete(l.pending, next, next+1)
	}
}

// accepted is what the listing will be when all pending patches show.
func (l *listing) accepted(replaceKeeps bool) []instance {
	offers := l.visible
	for _, p := range l.pending {
		for _, c := range p.Changes {
			offers = c.apply(offers, replaceKeeps)
		}
	}
	return offers
}

// accept queues a patch. Without reorder nothing shows before what was accepted
// earlier.
func (l *listing) accept(at time.Time, changes []change, reorder bool) time.Time {
	if n := len(l.pending); n > 0 && !reorder && at.Before(l.pending[n-1].At) {
		at = l.pending[n-1].At
	}
	l.pending = append(l.pending, pendingPatch{At: at, Changes: changes})
	l.patches++
	return at
}

// offer returns the visible instance for an audience in the marketplace's
// currency, the zero one when there is none.
func (l *listing) offer(m price.Marketplace, audience string) instance {
	want := selectors{m.ID, m.Currency, audience}
	for _, i := range l.visible {
		if i.selectors == want {
			return i
		}
	}
	return instance{}
}

// find returns a settled listing, or nil; the caller holds the lock.
func (f *Fake) find(s *seller, m price.MarketplaceID, sku price.SKU, now time.Time) *listing {
	mk := s.markets[m]
	if mk == nil {
		return nil
	}
	l := mk.listings[sku]
	if l != nil {
		f.settle(s.key, mk.Marketplace, l, now)
	}
	return l
}

// visibility is the range of delays of a marketplace.
func (f *Fake) visibility(m price.MarketplaceID) Delay {
	if d, ok := f.cfg.MarketplaceVisibility[m]; ok {
		return d
	}
	return f.cfg.Visibility
}
