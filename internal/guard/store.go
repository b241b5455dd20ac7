package guard

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// Where the items are. The costs themselves lie in pieces under a key of their
// own for each version, so that new ones never mix with old ones and taking old
// ones away never takes new ones.
var (
	settingsKey = store.Key{PK: guardsPK, SK: "settings"}
	costsKey    = store.Key{PK: guardsPK, SK: "costs"}
)

const (
	guardsPK                           = "guards"
	aSettings, aHash, aVersion, aActor = "settings", "hash", "ver", "actor"
	aAt, aRows, aPieces, aPiece        = "at", "rows", "pieces", "piece"
	pieceSize                          = 300 << 10 // under the size of an item
)

const costsPK = "costs#"

func pieceKey(version int64, hash string, i int) store.Key {
	return store.Key{PK: fmt.Sprintf("%s%d.%s", costsPK, version, hash), SK: fmt.Sprintf("%04d", i)}
}

// Store keeps settings and costs. It is safe for concurrent use; keep one, since
// it remembers the sets that it made.
type Store struct {
	DB    store.DB
	Clock clock.Clock
	// MostCosts is how many costs are remembered, of all tenants together beside the
	// latest; 0 for the package's own figure.
	MostCosts int

	mu   sync.Mutex
	sets map[tenant.ID]*Set
}

const (
	// maxSets bounds how many sets are remembered.
	maxSets = 50
	// mostCosts are about as many as one file has at most: one takes some 90 bytes.
	mostCosts = 400_000
)

// Stored are the settings with who set them.
type Stored struct {
	Settings
	Version int64 // 0: never set
	Actor   string
	At      time.Time
}

// Get returns the settings, Default when there are none.
func (s *Store) Get(ctx context.Context, t tenant.ID) (Stored, error) {
	it, err := s.DB.Get(ctx, t, store.Offers, settingsKey)
	if errors.Is(err, store.ErrNotFound) {
		return Stored{Settings: Default()}, nil
	}
	if err != nil {
		return Stored{}, fmt.Errorf("guard: read settings: %w", err)
	}
	return decode(it)
}

func decode(it store.Item) (Stored, error) {
	out := Stored{Version: it.Int(aVersion), Actor: it.Str(aActor), At: it.Time(aAt)}
	if err := json.Unmarshal(it.Bytes(aSettings), &out.Settings); err != nil {
		return Stored{}, fmt.Errorf("guard: settings: %w", err)
	}
	if err := out.Validate(); err != nil {
		return Stored{}, fmt.Errorf("guard: stored settings: %w", err)
	}
	return out, nil
}

// Put replaces the settings with the hash was, and writes the notice of it with the
// same write. Settings that were changed meanwhile are a fault of kind Conflict; the caller reads them again.
func (s *Store) Put(ctx context.Context, t tenant.ID, actor string, next Settings, was string) (Stored, error) {
	if err := next.Validate(); err != nil {
		return Stored{}, err
	}
	old, err := s.Get(ctx, t)
	if err != nil {
		return Stored{}, err
	}
	changed := fault.New(fault.Conflict, "guards-changed", "The guards are no longer the ones that If-Match names. Read them again, and decide anew.")
	if old.Hash() != was {
		return Stored{}, changed
	}
	out := Stored{Settings: next, Version: old.Version + 1, Actor: actor, At: s.Clock.Now()}
	cond := store.Absent()
	if old.Version > 0 {
		cond = store.Eq(aVersion, old.Version)
	}
	put := store.Item{Key: settingsKey, Attrs: map[string]any{
		aSettings: next.encode(), aHash: next.Hash(), aVersion: out.Version, aActor: actor, aAt: store.Millis(out.At),
	}}
	notice := Notice{What: ChangedSettings, Actor: actor, At: out.At, Before: was, After: next.Hash(), Was: old.encode(), Is: next.encode()}
	err = s.DB.Transact(ctx, store.Write{Tenant: t, Table: store.Offers, Put: &put, If: []store.Cond{cond}}, notice.Write(t, out.Version))
	if errors.Is(err, store.ErrConflict) {
		return Stored{}, changed
	}
	if err != nil {
		return Stored{}, fmt.Errorf("guard: write settings: %w", err)
	}
	return out, nil
}

// Load returns the set as it is now. It reads two items; the costs themselves are
// read only when they changed.
func (s *Store) Load(ctx context.Context, t tenant.ID) (*Set, error) {
	for range 3 {
		set, again, err := s.load(ctx, t)
		if err != nil || !again {
			return set, err
		}
	}
	return nil, fault.New(fault.Unavailable, "costs", "The costs are being replaced. Try again.")
}

// load asks to be called again when the costs were replaced while they were read.
func (s *Store) load(ctx context.Context, t tenant.ID) (set *Set, again bool, err error) {
	items, err := s.DB.BatchGet(ctx, t, store.Offers, []store.Key{settingsKey, costsKey})
	if err != nil {
		return nil, false, fmt.Errorf("guard: read settings: %w", err)
	}
	now, costs := Stored{Settings: Default()}, store.Item{}
	for _, it := range items {
		if it.Key == costsKey {
			costs = it
		} else if now, err = decode(it); err != nil {
			return nil, false, err
		}
	}
	s.mu.Lock()
	old := s.sets[t]
	s.mu.Unlock()
	c, hash := (*Costs)(nil), costs.Str(aHash)
	if old != nil {
		c = old.Costs
		if c.Hash() == hash && old.Settings.Hash() == now.Hash() {
			return old, false, nil
		}
	}
	if c.Hash() != hash {
		if c, err = s.readCosts(ctx, t, costs); errors.Is(err, errReplaced) {
			return nil, true, nil
		} else if err != nil {
			return nil, false, err
		}
	}
	set = NewSet(now.Settings, c)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(t, set)
	return set, false, nil
}

// keep remembers a set in place of what there is no room for beside it.
func (s *Store) keep(t tenant.ID, set *Set) {
	delete(s.sets, t)
	n := set.Costs.Len()
	for _, other := range s.sets {
		n += other.Costs.Len()
	}
	if s.sets == nil || len(s.sets) >= maxSets || n > cmp.Or(s.MostCosts, mostCosts) {
		s.sets = map[tenant.ID]*Set{}
	}
	s.sets[t] = set
}

var errReplaced = errors.New("guard: the costs were replaced")

func (s *Store) readCosts(ctx context.Context, t tenant.ID, head store.Item) (*Costs, error) {
	if head.Str(aHash) == "" {
		return nil, nil //nolint:nilnil // no costs are a nil Costs, whose methods say so
	}
	body, err := s.costsFile(ctx, t, head)
	if err != nil {
		return nil, err
	}
	return ParseCosts(body)
}

func (s *Store) costsFile(ctx context.Context, t tenant.ID, head store.Item) ([]byte, error) {
	var body bytes.Buffer
	for i := range int(head.Int(aPieces)) {
		it, err := s.DB.Get(ctx, t, store.Offers, pieceKey(head.Int(aVersion), head.Str(aHash), i))
		if errors.Is(err, store.ErrNotFound) {
			return nil, errReplaced
		}
		if err != nil {
			return nil, fmt.Errorf("guard: read costs: %w", err)
		}
		body.Write(it.Bytes(aPiece))
	}
	if digest(body.Bytes()) != head.Str(aHash) {
		return nil, errors.New("guard: the costs were altered")
	}
	return body.Bytes(), nil
}

// CostsFile returns the costs file as it was given, and its hash; both empty when
// there is none.
func (s *Store) CostsFile(ctx context.Context, t tenant.ID) (body []byte, hash string, err error) {
	for range 3 {
		head, err := s.DB.Get(ctx, t, store.Offers, costsKey)
		if errors.Is(err, store.ErrNotFound) {
			return nil, "", nil
		}
		if err != nil {
			return nil, "", fmt.Errorf("guard: read costs: %w", err)
		}
		body, err = s.costsFile(ctx, t, head)
		if !errors.Is(err, errReplaced) {
			return body, head.Str(aHash), err
		}
	}
	return nil, "", fault.New(fault.Unavailable, "costs", "The costs are being replaced. Try again.")
}

// PutCosts replaces the costs file with the hash was, "" for none; a body without
// rows leaves no costs. Costs that were replaced meanwhile are a fault of kind
// Conflict.
//
// Crash points: the pieces come first; without a head they mean nothing, and
// repeating the call writes the same ones. The head is one conditional write, with
// the notice of it. The old pieces go last, by their time to live: who changes costs
// deletes nothing. A reader that finds them gone reads the new head.
func (s *Store) PutCosts(ctx context.Context, t tenant.ID, actor string, body []byte, was string) (*Costs, error) {
	if len(body) > MaxCosts {
		return nil, fault.New(fault.TooLarge, "costs", "The costs file has %d bytes, at most %d fit.", len(body), MaxCosts)
	}
	c, err := ParseCosts(body)
	if err != nil {
		return nil, err
	}
	changed := fault.New(fault.Conflict, "costs-changed", "The costs are no longer the ones that If-Match names. Read them again, and decide anew.")
	old, err := s.DB.Get(ctx, t, store.Offers, costsKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("guard: read costs: %w", err)
	}
	if old.Str(aHash) != was {
		return nil, changed
	}
	if c.hash == was {
		return c, nil
	}
	pieces, version := 0, old.Int(aVersion)+1
	for rest := body; len(rest) > 0; pieces++ {
		piece := rest[:min(len(rest), pieceSize)]
		rest = rest[len(piece):]
		err := s.DB.Put(ctx, t, store.Offers, store.Item{Key: pieceKey(version, c.hash, pieces), Attrs: map[string]any{aPiece: piece}})
		if err != nil {
			return nil, fmt.Errorf("guard: write costs: %w", err)
		}
	}
	cond := store.Absent()
	if was != "" {
		cond = store.Eq(aVersion, old.Int(aVersion))
	}
	notice := Notice{What: ChangedCosts, Actor: actor, At: s.Clock.Now(), Before: was, After: c.hash}
	put := store.Item{Key: costsKey, Attrs: map[string]any{
		aHash: c.hash, aVersion: version, aPieces: int64(pieces), aRows: int64(c.Len()), aActor: actor, aAt: store.Millis(notice.At),
	}}
	err = s.DB.Transact(ctx, store.Write{Tenant: t, Table: store.Offers, Put: &put, If: []store.Cond{cond}}, notice.Write(t, version))
	if errors.Is(err, store.ErrConflict) {
		return nil, changed
	}
	if err != nil {
		return nil, fmt.Errorf("guard: write costs: %w", err)
	}
	for i := range int(old.Int(aPieces)) {
		_, err := s.DB.Update(ctx, t, store.Offers, pieceKey(old.Int(aVersion), was, i), store.Update{
			Set: map[string]any{"ttl": s.Clock.Now().Unix()}, If: []store.Cond{store.Exists()},
		})
		if err != nil {
			return c, nil //nolint:nilerr // the new costs stand; what is left of the old ones is only in the way
		}
	}
	return c, nil
}
