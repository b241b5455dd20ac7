package fakeamazon_test

import (
	"strings"
	"testing"
	"time"

	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

func TestInvalidPatchesAreAnsweredWithIssues(t *testing.T) {
	t.Parallel()
	all := func(members string) string { return body("merge", offer(de, "EUR", "ALL", members)) }
	sale := func(value, from, to string) string {
		return `,"discounted_price":[{"schedule":[{"start_at":"` + from + `","end_at":"` + to + `","value_with_tax":` + value + `}]}]`
	}
	plan := func(levels string) string {
		return `,"quantity_discount_plan":[{"schedule":[{"discount_type":"fixed","levels":[` + levels + `]}]}]`
	}
	for name, c := range map[string]struct {
		body           string
		code, category string
	}{
		"below the minimum":          {all(sub("our_price", "9.99")), "18155", "INVALID_PRICE"},
		"above the maximum":          {all(sub("our_price", "30.01")), "18156", "INVALID_PRICE"},
		"minimum above the price":    {all(sub("minimum_seller_allowed_price", "20")), "18155", "INVALID_PRICE"},
		"minimum above the maximum":  {all(sub("minimum_seller_allowed_price", "15") + sub("maximum_seller_allowed_price", "14") + sub("our_price", "15")), "18155", "INVALID_PRICE"},
		"sale below the minimum":     {all(sale("9", "2026-12-01", "2026-12-02")), "18155", "INVALID_PRICE"},
		"sale without a window":      {all(sale("15", "2026-12-02", "2026-12-02")), "4000001", "INVALID_ATTRIBUTE"},
		"sale without our_price":     {body("replace", offer(de, "EUR", "ALL", sale("15", "2026-12-01", "2026-12-02"))), "90220", "MISSING_PRICE"},
		"tiers without our_price":    {body("merge", offer(de, "EUR", "B2B", plan(`{"lower_bound":5,"value":17}`))), "90220", "MISSING_PRICE"},
		"tiers out of order":         {body("merge", offer(de, "EUR", "B2B", sub("our_price", "18")+plan(`{"lower_bound":5,"value":17},{"lower_bound":5,"value":16}`))), "4000001", "INVALID_ATTRIBUTE"},
		"tier of zero":               {body("merge", offer(de, "EUR", "B2B", sub("our_price", "18")+plan(`{"lower_bound":5,"value":0}`))), "4000001", "INVALID_PRICE"},
		"zero":                       {all(sub("our_price", "0")), "4000001", "INVALID_PRICE"},
		"negative":                   {all(sub("our_price", "-1")), "4000001", "INVALID_PRICE"},
		"three decimals":             {all(sub("our_price", "19.999")), "4000001", "INVALID_PRICE"},
		"exponent":                   {all(sub("our_price", "2e1")), "4000001", "INVALID_PRICE"},
		"beyond counting":            {all(sub("our_price", "99999999999999999999")), "4000001", "INVALID_PRICE"},
		"currency of elsewhere":      {body("merge", offer(de, "GBP", "ALL", sub("our_price", "20"))), "4000001", "INVALID_ATTRIBUTE"},
		"marketplace not in query":   {body("merge", offer(fr, "EUR", "ALL", sub("our_price", "20"))), "90000900", "INVALID_ATTRIBUTE"},
		"no audience":                {strings.Replace(all(sub("our_price", "20")), `,"audience":"ALL"`, "", 1), "90000900", "INVALID_ATTRIBUTE"},
		"price as text":              {all(sub("our_price", `"20"`)), "90000900", "INVALID_ATTRIBUTE"},
		"our_price deleted":          {all(`,"our_price":null`), "90000900", "INVALID_ATTRIBUTE"},
		"typo in the attribute":      {strings.Replace(all(sub("our_price", "20")), "/purchasable_", "/purchaseable_", 1), "90000900", "INVALID_ATTRIBUTE"},
		"product type of elsewhere":  {strings.Replace(all(sub("our_price", "20")), `"PRODUCT"`, `"SHOES"`, 1), "4000001", "INVALID_ATTRIBUTE"},
		"delete without a selector":  {strings.Replace(body("delete", offer(de, "EUR", "ALL", "")), `"currency":"EUR",`, "", 1), "90000900", "INVALID_ATTRIBUTE"},
		"sale for business":          {body("merge", offer(de, "EUR", "B2B", sub("our_price", "18")+sale("15", "2026-12-01", "2026-12-02"))), "90000900", "INVALID_ATTRIBUTE"},
		"unknown SKU, wrong price":   {all(sub("our_price", "0")), "4000001", "INVALID_PRICE"},
		"maximum taken away too low": {all(sub("maximum_seller_allowed_price", "19.98")), "18156", "INVALID_PRICE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			sku := "S1"
			if strings.HasPrefix(name, "unknown SKU") {
				sku = "nothing"
			}
			got := w.patch(sku, de, c.body)
			w.clock.Advance(time.Minute)
			found := false
			doc := got.json(t)
			issues, _ := doc["issues"].([]any)
			for _, i := range issues {
				is := i.(map[string]any)
				if is["severity"] != "ERROR" || is["message"] == "" {
					t.Errorf("issue %v", is)
				}
				found = found || (is["code"] == c.code && is["categories"].([]any)[0] == c.category)
			}
			if got.Code != 200 || doc["status"] != "INVALID" || !found {
				t.Errorf("%d %s; want INVALID with %s %s", got.Code, got.Body, c.code, c.category)
			}
			if l := w.listing(de, "S1"); l.Price != "19.99" || l.Min != "10" || l.Max != "30" || l.B2B != "" || l.Sale != nil {
				t.Errorf("the invalid patch had an effect: %+v", l)
			}
			if e := w.fake.Effects(); len(e) != 0 {
				t.Errorf("effects: %v", e)
			}
			w.clean()
		})
	}
}

func TestPatchesThatAreNoPatchesAreBadRequests(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, want string }{
		"path with an index": {strings.Replace(ourPrice("20"), "purchasable_offer", "purchasable_offer/0/our_price", 1), "Invalid path provided in patch at index of 0"},
		"path elsewhere":     {strings.Replace(ourPrice("20"), "/attributes", "", 1), "Invalid path provided in patch at index of 0"},
		"no value":           {`{"productType":"PRODUCT","patches":[{"op":"merge","path":"/attributes/purchasable_offer"}]}`, "Invalid empty value provided in patch"},
		"empty value":        {`{"productType":"PRODUCT","patches":[{"op":"merge","path":"/attributes/purchasable_offer","value":[]}]}`, "Invalid empty value provided in patch"},
	} {
		w := newWorld(t)
		if got := w.patch("S1", de, c.body); got.Code != 400 || !strings.Contains(got.Body.String(), c.want) || got.Header().Get("x-amzn-RateLimit-Limit") == "" {
			t.Errorf("%s: %d %v %s", name, got.Code, got.Header(), got.Body)
		}
	}
}

func TestPatchIsJudgedAgainstWhatWasAcceptedBefore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := w.patch("S1", de, body("merge", offer(de, "EUR", "ALL", sub("maximum_seller_allowed_price", "25")))).json(t); got["status"] != "ACCEPTED" {
		t.Fatal(got)
	}
	// The new maximum does not show yet, but it counts.
	if got := w.patch("S1", de, ourPrice("26")).json(t); got["status"] != "INVALID" {
		t.Errorf("%v", got)
	}
}

func TestIssuesOfAStoredListingAreRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.fake.AddListings(price.EU, alice, []fakeamazon.Listing{{Marketplace: de, SKU: "S9", Price: "5", Min: "6"}}))
	got := w.call("GET", itemPath("S9")+"?includedData=issues,summaries&marketplaceIds="+string(de), "").Body.String()
	if !strings.Contains(got, `"18155"`) || !strings.Contains(got, "LISTING_SUPPRESSED") || strings.Contains(got, `"BUYABLE"`) {
		t.Error(got)
	}
}
