package main

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/amazon"
	"pricemanager/internal/clock"
	"pricemanager/internal/connect"
	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/runtime/metrics"
)

// shelf is an Amazon that takes every price and shows it at once.
type shelf struct {
	amazon.Listings
	amazon.Reports
	amazon.Feeds
	mu     sync.Mutex
	prices map[price.SKU]price.Prices
}

func (s *shelf) Patch(_ context.Context, _ amazon.Account, p amazon.Patch) (amazon.Submission, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prices[p.SKU] = p.Edit.Apply(s.prices[p.SKU])
	return amazon.Submission{ID: "sub-1", Status: amazon.Accepted}, nil
}

func (s *shelf) Search(_ context.Context, _ amazon.Account, m price.MarketplaceID, skus []price.SKU) (out []amazon.Listing, _ amazon.Call, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sku := range skus {
		out = append(out, amazon.Listing{Marketplace: m, SKU: sku, Prices: s.prices[sku]})
	}
	return out, amazon.Call{}, nil
}

// The doorbell of a committed batch is lost. An invocation that is busy with
// something else drives its lane beside that, and says so.
func TestAnInvocationAdoptsALaneWhoseDoorbellWasLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorldAt(t, clock.Real{})
		var emitted bytes.Buffer
		w.app.Metrics = metrics.New(&emitted, w.clock, "price-sync", "local")
		h := newHandler(deps{app: w.app, db: w.db, blobs: w.blobs, queue: w.queue, connections: &connect.Service{DB: w.db, Clock: w.clock},
			amazon: &shelf{prices: map[price.SKU]price.Prices{}}})
		if err := h.engine.Apply(t.Context(), seller, "bat_aaaaaaaaaaaaaaaaaaaaaaaaaa"); err != nil {
			t.Fatal(err)
		}
		h.crew(t.Context(), []func(){func() { _ = w.clock.Sleep(t.Context(), 40*time.Second) }})
		b, err := lane.NewBatches(w.db, w.blobs).Get(t.Context(), seller, "bat_aaaaaaaaaaaaaaaaaaaaaaaaaa")
		if err != nil || b.State != lane.Done || b.Counts[lane.Observed] != 1 {
			t.Errorf("batch %s with %v, %v; want its price observed", b.State, b.Counts, err)
		}
		if !strings.Contains(emitted.String(), `"LanesAdopted":1`) {
			t.Errorf("metrics %s, want the adopted lane", emitted.String())
		}
	})
}
