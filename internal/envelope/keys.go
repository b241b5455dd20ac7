package envelope

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"strconv"
	"strings"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Wrapped keys are items of the keys table: PK "datakey", SK
// "<purpose>/<version, 10 digits>". One PK for all purposes, so that shredding
// finds every key of the tenant without knowing the purposes.
const (
	keysPK      = "datakey"
	attrWrapped = "wrapped"
	attrKMSKey  = "kmsKey"
	attrCreated = "created"
	attrErased  = "erased" // instead of a key, see Shred
	// attrRewrapped is when the key was last wrapped anew; missing: never.
	attrRewrapped = "rewrapped"
)

var seed = maphash.MakeSeed()

func (r ring) key(version uint32) store.Key {
	return store.Key{PK: keysPK, SK: fmt.Sprintf("%s/%010d", r.purpose, version)}
}

// context is the KMS encryption context. CloudTrail shows it: it holds the
// opaque tenant id and nothing personal.
func (r ring) context() map[string]string {
	return map[string]string{"tenant": string(r.tenant), "purpose": string(r.purpose)}
}

// sealing returns a cipher of the ring's current key, making the key when there
// is none or the current one has done its service.
func (s *Sealer) sealing(ctx context.Context, r ring) (cipher.AEAD, uint32, error) {
	aead, version, _, err := s.cache.forSeal(r, s.clock.Now(), s.limit)
	if aead != nil || err != nil {
		return aead, version, err
	}
	unlock, err := s.lock(ctx, r)
	if err != nil {
		return nil, 0, err
	}
	defer unlock()
	// Each round reads the newest key or makes its successor. A round is lost
	// only to another process that made it first; then the next one reads theirs.
	for range 5 {
		var spent uint32
		aead, version, spent, err = s.cache.forSeal(r, s.clock.Now(), s.limit)
		if aead != nil || err != nil {
			return aead, version, err
		}
		if err := s.loadCurrent(ctx, r, spent); err != nil && !errors.Is(err, store.ErrConflict) {
			return nil, 0, err
		}
	}
	return nil, 0, fmt.Errorf("%w: the current key of %s/%s keeps changing", ErrUnavailable, r.tenant, r.purpose)
}

// loadCurrent puts the newest key version into the cache, or makes the next one
// when there is none, it is too old, or its version is spent.
func (s *Sealer) loadCurrent(ctx context.Context, r ring, spent uint32) error {
	page, err := s.db.Query(ctx, r.tenant, store.Keys, store.Query{
		PK: keysPK, Prefix: string(r.purpose) + "/", Reverse: true, Limit: 1,
	})
	if err != nil {
		return fmt.Errorf("%w: newest key of %s/%s: %w", ErrUnavailable, r.tenant, r.purpose, err)
	}
	if len(page.Items) == 0 {
		return s.create(ctx, r, 1)
	}
	item := page.Items[0]
	if item.Bool(attrErased) {
		return fmt.Errorf("%w: %s", ErrErased, r.tenant)
	}
	version, err := versionOf(item)
	if err != nil {
		return err
	}
	age := s.clock.Now().Sub(item.Time(attrCreated))
	if version == spent || age >= keyAge {
		return s.create(ctx, r, version+1)
	}
	if ref := (keyRef{r, version}); !s.cache.promote(ref, s.clock.Now()) {
		return s.load(ctx, ref, item, true)
	}
	return nil
}

// create makes a data key and stores it wrapped. The store decides between two
// creators: the loser gets ErrConflict, drops its key unused and reads the
// winner's. The key enters the cache only after it is stored, so nothing is
// ever sealed with a key that a crash could lose.
func (s *Sealer) create(ctx context.Context, r ring, version uint32) error {
	plain, wrapped, keyID, err := s.kms.GenerateDataKey(ctx, r.context())
	if err != nil {
		return fmt.Errorf("%w: make data key for %s/%s: %w", ErrUnavailable, r.tenant, r.purpose, err)
	}
	now := s.clock.Now()
	err = s.db.Put(ctx, r.tenant, store.Keys, store.Item{
		Key: r.key(version),
		Attrs: map[string]any{
			attrWrapped: wrapped, attrKMSKey: keyID, attrCreated: store.Millis(now),
		},
	}, store.Absent())
	if err != nil {
		clear(plain)
		if errors.Is(err, store.ErrConflict) {
			return err
		}
		return fmt.Errorf("%w: store data key of %s/%s: %w", ErrUnavailable, r.tenant, r.purpose, err)
	}
	s.cache.put(&dataKey{ref: keyRef{r, version}, plain: plain, loaded: now, retire: now.Add(keyAge), current: true})
	return nil
}

// opening returns a cipher of one key version.
func (s *Sealer) opening(ctx context.Context, ref keyRef) (cipher.AEAD, error) {
	if aead, err := s.cache.forOpen(ref, s.clock.Now()); aead != nil || err != nil {
		return aead, err
	}
	unlock, err := s.lock(ctx, ref.ring)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if aead, err := s.cache.forOpen(ref, s.clock.Now()); aead != nil || err != nil {
		return aead, err
	}
	item, err := s.db.Get(ctx, ref.tenant, store.Keys, ref.key(ref.version))
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrOpen
	}
	if err != nil {
		return nil, fmt.Errorf("%w: key %d of %s/%s: %w", ErrUnavailable, ref.version, ref.tenant, ref.purpose, err)
	}
	if err := s.load(ctx, ref, item, false); err != nil {
		if errors.Is(err, ErrRefused) {
			return nil, ErrOpen
		}
		return nil, err
	}
	aead, err := s.cache.forOpen(ref, s.clock.Now())
	if aead == nil && err == nil {
		err = fmt.Errorf("%w: key %d of %s/%s left the cache at once", ErrUnavailable, ref.version, ref.tenant, ref.purpose)
	}
	return aead, err
}

// load unwraps a stored key into the cache.
func (s *Sealer) load(ctx context.Context, ref keyRef, item store.Item, current bool) error {
	plain, err := s.kms.Decrypt(ctx, item.Bytes(attrWrapped), ref.context())
	if err != nil {
		return fmt.Errorf("%w: unwrap key %d of %s/%s: %w", ErrUnavailable, ref.version, ref.tenant, ref.purpose, err)
	}
	s.cache.put(&dataKey{
		ref: ref, plain: plain, loaded: s.clock.Now(),
		retire: item.Time(attrCreated).Add(keyAge), current: current,
	})
	return nil
}

// Shred destroys the tenant's wrapped keys: everything sealed for it stays
// closed for ever. Other processes may hold a plain key for another cacheFor,
// and backups of the keys table bring keys back until they expire; the caller
// accounts for both. Shredding twice is no error.
//
// A mark takes the place of the highest version of every purpose first, so that
// whoever seals for the tenant later is refused with ErrErased and makes no new
// key. A key that was being made meanwhile is destroyed by shredding again.
func (s *Sealer) Shred(ctx context.Context, t tenant.ID) error {
	s.cache.forget(t)
	for _, p := range Purposes() {
		mark := store.Item{Key: ring{t, p}.key(math.MaxUint32), Attrs: map[string]any{attrErased: true}}
		if err := s.db.Put(ctx, t, store.Keys, mark); err != nil {
			return fmt.Errorf("envelope: shred %s: close %s: %w", t, p, err)
		}
	}
	for after := ""; ; {
		page, err := s.db.Query(ctx, t, store.Keys, store.Query{PK: keysPK, After: after})
		if err != nil {
			return fmt.Errorf("envelope: shred %s: list keys: %w", t, err)
		}
		for _, item := range page.Items {
			if item.Bool(attrErased) {
				continue
			}
			if err := s.db.Delete(ctx, t, store.Keys, item.Key); err != nil {
				return fmt.Errorf("envelope: shred %s: delete %s: %w", t, item.SK, err)
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

// lock lets one goroutine at a time load keys of a ring, so that a thousand
// callers with a cold cache make one KMS call.
func (s *Sealer) lock(ctx context.Context, r ring) (unlock func(), err error) {
	ch := s.loads[maphash.Comparable(seed, r)%uint64(len(s.loads))]
	select {
	case ch <- struct{}{}:
		return func() { <-ch }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}

func versionOf(item store.Item) (uint32, error) {
	_, digits, _ := strings.Cut(item.SK, "/")
	v, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || v == 0 {
		return 0, fmt.Errorf("envelope: key item %q has no version", item.SK)
	}
	return uint32(v), nil
}
