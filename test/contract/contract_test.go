package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func spec(t testing.TB) *Spec {
	t.Helper()
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	base  = "/listings/2021-08-01/items/A2SELLER"
	price = `{"productType":"PRODUCT","patches":[{"op":"merge","path":"/attributes/purchasable_offer",` +
		`"value":[{"marketplace_id":"A1PA6795UKMFR9","currency":"EUR","audience":"ALL",` +
		`"our_price":[{"schedule":[{"value_with_tax":19.99}]}]}]}]}`
)

func TestRatesComeFromTheUsagePlans(t *testing.T) {
	t.Parallel()
	type plan struct {
		Rate  string
		Burst int
	}
	got := map[string]plan{}
	for _, op := range spec(t).Operations() {
		got[op.ID] = plan{op.Rate, op.Burst}
	}
	want := map[string]plan{
		"getListingsItem": {"5", 10}, "searchListingsItems": {"5", 5}, "patchListingsItem": {"5", 5},
		"createReport": {"0.0167", 15}, "getReport": {"2", 15}, "getReportDocument": {"0.0167", 15}, "cancelReport": {"0.0222", 10},
		"createFeedDocument": {"0.5", 15}, "createFeed": {"0.0083", 15}, "getFeeds": {"0.0222", 10}, "getFeed": {"2", 15}, "cancelFeed": {"2", 15}, "getFeedDocument": {"0.0222", 10},
		"createDestination": {"1", 5}, "getDestinations": {"1", 5}, "createSubscription": {"1", 5}, "getSubscription": {"1", 5},
		"getMarketplaceParticipations": {"0.016", 15}, "rotateApplicationClientSecret": {"0.0167", 1},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestMatchDecodesOneSegmentPerParameter(t *testing.T) {
	t.Parallel()
	s := spec(t)
	for _, c := range []struct {
		method, path, op, sku string
	}{
		{"GET", base + "/A%2FB%23%20%2B%25", "getListingsItem", "A/B# +%"},
		{"PATCH", base + "/%E3%83%86", "patchListingsItem", "テ"},
		{"GET", base, "searchListingsItems", ""},
		{"GET", base + "/A/B", "", ""},
		{"GET", base + "/", "", ""},
		{"DELETE", base + "/A", "", ""},
		{"GET", "/listings/2020-09-01/items/A2SELLER", "", ""},
	} {
		op, params := s.Match(c.method, c.path)
		if op == nil {
			if c.op != "" {
				t.Errorf("%s %s matches nothing, want %s", c.method, c.path, c.op)
			}
			continue
		}
		if op.ID != c.op || params["sku"] != c.sku || params["sellerId"] != "A2SELLER" {
			t.Errorf("%s %s = %s %v, want %s %q", c.method, c.path, op.ID, params, c.op, c.sku)
		}
	}
}

func TestRequestsThatTheModelsRefuseAreViolations(t *testing.T) {
	t.Parallel()
	s := spec(t)
	const market = "?marketplaceIds=A1PA6795UKMFR9"
	for name, c := range map[string]struct {
		method, target, body string
		want                 string // part of the violation; "" for none
	}{
		"patch":                    {"PATCH", base + "/S1" + market + "&includedData=issues,identifiers&mode=VALIDATION_PREVIEW", price, ""},
		"search":                   {"GET", base + market + "&identifiers=a,b&identifiersType=SKU&pageSize=20&createdAfter=2026-11-22T09:00:00Z", "", ""},
		"report document":          {"GET", "/reports/2021-06-30/documents/d1?enableContentEncodingUrlHeader=true", "", ""},
		"no marketplace":           {"PATCH", base + "/S1", price, "marketplaceIds: missing"},
		"unknown parameter":        {"GET", base + "/S1" + market + "&locale=de", "", "locale: not declared"},
		"parameter twice":          {"GET", base + "/S1" + market + "&marketplaceIds=X", "", "given 2 times"},
		"wrong enum":               {"GET", base + "/S1" + market + "&includedData=prices", "", "includedData/0"},
		"empty csv element":        {"GET", base + "/S1" + market + "&includedData=issues,", "", "includedData"},
		"too many identifiers":     {"GET", base + market + "&identifiersType=SKU&identifiers=" + strings.Repeat("s,", 20) + "s", "", "identifiers"},
		"page too large":           {"GET", base + market + "&pageSize=21", "", "pageSize"},
		"page no integer":          {"GET", base + market + "&pageSize=5.5", "", "pageSize"},
		"page quoted":              {"GET", base + market + `&pageSize=%225%22`, "", "pageSize"},
		"no boolean":               {"GET", "/reports/2021-06-30/documents/d1?enableContentEncodingUrlHeader=1", "", "enableContentEncodingUrlHeader"},
		"no date-time":             {"GET", base + market + "&createdAfter=2026-11-22", "", "createdAfter"},
		"plus not escaped":         {"GET", base + "/a+b" + market, "", `'+' is not percent-encoded`},
		"body where none is":       {"GET", base + "/S1" + market, "{}", "body: the operation has none"},
		"no body":                  {"PATCH", base + "/S1" + market, "", "body: not JSON"},
		"unknown op":               {"PATCH", base + "/S1" + market, strings.Replace(price, "merge", "test", 1), "body/patches/0/op"},
		"bare object as value":     {"PATCH", base + "/S1" + market, `{"productType":"P","patches":[{"op":"merge","path":"/a","value":{}}]}`, "body/patches/0/value"},
		"no patches":               {"PATCH", base + "/S1" + market, `{"productType":"P","patches":[]}`, "body/patches"},
		"member the model has not": {"PATCH", base + "/S1" + market, `{"productType":"P","patches":[{"op":"merge","path":"/a"}],"sku":"S1"}`, "sku"},
		"member twice":             {"PATCH", base + "/S1" + market, `{"productType":"P","productType":"Q","patches":[{"op":"merge","path":"/a"}]}`, "given twice"},
		"two values":               {"PATCH", base + "/S1" + market, price + "{}", "something follows"},
		"26 marketplaces":          {"POST", "/reports/2021-06-30/reports", `{"reportType":"R","marketplaceIds":["` + strings.Repeat(`a","`, 25) + `a"]}`, "marketplaceIds"},
		"no such operation":        {"PUT", base + "/S1" + market, price, "no such operation"},
		"event filter":             {"POST", "/notifications/v1/subscriptions/ANY_OFFER_CHANGED", `{"payloadVersion":"1.0","destinationId":"d","processingDirective":{"eventFilter":{"eventFilterType":"ANY_OFFER_CHANGED","marketplaceIds":["a"],"aggregationSettings":{"aggregationTimePeriod":"FiveMinutes"}}}}`, ""},
		"closed although composed": {"POST", "/notifications/v1/subscriptions/ANY_OFFER_CHANGED", `{"payloadVersion":"1.0","destinationId":"d","processingDirective":{"eventFilter":{"eventFilterType":"ANY_OFFER_CHANGED","marketplaces":["a"]}}}`, "marketplaces"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
			if c.body != "" {
				r.Header.Set("Content-Type", "application/json; charset=utf-8")
			}
			err := s.CheckRequest(r, []byte(c.body))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (!errors.Is(err, ErrViolation) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want a violation about %q", err, c.want)
			}
		})
	}
	t.Run("content type", func(t *testing.T) {
		t.Parallel()
		r := httptest.NewRequest("PATCH", base+"/S1"+market, strings.NewReader(price))
		r.Header.Set("Content-Type", "text/plain")
		if err := s.CheckRequest(r, []byte(price)); err == nil || !strings.Contains(err.Error(), "content-type") {
			t.Errorf("got %v, want a violation about the content type", err)
		}
	})
}

func TestAnswersThatTheModelsRefuseAreViolations(t *testing.T) {
	t.Parallel()
	s := spec(t)
	id := http.Header{"X-Amzn-Requestid": {"r"}, "Content-Type": {"application/json"}}
	limited := id.Clone()
	limited.Set("x-amzn-RateLimit-Limit", "5.0")
	const throttled = `{"errors":[{"code":"QuotaExceeded","message":"m"}]}`
	for name, c := range map[string]struct {
		op     string
		status int
		header http.Header
		body   string
		want   string
	}{
		"accepted":                   {"patchListingsItem", 200, limited, `{"sku":"S","status":"ACCEPTED","submissionId":"s"}`, ""},
		"throttled":                  {"patchListingsItem", 429, id, throttled, ""},
		"cancelled without body":     {"cancelReport", 200, http.Header{"X-Amzn-Requestid": {"r"}}, "", ""},
		"rate on a throttled answer": {"patchListingsItem", 429, limited, throttled, "X-Amzn-Ratelimit-Limit"},
		"status not declared":        {"patchListingsItem", 404, limited, throttled, "not declared"},
		"no request id":              {"patchListingsItem", 429, http.Header{"Content-Type": {"application/json"}}, throttled, "x-amzn-RequestId"},
		"status value":               {"patchListingsItem", 200, limited, `{"sku":"S","status":"DONE","submissionId":"s"}`, "body/status"},
		"missing member":             {"patchListingsItem", 200, limited, `{"sku":"S","status":"ACCEPTED"}`, "submissionId"},
		"amount as a number":         {"getListingsItem", 200, limited, `{"sku":"S","offers":[{"marketplaceId":"m","offerType":"B2C","price":{"currencyCode":"EUR","amount":1.5}}]}`, "amount"},
		"member the model has not":   {"getListingsItem", 200, limited, `{"sku":"S","price":"1"}`, "price"},
		"wrapped errors":             {"getMarketplaceParticipations", 403, id, throttled, ""},
		"errors not wrapped":         {"getMarketplaceParticipations", 403, id, `[{"code":"a","message":"b"}]`, "body"},
		"body where none is":         {"cancelReport", 200, limited, "{}", "none is declared"},
		"not JSON":                   {"getReport", 200, limited, "<html>", "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			op, ok := s.Operation(c.op)
			if !ok {
				t.Fatal("no operation ", c.op)
			}
			err := s.CheckResponse(op, c.status, c.header, []byte(c.body))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (!errors.Is(err, ErrViolation) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want a violation about %q", err, c.want)
			}
		})
	}
}

func TestNumbersAreComparedExactly(t *testing.T) {
	t.Parallel()
	s := spec(t)
	// As floats, both would be 99.
	for value, ok := range map[string]bool{"99": true, "98.99999999999999999999": true, "99.00000000000000000001": false} {
		body := `[{"marketplace_id":"m","currency":"EUR","audience":"B2B","quantity_discount_plan":[{"schedule":[{"discount_type":"percent","levels":[{"lower_bound":2,"value":` + value + `}]}]}]}]`
		if err := s.CheckOffer(OfferMerge, []byte(body)); (err == nil) != ok {
			t.Errorf("percent %s: %v, want ok=%v", value, err, ok)
		}
	}
}

func TestPurchasableOfferShape(t *testing.T) {
	t.Parallel()
	s := spec(t)
	with := func(members string) string {
		return `[{"marketplace_id":"A1PA6795UKMFR9","currency":"EUR","audience":"ALL"` + members + `}]`
	}
	b2b := func(members string) string { return strings.Replace(with(members), `"ALL"`, `"B2B"`, 1) }
	const (
		our  = `,"our_price":[{"schedule":[{"value_with_tax":19.99}]}]`
		sale = `,"discounted_price":[{"schedule":[{"start_at":"2026-12-01","end_at":"2026-12-08T00:00:00Z","value_with_tax":17.99}]}]`
		plan = `,"quantity_discount_plan":[{"schedule":[{"discount_type":"fixed","levels":[{"lower_bound":5,"value":18}]}]}]`
	)
	for name, c := range map[string]struct {
		use   OfferUse
		value string
		ok    bool
	}{
		"price":                     {OfferMerge, with(our), true},
		"price and sale":            {OfferSet, with(our + sale), true},
		"stored":                    {OfferStored, with(our + sale), true},
		"nothing stored":            {OfferStored, `[]`, true},
		"sale removed":              {OfferMerge, with(`,"discounted_price":null`), true},
		"tiers":                     {OfferMerge, b2b(our + plan), true},
		"selectors":                 {OfferDelete, with(""), true},
		"three decimals":            {OfferSet, strings.Replace(with(strings.Replace(our, "19.99", "1.234", 1)), "EUR", "KWD", 1), true},
		"no currency":               {OfferMerge, strings.Replace(with(our), `"currency":"EUR",`, "", 1), false},
		"no audience":               {OfferMerge, strings.Replace(with(our), `,"audience":"ALL"`, "", 1), false},
		"price as text":             {OfferMerge, with(strings.Replace(our, "19.99", `"19.99"`, 1)), false},
		"schedule with dates":       {OfferMerge, with(strings.Replace(our, `{"value`, `{"start_at":"2026-12-01","value`, 1)), false},
		"sale without end":          {OfferMerge, with(strings.Replace(sale, `"end_at":"2026-12-08T00:00:00Z",`, "", 1)), false},
		"sale on a bad day":         {OfferMerge, with(strings.Replace(sale, "2026-12-01", "2026-13-01", 1)), false},
		"bare object as our_price":  {OfferMerge, with(`,"our_price":{"schedule":[{"value_with_tax":1}]}`), false},
		"our_price deleted":         {OfferMerge, with(`,"our_price":null`), false},
		"null where nothing merges": {OfferSet, with(our + `,"discounted_price":null`), false},
		"nothing to merge":          {OfferMerge, with(""), false},
		"typo":                      {OfferMerge, with(`,"ourprice":[{"schedule":[{"value_with_tax":1}]}]`), false},
		"sale for business":         {OfferMerge, b2b(our + sale), false},
		"tiers for all":             {OfferMerge, with(our + plan), false},
		"no array":                  {OfferMerge, strings.Trim(with(our), "[]"), false},
		"member twice":              {OfferMerge, with(our + our), false},
		"empty":                     {OfferMerge, `[]`, false},
		"delete with a price":       {OfferDelete, with(our), false},
	} {
		if err := s.CheckOffer(c.use, []byte(c.value)); (err == nil) != c.ok {
			t.Errorf("%s: %v, want ok=%v", name, err, c.ok)
		}
	}
}

func TestDerivedFileHasNoProse(t *testing.T) {
	t.Parallel()
	var file any
	if err := json.Unmarshal(derived, &file); err != nil {
		t.Fatal(err)
	}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				walk(at+"/"+k, e)
			}
		case []any:
			for _, e := range v {
				walk(at, e)
			}
		case string:
			if strings.ContainsAny(v, " \n") {
				t.Errorf("%s is prose: %q", at, v)
			}
		}
	}
	walk("", file)
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{price, `{"a":1,"a":2}`, `[1e999, -0, 0.10]`, `{} {}`, `{"a":[}`, `nul`, "\xff", `{"a" 1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := Decode(raw)
		if err != nil {
			return
		}
		// Whatever Decode accepts is one JSON value to everybody else as well.
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("accepted %q, encoding/json says %v", raw, err)
		}
		if d := cmp.Diff(want, v); d != "" {
			t.Fatalf("%q: %s", raw, d)
		}
	})
}

func BenchmarkCheckPatch(b *testing.B) {
	s := spec(b)
	r := httptest.NewRequest("PATCH", base+"/S1?marketplaceIds=A1PA6795UKMFR9", nil)
	r.Header.Set("Content-Type", "application/json")
	for b.Loop() {
		if err := s.CheckRequest(r, []byte(price)); err != nil {
			b.Fatal(err)
		}
	}
}
