package storetest

import (
	"fmt"
	"strings"
	"time"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// badPlaces are tenants, tables and keys that no call accepts.
func (s *suite) badPlaces() []store.Write {
	at := func(t tenant.ID, table store.Table, pk, sk string) store.Write {
		return store.Write{Tenant: t, Table: table, Key: key(pk, sk)}
	}
	return []store.Write{
		at("", store.Offers, "p", "s"),
		at("t_", store.Offers, "p", "s"),
		at("t_UPPER00", store.Offers, "p", "s"),
		at(s.a+"#", store.Offers, "p", "s"),
		at(s.a+"#p", store.Offers, "p", "s"),
		at(tenant.ID("t_"+strings.Repeat("a", 33)), store.Offers, "p", "s"),
		at(s.a, "", "p", "s"),
		at(s.a, "unknown", "p", "s"),
		at(s.a, store.Offers, "", "s"),
		at(s.a, store.Offers, "p", ""),
		at(s.a, store.Offers, strings.Repeat("p", store.MaxPK+1), "s"),
		at(s.a, store.Offers, "p", strings.Repeat("s", store.MaxSK+1)),
		at(s.a, store.Offers, "p\xff", "s"),
		at(s.a, store.Offers, "p", "s\xff"),
	}
}

func (s *suite) malformedReadsAreRefused() {
	for _, p := range s.badPlaces() {
		what := fmt.Sprintf("%q in %q, key of %d and %d bytes", p.Tenant, p.Table, len(p.Key.PK), len(p.Key.SK))
		_, err := s.db.Get(s.ctx, p.Tenant, p.Table, p.Key)
		s.refused("get "+what, err)
		_, err = s.db.BatchGet(s.ctx, p.Tenant, p.Table, []store.Key{key("p", "s"), p.Key})
		s.refused("batch get "+what, err)
		q := store.Query{PK: p.Key.PK, Prefix: p.Key.SK}
		if q.Prefix == "" {
			continue // the one part that a query may leave open
		}
		_, err = s.db.Query(s.ctx, p.Tenant, p.Table, q)
		s.refused("query "+what, err)
	}
	_, err := s.db.Query(s.ctx, s.a, store.Offers, store.Query{PK: "p", Limit: -1})
	s.refused("a negative limit", err)
	_, err = s.db.Query(s.ctx, s.a, store.Offers, store.Query{PK: "p", After: "s\xff"})
	s.refused("a start that is not UTF-8", err)
}

// malformedWritesAreRefused tries each mistake alone and inside a transaction,
// whose good half must not happen either.
func (s *suite) malformedWritesAreRefused() {
	k := key("p", "s")
	s.put(s.a, item("p", "s", subject()))
	bad := map[string]store.Write{}
	for i, p := range s.badPlaces() {
		set, del := p, p
		set.Key, set.Put = store.Key{}, &store.Item{Key: p.Key}
		del.Delete = true
		bad[fmt.Sprintf("put at bad place %d", i)] = set
		bad[fmt.Sprintf("delete at bad place %d", i)] = del
		p.Update = &store.Update{Set: attrs{"x": "y"}}
		bad[fmt.Sprintf("update at bad place %d", i)] = p
	}
	for what, v := range map[string]any{
		"int": 1, "float": 1.5, "nil": nil, "list": []string{"a"}, "map": attrs{}, "time": time.Time{},
		"int32": int32(1), "uint64": uint64(1), "text that is not UTF-8": "\xff",
	} {
		bad["put of "+what] = put(s.a, item("p", "s", attrs{"x": v}))
		bad["update to "+what] = update(s.a, k, store.Update{Set: attrs{"x": v}})
		bad["condition on "+what] = remove(s.a, k, store.Ne("x", v))
	}
	for _, name := range []string{"", "pk", "sk", "\xff", strings.Repeat("n", store.MaxAttr+1)} {
		what := fmt.Sprintf(" named %.5q", name)
		bad["put"+what] = put(s.a, item("p", "s", attrs{name: "x"}))
		bad["set"+what] = update(s.a, k, store.Update{Set: attrs{name: "x"}})
		bad["add"+what] = update(s.a, k, store.Update{Add: map[string]int64{name: 1}})
		bad["remove"+what] = update(s.a, k, store.Update{Remove: []string{name}})
		bad["condition"+what] = remove(s.a, k, store.AnyOf(store.Exists(), store.Missing(name)))
	}
	for what, u := range map[string]store.Update{
		"nothing":        {If: []store.Cond{store.Exists()}},
		"set and add":    {Set: attrs{"x": int64(1)}, Add: map[string]int64{"x": 1}},
		"set and remove": {Set: attrs{"x": "y"}, Remove: []string{"x"}},
		"add and remove": {Add: map[string]int64{"n": 1}, Remove: []string{"n"}},
		"remove twice":   {Remove: []string{"n", "n"}},
		"ttl as text":    {Set: attrs{"ttl": "1"}},
	} {
		bad["update of "+what] = update(s.a, k, u)
	}
	for what, c := range map[string]store.Cond{
		"order of bools": store.Lt("t", true), "any of nothing": store.AnyOf(), "unknown kind": {Op: "like", Attr: "s", Value: "m"},
		"no kind": {}, "nested any of nothing": store.AnyOf(store.Exists(), store.AnyOf()),
	} {
		bad[what+" in put"] = put(s.a, item("p", "s", attrs{}), c)
		bad[what+" in update"] = update(s.a, k, store.Update{Set: attrs{"x": "y"}, If: []store.Cond{c}})
	}
	for what, w := range bad {
		s.refused(what, s.alone(w))
		s.refused(what+", in a transaction", s.db.Transact(s.ctx, put(s.a, item("p", "beside", attrs{})), w))
	}
	s.is(s.a, k, subject())
	s.is(s.a, key("p", "beside"), nil)
}

// alone does a write by the method for its kind.
func (s *suite) alone(w store.Write) error {
	switch {
	case w.Put != nil:
		return s.db.Put(s.ctx, w.Tenant, w.Table, *w.Put, w.If...)
	case w.Update != nil:
		_, err := s.db.Update(s.ctx, w.Tenant, w.Table, w.Key, *w.Update)
		return err
	default:
		return s.db.Delete(s.ctx, w.Tenant, w.Table, w.Key, w.If...)
	}
}

func (s *suite) malformedTransactionsAreRefused() {
	good := put(s.a, item("p", "good", attrs{}))
	k := key("p", "s")
	two := good
	two.Delete = true
	elsewhere := good
	elsewhere.Key = key("p", "elsewhere")
	stray := update(s.a, k, store.Update{Set: attrs{"x": "y"}})
	stray.If = []store.Cond{store.Exists()}
	s.refused("nothing", s.db.Transact(s.ctx))
	for what, w := range map[string]store.Write{
		"no kind":                     {Tenant: s.a, Table: store.Offers, Key: k},
		"two kinds":                   two,
		"a put with another key":      elsewhere,
		"conditions beside an update": stray,
		"a check of nothing":          check(s.a, k),
	} {
		s.refused(what, s.db.Transact(s.ctx, w))
	}
	for what, w := range map[string]store.Write{
		"put":    put(s.a, item("p", "good", attrs{"again": true})),
		"update": update(s.a, good.Put.Key, store.Update{Set: attrs{"x": "y"}}),
		"delete": remove(s.a, good.Put.Key),
		"check":  check(s.a, good.Put.Key, store.Absent()),
	} {
		s.refused("an item twice: "+what, s.db.Transact(s.ctx, good, w))
	}
	s.is(s.a, good.Put.Key, nil)
	s.is(s.a, k, nil)

	var heavy []store.Write
	for i := range 11 { // of 390 KB each, together over 4 MiB
		heavy = append(heavy, put(s.a, item("heavy", fmt.Sprint(i), attrs{"b": make([]byte, 390<<10)})))
	}
	s.refused("more than 4 MiB", s.db.Transact(s.ctx, heavy...))
	s.is(s.a, heavy[0].Put.Key, nil)
}

// sizesAreLimited finds the largest key and the largest item accepted, to the
// byte, and the next one refused.
func (s *suite) sizesAreLimited() {
	longest := item(strings.Repeat("p", store.MaxPK), strings.Repeat("s", store.MaxSK), attrs{"x": "y"})
	s.put(s.a, longest)
	s.is(s.a, longest.Key, longest.Attrs)

	full := item("p", "s", attrs{"b": []byte{}, "s": "text"})
	full.Attrs["b"] = make([]byte, store.MaxItem-store.Size(s.a, full))
	s.put(s.a, full)
	s.is(s.a, full.Key, full.Attrs)

	over := item("p", "s", attrs{"b": full.Attrs["b"], "s": "text!"})
	s.refused("an item a byte too large", s.db.Put(s.ctx, s.a, store.Offers, over))
	grow := store.Update{Set: attrs{"s": "text!"}}
	_, err := s.db.Update(s.ctx, s.a, store.Offers, full.Key, grow)
	s.refused("an update that makes the item too large", err)
	s.refused("the same in a transaction", s.db.Transact(s.ctx, update(s.a, full.Key, grow)))
	s.is(s.a, full.Key, full.Attrs)
}
