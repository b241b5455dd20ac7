package main

import (
	"testing"
	"time"

	"pricemanager/internal/fx"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

// What an upload says of one marketplace is followed in another as what a small
// file says is; other links than those it was begun with end it.
func TestAnUploadIsFollowedByTheLinksItWasBegunWith(t *testing.T) {
	t.Parallel()
	const fr = price.MarketplaceID("A13V1IB3VIYZZH")
	w := newWorld(t)
	ctx, links := t.Context(), &fx.Store{DB: w.db, Clock: w.clock}
	known := price.FromMinor(2000, "EUR")
	if err := lane.NewOffers(w.db).Learn(ctx, seller, lane.Read{Prices: price.Prices{Our: &known}, Begun: w.clock.Now(),
		Key: price.OfferKey{Connection: conn, Marketplace: fr, SKU: "SKU-1"}}); err != nil {
		t.Fatal(err)
	}
	set, err := links.PutLinks(ctx, seller, "key:test", fx.Links{MaxAgeDays: 3, Links: []fx.Link{{From: de, To: fr, Currency: "EUR", Percent: "1"}}}, fx.Default().Hash())
	if err != nil {
		t.Fatal(err)
	}
	begin := func(id string) {
		content := []byte("sku;price\nSKU-1;18,50\n")
		if err := w.blobs.Put(ctx, seller, store.Files, plan.UploadName(id), "text/csv", content); err != nil {
			t.Fatal(err)
		}
		in := plan.Input{ID: id, Tenant: seller, Actor: "key:test", File: "p.csv", Policy: plan.SkipBadRows, Now: w.clock.Now(), Marketplace: de,
			Connections: map[price.MarketplaceID]price.ConnectionID{de: conn, fr: conn}}
		if err := w.maker.Guards(ctx, &in); err != nil {
			t.Fatal(err)
		}
		if _, err := w.plans.Begin(ctx, in, plan.UploadName(id)); err != nil {
			t.Fatal(err)
		}
	}
	run := func(id string) plan.Stored {
		if done, err := w.maker.Run(ctx, seller, id, w.clock.Now().Add(5*time.Minute)); err != nil || !done {
			t.Fatal(done, err)
		}
		p, err := w.plans.Load(ctx, seller, id)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	const first, second = "plan_yyyyyyyyyyyyyyyyyyyyyyyyyy", "plan_zzzzzzzzzzzzzzzzzzzzzzzzzz"
	begin(first)
	if p := run(first); p.State != plan.Ready || p.Summary.Planned != 2 || p.Links != set.Hash() {
		t.Errorf("%s %+v", p.State, p.Header)
	}
	begin(second)
	if _, err := links.PutLinks(ctx, seller, "key:test", fx.Default(), set.Hash()); err != nil {
		t.Fatal(err)
	}
	if p := run(second); p.State != plan.Failed || p.Problem.Type != "plan-links-changed" {
		t.Errorf("%s %+v", p.State, p.Problem)
	}
}
