package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"pricemanager/internal/store"
)

// everything is an item with each kind of value at its extremes.
func everything() attrs {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return attrs{
		"text": "Größe 10 € \U0001F45F \"quoted\"\n\t\\ end", "noText": "", "nul": "a\x00b",
		"max": int64(math.MaxInt64), "min": int64(math.MinInt64), "zero": int64(0),
		"beyondFloat": int64(1<<53 + 1), "round": int64(1_000_000_000_000_000_000),
		"yes": true, "no": false,
		"bytes": all, "noBytes": []byte{},
		"size": "a reserved word", "a.b[0] #x :y": "not a path", strings.Repeat("n", store.MaxAttr): int64(1),
	}
}

func (s *suite) valuesComeBackAsTheyWere() {
	want := item("all", "put", everything())
	s.put(s.a, want)
	got, err := s.db.Get(s.ctx, s.a, store.Offers, want.Key)
	s.ok(err)
	s.same(got, want)

	page, err := s.db.Query(s.ctx, s.a, store.Offers, store.Query{PK: "all"})
	s.ok(err)
	s.same(page, store.Page{Items: []store.Item{want}})

	batch, err := s.db.BatchGet(s.ctx, s.a, store.Offers, []store.Key{want.Key})
	s.ok(err)
	s.same(batch, []store.Item{want})

	s.same(s.conflict(s.db.Put(s.ctx, s.a, store.Offers, want, store.Absent())).Current, &want)

	updated, err := s.db.Update(s.ctx, s.a, store.Offers, key("all", "update"), store.Update{Set: everything()})
	s.ok(err)
	s.same(updated, item("all", "update", everything()))
	s.is(s.a, updated.Key, everything())

	inTransaction := item("all", "transact", everything())
	s.ok(s.db.Transact(s.ctx, store.Write{Tenant: s.a, Table: store.Offers, Put: &inTransaction}))
	s.is(s.a, inTransaction.Key, everything())

	bare := item("all", "bare", attrs{})
	s.put(s.a, bare, item("all", "nil", attrs{"b": []byte(nil)}))
	s.is(s.a, bare.Key, attrs{})
	s.is(s.a, key("all", "nil"), attrs{"b": []byte{}})
}

func (s *suite) putReplacesTheWholeItem() {
	s.put(s.a, item("p", "s", attrs{"old": "x", "n": int64(1)}))
	s.put(s.a, item("p", "s", attrs{"new": true}))
	s.is(s.a, key("p", "s"), attrs{"new": true})
}

func (s *suite) updateChangesOnlyWhatItNames() {
	k := key("p", "s")
	s.put(s.a, item("p", "s", attrs{"keep": "k", "change": "old", "drop": true}))
	got, err := s.db.Update(s.ctx, s.a, store.Offers, k, store.Update{
		Set: attrs{"change": []byte("new"), "fresh": int64(7)}, Remove: []string{"drop", "neverThere"},
	})
	s.ok(err)
	want := attrs{"keep": "k", "change": []byte("new"), "fresh": int64(7)}
	s.same(got, store.Item{Key: k, Attrs: want})
	s.is(s.a, k, want)

	// An absent item is created, also by an update that only takes away.
	for sk, u := range map[string]store.Update{
		"set": {Set: attrs{"x": "y"}}, "remove": {Remove: []string{"x"}},
	} {
		want := attrs{}
		if u.Set != nil {
			want = u.Set
		}
		got, err := s.db.Update(s.ctx, s.a, store.Offers, key("new", sk), u)
		s.ok(err)
		s.same(got, item("new", sk, want))
		s.is(s.a, key("new", sk), want)
	}
}

func (s *suite) addCountsFromZero() {
	k := key("p", "s")
	for _, want := range []int64{5, 10, 15} {
		got, err := s.db.Update(s.ctx, s.a, store.Offers, k, store.Update{Add: map[string]int64{"n": 5, "nothing": 0}})
		s.ok(err)
		s.same(got, item("p", "s", attrs{"n": want, "nothing": int64(0)}))
	}
	got, err := s.db.Update(s.ctx, s.a, store.Offers, k, store.Update{Add: map[string]int64{"n": -20}, Set: attrs{"t": "x"}})
	s.ok(err)
	s.same(got.Attrs, attrs{"n": int64(-5), "nothing": int64(0), "t": "x"})

	_, err = s.db.Update(s.ctx, s.a, store.Offers, k, store.Update{Add: map[string]int64{"t": 1, "n": 1}})
	s.refused("adding to a text", err)
	s.is(s.a, k, attrs{"n": int64(-5), "nothing": int64(0), "t": "x"})
}

func (s *suite) deleteLeavesNothing() {
	k := key("p", "s")
	s.ok(s.db.Delete(s.ctx, s.a, store.Offers, k)) // of nothing
	s.put(s.a, item("p", "s", attrs{"old": "x"}), item("p", "other", attrs{}))
	s.ok(s.db.Delete(s.ctx, s.a, store.Offers, k))
	s.is(s.a, k, nil)
	s.is(s.a, key("p", "other"), attrs{})
	page, err := s.db.Query(s.ctx, s.a, store.Offers, store.Query{PK: "p"})
	s.ok(err)
	s.same(page, store.Page{Items: []store.Item{item("p", "other", attrs{})}})
	if c := s.conflict(s.db.Delete(s.ctx, s.a, store.Offers, k, store.Exists())); c.Current != nil {
		s.Errorf("conflict over a missing item shows %v", c.Current)
	}
	_, err = s.db.Update(s.ctx, s.a, store.Offers, k, store.Update{Set: attrs{"again": true}})
	s.ok(err)
	s.is(s.a, k, attrs{"again": true})
}

func (s *suite) callersShareNoMemory() {
	body := []byte("mine")
	in := item("p", "s", attrs{"b": body})
	s.put(s.a, in)
	body[0] = 'X'
	in.Attrs["more"] = "later"
	want := func() attrs { return attrs{"b": []byte("mine")} }
	s.is(s.a, in.Key, want())

	got, err := s.db.Get(s.ctx, s.a, store.Offers, in.Key)
	s.ok(err)
	got.Bytes("b")[0] = 'Y'
	delete(got.Attrs, "b")
	s.is(s.a, in.Key, want())

	set := []byte("set!")
	up, err := s.db.Update(s.ctx, s.a, store.Offers, in.Key, store.Update{Set: attrs{"b": set}})
	s.ok(err)
	set[0], up.Bytes("b")[1] = 'X', 'X'
	s.is(s.a, in.Key, attrs{"b": []byte("set!")})

	page, err := s.db.Query(s.ctx, s.a, store.Offers, store.Query{PK: "p"})
	s.ok(err)
	page.Items[0].Bytes("b")[0] = 'Z'
	s.conflict(s.db.Put(s.ctx, s.a, store.Offers, in, store.Absent())).Current.Bytes("b")[0] = 'Z'
	s.is(s.a, in.Key, attrs{"b": []byte("set!")})
}

// batchGetFindsWhatExists asks for more keys than one request takes, some of
// them missing, some twice.
func (s *suite) batchGetFindsWhatExists() {
	var keys []store.Key
	var writes []store.Write
	want := map[store.Key]bool{}
	for i := range 130 {
		k := key("p", fmt.Sprintf("s%03d", i))
		keys = append(keys, k)
		if i%2 == 0 {
			it := item(k.PK, k.SK, attrs{"i": int64(i)})
			writes = append(writes, store.Write{Tenant: s.a, Table: store.Offers, Put: &it})
			want[k] = true
		}
	}
	s.ok(s.db.Transact(s.ctx, writes...))
	keys = append(keys, keys[:20]...)
	got, err := s.db.BatchGet(s.ctx, s.a, store.Offers, keys)
	s.ok(err)
	if len(got) != len(want) {
		s.Fatalf("got %d items, want %d", len(got), len(want))
	}
	for _, it := range got {
		if !want[it.Key] || it.SK != fmt.Sprintf("s%03d", it.Int("i")) {
			s.Fatalf("unexpected or repeated item %v", it)
		}
		delete(want, it.Key)
	}
	none, err := s.db.BatchGet(s.ctx, s.a, store.Offers, nil)
	s.ok(err)
	if len(none) != 0 {
		s.Errorf("no keys, but %d items", len(none))
	}
}

func (s *suite) cancelledCallsDoNothing() {
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	k, it := key("p", "s"), item("p", "s", attrs{"x": "y"})
	_, getErr := s.db.Get(ctx, s.a, store.Offers, k)
	_, batchErr := s.db.BatchGet(ctx, s.a, store.Offers, []store.Key{k})
	_, queryErr := s.db.Query(ctx, s.a, store.Offers, store.Query{PK: "p"})
	_, updateErr := s.db.Update(ctx, s.a, store.Offers, k, store.Update{Set: it.Attrs})
	errs := []error{
		getErr, batchErr, queryErr, updateErr,
		s.db.Put(ctx, s.a, store.Offers, it), s.db.Delete(ctx, s.a, store.Offers, k),
		s.db.Transact(ctx, store.Write{Tenant: s.a, Table: store.Offers, Put: &it}),
	}
	if i := slices.IndexFunc(errs, func(err error) bool { return !errors.Is(err, context.Canceled) }); i >= 0 {
		s.Errorf("call %d: error is %v, want context.Canceled", i, errs[i])
	}
	s.is(s.a, k, nil)
}
