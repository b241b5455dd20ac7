// Package memory keeps the product's data in the process: DB, Blobs and Queue
// with the same rules, conditions, limits and units of cost as on AWS. Tests,
// simulations and benchmarks run on it, so it is fast (no encoding, a lock per
// group of partitions) and it can be told to fail.
//
// What is promised when things fail: as package store says. Beyond that a Hook
// makes any write fail before or after its effect. Everything is copied on the
// way in and on the way out: no caller can change what is stored, or see it
// change.
//
// It does not persist, and deletes expired items only when Expire is called.
package memory

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"pricemanager/internal/clock"
	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// ErrDropped is the answer to a write that a Hook dropped without an error.
var ErrDropped = errors.New("memory: write dropped by the hook")

// Op is a write that is about to happen: one of its own, or a transaction.
type Op struct {
	Kind   OpKind
	Writes []store.Write // one unless Kind is Transact; not to be changed
}

// OpKind is the method that was called.
type OpKind string

// The kinds of Op.
const (
	Put      OpKind = "put"
	Update   OpKind = "update"
	Delete   OpKind = "delete"
	Transact OpKind = "transact"
)

// The kinds of reads that Seen is told of.
const (
	Get      OpKind = "get"
	BatchGet OpKind = "batchGet"
	Query    OpKind = "query"
)

// DB is a store.DB in memory. Set its fields before first use.
type DB struct {
	// Hook, when set, is asked before every well-formed write. With apply false
	// nothing is written and err is the answer; with apply true the write is
	// tried, and err, when not nil, is the answer whatever came of it, like an
	// answer lost on the wire. It runs without any lock held and concurrently.
	Hook func(Op) (apply bool, err error)
	// Seen, when set, is told of every well-formed call before it is done: of reads by
	// their key (for a query the PK and the prefix), of writes one by one. It runs
	// without any lock held and concurrently.
	Seen func(kind OpKind, t tenant.ID, table store.Table, key store.Key)
	// NoStreams turns the streams off, for a simulation that nobody listens to:
	// a stream keeps its records until Trim.
	NoStreams bool

	clock  clock.Clock
	seed   maphash.Seed
	tables map[store.Table]*table
}

var _ store.DB = (*DB)(nil)

// New returns an empty DB. The clock dates stream records and decides what
// Expire removes.
func New(clk clock.Clock) *DB {
	db := &DB{clock: clk, seed: maphash.MakeSeed(), tables: map[store.Table]*table{}}
	ord := 0
	for _, name := range store.Tables() {
		t := &table{name: name}
		for i := range t.shards {
			t.shards[i].ord = ord
			t.shards[i].parts = map[partKey]*partition{}
			ord++
		}
		if slices.Contains(store.Streamed(), name) {
			t.stream = &stream{next: 1}
		}
		db.tables[name] = t
	}
	return db
}

const shards = 256

type table struct {
	name   store.Table
	shards [shards]shard
	stream *stream // nil when the table is not streamed
	read   atomic.Int64
	write  atomic.Int64
}

// shard guards the partitions that hash to it. Shards are locked in the order
// of ord, so that transactions cannot deadlock.
type shard struct {
	ord   int
	mu    sync.RWMutex
	parts map[partKey]*partition
}

// partKey keeps the tenant apart from the PK by type, so that no PK can reach
// into another tenant.
type partKey struct {
	tenant tenant.ID
	pk     string
}

func (db *DB) shard(t *table, k partKey) *shard {
	return &t.shards[maphash.Comparable(db.seed, k)%shards]
}

func (db *DB) read(t *table, k partKey, sk string) *row {
	s := db.shard(t, k)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.parts[k].get(sk)
}

func (db *DB) seen(kind OpKind, t tenant.ID, table store.Table, key store.Key) {
	if db.Seen != nil {
		db.Seen(kind, t, table, key)
	}
}

// Get returns one item, or store.ErrNotFound.
func (db *DB) Get(ctx context.Context, t tenant.ID, table store.Table, key store.Key) (store.Item, error) {
	if err := cmp.Or(ctx.Err(), store.CheckKeys(t, table, key)); err != nil {
		return store.Item{}, err
	}
	db.seen(Get, t, table, key)
	tab := db.tables[table]
	r := db.read(tab, partKey{t, key.PK}, key.SK)
	tab.read.Add(store.ReadUnits(r.bytes()))
	if r == nil {
		return store.Item{}, store.ErrNotFound
	}
	return r.item(key.PK), nil
}

// BatchGet returns the items that exist, each once.
func (db *DB) BatchGet(ctx context.Context, t tenant.ID, table store.Table, keys []store.Key) ([]store.Item, error) {
	if err := cmp.Or(ctx.Err(), store.CheckKeys(t, table, keys...)); err != nil {
		return nil, err
	}
	tab := db.tables[table]
	seen := make(map[store.Key]bool, len(keys))
	items := make([]store.Item, 0, len(keys))
	for _, key := range keys {
		if seen[key] {
			continue
		}
		seen[key] = true
		db.seen(BatchGet, t, table, key)
		r := db.read(tab, partKey{t, key.PK}, key.SK)
		tab.read.Add(store.ReadUnits(r.bytes()))
		if r != nil {
			items = append(items, r.item(key.PK))
		}
	}
	return items, nil
}

// Query reads items of one PK.
func (db *DB) Query(ctx context.Context, t tenant.ID, table store.Table, q store.Query) (store.Page, error) {
	if err := cmp.Or(ctx.Err(), store.CheckQuery(t, table, q)); err != nil {
		return store.Page{}, err
	}
	db.seen(Query, t, table, store.Key{PK: q.PK, SK: q.Prefix})
	tab := db.tables[table]
	k := partKey{t, q.PK}
	s := db.shard(tab, k)
	s.mu.RLock()
	rows, more := s.parts[k].page(q)
	s.mu.RUnlock() // rows never change, so they can be copied at leisure

	page := store.Page{Items: make([]store.Item, len(rows))}
	size := 0
	for i, r := range rows {
		page.Items[i] = r.item(q.PK)
		size += r.size
	}
	if more {
		page.Next = rows[len(rows)-1].sk
	}
	tab.read.Add(store.ReadUnits(size))
	return page, nil
}

// Put writes a whole item.
func (db *DB) Put(ctx context.Context, t tenant.ID, table store.Table, item store.Item, conds ...store.Cond) error {
	_, err := db.write(ctx, Put, store.Write{Tenant: t, Table: table, Put: &item, If: conds})
	return err
}

// Update changes attributes and returns the item as it is afterwards.
func (db *DB) Update(ctx context.Context, t tenant.ID, table store.Table, key store.Key, u store.Update) (store.Item, error) {
	r, err := db.write(ctx, Update, store.Write{Tenant: t, Table: table, Key: key, Update: &u})
	if err != nil {
		return store.Item{}, err
	}
	return r.item(key.PK), nil
}

// Delete removes an item.
func (db *DB) Delete(ctx context.Context, t tenant.ID, table store.Table, key store.Key, conds ...store.Cond) error {
	_, err := db.write(ctx, Delete, store.Write{Tenant: t, Table: table, Key: key, Delete: true, If: conds})
	return err
}

// Transact does all writes or none.
func (db *DB) Transact(ctx context.Context, writes ...store.Write) error {
	_, err := db.write(ctx, Transact, writes...)
	return err
}

// Units is what the calls so far would have cost in the given tables, or in all.
func (db *DB) Units(tables ...store.Table) store.Units {
	if len(tables) == 0 {
		tables = store.Tables()
	}
	var u store.Units
	for _, name := range tables {
		t := db.tables[name]
		u = u.Plus(store.Units{Read: t.read.Load(), Write: t.write.Load()})
	}
	return u
}

// Each calls visit with every item there is, of all tenants, until it returns
// false: for byte scans after an erasure, and other questions that no function
// of the product may ask. It sees each shard at one moment, not all at the same.
func (db *DB) Each(visit func(tenant.ID, store.Table, store.Item) bool) {
	for _, name := range store.Tables() {
		t := db.tables[name]
		for i := range t.shards {
			for _, f := range t.shards[i].all() {
				if !visit(f.key.tenant, name, f.row.item(f.key.pk)) {
					return
				}
			}
		}
	}
}

type found struct {
	key partKey
	row *row
}

func (s *shard) all() []found {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []found
	for k, p := range s.parts {
		for _, c := range p.chunks {
			for _, r := range c {
				all = append(all, found{k, r})
			}
		}
	}
	return all
}
