package guard

import (
	"context"
	"time"

	"pricemanager/internal/price"
	"pricemanager/internal/tenant"
)

// History tells what an offer's prices were.
type History interface {
	// Lowest returns the lowest price at which the offer was observed from one time
	// to another, sales included, and whether it was observed during all of it. An
	// offer without history is no error: its Lowest is not Whole.
	Lowest(ctx context.Context, t tenant.ID, k price.OfferKey, from, to time.Time) (price.Lowest, error)
}

// Informed returns the guards with what they need to know about the past to judge
// an edit, which for almost all edits is nothing. Without a history nothing is
// known, and what depends on it is held.
func Informed(ctx context.Context, g price.Guards, h History, t tenant.ID, o price.Offer, e price.Edit, now time.Time) (price.Guards, error) {
	from, to, ok := g.NeedsLowest(o, e, now)
	if !ok || h == nil {
		return g, nil
	}
	low, err := h.Lowest(ctx, t, o.Key, from, to)
	if err != nil {
		return price.Guards{}, err
	}
	g.Lowest = &low
	return g, nil
}

// Past recalls many offers' prices at once.
type Past interface {
	// Recall returns what the prices of the offers were, as far as it is known now:
	// one pass over the history, however many they are. Of other offers its answer
	// knows nothing.
	Recall(ctx context.Context, t tenant.ID, keys []price.OfferKey) (History, error)
}

// AsksThePast reports whether Informed may ask a history in order to judge the
// edit, as it is or with its prices rounded.
func AsksThePast(g price.Guards, o price.Offer, e price.Edit, now time.Time) bool {
	if _, _, ok := g.NeedsLowest(o, e, now); ok {
		return true
	}
	if g.Rounding == nil {
		return false
	}
	rounded, _ := g.Round(e, func(price.Edit) price.Verdict { return price.Allowed })
	_, _, ok := g.NeedsLowest(o, rounded, now)
	return ok
}
