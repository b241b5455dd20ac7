package lane

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

// mall is a shop that takes several marketplaces in one patch.
type mall struct {
	*shop
	mu       sync.Mutex
	requests int
	together int                                       // requests about more than one marketplace
	invalid  func(price.MarketplaceID, price.SKU) bool // nil: nothing is
	spoils   bool                                      // one invalid marketplace spoils the others
}

func (m *mall) Patch(ctx context.Context, a amazon.Account, p amazon.Patch) (amazon.Submission, error) {
	m.mu.Lock()
	m.requests++
	if len(p.Also) > 0 {
		m.together++
	}
	m.mu.Unlock()
	all := append([]amazon.MarketEdit{{Marketplace: p.Marketplace, Edit: p.Edit}}, p.Also...)
	bad := 0
	for _, e := range all {
		if m.invalid != nil && m.invalid(e.Marketplace, p.SKU) {
			bad++
		}
	}
	if err := m.way(ctx); err != nil {
		return amazon.Submission{}, &amazon.Error{Op: "patchListingsItem", Reached: true, Err: err}
	}
	m.shop.mu.Lock()
	defer m.shop.mu.Unlock()
	now := m.clock.Now()
	if !m.admit(now) {
		return amazon.Submission{}, &amazon.Error{Op: "patchListingsItem", Status: 429, Code: "QuotaExceeded"}
	}
	for _, e := range all {
		if bad > 0 && (m.spoils || m.invalid(e.Marketplace, p.SKU)) {
			continue
		}
		sh := m.listings[e.Marketplace][p.SKU]
		sh.settle(now)
		sh.next, sh.at = e.Edit.Apply(sh.now), now.Add(m.visible)
	}
	if bad > 0 {
		return amazon.Submission{ID: "sub", Status: amazon.Invalid, Issues: []amazon.Issue{{Code: "90220", Message: "attribute is missing", Severity: "ERROR"}}}, nil
	}
	return amazon.Submission{ID: "sub", Status: amazon.Accepted}, nil
}

func TestSeveralMarketplacesTravelTogetherAndAnInvalidOneSpoilsNoOther(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ together, invalid, spoils bool }{
		"one by one by default":         {},
		"together":                      {together: true},
		"one invalid spoils the others": {true, true, true},
		"one invalid stands alone":      {true, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const n = 20
				w := newWorld(t)
				m := &mall{shop: w.shop, spoils: c.spoils}
				w.engine.Listings, w.engine.Config.Together = m, c.together
				skus := w.stock(n)
				if c.invalid {
					m.invalid = func(market price.MarketplaceID, s price.SKU) bool { return market == fr && s == skus[3] }
				}
				var rows []Row
				for i, sku := range skus {
					for j, market := range []price.MarketplaceID{de, fr} {
						key := price.OfferKey{Connection: conn, Marketplace: market, SKU: sku}
						if market == fr {
							w.shop.listings[fr][sku] = &shelf{now: price.Prices{Our: eur("20.00")}}
							if err := NewOffers(w.db).Learn(t.Context(), seller, Read{Key: key, Prices: price.Prices{Our: eur("20.00")}, Begun: w.engine.Clock.Now()}); err != nil {
								t.Fatal(err)
							}
						}
						known, err := NewOffers(w.db).Offers(t.Context(), seller, []price.OfferKey{key})
						if err != nil {
							t.Fatal(err)
						}
						rows = append(rows, Row{N: int64(2*i + j), Line: i + 2, Marketplace: market, SKU: sku, Version: known[key].Version,
							Edit: price.Edit{Set: price.Prices{Our: eur("19.00")}}, Old: known[key].Known})
					}
				}
				w.plans["plan-bat_a"] = rows
				err := NewBatches(w.db, w.blobs).Create(t.Context(), seller, NewBatch{ID: "bat_a", Plan: "plan-bat_a", File: "f.csv", Actor: "key:test",
					Rows: map[price.ConnectionID]int64{conn: 2 * n}}, w.engine.Bell)
				if err != nil {
					t.Fatal(err)
				}
				w.run(3 * time.Minute)
				want := Counts{Observed: 2 * n}
				if c.invalid {
					want = Counts{Observed: 2*n - 1, Rejected: 1}
					if r := w.inState("bat_a", Rejected)[skus[3]]; r.Marketplace != fr {
						t.Errorf("rejected is %+v", r)
					}
				}
				w.wantCounts("bat_a", want)
				switch {
				case !c.together && (m.together > 0 || m.requests != 2*n):
					t.Errorf("%d requests, %d of them together", m.requests, m.together)
				case c.together && (m.together < n-3 || m.requests > n+8):
					t.Errorf("%d requests, %d of them together, want one for each SKU but for the edges of groups", m.requests, m.together)
				}
			})
		})
	}
}
