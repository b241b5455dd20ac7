package lane

import (
	"slices"
	"testing"
	"testing/synctest"

	"pricemanager/internal/price"
)

// A plan asks by index, and a file may name an offer twice or one that is not
// there: every index of a known offer is answered once, no other is.
func TestEachAnswersEveryIndexOfAKnownOfferOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		skus := w.stock(3)
		w.apply("bat_a", "19.00", skus[1])
		if ok, err := w.engine.stage(t.Context(), seller, "bat_a", conn, w.plans["plan-bat_a"][0]); !ok || err != nil {
			t.Fatalf("staged %t, %v", ok, err)
		}
		keys := []price.OfferKey{offer(skus[2]), offer("NOT-THERE"), offer(skus[1]), offer(skus[2]), offer(skus[0]), offer(skus[2])}
		var indexes []int
		prices := make([]string, len(keys))
		err := NewOffers(w.db).Each(t.Context(), seller, keys, func(i int, o *price.Offer) {
			if o.Key != keys[i] {
				t.Errorf("index %d was answered with %v", i, o.Key)
			}
			indexes = append(indexes, i)
			prices[i] = o.Known.Our.String()
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(indexes)
		if !slices.Equal(indexes, []int{0, 2, 3, 4, 5}) {
			t.Errorf("answered %v", indexes)
		}
		want := []string{"20.00 EUR", "", "19.00 EUR", "20.00 EUR", "20.00 EUR", "20.00 EUR"}
		if !slices.Equal(prices, want) {
			t.Errorf("prices %q, want %q", prices, want)
		}
	})
}
