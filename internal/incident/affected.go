package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pricemanager/internal/ledger"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Holders says whose items a table holds. It looks at the whole table.
type Holders interface {
	Tenants(ctx context.Context, table store.Table) ([]tenant.ID, error)
}

// Affected is a tenant whose data was reachable.
type Affected struct {
	Tenant tenant.ID
	Tables []store.Table // that hold items of it
	// Active says that its ledger grew while data was reachable: something of it was
	// under way, not only at rest.
	Active bool
}

// WhoseData finds the tenants of an incident: whoever has items in its tables; when
// it is about one connection, whoever has that connection. Tenants that were erased
// since are missing, and ones that came only after its end are not in it.
func WhoseData(ctx context.Context, db store.DB, h Holders, i Incident) ([]Affected, error) {
	found := map[tenant.ID]*Affected{}
	for _, table := range i.Tables {
		ids, err := h.Tenants(ctx, table)
		if err != nil {
			return nil, fmt.Errorf("incident: who is in %s: %w", table, err)
		}
		for _, t := range ids {
			if t == store.Directory {
				continue
			}
			if found[t] == nil {
				found[t] = &Affected{Tenant: t}
			}
			found[t].Tables = append(found[t].Tables, table)
		}
	}
	var out []Affected
	for t, a := range found {
		reached, active, err := Reached(ctx, db, t, i)
		if err != nil {
			return nil, err
		}
		if !reached {
			continue
		}
		a.Active = active
		out = append(out, *a)
	}
	slices.SortFunc(out, func(a, b Affected) int { return strings.Compare(string(a.Tenant), string(b.Tenant)) })
	return out, nil
}

// Reached reports whether data of a tenant was reachable in an incident, given that it
// has items in the incident's tables, and whether its ledger grew meanwhile. Of an
// incident that is about one connection, it asks for that connection.
func Reached(ctx context.Context, db store.DB, t tenant.ID, i Incident) (reached, active bool, err error) {
	if i.Connection != "" {
		_, err := db.Get(ctx, t, store.Connections, store.Key{PK: "connections", SK: i.Connection})
		if errors.Is(err, store.ErrNotFound) {
			return false, false, nil
		}
		if err != nil {
			return false, false, fmt.Errorf("incident: connection of %s: %w", t, err)
		}
	}
	began, active, err := ledger.Grew(ctx, db, t, i.From, i.To)
	if err != nil {
		return false, false, err
	}
	if !i.To.IsZero() && began.After(i.To) {
		return false, false, nil // it came later
	}
	return true, active, nil
}
