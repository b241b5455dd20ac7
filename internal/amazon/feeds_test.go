package amazon_test

import (
	"fmt"
	"testing"

	"pricemanager/internal/amazon"
	"pricemanager/internal/price"
)

func TestSplitFeedLosesNothingAndRepeatsNoSKU(t *testing.T) {
	t.Parallel()
	const most = amazon.MaxFeedMessages
	for _, tc := range []struct{ total, distinct, feeds int }{
		{0, 1, 0}, {1, 1, 1}, {7, 1, 7}, {7, 2, 4}, {most, most, 1}, {most + 1, most + 1, 2},
		{most + 1, most, 2}, {3*most - 1, 2*most - 1, 3}, {2 * most, most / 2, 4},
	} {
		total, distinct := tc.total, tc.distinct
		patches := make([]amazon.Patch, total)
		for i := range patches {
			patches[i] = amazon.Patch{SKU: price.SKU(fmt.Sprint(i % distinct)), ProductType: fmt.Sprint(i)}
		}
		seen := map[string]bool{}
		last := map[price.SKU]int{} // the place of a SKU's latest patch
		feeds := amazon.SplitFeed(patches)
		for f, feed := range feeds {
			if len(feed) == 0 || len(feed) > amazon.MaxFeedMessages {
				t.Fatalf("feed %d has %d patches", f, len(feed))
			}
			here := map[price.SKU]bool{}
			for _, p := range feed {
				var at int
				if _, err := fmt.Sscan(p.ProductType, &at); err != nil {
					t.Fatal(err)
				}
				if here[p.SKU] || seen[p.ProductType] || at < last[p.SKU] {
					t.Fatalf("feed %d: SKU %s twice, a patch twice, or out of order", f, p.SKU)
				}
				here[p.SKU], seen[p.ProductType], last[p.SKU] = true, true, at
			}
		}
		if len(seen) != total || len(feeds) != tc.feeds {
			t.Errorf("%d patches of %d SKUs: %d patches in %d feeds, want %d", total, distinct, len(seen), len(feeds), tc.feeds)
		}
	}
}
