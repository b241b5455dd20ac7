package lane

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/store/memory"
	"pricemanager/internal/tenant"
)

func TestAnOfferIsFoundByItsProduct(t *testing.T) {
	t.Parallel()
	const mine, theirs = tenant.ID("t_mine000001"), tenant.ID("t_theirs0001")
	const de, fr = price.MarketplaceID("A1PA6795UKMFR9"), price.MarketplaceID("A13V1IB3VIYZZH")
	begun := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	offers := NewOffers(memory.New(clock.NewManual(begun)))
	read := func(m price.MarketplaceID, sku price.SKU, asin, gtin string) {
		t.Helper()
		begun = begun.Add(time.Second)
		if err := offers.Learn(t.Context(), mine, Read{Key: price.OfferKey{Connection: "conn_a", Marketplace: m, SKU: sku}, ASIN: asin, GTIN: gtin, Begun: begun}); err != nil {
			t.Fatal(err)
		}
	}
	resolve := func(who tenant.ID, m price.MarketplaceID, kind price.RefKind, value string) string {
		t.Helper()
		key := price.RefKey{Connection: "conn_a", Marketplace: m, Ref: price.Ref{Kind: kind, Value: value}}
		found, err := offers.Resolve(t.Context(), who, []price.RefKey{key, key})
		if err != nil {
			t.Fatal(err)
		}
		var skus []price.SKU
		for _, k := range found[key] {
			skus = append(skus, k.SKU)
		}
		return fmt.Sprint(skus)
	}
	read(de, "one", "B0ONE00000", "04006381333931")
	read(fr, "one", "B0FRENCH00", "")
	read(de, "two", "B0TWO00000", "")
	read(de, "used-two", "B0TWO00000", "")
	read(de, "one", "B0ONE00000", "") // a search does not tell the EAN: it stays
	for _, tc := range []struct {
		who   tenant.ID
		m     price.MarketplaceID
		kind  price.RefKind
		value string
		want  string
	}{
		{mine, de, price.ByASIN, "B0ONE00000", "[one]"}, {mine, de, price.ByEAN, "04006381333931", "[one]"},
		{mine, fr, price.ByASIN, "B0FRENCH00", "[one]"}, {mine, fr, price.ByASIN, "B0ONE00000", "[]"},
		{mine, de, price.ByASIN, "B0TWO00000", "[two used-two]"}, {mine, de, price.ByASIN, "B0NOTHING0", "[]"},
		{theirs, de, price.ByASIN, "B0ONE00000", "[]"},
	} {
		if got := resolve(tc.who, tc.m, tc.kind, tc.value); got != tc.want {
			t.Errorf("%s %s %s: got %s, want %s", tc.who, tc.m, tc.value, got, tc.want)
		}
	}
	read(de, "two", "B0ONE00000", "") // Amazon has put it onto another page
	if got := resolve(mine, de, price.ByASIN, "B0TWO00000"); got != "[used-two]" {
		t.Errorf("after the move: %s", got)
	}
	if got := resolve(mine, de, price.ByASIN, "B0ONE00000"); got != "[one two]" {
		t.Errorf("after the move: %s", got)
	}
}

// Reading again what is known writes the offer only, and an offer from before
// the index gets into it.
func TestTheIndexIsWrittenOnce(t *testing.T) {
	t.Parallel()
	const who = tenant.ID("t_mine000001")
	clk := clock.NewManual(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))
	db := memory.New(clk)
	offers := NewOffers(db)
	key := price.OfferKey{Connection: "conn_a", Marketplace: "A1PA6795UKMFR9", SKU: "S"}
	ref := price.RefKey{Connection: key.Connection, Marketplace: key.Marketplace, Ref: price.Ref{Kind: price.ByASIN, Value: "B0ONE00000"}}
	learn := func() {
		t.Helper()
		clk.Advance(time.Second)
		if err := offers.Learn(t.Context(), who, Read{Key: key, ASIN: "B0ONE00000", Begun: clk.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	learn()
	// Not there any more, and not written again: nothing was to be done.
	if err := db.Delete(t.Context(), who, store.Offers, refKey(ref)); err != nil {
		t.Fatal(err)
	}
	learn()
	found, err := offers.Resolve(t.Context(), who, []price.RefKey{ref})
	if err != nil || len(found) != 0 {
		t.Fatalf("a second read wrote the index again: %v %v", found, err)
	}
	if _, err := db.Update(t.Context(), who, store.Offers, offerKey(key), store.Update{Remove: []string{aIndexed}}); err != nil {
		t.Fatal(err)
	}
	learn()
	if found, err = offers.Resolve(t.Context(), who, []price.RefKey{ref}); err != nil || !slices.Equal(found[ref], []price.OfferKey{key}) {
		t.Fatalf("got %v %v", found, err)
	}
}
