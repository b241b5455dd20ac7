package plan_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pricemanager/internal/fault"
	"pricemanager/internal/plan"
	"pricemanager/internal/price"
)

func TestATokenIsRefusedWhenItsOffersMovedAndSaysWhich(t *testing.T) {
	t.Parallel()
	w := newWorld()
	k := shop(offerIn(germany, "A", price.Prices{Our: eur(1000)}), offerIn(germany, "C", price.Prices{Our: eur(1000)}))
	p := w.small(t)
	w.Offers = k
	o := k.offers[price.OfferKey{Connection: "conn_eu", Marketplace: germany, SKU: "A"}]
	o.Version++
	k.offers[o.Key] = o
	_, err := w.Claim(t.Context(), acme, planID, p.Token, "key-1", "bat_1")
	wantFault(t, err, fault.Conflict, "plan-offers-moved")
	var f *fault.Fault
	if errors.As(err, &f) {
		if diff := cmp.Diff([]plan.Moved{{Row: 2, Marketplace: germany, SKU: "A"}}, f.Extra["moved"]); diff != "" {
			t.Error(diff)
		}
	}
	delete(k.offers, o.Key)
	_, err = w.Claim(t.Context(), acme, planID, p.Token, "key-1", "bat_1")
	wantFault(t, err, fault.Conflict, "plan-offers-moved")
	o.Version--
	k.offers[o.Key] = o
	if _, err := w.Claim(t.Context(), acme, planID, p.Token, "key-1", "bat_1"); err != nil {
		t.Fatal(err)
	}
	o.Version++ // a replay is a replay whatever moved since, by this batch among others
	k.offers[o.Key] = o
	if again, err := w.Claim(t.Context(), acme, planID, p.Token, "key-1", "bat_2"); err != nil || again.Batch != "bat_1" {
		t.Errorf("the same key: %s, %v", again.Batch, err)
	}
}
