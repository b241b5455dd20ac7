package privacy

import (
	"context"
	"errors"
	"fmt"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// closedKey is the mark that the tenant's erasure has begun. It is written by the
// very transaction that begins it, and stays: an id is never given out again.
var closedKey = store.Key{PK: "erasing", SK: "begun"}

// Doors says whose erasure has begun. What derives something from a tenant's data by
// itself, as an answer to a change, asks here: the deletions of an erasure are changes
// too, and it would make anew what was just deleted.
type Doors struct{ DB store.DB }

// Closed reports whether an erasure of the tenant has begun or is done.
func (d Doors) Closed(ctx context.Context, t tenant.ID) (bool, error) {
	_, err := d.DB.Get(ctx, t, store.Privacy, closedKey)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("privacy: whether %s is being erased: %w", t, err)
	}
	return true, nil
}

// Open is the condition, as a part of a transaction, that no erasure of the tenant
// has begun: what is written under it is written before, and is deleted.
func (Doors) Open(t tenant.ID) store.Write {
	return store.Write{Tenant: t, Table: store.Privacy, Key: closedKey, Check: true, If: []store.Cond{store.Absent()}}
}

// shut is the write that closes them.
func shut(t tenant.ID) store.Write {
	return store.Write{Tenant: t, Table: store.Privacy, Put: &store.Item{Key: closedKey}}
}
