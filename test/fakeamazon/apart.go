package fakeamazon

import (
	"slices"

	"pricemanager/internal/price"
)

// judgeApart judges the prices of a patch one by one, each by the others as the
// listing shows them now: what an Amazon says that does not look at a patch as a
// whole. A new minimum above the price that shows is refused although the same
// patch raises the price, and the price because it is above the maximum that
// shows. Sellers report the first (selling-partner-api-models#4921); whether
// all of Amazon does so, and for all product types, is not documented.
func judgeApart(m price.Marketplace, shown []instance, changes []change) (issues []issue) {
	seen := map[string]bool{}
	for _, ch := range changes {
		if ch.Op == "delete" {
			continue
		}
		for _, s := range ch.Instance.subs {
			if !slices.Contains([]string{subOur, subMin, subMax, subSale}, s.name) || string(s.raw) == "null" {
				continue
			}
			alone := change{"merge", instance{selectors: ch.Instance.selectors}.with(s.name, s.raw)}
			for _, i := range alone.apply(shown, false) {
				if i.selectors != ch.Instance.selectors {
					continue
				}
				for _, is := range judge(m, i) {
					if is.Categories[0] == "INVALID_PRICE" && !seen[is.Message] {
						seen[is.Message] = true
						issues = append(issues, is)
					}
				}
			}
		}
	}
	return issues
}
