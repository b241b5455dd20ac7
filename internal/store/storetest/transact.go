package storetest

import (
	"fmt"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

func put(t tenant.ID, it store.Item, conds ...store.Cond) store.Write {
	return store.Write{Tenant: t, Table: store.Offers, Put: &it, If: conds}
}

func update(t tenant.ID, k store.Key, u store.Update) store.Write {
	return store.Write{Tenant: t, Table: store.Offers, Key: k, Update: &u}
}

func remove(t tenant.ID, k store.Key, conds ...store.Cond) store.Write {
	return store.Write{Tenant: t, Table: store.Offers, Key: k, Delete: true, If: conds}
}

func check(t tenant.ID, k store.Key, conds ...store.Cond) store.Write {
	return store.Write{Tenant: t, Table: store.Offers, Key: k, Check: true, If: conds}
}

// transactionsAreAllOrNothing lets one write fail at each position and looks
// for traces of the others.
func (s *suite) transactionsAreAllOrNothing() {
	const n = 4
	old, fresh := attrs{"v": int64(1)}, attrs{"v": int64(2)}
	s.put(s.a, item("p", "update", old), item("p", "delete", old), item("p", "check", old))
	good := []store.Write{
		put(s.a, item("p", "put", fresh), store.Absent()),
		update(s.a, key("p", "update"), store.Update{Set: fresh, If: []store.Cond{store.Eq("v", int64(1))}}),
		remove(s.a, key("p", "delete"), store.Eq("v", int64(1))),
		check(s.a, key("p", "check"), store.Eq("v", int64(1))),
	}
	no := []store.Cond{store.Eq("v", int64(99))}
	for i := range n {
		writes := make([]store.Write, n)
		copy(writes, good)
		if w := &writes[i]; w.Update != nil {
			w.Update = &store.Update{Set: fresh, If: no}
		} else {
			w.If = no
		}
		c := s.conflict(s.db.Transact(s.ctx, writes...))
		if c.Write != i || c.Table != store.Offers {
			s.Errorf("conflict at write %d of %s, want %d of offers", c.Write, c.Table, i)
		}
		if i == 0 && c.Current != nil || i > 0 && (c.Current == nil || c.Current.Int("v") != 1) {
			s.Errorf("conflict at write %d shows %v", i, c.Current)
		}
		s.is(s.a, key("p", "put"), nil)
		s.is(s.a, key("p", "update"), old)
		s.is(s.a, key("p", "delete"), old)
	}
	// A write that is impossible stops the others too.
	s.put(s.a, item("p", "text", attrs{"v": "text"}))
	impossible := update(s.a, key("p", "text"), store.Update{Add: map[string]int64{"v": 1}})
	s.refused("adding to a text", s.db.Transact(s.ctx, good[0], impossible))
	s.is(s.a, key("p", "put"), nil)
	s.is(s.a, key("p", "text"), attrs{"v": "text"})

	s.ok(s.db.Transact(s.ctx, good...))
	s.is(s.a, key("p", "put"), fresh)
	s.is(s.a, key("p", "update"), fresh)
	s.is(s.a, key("p", "delete"), nil)
	s.is(s.a, key("p", "check"), old)
}

// transactionsReachTheirLimit counts exactly: MaxTransact writes work, one more
// does not.
func (s *suite) transactionsReachTheirLimit() {
	var writes []store.Write
	for i := range store.MaxTransact + 1 {
		writes = append(writes, put(s.a, item("p", fmt.Sprint("s", i), attrs{"i": int64(i)})))
	}
	s.refused("a write too many", s.db.Transact(s.ctx, writes...))
	s.is(s.a, key("p", "s0"), nil)
	last := store.MaxTransact - 1
	failing := append([]store.Write{}, writes[:last]...)
	failing = append(failing, put(s.a, item("p", "last", attrs{}), store.Exists()))
	if c := s.conflict(s.db.Transact(s.ctx, failing...)); c.Write != last {
		s.Errorf("conflict at write %d, want %d", c.Write, last)
	}
	s.is(s.a, key("p", "s0"), nil)
	s.ok(s.db.Transact(s.ctx, writes[:store.MaxTransact]...))
	page, err := s.db.Query(s.ctx, s.a, store.Offers, store.Query{PK: "p"})
	s.ok(err)
	if len(page.Items) != store.MaxTransact {
		s.Errorf("%d items, want %d", len(page.Items), store.MaxTransact)
	}
}

// transactionsDoEveryKindOfWrite crosses tenants, the directory and tables, as
// signing in with an API key does.
func (s *suite) transactionsDoEveryKindOfWrite() {
	unique := "hash of " + string(s.a)
	entry := item("apikey", unique, attrs{"tenant": string(s.a)})
	member := item("member", "m1", attrs{"v": int64(1), "gone": "x"})
	s.ok(s.db.Put(s.ctx, s.a, store.Identity, member))
	identity := func(w store.Write) store.Write { w.Table = store.Identity; return w }
	writes := []store.Write{
		identity(put(store.Directory, entry, store.Absent())),
		identity(update(s.a, member.Key, store.Update{
			Set: attrs{"key": true}, Add: map[string]int64{"v": 1}, Remove: []string{"gone"},
			If: []store.Cond{store.Eq("v", int64(1))},
		})),
		put(s.b, item("p", "s", attrs{"of": "b"})),
		put(s.a, item("p", "s", attrs{"of": "a"})),
		remove(s.a, key("p", "never there")),
		check(s.a, key("p", "absent"), store.Absent()),
	}
	s.ok(s.db.Transact(s.ctx, writes...))
	got, err := s.db.Get(s.ctx, s.a, store.Identity, member.Key)
	s.ok(err)
	s.same(got.Attrs, attrs{"v": int64(2), "key": true})
	got, err = s.db.Get(s.ctx, store.Directory, store.Identity, entry.Key)
	s.ok(err)
	s.same(got, entry)
	s.is(s.a, key("p", "s"), attrs{"of": "a"})
	s.is(s.b, key("p", "s"), attrs{"of": "b"})
	s.is(s.a, key("p", "absent"), nil)

	c := s.conflict(s.db.Transact(s.ctx, writes...)) // the key is taken now
	s.same(c, &store.ConflictError{Table: store.Identity, Write: 0, Current: &entry})
}
