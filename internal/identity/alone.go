package identity

import (
	"context"
	"fmt"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Alone reports whether no other member of the tenant may do what the scope names, so
// that there is nobody to ask for a second opinion. A member without an authenticator
// counts: setting one up is all that they lack.
func (m *Members) Alone(ctx context.Context, t tenant.ID, member string, s Scope) (bool, error) {
	for after := ""; ; {
		page, err := m.DB.Query(ctx, t, store.Identity, store.Query{PK: membersPK, After: after, Limit: 100})
		if err != nil {
			return false, fmt.Errorf("identity: other members: %w", err)
		}
		for _, item := range page.Items {
			if item.SK != member && item.Time("removedAt").IsZero() && Role(item.Str("role")).Allows(s) {
				return false, nil
			}
		}
		if after = page.Next; after == "" {
			return true, nil
		}
	}
}
