package store

import (
	"context"
	"slices"
	"strings"

	"pricemanager/internal/tenant"
)

// Sweeper deletes what a table keeps of one tenant without being told what that
// is, so that an erasure cannot forget a kind of item that was added later. It
// looks at every item of the table, which is slow and meant for that alone; a
// table is looked through in segments, so that a long sweep can be cut into
// pieces without noting where in other tenants' items it was.
type Sweeper interface {
	// Segments is into how many parts Sweep cuts a table; always the same.
	Segments() int
	// Sweep deletes from one segment what is the tenant's and that keep, which may
	// be nil, does not spare, and returns how many items that was. owner is the
	// tenant or Directory. An error leaves some of it deleted; repeating the call
	// deletes the rest.
	Sweep(ctx context.Context, t tenant.ID, table Table, segment int, keep Keep) (deleted int, err error)
}

// Keep says which items a Sweep spares.
type Keep func(owner tenant.ID, key Key) bool

// Spares reports whether the item stays.
func (k Keep) Spares(owner tenant.ID, key Key) bool { return k != nil && k(owner, key) }

// NamesTenant reports whether an item of the directory is about the tenant: by its
// attribute "tenant", or by a part of its SK between slashes. These are the two
// forms that directory items have.
func NamesTenant(it Item, t tenant.ID) bool {
	return it.Str(AttrTenant) == string(t) || slices.Contains(strings.Split(it.SK, "/"), string(t))
}

// AttrTenant is the attribute with which an item of the directory names its tenant.
const AttrTenant = "tenant"
