package audit

import (
	"context"
	"fmt"
	"slices"

	"pricemanager/internal/lane"
	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// place is where items are whose changes are ledger events.
type place struct {
	table store.Table
	pk    string
}

// fixed are the places that every tenant has. Costs are beside guards, in items that
// no event is made of. A test compares this list with recorded changes.
var fixed = []place{
	{store.Offers, "plans"}, {store.Offers, "batches"}, {store.Offers, "mappings"}, {store.Offers, "guards"}, {store.Offers, "fx"},
	{store.Offers, "downloads"}, {store.Offers, "pulls"}, {store.Offers, "suspicions"}, {store.Offers, "stop"}, {store.Offers, "outbox"},
	{store.Identity, "tenant"}, {store.Identity, "apikey"}, {store.Identity, "members"}, {store.Identity, "sessions"}, {store.Identity, "support"}, {store.Identity, "advice"}, {store.Identity, "access-review"}, {store.Identity, "outbox"},
	{store.Connections, "connections"}, {store.Connections, "outbox"},
	{store.Privacy, "export"}, {store.Privacy, "erasure"},
}

// places are those of a tenant, lanes and offers of its connections included.
func places(conns []price.ConnectionID) []place {
	all := slices.Clone(fixed)
	for _, c := range conns {
		for _, pk := range lane.Places(c) {
			all = append(all, place{store.Offers, pk})
		}
	}
	return all
}

// items calls f for every item of a place.
func items(ctx context.Context, db store.DB, t tenant.ID, p place, f func(store.Item) error) error {
	for after := ""; ; {
		page, err := db.Query(ctx, t, p.table, store.Query{PK: p.pk, After: after})
		if err != nil {
			return fmt.Errorf("audit: items of %s in %s: %w", t, p.table, err)
		}
		for _, it := range page.Items {
			if err := f(it); err != nil {
				return err
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}
