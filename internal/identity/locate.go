package identity

import (
	"context"
	"errors"
	"fmt"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// find follows a pointer of the Directory to the tenant's item of a credential; both
// are empty when there is none.
func find(ctx context.Context, db store.DB, pointer, of store.Key) (tenant.ID, store.Item, error) {
	p, err := db.Get(ctx, store.Directory, store.Identity, pointer)
	if errors.Is(err, store.ErrNotFound) {
		return "", store.Item{}, nil
	}
	if err != nil {
		return "", store.Item{}, fmt.Errorf("identity: directory: %w", err)
	}
	t := tenant.ID(p.Str("tenant"))
	item, err := db.Get(ctx, t, store.Identity, of)
	if errors.Is(err, store.ErrNotFound) {
		return "", store.Item{}, nil
	}
	if err != nil {
		return "", store.Item{}, fmt.Errorf("identity: %s: %w", of.PK, err)
	}
	return t, item, nil
}

// Locate returns the tenant and the member that an address's hash by Index is of, ""
// for nobody's. It makes the same reads for an address of nobody, so that the time it
// takes tells nothing.
func (m *Members) Locate(ctx context.Context, hash string) (t tenant.ID, member string, err error) {
	pointer, err := m.DB.Get(ctx, store.Directory, store.Identity, mailKey(hash))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", "", fmt.Errorf("identity: locate: %w", err)
	}
	t = tenant.ID(pointer.Str("tenant"))
	if t == "" {
		t = store.Directory // which has no members
	}
	item, err := m.DB.Get(ctx, t, store.Identity, store.Key{PK: mailsPK, SK: hash})
	if errors.Is(err, store.ErrNotFound) {
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("identity: locate: %w", err)
	}
	return t, item.Str("member"), nil
}
