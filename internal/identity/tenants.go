package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/personal"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Where a tenant's own item is.
var tenantKey = store.Key{PK: personal.CompanyPK, SK: "tenant"}

// Tenants makes tenants.
type Tenants struct {
	db     store.DB
	sealer personal.Sealer
	clock  clock.Clock
}

// NewTenants returns Tenants over the identity table, whose names s seals.
func NewTenants(db store.DB, s personal.Sealer, c clock.Clock) *Tenants {
	return &Tenants{db: db, sealer: s, clock: c}
}

// Create makes a tenant. actor is who asked, for the ledger. An id that is
// taken is a Conflict and changes nothing.
func (s *Tenants) Create(ctx context.Context, id tenant.ID, actor, name string) error {
	w, err := s.Founding(ctx, id, actor, name)
	if err != nil {
		return err
	}
	err = s.db.Transact(ctx, w, s.Listing(id))
	if errors.Is(err, store.ErrConflict) {
		return fault.New(fault.Conflict, "tenant-exists", "There is a tenant with this id already.").Because(err)
	}
	if err != nil {
		return fmt.Errorf("identity: create tenant: %w", err)
	}
	return nil
}

// Founding is the write that makes a tenant, for a transaction that makes its first
// member too.
func (s *Tenants) Founding(ctx context.Context, id tenant.ID, actor, name string) (store.Write, error) {
	name, err := CleanName(name)
	if err != nil {
		return store.Write{}, err
	}
	if !id.Valid() || id == store.Directory {
		return store.Write{}, fault.New(fault.Invalid, "tenant", "A tenant id is t_ followed by 6 to 32 of a-z and 0-9.")
	}
	sealed, err := personal.Seal(ctx, s.sealer, id, personal.CompanyName, tenantKey, personal.New(name))
	if err != nil {
		return store.Write{}, fmt.Errorf("identity: create tenant: %w", err)
	}
	item := store.Item{Key: tenantKey, Attrs: map[string]any{
		personal.CompanyName.Attr: sealed, "createdAt": store.Millis(s.clock.Now()), "createdBy": actor,
	}}
	return store.Write{Tenant: id, Table: store.Identity, Put: &item, If: []store.Cond{store.Absent()}}, nil
}

// CleanName returns the name of a person or a company as it is kept.
func CleanName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return "", fault.New(fault.Invalid, "name", "Give a name of 1 to %d bytes, in one line.", maxName)
	}
	return name, nil
}
