package envelope

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Place is where fields sealed for one purpose rest: one attribute of all items
// of one PK.
type Place struct {
	Purpose Purpose
	Table   store.Table
	PK      string
	Field   string
	// Fixed: what is written there is never written again (the ledger's role
	// cannot). Such fields keep their key version for as long as they are kept.
	Fixed bool
}

func (p Place) where(key store.Key) Where { return Where{Table: p.Table, Key: key, Field: p.Field} }

// Settled is how long after a new version took over nothing is written any more
// that was sealed with an older one: the cache's five minutes and the longest
// life of a function's call, rounded up generously.
const Settled = time.Hour

// Kept is how long a version stays after it settled, since a table restored to
// an earlier moment holds fields that only it opens: the tables' recovery
// window.
const Kept = 35 * 24 * time.Hour

// Use is how many fields of a tenant are sealed with one key version.
type Use struct {
	KeyVersion
	Fields int  // that rest in places
	Fixed  bool // some of them stay
}

// Usage counts which versions the fields in places are sealed with. A version
// that has fields but no key is in it as well: nothing opens those.
func (s *Sealer) Usage(ctx context.Context, t tenant.ID, places []Place) ([]Use, error) {
	versions, err := s.Versions(ctx, t)
	if err != nil {
		return nil, err
	}
	type id struct {
		p Purpose
		v uint32
	}
	at := map[id]int{}
	var all []Use
	for _, v := range versions {
		at[id{v.Purpose, v.Version}] = len(all)
		all = append(all, Use{KeyVersion: v})
	}
	for _, p := range places {
		err := each(ctx, s.db, t, p.Table, p.PK, func(item store.Item) error {
			version, _, ok := parse(item.Bytes(p.Field))
			if !ok {
				return nil
			}
			i, known := at[id{p.Purpose, version}]
			if !known {
				i = len(all)
				at[id{p.Purpose, version}] = i
				all = append(all, Use{KeyVersion: KeyVersion{Purpose: p.Purpose, Version: version}})
			}
			all[i].Fields++
			all[i].Fixed = all[i].Fixed || p.Fixed
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("envelope: count fields of %s in %s: %w", t, p.Table, err)
		}
	}
	return all, nil
}

// Reseal seals every field of the place again that is sealed with another than
// the newest version, and returns how many it did. Fixed places are left alone.
//
// Each field is one write that holds only while the field is what was read: a
// crash leaves some fields under the old version and some under the new one, all
// of them open; a field that its owner changed in between keeps the owner's
// value. The next call does the rest.
func (s *Sealer) Reseal(ctx context.Context, t tenant.ID, p Place) (done int, err error) {
	if p.Fixed {
		return 0, nil
	}
	newest, err := s.newest(ctx, ring{t, p.Purpose})
	if err != nil {
		return 0, err
	}
	s.cache.retire(ring{t, p.Purpose}, newest.Version)
	err = each(ctx, s.db, t, p.Table, p.PK, func(item store.Item) error {
		old := item.Bytes(p.Field)
		version, _, ok := parse(old)
		if !ok || version >= newest.Version {
			return nil
		}
		plain, err := s.Open(ctx, t, p.Purpose, p.where(item.Key), old)
		if err != nil {
			return fmt.Errorf("field %s: %w", p.Field, err)
		}
		anew, err := s.Seal(ctx, t, p.Purpose, p.where(item.Key), plain)
		clear(plain)
		if err != nil {
			return fmt.Errorf("field %s: %w", p.Field, err)
		}
		_, err = s.db.Update(ctx, t, p.Table, item.Key, store.Update{
			Set: map[string]any{p.Field: anew}, If: []store.Cond{store.Eq(p.Field, old)},
		})
		if errors.Is(err, store.ErrConflict) {
			return nil
		}
		if err == nil {
			done++
		}
		return err
	})
	if err != nil {
		return done, fmt.Errorf("envelope: reseal %s of %s: %w", p.Purpose, t, err)
	}
	return done, nil
}

// Destroy removes the versions of the tenant's data keys that nothing needs any
// more, and returns them: not the newest, older than Kept and Settled since
// their successor took over, and with no field left in any of the places.
// places must be all that there are: a field elsewhere is lost.
//
// The count comes after the waiting: by then nobody seals with such a version,
// so a count of zero stays zero, and a crash anywhere leaves a key too many and
// never one too few.
func (s *Sealer) Destroy(ctx context.Context, t tenant.ID, places []Place) ([]KeyVersion, error) {
	now := s.clock.Now()
	uses, err := s.Usage(ctx, t, places)
	if err != nil {
		return nil, err
	}
	var gone []KeyVersion
	for i, u := range uses {
		if u.Current || u.Fields > 0 || i+1 == len(uses) || uses[i+1].Purpose != u.Purpose {
			continue
		}
		if now.Sub(uses[i+1].Created) < Settled+Kept {
			continue
		}
		err := s.db.Delete(ctx, t, store.Keys, ring{t, u.Purpose}.key(u.Version))
		if err != nil {
			return gone, fmt.Errorf("envelope: destroy version %d of %s/%s: %w", u.Version, t, u.Purpose, err)
		}
		gone = append(gone, u.KeyVersion)
	}
	return gone, nil
}
