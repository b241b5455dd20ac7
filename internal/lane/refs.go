package lane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// The index by which an offer is found that a price file names by its ASIN or
// EAN: one item of the offers table for each product in a marketplace of a
// connection, with the SKUs under which it is offered.
//
// It costs one write unit for each ASIN and one for each EAN when an offer is
// read for the first time, and nothing at later reads: what was written is
// noted on the offer, in the write that the read takes anyway. Offers that were
// read before there was an index are put in by their next read, so importing
// the catalogue again fills it.
//
// Entries are never taken out. An offer that moved to another product is told
// by its own item, which Resolve reads.

const (
	aSKUs = "skus" // JSON list
	// mostSKUs bounds an index item. A product with more is ambiguous anyway.
	mostSKUs = 100
	// indexTries is how often an index item is read again after somebody else
	// wrote it: only readers of the same product meet there.
	indexTries = 5
)

func refKey(k price.RefKey) store.Key {
	return store.Key{
		PK: fmt.Sprintf("ref#%s#%02d", k.Connection, bucketOf(price.SKU(k.Value))),
		SK: string(k.Marketplace) + "#" + string(k.Kind) + "#" + k.Value,
	}
}

// findable puts an offer into the index under its ASIN and GTIN, "" for none,
// unless indexed says that it is there. It returns what indexed is from now on.
//
// Crash points: the index is written first, and indexed with the offer after
// it. Dying in between, the next read writes the same again.
func (s *Offers) findable(ctx context.Context, t tenant.ID, indexed string, k price.OfferKey, asin, gtin string) (string, error) {
	now := asin + "|" + gtin
	if now == indexed || now == "|" {
		return now, nil
	}
	for _, ref := range []price.Ref{{Kind: price.ByASIN, Value: asin}, {Kind: price.ByEAN, Value: gtin}} {
		if ref.Value == "" {
			continue
		}
		if err := s.index(ctx, t, price.RefKey{Connection: k.Connection, Marketplace: k.Marketplace, Ref: ref}, k.SKU); err != nil {
			return "", fmt.Errorf("lane: index offer: %w", err)
		}
	}
	return now, nil
}

func (s *Offers) index(ctx context.Context, t tenant.ID, ref price.RefKey, sku price.SKU) error {
	key := refKey(ref)
	// Most products have one SKU: try the new item first.
	list := []price.SKU{sku}
	cond := store.Absent()
	for range indexTries {
		err := s.db.Put(ctx, t, store.Offers, store.Item{Key: key, Attrs: map[string]any{aSKUs: mustJSON(list), aVersion: int64(len(list))}}, cond)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		it, err := s.db.Get(ctx, t, store.Offers, key)
		if err != nil {
			return err
		}
		if list, err = skusOf(it); err != nil {
			return err
		}
		if slices.Contains(list, sku) || len(list) >= mostSKUs {
			return nil
		}
		// The list only grows, so that its length is its version.
		cond = store.Eq(aVersion, int64(len(list)))
		list = append(list, sku)
	}
	return store.ErrThrottled
}

func skusOf(it store.Item) (list []price.SKU, err error) {
	if err := json.Unmarshal(it.Bytes(aSKUs), &list); err != nil {
		return nil, fmt.Errorf("lane: index item: %w", err)
	}
	return list, nil
}

// Resolve returns the offers that answer to each reference, sorted by SKU; none
// for those that nothing answers to. It is part of plan.Lookup.
func (s *Offers) Resolve(ctx context.Context, t tenant.ID, refs []price.RefKey) (map[price.RefKey][]price.OfferKey, error) {
	byKey := map[store.Key]price.RefKey{}
	var keys []store.Key
	for _, r := range refs {
		k := refKey(r)
		if _, twice := byKey[k]; !twice {
			byKey[k] = r
			keys = append(keys, k)
		}
	}
	items, err := s.db.BatchGet(ctx, t, store.Offers, keys)
	if err != nil {
		return nil, fmt.Errorf("lane: resolve: %w", err)
	}
	out := make(map[price.RefKey][]price.OfferKey, len(items))
	var all []price.OfferKey
	for _, it := range items {
		ref := byKey[it.Key]
		skus, err := skusOf(it)
		if err != nil {
			return nil, err
		}
		slices.Sort(skus)
		for _, sku := range skus {
			k := price.OfferKey{Connection: ref.Connection, Marketplace: ref.Marketplace, SKU: sku}
			out[ref] = append(out[ref], k)
			all = append(all, k)
		}
	}
	recs, err := s.records(ctx, t, all)
	if err != nil {
		return nil, err
	}
	for ref, found := range out {
		if len(found) >= mostSKUs {
			continue // the list may be cut, so that dropping from it could leave a wrong one alone
		}
		found = slices.DeleteFunc(found, func(k price.OfferKey) bool { return !answers(recs[k].Offer, ref.Ref) })
		if out[ref] = found; len(found) == 0 {
			delete(out, ref)
		}
	}
	return out, nil
}

// answers reports whether an offer is of the product.
func answers(o price.Offer, r price.Ref) bool {
	switch r.Kind {
	case price.ByASIN:
		return o.ASIN == r.Value
	case price.ByEAN:
		return o.GTIN == r.Value
	case price.BySKU:
		return string(o.Key.SKU) == r.Value
	}
	return false
}
