package fakeamazon_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

func TestSellerBudgetIsFivePerSecondWithBurstFive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	target := itemPath("S1") + "?marketplaceIds=" + string(de)
	for i := range 5 {
		got := w.call("GET", target, "")
		if got.Code != 200 || got.Header().Get("x-amzn-RateLimit-Limit") != "5.0" || got.Header().Get("x-amzn-RequestId") == "" {
			t.Fatalf("request %d: %d %v", i, got.Code, got.Header())
		}
	}
	got := w.call("GET", target, "")
	if got.Code != 429 || got.Header().Get("x-amzn-RateLimit-Limit") != "" || !strings.Contains(got.Body.String(), "QuotaExceeded") {
		t.Errorf("the sixth at once: %d %v %s", got.Code, got.Header(), got.Body)
	}
	w.clock.Advance(199 * time.Millisecond)
	if got := w.call("GET", target, ""); got.Code != 429 {
		t.Errorf("after 199 ms: %d, want 429", got.Code)
	}
	w.clock.Advance(time.Millisecond)
	if got := w.call("GET", target, ""); got.Code != 200 {
		t.Errorf("after 200 ms: %d, want 200", got.Code)
	}
	// Another operation has a budget of its own.
	if got := w.call("PATCH", target, ourPrice("20")); got.Code != 200 {
		t.Errorf("patch: %d %s", got.Code, got.Body)
	}
	last := w.fake.Requests(fakeamazon.Query{Op: "getListingsItem"})
	if r := last[len(last)-1]; r.SellerTokens != 0 || r.AppTokens < 90 {
		t.Errorf("the log says %d and %d tokens are left", r.SellerTokens, r.AppTokens)
	}
	w.clean("over-budget")
}

func TestSpeedScalesRatesAndDelaysTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *fakeamazon.Config) { c.Speed = 20 })
	target := itemPath("S1") + "?marketplaceIds=" + string(de)
	for range 100 {
		if got := w.call("GET", target, ""); got.Code != 200 || got.Header().Get("x-amzn-RateLimit-Limit") != "100.0" {
			t.Fatalf("%d %v", got.Code, got.Header())
		}
		w.clock.Advance(10 * time.Millisecond)
	}
	w.call("PATCH", target, ourPrice("20"))
	r := w.fake.Requests(fakeamazon.Query{Op: "patchListingsItem"})[0]
	if d := r.EffectAt.Sub(r.Time); d < 100*time.Millisecond || d > 300*time.Millisecond {
		t.Errorf("visible after %v, want a twentieth of 2 s to 6 s", d)
	}
	w.clean()
}

func TestApplicationBudgetIsSharedByAllSellers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admitted, refused := 0, ""
	for i := range 101 {
		seller := fmt.Sprintf("A2S%03d", i)
		w.must(w.fake.AddSeller(fakeamazon.Seller{ID: seller, Region: price.EU, Marketplaces: []price.MarketplaceID{de},
			Listings: []fakeamazon.Listing{{Marketplace: de, SKU: "S1", Price: "1.00"}}}))
		w.token = w.authorize(price.EU, seller)
		for range 5 {
			got := w.call("PATCH", strings.Replace(itemPath("S1"), alice, seller, 1)+"?marketplaceIds="+string(de), ourPrice("2"))
			switch got.Code {
			case 200:
				admitted++
			case 429:
				refused = got.Body.String()
			default:
				t.Fatal(got.Code, got.Body)
			}
		}
	}
	if admitted != 500 || !strings.Contains(refused, "the application") {
		t.Errorf("%d admitted at once over 101 sellers, want 500; %s", admitted, refused)
	}
}

func TestPreviewsHaveTheirOwnBudget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	target := itemPath("S1") + "?mode=VALIDATION_PREVIEW&marketplaceIds=" + string(de)
	if got := w.call("PATCH", target, ourPrice("20")); got.json(t)["status"] != "VALID" {
		t.Errorf("preview: %d %s", got.Code, got.Body)
	}
	w.clock.Advance(999 * time.Millisecond)
	if got := w.call("PATCH", target, ourPrice("20")); got.Code != 429 {
		t.Errorf("a second preview within a second: %d", got.Code)
	}
	w.clock.Advance(time.Millisecond)
	if got := w.call("PATCH", target, ourPrice("20")); got.Code != 200 {
		t.Errorf("a preview after a second: %d", got.Code)
	}
	w.clock.Advance(time.Minute)
	if l := w.listing(de, "S1"); l.Price != "19.99" {
		t.Errorf("a preview changed the price to %s", l.Price)
	}
}

func TestGrantedRatesAreToldAndKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *fakeamazon.Config) {
		c.Rates = map[string]fakeamazon.Rate{"getListingsItem": {PerSecond: "2.5", Burst: 1}}
	})
	target := itemPath("S1") + "?marketplaceIds=" + string(de)
	if got := w.call("GET", target, ""); got.Header().Get("x-amzn-RateLimit-Limit") != "2.5" {
		t.Errorf("%v", got.Header())
	}
	if got := w.call("GET", target, ""); got.Code != 429 {
		t.Errorf("a second at once: %d", got.Code)
	}
	if _, err := fakeamazon.New(fakeamazon.Config{Clock: w.clock, Application: w.cfg.Application, Rates: map[string]fakeamazon.Rate{"typo": {PerSecond: "1", Burst: 1}}}); err == nil {
		t.Error("a rate for an unknown operation was taken")
	}
}
