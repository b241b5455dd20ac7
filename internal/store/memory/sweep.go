package memory

import (
	"context"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

var _ store.Sweeper = (*DB)(nil)

// segments is small and more than one: enough for sweeps that are cut off between
// two of them.
const segments = 4

// Segments is into how many parts Sweep cuts a table.
func (db *DB) Segments() int { return segments }

// Sweep deletes from one segment what is the tenant's. Deletions are writes like
// any others: the Hook sees them and the stream has them.
func (db *DB) Sweep(ctx context.Context, t tenant.ID, table store.Table, segment int, keep store.Keep) (deleted int, err error) {
	if err := store.CheckKeys(t, table); err != nil {
		return 0, err
	}
	tab := db.tables[table]
	for i := segment; i < shards; i += segments {
		for _, f := range tab.shards[i].all() {
			owner := f.key.tenant
			if owner != t && (owner != store.Directory || !store.NamesTenant(f.row.item(f.key.pk), t)) {
				continue
			}
			key := store.Key{PK: f.key.pk, SK: f.row.sk}
			if keep.Spares(owner, key) {
				continue
			}
			if err := db.Delete(ctx, owner, table, key); err != nil {
				return deleted, err
			}
			deleted++
		}
	}
	return deleted, nil
}
