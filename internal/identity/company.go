package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/personal"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Company is what is known about a tenant itself.
type Company struct {
	Name      personal.Sensitive[string]
	CreatedAt time.Time
	CreatedBy string
}

// Company returns it, or store.ErrNotFound.
func (s *Tenants) Company(ctx context.Context, id tenant.ID) (Company, error) {
	it, err := s.db.Get(ctx, id, store.Identity, tenantKey)
	if errors.Is(err, store.ErrNotFound) {
		return Company{}, err
	}
	if err != nil {
		return Company{}, fmt.Errorf("identity: read tenant: %w", err)
	}
	name, err := personal.Open[string](ctx, s.sealer, id, personal.CompanyName, it.Key, it.Bytes(personal.CompanyName.Attr))
	if err != nil {
		return Company{}, fmt.Errorf("identity: read tenant: %w", err)
	}
	return Company{Name: name, CreatedAt: it.Time("createdAt"), CreatedBy: it.Str("createdBy")}, nil
}

// All returns a page of the tenant's sessions in order of id, at most limit, those too
// that have ended and are still listed. after is the id to continue after, next is ""
// at the end.
func (s *Sessions) All(ctx context.Context, t tenant.ID, after string, limit int) (list []Session, next string, err error) {
	page, err := s.DB.Query(ctx, t, store.Identity, store.Query{PK: sessionsPK, After: after, Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("identity: list sessions: %w", err)
	}
	for _, item := range page.Items {
		list = append(list, sessionOf(item))
	}
	return list, page.Next, nil
}
