package fakeamazon_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/secret"
	"pricemanager/test/fakeamazon"
)

const (
	de     = price.MarketplaceID("A1PA6795UKMFR9")
	fr     = price.MarketplaceID("A13V1IB3VIYZZH")
	gb     = price.MarketplaceID("A1F83G8C2ARO7P")
	jp     = price.MarketplaceID("A1VC38T7YXB528")
	us     = price.MarketplaceID("ATVPDKIKX0DER")
	alice  = "A2ALICE"
	client = "amzn1.application-oa2-client.test"
	hidden = "the-client-secret"
	back   = "https://price.example/oauth/callback"
)

var start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// world is a fake with a manual clock, a seller and a client for it.
type world struct {
	t     *testing.T
	fake  *fakeamazon.Fake
	clock *clock.Manual
	cfg   fakeamazon.Config
	token string
}

func config(clk clock.Clock) fakeamazon.Config {
	return fakeamazon.Config{
		Seed: 7, Clock: clk,
		Application: fakeamazon.Application{ID: "amzn1.sp.solution.test", ClientID: client, ClientSecret: secret.New(hidden), RedirectURIs: []string{back}},
	}
}

func newWorld(t *testing.T, change ...func(*fakeamazon.Config)) *world {
	t.Helper()
	clk := clock.NewManual(start)
	w := &world{t: t, clock: clk, cfg: config(clk)}
	for _, fn := range change {
		fn(&w.cfg)
	}
	w.open()
	w.must(w.fake.AddSeller(fakeamazon.Seller{
		ID: alice, Name: "Alice", Region: price.EU, Marketplaces: []price.MarketplaceID{de, fr, gb},
		Listings: []fakeamazon.Listing{
			{Marketplace: de, SKU: "S1", ASIN: "B000000001", Price: "19.99", Min: "10", Max: "30", Quantity: new(int64(5))},
			{Marketplace: fr, SKU: "S1", Price: "21.00"},
		},
	}))
	w.token = w.authorize(price.EU, alice)
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	w.fake, err = fakeamazon.New(w.cfg)
	w.must(err)
	w.t.Cleanup(func() { w.must(w.fake.Close()) })
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// authorize returns an access token of a seller.
func (w *world) authorize(region price.Region, seller string) string {
	w.t.Helper()
	refresh, err := w.fake.Authorize(region, seller)
	w.must(err)
	_, got := w.grant("grant_type", "refresh_token", "refresh_token", refresh.Reveal())
	return got["access_token"].(string)
}

// grant posts to the token endpoint; client id and secret are added unless given.
func (w *world) grant(pairs ...string) (int, map[string]any) {
	w.t.Helper()
	form := url.Values{"client_id": {client}, "client_secret": {hidden}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest("POST", "/auth/o2/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
	rec := httptest.NewRecorder()
	w.fake.ServeHTTP(rec, r)
	var got map[string]any
	w.must(json.Unmarshal(rec.Body.Bytes(), &got))
	return rec.Code, got
}

// request builds a correct request.
func (w *world) request(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("User-Agent", `Price\/Manager/1.0 (Language=Go/1.26; Platform=Test/1)`)
	r.Header.Set("x-amz-date", w.clock.Now().Format("20060102T150405Z"))
	r.Header.Set("x-amz-access-token", w.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

type reply struct {
	*httptest.ResponseRecorder
}

func (r reply) json(t *testing.T) map[string]any {
	t.Helper()
	var out map[string]any
	dec := json.NewDecoder(strings.NewReader(r.Body.String()))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		t.Fatalf("%d %s: %v", r.Code, r.Body, err)
	}
	return out
}

func (w *world) do(r *http.Request) reply {
	rec := httptest.NewRecorder()
	w.fake.ServeHTTP(rec, r)
	return reply{rec}
}

func (w *world) call(method, target, body string) reply {
	return w.do(w.request(method, target, body))
}

func itemPath(sku string) string {
	var b strings.Builder
	for i := range len(sku) {
		c := sku[i]
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return "/eu/listings/2021-08-01/items/" + alice + "/" + b.String()
}

// offer is one purchasable_offer instance with the given members.
func offer(m price.MarketplaceID, currency, audience, members string) string {
	return fmt.Sprintf(`{"marketplace_id":%q,"currency":%q,"audience":%q%s}`, m, currency, audience, members)
}

func sub(name, value string) string {
	return fmt.Sprintf(`,%q:[{"schedule":[{"value_with_tax":%s}]}]`, name, value)
}

func body(op string, instances ...string) string {
	return fmt.Sprintf(`{"productType":"PRODUCT","patches":[{"op":%q,"path":"/attributes/purchasable_offer","value":[%s]}]}`, op, strings.Join(instances, ","))
}

func ourPrice(value string) string {
	return body("merge", offer(de, "EUR", "ALL", sub("our_price", value)))
}

// patch sends a patch for one marketplace, waiting for the budget first.
func (w *world) patch(sku string, m price.MarketplaceID, body string) reply {
	w.clock.Advance(200 * time.Millisecond)
	return w.call("PATCH", itemPath(sku)+"?marketplaceIds="+string(m)+"&includedData=issues,identifiers", body)
}

// accepted sends a patch that must be accepted and waits until it shows.
func (w *world) accepted(sku string, m price.MarketplaceID, body string) {
	w.t.Helper()
	got := w.patch(sku, m, body)
	if s := got.json(w.t)["status"]; s != "ACCEPTED" {
		w.t.Fatalf("patch of %s: %d %s", sku, got.Code, got.Body)
	}
	w.clock.Advance(time.Minute)
}

func (w *world) listing(m price.MarketplaceID, sku string) fakeamazon.Listing {
	w.t.Helper()
	l, ok := w.fake.Listing(price.EU, alice, m, price.SKU(sku))
	if !ok {
		w.t.Fatalf("no listing %s in %s", sku, m)
	}
	return l
}

// clean fails the test for every violation that is not of a wanted kind.
func (w *world) clean(kinds ...string) {
	w.t.Helper()
	seen := map[string]bool{}
	for _, v := range w.fake.Violations() {
		seen[v.Kind] = true
		if len(kinds) == 0 || !strings.Contains(strings.Join(kinds, " "), v.Kind) {
			w.t.Errorf("violation %s of %s: %s", v.Kind, v.Op, v.Detail)
		}
	}
	for _, k := range kinds {
		if !seen[k] {
			w.t.Errorf("no violation of kind %s", k)
		}
	}
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
