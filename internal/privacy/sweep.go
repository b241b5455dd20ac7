package privacy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// swept are the tables that an erasure deletes from, in this order: API keys
// first, so that nobody asks for anything any more. Of the rest, the ledger keeps
// its tree, whose values were sealed with the keys that Shred destroys, and the
// keys table is Shred's.
func swept() []store.Table {
	return []store.Table{store.Identity, store.Limits, store.Connections, store.Offers, store.Privacy}
}

// emptied are the buckets that an erasure deletes from. The archive is under
// Object Lock and holds signed tree heads and sealed values.
func emptied() []store.Bucket {
	return []store.Bucket{store.Files, store.Exports, store.Downloads, store.History}
}

// stays says what a sweep spares: the erasure itself with its mark, the stop of
// sending as long as something could be sent, and what dismiss deletes.
func (x *Erasures) stays(table store.Table) store.Keep {
	return func(owner tenant.ID, key store.Key) bool {
		if table == store.Privacy {
			return key.PK == erasurePK || key == closedKey || owner == store.Directory && key.PK == erasureOpenPK
		}
		return x.Frozen(table, key) || x.namesUser(table, key)
	}
}

// units is how many parts a pass over everything has.
func (x *Erasures) units() int64 {
	return int64(len(swept())*x.Sweeper.Segments() + len(emptied()))
}

// unit does one part of a pass: a segment of a table, or a bucket.
func (x *Erasures) unit(ctx context.Context, t tenant.ID, n int64) (deleted int64, err error) {
	segments := int64(x.Sweeper.Segments())
	if tables := swept(); n < int64(len(tables))*segments {
		table := tables[n/segments]
		if table == store.Identity && n%segments == 0 {
			if deleted, err = x.dismiss(ctx, t); err != nil {
				return deleted, err
			}
		}
		gone, err := x.Sweeper.Sweep(ctx, t, table, int(n%segments), x.stays(table))
		if deleted += int64(gone); err != nil {
			return deleted, fmt.Errorf("table %s: %w", table, err)
		}
		return deleted, nil
	}
	bucket := emptied()[n-int64(len(swept()))*segments]
	names, err := x.Blobs.List(ctx, t, bucket, "")
	if err != nil {
		return 0, fmt.Errorf("bucket %s: %w", bucket, err)
	}
	for _, name := range names {
		if err := x.Blobs.Delete(ctx, t, bucket, name); err != nil {
			return deleted, fmt.Errorf("bucket %s: %w", bucket, err)
		}
		deleted++
	}
	return deleted, nil
}

// sweep goes on with a pass; all says that it came to its end. How far it got is
// in e, and is noted only by who hands on: what is lost with a crash is looked at
// once more.
func (x *Erasures) sweep(ctx context.Context, e Erasure, until time.Time) (_ Erasure, all bool, err error) {
	for ; e.position < x.units(); e.position++ {
		if !x.Clock.Now().Before(until) {
			return e, false, nil
		}
		n, err := x.unit(ctx, e.Tenant, e.position)
		e.deleted += n
		if err != nil {
			return e, false, err
		}
	}
	return e, true, nil
}

// Tombstones are objects of the archive, under the directory: outside of the
// tables, whose restore could bring a tenant back and forget that it was erased,
// and under Object Lock.
const tombstonePrefix = "tombstones/"

func (x *Erasures) bury(ctx context.Context, s tombstone) error {
	body, err := s.encode()
	if err != nil {
		return err
	}
	err = x.Blobs.Put(ctx, store.Directory, store.Archive, tombstonePrefix+string(s.Tenant)+".json", "application/json", body)
	if err != nil {
		return fmt.Errorf("privacy: keep tombstone of %s: %w", s.Tenant, err)
	}
	return nil
}

// Replayed is what a replay did for one tenant.
type Replayed struct {
	Tenant  tenant.ID
	Deleted int64 // items and objects that a restore had brought back
}

// Replay erases every tenant again that has a tombstone. It is run on what a
// restore brought back, before anything else uses it, and can be run at any time.
// What fails for one tenant does not keep the others; the error says which.
func (x *Erasures) Replay(ctx context.Context) (done []Replayed, err error) {
	names, err := x.Blobs.List(ctx, store.Directory, store.Archive, tombstonePrefix)
	if err != nil {
		return nil, fmt.Errorf("privacy: list tombstones: %w", err)
	}
	var failed []error
	for _, name := range names {
		t, ok := strings.CutSuffix(strings.TrimPrefix(name, tombstonePrefix), ".json")
		var s tombstone
		body, err := x.Blobs.Get(ctx, store.Directory, store.Archive, name)
		if err == nil {
			err = json.Unmarshal(body, &s)
		}
		if err == nil && (!ok || string(s.Tenant) != t || !s.Tenant.Valid()) {
			err = errors.New("it is not what its name says")
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("privacy: tombstone %s: %w", name, err))
			continue
		}
		n, err := x.again(ctx, s.Tenant)
		if err != nil {
			failed = append(failed, fmt.Errorf("privacy: erase %s again: %w", s.Tenant, err))
			continue
		}
		done = append(done, Replayed{s.Tenant, n})
	}
	return done, errors.Join(failed...)
}

// again erases without a state: everything is there to be deleted, and nobody
// writes to what was restored yet. The mark comes first, for the changes that this
// makes are heard of later.
func (x *Erasures) again(ctx context.Context, t tenant.ID) (deleted int64, err error) {
	if err := x.DB.Transact(ctx, shut(t)); err != nil {
		return 0, fmt.Errorf("close the doors: %w", err)
	}
	for n := range x.units() {
		gone, err := x.unit(ctx, t, n)
		deleted += gone
		if err != nil {
			return deleted, err
		}
	}
	if err := x.Thaw(ctx, t); err != nil {
		return deleted, err
	}
	return deleted, x.Keys.Shred(ctx, t)
}
