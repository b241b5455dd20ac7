package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"pricemanager/internal/store"
)

// write does all writes or none and returns the new row of the first.
func (db *DB) write(ctx context.Context, kind OpKind, writes ...store.Write) (*row, error) {
	if err := cmp.Or(ctx.Err(), store.CheckWrites(writes...)); err != nil {
		return nil, err
	}
	for _, w := range writes {
		db.seen(kind, w.Tenant, w.Table, w.On())
	}
	if db.Hook == nil {
		return db.apply(kind, writes)
	}
	apply, answer := db.Hook(Op{Kind: kind, Writes: writes})
	if !apply {
		return nil, cmp.Or(answer, ErrDropped)
	}
	r, err := db.apply(kind, writes)
	return r, cmp.Or(answer, err)
}

// target is a write with what it will change.
type target struct {
	store.Write
	table    *table
	shard    *shard
	part     partKey
	old, new *row
}

func (db *DB) apply(kind OpKind, writes []store.Write) (*row, error) {
	targets := make([]target, len(writes))
	for i, w := range writes {
		tab, key := db.tables[w.Table], partKey{w.Tenant, w.On().PK}
		targets[i] = target{Write: w, table: tab, part: key, shard: db.shard(tab, key)}
	}
	defer lock(targets)()

	err := plan(targets)
	charge(kind, targets)
	if err != nil {
		return nil, err
	}
	for i := range targets {
		db.commit(&targets[i])
	}
	return targets[0].new, nil
}

// lock takes the shards of all targets, each once and in their order, and
// returns the way to release them.
func lock(targets []target) (unlock func()) {
	if len(targets) == 1 {
		targets[0].shard.mu.Lock()
		return targets[0].shard.mu.Unlock
	}
	all := make([]*shard, len(targets))
	for i := range targets {
		all[i] = targets[i].shard
	}
	slices.SortFunc(all, func(a, b *shard) int { return cmp.Compare(a.ord, b.ord) })
	all = slices.Compact(all)
	for _, s := range all {
		s.mu.Lock()
	}
	return func() {
		for _, s := range all {
			s.mu.Unlock()
		}
	}
}

// plan works out the new rows, and why they must not be.
func plan(targets []target) error {
	var conflict, impossible error
	for i := range targets {
		w := &targets[i]
		w.old = w.shard.parts[w.part].get(w.On().SK)
		held := holdAll(w.old, w.Conditions())
		if !held && conflict == nil {
			conflict = w.conflict(i)
		}
		switch {
		case w.Put != nil:
			w.new = newRow(w.Write)
		case w.Update != nil:
			var err error
			if w.new, err = w.old.updated(w.Write); held {
				impossible = cmp.Or(impossible, err)
			}
		case w.Check:
			w.new = w.old
		}
	}
	return cmp.Or(conflict, impossible)
}

func (w *target) conflict(i int) error {
	e := &store.ConflictError{Table: w.Table, Write: i}
	if w.old != nil {
		it := w.old.item(w.part.pk)
		e.Current = &it
	}
	return e
}

// charge counts what DynamoDB would, whether the write fails or not: the larger
// of an item's sizes before and after, all of it twice in a transaction.
func charge(kind OpKind, targets []target) {
	for i := range targets {
		w := &targets[i]
		units := store.WriteUnits(max(w.old.bytes(), w.new.bytes()))
		if kind == Transact {
			units *= 2
		}
		w.table.write.Add(units)
	}
}

func (db *DB) commit(w *target) {
	if w.old == w.new { // a check, or a delete of nothing
		return
	}
	part := w.shard.parts[w.part]
	if w.new == nil {
		if part.remove(w.old.sk); part.empty() {
			delete(w.shard.parts, w.part)
		}
	} else {
		if part == nil {
			part = &partition{}
			w.shard.parts[w.part] = part
		}
		part.set(w.new)
	}
	db.record(w.table, change{key: w.part, old: w.old, new: w.new})
}

func invalid(text string) error { return fmt.Errorf("%w: %s", store.ErrInvalid, text) }
