package envelope

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Rewrapper is a KMS that wraps a data key anew under the present key and key
// material without showing it to anybody. A wrapped key that is not its own is
// ErrRefused; other errors mean that it could not answer.
type Rewrapper interface {
	Rewrap(ctx context.Context, wrapped []byte, encContext map[string]string) (anew []byte, keyID string, err error)
}

// KeyVersion is one data key as it is stored: nothing of it is secret.
type KeyVersion struct {
	Purpose Purpose
	Version uint32
	KMSKey  string    // what it is wrapped with
	Created time.Time // when it took over sealing
	Wrapped time.Time // when it was last wrapped
	Current bool      // the newest of its purpose
}

// Versions lists the tenant's data keys by purpose and version. A tenant that was
// erased is ErrErased.
func (s *Sealer) Versions(ctx context.Context, t tenant.ID) ([]KeyVersion, error) {
	var all []KeyVersion
	err := each(ctx, s.db, t, store.Keys, keysPK, func(item store.Item) error {
		if item.Bool(attrErased) {
			return ErrErased
		}
		k, err := keyVersion(item)
		if err != nil {
			return err
		}
		// Versions come in order: whoever has a successor is not the newest.
		if n := len(all); n > 0 && all[n-1].Purpose == k.Purpose {
			all[n-1].Current = false
		}
		all = append(all, k)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("envelope: data keys of %s: %w", t, err)
	}
	return all, nil
}

// Rotate makes the next version of a data key unless the newest was made at
// since or later, and returns the newest. Repeating it with the same since,
// after a crash or by somebody else at once, makes no other. A tenant that has no
// key of the purpose gets none and the answer 0.
//
// Processes that hold the old version go on sealing with it until their copy
// leaves the cache, five minutes at most; old versions keep opening.
func (s *Sealer) Rotate(ctx context.Context, t tenant.ID, p Purpose, since time.Time) (uint32, error) {
	r := ring{t, p}
	for range 5 {
		newest, err := s.newest(ctx, r)
		if err != nil {
			return 0, fmt.Errorf("envelope: rotate %s/%s: %w", t, p, err)
		}
		if newest.Version == 0 || !newest.Created.Before(since) {
			return newest.Version, nil
		}
		// One write, and only if nobody else made this version: a crash before it
		// leaves the old version in use, a crash after it the new one.
		if err := s.create(ctx, r, newest.Version+1); err != nil && !errors.Is(err, store.ErrConflict) {
			return 0, err
		}
	}
	return 0, fmt.Errorf("%w: the newest key of %s/%s is always older than %s", ErrUnavailable, t, p, since)
}

// Rewrap wraps every data key of the tenant anew that was last wrapped before
// the given time, and returns how many it did. The keys stay the same, so sealed
// fields do not change and nothing that is being sealed or opened notices.
//
// Each key is one conditional write: a crash leaves some keys wrapped the old
// way and some the new way, all of them open, and the next call does the rest. A
// KMS key may be retired only when a call has returned 0 for every tenant.
func (s *Sealer) Rewrap(ctx context.Context, kms Rewrapper, t tenant.ID, before time.Time) (done int, err error) {
	err = s.eachKey(ctx, t, func(item store.Item) error {
		if !wrappedAt(item).Before(before) {
			return nil
		}
		old := item.Bytes(attrWrapped)
		anew, keyID, err := kms.Rewrap(ctx, old, ring{t, purposeOf(item)}.context())
		if err != nil {
			return fmt.Errorf("%s: %w", item.SK, err)
		}
		_, err = s.db.Update(ctx, t, store.Keys, item.Key, store.Update{
			Set: map[string]any{attrWrapped: anew, attrKMSKey: keyID, attrRewrapped: store.Millis(s.clock.Now())},
			// Another run was faster, or the tenant was erased: a destroyed key must
			// not come back.
			If: []store.Cond{store.Eq(attrWrapped, old)},
		})
		if errors.Is(err, store.ErrConflict) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", item.SK, err)
		}
		done++
		return nil
	})
	if err != nil {
		return done, fmt.Errorf("envelope: rewrap data keys of %s: %w", t, err)
	}
	return done, nil
}

// newest is the ring's newest version; its Version is 0 when there is none.
func (s *Sealer) newest(ctx context.Context, r ring) (KeyVersion, error) {
	page, err := s.db.Query(ctx, r.tenant, store.Keys, store.Query{PK: keysPK, Prefix: string(r.purpose) + "/", Reverse: true, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return KeyVersion{}, err
	}
	if page.Items[0].Bool(attrErased) {
		return KeyVersion{}, fmt.Errorf("%w: %s", ErrErased, r.tenant)
	}
	return keyVersion(page.Items[0])
}

func keyVersion(item store.Item) (KeyVersion, error) {
	v, err := versionOf(item)
	return KeyVersion{
		Purpose: purposeOf(item), Version: v, KMSKey: item.Str(attrKMSKey),
		Created: item.Time(attrCreated), Wrapped: wrappedAt(item), Current: true,
	}, err
}

func purposeOf(item store.Item) Purpose {
	p, _, _ := strings.Cut(item.SK, "/")
	return Purpose(p)
}

// eachKey calls f with every wrapped key of the tenant, by purpose and version.
func (s *Sealer) eachKey(ctx context.Context, t tenant.ID, f func(store.Item) error) error {
	return each(ctx, s.db, t, store.Keys, keysPK, func(item store.Item) error {
		if item.Bool(attrErased) {
			return nil
		}
		return f(item)
	})
}

func each(ctx context.Context, db store.DB, t tenant.ID, table store.Table, pk string, f func(store.Item) error) error {
	for after := ""; ; {
		page, err := db.Query(ctx, t, table, store.Query{PK: pk, After: after})
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			if err := f(item); err != nil {
				return err
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

func wrappedAt(item store.Item) time.Time {
	if at := item.Time(attrRewrapped); !at.IsZero() {
		return at
	}
	return item.Time(attrCreated)
}
