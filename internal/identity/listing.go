package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const (
	// ReviewEvery is how often a tenant looks through who has access.
	ReviewEvery = 90 * 24 * time.Hour

	tenantsPK = "tenants" // in the directory; SK: tenant id
)

// Where package account keeps what owners say: which advice they follow (SK: its id),
// and that they looked through who has access. Each has "at" and "by".
const AdvicePK = "advice"

// ReviewKey is of the last review.
var ReviewKey = store.Key{PK: "access-review", SK: "last"}

// Listing is the write that puts a tenant into the directory's list, for the
// transaction that makes it. It says when its access is to be reviewed.
func (s *Tenants) Listing(id tenant.ID) store.Write {
	return store.Write{Tenant: store.Directory, Table: store.Identity, Put: &store.Item{
		Key:   store.Key{PK: tenantsPK, SK: string(id)},
		Attrs: map[string]any{"tenant": string(id), "reviewAt": store.Millis(s.clock.Now().Add(ReviewEvery))},
	}}
}

// ReviewAt says when a tenant's access is to be reviewed next. One that is not listed
// any more is being erased, and that is no error.
func (s *Tenants) ReviewAt(ctx context.Context, id tenant.ID, at time.Time) error {
	_, err := s.db.Update(ctx, store.Directory, store.Identity, store.Key{PK: tenantsPK, SK: string(id)}, store.Update{
		Set: map[string]any{"reviewAt": store.Millis(at)}, If: []store.Cond{store.Exists()},
	})
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("identity: date of the next review of %s: %w", id, err)
	}
	return nil
}

// ToReview calls f for every tenant whose access is to be reviewed now, until f fails.
func (s *Tenants) ToReview(ctx context.Context, f func(tenant.ID) error) error {
	now := s.clock.Now()
	for after := ""; ; {
		page, err := s.db.Query(ctx, store.Directory, store.Identity, store.Query{PK: tenantsPK, After: after})
		if err != nil {
			return fmt.Errorf("identity: list tenants: %w", err)
		}
		for _, item := range page.Items {
			if item.Time("reviewAt").After(now) {
				continue
			}
			if err := f(tenant.ID(item.SK)); err != nil {
				return err
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}
