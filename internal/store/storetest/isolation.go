package storetest

import (
	"errors"

	"pricemanager/internal/store"
	"pricemanager/internal/tenant"
)

// tenantsNeverMeet gives two tenants the same keys and lets the second do all
// it can to the first one's items.
func (s *suite) tenantsNeverMeet() {
	k, mine := key("p", "s"), attrs{"whose": "a"}
	s.put(s.a, item("p", "s", mine), item("p", "s2", mine))

	s.is(s.b, k, nil)
	batch, err := s.db.BatchGet(s.ctx, s.b, store.Offers, []store.Key{k, key("p", "s2")})
	s.ok(err)
	page, err := s.db.Query(s.ctx, s.b, store.Offers, store.Query{PK: "p"})
	s.ok(err)
	if len(batch)+len(page.Items) != 0 || page.Next != "" {
		s.Fatalf("B sees A's items: %v %v", batch, page)
	}
	s.ok(s.db.Delete(s.ctx, s.b, store.Offers, k))
	for _, err := range []error{
		s.db.Delete(s.ctx, s.b, store.Offers, k, store.Eq("whose", "a")),
		s.db.Put(s.ctx, s.b, store.Offers, item("p", "s", attrs{}), store.Exists()),
		s.db.Transact(s.ctx, store.Write{Tenant: s.b, Table: store.Offers, Key: k, Check: true, If: []store.Cond{store.Has("whose")}}),
	} {
		if c := s.conflict(err); c.Current != nil {
			s.Fatalf("a conflict shows A's item to B: %v", c.Current)
		}
	}
	s.is(s.a, k, mine)

	s.ok(s.db.Put(s.ctx, s.b, store.Offers, item("p", "s", attrs{"whose": "b"}), store.Absent()))
	s.is(s.a, k, mine)
	s.is(s.b, k, attrs{"whose": "b"})
	got, err := s.db.Update(s.ctx, s.b, store.Offers, key("p", "s2"), store.Update{Set: attrs{"own": true}})
	s.ok(err)
	s.same(got, item("p", "s2", attrs{"own": true}))
	s.ok(s.db.Delete(s.ctx, s.a, store.Offers, k))
	s.is(s.b, k, attrs{"whose": "b"})

	// Tables are apart as well.
	if _, err := s.db.Get(s.ctx, s.b, store.Identity, k); !errors.Is(err, store.ErrNotFound) {
		s.Errorf("an item of another table: %v", err)
	}
}

// hostileKeysStayApart uses tenants of which one is the beginning of the other,
// and keys that contain whatever a backend may use to join them.
func (s *suite) hostileKeysStayApart() {
	short := s.a
	long := tenant.ID(string(short) + "0")
	pks := []string{
		"p", "#", "#p", "p#", "p#s", "0#p", "0", "|", "p|s", "/", "../p", "p\x00s", "p\x00",
		string(long) + "#p", string(short) + "#p", "#" + string(long), "P", " p", "p ", "é", "e\u0301", "\U0001F600",
	}
	sks := []string{"s", "#", "s#", "#s", "|", "s\x00", "é", "e\u0301"}
	seen := map[string]store.Key{}
	for _, t := range []tenant.ID{short, long} {
		for _, pk := range pks {
			for _, sk := range sks {
				id := string(t) + " owns " + pk + " and " + sk
				seen[id] = key(pk, sk)
				// Absent: no pair of keys may fall together.
				s.ok(s.db.Put(s.ctx, t, store.Offers, item(pk, sk, attrs{"id": id}), store.Absent()))
			}
		}
	}
	for _, t := range []tenant.ID{short, long} {
		for _, pk := range pks {
			page, err := s.db.Query(s.ctx, t, store.Offers, store.Query{PK: pk})
			s.ok(err)
			if len(page.Items) != len(sks) {
				s.Errorf("PK %q of %s has %d items, want %d", pk, t, len(page.Items), len(sks))
			}
			for _, it := range page.Items {
				if id := it.Str("id"); id != string(t)+" owns "+it.PK+" and "+it.SK || seen[id] != it.Key || it.PK != pk {
					s.Errorf("PK %q of %s holds %v", pk, t, it)
				}
			}
		}
	}
}
