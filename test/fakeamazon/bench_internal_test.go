package fakeamazon

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
)

// BenchmarkPatch is what one patch costs the fake, contract checks included.
func BenchmarkPatch(b *testing.B) {
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	f, err := New(Config{Clock: clk, Application: Application{ID: "a", ClientID: "c", ClientSecret: secret.New("s"), RedirectURIs: []string{"https://x/"}}})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	const de = "A1PA6795UKMFR9"
	if err := f.AddSeller(Seller{ID: "A2", Region: price.EU, Marketplaces: []price.MarketplaceID{de}, Listings: []Listing{{Marketplace: de, SKU: "S1", Price: "1"}}}); err != nil {
		b.Fatal(err)
	}
	token := f.access(accessPass{Grant: digest(f.grant(sellerKey{price.EU, "A2"}, clk.Now()))}, clk.Now())
	f.auth.Access[digest(token)].Expires = clk.Now().AddDate(10, 0, 0)
	f.auth.Grants[f.auth.Access[digest(token)].Grant].Expires = clk.Now().AddDate(10, 0, 0)
	const body = `{"productType":"PRODUCT","patches":[{"op":"merge","path":"/attributes/purchasable_offer","value":[{"marketplace_id":"A1PA6795UKMFR9","currency":"EUR","audience":"ALL","our_price":[{"schedule":[{"value_with_tax":19.99}]}]}]}]}`
	for b.Loop() {
		clk.Advance(7 * time.Second) // the patch before shows, the budget is full
		r := httptest.NewRequest(http.MethodPatch, "/eu/listings/2021-08-01/items/A2/S1?marketplaceIds="+de, strings.NewReader(body))
		r.Header = http.Header{"User-Agent": {"PM/1 (Language=Go/1.26)"}, "X-Amz-Date": {"20261122T090000Z"}, "X-Amz-Access-Token": {token}, "Content-Type": {"application/json"}}
		rec := httptest.NewRecorder()
		if f.ServeHTTP(rec, r); rec.Code != 200 {
			b.Fatal(rec.Code, rec.Body)
		}
	}
}
