package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Where a tenant's own item is.
var tenantKey = store.Key{PK: "tenant", SK: "tenant"}

// Tenants makes tenants.
type Tenants struct {
	db    store.DB
	clock clock.Clock
}

// NewTenants returns Tenants over the identity table.
func NewTenants(db store.DB, c clock.Clock) *Tenants { return &Tenants{db: db, clock: c} }

// Create makes a tenant. actor is who asked, for the ledger. An id that is
// taken is a Conflict and changes nothing.
func (s *Tenants) Create(ctx context.Context, id tenant.ID, actor, name string) error {
	name = strings.TrimSpace(name)
	if !id.Valid() || id == store.Directory {
		return fault.New(fault.Invalid, "tenant", "A tenant id is t_ followed by 6 to 32 of a-z and 0-9.")
	}
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		return fault.New(fault.Invalid, "name", "Give the tenant a name of 1 to %d bytes.", maxName)
	}
	item := store.Item{Key: tenantKey, Attrs: map[string]any{
		"name": name, "createdAt": store.Millis(s.clock.Now()), "createdBy": actor,
	}}
	err := s.db.Put(ctx, id, store.Identity, item, store.Absent())
	if errors.Is(err, store.ErrConflict) {
		return fault.New(fault.Conflict, "tenant-exists", "There is a tenant with this id already.").Because(err)
	}
	if err != nil {
		return fmt.Errorf("identity: create tenant: %w", err)
	}
	return nil
}
