package fakeamazon_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"pricemanager/internal/price"
	"pricemanager/test/contract"
	"pricemanager/test/fakeamazon"
)

func TestAcceptedPriceShowsLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.patch("S1", de, ourPrice("24.90")).json(t)
	if got["status"] != "ACCEPTED" || got["sku"] != "S1" || len(got["submissionId"].(string)) != 32 || len(got["issues"].([]any)) != 0 {
		t.Fatalf("%v", got)
	}
	if d := cmp.Diff([]any{map[string]any{"marketplaceId": string(de), "asin": "B000000001"}}, got["identifiers"]); d != "" {
		t.Error(d)
	}
	r := w.fake.Requests(fakeamazon.Query{Op: "patchListingsItem"})[0]
	if d := r.EffectAt.Sub(r.Time); !r.Effect || d < 2*time.Second || d > 6*time.Second {
		t.Errorf("effect %v after %v, want within 2 s to 6 s", r.Effect, d)
	}
	w.clock.Advance(r.EffectAt.Sub(w.clock.Now()) - 1)
	if l := w.listing(de, "S1"); l.Price != "19.99" {
		t.Errorf("too early: %s", l.Price)
	}
	w.clock.Advance(1)
	if l := w.listing(de, "S1"); l.Price != "24.90" || l.Min != "10" || l.Max != "30" {
		t.Errorf("afterwards: %+v", l)
	}
	if l := w.listing(fr, "S1"); l.Price != "21.00" {
		t.Errorf("the other marketplace moved to %s", l.Price)
	}
	w.clean()
}

func TestVisibilityIsSetPerMarketplace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *fakeamazon.Config) {
		c.MarketplaceVisibility = map[price.MarketplaceID]fakeamazon.Delay{fr: {Min: time.Hour, Max: time.Hour}}
	})
	w.patch("S1", fr, body("merge", offer(fr, "EUR", "ALL", sub("our_price", "22"))))
	if r := w.fake.Requests(fakeamazon.Query{Op: "patchListingsItem"})[0]; r.EffectAt.Sub(r.Time) != time.Hour {
		t.Errorf("visible after %v", r.EffectAt.Sub(r.Time))
	}
}

func TestPatchesOfOneSKUShowInOrderOfAcceptance(t *testing.T) {
	t.Parallel()
	for _, reorder := range []bool{false, true} {
		w := newWorld(t, func(c *fakeamazon.Config) { c.Reorder = reorder })
		for i := range 12 {
			w.patch("S1", de, ourPrice(fmt.Sprintf("20.%02d", i)))
		}
		inOrder := true
		last := ""
		for range 100 {
			w.clock.Advance(100 * time.Millisecond)
			now := w.listing(de, "S1").Price
			if now < last && now != "19.99" {
				inOrder = false
			}
			last = now
		}
		if !reorder && (!inOrder || last != "20.11") {
			t.Errorf("the patches showed out of order; last %s", last)
		}
		if reorder && inOrder {
			t.Error("with Reorder the patches still showed in order: the setting does nothing")
		}
	}
}

func TestUnknownSKUIsAcceptedAndForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	got := w.patch("nothing", de, ourPrice("1")).json(t)
	if got["status"] != "ACCEPTED" || len(got["identifiers"].([]any)) != 0 {
		t.Errorf("%v", got)
	}
	w.clock.Advance(time.Minute)
	if got := w.call("GET", itemPath("nothing")+"?marketplaceIds="+string(de), ""); got.Code != 404 || got.Header().Get("x-amzn-RateLimit-Limit") == "" {
		t.Errorf("%d %v", got.Code, got.Header())
	}
	if e := w.fake.Effects(); len(e) != 0 {
		t.Errorf("effects %v", e)
	}
	w.clean()
}

func TestAmountsKeepEveryDigit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.fake.AddSeller(fakeamazon.Seller{ID: "A2KENJI", Region: price.FE, Marketplaces: []price.MarketplaceID{jp},
		Listings: []fakeamazon.Listing{{Marketplace: jp, SKU: "S1", Price: "900"}}}))
	kenji := w.authorize(price.FE, "A2KENJI")
	for _, c := range []struct {
		market                  price.MarketplaceID
		currency, sent, offered string
	}{
		{fr, "EUR", "0.10", "0.10"}, {fr, "EUR", "1234567.89", "1234567.89"}, {fr, "EUR", "20", "20.00"},
		{fr, "EUR", "20.0", "20.00"}, {fr, "EUR", "9007199254740993.01", "9007199254740993.01"},
		{gb, "GBP", "0.29", "0.29"}, {jp, "JPY", "1000", "1000"},
	} {
		seller, region, path := alice, price.EU, itemPath("S1")
		if c.market == jp {
			seller, region, path = "A2KENJI", price.FE, strings.NewReplacer("/eu/", "/fe/", alice, "A2KENJI").Replace(path)
			w.token = kenji
		}
		w.must(w.fake.AddListings(region, seller, []fakeamazon.Listing{{Marketplace: c.market, SKU: "S1"}}))
		w.clock.Advance(time.Second)
		got := w.call("PATCH", path+"?marketplaceIds="+string(c.market), body("merge", offer(c.market, c.currency, "ALL", sub("our_price", c.sent))))
		w.clock.Advance(time.Minute)
		read := w.call("GET", path+"?includedData=attributes,offers&marketplaceIds="+string(c.market), "").Body.String()
		if !strings.Contains(read, `"value_with_tax":`+c.sent+`}`) || !strings.Contains(read, `"amount":"`+c.offered+`"`) {
			t.Errorf("%s %s: %s; read %s", c.sent, c.currency, got.Body, read)
		}
	}
	w.clean()
}

// A price that is set comes back, whatever the digits.
func TestAnyAmountSurvivesTheRoundTrip(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.fake.AddListings(price.EU, alice, []fakeamazon.Listing{{Marketplace: fr, SKU: "R"}}))
	rapid.Check(t, func(rt *rapid.T) {
		m := price.FromMinor(rapid.Int64Range(1, 1e15).Draw(rt, "minor"), "EUR")
		w.token = w.authorize(price.EU, alice)
		w.clock.Advance(time.Second)
		w.call("PATCH", itemPath("R")+"?marketplaceIds="+string(fr), body("merge", offer(fr, "EUR", "ALL", sub("our_price", m.Decimal()))))
		w.clock.Advance(time.Minute)
		if l := w.listing(fr, "R"); l.Price != m.Decimal() {
			rt.Fatalf("sent %s, read %s", m.Decimal(), l.Price)
		}
	})
}

func TestOddSKUs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, sku := range []string{"A/B", "A#B", "100%", "a+b", "a b", "a,b", "日本-テスト", "ümlaut", `q"'&=?;:@$!*()`, "..", "%2F", "a%20b"} {
		w.must(w.fake.AddListings(price.EU, alice, []fakeamazon.Listing{{Marketplace: de, SKU: price.SKU(sku), Price: "1.00"}}))
		w.accepted(sku, de, ourPrice("2.50"))
		if l := w.listing(de, sku); l.Price != "2.50" {
			t.Errorf("%q: %s", sku, l.Price)
		}
		got := w.call("GET", itemPath(sku)+"?marketplaceIds="+string(de), "").json(t)
		if got["sku"] != sku {
			t.Errorf("%q is read as %v", sku, got["sku"])
		}
	}
	w.clean()
}

func TestMergeReplaceAddAndDelete(t *testing.T) {
	t.Parallel()
	sale := `,"discounted_price":[{"schedule":[{"start_at":"2026-11-01","end_at":"2026-12-01","value_with_tax":15.5}]}]`
	all := func(members string) string { return offer(de, "EUR", "ALL", members) }
	b2b := offer(de, "EUR", "B2B", sub("our_price", "18")+`,"quantity_discount_plan":[{"schedule":[{"discount_type":"fixed","levels":[{"lower_bound":5,"value":17.5}]}]}]`)
	onSale := &fakeamazon.Sale{Price: "15.5", Start: "2026-11-01", End: "2026-12-01"}
	tiers := []fakeamazon.Tier{{From: 5, Price: "17.5"}}
	type state struct {
		Price, Min, Max, B2B string
		Sale                 *fakeamazon.Sale
		Tiers                []fakeamazon.Tier
	}
	for name, c := range map[string]struct {
		patches []string
		change  func(*fakeamazon.Config)
		want    state
	}{
		"merge keeps the rest":        {[]string{body("merge", all(sub("our_price", "20")))}, nil, state{"20", "10", "30", "", nil, nil}},
		"merge sets several":          {[]string{body("merge", all(sub("our_price", "20")+sub("minimum_seller_allowed_price", "9.50")+sale))}, nil, state{"20", "9.50", "30", "", onSale, nil}},
		"null deletes":                {[]string{body("merge", all(sale)), body("merge", all(`,"discounted_price":null,"maximum_seller_allowed_price":null`))}, nil, state{"19.99", "10", "", "", nil, nil}},
		"null of what is not set":     {[]string{body("merge", all(`,"discounted_price":null`))}, nil, state{"19.99", "10", "30", "", nil, nil}},
		"merge makes an instance":     {[]string{body("merge", b2b)}, nil, state{"19.99", "10", "30", "18", nil, tiers}},
		"replace drops the rest":      {[]string{body("replace", all(sub("our_price", "20")))}, nil, state{"20", "", "", "", nil, nil}},
		"replace keeps other offers":  {[]string{body("merge", b2b), body("replace", all(sub("our_price", "20")))}, nil, state{"20", "", "", "18", nil, tiers}},
		"replace when told to keep":   {[]string{body("replace", all(sub("our_price", "20")))}, func(c *fakeamazon.Config) { c.ReplaceKeeps = true }, state{"20", "10", "30", "", nil, nil}},
		"add sets the instance":       {[]string{body("add", b2b)}, nil, state{"19.99", "10", "30", "18", nil, tiers}},
		"delete removes one instance": {[]string{body("merge", b2b), body("delete", offer(de, "EUR", "B2B", ""))}, nil, state{"19.99", "10", "30", "", nil, nil}},
		"price and bounds together": {[]string{body("merge", all(sub("our_price", "50")+sub("minimum_seller_allowed_price", "40")+sub("maximum_seller_allowed_price", "60")))},
			nil, state{"50", "40", "60", "", nil, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if c.change != nil {
				w = newWorld(t, c.change)
			}
			for _, p := range c.patches {
				w.accepted("S1", de, p)
			}
			l := w.listing(de, "S1")
			if d := cmp.Diff(c.want, state{l.Price, l.Min, l.Max, l.B2B, l.Sale, l.Tiers}); d != "" {
				t.Error(d)
			}
			w.clean()
		})
	}
}

func TestOffersShowTheEffectivePrice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.fake.AddListings(price.EU, alice, []fakeamazon.Listing{{Marketplace: de, SKU: "S2", Price: "20", B2B: "18.5",
		Sale: &fakeamazon.Sale{Price: "15", Start: "2026-11-23", End: "2026-11-24T12:00:00Z"}}}))
	effective := func() string {
		got := w.call("GET", itemPath("S2")+"?includedData=offers,attributes&marketplaceIds="+string(de), "").json(t)
		offers := got["offers"].([]any)
		if b2b := offers[1].(map[string]any); b2b["offerType"] != "B2B" || b2b["price"].(map[string]any)["amount"] != "18.50" {
			t.Errorf("B2B offer: %v", b2b)
		}
		return offers[0].(map[string]any)["price"].(map[string]any)["amount"].(string)
	}
	for _, step := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 11, 22, 23, 59, 59, 0, time.UTC), "20.00"}, {time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), "15.00"},
		{time.Date(2026, 11, 24, 11, 59, 59, 0, time.UTC), "15.00"}, {time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), "20.00"},
	} {
		w.clock.Advance(step.at.Sub(w.clock.Now()))
		w.token = w.authorize(price.EU, alice)
		if got := effective(); got != step.want {
			t.Errorf("at %v: %s, want %s", step.at, got, step.want)
		}
	}
}

func TestReadGivesWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	target := itemPath("S1") + "?marketplaceIds=" + string(de) + "," + string(fr)
	got := w.call("GET", target, "").json(t)
	if len(got) != 2 || len(got["summaries"].([]any)) != 2 {
		t.Errorf("by default: %v", got)
	}
	got = w.call("GET", target+"&includedData=summaries,attributes,issues,offers,fulfillmentAvailability,procurement,relationships,productTypes", "").json(t)
	if len(got) != 9 || len(got["attributes"].(map[string]any)["purchasable_offer"].([]any)) != 2 || len(got["offers"].([]any)) != 2 {
		t.Errorf("everything: %v", got)
	}
}

func TestReadsHaveThePurchasableOfferShape(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	spec, err := contract.Load()
	w.must(err)
	w.must(w.fake.AddListings(price.EU, alice, []fakeamazon.Listing{{Marketplace: de, SKU: "S3", Price: "0019.90", Min: "00.50", B2B: "18",
		Tiers: []fakeamazon.Tier{{From: 3, Price: "17"}}, Sale: &fakeamazon.Sale{Price: "15", Start: "2026-11-23", End: "2026-11-24"}, Automated: true}}))
	raw := w.call("GET", itemPath("S3")+"?includedData=attributes&marketplaceIds="+string(de), "").Body.String()
	_, rest, _ := strings.Cut(raw, `"purchasable_offer":`)
	w.must(spec.CheckOffer(contract.OfferStored, []byte(strings.TrimSuffix(rest, "}}"))))
	if !strings.Contains(raw, `"value_with_tax":0.50`) || !strings.Contains(raw, `"value_with_tax":19.90`) || !strings.Contains(raw, "merchandising_rule") {
		t.Error(raw)
	}
}

func TestSeveralMarketplacesInOnePatch(t *testing.T) {
	t.Parallel()
	for _, partial := range []bool{false, true} {
		w := newWorld(t, func(c *fakeamazon.Config) { c.PartialMarketplaces = partial })
		both := func(german string) string {
			return body("merge", offer(de, "EUR", "ALL", sub("our_price", german)), offer(fr, "EUR", "ALL", sub("our_price", "22")))
		}
		w.clock.Advance(time.Second)
		target := itemPath("S1") + "?marketplaceIds=" + string(de) + "," + string(fr)
		got := w.call("PATCH", target, both("31")).json(t) // over the maximum in DE
		w.clock.Advance(time.Minute)
		issues := got["issues"].([]any)
		if got["status"] != "INVALID" || len(issues) != 1 || issues[0].(map[string]any)["marketplaceIds"].([]any)[0] != string(de) {
			t.Errorf("%v", got)
		}
		want := "21.00"
		if partial {
			want = "22"
		}
		if g, f := w.listing(de, "S1").Price, w.listing(fr, "S1").Price; g != "19.99" || f != want {
			t.Errorf("partial %v: DE %s, FR %s, want 19.99 and %s", partial, g, f, want)
		}
		if got := w.call("PATCH", target, both("25")).json(t); got["status"] != "ACCEPTED" {
			t.Errorf("%v", got)
		}
		w.clock.Advance(time.Minute)
		if g, f := w.listing(de, "S1").Price, w.listing(fr, "S1").Price; g != "25" || f != "22" {
			t.Errorf("DE %s, FR %s", g, f)
		}
	}
}

func TestSameSeedSameAnswers(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) []fakeamazon.Request {
		w := newWorld(t, func(c *fakeamazon.Config) { c.Seed = seed })
		for i := range 5 {
			w.patch("S1", de, ourPrice(fmt.Sprintf("20.%d", i)))
		}
		return w.fake.Requests(fakeamazon.Query{})
	}
	if d := cmp.Diff(run(1), run(1)); d != "" {
		t.Errorf("two runs with one seed differ: %s", d)
	}
	if cmp.Equal(run(1), run(2)) {
		t.Error("two seeds give the same run")
	}
}
