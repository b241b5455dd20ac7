package pricefile

import (
	"bytes"

	"pricemanager/internal/price"
)

// markets finds marketplaces by what a file calls them, remembering the
// answers: a file has a million rows and a handful of marketplaces.
type markets struct {
	standard *price.Marketplace // for rows that name none; nil when there is none
	seen     map[string]price.Marketplace
	last     price.Marketplace // what the latest row with a name was about
	lastName []byte
}

// maxSeen bounds the memory that a file of nonsense names can take.
const maxSeen = 1_000

func newMarkets(standard price.MarketplaceID) (*markets, error) {
	m := &markets{seen: map[string]price.Marketplace{}}
	if standard == "" {
		return m, nil
	}
	found, ok := price.FindMarketplace(string(standard))
	if !ok {
		return nil, unreadable("marketplace", "%q is not one of Amazon's marketplaces. Use Amazon's marketplace id or the country code.", standard)
	}
	m.standard = &found
	return m, nil
}

func (m *markets) find(cell []byte) (price.Marketplace, bool) {
	if len(cell) == 0 {
		if m.standard == nil {
			return price.Marketplace{}, false
		}
		return *m.standard, true
	}
	if bytes.Equal(cell, m.lastName) {
		return m.last, m.last.ID != ""
	}
	found, ok := m.look(cell)
	m.last, m.lastName = found, append(m.lastName[:0], cell...)
	return found, ok
}

func (m *markets) look(cell []byte) (price.Marketplace, bool) {
	if found, ok := m.seen[string(cell)]; ok {
		return found, found.ID != ""
	}
	found, ok := price.FindMarketplace(string(cell))
	if len(m.seen) < maxSeen {
		m.seen[string(cell)] = found
	}
	return found, ok
}
