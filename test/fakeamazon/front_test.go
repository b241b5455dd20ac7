package fakeamazon_test

import (
	"net/http"
	"strings"
	"testing"

	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	target := itemPath("S1") + "?marketplaceIds=" + string(de)
	for name, c := range map[string]struct {
		target string
		change func(*world, *http.Request)
		kind   string // of the violation, "" for none
	}{
		"foreign seller": {strings.Replace(target, alice, "A2BOB", 1), func(w *world, _ *http.Request) {
			w.must(w.fake.AddSeller(fakeamazon.Seller{ID: "A2BOB", Region: price.EU, Marketplaces: []price.MarketplaceID{de},
				Listings: []fakeamazon.Listing{{Marketplace: de, SKU: "S1", Price: "1"}}}))
		}, "protocol"},
		"wrong region":            {strings.Replace(target, "/eu/", "/na/", 1), nil, "protocol"},
		"no token":                {target, func(_ *world, r *http.Request) { r.Header.Del("x-amz-access-token") }, ""},
		"made-up token":           {target, func(_ *world, r *http.Request) { r.Header.Set("x-amz-access-token", "Atza|x") }, ""},
		"slash in the SKU":        {strings.Replace(target, "/S1", "/S/1", 1), nil, "contract"},
		"plus in the SKU":         {strings.Replace(target, "/S1", "/S+1", 1), nil, "contract"},
		"no such operation":       {"/eu/listings/2021-08-01/things", nil, "contract"},
		"marketplace not sold in": {strings.Replace(target, string(de), "APJ6JRA9NG5V4", 1), nil, ""},
		"token of another of ours": {target, func(w *world, r *http.Request) {
			w.must(w.fake.AddSeller(fakeamazon.Seller{ID: "A2BOB", Region: price.EU, Marketplaces: []price.MarketplaceID{de}}))
			r.Header.Set("x-amz-access-token", w.authorize(price.EU, "A2BOB"))
		}, "protocol"},
	} {
		w := newWorld(t)
		r := w.request("GET", c.target, "")
		if c.change != nil {
			c.change(w, r)
		}
		got := w.do(r)
		if got.Code != 403 || !strings.Contains(got.Body.String(), `"Unauthorized"`) || got.Header().Get("x-amzn-RequestId") == "" {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
		if c.kind == "" {
			w.clean()
		} else {
			w.clean(c.kind)
		}
	}
}

func TestWrongRequestsAreRefusedAndKept(t *testing.T) {
	t.Parallel()
	target := itemPath("S1") + "?marketplaceIds=" + string(de)
	for name, c := range map[string]struct {
		method, target, body string
		change               func(*http.Request)
		kind, want           string
	}{
		"Go's own user agent": {"GET", target, "", func(r *http.Request) { r.Header.Set("User-Agent", "Go-http-client/1.1") }, "protocol", "user-agent"},
		"no date":             {"GET", target, "", func(r *http.Request) { r.Header.Del("x-amz-date") }, "protocol", "x-amz-date"},
		"date in the wrong form": {"GET", target, "", func(r *http.Request) {
			r.Header.Set("x-amz-date", "2026-11-22T09:00:00Z")
		}, "protocol", "x-amz-date"},
		"unknown parameter": {"GET", target + "&x=1", "", nil, "contract", "not declared"},
		"too many SKUs":     {"GET", "/eu/listings/2021-08-01/items/" + alice + "?marketplaceIds=" + string(de) + "&identifiersType=SKU&identifiers=" + strings.Repeat("a,", 20) + "a", "", nil, "contract", "identifiers"},
		"member unknown":    {"PATCH", target, strings.Replace(ourPrice("1"), `{"product`, `{"sku":"S1","product`, 1), nil, "contract", "sku"},
		"bare object":       {"PATCH", target, `{"productType":"PRODUCT","patches":[{"op":"merge","path":"/attributes/purchasable_offer","value":{}}]}`, nil, "contract", "value"},
		"not JSON":          {"PATCH", target, "price=1", nil, "contract", "not JSON"},
		"not typed":         {"PATCH", target, ourPrice("1"), func(r *http.Request) { r.Header.Del("Content-Type") }, "contract", "content-type"},
	} {
		w := newWorld(t)
		r := w.request(c.method, c.target, c.body)
		if c.change != nil {
			c.change(r)
		}
		got := w.do(r)
		if got.Code != 400 || !strings.Contains(got.Body.String(), c.want) {
			t.Errorf("%s: %d %s, want 400 about %s", name, got.Code, got.Body, c.want)
		}
		w.clean(c.kind)
	}
}

func TestMarketplaceOfAnotherRegionIsInvalidInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := w.call("GET", itemPath("S1")+"?marketplaceIds="+string(us), ""); got.Code != 400 {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestHugeBodyIsRefusedWithoutBeingRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.call("PATCH", itemPath("S1")+"?marketplaceIds="+string(de), strings.Repeat(" ", 1<<20)+ourPrice("1"))
	if got.Code != 413 {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}
