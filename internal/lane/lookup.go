package lane

import (
	"context"
	"errors"
	"fmt"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Offers returns the offers that exist among keys, as Each hands them over.
func (s *Offers) Offers(ctx context.Context, t tenant.ID, keys []price.OfferKey) (map[price.OfferKey]price.Offer, error) {
	out := make(map[price.OfferKey]price.Offer, len(keys))
	err := s.Each(ctx, t, keys, func(i int, o *price.Offer) { out[keys[i]] = *o })
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Each calls found with the index among keys, and the offer, of each key that
// exists, in any order. An offer is as it will be once its pending changes have
// come true: it is what plans are made against. What a refused batch left behind
// is not pending: planned again, it is a change again.
func (s *Offers) Each(ctx context.Context, t tenant.ID, keys []price.OfferKey, found func(i int, o *price.Offer)) error {
	wanted := make([]store.Key, len(keys))
	last := make(map[store.Key]int, len(keys)) // index among keys
	before := make([]int, len(keys))           // of the same key, -1 for none
	for i, k := range keys {
		wanted[i] = offerKey(k)
		before[i] = -1
		if same, twice := last[wanted[i]]; twice {
			before[i] = same
		}
		last[wanted[i]] = i
	}
	items, err := s.db.BatchGet(ctx, t, store.Offers, wanted)
	if err != nil {
		return fmt.Errorf("lane: read offers: %w", err)
	}
	refused := map[string]bool{}
	for _, it := range items {
		r, err := decodeOffer(it)
		if err != nil {
			return err
		}
		if err := s.dropRefused(ctx, t, &r, refused); err != nil {
			return err
		}
		o := r.pending()
		for i := last[it.Key]; i >= 0; i = before[i] {
			found(i, &o)
		}
	}
	return nil
}

// dropRefused takes away what a refused batch left staged. refused holds what
// was asked before.
func (s *Offers) dropRefused(ctx context.Context, t tenant.ID, r *record, refused map[string]bool) error {
	if r.staged == nil {
		return nil
	}
	b := r.staged.Batch
	if _, asked := refused[b]; !asked {
		it, err := s.db.Get(ctx, t, store.Offers, batchKey(b))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("lane: read batch: %w", err)
		}
		refused[b] = BatchState(it.Str(aBatchState)) == Refused
	}
	if refused[b] {
		r.staged = nil
	}
	return nil
}
