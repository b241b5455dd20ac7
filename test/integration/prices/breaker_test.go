package prices

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"pricemanager/internal/apply"
	"pricemanager/internal/guard"
	"pricemanager/internal/lane"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

// A file that drops 18,000 of 20,000 prices in Germany by 90 %, of a seller whose own
// guards let single prices drop that far. Germany is held whole, the rows that are right
// included, with words about what to do; Amazon gets no request to change a price there.
// Japan, in the same file, is sent and read back.
func TestADropOfNinetyPercentInOneMarketplaceReachesAmazonNowhereAndTheRestIsSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const german, right, japanese = 20_000, 2_000, 60
		var listings []fakeamazon.Listing
		file := bytes.NewBufferString("sku,marketplace,price,currency\n")
		for i := range german {
			sku := fmt.Sprintf("D-%05d", i)
			listings = append(listings, fakeamazon.Listing{SKU: price.SKU(sku), Marketplace: germany, ProductType: "SHIRT", Price: "20.00"})
			fmt.Fprintf(file, "%s,DE,%s,EUR\n", sku, map[bool]string{true: "20.20", false: "2.00"}[i < right])
		}
		for i := range japanese {
			sku := fmt.Sprintf("J-%05d", i)
			listings = append(listings, fakeamazon.Listing{SKU: price.SKU(sku), Marketplace: japan, ProductType: "SHIRT", Price: "3000"})
			fmt.Fprintf(file, "%s,JP,2900,JPY\n", sku)
		}
		w := newWorld(t, listings...)
		ctx, guards := t.Context(), &guard.Store{DB: w.db, Clock: w.clock}
		w.plans.GuardsHash = plan.GuardsNow(guards)
		wide, most := guard.Default(), int64(95)
		wide.Rules = []guard.Rule{{Limits: guard.Limits{HoldDropPercent: &most, RefuseDropPercent: &most}}}
		if _, err := guards.Put(ctx, owner, "member:m1", wide, guard.Default().Hash()); err != nil {
			t.Fatal(err)
		}
		in := plan.Input{ID: "plan_bbbbbbbbbbbbbbbbbbbbbbbbbb", Tenant: owner, Actor: "member:m1", File: "f.csv", Content: file.Bytes(), Policy: plan.SkipBadRows,
			Now: w.clock.Now(), Connections: map[price.MarketplaceID]price.ConnectionID{germany: euConn, japan: feConn}}
		if err := plan.Judged(guards, nil)(ctx, &in); err != nil {
			t.Fatal(err)
		}
		p, err := w.plans.Create(ctx, in, w.known())
		if err != nil {
			t.Fatal(err)
		}
		if p.Summary.Held != german || p.Summary.Refused != 0 || p.Summary.Planned != japanese || p.State != plan.Ready {
			t.Fatalf("%s: %+v", p.State, p.Summary)
		}
		if len(p.Tripped) != 1 || p.Tripped[0].Marketplace != germany ||
			!strings.Contains(p.Tripped[0].Reason, "18000 of 20000 SKUs that change drop by more than 30 %") || !strings.Contains(p.Tripped[0].Fix, "correct the file") {
			t.Errorf("it says %+v", p.Tripped)
		}

		applier := apply.Applier{Plans: w.plans, Batches: lane.NewBatches(w.db, w.blobs), Bell: w.engine.Bell}
		batch, err := applier.Apply(ctx, owner, apply.Order{Plan: p.ID, Token: p.Token, Key: "k1", Batch: "bat_bbbbbbbbbbbbbbbbbbbbbbbbbb", Actor: "member:m1"})
		if err != nil {
			t.Fatal(err)
		}
		w.drive(batch)
		ended := w.ended(batch)
		for sku, r := range ended {
			if r.State != lane.Observed || !strings.HasPrefix(string(sku), "J-") {
				t.Errorf("%s is %s", sku, r.State)
			}
		}
		if effects := w.fake.Effects(); len(ended) != japanese || len(effects) != japanese {
			t.Errorf("%d rows ended, %d listings were changed, want %d", len(ended), len(effects), japanese)
		}
		for _, r := range w.fake.Requests(fakeamazon.Query{}) {
			switch {
			case r.Op == "patchListingsItem" && strings.HasPrefix(string(r.SKU), "J-"), strings.HasPrefix(r.Op, "get"), strings.HasPrefix(r.Op, "search"), r.Op == "token":
			default:
				t.Fatalf("Amazon was asked for %s of %s %s", r.Op, r.Marketplaces, r.SKU)
			}
		}
		for _, sku := range []price.SKU{"D-00000", "D-19999"} {
			if got := w.read(germany, sku); got.Prices.Our.String() != "20.00 EUR" {
				t.Errorf("%s costs %s", sku, got.Prices.Our)
			}
		}
	})
}
