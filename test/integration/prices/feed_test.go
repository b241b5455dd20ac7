package prices

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pricemanager/internal/lane"
	"pricemanager/internal/ledger"
	"pricemanager/internal/price"
	"pricemanager/internal/spapi"
	"pricemanager/test/fakeamazon"
)

// withFeeds is a world of n offers whose batches are worth a feed.
func withFeeds(t *testing.T, n int) (*world, []change) {
	listings := make([]fakeamazon.Listing, n)
	changes := make([]change, n)
	for i := range listings {
		sku := price.SKU(fmt.Sprintf("Stück/%03d #%%+", i))
		listings[i] = fakeamazon.Listing{Marketplace: germany, SKU: sku, ProductType: "LUGGAGE", Price: "20.00"}
		changes[i] = change{sku, price.Edit{Set: price.Prices{Our: eur("19.00"), Min: eur("15.00")}}}
	}
	w := newWorld(t, listings...)
	w.engine.Feeds = spapi.NewFeeds(w.client)
	w.engine.Config = lane.Config{FeedFrom: 20, FeedTakes: time.Second, ConfirmWithin: 10 * time.Minute}
	return w, changes
}

func (w *world) calls(op string) (n int) {
	for _, r := range w.fake.Requests(fakeamazon.Query{Op: op}) {
		if r.Status < 300 {
			n++
		}
	}
	return n
}

// A feed that reports success but left three prices unchanged ends with exactly
// those three unconfirmed, named and alarmed.
func TestAFeedThatReportsSuccessIsReadBackLikeAnyOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, changes := withFeeds(t, 120)
		left := map[price.SKU]bool{changes[0].sku: true, changes[60].sku: true, changes[119].sku: true}
		for sku := range left {
			if _, err := w.fake.AddFault(fakeamazon.Fault{Kind: fakeamazon.DropPrice, Seller: seller, SKU: sku}); err != nil {
				t.Fatal(err)
			}
		}
		w.send("bat_a", changes...)
		for sku, r := range w.ended("bat_a") {
			want := lane.Observed
			if left[sku] {
				want = lane.Unconfirmed
				if !strings.Contains(w.log.String(), `alarm=unconfirmed marketplace=`+string(germany)+` sku="`+string(sku)+`"`) {
					t.Errorf("no alarm names %s", sku)
				}
			}
			if r.State != want {
				t.Errorf("%s is %s (%s), want %s", sku, r.State, r.Issue, want)
			}
			kinds := []ledger.Type{ledger.ChangeDesired, ledger.ChangeAccepted, ledger.ChangeObserved}
			if left[sku] {
				kinds[2] = ledger.ChangeUnconfirmed
			}
			w.wantEvents("bat_a", key(germany, sku), kinds)
		}
		if feeds, patches := w.calls("createFeed"), w.calls("patchListingsItem"); feeds != 1 || patches != 0 {
			t.Errorf("%d feeds and %d patches", feeds, patches)
		}
	})
}

// Whatever becomes of a feed, each of its prices is right in the end, and nothing
// is sent a second time while the feed may still set it.
func TestEveryEndOfAFeedIsMadeGood(t *testing.T) {
	t.Parallel()
	for _, kind := range []fakeamazon.FaultKind{fakeamazon.FeedPartly, fakeamazon.FeedFatal, fakeamazon.CutAfter, fakeamazon.CutBefore} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, changes := withFeeds(t, 40)
				ft := fakeamazon.Fault{Kind: kind, Seller: seller, Times: 1}
				if kind == fakeamazon.CutAfter || kind == fakeamazon.CutBefore {
					ft.Op = "createFeed"
				}
				if _, err := w.fake.AddFault(ft); err != nil {
					t.Fatal(err)
				}
				w.send("bat_a", changes...)
				rejected := 0
				for sku, r := range w.ended("bat_a") {
					switch {
					case r.State == lane.Observed && w.offer(germany, sku).Known.EqualField(price.FieldOur, changes[0].edit.Set):
					case r.State == lane.Rejected && strings.Contains(r.Issue, "internal error") && kind == fakeamazon.FeedPartly:
						rejected++
					default:
						t.Errorf("%s is %s: %s", sku, r.State, r.Issue)
					}
				}
				if partly := kind == fakeamazon.FeedPartly; partly != (rejected > 0) {
					t.Errorf("%d rejected", rejected)
				}
			})
		})
	}
}
