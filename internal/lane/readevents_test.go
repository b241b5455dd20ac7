package lane

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
)

// What one read shows is all in the ledger: the price that a change brought, and the
// one that came with it.
func TestAReadThatShowsMoreThanTheChangeSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		sku := w.stock(1)[0]
		k := price.OfferKey{Connection: conn, Marketplace: de, SKU: sku}
		w.apply("bat_a", "19.00", sku)
		w.shop.listings[de][sku].now.Min = eur("5.00") // somebody sets a minimum meanwhile
		w.pump(5 * time.Minute)
		var types []ledger.Type
		var last ledger.Event
		for _, r := range w.db.Records(store.Offers, "") {
			for _, e := range Events(r) {
				if e.Target == "offer:"+k.String() && (e.Type == ledger.ChangeObserved || e.Type == ledger.OfferImported || e.Type == ledger.OfferDrifted) {
					types, last = append(types, e.Type), e
				}
			}
		}
		if want := []ledger.Type{ledger.OfferImported, ledger.ChangeObserved, ledger.OfferImported}; !slices.Equal(types, want) {
			t.Fatalf("the ledger has %v, want %v", types, want)
		}
		if string(last.After) != string(mustJSON(price.Prices{Our: eur("19.00"), Min: eur("5.00")})) || last.Batch != "" {
			t.Errorf("%s %s", last.After, last.Batch)
		}
	})
}
