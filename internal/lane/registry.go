package lane

import (
	"context"
	"fmt"
	"strings"

	"pricemanager/internal/price"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// The registry lists every connection that has a lane, in the directory, so
// that scheduled work finds them without a scan over all tenants.
const registryPK = "lanes"

func register(ctx context.Context, db store.DB, t tenant.ID, c price.ConnectionID) error {
	_, err := db.Update(ctx, store.Directory, store.Offers, store.Key{PK: registryPK, SK: string(t) + "/" + string(c)},
		store.Update{Set: map[string]any{aTenant: string(t)}})
	if err != nil {
		return fmt.Errorf("lane: register: %w", err)
	}
	return nil
}

// Registered calls visit for every connection that has a lane, in the order of
// their tenants. It stops at the first error of visit.
func Registered(ctx context.Context, db store.DB, visit func(tenant.ID, price.ConnectionID) error) error {
	for after := ""; ; {
		page, err := db.Query(ctx, store.Directory, store.Offers, store.Query{PK: registryPK, After: after, Limit: 500})
		if err != nil {
			return fmt.Errorf("lane: list lanes: %w", err)
		}
		for _, it := range page.Items {
			t, c, _ := strings.Cut(it.SK, "/")
			if err := visit(tenant.ID(t), price.ConnectionID(c)); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		after = page.Next
	}
}

// Refresh asks every lane to read its catalogue again, and returns how many it
// asked. A parked lane stays parked and reads once it is freed.
func (b Bell) Refresh(ctx context.Context) (asked int, err error) {
	err = Registered(ctx, b.DB, func(t tenant.ID, c price.ConnectionID) error {
		if err := b.writeImport(ctx, t, c); err != nil {
			return err
		}
		asked++
		return b.Ring(ctx, Doorbell{Kind: KindLane, Tenant: t, Connection: c}, 0)
	})
	return asked, err
}
