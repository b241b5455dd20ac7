package fakeamazon_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"pricemanager/internal/price"
	"pricemanager/test/fakeamazon"
)

func searchPath(pairs ...string) string {
	q := url.Values{"marketplaceIds": {string(de)}}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return "/eu/listings/2021-08-01/items/" + alice + "?" + q.Encode()
}

func skus(t *testing.T, got reply) []string {
	t.Helper()
	var out []string
	for _, i := range got.json(t)["items"].([]any) {
		out = append(out, i.(map[string]any)["sku"].(string))
	}
	return out
}

func TestSearchByIdentifiers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.fake.AddListings(price.EU, alice, []fakeamazon.Listing{
		{Marketplace: de, SKU: "a,b", Price: "1"}, {Marketplace: de, SKU: "A/+ %#ü", Price: "2", ProductID: "4006381333931"}, {Marketplace: fr, SKU: "only-fr", Price: "3"},
	}))
	for name, c := range map[string]struct {
		pairs []string
		want  string
	}{
		"by SKU, unknown ones missing":  {[]string{"identifiers", "S1,nothing,A/+ %#ü,only-fr", "identifiersType", "SKU", "sortBy", "sku", "sortOrder", "ASC"}, "A/+ %#ü|S1"},
		"a SKU with a comma is not met": {[]string{"identifiers", "a,b", "identifiersType", "SKU"}, ""},
		"by ASIN":                       {[]string{"identifiers", "B000000001", "identifiersType", "ASIN"}, "S1"},
		"by EAN":                        {[]string{"identifiers", "4006381333931", "identifiersType", "EAN"}, "A/+ %#ü"},
	} {
		w.clock.Advance(time.Second)
		got := w.call("GET", searchPath(c.pairs...), "")
		if s := strings.Join(skus(t, got), "|"); got.Code != 200 || s != c.want {
			t.Errorf("%s: %d %q, want %q", name, got.Code, s, c.want)
		}
	}
	if got := w.call("GET", searchPath("identifiers", "S1"), ""); got.Code != 400 {
		t.Errorf("identifiers without a type: %d", got.Code)
	}
	w.clean()
}

func TestSearchPagesNoFurtherThanAThousand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var many []fakeamazon.Listing
	for i := range 1205 {
		many = append(many, fakeamazon.Listing{Marketplace: de, SKU: price.SKU(fmt.Sprintf("M%04d", i)), Price: "1.00"})
	}
	w.must(w.fake.AddListings(price.EU, alice, many))
	seen := map[string]bool{}
	pages, token := 0, ""
	for {
		w.clock.Advance(time.Second)
		pairs := []string{"pageSize", "20", "sortBy", "sku"}
		if token != "" {
			pairs = append(pairs, "pageToken", token)
		}
		got := w.call("GET", searchPath(pairs...), "")
		doc := got.json(t)
		if n := fmt.Sprint(doc["numberOfResults"]); n != "1206" {
			t.Fatalf("numberOfResults %s", n)
		}
		for _, s := range skus(t, got) {
			if seen[s] {
				t.Fatalf("%s twice", s)
			}
			seen[s] = true
		}
		pages++
		links, _ := doc["pagination"].(map[string]any)
		next, ok := links["nextToken"].(string)
		if !ok {
			break
		}
		token = next
	}
	if pages != 50 || len(seen) != 1000 {
		t.Errorf("%d pages with %d SKUs, want 50 with 1000", pages, len(seen))
	}
	if got := w.call("GET", searchPath("pageSize", "10", "sortBy", "sku", "pageToken", token), ""); got.Code != 400 {
		t.Errorf("a token of another query: %d", got.Code)
	}
	w.clean()
}

func TestSearchFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clock.Advance(time.Hour - time.Minute)
	w.must(w.fake.AddListings(price.EU, alice, []fakeamazon.Listing{{Marketplace: de, SKU: "late", Price: "5", Min: "6"}}))
	noon := start.Add(30 * time.Minute).Format(time.RFC3339)
	for name, c := range map[string]struct {
		pairs []string
		want  string
	}{
		"newest first":  {nil, "late|S1"},
		"created after": {[]string{"createdAfter", noon}, "late"},
		"updated until": {[]string{"lastUpdatedBefore", noon}, "S1"},
		"buyable":       {[]string{"withStatus", "BUYABLE"}, "S1"},
		"not buyable":   {[]string{"withoutStatus", "BUYABLE"}, "late"},
		"with errors":   {[]string{"withIssueSeverity", "ERROR"}, "late"},
		"with warnings": {[]string{"withIssueSeverity", "WARNING"}, ""},
	} {
		w.clock.Advance(time.Second)
		if s := strings.Join(skus(t, w.call("GET", searchPath(c.pairs...), "")), "|"); s != c.want {
			t.Errorf("%s: %q, want %q", name, s, c.want)
		}
	}
}
