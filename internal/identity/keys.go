package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"pricemanager/internal/clock"
	"pricemanager/internal/fault"
	"pricemanager/internal/personal"
	"pricemanager/internal/secret"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

const (
	// KeyLife is how long a new key works: a year, so that a forgotten one ends.
	KeyLife = 365 * 24 * time.Hour
	// usedEvery is how fine lastUsed is: one write per key and hour, not per call.
	usedEvery = time.Hour
	// minPepper is the shortest pepper accepted, in bytes: 128 bits as hex.
	minPepper = 32
	maxName   = 100
)

// Where the items are: the key's own item, and in the Directory its tenant.
const keysPK = personal.APIKeysPK

// aPepper names the pepper that a key's mac was made with; keys from before
// rotations lack it.
const aPepper = "pepper"

func directoryKey(id string) store.Key { return store.Key{PK: "apikey#" + id, SK: "tenant"} }
func itemKey(id string) store.Key      { return store.Key{PK: keysPK, SK: id} }

// Peppers gives the secrets that stored keys are hashed under: the first one
// for new keys, all of them for old ones, so that a pepper can be replaced. What
// is given may be some minutes old unless fresh is wanted.
type Peppers func(ctx context.Context, fresh bool) ([]secret.Value, error)

// Keys makes and checks API keys. It is safe for concurrent use.
type Keys struct {
	db      store.DB
	sealer  personal.Sealer
	peppers Peppers
	clock   clock.Clock
	random  io.Reader
}

// NewKeys returns Keys over the identity table.
func NewKeys(db store.DB, peppers Peppers, c clock.Clock, random io.Reader) *Keys {
	return &Keys{db: db, peppers: peppers, clock: c, random: random}
}

// Sealing returns Keys that can seal and open the names of keys. Others can neither
// make keys nor list them.
func (k *Keys) Sealing(s personal.Sealer) *Keys {
	with := *k
	with.sealer = s
	return &with
}

var errNoSealer = errors.New("identity: names are sealed, and there is nothing to do it with")

// Key is what is known about an API key; never the key itself.
type Key struct {
	ID        string
	Name      personal.Sensitive[string]
	Scopes    []Scope
	Role      Role
	CreatedAt time.Time
	CreatedBy string
	Expires   time.Time
	LastUsed  time.Time // to the hour; zero: never
	Revoked   time.Time // zero: not revoked
	// From lists the addresses and prefixes that it works from, with blanks between
	// them; empty: it works from everywhere.
	From personal.Sensitive[string]
}

// NewKey is what Make makes a key of.
type NewKey struct {
	Name   string
	Scopes []Scope
	Life   time.Duration // zero: KeyLife, which is also the longest
	From   []string      // addresses and prefixes it works from; none: from everywhere
}

// Create makes a key that works from everywhere for KeyLife; see Make.
func (k *Keys) Create(ctx context.Context, t tenant.ID, actor, name string, scopes []Scope) (Key, secret.Value, error) {
	return k.Make(ctx, t, actor, NewKey{Name: name, Scopes: scopes})
}

// Make makes a key for the tenant's machine and returns it: the only time that it
// can be seen. actor is who asked, for the ledger. An unknown tenant is NotFound.
func (k *Keys) Make(ctx context.Context, t tenant.ID, actor string, n NewKey) (Key, secret.Value, error) {
	name := strings.TrimSpace(n.Name)
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || actor == "" {
		return Key{}, secret.Value{}, fault.New(fault.Invalid, "name", "Give the key a name of 1 to %d bytes.", maxName)
	}
	if n.Life == 0 {
		n.Life = KeyLife
	}
	if n.Life < 0 || n.Life > KeyLife {
		return Key{}, secret.Value{}, fault.New(fault.Invalid, "expires", "A key works for %d days at most.", int(KeyLife/(24*time.Hour)))
	}
	scopes := slices.Clone(n.Scopes)
	slices.Sort(scopes)
	scopes = slices.Compact(scopes)
	if len(scopes) == 0 || slices.ContainsFunc(scopes, func(s Scope) bool { return !s.Keyable() }) {
		return Key{}, secret.Value{}, fault.New(fault.Invalid, "scopes", "Give the key one or more of the scopes %v.", Scopes())
	}
	if k.sealer == nil {
		return Key{}, secret.Value{}, errNoSealer
	}
	peppers, err := k.usable(ctx, false)
	if err != nil {
		return Key{}, secret.Value{}, err
	}
	bound, shown, err := k.bind(ctx, n.From)
	if err != nil {
		return Key{}, secret.Value{}, err
	}
	id, text, err := newKey(k.random)
	if err != nil {
		return Key{}, secret.Value{}, err
	}
	_, sec, _ := parseKey(text)
	now := k.clock.Now()
	key := Key{ID: id, Name: personal.New(name), Scopes: scopes, Role: Machine, CreatedAt: now, CreatedBy: actor, Expires: now.Add(n.Life)}
	list, err := json.Marshal(scopes)
	if err != nil {
		return Key{}, secret.Value{}, fmt.Errorf("identity: scopes: %w", err)
	}
	sealed, err := personal.Seal(ctx, k.sealer, t, personal.APIKeyName, itemKey(id), key.Name)
	if err != nil {
		return Key{}, secret.Value{}, fmt.Errorf("identity: create key: %w", err)
	}
	item := store.Item{Key: itemKey(id), Attrs: map[string]any{
		personal.APIKeyName.Attr: sealed, "scopes": list, "role": string(key.Role), "mac": mac(peppers[0], t, id, sec), aPepper: pepperID(peppers[0]),
		"createdAt": store.Millis(now), "createdBy": actor, "expires": store.Millis(key.Expires),
	}}
	if bound != nil {
		key.From, item.Attrs["from"] = personal.New(shown), bound
		if item.Attrs[personal.APIKeyFrom.Attr], err = personal.Seal(ctx, k.sealer, t, personal.APIKeyFrom, itemKey(id), key.From); err != nil {
			return Key{}, secret.Value{}, fmt.Errorf("identity: create key: %w", err)
		}
	}
	pointer := store.Item{Key: directoryKey(id), Attrs: map[string]any{"tenant": string(t)}}
	// One transaction: a pointer without its key, or the reverse, never exists.
	err = k.db.Transact(ctx,
		store.Write{Tenant: t, Table: store.Identity, Key: tenantKey, Check: true, If: []store.Cond{store.Exists()}},
		store.Write{Tenant: store.Directory, Table: store.Identity, Put: &pointer, If: []store.Cond{store.Absent()}},
		store.Write{Tenant: t, Table: store.Identity, Put: &item, If: []store.Cond{store.Absent()}},
	)
	if errors.Is(err, store.ErrConflict) {
		return Key{}, secret.Value{}, fault.New(fault.NotFound, "", "There is no such tenant.").Because(err)
	}
	if err != nil {
		return Key{}, secret.Value{}, fmt.Errorf("identity: create key: %w", err)
	}
	return key, text, nil
}

// Authenticate returns whom the key stands for. Every reason to refuse it is
// the same Unauthenticated fault; a table or pepper that cannot be read is
// Unavailable.
func (k *Keys) Authenticate(ctx context.Context, key secret.Value) (Principal, error) {
	refused := fault.New(fault.Unauthenticated, "", "The API key is not valid.")
	id, sec, ok := parseKey(key)
	if !ok {
		return Principal{}, refused
	}
	peppers, err := k.usable(ctx, false)
	if err != nil {
		return Principal{}, err
	}
	t, found, err := find(ctx, k.db, directoryKey(id), itemKey(id))
	if err != nil {
		return Principal{}, fault.New(fault.Unavailable, "", "The key cannot be checked now; try again.").Because(err)
	}
	now := k.clock.Now()
	if under := found.Str(aPepper); under != "" && now.Before(found.Time("expires")) && !knows(peppers, under) {
		// The key was made, or used, under a pepper that is newer than the list
		// here. A rotation drops no pepper of a living key, so that this is once
		// per rotation and not whenever somebody knocks.
		if peppers, err = k.usable(ctx, true); err != nil {
			return Principal{}, err
		}
	}
	// An unknown key costs the same comparison as a known one.
	pepper, ok := matching(peppers, found.Bytes("mac"), t, id, sec)
	if !ok && t != "" {
		return Principal{}, refused.Because(&Refused{Tenant: t, Subject: "key:" + id, Why: WrongSecret})
	}
	if !ok {
		return Principal{}, refused
	}
	info, err := keyOf(found)
	if err != nil {
		return Principal{}, err
	}
	if !info.Revoked.IsZero() {
		return Principal{}, refused.Because(&Refused{Tenant: t, Subject: "key:" + id, Why: RevokedKey, Proven: true})
	}
	if !now.Before(info.Expires) {
		return Principal{}, refused.Because(&Refused{Tenant: t, Subject: "key:" + id, Why: ExpiredKey, Proven: true})
	}
	if from, err := k.admits(ctx, found.Bytes("from")); err != nil || !from {
		if err == nil {
			err = refused.Because(&Refused{Tenant: t, Subject: "key:" + id, Why: ElsewhereKey, Proven: true})
		}
		return Principal{}, err
	}
	if pepper.Reveal() != peppers[0].Reveal() || found.Str(aPepper) == "" {
		k.rehash(ctx, t, found, mac(peppers[0], t, id, sec), pepperID(peppers[0]))
	}
	k.used(ctx, t, info, now)
	return Principal{Tenant: t, Actor: "key:" + id, KeyID: id, Role: info.Role, Scopes: info.Scopes, MadeBy: info.CreatedBy}, nil
}

// used notes when the key was last used. It is for people who tidy up, so a
// write that fails, or that another request won, is let go.
func (k *Keys) used(ctx context.Context, t tenant.ID, key Key, now time.Time) {
	hour := now.Truncate(usedEvery)
	if !key.LastUsed.Before(hour) {
		return
	}
	_, _ = k.db.Update(ctx, t, store.Identity, itemKey(key.ID), store.Update{
		Set: map[string]any{"lastUsed": store.Millis(hour)},
		If:  []store.Cond{store.Exists(), store.AnyOf(store.Missing("lastUsed"), store.Lt("lastUsed", store.Millis(hour)))},
	})
}

// rehash moves a key to the newest pepper, the only time that is possible: when
// the key itself is at hand. A write that fails, or that another request won, is
// made up for at the next use.
func (k *Keys) rehash(ctx context.Context, t tenant.ID, item store.Item, mac []byte, pepper string) {
	was := store.Missing(aPepper)
	if old := item.Str(aPepper); old != "" {
		was = store.Eq(aPepper, old)
	}
	_, _ = k.db.Update(ctx, t, store.Identity, item.Key, store.Update{
		Set: map[string]any{"mac": mac, aPepper: pepper}, If: []store.Cond{store.Exists(), was},
	})
}

// List returns a page of the tenant's keys in order of id, revoked ones too;
// next is "" when there are no more.
func (k *Keys) List(ctx context.Context, t tenant.ID, after string, limit int) (keys []Key, next string, err error) {
	if k.sealer == nil {
		return nil, "", errNoSealer
	}
	page, err := k.db.Query(ctx, t, store.Identity, store.Query{PK: keysPK, After: after, Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("identity: list keys: %w", err)
	}
	keys = make([]Key, 0, len(page.Items))
	for _, item := range page.Items {
		key, err := k.open(ctx, t, item)
		if err != nil {
			return nil, "", err
		}
		keys = append(keys, key)
	}
	return keys, page.Next, nil
}

var errNoKey = fault.New(fault.NotFound, "", "There is no such API key.")

// Get returns a key of the tenant, a revoked one too.
func (k *Keys) Get(ctx context.Context, t tenant.ID, id string) (Key, error) {
	if k.sealer == nil {
		return Key{}, errNoSealer
	}
	if len(id) != idLen {
		return Key{}, errNoKey
	}
	item, err := k.db.Get(ctx, t, store.Identity, itemKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return Key{}, errNoKey
	}
	if err != nil {
		return Key{}, fmt.Errorf("identity: key: %w", err)
	}
	return k.open(ctx, t, item)
}

// Revoke ends a key at once and for good; revoking it again changes nothing.
// A key of another tenant is NotFound, like a missing one.
func (k *Keys) Revoke(ctx context.Context, t tenant.ID, actor, id string) error {
	if len(id) != idLen {
		return errNoKey
	}
	_, err := k.db.Update(ctx, t, store.Identity, itemKey(id), store.Update{
		Set: map[string]any{"revokedAt": store.Millis(k.clock.Now()), "revokedBy": actor},
		If:  []store.Cond{store.Exists(), store.Missing("revokedAt")},
	})
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	// It was revoked before, or it is not there: only reading tells.
	_, err = k.db.Get(ctx, t, store.Identity, itemKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return errNoKey
	}
	return err
}

// usable returns the peppers, refusing to work with none or a weak one: an
// HMAC under a short key would look the same and protect nothing.
func (k *Keys) usable(ctx context.Context, fresh bool) ([]secret.Value, error) {
	peppers, err := k.peppers(ctx, fresh)
	if err == nil && len(peppers) == 0 {
		err = errors.New("identity: there is no pepper")
	}
	for _, p := range peppers {
		if len(p.Reveal()) < minPepper {
			err = fmt.Errorf("identity: a pepper is shorter than %d bytes", minPepper)
		}
	}
	if err != nil {
		return nil, fault.New(fault.Unavailable, "", "API keys cannot be checked now; try again.").Because(err)
	}
	return peppers, nil
}

// open reads an item, with what is sealed in it.
func (k *Keys) open(ctx context.Context, t tenant.ID, item store.Item) (Key, error) {
	key, err := keyOf(item)
	if err != nil {
		return Key{}, err
	}
	for f, v := range map[personal.Field]*personal.Sensitive[string]{personal.APIKeyName: &key.Name, personal.APIKeyFrom: &key.From} {
		sealed := item.Bytes(f.Attr)
		if len(sealed) == 0 && f == personal.APIKeyFrom {
			continue // it works from everywhere
		}
		if *v, err = personal.Open[string](ctx, k.sealer, t, f, item.Key, sealed); err != nil {
			return Key{}, fmt.Errorf("identity: key %s: %w", item.SK, err)
		}
	}
	return key, nil
}

// keyOf reads an item, but for what is sealed.
func keyOf(item store.Item) (Key, error) {
	key := Key{
		ID: item.SK, Role: Role(item.Str("role")),
		CreatedAt: item.Time("createdAt"), CreatedBy: item.Str("createdBy"), Expires: item.Time("expires"),
		LastUsed: item.Time("lastUsed"), Revoked: item.Time("revokedAt"),
	}
	if err := json.Unmarshal(item.Bytes("scopes"), &key.Scopes); err != nil {
		return Key{}, fmt.Errorf("identity: key %s: scopes: %w", key.ID, err)
	}
	return key, nil
}
