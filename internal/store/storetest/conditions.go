package storetest

import (
	"fmt"

	"pricemanager/internal/store"
)

// subject is the item that conditions are tried on.
func subject() attrs {
	return attrs{"s": "m", "n": int64(5), "neg": int64(-5), "t": true, "b": []byte{1, 2}, "empty": ""}
}

// conditionCase says whether a condition holds on subject, and on no item.
type conditionCase struct {
	cond        store.Cond
	holds, bare bool
}

func conditionCases() []conditionCase {
	return []conditionCase{
		{store.Absent(), false, true},
		{store.Exists(), true, false},
		{store.Has("s"), true, false},
		{store.Has("empty"), true, false},
		{store.Has("none"), false, false},
		{store.Missing("s"), false, true},
		{store.Missing("none"), true, true},

		{store.Eq("s", "m"), true, false},
		{store.Eq("s", "M"), false, false},
		{store.Eq("empty", ""), true, false},
		{store.Eq("none", ""), false, false},
		{store.Eq("n", int64(5)), true, false},
		{store.Eq("n", int64(6)), false, false},
		{store.Eq("n", "5"), false, false}, // of another type
		{store.Eq("t", true), true, false},
		{store.Eq("t", false), false, false},
		{store.Eq("b", []byte{1, 2}), true, false},
		{store.Eq("b", []byte{1}), false, false},

		{store.Ne("s", "m"), false, true},
		{store.Ne("s", "x"), true, true},
		{store.Ne("n", int64(5)), false, true},
		{store.Ne("n", "5"), true, true},
		{store.Ne("t", true), false, true},
		{store.Ne("b", []byte{1, 2}), false, true},
		{store.Ne("none", int64(0)), true, true},

		{store.Lt("n", int64(6)), true, false},
		{store.Lt("n", int64(5)), false, false},
		{store.Lt("n", int64(10)), true, false}, // and not as text
		{store.Lt("neg", int64(0)), true, false},
		{store.Lt("none", int64(1)), false, false},
		{store.Lt("n", "9"), false, false},
		{store.Le("n", int64(5)), true, false},
		{store.Le("n", int64(4)), false, false},
		{store.Gt("n", int64(4)), true, false},
		{store.Gt("n", int64(5)), false, false},
		{store.Gt("none", int64(-1)), false, false},
		{store.Ge("n", int64(5)), true, false},
		{store.Ge("n", int64(6)), false, false},
		{store.Lt("s", "mm"), true, false},
		{store.Lt("s", "m"), false, false},
		{store.Gt("s", "M"), true, false},
		{store.Ge("s", "\U0001F600"), false, false},
		{store.Gt("b", []byte{1}), true, false},
		{store.Le("b", []byte{1, 1, 255}), false, false},
		{store.Lt("b", []byte{200}), true, false}, // bytes are not signed

		{store.AnyOf(store.Absent(), store.Eq("s", "m")), true, true},
		{store.AnyOf(store.Eq("s", "x"), store.Eq("n", int64(5))), true, false},
		{store.AnyOf(store.Eq("s", "x"), store.Eq("n", int64(6))), false, false},
		{store.AnyOf(store.Eq("s", "x"), store.AnyOf(store.Missing("s"), store.Lt("n", int64(6)))), true, true},
		{store.AnyOf(store.Has("none")), false, false},
	}
}

// conditionsDecideEveryWrite tries each condition in every kind of write, on an
// item and on none.
func (s *suite) conditionsDecideEveryWrite() {
	kinds := map[string]func(k store.Key, c store.Cond) error{
		"put": func(k store.Key, c store.Cond) error {
			return s.db.Put(s.ctx, s.a, store.Offers, item(k.PK, k.SK, subject()), c)
		},
		"update": func(k store.Key, c store.Cond) error {
			_, err := s.db.Update(s.ctx, s.a, store.Offers, k, store.Update{Set: attrs{"s": "m"}, If: []store.Cond{c}})
			return err
		},
		"delete": func(k store.Key, c store.Cond) error { return s.db.Delete(s.ctx, s.a, store.Offers, k, c) },
		"check": func(k store.Key, c store.Cond) error {
			return s.db.Transact(s.ctx, store.Write{Tenant: s.a, Table: store.Offers, Key: k, Check: true, If: []store.Cond{c}})
		},
	}
	s.put(s.a, item("p", "item", subject()))
	for i, c := range conditionCases() {
		for kind, try := range kinds {
			for sk, holds := range map[string]bool{"item": c.holds, "none": c.bare} {
				k := key("p", sk)
				what := fmt.Sprintf("case %d, %s on %q, %+v", i, kind, sk, c.cond)
				err := try(k, c.cond)
				switch {
				case holds && err != nil:
					s.Errorf("%s: %v, but it holds", what, err)
				case !holds && err == nil:
					s.Errorf("%s: written, but it does not hold", what)
				case !holds:
					_ = s.conflict(err)
				}
				s.restore(kind, k, holds)
			}
		}
	}
}

// restore undoes what a write whose condition held has changed.
func (s *suite) restore(kind string, k store.Key, wrote bool) {
	s.Helper()
	switch {
	case !wrote || kind == "check":
	case k.SK == "item" && kind == "delete":
		s.is(s.a, k, nil)
		s.put(s.a, item(k.PK, k.SK, subject()))
	case k.SK == "none" && kind != "delete":
		s.ok(s.db.Delete(s.ctx, s.a, store.Offers, k, store.Eq("s", "m")))
	}
}

func (s *suite) allConditionsMustHold() {
	k := key("p", "s")
	s.put(s.a, item("p", "s", subject()))
	yes, no := store.Eq("s", "m"), store.Eq("n", int64(6))
	for _, conds := range [][]store.Cond{{yes, no}, {no, yes}, {yes, store.AnyOf(no, no)}, {store.AnyOf(yes, no), no}} {
		_ = s.conflict(s.db.Put(s.ctx, s.a, store.Offers, item("p", "s", attrs{}), conds...))
		_ = s.conflict(s.db.Delete(s.ctx, s.a, store.Offers, k, conds...))
		_, err := s.db.Update(s.ctx, s.a, store.Offers, k, store.Update{Remove: []string{"s"}, If: conds})
		_ = s.conflict(err)
	}
	s.is(s.a, k, subject())
	_, err := s.db.Update(s.ctx, s.a, store.Offers, k, store.Update{
		Remove: []string{"s", "empty", "neg", "b", "t"}, Add: map[string]int64{"n": 1},
		// The same attribute in several conditions and in the change.
		If: []store.Cond{yes, store.AnyOf(no, yes), store.Gt("n", int64(4)), store.Lt("n", int64(6)), store.Has("s")},
	})
	s.ok(err)
	s.is(s.a, k, attrs{"n": int64(6)})
}

func (s *suite) conflictsShowTheItem() {
	s.put(s.a, item("p", "s", subject()))
	want := item("p", "s", subject())
	_, updateErr := s.db.Update(s.ctx, s.a, store.Offers, want.Key, store.Update{Set: attrs{"x": "y"}, If: []store.Cond{store.Absent()}})
	for _, err := range []error{
		updateErr,
		s.db.Put(s.ctx, s.a, store.Offers, item("p", "s", attrs{}), store.Absent()),
		s.db.Delete(s.ctx, s.a, store.Offers, want.Key, store.Absent()),
		s.db.Transact(s.ctx, store.Write{Tenant: s.a, Table: store.Offers, Key: want.Key, Check: true, If: []store.Cond{store.Absent()}}),
	} {
		s.same(s.conflict(err), &store.ConflictError{Table: store.Offers, Current: &want})
	}
	if c := s.conflict(s.db.Put(s.ctx, s.a, store.Offers, item("p", "none", attrs{}), store.Exists())); c.Current != nil {
		s.Errorf("conflict over a missing item shows %v", c.Current)
	}
}
