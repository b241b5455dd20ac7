package fx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/guard"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Where the two items are: each is called like what its notices are about.
var (
	linksKey = store.Key{PK: fxPK, SK: guard.ChangedLinks}
	ratesKey = store.Key{PK: fxPK, SK: guard.ChangedRates}
)

// The attributes of both. The body is the canonical JSON that the hash is of.
const (
	fxPK                                = "fx"
	aBody, aHash, aVersion, aActor, aAt = "body", "hash", "ver", "actor", "at"
)

// Store keeps links and rates.
type Store struct {
	DB    store.DB
	Clock clock.Clock
}

// Version says which version of links or rates it is, and who set it.
type Version struct {
	Version int64 // 0: never set
	Actor   string
	At      time.Time
}

func versionOf(it store.Item) Version {
	return Version{it.Int(aVersion), it.Str(aActor), it.Time(aAt)}
}

// StoredLinks are the links with who set them.
type StoredLinks struct {
	Links
	Version
}

// StoredRates are the rates with who set them; a nil Table for none.
type StoredRates struct {
	*Table
	Version
}

// Links returns the links, Default when there are none.
func (s *Store) Links(ctx context.Context, t tenant.ID) (StoredLinks, error) {
	it, err := s.get(ctx, t, linksKey)
	if err != nil {
		return StoredLinks{}, err
	}
	return decodeLinks(it)
}

func decodeLinks(it store.Item) (StoredLinks, error) {
	out := StoredLinks{Default(), versionOf(it)}
	if out.Version.Version == 0 {
		return out, nil
	}
	if err := json.Unmarshal(it.Bytes(aBody), &out.Links); err != nil {
		return StoredLinks{}, fmt.Errorf("fx: links: %w", err)
	}
	if err := out.Validate(); err != nil {
		return StoredLinks{}, fmt.Errorf("fx: stored links: %w", err)
	}
	return out, nil
}

// Rates returns the rates.
func (s *Store) Rates(ctx context.Context, t tenant.ID) (StoredRates, error) {
	it, err := s.get(ctx, t, ratesKey)
	if err != nil {
		return StoredRates{}, err
	}
	return s.decodeRates(it)
}

func (s *Store) decodeRates(it store.Item) (StoredRates, error) {
	out := StoredRates{Version: versionOf(it)}
	if out.Version.Version == 0 {
		return out, nil
	}
	out.Table = &Table{}
	if err := json.Unmarshal(it.Bytes(aBody), out.Table); err != nil {
		return StoredRates{}, fmt.Errorf("fx: rates: %w", err)
	}
	if err := out.validate(s.Clock.Now()); err != nil {
		return StoredRates{}, fmt.Errorf("fx: stored rates: %w", err)
	}
	return out, nil
}

// get returns an item, an empty one when there is none.
func (s *Store) get(ctx context.Context, t tenant.ID, k store.Key) (store.Item, error) {
	it, err := s.DB.Get(ctx, t, store.Offers, k)
	if errors.Is(err, store.ErrNotFound) {
		return store.Item{}, nil
	}
	if err != nil {
		return store.Item{}, fmt.Errorf("fx: read %s: %w", k.SK, err)
	}
	return it, nil
}

// PutLinks replaces the links with the hash was. Links that were changed meanwhile
// are a fault of kind Conflict; the caller reads them again.
func (s *Store) PutLinks(ctx context.Context, t tenant.ID, actor string, next Links, was string) (StoredLinks, error) {
	if err := next.Validate(); err != nil {
		return StoredLinks{}, err
	}
	old, err := s.Links(ctx, t)
	if err != nil {
		return StoredLinks{}, err
	}
	v, err := s.put(ctx, t, linksKey, actor, next.encode(), old.Version, old.Hash(), was)
	return StoredLinks{next, v}, err
}

// PutRates replaces the rates with the hash was, "" for none, by what a source
// brings. A table that cannot be used is a fault of kind Invalid, and rates that
// were changed meanwhile are one of kind Conflict. Nothing is compared with the
// rates before: somebody looked at these. See Take for a table that nobody did.
func (s *Store) PutRates(ctx context.Context, t tenant.ID, actor string, from Source, was string) (StoredRates, error) {
	next, err := from.Table(ctx)
	if err != nil {
		return StoredRates{}, err
	}
	if err := next.validate(s.Clock.Now()); err != nil {
		return StoredRates{}, err
	}
	old, err := s.Rates(ctx, t)
	if err != nil {
		return StoredRates{}, err
	}
	v, err := s.put(ctx, t, ratesKey, actor, next.encode(), old.Version, old.Hash(), was)
	return StoredRates{&next, v}, err
}

// put replaces an item, if its hash is the one that the caller saw and nobody
// replaces it at the same time, together with the notice of it and with what else
// is to be written.
func (s *Store) put(ctx context.Context, t tenant.ID, k store.Key, actor string, body []byte, old Version, hash, was string, with ...store.Write) (Version, error) {
	changed := fault.New(fault.Conflict, k.SK+"-changed", "The %s are no longer the ones that If-Match names. Read them again, and decide anew.", k.SK)
	if hash != was {
		return Version{}, changed
	}
	cond := store.Absent()
	if old.Version > 0 {
		cond = store.Eq(aVersion, old.Version)
	}
	v := Version{old.Version + 1, actor, s.Clock.Now()}
	it := store.Item{Key: k, Attrs: map[string]any{
		aBody: body, aHash: digest(body), aVersion: v.Version, aActor: actor, aAt: store.Millis(v.At),
	}}
	notice := guard.Notice{What: k.SK, Actor: actor, At: v.At, Before: was, After: it.Str(aHash)}
	err := s.DB.Transact(ctx, append([]store.Write{{Tenant: t, Table: store.Offers, Put: &it, If: []store.Cond{cond}}, notice.Write(t, v.Version)}, with...)...)
	if errors.Is(err, store.ErrConflict) {
		return Version{}, changed
	}
	if err != nil {
		return Version{}, fmt.Errorf("fx: write %s: %w", k.SK, err)
	}
	return v, nil
}

// Load returns the set as it is now.
func (s *Store) Load(ctx context.Context, t tenant.ID) (*Set, error) {
	items, err := s.DB.BatchGet(ctx, t, store.Offers, []store.Key{linksKey, ratesKey})
	if err != nil {
		return nil, fmt.Errorf("fx: read links and rates: %w", err)
	}
	links, rates := StoredLinks{Links: Default()}, StoredRates{}
	for _, it := range items {
		if it.Key == linksKey {
			links, err = decodeLinks(it)
		} else {
			rates, err = s.decodeRates(it)
		}
		if err != nil {
			return nil, err
		}
	}
	return NewSet(links.Links, rates.Table), nil
}
