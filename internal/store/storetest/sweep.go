package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Sweep checks that a sweep deletes everything of one tenant, in all segments and
// in the directory, spares what it is told to, and touches nobody else's. The two
// tenants' ids contain each other and their keys are the same.
func Sweep(t *testing.T, db store.DB, s store.Sweeper) {
	t.Helper()
	ctx := context.Background()
	const mine, other tenant.ID = "t_swept0", "t_swept00"
	const items = 60 // more than one batch of deletions
	type place struct {
		owner tenant.ID
		key   store.Key
	}
	var gone, left []place
	put := func(to *[]place, owner tenant.ID, pk, sk string, attrs map[string]any) {
		t.Helper()
		if err := db.Put(ctx, owner, store.Offers, store.Item{Key: store.Key{PK: pk, SK: sk}, Attrs: attrs}); err != nil {
			t.Fatal(err)
		}
		*to = append(*to, place{owner, store.Key{PK: pk, SK: sk}})
	}
	for i := range items {
		put(&gone, mine, fmt.Sprintf("kind%d", i%7), fmt.Sprintf("SKU %d", i), nil)
		put(&left, other, fmt.Sprintf("kind%d", i%7), fmt.Sprintf("SKU %d", i), nil)
	}
	put(&left, mine, "kept", "kept", nil)
	for owner, to := range map[tenant.ID]*[]place{mine: &gone, other: &left} {
		put(to, store.Directory, "by attribute", "of "+string(owner)[2:], map[string]any{"tenant": string(owner)})
		put(to, store.Directory, "by first part", string(owner)+"/lane", nil)
		put(to, store.Directory, "by later part", "0000000000001/"+string(owner)+"/apply/x", nil)
		put(to, store.Directory, "by all of it", string(owner), nil)
	}
	put(&left, store.Directory, "of nobody", "not a part: x"+string(mine), map[string]any{"note": string(mine)})
	put(&left, store.Directory, "moved on", string(other)+"/x", map[string]any{"tenant": string(other)})

	keep := func(_ tenant.ID, key store.Key) bool { return key.PK == "kept" }
	deleted := 0
	for range 2 { // the second pass finds nothing
		for segment := range s.Segments() {
			n, err := s.Sweep(ctx, mine, store.Offers, segment, keep)
			if err != nil {
				t.Fatal(err)
			}
			deleted += n
		}
	}
	if deleted != len(gone) {
		t.Errorf("%d items deleted, want %d", deleted, len(gone))
	}
	for _, p := range gone {
		if _, err := db.Get(ctx, p.owner, store.Offers, p.key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%v is left: %v", p, err)
		}
	}
	for _, p := range left {
		if _, err := db.Get(ctx, p.owner, store.Offers, p.key); err != nil {
			t.Errorf("%v: %v", p, err)
		}
	}
	if _, err := s.Sweep(ctx, "no tenant", store.Offers, 0, nil); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a sweep for no tenant: %v", err)
	}
}
